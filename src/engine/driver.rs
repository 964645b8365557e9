//! The rim of one run: does what its [`Machine`] says, and reports what came back.
//!
//! Must never: begin a call that the machine did not ask for, or go on after a failed write. Records are written one
//! after the other; looks and calls of several steps are under way at the same time. They end with this future: a
//! driver that is dropped leaves nothing behind that goes on by itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Refusal, Shared,
    store::{Lease, StoreError, Written},
};
use crate::{
    aws::{SendOutcome, WriteOp},
    domain::{AppId, CallDescription, Snapshot, StepId, Timestamp, text::SafeText},
    runbook::{
        build::{Frozen, digest_of},
        event::{Entry, Event, Outcome},
        finding::{Finding, Observed, Traces},
        fold::Course,
        guards, guards_estate,
        interlock::{self, Circumstances, Stage},
        machine::{Do, Errand, Machine, Moment, Pace, Ready, Report, Rules, Survey, Task, Way},
        plan::Override,
        run::Answer,
        signal::Facts,
    },
    steps::{
        self,
        kind::{Conduct, MutatingStep, Prepared, StepContext, covers},
        outside::{CommandLine, Ended},
    },
};

/// How often a resting run is looked at, to notice that its arming ended.
const LOOK_UP: Duration = Duration::from_secs(1);

/// A person's word on its way to the driver.
pub(super) struct Order {
    pub word: Word,
    pub reply: oneshot::Sender<Result<(), Refusal>>,
}

/// What a person can say to a run.
pub(super) enum Word {
    Answer(Answer),
    /// An event that the engine prepared: another plan for the same run.
    Event(Box<Event>),
}

/// The journal failed, or the run was taken over: nothing more is done.
struct Stopped;

/// What goes out: kept here, the machine knows its description only.
enum Act {
    Call(Box<dyn WriteOp>),
    Run(CommandLine),
}

/// What a task leaves for the next one of its step.
enum Keep {
    Nothing,
    /// The survey's facts, which preparing uses too.
    Facts(Arc<Snapshot>),
    Act(Act),
}

struct Back {
    task: Task,
    report: Report,
    keep: Keep,
}

pub(super) struct Driver {
    shared: Arc<Shared>,
    machine: Machine,
    lease: Lease,
    orders: mpsc::Receiver<Order>,
    under_way: FuturesUnordered<BoxFuture<'static, Back>>,
    facts: BTreeMap<usize, Arc<Snapshot>>,
    acts: BTreeMap<usize, Act>,
}

/// What the machine must know of a kind.
pub(super) fn way(kind: &str) -> Way {
    match steps::find(kind).map(steps::kind::StepKind::conduct) {
        Some(Conduct::Reads(_) | Conduct::Probes(_)) => Way::Reads,
        Some(Conduct::Asks(_)) => Way::Asks,
        Some(Conduct::Acts(_)) => Way::Acts,
        None => Way::Unknown,
    }
}

impl Driver {
    pub fn new(shared: Arc<Shared>, mut course: Course, lease: Lease, orders: mpsc::Receiver<Order>) -> Self {
        course.shown.driven = true;
        let machine = Machine::new(course, way, Rules::default(), &shared.moment());
        Self {
            shared,
            machine,
            lease,
            orders,
            under_way: FuturesUnordered::new(),
            facts: BTreeMap::new(),
            acts: BTreeMap::new(),
        }
    }

    pub async fn drive(mut self) {
        self.publish();
        loop {
            let mut stopped = false;
            while let Ok(order) = self.orders.try_recv() {
                stopped |= self.hear(order).await.is_err();
            }
            while let Some(Some(back)) = self.under_way.next().now_or_never() {
                self.back(back);
            }
            if stopped {
                break;
            }
            let now = self.shared.moment();
            self.machine.gate(self.shared.gate(&self.machine.course), &now);
            let what = self.machine.next(&now);
            if self.machine.take_changed() {
                self.publish();
            }
            match what {
                Do::End => break,
                Do::Append(event) => {
                    if self.append(*event, SafeText::new("engine")).await.is_err() {
                        break;
                    }
                }
                Do::Start(task) => {
                    let errand = self.errand(task);
                    self.under_way.push(errand);
                }
                what @ (Do::Wait(_) | Do::Rest) => {
                    let pause = match what {
                        Do::Wait(pause) if self.under_way.is_empty() => self.shared.clock.idle(pause),
                        Do::Wait(pause) => pause,
                        _ => LOOK_UP,
                    };
                    tokio::select! {
                        order = self.orders.recv() => match order {
                            Some(order) => if self.hear(order).await.is_err() { break },
                            None => break,
                        },
                        Some(back) = self.under_way.next() => self.back(back),
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
        self.machine.course.shown.driven = false;
        self.publish();
        self.shared.forget(self.machine.course.shown.id);
    }

    fn back(&mut self, back: Back) {
        let Back { task, report, keep } = back;
        if !self.machine.waits_for(&task) {
            return; // or the call prepared for an attempt that is over would be sent for the present one
        }
        match keep {
            Keep::Nothing => {}
            Keep::Facts(snapshot) => {
                self.facts.insert(task.step, snapshot);
            }
            Keep::Act(act) => {
                self.acts.insert(task.step, act);
            }
        }
        self.machine.report(&task, report);
    }

    /// A person's word: refused in words, or written down and obeyed.
    async fn hear(&mut self, order: Order) -> Result<(), Stopped> {
        let Order { word, reply } = order;
        let event = match word {
            Word::Answer(answer) => self.machine.hear(answer, &self.shared.moment()),
            Word::Event(event) => {
                let at = self.shared.clock.now();
                let entry = Entry { at, actor: self.person(), event: *event };
                self.machine.with(&entry).map(|_| entry.event)
            }
        };
        let event = match event {
            Ok(event) => event,
            Err(illegal) => {
                let _ = reply.send(Err(Refusal(illegal.0))); // who asked may have gone
                return Ok(());
            }
        };
        let actor = self.person();
        if self.append(event, actor).await.is_err() {
            let _ = reply.send(Err(Refusal(SafeText::new("the journal cannot be written"))));
            return Err(Stopped);
        }
        let _ = reply.send(Ok(()));
        Ok(())
    }

    fn person(&self) -> SafeText {
        let shown = &self.machine.course.shown;
        SafeText::new(format!("{} ({})", shown.declaration.who, shown.principal))
    }

    /// Applied in memory only when it is on disk.
    async fn append(&mut self, event: Event, actor: SafeText) -> Result<(), Stopped> {
        if self.shared.failed() {
            return Err(Stopped); // another run found the journal broken: it is the same journal
        }
        let entry = Entry { at: self.shared.clock.now(), actor, event };
        let next = match self.machine.with(&entry) {
            Ok(next) => next,
            Err(illegal) => {
                // A mistake of this program: stop this run rather than write what recovery would refuse.
                self.shared.fail(&SafeText::new(format!("run {}: {illegal}", self.machine.course.shown.id)));
                return Err(Stopped);
            }
        };
        let written = written(&entry, &next, self.shared.clock.wall(), self.shared.clock.monotonic());
        let store = Arc::clone(&self.shared.store);
        let lease = Lease { run: self.lease.run, epoch: self.lease.epoch, held: Box::new(()) };
        let outcome = tokio::task::spawn_blocking(move || store.append(&lease, &written)).await;
        match outcome {
            Ok(Ok(_)) => {
                let driven = !next.shown.phase.ended();
                self.machine.written(next, &entry.event, &self.shared.moment());
                if matches!(entry.event, Event::Switched { .. }) {
                    self.machine.replanned(way);
                }
                self.machine.course.shown.driven = driven;
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
        self.shared.publish(&self.machine.course);
    }

    /// The task as a future that owns what it needs.
    fn errand(&mut self, task: Task) -> BoxFuture<'static, Back> {
        let n = task.step;
        let site = Site {
            shared: Arc::clone(&self.shared),
            frozen: Arc::clone(&self.machine.course.frozen),
            n,
            begun_at: self.machine.course.shown.steps[n].started_at,
            maker_began: {
                let shown = &self.machine.course.shown.steps;
                let maker = self.machine.course.frozen.steps[n].made_by();
                maker.and_then(|maker| shown.iter().find(|step| step.id == maker)?.started_at)
            },
            attested: guards_estate::attested(&self.machine.course.frozen.plan, &self.machine.course.shown.steps),
            token: {
                let shown = &self.machine.course.shown;
                digest_of(&(shown.id, &shown.steps[n].id, shown.steps[n].attempts))
            },
        };
        match task.what {
            Errand::Read => {
                async move { Back { task, report: Report::Found(site.read().await), keep: Keep::Nothing } }.boxed()
            }
            Errand::Items => {
                async move { Back { task, report: Report::Items(site.items().await), keep: Keep::Nothing } }.boxed()
            }
            Errand::Survey => {
                let given = self.machine.course.overrides(n);
                async move {
                    match site.survey(&given).await {
                        Ok((survey, snapshot)) => {
                            Back { task, report: Report::Surveyed(Ok(survey)), keep: Keep::Facts(snapshot) }
                        }
                        Err(why) => Back { task, report: Report::Surveyed(Err(why)), keep: Keep::Nothing },
                    }
                }
                .boxed()
            }
            Errand::Prepare => {
                let facts = self.facts.remove(&n);
                async move {
                    let (ready, act) = site.prepare(facts).await;
                    Back { task, report: Report::Prepared(ready), keep: act.map_or(Keep::Nothing, Keep::Act) }
                }
                .boxed()
            }
            Errand::Send => {
                let act = self.acts.remove(&n);
                async move { Back { task, report: Report::Sent(site.send(act).await), keep: Keep::Nothing } }.boxed()
            }
            Errand::Look => {
                let progress = &self.machine.course.progress[n];
                let (call, accepted) = (progress.call.clone(), progress.accepted.clone());
                async move {
                    let looked = site.look(call, accepted).await;
                    Back { task, report: Report::Looked(looked), keep: Keep::Nothing }
                }
                .boxed()
            }
        }
    }
}

/// A step and all that its errands need.
struct Site {
    shared: Arc<Shared>,
    frozen: Arc<Frozen>,
    n: usize,
    begun_at: Option<Timestamp>,
    maker_began: Option<Timestamp>,
    /// Checklists of this run that a person has confirmed.
    attested: Vec<StepId>,
    /// The same for the same attempt, whichever driver prepares it.
    token: String,
}

impl Site {
    fn app(&self) -> &AppId {
        &self.frozen.plan.app
    }

    fn about<'a>(&'a self, facts: &'a Facts<'a>) -> StepContext<'a> {
        StepContext {
            facts,
            step: &self.frozen.steps[self.n],
            kind: self.frozen.plan.kind,
            target: self.frozen.plan.target,
            begun_at: self.begun_at,
            maker_began: self.maker_began,
            token: Some(&self.token),
            now: self.shared.clock.now(),
        }
    }

    fn conduct(&self) -> Option<Conduct<'static>> {
        steps::find(&self.frozen.steps[self.n].kind).map(steps::kind::StepKind::conduct)
    }

    async fn read(&self) -> Result<Finding, SafeText> {
        let snapshot = self.shared.fresh(self.app()).await;
        let facts = self.shared.facts_about(self.app(), &snapshot)?;
        let about = self.about(&facts);
        match self.conduct() {
            Some(Conduct::Reads(reading)) => Ok(reading.read(&about)),
            Some(Conduct::Probes(probing)) => Ok(probing.probe(&about, &self.shared.eyes()).await),
            _ => Err(SafeText::new("the step does not read")),
        }
    }

    async fn items(&self) -> Result<Vec<SafeText>, SafeText> {
        let snapshot = self.shared.fresh(self.app()).await;
        let facts = self.shared.facts_about(self.app(), &snapshot)?;
        match self.conduct() {
            Some(Conduct::Asks(checklist)) => Ok(checklist.items(&self.about(&facts))),
            _ => Err(SafeText::new("the step asks nothing")),
        }
    }

    fn acting(&self) -> Result<&'static dyn MutatingStep, SafeText> {
        match self.conduct() {
            Some(Conduct::Acts(acting)) => Ok(acting),
            _ => Err(SafeText::new("this version cannot carry it out")),
        }
    }

    async fn survey(&self, given: &[(usize, Override)]) -> Result<(Survey, Arc<Snapshot>), SafeText> {
        let acting = self.acting()?;
        let snapshot = self.shared.fresh(self.app()).await;
        let read_at = self.shared.clock.monotonic();
        let survey = {
            let mut facts = self.shared.facts_about(self.app(), &snapshot)?;
            facts.attested = &self.attested;
            let about = self.about(&facts);
            let step = &self.frozen.steps[self.n];
            let guards = guards::evaluate_all(&step.guards, step.component().as_ref(), &facts, given, about.now);
            let calls: Vec<&CallDescription> = self.frozen.plan.steps[self.n].calls.iter().collect();
            let interlocks = interlock::interlocks(&Circumstances {
                facts: &facts,
                authority: self.shared.authority(),
                kind: self.frozen.plan.kind,
                stage: Stage::Underway,
                target: about.target,
                calls: &calls,
                busy: None,
                now: about.now,
            });
            let callers = calls.iter().find_map(|call| interlock::caller(&facts, call, about.target, about.now));
            let interlock = interlocks.into_iter().next().or(callers).map(|interlock| interlock.text);
            let foreign = self.shared.foreign_hand(&self.frozen, &facts);
            Survey { guards, interlock, foreign, loss: acting.loss(&about), read_at }
        };
        Ok((survey, snapshot))
    }

    async fn prepare(&self, facts: Option<Arc<Snapshot>>) -> (Ready, Option<Act>) {
        match self.prepared(facts).await {
            Err(why) => (Ready::NotNow(why), None),
            Ok(ready) => ready,
        }
    }

    async fn prepared(&self, snapshot: Option<Arc<Snapshot>>) -> Result<(Ready, Option<Act>), SafeText> {
        let acting = self.acting()?;
        let snapshot = snapshot.ok_or_else(|| SafeText::new("no facts were read for it"))?;
        let facts = self.shared.facts_about(self.app(), &snapshot)?;
        let planned = &self.frozen.plan.steps[self.n].calls;
        let (call, act) = match acting.prepare(&self.about(&facts), planned, &self.shared.eyes()).await {
            Prepared::AlreadyDone(detail) => return Ok((Ready::AlreadyDone(detail), None)),
            Prepared::PassOver(reason) => return Ok((Ready::PassOver(reason), None)),
            Prepared::Busy(what) => return Ok((Ready::Busy(what), None)),
            Prepared::NotNow(why) => return Err(why),
            Prepared::Run(line) => {
                if self.shared.hands.is_none() {
                    return Err(SafeText::new("this console runs no programs"));
                }
                (line.describe(), Act::Run(line))
            }
            Prepared::Send(op) => {
                if self.shared.writer.is_none() {
                    return Err(SafeText::new("this console cannot act: it has no writing client"));
                }
                (op.describe(), Act::Call(op))
            }
        };
        if !planned.iter().any(|planned| covers(planned, &call)) {
            let why = format!("{call} would not be what was planned and confirmed: make a new plan");
            return Err(SafeText::new(why));
        }
        let traces = Traces { leaves: acting.leaves(&call), clears: acting.clears(&call) };
        Ok((Ready::Send { call: Box::new(call), traces: Box::new(traces) }, Some(act)))
    }

    /// The one place where something goes out.
    async fn send(&self, act: Option<Act>) -> Outcome {
        let not_sent = |message: &str| Outcome::Refused {
            code: SafeText::new(crate::aws::write::NOT_SENT),
            message: SafeText::new(message),
            request_id: None,
        };
        match act {
            None => not_sent("nothing was prepared"),
            Some(Act::Call(op)) => match &self.shared.writer {
                None => not_sent("this console has no writing client"),
                Some(writer) => match writer.send_once(&*op).await {
                    SendOutcome::Accepted { request_id, detail } => Outcome::Succeeded { request_id, detail },
                    SendOutcome::Refused { code, message, request_id } => {
                        Outcome::Refused { code, message, request_id }
                    }
                    SendOutcome::Unknown { why } => Outcome::Unknown { why },
                },
            },
            Some(Act::Run(line)) => match &self.shared.hands {
                None => not_sent("this console runs no programs"),
                Some(hands) => match hands.run(&line).await {
                    Ended::Exit { status: 0, last_line } => Outcome::Succeeded { request_id: None, detail: last_line },
                    // What a program did before it failed, it did: only looking says.
                    Ended::Exit { status, last_line } => {
                        Outcome::Unknown { why: SafeText::new(format!("exit status {status}: {last_line}")) }
                    }
                    Ended::NotStarted { why } => not_sent(&why),
                    Ended::Cut { why } => Outcome::Unknown { why },
                },
            },
        }
    }

    async fn look(&self, call: Option<CallDescription>, accepted: Option<SafeText>) -> Observed {
        let seen = async {
            let acting = self.acting()?;
            let call = call.ok_or_else(|| SafeText::new("no call is on record"))?;
            let snapshot = self.shared.snapshot(self.app()).await;
            let facts = self.shared.facts_about(self.app(), &snapshot)?;
            Ok::<_, SafeText>(
                acting.observe(&self.about(&facts), &call, accepted.as_deref(), &self.shared.eyes()).await,
            )
        };
        seen.await.unwrap_or_else(Observed::Unclear)
    }
}

impl Shared {
    pub(super) fn moment(&self) -> Moment {
        let speed = self.clock.speed();
        Moment {
            estate: self.clock.now(),
            monotonic: self.clock.monotonic(),
            pace: if speed > 0.0 { Pace::Runs(speed) } else { Pace::Still },
        }
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
