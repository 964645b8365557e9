//! A resource protected by AWS Backup: its recovery points in the vaults of both Regions.
//!
//! A copy keeps the creation date of its source point: that is the data time (field guide 0.1, fact 4).

use crate::domain::{
    app::Role,
    fact::What,
    kind::{KindSpec, ParamShape, ParamSpec},
    region::Side,
};

pub const SPEC: KindSpec = KindSpec {
    id: "aws-backup",
    title: "aws backup",
    observed: true,
    role: Role::Data,
    params: &[
        ParamSpec { name: "resource", shape: ParamShape::Arn, required: true, doc: "ARN of the protected resource." },
        ParamSpec {
            name: "vaults",
            shape: ParamShape::Sides,
            required: true,
            doc: "Backup vault names, one per side.",
        },
        ParamSpec {
            name: "size",
            shape: ParamShape::Size,
            required: false,
            doc: "Size of the data, for estimates of copies and restores.",
        },
        ParamSpec {
            name: "resource_type",
            shape: ParamShape::Text,
            required: false,
            doc: "Type as AWS Backup calls it: RDS, EC2, EBS, DynamoDB, EFS, ...",
        },
    ],
    region_lost: |_| Some((Side::Recovery, What::RecoveryPoints)),
    corrupted: |_| vec![(Side::Primary, What::RecoveryPoints), (Side::Recovery, What::RecoveryPoints)],
};
