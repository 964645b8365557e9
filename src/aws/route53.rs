//! Route 53 (field guide section 5). The control plane is in us-east-1, five requests a second per account.
//!
//! Reading and changing goes through it; answering customers does not. An UPSERT replaces a whole set, so record
//! sets are kept whole here.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_route53::types::{
    AliasTarget as WireAlias, Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet,
    ResourceRecordSetFailover, RrType,
};

use super::{
    connection::ServiceClients,
    convert::{safe, time},
    error::CallError,
    operation::{Accepted, Answered, PAGES_MAX, ReadOp, Site, WriteOp, pages},
    write::WritingClients,
};
use crate::domain::{
    CallDescription, Hazard, RegionId,
    region::GLOBAL_CONTROL_PLANE,
    resource::{AliasTarget, DnsChange, HealthCheck, RecordSet, Routing},
    text::SafeText,
};

fn global() -> RegionId {
    RegionId::new(GLOBAL_CONTROL_PLANE)
}

fn reading(operation: &'static str) -> Site {
    Site::reading("route53", operation, &global())
}

/// Record names without the trailing dot, and with `*` as itself (Route 53 answers `\052`).
fn plain_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).replace("\\052", "*").to_ascii_lowercase()
}

/// A hosted zone as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedZone {
    /// Without `/hostedzone/`.
    pub id: SafeText,
    pub name: SafeText,
    pub private: bool,
    pub records: Option<u64>,
}

/// All hosted zones of the account.
#[derive(Clone, Copy, Debug)]
pub struct ListHostedZones;

impl ReadOp for ListHostedZones {
    type Output = Vec<HostedZone>;

    fn describe(&self) -> CallDescription {
        reading("ListHostedZones").describe(Vec::new(), &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<HostedZone>>, CallError> {
        let route53 = &clients.region(&global())?.route53;
        let request = route53.list_hosted_zones();
        let ask = |marker| request.clone().set_marker(marker).send();
        pages(clients, &reading("ListHostedZones"), ask, |page| {
            let zone = |raw: &aws_sdk_route53::types::HostedZone| HostedZone {
                id: SafeText::new(raw.id().trim_start_matches("/hostedzone/")),
                name: SafeText::new(plain_name(raw.name())),
                private: raw.config().is_some_and(aws_sdk_route53::types::HostedZoneConfig::private_zone),
                records: raw.resource_record_set_count().and_then(|n| u64::try_from(n).ok()),
            };
            let items = page.hosted_zones().iter().map(zone).collect();
            let next = if page.is_truncated { page.next_marker } else { None };
            (items, next)
        })
        .await
    }
}

/// The record sets of a zone: all, or those of one name, or of one name and type.
#[derive(Clone, Debug)]
pub struct ListResourceRecordSets {
    /// Without `/hostedzone/`.
    pub zone: String,
    /// Without the trailing dot.
    pub name: Option<String>,
    /// `A`, `CNAME`, …; needs a name.
    pub kind: Option<String>,
}

impl ReadOp for ListResourceRecordSets {
    type Output = Vec<RecordSet>;

    fn describe(&self) -> CallDescription {
        let params = vec![
            ("HostedZoneId", Some(self.zone.clone())),
            ("StartRecordName", self.name.clone()),
            ("StartRecordType", self.kind.clone()),
        ];
        reading("ListResourceRecordSets").describe(params, &[])
    }

    /// By hand: the SDK has no paginator for the triple of name, type and identifier (field guide 5.1). AWS starts
    /// at the name and goes on to the end of the zone: reading stops at the first set beyond what was asked.
    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<RecordSet>>, CallError> {
        let (site, route53) = (reading("ListResourceRecordSets"), &clients.region(&global())?.route53);
        let wanted = self.name.as_deref().map(plain_name);
        let kind = self.kind.as_deref();
        let mut start = (self.name.clone(), kind.map(RrType::from), None);
        let mut all = Vec::new();
        let mut request_id = None;
        for _ in 0..PAGES_MAX {
            let request = route53
                .list_resource_record_sets()
                .hosted_zone_id(&self.zone)
                .set_start_record_name(start.0.clone())
                .set_start_record_type(start.1.clone())
                .set_start_record_identifier(start.2.clone())
                .max_items(300);
            let (output, id) = clients.call(&site, 0, request.send()).await?;
            request_id = id.or(request_id);
            let mut beyond = false;
            for set in output.resource_record_sets().iter().map(record_set) {
                if wanted.as_ref().is_some_and(|name| *name != set.name) {
                    beyond = true;
                } else if kind.is_none_or(|kind| kind == set.kind) {
                    all.push(set);
                }
            }
            let next = (output.next_record_name, output.next_record_type, output.next_record_identifier);
            if !output.is_truncated || beyond {
                return Ok(Answered { value: all, request_id, truncated: false });
            }
            if next == start {
                break;
            }
            start = next;
        }
        Ok(Answered { value: all, request_id, truncated: true })
    }
}

fn record_set(raw: &ResourceRecordSet) -> RecordSet {
    let other = |word: &str| Routing::Other(SafeText::new(word));
    let routing = if let Some(weight) = raw.weight() {
        u8::try_from(weight).map_or_else(|_| other("weighted"), |weight| Routing::Weighted { weight })
    } else if let Some(failover) = raw.failover() {
        match failover {
            ResourceRecordSetFailover::Primary => Routing::Failover { primary: true },
            ResourceRecordSetFailover::Secondary => Routing::Failover { primary: false },
            unknown => other(unknown.as_str()),
        }
    } else if raw.region().is_some() {
        other("latency")
    } else if raw.geo_location().is_some() {
        other("geolocation")
    } else if raw.geo_proximity_location().is_some() {
        other("geoproximity")
    } else if raw.cidr_routing_config().is_some() {
        other("cidr")
    } else if raw.multi_value_answer() == Some(true) {
        other("multivalue")
    } else if raw.traffic_policy_instance_id().is_some() {
        other("traffic policy")
    } else {
        Routing::Simple
    };
    RecordSet {
        name: plain_name(raw.name()),
        kind: raw.r#type().as_str().to_owned(),
        set_identifier: raw.set_identifier().map(str::to_owned),
        routing,
        ttl: raw.ttl().and_then(|secs| u64::try_from(secs).ok()).map(Duration::from_secs),
        values: raw.resource_records().iter().map(|record| record.value().to_owned()).collect(),
        alias: raw.alias_target().map(|alias| AliasTarget {
            zone: alias.hosted_zone_id().to_owned(),
            dns_name: alias.dns_name().to_owned(),
            evaluate_health: alias.evaluate_target_health(),
        }),
        health_check: raw.health_check_id().map(str::to_owned),
    }
}

/// Whether a change has reached all authoritative servers.
#[derive(Clone, Debug)]
pub struct GetChange {
    /// Without `/change/`.
    pub id: String,
}

impl ReadOp for GetChange {
    type Output = DnsChange;

    fn describe(&self) -> CallDescription {
        reading("GetChange").describe(vec![("Id", Some(self.id.clone()))], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<DnsChange>, CallError> {
        let route53 = &clients.region(&global())?.route53;
        let request = route53.get_change().id(&self.id);
        let (output, request_id) = clients.call(&reading("GetChange"), 0, request.send()).await?;
        let Some(info) = output.change_info() else {
            return Err(CallError::bad_answer("GetChange without ChangeInfo"));
        };
        let change = DnsChange {
            id: SafeText::new(info.id().trim_start_matches("/change/")),
            in_sync: *info.status() == ChangeStatus::Insync,
            submitted: time(info.submitted_at()),
        };
        Ok(Answered { value: change, request_id, truncated: false })
    }
}

/// All health checks of the account, as configured; what checkers see is [`GetHealthCheckStatus`].
#[derive(Clone, Copy, Debug)]
pub struct ListHealthChecks;

impl ReadOp for ListHealthChecks {
    type Output = Vec<HealthCheck>;

    fn describe(&self) -> CallDescription {
        reading("ListHealthChecks").describe(Vec::new(), &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<HealthCheck>>, CallError> {
        let route53 = &clients.region(&global())?.route53;
        let request = route53.list_health_checks();
        let ask = |marker| request.clone().set_marker(marker).send();
        pages(clients, &reading("ListHealthChecks"), ask, |page| {
            let items = page.health_checks().iter().map(health_check).collect();
            let next = if page.is_truncated { page.next_marker } else { None };
            (items, next)
        })
        .await
    }
}

fn health_check(raw: &aws_sdk_route53::types::HealthCheck) -> HealthCheck {
    let config = raw.health_check_config();
    HealthCheck {
        id: SafeText::new(raw.id()),
        kind: safe(config.map(|config| config.r#type().as_str())),
        healthy_percent: None,
        disabled: config.and_then(aws_sdk_route53::types::HealthCheckConfig::disabled).unwrap_or(false),
        inverted: config.and_then(aws_sdk_route53::types::HealthCheckConfig::inverted).unwrap_or(false),
        last_failure: None,
    }
}

/// One health check: `GetHealthCheck`, then `GetHealthCheckStatus` where that exists. For calculated and
/// CloudWatch checks there are no checkers to ask (field guide 5.2): `healthy_percent` stays `None`.
#[derive(Clone, Debug)]
pub struct GetHealthCheck {
    pub id: String,
}

impl ReadOp for GetHealthCheck {
    type Output = HealthCheck;

    fn describe(&self) -> CallDescription {
        reading("GetHealthCheck").describe(
            vec![("HealthCheckId", Some(self.id.clone()))],
            &["route53:GetHealthCheck", "route53:GetHealthCheckStatus"],
        )
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<HealthCheck>, CallError> {
        let route53 = &clients.region(&global())?.route53;
        let request = route53.get_health_check().health_check_id(&self.id);
        let (output, request_id) = clients.call(&reading("GetHealthCheck"), 0, request.send()).await?;
        let Some(raw) = output.health_check() else {
            return Err(CallError::bad_answer("GetHealthCheck without HealthCheck"));
        };
        let mut check = health_check(raw);
        if matches!(check.kind.as_str(), "CALCULATED" | "CLOUDWATCH_METRIC" | "RECOVERY_CONTROL") {
            return Ok(Answered { value: check, request_id, truncated: false });
        }
        let request = route53.get_health_check_status().health_check_id(&self.id);
        let (output, request_id) = clients.call(&reading("GetHealthCheckStatus"), 0, request.send()).await?;
        let reports = output.health_check_observations().iter().filter_map(|seen| seen.status_report()?.status());
        // Prose: "Success: HTTP Status Code 200, OK" (field guide 5.2). Anything else is not a success.
        let (good, bad): (Vec<&str>, Vec<&str>) = reports.partition(|report| report.starts_with("Success"));
        let total = good.len() + bad.len();
        check.healthy_percent = (total > 0).then(|| u8::try_from(good.len() * 100 / total).unwrap_or(100));
        check.last_failure = bad.first().map(SafeText::new);
        Ok(Answered { value: check, request_id, truncated: false })
    }
}

/// What to do with one record set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordAction {
    Create,
    /// Must repeat every value exactly.
    Delete,
    /// Replaces the whole set.
    Upsert,
}

impl RecordAction {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Delete => "DELETE",
            Self::Upsert => "UPSERT",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    pub action: RecordAction,
    pub set: RecordSet,
}

/// Changes record sets of one zone: all of them or none. DELETE of the old set with CREATE of the new one in one
/// batch is a compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRecordSets {
    pub zone: String,
    /// Kept by AWS in us-east-1: no customer data. 256 characters at most.
    pub comment: String,
    pub changes: Vec<RecordChange>,
}

impl ChangeRecordSets {
    fn site() -> Site {
        Site::writing("route53", "ChangeResourceRecordSets", &global(), Hazard::Disruptive)
    }
}

#[async_trait]
impl WriteOp for ChangeRecordSets {
    fn describe(&self) -> CallDescription {
        let mut description = Self::site().describe(vec![("HostedZoneId", Some(self.zone.clone()))], &[]);
        description.params.push(("Comment".to_owned(), SafeText::new(&self.comment)));
        for change in &self.changes {
            description.params.push((change.action.word().to_owned(), SafeText::new(in_words(&change.set))));
        }
        description
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let changes: Result<Vec<Change>, CallError> = self.changes.iter().map(wire_change).collect();
        let batch = ChangeBatch::builder()
            .comment(self.comment.chars().take(256).collect::<String>())
            .set_changes(Some(changes?))
            .build()
            .map_err(|error| CallError::not_sent(error.to_string()))?;
        let route53 = &clients.region(&global())?.route53;
        let request = route53.change_resource_record_sets().hosted_zone_id(&self.zone).change_batch(batch);
        let (output, request_id) =
            clients.call(&Self::site(), |mark| request.customize().interceptor(mark).send()).await?;
        let id = output.change_info().map(|info| info.id().trim_start_matches("/change/"));
        Ok(Accepted { request_id, detail: safe(id) })
    }
}

/// `pay.bank.example A mumbai weight 100 ttl 60 s -> 192.0.2.1`
fn in_words(set: &RecordSet) -> String {
    let mut words = vec![set.name.clone(), set.kind.clone()];
    words.extend(set.set_identifier.clone());
    match &set.routing {
        Routing::Simple => {}
        Routing::Weighted { weight } => words.push(format!("weight {weight}")),
        Routing::Failover { primary: true } => words.push("failover PRIMARY".to_owned()),
        Routing::Failover { primary: false } => words.push("failover SECONDARY".to_owned()),
        Routing::Other(word) => words.push(word.to_string()),
    }
    words.extend(set.ttl.map(|ttl| format!("ttl {} s", ttl.as_secs())));
    words.extend(set.health_check.as_ref().map(|check| format!("health check {check}")));
    words.push("->".to_owned());
    words.push(match &set.alias {
        Some(alias) => format!("alias {}", alias.dns_name),
        None => set.values.join(", "),
    });
    words.join(" ")
}

fn wire_change(change: &RecordChange) -> Result<Change, CallError> {
    let broken = |error: &dyn std::error::Error| CallError::not_sent(error.to_string());
    let set = &change.set;
    let mut builder = ResourceRecordSet::builder()
        .name(&set.name)
        .r#type(RrType::from(set.kind.as_str()))
        .set_set_identifier(set.set_identifier.clone())
        .set_ttl(set.ttl.map(|ttl| i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)))
        .set_health_check_id(set.health_check.clone());
    builder = match &set.routing {
        Routing::Simple => builder,
        Routing::Weighted { weight } => builder.weight(i64::from(*weight)),
        Routing::Failover { primary: true } => builder.failover(ResourceRecordSetFailover::Primary),
        Routing::Failover { primary: false } => builder.failover(ResourceRecordSetFailover::Secondary),
        // It carries more than we keep: sending it would lose what we do not know.
        Routing::Other(word) => {
            return Err(CallError::not_sent(format!("{}: {word} records are shown, never changed", set.name)));
        }
    };
    for value in &set.values {
        builder = builder.resource_records(ResourceRecord::builder().value(value).build().map_err(|e| broken(&e))?);
    }
    if let Some(alias) = &set.alias {
        let alias = WireAlias::builder()
            .hosted_zone_id(&alias.zone)
            .dns_name(&alias.dns_name)
            .evaluate_target_health(alias.evaluate_health)
            .build()
            .map_err(|e| broken(&e))?;
        builder = builder.alias_target(alias);
    }
    let action = match change.action {
        RecordAction::Create => ChangeAction::Create,
        RecordAction::Delete => ChangeAction::Delete,
        RecordAction::Upsert => ChangeAction::Upsert,
    };
    let set = builder.build().map_err(|e| broken(&e))?;
    Change::builder().action(action).resource_record_set(set).build().map_err(|e| broken(&e))
}
