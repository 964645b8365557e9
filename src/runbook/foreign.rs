//! Somebody else's hand: what changed on the app since we last looked and no run of ours asked for.
//!
//! Pure. Must never: take what could not be read for unchanged *and* say so (it says nothing of it: guards do), or
//! excuse a change because some call of ours touched the same thing: it must be what that call asked for.
//! Where to look next: [`super::guards`] (what must hold), [`super::interlock`] (other runs of ours).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::signal::Facts;
use crate::domain::{
    CallDescription, Component, ComponentId, Fact, RegionId, Timestamp, What,
    observation::At,
    resource::{GlobalCluster, RecordSet, Routing},
    text::SafeText,
};

/// What stood at one moment: the things that a hand changes and that do not change by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stood {
    pub at: Option<Timestamp>,
    pub marks: Vec<Mark>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    pub component: ComponentId,
    pub of: Of,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// Region of the writer.
    Writer,
    /// State of an operation on the global cluster; `none`.
    Operation,
    /// Regions that have a member.
    Members,
    /// `origin.pay.bank.example A mumbai`, with routing and answer as value.
    Record(String),
    /// The source of a read replica in that Region; empty when it has none.
    ReplicaOf(RegionId),
}

const NO_OPERATION: &str = "none";

/// What stands now, of everything that was read within its budget.
#[must_use]
pub fn stood(facts: &Facts<'_>, now: Timestamp) -> Stood {
    let mut marks = Vec::new();
    for component in &facts.app.components {
        let mut mark = |of, value: String| marks.push(Mark { component: component.id.clone(), of, value });
        if let Some((cluster, _)) = facts.fresh_topology(&component.id, now) {
            for (of, value) in of_cluster(cluster) {
                mark(of, value);
            }
        }
        for set in facts.records(&component.id, now).map(|(sets, _)| sets).unwrap_or_default() {
            mark(Of::Record(record_name(set)), record_value(set));
        }
        for (id, slot) in facts.snapshot.of_app(&facts.app.id) {
            if id.component == component.id
                && id.what == What::Instance
                && let At::Fresh(seen) = slot.at(now)
                && let Fact::Instance(instance) = &seen.value
            {
                mark(Of::ReplicaOf(id.region.clone()), instance.replica_of.clone().unwrap_or_default());
            }
        }
    }
    marks.sort();
    marks.dedup();
    Stood { at: Some(now), marks }
}

fn of_cluster(cluster: &GlobalCluster) -> [(Of, String); 3] {
    let regions: BTreeSet<&str> = cluster.members.iter().map(|member| member.region.as_str()).collect();
    [
        (Of::Writer, cluster.writer().map_or_else(String::new, |writer| writer.region.to_string())),
        (
            Of::Operation,
            cluster.failover.as_ref().map_or_else(|| NO_OPERATION.to_owned(), |failover| failover.status.to_string()),
        ),
        (Of::Members, regions.into_iter().collect::<Vec<_>>().join(", ")),
    ]
}

fn record_name(set: &RecordSet) -> String {
    let id = set.set_identifier.as_deref().unwrap_or_default();
    format!("{} {} {id}", set.name, set.kind).trim_end().to_owned()
}

fn record_value(set: &RecordSet) -> String {
    let routing = match &set.routing {
        Routing::Simple => "simple".to_owned(),
        Routing::Weighted { weight } => format!("weight {weight}"),
        Routing::Failover { primary: true } => "failover PRIMARY".to_owned(),
        Routing::Failover { primary: false } => "failover SECONDARY".to_owned(),
        Routing::Other(word) => word.to_string(),
    };
    let answer = set.alias.as_ref().map_or_else(|| set.values.join(", "), |alias| format!("alias {}", alias.dns_name));
    format!("{routing} -> {answer}")
}

/// What changed since `since` and is not what one of `own` asked for: `payments-global: writer was ap-south-1, is
/// ap-south-2`. `own` are the calls that runs of ours sent since then, whatever was heard of them.
///
/// What could not be read now or then is passed over: a Region that went dark is no hand, and a guard says so.
#[must_use]
pub fn foreign_hand(facts: &Facts<'_>, since: &Stood, own: &[CallDescription], now: Timestamp) -> Vec<SafeText> {
    let stands = stood(facts, now);
    let mut found = Vec::new();
    for then in &since.marks {
        let same = |mark: &&Mark| mark.component == then.component && mark.of == then.of;
        let Some(component) = facts.app.component(&then.component) else {
            found.push(SafeText::new(format!("{} is no component of the app any more", then.component)));
            continue;
        };
        match stands.marks.iter().find(same) {
            Some(is) if is.value == then.value || ours(component, is, own) => {}
            Some(is) => found.push(SafeText::new(format!(
                "{}: {} was {}, is {}",
                then.component,
                words(&then.of),
                shown(&then.value),
                shown(&is.value)
            ))),
            // A record set that is gone from a list that was read; other things come as a whole or not at all.
            None if matches!(then.of, Of::Record(_)) && facts.records(&then.component, now).is_some() => {
                found.push(SafeText::new(format!("{}: {} is gone", then.component, words(&then.of))));
            }
            None => {}
        }
    }
    for is in stands.marks.iter().filter(|mark| matches!(mark.of, Of::Record(_))) {
        let known_then = |mark: &Mark| mark.component == is.component && matches!(mark.of, Of::Record(_));
        let new = since.marks.iter().any(known_then)
            && !since.marks.iter().any(|mark| mark.component == is.component && mark.of == is.of);
        if new && facts.app.component(&is.component).is_some_and(|component| !ours(component, is, own)) {
            found.push(SafeText::new(format!("{}: {} is new: {}", is.component, words(&is.of), is.value)));
        }
    }
    found
}

fn words(of: &Of) -> String {
    match of {
        Of::Writer => "writer".to_owned(),
        Of::Operation => "operation under way".to_owned(),
        Of::Members => "members".to_owned(),
        Of::Record(name) => format!("record {name}"),
        Of::ReplicaOf(region) => format!("replication source in {region}"),
    }
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "none" } else { value }
}

/// Whether a call of ours asked for what is seen.
fn ours(component: &Component, is: &Mark, own: &[CallDescription]) -> bool {
    let value = |call: &CallDescription, name: &str| {
        call.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string())
    };
    let cluster_calls = || {
        own.iter().filter(|call| {
            value(call, "GlobalClusterIdentifier")
                .is_some_and(|id| Some(id.as_str()) == component.params.text("global_cluster"))
        })
    };
    match &is.of {
        // Region: fourth field of the ARN that the call names as target.
        Of::Writer => cluster_calls().any(|call| {
            value(call, "TargetDbClusterIdentifier").is_some_and(|arn| arn.split(':').nth(3) == Some(is.value.as_str()))
        }),
        // An operation of ours passes through states of its own and ends in `none`.
        Of::Operation => is.value == NO_OPERATION || cluster_calls().next().is_some(),
        // Aurora itself takes the old writer out and in again after a failover (field guide 2.6).
        Of::Members => cluster_calls().next().is_some(),
        Of::Record(name) => own.iter().filter(|call| call.service == "route53").any(|call| {
            call.params.iter().any(|(_, text)| {
                let Some(rest) = text.strip_prefix(name.as_str()) else { return false };
                let (routing, answer) = is.value.split_once(" -> ").unwrap_or((&is.value, ""));
                let routed = routing == "simple" || rest.contains(&format!(" {routing} "));
                routed && rest.ends_with(&format!("-> {answer}"))
            })
        }),
        Of::ReplicaOf(region) => {
            let known = |id: &str| ["instance", "replica"].iter().any(|name| component.params.text(name) == Some(id));
            let promotes = |call: &&CallDescription| call.operation == "PromoteReadReplica" && call.region == *region;
            is.value.is_empty()
                && own
                    .iter()
                    .filter(promotes)
                    .any(|call| value(call, "DBInstanceIdentifier").is_some_and(|id| known(&id)))
        }
    }
}
