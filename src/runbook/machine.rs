//! One run as a machine without hands: told what was seen and said, it says what to do next, one thing at a time.
//!
//! The rim (`crate::engine`) writes what it says to write, begins what it says to begin, and reports what came back.
//! Several steps may be under way at once; every record is written alone and in order. Must never: do I/O, ask a
//! clock, or say `Send` before `Sent` is on record. Where to look next: [`super::decide`] (what a step's state calls
//! for) and [`super::fold`] (what a record changes).

use std::time::Duration;

use super::{
    build::digest_of,
    clocks,
    decide::{self, Judged, Next},
    event::{Entry, Event, Outcome},
    finding::{Finding, Observed, Traces},
    fold::{self, Course, Illegal},
    guards::LossBound,
    plan::{GuardReading, PlannedStep},
    run::{Answer, Ask},
    signal::TRIES_WALL,
    spec::OnFailure,
};
use crate::domain::{CallDescription, StepId, Timestamp, text::SafeText, time};

/// How long the machine waits for what. The values of [`Rules::default`] are the product's.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Estate time between two looks at something that takes its time.
    pub poll: Duration,
    /// Wall time from the declaration in which the run must start.
    pub start_within: Duration,
    /// Wall time without a word of a person after which nothing new is begun.
    pub silence_max: Duration,
    /// Wall time between reading the guards' facts and acting on them.
    pub facts_age_max: Duration,
    /// Times that guards are read again because preparing took longer than that.
    pub rereads_max: u32,
    /// Looks that must agree, over [`Self::settle`] of estate time, before "nothing happened" is believed.
    pub settle_reads: u32,
    pub settle: Duration,
    /// Estate time without a readable answer after which a person is asked what became of a call.
    pub doubt_max: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(3),
            start_within: Duration::from_mins(2),
            silence_max: Duration::from_mins(15),
            facts_age_max: Duration::from_secs(2),
            rereads_max: 5,
            settle_reads: 3,
            settle: Duration::from_secs(20),
            doubt_max: Duration::from_mins(2),
        }
    }
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub estate: Timestamp,
    pub monotonic: Duration,
    pub pace: Pace,
}

/// Estate seconds per second on the wall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    Runs(f64),
    /// Waits are then measured on the wall, so that none is for ever.
    Still,
}

impl Moment {
    /// Estate time since `earlier`, or wall time where estate time stands still.
    fn since(&self, earlier: &Self) -> Duration {
        match self.pace {
            Pace::Runs(_) => self.estate.since(earlier.estate),
            Pace::Still => self.monotonic.saturating_sub(earlier.monotonic),
        }
    }

    /// On the wall.
    fn wall(&self, estate: Duration) -> Duration {
        match self.pace {
            Pace::Runs(speed) => estate.div_f64(speed.max(f64::MIN_POSITIVE)),
            Pace::Still => estate,
        }
    }
}

/// What a kind of step does when its turn comes, as far as the machine must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Reads,
    Asks,
    Acts,
    /// This version knows no such kind.
    Unknown,
}

/// The next thing for the rim.
#[derive(Debug)]
pub enum Do {
    /// Write it down, then tell [`Machine::written`]. Nothing else is asked for before that.
    Append(Box<Event>),
    /// Begin it; its report goes to [`Machine::report`].
    Start(Task),
    /// Nothing, until this much wall time passed, something came back or a person spoke.
    Wait(Duration),
    /// Nothing is due: only what comes back or a person moves it, and arming may end meanwhile.
    Rest,
    End,
}

/// Something that the rim does for a step. A step has one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    pub step: usize,
    /// Reports under another ticket are of a task that nobody waits for any more.
    pub ticket: u64,
    pub what: Errand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Facts, or a look of the step's own.
    Read,
    /// The lines of a checklist.
    Items,
    /// Guards, interlocks and the loss, on facts read now.
    Survey,
    /// What would be sent, on the facts of the survey.
    Prepare,
    /// The call, once.
    Send,
    /// Whether the call has taken effect.
    Look,
}

/// What came back.
#[derive(Debug)]
pub enum Report {
    /// An error parks the run.
    Found(Result<Finding, SafeText>),
    Items(Result<Vec<SafeText>, SafeText>),
    Surveyed(Result<Survey, SafeText>),
    Prepared(Ready),
    Sent(Outcome),
    Looked(Observed),
}

/// Facts read for the purpose of acting.
#[derive(Clone, Debug)]
pub struct Survey {
    pub guards: Vec<GuardReading>,
    /// Why the run as a whole may not act now.
    pub interlock: Option<SafeText>,
    /// Changes that no run of ours made.
    pub foreign: Vec<SafeText>,
    pub loss: Option<LossBound>,
    /// Monotonic: when the facts were there.
    pub read_at: Duration,
}

/// What is to be sent, or why nothing is.
#[derive(Clone, Debug, PartialEq)]
pub enum Ready {
    Send { call: Box<CallDescription>, traces: Box<Traces> },
    AlreadyDone(SafeText),
    Busy(SafeText),
    PassOver(SafeText),
    NotNow(SafeText),
}

/// Where the rim stands with a step.
#[derive(Debug, Default)]
enum Stage {
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
enum Noted {
    No,
    Yes,
}

/// What the machine remembers of a step besides its state on record: lost with the driver, and then found out anew.
#[derive(Debug, Default)]
struct Slot {
    stage: Stage,
    /// Not before, on the monotonic clock.
    due: Option<Duration>,
    /// Since when the present attempt is under way, as seen by this driver.
    since: Option<Moment>,
    /// Agreeing looks at a call in doubt: how many, and since when.
    agreed: Option<(u32, Moment)>,
    rereads: u32,
    /// Readings of this attempt that failed and were tried again.
    retries: u32,
}

/// Whether a run that waits for others (a wave) may begin steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    Closed,
    /// One that it waits for was abandoned: its turn never comes.
    Barred,
}

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

/// Wall time between two turns at least, however fast estate time runs.
const POLL_WALL_MIN: Duration = Duration::from_millis(5);

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

    fn check(&mut self, n: usize, now: &Moment) -> Turn {
        match self.ways[n] {
            Way::Reads => self.read(n, now),
            Way::Asks => self.ask(n, now),
            Way::Acts => self.act(n, now),
            Way::Unknown => {
                let kind = &self.course.frozen.steps[n].kind;
                self.park(n, SafeText::new(format!("this version knows no step of kind {kind}")), now)
            }
        }
    }

    fn read(&mut self, n: usize, now: &Moment) -> Turn {
        match self.take(n) {
            Stage::Back(Report::Found(found)) => match found {
                Err(why) => self.park(n, why, now),
                Ok(Finding::Done(detail)) => Turn::append(Event::Done { step: self.id(n), detail }),
                Ok(Finding::Failed(detail)) => self.failed_reading(n, detail, now),
                Ok(Finding::NotYet(detail)) => self.later_or_fail(n, "not so within", &detail, now),
            },
            stage => self.start_or_wait(n, stage, Errand::Read, now),
        }
    }

    /// Reading again does no harm: as often as the runbook says, then it has failed.
    fn failed_reading(&mut self, n: usize, detail: SafeText, now: &Moment) -> Turn {
        let planned = self.planned(n);
        let (retries, every) = (planned.retries, planned.retry_every);
        if self.slots[n].retries < retries {
            self.slots[n].retries += 1;
            let told = format!("{detail}; reading again, {} of {retries}", self.slots[n].retries);
            self.show(n, &SafeText::new(told));
            return self.later(n, every, now);
        }
        self.fail(n, detail)
    }

    fn ask(&mut self, n: usize, now: &Moment) -> Turn {
        if self.course.progress[n].confirmed.is_some() {
            let by = format!("confirmed by {} ({})", self.course.shown.declaration.who, self.course.shown.principal);
            return Turn::append(Event::Done { step: self.id(n), detail: SafeText::new(by) });
        }
        if self.course.ask.is_some() {
            return Turn::Nothing; // one question at a time
        }
        match self.take(n) {
            Stage::Back(Report::Items(Err(why))) => self.park(n, why, now),
            Stage::Back(Report::Items(Ok(items))) => {
                Turn::append(Event::Asked { ask: Ask::Confirm { step: self.id(n), items } })
            }
            stage => self.start_or_wait(n, stage, Errand::Items, now),
        }
    }

    /// One attempt, as DESIGN section 6 numbers it, up to the intent.
    fn act(&mut self, n: usize, now: &Moment) -> Turn {
        match self.take(n) {
            Stage::Back(Report::Surveyed(Err(why))) => self.park(n, why, now),
            Stage::Back(Report::Surveyed(Ok(survey))) | Stage::Surveyed(survey, Noted::No) => {
                let guards = survey.guards.clone();
                self.slots[n].stage = Stage::Surveyed(survey, Noted::No);
                Turn::append(Event::Guarded { step: self.id(n), guards })
            }
            Stage::Surveyed(survey, Noted::Yes) => self.judge(n, survey, now),
            Stage::Prepared(survey, ready) => self.prepared(n, &survey, ready, now),
            stage => self.start_or_wait(n, stage, Errand::Survey, now),
        }
    }

    fn judge(&mut self, n: usize, survey: Survey, now: &Moment) -> Turn {
        let ask = match decide::judge(&self.course, n, &survey.guards, survey.loss.as_ref()) {
            Judged::Go => self.noticed(n, &survey),
            Judged::Ask(ask) => Some(ask),
            Judged::Park(why) => return self.park(n, why, now),
            Judged::Void(why) => return Turn::append(Event::Voided { step: self.id(n), why }),
        };
        match ask {
            // One question at a time; the guards are read again for it.
            Some(_) if self.course.ask.is_some() => self.later(n, self.rules.poll, now),
            Some(ask) => Turn::append(Event::Asked { ask }),
            None => {
                let ticket = self.ticket();
                self.slots[n].stage = Stage::Preparing(ticket, survey);
                Turn::Do(Do::Start(Task { step: n, ticket, what: Errand::Prepare }))
            }
        }
    }

    /// Somebody else's hand is shown before acting, once for each thing seen.
    fn noticed(&self, n: usize, survey: &Survey) -> Option<Ask> {
        let known = &self.course.noticed;
        let lines: Vec<SafeText> = survey.foreign.iter().filter(|line| !known.contains(line)).cloned().collect();
        (!lines.is_empty()).then(|| Ask::Noticed { step: self.id(n), lines })
    }

    fn prepared(&mut self, n: usize, survey: &Survey, ready: Ready, now: &Moment) -> Turn {
        let step = self.id(n);
        let (call, traces) = match ready {
            Ready::AlreadyDone(detail) => {
                let detail = SafeText::new(format!("{detail}; nothing was sent"));
                return Turn::append(Event::Done { step, detail });
            }
            Ready::PassOver(reason) => return Turn::append(Event::Passed { step, reason }),
            Ready::Busy(what) => {
                let why = format!("an operation that this run did not begin is under way: {what}");
                return self.park(n, SafeText::new(why), now);
            }
            Ready::NotNow(why) => return self.park(n, why, now),
            Ready::Send { call, traces } => (*call, *traces),
        };
        if let Some(why) = &survey.interlock {
            return self.park(n, why.clone(), now);
        }
        if now.monotonic.saturating_sub(survey.read_at) > self.rules.facts_age_max {
            self.slots[n].rereads += 1;
            if self.slots[n].rereads > self.rules.rereads_max {
                return self.park(n, SafeText::new("facts cannot be read within 2 s of the act"), now);
            }
            return self.check(n, now);
        }
        self.slots[n].stage = Stage::Cleared;
        let request_digest = digest_of(&call);
        Turn::append(Event::Intended {
            step,
            attempt: self.course.shown.steps[n].attempts,
            plan_hash: self.course.frozen.plan.hash.clone(),
            call,
            request_digest,
            guards: survey.guards.clone(),
            traces,
        })
    }

    /// The intent is on record: by this driver a moment ago, or by one that died.
    fn send_or_withdraw(&mut self, n: usize) -> Turn {
        let step = self.id(n);
        let cleared = matches!(self.slots[n].stage, Stage::Cleared);
        let why = match (cleared, self.course.armed) {
            (true, true) => {
                let request_digest = self.course.progress[n].request_digest.clone().unwrap_or_default();
                let attempt = self.course.shown.steps[n].attempts;
                // The lease is checked by the append itself: an old epoch cannot write `sent`, so it cannot send.
                return Turn::append(Event::Sent { step, attempt, request_digest });
            }
            (true, false) => "arming ended before it was sent",
            (false, _) => "the driver ended between intent and sending",
        };
        Turn::append(Event::Withdrawn { step, why: SafeText::new(why) })
    }

    fn sent(&mut self, n: usize) -> Turn {
        let attempt = self.course.shown.steps[n].attempts;
        let outcome = match self.take(n) {
            Stage::ToSend => {
                let ticket = self.ticket();
                self.slots[n].stage = Stage::Out(ticket);
                return Turn::Do(Do::Start(Task { step: n, ticket, what: Errand::Send }));
            }
            Stage::Out(ticket) => {
                self.slots[n].stage = Stage::Out(ticket);
                return Turn::Nothing;
            }
            Stage::Back(Report::Sent(outcome)) => outcome,
            _ => Outcome::Unknown { why: SafeText::new("the driver ended after sending, nobody heard the answer") },
        };
        Turn::append(Event::Outcome { step: self.id(n), attempt, outcome })
    }

    fn observe(&mut self, n: usize, now: &Moment) -> Turn {
        match self.take(n) {
            Stage::Back(Report::Looked(Observed::Done(detail))) => {
                let id = self.course.shown.steps[n].request_id.as_ref().map(|id| format!("; request {id}"));
                let detail = SafeText::new(format!("{detail}{}", id.unwrap_or_default()));
                Turn::append(Event::Done { step: self.id(n), detail })
            }
            Stage::Back(Report::Looked(
                Observed::InProgress(detail) | Observed::NotDone(detail) | Observed::Unclear(detail),
            )) => self.later_or_fail(n, "accepted, but not seen done within", &detail, now),
            stage => self.start_or_wait(n, stage, Errand::Look, now),
        }
    }

    fn resolve(&mut self, n: usize, now: &Moment) -> Turn {
        let seen = match self.take(n) {
            Stage::Back(Report::Looked(seen)) => seen,
            stage => return self.start_or_wait(n, stage, Errand::Look, now),
        };
        match seen {
            Observed::Done(detail) => {
                let detail = SafeText::new(format!("{detail}; the answer was lost, this was observed"));
                Turn::append(Event::Done { step: self.id(n), detail })
            }
            Observed::InProgress(detail) => {
                self.slots[n].agreed = None;
                self.doubt(n, self.planned(n).timeout, &detail, now)
            }
            Observed::NotDone(detail) => {
                let (reads, first) = self.slots[n].agreed.map_or((1, *now), |(reads, first)| (reads + 1, first));
                self.slots[n].agreed = Some((reads, first));
                let over = now.since(&first);
                if reads >= self.rules.settle_reads && over >= self.rules.settle {
                    let text = format!("no effect: {reads} reads over {} agree: {detail}", time::short(over));
                    return self.fail(n, SafeText::new(text));
                }
                self.show(n, &detail);
                self.later(n, self.rules.poll, now)
            }
            Observed::Unclear(detail) => {
                self.slots[n].agreed = None;
                self.doubt(n, self.rules.doubt_max, &detail, now)
            }
        }
    }

    /// Looks on while `patience` lasts, then asks a person.
    fn doubt(&mut self, n: usize, patience: Duration, detail: &SafeText, now: &Moment) -> Turn {
        self.show(n, detail);
        let looked_long = self.looked(n, now) >= patience.min(TRIES_WALL);
        if self.elapsed(n, now) <= patience || !looked_long || self.course.ask.is_some() {
            return self.later(n, self.rules.poll, now);
        }
        let call = self.course.progress[n].call.as_ref().map_or_else(|| "the call".to_owned(), ToString::to_string);
        let question = SafeText::new(format!("did {call} take effect? It cannot be told from here: {detail}"));
        Turn::append(Event::Asked { ask: Ask::Verdict { step: self.id(n), question } })
    }

    /// A look at what does not answer ends by its time-out on the wall: where estate time runs faster, a time-out of the
    /// runbook may be over before anybody could have seen anything.
    fn later_or_fail(&mut self, n: usize, late: &str, detail: &SafeText, now: &Moment) -> Turn {
        let timeout = self.planned(n).timeout;
        let looked_long = self.looked(n, now) >= timeout.min(TRIES_WALL);
        if self.elapsed(n, now) <= timeout || !looked_long {
            self.show(n, detail);
            return self.later(n, self.rules.poll, now);
        }
        self.fail(n, SafeText::new(format!("{late} {}: {detail}", time::short(timeout))))
    }

    fn fail(&self, n: usize, detail: SafeText) -> Turn {
        let planned = self.planned(n);
        let step = self.id(n);
        // Only what reads may be passed over by the runbook's own policy.
        if planned.on_failure == OnFailure::Continue && planned.calls.is_empty() && self.ways[n] == Way::Reads {
            let reason = SafeText::new(format!("the runbook goes on without it: {detail}"));
            return Turn::append(Event::Passed { step, reason });
        }
        Turn::append(Event::Failed { step, detail })
    }

    /// One question at a time also means: a person who is asked about another step is not interrupted by a parking.
    fn park(&mut self, n: usize, why: SafeText, now: &Moment) -> Turn {
        if self.course.ask.is_some() {
            self.show(n, &why);
            return self.later(n, self.rules.poll, now);
        }
        Turn::append(Event::Parked { step: Some(self.id(n)), why })
    }

    fn start_or_wait(&mut self, n: usize, stage: Stage, what: Errand, now: &Moment) -> Turn {
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

    fn later(&mut self, n: usize, estate: Duration, now: &Moment) -> Turn {
        let pause = now.wall(estate).max(POLL_WALL_MIN);
        let slot = &mut self.slots[n];
        slot.stage = Stage::Idle;
        slot.due = Some(now.monotonic + pause);
        Turn::Later(pause)
    }

    /// Of the present attempt, as far as this driver has seen it.
    fn elapsed(&mut self, n: usize, now: &Moment) -> Duration {
        let since = *self.slots[n].since.get_or_insert(*now);
        now.since(&since)
    }

    /// The same on the wall.
    fn looked(&mut self, n: usize, now: &Moment) -> Duration {
        let since = *self.slots[n].since.get_or_insert(*now);
        now.monotonic.saturating_sub(since.monotonic)
    }

    /// What is seen on the way is shown, not written down.
    fn show(&mut self, n: usize, detail: &SafeText) {
        let state = &mut self.course.shown.steps[n];
        if state.detail != *detail {
            state.detail = detail.clone();
            self.changed = true;
        }
    }

    fn take(&mut self, n: usize) -> Stage {
        std::mem::take(&mut self.slots[n].stage)
    }

    fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    fn id(&self, n: usize) -> StepId {
        self.course.frozen.plan.steps[n].id.clone()
    }

    fn planned(&self, n: usize) -> &PlannedStep {
        &self.course.frozen.plan.steps[n]
    }
}

enum Turn {
    Do(Do),
    /// Something is due after this much wall time.
    Later(Duration),
    Nothing,
}

impl Turn {
    fn append(event: Event) -> Self {
        Self::Do(append(event))
    }
}

fn append(event: Event) -> Do {
    Do::Append(Box::new(event))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{run::Declaration, run::RunId, tests::frozen},
        *,
    };
    use crate::domain::Hazard;

    const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

    /// That long after the resume, on the wall, with the estate's clock at that speed.
    fn moment(wall: u64, speed: u32) -> Moment {
        let wall = Duration::from_secs(wall);
        Moment { estate: T0 + wall * speed, monotonic: wall, pace: Pace::Runs(speed.into()) }
    }

    /// Killed after `gone` had begun, with a time-out of ten minutes, and taken up by a new process.
    fn resumed(speed: u32) -> Machine {
        let said = Declaration {
            who: "asha".into(),
            incident: "INC-4471".into(),
            app: "payments".into(),
            region: "Hyderabad".into(),
            outage_at: None,
            wave: None,
        };
        let entry = |event| Entry { at: T0, actor: "asha".into(), event };
        let frozen = frozen(Hazard::Reversible);
        let hash = frozen.plan.hash.clone();
        let declared = Event::Declared { plan_hash: hash, declaration: said.clone(), principal: "asha".into() };
        let mut course = fold::begin(RunId(1), frozen, &entry(declared)).expect("declared");
        for event in [
            Event::Begun { step: "gone".into(), attempt: 1 },
            Event::Driven { epoch: 2, principal: "asha".into(), declaration: Some(said) },
        ] {
            course = fold::apply(course, &entry(event)).expect("legal");
        }
        let way = |kind: &str| if kind == "check" { Way::Reads } else { Way::Acts };
        Machine::new(course, way, Rules::default(), &moment(0, speed))
    }

    /// Mumbai was not tried yet, whenever it is asked about: when it is given up, in seconds on the wall.
    fn given_up_after(mut machine: Machine, speed: u32) -> Option<u64> {
        for wall in 0..3600 {
            match machine.next(&moment(wall, speed)) {
                Do::Start(task) => {
                    let unread = Finding::NotYet("Mumbai was not tried yet".into());
                    machine.report(&task, Report::Found(Ok(unread)));
                }
                Do::Append(event) => {
                    assert!(matches!(*event, Event::Failed { .. }), "{event:?}");
                    return Some(wall);
                }
                _ => {}
            }
        }
        None
    }

    #[test]
    fn however_fast_the_estate_s_clock_a_resumed_run_gives_a_region_the_time_to_be_tried_anew() {
        let gave_up = given_up_after(resumed(60), 60).expect("not for ever");
        assert!(gave_up >= TRIES_WALL.as_secs(), "after {gave_up} s: a try alone may take 10");
        let live = given_up_after(resumed(1), 1).expect("not for ever");
        assert!((600..620).contains(&live), "by the runbook's own time-out, not {live} s");
    }
}
