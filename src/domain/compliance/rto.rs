//! Recovery time: target, estimated and proven, never mixed. DESIGN section 5, "RTO".
//!
//! Lapse rule of a proof: older than 183 days (drills are half-yearly: RBI direction of 7 November 2023, para 29), or
//! made with another runbook than the app's failover runbook of today. A drill record does not carry the digest of
//! its runbook's text yet; once runs are kept as proofs, [`super::Execution::runbook_digest`] is held against theirs.

use std::time::Duration;

use super::{Execution, RtoEstimate, RtoProof, RtoStanding, Verdict};
use crate::domain::{
    app::{App, Timings},
    time::{Timestamp, short, short_up},
};

/// Two drills a year.
pub const PROOF_MAX_AGE: Duration = Duration::from_hours(4392);

/// The one estimate: board and plan both call this, so that they cannot disagree.
///
/// Verification of the runbook's own steps replaces the declared one; a runbook without such steps keeps it.
#[must_use]
pub fn estimate(timings: &Timings, execution: &Execution) -> RtoEstimate {
    let verification = if execution.verification.is_zero() { timings.verification } else { execution.verification };
    RtoEstimate {
        detection: timings.detection,
        decision: timings.decision,
        execution: execution.critical_path,
        dns_ttl: execution.dns_ttl,
        verification,
        basis: execution.basis.clone(),
    }
}

/// How an app stands against its RTO.
#[must_use]
pub fn standing(app: &App, execution: Option<&Execution>, now: Timestamp) -> RtoStanding {
    let estimated = execution.map(|execution| estimate(&app.timings, execution));
    let proven = proof(app, now);
    let verdict = verdict(app.rto, estimated.as_ref(), proven.as_ref());
    RtoStanding { target: app.rto, estimated, proven, verdict }
}

fn proof(app: &App, now: Timestamp) -> Option<RtoProof> {
    let measured = app.drills.iter().filter_map(|drill| Some((drill, drill.rto_achieved?)));
    let (drill, achieved) = measured.filter(|(drill, _)| drill.at <= now).max_by_key(|(drill, _)| drill.at)?;
    let other_runbook = match (&drill.runbook, app.runbooks.get("failover")) {
        (Some(drilled), Some(today)) => drilled != today,
        _ => false,
    };
    let lapsed = now.since(drill.at) > PROOF_MAX_AGE || other_runbook;
    Some(RtoProof { achieved, at: drill.at, source: drill.name.clone(), lapsed })
}

fn verdict(target: Option<Duration>, estimated: Option<&RtoEstimate>, proven: Option<&RtoProof>) -> Verdict {
    let Some(target) = target else { return Verdict::NoTarget };
    let at_risk = |why: String| Verdict::AtRisk { why: why.into(), when: None };
    let valid = proven.filter(|proof| !proof.lapsed);
    let missed = |took: Duration| took.checked_sub(target).filter(|by| !by.is_zero());
    if let Some(by) = valid.and_then(|proof| missed(proof.achieved)) {
        return Verdict::Breached { by };
    }
    if let Some(by) = estimated.and_then(|estimate| missed(estimate.total())) {
        return Verdict::Breached { by };
    }
    match (estimated, proven) {
        (_, Some(proof)) if !proof.lapsed => Verdict::Met { sampled: false },
        (_, Some(proof)) => at_risk(format!("proof lapsed: {} in {}", short_up(proof.achieved), proof.source)),
        (Some(estimate), None) => {
            at_risk(format!("not proven: {} {}, never drilled", short(estimate.total()), estimate.basis))
        }
        (None, None) => Verdict::Unknown {
            why: "no failover runbook to estimate from, never drilled".into(),
            at_least: None,
            at_most: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        RunbookId,
        app::DrillRecord,
        compliance::fixtures::{self as fx, minutes},
    };

    fn drill(days_ago: u64, achieved: Duration, runbook: &str) -> DrillRecord {
        DrillRecord {
            name: "drill 14".into(),
            at: fx::now() - Duration::from_secs(days_ago * 86_400),
            rto_achieved: Some(achieved),
            rpo_achieved: None,
            runbook: Some(RunbookId::new(runbook)),
            findings_open: 0,
            next_due: None,
        }
    }

    /// target in minutes, execution, last drill, verdict, rule
    type Row<'a> = (Option<u64>, Option<&'a Execution>, Option<DrillRecord>, &'a str, &'a str);

    #[test]
    fn the_table_of_rto_rules() {
        let fast = fx::execution(minutes(5));
        let slow = fx::execution(minutes(50));
        let rows: &[Row<'_>] = &[
            (None, Some(&fast), None, "no-target", "no RTO is set"),
            (Some(30), None, None, "unknown", "nothing to estimate from"),
            (Some(30), Some(&fast), None, "at-risk", "estimated, never proven"),
            (Some(30), Some(&fast), Some(drill(12, minutes(9), "failover")), "met", "proven 12 days ago"),
            (Some(30), Some(&fast), Some(drill(184, minutes(9), "failover")), "at-risk", "proof lapsed with age"),
            (Some(30), Some(&fast), Some(drill(12, minutes(9), "old")), "at-risk", "proof of another runbook"),
            (Some(30), Some(&slow), Some(drill(12, minutes(9), "failover")), "breached", "the estimate misses"),
            (Some(30), Some(&fast), Some(drill(12, minutes(40), "failover")), "breached", "the drill missed"),
            (
                Some(30),
                Some(&fast),
                Some(drill(184, minutes(40), "failover")),
                "at-risk",
                "a lapsed miss proves nothing",
            ),
            (Some(30), None, Some(drill(12, minutes(9), "failover")), "met", "proven, no estimate"),
        ];
        for (target, execution, record, word, rule) in rows {
            let mut app = fx::app("payments");
            app.rto = target.map(minutes);
            app.runbooks.insert("failover".to_owned(), RunbookId::new("failover"));
            app.drills = record.iter().cloned().collect();
            let standing = standing(&app, *execution, fx::now());
            assert_eq!(standing.verdict.word(), *word, "{rule}: {standing:?}");
        }
    }

    #[test]
    fn the_estimate_is_the_sum_of_its_parts_on_both_clocks() {
        let app = fx::app("payments");
        let estimate = estimate(&app.timings, &fx::execution(minutes(5)));
        let declared = app.timings.detection + app.timings.decision;
        assert_eq!(estimate.from_declaration(), minutes(5) + estimate.dns_ttl + estimate.verification);
        assert_eq!(estimate.total(), declared + estimate.from_declaration());
    }
}
