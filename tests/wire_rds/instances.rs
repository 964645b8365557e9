//! Instances: promoted, restored, replicated anew, and what a drill made of them deleted.

use std::{collections::BTreeMap, time::Duration};

use pointsman::{
    aws::{SendOutcome, rds},
    domain::SafeText,
    runbook::finding::Leftover,
    sim::fault::{FaultKind, LateAnswer},
    steps::{
        self,
        kind::{Observed, Prepared},
    },
};

use crate::bench::{Bench, HYDERABAD, MUMBAI, saw};

#[tokio::test]
async fn a_replica_is_promoted_while_mumbai_is_dark_and_becomes_a_primary_with_backups() {
    let bench = Bench::new().await;
    bench.dark(MUMBAI);
    let (done, told) = bench.step("promote").carry().await;
    saw(&told, &["modifying", "rebooting", "backing-up"]);
    assert!(done.contains("14 days"), "{done}");
    // Logs are shipped every five minutes.
    bench.rig.advance(Duration::from_secs(300));
    let promoted = &bench.instances(HYDERABAD).await["core-hyd"];
    assert_eq!((promoted.replica_of.as_ref(), promoted.backup_retention_days), (None, 14));
    assert!(promoted.latest_restorable.is_some(), "the new primary can be restored to a point in time");
    assert_eq!(bench.effects(), [("PromoteReadReplica".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_promotion_that_lands_late_is_seen_when_it_lands_and_is_in_the_log_once() {
    let bench = Bench::new().await;
    bench.rig.inject(FaultKind::LateEffect {
        service: Some("rds".into()),
        operation: Some("PromoteReadReplica".into()),
        count: 1,
        after_seconds: 120,
        answer: LateAnswer::Lost,
    });
    let step = bench.step("promote");
    let (sent, outcome) = step.send().await;
    assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{outcome:?}");
    assert!(matches!(step.observe(&sent).await, Observed::NotDone(_)), "not yet");
    bench.rig.advance(Duration::from_secs(121));
    assert!(matches!(step.observe(&sent).await, Observed::InProgress(_)));
    step.until_done(&sent).await;
    assert_eq!(bench.effects(), [("PromoteReadReplica".to_owned(), 1)].into());
}

#[tokio::test]
async fn stale_reads_say_for_a_while_that_nothing_was_done() {
    let bench = Bench::new().await;
    let fault = bench.rig.inject(FaultKind::StaleReads {
        service: "rds".into(),
        region: Some(HYDERABAD.into()),
        operation: None,
        seconds: 60,
    });
    let step = bench.step("restore");
    let (sent, _) = step.send().await;
    assert!(matches!(step.observe(&sent).await, Observed::NotDone(_)));
    bench.rig.advance(Duration::from_secs(61));
    assert!(matches!(step.observe(&sent).await, Observed::InProgress(_)));
    bench.rig.sim.clear(fault).expect("known");
    step.until_done(&sent).await;
}

#[tokio::test]
async fn the_fifteen_minute_option_restores_the_newest_copy_in_hyderabad_and_says_what_it_is_as_of() {
    let bench = Bench::new().await;
    bench.dark(MUMBAI);
    bench.rig.advance(Duration::from_secs(300));
    let step = bench.step("restore");
    let (sent, _) = step.send().await;
    let snapshot = sent.params.iter().find(|(name, _)| name == "DBSnapshotIdentifier").expect("named").1.to_string();
    assert!(snapshot.starts_with("core-every-2026-11-20-08-"), "{snapshot}");
    let (done, told) = step.until_done(&sent).await;
    saw(&told, &["creating", "modifying", "backing-up"]);
    assert!(done.contains("data as of 2026-11-20T08:"), "{done}");
    let restored = &bench.instances(HYDERABAD).await["core-dr"];
    assert_eq!(restored.tags["pointsman"], format!("core/restore@{}", step.begun_at.rfc3339()));
    let leftover = Leftover { kind: "rds-instance".into(), region: HYDERABAD.into(), id: SafeText::new("core-dr") };
    assert_eq!(step.leaves(), Some(leftover));
}

#[tokio::test]
async fn an_instance_of_that_name_from_another_run_is_not_taken_for_the_restored_one() {
    let bench = Bench::new().await;
    bench.step("restore").carry().await;
    let later = bench.step("restore");
    let prepared = later.prepare().await;
    assert!(matches!(&prepared, Prepared::NotNow(why) if why.contains("not made by this step")), "{prepared:?}");
    // Were it sent all the same, AWS would refuse it: the name is the token.
    let op = rds::RestoreDbInstanceFromDbSnapshot {
        region: HYDERABAD.into(),
        instance: "core-dr".into(),
        snapshot: "x".into(),
        class: None,
        subnet_group: None,
        tags: BTreeMap::new(),
    };
    let outcome = bench.rig.writer().send_once(&op).await;
    assert!(
        matches!(&outcome, SendOutcome::Refused { code, .. } if code.as_str() == "DBInstanceAlreadyExists"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_point_in_time_is_restored_beside_the_primary_and_never_from_a_replica() {
    let bench = Bench::new().await;
    let replica = bench.step("rewind-replica").prepare().await;
    assert!(matches!(&replica, Prepared::NotNow(why) if why.contains("no latest restorable")), "{replica:?}");
    bench.step("rewind").carry().await;
    let state = bench.rig.sim.state();
    let made = state["db_instances"].as_array().expect("a list").iter().find(|made| made["id"] == "core-rewound");
    assert_eq!(made.expect("made")["data_time"], "2026-11-20T08:30:00Z");
}

#[tokio::test]
async fn the_way_home_is_a_new_replica_that_is_done_when_it_replicates() {
    let bench = Bench::new().await;
    let mumbai = bench.dark(MUMBAI);
    bench.step("promote").carry().await;
    let dark = bench.step("home").prepare().await;
    assert!(matches!(dark, Prepared::NotNow(_)), "Mumbai is dark: {dark:?}");
    bench.rig.sim.clear(mumbai).expect("known");
    let (done, _) = bench.step("home").carry().await;
    assert!(done.contains("replicating"), "{done}");
    let replica = &bench.instances(MUMBAI).await["core-mum-2"];
    assert!(replica.replica_of.as_deref().is_some_and(|arn| arn.ends_with(":db:core-hyd")), "{replica:?}");
}

#[tokio::test]
async fn the_leftover_of_a_drill_is_deleted_and_what_the_app_depends_on_is_not() {
    let bench = Bench::new().await;
    bench.step("drill-restore").carry().await;
    let clean = bench.step("clean");
    let (sent, outcome) = clean.send().await;
    assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
    assert!(matches!(clean.prepare().await, Prepared::Busy(_)), "it is being deleted");
    let (_, told) = clean.until_done(&sent).await;
    saw(&told, &["deleting"]);
    assert!(matches!(clean.prepare().await, Prepared::AlreadyDone(_)));
    assert_eq!(clean.acting().clears(&sent), bench.step("drill-restore").leaves());
    let kind = steps::find("rds.delete-instance").expect("registered");
    let depends = bench.step("clean-the-replica");
    let refused = depends.with(None, |about| kind.outline(about)).calls.expect_err("never");
    assert!(refused.contains("depends on core-hyd"), "{refused}");
    assert!(bench.instances(HYDERABAD).await.contains_key("core-hyd"));
}
