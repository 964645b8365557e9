//! One RDS instance: state, point-in-time window, and its read replica in the other Region where there is one.
//! The other parameters say how a runbook copies and restores it.
//!
//! `LatestRestorableTime` exists on the writer only (field guide 2.2); `ReplicaLag` is in seconds, at the replica (2.5).

use super::{
    Answers, ComponentCtx, Need, Observed, Probe, dimension, metric_need,
    need::{MetricNeed, Payload, Window},
};
use crate::domain::{
    Fact, RegionId, Timestamp,
    app::{Component, Role},
    fact::{Restorable, What},
    kind::{KindSpec, ParamShape, ParamSpec},
    region::Side,
    resource::DbInstance,
};

pub const SPEC: KindSpec = KindSpec {
    id: "rds-instance",
    title: "rds instance",
    observed: true,
    role: Role::Data,
    params: &[
        ParamSpec {
            name: "instance",
            shape: ParamShape::Text,
            required: true,
            doc: "DB instance identifier, in the Region of `side`.",
        },
        ParamSpec {
            name: "replica",
            shape: ParamShape::Text,
            required: false,
            doc: "Identifier of its read replica in the other Region.",
        },
        ParamSpec {
            name: "side",
            shape: ParamShape::Side,
            required: false,
            doc: "Side the instance lives on; default primary. A warm standby fed from outside lives on the recovery side.",
        },
        ParamSpec {
            name: "recovery_instance",
            shape: ParamShape::Text,
            required: false,
            doc: "Identifier of the instance that a restore makes in the other Region.",
        },
        ParamSpec {
            name: "instance_class",
            shape: ParamShape::Text,
            required: false,
            doc: "Class of an instance that a runbook makes, e.g. db.r6g.2xlarge; default AWS's.",
        },
        ParamSpec {
            name: "subnet_groups",
            shape: ParamShape::Sides,
            required: false,
            doc: "DB subnet group of each side for what a runbook makes there.",
        },
        ParamSpec {
            name: "kms_keys",
            shape: ParamShape::Sides,
            required: false,
            doc: "Key of each side for copies and replicas that go there; needed where the database is encrypted.",
        },
        ParamSpec {
            name: "snapshot_every",
            shape: ParamShape::Duration,
            required: false,
            doc: "How often a scheduler of your own takes snapshots; RDS itself takes one a day.",
        },
        ParamSpec {
            name: "snapshot_copied",
            shape: ParamShape::Flag,
            required: false,
            doc: "Whether that scheduler copies each snapshot to the other Region.",
        },
        ParamSpec { name: "size", shape: ParamShape::Size, required: false, doc: "Storage of the database." },
    ],
    region_lost: |component| {
        let protected = component.params.text("replica").filter(|_| home(component) == Side::Primary);
        protected.map(|_| (Side::Recovery, What::Lag))
    },
    corrupted: |component| vec![(home(component), What::Restorable)],
};

/// The side whose Region holds the instance.
#[must_use]
pub fn home(component: &Component) -> Side {
    component.params.side("side").unwrap_or(Side::Primary)
}

#[derive(Debug)]
pub struct RdsInstance;

fn lag_need(region: &RegionId, replica: &str) -> MetricNeed {
    metric_need(region, "AWS/RDS", "ReplicaLag", dimension("DBInstanceIdentifier", replica), "Maximum", Window::Recent)
}

impl Probe for RdsInstance {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }

    fn needs(&self, ctx: &ComponentCtx<'_>) -> Vec<Need> {
        let mut needs = vec![Need::DbInstances { region: ctx.region(home(ctx.component)) }];
        if let Some(replica) = ctx.text("replica") {
            let region = ctx.region(home(ctx.component).other());
            needs.push(Need::Metric(lag_need(&region, replica)));
            needs.push(Need::DbInstances { region });
        }
        needs
    }

    fn observe(&self, ctx: &ComponentCtx<'_>, answers: &Answers, _now: Timestamp) -> Vec<Observed> {
        let mut facts = Vec::new();
        let at_home = ctx.region(home(ctx.component));
        if let Some(instance) = ctx.text("instance") {
            facts.extend(states(ctx, answers, &at_home, instance));
        }
        if let Some(replica) = ctx.text("replica") {
            let region = ctx.region(home(ctx.component).other());
            if let Some(outcome) = answers.series(&lag_need(&region, replica)) {
                // Seconds already; -1 stays: replication is not running (field guide 2.5).
                let fact = outcome.map(|seen| seen.metric(seen.value.clone(), Fact::Lag)).map_err(Clone::clone);
                facts.push((ctx.fact(&region, What::Lag), fact));
            }
            facts.extend(states(ctx, answers, &region, replica));
        }
        facts
    }
}

/// State and restore window of one instance.
fn states(ctx: &ComponentCtx<'_>, answers: &Answers, region: &RegionId, instance: &str) -> Vec<Observed> {
    let need = Need::DbInstances { region: region.clone() };
    let outcome = answers.get(&need, |payload| match payload {
        Payload::DbInstances(instances) => Some(instances.as_slice()),
        _ => None,
    });
    let Some(outcome) = outcome else { return Vec::new() };
    let found = outcome.map_err(Clone::clone).and_then(|seen| {
        let found: Option<&DbInstance> = seen.value.iter().find(|found| found.id.as_str() == instance);
        found.map(|found| (seen, found)).ok_or_else(|| seen.missing(instance))
    });
    let (state, window) = match found {
        Err(error) => (Err(error.clone()), Err(error)),
        Ok((seen, found)) => {
            let fact = Fact::Restorable(Restorable { earliest: None, latest: found.latest_restorable });
            let window = match found.latest_restorable {
                Some(latest) => seen.observation(fact, latest),
                None => seen.state(fact),
            };
            (Ok(seen.state(Fact::Instance(found.clone()))), Ok(window))
        }
    };
    vec![(ctx.fact(region, What::Instance), state), (ctx.fact(region, What::Restorable), window)]
}
