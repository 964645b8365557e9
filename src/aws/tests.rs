//! Each operation through the real SDK against canned answers in the service's own protocol.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{
    SendOutcome, WireFailure, WriteOp, backup, cloudwatch,
    operation::ReadOp,
    rds, route53, sts,
    testing::{Asked, HYDERABAD, MUMBAI, Reaction, ScriptedWire, answer, cbor, connect},
    write::{NOT_SENT, writer},
};
use crate::domain::{
    Hazard, ProbeFailure, RegionId, Timestamp,
    resource::{AlarmState, JobState, MetricId, PointStatus, RecordSet, Routing},
};

fn mumbai() -> RegionId {
    RegionId::new(MUMBAI)
}

fn hyderabad() -> RegionId {
    RegionId::new(HYDERABAD)
}

fn wire(script: impl Fn(&Asked) -> Reaction + Send + Sync + 'static) -> Arc<ScriptedWire> {
    ScriptedWire::new(script)
}

async fn read<O: ReadOp>(wire: &Arc<ScriptedWire>, op: O) -> Result<super::Read<O::Output>, crate::domain::ProbeError> {
    connect(wire).await.reader().read(&op).await
}

const GLOBAL_CLUSTER: &str = "<DescribeGlobalClustersResponse><DescribeGlobalClustersResult><GlobalClusters>\
<GlobalClusterMember><GlobalClusterIdentifier>payments-global</GlobalClusterIdentifier>\
<GlobalClusterArn>arn:aws:rds::111122223333:global-cluster:payments-global</GlobalClusterArn><Status>available</Status>\
<Engine>aurora-postgresql</Engine><EngineVersion>15.4</EngineVersion><GlobalClusterMembers>\
<GlobalClusterMember><DBClusterArn>arn:aws:rds:ap-south-1:111122223333:cluster:payments-mum</DBClusterArn><IsWriter>true</IsWriter></GlobalClusterMember>\
<GlobalClusterMember><DBClusterArn>arn:aws:rds:ap-south-2:111122223333:cluster:payments-hyd</DBClusterArn><IsWriter>false</IsWriter><SynchronizationStatus>connected</SynchronizationStatus></GlobalClusterMember>\
</GlobalClusterMembers><FailoverState><Status>switching-over</Status><IsDataLossAllowed>false</IsDataLossAllowed></FailoverState>\
</GlobalClusterMember></GlobalClusters></DescribeGlobalClustersResult></DescribeGlobalClustersResponse>";

#[tokio::test]
async fn a_global_cluster_tells_its_writer_and_an_undocumented_failover_state() {
    let wire = wire(|_| answer(200, "text/xml", GLOBAL_CLUSTER));
    let op = rds::DescribeGlobalClusters { region: hyderabad(), id: None };
    let clusters = read(&wire, op).await.expect("an answer").value;
    let cluster = &clusters[0];
    assert_eq!(cluster.writer().map(|member| member.region.as_str()), Some(MUMBAI));
    let standby = cluster.member_in(&hyderabad()).expect("a member");
    assert_eq!(standby.synchronization.as_deref(), Some("connected"));
    assert_eq!(cluster.failover.as_ref().map(|failover| failover.status.as_str()), Some("switching-over"));
    assert_eq!(wire.count(|asked| asked.host == "rds.ap-south-2.amazonaws.com"), 1);
}

#[tokio::test]
async fn instances_are_read_page_by_page_to_the_end() {
    let wire = wire(|asked| {
        let (id, marker) = if asked.body.contains("Marker=m2") { ("b", "") } else { ("a", "<Marker>m2</Marker>") };
        let body = format!(
            "<DescribeDBInstancesResponse><DescribeDBInstancesResult>{marker}<DBInstances><DBInstance>\
             <DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceStatus>available</DBInstanceStatus>\
             <LatestRestorableTime>2026-11-20T09:00:00Z</LatestRestorableTime><BackupRetentionPeriod>7</BackupRetentionPeriod>\
             <MultiAZ>true</MultiAZ></DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        );
        answer(200, "text/xml", body)
    });
    let answer = read(&wire, rds::DescribeDbInstances { region: mumbai() }).await.expect("an answer");
    assert_eq!(answer.value.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(!answer.truncated);
    assert_eq!(answer.value[0].latest_restorable, Timestamp::parse("2026-11-20T09:00:00Z"));
    assert_eq!(wire.count(|_| true), 2, "one call per page");
}

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

#[tokio::test]
async fn copies_say_where_they_go_and_children_of_a_composite_are_not_counted_twice() {
    let wire = wire(|asked| {
        assert!(asked.path.starts_with("/copy-jobs"), "{}", asked.path);
        let body = json!({"CopyJobs": [
            {"CopyJobId": "c1", "State": "COMPLETED", "MessageCategory": "AccessDenied", "CreationDate": 1_780_000_000,
             "ResourceArn": "arn:aws:rds:ap-south-1:111122223333:db:vendor-db",
             "DestinationBackupVaultArn": "arn:aws:backup:ap-south-2:111122223333:backup-vault:bank-hyd", "IsParent": false},
            {"CopyJobId": "child", "State": "RUNNING", "ParentJobId": "c0", "CreationDate": 1_780_000_000},
        ]});
        answer(200, "application/json", body.to_string())
    });
    let op = backup::ListCopyJobs { region: mumbai(), created_after: Timestamp::from_secs(0) };
    let jobs = read(&wire, op).await.expect("an answer").value;
    assert_eq!(jobs.len(), 1);
    assert_eq!((jobs[0].vault.as_deref(), jobs[0].destination.clone()), (Some("bank-hyd"), Some(hyderabad())));
    assert!(jobs[0].completed_with_issues());
}

#[tokio::test]
async fn backup_and_restore_jobs_are_read_with_their_own_words_for_state() {
    let wire = wire(|asked| {
        let body = if asked.path.starts_with("/restore-jobs") {
            json!({"RestoreJobs": [{"RestoreJobId": "r", "Status": "RUNNING", "CreationDate": 1_780_000_000, "PercentDone": "12.5%",
                "ExpectedCompletionTimeMinutes": 30}]})
        } else {
            json!({"BackupJobs": [{"BackupJobId": "b", "State": "EXPIRED", "CreationDate": 1_780_000_000.5, "StartBy": 1_780_003_600}]})
        };
        answer(200, "application/json", body.to_string())
    });
    let after = Timestamp::from_secs(1_779_000_000);
    let backups =
        read(&wire, backup::ListBackupJobs { region: mumbai(), created_after: after }).await.expect("jobs").value;
    assert_eq!(
        (backups[0].state.clone(), backups[0].created),
        (JobState::Expired, Timestamp::from_millis(1_780_000_000_500))
    );
    let restores =
        read(&wire, backup::ListRestoreJobs { region: mumbai(), created_after: after }).await.expect("jobs").value;
    assert_eq!((restores[0].state.clone(), restores[0].percent), (JobState::Running, Some(12.5)));
    assert_eq!(restores[0].expected_completion, Some(Timestamp::from_secs(1_780_001_800)));
}

#[tokio::test]
async fn the_data_time_of_a_copy_is_the_creation_of_its_source() {
    let wire = wire(|asked| {
        assert!(asked.path.starts_with("/backup-vaults/bank-hyd/recovery-points"), "{}", asked.path);
        let body = json!({"RecoveryPoints": [{"RecoveryPointArn": "arn:p", "ResourceArn": "arn:r", "Status": "AVAILABLE",
            "CreationDate": 1_780_000_000, "CompletionDate": 1_780_003_000,
            "CalculatedLifecycle": {"DeleteAt": 1_780_086_400}, "BackupSizeInBytes": 10}]});
        answer(200, "application/json", body.to_string())
    });
    let op = backup::ListRecoveryPointsByBackupVault {
        region: hyderabad(),
        vault: "bank-hyd".into(),
        resource: None,
        created_after: Timestamp::from_secs(0),
    };
    let points = read(&wire, op).await.expect("points").value;
    assert_eq!(
        (points[0].created, points[0].status.clone()),
        (Timestamp::from_secs(1_780_000_000), PointStatus::Available)
    );
    assert_eq!(points[0].delete_at, Some(Timestamp::from_secs(1_780_086_400)));
}

#[tokio::test]
async fn vaults_and_plans_tell_locks_and_last_runs() {
    let wire = wire(|asked| {
        let body = if asked.path.starts_with("/backup/plans") {
            json!({"BackupPlansList": [{"BackupPlanId": "p", "BackupPlanName": "hourly", "LastExecutionDate": 1_780_000_000}]})
        } else if asked.path.starts_with("/backup-vaults/bank-mum") {
            json!({"BackupVaultName": "bank-mum", "Locked": true, "MinRetentionDays": 7, "NumberOfRecoveryPoints": 3})
        } else {
            json!({"BackupVaultList": [{"BackupVaultName": "bank-mum", "VaultState": "AVAILABLE", "NumberOfRecoveryPoints": 3}]})
        };
        answer(200, "application/json", body.to_string())
    });
    let vaults = read(&wire, backup::ListBackupVaults { region: mumbai() }).await.expect("vaults").value;
    assert_eq!((vaults[0].locked, vaults[0].state.as_deref()), (false, Some("AVAILABLE")));
    let vault = read(&wire, backup::DescribeBackupVault { region: mumbai(), vault: "bank-mum".into() }).await;
    let vault = vault.expect("a vault").value;
    assert_eq!((vault.locked, vault.min_retention_days, vault.points), (true, Some(7), 3));
    let plans = read(&wire, backup::ListBackupPlans { region: mumbai() }).await.expect("plans").value;
    assert_eq!(plans[0].last_execution, Some(Timestamp::from_secs(1_780_000_000)));
}

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

#[tokio::test]
async fn a_black_hole_ends_by_our_own_time_outs() {
    let wire = wire(|_| Reaction::BlackHole);
    let clock = super::testing::TestClock::new(1.0);
    let error = read(&wire, sts::GetCallerIdentity { region: mumbai() }).await.expect_err("nothing answers");
    assert_eq!(error.failure, ProbeFailure::Unreachable);
    let took = crate::domain::Clock::monotonic(&clock);
    assert!(took >= super::testing::QUICK.attempt * 2, "{took:?}");
    assert_eq!(wire.count(|_| true), 2, "two attempts, inside the operation's time");
}

#[tokio::test]
async fn an_answer_in_a_foreign_protocol_is_a_bad_answer_and_not_an_empty_one() {
    let wire = wire(|_| answer(404, "text/html", "<html>Not here</html>"));
    let error = read(&wire, cloudwatch::DescribeAlarms { region: mumbai() }).await.expect_err("no CloudWatch there");
    assert_eq!(error.failure, ProbeFailure::BadAnswer, "{error:?}");
}

#[tokio::test]
async fn throttled_denied_and_expired_reads_are_told_apart_on_every_protocol() {
    let table = [
        ("Throttling", 400, ProbeFailure::Throttled),
        ("AccessDeniedException", 403, ProbeFailure::Denied),
        ("ExpiredTokenException", 403, ProbeFailure::CredentialsExpired),
        ("UnrecognizedClientException", 403, ProbeFailure::RegionNotEnabled),
    ];
    for (code, status, expected) in table {
        let wire = wire(move |asked| match asked.service() {
            "monitoring" => answer(status, "application/cbor", cbor(&json!({"__type": code, "message": "m"}))),
            "backup" => answer(status, "application/json", json!({"__type": code, "message": "m"}).to_string()),
            "route53" => answer(
                status,
                "text/xml",
                format!(
                    "<ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>"
                ),
            ),
            _ => answer(
                status,
                "text/xml",
                format!("<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"),
            ),
        });
        let region = hyderabad();
        let errors = [
            read(&wire, cloudwatch::DescribeAlarms { region: region.clone() }).await.expect_err("refused").failure,
            read(&wire, backup::ListBackupVaults { region: region.clone() }).await.expect_err("refused").failure,
            read(&wire, rds::DescribeDbInstances { region }).await.expect_err("refused").failure,
        ];
        assert_eq!(errors, [expected; 3], "{code}");
        if code != "UnrecognizedClientException" {
            let error = read(&wire, route53::ListHostedZones).await.expect_err("refused");
            assert_eq!(error.failure, expected, "{code}");
        }
    }
}

#[tokio::test]
async fn the_call_log_shows_what_was_asked_and_how_it_ended() {
    let wire = wire(super::testing::empty_answer);
    let reader = connect(&wire).await.reader();
    let read = reader.read(&sts::GetCallerIdentity { region: hyderabad() }).await.expect("identity");
    assert_eq!(read.value.account.as_str(), "111122223333");
    let records = reader.log().since(0);
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].service, records[0].operation, records[0].seq), ("sts", "GetCallerIdentity", 1));
}
