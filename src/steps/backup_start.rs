//! Makes a recovery point now, e.g. before something is changed, or as the first on the way home.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    backup::{self, COMPONENT, RESOURCE, ROLE},
    kind::{Conduct, Eyes, MutatingStep, Observed, Prepared, StepContext, StepKind},
};
use crate::{
    aws::{WriteOp, backup_jobs::StartBackupJob},
    domain::{
        CallDescription, Hazard,
        app::Param,
        kind::{ParamShape, ParamSpec},
        resource::{JobKind, JobState},
        text::SafeText,
    },
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "backup.start-backup",
    title: "back up now",
    hazard: Hazard::Reversible,
    params: &[
        COMPONENT,
        RESOURCE,
        ROLE,
        StepParamSpec::Value(ParamSpec {
            name: "keep_days",
            shape: ParamShape::Number,
            required: false,
            doc: "Whole days that the point is kept; default 7.",
        }),
    ],
    undo: "nothing to undo: the point goes with its retention",
    mutating: Mutating::Yes,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_hours(2),
    default_expect: Duration::from_mins(10),
};

/// So that no point made by a run stays for ever.
const KEEP_DAYS: u32 = 7;

pub struct StartBackup;

fn call(about: &StepContext<'_>) -> Result<StartBackupJob, SafeText> {
    let resource = backup::resource(about)?;
    let side = resource.side(about)?;
    let (region, vault) = resource.vault(about, side)?;
    let keep = match about.step.value("keep_days") {
        Some(Param::Number(days)) if *days >= 1.0 && days.fract() == 0.0 => *days as u32,
        Some(Param::Number(days)) => {
            return Err(SafeText::new(format!("keep_days = {days}: AWS Backup keeps whole days, one at least")));
        }
        _ => KEEP_DAYS,
    };
    Ok(StartBackupJob {
        region,
        vault,
        resource: resource.arn,
        role: backup::role(about, side),
        delete_after_days: Some(keep),
        token: about.token.map(str::to_owned),
    })
}

impl StepKind for StartBackup {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let call = call(about);
        let summary = call.as_ref().map_or_else(
            |_| "backup StartBackupJob".to_owned(),
            |call| format!("backup StartBackupJob of {} into {} in {}", call.resource, call.vault, call.region),
        );
        Outline {
            calls: call.map(|call| vec![call.describe()]),
            summary: SafeText::new(summary),
            done_when: SafeText::new("the backup job is COMPLETED"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for StartBackup {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let call = match call(about) {
            Ok(call) => call,
            Err(why) => return Prepared::NotNow(why),
        };
        let jobs = backup::started_since(about, eyes.reader, &call.region, JobKind::Backup, &call.resource).await;
        match jobs.map(|jobs| jobs.into_iter().next()) {
            Err(why) => Prepared::NotNow(why),
            Ok(Some(job)) if job.state.running() => {
                Prepared::Busy(SafeText::new(format!("backup job {} of {}", job.id, call.resource)))
            }
            Ok(Some(job)) if job.state == JobState::Completed => Prepared::AlreadyDone(SafeText::new(format!(
                "backup job {} was completed since the step began",
                job.id
            ))),
            Ok(_) => Prepared::Send(Box::new(call)),
        }
    }

    async fn observe(
        &self,
        about: &StepContext<'_>,
        sent: &CallDescription,
        accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        backup::observe(about, JobKind::Backup, sent, accepted, eyes).await
    }
}
