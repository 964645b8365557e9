//! State to cells. Nothing here changes state, formats what a table has formatted already, or decides anything.
//!
//! ```text
//! banner: estate, mode, arming, age, account, clock
//! screen: one file each
//! status: chord begun, notice, filter
//! footer: the keys that work here
//! ```

pub mod app;
pub mod backups;
pub mod board;
pub mod calls;
pub mod dialog;
pub mod help;
pub mod plan;
pub mod regions;
pub mod replication;
pub mod run;
pub mod runbooks;
pub mod switch;
pub mod too_small;
pub mod wave;
pub mod wave_runs;

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    state::{Screen, State},
    widgets::{Pen, Styles, banner, footer, paint::tint, table},
};
use crate::theme::Role;

/// Below this a screen cannot be read under stress: it says so instead.
pub const LEAST_COLUMNS: u16 = 60;
pub const LEAST_ROWS: u16 = 16;

/// Draws everything. Returns where the text cursor stands, when text is typed.
pub fn view(state: &State, buffer: &mut Buffer) -> Option<(u16, u16)> {
    let area = buffer.area;
    tint(buffer, &state.styles, area, Role::Text);
    if area.width < LEAST_COLUMNS || area.height < LEAST_ROWS {
        too_small::draw(buffer, state, area);
        return None;
    }
    let top = banner::draw(buffer, state, area);
    let body = Rect { y: area.y + top, height: area.height - top - 2, ..area };
    match state.screen() {
        Screen::Board => board::draw(buffer, state, body),
        Screen::App(id) => app::draw(buffer, state, body, id),
        Screen::Backups => backups::draw(buffer, state, body),
        Screen::Replication => replication::draw(buffer, state, body),
        Screen::Regions => regions::draw(buffer, state, body),
        Screen::Runbooks => runbooks::draw(buffer, state, body),
        Screen::Plan => plan::draw(buffer, state, body),
        Screen::Run(id) => run::draw(buffer, state, body, *id),
        Screen::Switch(id) => switch::draw(buffer, state, body, *id),
        Screen::Wave => wave::draw(buffer, state, body),
        Screen::WaveRuns(wave) => wave_runs::draw(buffer, state, body, wave),
        Screen::Calls => calls::draw(buffer, state, body),
        Screen::Help(context) => help::draw(buffer, state, body, *context),
    }
    footer::draw(buffer, state, Rect { y: area.bottom() - 2, height: 2, ..area });
    state.dialog.as_ref().and_then(|one| dialog::draw(buffer, state, body, one))
}

/// Where the screen itself goes, without drawing anything.
fn body(state: &State) -> Rect {
    let (width, height) = state.size;
    let top = 1 + banner::alerts(state).len() as u16;
    Rect { x: 0, y: top, width, height: height.saturating_sub(top + 2) }
}

/// One line in pieces, each with its role.
pub type Line = Vec<(String, Role)>;

#[must_use]
pub fn line(text: impl Into<String>, role: Role) -> Line {
    vec![(text.into(), role)]
}

/// What does not fit into `most` lines is counted, never dropped without a word.
#[must_use]
pub(super) fn counted(mut lines: Vec<Line>, most: usize) -> Vec<Line> {
    if lines.len() > most {
        let left = lines.len() - most.saturating_sub(1);
        lines.truncate(most.saturating_sub(1));
        lines.push(line(format!("    … {left} more lines"), Role::Warning));
    }
    lines
}

pub(super) fn put_line(buffer: &mut Buffer, styles: &Styles, area: Rect, row: u16, line: &Line) {
    let mut pen = Pen::new(buffer, styles, area, row);
    for (text, role) in line {
        pen.put(text, *role);
    }
}

/// Lines from `top` on, with a word on what is not shown.
pub(super) fn put_lines(buffer: &mut Buffer, styles: &Styles, area: Rect, lines: &[Line], top: usize) {
    for (row, line) in lines.iter().skip(top).take(usize::from(area.height)).enumerate() {
        put_line(buffer, styles, area, row as u16, line);
    }
}

/// The table of a list screen in `area`, or what an empty one says.
pub(super) fn put_table(buffer: &mut Buffer, state: &State, area: Rect, empty: &str) {
    let context = state.screen().context();
    let place = state.place();
    let table = table::TableView { selected: place.selected, sort: place.sort, shift: place.shift, now: state.now };
    table::draw(buffer, &state.styles, area, super::tables::columns(context), state.list.len(), table, |n| {
        state.list.cells(n)
    });
    if state.list.is_empty() && area.height > 1 {
        let text =
            if state.list.hidden() > 0 { "no row has that; Esc or clearing the filter shows all" } else { empty };
        Pen::new(buffer, &state.styles, area, 1).gap(4).put(text, Role::Dim);
    }
}

/// The title line of a screen: where one is, and how many rows.
pub(super) fn put_title(buffer: &mut Buffer, state: &State, area: Rect, title: &str, rest: &Line) {
    let mut pen = Pen::new(buffer, &state.styles, area, 0);
    pen.gap(1).put(title, Role::Title);
    for (text, role) in rest {
        pen.gap(2).put(text, *role);
    }
    let trail: Vec<&str> = state.screens.iter().map(|screen| screen.context().word()).collect();
    if trail.len() > 1 {
        pen.gap(2).put_right(&format!("{} ", trail.join(" › ")), Role::Crumb);
    }
}

/// What is on screen as plain text, for the clipboard.
#[must_use]
pub fn as_text(state: &State) -> String {
    let (width, height) = state.size;
    let mut buffer = Buffer::empty(Rect::new(0, 0, width.max(LEAST_COLUMNS), height.max(LEAST_ROWS)));
    view(state, &mut buffer);
    text_of(&buffer)
}

/// The symbols of a buffer as lines, spaces at the ends cut.
#[must_use]
pub fn text_of(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let mut text = String::new();
    for row in buffer.content().chunks(width) {
        let mut line = String::new();
        let mut skip = 0;
        for cell in row {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            line.push_str(cell.symbol());
            skip = super::widgets::paint::width(cell.symbol()).saturating_sub(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
