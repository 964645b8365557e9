//! A runbook nested in another: what it is given, and its steps in the other's place. One level is all that a person can
//! follow. Where to look next: [`super::flow`], where they take their place.

use std::{collections::BTreeMap, ops::Range};

use super::{super::values, Candidate, Candidates, Head, Placed, Surroundings, flow::read, parameters::Written, step};
use crate::domain::{
    StepId,
    app::Param,
    diagnostic::nearest,
    document::{Report, Table},
};
use crate::runbook::{
    bind,
    spec::{Only, ParameterSpec, Presence, Spot, StepSpec},
};

/// Another runbook's steps, as this one's: `<this step>/<that step>`.
pub(super) fn nested<'h, 'd, 'a>(
    table: Table<'_, '_>,
    id: Option<&Placed>,
    outer: &Head<'_, '_>,
    library: &'h [Head<'d, 'a>],
    candidates: &Candidates<'_>,
    around: &Surroundings<'_>,
) -> (Vec<StepSpec>, Option<&'h Head<'d, 'a>>) {
    let report = table.report().clone();
    let _ = table.get("kind");
    values::said(&table, "title", table.need_text("title"));
    let conditions = step::conditions(&table, candidates);
    let only = table.word("only", &Only::WORDS).map_or(Only::Always, |(only, _)| only);
    let named = table.need_text("runbook");
    let with: Vec<Written> = table.table("with").map_or_else(Vec::new, |inner| {
        let written = Written::all(&inner);
        inner.done();
        written
    });
    table.done();
    let Some((name, span)) = named else { return (Vec::new(), None) };
    let is = |head: &Head<'_, '_>| head.named.as_ref().is_some_and(|named| named.id == name);
    let Some(inner) = library.iter().find(|head| is(head)) else {
        let ids = library.iter().filter_map(|head| head.named.as_ref()).map(|named| named.id.as_str());
        let help = nearest(&name, ids).map(|near| format!("did you mean \"{near}\"?"));
        report.error("missing-reference", span, format!("there is no runbook `{name}`"), help);
        return (Vec::new(), None);
    };
    if is(outer) {
        report.error("cycle", span, format!("runbook `{name}` is nested in itself"), None);
        return (Vec::new(), None);
    }
    if let Some(deeper) = &inner.nests {
        let text = &inner.report.file().text;
        let line = text[..deeper.start].matches('\n').count() + 1;
        let help = Some(format!("its own nested runbook is in {}:{line}", inner.report.file().name));
        let message = format!("`{name}` nests a runbook itself: one level is all that a person can follow");
        report.error("nested-twice", span, message, help);
        return (Vec::new(), None);
    }
    let Some(given) = given(&with, inner, candidates, &conditions, &report, &span) else {
        return (Vec::new(), Some(inner));
    };
    let value = |one: &Candidate<'_>, spec: &ParameterSpec| match given.get(&spec.name) {
        Some(Given::Value(value)) => Some(value.clone()),
        Some(Given::Outer(outer)) => one.values.get(outer).cloned(),
        None => bind::by_itself(spec),
    };
    let declared = &inner.declared.parameters;
    let apps = candidates.apps.iter().filter(|one| conditions.iter().all(|name| bind::is_set(one.values.get(name))));
    let held = Candidates {
        apps: apps
            .map(|one| Candidate {
                app: one.app,
                values: declared.iter().filter_map(|s| Some((s.name.clone(), value(one, s)?))).collect(),
            })
            .collect(),
        complete: candidates.complete,
        declared,
        undeclared: &inner.declared.unreadable,
    };
    let steps = read(inner, &[], &held, around).steps;
    let prefix = id.map_or("?", |(id, _)| id.as_str());
    (adopt(&steps, prefix, declared, &given, &conditions, only), Some(inner))
}

/// What `with` says of a parameter.
enum Given {
    Value(Param),
    /// `"$name"` of the runbook that nests.
    Outer(String),
}

/// Reads `with`, and reports what the nested runbook does not know or still needs.
fn given(
    with: &[Written],
    inner: &Head<'_, '_>,
    candidates: &Candidates<'_>,
    conditions: &[String],
    report: &Report,
    span: &Range<usize>,
) -> Option<BTreeMap<String, Given>> {
    let id = inner.named.as_ref()?.id.as_str();
    let mut found = BTreeMap::new();
    let mut whole = true;
    for one in with {
        let (name, name_span) = &one.name;
        let Some(spec) = inner.declared.parameters.iter().find(|spec| spec.name == *name) else {
            let help = nearest(name, inner.declared.parameters.iter().map(|spec| spec.name.as_str()))
                .map(|near| format!("did you mean `{near}`?"));
            let message = format!("runbook `{id}` has no parameter `{name}`");
            report.error("unknown-parameter", name_span.clone(), message, help);
            whole = false;
            continue;
        };
        if let Some(outer) = one.reference() {
            let Some(passed) = candidates.parameter(report, outer, one.span.clone()) else {
                whole = false;
                continue;
            };
            let optional = passed.presence == Presence::Optional && !conditions.iter().any(|name| name == outer);
            if !Written::may_pass(&passed.kind, &spec.kind) {
                let message = format!("`${outer}` is a {}; `{name}` is a {}", passed.kind.word(), spec.kind.word());
                let help = Some("for a component: every kind of the one must be a kind of the other".into());
                report.error("parameter-type", one.span.clone(), message, help);
                whole = false;
            } else if optional && spec.presence != Presence::Optional {
                let message = format!("`${outer}` may have no value, and `{name}` must have one");
                let help = Some(format!("give the step `if = \"{outer}\"`"));
                report.error("unbound-parameter", one.span.clone(), message, help);
                whole = false;
            }
            found.insert(name.clone(), Given::Outer(outer.to_owned()));
            continue;
        }
        // A component that is named outright is one of every app.
        let apps: Vec<_> = candidates.apps.iter().map(|held| Some(held.app)).collect();
        let apps = if apps.is_empty() { vec![None] } else { apps };
        let values: Option<Vec<Param>> = apps.into_iter().map(|app| one.typed(&spec.kind, app)).collect();
        match values.and_then(|values| values.into_iter().next()) {
            Some(value) => {
                found.insert(name.clone(), Given::Value(value));
            }
            None => whole = false,
        }
    }
    for spec in &inner.declared.parameters {
        if spec.presence == Presence::Required && !with.iter().any(|one| one.name.0 == spec.name) {
            let message = format!("runbook `{id}` needs `{}`", spec.name);
            report.error("unbound-parameter", span.clone(), message, Some(format!("with = {{ {} = … }}", spec.name)));
            whole = false;
        }
    }
    whole.then_some(found)
}

/// The steps of the nested runbook with the nesting one's parameters for their own.
fn adopt(
    steps: &[StepSpec],
    prefix: &str,
    declared: &[ParameterSpec],
    given: &BTreeMap<String, Given>,
    conditions: &[String],
    only: Only,
) -> Vec<StepSpec> {
    let own = |name: &str| declared.iter().find(|spec| spec.name == name).and_then(bind::by_itself);
    let settled = |name: &String| match given.get(name) {
        Some(Given::Value(value)) => bind::is_set(Some(value)),
        Some(Given::Outer(_)) => true, // not yet: its own condition goes with it
        None => bind::is_set(own(name).as_ref()),
    };
    let mut kept = bind::rewire(steps, |step| step.conditions.iter().all(settled));
    let named = |id: &StepId| StepId::new(format!("{prefix}/{id}"));
    for step in &mut kept {
        step.id = named(&step.id);
        step.after = step.after.iter().map(named).collect();
        for by in step.guards.iter_mut().filter_map(|spec| spec.guard.attested_by_mut()) {
            *by = named(by);
        }
        let mut all = conditions.to_vec();
        all.extend(step.conditions.iter().filter_map(|name| match given.get(name) {
            Some(Given::Outer(outer)) => Some(outer.clone()),
            _ => None,
        }));
        all.dedup();
        step.conditions = all;
        if only != Only::Always {
            step.only = only;
        }
        for mut hole in std::mem::take(&mut step.holes) {
            let value = match given.get(&hole.parameter) {
                Some(Given::Outer(outer)) => {
                    hole.parameter.clone_from(outer);
                    // Until then it shows what it waits for.
                    if !matches!(hole.spot, Spot::Timeout | Spot::Expect) {
                        let _ = bind::fill(step, &hole, &Param::Text(format!("${outer}")));
                    }
                    step.holes.push(hole);
                    continue;
                }
                Some(Given::Value(value)) => Some(value.clone()),
                None => own(&hole.parameter),
            };
            // Types were checked where the value and the place were read.
            let _ = match value {
                Some(value) => bind::fill(step, &hole, &value),
                None => bind::drop_optional(step, &hole),
            };
        }
    }
    kept
}
