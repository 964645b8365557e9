//! What can happen to a run: a closed list. The journal holds these, and a run is their fold.
//!
//! Serialised as JSON with the fields in the order written here: the canonical bytes that the journal's hash
//! chain covers. Variants and fields are only ever added.

use serde::{Deserialize, Serialize};

use super::{
    clocks::{Achieved, LossWindow},
    finding::Traces,
    plan::{GuardReading, PlanHash},
    run::{Answer, Ask, Declaration},
};
use crate::domain::{CallDescription, StepId, Timestamp, text::SafeText};

/// An event with its time and its author.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Estate time.
    pub at: Timestamp,
    /// Who caused it, and how that is known: `asha (arn:…)`, or `engine`.
    pub actor: SafeText,
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// First of every run: arms it for this plan.
    Declared {
        plan_hash: PlanHash,
        declaration: Declaration,
        principal: SafeText,
    },
    /// A driver took the run over. Without a declaration it may look, observe and finish what is in flight only.
    Driven {
        epoch: u64,
        principal: SafeText,
        declaration: Option<Declaration>,
    },
    /// Arming ended.
    Lapsed {
        why: SafeText,
    },
    Begun {
        step: StepId,
        attempt: u32,
    },
    /// Guards as re-read.
    Guarded {
        step: StepId,
        guards: Vec<GuardReading>,
    },
    Asked {
        ask: Ask,
    },
    Answered {
        answer: Answer,
    },
    /// What was confirmed or overridden no longer covers the facts.
    Voided {
        step: StepId,
        why: SafeText,
    },
    /// On disk before anything goes out.
    Intended {
        step: StepId,
        attempt: u32,
        plan_hash: PlanHash,
        call: CallDescription,
        request_digest: String,
        guards: Vec<GuardReading>,
        /// What the call makes that stays, and what it takes away.
        #[serde(default, skip_serializing_if = "Traces::is_empty")]
        traces: Traces,
    },
    /// A crash lay between intent and sending: nothing went out.
    Withdrawn {
        step: StepId,
        why: SafeText,
    },
    /// The next thing that happens is the call.
    Sent {
        step: StepId,
        attempt: u32,
        request_digest: String,
    },
    Outcome {
        step: StepId,
        attempt: u32,
        outcome: Outcome,
    },
    Done {
        step: StepId,
        detail: SafeText,
    },
    Failed {
        step: StepId,
        detail: SafeText,
        #[serde(default, skip_serializing_if = "Failure::is_unseen")]
        failure: Failure,
    },
    /// By the runbook's own policy; a person's skip is an answer.
    Passed {
        step: StepId,
        reason: SafeText,
    },
    Parked {
        step: Option<StepId>,
        why: SafeText,
    },
    /// Another plan for the same run: graceful to ungraceful or back, or a drill turned real. What is done and is the
    /// same in both stays done; every other confirmation is gone.
    Switched {
        plan_hash: PlanHash,
        /// The frozen plan as JSON, as the store keeps the first one.
        frozen: String,
        declaration: Declaration,
    },
    /// Before completion: what the run took, and the writes that somebody has to account for.
    Measured {
        achieved: Achieved,
        loss: LossWindow,
    },
    Completed {
        exceptions: u32,
    },
}

/// What is known after one attempt of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// Accepted; whether it happened is for observation to say.
    Succeeded { request_id: Option<SafeText>, detail: SafeText },
    /// Nothing was changed.
    Refused { code: SafeText, message: SafeText, request_id: Option<SafeText> },
    /// It may or may not have taken effect.
    Unknown { why: SafeText },
}

/// What is known of a step that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Not seen done, or seen not to have begun.
    #[default]
    Unseen,
    /// It was begun, and who carries it out says that it failed: something of it may be there.
    Told,
}

impl Failure {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_unseen(&self) -> bool {
        *self == Self::Unseen
    }
}

impl Event {
    /// The word in the journal's `kind` column.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Declared { .. } => "declared",
            Self::Driven { .. } => "driven",
            Self::Lapsed { .. } => "lapsed",
            Self::Begun { .. } => "begun",
            Self::Guarded { .. } => "guarded",
            Self::Asked { .. } => "asked",
            Self::Answered { .. } => "answered",
            Self::Voided { .. } => "voided",
            Self::Intended { .. } => "intended",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Sent { .. } => "sent",
            Self::Outcome { .. } => "outcome",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::Passed { .. } => "passed",
            Self::Parked { .. } => "parked",
            Self::Switched { .. } => "switched",
            Self::Measured { .. } => "measured",
            Self::Completed { .. } => "completed",
        }
    }

    #[must_use]
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Self::Begun { step, .. }
            | Self::Guarded { step, .. }
            | Self::Voided { step, .. }
            | Self::Intended { step, .. }
            | Self::Withdrawn { step, .. }
            | Self::Sent { step, .. }
            | Self::Outcome { step, .. }
            | Self::Done { step, .. }
            | Self::Failed { step, .. }
            | Self::Passed { step, .. } => Some(step),
            Self::Parked { step, .. } => step.as_ref(),
            Self::Asked { ask } => ask.step(),
            Self::Answered { answer } => answer.step(),
            Self::Declared { .. }
            | Self::Driven { .. }
            | Self::Lapsed { .. }
            | Self::Switched { .. }
            | Self::Measured { .. }
            | Self::Completed { .. } => None,
        }
    }

    #[must_use]
    pub const fn attempt(&self) -> Option<u32> {
        match self {
            Self::Begun { attempt, .. }
            | Self::Intended { attempt, .. }
            | Self::Sent { attempt, .. }
            | Self::Outcome { attempt, .. } => Some(*attempt),
            _ => None,
        }
    }

    #[must_use]
    pub fn request_digest(&self) -> Option<&str> {
        match self {
            Self::Intended { request_digest, .. } | Self::Sent { request_digest, .. } => Some(request_digest),
            _ => None,
        }
    }
}

impl Answer {
    #[must_use]
    pub const fn step(&self) -> Option<&StepId> {
        match self {
            Self::Go { step }
            | Self::AcceptLoss { step, .. }
            | Self::Override { step, .. }
            | Self::Verdict { step, .. }
            | Self::Retry { step }
            | Self::Skip { step, .. } => Some(step),
            Self::Rearm(_) | Self::Hold | Self::Release | Self::Abandon { .. } | Self::Note { .. } => None,
        }
    }
}
