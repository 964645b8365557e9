//! Deletes the copy of a cluster's snapshot that another step of this runbook made: the cleanup of a rehearsal's leftover.
//!
//! What an unplanned failover left holds the writes that were lost, so the hazard is data loss, and what counts is the
//! mark: a copy that an earlier run kept has the same name as the one this run would have made, and stays.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    aurora,
    aurora_keep_unplanned_snapshot::old_side,
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{self, MADE_BY},
    rds_delete_snapshot,
};
use crate::{
    aws::{WriteOp, rds::DeleteDbClusterSnapshot},
    domain::{CallDescription, Hazard, text::SafeText},
    runbook::{
        build::Outline,
        guards::LossBound,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "aurora.delete-snapshot",
    title: "delete a cluster snapshot that was made",
    hazard: Hazard::DataLoss,
    params: &[StepParamSpec::Component { name: "component", kinds: &["aurora-global"], required: true }, MADE_BY],
    undo: "irreversible because a deleted snapshot does not come back",
    mutating: Mutating::Yes,
    lasting: Lasting::Clears("rds-cluster-snapshot"),
    default_timeout: Duration::from_mins(15),
    default_expect: Duration::from_secs(30),
};

pub struct DeleteSnapshot;

/// How `aurora.keep-unplanned-snapshot` names its copies.
const PREFIX: &str = "kept-";

impl StepKind for DeleteSnapshot {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let region = about.facts.region(old_side(about.kind, about.target)).clone();
        // The name holds that of what Aurora left.
        let call = DeleteDbClusterSnapshot { region, snapshot: format!("{PREFIX}*") };
        let maker = rds::made_by(about).map(|(step, _)| step);
        let (city, step) = (about.facts.city(old_side(about.kind, about.target)), maker.clone().unwrap_or_default());
        Outline {
            calls: maker.map(|_| vec![call.describe()]),
            summary: SafeText::new(format!("rds DeleteDBClusterSnapshot in {city} of what step {step} made")),
            done_when: SafeText::new("AWS does not list it any more"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for DeleteSnapshot {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let region = about.facts.region(old_side(about.kind, about.target));
        let (step, mark) = match rds::made_by(about) {
            Ok((step, Some(mark))) => (step, mark),
            Ok((step, None)) => return Prepared::AlreadyDone(rds::nothing_made(&step)),
            Err(why) => return Prepared::NotNow(why),
        };
        let snapshots = match aurora::snapshots(eyes.reader, region).await {
            Ok(snapshots) => snapshots,
            Err(why) => return Prepared::NotNow(why),
        };
        let made = rds_delete_snapshot::made_by(&snapshots, PREFIX, &mark);
        match rds_delete_snapshot::to_delete(made, &step, region) {
            Ok(snapshot) => Prepared::Send(Box::new(DeleteDbClusterSnapshot { region: region.clone(), snapshot })),
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
        let Some(id) = param(sent, "DBClusterSnapshotIdentifier") else {
            return Observed::Unclear(SafeText::new("the record of the call names no snapshot"));
        };
        match aurora::snapshots(eyes.reader, &sent.region).await {
            Err(why) => Observed::Unclear(why),
            Ok(listed) => rds_delete_snapshot::whether_gone(&listed, id, &sent.region),
        }
    }

    fn loss(&self, about: &StepContext<'_>) -> Option<LossBound> {
        Some(rds::kept_no_more(about))
    }

    fn clears(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "DBClusterSnapshotIdentifier")?);
        Some(Leftover { kind: "rds-cluster-snapshot".to_owned(), region: sent.region.clone(), id })
    }
}
