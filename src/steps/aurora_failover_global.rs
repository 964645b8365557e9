//! Promotes the secondary cluster of an Aurora global database although the primary may still hold newer data.
//!
//! Called in the Region of the chosen secondary, so that it works while the primary Region is gone (field guide
//! 2.6). No idempotency token exists: in doubt the topology is read, the call is never repeated.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    aurora::{self, Standing},
    kind::{Conduct, Eyes, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
};
use crate::{
    aws::{WriteOp, rds},
    domain::{
        CallDescription, Hazard,
        kind::{ParamShape, ParamSpec},
        text::SafeText,
    },
    runbook::{
        build::Outline,
        guards::{self, LossBound},
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "aurora.failover-global",
    title: "Aurora global failover",
    hazard: Hazard::DataLoss,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["aurora-global"], required: true },
        StepParamSpec::Value(ParamSpec {
            name: "target",
            shape: ParamShape::Side,
            required: true,
            doc: "The side that is promoted.",
        }),
        StepParamSpec::Value(ParamSpec {
            name: "allow_data_loss",
            shape: ParamShape::Flag,
            required: true,
            doc: "Must be true: without it AWS makes a switchover of it.",
        }),
    ],
    undo: "none: the way back is a failback",
    mutating: Mutating::Yes,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(10),
    default_expect: Duration::from_mins(1),
};

pub struct FailoverGlobal;

/// Sent to the Region of the target, so that it works when the primary is gone.
fn call(about: &StepContext<'_>) -> Result<rds::FailoverGlobalCluster, SafeText> {
    if !about.step.flag("allow_data_loss") {
        return Err(SafeText::new("allow_data_loss is not true: AWS would make a switchover of it"));
    }
    let target = about.target();
    let (global_cluster, target_arn, _) = aurora::member(about, target)?;
    Ok(rds::FailoverGlobalCluster { region: about.facts.region(target).clone(), global_cluster, target_arn })
}

impl StepKind for FailoverGlobal {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let region = about.facts.region(about.target());
        Outline {
            calls: call(about).map(|call| vec![call.describe()]),
            summary: SafeText::new(format!("rds FailoverGlobalCluster in {region}")),
            done_when: SafeText::new(format!("the writer is {region} and the status is available")),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for FailoverGlobal {
    async fn prepare(&self, about: &StepContext<'_>, planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let [planned] = planned else { return Prepared::NotNow(SafeText::new("the plan holds no call")) };
        let (Some(id), Some(target)) =
            (param(planned, "GlobalClusterIdentifier"), param(planned, "TargetDbClusterIdentifier"))
        else {
            return Prepared::NotNow(SafeText::new("the planned call names no cluster"));
        };
        if !about.step.flag("allow_data_loss") {
            return Prepared::NotNow(SafeText::new("allow_data_loss is not true"));
        }
        match aurora::read(eyes.reader, &planned.region, id).await.map(|cluster| aurora::standing(&cluster, target)) {
            Err(why) | Ok(Standing::Odd(why)) => Prepared::NotNow(why),
            Ok(Standing::Moved(detail)) => Prepared::AlreadyDone(detail),
            Ok(Standing::Busy(detail)) => Prepared::Busy(detail),
            Ok(Standing::Still(_)) => Prepared::Send(Box::new(rds::FailoverGlobalCluster {
                region: planned.region.clone(),
                global_cluster: id.to_owned(),
                target_arn: target.to_owned(),
            })),
        }
    }

    async fn observe(
        &self,
        _about: &StepContext<'_>,
        sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        aurora::observe_move(eyes.reader, sent, &sent.region).await
    }

    fn loss(&self, about: &StepContext<'_>) -> Option<LossBound> {
        Some(match about.component() {
            Ok(component) => guards::loss_bound(about.facts, &component.id, about.now),
            Err(why) => LossBound { bound: None, since: None, lines: vec![why] },
        })
    }
}
