//! Every replication stream with its lag, trend and state.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{put_table, put_title};
use crate::{theme::Role, tui::state::State};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect) {
    let from = &state.estate.regions.primary.name;
    let to = &state.estate.regions.recovery.name;
    let head = vec![
        (format!("home direction {from} → {to}"), Role::Dim),
        (format!("{} streams", state.list.rows.len()), Role::Text),
    ];
    put_title(buffer, state, area, "REPLICATION", &head);
    let table = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    put_table(buffer, state, table, "no component of the estate replicates with a lag that is read");
}
