//! A question answered from facts alone: at least `need` of the signals hold, else the step fails at once.

use std::time::Duration;

use crate::{
    domain::{
        Hazard,
        kind::{ParamShape, ParamSpec},
    },
    runbook::spec::{Mutating, StepKindSpec, StepParamSpec},
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "check",
    title: "check",
    hazard: Hazard::None,
    params: &[
        StepParamSpec::Value(ParamSpec {
            name: "need",
            shape: ParamShape::Number,
            required: false,
            doc: "How many of the signals must hold; default all.",
        }),
        StepParamSpec::Signals { name: "signals", required: true },
    ],
    undo: "nothing to undo: it reads only",
    mutating: Mutating::No,
    default_timeout: Duration::from_secs(60),
    default_expect: Duration::from_secs(5),
};
