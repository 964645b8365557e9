//! Makes a new global database around a cluster that stands for itself: the first step of rebuilding the topology after
//! `aurora.detach`. The old global database still holds the old primary, so the new one has another name; the estate
//! file names it from then on.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    aurora,
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{optional, required, said},
};
use crate::{
    aws::{WriteOp, rds::CreateGlobalCluster},
    domain::{CallDescription, Hazard, kind::ParamShape, resource::GlobalCluster, text::SafeText},
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "aurora.create-global",
    title: "make a new global database",
    hazard: Hazard::Reversible,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["aurora-global"], required: true },
        required("target", ParamShape::Side, "The side whose cluster becomes the primary of it."),
        required("global_cluster", ParamShape::Text, "Identifier of the new global database."),
        optional("cluster", ParamShape::Text, "Identifier of the cluster; default the component's on that side."),
    ],
    undo: "remove the cluster from it and delete it by hand",
    mutating: Mutating::Yes,
    lasting: Lasting::Leaves("rds-global-cluster"),
    default_timeout: Duration::from_mins(15),
    default_expect: Duration::from_mins(1),
};

pub struct CreateGlobal;

fn call(about: &StepContext<'_>, source_arn: String) -> Result<CreateGlobalCluster, SafeText> {
    let global_cluster = said(about, "global_cluster").ok_or_else(|| SafeText::new("no global_cluster"))?;
    Ok(CreateGlobalCluster { region: about.facts.region(about.target()).clone(), global_cluster, source_arn })
}

/// One of that name is the wanted one when that cluster is its writer.
fn judge(found: Option<&GlobalCluster>, id: &str, arn: &str) -> Observed {
    let Some(found) = found else { return Observed::NotDone(SafeText::new(format!("no global cluster {id}"))) };
    let status = found.status.as_str();
    match found.writer() {
        Some(writer) if writer.cluster_arn == arn && status == "available" => {
            Observed::Done(SafeText::new(format!("{id} is {status}, its writer {arn}")))
        }
        Some(writer) if writer.cluster_arn == arn => Observed::InProgress(SafeText::new(format!("{id} is {status}"))),
        _ if status == "creating" => Observed::InProgress(SafeText::new(format!("{id} is {status}"))),
        _ => Observed::NotDone(SafeText::new(format!("{id} is another global database: {arn} is not its writer"))),
    }
}

impl StepKind for CreateGlobal {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let region = about.facts.region(about.target());
        // The account is AWS's to say: the ARN is read before the call.
        let planned = call(about, format!("arn:aws:rds:{region}:*"));
        Outline {
            calls: planned.map(|call| vec![call.describe()]),
            summary: SafeText::new(format!("rds CreateGlobalCluster in {region}")),
            done_when: SafeText::new(format!("the cluster of {region} is the writer of the new global database")),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for CreateGlobal {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let region = about.facts.region(about.target());
        let id = match aurora::cluster_id(about, "cluster", about.target()) {
            Ok(id) => id,
            Err(why) => return Prepared::NotNow(why),
        };
        let cluster = match aurora::cluster(eyes.reader, region, &id).await {
            Ok(Some(cluster)) => cluster,
            Ok(None) => return Prepared::NotNow(SafeText::new(format!("{region} lists no cluster {id}"))),
            Err(why) => return Prepared::NotNow(why),
        };
        let call = match call(about, cluster.arn.clone()) {
            Ok(call) => call,
            Err(why) => return Prepared::NotNow(why),
        };
        let known = match aurora::look(eyes.reader, region, &call.global_cluster).await {
            Ok(known) => known,
            Err(why) => return Prepared::NotNow(why),
        };
        match judge(known.as_ref(), &call.global_cluster, &cluster.arn) {
            Observed::Done(detail) => Prepared::AlreadyDone(detail),
            Observed::InProgress(detail) => Prepared::Busy(detail),
            Observed::Failed(why) | Observed::Unclear(why) => Prepared::NotNow(why),
            Observed::NotDone(why) if known.is_some() => Prepared::NotNow(why),
            Observed::NotDone(_) => match (&cluster.global_cluster, cluster.status.as_str()) {
                (Some(of), _) => Prepared::NotNow(SafeText::new(format!("{id} belongs to the global database {of}"))),
                (None, "available") => Prepared::Send(Box::new(call)),
                (None, status) => Prepared::Busy(SafeText::new(format!("{id} is {status}"))),
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
        let (Some(id), Some(arn)) = (param(sent, "GlobalClusterIdentifier"), param(sent, "SourceDBClusterIdentifier"))
        else {
            return Observed::Unclear(SafeText::new("the record of the call names no cluster"));
        };
        match aurora::look(eyes.reader, &sent.region, id).await {
            Ok(found) => judge(found.as_ref(), id, arn),
            Err(why) => Observed::Unclear(why),
        }
    }

    fn leaves(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "GlobalClusterIdentifier")?);
        Some(Leftover { kind: "rds-global-cluster".to_owned(), region: sent.region.clone(), id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::aurora::testing::global;

    #[test]
    fn a_global_database_of_that_name_around_another_cluster_is_not_the_wanted_one() {
        let (mumbai, arn) = (global(None), "arn:aws:rds:ap-south-2:111122223333:cluster:payments-hyd");
        let writer = mumbai.members[0].cluster_arn.clone();
        assert!(matches!(judge(Some(&mumbai), "g", &writer), Observed::Done(_)));
        assert!(matches!(judge(Some(&mumbai), "g", arn), Observed::NotDone(_)));
        assert!(matches!(judge(None, "g", arn), Observed::NotDone(_)));
    }
}
