//! Apps of the bundled estate go out with Mumbai down, are protected again when Mumbai is back, and come home: the real
//! engine on the simulator, through the runbooks that the app names. At the end the world is as it was. Here are a restore
//! of files and the warm standby; the writer of Payments and its way home are in `crash.rs`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
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
    domain::{AppId, Clock, Estate, RegionId, SafeText, Snapshot, Timestamp, snapshot::Reach},
    engine::{Engine, EngineParts, Facts, Permissions, SqliteStore},
    estate,
    outside::{Simulated, simulated::Control},
    probes,
    runbook::{
        plan::PlanRequest,
        run::{Answer, Ask, Declaration, Phase, RunState, StepPhase},
        spec::RunbookSpec,
    },
    sim::{
        Options, Reply, Sim,
        fault::{Down, Fault, FaultKind},
    },
    steps,
};

const MUMBAI: &str = "ap-south-1";

/// No wait here takes longer on the wall; a test that does is stuck.
const STUCK: Duration = Duration::from_secs(120);

struct Hand {
    base: Timestamp,
    wall: Timestamp,
    offset_millis: AtomicU64,
}

impl Hand {
    fn advance(&self, by: Duration) {
        self.offset_millis.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }

    fn offset(&self) -> Duration {
        Duration::from_millis(self.offset_millis.load(Ordering::SeqCst))
    }
}

/// Estate time as the test moves it; the engine moves it by waiting, the collector waits on the wall.
struct Time {
    hand: Arc<Hand>,
    waits: Waits,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    MoveTime,
    Wait,
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        self.hand.base + self.hand.offset()
    }
    fn wall(&self) -> Timestamp {
        self.hand.wall + self.hand.offset()
    }
    fn monotonic(&self) -> Duration {
        self.hand.offset()
    }
    fn speed(&self) -> f64 {
        1.0
    }
    fn wall_duration(&self, estate: Duration) -> Duration {
        estate / 500
    }
    fn idle(&self, wall: Duration) -> Duration {
        match self.waits {
            Waits::MoveTime => {
                self.hand.advance(wall * 10);
                Duration::ZERO
            }
            Waits::Wait => wall,
        }
    }
}

struct Cable(Arc<Sim>);

impl std::fmt::Debug for Cable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cable")
    }
}

impl Wire for Cable {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>> {
        let reply = self.0.handle(request);
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

struct Collected(CollectorHandle);

#[async_trait]
impl Facts for Collected {
    async fn fresh(&self, app: &AppId) -> Arc<Snapshot> {
        self.0.fresh(app).await
    }

    async fn latest(&self) -> Arc<Snapshot> {
        self.0.snapshots().borrow().clone()
    }
}

static BANK: LazyLock<(Arc<Estate>, Vec<Arc<RunbookSpec>>)> = LazyLock::new(|| {
    let loaded = estate::load(&estate::Source::Bundled, probes::CATALOGUE, steps::CATALOGUE);
    let found: Vec<String> = loaded.errors().map(ToString::to_string).collect();
    (loaded.estate.unwrap_or_else(|| panic!("{found:?}")), loaded.runbooks)
});

struct Bridge {
    sim: Arc<Sim>,
    hand: Arc<Hand>,
    engine: Engine,
    collector: CollectorHandle,
    app: AppId,
    _folder: tempfile::TempDir,
}

impl Bridge {
    /// A console for one app alone: what it does not look at costs nothing.
    async fn open(app: &AppId) -> Self {
        let base = Timestamp::parse("2026-11-20T09:00:00Z").expect("a time");
        let wall = SystemClock::default().wall();
        let hand = Arc::new(Hand { base, wall, offset_millis: AtomicU64::new(0) });
        let time = |waits| Arc::new(Time { hand: Arc::clone(&hand), waits });
        let mut estate = (*BANK.0).clone();
        estate.apps.retain(|known| known.id == *app);
        estate.apps[0].depends_on.clear();
        let estate = Arc::new(estate);
        let sim = Arc::new(Sim::new(Options {
            estate: Arc::clone(&estate),
            seed: 7,
            speed: 1.0,
            start: base,
            clock: time(Waits::Wait),
        }));
        let transport = Transport::Wire(Arc::new(Cable(Arc::clone(&sim))));
        let mut settings = ConnectionSettings::for_estate(&estate, transport, BTreeMap::new(), time(Waits::Wait));
        let short = Duration::from_millis(200);
        settings.budget = TimeBudget { connect: short, attempt: short, operation: short * 2 };
        let connection = Connection::open(settings).await;
        let settings = Settings {
            fresh_wait: Duration::from_secs(5),
            wall_floor: Duration::from_millis(20),
            ..Settings::default()
        };
        let collector = Collector::start(Arc::clone(&estate), connection.reader(), time(Waits::Wait), settings);
        let mut snapshots = collector.snapshots();
        let whole = snapshots.wait_for(|snapshot| snapshot.complete);
        tokio::time::timeout(STUCK, whole).await.expect("read within the bound").expect("the collector lives");
        let folder = tempfile::tempdir().expect("a folder");
        let outside = Arc::new(Simulated(Arc::new(Stand(Arc::clone(&sim)))));
        let engine = Engine::open(EngineParts {
            store: Arc::new(SqliteStore::open(&folder.path().join("journal.db")).expect("the journal opens")),
            reader: connection.reader(),
            writer: Some(aws::write::writer(&connection)),
            outside: outside.clone(),
            hands: Some(outside),
            facts: Arc::new(Collected(collector.clone())),
            clock: time(Waits::MoveTime),
            estate,
            runbooks: BANK.1.clone(),
            permissions: Permissions::default(),
        })
        .expect("the engine opens");
        Self { sim, hand, engine, collector, app: app.clone(), _folder: folder }
    }

    /// Until the console sees Mumbai so; estate time moves on meanwhile.
    async fn seen(&self, is: impl Fn(Reach) -> bool) {
        let region = RegionId::new(MUMBAI);
        for _ in 0..200 {
            self.hand.advance(Duration::from_secs(20));
            let snapshot = self.collector.fresh(&self.app).await;
            if snapshot.regions.get(&region).is_some_and(|health| is(health.reach)) {
                return;
            }
        }
        panic!("{}: Mumbai is never seen so", self.app);
    }

    async fn carry(&self, kind: &str) -> Arc<RunState> {
        let app = BANK.0.app(&self.app).expect("of the estate");
        let book = app.runbooks.get(kind).unwrap_or_else(|| panic!("{} names no {kind} runbook", self.app));
        let request = PlanRequest::new(book.clone(), self.app.clone());
        let plan = self.engine.plan(&request).await.unwrap_or_else(|error| panic!("{book}: {error}"));
        assert!(plan.interlocks.is_empty(), "{book} for {}: {:#?}", self.app, plan.interlocks);
        let declaration = Declaration {
            who: SafeText::new("asha"),
            incident: SafeText::new("INC-4471"),
            app: self.app.to_string(),
            region: plan.target_region.to_string(),
            outage_at: None,
            wave: None,
        };
        let run = self.engine.declare(&plan, declaration.clone()).await.unwrap_or_else(|no| panic!("{book}: {no:?}"));
        let mut watch = self.engine.watch();
        loop {
            let runs = watch.borrow_and_update().clone();
            let state = runs.list.iter().find(|state| state.id == run).cloned().expect("listed");
            let told = || format!("{book} for {}: {:#?}\n{:#?}", self.app, state.phase, state.log);
            let answer = match &state.phase {
                Phase::Completed { .. } => return state,
                Phase::Parked { .. } | Phase::Abandoned { .. } => panic!("{}", told()),
                Phase::Waiting(ask) => Some(match ask {
                    Ask::Key { step } | Ask::Chord { step } | Ask::Confirm { step, .. } => {
                        Answer::Go { step: step.clone() }
                    }
                    Ask::Loss { step, phrase, .. } => Answer::AcceptLoss { step: step.clone(), typed: phrase.clone() },
                    Ask::Override { step, guard, .. } => Answer::Override {
                        step: step.clone(),
                        guard: *guard,
                        reason: "fibre cut confirmed by NOC".into(),
                        authoriser: "head of operations".into(),
                    },
                    Ask::Rearm => Answer::Rearm(declaration.clone()),
                    // Nobody but this run acts here, and no answer is lost.
                    Ask::Noticed { .. } | Ask::Verdict { .. } => panic!("{}", told()),
                }),
                _ => None,
            };
            if let Some(answer) = answer {
                // A refusal means that the run moved on; the next state says where.
                let _ = self.engine.answer(run, answer).await;
                continue;
            }
            let changed = tokio::time::timeout(STUCK, watch.changed()).await;
            changed.unwrap_or_else(|_| panic!("stuck: {}", told())).expect("the engine lives");
        }
    }

    /// Whether every step was taken, and nothing left out.
    fn whole(&self, state: &RunState) {
        let left: Vec<_> = state.steps.iter().filter(|step| step.phase != StepPhase::Done).collect();
        assert!(left.is_empty(), "{} {}: {left:#?}", state.plan.runbook, self.app);
    }

    fn unprotected(&self) -> bool {
        self.engine.watch().borrow().list.iter().any(|run| run.unprotected_since.is_some())
    }

    /// Where DNS sends customers, and who writes, as the simulator itself says it.
    fn world(&self) -> (String, Option<String>) {
        let state = self.sim.state();
        let mut records: Vec<String> = Vec::new();
        weights(&state["records"], &mut records);
        records.sort();
        let globals = state["global_clusters"].as_object().and_then(|all| all.values().next());
        let writer = globals.map(|global| global["writer"].to_string());
        (records.join("; "), writer)
    }
}

/// Every record with a weight in what the simulator says, whatever it is nested in.
fn weights(of: &serde_json::Value, found: &mut Vec<String>) {
    match of {
        serde_json::Value::Object(map) if map.contains_key("weight") => {
            let said = |key: &str| map.get(key).map_or_else(String::new, ToString::to_string);
            found.push(format!("{} {} {}", said("name"), said("set"), said("weight")));
        }
        serde_json::Value::Object(map) => map.values().for_each(|inner| weights(inner, found)),
        serde_json::Value::Array(list) => list.iter().for_each(|inner| weights(inner, found)),
        _ => {}
    }
}

async fn out_and_home(app: &str) {
    let bridge = Bridge::open(&AppId::new(app)).await;
    let before = bridge.world();
    assert!(!before.0.is_empty(), "the simulator has records of {app}: {}", bridge.sim.state()["records"]);
    let kind = FaultKind::RegionDown { region: RegionId::new(MUMBAI), how: Down::Refuse };
    let fault = bridge.sim.inject(Fault { id: 0, kind, from: None, until: None }).expect("known");
    bridge.seen(|reach| reach == Reach::RegionDown).await;
    bridge.hand.advance(Duration::from_secs(300)); // until the checkers outside have seen it too

    let away = bridge.carry("failover").await;
    bridge.whole(&away);
    assert_ne!(bridge.world().0, before.0, "{app}: customers were sent elsewhere");
    assert!(bridge.unprotected(), "{app} is alone in Hyderabad");

    bridge.sim.clear(fault).expect("it was there");
    bridge.seen(|reach| reach == Reach::Reachable).await;
    let kept = bridge.carry("re-protect").await;
    bridge.whole(&kept);
    assert!(!bridge.unprotected(), "{app} is protected again");

    let home = bridge.carry("failback").await;
    bridge.whole(&home);
    assert_eq!(bridge.world(), before, "{app}: the world is as it was");
    assert!(!bridge.unprotected());
}

macro_rules! ways_home {
    ($($name:ident: $app:literal,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            out_and_home($app).await;
        }
    )*};
}

ways_home! {
    core_banking_goes_to_the_cloud_and_comes_home: "core-banking",
    agent_payment_is_restored_and_comes_home: "agent-payment",
    cross_sell_is_restored_and_comes_home: "cross-sell",
    inventory_is_restored_and_comes_home: "inventory",
    customer_assistance_is_restored_and_comes_home: "customer-assistance",
    vendor_assistance_is_restored_and_comes_home: "vendor-assistance",
    webank_is_rebuilt_by_its_programs_and_comes_home: "webank",
}
