//! What the keys do on the screen one came from, from the loaded keymap; disabled ones with their reason.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Line, put_lines, put_title};
use crate::{
    keymap::Context,
    theme::Role,
    tui::{
        availability::available_on,
        state::{Screen, State},
    },
};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect, context: Context) {
    let head = vec![
        (format!("keys of {}", context.describe()), Role::Text),
        (format!("keymap {}", state.keymap.name), Role::Dim),
        (format!("theme {}", state.themes[state.theme_at].name), Role::Dim),
    ];
    put_title(buffer, state, area, "HELP", &head);
    let lines = lines(state, context);
    let body = Rect { x: area.x + 2, width: area.width - 2, y: area.y + 1, height: area.height.saturating_sub(1) };
    let top = state.place().selected.min(lines.len().saturating_sub(usize::from(body.height)));
    put_lines(buffer, &state.styles, body, &lines, top);
}

#[must_use]
pub fn lines(state: &State, context: Context) -> Vec<Line> {
    let asked_from = state.screens.iter().rev().find(|screen| !matches!(screen, Screen::Help(_)));
    let mut lines: Vec<Line> = Vec::new();
    let mut contexts = vec![context];
    contexts.push(Context::Dialog);
    contexts.push(Context::Filter);
    for (n, context) in contexts.into_iter().enumerate() {
        if n > 0 {
            lines.push(Vec::new());
            lines.push(vec![(format!("in {}", context.describe()), Role::Header)]);
        }
        for row in state.keymap.rows(context) {
            // Reasons are those of the screen one came from, not of this one.
            let reason = asked_from
                .filter(|screen| n == 0 && screen.context() == context)
                .and_then(|screen| available_on(state, screen, row.command).err());
            let (key, text) =
                if reason.is_some() { (Role::KeyDisabled, Role::KeyDisabled) } else { (Role::Key, Role::KeyDesc) };
            let mut line = vec![(format!("{:<12}", row.keys), key), (row.desc.clone(), text)];
            if let Some(reason) = reason {
                line.push((format!("  not now: {reason}"), Role::KeyDisabled));
            }
            lines.push(line);
        }
    }
    lines.push(Vec::new());
    lines.push(vec![("signs".to_owned(), Role::Header)]);
    for (glyph, role, text) in [
        ("●", Role::VerdictMet, "met; \"sampled\" when judged from samples, not proven for every moment"),
        ("◐", Role::VerdictAtRisk, "at risk: it will not stay met"),
        ("✖", Role::VerdictBreached, "breached: more would be lost than the target allows"),
        ("?", Role::VerdictUnknown, "unknown: never to be read as healthy"),
        ("○", Role::VerdictNoTarget, "nobody has said how much may be lost"),
        (
            "▷",
            Role::StepPending,
            "a run that is armed, or waits its turn in a wave; ▶ is at work, ◐ waits for a person",
        ),
        ("!", Role::StepSkipped, "a run that completed with exceptions; ✔ completed without any"),
    ] {
        lines.push(vec![(format!("{glyph}  "), role), (text.to_owned(), Role::Text)]);
    }
    lines
}
