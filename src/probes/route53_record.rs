//! The records of one DNS name, and which side they send customers to.
//!
//! Reading and changing them goes through us-east-1 (field guide 5.1); answering customers does not.

use super::{Answers, ComponentCtx, Need, Observed, Probe, need::Payload};
use crate::domain::{
    Fact, RegionId, Timestamp, What,
    app::Role,
    kind::{KindSpec, ParamShape, ParamSpec},
    region::GLOBAL_CONTROL_PLANE,
};

pub const SPEC: KindSpec = KindSpec {
    id: "route53-record",
    title: "route 53 record",
    observed: true,
    role: Role::Edge,
    params: &[
        ParamSpec { name: "zone", shape: ParamShape::Text, required: true, doc: "Id of the hosted zone." },
        ParamSpec {
            name: "name",
            shape: ParamShape::Text,
            required: true,
            doc: "Name of the record, without the last dot.",
        },
        ParamSpec { name: "type", shape: ParamShape::Text, required: false, doc: "Record type; default A." },
        ParamSpec {
            name: "sides",
            shape: ParamShape::Sides,
            required: true,
            doc: "Set identifiers of the records, one per side.",
        },
        ParamSpec {
            name: "ttl",
            shape: ParamShape::Duration,
            required: false,
            doc: "Time-to-live that clients hold an answer; read from the record where it is not an alias.",
        },
        ParamSpec {
            name: "routing",
            shape: ParamShape::Text,
            required: false,
            doc: "How the records share customers: `weighted` (default) or `failover`.",
        },
        ParamSpec {
            name: "health_checks",
            shape: ParamShape::Sides,
            required: false,
            doc: "Ids of the health checks on the records, one per side.",
        },
    ],
    region_lost: |_| None,
    corrupted: |_| Vec::new(),
};

#[derive(Debug)]
pub struct Route53Record;

fn need(ctx: &ComponentCtx<'_>) -> Option<Need> {
    let (zone, name) = (ctx.text("zone")?, ctx.text("name")?);
    Some(Need::Records { zone: zone.to_owned(), name: name.to_owned() })
}

impl Probe for Route53Record {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }

    fn needs(&self, ctx: &ComponentCtx<'_>) -> Vec<Need> {
        need(ctx).into_iter().collect()
    }

    fn observe(&self, ctx: &ComponentCtx<'_>, answers: &Answers, _now: Timestamp) -> Vec<Observed> {
        let Some(need) = need(ctx) else { return Vec::new() };
        let outcome = answers.get(&need, |payload| match payload {
            Payload::Records(records) => Some(records.as_slice()),
            _ => None,
        });
        let Some(outcome) = outcome else { return Vec::new() };
        let kind = ctx.text("type").unwrap_or("A");
        let fact = outcome.map_err(Clone::clone).and_then(|seen| {
            let records: Vec<_> = seen.value.iter().filter(|record| record.kind == kind).cloned().collect();
            if records.is_empty() {
                let name = ctx.text("name").unwrap_or_default();
                return Err(seen.missing(&format!("{kind} record {name}")));
            }
            Ok(seen.state(Fact::Record(records)))
        });
        vec![(ctx.fact(&RegionId::new(GLOBAL_CONTROL_PLANE), What::Record), fact)]
    }
}
