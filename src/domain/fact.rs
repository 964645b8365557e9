//! What can be known of a component: a closed set of *shapes*, not of AWS products.
//!
//! A probe turns AWS answers into facts; compliance and the views know facts only, so a new kind of component
//! needs no change in either. A fact never says how old it is: [`super::observation::Observation`] does.

use std::time::Duration;

use super::{
    id::{AppId, ComponentId, RegionId},
    resource::{Alarm, DbInstance, GlobalCluster, HealthCheck, RecordSet, RecoveryPoint},
    time::Timestamp,
};

/// Which fact: of which component, read in which Region, of which shape.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId {
    pub app: AppId,
    pub component: ComponentId,
    /// The Region the fact speaks about (for Route 53: `us-east-1`, where it is read).
    pub region: RegionId,
    pub what: What,
}

/// The pseudo-component under which an app's "customers served" counters are kept.
pub const SERVED: &str = "served";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Who writes where.
    Topology,
    /// Replication lag as a duration, in seconds.
    Lag,
    /// Writes at the source; zero writes make missing lag *idle*.
    SourceWrites,
    /// Recovery points of one resource in this Region's vault.
    RecoveryPoints,
    /// Point-in-time restore window.
    Restorable,
    /// State of an instance.
    Instance,
    /// DNS records of one name.
    Record,
    HealthCheck,
    /// Any metric, to be shown.
    Gauge,
    Alarm,
    /// Requests that customers got an answer to, per minute.
    ServedGood,
    /// Requests that customers made, per minute.
    ServedTotal,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    Topology(GlobalCluster),
    /// Seconds. `-1` is kept as it came: it means "not replicating" (field guide 0.1, fact 7), never zero.
    Lag(Series),
    SourceWrites(Series),
    RecoveryPoints(PointSet),
    Restorable(Restorable),
    Instance(DbInstance),
    /// Not there, and declared so: a failover makes it. Known, where a missing answer is not.
    NotMade,
    Record(Vec<RecordSet>),
    HealthCheck(HealthCheck),
    Gauge(Series),
    Alarm(Alarm),
    ServedGood(Series),
    ServedTotal(Series),
}

/// Points of one CloudWatch series, oldest first. An empty series is "no data", which is not zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub period: Duration,
    pub points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Start of the period, as CloudWatch stamps it.
    pub at: Timestamp,
    pub value: f64,
}

impl Series {
    #[must_use]
    pub fn newest(&self) -> Option<Point> {
        self.points.last().copied()
    }
}

/// Recovery points of one resource in one vault, as listed (any order, any status).
#[derive(Clone, Debug, PartialEq)]
pub struct PointSet {
    pub vault: String,
    pub points: Vec<RecoveryPoint>,
    /// False: the vault or its key cannot be used for a restore now.
    pub usable: bool,
    /// True when paging stopped at the bound: there may be newer points than the list shows.
    pub truncated: bool,
}

/// Window of point-in-time restore; `None` where backups are off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restorable {
    pub earliest: Option<Timestamp>,
    pub latest: Option<Timestamp>,
}
