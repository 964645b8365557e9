//! Takes the secondary cluster out of its global database and promotes it ("detach and promote"): the way out when a
//! managed failover is refused, e.g. because of unequal versions (field guide 2.6).
//!
//! Irreversible: a cluster never comes back into a global database that it left; the topology is rebuilt by hand
//! (`aurora.create-global`, `aurora.rejoin`, `aurora.add-instance`). The old primary is not fenced by it. Called in the
//! Region of the chosen secondary. No idempotency token: in doubt the topology is read, the call is never repeated.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    aurora,
    kind::{Conduct, Eyes, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::required,
};
use crate::{
    aws::{WriteOp, rds::RemoveFromGlobalCluster},
    domain::{
        CallDescription, Hazard,
        kind::ParamShape,
        resource::{DbCluster, GlobalCluster},
        text::SafeText,
    },
    runbook::{
        build::Outline,
        guards::{self, LossBound},
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "aurora.detach",
    title: "detach and promote",
    hazard: Hazard::DataLoss,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["aurora-global"], required: true },
        required("target", ParamShape::Side, "The side whose cluster is taken out and promoted."),
        required(
            "allow_data_loss",
            ParamShape::Flag,
            "Must be true: what the cluster has not received is lost, and the primary is not fenced.",
        ),
    ],
    undo: "irreversible because a cluster never comes back into a global database that it left: the topology is rebuilt by hand",
    mutating: Mutating::Yes,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(15),
    default_expect: Duration::from_mins(1),
};

pub struct Detach;

fn call(about: &StepContext<'_>) -> Result<RemoveFromGlobalCluster, SafeText> {
    if !about.step.flag("allow_data_loss") {
        return Err(SafeText::new("allow_data_loss is not true"));
    }
    let target = about.target();
    let (global_cluster, cluster_arn, _) = aurora::member(about, target)?;
    Ok(RemoveFromGlobalCluster { region: about.facts.region(target).clone(), global_cluster, cluster_arn })
}

/// Where the cluster stands, from both lists: a Region sees a global database only while it has a member in it, so that
/// nothing being listed is what a finished detach looks like too.
fn judge(arn: &str, global: Option<&GlobalCluster>, cluster: Option<&DbCluster>) -> Observed {
    let Some(cluster) = cluster else {
        return Observed::Unclear(SafeText::new(format!("{arn} is not listed by its own Region")));
    };
    let (id, status) = (&cluster.id, cluster.status.as_str());
    let member = global.and_then(|global| global.members.iter().find(|member| member.cluster_arn == arn));
    if let Some(running) = global.and_then(|global| global.failover.as_ref()) {
        return Observed::InProgress(SafeText::new(format!("its global database is {}", running.status)));
    }
    match member {
        Some(member) if member.writer => Observed::NotDone(SafeText::new(format!("{id} is the primary"))),
        Some(_) if status == "available" => Observed::NotDone(SafeText::new(format!("{id} is a secondary, {status}"))),
        Some(_) => Observed::InProgress(SafeText::new(format!("{id} is {status}"))),
        None if status != "available" => Observed::InProgress(SafeText::new(format!("{id} is out and {status}"))),
        None if cluster.replicates_from.is_some() => {
            Observed::InProgress(SafeText::new(format!("{id} is out and still follows its source")))
        }
        None => Observed::Done(SafeText::new(format!("{id} stands alone and is available"))),
    }
}

async fn look(
    planned: &CallDescription,
    eyes: &Eyes<'_>,
) -> Result<(String, Option<GlobalCluster>, Option<DbCluster>), SafeText> {
    let (Some(id), Some(arn)) = (param(planned, "GlobalClusterIdentifier"), param(planned, "DbClusterIdentifier"))
    else {
        return Err(SafeText::new("the call names no cluster"));
    };
    let global = aurora::look(eyes.reader, &planned.region, id).await?;
    let cluster = aurora::cluster(eyes.reader, &planned.region, aurora::tail(arn)).await?;
    Ok((arn.to_owned(), global, cluster.filter(|cluster| cluster.arn == arn)))
}

impl StepKind for Detach {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let region = about.facts.region(about.target());
        Outline {
            calls: call(about).map(|call| vec![call.describe()]),
            summary: SafeText::new(format!("rds RemoveFromGlobalCluster in {region}: one-way, nobody is fenced")),
            done_when: SafeText::new(format!("the cluster of {region} stands alone and is available")),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for Detach {
    async fn prepare(&self, about: &StepContext<'_>, planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let [planned] = planned else { return Prepared::NotNow(SafeText::new("the plan holds no call")) };
        if !about.step.flag("allow_data_loss") {
            return Prepared::NotNow(SafeText::new("allow_data_loss is not true"));
        }
        let (arn, global, cluster) = match look(planned, eyes).await {
            Ok(seen) => seen,
            Err(why) => return Prepared::NotNow(why),
        };
        match judge(&arn, global.as_ref(), cluster.as_ref()) {
            Observed::Done(detail) => Prepared::AlreadyDone(detail),
            Observed::InProgress(detail) => Prepared::Busy(detail),
            Observed::Failed(why) | Observed::Unclear(why) => Prepared::NotNow(why),
            Observed::NotDone(why) => match global {
                Some(global) if global.members.iter().any(|member| member.cluster_arn == arn && !member.writer) => {
                    Prepared::Send(Box::new(RemoveFromGlobalCluster {
                        region: planned.region.clone(),
                        global_cluster: global.id.to_string(),
                        cluster_arn: arn,
                    }))
                }
                _ => Prepared::NotNow(why),
            },
        }
    }

    async fn observe(
        &self,
        _about: &StepContext<'_>,
        sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        match look(sent, eyes).await {
            Ok((arn, global, cluster)) => judge(&arn, global.as_ref(), cluster.as_ref()),
            Err(why) => Observed::Unclear(why),
        }
    }

    fn loss(&self, about: &StepContext<'_>) -> Option<LossBound> {
        Some(match about.component() {
            Ok(component) => guards::loss_bound(about.facts, &component.id, about.now),
            Err(why) => LossBound { bound: None, since: None, lines: vec![why] },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::aurora::testing::{cluster, global};

    #[test]
    fn it_is_done_only_when_the_cluster_is_out_available_and_follows_nobody() {
        let arn = "arn:aws:rds:ap-south-2:111122223333:cluster:payments-hyd";
        let (inside, alone) = (global(Some(arn)), global(None));
        let at = |status: &str, follows: Option<&str>| cluster(arn, status, follows);
        let seen = |global: Option<&GlobalCluster>, cluster: &DbCluster| judge(arn, global, Some(cluster));
        assert!(matches!(seen(Some(&inside), &at("available", Some("x"))), Observed::NotDone(_)));
        assert!(matches!(seen(Some(&inside), &at("promoting", Some("x"))), Observed::InProgress(_)));
        assert!(matches!(seen(Some(&alone), &at("promoting", None)), Observed::InProgress(_)));
        assert!(matches!(seen(None, &at("available", Some("x"))), Observed::InProgress(_)));
        assert!(matches!(seen(None, &at("available", None)), Observed::Done(_)));
        assert!(matches!(judge(arn, None, None), Observed::Unclear(_)), "not listed is not proof");
    }
}
