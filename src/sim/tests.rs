//! The whole simulator through its one door: requests as bytes, a clock that the test moves.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;

use super::{
    Options, Reply, SIM_HEADER, Sim,
    fault::{Down, Fault, FaultKind, LateAnswer},
    wire::Element,
};
use crate::domain::{
    App, Clock, Component, Estate, Region, RegionPair, SafeText, Side, Timestamp, Zone,
    app::{BackupPolicy, Param, Params, Residency, Role, Strategy, Timings},
};

const MUMBAI: &str = "ap-south-1";
const HYDERABAD: &str = "ap-south-2";
const MUM_ARN: &str = "arn:aws:rds:ap-south-1:111122223333:cluster:payments-mum";
const HYD_ARN: &str = "arn:aws:rds:ap-south-2:111122223333:cluster:payments-hyd";

#[derive(Default)]
struct Hand(Mutex<Duration>);

impl Hand {
    fn advance(&self, seconds: u64) {
        *self.0.lock().unwrap() += Duration::from_secs(seconds);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        unreachable!("the simulator must not ask for somebody else's estate time")
    }
    fn wall(&self) -> Timestamp {
        Timestamp::from_secs(1_700_000_000)
    }
    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
    fn speed(&self) -> f64 {
        1.0
    }
}

fn component(id: &str, kind: &'static str, params: &[(&str, Param)]) -> Component {
    Component {
        id: id.into(),
        kind,
        kind_title: kind,
        observed: true,
        mandatory: true,
        role: Role::Data,
        rpo: None,
        params: Params(params.iter().map(|(name, param)| ((*name).to_owned(), param.clone())).collect()),
        region_lost: None,
        corrupted: Vec::new(),
    }
}

fn sides(primary: &str, recovery: &str) -> Param {
    Param::Sides { primary: Some(primary.to_owned()), recovery: Some(recovery.to_owned()) }
}

fn text(text: &str) -> Param {
    Param::Text(text.to_owned())
}

fn app(id: &str, components: Vec<Component>) -> App {
    let minute = Duration::from_mins(1);
    App {
        id: id.into(),
        name: SafeText::new(id),
        tier: 1,
        criticality: SafeText::new("high"),
        strategy: Strategy::WarmStandby,
        rpo: None,
        rto: None,
        depends_on: Vec::new(),
        backup: Some(BackupPolicy {
            every: minute * 60,
            retention: minute * 60 * 24,
            start_window: minute * 60,
            copy_to: Some(Side::Recovery),
            declared_duration_p99: minute * 30,
        }),
        components,
        runbooks: BTreeMap::new(),
        drills: Vec::new(),
        served: None,
        accepted: None,
        timings: Timings {
            detection: minute,
            decision: minute,
            dns_ttl: minute,
            verification: minute,
            execution: None,
        },
        note: None,
        parameters: BTreeMap::new(),
        not_again_within: None,
    }
}

fn bank() -> Estate {
    let payments = vec![
        component(
            "payments-global",
            "aurora-global",
            &[("global_cluster", text("payments-global")), ("clusters", sides("payments-mum", "payments-hyd"))],
        ),
        component(
            "api",
            "route53-record",
            &[
                ("zone", text("Z0PAY")),
                ("name", text("api.pay.bank.example")),
                ("sides", sides("mumbai", "hyderabad")),
                ("ttl", Param::Duration(Duration::from_secs(30))),
            ],
        ),
        component(
            "check",
            "route53-health-check",
            &[("health_check", text("pay-mumbai")), ("side", Param::Side(Side::Primary))],
        ),
    ];
    let vendor = vec![
        component(
            "db",
            "aws-backup",
            &[
                ("resource", text("arn:aws:rds:ap-south-1:111122223333:db:vendor-db")),
                ("vaults", sides("bank-mum", "bank-hyd")),
            ],
        ),
        component("rds", "rds-instance", &[("instance", text("core-db")), ("replica", text("core-db-hyd"))]),
    ];
    // Shares the database of payments and has no record of its own.
    let ledger = vec![component(
        "db",
        "aurora-global",
        &[("global_cluster", text("payments-global")), ("clusters", sides("payments-mum", "payments-hyd"))],
    )];
    let region = |id: &str, name: &str| Region { id: id.into(), name: SafeText::new(name) };
    Estate {
        name: SafeText::new("Demo bank"),
        origin: SafeText::new("test"),
        zone: Zone::utc(),
        expects_account: "111122223333".to_owned(),
        regions: RegionPair { primary: region(MUMBAI, "Mumbai"), recovery: region(HYDERABAD, "Hyderabad") },
        residency: Residency::default(),
        access: BTreeMap::new(),
        freezes: Vec::new(),
        apps: vec![app("payments", payments), app("vendor", vendor), app("ledger", ledger)],
        warnings: Vec::new(),
    }
}

/// A simulator of that bank whose clock stands.
pub(super) fn bench_sim() -> Sim {
    Bench::new().sim
}

struct Bench {
    sim: Sim,
    clock: Arc<Hand>,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(Hand::default());
        let start = Timestamp::parse("2026-11-20T09:00:00Z").unwrap();
        let options = Options {
            estate: Arc::new(bank()),
            seed: 7,
            speed: 1.0,
            start,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        };
        Self { sim: Sim::new(options), clock }
    }

    fn send(&self, method: &str, scope: &str, path: &str, body: &str) -> Reply {
        let credential = format!("AWS4-HMAC-SHA256 Credential=AKID/20261120/{scope}/aws4_request, SignedHeaders=host");
        let request = http::Request::builder().method(method).uri(path).header("authorization", credential);
        self.sim.handle(request.body(Bytes::from(body.to_owned())).unwrap())
    }

    fn answer(&self, method: &str, scope: &str, path: &str, body: &str) -> (u16, String) {
        match self.send(method, scope, path, body) {
            Reply::Answer { response, .. } => {
                (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
            }
            other => panic!("no answer: {other:?}"),
        }
    }

    fn rds(&self, region: &str, form: &str) -> (u16, String) {
        self.answer("POST", &format!("{region}/rds"), "/", form)
    }

    fn failover(&self) -> Reply {
        let form = format!(
            "Action=FailoverGlobalCluster&GlobalClusterIdentifier=payments-global&AllowDataLoss=true&\
             TargetDbClusterIdentifier={HYD_ARN}"
        );
        self.send("POST", "ap-south-2/rds", "/", &form)
    }

    /// ARN of the writer as `DescribeGlobalClusters` says it in the Region.
    fn writer(&self, region: &str) -> String {
        let (status, body) = self.rds(region, "Action=DescribeGlobalClusters");
        assert_eq!(status, 200, "{body}");
        let root = Element::parse(body.as_bytes()).unwrap();
        let cluster = &root.child("DescribeGlobalClustersResult").unwrap().child("GlobalClusters").unwrap().children[0];
        let members = &cluster.child("GlobalClusterMembers").unwrap().children;
        let writer = members.iter().find(|member| member.value("IsWriter") == Some("true")).unwrap();
        writer.value("DBClusterArn").unwrap().to_owned()
    }

    fn control(&self, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        let (status, body) = self.answer(method, "-/-", path, body);
        (status, serde_json::from_str(&body).unwrap())
    }

    fn dark(&self, region: &str, how: Down) -> u64 {
        let kind = FaultKind::RegionDown { region: region.into(), how };
        self.sim.inject(Fault { id: 0, kind, from: None, until: None }).unwrap()
    }
}

fn weights(mumbai: u8, hyderabad: u8) -> String {
    let change = |set: &str, weight: u8| {
        format!(
            "<Change><Action>UPSERT</Action><ResourceRecordSet><Name>api.pay.bank.example</Name><Type>A</Type>\
             <SetIdentifier>{set}</SetIdentifier><Weight>{weight}</Weight><TTL>30</TTL><ResourceRecords>\
             <ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>"
        )
    };
    format!(
        "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch>\
         <Changes>{}{}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>",
        change("mumbai", mumbai),
        change("hyderabad", hyderabad)
    )
}

const RRSET: &str = "/2013-04-01/hostedzone/Z0PAY/rrset";

#[test]
fn the_failover_of_payments_goes_through_while_mumbai_is_black_holed_and_the_way_back_is_a_switchover() {
    let bench = Bench::new();
    let fault = bench.dark(MUMBAI, Down::Blackhole);
    assert!(matches!(bench.send("POST", "ap-south-1/rds", "/", "Action=DescribeGlobalClusters"), Reply::BlackHole));
    assert_eq!(bench.writer(HYDERABAD), MUM_ARN);
    assert!(matches!(bench.failover(), Reply::Answer { response, .. } if response.status() == 200));
    let (_, body) = bench.rds(HYDERABAD, "Action=DescribeGlobalClusters");
    assert!(body.contains("<FailoverState><Status>pending</Status>"), "{body}");
    bench.clock.advance(60);
    assert_eq!(bench.writer(HYDERABAD), HYD_ARN);

    let back = format!(
        "Action=SwitchoverGlobalCluster&GlobalClusterIdentifier=payments-global&TargetDbClusterIdentifier={MUM_ARN}"
    );
    let (status, body) = bench.rds(HYDERABAD, &back);
    assert_eq!((status, body.contains("<Code>InvalidDBClusterStateFault</Code>")), (400, true), "{body}");
    bench.sim.clear(fault).unwrap();
    bench.clock.advance(60 + 720);
    let (_, snapshots) = bench.rds(MUMBAI, "Action=DescribeDBClusterSnapshots&DBClusterIdentifier=payments-mum");
    assert!(snapshots.contains("rds:unplanned-global-failover-payments-mum-2026-11-20-09-00-"), "{snapshots}");
    assert_eq!(bench.rds(HYDERABAD, &back).0, 200);
    bench.clock.advance(100);
    assert_eq!(bench.writer(MUMBAI), MUM_ARN);
    let (_, events) = bench.rds(HYDERABAD, "Action=DescribeEvents&SourceType=db-cluster&Duration=1440");
    for said in
        ["Global failover to DB cluster payments-hyd", "Fencing of writes", "timed out", "resynchronizing members"]
    {
        assert!(events.contains(said), "{said} not in {events}");
    }
    let (_, events) = bench.rds(MUMBAI, "Action=DescribeEvents&SourceIdentifier=payments-mum&Duration=3");
    assert!(events.contains("Global switchover to DB cluster payments-mum in Region ap-south-1 finished."), "{events}");
}

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
fn records_move_in_one_batch_are_in_sync_later_and_customers_follow_over_the_time_to_live() {
    let bench = Bench::new();
    let share = |bench: &Bench| bench.sim.state()["traffic"]["payments"][HYDERABAD].as_f64().unwrap();
    let (status, body) = bench.answer("POST", "us-east-1/route53", RRSET, &weights(0, 100));
    assert_eq!((status, body.contains("<Status>PENDING</Status>")), (200, true), "{body}");
    let id = body.split("/change/").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let (_, early) = bench.answer("POST", "us-east-1/route53", RRSET, &weights(50, 50));
    assert!(early.contains("PriorRequestNotComplete"));
    assert!(share(&bench).abs() < f64::EPSILON);
    bench.clock.advance(16);
    let (_, body) = bench.answer("GET", "us-east-1/route53", &format!("/2013-04-01/change/{id}"), "");
    assert!(body.contains("INSYNC"), "{body}");
    bench.clock.advance(10);
    assert!(share(&bench) > 0.2 && share(&bench) < 1.0);
    bench.clock.advance(30);
    assert!((share(&bench) - 1.0).abs() < f64::EPSILON);
    let (_, gone) = bench.answer("GET", "us-east-1/route53", "/2013-04-01/change/CNONE", "");
    assert!(gone.contains("<Code>NoSuchChange</Code>"));
}

#[test]
fn record_sets_page_by_name_type_and_identifier_without_a_gap() {
    let bench = Bench::new();
    let mut path = format!("{RRSET}?maxitems=1");
    let mut seen = Vec::new();
    for _ in 0..10 {
        let (_, body) = bench.answer("GET", "us-east-1/route53", &path, "");
        let root = Element::parse(body.as_bytes()).unwrap();
        let record = &root.child("ResourceRecordSets").unwrap().children[0];
        seen.push((record.value("Type").unwrap().to_owned(), record.value("SetIdentifier").map(str::to_owned)));
        if root.value("IsTruncated") == Some("false") {
            break;
        }
        let next = |name: &str| root.value(name).unwrap_or_default().to_owned();
        path = format!(
            "{RRSET}?maxitems=1&name={}&type={}&identifier={}",
            next("NextRecordName"),
            next("NextRecordType"),
            next("NextRecordIdentifier")
        );
    }
    let a = |set: &str| ("A".to_owned(), Some(set.to_owned()));
    assert_eq!(seen, [("NS".to_owned(), None), ("SOA".to_owned(), None), a("hyderabad"), a("mumbai")]);
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

#[test]
fn instances_are_where_the_estate_says_with_a_restore_point_at_most_five_minutes_old() {
    let bench = Bench::new();
    let (_, body) = bench.rds(MUMBAI, "Action=DescribeDBInstances");
    let root = Element::parse(body.as_bytes()).unwrap();
    let instances = &root.child("DescribeDBInstancesResult").unwrap().child("DBInstances").unwrap().children;
    let ids: Vec<_> = instances.iter().filter_map(|instance| instance.value("DBInstanceIdentifier")).collect();
    assert_eq!(ids, ["core-db", "payments-mum-1", "vendor-db"]);
    let latest = instances[0].value("LatestRestorableTime").and_then(Timestamp::parse).unwrap();
    assert!(bench.sim.now().since(latest) <= Duration::from_mins(5));
    let (_, replica) = bench.rds(HYDERABAD, "Action=DescribeDBInstances&DBInstanceIdentifier=core-db-hyd");
    assert!(replica.contains("<Status>replicating</Status>"), "{replica}");
    let (status, missing) = bench.rds(HYDERABAD, "Action=DescribeDBInstances&DBInstanceIdentifier=core-db");
    assert_eq!((status, missing.contains("<Code>DBInstanceNotFound</Code>")), (404, true));
}

#[test]
fn a_restore_point_stops_moving_when_its_region_goes_dark() {
    let bench = Bench::new();
    let fault = bench.dark(MUMBAI, Down::Refuse);
    let began = bench.sim.now();
    bench.clock.advance(3_600);
    bench.sim.clear(fault).unwrap();
    bench.dark(MUMBAI, Down::Slow);
    let (_, body) = bench.rds(MUMBAI, "Action=DescribeDBInstances&DBInstanceIdentifier=vendor-db");
    let latest = body.split("<LatestRestorableTime>").nth(1).unwrap().split('<').next().unwrap();
    assert!(Timestamp::parse(latest).unwrap() < began);
}

#[test]
fn lists_page_with_a_marker_and_a_page_size_outside_the_bounds_is_refused() {
    let bench = Bench::new();
    let mut form = "Action=DescribeEvents&Duration=20160&MaxRecords=20".to_owned();
    let mut pages = 0;
    let mut seen = Vec::new();
    loop {
        let (status, body) = bench.rds(MUMBAI, &form);
        assert_eq!(status, 200, "{body}");
        pages += 1;
        let root = Element::parse(body.as_bytes()).unwrap();
        let result = root.child("DescribeEventsResult").unwrap();
        seen.extend(result.child("Events").unwrap().children.iter().map(|event| format!("{event:?}")));
        let Some(marker) = result.value("Marker") else { break };
        let marker = percent_encoding::utf8_percent_encode(marker, percent_encoding::NON_ALPHANUMERIC);
        form = format!("Action=DescribeEvents&Duration=20160&MaxRecords=20&Marker={marker}");
        assert!(pages < 50);
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len());
    // Two databases and one cluster, a beginning and an end each night for fourteen nights.
    assert!((80..=84).contains(&seen.len()), "{}", seen.len());
    assert_eq!(bench.rds(MUMBAI, "Action=DescribeEvents&MaxRecords=5").0, 400);
}

#[test]
fn a_snapshot_copy_is_creating_then_available_and_a_second_one_of_that_name_is_refused() {
    let bench = Bench::new();
    let (_, body) = bench.rds(MUMBAI, "Action=DescribeDBClusterSnapshots");
    let source = body.split("<DBClusterSnapshotIdentifier>").nth(1).unwrap().split('<').next().unwrap();
    let form = format!(
        "Action=CopyDBClusterSnapshot&SourceDBClusterSnapshotIdentifier={source}&TargetDBClusterSnapshotIdentifier=keep"
    );
    let (status, body) = bench.rds(MUMBAI, &form);
    assert_eq!((status, body.contains("<Status>creating</Status>")), (200, true), "{body}");
    assert!(bench.rds(MUMBAI, &form).1.contains("DBClusterSnapshotAlreadyExistsFault"));
    bench.clock.advance(300);
    let (_, body) = bench.rds(MUMBAI, "Action=DescribeDBClusterSnapshots&DBClusterSnapshotIdentifier=keep");
    assert!(
        body.contains("<Status>available</Status>") && body.contains("<SnapshotType>manual</SnapshotType>"),
        "{body}"
    );
}

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
fn customers_of_an_app_without_records_go_where_its_writer_is() {
    let bench = Bench::new();
    let share = |app: &str, region: &str| bench.sim.state()["traffic"][app][region].as_f64().unwrap();
    assert!((share("vendor", MUMBAI) - 1.0).abs() < f64::EPSILON);
    assert!((share("ledger", MUMBAI) - 1.0).abs() < f64::EPSILON);
    assert!(matches!(bench.failover(), Reply::Answer { .. }));
    bench.clock.advance(60);
    assert!((share("ledger", HYDERABAD) - 1.0).abs() < f64::EPSILON);
    assert!((share("payments", MUMBAI) - 1.0).abs() < f64::EPSILON, "its record still says Mumbai");
    assert!((share("vendor", MUMBAI) - 1.0).abs() < f64::EPSILON);
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
