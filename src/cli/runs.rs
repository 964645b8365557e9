//! `pointsman runs`: what the journal holds, newest first; one run whole with its number.

use clap::Args;

use super::{
    Common,
    exit::{Failure, USAGE},
};
use crate::{compose, domain::Clock, report::runs};

#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Number of one run, to see it whole
    pub run: Option<u64>,
}

pub async fn run(common: &Common, args: &RunsArgs) -> Result<u8, Failure> {
    let core = compose::start(common).await?;
    let all = core.engine.watch().borrow().clone();
    let zone = &core.estate.zone;
    match args.run {
        None if all.list.is_empty() => println!("no runs in {}", core.journal.display()),
        None => {
            for run in &all.list {
                println!("{}", runs::run_line(run, zone));
            }
        }
        Some(wanted) => match all.list.iter().find(|r| r.id.0 == wanted) {
            Some(run) => print!("{}", runs::run(run, zone, core.clock.now())),
            None => {
                return Err(Failure {
                    code: USAGE,
                    lines: vec![
                        format!("runs {wanted}: no such run in {}", core.journal.display()),
                        "`pointsman runs` lists them".to_owned(),
                    ],
                });
            }
        },
    }
    Ok(0)
}
