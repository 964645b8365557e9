//! What an operation does to a global database on its way, and what it is refused for.

use super::*;
use crate::sim::fault::{Down, Fault, FaultKind};

const MUMBAI: &str = "ap-south-1";
const HYDERABAD: &str = "ap-south-2";

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn payments() -> Global {
    let member = |cluster: &str, region: &str| Member::seeded(cluster, &region.into(), "111122223333");
    Global {
        id: "payments-global".to_owned(),
        account: "111122223333".to_owned(),
        members: vec![member("payments-mum", MUMBAI), member("payments-hyd", HYDERABAD)],
        moves: Vec::new(),
    }
}

fn dark(faults: &mut Faults, region: &str, from: i64, until: Option<i64>) {
    let kind = FaultKind::RegionDown { region: region.into(), how: Down::Blackhole };
    let fault = Fault { id: 0, kind, from: Some(at(from)), until: until.map(at) };
    faults.inject(fault, at(from), &[MUMBAI.into(), HYDERABAD.into()]).unwrap();
}

fn begin(global: &mut Global, kind: MoveKind, to: usize, here: &str, now: i64, faults: &Faults) -> Result<(), String> {
    let arn = global.members[to].arn();
    global.begin(kind, &arn, &here.into(), at(now), 1, faults).map_err(|refusal| refusal.code)
}

#[test]
fn a_switchover_is_pending_then_switching_and_then_the_other_region_writes_and_the_old_one_connects() {
    let (mut global, faults) = (payments(), Faults::default());
    begin(&mut global, MoveKind::Switchover, 1, MUMBAI, 1_000, &faults).unwrap();
    assert_eq!(global.running(at(1_001), &faults).unwrap().status, "pending");
    assert_eq!(global.writer(at(1_001), &faults), Some(MUMBAI.into()));
    assert_eq!(global.running(at(1_010), &faults).unwrap().status, "switching-over");
    assert_eq!(global.writer(at(1_010), &faults), None);
    assert_eq!(global.writer_index(at(1_010), &faults), 0);
    let done = at(1_000) + global.moves[0].takes;
    assert_eq!(global.running(done, &faults), None);
    assert_eq!(global.writer(done, &faults), Some(HYDERABAD.into()));
    assert!(!global.connected(0, done, &faults));
    assert!(global.connected(0, done + TURN_ROUND.1, &faults));
    assert_eq!(global.writer(at(999), &faults), Some(MUMBAI.into()), "history stays as it was");
}

#[test]
fn a_failover_goes_through_while_the_old_region_is_dark_and_it_returns_only_after_it_is_up_again() {
    let (mut global, mut faults) = (payments(), Faults::default());
    dark(&mut faults, MUMBAI, 500, None);
    begin(&mut global, MoveKind::Failover, 1, HYDERABAD, 1_000, &faults).unwrap();
    let done = at(1_000) + global.moves[0].takes;
    assert_eq!(global.writer(done, &faults), Some(HYDERABAD.into()));
    assert!(!global.connected(0, at(100_000), &faults), "dark for a day: still no secondary");
    faults.clear(1, at(5_000)).unwrap();
    assert!(!global.connected(0, at(5_001), &faults), "up, and still rebuilding");
    assert_eq!(global.cluster_status(0, at(5_001), &faults), "modifying");
    assert!(global.connected(0, at(5_000) + REBUILD.1, &faults));
}

#[test]
fn an_operation_is_refused_in_the_wrong_state_region_or_direction_with_the_wire_codes() {
    let (mut global, mut faults) = (payments(), Faults::default());
    let wrong = |global: &mut Global, kind, to, here, now, faults: &Faults| {
        begin(global, kind, to, here, now, faults).unwrap_err()
    };
    assert_eq!(wrong(&mut global, MoveKind::Switchover, 1, HYDERABAD, 0, &faults), "InvalidGlobalClusterStateFault");
    assert_eq!(wrong(&mut global, MoveKind::Failover, 1, MUMBAI, 0, &faults), "InvalidGlobalClusterStateFault");
    assert_eq!(wrong(&mut global, MoveKind::Switchover, 0, MUMBAI, 0, &faults), "InvalidDBClusterStateFault");
    let unknown = global.begin(MoveKind::Failover, "arn:aws:rds:x:y:cluster:z", &MUMBAI.into(), at(0), 1, &faults);
    assert_eq!(unknown.unwrap_err().code, "DBClusterNotFoundFault");
    let name = global.begin(MoveKind::Failover, "payments-hyd", &HYDERABAD.into(), at(0), 1, &faults);
    assert_eq!(name.unwrap_err().code, "InvalidParameterValue");
    begin(&mut global, MoveKind::Failover, 1, HYDERABAD, 10, &faults).unwrap();
    assert_eq!(wrong(&mut global, MoveKind::Failover, 1, HYDERABAD, 11, &faults), "InvalidGlobalClusterStateFault");
    let done = 10 + FAILOVER.1.as_secs().cast_signed();
    let back = wrong(&mut global, MoveKind::Switchover, 0, HYDERABAD, done, &faults);
    assert_eq!(back, "InvalidDBClusterStateFault", "the way back waits for the rebuild");
    let rebuilt = done + REBUILD.1.as_secs().cast_signed();
    dark(&mut faults, MUMBAI, rebuilt + 100, None);
    assert!(wrong(&mut global, MoveKind::Switchover, 0, HYDERABAD, rebuilt + 101, &faults).starts_with("Invalid"));
    begin(&mut global, MoveKind::Switchover, 0, HYDERABAD, rebuilt + 99, &faults).unwrap();
}

#[test]
fn a_switchover_that_loses_a_member_on_the_way_is_cancelled_and_the_writer_stays() {
    let (mut global, mut faults) = (payments(), Faults::default());
    begin(&mut global, MoveKind::Switchover, 1, MUMBAI, 1_000, &faults).unwrap();
    dark(&mut faults, MUMBAI, 1_020, None);
    assert_eq!(global.running(at(1_025), &faults).unwrap().status, "cancelling");
    assert_eq!(global.running(at(1_051), &faults), None);
    assert_eq!(global.writer(at(1_051), &faults), Some(MUMBAI.into()));
    begin(&mut global, MoveKind::Failover, 1, HYDERABAD, 1_060, &faults).unwrap();
}

#[test]
fn a_secondary_that_is_detached_while_mumbai_is_dark_leaves_and_then_writes_for_itself() {
    let (mut global, mut faults) = (payments(), Faults::default());
    dark(&mut faults, MUMBAI, 500, None);
    let arn = global.members[1].arn();
    global.detach(&arn, at(1_000), 1, &faults).unwrap();
    assert_eq!((global.is_member(1, at(1_001)), global.cluster_status(1, at(1_001), &faults)), (true, "promoting"));
    assert_eq!((global.is_member(1, at(1_015)), global.freed(1, at(1_015))), (false, None));
    assert_eq!(
        (global.cluster_status(1, at(1_080), &faults), global.freed(1, at(1_080)).is_some()),
        ("available", true)
    );
    assert!(global.is_member(1, at(999)), "history stays as it was");
    assert_eq!(global.detach(&arn, at(1_080), 1, &faults).unwrap_err().code, "DBClusterNotFoundFault");
    assert_eq!(
        begin(&mut global, MoveKind::Failover, 1, HYDERABAD, 1_080, &faults),
        Err("DBClusterNotFoundFault".into())
    );
}

#[test]
fn a_primary_with_secondaries_and_a_cluster_on_the_move_are_not_detached() {
    let (mut global, faults) = (payments(), Faults::default());
    let (mumbai, hyderabad) = (global.members[0].arn(), global.members[1].arn());
    assert_eq!(global.detach(&mumbai, at(0), 1, &faults).unwrap_err().code, "InvalidGlobalClusterStateFault");
    begin(&mut global, MoveKind::Switchover, 1, MUMBAI, 10, &faults).unwrap();
    assert_eq!(global.detach(&hyderabad, at(11), 1, &faults).unwrap_err().code, "InvalidGlobalClusterStateFault");
}

#[test]
fn a_switchover_waits_for_a_target_that_lags() {
    let (mut quick, mut slow, mut faults) = (payments(), payments(), Faults::default());
    begin(&mut quick, MoveKind::Switchover, 1, MUMBAI, 1_000, &faults).unwrap();
    let kind = FaultKind::LagGrowth { target: "payments-hyd".into(), millis_per_second: 1_000.0 };
    let fault = Fault { id: 0, kind, from: Some(at(910)), until: None };
    faults.inject(fault, at(910), &[MUMBAI.into()]).unwrap();
    begin(&mut slow, MoveKind::Switchover, 1, MUMBAI, 1_000, &faults).unwrap();
    assert_eq!(slow.moves[0].takes, quick.moves[0].takes + Duration::from_secs(90));
}
