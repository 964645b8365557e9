//! The journal in memory: what is durable survives a crash, what is not does not; one epoch at a time may append.
//!
//! Where to look next: `pointsman::engine::store` (the contract that it keeps).

use std::collections::BTreeMap;

use pointsman::runbook::{
    event::{Entry, Event},
    run::{Answer, WaveMark},
};

use super::{broken::Plant, estate::Estate};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Durable,
    /// Written, and lost with the machine.
    Volatile,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub epoch: u64,
    pub at: u64,
    pub entry: Entry,
    pub durability: Durability,
}

#[derive(Clone, Debug)]
pub struct Log {
    pub app: usize,
    pub wave: Option<WaveMark>,
    pub epoch: u64,
    pub lines: Vec<Line>,
    pub begun: bool,
    pub ended: bool,
    pub completed: bool,
}

#[derive(Debug)]
pub struct Superseded;

#[derive(Debug, Default)]
pub struct Journal {
    pub runs: Vec<Log>,
}

impl Journal {
    /// All or none; refused while a run of one of the apps has not ended. Members of a wave are no obstacle for each
    /// other.
    pub fn create(
        &mut self,
        estate: &Estate,
        batch: &[(usize, Option<WaveMark>, Entry)],
        now: u64,
        plant: Plant,
    ) -> Option<Vec<usize>> {
        let busy = |app: usize| self.runs.iter().any(|run| !run.ended && run.app == app);
        let blocked = |app: usize| busy(app) || estate.apps[app].depends_on.iter().any(|on| busy(*on));
        if plant != Plant::TwoRunsPerApp && batch.iter().any(|(app, _, _)| blocked(*app)) {
            return None;
        }
        let first = self.runs.len();
        for (app, wave, entry) in batch {
            let line = Line { epoch: 1, at: now, entry: entry.clone(), durability: Durability::Durable };
            self.runs.push(Log {
                app: *app,
                wave: wave.clone(),
                epoch: 1,
                lines: vec![line],
                begun: false,
                ended: false,
                completed: false,
            });
        }
        Some((first..self.runs.len()).collect())
    }

    pub fn take(&mut self, run: usize) -> u64 {
        let log = &mut self.runs[run];
        log.epoch += 1;
        log.epoch
    }

    pub fn append(
        &mut self,
        run: usize,
        epoch: u64,
        at: u64,
        entry: &Entry,
        durability: Durability,
        plant: Plant,
    ) -> Result<(), Superseded> {
        let log = &mut self.runs[run];
        if epoch != log.epoch && plant != Plant::IgnoresEpochs {
            return Err(Superseded);
        }
        // What is flushed takes with it what was written before.
        if durability == Durability::Durable {
            log.lines.iter_mut().for_each(|line| line.durability = Durability::Durable);
        }
        log.lines.push(Line { epoch, at, entry: entry.clone(), durability });
        match &entry.event {
            Event::Begun { .. } => log.begun = true,
            Event::Completed { .. } => (log.ended, log.completed) = (true, true),
            Event::Answered { answer: Answer::Abandon { .. } } => log.ended = true,
            _ => {}
        }
        Ok(())
    }

    /// The machine that held it is gone.
    pub fn crash(&mut self, run: usize) {
        self.runs[run].lines.retain(|line| line.durability == Durability::Durable);
    }

    pub fn durable(&self, run: usize) -> usize {
        self.runs[run].lines.iter().filter(|line| line.durability == Durability::Durable).count()
    }
}

/// Times by key: what is due next, in the order in which it was put in where times are equal.
#[derive(Debug)]
pub struct Agenda<T> {
    due: BTreeMap<(u64, u64), T>,
    count: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), count: 0 }
    }
}

impl<T> Agenda<T> {
    pub fn put(&mut self, at: u64, what: T) {
        self.count += 1;
        self.due.insert((at, self.count), what);
    }

    pub fn next(&mut self) -> Option<(u64, T)> {
        self.due.pop_first().map(|((at, _), what)| (at, what))
    }
}
