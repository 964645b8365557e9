//! The soak: the pure engine under whole random estates, faults, people and crashes, held against laws that know
//! nothing of the engine. One seed is one world; the same seed is the same world again.
//!
//! Shared by `tests/soak.rs` and `examples/soak.rs`. Where to look next: [`rim`] (what happens), [`laws`] (what must
//! hold), [`broken`] (engines that must be caught).

use std::{
    fmt::{self, Write as _},
    panic::catch_unwind,
};

use fastrand::Rng;

pub mod broken;
pub mod estate;
pub mod journal;
pub mod laws;
pub mod operator;
pub mod rim;
pub mod world;

use broken::Plant;
use estate::Estate;
use rim::Soak;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// No faults, people answer at once.
    Calm,
    /// Nothing fails but the console itself.
    Crashes,
    /// Everything fails, and people are people, until the storm is over.
    Storm,
}

/// What was found: a law, and where.
#[derive(Clone, Debug)]
pub struct Breach {
    pub law: &'static str,
    pub run: usize,
    pub line: usize,
    pub text: String,
}

#[derive(Clone, Debug)]
pub struct Failure {
    pub seed: u64,
    pub weather: Weather,
    pub breach: Breach,
    /// The run's record up to the breach, with what the world saw of it.
    pub trace: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Breach { law, run, line, text } = &self.breach;
        writeln!(
            f,
            "seed {} ({:?}): law broken: {law}: run {}, record {}: {text}",
            self.seed,
            self.weather,
            run + 1,
            line + 1
        )?;
        writeln!(f, "again: cargo run --release --example soak -- --seed {} --trace", self.seed)?;
        f.write_str(&self.trace)
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub runs: u64,
    pub completed: u64,
    pub records: u64,
    pub calls: u64,
    pub drivers: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.completed += other.completed;
        self.records += other.records;
        self.calls += other.calls;
        self.drivers += other.drivers;
    }
}

/// The whole of one seed. Three of four are storms; the fourth is the same estate twice: undisturbed, and with a
/// console that dies all the time, which must leave the same world behind.
pub fn soak(seed: u64, plant: Plant) -> Result<Tally, Box<Failure>> {
    if seed % 4 != 3 {
        return one(seed, plant, Weather::Storm).map(|(_, tally)| tally);
    }
    let (calm, _) = one(seed, plant, Weather::Calm)?;
    let (crashed, tally) = one(seed, plant, Weather::Crashes)?;
    let (was, is) = (calm.world.standing(), crashed.world.standing());
    if was == is {
        return Ok(tally);
    }
    let breach = Breach {
        law: "a resumed run ends as the uninterrupted one",
        run: 0,
        line: 0,
        text: format!("uninterrupted {was}; resumed {is}"),
    };
    Err(Box::new(Failure { seed, weather: Weather::Crashes, trace: trace(&crashed, &breach), breach }))
}

/// The world of a seed, lived through once.
pub fn lived(seed: u64, plant: Plant, weather: Weather) -> (Soak, Result<(), Breach>) {
    let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let estate = Estate::random(&mut rng, weather);
    let mut soak = Soak::new(weather, plant, estate, rng);
    let lived = soak.go();
    // The laws say more than where the rim stumbled.
    let judged = laws::judge(&soak).and(lived);
    let judged = if weather == Weather::Calm {
        judged.and_then(|()| laws::told_at_once(&soak)).and_then(|()| laws::makespan(&soak))
    } else {
        judged
    };
    (soak, judged)
}

fn one(seed: u64, plant: Plant, weather: Weather) -> Result<(Soak, Tally), Box<Failure>> {
    let lived = catch_unwind(|| lived(seed, plant, weather)).map_err(|_| {
        let text = "what it said stands above".to_owned();
        let breach = Breach { law: "the engine does not panic", run: 0, line: 0, text };
        Box::new(Failure { seed, weather, breach, trace: String::new() })
    });
    let (soak, judged) = lived?;
    let count = |what: fn(&journal::Log) -> bool| soak.journal.runs.iter().filter(|log| what(log)).count() as u64;
    let tally = Tally {
        runs: soak.journal.runs.len() as u64,
        completed: count(|log| log.completed),
        records: soak.appends,
        calls: soak.world.calls.len() as u64,
        drivers: soak.drivers.len() as u64,
    };
    match judged {
        Ok(()) => Ok((soak, tally)),
        Err(breach) => Err(Box::new(Failure { seed, weather, trace: trace(&soak, &breach), breach })),
    }
}

/// The record of the run in question up to the breach; everything that the world saw of that run.
pub fn trace(soak: &Soak, breach: &Breach) -> String {
    let mut text = String::new();
    let Some(log) = soak.journal.runs.get(breach.run) else { return text };
    let steps: Vec<String> = log_plan(soak, log);
    let _ = writeln!(text, "plan: {}", steps.join("; "));
    for (n, line) in log.lines.iter().enumerate().take(breach.line + 3) {
        let mark = if n == breach.line { ">" } else { " " };
        let _ = writeln!(text, "{mark}{:>4} {:>9} ms  driver {}  {:?}", n + 1, line.at, line.epoch, line.entry.event);
    }
    for call in soak.world.calls.iter().filter(|call| call.run == breach.run) {
        let _ = writeln!(
            text,
            " call {} at {} ms, {} records durable, landed {:?}, digest {}",
            call.step,
            call.at,
            call.recorded,
            call.landed,
            &call.digest[..8]
        );
    }
    text
}

fn log_plan(soak: &Soak, log: &journal::Log) -> Vec<String> {
    let spec = &soak.estate.apps[log.app];
    let line = |step: &pointsman::runbook::plan::PlannedStep| {
        let after: Vec<&str> = step.after.iter().map(pointsman::domain::StepId::as_str).collect();
        format!("{} {:?} after [{}]", step.id, spec.natures[&step.id].role, after.join(" "))
    };
    spec.plan.plan.steps.iter().map(line).collect()
}
