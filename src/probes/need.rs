//! What a probe wants read: a closed list, so that the same read is made once for all components that want it.
//!
//! A need says *what*; when, how often and with whom together is `crate::collect`'s business. Metrics are not
//! read one by one: the collector asks for them in batches.

use std::time::Duration;

use crate::{
    aws::{Reader, backup, cloudwatch, cloudwatch::MetricQuery, rds, route53, sts},
    domain::{
        ProbeError, RegionId, Series, Timestamp,
        region::GLOBAL_CONTROL_PLANE,
        resource::{
            Alarm, DbCluster, DbInstance, DbSnapshot, GlobalCluster, HealthCheck, Identity, Job, JobKind, RecordSet,
            RecoveryPoint, Vault,
        },
        text::SafeText,
    },
};

/// One thing to read. Equal needs of several components are one read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    Metric(MetricNeed),
    GlobalClusters {
        region: RegionId,
    },
    DbClusters {
        region: RegionId,
    },
    DbInstances {
        region: RegionId,
    },
    /// Snapshots of instances.
    DbSnapshots {
        region: RegionId,
    },
    /// Recovery points of a vault, of all resources, created in the last `days`.
    Points {
        region: RegionId,
        vault: String,
        days: u32,
    },
    Vaults {
        region: RegionId,
    },
    /// Jobs of the last 24 h.
    Jobs {
        region: RegionId,
        kind: JobKind,
    },
    Alarms {
        region: RegionId,
    },
    /// Record sets of one DNS name, all types.
    Records {
        zone: String,
        name: String,
    },
    HealthCheck {
        id: String,
    },
    Identity {
        region: RegionId,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricNeed {
    pub region: RegionId,
    pub query: MetricQuery,
    pub window: Window,
}

/// Which part of a series is wanted. All metrics of one window go into the same batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// The last hour: enough to see a gap, a trend and the last points before an outage.
    Recent,
    /// The day before that hour, in coarser periods, read once an hour: the last points before an outage that began
    /// longer ago than [`Self::Recent`] reaches, for a console that is started late.
    DayBefore,
    /// The hour around this time a week ago, and the one after it: read once an hour.
    WeekAgo,
}

pub const WEEK: Duration = Duration::from_hours(7 * 24);
const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);
const COARSE_SECS: i64 = 300;
const COARSE: Duration = Duration::from_mins(5);
const MINUTE: Duration = Duration::from_mins(1);

impl MetricNeed {
    /// The same of the day before. A maximum over a longer period is still an upper bound, from no later than the start
    /// of its period.
    #[must_use]
    pub fn day_before(&self) -> Self {
        let mut query = self.query.clone();
        query.period = query.period.max(COARSE);
        Self { region: self.region.clone(), query, window: Window::DayBefore }
    }
}

impl Window {
    /// Start and end (exclusive), on whole minutes.
    #[must_use]
    pub fn bounds(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let minute = Timestamp::from_secs(now.secs().div_euclid(60) * 60);
        match self {
            Self::Recent => (minute - HOUR, minute + MINUTE),
            Self::DayBefore => {
                let aligned = Timestamp::from_secs(now.secs().div_euclid(COARSE_SECS) * COARSE_SECS);
                (aligned - DAY, aligned - HOUR + COARSE)
            }
            Self::WeekAgo => (minute - WEEK - MINUTE * 10, minute - WEEK + HOUR + MINUTE * 20),
        }
    }
}

/// How often a need is worth reading, in estate time (field guide 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cadence {
    /// One minute: metrics, who writes where, instances, records, health checks.
    Minute,
    /// Five minutes: jobs, points, vaults, alarms, identities.
    FiveMinutes,
    /// One hour: what does not change.
    Hour,
}

impl Cadence {
    #[must_use]
    pub const fn interval(self) -> Duration {
        match self {
            Self::Minute => MINUTE,
            Self::FiveMinutes => Duration::from_mins(5),
            Self::Hour => HOUR,
        }
    }
}

impl Need {
    /// Region of the endpoint that is asked.
    #[must_use]
    pub fn region(&self) -> RegionId {
        match self {
            Self::Metric(MetricNeed { region, .. })
            | Self::GlobalClusters { region }
            | Self::DbClusters { region }
            | Self::DbInstances { region }
            | Self::DbSnapshots { region }
            | Self::Points { region, .. }
            | Self::Vaults { region }
            | Self::Jobs { region, .. }
            | Self::Alarms { region }
            | Self::Identity { region } => region.clone(),
            Self::Records { .. } | Self::HealthCheck { .. } => RegionId::new(GLOBAL_CONTROL_PLANE),
        }
    }

    #[must_use]
    pub const fn cadence(&self) -> Cadence {
        match self {
            Self::Metric(MetricNeed { window: Window::DayBefore | Window::WeekAgo, .. }) => Cadence::Hour,
            Self::Metric(_)
            | Self::GlobalClusters { .. }
            | Self::DbClusters { .. }
            | Self::DbInstances { .. }
            | Self::DbSnapshots { .. }
            | Self::Records { .. }
            | Self::HealthCheck { .. } => Cadence::Minute,
            Self::Points { .. }
            | Self::Vaults { .. }
            | Self::Jobs { .. }
            | Self::Alarms { .. }
            | Self::Identity { .. } => Cadence::FiveMinutes,
        }
    }

    /// `cloudwatch GetMetricData`: service and operation.
    #[must_use]
    pub const fn call(&self) -> (&'static str, &'static str) {
        match self {
            Self::Metric(_) => ("cloudwatch", "GetMetricData"),
            Self::GlobalClusters { .. } => ("rds", "DescribeGlobalClusters"),
            Self::DbClusters { .. } => ("rds", "DescribeDBClusters"),
            Self::DbInstances { .. } => ("rds", "DescribeDBInstances"),
            Self::DbSnapshots { .. } => ("rds", "DescribeDBSnapshots"),
            Self::Points { .. } => ("backup", "ListRecoveryPointsByBackupVault"),
            Self::Vaults { .. } => ("backup", "ListBackupVaults"),
            Self::Jobs { kind: JobKind::Backup, .. } => ("backup", "ListBackupJobs"),
            Self::Jobs { kind: JobKind::Copy, .. } => ("backup", "ListCopyJobs"),
            Self::Jobs { kind: JobKind::Restore, .. } => ("backup", "ListRestoreJobs"),
            Self::Alarms { .. } => ("cloudwatch", "DescribeAlarms"),
            Self::Records { .. } => ("route53", "ListResourceRecordSets"),
            Self::HealthCheck { .. } => ("route53", "GetHealthCheck"),
            Self::Identity { .. } => ("sts", "GetCallerIdentity"),
        }
    }

    #[must_use]
    pub fn source(&self) -> SafeText {
        let (service, operation) = self.call();
        SafeText::new(format!("{service} {operation}"))
    }

    /// Reads it. A metric read alone is a batch of one; the collector batches them itself.
    pub async fn read(&self, reader: &Reader, now: Timestamp) -> Result<Reading<Payload>, ProbeError> {
        let day_ago = now - Duration::from_hours(24);
        match self {
            Self::Metric(need) => {
                let mut answers = read_metrics(reader, &need.region, std::slice::from_ref(need), now).await;
                answers.pop().map_or_else(|| Err(no_answer(self, now)), |(_, answer)| answer)
            }
            Self::GlobalClusters { region } => {
                let op = rds::DescribeGlobalClusters { region: region.clone(), id: None };
                reader.read(&op).await.map(|read| Reading::of(read, Payload::GlobalClusters))
            }
            Self::DbClusters { region } => {
                let op = rds::DescribeDbClusters { region: region.clone(), id: None };
                reader.read(&op).await.map(|read| Reading::of(read, Payload::DbClusters))
            }
            Self::DbInstances { region } => {
                let op = rds::DescribeDbInstances { region: region.clone() };
                reader.read(&op).await.map(|read| Reading::of(read, Payload::DbInstances))
            }
            Self::DbSnapshots { region } => {
                let op = rds::DescribeDbSnapshots { region: region.clone() };
                reader.read(&op).await.map(|read| Reading::of(read, Payload::DbSnapshots))
            }
            Self::Points { region, vault, days } => {
                let created_after = now - Duration::from_hours(u64::from(*days) * 24);
                let op = backup::ListRecoveryPointsByBackupVault {
                    region: region.clone(),
                    vault: vault.clone(),
                    resource: None,
                    created_after,
                };
                reader.read(&op).await.map(|read| Reading::of(read, Payload::Points))
            }
            Self::Vaults { region } => {
                let op = backup::ListBackupVaults { region: region.clone() };
                reader.read(&op).await.map(|read| Reading::of(read, Payload::Vaults))
            }
            Self::Jobs { region, kind } => {
                let (region, created_after) = (region.clone(), day_ago);
                let read = match kind {
                    JobKind::Backup => reader.read(&backup::ListBackupJobs { region, created_after }).await,
                    JobKind::Copy => reader.read(&backup::ListCopyJobs { region, created_after }).await,
                    JobKind::Restore => reader.read(&backup::ListRestoreJobs { region, created_after }).await,
                };
                read.map(|read| Reading::of(read, Payload::Jobs))
            }
            Self::Alarms { region } => {
                let op = cloudwatch::DescribeAlarms { region: region.clone() };
                reader.read(&op).await.map(|read| Reading::of(read, Payload::Alarms))
            }
            Self::Records { zone, name } => {
                let op = route53::ListResourceRecordSets { zone: zone.clone(), name: Some(name.clone()), kind: None };
                reader.read(&op).await.map(|read| Reading::of(read, Payload::Records))
            }
            Self::HealthCheck { id } => {
                let op = route53::GetHealthCheck { id: id.clone() };
                reader.read(&op).await.map(|read| Reading::of(read, Payload::HealthCheck))
            }
            Self::Identity { region } => {
                let op = sts::GetCallerIdentity { region: region.clone() };
                let read = reader.read(&op).await?;
                let skew_seconds = read.skew_seconds;
                Ok(Reading::of(read, |identity| Payload::Identity(Identity { skew_seconds, ..identity })))
            }
        }
    }
}

fn no_answer(need: &Need, at: Timestamp) -> ProbeError {
    ProbeError {
        failure: crate::domain::ProbeFailure::BadAnswer,
        region: need.region(),
        call: need.source(),
        message: SafeText::new("the answer does not mention this metric"),
        at,
    }
}

/// One GetMetricData call for up to `cloudwatch::QUERIES_MAX` metrics of one Region and one window.
pub async fn read_metrics(
    reader: &Reader,
    region: &RegionId,
    needs: &[MetricNeed],
    now: Timestamp,
) -> Vec<(MetricNeed, Result<Reading<Payload>, ProbeError>)> {
    let Some(first) = needs.first() else { return Vec::new() };
    let (start, end) = first.window.bounds(now);
    let queries = needs.iter().map(|need| need.query.clone()).collect();
    let op = cloudwatch::GetMetricData { region: region.clone(), queries, start, end };
    match reader.read(&op).await {
        Ok(read) => needs
            .iter()
            .zip(read.value)
            .map(|(need, answer)| {
                let outcome = match answer.series {
                    Ok(series) => Ok(Reading {
                        value: Payload::Series(series),
                        started_at: read.started_at,
                        truncated: read.truncated,
                        took: read.took,
                    }),
                    Err(failure) => Err(ProbeError {
                        failure: failure.failure,
                        region: region.clone(),
                        call: SafeText::new("cloudwatch GetMetricData"),
                        message: failure.message,
                        at: read.started_at,
                    }),
                };
                (need.clone(), outcome)
            })
            .collect(),
        Err(error) => needs.iter().map(|need| (need.clone(), Err(error.clone()))).collect(),
    }
}

/// An answer with its age.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading<T> {
    pub value: T,
    /// When the request started, estate time.
    pub started_at: Timestamp,
    pub truncated: bool,
    /// Wall time.
    pub took: Duration,
}

impl<T> Reading<T> {
    fn of<U>(read: crate::aws::Read<U>, payload: impl FnOnce(U) -> T) -> Self {
        Self { value: payload(read.value), started_at: read.started_at, truncated: read.truncated, took: read.took }
    }
}

/// What a need is answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    Series(Series),
    GlobalClusters(Vec<GlobalCluster>),
    DbClusters(Vec<DbCluster>),
    DbInstances(Vec<DbInstance>),
    DbSnapshots(Vec<DbSnapshot>),
    Points(Vec<RecoveryPoint>),
    Vaults(Vec<Vault>),
    Jobs(Vec<Job>),
    Alarms(Vec<Alarm>),
    Records(Vec<RecordSet>),
    HealthCheck(HealthCheck),
    Identity(Identity),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_of_last_week_holds_the_same_minute_for_the_next_hour() {
        let now = Timestamp::parse("2026-11-20T09:02:07Z").expect("a time");
        let (start, end) = Window::WeekAgo.bounds(now);
        assert!(start < now - WEEK && end > now - WEEK + HOUR);
        let (start, end) = Window::Recent.bounds(now);
        assert_eq!(start.secs() % 60, 0);
        assert!(end > now && now.since(start) >= HOUR);
    }

    #[test]
    fn the_day_before_ends_where_the_last_hour_begins_and_leaves_no_gap() {
        for seconds in [0, 1, 59, 240, 299] {
            let now = Timestamp::parse("2026-11-20T09:00:00Z").expect("a time") + Duration::from_secs(seconds);
            let (start, end) = Window::DayBefore.bounds(now);
            assert_eq!((start.secs() % 300, end.secs() % 300), (0, 0), "on whole periods");
            assert!(end >= Window::Recent.bounds(now).0, "{seconds}");
            assert!(now.since(start) >= DAY);
        }
    }
}
