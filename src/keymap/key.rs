//! One key as people write it: `g`, `G`, `ctrl-c`, `enter`, `shift-tab`, `f1`. No terminal library here.

use std::fmt;

/// A key with its modifiers, in one normal form: a character carries its own shift (`G`, never `shift-g`), a
/// character with ctrl is lower case (terminals cannot tell `ctrl-c` from `ctrl-shift-c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub code: KeyCode,
    pub ctrl: bool,
    pub alt: bool,
    pub shift: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyCode {
    /// The character itself; the space bar is `' '`.
    Char(char),
    Enter,
    Esc,
    /// Back-tab is `Tab` with shift.
    Tab,
    Backspace,
    Delete,
    Insert,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
    /// 1..=12.
    F(u8),
}

const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("space", KeyCode::Char(' ')),
    ("minus", KeyCode::Char('-')),
];

/// Why a key could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a key is one character, or a name like \"enter\", \"esc\", \"space\", \"ctrl-c\", \"f1\"")]
    Unknown,
    #[error("terminals cannot tell it from \"{0}\"")]
    SameAs(&'static str),
    #[error("write the character that shift gives, like \"G\" or \"?\"")]
    ShiftedCharacter,
}

impl Key {
    #[must_use]
    pub const fn plain(code: KeyCode) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    #[must_use]
    pub const fn char(ch: char) -> Self {
        Self::plain(KeyCode::Char(ch))
    }

    #[must_use]
    pub const fn ctrl(ch: char) -> Self {
        Self { code: KeyCode::Char(ch.to_ascii_lowercase()), ctrl: true, alt: false, shift: false }
    }

    /// The normal form of what a terminal reports.
    #[must_use]
    pub const fn normal(self) -> Self {
        match self.code {
            KeyCode::Char(ch) if self.ctrl => {
                Self { code: KeyCode::Char(ch.to_ascii_lowercase()), shift: false, ..self }
            }
            KeyCode::Char(_) => Self { shift: false, ..self },
            _ => self,
        }
    }

    /// Whether it would type a character into an input line.
    #[must_use]
    pub const fn types_text(self) -> bool {
        matches!(self.code, KeyCode::Char(_)) && !self.ctrl && !self.alt
    }

    /// Reads what [`fmt::Display`] prints.
    ///
    /// # Errors
    /// [`KeyError`] says how to write it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut rest = text;
        let mut key = Self::plain(KeyCode::Esc);
        loop {
            if let Some(tail) = rest.strip_prefix("ctrl-").filter(|_| !key.ctrl) {
                key.ctrl = true;
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix("alt-").filter(|_| !key.alt) {
                key.alt = true;
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix("shift-").filter(|_| !key.shift) {
                key.shift = true;
                rest = tail;
            } else {
                break;
            }
        }
        key.code = code(rest)?;
        if key.shift && matches!(key.code, KeyCode::Char(_)) {
            return Err(KeyError::ShiftedCharacter);
        }
        let key = key.normal();
        if key.ctrl {
            // The control characters are these keys' bytes (console notes; XTerm's ctlseqs).
            match key.code {
                KeyCode::Char('i') => return Err(KeyError::SameAs("tab")),
                KeyCode::Char('m') => return Err(KeyError::SameAs("enter")),
                KeyCode::Char('[') => return Err(KeyError::SameAs("esc")),
                KeyCode::Char('h') => return Err(KeyError::SameAs("backspace")),
                _ => {}
            }
        }
        Ok(key)
    }
}

fn code(text: &str) -> Result<KeyCode, KeyError> {
    let mut chars = text.chars();
    if let (Some(ch), None) = (chars.next(), chars.next()) {
        let shown_plainly = !ch.is_control() && !ch.is_whitespace() && ch != '-';
        return if shown_plainly { Ok(KeyCode::Char(ch)) } else { Err(KeyError::Unknown) };
    }
    if let Some((_, code)) = NAMED.iter().find(|(name, _)| *name == text) {
        return Ok(*code);
    }
    match text.strip_prefix('f').and_then(|n| n.parse::<u8>().ok()) {
        Some(n @ 1..=12) if text == format!("f{n}") => Ok(KeyCode::F(n)),
        _ => Err(KeyError::Unknown),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, name) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if held {
                f.write_str(name)?;
            }
        }
        match (NAMED.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(ch)) => write!(f, "{ch}"),
            (None, KeyCode::F(n)) => write!(f, "f{n}"),
            (None, other) => unreachable!("{other:?} has a name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_printed_as_they_are_written() {
        for text in [
            "g",
            "G",
            "!",
            "?",
            "/",
            "ctrl-c",
            "alt-x",
            "ctrl-alt-delete",
            "shift-tab",
            "enter",
            "esc",
            "space",
            "minus",
            "ctrl-minus",
            "f1",
            "f12",
            "pageup",
            "left",
        ] {
            assert_eq!(Key::parse(text).map(|key| key.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_a_terminal_cannot_send_is_refused() {
        assert_eq!(Key::parse("ctrl-i"), Err(KeyError::SameAs("tab")));
        assert_eq!(Key::parse("ctrl-m"), Err(KeyError::SameAs("enter")));
        assert_eq!(Key::parse("shift-g"), Err(KeyError::ShiftedCharacter));
        for text in ["", "-", "f13", "f01", "ctrl-", "ctrl-ctrl-c", "return", " ", "\u{7}"] {
            assert_eq!(Key::parse(text), Err(KeyError::Unknown), "{text:?}");
        }
    }

    #[test]
    fn a_reported_key_takes_its_normal_form() {
        let reported = Key { code: KeyCode::Char('G'), ctrl: false, alt: false, shift: true };
        assert_eq!(reported.normal(), Key::char('G'));
        let reported = Key { code: KeyCode::Char('C'), ctrl: true, alt: false, shift: true };
        assert_eq!(reported.normal(), Key::ctrl('c'));
    }
}
