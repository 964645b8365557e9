//! A CloudWatch alarm, metric or composite, in the Region of one side (field guide 7.3).

use super::{Answers, ComponentCtx, Need, Observed, Probe, need::Payload};
use crate::domain::{
    Fact, RegionId, Timestamp, What,
    app::Role,
    kind::{KindSpec, ParamShape, ParamSpec},
};

pub const SPEC: KindSpec = KindSpec {
    id: "alarm",
    title: "alarm",
    observed: true,
    role: Role::Link,
    params: &[
        ParamSpec { name: "alarm", shape: ParamShape::Text, required: true, doc: "Name of the alarm." },
        ParamSpec { name: "side", shape: ParamShape::Side, required: true, doc: "Side in whose Region it lives." },
    ],
    region_lost: |_| None,
    corrupted: |_| Vec::new(),
};

#[derive(Debug)]
pub struct AnyAlarm;

fn region(ctx: &ComponentCtx<'_>) -> Option<RegionId> {
    ctx.component.params.side("side").map(|side| ctx.region(side))
}

impl Probe for AnyAlarm {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }

    /// All alarms of the Region are one listing: the Regions screen shows them anyway.
    fn needs(&self, ctx: &ComponentCtx<'_>) -> Vec<Need> {
        region(ctx).map(|region| Need::Alarms { region }).into_iter().collect()
    }

    fn observe(&self, ctx: &ComponentCtx<'_>, answers: &Answers, _now: Timestamp) -> Vec<Observed> {
        let (Some(region), Some(name)) = (region(ctx), ctx.text("alarm")) else { return Vec::new() };
        let outcome = answers.get(&Need::Alarms { region: region.clone() }, |payload| match payload {
            Payload::Alarms(alarms) => Some(alarms.as_slice()),
            _ => None,
        });
        let Some(outcome) = outcome else { return Vec::new() };
        let fact = outcome.map_err(Clone::clone).and_then(|seen| {
            let found = seen.value.iter().find(|alarm| alarm.name.as_str() == name);
            found.map(|alarm| seen.state(Fact::Alarm(alarm.clone()))).ok_or_else(|| seen.missing(name))
        });
        vec![(ctx.fact(&region, What::Alarm), fact)]
    }
}
