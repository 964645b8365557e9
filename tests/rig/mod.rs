//! The real engine, collector and SDK on the simulator, with a clock that moves when the engine waits, and with
//! places at which the program can be made to die.

#![allow(dead_code, reason = "each test crate that includes it uses its own part")]

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use pointsman::{
    aws::{self, Connection, ConnectionSettings, Transport, Wire, connection::TimeBudget},
    collect::{Collector, CollectorHandle, Settings},
    domain::{AppId, Estate, RegionId, RunbookId, SafeText, Snapshot, Timestamp},
    engine::{Engine, EngineParts, Facts, Permissions, SqliteStore},
    estate, probes,
    runbook::{
        plan::{Plan, PlanRequest},
        run::{Answer, Ask, Declaration, Phase, RunId, RunState},
        spec::RunbookSpec,
    },
    sim::{
        Options, Sim,
        fault::{Down, Fault, FaultKind},
    },
    steps::{self, outside::Nowhere},
};

mod clock;
mod death;
mod direct;

use self::death::{DyingWire, Unnamed};
#[allow(unused_imports, reason = "each test crate that includes it uses its own part")]
pub use self::{
    clock::{Hand, Moving, Watching},
    death::{Around, Death, Journal, Reaper},
    direct::Direct,
};

pub const MUMBAI: &str = "ap-south-1";
pub const HYDERABAD: &str = "ap-south-2";

/// Nothing here takes longer on the wall; a test that does is stuck.
const STUCK: Duration = Duration::from_secs(120);

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
        let base = Timestamp::parse("2026-11-20T09:00:00Z").expect("a time");
        let hand = Arc::new(Hand::at(base));
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
