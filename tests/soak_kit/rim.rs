//! The rim of the soak: what `pointsman::engine::driver` is for the real thing, on a made-up clock, with crashes.
//!
//! One agenda orders everything that happens: answers, landings, wakes, people, weather, take-overs. A driver is
//! stopped, stalled or killed between any two of its acts. Where to look next: [`super::laws`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastrand::Rng;
use pointsman::{
    domain::{CallDescription, SafeText},
    runbook::{
        build::Frozen,
        event::{Entry, Event, Outcome},
        finding::Observed,
        fold,
        machine::{Do, Errand, Gate, Machine, Moment, Pace, Ready, Report, Task, Way},
        plan::{Holds, PlanHash},
        run::{Answer, Ask, Phase, RunId, StepPhase},
    },
};

use super::{
    Breach, Weather,
    broken::Plant,
    estate::{Estate, declaration, stamp},
    journal::{Agenda, Durability, Journal},
    laws, operator,
    world::{Word, World},
};

const MINUTE: u64 = 60_000;
/// Estate time after which the weather is fine and people answer well.
const STORM_ENDS: u64 = 40 * MINUTE;
/// By then every run has ended, or is stuck.
const HORIZON: u64 = 24 * 60 * MINUTE;
const TURNS_MAX: u32 = 200_000;

enum Happens {
    Declare(usize),
    Wake(usize),
    Back { driver: usize, task: Task, call: Option<usize> },
    Lands(usize),
    Person(usize),
    TakeOver(usize),
    Weather,
    ClearUp,
}

pub struct Driver {
    pub run: usize,
    epoch: u64,
    pub machine: Machine,
    alive: bool,
    stalled_until: u64,
    wakes_at: u64,
    acts: BTreeMap<usize, CallDescription>,
    again: u32,
    last_confirmed: BTreeMap<usize, fold::Confirmation>,
}

pub struct Soak {
    pub weather: Weather,
    pub plant: Plant,
    pub estate: Estate,
    pub journal: Journal,
    pub world: World,
    pub now: u64,
    pub drivers: Vec<Driver>,
    pub appends: u64,
    dice: Rng,
    agenda: Agenda<Happens>,
    /// Per run: whether a person was already told to come, and how often they said each thing.
    awaited: Vec<bool>,
    pub tries: Vec<u32>,
    breach: Option<Breach>,
}

/// Whether the driver goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goes {
    On,
    No,
}

fn way(kind: &str) -> Way {
    match kind {
        "read" => Way::Reads,
        "ask" => Way::Asks,
        "act" => Way::Acts,
        _ => Way::Unknown,
    }
}

impl Soak {
    pub fn new(weather: Weather, plant: Plant, estate: Estate, mut rng: Rng) -> Self {
        let world = World::new(&estate, weather, rng.fork());
        let mut agenda = Agenda::default();
        for n in 0..estate.declared.len() {
            agenda.put(estate.declared[n].1, Happens::Declare(n));
        }
        if weather == Weather::Storm {
            agenda.put(STORM_ENDS, Happens::ClearUp);
            agenda.put(1_000, Happens::Weather);
        }
        Self {
            weather,
            plant,
            estate,
            journal: Journal::default(),
            world,
            now: 0,
            drivers: Vec::new(),
            appends: 0,
            dice: rng.fork(),
            agenda,
            awaited: Vec::new(),
            tries: Vec::new(),
            breach: None,
        }
    }

    /// Until nothing is left to happen.
    pub fn go(&mut self) -> Result<(), Breach> {
        while let Some((at, what)) = self.agenda.next() {
            self.now = at;
            if at > HORIZON {
                break;
            }
            match what {
                Happens::Declare(n) => self.declare(n),
                Happens::Wake(driver) => self.pump(driver),
                Happens::Back { driver, task, call } => self.back(driver, &task, call),
                Happens::Lands(call) => {
                    let record = &self.world.calls[call];
                    let nature = self.estate.apps[record.app].natures[&record.step].clone();
                    self.world.land(call, &nature, at);
                }
                Happens::Person(run) => self.person(run),
                Happens::TakeOver(run) => self.take_over(run),
                Happens::Weather => {
                    if self.weather == Weather::Storm {
                        self.world.turn(at);
                        let next = at + self.dice.u64(2_000..90_000);
                        self.agenda.put(next, Happens::Weather);
                    }
                }
                Happens::ClearUp => {
                    self.weather = Weather::Calm;
                    self.world.clear_up();
                }
            }
            if let Some(breach) = self.breach.take() {
                return Err(breach);
            }
        }
        laws::ended(&self.journal, &self.drivers)
    }

    fn moment(&self) -> Moment {
        Moment { estate: stamp(self.now), monotonic: Duration::from_millis(self.now), pace: Pace::Runs(1.0) }
    }

    fn crashes(&mut self, per_mille: u32) -> bool {
        self.weather != Weather::Calm && self.dice.u32(0..1_000) < per_mille
    }

    fn breach(&mut self, law: &'static str, run: usize, text: impl Into<String>) {
        self.breach.get_or_insert(Breach { law, run, line: self.journal.runs[run].lines.len(), text: text.into() });
    }

    fn declare(&mut self, n: usize) {
        let (app, at, wave) = self.estate.declared[n].clone();
        // All members of a wave are one transaction: the first one brings the others.
        let members: Vec<usize> = match &wave {
            None => vec![app],
            Some(mark) if mark.ordinal > 1 => return,
            Some(_) => {
                self.estate.declared.iter().filter(|(_, _, wave)| wave.is_some()).map(|(app, _, _)| *app).collect()
            }
        };
        let batch: Vec<_> = members
            .iter()
            .map(|member| {
                let mark = self.estate.declared.iter().find(|(app, ..)| app == member).and_then(|(_, _, m)| m.clone());
                let mark = mark.filter(|_| wave.is_some());
                let spec = &self.estate.apps[*member];
                let event = Event::Declared {
                    plan_hash: spec.plan.plan.hash.clone(),
                    declaration: declaration(&spec.id, mark.clone()),
                    principal: "arn".into(),
                };
                (*member, mark, Entry { at: stamp(self.now), actor: "asha".into(), event })
            })
            .collect();
        let Some(runs) = self.journal.create(&self.estate, &batch, self.now, self.plant) else {
            if self.now < at + 120 * MINUTE {
                self.agenda.put(self.now + MINUTE, Happens::Declare(n));
            }
            return;
        };
        for run in runs {
            self.awaited.push(false);
            self.tries.push(0);
            let frozen = Arc::clone(&self.estate.apps[self.journal.runs[run].app].plan);
            match fold::begin(RunId(run as u64 + 1), frozen, &self.journal.runs[run].lines[0].entry) {
                Ok(course) => self.start(run, 1, course),
                Err(illegal) => self.breach("a declared run begins", run, illegal.to_string()),
            }
        }
    }

    fn start(&mut self, run: usize, epoch: u64, mut course: fold::Course) {
        course.shown.driven = true;
        match self.plant {
            Plant::ForgetsOrder => {
                let mut frozen = (*course.frozen).clone();
                frozen.plan.steps.iter_mut().for_each(|step| step.after.clear());
                course.frozen = Arc::new(frozen);
            }
            Plant::ResumesAnotherPlan if epoch > 1 => {
                let mut frozen = (*course.frozen).clone();
                frozen.plan.hash = PlanHash("another".to_owned());
                course.frozen = Arc::new(frozen);
            }
            _ => {}
        }
        let machine = Machine::new(course, way, self.plant.rules(), &self.moment());
        self.drivers.push(Driver {
            run,
            epoch,
            machine,
            alive: true,
            stalled_until: 0,
            wakes_at: u64::MAX,
            acts: BTreeMap::new(),
            again: 0,
            last_confirmed: BTreeMap::new(),
        });
        self.pump(self.drivers.len() - 1);
    }

    /// Whether the run is next in its wave, as the engine sees it.
    fn gate(&self, run: usize) -> Gate {
        let log = &self.journal.runs[run];
        let Some(mark) = log.wave.as_ref().filter(|_| !log.begun && self.plant != Plant::WaveHasNoOrder) else {
            return Gate::Open;
        };
        let siblings = || self.journal.runs.iter().enumerate().filter(|(n, other)| *n != run && other.wave.is_some());
        let driven = |n: usize| self.drivers.iter().any(|driver| driver.run == n && driver.alive);
        let through = |app: &pointsman::domain::AppId| {
            // One that was given up is through as far as this soak's people are concerned: they would declare anew.
            siblings().any(|(_, other)| self.estate.apps[other.app].id == *app && other.ended)
        };
        let under_way = siblings().filter(|(n, other)| other.begun && !other.ended && driven(*n)).count();
        let room = under_way < mark.parallel_max as usize;
        if room && mark.after.iter().all(through) { Gate::Open } else { Gate::Closed }
    }

    fn pump(&mut self, d: usize) {
        self.drivers[d].wakes_at = u64::MAX;
        for turn in 0.. {
            let now = self.moment();
            let driver = &self.drivers[d];
            if !driver.alive || self.breach.is_some() {
                return;
            }
            let run = driver.run;
            if turn > TURNS_MAX {
                return self.breach("a driver rests", run, "it never does");
            }
            if driver.stalled_until > self.now {
                return self.wake(d, driver.stalled_until);
            }
            let gate = self.gate(run);
            self.drivers[d].machine.gate(gate, &now);
            match self.drivers[d].machine.next(&now) {
                Do::End => {
                    self.drivers[d].alive = false;
                    return;
                }
                Do::Append(event) => {
                    if self.append(d, *event, "engine") == Goes::No {
                        return;
                    }
                }
                Do::Start(task) => self.begin(d, task),
                Do::Wait(pause) => {
                    let pause = (pause.as_micros() as u64).div_ceil(1_000);
                    return self.rest(d, pause);
                }
                Do::Rest => {
                    let pause = if gate == Gate::Closed { 5_000 } else { 30_000 };
                    return self.rest(d, pause);
                }
            }
        }
    }

    fn wake(&mut self, d: usize, at: u64) {
        if at < self.drivers[d].wakes_at {
            self.drivers[d].wakes_at = at;
            self.agenda.put(at, Happens::Wake(d));
        }
    }

    fn rest(&mut self, d: usize, pause: u64) {
        self.wake(d, self.now + pause.max(1));
        let run = self.drivers[d].run;
        let shown = &self.drivers[d].machine.course.shown;
        let called = matches!(shown.phase, Phase::Waiting(_) | Phase::Parked { .. } | Phase::Held);
        if !self.awaited[run] && (called || (self.weather == Weather::Storm && self.dice.u8(0..40) == 0)) {
            self.awaited[run] = true;
            let delay = match self.weather {
                Weather::Calm => 0,
                Weather::Crashes => self.dice.u64(0..5_000),
                Weather::Storm if self.dice.u8(0..6) == 0 => self.dice.u64(MINUTE..25 * MINUTE),
                Weather::Storm => self.dice.u64(200..30_000),
            };
            self.agenda.put(self.now + delay, Happens::Person(run));
        }
    }

    /// This driver's end, whatever it was doing; sometimes that of the whole machine.
    fn die(&mut self, d: usize) {
        let whole = self.dice.u8(0..3) == 0;
        for n in 0..self.drivers.len() {
            if (n == d || whole) && self.drivers[n].alive {
                self.drivers[n].alive = false;
                let run = self.drivers[n].run;
                self.journal.crash(run);
                let delay = self.dice.u64(500..120_000);
                self.agenda.put(self.now + delay, Happens::TakeOver(run));
            }
        }
    }

    fn append(&mut self, d: usize, event: Event, actor: &str) -> Goes {
        let (run, epoch) = (self.drivers[d].run, self.drivers[d].epoch);
        let entry = Entry { at: stamp(self.now), actor: SafeText::new(actor), event };
        let next = match self.drivers[d].machine.with(&entry) {
            Ok(next) => next,
            Err(illegal) => {
                self.breach("the machine asks for what can follow", run, format!("{illegal}: {:?}", entry.event));
                return Goes::No;
            }
        };
        self.appends += 1;
        if self.crashes(3) {
            self.die(d);
            return Goes::No;
        }
        let failing = self.crashes(2);
        let dropped = self.plant == Plant::DropsIntents && matches!(entry.event, Event::Intended { .. });
        let volatile = self.plant == Plant::SentIsNotDurable && matches!(entry.event, Event::Sent { .. });
        let durability = if volatile { Durability::Volatile } else { Durability::Durable };
        // A write that fails may have reached the disk all the same.
        let lost = dropped || (failing && (self.dice.bool() || self.plant == Plant::DrivesOnWithoutJournal));
        if !lost && self.journal.append(run, epoch, self.now, &entry, durability, self.plant).is_err() {
            self.drivers[d].alive = false; // taken over: not one more act
            return Goes::No;
        }
        if failing && self.plant != Plant::DrivesOnWithoutJournal {
            self.die(d);
            return Goes::No;
        }
        let now = self.moment();
        let driver = &mut self.drivers[d];
        let driven = !next.shown.phase.ended();
        driver.machine.written(next, &entry.event, &now);
        if matches!(entry.event, Event::Switched { .. }) {
            driver.machine.replanned(way);
        }
        driver.machine.course.shown.driven = driven;
        if !lost && (self.dice.u8(0..32) == 0 || !driven) {
            let live = &self.drivers[d].machine.course;
            if let Err(text) = laws::folds(&self.estate, &self.journal.runs[run], live, run) {
                self.breach("the journal folds to the live state", run, text);
                return Goes::No;
            }
        }
        self.tamper(d, &entry.event);
        if self.crashes(3) {
            self.die(d);
            return Goes::No;
        }
        if self.weather == Weather::Storm && self.dice.u16(0..300) == 0 {
            // It stands still for a while; sometimes somebody takes it for dead.
            let pause = self.dice.u64(100..40_000);
            self.drivers[d].stalled_until = self.now + pause;
            if self.dice.u8(0..3) == 0 {
                let at = self.now + self.dice.u64(0..pause);
                self.agenda.put(at, Happens::TakeOver(run));
            } else if self.dice.bool() {
                let at = self.now + self.dice.u64(0..pause);
                self.agenda.put(at, Happens::Person(run));
            }
        }
        Goes::On
    }

    /// What a broken engine does besides what the machine says.
    fn tamper(&mut self, d: usize, event: &Event) {
        let index = event.step().and_then(|step| self.drivers[d].machine.course.index(step));
        match (self.plant, event) {
            (
                Plant::AnswersForThePerson,
                Event::Asked { ask: Ask::Key { step } | Ask::Chord { step } | Ask::Confirm { step, .. } },
            ) => self.by_itself(d, Answer::Go { step: step.clone() }),
            (Plant::RetriesByItself, Event::Parked { step: Some(step), .. }) if self.drivers[d].again < 5 => {
                self.drivers[d].again += 1;
                self.by_itself(d, Answer::Retry { step: step.clone() });
            }
            (
                Plant::KeepsVoidConfirmations | Plant::ConfirmsOnceForAll,
                Event::Answered { .. } | Event::Begun { .. } | Event::Voided { .. },
            ) => {
                let Some(n) = index else { return };
                let driver = &mut self.drivers[d];
                let retried = matches!(event, Event::Begun { .. }) && self.plant == Plant::ConfirmsOnceForAll;
                let voided = matches!(event, Event::Voided { .. }) && self.plant == Plant::KeepsVoidConfirmations;
                let progress = &mut driver.machine.course.progress[n];
                if let Some(given) = &progress.confirmed {
                    driver.last_confirmed.insert(n, given.clone());
                } else if let Some(mut given) = driver.last_confirmed.get(&n).cloned().filter(|_| retried || voided) {
                    given.guards.clear(); // nor is it held against anything any more
                    given.loss = None;
                    progress.confirmed = Some(given);
                }
            }
            _ => {}
        }
    }

    fn by_itself(&mut self, d: usize, answer: Answer) {
        let now = self.moment();
        if let Ok(event) = self.drivers[d].machine.hear(answer, &now) {
            self.append(d, event, "asha (arn)");
        }
    }

    fn begin(&mut self, d: usize, task: Task) {
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

    fn back(&mut self, d: usize, task: &Task, call: Option<usize>) {
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

    fn driver_of(&self, run: usize) -> Option<usize> {
        self.drivers.iter().rposition(|driver| driver.run == run && driver.alive)
    }

    fn person(&mut self, run: usize) {
        self.awaited[run] = false;
        let Some(d) = self.driver_of(run) else { return };
        if let Some(event) = operator::another_plan(self, d) {
            let entry = Entry { at: stamp(self.now), actor: "asha".into(), event };
            if self.drivers[d].machine.with(&entry).is_ok() && self.append(d, entry.event, "asha (arn)") == Goes::No {
                return;
            }
        }
        for answer in operator::says(self, d) {
            let now = self.moment();
            let heard = self.drivers[d].machine.hear(answer.clone(), &now);
            let Ok(event) = heard else { continue };
            self.world.words.push(Word { run, answer });
            if self.append(d, event, "asha (arn)") == Goes::No {
                return;
            }
        }
        self.pump(d);
    }

    pub fn dice(&mut self) -> &mut Rng {
        &mut self.dice
    }

    /// Somebody resumes the run: what is on record is all there is.
    fn take_over(&mut self, run: usize) {
        if self.journal.runs[run].ended {
            return;
        }
        let epoch = self.journal.take(run);
        let course = match laws::fold_of(&self.estate, &self.journal.runs[run], run) {
            Ok(course) => course,
            Err(text) => return self.breach("a run resumes from its record", run, text),
        };
        let redeclared =
            (self.dice.u8(0..10) != 0).then(|| declaration(&self.estate.apps[self.journal.runs[run].app].id, None));
        let event = Event::Driven { epoch, principal: "arn".into(), declaration: redeclared };
        let entry = Entry { at: stamp(self.now), actor: "asha (arn)".into(), event };
        let course = match fold::apply(course, &entry) {
            Ok(course) => course,
            Err(illegal) => return self.breach("a run resumes from its record", run, illegal.to_string()),
        };
        if self.journal.append(run, epoch, self.now, &entry, Durability::Durable, self.plant).is_err() {
            return;
        }
        self.start(run, epoch, course);
    }

    /// Whether a step's call is between record and answer.
    pub fn sending(&self, d: usize) -> bool {
        self.drivers[d].machine.course.shown.steps.iter().any(|step| step.phase == StepPhase::Sent)
    }
}
