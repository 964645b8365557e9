//! Jobs, recovery points, vaults and plans.

use serde_json::json;

use super::{hyderabad, mumbai, read, wire};
use crate::{
    aws::{backup, testing::answer},
    domain::{
        Timestamp,
        resource::{JobState, PointStatus},
    },
};

#[tokio::test]
async fn copies_say_where_they_go_and_children_of_a_composite_are_not_counted_twice() {
    let wire = wire(|asked| {
        assert!(asked.path.starts_with("/copy-jobs"), "{}", asked.path);
        let body = json!({"CopyJobs": [
            {"CopyJobId": "c1", "State": "COMPLETED", "MessageCategory": "AccessDenied", "CreationDate": 1_780_000_000,
             "ResourceArn": "arn:aws:rds:ap-south-1:111122223333:db:vendor-db",
             "DestinationBackupVaultArn": "arn:aws:backup:ap-south-2:111122223333:backup-vault:bank-hyd", "IsParent": false},
            {"CopyJobId": "child", "State": "RUNNING", "ParentJobId": "c0", "CreationDate": 1_780_000_000},
        ]});
        answer(200, "application/json", body.to_string())
    });
    let op = backup::ListCopyJobs { region: mumbai(), created_after: Timestamp::from_secs(0) };
    let jobs = read(&wire, op).await.expect("an answer").value;
    assert_eq!(jobs.len(), 1);
    assert_eq!((jobs[0].vault.as_deref(), jobs[0].destination.clone()), (Some("bank-hyd"), Some(hyderabad())));
    assert!(jobs[0].completed_with_issues());
}

#[tokio::test]
async fn backup_and_restore_jobs_are_read_with_their_own_words_for_state() {
    let wire = wire(|asked| {
        let body = if asked.path.starts_with("/restore-jobs") {
            json!({"RestoreJobs": [{"RestoreJobId": "r", "Status": "RUNNING", "CreationDate": 1_780_000_000, "PercentDone": "12.5%",
                "ExpectedCompletionTimeMinutes": 30}]})
        } else {
            json!({"BackupJobs": [{"BackupJobId": "b", "State": "EXPIRED", "CreationDate": 1_780_000_000.5, "StartBy": 1_780_003_600}]})
        };
        answer(200, "application/json", body.to_string())
    });
    let after = Timestamp::from_secs(1_779_000_000);
    let backups =
        read(&wire, backup::ListBackupJobs { region: mumbai(), created_after: after }).await.expect("jobs").value;
    assert_eq!(
        (backups[0].state.clone(), backups[0].created),
        (JobState::Expired, Timestamp::from_millis(1_780_000_000_500))
    );
    let restores =
        read(&wire, backup::ListRestoreJobs { region: mumbai(), created_after: after }).await.expect("jobs").value;
    assert_eq!((restores[0].state.clone(), restores[0].percent), (JobState::Running, Some(12.5)));
    assert_eq!(restores[0].expected_completion, Some(Timestamp::from_secs(1_780_001_800)));
}

#[tokio::test]
async fn the_data_time_of_a_copy_is_the_creation_of_its_source() {
    let wire = wire(|asked| {
        assert!(asked.path.starts_with("/backup-vaults/bank-hyd/recovery-points"), "{}", asked.path);
        let body = json!({"RecoveryPoints": [{"RecoveryPointArn": "arn:p", "ResourceArn": "arn:r", "Status": "AVAILABLE",
            "CreationDate": 1_780_000_000, "CompletionDate": 1_780_003_000,
            "CalculatedLifecycle": {"DeleteAt": 1_780_086_400}, "BackupSizeInBytes": 10}]});
        answer(200, "application/json", body.to_string())
    });
    let op = backup::ListRecoveryPointsByBackupVault {
        region: hyderabad(),
        vault: "bank-hyd".into(),
        resource: None,
        created_after: Timestamp::from_secs(0),
    };
    let points = read(&wire, op).await.expect("points").value;
    assert_eq!(
        (points[0].created, points[0].status.clone()),
        (Timestamp::from_secs(1_780_000_000), PointStatus::Available)
    );
    assert_eq!(points[0].delete_at, Some(Timestamp::from_secs(1_780_086_400)));
}

#[tokio::test]
async fn vaults_and_plans_tell_locks_and_last_runs() {
    let wire = wire(|asked| {
        let body = if asked.path.starts_with("/backup/plans") {
            json!({"BackupPlansList": [{"BackupPlanId": "p", "BackupPlanName": "hourly", "LastExecutionDate": 1_780_000_000}]})
        } else if asked.path.starts_with("/backup-vaults/bank-mum") {
            json!({"BackupVaultName": "bank-mum", "Locked": true, "MinRetentionDays": 7, "NumberOfRecoveryPoints": 3})
        } else {
            json!({"BackupVaultList": [{"BackupVaultName": "bank-mum", "VaultState": "AVAILABLE", "NumberOfRecoveryPoints": 3}]})
        };
        answer(200, "application/json", body.to_string())
    });
    let vaults = read(&wire, backup::ListBackupVaults { region: mumbai() }).await.expect("vaults").value;
    assert_eq!((vaults[0].locked, vaults[0].state.as_deref()), (false, Some("AVAILABLE")));
    let vault = read(&wire, backup::DescribeBackupVault { region: mumbai(), vault: "bank-mum".into() }).await;
    let vault = vault.expect("a vault").value;
    assert_eq!((vault.locked, vault.min_retention_days, vault.points), (true, Some(7), 3));
    let plans = read(&wire, backup::ListBackupPlans { region: mumbai() }).await.expect("plans").value;
    assert_eq!(plans[0].last_execution, Some(Timestamp::from_secs(1_780_000_000)));
}
