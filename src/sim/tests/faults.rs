//! Faults: what a caller sees, and what happened to the world.

use super::{Bench, HYD_ARN, HYDERABAD, MUM_ARN, MUMBAI, RRSET, weights};
use crate::sim::{
    Reply,
    fault::{Down, Fault, FaultKind, LateAnswer},
};

#[test]
fn a_lost_reply_took_effect_once_and_the_log_says_so() {
    let bench = Bench::new();
    let kind =
        FaultKind::ReplyLost { service: Some("rds".into()), operation: Some("FailoverGlobalCluster".into()), count: 1 };
    bench.sim.inject(Fault { id: 0, kind, from: None, until: None }).unwrap();
    assert!(matches!(bench.failover(), Reply::Lost { .. }));
    let Reply::Answer { response, .. } = bench.failover() else { panic!("only one reply is lost") };
    assert_eq!(response.status(), 400, "an operation is already running");
    let effects: Vec<_> = bench.sim.calls().into_iter().filter(|call| call.effect).collect();
    assert_eq!(effects.len(), 1);
    assert_eq!(
        (effects[0].operation.as_str(), effects[0].outcome.as_str()),
        ("FailoverGlobalCluster", "200, reply lost")
    );
    bench.clock.advance(60);
    assert_eq!(bench.writer(HYDERABAD), HYD_ARN);
}

#[test]
fn a_late_effect_comes_after_its_caller_gave_up_and_is_counted_once_on_the_line_of_its_call() {
    let bench = Bench::new();
    let kind = FaultKind::LateEffect {
        service: Some("rds".into()),
        operation: Some("FailoverGlobalCluster".into()),
        count: 1,
        after_seconds: 90,
        answer: LateAnswer::Lost,
    };
    bench.sim.inject(Fault { id: 0, kind, from: None, until: None }).unwrap();
    bench.rds(HYDERABAD, "Action=DescribeGlobalClusters");
    assert!(matches!(bench.failover(), Reply::Lost { .. }));
    let line = || bench.sim.calls().into_iter().find(|call| call.operation == "FailoverGlobalCluster").unwrap();
    assert_eq!((line().outcome.as_str(), line().effect), ("late until 2026-11-20T09:01:30Z", false));
    bench.clock.advance(89);
    assert!(!bench.rds(HYDERABAD, "Action=DescribeGlobalClusters").1.contains("<FailoverState>"), "too early");
    bench.clock.advance(1);
    assert!(bench.rds(HYDERABAD, "Action=DescribeGlobalClusters").1.contains("<FailoverState><Status>pending"));
    assert_eq!((line().outcome.as_str(), line().effect), ("200, late at 2026-11-20T09:01:30Z", true));
    bench.clock.advance(60);
    assert_eq!(bench.writer(HYDERABAD), HYD_ARN);
    assert_eq!(bench.sim.calls().iter().filter(|call| call.effect).count(), 1);
}

#[test]
fn a_call_that_is_late_may_find_a_world_that_refuses_it() {
    let bench = Bench::new();
    let late =
        r#"{"fault":"late-effect","operation":"FailoverGlobalCluster","count":1,"after_seconds":30,"answer":"5xx"}"#;
    assert_eq!(bench.control("POST", "/_sim/inject", late).0, 200);
    assert!(matches!(bench.failover(), Reply::Answer { response, .. } if response.status() == 503));
    assert!(matches!(bench.failover(), Reply::Answer { response, .. } if response.status() == 200));
    bench.clock.advance(31);
    let outcomes: Vec<_> = bench.sim.calls().into_iter().map(|call| (call.outcome, call.effect)).collect();
    let refused = "400 InvalidGlobalClusterStateFault, late at 2026-11-20T09:00:30Z".to_owned();
    assert_eq!(outcomes, [(refused, false), ("200".to_owned(), true)]);
    let (status, error) = bench.control(
        "POST",
        "/_sim/inject",
        r#"{"fault":"late-effect","operation":"DescribeEvents","count":1,"after_seconds":30,"answer":"lost"}"#,
    );
    assert_eq!(status, 400, "{error}");
}

#[test]
fn stale_reads_show_the_world_as_it_was_while_writes_meet_the_present_one() {
    let bench = Bench::new();
    for service in ["rds", "route53"] {
        let stale = format!(r#"{{"fault":"stale-reads","service":"{service}","seconds":120}}"#);
        assert_eq!(bench.control("POST", "/_sim/inject", &stale).0, 200);
    }
    bench.failover();
    assert_eq!(bench.answer("POST", "us-east-1/route53", RRSET, &weights(0, 100)).0, 200);
    bench.clock.advance(100);
    assert_eq!(bench.writer(HYDERABAD), MUM_ARN, "the writer has moved, the reads do not say so yet");
    let zero = |bench: &Bench| bench.answer("GET", "us-east-1/route53", RRSET, "").1.matches("<Weight>0").count();
    let listed = bench.answer("GET", "us-east-1/route53", RRSET, "").1;
    assert!(listed.contains("<SetIdentifier>mumbai</SetIdentifier><Weight>100</Weight>"), "{listed}");
    let Reply::Answer { response, .. } = bench.failover() else { panic!("answered") };
    assert_eq!(response.status(), 400, "the write sees that Hyderabad writes already");
    bench.clock.advance(120);
    assert_eq!(bench.writer(HYDERABAD), HYD_ARN);
    let listed = bench.answer("GET", "us-east-1/route53", RRSET, "").1;
    assert!(listed.contains("<SetIdentifier>mumbai</SetIdentifier><Weight>0</Weight>"), "{listed}");
    assert_eq!(zero(&bench), 1);
}

#[test]
fn an_impaired_control_plane_stops_route_53_and_nothing_else() {
    let bench = Bench::new();
    let kind = FaultKind::ControlPlaneImpaired { how: Down::ServerError };
    bench.sim.inject(Fault { id: 0, kind, from: None, until: None }).unwrap();
    assert_eq!(bench.answer("GET", "us-east-1/route53", "/2013-04-01/hostedzone", "").0, 503);
    assert_eq!(bench.rds(MUMBAI, "Action=DescribeDBInstances").0, 200);
    assert_eq!(bench.answer("POST", "us-east-1/sts", "/", "Action=GetCallerIdentity").0, 200);
}

#[test]
fn throttling_and_expired_credentials_come_in_the_words_of_the_service() {
    let bench = Bench::new();
    let kind = FaultKind::Throttling { region: MUMBAI.into(), service: None, share: 1.0 };
    bench.sim.inject(Fault { id: 0, kind, from: None, until: None }).unwrap();
    let (status, body) = bench.rds(MUMBAI, "Action=DescribeDBInstances");
    assert_eq!((status, body.contains("<Code>Throttling</Code>")), (400, true));
    let kind = FaultKind::CredentialsExpired { region: MUMBAI.into() };
    bench.sim.inject(Fault { id: 0, kind, from: None, until: None }).unwrap();
    let (status, body) = bench.rds(MUMBAI, "Action=DescribeDBInstances");
    assert_eq!((status, body.contains("<Code>ExpiredToken</Code>")), (403, true));
    let (_, body) = bench.answer("GET", "ap-south-1/backup", "/backup-jobs/", "");
    assert!(body.contains("ExpiredTokenException"));
}

#[test]
fn a_share_of_throttled_calls_is_about_that_share() {
    let bench = Bench::new();
    let kind = FaultKind::Throttling { region: MUMBAI.into(), service: Some("rds".into()), share: 0.3 };
    bench.sim.inject(Fault { id: 0, kind, from: None, until: None }).unwrap();
    let throttled = (0..200).filter(|_| bench.rds(MUMBAI, "Action=DescribeGlobalClusters").0 == 400).count();
    assert!((40..80).contains(&throttled), "{throttled}");
}
