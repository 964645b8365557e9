//! No guard may make the recovery from an outage impossible because of that outage, and none may let one begin that
//! is none: every failover runbook of the bundled estate, for every app it serves, against every kind of loss.
//!
//! Runbooks are taken from the estate as they are found: a new one is held to this table by being written.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
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
    estate, probes,
    runbook::{
        plan::{Plan, PlanRequest},
        run::{Answer, Ask, Declaration, Phase},
        spec::{RunbookKind, RunbookSpec},
    },
    sim::{
        Options, Reply, Sim,
        fault::{Down, Fault, FaultKind},
    },
    steps::{self, outside::Nowhere},
};

const MUMBAI: &str = "ap-south-1";
const HYDERABAD: &str = "ap-south-2";

/// Nothing here takes longer on the wall; a test that does is stuck.
const STUCK: Duration = Duration::from_secs(120);

/// Looks after which the console must have seen what was done to it.
const LOOKS: usize = 40;

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

/// Estate time as the test moves it; who waits for it (the engine) moves it too.
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
        match self.waits {
            Waits::MoveTime => {
                self.hand.advance(estate * 10);
                Duration::ZERO
            }
            // The collector polls often on the wall, or a test would wait for its next cycle.
            Waits::Wait => estate / 500,
        }
    }
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

/// Every failover with every app it serves.
fn failovers() -> Vec<(Arc<RunbookSpec>, AppId)> {
    let serves = |runbook: &RunbookSpec, app: &pointsman::domain::App| {
        runbook.apps.contains(&app.id) || runbook.strategies.contains(&app.strategy)
    };
    let found: Vec<_> = BANK
        .1
        .iter()
        .filter(|runbook| runbook.kind == RunbookKind::Failover)
        .flat_map(|runbook| {
            let apps = BANK.0.apps.iter().filter(|app| serves(runbook, app));
            apps.map(|app| (Arc::clone(runbook), app.id.clone())).collect::<Vec<_>>()
        })
        .collect();
    assert!(!found.is_empty(), "the bundled estate has a failover");
    found
}

/// A console that was there before it happened.
struct Bridge {
    sim: Arc<Sim>,
    hand: Arc<Hand>,
    cut: Arc<AtomicBool>,
    engine: Engine,
    collector: CollectorHandle,
    _folder: tempfile::TempDir,
}

impl Bridge {
    async fn open() -> Self {
        Self::expecting(&BANK.0.expects_account).await
    }

    /// As [`Self::open`], by an estate that expects that account.
    async fn expecting(account: &str) -> Self {
        let base = Timestamp::parse("2026-11-20T09:00:00Z").expect("a time");
        let wall = SystemClock::default().wall();
        let hand = Arc::new(Hand { base, wall, offset_millis: AtomicU64::new(0) });
        let time = |waits| Arc::new(Time { hand: Arc::clone(&hand), waits });
        let sim = Arc::new(Sim::new(Options {
            estate: Arc::clone(&BANK.0),
            seed: 7,
            speed: 1.0,
            start: base,
            clock: time(Waits::Wait),
        }));
        let cut = Arc::new(AtomicBool::new(false));
        let estate = Arc::new(Estate { expects_account: account.to_owned(), ..(*BANK.0).clone() });
        let wire = Cable { sim: Arc::clone(&sim), cut: Arc::clone(&cut) };
        let transport = Transport::Wire(Arc::new(wire));
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
        let engine = Engine::open(EngineParts {
            store: Arc::new(SqliteStore::open(&folder.path().join("journal.db")).expect("the journal opens")),
            reader: connection.reader(),
            writer: Some(aws::write::writer(&connection)),
            outside: Arc::new(Nowhere),
            hands: None,
            facts: Arc::new(Collected(collector.clone())),
            clock: time(Waits::MoveTime),
            estate,
            runbooks: BANK.1.clone(),
            permissions: Permissions::default(),
        })
        .expect("the engine opens");
        Self { sim, hand, cut, engine, collector, _folder: folder }
    }

    fn happens(&self, kinds: &[FaultKind]) {
        for kind in kinds {
            self.sim.inject(Fault { id: 0, kind: kind.clone(), from: None, until: None }).expect("known");
        }
    }

    fn reach(&self, region: &str) -> Reach {
        let snapshot = self.collector.snapshots().borrow().clone();
        snapshot.regions.get(&RegionId::new(region)).map_or(Reach::Unknown, |health| health.reach)
    }

    async fn plan(&self, runbook: &RunbookSpec, app: &AppId) -> Arc<Plan> {
        let request = PlanRequest::new(runbook.id.clone(), app.clone());
        let plan = self.engine.plan(&request);
        let plan = tokio::time::timeout(STUCK, plan).await.expect("a plan in time");
        plan.unwrap_or_else(|error| panic!("{} for {app}: {error}", runbook.id))
    }

    /// The plan once the console has seen what happened.
    async fn plan_when(&self, runbook: &RunbookSpec, app: &AppId, seen: impl Fn(&Self) -> bool) -> Arc<Plan> {
        let mut snapshots = self.collector.snapshots();
        for _ in 0..LOOKS {
            self.hand.advance(Duration::from_secs(30));
            snapshots.mark_unchanged();
            let _ = tokio::time::timeout(STUCK, snapshots.changed()).await.expect("the collector reads on");
            let plan = self.plan(runbook, app).await;
            if seen(self) {
                return plan;
            }
        }
        panic!(
            "{} for {app}: never seen: Mumbai {:?}, Hyderabad {:?}",
            runbook.id,
            self.reach(MUMBAI),
            self.reach(HYDERABAD)
        );
    }
}

fn lost(how: Down) -> FaultKind {
    FaultKind::RegionDown { region: RegionId::new(MUMBAI), how }
}

fn service(region: &str, service: &str) -> FaultKind {
    FaultKind::ServiceDown { region: RegionId::new(region), service: service.into(), how: Down::ServerError }
}

type Seen = fn(&Bridge) -> bool;

fn mumbai_is_not_well(bridge: &Bridge) -> bool {
    !matches!(bridge.reach(MUMBAI), Reach::Reachable | Reach::Unknown)
}

fn at_once(_: &Bridge) -> bool {
    true
}

fn losses() -> Vec<(&'static str, Vec<FaultKind>, Seen)> {
    let link = |target: &str| FaultKind::LagGrowth { target: target.into(), millis_per_second: 1_000.0 };
    vec![
        ("refused", vec![lost(Down::Refuse)], mumbai_is_not_well),
        ("black-holed", vec![lost(Down::Blackhole)], mumbai_is_not_well),
        ("slow", vec![lost(Down::Slow)], at_once),
        ("5xx", vec![lost(Down::ServerError)], mumbai_is_not_well),
        ("rds down", vec![service(MUMBAI, "rds")], at_once),
        ("cloudwatch dark", vec![service(MUMBAI, "cloudwatch")], at_once),
        ("backup down", vec![service(MUMBAI, "backup")], at_once),
        (
            "gone, and the Route 53 control plane with it",
            vec![lost(Down::Refuse), FaultKind::ControlPlaneImpaired { how: Down::ServerError }],
            mumbai_is_not_well,
        ),
        ("link lost", vec![link("payments-hyd"), link("payments-global")], at_once),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_loss_leaves_a_way_through_every_failover() {
    let mut closed = Vec::new();
    for (name, faults, seen) in losses() {
        let bridge = Bridge::open().await;
        bridge.happens(&faults);
        for (runbook, app) in failovers() {
            bridge.plan_when(&runbook, &app, seen).await;
            // A decision takes its time: what was read before the outage is old by then.
            bridge.hand.advance(Duration::from_mins(20));
            let plan = bridge.plan_when(&runbook, &app, seen).await;
            let place = format!("{name}: {} for {app}", runbook.id);
            closed.extend(plan.interlocks.iter().map(|lock| format!("{place}: {}: {}", lock.code, lock.text)));
            for step in &plan.steps {
                let shut = step.guards.iter().filter(|guard| guard.blocks_plan() && !guard.overridable);
                closed.extend(shut.map(|guard| format!("{place}: {}: {}: {}", step.id, guard.text, guard.present)));
            }
        }
    }
    assert!(closed.is_empty(), "no way through:\n{}", closed.join("\n"));
}

/// Whether something stops it before its first effect although a person confirms whatever is confirmed without
/// looking: a guard or an interlock of the plan, else a check of the run.
async fn is_stopped(bridge: &Bridge, plan: &Plan) -> bool {
    if !plan.blockers().is_empty() {
        return true;
    }
    let declaration = declaration(plan, plan.target_region.as_str());
    let Ok(run) = bridge.engine.declare(plan, declaration).await else { return true };
    let mut watch = bridge.engine.watch();
    loop {
        let runs = watch.borrow_and_update().clone();
        let state = runs.list.iter().find(|state| state.id == run).cloned().expect("listed");
        match &state.phase {
            Phase::Parked { .. } | Phase::Waiting(Ask::Override { .. }) => return true,
            Phase::Waiting(Ask::Confirm { step, .. }) => {
                // A refusal means that the run moved on; the next state says where.
                let _ = bridge.engine.answer(run, Answer::Go { step: step.clone() }).await;
            }
            Phase::Waiting(_) | Phase::Completed { .. } | Phase::Abandoned { .. } => return false,
            _ => {}
        }
        tokio::time::timeout(STUCK, watch.changed()).await.expect("it goes on").expect("the engine lives");
    }
}

fn declaration(plan: &Plan, region: &str) -> Declaration {
    Declaration {
        who: SafeText::new("asha"),
        incident: SafeText::new("INC-4471"),
        app: plan.app.to_string(),
        region: region.to_owned(),
        outage_at: None,
        wave: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_both_regions_well_no_failover_gets_to_its_first_call() {
    for (runbook, app) in failovers() {
        let bridge = Bridge::open().await;
        let well =
            |bridge: &Bridge| bridge.reach(MUMBAI) == Reach::Reachable && bridge.reach(HYDERABAD) == Reach::Reachable;
        let plan = bridge.plan_when(&runbook, &app, well).await;
        assert!(is_stopped(&bridge, &plan).await, "{} for {app} goes ahead although all is well", runbook.id);
        assert!(!bridge.sim.calls().iter().any(|call| call.effect), "{} for {app}", runbook.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_network_of_ones_own_is_not_an_outage() {
    let bridge = Bridge::open().await;
    bridge.cut.store(true, Ordering::SeqCst);
    for (runbook, app) in failovers() {
        let plan = bridge.plan_when(&runbook, &app, |bridge| bridge.reach(HYDERABAD) == Reach::OwnNetwork).await;
        let codes: Vec<&str> = plan.interlocks.iter().map(|lock| lock.code.as_str()).collect();
        assert!(codes.contains(&"own-network"), "{} for {app}: {codes:?}", runbook.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_sent_to_a_region_that_is_not_there() {
    for how in [Down::Refuse, Down::ServerError] {
        let bridge = Bridge::open().await;
        bridge.happens(&[FaultKind::RegionDown { region: RegionId::new(HYDERABAD), how }]);
        for (runbook, app) in failovers() {
            let plan = bridge.plan_when(&runbook, &app, |bridge| bridge.reach(HYDERABAD) == Reach::RegionDown).await;
            let codes: Vec<&str> = plan.interlocks.iter().map(|lock| lock.code.as_str()).collect();
            assert!(codes.contains(&"target-down"), "{how:?}: {} for {app}: {codes:?}", runbook.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_account_and_another_region_than_the_call_s_are_refused() {
    let bridge = Bridge::expecting("999988887777").await;
    bridge.happens(&[lost(Down::Refuse)]);
    for (runbook, app) in failovers() {
        let plan = bridge.plan_when(&runbook, &app, mumbai_is_not_well).await;
        let codes: Vec<&str> = plan.interlocks.iter().map(|lock| lock.code.as_str()).collect();
        assert!(codes.contains(&"account-mismatch"), "{} for {app}: {codes:?}", runbook.id);
    }
    let bridge = Bridge::open().await;
    bridge.happens(&[lost(Down::Refuse)]);
    for (runbook, app) in failovers() {
        let plan = bridge.plan_when(&runbook, &app, mumbai_is_not_well).await;
        let typed = declaration(&plan, MUMBAI);
        assert!(bridge.engine.declare(&plan, typed).await.is_err(), "{} for {app}: Mumbai was typed", runbook.id);
    }
}
