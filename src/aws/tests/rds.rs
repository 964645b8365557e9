//! What databases say of themselves.

use super::{hyderabad, mumbai, read, wire};
use crate::{
    aws::{
        rds,
        testing::{MUMBAI, answer},
    },
    domain::Timestamp,
};

const GLOBAL_CLUSTER: &str = "<DescribeGlobalClustersResponse><DescribeGlobalClustersResult><GlobalClusters>\
<GlobalClusterMember><GlobalClusterIdentifier>payments-global</GlobalClusterIdentifier>\
<GlobalClusterArn>arn:aws:rds::111122223333:global-cluster:payments-global</GlobalClusterArn><Status>available</Status>\
<Engine>aurora-postgresql</Engine><EngineVersion>15.4</EngineVersion><GlobalClusterMembers>\
<GlobalClusterMember><DBClusterArn>arn:aws:rds:ap-south-1:111122223333:cluster:payments-mum</DBClusterArn><IsWriter>true</IsWriter></GlobalClusterMember>\
<GlobalClusterMember><DBClusterArn>arn:aws:rds:ap-south-2:111122223333:cluster:payments-hyd</DBClusterArn><IsWriter>false</IsWriter><SynchronizationStatus>connected</SynchronizationStatus></GlobalClusterMember>\
</GlobalClusterMembers><FailoverState><Status>switching-over</Status><IsDataLossAllowed>false</IsDataLossAllowed></FailoverState>\
</GlobalClusterMember></GlobalClusters></DescribeGlobalClustersResult></DescribeGlobalClustersResponse>";

#[tokio::test]
async fn a_global_cluster_tells_its_writer_and_an_undocumented_failover_state() {
    let wire = wire(|_| answer(200, "text/xml", GLOBAL_CLUSTER));
    let op = rds::DescribeGlobalClusters { region: hyderabad(), id: None };
    let clusters = read(&wire, op).await.expect("an answer").value;
    let cluster = &clusters[0];
    assert_eq!(cluster.writer().map(|member| member.region.as_str()), Some(MUMBAI));
    let standby = cluster.member_in(&hyderabad()).expect("a member");
    assert_eq!(standby.synchronization.as_deref(), Some("connected"));
    assert_eq!(cluster.failover.as_ref().map(|failover| failover.status.as_str()), Some("switching-over"));
    assert_eq!(wire.count(|asked| asked.host == "rds.ap-south-2.amazonaws.com"), 1);
}

#[tokio::test]
async fn instances_are_read_page_by_page_to_the_end() {
    let wire = wire(|asked| {
        let (id, marker) = if asked.body.contains("Marker=m2") { ("b", "") } else { ("a", "<Marker>m2</Marker>") };
        let body = format!(
            "<DescribeDBInstancesResponse><DescribeDBInstancesResult>{marker}<DBInstances><DBInstance>\
             <DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceStatus>available</DBInstanceStatus>\
             <LatestRestorableTime>2026-11-20T09:00:00Z</LatestRestorableTime><BackupRetentionPeriod>7</BackupRetentionPeriod>\
             <MultiAZ>true</MultiAZ></DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        );
        answer(200, "text/xml", body)
    });
    let answer = read(&wire, rds::DescribeDbInstances { region: mumbai() }).await.expect("an answer");
    assert_eq!(answer.value.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(!answer.truncated);
    assert_eq!(answer.value[0].latest_restorable, Timestamp::parse("2026-11-20T09:00:00Z"));
    assert_eq!(wire.count(|_| true), 2, "one call per page");
}
