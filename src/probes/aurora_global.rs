//! An Aurora global database: one writer cluster, one cluster in the other Region.
//!
//! `AuroraGlobalDB*` metrics exist in the secondary Region only, in milliseconds (field guide 0.1, fact 9).

use super::{
    Answers, ComponentCtx, Need, Observed, Probe,
    answers::lag_needs,
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
            needs.extend(lag_needs(lag_need(&region, cluster)));
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
            let lag = answers.lag(&lag_need(&region, cluster), 1_000.0);
            facts.extend(lag.map(|fact| (ctx.fact(&region, What::Lag), fact)));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        aws::testing::{HYDERABAD, MUMBAI},
        domain::{
            Estate, ProbeError, ProbeFailure, SafeText,
            app::Param,
            fact::{Point, Series},
            resource::GlobalMember,
        },
        probes::{
            need::Reading,
            testing::{app, component, estate, text},
        },
    };

    fn payments() -> std::sync::Arc<Estate> {
        let clusters = Param::Sides { primary: Some("pay-mum".into()), recovery: Some("pay-hyd".into()) };
        let params = [("global_cluster", text("pay-global")), ("clusters", clusters)];
        estate(vec![app("payments", vec![component("pay-db", "aurora-global", &params)])])
    }

    fn observe(estate: &Estate, answers: &Answers) -> Vec<Observed> {
        let app = &estate.apps[0];
        let ctx = ComponentCtx { estate, app, component: &app.components[0] };
        AuroraGlobal.observe(&ctx, answers, Timestamp::from_secs(1_000))
    }

    fn topology_of(facts: &[Observed], region: &str) -> Result<String, ProbeFailure> {
        let (_, fact) = facts
            .iter()
            .find(|(id, _)| id.what == What::Topology && id.region.as_str() == region)
            .expect("a topology, or why there is none");
        match fact {
            Ok(observation) => match &observation.value {
                Fact::Topology(cluster) => Ok(cluster.writer().expect("a writer").region.to_string()),
                other => panic!("{other:?}"),
            },
            Err(error) => Err(error.failure),
        }
    }

    fn reading(value: Payload, at: i64) -> Reading<Payload> {
        Reading { value, started_at: Timestamp::from_secs(at), truncated: false, took: Duration::ZERO }
    }

    fn seen_from(answers: &mut Answers, region: &str, at: i64, writer: Option<&str>) {
        let need = Need::GlobalClusters { region: RegionId::new(region) };
        let outcome = match writer {
            Some(writer) => {
                let member = |region: &str| GlobalMember {
                    cluster_arn: format!("arn:aws:rds:{region}:1:cluster:c"),
                    region: RegionId::new(region),
                    writer: region == writer,
                    synchronization: None,
                };
                let cluster = GlobalCluster {
                    id: SafeText::new("pay-global"),
                    arn: SafeText::default(),
                    status: SafeText::new("available"),
                    engine: SafeText::default(),
                    engine_version: SafeText::default(),
                    members: vec![member(MUMBAI), member(HYDERABAD)],
                    failover: None,
                };
                Ok(reading(Payload::GlobalClusters(vec![cluster]), at))
            }
            None => Err(ProbeError {
                failure: ProbeFailure::Unreachable,
                region: RegionId::new(region),
                call: need.source(),
                message: SafeText::new("no answer in time"),
                at: Timestamp::from_secs(at),
            }),
        };
        answers.put(need, outcome, Duration::from_mins(1));
    }

    #[test]
    fn a_dead_primary_does_not_hide_who_writes() {
        let estate = payments();
        let mut answers = Answers::default();
        seen_from(&mut answers, MUMBAI, 900, Some(MUMBAI));
        seen_from(&mut answers, HYDERABAD, 890, Some(MUMBAI));
        seen_from(&mut answers, MUMBAI, 960, None);
        seen_from(&mut answers, HYDERABAD, 950, Some(HYDERABAD));
        let facts = observe(&estate, &answers);
        for region in [MUMBAI, HYDERABAD] {
            assert_eq!(topology_of(&facts, region), Ok(HYDERABAD.to_owned()), "said of {region}");
        }
    }

    #[test]
    fn of_two_views_of_the_topology_the_newer_counts() {
        let estate = payments();
        let mut answers = Answers::default();
        seen_from(&mut answers, HYDERABAD, 900, Some(MUMBAI));
        seen_from(&mut answers, MUMBAI, 960, Some(HYDERABAD));
        assert_eq!(topology_of(&observe(&estate, &answers), MUMBAI), Ok(HYDERABAD.to_owned()));
        seen_from(&mut answers, HYDERABAD, 970, Some(MUMBAI));
        assert_eq!(topology_of(&observe(&estate, &answers), MUMBAI), Ok(MUMBAI.to_owned()));
    }

    #[test]
    fn when_neither_region_answers_the_writer_is_unknown_with_its_cause() {
        let estate = payments();
        let mut answers = Answers::default();
        assert!(observe(&estate, &answers).is_empty(), "not asked yet is not an error");
        seen_from(&mut answers, MUMBAI, 900, None);
        seen_from(&mut answers, HYDERABAD, 900, None);
        assert_eq!(topology_of(&observe(&estate, &answers), HYDERABAD), Err(ProbeFailure::Unreachable));
    }

    #[test]
    fn lag_is_in_seconds_and_silence_speaks_of_the_past_not_of_now() {
        let estate = payments();
        let mut answers = Answers::default();
        let series = |points: Vec<Point>| Payload::Series(Series { period: Duration::from_mins(1), points });
        let needs = |region: &str, cluster: &str| Need::Metric(lag_need(&RegionId::new(region), cluster));
        let point = Point { at: Timestamp::from_secs(7_200), value: 800.0 };
        answers.put(needs(HYDERABAD, "pay-hyd"), Ok(reading(series(vec![point]), 7_300)), Duration::ZERO);
        answers.put(needs(MUMBAI, "pay-mum"), Ok(reading(series(Vec::new()), 7_300)), Duration::ZERO);
        let facts = observe(&estate, &answers);
        let lag = |region: &str| {
            let found = facts.iter().find(|(id, _)| id.what == What::Lag && id.region.as_str() == region);
            found.and_then(|(_, fact)| fact.as_ref().ok()).expect("a lag")
        };
        match &lag(HYDERABAD).value {
            Fact::Lag(series) => assert_eq!(series.newest().map(|p| p.value), Some(0.8)),
            other => panic!("{other:?}"),
        }
        assert_eq!(lag(HYDERABAD).data_time, Timestamp::from_secs(7_200));
        assert!(lag(MUMBAI).data_time <= Timestamp::from_secs(3_700), "no data since an hour, not since now");
    }

    #[test]
    fn where_the_last_hour_has_no_lag_the_last_of_the_day_before_stands() {
        let estate = payments();
        let mut answers = Answers::default();
        let need = lag_need(&RegionId::new(HYDERABAD), "pay-hyd");
        let points = |points: &[(i64, f64)]| {
            let point = |&(at, value): &(i64, f64)| Point { at: Timestamp::from_secs(at), value };
            Payload::Series(Series { period: Duration::from_mins(1), points: points.iter().map(point).collect() })
        };
        let put = |answers: &mut Answers, need: &MetricNeed, found: &[(i64, f64)], at: i64| {
            answers.put(Need::Metric(need.clone()), Ok(reading(points(found), at)), Duration::ZERO);
        };
        let newest = |answers: &Answers| {
            let facts = observe(&estate, answers);
            let found = facts.into_iter().find(|(id, _)| id.what == What::Lag && id.region.as_str() == HYDERABAD);
            let seen = found.and_then(|(_, fact)| fact.ok()).expect("a lag");
            let Fact::Lag(series) = &seen.value else { panic!("{seen:?}") };
            (series.newest().map(|point| (point.at.secs(), point.value)), seen.data_time.secs())
        };
        assert!(estate.apps.iter().any(|app| {
            let component = &app.components[0];
            let asked = AuroraGlobal.needs(&ComponentCtx { estate: &estate, app, component });
            asked.contains(&Need::Metric(need.day_before()))
        }));
        put(&mut answers, &need, &[], 90_000);
        assert_eq!(newest(&answers).0, None, "the day before was not read yet");
        put(&mut answers, &need.day_before(), &[(79_800, 700.0), (80_100, 900.0)], 90_000);
        assert_eq!(newest(&answers), (Some((80_100, 0.9)), 80_100), "by its own age");
        put(&mut answers, &need, &[(90_060, 400.0)], 90_120);
        assert_eq!(newest(&answers).0, Some((90_060, 0.4)), "what is newer counts");
    }
}
