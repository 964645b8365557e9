//! One run, driven: what `decide` says is done, and written down before and after.
//!
//! Must never: send a call whose intent and sending are not on disk; send one again; go on after a failed write.
//! Each turn of the loop does one thing, so that a person's word is heard between any two.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::{
    Refusal, Shared,
    store::{Lease, StoreError, Written},
};
use crate::{
    aws::SendOutcome,
    domain::{CallDescription, Snapshot, Timestamp, text::SafeText, time},
    runbook::{
        build::digest_of,
        decide::{self, Judged, Next},
        event::{Entry, Event, Outcome},
        fold::{self, Course},
        guards,
        interlock::{self, Circumstances},
        run::{Answer, Ask},
        signal::Facts,
        spec::OnFailure,
    },
    steps::{
        self,
        kind::{Conduct, Finding, MutatingStep, Observed, Prepared, StepContext, covers},
    },
};

/// Estate time between two looks at something that takes its time.
const POLL: Duration = Duration::from_secs(3);
/// Wall time between two turns at least, however fast estate time runs.
const POLL_WALL_MIN: Duration = Duration::from_millis(5);
/// Wall time from the declaration in which the run must start.
const START_WITHIN: Duration = Duration::from_mins(2);
/// Wall time without a word of a person after which nothing new is begun.
const SILENCE_MAX: Duration = Duration::from_mins(15);
/// Wall time between reading the guards' facts and acting on them.
const FACTS_AGE_MAX: Duration = Duration::from_secs(2);
/// Times that guards are read again because preparing took longer than that.
const REREADS_MAX: u32 = 5;
/// Looks that must agree, over this estate time, before "nothing happened" is believed.
const SETTLE_READS: u32 = 3;
const SETTLE: Duration = Duration::from_secs(20);
/// Estate time without a readable answer after which a person is asked what became of a call.
const DOUBT_MAX: Duration = Duration::from_mins(2);

/// A person's word on its way to the driver.
pub(super) struct Order {
    pub answer: Answer,
    pub reply: oneshot::Sender<Result<(), Refusal>>,
}

/// The journal failed, or the run was taken over: nothing more is done.
struct Stopped;

enum Turn {
    /// Something happened: look again at once.
    Again,
    /// Look again after the poll interval.
    Later,
    /// Only a person moves it.
    Person,
    End,
}

pub(super) struct Driver {
    pub shared: Arc<Shared>,
    pub course: Course,
    pub lease: Lease,
    pub orders: mpsc::Receiver<Order>,
    armed_at: Duration,
    last_word: Duration,
    /// Since when the present attempt of a step is under way, as seen by this driver.
    since: BTreeMap<usize, Moment>,
    /// Agreeing looks at a call in doubt: how many, and since when.
    agreed: Option<(u32, Moment)>,
    rereads: u32,
}

/// A moment on both clocks.
#[derive(Clone, Copy)]
struct Moment {
    estate: Timestamp,
    monotonic: Duration,
}

impl Driver {
    pub fn new(shared: Arc<Shared>, course: Course, lease: Lease, orders: mpsc::Receiver<Order>) -> Self {
        let now = shared.clock.monotonic();
        Self {
            shared,
            course,
            lease,
            orders,
            armed_at: now,
            last_word: now,
            since: BTreeMap::new(),
            agreed: None,
            rereads: 0,
        }
    }

    pub async fn drive(mut self) {
        self.course.shown.driven = true;
        self.publish();
        while let Ok(turn) = self.turn().await {
            let pause = match turn {
                Turn::Again => continue,
                Turn::End => break,
                Turn::Later => self.shared.clock.wall_duration(POLL).max(POLL_WALL_MIN),
                Turn::Person => Duration::from_secs(1), // to notice that arming lapsed
            };
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => if self.hear(order).await.is_err() { break },
                    None => break,
                },
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.course.shown.driven = false;
        self.publish();
        self.shared.forget(self.course.shown.id);
    }

    async fn turn(&mut self) -> Result<Turn, Stopped> {
        while let Ok(order) = self.orders.try_recv() {
            self.hear(order).await?;
        }
        self.lapse().await?;
        match decide::next(&self.course) {
            Next::Ended => Ok(Turn::End),
            Next::Wait => Ok(Turn::Person),
            Next::Ask(ask) => self.write(Event::Asked { ask }).await,
            Next::Begin(n) => {
                self.since.insert(n, self.moment());
                self.rereads = 0;
                let attempt = self.course.shown.steps[n].attempts + 1;
                self.write(Event::Begun { step: self.step(n), attempt }).await
            }
            Next::Check(n) => self.check(n).await,
            Next::Withdraw(n) => {
                let why = SafeText::new("the driver ended between intent and sending");
                self.write(Event::Withdrawn { step: self.step(n), why }).await
            }
            Next::Doubt(n) => {
                let why = SafeText::new("the driver ended after sending, nobody heard the answer");
                let attempt = self.course.shown.steps[n].attempts;
                self.write(Event::Outcome { step: self.step(n), attempt, outcome: Outcome::Unknown { why } }).await
            }
            Next::Observe(n) => self.observe(n).await,
            Next::Resolve(n) => self.resolve(n).await,
            Next::Complete => {
                let exceptions = fold::exceptions(&self.course);
                self.write(Event::Completed { exceptions }).await
            }
            Next::Park(why) => {
                let failed = self.course.shown.steps.iter().find(|step| {
                    matches!(
                        step.phase,
                        crate::runbook::run::StepPhase::Failed | crate::runbook::run::StepPhase::Refused
                    )
                });
                let step = failed.map(|step| step.id.clone());
                self.write(Event::Parked { step, why }).await
            }
        }
    }

    /// A person's word: refused in words, or written down and obeyed.
    async fn hear(&mut self, order: Order) -> Result<(), Stopped> {
        let Order { answer, reply } = order;
        if let Err(illegal) = fold::admit(&self.course, &answer) {
            let _ = reply.send(Err(Refusal(illegal.0))); // who asked may have gone
            return Ok(());
        }
        self.last_word = self.shared.clock.monotonic();
        if matches!(answer, Answer::Rearm(_)) {
            self.armed_at = self.last_word;
        }
        let actor = self.person();
        if self.append(Event::Answered { answer }, actor).await.is_err() {
            let _ = reply.send(Err(Refusal(SafeText::new("the journal cannot be written"))));
            return Err(Stopped);
        }
        let _ = reply.send(Ok(()));
        Ok(())
    }

    async fn lapse(&mut self) -> Result<(), Stopped> {
        if !self.course.armed || self.course.shown.phase.ended() {
            return Ok(());
        }
        let now = self.shared.clock.monotonic();
        let started = self.course.shown.steps.iter().any(|step| step.attempts > 0);
        let why = if !started && now.saturating_sub(self.armed_at) > START_WITHIN {
            "not started within 120 s of the declaration"
        } else if now.saturating_sub(self.last_word) > SILENCE_MAX {
            "no key for 15 m"
        } else {
            return Ok(());
        };
        self.write(Event::Lapsed { why: SafeText::new(why) }).await.map(|_| ())
    }

    async fn check(&mut self, n: usize) -> Result<Turn, Stopped> {
        let Some(kind) = steps::find(&self.course.frozen.steps[n].kind) else {
            let why = SafeText::new(format!("this version knows no step of kind {}", self.course.frozen.steps[n].kind));
            return self.write(Event::Parked { step: Some(self.step(n)), why }).await;
        };
        match kind.conduct() {
            Conduct::Reads(reading) => {
                let snapshot = self.shared.fresh(&self.course.frozen.plan.app).await;
                let finding = self.with_facts(&snapshot, n, |about| reading.read(about));
                match finding {
                    Err(why) => self.write(Event::Parked { step: Some(self.step(n)), why }).await,
                    Ok(Finding::Done(detail)) => self.write(Event::Done { step: self.step(n), detail }).await,
                    Ok(Finding::Failed(detail)) => self.fail(n, detail).await,
                    Ok(Finding::NotYet(detail)) => self.later_or_fail(n, "not so within", detail).await,
                }
            }
            Conduct::Probes(probing) => {
                let snapshot = self.shared.fresh(&self.course.frozen.plan.app).await;
                let shared = Arc::clone(&self.shared);
                let finding = match self.facts(&snapshot) {
                    Err(why) => return self.write(Event::Parked { step: Some(self.step(n)), why }).await,
                    Ok(facts) => probing.probe(&self.about(&facts, n), &shared.eyes()).await,
                };
                match finding {
                    Finding::Done(detail) => self.write(Event::Done { step: self.step(n), detail }).await,
                    Finding::Failed(detail) => self.fail(n, detail).await,
                    Finding::NotYet(detail) => self.later_or_fail(n, "not so within", detail).await,
                }
            }
            Conduct::Asks(checklist) => {
                if self.course.progress[n].confirmed.is_some() {
                    let detail = SafeText::new(format!("confirmed by {}", self.person()));
                    return self.write(Event::Done { step: self.step(n), detail }).await;
                }
                let snapshot = self.shared.snapshot(&self.course.frozen.plan.app).await;
                match self.with_facts(&snapshot, n, |about| checklist.items(about)) {
                    Ok(items) => self.write(Event::Asked { ask: Ask::Confirm { step: self.step(n), items } }).await,
                    Err(why) => self.write(Event::Parked { step: Some(self.step(n)), why }).await,
                }
            }
            Conduct::Acts(acting) => self.act(n, acting).await,
        }
    }

    /// One attempt, as DESIGN section 6 numbers it.
    async fn act(&mut self, n: usize, acting: &'static dyn MutatingStep) -> Result<Turn, Stopped> {
        let step = self.step(n);
        let park = |why: SafeText| Event::Parked { step: Some(step.clone()), why };
        let snapshot = self.shared.fresh(&self.course.frozen.plan.app).await;
        let read_at = self.shared.clock.monotonic();
        let component = self.course.frozen.steps[n].component();
        let given = self.course.overrides(n);
        let frozen = Arc::clone(&self.course.frozen);
        let evaluated = self.with_facts(&snapshot, n, |about| {
            let specs = &frozen.steps[n].guards;
            let readings = guards::evaluate_all(specs, component.as_ref(), about.facts, &given, about.now);
            let calls: Vec<&CallDescription> = frozen.plan.steps[n].calls.iter().collect();
            let interlocks = interlock::interlocks(&Circumstances {
                facts: about.facts,
                authority: self.shared.authority(),
                target: about.target,
                calls: &calls,
                busy: None,
                now: about.now,
            });
            let callers = calls.iter().find_map(|call| interlock::caller(about.facts, call, about.target, about.now));
            (readings, interlocks.into_iter().next().or(callers), acting.loss(about))
        });
        let (readings, interlock, loss) = match evaluated {
            Ok(evaluated) => evaluated,
            Err(why) => return self.write(park(why)).await,
        };
        self.write(Event::Guarded { step: step.clone(), guards: readings.clone() }).await?;
        match decide::judge(&self.course, n, &readings, loss.as_ref()) {
            Judged::Ask(ask) => return self.write(Event::Asked { ask }).await,
            Judged::Park(why) => return self.write(park(why)).await,
            Judged::Void(why) => return self.write(Event::Voided { step, why }).await,
            Judged::Go => {}
        }
        let shared = Arc::clone(&self.shared);
        let prepared = {
            let facts = match self.facts(&snapshot) {
                Ok(facts) => facts,
                Err(why) => return self.write(park(why)).await,
            };
            let token = digest_of(&(self.course.shown.id, &step, self.course.shown.steps[n].attempts));
            let about = StepContext { token: Some(&token), ..self.about(&facts, n) };
            acting.prepare(&about, &frozen.plan.steps[n].calls, &shared.eyes()).await
        };
        let op = match prepared {
            Prepared::AlreadyDone(detail) => {
                let detail = SafeText::new(format!("{detail}; nothing was sent"));
                return self.write(Event::Done { step, detail }).await;
            }
            Prepared::PassOver(reason) => return self.write(Event::Passed { step, reason }).await,
            Prepared::Busy(what) => {
                let why = SafeText::new(format!("an operation that this run did not begin is under way: {what}"));
                return self.write(park(why)).await;
            }
            Prepared::NotNow(why) => return self.write(park(why)).await,
            Prepared::Run(line) => {
                return self.write(park(SafeText::new(format!("{}: not yet", line.program)))).await;
            }
            Prepared::Send(op) => op,
        };
        if let Some(interlock) = interlock {
            return self.write(park(interlock.text)).await;
        }
        let call = op.describe();
        if !frozen.plan.steps[n].calls.iter().any(|planned| covers(planned, &call)) {
            let why = SafeText::new(format!("{call} would not be what was planned and confirmed: make a new plan"));
            return self.write(park(why)).await;
        }
        let Some(writer) = &shared.writer else {
            return self.write(park(SafeText::new("this console cannot act: it has no writing client"))).await;
        };
        if shared.clock.monotonic().saturating_sub(read_at) > FACTS_AGE_MAX {
            self.rereads += 1;
            if self.rereads > REREADS_MAX {
                return self.write(park(SafeText::new("facts cannot be read within 2 s of the act"))).await;
            }
            return Ok(Turn::Again);
        }

        let attempt = self.course.shown.steps[n].attempts;
        let request_digest = digest_of(&call);
        self.write(Event::Intended {
            step: step.clone(),
            attempt,
            plan_hash: frozen.plan.hash.clone(),
            call,
            request_digest: request_digest.clone(),
            guards: readings,
        })
        .await?;
        self.lapse().await?;
        if !self.course.armed {
            let why = SafeText::new("arming ended before it was sent");
            return self.write(Event::Withdrawn { step, why }).await;
        }
        // The lease is checked by the append itself: an old epoch cannot write `sent`, so it cannot send.
        self.write(Event::Sent { step: step.clone(), attempt, request_digest }).await?;
        let outcome = match writer.send_once(&*op).await {
            SendOutcome::Accepted { request_id, detail } => Outcome::Succeeded { request_id, detail },
            SendOutcome::Refused { code, message, request_id } => Outcome::Refused { code, message, request_id },
            SendOutcome::Unknown { why } => Outcome::Unknown { why },
        };
        self.since.insert(n, self.moment());
        self.agreed = None;
        self.write(Event::Outcome { step, attempt, outcome }).await
    }

    async fn look(&mut self, n: usize) -> Observed {
        let frozen = Arc::clone(&self.course.frozen);
        let Some(Conduct::Acts(acting)) = steps::find(&frozen.steps[n].kind).map(steps::kind::StepKind::conduct) else {
            return Observed::Unclear(SafeText::new("this version cannot observe it"));
        };
        let progress = &self.course.progress[n];
        let Some(call) = progress.call.clone() else {
            return Observed::Unclear(SafeText::new("no call is on record"));
        };
        let accepted = progress.accepted.clone();
        let snapshot = self.shared.snapshot(&frozen.plan.app).await;
        match self.facts(&snapshot) {
            Err(why) => Observed::Unclear(why),
            Ok(facts) => {
                let about = self.about(&facts, n);
                acting.observe(&about, &call, accepted.as_deref(), &self.shared.eyes()).await
            }
        }
    }

    async fn observe(&mut self, n: usize) -> Result<Turn, Stopped> {
        match self.look(n).await {
            Observed::Done(detail) => {
                let id = self.course.shown.steps[n].request_id.as_ref().map(|id| format!("; request {id}"));
                let detail = SafeText::new(format!("{detail}{}", id.unwrap_or_default()));
                self.write(Event::Done { step: self.step(n), detail }).await
            }
            Observed::InProgress(detail) | Observed::NotDone(detail) | Observed::Unclear(detail) => {
                self.later_or_fail(n, "accepted, but not seen done within", detail).await
            }
        }
    }

    async fn resolve(&mut self, n: usize) -> Result<Turn, Stopped> {
        let step = self.step(n);
        match self.look(n).await {
            Observed::Done(detail) => {
                let detail = SafeText::new(format!("{detail}; the answer was lost, this was observed"));
                self.write(Event::Done { step, detail }).await
            }
            Observed::InProgress(detail) => {
                self.agreed = None;
                if self.elapsed(n) <= self.course.frozen.plan.steps[n].timeout {
                    self.show(n, &detail);
                    return Ok(Turn::Later);
                }
                self.ask_verdict(n, &detail).await
            }
            Observed::NotDone(detail) => {
                let now = self.moment();
                let (reads, first) = self.agreed.map_or((1, now), |(reads, first)| (reads + 1, first));
                self.agreed = Some((reads, first));
                let over = self.since_moment(first);
                if reads >= SETTLE_READS && over >= SETTLE {
                    let text = format!("no effect: {reads} reads over {} agree: {detail}", time::short(over));
                    return self.fail(n, SafeText::new(text)).await;
                }
                self.show(n, &detail);
                Ok(Turn::Later)
            }
            Observed::Unclear(detail) => {
                self.agreed = None;
                if self.elapsed(n) <= DOUBT_MAX {
                    self.show(n, &detail);
                    return Ok(Turn::Later);
                }
                self.ask_verdict(n, &detail).await
            }
        }
    }

    async fn ask_verdict(&mut self, n: usize, detail: &SafeText) -> Result<Turn, Stopped> {
        let call = self.course.progress[n].call.as_ref().map_or_else(|| "the call".to_owned(), ToString::to_string);
        let question = SafeText::new(format!("did {call} take effect? It cannot be told from here: {detail}"));
        self.write(Event::Asked { ask: Ask::Verdict { step: self.step(n), question } }).await
    }

    async fn later_or_fail(&mut self, n: usize, late: &str, detail: SafeText) -> Result<Turn, Stopped> {
        let timeout = self.course.frozen.plan.steps[n].timeout;
        if self.elapsed(n) <= timeout {
            self.show(n, &detail);
            return Ok(Turn::Later);
        }
        self.fail(n, SafeText::new(format!("{late} {}: {detail}", time::short(timeout)))).await
    }

    async fn fail(&mut self, n: usize, detail: SafeText) -> Result<Turn, Stopped> {
        let step = self.step(n);
        self.write(Event::Failed { step: step.clone(), detail: detail.clone() }).await?;
        let planned = &self.course.frozen.plan.steps[n];
        if planned.on_failure == OnFailure::Continue && planned.calls.is_empty() {
            let reason = SafeText::new(format!("the runbook goes on without it: {detail}"));
            return self.write(Event::Passed { step, reason }).await;
        }
        Ok(Turn::Again)
    }

    /// What is seen on the way is shown, not written down.
    fn show(&mut self, n: usize, detail: &SafeText) {
        let state = &mut self.course.shown.steps[n];
        if state.detail != *detail {
            state.detail = detail.clone();
            self.publish();
        }
    }

    fn step(&self, n: usize) -> crate::domain::StepId {
        self.course.frozen.plan.steps[n].id.clone()
    }

    fn person(&self) -> SafeText {
        SafeText::new(format!("{} ({})", self.course.shown.declaration.who, self.course.shown.principal))
    }

    fn moment(&self) -> Moment {
        Moment { estate: self.shared.clock.now(), monotonic: self.shared.clock.monotonic() }
    }

    /// Estate time, or wall time where estate time stands still, so that no wait is for ever.
    fn since_moment(&self, moment: Moment) -> Duration {
        if self.shared.clock.speed() > 0.0 {
            self.shared.clock.now().since(moment.estate)
        } else {
            self.shared.clock.monotonic().saturating_sub(moment.monotonic)
        }
    }

    /// Of the present attempt, as far as this driver has seen it.
    fn elapsed(&mut self, n: usize) -> Duration {
        let now = self.moment();
        let since = *self.since.entry(n).or_insert(now);
        self.since_moment(since)
    }

    fn facts<'a>(&'a self, snapshot: &'a Snapshot) -> Result<Facts<'a>, SafeText> {
        self.shared.facts_about(&self.course.frozen.plan.app, snapshot)
    }

    fn about<'a>(&'a self, facts: &'a Facts<'a>, n: usize) -> StepContext<'a> {
        let plan = &self.course.frozen.plan;
        StepContext {
            facts,
            step: &self.course.frozen.steps[n],
            kind: plan.kind,
            target: plan.target,
            begun_at: self.course.shown.steps[n].started_at,
            token: None,
            now: self.shared.clock.now(),
        }
    }

    fn with_facts<T>(
        &self,
        snapshot: &Snapshot,
        n: usize,
        ask: impl FnOnce(&StepContext<'_>) -> T,
    ) -> Result<T, SafeText> {
        let facts = self.facts(snapshot)?;
        Ok(ask(&self.about(&facts, n)))
    }

    async fn write(&mut self, event: Event) -> Result<Turn, Stopped> {
        self.append(event, SafeText::new("engine")).await.map(|()| Turn::Again)
    }

    /// Applied in memory only when it is on disk.
    async fn append(&mut self, event: Event, actor: SafeText) -> Result<(), Stopped> {
        if self.shared.failed() {
            return Err(Stopped); // another run found the journal broken: it is the same journal
        }
        let at = self.shared.clock.now();
        let entry = Entry { at, actor, event };
        let next = match fold::apply(self.course.clone(), &entry) {
            Ok(next) => next,
            Err(illegal) => {
                // A mistake of this program: stop this run rather than write what recovery would refuse.
                self.shared.fail(&SafeText::new(format!("run {}: {illegal}", self.course.shown.id)));
                return Err(Stopped);
            }
        };
        let written = written(&entry, &self.course, self.shared.clock.wall(), self.shared.clock.monotonic());
        let store = Arc::clone(&self.shared.store);
        let lease = Lease { run: self.lease.run, epoch: self.lease.epoch, held: Box::new(()) };
        let outcome = tokio::task::spawn_blocking(move || store.append(&lease, &written)).await;
        match outcome {
            Ok(Ok(_)) => {
                self.course = next;
                self.course.shown.driven = !self.course.shown.phase.ended();
                self.publish();
                Ok(())
            }
            Ok(Err(error @ StoreError::Superseded { .. })) => {
                tracing::warn!(%error, "another driver has the run");
                Err(Stopped)
            }
            Ok(Err(error)) => {
                self.shared.fail(&SafeText::new(error.to_string()));
                Err(Stopped)
            }
            Err(error) => {
                self.shared.fail(&SafeText::new(error.to_string()));
                Err(Stopped)
            }
        }
    }

    fn publish(&self) {
        self.shared.publish(&self.course);
    }
}

/// An entry as the columns of the journal.
pub(super) fn written(entry: &Entry, course: &Course, wall: Timestamp, monotonic: Duration) -> Written {
    let plan = &course.frozen.plan;
    columns(entry, plan.target_region.as_str(), wall, monotonic)
}

pub(super) fn columns(entry: &Entry, target: &str, wall: Timestamp, monotonic: Duration) -> Written {
    let event = &entry.event;
    let evidence = match event {
        Event::Guarded { guards, .. } | Event::Intended { guards, .. } => digest_of(guards),
        Event::Answered { answer: Answer::Verdict { evidence, .. } } => digest_of(evidence),
        Event::Done { detail, .. } | Event::Failed { detail, .. } => digest_of(detail),
        _ => String::new(),
    };
    let target = match event {
        Event::Intended { call, .. } => call.region.as_str(),
        _ => target,
    };
    Written {
        kind: event.word().to_owned(),
        step: event.step().map_or_else(String::new, |step| SafeText::new(step.as_str()).to_string()),
        attempt: event.attempt().unwrap_or(0),
        actor: entry.actor.to_string(),
        wall,
        boot_millis: monotonic.as_millis() as u64,
        target: target.to_owned(),
        request_digest: event.request_digest().unwrap_or_default().to_owned(),
        token: match event {
            Event::Intended { call, .. } => {
                let token = call.params.iter().find(|(name, _)| name == "IdempotencyToken");
                token.map_or_else(String::new, |(_, token)| token.to_string())
            }
            _ => String::new(),
        },
        evidence_digest: evidence,
        body: serde_json::to_string(entry).expect("an entry is plain data with text keys"),
        last: matches!(event, Event::Completed { .. } | Event::Answered { answer: Answer::Abandon { .. } }),
    }
}
