//! Answers that do not come, are foreign or refuse, and what is told of them.

use std::sync::Arc;

use serde_json::json;

use super::{hyderabad, mumbai, read, wire};
use crate::{
    aws::{
        Connection, ConnectionSettings, Transport, backup, cloudwatch, rds, route53, sts,
        testing::{self, Reaction, answer, cbor, connect},
    },
    domain::ProbeFailure,
};

#[tokio::test]
async fn a_black_hole_ends_by_our_own_time_outs() {
    let wire = wire(|_| Reaction::BlackHole);
    let clock = testing::TestClock::new(1.0);
    let error = read(&wire, sts::GetCallerIdentity { region: mumbai() }).await.expect_err("nothing answers");
    assert_eq!(error.failure, ProbeFailure::Unreachable);
    let took = crate::domain::Clock::monotonic(&clock);
    assert!(took >= testing::QUICK.attempt * 2, "{took:?}");
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
    let wire = wire(testing::empty_answer);
    let reader = connect(&wire).await.reader();
    let read = reader.read(&sts::GetCallerIdentity { region: hyderabad() }).await.expect("identity");
    assert_eq!(read.value.account.as_str(), "111122223333");
    let records = reader.log().since(0);
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].service, records[0].operation, records[0].seq), ("sts", "GetCallerIdentity", 1));
}

/// Regions whose first call must fail without a network: nothing listens on the port.
#[tokio::test]
async fn opening_the_network_survives_whatever_the_environment_says() {
    let environment = [("AWS_ENDPOINT_URL".to_owned(), "http://127.0.0.1:9".to_owned())].into();
    let settings = ConnectionSettings {
        transport: Transport::Network,
        environment,
        ..testing::settings(wire(|_| Reaction::BlackHole), Arc::new(testing::TestClock::new(1.0)))
    };
    let connection = Connection::open(settings).await;
    assert_eq!(connection.endpoint_overrides().len(), 1);
    let error = connection.reader().read(&sts::GetCallerIdentity { region: mumbai() }).await.expect_err("nobody there");
    assert_eq!(error.failure, ProbeFailure::Unreachable, "{error:?}");
    assert!(!format!("{connection:?}").contains("worthless"), "no secret in Debug");
}

#[test]
fn an_odd_retry_mode_in_the_environment_does_not_panic() {
    // In a process of its own: the SDK reads the variables of the process (field guide 0.1, fact 18).
    let this_test = std::env::current_exe().expect("the test binary");
    for (name, value) in [("AWS_RETRY_MODE", "legacy"), ("AWS_MAX_ATTEMPTS", "0"), ("AWS_USE_FIPS_ENDPOINT", "perhaps")]
    {
        let output = std::process::Command::new(&this_test)
            .args(["--exact", "aws::tests::failing::opening_the_network_survives_whatever_the_environment_says"])
            .env(name, value)
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{name}={value}: {text}");
    }
}
