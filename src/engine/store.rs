//! The journal as the engine needs it: append, lease, load. [`super::sqlite`] is the embedded one, [`super::chain`]
//! checks what was loaded.
//!
//! Calls block; the engine makes them off the async threads. Must never: change or remove what was appended, or
//! let a driver of an old epoch append.

use sha2::{Digest, Sha256};

use super::{
    anchor::Anchored,
    chain::{AnchoredAt, Break},
};
use crate::{
    domain::{AppId, Timestamp},
    runbook::{
        build::hex,
        run::{Elsewhere, RunId},
    },
};

/// One line of the journal. Text columns are empty where they do not apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub run: RunId,
    /// From 1, without gaps, within a run.
    pub seq: u64,
    pub epoch: u64,
    pub written: Written,
    /// Hash of the record before; for the first one the SHA-256 of the stored plan.
    pub prev: String,
    /// SHA-256 over [`Record::canonical`], hex.
    pub hash: String,
}

/// What its author writes of a record; the store adds number and hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub kind: String,
    pub step: String,
    pub attempt: u32,
    pub actor: String,
    /// Wall time; decides nothing.
    pub wall: Timestamp,
    /// Milliseconds on the writing program's monotonic clock: order within one process whatever the wall does.
    pub boot_millis: u64,
    /// Region that a call goes to, else the plan's target.
    pub target: String,
    pub request_digest: String,
    /// Idempotency token where the API has one; none of today's calls does (field guide 9.7).
    pub token: String,
    pub evidence_digest: String,
    /// The entry as JSON: what a fold reads.
    pub body: String,
    /// The run ends with this record.
    pub last: bool,
}

impl Record {
    /// The bytes that are hashed: the columns in this order, each followed by a line feed. No column can hold
    /// one, so `sqlite3` and `sha256sum` can repeat it.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let w = &self.written;
        let columns = [
            self.run.to_string(),
            self.seq.to_string(),
            self.epoch.to_string(),
            w.kind.clone(),
            w.step.clone(),
            w.attempt.to_string(),
            w.actor.clone(),
            w.wall.millis().to_string(),
            w.boot_millis.to_string(),
            w.target.clone(),
            w.request_digest.clone(),
            w.token.clone(),
            w.evidence_digest.clone(),
            w.body.clone(),
            self.prev.clone(),
        ];
        columns.iter().flat_map(|column| column.bytes().chain(*b"\n")).collect()
    }

    #[must_use]
    pub fn expected_hash(&self) -> String {
        hex(&Sha256::digest(self.canonical()))
    }
}

/// A run to be created, with its first record.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub app: AppId,
    /// The app and those it depends on: an unfinished run of one of them stands in the way.
    pub apps: Vec<AppId>,
    /// The frozen plan as JSON.
    pub plan: String,
    pub first: Written,
}

/// A run as it lies in the store.
#[derive(Clone, Debug)]
pub struct Stored {
    pub run: RunId,
    /// As the interlock sees it: a column of its own, which must say what the plan says.
    pub app: String,
    /// The frozen plan as JSON: a resume needs nothing else.
    pub plan: String,
    pub records: Vec<Record>,
    pub anchored: AnchoredAt,
}

/// The right to append to a run: of this epoch, until dropped or taken over.
pub struct Lease {
    pub run: RunId,
    pub epoch: u64,
    /// Keeps other processes out while it lives; the operating system lets go of it when this one dies.
    pub held: Box<dyn std::any::Any + Send + Sync>,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("run", &self.run).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("run {run} is driven by another process on this machine{}", process.map_or_else(String::new, |id| format!(", number {id}")))]
    Driven { run: RunId, process: Option<u32> },
    #[error("run {run} of {app} has not ended")]
    Busy { run: RunId, app: AppId },
    #[error("run {run} was taken over: driver {current} has it, this is driver {ours}")]
    Superseded { run: RunId, ours: u64, current: u64 },
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// The file is no journal any more, or holds what no version of this program wrote.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Disk, permissions: after it nothing is written any more, and nothing acts.
    #[error("{0}")]
    Failed(String),
}

pub trait Store: Send + Sync {
    /// New runs, each with its first record: all of the batch in one transaction, or none. Refused when a run of one
    /// of a member's `apps` has not ended in the same world. Members are no obstacle for each other (a wave goes in dependency order),
    /// unless two are of the same app.
    fn create(&self, batch: &[NewRun]) -> Result<Vec<(Lease, Record)>, StoreError>;

    /// The right to drive a run on, in a new epoch.
    fn take(&self, run: RunId) -> Result<Lease, StoreError>;

    /// On disk and covered by the anchor when it returns. A failure is final: it is never tried again. After one the
    /// record may be on disk all the same.
    fn append(&self, lease: &Lease, written: &Written) -> Result<Record, StoreError>;

    /// A number that moves when another process wrote.
    fn changes(&self) -> Result<u64, StoreError>;

    /// The other process that drives the run now. To look takes nobody's turn.
    fn elsewhere(&self, run: RunId) -> Option<Elsewhere>;

    /// Every run, oldest first.
    fn load(&self) -> Result<Vec<Stored>, StoreError>;

    fn load_run(&self, run: RunId) -> Result<Stored, StoreError>;

    /// What the head anchor says now.
    fn anchored(&self) -> Result<Anchored, StoreError>;

    /// What is not known yet: unfinished runs whole, ended ones as the summary kept of them. Runs for which `known`
    /// holds are left out. An ended run without a readable summary is given whole.
    fn history(&self, known: &dyn Fn(RunId) -> bool) -> Result<History, StoreError>;

    /// Keeps summaries of ended runs, so that the next opening needs not fold them. They are a cache: they prove
    /// nothing, and are made anew from the record when missing or damaged.
    fn keep_summaries(&self, summaries: &[(RunId, String)]) -> Result<(), StoreError>;
}

/// Runs as an opening reads them.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub whole: Vec<Stored>,
    /// Run and its summary as JSON.
    pub ended: Vec<(RunId, String)>,
    /// What can be seen to be wrong without reading ended runs.
    pub breaks: Vec<Break>,
}
