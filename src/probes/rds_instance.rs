//! One RDS instance: state, point-in-time window, and its read replica in the other Region where there is one.
//! The other parameters say how a runbook copies and restores it.
//!
//! `LatestRestorableTime` exists on the writer only (field guide 2.2); `ReplicaLag` is in seconds, at the replica (2.5).

use super::{
    Answers, ComponentCtx, Need, Observed, Probe,
    answers::{lag_needs, newest_restorable},
    dimension, metric_need,
    need::{MetricNeed, Payload, Window},
};
use crate::domain::{
    Fact, RegionId, Timestamp,
    app::{Component, Role},
    fact::{PointSet, Restorable, What},
    kind::{KindSpec, ParamShape, ParamSpec},
    region::Side,
    resource::{DbInstance, DbSnapshot, PointStatus, RecoveryPoint},
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
            name: MADE_BY_FAILOVER,
            shape: ParamShape::Flag,
            required: false,
            doc: "There is no such instance until a failover restores it: until then its absence is no failure.",
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
    region_lost: |component| match component.params.text("replica") {
        _ if home(component) == Side::Recovery => None,
        Some(_) => Some((Side::Recovery, What::Lag)),
        None => copied(component).then_some((Side::Recovery, What::RecoveryPoints)),
    },
    corrupted: |component| {
        let window = (home(component), What::Restorable);
        let copies = copied(component).then_some((home(component).other(), What::RecoveryPoints));
        std::iter::once(window).chain(copies).collect()
    },
};

/// Whether a scheduler copies its snapshots to the other Region: then the newest copy there is what is left when this
/// Region is lost.
fn copied(component: &Component) -> bool {
    component.params.flag("snapshot_copied").unwrap_or(false)
}

/// The side whose Region holds the instance.
#[must_use]
pub fn home(component: &Component) -> Side {
    component.params.side("side").unwrap_or(Side::Primary)
}

const MADE_BY_FAILOVER: &str = "made_by_failover";
/// What stands where a vault's name stands.
const SNAPSHOTS: &str = "rds snapshots";
/// Points kept, newest first: two days of quarters of an hour.
const POINTS_MAX: usize = 200;

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
            needs.extend(lag_needs(lag_need(&region, replica)));
            needs.push(Need::DbInstances { region });
        }
        if copied(ctx.component) {
            needs.push(Need::DbSnapshots { region: ctx.region(home(ctx.component).other()) });
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
            // Seconds already; -1 stays: replication is not running (field guide 2.5).
            let lag = answers.lag(&lag_need(&region, replica), 1.0);
            facts.extend(lag.map(|fact| (ctx.fact(&region, What::Lag), fact)));
            facts.extend(states(ctx, answers, &region, replica));
        }
        if let Some(instance) = ctx.text("instance").filter(|_| copied(ctx.component)) {
            facts.extend(copies(ctx, answers, &ctx.region(home(ctx.component).other()), instance));
        }
        facts
    }
}

/// The copies of its snapshots there, as recovery points. The data time is that of the original: it survives the copy.
fn copies(ctx: &ComponentCtx<'_>, answers: &Answers, region: &RegionId, instance: &str) -> Option<Observed> {
    let listed = answers.get(&Need::DbSnapshots { region: region.clone() }, |payload| match payload {
        Payload::DbSnapshots(snapshots) => Some(snapshots.as_slice()),
        _ => None,
    })?;
    let fact = listed.map_err(Clone::clone).map(|seen| {
        let own = seen.value.iter().filter(|snapshot| snapshot.source.as_str() == instance);
        let mut points: Vec<RecoveryPoint> = own.filter_map(point).collect();
        points.sort_by_key(|point| std::cmp::Reverse(point.created));
        points.truncate(POINTS_MAX);
        let data_time = newest_restorable(&points).unwrap_or(seen.started_at);
        let set = PointSet { vault: SNAPSHOTS.to_owned(), points, usable: true, truncated: seen.truncated };
        seen.observation(Fact::RecoveryPoints(set), data_time)
    });
    Some((ctx.fact(region, What::RecoveryPoints), fact))
}

fn point(snapshot: &DbSnapshot) -> Option<RecoveryPoint> {
    Some(RecoveryPoint {
        arn: snapshot.arn.clone(),
        resource_arn: snapshot.source.to_string(),
        vault: SNAPSHOTS.to_owned(),
        status: match snapshot.status.as_str() {
            "available" => PointStatus::Available,
            "creating" => PointStatus::Creating,
            "deleting" => PointStatus::Deleting,
            _ => PointStatus::Other(snapshot.status.clone()),
        },
        created: snapshot.created?,
        completed: None,
        delete_at: None,
        size_bytes: snapshot.size_bytes,
        // A snapshot of RDS is in no vault: nothing keeps it from being deleted.
        locked: Some(false),
    })
}

fn made_later(ctx: &ComponentCtx<'_>) -> bool {
    ctx.component.params.flag(MADE_BY_FAILOVER).unwrap_or(false)
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
        match found {
            Some(found) => Ok((seen, Some(found))),
            None if made_later(ctx) && !seen.truncated => Ok((seen, None)),
            None => Err(seen.missing(instance)),
        }
    });
    let (state, window) = match found {
        Err(error) => (Err(error.clone()), Err(error)),
        Ok((seen, None)) => (Ok(seen.state(Fact::NotMade)), Ok(seen.state(Fact::NotMade))),
        Ok((seen, Some(found))) => {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        aws::testing::{HYDERABAD, MUMBAI},
        domain::{SafeText, app::Param},
        probes::{
            need::Reading,
            testing::{app, component, estate, text},
        },
    };

    fn snapshot(id: &str, source: &str, status: &str, created: i64) -> DbSnapshot {
        DbSnapshot {
            id: SafeText::new(id),
            arn: format!("arn:aws:rds:{HYDERABAD}:111122223333:snapshot:{id}"),
            source: SafeText::new(source),
            status: SafeText::new(status),
            created: Some(Timestamp::from_secs(created)),
            percent: None,
            size_bytes: 200 << 30,
            copied_from: Some(format!("arn:aws:rds:{MUMBAI}:111122223333:snapshot:{id}")),
            encrypted: true,
            tags: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn copied_snapshots_answer_for_the_loss_of_the_region_with_the_time_of_their_original() {
        let params = [("instance", text("core")), ("snapshot_copied", Param::Flag(true))];
        let estate = estate(vec![app("core", vec![component("db", "rds-instance", &params)])]);
        let (app, component) = (&estate.apps[0], &estate.apps[0].components[0]);
        assert_eq!((SPEC.region_lost)(component), Some((Side::Recovery, What::RecoveryPoints)));
        let ctx = ComponentCtx { estate: &estate, app, component };
        let need = Need::DbSnapshots { region: RegionId::new(HYDERABAD) };
        assert!(RdsInstance.needs(&ctx).contains(&need));
        let listed = vec![
            snapshot("a", "core", "available", 100),
            snapshot("b", "core", "creating", 200),
            snapshot("c", "other", "available", 300),
        ];
        let mut answers = Answers::default();
        let (value, started_at) = (Payload::DbSnapshots(listed), Timestamp::from_secs(400));
        let reading = Reading { value, started_at, truncated: false, took: Duration::ZERO };
        answers.put(need, Ok(reading), Duration::from_secs(90));
        let facts = RdsInstance.observe(&ctx, &answers, Timestamp::from_secs(400));
        let (_, fact) = facts.iter().find(|(id, _)| id.what == What::RecoveryPoints).expect("recovery points");
        let seen = fact.as_ref().expect("read");
        assert_eq!(seen.data_time, Timestamp::from_secs(100), "the newest that can be restored from");
        let Fact::RecoveryPoints(set) = &seen.value else { panic!("{seen:?}") };
        assert_eq!(set.points.len(), 2, "of this database only");
    }

    #[test]
    fn an_instance_that_a_failover_makes_is_known_to_be_absent_and_any_other_is_missing() {
        let said = |params: &[(&str, Param)], truncated| {
            let estate = estate(vec![app("bank", vec![component("db", "rds-instance", params)])]);
            let ctx = ComponentCtx { estate: &estate, app: &estate.apps[0], component: &estate.apps[0].components[0] };
            let need = Need::DbInstances { region: ctx.region(home(ctx.component)) };
            let started_at = Timestamp::from_secs(400);
            let reading =
                Reading { value: Payload::DbInstances(Vec::new()), started_at, truncated, took: Duration::ZERO };
            let mut answers = Answers::default();
            answers.put(need, Ok(reading), Duration::from_secs(90));
            RdsInstance.observe(&ctx, &answers, started_at)
        };
        let (name, later) = (("instance", text("core-hyd")), (MADE_BY_FAILOVER, Param::Flag(true)));
        let absent = said(&[name.clone(), later.clone()], false);
        assert_eq!(absent.len(), 2);
        assert!(
            absent.iter().all(|(_, fact)| fact.as_ref().is_ok_and(|seen| seen.value == Fact::NotMade)),
            "{absent:?}"
        );
        let missing = |facts: Vec<Observed>| facts.into_iter().all(|(_, fact)| fact.is_err());
        assert!(missing(said(std::slice::from_ref(&name), false)), "nobody declared that it may be absent");
        assert!(missing(said(&[name, later], true)), "a list that was cut proves nothing");
    }

    #[test]
    fn a_replica_speaks_for_the_loss_of_the_primary_region_only_where_it_is_in_the_other_one() {
        let of = |params: &[(&str, Param)]| (SPEC.region_lost)(&component("db", "rds-instance", params));
        let (instance, replica) = (("instance", text("core")), ("replica", text("core-hyd")));
        assert_eq!(of(&[instance.clone(), replica.clone()]), Some((Side::Recovery, What::Lag)));
        assert_eq!(of(&[instance.clone(), replica, ("side", Param::Side(Side::Recovery))]), None);
        assert_eq!(of(&[instance]), None);
    }
}
