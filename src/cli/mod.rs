//! The command line: what was written becomes what is meant. One file per subcommand; exit codes in [`exit`].
//!
//! Nothing here draws a screen. Errors go to stderr, one cause per line, with what to do next.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::domain::Timestamp;

pub mod check;
mod drive;
pub mod evidence;
pub mod exit;
pub mod keys;
mod known;
pub mod plan;
mod prompts;
pub mod run;
pub mod runs;
pub mod schema;
pub mod sim;
pub mod status;
pub mod themes;

/// A terminal console for disaster recovery between two AWS Regions.
///
/// Without a subcommand the console opens. With no estate named anywhere it opens the bundled one on the embedded
/// simulator and says so; an estate that is named and not found is an error, never a simulation.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version, about, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options that every subcommand understands.
#[derive(Clone, Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag that a person writes or does not")]
pub struct Common {
    /// Folder of the estate's files; else the environment variable, else the XDG config folder, else the bundled estate on the simulator
    #[arg(long, global = true, value_name = "DIR", env = "POINTSMAN_ESTATE")]
    pub estate: Option<PathBuf>,
    /// Use the embedded simulator instead of AWS
    #[arg(long, global = true)]
    pub sim: bool,
    /// Estate seconds per wall second of the embedded simulator; 0 stands still
    #[arg(long, global = true, value_name = "N", default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Seed of the embedded simulator
    #[arg(long, global = true, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Estate time at which the embedded simulator starts, instead of now: the same seed then gives the same estate
    #[arg(long, global = true, value_name = "RFC3339", value_parser = moment)]
    pub sim_start: Option<Timestamp>,
    /// What goes wrong in the simulator and when: a scenario of the estate, or a file; its own speed holds unless --speed says another
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub scenario: Option<String>,
    /// Theme: default, light, high-contrast, monochrome, or a file
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub theme: Option<String>,
    /// Keymap: default, vim, or a file
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub keymap: Option<String>,
    /// I am the only operator: act live although the embedded store fences no other machine
    #[arg(long, global = true)]
    pub single_operator: bool,
    /// This is a rehearsal: labelled everywhere
    #[arg(long, global = true)]
    pub drill: bool,
    /// Act although an AWS endpoint is overridden by the environment (the simulator needs no permission)
    #[arg(long, global = true)]
    pub allow_endpoint_override: bool,
    /// Folder of the journal; private to its owner
    #[arg(long, global = true, value_name = "DIR", env = "POINTSMAN_STATE")]
    pub state: Option<PathBuf>,
    /// Write a log to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if (0.0..=10_000.0).contains(&n) => Ok(n),
        _ => Err("a number from 0 (still) to 10000".to_owned()),
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "a moment with its zone, like 2026-11-20T14:32:07+05:30".to_owned())
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Every app's verdict, once: exit 0 ok, 1 warning, 2 critical, 3 unknown
    Status(status::StatusArgs),
    /// Validate estate, runbooks, scenarios, themes and keymaps, offline: exit 0 or 1
    Check(check::CheckArgs),
    /// What a runbook would do now: every call, guard and estimate; exit 0 ready, 2 blocked, 3 unknown
    Plan(plan::PlanArgs),
    /// Declare and step through a runbook; exit 0 completed, 4 parked
    Run(run::RunArgs),
    /// Go on with an interrupted run: by observing, never by sending again
    Resume(run::ResumeArgs),
    /// The runs in the journal: open ones first, with what is in doubt; needs neither AWS nor an estate
    Runs(runs::RunsArgs),
    /// Is the journal what was written, and what does a run prove; needs neither AWS nor an estate
    Evidence {
        #[command(subcommand)]
        command: evidence::EvidenceCommand,
    },
    /// The simulator as a server that any AWS client can use
    Sim {
        #[command(subcommand)]
        command: sim::SimCommand,
    },
    /// The keymap in force, as a table
    Keys,
    /// JSON Schema of the files that people write, for their editors
    Schema(schema::SchemaArgs),
    /// The bundled themes, or one theme's roles
    Themes(themes::ThemesArgs),
}
