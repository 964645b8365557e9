//! What is wrong in a file: where, what, and what to do about it. Shared by estate, runbook, scenario, theme
//! and keymap files, so that all of them fail in the same words.
//!
//! A diagnostic is data; [`render`] makes the text with a caret under the mistake.

use std::{fmt, ops::Range, sync::Arc};

/// Whether loading stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `check` exits 1, the console does not start.
    Error,
    /// `check` prints it and exits 0; the board shows it.
    Warning,
}

/// One file's name and text, shared by its diagnostics.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As the person named it, e.g. `estates/demo-bank/estate.toml`.
    pub name: String,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub level: Level,
    /// Stable word, e.g. `unknown-key`.
    pub code: &'static str,
    pub file: Arc<SourceFile>,
    /// Bytes of the file.
    pub span: Range<usize>,
    /// What is wrong, without the place.
    pub message: String,
    /// What to do next: `did you mean "recovery"?`
    pub help: Option<String>,
}

impl Diagnostic {
    /// Line and column, both from 1, the column in characters.
    #[must_use]
    pub fn position(&self) -> (usize, usize) {
        let text = &self.file.text;
        let mut start = self.span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        (line, column)
    }

    /// `estate.toml:41:7`
    #[must_use]
    pub fn place(&self) -> String {
        let (line, column) = self.position();
        format!("{}:{line}:{column}", self.file.name)
    }
}

impl fmt::Display for Diagnostic {
    /// One line: `estate.toml:41:7: error[unknown-key]: … (help: …)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        // Names and messages quote the file, which may hold escape sequences.
        let safe = |text: &str| super::text::SafeText::new(text);
        write!(f, "{}: {level}[{}]: {}", safe(&self.place()), self.code, safe(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, " (help: {})", safe(help))?;
        }
        Ok(())
    }
}

/// The diagnostic with its line of the file and a caret, plain text.
#[must_use]
pub fn render(diagnostic: &Diagnostic) -> String {
    use annotate_snippets::{AnnotationKind, Group, Level as Shown, Renderer, Snippet};

    let level = match diagnostic.level {
        Level::Error => Shown::ERROR,
        Level::Warning => Shown::WARNING,
    };
    let text = &diagnostic.file.text;
    let start = diagnostic.span.start.min(text.len());
    let end = diagnostic.span.end.clamp(start, text.len());
    let snippet = Snippet::source(text.as_str())
        .path(diagnostic.file.name.as_str())
        .fold(true)
        .annotation(AnnotationKind::Primary.span(start..end));
    let mut group: Group<'_> = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code).element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Shown::HELP.message(help.as_str()));
    }
    // The file's own text may hold escape sequences: every line passes SafeText.
    Renderer::plain()
        .render(&[group])
        .lines()
        .map(|line| super::text::SafeText::new(line).to_string())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The nearest of `known` to what was written, when it is near enough to be a slip.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(written.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
