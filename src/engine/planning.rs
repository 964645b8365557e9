//! Runbooks into plans: bound to an app, outlined by their kinds, frozen against facts. Sends nothing but reads.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use super::{Engine, PlanError, Planned, Shared};
use crate::{
    domain::{App, AppId, Snapshot, World, compliance::Execution, text::SafeText},
    runbook::{
        bind::{self, Occasion, Unbindable},
        build::{self, Draft, Frozen, FrozenStep, Outline},
        estimate,
        plan::{Plan, PlanRequest},
        spec::{RunbookSpec, StepSpec},
    },
    steps::{
        self,
        kind::{Conduct, StepContext},
    },
};

impl Engine {
    /// The critical path of each app's failover runbook, by the function and with the past of the same world, as plans
    /// use it too.
    #[must_use]
    pub fn executions(&self, world: World) -> BTreeMap<AppId, Execution> {
        let shared = &self.shared;
        let estimate = |app: &App| {
            let runbook = shared.runbook(app.runbooks.get("failover")?)?;
            // As it would be planned; where only a person can give a value, by the whole file.
            let request = PlanRequest::new(runbook.id.clone(), app.id.clone());
            let bound = bind::bind(runbook, &shared.estate, app, &request, shared.occasion());
            let planned = bound.as_ref().map_or(runbook, |bound| &bound.runbook);
            Some((app.id.clone(), estimate::execution(planned, app, &shared.past(&runbook.digest, world))))
        };
        shared.estate.apps.iter().filter_map(estimate).collect()
    }

    /// Freezes a runbook against facts read now. Sends nothing but reads.
    ///
    /// # Errors
    /// An unknown runbook or app, a runbook that is not for the app, or parameters that do not fit.
    pub async fn plan(&self, request: &PlanRequest) -> Result<Arc<Plan>, PlanError> {
        self.shared.what(request)?;
        let _ = self.shared.refresh(); // another process may have begun or ended runs; a failure shows as store_failure
        let snapshot = self.shared.fresh(&request.app).await;
        let frozen = self.shared.draft(request, &snapshot)?;
        Ok(self.keep(frozen, request))
    }

    /// Kept, so that what is declared is what was looked at.
    pub(super) fn keep(&self, frozen: Frozen, request: &PlanRequest) -> Arc<Plan> {
        let plan = Arc::new(frozen.plan.clone());
        let planned = Planned { frozen: Arc::new(frozen), request: request.clone() };
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(plan.hash.clone(), planned);
        plan
    }
}

impl Shared {
    fn what(&self, request: &PlanRequest) -> Result<(&RunbookSpec, &App), PlanError> {
        let spec = self.runbook(&request.runbook).ok_or_else(|| PlanError::NoRunbook {
            id: SafeText::new(request.runbook.as_str()),
            near: nearest(request.runbook.as_str(), self.runbooks.iter().map(|known| known.id.as_str())),
        })?;
        let app = self.estate.app(&request.app).ok_or_else(|| PlanError::NoApp {
            id: SafeText::new(request.app.as_str()),
            near: nearest(request.app.as_str(), self.estate.apps.iter().map(|known| known.id.as_str())),
        })?;
        if !spec.apps.contains(&app.id) && !spec.strategies.contains(&app.strategy) {
            return Err(PlanError::NotForApp { runbook: spec.id.clone(), app: app.id.clone() });
        }
        Ok((spec, app))
    }

    /// The plan as these facts make it.
    pub(super) fn draft(&self, request: &PlanRequest, snapshot: &Snapshot) -> Result<Frozen, PlanError> {
        self.draft_for(self.occasion(), request, snapshot)
    }

    /// The same for another occasion than the one this engine was started for: a drill that is turned real.
    pub(super) fn draft_for(
        &self,
        occasion: Occasion,
        request: &PlanRequest,
        snapshot: &Snapshot,
    ) -> Result<Frozen, PlanError> {
        let (spec, app) = self.what(request)?;
        let bound = bind::bind(spec, &self.estate, app, request, occasion)
            .map_err(|Unbindable(why)| PlanError::Unbindable { runbook: spec.id.clone(), why })?;
        let spec = &bound.runbook;
        let facts = self.about(app, snapshot);
        let now = self.clock.now();
        let target = build::target(spec);
        let steps: Vec<FrozenStep> = spec.steps.iter().map(FrozenStep::of).collect();
        let about = |n: usize| StepContext {
            facts: &facts,
            step: &steps[n],
            kind: spec.kind,
            target,
            begun_at: None,
            maker_began: None,
            token: None,
            now,
        };
        let outline = |(n, step): (usize, &StepSpec)| {
            steps::find(step.kind).map_or_else(
                || Outline {
                    calls: Err(SafeText::new(format!("this version knows no step of kind {}", step.kind))),
                    summary: SafeText::new(step.kind),
                    done_when: SafeText::default(),
                    undo: SafeText::default(),
                },
                |kind| kind.outline(&about(n)),
            )
        };
        let outlines: Vec<Outline> = spec.steps.iter().enumerate().map(outline).collect();
        let world = snapshot.mode.world();
        let busy = self.busy(app, world);
        let mut frozen = build::plan(&Draft {
            runbook: spec,
            facts: &facts,
            outlines: &outlines,
            authority: self.authority(),
            past: &self.past(&spec.digest, world),
            variant: request.variant,
            occasion,
            parameters: &bound.parameters,
            busy: busy.as_ref(),
            now,
        });
        for (n, step) in spec.steps.iter().enumerate() {
            if let Some(Conduct::Acts(acting)) = steps::find(step.kind).map(steps::kind::StepKind::conduct) {
                frozen.plan.steps[n].loss = acting.loss(&about(n));
            }
        }
        Ok(frozen)
    }
}

fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    crate::domain::diagnostic::nearest(written, known).map(str::to_owned)
}
