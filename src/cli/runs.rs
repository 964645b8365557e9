//! `pointsman runs`: what the journal holds, open runs first; one run whole with its number. Reads the journal only:
//! it works while AWS does not.

use std::path::Path;

use clap::{Args, ValueEnum};

use super::{
    Common,
    exit::{Failure, TAMPERED, USAGE},
    known,
};
use crate::{
    clock::SystemClock,
    compose,
    domain::{AppId, Clock, Estate, Timestamp, World, Zone},
    engine::{self, SqliteStore, Store, StoreError, history, store::Stored},
    report::{run_list, runs},
    runbook::{
        event::Entry,
        run::{RunId, RunState},
    },
};

/// Ended runs that are listed without `--all`.
const ENDED_SHOWN: usize = 20;

#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Number of one run, to see it whole
    pub run: Option<u64>,
    /// Only runs of this app, by id
    #[arg(long, conflicts_with = "run")]
    pub app: Option<String>,
    /// All ended runs, not the newest 20
    #[arg(long, conflicts_with = "run")]
    pub all: bool,
    #[arg(long, value_enum, default_value_t = Format::Table, conflicts_with = "run")]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

pub fn run(common: &Common, args: &RunsArgs) -> Result<u8, Failure> {
    let journal = compose::journal(common)?;
    // An estate that cannot be read is no reason not to see its runs.
    let estate = compose::load_estate(common).ok().map(|files| files.estate);
    let zone = estate.as_ref().map_or_else(Zone::utc, |estate| estate.zone.clone());
    let failed = |error: StoreError| match error {
        StoreError::NoRun(run) => Failure {
            code: USAGE,
            lines: vec![
                format!("runs {run}: no such run in {}", journal.display()),
                "`pointsman runs` lists them".to_owned(),
            ],
        },
        error => {
            let code = if matches!(error, StoreError::Damaged(_)) { TAMPERED } else { 1 };
            let lines = vec![
                format!("journal {}: {error}", journal.display()),
                "`pointsman evidence verify` says more".to_owned(),
            ];
            Failure { code, lines }
        }
    };
    let wanted = args.app.as_deref().map(AppId::new);
    if !journal.exists() {
        of_the_estate(args, estate.as_deref())?;
        return match (args.run, args.format) {
            (Some(run), _) => Err(failed(StoreError::NoRun(RunId(run)))),
            (None, Format::Json) => {
                println!("[]");
                Ok(0)
            }
            (None, Format::Table) => {
                println!("{}", none(wanted.as_ref(), &journal));
                Ok(0)
            }
        };
    }
    let store = SqliteStore::open_to_read(&journal).map_err(failed)?;
    if let Some(run) = args.run {
        let stored = store.load_run(RunId(run)).map_err(failed)?;
        let course = engine::recover(&stored).map_err(|why| failed(StoreError::Damaged(why.to_string())))?;
        let shown = RunState { elsewhere: store.elsewhere(RunId(run)), ..course.shown };
        print_whole(&shown, last_word(&stored), &zone);
        return Ok(0);
    }
    let listed = history::list(&store).map_err(failed)?;
    let of = |app: &AppId| wanted.as_ref().is_none_or(|wanted| wanted == app);
    let open: Vec<_> = listed.open.iter().filter(|run| of(&run.plan.app)).collect();
    let mut ended: Vec<_> = listed.ended.iter().filter(|run| of(&run.app)).collect();
    if open.is_empty() && ended.is_empty() {
        of_the_estate(args, estate.as_deref())?; // an app that is gone may have runs all the same
    }
    let shown = if args.all { ended.len() } else { ended.len().min(ENDED_SHOWN) };
    let left_out = ended.len() - shown;
    ended.truncate(shown);
    match args.format {
        Format::Json => println!("{:#}", run_list::json(&open, &ended)),
        Format::Table if open.is_empty() && ended.is_empty() && listed.broken.is_empty() => {
            println!("{}", none(wanted.as_ref(), &journal));
        }
        Format::Table => print!("{}", run_list::table(&open, &ended, left_out, &zone)),
    }
    if listed.broken.is_empty() {
        return Ok(0);
    }
    let mut lines = vec![format!("journal {}: not all of it can be trusted", journal.display())];
    lines.extend(listed.broken.iter().map(ToString::to_string));
    lines.push("`pointsman evidence verify` says more".to_owned());
    Err(Failure { code: TAMPERED, lines })
}

fn of_the_estate(args: &RunsArgs, estate: Option<&Estate>) -> Result<(), Failure> {
    match (&args.app, estate) {
        (Some(app), Some(estate)) => known::app("runs --app", app, estate).map(drop),
        _ => Ok(()),
    }
}

fn none(wanted: Option<&AppId>, journal: &Path) -> String {
    let of = wanted.map_or_else(String::new, |app| format!(" of {app}"));
    format!("no runs{of} in {}", journal.display())
}

/// When the run's record was last added to, on the clock of its own world.
fn last_word(stored: &Stored) -> Option<Timestamp> {
    let last: Entry = serde_json::from_str(&stored.records.last()?.written.body).ok()?;
    Some(last.at)
}

/// An open run of a simulation stands in that simulation's time, of which the journal knows the last record only.
fn print_whole(run: &RunState, last_word: Option<Timestamp>, zone: &Zone) {
    let simulated = run.plan.world() == World::Simulation && !run.phase.ended();
    let Some(at) = last_word.filter(|_| simulated) else {
        print!("{}", runs::run(run, zone, SystemClock::default().now()));
        return;
    };
    print!("{}", runs::run(run, zone, at));
    println!("  as of {}, its last record: the time of its simulation is not known here", zone.day_clock(at));
}
