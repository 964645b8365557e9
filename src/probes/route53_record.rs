//! The records of one DNS name, and which side they send customers to.
//!
//! Reading and changing them goes through us-east-1 (field guide 5.1); answering customers does not.

use crate::domain::{
    app::Role,
    kind::{KindSpec, ParamShape, ParamSpec},
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
    ],
    region_lost: |_| None,
    corrupted: |_| Vec::new(),
};
