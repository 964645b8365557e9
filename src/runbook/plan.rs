//! A runbook frozen against a snapshot: exact calls, guards with their present value, all blockers at once.
//!
//! What is shown is what will run: the hash covers everything a confirmation relies on.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::guards::LossBound;
use super::spec::{OnFailure, Only, RunbookKind, Variant};
use crate::domain::{
    AppId, CallDescription, Hazard, RegionId, RunbookId, Side, StepId, Timestamp, World, compliance::RtoEstimate,
    text::SafeText,
};

/// What is to be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRequest {
    pub runbook: RunbookId,
    pub app: AppId,
    /// As written on the command line (`--set name=value`); these come before what the estate says.
    pub parameters: BTreeMap<String, String>,
    pub variant: Variant,
}

impl PlanRequest {
    /// The whole runbook with the estate's own values.
    #[must_use]
    pub fn new(runbook: RunbookId, app: AppId) -> Self {
        Self { runbook, app, parameters: BTreeMap::new(), variant: Variant::Whole }
    }
}

/// SHA-256 over the canonical form of a plan, hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanHash(pub String);

impl PlanHash {
    /// `7c41…e2`
    #[must_use]
    pub fn short(&self) -> String {
        match (self.0.get(..4), self.0.len().checked_sub(2).and_then(|n| self.0.get(n..))) {
            (Some(head), Some(tail)) => format!("{head}…{tail}"),
            _ => self.0.clone(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub hash: PlanHash,
    pub runbook: RunbookId,
    pub title: SafeText,
    pub kind: RunbookKind,
    #[serde(default)]
    pub variant: Variant,
    /// Every parameter of the runbook that has a value, as text.
    #[serde(default)]
    pub parameters: BTreeMap<String, SafeText>,
    pub app: AppId,
    pub app_name: SafeText,
    /// Where the app goes.
    pub target: Side,
    pub target_region: RegionId,
    pub target_name: SafeText,
    pub account: String,
    /// `LIVE`, `DRILL` or `SIMULATED ×30`.
    pub mode_word: String,
    pub made_at: Timestamp,
    /// When the oldest fact that the plan relies on was observed.
    pub facts_at: Option<Timestamp>,
    pub steps: Vec<PlannedStep>,
    /// What stands in the way of starting at all, besides guards: wrong account, overridden endpoint, another run.
    pub interlocks: Vec<Interlock>,
    pub estimate: RtoEstimate,
    pub rto_target: Option<Duration>,
    /// Since when the Region that is left was seen to be down, when it was planned.
    #[serde(default)]
    pub outage_since: Option<Timestamp>,
}

impl Plan {
    /// What an outage has taken, or is expected to take, before the declaration.
    #[must_use]
    pub fn before_declaration(&self) -> Duration {
        let expected = self.estimate.detection + self.estimate.decision;
        self.outage_since.map_or(expected, |since| self.made_at.since(since))
    }

    /// By how much the target is missed when customers are served that long after the declaration.
    #[must_use]
    pub fn missed_by(&self, back: Duration) -> Option<Duration> {
        let by = (self.before_declaration() + back).saturating_sub(self.rto_target?);
        (!by.is_zero()).then_some(by)
    }

    #[must_use]
    pub fn world(&self) -> World {
        World::of_mode_word(&self.mode_word)
    }

    /// What would give this plan again, were everything as it is: every value that it used, said.
    #[must_use]
    pub fn request(&self) -> PlanRequest {
        PlanRequest {
            runbook: self.runbook.clone(),
            app: self.app.clone(),
            parameters: self.parameters.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
            variant: self.variant,
        }
    }

    /// Every guard that fails, with its step, and every interlock: all at once.
    #[must_use]
    pub fn blockers(&self) -> Vec<SafeText> {
        let interlocks = self.interlocks.iter().map(|i| i.text.clone());
        let guards = self.steps.iter().enumerate().flat_map(|(n, step)| {
            step.guards
                .iter()
                .filter(|g| g.blocks_plan())
                .map(move |g| SafeText::new(format!("step {} {}: {} {}", n + 1, step.title, g.text, g.present)))
        });
        interlocks.chain(guards).collect()
    }

    #[must_use]
    pub fn step(&self, id: &StepId) -> Option<&PlannedStep> {
        self.steps.iter().find(|step| step.id == *id)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interlock {
    /// Stable word, e.g. `account-mismatch`.
    pub code: String,
    pub text: SafeText,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    pub id: StepId,
    pub title: SafeText,
    pub kind: String,
    /// The calls with side effects, exactly; empty for a step that reads.
    pub calls: Vec<CallDescription>,
    /// `reads only: need 3 of 4 signals`, or a summary of the calls.
    pub summary: SafeText,
    pub hazard: Hazard,
    pub expected: Duration,
    /// `declared`, `p90 of 3 runs`.
    pub expected_basis: SafeText,
    pub timeout: Duration,
    pub guards: Vec<GuardReading>,
    pub done_when: SafeText,
    pub undo: SafeText,
    pub on_failure: OnFailure,
    pub after: Vec<StepId>,
    /// For a step that reads: how often it is asked again after it failed, and how long apart.
    #[serde(default)]
    pub retries: u32,
    #[serde(default)]
    pub retry_every: Duration,
    #[serde(default)]
    pub only: Only,
    /// What it could lose, as the facts of the plan say; read again before it acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossBound>,
}

/// A guard with what is so now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardReading {
    /// `lag at most 5 s`
    pub text: SafeText,
    /// `0.8 s, last sample before the gap, 02:57:30`
    pub present: SafeText,
    /// When the data behind it is from, if there is any.
    pub data_time: Option<Timestamp>,
    pub holds: Holds,
    pub overridable: bool,
    pub overridden: Option<Override>,
    /// An earlier step of the same plan is there to make it true: it is read again before its own step acts, and
    /// does not stand in the way of starting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_true_by: Option<StepId>,
    /// The figure behind it in milliseconds or percent, to tell "worse than confirmed" later.
    pub figure: Option<u64>,
}

impl GuardReading {
    /// Unknown blocks like false does.
    #[must_use]
    pub const fn blocks(&self) -> bool {
        !matches!(self.holds, Holds::Yes) && self.overridden.is_none()
    }

    /// Whether it stands in the way of starting the plan.
    #[must_use]
    pub const fn blocks_plan(&self) -> bool {
        self.blocks() && self.made_true_by.is_none()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    Yes,
    No,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub reason: SafeText,
    pub authoriser: SafeText,
    pub at: Timestamp,
}
