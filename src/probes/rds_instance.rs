//! One RDS instance: state, point-in-time window, and its read replica in the other Region where there is one.
//!
//! `LatestRestorableTime` exists on the writer only (field guide 2.2); `ReplicaLag` is in seconds, at the replica (2.5).

use crate::domain::{
    app::Role,
    fact::What,
    kind::{KindSpec, ParamShape, ParamSpec},
    region::Side,
};

pub const SPEC: KindSpec = KindSpec {
    id: "rds-instance",
    title: "rds instance",
    observed: true,
    role: Role::Data,
    params: &[
        ParamSpec {
            name: "instance",
            shape: ParamShape::Text,
            required: true,
            doc: "DB instance identifier in the primary Region.",
        },
        ParamSpec {
            name: "replica",
            shape: ParamShape::Text,
            required: false,
            doc: "Identifier of its read replica in the recovery Region.",
        },
    ],
    region_lost: |component| component.params.text("replica").map(|_| (Side::Recovery, What::Lag)),
    corrupted: |_| vec![(Side::Primary, What::Restorable)],
};
