//! Calls to RDS that change nothing.
//!
//! Global clusters are visible from every member Region: ask in the Region that must work. Status words are not
//! closed sets and stay text.

use super::{
    super::{
        connection::ServiceClients,
        convert::{arn_region, date_time, opt_time, safe},
        error::CallError,
        operation::{Answered, ReadOp, Site, pages},
    },
    tags,
};
use crate::domain::{
    CallDescription, RegionId, Timestamp,
    resource::{DbCluster, DbEvent, DbInstance, DbSnapshot, GlobalCluster, GlobalFailover, GlobalMember},
    text::SafeText,
};

/// Records per page: the most that RDS gives.
const PAGE: i32 = 100;

/// All global clusters seen from the Region, or the one named.
#[derive(Clone, Debug)]
pub struct DescribeGlobalClusters {
    pub region: RegionId,
    pub id: Option<String>,
}
impl DescribeGlobalClusters {
    fn site(&self) -> Site {
        Site::reading("rds", "DescribeGlobalClusters", &self.region)
    }
}

impl ReadOp for DescribeGlobalClusters {
    type Output = Vec<GlobalCluster>;

    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("GlobalClusterIdentifier", self.id.clone())], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<GlobalCluster>>, CallError> {
        let rds = &clients.region(&self.region)?.rds;
        let request = rds.describe_global_clusters().set_global_cluster_identifier(self.id.clone()).max_records(PAGE);
        let ask = |marker| request.clone().set_marker(marker).send();
        pages(clients, &self.site(), ask, |page| {
            let items = page.global_clusters().iter().map(global_cluster).collect();
            (items, page.marker)
        })
        .await
    }
}

fn global_cluster(raw: &aws_sdk_rds::types::GlobalCluster) -> GlobalCluster {
    let members = raw.global_cluster_members().iter().map(|member| {
        let arn = member.db_cluster_arn().unwrap_or_default();
        GlobalMember {
            cluster_arn: arn.to_owned(),
            region: arn_region(arn),
            writer: member.is_writer().unwrap_or(false),
            synchronization: member.synchronization_status().map(|status| SafeText::new(status.as_str())),
        }
    });
    // Empty unless an operation is pending or running; some answers carry an empty element instead of none.
    let failover = raw.failover_state().and_then(|state| {
        let status = state.status()?;
        Some(GlobalFailover {
            status: SafeText::new(status.as_str()),
            from: state.from_db_cluster_arn().map(str::to_owned),
            to: state.to_db_cluster_arn().map(str::to_owned),
            data_loss_allowed: state.is_data_loss_allowed().unwrap_or(false),
        })
    });
    GlobalCluster {
        id: safe(raw.global_cluster_identifier()),
        arn: safe(raw.global_cluster_arn()),
        status: safe(raw.status()),
        engine: safe(raw.engine()),
        engine_version: safe(raw.engine_version()),
        members: members.collect(),
        failover,
    }
}

/// All clusters of the Region, or the one named.
#[derive(Clone, Debug)]
pub struct DescribeDbClusters {
    pub region: RegionId,
    pub id: Option<String>,
}

impl DescribeDbClusters {
    fn site(&self) -> Site {
        Site::reading("rds", "DescribeDBClusters", &self.region)
    }
}

impl ReadOp for DescribeDbClusters {
    type Output = Vec<DbCluster>;

    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("DBClusterIdentifier", self.id.clone())], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<DbCluster>>, CallError> {
        let rds = &clients.region(&self.region)?.rds;
        let request = rds.describe_db_clusters().set_db_cluster_identifier(self.id.clone()).max_records(PAGE);
        let ask = |marker| request.clone().set_marker(marker).send();
        pages(clients, &self.site(), ask, |page| {
            let items = page.db_clusters().iter().map(db_cluster).collect();
            (items, page.marker)
        })
        .await
    }
}

fn db_cluster(raw: &aws_sdk_rds::types::DbCluster) -> DbCluster {
    DbCluster {
        id: safe(raw.db_cluster_identifier()),
        arn: raw.db_cluster_arn().unwrap_or_default().to_owned(),
        status: safe(raw.status()),
        engine: safe(raw.engine()),
        engine_version: safe(raw.engine_version()),
        members: raw.db_cluster_members().iter().map(|member| safe(member.db_instance_identifier())).collect(),
        latest_restorable: opt_time(raw.latest_restorable_time()),
        global_cluster: named(raw.global_cluster_identifier()),
        replicates_from: named(raw.replication_source_identifier()),
        tags: tags(raw.tag_list()),
    }
}

/// All instances of the Region.
#[derive(Clone, Debug)]
pub struct DescribeDbInstances {
    pub region: RegionId,
}

impl DescribeDbInstances {
    fn site(&self) -> Site {
        Site::reading("rds", "DescribeDBInstances", &self.region)
    }
}

impl ReadOp for DescribeDbInstances {
    type Output = Vec<DbInstance>;

    fn describe(&self) -> CallDescription {
        self.site().describe(Vec::new(), &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<DbInstance>>, CallError> {
        let rds = &clients.region(&self.region)?.rds;
        let request = rds.describe_db_instances().max_records(PAGE);
        let ask = |marker| request.clone().set_marker(marker).send();
        pages(clients, &self.site(), ask, |page| {
            let items = page.db_instances().iter().map(db_instance).collect();
            (items, page.marker)
        })
        .await
    }
}

/// What belongs to nobody is an absent element or an empty one (the latter seen of an emulator).
fn named(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn db_instance(raw: &aws_sdk_rds::types::DbInstance) -> DbInstance {
    let replication = raw
        .status_infos()
        .iter()
        .find(|info| info.status_type() == Some("read replication"))
        .map(|info| (safe(info.status()), info.normal().unwrap_or(false)));
    DbInstance {
        id: safe(raw.db_instance_identifier()),
        arn: raw.db_instance_arn().unwrap_or_default().to_owned(),
        status: safe(raw.db_instance_status()),
        engine: safe(raw.engine()),
        multi_az: raw.multi_az().unwrap_or(false),
        latest_restorable: opt_time(raw.latest_restorable_time()),
        backup_retention_days: u32::try_from(raw.backup_retention_period().unwrap_or(0)).unwrap_or(0),
        replica_of: named(raw.read_replica_source_db_instance_identifier()),
        replicas: raw.read_replica_db_instance_identifiers().to_vec(),
        replication,
        cluster: named(raw.db_cluster_identifier()),
        created: opt_time(raw.instance_create_time()),
        encrypted: raw.storage_encrypted().unwrap_or(false),
        protected: raw.deletion_protection().unwrap_or(false),
        tags: tags(raw.tag_list()),
    }
}

/// Snapshots of clusters, of one cluster if named: the copy of the lost transactions after a failover is
/// `rds:unplanned-global-failover-…` among them (field guide 2.6).
#[derive(Clone, Debug)]
pub struct DescribeDbClusterSnapshots {
    pub region: RegionId,
    pub cluster: Option<String>,
}

impl DescribeDbClusterSnapshots {
    fn site(&self) -> Site {
        Site::reading("rds", "DescribeDBClusterSnapshots", &self.region)
    }
}

impl ReadOp for DescribeDbClusterSnapshots {
    type Output = Vec<DbSnapshot>;

    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("DBClusterIdentifier", self.cluster.clone())], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<DbSnapshot>>, CallError> {
        let rds = &clients.region(&self.region)?.rds;
        let request =
            rds.describe_db_cluster_snapshots().set_db_cluster_identifier(self.cluster.clone()).max_records(PAGE);
        let ask = |marker| request.clone().set_marker(marker).send();
        pages(clients, &self.site(), ask, |page| {
            let snapshot = |raw: &aws_sdk_rds::types::DbClusterSnapshot| DbSnapshot {
                id: safe(raw.db_cluster_snapshot_identifier()),
                arn: raw.db_cluster_snapshot_arn().unwrap_or_default().to_owned(),
                source: safe(raw.db_cluster_identifier()),
                status: safe(raw.status()),
                created: opt_time(raw.snapshot_create_time()),
                percent: raw.percent_progress().and_then(|percent| u32::try_from(percent).ok()),
                size_bytes: gib(raw.allocated_storage()),
                copied_from: raw.source_db_cluster_snapshot_arn().map(str::to_owned),
                encrypted: raw.storage_encrypted().unwrap_or(false),
                tags: tags(raw.tag_list()),
            };
            let items = page.db_cluster_snapshots().iter().map(snapshot).collect();
            (items, page.marker)
        })
        .await
    }
}

/// Snapshots of instances. `created` is the original creation where AWS gives it: it survives a copy, the
/// snapshot's own creation time does not (field guide 1.3).
#[derive(Clone, Debug)]
pub struct DescribeDbSnapshots {
    pub region: RegionId,
}

impl DescribeDbSnapshots {
    fn site(&self) -> Site {
        Site::reading("rds", "DescribeDBSnapshots", &self.region)
    }
}

impl ReadOp for DescribeDbSnapshots {
    type Output = Vec<DbSnapshot>;

    fn describe(&self) -> CallDescription {
        self.site().describe(Vec::new(), &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<DbSnapshot>>, CallError> {
        let rds = &clients.region(&self.region)?.rds;
        let request = rds.describe_db_snapshots().max_records(PAGE);
        let ask = |marker| request.clone().set_marker(marker).send();
        pages(clients, &self.site(), ask, |page| {
            let snapshot = |raw: &aws_sdk_rds::types::DbSnapshot| DbSnapshot {
                id: safe(raw.db_snapshot_identifier()),
                arn: raw.db_snapshot_arn().unwrap_or_default().to_owned(),
                source: safe(raw.db_instance_identifier()),
                status: safe(raw.status()),
                created: opt_time(raw.original_snapshot_create_time().or(raw.snapshot_create_time())),
                percent: raw.percent_progress().and_then(|percent| u32::try_from(percent).ok()),
                size_bytes: gib(raw.allocated_storage()),
                copied_from: raw.source_db_snapshot_identifier().map(str::to_owned),
                encrypted: raw.encrypted().unwrap_or(false),
                tags: tags(raw.tag_list()),
            };
            let items = page.db_snapshots().iter().map(snapshot).collect();
            (items, page.marker)
        })
        .await
    }
}

/// Events of clusters since a moment: somebody else's hand, and whether fencing of the old primary worked.
#[derive(Clone, Debug)]
pub struct DescribeDbEvents {
    pub region: RegionId,
    /// AWS keeps 14 days.
    pub since: Timestamp,
}

impl DescribeDbEvents {
    fn site(&self) -> Site {
        Site::reading("rds", "DescribeEvents", &self.region)
    }
}

impl ReadOp for DescribeDbEvents {
    type Output = Vec<DbEvent>;

    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("StartTime", Some(self.since.rfc3339()))], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<DbEvent>>, CallError> {
        let rds = &clients.region(&self.region)?.rds;
        let request = rds.describe_events().start_time(date_time(self.since)).max_records(PAGE);
        let ask = |marker| request.clone().set_marker(marker).send();
        pages(clients, &self.site(), ask, |page| {
            let event = |raw: &aws_sdk_rds::types::Event| {
                Some(DbEvent {
                    source: safe(raw.source_identifier()),
                    at: opt_time(raw.date())?,
                    message: safe(raw.message()),
                })
            };
            let items = page.events().iter().filter_map(event).collect();
            (items, page.marker)
        })
        .await
    }
}

fn gib(storage: Option<i32>) -> u64 {
    storage.and_then(|gib| u64::try_from(gib).ok()).unwrap_or(0) << 30
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::DbInstance;

    use super::db_instance;

    #[test]
    fn an_instance_whose_cluster_and_source_are_empty_stands_alone() {
        let raw =
            DbInstance::builder().db_cluster_identifier("").read_replica_source_db_instance_identifier("").build();
        let alone = db_instance(&raw);
        assert_eq!((alone.cluster, alone.replica_of), (None, None));
        let of_cluster = db_instance(&DbInstance::builder().db_cluster_identifier("payments-mum").build());
        assert_eq!(of_cluster.cluster.as_deref(), Some("payments-mum"));
    }
}
