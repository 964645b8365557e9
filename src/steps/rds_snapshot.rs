//! Takes a snapshot of an instance as it stands: before something is done to it that cannot be undone.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{self, MARK, optional, required},
};
use crate::{
    aws::{WriteOp, rds::CreateDbSnapshot},
    domain::{CallDescription, Hazard, kind::ParamShape, text::SafeText},
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "rds.snapshot",
    title: "keep what stands",
    hazard: Hazard::Reversible,
    params: &[
        rds::COMPONENT,
        required("target", ParamShape::Side, "The side whose instance is kept."),
        optional("instance", ParamShape::Text, "Identifier of the instance; default the component's `instance`."),
    ],
    undo: "delete the snapshot by hand",
    mutating: Mutating::Yes,
    lasting: Lasting::Leaves("rds-snapshot"),
    default_timeout: Duration::from_mins(60),
    default_expect: Duration::from_mins(5),
};

pub struct Snapshot;

fn call(about: &StepContext<'_>) -> Result<CreateDbSnapshot, SafeText> {
    let instance = rds::said_or(about, "instance", about.component()?, "instance")?;
    let region = about.facts.region(about.target()).clone();
    Ok(CreateDbSnapshot { region, snapshot: rds::stamped_name(about), instance, tags: rds::mark(about) })
}

impl StepKind for Snapshot {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        Outline {
            calls: call(about).map(|call| vec![call.describe()]),
            summary: SafeText::new(format!("rds CreateDBSnapshot in {}", about.facts.city(about.target()))),
            done_when: SafeText::new("the snapshot is available"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for Snapshot {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let call = match call(about) {
            Ok(call) => call,
            Err(why) => return Prepared::NotNow(why),
        };
        let (instance, snapshots) = match (
            rds::instance(eyes.reader, &call.region, &call.instance).await,
            rds::snapshots(eyes.reader, &call.region).await,
        ) {
            (Ok(instance), Ok(snapshots)) => (instance, snapshots),
            (Err(why), _) | (_, Err(why)) => return Prepared::NotNow(why),
        };
        if let Some(found) = snapshots.iter().find(|snapshot| snapshot.id.as_str() == call.snapshot) {
            let text = |text: &str| SafeText::new(format!("{} {text}", call.snapshot));
            return match found.status.as_str() {
                _ if found.tags.get(MARK) != call.tags.get(MARK) => Prepared::NotNow(text("was made by another hand")),
                "available" => Prepared::AlreadyDone(text("was made by this step and is available")),
                _ => Prepared::Busy(text("is being made by this step")),
            };
        }
        match instance {
            None => Prepared::NotNow(SafeText::new(format!("{} lists no {}", call.region, call.instance))),
            Some(found) if found.status.as_str() == "available" => Prepared::Send(Box::new(call)),
            Some(found) if found.status.as_str() == "backing-up" => {
                Prepared::Busy(SafeText::new(format!("{} is backing-up", found.id)))
            }
            Some(found) => Prepared::NotNow(SafeText::new(format!("{} is {}", found.id, found.status))),
        }
    }

    async fn observe(
        &self,
        _about: &StepContext<'_>,
        sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        rds::observe_snapshot(eyes.reader, sent, "DBSnapshotIdentifier").await
    }

    fn leaves(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "DBSnapshotIdentifier")?);
        Some(Leftover { kind: "rds-snapshot".to_owned(), region: sent.region.clone(), id })
    }
}
