//! What the journal costs: opening a history of 10,000 ended runs, and one durable record with its anchor.
//!
//! The promises: 100 ms or less to open and list 10,000 runs; of the 15 ms (p50) and 40 ms (p99) that a step may cost
//! besides AWS and people, its six to eight records are the greater part. The disk decides the latter, so the figures
//! name the folder: `TMPDIR` moves it.

use std::{fmt::Write as _, hint::black_box, path::Path, time::Duration};

use criterion::Criterion;
use pointsman::{
    clock::SystemClock,
    domain::{AppId, Clock, RegionId, RunbookId, SafeText, StepId, Timestamp},
    engine::{
        SqliteStore, Store, history,
        store::{NewRun, Written},
    },
    runbook::{
        run::RunId,
        spec::RunbookKind,
        spec::Variant,
        summary::{Ending, RunSummary},
    },
};
use rusqlite::{Connection, params};

const RUNS: u64 = 10_000;
/// A failover of the bundled estate freezes about as much.
const PLAN_BYTES: usize = 12_000;

fn line(kind: &str) -> Written {
    Written {
        kind: kind.into(),
        step: "promote".into(),
        attempt: 1,
        actor: "asha (arn:aws:iam::111122223333:user/asha)".into(),
        wall: Timestamp::from_secs(1_700_000_000),
        boot_millis: 5,
        target: "ap-south-2".into(),
        request_digest: String::new(),
        token: String::new(),
        evidence_digest: String::new(),
        body: format!("{{\"kind\":\"{kind}\",\"detail\":\"{}\"}}", "x".repeat(900)),
        last: false,
    }
}

fn new() -> NewRun {
    let app = AppId::new("payments");
    let plan = format!("{{\"plan\":{{\"app\":\"payments\"}},\"rest\":\"{}\"}}", "y".repeat(PLAN_BYTES));
    NewRun { apps: vec![app.clone()], app, plan, first: line("declared") }
}

fn summary(run: u64) -> RunSummary {
    let step = |n: u64| (StepId::new(format!("step-{n}")), Duration::from_secs(20 + n));
    RunSummary {
        id: RunId(run),
        app: AppId::new("payments"),
        app_name: SafeText::new("Payments"),
        runbook: RunbookId::new("payments-failover"),
        runbook_digest: "d".repeat(64),
        kind: RunbookKind::Failover,
        mode_word: "LIVE".into(),
        target_region: RegionId::new("ap-south-2"),
        target_name: SafeText::new("Hyderabad"),
        who: SafeText::new("asha"),
        incident: SafeText::new("INC-4471"),
        declared_at: Timestamp::from_secs(1_700_000_000),
        outage_at: None,
        ended_at: Timestamp::from_secs(1_700_000_600),
        ending: Ending::Completed,
        word: "completed".into(),
        exceptions: 0,
        waited: Duration::from_secs(60),
        took: (0..6).map(step).collect(),
        loss_accepted: None,
        unprotected_since: None,
        wave: None,
        leftovers: Vec::new(),
        measured: None,
        variant: Variant::default(),
        skipped: 0,
    }
}

/// One run through the store, then the same row again and again: an opening reads no record of an ended run.
fn history_of(path: &Path) {
    let store = SqliteStore::open(path).expect("opens");
    let (lease, _) = store.create(&[new()]).expect("created").remove(0);
    store.append(&lease, &Written { last: true, ..line("completed") }).expect("appended");
    let rows = Connection::open(path).expect("opens");
    rows.execute_batch("BEGIN").expect("begun");
    let head = std::fs::read_to_string(path.with_extension("db.head")).expect("an anchor");
    let hash = head.lines().next_back().expect("a line").rsplit(' ').next().expect("a hash").to_owned();
    let mut lines = head;
    for run in 2..=RUNS {
        rows.execute("INSERT INTO runs SELECT ?1, app, plan FROM runs WHERE run = 1", [run]).expect("a row");
        rows.execute(
            "INSERT INTO journal SELECT ?1, seq, epoch, kind, step, attempt, actor, wall_millis, boot_millis, target,
             request_digest, token, evidence_digest, body, prev, hash FROM journal WHERE run = 1",
            [run],
        )
        .expect("records");
        rows.execute("INSERT INTO lease (run, epoch, ended) VALUES (?1, 1, 1)", params![run]).expect("a row");
        let _ = writeln!(lines, "{run} 2 {hash}");
    }
    rows.execute_batch("COMMIT").expect("written");
    std::fs::write(path.with_extension("db.head"), lines).expect("written");
    let kept: Vec<(RunId, String)> =
        (1..=RUNS).map(|run| (RunId(run), serde_json::to_string(&summary(run)).expect("JSON"))).collect();
    store.keep_summaries(&kept).expect("kept");
}

fn percentiles(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("{what}: p50 {:.2?}, p99 {:.2?}, worst {:.2?} of {}", at(0.5), at(0.99), at(1.0), took.len());
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.db");
    let clock = SystemClock::default();
    let timed = |work: &mut dyn FnMut()| {
        let begun = clock.monotonic();
        work();
        clock.monotonic().saturating_sub(begun)
    };
    // First, in a journal of its own: the bulk of the history is still on its way to the disk when it was written.
    let store = SqliteStore::open(&folder.path().join("own/journal.db")).expect("opens");
    let (lease, _) = store.create(&[new()]).expect("created").remove(0);
    let append = |_| timed(&mut || drop(black_box(store.append(&lease, &line("begun")).expect("appended"))));
    percentiles(&format!("append a record in {}", folder.path().display()), (0..1_000).map(append).collect());
    history_of(&path);
    let open = || {
        let listed = history::list(&SqliteStore::open(&path).expect("opens")).expect("readable");
        assert_eq!(listed.ended.len() as u64, RUNS);
        listed
    };
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    criterion.bench_function("open a history of 10,000 runs", |bencher| bencher.iter(|| black_box(open())));
    percentiles("open a history of 10,000 runs", (0..20).map(|_| timed(&mut || drop(black_box(open())))).collect());
    criterion.final_summary();
}
