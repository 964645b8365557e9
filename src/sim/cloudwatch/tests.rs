//! What CloudWatch of the simulated estate promises, asked over each of its wire formats.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::{
    domain::RegionId,
    sim::fixture::{SEED, World, call, estate, hyderabad, minutes, mumbai, start},
};

fn metrics() -> Metrics {
    Metrics::new(&estate(), SEED, start())
}

/// One call in awsJson, as the AWS CLI can send it.
fn ask(metrics: &Metrics, region: &RegionId, now: Timestamp, op: &str, body: &Value, world: &World) -> (u16, Value) {
    let request = http::Request::post("/")
        .header("x-amz-target", format!("GraniteServiceVersion20100801.{op}"))
        .body(Bytes::from(body.to_string()))
        .expect("a request");
    let answer = metrics.answer(&call(region, now, &request), world);
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).expect("JSON"))
}

fn query(id: &str, namespace: &str, name: &str, dimension: (&str, &str), stat: &str) -> Value {
    json!({ "Id": id, "MetricStat": {
        "Metric": { "Namespace": namespace, "MetricName": name,
            "Dimensions": [{ "Name": dimension.0, "Value": dimension.1 }] },
        "Period": 60, "Stat": stat } })
}

fn lag(cluster: &str) -> Value {
    query("lag", "AWS/RDS", "AuroraGlobalDBRPOLag", ("DBClusterIdentifier", cluster), "Maximum")
}

fn counter(name: &str) -> Value {
    query("n", "Bank/Edge", name, ("App", "payments"), "Sum")
}

/// Points of one query, oldest first.
fn points(
    region: &RegionId,
    query: &Value,
    from: Timestamp,
    until: Timestamp,
    now: Timestamp,
    world: &World,
) -> Vec<(i64, f64)> {
    let body = json!({ "MetricDataQueries": [query], "StartTime": from.secs(), "EndTime": until.secs(),
        "ScanBy": "TimestampAscending" });
    let (status, answer) = ask(&metrics(), region, now, "GetMetricData", &body, world);
    assert_eq!(status, 200, "{answer}");
    let result = &answer["MetricDataResults"][0];
    assert_eq!(result["StatusCode"], "Complete");
    let times = result["Timestamps"].as_array().expect("times");
    let values = result["Values"].as_array().expect("values");
    assert_eq!(times.len(), values.len());
    times.iter().zip(values).map(|(t, v)| (t.as_i64().expect("s"), v.as_f64().expect("a number"))).collect()
}

#[test]
fn lag_is_published_where_nobody_writes_and_moves_with_the_writer() {
    let (now, world) = (start() + minutes(60), World::calm());
    let hyd = points(&hyderabad(), &lag("pay-hyd"), start(), now, now, &world);
    assert!(hyd.len() >= 57);
    assert!(hyd.iter().all(|(_, ms)| (300.0..=850.0).contains(ms)), "{hyd:?}");
    assert_eq!(points(&mumbai(), &lag("pay-mum"), start(), now, now, &world), []);
    let moved = World {
        writers: vec![
            (start() - minutes(9999), Some(mumbai())),
            (start() + minutes(20), None),
            (start() + minutes(22), Some(hyderabad())),
        ],
        ..World::calm()
    };
    let hyd = points(&hyderabad(), &lag("pay-hyd"), start(), now, now, &moved);
    let mum = points(&mumbai(), &lag("pay-mum"), start(), now, now, &moved);
    assert_eq!(hyd.last().expect("some").0, (start() + minutes(19)).secs());
    assert_eq!(mum.first().expect("some").0, (start() + minutes(22)).secs());
    let writes = query("w", "AWS/RDS", "VolumeWriteIOPs", ("DBClusterIdentifier", "pay-hyd"), "Sum");
    let writes = points(&hyderabad(), &writes, start(), now, now, &moved);
    assert!(writes.iter().all(|(at, n)| *at >= (start() + minutes(22)).secs() && *n > 0.0));
}

#[test]
fn a_point_arrives_one_to_three_minutes_after_it_was_measured_and_then_never_changes() {
    let world = World::calm();
    let whole = points(&hyderabad(), &lag("pay-hyd"), start(), start() + minutes(30), start() + minutes(60), &world);
    let mut ages = Vec::new();
    for second in 0..600_u64 {
        let now = start() + minutes(10) + std::time::Duration::from_secs(second);
        let seen = points(&hyderabad(), &lag("pay-hyd"), start(), now, now, &world);
        assert_eq!(seen, whole[..seen.len()]);
        ages.push(now.secs() - seen.last().expect("some").0);
    }
    assert!(*ages.iter().min().expect("some") >= 120, "a minute wide and a minute late at least");
    assert!(*ages.iter().max().expect("some") <= 240);
}

#[test]
fn points_of_an_outage_are_missing_for_ever_and_the_rest_stays_as_it_was() {
    let (from, until) = (start() + minutes(10), start() + minutes(20));
    let now = start() + minutes(600);
    for down in [mumbai(), hyderabad()] {
        let calm = points(&hyderabad(), &lag("pay-hyd"), start(), start() + minutes(40), now, &World::calm());
        let world = World::down(down, from, until);
        let seen = points(&hyderabad(), &lag("pay-hyd"), start(), start() + minutes(40), now, &world);
        let kept: Vec<_> = calm.into_iter().filter(|(at, _)| !(from.secs()..until.secs()).contains(at)).collect();
        assert_eq!(seen, kept);
        assert_eq!(seen.len(), 30);
    }
}

#[test]
fn lag_grows_by_what_faults_add_under_either_name_of_the_stream() {
    let now = start() + minutes(60);
    for name in ["pay-hyd", "payments-global"] {
        let (from, until) = (start() + minutes(5), start() + minutes(10));
        let world =
            World { lag: vec![(name.into(), from, until, std::time::Duration::from_secs(90))], ..World::calm() };
        let seen = points(&hyderabad(), &lag("pay-hyd"), start(), now, now, &world);
        let high: Vec<_> = seen.iter().filter(|(_, ms)| *ms > 90_000.0).map(|(at, _)| *at).collect();
        assert_eq!(high, (5..10).map(|n| (start() + minutes(n)).secs()).collect::<Vec<_>>());
    }
}

#[test]
fn customers_of_a_dead_region_ask_and_are_not_served_and_last_week_can_be_asked_for() {
    let (from, until) = (start() + minutes(10), start() + minutes(20));
    let (now, world) = (start() + minutes(40), World::down(mumbai(), from, until));
    let good = points(&mumbai(), &counter("RequestsServed"), start(), start() + minutes(30), now, &world);
    let total = points(&mumbai(), &counter("RequestsTotal"), start(), start() + minutes(30), now, &world);
    for ((at, good), (_, total)) in good.iter().zip(&total) {
        assert!(*total > 100.0);
        if (from.secs()..until.secs()).contains(at) {
            assert!(*good <= 0.0);
        } else {
            assert!((0.99..=1.0).contains(&(good / total)), "{}", good / total);
        }
    }
    let week = minutes(7 * 24 * 60);
    let before =
        points(&mumbai(), &counter("RequestsTotal"), start() - week, start() + minutes(30) - week, now, &world);
    assert_eq!(before.len(), total.len());
    assert!(before.iter().zip(&total).all(|(then, now)| (0.9..1.1).contains(&(now.1 / then.1))));
    let elsewhere = points(&hyderabad(), &counter("RequestsTotal"), start(), start() + minutes(30), now, &world);
    assert!(elsewhere.iter().all(|(_, n)| *n <= 0.0) && elsewhere.len() == total.len());
}

#[test]
fn route_53_metrics_are_in_us_east_1_only_and_fall_when_the_region_does() {
    let global = RegionId::new("us-east-1");
    let status = query("h", "AWS/Route53", "HealthCheckStatus", ("HealthCheckId", "hc-1"), "Minimum");
    let (now, world) = (start() + minutes(40), World::down(mumbai(), start() + minutes(10), start() + minutes(20)));
    let seen = points(&global, &status, start(), now, now, &world);
    let down = |at: &i64| ((start() + minutes(13)).secs()..(start() + minutes(20)).secs()).contains(at);
    assert!(seen.iter().filter(|(at, _)| down(at)).all(|(_, v)| *v <= 0.0));
    assert!(seen.iter().filter(|(at, _)| *at < (start() + minutes(10)).secs()).all(|(_, v)| *v >= 1.0));
    assert_eq!(points(&mumbai(), &status, start(), now, now, &world), []);
}

#[test]
fn start_is_inclusive_end_is_exclusive_and_newest_comes_first_unless_asked_otherwise() {
    let (now, world) = (start() + minutes(60), World::calm());
    let seen = points(&hyderabad(), &lag("pay-hyd"), start(), start() + minutes(5), now, &world);
    let times: Vec<_> = seen.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, (0..5).map(|n| (start() + minutes(n)).secs()).collect::<Vec<_>>());
    let body = json!({ "MetricDataQueries": [lag("pay-hyd")], "StartTime": start().secs(),
        "EndTime": (start() + minutes(5)).rfc3339() });
    let (_, answer) = ask(&metrics(), &hyderabad(), now, "GetMetricData", &body, &world);
    let newest_first = answer["MetricDataResults"][0]["Timestamps"].as_array().expect("times");
    assert_eq!(newest_first[0].as_i64(), times.last().copied());
}

#[test]
fn longer_periods_join_minutes_and_statistics_agree_with_each_other() {
    let (now, world) = (start() + minutes(60), World::calm());
    let stat = |stat: &str| {
        let mut query = query("lag", "AWS/RDS", "AuroraGlobalDBRPOLag", ("DBClusterIdentifier", "pay-hyd"), stat);
        query["MetricStat"]["Period"] = 300.into();
        points(&hyderabad(), &query, start(), start() + minutes(5), now, &world)[0].1
    };
    assert!((stat("SampleCount") - 20.0).abs() < 1e-9);
    assert!((stat("Sum") - 20.0 * stat("Average")).abs() < 1e-6);
    assert!(stat("Minimum") < stat("p50") && stat("p50") < stat("p99") && stat("p99") < stat("Maximum"));
}

#[test]
fn unknown_metrics_are_empty_and_complete_and_declared_ones_are_healthy() {
    let (now, world) = (start() + minutes(60), World::calm());
    let unknown = query("u", "AWS/EC2", "NoSuchThing", ("InstanceId", "i-0"), "Average");
    assert_eq!(points(&mumbai(), &unknown, start(), now, now, &world), []);
    let hosts = query("h", "AWS/ApplicationELB", "HealthyHostCount", ("LoadBalancer", "app/pay/1"), "Minimum");
    let seen = points(&mumbai(), &hosts, start(), now, now, &world);
    assert!(seen.len() > 50 && seen.iter().all(|(_, n)| *n >= 3.0));
}

#[test]
fn what_aws_refuses_is_refused() {
    let (now, world) = (start() + minutes(60), World::calm());
    let ask = |queries: Value, change: &dyn Fn(&mut Value)| {
        let mut body = json!({ "MetricDataQueries": queries, "StartTime": start().secs(), "EndTime": now.secs() });
        change(&mut body);
        let (status, answer) = ask(&metrics(), &hyderabad(), now, "GetMetricData", &body, &world);
        (status, answer["__type"].as_str().unwrap_or_default().to_owned())
    };
    let same = &|_: &mut Value| {};
    let refused = |code: &str| (400, code.to_owned());
    assert_eq!(ask(Value::from(vec![lag("pay-hyd"); 501]), same), refused("ValidationError"));
    assert_eq!(ask(json!([lag("pay-hyd"), lag("pay-hyd")]), same), refused("ValidationError"), "ids are unique");
    let mut named = lag("pay-hyd");
    named["Id"] = "Lag".into();
    assert_eq!(ask(json!([named]), same), refused("ValidationError"));
    assert_eq!(ask(json!([{ "Id": "e", "Expression": "m1/m2" }]), same), refused("ValidationError"));
    let mut period = lag("pay-hyd");
    period["MetricStat"]["Period"] = 90.into();
    assert_eq!(ask(json!([period]), same), refused("ValidationError"));
    let one = || json!([lag("pay-hyd")]);
    assert_eq!(ask(one(), &|b| b["EndTime"] = b["StartTime"].clone()), refused("ValidationError"));
    assert_eq!(ask(one(), &|b| b["StartTime"] = Value::Null), refused("MissingParameter"));
    assert_eq!(ask(one(), &|b| b["MaxDatapoints"] = 100_801.into()), refused("InvalidParameterValue"));
    assert_eq!(ask(one(), &|b| b["NextToken"] = "what".into()), refused("InvalidNextToken"));
    assert_eq!(ask(one(), same).0, 200);
}

#[test]
fn datapoints_page_to_the_end_through_partial_results() {
    let (now, world) = (start() + minutes(60), World::calm());
    let mut second = lag("pay-hyd");
    second["Id"] = "again".into();
    let mut body = json!({ "MetricDataQueries": [lag("pay-hyd"), second], "StartTime": start().secs(),
        "EndTime": (start() + minutes(20)).secs(), "MaxDatapoints": 7 });
    let mut seen = std::collections::BTreeMap::<String, Vec<f64>>::new();
    let mut partial = 0;
    for _ in 0..20 {
        let (_, answer) = ask(&metrics(), &hyderabad(), now, "GetMetricData", &body, &world);
        let results = answer["MetricDataResults"].as_array().expect("results");
        let page: usize = results.iter().map(|r| r["Values"].as_array().expect("values").len()).sum();
        assert!(page <= 7);
        for result in results {
            partial += usize::from(result["StatusCode"] == "PartialData");
            let values = result["Values"].as_array().expect("values").iter().filter_map(Value::as_f64);
            seen.entry(result["Id"].as_str().expect("an id").to_owned()).or_default().extend(values);
        }
        match answer.get("NextToken") {
            Some(token) => body["NextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(seen["lag"].len(), 20);
    assert_eq!(seen["lag"], seen["again"]);
    assert!(partial >= 4);
}

#[test]
fn the_same_answer_comes_in_cbor_json_and_xml() {
    let (metrics, now, world) = (metrics(), start() + minutes(60), World::calm());
    let body = json!({ "MetricDataQueries": [lag("pay-hyd")], "StartTime": start().secs(),
        "EndTime": (start() + minutes(3)).secs() });
    let (_, from_json) = ask(&metrics, &hyderabad(), now, "GetMetricData", &body, &world);

    let mut bytes = Vec::new();
    ciborium::into_writer(&body, &mut bytes).expect("CBOR");
    let request = http::Request::post("/service/GraniteServiceVersion20100801/operation/GetMetricData")
        .header("smithy-protocol", "rpc-v2-cbor")
        .body(Bytes::from(bytes))
        .expect("a request");
    let region = hyderabad();
    let answer = metrics.answer(&call(&region, now, &request), &world);
    assert_eq!(answer.headers()["smithy-protocol"], "rpc-v2-cbor");
    let decoded: ciborium::Value = ciborium::from_reader(answer.body().as_ref()).expect("CBOR");
    let member = |value: &ciborium::Value, key: &str| {
        let map = value.as_map().expect("a map");
        map.iter().find(|(k, _)| k.as_text() == Some(key)).expect("the member").1.clone()
    };
    let result = member(&decoded, "MetricDataResults").as_array().expect("a list")[0].clone();
    let newest = member(&result, "Timestamps").as_array().expect("a list")[0].clone();
    let (tag, seconds) = newest.as_tag().expect("a timestamp is tagged");
    assert_eq!((tag, seconds.as_integer()), (1, Some((start() + minutes(2)).secs().into())));
    let value = member(&result, "Values").as_array().expect("a list")[0].as_float().expect("a float");
    assert_eq!(Some(value), from_json["MetricDataResults"][0]["Values"][0].as_f64());

    let form = format!(
        "Action=GetMetricData&Version=2010-08-01&StartTime={}&EndTime={}&MetricDataQueries.member.1.Id=lag\
         &MetricDataQueries.member.1.MetricStat.Metric.Namespace=AWS%2FRDS\
         &MetricDataQueries.member.1.MetricStat.Metric.MetricName=AuroraGlobalDBRPOLag\
         &MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name=DBClusterIdentifier\
         &MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value=pay-hyd\
         &MetricDataQueries.member.1.MetricStat.Period=60&MetricDataQueries.member.1.MetricStat.Stat=Maximum",
        start().rfc3339(),
        (start() + minutes(3)).rfc3339()
    );
    let request = http::Request::post("/").body(Bytes::from(form)).expect("a request");
    let answer = metrics.answer(&call(&region, now, &request), &world);
    let xml = String::from_utf8(answer.body().to_vec()).expect("XML");
    assert!(xml.contains(&format!("<Values><member>{value:?}</member>")), "{xml}");
}

#[test]
fn an_unknown_operation_is_refused_in_cbor_with_its_code() {
    let request = http::Request::post("/service/GraniteServiceVersion20100801/operation/PutMetricData")
        .header("smithy-protocol", "rpc-v2-cbor")
        .body(Bytes::new())
        .expect("a request");
    let region = mumbai();
    let answer = metrics().answer(&call(&region, start(), &request), &World::calm());
    assert_eq!(answer.status().as_u16(), 400);
    let decoded: ciborium::Value = ciborium::from_reader(answer.body().as_ref()).expect("CBOR");
    assert!(format!("{decoded:?}").contains("InvalidAction"));
}

#[test]
fn listed_metrics_have_data_and_every_one_that_has_data_is_listed() {
    let (metrics, now, world) = (metrics(), start() + minutes(60), World::calm());
    let list = |region: &RegionId, body: Value| {
        let (status, answer) = ask(&metrics, region, now, "ListMetrics", &body, &world);
        assert_eq!(status, 200, "{answer}");
        answer["Metrics"].as_array().expect("metrics").clone()
    };
    let lag = json!({ "MetricName": "AuroraGlobalDBRPOLag" });
    assert_eq!(list(&mumbai(), lag.clone()).len(), 0, "the writer's side has never had a lag");
    assert_eq!(list(&hyderabad(), lag)[0]["Dimensions"][0]["Value"], "pay-hyd");
    let by_dimension = json!({ "Namespace": "Bank/Edge", "Dimensions": [{ "Name": "App" }] });
    assert_eq!(list(&mumbai(), by_dimension).len(), 2);
    assert_eq!(list(&mumbai(), json!({ "Dimensions": [{ "Name": "App", "Value": "other" }] })).len(), 0);
    assert_eq!(list(&"us-east-1".into(), json!({})).len(), 2);
}

fn alarms(region: &RegionId, now: Timestamp, body: &Value, world: &World) -> Value {
    let (status, answer) = ask(&metrics(), region, now, "DescribeAlarms", body, world);
    assert_eq!(status, 200, "{answer}");
    answer
}

#[test]
fn alarms_follow_their_metric_and_remember_when_they_changed() {
    let (from, until) = (start() + minutes(10), start() + minutes(40));
    let high = World { lag: vec![("pay-hyd".into(), from, until, minutes(1))], ..World::calm() };
    let body = json!({ "AlarmNames": ["payments-payments-global"] });
    let state = |now, world: &World| {
        let alarm = alarms(&hyderabad(), now, &body, world)["MetricAlarms"][0].clone();
        (alarm["StateValue"].as_str().expect("a state").to_owned(), alarm["StateTransitionedTimestamp"].as_i64())
    };
    assert_eq!(state(start(), &high).0, "OK");
    let (value, since) = state(start() + minutes(30), &high);
    assert_eq!(value, "ALARM");
    let since = since.expect("a time");
    assert!((from.secs()..from.secs() + 8 * 60).contains(&since), "{since}");
    assert_eq!(state(start() + minutes(35), &high).1, Some(since), "asked again, it is the same moment");
    let ended = state(start() + minutes(50), &high).1;
    assert_eq!(state(start() + minutes(600), &high).1, ended, "hours later too");
    assert_eq!(state(start() + minutes(50), &high).0, "OK");
    let dark = World::down(mumbai(), from, until);
    assert_eq!(state(start() + minutes(30), &dark).0, "INSUFFICIENT_DATA");
    let declared = json!({ "AlarmNames": ["payments-hosts-low"] });
    assert_eq!(alarms(&mumbai(), start(), &declared, &high)["MetricAlarms"][0]["StateValue"], "OK");
}

#[test]
fn composite_alarms_are_left_out_unless_their_type_is_named() {
    let world = World::calm();
    let plain = alarms(&hyderabad(), start(), &json!({}), &world);
    assert_eq!(plain["CompositeAlarms"].as_array().expect("a list").len(), 0);
    let both = json!({ "AlarmTypes": ["MetricAlarm", "CompositeAlarm"] });
    let named = alarms(&hyderabad(), start(), &both, &world);
    assert_eq!(named["CompositeAlarms"][0]["AlarmName"], "payments-impaired");
    assert_eq!(named["MetricAlarms"], plain["MetricAlarms"]);

    let mut page = json!({ "AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "MaxRecords": 1 });
    let mut seen = Vec::new();
    for _ in 0..9 {
        let answer = alarms(&hyderabad(), start(), &page, &world);
        for list in ["MetricAlarms", "CompositeAlarms"] {
            seen.extend(answer[list].as_array().expect("a list").iter().map(|a| a["AlarmName"].clone()));
        }
        match answer.get("NextToken") {
            Some(token) => page["NextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(seen, ["payments-payments-global", "payments-impaired"]);
}
