//! What can be made to go wrong, as JSON that `sim inject`, `POST /_sim/inject` and scenario files share.
//!
//! A fault is in force from `from` until `until` (estate time). Faults are kept after they end, because history
//! must stay as it was: a metric that was missing at 02:57 is still missing when it is asked for at 04:00.

use serde::{Deserialize, Serialize};

use crate::domain::{RegionId, Timestamp};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Number given by the simulator, from 1.
    #[serde(default)]
    pub id: u64,
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Estate time; the simulator fills in its own now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Estate time; none = until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Fault {
    #[must_use]
    pub fn in_force(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultKind {
    /// The whole Region; its workload is gone too: metrics of things in it stop, replication from it stops.
    RegionDown { region: RegionId, how: Down },
    /// One service's API in one Region; the workload goes on.
    ServiceDown { region: RegionId, service: String, how: Down },
    /// Answers `Throttling` to this share of calls (0..=1).
    Throttling {
        region: RegionId,
        #[serde(default)]
        service: Option<String>,
        share: f64,
    },
    /// The next `count` matching calls take effect and their answer is lost.
    ReplyLost {
        #[serde(default)]
        service: Option<String>,
        #[serde(default)]
        operation: Option<String>,
        count: u32,
    },
    /// The next `count` matching calls that would change something are not answered, and take effect only
    /// `after_seconds` (estate time) later, in the world as it is then. It may be refused then, as any other.
    LateEffect {
        #[serde(default)]
        service: Option<String>,
        #[serde(default)]
        operation: Option<String>,
        count: u32,
        after_seconds: u64,
        answer: LateAnswer,
    },
    /// Reads of the service answer as of so many seconds ago (estate time) while in force: eventual consistency.
    StaleReads {
        service: String,
        #[serde(default)]
        region: Option<RegionId>,
        #[serde(default)]
        operation: Option<String>,
        seconds: u64,
    },
    /// Replication lag of a component's stream (by cluster, instance, table, bucket or task id) grows by so many
    /// milliseconds per second while in force, and falls back afterwards.
    LagGrowth { target: String, millis_per_second: f64 },
    /// Backup or copy jobs of a resource (ARN) fail with this message while in force.
    JobsFail {
        resource: String,
        #[serde(default)]
        job: Option<String>,
        message: String,
    },
    /// The Route 53 control plane in us-east-1 answers 5xx or throttles; DNS answers and health checks go on.
    ControlPlaneImpaired { how: Down },
    /// Credentials are answered as expired in this Region.
    CredentialsExpired { region: RegionId },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Down {
    Refuse,
    #[serde(alias = "black-hole")]
    Blackhole,
    /// Answers after this many milliseconds of wall time.
    Slow,
    #[serde(rename = "5xx", alias = "server-error")]
    ServerError,
}

/// What the caller of a call with a late effect gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LateAnswer {
    /// Nothing: its own time-out ends it.
    #[serde(alias = "black-hole")]
    Blackhole,
    /// The connection breaks.
    Lost,
    #[serde(rename = "5xx", alias = "server-error")]
    ServerError,
}
