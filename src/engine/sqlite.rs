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
    domain::{AppId, Timestamp, World},
    runbook::{
        build::hex,
        run::{Elsewhere, RunId},
    },
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

/// A look at a lock takes microseconds, or a turn of the scheduler: nobody meets so many.
const LOOKS_MAX: u32 = 50;
const LOOK: Duration = Duration::from_millis(2);

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
            let world = world_of(&new.plan);
            for other in &new.apps {
                unhindered(&transaction, other, world)?;
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

    fn lock_of(&self, run: RunId) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".run-{run}.lock"));
        PathBuf::from(path)
    }

    /// Held while the process lives: kill -9 lets go of it.
    fn hold(&self, run: RunId) -> Result<File, StoreError> {
        let path = self.lock_of(run);
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path).map_err(failed(&path))?;
        match locked(&file) {
            Ok(()) => {
                // For whoever comes second; the lock itself is the operating system's.
                file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(failed(&path))?;
                Ok(file)
            }
            Err(TryLockError::WouldBlock) => Err(StoreError::Driven { run, process: written_in(&path) }),
            Err(TryLockError::Error(error)) => Err(failed(&path)(error)),
        }
    }
}

/// Takes the lock, unless a driver has it. Whoever only looks has a share of it for a moment, and is no driver.
fn locked(file: &File) -> Result<(), TryLockError> {
    let mut taken = file.try_lock();
    for _ in 0..LOOKS_MAX {
        if !matches!(taken, Err(TryLockError::WouldBlock)) || file.try_lock_shared().is_err() {
            break;
        }
        let _ = file.unlock();
        std::thread::sleep(LOOK);
        taken = file.try_lock();
    }
    taken
}

/// The number of the process that holds a lock file, as it wrote it there.
fn written_in(lock: &Path) -> Option<u32> {
    std::fs::read_to_string(lock).ok()?.parse().ok()
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

    fn changes(&self) -> Result<u64, StoreError> {
        let version: i64 = self.lock().query_row("PRAGMA data_version", [], |row| row.get(0))?;
        Ok(version as u64)
    }

    fn elsewhere(&self, run: RunId) -> Option<Elsewhere> {
        let path = self.lock_of(run);
        // Shared and for a moment: it keeps nobody out who looks too, and `locked` knows it from a driver.
        match File::open(&path).ok()?.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(Elsewhere { process: written_in(&path) }),
            _ => None,
        }
        .filter(|found| found.process != Some(std::process::id()))
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

/// An unfinished run of the app in the same world stands in the way, and so does one whose world cannot be read.
fn unhindered(transaction: &Transaction<'_>, app: &AppId, world: Option<World>) -> Result<(), StoreError> {
    // By the rows, which the check of a run covers: a damaged index must not hide one.
    let sql = "SELECT run, plan FROM runs NOT INDEXED LEFT JOIN lease USING (run) WHERE app = ?1 AND ended IS NOT 1";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut rows = statement.query([app.as_str()])?;
    while let Some(row) = rows.next()? {
        let theirs = world_of(row.get_ref(1)?.as_str().unwrap_or_default());
        if world.is_none() || theirs.is_none() || theirs == world {
            return Err(StoreError::Busy { run: RunId(row.get(0)?), app: app.clone() });
        }
    }
    Ok(())
}

/// The world of a run, by the plan that was stored with it; a run never changes it.
fn world_of(plan: &str) -> Option<World> {
    #[derive(serde::Deserialize)]
    struct Stored {
        plan: Labelled,
    }
    #[derive(serde::Deserialize)]
    struct Labelled {
        mode_word: String,
    }
    let stored: Stored = serde_json::from_str(plan).ok()?;
    Some(World::of_mode_word(&stored.plan.mode_word))
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
mod tests;
