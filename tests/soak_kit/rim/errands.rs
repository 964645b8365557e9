//! What a driver does for its machine in the world: reads, looks, and the one call; and what comes back.
//!
//! Where to look next: [`super::super::world`] (what it meets there).

use std::sync::Arc;

use pointsman::{
    domain::CallDescription,
    runbook::{
        build::Frozen,
        event::Outcome,
        finding::Observed,
        machine::{Errand, Ready, Report, Task},
        plan::Holds,
        run::StepPhase,
    },
};

use super::{
    super::{broken::Plant, estate::stamp},
    Happens, Soak,
};

impl Soak {
    pub(super) fn begin(&mut self, d: usize, task: Task) {
        let now = self.now;
        let run = self.drivers[d].run;
        let app = self.journal.runs[run].app;
        if self.crashes(2) {
            return self.die(d); // before the call
        }
        if task.what != Errand::Send {
            let takes = self.world.takes();
            return self.agenda.put(now + takes, Happens::Back { driver: d, task, call: None });
        }
        let Some(mut act) = self.drivers[d].acts.remove(&task.step) else {
            return self.breach("something was prepared before it is sent", run, format!("step {}", task.step));
        };
        if self.plant == Plant::SendsAnotherCall {
            act.params[1].1 = "another".into();
        }
        let recorded = self.journal.durable(run);
        let sent = self.world.send(run, app, &act, recorded, now);
        if let Some(at) = sent.lands_at {
            self.agenda.put(at, Happens::Lands(sent.call));
        }
        self.agenda.put(sent.answers_at, Happens::Back { driver: d, task, call: Some(sent.call) });
        if self.plant == Plant::SendsAgainOnUnknown && matches!(self.world.answer(sent.call), Outcome::Unknown { .. }) {
            self.sent_again(run, app, &act, recorded, sent.answers_at);
        }
        if self.crashes(10) {
            self.die(d); // after it, before the answer
        }
    }

    fn sent_again(&mut self, run: usize, app: usize, act: &CallDescription, recorded: usize, at: u64) {
        let again = self.world.send(run, app, act, recorded, at);
        if let Some(at) = again.lands_at {
            self.agenda.put(at, Happens::Lands(again.call));
        }
    }

    pub(super) fn back(&mut self, d: usize, task: &Task, call: Option<usize>) {
        if !self.drivers[d].alive {
            return;
        }
        if self.drivers[d].stalled_until > self.now {
            let at = self.drivers[d].stalled_until;
            return self.agenda.put(at, Happens::Back { driver: d, task: *task, call });
        }
        if !self.drivers[d].machine.waits_for(task) {
            return;
        }
        let report = match call {
            Some(call) => Report::Sent(self.world.answer(call)),
            None => self.errand(d, task),
        };
        self.drivers[d].machine.report(task, report);
        self.pump(d);
    }

    fn errand(&mut self, d: usize, task: &Task) -> Report {
        let (now, run, n) = (self.now, self.drivers[d].run, task.step);
        let app = self.journal.runs[run].app;
        let course = &self.drivers[d].machine.course;
        let frozen: Arc<Frozen> = Arc::clone(&course.frozen);
        let planned = &frozen.plan.steps[n];
        let nature = self.estate.apps[app].natures[&planned.id].clone();
        match task.what {
            Errand::Read => {
                let begun = course.shown.steps[n].started_at.map_or(0, |at| at.since(stamp(0)).as_millis() as u64);
                Report::Found(self.world.read(&nature, begun, now))
            }
            Errand::Items => Report::Items(Ok(vec!["look around".into()])),
            Errand::Survey => {
                let given = course.overrides(n);
                let declared = course.shown.declared_at.since(stamp(0)).as_millis() as u64;
                let mut survey = self.world.survey(run, app, &nature, &frozen.steps[n], planned, &given, declared, now);
                if let (Plant::GuardsAlwaysHold, Ok(survey)) = (self.plant, &mut survey) {
                    survey.guards.iter_mut().for_each(|guard| guard.holds = Holds::Yes);
                }
                Report::Surveyed(survey)
            }
            Errand::Prepare => {
                let ready = self.world.prepare(app, planned, &nature, now);
                if let Ready::Send { call, .. } = &ready {
                    self.drivers[d].acts.insert(n, (**call).clone());
                }
                Report::Prepared(ready)
            }
            Errand::Send => Report::Sent(Outcome::Unknown { why: "lost".into() }),
            Errand::Look => {
                let digest = course.progress[n].request_digest.as_deref();
                let own = digest.filter(|_| course.shown.steps[n].phase == StepPhase::Observing);
                let seen = self.world.look(app, &planned.id, own, now);
                Report::Looked(match (self.plant, seen) {
                    (Plant::UnclearIsNotDone, Observed::Unclear(why)) => Observed::NotDone(why),
                    (Plant::UnclearIsFailed, Observed::Unclear(why)) => Observed::Failed(why),
                    (Plant::DoneWithoutLooking, _) => Observed::Done("surely".into()),
                    (Plant::TakesFailedForDone, Observed::Failed(why)) => Observed::Done(why),
                    (Plant::WaitsForWhatFailed, Observed::Failed(why)) => Observed::InProgress(why),
                    (Plant::SendsAgainWhatFailed, Observed::Failed(why)) => {
                        if let Some(call) = course.progress[n].call.clone() {
                            let recorded = self.journal.durable(run);
                            self.sent_again(run, app, &call, recorded, now);
                        }
                        Observed::InProgress(why)
                    }
                    (_, seen) => seen,
                })
            }
        }
    }
}
