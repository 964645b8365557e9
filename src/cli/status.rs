//! `pointsman status`: one reading of the estate, judged; the exit code follows the monitoring-plugin convention.

use clap::{Args, ValueEnum};

use super::{
    Common,
    exit::{Failure, USAGE},
};
use crate::{
    compose,
    domain::{AppId, compliance, diagnostic::nearest},
    report::status,
};

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
    if let Some(wanted) = &args.app
        && core.estate.app(&AppId::new(wanted)).is_none()
    {
        let near = nearest(wanted, core.estate.apps.iter().map(|a| a.id.as_str()));
        let known = core.estate.apps.iter().map(|a| a.id.as_str()).collect::<Vec<_>>().join(", ");
        let hint = near.map_or_else(|| format!("known: {known}"), |n| format!("did you mean {n}?"));
        return Err(Failure {
            code: USAGE,
            lines: vec![format!("status --app {wanted}: no such app in {}", core.estate.name), hint],
        });
    }
    let mut picture = core.first_full_picture().await;
    if let Some(wanted) = &args.app {
        picture.assessments.retain(|a| a.app.as_str() == wanted);
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
