//! The rim of the soak: what `pointsman::engine::driver` is for the real thing, on a made-up clock, with crashes.
//!
//! One agenda orders everything that happens: answers, landings, wakes, people, weather, take-overs. A driver is
//! stopped, stalled or killed between any two of its acts. Where to look next: [`runs`] (how a run gets a driver),
//! [`errands`] (what a driver does in the world), then [`super::laws`].

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use pointsman::{
    domain::{CallDescription, SafeText},
    runbook::{
        event::{Entry, Event},
        fold,
        machine::{Do, Gate, Machine, Moment, Pace, Task, Way},
        run::{Answer, Ask, Phase, StepPhase},
    },
};

use super::{
    Breach, Weather,
    broken::Plant,
    estate::{Estate, stamp},
    journal::{Agenda, Durability, Journal},
    laws, operator,
    world::{Word, World},
};

mod errands;
mod runs;

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

    /// Whether a step's call is between record and answer.
    pub fn sending(&self, d: usize) -> bool {
        self.drivers[d].machine.course.shown.steps.iter().any(|step| step.phase == StepPhase::Sent)
    }
}
