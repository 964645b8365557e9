//! The real engine, collector and SDK on the simulator, with a clock that moves when the engine waits, and with
//! places at which the program can be made to die.

#![allow(dead_code, reason = "each test crate that includes it uses its own part")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use pointsman::{
    aws::{self, Connection, ConnectionSettings, Transport, Wire, WireFailure, connection::TimeBudget},
    clock::SystemClock,
    collect::{Collector, CollectorHandle, Settings},
    domain::{AppId, Clock, Estate, RegionId, RunbookId, SafeText, Snapshot, Timestamp},
    engine::{Engine, EngineParts, Facts, Permissions, SqliteStore, Store, StoreError, anchor, store},
    estate, probes,
    runbook::{
        plan::{Plan, PlanRequest},
        run::{Answer, Ask, Declaration, Phase, RunId, RunState},
        spec::RunbookSpec,
    },
    sim::{
        Options, Reply, Sim,
        fault::{Down, Fault, FaultKind},
    },
    steps::{self, outside::Nowhere},
};
use tokio::sync::Notify;

mod direct;
#[allow(unused_imports, reason = "each test crate that includes it uses its own part")]
pub use direct::Direct;

pub const MUMBAI: &str = "ap-south-1";
pub const HYDERABAD: &str = "ap-south-2";

/// Nothing here takes longer on the wall; a test that does is stuck.
const STUCK: Duration = Duration::from_secs(120);

/// Estate time moves only when somebody asks how long to wait for it: ten times as far as they ask, so that a
/// run of minutes takes few looks.
pub struct Hand {
    base: Timestamp,
    wall: Timestamp,
    offset_millis: AtomicU64,
}

impl Hand {
    pub fn at(base: Timestamp) -> Self {
        Self { base, wall: SystemClock::default().wall(), offset_millis: AtomicU64::new(0) }
    }

    pub fn advance(&self, by: Duration) {
        self.offset_millis.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }

    /// Another clock that shows what this one shows.
    pub fn fork(&self) -> Self {
        let offset_millis = AtomicU64::new(self.offset_millis.load(Ordering::SeqCst));
        Self { base: self.base, wall: self.wall, offset_millis }
    }

    fn offset(&self) -> Duration {
        Duration::from_millis(self.offset_millis.load(Ordering::SeqCst))
    }
}

/// The clock as the engine sees it: waiting moves it.
pub struct Moving(pub Arc<Hand>);
/// The clock as everything else sees it.
pub struct Watching(pub Arc<Hand>);

impl Clock for Moving {
    fn now(&self) -> Timestamp {
        self.0.base + self.0.offset()
    }
    fn wall(&self) -> Timestamp {
        self.0.wall + self.0.offset()
    }
    fn monotonic(&self) -> Duration {
        self.0.offset()
    }
    fn speed(&self) -> f64 {
        1.0
    }
    fn idle(&self, wall: Duration) -> Duration {
        self.0.advance(wall * 10);
        Duration::ZERO
    }
}

impl Clock for Watching {
    fn now(&self) -> Timestamp {
        self.0.base + self.0.offset()
    }
    fn wall(&self) -> Timestamp {
        self.0.wall + self.0.offset()
    }
    fn monotonic(&self) -> Duration {
        self.0.offset()
    }
    fn speed(&self) -> f64 {
        1.0
    }
}

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
struct DyingWire {
    sim: Arc<Sim>,
    reaper: Arc<Reaper>,
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
struct Unnamed(DyingWire);

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

struct Collected(CollectorHandle);

/// In memory where there is room for it: a disk that syncs would be most of a test's time, and what it must keep is
/// tested elsewhere.
pub fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}

#[async_trait]
impl Facts for Collected {
    async fn fresh(&self, app: &AppId) -> Arc<Snapshot> {
        self.0.fresh(app).await
    }

    async fn latest(&self) -> Arc<Snapshot> {
        self.0.snapshots().borrow().clone()
    }
}

pub static BANK: LazyLock<(Arc<Estate>, Vec<Arc<RunbookSpec>>)> = LazyLock::new(|| {
    let loaded = estate::load(&estate::Source::Bundled, probes::CATALOGUE, steps::CATALOGUE);
    let found: Vec<String> = loaded.errors().map(ToString::to_string).collect();
    (loaded.estate.unwrap_or_else(|| panic!("{found:?}")), loaded.runbooks)
});

/// One simulated bank with a journal on disk; consoles come and go.
pub struct Rig {
    pub sim: Arc<Sim>,
    pub hand: Arc<Hand>,
    folder: tempfile::TempDir,
}

/// One console: engine and collector. Dropping it is the death of the program.
pub struct Console {
    pub engine: Engine,
    pub reaper: Arc<Reaper>,
    _collector: Option<CollectorHandle>,
}

impl Rig {
    pub fn new() -> Self {
        let wall = SystemClock::default().wall();
        let base = Timestamp::parse("2026-11-20T09:00:00Z").expect("a time");
        let hand = Arc::new(Hand { base, wall, offset_millis: AtomicU64::new(0) });
        let sim = Sim::new(Options {
            estate: Arc::clone(&BANK.0),
            seed: 7,
            speed: 1.0,
            start: base,
            clock: Arc::new(Watching(Arc::clone(&hand))),
        });
        let folder = folder();
        Self { sim: Arc::new(sim), hand, folder }
    }

    pub fn journal(&self) -> std::path::PathBuf {
        self.folder.path().join("state/journal.db")
    }

    pub fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.journal()).expect("the journal opens")
    }

    pub fn mumbai_down(&self, how: Down) -> u64 {
        self.inject(FaultKind::RegionDown { region: RegionId::new(MUMBAI), how })
    }

    pub fn inject(&self, kind: FaultKind) -> u64 {
        self.sim.inject(Fault { id: 0, kind, from: None, until: None }).expect("a fault the simulator knows")
    }

    fn wire(&self, reaper: &Arc<Reaper>) -> DyingWire {
        DyingWire { sim: Arc::clone(&self.sim), reaper: Arc::clone(reaper) }
    }

    async fn connection(&self, wire: Arc<dyn Wire>) -> Connection {
        let mut settings = ConnectionSettings::for_estate(
            &BANK.0,
            Transport::Wire(wire),
            BTreeMap::new(),
            Arc::new(Watching(Arc::clone(&self.hand))),
        );
        let short = Duration::from_millis(300);
        settings.budget = TimeBudget { connect: short, attempt: short, operation: short * 2 };
        Connection::open(settings).await
    }

    pub async fn console(&self, death: Death) -> Console {
        let reaper = Reaper::new(death);
        let connection = self.connection(Arc::new(self.wire(&reaper))).await;
        self.watching(reaper, &connection, Permissions::default()).await
    }

    /// A console to which the bank is the real one.
    pub async fn live_console(&self, permissions: Permissions) -> Console {
        let reaper = Reaper::new(Death::Never);
        let connection = self.connection(Arc::new(Unnamed(self.wire(&reaper)))).await;
        self.watching(reaper, &connection, permissions).await
    }

    async fn watching(&self, reaper: Arc<Reaper>, connection: &Connection, permissions: Permissions) -> Console {
        let store = Journal { inner: self.store(), around: Arc::clone(&reaper) };
        let settings = Settings { fresh_wait: Duration::from_secs(5), ..Settings::default() };
        let clock = Arc::new(Watching(Arc::clone(&self.hand)));
        let collector = Collector::start(Arc::clone(&BANK.0), connection.reader(), clock, settings);
        let mut snapshots = collector.snapshots();
        let first = snapshots.wait_for(|snapshot| {
            let known = |region: &str| snapshot.identities.get(region).is_some_and(|slot| slot.last.is_some());
            let asked = |region: &str| {
                snapshot.identities.get(region).is_some_and(|slot| slot.last.is_some() || slot.failure.is_some())
            };
            known(HYDERABAD) && asked(MUMBAI)
        });
        tokio::time::timeout(STUCK, first).await.expect("read within the bound").expect("the collector lives");
        let facts = Arc::new(Collected(collector.clone()));
        let engine = self.engine(store, connection, facts, permissions);
        Console { engine, reaper, _collector: Some(collector) }
    }

    fn engine(
        &self,
        store: Journal<Arc<Reaper>>,
        connection: &Connection,
        facts: Arc<dyn Facts>,
        permissions: Permissions,
    ) -> Engine {
        Engine::open(EngineParts {
            store: Arc::new(store),
            reader: connection.reader(),
            writer: Some(aws::write::writer(connection)),
            outside: Arc::new(Nowhere),
            hands: None,
            facts,
            clock: Arc::new(Moving(Arc::clone(&self.hand))),
            estate: Arc::clone(&BANK.0),
            runbooks: BANK.1.clone(),
            permissions,
        })
        .expect("the engine opens")
    }

    /// Calls that changed something, by operation.
    pub fn effects(&self) -> BTreeMap<String, usize> {
        let mut effects = BTreeMap::new();
        for call in self.sim.calls().into_iter().filter(|call| call.effect) {
            *effects.entry(call.operation).or_default() += 1;
        }
        effects
    }

    /// Mutating calls that arrived, with an effect or not.
    pub fn mutating_calls(&self) -> usize {
        let names =
            ["FailoverGlobalCluster", "SwitchoverGlobalCluster", "CopyDBClusterSnapshot", "ChangeResourceRecordSets"];
        self.sim.calls().iter().filter(|call| names.contains(&call.operation.as_str())).count()
    }
}

pub fn declaration(app: &str, region: &str) -> Declaration {
    Declaration {
        who: SafeText::new("asha"),
        incident: SafeText::new("INC-4471"),
        app: app.to_owned(),
        region: region.to_owned(),
        outage_at: None,
        wave: None,
    }
}

impl Console {
    pub async fn plan(&self, runbook: &str) -> Arc<Plan> {
        let request = PlanRequest::new(RunbookId::new(runbook), AppId::new("payments"));
        self.engine.plan(&request).await.expect("a plan")
    }

    pub fn state(&self, run: RunId) -> Arc<RunState> {
        let runs = self.engine.watch().borrow().clone();
        runs.list.iter().find(|state| state.id == run).cloned().expect("the run is listed")
    }

    /// Waits for a state of the run that the test names.
    pub async fn until(&self, run: RunId, what: &str, is: impl Fn(&RunState) -> bool) -> Arc<RunState> {
        let mut watch = self.engine.watch();
        let wait = watch.wait_for(|runs| runs.list.iter().any(|state| state.id == run && is(state)));
        let found = tokio::time::timeout(STUCK, wait).await;
        assert!(found.is_ok(), "never {what}: {:#?}", self.state(run).log);
        drop(found);
        self.state(run)
    }

    /// Answers whatever is asked until the run ends (`Some`) or the program dies (`None`).
    pub async fn carry(&self, run: RunId) -> Option<Arc<RunState>> {
        tokio::time::timeout(STUCK, self.carry_on(run)).await.unwrap_or_else(|_| {
            panic!("stuck: {:#?}\n{:#?}", self.state(run).phase, self.state(run).log);
        })
    }

    async fn carry_on(&self, run: RunId) -> Option<Arc<RunState>> {
        let mut watch = self.engine.watch();
        let mut retries = 0;
        loop {
            let runs = watch.borrow_and_update().clone();
            if runs.store_failure.is_some() {
                return None;
            }
            let state = runs.list.iter().find(|state| state.id == run).cloned()?;
            if state.phase.ended() {
                return Some(state);
            }
            if let Some(answer) = answer(&state, &mut retries) {
                // A refusal means that the run moved on or died; the next state says which.
                tokio::select! {
                    _ = self.engine.answer(run, answer) => {}
                    () = self.reaper.dead.notified() => return None,
                }
                continue;
            }
            tokio::select! {
                changed = watch.changed() => changed.expect("the engine lives"),
                () = self.reaper.dead.notified() => return None,
            }
        }
    }
}

fn answer(state: &RunState, retries: &mut u32) -> Option<Answer> {
    match &state.phase {
        Phase::Waiting(ask) => Some(match ask {
            Ask::Key { step } | Ask::Chord { step } | Ask::Confirm { step, .. } | Ask::Noticed { step, .. } => {
                Answer::Go { step: step.clone() }
            }
            Ask::Loss { step, phrase, .. } => Answer::AcceptLoss { step: step.clone(), typed: phrase.clone() },
            Ask::Override { step, guard, .. } => Answer::Override {
                step: step.clone(),
                guard: *guard,
                reason: "fibre cut confirmed by NOC".into(),
                authoriser: "head of operations".into(),
            },
            Ask::Rearm => Answer::Rearm(declaration(state.plan.app.as_str(), state.plan.target_region.as_str())),
            Ask::Verdict { step, question } => panic!("{step}: {question}: {:#?}", state.log),
        }),
        Phase::Parked { step: Some(step), why } => {
            *retries += 1;
            assert!(*retries <= 3, "parked again and again: {why}\n{:#?}", state.log);
            Some(Answer::Retry { step: step.clone() })
        }
        Phase::Parked { step: None, why } => panic!("parked for good: {why}\n{:#?}", state.log),
        _ => None,
    }
}
