//! A wave before anything happens: role, marks, the list in the order of dependencies, loss and estimate per app.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{line, put_line, put_table, put_title};
use crate::{
    domain::time::{short, short_up},
    keymap::{Command, Context},
    runbook::wave::Loss,
    theme::Role,
    tui::{state::State, wave, widgets::Pen},
};

/// Below it the counts of what does not go well come before whole words.
const NARROW: u16 = 100;

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect) {
    let Some(pane) = &state.wave else {
        Pen::new(buffer, &state.styles, area, 0).gap(1).put("no wave is put together", Role::Dim);
        return;
    };
    let target = pane.shown().map_or_else(String::new, |wave| {
        let names: Vec<String> = wave.bound.iter().map(|bound| bound.name.to_uppercase()).collect();
        format!(" → {}", names.join(" + "))
    });
    let head = vec![
        (format!("{}{target}", pane.role), Role::Title),
        (format!("{} of {} apps", pane.marked.len(), wave::candidates(&state.estate, &pane.role).len()), Role::Text),
        (format!("at most {} at a time", pane.parallel_max), Role::Text),
    ];
    put_title(buffer, state, area, "WAVE", &head);
    let roles: Vec<String> = wave::roles(&state.estate);
    let mut choose = vec![("   role: ".to_owned(), Role::Dim)];
    for role in roles {
        let chosen = role == pane.role;
        choose.push((format!("{role}  "), if chosen { Role::Accent } else { Role::Dim }));
    }
    put_line(buffer, &state.styles, area, 1, &choose);
    let table = Rect { y: area.y + 2, height: area.height.saturating_sub(4), ..area };
    put_table(buffer, state, table, "no app has a runbook of that role");
    let last = area.height.saturating_sub(2);
    let keys = |command| state.keymap.keys_of(Context::Wave, command).unwrap_or_else(|| "(no key)".to_owned());
    let (first, second) = match (&pane.asked, &pane.planned) {
        (Some(_), _) => (line(" being planned against what was read last", Role::Accent), Vec::new()),
        (None, None) => (line(" no app is marked", Role::Dim), Vec::new()),
        (None, Some(Err(why))) => (line(format!(" no wave: {why}"), Role::Error), Vec::new()),
        (None, Some(Ok(wave))) => {
            let lost = wave.accepts.map(short);
            let (go, back) = (wave.items.len(), short_up(wave.takes()));
            let head = match (lost, area.width < NARROW) {
                (Some(lost), true) => format!(" {go} go, back in {back}, up to {lost}"),
                (None, true) => format!(" {go} go, back in {back}, no loss named"),
                (Some(lost), false) => format!(" {go} apps go, the last is back in {back}   may lose up to {lost}"),
                (None, false) => format!(" {go} apps go, the last is back in {back}   no loss is named"),
            };
            let mut first = line(head, Role::Text);
            let unbounded = wave.items.iter().filter(|item| item.loss == Loss::Unbounded).count();
            if unbounded > 0 {
                first.push((format!("  {unbounded} NOT BOUNDED"), Role::Error));
            }
            let missed = wave.items.iter().filter(|item| item.plan.missed_by(item.back).is_some()).count();
            if missed > 0 {
                first.push((format!("  {missed} ✖ miss RTO"), Role::VerdictBreached));
            }
            if !wave.left_out.is_empty() {
                first.push((format!("  {} LEFT OUT", wave.left_out.len()), Role::Warning));
            }
            let second = vec![
                (format!(" {} ", keys(Command::Declare)), Role::Key),
                (format!("declares it (a dialog) with one phrase: {}", wave.phrase()), Role::KeyDesc),
            ];
            (first, second)
        }
    };
    put_line(buffer, &state.styles, area, last, &first);
    put_line(buffer, &state.styles, area, last + 1, &second);
}
