//! `pointsman plan RUNBOOK --app A`: a dry run. Every call, every guard with its present value, all blockers at
//! once, estimate against target. Sends nothing but reads.

use clap::Args;

use super::{
    Common,
    exit::{BLOCKED, Failure, UNKNOWN},
};
use crate::{
    compose,
    domain::{AppId, Clock, RunbookId},
    report::runs,
    runbook::plan::{Holds, Plan, PlanRequest},
};

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Id of the runbook, e.g. payments-failover
    pub runbook: String,
    /// Id of the app
    #[arg(long)]
    pub app: String,
}

pub async fn run(common: &Common, args: &PlanArgs) -> Result<u8, Failure> {
    let core = compose::start(common).await?;
    core.first_full_picture().await;
    let plan = core.plan(&PlanRequest::new(RunbookId::new(&args.runbook), AppId::new(&args.app))).await?;
    print!("{}", runs::plan(&plan, &core.estate.zone, core.clock.now()));
    Ok(code(&plan))
}

/// 0 ready; 2 when something is known to block; 3 when the only blockers are unknown facts.
#[must_use]
pub fn code(plan: &Plan) -> u8 {
    if plan.blockers().is_empty() {
        return 0;
    }
    let known_false = plan.steps.iter().flat_map(|s| &s.guards).any(|g| g.blocks_plan() && g.holds == Holds::No);
    if known_false || !plan.interlocks.is_empty() { BLOCKED } else { UNKNOWN }
}
