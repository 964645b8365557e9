//! The estate as its files say it: apps, components, targets, the Region pair. Validated, without spans.
//!
//! Built only by `crate::estate` (and by tests); everything downstream may rely on references being whole and
//! Regions being inside the residency rule. What is *observed* of it is in [`super::fact`].

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    fact::What,
    freeze::Freeze,
    id::{AppId, ComponentId, RegionId, RunbookId},
    region::{RegionPair, Side},
    text::SafeText,
    time::{Timestamp, Zone},
};

#[derive(Clone, Debug)]
pub struct Estate {
    pub name: SafeText,
    /// Where it came from, for the banner: a folder, or `bundled`.
    pub origin: SafeText,
    pub zone: Zone,
    /// Acting in any other account is refused. Twelve digits.
    pub expects_account: String,
    pub regions: RegionPair,
    pub residency: Residency,
    /// How each Region is reached: AWS profile and role to assume.
    pub access: BTreeMap<Side, Access>,
    /// When changes are not wanted.
    pub freezes: Vec<Freeze>,
    /// In the order of the file.
    pub apps: Vec<App>,
    /// Contradictions of policy found while loading; `check` prints them and the board shows them.
    pub warnings: Vec<PolicyWarning>,
}

impl Estate {
    #[must_use]
    pub fn app(&self, id: &AppId) -> Option<&App> {
        self.apps.iter().find(|app| app.id == *id)
    }
}

/// Data may live in `data` only; `control_planes` may hold metadata of global services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Residency {
    pub data: Vec<RegionId>,
    pub control_planes: Vec<RegionId>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Profile of the shared AWS config files; none = the SDK's default chain.
    pub profile: Option<String>,
    /// Role assumed through the *regional* STS endpoint (field guide 8.4).
    pub role: Option<String>,
    /// Account of the resources on this side, when it is not the estate's.
    pub account: Option<String>,
}

/// A contradiction between what the bank wants and what its policy can give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWarning {
    /// Stable word, e.g. `backup-interval-exceeds-rpo`.
    pub code: &'static str,
    pub app: Option<AppId>,
    pub text: SafeText,
    /// `estate.toml:41:7`, empty for an estate built in code.
    pub place: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    BackupRestore,
    PilotLight,
    WarmStandby,
    ActivePassive,
    ActiveActive,
    SnapshotCopy,
}

impl Strategy {
    pub const ALL: [Self; 6] = [
        Self::BackupRestore,
        Self::PilotLight,
        Self::WarmStandby,
        Self::ActivePassive,
        Self::ActiveActive,
        Self::SnapshotCopy,
    ];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BackupRestore => "backup-restore",
            Self::PilotLight => "pilot-light",
            Self::WarmStandby => "warm-standby",
            Self::ActivePassive => "active-passive",
            Self::ActiveActive => "active-active",
            Self::SnapshotCopy => "snapshot-copy",
        }
    }
}

#[derive(Clone, Debug)]
pub struct App {
    pub id: AppId,
    pub name: SafeText,
    /// 1 is the most critical.
    pub tier: u8,
    /// The bank's own word, e.g. `high-to-medium`.
    pub criticality: SafeText,
    pub strategy: Strategy,
    pub rpo: Option<Duration>,
    pub rto: Option<Duration>,
    pub depends_on: Vec<AppId>,
    pub backup: Option<BackupPolicy>,
    pub components: Vec<Component>,
    /// By kind word: `failover`, `switchover`, `failback`, `re-protect`.
    pub runbooks: BTreeMap<String, RunbookId>,
    pub drills: Vec<DrillRecord>,
    pub served: Option<ServedMetrics>,
    /// A named owner accepts that the design cannot meet the target, until a date.
    pub accepted: Option<Acceptance>,
    pub timings: Timings,
    /// Free text shown on the app screen, e.g. a gap in the sources.
    pub note: Option<SafeText>,
    /// `[app.parameters.<runbook>]`: the app's own values for a runbook, checked against what that asks for.
    pub parameters: BTreeMap<RunbookId, BTreeMap<String, Param>>,
    /// The least time between the end of one run of the app and the start of the next (anti-flap).
    pub not_again_within: Option<Duration>,
}

impl App {
    #[must_use]
    pub fn component(&self, id: &ComponentId) -> Option<&Component> {
        self.components.iter().find(|component| component.id == *id)
    }
}

/// AWS Backup (or a scheduler) for the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupPolicy {
    pub every: Duration,
    pub retention: Duration,
    /// The start window of a job, 60 min at least in AWS Backup (field guide 1.2).
    pub start_window: Duration,
    pub copy_to: Option<Side>,
    /// Declared p99 of start delay + backup + copy, used until observed jobs say better.
    pub declared_duration_p99: Duration,
}

/// The declared parts of an RTO estimate; observed ones replace them where known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    pub detection: Duration,
    pub decision: Duration,
    pub dns_ttl: Duration,
    pub verification: Duration,
    /// How long the recovery itself takes, said by its owner; only where no failover runbook tells it better.
    pub execution: Option<Duration>,
}

/// The last rehearsals, newest last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillRecord {
    pub name: SafeText,
    pub at: Timestamp,
    /// Measured, from declaration.
    pub rto_achieved: Option<Duration>,
    pub rpo_achieved: Option<Duration>,
    pub runbook: Option<RunbookId>,
    pub findings_open: u32,
    pub next_due: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    pub owner: SafeText,
    pub until: Timestamp,
    pub reason: SafeText,
}

/// The metrics that say whether customers are served: two counters, per Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedMetrics {
    pub namespace: String,
    pub good: String,
    pub total: String,
    pub dimensions: BTreeMap<String, String>,
}

/// What a component is to the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Holds data: has an RPO.
    Data,
    /// Runs the app.
    Run,
    /// Brings customers to it.
    Edge,
    /// Feeds or watches it.
    Link,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Data, Self::Run, Self::Edge, Self::Link];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Run => "run",
            Self::Edge => "edge",
            Self::Link => "link",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Component {
    pub id: ComponentId,
    /// Id of the kind in the catalogue.
    pub kind: &'static str,
    pub kind_title: &'static str,
    /// False: declared here, but this version has no probe for its kind.
    pub observed: bool,
    /// An app is never better than its worst mandatory component.
    pub mandatory: bool,
    pub role: Role,
    /// Overrides the app's RPO for this component.
    pub rpo: Option<Duration>,
    pub params: Params,
    /// The fact that answers "primary Region lost", and where it is read.
    pub region_lost: Option<(Side, What)>,
    /// The facts that answer "data corrupted".
    pub corrupted: Vec<(Side, What)>,
}

/// The kind's own parameters, already checked against its [`super::kind::KindSpec`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Params(pub BTreeMap<String, Param>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Param {
    Text(String),
    Duration(Duration),
    Number(f64),
    Flag(bool),
    /// Bytes.
    Size(u64),
    Sides {
        primary: Option<String>,
        recovery: Option<String>,
    },
    Map(BTreeMap<String, String>),
    Side(Side),
}

impl Params {
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Param::Text(text)) => Some(text),
            _ => None,
        }
    }

    #[must_use]
    pub fn side_text(&self, name: &str, side: Side) -> Option<&str> {
        match (self.0.get(name), side) {
            (Some(Param::Sides { primary, .. }), Side::Primary) => primary.as_deref(),
            (Some(Param::Sides { recovery, .. }), Side::Recovery) => recovery.as_deref(),
            _ => None,
        }
    }

    #[must_use]
    pub fn duration(&self, name: &str) -> Option<Duration> {
        match self.0.get(name) {
            Some(Param::Duration(d)) => Some(*d),
            _ => None,
        }
    }

    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.0.get(name) {
            Some(Param::Number(n)) => Some(*n),
            _ => None,
        }
    }

    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.0.get(name) {
            Some(Param::Flag(b)) => Some(*b),
            _ => None,
        }
    }

    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<u64> {
        match self.0.get(name) {
            Some(Param::Size(n)) => Some(*n),
            _ => None,
        }
    }

    #[must_use]
    pub fn map(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        match self.0.get(name) {
            Some(Param::Map(map)) => Some(map),
            _ => None,
        }
    }

    #[must_use]
    pub fn side(&self, name: &str) -> Option<Side> {
        match self.0.get(name) {
            Some(Param::Side(side)) => Some(*side),
            _ => None,
        }
    }
}
