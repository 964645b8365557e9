//! A table that builds only the rows on screen: its cost does not grow with the number of rows (console notes:
//! ratatui's own table does).

use std::{borrow::Cow, time::Duration};

use ratatui::{buffer::Buffer, layout::Rect};

use super::paint::{Pen, Styles, cut, cut_middle, tint, width};
use crate::{domain::Timestamp, theme::Role, tui::words};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// One column: it is dropped on a narrow screen when its `rank` is high, and grows up to `most` on a wide one.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    pub least: u16,
    pub most: u16,
    pub align: Align,
    /// 0 = never dropped.
    pub rank: u8,
    pub keeps: Keeps,
}

/// What stays of a text that is longer than its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    Beginning,
    /// Both ends: for names that begin alike.
    Ends,
}

impl Column {
    #[must_use]
    pub const fn left(title: &'static str, least: u16, most: u16, rank: u8) -> Self {
        Self { title, least, most, align: Align::Left, rank, keeps: Keeps::Beginning }
    }

    #[must_use]
    pub const fn right(title: &'static str, least: u16, most: u16, rank: u8) -> Self {
        Self { title, least, most, align: Align::Right, rank, keeps: Keeps::Beginning }
    }

    #[must_use]
    pub const fn keeping_ends(self) -> Self {
        Self { keeps: Keeps::Ends, ..self }
    }
}

/// Text formatted once per picture, or an age that is told when it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct CellText {
    pub said: Said,
    pub role: Role,
    /// What to sort by when it is not the text.
    pub key: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Text(String),
    /// How long ago; drawn stale beyond the budget, `-` when it never was.
    Ago {
        at: Option<Timestamp>,
        budget: Duration,
    },
}

impl CellText {
    #[must_use]
    pub fn new(text: impl Into<String>, role: Role) -> Self {
        Self { said: Said::Text(text.into()), role, key: None }
    }

    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(text, Role::Text)
    }

    #[must_use]
    pub fn dim(text: impl Into<String>) -> Self {
        Self::new(text, Role::Dim)
    }

    #[must_use]
    pub const fn ago(at: Option<Timestamp>, budget: Duration) -> Self {
        Self { said: Said::Ago { at, budget }, role: Role::Age, key: None }
    }

    #[must_use]
    pub fn sorted_by(mut self, key: f64) -> Self {
        self.key = Some(key);
        self
    }

    /// Missing sorts as worst: above everything.
    #[must_use]
    pub fn sorted_by_duration(self, key: Option<Duration>) -> Self {
        self.sorted_by(key.map_or(f64::MAX, |d| d.as_secs_f64()))
    }
}

/// Where each column stands: `(x offset, width)`, `None` for one that was dropped.
#[must_use]
pub fn fit(columns: &[Column], room: u16) -> Vec<Option<(u16, u16)>> {
    const GAP: u16 = 2;
    const READABLE: u16 = 40;
    const SENTENCE: u16 = 80;
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let need = |kept: &[usize]| -> u16 {
        kept.iter().map(|n| columns[*n].least).sum::<u16>() + GAP * (kept.len() as u16).saturating_sub(1)
    };
    while need(&kept) > room {
        let Some(worst) = kept.iter().copied().filter(|n| columns[*n].rank > 0).max_by_key(|n| columns[*n].rank) else {
            break;
        };
        kept.retain(|n| *n != worst);
    }
    let mut spare = room.saturating_sub(need(&kept));
    let mut widths: Vec<u16> = columns.iter().map(|column| column.least).collect();
    // The last column says why, in words: it grows to a readable width before the other columns that are never dropped,
    // to a whole sentence before the rest, and takes what is left in the end.
    let last = kept.last().copied();
    let mut by_rank: Vec<usize> = kept.iter().copied().filter(|n| Some(*n) != last).collect();
    by_rank.sort_by_key(|n| columns[*n].rank);
    let (first, others): (Vec<usize>, Vec<usize>) = by_rank.into_iter().partition(|n| columns[*n].rank == 0);
    let whole = |n: usize| (n, columns[n].most);
    let words = |most: u16| last.map(|n| (n, columns[n].most.min(most))).into_iter();
    let grown = words(READABLE).chain(first.into_iter().map(whole)).chain(words(SENTENCE));
    for (n, most) in grown.chain(others.into_iter().map(whole)).chain(words(u16::MAX)) {
        let grow = spare.min(most.saturating_sub(widths[n]));
        widths[n] += grow;
        spare -= grow;
    }
    let mut x = 0;
    columns
        .iter()
        .enumerate()
        .map(|(n, _)| {
            if !kept.contains(&n) {
                return None;
            }
            let place = (x, widths[n].min(room.saturating_sub(x)));
            x = x.saturating_add(widths[n] + GAP);
            Some(place)
        })
        .collect()
}

/// First row on screen: the selected one stays near the middle, so that what surrounds it is seen.
#[must_use]
pub const fn window(selected: usize, height: usize, rows: usize) -> usize {
    let half = height / 2;
    let top = selected.saturating_sub(half);
    let last_top = rows.saturating_sub(height);
    if top < last_top { top } else { last_top }
}

/// How a table stands now.
#[derive(Clone, Copy, Debug)]
pub struct TableView {
    pub selected: usize,
    pub sort: Option<(usize, Direction)>,
    /// Columns scrolled to the right.
    pub shift: u16,
    pub now: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Up,
    Down,
}

/// Draws the head and the visible rows; `row(n)` gives the cells of the `n`th row shown.
pub fn draw<'r>(
    buffer: &mut Buffer,
    styles: &Styles,
    area: Rect,
    columns: &[Column],
    rows: usize,
    table: TableView,
    row: impl Fn(usize) -> &'r [CellText],
) {
    const MARK: u16 = 2;
    if area.height == 0 || area.width <= MARK {
        return;
    }
    let body = Rect { x: area.x + MARK, width: area.width - MARK, ..area };
    let places = fit(columns, body.width);
    for (n, (column, place)) in columns.iter().zip(&places).enumerate() {
        let Some((x, w)) = *place else { continue };
        let arrow = match table.sort {
            Some((sorted, Direction::Up)) if sorted == n => "↑",
            Some((sorted, Direction::Down)) if sorted == n => "↓",
            _ => "",
        };
        let title = format!("{}{arrow}", column.title);
        put_cell(buffer, styles, Rect { x: body.x + x, width: w, ..body }, 0, &title, Role::Header, column.align);
    }
    let height = usize::from(area.height - 1);
    let top = window(table.selected, height, rows);
    for line in 0..height.min(rows.saturating_sub(top)) {
        let n = top + line;
        let cells = row(n);
        let y = line as u16 + 1;
        for ((cell, column), place) in cells.iter().zip(columns).zip(&places) {
            let Some((x, w)) = *place else { continue };
            let room = Rect { x: body.x + x, width: w, ..body };
            match &cell.said {
                Said::Text(text) => {
                    let text = if column.rank == 0 && table.shift > 0 && column.align == Align::Left && w > 20 {
                        shifted(text, table.shift)
                    } else {
                        text.as_str()
                    };
                    let text = if column.keeps == Keeps::Ends { cut_middle(text, w) } else { Cow::Borrowed(text) };
                    put_cell(buffer, styles, room, y, &text, cell.role, column.align);
                }
                Said::Ago { at: None, .. } => {
                    put_cell(buffer, styles, room, y, "-", Role::VerdictUnknown, column.align);
                }
                Said::Ago { at: Some(at), budget } => {
                    let age = table.now.since(*at);
                    let role = if age > *budget { Role::Stale } else { cell.role };
                    put_cell(buffer, styles, room, y, &words::age(age), role, column.align);
                }
            }
        }
        if n == table.selected {
            let whole = Rect { y: area.y + y, height: 1, ..area };
            Pen::new(buffer, styles, area, y).put("▸", Role::Accent);
            tint(buffer, styles, whole, Role::Selection);
        }
    }
}

fn shifted(text: &str, columns: u16) -> &str {
    text.char_indices().nth(usize::from(columns)).map_or("", |(at, _)| &text[at..])
}

fn put_cell(buffer: &mut Buffer, styles: &Styles, room: Rect, y: u16, text: &str, role: Role, align: Align) {
    let mut pen = Pen::new(buffer, styles, room, y);
    match align {
        Align::Left => pen.put(text, role),
        Align::Right => {
            let text = cut(text, room.width);
            let gap = room.width.saturating_sub(width(&text));
            pen.gap(gap).put(&text, role)
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] =
        [Column::left("A", 10, 20, 0), Column::left("B", 10, 10, 2), Column::left("C", 10, 99, 1)];

    #[test]
    fn the_least_important_column_is_dropped_first_and_the_rest_use_the_room() {
        let places = fit(&COLUMNS, 25);
        assert_eq!(places, [Some((0, 10)), None, Some((12, 13))]);
        assert_eq!(fit(&COLUMNS, 60).iter().flatten().count(), 3);
    }

    #[test]
    fn the_selected_row_is_always_inside_the_window() {
        for rows in [0_usize, 1, 5, 100] {
            for height in [0_usize, 1, 2, 7, 200] {
                for selected in 0..rows {
                    let top = window(selected, height, rows);
                    assert!(height == 0 || (top <= selected && selected < top + height), "{rows} {height} {selected}");
                }
            }
        }
    }
}
