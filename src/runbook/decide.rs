//! What to do next, from the state alone. The engine does it; nothing here has an effect.

use std::time::Duration;

use super::{
    fold::Course,
    guards::{self, LossBound},
    plan::{GuardReading, PlannedStep},
    run::{Ask, StepPhase, StepState, WaveMark},
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

/// The first thing that anything calls for: what a run would do that does one thing at a time.
#[must_use]
pub fn next(course: &Course) -> Next {
    if course.shown.phase.ended() {
        return Next::Ended;
    }
    let of_steps = (0..course.shown.steps.len()).map(|n| of_step(course, n));
    of_steps.into_iter().find(|next| *next != Next::Wait).unwrap_or_else(|| of_run(course))
}

/// What one step calls for. Steps are independent of each other but for `after`, the one question that may be open,
/// and parking: what is out is observed on, nothing new begins.
#[must_use]
pub fn of_step(course: &Course, n: usize) -> Next {
    let step = &course.shown.steps[n];
    let asked = course.ask.as_ref();
    match step.phase {
        StepPhase::Sent => Next::Doubt(n),
        StepPhase::Intended => Next::Withdraw(n),
        StepPhase::Observing => Next::Observe(n),
        StepPhase::InDoubt if matches!(asked, Some(Ask::Verdict { step: s, .. }) if *s == step.id) => Next::Wait,
        StepPhase::InDoubt => Next::Resolve(n),
        _ if course.parked.is_some() => Next::Wait,
        StepPhase::Checking if course.armed => Next::Check(n),
        StepPhase::Refused | StepPhase::Failed if asked.is_some() => Next::Wait,
        StepPhase::Refused | StepPhase::Failed => Next::Park(SafeText::new(format!("{}: {}", step.id, step.detail))),
        StepPhase::Pending if course.held || !ready(course, n) => Next::Wait,
        StepPhase::Pending if course.armed => Next::Begin(n),
        StepPhase::Pending | StepPhase::Checking => rearm(course),
        StepPhase::WaitingForPerson | StepPhase::Done | StepPhase::Skipped { .. } => Next::Wait,
    }
}

/// What the run calls for when none of its steps calls for anything.
#[must_use]
pub fn of_run(course: &Course) -> Next {
    if course.ask.is_some() || course.parked.is_some() || course.held {
        return Next::Wait;
    }
    let steps = &course.shown.steps;
    if steps.iter().all(|step| step.phase.ended()) {
        return Next::Complete;
    }
    let stuck =
        |(n, step): (usize, &StepState)| step.phase.ended() || (step.phase == StepPhase::Pending && !ready(course, n));
    if steps.iter().enumerate().all(stuck) { Next::Park(SafeText::new("no step can go on")) } else { Next::Wait }
}

fn ready(course: &Course, n: usize) -> bool {
    let ended = |id: &StepId| course.index(id).is_some_and(|n| course.shown.steps[n].phase.ended());
    course.frozen.plan.steps[n].after.iter().all(ended)
}

fn rearm(course: &Course) -> Next {
    if course.ask.is_some() { Next::Wait } else { Next::Ask(Ask::Rearm) }
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
        // What is tried again, or planned otherwise, is confirmed by itself.
        if let Some(wave) = course.listed(n) {
            return of_wave(wave, planned, readings, loss);
        }
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

/// A wave was confirmed as one list with one phrase: up to the loss that the list gave the app, nothing more is asked.
fn of_wave(wave: &WaveMark, planned: &PlannedStep, readings: &[GuardReading], loss: Option<&LossBound>) -> Judged {
    let covered = match (planned.hazard, loss.map(|loss| loss.bound)) {
        (Hazard::DataLoss, Some(Some(bound))) => wave.accepts.is_some_and(|accepts| bound <= accepts),
        (Hazard::DataLoss, _) => false, // an unbounded loss is not in anybody's list
        _ => true,
    };
    if covered { Judged::Go } else { Judged::Ask(loss_ask(planned.id.clone(), readings, loss)) }
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
