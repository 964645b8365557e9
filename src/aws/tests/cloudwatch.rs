//! Metrics and alarms.

use std::time::Duration;

use serde_json::json;

use super::{hyderabad, mumbai, read, wire};
use crate::{
    aws::{
        cloudwatch,
        testing::{answer, cbor, connect},
    },
    domain::{
        ProbeFailure, Timestamp,
        resource::{AlarmState, MetricId},
    },
};

#[tokio::test]
async fn metrics_come_back_in_the_order_asked_and_missing_points_are_not_zeros() {
    let wire = wire(|_| {
        let body = json!({"MetricDataResults": [
            {"Id": "m1", "StatusCode": "Complete", "Timestamps": [], "Values": []},
            {"Id": "m0", "StatusCode": "Complete",
             "Timestamps": ["2026-11-20T09:01:00Z", "2026-11-20T09:00:00Z"], "Values": [-1.0, 800.0]},
            {"Id": "m2", "StatusCode": "Forbidden", "Timestamps": [], "Values": [],
             "Messages": [{"Code": "Forbidden", "Value": "no"}]},
        ]});
        answer(200, "application/cbor", cbor(&body))
    });
    let query = |name: &str| cloudwatch::MetricQuery {
        metric: MetricId { namespace: "AWS/RDS".into(), name: name.into(), dimensions: [].into() },
        stat: "Maximum".into(),
        period: Duration::from_mins(1),
    };
    let op = cloudwatch::GetMetricData {
        region: hyderabad(),
        queries: vec![query("a"), query("b"), query("c")],
        start: Timestamp::from_secs(0),
        end: Timestamp::from_secs(60),
    };
    let reader = connect(&wire).await.reader();
    let answers = reader.read(&op).await.expect("an answer").value;
    let first = answers[0].series.as_ref().expect("points");
    assert_eq!(first.points.iter().map(|p| p.value).collect::<Vec<_>>(), [800.0, -1.0], "oldest first, -1 kept");
    assert!(answers[1].series.as_ref().expect("no failure").points.is_empty());
    assert_eq!(answers[2].series.as_ref().expect_err("forbidden").failure, ProbeFailure::Denied);
    let totals = reader.log().totals();
    assert_eq!((totals.calls, totals.metrics_requested), (1, 3));
}

#[tokio::test]
async fn alarms_are_asked_for_in_both_types_and_a_silent_one_is_seen() {
    let wire = wire(|asked| {
        assert!(asked.body.contains("CompositeAlarm") && asked.body.contains("MetricAlarm"));
        let body = json!({
            "MetricAlarms": [{"AlarmName": "lag", "StateValue": "OK", "ActionsEnabled": false}],
            "CompositeAlarms": [{"AlarmName": "mumbai-down", "StateValue": "ALARM", "ActionsEnabled": true}],
        });
        answer(200, "application/cbor", cbor(&body))
    });
    let alarms = read(&wire, cloudwatch::DescribeAlarms { region: mumbai() }).await.expect("an answer").value;
    assert_eq!((alarms[0].state, alarms[0].silent, alarms[0].composite), (AlarmState::Ok, true, false));
    assert_eq!((alarms[1].state, alarms[1].silent, alarms[1].composite), (AlarmState::Alarm, false, true));
}
