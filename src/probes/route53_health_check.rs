//! A Route 53 health check: what checkers outside India see of one side (field guide 5.2).

use super::{Answers, ComponentCtx, Need, Observed, Probe, need::Payload};
use crate::domain::{
    Fact, RegionId, Timestamp, What,
    app::Role,
    kind::{KindSpec, ParamShape, ParamSpec},
    region::GLOBAL_CONTROL_PLANE,
};

pub const SPEC: KindSpec = KindSpec {
    id: "route53-health-check",
    title: "route 53 health check",
    observed: true,
    role: Role::Edge,
    params: &[
        ParamSpec { name: "health_check", shape: ParamShape::Text, required: true, doc: "Id of the health check." },
        ParamSpec { name: "side", shape: ParamShape::Side, required: true, doc: "The side whose endpoint it checks." },
    ],
    region_lost: |_| None,
    corrupted: |_| Vec::new(),
};

#[derive(Debug)]
pub struct Route53HealthCheck;

fn need(ctx: &ComponentCtx<'_>) -> Option<Need> {
    ctx.text("health_check").map(|id| Need::HealthCheck { id: id.to_owned() })
}

impl Probe for Route53HealthCheck {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }

    fn needs(&self, ctx: &ComponentCtx<'_>) -> Vec<Need> {
        need(ctx).into_iter().collect()
    }

    fn observe(&self, ctx: &ComponentCtx<'_>, answers: &Answers, _now: Timestamp) -> Vec<Observed> {
        let Some(need) = need(ctx) else { return Vec::new() };
        let outcome = answers.get(&need, |payload| match payload {
            Payload::HealthCheck(check) => Some(check),
            _ => None,
        });
        let Some(outcome) = outcome else { return Vec::new() };
        let fact = outcome.map(|seen| seen.state(Fact::HealthCheck(seen.value.clone()))).map_err(Clone::clone);
        vec![(ctx.fact(&RegionId::new(GLOBAL_CONTROL_PLANE), What::HealthCheck), fact)]
    }
}
