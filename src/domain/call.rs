//! An AWS call described as a value: what a plan shows, what is hashed, what the call log prints.
//!
//! A description holds no credential and no secret: every parameter shown here is also sent in clear text to
//! an auditor's export.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{id::RegionId, text::SafeText};

/// What a call or a step can do to the bank, in growing order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hazard {
    /// Reads only.
    None,
    /// Changes something that the same console can put back.
    Reversible,
    /// Users notice.
    Disruptive,
    /// Committed data may be lost, and nothing brings it back.
    DataLoss,
}

impl Hazard {
    pub const ALL: [Self; 4] = [Self::None, Self::Reversible, Self::Disruptive, Self::DataLoss];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Reversible => "reversible",
            Self::Disruptive => "disruptive",
            Self::DataLoss => "data-loss",
        }
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One AWS call, resolved to what goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallDescription {
    /// Service as in the SDK, e.g. `rds`.
    pub service: String,
    /// Operation, e.g. `FailoverGlobalCluster`.
    pub operation: String,
    /// Region of the endpoint that receives it; `us-east-1` for the global control planes.
    pub region: RegionId,
    /// Parameters in wire order, e.g. `("AllowDataLoss", "true")`.
    pub params: Vec<(String, SafeText)>,
    pub hazard: Hazard,
    /// IAM actions it needs, e.g. `rds:FailoverGlobalCluster`.
    pub iam_actions: Vec<String>,
}

impl fmt::Display for CallDescription {
    /// `rds FailoverGlobalCluster ap-south-2`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.service, self.operation, self.region)
    }
}

/// One call that was made, for the call log (`!`) and the run's record.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    pub seq: u64,
    /// Estate time at which the request started.
    pub at: super::time::Timestamp,
    pub service: &'static str,
    pub operation: &'static str,
    pub region: RegionId,
    pub hazard: Hazard,
    /// Wall time it took.
    pub took: std::time::Duration,
    pub outcome: CallOutcome,
    pub request_id: Option<SafeText>,
    /// Cost by list price; zero for what is free.
    pub usd: f64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    Ok,
    Failed { failure: super::observation::ProbeFailure, message: SafeText },
}
