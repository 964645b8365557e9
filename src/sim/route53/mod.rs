//! Route 53: hosted zones with their records through time, health checks, and where DNS sends customers.
//!
//! The API lives in us-east-1; answers and checks do not (field guide 5.1, 8.3), so nothing here stops when the
//! control plane is impaired. [`records`] holds the rules of a change batch; [`answer`] speaks restXml.

use std::{collections::BTreeMap, time::Duration};

use super::{draw, gate::Faults, wire::Element};
use crate::domain::{App, AppId, Component, Estate, RegionId, Side, Timestamp};

pub mod answer;
mod failover;
mod health;
pub mod records;

use records::Record;

/// Documented as "usually < 60 s" (field guide 5.1); *assumed* around 12 s.
const PROPAGATION: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(16));
/// Documented: an alias to a load balancer is answered with 60 s (field guide 5.1); the default of a seeded record too.
const TTL_DEFAULT: Duration = Duration::from_mins(1);
/// Documented: 10 or 30 s, and 1 to 10, default 3 (field guide 5.2); chosen as the bank has them.
pub const REQUEST_INTERVAL: Duration = Duration::from_secs(10);
pub const FAILURE_THRESHOLD: u32 = 3;

/// Documented: where the checkers are; none is in India (field guide 5.2).
pub const CHECKERS: [&str; 8] = [
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
];

#[derive(Clone, Debug)]
pub struct Zone {
    /// Without `/hostedzone/`.
    pub id: String,
    /// With the last dot.
    pub name: String,
    pub seeded: Vec<Record>,
    /// Oldest first.
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug)]
pub struct Change {
    /// Without `/change/`.
    pub id: String,
    pub comment: Option<String>,
    pub submitted: Timestamp,
    /// From when all authoritative servers answer with it.
    pub in_sync: Timestamp,
    /// All records of the zone afterwards.
    pub after: Vec<Record>,
}

impl Zone {
    /// What the API lists: the newest accepted state, in sync or not.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        self.changes.last().map_or(&self.seeded, |change| &change.after)
    }

    /// The same as of a moment.
    #[must_use]
    pub fn records_at(&self, at: Timestamp) -> &[Record] {
        let accepted = self.changes.iter().rev().find(|change| change.submitted <= at);
        accepted.map_or(&self.seeded, |change| &change.after)
    }
}

/// A health check and the Region behind the endpoint that it checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub id: String,
    pub region: RegionId,
    pub host: String,
    /// Oldest first; none while it is as it was made.
    pub overrides: Vec<Override>,
}

/// One accepted `UpdateHealthCheck`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    pub at: Timestamp,
    pub inverted: bool,
    pub disabled: bool,
}

/// Set identifiers by side, and the name they stand under.
#[derive(Clone, Debug)]
struct AppRecord {
    zone: String,
    name: String,
    kind: String,
    sets: BTreeMap<Side, String>,
}

#[derive(Clone, Debug)]
pub struct Dns {
    seed: u64,
    pub zones: BTreeMap<String, Zone>,
    pub checks: BTreeMap<String, Check>,
    apps: BTreeMap<AppId, AppRecord>,
}

impl Dns {
    #[must_use]
    pub fn new(estate: &Estate, seed: u64) -> Self {
        let mut dns = Self { seed, zones: BTreeMap::new(), checks: BTreeMap::new(), apps: BTreeMap::new() };
        let all = || estate.apps.iter().flat_map(|app| app.components.iter().map(move |component| (app, component)));
        let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (_, component) in all().filter(|(_, component)| component.kind == "route53-record") {
            if let (Some(zone), Some(name)) = (component.params.text("zone"), component.params.text("name")) {
                names.entry(zone).or_default().push(name);
            }
        }
        for (id, names) in names {
            let name = zone_name(&names);
            let seeded = records::apex(&name);
            dns.zones.insert(id.to_owned(), Zone { id: id.to_owned(), name, seeded, changes: Vec::new() });
        }
        for (app, component) in all() {
            match component.kind {
                "route53-record" => dns.seed_record(app, component),
                "route53-health-check" => dns.seed_check(estate, app, component),
                _ => {}
            }
        }
        for zone in dns.zones.values_mut() {
            records::sort(&mut zone.seeded);
        }
        dns
    }

    /// Weighted 100/0 towards the primary side: the pattern of the bank's runbooks (field guide 5.1).
    fn seed_record(&mut self, app: &App, component: &Component) {
        let params = &component.params;
        let (Some(zone), Some(name)) = (params.text("zone"), params.text("name")) else { return };
        let kind = params.text("type").unwrap_or("A");
        let ttl = params.duration("ttl").unwrap_or(TTL_DEFAULT);
        let name = records::canonical(name);
        let failover = params.text("routing") == Some("failover");
        let mut sets = BTreeMap::new();
        for side in Side::BOTH {
            let Some(set) = params.side_text("sides", side) else { continue };
            sets.insert(side, set.to_owned());
            let weight = if side == Side::Primary { 100 } else { 0 };
            let address = draw::number(self.seed, &format!("address {name} {set}")) % 250 + 2;
            let value = match (kind, side) {
                ("CNAME", _) => format!("{}-{}.elb.simulated.amazonaws.com", app.id, side.word()),
                ("AAAA", _) => format!("2001:db8::{address:x}"),
                // Addresses of the documentation ranges.
                (_, Side::Primary) => format!("192.0.2.{address}"),
                (_, Side::Recovery) => format!("198.51.100.{address}"),
            };
            let record = if failover {
                let check = params.side_text("health_checks", side);
                let role = if side == Side::Primary { records::PRIMARY } else { records::SECONDARY };
                Record::failover(&name, kind, set, role, check, ttl, &value)
            } else {
                Record::weighted(&name, kind, set, weight, ttl, &value)
            };
            if let Some(zone) = self.zones.get_mut(zone)
                && !zone.seeded.iter().any(|other| other.key() == record.key())
            {
                zone.seeded.push(record);
            }
        }
        let record = AppRecord { zone: zone.to_owned(), name, kind: kind.to_owned(), sets };
        self.apps.entry(app.id.clone()).or_insert(record);
    }

    fn seed_check(&mut self, estate: &Estate, app: &App, component: &Component) {
        let Some(id) = component.params.text("health_check") else { return };
        let side = component.params.side("side").unwrap_or(Side::Primary);
        let region = estate.regions.get(side).id.clone();
        let record = app.components.iter().find_map(|c| c.params.text("name").filter(|_| c.kind == "route53-record"));
        let host = format!("{}.{}", side.word(), record.unwrap_or("bank.example"));
        self.checks.entry(id.to_owned()).or_insert(Check { id: id.to_owned(), region, host, overrides: Vec::new() });
    }

    /// Share of the app's customers whom DNS sends to that side; `None` when the app has no record here.
    ///
    /// Clients move over the time-to-live after the change is in sync; that they do so evenly is *assumed*.
    /// Where health decides (failover records, checks on records) see [`failover`].
    #[must_use]
    pub fn share(&self, app: &AppId, side: Side, at: Timestamp, faults: &Faults) -> Option<f64> {
        let record = self.apps.get(app)?;
        let zone = self.zones.get(&record.zone)?;
        if records::by_health(zone.records(), &record.name, &record.kind)
            || records::by_health(&zone.seeded, &record.name, &record.kind)
        {
            return Some(self.share_by_health(zone, record, side, at, faults));
        }
        let of = |records: &[Record]| records::share(records, &record.name, &record.kind, record.sets.get(&side));
        let held = |records: &[Record]| records::ttl(records, &record.name, &record.kind).unwrap_or(TTL_DEFAULT);
        let mut ramp = Ramp::still(of(&zone.seeded));
        let mut before = &zone.seeded;
        for change in zone.changes.iter().filter(|change| change.in_sync <= at) {
            ramp = Ramp {
                from: ramp.at(change.in_sync),
                to: of(&change.after),
                begins: change.in_sync,
                takes: held(before),
            };
            before = &change.after;
        }
        Some(ramp.at(at))
    }

    /// Whether the check's own endpoint answered, checker by checker: `true` is healthy.
    ///
    /// A checker changes its mind after `FAILURE_THRESHOLD` equal results in a row, each one `REQUEST_INTERVAL`
    /// after the other (field guide 5.2); each has its own phase.
    #[must_use]
    pub fn seen_healthy(&self, check: &Check, checker: usize, at: Timestamp, faults: &Faults) -> (bool, Timestamp) {
        let interval = REQUEST_INTERVAL.as_millis() as i64;
        let phase = draw::between(self.seed, &format!("{} {checker}", check.id), Duration::ZERO, REQUEST_INTERVAL);
        let phase = phase.as_millis() as i64;
        let newest = (at.millis() - phase).div_euclid(interval) * interval + phase;
        let answered = |n: i64| !faults.region_down(&check.region, Timestamp::from_millis(newest - n * interval));
        let threshold = i64::from(FAILURE_THRESHOLD);
        // The newest run of equal results decides; without one in the last 20 minutes it is as it began: healthy.
        let decided = (0..120).find(|n| (1..threshold).all(|k| answered(n + k) == answered(*n)));
        (decided.is_none_or(answered), Timestamp::from_millis(newest))
    }
}

/// A share on its way from one value to another.
#[derive(Clone, Copy, Debug)]
struct Ramp {
    from: f64,
    to: f64,
    begins: Timestamp,
    takes: Duration,
}

impl Ramp {
    fn still(value: f64) -> Self {
        Self { from: value, to: value, begins: Timestamp::default(), takes: Duration::ZERO }
    }

    fn at(&self, at: Timestamp) -> f64 {
        let elapsed = at.since(self.begins).as_secs_f64();
        let done = if self.takes.is_zero() { 1.0 } else { (elapsed / self.takes.as_secs_f64()).clamp(0.0, 1.0) };
        self.from + (self.to - self.from) * done
    }
}

/// What all names of a zone end in, at least one label shorter than each, with the last dot.
fn zone_name(names: &[&str]) -> String {
    let labels = |name: &str| name.trim_end_matches('.').split('.').rev().map(str::to_owned).collect::<Vec<_>>();
    let mut common = names.first().map(|name| labels(name)).unwrap_or_default();
    for name in names {
        let other = labels(name);
        let same = common.iter().zip(&other).take_while(|(a, b)| a == b).count();
        common.truncate(same.min(other.len().saturating_sub(1)).max(1));
    }
    common.reverse();
    format!("{}.", common.join("."))
}

/// An element with text.
fn leaf(name: &str, text: impl Into<String>) -> Element {
    Element { name: name.to_owned(), text: text.into(), children: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fault::{Down, Fault, FaultKind};

    #[test]
    fn a_zone_is_named_by_what_its_records_share() {
        assert_eq!(zone_name(&["api.pay.bank.example"]), "pay.bank.example.");
        assert_eq!(zone_name(&["api.pay.bank.example", "web.bank.example"]), "bank.example.");
    }

    #[test]
    fn a_checker_calls_an_endpoint_unhealthy_after_three_failures_and_healthy_after_three_successes() {
        let check =
            Check { id: "pay-mumbai".into(), region: "ap-south-1".into(), host: "x".into(), overrides: Vec::new() };
        let dns = Dns { seed: 3, zones: BTreeMap::new(), checks: BTreeMap::new(), apps: BTreeMap::new() };
        let mut faults = Faults::default();
        let kind = FaultKind::RegionDown { region: "ap-south-1".into(), how: Down::Refuse };
        let at = Timestamp::from_secs;
        let fault = Fault { id: 0, kind, from: Some(at(10_000)), until: Some(at(20_000)) };
        faults.inject(fault, at(10_000), &["ap-south-1".into()]).unwrap();
        let healthy = |secs| (0..16).filter(|n| dns.seen_healthy(&check, *n, at(secs), &faults).0).count();
        assert_eq!(healthy(9_999), 16);
        assert_eq!(healthy(10_015), 16, "too early for any");
        assert_eq!(healthy(10_030), 0, "interval times threshold");
        assert_eq!(healthy(19_000), 0);
        assert_eq!(healthy(20_031), 16);
    }
}
