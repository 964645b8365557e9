//! A run: the execution of a plan, as the fold of its journal. What a screen shows and a resume starts from.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    clocks::{Achieved, LossWindow, Timeline},
    finding::Leftover,
    plan::{GuardReading, Plan},
    summary::RunSummary,
};
use crate::domain::{AppId, StepId, Timestamp, text::SafeText};

/// Number of a run in its store, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a person types to start a run. App and target Region are typed as they stand now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    pub who: SafeText,
    pub incident: SafeText,
    /// Must equal the app's id (or name, case-insensitively).
    pub app: String,
    /// Must equal the target Region's id (or city).
    pub region: String,
    /// When the outage began, if it was said; the first clock runs from here.
    pub outage_at: Option<Timestamp>,
    /// Set when the run is one of a wave: many apps, one list, one phrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<WaveMark>,
}

/// A run's place in its wave. All runs of a wave are declared in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveMark {
    /// SHA-256 over the hashes of its plans in order, hex: the list that was confirmed.
    pub id: String,
    /// From 1.
    pub ordinal: u32,
    pub size: u32,
    /// Apps of this wave that must be through before this one begins.
    pub after: Vec<AppId>,
    /// Runs of the wave that are under way at the same time, at most.
    pub parallel_max: u32,
    /// The rung of data loss that the list gave *this* app; `None`: none was accepted for it.
    pub accepts: Option<Duration>,
    /// What was typed for the whole list.
    #[serde(default)]
    pub phrase: SafeText,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Declared: 120 s to start, then until it parks, 15 min without a key, or the driver changes.
    Armed,
    Running,
    /// A person must answer.
    Waiting(Ask),
    /// The operator holds it after the current step.
    Held,
    /// It cannot go on by itself: something is in doubt or failed.
    Parked {
        step: Option<StepId>,
        why: SafeText,
    },
    Completed {
        exceptions: u32,
    },
    Abandoned {
        why: SafeText,
    },
}

impl Phase {
    #[must_use]
    pub const fn ended(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Abandoned { .. })
    }

    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Running => "running",
            Self::Waiting(_) => "waiting for a person",
            Self::Held => "held",
            Self::Parked { .. } => "parked",
            Self::Completed { exceptions: 0 } => "completed",
            Self::Completed { .. } => "completed with exceptions",
            Self::Abandoned { .. } => "abandoned",
        }
    }
}

/// What the run asks of the person. Friction grows with hazard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// `reversible`: one key.
    Key { step: StepId },
    /// `disruptive`: a deliberate chord.
    Chord { step: StepId },
    /// `data-loss`: type the bound, rounded up; frozen while the dialog is open.
    Loss { step: StepId, bound: Duration, rounded: Duration, phrase: String, lines: Vec<SafeText> },
    /// A guard blocks and may be overridden: reason and authoriser.
    Override { step: StepId, guard: usize, reading: GuardReading },
    /// Somebody else's hand was seen: shown before acting.
    Noticed { step: StepId, lines: Vec<SafeText> },
    /// A checklist.
    Confirm { step: StepId, items: Vec<SafeText> },
    /// It is not known whether a call took effect: the person says what they found, with evidence.
    Verdict { step: StepId, question: SafeText },
    /// Arming lapsed or the driver changed: declare again to go on. Confirmed steps are not asked again.
    Rearm,
}

impl Ask {
    #[must_use]
    pub const fn step(&self) -> Option<&StepId> {
        match self {
            Self::Key { step }
            | Self::Chord { step }
            | Self::Loss { step, .. }
            | Self::Override { step, .. }
            | Self::Confirm { step, .. }
            | Self::Noticed { step, .. }
            | Self::Verdict { step, .. } => Some(step),
            Self::Rearm => None,
        }
    }
}

/// What a person answers or orders. Each is journalled with who said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To [`Ask::Key`], [`Ask::Chord`], [`Ask::Noticed`] and [`Ask::Confirm`].
    Go {
        step: StepId,
    },
    /// To [`Ask::Loss`]: exactly the phrase.
    AcceptLoss {
        step: StepId,
        typed: String,
    },
    Override {
        step: StepId,
        guard: usize,
        reason: String,
        authoriser: String,
    },
    Verdict {
        step: StepId,
        ruling: Ruling,
        evidence: String,
    },
    Rearm(Declaration),
    Hold,
    Release,
    /// A parked step again: a new attempt with a new confirmation.
    Retry {
        step: StepId,
    },
    Skip {
        step: StepId,
        reason: String,
    },
    Abandon {
        reason: String,
    },
    Note {
        text: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ruling {
    Applied,
    NotApplied,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StepPhase {
    Pending,
    /// Guards are being re-read, or the step reads.
    Checking,
    WaitingForPerson,
    /// Intent is on disk.
    Intended,
    /// The call went out, no answer yet.
    Sent,
    /// The call was accepted; waiting for the post-condition.
    Observing,
    /// It is not known whether the call took effect.
    InDoubt,
    Done,
    Refused,
    Failed,
    Skipped {
        reason: SafeText,
    },
}

impl StepPhase {
    #[must_use]
    pub const fn ended(&self) -> bool {
        matches!(self, Self::Done | Self::Skipped { .. })
    }

    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pending => "not begun",
            Self::Checking => "reads",
            Self::WaitingForPerson => "asks",
            Self::Intended => "is about to send",
            Self::Sent => "sent",
            Self::Observing => "accepted, not seen done",
            Self::InDoubt => "in doubt",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Skipped { .. } => "skipped",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct StepState {
    pub id: StepId,
    pub phase: StepPhase,
    pub attempts: u32,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// One line: `request 8d1f…`, `4/4 signals, 3 vantage points`, the refusal.
    pub detail: SafeText,
    pub request_id: Option<SafeText>,
    /// As re-read before acting, overrides included.
    pub guards: Vec<GuardReading>,
}

/// The run as it stands.
#[derive(Clone, Debug)]
pub struct RunState {
    pub id: RunId,
    pub plan: Arc<Plan>,
    pub declaration: Declaration,
    /// ARN of the caller, or how it is known.
    pub principal: SafeText,
    pub declared_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub phase: Phase,
    /// A person asked to hold it: no further step begins, whatever the phase is until then.
    pub held_after_step: bool,
    pub steps: Vec<StepState>,
    /// Driver number: grows with each take-over.
    pub epoch: u64,
    /// Whether some engine of this process drives it now.
    pub driven: bool,
    /// Who drives it, where this process does not.
    pub elsewhere: Option<Elsewhere>,
    /// Estate time spent waiting for a person, up to the present wait.
    pub waited: Duration,
    /// Since when a person is waited for now.
    pub waiting_since: Option<Timestamp>,
    pub notes: Vec<(Timestamp, SafeText)>,
    /// Last events in words, oldest first.
    pub log: Vec<(Timestamp, SafeText)>,
    /// Set when a failover ended and no way back is built yet.
    pub unprotected_since: Option<Timestamp>,
    /// When who was waited for: what the clocks are made of.
    pub timeline: Timeline,
    /// What the run took and what must be reconciled, written down at its end.
    pub measured: Option<(Achieved, LossWindow)>,
    /// What calls of this run made and nothing has taken away yet.
    pub leftovers: Vec<Leftover>,
}

/// Another process of this machine that drives a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Its number, where it could be read.
    pub process: Option<u32>,
}

impl std::fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.process {
            Some(number) => write!(f, "process {number} of this machine"),
            None => f.write_str("another process of this machine"),
        }
    }
}

impl RunState {
    /// Nobody on this machine drives it on.
    #[must_use]
    pub const fn unattended(&self) -> bool {
        !self.driven && self.elsewhere.is_none() && !self.phase.ended()
    }

    /// Estate time spent waiting for a person, the present wait included.
    #[must_use]
    pub fn waited_at(&self, now: Timestamp) -> Duration {
        self.waited + self.waiting_since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

/// Everything the console knows of runs: newest first.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Unfinished ones, and those ended ones that were looked at or ended here.
    pub list: Vec<Arc<RunState>>,
    /// All others.
    pub ended: Arc<[Arc<RunSummary>]>,
    /// The journal cannot be written: nothing can act, said on every screen.
    pub store_failure: Option<SafeText>,
}
