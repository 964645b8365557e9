//! Record sets and the rules of a change batch: transactional, exact deletes, whole-set upserts (field guide 5.1).
//!
//! A record is kept as the elements that the caller sent, so that nothing it said is lost on the way back.

use std::{cmp::Ordering, time::Duration};

use super::{Check, leaf};
use crate::sim::wire::{Element, Refusal};
use std::collections::{BTreeMap, BTreeSet};

/// Documented: at most so many `ResourceRecord` elements in a batch, UPSERT counting double.
const RECORDS_MAX: usize = 1_000;

pub const PRIMARY: &str = "PRIMARY";
pub const SECONDARY: &str = "SECONDARY";

/// One `ResourceRecordSet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record(Element);

/// Name, type, set identifier: what makes a record set itself.
pub type Key<'a> = (&'a str, &'a str, Option<&'a str>);

impl Record {
    #[must_use]
    pub fn weighted(name: &str, kind: &str, set: &str, weight: u8, ttl: Duration, value: &str) -> Self {
        let mut children = vec![leaf("Name", name), leaf("Type", kind)];
        children.extend([leaf("SetIdentifier", set), leaf("Weight", weight.to_string())]);
        Self::with_values(children, ttl, &[value])
    }

    #[must_use]
    pub fn failover(
        name: &str,
        kind: &str,
        set: &str,
        role: &str,
        check: Option<&str>,
        ttl: Duration,
        value: &str,
    ) -> Self {
        let mut children = vec![leaf("Name", name), leaf("Type", kind), leaf("SetIdentifier", set)];
        children.push(leaf("Failover", role));
        let mut record = Self::with_values(children, ttl, &[value]);
        record.0.children.extend(check.map(|check| leaf("HealthCheckId", check)));
        record
    }

    fn simple(name: &str, kind: &str, ttl: Duration, values: &[&str]) -> Self {
        Self::with_values(vec![leaf("Name", name), leaf("Type", kind)], ttl, values)
    }

    fn with_values(mut children: Vec<Element>, ttl: Duration, values: &[&str]) -> Self {
        children.push(leaf("TTL", ttl.as_secs().to_string()));
        let record = |value: &&str| Element {
            name: "ResourceRecord".to_owned(),
            children: vec![leaf("Value", *value)],
            ..Element::default()
        };
        let values = values.iter().map(record).collect();
        children.push(Element { name: "ResourceRecords".to_owned(), children: values, ..Element::default() });
        Self(Element { name: "ResourceRecordSet".to_owned(), children, ..Element::default() })
    }

    /// From a request: names in canonical form, no white space between elements.
    fn sent(element: &Element) -> Self {
        fn tidy(element: &Element) -> Element {
            let mut element = element.clone();
            let text = if element.children.is_empty() { element.text.trim() } else { "" };
            element.text = text.to_owned();
            element.children = element.children.iter().map(tidy).collect();
            element
        }
        let mut element = tidy(element);
        if let Some(name) = element.children.iter_mut().find(|child| child.name == "Name") {
            name.text = canonical(&name.text);
        }
        Self(element)
    }

    #[must_use]
    pub fn key(&self) -> Key<'_> {
        (self.0.value("Name").unwrap_or(""), self.0.value("Type").unwrap_or(""), self.0.value("SetIdentifier"))
    }

    #[must_use]
    pub const fn element(&self) -> &Element {
        &self.0
    }

    #[must_use]
    pub fn weight(&self) -> Option<u32> {
        self.0.value("Weight")?.parse().ok()
    }

    fn values(&self) -> usize {
        self.0.child("ResourceRecords").map_or(1, |records| records.children.len())
    }

    /// Equal whatever the order of elements and values.
    fn same(&self, other: &Self) -> bool {
        fn order(a: &Element, b: &Element) -> Ordering {
            (&a.name, &a.text).cmp(&(&b.name, &b.text)).then_with(|| {
                let texts = |e: &Element| e.children.iter().map(|c| c.text.clone()).collect::<Vec<_>>();
                texts(a).cmp(&texts(b))
            })
        }
        fn sorted(element: &Element) -> Element {
            let mut element = element.clone();
            element.children = element.children.iter().map(sorted).collect();
            element.children.sort_by(order);
            element
        }
        sorted(&self.0) == sorted(&other.0)
    }

    fn describe(&self) -> String {
        let (name, kind, set) = self.key();
        let set = set.map_or_else(String::new, |set| format!(", set identifier='{set}'"));
        format!("[name='{name}', type='{kind}'{set}]")
    }
}

/// Lower case, with the last dot.
#[must_use]
pub fn canonical(name: &str) -> String {
    format!("{}.", name.trim().trim_end_matches('.').to_ascii_lowercase())
}

/// In the order of Route 53: by name with its labels reversed, then type, then set identifier.
pub fn sort(records: &mut [Record]) {
    records.sort_by(|a, b| order(a.key(), b.key()));
}

#[must_use]
pub fn order(a: Key<'_>, b: Key<'_>) -> Ordering {
    let labels = |name: &str| name.split('.').rev().map(str::to_owned).collect::<Vec<_>>();
    labels(a.0).cmp(&labels(b.0)).then_with(|| (a.1, a.2).cmp(&(b.1, b.2)))
}

/// What every hosted zone begins with.
#[must_use]
pub fn apex(zone: &str) -> Vec<Record> {
    let servers = ["ns-1.awsdns-01.example.", "ns-2.awsdns-02.example."];
    let soa = "ns-1.awsdns-01.example. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400";
    vec![
        Record::simple(zone, "NS", Duration::from_hours(48), &servers),
        Record::simple(zone, "SOA", Duration::from_mins(15), &[soa]),
    ]
}

fn under<'a>(records: &'a [Record], name: &'a str, kind: &'a str) -> impl Iterator<Item = &'a Record> {
    records.iter().filter(move |record| {
        let (n, k, _) = record.key();
        n == name && k == kind
    })
}

/// Share of the answers that name the set. All weights zero are answered equally (field guide 5.1); of failover
/// records the primary answers.
#[must_use]
pub fn share(records: &[Record], name: &str, kind: &str, set: Option<&String>) -> f64 {
    let all: Vec<&Record> = under(records, name, kind).collect();
    let Some(mine) = all.iter().find(|record| record.key().2 == set.map(String::as_str)) else { return 0.0 };
    if let Some(role) = mine.0.value("Failover") {
        return if role == "PRIMARY" { 1.0 } else { 0.0 };
    }
    let total: u32 = all.iter().filter_map(|record| record.weight()).sum();
    if total == 0 { 1.0 / all.len() as f64 } else { f64::from(mine.weight().unwrap_or(0)) / f64::from(total) }
}

/// Whether health has a say in what the name is answered with.
#[must_use]
pub fn by_health(records: &[Record], name: &str, kind: &str) -> bool {
    under(records, name, kind).any(|r| r.0.value("Failover").is_some() || r.0.value("HealthCheckId").is_some())
}

/// As [`share`], with checks: of failover records the primary answers while it is healthy or nothing is (field
/// guide 5.1); of weighted ones those that are healthy, or all when none is. A record without a check is healthy.
#[must_use]
pub fn share_by_health(
    records: &[Record],
    name: &str,
    kind: &str,
    set: Option<&String>,
    healthy: &dyn Fn(&str) -> bool,
) -> f64 {
    let well = |record: &Record| record.0.value("HealthCheckId").is_none_or(healthy);
    let all: Vec<Record> = under(records, name, kind).cloned().collect();
    if all.iter().any(|record| record.0.value("Failover").is_some()) {
        let role = |primary: bool| all.iter().find(move |r| (r.0.value("Failover") == Some(PRIMARY)) == primary);
        let (primary, secondary) = (role(true), role(false));
        let answers = match (primary, secondary) {
            (Some(primary), Some(secondary)) if !well(primary) && well(secondary) => Some(secondary),
            (Some(primary), _) => Some(primary),
            (None, secondary) => secondary,
        };
        return if answers.is_some_and(|record| record.key().2 == set.map(String::as_str)) { 1.0 } else { 0.0 };
    }
    let healthy: Vec<Record> = all.iter().filter(|record| well(record)).cloned().collect();
    // Weight 0 with health is left out unless nothing else is healthy: as with the weights alone.
    if healthy.is_empty() { share(&all, name, kind, set) } else { share(&healthy, name, kind, set) }
}

/// How long clients hold the answer; `None` for an alias or a name that is not there.
#[must_use]
pub fn ttl(records: &[Record], name: &str, kind: &str) -> Option<Duration> {
    under(records, name, kind).find_map(|record| record.0.value("TTL")?.parse().ok()).map(Duration::from_secs)
}

/// The zone's records after the batch, or why nothing of it was done.
///
/// # Errors
/// `InvalidInput`, `NoSuchHealthCheck`, or `InvalidChangeBatch` with every complaint in one message, as AWS says it.
pub fn apply(
    zone: &str,
    before: &[Record],
    batch: &Element,
    checks: &BTreeMap<String, Check>,
) -> Result<Vec<Record>, Refusal> {
    let input = |message: &str| Refusal::bad("InvalidInput", message);
    if batch.value("Comment").is_some_and(|comment| comment.chars().count() > 256) {
        return Err(input("1 validation error detected: Comment must have length less than or equal to 256"));
    }
    let changes = batch.child("Changes").map(|changes| changes.children.as_slice()).unwrap_or_default();
    if changes.is_empty() {
        return Err(input("1 validation error detected: Changes must have length greater than or equal to 1"));
    }
    let mut records = before.to_vec();
    let mut complaints = Vec::new();
    let mut elements = 0;
    for change in changes {
        let action = change.value("Action").unwrap_or_default();
        let sent = change.child("ResourceRecordSet").ok_or_else(|| input("ResourceRecordSet is missing"))?;
        let record = Record::sent(sent);
        elements += record.values() * if action == "UPSERT" { 2 } else { 1 };
        if !["CREATE", "DELETE", "UPSERT"].contains(&action) {
            return Err(input("Action must satisfy enum value set: [CREATE, DELETE, UPSERT]"));
        }
        check_shape(&record)?;
        if let Some(id) = record.0.value("HealthCheckId")
            && !checks.contains_key(id)
        {
            return Err(Refusal::missing(
                "NoSuchHealthCheck",
                format!("The specified health check {id} does not exist."),
            ));
        }
        let name = record.key().0;
        if name != zone && !name.ends_with(&format!(".{zone}")) {
            complaints.push(format!("RRSet with DNS name {name} is not permitted in zone {zone}"));
            continue;
        }
        let held = records.iter().position(|other| other.key() == record.key());
        match (action, held) {
            ("DELETE", None) => {
                complaints
                    .push(format!("Tried to delete resource record set {} but it was not found", record.describe()));
            }
            ("DELETE", Some(index)) if records[index].same(&record) => {
                records.remove(index);
            }
            ("DELETE", Some(_)) => complaints.push(format!(
                "Tried to delete resource record set {} but the values provided do not match the current values",
                record.describe()
            )),
            ("CREATE", Some(_)) => {
                complaints
                    .push(format!("Tried to create resource record set {} but it already exists", record.describe()));
            }
            (_, Some(index)) => records[index] = record,
            (_, None) => {
                // Documented: simple and other records of one name and type cannot stand beside each other.
                let (name, kind, set) = record.key();
                if under(&records, name, kind).any(|other| other.key().2.is_none() || set.is_none()) {
                    complaints.push(format!(
                        "RRSet with DNS name {name}, type {kind}, SetIdentifier {} cannot be created as other RRSets \
                         exist with the same name and type.",
                        set.unwrap_or("null")
                    ));
                } else {
                    records.push(record);
                }
            }
        }
    }
    complaints.extend(twice_primary(&records));
    if elements > RECORDS_MAX {
        complaints.push(format!("Number of records limit of {RECORDS_MAX} exceeded."));
    }
    if !complaints.is_empty() {
        return Err(Refusal::bad("InvalidChangeBatch", format!("[{}]", complaints.join(", "))));
    }
    sort(&mut records);
    Ok(records)
}

/// *Assumed* wording: one name and type has one primary and one secondary at most.
fn twice_primary(records: &[Record]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut complaints = Vec::new();
    for record in records {
        let Some(role) = record.0.value("Failover") else { continue };
        let (name, kind, _) = record.key();
        if !seen.insert((name, kind, role)) {
            complaints.push(format!("A second {role} failover record cannot be created for {name} {kind}"));
        }
    }
    complaints
}

fn check_shape(record: &Record) -> Result<(), Refusal> {
    let element = &record.0;
    let (name, kind, set) = record.key();
    let number = |field: &str, most: u64| {
        element.value(field).is_none_or(|text| text.parse::<u64>().is_ok_and(|number| number <= most))
    };
    let values = element.child("ResourceRecords").is_some_and(|records| !records.children.is_empty());
    let wrong = if name == "." || kind.is_empty() {
        "a record set needs a Name and a Type"
    } else if element.child("AliasTarget").is_some() == (values || element.child("TTL").is_some()) {
        "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or \
         TrafficPolicyInstanceId], but found none or more than one"
    } else if element.child("AliasTarget").is_none() && !(values && element.child("TTL").is_some()) {
        "Invalid request: Missing field 'TTL' or 'ResourceRecords'"
    } else if !number("Weight", 255) {
        "Weight must be a number from 0 to 255"
    } else if !number("TTL", 2_147_483_647) {
        "TTL must be a number from 0 to 2147483647"
    } else if set.is_none() && (element.child("Weight").is_some() || element.child("Failover").is_some()) {
        "Invalid request: Missing field 'SetIdentifier'"
    } else {
        return Ok(());
    };
    Err(Refusal::bad("InvalidInput", wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(set: &str, weight: u8) -> Record {
        Record::weighted("api.bank.example.", "A", set, weight, Duration::from_secs(30), "192.0.2.1")
    }

    fn batch(changes: &[(&str, &Record)]) -> Element {
        let change = |(action, record): &(&str, &Record)| Element {
            name: "Change".into(),
            children: vec![leaf("Action", *action), record.0.clone()],
            ..Element::default()
        };
        let changes = changes.iter().map(change).collect();
        let changes = Element { name: "Changes".into(), children: changes, ..Element::default() };
        Element { name: "ChangeBatch".into(), children: vec![changes], ..Element::default() }
    }

    fn run(before: &[Record], changes: &[(&str, &Record)]) -> Result<Vec<Record>, String> {
        apply("bank.example.", before, &batch(changes), &BTreeMap::new())
            .map_err(|r| format!("{}: {}", r.code, r.message))
    }

    #[test]
    fn both_weights_move_in_one_batch_or_not_at_all() {
        let before = vec![api("hyd", 0), api("mum", 100)];
        let after = run(&before, &[("UPSERT", &api("mum", 0)), ("UPSERT", &api("hyd", 100))]).unwrap();
        let share = |set: &str| share(&after, "api.bank.example.", "A", Some(&set.to_owned()));
        assert!((share("hyd") - 1.0).abs() < f64::EPSILON && share("mum").abs() < f64::EPSILON);
        let error = run(&before, &[("UPSERT", &api("mum", 0)), ("CREATE", &api("hyd", 100))]).unwrap_err();
        assert!(error.starts_with("InvalidChangeBatch: [Tried to create"), "{error}");
    }

    #[test]
    fn a_delete_must_repeat_every_value_exactly() {
        let before = vec![api("mum", 100)];
        assert!(run(&before, &[("DELETE", &api("mum", 99))]).unwrap_err().contains("do not match the current values"));
        assert!(run(&before, &[("DELETE", &api("che", 99))]).unwrap_err().contains("was not found"));
        assert_eq!(run(&before, &[("DELETE", &api("mum", 100))]), Ok(Vec::new()));
    }

    #[test]
    fn a_record_of_another_zone_a_simple_one_beside_weighted_ones_and_a_half_one_are_refused() {
        let before = vec![api("mum", 100)];
        let elsewhere = Record::weighted("api.other.example.", "A", "x", 1, Duration::ZERO, "192.0.2.9");
        assert!(run(&before, &[("CREATE", &elsewhere)]).unwrap_err().contains("not permitted in zone"));
        let simple = Record::simple("api.bank.example.", "A", Duration::ZERO, &["192.0.2.9"]);
        assert!(run(&before, &[("CREATE", &simple)]).unwrap_err().contains("same name and type"));
        let mut half = api("che", 1);
        half.0.children.retain(|child| child.name != "TTL");
        assert!(run(&before, &[("CREATE", &half)]).unwrap_err().starts_with("InvalidInput"));
    }

    #[test]
    fn all_weights_zero_are_answered_equally() {
        let records = [api("hyd", 0), api("mum", 0)];
        assert!((share(&records, "api.bank.example.", "A", Some(&"mum".to_owned())) - 0.5).abs() < f64::EPSILON);
    }
}
