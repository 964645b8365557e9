//! The bottom lines: what a begun chord can become, a notice, the filter being typed, and the keys that work here,
//! drawn from the loaded keymap.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Pen, paint::width};
use crate::{
    keymap::{Command, Context, Row},
    theme::Role,
    tui::{
        availability::{asked_for, available},
        state::{State, Tone},
    },
};

/// Keys that every list understands: last in the footer, first to go.
const COMMON: &[Command] = &[
    Command::GotoBoard,
    Command::GotoApp,
    Command::GotoBackups,
    Command::GotoReplication,
    Command::GotoRegions,
    Command::GotoRunbooks,
    Command::GotoRuns,
    Command::GotoWave,
    Command::NextWaiting,
    Command::GotoCalls,
    Command::Filter,
    Command::Quit,
];

/// Draws into the last row of `area`, and the status line into the row above it.
pub fn draw(buffer: &mut Buffer, state: &State, area: Rect) {
    if area.height == 0 {
        return;
    }
    let last = area.height - 1;
    keys(buffer, state, area, last);
    if area.height > 1 {
        status(buffer, state, area, last - 1);
    }
}

fn status(buffer: &mut Buffer, state: &State, area: Rect, row: u16) {
    let mut pen = Pen::new(buffer, &state.styles, area, row);
    pen.gap(1);
    if !state.pending.is_empty() {
        let begun: Vec<String> = state.pending.iter().map(ToString::to_string).collect();
        pen.put(&begun.join(" "), Role::Key).put(" …", Role::Dim);
        for one in &state.pending_rows {
            pen.gap(2).put(&one.keys, Role::Key).gap(1).put(&one.desc, Role::KeyDesc);
        }
        return;
    }
    let place = state.place();
    if state.typing_filter {
        pen.put("/ ", Role::Filter).put(&place.filter.text, Role::Input).put("▏", Role::Filter);
        pen.gap(2).put(&format!("{} rows left out", state.list.hidden()), Role::Dim);
        return;
    }
    if let Some(notice) = &state.notice {
        let role = if notice.tone == Tone::Refused { Role::Error } else { Role::Accent };
        pen.put(&notice.text, role);
        return;
    }
    if !place.filter.is_empty() {
        pen.put("/ ", Role::Filter).put(&place.filter.text, Role::FilterMatch);
        pen.gap(2).put(&format!("{} rows left out", state.list.hidden()), Role::Dim);
    }
}

fn keys(buffer: &mut Buffer, state: &State, area: Rect, row: u16) {
    let context = state.context();
    let rows = state.keymap.rows(context);
    let mut shown: Vec<&Row> = Vec::new();
    let own = |row: &&Row| !COMMON.contains(&row.command) && !plain_motion(row.command);
    let once = |row: &Row, shown: &[&Row]| !shown.iter().any(|one| one.command == row.command);
    let asked = asked_for(state).filter(|_| state.dialog.is_none());
    shown.extend(rows.iter().find(|row| Some(row.command) == asked));
    // Then what is particular to this screen, what can be done now before what cannot; then the way to the others.
    for now in [true, false] {
        for one in rows.iter().filter(own).filter(|r| particular(context, r.command)) {
            if available(state, one.command).is_ok() == now && once(one, &shown) {
                shown.push(one);
            }
        }
    }
    for command in COMMON {
        if let Some(one) = rows.iter().find(|r| r.command == *command)
            && once(one, &shown)
        {
            shown.push(one);
        }
    }
    // The way to help is there on every width.
    let help = state.keymap.keys_of(context, Command::Help).map(|keys| format!("{keys} help "));
    let kept = help.as_deref().map_or(0, width);
    let mut pen = Pen::new(buffer, &state.styles, area, row);
    pen.gap(1);
    for one in shown {
        let desc = if COMMON.contains(&one.command) { one.desc.to_lowercase() } else { one.desc.clone() };
        if width(&one.keys) + width(&desc) + 3 + kept > pen.left() {
            break;
        }
        let (key, text) = match available(state, one.command) {
            Ok(()) => (Role::Key, Role::KeyDesc),
            Err(_) => (Role::KeyDisabled, Role::KeyDisabled),
        };
        pen.put(&one.keys, key).gap(1).put(&desc, text).gap(2);
    }
    if let Some(help) = help {
        pen.put_right(&help, Role::Key);
    }
}

const fn plain_motion(command: Command) -> bool {
    matches!(
        command,
        Command::Up
            | Command::Down
            | Command::Left
            | Command::Right
            | Command::PageUp
            | Command::PageDown
            | Command::Top
            | Command::Bottom
            | Command::Suspend
            | Command::Redraw
            | Command::Help
            | Command::NextTheme
            | Command::Copy
            | Command::Freeze
            | Command::Refresh
            | Command::NextColumnSort
            | Command::ReverseSort
            | Command::ClearFilter
    )
}

/// Commands that a screen is about, so that they come before the ways to other screens.
const fn particular(context: Context, command: Command) -> bool {
    match command {
        Command::Open | Command::Back => {
            matches!(context, Context::Run | Context::Plan | Context::Runbooks | Context::Dialog | Context::Filter)
        }
        _ => true,
    }
}
