//! One thing that a dialog asks for, and when it is what was asked.

use crate::domain::SafeText;

/// What a field takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// Anything of at least so many characters.
    Text { least: usize },
    /// One of these, whatever the case.
    OneOf(Vec<String>),
    /// Exactly this.
    Phrase(String),
    /// To be marked with `x` or the space bar.
    Mark,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub label: SafeText,
    pub hint: SafeText,
    pub want: Want,
    pub value: String,
}

/// The most characters a field takes: what an auditor reads on one line.
const FIELD_CHARS: usize = 200;

impl Field {
    pub(super) fn new(label: impl AsRef<str>, hint: impl AsRef<str>, want: Want) -> Self {
        Self { label: SafeText::new(label), hint: SafeText::new(hint), want, value: String::new() }
    }

    #[must_use]
    pub fn satisfied(&self) -> bool {
        let typed = self.value.trim();
        match &self.want {
            Want::Text { least } => typed.chars().count() >= *least,
            Want::OneOf(words) => words.iter().any(|word| word.eq_ignore_ascii_case(typed)),
            Want::Phrase(phrase) => typed == phrase,
            Want::Mark => self.value == "x",
        }
    }

    /// What it still lacks, in words that follow `missing: `.
    #[must_use]
    pub fn lacks(&self) -> Option<SafeText> {
        if self.satisfied() {
            return None;
        }
        let typed = self.value.trim();
        let count = typed.chars().count();
        Some(SafeText::new(match &self.want {
            Want::Text { least } if count > 0 => format!("{}, at least {least} characters ({count} typed)", self.label),
            Want::OneOf(words) if count > 0 => format!("\"{typed}\" is not it, type {}", words.join(" or ")),
            Want::Phrase(phrase) if count > 0 && !phrase.starts_with(typed) => {
                format!("\"{typed}\" is not it, type {phrase}")
            }
            _ => self.label.to_string(),
        }))
    }

    /// Whether typing is over once the field is satisfied: then a letter begins the sending chord.
    #[must_use]
    pub(super) const fn exact(&self) -> bool {
        matches!(self.want, Want::OneOf(_) | Want::Phrase(_))
    }

    /// Whether one more character could still lead to something it takes.
    pub(super) fn could_become(&self, ch: char) -> bool {
        let longer = format!("{}{ch}", self.value.trim_start()).to_lowercase();
        match &self.want {
            Want::OneOf(words) => words.iter().any(|word| word.to_lowercase().starts_with(&longer)),
            Want::Phrase(phrase) => phrase.to_lowercase().starts_with(&longer),
            Want::Text { .. } | Want::Mark => false,
        }
    }

    pub(in crate::tui) fn take(&mut self, ch: char) {
        if self.want == Want::Mark {
            if matches!(ch, 'x' | ' ') {
                self.value = if self.value.is_empty() { "x".to_owned() } else { String::new() };
            }
        } else if self.value.chars().count() < FIELD_CHARS {
            self.value.push_str(SafeText::new(ch.encode_utf8(&mut [0; 4])).as_str());
        }
    }
}
