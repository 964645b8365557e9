//! Which app comes first, and what a monitoring system is told. DESIGN sections 5 and 8.

use std::cmp::{Ordering, Reverse};

use super::{Assessment, Severity, Verdict};
use crate::domain::app::Estate;

/// Indices of `assessments`, worst first: `Breached`, `Unknown`, `AtRisk` / `NoTarget` / RTO not proven, `Met`; then tier; then
/// the ratio of exposure to target; then the order of the estate.
#[must_use]
pub fn order(estate: &Estate, assessments: &[Assessment]) -> Vec<usize> {
    let tier = |assessment: &Assessment| estate.app(&assessment.app).map_or(u8::MAX, |app| app.tier);
    let mut indices: Vec<usize> = (0..assessments.len()).collect();
    indices.sort_by(|a, b| {
        let (a, b) = (&assessments[*a], &assessments[*b]);
        let by_severity = severity(a).cmp(&severity(b));
        let by_ratio = || ratio(b).partial_cmp(&ratio(a)).unwrap_or(Ordering::Equal);
        by_severity.then_with(|| tier(a).cmp(&tier(b))).then_with(by_ratio)
    });
    indices
}

/// The app's severity, where an RTO that is missed or not proven is a warning at least.
#[must_use]
pub fn severity(assessment: &Assessment) -> Severity {
    match (assessment.verdict.severity(), &assessment.rto.verdict) {
        (Severity::Met, rto) if !matches!(rto, Verdict::Met { .. }) => Severity::Warning,
        (severity, _) => severity,
    }
}

/// Exposure over target of the Region-lost question; what is known at least, where the value is not.
#[must_use]
pub fn ratio(assessment: &Assessment) -> f64 {
    let exposure = &assessment.region_lost;
    super::ratio(exposure)
}

/// Monitoring-plugin convention: 0 ok, 1 warning (at risk, no target, RTO not proven, breached by design), 2 critical
/// (breached where the design could have met the target), 3 unknown; with several, 2 before 3 before 1.
#[must_use]
pub fn exit_code(assessments: &[Assessment]) -> u8 {
    let code = |assessment: &Assessment| match severity(assessment) {
        _ if assessment.pages => 2,
        Severity::Unknown => 3,
        Severity::Breached | Severity::Warning => 1,
        Severity::Met => 0,
    };
    let weight = |code: &u8| [0, 1, 3, 2].iter().position(|known| known == code);
    assessments.iter().map(code).min_by_key(|code| Reverse(weight(code))).unwrap_or(3)
}
