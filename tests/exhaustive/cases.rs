//! A minimal runbook for each kind of step, and what must have happened before.

use super::stage::Outcome;

pub struct Case {
    pub kind: &'static str,
    pub app: &'static str,
    /// Parameters of the step, as its file would say them.
    pub params: &'static str,
    /// Steps of [`BEFORE`] that are carried out first, without the engine; `dark` and `light` are Mumbai's.
    pub before: &'static [&'static str],
    /// Steps of the same runbook before it, as its file would say them.
    pub steps: &'static str,
    pub does: Does,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// The operation that it sends.
    Calls(&'static str),
    /// It runs a program: nothing throttles that, it needs no credentials, and it has no answer that could be stale.
    Runs,
    /// It reads AWS.
    Reads,
    /// It asks an address: there is an answer or there is none.
    Looks,
    /// It asks nobody but the clock, or a person.
    Nothing,
    /// A whole runbook: several calls and looks, and people who are asked.
    Much,
}

impl Does {
    /// What can become of it: the whole product is over these.
    pub fn outcomes(self) -> Vec<Outcome> {
        let exists = |outcome: &Outcome| match self {
            Self::Calls(_) => true,
            Self::Runs => {
                matches!(outcome, Outcome::Ok | Outcome::Refused | Outcome::TimeoutApplied | Outcome::TimeoutNotApplied)
            }
            Self::Reads => !matches!(outcome, Outcome::TimeoutApplied | Outcome::LandsLate),
            Self::Looks => matches!(outcome, Outcome::Ok | Outcome::TimeoutNotApplied),
            Self::Nothing | Self::Much => *outcome == Outcome::Ok,
        };
        Outcome::ALL.into_iter().filter(exists).collect()
    }
}

const fn reads(kind: &'static str, app: &'static str, params: &'static str, does: Does) -> Case {
    Case { kind, app, params, before: &[], steps: "", does }
}

const fn acts(kind: &'static str, app: &'static str, operation: &'static str, params: &'static str) -> Case {
    Case { kind, app, params, before: &[], steps: "", does: Does::Calls(operation) }
}

impl Case {
    const fn after(mut self, before: &'static [&'static str]) -> Self {
        self.before = before;
        self
    }
}

pub static CASES: &[Case] = &[
    reads("check", "edge", "signals = [{ health_check = \"pay-mumbai\", is = \"healthy\" }]", Does::Reads),
    reads("wait-for", "aurora", "signals = [{ writer = \"global\", in = \"primary\" }]", Does::Reads),
    reads("alarm.check", "alarm", "component = \"lag-alarm\"\nis = \"ok\"", Does::Reads),
    reads("http.probe", "dns", "url = \"https://mumbai.origin.pay.bank.example/health\"", Does::Looks),
    reads("pause", "dns", "wait = \"2m\"\nreason = \"resolvers hold the old answer\"", Does::Nothing),
    reads("confirm", "dns", "items = [\"the bridge is open\"]", Does::Nothing),
    acts(
        "aurora.failover-global",
        "aurora",
        "FailoverGlobalCluster",
        "component = \"global\"\ntarget = \"recovery\"\nallow_data_loss = true",
    ),
    acts(
        "aurora.switchover-global",
        "aurora",
        "SwitchoverGlobalCluster",
        "component = \"global\"\ntarget = \"recovery\"",
    ),
    acts("aurora.keep-unplanned-snapshot", "aurora", "CopyDBClusterSnapshot", "component = \"global\"")
        .after(&["dark", "failover", "light"]),
    Case {
        steps: "[[step]]\nid = \"keep\"\ntitle = \"Keep\"\nkind = \"aurora.keep-unplanned-snapshot\"\ncomponent = \
                \"global\"\n",
        before: &["dark", "failover", "light"],
        ..acts(
            "aurora.delete-snapshot",
            "aurora",
            "DeleteDBClusterSnapshot",
            "component = \"global\"\nmade_by = \"keep\"",
        )
    },
    acts(
        "aurora.detach",
        "aurora",
        "RemoveFromGlobalCluster",
        "component = \"global\"\ntarget = \"recovery\"\nallow_data_loss = true",
    ),
    acts(
        "aurora.create-global",
        "aurora",
        "CreateGlobalCluster",
        "component = \"global\"\ntarget = \"recovery\"\nglobal_cluster = \"core-global-2\"",
    )
    .after(&["detach"]),
    acts(
        "aurora.rejoin",
        "aurora",
        "CreateDBCluster",
        "component = \"global\"\ntarget = \"primary\"\ncluster = \"core-mum-2\"\nglobal_cluster = \
         \"core-global-2\"\nkms_key = \"arn:aws:kms:ap-south-1:111122223333:key/mum\"",
    )
    .after(&["detach", "new-global"]),
    acts(
        "aurora.add-instance",
        "aurora",
        "CreateDBInstance",
        "component = \"global\"\ntarget = \"primary\"\ncluster = \"core-mum-2\"\ninstance = \
         \"core-mum-2-1\"\ninstance_class = \"db.r6g.2xlarge\"",
    )
    .after(&["detach", "new-global", "rejoin"]),
    acts("rds.promote-replica", "rds", "PromoteReadReplica", "component = \"db\"\ntarget = \"recovery\""),
    acts("rds.snapshot", "rds", "CreateDBSnapshot", "component = \"db\"\ntarget = \"primary\""),
    acts("rds.copy-snapshot", "plain", "CopyDBSnapshot", "component = \"db\"\ntarget = \"recovery\"").after(&["keep"]),
    acts(
        "rds.restore-from-snapshot",
        "rds",
        "RestoreDBInstanceFromDBSnapshot",
        "component = \"db\"\ntarget = \"recovery\"",
    ),
    acts(
        "rds.restore-to-point-in-time",
        "rds",
        "RestoreDBInstanceToPointInTime",
        "component = \"db\"\ntarget = \"primary\"\ninstance = \"core-rewound\"\ntime = \"2026-11-20T08:30:00Z\"",
    ),
    acts(
        "rds.create-replica",
        "rds",
        "CreateDBInstanceReadReplica",
        "component = \"db\"\ntarget = \"primary\"\ninstance = \"core-mum-2\"",
    )
    .after(&["promote"]),
    acts(
        "rds.delete-instance",
        "rds",
        "DeleteDBInstance",
        "component = \"db\"\ntarget = \"recovery\"\ninstance = \"drill-core\"\nprefix = \"drill-\"\nfinal_snapshot = \
         false",
    )
    .after(&["drill-restore"]),
    Case {
        steps: "[[step]]\nid = \"keep\"\ntitle = \"Keep\"\nkind = \"rds.snapshot\"\ncomponent = \"db\"\ntarget = \
                \"primary\"\n",
        ..acts(
            "rds.delete-snapshot",
            "rds",
            "DeleteDBSnapshot",
            "component = \"db\"\ntarget = \"primary\"\nmade_by = \"keep\"",
        )
    },
    acts("route53.shift", "dns", "ChangeResourceRecordSets", "component = \"api-name\"\ntarget = \"recovery\""),
    acts(
        "route53.health-check-override",
        "edge",
        "UpdateHealthCheck",
        "component = \"pay-mumbai\"\ninverted = true\ndisabled = true",
    ),
    acts("backup.start-backup", "vault", "StartBackupJob", "component = \"assist-db\""),
    acts("backup.copy", "vault", "StartCopyJob", "component = \"assist-db\"\ntarget = \"recovery\"").after(&["backup"]),
    acts("backup.restore", "vault", "StartRestoreJob", "component = \"assist-db\"\ntarget = \"recovery\""),
    Case {
        does: Does::Runs,
        ..acts(
            "command",
            "dns",
            "Run",
            "run = [\"/opt/bank/velero\", \"restore\", \"hyderabad\"]\ndone_when = [\"/opt/bank/velero\", \
             \"is-restored\", \"hyderabad\"]",
        )
    },
];

pub fn runbook_id(case: &Case) -> String {
    format!("only-{}", case.kind.replace('.', "-"))
}

/// One for each case.
pub fn runbooks() -> Vec<String> {
    CASES
        .iter()
        .map(|case| {
            format!(
                "[runbook]\nid = \"{}\"\nkind = \"failover\"\ntitle = \"Only {}\"\nfor = [\"{}\"]\n\n{}\n[[step]]\nid \
                 = \"act\"\ntitle = \"Act\"\nkind = \"{}\"\n{}\n",
                runbook_id(case),
                case.kind,
                case.app,
                case.steps,
                case.kind,
                case.params
            )
        })
        .collect()
}

pub const ESTATE: &str = include_str!("../estates/kinds/estate.toml");

/// What must have happened before a case: a runbook for each app that has such.
pub const BEFORE: [&str; 3] = [
    include_str!("../estates/kinds/before-aurora.toml"),
    include_str!("../estates/kinds/before-rds.toml"),
    include_str!("../estates/kinds/before-vault.toml"),
];
