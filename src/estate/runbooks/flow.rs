//! The order of the steps: by the file, by `after`, in parallel groups, and with nested runbooks in their place.
//! All of it becomes one graph of plain steps, in an order in which they could be taken one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::{super::values, Candidates, Head, Placed, Surroundings, nested::nested, sound, step};
use crate::domain::{
    StepId,
    diagnostic::nearest,
    document::{Report, Table},
};
use crate::runbook::spec::StepSpec;

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
        sound::cycle(&steps, &ids, report);
    }
    in_order(&mut steps);
    sound::cleanup(&steps, &places, report);
    sound::attested(&steps, &places, report);
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
