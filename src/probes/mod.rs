//! One file per kind of component: what the estate file may say of it, what to read, how answers become facts.
//!
//! A new kind is one file with a `SPEC` and one line in [`CATALOGUE`]; the estate parser, the docs and the
//! detail views pick it up from there. What is declared but has no probe yet is in [`unobserved`].

use std::{collections::BTreeMap, time::Duration};

use crate::{
    aws::cloudwatch::MetricQuery,
    domain::{
        App, Component, Estate, Fact, FactId, Observation, ProbeError, RegionId, Side, Timestamp, What, kind::KindSpec,
        resource::MetricId,
    },
};

pub mod alarm;
pub mod answers;
pub mod aurora_global;
pub mod aws_backup;
pub mod metric;
pub mod need;
pub mod rds_instance;
pub mod route53_health_check;
pub mod route53_record;
pub mod served;
pub mod unobserved;

pub use answers::Answers;
pub use need::Need;

/// Reads one kind of component. Pure but for what it says it needs: the collector does the reading.
pub trait Probe: Sync {
    fn spec(&self) -> &'static KindSpec;

    /// What must be read for this component. Equal needs of several components are read once.
    fn needs(&self, ctx: &ComponentCtx<'_>) -> Vec<Need>;

    /// Facts from the answers there are. A need that was not asked yet gives nothing; one that failed gives its
    /// error, never an empty value.
    fn observe(&self, ctx: &ComponentCtx<'_>, answers: &Answers, now: Timestamp) -> Vec<Observed>;
}

/// A fact, or why it could not be had.
pub type Observed = (FactId, Result<Observation<Fact>, ProbeError>);

/// The probes, one line each.
pub const ALL: &[&dyn Probe] = &[
    &aurora_global::AuroraGlobal,
    &rds_instance::RdsInstance,
    &aws_backup::AwsBackup,
    &route53_record::Route53Record,
    &route53_health_check::Route53HealthCheck,
    &metric::AnyMetric,
    &alarm::AnyAlarm,
];

/// The probe of a kind; none for what is declared only.
#[must_use]
pub fn probe(kind: &str) -> Option<&'static dyn Probe> {
    ALL.iter().copied().find(|probe| probe.spec().id == kind)
}

/// A component in its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct ComponentCtx<'a> {
    pub estate: &'a Estate,
    pub app: &'a App,
    pub component: &'a Component,
}

impl<'a> ComponentCtx<'a> {
    #[must_use]
    pub fn region(&self, side: Side) -> RegionId {
        self.estate.regions.get(side).id.clone()
    }

    #[must_use]
    pub fn fact(&self, region: &RegionId, what: What) -> FactId {
        FactId { app: self.app.id.clone(), component: self.component.id.clone(), region: region.clone(), what }
    }

    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.component.params.text(name)
    }

    /// Regions of the pair with the name that the parameter gives on each side.
    #[must_use]
    pub fn sides(&self, param: &str) -> Vec<(RegionId, &'a str)> {
        Side::BOTH
            .into_iter()
            .filter_map(|side| Some((self.region(side), self.component.params.side_text(param, side)?)))
            .collect()
    }
}

/// A metric of one minute's period.
#[must_use]
pub fn metric_need(
    region: &RegionId,
    namespace: &str,
    name: &str,
    dimensions: BTreeMap<String, String>,
    stat: &str,
    window: need::Window,
) -> need::MetricNeed {
    need::MetricNeed {
        region: region.clone(),
        query: MetricQuery {
            metric: MetricId { namespace: namespace.to_owned(), name: name.to_owned(), dimensions },
            stat: stat.to_owned(),
            period: Duration::from_mins(1),
        },
        window,
    }
}

fn dimension(name: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value.to_owned())])
}

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
    fn every_observed_kind_has_a_probe_and_no_other_has_one() {
        for kind in CATALOGUE {
            assert_eq!(super::probe(kind.id).is_some(), kind.observed, "{}", kind.id);
        }
        assert_eq!(super::ALL.len(), CATALOGUE.iter().filter(|kind| kind.observed).count());
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
