//! [`SafeText`]: text from AWS, files or people that may go to a terminal, a log or a report.
//!
//! A resource name or an error message is not ours: it may hold escape sequences that drive the operator's
//! terminal (compare CVE-2021-25743), bidirectional overrides that reorder what is read, or be endless.
//! The sanitising happens once, where the text enters; afterwards the type says that it was done.

use std::{fmt, ops::Deref, sync::Arc};

use serde::{Serialize, Serializer};

/// The most characters kept; what is cut is marked with `…`.
pub const CHARS_MAX: usize = 600;

/// Text without control, bidirectional, zero-width or tag characters, at most [`CHARS_MAX`] long.
///
/// Replacements are visible: C0 controls become their Unicode pictures (`ESC` -> `␛`), newlines and tabs a
/// space, everything else that is unsafe `�`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SafeText(Arc<str>);

impl SafeText {
    #[must_use]
    pub fn new(raw: impl AsRef<str>) -> Self {
        let raw = raw.as_ref();
        if raw.len() <= CHARS_MAX && raw.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Self(Arc::from(raw)); // the common case, without a second buffer
        }
        let mut out = String::with_capacity(raw.len().min(CHARS_MAX * 4));
        for (n, ch) in raw.chars().enumerate() {
            if n == CHARS_MAX {
                out.push('…');
                break;
            }
            out.push(visible(ch));
        }
        Self(Arc::from(out))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn visible(ch: char) -> char {
    match ch {
        '\t' | '\n' | '\r' => ' ',
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + ch as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' // C1
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' // invisible fillers
        | '\u{180b}'..='\u{180f}' // Mongolian selectors and separator
        | '\u{200b}'..='\u{200f}' // zero width, direction marks
        | '\u{2028}'..='\u{202e}' // line and paragraph separators, embeddings, overrides
        | '\u{2060}'..='\u{206f}' // joiners, isolates
        | '\u{3164}' | '\u{ffa0}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' // variation selectors change the width a terminal gives
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e000}'..='\u{f8ff}' // private use: whatever the font says
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' // tags, supplementary selectors
        | '\u{f0000}'..='\u{10ffff}' => '\u{fffd}',
        _ => ch,
    }
}

impl Deref for SafeText {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl From<&str> for SafeText {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl From<String> for SafeText {
    fn from(raw: String) -> Self {
        Self::new(raw)
    }
}

impl Serialize for SafeText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for SafeText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What was stored may have been changed on disk: it is made safe again.
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_in_a_resource_name_becomes_visible_and_harmless() {
        assert_eq!(SafeText::new("db\u{1b}]0;owned\u{7}").as_str(), "db␛]0;owned␇");
        assert_eq!(SafeText::new("a\u{9b}31m").as_str(), "a\u{fffd}31m");
    }

    #[test]
    fn reordering_and_invisible_characters_do_not_survive() {
        for hostile in ["\u{202e}", "\u{2066}", "\u{200b}", "\u{feff}", "\u{e0041}", "\u{ad}"] {
            assert_eq!(SafeText::new(hostile).as_str(), "\u{fffd}", "{hostile:?}");
        }
    }

    #[test]
    fn ordinary_text_of_any_script_is_kept() {
        assert_eq!(SafeText::new("भुगतान – Zahlungen ✔").as_str(), "भुगतान – Zahlungen ✔");
    }

    #[test]
    fn endless_text_is_cut_and_says_so() {
        let cut = SafeText::new("x".repeat(5_000));
        assert_eq!(cut.chars().count(), CHARS_MAX + 1);
        assert!(cut.ends_with('…'));
    }
}
