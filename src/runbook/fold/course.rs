//! A run with what its driver must remember besides what is shown, and how a step of it ends.
//!
//! Must never: change by anything but a record. Where to look next: [`super::transition`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    domain::{CallDescription, StepId, Timestamp, text::SafeText},
    runbook::{
        build::Frozen,
        finding::{Leftover, Traces},
        plan::{GuardReading, Override, Plan, PlannedStep},
        run::{Ask, RunState, StepPhase, StepState, WaveMark},
        spec,
    },
};

/// A run with what its driver must remember besides what is shown.
#[derive(Clone, Debug)]
pub struct Course {
    pub shown: RunState,
    pub frozen: Arc<Frozen>,
    pub progress: Vec<Progress>,
    /// Whether new steps may begin and calls be sent.
    pub armed: bool,
    pub held: bool,
    pub parked: Option<(Option<StepId>, SafeText)>,
    pub ask: Option<Ask>,
    /// What somebody else did, as far as it was shown to a person of this run.
    pub noticed: Vec<SafeText>,
    /// Whether it goes on by another plan than the one that was declared.
    pub switched: bool,
}

/// Of one step, parallel to the plan's.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub confirmed: Option<Confirmation>,
    /// Given overrides, each with the reading that it was given for.
    pub overrides: BTreeMap<usize, (Override, GuardReading)>,
    /// The call of the newest attempt.
    pub call: Option<CallDescription>,
    pub traces: Traces,
    /// Whether this attempt put what it leaves on the list: an earlier one may have left it before.
    pub listed: bool,
    pub request_digest: Option<String>,
    /// What the accepted call answered that helps to observe it, e.g. the id of a DNS change.
    pub accepted: Option<SafeText>,
    /// Since when the newest attempt has been observed, or in doubt.
    pub observing_since: Option<Timestamp>,
    /// Whether a person ended it by skipping, or the runbook's policy.
    pub exception: bool,
}

/// What a person confirmed.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirmation {
    pub guards: Vec<GuardReading>,
    /// The accepted bound of a data loss; `None`: no loss was asked about, or an unknown amount was accepted.
    pub loss: Option<Duration>,
}

/// What cannot follow, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Illegal(pub SafeText);

pub(super) fn illegal(why: impl AsRef<str>) -> Illegal {
    Illegal(SafeText::new(why))
}

impl Course {
    #[must_use]
    pub fn index(&self, step: &StepId) -> Option<usize> {
        self.shown.steps.iter().position(|state| state.id == *step)
    }

    pub(super) fn at_step(&self, step: &StepId) -> Result<usize, Illegal> {
        self.index(step).ok_or_else(|| illegal(format!("the plan has no step {step}")))
    }

    /// Overrides given, in the shape that guards are evaluated with.
    #[must_use]
    pub fn overrides(&self, n: usize) -> Vec<(usize, Override)> {
        self.progress[n].overrides.iter().map(|(guard, (given, _))| (*guard, given.clone())).collect()
    }

    /// The list of its wave, where that stands for a confirmation of the step: once, and by the plan that was listed.
    #[must_use]
    pub fn listed(&self, n: usize) -> Option<&WaveMark> {
        let listed = !self.switched && self.shown.steps[n].attempts <= 1;
        self.shown.declaration.wave.as_ref().filter(|_| listed)
    }

    /// A call of the step may be under way or in doubt.
    #[must_use]
    pub fn in_flight(&self, n: usize) -> bool {
        matches!(
            self.shown.steps[n].phase,
            StepPhase::Intended | StepPhase::Sent | StepPhase::Observing | StepPhase::InDoubt
        )
    }
}

pub(super) fn blank(plan: &Plan) -> Vec<StepState> {
    let blank = |step: &PlannedStep| StepState {
        id: step.id.clone(),
        phase: StepPhase::Pending,
        attempts: 0,
        started_at: None,
        ended_at: None,
        detail: SafeText::default(),
        request_id: None,
        guards: Vec::new(),
    };
    plan.steps.iter().map(blank).collect()
}

pub(super) fn expect(course: &Course, n: usize, from: &[StepPhase], what: &str) -> Result<(), Illegal> {
    let state = &course.shown.steps[n];
    if from.contains(&state.phase) {
        Ok(())
    } else {
        Err(illegal(format!("step {} {what} although it is {:?}", state.id, state.phase)))
    }
}

/// The call had no effect: what it would have left is not there, unless an attempt before it left that. One that was
/// accepted and not seen done is.
pub(super) fn nothing_left(course: &mut Course, n: usize) {
    let accepted = course.shown.steps[n].phase == StepPhase::Observing;
    let progress = &course.progress[n];
    if let Some(left) = progress.traces.leaves.clone().filter(|_| progress.listed && !accepted) {
        course.shown.leftovers.retain(|known| *known != left);
    }
}

pub(super) fn end(course: &mut Course, n: usize, phase: StepPhase, detail: SafeText, at: Timestamp) {
    if phase == StepPhase::Done {
        let own = &course.frozen.steps[n];
        let makers = spec::takes_away(&own.id, &own.params);
        let left = |maker: &StepId| {
            let maker = course.shown.steps.iter().position(|step| step.id == *maker)?;
            course.progress[maker].traces.leaves.clone()
        };
        let gone: Vec<Leftover> =
            makers.iter().filter_map(left).chain(course.progress[n].traces.clears.clone()).collect();
        course.shown.leftovers.retain(|left| !gone.contains(left));
    }
    let state = &mut course.shown.steps[n];
    state.phase = phase;
    state.detail = detail;
    state.ended_at = Some(at);
}
