//! Sends the customers of one DNS name to one side: both weighted records change in one batch, 100 and 0.
//!
//! UPSERT replaces a whole record set, so each is read first and written back with nothing but its weight
//! changed (field guide 5.1). Goes through us-east-1, whatever Region is left.

use std::time::Duration;

use crate::{
    domain::{
        Hazard,
        kind::{ParamShape, ParamSpec},
    },
    runbook::spec::{Mutating, StepKindSpec, StepParamSpec},
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
    default_timeout: Duration::from_secs(300),
    default_expect: Duration::from_secs(45),
};
