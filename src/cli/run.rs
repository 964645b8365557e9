//! `pointsman run` and `resume`: the same engine, guards and confirmations as the console, one prompt a line.
//!
//! Prompts end in `> ` and are stable, because drills are scripted against them:
//!
//! | prompt | answer |
//! |---|---|
//! | `who> ` `incident> ` `app> ` `region> ` | the declaration; app and target Region as they stand now |
//! | `wave "3 apps to Hyderabad, up to 5 m"> ` | of a wave, instead of app and Region: the phrase in quotes |
//! | `key STEP> ` | `go` |
//! | `chord STEP> ` | `go STEP` |
//! | `loss STEP "up to 5 m"> ` | the phrase in quotes |
//! | `override STEP "GUARD" reason> `, then `… authoriser> ` | why, and who answers for it |
//! | `confirm STEP> ` | `done` |
//! | `noticed STEP> ` | `known` |
//! | `verdict STEP (applied\|not-applied)> `, then `verdict STEP evidence> ` | what a person found in AWS |
//! | `parked STEP (retry\|skip REASON\|abandon REASON)> ` | what to do now |
//! | `held (release\|abandon REASON)> ` | `release` |
//!
//! At any prompt of a run also `skip REASON`, `abandon REASON`, `hold`, `release`, `note TEXT`, `switch RUNBOOK` and
//! `turn-real`; the last two show what would change, and then ask for a declaration. Of a wave each prompt begins
//! with `[APP] `. End of input leaves the run parked (exit 4): nothing is assumed. On a live estate without
//! `--drill`, answers come from a terminal only. Where to look next: `prompts` (what a line means), `drive`.

use std::{io::IsTerminal as _, sync::Arc};

use clap::Args;

use super::{
    Common,
    drive::{drive, refused},
    exit::{BLOCKED, Failure, PARKED, USAGE},
    known,
    plan::{Wanted, setting},
    prompts::Prompts,
};
use crate::{
    compose::{self, Core},
    domain::{AppId, Clock, Timestamp},
    report::{runs, waves},
    runbook::{
        run::{RunId, RunState},
        spec::Variant,
        wave::{PARALLEL_DEFAULT, WaveRequest, bound, resume_phrase},
    },
};

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Id of the runbook, e.g. payments-failover
    #[arg(required_unless_present = "wave")]
    pub runbook: Option<String>,
    /// Id of the app; of a wave, as many as go (none: all that have a runbook of the role)
    #[arg(long, required_unless_present = "wave")]
    pub app: Vec<String>,
    /// A value for a parameter of the runbook, before what the estate says; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting, conflicts_with = "wave")]
    pub set: Vec<(String, String)>,
    /// The readings only: every step that asks or acts is left out
    #[arg(long)]
    pub check_only: bool,
    /// Many apps as one list with one phrase: the role in each app's runbooks, e.g. failover
    #[arg(long, value_name = "ROLE", conflicts_with = "runbook")]
    pub wave: Option<String>,
    /// Apps of the wave that are under way at the same time, at most
    #[arg(long, value_name = "N", requires = "wave", default_value_t = PARALLEL_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub parallel: u32,
    /// When the outage began, RFC 3339; the first clock runs from there
    #[arg(long, value_name = "TIME")]
    pub outage_at: Option<String>,
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Number of the run, from `pointsman runs`
    #[arg(required_unless_present = "wave")]
    pub run: Option<u64>,
    /// Every unfinished run of this wave, with one declaration; its id, or how it begins
    #[arg(long, value_name = "ID", conflicts_with = "run")]
    pub wave: Option<String>,
}

impl RunArgs {
    fn outage_at(&self) -> Result<Option<Timestamp>, Failure> {
        let Some(text) = &self.outage_at else { return Ok(None) };
        let parsed = Timestamp::parse(text).ok_or_else(|| {
            Failure::usage([
                format!("run --outage-at {text}: not a time"),
                "write it like 2026-11-20T02:57:30+05:30".to_owned(),
            ])
        });
        parsed.map(Some)
    }

    const fn variant(&self) -> Variant {
        if self.check_only { Variant::CheckOnly } else { Variant::Whole }
    }
}

pub async fn run(common: &Common, args: &RunArgs) -> Result<u8, Failure> {
    let outage_at = args.outage_at()?;
    if let Some(role) = &args.wave {
        return run_wave(common, args, role, outage_at).await;
    }
    let (Some(runbook), [app]) = (&args.runbook, args.app.as_slice()) else {
        return Err(Failure::usage(["run: one runbook and one --app", "several apps go as one with --wave ROLE"]));
    };
    let wanted =
        Wanted { runbook: runbook.clone(), app: app.clone(), set: args.set.clone(), check_only: args.check_only };
    let request = wanted.request()?;
    let core = compose::start(common).await?;
    core.first_full_picture().await;
    may_answer(&core, common)?;
    let plan = core.plan(&request).await?;
    print!("{}", runs::plan(&plan, &core.estate.zone, core.clock.now()));
    if !plan.interlocks.is_empty() {
        return Err(Failure {
            code: BLOCKED,
            lines: std::iter::once(format!("{} cannot start:", plan.runbook))
                .chain(plan.interlocks.iter().map(|i| i.text.to_string()))
                .collect(),
        });
    }
    let Some(declaration) = Prompts::default().declaration(outage_at).await else {
        return Err(input_ended("run: the input ended before the declaration; nothing was started"));
    };
    let id = core.engine.declare(&plan, declaration).await.map_err(refused)?;
    drive(&core, &[id]).await
}

async fn run_wave(common: &Common, args: &RunArgs, role: &str, outage_at: Option<Timestamp>) -> Result<u8, Failure> {
    let core = compose::start(common).await?;
    let role = known::role("run --wave", role, &core.estate)?;
    let apps: Result<Vec<AppId>, Failure> =
        args.app.iter().map(|app| known::app(&format!("run --wave {role} --app"), app, &core.estate)).collect();
    let apps = apps?;
    core.first_full_picture().await;
    may_answer(&core, common)?;
    let request = WaveRequest { role: role.to_owned(), apps, parallel_max: args.parallel, variant: args.variant() };
    let wave = core.engine.plan_wave(&request).await.map_err(refused)?;
    print!("{}", waves::wave(&wave, role));
    let Some(said) = Prompts::default().wave(&wave.phrase(), outage_at).await else {
        return Err(input_ended("run: the input ended before the declaration; nothing was started"));
    };
    let ids = core.engine.declare_wave(&wave, &said).await.map_err(refused)?;
    println!("wave {}: {} runs", wave.id, ids.len());
    drive(&core, &ids).await
}

pub async fn resume(common: &Common, args: &ResumeArgs) -> Result<u8, Failure> {
    let core = compose::start(common).await?;
    core.first_full_picture().await;
    may_answer(&core, common)?;
    if let Some(wave) = &args.wave {
        return resume_wave(&core, wave).await;
    }
    let id = RunId(args.run.unwrap_or_default());
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
    let Some(declaration) = Prompts::default().declaration(found.declaration.outage_at).await else {
        return Err(input_ended("resume: the input ended before the declaration; nothing was done"));
    };
    core.engine.resume(id, declaration).await.map_err(refused)?;
    drive(&core, &[id]).await
}

async fn resume_wave(core: &Core, wanted: &str) -> Result<u8, Failure> {
    let runs_now = core.engine.watch().borrow().clone();
    let mut waves: Vec<&str> = runs_now
        .list
        .iter()
        .filter(|run| !run.phase.ended())
        .filter_map(|run| run.declaration.wave.as_ref().map(|mark| mark.id.as_str()))
        .filter(|id| id.starts_with(wanted))
        .collect();
    waves.sort_unstable();
    waves.dedup();
    let [wave] = waves.as_slice() else {
        let said = if waves.is_empty() { "no unfinished wave" } else { "more than one wave" };
        return Err(Failure {
            code: USAGE,
            lines: vec![
                format!("resume --wave {wanted}: {said} of that id in {}", core.journal.display()),
                "`pointsman runs` lists them".to_owned(),
            ],
        });
    };
    let open: Vec<Arc<RunState>> =
        core.engine.open_of_wave(wave).into_iter().filter_map(|id| state_of(core, id)).collect();
    for run in &open {
        print!("{}", runs::run(run, &core.estate.zone, core.clock.now()));
    }
    let Some(first) = open.first() else { return Ok(0) };
    println!("resuming {} runs: what is in doubt is observed, never sent again", open.len());
    let phrase = resume_phrase(&bound(open.iter().map(|run| &run.plan)));
    let Some(said) = Prompts::default().wave(&phrase, first.declaration.outage_at).await else {
        return Err(input_ended("resume: the input ended before the declaration; nothing was done"));
    };
    let ids = core.engine.resume_wave(wave, &said).await.map_err(refused)?;
    drive(core, &ids).await
}

fn input_ended(said: &str) -> Failure {
    Failure { code: PARKED, lines: vec![said.to_owned()] }
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

fn state_of(core: &Core, id: RunId) -> Option<Arc<RunState>> {
    core.engine.watch().borrow().list.iter().find(|r| r.id == id).cloned()
}
