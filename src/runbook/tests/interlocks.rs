//! Tables of interlocks: what stands in the way of a whole run, when it is planned and when it acts.

use std::time::Duration;

use super::world::{calls_in, facts, freeze, identity, reach};
use crate::{
    domain::{
        App, AppId, CallDescription, Mode, Side, Timestamp,
        app::Residency,
        compliance::fixtures::{self as fx, World, minutes},
        resource::{Identity, Session},
        snapshot::Reach,
    },
    runbook::{
        interlock::{self, Authority, Circumstances, Operators, Redirected, Stage},
        signal::Facts,
        spec::RunbookKind,
    },
};

/// Both Regions answer, the account is right, the clock too.
fn in_order() -> World {
    let mut world = World::payments();
    world.estate.residency =
        Residency { data: vec!["ap-south-1".into(), "ap-south-2".into()], control_planes: vec!["us-east-1".into()] };
    for side in Side::BOTH {
        reach(&mut world, side, Reach::Reachable);
        identity(&mut world, side, "111122223333", Some(0), Session::Unlimited);
    }
    world
}

fn codes(
    world: &World,
    kind: RunbookKind,
    stage: Stage,
    operators: Operators,
    calls: &[&CallDescription],
) -> Vec<String> {
    codes_after(world, kind, stage, operators, calls, None)
}

fn codes_after(
    world: &World,
    kind: RunbookKind,
    stage: Stage,
    operators: Operators,
    calls: &[&CallDescription],
    last_run_ended: Option<Timestamp>,
) -> Vec<String> {
    let facts = Facts { last_run_ended, ..facts(world, &[]) };
    let about = Circumstances {
        facts: &facts,
        authority: Authority { operators, redirected: Redirected::Refused },
        kind,
        stage,
        target: Side::Recovery,
        calls,
        busy: None,
        now: world.now,
    };
    interlock::interlocks(&about).into_iter().map(|found| found.code).collect()
}

const START: Stage = Stage::Start { takes: Duration::from_mins(30) };

#[test]
fn every_interlock_is_found_and_all_at_once() {
    let call = calls_in("ap-south-2");
    let found = |world: &World, operators| codes(world, RunbookKind::Switchover, START, operators, &[&call]);
    assert!(found(&in_order(), Operators::Single).is_empty());
    let mut world = in_order();
    assert_eq!(found(&world, Operators::NotStated), ["single-operator"]);
    world.snapshot.endpoint_overrides.push(("AWS_ENDPOINT_URL".into(), "http://localhost".into()));
    identity(&mut world, Side::Recovery, "999988887777", Some(-31), Session::Until(fx::now() + minutes(29)));
    world.estate.freezes.push(freeze(world.now, "switchover"));
    reach(&mut world, Side::Recovery, Reach::OwnNetwork);
    let all = [
        "account-mismatch",
        "endpoint-overridden",
        "single-operator",
        "clock-skew",
        "freeze",
        "session-ends",
        "own-network",
    ];
    assert_eq!(found(&world, Operators::NotStated), all);
    world.snapshot.mode = Mode::Simulated { speed: 1.0 };
    assert!(!found(&world, Operators::NotStated).contains(&"single-operator".to_owned()), "nobody is there to cross");
}

#[test]
fn what_a_planned_move_waits_for_never_holds_back_a_failover_nor_a_run_that_is_under_way() {
    let mut world = in_order();
    world.app.not_again_within = Some(minutes(60));
    for kind in ["failover", "switchover", "failback", "re-protect", "drill-only"] {
        world.estate.freezes.push(freeze(world.now, kind));
    }
    identity(&mut world, Side::Recovery, "111122223333", Some(0), Session::Until(fx::now() + minutes(5)));
    let ended = Some(world.now - minutes(10));
    let found = |kind, stage| codes_after(&world, kind, stage, Operators::Single, &[], ended);
    for kind in RunbookKind::ALL {
        let wanted: &[&str] =
            if kind == RunbookKind::Failover { &[] } else { &["freeze", "not-again", "session-ends"] };
        assert_eq!(found(kind, START), wanted, "{kind:?}");
        assert!(found(kind, Stage::Underway).is_empty(), "{kind:?}");
    }
}

#[test]
fn a_dark_region_takes_neither_its_identity_nor_its_skew_into_the_decision() {
    let mut world = in_order();
    world.region_down(Side::Primary, minutes(5));
    let call = calls_in("ap-south-1");
    let mut slot = fx::seen(
        Identity { account: "1".into(), arn: "arn".into(), skew_seconds: Some(400), session: Session::Unlimited },
        world.now - minutes(30),
    );
    slot.failure = Some(fx::error());
    world.snapshot.identities.insert(world.region(Side::Primary), slot);
    assert!(codes(&world, RunbookKind::Failover, START, Operators::Single, &[&call]).is_empty());
    world.region_down(Side::Recovery, minutes(5));
    let found = codes(&world, RunbookKind::Failover, START, Operators::Single, &[&call]);
    assert!(found.contains(&"target-down".to_owned()), "{found:?}");
}

#[test]
fn a_call_outside_the_residency_rule_is_refused_when_planned_and_again_when_sent() {
    let world = in_order();
    let call = calls_in("eu-west-1");
    assert!(codes(&world, RunbookKind::Failover, START, Operators::Single, &[&call]).contains(&"residency".to_owned()));
    let refused = interlock::caller(&facts(&world, &[]), &call, Side::Recovery, world.now).expect("refused");
    assert_eq!(refused.code, "residency");
    assert_eq!(interlock::caller(&facts(&world, &[]), &calls_in("us-east-1"), Side::Recovery, world.now), None);
}

#[test]
fn an_app_is_crossed_by_what_it_stands_on_and_by_what_stands_on_it_but_not_by_its_siblings() {
    let mut estate = World::new("x").estate;
    let app = |id: &str, on: &[&str]| App { depends_on: on.iter().map(AppId::new).collect(), ..fx::app(id) };
    estate.apps = vec![
        app("ledger", &[]),
        app("core", &["ledger"]),
        app("cards", &["core"]),
        app("loans", &["core"]),
        app("lab", &[]),
    ];
    let crossed = |id: &str| -> Vec<String> {
        interlock::crossing(&estate, &id.into()).into_iter().map(|app| app.to_string()).collect()
    };
    assert_eq!(crossed("cards"), ["cards", "core", "ledger"]);
    assert_eq!(crossed("ledger"), ["cards", "core", "ledger", "loans"]);
    assert_eq!(crossed("lab"), ["lab"]);
}
