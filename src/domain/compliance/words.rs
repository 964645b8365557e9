//! Causes in words, the same on every screen.

use std::time::Duration;

use crate::domain::{observation::ProbeError, time::short};

/// Of what a failover makes, before one did.
pub(super) const NOT_MADE: &str = "not there: a failover makes it";

/// `access denied (backup ListCopyJobs in ap-south-2)`
pub(super) fn cause(error: Option<&ProbeError>) -> String {
    error.map_or_else(
        || "not read yet".to_owned(),
        |error| format!("{} ({} in {})", error.failure.word(), error.call, error.region),
    )
}

/// `not refreshed for 4 m: access denied (…)`
pub(super) fn stale(age: Duration, error: Option<&ProbeError>) -> String {
    let why = error.map(|error| format!(": {}", cause(Some(error)))).unwrap_or_default();
    format!("not refreshed for {}{why}", short(age))
}
