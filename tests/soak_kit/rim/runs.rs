//! How a run comes to its drivers: declared, let in by its wave, taken over from one that died.
//!
//! Where to look next: [`super`] (what a driver does with it).

use std::{collections::BTreeMap, sync::Arc};

use pointsman::runbook::{
    event::{Entry, Event},
    fold,
    machine::{Gate, Machine},
    plan::PlanHash,
    run::RunId,
};

use super::{
    super::{
        broken::Plant,
        estate::{declaration, stamp},
        journal::Durability,
        laws,
    },
    Driver, Happens, MINUTE, Soak, way,
};

impl Soak {
    pub(super) fn declare(&mut self, n: usize) {
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

    pub(super) fn start(&mut self, run: usize, epoch: u64, mut course: fold::Course) {
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
    pub(super) fn gate(&self, run: usize) -> Gate {
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

    /// Somebody resumes the run: what is on record is all there is.
    pub(super) fn take_over(&mut self, run: usize) {
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
}
