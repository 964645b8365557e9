//! The observed facts behind the verdicts, for `pointsman status --format json`: what was read of each component,
//! where and when, and the AWS Backup jobs of the last 24 h.
//!
//! A fact that is not known has no value and says why; a stale one says so beside its value. Never a verdict:
//! that is [`super::status`].

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::{
    Assessment, Estate, Fact, FactId, Picture, What,
    fact::{SERVED, Series},
    observation::{At, Slot},
    resource::{AlarmState, GlobalCluster, Job, RecordSet, Routing},
    time::Timestamp,
};

/// The components of one app in the order of the file, each with its facts.
#[must_use]
pub fn components(estate: &Estate, picture: &Picture, assessment: &Assessment) -> Vec<Value> {
    let Some(app) = estate.app(&assessment.app) else { return Vec::new() };
    app.components
        .iter()
        .map(|component| {
            let standing = assessment.components.iter().find(|standing| standing.component == component.id);
            let facts = picture
                .snapshot
                .facts
                .iter()
                .filter(|(id, _)| id.app == app.id && id.component == component.id && id.component.as_str() != SERVED)
                .map(|(id, slot)| fact(id, slot, picture.judged_at));
            json!({
                "id": component.id,
                "kind": component.kind,
                "mandatory": component.mandatory,
                "verdict": standing.map(|s| s.verdict.word()),
                "state": standing.map(|s| &s.state),
                "facts": facts.collect::<Vec<_>>(),
            })
        })
        .collect()
}

/// One row per Region and kind of job: how many in each state, and the newest.
#[must_use]
pub fn jobs(picture: &Picture) -> Vec<Value> {
    picture
        .snapshot
        .jobs
        .iter()
        .map(|((region, kind), slot)| {
            let (state, why) = standing(slot, picture.judged_at);
            let jobs = slot.last.as_ref().map(|seen| &seen.value);
            json!({
                "region": region,
                "kind": kind.word(),
                "state": state,
                "why": why,
                "by_state": jobs.map(|jobs| by_state(jobs)),
                "newest_created": jobs.and_then(|jobs| jobs.iter().map(|job| job.created).max()),
            })
        })
        .collect()
}

/// AWS's own words for the states, and how many jobs are in each.
fn by_state(jobs: &[Job]) -> Vec<Value> {
    let counts: BTreeMap<&str, usize> = jobs.iter().fold(BTreeMap::new(), |mut counts, job| {
        *counts.entry(job.state.word()).or_default() += 1;
        counts
    });
    counts.into_iter().map(|(state, count)| json!({"state": state, "count": count})).collect()
}

/// `fresh`, `stale` or `unknown`, and the failure that stands, if one does.
fn standing<T>(slot: &Slot<T>, now: Timestamp) -> (&'static str, Option<String>) {
    let why = slot.failure.as_ref().map(|error| format!("{}: {}: {}", error.call, error.failure.word(), error.message));
    match slot.at(now) {
        At::Fresh(_) => ("fresh", why),
        At::Stale { .. } => ("stale", why),
        At::Unknown { .. } => ("unknown", why),
    }
}

fn fact(id: &FactId, slot: &Slot<Fact>, now: Timestamp) -> Value {
    let (state, why) = standing(slot, now);
    let seen = slot.last.as_ref();
    json!({
        "what": what(id.what),
        "region": id.region,
        "state": state,
        "why": why,
        "data_time": seen.map(|s| s.data_time),
        "observed_at": seen.map(|s| s.observed_at),
        "value": seen.map(|s| value(&s.value)),
    })
}

const fn what(what: What) -> &'static str {
    match what {
        What::Topology => "topology",
        What::Lag => "lag",
        What::SourceWrites => "source-writes",
        What::RecoveryPoints => "recovery-points",
        What::Restorable => "restorable",
        What::Instance => "instance",
        What::Record => "record",
        What::HealthCheck => "health-check",
        What::Gauge => "gauge",
        What::Alarm => "alarm",
        What::ServedGood => "served-good",
        What::ServedTotal => "served-total",
    }
}

/// Lag is in seconds; `-1` is "not replicating" and stays as it came.
fn value(fact: &Fact) -> Value {
    match fact {
        Fact::Topology(cluster) => topology(cluster),
        Fact::Lag(s) | Fact::SourceWrites(s) | Fact::Gauge(s) | Fact::ServedGood(s) | Fact::ServedTotal(s) => series(s),
        Fact::RecoveryPoints(set) => {
            let newest = set.points.iter().filter(|point| point.status.restorable()).map(|point| point.created).max();
            json!({"vault": set.vault, "points": set.points.len(), "usable": set.usable, "truncated": set.truncated, "newest_usable": newest})
        }
        Fact::Restorable(window) => json!({"earliest": window.earliest, "latest": window.latest}),
        Fact::NotMade => json!({"status": "not-made"}),
        Fact::Instance(instance) => json!({
            "status": instance.status,
            "engine": instance.engine,
            "multi_az": instance.multi_az,
            "latest_restorable": instance.latest_restorable,
            "replica_of": instance.replica_of,
            "replication": instance.replication.as_ref().map(|(word, _)| word),
        }),
        Fact::Record(sets) => json!({"sets": sets.iter().map(record).collect::<Vec<_>>()}),
        Fact::HealthCheck(check) => json!({
            "type": check.kind,
            "healthy": check.healthy(),
            "healthy_percent": check.healthy_percent,
            "last_failure": check.last_failure,
        }),
        Fact::Alarm(alarm) => {
            let state = match alarm.state {
                AlarmState::Ok => "OK",
                AlarmState::Alarm => "ALARM",
                AlarmState::InsufficientData => "INSUFFICIENT_DATA",
            };
            json!({"name": alarm.name, "state": state, "since": alarm.since, "silent": alarm.silent})
        }
    }
}

fn series(series: &Series) -> Value {
    let newest = series.newest();
    json!({"newest": newest.map(|p| p.value), "at": newest.map(|p| p.at), "period": series.period.as_secs(), "points": series.points.len()})
}

fn topology(cluster: &GlobalCluster) -> Value {
    let members = cluster.members.iter().map(|member| {
        json!({"cluster": member.cluster_arn, "region": member.region, "writer": member.writer, "synchronization": member.synchronization})
    });
    json!({
        "id": cluster.id,
        "status": cluster.status,
        "engine": cluster.engine,
        "engine_version": cluster.engine_version,
        "writer": cluster.writer().map(|member| &member.region),
        "members": members.collect::<Vec<_>>(),
        "failover": cluster.failover.as_ref().map(|failover| &failover.status),
    })
}

fn record(set: &RecordSet) -> Value {
    let weight = match set.routing {
        Routing::Weighted { weight } => Some(weight),
        Routing::Simple | Routing::Failover { .. } | Routing::Other(_) => None,
    };
    json!({
        "name": set.name,
        "type": set.kind,
        "set_identifier": set.set_identifier,
        "weight": weight,
        "ttl": set.ttl.map(|ttl| ttl.as_secs()),
        "values": set.values,
        "alias": set.alias.as_ref().map(|alias| &alias.dns_name),
        "health_check": set.health_check,
    })
}
