//! What the AWS Backup kinds share: whose points, which vault, which role, and what became of a started job.

use std::time::Duration;

use super::kind::{Eyes, Observed, StepContext, why};
use crate::{
    aws::{
        Reader,
        backup::ListRecoveryPointsByBackupVault,
        backup_jobs::{DescribeJob, ListStartedJobs, StartedJob},
    },
    domain::{
        CallDescription, Component, Fact, RegionId, Side, Timestamp, What,
        app::Param,
        fact::PointSet,
        kind::{ParamShape, ParamSpec},
        resource::{JobKind, JobState, RecoveryPoint},
        text::SafeText,
    },
    runbook::spec::StepParamSpec,
};

/// Listed back so far: the longest retention of an automated backup (field guide 0.2).
const POINTS_BACK: Duration = Duration::from_hours(35 * 24);

/// How far AWS's clock may be behind ours and the job still be of this step (DESIGN section 5: beyond that verdicts
/// are Unknown anyway).
const SKEW: Duration = Duration::from_secs(30);

pub(super) const COMPONENT: StepParamSpec =
    StepParamSpec::Component { name: "component", kinds: &["aws-backup"], required: true };

pub(super) const RESOURCE: StepParamSpec = StepParamSpec::Value(ParamSpec {
    name: "resource",
    shape: ParamShape::Arn,
    required: false,
    doc: "ARN of another resource than the component's: on the way home, what was restored.",
});

pub(super) const ROLE: StepParamSpec = StepParamSpec::Value(ParamSpec {
    name: "role",
    shape: ParamShape::Arn,
    required: false,
    doc: "IAM role that AWS Backup acts as; default AWSBackupDefaultServiceRole of the account.",
});

/// What a step is about.
pub(super) struct Resource<'a> {
    pub component: &'a Component,
    pub arn: String,
    /// As AWS Backup calls it.
    pub kind: String,
}

fn text<'a>(about: &StepContext<'a>, name: &str) -> Option<&'a str> {
    match about.step.value(name) {
        Some(Param::Text(text)) => Some(text),
        _ => None,
    }
}

pub(super) fn resource<'a>(about: &StepContext<'a>) -> Result<Resource<'a>, SafeText> {
    let component = about.component()?;
    let own = component.params.text("resource").ok_or_else(|| SafeText::new("no resource"))?;
    let arn = text(about, "resource").unwrap_or(own).to_owned();
    let declared = component.params.text("resource_type").map(str::to_owned);
    let kind = declared.unwrap_or_else(|| type_of(&arn).to_owned());
    Ok(Resource { component, arn, kind })
}

/// Resource type by ARN (field guide 1.5 names the types).
fn type_of(arn: &str) -> &'static str {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, rest) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or_default());
    match service {
        "rds" if rest.starts_with("cluster") => "Aurora",
        "rds" => "RDS",
        "ec2" if rest.starts_with("volume") => "EBS",
        "ec2" => "EC2",
        "dynamodb" => "DynamoDB",
        "elasticfilesystem" => "EFS",
        _ => "",
    }
}

impl Resource<'_> {
    pub fn name(&self) -> &str {
        self.arn.rsplit([':', '/']).next().unwrap_or_default()
    }

    pub fn region(&self) -> RegionId {
        RegionId::new(self.arn.split(':').nth(3).unwrap_or_default())
    }

    /// The side it lives on.
    pub fn side(&self, about: &StepContext<'_>) -> Result<Side, SafeText> {
        let region = self.region();
        let side = about.facts.estate.regions.side_of(&region);
        side.ok_or_else(|| SafeText::new(format!("{} is in no Region of the pair", self.arn)))
    }

    /// Region and name of the vault on a side.
    pub fn vault(&self, about: &StepContext<'_>, side: Side) -> Result<(RegionId, String), SafeText> {
        let name = self.component.params.side_text("vaults", side).ok_or_else(|| {
            SafeText::new(format!("{} names no vault on the {} side", self.component.id, side.word()))
        })?;
        Ok((about.facts.region(side).clone(), name.to_owned()))
    }

    /// How the ARNs of its recovery points on that side begin, and `*`: which one is the newest is known only when it
    /// is acted on (shapes: field guide 0.2, 1.3).
    pub fn any_point(&self, about: &StepContext<'_>, side: Side) -> String {
        let (region, account) = (about.facts.region(side), account(about, side));
        let partition = self.arn.split(':').nth(1).unwrap_or("aws");
        match self.kind.as_str() {
            "RDS" => format!("arn:{partition}:rds:{region}:{account}:snapshot:*"),
            "Aurora" => format!("arn:{partition}:rds:{region}:{account}:cluster-snapshot:*"),
            "EC2" => format!("arn:{partition}:ec2:{region}::image/*"),
            "EBS" => format!("arn:{partition}:ec2:{region}::snapshot/*"),
            _ => format!("arn:{partition}:backup:{region}:{account}:recovery-point:*"),
        }
    }

    /// What was last read of its points on that side; nothing for a resource that the component does not name.
    pub fn known_points<'a>(&self, about: &StepContext<'a>, side: Side) -> Option<(&'a PointSet, Timestamp)> {
        if self.component.params.text("resource") != Some(self.arn.as_str()) {
            return None;
        }
        let (facts, region) = (about.facts, about.facts.region(side));
        let slot = facts.snapshot.fact(&facts.app.id, &self.component.id, region, What::RecoveryPoints)?;
        let seen = slot.last.as_ref()?;
        match &seen.value {
            Fact::RecoveryPoints(set) => Some((set, seen.observed_at)),
            _ => None,
        }
    }

    /// A plan cannot be made where nothing usable was seen: better said now than on the night.
    pub fn must_have_a_point(&self, about: &StepContext<'_>, side: Side) -> Result<(), SafeText> {
        if self.component.params.text("resource") != Some(self.arn.as_str()) {
            return Ok(());
        }
        let city = about.facts.city(side);
        let (set, _) = self
            .known_points(about, side)
            .ok_or_else(|| SafeText::new(format!("the recovery points of {} in {city} were never read", self.arn)))?;
        newest_usable(&set.points, about.now)
            .map(|_| ())
            .ok_or_else(|| SafeText::new(format!("no usable recovery point of {} in {city}", self.arn)))
    }
}

pub(super) fn account(about: &StepContext<'_>, side: Side) -> String {
    let estate = about.facts.estate;
    let own = estate.access.get(&side).and_then(|access| access.account.clone());
    own.unwrap_or_else(|| estate.expects_account.clone())
}

/// Known: the role that AWS Backup makes for itself.
pub(super) fn role(about: &StepContext<'_>, side: Side) -> String {
    text(about, "role").map_or_else(
        || format!("arn:aws:iam::{}:role/service-role/AWSBackupDefaultServiceRole", account(about, side)),
        str::to_owned,
    )
}

/// The newest by its *data time* among those one can restore from, and that are not about to be deleted.
pub(super) fn newest_usable(points: &[RecoveryPoint], now: Timestamp) -> Option<&RecoveryPoint> {
    points
        .iter()
        .filter(|point| point.status.restorable() && point.delete_at.is_none_or(|at| now < at))
        .max_by_key(|point| (point.created, point.arn.as_str()))
}

/// The points of one resource in one vault, as they are now.
pub(super) async fn read_points(
    reader: &Reader,
    (region, vault): &(RegionId, String),
    resource: &str,
    now: Timestamp,
) -> Result<Vec<RecoveryPoint>, SafeText> {
    let op = ListRecoveryPointsByBackupVault {
        region: region.clone(),
        vault: vault.clone(),
        resource: Some(resource.to_owned()),
        created_after: now - POINTS_BACK,
    };
    reader.read(&op).await.map(|answer| answer.value).map_err(|error| why(&error))
}

/// Jobs of the resource that a call started since the step began, newest first.
pub(super) async fn started_since(
    about: &StepContext<'_>,
    reader: &Reader,
    region: &RegionId,
    kind: JobKind,
    resource: &str,
) -> Result<Vec<StartedJob>, SafeText> {
    let begun = about.begun_at.ok_or_else(|| SafeText::new("it is not on record when the step began"))?;
    let op =
        ListStartedJobs { region: region.clone(), kind, resource: resource.to_owned(), created_after: begun - SKEW };
    let mut jobs = reader.read(&op).await.map_err(|error| why(&error))?.value;
    jobs.sort_by_key(|job| std::cmp::Reverse(job.created));
    Ok(jobs)
}

/// What became of the start that `sent` describes: by the job's id, and where the answer that held it was lost, by
/// looking for the job.
pub(super) async fn observe(
    about: &StepContext<'_>,
    kind: JobKind,
    sent: &CallDescription,
    accepted: Option<&str>,
    eyes: &Eyes<'_>,
) -> Observed {
    if let Some(id) = accepted.filter(|id| !id.is_empty()) {
        let op = DescribeJob { region: sent.region.clone(), kind, id: id.to_owned() };
        return match eyes.reader.read(&op).await {
            Err(error) => Observed::Unclear(why(&error)),
            Ok(answer) => judge(&answer.value, kind),
        };
    }
    let resource = match resource(about) {
        Ok(resource) => resource,
        Err(why) => return Observed::Unclear(why),
    };
    let point = super::kind::param(sent, "RecoveryPointArn");
    match started_since(about, eyes.reader, &sent.region, kind, &resource.arn).await {
        Err(why) => Observed::Unclear(why),
        Ok(jobs) => match jobs.iter().find(|job| kind == JobKind::Backup || job.source_point.as_deref() == point) {
            None => Observed::NotDone(SafeText::new(format!("no {} job of {} since", kind.word(), resource.arn))),
            // Without the answer it cannot be told whose it is: one of an earlier attempt may have failed before.
            Some(job) => match judge(job, kind) {
                Observed::Failed(told) => Observed::NotDone(told),
                seen => seen,
            },
        },
    }
}

fn judge(job: &StartedJob, kind: JobKind) -> Observed {
    let told = |rest: String| SafeText::new(format!("{} job {} {}{rest}", kind.word(), job.id, job.state.word()));
    let message = job.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
    match job.state {
        JobState::Completed => {
            Observed::Done(told(job.makes.as_ref().map_or_else(String::new, |arn| format!(", {arn}"))))
        }
        _ if job.state.running() => {
            let percent = job.percent.as_ref().map_or_else(String::new, |percent| format!(", {percent} %"));
            Observed::InProgress(told(percent))
        }
        _ if job.state.bad() => Observed::Failed(told(message)),
        _ => Observed::Unclear(told(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resource::PointStatus;

    pub fn point(arn: &str, created: i64, status: PointStatus) -> RecoveryPoint {
        RecoveryPoint {
            arn: arn.into(),
            resource_arn: "arn:aws:rds:ap-south-1:111122223333:db:x".into(),
            vault: "bank-hyd".into(),
            status,
            created: Timestamp::from_secs(created),
            completed: None,
            delete_at: None,
            size_bytes: 1,
            locked: None,
        }
    }

    #[test]
    fn the_newest_usable_point_is_chosen_by_data_time_and_a_copy_under_way_does_not_count() {
        let mut old_but_complete = point("b", 100, PointStatus::Completed);
        // Completed late: completion time is never data time.
        old_but_complete.completed = Some(Timestamp::from_secs(900));
        let mut expired = point("d", 400, PointStatus::Completed);
        expired.delete_at = Some(Timestamp::from_secs(500));
        let points = [
            old_but_complete,
            point("a", 200, PointStatus::Available),
            point("c", 300, PointStatus::Creating),
            expired,
            point("e", 350, PointStatus::Partial),
        ];
        let found = newest_usable(&points, Timestamp::from_secs(1_000)).expect("one");
        assert_eq!(found.arn, "a");
        assert!(newest_usable(&points[2..], Timestamp::from_secs(1_000)).is_none());
    }
}
