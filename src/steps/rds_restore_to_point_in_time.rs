//! Restores a database to a point in time, beside the one it is restored from: the answer to corrupted data.
//!
//! Works only where the instance itself lives and has automated backups (field guide 2.2). Across Regions AWS restores
//! from replicated automated backups, which are not confirmed between Mumbai and Hyderabad (field guide 2.4): this kind
//! does not offer it.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{self, optional, required, said},
};
use crate::{
    aws::{
        WriteOp,
        rds::{RestoreDbInstanceToPointInTime, RestoreTo},
    },
    domain::{CallDescription, Hazard, Timestamp, kind::ParamShape, resource::DbInstance, text::SafeText},
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "rds.restore-to-point-in-time",
    title: "restore to a point in time",
    hazard: Hazard::Reversible,
    params: &[
        rds::COMPONENT,
        required("target", ParamShape::Side, "The side where the instance lives and is restored beside."),
        required("instance", ParamShape::Text, "Identifier of the new instance."),
        optional("source", ParamShape::Text, "Identifier of the instance; default the component's `instance`."),
        optional(
            "time",
            ParamShape::Text,
            "The moment, e.g. 2026-11-20T08:45:00Z; default the newest one that can be restored.",
        ),
        rds::INSTANCE_CLASS,
        rds::SUBNET_GROUP,
    ],
    undo: "rds.delete-instance of what it made",
    mutating: Mutating::Yes,
    lasting: Lasting::Leaves("rds-instance"),
    default_timeout: Duration::from_hours(4),
    default_expect: Duration::from_mins(30),
};

pub struct RestoreToPointInTime;

fn call(about: &StepContext<'_>) -> Result<RestoreDbInstanceToPointInTime, SafeText> {
    let component = about.component()?;
    let to = match said(about, "time") {
        None => RestoreTo::Latest,
        Some(text) => Timestamp::parse(&text)
            .map(RestoreTo::At)
            .ok_or_else(|| SafeText::new(format!("time: `{text}` is no moment such as 2026-11-20T08:45:00Z")))?,
    };
    Ok(RestoreDbInstanceToPointInTime {
        region: about.facts.region(about.target()).clone(),
        instance: said(about, "instance").ok_or_else(|| SafeText::new("no instance"))?,
        source: rds::said_or(about, "source", component, "instance")?,
        to,
        class: rds::class(about, component),
        subnet_group: rds::of_side(about, component, "subnet_group", "subnet_groups"),
        tags: rds::mark(about),
    })
}

/// Whether the source can be restored to that moment; what AWS would refuse is told before.
fn reaches(source: &DbInstance, to: RestoreTo) -> Result<(), SafeText> {
    match (source.latest_restorable, to) {
        (None, _) => Err(SafeText::new(format!(
            "{} has no latest restorable time: its automated backups are off, or it is a replica",
            source.id
        ))),
        (Some(latest), RestoreTo::At(time)) if time > latest => Err(SafeText::new(format!(
            "{} can be restored up to {}, not to {}",
            source.id,
            latest.rfc3339(),
            time.rfc3339()
        ))),
        _ => Ok(()),
    }
}

impl StepKind for RestoreToPointInTime {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let to = said(about, "time").unwrap_or_else(|| "the newest restorable moment".to_owned());
        let city = about.facts.city(about.target());
        Outline {
            calls: call(about).map(|call| vec![call.describe()]),
            summary: SafeText::new(format!("rds RestoreDBInstanceToPointInTime in {city} to {to}")),
            done_when: SafeText::new("the new instance is available"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for RestoreToPointInTime {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let call = match call(about) {
            Ok(call) => call,
            Err(why) => return Prepared::NotNow(why),
        };
        let instances = match rds::instances(eyes.reader, &call.region).await {
            Ok(instances) => instances,
            Err(why) => return Prepared::NotNow(why),
        };
        let find = |id: &str| instances.iter().find(|found| found.id.as_str() == id);
        if let Some(prepared) = rds::free(find(&call.instance), &call.tags, &call.instance) {
            return prepared;
        }
        match find(&call.source).map(|source| reaches(source, call.to)) {
            None => Prepared::NotNow(SafeText::new(format!("{} lists no {}", call.region, call.source))),
            Some(Err(why)) => Prepared::NotNow(why),
            Some(Ok(())) => Prepared::Send(Box::new(call)),
        }
    }

    async fn observe(
        &self,
        _about: &StepContext<'_>,
        sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        rds::observe_made(eyes.reader, sent, "TargetDBInstanceIdentifier").await
    }

    fn leaves(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "TargetDBInstanceIdentifier")?);
        Some(Leftover { kind: "rds-instance".to_owned(), region: sent.region.clone(), id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::rds::testing::made;

    #[test]
    fn a_moment_beyond_what_can_be_restored_and_a_source_without_backups_are_told_before_anything_is_sent() {
        let at = Timestamp::from_secs;
        let source = DbInstance { latest_restorable: Some(at(1_000)), ..made("core", "available", None) };
        assert!(reaches(&source, RestoreTo::Latest).is_ok());
        assert!(reaches(&source, RestoreTo::At(at(1_000))).is_ok());
        assert!(reaches(&source, RestoreTo::At(at(1_001))).is_err());
        assert!(reaches(&made("core", "available", None), RestoreTo::Latest).is_err());
    }
}
