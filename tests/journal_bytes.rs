//! A journal with any one byte changed, or cut at any length: what is read is what was written, or a prefix of it that
//! is said, or it is refused. Never silently another record.
//!
//! Every byte of the database, its write-ahead log and its head anchor; pages are 512 bytes, so that a small file has
//! all kinds of pages: inner, leaf, overflow, index.

use std::{
    fs::{self, File, OpenOptions},
    io::{Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use pointsman::{
    domain::{AppId, Timestamp},
    engine::{
        Chain, SqliteStore, Store, examine,
        store::{NewRun, Record, Written},
    },
};
use rusqlite::Connection;

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
        body: format!("{{\"kind\":\"{kind}\",\"detail\":\"{}\"}}", "x".repeat(400)),
        last: false,
    }
}

fn new(app: &str) -> NewRun {
    NewRun {
        app: AppId::new(app),
        apps: vec![AppId::new(app)],
        plan: format!("{{\"plan\":{{\"app\":\"{app}\"}}}}"),
        first: line("declared"),
    }
}

/// The plans and records of a journal, as they were written.
type Content = Vec<(String, Vec<Record>)>;

fn content(store: &SqliteStore) -> Content {
    store.load().expect("readable").into_iter().map(|run| (run.plan, run.records)).collect()
}

/// Which of its files lie beside a journal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    Kept,
    Folded,
}

/// Two runs of a few records, as a dead program leaves them (with a log) or an ended one (without).
fn journal(folder: &Path, log: Log) -> (PathBuf, Content) {
    let path = folder.join("live/journal.db");
    fs::create_dir(folder.join("live")).expect("a folder");
    let small = Connection::open(&path).expect("a database");
    small.execute_batch("PRAGMA page_size = 512; VACUUM").expect("small pages");
    drop(small);
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&path, private).expect("private");
    let store = SqliteStore::open(&path).expect("opens");
    for app in ["payments", "cards"] {
        let (lease, _) = store.create(&[new(app)]).expect("created").remove(0);
        for kind in ["begun", "intended"] {
            store.append(&lease, &line(kind)).expect("appended");
        }
    }
    let content = content(&store);
    if log == Log::Folded {
        drop(store);
    }
    let to = folder.join("journal.db");
    for suffix in ["", "-wal", ".head"] {
        let part = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if part(&path).exists() {
            fs::copy(part(&path), part(&to)).expect("copied");
        }
    }
    (to, content)
}

/// What came of reading a damaged journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    Same,
    /// One record fewer than the anchor knew of, or one more: said.
    Said,
    Refused,
}

fn read(path: &Path, written: &Content, what: &str) -> Met {
    let Ok(store) = SqliteStore::open_to_read(path) else { return Met::Refused };
    let (Ok(anchored), Ok(runs)) = (store.anchored(), store.load()) else { return Met::Refused };
    match examine(&runs, anchored).chain() {
        Chain::Broken { .. } => Met::Refused,
        Chain::Whole { uncovered, .. } => {
            for (n, run) in runs.iter().enumerate() {
                let (plan, records) = &written[n];
                assert_eq!(run.plan, *plan, "{what}: silently another plan");
                assert_eq!(run.records, records[..run.records.len()], "{what}: silently another record");
            }
            let kept: usize = runs.iter().map(|run| run.records.len()).sum();
            let all: usize = written.iter().map(|(_, records)| records.len()).sum();
            if uncovered > 0 {
                return Met::Said;
            }
            assert_eq!(kept, all, "{what}: records are gone and nothing says so");
            Met::Same
        }
    }
}

/// A reader of a log makes an index of it beside it; the next case must not find that.
fn forget_index(journal: &Path) {
    let _ = fs::remove_file(format!("{}-shm", journal.display()));
}

fn every_byte(log: Log, suffix: &str) {
    let folder = tempfile::tempdir_in(memory()).expect("a folder");
    let (journal, written) = journal(folder.path(), log);
    let victim = PathBuf::from(format!("{}{suffix}", journal.display()));
    let bytes = fs::read(&victim).expect("readable");
    assert!(bytes.len() > 100, "{suffix} holds something");
    let others: Vec<(PathBuf, Vec<u8>)> = ["", "-wal", ".head"]
        .iter()
        .map(|other| PathBuf::from(format!("{}{other}", journal.display())))
        .filter_map(|path| Some((path.clone(), fs::read(path).ok()?)))
        .collect();
    assert_eq!(read(&journal, &written, "untouched"), Met::Same);
    forget_index(&journal);

    let mut met = [0_usize; 3];
    let mut file = OpenOptions::new().write(true).open(&victim).expect("writable");
    for at in 0..bytes.len() {
        // One bit, another for each byte, and all of them.
        for mask in [1_u8 << (at % 8), 0xff] {
            put(&mut file, at, bytes[at] ^ mask);
            met[read(&journal, &written, &format!("{suffix} byte {at} ^ {mask:#x}")) as usize] += 1;
            put(&mut file, at, bytes[at]);
            forget_index(&journal);
        }
    }
    assert_eq!(read(&journal, &written, "put back"), Met::Same);
    forget_index(&journal);
    for (path, bytes) in &others {
        assert_eq!(fs::read(path).expect("readable"), *bytes, "looking changed {}", path.display());
    }
    for length in (0..bytes.len()).rev() {
        file.set_len(length as u64).expect("cut");
        met[read(&journal, &written, &format!("{suffix} cut to {length}")) as usize] += 1;
        forget_index(&journal);
    }
    let [same, said, refused] = met;
    println!("{} bytes of journal.db{suffix}: {same} the same, {said} said, {refused} refused", bytes.len());
    assert_eq!(same + said + refused, bytes.len() * 3);
    assert!(refused > 0);
}

fn put(file: &mut File, at: usize, byte: u8) {
    file.seek(SeekFrom::Start(at as u64)).expect("there");
    file.write_all(&[byte]).expect("written");
}

/// Tens of thousands of openings: in memory where there is such a folder.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

#[test]
fn any_byte_of_the_database_changed_or_cut_off_is_harmless_said_or_refused() {
    every_byte(Log::Folded, "");
}

#[test]
fn any_byte_of_the_database_under_its_log_changed_or_cut_off_is_harmless_said_or_refused() {
    every_byte(Log::Kept, "");
}

#[test]
fn any_byte_of_the_log_changed_or_cut_off_is_harmless_said_or_refused() {
    every_byte(Log::Kept, "-wal");
}

#[test]
fn any_byte_of_the_head_anchor_changed_or_cut_off_is_harmless_said_or_refused() {
    every_byte(Log::Folded, ".head");
}
