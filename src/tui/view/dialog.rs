//! A dialog over the screen: what happens, what must be typed, and only then the chord that sends it.

use ratatui::{buffer::Buffer, layout::Rect};

use super::Line;
use crate::{
    domain::Hazard,
    keymap::{Command, Context},
    theme::Role,
    tui::{
        dialog::{Dialog, Want},
        state::State,
        widgets::{
            banner::mode_role,
            paint::{boxed, clear, width, wrap},
        },
    },
};

/// Draws it in the middle of `area`; returns where the text cursor stands.
pub fn draw(buffer: &mut Buffer, state: &State, area: Rect, dialog: &Dialog) -> Option<(u16, u16)> {
    let columns = area.width.saturating_sub(4).min(88);
    let inner_columns = columns.saturating_sub(4);
    let mut lines: Vec<Line> = vec![vec![
        (format!(" {} ", state.mode_word()), mode_role(state.mode())),
        (format!("  {}", dialog.hazard.word()), super::super::tables::calls::hazard_role(dialog.hazard)),
    ]];
    if let Some(goes) = &dialog.bound_for {
        lines.extend(wrap(goes, inner_columns).into_iter().map(|part| vec![(part, Role::Title)]));
    }
    let kept = lines.len();
    for text in &dialog.lines {
        lines.extend(wrap(text, inner_columns).into_iter().map(|part| vec![(part, Role::Text)]));
    }
    lines.push(Vec::new());
    let mut cursor_line = None;
    for (n, field) in dialog.fields.iter().enumerate() {
        let focused = n == dialog.focus;
        if focused {
            cursor_line = Some((lines.len(), field));
        }
        lines.extend(label(field, focused, inner_columns));
        if matches!(field.want, Want::Phrase(_) | Want::OneOf(_)) && focused {
            cursor_line = Some((lines.len(), field));
        }
        if field.want != Want::Mark {
            lines.push(value_line(field, focused));
            if focused {
                cursor_line = Some((lines.len() - 1, field));
            }
        }
    }
    lines.push(Vec::new());
    let chord = state.keymap.keys_of(Context::Dialog, Command::Send).unwrap_or_default();
    if let Some(field) = dialog.took(&chord.replace(' ', "")) {
        let said =
            format!("{chord} went into \"{}\": it sends only when all is filled in and no line is open", field.label);
        lines.extend(wrap(&said, inner_columns).into_iter().map(|part| vec![(part, Role::Warning)]));
    }
    let (last, role) = ending(state, dialog);
    lines.extend(wrap(&last, inner_columns).into_iter().map(|part| vec![(part, role)]));

    let height = (lines.len() as u16 + 2).min(area.height);
    let place =
        Rect { x: area.x + (area.width - columns) / 2, y: area.y + (area.height - height) / 2, width: columns, height };
    clear(buffer, &state.styles, place);
    let border = if dialog.hazard >= Hazard::Disruptive { Role::DialogDanger } else { Role::DialogBorder };
    let inner = boxed(buffer, &state.styles, place, &dialog.title, border);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    // On a low screen the mode, the app, the fields and the last line stay; what is cut between them is counted, never dropped
    // without a word.
    let hidden = lines.len().saturating_sub(usize::from(inner.height));
    super::put_lines(buffer, &state.styles, inner, &lines, hidden);
    if hidden > 0 {
        let mut first = lines[..kept].to_vec();
        let said =
            if hidden == 1 { "   1 line is cut here".to_owned() } else { format!("   {hidden} lines are cut here") };
        first[0].push((said, Role::Warning));
        let top = Rect { height: inner.height.min(kept as u16), ..inner };
        clear(buffer, &state.styles, top);
        super::put_lines(buffer, &state.styles, top, &first, 0);
    }
    let (at, field) = cursor_line?;
    let row = at.checked_sub(hidden)? as u16;
    let x = inner.x + if field.want == Want::Mark { 1 } else { 2 + width(&field.value) };
    (row < inner.height && x < inner.right()).then_some((x, inner.y + row))
}

/// What somebody vouches for is never cut.
fn label(field: &crate::tui::dialog::Field, focused: bool, columns: u16) -> Vec<Line> {
    let role = if focused { Role::Title } else { Role::Dim };
    if field.want == Want::Mark {
        let parts = wrap(&field.label, columns.saturating_sub(4)).into_iter().enumerate();
        let mark = |n| match (n, field.satisfied()) {
            (0, true) => "[x] ",
            (0, false) => "[ ] ",
            _ => "    ",
        };
        return parts.map(|(n, part)| vec![(mark(n).to_owned(), Role::Input), (part, role)]).collect();
    }
    let mut line = vec![(field.label.to_string(), role)];
    let hint = match &field.want {
        Want::Phrase(phrase) => format!(":  {phrase}"),
        Want::OneOf(_) | Want::Text { .. } | Want::Mark => format!("  ({})", field.hint),
    };
    if width(&field.label) + width(&hint) <= columns {
        line.push((hint, if matches!(field.want, Want::Phrase(_)) { Role::HazardDataLoss } else { Role::Dim }));
    }
    vec![line]
}

fn value_line(field: &crate::tui::dialog::Field, focused: bool) -> Line {
    let sign = if field.satisfied() { ("✔ ", Role::Ok) } else { ("> ", Role::Dim) };
    let mut line = vec![(sign.0.to_owned(), sign.1), (field.value.clone(), Role::Input)];
    if focused {
        line.push(("▏".to_owned(), Role::Accent));
    }
    line
}

/// The last line: what voids it, what is missing, or the chord that sends it.
fn ending(state: &State, dialog: &Dialog) -> (String, Role) {
    let keys =
        |command: Command| state.keymap.keys_of(Context::Dialog, command).unwrap_or_else(|| "(no key)".to_owned());
    let cancel = format!("{} cancels", keys(Command::Back));
    if let Some(void) = &dialog.void {
        return (void.to_string(), Role::Error);
    }
    if let Some(note) = dialog.note {
        return (format!("{note}    {cancel}"), Role::Warning);
    }
    if let Some(missing) = dialog.missing() {
        return (format!("{missing}    {} next    {cancel}", keys(Command::Submit)), Role::Dim);
    }
    let send = keys(Command::Send);
    if dialog.reads_chord('\u{0}') {
        (format!("then  {send}  sends it    {cancel}"), Role::Armed)
    } else {
        (format!("{} when it is right, then  {send}    {cancel}", keys(Command::Submit)), Role::Accent)
    }
}
