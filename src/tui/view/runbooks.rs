//! Runs, and the runbooks of the estate by app. Enter opens a run, or makes a plan; neither acts.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{put_table, put_title};
use crate::{theme::Role, tui::state::State};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect) {
    let open = state.runs.list.iter().filter(|run| !run.phase.ended()).count();
    let head = vec![
        (format!("{} runbooks", state.runbooks.len()), Role::Text),
        (
            format!("{} runs, {open} open", state.runs.list.len() + state.runs.ended.len()),
            if open > 0 { Role::Warning } else { Role::Dim },
        ),
        ("Enter plans, and only reads".to_owned(), Role::Dim),
    ];
    put_title(buffer, state, area, "RUNBOOKS", &head);
    let table = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    put_table(buffer, state, table, "the estate has no runbook");
}
