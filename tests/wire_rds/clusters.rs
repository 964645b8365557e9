//! Clusters of a global database: detached, and the way back to two Regions.

use pointsman::aws::{SendOutcome, rds};

use crate::bench::{Bench, HYDERABAD, MUMBAI, saw};

#[tokio::test]
async fn a_detached_cluster_gets_a_new_global_database_and_mumbai_joins_it_again() {
    let bench = Bench::new().await;
    let mumbai = bench.dark(MUMBAI);
    let (_, told) = bench.step("detach").carry().await;
    saw(&told, &["promoting"]);
    bench.step("new-global").carry().await;
    bench.rig.sim.clear(mumbai).expect("known");
    let (done, told) = bench.step("rejoin").carry().await;
    saw(&told, &["creating", "pending-resync"]);
    assert!(done.contains("connected"), "{done}");
    let home = rds::SwitchoverGlobalCluster {
        region: HYDERABAD.into(),
        global_cluster: "core-global-2".into(),
        target_arn: "arn:aws:rds:ap-south-1:111122223333:cluster:core-mum-2".into(),
    };
    let writer = bench.rig.writer();
    let headless = writer.send_once(&home).await;
    assert!(
        matches!(&headless, SendOutcome::Refused { code, .. } if code.as_str() == "InvalidDBClusterStateFault"),
        "a secondary without an instance takes nothing over: {headless:?}"
    );
    bench.step("add").carry().await;
    assert!(matches!(writer.send_once(&home).await, SendOutcome::Accepted { .. }));
    let effects = bench.effects();
    assert!(effects.values().all(|count| *count == 1), "{effects:?}");
    assert_eq!(effects.len(), 5, "{effects:?}");
}
