//! What one run proves: who, when, on what facts, which calls with which request ids, and what did not go by the book.
//!
//! Pure. [`super::evidence_build`] makes it of a run and its checked record, [`super::evidence_markdown`] writes it
//! for people, serde for programs (`evidence.schema.json`). Nothing is left out and nothing guessed: what the record does not hold
//! is null. The mode word stands in every section, so that no part cut out of it can pass for another mode.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{
    domain::{CallDescription, SafeText, StepId, Timestamp},
    runbook::{event::Entry, finding::Leftover, run::Ruling},
};

/// Grows when a key is removed or changes its meaning; keys may be added.
pub const SCHEMA: u32 = 1;

/// One record of the journal.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub seq: u64,
    /// Wall time; estate time is in the entry.
    pub wall: Timestamp,
    pub hash: String,
    pub entry: Entry,
}

/// What the check of the run's chain found; a broken one has no evidence.
#[derive(Clone, Debug)]
pub struct Checked {
    /// SHA-256 of the stored plan: what the first record follows.
    pub plan_sha256: String,
    /// Newest records that the head anchor does not cover.
    pub uncovered: u64,
    /// Whether the journal has a head anchor at all.
    pub anchor: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    pub schema: u32,
    /// The zone of clock times inside words, which stand here as people read them; null: the record does not say.
    pub zone_of_words: Option<String>,
    pub mode: String,
    pub run: u64,
    pub standing: String,
    pub why: Option<SafeText>,
    pub exceptions: Exceptions,
    pub declaration: Declared,
    pub plan: PlanPart,
    pub clocks: Clocks,
    pub loss: Loss,
    pub leftovers: Leftovers,
    pub steps: Vec<StepPart>,
    pub words: Words,
    pub chain: ChainPart,
}

/// What did not go by the book: first in every report.
#[derive(Clone, Debug, Serialize)]
pub struct Exceptions {
    pub mode: String,
    pub overrides: Vec<Overridden>,
    pub skips: Vec<Skipped>,
    pub verdicts: Vec<Verdict>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Overridden {
    pub seq: u64,
    pub at: Timestamp,
    pub step: StepId,
    pub guard: SafeText,
    pub present: SafeText,
    pub reason: SafeText,
    pub authoriser: SafeText,
    pub by: SafeText,
}

#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    pub seq: u64,
    pub at: Timestamp,
    pub step: StepId,
    pub reason: SafeText,
    /// `engine` when the runbook's own policy passed it over.
    pub by: SafeText,
}

#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    pub seq: u64,
    pub at: Timestamp,
    pub step: StepId,
    pub ruling: Ruling,
    pub evidence: SafeText,
    pub by: SafeText,
}

#[derive(Clone, Debug, Serialize)]
pub struct Declared {
    pub mode: String,
    pub at: Timestamp,
    pub who: SafeText,
    /// ARN of the caller, or how it is known.
    pub principal: SafeText,
    pub incident: SafeText,
    /// Null for a run of a wave: the phrase of the list was typed.
    pub app_typed: Option<SafeText>,
    pub region_typed: Option<SafeText>,
    pub wave: Option<OfWave>,
    /// Take-overs and renewed declarations after the first.
    pub later: Vec<Later>,
}

/// The list that the run was one of.
#[derive(Clone, Debug, Serialize)]
pub struct OfWave {
    pub id: String,
    /// From 1.
    pub ordinal: u32,
    pub size: u32,
    /// As typed for the whole list.
    pub phrase: SafeText,
    /// Up to this the list gave the app; null: no loss was accepted for it.
    pub accepts: Option<Seconds>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Later {
    pub seq: u64,
    pub at: Timestamp,
    pub what: SafeText,
    pub by: SafeText,
}

#[derive(Clone, Debug, Serialize)]
pub struct PlanPart {
    pub mode: String,
    pub hash: String,
    pub runbook: String,
    pub runbook_sha256: String,
    pub title: SafeText,
    pub kind: String,
    pub app: String,
    pub app_name: SafeText,
    pub target_region: String,
    pub target_name: SafeText,
    pub account: String,
    pub made_at: Timestamp,
    pub oldest_fact_at: Option<Timestamp>,
}

/// Seconds in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Clocks {
    pub mode: String,
    /// When the outage began, if it was said.
    pub outage_at: Option<Timestamp>,
    pub declared_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// The end, or the last record of a run that has not ended: what the clocks run to.
    pub until: Timestamp,
    pub from_outage: Option<Seconds>,
    pub from_declaration: Seconds,
    pub machine: Seconds,
    pub waiting: Seconds,
    /// The longest way through the steps as they were carried out: what the run could not have been faster than.
    pub critical_path: Seconds,
    pub target: Option<Seconds>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Loss {
    pub mode: String,
    /// The writes that somebody has to account for; as written down at the end, or as it stands.
    pub window: Window,
    /// Empty: no loss of data was asked about.
    pub accepted: Vec<AcceptedLoss>,
}

/// Nothing was lost when `from` is `to`.
#[derive(Clone, Debug, Serialize)]
pub struct Window {
    /// Null: nothing says from when on.
    pub from: Option<Timestamp>,
    pub to: Timestamp,
    pub basis: SafeText,
}

#[derive(Clone, Debug, Serialize)]
pub struct AcceptedLoss {
    pub seq: u64,
    pub at: Timestamp,
    pub step: StepId,
    /// As typed.
    pub phrase: SafeText,
    /// Null: no bound was known.
    pub bound: Option<Seconds>,
    /// What stood in the dialog: the window to reconcile is in it.
    pub lines: Vec<SafeText>,
    pub by: SafeText,
}

#[derive(Clone, Debug, Serialize)]
pub struct Leftovers {
    pub mode: String,
    pub left: Vec<LeftBehind>,
}

/// What a call of the run made, and no call of it took away.
#[derive(Clone, Debug, Serialize)]
pub struct LeftBehind {
    pub step: StepId,
    /// False while it is not known whether the call took effect.
    pub certain: bool,
    #[serde(flatten)]
    pub what: Leftover,
}

#[derive(Clone, Debug, Serialize)]
pub struct StepPart {
    pub mode: String,
    pub id: StepId,
    pub title: SafeText,
    pub kind: String,
    pub hazard: String,
    pub standing: String,
    pub detail: SafeText,
    pub attempts: u32,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// As last read for a step that sends nothing; those of a call stand with the call.
    pub guards: Vec<GuardPart>,
    pub calls: Vec<CallPart>,
}

#[derive(Clone, Debug, Serialize)]
pub struct GuardPart {
    pub guard: SafeText,
    pub present: SafeText,
    pub data_at: Option<Timestamp>,
    pub holds: crate::runbook::plan::Holds,
    pub overridden: bool,
}

/// One intent, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct CallPart {
    pub attempt: u32,
    pub service: String,
    pub operation: String,
    pub region: String,
    pub params: Vec<Param>,
    pub request_sha256: String,
    /// The facts that it was sent on.
    pub guards: Vec<GuardPart>,
    pub intended: Moment,
    /// Null: nothing went out.
    pub sent: Option<Moment>,
    pub outcome: Option<Answered>,
    #[serde(skip)]
    pub call: CallDescription,
}

#[derive(Clone, Debug, Serialize)]
pub struct Param {
    pub name: String,
    pub value: SafeText,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Moment {
    pub seq: u64,
    pub at: Timestamp,
}

#[derive(Clone, Debug, Serialize)]
pub struct Answered {
    pub seq: u64,
    pub at: Timestamp,
    pub result: &'static str,
    pub request_id: Option<SafeText>,
    pub text: SafeText,
}

#[derive(Clone, Debug, Serialize)]
pub struct Words {
    pub mode: String,
    pub entries: Vec<Said>,
}

/// What was asked of people and what they answered or ordered.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    pub seq: u64,
    pub at: Timestamp,
    pub kind: &'static str,
    pub step: Option<StepId>,
    pub text: SafeText,
    pub by: SafeText,
}

#[derive(Clone, Debug, Serialize)]
pub struct ChainPart {
    pub mode: String,
    pub plan_sha256: String,
    pub records: Vec<RecordPart>,
    pub anchor: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub struct RecordPart {
    pub seq: u64,
    pub at: Timestamp,
    /// The wall clock of the writing program, which decides nothing.
    pub wall: Timestamp,
    pub kind: &'static str,
    pub step: Option<StepId>,
    pub by: SafeText,
    pub text: SafeText,
    pub sha256: String,
}

/// What the calls of a run leave behind: known to the kinds of steps, not to a report.
pub trait Leaves {
    fn leaves(&self, step_kind: &str, call: &CallDescription) -> Option<Leftover>;
}
