//! `pointsman status`: one reading of the estate, judged; the exit code follows the monitoring-plugin convention.

use clap::{Args, ValueEnum};

use super::{Common, exit::Failure, known};
use crate::{compose, domain::compliance, report::status};

#[derive(Debug, Args)]
pub struct StatusArgs {
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Only this app, by id
    #[arg(long)]
    pub app: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Markdown,
}

pub async fn run(common: &Common, args: &StatusArgs) -> Result<u8, Failure> {
    let core = compose::start(common).await?;
    let wanted = args.app.as_ref().map(|app| known::app("status --app", app, &core.estate)).transpose()?;
    let mut picture = core.first_full_picture().await;
    if let Some(wanted) = &wanted {
        picture.assessments.retain(|a| a.app == *wanted);
    }
    let order = compliance::order(&core.estate, &picture.assessments);
    match args.format {
        Format::Table => print!("{}", status::table(&core.estate, &picture, &order)),
        Format::Markdown => print!("{}", status::markdown(&core.estate, &picture, &order)),
        Format::Json => {
            let json = status::json(&core.estate, &picture, &order);
            println!("{}", serde_json::to_string_pretty(&json).unwrap_or_default());
        }
    }
    Ok(compliance::exit_code(&picture.assessments))
}
