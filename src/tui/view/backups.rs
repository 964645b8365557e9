//! Backup, copy and restore jobs: what failed, what is late, what runs, and the success rate against its target.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Line, put_line, put_table, put_title};
use crate::{
    theme::Role,
    tui::{state::State, tables::backups, words},
};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect) {
    let totals = &state.summary.backups;
    let [backup, copy, restore] = totals.by_kind;
    let mut head: Line = vec![("last 24 h".to_owned(), Role::Dim)];
    match totals.success() {
        None => head.push(("success unknown".to_owned(), Role::VerdictUnknown)),
        Some(share) => {
            let (glyph, role) =
                if share >= backups::SUCCESS_TARGET { ("●", Role::Ok) } else { ("✖", Role::VerdictBreached) };
            let said = format!(
                "success {} / {} {glyph}",
                words::share(Some(share)),
                words::share(Some(backups::SUCCESS_TARGET))
            );
            head.push((said, role));
        }
    }
    if totals.late > 0 {
        head.push((format!("expected but not seen: {}", totals.late), Role::Error));
    }
    head.push((format!("backup {backup}  copy {copy}  restore {restore}"), Role::Text));
    put_title(buffer, state, area, "BACKUPS", &head);
    let gaps = totals.gaps.len().min(4) as u16;
    for (row, (text, role)) in totals.gaps.iter().take(4).enumerate() {
        put_line(buffer, &state.styles, area, row as u16 + 1, &vec![(format!("   ? {text}"), *role)]);
    }
    let table = Rect { y: area.y + 1 + gaps, height: area.height.saturating_sub(1 + gaps), ..area };
    let empty = if totals.gaps.is_empty() && !state.picture.snapshot.jobs.is_empty() {
        "no job in the last 24 h"
    } else {
        "no list of jobs was read yet"
    };
    put_table(buffer, state, table, empty);
}
