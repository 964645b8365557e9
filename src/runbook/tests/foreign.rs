//! Somebody else's hand: what changed and no call of ours asked for.

use super::world::{calls_in, facts, records};
use crate::{
    domain::{
        CallDescription, Fact, Side, Slot, What,
        app::Param,
        compliance::fixtures::{self as fx, World},
    },
    runbook::foreign::{foreign_hand, stood},
};

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
