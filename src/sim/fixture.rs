//! A small estate and surroundings of their own for the tests of the models. Never built outside tests.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

use crate::{
    domain::{
        AppId, ComponentId, Estate, RegionId, SafeText, Side, Timestamp, Zone,
        app::{
            App, BackupPolicy, Component, DrillRecord, Param, Params, Residency, Role, ServedMetrics, Strategy, Timings,
        },
        region::{Region, RegionPair},
        resource::JobKind,
    },
    sim::{
        service::Call,
        surroundings::{Surroundings, VaultTrouble},
    },
};

pub const SEED: u64 = 7;
pub const ACCOUNT: &str = "111122223333";

/// 2026-11-20 09:00:00 UTC.
pub fn start() -> Timestamp {
    Timestamp::parse("2026-11-20T09:00:00Z").expect("valid")
}

pub fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

pub fn mumbai() -> RegionId {
    "ap-south-1".into()
}

pub fn hyderabad() -> RegionId {
    "ap-south-2".into()
}

pub fn sides(primary: &str, recovery: &str) -> Param {
    Param::Sides { primary: Some(primary.into()), recovery: Some(recovery.into()) }
}

pub fn text(text: &str) -> Param {
    Param::Text(text.into())
}

pub fn component(id: &str, kind: &'static str, params: Vec<(&str, Param)>) -> Component {
    Component {
        id: ComponentId::new(id),
        kind,
        kind_title: kind,
        observed: true,
        mandatory: true,
        role: Role::Data,
        rpo: None,
        params: Params(params.into_iter().map(|(name, param)| (name.to_owned(), param)).collect()),
        region_lost: None,
        corrupted: Vec::new(),
    }
}

fn app(id: &str, tier: u8, backup: Option<BackupPolicy>, components: Vec<Component>) -> App {
    App {
        id: AppId::new(id),
        name: SafeText::new(id),
        tier,
        criticality: SafeText::new("high"),
        strategy: Strategy::BackupRestore,
        rpo: None,
        rto: None,
        depends_on: Vec::new(),
        backup,
        components,
        runbooks: BTreeMap::new(),
        drills: Vec::new(),
        served: None,
        accepted: None,
        timings: Timings {
            detection: minutes(2),
            decision: minutes(10),
            dns_ttl: minutes(1),
            verification: minutes(5),
            execution: None,
        },
        note: None,
        parameters: BTreeMap::new(),
        not_again_within: None,
    }
}

pub const VENDOR_DB: &str = "arn:aws:rds:ap-south-1:111122223333:db:vendor-db";

/// Payments on Aurora, with metrics, alarms and a health check; vendor assistance and two more on AWS Backup.
pub fn estate() -> Estate {
    let policy = BackupPolicy {
        every: minutes(60),
        retention: minutes(12 * 60),
        start_window: minutes(480),
        copy_to: Some(Side::Recovery),
        declared_duration_p99: minutes(50),
    };
    let protected = |id: &str, arn: &str| {
        component(
            id,
            "aws-backup",
            vec![
                ("resource", text(arn)),
                ("vaults", sides("bank-mum", "bank-hyd")),
                ("size", Param::Size(10_000_000_000_000)),
            ],
        )
    };
    let mut payments = app(
        "payments",
        1,
        None,
        vec![
            component(
                "payments-global",
                "aurora-global",
                vec![
                    ("global_cluster", text("payments-global")),
                    ("clusters", sides("pay-mum", "pay-hyd")),
                    ("writes_metric", text("VolumeWriteIOPs")),
                ],
            ),
            component(
                "payments-hosts",
                "metric",
                vec![
                    ("namespace", text("AWS/ApplicationELB")),
                    ("metric", text("HealthyHostCount")),
                    ("side", Param::Side(Side::Primary)),
                    ("at_least", Param::Number(3.0)),
                    ("dimensions", Param::Map(BTreeMap::from([("LoadBalancer".to_owned(), "app/pay/1".to_owned())]))),
                ],
            ),
            component(
                "payments-check",
                "route53-health-check",
                vec![("health_check", text("hc-1")), ("side", Param::Side(Side::Primary))],
            ),
            component(
                "payments-alarm",
                "alarm",
                vec![("alarm", text("payments-hosts-low")), ("side", Param::Side(Side::Primary))],
            ),
        ],
    );
    payments.served = Some(ServedMetrics {
        namespace: "Bank/Edge".into(),
        good: "RequestsServed".into(),
        total: "RequestsTotal".into(),
        dimensions: BTreeMap::from([("App".to_owned(), "payments".to_owned())]),
    });
    let mut vendor = app("vendor-assistance", 2, Some(policy.clone()), vec![protected("vendor-db", VENDOR_DB)]);
    vendor.drills.push(DrillRecord {
        name: SafeText::new("spring"),
        at: start() - minutes(60 * 24 * 20),
        rto_achieved: Some(minutes(100)),
        rpo_achieved: None,
        runbook: None,
        findings_open: 0,
        next_due: None,
    });
    let others = [
        app(
            "cross-sell",
            2,
            Some(policy.clone()),
            vec![protected("c", "arn:aws:rds:ap-south-1:111122223333:db:cross-sell")],
        ),
        app(
            "agent-payment",
            2,
            Some(policy),
            vec![protected("a", "arn:aws:ec2:ap-south-1:111122223333:instance/i-0a")],
        ),
    ];
    let region = |id: RegionId, name: &str| Region { id, name: SafeText::new(name) };
    Estate {
        name: SafeText::new("test"),
        origin: SafeText::new("test"),
        zone: Zone::utc(),
        expects_account: ACCOUNT.into(),
        regions: RegionPair { primary: region(mumbai(), "Mumbai"), recovery: region(hyderabad(), "Hyderabad") },
        residency: Residency::default(),
        access: BTreeMap::new(),
        freezes: Vec::new(),
        apps: [payments, vendor].into_iter().chain(others).collect(),
        warnings: Vec::new(),
    }
}

/// Surroundings in which the listed things happen, and nothing else.
pub struct World {
    pub down: Vec<(RegionId, Timestamp, Timestamp)>,
    pub lag: Vec<(String, Timestamp, Timestamp, Duration)>,
    /// From when a Region writes.
    pub writers: Vec<(Timestamp, Option<RegionId>)>,
    pub failures: Vec<(String, JobKind, Timestamp, Timestamp)>,
    /// Vaults in trouble, from when.
    pub vaults: Vec<(RegionId, String, Timestamp, VaultTrouble)>,
    pub databases: Vec<(RegionId, String)>,
}

impl World {
    pub fn calm() -> Self {
        Self {
            down: Vec::new(),
            lag: Vec::new(),
            writers: Vec::new(),
            failures: Vec::new(),
            vaults: Vec::new(),
            databases: Vec::new(),
        }
    }

    pub fn down(region: RegionId, from: Timestamp, until: Timestamp) -> Self {
        Self { down: vec![(region, from, until)], ..Self::calm() }
    }
}

impl Surroundings for World {
    fn region_down(&self, region: &RegionId, at: Timestamp) -> bool {
        self.down.iter().any(|(r, from, until)| r == region && *from <= at && at < *until)
    }

    fn extra_lag(&self, target: &str, at: Timestamp) -> Duration {
        let here = self.lag.iter().filter(|(t, from, until, _)| t == target && *from <= at && at < *until);
        here.map(|(.., lag)| *lag).sum()
    }

    fn writer(&self, _: &str, at: Timestamp) -> Option<RegionId> {
        self.writers
            .iter()
            .rev()
            .find(|(from, _)| *from <= at)
            .map_or_else(|| Some(mumbai()), |(_, writer)| writer.clone())
    }

    fn traffic_share(&self, _: &AppId, region: &RegionId, _: Timestamp) -> f64 {
        if *region == mumbai() { 1.0 } else { 0.0 }
    }

    fn job_failure(&self, resource: &str, kind: JobKind, at: Timestamp) -> Option<String> {
        let mut failures = self.failures.iter();
        let hit = failures.any(|(r, k, from, until)| r == resource && *k == kind && *from <= at && at < *until);
        hit.then(|| "Injected failure".to_owned())
    }

    fn vault_trouble(&self, region: &RegionId, vault: &str, at: Timestamp) -> Option<VaultTrouble> {
        self.vaults.iter().find(|(r, v, from, _)| r == region && v == vault && *from <= at).map(|(.., what)| *what)
    }

    fn database(&self, region: &RegionId, id: &str, _: Timestamp) -> Option<u64> {
        self.databases.iter().any(|(r, name)| r == region && name == id).then_some(10_000_000_000_000)
    }
}

pub fn call<'a>(region: &'a RegionId, now: Timestamp, request: &'a http::Request<Bytes>) -> Call<'a> {
    Call { region, now, request, seed: SEED, seq: 1, account: ACCOUNT, request_id: "id-1" }
}
