//! A wave: planned from one snapshot, declared in one transaction, each app a run of its own.
//!
//! Must never: begin some of a list when the list cannot be written down whole. Which run may begin when is told by
//! [`Shared::gate`]; what a wave is, is in `crate::runbook::wave`.

use std::sync::Arc;

use super::{Engine, Planned, Refusal, Shared, State, refusal};
use crate::{
    domain::{App, AppId, Snapshot, text::SafeText},
    runbook::{
        fold::Course,
        machine::Gate,
        moved,
        plan::{Plan, PlanRequest},
        run::{Declaration, Phase, RunId, RunState},
        turn::{self, Member, Standing},
        wave::{self, Wave},
    },
};

pub use crate::runbook::wave::{WaveDeclaration, WaveRequest};

impl Engine {
    /// The list, against what was read last: a thousand apps are not read anew one by one. Every step reads for
    /// itself before it acts.
    ///
    /// # Errors
    /// An unknown app, a circle of dependencies, or nothing that can go.
    pub async fn plan_wave(&self, request: &WaveRequest) -> Result<Wave, Refusal> {
        self.shared.refresh()?;
        let snapshot = self.shared.latest().await;
        let estate = &self.shared.estate;
        let mut apps: Vec<&App> = Vec::new();
        let mut left_out = Vec::new();
        for id in &request.apps {
            apps.push(estate.app(id).ok_or_else(|| refusal(format!("there is no app {id}")))?);
        }
        let mut there = Vec::new();
        if request.apps.is_empty() {
            for app in estate.apps.iter().filter(|app| app.runbooks.contains_key(request.role.as_str())) {
                match self.shared.there(app, &request.role, &snapshot) {
                    Some(known) => there.push((app.id.clone(), known)),
                    None => apps.push(app),
                }
            }
        }
        if let (true, Some((app, known))) = (apps.is_empty(), there.first()) {
            let all = format!("all {} apps with a runbook for {} are where it goes", there.len(), request.role);
            return Err(refusal(format!("{all}: {app} is {known}. Name the apps that are to go all the same")));
        }
        let ordered = wave::order(&apps).map_err(|why| refusal(why.to_string()))?;
        let mut planned: Vec<(Arc<Plan>, Vec<AppId>)> = Vec::with_capacity(ordered.len());
        for (id, after) in ordered {
            let Some(runbook) = estate.app(&id).and_then(|app| app.runbooks.get(request.role.as_str())) else {
                left_out.push((id, SafeText::new(format!("it has no runbook for {}", request.role))));
                continue;
            };
            let mut one = PlanRequest::new(runbook.clone(), id.clone());
            one.variant = request.variant;
            match self.shared.draft(&one, &snapshot) {
                Ok(frozen) => planned.push((self.keep(frozen, &one), after)),
                Err(why) => left_out.push((id, SafeText::new(why.to_string()))),
            }
        }
        let wave = wave::wave(planned, left_out, request.parallel_max).map_err(|why| refusal(why.to_string()))?;
        Ok(Wave { there, ..wave })
    }

    /// Declares all runs of the list, or none.
    ///
    /// # Errors
    /// When the phrase is not typed as it stands, a plan is not what it was, or an interlock stands in the way.
    pub async fn declare_wave(&self, wave: &Wave, said: &WaveDeclaration) -> Result<Vec<RunId>, Refusal> {
        let phrase = wave.phrase();
        if said.phrase.trim() != phrase {
            return Err(refusal(format!("not what is asked: type {phrase}")));
        }
        if said.who.trim().is_empty() || said.incident.trim().is_empty() {
            return Err(refusal("who declares, and which incident?"));
        }
        self.shared.writable()?;
        self.shared.refresh()?;
        let snapshot = self.shared.latest().await;
        let declarations = wave.declarations(&said.who, &said.incident, said.outage_at);
        let mut runs: Vec<(Planned, Declaration)> = Vec::with_capacity(declarations.len());
        let mut wrong = Vec::new();
        for (item, declaration) in wave.items.iter().zip(declarations) {
            let known = self.known(&item.plan.hash)?;
            match self.still_the_same(&known, &snapshot) {
                Ok(()) => runs.push((known, declaration)),
                Err(why) => wrong.push(why.to_string()),
            }
        }
        if !wrong.is_empty() {
            return Err(refusal(wrong.join("; ")));
        }
        self.create(&runs).await
    }

    /// The unfinished runs of a wave, in its order.
    #[must_use]
    pub fn open_of_wave(&self, wave: &str) -> Vec<RunId> {
        open_in(&self.shared.lock(), wave)
    }

    /// Drives on every unfinished run of a wave that nobody drives here: one declaration for the list. Each run goes
    /// on by observing, as [`Engine::resume`] does.
    ///
    /// # Errors
    /// When the phrase is not typed as it stands, or some of the runs cannot be driven: these are named, the others
    /// are under way.
    pub async fn resume_wave(&self, wave: &str, said: &WaveDeclaration) -> Result<Vec<RunId>, Refusal> {
        let open: Vec<Arc<RunState>> = {
            let state = self.shared.lock();
            let undriven = open_in(&state, wave).into_iter().filter(|run| !state.drivers.contains_key(run));
            undriven.filter_map(|run| Some(Arc::new(state.courses.get(&run)?.shown.clone()))).collect()
        };
        if open.is_empty() {
            return Err(refusal("no run of this wave waits to be resumed"));
        }
        let phrase = wave::resume_phrase(&wave::bound(open.iter().map(|run| &run.plan)));
        if said.phrase.trim() != phrase {
            return Err(refusal(format!("not what is asked: type {phrase}")));
        }
        if said.who.trim().is_empty() || said.incident.trim().is_empty() {
            return Err(refusal("who declares, and which incident?"));
        }
        let (mut driven, mut wrong) = (Vec::new(), Vec::new());
        for run in open {
            let declaration = Declaration {
                who: said.who.clone(),
                incident: said.incident.clone(),
                app: run.plan.app.to_string(),
                region: run.plan.target_region.to_string(),
                outage_at: run.declaration.outage_at.or(said.outage_at),
                wave: run.declaration.wave.clone(),
            };
            match self.resume(run.id, declaration).await {
                Ok(run) => driven.push(run),
                Err(why) => wrong.push(format!("run {} of {}: {why}", run.id, run.plan.app)),
            }
        }
        if wrong.is_empty() { Ok(driven) } else { Err(refusal(wrong.join("; "))) }
    }
}

fn open_in(state: &State, wave: &str) -> Vec<RunId> {
    let mut open: Vec<(u32, RunId)> = state
        .courses
        .values()
        .filter(|course| !course.shown.phase.ended())
        .filter_map(|course| {
            let mark = course.shown.declaration.wave.as_ref().filter(|mark| mark.id == wave)?;
            Some((mark.ordinal, course.shown.id))
        })
        .collect();
    open.sort_unstable();
    open.into_iter().map(|(_, run)| run).collect()
}

impl Shared {
    /// How it is known that the role's runbook would take the app where it is.
    fn there(&self, app: &App, role: &str, snapshot: &Snapshot) -> Option<SafeText> {
        let runbook = self.runbook(app.runbooks.get(role)?)?;
        moved::there(&self.about(app, snapshot), moved::target(runbook.kind)?, self.clock.now())
    }

    /// Whether a run of a wave may begin: those it depends on are through, and not too many are under way.
    pub(super) fn gate(&self, course: &Course) -> Gate {
        let Some(mark) = &course.shown.declaration.wave else { return Gate::Open };
        if course.shown.steps.iter().any(|step| step.attempts > 0) {
            return Gate::Open; // begun is begun
        }
        let mut state = self.lock();
        if !state.drivers.get(&course.shown.id).is_some_and(|driver| driver.let_in) {
            let gate = turn::turn(mark, &members(&state, course.shown.id, &mark.id));
            if gate != Gate::Open {
                return gate;
            }
        }
        if let Some(driver) = state.drivers.get_mut(&course.shown.id) {
            driver.let_in = true;
        }
        Gate::Open
    }
}

/// The other runs of a wave. A run of it is declared once, with its list.
fn members<'s>(state: &'s State, own: RunId, wave: &str) -> Vec<Member<'s>> {
    let here = state.courses.values().filter_map(|course| {
        let mark = course.shown.declaration.wave.as_ref().filter(|mark| mark.id == wave)?;
        let driver = state.drivers.get(&course.shown.id);
        let begun = course.shown.steps.iter().any(|step| step.attempts > 0);
        let standing = match course.shown.phase {
            Phase::Completed { .. } => Standing::Through,
            Phase::Abandoned { .. } => Standing::Fallen,
            // One that was let in and has not written its first record yet has its place all the same.
            _ if begun || driver.is_some_and(|driver| driver.let_in) => Standing::UnderWay,
            Phase::Armed | Phase::Running if driver.is_some() => Standing::Queued,
            _ => Standing::Aside,
        };
        let of = &course.frozen.plan.app;
        (course.shown.id != own).then_some(Member { app: of, ordinal: mark.ordinal, after: &mark.after, standing })
    });
    let ended = state.summaries.values().filter(|run| !state.courses.contains_key(&run.id));
    let ended = ended.filter(|run| run.wave.as_deref() == Some(wave)).map(|run| {
        let standing = if run.completed() { Standing::Through } else { Standing::Fallen };
        Member { app: &run.app, ordinal: 0, after: &[], standing }
    });
    here.chain(ended).collect()
}
