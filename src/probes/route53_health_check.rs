//! A Route 53 health check: what checkers outside India see of one side (field guide 5.2).

use crate::domain::{
    app::Role,
    kind::{KindSpec, ParamShape, ParamSpec},
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
