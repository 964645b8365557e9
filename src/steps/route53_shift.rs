//! Sends the customers of one DNS name to one side, in one batch: weighted records become 100 and 0, of failover
//! records the side's becomes the primary.
//!
//! UPSERT replaces a whole record set, so each is read first and written back with nothing but its weight
//! changed (field guide 5.1). Failover records change roles by deleting both and creating both: never two primaries
//! on the way, and refused whole if anybody changed them since they were read. Which of them answers is still for
//! their health checks to say. Goes through us-east-1, whatever Region is left.

use std::time::Duration;

use async_trait::async_trait;

use super::kind::{Conduct, Eyes, MutatingStep, Observed, Prepared, StepContext, StepKind, param, why};
use crate::{
    aws::{
        Reader, WriteOp,
        route53::{self, RecordAction, RecordChange},
    },
    domain::{
        CallDescription, Component, Hazard, Side,
        kind::{ParamShape, ParamSpec},
        resource::{RecordSet, Routing},
        text::SafeText,
        time,
    },
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "route53.shift",
    title: "shift DNS",
    hazard: Hazard::Disruptive,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["route53-record"], required: true },
        StepParamSpec::Value(ParamSpec {
            name: "target",
            shape: ParamShape::Side,
            required: true,
            doc: "The side that gets all customers.",
        }),
    ],
    undo: "the same step to the other side",
    mutating: Mutating::Yes,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(5),
    default_expect: Duration::from_secs(45),
};

/// Weights of the side that customers go to, and of the other.
const ALL: u8 = 100;
const NONE: u8 = 0;

/// Between the name of a failover record and its role, in the words of a call.
const ROLE: &str = " failover ";

pub struct Shift;

/// Both records of the name with the weights that the step wants, everything else as it stands.
fn wanted(component: &Component, sets: &[RecordSet], target: Side) -> Result<Vec<RecordSet>, SafeText> {
    let kind = component.params.text("type").unwrap_or("A");
    let name = component.params.text("name").unwrap_or_default().trim_end_matches('.');
    let mut changed = Vec::new();
    for side in Side::BOTH {
        let id = component
            .params
            .side_text("sides", side)
            .ok_or_else(|| SafeText::new(format!("{} names no record on the {} side", component.id, side.word())))?;
        let found = sets.iter().find(|set| {
            set.set_identifier.as_deref() == Some(id) && set.kind == kind && set.name.eq_ignore_ascii_case(name)
        });
        let mut set = found.ok_or_else(|| SafeText::new(format!("{name} {kind} has no record {id}")))?.clone();
        match &mut set.routing {
            Routing::Weighted { weight } => *weight = if side == target { ALL } else { NONE },
            Routing::Failover { primary } => *primary = side == target,
            Routing::Simple | Routing::Other(_) => {
                let text = format!("{name} {kind} {id} is neither a weighted nor a failover record: it is not changed");
                return Err(SafeText::new(text));
            }
        }
        changed.push(set);
    }
    let failover = changed.iter().filter(|set| by_health(set)).count();
    if failover != 0 && failover != changed.len() {
        return Err(SafeText::new(format!("{name} {kind} mixes weighted and failover records")));
    }
    Ok(changed)
}

const fn by_health(set: &RecordSet) -> bool {
    matches!(set.routing, Routing::Failover { .. })
}

/// Every set as it stands is deleted before any is created: the order in which AWS would otherwise see two primaries.
fn changes(sets: &[RecordSet], wanted: &[RecordSet]) -> Vec<RecordChange> {
    let change = |action, set: &RecordSet| RecordChange { action, set: set.clone() };
    if !wanted.iter().any(by_health) {
        return wanted.iter().map(|set| change(RecordAction::Upsert, set)).collect();
    }
    let same =
        |a: &RecordSet, b: &RecordSet| a.kind == b.kind && a.name == b.name && a.set_identifier == b.set_identifier;
    let old = sets.iter().filter(|set| wanted.iter().any(|new| same(set, new)));
    let deleted = old.map(|set| change(RecordAction::Delete, set));
    deleted.chain(wanted.iter().map(|set| change(RecordAction::Create, set))).collect()
}

fn call(
    about: &StepContext<'_>,
    component: &Component,
    sets: &[RecordSet],
) -> Result<route53::ChangeRecordSets, SafeText> {
    let target = about.target();
    let zone = component.params.text("zone").ok_or_else(|| SafeText::new("no zone"))?;
    let changes = changes(sets, &wanted(component, sets, target)?);
    let comment = format!("pointsman: {} to {}", component.id, about.facts.region(target));
    Ok(route53::ChangeRecordSets { zone: zone.to_owned(), comment, changes })
}

/// As a plan shows it: an earlier step of the same run may have changed the roles that the records have by then, so
/// which role a deletion finds is left open. What is created in their place is not.
fn shown(mut call: CallDescription) -> CallDescription {
    for (action, set) in &mut call.params {
        if *action == RecordAction::Delete.word()
            && let Some((name, _)) = set.split_once(ROLE)
        {
            *set = SafeText::new(format!("{name}{ROLE}*"));
        }
    }
    call
}

async fn read(component: &Component, reader: &Reader) -> Result<Vec<RecordSet>, SafeText> {
    let op = route53::ListResourceRecordSets {
        zone: component.params.text("zone").unwrap_or_default().to_owned(),
        name: component.params.text("name").map(str::to_owned),
        kind: Some(component.params.text("type").unwrap_or("A").to_owned()),
    };
    reader.read(&op).await.map(|answer| answer.value).map_err(|error| why(&error))
}

impl StepKind for Shift {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let calls = about.component().and_then(|component| {
            let (sets, _) = about
                .facts
                // With the control plane in us-east-1 impaired the promotion before it must not wait: the change is
                // planned by what was last seen, and sent only if the records read then still give that call.
                .last_records(&component.id)
                .ok_or_else(|| SafeText::new(format!("the records of {} were never read", component.id)))?;
            Ok(vec![shown(call(about, component, sets)?.describe())])
        });
        let city = about.facts.city(about.target());
        Outline {
            calls,
            summary: SafeText::new(format!(
                "route53 ChangeResourceRecordSets: all customers to {city} (us-east-1, control plane)"
            )),
            done_when: SafeText::new("Route 53 says INSYNC; resolvers hold the old answer for the TTL"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for Shift {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let component = match about.component() {
            Ok(component) => component,
            Err(why) => return Prepared::NotNow(why),
        };
        let sets = match read(component, eyes.reader).await {
            Ok(sets) => sets,
            Err(why) => return Prepared::NotNow(why),
        };
        match (wanted(component, &sets, about.target()), call(about, component, &sets)) {
            (Err(why), _) | (_, Err(why)) => Prepared::NotNow(why),
            (Ok(wanted), Ok(_)) if wanted.iter().all(|set| sets.contains(set)) => {
                Prepared::AlreadyDone(SafeText::new("the records are so already"))
            }
            (Ok(_), Ok(call)) => Prepared::Send(Box::new(call)),
        }
    }

    async fn observe(
        &self,
        about: &StepContext<'_>,
        sent: &CallDescription,
        accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        if let Some(id) = accepted.filter(|id| !id.is_empty()) {
            return match eyes.reader.read(&route53::GetChange { id: id.to_owned() }).await {
                Err(error) => Observed::Unclear(why(&error)),
                Ok(answer) if answer.value.in_sync => Observed::Done(SafeText::new(format!("INSYNC{}", held(about)))),
                Ok(_) => Observed::InProgress(SafeText::new(format!("change {id} is PENDING"))),
            };
        }
        // The answer was lost, and with it the id of the change: the records themselves say what became of it.
        let component = match about.component() {
            Ok(component) => component,
            Err(why) => return Observed::Unclear(why),
        };
        match read(component, eyes.reader).await.and_then(|sets| Ok((wanted(component, &sets, about.target())?, sets)))
        {
            Err(why) => Observed::Unclear(why),
            Ok((wanted, sets)) if wanted.iter().all(|set| sets.contains(set)) => {
                Observed::Done(SafeText::new(format!(
                    "the records of zone {} are as sent; the change's id was lost, INSYNC was not seen{}",
                    param(sent, "HostedZoneId").unwrap_or("?"),
                    held(about)
                )))
            }
            Ok(_) => Observed::NotDone(SafeText::new("the records are not as sent")),
        }
    }
}

/// INSYNC is not the end: resolvers keep what they have (field guide 5.1).
fn held(about: &StepContext<'_>) -> String {
    let ttl = about.component().ok().and_then(|component| component.params.duration("ttl"));
    ttl.map_or_else(String::new, |ttl| format!("; resolvers may hold the old answer for {}", time::short(ttl)))
}

#[cfg(test)]
mod tests {
    use super::{super::kind::covers, *};

    fn set(id: &str, routing: Routing) -> RecordSet {
        RecordSet {
            name: "api.bank.example".into(),
            kind: "A".into(),
            set_identifier: Some(id.into()),
            routing,
            ttl: Some(Duration::from_secs(60)),
            values: vec!["192.0.2.1".into()],
            alias: None,
            health_check: Some("hc".into()),
        }
    }

    fn described(sets: &[RecordSet], wanted: &[RecordSet]) -> CallDescription {
        let changes = changes(sets, wanted);
        route53::ChangeRecordSets { zone: "Z".into(), comment: "c".into(), changes }.describe()
    }

    #[test]
    fn a_second_shift_of_failover_records_is_what_was_planned_although_the_first_changed_their_roles() {
        let roles = |mumbai: bool| {
            let primary = |primary| Routing::Failover { primary };
            vec![set("mumbai", primary(mumbai)), set("hyderabad", primary(!mumbai))]
        };
        let (home, away) = (roles(true), roles(false));
        // Planned while Mumbai is the primary, as the way home after the way out.
        let planned = shown(described(&home, &home));
        assert!(covers(&planned, &described(&away, &home)), "{planned}");
        assert!(!covers(&planned, &described(&home, &away)), "the other way is not what was confirmed");
        let mut moved = home.clone();
        moved[0].values = vec!["203.0.113.9".into()];
        assert!(!covers(&planned, &described(&away, &moved)), "another answer is not either");
    }

    #[test]
    fn failover_records_change_roles_with_no_moment_of_two_primaries_and_weights_by_upsert() {
        let primary = |primary| Routing::Failover { primary };
        let before = [set("mumbai", primary(true)), set("hyderabad", primary(false))];
        let after = [set("mumbai", primary(false)), set("hyderabad", primary(true))];
        let found = changes(&before, &after);
        let actions: Vec<&str> = found.iter().map(|change| change.action.word()).collect();
        assert_eq!(actions, ["DELETE", "DELETE", "CREATE", "CREATE"]);
        assert_eq!(found[0].set, before[0], "a delete repeats every value");
        assert_eq!(found[2].set, after[0]);
        let weighted = |weight| vec![set("mumbai", Routing::Weighted { weight })];
        let found = changes(&weighted(100), &weighted(0));
        assert_eq!(found.iter().map(|change| change.action.word()).collect::<Vec<_>>(), ["UPSERT"]);
    }
}
