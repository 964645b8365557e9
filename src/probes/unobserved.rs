//! Kinds that an estate may declare and this version has no probe for.
//!
//! A component of such a kind is shown as *not observed by this version*; a mandatory one makes its app Unknown,
//! never Met. When a kind gets its probe it moves into a file of its own.

use crate::domain::{
    app::Role,
    kind::{KindSpec, ParamShape, ParamSpec},
};

/// What may be written down about a component that nobody reads yet.
const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "resource", shape: ParamShape::Arn, required: false, doc: "ARN, where it has one." },
    ParamSpec { name: "name", shape: ParamShape::Text, required: false, doc: "Name in AWS, where it has no ARN." },
    ParamSpec { name: "sides", shape: ParamShape::Sides, required: false, doc: "Names per side, e.g. cluster names." },
    ParamSpec { name: "note", shape: ParamShape::Text, required: false, doc: "What a person should know of it." },
];

const fn declared_only(id: &'static str, title: &'static str, role: Role) -> KindSpec {
    KindSpec { id, title, observed: false, role, params: PARAMS, region_lost: |_| None, corrupted: |_| Vec::new() }
}

pub const DYNAMODB_GLOBAL: KindSpec = declared_only("dynamodb-global", "dynamodb global", Role::Data);
pub const S3_REPLICATION: KindSpec = declared_only("s3-replication", "s3 replication", Role::Data);
pub const EKS: KindSpec = declared_only("eks", "eks", Role::Run);
pub const ECS: KindSpec = declared_only("ecs", "ecs", Role::Run);
pub const ECR: KindSpec = declared_only("ecr", "ecr", Role::Run);
pub const EC2: KindSpec = declared_only("ec2", "ec2", Role::Run);
pub const ASG: KindSpec = declared_only("asg", "auto scaling", Role::Run);
pub const ALB: KindSpec = declared_only("alb", "load balancer", Role::Edge);
pub const DMS: KindSpec = declared_only("dms", "dms", Role::Link);
pub const DIRECT_CONNECT: KindSpec = declared_only("direct-connect", "direct connect", Role::Link);
pub const CLOUDFRONT: KindSpec = declared_only("cloudfront", "cloudfront", Role::Edge);
pub const WAF: KindSpec = declared_only("waf", "waf", Role::Edge);
pub const KMS: KindSpec = declared_only("kms", "kms", Role::Run);
pub const SECRETS: KindSpec = declared_only("secrets", "secrets manager", Role::Run);
pub const SSM: KindSpec = declared_only("ssm", "ssm parameters", Role::Run);
pub const LAMBDA: KindSpec = declared_only("lambda", "lambda", Role::Run);
pub const CLOUDFORMATION: KindSpec = declared_only("cloudformation", "cloudformation", Role::Run);
pub const VELERO: KindSpec = declared_only("velero", "velero", Role::Data);
pub const ARGOCD: KindSpec = declared_only("argocd", "argo cd", Role::Run);
pub const TERRAFORM: KindSpec = declared_only("terraform", "terraform", Role::Run);
pub const EFS: KindSpec = declared_only("efs", "efs", Role::Data);
pub const EBS: KindSpec = declared_only("ebs", "ebs", Role::Data);
pub const DATA_GUARD: KindSpec = declared_only("data-guard", "data guard", Role::Data);
pub const EXTERNAL: KindSpec = declared_only("external", "outside aws", Role::Link);
