//! The embedded journal: one SQLite file, WAL, `synchronous = FULL`, append-only by trigger, readable by its owner
//! only.
//!
//! Interlocks made with it hold on this machine only. Who drives a run is told by a locked file beside the
//! journal, which the operating system unlocks when the driver dies, and by the epoch in the lease row.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::Write as _,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::{
    anchor::{AnchorFile, Anchored, Head},
    chain::{AnchoredAt, Break},
    store::{History, Lease, NewRun, Record, Store, StoreError, Stored, Written},
};
use crate::{
    domain::{AppId, Timestamp},
    runbook::{build::hex, run::RunId},
};

/// The layout; a file of another one is refused.
const LAYOUT: i64 = 2;

/// From layout 1: summaries are made anew from the records as runs are opened.
const FROM_1: &str = "ALTER TABLE lease ADD COLUMN summary TEXT; ALTER TABLE lease ADD COLUMN summary_digest TEXT;
                      CREATE INDEX runs_by_app ON runs (app);";

const SCHEMA: &str = "
CREATE TABLE runs (
    run   INTEGER PRIMARY KEY AUTOINCREMENT,
    app   TEXT NOT NULL,
    plan  TEXT NOT NULL
);
CREATE INDEX runs_by_app ON runs (app);
CREATE TABLE journal (
    run INTEGER NOT NULL REFERENCES runs(run),
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    kind TEXT NOT NULL,
    step TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    actor TEXT NOT NULL,
    wall_millis INTEGER NOT NULL,
    boot_millis INTEGER NOT NULL,
    target TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    token TEXT NOT NULL,
    evidence_digest TEXT NOT NULL,
    body TEXT NOT NULL,
    prev TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE TABLE lease (
    run INTEGER PRIMARY KEY REFERENCES runs(run),
    epoch INTEGER NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0,
    summary TEXT,
    summary_digest TEXT
);
CREATE TRIGGER runs_are_kept BEFORE DELETE ON runs BEGIN SELECT RAISE(ABORT, 'runs are never deleted'); END;
CREATE TRIGGER runs_stand BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'runs are never changed'); END;
CREATE TRIGGER records_are_kept BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER records_stand BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
";

const COLUMNS: &str = "run, seq, epoch, kind, step, attempt, actor, wall_millis, boot_millis, target, request_digest, \
                       token, evidence_digest, body, prev, hash";

#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    anchor: AnchorFile,
    layout: i64,
    /// The first failure of a write: after it nothing is written any more.
    failed: OnceLock<String>,
    connection: Mutex<Connection>,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{Error, ErrorCode};
        let damaged = match &error {
            Error::SqliteFailure(failure, _) => {
                matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            }
            // A column, a table or a value is not what the layout says.
            Error::SqlInputError { .. }
            | Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..) => true,
            _ => false,
        };
        if damaged { Self::Damaged(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}

fn unknown_layout(path: &Path, layout: i64) -> StoreError {
    StoreError::Damaged(format!("{}: layout {layout}, this version reads {LAYOUT}", path.display()))
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |error| StoreError::Failed(format!("{}: {error}", path.display()))
}

impl SqliteStore {
    /// Opens the journal, making the file (0600) and its folder (0700) where there are none.
    ///
    /// # Errors
    /// When the file cannot be made or read, others may read it, or it has another layout.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
        }
        let file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(failed(path))?;
        let mode = file.metadata().map_err(failed(path))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(StoreError::Failed(format!(
                "{}: others may read it (mode {:o}): chmod 600",
                path.display(),
                mode & 0o777
            )));
        }
        drop(file);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let anchor = AnchorFile::beside(path);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let layout: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match layout {
            0 => transaction.execute_batch(SCHEMA)?,
            1 => {
                transaction.execute_batch(FROM_1)?;
                anchor.replace(&heads(&transaction)?).map_err(failed(anchor.path()))?;
            }
            LAYOUT => {}
            other => return Err(unknown_layout(path, other)),
        }
        let runs: u64 = transaction.query_row("SELECT count(*) FROM runs", [], |row| row.get(0))?;
        let missing = matches!(anchor.read().map_err(failed(anchor.path()))?, Anchored::Missing);
        // A missing anchor of a journal that has runs is for the check to find, never for an opening to mend.
        if missing && runs == 0 {
            anchor.replace(&BTreeMap::new()).map_err(failed(anchor.path()))?;
        } else if !missing {
            anchor.compact().map_err(failed(anchor.path()))?;
        }
        if layout != LAYOUT {
            transaction.pragma_update(None, "user_version", LAYOUT)?;
        }
        transaction.commit()?;
        Ok(Self {
            path: path.to_owned(),
            anchor,
            layout: LAYOUT,
            failed: OnceLock::new(),
            connection: Mutex::new(connection),
        })
    }

    /// Opens a journal to look at it: makes no file, changes none, waits for nobody. Writing to it fails.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or it has a layout that this version does not know.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        std::fs::metadata(path).map_err(failed(path))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        let layout: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if !(1..=LAYOUT).contains(&layout) {
            return Err(unknown_layout(path, layout));
        }
        let anchor = AnchorFile::beside(path);
        Ok(Self { path: path.to_owned(), anchor, layout, failed: OnceLock::new(), connection: Mutex::new(connection) })
    }

    /// The record is on disk; now the anchor learns of it.
    fn cover<'a>(&self, records: impl IntoIterator<Item = &'a Record>) -> Result<(), StoreError> {
        let lines = records.into_iter().map(|record| (record.run, record.seq, record.hash.as_str()));
        self.anchor.cover(lines).map_err(failed(self.anchor.path()))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A disk that failed once is not believed again: a sync that fails may have lost what the next one reports as
    /// written.
    fn once_failed<T>(&self, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if let Some(why) = self.failed.get() {
            return Err(StoreError::Failed(format!("it failed before: {why}")));
        }
        write().inspect_err(|error| {
            if let StoreError::Failed(why) | StoreError::Damaged(why) = error {
                let _ = self.failed.set(why.clone());
            }
        })
    }

    fn created(&self, batch: &[NewRun]) -> Result<Vec<(Lease, Record)>, StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for new in batch {
            for other in &new.apps {
                unhindered(&transaction, other)?;
            }
        }
        let mut made: BTreeMap<&AppId, RunId> = BTreeMap::new();
        let mut created = Vec::with_capacity(batch.len());
        for new in batch {
            transaction.execute("INSERT INTO runs (app, plan) VALUES (?1, ?2)", params![new.app.as_str(), new.plan])?;
            let run = RunId(u64::try_from(transaction.last_insert_rowid()).unwrap_or(0));
            if let Some(other) = made.insert(&new.app, run) {
                return Err(StoreError::Busy { run: other, app: new.app.clone() });
            }
            let held = self.hold(run)?;
            transaction.execute("INSERT INTO lease (run, epoch) VALUES (?1, 1)", [run.0])?;
            let lease = Lease { run, epoch: 1, held: Box::new(held) };
            let record = insert(&transaction, &lease, 1, hex(&Sha256::digest(new.plan.as_bytes())), &new.first)?;
            created.push((lease, record));
        }
        transaction.commit()?;
        self.cover(created.iter().map(|(_, record)| record))?;
        Ok(created)
    }

    fn appended(&self, lease: &Lease, written: &Written) -> Result<Record, StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let current: u64 =
            transaction.query_row("SELECT epoch FROM lease WHERE run = ?1", [lease.run.0], |row| row.get(0))?;
        if current != lease.epoch {
            return Err(StoreError::Superseded { run: lease.run, ours: lease.epoch, current });
        }
        let (seq, prev): (u64, String) = transaction.query_row(
            "SELECT seq, hash FROM journal WHERE run = ?1 ORDER BY seq DESC LIMIT 1",
            [lease.run.0],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let record = insert(&transaction, lease, seq + 1, prev, written)?;
        if written.last {
            transaction.execute("UPDATE lease SET ended = 1 WHERE run = ?1", [lease.run.0])?;
        }
        transaction.commit()?;
        self.cover([&record])?; // still under the lock of the connection: in the order of the journal
        Ok(record)
    }

    /// The runs, with what the anchor said before and after they were read.
    fn read(&self, connection: &Connection, runs: &[RunId]) -> Result<Vec<Stored>, StoreError> {
        let mut statement = connection.prepare_cached("SELECT app, plan FROM runs WHERE run = ?1")?;
        let before = self.anchored()?;
        let mut read = Vec::with_capacity(runs.len());
        for &run in runs {
            let found = statement.query_row([run.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let (app, plan) = found.ok_or(StoreError::NoRun(run))?;
            read.push(Stored { run, app, plan, records: records(connection, run)?, anchored: AnchoredAt::Nothing });
        }
        let after = self.anchored()?;
        for stored in &mut read {
            stored.anchored = AnchoredAt::between(&before, &after, stored.run, stored.records.len() as u64);
        }
        Ok(read)
    }

    /// Held while the process lives: kill -9 lets go of it.
    fn hold(&self, run: RunId) -> Result<File, StoreError> {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".run-{run}.lock"));
        let path = PathBuf::from(path);
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path).map_err(failed(&path))?;
        match file.try_lock() {
            Ok(()) => {
                // For whoever comes second; the lock itself is the operating system's.
                file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(failed(&path))?;
                Ok(file)
            }
            Err(TryLockError::WouldBlock) => {
                let process = std::fs::read_to_string(&path).ok().and_then(|text| text.parse().ok());
                Err(StoreError::Driven { run, process })
            }
            Err(TryLockError::Error(error)) => Err(failed(&path)(error)),
        }
    }
}

impl Store for SqliteStore {
    fn create(&self, batch: &[NewRun]) -> Result<Vec<(Lease, Record)>, StoreError> {
        self.once_failed(|| self.created(batch))
    }

    fn take(&self, run: RunId) -> Result<Lease, StoreError> {
        let held = self.hold(run)?;
        let connection = self.lock();
        // Higher than any on record as well: a damaged lease must not revive an old driver.
        let sql =
            "UPDATE lease SET epoch = 1 + max(epoch, (SELECT coalesce(max(epoch), 0) FROM journal WHERE run = ?1))
                   WHERE run = ?1 RETURNING epoch";
        let epoch: Option<u64> = connection.query_row(sql, [run.0], |row| row.get(0)).optional()?;
        let epoch = epoch.ok_or(StoreError::NoRun(run))?;
        Ok(Lease { run, epoch, held: Box::new(held) })
    }

    fn append(&self, lease: &Lease, written: &Written) -> Result<Record, StoreError> {
        self.once_failed(|| self.appended(lease, written))
    }

    fn load(&self) -> Result<Vec<Stored>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare("SELECT run FROM runs ORDER BY run")?;
        let runs: Vec<u64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        self.read(&connection, &runs.into_iter().map(RunId).collect::<Vec<_>>())
    }

    fn load_run(&self, run: RunId) -> Result<Stored, StoreError> {
        self.read(&self.lock(), &[run])?.pop().ok_or(StoreError::NoRun(run))
    }

    fn anchored(&self) -> Result<Anchored, StoreError> {
        if self.layout < LAYOUT {
            return Ok(Anchored::NotKept);
        }
        self.anchor.read().map_err(failed(self.anchor.path()))
    }

    fn history(&self, known: &dyn Fn(RunId) -> bool) -> Result<History, StoreError> {
        let connection = self.lock();
        let anchored = self.anchored()?;
        let mut history = History::default();
        // From `runs`, not from `lease`: a lost lease row must not hide a run.
        let kept = if self.layout < LAYOUT { "NULL, NULL" } else { "summary, summary_digest" };
        // Not in order: the numbers then come from the index, without a look at the plans.
        let sql = format!("SELECT run, {kept} FROM runs LEFT JOIN lease USING (run)");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let (mut next, mut whole) = (1, Vec::new());
        let mut found: BTreeMap<RunId, (Option<String>, Option<String>)> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            // Whatever cannot be read as the text that was kept counts as missing: the record is there.
            found.insert(RunId(row.get(0)?), (row.get(1).unwrap_or_default(), row.get(2).unwrap_or_default()));
        }
        for (run, (kept, digest)) in found {
            history.breaks.extend((next..run.0).take(1).map(missing));
            next = run.0 + 1;
            if known(run) {
                continue;
            }
            match kept {
                Some(kept) if digest.is_some_and(|digest| digest == hex(&Sha256::digest(kept.as_bytes()))) => {
                    history.ended.push((run, kept));
                }
                _ => whole.push(run),
            }
        }
        history.whole = self.read(&connection, &whole)?;
        match anchored {
            Anchored::Damaged(what) => history.breaks.push(Break { run: None, seq: 0, what }),
            Anchored::Missing if next > 1 => {
                history.breaks.push(Break { run: None, seq: 0, what: "the file is missing".to_owned() });
            }
            Anchored::Heads(heads) => history.breaks.extend(heads.range(RunId(next)..).map(|(run, _)| missing(run.0))),
            _ => {}
        }
        Ok(history)
    }

    fn keep_summaries(&self, summaries: &[(RunId, String)]) -> Result<(), StoreError> {
        if summaries.is_empty() {
            return Ok(());
        }
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (run, summary) in summaries {
            let digest = hex(&Sha256::digest(summary.as_bytes()));
            let sql = "UPDATE lease SET summary = ?2, summary_digest = ?3 WHERE run = ?1 AND ended = 1";
            transaction.execute(sql, params![run.0, summary, digest])?;
        }
        transaction.commit()?;
        Ok(())
    }
}

/// An unfinished run of the app stands in the way.
fn unhindered(transaction: &Transaction<'_>, app: &AppId) -> Result<(), StoreError> {
    // By the rows, which the check of a run covers: a damaged index must not hide one.
    let sql = "SELECT run FROM runs NOT INDEXED LEFT JOIN lease USING (run) WHERE app = ?1 AND ended IS NOT 1";
    let open: Option<u64> = transaction.query_row(sql, [app.as_str()], |row| row.get(0)).optional()?;
    open.map_or(Ok(()), |run| Err(StoreError::Busy { run: RunId(run), app: app.clone() }))
}

fn missing(run: u64) -> Break {
    Break { run: Some(RunId(run)), seq: 0, what: "the run is missing".to_owned() }
}

/// The last record of every run, for a journal that has no anchor yet.
fn heads(transaction: &Transaction<'_>) -> Result<BTreeMap<RunId, Head>, StoreError> {
    let mut statement = transaction.prepare("SELECT run, max(seq), hash FROM journal GROUP BY run")?;
    let rows = statement.query_map([], |row| Ok((RunId(row.get(0)?), Head { seq: row.get(1)?, hash: row.get(2)? })))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn insert(
    transaction: &Transaction<'_>,
    lease: &Lease,
    seq: u64,
    prev: String,
    written: &Written,
) -> Result<Record, StoreError> {
    let mut record =
        Record { run: lease.run, seq, epoch: lease.epoch, written: written.clone(), prev, hash: String::new() };
    record.hash = record.expected_hash();
    let w = &record.written;
    transaction.execute(
        &format!("INSERT INTO journal ({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)"),
        params![
            record.run.0,
            record.seq,
            record.epoch,
            w.kind,
            w.step,
            w.attempt,
            w.actor,
            w.wall.millis(),
            w.boot_millis,
            w.target,
            w.request_digest,
            w.token,
            w.evidence_digest,
            w.body,
            record.prev,
            record.hash,
        ],
    )?;
    Ok(record)
}

fn records(connection: &Connection, run: RunId) -> Result<Vec<Record>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM journal WHERE run = ?1 ORDER BY seq"))?;
    let rows = statement.query_map([run.0], record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let written = Written {
        kind: row.get(3)?,
        step: row.get(4)?,
        attempt: row.get(5)?,
        actor: row.get(6)?,
        wall: Timestamp::from_millis(row.get(7)?),
        boot_millis: row.get(8)?,
        target: row.get(9)?,
        request_digest: row.get(10)?,
        token: row.get(11)?,
        evidence_digest: row.get(12)?,
        body: row.get(13)?,
        last: false,
    };
    Ok(Record {
        run: RunId(row.get(0)?),
        seq: row.get(1)?,
        epoch: row.get(2)?,
        written,
        prev: row.get(14)?,
        hash: row.get(15)?,
    })
}

#[cfg(test)]
mod tests {
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
}
