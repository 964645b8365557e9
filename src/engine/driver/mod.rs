//! The rim of one run: does what its [`Machine`] says, and reports what came back.
//!
//! Must never: begin a call that the machine did not ask for, or go on after a failed write. Records are written one
//! after the other; looks and calls of several steps are under way at the same time. They end with this future: a
//! driver that is dropped leaves nothing behind that goes on by itself.

mod errand;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use tokio::sync::{mpsc, oneshot};

use self::errand::{Act, Site};
use super::{
    Refusal, Shared, record,
    store::{Lease, StoreError},
};
use crate::{
    domain::{Snapshot, text::SafeText},
    runbook::{
        build::digest_of,
        event::{Entry, Event},
        fold::Course,
        guards_estate,
        machine::{Do, Errand, Machine, Moment, Pace, Report, Rules, Task, Way},
        run::Answer,
    },
    steps::{self, kind::Conduct},
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
        let written = record::written(&entry, &next, self.shared.clock.wall(), self.shared.clock.monotonic());
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
