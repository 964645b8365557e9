//! What a person named, held against what the estate has: the nearest known name where there is none of that name.

use super::exit::Failure;
use crate::domain::{AppId, Estate, diagnostic::nearest};

/// `said` is the option as it was written: `status --app`.
///
/// # Errors
/// The estate has no such app.
pub fn app(said: &str, wanted: &str, estate: &Estate) -> Result<AppId, Failure> {
    let known: Vec<&str> = estate.apps.iter().map(|app| app.id.as_str()).collect();
    named(said, wanted, &known, &format!("no such app in {}", estate.name)).map(AppId::new)
}

/// A role in the runbooks of the apps: `failover`.
///
/// # Errors
/// No app has a runbook for it.
pub fn role<'a>(said: &str, wanted: &'a str, estate: &Estate) -> Result<&'a str, Failure> {
    let mut known: Vec<&str> = estate.apps.iter().flat_map(|app| app.runbooks.keys()).map(String::as_str).collect();
    known.sort_unstable();
    known.dedup();
    named(said, wanted, &known, &format!("no app of {} has a runbook for that", estate.name))
}

fn named<'a>(said: &str, wanted: &'a str, known: &[&str], why: &str) -> Result<&'a str, Failure> {
    if known.contains(&wanted) {
        return Ok(wanted);
    }
    let near = nearest(wanted, known.iter().copied());
    let hint = near.map_or_else(|| format!("known: {}", known.join(", ")), |near| format!("did you mean {near}?"));
    Err(Failure::usage([format!("{said} {wanted}: {why}"), hint]))
}
