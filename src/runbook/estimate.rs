//! How long a runbook takes: one function, used by the board and by the plan, so that they cannot disagree.

use std::{collections::BTreeMap, time::Duration};

use super::spec::{RunbookSpec, StepParam, StepSpec};
use crate::domain::{App, Hazard, StepId, app::Param, compliance::Execution, text::SafeText};

/// Runs needed before their p90 says more than the declared figure.
pub const RUNS_MIN: usize = 3;

/// Durations of past runs of the same runbook text, by step.
pub type Past = BTreeMap<StepId, Vec<Duration>>;

/// What a step is expected to take, and why: `declared`, `p90 of 3 runs`.
#[must_use]
pub fn expected(step: &StepSpec, past: &Past) -> (Duration, SafeText) {
    // A pause takes what it says it waits, neither more nor less.
    if let ("pause", Some(StepParam::Value(Param::Duration(wait)))) = (step.kind, step.params.get("wait")) {
        return (*wait, SafeText::new("declared"));
    }
    match past.get(&step.id) {
        Some(seen) if seen.len() >= RUNS_MIN => {
            let mut sorted = seen.clone();
            sorted.sort_unstable();
            let rank = (sorted.len() * 9).div_ceil(10).max(1);
            (sorted[rank - 1], SafeText::new(format!("p90 of {} runs", seen.len())))
        }
        _ => (step.expect, SafeText::new("declared")),
    }
}

/// The critical path of the steps, what DNS adds, and what only verifies at the end.
#[must_use]
pub fn execution(runbook: &RunbookSpec, app: &App, past: &Past) -> Execution {
    let last_change = runbook.steps.iter().rposition(|step| step.hazard != Hazard::None);
    let verifies = |n: usize| last_change.is_some_and(|last| n > last);
    let times: Vec<(Duration, SafeText)> = runbook.steps.iter().map(|step| expected(step, past)).collect();
    let whole = longest_path(runbook, |n| times[n].0);
    let critical_path = longest_path(runbook, |n| if verifies(n) { Duration::ZERO } else { times[n].0 });
    let moves_dns = runbook.steps.iter().any(|step| step.kind.starts_with("route53."));
    let observed = times.iter().filter(|(_, basis)| basis.as_str() != "declared").count();
    let basis = match observed {
        0 => SafeText::new("declared"),
        n if n == times.len() => times[0].1.clone(),
        n => SafeText::new(format!("p90 of past runs for {n} of {} steps, else declared", times.len())),
    };
    Execution {
        critical_path,
        basis,
        dns_ttl: if moves_dns { app.timings.dns_ttl } else { Duration::ZERO },
        verification: whole.saturating_sub(critical_path),
        runbook_digest: runbook.digest.clone(),
    }
}

/// Longest way through the graph of `after`. A step whose predecessor stands later in the file counts from zero:
/// the parser refuses such files.
fn longest_path(runbook: &RunbookSpec, time: impl Fn(usize) -> Duration) -> Duration {
    let mut ends: BTreeMap<&StepId, Duration> = BTreeMap::new();
    for (n, step) in runbook.steps.iter().enumerate() {
        let start = step.after.iter().filter_map(|id| ends.get(id)).max().copied().unwrap_or_default();
        ends.insert(&step.id, start + time(n));
    }
    ends.values().max().copied().unwrap_or_default()
}
