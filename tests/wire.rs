//! Every operation through the real SDK against the simulator's wire protocols, and the collector on top.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use pointsman::{
    aws::{
        Connection, ConnectionSettings, Read, ReadOp, SendOutcome, Transport, Wire, WireFailure, backup, cloudwatch,
        connection::TimeBudget, overrides::Environment, rds, route53, sts, write::writer,
    },
    clock::SystemClock,
    collect::{Collector, CollectorHandle, Settings},
    domain::{
        AppId, Clock, Estate, Fact, Mode, ProbeFailure, RegionId, Snapshot, Timestamp, What,
        fact::SERVED,
        observation::At,
        resource::{JobKind, MetricId, RecordSet, Routing},
        snapshot::Reach,
    },
    estate::{self, Source},
    probes,
    sim::{
        Options, Reply, Sim,
        fault::{Down, Fault, FaultKind},
    },
    steps,
};

const START: &str = "2026-11-20T09:00:00Z";

fn region(id: &str) -> RegionId {
    RegionId::new(id)
}

fn mumbai() -> RegionId {
    region("ap-south-1")
}

fn hyderabad() -> RegionId {
    region("ap-south-2")
}

#[derive(Clone, Debug)]
struct InProcess(Arc<Sim>);

impl Wire for InProcess {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>> {
        let sim = Arc::clone(&self.0);
        Box::pin(async move {
            match sim.handle(request) {
                Reply::Answer { after, response } => {
                    if !after.is_zero() {
                        tokio::time::sleep(after).await;
                    }
                    Ok(response)
                }
                Reply::Refused => Err(WireFailure::Refused),
                Reply::BlackHole => std::future::pending().await,
                Reply::Lost { after } => {
                    tokio::time::sleep(after).await;
                    Err(WireFailure::Broken)
                }
            }
        })
    }
}

struct Rig {
    sim: Arc<Sim>,
    estate: Arc<Estate>,
    clock: Arc<SystemClock>,
    connection: Connection,
}

async fn rig(speed: f64) -> Rig {
    let (sim, estate, clock) = simulator(speed);
    let transport = Transport::Wire(Arc::new(InProcess(Arc::clone(&sim))));
    connected(sim, estate, clock, transport, Environment::new()).await
}

/// Over a port, as a console pointed at `sim serve` is.
async fn rig_over_http(speed: f64) -> Rig {
    let (sim, estate, clock) = simulator(speed);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(pointsman::sim::server::serve(Arc::clone(&sim), listener, std::future::pending()));
    let environment = [("AWS_ENDPOINT_URL".to_owned(), url)].into();
    connected(sim, estate, clock, Transport::Network, environment).await
}

fn simulator(speed: f64) -> (Arc<Sim>, Arc<Estate>, Arc<SystemClock>) {
    let loaded = estate::load(&Source::Bundled, probes::CATALOGUE, steps::CATALOGUE);
    let estate = loaded.estate.expect("the bundled estate is valid");
    let clock = Arc::new(SystemClock::default());
    let start = Timestamp::parse(START).expect("a time");
    let sim = Arc::new(Sim::new(Options {
        estate: Arc::clone(&estate),
        seed: 7,
        speed,
        start,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
    }));
    (sim, estate, clock)
}

async fn connected(
    sim: Arc<Sim>,
    estate: Arc<Estate>,
    clock: Arc<SystemClock>,
    transport: Transport,
    environment: Environment,
) -> Rig {
    let anchor = Arc::clone(&clock);
    let settings = ConnectionSettings {
        on_simulator: Arc::new(move |notice| anchor.anchor(notice.estate, notice.speed)),
        budget: TimeBudget {
            connect: Duration::from_millis(100),
            attempt: Duration::from_millis(400),
            operation: Duration::from_secs(2),
        },
        ..ConnectionSettings::for_estate(&estate, transport, environment, Arc::clone(&clock) as Arc<dyn Clock>)
    };
    let connection = Connection::open(settings).await;
    Rig { sim, estate, clock, connection }
}

impl Rig {
    async fn read<O: ReadOp>(&self, op: O) -> Read<O::Output> {
        let call = op.describe();
        self.connection.reader().read(&op).await.unwrap_or_else(|error| panic!("{call}: {error:?}"))
    }

    fn collect(&self) -> CollectorHandle {
        let settings = Settings { wall_floor: Duration::from_millis(100), ..Settings::default() };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Collector::start(Arc::clone(&self.estate), self.connection.reader(), clock, settings)
    }
}

async fn until(handle: &CollectorHandle, what: &str, condition: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let mut snapshots = handle.snapshots();
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            if condition(&snapshot) {
                return snapshot;
            }
            snapshots.changed().await.expect("the collector runs");
        }
    });
    match found.await {
        Ok(snapshot) => snapshot,
        Err(tokio::time::error::Elapsed { .. }) => {
            panic!("never: {what}; failures {:#?}", handle.snapshots().borrow().failures())
        }
    }
}

#[tokio::test]
async fn rds_reads_answer_over_xml() {
    let rig = rig(0.0).await;
    let clusters = rig.read(rds::DescribeGlobalClusters { region: hyderabad(), id: None }).await.value;
    let payments = clusters.iter().find(|cluster| cluster.id.as_str() == "payments-global").expect("payments");
    assert_eq!(payments.writer().map(|writer| writer.region.clone()), Some(mumbai()));
    let one = rds::DescribeGlobalClusters { region: mumbai(), id: Some("payments-global".into()) };
    assert_eq!(rig.read(one).await.value.len(), 1);
    let members = rig.read(rds::DescribeDbClusters { region: mumbai(), id: None }).await.value;
    assert!(members.iter().any(|cluster| cluster.latest_restorable.is_some()));
    let instances = rig.read(rds::DescribeDbInstances { region: mumbai() }).await.value;
    assert!(instances.iter().all(|instance| !instance.id.is_empty() && !instance.status.is_empty()));
    rig.read(rds::DescribeDbClusterSnapshots { region: mumbai(), cluster: None }).await;
    rig.read(rds::DescribeDbSnapshots { region: mumbai() }).await;
    let since = rig.sim.now() - Duration::from_hours(1);
    rig.read(rds::DescribeDbEvents { region: mumbai(), since }).await;
    let missing = rds::DescribeGlobalClusters { region: mumbai(), id: Some("nobody".into()) };
    let error = rig.connection.reader().read(&missing).await.expect_err("it does not exist");
    assert_eq!(error.failure, ProbeFailure::NotFound, "{error:?}");
}

#[tokio::test]
async fn backup_reads_answer_over_json() {
    let rig = rig(0.0).await;
    let created_after = rig.sim.now() - Duration::from_hours(24);
    let backups = rig.read(backup::ListBackupJobs { region: mumbai(), created_after }).await.value;
    assert!(
        !backups.is_empty() && backups.iter().all(|job| job.kind == JobKind::Backup && job.created > created_after)
    );
    let copies = rig.read(backup::ListCopyJobs { region: mumbai(), created_after }).await.value;
    assert!(copies.iter().any(|job| job.destination == Some(hyderabad())));
    rig.read(backup::ListRestoreJobs { region: hyderabad(), created_after }).await;
    let vaults = rig.read(backup::ListBackupVaults { region: hyderabad() }).await.value;
    let vault = vaults.iter().find(|vault| vault.points > 0).expect("a vault with points");
    let described = backup::DescribeBackupVault { region: hyderabad(), vault: vault.name.to_string() };
    assert_eq!(rig.read(described).await.value.points, vault.points);
    let points = backup::ListRecoveryPointsByBackupVault {
        region: hyderabad(),
        vault: vault.name.to_string(),
        resource: None,
        created_after,
    };
    let points = rig.read(points).await.value;
    assert!(!points.is_empty() && points.iter().all(|point| point.created <= rig.sim.now()));
    assert!(!rig.read(backup::ListBackupPlans { region: mumbai() }).await.value.is_empty());
}

#[tokio::test]
async fn cloudwatch_reads_answer_over_cbor() {
    let rig = rig(0.0).await;
    let metrics =
        rig.read(cloudwatch::ListMetrics { region: hyderabad(), namespace: Some("AWS/RDS".into()), name: None });
    let metrics: Vec<MetricId> = metrics.await.value;
    let lag = metrics.iter().find(|metric| metric.name == "AuroraGlobalDBRPOLag").expect("the lag of the secondary");
    let now = rig.sim.now();
    let op = cloudwatch::GetMetricData {
        region: hyderabad(),
        queries: vec![cloudwatch::MetricQuery {
            metric: lag.clone(),
            stat: "Maximum".into(),
            period: Duration::from_mins(1),
        }],
        start: now - Duration::from_hours(1),
        end: now,
    };
    let answers = rig.read(op).await.value;
    let series = answers[0].series.as_ref().expect("a series");
    assert!(series.points.len() > 50, "{} points", series.points.len());
    assert!(series.points.windows(2).all(|pair| pair[0].at < pair[1].at));
    rig.read(cloudwatch::DescribeAlarms { region: mumbai() }).await;
}

#[tokio::test]
async fn route53_and_sts_answer_and_a_change_comes_into_sync() {
    let rig = rig(600.0).await;
    let zones = rig.read(route53::ListHostedZones).await.value;
    let zone = zones.first().expect("a zone").id.to_string();
    let all = route53::ListResourceRecordSets { zone: zone.clone(), name: None, kind: None };
    let records = rig.read(all).await.value;
    let weighted = |set: &&RecordSet| matches!(set.routing, Routing::Weighted { .. });
    let old = records.iter().find(weighted).expect("a weighted record").clone();
    let of_name = route53::ListResourceRecordSets {
        zone: zone.clone(),
        name: Some(old.name.clone()),
        kind: Some(old.kind.clone()),
    };
    assert!(rig.read(of_name.clone()).await.value.contains(&old));

    let new = RecordSet { routing: Routing::Weighted { weight: 42 }, ..old.clone() };
    let change = |action, set: &RecordSet| route53::RecordChange { action, set: set.clone() };
    let op = route53::ChangeRecordSets {
        zone,
        comment: "test".into(),
        changes: vec![change(route53::RecordAction::Delete, &old), change(route53::RecordAction::Create, &new)],
    };
    let writer = writer(&rig.connection);
    let SendOutcome::Accepted { detail, .. } = writer.send_once(&op).await else { panic!("refused") };
    let in_sync = async {
        while !rig.read(route53::GetChange { id: detail.to_string() }).await.value.in_sync {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), in_sync).await.expect("in sync in estate time");
    assert!(rig.read(of_name).await.value.contains(&new));
    let SendOutcome::Refused { code, .. } = writer.send_once(&op).await else { panic!("the old set is gone") };
    assert_eq!(code.as_str(), "InvalidChangeBatch", "a delete of what is no longer so is refused: compare and set");

    let checks = rig.read(route53::ListHealthChecks).await.value;
    let id = checks.first().expect("a health check").id.to_string();
    assert!(rig.read(route53::GetHealthCheck { id }).await.value.healthy_percent.is_some());
    for place in [mumbai(), hyderabad(), region("us-east-1")] {
        let identity = rig.read(sts::GetCallerIdentity { region: place }).await.value;
        assert_eq!(identity.account.as_str(), rig.estate.expects_account);
    }
}

#[tokio::test]
async fn a_switchover_moves_the_writer_and_a_failover_brings_it_back() {
    let rig = rig(6_000.0).await;
    let state = || rds::DescribeGlobalClusters { region: hyderabad(), id: Some("payments-global".into()) };
    let before = rig.read(state()).await.value.remove(0);
    let arn_in = |place: &RegionId| before.member_in(place).expect("a member").cluster_arn.clone();
    let writer = writer(&rig.connection);
    let moved_to = async |place: RegionId| {
        let moved = async {
            loop {
                let now = rig.read(state()).await.value.remove(0);
                let in_step = now.members.iter().all(|member| {
                    member.writer || member.synchronization.as_ref().is_some_and(|status| &**status == "connected")
                });
                if in_step && now.failover.is_none() && now.writer().is_some_and(|writer| writer.region == place) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), moved).await.expect("moved");
    };
    let switchover = rds::SwitchoverGlobalCluster {
        region: mumbai(),
        global_cluster: "payments-global".into(),
        target_arn: arn_in(&hyderabad()),
    };
    let outcome = writer.send_once(&switchover).await;
    assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
    moved_to(hyderabad()).await;
    let failover = rds::FailoverGlobalCluster {
        region: mumbai(),
        global_cluster: "payments-global".into(),
        target_arn: arn_in(&mumbai()),
    };
    let outcome = writer.send_once(&failover).await;
    assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
    moved_to(mumbai()).await;
}

#[tokio::test]
async fn a_lost_reply_leaves_a_change_in_doubt_and_is_not_sent_again() {
    let rig = rig(0.0).await;
    let kind =
        FaultKind::ReplyLost { service: Some("rds".into()), operation: Some("FailoverGlobalCluster".into()), count: 1 };
    rig.sim.inject(Fault { id: 0, kind, from: None, until: None }).expect("a fault");
    let state = rds::DescribeGlobalClusters { region: hyderabad(), id: Some("payments-global".into()) };
    let before = rig.read(state.clone()).await.value.remove(0);
    let op = rds::FailoverGlobalCluster {
        region: hyderabad(),
        global_cluster: "payments-global".into(),
        target_arn: before.member_in(&hyderabad()).expect("a member").cluster_arn.clone(),
    };
    let outcome = writer(&rig.connection).send_once(&op).await;
    assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{outcome:?}");
    let sent = rig.sim.calls().iter().filter(|call| call.operation == "FailoverGlobalCluster").count();
    assert_eq!(sent, 1);
    assert!(rig.read(state).await.value[0].failover.is_some(), "observing tells that it took effect");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_estate_becomes_fresh_and_shows_that_it_is_simulated() {
    let rig = rig(1.0).await;
    let before = rig.clock.monotonic();
    let handle = rig.collect();
    let wanted = wanted_facts(&rig.estate);
    let fresh = |s: &Snapshot| {
        wanted.iter().all(|id| s.facts.get(id).is_some_and(|slot| matches!(slot.at(s.taken_at), At::Fresh(_))))
            && s.jobs.len() == 6
            && s.identities.len() == 3
    };
    let snapshot = until(&handle, "all facts fresh", fresh).await;
    eprintln!("whole board fresh after {:?}", rig.clock.monotonic().saturating_sub(before));
    assert_eq!(snapshot.mode, Mode::Simulated { speed: 1.0 });
    assert!(snapshot.failures().is_empty(), "{:#?}", snapshot.failures());
    for place in [mumbai(), hyderabad()] {
        assert_eq!(snapshot.regions[&place].reach, Reach::Reachable, "{place}");
    }
    let payments = AppId::new("payments");
    let lag = snapshot
        .facts
        .iter()
        .find(|(id, _)| id.app == payments && id.what == What::Lag && id.region == hyderabad())
        .and_then(|(_, slot)| slot.last.as_ref());
    match lag.map(|lag| &lag.value) {
        Some(Fact::Lag(series)) => {
            let newest = series.newest().expect("points").value;
            assert!((0.0..30.0).contains(&newest), "seconds, not milliseconds: {newest}");
        }
        other => panic!("{other:?}"),
    }
    let served = snapshot.facts.iter().find(|(id, _)| id.component.as_str() == SERVED && id.what == What::ServedTotal);
    assert!(served.is_some());
}

/// The facts that answer for the RPO, of every observed component.
fn wanted_facts(estate: &Estate) -> BTreeSet<pointsman::domain::FactId> {
    let mut wanted = BTreeSet::new();
    for app in &estate.apps {
        for component in app.components.iter().filter(|component| component.observed) {
            for (side, what) in component.region_lost.iter().chain(&component.corrupted) {
                wanted.insert(pointsman::domain::FactId {
                    app: app.id.clone(),
                    component: component.id.clone(),
                    region: estate.regions.get(*side).id.clone(),
                    what: *what,
                });
            }
        }
    }
    assert!(wanted.len() > 10, "the bundled estate has components: {}", wanted.len());
    wanted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_pointed_at_a_served_simulator_shows_simulated_by_itself_and_runs_on_its_clock() {
    let rig = rig_over_http(30.0).await;
    assert_eq!(rig.connection.endpoint_overrides().len(), 1);
    let handle = rig.collect();
    let wanted = wanted_facts(&rig.estate);
    let fresh = |s: &Snapshot| {
        wanted.iter().all(|id| s.facts.get(id).is_some_and(|slot| matches!(slot.at(s.taken_at), At::Fresh(_))))
    };
    let snapshot = until(&handle, "all facts fresh", fresh).await;
    assert_eq!(snapshot.mode, Mode::Simulated { speed: 30.0 });
    let apart = rig.clock.now().since(rig.sim.now()).max(rig.sim.now().since(rig.clock.now()));
    assert!(apart < Duration::from_secs(60), "{apart:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refresh_takes_one_metric_call_per_region_and_one_call_per_listing() {
    let rig = rig(0.0).await;
    // On the simulator's clock from the start, as a simulator in the same process can be; otherwise its first
    // answer moves the clock and everything is read again.
    rig.clock.anchor(rig.sim.now(), 0.0);
    let handle = rig.collect();
    let wanted = wanted_facts(&rig.estate);
    until(&handle, "all facts tried", |s| wanted.iter().all(|id| s.facts.contains_key(id)) && s.jobs.len() == 6).await;
    let mut calls: BTreeMap<(RegionId, &'static str), usize> = BTreeMap::new();
    for call in rig.connection.log().since(0) {
        *calls.entry((call.region, call.operation)).or_default() += 1;
    }
    let snapshots = rig.read(rds::DescribeDbSnapshots { region: hyderabad() }).await.value.len();
    for ((place, operation), count) in calls {
        let bound = match operation {
            // Three windows: the last hour; and once an hour the day before, for the last lag before an outage, and the
            // same hour of last week, for customers served.
            "GetMetricData" => 3,
            // 96 a day are kept: as many calls as pages of 100, the most that RDS gives (field guide 2).
            "DescribeDBSnapshots" => snapshots.div_ceil(100).max(1),
            _ => 1,
        };
        let by_resource = ["ListResourceRecordSets", "GetHealthCheck", "GetHealthCheckStatus"].contains(&operation)
            || operation == "ListRecoveryPointsByBackupVault";
        assert!(by_resource || count <= bound, "{operation} in {place}: {count}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_holed_mumbai_is_called_down_while_hyderabad_stays_fresh() {
    let rig = rig(1.0).await;
    let handle = rig.collect();
    until(&handle, "Mumbai reachable", |s| {
        s.regions.get(&mumbai()).is_some_and(|health| health.reach == Reach::Reachable)
    })
    .await;
    let kind = FaultKind::RegionDown { region: mumbai(), how: Down::Blackhole };
    rig.sim.inject(Fault { id: 0, kind, from: None, until: None }).expect("a fault");
    handle.refresh_now();
    let down = until(&handle, "Mumbai down", |s| s.regions[&mumbai()].reach == Reach::RegionDown).await;
    assert_eq!(down.regions[&hyderabad()].reach, Reach::Reachable);
    let payments = AppId::new("payments");
    let before = rig.clock.monotonic();
    let snapshot = handle.fresh(&payments).await;
    let took = rig.clock.monotonic().saturating_sub(before);
    assert!(took < Duration::from_secs(2), "a dead Region is not waited for: {took:?}");
    let topology = snapshot
        .facts
        .iter()
        .find(|(id, _)| id.app == payments && id.what == What::Topology)
        .and_then(|(_, slot)| slot.last.as_ref())
        .expect("seen from Hyderabad");
    assert_eq!(topology.region, hyderabad());
    assert!(snapshot.taken_at.since(topology.observed_at) <= Duration::from_secs(2));
}
