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
    driver::{Driver, Order, Word},
    store::{Lease, NewRun, Stored},
};
use crate::{
    aws::{Reader, Writer},
    domain::{
        App, AppId, CallDescription, Clock, Estate, Mode, RegionId, RunbookId, Snapshot,
        compliance::rto::AchievedRecord, text::SafeText,
    },
    runbook::{
        bind::Occasion,
        build::Frozen,
        clocks,
        event::{Entry, Event},
        fold::{self, Course},
        foreign,
        interlock::{self, Authority, Operators, Redirected},
        machine::Gate,
        plan::{Plan, PlanHash, PlanRequest},
        run::{Answer, Declaration, Phase, RunId, RunState, Runs},
        signal::Facts as FactsAbout,
        spec::RunbookSpec,
        summary::{RunSummary, protected_again},
    },
    steps::{
        kind::Eyes,
        outside::{Hands, Outside},
    },
};

pub mod anchor;
pub mod chain;
mod driver;
pub mod history;
mod orphan;
mod planning;
pub mod sqlite;
pub mod store;
pub mod switch;
pub mod wave;

pub use chain::{Chain, Examination, examine};
pub use sqlite::SqliteStore;
pub use store::{Store, StoreError};

/// What a run is held against. The collector is one.
#[async_trait]
pub trait Facts: Send + Sync {
    /// Everything about the app, read again now (within the Regions' time-outs).
    async fn fresh(&self, app: &AppId) -> Arc<Snapshot>;

    /// What was read last, of every app, of any age.
    async fn latest(&self) -> Arc<Snapshot>;
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
    #[error("{runbook}: {}", why.iter().map(SafeText::as_str).collect::<Vec<_>>().join("; "))]
    Unbindable { runbook: RunbookId, why: Vec<SafeText> },
}

/// Dropping it ends all drivers at once, as the death of the program does: what was sent is observed at the resume.
pub struct Engine {
    shared: Arc<Shared>,
    plans: Mutex<BTreeMap<PlanHash, Planned>>,
}

/// A plan with all that its run needs, and what it was made for.
#[derive(Clone)]
struct Planned {
    frozen: Arc<Frozen>,
    request: PlanRequest,
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
    /// Ended runs, and the same as they are listed: newest first, without those listed whole.
    summaries: BTreeMap<RunId, Arc<RunSummary>>,
    ended: Arc<[Arc<RunSummary>]>,
    /// Runs whose record cannot be read, in words; run 0: the journal's anchor.
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

    /// What the runs on record prove of each app's RTO.
    #[must_use]
    pub fn achieved(&self) -> BTreeMap<AppId, Vec<AchievedRecord>> {
        let mut achieved: BTreeMap<AppId, Vec<AchievedRecord>> = BTreeMap::new();
        let state = self.shared.lock();
        let unlisted = state.courses.values().filter(|course| !state.summaries.contains_key(&course.shown.id));
        let unlisted = unlisted.filter_map(RunSummary::of).map(Arc::new);
        for run in state.summaries.values().cloned().chain(unlisted) {
            if let Some(record) = clocks::record(&run) {
                achieved.entry(run.app.clone()).or_default().push(record);
            }
        }
        drop(state);
        achieved
    }

    /// Starts a run of a plan that this engine made: arms it for this plan and no other.
    ///
    /// # Errors
    /// When app or Region are not typed as they stand, the plan is not what it would be now, or an interlock
    /// stands in the way.
    pub async fn declare(&self, plan: &Plan, declaration: Declaration) -> Result<RunId, Refusal> {
        typed(&declaration, plan)?;
        self.shared.writable()?;
        let known = self.known(&plan.hash)?;
        let snapshot = self.shared.fresh(&plan.app).await;
        self.still_the_same(&known, &snapshot)?;
        self.shared.refresh()?;
        let mut started = self.create(&[(known, declaration)]).await?;
        started.pop().ok_or_else(|| refusal("the journal made no run"))
    }

    /// A plan that was made here, with what was asked for.
    fn known(&self, hash: &PlanHash) -> Result<Planned, Refusal> {
        let known = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned();
        known.ok_or_else(|| refusal("this plan was not made here: make it again"))
    }

    /// Whether the plan would be made so now, and nothing forbids it.
    fn still_the_same(&self, known: &Planned, snapshot: &Snapshot) -> Result<(), Refusal> {
        let plan = &known.frozen.plan;
        let now = self.shared.draft(&known.request, snapshot).map_err(|error| refusal(error.to_string()))?;
        if now.plan.hash != plan.hash {
            return Err(refusal(format!(
                "{}: the plan is not what it was: {} is now {}; look at it again",
                plan.app,
                plan.hash.short(),
                now.plan.hash.short()
            )));
        }
        if now.plan.interlocks.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = now.plan.interlocks.iter().map(|interlock| interlock.text.as_str()).collect();
        Err(refusal(format!("{}: {}", plan.app, texts.join("; "))))
    }

    /// Writes the declarations down, all or none, and starts a driver for each.
    async fn create(&self, runs: &[(Planned, Declaration)]) -> Result<Vec<RunId>, Refusal> {
        let (wall, monotonic) = (self.shared.clock.wall(), self.shared.clock.monotonic());
        let mut entries = Vec::new();
        let mut batch = Vec::new();
        for (known, declaration) in runs {
            let plan = &known.frozen.plan;
            let app = self.shared.estate.app(&plan.app).ok_or_else(|| refusal("the app is gone"))?;
            let apps: Vec<AppId> = interlock::crossing(&self.shared.estate, &app.id).into_iter().collect();
            let principal = self.shared.principal(&plan.target_region).await;
            let entry = Entry {
                at: self.shared.clock.now(),
                actor: SafeText::new(format!("{} ({principal})", declaration.who)),
                event: Event::Declared { plan_hash: plan.hash.clone(), declaration: declaration.clone(), principal },
            };
            // What is stored is what will run: the plan as it was looked at, its calls equal to those of now.
            let json = serde_json::to_string(&*known.frozen).map_err(|error| refusal(error.to_string()))?;
            let first = driver::columns(&entry, plan.target_region.as_str(), wall, monotonic);
            batch.push(NewRun { app: app.id.clone(), apps, plan: json, first });
            entries.push(entry);
        }
        let store = Arc::clone(&self.shared.store);
        let created = tokio::task::spawn_blocking(move || store.create(&batch)).await;
        let created = match created.map_err(|error| refusal(error.to_string()))? {
            Err(StoreError::Failed(why) | StoreError::Damaged(why)) => {
                self.shared.fail(&SafeText::new(&why));
                return Err(refusal(why));
            }
            other => other?,
        };
        let mut courses = Vec::new();
        for ((lease, _), ((known, _), entry)) in created.into_iter().zip(runs.iter().zip(&entries)) {
            let course = fold::begin(lease.run, Arc::clone(&known.frozen), entry).map_err(|why| Refusal(why.0))?;
            courses.push((course, lease));
        }
        // All are listed before any is driven: a run of a wave looks at the others before it begins.
        let mut state = self.shared.lock();
        for (course, _) in &courses {
            state.courses.insert(course.shown.id, course.clone());
        }
        drop(state);
        Ok(courses.into_iter().map(|(course, lease)| self.start(course, lease)).collect())
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
        let (lease, stored) = taken.map_err(|error| self.told_who(run, error))?;
        let Some(lease) = lease else { return Err(refusal(format!("run {run} has ended"))) };
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
        let principal = self.shared.principal(&course.frozen.plan.target_region).await;
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
            Err(StoreError::Failed(why) | StoreError::Damaged(why)) => {
                self.shared.fail(&SafeText::new(&why));
                return Err(refusal(why));
            }
            other => other?,
        };
        Ok(self.start(course, lease))
    }

    /// Another process drives it: for whom, as far as the record said when this one opened it.
    fn told_who(&self, run: RunId, error: StoreError) -> Refusal {
        let state = self.shared.lock();
        match (&error, state.courses.get(&run)) {
            (StoreError::Driven { .. }, Some(course)) => {
                refusal(format!("{error}: {} last declared it", course.shown.declaration.who))
            }
            _ => error.into(),
        }
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
        orders
            .send(Order { word: Word::Answer(answer), reply })
            .await
            .map_err(|_| refusal(format!("run {run} is no longer driven")))?;
        answered.await.map_err(|_| refusal(format!("run {run} is no longer driven")))?
    }

    /// Holds the whole journal against its hashes and its head anchor.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn verify(&self) -> Result<Chain, StoreError> {
        let store = &self.shared.store;
        let anchored = store.anchored()?; // before the records: what is appended meanwhile is ahead of it
        Ok(examine(&store.load()?, anchored).chain())
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

/// A run from its checked record, as recovery and live running both make it.
///
/// # Errors
/// When the record was changed, or cannot follow.
pub fn recover(stored: &Stored) -> Result<Course, SafeText> {
    let unreadable = |why: String| SafeText::new(format!("the record of run {} cannot be read: {why}", stored.run));
    let frozen: Frozen = serde_json::from_str(&stored.plan).map_err(|error| unreadable(error.to_string()))?;
    stored.check().map_err(|found| unreadable(found.to_string()))?;
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

    /// A rehearsal is one on the simulator too.
    fn occasion(&self) -> Occasion {
        if self.permissions.drill { Occasion::Drill } else { Occasion::Real }
    }

    fn authority(&self) -> Authority {
        Authority {
            operators: if self.permissions.single_operator { Operators::Single } else { Operators::NotStated },
            redirected: if self.permissions.endpoint_override { Redirected::Allowed } else { Redirected::Refused },
        }
    }

    async fn fresh(&self, app: &AppId) -> Arc<Snapshot> {
        self.of_mode(self.facts.fresh(app).await)
    }

    async fn latest(&self) -> Arc<Snapshot> {
        self.of_mode(self.facts.latest().await)
    }

    /// A live run may be a drill: then every snapshot says so.
    fn of_mode(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
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
        FactsAbout { estate: &self.estate, app, snapshot, last_run_ended: self.last_run_ended(&app.id), attested: &[] }
    }

    /// An unfinished run of the app, of an app it depends on, or of one that depends on it.
    fn busy(&self, app: &App) -> Option<SafeText> {
        let crossing = interlock::crossing(&self.estate, &app.id);
        let state = self.lock();
        let open = state.courses.values().find(|course| {
            let of = &course.frozen.plan.app;
            !course.shown.phase.ended() && crossing.contains(of)
        })?;
        let word = open.shown.phase.word();
        Some(SafeText::new(format!("run {} of {} has not ended: {word}", open.shown.id, open.frozen.plan.app)))
    }

    /// Whether a run of a wave may begin: those it depends on are through, and not too many are under way.
    fn gate(&self, course: &Course) -> Gate {
        let Some(mark) = &course.shown.declaration.wave else { return Gate::Open };
        if course.shown.steps.iter().any(|step| step.attempts > 0) {
            return Gate::Open; // begun is begun
        }
        let state = self.lock();
        let siblings = || {
            state.courses.values().filter(|other| {
                other.shown.id != course.shown.id
                    && other.shown.declaration.wave.as_ref().is_some_and(|other| other.id == mark.id)
            })
        };
        // The newest ending of each counts: a run of the same wave is declared once, with its list.
        let ending = |app: &AppId| {
            let here = siblings().find(|s| s.frozen.plan.app == *app);
            here.map_or_else(
                || {
                    let mut ended = state.summaries.values();
                    let of = ended.find(|run| run.app == *app && run.wave.as_deref() == Some(mark.id.as_str()));
                    of.map(|run| run.completed())
                },
                |run| match run.shown.phase {
                    Phase::Completed { .. } => Some(true),
                    Phase::Abandoned { .. } => Some(false),
                    _ => None,
                },
            )
        };
        let endings: Vec<Option<bool>> = mark.after.iter().map(ending).collect();
        if endings.contains(&Some(false)) {
            return Gate::Barred;
        }
        let under_way = |s: &&Course| {
            !s.shown.phase.ended() && s.shown.driven && s.shown.steps.iter().any(|step| step.attempts > 0)
        };
        let room = siblings().filter(under_way).count() < mark.parallel_max as usize;
        if room && endings.iter().all(|ending| *ending == Some(true)) { Gate::Open } else { Gate::Closed }
    }

    /// What somebody else did to what the run is about, since it was declared.
    fn foreign_hand(&self, frozen: &Frozen, facts: &FactsAbout<'_>) -> Vec<SafeText> {
        let since = frozen.stood.at;
        let state = self.lock();
        let lately = |course: &&Course| course.shown.ended_at.is_none_or(|ended| since.is_none_or(|at| ended >= at));
        let own: Vec<CallDescription> = state
            .courses
            .values()
            .filter(lately)
            .flat_map(|course| course.progress.iter().filter_map(|progress| progress.call.clone()))
            .collect();
        foreign::foreign_hand(facts, &frozen.stood, &own, self.clock.now())
    }

    async fn principal(&self, region: &RegionId) -> SafeText {
        let snapshot = self.facts.latest().await; // only a name is needed: of any age
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

    fn publish(&self, course: &Course) {
        let mut state = self.lock();
        state.courses.insert(course.shown.id, course.clone());
        self.send(&state);
    }

    fn send(&self, state: &State) {
        let shown = || state.courses.values().map(|course| &course.shown);
        let again = protected_again(shown(), state.summaries.values().map(Arc::as_ref));
        let list: Vec<Arc<RunState>> = shown()
            .rev()
            .map(|run| {
                let mut run = run.clone();
                run.unprotected_since = run.unprotected_since.filter(|at| again.get(&run.plan.app) < Some(at));
                Arc::new(run)
            })
            .collect();
        let failure = state.failure.clone().or_else(|| state.unreadable.values().next().cloned());
        self.runs.send_replace(Arc::new(Runs { list, ended: Arc::clone(&state.ended), store_failure: failure }));
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
