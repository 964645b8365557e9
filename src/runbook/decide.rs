//! What to do next, from the state alone. The engine does it; nothing here has an effect.

use std::time::Duration;

use super::{
    fold::Course,
    guards::{self, LossBound},
    plan::GuardReading,
    run::{Ask, StepPhase},
};
use crate::domain::{Hazard, StepId, text::SafeText, time};

/// Stands for a loss that nothing bounds, in [`Ask::Loss`].
pub const UNBOUNDED: Duration = Duration::from_hours(878_400);

/// The next thing to be done; indices are those of the plan's steps.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing until a person speaks.
    Wait,
    Ask(Ask),
    Begin(usize),
    /// Read, and for a step that acts: re-read the guards, then act.
    Check(usize),
    /// Written down but never sent.
    Withdraw(usize),
    /// Sent, and nobody was there to hear the answer.
    Doubt(usize),
    /// Accepted: look whether it has happened.
    Observe(usize),
    /// In doubt: look whether it has happened.
    Resolve(usize),
    Complete,
    /// Nothing can go on.
    Park(SafeText),
    Ended,
}

#[must_use]
pub fn next(course: &Course) -> Next {
    if course.shown.phase.ended() {
        return Next::Ended;
    }
    if course.ask.is_some() || course.parked.is_some() {
        return Next::Wait;
    }
    let steps = &course.shown.steps;
    for (n, step) in steps.iter().enumerate() {
        match step.phase {
            StepPhase::Sent => return Next::Doubt(n),
            StepPhase::Intended => return Next::Withdraw(n),
            StepPhase::Observing => return Next::Observe(n),
            StepPhase::InDoubt => return Next::Resolve(n),
            StepPhase::Checking if course.armed => return Next::Check(n),
            StepPhase::Checking => return Next::Ask(Ask::Rearm),
            StepPhase::Refused | StepPhase::Failed => {
                return Next::Park(SafeText::new(format!("{}: {}", step.id, step.detail)));
            }
            StepPhase::Pending | StepPhase::WaitingForPerson | StepPhase::Done | StepPhase::Skipped { .. } => {}
        }
    }
    if course.held {
        return Next::Wait;
    }
    let ended = |id: &StepId| course.index(id).is_some_and(|n| steps[n].phase.ended());
    let ready = course
        .frozen
        .plan
        .steps
        .iter()
        .zip(steps)
        .position(|(planned, step)| step.phase == StepPhase::Pending && planned.after.iter().all(ended));
    match ready {
        Some(_) if !course.armed => Next::Ask(Ask::Rearm),
        Some(n) => Next::Begin(n),
        None if steps.iter().all(|step| step.phase.ended()) => Next::Complete,
        None => Next::Park(SafeText::new("no step can go on")),
    }
}

/// What follows from guards that were just re-read.
#[derive(Clone, Debug, PartialEq)]
pub enum Judged {
    /// Everything holds and was confirmed: act.
    Go,
    Ask(Ask),
    /// A guard blocks that nobody may override.
    Park(SafeText),
    /// What a person said no longer covers the facts; afterwards they are asked anew.
    Void(SafeText),
}

/// Guards first, then friction as the hazard demands it.
#[must_use]
pub fn judge(course: &Course, n: usize, readings: &[GuardReading], loss: Option<&LossBound>) -> Judged {
    let (planned, frozen, progress) = (&course.frozen.plan.steps[n], &course.frozen.steps[n], &course.progress[n]);
    let step = planned.id.clone();
    let now_worse = |index: usize, then: &GuardReading| {
        let spec = frozen.guards.get(index)?;
        let now = readings.get(index)?;
        guards::worse(&spec.guard, then, now)
            .then(|| SafeText::new(format!("{} was {}, is {}", now.text, then.present, now.present)))
    };
    for (index, (_, given_for)) in &progress.overrides {
        if let Some(why) = now_worse(*index, given_for) {
            return Judged::Void(why);
        }
    }
    if let Some((guard, reading)) = readings.iter().enumerate().find(|(_, reading)| reading.blocks()) {
        return if reading.overridable {
            Judged::Ask(Ask::Override { step, guard, reading: reading.clone() })
        } else {
            Judged::Park(SafeText::new(format!("{}: {}", reading.text, reading.present)))
        };
    }
    let Some(confirmed) = &progress.confirmed else {
        return match planned.hazard {
            Hazard::None => Judged::Go,
            Hazard::Reversible => Judged::Ask(Ask::Key { step }),
            Hazard::Disruptive => Judged::Ask(Ask::Chord { step }),
            Hazard::DataLoss => Judged::Ask(loss_ask(step, readings, loss)),
        };
    };
    for (index, then) in confirmed.guards.iter().enumerate() {
        if let Some(why) = now_worse(index, then) {
            return Judged::Void(why);
        }
    }
    match (confirmed.loss, loss.map(|loss| loss.bound)) {
        (Some(accepted), Some(None)) => Judged::Void(SafeText::new(format!(
            "up to {} was accepted, now nothing bounds the loss",
            time::short(accepted)
        ))),
        (Some(accepted), Some(Some(bound))) if bound > accepted => Judged::Void(SafeText::new(format!(
            "up to {} was accepted, now {} may be lost",
            time::short(accepted),
            time::short_up(bound)
        ))),
        _ => Judged::Go,
    }
}

/// The figure is frozen here: only a reading worse than the rung voids it.
fn loss_ask(step: StepId, readings: &[GuardReading], loss: Option<&LossBound>) -> Ask {
    let bound = loss.and_then(|loss| loss.bound);
    let rounded = bound.map(guards::rounded_up);
    let mut lines = loss.map_or_else(
        || vec![SafeText::new("Nothing this console knows bounds what may be lost.")],
        |loss| loss.lines.clone(),
    );
    lines.extend(readings.iter().filter_map(|reading| {
        let given = reading.overridden.as_ref()?;
        Some(SafeText::new(format!(
            "Overridden: \"{}\", {}, reason \"{}\", authorised by {}.",
            reading.text, reading.present, given.reason, given.authoriser
        )))
    }));
    Ask::Loss {
        step,
        bound: bound.unwrap_or(UNBOUNDED),
        rounded: rounded.unwrap_or(UNBOUNDED),
        phrase: guards::loss_phrase(rounded),
        lines,
    }
}
