//! Which app comes first, and what a monitoring system is told. DESIGN sections 5 and 8.

use std::cmp::{Ordering, Reverse};

use super::{Assessment, Severity, Verdict};
use crate::domain::app::{App, Estate};

/// Indices of `assessments`, worst first: `Breached`, `Unknown`, `AtRisk` / `NoTarget` / RTO not proven, `Met`; then tier; then
/// the ratio of exposure to target; then the order of the estate.
#[must_use]
pub fn order(estate: &Estate, assessments: &[Assessment]) -> Vec<usize> {
    let key = |(n, assessment): (usize, &Assessment)| {
        let tier = app_of(estate, n, assessment).map_or(u8::MAX, |app| app.tier);
        (severity(assessment), tier, ratio(assessment))
    };
    let keys: Vec<(Severity, u8, f64)> = assessments.iter().enumerate().map(key).collect();
    let mut indices: Vec<usize> = (0..assessments.len()).collect();
    indices.sort_by(|a, b| {
        let (a, b) = (&keys[*a], &keys[*b]);
        let by_ratio = || b.2.partial_cmp(&a.2).unwrap_or(Ordering::Equal);
        (a.0, a.1).cmp(&(b.0, b.1)).then_with(by_ratio)
    });
    indices
}

/// The app of the `n`th assessment. There is one per app, in the estate's order: looked up only where that does not hold.
#[must_use]
pub fn app_of<'e>(estate: &'e Estate, n: usize, assessment: &Assessment) -> Option<&'e App> {
    estate.apps.get(n).filter(|app| app.id == assessment.app).or_else(|| estate.app(&assessment.app))
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
