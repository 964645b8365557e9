//! The collector on scripted wires, in real time with short time-outs: conditions are waited for, never slept for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::*;
use crate::{
    aws::{
        Connection, WireFailure,
        connection::TimeBudget,
        testing::{Asked, HYDERABAD, MUMBAI, Reaction, ScriptedWire, TestClock, answer, empty_answer, settings},
    },
    domain::{
        ComponentId, ProbeFailure, Slot, Timestamp, What,
        app::{Param, ServedMetrics},
        observation::At,
        snapshot::Reach,
    },
    probes::testing::{app, component, estate, text},
};

fn instances() -> Arc<Estate> {
    let mumbai = component("mum-db", "rds-instance", &[("instance", text("db-ap-south-1"))]);
    let hyderabad = component(
        "hyd-db",
        "rds-instance",
        &[("instance", text("db-ap-south-2")), ("side", Param::Side(crate::domain::Side::Recovery))],
    );
    estate(vec![app("payments", vec![mumbai, hyderabad])])
}

/// An instance named after its Region; all else is empty.
fn instances_answer(asked: &Asked) -> Reaction {
    if asked.operation() != "DescribeDBInstances" {
        return empty_answer(asked);
    }
    let body = format!(
        "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>\
         <DBInstanceIdentifier>db-{}</DBInstanceIdentifier><DBInstanceStatus>available</DBInstanceStatus>\
         </DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>",
        asked.region()
    );
    answer(200, "text/xml", body)
}

struct Rig {
    handle: CollectorHandle,
    wire: Arc<ScriptedWire>,
    clock: Arc<TestClock>,
}

impl Rig {
    async fn start(
        estate: Arc<Estate>,
        speed: f64,
        budget: TimeBudget,
        script: impl Fn(&Asked) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let wire = ScriptedWire::new(script);
        let clock = Arc::new(TestClock::new(speed));
        let mut connection = settings(Arc::clone(&wire), Arc::clone(&clock) as Arc<dyn Clock>);
        connection.budget = budget;
        let reader = Connection::open(connection).await.reader();
        let settings = Settings {
            wall_floor: Duration::from_millis(20),
            fresh_wait: Duration::from_millis(300),
            ..Settings::default()
        };
        let handle = Collector::start(estate, reader, Arc::clone(&clock) as Arc<dyn Clock>, settings);
        Self { handle, wire, clock }
    }

    async fn until(&self, what: &str, condition: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut snapshots = self.handle.snapshots();
        let found = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                let snapshot = Arc::clone(&snapshots.borrow_and_update());
                if condition(&snapshot) {
                    return snapshot;
                }
                snapshots.changed().await.expect("the collector runs");
            }
        });
        found.await.unwrap_or_else(|_| panic!("never: {what}; last {:?}", self.handle.snapshots().borrow().regions))
    }
}

fn instance<'a>(snapshot: &'a Snapshot, component: &str, region: &str) -> Option<&'a Slot<crate::domain::Fact>> {
    snapshot.fact(&AppId::new("payments"), &ComponentId::new(component), &RegionId::new(region), What::Instance)
}

fn fresh(snapshot: &Snapshot, component: &str, region: &str, now: Timestamp) -> bool {
    instance(snapshot, component, region).is_some_and(|slot| matches!(slot.at(now), At::Fresh(_)))
}

fn reach(snapshot: &Snapshot, region: &str) -> Reach {
    snapshot.regions[&RegionId::new(region)].reach
}

const QUICK: TimeBudget = crate::aws::testing::QUICK;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_holed_mumbai_does_not_delay_hyderabad() {
    // Time-outs longer than the test waits: whatever is seen of Hyderabad was seen while Mumbai hung.
    let patient = TimeBudget {
        connect: Duration::from_mins(1),
        attempt: Duration::from_mins(1),
        operation: Duration::from_mins(1),
    };
    let rig = Rig::start(instances(), 1.0, patient, |asked| match asked.region() {
        MUMBAI => Reaction::BlackHole,
        _ => instances_answer(asked),
    })
    .await;
    let snapshot = rig.until("Hyderabad fresh", |s| fresh(s, "hyd-db", HYDERABAD, s.taken_at)).await;
    assert!(instance(&snapshot, "mum-db", MUMBAI).is_none(), "Mumbai is still hanging");
    let app = AppId::new("payments");
    let before = rig.clock.monotonic();
    rig.handle.fresh(&app).await;
    // Mumbai never answered, so it is not known to be dead: it is waited for, but not longer than the bound.
    assert!(rig.clock.monotonic().saturating_sub(before) < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_region_is_told_from_a_dead_network_and_noticed_when_it_returns() {
    let dead = Arc::new(AtomicBool::new(true));
    let script = Arc::clone(&dead);
    let rig = Rig::start(instances(), 30.0, QUICK, move |asked| {
        if asked.region() == MUMBAI && script.load(Ordering::SeqCst) {
            return Reaction::Fail(WireFailure::Refused);
        }
        instances_answer(asked)
    })
    .await;
    // The Region is judged by its vantage points, which may answer before the database was asked for.
    let tried = |s: &Snapshot| reach(s, MUMBAI) == Reach::RegionDown && instance(s, "mum-db", MUMBAI).is_some();
    let down = rig.until("Mumbai down", tried).await;
    assert_eq!(reach(&down, HYDERABAD), Reach::Reachable);
    let slot = instance(&down, "mum-db", MUMBAI).expect("tried");
    assert_eq!(slot.failure.as_ref().map(|e| e.failure), Some(ProbeFailure::Unreachable));
    assert!(matches!(slot.at(down.taken_at), At::Unknown { .. }));
    let mumbai = RegionId::new(MUMBAI);
    assert!(down.regions[&mumbai].vantages.iter().filter(|v| v.region == mumbai).count() >= 2);
    assert!(down.regions[&mumbai].vantages.iter().any(|v| v.region != mumbai));

    rig.until("given up on", |s| s.regions[&mumbai].cycles_unreachable >= schedule::CYCLES_UNTIL_PROBE).await;
    let rds = |asked: &Asked| asked.service() == "rds" && asked.region() == MUMBAI;
    let sts = |asked: &Asked| asked.service() == "sts" && asked.region() == MUMBAI;
    let (rds_before, sts_before) = (rig.wire.count(rds), rig.wire.count(sts));
    rig.until("probed", |_| rig.wire.count(sts) >= sts_before + 4).await;
    assert_eq!(rig.wire.count(rds), rds_before, "only the cheap question is asked");

    dead.store(false, Ordering::SeqCst);
    rig.until("Mumbai back", |s| reach(s, MUMBAI) == Reach::Reachable && fresh(s, "mum-db", MUMBAI, s.taken_at)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_nothing_answers_anywhere_it_may_be_my_own_network() {
    let rig = Rig::start(instances(), 30.0, QUICK, |_| Reaction::Fail(WireFailure::Refused)).await;
    let snapshot =
        rig.until("all dead", |s| [MUMBAI, HYDERABAD].iter().all(|region| reach(s, region) == Reach::OwnNetwork)).await;
    assert!(snapshot.facts.values().all(|slot| slot.last.is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_refresh_keeps_the_last_value_with_its_age_and_the_cause() {
    let denied = Arc::new(AtomicBool::new(false));
    let script = Arc::clone(&denied);
    let rig = Rig::start(instances(), 30.0, QUICK, move |asked| {
        if asked.operation() == "DescribeDBInstances" && script.load(Ordering::SeqCst) {
            let body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
            return answer(403, "text/xml", body);
        }
        instances_answer(asked)
    })
    .await;
    rig.until("fresh", |s| fresh(s, "mum-db", MUMBAI, s.taken_at)).await;
    denied.store(true, Ordering::SeqCst);
    rig.handle.refresh_now();
    let failed = |s: &Snapshot| instance(s, "mum-db", MUMBAI).is_some_and(|slot| slot.failure.is_some());
    let snapshot = rig.until("denied", failed).await;
    let slot = instance(&snapshot, "mum-db", MUMBAI).expect("kept");
    assert!(slot.last.is_some());
    assert_eq!(slot.failure.as_ref().map(|e| e.failure), Some(ProbeFailure::Denied));
    assert_eq!(reach(&snapshot, MUMBAI), Reach::Reachable, "a refusal is an answer");
    let later = snapshot.taken_at + Duration::from_hours(1);
    assert!(matches!(slot.at(later), At::Stale { cause: Some(_), .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_suspend_nothing_is_known_until_it_is_read_again() {
    let hang = Arc::new(AtomicBool::new(false));
    let script = Arc::clone(&hang);
    let rig = Rig::start(instances(), 1.0, QUICK, move |asked| {
        if script.load(Ordering::SeqCst) { Reaction::BlackHole } else { instances_answer(asked) }
    })
    .await;
    rig.until("fresh", |s| fresh(s, "mum-db", MUMBAI, s.taken_at) && fresh(s, "hyd-db", HYDERABAD, s.taken_at)).await;
    hang.store(true, Ordering::SeqCst);
    rig.handle.forget();
    let snapshot = Arc::clone(&rig.handle.snapshots().borrow());
    assert!(snapshot.facts.is_empty() && snapshot.jobs.is_empty(), "forgotten at once");
    assert_eq!(reach(&snapshot, MUMBAI), Reach::Unknown);
    hang.store(false, Ordering::SeqCst);
    rig.until("read again", |s| fresh(s, "mum-db", MUMBAI, s.taken_at)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_asks_for_five_hundred_metrics_at_a_time_and_lists_once_for_all() {
    let metric = |n: usize| {
        let params = [
            ("namespace", text("Bank")),
            ("metric", Param::Text(format!("M{n}"))),
            ("side", Param::Side(crate::domain::Side::Primary)),
        ];
        component(&format!("m{n}"), "metric", &params)
    };
    let mut apps = vec![app("many", (0..1_001).map(metric).collect())];
    for name in ["a", "b"] {
        apps.push(app(name, vec![component("db", "rds-instance", &[("instance", text("db-ap-south-1"))])]));
    }
    let rig = Rig::start(estate(apps), 1.0, QUICK, instances_answer).await;
    let mumbai = RegionId::new(MUMBAI);
    rig.until("all metrics tried", |s| s.facts.keys().filter(|id| id.what == What::Gauge).count() == 1_001).await;
    rig.until("instances", |s| s.facts.keys().filter(|id| id.what == What::Instance).count() == 2).await;
    let count =
        |operation: &str| rig.wire.count(|asked| asked.region() == mumbai.as_str() && asked.operation() == operation);
    assert_eq!(count("GetMetricData"), 3);
    assert_eq!(count("DescribeDBInstances"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customers_served_is_read_in_both_regions_with_last_week_beside_it() {
    let mut shop = app("shop", Vec::new());
    shop.served = Some(ServedMetrics {
        namespace: "Bank".into(),
        good: "Good".into(),
        total: "Total".into(),
        dimensions: BTreeMap::new(),
    });
    let rig = Rig::start(estate(vec![shop]), 1.0, QUICK, |asked| {
        if asked.operation() != "GetMetricData" {
            return empty_answer(asked);
        }
        // One query: last week's. Two: this hour's.
        let last_week = asked.body.matches("MetricName").count() == 1;
        let at = if last_week { "2026-05-22T00:00:00Z" } else { "2026-05-29T00:00:00Z" };
        let result =
            |id: &str| serde_json::json!({"Id": id, "StatusCode": "Complete", "Timestamps": [at], "Values": [9.0]});
        let body = serde_json::json!({"MetricDataResults": [result("m0"), result("m1")]});
        answer(200, "application/cbor", crate::aws::testing::cbor(&body))
    })
    .await;
    let total = |s: &Snapshot, region: &str| {
        let slot =
            s.fact(&AppId::new("shop"), &ComponentId::new("served"), &RegionId::new(region), What::ServedTotal)?;
        match &slot.last.as_ref()?.value {
            crate::domain::Fact::ServedTotal(series) => Some(series.points.len()),
            _ => None,
        }
    };
    rig.until("both weeks", |s| total(s, MUMBAI) == Some(2) && total(s, HYDERABAD) == Some(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_that_ask_again_and_again_do_not_heap_up_calls_to_a_dead_region() {
    let dead = Arc::new(AtomicBool::new(false));
    let script = Arc::clone(&dead);
    let patient = TimeBudget { attempt: Duration::from_secs(60), operation: Duration::from_secs(60), ..QUICK };
    let rig = Rig::start(instances(), 1.0, patient, move |asked| {
        if asked.region() == MUMBAI && script.load(Ordering::SeqCst) {
            Reaction::BlackHole
        } else {
            instances_answer(asked)
        }
    })
    .await;
    rig.until("fresh", |s| fresh(s, "mum-db", MUMBAI, s.taken_at) && fresh(s, "hyd-db", HYDERABAD, s.taken_at)).await;
    dead.store(true, Ordering::SeqCst);
    let asked = |region: &'static str| {
        rig.wire.count(move |asked| asked.region() == region && asked.operation() == "DescribeDBInstances")
    };
    let before = (asked(MUMBAI), asked(HYDERABAD));
    let payments = AppId::new("payments");
    for _ in 0..20 {
        rig.handle.fresh(&payments).await;
    }
    let (mumbai, hyderabad) = (asked(MUMBAI) - before.0, asked(HYDERABAD) - before.1);
    assert_eq!(hyderabad, 20, "every guard reads Hyderabad afresh");
    assert!(mumbai <= Settings::default().concurrency, "{mumbai} hang");
}
