//! A run begins: declared from a plan that was made here, or taken up again from its record, and given a driver.
//!
//! Must never: drive a run whose declaration is not on disk, or by another plan than the one that was looked at. Where
//! to look next: [`super::driver`] (from here on), [`super::wave`] (many at once), [`super::switch`] (another plan).

use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;

use super::{
    Engine, Planned, Refusal,
    driver::Driver,
    record, refusal,
    shared::{Handle, same_world},
    store::{Lease, NewRun, StoreError, Stored},
};
use crate::{
    domain::{AppId, Snapshot, text::SafeText},
    runbook::{
        build::Frozen,
        event::{Entry, Event},
        fold::{self, Course},
        interlock,
        plan::{Plan, PlanHash},
        run::{Declaration, RunId},
    },
};

impl Engine {
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
    pub(super) fn known(&self, hash: &PlanHash) -> Result<Planned, Refusal> {
        let known = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned();
        known.ok_or_else(|| refusal("this plan was not made here: make it again"))
    }

    /// Whether the plan would be made so now, and nothing forbids it.
    pub(super) fn still_the_same(&self, known: &Planned, snapshot: &Snapshot) -> Result<(), Refusal> {
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
    pub(super) async fn create(&self, runs: &[(Planned, Declaration)]) -> Result<Vec<RunId>, Refusal> {
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
            let first = record::columns(&entry, plan.target_region.as_str(), wall, monotonic);
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
    /// When somebody drives it, it has ended, it is of a simulation and this is AWS or the other way round, app or Region
    /// are not typed as they stand, or the estate changed.
    pub async fn resume(&self, run: RunId, declaration: Declaration) -> Result<RunId, Refusal> {
        self.shared.writable()?;
        if self.shared.lock().drivers.contains_key(&run) {
            return Err(refusal(format!("run {run} is driven here already")));
        }
        let here = self.shared.latest().await;
        let (store, world) = (Arc::clone(&self.shared.store), here.mode.world());
        let taken = tokio::task::spawn_blocking(move || {
            let seen = store.load_run(run)?;
            let not_here = |course: Course| course.shown.phase.ended() || course.frozen.plan.world() != world;
            if recover(&seen).is_ok_and(not_here) {
                return Ok((None, seen));
            }
            let lease = store.take(run)?;
            Ok((Some(lease), store.load_run(run)?)) // again: it may have moved before the lease was ours
        });
        let taken: Result<(Option<Lease>, Stored), StoreError> =
            taken.await.map_err(|error| refusal(error.to_string()))?;
        let (lease, stored) = taken.map_err(|error| self.told_who(run, error))?;
        let course = recover(&stored).map_err(Refusal)?;
        same_world(&course.frozen.plan, &here).map_err(Refusal)?;
        let Some(lease) = lease else { return Err(refusal(format!("run {run} has ended"))) };
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
        let written = record::written(&entry, &course, wall, monotonic);
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
        state.drivers.insert(run, Handle { orders, task, let_in: false });
        run
    }
}

pub(super) fn typed(declaration: &Declaration, plan: &Plan) -> Result<(), Refusal> {
    fold::typed_as_it_stands(
        declaration,
        &plan.app_name,
        plan.app.as_str(),
        &plan.target_name,
        plan.target_region.as_str(),
    )
    .map_err(|illegal| Refusal(illegal.0))
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
