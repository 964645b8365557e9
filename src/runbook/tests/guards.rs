//! Tables of single guards: what each makes of the facts, and of facts that are not there.

use std::time::Duration;

use super::world::{facts, freeze, identity, lag, reach, records, secs};
use crate::{
    domain::{
        ComponentId, Fact, Side, Slot, StepId, What,
        app::Param,
        compliance::fixtures::{self as fx, World, minutes},
        resource::{DbInstance, PointStatus, Session},
        snapshot::Reach,
        time::Weekday,
    },
    runbook::{
        guards::{evaluate, evaluate_all},
        moved,
        plan::{GuardReading, Holds, Override},
        spec::{Guard, GuardSpec, Parity, RunbookKind, Signal},
    },
};

fn holds(world: &World, guard: Guard) -> Holds {
    read(world, guard, &[]).holds
}

fn read(world: &World, guard: Guard, attested: &[StepId]) -> GuardReading {
    let spec = GuardSpec { guard, overridable: true };
    let component = world.app.components.first().map(|component| component.id.clone());
    evaluate(&spec, component.as_ref(), &facts(world, attested), world.now)
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
fn an_app_is_where_a_move_goes_only_if_all_its_names_and_writers_were_just_read_there() {
    let there = |world: &World, side| moved::there(&facts(world, &[]), side, world.now).map(|said| said.to_string());
    let mut world = World::payments();
    assert_eq!(there(&world, Side::Primary), None, "it has no name that says where customers go");
    records(&mut world, 100, 0);
    let said = there(&world, Side::Primary).expect("names and writer are at home");
    assert!(said.starts_with("already in Mumbai (DNS 0 s ago)"), "{said}");
    assert_eq!(there(&world, Side::Recovery), None);
    records(&mut world, 0, 100);
    assert_eq!(there(&world, Side::Recovery), None, "the writer stayed");
    world.writer(Side::Recovery);
    assert!(there(&world, Side::Recovery).is_some());
    records(&mut world, 50, 50);
    assert_eq!(there(&world, Side::Recovery), None, "half of the customers");
    records(&mut world, 0, 100);
    world.now = world.now + minutes(60);
    assert_eq!(there(&world, Side::Recovery), None, "what is old says nothing");
    assert_eq!(moved::target(RunbookKind::ReProtect), None, "nothing moves");
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
