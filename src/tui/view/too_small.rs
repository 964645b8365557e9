//! What a terminal too small for a screen says: still live or simulated, still armed or not.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{LEAST_COLUMNS, LEAST_ROWS};
use crate::{
    theme::Role,
    tui::{
        state::State,
        widgets::{
            Pen,
            banner::{arming, mode_role},
        },
    },
};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect) {
    let (armed, armed_role) = arming(state);
    let lines = [
        (state.mode_word(), mode_role(state.mode())),
        (armed, armed_role),
        ("too small".to_owned(), Role::Title),
        (format!("{}x{}, needs", area.width, area.height), Role::Text),
        (format!("{LEAST_COLUMNS}x{LEAST_ROWS}"), Role::Text),
    ];
    for (row, (text, role)) in lines.iter().enumerate() {
        Pen::new(buffer, &state.styles, area, row as u16).put(text, *role);
    }
}
