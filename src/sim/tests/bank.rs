//! A small bank: Payments on a global cluster with records, a vendor's instance under AWS Backup, and a ledger that
//! shares the database of Payments.

use std::{collections::BTreeMap, time::Duration};

use super::{HYDERABAD, MUMBAI};
use crate::domain::{
    App, Component, Estate, Region, RegionPair, SafeText, Side, Zone,
    app::{BackupPolicy, Param, Params, Residency, Role, Strategy, Timings},
};

fn component(id: &str, kind: &'static str, params: &[(&str, Param)]) -> Component {
    Component {
        id: id.into(),
        kind,
        kind_title: kind,
        observed: true,
        mandatory: true,
        role: Role::Data,
        rpo: None,
        params: Params(params.iter().map(|(name, param)| ((*name).to_owned(), param.clone())).collect()),
        region_lost: None,
        corrupted: Vec::new(),
    }
}

fn sides(primary: &str, recovery: &str) -> Param {
    Param::Sides { primary: Some(primary.to_owned()), recovery: Some(recovery.to_owned()) }
}

fn text(text: &str) -> Param {
    Param::Text(text.to_owned())
}

fn app(id: &str, components: Vec<Component>) -> App {
    let minute = Duration::from_mins(1);
    App {
        id: id.into(),
        name: SafeText::new(id),
        tier: 1,
        criticality: SafeText::new("high"),
        strategy: Strategy::WarmStandby,
        rpo: None,
        rto: None,
        depends_on: Vec::new(),
        backup: Some(BackupPolicy {
            every: minute * 60,
            retention: minute * 60 * 24,
            start_window: minute * 60,
            copy_to: Some(Side::Recovery),
            declared_duration_p99: minute * 30,
        }),
        components,
        runbooks: BTreeMap::new(),
        drills: Vec::new(),
        served: None,
        accepted: None,
        timings: Timings {
            detection: minute,
            decision: minute,
            dns_ttl: minute,
            verification: minute,
            execution: None,
        },
        note: None,
        parameters: BTreeMap::new(),
        not_again_within: None,
    }
}

pub(super) fn bank() -> Estate {
    let payments = vec![
        component(
            "payments-global",
            "aurora-global",
            &[("global_cluster", text("payments-global")), ("clusters", sides("payments-mum", "payments-hyd"))],
        ),
        component(
            "api",
            "route53-record",
            &[
                ("zone", text("Z0PAY")),
                ("name", text("api.pay.bank.example")),
                ("sides", sides("mumbai", "hyderabad")),
                ("ttl", Param::Duration(Duration::from_secs(30))),
            ],
        ),
        component(
            "check",
            "route53-health-check",
            &[("health_check", text("pay-mumbai")), ("side", Param::Side(Side::Primary))],
        ),
    ];
    let vendor = vec![
        component(
            "db",
            "aws-backup",
            &[
                ("resource", text("arn:aws:rds:ap-south-1:111122223333:db:vendor-db")),
                ("vaults", sides("bank-mum", "bank-hyd")),
            ],
        ),
        component("rds", "rds-instance", &[("instance", text("core-db")), ("replica", text("core-db-hyd"))]),
    ];
    // Shares the database of payments and has no record of its own.
    let ledger = vec![component(
        "db",
        "aurora-global",
        &[("global_cluster", text("payments-global")), ("clusters", sides("payments-mum", "payments-hyd"))],
    )];
    let region = |id: &str, name: &str| Region { id: id.into(), name: SafeText::new(name) };
    Estate {
        name: SafeText::new("Demo bank"),
        origin: SafeText::new("test"),
        zone: Zone::utc(),
        expects_account: "111122223333".to_owned(),
        regions: RegionPair { primary: region(MUMBAI, "Mumbai"), recovery: region(HYDERABAD, "Hyderabad") },
        residency: Residency::default(),
        access: BTreeMap::new(),
        freezes: Vec::new(),
        apps: vec![app("payments", payments), app("vendor", vendor), app("ledger", ledger)],
        warnings: Vec::new(),
    }
}
