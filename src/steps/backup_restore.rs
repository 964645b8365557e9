//! Restores the newest usable recovery point of a resource as a new one, in the Region of the vault.
//!
//! Going on with what was restored loses everything written after the point: the loss is the age of its *data time*,
//! and a person accepts it here, where the point is chosen.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;

use super::{
    backup::{self, COMPONENT, RESOURCE, ROLE, Resource},
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param, why},
};
use crate::{
    aws::{
        WriteOp,
        backup_jobs::{GetRecoveryPointRestoreMetadata, StartRestoreJob},
        rds::DescribeDbInstances,
    },
    domain::{
        CallDescription, Hazard, RegionId, Timestamp,
        app::Param,
        kind::{ParamShape, ParamSpec},
        resource::{JobKind, JobState},
        text::SafeText,
        time,
    },
    runbook::{
        build::Outline,
        guards::{self, LossBound},
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "backup.restore",
    title: "restore the newest recovery point",
    hazard: Hazard::DataLoss,
    params: &[
        COMPONENT,
        StepParamSpec::Value(ParamSpec {
            name: "target",
            shape: ParamShape::Side,
            required: true,
            doc: "The side whose vault it is restored from, and in whose Region.",
        }),
        StepParamSpec::Value(ParamSpec {
            name: "name",
            shape: ParamShape::Text,
            required: false,
            doc: "Name of what is restored; default the resource's own with `-restored`.",
        }),
        StepParamSpec::Value(ParamSpec {
            name: "metadata",
            shape: ParamShape::Map,
            required: false,
            doc: "Restore metadata of the target Region, e.g. DBSubnetGroupName; the rest comes from the point.",
        }),
        RESOURCE,
        ROLE,
    ],
    undo: "delete what was restored",
    mutating: Mutating::Yes,
    lasting: Lasting::Leaves("rds-instance"),
    default_timeout: Duration::from_hours(6),
    default_expect: Duration::from_mins(40),
};

/// By resource type: the key that names the target, and the kind of thing that is left behind. The field guide names
/// no keys (1.4): these are the services' own words for the parameter. EC2 and EBS take no name.
const NAMED: [(&str, &str); 4] = [
    ("RDS", "DBInstanceIdentifier"),
    ("Aurora", "DBClusterIdentifier"),
    ("DynamoDB", "targetTableName"),
    ("EFS", "CreationToken"),
];

/// What is left behind, by resource type.
const LEFT: [(&str, &str); 6] = [
    ("RDS", "rds-instance"),
    ("Aurora", "rds-cluster"),
    ("DynamoDB", "dynamodb-table"),
    ("EFS", "efs-file-system"),
    ("EC2", "ec2-instance"),
    ("EBS", "ebs-volume"),
];

/// Restored here at all; others have steps of their own, or none yet.
const KINDS: [&str; 6] = ["RDS", "Aurora", "DynamoDB", "EFS", "EC2", "EBS"];

/// What a point has of its own Region and must not bring to another (field guide 1.4: names, subnet group and security
/// groups are always Region-specific).
const REGIONAL: [&str; 9] = [
    "AvailabilityZone",
    "availabilityZone",
    "AvailabilityZones",
    "DBSubnetGroupName",
    "VpcSecurityGroupIds",
    "SubnetId",
    "SecurityGroupIds",
    "KmsKeyId",
    "kmsKeyId",
];

pub struct Restore;

fn target_name(about: &StepContext<'_>, resource: &Resource<'_>) -> String {
    match about.step.value("name") {
        Some(Param::Text(name)) => name.clone(),
        _ => format!("{}-restored", resource.name()),
    }
}

/// The target's name first, then what the runbook says of its own Region.
fn chosen(kind: &str, name: &str, own: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let key = NAMED.iter().find(|(of, _)| *of == kind).map(|(_, key)| (*key).to_owned());
    let mut chosen: Vec<(String, String)> = key.map(|key| (key, name.to_owned())).into_iter().collect();
    if kind == "EFS" {
        chosen.push(("newFileSystem".to_owned(), "true".to_owned()));
    }
    let rest = own.iter().filter(|(key, _)| chosen.iter().all(|(known, _)| known != *key));
    let rest: Vec<_> = rest.map(|(key, value)| (key.clone(), value.clone())).collect();
    chosen.extend(rest);
    chosen
}

fn kept(
    metadata: BTreeMap<String, String>,
    chosen: &[(String, String)],
    (from, to): (&RegionId, &RegionId),
) -> BTreeMap<String, String> {
    let travels = |key: &str| from == to || !REGIONAL.contains(&key);
    metadata
        .into_iter()
        // A table's old name is told, not asked for.
        .filter(|(key, _)| travels(key) && key != "originalTableName" && chosen.iter().all(|(known, _)| known != key))
        .collect()
}

/// The call with any point of the resource; which one, and the rest of the metadata, is for `prepare`.
fn call<'a>(about: &StepContext<'a>) -> Result<(Resource<'a>, String, StartRestoreJob), SafeText> {
    let resource = backup::resource(about)?;
    if !KINDS.contains(&resource.kind.as_str()) {
        return Err(SafeText::new(format!("a recovery point of type {} is not restored by this step", resource.kind)));
    }
    let (region, vault) = resource.vault(about, about.target())?;
    let own = match about.step.value("metadata") {
        Some(Param::Map(own)) => own.clone(),
        _ => BTreeMap::new(),
    };
    // A volume is born in one zone, and only the runbook knows which.
    if resource.kind == "EBS" && !own.contains_key("availabilityZone") {
        return Err(SafeText::new("metadata names no availabilityZone: a volume is restored into one"));
    }
    let op = StartRestoreJob {
        region,
        point: resource.any_point(about, about.target()),
        role: backup::role(about, about.target()),
        resource_type: resource.kind.clone(),
        chosen: chosen(&resource.kind, &target_name(about, &resource), &own),
        kept: None,
        token: about.token.map(str::to_owned),
    };
    Ok((resource, vault, op))
}

impl StepKind for Restore {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let call = call(about)
            .and_then(|(resource, _, op)| resource.must_have_a_point(about, about.target()).map(|()| (resource, op)));
        let summary = call.as_ref().map_or_else(
            |_| "backup StartRestoreJob".to_owned(),
            |(resource, op)| {
                let newest = resource.known_points(about, about.target());
                let newest = newest.and_then(|(set, _)| backup::newest_usable(&set.points, about.now));
                let of = newest
                    .map_or_else(String::new, |point| format!(", now that of {}", about.facts.clock(point.created)));
                format!("backup StartRestoreJob in {} of the newest usable point{of}", op.region)
            },
        );
        Outline {
            calls: call.map(|(_, op)| vec![op.describe()]),
            summary: SafeText::new(summary),
            done_when: SafeText::new("the restore job is COMPLETED"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for Restore {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let (resource, vault, mut op) = match call(about) {
            Ok(found) => found,
            Err(why) => return Prepared::NotNow(why),
        };
        let name = target_name(about, &resource);
        let jobs = backup::started_since(about, eyes.reader, &op.region, JobKind::Restore, &resource.arn).await;
        match jobs.map(|jobs| jobs.into_iter().next()) {
            Err(why) => return Prepared::NotNow(why),
            Ok(Some(job)) if job.state.running() => {
                return Prepared::Busy(SafeText::new(format!("restore job {} of {}", job.id, resource.arn)));
            }
            // An earlier attempt of this step: what it made is what was wanted.
            Ok(Some(job)) if job.state == JobState::Completed => {
                let made = job.makes.unwrap_or_default();
                return Prepared::AlreadyDone(SafeText::new(format!("restore job {} made {made}", job.id)));
            }
            Ok(_) => {}
        }
        if resource.kind == "RDS" {
            match eyes.reader.read(&DescribeDbInstances { region: op.region.clone() }).await {
                Err(error) => return Prepared::NotNow(why(&error)),
                Ok(answer) if answer.value.iter().any(|instance| instance.id.as_str() == name) => {
                    let text = format!("{} has a database {name} already: whose data it holds is not known", op.region);
                    return Prepared::NotNow(SafeText::new(text));
                }
                Ok(_) => {}
            }
        }
        let there = (op.region.clone(), vault.clone());
        let points = match backup::read_points(eyes.reader, &there, &resource.arn, about.now).await {
            Ok(points) => points,
            Err(why) => return Prepared::NotNow(why),
        };
        let Some(newest) = backup::newest_usable(&points, about.now) else {
            return Prepared::NotNow(SafeText::new(format!("{vault} holds no usable point of {}", resource.arn)));
        };
        let ask = GetRecoveryPointRestoreMetadata { region: op.region.clone(), vault, point: newest.arn.clone() };
        match eyes.reader.read(&ask).await {
            Err(error) => Prepared::NotNow(why(&error)),
            Ok(answer) => {
                op.point.clone_from(&newest.arn);
                op.kept = Some(kept(answer.value, &op.chosen, (&resource.region(), &op.region)));
                Prepared::Send(Box::new(op))
            }
        }
    }

    async fn observe(
        &self,
        about: &StepContext<'_>,
        sent: &CallDescription,
        accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        backup::observe(about, JobKind::Restore, sent, accepted, eyes).await
    }

    /// An old list of points is an upper bound: there may be a newer one, never an older.
    fn loss(&self, about: &StepContext<'_>) -> Option<LossBound> {
        let resource = backup::resource(about).ok()?;
        let known = resource.known_points(about, about.target());
        Some(match known.and_then(|(set, at)| Some((backup::newest_usable(&set.points, about.now)?.created, at))) {
            Some((since, listed_at)) => bounded(about, since, listed_at),
            // What the way home restores is made by the steps before it.
            None if !resource.observed() => unbounded(format!(
                "What bounds it is the data time of the newest copy of {} in {}: it is read when the step's turn comes.",
                resource.name(),
                about.facts.city(about.target())
            )),
            None => unbounded("No usable recovery point was seen: nothing bounds what may be lost.".to_owned()),
        })
    }

    /// No probe reads the points of a resource that no component names: then they are read now.
    async fn loss_now(&self, about: &StepContext<'_>, eyes: &Eyes<'_>) -> Option<LossBound> {
        let resource = backup::resource(about).ok()?;
        if resource.observed() {
            return self.loss(about);
        }
        let read = async {
            let (region, vault) = resource.vault(about, about.target())?;
            let points = backup::read_points(eyes.reader, &(region, vault.clone()), &resource.arn, about.now).await?;
            backup::newest_usable(&points, about.now)
                .map(|newest| newest.created)
                .ok_or_else(|| SafeText::new(format!("{vault} holds no usable point of {}", resource.arn)))
        };
        Some(match read.await {
            Ok(since) => {
                let mut loss = bounded(about, since, about.now);
                loss.lines.push(SafeText::new("Where writing had stopped by then, nothing is lost."));
                loss
            }
            Err(why) => unbounded(format!("Nothing bounds what may be lost: {why}.")),
        })
    }

    fn leaves(&self, sent: &CallDescription) -> Option<Leftover> {
        let kind = param(sent, "ResourceType")?;
        let (_, left) = LEFT.iter().find(|(of, _)| *of == kind)?;
        let named = NAMED.iter().find(|(of, _)| *of == kind).and_then(|(_, key)| {
            let named = param(sent, "Metadata")?.strip_prefix(key)?.strip_prefix('=')?;
            named.split([',', ';']).next().map(str::to_owned)
        });
        // AWS gives the name: until then it is what was restored from that point.
        let id = match named {
            Some(named) => named,
            None => format!("restored from {}", param(sent, "RecoveryPointArn")?),
        };
        Some(Leftover { kind: (*left).to_owned(), region: sent.region.clone(), id: SafeText::new(id) })
    }
}

/// The data time of the newest point bounds it.
fn bounded(about: &StepContext<'_>, since: Timestamp, listed_at: Timestamp) -> LossBound {
    let bound = about.now.since(since);
    let lines = vec![
        SafeText::new(format!(
            "The newest usable point is of {}, listed {} ago.",
            about.facts.clock(since),
            time::short(about.now.since(listed_at))
        )),
        SafeText::new(format!(
            "What was written since is not in it: at most {}, rounded up to {}.",
            time::short_up(bound),
            time::short(guards::rounded_up(bound))
        )),
    ];
    LossBound { bound: Some(bound), since: Some(since), lines }
}

fn unbounded(line: String) -> LossBound {
    LossBound { bound: None, since: None, lines: vec![SafeText::new(line)] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_belongs_to_the_lost_region_is_not_taken_over_and_the_runbook_has_the_last_word() {
        let own = map(&[("DBSubnetGroupName", "hyd-subnets"), ("DBInstanceIdentifier", "not-this")]);
        let chosen = chosen("RDS", "vendor-db-restored", &own);
        assert_eq!(
            chosen,
            [
                ("DBInstanceIdentifier".to_owned(), "vendor-db-restored".to_owned()),
                ("DBSubnetGroupName".to_owned(), "hyd-subnets".to_owned()),
            ]
        );
        let point = map(&[
            ("DBInstanceIdentifier", "vendor-db"),
            ("AvailabilityZone", "ap-south-1a"),
            ("DBSubnetGroupName", "mum-subnets"),
            ("VpcSecurityGroupIds", "[\"sg-1\"]"),
            ("Engine", "postgres"),
        ]);
        let (mumbai, hyderabad) = (RegionId::new("ap-south-1"), RegionId::new("ap-south-2"));
        assert_eq!(kept(point.clone(), &chosen, (&mumbai, &hyderabad)), map(&[("Engine", "postgres")]));
        let at_home = kept(point, &chosen, (&mumbai, &mumbai));
        assert_eq!(at_home.get("AvailabilityZone").map(String::as_str), Some("ap-south-1a"));
    }

    #[test]
    fn a_restored_database_is_something_that_a_drill_must_clean_up() {
        let op = StartRestoreJob {
            region: "ap-south-2".into(),
            point: "p".into(),
            role: "r".into(),
            resource_type: "RDS".into(),
            chosen: chosen("RDS", "vendor-db-restored", &map(&[("Port", "5432")])),
            kept: Some(map(&[("Engine", "postgres")])),
            token: Some("t".into()),
        };
        let left = Restore.leaves(&op.describe()).expect("a database");
        assert_eq!(
            (left.kind.as_str(), left.id.as_str(), left.region.as_str()),
            ("rds-instance", "vendor-db-restored", "ap-south-2")
        );
    }
}
