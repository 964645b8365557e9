//! Promotes a cross-Region read replica to an instance of its own.
//!
//! Irreversible: what the source still had is lost, and the way back is to build a replica in the other direction
//! (field guide 2.5). AWS refuses it while the replica is `backing-up`. No idempotency token exists: in doubt the
//! replica is looked at, the call is never repeated.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{self, optional, required},
};
use crate::{
    aws::{WriteOp, rds::PromoteReadReplica},
    domain::{CallDescription, Hazard, app::Param, kind::ParamShape, resource::DbInstance, text::SafeText},
    runbook::{
        build::Outline,
        guards::{self, LossBound},
        spec::{Lasting, Mutating, StepKindSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "rds.promote-replica",
    title: "promote the read replica",
    hazard: Hazard::DataLoss,
    params: &[
        rds::COMPONENT,
        required("target", ParamShape::Side, "The side whose replica is promoted."),
        optional("instance", ParamShape::Text, "Identifier of the replica; default the component's `replica`."),
        optional(
            "retention_days",
            ParamShape::Number,
            "Automated backups of the new primary, 1 to 35 days; default 7. With 0 it could not be restored to a point in time.",
        ),
    ],
    undo: "irreversible because a promoted replica never follows its source again: the way back is a new replica in the other direction",
    mutating: Mutating::Yes,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(30),
    default_expect: Duration::from_mins(6),
};

pub struct PromoteReplica;

const RETENTION_DAYS: u32 = 7;
/// What AWS takes.
const RETENTION_DAYS_MAX: f64 = 35.0;

fn call(about: &StepContext<'_>) -> Result<PromoteReadReplica, SafeText> {
    let instance = rds::said_or(about, "instance", about.component()?, "replica")?;
    let retention_days = match about.step.value("retention_days") {
        Some(Param::Number(days)) if (1.0..=RETENTION_DAYS_MAX).contains(days) && days.fract() == 0.0 => *days as u32,
        Some(_) => return Err(SafeText::new("retention_days is not a whole number from 1 to 35")),
        None => RETENTION_DAYS,
    };
    Ok(PromoteReadReplica { region: about.facts.region(about.target()).clone(), instance, retention_days })
}

/// A replica that can be promoted now, or why not.
fn judge(found: &DbInstance) -> Result<(), Prepared> {
    let (id, status) = (&found.id, found.status.as_str());
    let text = |text: String| SafeText::new(text);
    if found.cluster.is_some() {
        return Err(Prepared::NotNow(text(format!("{id} belongs to an Aurora cluster: it is not promoted this way"))));
    }
    match (&found.replica_of, status) {
        (None, "available" | "backing-up") => {
            Err(Prepared::AlreadyDone(text(format!("{id} follows nobody and is {status}"))))
        }
        (None, _) | (Some(_), "modifying" | "rebooting") => {
            Err(Prepared::Busy(text(format!("{id} is {status}: somebody's change is under way"))))
        }
        (Some(_), "available") => Ok(()),
        (Some(_), "backing-up") => {
            Err(Prepared::Busy(text(format!("{id} is backing-up: AWS refuses to promote it until that has ended"))))
        }
        (Some(_), _) => Err(Prepared::NotNow(text(format!("{id} is {status}")))),
    }
}

fn seen(found: &DbInstance) -> Observed {
    let (id, status) = (&found.id, found.status.as_str());
    match (&found.replica_of, status) {
        (None, "available") => Observed::Done(SafeText::new(format!(
            "{id} stands alone and is available, backups kept for {} days",
            found.backup_retention_days
        ))),
        (Some(source), "available" | "backing-up") => {
            Observed::NotDone(SafeText::new(format!("{id} is {status} and follows {source}")))
        }
        (_, status) => Observed::InProgress(SafeText::new(format!("{id} is {status}"))),
    }
}

impl StepKind for PromoteReplica {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let city = about.facts.city(about.target());
        Outline {
            calls: call(about).map(|call| vec![call.describe()]),
            summary: SafeText::new(format!("rds PromoteReadReplica in {city}: the instance reboots")),
            done_when: SafeText::new("it follows nobody and is available"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for PromoteReplica {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let call = match call(about) {
            Ok(call) => call,
            Err(why) => return Prepared::NotNow(why),
        };
        match rds::instance(eyes.reader, &call.region, &call.instance).await {
            Err(why) => Prepared::NotNow(why),
            Ok(None) => Prepared::NotNow(SafeText::new(format!("{} lists no {}", call.region, call.instance))),
            Ok(Some(found)) => match judge(&found) {
                Err(prepared) => prepared,
                Ok(()) => Prepared::Send(Box::new(call)),
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
        let Some(id) = param(sent, "DBInstanceIdentifier") else {
            return Observed::Unclear(SafeText::new("the record of the call names no instance"));
        };
        match rds::instance(eyes.reader, &sent.region, id).await {
            Err(why) => Observed::Unclear(why),
            Ok(None) => Observed::Unclear(SafeText::new(format!("{} does not list {id} any more", sent.region))),
            Ok(Some(found)) => seen(&found),
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
    use crate::steps::rds::testing::made;

    fn replica(status: &str, of: Option<&str>) -> DbInstance {
        DbInstance { replica_of: of.map(str::to_owned), ..made("core-hyd", status, None) }
    }

    #[test]
    fn a_replica_is_promoted_only_from_available_and_backing_up_is_waited_for() {
        assert!(judge(&replica("available", Some("core"))).is_ok());
        assert!(matches!(judge(&replica("backing-up", Some("core"))), Err(Prepared::Busy(_))));
        assert!(matches!(judge(&replica("modifying", Some("core"))), Err(Prepared::Busy(_))));
        assert!(matches!(judge(&replica("creating", Some("core"))), Err(Prepared::NotNow(_))));
        assert!(matches!(judge(&replica("available", None)), Err(Prepared::AlreadyDone(_))));
        let member = DbInstance { cluster: Some("payments-hyd".into()), ..replica("available", Some("core")) };
        assert!(matches!(judge(&member), Err(Prepared::NotNow(_))));
    }

    #[test]
    fn it_is_done_when_it_follows_nobody_and_is_available_and_not_before() {
        assert!(matches!(seen(&replica("available", None)), Observed::Done(_)));
        assert!(matches!(seen(&replica("available", Some("core"))), Observed::NotDone(_)));
        for status in ["modifying", "rebooting"] {
            assert!(matches!(seen(&replica(status, Some("core"))), Observed::InProgress(_)), "{status}");
        }
        assert!(matches!(seen(&replica("backing-up", None)), Observed::InProgress(_)));
    }
}
