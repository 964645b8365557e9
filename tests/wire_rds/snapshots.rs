//! Snapshots of instances and of clusters: kept, copied, and deleted by the run that made them alone.

use std::time::Duration;

use pointsman::{
    aws::{SendOutcome, rds},
    steps::kind::Prepared,
};

use crate::bench::{Bench, HYDERABAD, MUMBAI, saw};

#[tokio::test]
async fn a_snapshot_is_kept_and_the_newest_usable_one_is_copied_with_a_key_of_hyderabad() {
    let bench = Bench::new().await;
    bench.step("keep").carry().await;
    let copy = bench.step("copy");
    let (done, told) = copy.carry().await;
    saw(&told, &["creating"]);
    assert!(done.contains("dr-dr-core-keep-2026-11-20-09-00-00"), "{done}");
    let keyless = bench.step("copy-keyless").prepare().await;
    assert!(matches!(&keyless, Prepared::NotNow(why) if why.contains("names a key")), "{keyless:?}");
    bench.dark(MUMBAI);
    let unreadable = bench.step("copy").prepare().await;
    assert!(matches!(unreadable, Prepared::NotNow(_)), "the source cannot be listed: {unreadable:?}");
}

#[tokio::test]
async fn a_rehearsal_deletes_the_snapshot_that_its_own_step_made_and_no_other() {
    let bench = Bench::new().await;
    let count = |bench: &Bench| {
        let (reader, op) = (bench.rig.connection.reader(), rds::DescribeDbSnapshots { region: MUMBAI.into() });
        async move { reader.read(&op).await.expect("answers").value.len() }
    };
    let earlier = bench.step("keep");
    earlier.carry().await;
    let nothing = bench.step("clean-kept").prepare().await;
    assert!(matches!(nothing, Prepared::AlreadyDone(_)), "an earlier run's is not this run's: {nothing:?}");
    let keep = bench.step("keep");
    let (kept, _) = keep.send().await;
    keep.until_done(&kept).await;
    let before = count(&bench).await;
    let clean = bench.step("clean-kept").after(&keep);
    let (sent, outcome) = clean.send().await;
    assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
    clean.until_done(&sent).await;
    assert_eq!(clean.acting().clears(&sent), keep.acting().leaves(&kept));
    assert_eq!(count(&bench).await, before - 1);
    let again = bench.step("clean-kept").after(&keep).prepare().await;
    assert!(matches!(again, Prepared::AlreadyDone(_)), "{again:?}");
    let stays = bench.step("clean-kept").after(&earlier).prepare().await;
    assert!(matches!(stays, Prepared::Send(_)), "only its own run may take it away: {stays:?}");
}

#[tokio::test]
async fn what_a_drill_kept_of_an_unplanned_failover_goes_and_what_a_real_one_kept_stays() {
    let bench = Bench::new().await;
    let mumbai = bench.dark(MUMBAI);
    let target = "arn:aws:rds:ap-south-2:111122223333:cluster:core-hyd-cluster".to_owned();
    let op = rds::FailoverGlobalCluster {
        region: HYDERABAD.into(),
        global_cluster: "core-global".into(),
        target_arn: target,
    };
    let moved = bench.rig.writer().send_once(&op).await;
    assert!(matches!(moved, SendOutcome::Accepted { .. }), "{moved:?}");
    bench.rig.advance(Duration::from_secs(120));
    bench.rig.sim.clear(mumbai).expect("known");
    bench.rig.advance(Duration::from_secs(600));
    let keep = bench.step("keep-unplanned");
    let (kept, _) = keep.send().await;
    keep.until_done(&kept).await;
    // A later drill finds it kept already: it made nothing, and must leave it alone.
    bench.rig.advance(Duration::from_secs(3_600));
    let drill = bench.step("keep-unplanned");
    assert!(matches!(drill.prepare().await, Prepared::AlreadyDone(_)));
    let stays = bench.step("clean-unplanned").after(&drill).prepare().await;
    assert!(matches!(stays, Prepared::AlreadyDone(_)), "{stays:?}");
    let clean = bench.step("clean-unplanned").after(&keep);
    let (sent, outcome) = clean.send().await;
    assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
    clean.until_done(&sent).await;
    assert_eq!(clean.acting().clears(&sent), keep.acting().leaves(&kept));
    let automated = rds::DeleteDbClusterSnapshot { region: MUMBAI.into(), snapshot: kept.params[0].1.to_string() };
    let refused = bench.rig.writer().send_once(&automated).await;
    assert!(
        matches!(&refused, SendOutcome::Refused { code, .. } if code.as_str() == "InvalidDBClusterSnapshotStateFault"),
        "{refused:?}"
    );
}
