//! Calls that make, promote and delete DB instances outside of clusters.

use async_trait::async_trait;

use super::{
    super::{
        convert::{date_time, safe},
        error::CallError,
        operation::{Accepted, Site, WriteOp},
        write::WritingClients,
    },
    ADD_TAGS, shown, wire,
};
use crate::domain::{CallDescription, Hazard, RegionId, Timestamp, resource::Tags};

/// Makes a read replica an instance of its own; one-way, reboots it, refused while it is `backing-up` (field guide 2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromoteReadReplica {
    pub region: RegionId,
    pub instance: String,
    /// At least 1: with 0 the new primary could not be restored to a point in time.
    pub retention_days: u32,
}

impl PromoteReadReplica {
    fn site(&self) -> Site {
        Site::writing("rds", "PromoteReadReplica", &self.region, Hazard::DataLoss)
    }
}

#[async_trait]
impl WriteOp for PromoteReadReplica {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("DBInstanceIdentifier", Some(self.instance.clone())),
            ("BackupRetentionPeriod", Some(self.retention_days.to_string())),
        ];
        self.site().describe(params, &[])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .promote_read_replica()
            .db_instance_identifier(&self.instance)
            .backup_retention_period(i32::try_from(self.retention_days).unwrap_or(i32::MAX));
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.db_instance().and_then(|instance| instance.db_instance_status());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}

/// A new instance with what a snapshot of this Region holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreDbInstanceFromDbSnapshot {
    pub region: RegionId,
    pub instance: String,
    /// Identifier or ARN.
    pub snapshot: String,
    pub class: Option<String>,
    pub subnet_group: Option<String>,
    pub tags: Tags,
}

impl RestoreDbInstanceFromDbSnapshot {
    fn site(&self) -> Site {
        Site::writing("rds", "RestoreDBInstanceFromDBSnapshot", &self.region, Hazard::Reversible)
    }
}

#[async_trait]
impl WriteOp for RestoreDbInstanceFromDbSnapshot {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("DBInstanceIdentifier", Some(self.instance.clone())),
            ("DBSnapshotIdentifier", Some(self.snapshot.clone())),
            ("DBInstanceClass", self.class.clone()),
            ("DBSubnetGroupName", self.subnet_group.clone()),
            ("Tags", shown(&self.tags)),
        ];
        self.site().describe(params, &["rds:RestoreDBInstanceFromDBSnapshot", ADD_TAGS])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .restore_db_instance_from_db_snapshot()
            .db_instance_identifier(&self.instance)
            .db_snapshot_identifier(&self.snapshot)
            .set_db_instance_class(self.class.clone())
            .set_db_subnet_group_name(self.subnet_group.clone())
            .set_tags(wire(&self.tags));
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.db_instance().and_then(|instance| instance.db_instance_status());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}

/// To which moment a point-in-time restore goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreTo {
    /// `UseLatestRestorableTime`: zero to five minutes ago (field guide 2.2).
    Latest,
    At(Timestamp),
}

/// A new instance with what another of this Region held at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreDbInstanceToPointInTime {
    pub region: RegionId,
    pub instance: String,
    /// Identifier; it must have automated backups.
    pub source: String,
    pub to: RestoreTo,
    pub class: Option<String>,
    pub subnet_group: Option<String>,
    pub tags: Tags,
}

impl RestoreDbInstanceToPointInTime {
    fn site(&self) -> Site {
        Site::writing("rds", "RestoreDBInstanceToPointInTime", &self.region, Hazard::Reversible)
    }

    fn moment(&self) -> Option<Timestamp> {
        match self.to {
            RestoreTo::Latest => None,
            RestoreTo::At(time) => Some(time),
        }
    }
}

#[async_trait]
impl WriteOp for RestoreDbInstanceToPointInTime {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("SourceDBInstanceIdentifier", Some(self.source.clone())),
            ("TargetDBInstanceIdentifier", Some(self.instance.clone())),
            ("UseLatestRestorableTime", matches!(self.to, RestoreTo::Latest).then(|| "true".to_owned())),
            ("RestoreTime", self.moment().map(Timestamp::rfc3339)),
            ("DBInstanceClass", self.class.clone()),
            ("DBSubnetGroupName", self.subnet_group.clone()),
            ("Tags", shown(&self.tags)),
        ];
        self.site().describe(params, &["rds:RestoreDBInstanceToPointInTime", ADD_TAGS])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .restore_db_instance_to_point_in_time()
            .source_db_instance_identifier(&self.source)
            .target_db_instance_identifier(&self.instance)
            .set_use_latest_restorable_time(matches!(self.to, RestoreTo::Latest).then_some(true))
            .set_restore_time(self.moment().map(date_time))
            .set_db_instance_class(self.class.clone())
            .set_db_subnet_group_name(self.subnet_group.clone())
            .set_tags(wire(&self.tags));
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.db_instance().and_then(|instance| instance.db_instance_status());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}

/// A read replica in this Region of an instance in another, named by its ARN (field guide 2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateDbInstanceReadReplica {
    pub region: RegionId,
    pub instance: String,
    pub source_arn: String,
    /// Of this Region; needed where the source is encrypted.
    pub kms_key: Option<String>,
    pub class: Option<String>,
    pub subnet_group: Option<String>,
    pub tags: Tags,
}

impl CreateDbInstanceReadReplica {
    fn site(&self) -> Site {
        Site::writing("rds", "CreateDBInstanceReadReplica", &self.region, Hazard::Reversible)
    }
}

#[async_trait]
impl WriteOp for CreateDbInstanceReadReplica {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("DBInstanceIdentifier", Some(self.instance.clone())),
            ("SourceDBInstanceIdentifier", Some(self.source_arn.clone())),
            ("KmsKeyId", self.kms_key.clone()),
            ("DBInstanceClass", self.class.clone()),
            ("DBSubnetGroupName", self.subnet_group.clone()),
            ("Tags", shown(&self.tags)),
        ];
        self.site().describe(params, &["rds:CreateDBInstanceReadReplica", ADD_TAGS])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .create_db_instance_read_replica()
            .db_instance_identifier(&self.instance)
            .source_db_instance_identifier(&self.source_arn)
            .set_kms_key_id(self.kms_key.clone())
            .set_db_instance_class(self.class.clone())
            .set_db_subnet_group_name(self.subnet_group.clone())
            .set_tags(wire(&self.tags));
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.db_instance().and_then(|instance| instance.db_instance_status());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}

/// What stays of an instance that is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinalSnapshot {
    None,
    Named(String),
}

/// Deletes an instance, its automated backups with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteDbInstance {
    pub region: RegionId,
    pub instance: String,
    pub keep: FinalSnapshot,
}

impl DeleteDbInstance {
    fn site(&self) -> Site {
        Site::writing("rds", "DeleteDBInstance", &self.region, Hazard::DataLoss)
    }

    fn last(&self) -> Option<String> {
        match &self.keep {
            FinalSnapshot::None => None,
            FinalSnapshot::Named(id) => Some(id.clone()),
        }
    }
}

#[async_trait]
impl WriteOp for DeleteDbInstance {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("DBInstanceIdentifier", Some(self.instance.clone())),
            ("SkipFinalSnapshot", Some((self.keep == FinalSnapshot::None).to_string())),
            ("FinalDBSnapshotIdentifier", self.last()),
        ];
        self.site().describe(params, &[])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .delete_db_instance()
            .db_instance_identifier(&self.instance)
            .skip_final_snapshot(self.keep == FinalSnapshot::None)
            .set_final_db_snapshot_identifier(self.last());
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.db_instance().and_then(|instance| instance.db_instance_status());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}
