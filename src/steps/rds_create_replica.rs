//! Makes a read replica of a database in the other Region: protection anew after a promotion, and the way home.
//!
//! Called in the replica's Region with the source's ARN; an encrypted source needs a key of that Region (field guide
//! 2.5). Both Regions must answer. The old primary of a promotion is stale: it is never written to, and it never becomes
//! a replica again; a new one takes its place.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{self, optional, required},
};
use crate::{
    aws::{WriteOp, rds::CreateDbInstanceReadReplica},
    domain::{CallDescription, Component, Hazard, Side, kind::ParamShape, resource::DbInstance, text::SafeText},
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "rds.create-replica",
    title: "create a read replica",
    hazard: Hazard::Reversible,
    params: &[
        rds::COMPONENT,
        required("target", ParamShape::Side, "The side that gets the replica."),
        optional(
            "source",
            ParamShape::Text,
            "Identifier of the source on the other side; default the component's own instance there.",
        ),
        optional("instance", ParamShape::Text, "Identifier of the replica; default the component's own replica there."),
        rds::INSTANCE_CLASS,
        rds::SUBNET_GROUP,
        rds::KMS_KEY,
    ],
    undo: "delete the replica: its source is not touched",
    mutating: Mutating::Yes,
    lasting: Lasting::Leaves("rds-instance"),
    default_timeout: Duration::from_hours(12),
    default_expect: Duration::from_mins(40),
};

pub struct CreateReplica;

/// What the component calls its instance on that side: its own at home, its replica on the other.
fn known_on(component: &Component, side: Side) -> &'static str {
    if rds::home(component) == side { "instance" } else { "replica" }
}

fn source_id(about: &StepContext<'_>) -> Result<String, SafeText> {
    let component = about.component()?;
    rds::said_or(about, "source", component, known_on(component, about.target().other()))
}

fn call(about: &StepContext<'_>, source_arn: String) -> Result<CreateDbInstanceReadReplica, SafeText> {
    let component = about.component()?;
    Ok(CreateDbInstanceReadReplica {
        region: about.facts.region(about.target()).clone(),
        instance: rds::said_or(about, "instance", component, known_on(component, about.target()))?,
        source_arn,
        kms_key: rds::of_side(about, component, "kms_key", "kms_keys"),
        class: rds::class(about, component),
        subnet_group: rds::of_side(about, component, "subnet_group", "subnet_groups"),
        tags: rds::mark(about),
    })
}

/// Whether a replica of it can be made: AWS wants automated backups on (documented).
fn fit(source: &DbInstance) -> Result<(), SafeText> {
    let status = source.status.as_str();
    if source.replica_of.is_some() {
        return Err(SafeText::new(format!("{} is itself a replica", source.id)));
    }
    if source.backup_retention_days == 0 {
        return Err(SafeText::new(format!("{} has no automated backups: AWS makes no replica of it", source.id)));
    }
    if !["available", "backing-up"].contains(&status) {
        return Err(SafeText::new(format!("{} is {status}", source.id)));
    }
    Ok(())
}

impl StepKind for CreateReplica {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let (here, there) = (about.facts.city(about.target()), about.facts.region(about.target().other()));
        let planned = source_id(about).and_then(|source| {
            // The account is AWS's to say: the ARN is read before the call.
            Ok((call(about, format!("arn:aws:rds:{there}:*"))?, source))
        });
        let of = planned.as_ref().map_or_else(|_| "?".to_owned(), |(_, source)| source.clone());
        Outline {
            calls: planned.map(|(call, _)| vec![call.describe()]),
            summary: SafeText::new(format!("rds CreateDBInstanceReadReplica in {here} of {of} in {there}")),
            done_when: SafeText::new("the replica is available and AWS calls its replication normal"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for CreateReplica {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let there = about.facts.region(about.target().other());
        let source = match source_id(about) {
            Ok(source) => source,
            Err(why) => return Prepared::NotNow(why),
        };
        let source = match rds::instance(eyes.reader, there, &source).await {
            Ok(Some(source)) => source,
            Ok(None) => return Prepared::NotNow(SafeText::new(format!("{there} lists no {source}"))),
            Err(why) => return Prepared::NotNow(why),
        };
        let call = match call(about, source.arn.clone()) {
            Ok(call) => call,
            Err(why) => return Prepared::NotNow(why),
        };
        match rds::instance(eyes.reader, &call.region, &call.instance).await {
            Err(why) => Prepared::NotNow(why),
            Ok(found) => match rds::free(found.as_ref(), &call.tags, &call.instance) {
                Some(prepared) => prepared,
                None if source.encrypted && call.kms_key.is_none() => Prepared::NotNow(SafeText::new(format!(
                    "{} is encrypted: neither the step nor the component names a key of {}",
                    source.id, call.region
                ))),
                None => match fit(&source) {
                    Err(why) => Prepared::NotNow(why),
                    Ok(()) => Prepared::Send(Box::new(call)),
                },
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
        let seen = rds::observe_made(eyes.reader, sent, "DBInstanceIdentifier").await;
        let (Observed::Done(text), Some(id)) = (&seen, param(sent, "DBInstanceIdentifier")) else { return seen };
        match rds::instance(eyes.reader, &sent.region, id).await {
            Ok(Some(found)) => match found.replication {
                Some((status, true)) => Observed::Done(SafeText::new(format!("{text} and {status}"))),
                // Documented: replication that AWS has ended does not begin again (field guide 2.2).
                Some((status, false)) if status.as_str() == "terminated" => {
                    Observed::Failed(SafeText::new(format!("{text}, replication: {status}")))
                }
                Some((status, false)) => Observed::InProgress(SafeText::new(format!("{text}, replication: {status}"))),
                None => Observed::InProgress(SafeText::new(format!("{text}, AWS says nothing of its replication"))),
            },
            Ok(None) => Observed::Unclear(SafeText::new(format!("{} does not list {id} any more", sent.region))),
            Err(why) => Observed::Unclear(why),
        }
    }

    fn leaves(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "DBInstanceIdentifier")?);
        Some(Leftover { kind: "rds-instance".to_owned(), region: sent.region.clone(), id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::rds::testing::made;

    #[test]
    fn a_replica_is_made_only_of_a_primary_with_backups() {
        let source = DbInstance { backup_retention_days: 7, ..made("core", "available", None) };
        assert!(fit(&source).is_ok());
        assert!(fit(&DbInstance { backup_retention_days: 0, ..source.clone() }).is_err());
        assert!(fit(&DbInstance { replica_of: Some("x".into()), ..source.clone() }).is_err());
        assert!(fit(&DbInstance { status: SafeText::new("creating"), ..source }).is_err());
    }
}
