//! What must hold of every run, held against the journal and the world's own record, and nothing of the engine's.
//!
//! Each law is told in words; the first breach of a run is reported with its line. The one thing taken from the
//! engine is the fold, whose agreement with the live state is itself a law. Where to look next: [`reader`] (the laws of
//! a single run).

use std::{collections::BTreeMap, sync::Arc};

use pointsman::{
    domain::StepId,
    runbook::{
        event::Event,
        fold::{self, Course},
        run::RunId,
    },
};

use super::{
    Breach,
    estate::{Ending, Estate},
    journal::{Journal, Line, Log},
    rim::{Driver, Soak},
};

mod reader;

use reader::Reader;

/// Between the end of what failed and the record of it, where nothing disturbs: a look each three seconds.
const TOLD_WITHIN: u64 = 5_000;

pub fn fold_of(estate: &Estate, log: &Log, run: usize) -> Result<Course, String> {
    let frozen = Arc::clone(&estate.apps[log.app].plan);
    fold::fold(RunId(run as u64 + 1), frozen, log.lines.iter().map(|line| &line.entry)).map_err(|why| why.to_string())
}

/// Folding the journal gives the run as it stands.
pub fn folds(estate: &Estate, log: &Log, live: &Course, run: usize) -> Result<(), String> {
    let folded = fold_of(estate, log, run)?;
    let steps = |course: &Course| -> Vec<_> {
        let of = |step: &pointsman::runbook::run::StepState| {
            (step.id.clone(), step.phase.clone(), step.attempts, step.started_at, step.ended_at)
        };
        course.shown.steps.iter().map(of).collect()
    };
    let rest = |course: &Course| {
        (
            course.armed,
            course.held,
            course.parked.clone(),
            course.ask.clone(),
            course.shown.epoch,
            course.noticed.clone(),
        )
    };
    if steps(&folded) != steps(live) {
        return Err(format!("folded {:?}, live {:?}", steps(&folded), steps(live)));
    }
    if folded.shown.phase != live.shown.phase || rest(&folded) != rest(live) {
        return Err(format!(
            "folded {:?} {:?}, live {:?} {:?}",
            folded.shown.phase,
            rest(&folded),
            live.shown.phase,
            rest(live)
        ));
    }
    Ok(())
}

/// After the storm everything has come to an end: nothing waits for nobody.
pub fn ended(journal: &Journal, drivers: &[Driver]) -> Result<(), Breach> {
    let open = journal.runs.iter().position(|log| !log.ended);
    let Some(run) = open else { return Ok(()) };
    let at = drivers.iter().rev().find(|driver| driver.run == run);
    let phase = at.map(|driver| driver.machine.course.shown.phase.clone());
    Err(Breach {
        law: "every run converges",
        run,
        line: journal.runs[run].lines.len(),
        text: format!("it stands at {phase:?}"),
    })
}

pub fn judge(soak: &Soak) -> Result<(), Breach> {
    one_run_per_app(&soak.estate, &soak.journal)?;
    for run in 0..soak.journal.runs.len() {
        let log = &soak.journal.runs[run];
        let mut reader = Reader::new(&soak.estate, &soak.journal, &soak.world, run);
        for line in 0..log.lines.len() {
            reader.line = line;
            reader.read().map_err(|(law, text)| Breach { law, run, line, text })?;
        }
        reader.rest().map_err(|(law, text)| Breach { law, run, line: log.lines.len(), text })?;
    }
    Ok(())
}

/// Unfinished runs keep others off their app and off what it depends on.
fn one_run_per_app(estate: &Estate, journal: &Journal) -> Result<(), Breach> {
    for (n, log) in journal.runs.iter().enumerate() {
        let from = log.lines[0].at;
        for (m, other) in journal.runs[..n].iter().enumerate() {
            let last = other.lines.last().filter(|_| other.ended);
            let open = last.is_none_or(|last| last.at > from);
            let same = other.app == log.app || estate.apps[log.app].depends_on.contains(&other.app);
            if open && same && !(log.wave.is_some() && other.wave.is_some()) {
                let text = format!("declared at {from} while run {m} was under way");
                return Err(Breach { law: "one run per app and per app it depends on", run: n, line: 0, text });
            }
        }
    }
    Ok(())
}

/// Where nothing disturbs, what failed is told when it has failed, not when the runbook's time-out is over.
pub fn told_at_once(soak: &Soak) -> Result<(), Breach> {
    for call in &soak.world.calls {
        let Some(landing) = call.landed.filter(|landing| landing.ending != Ending::Whole) else { continue };
        let log = &soak.journal.runs[call.run];
        let in_time = landing.ends..landing.ends + TOLD_WITHIN;
        let told = |line: &Line| {
            let failed = matches!(&line.entry.event, Event::Failed { step, .. } if *step == call.step);
            failed && in_time.contains(&line.at)
        };
        if !log.lines.iter().any(told) {
            let text = format!("{} failed at {}", call.step, landing.ends);
            return Err(Breach { law: "what failed is told at once", run: call.run, line: log.lines.len(), text });
        }
    }
    Ok(())
}

/// Without people and faults a run takes as long as its longest way, and two percent.
pub fn makespan(soak: &Soak) -> Result<(), Breach> {
    for (run, log) in soak.journal.runs.iter().enumerate() {
        if !log.completed || log.lines.iter().any(|line| matches!(line.entry.event, Event::Lapsed { .. })) {
            continue;
        }
        let spec = &soak.estate.apps[log.app];
        let begun = log.lines.iter().find(|line| matches!(line.entry.event, Event::Begun { .. })).map(|line| line.at);
        let (Some(begun), Some(end)) = (begun, log.lines.last().map(|line| line.at)) else { continue };
        let mut ends: BTreeMap<&StepId, u64> = BTreeMap::new();
        for step in &spec.plan.plan.steps {
            let start = step.after.iter().filter_map(|id| ends.get(id)).max().copied().unwrap_or(0);
            let nature = &spec.natures[&step.id];
            let of = |line: &&Line| matches!(&line.entry.event, Event::Begun { step: of, .. } if *of == step.id);
            let attempts = log.lines.iter().filter(of).count() as u64;
            let failed = if attempts > 1 { nature.takes / 2 } else { 0 };
            // What a step takes, and one poll late, its reads, questions and call each time.
            ends.insert(&step.id, start + nature.takes + failed + attempts.max(1) * 8_000);
        }
        let path = ends.values().max().copied().unwrap_or(0) as f64;
        let took = (end - begun) as f64;
        if took > path * 1.02 {
            let text = format!("{took} ms, the longest way is {path} ms");
            return Err(Breach { law: "a run takes its longest way", run, line: log.lines.len(), text });
        }
    }
    Ok(())
}
