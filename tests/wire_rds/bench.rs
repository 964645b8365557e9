//! One step of a runbook at a time, planned, prepared, sent once and looked at until AWS says that it is so.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use pointsman::{
    aws::{SendOutcome, rds},
    domain::{
        AppId, CallDescription, ComponentId, Fact, FactId, Mode, Observation, RegionId, SafeText, Side, Slot, Snapshot,
        Timestamp, What,
    },
    estate, probes,
    runbook::{
        build::FrozenStep,
        finding::Leftover,
        signal::Facts,
        spec::{RunbookKind, RunbookSpec},
    },
    sim::fault::{Down, FaultKind},
    steps::{
        self,
        kind::{Conduct, Eyes, MutatingStep, Observed, Prepared, StepContext, covers},
        outside::Nowhere,
    },
};

use crate::wire_rig::{Rig, rig_of};

pub const MUMBAI: &str = "ap-south-1";
pub const HYDERABAD: &str = "ap-south-2";

pub const ESTATE: &str = include_str!("../estates/databases/estate.toml");
pub const RUNBOOK: &str = include_str!("../estates/databases/every-kind-once.toml");

/// The estate of databases of every shape, and the runbook that does everything to them once.
pub struct Bench {
    pub rig: Rig,
    runbook: Arc<RunbookSpec>,
    snapshot: Snapshot,
}

impl Bench {
    pub async fn new() -> Self {
        let loaded = estate::load_text(ESTATE, &[RUNBOOK], probes::CATALOGUE, steps::CATALOGUE);
        let estate = loaded.estate.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
        assert_eq!(loaded.runbooks.len(), 1, "{:#?}", loaded.diagnostics);
        let rig = rig_of(estate).await;
        let snapshot = Snapshot::empty(Mode::Simulated { speed: 1.0 }, rig.sim.now());
        let mut bench = Self { rig, runbook: loaded.runbooks[0].clone(), snapshot };
        bench.see_topology().await;
        bench
    }

    /// What the collector would have seen before the day.
    async fn see_topology(&mut self) {
        let op = rds::DescribeGlobalClusters { region: HYDERABAD.into(), id: Some("core-global".into()) };
        let read = self.rig.connection.reader().read(&op).await.expect("answers");
        let id = FactId {
            app: AppId::new("core"),
            component: ComponentId::new("global"),
            region: HYDERABAD.into(),
            what: What::Topology,
        };
        let now = self.rig.sim.now();
        let seen = Observation {
            value: Fact::Topology(read.value[0].clone()),
            data_time: now,
            observed_at: now,
            source: SafeText::new("rds"),
            region: HYDERABAD.into(),
            budget: Duration::from_secs(60),
        };
        self.snapshot.facts.insert(id, Slot { last: Some(seen), failure: None });
    }

    pub fn dark(&self, region: &str) -> u64 {
        self.rig.inject(FaultKind::RegionDown { region: region.into(), how: Down::Refuse })
    }

    pub fn step<'a>(&'a self, id: &str) -> Step<'a> {
        let spec = self.runbook.steps.iter().find(|step| step.id.as_str() == id).expect("a step of the runbook");
        Step { bench: self, frozen: FrozenStep::of(spec), begun_at: self.rig.sim.now(), maker_began: None }
    }

    /// Calls that changed something, by operation.
    pub fn effects(&self) -> BTreeMap<String, usize> {
        let mut effects = BTreeMap::new();
        for call in self.rig.sim.calls().into_iter().filter(|call| call.effect) {
            *effects.entry(call.operation).or_default() += 1;
        }
        effects
    }

    pub async fn instances(&self, region: &str) -> BTreeMap<String, pointsman::domain::resource::DbInstance> {
        let op = rds::DescribeDbInstances { region: RegionId::new(region) };
        let read = self.rig.connection.reader().read(&op).await.expect("answers");
        read.value.into_iter().map(|instance| (instance.id.to_string(), instance)).collect()
    }
}

/// One step of the bench's runbook, begun at a moment.
pub struct Step<'a> {
    bench: &'a Bench,
    frozen: FrozenStep,
    pub begun_at: Timestamp,
    maker_began: Option<Timestamp>,
}

impl Step<'_> {
    /// In the same run as the step that it takes away the work of.
    pub fn after(mut self, maker: &Self) -> Self {
        self.maker_began = Some(maker.begun_at);
        self
    }

    pub fn with<T>(&self, begun: Option<Timestamp>, ask: impl FnOnce(&StepContext<'_>) -> T) -> T {
        let facts = self.facts();
        ask(&StepContext {
            facts: &facts,
            step: &self.frozen,
            kind: RunbookKind::Failover,
            target: Side::Recovery,
            begun_at: begun,
            maker_began: self.maker_began,
            token: None,
            now: self.bench.rig.sim.now(),
        })
    }

    fn facts(&self) -> Facts<'_> {
        let app = self.bench.rig.estate.app(&AppId::new("core")).expect("the app");
        Facts {
            estate: &self.bench.rig.estate,
            app,
            snapshot: &self.bench.snapshot,
            last_run_ended: None,
            attested: &[],
        }
    }

    pub fn acting(&self) -> &'static dyn MutatingStep {
        match steps::find(&self.frozen.kind).expect("registered").conduct() {
            Conduct::Acts(acting) => acting,
            _ => panic!("{} does not act", self.frozen.kind),
        }
    }

    pub fn planned(&self) -> Vec<CallDescription> {
        let kind = steps::find(&self.frozen.kind).expect("registered");
        let outline = self.with(None, |about| kind.outline(about));
        outline.calls.unwrap_or_else(|why| panic!("{}: {why}", self.frozen.id))
    }

    pub async fn prepare(&self) -> Prepared {
        let planned = self.planned();
        let (reader, facts) = (self.bench.rig.connection.reader(), self.facts());
        let about = self.about(&facts);
        self.acting().prepare(&about, &planned, &Eyes { reader: &reader, outside: &Nowhere }).await
    }

    fn about<'b>(&'b self, facts: &'b Facts<'b>) -> StepContext<'b> {
        StepContext {
            facts,
            step: &self.frozen,
            kind: RunbookKind::Failover,
            target: Side::Recovery,
            begun_at: Some(self.begun_at),
            maker_began: self.maker_began,
            token: None,
            now: self.bench.rig.sim.now(),
        }
    }

    pub async fn observe(&self, sent: &CallDescription) -> Observed {
        let (reader, facts) = (self.bench.rig.connection.reader(), self.facts());
        let about = self.about(&facts);
        self.acting().observe(&about, sent, None, &Eyes { reader: &reader, outside: &Nowhere }).await
    }

    /// Sends it once; what was sent, held against what the plan showed.
    pub async fn send(&self) -> (CallDescription, SendOutcome) {
        let call = match self.prepare().await {
            Prepared::Send(call) => call,
            other => panic!("{}: {other:?}", self.frozen.id),
        };
        let sent = call.describe();
        let planned = self.planned();
        assert!(covers(&planned[0], &sent), "planned {:#?}\nsent {sent:#?}", planned[0]);
        assert!(!sent.iam_actions.is_empty());
        let outcome = self.bench.rig.writer().send_once(&*call).await;
        (sent, outcome)
    }

    /// Looks every fifteen seconds until it is done; the states it told on the way, each once.
    pub async fn until_done(&self, sent: &CallDescription) -> (String, Vec<String>) {
        let mut told = Vec::new();
        for _ in 0..2_000 {
            match self.observe(sent).await {
                Observed::Done(text) => return (text.to_string(), told),
                Observed::InProgress(text) => told.push(text.to_string()),
                other => panic!("{}: {other:?} after {told:#?}", self.frozen.id),
            }
            told.dedup();
            self.bench.rig.advance(Duration::from_secs(15));
        }
        panic!("{}: never done: {told:#?}", self.frozen.id)
    }

    pub async fn carry(&self) -> (String, Vec<String>) {
        let (sent, outcome) = self.send().await;
        assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{}: {outcome:?}", self.frozen.id);
        let ended = self.until_done(&sent).await;
        if self.frozen.kind != "rds.delete-instance" {
            let again = self.prepare().await;
            assert!(matches!(again, Prepared::AlreadyDone(_)), "{}: a second time {again:?}", self.frozen.id);
        }
        ended
    }

    pub fn leaves(&self) -> Option<Leftover> {
        self.acting().leaves(&self.planned()[0])
    }
}

pub fn saw(told: &[String], words: &[&str]) {
    for word in words {
        assert!(told.iter().any(|text| text.contains(word)), "never {word}: {told:#?}");
    }
}
