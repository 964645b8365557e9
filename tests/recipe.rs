//! The script of `src/report/evidence.md`, as printed there, finds what `evidence verify` finds.
//!
//! It needs `sqlite3` and `jq`, so it is built with `--features recipe` only; `.ci/run` installs them. Where they are
//! missing it fails: nothing is skipped.

mod rig;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use pointsman::{runbook::run::Phase, sim::fault::Down};
use rig::{Death, HYDERABAD, Rig, declaration};

const PAGE: &str = include_str!("../src/report/evidence.md");

fn script() -> &'static str {
    let (_, after) = PAGE.split_once("```sh\n").expect("the page holds a script");
    after.split_once("```\n").expect("the script ends").0
}

/// A journal that the engine wrote, closed, in a folder of its own.
async fn journal(into: &Path) -> PathBuf {
    let rig = Rig::new();
    rig.mumbai_down(Down::Refuse);
    rig.hand.advance(Duration::from_secs(300));
    let console = rig.console(Death::Never).await;
    let plan = console.plan("payments-failover").await;
    let run = console.engine.declare(&plan, declaration("payments", HYDERABAD)).await.expect("declared");
    let state = console.carry(run).await.expect("it ends");
    assert!(matches!(state.phase, Phase::Completed { .. }), "{:#?}", state.log);
    drop(console);
    copy(&rig.journal(), into)
}

fn copy(journal: &Path, into: &Path) -> PathBuf {
    let to = into.join("journal.db");
    for suffix in ["", "-wal", ".head"] {
        let part = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if part(journal).exists() {
            fs::copy(part(journal), part(&to)).expect("copied");
        }
    }
    to
}

fn check(journal: &Path) -> Output {
    let file = journal.with_file_name("check-record.sh");
    fs::write(&file, script()).expect("written");
    Command::new("sh").arg(&file).arg(journal).output().expect("a shell")
}

fn verify(journal: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.args(["evidence", "verify", "--journal"]).arg(journal).output().expect("the program")
}

fn sqlite(journal: &Path, sql: &str) {
    let output = Command::new("sqlite3").arg(journal).arg(sql).output().expect("sqlite3: .ci/run installs it");
    assert!(output.status.success() && output.stderr.is_empty(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_script_and_the_program_agree_on_whole_and_on_tampered_journals() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = journal(folder.path()).await;
    for output in [check(&whole), verify(&whole)] {
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(said(&output).contains("whole"), "{}", said(&output));
    }
    let free = "DROP TRIGGER records_stand; DROP TRIGGER records_are_kept; DROP TRIGGER runs_stand; \
                DROP TRIGGER runs_are_kept;";
    let tampering = [
        ("UPDATE journal SET actor = 'mallory' WHERE seq = 3", "record 3"),
        ("UPDATE journal SET body = replace(body, 'asha', 'olga') WHERE seq = 1", "record 1"),
        ("UPDATE journal SET wall_millis = wall_millis + 1 WHERE seq = 4", "record 4"),
        ("DELETE FROM journal WHERE seq = 2", "record 2"),
        ("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)", "is missing"),
        ("DELETE FROM journal; DELETE FROM lease; DELETE FROM runs", "run 1"),
        ("UPDATE runs SET plan = replace(plan, 'Hyderabad', 'Mumbai')", "record 1"),
        ("UPDATE runs SET app = 'cards'", "app"),
    ];
    for (sql, place) in tampering {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = copy(&whole, folder.path());
        sqlite(&journal, &format!("{free} {sql}"));
        for output in [check(&journal), verify(&journal)] {
            assert_eq!(output.status.code(), Some(5), "{sql}: {}", said(&output));
            assert!(said(&output).contains(place), "{sql}: {}", said(&output));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_say_the_same_of_an_anchor_that_lags_stops_early_is_damaged_or_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = journal(folder.path()).await;
    let head = fs::read_to_string(whole.with_extension("db.head")).expect("an anchor");
    let lines: Vec<&str> = head.split_inclusive('\n').collect();
    let without = |n: usize| lines[..lines.len() - n].concat();
    let cases = [
        ("torn in its last line", Some(head[..head.len() - 9].to_owned()), 0),
        ("one behind", Some(without(1)), 0),
        ("two behind", Some(without(2)), 5),
        ("another hash", Some(head.replace(&lines[lines.len() - 1][5..9], "0000")), 5),
        ("a line that nobody writes", Some(format!("hello\n{head}")), 5),
        ("a run that is not there", Some(format!("{head}2 1 {}\n", "a".repeat(64))), 5),
        ("gone", None, 5),
    ];
    for (what, text, code) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = copy(&whole, folder.path());
        let anchor = journal.with_extension("db.head");
        match text {
            Some(text) => fs::write(anchor, text).expect("written"),
            None => fs::remove_file(anchor).expect("removed"),
        }
        for output in [check(&journal), verify(&journal)] {
            assert_eq!(output.status.code(), Some(code), "{what}: {}", said(&output));
        }
    }
}
