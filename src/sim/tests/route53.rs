//! Records, and whom customers reach.

use super::{Bench, HYDERABAD, MUMBAI, RRSET, weights};
use crate::sim::{Reply, wire::Element};

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
