//! The call log: every AWS call with its Region, duration, outcome and cost.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{put_table, put_title};
use crate::{theme::Role, tui::state::State};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect) {
    let totals = &state.picture.snapshot.calls;
    let failed = if totals.failed == 0 { Role::Dim } else { Role::Warning };
    let head = vec![
        (format!("{} calls", totals.calls), Role::Text),
        (format!("{} failed", totals.failed), failed),
        (format!("{} metrics asked for", totals.metrics_requested), Role::Dim),
        (format!("{:.4} USD at list price", totals.usd), Role::Dim),
    ];
    put_title(buffer, state, area, "CALLS", &head);
    let table = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    put_table(buffer, state, table, "no call was made yet");
}
