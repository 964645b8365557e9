//! One run as a machine without hands: told what was seen and said, it says what to do next, one thing at a time.
//!
//! The rim (`crate::engine`) writes what it says to write, begins what it says to begin, and reports what came back.
//! Several steps may be under way at once; every record is written alone and in order. Must never: do I/O, ask a
//! clock, or say `Send` before `Sent` is on record. Where to look next: [`task`] (what it says and is told),
//! [`attempt`] and [`outcome`] (one step before and after its intent), [`super::decide`] (what a step's state calls
//! for) and [`super::fold`] (what a record changes).

mod attempt;
mod outcome;
mod rules;
mod task;
#[cfg(test)]
mod tests;
mod turn;

use std::time::Duration;

use self::turn::{Noted, POLL_WALL_MIN, Slot, Stage, Turn, append};
pub use self::{
    rules::{Moment, Pace, Rules},
    task::{Do, Errand, Gate, Ready, Report, Survey, Task, Way},
};
use super::{
    clocks,
    decide::{self, Next},
    event::{Entry, Event},
    fold::{self, Course, Illegal},
    run::{Answer, Ask},
};
use crate::domain::text::SafeText;

pub struct Machine {
    pub course: Course,
    ways: Vec<Way>,
    rules: Rules,
    slots: Vec<Slot>,
    tickets: u64,
    armed_at: Duration,
    last_word: Duration,
    gate: Gate,
    changed: bool,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("run", &self.course.shown.id)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// A run taken up now: declared a moment ago, or found on record and declared again.
    #[must_use]
    pub fn new(course: Course, way: impl Fn(&str) -> Way, rules: Rules, now: &Moment) -> Self {
        let mut machine = Self {
            course,
            ways: Vec::new(),
            rules,
            slots: Vec::new(),
            tickets: 0,
            armed_at: now.monotonic,
            last_word: now.monotonic,
            gate: Gate::Open,
            changed: false,
        };
        machine.lay_out(way);
        machine
    }

    fn lay_out(&mut self, way: impl Fn(&str) -> Way) {
        self.ways = self.course.frozen.steps.iter().map(|step| way(&step.kind)).collect();
        self.slots = self.ways.iter().map(|_| Slot::default()).collect();
    }

    /// The plan was replaced: what is done stays done, what is under way is found out anew.
    pub fn replanned(&mut self, way: impl Fn(&str) -> Way) {
        self.lay_out(way);
    }

    /// A run of a wave waits for its turn; while it does, its arming does not run out.
    pub fn gate(&mut self, gate: Gate, now: &Moment) {
        if gate != Gate::Open {
            self.armed_at = now.monotonic;
            self.last_word = now.monotonic;
        }
        self.gate = gate;
    }

    /// Whether what is shown changed without a record, since the last time this was asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// What a person says, as the record of it.
    ///
    /// # Errors
    /// When it cannot be said now, in words for the person.
    pub fn hear(&mut self, answer: Answer, now: &Moment) -> Result<Event, Illegal> {
        fold::admit(&self.course, &answer)?;
        self.last_word = now.monotonic;
        if matches!(answer, Answer::Rearm(_)) {
            self.armed_at = now.monotonic;
        }
        Ok(Event::Answered { answer })
    }

    /// What the run will be with this record.
    ///
    /// # Errors
    /// When the record cannot follow: a mistake of this program, and nothing must be written.
    pub fn with(&self, entry: &Entry) -> Result<Course, Illegal> {
        fold::apply(self.course.clone(), entry)
    }

    /// The record is on disk, and this is the run with it.
    pub fn written(&mut self, course: Course, event: &Event, now: &Moment) {
        self.course = course;
        if let Event::Answered { answer: Answer::Rearm(_) } | Event::Driven { .. } = event {
            self.armed_at = now.monotonic;
            self.last_word = now.monotonic;
        }
        let Some(n) = event.step().and_then(|step| self.course.index(step)) else { return };
        let slot = &mut self.slots[n];
        match event {
            Event::Begun { .. } | Event::Outcome { .. } => *slot = Slot { since: Some(*now), ..Slot::default() },
            Event::Guarded { .. } => {
                if let Stage::Surveyed(_, noted) = &mut slot.stage {
                    *noted = Noted::Yes;
                }
            }
            Event::Intended { .. } => {}
            Event::Sent { .. } => slot.stage = Stage::ToSend,
            Event::Answered { .. } | Event::Withdrawn { .. } | Event::Voided { .. } | Event::Asked { .. } => {
                slot.stage = Stage::Idle;
                slot.due = None;
            }
            _ => slot.stage = Stage::Idle,
        }
    }

    /// Whether somebody waits for what the task brings: not after its step was begun anew, skipped, or planned
    /// otherwise. What it brings must then not be kept for the next task of the step either.
    #[must_use]
    pub fn waits_for(&self, task: &Task) -> bool {
        let stage = self.slots.get(task.step).map(|slot| &slot.stage);
        matches!(stage, Some(Stage::Out(ticket) | Stage::Preparing(ticket, _)) if *ticket == task.ticket)
    }

    /// What a task brought. A report that nobody waits for is dropped.
    pub fn report(&mut self, task: &Task, report: Report) {
        let Some(slot) = self.slots.get_mut(task.step) else { return }; // of a plan that was longer
        match std::mem::take(&mut slot.stage) {
            Stage::Out(ticket) if ticket == task.ticket => slot.stage = Stage::Back(report),
            Stage::Preparing(ticket, survey) if ticket == task.ticket => {
                slot.stage = match report {
                    Report::Prepared(ready) => Stage::Prepared(survey, ready),
                    _ => Stage::Idle,
                };
            }
            other => slot.stage = other,
        }
    }

    /// The next thing to do.
    pub fn next(&mut self, now: &Moment) -> Do {
        if self.course.shown.phase.ended() {
            return Do::End;
        }
        if let Some(event) = self.lapse(now) {
            return append(event);
        }
        if self.gate == Gate::Barred && self.course.parked.is_none() {
            let why =
                "an app that this one waits for in its wave was abandoned: abandon this run, and declare it alone";
            return append(Event::Parked { step: None, why: SafeText::new(why) });
        }
        let mut due: Option<Duration> = None;
        for n in 0..self.slots.len() {
            match self.of_step(n, now) {
                Turn::Do(what) => return what,
                Turn::Later(pause) => {
                    let pause = pause.max(POLL_WALL_MIN);
                    due = Some(due.map_or(pause, |due| due.min(pause)));
                }
                Turn::Nothing => {}
            }
        }
        match decide::of_run(&self.course) {
            Next::Complete if self.course.shown.measured.is_none() => {
                let (shown, at) = (&self.course.shown, now.estate);
                append(Event::Measured {
                    achieved: clocks::achieved(shown, &shown.timeline, at),
                    loss: clocks::loss_window(shown, &shown.timeline, at),
                })
            }
            Next::Complete => append(Event::Completed { exceptions: fold::exceptions(&self.course) }),
            Next::Park(why) => append(Event::Parked { step: None, why }),
            _ => due.map_or(Do::Rest, Do::Wait),
        }
    }

    fn lapse(&self, now: &Moment) -> Option<Event> {
        if !self.course.armed {
            return None;
        }
        let started = self.course.shown.steps.iter().any(|step| step.attempts > 0);
        let why = if !started && now.monotonic.saturating_sub(self.armed_at) > self.rules.start_within {
            "not started within 120 s of the declaration"
        } else if now.monotonic.saturating_sub(self.last_word) > self.rules.silence_max {
            "no key for 15 m"
        } else {
            return None;
        };
        Some(Event::Lapsed { why: SafeText::new(why) })
    }

    fn of_step(&mut self, n: usize, now: &Moment) -> Turn {
        let step = self.id(n);
        match decide::of_step(&self.course, n) {
            // A run that waits for its turn in a wave begins nothing and asks for nothing.
            Next::Begin(_) | Next::Ask(Ask::Rearm) if self.gate != Gate::Open => Turn::Nothing,
            Next::Begin(_) => {
                let attempt = self.course.shown.steps[n].attempts + 1;
                Turn::append(Event::Begun { step, attempt })
            }
            Next::Ask(ask) => Turn::append(Event::Asked { ask }),
            Next::Check(_) => self.check(n, now),
            Next::Withdraw(_) => self.send_or_withdraw(n),
            Next::Doubt(_) => self.sent(n),
            Next::Observe(_) => self.observe(n, now),
            Next::Resolve(_) => self.resolve(n, now),
            Next::Park(why) => Turn::append(Event::Parked { step: Some(step), why }),
            Next::Wait | Next::Complete | Next::Ended => Turn::Nothing,
        }
    }
}
