//! `pointsman check`: everything that people write, held against its grammar, offline. Exit 1 on an error, 0 on
//! warnings: a contradiction of policy is the bank's decision, a broken file is not.

use clap::Args;

use super::{Common, exit::Failure};
use crate::{
    compose,
    domain::diagnostic::{Level, render},
};

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// One line per finding, without the excerpt
    #[arg(long)]
    pub short: bool,
}

pub fn run(common: &Common, args: &CheckArgs) -> Result<u8, Failure> {
    let checked = compose::check(common)?;
    for diagnostic in &checked.diagnostics {
        if args.short {
            println!("{}", crate::domain::SafeText::new(diagnostic.to_string()));
        } else {
            println!("{}\n", render(diagnostic));
        }
    }
    for warning in &checked.dated {
        println!("{}: warning[{}]: {}", warning.place, warning.code, warning.text);
    }
    let count = |level| checked.diagnostics.iter().filter(|d| d.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning) + checked.dated.len());
    println!("{}: {errors} errors, {warnings} warnings", checked.what);
    Ok(u8::from(errors > 0))
}
