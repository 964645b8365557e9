//! Copies a snapshot of a database to the other Region: the newest usable one, or the one that is named.
//!
//! Called in the *destination* Region with the source's ARN (field guide 2.3); the source is listed first, so both
//! Regions must answer. The copy's name follows from the source's: a copy of that name, whoever made it, is the copy
//! that this step would make. A copy of a continuous backup holds what its snapshot held, no point in time.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{self, optional, required, said},
};
use crate::{
    aws::{WriteOp, rds::CopyDbSnapshot},
    domain::{CallDescription, Hazard, kind::ParamShape, text::SafeText},
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "rds.copy-snapshot",
    title: "copy a snapshot",
    hazard: Hazard::Reversible,
    params: &[
        rds::COMPONENT,
        required("target", ParamShape::Side, "The side that the snapshot is copied to."),
        optional("instance", ParamShape::Text, "Whose snapshot; default the component's `instance`."),
        optional("snapshot", ParamShape::Text, "Identifier of the snapshot; default the newest usable one."),
        rds::KMS_KEY,
    ],
    undo: "delete the copy by hand",
    mutating: Mutating::Yes,
    lasting: Lasting::Leaves("rds-snapshot"),
    // Documented: a copy "can take hours" (field guide 2.3).
    default_timeout: Duration::from_hours(6),
    default_expect: Duration::from_mins(20),
};

pub struct CopySnapshot;

/// Where the copy's name begins.
const PREFIX: &str = "dr-";

/// The copy of `source` (an ARN, or how one begins) as `name`.
fn call(about: &StepContext<'_>, source: String, target_id: String) -> Result<CopyDbSnapshot, SafeText> {
    let kms_key = rds::of_side(about, about.component()?, "kms_key", "kms_keys");
    let region = about.facts.region(about.target()).clone();
    Ok(CopyDbSnapshot { region, source, target_id, kms_key, tags: rds::mark(about) })
}

fn copy_name(source: &str) -> String {
    format!("{PREFIX}{}", source.trim_start_matches("rds:").replace(':', "-"))
}

fn planned(about: &StepContext<'_>) -> Result<CopyDbSnapshot, SafeText> {
    let from = about.facts.region(about.target().other());
    let target_id = said(about, "snapshot").map_or_else(|| format!("{PREFIX}*"), |named| copy_name(&named));
    call(about, format!("arn:aws:rds:{from}:*"), target_id)
}

impl StepKind for CopySnapshot {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let which = said(about, "snapshot").unwrap_or_else(|| "the newest usable snapshot".to_owned());
        let (to, from) = (about.facts.city(about.target()), about.facts.city(about.target().other()));
        Outline {
            calls: planned(about).map(|call| vec![call.describe()]),
            summary: SafeText::new(format!("rds CopyDBSnapshot in {to}: {which} of {from}")),
            done_when: SafeText::new("the copy is available"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for CopySnapshot {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let (here, there) = (about.facts.region(about.target()), about.facts.region(about.target().other()));
        let of = match about.component().and_then(|component| rds::said_or(about, "instance", component, "instance")) {
            Ok(of) => of,
            Err(why) => return Prepared::NotNow(why),
        };
        let (sources, copies) =
            match (rds::snapshots(eyes.reader, there).await, rds::snapshots(eyes.reader, here).await) {
                (Ok(sources), Ok(copies)) => (sources, copies),
                (Err(why), _) | (_, Err(why)) => return Prepared::NotNow(why),
            };
        let source = match said(about, "snapshot") {
            Some(named) => sources.into_iter().find(|snapshot| snapshot.id.as_str() == named),
            None => rds::newest_usable(sources, &of),
        };
        let Some(source) = source else {
            return Prepared::NotNow(SafeText::new(format!("{there} lists no usable snapshot of {of}")));
        };
        if source.status.as_str() != "available" {
            return Prepared::Busy(SafeText::new(format!("{} is {}", source.id, source.status)));
        }
        let call = match call(about, source.arn.clone(), copy_name(&source.id)) {
            Ok(call) => call,
            Err(why) => return Prepared::NotNow(why),
        };
        if source.encrypted && call.kms_key.is_none() {
            let why = format!("{} is encrypted: neither the step nor the component names a key of {here}", source.id);
            return Prepared::NotNow(SafeText::new(why));
        }
        let known = |id: &str| id == call.target_id;
        match copies.iter().find(|copy| known(&copy.id) || copy.copied_from.as_deref() == Some(&source.arn)) {
            None => Prepared::Send(Box::new(call)),
            Some(copy) if copy.copied_from.as_deref() != Some(&source.arn) => {
                Prepared::NotNow(SafeText::new(format!("{} in {here} is no copy of {}", copy.id, source.id)))
            }
            Some(copy) if copy.status.as_str() == "available" => {
                Prepared::AlreadyDone(SafeText::new(format!("{} is a copy of {}", copy.id, source.id)))
            }
            Some(copy) => Prepared::Busy(SafeText::new(format!("{} is {}", copy.id, copy.status))),
        }
    }

    async fn observe(
        &self,
        _about: &StepContext<'_>,
        sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        rds::observe_snapshot(eyes.reader, sent, "TargetDBSnapshotIdentifier").await
    }

    fn leaves(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "TargetDBSnapshotIdentifier")?);
        Some(Leftover { kind: "rds-snapshot".to_owned(), region: sent.region.clone(), id })
    }
}

#[cfg(test)]
mod tests {
    use super::copy_name;

    #[test]
    fn the_copys_name_follows_from_the_sources_and_is_one_that_aws_takes() {
        assert_eq!(copy_name("rds:core-2026-11-20-09-05"), "dr-core-2026-11-20-09-05");
        assert_eq!(copy_name("awsbackup:job-17"), "dr-awsbackup-job-17");
    }
}
