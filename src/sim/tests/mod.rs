//! The whole simulator through its one door: requests as bytes, a clock that the test moves.

mod bank;
mod door;
mod faults;
mod rds;
mod route53;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;

use super::{
    Options, Reply, Sim,
    fault::{Down, Fault, FaultKind},
    wire::Element,
};
use crate::domain::{Clock, Timestamp};

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
            estate: Arc::new(bank::bank()),
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
