//! What the engine and its drivers share: the parts it is made of, the runs as they stand, and what is published.
//!
//! Must never: change a run but by what its driver published, or hold the lock across an await. Where to look next:
//! [`super::driver`], and [`super::wave`] for the gate that runs of a wave wait at.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

use super::{Facts, Permissions, Refusal, Store, driver::Order, refusal};
use crate::{
    aws::{Reader, Writer},
    domain::{App, AppId, CallDescription, Clock, Estate, Mode, RegionId, RunbookId, Snapshot, World, text::SafeText},
    runbook::{
        bind::Occasion,
        build::Frozen,
        fold::Course,
        foreign,
        interlock::{self, Authority, Operators, Redirected},
        plan::Plan,
        run::{Elsewhere, RunId, RunState, Runs},
        signal::Facts as FactsAbout,
        spec::RunbookSpec,
        summary::{RunSummary, protected_again},
    },
    steps::{
        kind::Eyes,
        outside::{Hands, Outside},
    },
};

/// What the engine and its drivers share.
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) reader: Reader,
    pub(super) writer: Option<Writer>,
    pub(super) outside: Arc<dyn Outside>,
    pub(super) hands: Option<Arc<dyn Hands>>,
    pub(super) facts: Arc<dyn Facts>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) estate: Arc<Estate>,
    pub(super) runbooks: Vec<Arc<RunbookSpec>>,
    pub(super) permissions: Permissions,
    pub(super) state: Mutex<State>,
    pub(super) runs: watch::Sender<Arc<Runs>>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) courses: BTreeMap<RunId, Course>,
    /// Ended runs, and the same as they are listed: newest first, without those listed whole.
    pub(super) summaries: BTreeMap<RunId, Arc<RunSummary>>,
    pub(super) ended: Arc<[Arc<RunSummary>]>,
    /// Runs whose record cannot be read, in words; run 0: the journal's anchor.
    pub(super) unreadable: BTreeMap<RunId, SafeText>,
    pub(super) drivers: BTreeMap<RunId, Handle>,
    /// Open runs that other processes drive, as last looked.
    pub(super) elsewhere: BTreeMap<RunId, Elsewhere>,
    pub(super) failure: Option<SafeText>,
}

pub(super) struct Handle {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) task: AbortHandle,
    /// Of a run of a wave: it may begin, and counts as under way from then on.
    pub(super) let_in: bool,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn eyes(&self) -> Eyes<'_> {
        Eyes { reader: &self.reader, outside: &*self.outside }
    }

    pub(super) fn runbook(&self, id: &RunbookId) -> Option<&RunbookSpec> {
        self.runbooks.iter().find(|known| known.id == *id).map(Arc::as_ref)
    }

    /// A rehearsal is one on the simulator too.
    pub(super) fn occasion(&self) -> Occasion {
        if self.permissions.drill { Occasion::Drill } else { Occasion::Real }
    }

    pub(super) fn authority(&self) -> Authority {
        Authority {
            operators: if self.permissions.single_operator { Operators::Single } else { Operators::NotStated },
            redirected: if self.permissions.endpoint_override { Redirected::Allowed } else { Redirected::Refused },
        }
    }

    pub(super) async fn fresh(&self, app: &AppId) -> Arc<Snapshot> {
        self.of_mode(self.facts.fresh(app).await)
    }

    /// Where only names are needed, facts of any age do: reading them again at each look would triple the calls of a
    /// step that takes an hour.
    pub(super) async fn latest(&self) -> Arc<Snapshot> {
        self.of_mode(self.facts.latest().await)
    }

    /// A live run may be a drill: then every snapshot says so.
    pub(super) fn of_mode(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        if self.permissions.drill && snapshot.mode == Mode::Live {
            let mut drill = (*snapshot).clone();
            drill.mode = Mode::Drill;
            return Arc::new(drill);
        }
        snapshot
    }

    pub(super) fn facts_about<'a>(&'a self, app: &AppId, snapshot: &'a Snapshot) -> Result<FactsAbout<'a>, SafeText> {
        let app = self.estate.app(app).ok_or_else(|| SafeText::new(format!("the estate has no app {app} any more")))?;
        Ok(self.about(app, snapshot))
    }

    /// The facts of a run's own world: what is so in a simulation says nothing of AWS, nor the other way round.
    pub(super) fn facts_for<'a>(&'a self, plan: &Plan, snapshot: &'a Snapshot) -> Result<FactsAbout<'a>, SafeText> {
        same_world(plan, snapshot)?;
        self.facts_about(&plan.app, snapshot)
    }

    pub(super) fn about<'a>(&'a self, app: &'a App, snapshot: &'a Snapshot) -> FactsAbout<'a> {
        let last_run_ended = self.last_run_ended(&app.id, snapshot.mode.world());
        FactsAbout { estate: &self.estate, app, snapshot, last_run_ended, attested: &[] }
    }

    /// An unfinished run of the same world, of the app, of an app it depends on, or of one that depends on it.
    pub(super) fn busy(&self, app: &App, world: World) -> Option<SafeText> {
        let crossing = interlock::crossing(&self.estate, &app.id);
        let state = self.lock();
        let open = state.courses.values().find(|course| {
            let plan = &course.frozen.plan;
            !course.shown.phase.ended() && crossing.contains(&plan.app) && plan.world() == world
        })?;
        let word = open.shown.phase.word();
        Some(SafeText::new(format!("run {} of {} has not ended: {word}", open.shown.id, open.frozen.plan.app)))
    }

    /// What somebody else did to what the run is about, since it was declared. What runs of the other world sent is no
    /// explanation.
    pub(super) fn foreign_hand(&self, frozen: &Frozen, facts: &FactsAbout<'_>) -> Vec<SafeText> {
        let since = frozen.stood.at;
        let state = self.lock();
        let lately = |course: &&Course| course.shown.ended_at.is_none_or(|ended| since.is_none_or(|at| ended >= at));
        let own: Vec<CallDescription> = state
            .courses
            .values()
            .filter(lately)
            .filter(|course| course.frozen.plan.world() == frozen.plan.world())
            .flat_map(|course| course.progress.iter().filter_map(|progress| progress.call.clone()))
            .collect();
        foreign::foreign_hand(facts, &frozen.stood, &own, self.clock.now())
    }

    pub(super) async fn principal(&self, region: &RegionId) -> SafeText {
        let snapshot = self.facts.latest().await; // only a name is needed: of any age
        let seen = snapshot.identities.get(region).and_then(|slot| slot.last.as_ref());
        seen.map_or_else(|| SafeText::new("caller unknown"), |seen| seen.value.arn.clone())
    }

    pub(super) fn writable(&self) -> Result<(), Refusal> {
        // A run that cannot be read may be one that must not be crossed.
        let state = self.lock();
        if let Some(failure) = state.failure.as_ref().or_else(|| state.unreadable.values().next()) {
            return Err(refusal(format!("the journal failed: {failure}")));
        }
        if self.writer.is_none() {
            return Err(refusal("this console cannot act: it has no writing client"));
        }
        Ok(())
    }

    pub(super) fn publish(&self, course: &Course) {
        let mut state = self.lock();
        state.courses.insert(course.shown.id, course.clone());
        self.send(&state);
    }

    pub(super) fn send(&self, state: &State) {
        let shown = || state.courses.values().map(|course| &course.shown);
        let again = protected_again(shown(), state.summaries.values().map(Arc::as_ref));
        let list: Vec<Arc<RunState>> = shown()
            .rev()
            .map(|run| {
                let mut run = run.clone();
                run.unprotected_since =
                    run.unprotected_since.filter(|at| again.get(&(run.plan.app.clone(), run.plan.world())) < Some(at));
                run.elsewhere = state.elsewhere.get(&run.id).copied().filter(|_| !run.driven && !run.phase.ended());
                Arc::new(run)
            })
            .collect();
        let failure = state.failure.clone().or_else(|| state.unreadable.values().next().cloned());
        self.runs.send_replace(Arc::new(Runs { list, ended: Arc::clone(&state.ended), store_failure: failure }));
    }

    /// The journal failed: no driver goes on, nothing is tried again.
    pub(super) fn fail(&self, why: &SafeText) {
        let mut state = self.lock();
        if state.failure.is_none() {
            state.failure = Some(why.clone());
        }
        tracing::error!(%why, "the journal cannot be written: nothing acts any more");
        self.send(&state);
    }

    pub(super) fn failed(&self) -> bool {
        self.lock().failure.is_some()
    }

    pub(super) fn forget(&self, run: RunId) {
        self.lock().drivers.remove(&run);
    }
}

/// A run goes on in the world it was declared in, and nowhere else.
pub(super) fn same_world(plan: &Plan, snapshot: &Snapshot) -> Result<(), SafeText> {
    let (of, here) = (plan.world(), snapshot.mode.world());
    if of == here {
        return Ok(());
    }
    Err(SafeText::new(format!("the run is of {}, and what answers here is {}", of.phrase(), here.phrase())))
}
