//! Gives a global database a secondary in the Region that lost its own: the old side joins again, as a *new* cluster.
//!
//! A cluster that left, or an old primary that was left behind, cannot be put back (field guide 2.6): its data is stale
//! and stays where it is until somebody has reconciled it. The new cluster has no instance yet: `aurora.add-instance`
//! is the next step, for a headless secondary cannot take over.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    aurora,
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param, why},
    rds::{self, MARK, optional, required, said},
};
use crate::{
    aws::{WriteOp, rds::CreateDbCluster},
    domain::{CallDescription, Hazard, kind::ParamShape, text::SafeText},
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "aurora.rejoin",
    title: "join as a secondary",
    hazard: Hazard::Reversible,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["aurora-global"], required: true },
        required("target", ParamShape::Side, "The side that joins."),
        required("cluster", ParamShape::Text, "Identifier of the new cluster; not that of one which is still there."),
        optional("global_cluster", ParamShape::Text, "The global database; default the component's."),
        optional("kms_key", ParamShape::Arn, "Key in the Region of `target`; needed where the primary is encrypted."),
        optional("subnet_group", ParamShape::Text, "DB subnet group in the Region of `target`."),
    ],
    undo: "take it out of the global database and delete it by hand",
    mutating: Mutating::Yes,
    lasting: Lasting::Leaves("rds-cluster"),
    // Documented: minutes to hours.
    default_timeout: Duration::from_hours(12),
    default_expect: Duration::from_mins(20),
};

pub struct Rejoin;

fn call(about: &StepContext<'_>, engine: String, engine_version: String) -> Result<CreateDbCluster, SafeText> {
    let global = about.component()?.params.text("global_cluster").map(str::to_owned);
    Ok(CreateDbCluster {
        region: about.facts.region(about.target()).clone(),
        cluster: said(about, "cluster").ok_or_else(|| SafeText::new("no cluster"))?,
        global_cluster: said(about, "global_cluster").or(global).ok_or_else(|| SafeText::new("no global_cluster"))?,
        engine,
        engine_version,
        kms_key: said(about, "kms_key"),
        subnet_group: said(about, "subnet_group"),
        tags: rds::mark(about),
    })
}

impl StepKind for Rejoin {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let region = about.facts.region(about.target());
        // Engine and version are the global database's at that moment.
        let planned = call(about, "aurora*".to_owned(), "*".to_owned());
        Outline {
            calls: planned.map(|call| vec![call.describe()]),
            summary: SafeText::new(format!("rds CreateDBCluster in {region}, as a secondary")),
            done_when: SafeText::new("the new cluster is available and connected"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for Rejoin {
    async fn prepare(&self, about: &StepContext<'_>, planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let [planned] = planned else { return Prepared::NotNow(SafeText::new("the plan holds no call")) };
        let Some(global) = param(planned, "GlobalClusterIdentifier") else {
            return Prepared::NotNow(SafeText::new("the planned call names no global cluster"));
        };
        // Seen from the side that is in it: this one has no member yet.
        let there = about.facts.region(about.target().other());
        let global = match aurora::read(eyes.reader, there, global).await {
            Ok(global) => global,
            Err(why) => return Prepared::NotNow(why),
        };
        let call = match call(about, global.engine.to_string(), global.engine_version.to_string()) {
            Ok(call) => call,
            Err(why) => return Prepared::NotNow(why),
        };
        let text = |text: String| SafeText::new(text);
        match aurora::cluster(eyes.reader, &call.region, &call.cluster).await {
            Err(why) => return Prepared::NotNow(why),
            Ok(Some(found)) if found.tags.get(MARK) != call.tags.get(MARK) => {
                return Prepared::NotNow(text(format!(
                    "{} exists already in {} and was not made by this step: name another",
                    found.id, call.region
                )));
            }
            Ok(Some(found)) if found.status.as_str() == "available" => {
                return Prepared::AlreadyDone(text(format!("{} was made by this step and is available", found.id)));
            }
            Ok(Some(found)) => {
                return Prepared::Busy(text(format!("{} was made by this step and is {}", found.id, found.status)));
            }
            Ok(None) => {}
        }
        if let Some(running) = &global.failover {
            return Prepared::Busy(text(format!("{} is {}", global.id, running.status)));
        }
        match global.member_in(&call.region) {
            Some(member) => Prepared::NotNow(text(format!("{} has a member here: {}", global.id, member.cluster_arn))),
            None => Prepared::Send(Box::new(call)),
        }
    }

    async fn observe(
        &self,
        about: &StepContext<'_>,
        sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        let (Some(id), Some(global), Some(mark)) =
            (param(sent, "DBClusterIdentifier"), param(sent, "GlobalClusterIdentifier"), param(sent, "Tags"))
        else {
            return Observed::Unclear(SafeText::new("the record of the call names no cluster"));
        };
        let found = match aurora::cluster(eyes.reader, &sent.region, id).await {
            Err(why) => return Observed::Unclear(why),
            Ok(None) => return Observed::NotDone(SafeText::new(format!("{} lists no cluster {id}", sent.region))),
            Ok(Some(found)) => found,
        };
        if found.tags.get(MARK).is_none_or(|own| format!("{MARK}={own}") != mark) {
            return Observed::NotDone(SafeText::new(format!("{id} was made by another hand")));
        }
        if rds::stuck(&found.status) {
            let text = format!("{id} is {}: it does not become available by itself", found.status);
            return Observed::Failed(SafeText::new(text));
        }
        if found.status.as_str() != "available" {
            return Observed::InProgress(SafeText::new(format!("{id} is {}", found.status)));
        }
        let there = about.facts.region(about.target().other());
        let op = crate::aws::rds::DescribeGlobalClusters { region: there.clone(), id: Some(global.to_owned()) };
        let listed = match eyes.reader.read(&op).await {
            Ok(answer) => answer.value,
            Err(error) => return Observed::Unclear(why(&error)),
        };
        let member = listed.iter().flat_map(|global| &global.members).find(|member| member.cluster_arn == found.arn);
        match member.and_then(|member| member.synchronization.as_deref()) {
            Some("connected") => Observed::Done(SafeText::new(format!("{id} is available and connected"))),
            Some(word) => Observed::InProgress(SafeText::new(format!("{id} is available and {word}"))),
            None => Observed::Unclear(SafeText::new(format!("{there} does not say how {id} is synchronized"))),
        }
    }

    fn leaves(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "DBClusterIdentifier")?);
        Some(Leftover { kind: "rds-cluster".to_owned(), region: sent.region.clone(), id })
    }
}
