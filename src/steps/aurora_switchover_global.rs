//! Moves the writer of an Aurora global database without losing data; both Regions must be well.
//!
//! Called in the Region of the current primary (field guide 2.6). No idempotency token exists: in doubt the
//! topology is read, the call is never repeated.

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
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "aurora.switchover-global",
    title: "Aurora global switchover",
    hazard: Hazard::Disruptive,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["aurora-global"], required: true },
        StepParamSpec::Value(ParamSpec {
            name: "target",
            shape: ParamShape::Side,
            required: true,
            doc: "The side that becomes the writer.",
        }),
    ],
    undo: "a switchover to the other side",
    mutating: Mutating::Yes,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(20),
    default_expect: Duration::from_mins(2),
};

pub struct SwitchoverGlobal;

/// Sent to the Region of the current primary. Once the target is the writer there is nothing to call from the
/// other Region: the call is then told as it was, from the side that is left.
fn call(about: &StepContext<'_>) -> Result<rds::SwitchoverGlobalCluster, SafeText> {
    let target = about.target();
    let (global_cluster, target_arn, cluster) = aurora::member(about, target)?;
    let target_region = about.facts.region(target);
    let region = match cluster.writer() {
        Some(writer) if writer.region != *target_region => writer.region.clone(),
        Some(_) => about.facts.region(target.other()).clone(),
        None => return Err(SafeText::new(format!("{global_cluster} has no writer"))),
    };
    Ok(rds::SwitchoverGlobalCluster { region, global_cluster, target_arn })
}

impl StepKind for SwitchoverGlobal {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let target = about.facts.region(about.target());
        let call = call(about);
        let summary = match &call {
            Ok(call) => format!("rds SwitchoverGlobalCluster in {} (the current primary) to {target}", call.region),
            Err(_) => format!("rds SwitchoverGlobalCluster to {target}"),
        };
        Outline {
            calls: call.map(|call| vec![call.describe()]),
            summary: SafeText::new(summary),
            done_when: SafeText::new(format!("the writer is {target} and the status is available")),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for SwitchoverGlobal {
    async fn prepare(&self, _about: &StepContext<'_>, planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let [planned] = planned else { return Prepared::NotNow(SafeText::new("the plan holds no call")) };
        let (Some(id), Some(target)) =
            (param(planned, "GlobalClusterIdentifier"), param(planned, "TargetDbClusterIdentifier"))
        else {
            return Prepared::NotNow(SafeText::new("the planned call names no cluster"));
        };
        match aurora::read(eyes.reader, &planned.region, id).await.map(|cluster| aurora::standing(&cluster, target)) {
            Err(why) | Ok(Standing::Odd(why)) => Prepared::NotNow(why),
            Ok(Standing::Moved(detail)) => Prepared::AlreadyDone(detail),
            Ok(Standing::Busy(detail)) => Prepared::Busy(detail),
            Ok(Standing::Still(writer)) if writer != planned.region => Prepared::NotNow(SafeText::new(format!(
                "the writer is {writer} now, planned was {}: make a new plan",
                planned.region
            ))),
            Ok(Standing::Still(_)) => Prepared::Send(Box::new(rds::SwitchoverGlobalCluster {
                region: planned.region.clone(),
                global_cluster: id.to_owned(),
                target_arn: target.to_owned(),
            })),
        }
    }

    /// Asked in the target's Region: it is the one that must work afterwards.
    async fn observe(
        &self,
        _about: &StepContext<'_>,
        sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        let region = param(sent, "TargetDbClusterIdentifier").and_then(aurora::region_of);
        aurora::observe_move(eyes.reader, sent, &region.unwrap_or_else(|| sent.region.clone())).await
    }
}
