//! `pointsman evidence`: is the record what was written, and what does a run prove. Reads the journal and nothing
//! else: no AWS, no estate. Exit 0 whole, 5 changed or cut.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use sha2::{Digest as _, Sha256};

use super::{
    Common,
    exit::{Failure, TAMPERED, USAGE},
};
use crate::{
    compose,
    domain::{CallDescription, SafeText},
    engine::{
        self, Examination, SqliteStore, Store, StoreError,
        anchor::Anchored,
        chain::{AnchoredAt, Coverage},
        store::Stored,
    },
    report::{
        evidence::{Checked, Evidence, Leaves, Recorded},
        evidence_build, evidence_markdown,
    },
    runbook::{build::hex, finding::Leftover, run::RunId},
    steps::{self, kind::Conduct},
};

#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Hold the journal, or one run, against its hashes and the head anchor: exit 0 whole, 5 changed or cut
    Verify(VerifyArgs),
    /// What one run proves, as Markdown: overrides, skips and verdicts first
    Show(RunArgs),
    /// The same as Markdown or JSON, to a private file or standard output
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Number of one run; all of them without it
    pub run: Option<u64>,
    #[command(flatten)]
    pub journal: JournalArg,
}

#[derive(Debug, Args)]
pub struct JournalArg {
    /// This journal instead of the one in the state folder; its head anchor is FILE.head
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Number of the run, from `pointsman runs`
    pub run: u64,
    #[command(flatten)]
    pub journal: JournalArg,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[arg(long, value_enum)]
    pub format: Format,
    /// Write here, readable by its owner only, instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace FILE if it is there
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// What a file that is there already means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    Stays,
    Replaced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Markdown,
    Json,
}

pub fn run(common: &Common, command: &EvidenceCommand) -> Result<u8, Failure> {
    match command {
        EvidenceCommand::Verify(args) => verify(common, args),
        EvidenceCommand::Show(args) => {
            let (store, path) = open(common, &args.journal)?;
            let evidence = evidence(&store, &path, args.run)?;
            print!("{}", evidence_markdown::markdown(&evidence));
            Ok(0)
        }
        EvidenceCommand::Export(args) => {
            let (store, path) = open(common, &args.run.journal)?;
            let evidence = evidence(&store, &path, args.run.run)?;
            let text = match args.format {
                Format::Markdown => evidence_markdown::markdown(&evidence),
                Format::Json => {
                    serde_json::to_string_pretty(&evidence).map_err(|error| unreadable(&path, &error))? + "\n"
                }
            };
            match &args.output {
                None => {
                    print!("{text}");
                    Ok(0)
                }
                Some(output) => {
                    let existing = if args.force { Existing::Replaced } else { Existing::Stays };
                    write(output, &text, existing).map(|()| 0)
                }
            }
        }
    }
}

fn open(common: &Common, named: &JournalArg) -> Result<(SqliteStore, PathBuf), Failure> {
    let path = match &named.journal {
        Some(path) => path.clone(),
        None => compose::journal(common)?,
    };
    if !path.exists() {
        let mut lines = vec![format!("evidence: there is no journal {}", path.display())];
        let other = path.with_file_name("simulated.db");
        lines.push(if named.journal.is_none() && !common.sim && other.exists() {
            format!("the simulator's is {}: add --sim", other.display())
        } else {
            "name its folder with --state, or the file with --journal".to_owned()
        });
        return Err(Failure { code: USAGE, lines });
    }
    let store = SqliteStore::open_to_read(&path).map_err(|error| unreadable_journal(&path, &error))?;
    Ok((store, path))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure { code: 1, lines: vec![format!("journal {}: {error}", path.display())] }
}

fn unreadable_journal(path: &Path, error: &StoreError) -> Failure {
    match error {
        StoreError::Damaged(_) => {
            let mut failure = unreadable(path, error);
            failure.code = TAMPERED;
            failure.lines.extend(what_to_do(path));
            failure
        }
        StoreError::NoRun(_) => {
            let lines = vec![
                format!("evidence: {error} in {}", path.display()),
                "`pointsman runs --all` lists them".to_owned(),
            ];
            Failure { code: USAGE, lines }
        }
        _ => unreadable(path, error),
    }
}

fn what_to_do(path: &Path) -> [String; 2] {
    [
        "do not act on this journal and do not repair it: copy the file, its -wal and its .head away as they are"
            .to_owned(),
        format!(
            "compare with a backup: `pointsman evidence verify --journal COPY`; act with another --state than {}",
            path.parent().unwrap_or(Path::new(".")).display()
        ),
    ]
}

fn verify(common: &Common, args: &VerifyArgs) -> Result<u8, Failure> {
    let (store, path) = open(common, &args.journal)?;
    let failed = |error: StoreError| unreadable_journal(&path, &error);
    if let Some(run) = args.run {
        let found = match store.load_run(RunId(run)) {
            // A run that the anchor knows and the journal does not was cut off.
            Err(StoreError::NoRun(_)) => {
                let known = matches!(store.anchored().map_err(failed)?, Anchored::Heads(heads) if heads.contains_key(&RunId(run)));
                if !known {
                    return Err(failed(StoreError::NoRun(RunId(run))));
                }
                return Err(tampered(&path, vec![format!("run {run}: the run is missing")]));
            }
            found => found.map_err(failed)?,
        };
        let coverage = found.check().map_err(|found| tampered(&path, vec![found.to_string()]))?;
        let lags = if coverage == Coverage::Lags { uncovered(1) } else { String::new() };
        println!("run {run}: whole, {} records{lags}", found.records.len());
        return Ok(0);
    }
    let anchored = store.anchored().map_err(failed)?;
    let found = engine::examine(&store.load().map_err(failed)?, anchored);
    if !found.breaks.is_empty() {
        return Err(tampered(&path, found.breaks.iter().map(ToString::to_string).collect()));
    }
    println!("{}", whole(&path, &found));
    Ok(0)
}

fn whole(path: &Path, found: &Examination) -> String {
    let anchor = match &found.anchored {
        Anchored::NotKept => "; it has no head anchor yet: the next start makes one".to_owned(),
        _ if found.uncovered.is_empty() => "; the head anchor covers all of it".to_owned(),
        _ => uncovered(found.uncovered.len()),
    };
    format!("{}: whole, {} runs, {} records{anchor}", path.display(), found.runs, found.records)
}

fn uncovered(records: usize) -> String {
    format!(
        "; {records} newest {} ahead of the head anchor: the program died, or is, between a record and its anchor",
        if records == 1 { "record is" } else { "records are" }
    )
}

fn tampered(path: &Path, found: Vec<String>) -> Failure {
    let mut lines = vec![format!("journal {}: the record was changed or cut", path.display())];
    lines.extend(found);
    lines.extend(what_to_do(path));
    Failure { code: TAMPERED, lines }
}

/// Of a run whose chain holds; a broken one has no evidence.
fn evidence(store: &SqliteStore, path: &Path, run: u64) -> Result<Evidence, Failure> {
    let stored = store.load_run(RunId(run)).map_err(|error| unreadable_journal(path, &error))?;
    let coverage = stored.check().map_err(|found| tampered(path, vec![found.to_string()]))?;
    let course = engine::recover(&stored).map_err(|why| tampered(path, vec![why.to_string()]))?;
    let records = recorded(&stored).map_err(|error| unreadable(path, &error))?;
    let checked = Checked {
        plan_sha256: hex(&Sha256::digest(stored.plan.as_bytes())),
        uncovered: u64::from(coverage == Coverage::Lags),
        anchor: stored.anchored != AnchoredAt::NotKept,
    };
    Ok(evidence_build::of(&course, &records, &checked, &Kinds))
}

fn recorded(stored: &Stored) -> Result<Vec<Recorded>, serde_json::Error> {
    let one = |record: &engine::store::Record| {
        Ok(Recorded {
            seq: record.seq,
            wall: record.written.wall,
            hash: record.hash.clone(),
            entry: serde_json::from_str(&record.written.body)?,
        })
    };
    stored.records.iter().map(one).collect()
}

/// What the kinds of steps say of their calls.
struct Kinds;

impl Leaves for Kinds {
    fn leaves(&self, step_kind: &str, call: &CallDescription) -> Option<Leftover> {
        match steps::find(step_kind)?.conduct() {
            Conduct::Acts(acting) => acting.leaves(call),
            _ => None,
        }
    }
}

/// Whole or not at all, readable by its owner only, on disk when it returns.
fn write(output: &Path, text: &str, existing: Existing) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure {
        code: 1,
        lines: vec![format!("--output {}: {error}", output.display()), "nothing was written".to_owned()],
    };
    if existing == Existing::Stays && output.exists() {
        return Err(Failure::usage([
            format!("--output {}: it is there already", output.display()),
            "name another file, or replace it with --force".to_owned(),
        ]));
    }
    let mut fresh = output.to_owned().into_os_string();
    fresh.push(format!(".{}", std::process::id()));
    let fresh = PathBuf::from(fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(failed)?;
    let put = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| {
        // Without --force a file that came meanwhile is not replaced: a link fails where a rename would not.
        match existing {
            Existing::Replaced => std::fs::rename(&fresh, output),
            Existing::Stays => std::fs::hard_link(&fresh, output),
        }
    });
    let _ = std::fs::remove_file(&fresh);
    put.map_err(failed)?;
    // It is written whether or not anybody reads this.
    let _ = writeln!(io::stderr(), "{}", SafeText::new(format!("written to {}", output.display())));
    Ok(())
}
