//! An Aurora global database: one writer cluster, one cluster in the other Region.
//!
//! `AuroraGlobalDB*` metrics exist in the secondary Region only, in milliseconds (field guide 0.1, fact 9).

use crate::domain::{
    app::Role,
    fact::What,
    kind::{KindSpec, ParamShape, ParamSpec},
    region::Side,
};

pub const SPEC: KindSpec = KindSpec {
    id: "aurora-global",
    title: "aurora global",
    observed: true,
    role: Role::Data,
    params: &[
        ParamSpec {
            name: "global_cluster",
            shape: ParamShape::Text,
            required: true,
            doc: "Identifier of the global cluster, e.g. payments-global.",
        },
        ParamSpec {
            name: "clusters",
            shape: ParamShape::Sides,
            required: true,
            doc: "DB cluster identifiers, one per side.",
        },
        ParamSpec {
            name: "writes_metric",
            shape: ParamShape::Text,
            required: false,
            doc: "AWS/RDS metric whose Sum at the writer tells source writes; without it a silent lag is not idle.",
        },
    ],
    region_lost: |_| Some((Side::Recovery, What::Lag)),
    corrupted: |_| vec![(Side::Primary, What::Restorable)],
};
