//! A strict reader of TOML documents: every key is asked for or reported, every value has a place, and all
//! mistakes of a file are found in one reading.
//!
//! Readers ask a [`Table`] for the keys they know and finish with [`Table::done`], which reports the keys that
//! nobody asked for, with the nearest known one. Nothing is defaulted here: a reader that wants a default says
//! so at its call.

use std::{cell::RefCell, collections::BTreeSet, ops::Range, rc::Rc, sync::Arc, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    diagnostic::{Diagnostic, Level, SourceFile, nearest},
    time::{Timestamp, parse_duration},
};

/// Collects the diagnostics of one file while its tables are read.
#[derive(Clone, Debug)]
pub struct Report {
    file: Arc<SourceFile>,
    found: Rc<RefCell<Vec<Diagnostic>>>,
}

impl Report {
    #[must_use]
    pub fn new(file: Arc<SourceFile>) -> Self {
        Self { file, found: Rc::default() }
    }

    #[must_use]
    pub const fn file(&self) -> &Arc<SourceFile> {
        &self.file
    }

    pub fn error(&self, code: &'static str, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.push(Level::Error, code, span, message.into(), help);
    }

    pub fn warning(&self, code: &'static str, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.push(Level::Warning, code, span, message.into(), help);
    }

    fn push(&self, level: Level, code: &'static str, span: Range<usize>, message: String, help: Option<String>) {
        self.found.borrow_mut().push(Diagnostic { level, code, file: self.file.clone(), span, message, help });
    }

    /// Everything found so far, in the order of the file.
    #[must_use]
    pub fn take(&self) -> Vec<Diagnostic> {
        let mut found = std::mem::take(&mut *self.found.borrow_mut());
        found.sort_by_key(|d| d.span.start);
        found
    }
}

/// Parses the text; a syntax error is one diagnostic and no table.
#[must_use]
pub fn parse(file: &Arc<SourceFile>) -> (Option<Document<'_>>, Report) {
    let report = Report::new(file.clone());
    let document = match DeTable::parse(&file.text) {
        Ok(root) => Some(Document { root, report: report.clone() }),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            report.error("syntax", span, error.message().to_owned(), None);
            None
        }
    };
    (document, report)
}

/// A parsed file.
pub struct Document<'a> {
    root: Spanned<DeTable<'a>>,
    report: Report,
}

impl<'a> Document<'a> {
    #[must_use]
    pub fn root(&self) -> Table<'_, 'a> {
        Table::new(self.root.get_ref(), self.root.span(), "the file".to_owned(), self.report.clone())
    }
}

/// One table being read. `what` names it in messages, e.g. `app "payments"`.
pub struct Table<'d, 'a> {
    keys: &'d DeTable<'a>,
    span: Range<usize>,
    what: String,
    asked: RefCell<BTreeSet<String>>,
    report: Report,
}

/// A value with its place.
#[derive(Clone, Copy)]
pub struct Value<'d, 'a> {
    value: &'d Spanned<DeValue<'a>>,
}

impl<'d, 'a> Table<'d, 'a> {
    fn new(keys: &'d DeTable<'a>, span: Range<usize>, what: String, report: Report) -> Self {
        Self { keys, span, what, asked: RefCell::default(), report }
    }

    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Renames the table in later messages, once its id is known.
    pub fn call_it(&mut self, what: impl Into<String>) {
        self.what = what.into();
    }

    /// All keys, in the order of the file, with their places; marks them as asked for.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, Range<usize>, Value<'d, 'a>)> {
        let mut entries: Vec<_> = self
            .keys
            .iter()
            .map(|(key, value)| {
                self.asked.borrow_mut().insert(key.get_ref().to_string());
                (key.get_ref().to_string(), key.span(), Value { value })
            })
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }

    /// The value under `key`, if it is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'d, 'a>> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.keys.get(key).map(|value| Value { value })
    }

    /// The value under `key`; its absence is an error.
    #[must_use]
    pub fn need(&self, key: &str) -> Option<Value<'d, 'a>> {
        let value = self.get(key);
        if value.is_none() {
            self.report.error("missing-key", self.head(), format!("{} has no `{key}`", self.what), None);
        }
        value
    }

    /// The first line of the table, where a missing key is reported.
    fn head(&self) -> Range<usize> {
        let text = &self.report.file.text;
        let start = self.span.start.min(text.len());
        let end = text[start..].find('\n').map_or(text.len(), |n| start + n);
        start..end.min(self.span.end.max(start))
    }

    pub fn text(&self, key: &str) -> Option<(String, Range<usize>)> {
        self.get(key).and_then(|v| self.as_text(key, v))
    }

    pub fn need_text(&self, key: &str) -> Option<(String, Range<usize>)> {
        self.need(key).and_then(|v| self.as_text(key, v))
    }

    pub fn duration(&self, key: &str) -> Option<(Duration, Range<usize>)> {
        self.get(key).and_then(|v| self.as_duration(key, v))
    }

    pub fn flag(&self, key: &str) -> Option<(bool, Range<usize>)> {
        let value = self.get(key)?;
        match value.value.get_ref() {
            DeValue::Boolean(b) => Some((*b, value.span())),
            _ => self.wrong(key, value, "true or false"),
        }
    }

    pub fn integer(&self, key: &str) -> Option<(i64, Range<usize>)> {
        let value = self.get(key)?;
        match value.value.get_ref() {
            DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
                Ok(n) => Some((n, value.span())),
                Err(_) => self.wrong(key, value, "a whole number that fits 64 bits"),
            },
            _ => self.wrong(key, value, "a whole number"),
        }
    }

    pub fn number(&self, key: &str) -> Option<(f64, Range<usize>)> {
        let value = self.get(key)?;
        let parsed = match value.value.get_ref() {
            DeValue::Integer(n) => n.as_str().parse::<f64>().ok(),
            DeValue::Float(n) => n.as_str().parse::<f64>().ok(),
            _ => None,
        };
        match parsed {
            Some(n) => Some((n, value.span())),
            None => self.wrong(key, value, "a number"),
        }
    }

    pub fn timestamp(&self, key: &str) -> Option<(Timestamp, Range<usize>)> {
        let value = self.get(key)?;
        let text = match value.value.get_ref() {
            DeValue::Datetime(at) => at.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => String::new(),
        };
        match Timestamp::parse(&text) {
            Some(at) => Some((at, value.span())),
            None => self.wrong(key, value, "a time with zone, like 2026-11-08T10:00:00+05:30"),
        }
    }

    /// A table under `key`.
    #[must_use]
    pub fn table(&self, key: &str) -> Option<Table<'d, 'a>> {
        self.get(key).and_then(|v| self.as_table(key, v))
    }

    #[must_use]
    pub fn need_table(&self, key: &str) -> Option<Table<'d, 'a>> {
        self.need(key).and_then(|v| self.as_table(key, v))
    }

    /// An array of tables (`[[key]]`); absent = empty.
    #[must_use]
    pub fn tables(&self, key: &str) -> Vec<Table<'d, 'a>> {
        self.list(key).into_iter().filter_map(|v| self.as_table(key, v)).collect()
    }

    /// An array; absent = empty.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<Value<'d, 'a>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        match value.value.get_ref() {
            DeValue::Array(items) => items.iter().map(|value| Value { value }).collect(),
            _ => self.wrong(key, value, "a list").unwrap_or_default(),
        }
    }

    /// An array of text; absent = empty.
    #[must_use]
    pub fn texts(&self, key: &str) -> Vec<(String, Range<usize>)> {
        self.list(key).into_iter().filter_map(|v| self.as_text(key, v)).collect()
    }

    /// One of a closed set of words.
    pub fn word<T: Copy>(&self, key: &str, known: &[(&str, T)]) -> Option<(T, Range<usize>)> {
        let (text, span) = self.text(key)?;
        self.choose(key, &text, span, known)
    }

    pub fn need_word<T: Copy>(&self, key: &str, known: &[(&str, T)]) -> Option<(T, Range<usize>)> {
        let (text, span) = self.need_text(key)?;
        self.choose(key, &text, span, known)
    }

    /// Finds `text` among `known`, or reports it.
    pub fn choose<T: Copy>(
        &self,
        key: &str,
        text: &str,
        span: Range<usize>,
        known: &[(&str, T)],
    ) -> Option<(T, Range<usize>)> {
        if let Some((_, value)) = known.iter().find(|(word, _)| *word == text) {
            return Some((*value, span));
        }
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let help = nearest(text, words.iter().copied())
            .map_or_else(|| format!("one of: {}", words.join(", ")), |near| format!("did you mean \"{near}\"?"));
        self.report.error("unknown-word", span, format!("`{key} = \"{text}\"` is not known"), Some(help));
        None
    }

    pub fn as_text(&self, key: &str, value: Value<'d, 'a>) -> Option<(String, Range<usize>)> {
        match value.value.get_ref() {
            DeValue::String(text) => Some((text.to_string(), value.span())),
            _ => self.wrong(key, value, "text in quotes"),
        }
    }

    pub fn as_duration(&self, key: &str, value: Value<'d, 'a>) -> Option<(Duration, Range<usize>)> {
        let (text, span) = self.as_text(key, value)?;
        match parse_duration(&text) {
            Ok(duration) => Some((duration, span)),
            Err(error) => {
                self.report.error(
                    "bad-duration",
                    span,
                    format!("`{key} = \"{text}\"` is not a duration"),
                    Some(error.to_string()),
                );
                None
            }
        }
    }

    #[must_use]
    pub fn as_table(&self, key: &str, value: Value<'d, 'a>) -> Option<Table<'d, 'a>> {
        match value.value.get_ref() {
            DeValue::Table(table) => Some(Table::new(table, value.span(), format!("`{key}`"), self.report.clone())),
            _ => self.wrong(key, value, "a table"),
        }
    }

    /// Reports a value of the wrong shape.
    pub fn wrong<T>(&self, key: &str, value: Value<'d, 'a>, wanted: &str) -> Option<T> {
        let got = value.value.get_ref().type_str();
        self.report.error("wrong-type", value.span(), format!("`{key}` is {wanted}, not {got}"), None);
        None
    }

    /// Reports the keys that nobody asked for. Every table that is read ends with this.
    pub fn done(self) {
        let asked = self.asked.into_inner();
        for (key, _) in self.keys {
            let name = key.get_ref();
            if asked.contains(name.as_ref()) {
                continue;
            }
            let help = nearest(name, asked.iter().map(String::as_str)).map_or_else(
                || format!("known here: {}", asked.iter().cloned().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            self.report.error("unknown-key", key.span(), format!("{} has no key `{name}`", self.what), Some(help));
        }
    }
}

impl<'d, 'a> Value<'d, 'a> {
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.value.span()
    }

    #[must_use]
    pub fn raw(&self) -> &'d DeValue<'a> {
        self.value.get_ref()
    }
}
