//! The one transition function: `(course, entry) -> course`. Live recording and recovery both go through it.
//!
//! Must never: look at a clock, guess, or accept what cannot follow. An illegal event is an error, also when it
//! comes from our own journal. Where to look next: [`transition`] (what each record changes), [`answers`] (what a
//! person may say, and what it changes), [`switched`] (another plan), [`course`] (what is kept), [`words`].

mod answers;
mod course;
mod switched;
mod transition;
mod words;

use std::{sync::Arc, time::Duration};

use self::course::{blank, illegal};
pub use self::{
    answers::{admit, typed_as_it_stands},
    course::{Confirmation, Course, Illegal, Progress},
    switched::kept,
    words::{line, standing},
};
use super::{
    build::Frozen,
    clocks::{self, Timeline},
    event::{Entry, Event},
    run::{Answer, Phase, RunId, RunState, StepPhase},
};
use crate::domain::{StepId, text::SafeText};

/// Lines kept for the screen; the journal keeps all.
const LOG_LINES_MAX: usize = 200;

/// A run from the first entry of its journal.
///
/// # Errors
/// When the entry is not a declaration of this plan.
pub fn begin(id: RunId, frozen: Arc<Frozen>, entry: &Entry) -> Result<Course, Illegal> {
    let Event::Declared { plan_hash, declaration, principal } = &entry.event else {
        return Err(illegal("a run begins with its declaration"));
    };
    if *plan_hash != frozen.plan.hash {
        return Err(illegal("declared for another plan"));
    }
    let shown = RunState {
        id,
        plan: Arc::new(frozen.plan.clone()),
        declaration: declaration.clone(),
        principal: principal.clone(),
        declared_at: entry.at,
        ended_at: None,
        phase: Phase::Armed,
        held_after_step: false,
        steps: blank(&frozen.plan),
        epoch: 1,
        driven: false,
        elsewhere: None,
        waited: Duration::ZERO,
        waiting_since: None,
        notes: Vec::new(),
        log: vec![(entry.at, SafeText::new(format!("declared by {}: {}", declaration.who, declaration.incident)))],
        unprotected_since: None,
        timeline: Timeline::of([entry]),
        measured: None,
        leftovers: Vec::new(),
    };
    let progress = vec![Progress::default(); frozen.plan.steps.len()];
    let (ask, parked, noticed) = (None, None, Vec::new());
    Ok(Course { shown, frozen, progress, armed: true, held: false, parked, ask, noticed, switched: false })
}

/// A run from its whole journal.
///
/// # Errors
/// At the first entry that cannot follow.
pub fn fold<'a>(
    id: RunId,
    frozen: Arc<Frozen>,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<Course, Illegal> {
    let mut entries = entries.into_iter();
    let first = entries.next().ok_or_else(|| illegal("a run without a single record"))?;
    entries.try_fold(begin(id, frozen, first)?, apply)
}

/// What follows from the entry.
///
/// # Errors
/// When it cannot follow.
pub fn apply(mut course: Course, entry: &Entry) -> Result<Course, Illegal> {
    if course.shown.phase.ended() && !matches!(entry.event, Event::Answered { answer: Answer::Note { .. } }) {
        return Err(illegal(format!("{} after the run ended", entry.event.word())));
    }
    course.shown.timeline.note(entry);
    transition::transition(&mut course, entry)?;
    settle(&mut course, entry);
    Ok(course)
}

/// The phase follows from the rest; time in which a person was waited for is added up; one line for the log.
fn settle(course: &mut Course, entry: &Entry) {
    let started = course.shown.steps.iter().any(|step| step.phase != StepPhase::Pending || step.attempts > 0);
    let busy =
        (0..course.progress.len()).any(|n| course.in_flight(n) || course.shown.steps[n].phase == StepPhase::Checking);
    if !course.shown.phase.ended() {
        course.shown.phase = if let Some(ask) = &course.ask {
            Phase::Waiting(ask.clone())
        } else if let Some((step, why)) = &course.parked {
            Phase::Parked { step: step.clone(), why: why.clone() }
        } else if course.held && !busy {
            Phase::Held
        } else if started {
            Phase::Running
        } else {
            Phase::Armed
        };
    }
    course.shown.held_after_step = course.held && !course.shown.phase.ended();
    let waiting = matches!(course.shown.phase, Phase::Waiting(_) | Phase::Parked { .. } | Phase::Held);
    match (course.shown.waiting_since, waiting) {
        (None, true) => course.shown.waiting_since = Some(entry.at),
        (Some(since), false) => {
            course.shown.waited += entry.at.since(since);
            course.shown.waiting_since = None;
        }
        _ => {}
    }
    if let Some(line) = line(entry) {
        course.shown.log.push((entry.at, line));
        let surplus = course.shown.log.len().saturating_sub(LOG_LINES_MAX);
        course.shown.log.drain(..surplus);
    }
}

/// Steps that did not go as the runbook says.
#[must_use]
pub fn exceptions(course: &Course) -> u32 {
    let skipped = course.progress.iter().filter(|progress| progress.exception).count();
    let overridden = course.progress.iter().map(|progress| progress.overrides.len()).sum::<usize>();
    (skipped + overridden) as u32
}

/// How long each finished step of the run took, people left out, for the estimate of the next one.
pub fn durations(run: &RunState) -> impl Iterator<Item = (StepId, Duration)> + '_ {
    clocks::durations(run, &run.timeline)
}
