//! A CloudWatch alarm, metric or composite, in the Region of one side (field guide 7.3).

use crate::domain::{
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
