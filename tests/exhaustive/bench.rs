//! The engine and the SDK on a small simulated estate: facts are read by the probes of the app under test alone, when
//! somebody asks for them, and all cases of one thread share one set of clients. Several hundred runs a second would be
//! too much to ask; some tens are had.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, LazyLock, Mutex, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use pointsman::{
    aws::{self, Connection, ConnectionSettings, Reader, Transport, Wire, WireFailure, connection::TimeBudget},
    domain::{AppId, Clock, Estate, RunbookId, Timestamp},
    engine::{Engine, EngineParts, Permissions, SqliteStore, StoreError},
    estate,
    outside::{Simulated, simulated::Control},
    probes,
    runbook::{
        plan::{Plan, PlanRequest},
        spec::RunbookSpec,
    },
    sim::{Options, Reply, Sim},
    steps,
};

use super::{
    cases::{BEFORE, ESTATE, runbooks},
    rig::{Around, Death, Direct, Hand, Journal, Watching},
    stage::{Stage, lock},
};

/// Nothing here takes longer on the wall; a case that does is stuck.
pub const STUCK: Duration = Duration::from_secs(60);

/// The stage that is on; clients, clock and programs go to it.
#[derive(Clone, Default)]
struct Current(Arc<Mutex<Option<Arc<Stage>>>>);

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Current")
    }
}

impl Current {
    fn stage(&self) -> Arc<Stage> {
        lock(&self.0).clone().expect("a stage is on")
    }
}

impl Clock for Current {
    fn now(&self) -> Timestamp {
        Watching(Arc::clone(&self.stage().hand)).now()
    }
    fn wall(&self) -> Timestamp {
        Watching(Arc::clone(&self.stage().hand)).wall()
    }
    fn monotonic(&self) -> Duration {
        Watching(Arc::clone(&self.stage().hand)).monotonic()
    }
    fn speed(&self) -> f64 {
        1.0
    }
}

async fn arrived(reply: Result<Reply, WireFailure>) -> Result<http::Response<Bytes>, WireFailure> {
    match reply? {
        Reply::Answer { response, .. } => Ok(response),
        Reply::Refused => Err(WireFailure::Refused),
        Reply::BlackHole => std::future::pending().await,
        Reply::Lost { .. } => Err(WireFailure::Broken),
    }
}

impl Wire for Current {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>> {
        Box::pin(arrived(self.stage().call(request)))
    }
}

#[async_trait]
impl Control for Current {
    async fn post(&self, path: &str, body: String) -> Result<(u16, String), String> {
        let response = arrived(self.stage().program(path, body)).await.map_err(|failure| failure.to_string())?;
        Ok((response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned()))
    }
}

/// An append may be the last thing that the program does.
impl Around for Arc<Stage> {
    fn around<T>(&self, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let n = {
            let mut seen = lock(&self.seen);
            seen.appends += 1;
            seen.appends
        };
        self.pass(Death::BeforeAppend(n));
        let written = write()?;
        self.pass(Death::AfterAppend(n));
        Ok(written)
    }
}

pub type Files = (Arc<Estate>, Vec<Arc<RunbookSpec>>);

/// The estate of the table: one app for each kind of component.
pub static TABLE: LazyLock<Files> = LazyLock::new(|| {
    let texts: Vec<String> = runbooks().into_iter().chain(BEFORE.map(str::to_owned)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let loaded = estate::load_text(ESTATE, &texts, probes::CATALOGUE, steps::CATALOGUE);
    let found: Vec<String> = loaded.errors().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{found:#?}");
    (loaded.estate.expect("an estate without errors"), loaded.runbooks)
});

/// Clients that outlive the cases of a thread.
pub struct Bench {
    pub files: &'static Files,
    current: Current,
    reader: Reader,
    connection: Connection,
}

impl Bench {
    pub async fn new(files: &'static Files) -> Self {
        let current = Current::default();
        let transport = Transport::Wire(Arc::new(current.clone()));
        let clock: Arc<dyn Clock> = Arc::new(current.clone());
        let mut settings = ConnectionSettings::for_estate(&files.0, transport, BTreeMap::new(), clock);
        settings.budget = TimeBudget { connect: STUCK, attempt: STUCK, operation: STUCK };
        let connection = Connection::open(settings).await;
        let reader = connection.reader();
        Self { files, current, reader, connection }
    }

    /// A new estate, standing at its first moment, and on.
    pub fn stage(&self) -> Arc<Stage> {
        let base = Timestamp::parse("2026-11-20T09:00:00Z").expect("a time");
        let hand = Arc::new(Hand::at(base));
        let sim = Sim::new(Options {
            estate: Arc::clone(&self.files.0),
            seed: 7,
            speed: 1.0,
            start: base,
            clock: Arc::new(Watching(Arc::clone(&hand))),
        });
        let stage = Arc::new(Stage::new(sim, hand));
        self.put_on(&stage);
        stage
    }

    pub fn put_on(&self, stage: &Arc<Stage>) {
        *lock(&self.current.0) = Some(Arc::clone(stage));
    }

    pub fn facts(&self) -> Direct {
        let current = self.current.clone();
        let version = move || current.stage().version.load(Ordering::SeqCst);
        Direct::new(Arc::clone(&self.files.0), self.reader.clone(), Arc::new(self.current.clone()), version)
    }

    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    pub fn writer(&self) -> aws::Writer {
        aws::write::writer(&self.connection)
    }

    pub fn outside(&self) -> Simulated {
        Simulated(Arc::new(self.current.clone()))
    }

    /// A console on this journal and the stage that is on; dropping it is the death of the program.
    pub fn console<A: Around + 'static>(&self, journal: &Path, around: A) -> Console {
        let inner = SqliteStore::open(journal).expect("the journal opens");
        let engine = Engine::open(EngineParts {
            store: Arc::new(Journal { inner, around }),
            reader: self.reader.clone(),
            writer: Some(self.writer()),
            outside: Arc::new(self.outside()),
            hands: Some(Arc::new(self.outside())),
            facts: Arc::new(self.facts()),
            clock: Arc::new(Pacing { stage: self.current.stage(), quiet: Mutex::default() }),
            estate: Arc::clone(&self.files.0),
            runbooks: self.files.1.clone(),
            permissions: Permissions::default(),
        });
        Console(engine.expect("the engine opens"))
    }
}

/// The clock as the engine sees it: waiting moves it, ten times as far as it asks. Where nothing was written or called
/// for some minutes of that, something is being built for an hour, and each look comes twice as late as the one before.
struct Pacing {
    stage: Arc<Stage>,
    quiet: Mutex<Quiet>,
}

#[derive(Default)]
struct Quiet {
    /// Appends and calls so far.
    since: usize,
    looks: u32,
}

/// Half a minute each: longer than anything that is late, stale or in trouble here.
const LOOKS_UNTIL_QUIET: u32 = 6;
const DOUBLINGS_MAX: u32 = 6;

impl Clock for Pacing {
    fn now(&self) -> Timestamp {
        Watching(Arc::clone(&self.stage.hand)).now()
    }
    fn wall(&self) -> Timestamp {
        Watching(Arc::clone(&self.stage.hand)).wall()
    }
    fn monotonic(&self) -> Duration {
        Watching(Arc::clone(&self.stage.hand)).monotonic()
    }
    fn speed(&self) -> f64 {
        1.0
    }
    fn idle(&self, wall: Duration) -> Duration {
        let done = {
            let seen = lock(&self.stage.seen);
            seen.appends + seen.calls
        };
        let mut quiet = lock(&self.quiet);
        let looks = if quiet.since == done { quiet.looks + 1 } else { 0 };
        *quiet = Quiet { since: done, looks };
        let doublings = looks.saturating_sub(LOOKS_UNTIL_QUIET).min(DOUBLINGS_MAX);
        self.stage.hand.advance(wall * 10 * 2_u32.pow(doublings));
        Duration::ZERO
    }
}

pub struct Console(pub Engine);

impl Console {
    pub async fn plan(&self, runbook: &str, app: &str) -> Arc<Plan> {
        let request = PlanRequest::new(RunbookId::new(runbook), AppId::new(app));
        let plan = self.0.plan(&request).await.expect("a plan");
        assert!(plan.interlocks.is_empty(), "{:?}", plan.interlocks);
        plan
    }
}
