//! One `[[step]]`: its own keys, and those of its kind.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use super::{
    super::{
        defaults, signals,
        values::{self, Ground, Holds},
    },
    Candidates, Placed,
    parameters::{self, Refers, Scope, Wanted},
};
use crate::domain::{
    Hazard, SafeText, StepId,
    app::Param,
    diagnostic::nearest,
    document::Table,
    kind::{ParamShape, ParamSpec},
};
use crate::runbook::spec::{
    Mutating, OnFailure, Only, ParameterKind, Presence, Spot, StepKindSpec, StepParam, StepParamSpec, StepSpec,
};

/// More tries than this are a time-out in disguise.
pub(in crate::estate) const RETRIES_MAX: u32 = 20;

/// The two words for what a step does when it fails.
pub(in crate::estate) const ON_FAILURE: [(&str, OnFailure); 2] =
    [("park", OnFailure::Park), ("continue", OnFailure::Continue)];

/// A step that could be read, without its place in the order.
pub(super) struct Draft {
    pub id: Option<Placed>,
    pub after: Option<Vec<Placed>>,
    pub spec: Option<StepSpec>,
}

/// `if = "parameter"`: such a parameter must be able to be missing, or be a flag.
pub(super) fn conditions(table: &Table<'_, '_>, candidates: &Candidates<'_>) -> Vec<String> {
    let Some((name, span)) = table.text("if") else { return Vec::new() };
    let Some(spec) = candidates.parameter(table.report(), &name, span.clone()) else { return Vec::new() };
    if spec.presence != Presence::Optional && spec.kind != ParameterKind::Flag {
        let message = format!("`{name}` always has a value: the step is never left out");
        table.report().error("pointless-condition", span, message, Some("take the line out".into()));
    }
    vec![name]
}

/// Reads a step whose id is known already, or was reported.
pub(super) fn read(
    table: Table<'_, '_>,
    id: Option<Placed>,
    candidates: &Candidates<'_>,
    kinds: &[&'static StepKindSpec],
    ground: &Ground,
) -> Draft {
    let report = table.report().clone();
    let scope = Scope::new(candidates, conditions(&table, candidates));
    let title = values::said(&table, "title", table.need_text("title"));
    let kind = kind(&table, kinds);
    let (guards, guarded) = signals::guards(&table, &scope);
    let raised = table.word("hazard", &Hazard::ALL.map(|hazard| (hazard.word(), hazard)));
    let timeout = duration(&table, "timeout", &scope, Spot::Timeout);
    let expect = duration(&table, "expect", &scope, Spot::Expect);
    let on_failure = table.word("on_failure", &ON_FAILURE);
    let only = table.word("only", &Only::WORDS).map_or(Only::Always, |(only, _)| only);
    let after = values::list_of_text(&table, "after");
    let Some(kind) = kind else {
        let _ = table.entries(); // which parameters are known depends on the kind
        return Draft { id, after, spec: None };
    };
    let (params, whole) = params(&table, kind, &scope, ground);
    let (retries, retry_every) = retries(&table, kind);
    table.done();

    if let Some((hazard, span)) = &raised
        && *hazard < kind.hazard
    {
        let message = format!("`{}` is {} by its kind; a file can only raise that", kind.id, kind.hazard);
        report.error("hazard-lowered", span.clone(), message, Some("take the line out".into()));
    }
    if let Some((OnFailure::Continue, span)) = &on_failure
        && kind.mutating == Mutating::Yes
    {
        let message = format!("`{}` changes something: the run cannot go on as if it had not failed", kind.id);
        report.error("continue-after-mutation", span.clone(), message, Some("on_failure = \"park\"".into()));
    }
    let limit = timeout.as_ref().map_or(kind.default_timeout, |(d, _)| *d);
    let expected = expect.as_ref().map_or(kind.default_expect, |(d, _)| *d);
    if let Some((_, span)) = timeout.as_ref().filter(|(d, _)| d.is_zero()) {
        report.error("bad-duration", span.clone(), "`timeout` is zero".to_owned(), None);
    } else if let Some((_, span)) = expect.as_ref().or(timeout.as_ref())
        && expected > limit
    {
        let message = "the step is expected to take longer than its time-out".to_owned();
        report.error("bad-duration", span.clone(), message, None);
    }
    let spec = (|| {
        Some(StepSpec {
            id: StepId::new(&id.as_ref()?.0),
            title: SafeText::new(&title.as_ref()?.0),
            kind: kind.id,
            mutating: kind.mutating,
            lasting: kind.lasting,
            params,
            guards,
            hazard: raised.as_ref().map_or(kind.hazard, |(hazard, _)| *hazard),
            timeout: limit,
            expect: expected,
            on_failure: on_failure.as_ref().map_or(defaults::ON_FAILURE, |(on_failure, _)| *on_failure),
            after: Vec::new(),
            retries,
            retry_every,
            only,
            conditions: scope.conditions.clone(),
            holes: scope.holes(),
        })
    })();
    Draft { id, after, spec: spec.filter(|_| whole && guarded) }
}

fn kind(table: &Table<'_, '_>, kinds: &[&'static StepKindSpec]) -> Option<&'static StepKindSpec> {
    let (text, span) = table.need_text("kind")?;
    if let Some(kind) = kinds.iter().find(|kind| kind.id == text) {
        return Some(kind);
    }
    let help = nearest(&text, kinds.iter().map(|kind| kind.id)).map_or_else(
        || format!("one of: {}", kinds.iter().map(|kind| kind.id).collect::<Vec<_>>().join(", ")),
        |near| format!("did you mean \"{near}\"?"),
    );
    table.report().error("unknown-step-kind", span, format!("no step kind `{text}`"), Some(help));
    None
}

/// A duration, or a reference to one: the kind's default until it is bound.
fn duration(table: &Table<'_, '_>, key: &str, scope: &Scope<'_, '_>, spot: Spot) -> Option<(Duration, Range<usize>)> {
    match scope.refers(table, key, Wanted::Duration, || spot) {
        Refers::Not => table.duration(key),
        Refers::Yes | Refers::Wrong => None,
    }
}

/// `retries` and `every`: a step that reads may be asked again; one that acts never is, without a person.
fn retries(table: &Table<'_, '_>, kind: &StepKindSpec) -> (u32, Duration) {
    let every = table.duration("every");
    let retries = table.integer("retries");
    let report = table.report();
    if let Some((_, span)) = retries.as_ref().filter(|_| kind.mutating != Mutating::No) {
        let message = format!("`{}` does not only read: it is not tried again by itself", kind.id);
        report.error("retried-mutation", span.clone(), message, Some("a person decides that, in the run".into()));
    }
    if let (Some((_, span)), None) = (&every, &retries) {
        report.error("missing-key", span.clone(), "`every` without `retries`".to_owned(), None);
    }
    if let Some((_, span)) = every.as_ref().filter(|(d, _)| d.is_zero()) {
        report.error("bad-duration", span.clone(), "`every` is zero".to_owned(), None);
    }
    let count = retries.map_or(0, |(count, span)| {
        if let Ok(count @ 1..=RETRIES_MAX) = u32::try_from(count) {
            count
        } else {
            let message = format!("`retries = {count}` is not a number of tries");
            report.error("bad-number", span, message, Some(format!("1 to {RETRIES_MAX}")));
            0
        }
    });
    (count, every.map_or(defaults::RETRY_EVERY, |(d, _)| d))
}

/// The kind's own parameters, and whether all of them could be read.
fn params(
    table: &Table<'_, '_>,
    kind: &StepKindSpec,
    scope: &Scope<'_, '_>,
    ground: &Ground,
) -> (BTreeMap<String, StepParam>, bool) {
    let mut found = BTreeMap::new();
    let mut whole = true;
    for spec in kind.params {
        let (name, required) = name_of(spec);
        let present = match spec {
            StepParamSpec::Value(_) => table.get(name).is_some(),
            _ if required => table.need(name).is_some(),
            _ => table.get(name).is_some(),
        };
        let param = match spec {
            StepParamSpec::Value(spec) => value(table, spec, scope, ground),
            _ if !present => None,
            StepParamSpec::Signals { .. } => {
                let signals = signals::signals(table, name, scope);
                whole &= signals.len() == table.list(name).len();
                Some(StepParam::Signals(signals)).filter(|_| not_empty(table, name))
            }
            StepParamSpec::Texts { .. } => texts(table, name, scope).filter(|_| not_empty(table, name)),
            StepParamSpec::Component { kinds, .. } => {
                let wanted = format!("a `{}`", kinds.join("` or `"));
                let spot = || Spot::Param { name, shape: ParamShape::Text, required };
                match scope.refers(table, name, Wanted::Component(kinds), spot) {
                    Refers::Wrong => None,
                    Refers::Not | Refers::Yes => table
                        .text(name)
                        .and_then(|named| scope.component(table.report(), named, &wanted, |c| kinds.contains(&c.kind)))
                        .map(|id| StepParam::Value(Param::Text(id))),
                }
            }
        };
        match param {
            Some(param) => {
                found.insert(name.to_owned(), param);
            }
            None => whole &= !present && !required,
        }
    }
    whole &= quorum(table, &found);
    whole &= observable(table, kind, &found);
    (found, whole)
}

const fn name_of(spec: &StepParamSpec) -> (&'static str, bool) {
    match spec {
        StepParamSpec::Value(spec) => (spec.name, spec.required),
        StepParamSpec::Signals { name, required }
        | StepParamSpec::Texts { name, required }
        | StepParamSpec::Component { name, required, .. } => (*name, *required),
    }
}

/// A value of the kind, or a reference to a parameter of that type.
fn value(table: &Table<'_, '_>, spec: &ParamSpec, scope: &Scope<'_, '_>, ground: &Ground) -> Option<StepParam> {
    let key = spec.name;
    let wanted = match spec.shape {
        ParamShape::Text | ParamShape::Arn => Wanted::Text,
        ParamShape::Duration => Wanted::Duration,
        ParamShape::Number => Wanted::Number,
        ParamShape::Flag => Wanted::Flag,
        ParamShape::Side => Wanted::Side,
        ParamShape::Size | ParamShape::Region | ParamShape::Sides | ParamShape::Map => {
            return if nothing_refers(table, key) {
                values::param(table, spec, ground, Holds::Data).map(StepParam::Value)
            } else {
                None
            };
        }
    };
    let spot = || Spot::Param { name: spec.name, shape: spec.shape, required: spec.required };
    match scope.refers(table, key, wanted, spot) {
        Refers::Wrong => None,
        Refers::Yes => {
            let (text, span) = table.text(key)?;
            if spec.shape == ParamShape::Arn {
                for arn in scope.values(&text) {
                    values::check_arn(table, key, arn, span.clone(), ground, Holds::Data);
                }
            }
            Some(StepParam::Value(Param::Text(text)))
        }
        Refers::Not => values::param(table, spec, ground, Holds::Data).map(|param| match param {
            Param::Text(text) => StepParam::Value(Param::Text(parameters::plain(text))),
            other => StepParam::Value(other),
        }),
    }
}

/// A Region, a size, a pair or a table cannot come from a parameter: a `$` there would be taken for itself.
fn nothing_refers(table: &Table<'_, '_>, key: &str) -> bool {
    let Some(value) = table.get(key) else { return true };
    let mut fine = true;
    let mut look = |text: &str, span: Range<usize>| {
        if parameters::reference(text).is_some() {
            let message = format!("`{text}`: no parameter can stand here");
            table.report().error("parameter-type", span, message, None);
            fine = false;
        }
    };
    if let Some(text) = value.raw().as_str() {
        look(text, value.span());
    } else if let Some(inner) = value.raw().as_table() {
        for held in inner.values() {
            if let Some(text) = held.get_ref().as_str() {
                look(text, held.span());
            }
        }
    }
    fine
}

fn texts(table: &Table<'_, '_>, name: &'static str, scope: &Scope<'_, '_>) -> Option<StepParam> {
    let mut found = Vec::new();
    let mut whole = true;
    for (index, (text, span)) in values::list_of_text(table, name)?.into_iter().enumerate() {
        let spot = || Spot::Item { list: name, index };
        whole &= scope.text_refers(table.report(), &text, span, Wanted::Words, spot) != Refers::Wrong;
        found.push(if parameters::reference(&text).is_some() { text } else { parameters::plain(text) });
    }
    whole.then_some(StepParam::Texts(found))
}

fn not_empty(table: &Table<'_, '_>, name: &str) -> bool {
    let some = !table.list(name).is_empty();
    if !some && let Some(value) = table.get(name) {
        table.report().error("empty-list", value.span(), format!("`{name}` is empty"), None);
    }
    some
}

/// A program must say how its outcome is observed, and what runs must be known from the file alone.
fn observable(table: &Table<'_, '_>, kind: &StepKindSpec, params: &BTreeMap<String, StepParam>) -> bool {
    if !kind.params.iter().any(|spec| matches!(spec, StepParamSpec::Texts { name: "done_when", .. })) {
        return true;
    }
    let mut fine = true;
    if table.get("done_when").is_none() && table.get("signals").is_none() {
        let message = format!("`{}` does not say how its outcome is observed", kind.id);
        let help = "done_when = [\"/a/program/that/only/looks\"] (exit 0 is done, 1 is not), or signals = […]";
        table.report().error("no-outcome", table.span(), message, Some(help.into()));
        fine = false;
    }
    for name in ["run", "done_when"] {
        let Some(StepParam::Texts(argv)) = params.get(name) else { continue };
        let relative = argv.first().filter(|program| !program.starts_with('/'));
        if let (Some(program), Some(value)) = (relative, table.get(name)) {
            let message = format!("`{program}` is not an absolute path");
            table.report().error("bad-program", value.span(), message, Some("no shell and no PATH are used".into()));
            fine = false;
        }
    }
    fine
}

/// `need` of `signals`: a quorum that can never be reached, or is always, is a mistake.
fn quorum(table: &Table<'_, '_>, params: &BTreeMap<String, StepParam>) -> bool {
    let Some(StepParam::Value(Param::Number(need))) = params.get("need") else { return true };
    let Some(StepParam::Signals(signals)) = params.get("signals") else { return true };
    let reachable = need.fract() == 0.0 && *need >= 1.0 && *need <= signals.len() as f64;
    if !reachable && let Some(value) = table.get("need") {
        let message = format!("`need = {need}` of {} signals", signals.len());
        let help = Some(format!("a whole number from 1 to {}", signals.len()));
        table.report().error("bad-quorum", value.span(), message, help);
    }
    reachable
}
