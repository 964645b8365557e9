//! A console for the bundled estate on the simulator, whose time moves when the engine waits and when a test says so.

#![allow(dead_code, reason = "each test crate that includes it uses its own part")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use pointsman::{
    aws::{self, Connection, ConnectionSettings, Transport, Wire, WireFailure, connection::TimeBudget},
    collect::{Collector, CollectorHandle, Settings},
    domain::{AppId, Clock, Estate, RegionId, SafeText, Snapshot, Timestamp, snapshot::Reach},
    engine::{Engine, EngineParts, Facts, Permissions, SqliteStore},
    estate,
    outside::{Simulated, simulated::Control},
    probes,
    runbook::{
        plan::{Plan, PlanRequest},
        run::{Answer, Ask, Declaration, Phase, RunState, Runs},
        spec::RunbookSpec,
    },
    sim::{
        Options, Reply, Sim,
        fault::{Down, Fault, FaultKind},
    },
    steps,
};
use tokio::sync::watch;

use crate::rig::{Direct, HYDERABAD, Hand, MUMBAI, Watching, folder};

/// Nothing here takes longer on the wall; a test that does is stuck.
pub const STUCK: Duration = Duration::from_secs(120);

/// Estate time as the test moves it.
struct Time {
    hand: Arc<Hand>,
    waits: Waits,
}

#[derive(Clone)]
enum Waits {
    /// The engine's: waiting moves it on, so far that what takes hours takes few looks. It stands still while a person is
    /// asked: who answers here takes no estate time, however late the machine lets them speak.
    ByStrides(Arc<OnceLock<watch::Receiver<Arc<Runs>>>>),
    /// The collector's: it polls often on the wall, or a test would wait for its next cycle.
    OnTheWall,
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        Watching(Arc::clone(&self.hand)).now()
    }
    fn wall(&self) -> Timestamp {
        Watching(Arc::clone(&self.hand)).wall()
    }
    fn monotonic(&self) -> Duration {
        Watching(Arc::clone(&self.hand)).monotonic()
    }
    fn speed(&self) -> f64 {
        1.0
    }
    fn wall_duration(&self, estate: Duration) -> Duration {
        estate / 500
    }
    fn idle(&self, wall: Duration) -> Duration {
        match &self.waits {
            Waits::ByStrides(runs) if somebody_is_asked(runs) => wall.min(Duration::from_millis(1)),
            Waits::ByStrides(_) => {
                self.hand.advance(wall * 40);
                Duration::ZERO
            }
            Waits::OnTheWall => wall,
        }
    }
}

fn somebody_is_asked(runs: &OnceLock<watch::Receiver<Arc<Runs>>>) -> bool {
    let asked =
        |runs: &watch::Receiver<Arc<Runs>>| runs.borrow().list.iter().any(|run| matches!(run.phase, Phase::Waiting(_)));
    runs.get().is_some_and(asked)
}

/// The way to AWS; it can be cut at this end.
struct Cable {
    sim: Arc<Sim>,
    cut: Arc<AtomicBool>,
}

impl std::fmt::Debug for Cable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cable")
    }
}

impl Wire for Cable {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>> {
        if self.cut.load(Ordering::SeqCst) {
            return Box::pin(async { Err(WireFailure::Refused) });
        }
        let reply = self.sim.handle(request);
        Box::pin(async move {
            match reply {
                // What takes longer than the product would wait never comes; nobody here waits on the wall.
                Reply::Answer { after, .. } if after > TimeBudget::default().attempt => std::future::pending().await,
                Reply::Answer { response, .. } => Ok(response),
                Reply::Refused => Err(WireFailure::Refused),
                Reply::BlackHole => std::future::pending().await,
                Reply::Lost { .. } => Err(WireFailure::Broken),
            }
        })
    }
}

/// Programs and addresses are the simulator's too.
struct Stand(Arc<Sim>);

#[async_trait]
impl Control for Stand {
    async fn post(&self, path: &str, body: String) -> Result<(u16, String), String> {
        let request = http::Request::post(path).body(Bytes::from(body)).map_err(|error| error.to_string())?;
        match self.0.handle(request) {
            Reply::Answer { response, .. } => {
                Ok((response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned()))
            }
            _ => Err("no answer".to_owned()),
        }
    }
}

pub static BANK: LazyLock<(Arc<Estate>, Vec<Arc<RunbookSpec>>)> = LazyLock::new(|| {
    let loaded = estate::load(&estate::Source::Bundled, probes::CATALOGUE, steps::CATALOGUE);
    let found: Vec<String> = loaded.errors().map(ToString::to_string).collect();
    (loaded.estate.unwrap_or_else(|| panic!("{found:?}")), loaded.runbooks)
});

/// How the console comes by its facts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The product's own way: tasks that read all the time, on the wall.
    AllTheTime,
    /// When the engine asks: a test then depends on estate time alone.
    WhenAsked,
}

enum Eyes {
    Collector(CollectorHandle),
    Direct(Arc<Direct>),
}

struct Seen(Arc<Eyes>);

#[async_trait]
impl Facts for Seen {
    async fn fresh(&self, app: &AppId) -> Arc<Snapshot> {
        match &*self.0 {
            Eyes::Collector(collector) => collector.fresh(app).await,
            Eyes::Direct(direct) => direct.fresh(app).await,
        }
    }

    async fn latest(&self) -> Arc<Snapshot> {
        match &*self.0 {
            Eyes::Collector(collector) => collector.snapshots().borrow().clone(),
            Eyes::Direct(direct) => direct.latest().await,
        }
    }
}

/// A console that was there before it happened.
pub struct Bridge {
    pub sim: Arc<Sim>,
    pub hand: Arc<Hand>,
    pub cut: Arc<AtomicBool>,
    pub engine: Engine,
    eyes: Arc<Eyes>,
    _folder: tempfile::TempDir,
}

impl Bridge {
    pub async fn open(estate: &Arc<Estate>, look: Look) -> Self {
        Self::expecting(estate, look, &estate.expects_account).await
    }

    /// As [`Self::open`], by an estate that expects that account.
    pub async fn expecting(estate: &Arc<Estate>, look: Look, account: &str) -> Self {
        Self::with(estate, BANK.1.clone(), look, account).await
    }

    /// As [`Self::expecting`], with these runbooks and no others.
    pub async fn with(estate: &Arc<Estate>, runbooks: Vec<Arc<RunbookSpec>>, look: Look, account: &str) -> Self {
        let base = Timestamp::parse("2026-11-20T09:00:00Z").expect("a time");
        let hand = Arc::new(Hand::at(base));
        let sim = Arc::new(Sim::new(Options {
            estate: Arc::clone(estate),
            seed: 7,
            speed: 1.0,
            start: base,
            clock: Arc::new(Watching(Arc::clone(&hand))),
        }));
        let cut = Arc::new(AtomicBool::new(false));
        let estate = Arc::new(Estate { expects_account: account.to_owned(), ..(**estate).clone() });
        let transport = Transport::Wire(Arc::new(Cable { sim: Arc::clone(&sim), cut: Arc::clone(&cut) }));
        let time = |waits| -> Arc<dyn Clock> { Arc::new(Time { hand: Arc::clone(&hand), waits }) };
        let clock = time(Waits::OnTheWall);
        let mut settings = ConnectionSettings::for_estate(&estate, transport, BTreeMap::new(), Arc::clone(&clock));
        let short = Duration::from_millis(200);
        settings.budget = TimeBudget { connect: short, attempt: short, operation: short * 2 };
        let connection = Connection::open(settings).await;
        let eyes = Arc::new(match look {
            Look::AllTheTime => {
                let settings = Settings {
                    fresh_wait: Duration::from_secs(5),
                    wall_floor: Duration::from_millis(20),
                    ..Settings::default()
                };
                let collector = Collector::start(Arc::clone(&estate), connection.reader(), clock, settings);
                let mut snapshots = collector.snapshots();
                let whole = snapshots.wait_for(|snapshot| snapshot.complete);
                tokio::time::timeout(STUCK, whole).await.expect("read within the bound").expect("the collector lives");
                Eyes::Collector(collector)
            }
            Look::WhenAsked => {
                let asked = AtomicU64::new(0);
                // Programs change the world without a call: nothing that was read is taken for still so.
                let version = move || asked.fetch_add(1, Ordering::SeqCst);
                Eyes::Direct(Arc::new(Direct::new(Arc::clone(&estate), connection.reader(), clock, version)))
            }
        });
        let folder = folder();
        let outside = Arc::new(Simulated(Arc::new(Stand(Arc::clone(&sim)))));
        let runs = Arc::new(OnceLock::new());
        let engine = Engine::open(EngineParts {
            store: Arc::new(SqliteStore::open(&folder.path().join("journal.db")).expect("the journal opens")),
            reader: connection.reader(),
            writer: Some(aws::write::writer(&connection)),
            outside: outside.clone(),
            hands: Some(outside),
            facts: Arc::new(Seen(Arc::clone(&eyes))),
            clock: time(Waits::ByStrides(Arc::clone(&runs))),
            estate,
            runbooks,
            permissions: Permissions::default(),
        })
        .expect("the engine opens");
        runs.set(engine.watch()).expect("set once");
        Self { sim, hand, cut, engine, eyes, _folder: folder }
    }

    pub fn happens(&self, kind: FaultKind) -> u64 {
        self.sim.inject(Fault { id: 0, kind, from: None, until: None }).expect("a fault the simulator knows")
    }

    pub async fn reach(&self, region: &str) -> Reach {
        let snapshot = Seen(Arc::clone(&self.eyes)).latest().await;
        snapshot.regions.get(&RegionId::new(region)).map_or(Reach::Unknown, |health| health.reach)
    }

    /// Of Mumbai and Hyderabad.
    pub async fn sees(&self) -> [Reach; 2] {
        [self.reach(MUMBAI).await, self.reach(HYDERABAD).await]
    }

    pub async fn plan(&self, runbook: &RunbookSpec, app: &AppId) -> Arc<Plan> {
        let request = PlanRequest::new(runbook.id.clone(), app.clone());
        let plan = tokio::time::timeout(STUCK, self.engine.plan(&request)).await.expect("a plan in time");
        plan.unwrap_or_else(|error| panic!("{} for {app}: {error}", runbook.id))
    }

    /// The plan once the console has seen what happened; estate time moves on meanwhile.
    pub async fn plan_when(&self, runbook: &RunbookSpec, app: &AppId, seen: impl Fn([Reach; 2]) -> bool) -> Arc<Plan> {
        /// Looks after which it must have.
        const LOOKS: usize = 40;
        for _ in 0..LOOKS {
            self.hand.advance(Duration::from_secs(30));
            if let Eyes::Collector(collector) = &*self.eyes {
                let mut snapshots = collector.snapshots();
                snapshots.mark_unchanged();
                let _ = tokio::time::timeout(STUCK, snapshots.changed()).await.expect("the collector reads on");
            }
            let plan = self.plan(runbook, app).await;
            if seen(self.sees().await) {
                return plan;
            }
        }
        panic!("{} for {app}: never seen: Mumbai and Hyderabad {:?}", runbook.id, self.sees().await);
    }

    /// Declares it and answers what is asked until it has ended well.
    pub async fn carry(&self, plan: &Plan) -> Arc<RunState> {
        assert!(plan.interlocks.is_empty(), "{} for {}: {:#?}", plan.runbook, plan.app, plan.interlocks);
        let declared = declaration(plan, plan.target_region.as_str());
        let run = self.engine.declare(plan, declared.clone()).await;
        let run = run.unwrap_or_else(|no| panic!("{} for {}: {no:?}", plan.runbook, plan.app));
        let mut watch = self.engine.watch();
        loop {
            let runs = watch.borrow_and_update().clone();
            let state = runs.list.iter().find(|state| state.id == run).cloned().expect("listed");
            let told = || format!("{} for {}: {:#?}\n{:#?}", plan.runbook, plan.app, state.phase, state.log);
            let said = match &state.phase {
                Phase::Completed { .. } => return state,
                // Nobody but this run acts here, and no answer is lost.
                Phase::Parked { .. }
                | Phase::Abandoned { .. }
                | Phase::Waiting(Ask::Noticed { .. } | Ask::Verdict { .. }) => panic!("{}", told()),
                Phase::Waiting(ask) => Some(answer(ask, &declared)),
                _ => None,
            };
            if let Some(said) = said {
                // A refusal means that the run moved on; the next state says where.
                let _ = self.engine.answer(run, said).await;
                continue;
            }
            let changed = tokio::time::timeout(STUCK, watch.changed()).await;
            changed.unwrap_or_else(|_| panic!("stuck: {}", told())).expect("the engine lives");
        }
    }
}

pub fn lost(region: &str, how: Down) -> FaultKind {
    FaultKind::RegionDown { region: RegionId::new(region), how }
}

pub fn declaration(plan: &Plan, region: &str) -> Declaration {
    Declaration {
        who: SafeText::new("asha"),
        incident: SafeText::new("INC-4471"),
        app: plan.app.to_string(),
        region: region.to_owned(),
        outage_at: None,
        wave: None,
    }
}

/// What a person says who goes along with everything. `declared`: what is typed when arming ended.
pub fn answer(ask: &Ask, declared: &Declaration) -> Answer {
    match ask {
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
        Ask::Rearm => Answer::Rearm(declared.clone()),
        Ask::Verdict { step, question } => panic!("{step}: {question}"),
    }
}
