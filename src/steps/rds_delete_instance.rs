//! Deletes an instance that a drill or a recovery made: the cleanup of its leftovers.
//!
//! A deletion is data loss by nature, so the kind's hazard is that, also for the leftover of a drill: a drill may have
//! been turned real, and then the leftover is where customers write. Four rules keep it to leftovers, each checked
//! against what AWS says at that moment: the identifier begins with the prefix that the step declares; no component of
//! any app names it; nothing replicates from it and no cluster owns it; it is not protected against deletion. Whoever
//! is not sure says `final_snapshot = true`.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{self, required, said},
};
use crate::{
    aws::{
        WriteOp,
        rds::{DeleteDbInstance, FinalSnapshot},
    },
    domain::{CallDescription, Estate, Hazard, kind::ParamShape, resource::DbInstance, text::SafeText},
    runbook::{
        build::Outline,
        guards::LossBound,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "rds.delete-instance",
    title: "delete what was made",
    hazard: Hazard::DataLoss,
    params: &[
        // What AWS Backup restored is an instance too.
        StepParamSpec::Component { name: "component", kinds: &["rds-instance", "aws-backup"], required: true },
        required("target", ParamShape::Side, "The side where it is."),
        required("instance", ParamShape::Text, "Identifier of the instance."),
        required(
            "prefix",
            ParamShape::Text,
            "What the identifier must begin with, e.g. `drill-`; four letters or more.",
        ),
        required(
            "final_snapshot",
            ParamShape::Flag,
            "Whether AWS keeps a last snapshot of it: true unless what it holds is a copy.",
        ),
    ],
    undo: "irreversible because its storage and its automated backups go with it: only a final snapshot brings it back",
    mutating: Mutating::Yes,
    lasting: Lasting::Clears("rds-instance"),
    default_timeout: Duration::from_mins(60),
    default_expect: Duration::from_mins(4),
};

pub struct DeleteInstance;

/// Shorter ones say too little.
const PREFIX_LETTERS_MIN: usize = 4;

fn call(about: &StepContext<'_>) -> Result<DeleteDbInstance, SafeText> {
    let text = |name: &str| said(about, name).ok_or_else(|| SafeText::new(format!("no {name}")));
    let (instance, prefix) = (text("instance")?, text("prefix")?);
    allowed(&instance, &prefix, about.facts.estate)?;
    let keep = if about.step.flag("final_snapshot") {
        FinalSnapshot::Named(rds::stamped_name(about))
    } else {
        FinalSnapshot::None
    };
    Ok(DeleteDbInstance { region: about.facts.region(about.target()).clone(), instance, keep })
}

/// What can be said from the files alone.
fn allowed(instance: &str, prefix: &str, estate: &Estate) -> Result<(), SafeText> {
    if prefix.len() < PREFIX_LETTERS_MIN {
        return Err(SafeText::new(format!("prefix: `{prefix}` is shorter than {PREFIX_LETTERS_MIN} letters")));
    }
    if !instance.starts_with(prefix) {
        return Err(SafeText::new(format!("{instance} does not begin with {prefix}")));
    }
    for app in &estate.apps {
        for component in &app.components {
            let names = ["instance", "replica", "recovery_instance", "resource"];
            let named = names.iter().filter_map(|name| component.params.text(name));
            if named.into_iter().any(|name| name.rsplit(':').next() == Some(instance)) {
                return Err(SafeText::new(format!("{} of {} depends on {instance}", component.id, app.id)));
            }
        }
    }
    Ok(())
}

/// What AWS says of it must agree that nothing depends on it.
fn leftover(found: &DbInstance) -> Result<(), Prepared> {
    let not = |why: String| Err(Prepared::NotNow(SafeText::new(format!("{} {why}", found.id))));
    if found.status.as_str() == "deleting" {
        return Err(Prepared::Busy(SafeText::new(format!("{} is being deleted already", found.id))));
    }
    if let Some(cluster) = &found.cluster {
        return not(format!("belongs to the cluster {cluster}"));
    }
    if !found.replicas.is_empty() {
        return not(format!("is the source of {}", found.replicas.join(", ")));
    }
    if found.protected {
        return not("is protected against deletion: somebody means to keep it".to_owned());
    }
    Ok(())
}

impl StepKind for DeleteInstance {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let kept = if about.step.flag("final_snapshot") { "with" } else { "without" };
        let city = about.facts.city(about.target());
        Outline {
            calls: call(about).map(|call| vec![call.describe()]),
            summary: SafeText::new(format!("rds DeleteDBInstance in {city}, {kept} a final snapshot")),
            done_when: SafeText::new("AWS does not list it any more"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for DeleteInstance {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let call = match call(about) {
            Ok(call) => call,
            Err(why) => return Prepared::NotNow(why),
        };
        match rds::instance(eyes.reader, &call.region, &call.instance).await {
            Err(why) => Prepared::NotNow(why),
            Ok(None) => Prepared::AlreadyDone(SafeText::new(format!("{} lists no {}", call.region, call.instance))),
            Ok(Some(found)) => match leftover(&found) {
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
            Ok(None) => Observed::Done(SafeText::new(format!("{} lists no {id} any more", sent.region))),
            Ok(Some(found)) if found.status.as_str() == "deleting" => {
                Observed::InProgress(SafeText::new(format!("{id} is deleting")))
            }
            Ok(Some(found)) => Observed::NotDone(SafeText::new(format!("{id} is {}", found.status))),
        }
    }

    fn loss(&self, about: &StepContext<'_>) -> Option<LossBound> {
        let id = said(about, "instance").unwrap_or_default();
        let line = if about.step.flag("final_snapshot") {
            format!("A final snapshot keeps what {id} holds; its point-in-time window goes.")
        } else {
            format!("Whatever was written to {id} since it was made is lost with it.")
        };
        Some(LossBound { bound: None, since: None, lines: vec![SafeText::new(line)] })
    }

    fn leaves(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "FinalDBSnapshotIdentifier")?);
        Some(Leftover { kind: "rds-snapshot".to_owned(), region: sent.region.clone(), id })
    }

    fn clears(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "DBInstanceIdentifier")?);
        Some(Leftover { kind: "rds-instance".to_owned(), region: sent.region.clone(), id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::rds::testing::made;

    #[test]
    fn only_what_nothing_depends_on_is_a_leftover() {
        let drill = made("drill-core", "available", None);
        assert!(leftover(&drill).is_ok());
        let refused = |instance: DbInstance| matches!(leftover(&instance), Err(Prepared::NotNow(_)));
        assert!(refused(DbInstance { replicas: vec!["x".into()], ..drill.clone() }));
        assert!(refused(DbInstance { cluster: Some("payments-mum".into()), ..drill.clone() }));
        assert!(refused(DbInstance { protected: true, ..drill.clone() }));
        let going = DbInstance { status: SafeText::new("deleting"), ..drill };
        assert!(matches!(leftover(&going), Err(Prepared::Busy(_))));
    }
}
