//! Tables of single guards, interlocks, estimates and somebody else's hand.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{
    estimate::{self, Past},
    foreign::{foreign_hand, stood},
    guards::{evaluate, evaluate_all, rounded_up, worse},
    interlock::{self, Authority, Circumstances, Operators, Redirected, Stage},
    plan::{GuardReading, Holds, Override},
    signal::Facts,
    spec::{Guard, GuardSpec, Mutating, OnFailure, Only, Parity, RunbookKind, RunbookSpec, Signal, StepSpec},
};
use crate::domain::{
    App, AppId, CallDescription, ComponentId, Fact, FactId, Hazard, Mode, RegionId, Side, Slot, StepId, Timestamp,
    What,
    app::{Param, Residency},
    compliance::fixtures::{self as fx, World, minutes},
    freeze::{Freeze, Scope, When},
    resource::{DbInstance, Identity, PointStatus, RecordSet, Routing, Session},
    snapshot::{Reach, RegionHealth},
    time::Weekday,
};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn holds(world: &World, guard: Guard) -> Holds {
    read(world, guard, &[]).holds
}

fn read(world: &World, guard: Guard, attested: &[StepId]) -> GuardReading {
    let spec = GuardSpec { guard, overridable: true };
    let component = world.app.components.first().map(|component| component.id.clone());
    evaluate(&spec, component.as_ref(), &facts(world, attested), world.now)
}

fn facts<'a>(world: &'a World, attested: &'a [StepId]) -> Facts<'a> {
    Facts { estate: &world.estate, app: &world.app, snapshot: &world.snapshot, last_run_ended: None, attested }
}

fn lag(limit: Duration) -> Guard {
    Guard::LagAtMost { component: Some("payments-global".into()), limit, in_outage_last_sample: true }
}

fn metric(world: &mut World, id: &str, side: Side, at_least: f64, value: Option<(f64, u64)>) {
    let mut component = fx::component(id, None, &[]);
    component.kind = "metric";
    component.params.0.insert("side".into(), Param::Side(side));
    component.params.0.insert("at_least".into(), Param::Number(at_least));
    world.app.components.push(component);
    if let Some((value, age)) = value {
        world.put(id, side, What::Gauge, Fact::Gauge(fx::series(&[value], world.now - secs(age))));
    }
}

fn records(world: &mut World, mumbai: u8, hyderabad: u8) {
    if world.app.component(&ComponentId::new("api-name")).is_none() {
        let mut component = fx::component("api-name", None, &[]);
        component.kind = "route53-record";
        let sides = Param::Sides { primary: Some("mumbai".into()), recovery: Some("hyderabad".into()) };
        component.params.0.insert("sides".into(), sides);
        world.app.components.push(component);
    }
    let set = |id: &str, weight| RecordSet {
        name: "origin.pay.bank.example".into(),
        kind: "A".into(),
        set_identifier: Some(id.into()),
        routing: Routing::Weighted { weight },
        ttl: Some(secs(30)),
        values: vec!["192.0.2.1".into()],
        alias: None,
        health_check: None,
    };
    let sets = vec![set("mumbai", mumbai), set("hyderabad", hyderabad)];
    let id = FactId {
        app: world.app.id.clone(),
        component: ComponentId::new("api-name"),
        region: RegionId::new("us-east-1"),
        what: What::Record,
    };
    world.snapshot.facts.insert(id, fx::seen(Fact::Record(sets), world.now));
}

fn reach(world: &mut World, side: Side, reach: Reach) {
    let health = RegionHealth { reach, vantages: Vec::new(), since: world.now, cycles_unreachable: 0 };
    world.snapshot.regions.insert(world.region(side), health);
}

fn identity(world: &mut World, side: Side, account: &str, skew: Option<i64>, session: Session) {
    let identity = Identity { account: account.into(), arn: "arn".into(), skew_seconds: skew, session };
    world.snapshot.identities.insert(world.region(side), fx::seen(identity, world.now));
}

#[test]
fn lag_is_judged_by_its_sample_and_in_an_outage_by_the_last_one_before_the_gap() {
    let mut world = World::payments();
    assert_eq!(holds(&world, lag(secs(1))), Holds::Yes);
    assert_eq!(holds(&world, lag(Duration::from_millis(700))), Holds::No);
    world.lag(Side::Recovery, &[-1.0], 58);
    assert_eq!(holds(&world, lag(secs(5))), Holds::No, "-1 is not replicating, not a lag");
    world.lag(Side::Recovery, &[0.8], 900);
    assert_eq!(holds(&world, lag(secs(5))), Holds::Unknown, "old, and the source answers");
    world.region_down(Side::Primary, minutes(15));
    let reading = read(&world, lag(secs(5)), &[]);
    assert_eq!(reading.holds, Holds::Yes);
    assert!(reading.present.contains("last sample before the gap"), "{}", reading.present);
    let strict = Guard::LagAtMost { component: None, limit: secs(5), in_outage_last_sample: false };
    assert_eq!(holds(&world, strict), Holds::Unknown, "a planned move takes no old sample");
    world.remove("payments-global", Side::Recovery, What::Lag);
    assert_eq!(holds(&world, lag(secs(5))), Holds::Unknown);
}

#[test]
fn capacity_is_the_lowest_declared_share_and_what_nobody_measures_is_unknown() {
    let ready = || Guard::ReadyFor { percent: 100, side: Side::Recovery };
    let mut world = World::payments();
    assert_eq!(holds(&world, ready()), Holds::Unknown, "nothing declared");
    metric(&mut world, "web", Side::Recovery, 5.0, Some((5.0, 60)));
    assert_eq!(holds(&world, ready()), Holds::Yes);
    metric(&mut world, "workers", Side::Recovery, 4.0, Some((2.0, 60)));
    let reading = read(&world, ready(), &[]);
    assert_eq!((reading.holds, reading.figure), (Holds::No, Some(50)));
    metric(&mut world, "queue", Side::Recovery, 4.0, None);
    assert_eq!(holds(&world, ready()), Holds::Unknown, "one of them was never read");
    metric(&mut world, "other-side", Side::Primary, 4.0, Some((0.0, 60)));
    assert_eq!(holds(&world, Guard::ReadyFor { percent: 100, side: Side::Primary }), Holds::No);
}

#[test]
fn a_fence_has_three_grades_and_a_writer_that_answers_is_none() {
    let fenced = || Guard::Fenced { side: Side::Primary };
    let text = |world: &World| read(world, fenced(), &[]).present.to_string();

    let mut proven = World::payments();
    proven.writer(Side::Recovery);
    assert_eq!(holds(&proven, fenced()), Holds::Yes);
    assert!(text(&proven).starts_with("proven"), "{}", text(&proven));

    let mut cut = World::payments();
    records(&mut cut, 0, 100);
    assert_eq!(holds(&cut, fenced()), Holds::Yes);
    assert!(text(&cut).starts_with("traffic cut"), "{}", text(&cut));
    records(&mut cut, 0, 0);
    assert_ne!(holds(&cut, fenced()), Holds::Yes, "weight 0 on all records: all are answered");

    let mut dark = World::payments();
    records(&mut dark, 100, 0);
    dark.region_down(Side::Primary, minutes(5));
    assert_eq!(holds(&dark, fenced()), Holds::Unknown);
    assert!(text(&dark).starts_with("unprovable"), "{}", text(&dark));

    let mut writes = World::payments();
    reach(&mut writes, Side::Primary, Reach::Reachable);
    assert_eq!(holds(&writes, fenced()), Holds::No);

    let mut stopped = World::payments();
    let mut instance = DbInstance {
        id: "vendor-db".into(),
        arn: "arn".into(),
        status: "stopped".into(),
        engine: "postgres".into(),
        multi_az: false,
        latest_restorable: None,
        backup_retention_days: 7,
        replica_of: None,
        replicas: Vec::new(),
        replication: None,
        cluster: None,
        created: None,
        encrypted: true,
        protected: true,
        tags: std::collections::BTreeMap::new(),
    };
    stopped.put("payments-global", Side::Primary, What::Instance, Fact::Instance(instance.clone()));
    assert_eq!(holds(&stopped, fenced()), Holds::Yes);
    instance.status = "stopping".into();
    stopped.put("payments-global", Side::Primary, What::Instance, Fact::Instance(instance));
    assert_ne!(holds(&stopped, fenced()), Holds::Yes, "on its way is not there");
}

#[test]
fn a_recovery_point_counts_by_its_data_time_and_only_while_it_can_be_restored_there() {
    let point =
        |limit| Guard::Holds(Signal::RecoveryPoint { component: "db".into(), newer_than: limit, side: Side::Recovery });
    let mut world = World::hourly("vendor", Some(minutes(30)), minutes(92));
    assert_eq!(holds(&world, point(minutes(120))), Holds::Yes);
    // Completed 25 minutes after its data time: that is not when the data is from.
    assert_eq!(holds(&world, point(minutes(80))), Holds::No);
    let mut set = fx::points(&[world.now - minutes(10)]);
    set.points[0].status = PointStatus::Creating;
    world.put("db", Side::Recovery, What::RecoveryPoints, Fact::RecoveryPoints(set.clone()));
    assert_eq!(holds(&world, point(minutes(120))), Holds::No, "still being made");
    set.points[0].status = PointStatus::Completed;
    set.points[0].delete_at = Some(world.now - minutes(1));
    world.put("db", Side::Recovery, What::RecoveryPoints, Fact::RecoveryPoints(set.clone()));
    assert_eq!(holds(&world, point(minutes(120))), Holds::No, "deleted by its own life cycle");
    set.points[0].delete_at = None;
    set.usable = false;
    world.put("db", Side::Recovery, What::RecoveryPoints, Fact::RecoveryPoints(set.clone()));
    assert_eq!(holds(&world, point(minutes(120))), Holds::Unknown, "the key or the vault cannot be used");
    set.usable = true;
    let old = |set| fx::seen(Fact::RecoveryPoints(set), fx::now() - minutes(30));
    world.put_slot("db", Side::Recovery, What::RecoveryPoints, old(set.clone()));
    assert_eq!(holds(&world, point(minutes(120))), Holds::Yes, "an old list still proves what it shows");
    assert_eq!(holds(&world, point(minutes(5))), Holds::Unknown, "there may be newer ones than an old list shows");
    world.put_slot("db", Side::Recovery, What::RecoveryPoints, Slot::failed(fx::error()));
    assert_eq!(holds(&world, point(minutes(120))), Holds::Unknown);
}

#[test]
fn a_verdict_is_one_of_the_words_and_unknown_is_none_of_them_unless_named() {
    let verdict = |component: Option<&str>, is: &[&str]| {
        let is = is.iter().map(|word| (*word).to_owned()).collect();
        Guard::Holds(Signal::Verdict { component: component.map(str::to_owned), is })
    };
    let mut world = World::payments();
    assert_eq!(holds(&world, verdict(None, &["met"])), Holds::Yes);
    assert_eq!(holds(&world, verdict(None, &["breached"])), Holds::No);
    assert_eq!(holds(&world, verdict(Some("payments-global"), &["met", "at-risk"])), Holds::Yes);
    assert_eq!(holds(&world, verdict(Some("nowhere"), &["met"])), Holds::Unknown);
    world.put_slot("payments-global", Side::Recovery, What::Lag, Slot::failed(fx::error()));
    assert_eq!(holds(&world, verdict(None, &["met"])), Holds::Unknown);
    assert_eq!(holds(&world, verdict(None, &["met", "unknown"])), Holds::Yes);
}

#[test]
fn parity_is_a_metric_that_counts_differences_or_a_persons_word_and_never_silence() {
    let guard = |component: &str| Guard::Parity {
        of: Parity::Images,
        component: component.into(),
        attested: Some("window".into()),
    };
    let mut world = World::payments();
    world.app.components.push(fx::component("images", None, &[]));
    assert_eq!(holds(&world, guard("images")), Holds::Unknown);
    let word = [StepId::new("window")];
    assert_eq!(read(&world, guard("images"), &word).holds, Holds::Yes);
    assert!(read(&world, guard("images"), &word).present.contains("not observed"));
    assert_eq!(read(&world, guard("images"), &[StepId::new("other")]).holds, Holds::Unknown);
    metric(&mut world, "differences", Side::Recovery, 0.0, Some((2.0, 60)));
    assert_eq!(read(&world, guard("differences"), &word).holds, Holds::No, "nobody's word stands against a figure");
    world.put("differences", Side::Recovery, What::Gauge, Fact::Gauge(fx::series(&[0.0], world.now - secs(60))));
    assert_eq!(holds(&world, guard("differences")), Holds::Yes);
}

#[test]
fn nothing_but_a_word_says_where_the_console_runs() {
    let guard = |attested: Option<&str>| Guard::NotInside { side: Side::Primary, attested: attested.map(StepId::new) };
    let world = World::payments();
    assert_eq!(read(&world, guard(None), &[StepId::new("ready")]).holds, Holds::Unknown);
    assert_eq!(read(&world, guard(Some("ready")), &[]).holds, Holds::Unknown);
    assert_eq!(read(&world, guard(Some("ready")), &[StepId::new("ready")]).holds, Holds::Yes);
}

#[test]
fn a_session_that_does_not_say_when_it_ends_is_unknown_and_keys_without_end_outlive_everything() {
    let guard = || Guard::CredentialsOutlive { side: Side::Recovery, limit: minutes(60) };
    let mut world = World::payments();
    assert_eq!(holds(&world, guard()), Holds::Unknown);
    let rows = [
        (Session::Unlimited, Holds::Yes),
        (Session::Unknown, Holds::Unknown),
        (Session::Until(world.now + minutes(61)), Holds::Yes),
        (Session::Until(world.now + minutes(59)), Holds::No),
        (Session::Until(world.now - minutes(1)), Holds::No),
    ];
    for (session, wanted) in rows {
        identity(&mut world, Side::Recovery, "111122223333", Some(0), session);
        assert_eq!(holds(&world, guard()), wanted, "{session:?}");
    }
}

#[test]
fn the_longest_time_to_live_counts() {
    let guard = |limit| Guard::TtlAtMost { component: "api-name".into(), limit };
    let mut world = World::payments();
    assert_eq!(holds(&world, guard(secs(60))), Holds::Unknown, "never read");
    records(&mut world, 100, 0);
    assert_eq!(holds(&world, guard(secs(30))), Holds::Yes);
    assert_eq!(holds(&world, guard(secs(29))), Holds::No);
}

#[test]
fn a_window_is_open_from_its_hour_for_as_long_as_it_lasts_and_a_freeze_closes_it() {
    // The world's now is Friday 20 November 2026, 09:02 UTC.
    let window =
        |day, from_hours: u64, lasts| Guard::InWindow { day, from: secs(from_hours * 3_600), lasts: minutes(lasts) };
    let mut world = World::payments();
    let rows = [
        (window(Some(Weekday::Friday), 9, 60), Holds::Yes),
        (window(Some(Weekday::Friday), 9, 1), Holds::No),
        (window(Some(Weekday::Thursday), 22, 12 * 60), Holds::Yes),
        (window(Some(Weekday::Saturday), 9, 60), Holds::No),
        (window(None, 8, 90), Holds::Yes),
        (window(None, 22, 60), Holds::No),
    ];
    for (guard, wanted) in rows {
        assert_eq!(holds(&world, guard.clone()), wanted, "{guard:?}");
    }
    assert_eq!(holds(&world, Guard::NoFreeze), Holds::Yes);
    world.estate.freezes.push(freeze(world.now, "switchover"));
    assert_eq!(holds(&world, Guard::NoFreeze), Holds::No);
    world.now = world.now + minutes(61);
    assert_eq!(holds(&world, Guard::NoFreeze), Holds::Yes);
}

fn freeze(from: Timestamp, kind: &str) -> Freeze {
    Freeze {
        name: "settlement".into(),
        when: When::Once { from, to: from + minutes(60) },
        scope: Scope::All,
        kinds: vec![kind.to_owned()],
    }
}

#[test]
fn a_quorum_is_no_only_when_it_cannot_be_reached_any_more() {
    let yes = || Signal::WriterIn { component: "payments-global".into(), side: Side::Primary };
    let no = || Signal::WriterIn { component: "payments-global".into(), side: Side::Recovery };
    let unknown = || Signal::Reachable { side: Side::Primary };
    let quorum = |need, of| Guard::Holds(Signal::Quorum { need, of });
    let world = World::payments();
    assert_eq!(holds(&world, quorum(2, vec![yes(), yes(), unknown()])), Holds::Yes);
    assert_eq!(holds(&world, quorum(2, vec![yes(), unknown(), no()])), Holds::Unknown);
    assert_eq!(holds(&world, quorum(2, vec![yes(), no(), no()])), Holds::No);
}

#[test]
fn an_override_stands_only_where_the_runbook_allows_one() {
    let world = World::payments();
    let given = vec![(0, Override { reason: "r".into(), authoriser: "a".into(), at: world.now })];
    let of = |overridable| {
        let specs = [GuardSpec { guard: Guard::Fenced { side: Side::Primary }, overridable }];
        let component = ComponentId::new("payments-global");
        evaluate_all(&specs, Some(&component), &facts(&world, &[]), &given, world.now)[0].blocks()
    };
    assert!(!of(true));
    assert!(of(false));
}

fn calls_in(region: &str) -> CallDescription {
    CallDescription {
        service: "rds".into(),
        operation: "SwitchoverGlobalCluster".into(),
        region: region.into(),
        params: Vec::new(),
        hazard: Hazard::Disruptive,
        iam_actions: Vec::new(),
    }
}

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

fn sent(service: &str, params: &[(&str, &str)]) -> CallDescription {
    CallDescription {
        service: service.into(),
        params: params.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect(),
        ..calls_in("ap-south-2")
    }
}

fn moved() -> CallDescription {
    let arn = "arn:aws:rds:ap-south-2:111122223333:cluster:payments";
    sent("rds", &[("GlobalClusterIdentifier", "payments-global"), ("TargetDbClusterIdentifier", arn)])
}

fn with_cluster_id(mut world: World) -> World {
    world.app.components[0].params.0.insert("global_cluster".into(), Param::Text("payments-global".into()));
    world
}

#[test]
fn a_writer_that_moved_is_somebody_elses_hand_unless_a_call_of_ours_asked_for_it() {
    let mut world = with_cluster_id(World::payments());
    let since = stood(&facts(&world, &[]), world.now);
    assert!(foreign_hand(&facts(&world, &[]), &since, &[], world.now).is_empty());
    world.writer(Side::Recovery);
    let found = foreign_hand(&facts(&world, &[]), &since, &[], world.now);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].as_str(), "payments-global: writer was ap-south-1, is ap-south-2");
    assert!(foreign_hand(&facts(&world, &[]), &since, &[moved()], world.now).is_empty());

    // And back again: our call asked for the other Region.
    let since = stood(&facts(&world, &[]), world.now);
    world.writer(Side::Primary);
    assert_eq!(foreign_hand(&facts(&world, &[]), &since, &[moved()], world.now).len(), 1);
}

#[test]
fn weights_that_changed_are_ours_only_as_we_sent_them() {
    let mut world = World::payments();
    records(&mut world, 100, 0);
    let since = stood(&facts(&world, &[]), world.now);
    let ours = sent(
        "route53",
        &[
            ("UPSERT", "origin.pay.bank.example A mumbai weight 0 ttl 30 s -> 192.0.2.1"),
            ("UPSERT", "origin.pay.bank.example A hyderabad weight 100 ttl 30 s -> 192.0.2.1"),
        ],
    );
    records(&mut world, 0, 100);
    assert_eq!(foreign_hand(&facts(&world, &[]), &since, &[], world.now).len(), 2);
    assert!(foreign_hand(&facts(&world, &[]), &since, std::slice::from_ref(&ours), world.now).is_empty());
    records(&mut world, 10, 100);
    let found = foreign_hand(&facts(&world, &[]), &since, &[ours], world.now);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("weight 10"), "{found:?}");
}

#[test]
fn an_operation_that_nobody_here_began_is_a_hand_and_a_region_that_went_dark_is_none() {
    let mut world = with_cluster_id(World::payments());
    let since = stood(&facts(&world, &[]), world.now);
    for side in Side::BOTH {
        world.put_slot("payments-global", side, What::Topology, Slot::failed(fx::error()));
    }
    assert!(foreign_hand(&facts(&world, &[]), &since, &[], world.now).is_empty());
    let mut world = with_cluster_id(World::payments());
    let key = world.snapshot.facts.iter().find(|(id, _)| id.what == What::Topology).map(|(id, _)| id.clone());
    let Some(Fact::Topology(mut cluster)) =
        key.and_then(|key| world.snapshot.facts[&key].last.clone()).map(|seen| seen.value)
    else {
        panic!("a topology")
    };
    cluster.failover = Some(crate::domain::resource::GlobalFailover {
        status: "switching-over".into(),
        from: None,
        to: None,
        data_loss_allowed: false,
    });
    world.put("payments-global", Side::Recovery, What::Topology, Fact::Topology(cluster.clone()));
    world.put("payments-global", Side::Primary, What::Topology, Fact::Topology(cluster));
    let found = foreign_hand(&facts(&world, &[]), &since, &[], world.now);
    assert!(found.iter().any(|line| line.contains("operation under way was none, is switching-over")), "{found:?}");
}

fn any_guard() -> impl Strategy<Value = Guard> {
    prop_oneof![
        Just(lag(secs(5))),
        Just(Guard::ReadyFor { percent: 100, side: Side::Recovery }),
        Just(Guard::Fenced { side: Side::Primary }),
        Just(Guard::TtlAtMost { component: "n".into(), limit: secs(60) }),
        Just(Guard::Holds(Signal::Quorum { need: 2, of: Vec::new() })),
        Just(Guard::NoFreeze),
    ]
}

/// Whether more of the guard's figure is worse; none: the figure says nothing.
const fn more_is_worse(guard: &Guard) -> Option<bool> {
    match guard {
        Guard::LagAtMost { .. } | Guard::TtlAtMost { .. } => Some(true),
        Guard::ReadyFor { .. } | Guard::Holds(_) => Some(false),
        _ => None,
    }
}

fn any_reading() -> impl Strategy<Value = GuardReading> {
    let holds = prop_oneof![Just(Holds::Yes), Just(Holds::No), Just(Holds::Unknown)];
    (holds, 0_u64..200_000).prop_map(|(holds, figure)| GuardReading {
        text: "".into(),
        present: "".into(),
        data_time: None,
        holds,
        overridable: true,
        overridden: None,
        made_true_by: None,
        figure: Some(figure),
    })
}

const fn badness(holds: Holds) -> u8 {
    match holds {
        Holds::Yes => 0,
        Holds::Unknown => 1,
        Holds::No => 2,
    }
}

proptest! {
    #[test]
    fn what_is_worse_stays_worse_when_it_gets_worse_still(
        guard in any_guard(),
        confirmed in any_reading(),
        then in any_reading(),
        later in any_reading(),
    ) {
        let figures = match more_is_worse(&guard) {
            Some(true) => later.figure >= then.figure,
            Some(false) => later.figure <= then.figure,
            None => true,
        };
        prop_assume!(badness(later.holds) >= badness(then.holds) && figures);
        prop_assert!(!worse(&guard, &confirmed, &then) || worse(&guard, &confirmed, &later));
    }

    #[test]
    fn what_holds_is_never_worse_and_nothing_is_worse_than_itself(guard in any_guard(), a in any_reading(), b in any_reading()) {
        prop_assert!(!worse(&guard, &a, &a));
        prop_assert!(b.holds != Holds::Yes || !worse(&guard, &a, &b));
    }

    #[test]
    fn a_rung_is_never_below_its_bound_and_never_falls_as_the_bound_grows(a in 0_u64..1_000_000, b in 0_u64..1_000_000) {
        prop_assert!(rounded_up(secs(a)) >= secs(a));
        prop_assert!(a > b || rounded_up(secs(a)) <= rounded_up(secs(b)));
    }

    #[test]
    fn a_confirmation_given_for_any_lag_is_void_once_the_lag_leaves_its_rung(confirmed in 5_001_u64..100_000_000, now in 5_001_u64..100_000_000) {
        let reading = |figure| GuardReading {
            text: "".into(),
            present: "".into(),
            data_time: None,
            holds: Holds::No,
            overridable: true,
            overridden: None,
            made_true_by: None,
            figure: Some(figure),
        };
        let (was, is) = (Duration::from_millis(confirmed), Duration::from_millis(now));
        prop_assert_eq!(worse(&lag(secs(5)), &reading(confirmed), &reading(now)), is > rounded_up(was));
    }
}

#[test]
fn a_figure_that_was_accepted_and_is_gone_voids_what_was_said() {
    let reading = |holds, figure| GuardReading {
        text: "".into(),
        present: "".into(),
        data_time: None,
        holds,
        overridable: true,
        overridden: None,
        made_true_by: None,
        figure,
    };
    assert!(worse(&lag(secs(5)), &reading(Holds::No, Some(6_000)), &reading(Holds::Unknown, None)));
}
