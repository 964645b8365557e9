//! An Aurora global database: one writer cluster, one cluster in the other Region.
//!
//! `AuroraGlobalDB*` metrics exist in the secondary Region only, in milliseconds (field guide 0.1, fact 9).

use super::{
    Answers, ComponentCtx, Need, Observed, Probe,
    answers::in_seconds,
    dimension, metric_need,
    need::{MetricNeed, Payload, Window},
};
use crate::domain::{
    Fact, RegionId, Timestamp,
    app::Role,
    fact::{Restorable, What},
    kind::{KindSpec, ParamShape, ParamSpec},
    region::Side,
    resource::{DbCluster, GlobalCluster},
};

pub const SPEC: KindSpec = KindSpec {
    id: "aurora-global",
    title: "aurora global",
    observed: true,
    role: Role::Data,
    params: &[
        ParamSpec {
            name: "global_cluster",
            shape: ParamShape::Text,
            required: true,
            doc: "Identifier of the global cluster, e.g. payments-global.",
        },
        ParamSpec {
            name: "clusters",
            shape: ParamShape::Sides,
            required: true,
            doc: "DB cluster identifiers, one per side.",
        },
        ParamSpec {
            name: "writes_metric",
            shape: ParamShape::Text,
            required: false,
            doc: "AWS/RDS metric whose Sum at the writer tells source writes; without it a silent lag is not idle.",
        },
    ],
    region_lost: |_| Some((Side::Recovery, What::Lag)),
    corrupted: |_| vec![(Side::Primary, What::Restorable)],
};

/// Lag of user transactions, the RPO number (field guide 2.6).
const LAG: &str = "AuroraGlobalDBRPOLag";

#[derive(Debug)]
pub struct AuroraGlobal;

fn lag_need(region: &RegionId, cluster: &str) -> MetricNeed {
    metric_need(region, "AWS/RDS", LAG, dimension("DBClusterIdentifier", cluster), "Maximum", Window::Recent)
}

fn writes_need(region: &RegionId, cluster: &str, metric: &str) -> MetricNeed {
    metric_need(region, "AWS/RDS", metric, dimension("DBClusterIdentifier", cluster), "Sum", Window::Recent)
}

impl Probe for AuroraGlobal {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }

    /// Everything is asked on both sides: the lag is published wherever the secondary is now, and the global
    /// cluster is visible from each member Region, so that one dead Region hides neither.
    fn needs(&self, ctx: &ComponentCtx<'_>) -> Vec<Need> {
        let mut needs: Vec<Need> =
            Side::BOTH.into_iter().map(|side| Need::GlobalClusters { region: ctx.region(side) }).collect();
        for (region, cluster) in ctx.sides("clusters") {
            needs.push(Need::Metric(lag_need(&region, cluster)));
            if let Some(metric) = ctx.text("writes_metric") {
                needs.push(Need::Metric(writes_need(&region, cluster, metric)));
            }
            needs.push(Need::DbClusters { region });
        }
        needs
    }

    fn observe(&self, ctx: &ComponentCtx<'_>, answers: &Answers, _now: Timestamp) -> Vec<Observed> {
        let mut facts = topology(ctx, answers);
        for (region, cluster) in ctx.sides("clusters") {
            if let Some(outcome) = answers.series(&lag_need(&region, cluster)) {
                let fact = outcome.map(|seen| seen.metric(in_seconds(seen.value, 1_000.0), Fact::Lag));
                facts.push((ctx.fact(&region, What::Lag), fact.map_err(Clone::clone)));
            }
            if let Some(metric) = ctx.text("writes_metric")
                && let Some(outcome) = answers.series(&writes_need(&region, cluster, metric))
            {
                let fact = outcome.map(|seen| seen.metric(seen.value.clone(), Fact::SourceWrites));
                facts.push((ctx.fact(&region, What::SourceWrites), fact.map_err(Clone::clone)));
            }
            let need = Need::DbClusters { region: region.clone() };
            let clusters = answers.get(&need, |payload| match payload {
                Payload::DbClusters(clusters) => Some(clusters.as_slice()),
                _ => None,
            });
            if let Some(outcome) = clusters {
                let fact = outcome.map_err(Clone::clone).and_then(|seen| {
                    let found = seen.value.iter().find(|found| found.id.as_str() == cluster);
                    found.map(|found| restorable(&seen, found)).ok_or_else(|| seen.missing(cluster))
                });
                facts.push((ctx.fact(&region, What::Restorable), fact));
            }
        }
        facts
    }
}

fn restorable(seen: &super::answers::Seen<'_, [DbCluster]>, cluster: &DbCluster) -> crate::domain::Observation<Fact> {
    let latest = cluster.latest_restorable;
    let fact = Fact::Restorable(Restorable { earliest: None, latest });
    latest.map_or_else(|| seen.state(fact.clone()), |at| seen.observation(fact.clone(), at))
}

/// Who writes where, as the newest good answer of either Region tells; said of both Regions, because it is about
/// both. Only when no Region answers is it an error.
fn topology(ctx: &ComponentCtx<'_>, answers: &Answers) -> Vec<Observed> {
    let Some(wanted) = ctx.text("global_cluster") else { return Vec::new() };
    let mut best: Option<Observed> = None;
    // The recovery Region first: between two failures, its is the one that counts.
    for side in [Side::Recovery, Side::Primary] {
        let region = ctx.region(side);
        let need = Need::GlobalClusters { region: region.clone() };
        let outcome = answers.get(&need, |payload| match payload {
            Payload::GlobalClusters(clusters) => Some(clusters.as_slice()),
            _ => None,
        });
        let Some(outcome) = outcome else { continue };
        let fact = outcome.map_err(Clone::clone).and_then(|seen| {
            let found: Option<&GlobalCluster> = seen.value.iter().find(|cluster| cluster.id.as_str() == wanted);
            found.map(|cluster| seen.state(Fact::Topology(cluster.clone()))).ok_or_else(|| seen.missing(wanted))
        });
        let better = match (&best, &fact) {
            (None, _) | (Some((_, Err(_))), Ok(_)) => true,
            (Some((_, Ok(kept))), Ok(new)) => new.observed_at > kept.observed_at,
            (Some(_), Err(_)) => false,
        };
        if better {
            best = Some((ctx.fact(&region, What::Topology), fact));
        }
    }
    let Some((_, fact)) = best else { return Vec::new() };
    Side::BOTH.into_iter().map(|side| (ctx.fact(&ctx.region(side), What::Topology), fact.clone())).collect()
}
