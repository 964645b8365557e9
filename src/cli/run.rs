//! `pointsman run` and `resume`: the same engine, guards and confirmations as the console, one prompt a line.
//!
//! Prompts end in `> ` and are stable, because drills are scripted against them:
//!
//! | prompt | answer |
//! |---|---|
//! | `who> ` `incident> ` `app> ` `region> ` | the declaration; app and target Region as they stand now |
//! | `key STEP> ` | `go` |
//! | `chord STEP> ` | `go STEP` |
//! | `loss STEP "up to 5 m"> ` | the phrase in quotes |
//! | `override STEP "GUARD" reason> `, then `… authoriser> ` | why, and who answers for it |
//! | `confirm STEP> ` | `done` |
//! | `verdict STEP (applied\|not-applied)> `, then `verdict STEP evidence> ` | what a person found in AWS |
//! | `parked STEP (retry\|skip REASON\|abandon REASON)> ` | what to do now |
//!
//! At any step prompt also `skip REASON`, `abandon REASON`, `hold` is not needed: an unanswered prompt holds the run.
//! End of input leaves the run parked (exit 4): nothing is assumed. On a live estate without `--drill`, answers come
//! from a terminal only.

use std::{io::IsTerminal as _, sync::Arc, time::Duration};

use clap::Args;

use super::{
    Common,
    exit::{Failure, PARKED, USAGE},
    plan::Wanted,
};
use crate::{
    compose::{self, Core},
    domain::{Clock, SafeText, StepId, time::short},
    report::runs,
    runbook::run::{Answer, Ask, Declaration, Phase, Ruling, RunId, RunState, StepPhase},
};

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub wanted: Wanted,
    /// When the outage began, RFC 3339; the first clock runs from there
    #[arg(long, value_name = "TIME")]
    pub outage_at: Option<String>,
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Number of the run, from `pointsman runs`
    pub run: u64,
}

pub async fn run(common: &Common, args: &RunArgs) -> Result<u8, Failure> {
    let request = args.wanted.request()?;
    let core = compose::start(common).await?;
    core.first_full_picture().await;
    may_answer(&core, common)?;
    let outage_at = match &args.outage_at {
        None => None,
        Some(text) => Some(crate::domain::Timestamp::parse(text).ok_or_else(|| {
            Failure::usage([
                format!("run --outage-at {text}: not a time"),
                "write it like 2026-11-20T02:57:30+05:30".to_owned(),
            ])
        })?),
    };
    let plan = core.plan(&request).await?;
    print!("{}", runs::plan(&plan, &core.estate.zone, core.clock.now()));
    if !plan.interlocks.is_empty() {
        return Err(Failure {
            code: super::exit::BLOCKED,
            lines: std::iter::once(format!("{} cannot start:", plan.runbook))
                .chain(plan.interlocks.iter().map(|i| i.text.to_string()))
                .collect(),
        });
    }
    let Some(declaration) = declare(&mut Prompts::new(), outage_at).await else {
        return Err(Failure {
            code: PARKED,
            lines: vec!["run: the input ended before the declaration; nothing was started".to_owned()],
        });
    };
    let id = core.engine.declare(&plan, declaration).await.map_err(refused)?;
    drive(&core, id).await
}

pub async fn resume(common: &Common, args: &ResumeArgs) -> Result<u8, Failure> {
    let core = compose::start(common).await?;
    core.first_full_picture().await;
    may_answer(&core, common)?;
    let id = RunId(args.run);
    let Some(found) = state_of(&core, id) else {
        return Err(Failure {
            code: USAGE,
            lines: vec![
                format!("resume {id}: no such run in {}", core.journal.display()),
                "`pointsman runs` lists them".to_owned(),
            ],
        });
    };
    print!("{}", runs::run(&found, &core.estate.zone, core.clock.now()));
    if found.phase.ended() {
        println!("run {id} has ended: {}", found.phase.word());
        return Ok(0);
    }
    println!("resuming run {id}: what is in doubt is observed, never sent again");
    let Some(declaration) = declare(&mut Prompts::new(), found.declaration.outage_at).await else {
        return Err(Failure {
            code: PARKED,
            lines: vec!["resume: the input ended before the declaration; nothing was done".to_owned()],
        });
    };
    core.engine.resume(id, declaration).await.map_err(refused)?;
    drive(&core, id).await
}

fn may_answer(core: &Core, common: &Common) -> Result<(), Failure> {
    let simulated = core.mode().simulated();
    if simulated || common.drill || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage([
        "run: confirmations on standard input are taken on the simulator or with --drill only",
        "use a terminal, or the console",
    ]))
}

fn refused(refusal: impl std::fmt::Display) -> Failure {
    Failure { code: super::exit::BLOCKED, lines: vec![format!("refused: {refusal}")] }
}

fn state_of(core: &Core, id: RunId) -> Option<Arc<RunState>> {
    core.engine.watch().borrow().list.iter().find(|r| r.id == id).cloned()
}

async fn declare(prompts: &mut Prompts, outage_at: Option<crate::domain::Timestamp>) -> Option<Declaration> {
    Some(Declaration {
        who: SafeText::new(prompts.ask("who").await?),
        incident: SafeText::new(prompts.ask("incident").await?),
        app: prompts.ask("app").await?,
        region: prompts.ask("region").await?,
        outage_at,
        wave: None,
    })
}

/// A driver publishes as soon as it runs.
const FIRST_WORD_WITHIN: Duration = Duration::from_secs(10);

/// Follows the run, prints what happens, and asks when it asks.
async fn drive(core: &Core, id: RunId) -> Result<u8, Failure> {
    let mut watch = core.engine.watch();
    let mut prompts = Prompts::new();
    let mut printed = 0_usize;
    loop {
        let runs_now = watch.borrow_and_update().clone();
        if let Some(failure) = &runs_now.store_failure {
            return Err(Failure {
                code: 1,
                lines: vec![
                    format!("the journal cannot be written: {failure}"),
                    "nothing more is sent; free the disk, then `pointsman resume`".to_owned(),
                ],
            });
        }
        let Some(run) = runs_now.list.iter().find(|r| r.id == id).cloned() else {
            // Its driver has not spoken yet.
            if tokio::time::timeout(FIRST_WORD_WITHIN, watch.changed()).await.is_err() {
                return Err(Failure {
                    code: 1,
                    lines: vec![format!("run {id}: its driver says nothing"), format!("`pointsman resume {id}`")],
                });
            }
            continue;
        };
        for (at, line) in run.log.iter().skip(printed) {
            println!("{}  {line}", core.estate.zone.clock(*at));
        }
        printed = printed.max(run.log.len());
        match &run.phase {
            Phase::Completed { .. } | Phase::Abandoned { .. } => {
                print!("{}", runs::run(&run, &core.estate.zone, core.clock.now()));
                let abandoned = matches!(run.phase, Phase::Abandoned { .. });
                return Ok(if abandoned { PARKED } else { 0 });
            }
            Phase::Waiting(ask) => {
                let Some(answer) = answer_to(&mut prompts, ask, &run).await else { return Ok(leave(&run)) };
                submit(core, id, answer).await?;
            }
            Phase::Parked { step, why } => {
                println!("parked: {why}");
                let step = step.clone().or_else(|| unfinished(&run));
                let Some(answer) = parked(&mut prompts, step).await else { return Ok(leave(&run)) };
                submit(core, id, answer).await?;
            }
            Phase::Held => {
                let Some(line) = prompts.ask("held (release|abandon REASON)").await else { return Ok(leave(&run)) };
                let answer = match line.split_once(' ') {
                    Some(("abandon", reason)) => Answer::Abandon { reason: reason.to_owned() },
                    _ => Answer::Release,
                };
                submit(core, id, answer).await?;
            }
            Phase::Armed | Phase::Running => {}
        }
        // A refused answer changes nothing to wait for: look again after a moment, or when the run moves.
        tokio::select! {
            changed = watch.changed() => if changed.is_err() {
                return Err(Failure { code: 1, lines: vec!["the engine stopped".to_owned(), format!("`pointsman resume {id}`")] });
            },
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
}

fn unfinished(run: &RunState) -> Option<StepId> {
    run.steps.iter().find(|s| !s.phase.ended() && s.phase != StepPhase::Pending).map(|s| s.id.clone())
}

fn leave(run: &RunState) -> u8 {
    println!("the input ended: run {} waits; `pointsman resume {}` goes on", run.id, run.id);
    PARKED
}

async fn submit(core: &Core, id: RunId, answer: Answer) -> Result<(), Failure> {
    if let Err(refusal) = core.engine.answer(id, answer).await {
        println!("refused: {refusal}");
    }
    Ok(())
}

async fn parked(prompts: &mut Prompts, step: Option<StepId>) -> Option<Answer> {
    let name = step.as_ref().map_or("run", StepId::as_str).to_owned();
    loop {
        let line = prompts.ask(&format!("parked {name} (retry|skip REASON|abandon REASON)")).await?;
        match (line.split_once(' ').unwrap_or((line.as_str(), "")), &step) {
            (("retry", _), Some(step)) => return Some(Answer::Retry { step: step.clone() }),
            (("skip", reason), Some(step)) if !reason.is_empty() => {
                return Some(Answer::Skip { step: step.clone(), reason: reason.to_owned() });
            }
            (("abandon", reason), _) if !reason.is_empty() => {
                return Some(Answer::Abandon { reason: reason.to_owned() });
            }
            _ => println!("not understood: retry, skip with a reason, or abandon with a reason"),
        }
    }
}

async fn answer_to(prompts: &mut Prompts, ask: &Ask, run: &RunState) -> Option<Answer> {
    if let Some(planned) = ask.step().and_then(|id| run.plan.step(id)) {
        println!("step {}: {} [{}], expected {}", planned.id, planned.title, planned.hazard, short(planned.expected));
    }
    match ask {
        Ask::Key { step } => {
            exact(prompts, &format!("key {step}"), "go", step, Answer::Go { step: step.clone() }).await
        }
        Ask::Chord { step } => {
            exact(prompts, &format!("chord {step}"), &format!("go {step}"), step, Answer::Go { step: step.clone() })
                .await
        }
        Ask::Confirm { step, items } => {
            for item in items {
                println!("  [ ] {item}");
            }
            exact(prompts, &format!("confirm {step}"), "done", step, Answer::Go { step: step.clone() }).await
        }
        Ask::Noticed { step, lines } => {
            println!("  changed, and no run of ours did it:");
            for line in lines {
                println!("  [ ] {line}");
            }
            exact(prompts, &format!("noticed {step}"), "known", step, Answer::Go { step: step.clone() }).await
        }
        Ask::Loss { step, phrase, lines, .. } => {
            for line in lines {
                println!("  {line}");
            }
            let prompt = format!("loss {step} \"{phrase}\"");
            exact(prompts, &prompt, phrase, step, Answer::AcceptLoss { step: step.clone(), typed: phrase.clone() })
                .await
        }
        Ask::Override { step, guard, reading } => {
            println!("  guard {}: {}", reading.text, reading.present);
            let head = format!("override {step} \"{}\"", reading.text);
            let reason = prompts.ask(&format!("{head} reason")).await?;
            if let Some(other) = way_out(&reason, step) {
                return Some(other);
            }
            let authoriser = prompts.ask(&format!("{head} authoriser")).await?;
            Some(Answer::Override { step: step.clone(), guard: *guard, reason, authoriser })
        }
        Ask::Verdict { step, question } => {
            println!("  {question}");
            let ruling = loop {
                match prompts.ask(&format!("verdict {step} (applied|not-applied)")).await?.as_str() {
                    "applied" => break Ruling::Applied,
                    "not-applied" => break Ruling::NotApplied,
                    other => println!("not understood: {}", SafeText::new(other)),
                }
            };
            let evidence = prompts.ask(&format!("verdict {step} evidence")).await?;
            Some(Answer::Verdict { step: step.clone(), ruling, evidence })
        }
        Ask::Rearm => {
            println!("  arming lapsed: declare again; confirmed steps are not asked again");
            declare(prompts, run.declaration.outage_at).await.map(Answer::Rearm)
        }
    }
}

/// Asks until the exact word comes, or a way out.
async fn exact(prompts: &mut Prompts, prompt: &str, wanted: &str, step: &StepId, then: Answer) -> Option<Answer> {
    loop {
        let line = prompts.ask(prompt).await?;
        if line == wanted {
            return Some(then);
        }
        if let Some(other) = way_out(&line, step) {
            return Some(other);
        }
        println!("not what was asked: type {wanted}, or skip with a reason, or abandon with a reason");
    }
}

fn way_out(line: &str, step: &StepId) -> Option<Answer> {
    match line.split_once(' ') {
        Some(("skip", reason)) if !reason.trim().is_empty() => {
            Some(Answer::Skip { step: step.clone(), reason: reason.trim().to_owned() })
        }
        Some(("abandon", reason)) if !reason.trim().is_empty() => {
            Some(Answer::Abandon { reason: reason.trim().to_owned() })
        }
        _ => None,
    }
}

/// Lines from standard input, read off the async runtime so that the run goes on while a prompt waits.
struct Prompts;

impl Prompts {
    const fn new() -> Self {
        Self
    }

    /// `None` at the end of input.
    async fn ask(&mut self, prompt: &str) -> Option<String> {
        use std::io::Write as _;
        // A person answers beside the prompt; a script reads whole lines.
        if std::io::stdin().is_terminal() {
            print!("{prompt}> ");
        } else {
            println!("{prompt}> ");
        }
        let _ = std::io::stdout().flush();
        let read = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            match std::io::stdin().read_line(&mut line) {
                Ok(0) | Err(_) => None,
                Ok(_) => Some(line.trim().to_owned()),
            }
        });
        read.await.ok().flatten()
    }
}
