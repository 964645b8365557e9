//! What AWS resources look like to us: the outputs of the operations in `crate::aws`, free of SDK types.
//!
//! Field names follow the service models (field guide sections 1, 2, 5, 7). Status words that AWS does not
//! close (`DBInstanceStatus`, `FailoverState.Status`) stay text; closed ones are enums with an `Other`.

use std::{collections::BTreeMap, time::Duration};

use super::{id::RegionId, text::SafeText, time::Timestamp};

/// `sts GetCallerIdentity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub account: SafeText,
    pub arn: SafeText,
    /// Own clock minus AWS's (`Date` header), in seconds, where it could be measured.
    pub skew_seconds: Option<i64>,
    pub session: Session,
}

/// How long the credentials last that a Region's calls are signed with. AWS does not tell; they say it themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Temporary, without a word on when they end.
    Unknown,
    /// Long-lived keys.
    Unlimited,
    /// Of the credentials that roles are assumed with: what is assumed renews itself as long as these last.
    Until(Timestamp),
}

/// `rds DescribeGlobalClusters` (field guide 2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalCluster {
    pub id: SafeText,
    pub arn: SafeText,
    pub status: SafeText,
    pub engine: SafeText,
    pub engine_version: SafeText,
    pub members: Vec<GlobalMember>,
    pub failover: Option<GlobalFailover>,
}

impl GlobalCluster {
    #[must_use]
    pub fn writer(&self) -> Option<&GlobalMember> {
        self.members.iter().find(|member| member.writer)
    }

    #[must_use]
    pub fn member_in(&self, region: &RegionId) -> Option<&GlobalMember> {
        self.members.iter().find(|member| member.region == *region)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalMember {
    pub cluster_arn: String,
    /// Fourth field of the ARN.
    pub region: RegionId,
    pub writer: bool,
    /// `connected` or `pending-resync`; absent on old engines.
    pub synchronization: Option<SafeText>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalFailover {
    /// `pending`, `failing-over`, `cancelling`, `switching-over` (the last is not in the model's enum).
    pub status: SafeText,
    pub from: Option<String>,
    pub to: Option<String>,
    pub data_loss_allowed: bool,
}

/// `rds DescribeDBClusters`, what a runbook needs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbCluster {
    pub id: SafeText,
    pub arn: String,
    pub status: SafeText,
    pub engine: SafeText,
    pub engine_version: SafeText,
    pub members: Vec<SafeText>,
    pub latest_restorable: Option<Timestamp>,
    /// The global database it belongs to.
    pub global_cluster: Option<String>,
    /// ARN of the cluster it follows; none where it stands for itself.
    pub replicates_from: Option<String>,
    pub tags: Tags,
}

/// Keys and values.
pub type Tags = BTreeMap<String, String>;

/// `rds DescribeDBInstances`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbInstance {
    pub id: SafeText,
    pub arn: String,
    pub status: SafeText,
    pub engine: SafeText,
    pub multi_az: bool,
    pub latest_restorable: Option<Timestamp>,
    pub backup_retention_days: u32,
    pub replica_of: Option<String>,
    pub replicas: Vec<String>,
    /// `replicating`, `error`, … with whether AWS calls it normal.
    pub replication: Option<(SafeText, bool)>,
    /// The cluster it is an instance of.
    pub cluster: Option<String>,
    /// None while it is being created.
    pub created: Option<Timestamp>,
    pub encrypted: bool,
    /// Against deletion.
    pub protected: bool,
    pub tags: Tags,
}

/// `rds DescribeDBSnapshots` and `DescribeDBClusterSnapshots`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbSnapshot {
    pub id: SafeText,
    pub arn: String,
    pub source: SafeText,
    pub status: SafeText,
    pub created: Option<Timestamp>,
    pub percent: Option<u32>,
    /// Storage of what it was taken from.
    pub size_bytes: u64,
    /// Identifier or ARN of the snapshot it is a copy of.
    pub copied_from: Option<String>,
    pub encrypted: bool,
    pub tags: Tags,
}

/// `rds DescribeEvents`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbEvent {
    pub source: SafeText,
    pub at: Timestamp,
    pub message: SafeText,
}

/// `backup ListRecoveryPointsByBackupVault` / `…ByResource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryPoint {
    pub arn: String,
    pub resource_arn: String,
    pub vault: String,
    pub status: PointStatus,
    /// `CreationDate`: the data time; survives a copy (field guide 0.1, fact 4).
    pub created: Timestamp,
    pub completed: Option<Timestamp>,
    /// `CalculatedLifecycle.DeleteAt`.
    pub delete_at: Option<Timestamp>,
    pub size_bytes: u64,
    /// Vault locked or the point under retention that nobody can shorten; `None` where the API does not say.
    pub locked: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PointStatus {
    Creating,
    Completed,
    Available,
    Partial,
    Expired,
    Stopped,
    Deleting,
    Other(SafeText),
}

impl PointStatus {
    /// Field guide 1.3: `usable(rp) = Status in {COMPLETED, AVAILABLE}`.
    #[must_use]
    pub const fn restorable(&self) -> bool {
        matches!(self, Self::Completed | Self::Available)
    }

    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Creating => "CREATING",
            Self::Completed => "COMPLETED",
            Self::Available => "AVAILABLE",
            Self::Partial => "PARTIAL",
            Self::Expired => "EXPIRED",
            Self::Stopped => "STOPPED",
            Self::Deleting => "DELETING",
            Self::Other(word) => word,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    Backup,
    Copy,
    Restore,
}

impl JobKind {
    pub const ALL: [Self; 3] = [Self::Backup, Self::Copy, Self::Restore];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Copy => "copy",
            Self::Restore => "restore",
        }
    }
}

/// A backup, copy or restore job of AWS Backup.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub kind: JobKind,
    pub id: SafeText,
    /// Region whose API listed it: where the job was started.
    pub region: RegionId,
    pub resource_arn: String,
    pub resource_type: SafeText,
    pub state: JobState,
    pub message: Option<SafeText>,
    pub message_category: Option<SafeText>,
    /// `CreationDate` of the job.
    pub created: Timestamp,
    /// `StartBy` of a backup job: end of its start window.
    pub start_by: Option<Timestamp>,
    pub expected_completion: Option<Timestamp>,
    pub completed: Option<Timestamp>,
    pub size_bytes: u64,
    /// `PercentDone` is text on the wire.
    pub percent: Option<f64>,
    /// Vault of a backup, destination vault of a copy (name, not ARN).
    pub vault: Option<SafeText>,
    /// Region of the destination vault of a copy.
    pub destination: Option<RegionId>,
    pub recovery_point_arn: Option<String>,
    pub source_point_arn: Option<String>,
    pub created_resource_arn: Option<String>,
    /// A composite's parent: counted once, its children are dropped.
    pub parent: bool,
}

impl Job {
    /// `COMPLETED` with a message category other than `SUCCESS` (field guide 0.1, fact 6).
    #[must_use]
    pub fn completed_with_issues(&self) -> bool {
        self.state == JobState::Completed
            && self.message_category.as_ref().is_some_and(|category| !category.eq_ignore_ascii_case("success"))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    Created,
    Pending,
    Running,
    Aborting,
    Aborted,
    Completed,
    Failed,
    Expired,
    Partial,
    Other(SafeText),
}

impl JobState {
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Created => "CREATED",
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Aborting => "ABORTING",
            Self::Aborted => "ABORTED",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
            Self::Partial => "PARTIAL",
            Self::Other(word) => word,
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "CREATED" => Self::Created,
            "PENDING" => Self::Pending,
            "RUNNING" => Self::Running,
            "ABORTING" => Self::Aborting,
            "ABORTED" => Self::Aborted,
            "COMPLETED" => Self::Completed,
            "FAILED" => Self::Failed,
            "EXPIRED" => Self::Expired,
            "PARTIAL" => Self::Partial,
            other => Self::Other(SafeText::new(other)),
        }
    }

    #[must_use]
    pub const fn running(&self) -> bool {
        matches!(self, Self::Created | Self::Pending | Self::Running | Self::Aborting)
    }

    #[must_use]
    pub const fn bad(&self) -> bool {
        matches!(self, Self::Failed | Self::Expired | Self::Aborted | Self::Partial)
    }
}

/// `backup DescribeBackupVault` / `ListBackupVaults`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    pub name: SafeText,
    pub arn: String,
    pub region: RegionId,
    pub locked: bool,
    pub min_retention_days: Option<u32>,
    pub max_retention_days: Option<u32>,
    pub points: u64,
    /// `AVAILABLE`, or why not.
    pub state: Option<SafeText>,
}

/// `route53 ListResourceRecordSets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Without the trailing dot.
    pub name: String,
    /// `A`, `CNAME`, …
    pub kind: String,
    pub set_identifier: Option<String>,
    pub routing: Routing,
    /// Seconds; none for an alias.
    pub ttl: Option<Duration>,
    pub values: Vec<String>,
    /// Alias target, kept whole because UPSERT replaces the whole set (field guide 5.1).
    pub alias: Option<AliasTarget>,
    pub health_check: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasTarget {
    pub zone: String,
    pub dns_name: String,
    pub evaluate_health: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routing {
    Simple,
    Weighted {
        weight: u8,
    },
    Failover {
        primary: bool,
    },
    /// Latency, geolocation, …: shown, never changed by us.
    Other(SafeText),
}

/// `route53 GetChange`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsChange {
    pub id: SafeText,
    /// `INSYNC` on all authoritative servers; clients still hold the TTL.
    pub in_sync: bool,
    pub submitted: Option<Timestamp>,
}

/// `route53 GetHealthCheck` + `GetHealthCheckStatus`, or the us-east-1 metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    pub id: SafeText,
    pub kind: SafeText,
    /// Share of checkers that see it healthy, in percent; `None` when none reported.
    pub healthy_percent: Option<u8>,
    pub disabled: bool,
    pub inverted: bool,
    /// Prose of one checker that failed.
    pub last_failure: Option<SafeText>,
}

impl HealthCheck {
    /// Healthy when more than 18 % of the checkers say so (field guide 5.2); `None` = nobody reported.
    #[must_use]
    pub fn healthy(&self) -> Option<bool> {
        if self.disabled {
            return Some(!self.inverted); // a disabled check counts as healthy, a disabled and inverted one as unhealthy
        }
        self.healthy_percent.map(|percent| (percent > 18) != self.inverted)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmState {
    Ok,
    Alarm,
    InsufficientData,
}

/// `cloudwatch DescribeAlarms`, metric and composite alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub name: SafeText,
    pub composite: bool,
    pub state: AlarmState,
    pub reason: Option<SafeText>,
    pub since: Option<Timestamp>,
    /// `ActionsEnabled = false`: looks healthy but never tells anybody (field guide 7.3).
    pub silent: bool,
}

/// Identity of one metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricId {
    pub namespace: String,
    pub name: String,
    pub dimensions: BTreeMap<String, String>,
}
