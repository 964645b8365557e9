//! `runbooks/*.toml`: a runbook as its file says it. Step kinds come as a catalogue; what is mutating and how
//! dangerous it is comes from there, and the file can only make it stricter.

use std::{collections::BTreeMap, fmt::Write as _, ops::Range};

use sha2::{Digest, Sha256};

use super::{
    apps::{Named, Reference},
    defaults, signals,
    values::{self, Ground, Holds},
};
use crate::domain::{
    App, AppId, Hazard, RunbookId, SafeText, StepId,
    app::{Param, Strategy},
    diagnostic::nearest,
    document::{Document, Report, Table},
};
use crate::runbook::spec::{
    Mutating, OnFailure, RunbookKind, RunbookSpec, StepKindSpec, StepParam, StepParamSpec, StepSpec,
};

/// Text with its place in the file.
type Placed = (String, Range<usize>);

/// The apps that a runbook may be run for.
pub(super) struct Candidates<'e> {
    pub apps: Vec<&'e App>,
    /// False when an app of the runbook could not be read: then nothing is said of what it lacks.
    pub complete: bool,
}

pub(super) struct Draft {
    pub named: Option<Named>,
    pub runbook: Option<RunbookSpec>,
    /// The runbook it offers at its end.
    pub offers: Option<Reference>,
}

/// What a runbook may refer to.
pub(super) struct Surroundings<'e> {
    pub apps: &'e [App],
    /// Every app id written anywhere, also of apps that could not be read.
    pub app_ids: &'e [String],
    pub kinds: &'e [&'static StepKindSpec],
    pub ground: &'e Ground,
}

pub(super) fn read(document: &Document<'_>, report: &Report, around: &Surroundings<'_>) -> Draft {
    let root = document.root();
    let Some(mut head) = root.need_table("runbook") else {
        let _ = root.list("step");
        root.done();
        return Draft { named: None, runbook: None, offers: None };
    };
    head.call_it("[runbook]");
    let id = values::need_id(&head, "id");
    let title = values::said(&head, "title", head.need_text("title"));
    let kind = head.need_word("kind", &RunbookKind::ALL.map(|kind| (kind.word(), kind)));
    let apps = head.texts("for");
    let strategies: Vec<Strategy> = head
        .texts("strategies")
        .into_iter()
        .filter_map(|(text, span)| head.choose("strategies", &text, span, &Strategy::ALL.map(|s| (s.word(), s))))
        .map(|(strategy, _)| strategy)
        .collect();
    if head.get("for").is_none() && head.get("strategies").is_none() {
        let help = Some("for = [\"<app>\"], or strategies = [\"active-passive\"]".into());
        report.error("missing-key", head.span(), "the runbook is for no app".to_owned(), help);
    }
    let offers = offers(&head);
    head.done();

    let candidates = candidates(report, &apps, &strategies, around);
    let steps = steps(&root, report, &candidates, around);
    root.done();

    let named = id.map(|(id, span)| Named { id, span, report: report.clone() });
    let runbook = (|| {
        Some(RunbookSpec {
            id: RunbookId::new(&named.as_ref()?.id),
            title: SafeText::new(title?.0),
            kind: kind?.0,
            apps: apps.iter().map(|(id, _)| AppId::new(id)).collect(),
            strategies,
            offers: offers.as_ref().map(|offer| RunbookId::new(&offer.id)),
            steps,
            digest: digest(&report.file().text),
            place: report.file().name.clone(),
        })
    })();
    Draft { named, runbook, offers }
}

fn offers(head: &Table<'_, '_>) -> Option<Reference> {
    let mut inner = head.table("on_success")?;
    inner.call_it("`on_success`");
    let offer = inner.need_text("offer");
    let report = inner.report().clone();
    inner.done();
    offer.map(|(id, span)| Reference { id, span, report })
}

/// SHA-256 of the text, hex.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn candidates<'e>(
    report: &Report,
    named: &[Placed],
    strategies: &[Strategy],
    around: &Surroundings<'e>,
) -> Candidates<'e> {
    let mut complete = true;
    for (id, span) in named {
        if !around.app_ids.contains(id) {
            let help =
                nearest(id, around.app_ids.iter().map(String::as_str)).map(|near| format!("did you mean \"{near}\"?"));
            report.error("missing-reference", span.clone(), format!("there is no app `{id}`"), help);
        }
        complete &= around.apps.iter().any(|app| app.id.as_str() == id);
    }
    let is_named = |app: &App| named.iter().any(|(id, _)| app.id.as_str() == id);
    let apps = around.apps.iter().filter(|app| is_named(app) || strategies.contains(&app.strategy)).collect();
    Candidates { apps, complete }
}

fn steps(
    root: &Table<'_, '_>,
    report: &Report,
    candidates: &Candidates<'_>,
    around: &Surroundings<'_>,
) -> Vec<StepSpec> {
    let tables = root.tables("step");
    if tables.is_empty() {
        report.error("no-step", root.span(), "the runbook has no step".to_owned(), Some("add a [[step]]".into()));
    }
    let mut steps: Vec<StepSpec> = Vec::new();
    let mut ids: Vec<Placed> = Vec::new();
    // Of every step that has an id, whether the rest of it could be read or not.
    let mut after: Vec<(String, Vec<Placed>)> = Vec::new();
    for table in tables {
        let draft = step(table, candidates, around);
        let Some((id, span)) = draft.id else { continue };
        if let Some((_, first)) = ids.iter().find(|(known, _)| *known == id) {
            let line = report.file().text[..first.start].matches('\n').count() + 1;
            report.error("duplicate-id", span, format!("a second step `{id}`"), Some(format!("first in line {line}")));
            continue;
        }
        let waits_for = draft.after.unwrap_or_else(|| ids.last().cloned().into_iter().collect());
        ids.push((id.clone(), span));
        if let Some(mut spec) = draft.spec {
            spec.after = waits_for.iter().map(|(id, _)| StepId::new(id)).collect();
            steps.push(spec);
        }
        after.push((id, waits_for));
    }
    for (step, waits_for) in &after {
        for (id, span) in waits_for {
            if step == id {
                report.error("cycle", span.clone(), format!("step `{id}` waits for itself"), None);
            } else if !ids.iter().any(|(known, _)| known == id) {
                let help =
                    nearest(id, ids.iter().map(|(known, _)| known.as_str())).map(|n| format!("did you mean \"{n}\"?"));
                report.error("missing-reference", span.clone(), format!("there is no step `{id}`"), help);
            }
        }
    }
    cycle(&steps, &ids, report);
    steps
}

/// Reports the steps that can never start because they wait for each other.
fn cycle(steps: &[StepSpec], ids: &[Placed], report: &Report) {
    let mut open: Vec<&StepSpec> = steps.iter().collect();
    loop {
        let waits = |step: &StepSpec| step.after.iter().any(|id| open.iter().any(|other| other.id == *id));
        let rest: Vec<&StepSpec> = open.iter().copied().filter(|step| waits(step)).collect();
        if rest.len() == open.len() {
            break;
        }
        open = rest;
    }
    // A step that waits for itself was reported at that place; steps that only wait *behind* a circle are not in it.
    let in_circle = |step: &StepSpec| {
        let mut reached: Vec<&StepId> = step.after.iter().collect();
        let mut seen = 0;
        while let Some(id) = reached.get(seen).copied() {
            seen += 1;
            for next in open.iter().filter(|other| other.id == *id).flat_map(|other| &other.after) {
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
        }
        reached.contains(&&step.id) && !step.after.contains(&step.id)
    };
    let circle: Vec<&str> = open.iter().filter(|step| in_circle(step)).map(|step| step.id.as_str()).collect();
    if let Some((_, span)) = ids.iter().find(|(id, _)| circle.first() == Some(&id.as_str())) {
        let message = format!("these steps wait for each other: {}", circle.join(", "));
        report.error(
            "cycle",
            span.clone(),
            message,
            Some("`after` must lead back to a step that waits for none".into()),
        );
    }
}

struct StepDraft {
    id: Option<Placed>,
    after: Option<Vec<Placed>>,
    spec: Option<StepSpec>,
}

fn step(mut table: Table<'_, '_>, candidates: &Candidates<'_>, around: &Surroundings<'_>) -> StepDraft {
    table.call_it("the step");
    let id = values::need_id(&table, "id");
    if let Some((id, _)) = &id {
        table.call_it(format!("step \"{id}\""));
    }
    let report = table.report().clone();
    let title = values::said(&table, "title", table.need_text("title"));
    let kind = kind(&table, around.kinds);
    let guards = signals::guards(&table, candidates);
    let raised = table.word("hazard", &Hazard::ALL.map(|hazard| (hazard.word(), hazard)));
    let timeout = table.duration("timeout");
    let expect = table.duration("expect");
    let on_failure = table.word("on_failure", &[("park", OnFailure::Park), ("continue", OnFailure::Continue)]);
    let after = values::list_of_text(&table, "after");
    let Some(kind) = kind else {
        let _ = table.entries(); // which parameters are known depends on the kind
        return StepDraft { id, after, spec: None };
    };
    let (params, whole) = params(&table, kind, candidates, around.ground);
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
            params,
            guards,
            hazard: raised.as_ref().map_or(kind.hazard, |(hazard, _)| *hazard),
            timeout: limit,
            expect: expected,
            on_failure: on_failure.as_ref().map_or(defaults::ON_FAILURE, |(on_failure, _)| *on_failure),
            after: Vec::new(),
        })
    })();
    StepDraft { id, after, spec: spec.filter(|_| whole) }
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

/// The kind's own parameters, and whether all of them could be read.
fn params(
    table: &Table<'_, '_>,
    kind: &StepKindSpec,
    candidates: &Candidates<'_>,
    ground: &Ground,
) -> (BTreeMap<String, StepParam>, bool) {
    let mut found = BTreeMap::new();
    let mut whole = true;
    for spec in kind.params {
        let (name, required) = match spec {
            StepParamSpec::Value(spec) => (spec.name, spec.required),
            StepParamSpec::Signals { name, required }
            | StepParamSpec::Texts { name, required }
            | StepParamSpec::Component { name, required, .. } => (*name, *required),
        };
        let present = match spec {
            StepParamSpec::Value(_) => table.get(name).is_some(),
            _ if required => table.need(name).is_some(),
            _ => table.get(name).is_some(),
        };
        let param = match spec {
            StepParamSpec::Value(spec) => values::param(table, spec, ground, Holds::Data).map(StepParam::Value),
            _ if !present => None,
            StepParamSpec::Signals { .. } => {
                let signals = signals::signals(table, name, candidates);
                whole &= signals.len() == table.list(name).len();
                Some(StepParam::Signals(signals)).filter(|_| not_empty(table, name))
            }
            StepParamSpec::Texts { .. } => values::list_of_text(table, name)
                .map(|texts| StepParam::Texts(texts.into_iter().map(|(text, _)| text).collect()))
                .filter(|_| not_empty(table, name)),
            StepParamSpec::Component { kinds, .. } => {
                let wanted = format!("a `{}`", kinds.join("` or `"));
                table
                    .text(name)
                    .and_then(|named| candidates.component(table.report(), named, &wanted, |c| kinds.contains(&c.kind)))
                    .map(|id| StepParam::Value(Param::Text(id)))
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
        if let (Some(program), Some(value)) =
            (argv.first().filter(|program| !program.starts_with('/')), table.get(name))
        {
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
