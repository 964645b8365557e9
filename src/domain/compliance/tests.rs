//! What an app is judged to be, in whole worlds: one sentence of DESIGN section 5 each.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    Severity, Verdict, assess, exit_code,
    fixtures::{self as fx, World, minutes},
    order, severity,
};
use crate::domain::{
    ComponentId, Fact, Mode, RegionId, Slot, Snapshot, What,
    app::{Acceptance, DrillRecord, Param, Role},
    region::Side,
    resource::{Alarm, AlarmState, Identity},
};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn proven(world: &mut World) {
    world.execution = Some(fx::execution(minutes(9)));
    world.app.drills.push(DrillRecord {
        name: "drill 14".into(),
        at: fx::now() - Duration::from_hours(288),
        rto_achieved: Some(minutes(10)),
        rpo_achieved: None,
        runbook: None,
        findings_open: 0,
        next_due: None,
    });
}

fn skewed(world: &mut World, seconds: i64) {
    let identity = Identity {
        account: "1".into(),
        arn: "arn".into(),
        skew_seconds: Some(seconds),
        session: crate::domain::resource::Session::Unlimited,
    };
    world.snapshot.identities.insert(RegionId::new("ap-south-2"), fx::seen(identity, fx::now()));
}

fn code(world: &World) -> u8 {
    exit_code(&[assess(&world.question())])
}

#[test]
fn payments_is_met_sampled_when_all_is_well() {
    let mut world = World::payments();
    proven(&mut world);
    let assessment = assess(&world.question());
    assert_eq!(assessment.verdict, Verdict::Met { sampled: true }, "{assessment:#?}");
    assert_eq!(assessment.region_lost.exposure, Some(MS(800)));
    assert_eq!(assessment.region_lost.component, Some(ComponentId::new("payments-global")));
    assert_eq!(assessment.corrupted.exposure, Some(minutes(5)));
    assert_eq!((assessment.decide, assessment.reasons), (None, vec![]));
    assert_eq!(code(&world), 0);
}

#[test]
fn vendor_assistance_cannot_meet_its_rpo_by_design() {
    let world = World::hourly("vendor", Some(minutes(30)), minutes(92));
    let assessment = assess(&world.question());
    assert_eq!(assessment.verdict, Verdict::Breached { by: minutes(62) });
    assert_eq!(assessment.flags.design, Some(minutes(97)));
    assert!(!assessment.pages, "nobody is woken for what the design cannot do");
    assert!(assessment.reasons[0].contains("by design, worst 1 h 37 m"), "{:?}", assessment.reasons);
    assert_eq!(code(&world), 1);
    let lucky = World::hourly("vendor", Some(minutes(30)), minutes(20));
    let assessment = assess(&lucky.question());
    let Verdict::AtRisk { why, when } = &assessment.verdict else { panic!("{assessment:#?}") };
    assert!(why.contains("by design"), "{why}");
    assert_eq!(*when, Some(fx::now() + minutes(10)), "when the point grows older than the target");
}

#[test]
fn an_accepted_design_says_who_accepted_it() {
    let mut world = World::hourly("cross-sell", Some(minutes(60)), minutes(92));
    world.app.accepted = Some(Acceptance {
        owner: "head of lending".into(),
        until: fx::now() + Duration::from_hours(1752),
        reason: "cost".into(),
    });
    let reasons = assess(&world.question()).reasons;
    assert!(reasons[0].contains("accepted by head of lending to 1 Feb"), "{reasons:?}");
}

#[test]
fn customer_assistance_has_no_target() {
    let world = World::hourly("customer", None, minutes(92));
    let assessment = assess(&world.question());
    assert_eq!(assessment.verdict, Verdict::NoTarget);
    assert_eq!(assessment.region_lost.exposure, Some(minutes(92)), "the figure is shown all the same");
    assert_eq!(code(&world), 1);
}

#[test]
fn a_breach_that_the_design_could_have_avoided_pages() {
    let world = World::hourly("inventory", Some(minutes(240)), minutes(250));
    let assessment = assess(&world.question());
    assert!(assessment.pages);
    assert_eq!(code(&world), 2);
    assert_eq!(assessment.flags.contract, Some(minutes(10)));
}

#[test]
fn a_dead_observer_makes_the_app_unknown() {
    let mut world = World::payments();
    for (side, what) in [(Side::Recovery, What::Lag), (Side::Primary, What::Topology), (Side::Recovery, What::Topology)]
    {
        world.put_slot("payments-global", side, what, Slot::failed(fx::error()));
    }
    let assessment = assess(&world.question());
    let Verdict::Unknown { why, .. } = &assessment.verdict else { panic!("{assessment:#?}") };
    assert!(why.contains("access denied"), "{why}");
    assert_eq!(code(&world), 3);
}

#[test]
fn what_is_declared_but_not_observed_makes_the_app_unknown_when_it_is_mandatory() {
    let mut world = World::hourly("webank", Some(minutes(240)), minutes(40));
    let mut velero = fx::component("velero", None, &[]);
    velero.observed = false;
    world.app.components.push(velero);
    let assessment = assess(&world.question());
    let Verdict::Unknown { why, at_least, .. } = &assessment.verdict else { panic!("{assessment:#?}") };
    assert!(why.contains("not observed by this version"), "{why}");
    assert_eq!(*at_least, Some(minutes(40)), "from what is known");
    assert_eq!(assessment.region_lost.component, Some(ComponentId::new("velero")));

    world.app.components[1].mandatory = false;
    assert_eq!(assess(&world.question()).verdict, Verdict::Met { sampled: false });
    world.app.components[1].mandatory = true;
    world.app.components[1].role = Role::Run;
    assert_eq!(assess(&world.question()).verdict.severity(), Severity::Unknown, "of any role");
}

#[test]
fn a_proven_breach_stays_one_beside_an_unknown() {
    let mut world = World::hourly("webank", Some(minutes(240)), minutes(250));
    let mut velero = fx::component("velero", None, &[]);
    velero.observed = false;
    world.app.components.push(velero);
    assert_eq!(assess(&world.question()).verdict, Verdict::Breached { by: minutes(10) });
}

#[test]
fn the_worst_ratio_is_named_not_the_largest_figure() {
    let mut world = World::payments();
    world.app.backup = Some(fx::hourly());
    let mut files = fx::component("files", Some((Side::Recovery, What::RecoveryPoints)), &[]);
    files.rpo = Some(minutes(240));
    world.app.components.push(files);
    let points = fx::points(&[fx::now() - minutes(40)]);
    world.put("files", Side::Recovery, What::RecoveryPoints, Fact::RecoveryPoints(points));
    let assessment = assess(&world.question());
    assert_eq!(assessment.region_lost.component, Some(ComponentId::new("payments-global")), "0.8 s of 1 s");
    assert_eq!(assessment.verdict, Verdict::Met { sampled: true });
}

#[test]
fn a_clock_that_is_off_makes_every_verdict_unknown() {
    let mut world = World::hourly("vendor", Some(minutes(30)), minutes(92));
    skewed(&mut world, 30);
    assert_eq!(assess(&world.question()).verdict.severity(), Severity::Breached, "30 s is borne");
    skewed(&mut world, -31);
    let assessment = assess(&world.question());
    assert_eq!(assessment.verdict.severity(), Severity::Unknown);
    assert_eq!((assessment.region_lost.exposure, assessment.region_lost.at_least), (None, None));
    assert!(!assessment.pages);
}

#[test]
fn with_mumbai_down_the_loss_is_frozen_and_the_card_says_until_when_one_can_wait() {
    let mut world = World::payments();
    proven(&mut world);
    world.app.rto = Some(minutes(20));
    world.lag(Side::Recovery, &[0.8; 5], 600);
    world.region_down(Side::Primary, Duration::from_secs(510));
    let assessment = assess(&world.question());
    assert_eq!(assessment.verdict.severity(), Severity::Warning, "{assessment:#?}");
    let card = assessment.decide.expect("in trouble");
    assert_eq!(card.loss_at_most, Some(MS(90_800)));
    assert_eq!(card.back_at, Some(fx::now() + minutes(9) + Duration::from_secs(90)));
    let deadline = fx::now() - Duration::from_secs(510) + minutes(20);
    assert_eq!(card.last_moment, Some(deadline - minutes(9) - Duration::from_secs(90)));
    assert_eq!(
        card.lines.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "declare now: lose at most 1 m 31 s (08:51:59-08:53:30), back 09:12",
            "wait ten minutes: RTO missed",
            "last moment 09:03",
        ]
    );
}

#[test]
fn once_the_rto_can_no_longer_be_met_the_outage_is_a_breach_that_pages() {
    let mut world = World::payments();
    proven(&mut world);
    world.app.rto = Some(minutes(20));
    world.lag(Side::Recovery, &[0.8; 5], 1_300);
    world.region_down(Side::Primary, minutes(20));
    let assessment = assess(&world.question());
    assert_eq!(assessment.verdict.severity(), Severity::Breached, "{assessment:#?}");
    assert!(assessment.pages);
    assert!(assessment.reasons[0].contains("the RTO is missed"), "{:?}", assessment.reasons);
}

#[test]
fn after_a_failover_the_question_turns_round() {
    let mut world = World::payments();
    proven(&mut world);
    world.writer(Side::Recovery);
    world.lag(Side::Recovery, &[0.8; 5], 900);
    world.lag(Side::Primary, &[0.5; 5], 60);
    world.restorable(Side::Primary, 90);
    world.restorable(Side::Recovery, 4);
    let assessment = assess(&world.question());
    assert_eq!(assessment.region_lost.exposure, Some(MS(500)), "read in Mumbai, where the data arrives now");
    assert_eq!(assessment.corrupted.exposure, Some(minutes(4)), "the window of whoever writes");
    assert_eq!(assessment.verdict, Verdict::Met { sampled: true });
}

#[test]
fn after_a_failover_copies_are_asked_for_in_the_other_region_too() {
    let mut world = World::payments();
    world.writer(Side::Recovery);
    world.lag(Side::Primary, &[0.5; 5], 60);
    world.restorable(Side::Recovery, 4);
    let mut files = fx::component("files", Some((Side::Recovery, What::RecoveryPoints)), &[]);
    files.rpo = Some(minutes(240));
    world.app.components.push(files);
    for (side, age) in [(Side::Primary, 100), (Side::Recovery, 10)] {
        let points = fx::points(&[fx::now() - minutes(age)]);
        world.put("files", side, What::RecoveryPoints, Fact::RecoveryPoints(points));
    }
    let files = assess(&world.question()).components.remove(1).region_lost.expect("asked");
    assert_eq!(files.exposure, Some(minutes(100)), "what Mumbai holds, were Hyderabad lost");
}

#[test]
fn with_no_way_back_the_app_is_unprotected_since_the_failover() {
    let mut world = World::payments();
    world.writer(Side::Recovery);
    world.lag(Side::Recovery, &[0.8; 5], 900);
    for side in Side::BOTH {
        let id = crate::domain::FactId {
            app: world.app.id.clone(),
            component: ComponentId::new("payments-global"),
            region: world.region(side),
            what: What::Topology,
        };
        let slot = world.snapshot.facts.get_mut(&id).expect("put");
        let Some(Fact::Topology(cluster)) = slot.last.as_mut().map(|o| &mut o.value) else { panic!("topology") };
        cluster.members.retain(|member| member.writer);
    }
    let assessment = assess(&world.question());
    assert_eq!(assessment.verdict, Verdict::Breached { by: Duration::from_secs(899) });
    assert!(assessment.components[0].state.contains("unprotected since 08:47:00"), "{:?}", assessment.components);
    assert!(assessment.pages);
}

#[test]
fn with_the_other_region_down_the_writer_is_unprotected() {
    let mut world = World::payments();
    world.region_down(Side::Recovery, minutes(4));
    let assessment = assess(&world.question());
    assert_eq!(assessment.verdict, Verdict::Breached { by: Duration::from_secs(239) }, "{assessment:#?}");
    assert_eq!(assessment.decide.and_then(|card| card.last_moment), None, "no outage of the writer: no clock");
}

#[test]
fn with_both_regions_in_doubt_the_card_says_that_there_is_nowhere_to_go() {
    let mut world = World::payments();
    world.writer(Side::Recovery);
    world.region_down(Side::Primary, minutes(4));
    let card = assess(&world.question()).decide.expect("unprotected");
    assert_eq!(card.lines[0].as_str(), "nowhere to go: Mumbai is down, seen since 08:58:00");
    assert_eq!((card.loss_at_most, card.back_at), (None, None));
}

#[test]
fn an_outage_without_an_estimate_breaches_when_the_rto_has_run_out() {
    let mut world = World::payments();
    world.app.rto = Some(minutes(20));
    world.lag(Side::Recovery, &[0.8; 5], 1_300);
    world.region_down(Side::Primary, minutes(19));
    assert_eq!(assess(&world.question()).verdict.severity(), Severity::Warning);
    world.region_down(Side::Primary, minutes(21));
    assert_eq!(assess(&world.question()).verdict, Verdict::Breached { by: minutes(1) });
}

#[test]
fn a_top_tier_app_that_is_unknown_for_fifteen_minutes_is_critical() {
    let mut world = World::payments();
    proven(&mut world);
    world.lag(Side::Recovery, &[0.8; 5], 600);
    assert_eq!(code(&world), 3);
    world.lag(Side::Recovery, &[0.8; 5], 900);
    assert_eq!(code(&world), 2);
    world.app.tier = 2;
    assert_eq!(code(&world), 3);
}

#[test]
fn a_source_outside_aws_is_not_down_because_the_other_region_is() {
    let mut world = World::new("core-banking");
    world.app.rpo = Some(minutes(5));
    world.app.components = vec![fx::component("payments-global", Some((Side::Primary, What::Lag)), &[])];
    world.lag(Side::Primary, &[30.0; 5], 60);
    world.region_down(Side::Recovery, minutes(10));
    let assessment = assess(&world.question());
    assert_eq!(assessment.region_lost.verdict, Verdict::Met { sampled: false }, "{assessment:#?}");
}

#[test]
fn an_alarm_of_a_mandatory_component_puts_the_app_at_risk_by_name() {
    let mut world = World::payments();
    let mut alarm = fx::component("alb-alarm", None, &[]);
    alarm.role = Role::Edge;
    world.app.components.push(alarm);
    let read = |state| {
        Fact::Alarm(Alarm {
            name: "alb".into(),
            composite: false,
            state,
            reason: Some("5xx".into()),
            since: None,
            silent: false,
        })
    };
    world.put("alb-alarm", Side::Primary, What::Alarm, read(AlarmState::Alarm));
    let verdict = assess(&world.question()).verdict;
    assert_eq!(verdict, Verdict::AtRisk { why: "alb-alarm: 5xx".into(), when: None });
    world.put("alb-alarm", Side::Primary, What::Alarm, read(AlarmState::InsufficientData));
    assert_eq!(assess(&world.question()).verdict.severity(), Severity::Unknown);
    world.remove("alb-alarm", Side::Primary, What::Alarm);
    assert_eq!(assess(&world.question()).verdict.severity(), Severity::Unknown, "not read is not healthy");
}

#[test]
fn a_gauge_is_held_against_its_bounds() {
    let mut world = World::payments();
    let mut hosts = fx::component("hosts", None, &[]);
    hosts.params.0.insert("at_least".into(), Param::Number(3.0));
    world.app.components.push(hosts);
    let mut verdict = |values: &[f64], age: u64| {
        let newest = fx::now() - Duration::from_secs(age);
        world.put("hosts", Side::Primary, What::Gauge, Fact::Gauge(fx::series(values, newest)));
        assess(&world.question()).verdict.word()
    };
    assert_eq!(verdict(&[5.0], 60), "met");
    assert_eq!(verdict(&[2.0], 60), "at-risk");
    assert_eq!(verdict(&[], 60), "unknown");
    assert_eq!(verdict(&[5.0], 3_600), "unknown");
}

#[test]
fn an_rto_not_proven_warns_a_monitoring_system_and_leaves_the_rpo_verdict_alone() {
    let mut world = World::payments();
    world.execution = Some(fx::execution(minutes(9)));
    let assessment = assess(&world.question());
    assert_eq!(assessment.verdict, Verdict::Met { sampled: true });
    assert_eq!(severity(&assessment), Severity::Warning);
    assert_eq!(code(&world), 1);
}

#[test]
fn critical_comes_before_unknown_and_unknown_before_warning() {
    let mut ok = World::payments();
    proven(&mut ok);
    let warning = World::hourly("vendor", Some(minutes(30)), minutes(92));
    let critical = World::hourly("inventory", Some(minutes(240)), minutes(250));
    let mut unknown = World::payments();
    unknown.snapshot = Snapshot::empty(Mode::Live, fx::now());
    let [ok, warning, critical, unknown] = [&ok, &warning, &critical, &unknown].map(|w| assess(&w.question()));
    let code = |list: &[&super::Assessment]| exit_code(&list.iter().map(|a| (*a).clone()).collect::<Vec<_>>());
    assert_eq!(code(&[&ok]), 0);
    assert_eq!(code(&[&ok, &warning]), 1);
    assert_eq!(code(&[&ok, &warning, &unknown]), 3);
    assert_eq!(code(&[&unknown, &critical, &warning]), 2);
    assert_eq!(code(&[]), 3, "an estate of nothing is not ok");
}

#[test]
fn worst_first_then_tier_then_ratio() {
    let mut worlds = [
        World::hourly("met", Some(minutes(240)), minutes(40)),
        World::hourly("breach-small", Some(minutes(60)), minutes(70)),
        World::hourly("breach-large", Some(minutes(30)), minutes(92)),
        World::hourly("breach-tier-1", Some(minutes(60)), minutes(65)),
        World::hourly("no-target", None, minutes(92)),
        World::hourly("unknown", Some(minutes(60)), minutes(5)),
    ];
    worlds[3].app.tier = 1;
    worlds[5].snapshot = Snapshot::empty(Mode::Live, fx::now());
    let mut estate = worlds[0].estate.clone();
    estate.apps = worlds.iter().map(|world| world.app.clone()).collect();
    let assessments: Vec<_> = worlds.iter().map(|world| assess(&world.question())).collect();
    let names: Vec<&str> = order(&estate, &assessments).iter().map(|n| assessments[*n].app.as_str()).collect();
    // `met` has no proven RTO: a warning like `no-target`, with the larger ratio.
    assert_eq!(names, ["breach-tier-1", "breach-large", "breach-small", "unknown", "met", "no-target"]);
}

proptest! {
    #[test]
    fn missing_facts_are_never_met(
        drop_lag in any::<bool>(), drop_topology in any::<bool>(), drop_window in any::<bool>(), fail in any::<bool>(),
    ) {
        prop_assume!(drop_lag || drop_window);
        let mut world = World::payments();
        let drop = |world: &mut World, side, what| {
            if fail {
                world.put_slot("payments-global", side, what, Slot::failed(fx::error()));
            } else {
                world.remove("payments-global", side, what);
            }
        };
        if drop_lag { drop(&mut world, Side::Recovery, What::Lag); }
        if drop_window { drop(&mut world, Side::Primary, What::Restorable); }
        if drop_topology { for side in Side::BOTH { drop(&mut world, side, What::Topology); } }
        prop_assert_eq!(assess(&world.question()).verdict.severity(), Severity::Unknown);
    }

    #[test]
    fn time_that_passes_without_news_never_makes_an_app_met(age in 0..2_000_u64, later in 0..5_000_u64) {
        let mut world = World::hourly("a", Some(minutes(240)), Duration::from_secs(age));
        let before = assess(&world.question()).verdict;
        world.now = world.now + Duration::from_secs(later);
        let after = assess(&world.question()).verdict;
        if later > 120 {
            prop_assert_eq!(after.severity(), Severity::Unknown, "the facts are past their budget");
        }
        prop_assert!(after.severity() <= before.severity());
    }
}
