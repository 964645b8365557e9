//! A run goes on with another plan: what is done in both by the same step stays done.
//!
//! Must never: change the plan under a call that is out, or to another app or Region. Where to look next:
//! [`crate::runbook::switching`] (what the two plans have in common, for the person who chooses).

use std::sync::Arc;

use super::{
    answers::typed_as_it_stands,
    course::{Course, Illegal, Progress, blank, illegal},
};
use crate::{
    domain::StepId,
    runbook::{
        build::Frozen,
        plan::PlanHash,
        run::{Declaration, StepState},
    },
};

/// What is done in both plans by the same step stays done. Nothing may be out while the plan changes under it.
pub(super) fn switched(
    course: &mut Course,
    hash: &PlanHash,
    json: &str,
    declaration: &Declaration,
) -> Result<(), Illegal> {
    if (0..course.progress.len()).any(|n| course.in_flight(n)) {
        return Err(illegal("a call is out: what became of it must be known before the plan changes"));
    }
    let frozen: Frozen =
        serde_json::from_str(json).map_err(|error| illegal(format!("the new plan cannot be read: {error}")))?;
    if frozen.plan.hash != *hash {
        return Err(illegal("the new plan is not the one that was looked at"));
    }
    if frozen.plan.app != course.frozen.plan.app || frozen.plan.target != course.frozen.plan.target {
        return Err(illegal("the new plan is of another app or goes elsewhere"));
    }
    typed_as_it_stands(
        declaration,
        &frozen.plan.app_name,
        frozen.plan.app.as_str(),
        &frozen.plan.target_name,
        frozen.plan.target_region.as_str(),
    )?;
    let kept = kept(&course.frozen, &frozen, &course.shown.steps);
    let mut steps = blank(&frozen.plan);
    let mut progress = vec![Progress::default(); steps.len()];
    for id in &kept {
        let (Some(old), Some(new)) = (course.index(id), steps.iter().position(|step| step.id == *id)) else { continue };
        steps[new] = course.shown.steps[old].clone();
        progress[new] = course.progress[old].clone();
    }
    course.shown.plan = Arc::new(frozen.plan.clone());
    course.shown.steps = steps;
    course.shown.declaration.who = declaration.who.clone();
    course.frozen = Arc::new(frozen);
    course.progress = progress;
    (course.ask, course.parked, course.armed, course.switched) = (None, None, true, true);
    Ok(())
}

/// Steps that have ended and that the new plan has in the same form: they are not done again.
#[must_use]
pub fn kept(old: &Frozen, new: &Frozen, states: &[StepState]) -> Vec<StepId> {
    let same = |state: &&StepState| {
        let of = |frozen: &Frozen| frozen.steps.iter().find(|step| step.id == state.id).cloned();
        state.phase.ended() && of(old).is_some_and(|step| of(new) == Some(step))
    };
    states.iter().filter(same).map(|state| state.id.clone()).collect()
}
