//! Calls that make, copy and delete snapshots of DB instances, and delete those of clusters.

use async_trait::async_trait;

use super::{
    super::{
        convert::safe,
        error::CallError,
        operation::{Accepted, Site, WriteOp},
        write::WritingClients,
    },
    ADD_TAGS, shown, wire,
};
use crate::domain::{CallDescription, Hazard, RegionId, resource::Tags};

/// A snapshot of what an instance holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateDbSnapshot {
    pub region: RegionId,
    pub snapshot: String,
    pub instance: String,
    pub tags: Tags,
}

impl CreateDbSnapshot {
    fn site(&self) -> Site {
        Site::writing("rds", "CreateDBSnapshot", &self.region, Hazard::Reversible)
    }
}

#[async_trait]
impl WriteOp for CreateDbSnapshot {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("DBSnapshotIdentifier", Some(self.snapshot.clone())),
            ("DBInstanceIdentifier", Some(self.instance.clone())),
            ("Tags", shown(&self.tags)),
        ];
        self.site().describe(params, &["rds:CreateDBSnapshot", ADD_TAGS])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .create_db_snapshot()
            .db_snapshot_identifier(&self.snapshot)
            .db_instance_identifier(&self.instance)
            .set_tags(wire(&self.tags));
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.db_snapshot().and_then(|snapshot| snapshot.db_snapshot_arn());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}

/// A copy under a name of our own; sent to the *destination* Region with the source's ARN (field guide 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyDbSnapshot {
    pub region: RegionId,
    /// ARN.
    pub source: String,
    pub target_id: String,
    /// Of the destination; needed where the source is encrypted and lies in another Region.
    pub kms_key: Option<String>,
    pub tags: Tags,
}

impl CopyDbSnapshot {
    fn site(&self) -> Site {
        Site::writing("rds", "CopyDBSnapshot", &self.region, Hazard::Reversible)
    }
}

#[async_trait]
impl WriteOp for CopyDbSnapshot {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("SourceDBSnapshotIdentifier", Some(self.source.clone())),
            ("TargetDBSnapshotIdentifier", Some(self.target_id.clone())),
            ("KmsKeyId", self.kms_key.clone()),
            ("Tags", shown(&self.tags)),
        ];
        self.site().describe(params, &["rds:CopyDBSnapshot", ADD_TAGS])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .copy_db_snapshot()
            .source_db_snapshot_identifier(&self.source)
            .target_db_snapshot_identifier(&self.target_id)
            .set_kms_key_id(self.kms_key.clone())
            .set_tags(wire(&self.tags));
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.db_snapshot().and_then(|snapshot| snapshot.db_snapshot_arn());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}

/// Deletes a snapshot that somebody's call made; AWS deletes no automated one this way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteDbSnapshot {
    pub region: RegionId,
    pub snapshot: String,
}

impl DeleteDbSnapshot {
    fn site(&self) -> Site {
        Site::writing("rds", "DeleteDBSnapshot", &self.region, Hazard::DataLoss)
    }
}

#[async_trait]
impl WriteOp for DeleteDbSnapshot {
    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("DBSnapshotIdentifier", Some(self.snapshot.clone()))], &[])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients.region(&self.region)?.rds.delete_db_snapshot().db_snapshot_identifier(&self.snapshot);
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.db_snapshot().and_then(|snapshot| snapshot.status());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}

/// Deletes a snapshot of a cluster that somebody's call made; AWS deletes no automated one this way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteDbClusterSnapshot {
    pub region: RegionId,
    pub snapshot: String,
}

impl DeleteDbClusterSnapshot {
    fn site(&self) -> Site {
        Site::writing("rds", "DeleteDBClusterSnapshot", &self.region, Hazard::DataLoss)
    }
}

#[async_trait]
impl WriteOp for DeleteDbClusterSnapshot {
    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("DBClusterSnapshotIdentifier", Some(self.snapshot.clone()))], &[])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let rds = &clients.region(&self.region)?.rds;
        let request = rds.delete_db_cluster_snapshot().db_cluster_snapshot_identifier(&self.snapshot);
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.db_cluster_snapshot().and_then(|snapshot| snapshot.status());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}
