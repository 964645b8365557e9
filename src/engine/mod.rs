//! Drives runs: journal first, then the call, then what is seen of it.
//!
//! This file is what the rest of the program may ask of it. Must never: send a call whose intent is not on disk; send
//! one twice without a recorded decision; go on after a failed write of the journal.
//! Where to look next: [`start`] (a run is declared, or taken up again), [`driver`] (one run), [`shared`] (what they
//! share), [`store`] (the journal as a trait) and [`sqlite`] (the embedded one), `crate::runbook::decide` (what is done
//! next) and `fold` (what an event changes).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};

use self::{
    driver::{Order, Word},
    shared::{Shared, State},
};
use crate::{
    aws::{Reader, Writer},
    domain::{AppId, Clock, Estate, RunbookId, Snapshot, compliance::rto::AchievedRecord, text::SafeText},
    runbook::{
        build::Frozen,
        clocks,
        plan::{PlanHash, PlanRequest},
        run::{Answer, RunId, Runs},
        spec::RunbookSpec,
        summary::RunSummary,
    },
    steps::outside::{Hands, Outside},
};

pub mod anchor;
pub mod chain;
mod driver;
pub mod history;
mod orphan;
mod planning;
mod record;
mod shared;
pub mod sqlite;
mod start;
pub mod store;
pub mod switch;
pub mod wave;

pub use chain::{Chain, Examination, examine};
pub use sqlite::SqliteStore;
pub use start::recover;
pub use store::{Store, StoreError};

/// What a run is held against. The collector is one.
#[async_trait]
pub trait Facts: Send + Sync {
    /// Everything about the app, read again now (within the Regions' time-outs).
    async fn fresh(&self, app: &AppId) -> Arc<Snapshot>;

    /// What was read last, of every app, of any age.
    async fn latest(&self) -> Arc<Snapshot>;
}

/// What the engine is made of.
pub struct EngineParts {
    pub store: Arc<dyn Store>,
    pub reader: Reader,
    /// None: this console can plan and look, not act.
    pub writer: Option<Writer>,
    /// What steps look at besides AWS.
    pub outside: Arc<dyn Outside>,
    /// What they run. None: this console runs no program.
    pub hands: Option<Arc<dyn Hands>>,
    pub facts: Arc<dyn Facts>,
    pub clock: Arc<dyn Clock>,
    pub estate: Arc<Estate>,
    pub runbooks: Vec<Arc<RunbookSpec>>,
    pub permissions: Permissions,
}

/// What the command line allows: `--single-operator`, `--drill`, `--allow-endpoint-override`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    pub single_operator: bool,
    pub drill: bool,
    pub endpoint_override: bool,
}

/// Why not, in words for the person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub SafeText);

fn refusal(text: impl AsRef<str>) -> Refusal {
    Refusal(SafeText::new(text))
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        refusal(error.to_string())
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("there is no runbook {id}{}", near.as_ref().map_or_else(String::new, |near| format!("; did you mean {near}?")))]
    NoRunbook { id: SafeText, near: Option<String> },
    #[error("there is no app {id}{}", near.as_ref().map_or_else(String::new, |near| format!("; did you mean {near}?")))]
    NoApp { id: SafeText, near: Option<String> },
    #[error("{runbook} is not for {app}")]
    NotForApp { runbook: RunbookId, app: AppId },
    #[error("{runbook}: {}", why.iter().map(SafeText::as_str).collect::<Vec<_>>().join("; "))]
    Unbindable { runbook: RunbookId, why: Vec<SafeText> },
}

/// Dropping it ends all drivers at once, as the death of the program does: what was sent is observed at the resume.
pub struct Engine {
    shared: Arc<Shared>,
    plans: Mutex<BTreeMap<PlanHash, Planned>>,
}

/// A plan with all that its run needs, and what it was made for.
#[derive(Clone)]
struct Planned {
    frozen: Arc<Frozen>,
    request: PlanRequest,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for (_, handle) in std::mem::take(&mut self.shared.lock().drivers) {
            handle.task.abort();
        }
    }
}

impl Engine {
    /// Finds every run on record; those that have not ended are listed as undriven.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn open(parts: EngineParts) -> Result<Self, StoreError> {
        let EngineParts { store, reader, writer, outside, hands, facts, clock, estate, runbooks, permissions } = parts;
        let (runs, _) = watch::channel(Arc::new(Runs::default()));
        let shared = Arc::new(Shared {
            store,
            reader,
            writer,
            outside,
            hands,
            facts,
            clock,
            estate,
            runbooks,
            permissions,
            state: Mutex::default(),
            runs,
        });
        shared.refresh()?;
        Ok(Self { shared, plans: Mutex::default() })
    }

    /// All runs, newest first, whenever something changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Runs>> {
        self.shared.runs.subscribe()
    }

    /// What the runs on record prove of each app's RTO.
    #[must_use]
    pub fn achieved(&self) -> BTreeMap<AppId, Vec<AchievedRecord>> {
        let mut achieved: BTreeMap<AppId, Vec<AchievedRecord>> = BTreeMap::new();
        let state = self.shared.lock();
        let unlisted = state.courses.values().filter(|course| !state.summaries.contains_key(&course.shown.id));
        let unlisted = unlisted.filter_map(RunSummary::of).map(Arc::new);
        for run in state.summaries.values().cloned().chain(unlisted) {
            if let Some(record) = clocks::record(&run) {
                achieved.entry(run.app.clone()).or_default().push(record);
            }
        }
        drop(state);
        achieved
    }

    /// A person's answer or order to a run that is driven here.
    ///
    /// # Errors
    /// When it cannot be given now, in words.
    pub async fn answer(&self, run: RunId, answer: Answer) -> Result<(), Refusal> {
        let orders = self.shared.lock().drivers.get(&run).map(|handle| handle.orders.clone());
        let orders = orders.ok_or_else(|| refusal(format!("run {run} is not driven here: resume it first")))?;
        let (reply, answered) = oneshot::channel();
        orders
            .send(Order { word: Word::Answer(answer), reply })
            .await
            .map_err(|_| refusal(format!("run {run} is no longer driven")))?;
        answered.await.map_err(|_| refusal(format!("run {run} is no longer driven")))?
    }

    /// Holds the whole journal against its hashes and its head anchor.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn verify(&self) -> Result<Chain, StoreError> {
        let store = &self.shared.store;
        let anchored = store.anchored()?; // before the records: what is appended meanwhile is ahead of it
        Ok(examine(&store.load()?, anchored).chain())
    }
}
