//! Drives runs: journal first, then the call, then what is seen of it.
//!
//! Must never: send a call whose intent is not on disk; send one twice without a recorded decision; go on after
//! a failed write of the journal.
//! Where to look next: [`store`] (the journal as a trait) and [`sqlite`] (the embedded one), [`driver`] (one run),
//! `crate::runbook::decide` (what is done next) and `fold` (what an event changes).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::AbortHandle,
};

use self::{
    driver::{Driver, Order},
    store::{Lease, Stored},
};
use crate::{
    aws::{Reader, Writer},
    domain::{
        App, AppId, Clock, Estate, Mode, RegionId, RunbookId, Snapshot, StepId, Timestamp, compliance::Execution,
        text::SafeText,
    },
    runbook::{
        build::{self, Draft, Frozen, FrozenStep, Outline},
        estimate::{self, Past},
        event::{Entry, Event},
        fold::{self, Course},
        interlock::{Authority, Operators, Redirected},
        plan::{Plan, PlanHash},
        run::{Answer, Declaration, Phase, RunId, RunState, Runs},
        signal::Facts as FactsAbout,
        spec::RunbookSpec,
    },
    steps::{
        self,
        kind::{Eyes, StepContext},
        outside::{Hands, Outside},
    },
};

mod driver;
mod orphan;
pub mod sqlite;
pub mod store;

pub use sqlite::SqliteStore;
pub use store::{Chain, Store, StoreError, verify};

/// What a run is held against. The collector is one.
#[async_trait]
pub trait Facts: Send + Sync {
    /// Everything about the app, read again now (within the Regions' time-outs).
    async fn fresh(&self, app: &AppId) -> Arc<Snapshot>;
}

/// What the engine is made of.
pub struct EngineParts {
    pub store: Arc<dyn Store>,
    pub reader: Reader,
    /// None: this console can plan and look, not act.
    pub writer: Option<Writer>,
    /// What steps look at besides AWS.
    pub outside: Arc<dyn Outside>,
    /// What they run. None: this console runs no program.
    pub hands: Option<Arc<dyn Hands>>,
    pub facts: Arc<dyn Facts>,
    pub clock: Arc<dyn Clock>,
    pub estate: Arc<Estate>,
    pub runbooks: Vec<Arc<RunbookSpec>>,
    pub permissions: Permissions,
}

/// What the command line allows: `--single-operator`, `--drill`, `--allow-endpoint-override`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    pub single_operator: bool,
    pub drill: bool,
    pub endpoint_override: bool,
}

/// Why not, in words for the person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub SafeText);

fn refusal(text: impl AsRef<str>) -> Refusal {
    Refusal(SafeText::new(text))
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        refusal(error.to_string())
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("there is no runbook {id}{}", near.as_ref().map_or_else(String::new, |near| format!("; did you mean {near}?")))]
    NoRunbook { id: SafeText, near: Option<String> },
    #[error("there is no app {id}{}", near.as_ref().map_or_else(String::new, |near| format!("; did you mean {near}?")))]
    NoApp { id: SafeText, near: Option<String> },
    #[error("{runbook} is not for {app}")]
    NotForApp { runbook: RunbookId, app: AppId },
}

/// Dropping it ends all drivers at once, as the death of the program does: what was sent is observed at the resume.
pub struct Engine {
    shared: Arc<Shared>,
    plans: Mutex<BTreeMap<PlanHash, Arc<Frozen>>>,
}

/// What the engine and its drivers share.
pub(crate) struct Shared {
    store: Arc<dyn Store>,
    reader: Reader,
    writer: Option<Writer>,
    outside: Arc<dyn Outside>,
    hands: Option<Arc<dyn Hands>>,
    facts: Arc<dyn Facts>,
    clock: Arc<dyn Clock>,
    estate: Arc<Estate>,
    runbooks: Vec<Arc<RunbookSpec>>,
    permissions: Permissions,
    state: Mutex<State>,
    runs: watch::Sender<Arc<Runs>>,
}

#[derive(Default)]
struct State {
    courses: BTreeMap<RunId, Course>,
    /// Runs whose record cannot be read, in words.
    unreadable: BTreeMap<RunId, SafeText>,
    drivers: BTreeMap<RunId, Handle>,
    failure: Option<SafeText>,
}

struct Handle {
    orders: mpsc::Sender<Order>,
    task: AbortHandle,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for (_, handle) in std::mem::take(&mut self.shared.lock().drivers) {
            handle.task.abort();
        }
    }
}

impl Engine {
    /// Finds every run on record; those that have not ended are listed as undriven.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn open(parts: EngineParts) -> Result<Self, StoreError> {
        let EngineParts { store, reader, writer, outside, hands, facts, clock, estate, runbooks, permissions } = parts;
        let (runs, _) = watch::channel(Arc::new(Runs::default()));
        let shared = Arc::new(Shared {
            store,
            reader,
            writer,
            outside,
            hands,
            facts,
            clock,
            estate,
            runbooks,
            permissions,
            state: Mutex::default(),
            runs,
        });
        shared.refresh()?;
        Ok(Self { shared, plans: Mutex::default() })
    }

    /// All runs, newest first, whenever something changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Runs>> {
        self.shared.runs.subscribe()
    }

    /// The critical path of each app's failover runbook, by the function and with the past that plans use too.
    #[must_use]
    pub fn executions(&self) -> BTreeMap<AppId, Execution> {
        let estimate = |app: &App| {
            let runbook = self.shared.runbook(app.runbooks.get("failover")?)?;
            Some((app.id.clone(), estimate::execution(runbook, app, &self.shared.past(&runbook.digest))))
        };
        self.shared.estate.apps.iter().filter_map(estimate).collect()
    }

    /// Freezes a runbook against facts read now. Sends nothing but reads.
    ///
    /// # Errors
    /// An unknown runbook or app, or a runbook that is not for the app.
    pub async fn plan(&self, runbook: &RunbookId, app: &AppId) -> Result<Arc<Plan>, PlanError> {
        let frozen = self.draft(runbook, app).await?;
        let plan = Arc::new(frozen.plan.clone());
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(plan.hash.clone(), Arc::new(frozen));
        Ok(plan)
    }

    async fn draft(&self, runbook: &RunbookId, app: &AppId) -> Result<Frozen, PlanError> {
        let shared = &self.shared;
        let spec = shared.runbook(runbook).ok_or_else(|| PlanError::NoRunbook {
            id: SafeText::new(runbook.as_str()),
            near: nearest(runbook.as_str(), shared.runbooks.iter().map(|known| known.id.as_str())),
        })?;
        let app = shared.estate.app(app).ok_or_else(|| PlanError::NoApp {
            id: SafeText::new(app.as_str()),
            near: nearest(app.as_str(), shared.estate.apps.iter().map(|known| known.id.as_str())),
        })?;
        if !spec.apps.contains(&app.id) && !spec.strategies.contains(&app.strategy) {
            return Err(PlanError::NotForApp { runbook: spec.id.clone(), app: app.id.clone() });
        }
        let _ = shared.refresh(); // another process may have begun or ended runs; a failure shows as store_failure
        let snapshot = shared.fresh(&app.id).await;
        let facts = shared.about(app, &snapshot);
        let now = shared.clock.now();
        let target = build::target(spec);
        let outline = |step: &crate::runbook::spec::StepSpec| {
            let frozen = FrozenStep::of(step);
            let about =
                StepContext { facts: &facts, step: &frozen, kind: spec.kind, target, begun_at: None, token: None, now };
            steps::find(step.kind).map_or_else(
                || Outline {
                    calls: Err(SafeText::new(format!("this version knows no step of kind {}", step.kind))),
                    summary: SafeText::new(step.kind),
                    done_when: SafeText::default(),
                    undo: SafeText::default(),
                },
                |kind| kind.outline(&about),
            )
        };
        let outlines: Vec<Outline> = spec.steps.iter().map(outline).collect();
        let busy = shared.busy(app);
        Ok(build::plan(&Draft {
            runbook: spec,
            facts: &facts,
            outlines: &outlines,
            authority: shared.authority(),
            past: &shared.past(&spec.digest),
            busy: busy.as_ref(),
            now,
        }))
    }

    /// Starts a run of a plan that this engine made: arms it for this plan and no other.
    ///
    /// # Errors
    /// When app or Region are not typed as they stand, the plan is not what it would be now, or an interlock
    /// stands in the way.
    pub async fn declare(&self, plan: &Plan, declaration: Declaration) -> Result<RunId, Refusal> {
        let known = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&plan.hash).cloned();
        let known = known.ok_or_else(|| refusal("this plan was not made here: make it again"))?;
        let plan = &known.plan;
        typed(&declaration, plan)?;
        self.shared.writable()?;
        let now = self.draft(&plan.runbook, &plan.app).await.map_err(|error| refusal(error.to_string()))?;
        if now.plan.hash != plan.hash {
            return Err(refusal(format!(
                "the plan is not what it was: {} is now {}; look at it again",
                plan.hash.short(),
                now.plan.hash.short()
            )));
        }
        if !now.plan.interlocks.is_empty() {
            let texts: Vec<&str> = now.plan.interlocks.iter().map(|interlock| interlock.text.as_str()).collect();
            return Err(refusal(texts.join("; ")));
        }
        let app = self.shared.estate.app(&plan.app).ok_or_else(|| refusal("the app is gone"))?;
        let mut apps = vec![app.id.clone()];
        apps.extend(app.depends_on.iter().cloned());
        let principal = self.shared.principal(&plan.target_region, &plan.app).await;
        let entry = Entry {
            at: self.shared.clock.now(),
            actor: SafeText::new(format!("{} ({principal})", declaration.who)),
            event: Event::Declared { plan_hash: plan.hash.clone(), declaration, principal },
        };
        // What is stored is what will run: the plan as it was looked at, its calls equal to those of now.
        let frozen = Arc::clone(&known);
        let json = serde_json::to_string(&*frozen).map_err(|error| refusal(error.to_string()))?;
        let first = driver::columns(
            &entry,
            plan.target_region.as_str(),
            self.shared.clock.wall(),
            self.shared.clock.monotonic(),
        );
        let (store, app) = (Arc::clone(&self.shared.store), app.id.clone());
        let created = tokio::task::spawn_blocking(move || store.create(&app, &apps, &json, &first)).await;
        let (lease, _) = match created.map_err(|error| refusal(error.to_string()))? {
            Err(StoreError::Failed(why)) => {
                self.shared.fail(&SafeText::new(&why));
                return Err(refusal(why));
            }
            other => other?,
        };
        let course = fold::begin(lease.run, frozen, &entry).map_err(|illegal| Refusal(illegal.0))?;
        Ok(self.start(course, lease))
    }

    /// Drives an unfinished run on: what is in doubt is observed, never sent again; confirmed steps stay confirmed.
    ///
    /// # Errors
    /// When somebody drives it, it has ended, app or Region are not typed as they stand, or the estate changed.
    pub async fn resume(&self, run: RunId, declaration: Declaration) -> Result<RunId, Refusal> {
        self.shared.writable()?;
        if self.shared.lock().drivers.contains_key(&run) {
            return Err(refusal(format!("run {run} is driven here already")));
        }
        let store = Arc::clone(&self.shared.store);
        let taken = tokio::task::spawn_blocking(move || {
            let seen = store.load_run(run)?;
            let ended = recover(&seen).is_ok_and(|course| course.shown.phase.ended());
            if ended {
                return Ok((None, seen));
            }
            let lease = store.take(run)?;
            Ok((Some(lease), store.load_run(run)?)) // again: it may have moved before the lease was ours
        });
        let taken: Result<(Option<Lease>, Stored), StoreError> =
            taken.await.map_err(|error| refusal(error.to_string()))?;
        let (Some(lease), stored) = taken? else { return Err(refusal(format!("run {run} has ended"))) };
        let course = recover(&stored).map_err(Refusal)?;
        typed(&declaration, &course.frozen.plan)?;
        let app = self
            .shared
            .estate
            .app(&course.frozen.plan.app)
            .ok_or_else(|| refusal(format!("the estate has no app {} any more", course.frozen.plan.app)))?;
        for (id, params) in &course.frozen.components {
            if app.component(id).is_none_or(|component| component.params != *params) {
                return Err(refusal(format!("{id} was changed in the estate since: put it back, or abandon the run")));
            }
        }
        let principal = self.shared.principal(&course.frozen.plan.target_region, &app.id).await;
        let entry = Entry {
            at: self.shared.clock.now(),
            actor: SafeText::new(format!("{} ({principal})", declaration.who)),
            event: Event::Driven { epoch: lease.epoch, principal, declaration: Some(declaration) },
        };
        let (wall, monotonic) = (self.shared.clock.wall(), self.shared.clock.monotonic());
        let written = driver::written(&entry, &course, wall, monotonic);
        let course = fold::apply(course, &entry).map_err(|illegal| Refusal(illegal.0))?;
        let store = Arc::clone(&self.shared.store);
        let appended = tokio::task::spawn_blocking(move || store.append(&lease, &written).map(|_| lease)).await;
        let lease = match appended.map_err(|error| refusal(error.to_string()))? {
            Err(StoreError::Failed(why)) => {
                self.shared.fail(&SafeText::new(&why));
                return Err(refusal(why));
            }
            other => other?,
        };
        Ok(self.start(course, lease))
    }

    fn start(&self, course: Course, lease: Lease) -> RunId {
        let run = course.shown.id;
        let (orders, received) = mpsc::channel(16);
        let driver = Driver::new(Arc::clone(&self.shared), course.clone(), lease, received);
        // Registered before it can end: the lock is held until the handle is in.
        let mut state = self.shared.lock();
        state.courses.insert(run, course);
        self.shared.send(&state); // listed before anybody is told its number
        let task = tokio::spawn(driver.drive()).abort_handle();
        state.drivers.insert(run, Handle { orders, task });
        run
    }

    /// A person's answer or order to a run that is driven here.
    ///
    /// # Errors
    /// When it cannot be given now, in words.
    pub async fn answer(&self, run: RunId, answer: Answer) -> Result<(), Refusal> {
        let orders = self.shared.lock().drivers.get(&run).map(|handle| handle.orders.clone());
        let orders = orders.ok_or_else(|| refusal(format!("run {run} is not driven here: resume it first")))?;
        let (reply, answered) = oneshot::channel();
        orders.send(Order { answer, reply }).await.map_err(|_| refusal(format!("run {run} is no longer driven")))?;
        answered.await.map_err(|_| refusal(format!("run {run} is no longer driven")))?
    }

    /// Holds the whole journal against its hashes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn verify(&self) -> Result<Chain, StoreError> {
        Ok(verify(&self.shared.store.load()?))
    }
}

fn typed(declaration: &Declaration, plan: &Plan) -> Result<(), Refusal> {
    fold::typed_as_it_stands(
        declaration,
        &plan.app_name,
        plan.app.as_str(),
        &plan.target_name,
        plan.target_region.as_str(),
    )
    .map_err(|illegal| Refusal(illegal.0))
}

fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    crate::domain::diagnostic::nearest(written, known).map(str::to_owned)
}

/// A run from its record, as recovery and live running both make it.
fn recover(stored: &Stored) -> Result<Course, SafeText> {
    let unreadable = |why: String| SafeText::new(format!("the record of run {} cannot be read: {why}", stored.run));
    let frozen: Frozen = serde_json::from_str(&stored.plan).map_err(|error| unreadable(error.to_string()))?;
    let entries: Result<Vec<Entry>, _> =
        stored.records.iter().map(|record| serde_json::from_str(&record.written.body)).collect();
    let entries = entries.map_err(|error| unreadable(error.to_string()))?;
    fold::fold(stored.run, Arc::new(frozen), &entries).map_err(|illegal| unreadable(illegal.to_string()))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn eyes(&self) -> Eyes<'_> {
        Eyes { reader: &self.reader, outside: &*self.outside }
    }

    fn runbook(&self, id: &RunbookId) -> Option<&RunbookSpec> {
        self.runbooks.iter().find(|known| known.id == *id).map(Arc::as_ref)
    }

    fn authority(&self) -> Authority {
        Authority {
            operators: if self.permissions.single_operator { Operators::Single } else { Operators::NotStated },
            redirected: if self.permissions.endpoint_override { Redirected::Allowed } else { Redirected::Refused },
        }
    }

    async fn fresh(&self, app: &AppId) -> Arc<Snapshot> {
        let snapshot = self.facts.fresh(app).await;
        if self.permissions.drill && snapshot.mode == Mode::Live {
            let mut drill = (*snapshot).clone();
            drill.mode = Mode::Drill;
            return Arc::new(drill);
        }
        snapshot
    }

    /// Where only names are needed, facts of any age do.
    async fn snapshot(&self, app: &AppId) -> Arc<Snapshot> {
        self.fresh(app).await
    }

    fn facts_about<'a>(&'a self, app: &AppId, snapshot: &'a Snapshot) -> Result<FactsAbout<'a>, SafeText> {
        let app = self.estate.app(app).ok_or_else(|| SafeText::new(format!("the estate has no app {app} any more")))?;
        Ok(self.about(app, snapshot))
    }

    fn about<'a>(&'a self, app: &'a App, snapshot: &'a Snapshot) -> FactsAbout<'a> {
        FactsAbout { estate: &self.estate, app, snapshot, last_run_ended: self.last_run_ended(&app.id) }
    }

    fn last_run_ended(&self, app: &AppId) -> Option<Timestamp> {
        let state = self.lock();
        state.courses.values().filter(|course| course.frozen.plan.app == *app).filter_map(|c| c.shown.ended_at).max()
    }

    /// An unfinished run of the app, or of an app it depends on.
    fn busy(&self, app: &App) -> Option<SafeText> {
        let state = self.lock();
        let open = state.courses.values().find(|course| {
            let of = &course.frozen.plan.app;
            !course.shown.phase.ended() && (*of == app.id || app.depends_on.contains(of))
        })?;
        let word = open.shown.phase.word();
        Some(SafeText::new(format!("run {} of {} has not ended: {word}", open.shown.id, open.frozen.plan.app)))
    }

    /// Durations of steps in completed runs of the same runbook text.
    fn past(&self, digest: &str) -> Past {
        let state = self.lock();
        let mut past: Past = BTreeMap::new();
        let same = |course: &&Course| {
            course.frozen.runbook_digest == digest && matches!(course.shown.phase, Phase::Completed { .. })
        };
        for course in state.courses.values().filter(same) {
            let seen: Vec<(StepId, std::time::Duration)> = fold::durations(&course.shown).collect();
            for (step, took) in seen {
                past.entry(step).or_default().push(took);
            }
        }
        past
    }

    async fn principal(&self, region: &RegionId, app: &AppId) -> SafeText {
        let snapshot = self.snapshot(app).await;
        let seen = snapshot.identities.get(region).and_then(|slot| slot.last.as_ref());
        seen.map_or_else(|| SafeText::new("caller unknown"), |seen| seen.value.arn.clone())
    }

    fn writable(&self) -> Result<(), Refusal> {
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

    /// Reads runs of other processes anew; runs driven here are known better.
    fn refresh(&self) -> Result<(), StoreError> {
        let stored = self.store.load()?;
        let mut state = self.lock();
        for run in &stored {
            if state.drivers.contains_key(&run.run) {
                continue;
            }
            match recover(run) {
                Ok(course) => {
                    state.unreadable.remove(&run.run);
                    state.courses.insert(run.run, course);
                }
                Err(why) => {
                    state.unreadable.insert(run.run, why);
                }
            }
        }
        self.send(&state);
        Ok(())
    }

    fn publish(&self, course: &Course) {
        let mut state = self.lock();
        state.courses.insert(course.shown.id, course.clone());
        self.send(&state);
    }

    fn send(&self, state: &State) {
        let list: Vec<Arc<RunState>> =
            state.courses.values().rev().map(|course| Arc::new(course.shown.clone())).collect();
        let failure = state.failure.clone().or_else(|| state.unreadable.values().next().cloned());
        self.runs.send_replace(Arc::new(Runs { list, store_failure: failure }));
    }

    /// The journal failed: no driver goes on, nothing is tried again.
    fn fail(&self, why: &SafeText) {
        let mut state = self.lock();
        if state.failure.is_none() {
            state.failure = Some(why.clone());
        }
        tracing::error!(%why, "the journal cannot be written: nothing acts any more");
        self.send(&state);
    }

    fn failed(&self) -> bool {
        self.lock().failure.is_some()
    }

    fn forget(&self, run: RunId) {
        self.lock().drivers.remove(&run);
    }
}
