//! `[[app]]` and `[[app.component]]`: what an app is made of and what the bank wants of it.
//!
//! References to other apps and to runbooks are kept with their place and resolved in [`super::resolve`], when
//! every file has been read.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    time::Duration,
};

use super::{
    defaults,
    lint::{self, AppPlaces, Policy},
    runbooks::parameters::Written,
    values::{self, Ground, Holds, SIDES},
};
use crate::domain::{
    App, AppId, Component, ComponentId, RunbookId, SafeText,
    app::{Acceptance, BackupPolicy, DrillRecord, Params, Role, ServedMetrics, Strategy, Timings},
    diagnostic::nearest,
    document::{Report, Table},
    fact::SERVED,
    kind::KindSpec,
};

/// A reference by id, with the place where it stands.
#[derive(Clone)]
pub(super) struct Reference {
    pub id: String,
    pub span: Range<usize>,
    pub report: Report,
}

/// An app's id and place, kept even when the rest of the app could not be read, so that references to it are not
/// reported as well.
#[derive(Clone)]
pub(super) struct Named {
    pub id: String,
    pub span: Range<usize>,
    pub report: Report,
}

/// One `[[app]]`.
pub(super) struct Draft {
    pub named: Option<Named>,
    /// `None` when something required is missing or wrong.
    pub app: Option<App>,
    pub depends_on: Vec<Reference>,
    /// Runbook references, with the kind word under which they stand (none for a drill's).
    pub runbooks: Vec<(Option<&'static str>, Reference)>,
    /// `[app.parameters.<runbook>]`: typed when the runbook's head was read.
    pub parameters: Vec<(Reference, Vec<Written>)>,
}

pub(super) fn read(table: Table<'_, '_>, kinds: &[&'static KindSpec], ground: &Ground, policy: &Policy) -> Draft {
    let mut table = table;
    table.call_it("the app");
    let id = values::need_id(&table, "id");
    if let Some((id, _)) = &id {
        table.call_it(format!("app \"{id}\""));
    }
    let refer = |(id, span): (String, Range<usize>)| Reference { id, span, report: table.report().clone() };

    let name = values::said(&table, "name", table.need_text("name"));
    let tier = tier(&table);
    let criticality = values::said(&table, "criticality", table.need_text("criticality"));
    let strategy = table.need_word("strategy", &Strategy::ALL.map(|s| (s.word(), s)));
    let (rpo, rpo_place) = table.duration("rpo").unzip();
    let rto = table.duration("rto").map(|(d, _)| d);
    let places = AppPlaces { head: table.span(), rpo: rpo_place, ..AppPlaces::default() };
    let depends_on: Vec<Reference> = table.texts("depends_on").into_iter().map(refer).collect();
    let (backup, places) = backup(&table, places);
    let served = served(&table, ground);
    let (accepted, places) = accepted(&table, places);
    let timings = timings(&table);
    let note = values::said(&table, "note", table.text("note")).map(|(text, _)| SafeText::new(text));
    let mut runbook_references = Vec::new();
    let runbooks = runbooks(&table, &mut runbook_references);
    let drills = drills(&table, &mut runbook_references);
    let parameters = parameters(&table);
    let not_again_within = table.get("not_again_within").and_then(|_| need_span_of_time(&table, "not_again_within"));
    let components = components(&table, kinds, ground);
    let span = table.span();
    let report = table.report().clone();
    table.done();

    let named = id.map(|(id, span)| Named { id, span, report: report.clone() });
    let app = (|| {
        Some(App {
            id: AppId::new(&named.as_ref()?.id),
            name: SafeText::new(&name.as_ref()?.0),
            tier: tier?,
            criticality: SafeText::new(&criticality.as_ref()?.0),
            strategy: strategy?.0,
            rpo,
            rto,
            depends_on: depends_on.iter().map(|reference| AppId::new(&reference.id)).collect(),
            backup,
            components,
            runbooks,
            drills,
            served,
            accepted,
            timings,
            note,
            parameters: BTreeMap::new(),
            not_again_within: not_again_within.map(|(d, _)| d),
        })
    })();
    if let Some(app) = &app {
        if app.components.is_empty() {
            let help = Some("an app without components can be neither judged nor moved".into());
            report.error("no-component", span, format!("app \"{}\" has no component", app.id), help);
        }
        lint::app(app, &places, &report, policy);
    }
    Draft { named, app, depends_on, runbooks: runbook_references, parameters }
}

fn tier(table: &Table<'_, '_>) -> Option<u8> {
    let _ = table.need("tier")?;
    let (tier, span) = table.integer("tier")?;
    if let Ok(tier @ 1..=5) = u8::try_from(tier) {
        return Some(tier);
    }
    let help = Some("1 (the most critical) to 5".into());
    table.report().error("bad-tier", span, format!("`tier = {tier}` is not a tier"), help);
    None
}

/// A duration that must be there and be more than nothing.
fn need_span_of_time(table: &Table<'_, '_>, key: &str) -> Option<(Duration, Range<usize>)> {
    let value = table.need(key)?;
    let (duration, span) = table.as_duration(key, value)?;
    if duration.is_zero() {
        table.report().error("bad-duration", span, format!("`{key}` is zero"), None);
        return None;
    }
    Some((duration, span))
}

fn backup(table: &Table<'_, '_>, mut places: AppPlaces) -> (Option<BackupPolicy>, AppPlaces) {
    let Some(mut inner) = table.table("backup") else { return (None, places) };
    inner.call_it("`backup`");
    let every = need_span_of_time(&inner, "every");
    let retention = need_span_of_time(&inner, "retention");
    let start_window = inner.duration("start_window").map_or(defaults::START_WINDOW, |(d, _)| d);
    let declared_duration_p99 = inner.duration("duration_p99").map_or(defaults::BACKUP_DURATION_P99, |(d, _)| d);
    let copy_to = inner.word("copy_to", &SIDES).map(|(side, _)| side);
    if let Some((window, span)) = inner.duration("start_window")
        && window < defaults::START_WINDOW
    {
        let help = Some("AWS Backup takes 60 minutes at least (field guide 1.2)".into());
        inner.report().error("bad-start-window", span, "`start_window` is too short".to_owned(), help);
    }
    inner.done();
    places.backup_every = every.as_ref().map(|(_, span)| span.clone());
    places.backup_retention = retention.as_ref().map(|(_, span)| span.clone());
    let policy = every.zip(retention).map(|((every, _), (retention, _))| BackupPolicy {
        every,
        retention,
        start_window,
        copy_to,
        declared_duration_p99,
    });
    (policy, places)
}

fn served(table: &Table<'_, '_>, ground: &Ground) -> Option<ServedMetrics> {
    let mut inner = table.table("served")?;
    inner.call_it("`served`");
    let text = |key: &str| values::said(&inner, key, inner.need_text(key)).map(|(text, _)| text);
    let (namespace, good, total) = (text("namespace"), text("good"), text("total"));
    let dimensions = values::map(&inner, "dimensions", ground).unwrap_or_default();
    inner.done();
    Some(ServedMetrics { namespace: namespace?, good: good?, total: total?, dimensions })
}

fn accepted(table: &Table<'_, '_>, mut places: AppPlaces) -> (Option<Acceptance>, AppPlaces) {
    let Some(mut inner) = table.table("accepted") else { return (None, places) };
    inner.call_it("`accepted`");
    let owner = values::said(&inner, "owner", inner.need_text("owner"));
    let reason = values::said(&inner, "reason", inner.need_text("reason"));
    let since = inner.need("since").and_then(|_| inner.timestamp("since"));
    let until = inner.need("until").and_then(|_| inner.timestamp("until"));
    if let (Some((since, _)), Some((until, span))) = (&since, &until) {
        if until <= since {
            inner.report().error("bad-acceptance", span.clone(), "`until` is not after `since`".to_owned(), None);
        } else if until.since(*since) > defaults::ACCEPTANCE_MAX {
            places.accepted_too_long = Some((span.clone(), until.since(*since)));
        }
    }
    inner.done();
    let acceptance =
        (|| Some(Acceptance { owner: SafeText::new(owner?.0), until: until?.0, reason: SafeText::new(reason?.0) }))();
    (acceptance, places)
}

fn timings(table: &Table<'_, '_>) -> Timings {
    let mut timings = defaults::TIMINGS;
    let Some(mut inner) = table.table("timings") else { return timings };
    inner.call_it("`timings`");
    for (key, slot) in [
        ("detection", &mut timings.detection),
        ("decision", &mut timings.decision),
        ("dns_ttl", &mut timings.dns_ttl),
        ("verification", &mut timings.verification),
    ] {
        if let Some((duration, _)) = inner.duration(key) {
            *slot = duration;
        }
    }
    timings.execution = inner.get("execution").and_then(|_| need_span_of_time(&inner, "execution")).map(|(d, _)| d);
    inner.done();
    timings
}

/// The kind words under which an app names its runbooks.
pub(super) const RUNBOOK_KEYS: [&str; 4] = ["failover", "switchover", "failback", "re-protect"];

fn runbooks(
    table: &Table<'_, '_>,
    references: &mut Vec<(Option<&'static str>, Reference)>,
) -> BTreeMap<String, RunbookId> {
    let mut found = BTreeMap::new();
    let Some(mut inner) = table.table("runbooks") else { return found };
    inner.call_it("`runbooks`");
    for key in RUNBOOK_KEYS {
        let Some((id, span)) = inner.text(key) else { continue };
        found.insert(key.to_owned(), RunbookId::new(&id));
        references.push((Some(key), Reference { id, span, report: inner.report().clone() }));
    }
    inner.done();
    found
}

/// Values for runbooks, as written; an app may bind a runbook once.
fn parameters(table: &Table<'_, '_>) -> Vec<(Reference, Vec<Written>)> {
    let Some(mut outer) = table.table("parameters") else { return Vec::new() };
    outer.call_it("`parameters`");
    let mut found = Vec::new();
    for (id, span, value) in outer.entries() {
        let Some(mut inner) = outer.as_table(&id, value) else { continue };
        inner.call_it(format!("[app.parameters.{id}]"));
        let written = Written::all(&inner);
        let report = inner.report().clone();
        inner.done();
        found.push((Reference { id, span, report }, written));
    }
    outer.done();
    found
}

fn drills(table: &Table<'_, '_>, references: &mut Vec<(Option<&'static str>, Reference)>) -> Vec<DrillRecord> {
    let mut found = Vec::new();
    for mut inner in table.tables("drill") {
        inner.call_it("the drill");
        let name = values::said(&inner, "name", inner.need_text("name"));
        let at = inner.need("at").and_then(|_| inner.timestamp("at"));
        let runbook = inner.text("runbook");
        let findings_open = inner.integer("findings_open").and_then(|(count, span)| {
            let count = u32::try_from(count).ok();
            if count.is_none() {
                let message = "`findings_open` is a count".to_owned();
                inner.report().error("bad-number", span, message, None);
            }
            count
        });
        let next_due = inner.timestamp("next_due");
        if let (Some((at, _)), Some((due, span))) = (&at, &next_due)
            && due <= at
        {
            inner.report().error("bad-drill", span.clone(), "`next_due` is not after `at`".to_owned(), None);
        }
        let rto_achieved = inner.duration("rto").map(|(d, _)| d);
        let rpo_achieved = inner.duration("rpo").map(|(d, _)| d);
        if let Some((id, span)) = runbook.clone() {
            references.push((None, Reference { id, span, report: inner.report().clone() }));
        }
        inner.done();
        let (Some((name, _)), Some((at, _))) = (name, at) else { continue };
        found.push(DrillRecord {
            name: SafeText::new(name),
            at,
            rto_achieved,
            rpo_achieved,
            runbook: runbook.map(|(id, _)| RunbookId::new(id)),
            findings_open: findings_open.unwrap_or(0),
            next_due: next_due.map(|(due, _)| due),
        });
    }
    found.sort_by_key(|drill| drill.at);
    found
}

fn components(table: &Table<'_, '_>, kinds: &[&'static KindSpec], ground: &Ground) -> Vec<Component> {
    let mut found: Vec<Component> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for inner in table.tables("component") {
        let report = inner.report().clone();
        let Some((component, span)) = component(inner, kinds, ground) else { continue };
        if component.id.as_str() == SERVED {
            let help = Some("the console keeps \"customers served\" under this id".into());
            report.error("reserved-id", span, format!("`{SERVED}` cannot be the id of a component"), help);
            continue;
        }
        if let Some(first) = places.get(component.id.as_str()) {
            let line = report.file().text[..*first].matches('\n').count() + 1;
            let help = Some(format!("first in line {line}"));
            report.error("duplicate-id", span, format!("a second component `{}` in one app", component.id), help);
            continue;
        }
        places.insert(component.id.as_str().to_owned(), span.start);
        found.push(component);
    }
    found
}

fn component(
    mut table: Table<'_, '_>,
    kinds: &[&'static KindSpec],
    ground: &Ground,
) -> Option<(Component, Range<usize>)> {
    table.call_it("the component");
    let id = values::need_id(&table, "id");
    if let Some((id, _)) = &id {
        table.call_it(format!("component \"{id}\""));
    }
    let kind = kind(&table, kinds);
    let mandatory = table.flag("mandatory").map_or(defaults::MANDATORY, |(flag, _)| flag);
    let role = table.word("role", &Role::ALL.map(|role| (role.word(), role)));
    let rpo = table.duration("rpo").map(|(d, _)| d);
    let Some(kind) = kind else {
        let _ = table.entries(); // which keys are known depends on the kind, and that was reported
        return None;
    };
    let role = role.map_or(kind.role, |(role, _)| role);
    let mut params = Params::default();
    let mut whole = true;
    for spec in kind.params {
        match values::param(&table, spec, ground, Holds::of(role)) {
            Some(param) => {
                params.0.insert(spec.name.to_owned(), param);
            }
            None => whole &= table.get(spec.name).is_none() && !spec.required,
        }
    }
    let report = table.report().clone();
    let span = id.as_ref().map_or_else(|| table.span(), |(_, span)| span.clone());
    whole &= one_place(kind, &params, &table) && exact_metric(kind, &table);
    table.done();
    let (id, id_span) = id?;
    let mut component = Component {
        id: ComponentId::new(id),
        kind: kind.id,
        kind_title: kind.title,
        observed: kind.observed,
        mandatory,
        role,
        rpo,
        params,
        region_lost: None,
        corrupted: Vec::new(),
    };
    if !whole {
        return None; // reported; judging half a component would report its consequences too
    }
    component.region_lost = (kind.region_lost)(&component);
    component.corrupted = (kind.corrupted)(&component);
    if component.rpo.is_some() && kind.observed && component.region_lost.is_none() && component.corrupted.is_empty() {
        let help = Some("a lag needs `measures`; otherwise drop the `rpo`".into());
        report.error("rpo-without-measure", span, "nothing is observed of it that an RPO could judge".to_owned(), help);
    }
    Some((component, id_span))
}

/// Finds the kind, or reports it with the nearest known one.
fn kind(table: &Table<'_, '_>, kinds: &[&'static KindSpec]) -> Option<&'static KindSpec> {
    let (text, span) = table.need_text("kind")?;
    if let Some(kind) = kinds.iter().find(|kind| kind.id == text) {
        return Some(kind);
    }
    let help = nearest(&text, kinds.iter().map(|kind| kind.id)).map_or_else(
        || format!("one of: {}", kinds.iter().map(|kind| kind.id).collect::<Vec<_>>().join(", ")),
        |near| format!("did you mean \"{near}\"?"),
    );
    table.report().error("unknown-kind", span, format!("no component kind `{text}`"), Some(help));
    None
}

/// A kind that can be read on a side or in a Region outside the pair is read in exactly one place.
fn one_place(kind: &KindSpec, params: &Params, table: &Table<'_, '_>) -> bool {
    let optional = |name: &str| kind.params.iter().any(|spec| spec.name == name && !spec.required);
    if !(optional("side") && optional("region")) {
        return true;
    }
    let (side, region) = (table.get("side"), table.get("region"));
    let lag = params.text("measures").is_some_and(|measures| measures != "gauge");
    let (span, message) = match (side, region) {
        (Some(_), Some(region)) => (region.span(), "both `side` and `region` say where it is read"),
        (None, None) => (table.get("kind").map_or_else(|| table.span(), |kind| kind.span()), "where is it read?"),
        (None, Some(region)) if lag => (region.span(), "a lag is read on a side, or it would judge nothing"),
        _ => return true,
    };
    let help = Some("write `side`, or `region` for a Region outside the pair".into());
    table.report().error("one-place", span, message.to_owned(), help);
    false
}

/// CloudWatch's own limits on a period and a statistic.
fn exact_metric(kind: &KindSpec, table: &Table<'_, '_>) -> bool {
    // Asking for a key makes it known: only for kinds that have it.
    let get = |key: &str| kind.params.iter().any(|spec| spec.name == key).then(|| table.get(key)).flatten();
    let mut fine = true;
    if let Some(value) = get("period")
        && let Some(text) = value.raw().as_str()
        && let Ok(period) = crate::domain::time::parse_duration(text)
        && (period.subsec_millis() != 0
            || !(matches!(period.as_secs(), 1 | 5 | 10 | 30) || multiple_of_a_minute(period)))
    {
        let help = Some("1s, 5s, 10s, 30s or a multiple of 60s".into());
        table.report().error("bad-period", value.span(), format!("CloudWatch has no period `{text}`"), help);
        fine = false;
    }
    if let Some(value) = get("stat")
        && let Some(text) = value.raw().as_str()
        && !is_statistic(text)
    {
        let known = ["Average", "Maximum", "Minimum", "SampleCount", "Sum"];
        let help = nearest(text, known).map_or_else(
            || format!("{} or a percentile like p99", known.join(", ")),
            |n| format!("did you mean \"{n}\"?"),
        );
        table.report().error("bad-statistic", value.span(), format!("`{text}` is no statistic"), Some(help));
        fine = false;
    }
    fine
}

const fn multiple_of_a_minute(period: Duration) -> bool {
    period.as_secs() > 0 && period.as_secs().is_multiple_of(60)
}

fn is_statistic(text: &str) -> bool {
    matches!(text, "Average" | "Maximum" | "Minimum" | "SampleCount" | "Sum")
        || text.strip_prefix('p').and_then(|rest| rest.parse::<f64>().ok()).is_some_and(|p| (0.0..=100.0).contains(&p))
}
