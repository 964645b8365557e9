//! AWS Backup, the calls that change something (field guide 1.4), and what became of one job.
//!
//! Each start takes an idempotency token that the caller derived from its own recorded attempt: without one the SDK
//! would make a fresh token per send, and AWS could not tell a repeated attempt from a second wish. Jobs are
//! described and listed in the Region where they were started.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    connection::ServiceClients,
    convert::{date_time, opt_time, safe},
    error::CallError,
    operation::{Accepted, Answered, ReadOp, Site, WriteOp, pages},
    write::WritingClients,
};
use crate::domain::{
    CallDescription, Hazard, RegionId, Timestamp,
    resource::{JobKind, JobState},
    text::SafeText,
};

/// In a plan the token is not known yet: it belongs to one attempt of one run.
const ANY: &str = "*";

fn token_shown(token: Option<&String>) -> String {
    token.cloned().unwrap_or_else(|| ANY.to_owned())
}

fn need_token(token: Option<&String>) -> Result<String, CallError> {
    token.cloned().ok_or_else(|| CallError::not_sent("no idempotency token: the call belongs to no recorded attempt"))
}

/// Makes a recovery point now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartBackupJob {
    pub region: RegionId,
    pub vault: String,
    pub resource: String,
    pub role: String,
    /// Whole days (field guide 0.2); `None`: kept until somebody deletes it.
    pub delete_after_days: Option<u32>,
    pub token: Option<String>,
}

impl StartBackupJob {
    fn site(&self) -> Site {
        Site::writing("backup", "StartBackupJob", &self.region, Hazard::Reversible)
    }
}

#[async_trait]
impl WriteOp for StartBackupJob {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("BackupVaultName", Some(self.vault.clone())),
            ("ResourceArn", Some(self.resource.clone())),
            ("IamRoleArn", Some(self.role.clone())),
            ("DeleteAfterDays", self.delete_after_days.map(|days| days.to_string())),
            ("IdempotencyToken", Some(token_shown(self.token.as_ref()))),
        ];
        self.site().describe(params, &["backup:StartBackupJob", "iam:PassRole"])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let token = need_token(self.token.as_ref())?;
        let request = clients.region(&self.region)?.backup.start_backup_job();
        let lifecycle = self
            .delete_after_days
            .map(|days| aws_sdk_backup::types::Lifecycle::builder().delete_after_days(i64::from(days)).build());
        let request = request
            .backup_vault_name(&self.vault)
            .resource_arn(&self.resource)
            .iam_role_arn(&self.role)
            .set_lifecycle(lifecycle)
            .idempotency_token(token);
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        Ok(Accepted { request_id, detail: safe(output.backup_job_id()) })
    }
}

/// Copies a recovery point to another vault; not for continuous backups (field guide 1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartCopyJob {
    /// Where the source vault is.
    pub region: RegionId,
    pub point: String,
    pub source_vault: String,
    pub destination_vault_arn: String,
    pub role: String,
    pub token: Option<String>,
}

impl StartCopyJob {
    fn site(&self) -> Site {
        Site::writing("backup", "StartCopyJob", &self.region, Hazard::Reversible)
    }
}

#[async_trait]
impl WriteOp for StartCopyJob {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("RecoveryPointArn", Some(self.point.clone())),
            ("SourceBackupVaultName", Some(self.source_vault.clone())),
            ("DestinationBackupVaultArn", Some(self.destination_vault_arn.clone())),
            ("IamRoleArn", Some(self.role.clone())),
            ("IdempotencyToken", Some(token_shown(self.token.as_ref()))),
        ];
        self.site().describe(params, &["backup:StartCopyJob", "iam:PassRole"])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let token = need_token(self.token.as_ref())?;
        let request = clients.region(&self.region)?.backup.start_copy_job();
        let request = request
            .recovery_point_arn(&self.point)
            .source_backup_vault_name(&self.source_vault)
            .destination_backup_vault_arn(&self.destination_vault_arn)
            .iam_role_arn(&self.role)
            .idempotency_token(token);
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        Ok(Accepted { request_id, detail: safe(output.copy_job_id()) })
    }
}

/// Restores a recovery point in the Region of its vault, as a new resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartRestoreJob {
    pub region: RegionId,
    pub point: String,
    pub role: String,
    /// As AWS Backup calls it: `RDS`, `EC2`, …
    pub resource_type: String,
    /// What the runbook decides of the metadata: the target's name first, then its overrides.
    pub chosen: Vec<(String, String)>,
    /// The rest, as the recovery point has it. `None` in a plan: it is read right before the act.
    pub kept: Option<BTreeMap<String, String>>,
    pub token: Option<String>,
}

impl StartRestoreJob {
    fn site(&self) -> Site {
        Site::writing("backup", "StartRestoreJob", &self.region, Hazard::DataLoss)
    }

    /// `DBInstanceIdentifier=vendor-db-restored; Engine=postgres`; in a plan what is kept is not known yet.
    fn metadata_shown(&self) -> String {
        let pair = |(key, value): (&String, &String)| format!("{key}={value}");
        let chosen: Vec<String> = self.chosen.iter().map(|(key, value)| pair((key, value))).collect();
        let kept = self
            .kept
            .as_ref()
            .map_or_else(|| ANY.to_owned(), |kept| kept.iter().map(pair).collect::<Vec<_>>().join(", "));
        format!("{}; {kept}", chosen.join(", "))
    }
}

#[async_trait]
impl WriteOp for StartRestoreJob {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("RecoveryPointArn", Some(self.point.clone())),
            ("Metadata", Some(self.metadata_shown())),
            ("IamRoleArn", Some(self.role.clone())),
            ("ResourceType", Some(self.resource_type.clone())),
            ("IdempotencyToken", Some(token_shown(self.token.as_ref()))),
        ];
        self.site().describe(params, &["backup:StartRestoreJob", "iam:PassRole"])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let token = need_token(self.token.as_ref())?;
        let Some(kept) = &self.kept else {
            return Err(CallError::not_sent("the metadata of the recovery point was not read"));
        };
        let metadata = kept.iter().map(|(key, value)| (key.clone(), value.clone())).chain(self.chosen.clone());
        let request = clients.region(&self.region)?.backup.start_restore_job();
        let request = request
            .recovery_point_arn(&self.point)
            .set_metadata(Some(metadata.collect()))
            .iam_role_arn(&self.role)
            .resource_type(&self.resource_type)
            .idempotency_token(token);
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        Ok(Accepted { request_id, detail: safe(output.restore_job_id()) })
    }
}

/// What AWS Backup would need to restore the point as it was; names, subnet group and security groups are the
/// source Region's (field guide 1.4).
#[derive(Clone, Debug)]
pub struct GetRecoveryPointRestoreMetadata {
    pub region: RegionId,
    pub vault: String,
    pub point: String,
}

impl GetRecoveryPointRestoreMetadata {
    fn site(&self) -> Site {
        Site::reading("backup", "GetRecoveryPointRestoreMetadata", &self.region)
    }
}

impl ReadOp for GetRecoveryPointRestoreMetadata {
    type Output = BTreeMap<String, String>;

    fn describe(&self) -> CallDescription {
        let params =
            vec![("BackupVaultName", Some(self.vault.clone())), ("RecoveryPointArn", Some(self.point.clone()))];
        self.site().describe(params, &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<BTreeMap<String, String>>, CallError> {
        let request = clients.region(&self.region)?.backup.get_recovery_point_restore_metadata();
        let request = request.backup_vault_name(&self.vault).recovery_point_arn(&self.point);
        let (output, request_id) = clients.call(&self.site(), 0, request.send()).await?;
        let value = output.restore_metadata.unwrap_or_default().into_iter().collect();
        Ok(Answered { value, request_id, truncated: false })
    }
}

/// A job as one asks what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StartedJob {
    pub id: SafeText,
    pub state: JobState,
    pub message: Option<SafeText>,
    /// `PercentDone` is text on the wire, and estimated (field guide 1.2).
    pub percent: Option<SafeText>,
    pub created: Option<Timestamp>,
    /// ARN of what it makes: a recovery point, or a restored resource.
    pub makes: Option<String>,
    /// ARN of the recovery point that it copies or restores.
    pub source_point: Option<String>,
}

impl StartedJob {
    fn new(id: Option<&str>, state: &str) -> Self {
        Self {
            id: safe(id),
            state: JobState::parse(state),
            message: None,
            percent: None,
            created: None,
            makes: None,
            source_point: None,
        }
    }
}

fn said(text: Option<&str>) -> Option<SafeText> {
    text.filter(|text| !text.is_empty()).map(SafeText::new)
}

/// One job by its id, in the Region where it was started.
#[derive(Clone, Debug)]
pub struct DescribeJob {
    pub region: RegionId,
    pub kind: JobKind,
    pub id: String,
}

impl DescribeJob {
    fn site(&self) -> Site {
        let operation = match self.kind {
            JobKind::Backup => "DescribeBackupJob",
            JobKind::Copy => "DescribeCopyJob",
            JobKind::Restore => "DescribeRestoreJob",
        };
        Site::reading("backup", operation, &self.region)
    }
}

impl ReadOp for DescribeJob {
    type Output = StartedJob;

    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("JobId", Some(self.id.clone()))], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<StartedJob>, CallError> {
        let (site, backup) = (self.site(), &clients.region(&self.region)?.backup);
        let (value, request_id) = match self.kind {
            JobKind::Backup => {
                let request = backup.describe_backup_job().backup_job_id(&self.id);
                let (raw, id) = clients.call(&site, 0, request.send()).await?;
                let state = raw.state().map_or("", |state| state.as_str());
                let job = StartedJob {
                    message: said(raw.status_message()),
                    percent: said(raw.percent_done()),
                    created: opt_time(raw.creation_date()),
                    makes: raw.recovery_point_arn().map(str::to_owned),
                    ..StartedJob::new(raw.backup_job_id(), state)
                };
                (job, id)
            }
            JobKind::Copy => {
                let request = backup.describe_copy_job().copy_job_id(&self.id);
                let (output, id) = clients.call(&site, 0, request.send()).await?;
                let raw = output.copy_job().ok_or_else(|| CallError::bad_answer("DescribeCopyJob without CopyJob"))?;
                (copy_job(raw), id)
            }
            JobKind::Restore => {
                let request = backup.describe_restore_job().restore_job_id(&self.id);
                let (raw, id) = clients.call(&site, 0, request.send()).await?;
                let state = raw.status().map_or("", |state| state.as_str());
                let job = StartedJob {
                    message: said(raw.status_message()),
                    percent: said(raw.percent_done()),
                    created: opt_time(raw.creation_date()),
                    makes: raw.created_resource_arn().map(str::to_owned),
                    source_point: raw.recovery_point_arn().map(str::to_owned),
                    ..StartedJob::new(raw.restore_job_id(), state)
                };
                (job, id)
            }
        };
        Ok(Answered { value, request_id, truncated: false })
    }
}

fn copy_job(raw: &aws_sdk_backup::types::CopyJob) -> StartedJob {
    StartedJob {
        message: said(raw.status_message()),
        created: opt_time(raw.creation_date()),
        makes: raw.destination_recovery_point_arn().map(str::to_owned),
        source_point: raw.source_recovery_point_arn().map(str::to_owned),
        ..StartedJob::new(raw.copy_job_id(), raw.state().map_or("", |state| state.as_str()))
    }
}

/// Jobs of one resource that no backup plan and no restore test started, created after a moment: how the effect of a
/// start is found when its answer was lost.
#[derive(Clone, Debug)]
pub struct ListStartedJobs {
    pub region: RegionId,
    pub kind: JobKind,
    pub resource: String,
    pub created_after: Timestamp,
}

impl ListStartedJobs {
    fn site(&self) -> Site {
        let operation = match self.kind {
            JobKind::Backup => "ListBackupJobs",
            JobKind::Copy => "ListCopyJobs",
            JobKind::Restore => "ListRestoreJobs",
        };
        Site::reading("backup", operation, &self.region)
    }
}

impl ReadOp for ListStartedJobs {
    type Output = Vec<StartedJob>;

    fn describe(&self) -> CallDescription {
        let params = vec![
            ("ByResourceArn", Some(self.resource.clone()).filter(|_| self.kind != JobKind::Restore)),
            ("ByCreatedAfter", Some(self.created_after.rfc3339())),
        ];
        self.site().describe(params, &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<StartedJob>>, CallError> {
        let (site, backup) = (self.site(), &clients.region(&self.region)?.backup);
        let after = date_time(self.created_after);
        match self.kind {
            JobKind::Backup => {
                let request = backup.list_backup_jobs().by_resource_arn(&self.resource).by_created_after(after);
                let ask = |token| request.clone().set_next_token(token).send();
                pages(clients, &site, ask, |page| {
                    let jobs = page.backup_jobs().iter().filter(|raw| raw.created_by().is_none());
                    let items = jobs.map(|raw| StartedJob {
                        message: said(raw.status_message()),
                        percent: said(raw.percent_done()),
                        created: opt_time(raw.creation_date()),
                        makes: raw.recovery_point_arn().map(str::to_owned),
                        ..StartedJob::new(raw.backup_job_id(), raw.state().map_or("", |state| state.as_str()))
                    });
                    (items.collect(), page.next_token)
                })
                .await
            }
            JobKind::Copy => {
                let request = backup.list_copy_jobs().by_resource_arn(&self.resource).by_created_after(after);
                let ask = |token| request.clone().set_next_token(token).send();
                pages(clients, &site, ask, |page| {
                    let jobs = page.copy_jobs().iter().filter(|raw| raw.created_by().is_none());
                    (jobs.map(copy_job).collect(), page.next_token)
                })
                .await
            }
            JobKind::Restore => {
                let request = backup.list_restore_jobs().by_created_after(after);
                let ask = |token| request.clone().set_next_token(token).send();
                pages(clients, &site, ask, |page| {
                    let ours = page.restore_jobs().iter().filter(|raw| {
                        raw.created_by().is_none() && raw.source_resource_arn() == Some(self.resource.as_str())
                    });
                    let items = ours.map(|raw| StartedJob {
                        message: said(raw.status_message()),
                        percent: said(raw.percent_done()),
                        created: opt_time(raw.creation_date()),
                        makes: raw.created_resource_arn().map(str::to_owned),
                        source_point: raw.recovery_point_arn().map(str::to_owned),
                        ..StartedJob::new(raw.restore_job_id(), raw.status().map_or("", |status| status.as_str()))
                    });
                    (items.collect(), page.next_token)
                })
                .await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restore(kept: Option<BTreeMap<String, String>>, token: Option<&str>) -> StartRestoreJob {
        StartRestoreJob {
            region: "ap-south-2".into(),
            point: "arn:aws:rds:ap-south-2:111122223333:snapshot:awsbackup:copyjob-1".into(),
            role: "arn:aws:iam::111122223333:role/r".into(),
            resource_type: "RDS".into(),
            chosen: vec![("DBInstanceIdentifier".into(), "vendor-db-restored".into())],
            kept,
            token: token.map(str::to_owned),
        }
    }

    fn shown(op: &StartRestoreJob, name: &str) -> String {
        let call = op.describe();
        call.params.into_iter().find(|(known, _)| known == name).expect("a parameter").1.to_string()
    }

    #[test]
    fn a_plan_shows_what_it_knows_and_leaves_open_what_only_the_attempt_has() {
        let planned = restore(None, None);
        assert_eq!(shown(&planned, "Metadata"), "DBInstanceIdentifier=vendor-db-restored; *");
        assert_eq!(shown(&planned, "IdempotencyToken"), "*");
        let kept = [("Engine".to_owned(), "postgres".to_owned())].into();
        let sent = restore(Some(kept), Some("t-1"));
        assert_eq!(shown(&sent, "Metadata"), "DBInstanceIdentifier=vendor-db-restored; Engine=postgres");
        assert_eq!(shown(&sent, "IdempotencyToken"), "t-1");
    }
}
