//! Recovery time as it happens: clocks from the outage and from the declaration, machine and waiting apart, the
//! critical path of what was done, when it will end, until when one can still decide, and the loss to reconcile.
//!
//! Pure: a run as it stands, its journal's times, a moment. Must never: count time in which a person was waited for
//! as the machine's, or give a bound on a loss that nothing bounds.
//! Where to look next: [`super::estimate`] (before the run), `crate::domain::compliance::rto` (what a run proves).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    decide::UNBOUNDED,
    event::{Entry, Event, Outcome},
    plan::{Plan, PlannedStep},
    run::{Answer, Ask, RunState, StepPhase, StepState},
    spec::{RunbookKind, Variant},
    summary::RunSummary,
};
use crate::domain::{
    Hazard, StepId, Timestamp,
    compliance::rto::{AchievedRecord, Origin},
    text::SafeText,
    time,
};

/// The kind of step that saves the writes which did not come over before an unplanned failover: AWS takes that
/// snapshot by itself and deletes it in time (field guide 2.6).
const KEEPS: &str = "aurora.keep-unplanned-snapshot";

/// The clocks of a run at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// None: nobody said when the outage began.
    pub from_outage: Option<Duration>,
    pub from_declaration: Duration,
    pub machine: Duration,
    /// A person, a driver or the run's turn in its wave was waited for, and no step was at work.
    pub waiting: Duration,
    /// Longest way through what was done so far, waiting left out.
    pub critical_path: Duration,
    /// What is still to come on the longest way: steps, time-to-live, verification.
    pub remaining: Duration,
    pub projected_finish: Timestamp,
    /// When the RTO runs out: from the outage, else from the declaration. None without a target.
    pub deadline: Option<Timestamp>,
    /// The last moment to answer what is open and still meet the target.
    pub last_moment: Option<Timestamp>,
    /// By how much the target is missed if it goes on now as expected.
    pub missed_by: Option<Duration>,
}

/// What a run took in the end. Put into the journal before its completion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Achieved {
    pub from_outage: Option<Duration>,
    pub from_declaration: Duration,
    pub machine: Duration,
    pub waiting: Duration,
    pub critical_path: Duration,
    /// From the declaration to the end.
    pub makespan: Duration,
    /// Steps that were left out: a run with any proves another runbook than the one in the file.
    pub skipped: u32,
}

impl Achieved {
    /// Makespan without the waiting, over the critical path; none when nothing took any time.
    #[must_use]
    pub fn overhead(&self) -> Option<f64> {
        let path = self.critical_path.as_secs_f64();
        (path > 0.0).then(|| self.machine.as_secs_f64() / path)
    }
}

/// The writes that somebody has to account for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossWindow {
    /// None: nothing says from when on.
    pub from: Option<Timestamp>,
    /// Equal to `from` when nothing can have been lost.
    pub to: Timestamp,
    pub basis: SafeText,
}

impl LossWindow {
    /// None: not bounded by anything.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        self.from.map(|from| self.to.since(from))
    }

    #[must_use]
    pub fn lossless(&self) -> bool {
        self.from == Some(self.to)
    }
}

/// A time in which somebody had to do something before the run, or some of its steps, could go on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wait {
    cause: Cause,
    from: Timestamp,
    to: Option<Timestamp>,
    /// Steps that stood still meanwhile.
    steps: BTreeSet<StepId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    Step(StepId),
    Rearm,
    Hold,
    /// No step can go on, or nobody drives.
    Run,
    /// Of a run of a wave: other apps go first.
    Turn,
}

/// What the clocks need of a journal that [`RunState`] does not keep: when who was waited for, and what was lost.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    waits: Vec<Wait>,
    /// Steps that began and have not sent anything yet: they stand still while the run is not armed.
    checking: BTreeSet<StepId>,
    /// Bound that was accepted for a step, and since when writes may be lost.
    losses: BTreeMap<StepId, (Duration, Option<Timestamp>)>,
    /// Steps of which a call went out that was not refused.
    sent: BTreeSet<StepId>,
    /// Steps that a person left out; one that found nothing to do is another thing.
    left_out: BTreeSet<StepId>,
    /// From the last word of a driver that was gone to the first of the next: nobody is known to have driven. Whatever
    /// AWS did meanwhile, the machine's time it is not.
    undriven: Vec<(Timestamp, Timestamp)>,
    last: Option<Timestamp>,
}

impl Timeline {
    #[must_use]
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut timeline = Self::default();
        for entry in entries {
            timeline.note(entry);
        }
        timeline
    }

    /// One entry more, in the order of the journal.
    pub fn note(&mut self, entry: &Entry) {
        let at = entry.at;
        match &entry.event {
            Event::Asked { ask } => {
                if let Ask::Loss { step, bound, rounded, .. } = ask {
                    let since = (*bound < UNBOUNDED).then(|| at - *bound);
                    self.losses.insert(step.clone(), (*rounded, since));
                }
                match ask.step() {
                    Some(step) => self.open(Cause::Step(step.clone()), at, [step.clone()].into()),
                    None => self.open(Cause::Rearm, at, self.checking.clone()),
                }
            }
            Event::Parked { step: Some(step), .. } => {
                self.open(Cause::Step(step.clone()), at, [step.clone()].into());
            }
            Event::Parked { step: None, .. } => self.open(Cause::Run, at, self.checking.clone()),
            Event::Answered { answer } => self.answered(answer, at),
            Event::Driven { declaration, .. } => {
                // The last driver's last word: from then on nobody was there.
                if let Some(last) = self.last {
                    self.open(Cause::Run, last, self.checking.clone());
                    self.undriven.push((last, at));
                }
                self.close(&Cause::Run, at);
                if declaration.is_some() {
                    self.close(&Cause::Rearm, at);
                }
            }
            Event::Completed { .. } => self.close_all(at),
            Event::Declared { declaration, .. } if declaration.wave.is_some() => {
                self.open(Cause::Turn, at, BTreeSet::new());
            }
            Event::Guarded { .. } | Event::Voided { .. } | Event::Lapsed { .. } | Event::Declared { .. } => {}
            other => {
                if matches!(other, Event::Begun { .. }) {
                    self.close(&Cause::Turn, at);
                }
                if let Some(step) = other.step() {
                    self.close(&Cause::Step(step.clone()), at);
                }
            }
        }
        match &entry.event {
            Event::Begun { step, .. } | Event::Withdrawn { step, .. } => {
                self.checking.insert(step.clone());
            }
            Event::Intended { step, .. }
            | Event::Done { step, .. }
            | Event::Failed { step, .. }
            | Event::Passed { step, .. } => {
                self.checking.remove(step);
            }
            Event::Sent { step, .. } => {
                self.sent.insert(step.clone());
            }
            Event::Outcome { step, outcome: Outcome::Refused { .. }, .. } => {
                self.sent.remove(step);
            }
            _ => {}
        }
        self.last = Some(at);
    }

    fn answered(&mut self, answer: &Answer, at: Timestamp) {
        match answer {
            Answer::Hold => self.open(Cause::Hold, at, BTreeSet::new()),
            Answer::Release => self.close(&Cause::Hold, at),
            Answer::Rearm(_) => self.close(&Cause::Rearm, at),
            Answer::Abandon { .. } => self.close_all(at),
            Answer::Note { .. } => {}
            other => {
                if let Answer::Skip { step, .. } = other {
                    self.left_out.insert(step.clone());
                }
                if let Some(step) = other.step() {
                    self.close(&Cause::Step(step.clone()), at);
                }
                self.close(&Cause::Run, at);
            }
        }
    }

    fn open(&mut self, cause: Cause, from: Timestamp, steps: BTreeSet<StepId>) {
        if !self.waits.iter().any(|wait| wait.cause == cause && wait.to.is_none()) {
            self.waits.push(Wait { cause, from, to: None, steps });
        }
    }

    fn close(&mut self, cause: &Cause, at: Timestamp) {
        for wait in self.waits.iter_mut().filter(|wait| wait.cause == *cause && wait.to.is_none()) {
            wait.to = Some(at);
        }
    }

    fn close_all(&mut self, at: Timestamp) {
        for wait in self.waits.iter_mut().filter(|wait| wait.to.is_none()) {
            wait.to = Some(at);
        }
    }

    /// When that step was at work: from its begin to its end, less what it stood still for a person. What AWS did while
    /// nobody drove is in it.
    fn work(&self, step: &StepState, now: Timestamp) -> Spans {
        let Some(from) = step.started_at else { return Spans::default() };
        let to = step.ended_at.unwrap_or(now);
        let still = self.waits.iter().filter(|wait| wait.steps.contains(&step.id));
        Spans::new([(from, to)]).less(&Spans::new(still.map(|wait| (wait.from, wait.to.unwrap_or(now)))))
    }
}

/// Times that do not overlap, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Spans(Vec<(Timestamp, Timestamp)>);

impl Spans {
    fn new(spans: impl IntoIterator<Item = (Timestamp, Timestamp)>) -> Self {
        let mut sorted: Vec<_> = spans.into_iter().filter(|(from, to)| from < to).collect();
        sorted.sort_unstable();
        let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (from, to) in sorted {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Self(joined)
    }

    fn less(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for span in &self.0 {
            let (mut from, to) = *span;
            for &(cut_from, cut_to) in other.0.iter().filter(|cut| cut.1 > span.0 && cut.0 < span.1) {
                if cut_from > from {
                    left.push((from, cut_from));
                }
                from = from.max(cut_to);
            }
            if from < to {
                left.push((from, to));
            }
        }
        Self(left)
    }

    fn length(&self) -> Duration {
        self.0.iter().map(|(from, to)| to.since(*from)).sum()
    }
}

/// Longest way through the plan's graph; a step's predecessors stand before it in the file.
fn longest_path(steps: &[PlannedStep], time: impl Fn(usize) -> Duration) -> Duration {
    let mut ends: BTreeMap<&StepId, Duration> = BTreeMap::new();
    for (n, step) in steps.iter().enumerate() {
        let start = step.after.iter().filter_map(|id| ends.get(id)).max().copied().unwrap_or_default();
        ends.insert(&step.id, start + time(n));
    }
    ends.values().max().copied().unwrap_or_default()
}

/// Machine, waiting and critical path of what was done up to `end`; `alone` is when nobody drove.
fn spent(state: &RunState, timeline: &Timeline, alone: &Spans, end: Timestamp) -> (Duration, Duration, Duration) {
    let work: Vec<Spans> = state.steps.iter().map(|step| timeline.work(step, end).less(alone)).collect();
    let at_work = Spans::new(work.iter().flat_map(|spans| spans.0.iter().copied()));
    let within = |wait: &Wait| (wait.from.max(state.declared_at), wait.to.unwrap_or(end).min(end));
    let waits = timeline.waits.iter().map(within).chain(alone.0.iter().copied());
    let waiting = Spans::new(waits).less(&at_work).length();
    let makespan = end.since(state.declared_at);
    let critical_path = longest_path(&state.plan.steps, |n| work.get(n).map(Spans::length).unwrap_or_default());
    (makespan.saturating_sub(waiting), waiting, critical_path)
}

/// The clocks now, or as they stood when the run ended.
#[must_use]
pub fn clocks(state: &RunState, timeline: &Timeline, now: Timestamp) -> Clocks {
    let end = state.ended_at.unwrap_or(now);
    let since = timeline.last.filter(|_| state.unattended()).map(|last| (last, end));
    let alone = Spans::new(timeline.undriven.iter().copied().chain(since));
    let (machine, waiting, critical_path) = spent(state, timeline, &alone, end);
    let remaining = if state.phase.ended() { Duration::ZERO } else { remaining(state, timeline, end) };
    let deadline =
        state.plan.rto_target.map(|target| state.declaration.outage_at.unwrap_or(state.declared_at) + target);
    let projected_finish = end + remaining;
    Clocks {
        from_outage: state.declaration.outage_at.map(|outage| end.since(outage)),
        from_declaration: end.since(state.declared_at),
        machine,
        waiting,
        critical_path,
        remaining,
        projected_finish,
        deadline,
        last_moment: deadline.map(|deadline| deadline - remaining),
        missed_by: deadline.map(|deadline| projected_finish.since(deadline)).filter(|by| !by.is_zero()),
    }
}

/// What is left of the longest way: each open step with what the plan expects of it (p90 of past runs, else
/// declared) less what it worked already, then what is left of the time-to-live, then what only verifies.
fn remaining(state: &RunState, timeline: &Timeline, now: Timestamp) -> Duration {
    let plan: &Plan = &state.plan;
    let left = |n: usize| {
        let (planned, step) = (&plan.steps[n], &state.steps[n]);
        if step.phase.ended() {
            Duration::ZERO
        } else {
            planned.expected.saturating_sub(timeline.work(step, now).length())
        }
    };
    let last_change = plan.steps.iter().rposition(|step| step.hazard != Hazard::None);
    let verifies = |n: usize| last_change.is_some_and(|last| n > last);
    let whole = longest_path(&plan.steps, left);
    let execution = longest_path(&plan.steps, |n| if verifies(n) { Duration::ZERO } else { left(n) });
    let verification = if (0..plan.steps.len()).any(verifies) {
        whole.saturating_sub(execution)
    } else {
        // Nothing in the runbook looks at the end: what the app declares for it.
        plan.estimate.verification
    };
    let moves = plan.steps.iter().zip(&state.steps).filter(|(planned, _)| planned.kind.starts_with("route53."));
    let mut ttl = Duration::ZERO;
    for (_, step) in moves {
        let done_at = step.ended_at.filter(|_| step.phase == StepPhase::Done);
        let left = match done_at {
            Some(done) => (done + plan.estimate.dns_ttl).since(now),
            None if step.phase.ended() => Duration::ZERO,
            None => plan.estimate.dns_ttl,
        };
        ttl = ttl.max(left);
    }
    // Whoever verifies may do so while caches still hold the old answer; both must be over.
    execution + ttl.max(Duration::ZERO) + verification
}

/// What the run took, at its end.
#[must_use]
pub fn achieved(state: &RunState, timeline: &Timeline, now: Timestamp) -> Achieved {
    let end = state.ended_at.unwrap_or(now);
    let alone = Spans::new(timeline.undriven.iter().copied());
    let (machine, waiting, critical_path) = spent(state, timeline, &alone, end);
    Achieved {
        from_outage: state.declaration.outage_at.map(|outage| end.since(outage)),
        from_declaration: end.since(state.declared_at),
        machine,
        waiting,
        critical_path,
        makespan: end.since(state.declared_at),
        skipped: skipped(state),
    }
}

/// What a completed failover proves of its app's RTO; none of a run that did not complete or goes another way.
#[must_use]
pub fn record(run: &RunSummary) -> Option<AchievedRecord> {
    // A check-only run moved nobody.
    let whole = run.variant == Variant::Whole && run.kind == RunbookKind::Failover && run.completed();
    let (from_outage, from_declaration) = run.achieved();
    whole.then(|| AchievedRecord {
        name: SafeText::new(format!("run {}", run.id)),
        at: run.ended_at,
        runbook: run.runbook.clone(),
        runbook_digest: run.runbook_digest.clone(),
        origin: Origin::of_mode_word(&run.mode_word),
        from_outage,
        from_declaration,
        skipped: run.skipped,
    })
}

/// What each step took that was done at its first attempt, waiting for people left out: the past of
/// [`super::estimate::expected`].
pub fn durations<'a>(
    state: &'a RunState,
    timeline: &'a Timeline,
) -> impl Iterator<Item = (StepId, Duration)> + use<'a> {
    let done = state.steps.iter().filter(|step| step.phase == StepPhase::Done && step.attempts == 1);
    done.filter_map(|step| Some((step.id.clone(), timeline.work(step, step.ended_at?).length())))
}

pub(super) fn skipped(state: &RunState) -> u32 {
    state.steps.iter().filter(|step| matches!(step.phase, StepPhase::Skipped { .. })).count() as u32
}

/// The writes to account for: those that the last sample before the gap had not brought, until the new writer was
/// seen. Nobody's word on when the outage began makes it narrower: a Region that answers nobody may still take writes.
#[must_use]
pub fn loss_window(state: &RunState, timeline: &Timeline, now: Timestamp) -> LossWindow {
    let end = state.ended_at.unwrap_or(now);
    // What went out may have lost data whatever came of it, in a person's ruling or not.
    let lost = state.plan.steps.iter().zip(&state.steps).filter(|(planned, step)| {
        planned.hazard == Hazard::DataLoss && (timeline.sent.contains(&step.id) || step.phase == StepPhase::Done)
    });
    let (mut from, mut to, mut words, mut unbounded) = (None::<Timestamp>, None::<Timestamp>, Vec::new(), false);
    for (planned, step) in lost {
        let until = step.ended_at.unwrap_or(end);
        to = to.max(Some(until));
        match timeline.losses.get(&step.id) {
            Some((accepted, Some(since))) => {
                from = Some(from.map_or(*since, |from| from.min(*since)));
                words.push(format!(
                    "{}: from the last lag before the gap until it was done; accepted up to {}",
                    planned.title,
                    time::short(*accepted)
                ));
            }
            Some((_, None)) => {
                unbounded = true;
                words.push(format!("{}: nothing bounded the loss when it was accepted", planned.title));
            }
            // In a wave the phrase of the list accepted it: nobody was asked again, and the plan said since when.
            None if planned.loss.as_ref().is_some_and(|loss| loss.since.is_some()) => {
                let since = planned.loss.as_ref().and_then(|loss| loss.since);
                from = from.min(since).or(since);
                words.push(format!("{}: from what the plan knew until it was done", planned.title));
            }
            None if timeline.sent.contains(&step.id) => {
                unbounded = true;
                words.push(format!("{}: sent without anything that bounds the loss", planned.title));
            }
            None => words.push(format!("{}: was so before this run acted; see the run that did it", planned.title)),
        }
    }
    let kept_nothing = state.plan.steps.iter().zip(&state.steps).find(|(planned, step)| {
        planned.kind == KEEPS && matches!(step.phase, StepPhase::Skipped { .. }) && timeline.left_out.contains(&step.id)
    });
    match (to, from) {
        (None, _) if let Some((planned, _)) = kept_nothing => LossWindow {
            from: None,
            to: end,
            basis: SafeText::new(format!(
                "this run took no step that can lose data, but {} was left out: what the lost side had is not known to be kept",
                planned.title
            )),
        },
        (None, _) => LossWindow { from: Some(end), to: end, basis: "no step that can lose data was taken".into() },
        (Some(to), from) => {
            LossWindow { from: from.filter(|_| !unbounded), to, basis: SafeText::new(words.join("; ")) }
        }
    }
}
