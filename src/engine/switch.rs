//! Another plan for a run that is under way: graceful to ungraceful or back, or a drill turned real.
//!
//! What is done and is the same step in both plans stays done; everything else is confirmed anew. Must never: change
//! the plan while a call is out.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    Engine, Refusal,
    driver::{Order, Word},
    refusal, typed,
};
use crate::{
    domain::{RunbookId, StepId},
    runbook::{
        event::Event,
        fold,
        plan::{Plan, PlanHash, PlanRequest},
        run::{Declaration, RunId},
    },
};

/// What would change, looked at before it is said.
#[derive(Clone, Debug)]
pub struct Switching {
    pub run: RunId,
    pub plan: Arc<Plan>,
    /// Done already, and not done again.
    pub kept: Vec<StepId>,
    /// Of the present plan, and not of the new one.
    pub dropped: Vec<StepId>,
    /// To be done by the new plan.
    pub coming: Vec<StepId>,
}

impl Engine {
    /// The plan that the run would go on with, and which steps change.
    ///
    /// # Errors
    /// When the run is not under way, or there is no such plan.
    pub async fn switching(&self, run: RunId, runbook: &RunbookId) -> Result<Switching, Refusal> {
        let course = self.shared.lock().courses.get(&run).cloned();
        let course = course.ok_or_else(|| refusal(format!("there is no run {run} under way")))?;
        let request = PlanRequest::new(runbook.clone(), course.frozen.plan.app.clone());
        let plan = self.plan(&request).await.map_err(|error| refusal(error.to_string()))?;
        let known = self.known(&plan.hash)?;
        let kept = fold::kept(&course.frozen, &known.frozen, &course.shown.steps);
        let dropped = course.shown.steps.iter().map(|step| step.id.clone()).filter(|id| plan.step(id).is_none());
        let coming = plan.steps.iter().map(|step| step.id.clone()).filter(|id| !kept.contains(id));
        Ok(Switching { run, kept: kept.clone(), dropped: dropped.collect(), coming: coming.collect(), plan })
    }

    /// Goes on with a plan that was looked at.
    ///
    /// # Errors
    /// When app or Region are not typed as they stand, a call is out, or an interlock stands in the way.
    pub async fn switch(&self, run: RunId, hash: &PlanHash, declaration: Declaration) -> Result<(), Refusal> {
        let known = self.known(hash)?;
        typed(&declaration, &known.frozen.plan)?;
        // The run itself is what "another run is open" means here.
        let forbids = known.frozen.plan.interlocks.iter().find(|interlock| interlock.code != "another-run");
        if let Some(interlock) = forbids {
            return Err(Refusal(interlock.text.clone()));
        }
        let frozen = serde_json::to_string(&*known.frozen).map_err(|error| refusal(error.to_string()))?;
        let event = Event::Switched { plan_hash: hash.clone(), frozen, declaration };
        let orders = self.shared.lock().drivers.get(&run).map(|handle| handle.orders.clone());
        let orders = orders.ok_or_else(|| refusal(format!("run {run} is not driven here: resume it first")))?;
        let (reply, answered) = oneshot::channel();
        let order = Order { word: Word::Event(Box::new(event)), reply };
        orders.send(order).await.map_err(|_| refusal(format!("run {run} is no longer driven")))?;
        answered.await.map_err(|_| refusal(format!("run {run} is no longer driven")))?
    }
}
