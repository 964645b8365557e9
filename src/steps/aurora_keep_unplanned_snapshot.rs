//! Keeps the snapshot that Aurora leaves of the old volume after an unplanned failover: it holds the writes that
//! were lost, and goes with the old cluster's backup retention (field guide 2.6).
//!
//! It lies in the *old* Region. A runbook that must run while that Region is gone says `skip_if_unreachable`,
//! and the way home does it first.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param, why},
    rds as shared,
};
use crate::{
    aws::{Reader, WriteOp, rds},
    domain::{
        CallDescription, Hazard, ProbeFailure, RegionId, Side,
        kind::{ParamShape, ParamSpec},
        resource::{DbSnapshot, Tags},
        text::SafeText,
    },
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, RunbookKind, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "aurora.keep-unplanned-snapshot",
    title: "keep the unplanned-failover snapshot",
    hazard: Hazard::Reversible,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["aurora-global"], required: true },
        StepParamSpec::Value(ParamSpec {
            name: "skip_if_unreachable",
            shape: ParamShape::Flag,
            required: false,
            doc: "While the old Region does not answer the step is skipped, on record as an exception.",
        }),
    ],
    undo: "delete the copied snapshot by hand",
    mutating: Mutating::Yes,
    lasting: Lasting::Leaves("rds-cluster-snapshot"),
    default_timeout: Duration::from_mins(15),
    default_expect: Duration::from_secs(30),
};

/// How AWS names it (field guide 2.6).
const PREFIX: &str = "rds:unplanned-global-failover-";

pub struct KeepUnplannedSnapshot;

/// The side that lost its role in the failover: the one left, and of a re-protect and the way home the one gone back to.
pub(super) const fn old_side(kind: RunbookKind, target: Side) -> Side {
    match kind {
        RunbookKind::Failback | RunbookKind::ReProtect => target,
        RunbookKind::Failover | RunbookKind::Switchover | RunbookKind::DrillOnly => target.other(),
    }
}

fn old_cluster(about: &StepContext<'_>) -> Result<(RegionId, String), SafeText> {
    let (side, component) = (old_side(about.kind, about.target), about.component()?);
    let cluster = component
        .params
        .side_text("clusters", side)
        .ok_or_else(|| SafeText::new(format!("{} names no cluster on the {} side", component.id, side.word())))?;
    Ok((about.facts.region(side).clone(), cluster.to_owned()))
}

/// Its name is made by AWS at the failover: before that, only how it begins is known.
fn planned_call(about: &StepContext<'_>) -> Result<rds::CopyDbClusterSnapshot, SafeText> {
    let (region, cluster) = old_cluster(about)?;
    Ok(copy(region, &format!("{PREFIX}{cluster}-*"), shared::mark(about)))
}

/// The copy's name follows from the source's: AWS refuses to make it twice.
fn copy(region: RegionId, source: &str, tags: Tags) -> rds::CopyDbClusterSnapshot {
    let target_id = format!("kept-{}", source.trim_start_matches("rds:"));
    rds::CopyDbClusterSnapshot { region, source: source.to_owned(), target_id, tags }
}

impl StepKind for KeepUnplannedSnapshot {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let pass = if about.step.flag("skip_if_unreachable") { "; passed over while it is unreachable" } else { "" };
        Outline {
            calls: planned_call(about).map(|call| vec![call.describe()]),
            summary: SafeText::new(format!(
                "rds CopyDBClusterSnapshot of the newest {PREFIX}… in {}{pass}",
                about.facts.region(old_side(about.kind, about.target))
            )),
            done_when: SafeText::new("the copy is available"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

async fn list(reader: &Reader, region: &RegionId) -> Result<Vec<DbSnapshot>, crate::domain::ProbeError> {
    let op = rds::DescribeDbClusterSnapshots { region: region.clone(), cluster: None };
    Ok(reader.read(&op).await?.value)
}

#[async_trait]
impl MutatingStep for KeepUnplannedSnapshot {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let (region, cluster) = match old_cluster(about) {
            Ok(found) => found,
            Err(why) => return Prepared::NotNow(why),
        };
        let snapshots = match list(eyes.reader, &region).await {
            Ok(snapshots) => snapshots,
            Err(error)
                if about.step.flag("skip_if_unreachable")
                    && matches!(error.failure, ProbeFailure::Unreachable | ProbeFailure::ServerError) =>
            {
                return Prepared::PassOver(SafeText::new(format!(
                    "{region} does not answer: still to be kept before its backup retention ends"
                )));
            }
            Err(error) => return Prepared::NotNow(why(&error)),
        };
        let prefix = format!("{PREFIX}{cluster}-");
        let newest = snapshots.iter().filter(|s| s.id.starts_with(&prefix)).max_by_key(|s| (s.created, s.id.clone()));
        let Some(newest) = newest else {
            return Prepared::PassOver(SafeText::new(format!("Aurora left no {prefix}… in {region}: nothing to keep")));
        };
        if newest.status.as_str() != "available" {
            return Prepared::Busy(SafeText::new(format!("{} is {}", newest.id, newest.status)));
        }
        let op = copy(region, &newest.id, shared::mark(about));
        match snapshots.iter().find(|s| s.id.as_str() == op.target_id) {
            Some(kept) if kept.status.as_str() == "available" => {
                Prepared::AlreadyDone(SafeText::new(format!("{} is kept already", kept.id)))
            }
            Some(kept) => Prepared::Busy(SafeText::new(format!("{} is {}", kept.id, kept.status))),
            None => Prepared::Send(Box::new(op)),
        }
    }

    async fn observe(
        &self,
        _about: &StepContext<'_>,
        sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        let Some(target) = param(sent, "TargetDBClusterSnapshotIdentifier") else {
            return Observed::Unclear(SafeText::new("the record of the call names no snapshot"));
        };
        match list(eyes.reader, &sent.region).await {
            Err(error) => Observed::Unclear(why(&error)),
            Ok(snapshots) => match snapshots.iter().find(|s| s.id.as_str() == target) {
                None => Observed::NotDone(SafeText::new(format!("no snapshot {target}"))),
                Some(kept) if kept.status.as_str() == "available" => {
                    Observed::Done(SafeText::new(format!("{target} is available")))
                }
                Some(kept) if kept.status.as_str() == "failed" => {
                    Observed::Failed(SafeText::new(format!("snapshot {target} is failed")))
                }
                Some(kept) => Observed::InProgress(SafeText::new(format!(
                    "{target} {}, {} %",
                    kept.status,
                    kept.percent.unwrap_or(0)
                ))),
            },
        }
    }

    fn leaves(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "TargetDBClusterSnapshotIdentifier")?);
        Some(Leftover { kind: "rds-cluster-snapshot".to_owned(), region: sent.region.clone(), id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lost_writes_lie_where_a_failover_leaves_from_and_where_a_re_protect_and_a_failback_go_to() {
        let lies_in = |kind, target| old_side(kind, target);
        assert_eq!(lies_in(RunbookKind::Failover, Side::Recovery), Side::Primary);
        assert_eq!(lies_in(RunbookKind::ReProtect, Side::Primary), Side::Primary);
        assert_eq!(lies_in(RunbookKind::Failback, Side::Primary), Side::Primary);
    }
}
