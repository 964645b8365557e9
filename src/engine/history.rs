//! Runs that are not driven here: unfinished ones folded from their record, ended ones as a summary.
//!
//! Opening ten thousand ended runs must not fold ten thousand records. Must never: take a summary for proof.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{Engine, Refusal, Shared, State, Store, StoreError, recover};
use crate::{
    domain::{AppId, Timestamp, World, text::SafeText},
    runbook::{
        estimate::Past,
        fold,
        run::{Elsewhere, Phase, RunId, RunState},
        summary::{RunSummary, protected_again},
    },
};

/// The runs of a journal, as they can be read without an engine.
#[derive(Debug, Default)]
pub struct Listed {
    /// Not ended, newest first, each with who drives it, if anybody does.
    pub open: Vec<RunState>,
    /// Newest first.
    pub ended: Vec<RunSummary>,
    /// What cannot be read or was changed, in words.
    pub broken: Vec<SafeText>,
}

/// Every run. An ended one as its summary, which a list may trust and a proof may not.
///
/// # Errors
/// When the journal as a whole cannot be read.
pub fn list(store: &dyn Store) -> Result<Listed, StoreError> {
    let mut listed = Listed::default();
    let mut history = store.history(&|_| false)?;
    listed.broken.extend(history.breaks.iter().map(|found| SafeText::new(found.to_string())));
    for (run, kept) in history.ended {
        match serde_json::from_str(&kept) {
            Ok(summary) => listed.ended.push(summary),
            Err(_) => history.whole.push(store.load_run(run)?), // kept by another version
        }
    }
    for stored in &history.whole {
        match recover(stored) {
            Err(why) => listed.broken.push(why),
            Ok(course) => {
                if let Some(summary) = RunSummary::of(&course) {
                    listed.ended.push(summary);
                } else {
                    let elsewhere = store.elsewhere(course.shown.id);
                    listed.open.push(RunState { elsewhere, ..course.shown });
                }
            }
        }
    }
    let again = protected_again(listed.open.iter(), listed.ended.iter());
    for run in &mut listed.ended {
        run.unprotected_since = run.unprotected_since.filter(|at| again.get(&run.home()) < Some(at));
    }
    listed.open.sort_by_key(|run| std::cmp::Reverse(run.id));
    listed.ended.sort_by_key(|run| std::cmp::Reverse(run.id));
    Ok(listed)
}

/// How often other processes are looked at, wall time.
const FOLLOWED_EVERY: Duration = Duration::from_secs(1);

impl Engine {
    /// Keeps the list true while other processes drive runs of the same journal: for a screen that stays open.
    pub async fn follow(&self) {
        let mut seen = 0;
        loop {
            tokio::time::sleep(FOLLOWED_EVERY).await;
            let shared = Arc::clone(&self.shared);
            let looked = tokio::task::spawn_blocking(move || {
                shared.catch_up(&mut seen);
                seen
            });
            match looked.await {
                Ok(looked) => seen = looked,
                Err(_) => return, // the process ends
            }
        }
    }

    /// One run whole, ended or not. An ended one is read and checked now, and listed whole from then on.
    ///
    /// # Errors
    /// When there is no such run, or its record cannot be read or was changed.
    pub fn run(&self, run: RunId) -> Result<Arc<RunState>, Refusal> {
        if let Some(course) = self.shared.lock().courses.get(&run) {
            return Ok(Arc::new(course.shown.clone()));
        }
        let stored = self.shared.store.load_run(run)?;
        let course = recover(&stored).map_err(Refusal)?;
        let shown = Arc::new(course.shown.clone());
        let mut state = self.shared.lock();
        state.courses.entry(run).or_insert(course);
        state.list_ended();
        self.shared.send(&state);
        Ok(shown)
    }
}

impl State {
    /// Each run is listed once: whole, or as its summary.
    fn list_ended(&mut self) {
        let shown = self.courses.values().map(|course| &course.shown);
        let again = protected_again(shown, self.summaries.values().map(Arc::as_ref));
        let ended = self.summaries.values().rev().filter(|summary| !self.courses.contains_key(&summary.id));
        let said = |summary: &Arc<RunSummary>| match summary.unprotected_since {
            Some(at) if again.get(&summary.home()) >= Some(&at) => {
                Arc::new(RunSummary { unprotected_since: None, ..(**summary).clone() })
            }
            _ => Arc::clone(summary),
        };
        self.ended = ended.map(said).collect();
    }
}

impl Shared {
    /// Reads what is new or moved on; runs driven here are known better.
    pub(super) fn refresh(&self) -> Result<(), StoreError> {
        let known: BTreeSet<RunId> = {
            let state = self.lock();
            state.summaries.keys().chain(state.drivers.keys()).copied().collect()
        };
        let history = self.store.history(&|run| known.contains(&run))?;
        let mut fresh: Vec<(Arc<RunSummary>, Option<String>)> = Vec::new();
        let mut state = self.lock();
        state.unreadable.clear();
        for found in &history.breaks {
            let why = format!("{found}; `pointsman evidence verify` says more");
            state.unreadable.insert(found.run.unwrap_or(RunId(0)), SafeText::new(why));
        }
        let mut again = history.whole;
        for (run, kept) in &history.ended {
            match serde_json::from_str::<RunSummary>(kept) {
                Ok(summary) if summary.id == *run => fresh.push((Arc::new(summary), None)),
                // Kept by another version: made anew from the record.
                _ => again.push(self.store.load_run(*run)?),
            }
        }
        for stored in &again {
            if state.drivers.contains_key(&stored.run) {
                continue;
            }
            let course = match recover(stored) {
                Ok(course) => course,
                Err(why) => {
                    state.unreadable.insert(stored.run, why);
                    continue;
                }
            };
            let Some(summary) = RunSummary::of(&course) else {
                // What ended here since it was read is not open again.
                if state.courses.get(&stored.run).is_none_or(|seen| !seen.shown.phase.ended()) {
                    state.courses.insert(stored.run, course);
                }
                continue;
            };
            if let Some(seen) = state.courses.get_mut(&stored.run) {
                *seen = course; // somebody may be looking at it
            }
            let kept = serde_json::to_string(&summary).map_err(|error| StoreError::Failed(error.to_string()))?;
            fresh.push((Arc::new(summary), Some(kept)));
        }
        let mut keep = Vec::new();
        if !fresh.is_empty() {
            for (summary, kept) in fresh {
                keep.extend(kept.map(|kept| (summary.id, kept)));
                state.summaries.insert(summary.id, summary);
            }
            state.list_ended();
        }
        state.elsewhere = self.elsewhere(&state);
        self.send(&state);
        drop(state);
        if let Err(error) = self.store.keep_summaries(&keep) {
            // It is a cache: the next opening reads these runs whole again.
            tracing::warn!(%error, "summaries of ended runs were not kept");
        }
        Ok(())
    }

    /// Who drives the open runs that this process does not.
    fn elsewhere(&self, state: &State) -> BTreeMap<RunId, Elsewhere> {
        let open = state.courses.values().filter(|course| !course.shown.phase.ended()).map(|course| course.shown.id);
        let others = open.filter(|run| !state.drivers.contains_key(run));
        others.filter_map(|run| Some((run, self.store.elsewhere(run)?))).collect()
    }

    /// What other processes did since `seen`, if anything: they wrote, or one began or ceased to drive.
    fn catch_up(&self, seen: &mut u64) {
        let caught_up = self.store.changes().and_then(|changes| {
            let state = self.lock();
            let moved = changes != *seen || self.elsewhere(&state) != state.elsewhere;
            drop(state);
            *seen = changes;
            if moved { self.refresh() } else { Ok(()) }
        });
        if let Err(error) = caught_up {
            let mut state = self.lock();
            state.unreadable.insert(RunId(0), SafeText::new(format!("runs of other processes are not seen: {error}")));
            self.send(&state);
        }
    }

    pub(super) fn last_run_ended(&self, app: &AppId, world: World) -> Option<Timestamp> {
        let state = self.lock();
        let whole = state.courses.values().map(|course| (course, &course.frozen.plan));
        let whole = whole.filter(|(_, plan)| plan.app == *app && plan.world() == world).map(|(course, _)| course);
        let summed = state.summaries.values().filter(|summary| summary.app == *app && summary.world() == world);
        whole.filter_map(|course| course.shown.ended_at).chain(summed.map(|summary| summary.ended_at)).max()
    }

    /// Durations of steps in completed runs of the same runbook text, in the same world.
    pub(super) fn past(&self, digest: &str, world: World) -> Past {
        let state = self.lock();
        let whole = state.courses.iter().filter(|(run, course)| {
            !state.summaries.contains_key(run)
                && course.frozen.runbook_digest == digest
                && course.frozen.plan.world() == world
                && matches!(course.shown.phase, Phase::Completed { .. })
        });
        let whole = whole.flat_map(|(_, course)| fold::durations(&course.shown));
        let summed = state
            .summaries
            .values()
            .filter(|summary| summary.runbook_digest == digest && summary.world() == world && summary.completed());
        let summed = summed.flat_map(|summary| summary.took.iter().cloned());
        let mut past: Past = BTreeMap::new();
        for (step, took) in whole.chain(summed) {
            past.entry(step).or_default().push(took);
        }
        past
    }
}
