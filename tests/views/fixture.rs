//! A small bank, by hand: the estate, and what was seen of it in each state that a screen must survive.
//!
//! Pictures are built from assessments, not judged: what compliance makes of facts has its own tests.

#![allow(dead_code)] // shared by the view tests and the frame benchmark, which use different parts

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use pointsman::{
    domain::{
        AppId, CallDescription, ComponentId, Estate, Fact, FactId, Hazard, Mode, Observation, Picture, ProbeError,
        ProbeFailure, Region, RegionId, RegionPair, RunbookId, SafeText, Series, Side, Slot, Snapshot, StepId,
        Timestamp, Verdict, What, Zone,
        app::{
            Acceptance, Access, App, BackupPolicy, Component, DrillRecord, Param, Params, PolicyWarning, Residency,
            Role, Strategy, Timings,
        },
        call::{CallOutcome, CallRecord},
        compliance::{
            Assessment, BackupFlags, ComponentStanding, DecideCard, Exposure, Late, RtoEstimate, RtoProof, RtoStanding,
            ServedStanding,
        },
        fact::{Point, PointSet},
        resource::{
            Alarm, AlarmState, GlobalCluster, GlobalMember, Identity, Job, JobKind, JobState, PointStatus,
            RecoveryPoint, Vault,
        },
        snapshot::{CallTotals, Reach, RegionHealth, Vantage, VantageOutcome},
    },
    keymap,
    runbook::{
        bind::Occasion,
        clocks::{Achieved, LossWindow},
        finding::Leftover,
        guards::LossBound,
        plan::{GuardReading, Holds, Plan, PlanHash, PlannedStep},
        run::{Ask, Declaration, Phase, RunId, RunState, Runs, StepPhase, StepState, WaveMark},
        spec::{Lasting, Mutating, OnFailure, Only, RunbookKind, RunbookSpec, StepSpec, Variant},
        switching::{Reason, Switching},
        wave::{self, Wave},
    },
    theme::Theme,
    tui::{Opening, State},
};

pub const MUMBAI: &str = "ap-south-1";
pub const HYDERABAD: &str = "ap-south-2";

pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub const fn mins(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// Friday 20 November 2026, 14:32:07 in India.
pub fn now() -> Timestamp {
    Timestamp::parse("2026-11-20T09:02:07Z").expect("RFC 3339")
}

fn text(raw: &str) -> SafeText {
    SafeText::new(raw)
}

fn component(id: &str, kind: &'static str, title: &'static str, role: Role) -> Component {
    Component {
        id: ComponentId::new(id),
        kind,
        kind_title: title,
        observed: true,
        mandatory: true,
        role,
        rpo: None,
        params: Params::default(),
        region_lost: None,
        corrupted: Vec::new(),
    }
}

fn app(id: &str, name: &str, tier: u8, rpo: Option<Duration>, rto: Option<Duration>) -> App {
    App {
        id: AppId::new(id),
        name: text(name),
        tier,
        criticality: text("high to medium"),
        strategy: Strategy::BackupRestore,
        rpo,
        rto,
        depends_on: Vec::new(),
        backup: Some(BackupPolicy {
            every: mins(60),
            retention: mins(720),
            start_window: mins(60),
            copy_to: Some(Side::Recovery),
            declared_duration_p99: mins(37),
        }),
        components: Vec::new(),
        runbooks: BTreeMap::new(),
        drills: Vec::new(),
        served: None,
        accepted: None,
        timings: Timings {
            detection: mins(1),
            decision: mins(5),
            dns_ttl: secs(30),
            verification: mins(1),
            execution: None,
        },
        note: None,
        parameters: BTreeMap::new(),
        not_again_within: None,
    }
}

fn database(id: &str, owner: &str) -> Component {
    let mut one = component(id, "backup-protected", "aws backup", Role::Data);
    let arn = format!("arn:aws:rds:{MUMBAI}:111122223333:db:{owner}-db");
    one.params.0.insert("resource".into(), Param::Text(arn));
    one.region_lost = Some((Side::Recovery, What::RecoveryPoints));
    one
}

/// Six apps: two that cannot meet their RPO by design, one without target, one nobody observes, two in order.
pub fn estate() -> Estate {
    let mut vendor = app("vendor-assistance", "Vendor assistance", 2, Some(mins(30)), Some(mins(120)));
    vendor.components =
        vec![database("vendor-db", "vendor-assistance"), component("vendor-web", "ec2", "ec2 images", Role::Run)];
    vendor.note = Some(text("45 min file backups by Lambda are not modelled"));
    let mut cross = app("cross-sell", "Cross-sell", 2, Some(mins(60)), Some(mins(120)));
    cross.components = vec![database("crosssell-db", "cross-sell")];
    cross.accepted = Some(Acceptance {
        owner: text("head of retail"),
        until: Timestamp::parse("2027-02-01T00:00:00Z").expect("RFC 3339"),
        reason: text("hourly is what the budget allows"),
    });
    let mut webank = app("webank", "Webank", 1, Some(mins(15)), Some(mins(30)));
    let mut velero = component("velero", "velero", "velero", Role::Data);
    velero.observed = false;
    webank.components = vec![velero];
    let mut customer = app("customer-assistance", "Customer assistance", 2, None, Some(mins(120)));
    customer.components = vec![database("assist-db", "customer-assistance")];
    let mut core = app("core-banking", "Core banking", 1, Some(mins(5)), Some(mins(15)));
    core.strategy = Strategy::WarmStandby;
    let mut dms = component("dms-core", "metric", "cloudwatch metric", Role::Link);
    dms.region_lost = Some((Side::Recovery, What::Lag));
    core.components = vec![dms];
    let mut payments = app("payments", "Payments", 1, Some(secs(1)), Some(mins(1)));
    payments.strategy = Strategy::ActivePassive;
    payments.criticality = text("mission critical");
    let mut global = component("payments-global", "aurora-global", "aurora global", Role::Data);
    global.region_lost = Some((Side::Recovery, What::Lag));
    let mut dns = component("pay-dns", "route53-record", "route 53 failover", Role::Edge);
    dns.mandatory = false;
    payments.components = vec![global, dns];
    payments.runbooks.insert("failover".into(), RunbookId::new("payments-failover"));
    payments.drills = vec![DrillRecord {
        name: text("drill 14"),
        at: now() - mins(12 * 1440),
        rto_achieved: Some(secs(52)),
        rpo_achieved: Some(secs(0)),
        runbook: Some(RunbookId::new("payments-failover")),
        findings_open: 1,
        next_due: Some(now() + mins(170 * 1440)),
    }];
    Estate {
        name: text("demo bank"),
        origin: text("bundled"),
        zone: Zone::named("Asia/Kolkata").expect("bundled zone"),
        expects_account: "111122223333".into(),
        regions: RegionPair {
            primary: Region { id: RegionId::new(MUMBAI), name: text("Mumbai") },
            recovery: Region { id: RegionId::new(HYDERABAD), name: text("Hyderabad") },
        },
        residency: Residency::default(),
        access: BTreeMap::from([(Side::Primary, Access::default())]),
        freezes: Vec::new(),
        apps: vec![payments, core, cross, vendor, customer, webank],
        warnings: vec![
            PolicyWarning {
                code: "backup-interval-exceeds-rpo",
                app: Some(AppId::new("vendor-assistance")),
                text: text("hourly backups can never meet an RPO of 30 m"),
                place: "estate.toml:41:7".into(),
            },
            PolicyWarning {
                code: "no-rpo",
                app: Some(AppId::new("customer-assistance")),
                text: text("no RPO is stated"),
                place: "estate.toml:60:3".into(),
            },
        ],
    }
}

pub fn runbooks() -> Vec<RunbookSpec> {
    [
        ("payments-failover", "Payments to the recovery Region, in an outage", RunbookKind::Failover),
        ("payments-switchover", "Payments to the other Region, planned", RunbookKind::Switchover),
        ("payments-failback", "Payments back home", RunbookKind::Failback),
    ]
    .into_iter()
    .map(|(id, title, kind)| RunbookSpec {
        id: RunbookId::new(id),
        title: text(title),
        kind,
        apps: vec![AppId::new("payments")],
        strategies: Vec::new(),
        parameters: Vec::new(),
        offers: None,
        steps: vec![StepSpec {
            id: StepId::new("promote"),
            title: text("Promote"),
            kind: "aurora.failover-global",
            mutating: Mutating::Yes,
            lasting: Lasting::Nothing,
            params: BTreeMap::new(),
            guards: Vec::new(),
            hazard: Hazard::DataLoss,
            timeout: mins(10),
            expect: secs(24),
            on_failure: OnFailure::Park,
            after: Vec::new(),
            retries: 0,
            retry_every: Duration::ZERO,
            only: Only::Always,
            conditions: Vec::new(),
            holes: Vec::new(),
        }],
        digest: "00".into(),
        place: format!("runbooks/{id}.toml"),
    })
    .collect()
}

fn exposure(
    target: Option<Duration>,
    figure: Option<Duration>,
    component: &str,
    seen: Timestamp,
    verdict: Verdict,
) -> Exposure {
    Exposure {
        target,
        exposure: figure,
        at_least: None,
        at_most: figure.map(|f| f + secs(58)),
        component: Some(ComponentId::new(component)),
        data_time: figure.map(|f| now() - f),
        observed_at: Some(seen),
        locked: None,
        verdict,
    }
}

fn rto(target: Duration, total: Duration, proven: Option<u64>) -> RtoStanding {
    RtoStanding {
        target: Some(target),
        estimated: Some(RtoEstimate {
            detection: secs(0),
            decision: secs(0),
            execution: total.saturating_sub(secs(0)),
            dns_ttl: secs(0),
            verification: secs(0),
            basis: text("declared"),
        }),
        proven: proven.map(|days| RtoProof {
            achieved: total,
            at: now() - mins(days * 1440),
            source: text("drill 14"),
            lapsed: false,
        }),
        verdict: if total > target {
            Verdict::Breached { by: total.saturating_sub(target) }
        } else {
            Verdict::Met { sampled: false }
        },
    }
}

/// What is said of each app. `seen` is when everything was last read.
pub fn assessments(estate: &Estate, seen: Timestamp, outage: Outage) -> Vec<Assessment> {
    estate
        .apps
        .iter()
        .map(|app| {
            let hidden =
                || Verdict::Unknown { why: text("not seen since 14:20"), at_least: Some(mins(12)), at_most: None };
            let (lost, verdict, flags, reasons): (Exposure, Verdict, BackupFlags, Vec<&str>) = match app.id.as_str() {
                "payments" => {
                    let verdict = if outage == Outage::None { Verdict::Met { sampled: true } } else { hidden() };
                    let mut lost =
                        exposure(app.rpo, Some(Duration::from_millis(840)), "payments-global", seen, verdict.clone());
                    lost.at_least = (outage != Outage::None).then_some(mins(12));
                    (lost, verdict, BackupFlags::default(), vec![])
                }
                "core-banking" => {
                    let verdict = Verdict::Met { sampled: false };
                    (
                        exposure(app.rpo, Some(secs(38)), "dms-core", seen, verdict.clone()),
                        verdict,
                        BackupFlags::default(),
                        vec![],
                    )
                }
                "webank" => {
                    let verdict = Verdict::Unknown {
                        why: text("velero is not observed by this version"),
                        at_least: Some(mins(4)),
                        at_most: None,
                    };
                    let mut lost = Exposure::unknown(app.rpo, text("velero is not observed by this version"));
                    lost.at_least = Some(mins(4));
                    lost.component = Some(ComponentId::new("velero"));
                    (lost, verdict, BackupFlags::default(), vec!["velero is declared and not observed by this version"])
                }
                "customer-assistance" => {
                    let lost = exposure(None, Some(mins(92)), "assist-db", seen, Verdict::NoTarget);
                    (lost, Verdict::NoTarget, BackupFlags::default(), vec!["nobody has said how much may be lost"])
                }
                id => {
                    let target = app.rpo.unwrap_or_default();
                    let verdict = Verdict::Breached { by: mins(92).saturating_sub(target) };
                    let db = if id == "cross-sell" { "crosssell-db" } else { "vendor-db" };
                    let late = (id == "vendor-assistance")
                        .then(|| Late { critical: true, why: text("backup of 14:00 not seen, start window passed") });
                    let flags = BackupFlags { design: Some(mins(97)), contract: Some(mins(62)), late };
                    (
                        exposure(app.rpo, Some(mins(92)), db, seen, verdict.clone()),
                        verdict,
                        flags,
                        vec!["newest point in Hyderabad is from 13:00", "hourly backups cannot meet this target"],
                    )
                }
            };
            let mut corrupted = exposure(app.rpo, Some(mins(32)), "vault", seen, Verdict::Met { sampled: false });
            corrupted.locked = Some(true);
            let components = app
                .components
                .iter()
                .map(|c| ComponentStanding {
                    component: c.id.clone(),
                    region_lost: (c.role == Role::Data || c.role == Role::Link).then(|| lost.clone()),
                    corrupted: None,
                    verdict: verdict.clone(),
                    state: if c.observed { text("") } else { text("not observed by this version") },
                    observed_at: c.observed.then_some(seen),
                })
                .collect();
            let trouble = !matches!(verdict, Verdict::Met { .. });
            Assessment {
                app: app.id.clone(),
                region_lost: lost,
                corrupted,
                flags,
                rto: match app.id.as_str() {
                    "payments" => rto(mins(1), secs(52), Some(12)),
                    "core-banking" => rto(mins(15), mins(9), Some(40)),
                    _ => rto(app.rto.unwrap_or(mins(120)), mins(112), None),
                },
                served: ServedStanding {
                    success: (app.id.as_str() != "webank").then_some(0.9994),
                    per_second: (app.id.as_str() != "webank").then_some(410.0),
                    against_last_week: Some(0.98),
                    data_time: Some(seen),
                },
                components,
                verdict,
                reasons: reasons.into_iter().map(text).collect(),
                pages: trouble,
                decide: trouble.then(|| DecideCard {
                    loss_at_most: Some(secs(91)),
                    loss_from: Some(now() - secs(91)),
                    loss_to: Some(now()),
                    back_at: Some(now() + mins(14)),
                    last_moment: Some(now() + mins(2)),
                    lines: Vec::new(),
                }),
            }
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    None,
    Mumbai,
}

fn observed<T>(value: T, region: &str, seen: Timestamp) -> Slot<T> {
    Slot::seen(Observation {
        value,
        data_time: seen,
        observed_at: seen,
        source: text("cloudwatch GetMetricData"),
        region: RegionId::new(region),
        budget: mins(5),
    })
}

fn unreachable(region: &str, call: &str, at: Timestamp) -> ProbeError {
    ProbeError {
        failure: ProbeFailure::Unreachable,
        region: RegionId::new(region),
        call: text(call),
        message: text("no answer within 4 s"),
        at,
    }
}

fn job(kind: JobKind, owner: &str, state: JobState, ago: u64, took: Option<u64>, message: Option<&str>) -> Job {
    let created = now() - mins(ago);
    Job {
        kind,
        id: text(&format!("{owner}-{ago}")),
        region: RegionId::new(MUMBAI),
        resource_arn: format!("arn:aws:rds:{MUMBAI}:111122223333:db:{owner}-db"),
        resource_type: text("RDS"),
        state,
        message: message.map(text),
        message_category: None,
        created,
        start_by: None,
        expected_completion: Some(now() + mins(9)),
        completed: took.map(|t| created + mins(t)),
        size_bytes: 10_000_000_000_000,
        percent: Some(61.0),
        vault: Some(text("bank-hyd")),
        destination: (kind == JobKind::Copy).then(|| RegionId::new(HYDERABAD)),
        recovery_point_arn: None,
        source_point_arn: None,
        created_resource_arn: None,
        parent: false,
    }
}

fn fact_id(app: &str, component: &str, region: &str, what: What) -> FactId {
    FactId { app: AppId::new(app), component: ComponentId::new(component), region: RegionId::new(region), what }
}

/// Everything read at `seen`.
pub fn snapshot(mode: Mode, seen: Timestamp, outage: Outage) -> Snapshot {
    let mut snapshot = Snapshot::empty(mode, seen);
    snapshot.seq = 7;
    let series = |values: &[f64]| Series {
        period: mins(1),
        points: values
            .iter()
            .enumerate()
            .map(|(n, value)| Point { at: seen - mins((values.len() - n) as u64), value: *value })
            .collect(),
    };
    let lag: Vec<f64> = (0..120).map(|n| 0.6 + 0.3 * f64::from(n % 9) / 9.0).collect();
    let cluster = GlobalCluster {
        id: text("payments-global"),
        arn: text("arn:aws:rds::111122223333:global-cluster:payments-global"),
        status: text("available"),
        engine: text("aurora-postgresql"),
        engine_version: text("16.6"),
        members: [(MUMBAI, true), (HYDERABAD, false)]
            .map(|(region, writer)| GlobalMember {
                cluster_arn: format!("arn:aws:rds:{region}:111122223333:cluster:payments"),
                region: RegionId::new(region),
                writer,
                synchronization: Some(text("connected")),
            })
            .to_vec(),
        failover: None,
    };
    let points = PointSet {
        vault: "bank-hyd".into(),
        points: (1..8)
            .map(|n| RecoveryPoint {
                arn: format!("rp-{n}"),
                resource_arn: "r".into(),
                vault: "bank-hyd".into(),
                status: PointStatus::Completed,
                created: now() - mins(32 + 60 * n),
                completed: Some(now() - mins(60 * n)),
                delete_at: None,
                size_bytes: 10_000_000_000_000,
                locked: Some(true),
            })
            .collect(),
        usable: true,
        truncated: false,
    };
    let facts = &mut snapshot.facts;
    facts.insert(
        fact_id("payments", "payments-global", HYDERABAD, What::Lag),
        observed(Fact::Lag(series(&lag)), HYDERABAD, seen),
    );
    facts.insert(
        fact_id("payments", "payments-global", HYDERABAD, What::Topology),
        observed(Fact::Topology(cluster.clone()), HYDERABAD, seen),
    );
    facts.insert(
        fact_id("payments", "payments-global", MUMBAI, What::Topology),
        observed(Fact::Topology(cluster), MUMBAI, seen),
    );
    facts.insert(
        fact_id("core-banking", "dms-core", HYDERABAD, What::Lag),
        observed(Fact::Lag(series(&[30.0, 31.0, 38.0])), HYDERABAD, seen),
    );
    for (app, db) in
        [("vendor-assistance", "vendor-db"), ("cross-sell", "crosssell-db"), ("customer-assistance", "assist-db")]
    {
        facts.insert(
            fact_id(app, db, HYDERABAD, What::RecoveryPoints),
            observed(Fact::RecoveryPoints(points.clone()), HYDERABAD, seen),
        );
    }
    let jobs = [
        job(JobKind::Backup, "cross-sell", JobState::Completed, 92, Some(12), None),
        job(
            JobKind::Backup,
            "vendor-assistance",
            JobState::Failed,
            32,
            Some(2),
            Some("the database was not available"),
        ),
        job(JobKind::Backup, "cross-sell", JobState::Running, 32, None, None),
    ];
    let copies = [
        job(JobKind::Copy, "cross-sell", JobState::Completed, 92, Some(25), None),
        job(
            JobKind::Copy,
            "customer-assistance",
            JobState::Failed,
            92,
            Some(25),
            Some("KMS key alias/backup-hyd is disabled in ap-south-2"),
        ),
    ];
    let key = |kind| (RegionId::new(MUMBAI), kind);
    snapshot.jobs.insert(key(JobKind::Backup), observed(jobs.to_vec(), MUMBAI, seen));
    snapshot.jobs.insert(key(JobKind::Copy), observed(copies.to_vec(), MUMBAI, seen));
    for region in [MUMBAI, HYDERABAD] {
        let id = RegionId::new(region);
        let identity = Identity {
            account: text("111122223333"),
            arn: text("arn:aws:sts::111122223333:assumed-role/oncall/asha"),
            skew_seconds: Some(0),
            session: pointsman::domain::resource::Session::Unlimited,
        };
        snapshot.identities.insert(id.clone(), observed(identity, region, seen));
        let alarm = |name: &str, state, silent| Alarm {
            name: text(name),
            composite: false,
            state,
            reason: None,
            since: Some(seen - mins(3)),
            silent,
        };
        let alarms = vec![alarm("payments-lag", AlarmState::Ok, false), alarm("old-alarm", AlarmState::Alarm, true)];
        snapshot.alarms.insert(id.clone(), observed(alarms, region, seen));
        let vault = Vault {
            name: text("bank"),
            arn: "v".into(),
            region: id.clone(),
            locked: true,
            min_retention_days: None,
            max_retention_days: None,
            points: 42,
            state: Some(text("AVAILABLE")),
        };
        snapshot.vaults.insert(id.clone(), observed(vec![vault], region, seen));
        let down = outage == Outage::Mumbai && region == MUMBAI;
        let vantage = |name: &str| Vantage {
            name: text(&format!("{name} in {region}")),
            region: id.clone(),
            outcome: Some(VantageOutcome {
                at: seen,
                result: if down { Err(unreachable(region, name, seen)) } else { Ok(Duration::from_millis(23)) },
            }),
        };
        let health = RegionHealth {
            reach: if down { Reach::RegionDown } else { Reach::Reachable },
            vantages: vec![vantage("rds"), vantage("cloudwatch"), vantage("sts")],
            since: seen - mins(12),
            cycles_unreachable: if down { 5 } else { 0 },
        };
        snapshot.regions.insert(id, health);
    }
    if outage == Outage::Mumbai {
        for slot in snapshot.facts.iter_mut().filter(|(id, _)| id.region.as_str() == MUMBAI).map(|(_, slot)| slot) {
            slot.failure = Some(unreachable(MUMBAI, "rds DescribeGlobalClusters", seen));
        }
        for slot in snapshot.jobs.values_mut() {
            *slot = Slot::failed(unreachable(MUMBAI, "backup ListBackupJobs", seen));
        }
        if let Some(slot) = snapshot.identities.get_mut(&RegionId::new(MUMBAI)) {
            *slot = Slot::failed(unreachable(MUMBAI, "sts GetCallerIdentity", seen));
        }
    }
    snapshot.calls = CallTotals { calls: 412, failed: 3, metrics_requested: 9_000, usd: 0.09 };
    snapshot
}

pub fn picture(estate: &Estate, mode: Mode, seen: Timestamp, outage: Outage) -> Picture {
    Picture {
        snapshot: Arc::new(snapshot(mode, seen, outage)),
        judged_at: now(),
        assessments: assessments(estate, seen, outage),
    }
}

pub fn calls() -> Arc<[CallRecord]> {
    (0..60_u64)
        .map(|n| CallRecord {
            seq: n,
            at: now() - secs(60 - n),
            service: if n % 3 == 0 { "rds" } else { "cloudwatch" },
            operation: if n % 3 == 0 { "DescribeGlobalClusters" } else { "GetMetricData" },
            region: RegionId::new(if n % 2 == 0 { MUMBAI } else { HYDERABAD }),
            hazard: Hazard::None,
            took: Duration::from_millis(20 + n),
            outcome: if n % 20 == 19 {
                CallOutcome::Failed { failure: ProbeFailure::Throttled, message: text("Rate exceeded") }
            } else {
                CallOutcome::Ok
            },
            request_id: Some(text("8d1f")),
            usd: if n % 3 == 0 { 0.0 } else { 0.00001 * n as f64 },
        })
        .collect()
}

fn guard(says: &str, present: &str, holds: Holds, overridable: bool) -> GuardReading {
    GuardReading {
        made_true_by: None,
        text: text(says),
        present: text(present),
        data_time: Some(now() - secs(94)),
        holds,
        overridable,
        overridden: None,
        figure: None,
    }
}

pub fn plan(mode: Mode, outage: Outage) -> Plan {
    let step = |id: &str, title: &str, hazard: Hazard, expected: u64, call: Option<(&str, &str, &str)>| PlannedStep {
        id: StepId::new(id),
        title: text(title),
        kind: id.into(),
        calls: call
            .map(|(service, operation, region)| CallDescription {
                service: service.into(),
                operation: operation.into(),
                region: RegionId::new(region),
                params: vec![
                    ("GlobalClusterIdentifier".into(), text("payments-global")),
                    ("AllowDataLoss".into(), text("true")),
                ],
                hazard,
                iam_actions: vec![format!("{service}:{operation}")],
            })
            .into_iter()
            .collect(),
        summary: call.map_or_else(|| text("reads only"), |(s, o, r)| text(&format!("{s} {o} {r}"))),
        hazard,
        expected: secs(expected),
        expected_basis: text("declared"),
        timeout: mins(10),
        guards: Vec::new(),
        done_when: text("writer is ap-south-2 and status is available"),
        undo: text("none (the way back is payments-failback)"),
        on_failure: OnFailure::Park,
        after: Vec::new(),
        retries: 0,
        retry_every: Duration::ZERO,
        only: Only::Always,
        loss: None,
    };
    let mut steps = vec![
        step("gone", "Is Mumbai really gone?", Hazard::None, 5, None),
        step("promote", "Promote Hyderabad", Hazard::DataLoss, 24, Some(("rds", "FailoverGlobalCluster", HYDERABAD))),
        step("answers", "Does it answer before traffic comes?", Hazard::None, 5, None),
        step(
            "dns",
            "Point the name at Hyderabad",
            Hazard::Disruptive,
            43,
            Some(("route53", "ChangeResourceRecordSets", "us-east-1")),
        ),
        step("served", "Are customers served?", Hazard::None, 60, None),
    ];
    for n in 1..steps.len() {
        steps[n].after = vec![steps[n - 1].id.clone()];
    }
    steps[1].guards = vec![
        guard("lag at most 5 s", "0.8 s, last sample before the gap, 14:30:33", Holds::Yes, false),
        guard(
            "Mumbai cannot write",
            "unprovable (traffic cut: no)",
            if outage == Outage::None { Holds::Yes } else { Holds::Unknown },
            true,
        ),
    ];
    Plan {
        hash: PlanHash("7c41aa00112233445566778899aabbccddeeff00112233445566778899aabbe2".into()),
        runbook: RunbookId::new("payments-failover"),
        title: text("Payments to the recovery Region, in an outage"),
        kind: RunbookKind::Failover,
        variant: Variant::Whole,
        parameters: BTreeMap::new(),
        app: AppId::new("payments"),
        app_name: text("Payments"),
        target: Side::Recovery,
        target_region: RegionId::new(HYDERABAD),
        target_name: text("Hyderabad"),
        account: "111122223333".into(),
        mode_word: mode.word(),
        made_at: now() - secs(3),
        facts_at: Some(now() - secs(3)),
        steps,
        interlocks: Vec::new(),
        estimate: RtoEstimate {
            detection: secs(0),
            decision: secs(0),
            execution: secs(48),
            dns_ttl: secs(30),
            verification: secs(60),
            basis: text("declared"),
        },
        rto_target: Some(mins(1)),
    }
}

/// A run of the plan whose first `done` steps are done and which stands in `phase`.
pub fn run(mode: Mode, done: usize, phase: Phase) -> RunState {
    let plan = Arc::new(plan(mode, Outage::Mumbai));
    let steps = plan
        .steps
        .iter()
        .enumerate()
        .map(|(n, step)| StepState {
            id: step.id.clone(),
            phase: match n.cmp(&done) {
                std::cmp::Ordering::Less => StepPhase::Done,
                std::cmp::Ordering::Equal => match &phase {
                    Phase::Waiting(_) => StepPhase::WaitingForPerson,
                    Phase::Parked { .. } => StepPhase::InDoubt,
                    _ => StepPhase::Observing,
                },
                std::cmp::Ordering::Greater => StepPhase::Pending,
            },
            attempts: u32::from(n <= done),
            started_at: (n <= done).then(|| now() - secs(60 - 10 * n as u64)),
            ended_at: (n < done).then(|| now() - secs(55 - 10 * n as u64)),
            detail: if n < done { text("4/4 signals, 3 vantage points") } else { text("") },
            request_id: None,
            guards: step.guards.clone(),
        })
        .collect();
    RunState {
        id: RunId(31),
        plan,
        declaration: Declaration {
            who: text("asha"),
            incident: text("INC-4471"),
            app: "payments".into(),
            region: HYDERABAD.into(),
            outage_at: Some(now() - secs(242)),
            wave: None,
        },
        principal: text("arn:aws:sts::111122223333:assumed-role/oncall/asha"),
        declared_at: now() - secs(98),
        ended_at: phase.ended().then(now),
        phase,
        steps,
        epoch: 1,
        driven: true,
        waited: secs(21),
        waiting_since: None,
        notes: vec![(now() - secs(40), text("NOC confirms fibre cut, ETA 4 h"))],
        log: vec![(now() - secs(98), text("declared by asha")), (now() - secs(55), text("step 1 done"))],
        unprotected_since: None,
        timeline: pointsman::runbook::clocks::Timeline::default(),
        measured: None,
        leftovers: Vec::new(),
    }
}

pub fn loss_ask() -> Phase {
    Phase::Waiting(Ask::Loss {
        step: StepId::new("promote"),
        bound: secs(101),
        rounded: mins(5),
        phrase: "up to 5 m".into(),
        lines: vec![
            text("rds FailoverGlobalCluster in ap-south-2, account 1111…3333"),
            text("Last lag before the gap 0.8 s (14:30:33). Mumbai may still accept writes."),
        ],
    })
}

pub fn runs(run: RunState) -> Arc<Runs> {
    Arc::new(Runs { list: vec![Arc::new(run)], ..Runs::default() })
}

/// The run when its promotion is over and two branches are under way, one guard overridden.
pub fn branches(mode: Mode) -> RunState {
    let mut one = run(mode, 2, Phase::Running);
    let mut plan = (*one.plan).clone();
    plan.steps[2].after = vec!["promote".into()];
    plan.steps[3].after = vec!["promote".into()];
    plan.steps[4].after = vec!["answers".into(), "dns".into()];
    one.plan = Arc::new(plan);
    one.steps[3].phase = StepPhase::Sent;
    one.steps[3].attempts = 1;
    one.steps[3].started_at = Some(now() - secs(12));
    one.steps[1].guards[1].overridden = Some(pointsman::runbook::plan::Override {
        reason: text("fibre cut confirmed by NOC"),
        authoriser: text("ravi"),
        at: now() - secs(50),
    });
    one
}

/// The run at its end: measured, with something left behind.
pub fn ended(mode: Mode) -> RunState {
    let mut one = run(mode, 5, Phase::Completed { exceptions: 0 });
    one.unprotected_since = Some(now());
    one.leftovers = vec![Leftover {
        kind: "rds-snapshot".into(),
        region: RegionId::new(HYDERABAD),
        id: text("payments-before-31"),
    }];
    let took = Achieved {
        from_outage: Some(secs(242)),
        from_declaration: secs(98),
        machine: secs(77),
        waiting: secs(21),
        critical_path: secs(76),
        makespan: secs(98),
        skipped: 0,
    };
    let lost = LossWindow {
        from: Some(now() - secs(94)),
        to: now() - secs(60),
        basis: text("last lag before the gap, accepted up to 5 m"),
    };
    one.measured = Some((took, lost));
    one
}

/// The estate in which every app has a failover of its own.
pub fn estate_of_waves() -> Estate {
    let mut estate = estate();
    for app in &mut estate.apps {
        let runbook = RunbookId::new(format!("{}-failover", app.id));
        app.runbooks.insert("failover".into(), runbook);
    }
    estate
}

/// Four apps to Hyderabad: a bounded loss, none, one without a bound that waits for another, and one that cannot go.
pub fn wave_of_three(mode: Mode) -> Wave {
    let of = |id: &str, name: &str, loss: Option<LossBound>| {
        let mut one = plan(mode, Outage::Mumbai);
        (one.app, one.app_name) = (AppId::new(id), text(name));
        one.hash = PlanHash(format!("{id:0<64}"));
        one.runbook = RunbookId::new(format!("{id}-failover"));
        match loss {
            Some(_) => one.steps[1].loss = loss,
            None => one.steps[1].hazard = Hazard::Reversible,
        }
        Arc::new(one)
    };
    let bound = |bound: Option<Duration>| Some(LossBound { bound, since: None, lines: Vec::new() });
    let planned = vec![
        (of("payments", "Payments", bound(Some(secs(101)))), Vec::new()),
        (of("core-banking", "Core banking", None), Vec::new()),
        (of("cross-sell", "Cross-sell", bound(None)), vec![AppId::new("core-banking")]),
    ];
    let out = vec![(AppId::new("webank"), text("run 12 of webank has not ended: parked"))];
    let mut wave = wave::wave(planned, out, 2).expect("three can go");
    wave.id = "5f1e0c7a99".into();
    wave
}

/// Its runs: one asks, one works, one waits for another app; `driven` or not.
pub fn wave_runs(mode: Mode, driven: bool) -> Arc<Runs> {
    let wave = wave_of_three(mode);
    let list = wave.items.iter().enumerate().rev().map(|(n, item)| {
        let phase = if n == 0 { loss_ask() } else { Phase::Running };
        let mut one = run(mode, if n == 1 { 3 } else { 1 }, phase);
        one.id = RunId(41 + n as u64);
        one.plan = Arc::clone(&item.plan);
        one.driven = driven;
        if n == 2 {
            for step in &mut one.steps {
                (step.phase, step.attempts) = (StepPhase::Pending, 0);
                (step.started_at, step.ended_at) = (None, None);
            }
        }
        one.declaration.wave = Some(WaveMark {
            id: wave.id.clone(),
            ordinal: n as u32 + 1,
            size: 3,
            after: item.after.clone(),
            parallel_max: 2,
            accepts: wave.accepts,
        });
        Arc::new(one)
    });
    Arc::new(Runs { list: list.collect(), ..Runs::default() })
}

/// The planned way for a run that began the unplanned one.
pub fn switching(mode: Mode, why: Reason) -> Switching {
    let mut one = plan(mode, Outage::None);
    if why == Reason::AnotherWay {
        one.runbook = RunbookId::new("payments-switchover");
        one.steps[1].id = "switchover".into();
        one.steps[1].title = text("Switch over to Hyderabad");
        one.steps[1].hazard = Hazard::Disruptive;
        one.steps[2].after = vec!["switchover".into()];
    }
    one.hash = PlanHash("91c0aa00112233445566778899aabbccddeeff00112233445566778899aabb07".into());
    let dropped = if why == Reason::AnotherWay { vec!["promote".into()] } else { Vec::new() };
    let coming = one.steps[1..].iter().map(|step| step.id.clone()).collect();
    Switching { run: RunId(31), why, plan: Arc::new(one), kept: vec!["gone".into()], dropped, coming }
}

/// A console on the fixture estate with nothing read yet.
pub fn console(mode: Mode, size: (u16, u16)) -> State {
    console_of(estate(), mode, size)
}

pub fn console_of(estate: Estate, mode: Mode, size: (u16, u16)) -> State {
    let themes = pointsman::theme::bundled_names()
        .into_iter()
        .map(|name| Arc::new(Theme::bundled(name).expect("a bundled theme is valid")))
        .collect();
    State::new(Opening {
        estate: Arc::new(estate),
        runbooks: runbooks().into(),
        keymap: Arc::new(keymap::bundled("default").expect("the bundled keymap is valid")),
        themes,
        mode,
        occasion: Occasion::Real,
        now: now(),
        size,
        notice: None,
    })
}
