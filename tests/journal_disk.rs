//! A disk that fails while a record is appended, and two processes on one journal.
//!
//! The disk: a small library preloaded into a child of this test lets each write and each sync in turn fail (no space,
//! an I/O error, half a write, a failing sync), once or from then on. It is C, because a VFS of our own would be unsafe
//! Rust in the product; a C compiler is needed to build SQLite anyway. The child is this test binary again.

#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use pointsman::{
    domain::{AppId, Timestamp},
    engine::{
        Chain, SqliteStore, Store, StoreError, examine,
        store::{Lease, NewRun, Written},
    },
    runbook::run::RunId,
};

/// Names the journal's folder to the child, and makes it one.
const CHILD: &str = "POINTSMAN_TEST_CHILD";
const KINDS: [&str; 4] = ["begun", "guarded", "intended", "sent"];

fn line(kind: &str) -> Written {
    Written {
        kind: kind.into(),
        step: "promote".into(),
        attempt: 1,
        actor: "asha".into(),
        wall: Timestamp::from_secs(1_700_000_000),
        boot_millis: 5,
        target: "ap-south-2".into(),
        request_digest: String::new(),
        token: String::new(),
        evidence_digest: String::new(),
        body: format!("{{\"kind\":\"{kind}\",\"detail\":\"{}\"}}", "x".repeat(3_000)),
        last: false,
    }
}

fn create(store: &SqliteStore) -> Lease {
    let app = AppId::new("payments");
    let plan = "{\"plan\":{\"app\":\"payments\"}}".to_owned();
    let new = NewRun { apps: vec![app.clone()], app, plan, first: line("declared") };
    store.create(&[new]).expect("created").remove(0).0
}

fn chain(store: &SqliteStore) -> Chain {
    examine(&store.load().expect("readable"), store.anchored().expect("readable")).chain()
}

/// This test binary again, running one test as the child of it.
fn child(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD, folder).stdin(Stdio::piped());
    command
}

fn failing_disk(into: &Path) -> PathBuf {
    let library = into.join("failing.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disk/failing.c");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let built = Command::new(&compiler)
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

/// Appends until one fails; says what came of each.
fn append_on(folder: &Path) {
    let store = SqliteStore::open(&folder.join("journal.db")).expect("opens");
    let lease = create(&store);
    fs::write(folder.join("armed"), "").expect("armed");
    for kind in KINDS {
        match store.append(&lease, &line(kind)) {
            Ok(record) => println!("appended {}", record.seq),
            Err(StoreError::Failed(why)) => {
                println!("failed: {why}");
                let again = store.append(&lease, &line(kind));
                assert!(matches!(again, Err(StoreError::Failed(_))), "after a failure nothing is written: {again:?}");
                return;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_disk_that_fails_at_any_write_or_sync_stops_the_journal_and_leaves_a_true_prefix() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return append_on(Path::new(&folder));
    }
    let tools = tempfile::tempdir().expect("a folder");
    let library = failing_disk(tools.path());
    let mut places = 0;
    for (how, span) in [
        ("enospc", "once"),
        ("enospc", "forever"),
        ("eio", "once"),
        ("eio", "forever"),
        ("short", "once"),
        ("short", "forever"),
        ("sync", "once"),
        ("sync", "forever"),
    ] {
        let mut refused = 0;
        for at in 1.. {
            let what = format!("{how} {span} at {at}");
            let folder = tempfile::tempdir().expect("a folder");
            let name = "a_disk_that_fails_at_any_write_or_sync_stops_the_journal_and_leaves_a_true_prefix";
            let output = child(name, folder.path())
                .env("LD_PRELOAD", &library)
                .env("FAILING_FOLDER", folder.path())
                .env("FAILING_AT", at.to_string())
                .env("FAILING_HOW", how)
                .env("FAILING_SPAN", span)
                .output()
                .expect("this test again");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{what}: {said}{}", String::from_utf8_lossy(&output.stderr));
            let appended = said.matches("appended ").count();
            let failed = said.contains("failed: ");
            let fired = folder.path().join("fired").exists();
            assert!(fired || !failed, "{what}: nothing failed by itself");
            let store = SqliteStore::open(&folder.path().join("journal.db")).expect("the next start reads it");
            let runs = store.load().expect("readable");
            let kinds: Vec<&str> = runs[0].records.iter().skip(1).map(|record| record.written.kind.as_str()).collect();
            assert_eq!(kinds, KINDS[..kinds.len()], "{what}");
            // What was said to be written is there; of what failed, at most that one record.
            let more = kinds.len() - appended;
            assert!(more <= usize::from(failed), "{what}: {appended} appended, {} on disk", kinds.len());
            match chain(&store) {
                Chain::Whole { uncovered, .. } => assert!(uncovered <= more as u64, "{what}: {uncovered}"),
                broken @ Chain::Broken { .. } => panic!("{what}: {broken:?}"),
            }
            let lease = store.take(RunId(1)).expect("driven by nobody");
            store.append(&lease, &line("driven")).expect("and it goes on from there");
            assert!(matches!(chain(&store), Chain::Whole { uncovered: 0, .. }), "{what}");
            refused += usize::from(failed);
            if !fired {
                break;
            }
            places += 1;
        }
        assert!(refused >= KINDS.len(), "{how} {span}: each append was made to fail");
    }
    println!("{places} places at which the disk failed");
}

/// Takes the run when told, and says what came of it; appends when told.
fn drive(folder: &Path) {
    let store = SqliteStore::open(&folder.join("journal.db")).expect("opens");
    let mut lease = None;
    println!("child ready");
    for order in std::io::stdin().lines() {
        match order.expect("a line").as_str() {
            "take" => match store.take(RunId(1)) {
                Ok(taken) => {
                    println!("child took epoch {}", taken.epoch);
                    lease = Some(taken);
                }
                Err(error) => println!("child refused: {error}"),
            },
            "append" => match store.append(lease.as_ref().expect("taken"), &line("begun")) {
                Ok(record) => println!("child appended {}", record.seq),
                Err(error) => println!("child refused: {error}"),
            },
            other => panic!("{other}"),
        }
    }
}

struct Other {
    process: Child,
    says: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Other {
    fn start(test: &str, folder: &Path) -> Self {
        let mut process = child(test, folder).stdout(Stdio::piped()).spawn().expect("this test again");
        let says = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut other = Self { process, says };
        assert_eq!(other.next(), "child ready");
        other
    }

    /// The harness says things of its own.
    fn next(&mut self) -> String {
        let line = self.says.by_ref().map(|line| line.expect("UTF-8")).find(|line| line.contains("child "));
        let line = line.expect("it answers");
        line[line.find("child ").unwrap_or(0)..].to_owned()
    }

    fn told(&mut self, order: &str) -> String {
        writeln!(self.process.stdin.as_mut().expect("piped"), "{order}").expect("it reads");
        self.next()
    }
}

#[test]
fn of_two_processes_one_drives_and_the_one_that_lost_the_run_cannot_append() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return drive(Path::new(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("journal.db")).expect("opens");
    let lease = create(&store);
    let mut other =
        Other::start("of_two_processes_one_drives_and_the_one_that_lost_the_run_cannot_append", folder.path());
    assert_eq!(
        other.told("take"),
        format!("child refused: run 1 is driven by another process on this machine, number {}", std::process::id())
    );
    let Lease { run, epoch, held } = lease;
    drop(held);
    assert_eq!(other.told("take"), "child took epoch 2");
    assert!(matches!(store.take(RunId(1)), Err(StoreError::Driven { run: RunId(1), .. })), "not while the other lives");
    let stale = Lease { run, epoch, held: Box::new(()) };
    let refused = store.append(&stale, &line("sent"));
    assert_eq!(refused.unwrap_err(), StoreError::Superseded { run: RunId(1), ours: 1, current: 2 });
    assert_eq!(other.told("append"), "child appended 2");
    // SIGKILL: the operating system lets go of the run.
    other.process.kill().expect("killed");
    other.process.wait().expect("dead");
    let newer = store.take(RunId(1)).expect("free again");
    assert_eq!(newer.epoch, 3);
    store.append(&newer, &line("guarded")).expect("appended");
    assert_eq!(chain(&store), Chain::Whole { runs: 1, records: 3, uncovered: 0 });
}
