//! Gives a cluster an instance: a secondary without one is headless, and neither a switchover nor a failover takes it as
//! a target (field guide 2.6).

use std::time::Duration;

use async_trait::async_trait;

use super::{
    aurora,
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{self, optional, required, said},
};
use crate::{
    aws::{WriteOp, rds::CreateDbClusterInstance},
    domain::{CallDescription, Hazard, kind::ParamShape, text::SafeText},
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "aurora.add-instance",
    title: "add an instance to the cluster",
    hazard: Hazard::Reversible,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["aurora-global"], required: true },
        required("target", ParamShape::Side, "The side of the cluster."),
        required("instance", ParamShape::Text, "Identifier of the new instance."),
        required(
            "instance_class",
            ParamShape::Text,
            "Its class, e.g. db.r6g.2xlarge: that of the writer it may replace.",
        ),
        optional("cluster", ParamShape::Text, "Identifier of the cluster; default the component's on that side."),
    ],
    undo: "delete the instance by hand: the cluster's data is not touched",
    mutating: Mutating::Yes,
    lasting: Lasting::Leaves("rds-instance"),
    default_timeout: Duration::from_mins(60),
    default_expect: Duration::from_mins(8),
};

pub struct AddInstance;

fn call(about: &StepContext<'_>, engine: String) -> Result<CreateDbClusterInstance, SafeText> {
    let text = |name: &str| said(about, name).ok_or_else(|| SafeText::new(format!("no {name}")));
    Ok(CreateDbClusterInstance {
        region: about.facts.region(about.target()).clone(),
        instance: text("instance")?,
        cluster: aurora::cluster_id(about, "cluster", about.target())?,
        engine,
        class: text("instance_class")?,
        tags: rds::mark(about),
    })
}

impl StepKind for AddInstance {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let region = about.facts.region(about.target());
        Outline {
            calls: call(about, "aurora*".to_owned()).map(|call| vec![call.describe()]),
            summary: SafeText::new(format!("rds CreateDBInstance in {region}, of a cluster")),
            done_when: SafeText::new("the instance is available"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for AddInstance {
    async fn prepare(&self, about: &StepContext<'_>, planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let [planned] = planned else { return Prepared::NotNow(SafeText::new("the plan holds no call")) };
        let Some(cluster) = param(planned, "DBClusterIdentifier") else {
            return Prepared::NotNow(SafeText::new("the planned call names no cluster"));
        };
        let cluster = match aurora::cluster(eyes.reader, &planned.region, cluster).await {
            Ok(Some(cluster)) => cluster,
            Ok(None) => return Prepared::NotNow(SafeText::new(format!("{} lists no {cluster}", planned.region))),
            Err(why) => return Prepared::NotNow(why),
        };
        let call = match call(about, cluster.engine.to_string()) {
            Ok(call) => call,
            Err(why) => return Prepared::NotNow(why),
        };
        match rds::instance(eyes.reader, &call.region, &call.instance).await {
            Err(why) => Prepared::NotNow(why),
            Ok(found) => match rds::free(found.as_ref(), &call.tags, &call.instance) {
                Some(prepared) => prepared,
                None if cluster.status.as_str() == "available" => Prepared::Send(Box::new(call)),
                None => Prepared::Busy(SafeText::new(format!("{} is {}", cluster.id, cluster.status))),
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
        rds::observe_made(eyes.reader, sent, "DBInstanceIdentifier").await
    }

    fn leaves(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "DBInstanceIdentifier")?);
        Some(Leftover { kind: "rds-instance".to_owned(), region: sent.region.clone(), id })
    }
}
