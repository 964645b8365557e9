//! RDS and Aurora (field guide section 2): what changes nothing is in [`read`], what moves or makes clusters in [`cluster`],
//! instances in [`instance`], snapshots in [`snapshot`].
//!
//! RDS has no idempotency tokens: what is made under a name is refused with `…AlreadyExists` the second time, and what
//! has no name (failover, promotion, detach) must never be sent twice (field guide 2.3, 9.7).

mod cluster;
mod instance;
mod read;
mod snapshot;

pub use cluster::{
    CopyDbClusterSnapshot, CreateDbCluster, CreateDbClusterInstance, CreateGlobalCluster, FailoverGlobalCluster,
    RemoveFromGlobalCluster, SwitchoverGlobalCluster,
};
pub use instance::{
    CreateDbInstanceReadReplica, DeleteDbInstance, FinalSnapshot, PromoteReadReplica, RestoreDbInstanceFromDbSnapshot,
    RestoreDbInstanceToPointInTime, RestoreTo,
};
pub use read::{
    DescribeDbClusterSnapshots, DescribeDbClusters, DescribeDbEvents, DescribeDbInstances, DescribeDbSnapshots,
    DescribeGlobalClusters,
};
pub use snapshot::{CopyDbSnapshot, CreateDbSnapshot, DeleteDbClusterSnapshot, DeleteDbSnapshot};

use crate::domain::resource::Tags;

/// What a call that makes something also needs: it marks it as made by a step.
const ADD_TAGS: &str = "rds:AddTagsToResource";

/// As the plan shows them: `pointsman=payments/restore@2026-11-20T09:00:00Z`.
fn shown(tags: &Tags) -> Option<String> {
    let all: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    (!all.is_empty()).then(|| all.join(","))
}

/// As they go over the wire.
fn wire(tags: &Tags) -> Option<Vec<aws_sdk_rds::types::Tag>> {
    let tag = |(key, value): (&String, &String)| aws_sdk_rds::types::Tag::builder().key(key).value(value).build();
    (!tags.is_empty()).then(|| tags.iter().map(tag).collect())
}

fn tags(raw: &[aws_sdk_rds::types::Tag]) -> Tags {
    let pair =
        |tag: &aws_sdk_rds::types::Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    raw.iter().filter_map(pair).collect()
}
