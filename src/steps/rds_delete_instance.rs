//! Deletes an instance that a drill or a recovery made: the cleanup of its leftovers.
//!
//! A deletion is data loss by nature, so the kind's hazard is that, also for the leftover of a drill: a drill may have
//! been turned real, and then the leftover is where customers write. Five rules keep it to leftovers, each checked
//! against what AWS says at that moment: the identifier begins with the prefix that the step declares; no component of
//! any app names it; nothing replicates from it, and no cluster owns it that this run did not add it to; it is not
//! protected against deletion; and where `made_by` names a step, it is what that step made in this run, by its mark or,
//! where AWS Backup made it and nothing can be marked, by its age. Whoever is not sure says `final_snapshot = true`.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{self, MARK, optional, required, said},
};
use crate::{
    aws::{
        WriteOp,
        rds::{DeleteDbInstance, FinalSnapshot},
    },
    domain::{
        CallDescription, Estate, Hazard, StepId, Timestamp, kind::ParamShape, resource::DbInstance, text::SafeText,
    },
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
        StepParamSpec::Component {
            name: "component",
            kinds: &["rds-instance", "aws-backup", "aurora-global"],
            required: false,
        },
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
        optional("made_by", ParamShape::Text, "Id of the step that made it: what was there before it stays."),
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
    allowed(&instance, &prefix, about.step.made_by().as_ref(), about.facts.estate)?;
    let keep = if about.step.flag("final_snapshot") {
        FinalSnapshot::Named(rds::stamped_name(about))
    } else {
        FinalSnapshot::None
    };
    Ok(DeleteDbInstance { region: about.facts.region(about.target()).clone(), instance, keep })
}

/// What can be said from the files alone. What a recovery makes is named by components too: a rehearsal that says which
/// of its steps made it may take it away.
fn allowed(instance: &str, prefix: &str, maker: Option<&StepId>, estate: &Estate) -> Result<(), SafeText> {
    if prefix.len() < PREFIX_LETTERS_MIN {
        return Err(SafeText::new(format!("prefix: `{prefix}` is shorter than {PREFIX_LETTERS_MIN} letters")));
    }
    if !instance.starts_with(prefix) {
        return Err(SafeText::new(format!("{instance} does not begin with {prefix}")));
    }
    for app in &estate.apps {
        for component in &app.components {
            let restored = component.params.flag("made_by_failover").unwrap_or(false);
            let counts = |name: &str| match name {
                "recovery_instance" => maker.is_none(),
                "instance" => maker.is_none() || !restored,
                _ => true,
            };
            let names = ["instance", "replica", "recovery_instance", "resource"];
            let named = names.iter().filter(|name| counts(name)).filter_map(|name| component.params.text(name));
            if named.into_iter().any(|name| name.rsplit(':').next() == Some(instance)) {
                return Err(SafeText::new(format!("{} of {} depends on {instance}", component.id, app.id)));
            }
        }
    }
    Ok(())
}

/// What the step named by `made_by` did in this run.
struct Maker {
    step: String,
    mark: String,
    began: Timestamp,
}

impl Maker {
    fn marked(&self, found: &DbInstance) -> bool {
        found.tags.get(MARK).is_some_and(|own| *own == self.mark)
    }

    /// What bears no mark at all can still be younger than the step.
    fn made(&self, found: &DbInstance) -> bool {
        let unmarked = !found.tags.contains_key(MARK);
        self.marked(found) || unmarked && found.created.is_some_and(|created| created >= self.began)
    }
}

/// What AWS says of it must agree that nothing depends on it.
fn leftover(found: &DbInstance, maker: Option<&Maker>) -> Result<(), Prepared> {
    let not = |why: String| Err(Prepared::NotNow(SafeText::new(format!("{} {why}", found.id))));
    if found.status.as_str() == "deleting" {
        return Err(Prepared::Busy(SafeText::new(format!("{} is being deleted already", found.id))));
    }
    if let Some(maker) = maker.filter(|maker| !maker.made(found)) {
        return not(format!("is not what step {} made in this run: it stays", maker.step));
    }
    if let Some(cluster) = found.cluster.as_ref().filter(|_| !maker.is_some_and(|maker| maker.marked(found))) {
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
        let maker = match about.step.made_by().map(|_| rds::made_by(about)) {
            None => None,
            Some(Err(why)) => return Prepared::NotNow(why),
            Some(Ok((step, mark))) => match (mark, about.maker_began) {
                (Some(mark), Some(began)) => Some(Maker { step, mark, began }),
                _ => return Prepared::AlreadyDone(rds::nothing_made(&step)),
            },
        };
        match rds::instance(eyes.reader, &call.region, &call.instance).await {
            Err(why) => Prepared::NotNow(why),
            Ok(None) => Prepared::AlreadyDone(SafeText::new(format!("{} lists no {}", call.region, call.instance))),
            Ok(Some(found)) => match leftover(&found, maker.as_ref()) {
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
        assert!(leftover(&drill, None).is_ok());
        let refused = |instance: DbInstance| matches!(leftover(&instance, None), Err(Prepared::NotNow(_)));
        assert!(refused(DbInstance { replicas: vec!["x".into()], ..drill.clone() }));
        assert!(refused(DbInstance { cluster: Some("payments-mum".into()), ..drill.clone() }));
        assert!(refused(DbInstance { protected: true, ..drill.clone() }));
        let going = DbInstance { status: SafeText::new("deleting"), ..drill };
        assert!(matches!(leftover(&going, None), Err(Prepared::Busy(_))));
    }
    #[test]
    fn what_was_there_before_the_step_that_it_names_stays_and_so_does_what_another_hand_marked() {
        let maker = Maker {
            step: "database".to_owned(),
            mark: "lab/database@2026-11-20T09:00:00Z".to_owned(),
            began: Timestamp::from_secs(1_000),
        };
        let judged = |tag: Option<&str>, created: Option<i64>, cluster: Option<&str>| {
            let mut found = made("lab-db-home", "available", None);
            found.tags = tag.map(|tag| (MARK.to_owned(), tag.to_owned())).into_iter().collect();
            found.created = created.map(Timestamp::from_secs);
            found.cluster = cluster.map(str::to_owned);
            leftover(&found, Some(&maker)).is_ok()
        };
        assert!(judged(Some(&maker.mark), Some(1_100), None));
        assert!(judged(None, Some(1_100), None), "AWS Backup marks nothing");
        assert!(!judged(None, Some(900), None), "customers may write on it since a real failback");
        assert!(!judged(None, None, None), "of unknown age is not younger");
        assert!(!judged(Some("lab/database@2026-10-01T09:00:00Z"), Some(1_100), None));
        assert!(judged(Some(&maker.mark), Some(1_100), Some("core-mum-2")), "this run added it to the cluster");
        assert!(!judged(None, Some(1_100), Some("core-mum-2")));
    }
}
