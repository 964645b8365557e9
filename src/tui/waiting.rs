//! What a run stands at and waits for, in words: the same on every list and screen.

use std::sync::Arc;

use crate::{
    domain::{StepId, time::short},
    runbook::run::{Ask, Phase, RunId, RunState, Runs, StepPhase, StepState},
};

/// Whether it goes on only after a person did something.
#[must_use]
pub const fn for_a_person(run: &RunState) -> bool {
    if run.phase.ended() || run.elsewhere.is_some() {
        return false; // it is answered where it is driven
    }
    !run.driven || matches!(run.phase, Phase::Waiting(_) | Phase::Parked { .. } | Phase::Held)
}

/// The runs that wait for a person, in the order in which they were declared.
#[must_use]
pub fn all(runs: &Runs) -> Vec<&Arc<RunState>> {
    let mut waiting: Vec<_> = runs.list.iter().filter(|run| for_a_person(run)).collect();
    waiting.sort_by_key(|run| run.id);
    waiting
}

/// The one after `shown`, around the end.
#[must_use]
pub fn next(runs: &Runs, shown: Option<RunId>) -> Option<RunId> {
    let waiting = all(runs);
    let after = shown.and_then(|shown| waiting.iter().find(|run| run.id > shown));
    after.or_else(|| waiting.first()).map(|run| run.id)
}

/// What to say beside the phase of a run that is going to be held.
#[must_use]
pub fn hold(run: &RunState) -> &'static str {
    if run.held_after_step && run.phase != Phase::Held { " · held after this step" } else { "" }
}

/// What is asked of whom; `None` when it asks nothing.
#[must_use]
pub fn asks(run: &RunState) -> Option<String> {
    if run.phase.ended() {
        return None;
    }
    if run.unattended() {
        return Some("nobody drives it: resume".to_owned());
    }
    let title = |step: &StepId| run.plan.step(step).map_or(step.as_str(), |planned| planned.title.as_str()).to_owned();
    Some(match &run.phase {
        Phase::Waiting(ask) => match ask {
            Ask::Key { step } => format!("one key: {}", title(step)),
            Ask::Chord { step } => format!("chord: {}", title(step)),
            Ask::Loss { step, phrase, .. } => format!("accept a loss {phrase}: {}", title(step)),
            Ask::Override { reading, .. } => format!("override: {} ({})", reading.text, reading.present),
            Ask::Noticed { lines, .. } => format!("somebody else's hand: {} changes to look at", lines.len()),
            Ask::Confirm { step, items } => format!("{} things to confirm: {}", items.len(), title(step)),
            Ask::Verdict { step, .. } => format!("verdict: what became of {}", title(step)),
            Ask::Rearm => "declare again".to_owned(),
        },
        Phase::Parked { why, .. } => format!("parked: {why}"),
        Phase::Held => "held: release".to_owned(),
        _ => return None,
    })
}

/// Steps that are being done now, more than one where branches are parallel.
pub fn at_work(run: &RunState) -> impl Iterator<Item = &StepState> {
    run.steps.iter().filter(|step| {
        matches!(step.phase, StepPhase::Checking | StepPhase::Intended | StepPhase::Sent | StepPhase::Observing)
    })
}

/// Apps of the same wave that are not through, of those that this run waits for. `None`: it has begun, or may.
#[must_use]
pub fn others(run: &RunState, runs: &Runs) -> Option<String> {
    let mark = run.declaration.wave.as_ref()?;
    if run.phase.ended() || run.steps.iter().any(|step| step.attempts > 0) {
        return None;
    }
    let through = |app: &crate::domain::AppId| {
        let here = runs.list.iter().any(|other| {
            other.plan.app == *app
                && matches!(other.phase, Phase::Completed { .. })
                && other.declaration.wave.as_ref().is_some_and(|other| other.id == mark.id)
        });
        here || runs
            .ended
            .iter()
            .any(|ended| ended.app == *app && ended.completed() && ended.wave.as_deref() == Some(mark.id.as_str()))
    };
    let waits: Vec<&str> = mark.after.iter().filter(|app| !through(app)).map(crate::domain::AppId::as_str).collect();
    if waits.is_empty() { Some("its turn".to_owned()) } else { Some(format!("for {}", waits.join(", "))) }
}

/// `3/6 Promote Hyderabad 41 s · Copy the snapshot 12 s`
#[must_use]
pub fn progress(run: &RunState, now: crate::domain::Timestamp) -> String {
    let done = run.steps.iter().filter(|step| step.phase.ended()).count();
    let work: Vec<String> = at_work(run)
        .map(|step| {
            let title = run.plan.step(&step.id).map_or(step.id.as_str(), |planned| planned.title.as_str());
            let since = step.started_at.map_or_else(String::new, |at| format!(" {}", short(now.since(at))));
            format!("{title}{since}")
        })
        .collect();
    format!("{done}/{}  {}", run.steps.len(), work.join(" · ")).trim_end().to_owned()
}

/// How far a wave is: the runs that are shown whole and those known by their summary alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub runs: usize,
    /// Of those, the ones that completed.
    pub through: usize,
    pub ended: usize,
    pub waits: usize,
    pub at_work: usize,
}

#[must_use]
pub fn of_wave(runs: &Runs, wave: &str) -> Progress {
    let mut found = Progress::default();
    for run in runs.list.iter().filter(|run| run.declaration.wave.as_ref().is_some_and(|mark| mark.id == wave)) {
        found.runs += 1;
        found.through += usize::from(matches!(run.phase, Phase::Completed { .. }));
        found.ended += usize::from(run.phase.ended());
        found.waits += usize::from(for_a_person(run));
        found.at_work += usize::from(run.driven && at_work(run).next().is_some());
    }
    for run in runs.ended.iter().filter(|run| run.wave.as_deref() == Some(wave)) {
        found.runs += 1;
        found.ended += 1;
        found.through += usize::from(run.completed());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::summary::RunSummary;

    fn ended(id: u64, wave: &str, ending: &serde_json::Value) -> Arc<RunSummary> {
        let at = "2026-11-20T09:00:00Z";
        let summary = serde_json::json!({
            "id": id, "app": "cards", "app_name": "Cards", "runbook": "cards-failover", "runbook_digest": "",
            "kind": "failover", "mode_word": "LIVE", "target_region": "ap-south-2", "target_name": "Hyderabad",
            "who": "asha", "incident": "INC-1", "declared_at": at, "outage_at": null, "ended_at": at, "ending": ending,
            "word": "", "exceptions": 0, "waited": {"secs": 0, "nanos": 0}, "took": [], "loss_accepted": null,
            "unprotected_since": null, "wave": wave,
        });
        Arc::new(serde_json::from_value(summary).expect("a summary"))
    }

    #[test]
    fn a_wave_counts_the_runs_of_which_only_the_summary_is_known() {
        let (completed, abandoned) =
            (serde_json::json!("completed"), serde_json::json!({"abandoned": {"why": "calm"}}));
        let known = [ended(1, "a", &completed), ended(2, "a", &abandoned), ended(3, "b", &completed)];
        let runs = Runs { ended: known.into(), ..Runs::default() };
        assert_eq!(of_wave(&runs, "a"), Progress { runs: 2, through: 1, ended: 2, waits: 0, at_work: 0 });
    }
}
