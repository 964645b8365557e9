//! Where the rim stands with each step, and what a look at one step comes to: something to do, to wait for, to ask.
//!
//! Must never: hold what must outlive the driver; that is on record. Where to look next: [`super::Machine::next`].

use std::time::Duration;

use super::{Do, Errand, Machine, Moment, Ready, Report, Survey, Task, Way};
use crate::{
    domain::{StepId, text::SafeText, time},
    runbook::{
        event::{Event, Failure},
        plan::PlannedStep,
        signal::TRIES_WALL,
        spec::OnFailure,
    },
};

/// Wall time between two turns at least, however fast estate time runs.
pub(super) const POLL_WALL_MIN: Duration = Duration::from_millis(5);

/// Where the rim stands with a step.
#[derive(Debug, Default)]
pub(super) enum Stage {
    #[default]
    Idle,
    Out(u64),
    Back(Report),
    /// The survey came back; `Guarded` is written, or about to be.
    Surveyed(Survey, Noted),
    /// Waiting for what would be sent.
    Preparing(u64, Survey),
    Prepared(Survey, Ready),
    /// The intent is being written, or is.
    Cleared,
    /// `Sent` is on record and the call has not begun.
    ToSend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    No,
    Yes,
}

/// What the machine remembers of a step besides its state on record: lost with the driver, and then found out anew.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) stage: Stage,
    /// Not before, on the monotonic clock.
    pub(super) due: Option<Duration>,
    /// Since when the present attempt is under way, as seen by this driver.
    pub(super) since: Option<Moment>,
    /// Agreeing looks at a call in doubt: how many, and since when.
    pub(super) agreed: Option<(u32, Moment)>,
    pub(super) rereads: u32,
    /// Readings of this attempt that failed and were tried again.
    pub(super) retries: u32,
}

pub(super) enum Turn {
    Do(Do),
    /// Something is due after this much wall time.
    Later(Duration),
    Nothing,
}

impl Turn {
    pub(super) fn append(event: Event) -> Self {
        Self::Do(append(event))
    }
}

pub(super) fn append(event: Event) -> Do {
    Do::Append(Box::new(event))
}

impl Machine {
    /// A look at what does not answer ends by its time-out on the wall: where estate time runs faster, a time-out of the
    /// runbook may be over before anybody could have seen anything.
    pub(super) fn later_or_fail(&mut self, n: usize, late: &str, detail: &SafeText, now: &Moment) -> Turn {
        let timeout = self.planned(n).timeout;
        let looked_long = self.looked(n, now) >= timeout.min(TRIES_WALL);
        if self.elapsed(n, now) <= timeout || !looked_long {
            self.show(n, detail);
            return self.later(n, self.rules.poll, now);
        }
        self.fail(n, SafeText::new(format!("{late} {}: {detail}", time::short(timeout))))
    }

    pub(super) fn fail(&self, n: usize, detail: SafeText) -> Turn {
        let planned = self.planned(n);
        let step = self.id(n);
        // Only what reads may be passed over by the runbook's own policy.
        if planned.on_failure == OnFailure::Continue && planned.calls.is_empty() && self.ways[n] == Way::Reads {
            let reason = SafeText::new(format!("the runbook goes on without it: {detail}"));
            return Turn::append(Event::Passed { step, reason });
        }
        Turn::append(Event::Failed { step, detail, failure: Failure::Unseen })
    }

    /// At once: what has failed does not become done by waiting. Going on is a person's word, as after any failure.
    pub(super) fn told(&self, n: usize, why: SafeText) -> Turn {
        Turn::append(Event::Failed { step: self.id(n), detail: why, failure: Failure::Told })
    }

    /// One question at a time also means: a person who is asked about another step is not interrupted by a parking.
    pub(super) fn park(&mut self, n: usize, why: SafeText, now: &Moment) -> Turn {
        if self.course.ask.is_some() {
            self.show(n, &why);
            return self.later(n, self.rules.poll, now);
        }
        Turn::append(Event::Parked { step: Some(self.id(n)), why })
    }

    pub(super) fn start_or_wait(&mut self, n: usize, stage: Stage, what: Errand, now: &Moment) -> Turn {
        match stage {
            Stage::Out(_) | Stage::Preparing(..) => {
                self.slots[n].stage = stage;
                return Turn::Nothing;
            }
            _ => {} // what was left of another phase of the step: begin anew
        }
        if let Some(due) = self.slots[n].due {
            let left = due.saturating_sub(now.monotonic);
            if !left.is_zero() {
                return Turn::Later(left);
            }
        }
        let ticket = self.ticket();
        self.slots[n].stage = Stage::Out(ticket);
        Turn::Do(Do::Start(Task { step: n, ticket, what }))
    }

    pub(super) fn later(&mut self, n: usize, estate: Duration, now: &Moment) -> Turn {
        let pause = now.wall(estate).max(POLL_WALL_MIN);
        let slot = &mut self.slots[n];
        slot.stage = Stage::Idle;
        slot.due = Some(now.monotonic + pause);
        Turn::Later(pause)
    }

    /// Of the present attempt, as far as this driver has seen it.
    pub(super) fn elapsed(&mut self, n: usize, now: &Moment) -> Duration {
        let since = *self.slots[n].since.get_or_insert(*now);
        now.since(&since)
    }

    /// The same on the wall.
    pub(super) fn looked(&mut self, n: usize, now: &Moment) -> Duration {
        let since = *self.slots[n].since.get_or_insert(*now);
        now.monotonic.saturating_sub(since.monotonic)
    }

    /// What is seen on the way is shown, not written down.
    pub(super) fn show(&mut self, n: usize, detail: &SafeText) {
        let state = &mut self.course.shown.steps[n];
        if state.detail != *detail {
            state.detail = detail.clone();
            self.changed = true;
        }
    }

    pub(super) fn take(&mut self, n: usize) -> Stage {
        std::mem::take(&mut self.slots[n].stage)
    }

    pub(super) fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    pub(super) fn id(&self, n: usize) -> StepId {
        self.course.frozen.plan.steps[n].id.clone()
    }

    pub(super) fn planned(&self, n: usize) -> &PlannedStep {
        &self.course.frozen.plan.steps[n]
    }
}
