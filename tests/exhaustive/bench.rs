//! The engine and the SDK on a small simulated estate: facts are read by the probes of the app under test alone, when
//! somebody asks for them, and all cases of one thread share one set of clients. Several hundred runs a second would be
//! too much to ask; some tens are had.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use pointsman::{
    aws::{self, Connection, ConnectionSettings, Reader, Transport, Wire, WireFailure, connection::TimeBudget},
    domain::{AppId, Clock, Estate, RegionId, RunbookId, Timestamp},
    engine::{Engine, EngineParts, Permissions, SqliteStore, StoreError},
    estate,
    outside::{Simulated, simulated::Control},
    probes,
    runbook::{
        plan::{Plan, PlanRequest},
        spec::RunbookSpec,
    },
    sim::{
        Options, Reply, Sim,
        fault::{Fault, FaultKind, LateAnswer, ProgramEnd},
        gate, route,
        wire::{Protocol, Refusal},
    },
    steps,
};

use super::{
    cases::{BEFORE, ESTATE, runbooks},
    rig::{Around, Death, Direct, HYDERABAD, Hand, Journal, MUMBAI, Watching},
};

/// What becomes of the call under test, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Ok,
    Refused,
    Throttled,
    TimeoutApplied,
    TimeoutNotApplied,
    LandsLate,
    ExpiredCredentials,
    StaleRead,
}

impl Outcome {
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Refused,
        Self::Throttled,
        Self::TimeoutApplied,
        Self::TimeoutNotApplied,
        Self::LandsLate,
        Self::ExpiredCredentials,
        Self::StaleRead,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::TimeoutApplied => "time-out, applied",
            Self::TimeoutNotApplied => "time-out, not applied",
            Self::LandsLate => "lands late",
            Self::ExpiredCredentials => "credentials expired",
            Self::StaleRead => "stale read",
        }
    }
}

/// Later than the reads that must agree before "nothing happened" is believed.
const LATE_SECONDS: u64 = 120;
const STALE_SECONDS: u64 = 60;
/// Trouble with reading lasts so long, estate time.
pub const READS_TROUBLED: Duration = Duration::from_secs(45);
/// Nothing here takes longer on the wall; a case that does is stuck.
pub const STUCK: Duration = Duration::from_secs(60);

/// One simulated estate, and what happens to the call under test.
pub struct Stage {
    pub sim: Sim,
    pub hand: Arc<Hand>,
    trouble: Mutex<Option<Trouble>>,
    /// Grows with each call with side effects and each trouble.
    version: AtomicU64,
    seen: Mutex<Seen>,
}

/// What a run came by.
#[derive(Default)]
struct Seen {
    appends: usize,
    calls: usize,
    /// The journal, when what would be left at each place is to be kept.
    journal: Option<PathBuf>,
    kept: Vec<Remains>,
}

/// What is left when the program dies at a place: the world, and the journal's files as they lie on the disk. Its locks
/// go with it, and what it knew.
pub struct Remains {
    pub place: Death,
    pub stage: Arc<Stage>,
    files: Vec<(OsString, Vec<u8>)>,
}

impl Remains {
    /// The journal, in a folder of its own.
    pub fn lay_down(&self, folder: &Path) -> PathBuf {
        for (name, bytes) in &self.files {
            let mut options = std::fs::OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(folder.join(name));
            file.and_then(|mut file| file.write_all(bytes)).expect("written");
        }
        folder.join(JOURNAL)
    }
}

pub const JOURNAL: &str = "journal.db";

#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// Of the next call of this operation.
    Call(&'static str, Outcome),
    /// Of everything that is read, until this moment.
    Reads(Outcome, Timestamp),
}

impl Stage {
    fn new(sim: Sim, hand: Arc<Hand>) -> Self {
        Self { sim, hand, trouble: Mutex::default(), version: AtomicU64::new(0), seen: Mutex::default() }
    }

    /// Another one that stands where this one stands.
    pub fn fork(&self) -> Arc<Self> {
        let hand = Arc::new(self.hand.fork());
        let sim = self.sim.fork(Arc::new(Watching(Arc::clone(&hand))));
        let fork = Self::new(sim, hand);
        *lock(&fork.trouble) = *lock(&self.trouble);
        Arc::new(fork)
    }

    /// From now on what would be left is kept before and after each append to this journal and each call.
    pub fn keep_what_is_left(&self, journal: &Path) {
        lock(&self.seen).journal = Some(journal.to_owned());
    }

    fn pass(&self, place: Death) {
        let mut seen = lock(&self.seen);
        let Some(journal) = &seen.journal else { return };
        let beside = |end: &str| {
            let mut name = OsString::from(JOURNAL);
            name.push(end);
            let bytes = std::fs::read(journal.with_file_name(&name)).ok()?;
            Some((name, bytes))
        };
        // Without the shared memory of the write-ahead log, which is made anew from the log.
        let files = ["", "-wal", ".head"].into_iter().filter_map(beside).collect();
        seen.kept.push(Remains { place, stage: self.fork(), files });
    }

    /// What was kept; and how many appends and calls there were.
    pub fn remains(&self) -> (Vec<Remains>, usize, usize) {
        let mut seen = lock(&self.seen);
        (std::mem::take(&mut seen.kept), seen.appends, seen.calls)
    }

    pub fn calls(&self) -> usize {
        lock(&self.seen).calls
    }

    pub fn trouble(&self, trouble: Trouble) {
        *lock(&self.trouble) = Some(trouble);
        self.version.fetch_add(1, Ordering::SeqCst);
        if let Trouble::Reads(Outcome::StaleRead, until) = trouble {
            for service in ["rds", "route53", "monitoring", "backup"] {
                let kind =
                    FaultKind::StaleReads { service: service.into(), region: None, operation: None, seconds: 30 };
                self.inject(kind, Some(until));
            }
        }
    }

    /// The trouble of this call, which it has once.
    fn spend(&self, operation: &str) -> Option<Outcome> {
        let mut trouble = lock(&self.trouble);
        match *trouble {
            Some(Trouble::Call(of, outcome)) if of == operation => {
                *trouble = None;
                Some(outcome)
            }
            _ => None,
        }
    }

    fn reads_troubled(&self) -> Option<Outcome> {
        match *lock(&self.trouble) {
            Some(Trouble::Reads(outcome, until)) if self.sim.now() < until => Some(outcome),
            _ => None,
        }
    }

    fn inject(&self, kind: FaultKind, until: Option<Timestamp>) -> u64 {
        self.sim.inject(Fault { id: 0, kind, from: None, until }).expect("a fault the simulator knows")
    }

    /// The request while the faults stand; they end with it.
    fn under(&self, kinds: Vec<FaultKind>, request: http::Request<Bytes>) -> Reply {
        let faults: Vec<u64> = kinds.into_iter().map(|kind| self.inject(kind, None)).collect();
        let reply = self.sim.handle(request);
        for fault in faults {
            self.sim.clear(fault).expect("it was there");
        }
        reply
    }

    fn meet(&self, outcome: Outcome, request: http::Request<Bytes>) -> Result<Reply, WireFailure> {
        let target = route::target(&request);
        let regions = || Self::sim_regions().into_iter();
        Ok(match outcome {
            Outcome::Ok => self.sim.handle(request),
            Outcome::Refused => {
                let refusal =
                    Refusal::new(http::StatusCode::FORBIDDEN, denied(target.protocol), "not authorized to perform");
                Reply::Answer { after: Duration::ZERO, response: refusal.answer(target.protocol, "req-refused") }
            }
            Outcome::Throttled => {
                let kind = |region| FaultKind::Throttling { region, service: None, share: 1.0 };
                self.under(regions().map(kind).collect(), request)
            }
            Outcome::ExpiredCredentials => {
                let kind = |region| FaultKind::CredentialsExpired { region };
                self.under(regions().map(kind).collect(), request)
            }
            Outcome::TimeoutApplied => {
                self.sim.handle(request);
                return Err(WireFailure::TimedOut);
            }
            Outcome::TimeoutNotApplied => return Err(WireFailure::TimedOut),
            Outcome::LandsLate => {
                let kind = FaultKind::LateEffect {
                    service: Some(target.service_word.clone()),
                    operation: Some(target.operation.clone()),
                    count: 1,
                    after_seconds: LATE_SECONDS,
                    answer: LateAnswer::Lost,
                };
                self.inject(kind, None);
                self.sim.handle(request)
            }
            Outcome::StaleRead => {
                let kind = FaultKind::StaleReads {
                    service: target.service_word.clone(),
                    region: None,
                    operation: None,
                    seconds: STALE_SECONDS,
                };
                self.inject(kind, Some(self.sim.now() + Duration::from_mins(30)));
                self.sim.handle(request)
            }
        })
    }

    fn sim_regions() -> Vec<RegionId> {
        [MUMBAI, HYDERABAD, "us-east-1"].map(RegionId::new).into()
    }

    fn call(&self, request: http::Request<Bytes>) -> Result<Reply, WireFailure> {
        let target = route::target(&request);
        if gate::reads(&target.operation) {
            return match self.reads_troubled().filter(|_| target.service_word != "sts") {
                None | Some(Outcome::StaleRead) => Ok(self.sim.handle(request)),
                Some(outcome) => self.meet(outcome, request),
            };
        }
        self.act(|| match self.spend(&target.operation) {
            None => Ok(self.sim.handle(request)),
            Some(outcome) => self.meet(outcome, request),
        })
    }

    /// A call with side effects may be the last thing that the program does.
    fn act(&self, call: impl FnOnce() -> Result<Reply, WireFailure>) -> Result<Reply, WireFailure> {
        let n = {
            let mut seen = lock(&self.seen);
            seen.calls += 1;
            seen.calls
        };
        self.pass(Death::BeforeCall(n));
        let reply = call();
        self.version.fetch_add(1, Ordering::SeqCst);
        self.pass(Death::AfterCall(n));
        reply
    }

    fn program(&self, path: &str, body: String) -> Result<Reply, WireFailure> {
        let post = |body: String| {
            let request = http::Request::post(path).body(Bytes::from(body)).expect("a request");
            Ok(self.sim.handle(request))
        };
        if !body.starts_with("{\"run\"") {
            return match self.reads_troubled() {
                None | Some(Outcome::StaleRead) => post(body),
                Some(_) => Err(WireFailure::Refused),
            };
        }
        self.act(|| {
            let how = match self.spend("Run") {
                None | Some(Outcome::Ok) => return post(body),
                Some(Outcome::Refused) => ProgramEnd::Fails,
                Some(Outcome::TimeoutApplied) => ProgramEnd::CutAfter,
                Some(Outcome::TimeoutNotApplied) => ProgramEnd::CutBefore,
                Some(other) => panic!("{other:?} is nothing that a program can meet"),
            };
            let fault = self.inject(FaultKind::ProgramEnds { program: "/opt/bank/velero".into(), how }, None);
            let reply = post(body);
            self.sim.clear(fault).expect("it was there");
            reply
        })
    }

    /// Effects by operation and by what was asked for, without what differs from run to run by time alone.
    pub fn effects(&self) -> BTreeMap<String, usize> {
        let mut effects = BTreeMap::new();
        for call in self.sim.calls().into_iter().filter(|call| call.effect) {
            *effects.entry(call.operation).or_default() += 1;
        }
        effects
    }

    /// Who writes, what there is and where DNS points, as the simulator itself says it.
    pub fn world(&self) -> String {
        let state = self.sim.standing();
        let parts = ["global_clusters", "db_instances", "records", "health_checks"].map(|part| {
            assert!(!state[part].is_null(), "{part}: {state:#}");
            strip_times(&state[part].to_string())
        });
        parts.join(" | ").replace("\"backing-up\"", "\"available\"")
    }
}

/// Moments differ between two runs; what is so does not.
fn strip_times(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("2026-") {
        out.push_str(&rest[..at]);
        out.push_str("<time>");
        let tail = &rest[at..];
        let end = tail.find(['"', ',', '}']).unwrap_or(tail.len());
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

fn denied(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Query | Protocol::RestXml => "AccessDenied",
        Protocol::RestJson | Protocol::Json | Protocol::Cbor => "AccessDeniedException",
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("not poisoned")
}

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
