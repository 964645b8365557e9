//! The RDS and Aurora kinds of step through the real SDK against the simulator: each is planned, prepared, sent once and
//! looked at until AWS says that it is so; each is also refused where AWS, or the step itself, must refuse.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use pointsman::{
    aws::{
        Connection, ConnectionSettings, SendOutcome, Transport, Wire, WireFailure, connection::TimeBudget,
        overrides::Environment, rds, write::writer,
    },
    domain::{
        AppId, CallDescription, Clock, ComponentId, Estate, Fact, FactId, Mode, Observation, RegionId, SafeText, Side,
        Slot, Snapshot, Timestamp, What,
    },
    estate, probes,
    runbook::{
        build::FrozenStep,
        finding::Leftover,
        signal::Facts,
        spec::{RunbookKind, RunbookSpec},
    },
    sim::{
        Options, Reply, Sim,
        fault::{Down, Fault, FaultKind, LateAnswer},
    },
    steps::{
        self,
        kind::{Conduct, Eyes, MutatingStep, Observed, Prepared, StepContext, covers},
        outside::Nowhere,
    },
};

const MUMBAI: &str = "ap-south-1";
const HYDERABAD: &str = "ap-south-2";

const ESTATE: &str = include_str!("estates/databases/estate.toml");
const RUNBOOK: &str = include_str!("estates/databases/every-kind-once.toml");

/// Estate time moves when the test says so.
struct Hand(AtomicU64, Timestamp);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        self.1 + self.monotonic()
    }
    fn wall(&self) -> Timestamp {
        self.now()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
    fn speed(&self) -> f64 {
        1.0
    }
}

#[derive(Debug)]
struct InProcess(Arc<Sim>);

impl Wire for InProcess {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>> {
        let reply = self.0.handle(request);
        Box::pin(async move {
            match reply {
                Reply::Answer { response, .. } => Ok(response),
                Reply::Refused | Reply::BlackHole => Err(WireFailure::Refused),
                Reply::Lost { .. } => Err(WireFailure::Broken),
            }
        })
    }
}

struct Bench {
    clock: Arc<Hand>,
    sim: Arc<Sim>,
    estate: Arc<Estate>,
    runbook: Arc<RunbookSpec>,
    connection: Connection,
    snapshot: Snapshot,
}

impl Bench {
    async fn new() -> Self {
        let loaded = estate::load_text(ESTATE, &[RUNBOOK], probes::CATALOGUE, steps::CATALOGUE);
        let estate = loaded.estate.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
        assert_eq!(loaded.runbooks.len(), 1, "{:#?}", loaded.diagnostics);
        let runbook = loaded.runbooks[0].clone();
        let start = Timestamp::parse("2026-11-20T09:00:00Z").expect("a time");
        let clock = Arc::new(Hand(AtomicU64::new(0), start));
        let sim = Arc::new(Sim::new(Options {
            estate: Arc::clone(&estate),
            seed: 7,
            speed: 1.0,
            start,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        }));
        let transport = Transport::Wire(Arc::new(InProcess(Arc::clone(&sim))));
        let settings = ConnectionSettings {
            budget: TimeBudget {
                connect: Duration::from_secs(1),
                attempt: Duration::from_secs(5),
                operation: Duration::from_secs(10),
            },
            ..ConnectionSettings::for_estate(
                &estate,
                transport,
                Environment::new(),
                Arc::clone(&clock) as Arc<dyn Clock>,
            )
        };
        let connection = Connection::open(settings).await;
        let mut bench = Self {
            clock,
            sim,
            estate,
            runbook,
            connection,
            snapshot: Snapshot::empty(Mode::Simulated { speed: 1.0 }, start),
        };
        bench.see_topology().await;
        bench
    }

    /// What the collector would have seen before the day.
    async fn see_topology(&mut self) {
        let op = rds::DescribeGlobalClusters { region: HYDERABAD.into(), id: Some("core-global".into()) };
        let read = self.connection.reader().read(&op).await.expect("answers");
        let id = FactId {
            app: AppId::new("core"),
            component: ComponentId::new("global"),
            region: HYDERABAD.into(),
            what: What::Topology,
        };
        let now = self.clock.now();
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

    fn advance(&self, by: Duration) {
        self.clock.0.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    fn inject(&self, kind: FaultKind) -> u64 {
        self.sim.inject(Fault { id: 0, kind, from: None, until: None }).expect("taken")
    }

    fn dark(&self, region: &str) -> u64 {
        self.inject(FaultKind::RegionDown { region: region.into(), how: Down::Refuse })
    }

    fn step<'a>(&'a self, id: &str) -> Step<'a> {
        let spec = self.runbook.steps.iter().find(|step| step.id.as_str() == id).expect("a step of the runbook");
        Step { bench: self, frozen: FrozenStep::of(spec), begun_at: self.clock.now(), maker_began: None }
    }

    /// Calls that changed something, by operation.
    fn effects(&self) -> BTreeMap<String, usize> {
        let mut effects = BTreeMap::new();
        for call in self.sim.calls().into_iter().filter(|call| call.effect) {
            *effects.entry(call.operation).or_default() += 1;
        }
        effects
    }

    async fn instances(&self, region: &str) -> BTreeMap<String, pointsman::domain::resource::DbInstance> {
        let op = rds::DescribeDbInstances { region: RegionId::new(region) };
        let read = self.connection.reader().read(&op).await.expect("answers");
        read.value.into_iter().map(|instance| (instance.id.to_string(), instance)).collect()
    }
}

/// One step of the bench's runbook, begun at a moment.
struct Step<'a> {
    bench: &'a Bench,
    frozen: FrozenStep,
    begun_at: Timestamp,
    maker_began: Option<Timestamp>,
}

impl Step<'_> {
    /// In the same run as the step that it takes away the work of.
    fn after(mut self, maker: &Self) -> Self {
        self.maker_began = Some(maker.begun_at);
        self
    }

    fn with<T>(&self, begun: Option<Timestamp>, ask: impl FnOnce(&StepContext<'_>) -> T) -> T {
        let facts = self.facts();
        ask(&StepContext {
            facts: &facts,
            step: &self.frozen,
            kind: RunbookKind::Failover,
            target: Side::Recovery,
            begun_at: begun,
            maker_began: self.maker_began,
            token: None,
            now: self.bench.clock.now(),
        })
    }

    fn facts(&self) -> Facts<'_> {
        let app = self.bench.estate.app(&AppId::new("core")).expect("the app");
        Facts { estate: &self.bench.estate, app, snapshot: &self.bench.snapshot, last_run_ended: None, attested: &[] }
    }

    fn acting(&self) -> &'static dyn MutatingStep {
        match steps::find(&self.frozen.kind).expect("registered").conduct() {
            Conduct::Acts(acting) => acting,
            _ => panic!("{} does not act", self.frozen.kind),
        }
    }

    fn planned(&self) -> Vec<CallDescription> {
        let kind = steps::find(&self.frozen.kind).expect("registered");
        let outline = self.with(None, |about| kind.outline(about));
        outline.calls.unwrap_or_else(|why| panic!("{}: {why}", self.frozen.id))
    }

    async fn prepare(&self) -> Prepared {
        let planned = self.planned();
        let (reader, facts) = (self.bench.connection.reader(), self.facts());
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
            now: self.bench.clock.now(),
        }
    }

    async fn observe(&self, sent: &CallDescription) -> Observed {
        let (reader, facts) = (self.bench.connection.reader(), self.facts());
        let about = self.about(&facts);
        self.acting().observe(&about, sent, None, &Eyes { reader: &reader, outside: &Nowhere }).await
    }

    /// Sends it once; what was sent, held against what the plan showed.
    async fn send(&self) -> (CallDescription, SendOutcome) {
        let call = match self.prepare().await {
            Prepared::Send(call) => call,
            other => panic!("{}: {other:?}", self.frozen.id),
        };
        let sent = call.describe();
        let planned = self.planned();
        assert!(covers(&planned[0], &sent), "planned {:#?}\nsent {sent:#?}", planned[0]);
        assert!(!sent.iam_actions.is_empty());
        let outcome = writer(&self.bench.connection).send_once(&*call).await;
        (sent, outcome)
    }

    /// Looks every fifteen seconds until it is done; the states it told on the way, each once.
    async fn until_done(&self, sent: &CallDescription) -> (String, Vec<String>) {
        let mut told = Vec::new();
        for _ in 0..2_000 {
            match self.observe(sent).await {
                Observed::Done(text) => return (text.to_string(), told),
                Observed::InProgress(text) => told.push(text.to_string()),
                other => panic!("{}: {other:?} after {told:#?}", self.frozen.id),
            }
            told.dedup();
            self.bench.advance(Duration::from_secs(15));
        }
        panic!("{}: never done: {told:#?}", self.frozen.id)
    }

    async fn carry(&self) -> (String, Vec<String>) {
        let (sent, outcome) = self.send().await;
        assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{}: {outcome:?}", self.frozen.id);
        let ended = self.until_done(&sent).await;
        if self.frozen.kind != "rds.delete-instance" {
            let again = self.prepare().await;
            assert!(matches!(again, Prepared::AlreadyDone(_)), "{}: a second time {again:?}", self.frozen.id);
        }
        ended
    }

    fn leaves(&self) -> Option<Leftover> {
        self.acting().leaves(&self.planned()[0])
    }
}

fn saw(told: &[String], words: &[&str]) {
    for word in words {
        assert!(told.iter().any(|text| text.contains(word)), "never {word}: {told:#?}");
    }
}

#[tokio::test]
async fn a_replica_is_promoted_while_mumbai_is_dark_and_becomes_a_primary_with_backups() {
    let bench = Bench::new().await;
    bench.dark(MUMBAI);
    let (done, told) = bench.step("promote").carry().await;
    saw(&told, &["modifying", "rebooting", "backing-up"]);
    assert!(done.contains("14 days"), "{done}");
    // Logs are shipped every five minutes.
    bench.advance(Duration::from_secs(300));
    let promoted = &bench.instances(HYDERABAD).await["core-hyd"];
    assert_eq!((promoted.replica_of.as_ref(), promoted.backup_retention_days), (None, 14));
    assert!(promoted.latest_restorable.is_some(), "the new primary can be restored to a point in time");
    assert_eq!(bench.effects(), [("PromoteReadReplica".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_promotion_that_lands_late_is_seen_when_it_lands_and_is_in_the_log_once() {
    let bench = Bench::new().await;
    bench.inject(FaultKind::LateEffect {
        service: Some("rds".into()),
        operation: Some("PromoteReadReplica".into()),
        count: 1,
        after_seconds: 120,
        answer: LateAnswer::Lost,
    });
    let step = bench.step("promote");
    let (sent, outcome) = step.send().await;
    assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{outcome:?}");
    assert!(matches!(step.observe(&sent).await, Observed::NotDone(_)), "not yet");
    bench.advance(Duration::from_secs(121));
    assert!(matches!(step.observe(&sent).await, Observed::InProgress(_)));
    step.until_done(&sent).await;
    assert_eq!(bench.effects(), [("PromoteReadReplica".to_owned(), 1)].into());
}

#[tokio::test]
async fn stale_reads_say_for_a_while_that_nothing_was_done() {
    let bench = Bench::new().await;
    let fault = bench.inject(FaultKind::StaleReads {
        service: "rds".into(),
        region: Some(HYDERABAD.into()),
        operation: None,
        seconds: 60,
    });
    let step = bench.step("restore");
    let (sent, _) = step.send().await;
    assert!(matches!(step.observe(&sent).await, Observed::NotDone(_)));
    bench.advance(Duration::from_secs(61));
    assert!(matches!(step.observe(&sent).await, Observed::InProgress(_)));
    bench.sim.clear(fault).expect("known");
    step.until_done(&sent).await;
}

#[tokio::test]
async fn the_fifteen_minute_option_restores_the_newest_copy_in_hyderabad_and_says_what_it_is_as_of() {
    let bench = Bench::new().await;
    bench.dark(MUMBAI);
    bench.advance(Duration::from_secs(300));
    let step = bench.step("restore");
    let (sent, _) = step.send().await;
    let snapshot = sent.params.iter().find(|(name, _)| name == "DBSnapshotIdentifier").expect("named").1.to_string();
    assert!(snapshot.starts_with("core-every-2026-11-20-08-"), "{snapshot}");
    let (done, told) = step.until_done(&sent).await;
    saw(&told, &["creating", "modifying", "backing-up"]);
    assert!(done.contains("data as of 2026-11-20T08:"), "{done}");
    let restored = &bench.instances(HYDERABAD).await["core-dr"];
    assert_eq!(restored.tags["pointsman"], format!("core/restore@{}", step.begun_at.rfc3339()));
    let leftover = Leftover { kind: "rds-instance".into(), region: HYDERABAD.into(), id: SafeText::new("core-dr") };
    assert_eq!(step.leaves(), Some(leftover));
}

#[tokio::test]
async fn an_instance_of_that_name_from_another_run_is_not_taken_for_the_restored_one() {
    let bench = Bench::new().await;
    bench.step("restore").carry().await;
    let later = bench.step("restore");
    let prepared = later.prepare().await;
    assert!(matches!(&prepared, Prepared::NotNow(why) if why.contains("not made by this step")), "{prepared:?}");
    // Were it sent all the same, AWS would refuse it: the name is the token.
    let op = rds::RestoreDbInstanceFromDbSnapshot {
        region: HYDERABAD.into(),
        instance: "core-dr".into(),
        snapshot: "x".into(),
        class: None,
        subnet_group: None,
        tags: BTreeMap::new(),
    };
    let outcome = writer(&bench.connection).send_once(&op).await;
    assert!(
        matches!(&outcome, SendOutcome::Refused { code, .. } if code.as_str() == "DBInstanceAlreadyExists"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_snapshot_is_kept_and_the_newest_usable_one_is_copied_with_a_key_of_hyderabad() {
    let bench = Bench::new().await;
    bench.step("keep").carry().await;
    let copy = bench.step("copy");
    let (done, told) = copy.carry().await;
    saw(&told, &["creating"]);
    assert!(done.contains("dr-dr-core-keep-2026-11-20-09-00-00"), "{done}");
    let keyless = bench.step("copy-keyless").prepare().await;
    assert!(matches!(&keyless, Prepared::NotNow(why) if why.contains("names a key")), "{keyless:?}");
    bench.dark(MUMBAI);
    let unreadable = bench.step("copy").prepare().await;
    assert!(matches!(unreadable, Prepared::NotNow(_)), "the source cannot be listed: {unreadable:?}");
}

#[tokio::test]
async fn a_point_in_time_is_restored_beside_the_primary_and_never_from_a_replica() {
    let bench = Bench::new().await;
    let replica = bench.step("rewind-replica").prepare().await;
    assert!(matches!(&replica, Prepared::NotNow(why) if why.contains("no latest restorable")), "{replica:?}");
    bench.step("rewind").carry().await;
    let state = bench.sim.state();
    let made = state["db_instances"].as_array().expect("a list").iter().find(|made| made["id"] == "core-rewound");
    assert_eq!(made.expect("made")["data_time"], "2026-11-20T08:30:00Z");
}

#[tokio::test]
async fn the_way_home_is_a_new_replica_that_is_done_when_it_replicates() {
    let bench = Bench::new().await;
    let mumbai = bench.dark(MUMBAI);
    bench.step("promote").carry().await;
    let dark = bench.step("home").prepare().await;
    assert!(matches!(dark, Prepared::NotNow(_)), "Mumbai is dark: {dark:?}");
    bench.sim.clear(mumbai).expect("known");
    let (done, _) = bench.step("home").carry().await;
    assert!(done.contains("replicating"), "{done}");
    let replica = &bench.instances(MUMBAI).await["core-mum-2"];
    assert!(replica.replica_of.as_deref().is_some_and(|arn| arn.ends_with(":db:core-hyd")), "{replica:?}");
}

#[tokio::test]
async fn the_leftover_of_a_drill_is_deleted_and_what_the_app_depends_on_is_not() {
    let bench = Bench::new().await;
    bench.step("drill-restore").carry().await;
    let clean = bench.step("clean");
    let (sent, outcome) = clean.send().await;
    assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
    assert!(matches!(clean.prepare().await, Prepared::Busy(_)), "it is being deleted");
    let (_, told) = clean.until_done(&sent).await;
    saw(&told, &["deleting"]);
    assert!(matches!(clean.prepare().await, Prepared::AlreadyDone(_)));
    assert_eq!(clean.acting().clears(&sent), bench.step("drill-restore").leaves());
    let kind = steps::find("rds.delete-instance").expect("registered");
    let depends = bench.step("clean-the-replica");
    let refused = depends.with(None, |about| kind.outline(about)).calls.expect_err("never");
    assert!(refused.contains("depends on core-hyd"), "{refused}");
    assert!(bench.instances(HYDERABAD).await.contains_key("core-hyd"));
}

#[tokio::test]
async fn a_rehearsal_deletes_the_snapshot_that_its_own_step_made_and_no_other() {
    let bench = Bench::new().await;
    let count = |bench: &Bench| {
        let (reader, op) = (bench.connection.reader(), rds::DescribeDbSnapshots { region: MUMBAI.into() });
        async move { reader.read(&op).await.expect("answers").value.len() }
    };
    let earlier = bench.step("keep");
    earlier.carry().await;
    let nothing = bench.step("clean-kept").prepare().await;
    assert!(matches!(nothing, Prepared::AlreadyDone(_)), "an earlier run's is not this run's: {nothing:?}");
    let keep = bench.step("keep");
    let (kept, _) = keep.send().await;
    keep.until_done(&kept).await;
    let before = count(&bench).await;
    let clean = bench.step("clean-kept").after(&keep);
    let (sent, outcome) = clean.send().await;
    assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
    clean.until_done(&sent).await;
    assert_eq!(clean.acting().clears(&sent), keep.acting().leaves(&kept));
    assert_eq!(count(&bench).await, before - 1);
    let again = bench.step("clean-kept").after(&keep).prepare().await;
    assert!(matches!(again, Prepared::AlreadyDone(_)), "{again:?}");
    let stays = bench.step("clean-kept").after(&earlier).prepare().await;
    assert!(matches!(stays, Prepared::Send(_)), "only its own run may take it away: {stays:?}");
}

#[tokio::test]
async fn what_a_drill_kept_of_an_unplanned_failover_goes_and_what_a_real_one_kept_stays() {
    let bench = Bench::new().await;
    let mumbai = bench.dark(MUMBAI);
    let target = "arn:aws:rds:ap-south-2:111122223333:cluster:core-hyd-cluster".to_owned();
    let op = rds::FailoverGlobalCluster {
        region: HYDERABAD.into(),
        global_cluster: "core-global".into(),
        target_arn: target,
    };
    let moved = writer(&bench.connection).send_once(&op).await;
    assert!(matches!(moved, SendOutcome::Accepted { .. }), "{moved:?}");
    bench.advance(Duration::from_secs(120));
    bench.sim.clear(mumbai).expect("known");
    bench.advance(Duration::from_secs(600));
    let keep = bench.step("keep-unplanned");
    let (kept, _) = keep.send().await;
    keep.until_done(&kept).await;
    // A later drill finds it kept already: it made nothing, and must leave it alone.
    bench.advance(Duration::from_secs(3_600));
    let drill = bench.step("keep-unplanned");
    assert!(matches!(drill.prepare().await, Prepared::AlreadyDone(_)));
    let stays = bench.step("clean-unplanned").after(&drill).prepare().await;
    assert!(matches!(stays, Prepared::AlreadyDone(_)), "{stays:?}");
    let clean = bench.step("clean-unplanned").after(&keep);
    let (sent, outcome) = clean.send().await;
    assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
    clean.until_done(&sent).await;
    assert_eq!(clean.acting().clears(&sent), keep.acting().leaves(&kept));
    let automated = rds::DeleteDbClusterSnapshot { region: MUMBAI.into(), snapshot: kept.params[0].1.to_string() };
    let refused = writer(&bench.connection).send_once(&automated).await;
    assert!(
        matches!(&refused, SendOutcome::Refused { code, .. } if code.as_str() == "InvalidDBClusterSnapshotStateFault"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_detached_cluster_gets_a_new_global_database_and_mumbai_joins_it_again() {
    let bench = Bench::new().await;
    let mumbai = bench.dark(MUMBAI);
    let (_, told) = bench.step("detach").carry().await;
    saw(&told, &["promoting"]);
    bench.step("new-global").carry().await;
    bench.sim.clear(mumbai).expect("known");
    let (done, told) = bench.step("rejoin").carry().await;
    saw(&told, &["creating", "pending-resync"]);
    assert!(done.contains("connected"), "{done}");
    let home = rds::SwitchoverGlobalCluster {
        region: HYDERABAD.into(),
        global_cluster: "core-global-2".into(),
        target_arn: "arn:aws:rds:ap-south-1:111122223333:cluster:core-mum-2".into(),
    };
    let writer = writer(&bench.connection);
    let headless = writer.send_once(&home).await;
    assert!(
        matches!(&headless, SendOutcome::Refused { code, .. } if code.as_str() == "InvalidDBClusterStateFault"),
        "a secondary without an instance takes nothing over: {headless:?}"
    );
    bench.step("add").carry().await;
    assert!(matches!(writer.send_once(&home).await, SendOutcome::Accepted { .. }));
    let effects = bench.effects();
    assert!(effects.values().all(|count| *count == 1), "{effects:?}");
    assert_eq!(effects.len(), 5, "{effects:?}");
}

#[test]
fn every_step_of_the_bench_is_of_a_kind_that_says_why_it_cannot_be_undone_or_how() {
    let loaded = estate::load_text(ESTATE, &[RUNBOOK], probes::CATALOGUE, steps::CATALOGUE);
    for step in &loaded.runbooks[0].steps {
        let undo = steps::find(step.kind).expect("registered").spec().undo;
        assert!(undo.starts_with("irreversible because ") || undo.contains("delete"), "{}: {undo}", step.kind);
    }
}
