//! Records and health checks, and a change of records.

use std::time::Duration;

use super::{read, wire};
use crate::{
    aws::{
        SendOutcome, WriteOp, route53,
        testing::{answer, connect},
        write::writer,
    },
    domain::resource::{RecordSet, Routing},
};

const RECORDS: &str = "<ListResourceRecordSetsResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ResourceRecordSets>\
<ResourceRecordSet><Name>pay.bank.example.</Name><Type>A</Type><SetIdentifier>mumbai</SetIdentifier><Weight>100</Weight><TTL>60</TTL>\
<ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords><HealthCheckId>hc-1</HealthCheckId></ResourceRecordSet>\
<ResourceRecordSet><Name>zz.bank.example.</Name><Type>A</Type><TTL>60</TTL>\
<ResourceRecords><ResourceRecord><Value>192.0.2.9</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>\
</ResourceRecordSets><IsTruncated>true</IsTruncated><NextRecordName>zzz.bank.example.</NextRecordName><NextRecordType>A</NextRecordType><MaxItems>300</MaxItems></ListResourceRecordSetsResponse>";

#[tokio::test]
async fn the_records_of_a_name_are_kept_whole_and_reading_stops_behind_them() {
    let wire = wire(|_| answer(200, "text/xml", RECORDS));
    let op = route53::ListResourceRecordSets {
        zone: "Z1".into(),
        name: Some("pay.bank.example".into()),
        kind: Some("A".into()),
    };
    let records = read(&wire, op).await.expect("records").value;
    assert_eq!(wire.count(|_| true), 1, "the zone is not read to its end");
    let expected = RecordSet {
        name: "pay.bank.example".into(),
        kind: "A".into(),
        set_identifier: Some("mumbai".into()),
        routing: Routing::Weighted { weight: 100 },
        ttl: Some(Duration::from_mins(1)),
        values: vec!["192.0.2.1".into()],
        alias: None,
        health_check: Some("hc-1".into()),
    };
    assert_eq!(records, [expected]);
}

#[tokio::test]
async fn a_health_check_is_the_share_of_checkers_that_succeed() {
    let wire = wire(|asked| {
        if asked.path.ends_with("/status") {
            let seen = |text: &str| {
                format!(
                    "<HealthCheckObservation><Region>us-east-1</Region><StatusReport><Status>{text}</Status></StatusReport></HealthCheckObservation>"
                )
            };
            let all = [seen("Success: HTTP Status Code 200, OK"), seen("Failure: connection timed out")].concat();
            let body = format!(
                "<GetHealthCheckStatusResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><HealthCheckObservations>{all}</HealthCheckObservations></GetHealthCheckStatusResponse>"
            );
            return answer(200, "text/xml", body);
        }
        answer(
            200,
            "text/xml",
            "<GetHealthCheckResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><HealthCheck><Id>hc-1</Id>\
            <CallerReference>x</CallerReference><HealthCheckConfig><Type>HTTPS</Type><Inverted>false</Inverted></HealthCheckConfig>\
            <HealthCheckVersion>1</HealthCheckVersion></HealthCheck></GetHealthCheckResponse>",
        )
    });
    let check = read(&wire, route53::GetHealthCheck { id: "hc-1".into() }).await.expect("a check").value;
    assert_eq!((check.healthy_percent, check.healthy()), (Some(50), Some(true)));
    assert_eq!(check.last_failure.as_deref(), Some("Failure: connection timed out"));
}

#[tokio::test]
async fn a_dns_change_is_sent_once_and_its_id_comes_back() {
    let wire = wire(|asked| {
        if asked.method == "GET" {
            return answer(
                200,
                "text/xml",
                "<GetChangeResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeInfo><Id>/change/C1</Id><Status>INSYNC</Status><SubmittedAt>2026-11-20T09:00:00Z</SubmittedAt></ChangeInfo></GetChangeResponse>",
            );
        }
        assert!(
            asked.body.contains("<Action>DELETE</Action>") && asked.body.contains("<Weight>0</Weight>"),
            "{}",
            asked.body
        );
        answer(
            200,
            "text/xml",
            "<ChangeResourceRecordSetsResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-20T09:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>",
        )
    });
    let set = |weight| RecordSet {
        name: "pay.bank.example".into(),
        kind: "A".into(),
        set_identifier: Some("mumbai".into()),
        routing: Routing::Weighted { weight },
        ttl: Some(Duration::from_mins(1)),
        values: vec!["192.0.2.1".into()],
        alias: None,
        health_check: None,
    };
    let change = |action, weight| route53::RecordChange { action, set: set(weight) };
    let op = route53::ChangeRecordSets {
        zone: "Z1".into(),
        comment: "failover".into(),
        changes: vec![change(route53::RecordAction::Delete, 100), change(route53::RecordAction::Create, 0)],
    };
    let description = op.describe();
    assert_eq!(description.region.as_str(), "us-east-1");
    assert!(description.params.iter().any(|(name, value)| name == "CREATE" && value.contains("weight 0")));
    let connection = connect(&wire).await;
    let SendOutcome::Accepted { detail, .. } = writer(&connection).send_once(&op).await else { panic!("not accepted") };
    assert_eq!(detail.as_str(), "C1");
    let change = connection.reader().read(&route53::GetChange { id: detail.to_string() }).await.expect("a change");
    assert!(change.value.in_sync);
}
