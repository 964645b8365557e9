//! Cells to bytes: two buffers, their difference, one write.
//!
//! Ours and not `ratatui::Terminal`, because that writes cursor bytes for every frame even when nothing changed
//! (idle must cost nothing on a slow link), and asks the size of the terminal each time. Each frame is wrapped in
//! synchronized output (DEC 2026), so that no half of it is ever seen.

use std::io;

use ratatui::{
    backend::{Backend, CrosstermBackend},
    buffer::Buffer,
    layout::Rect,
};

use super::{state::State, view};

const SYNC_BEGIN: &[u8] = b"\x1b[?2026h";
const SYNC_END: &[u8] = b"\x1b[?2026l";
const CLEAR: &[u8] = b"\x1b[0m\x1b[2J";

/// What the terminal shows, as far as we know.
#[derive(Debug)]
pub struct Screen {
    shown: Buffer,
    next: Buffer,
    cursor: Option<(u16, u16)>,
    /// Nothing is known of the terminal's cells: all are written.
    forgotten: bool,
    bytes: Vec<u8>,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            shown: Buffer::empty(Rect::ZERO),
            next: Buffer::empty(Rect::ZERO),
            cursor: None,
            forgotten: true,
            bytes: Vec::with_capacity(16 * 1024),
        }
    }
}

impl Screen {
    /// After a suspend, a redraw command, or something else that wrote to the terminal.
    pub const fn forget(&mut self) {
        self.forgotten = true;
    }

    /// The bytes that bring the terminal up to date; empty when nothing changed.
    pub fn frame(&mut self, state: &State) -> io::Result<&[u8]> {
        let area = Rect::new(0, 0, state.size.0, state.size.1);
        self.bytes.clear();
        if self.next.area != area || self.forgotten {
            self.next = Buffer::empty(area);
            self.shown = Buffer::empty(area);
            self.forgotten = true;
        } else {
            self.next.reset();
        }
        let cursor = view(state, &mut self.next);
        self.bytes.extend_from_slice(SYNC_BEGIN);
        if self.forgotten {
            self.bytes.extend_from_slice(CLEAR);
        }
        let changes = self.shown.diff(&self.next);
        if changes.is_empty() && cursor == self.cursor && !self.forgotten {
            self.bytes.clear();
            return Ok(&self.bytes);
        }
        if !changes.is_empty() {
            CrosstermBackend::new(&mut self.bytes).draw(changes.into_iter())?;
        }
        match cursor {
            Some((x, y)) => self.bytes.extend_from_slice(format!("\x1b[{};{}H\x1b[?25h", y + 1, x + 1).as_bytes()),
            None if self.cursor.is_some() => self.bytes.extend_from_slice(b"\x1b[?25l"),
            None => {}
        }
        self.bytes.extend_from_slice(SYNC_END);
        self.cursor = cursor;
        self.forgotten = false;
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(&self.bytes)
    }
}

/// OSC 52: to the clipboard of the terminal, which may refuse it.
#[must_use]
pub fn copy_sequence(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = b"\x1b]52;c;".to_vec();
    for chunk in text.as_bytes().chunks(3) {
        let group = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let index = (group >> (18 - 6 * n)) & 63;
            out.push(if n > chunk.len() { b'=' } else { ALPHABET[index as usize] });
        }
    }
    out.push(0x07);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copied_text_is_base64() {
        assert_eq!(copy_sequence("Man"), b"\x1b]52;c;TWFu\x07");
        assert_eq!(copy_sequence("Ma"), b"\x1b]52;c;TWE=\x07");
        assert_eq!(copy_sequence("M"), b"\x1b]52;c;TQ==\x07");
    }
}
