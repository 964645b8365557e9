//! Facts of one app as guards and interlocks see them, set one by one.

use std::time::Duration;

use crate::{
    domain::{
        CallDescription, ComponentId, Fact, FactId, Hazard, RegionId, Side, StepId, Timestamp, What,
        app::Param,
        compliance::fixtures::{self as fx, World, minutes},
        freeze::{Freeze, Scope, When},
        resource::{Identity, RecordSet, Routing, Session},
        snapshot::{Reach, RegionHealth},
    },
    runbook::{signal::Facts, spec::Guard},
};

pub(super) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) fn facts<'a>(world: &'a World, attested: &'a [StepId]) -> Facts<'a> {
    Facts { estate: &world.estate, app: &world.app, snapshot: &world.snapshot, last_run_ended: None, attested }
}

pub(super) fn lag(limit: Duration) -> Guard {
    Guard::LagAtMost { component: Some("payments-global".into()), limit, in_outage_last_sample: true }
}

pub(super) fn records(world: &mut World, mumbai: u8, hyderabad: u8) {
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

pub(super) fn reach(world: &mut World, side: Side, reach: Reach) {
    let health = RegionHealth { reach, vantages: Vec::new(), since: world.now, cycles_unreachable: 0 };
    world.snapshot.regions.insert(world.region(side), health);
}

pub(super) fn identity(world: &mut World, side: Side, account: &str, skew: Option<i64>, session: Session) {
    let identity = Identity { account: account.into(), arn: "arn".into(), skew_seconds: skew, session };
    world.snapshot.identities.insert(world.region(side), fx::seen(identity, world.now));
}

pub(super) fn freeze(from: Timestamp, kind: &str) -> Freeze {
    Freeze {
        name: "settlement".into(),
        when: When::Once { from, to: from + minutes(60) },
        scope: Scope::All,
        kinds: vec![kind.to_owned()],
    }
}

pub(super) fn calls_in(region: &str) -> CallDescription {
    CallDescription {
        service: "rds".into(),
        operation: "SwitchoverGlobalCluster".into(),
        region: region.into(),
        params: Vec::new(),
        hazard: Hazard::Disruptive,
        iam_actions: Vec::new(),
    }
}
