//! What is true of every answer, and what only the door itself answers.

use super::{Bench, HYDERABAD, MUMBAI, RRSET, weights};
use crate::sim::{Reply, SIM_HEADER, fault::Down};

#[test]
fn sts_says_who_asks_and_gives_worthless_credentials_that_expire_by_real_time() {
    let bench = Bench::new();
    let (_, body) = bench.answer("POST", "ap-south-2/sts", "/", "Action=GetCallerIdentity&Version=2011-06-15");
    assert!(body.contains("<Account>111122223333</Account>"), "{body}");
    let form = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fdr&RoleSessionName=pointsman";
    let (_, body) = bench.answer("POST", "ap-south-2/sts", "/", form);
    assert!(body.contains("assumed-role/dr/pointsman</Arn>"), "{body}");
    assert!(body.contains("<Expiration>2023-11-14T23:13:20Z</Expiration>"), "{body}");
}

#[test]
fn what_is_not_simulated_is_refused_in_the_protocols_own_words_and_never_panics() {
    let bench = Bench::new();
    let (status, body) = bench.rds(MUMBAI, "Action=ModifyDBInstance");
    assert_eq!((status, body.contains("<Code>InvalidAction</Code>")), (400, true));
    assert_eq!(bench.answer("POST", "ap-south-1/dynamodb", "/", "{}").0, 404);
    assert_eq!(bench.answer("PUT", "us-east-1/route53", "/2013-04-01/nothing", "").0, 404);
    assert_eq!(bench.answer("POST", "us-east-1/route53", RRSET, "<not xml").0, 400);
    assert_eq!(bench.rds(MUMBAI, "").0, 400);
    let (status, body) = bench.rds(
        HYDERABAD,
        "Action=FailoverGlobalCluster&GlobalClusterIdentifier=payments-global&TargetDbClusterIdentifier=x&\
         AllowDataLoss=true&Switchover=true",
    );
    assert_eq!((status, body.contains("InvalidParameterCombination")), (400, true));
}

#[test]
fn the_same_seed_requests_and_times_give_the_same_bytes() {
    let story = |bench: &Bench| {
        let mut bytes = Vec::new();
        let mut keep = |reply: Reply| match reply {
            Reply::Answer { after, response } => {
                bytes.push(format!("{after:?} {:?} {:?}", response.headers(), response.body()));
            }
            other => bytes.push(format!("{other:?}")),
        };
        keep(bench.send("POST", "ap-south-1/rds", "/", "Action=DescribeDBInstances"));
        bench.dark(MUMBAI, Down::Slow);
        keep(bench.failover());
        bench.clock.advance(47);
        keep(bench.send("POST", "ap-south-2/rds", "/", "Action=DescribeGlobalClusters"));
        keep(bench.send("POST", "ap-south-1/rds", "/", "Action=DescribeEvents"));
        keep(bench.send("POST", "us-east-1/route53", RRSET, &weights(0, 100)));
        keep(bench.send("GET", "us-east-1/route53", "/2013-04-01/healthcheck/pay-mumbai/status", ""));
        keep(bench.send("GET", "-", "/_sim/state", ""));
        bytes
    };
    assert_eq!(story(&Bench::new()), story(&Bench::new()));
}

#[test]
fn every_answer_carries_the_estates_time_and_speed_and_the_wall_date() {
    let bench = Bench::new();
    bench.clock.advance(5);
    let Reply::Answer { response, .. } = bench.send("POST", "ap-south-1/sts", "/", "Action=GetCallerIdentity") else {
        panic!("an answer")
    };
    assert_eq!(response.headers()[SIM_HEADER], "2026-11-20T09:00:05Z;1");
    assert_eq!(response.headers()["date"], "Tue, 14 Nov 2023 22:13:20 GMT");
    assert!(response.headers().contains_key("x-amzn-requestid"));
}

#[test]
fn the_control_api_takes_faults_as_json_and_names_what_is_wrong_with_them() {
    let bench = Bench::new();
    let (status, said) = bench.control(
        "POST",
        "/_sim/inject",
        r#"{"fault": "region-down", "region": "ap-south-1", "how": "blackhole", "until": "2026-11-20T10:00:00Z"}"#,
    );
    assert_eq!((status, said["id"].as_u64()), (200, Some(1)), "{said}");
    for (wrong, named) in [
        (r#"{"fault": "region-up"}"#, "region-down"),
        (r#"{"fault": "region-down", "region": "ap-south-1"}"#, "how"),
        (r#"{"fault": "region-down", "region": "ap-south-9", "how": "refuse"}"#, "ap-south-2"),
        (r#"{"fault": "region-down", "region": "ap-south-1", "how": "gone"}"#, "blackhole"),
        (r#"{"fault": "region-down", "region": "ap-south-1", "how": "refuse", "shar": 1}"#, "shar"),
        (r#"{"fault": "service-down", "region": "ap-south-1", "how": "refuse", "service": "s3"}"#, "monitoring"),
    ] {
        let (status, said) = bench.control("POST", "/_sim/inject", wrong);
        assert_eq!(status, 400);
        assert!(said["error"].as_str().unwrap().contains(named), "{wrong}: {said}");
    }
    assert!(matches!(bench.send("POST", "ap-south-1/rds", "/", "Action=DescribeDBInstances"), Reply::BlackHole));
    let (_, calls) = bench.control("GET", "/_sim/calls", "");
    assert_eq!(calls["calls"][0]["outcome"], "black-hole");
    let (_, state) = bench.control("GET", "/_sim/state", "");
    assert_eq!(state["faults"][0]["in_force"], true);
    assert_eq!(bench.control("POST", "/_sim/clear", r#"{"all": true}"#).1["cleared"], 1);
    assert_eq!(bench.control("POST", "/_sim/clear", r#"{"id": 9}"#).0, 400);
    assert_eq!(bench.rds(MUMBAI, "Action=DescribeDBInstances").0, 200);
    assert_eq!(bench.control("GET", "/_sim/nothing", "").0, 404);
}

#[test]
fn a_change_of_speed_keeps_the_time_that_has_passed() {
    let bench = Bench::new();
    bench.clock.advance(10);
    assert_eq!(bench.control("POST", "/_sim/speed", r#"{"speed": 60}"#).0, 200);
    bench.clock.advance(10);
    assert_eq!(bench.control("GET", "/_sim/clock", "").1["now"], "2026-11-20T09:10:10Z");
    bench.sim.set_speed(0.0).unwrap();
    bench.clock.advance(10);
    assert_eq!(bench.sim.now().rfc3339(), "2026-11-20T09:10:10Z");
    assert!(bench.sim.set_speed(-1.0).is_err());
}

#[test]
fn every_service_answers_through_the_one_door_and_the_state_counts_the_jobs_that_clients_see() {
    let bench = Bench::new();
    let (status, body) = bench.answer("GET", "ap-south-1/backup", "/backup-vaults/", "");
    assert_eq!((status, body.contains("bank-mum")), (200, true), "{body}");
    let form = "Action=ListMetrics&Namespace=AWS%2FRDS&Version=2010-08-01";
    let (status, body) = bench.answer("POST", "ap-south-2/monitoring", "/", form);
    assert_eq!((status, body.contains("AuroraGlobalDBRPOLag")), (200, true), "{body}");
    let (_, body) = bench.answer("GET", "ap-south-1/backup", "/backup-jobs/?maxResults=1000", "");
    let listed = serde_json::from_str::<serde_json::Value>(&body).unwrap()["BackupJobs"].as_array().unwrap().len();
    let counted = &bench.sim.state()["jobs"][MUMBAI]["backup"];
    let counted: u64 = counted.as_object().unwrap().values().filter_map(serde_json::Value::as_u64).sum();
    assert!(counted > 0);
    assert_eq!(counted, listed as u64);
}
