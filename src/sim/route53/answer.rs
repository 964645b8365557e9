//! restXml of Route 53, version 2013-04-01: which operations there are and what they answer.

use http::StatusCode;

use super::{CHECKERS, Change, Check, Dns, FAILURE_THRESHOLD, PROPAGATION, REQUEST_INTERVAL, Zone, records};
use crate::{
    domain::Timestamp,
    sim::{
        draw,
        gate::Faults,
        rds::answer::Effect,
        service::{Answer, Call},
        wire::{Element, Form, Protocol, Refusal, Xml, decode, respond},
    },
};

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";
/// *Assumed*: how long a change keeps the next one to the same zone waiting.
const IN_FLIGHT: std::time::Duration = std::time::Duration::from_secs(1);
/// Documented: the most items of a page.
const ITEMS_MAX: usize = 100;
const RECORDS_PAGE: usize = 300;

type Answered = Result<Xml, Refusal>;

impl Dns {
    pub fn answer(&mut self, call: &Call, faults: &Faults) -> (Answer, Effect) {
        let path = call.request.uri().path().to_owned();
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let form = Form::query(call.request);
        let mut effect = Effect::None;
        let answered = match (call.request.method().as_str(), parts.as_slice()) {
            ("GET", ["2013-04-01", "hostedzone"]) => self.list_zones(&form),
            ("GET", ["2013-04-01", "hostedzonesbyname"]) => Ok(self.list_zones_by_name(&form)),
            ("GET", ["2013-04-01", "hostedzone", id]) => self.get_zone(id),
            ("GET", ["2013-04-01", "hostedzone", id, "rrset"]) => self.list_records(id, &form, call.now),
            ("POST", ["2013-04-01", "hostedzone", id, "rrset"]) => {
                let changed = self.change_records(id, call);
                effect = if changed.is_ok() { Effect::Changed } else { Effect::None };
                changed
            }
            ("GET", ["2013-04-01", "change", id] | ["2013-04-01", "change", "change", id]) => {
                self.get_change(id, call.now)
            }
            ("GET", ["2013-04-01", "healthcheck"]) => self.list_checks(&form, call.now),
            ("GET", ["2013-04-01", "healthcheck", id]) => self.get_check(id, call.now),
            ("POST", ["2013-04-01", "healthcheck", id]) => {
                let updated = self.update_check(id, call).map(|check| {
                    let mut xml = Xml::new();
                    xml.open_root("UpdateHealthCheckResponse", NAMESPACE);
                    write_check(&mut xml, check, call.now);
                    xml.close();
                    xml
                });
                effect = if updated.is_ok() { Effect::Changed } else { Effect::None };
                updated
            }
            ("GET", ["2013-04-01", "healthcheck", id, "status"]) => self.check_status(id, call.now, faults),
            (method, _) => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "UnknownOperationException",
                format!("{method} {path} is not simulated"),
            )),
        };
        let answer = match answered {
            Ok(xml) => respond(StatusCode::OK, "text/xml", xml.finish()),
            Err(refusal) => refusal.answer(Protocol::RestXml, call.request_id),
        };
        (answer, effect)
    }

    fn zone(&self, id: &str) -> Result<&Zone, Refusal> {
        let missing = || Refusal::missing("NoSuchHostedZone", format!("No hosted zone found with ID: {id}"));
        self.zones.get(id).ok_or_else(missing)
    }

    fn check(&self, id: &str) -> Result<&Check, Refusal> {
        let missing = || Refusal::missing("NoSuchHealthCheck", format!("A health check with id {id} does not exist."));
        self.checks.get(id).ok_or_else(missing)
    }

    fn list_zones(&self, form: &Form) -> Answered {
        let page = page(form, self.zones.values().collect(), |zone| zone.id.as_str())?;
        let mut xml = Xml::new();
        xml.open_root("ListHostedZonesResponse", NAMESPACE).open("HostedZones");
        for zone in &page.items {
            write_zone(&mut xml, zone);
        }
        xml.close();
        page.finish(&mut xml, form);
        Ok(xml)
    }

    fn list_zones_by_name(&self, form: &Form) -> Xml {
        let from = form.get("dnsname").map(records::canonical).unwrap_or_default();
        let mut zones: Vec<&Zone> = self.zones.values().filter(|zone| zone.name >= from).collect();
        zones.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        let mut xml = Xml::new();
        xml.open_root("ListHostedZonesByNameResponse", NAMESPACE).open("HostedZones");
        for zone in zones {
            write_zone(&mut xml, zone);
        }
        xml.close()
            .maybe("DNSName", form.get("dnsname"))
            .text("IsTruncated", "false")
            .show("MaxItems", ITEMS_MAX)
            .close();
        xml
    }

    fn get_zone(&self, id: &str) -> Answered {
        let zone = self.zone(id)?;
        let mut xml = Xml::new();
        xml.open_root("GetHostedZoneResponse", NAMESPACE);
        write_zone(&mut xml, zone);
        xml.open("DelegationSet").open("NameServers");
        xml.text("NameServer", "ns-1.awsdns-01.example").text("NameServer", "ns-2.awsdns-02.example");
        xml.close().close().close();
        Ok(xml)
    }

    /// Documented: paging by the triple of name, type and set identifier (field guide 5.1).
    fn list_records(&self, id: &str, form: &Form, at: Timestamp) -> Answered {
        let zone = self.zone(id)?;
        let most = items_max(form, RECORDS_PAGE)?;
        let name = form.get("name").map(records::canonical);
        let from = (name.as_deref().unwrap_or(""), form.get("type").unwrap_or(""), form.get("identifier"));
        if name.is_none() && !from.1.is_empty() {
            return Err(Refusal::bad("InvalidInput", "The input is not valid: type without name"));
        }
        let begins = |record: &&records::Record| name.is_none() || records::order(record.key(), from).is_ge();
        let mut rest = zone.records_at(at).iter().filter(begins);
        let mut xml = Xml::new();
        xml.open_root("ListResourceRecordSetsResponse", NAMESPACE).open("ResourceRecordSets");
        for record in rest.by_ref().take(most) {
            write_element(&mut xml, record.element());
        }
        xml.close();
        let next = rest.next();
        xml.show("IsTruncated", next.is_some());
        if let Some(next) = next {
            let (name, kind, set) = next.key();
            xml.text("NextRecordName", name).text("NextRecordType", kind).maybe("NextRecordIdentifier", set);
        }
        xml.show("MaxItems", most).close();
        Ok(xml)
    }

    fn change_records(&mut self, id: &str, call: &Call) -> Answered {
        let zone = self.zone(id)?;
        let malformed = || Refusal::bad("MalformedXML", "The XML you provided was not well-formed");
        let root = Element::parse(call.request.body()).ok_or_else(malformed)?;
        let batch = root.child("ChangeBatch").filter(|_| root.name == "ChangeResourceRecordSetsRequest");
        let batch = batch.ok_or_else(malformed)?;
        if zone.changes.last().is_some_and(|last| call.now.since(last.submitted) < IN_FLIGHT) {
            return Err(Refusal::bad(
                "PriorRequestNotComplete",
                "The request was rejected because Route 53 was still processing a prior request.",
            ));
        }
        let after = records::apply(&zone.name, zone.records(), batch, &self.checks)?;
        let nth = zone.changes.len();
        let change = Change {
            id: format!("C{}", draw::token(self.seed, &format!("change {id} {nth}"), 20)),
            comment: batch.value("Comment").map(str::to_owned),
            submitted: call.now,
            in_sync: call.now + draw::between(self.seed, &format!("sync {id} {nth}"), PROPAGATION.0, PROPAGATION.1),
            after,
        };
        let mut xml = Xml::new();
        xml.open_root("ChangeResourceRecordSetsResponse", NAMESPACE);
        write_change(&mut xml, &change, call.now);
        xml.close();
        if let Some(zone) = self.zones.get_mut(id) {
            zone.changes.push(change);
        }
        Ok(xml)
    }

    fn get_change(&self, id: &str, now: Timestamp) -> Answered {
        let known = |change: &&Change| change.id == id && change.submitted <= now;
        let change = self.zones.values().flat_map(|zone| &zone.changes).find(known);
        let change =
            change.ok_or_else(|| Refusal::missing("NoSuchChange", format!("Could not find resource with ID: {id}")))?;
        let mut xml = Xml::new();
        xml.open_root("GetChangeResponse", NAMESPACE);
        write_change(&mut xml, change, now);
        xml.close();
        Ok(xml)
    }

    fn list_checks(&self, form: &Form, now: Timestamp) -> Answered {
        let page = page(form, self.checks.values().collect(), |check| check.id.as_str())?;
        let mut xml = Xml::new();
        xml.open_root("ListHealthChecksResponse", NAMESPACE).open("HealthChecks");
        for check in &page.items {
            write_check(&mut xml, check, now);
        }
        xml.close();
        page.finish(&mut xml, form);
        Ok(xml)
    }

    fn get_check(&self, id: &str, now: Timestamp) -> Answered {
        let check = self.check(id)?;
        let mut xml = Xml::new();
        xml.open_root("GetHealthCheckResponse", NAMESPACE);
        write_check(&mut xml, check, now);
        xml.close();
        Ok(xml)
    }

    fn check_status(&self, id: &str, now: Timestamp, faults: &Faults) -> Answered {
        let check = self.check(id)?;
        let mut xml = Xml::new();
        xml.open_root("GetHealthCheckStatusResponse", NAMESPACE).open("HealthCheckObservations");
        for checker in 0..CHECKERS.len() * 2 {
            let (healthy, checked) = self.seen_healthy(check, checker, now, faults);
            xml.open("HealthCheckObservation");
            xml.text("Region", CHECKERS[checker / 2]).text("IPAddress", format!("203.0.113.{}", checker + 10));
            xml.open("StatusReport");
            // Documented: the status is prose (field guide 5.2).
            let prose = if healthy {
                "Success: HTTP Status Code 200, OK"
            } else {
                "Failure: The endpoint did not respond within the timeout limit."
            };
            xml.text("Status", prose).text("CheckedTime", checked.rfc3339()).close().close();
        }
        xml.close().close();
        Ok(xml)
    }
}

fn write_zone(xml: &mut Xml, zone: &Zone) {
    xml.open("HostedZone");
    xml.text("Id", format!("/hostedzone/{}", zone.id))
        .text("Name", &zone.name)
        .text("CallerReference", format!("simulated-{}", zone.id))
        .open("Config");
    xml.text("Comment", "simulated").text("PrivateZone", "false").close();
    xml.show("ResourceRecordSetCount", zone.records().len()).close();
}

fn write_change(xml: &mut Xml, change: &Change, now: Timestamp) {
    xml.open("ChangeInfo");
    xml.text("Id", format!("/change/{}", change.id))
        .text("Status", if now >= change.in_sync { "INSYNC" } else { "PENDING" })
        .text("SubmittedAt", change.submitted.rfc3339())
        .maybe("Comment", change.comment.as_deref())
        .close();
}

fn write_check(xml: &mut Xml, check: &Check, now: Timestamp) {
    let (inverted, disabled) = check.switches(now);
    xml.open("HealthCheck");
    xml.text("Id", &check.id).text("CallerReference", format!("simulated-{}", check.id)).open("HealthCheckConfig");
    xml.show("Port", 443)
        .text("Type", "HTTPS")
        .text("ResourcePath", "/health")
        .text("FullyQualifiedDomainName", &check.host)
        .show("RequestInterval", REQUEST_INTERVAL.as_secs())
        .show("FailureThreshold", FAILURE_THRESHOLD)
        .text("MeasureLatency", "false")
        .show("Inverted", inverted)
        .show("Disabled", disabled)
        .text("EnableSNI", "true")
        .close();
    xml.show("HealthCheckVersion", check.version()).close();
}

fn write_element(xml: &mut Xml, element: &Element) {
    if element.children.is_empty() {
        xml.text(&element.name, &element.text);
        return;
    }
    xml.open(&element.name);
    for child in &element.children {
        write_element(xml, child);
    }
    xml.close();
}

struct Page<'a, T> {
    items: Vec<&'a T>,
    next: Option<String>,
    most: usize,
}

fn items_max(form: &Form, default: usize) -> Result<usize, Refusal> {
    let Some(text) = form.get("maxitems") else { return Ok(default) };
    let number = text.parse::<usize>().ok().filter(|number| *number > 0);
    number.map(|number| number.min(default)).ok_or_else(|| {
        Refusal::bad("InvalidInput", format!("1 validation error detected: Value '{text}' at 'maxItems' is not valid"))
    })
}

/// Documented: `NextMarker` is the first item of the next page.
fn page<'a, T>(form: &Form, mut items: Vec<&'a T>, id: impl Fn(&T) -> &str) -> Result<Page<'a, T>, Refusal> {
    let most = items_max(form, ITEMS_MAX)?;
    if let Some(marker) = form.get("marker") {
        items.retain(|item| id(item) >= marker);
    }
    let next = items.get(most).map(|item| id(item).to_owned());
    items.truncate(most);
    Ok(Page { items, next, most })
}

impl<T> Page<'_, T> {
    fn finish(&self, xml: &mut Xml, form: &Form) {
        xml.text("Marker", form.get("marker").unwrap_or_default())
            .show("IsTruncated", self.next.is_some())
            .maybe("NextMarker", self.next.as_deref())
            .show("MaxItems", self.most)
            .close();
    }
}
