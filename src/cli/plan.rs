//! `pointsman plan RUNBOOK --app A`: a dry run. Every call, every guard with its present value, all blockers at
//! once, estimate against target. Sends nothing but reads.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};

use super::{
    Common,
    exit::{BLOCKED, Failure, UNKNOWN},
};
use crate::{
    compose,
    domain::{AppId, Clock, RunbookId},
    report::{plans, runs},
    runbook::{
        plan::{Holds, Plan, PlanRequest},
        spec::Variant,
    },
};

/// Which runbook, for which app, with which values: said alike for `plan` and `run`.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Id of the runbook, e.g. payments-failover
    pub runbook: String,
    /// Id of the app
    #[arg(long)]
    pub app: String,
    /// A value for a parameter of the runbook, before what the estate says; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
    /// The readings only: every step that asks or acts is left out
    #[arg(long)]
    pub check_only: bool,
}

impl Wanted {
    /// # Errors
    /// One parameter set twice: nobody could tell which was meant.
    pub fn request(&self) -> Result<PlanRequest, Failure> {
        let mut parameters = BTreeMap::new();
        for (name, value) in &self.set {
            if parameters.insert(name.clone(), value.clone()).is_some() {
                return Err(Failure::usage([
                    format!("--set {name}: given twice"),
                    "give each parameter once".to_owned(),
                ]));
            }
        }
        Ok(PlanRequest {
            runbook: RunbookId::new(&self.runbook),
            app: AppId::new(&self.app),
            parameters,
            variant: if self.check_only { Variant::CheckOnly } else { Variant::Whole },
        })
    }
}

pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub wanted: Wanted,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Text,
    /// The whole plan, as it would be frozen
    Json,
    /// For a ticket or a change request
    Markdown,
}

pub async fn run(common: &Common, args: &PlanArgs) -> Result<u8, Failure> {
    let request = args.wanted.request()?;
    let core = compose::start(common).await?;
    core.first_full_picture().await;
    let plan = core.plan(&request).await?;
    let (zone, now) = (&core.estate.zone, core.clock.now());
    match args.format {
        Format::Text => print!("{}", runs::plan(&plan, zone, now)),
        Format::Json => println!("{}", plans::json(&plan)),
        Format::Markdown => print!("{}", plans::markdown(&plan, zone)),
    }
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
