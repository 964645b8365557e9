//! Follows one run or the runs of a wave from the shell: prints what happens, asks when one of them asks.
//!
//! Must never: answer for a person. While a prompt waits the runs go on; what they did meanwhile is printed after it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    exit::{BLOCKED, Failure, INTERRUPTED, PARKED},
    prompts::{Prompts, Said, unfinished},
};
use crate::{
    compose::Core,
    domain::{Clock, SafeText},
    report::{runs, waves},
    runbook::{
        run::{Phase, RunId, RunState},
        switching::Switching,
    },
};

/// A driver publishes as soon as it runs.
const FIRST_WORD_WITHIN: Duration = Duration::from_secs(10);

/// Until every run has ended (0), one was abandoned or the input ended (4).
pub async fn drive(core: &Core, ids: &[RunId]) -> Result<u8, Failure> {
    tokio::select! {
        ended = driven(core, ids) => ended,
        () = core.engine.follow() => Err(stopped()), // it ends with the process only
        () = interrupted() => {
            // Somebody may be reading at a prompt, and no end of the runtime waits for less than a line.
            core.engine.orphaned();
            println!(); // the prompt stands in its line
            leave("interrupted", &of(&core.engine.watch().borrow().list, ids));
            std::process::exit(INTERRUPTED.into());
        }
    }
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await; // no handler: the signal ends the program by itself
    }
}

fn of(list: &[Arc<RunState>], ids: &[RunId]) -> Vec<Arc<RunState>> {
    ids.iter().filter_map(|id| list.iter().find(|run| run.id == *id).cloned()).collect()
}

fn stopped() -> Failure {
    Failure { code: 1, lines: vec!["the engine stopped".to_owned(), "`pointsman resume`".to_owned()] }
}

async fn driven(core: &Core, ids: &[RunId]) -> Result<u8, Failure> {
    let mut watch = core.engine.watch();
    let mut printed: BTreeMap<RunId, usize> = BTreeMap::new();
    loop {
        let now = watch.borrow_and_update().clone();
        if let Some(failure) = &now.store_failure {
            return Err(Failure {
                code: 1,
                lines: vec![
                    format!("the journal cannot be written: {failure}"),
                    "nothing more is sent; free the disk, then `pointsman resume`".to_owned(),
                ],
            });
        }
        let found = of(&now.list, ids);
        if found.len() < ids.len() {
            // Their drivers have not spoken yet.
            if tokio::time::timeout(FIRST_WORD_WITHIN, watch.changed()).await.is_err() {
                let missing: Vec<String> = ids.iter().map(ToString::to_string).collect();
                return Err(Failure {
                    code: 1,
                    lines: vec![
                        format!("run {}: a driver says nothing", missing.join(", ")),
                        "`pointsman runs`, then `pointsman resume`".to_owned(),
                    ],
                });
            }
            continue;
        }
        for run in &found {
            print_log(core, run, ids, &mut printed);
        }
        if found.iter().all(|run| run.phase.ended()) {
            return Ok(ended(core, &found));
        }
        if let Some(run) = found.iter().find(|run| asks(run)) {
            let prompts = Prompts { head: head(run, ids) };
            let Some(said) = question(&prompts, run).await else { return Ok(leave("the input ended", &found)) };
            let went = carry_out(core, &prompts, run, said).await;
            if went.is_none() {
                return Ok(leave("the input ended", &found));
            }
        }
        // A refused answer changes nothing to wait for: look again after a moment, or when a run moves.
        tokio::select! {
            changed = watch.changed() => if changed.is_err() {
                return Err(stopped());
            },
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
}

/// `[payments] ` where several runs are driven.
fn head(run: &RunState, ids: &[RunId]) -> String {
    if ids.len() > 1 { format!("[{}] ", run.plan.app) } else { String::new() }
}

fn print_log(core: &Core, run: &RunState, ids: &[RunId], printed: &mut BTreeMap<RunId, usize>) {
    let from = printed.entry(run.id).or_default();
    for (at, line) in run.log.iter().skip(*from) {
        println!("{}{}  {line}", head(run, ids), core.estate.zone.clock(*at));
    }
    *from = (*from).max(run.log.len());
}

const fn asks(run: &RunState) -> bool {
    matches!(run.phase, Phase::Waiting(_) | Phase::Parked { .. } | Phase::Held)
}

async fn question(prompts: &Prompts, run: &RunState) -> Option<Said> {
    match &run.phase {
        Phase::Waiting(ask) => prompts.answer(ask, run).await,
        Phase::Parked { step, why } => {
            println!("{}parked: {why}", prompts.head);
            prompts.parked(step.clone().or_else(|| unfinished(run))).await
        }
        _ => prompts.held(run).await,
    }
}

/// `None`: the input ended. What is refused is said, and asked about again.
async fn carry_out(core: &Core, prompts: &Prompts, run: &RunState, said: Said) -> Option<()> {
    let looked = match said {
        Said::Answer(answer) => {
            if let Err(refusal) = core.engine.answer(run.id, answer).await {
                println!("refused: {refusal}");
            }
            return Some(());
        }
        Said::Switch(runbook) => core.engine.switching(run.id, &runbook).await,
        Said::TurnReal => core.engine.turning_real(run.id).await,
    };
    match looked {
        Ok(change) => switch(core, prompts, run, &change).await,
        Err(refusal) => {
            println!("refused: {refusal}");
            Some(())
        }
    }
}

/// Shows what would change, then takes the declaration; an app or Region that is not typed as it stands leaves the
/// run as it was.
async fn switch(core: &Core, prompts: &Prompts, run: &RunState, change: &Switching) -> Option<()> {
    print!("{}", waves::switching(change, run));
    println!("declare it, or leave a line empty to let it be");
    let declaration = prompts.declaration(run.declaration.outage_at).await?;
    match core.engine.switch(run.id, &change.plan.hash, declaration).await {
        Ok(()) => println!("run {} goes on by {} {}", run.id, change.plan.runbook, change.plan.mode_word),
        Err(refusal) => println!("refused: {refusal}"),
    }
    Some(())
}

fn ended(core: &Core, found: &[Arc<RunState>]) -> u8 {
    for run in found {
        print!("{}", runs::run(run, &core.estate.zone, core.clock.now()));
    }
    let abandoned = found.iter().any(|run| matches!(run.phase, Phase::Abandoned { .. }));
    if abandoned { PARKED } else { 0 }
}

fn leave(why: &str, found: &[Arc<RunState>]) -> u8 {
    for run in found.iter().filter(|run| !run.phase.ended()) {
        println!("{why}: run {} waits; `pointsman resume {}` goes on", run.id, run.id);
    }
    let wave = found.iter().find_map(|run| run.declaration.wave.as_ref());
    if let Some(mark) = wave {
        println!("all of them: `pointsman resume --wave {}`", mark.id);
    }
    PARKED
}

/// What the engine refuses, for stderr.
pub fn refused(refusal: impl std::fmt::Display) -> Failure {
    Failure { code: BLOCKED, lines: vec![format!("refused: {}", SafeText::new(refusal.to_string()))] }
}
