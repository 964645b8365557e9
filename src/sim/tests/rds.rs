//! Databases: failover and the way back, restore points, lists and copies of snapshots.

use std::time::Duration;

use super::{Bench, HYD_ARN, HYDERABAD, MUM_ARN, MUMBAI};
use crate::{
    domain::Timestamp,
    sim::{Reply, fault::Down, wire::Element},
};

#[test]
fn the_failover_of_payments_goes_through_while_mumbai_is_black_holed_and_the_way_back_is_a_switchover() {
    let bench = Bench::new();
    let fault = bench.dark(MUMBAI, Down::Blackhole);
    assert!(matches!(bench.send("POST", "ap-south-1/rds", "/", "Action=DescribeGlobalClusters"), Reply::BlackHole));
    assert_eq!(bench.writer(HYDERABAD), MUM_ARN);
    assert!(matches!(bench.failover(), Reply::Answer { response, .. } if response.status() == 200));
    let (_, body) = bench.rds(HYDERABAD, "Action=DescribeGlobalClusters");
    assert!(body.contains("<FailoverState><Status>pending</Status>"), "{body}");
    bench.clock.advance(60);
    assert_eq!(bench.writer(HYDERABAD), HYD_ARN);

    let back = format!(
        "Action=SwitchoverGlobalCluster&GlobalClusterIdentifier=payments-global&TargetDbClusterIdentifier={MUM_ARN}"
    );
    let (status, body) = bench.rds(HYDERABAD, &back);
    assert_eq!((status, body.contains("<Code>InvalidDBClusterStateFault</Code>")), (400, true), "{body}");
    bench.sim.clear(fault).unwrap();
    bench.clock.advance(60 + 720);
    let (_, snapshots) = bench.rds(MUMBAI, "Action=DescribeDBClusterSnapshots&DBClusterIdentifier=payments-mum");
    assert!(snapshots.contains("rds:unplanned-global-failover-payments-mum-2026-11-20-09-00-"), "{snapshots}");
    assert_eq!(bench.rds(HYDERABAD, &back).0, 200);
    bench.clock.advance(100);
    assert_eq!(bench.writer(MUMBAI), MUM_ARN);
    let (_, events) = bench.rds(HYDERABAD, "Action=DescribeEvents&SourceType=db-cluster&Duration=1440");
    for said in
        ["Global failover to DB cluster payments-hyd", "Fencing of writes", "timed out", "resynchronizing members"]
    {
        assert!(events.contains(said), "{said} not in {events}");
    }
    let (_, events) = bench.rds(MUMBAI, "Action=DescribeEvents&SourceIdentifier=payments-mum&Duration=3");
    assert!(events.contains("Global switchover to DB cluster payments-mum in Region ap-south-1 finished."), "{events}");
}

#[test]
fn instances_are_where_the_estate_says_with_a_restore_point_at_most_five_minutes_old() {
    let bench = Bench::new();
    let (_, body) = bench.rds(MUMBAI, "Action=DescribeDBInstances");
    let root = Element::parse(body.as_bytes()).unwrap();
    let instances = &root.child("DescribeDBInstancesResult").unwrap().child("DBInstances").unwrap().children;
    let ids: Vec<_> = instances.iter().filter_map(|instance| instance.value("DBInstanceIdentifier")).collect();
    assert_eq!(ids, ["core-db", "payments-mum-1", "vendor-db"]);
    let latest = instances[0].value("LatestRestorableTime").and_then(Timestamp::parse).unwrap();
    assert!(bench.sim.now().since(latest) <= Duration::from_mins(5));
    let (_, replica) = bench.rds(HYDERABAD, "Action=DescribeDBInstances&DBInstanceIdentifier=core-db-hyd");
    assert!(replica.contains("<Status>replicating</Status>"), "{replica}");
    let (status, missing) = bench.rds(HYDERABAD, "Action=DescribeDBInstances&DBInstanceIdentifier=core-db");
    assert_eq!((status, missing.contains("<Code>DBInstanceNotFound</Code>")), (404, true));
}

#[test]
fn a_restore_point_stops_moving_when_its_region_goes_dark() {
    let bench = Bench::new();
    let fault = bench.dark(MUMBAI, Down::Refuse);
    let began = bench.sim.now();
    bench.clock.advance(3_600);
    bench.sim.clear(fault).unwrap();
    bench.dark(MUMBAI, Down::Slow);
    let (_, body) = bench.rds(MUMBAI, "Action=DescribeDBInstances&DBInstanceIdentifier=vendor-db");
    let latest = body.split("<LatestRestorableTime>").nth(1).unwrap().split('<').next().unwrap();
    assert!(Timestamp::parse(latest).unwrap() < began);
}

#[test]
fn lists_page_with_a_marker_and_a_page_size_outside_the_bounds_is_refused() {
    let bench = Bench::new();
    let mut form = "Action=DescribeEvents&Duration=20160&MaxRecords=20".to_owned();
    let mut pages = 0;
    let mut seen = Vec::new();
    loop {
        let (status, body) = bench.rds(MUMBAI, &form);
        assert_eq!(status, 200, "{body}");
        pages += 1;
        let root = Element::parse(body.as_bytes()).unwrap();
        let result = root.child("DescribeEventsResult").unwrap();
        seen.extend(result.child("Events").unwrap().children.iter().map(|event| format!("{event:?}")));
        let Some(marker) = result.value("Marker") else { break };
        let marker = percent_encoding::utf8_percent_encode(marker, percent_encoding::NON_ALPHANUMERIC);
        form = format!("Action=DescribeEvents&Duration=20160&MaxRecords=20&Marker={marker}");
        assert!(pages < 50);
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len());
    // Two databases and one cluster, a beginning and an end each night for fourteen nights.
    assert!((80..=84).contains(&seen.len()), "{}", seen.len());
    assert_eq!(bench.rds(MUMBAI, "Action=DescribeEvents&MaxRecords=5").0, 400);
}

#[test]
fn a_snapshot_copy_is_creating_then_available_and_a_second_one_of_that_name_is_refused() {
    let bench = Bench::new();
    let (_, body) = bench.rds(MUMBAI, "Action=DescribeDBClusterSnapshots");
    let source = body.split("<DBClusterSnapshotIdentifier>").nth(1).unwrap().split('<').next().unwrap();
    let form = format!(
        "Action=CopyDBClusterSnapshot&SourceDBClusterSnapshotIdentifier={source}&TargetDBClusterSnapshotIdentifier=keep"
    );
    let (status, body) = bench.rds(MUMBAI, &form);
    assert_eq!((status, body.contains("<Status>creating</Status>")), (200, true), "{body}");
    assert!(bench.rds(MUMBAI, &form).1.contains("DBClusterSnapshotAlreadyExistsFault"));
    bench.clock.advance(300);
    let (_, body) = bench.rds(MUMBAI, "Action=DescribeDBClusterSnapshots&DBClusterSnapshotIdentifier=keep");
    assert!(
        body.contains("<Status>available</Status>") && body.contains("<SnapshotType>manual</SnapshotType>"),
        "{body}"
    );
}
