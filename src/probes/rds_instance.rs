//! One RDS instance: state, point-in-time window, and its read replica in the other Region where there is one.
//!
//! `LatestRestorableTime` exists on the writer only (field guide 2.2); `ReplicaLag` is in seconds, at the replica (2.5).

use crate::domain::{
    app::{Component, Role},
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
            doc: "DB instance identifier, in the Region of `side`.",
        },
        ParamSpec {
            name: "replica",
            shape: ParamShape::Text,
            required: false,
            doc: "Identifier of its read replica in the recovery Region.",
        },
        ParamSpec {
            name: "side",
            shape: ParamShape::Side,
            required: false,
            doc: "Side the instance lives on; default primary. A warm standby fed from outside lives on the recovery side.",
        },
    ],
    region_lost: |component| component.params.text("replica").map(|_| (Side::Recovery, What::Lag)),
    corrupted: |component| vec![(home(component), What::Restorable)],
};

/// The side whose Region holds the instance.
#[must_use]
pub fn home(component: &Component) -> Side {
    component.params.side("side").unwrap_or(Side::Primary)
}
