//! Where the program can be made to die: around each append to the journal and each call with side effects.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use pointsman::{
    aws::{Wire, WireFailure},
    engine::{SqliteStore, Store, StoreError, anchor, store},
    runbook::run::{Elsewhere, RunId},
    sim::{Reply, Sim},
};
use tokio::sync::Notify;

/// Where the program dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    Never,
    BeforeAppend(usize),
    AfterAppend(usize),
    BeforeCall(usize),
    AfterCall(usize),
}

/// Counts, and dies at its place.
pub struct Reaper {
    pub death: Death,
    appends: AtomicUsize,
    pub calls: AtomicUsize,
    pub dead: Notify,
}

impl Reaper {
    pub fn new(death: Death) -> Arc<Self> {
        Arc::new(Self { death, appends: AtomicUsize::new(0), calls: AtomicUsize::new(0), dead: Notify::new() })
    }

    pub fn counted(&self) -> (usize, usize) {
        (self.appends.load(Ordering::SeqCst), self.calls.load(Ordering::SeqCst))
    }
}

/// What stands around each append to a journal.
pub trait Around: Send + Sync {
    fn around<T>(&self, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError>;
}

/// A writer that dies before or after an append. To the engine that is a failed write: it stops.
impl Around for Arc<Reaper> {
    fn around<T>(&self, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let n = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        let died = || {
            self.dead.notify_one();
            Err(StoreError::Failed("killed by the test".to_owned()))
        };
        if self.death == Death::BeforeAppend(n) {
            return died();
        }
        let written = write()?;
        if self.death == Death::AfterAppend(n) {
            return died();
        }
        Ok(written)
    }
}

/// A journal with something around each append.
pub struct Journal<A> {
    pub inner: SqliteStore,
    pub around: A,
}

impl<A: Around> Store for Journal<A> {
    fn create(&self, batch: &[store::NewRun]) -> Result<Vec<(store::Lease, store::Record)>, StoreError> {
        self.around.around(|| self.inner.create(batch))
    }
    fn take(&self, run: RunId) -> Result<store::Lease, StoreError> {
        self.inner.take(run)
    }
    fn append(&self, lease: &store::Lease, written: &store::Written) -> Result<store::Record, StoreError> {
        self.around.around(|| self.inner.append(lease, written))
    }
    fn load(&self) -> Result<Vec<store::Stored>, StoreError> {
        self.inner.load()
    }
    fn changes(&self) -> Result<u64, StoreError> {
        self.inner.changes()
    }
    fn elsewhere(&self, run: RunId) -> Option<Elsewhere> {
        self.inner.elsewhere(run)
    }
    fn load_run(&self, run: RunId) -> Result<store::Stored, StoreError> {
        self.inner.load_run(run)
    }
    fn anchored(&self) -> Result<anchor::Anchored, StoreError> {
        self.inner.anchored()
    }
    fn history(&self, known: &dyn Fn(RunId) -> bool) -> Result<store::History, StoreError> {
        self.inner.history(known)
    }
    fn keep_summaries(&self, summaries: &[(RunId, String)]) -> Result<(), StoreError> {
        self.inner.keep_summaries(summaries)
    }
}

/// The simulator as a wire; a mutating request may be the last thing that the program does.
pub(super) struct DyingWire {
    pub(super) sim: Arc<Sim>,
    pub(super) reaper: Arc<Reaper>,
}

impl std::fmt::Debug for DyingWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DyingWire")
    }
}

fn mutates(request: &http::Request<Bytes>) -> bool {
    let body = String::from_utf8_lossy(request.body());
    ["Action=FailoverGlobalCluster", "Action=SwitchoverGlobalCluster", "Action=CopyDBClusterSnapshot"]
        .iter()
        .any(|action| body.contains(action))
        || (request.method() == http::Method::POST && request.uri().path().contains("/rrset"))
}

impl Wire for DyingWire {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>> {
        let mut die = false;
        if mutates(&request) {
            let n = self.reaper.calls.fetch_add(1, Ordering::SeqCst) + 1;
            if self.reaper.death == Death::BeforeCall(n) {
                self.reaper.dead.notify_one();
                return Box::pin(std::future::pending());
            }
            die = self.reaper.death == Death::AfterCall(n);
        }
        let reply = self.sim.handle(request);
        if die {
            self.reaper.dead.notify_one();
            return Box::pin(std::future::pending());
        }
        Box::pin(async move {
            match reply {
                Reply::Answer { response, .. } => Ok(response),
                Reply::Refused => Err(WireFailure::Refused),
                Reply::BlackHole => std::future::pending().await,
                Reply::Lost { .. } => Err(WireFailure::Broken),
            }
        })
    }
}

/// What answers without naming itself a simulator: to the program that is AWS.
#[derive(Debug)]
pub(super) struct Unnamed(pub(super) DyingWire);

impl Wire for Unnamed {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>> {
        let answer = self.0.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            answer.headers_mut().remove(pointsman::sim::SIM_HEADER);
            Ok(answer)
        })
    }
}
