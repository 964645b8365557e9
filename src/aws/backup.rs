//! AWS Backup (field guide section 1): jobs, recovery points, vaults, plans. Every list is of one Region.
//!
//! Jobs are listed where they were started: copies Mumbai -> Hyderabad appear in Mumbai. When Mumbai is gone,
//! only Hyderabad's vault speaks. A copy keeps the creation date of its source point (fact 4).

use super::{
    connection::ServiceClients,
    convert::{arn_name, arn_region, count, date_time, opt_time, safe},
    error::CallError,
    operation::{Answered, ReadOp, Site, pages},
};
use crate::domain::{
    CallDescription, RegionId, Timestamp,
    resource::{Job, JobKind, JobState, PointStatus, RecoveryPoint, Vault},
    text::SafeText,
};

/// Results per page: the most that AWS Backup gives.
const PAGE: i32 = 1_000;

fn message(text: Option<&str>) -> Option<SafeText> {
    text.filter(|text| !text.is_empty()).map(SafeText::new)
}

fn percent(text: Option<&str>) -> Option<f64> {
    text.and_then(|text| text.trim().trim_end_matches('%').parse().ok()).filter(|n: &f64| n.is_finite())
}

/// Backup jobs created after a moment (AWS keeps 30 days).
#[derive(Clone, Debug)]
pub struct ListBackupJobs {
    pub region: RegionId,
    pub created_after: Timestamp,
}

impl ListBackupJobs {
    fn site(&self) -> Site {
        Site::reading("backup", "ListBackupJobs", &self.region)
    }
}

impl ReadOp for ListBackupJobs {
    type Output = Vec<Job>;

    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("ByCreatedAfter", Some(self.created_after.rfc3339()))], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<Job>>, CallError> {
        let backup = &clients.region(&self.region)?.backup;
        let request = backup.list_backup_jobs().by_created_after(date_time(self.created_after)).max_results(PAGE);
        let ask = |token| request.clone().set_next_token(token).send();
        pages(clients, &self.site(), ask, |page| {
            let items = page.backup_jobs().iter().filter_map(|raw| backup_job(raw, &self.region)).collect();
            (items, page.next_token)
        })
        .await
    }
}

/// `None` for the child of a composite (its parent is counted) and for a job without a creation date.
fn backup_job(raw: &aws_sdk_backup::types::BackupJob, region: &RegionId) -> Option<Job> {
    if raw.parent_job_id().is_some() && !raw.is_parent() {
        return None;
    }
    Some(Job {
        kind: JobKind::Backup,
        id: safe(raw.backup_job_id()),
        region: region.clone(),
        resource_arn: raw.resource_arn().unwrap_or_default().to_owned(),
        resource_type: safe(raw.resource_type()),
        state: JobState::parse(raw.state().map_or("", |state| state.as_str())),
        message: message(raw.status_message()),
        message_category: message(raw.message_category()),
        created: opt_time(raw.creation_date())?,
        start_by: opt_time(raw.start_by()),
        expected_completion: opt_time(raw.expected_completion_date()),
        completed: opt_time(raw.completion_date()),
        size_bytes: count(raw.backup_size_in_bytes().unwrap_or(0)),
        percent: percent(raw.percent_done()),
        vault: raw.backup_vault_name().map(SafeText::new),
        destination: None,
        recovery_point_arn: raw.recovery_point_arn().map(str::to_owned),
        source_point_arn: None,
        created_resource_arn: None,
        parent: raw.is_parent(),
    })
}

/// Copy jobs created after a moment, listed where they were started.
#[derive(Clone, Debug)]
pub struct ListCopyJobs {
    pub region: RegionId,
    pub created_after: Timestamp,
}

impl ListCopyJobs {
    fn site(&self) -> Site {
        Site::reading("backup", "ListCopyJobs", &self.region)
    }
}

impl ReadOp for ListCopyJobs {
    type Output = Vec<Job>;

    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("ByCreatedAfter", Some(self.created_after.rfc3339()))], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<Job>>, CallError> {
        let backup = &clients.region(&self.region)?.backup;
        let request = backup.list_copy_jobs().by_created_after(date_time(self.created_after)).max_results(PAGE);
        let ask = |token| request.clone().set_next_token(token).send();
        pages(clients, &self.site(), ask, |page| {
            let items = page.copy_jobs().iter().filter_map(|raw| copy_job(raw, &self.region)).collect();
            (items, page.next_token)
        })
        .await
    }
}

fn copy_job(raw: &aws_sdk_backup::types::CopyJob, region: &RegionId) -> Option<Job> {
    if raw.parent_job_id().is_some() && !raw.is_parent() {
        return None;
    }
    let destination = raw.destination_backup_vault_arn();
    Some(Job {
        kind: JobKind::Copy,
        id: safe(raw.copy_job_id()),
        region: region.clone(),
        resource_arn: raw.resource_arn().unwrap_or_default().to_owned(),
        resource_type: safe(raw.resource_type()),
        state: JobState::parse(raw.state().map_or("", |state| state.as_str())),
        message: message(raw.status_message()),
        message_category: message(raw.message_category()),
        created: opt_time(raw.creation_date())?,
        start_by: None,
        expected_completion: None,
        completed: opt_time(raw.completion_date()),
        size_bytes: count(raw.backup_size_in_bytes().unwrap_or(0)),
        percent: None,
        vault: destination.map(|arn| SafeText::new(arn_name(arn))),
        destination: destination.map(arn_region),
        recovery_point_arn: raw.destination_recovery_point_arn().map(str::to_owned),
        source_point_arn: raw.source_recovery_point_arn().map(str::to_owned),
        created_resource_arn: None,
        parent: raw.is_parent(),
    })
}

/// Restore jobs created after a moment.
#[derive(Clone, Debug)]
pub struct ListRestoreJobs {
    pub region: RegionId,
    pub created_after: Timestamp,
}

impl ListRestoreJobs {
    fn site(&self) -> Site {
        Site::reading("backup", "ListRestoreJobs", &self.region)
    }
}

impl ReadOp for ListRestoreJobs {
    type Output = Vec<Job>;

    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("ByCreatedAfter", Some(self.created_after.rfc3339()))], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<Job>>, CallError> {
        let backup = &clients.region(&self.region)?.backup;
        let request = backup.list_restore_jobs().by_created_after(date_time(self.created_after)).max_results(PAGE);
        let ask = |token| request.clone().set_next_token(token).send();
        pages(clients, &self.site(), ask, |page| {
            let items = page.restore_jobs().iter().filter_map(|raw| restore_job(raw, &self.region)).collect();
            (items, page.next_token)
        })
        .await
    }
}

/// The state of a restore job is called `Status` (field guide 1.2).
fn restore_job(raw: &aws_sdk_backup::types::RestoreJobsListMember, region: &RegionId) -> Option<Job> {
    if raw.parent_job_id().is_some() && !raw.is_parent() {
        return None;
    }
    let created = opt_time(raw.creation_date())?;
    let expected = raw.expected_completion_time_minutes().filter(|&minutes| minutes > 0).map(count);
    Some(Job {
        kind: JobKind::Restore,
        id: safe(raw.restore_job_id()),
        region: region.clone(),
        resource_arn: raw.source_resource_arn().unwrap_or_default().to_owned(),
        resource_type: safe(raw.resource_type()),
        state: JobState::parse(raw.status().map_or("", |status| status.as_str())),
        message: message(raw.status_message()),
        message_category: None,
        created,
        start_by: None,
        expected_completion: expected.map(|minutes| created + std::time::Duration::from_secs(minutes * 60)),
        completed: opt_time(raw.completion_date()),
        size_bytes: count(raw.backup_size_in_bytes().unwrap_or(0)),
        percent: percent(raw.percent_done()),
        vault: raw.backup_vault_arn().map(|arn| SafeText::new(arn_name(arn))),
        destination: None,
        recovery_point_arn: None,
        source_point_arn: raw.recovery_point_arn().map(str::to_owned),
        created_resource_arn: raw.created_resource_arn().map(str::to_owned),
        parent: raw.is_parent(),
    })
}

/// Recovery points in one vault, of one resource if named.
#[derive(Clone, Debug)]
pub struct ListRecoveryPointsByBackupVault {
    pub region: RegionId,
    pub vault: String,
    pub resource: Option<String>,
    pub created_after: Timestamp,
}

impl ListRecoveryPointsByBackupVault {
    fn site(&self) -> Site {
        Site::reading("backup", "ListRecoveryPointsByBackupVault", &self.region)
    }
}

impl ReadOp for ListRecoveryPointsByBackupVault {
    type Output = Vec<RecoveryPoint>;

    fn describe(&self) -> CallDescription {
        let params = vec![
            ("BackupVaultName", Some(self.vault.clone())),
            ("ByResourceArn", self.resource.clone()),
            ("ByCreatedAfter", Some(self.created_after.rfc3339())),
        ];
        self.site().describe(params, &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<RecoveryPoint>>, CallError> {
        let backup = &clients.region(&self.region)?.backup;
        let request = backup
            .list_recovery_points_by_backup_vault()
            .backup_vault_name(&self.vault)
            .set_by_resource_arn(self.resource.clone())
            .by_created_after(date_time(self.created_after))
            .max_results(PAGE);
        let ask = |token| request.clone().set_next_token(token).send();
        pages(clients, &self.site(), ask, |page| {
            let items = page.recovery_points().iter().filter_map(|raw| point(raw, &self.vault)).collect();
            (items, page.next_token)
        })
        .await
    }
}

/// `None` without a creation date (it has no data time), and for the child of a composite.
fn point(raw: &aws_sdk_backup::types::RecoveryPointByBackupVault, vault: &str) -> Option<RecoveryPoint> {
    if raw.parent_recovery_point_arn().is_some() && !raw.is_parent() {
        return None;
    }
    Some(RecoveryPoint {
        arn: raw.recovery_point_arn().unwrap_or_default().to_owned(),
        resource_arn: raw.resource_arn().unwrap_or_default().to_owned(),
        vault: raw.backup_vault_name().unwrap_or(vault).to_owned(),
        status: point_status(raw.status().map_or("", |status| status.as_str())),
        created: opt_time(raw.creation_date())?,
        completed: opt_time(raw.completion_date()),
        delete_at: raw.calculated_lifecycle().and_then(|lifecycle| opt_time(lifecycle.delete_at())),
        size_bytes: count(raw.backup_size_in_bytes().unwrap_or(0)),
        locked: None, // the vault's lock, which another call tells
    })
}

fn point_status(word: &str) -> PointStatus {
    match word {
        "CREATING" => PointStatus::Creating,
        "COMPLETED" => PointStatus::Completed,
        "AVAILABLE" => PointStatus::Available,
        "PARTIAL" => PointStatus::Partial,
        "EXPIRED" => PointStatus::Expired,
        "STOPPED" => PointStatus::Stopped,
        "DELETING" => PointStatus::Deleting,
        other => PointStatus::Other(SafeText::new(other)),
    }
}

fn days(n: Option<i64>) -> Option<u32> {
    n.and_then(|n| u32::try_from(n).ok())
}

/// One vault, with its lock.
#[derive(Clone, Debug)]
pub struct DescribeBackupVault {
    pub region: RegionId,
    pub vault: String,
}

impl DescribeBackupVault {
    fn site(&self) -> Site {
        Site::reading("backup", "DescribeBackupVault", &self.region)
    }
}

impl ReadOp for DescribeBackupVault {
    type Output = Vault;

    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("BackupVaultName", Some(self.vault.clone()))], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vault>, CallError> {
        let backup = &clients.region(&self.region)?.backup;
        let request = backup.describe_backup_vault().backup_vault_name(&self.vault);
        let (output, request_id) = clients.call(&self.site(), 0, request.send()).await?;
        let vault = Vault {
            name: safe(output.backup_vault_name().or(Some(&self.vault))),
            arn: output.backup_vault_arn().unwrap_or_default().to_owned(),
            region: self.region.clone(),
            locked: output.locked().unwrap_or(false),
            min_retention_days: days(output.min_retention_days()),
            max_retention_days: days(output.max_retention_days()),
            points: count(output.number_of_recovery_points()),
            state: output.vault_state().map(|state| SafeText::new(state.as_str())),
        };
        Ok(Answered { value: vault, request_id, truncated: false })
    }
}

/// All vaults of the Region.
#[derive(Clone, Debug)]
pub struct ListBackupVaults {
    pub region: RegionId,
}

impl ListBackupVaults {
    fn site(&self) -> Site {
        Site::reading("backup", "ListBackupVaults", &self.region)
    }
}

impl ReadOp for ListBackupVaults {
    type Output = Vec<Vault>;

    fn describe(&self) -> CallDescription {
        self.site().describe(Vec::new(), &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<Vault>>, CallError> {
        let backup = &clients.region(&self.region)?.backup;
        let request = backup.list_backup_vaults().max_results(PAGE);
        let ask = |token| request.clone().set_next_token(token).send();
        pages(clients, &self.site(), ask, |page| {
            let vault = |raw: &aws_sdk_backup::types::BackupVaultListMember| Vault {
                name: safe(raw.backup_vault_name()),
                arn: raw.backup_vault_arn().unwrap_or_default().to_owned(),
                region: self.region.clone(),
                locked: raw.locked().unwrap_or(false),
                min_retention_days: days(raw.min_retention_days()),
                max_retention_days: days(raw.max_retention_days()),
                points: count(raw.number_of_recovery_points()),
                state: raw.vault_state().map(|state| SafeText::new(state.as_str())),
            };
            let items = page.backup_vault_list().iter().map(vault).collect();
            (items, page.next_token)
        })
        .await
    }
}

/// A backup plan as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupPlan {
    pub id: SafeText,
    pub name: SafeText,
    pub last_execution: Option<Timestamp>,
}

/// All backup plans of the Region.
#[derive(Clone, Debug)]
pub struct ListBackupPlans {
    pub region: RegionId,
}

impl ListBackupPlans {
    fn site(&self) -> Site {
        Site::reading("backup", "ListBackupPlans", &self.region)
    }
}

impl ReadOp for ListBackupPlans {
    type Output = Vec<BackupPlan>;

    fn describe(&self) -> CallDescription {
        self.site().describe(Vec::new(), &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<BackupPlan>>, CallError> {
        let backup = &clients.region(&self.region)?.backup;
        let request = backup.list_backup_plans().max_results(PAGE);
        let ask = |token| request.clone().set_next_token(token).send();
        pages(clients, &self.site(), ask, |page| {
            let plan = |raw: &aws_sdk_backup::types::BackupPlansListMember| BackupPlan {
                id: safe(raw.backup_plan_id()),
                name: safe(raw.backup_plan_name()),
                last_execution: opt_time(raw.last_execution_date()),
            };
            let items = page.backup_plans_list().iter().map(plan).collect();
            (items, page.next_token)
        })
        .await
    }
}
