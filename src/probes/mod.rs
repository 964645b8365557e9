//! One file per kind of component: what the estate file may say of it, what to read, how answers become facts.
//!
//! A new kind is one file with a `SPEC` and one line in [`CATALOGUE`]; the estate parser, the docs and the
//! detail views pick it up from there. What is declared but has no probe yet is in [`unobserved`].

use crate::domain::kind::KindSpec;

pub mod alarm;
pub mod aurora_global;
pub mod aws_backup;
pub mod metric;
pub mod rds_instance;
pub mod route53_health_check;
pub mod route53_record;
pub mod unobserved;

/// Every kind that the estate file may name: the observed ones first.
pub const CATALOGUE: &[&KindSpec] = &[
    &aurora_global::SPEC,
    &rds_instance::SPEC,
    &aws_backup::SPEC,
    &route53_record::SPEC,
    &route53_health_check::SPEC,
    &metric::SPEC,
    &alarm::SPEC,
    &unobserved::DYNAMODB_GLOBAL,
    &unobserved::S3_REPLICATION,
    &unobserved::EKS,
    &unobserved::ECS,
    &unobserved::ECR,
    &unobserved::EC2,
    &unobserved::ASG,
    &unobserved::ALB,
    &unobserved::DMS,
    &unobserved::DIRECT_CONNECT,
    &unobserved::CLOUDFRONT,
    &unobserved::WAF,
    &unobserved::KMS,
    &unobserved::SECRETS,
    &unobserved::SSM,
    &unobserved::LAMBDA,
    &unobserved::CLOUDFORMATION,
    &unobserved::VELERO,
    &unobserved::ARGOCD,
    &unobserved::TERRAFORM,
    &unobserved::EFS,
    &unobserved::EBS,
    &unobserved::DATA_GUARD,
    &unobserved::EXTERNAL,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::CATALOGUE;

    #[test]
    fn every_kind_and_every_parameter_of_a_kind_has_one_name() {
        let ids: BTreeSet<_> = CATALOGUE.iter().map(|kind| kind.id).collect();
        assert_eq!(ids.len(), CATALOGUE.len());
        for kind in CATALOGUE {
            let names: BTreeSet<_> = kind.params.iter().map(|param| param.name).collect();
            assert_eq!(names.len(), kind.params.len(), "{}", kind.id);
            assert!(kind.params.iter().all(|param| !param.doc.is_empty()), "{}", kind.id);
        }
    }

    #[test]
    fn a_kind_is_observed_exactly_when_it_has_a_file_of_its_own() {
        let observed: Vec<_> = CATALOGUE.iter().filter(|kind| kind.observed).map(|kind| kind.id).collect();
        assert_eq!(
            observed,
            [
                "aurora-global",
                "rds-instance",
                "aws-backup",
                "route53-record",
                "route53-health-check",
                "metric",
                "alarm"
            ]
        );
    }
}
