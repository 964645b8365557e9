//! Where customers go when health decides it: failover records, and weighted ones that carry a check.

use super::{AppRecord, Dns, TTL_DEFAULT, Zone, records};
use crate::{
    domain::{Side, Timestamp},
    sim::gate::Faults,
};

/// How finely the time that clients hold an answer is looked at.
const SAMPLES: u32 = 12;

impl Dns {
    /// Clients hold what they were answered for the time-to-live, so the share is the mean of what was answered
    /// over the last of it; that they ask evenly is *assumed*.
    pub(super) fn share_by_health(
        &self,
        zone: &Zone,
        record: &AppRecord,
        side: Side,
        at: Timestamp,
        faults: &Faults,
    ) -> f64 {
        let held = records::ttl(zone.answered_at(at), &record.name, &record.kind).unwrap_or(TTL_DEFAULT);
        let step = held / SAMPLES;
        let answered: f64 = (0..SAMPLES).map(|n| self.answered(zone, record, side, at - step * n, faults)).sum();
        answered / f64::from(SAMPLES)
    }

    fn answered(&self, zone: &Zone, record: &AppRecord, side: Side, at: Timestamp, faults: &Faults) -> f64 {
        let healthy = |id: &str| self.checks.get(id).is_none_or(|check| self.counts_as_healthy(check, at, faults));
        let set = record.sets.get(&side);
        records::share_by_health(zone.answered_at(at), &record.name, &record.kind, set, &healthy)
    }
}

impl Zone {
    /// What the authoritative servers answer with at that moment.
    fn answered_at(&self, at: Timestamp) -> &[records::Record] {
        let in_sync = self.changes.iter().rev().find(|change| change.in_sync <= at);
        in_sync.map_or(&self.seeded, |change| &change.after)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::sim::{
        fault::{Down, Fault, FaultKind},
        route53::{Check, Override, records::Record},
    };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn dns() -> Dns {
        let record = |set: &str, role: &str, check| {
            Record::failover("api.bank.example.", "A", set, role, check, Duration::from_secs(60), "192.0.2.1")
        };
        let check = Check { id: "mum".into(), region: "ap-south-1".into(), host: "x".into(), overrides: Vec::new() };
        let zone = Zone {
            id: "Z".into(),
            name: "bank.example.".into(),
            seeded: vec![
                record("mumbai", records::PRIMARY, Some("mum")),
                record("hyderabad", records::SECONDARY, None),
            ],
            changes: Vec::new(),
        };
        let app = AppRecord {
            zone: "Z".into(),
            name: "api.bank.example.".into(),
            kind: "A".into(),
            sets: [(Side::Primary, "mumbai".to_owned()), (Side::Recovery, "hyderabad".to_owned())].into(),
        };
        Dns {
            seed: 3,
            zones: [("Z".to_owned(), zone)].into(),
            checks: [("mum".to_owned(), check)].into(),
            apps: BTreeMap::from([("pay".into(), app)]),
        }
    }

    fn share(dns: &Dns, side: Side, secs: i64, faults: &Faults) -> f64 {
        dns.share(&"pay".into(), side, at(secs), faults).expect("a record")
    }

    #[test]
    fn when_mumbai_goes_dark_its_failover_record_sends_customers_to_hyderabad_and_back_again() {
        let (dns, mut faults) = (dns(), Faults::default());
        let kind = FaultKind::RegionDown { region: "ap-south-1".into(), how: Down::Refuse };
        let fault = Fault { id: 0, kind, from: Some(at(10_000)), until: Some(at(20_000)) };
        faults.inject(fault, at(10_000), &["ap-south-1".into()]).expect("a fault");
        assert!((share(&dns, Side::Primary, 10_010, &faults) - 1.0).abs() < 1e-9, "not detected yet");
        let moving = share(&dns, Side::Recovery, 10_060, &faults);
        assert!(moving > 0.2 && moving < 0.9, "{moving}");
        assert!((share(&dns, Side::Recovery, 10_120, &faults) - 1.0).abs() < 1e-9);
        assert!((share(&dns, Side::Primary, 20_120, &faults) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_inverted_check_moves_customers_and_putting_it_back_brings_them_home() {
        let (mut dns, faults) = (dns(), Faults::default());
        let check = dns.checks.get_mut("mum").expect("the check");
        check.overrides.push(Override { at: at(1_000), inverted: true, disabled: false });
        check.overrides.push(Override { at: at(5_000), inverted: false, disabled: false });
        assert!((share(&dns, Side::Primary, 999, &faults) - 1.0).abs() < 1e-9);
        assert!((share(&dns, Side::Recovery, 2_000, &faults) - 1.0).abs() < 1e-9);
        assert!((share(&dns, Side::Primary, 6_000, &faults) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn when_every_failover_record_is_unhealthy_the_primary_is_answered() {
        let (mut dns, faults) = (dns(), Faults::default());
        let check = Check {
            id: "hyd".into(),
            region: "ap-south-2".into(),
            host: "y".into(),
            overrides: vec![Override { at: at(0), inverted: true, disabled: true }],
        };
        dns.checks.insert("hyd".into(), check);
        dns.checks.get_mut("mum").expect("the check").overrides.push(Override {
            at: at(0),
            inverted: true,
            disabled: true,
        });
        let hyd = Record::failover(
            "api.bank.example.",
            "A",
            "hyderabad",
            records::SECONDARY,
            Some("hyd"),
            Duration::from_secs(60),
            "x",
        );
        dns.zones.get_mut("Z").expect("the zone").seeded[1] = hyd;
        assert!((share(&dns, Side::Primary, 1_000, &faults) - 1.0).abs() < 1e-9);
    }
}
