//! What the embedded journal keeps, refuses and misses.

use super::*;
use crate::engine::chain::{Chain, examine};

fn line(kind: &str) -> Written {
    Written {
        kind: kind.into(),
        step: "promote".into(),
        attempt: 1,
        actor: "asha (arn)".into(),
        wall: Timestamp::from_secs(1_000),
        boot_millis: 5,
        target: "ap-south-2".into(),
        request_digest: String::new(),
        token: String::new(),
        evidence_digest: String::new(),
        body: format!("{{\"{kind}\":1}}"),
        last: false,
    }
}

fn new(app: &str, apps: &[&str]) -> NewRun {
    NewRun {
        app: AppId::new(app),
        apps: apps.iter().map(|app| AppId::new(*app)).collect(),
        plan: format!("{{\"plan\":{{\"app\":\"{app}\"}}}}"),
        first: line("declared"),
    }
}

fn in_mode(app: &str, mode_word: &str) -> NewRun {
    NewRun { plan: format!("{{\"plan\":{{\"app\":\"{app}\",\"mode_word\":\"{mode_word}\"}}}}"), ..new(app, &[app]) }
}

fn chain(store: &SqliteStore) -> Chain {
    examine(&store.load().unwrap(), store.anchored().unwrap()).chain()
}

fn create(store: &SqliteStore, app: &str) -> Result<Lease, StoreError> {
    Ok(store.create(&[new(app, &[app])])?.remove(0).0)
}

fn store() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("state/journal.db")).unwrap();
    (folder, store)
}

fn filled() -> (tempfile::TempDir, SqliteStore) {
    let (folder, store) = store();
    let lease = create(&store, "payments").unwrap();
    for kind in ["begun", "intended", "sent", "outcome"] {
        store.append(&lease, &line(kind)).unwrap();
    }
    (folder, store)
}

#[test]
fn the_file_is_its_owners_alone_and_one_that_is_not_is_refused() {
    let (folder, store) = store();
    let path = folder.path().join("state/journal.db");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    drop(store);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(SqliteStore::open(&path).is_err());
}

#[test]
fn records_can_neither_be_changed_nor_deleted_through_sql() {
    let (_folder, store) = filled();
    let connection = store.lock();
    for sql in [
        "UPDATE journal SET actor = 'mallory'",
        "DELETE FROM journal WHERE seq = 2",
        "UPDATE runs SET plan = '[]'",
        "DELETE FROM runs",
    ] {
        assert!(connection.execute(sql, []).is_err(), "{sql}");
    }
}

#[test]
fn a_whole_chain_verifies_and_every_kind_of_tampering_is_seen() {
    let (_folder, store) = filled();
    assert_eq!(chain(&store), Chain::Whole { runs: 1, records: 5, uncovered: 0 });
    let tampering = [
        ("UPDATE journal SET actor = 'mallory' WHERE seq = 3", 3),
        ("UPDATE journal SET body = '{}' WHERE seq = 5", 5),
        ("DELETE FROM journal WHERE seq = 2", 2),
        (
            "UPDATE journal SET seq = 9 WHERE seq = 2; UPDATE journal SET seq = 2 WHERE seq = 3; \
          UPDATE journal SET seq = 3 WHERE seq = 9",
            2,
        ),
        ("UPDATE runs SET plan = '[]'", 1),
    ];
    for (sql, place) in tampering {
        let (_folder, store) = filled();
        let triggers = "DROP TRIGGER records_stand; DROP TRIGGER records_are_kept; DROP TRIGGER runs_stand;";
        store.lock().execute_batch(&format!("{triggers} {sql}")).unwrap();
        match chain(&store) {
            Chain::Broken { seq, .. } => assert_eq!(seq, place, "{sql}"),
            whole @ Chain::Whole { .. } => panic!("{sql}: {whole:?}"),
        }
    }
}

#[test]
fn what_was_cut_off_the_end_is_missed_because_the_anchor_knows_it() {
    let keep = "DROP TRIGGER records_are_kept; DROP TRIGGER runs_are_kept;";
    for (cut, run, seq) in [
        ("DELETE FROM journal WHERE seq = 5", 1, 5),
        ("DELETE FROM journal WHERE seq > 2", 1, 3),
        ("DELETE FROM journal; DELETE FROM lease; DELETE FROM runs", 1, 0),
    ] {
        let (_folder, store) = filled();
        store.lock().execute_batch(&format!("{keep} {cut}")).unwrap();
        match chain(&store) {
            Chain::Broken { run: at, seq: place, .. } => assert_eq!((at, place), (RunId(run), seq), "{cut}"),
            whole @ Chain::Whole { .. } => panic!("{cut}: {whole:?}"),
        }
    }
}

#[test]
fn a_record_that_the_anchor_does_not_know_yet_is_said_and_two_are_tampering() {
    for (lines, expected) in [(5, Some(0)), (4, Some(1)), (3, None), (0, None)] {
        let (_folder, store) = filled();
        let text = std::fs::read_to_string(store.anchor.path()).unwrap();
        let kept: String = text.split_inclusive('\n').take(lines).collect();
        std::fs::write(store.anchor.path(), kept).unwrap();
        match (chain(&store), expected) {
            (Chain::Whole { uncovered, .. }, Some(expected)) => assert_eq!(uncovered, expected),
            (Chain::Broken { seq, .. }, None) => assert_eq!(seq, lines as u64 + 1),
            (other, _) => panic!("{lines} lines: {other:?}"),
        }
    }
    let (_folder, store) = filled();
    std::fs::remove_file(store.anchor.path()).unwrap();
    assert!(matches!(chain(&store), Chain::Broken { run: RunId(0), .. }));
    assert!(store.append(&end_lease(&store), &line("driven")).is_err(), "nothing is written without its anchor");
}

#[test]
fn an_opening_never_mends_an_anchor_that_is_missing() {
    let (folder, store) = filled();
    std::fs::remove_file(store.anchor.path()).unwrap();
    drop(store);
    let store = SqliteStore::open(&folder.path().join("state/journal.db")).unwrap();
    assert!(matches!(chain(&store), Chain::Broken { run: RunId(0), .. }));
    assert_eq!(store.history(&|_| false).unwrap().breaks.len(), 1);
}

#[test]
fn a_journal_of_the_first_layout_gets_its_anchor_and_keeps_its_records() {
    let (folder, store) = filled();
    let before = store.load().unwrap();
    let back = "DROP INDEX runs_by_app; ALTER TABLE lease DROP COLUMN summary; ALTER TABLE lease DROP COLUMN summary_digest; \
                PRAGMA user_version = 1";
    store.lock().execute_batch(back).unwrap();
    std::fs::remove_file(store.anchor.path()).unwrap();
    let path = folder.path().join("state/journal.db");
    let seen = SqliteStore::open_to_read(&path).unwrap();
    assert_eq!(chain(&seen), Chain::Whole { runs: 1, records: 5, uncovered: 0 });
    assert_eq!(seen.anchored().unwrap(), Anchored::NotKept, "looking changes nothing");
    drop((store, seen));
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(chain(&store), Chain::Whole { runs: 1, records: 5, uncovered: 0 });
    assert!(matches!(store.anchored().unwrap(), Anchored::Heads(heads) if heads[&RunId(1)].seq == 5));
    assert_eq!(store.load().unwrap()[0].records, before[0].records);
}

#[test]
fn an_ended_run_is_known_by_its_summary_and_by_its_record_when_that_is_damaged() {
    let (_folder, store) = filled();
    store.keep_summaries(&[(RunId(1), "too early".to_owned())]).unwrap();
    assert_eq!(store.history(&|_| false).unwrap().whole.len(), 1, "an unfinished run is never summed up");
    store.append(&end_lease(&store), &Written { last: true, ..line("completed") }).unwrap();
    assert_eq!(store.history(&|_| false).unwrap().whole.len(), 1, "no summary yet");
    store.keep_summaries(&[(RunId(1), "{}".to_owned())]).unwrap();
    let history = store.history(&|_| false).unwrap();
    assert_eq!((history.whole.len(), history.ended), (0, vec![(RunId(1), "{}".to_owned())]));
    assert!(store.history(&|run| run == RunId(1)).unwrap().ended.is_empty());
    store.lock().execute("UPDATE lease SET summary = '[]'", []).unwrap();
    let history = store.history(&|_| false).unwrap();
    assert_eq!((history.whole.len(), history.ended.len()), (1, 0));
}

#[test]
fn a_deleted_run_leaves_a_gap() {
    let (_folder, store) = filled();
    store.append(&end_lease(&store), &Written { last: true, ..line("completed") }).unwrap();
    create(&store, "payments").unwrap();
    let sql = "DROP TRIGGER records_are_kept; DROP TRIGGER runs_are_kept; DELETE FROM journal WHERE run = 1; \
               DELETE FROM lease WHERE run = 1; DELETE FROM runs WHERE run = 1";
    store.lock().execute_batch(sql).unwrap();
    assert!(matches!(chain(&store), Chain::Broken { run: RunId(1), .. }));
}

fn end_lease(store: &SqliteStore) -> Lease {
    store.take(RunId(1)).unwrap()
}

#[test]
fn one_driver_at_a_time_and_the_old_epoch_cannot_append() {
    let (folder, first) = store();
    let second = SqliteStore::open(&folder.path().join("state/journal.db")).unwrap();
    let lease = create(&first, "payments").unwrap();
    let process = Some(std::process::id());
    assert_eq!(second.take(RunId(1)).unwrap_err(), StoreError::Driven { run: RunId(1), process });
    let Lease { run, epoch, held } = lease;
    drop(held); // as the death of the process does
    let newer = second.take(RunId(1)).unwrap();
    assert_eq!(newer.epoch, 2);
    let stale = Lease { run, epoch, held: Box::new(()) };
    assert!(matches!(first.append(&stale, &line("sent")), Err(StoreError::Superseded { current: 2, .. })));
    second.append(&newer, &line("driven")).unwrap();
}

#[test]
fn a_second_run_of_an_app_waits_for_the_end_of_the_first() {
    let (_folder, store) = store();
    let lease = create(&store, "payments").unwrap();
    assert!(matches!(create(&store, "payments"), Err(StoreError::Busy { .. })));
    store.append(&lease, &Written { last: true, ..line("completed") }).unwrap();
    assert!(create(&store, "payments").is_ok());
}

#[test]
fn a_wave_is_created_whole_or_not_at_all_and_its_members_do_not_hinder_each_other() {
    let (_folder, store) = store();
    let wave = [new("ledger", &["ledger"]), new("payments", &["payments", "ledger"])];
    let twice = [new("ledger", &["ledger"]), new("ledger", &["ledger"])];
    assert!(matches!(store.create(&twice), Err(StoreError::Busy { .. })));
    assert!(store.load().unwrap().is_empty(), "nothing of a refused wave stays");
    assert_eq!(store.create(&wave).unwrap().iter().map(|(lease, _)| lease.run.0).collect::<Vec<_>>(), [1, 2]);
    let hindered = [new("cards", &["cards"]), new("web", &["web", "payments"])];
    assert!(matches!(store.create(&hindered), Err(StoreError::Busy { run: RunId(2), .. })));
    assert_eq!(store.load().unwrap().len(), 2);
}

#[test]
fn a_run_is_refused_for_an_open_one_of_its_own_world_alone_and_for_one_whose_world_cannot_be_read() {
    let (_folder, store) = store();
    let simulated = store.create(&[in_mode("payments", "SIMULATED ×30")]).unwrap().remove(0).0;
    let refused = |store: &SqliteStore, word: &str| match store.create(&[in_mode("payments", word)]) {
        Err(StoreError::Busy { run, .. }) => Some(run),
        other => panic!("{word}: {other:?}"),
    };
    assert_eq!(refused(&store, "SIMULATED still DRILL"), Some(simulated.run));
    let live = store.create(&[in_mode("payments", "LIVE")]).expect("a simulation forbids nothing live").remove(0).0;
    assert_eq!(refused(&store, "DRILL"), Some(live.run), "a drill on AWS is on AWS");
    store.append(&live, &Written { last: true, ..line("completed") }).unwrap();
    drop(store.create(&[in_mode("payments", "DRILL")]).expect("the live one has ended"));
    let (_folder, unread) = self::store();
    create(&unread, "payments").unwrap();
    assert_eq!(refused(&unread, "LIVE"), Some(RunId(1)));
    assert_eq!(refused(&unread, "SIMULATED ×30"), Some(RunId(1)));
}

#[test]
fn a_look_at_who_drives_a_run_keeps_nobody_from_taking_it() {
    let (folder, store) = filled();
    let looking = std::sync::atomic::AtomicBool::new(true);
    let journal = folder.path().join("state/journal.db");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let looks = SqliteStore::open_to_read(&journal).unwrap();
                while looking.load(std::sync::atomic::Ordering::Relaxed) {
                    looks.elsewhere(RunId(1));
                }
            });
        }
        let refused = (0..100).filter(|_| store.hold(RunId(1)).is_err()).count();
        looking.store(false, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(refused, 0);
    });
    let lease = store.take(RunId(1)).unwrap();
    assert!(matches!(store.take(RunId(1)), Err(StoreError::Driven { .. })), "a driver is one");
    drop(lease);
}
