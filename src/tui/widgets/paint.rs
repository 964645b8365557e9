//! Roles to terminal styles, and the one way in which text gets into cells.
//!
//! Every piece of text passes [`Pen::put`], which lets nothing through that [`SafeText`] would not: a screen that
//! forgot to sanitise a resource name still cannot drive the operator's terminal.

use std::borrow::Cow;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};

use crate::{
    domain::SafeText,
    theme::{self, Role, Theme},
};

/// A theme, resolved to terminal styles once.
#[derive(Clone, Debug)]
pub struct Styles(Vec<Style>);

impl Styles {
    #[must_use]
    pub fn of(theme: &Theme) -> Self {
        Self(Role::ALL.iter().map(|role| style(theme.style(*role))).collect())
    }

    #[must_use]
    pub fn get(&self, role: Role) -> Style {
        self.0[role as usize]
    }
}

fn style(from: theme::Style) -> Style {
    let mut style = Style::new();
    if let Some(fg) = from.fg {
        style = style.fg(colour(fg));
    }
    if let Some(bg) = from.bg {
        style = style.bg(colour(bg));
    }
    for (on, modifier) in [
        (from.bold, Modifier::BOLD),
        (from.dim, Modifier::DIM),
        (from.italic, Modifier::ITALIC),
        (from.underline, Modifier::UNDERLINED),
        (from.reverse, Modifier::REVERSED),
    ] {
        if on {
            style = style.add_modifier(modifier);
        }
    }
    style
}

const fn colour(from: theme::Color) -> Color {
    match from {
        theme::Color::Terminal => Color::Reset,
        theme::Color::Ansi(n) | theme::Color::Indexed(n) => Color::Indexed(n),
        theme::Color::Rgb(r, g, b) => Color::Rgb(r, g, b),
    }
}

/// Text as it may go into cells.
#[must_use]
pub fn safe(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Cow::Borrowed(text);
    }
    let safe = SafeText::new(text);
    if safe.as_str() == text { Cow::Borrowed(text) } else { Cow::Owned(safe.as_str().to_owned()) }
}

/// Columns that text takes.
#[must_use]
pub fn width(text: &str) -> u16 {
    if text.is_ascii() {
        return u16::try_from(text.len()).unwrap_or(u16::MAX);
    }
    u16::try_from(unicode_width::UnicodeWidthStr::width(text)).unwrap_or(u16::MAX)
}

/// Text cut to `columns`, with `…` where something is missing.
#[must_use]
pub fn cut(text: &str, columns: u16) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut out = String::with_capacity(usize::from(columns) + 3);
    let mut used = 0;
    for ch in text.chars() {
        let wide = unicode_width::UnicodeWidthChar::width(ch).unwrap_or(0) as u16;
        if used + wide > columns - 1 {
            break;
        }
        used += wide;
        out.push(ch);
    }
    out.push('…');
    Cow::Owned(out)
}

/// Text cut to `columns` in its middle: of names that begin alike the end tells them apart.
#[must_use]
pub fn cut_middle(text: &str, columns: u16) -> Cow<'_, str> {
    if width(text) <= columns || columns < 3 {
        return cut(text, columns);
    }
    let (mut end, mut used) = (text.len(), 0);
    for (at, ch) in text.char_indices().rev() {
        used += unicode_width::UnicodeWidthChar::width(ch).unwrap_or(0) as u16;
        if used > columns * 2 / 3 {
            break;
        }
        end = at;
    }
    let tail = &text[end..];
    let head = cut(text, columns - width(tail));
    Cow::Owned(format!("{head}{tail}"))
}

/// Text broken into lines of at most `columns`, at spaces where there are any.
#[must_use]
pub fn wrap(text: &str, columns: u16) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        loop {
            let gap = u16::from(!line.is_empty());
            if width(&line) + gap + width(word) <= columns {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(word);
                break;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                continue;
            }
            if columns < 2 {
                break;
            }
            let head: String = word.chars().take(usize::from(columns / 2).max(1)).collect();
            word = &word[head.len()..];
            lines.push(head);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Writes text on one line, left to right, never past its right edge.
pub struct Pen<'a> {
    buffer: &'a mut Buffer,
    styles: &'a Styles,
    x: u16,
    y: u16,
    right: u16,
}

impl<'a> Pen<'a> {
    /// On the `row`th line of `area`; a row outside of it takes nothing.
    #[must_use]
    pub fn new(buffer: &'a mut Buffer, styles: &'a Styles, area: Rect, row: u16) -> Self {
        let area = area.intersection(buffer.area);
        let inside = row < area.height;
        Self {
            buffer,
            styles,
            x: area.x,
            y: if inside { area.y + row } else { area.y },
            right: if inside { area.right() } else { area.x },
        }
    }

    #[must_use]
    pub const fn left(&self) -> u16 {
        self.right.saturating_sub(self.x)
    }

    #[must_use]
    pub const fn x(&self) -> u16 {
        self.x
    }

    /// Writes what fits, with `…` when something did not.
    pub fn put(&mut self, text: &str, role: Role) -> &mut Self {
        let columns = self.left();
        if columns == 0 || text.is_empty() {
            return self;
        }
        let text = safe(text);
        let text = cut(&text, columns);
        let (x, _) = self.buffer.set_stringn(self.x, self.y, &text, usize::from(columns), self.styles.get(role));
        self.x = x.min(self.right);
        self
    }

    /// Writes only when all of it fits.
    pub fn put_whole(&mut self, text: &str, role: Role) -> &mut Self {
        if width(text) <= self.left() {
            self.put(text, role);
        }
        self
    }

    pub fn gap(&mut self, columns: u16) -> &mut Self {
        self.x = (self.x + columns).min(self.right);
        self
    }

    /// Moves to `column` of the area, never back over what is written.
    pub fn to(&mut self, column: u16) -> &mut Self {
        self.x = column.max(self.x).min(self.right);
        self
    }

    /// Text that ends at the right edge, if it fits.
    pub fn put_right(&mut self, text: &str, role: Role) -> &mut Self {
        let columns = width(text);
        if columns <= self.left() {
            self.x = self.right - columns;
            self.put(text, role);
        }
        self
    }
}

/// A frame with a title, and the area inside of it.
pub fn boxed(buffer: &mut Buffer, styles: &Styles, area: Rect, title: &str, border: Role) -> Rect {
    let area = area.intersection(buffer.area);
    if area.width < 2 || area.height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    let line = "─".repeat(usize::from(area.width - 2));
    Pen::new(buffer, styles, area, 0).put("╭", border).put(&line, border).put("╮", border);
    Pen::new(buffer, styles, area, area.height - 1).put("╰", border).put(&line, border).put("╯", border);
    for row in 1..area.height - 1 {
        Pen::new(buffer, styles, area, row).put("│", border);
        let right = Rect { x: area.right() - 1, width: 1, ..area };
        Pen::new(buffer, styles, right, row).put("│", border);
    }
    if !title.is_empty() && area.width > 6 {
        let room = Rect { x: area.x + 1, width: area.width - 2, ..area };
        let cut_title = cut(title, area.width - 4).into_owned();
        Pen::new(buffer, styles, room, 0).put(" ", border).put(&cut_title, Role::Title).put(" ", border);
    }
    Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 }
}

/// Puts the style of a role over an area, text kept.
pub fn tint(buffer: &mut Buffer, styles: &Styles, area: Rect, role: Role) {
    let area = area.intersection(buffer.area);
    buffer.set_style(area, styles.get(role));
}

/// Empties an area for something that lies over it.
pub fn clear(buffer: &mut Buffer, styles: &Styles, area: Rect) {
    let area = area.intersection(buffer.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buffer[(x, y)].reset();
        }
    }
    buffer.set_style(area, styles.get(Role::Text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_does_not_fit_says_so() {
        assert_eq!(cut("replication", 5), "repl…");
        assert_eq!(cut("ok", 5), "ok");
        assert_eq!(cut("日本語", 4), "日…");
    }

    #[test]
    fn names_that_begin_alike_are_told_apart_by_their_end() {
        assert_eq!(cut_middle("payments-failover", 14), "paym…-failover");
        assert_eq!(cut_middle("payments-failback", 14), "paym…-failback");
        assert_eq!(cut_middle("payments", 14), "payments");
        for columns in 0..20 {
            assert!(width(&cut_middle("日本語-failover", columns)) <= columns, "{columns}");
        }
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_are_broken_somewhere() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert!(wrap("abcdefghijkl", 5).iter().all(|line| line.len() <= 5));
        assert!(wrap("x y", 0).is_empty() || wrap("x y", 0).iter().all(String::is_empty));
    }

    #[test]
    fn nothing_that_drives_a_terminal_gets_into_a_cell() {
        let theme = Theme::bundled("default").expect("bundled");
        let styles = Styles::of(&theme);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 1));
        Pen::new(&mut buffer, &styles, Rect::new(0, 0, 20, 1), 0).put("a\u{1b}[31mb\u{202e}c", Role::Text);
        let drawn: String = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(drawn.trim_end(), "a␛[31mb\u{fffd}c");
    }
}
