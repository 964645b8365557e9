//! What the facts mean: exposure against target, verdicts, RTO standing, the decide card. DESIGN section 5.
//!
//! Pure and total: every combination of facts has an answer, and the answer to missing facts is Unknown, never
//! Met. One file per table of rules: [`streaming`], [`backups`], [`standing`] (one component), [`rto`], [`decide`],
//! [`served`], [`order`] (worst first, exit codes); [`assess`] joins them; this file holds the words.

mod assess;
pub mod backups;
mod decide;
#[cfg(test)]
pub(crate) mod fixtures;
mod order;
pub mod rto;
mod served;
mod standing;
pub mod streaming;
#[cfg(test)]
mod tests;
mod words;

use std::time::Duration;

pub use assess::{NO_RPO, NOT_MANDATORY, SKEW_MAX_SECONDS, assess};
pub use order::{app_of, exit_code, order, ratio as exposure_ratio, severity};

use serde::{Deserialize, Serialize};

use super::{
    app::{App, Estate},
    id::{AppId, ComponentId},
    snapshot::Snapshot,
    text::SafeText,
    time::Timestamp,
};

/// Everything an assessment depends on. `execution` is the critical path of the app's failover runbook, from the
/// one function that the plan uses too (`crate::runbook::estimate`), so that board and plan cannot disagree.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub estate: &'a Estate,
    pub app: &'a App,
    pub snapshot: &'a Snapshot,
    pub execution: Option<&'a Execution>,
    /// What runs of the app achieved, any order.
    pub achieved: &'a [rto::AchievedRecord],
    pub now: Timestamp,
}

/// How long the steps of the app's failover runbook take, and what is known of the runbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Critical path of the steps; DNS TTL and verification are not in it.
    pub critical_path: Duration,
    /// `declared`, `p90 of 3 runs`.
    pub basis: SafeText,
    /// Time-to-live to wait for after the last change of DNS; zero when the runbook changes none.
    pub dns_ttl: Duration,
    /// Steps after the traffic moved that only verify.
    pub verification: Duration,
    /// A proof made with another text of the runbook has lapsed.
    pub runbook_digest: String,
}

/// The judgement on an app, an exposure or a component. Always drawn as word + glyph + colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `sampled`: judged from samples, not proven for every moment (a target under a minute cannot be proven so).
    Met {
        sampled: bool,
    },
    AtRisk {
        why: SafeText,
        when: Option<Timestamp>,
    },
    /// By how much the target is exceeded.
    Breached {
        by: Duration,
    },
    Unknown {
        why: SafeText,
        at_least: Option<Duration>,
        at_most: Option<Duration>,
    },
    NoTarget,
}

/// Exit and sort precedence: `Breached`, `Unknown`, `AtRisk` / `NoTarget`, `Met`. Lower is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Breached,
    Unknown,
    Warning,
    Met,
}

impl Verdict {
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Breached { .. } => Severity::Breached,
            Self::Unknown { .. } => Severity::Unknown,
            Self::AtRisk { .. } | Self::NoTarget => Severity::Warning,
            Self::Met { .. } => Severity::Met,
        }
    }

    /// Stable word: `met`, `at-risk`, `breached`, `unknown`, `no-target`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Met { .. } => "met",
            Self::AtRisk { .. } => "at-risk",
            Self::Breached { .. } => "breached",
            Self::Unknown { .. } => "unknown",
            Self::NoTarget => "no-target",
        }
    }
}

/// Data that would be lost, in answer to one of the two questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    pub target: Option<Duration>,
    /// The figure shown: for streaming the lag of the newest sample, for points now minus data time.
    pub exposure: Option<Duration>,
    pub at_least: Option<Duration>,
    pub at_most: Option<Duration>,
    /// The component with the worst ratio of exposure to target.
    pub component: Option<ComponentId>,
    /// The moment one would be back at.
    pub data_time: Option<Timestamp>,
    pub observed_at: Option<Timestamp>,
    /// Whether the newest point is locked against deletion, where known (corruption only).
    pub locked: Option<bool>,
    pub verdict: Verdict,
}

impl Exposure {
    #[must_use]
    pub const fn unknown(target: Option<Duration>, why: SafeText) -> Self {
        Self {
            target,
            exposure: None,
            at_least: None,
            at_most: None,
            component: None,
            data_time: None,
            observed_at: None,
            locked: None,
            verdict: Verdict::Unknown { why, at_least: None, at_most: None },
        }
    }
}

/// Exposure over target; what is known at least where the value is not, zero where there is nothing to compare.
fn ratio(exposure: &Exposure) -> f64 {
    match (exposure.exposure.or(exposure.at_least), exposure.target) {
        (Some(lost), Some(target)) if !target.is_zero() => lost.as_secs_f64() / target.as_secs_f64(),
        (Some(lost), Some(_)) if !lost.is_zero() => f64::INFINITY,
        _ => 0.0,
    }
}

/// The three separate flags of backups and copies (DESIGN section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupFlags {
    /// interval + p99(start delay + backup + copy) > target: the worst case, when it is set.
    pub design: Option<Duration>,
    /// E > target, by how much.
    pub contract: Option<Duration>,
    pub late: Option<Late>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    pub critical: bool,
    pub why: SafeText,
}

/// RTO: target, estimated and proven are never mixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtoStanding {
    pub target: Option<Duration>,
    pub estimated: Option<RtoEstimate>,
    pub proven: Option<RtoProof>,
    pub verdict: Verdict,
}

/// detection + decision + execution + DNS TTL + verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtoEstimate {
    pub detection: Duration,
    pub decision: Duration,
    pub execution: Duration,
    pub dns_ttl: Duration,
    pub verification: Duration,
    /// `declared`, or `p90 of 3 runs`.
    pub basis: SafeText,
}

impl RtoEstimate {
    /// From the outage on.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.detection + self.decision + self.from_declaration()
    }

    /// From the declaration on.
    #[must_use]
    pub fn from_declaration(&self) -> Duration {
        self.execution + self.dns_ttl + self.verification
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtoProof {
    pub achieved: Duration,
    pub at: Timestamp,
    pub source: SafeText,
    /// Lapsed with age, or because the runbook changed.
    pub lapsed: bool,
}

/// Customers served: share of good answers and rate, against the same minute last week.
#[derive(Clone, Debug, PartialEq)]
pub struct ServedStanding {
    /// 0..=1; `None` = unknown.
    pub success: Option<f64>,
    pub per_second: Option<f64>,
    /// Rate now / rate in the same minute last week.
    pub against_last_week: Option<f64>,
    pub data_time: Option<Timestamp>,
}

/// One card for an app in trouble: what declaring now costs, and until when one can wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecideCard {
    /// "lose at most": bound on the loss when declaring now.
    pub loss_at_most: Option<Duration>,
    /// The window of data that would be lost.
    pub loss_from: Option<Timestamp>,
    pub loss_to: Option<Timestamp>,
    /// When service would be back when declared now.
    pub back_at: Option<Timestamp>,
    /// Last moment to declare and still meet the RTO.
    pub last_moment: Option<Timestamp>,
    /// Lines for people, most important first.
    pub lines: Vec<SafeText>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ComponentStanding {
    pub component: ComponentId,
    pub region_lost: Option<Exposure>,
    pub corrupted: Option<Exposure>,
    pub verdict: Verdict,
    /// State in words: `writer ap-south-1`, `idle`, `stalled`, `not replicating`, `not observed by this version`.
    pub state: SafeText,
    pub observed_at: Option<Timestamp>,
}

/// Everything that is said of one app.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    pub app: AppId,
    pub region_lost: Exposure,
    pub corrupted: Exposure,
    pub flags: BackupFlags,
    pub rto: RtoStanding,
    pub served: ServedStanding,
    pub components: Vec<ComponentStanding>,
    /// The app's verdict: the worst of what is mandatory.
    pub verdict: Verdict,
    /// Why, in words, most important first.
    pub reasons: Vec<SafeText>,
    /// What the verdict is worth to a monitoring system: a breach pages only if the design could have met the target.
    pub pages: bool,
    pub decide: Option<DecideCard>,
}
