//! The order of the steps: by the file, by `after`, in parallel groups, and with nested runbooks in their place.
//! All of it becomes one graph of plain steps, in an order in which they could be taken one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::{super::values, Candidate, Candidates, Head, Placed, Surroundings, parameters::Written, step};
use crate::domain::{
    StepId,
    app::Param,
    diagnostic::nearest,
    document::{Report, Table},
};
use crate::runbook::{
    bind,
    spec::{self, Only, ParameterSpec, Presence, Spot, StepSpec},
};

/// `kind = "parallel"`: a group, flattened away here.
pub(in crate::estate) const PARALLEL: &str = "parallel";

/// `kind = "runbook"`: another file's steps in this place, flattened away here.
pub(in crate::estate) const NESTED: &str = "runbook";

/// The steps of a runbook, flat, and the runbooks that some of them came from.
pub(super) struct Flow<'h, 'd, 'a> {
    pub steps: Vec<StepSpec>,
    pub nested: Vec<&'h Head<'d, 'a>>,
}

/// One `[[step]]` of the file.
struct Entry {
    id: Placed,
    /// `None`: the entry before it in the file.
    after: Option<Vec<Placed>>,
    body: Body,
}

enum Body {
    /// Without the step where it could not be read.
    Step(Option<Box<StepSpec>>),
    Group(Vec<Vec<Placed>>),
    Nested(Vec<StepSpec>),
}

/// Whether the groups can be followed: with a wrong one a circle is only its consequence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Branches {
    Good,
    Bad,
}

pub(super) fn read<'h, 'd, 'a>(
    head: &Head<'_, '_>,
    library: &'h [Head<'d, 'a>],
    candidates: &Candidates<'_>,
    around: &Surroundings<'_>,
) -> Flow<'h, 'd, 'a> {
    let report = &head.report;
    let root = head.document.root();
    let tables = root.tables("step");
    if tables.is_empty() {
        report.error("no-step", root.span(), "the runbook has no step".to_owned(), Some("add a [[step]]".into()));
    }
    let mut nested_heads = Vec::new();
    let mut entries: Vec<Entry> = Vec::new();
    for mut table in tables {
        table.call_it("the step");
        let id = values::need_id(&table, "id");
        if let Some((id, _)) = &id {
            table.call_it(format!("step \"{id}\""));
        }
        let kind = table.get("kind").and_then(|kind| kind.raw().as_str().map(str::to_owned));
        let (id, after, body) = match kind.as_deref() {
            Some(PARALLEL) => {
                let after = values::list_of_text(&table, "after");
                (id, after, Body::Group(group(table)))
            }
            Some(NESTED) => {
                let after = values::list_of_text(&table, "after");
                let (steps, inner) = nested(table, id.as_ref(), head, library, candidates, around);
                nested_heads.extend(inner);
                (id, after, Body::Nested(steps))
            }
            _ => {
                let draft = step::read(table, id, candidates, around.kinds, around.ground);
                (draft.id, draft.after, Body::Step(draft.spec.map(Box::new)))
            }
        };
        let Some((id, span)) = id else { continue };
        if let Some(first) = entries.iter().find(|entry| entry.id.0 == id) {
            let line = report.file().text[..first.id.1.start].matches('\n').count() + 1;
            report.error("duplicate-id", span, format!("a second step `{id}`"), Some(format!("first in line {line}")));
            continue;
        }
        entries.push(Entry { id: (id, span), after, body });
    }
    let (waits, branches) = waits(&entries, report);
    let ids: Vec<Placed> = entries.iter().map(|entry| entry.id.clone()).collect();
    let (mut steps, places) = flatten(entries, &waits);
    if branches == Branches::Good {
        cycle(&steps, &ids, report);
    }
    in_order(&mut steps);
    cleanup(&steps, &places, report);
    Flow { steps, nested: nested_heads }
}

/// `branches = [["a", "b"], ["c"]]`: each branch in order, the branches beside each other.
fn group(table: Table<'_, '_>) -> Vec<Vec<Placed>> {
    values::said(&table, "title", table.need_text("title"));
    let _ = table.get("kind");
    let mut branches = Vec::new();
    if let Some(value) = table.need("branches") {
        for branch in table.list("branches") {
            let Some(items) = branch.raw().as_array() else {
                let _: Option<()> = table.wrong("branches", branch, "a list of lists of step ids");
                continue;
            };
            let ids: Vec<Placed> =
                items.iter().filter_map(|item| Some((item.get_ref().as_str()?.to_owned(), item.span()))).collect();
            if ids.len() < items.len() {
                let _: Option<()> = table.wrong("branches", branch, "a list of lists of step ids");
            } else if ids.is_empty() {
                let message = "a branch without a step".to_owned();
                table.report().error("empty-list", branch.span(), message, None);
            } else {
                branches.push(ids);
            }
        }
        if table.list("branches").len() < 2 {
            let help = Some("branches = [[\"a\", \"b\"], [\"c\"]]".into());
            let message = "a parallel group has at least two branches".to_owned();
            table.report().error("too-few-branches", value.span(), message, help);
        }
    }
    table.done();
    branches
}

/// What each entry waits for, as ids of entries. A branch's first step waits for what its group waits for.
fn waits(entries: &[Entry], report: &Report) -> (BTreeMap<String, Vec<Placed>>, Branches) {
    let mut good = Branches::Good;
    let position: BTreeMap<&str, usize> = entries.iter().enumerate().map(|(n, e)| (e.id.0.as_str(), n)).collect();
    // Of each step in a branch: its group, and the step before it there.
    let mut member: BTreeMap<&str, (&Entry, Option<&Placed>)> = BTreeMap::new();
    for (n, entry) in entries.iter().enumerate() {
        let Body::Group(branches) = &entry.body else { continue };
        for branch in branches {
            for (m, (id, span)) in branch.iter().enumerate() {
                let found = position.get(id.as_str()).copied();
                let problem = match found {
                    None => {
                        let help =
                            nearest(id, position.keys().copied()).map(|near| format!("did you mean \"{near}\"?"));
                        report.error("missing-reference", span.clone(), format!("there is no step `{id}`"), help);
                        continue;
                    }
                    Some(at) if matches!(entries[at].body, Body::Group(_)) => "a group inside a group".to_owned(),
                    Some(at) if at < n => format!("step `{id}` stands before its group"),
                    Some(at) if entries[at].after.is_some() => {
                        format!("step `{id}` has an `after` of its own; its branch says when it comes")
                    }
                    Some(_) if member.contains_key(id.as_str()) => format!("step `{id}` stands in two branches"),
                    Some(_) => {
                        member.insert(id, (entry, m.checked_sub(1).map(|before| &branch[before])));
                        continue;
                    }
                };
                report.error("bad-branch", span.clone(), problem, None);
                good = Branches::Bad;
            }
        }
    }
    let mut found: BTreeMap<String, Vec<Placed>> = BTreeMap::new();
    let mut before: Option<&Placed> = None;
    for entry in entries {
        let (id, _) = &entry.id;
        let waits_for = match (member.get(id.as_str()), &entry.after) {
            (Some((_, Some(previous))), _) => vec![(*previous).clone()],
            (Some((group, None)), _) => found.get(&group.id.0).cloned().unwrap_or_default(),
            (None, Some(after)) => after.clone(),
            (None, None) => before.cloned().into_iter().collect(),
        };
        for (other, span) in entry.after.iter().flatten() {
            if other == id {
                report.error("cycle", span.clone(), format!("step `{id}` waits for itself"), None);
            } else if !position.contains_key(other.as_str()) {
                let help = nearest(other, position.keys().copied()).map(|near| format!("did you mean \"{near}\"?"));
                report.error("missing-reference", span.clone(), format!("there is no step `{other}`"), help);
            }
        }
        if !member.contains_key(id.as_str()) {
            before = Some(&entry.id);
        }
        found.insert(id.clone(), waits_for);
    }
    (found, good)
}

/// The steps alone, each waiting for steps, and the place of each in the file.
fn flatten(
    entries: Vec<Entry>,
    waits: &BTreeMap<String, Vec<Placed>>,
) -> (Vec<StepSpec>, BTreeMap<StepId, Range<usize>>) {
    // What stands for an entry when somebody waits for it: its last steps.
    let mut ends: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in &entries {
        let own = match &entry.body {
            Body::Step(_) => continue,
            Body::Group(branches) => {
                branches.iter().filter_map(|branch| branch.last()).map(|(id, _)| id.clone()).collect()
            }
            Body::Nested(steps) => last(steps).iter().map(ToString::to_string).collect(),
        };
        ends.insert(entry.id.0.clone(), own);
    }
    let resolve = |id: &str| -> Vec<StepId> {
        let mut open = vec![id.to_owned()];
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id.clone()) {
                continue;
            }
            match ends.get(&id) {
                Some(own) => open.extend(own.iter().rev().cloned()),
                None => found.push(StepId::new(id)),
            }
        }
        found
    };
    let mut steps = Vec::new();
    let mut places = BTreeMap::new();
    for entry in entries {
        let mut after: Vec<StepId> = Vec::new();
        for id in waits.get(&entry.id.0).into_iter().flatten().flat_map(|(id, _)| resolve(id)) {
            if !after.contains(&id) {
                after.push(id);
            }
        }
        match entry.body {
            Body::Step(None) | Body::Group(_) => {}
            Body::Step(Some(mut spec)) => {
                places.insert(spec.id.clone(), entry.id.1.clone());
                spec.after = after;
                steps.push(*spec);
            }
            Body::Nested(inner) => {
                for mut spec in inner {
                    if spec.after.is_empty() {
                        spec.after.clone_from(&after);
                    }
                    places.insert(spec.id.clone(), entry.id.1.clone());
                    steps.push(spec);
                }
            }
        }
    }
    (steps, places)
}

/// The steps that nobody waits for.
fn last(steps: &[StepSpec]) -> Vec<StepId> {
    let waited: BTreeSet<&StepId> = steps.iter().flat_map(|step| &step.after).collect();
    steps.iter().map(|step| &step.id).filter(|id| !waited.contains(id)).cloned().collect()
}

/// Puts every step behind those it waits for, else as in the file. Steps in a circle were reported and stay last.
fn in_order(steps: &mut Vec<StepSpec>) {
    let mut open: Vec<StepSpec> = std::mem::take(steps);
    let known: BTreeSet<StepId> = open.iter().map(|step| step.id.clone()).collect();
    let mut done: BTreeSet<StepId> = BTreeSet::new();
    while !open.is_empty() {
        let ready = |step: &StepSpec| step.after.iter().all(|id| done.contains(id) || !known.contains(id));
        let next = open.iter().position(ready).unwrap_or(0);
        let step = open.remove(next);
        done.insert(step.id.clone());
        steps.push(step);
    }
}

/// What a rehearsal leaves behind must be taken away by a later step of it; whoever takes away the work of a step names
/// one before it.
fn cleanup(steps: &[StepSpec], places: &BTreeMap<StepId, Range<usize>>, report: &Report) {
    for (n, step) in steps.iter().enumerate() {
        for maker in spec::takes_away(&step.id, &step.params) {
            if steps[..n].iter().any(|earlier| earlier.id == maker) {
                continue;
            }
            let span = places.get(&step.id).cloned().unwrap_or(0..0);
            let message = format!("step `{}` takes away what `{maker}` left: no step before it is called so", step.id);
            let near = nearest(maker.as_str(), steps[..n].iter().map(|earlier| earlier.id.as_str()));
            report.error("missing-reference", span, message, near.map(|near| format!("did you mean \"{near}\"?")));
        }
    }
    for (step, what) in bind::left_behind(steps) {
        let span = places.get(&step.id).cloned().unwrap_or(0..0);
        let message = format!("as a drill, step `{}` leaves a {what} that no later step takes away", step.id);
        let help = "add a step that clears it, with `only = \"drill\"`, or give this one `only = \"real\"`";
        report.warning("drill-without-cleanup", span, message, Some(help.to_owned()));
    }
}

/// Another runbook's steps, as this one's: `<this step>/<that step>`.
fn nested<'h, 'd, 'a>(
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
