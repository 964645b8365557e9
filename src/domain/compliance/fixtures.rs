//! Small worlds for the tests of this folder: one app, two Regions, facts put in by hand.

use std::{collections::BTreeMap, time::Duration};

use super::{Execution, Question};
use crate::domain::{
    AppId, ComponentId, Estate, Fact, FactId, Mode, Observation, ProbeError, ProbeFailure, Region, RegionId,
    RegionPair, Series, Side, Slot, Snapshot, Timestamp, What, Zone,
    app::{App, BackupPolicy, Component, Param, Params, Residency, Role, Strategy, Timings},
    fact::{Point, PointSet},
    resource::{GlobalCluster, GlobalMember, PointStatus, RecoveryPoint},
    snapshot::{Reach, RegionHealth},
};

pub fn now() -> Timestamp {
    Timestamp::parse("2026-11-20T09:02:00Z").expect("valid")
}

pub fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

pub fn seen<T>(value: T, observed_at: Timestamp) -> Slot<T> {
    Slot::seen(Observation {
        value,
        data_time: observed_at,
        observed_at,
        source: "test".into(),
        region: RegionId::new("ap-south-2"),
        budget: Duration::from_mins(2),
    })
}

pub fn error() -> ProbeError {
    ProbeError {
        failure: ProbeFailure::Denied,
        region: RegionId::new("ap-south-2"),
        call: "cloudwatch GetMetricData".into(),
        message: "not authorized".into(),
        at: now(),
    }
}

/// One point a minute, the newest at `newest`.
pub fn series(values: &[f64], newest: Timestamp) -> Series {
    let count = values.len() as u64;
    let at = |n: u64| newest - minutes(count - 1 - n);
    let points = values.iter().zip(0..).map(|(value, n)| Point { at: at(n), value: *value }).collect();
    Series { period: minutes(1), points }
}

pub fn point(created: Timestamp) -> RecoveryPoint {
    RecoveryPoint {
        arn: format!("point-{}", created.millis()),
        resource_arn: "arn:aws:rds:ap-south-1:111122223333:db:vendor-db".into(),
        vault: "bank-hyd".into(),
        status: PointStatus::Completed,
        created,
        completed: Some(created + minutes(25)),
        delete_at: None,
        size_bytes: 0,
        locked: None,
    }
}

pub fn points(created: &[Timestamp]) -> PointSet {
    let points = created.iter().map(|at| point(*at)).collect();
    PointSet { vault: "bank-hyd".into(), points, usable: true, truncated: false }
}

pub fn hourly() -> BackupPolicy {
    BackupPolicy {
        every: minutes(60),
        retention: minutes(720),
        start_window: minutes(60),
        copy_to: Some(Side::Recovery),
        declared_duration_p99: minutes(37),
    }
}

pub fn execution(critical_path: Duration) -> Execution {
    Execution {
        critical_path,
        basis: "declared".into(),
        dns_ttl: Duration::from_secs(30),
        verification: Duration::from_mins(1),
        runbook_digest: "digest".into(),
    }
}

pub fn app(id: &str) -> App {
    App {
        id: AppId::new(id),
        name: id.into(),
        tier: 2,
        criticality: "high".into(),
        strategy: Strategy::BackupRestore,
        rpo: Some(minutes(60)),
        rto: Some(minutes(120)),
        depends_on: Vec::new(),
        backup: None,
        components: Vec::new(),
        runbooks: BTreeMap::new(),
        drills: Vec::new(),
        served: None,
        accepted: None,
        timings: Timings {
            detection: minutes(2),
            decision: minutes(5),
            dns_ttl: Duration::from_mins(1),
            verification: minutes(1),
            execution: None,
        },
        note: None,
        parameters: BTreeMap::new(),
        not_again_within: None,
    }
}

pub fn component(id: &str, region_lost: Option<(Side, What)>, corrupted: &[(Side, What)]) -> Component {
    Component {
        id: ComponentId::new(id),
        kind: "test",
        kind_title: "test",
        observed: true,
        mandatory: true,
        role: Role::Data,
        rpo: None,
        params: Params::default(),
        region_lost,
        corrupted: corrupted.to_vec(),
    }
}

pub struct World {
    pub estate: Estate,
    pub app: App,
    pub snapshot: Snapshot,
    pub execution: Option<Execution>,
    pub now: Timestamp,
}

impl World {
    pub fn new(id: &str) -> Self {
        let region = |id: &str, name: &str| Region { id: RegionId::new(id), name: name.into() };
        let regions =
            RegionPair { primary: region("ap-south-1", "Mumbai"), recovery: region("ap-south-2", "Hyderabad") };
        Self {
            estate: Estate {
                name: "Test bank".into(),
                origin: "test".into(),
                zone: Zone::utc(),
                expects_account: "111122223333".into(),
                regions,
                residency: Residency::default(),
                access: BTreeMap::new(),
                freezes: Vec::new(),
                apps: Vec::new(),
                warnings: Vec::new(),
            },
            app: app(id),
            snapshot: Snapshot::empty(Mode::Live, now()),
            execution: None,
            now: now(),
        }
    }

    /// Payments as it is when all is well: lag 0.8 s against 1 s.
    pub fn payments() -> Self {
        let mut world = Self::new("payments");
        world.app.tier = 1;
        world.app.rpo = Some(Duration::from_secs(1));
        world.app.components =
            vec![component("payments-global", Some((Side::Recovery, What::Lag)), &[(Side::Primary, What::Restorable)])];
        world.writer(Side::Primary);
        world.lag(Side::Recovery, &[0.8; 5], 58);
        world.restorable(Side::Primary, 5);
        world
    }

    /// An app whose only protection is an hourly backup; `age` of the newest copy.
    pub fn hourly(id: &str, rpo: Option<Duration>, age: Duration) -> Self {
        let mut world = Self::new(id);
        world.app.rpo = rpo;
        world.app.backup = Some(hourly());
        let mut db = component(
            "db",
            Some((Side::Recovery, What::RecoveryPoints)),
            &[(Side::Primary, What::RecoveryPoints), (Side::Recovery, What::RecoveryPoints)],
        );
        let resource = Param::Text("arn:aws:rds:ap-south-1:111122223333:db:vendor-db".into());
        db.params.0.insert("resource".into(), resource);
        world.app.components = vec![db];
        for side in Side::BOTH {
            world.put("db", side, What::RecoveryPoints, Fact::RecoveryPoints(points(&[now() - age])));
        }
        world
    }

    pub fn region(&self, side: Side) -> RegionId {
        self.estate.regions.get(side).id.clone()
    }

    pub fn put(&mut self, component: &str, side: Side, what: What, fact: Fact) {
        self.put_slot(component, side, what, seen(fact, self.now));
    }

    pub fn put_slot(&mut self, component: &str, side: Side, what: What, slot: Slot<Fact>) {
        let (app, region) = (self.app.id.clone(), self.region(side));
        self.snapshot.facts.insert(FactId { app, component: ComponentId::new(component), region, what }, slot);
    }

    pub fn remove(&mut self, component: &str, side: Side, what: What) {
        let (app, region) = (self.app.id.clone(), self.region(side));
        self.snapshot.facts.remove(&FactId { app, component: ComponentId::new(component), region, what });
    }

    /// The global cluster with its writer there, read in both Regions.
    pub fn writer(&mut self, side: Side) {
        let member = |at: Side, world: &Self| GlobalMember {
            cluster_arn: format!("arn:aws:rds:{}:111122223333:cluster:payments", world.region(at)),
            region: world.region(at),
            writer: at == side,
            synchronization: Some("connected".into()),
        };
        let cluster = GlobalCluster {
            id: "payments-global".into(),
            arn: "arn".into(),
            status: "available".into(),
            engine: "aurora-postgresql".into(),
            engine_version: "16".into(),
            members: Side::BOTH.iter().map(|at| member(*at, self)).collect(),
            failover: None,
        };
        for at in Side::BOTH {
            self.put("payments-global", at, What::Topology, Fact::Topology(cluster.clone()));
        }
    }

    pub fn lag(&mut self, side: Side, values: &[f64], age_seconds: u64) {
        let newest = self.now - Duration::from_secs(age_seconds);
        self.put("payments-global", side, What::Lag, Fact::Lag(series(values, newest)));
    }

    pub fn restorable(&mut self, side: Side, age_minutes: u64) {
        let latest = Some(self.now - minutes(age_minutes));
        let window = crate::domain::fact::Restorable { earliest: None, latest };
        self.put("payments-global", side, What::Restorable, Fact::Restorable(window));
    }

    pub fn region_down(&mut self, side: Side, for_how_long: Duration) {
        let health = RegionHealth {
            reach: Reach::RegionDown,
            vantages: Vec::new(),
            since: self.now - for_how_long,
            cycles_unreachable: 5,
        };
        self.snapshot.regions.insert(self.region(side), health);
    }

    pub fn question(&self) -> Question<'_> {
        Question {
            estate: &self.estate,
            app: &self.app,
            snapshot: &self.snapshot,
            execution: self.execution.as_ref(),
            achieved: &[],
            now: self.now,
        }
    }
}
