//! Recovery time before it happens: the longest way, and what is counted apart.

use std::{collections::BTreeMap, time::Duration};

use super::world::secs;
use crate::{
    domain::{
        Hazard, StepId,
        compliance::fixtures::{self as fx, minutes},
    },
    runbook::{
        estimate::{self, Past},
        spec::{Mutating, OnFailure, Only, RunbookKind, RunbookSpec, StepSpec},
    },
};

fn step(id: &str, kind: &'static str, hazard: Hazard, expect: u64, after: &[&str]) -> StepSpec {
    StepSpec {
        id: id.into(),
        title: id.into(),
        kind,
        mutating: Mutating::No,
        params: BTreeMap::new(),
        guards: Vec::new(),
        hazard,
        timeout: minutes(10),
        expect: secs(expect),
        on_failure: OnFailure::Park,
        after: after.iter().map(StepId::new).collect(),
        retries: 0,
        retry_every: Duration::ZERO,
        only: Only::Always,
        lasting: crate::runbook::spec::Lasting::Nothing,
        conditions: Vec::new(),
        holes: Vec::new(),
    }
}

fn runbook(steps: Vec<StepSpec>) -> RunbookSpec {
    RunbookSpec {
        id: "failover".into(),
        title: "t".into(),
        kind: RunbookKind::Failover,
        apps: Vec::new(),
        strategies: Vec::new(),
        parameters: Vec::new(),
        offers: None,
        steps,
        digest: "d".into(),
        place: String::new(),
    }
}

#[test]
fn an_estimate_is_the_longest_way_and_what_only_verifies_is_counted_apart() {
    let runbook = runbook(vec![
        step("gone", "check", Hazard::None, 5, &[]),
        step("promote", "aurora.failover-global", Hazard::DataLoss, 40, &["gone"]),
        step("scale", "command", Hazard::Reversible, 90, &["gone"]),
        step("shift", "route53.shift", Hazard::Disruptive, 15, &["promote", "scale"]),
        step("served", "wait-for", Hazard::None, 60, &["shift"]),
    ]);
    let app = fx::app("payments");
    let declared = estimate::execution(&runbook, &app, &Past::new());
    assert_eq!((declared.critical_path, declared.verification), (secs(110), secs(60)));
    assert_eq!((declared.dns_ttl, declared.basis.as_str()), (app.timings.dns_ttl, "declared"));

    let seen = |n: u64| (1..=10).map(|i| secs(n * i)).collect::<Vec<_>>();
    let past: Past = [("scale".into(), seen(1))].into();
    let learned = estimate::execution(&runbook, &app, &past);
    // p90 of ten is the ninth; the promotion is the longer way now.
    assert_eq!(learned.critical_path, secs(60));
    assert!(learned.basis.contains("1 of 5 steps"), "{}", learned.basis);
    let few: Past = [("scale".into(), vec![secs(1); estimate::RUNS_MIN - 1])].into();
    assert_eq!(estimate::execution(&runbook, &app, &few).critical_path, secs(110), "too few runs to say");
}

#[test]
fn a_runbook_that_changes_no_dns_waits_for_no_time_to_live() {
    let runbook = runbook(vec![step("promote", "aurora.failover-global", Hazard::DataLoss, 40, &[])]);
    assert_eq!(estimate::execution(&runbook, &fx::app("payments"), &Past::new()).dns_ttl, Duration::ZERO);
}

#[test]
fn an_outage_that_lasts_has_used_up_its_part_of_the_target() {
    let mut plan = super::frozen(Hazard::Disruptive).plan.clone();
    let back = plan.estimate.from_declaration();
    let expected = plan.estimate.detection + plan.estimate.decision;
    plan.rto_target = Some(expected + back);
    assert_eq!((plan.before_declaration(), plan.missed_by(back)), (expected, None), "as long as none is seen");
    plan.outage_since = Some(plan.made_at - (expected + secs(90)));
    assert_eq!(plan.missed_by(back), Some(secs(90)));
    assert_eq!(plan.missed_by(back + secs(30)), Some(secs(120)), "its turn comes later");
    plan.rto_target = None;
    assert_eq!(plan.missed_by(back), None, "nothing to miss");
}
