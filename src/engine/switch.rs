//! Another plan for a run that is under way: graceful to ungraceful or back, or a drill turned real.
//!
//! What is done and is the same step in both plans stays done; everything else is confirmed anew. Must never: change
//! the plan while a call is out.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    Engine, Refusal,
    driver::{Order, Word},
    refusal,
    start::typed,
};
use crate::{
    domain::{Mode, RunbookId},
    runbook::{
        bind::Occasion,
        event::Event,
        fold::{self, Course},
        plan::{PlanHash, PlanRequest},
        run::{Declaration, RunId},
        spec::Only,
        switching::Reason,
    },
};

pub use crate::runbook::switching::Switching;

impl Engine {
    /// The plan that the run would go on with, and which steps change.
    ///
    /// # Errors
    /// When the run is not under way, or there is no such plan.
    pub async fn switching(&self, run: RunId, runbook: &RunbookId) -> Result<Switching, Refusal> {
        let course = self.under_way(run)?;
        let request = PlanRequest::new(runbook.clone(), course.frozen.plan.app.clone());
        let plan = self.plan(&request).await.map_err(|error| refusal(error.to_string()))?;
        self.change(&course, &plan.hash, Reason::AnotherWay)
    }

    /// The plan by which a rehearsal would go on in earnest: the same runbook and values, without what only a
    /// rehearsal does, held against what forbids acting live.
    ///
    /// # Errors
    /// When the run is not under way, is no rehearsal, or there is no such plan.
    pub async fn turning_real(&self, run: RunId) -> Result<Switching, Refusal> {
        let course = self.under_way(run)?;
        let present = &course.frozen.plan;
        if !is_drill(&course) {
            return Err(refusal(format!("run {run} is no drill: it is {}", present.mode_word)));
        }
        let request = present.request();
        let snapshot = self.shared.facts.fresh(&present.app).await; // in the mode it was read in, not as a drill
        let frozen = self.shared.draft_for(Occasion::Real, &request, &snapshot);
        let plan = self.keep(frozen.map_err(|error| refusal(error.to_string()))?, &request);
        self.change(&course, &plan.hash, Reason::TurnedReal)
    }

    /// [`Engine::turning_real`] and then [`Engine::switch`]: for whoever has looked at it already.
    ///
    /// # Errors
    /// As these two.
    pub async fn turn_real(&self, run: RunId, declaration: Declaration) -> Result<(), Refusal> {
        let change = self.turning_real(run).await?;
        self.switch(run, &change.plan.hash, declaration).await
    }

    fn under_way(&self, run: RunId) -> Result<Course, Refusal> {
        let course = self.shared.lock().courses.get(&run).cloned();
        let course = course.filter(|course| !course.shown.phase.ended());
        course.ok_or_else(|| refusal(format!("there is no run {run} under way")))
    }

    fn change(&self, course: &Course, hash: &PlanHash, why: Reason) -> Result<Switching, Refusal> {
        let known = self.known(hash)?;
        let plan = Arc::new(known.frozen.plan.clone());
        let kept = fold::kept(&course.frozen, &known.frozen, &course.shown.steps);
        let dropped = course.shown.steps.iter().map(|step| step.id.clone()).filter(|id| plan.step(id).is_none());
        let coming = plan.steps.iter().map(|step| step.id.clone()).filter(|id| !kept.contains(id));
        let (dropped, coming) = (dropped.collect(), coming.collect());
        Ok(Switching { run: course.shown.id, why, plan, kept, dropped, coming })
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

fn is_drill(course: &Course) -> bool {
    let plan = &course.frozen.plan;
    plan.mode_word.ends_with(&Mode::Drill.word()) || plan.steps.iter().any(|step| step.only == Only::Drill)
}
