//! Deletes a snapshot or a copy that another step of this runbook made: the cleanup of a rehearsal's leftovers.
//!
//! A snapshot is what data comes back from, so the hazard is data loss. Only one that carries the mark of the step that
//! is named *and of this run* is deleted: never an automated one, never one of the bank's own scheduler, never what an
//! earlier run kept.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{self, MADE_BY, MARK, required},
};
use crate::{
    aws::{WriteOp, rds::DeleteDbSnapshot},
    domain::{CallDescription, Hazard, RegionId, kind::ParamShape, resource::DbSnapshot, text::SafeText},
    runbook::{
        build::Outline,
        guards::LossBound,
        spec::{Lasting, Mutating, StepKindSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "rds.delete-snapshot",
    title: "delete a snapshot that was made",
    hazard: Hazard::DataLoss,
    params: &[rds::COMPONENT, required("target", ParamShape::Side, "The side where it is."), MADE_BY],
    undo: "irreversible because a deleted snapshot does not come back",
    mutating: Mutating::Yes,
    lasting: Lasting::Clears("rds-snapshot"),
    default_timeout: Duration::from_mins(15),
    default_expect: Duration::from_secs(30),
};

pub struct DeleteSnapshot;

/// Everything that a step of ours makes is named so.
const PREFIX: &str = "dr-";

/// What the step made in this run, if it did.
pub(super) fn made_by<'a>(snapshots: &'a [DbSnapshot], prefix: &str, mark: &str) -> Option<&'a DbSnapshot> {
    snapshots.iter().find(|s| s.id.starts_with(prefix) && s.tags.get(MARK).is_some_and(|own| own == mark))
}

impl StepKind for DeleteSnapshot {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let region = about.facts.region(about.target()).clone();
        // The name holds the moment at which that step began.
        let call = DeleteDbSnapshot { region, snapshot: format!("{PREFIX}*") };
        let maker = rds::made_by(about).map(|(step, _)| step);
        let (city, step) = (about.facts.city(about.target()), maker.clone().unwrap_or_default());
        Outline {
            calls: maker.map(|_| vec![call.describe()]),
            summary: SafeText::new(format!("rds DeleteDBSnapshot in {city} of what step {step} made")),
            done_when: SafeText::new("AWS does not list it any more"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

/// The id of what is to be deleted, of an instance or of a cluster; else what stands in the way of sending anything.
pub(super) fn to_delete(found: Option<&DbSnapshot>, step: &str, region: &RegionId) -> Result<String, Prepared> {
    match found {
        None => Err(Prepared::AlreadyDone(SafeText::new(format!("{region} lists nothing that step {step} made")))),
        Some(found) if found.status.as_str() == "available" => Ok(found.id.to_string()),
        Some(found) => Err(Prepared::Busy(SafeText::new(format!("{} is {}", found.id, found.status)))),
    }
}

/// What a list of the Region says of a deletion that was sent.
pub(super) fn whether_gone(listed: &[DbSnapshot], id: &str, region: &RegionId) -> Observed {
    match listed.iter().find(|snapshot| snapshot.id.as_str() == id) {
        None => Observed::Done(SafeText::new(format!("{region} lists no {id} any more"))),
        Some(found) if found.status.as_str() == "deleting" => {
            Observed::InProgress(SafeText::new(format!("{id} is deleting")))
        }
        Some(found) => Observed::NotDone(SafeText::new(format!("{id} is {}", found.status))),
    }
}

#[async_trait]
impl MutatingStep for DeleteSnapshot {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let region = about.facts.region(about.target());
        let (step, mark) = match rds::made_by(about) {
            Ok((step, Some(mark))) => (step, mark),
            Ok((step, None)) => return Prepared::AlreadyDone(rds::nothing_made(&step)),
            Err(why) => return Prepared::NotNow(why),
        };
        let snapshots = match rds::snapshots(eyes.reader, region).await {
            Ok(snapshots) => snapshots,
            Err(why) => return Prepared::NotNow(why),
        };
        match to_delete(made_by(&snapshots, PREFIX, &mark), &step, region) {
            Ok(snapshot) => Prepared::Send(Box::new(DeleteDbSnapshot { region: region.clone(), snapshot })),
            Err(instead) => instead,
        }
    }

    async fn observe(
        &self,
        _about: &StepContext<'_>,
        sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        let Some(id) = param(sent, "DBSnapshotIdentifier") else {
            return Observed::Unclear(SafeText::new("the record of the call names no snapshot"));
        };
        match rds::snapshots(eyes.reader, &sent.region).await {
            Err(why) => Observed::Unclear(why),
            Ok(listed) => whether_gone(&listed, id, &sent.region),
        }
    }

    fn loss(&self, about: &StepContext<'_>) -> Option<LossBound> {
        Some(rds::kept_no_more(about))
    }

    fn clears(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "DBSnapshotIdentifier")?);
        Some(Leftover { kind: "rds-snapshot".to_owned(), region: sent.region.clone(), id })
    }
}
