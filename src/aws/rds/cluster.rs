//! Calls that move, detach and make clusters of Aurora.

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

/// Planned move: no data is lost, both Regions must be well. Sent to the Region of the *current primary*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchoverGlobalCluster {
    pub region: RegionId,
    pub global_cluster: String,
    /// ARN of the cluster that becomes the writer.
    pub target_arn: String,
}

impl SwitchoverGlobalCluster {
    fn site(&self) -> Site {
        Site::writing("rds", "SwitchoverGlobalCluster", &self.region, Hazard::Disruptive)
    }
}

#[async_trait]
impl WriteOp for SwitchoverGlobalCluster {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("GlobalClusterIdentifier", Some(self.global_cluster.clone())),
            ("TargetDbClusterIdentifier", Some(self.target_arn.clone())),
        ];
        self.site().describe(params, &[])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .switchover_global_cluster()
            .global_cluster_identifier(&self.global_cluster)
            .target_db_cluster_identifier(&self.target_arn);
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let status = output.global_cluster().and_then(|cluster| cluster.status());
        Ok(Accepted { request_id, detail: safe(status) })
    }
}

/// Unplanned: what the target has not received is lost. Sent to the Region of the *target*, so that it works
/// when the primary is gone. Without `AllowDataLoss=true` AWS would take it for a switchover (fact 10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailoverGlobalCluster {
    pub region: RegionId,
    pub global_cluster: String,
    /// ARN of the cluster that becomes the writer.
    pub target_arn: String,
}

impl FailoverGlobalCluster {
    fn site(&self) -> Site {
        Site::writing("rds", "FailoverGlobalCluster", &self.region, Hazard::DataLoss)
    }
}

#[async_trait]
impl WriteOp for FailoverGlobalCluster {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("GlobalClusterIdentifier", Some(self.global_cluster.clone())),
            ("TargetDbClusterIdentifier", Some(self.target_arn.clone())),
            ("AllowDataLoss", Some("true".to_owned())),
        ];
        self.site().describe(params, &[])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .failover_global_cluster()
            .global_cluster_identifier(&self.global_cluster)
            .target_db_cluster_identifier(&self.target_arn)
            .allow_data_loss(true);
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let status = output.global_cluster().and_then(|cluster| cluster.status());
        Ok(Accepted { request_id, detail: safe(status) })
    }
}

/// Keeps a snapshot that AWS would delete, under a name of our own. The target's name is its idempotency token:
/// `DBClusterSnapshotAlreadyExistsFault` means that it was done before (field guide 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyDbClusterSnapshot {
    pub region: RegionId,
    pub source: String,
    pub target_id: String,
    pub tags: Tags,
}

impl CopyDbClusterSnapshot {
    fn site(&self) -> Site {
        Site::writing("rds", "CopyDBClusterSnapshot", &self.region, Hazard::Reversible)
    }
}

#[async_trait]
impl WriteOp for CopyDbClusterSnapshot {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("SourceDBClusterSnapshotIdentifier", Some(self.source.clone())),
            ("TargetDBClusterSnapshotIdentifier", Some(self.target_id.clone())),
            ("Tags", shown(&self.tags)),
        ];
        self.site().describe(params, &["rds:CopyDBClusterSnapshot", ADD_TAGS])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .copy_db_cluster_snapshot()
            .source_db_cluster_snapshot_identifier(&self.source)
            .target_db_cluster_snapshot_identifier(&self.target_id)
            .set_tags(wire(&self.tags));
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let arn = output.db_cluster_snapshot().and_then(|snapshot| snapshot.db_cluster_snapshot_arn());
        Ok(Accepted { request_id, detail: safe(arn) })
    }
}

/// Takes a cluster out of its global database and promotes it; one-way. Sent to the Region of the cluster, so that it
/// works when the primary is gone. What it has not received is lost (field guide 2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveFromGlobalCluster {
    pub region: RegionId,
    pub global_cluster: String,
    /// Of the cluster that leaves.
    pub cluster_arn: String,
}

impl RemoveFromGlobalCluster {
    fn site(&self) -> Site {
        Site::writing("rds", "RemoveFromGlobalCluster", &self.region, Hazard::DataLoss)
    }
}

#[async_trait]
impl WriteOp for RemoveFromGlobalCluster {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("GlobalClusterIdentifier", Some(self.global_cluster.clone())),
            ("DbClusterIdentifier", Some(self.cluster_arn.clone())),
        ];
        self.site().describe(params, &[])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .remove_from_global_cluster()
            .global_cluster_identifier(&self.global_cluster)
            .db_cluster_identifier(&self.cluster_arn);
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.global_cluster().and_then(|cluster| cluster.status());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}

/// A new global database around a cluster that stands for itself; engine and version are taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateGlobalCluster {
    pub region: RegionId,
    pub global_cluster: String,
    pub source_arn: String,
}

impl CreateGlobalCluster {
    fn site(&self) -> Site {
        Site::writing("rds", "CreateGlobalCluster", &self.region, Hazard::Reversible)
    }
}

#[async_trait]
impl WriteOp for CreateGlobalCluster {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("GlobalClusterIdentifier", Some(self.global_cluster.clone())),
            ("SourceDBClusterIdentifier", Some(self.source_arn.clone())),
        ];
        self.site().describe(params, &[])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .create_global_cluster()
            .global_cluster_identifier(&self.global_cluster)
            .source_db_cluster_identifier(&self.source_arn);
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.global_cluster().and_then(|cluster| cluster.status());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}

/// A secondary cluster of a global database, without instances, in this Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateDbCluster {
    pub region: RegionId,
    pub cluster: String,
    pub global_cluster: String,
    /// As the global database has them.
    pub engine: String,
    pub engine_version: String,
    /// Of this Region; needed where the primary is encrypted.
    pub kms_key: Option<String>,
    pub subnet_group: Option<String>,
    pub tags: Tags,
}

impl CreateDbCluster {
    fn site(&self) -> Site {
        Site::writing("rds", "CreateDBCluster", &self.region, Hazard::Reversible)
    }
}

#[async_trait]
impl WriteOp for CreateDbCluster {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("DBClusterIdentifier", Some(self.cluster.clone())),
            ("GlobalClusterIdentifier", Some(self.global_cluster.clone())),
            ("Engine", Some(self.engine.clone())),
            ("EngineVersion", Some(self.engine_version.clone())),
            ("KmsKeyId", self.kms_key.clone()),
            ("DBSubnetGroupName", self.subnet_group.clone()),
            ("Tags", shown(&self.tags)),
        ];
        self.site().describe(params, &["rds:CreateDBCluster", ADD_TAGS])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .create_db_cluster()
            .db_cluster_identifier(&self.cluster)
            .global_cluster_identifier(&self.global_cluster)
            .engine(&self.engine)
            .engine_version(&self.engine_version)
            .set_kms_key_id(self.kms_key.clone())
            .set_db_subnet_group_name(self.subnet_group.clone())
            .set_tags(wire(&self.tags));
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.db_cluster().and_then(|cluster| cluster.status());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}

/// An instance of a cluster: without one a secondary is headless and cannot take over (field guide 2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateDbClusterInstance {
    pub region: RegionId,
    pub instance: String,
    pub cluster: String,
    pub engine: String,
    pub class: String,
    pub tags: Tags,
}

impl CreateDbClusterInstance {
    fn site(&self) -> Site {
        Site::writing("rds", "CreateDBInstance", &self.region, Hazard::Reversible)
    }
}

#[async_trait]
impl WriteOp for CreateDbClusterInstance {
    fn describe(&self) -> CallDescription {
        let params = vec![
            ("DBInstanceIdentifier", Some(self.instance.clone())),
            ("DBClusterIdentifier", Some(self.cluster.clone())),
            ("Engine", Some(self.engine.clone())),
            ("DBInstanceClass", Some(self.class.clone())),
            ("Tags", shown(&self.tags)),
        ];
        self.site().describe(params, &["rds:CreateDBInstance", ADD_TAGS])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let request = clients
            .region(&self.region)?
            .rds
            .create_db_instance()
            .db_instance_identifier(&self.instance)
            .db_cluster_identifier(&self.cluster)
            .engine(&self.engine)
            .db_instance_class(&self.class)
            .set_tags(wire(&self.tags));
        let (output, request_id) =
            clients.call(&self.site(), |mark| request.customize().interceptor(mark).send()).await?;
        let detail = output.db_instance().and_then(|instance| instance.db_instance_status());
        Ok(Accepted { request_id, detail: safe(detail) })
    }
}
