//! `[[parameter]]` of a runbook, `[app.parameters.<runbook>]` of an app, and `with` of a nested runbook: what is
//! declared, what is bound, and whether the two fit. Also the `"$name"` by which a step refers to one.

use std::{cell::RefCell, collections::BTreeMap, ops::Range};

use toml::de::DeValue;

use super::{super::values, Candidates, Placed};
use crate::domain::{
    App, SafeText, Side,
    app::Param,
    diagnostic::nearest,
    document::{Report, Table, Value},
    time::parse_duration,
};
use crate::runbook::{
    bind,
    spec::{Hole, ParameterKind, ParameterSpec, Presence, Spot},
};

/// The words of `type = "…"`.
pub(in crate::estate) const TYPES: [&str; 7] = ["text", "duration", "number", "flag", "side", "component", "choice"];

/// A value as the file has it, before its type is known.
#[derive(Clone, Debug)]
pub(in crate::estate) enum Raw {
    Text(String),
    Number(f64),
    Flag(bool),
    /// What no parameter can be: the type's own word.
    Other(&'static str),
}

/// A value under a name, with its place.
#[derive(Clone)]
pub(in crate::estate) struct Written {
    pub name: Placed,
    pub value: Raw,
    pub span: Range<usize>,
    pub report: Report,
}

impl Written {
    pub(in crate::estate) fn all(table: &Table<'_, '_>) -> Vec<Self> {
        let one = |(name, name_span, value): (String, Range<usize>, Value<'_, '_>)| Self {
            name: (name, name_span),
            value: Raw::of(value),
            span: value.span(),
            report: table.report().clone(),
        };
        table.entries().into_iter().map(one).collect()
    }

    /// `"$name"`: the name.
    pub(super) fn reference(&self) -> Option<&str> {
        match &self.value {
            Raw::Text(text) => reference(text),
            _ => None,
        }
    }

    /// Whether a parameter of one type may be handed on as one of another.
    pub(super) fn may_pass(from: &ParameterKind, to: &ParameterKind) -> bool {
        match (from, to) {
            (ParameterKind::Component(from), ParameterKind::Component(to)) => from.iter().all(|kind| to.contains(kind)),
            (ParameterKind::Choice(from), ParameterKind::Choice(to)) => from.iter().all(|word| to.contains(word)),
            (ParameterKind::Choice(_), ParameterKind::Text) => true,
            _ => from == to,
        }
    }

    /// Reports a value that is not of the parameter's type. A component is looked for where there is an app.
    pub(in crate::estate) fn typed(&self, kind: &ParameterKind, app: Option<&App>) -> Option<Param> {
        match self.value.typed(&self.name.0, kind, app) {
            Ok(value) => Some(value),
            Err((code, message)) => {
                self.report.error(code, self.span.clone(), message, None);
                None
            }
        }
    }
}

impl Raw {
    fn of(value: Value<'_, '_>) -> Self {
        match value.raw() {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Boolean(flag) => Self::Flag(*flag),
            DeValue::Integer(n) => n.as_str().parse().map_or(Self::Other("integer"), Self::Number),
            DeValue::Float(n) => n.as_str().parse().map_or(Self::Other("float"), Self::Number),
            other => Self::Other(other.type_str()),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Other(word) => word,
        }
    }

    fn typed(&self, name: &str, kind: &ParameterKind, app: Option<&App>) -> Result<Param, (&'static str, String)> {
        let bad = |message: String| ("bad-value", message);
        match (kind, self) {
            (ParameterKind::Text, Self::Text(text)) if text.trim().is_empty() => Err(bad(format!("`{name}` is empty"))),
            (ParameterKind::Text, Self::Text(text)) => Ok(Param::Text(text.clone())),
            (ParameterKind::Duration, Self::Text(text)) => match parse_duration(text) {
                Ok(duration) => Ok(Param::Duration(duration)),
                Err(error) => Err(bad(format!("`{name} = \"{text}\"`: {error}"))),
            },
            (ParameterKind::Number, Self::Number(number)) if number.is_finite() => Ok(Param::Number(*number)),
            (ParameterKind::Number, Self::Number(_)) => Err(bad(format!("`{name}` is not a finite number"))),
            (ParameterKind::Flag, Self::Flag(flag)) => Ok(Param::Flag(*flag)),
            (ParameterKind::Side, Self::Text(text)) => match Side::BOTH.into_iter().find(|side| side.word() == text) {
                Some(side) => Ok(Param::Side(side)),
                None => Err(bad(format!("`{name} = \"{text}\"` is neither primary nor recovery"))),
            },
            (ParameterKind::Component(_), Self::Text(text)) => match app.map(|app| bind::fits(kind, text, app)) {
                None | Some(Ok(())) => Ok(Param::Text(text.clone())),
                Some(Err(why)) => Err(bad(format!("`{name}`: {why}"))),
            },
            (ParameterKind::Choice(of), Self::Text(text)) => {
                if of.iter().any(|word| word == text) {
                    Ok(Param::Text(text.clone()))
                } else {
                    Err(bad(format!("`{name} = \"{text}\"` is not one of: {}", of.join(", "))))
                }
            }
            _ => Err(("wrong-type", format!("`{name}` is a {}, not {}", kind.word(), self.word()))),
        }
    }
}

/// What a runbook declares.
#[derive(Clone, Default)]
pub(super) struct Declared {
    pub parameters: Vec<ParameterSpec>,
    /// Names of those that could not be read: reported once, not at each reference as well.
    pub unreadable: Vec<String>,
}

/// The `[[parameter]]` tables.
pub(super) fn declared(root: &Table<'_, '_>, component_kinds: &[&'static str]) -> Declared {
    let mut found = Declared::default();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for mut table in root.tables("parameter") {
        table.call_it("the parameter");
        let report = table.report().clone();
        let name = values::need_id(&table, "name");
        if let Some((name, _)) = &name {
            table.call_it(format!("parameter \"{name}\""));
        }
        let spec = declaration(table, name.as_ref().map(|(name, _)| name.as_str()), component_kinds);
        let Some((name, span)) = name else { continue };
        if let Some(first) = places.get(&name) {
            let line = report.file().text[..*first].matches('\n').count() + 1;
            let message = format!("a second parameter `{name}`");
            report.error("duplicate-id", span, message, Some(format!("first in line {line}")));
            continue;
        }
        places.insert(name.clone(), span.start);
        match spec {
            Some(spec) => found.parameters.push(spec),
            None => found.unreadable.push(name),
        }
    }
    found
}

fn declaration(table: Table<'_, '_>, name: Option<&str>, component_kinds: &[&'static str]) -> Option<ParameterSpec> {
    let report = table.report().clone();
    let words = TYPES.map(|word| (word, word));
    let kind = table.need_word("type", &words).and_then(|(word, _)| kind(&table, word, component_kinds));
    let doc = values::said(&table, "doc", table.text("doc")).map(|(text, _)| SafeText::new(text));
    let required = table.flag("required");
    let default = table.get("default").map(|value| Written {
        name: ("default".to_owned(), value.span()),
        value: Raw::of(value),
        span: value.span(),
        report: report.clone(),
    });
    if kind.is_none() {
        let _ = table.entries(); // `kinds` and `of` belong to a type that is not known
    }
    table.done();
    let (kind, name) = (kind?, name?);
    let presence = match (required, default) {
        (Some((true, span)), Some(_)) => {
            let message = format!("`{name}` has a default: it can never be missing");
            report.error("required-with-default", span, message, Some("take `required` out".into()));
            return None;
        }
        (_, Some(default)) => Presence::Default(default.typed(&kind, None)?),
        (Some((true, _)), None) => Presence::Required,
        (_, None) => Presence::Optional,
    };
    Some(ParameterSpec { name: name.to_owned(), kind, presence, doc: doc.unwrap_or_default() })
}

fn kind(table: &Table<'_, '_>, word: &str, component_kinds: &[&'static str]) -> Option<ParameterKind> {
    Some(match word {
        "text" => ParameterKind::Text,
        "duration" => ParameterKind::Duration,
        "number" => ParameterKind::Number,
        "flag" => ParameterKind::Flag,
        "side" => ParameterKind::Side,
        "component" => {
            let value = table.need("kinds")?;
            let known: Vec<(&str, &'static str)> = component_kinds.iter().map(|kind| (*kind, *kind)).collect();
            let written = values::list_of_text(table, "kinds")?;
            let count = written.len();
            let kinds: Vec<&'static str> = written
                .into_iter()
                .filter_map(|(text, span)| table.choose("kinds", &text, span, &known))
                .map(|(kind, _)| kind)
                .collect();
            if count == 0 {
                table.report().error("empty-list", value.span(), "`kinds` is empty".to_owned(), None);
            }
            (count > 0 && kinds.len() == count).then_some(ParameterKind::Component(kinds))?
        }
        _ => {
            let value = table.need("of")?;
            let of: Vec<String> = values::list_of_text(table, "of")?.into_iter().map(|(text, _)| text).collect();
            if of.is_empty() {
                table.report().error("empty-list", value.span(), "`of` is empty".to_owned(), None);
                return None;
            }
            ParameterKind::Choice(of)
        }
    })
}

/// `"$name"`, but not `"$$name"`, which means the text `$name`.
pub(in crate::estate) fn reference(text: &str) -> Option<&str> {
    text.strip_prefix('$').filter(|rest| !rest.starts_with('$'))
}

/// Text as it is meant, where it begins with `$$`.
pub(super) fn plain(text: String) -> String {
    if text.starts_with("$$") { text[1..].to_owned() } else { text }
}

/// What a place in a step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::estate) enum Wanted<'k> {
    /// Text that names or is a choice.
    Text,
    Duration,
    Number,
    Flag,
    Side,
    /// Of one of these kinds; empty: which ones is asked of each app's component.
    Component(&'k [&'static str]),
    /// Anything, as text.
    Words,
}

impl Wanted<'_> {
    fn takes(self, kind: &ParameterKind) -> bool {
        match (self, kind) {
            (Self::Words, _)
            | (Self::Text, ParameterKind::Text | ParameterKind::Choice(_))
            | (Self::Duration, ParameterKind::Duration)
            | (Self::Number, ParameterKind::Number)
            | (Self::Flag, ParameterKind::Flag)
            | (Self::Side, ParameterKind::Side) => true,
            (Self::Component(kinds), ParameterKind::Component(declared)) => {
                kinds.is_empty() || declared.iter().all(|kind| kinds.contains(kind))
            }
            _ => false,
        }
    }

    fn words(self) -> String {
        match self {
            Self::Text => "a text or a choice".to_owned(),
            Self::Duration => "a duration".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Flag => "a flag".to_owned(),
            Self::Side => "a side".to_owned(),
            Self::Component([]) => "a component".to_owned(),
            Self::Component(kinds) => format!("a component of kind {}", kinds.join(" or ")),
            Self::Words => "a value".to_owned(),
        }
    }
}

/// Whether a place refers to a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::estate) enum Refers {
    Not,
    Yes,
    /// To none that could stand here: reported.
    Wrong,
}

/// What a step may refer to, and where it did.
pub(in crate::estate) struct Scope<'s, 'e> {
    pub candidates: &'s Candidates<'e>,
    /// The step is planned only where these have a value.
    pub conditions: Vec<String>,
    holes: RefCell<Vec<Hole>>,
}

impl<'s, 'e> Scope<'s, 'e> {
    pub(super) fn new(candidates: &'s Candidates<'e>, conditions: Vec<String>) -> Self {
        Self { candidates, conditions, holes: RefCell::default() }
    }

    pub(super) fn holes(self) -> Vec<Hole> {
        self.holes.into_inner()
    }

    /// Whether the value under `key` is `"$name"`; then the place is remembered.
    pub(in crate::estate) fn refers(
        &self,
        table: &Table<'_, '_>,
        key: &str,
        wanted: Wanted<'_>,
        spot: impl FnOnce() -> Spot,
    ) -> Refers {
        let Some(value) = table.get(key) else { return Refers::Not };
        let Some(text) = value.raw().as_str() else { return Refers::Not };
        self.text_refers(table.report(), text, value.span(), wanted, spot)
    }

    pub(super) fn text_refers(
        &self,
        report: &Report,
        text: &str,
        span: Range<usize>,
        wanted: Wanted<'_>,
        spot: impl FnOnce() -> Spot,
    ) -> Refers {
        let Some(name) = reference(text) else { return Refers::Not };
        let Some(spec) = self.candidates.parameter(report, name, span.clone()) else { return Refers::Wrong };
        if !wanted.takes(&spec.kind) {
            let is = match &spec.kind {
                ParameterKind::Component(kinds) => format!("a component of kind {}", kinds.join(" or ")),
                other => format!("a {}", other.word()),
            };
            let message = format!("`${name}` is {is}; here stands {}", wanted.words());
            report.error("parameter-type", span, message, None);
            return Refers::Wrong;
        }
        let spot = spot();
        let may_be_missing = spec.presence == Presence::Optional && !self.conditions.iter().any(|c| c == name);
        if may_be_missing && !matches!(spot, Spot::Param { required: false, .. }) {
            let message = format!("`${name}` may have no value, and here must be one");
            let help = format!("give the step `if = \"{name}\"`, or the parameter `required = true` or a default");
            report.error("unbound-parameter", span, message, Some(help));
            return Refers::Wrong;
        }
        self.holes.borrow_mut().push(Hole { parameter: name.to_owned(), spot });
        Refers::Yes
    }
}

impl Candidates<'_> {
    /// A declared parameter; an unknown one is reported.
    pub(super) fn parameter(&self, report: &Report, name: &str, span: Range<usize>) -> Option<&ParameterSpec> {
        let found = self.declared.iter().find(|spec| spec.name == name);
        if found.is_none() && !self.undeclared.iter().any(|known| known == name) {
            let help = nearest(name, self.declared.iter().map(|spec| spec.name.as_str())).map_or_else(
                || "declare it in a [[parameter]]; a text that begins with `$` is written `$$`".to_owned(),
                |near| format!("did you mean \"${near}\"?"),
            );
            report.error("unknown-parameter", span, format!("there is no parameter `{name}`"), Some(help));
        }
        found
    }
}

/// The values of one app for one runbook: its own, else the defaults.
pub(super) fn values_of(declared: &[ParameterSpec], own: Option<&BTreeMap<String, Param>>) -> BTreeMap<String, Param> {
    let value =
        |spec: &ParameterSpec| own.and_then(|own| own.get(&spec.name)).cloned().or_else(|| bind::by_itself(spec));
    declared.iter().filter_map(|spec| Some((spec.name.clone(), value(spec)?))).collect()
}

impl Scope<'_, '_> {
    /// The texts that a reference stands for, over all apps.
    pub(super) fn values(&self, text: &str) -> Vec<&str> {
        let Some(name) = reference(text) else { return Vec::new() };
        self.candidates
            .apps
            .iter()
            .filter_map(|one| match one.values.get(name) {
                Some(Param::Text(text)) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }
}
