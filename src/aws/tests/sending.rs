//! What is sent, and that it is sent once.

use super::{hyderabad, wire};
use crate::{
    aws::{
        SendOutcome, WireFailure, WriteOp, rds, route53,
        testing::{Asked, Reaction, answer, connect},
        write::{NOT_SENT, writer},
    },
    domain::{
        Hazard,
        resource::{RecordSet, Routing},
    },
};

#[tokio::test]
async fn a_mutating_call_is_never_repeated_by_itself() {
    type Case = (fn(&Asked) -> Reaction, bool);
    let failures: [Case; 5] = [
        (|_| Reaction::Fail(WireFailure::Refused), true),
        (|_| Reaction::Fail(WireFailure::Broken), true),
        (|_| Reaction::BlackHole, true),
        (
            |_| answer(500, "text/xml", "<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>"),
            true,
        ),
        (
            |_| {
                answer(
                    400,
                    "text/xml",
                    "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>",
                )
            },
            false,
        ),
    ];
    for (script, in_doubt) in failures {
        let wire = wire(script);
        let op = rds::FailoverGlobalCluster {
            region: hyderabad(),
            global_cluster: "payments-global".into(),
            target_arn: "arn:aws:rds:ap-south-2:111122223333:cluster:payments-hyd".into(),
        };
        let connection = connect(&wire).await;
        let outcome = writer(&connection).send_once(&op).await;
        assert_eq!(wire.count(|_| true), 1, "{outcome:?}");
        assert_eq!(matches!(outcome, SendOutcome::Unknown { .. }), in_doubt, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_failover_says_that_data_may_be_lost_and_a_switchover_does_not() {
    let wire = wire(|asked| {
        let operation = asked.operation();
        assert_eq!(operation == "FailoverGlobalCluster", asked.body.contains("AllowDataLoss=true"), "{}", asked.body);
        answer(
            200,
            "text/xml",
            format!(
                "<{operation}Response><{operation}Result><GlobalCluster><Status>available</Status></GlobalCluster></{operation}Result></{operation}Response>"
            ),
        )
    });
    let connection = connect(&wire).await;
    let writer = writer(&connection);
    let (global_cluster, target_arn) = ("g".to_owned(), "arn:aws:rds:ap-south-1:1:cluster:c".to_owned());
    let failover = rds::FailoverGlobalCluster {
        region: hyderabad(),
        global_cluster: global_cluster.clone(),
        target_arn: target_arn.clone(),
    };
    let switchover = rds::SwitchoverGlobalCluster { region: hyderabad(), global_cluster, target_arn };
    assert_eq!((failover.describe().hazard, switchover.describe().hazard), (Hazard::DataLoss, Hazard::Disruptive));
    for op in [&failover as &dyn WriteOp, &switchover] {
        assert!(matches!(writer.send_once(op).await, SendOutcome::Accepted { .. }));
    }
}

#[tokio::test]
async fn what_cannot_be_sent_whole_is_not_sent() {
    let wire = wire(|asked| panic!("sent {asked:?}"));
    let set = RecordSet {
        name: "geo.bank.example".into(),
        kind: "A".into(),
        set_identifier: Some("in".into()),
        routing: Routing::Other("geolocation".into()),
        ttl: None,
        values: Vec::new(),
        alias: None,
        health_check: None,
    };
    let op = route53::ChangeRecordSets {
        zone: "Z1".into(),
        comment: String::new(),
        changes: vec![route53::RecordChange { action: route53::RecordAction::Upsert, set }],
    };
    let connection = connect(&wire).await;
    match writer(&connection).send_once(&op).await {
        SendOutcome::Refused { code, .. } => assert_eq!(code.as_str(), NOT_SENT),
        other => panic!("{other:?}"),
    }
}
