//! An ended run in a few lines: what lists, estimates and the anti-flap interlock need, without folding its record.
//!
//! Pure. It is a cache of the record and proves nothing: whoever wants to know reads the run itself.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    clocks::{self, Achieved, LossWindow},
    finding::Leftover,
    fold::{self, Course},
    run::{Phase, RunId, RunState},
    spec::{RunbookKind, Variant},
};
use crate::domain::{AppId, RegionId, RunbookId, StepId, Timestamp, World, text::SafeText};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    pub id: RunId,
    pub app: AppId,
    pub app_name: SafeText,
    pub runbook: RunbookId,
    pub runbook_digest: String,
    pub kind: RunbookKind,
    /// `LIVE`, `DRILL` or `SIMULATED ×30`.
    pub mode_word: String,
    pub target_region: RegionId,
    pub target_name: SafeText,
    pub who: SafeText,
    pub incident: SafeText,
    pub declared_at: Timestamp,
    pub outage_at: Option<Timestamp>,
    pub ended_at: Timestamp,
    pub ending: Ending,
    /// As [`Phase::word`] says it.
    pub word: String,
    /// Steps skipped and guards overridden.
    pub exceptions: u32,
    /// Of the time from the declaration, what a person was waited for.
    pub waited: Duration,
    /// Steps that went through at the first attempt.
    pub took: Vec<(StepId, Duration)>,
    /// The largest data loss that a person accepted, rounded as they accepted it.
    pub loss_accepted: Option<Duration>,
    pub unprotected_since: Option<Timestamp>,
    /// Id of the wave it was one of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// What it made and nothing has taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Leftover>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<(Achieved, LossWindow)>,
    #[serde(default)]
    pub variant: Variant,
    /// Steps left out, by a person or by the runbook's own policy.
    #[serde(default)]
    pub skipped: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    Completed,
    Abandoned { why: SafeText },
}

/// Since when no run has to say that its app is unprotected: the end of the newest one that built the way back or
/// brought the app home, by app and world.
#[must_use]
pub fn protected_again<'a>(
    shown: impl Iterator<Item = &'a RunState>,
    ended: impl Iterator<Item = &'a RunSummary>,
) -> BTreeMap<(AppId, World), Timestamp> {
    let builds = |kind: RunbookKind, variant: Variant| {
        matches!(kind, RunbookKind::ReProtect | RunbookKind::Failback) && variant == Variant::Whole
    };
    let shown = shown
        .filter(|run| builds(run.plan.kind, run.plan.variant) && matches!(run.phase, Phase::Completed { .. }))
        .filter_map(|run| Some(((run.plan.app.clone(), run.plan.world()), run.ended_at?)));
    let ended = ended
        .filter(|run| builds(run.kind, run.variant) && run.ending == Ending::Completed)
        .map(|run| (run.home(), run.ended_at));
    let mut newest = BTreeMap::new();
    for (home, at) in shown.chain(ended) {
        let known = newest.entry(home).or_insert(at);
        *known = at.max(*known);
    }
    newest
}

impl RunSummary {
    /// `None` while the run has not ended.
    #[must_use]
    pub fn of(course: &Course) -> Option<Self> {
        let (shown, plan) = (&course.shown, &course.frozen.plan);
        let ending = match &shown.phase {
            Phase::Completed { .. } => Ending::Completed,
            Phase::Abandoned { why } => Ending::Abandoned { why: why.clone() },
            _ => return None,
        };
        Some(Self {
            id: shown.id,
            app: plan.app.clone(),
            app_name: plan.app_name.clone(),
            runbook: plan.runbook.clone(),
            runbook_digest: course.frozen.runbook_digest.clone(),
            kind: plan.kind,
            mode_word: plan.mode_word.clone(),
            target_region: plan.target_region.clone(),
            target_name: plan.target_name.clone(),
            who: shown.declaration.who.clone(),
            incident: shown.declaration.incident.clone(),
            declared_at: shown.declared_at,
            outage_at: shown.declaration.outage_at,
            ended_at: shown.ended_at?,
            ending,
            word: shown.phase.word().to_owned(),
            exceptions: fold::exceptions(course),
            waited: shown.waited_at(shown.ended_at?),
            took: fold::durations(shown).collect(),
            loss_accepted: course.progress.iter().filter_map(|p| p.confirmed.as_ref()?.loss).max(),
            unprotected_since: shown.unprotected_since,
            wave: shown.declaration.wave.as_ref().map(|mark| mark.id.clone()),
            leftovers: shown.leftovers.clone(),
            measured: shown.measured.clone(),
            variant: plan.variant,
            skipped: clocks::skipped(shown),
        })
    }

    /// The achieved RTO, both clocks: from the outage if it was said, and from the declaration.
    #[must_use]
    pub fn achieved(&self) -> (Option<Duration>, Duration) {
        (self.outage_at.map(|at| self.ended_at.since(at)), self.ended_at.since(self.declared_at))
    }

    #[must_use]
    pub fn world(&self) -> World {
        World::of_mode_word(&self.mode_word)
    }

    /// What app it was of, and in which world.
    #[must_use]
    pub fn home(&self) -> (AppId, World) {
        (self.app.clone(), self.world())
    }

    #[must_use]
    pub const fn completed(&self) -> bool {
        matches!(self.ending, Ending::Completed)
    }
}
