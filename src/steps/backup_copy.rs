//! Copies the newest usable recovery point of a resource to the vault of another side.
//!
//! A copy is worth something only while the source Region lives: if it is gone, only what is already over there counts
//! (field guide 1.4).

use std::time::Duration;

use async_trait::async_trait;

use super::{
    backup::{self, COMPONENT, RESOURCE, ROLE},
    kind::{Conduct, Eyes, MutatingStep, Observed, Prepared, StepContext, StepKind},
};
use crate::{
    aws::{WriteOp, backup_jobs::StartCopyJob},
    domain::{
        CallDescription, Hazard, RegionId,
        kind::{ParamShape, ParamSpec},
        resource::JobKind,
        text::SafeText,
    },
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "backup.copy",
    title: "copy the newest recovery point",
    hazard: Hazard::Reversible,
    params: &[
        COMPONENT,
        StepParamSpec::Value(ParamSpec {
            name: "target",
            shape: ParamShape::Side,
            required: true,
            doc: "The side whose vault takes the copy.",
        }),
        RESOURCE,
        ROLE,
    ],
    undo: "nothing to undo: the copy goes with its retention",
    mutating: Mutating::Yes,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_hours(4),
    default_expect: Duration::from_mins(30),
};

pub struct Copy;

struct Ends {
    resource: String,
    from: (RegionId, String),
    to: (RegionId, String),
    call: StartCopyJob,
}

/// The call with any point of the resource; which one is for `prepare`.
fn ends(about: &StepContext<'_>) -> Result<Ends, SafeText> {
    let resource = backup::resource(about)?;
    let (source, target) = (about.target().other(), about.target());
    let (from, to) = (resource.vault(about, source)?, resource.vault(about, target)?);
    let partition = resource.arn.split(':').nth(1).unwrap_or("aws");
    let account = backup::account(about, target);
    let call = StartCopyJob {
        region: from.0.clone(),
        point: resource.any_point(about, source),
        source_vault: from.1.clone(),
        destination_vault_arn: format!("arn:{partition}:backup:{}:{account}:backup-vault:{}", to.0, to.1),
        role: backup::role(about, source),
        token: about.token.map(str::to_owned),
    };
    Ok(Ends { resource: resource.arn, from, to, call })
}

impl StepKind for Copy {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        Outline {
            calls: ends(about).map(|ends| vec![ends.call.describe()]),
            summary: SafeText::new(format!(
                "backup StartCopyJob of the newest usable point to {}",
                about.facts.city(about.target())
            )),
            done_when: SafeText::new("the copy job is COMPLETED"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for Copy {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let Ends { resource, from, to, mut call } = match ends(about) {
            Ok(ends) => ends,
            Err(why) => return Prepared::NotNow(why),
        };
        let here = backup::read_points(eyes.reader, &from, &resource, about.now).await;
        let there = backup::read_points(eyes.reader, &to, &resource, about.now).await;
        let (here, there) = match (here, there) {
            (Ok(here), Ok(there)) => (here, there),
            (Err(why), _) | (_, Err(why)) => return Prepared::NotNow(why),
        };
        let Some(newest) = backup::newest_usable(&here, about.now) else {
            return Prepared::NotNow(SafeText::new(format!("{resource} has no usable recovery point in {}", from.1)));
        };
        // A copy keeps the data time of its source (field guide 0.1, fact 4): by that one knows it again.
        if let Some(copy) = there.iter().find(|copy| copy.created == newest.created) {
            let text = SafeText::new(format!("{} of {} is {} there", copy.arn, newest.arn, copy.status.word()));
            return if copy.status.restorable() { Prepared::AlreadyDone(text) } else { Prepared::Busy(text) };
        }
        call.point.clone_from(&newest.arn);
        Prepared::Send(Box::new(call))
    }

    async fn observe(
        &self,
        about: &StepContext<'_>,
        sent: &CallDescription,
        accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        backup::observe(about, JobKind::Copy, sent, accepted, eyes).await
    }
}
