//! What must be so of the steps of a runbook as a whole, once their order is known.

use std::{collections::BTreeMap, ops::Range};

use super::Placed;
use crate::domain::{StepId, diagnostic::nearest, document::Report};
use crate::runbook::{
    bind,
    guards_estate::CHECKLIST,
    spec::{self, StepSpec},
};

/// What a rehearsal leaves behind must be taken away by a later step of it; whoever takes away the work of a step names
/// one before it.
pub(super) fn cleanup(steps: &[StepSpec], places: &BTreeMap<StepId, Range<usize>>, report: &Report) {
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

/// A guard that counts on a checklist that comes later, or is none, could never hold.
pub(super) fn attested(steps: &[StepSpec], places: &BTreeMap<StepId, Range<usize>>, report: &Report) {
    for (n, step) in steps.iter().enumerate() {
        for by in step.guards.iter().filter_map(|spec| spec.guard.attested_by()) {
            let before = steps[..n].iter().find(|earlier| earlier.id == *by);
            if before.is_some_and(|earlier| earlier.kind == CHECKLIST) {
                continue;
            }
            let span = places.get(&step.id).cloned().unwrap_or(0..0);
            let message = format!("a guard of step `{}` counts on `{by}`: that is no checklist before it", step.id);
            let checklists = steps[..n].iter().filter(|earlier| earlier.kind == CHECKLIST);
            let help = nearest(by.as_str(), checklists.map(|earlier| earlier.id.as_str())).map_or_else(
                || format!("a checklist is a step of kind `{CHECKLIST}`"),
                |near| format!("did you mean \"{near}\"?"),
            );
            report.error("missing-reference", span, message, Some(help));
        }
    }
}

/// Reports the steps that can never start because they wait for each other.
pub(super) fn cycle(steps: &[StepSpec], ids: &[Placed], report: &Report) {
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
