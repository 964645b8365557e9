//! What the RDS kinds share: the database that a component names, the mark on what a step makes, and how its
//! outcome is seen.
//!
//! RDS has no idempotency tokens. Whatever a step makes carries a tag with its app, its id and when it began, so that
//! an instance of the right name that somebody else made is never taken for the one that was asked for (field guide
//! 2.3, 9.7).

use std::collections::BTreeMap;

use super::kind::{Observed, Prepared, StepContext, param, why};
use crate::{
    aws::{
        Reader,
        rds::{DescribeDbInstances, DescribeDbSnapshots},
    },
    domain::{
        CallDescription, Component, Fact, RegionId, Side, StepId, What,
        app::Param,
        kind::{ParamShape, ParamSpec},
        resource::{DbInstance, DbSnapshot, Tags},
        text::SafeText,
        time,
    },
    probes::answers::newest_restorable,
    runbook::{guards::LossBound, spec::StepParamSpec},
};

/// Key of the tag.
pub(super) const MARK: &str = "pointsman";

pub(super) const COMPONENT: StepParamSpec =
    StepParamSpec::Component { name: "component", kinds: &["rds-instance"], required: true };
pub(super) const MADE_BY: StepParamSpec = required("made_by", ParamShape::Text, "Id of the step that made it.");
pub(super) const INSTANCE_CLASS: StepParamSpec =
    optional("instance_class", ParamShape::Text, "Class of the new instance; default the component's, else AWS's.");
pub(super) const KMS_KEY: StepParamSpec =
    optional("kms_key", ParamShape::Arn, "Key in the Region of `target`; default the component's.");
pub(super) const SUBNET_GROUP: StepParamSpec =
    optional("subnet_group", ParamShape::Text, "DB subnet group in the Region of `target`; default the component's.");

pub(super) const fn required(name: &'static str, shape: ParamShape, doc: &'static str) -> StepParamSpec {
    StepParamSpec::Value(ParamSpec { name, shape, required: true, doc })
}

pub(super) const fn optional(name: &'static str, shape: ParamShape, doc: &'static str) -> StepParamSpec {
    StepParamSpec::Value(ParamSpec { name, shape, required: false, doc })
}

/// A text that the step itself says.
pub(super) fn said(about: &StepContext<'_>, name: &str) -> Option<String> {
    match about.step.value(name) {
        Some(Param::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

/// A text of the step, else of the component, else an error that names both.
pub(super) fn said_or(about: &StepContext<'_>, name: &str, of: &Component, known: &str) -> Result<String, SafeText> {
    let default = || of.params.text(known).map(str::to_owned);
    said(about, name).or_else(default).ok_or_else(|| {
        SafeText::new(format!("neither the step's `{name}` nor `{known}` of {} names an instance", of.id))
    })
}

/// The side whose Region holds the component's own instance.
pub(super) fn home(component: &Component) -> Side {
    component.params.side("side").unwrap_or(Side::Primary)
}

/// Something that the step says for its target, else the component for that side.
pub(super) fn of_side(about: &StepContext<'_>, component: &Component, own: &str, sides: &str) -> Option<String> {
    said(about, own).or_else(|| component.params.side_text(sides, about.target()).map(str::to_owned))
}

pub(super) fn class(about: &StepContext<'_>, component: &Component) -> Option<String> {
    said(about, "instance_class").or_else(|| component.params.text("instance_class").map(str::to_owned))
}

/// While the step is only planned the moment is not known: its end is open.
fn began(about: &StepContext<'_>, form: impl Fn(&str) -> String) -> String {
    about.begun_at.map_or_else(|| "*".to_owned(), |at| form(&at.rfc3339()))
}

/// The tag on what this step makes.
pub(super) fn mark(about: &StepContext<'_>) -> Tags {
    BTreeMap::from([(MARK.to_owned(), mark_of(about, &about.step.id, &began(about, str::to_owned)))])
}

/// Which step's work is to be taken away: its id, and the tag that it put on what it made *in this run*. No tag when it
/// did not begin in this run: then whatever else bears its name is an earlier run's, and stays.
pub(super) fn made_by(about: &StepContext<'_>) -> Result<(String, Option<String>), SafeText> {
    let maker = about.step.made_by().ok_or_else(|| SafeText::new("no made_by"))?;
    let mark = about.maker_began.map(|at| mark_of(about, &maker, &at.rfc3339()));
    Ok((maker.to_string(), mark))
}

/// What a step that was passed over leaves for its cleanup to do.
pub(super) fn nothing_made(step: &str) -> SafeText {
    SafeText::new(format!("step {step} did not begin in this run: there is nothing of it to take away"))
}

/// What is lost with a snapshot.
pub(super) fn kept_no_more(about: &StepContext<'_>) -> LossBound {
    let step = about.step.made_by().map_or_else(String::new, |step| step.to_string());
    let line = format!("What step {step} kept in this run cannot be restored from any more.");
    LossBound { bound: None, since: None, lines: vec![SafeText::new(line)] }
}

fn mark_of(about: &StepContext<'_>, step: &StepId, began: &str) -> String {
    format!("{}/{step}@{began}", about.facts.app.id)
}

/// A name that follows from the step and when it first began, so that a second attempt asks for the same:
/// `dr-core-banking-keep-2026-11-20-09-00-07`.
pub(super) fn stamped_name(about: &StepContext<'_>) -> String {
    // AWS takes letters, digits and single hyphens.
    let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let stamp = began(about, |at| plain(at.split(['.', 'Z', '+']).next().unwrap_or(at)));
    let beginning = format!("dr-{}-{}-", plain(about.facts.app.id.as_str()), plain(about.step.id.as_str()));
    let single: Vec<&str> = beginning.split('-').filter(|part| !part.is_empty()).collect();
    format!("{}-{}", single.join("-").to_ascii_lowercase(), stamp.replace('T', "-"))
}

pub(super) async fn instances(reader: &Reader, region: &RegionId) -> Result<Vec<DbInstance>, SafeText> {
    let answer = reader.read(&DescribeDbInstances { region: region.clone() }).await.map_err(|error| why(&error))?;
    whole(answer.value, answer.truncated, region)
}

pub(super) async fn snapshots(reader: &Reader, region: &RegionId) -> Result<Vec<DbSnapshot>, SafeText> {
    let answer = reader.read(&DescribeDbSnapshots { region: region.clone() }).await.map_err(|error| why(&error))?;
    whole(answer.value, answer.truncated, region)
}

/// What is not in a list that was cut may be there all the same.
pub(super) fn whole<T>(list: Vec<T>, cut: bool, region: &RegionId) -> Result<Vec<T>, SafeText> {
    if cut { Err(SafeText::new(format!("the list of {region} was too long to be read whole"))) } else { Ok(list) }
}

pub(super) async fn instance(reader: &Reader, region: &RegionId, id: &str) -> Result<Option<DbInstance>, SafeText> {
    Ok(instances(reader, region).await?.into_iter().find(|found| found.id.as_str() == id))
}

/// The newest snapshot of a database that can be restored from: `available`, by what its data is as of.
pub(super) fn newest_usable(snapshots: Vec<DbSnapshot>, of: &str) -> Option<DbSnapshot> {
    let usable = |s: &DbSnapshot| s.source.as_str() == of && s.status.as_str() == "available" && s.created.is_some();
    snapshots.into_iter().filter(usable).max_by(|a, b| (a.created, a.id.as_str()).cmp(&(b.created, b.id.as_str())))
}

/// What is lost when customers are sent to what the newest copied snapshot holds: everything since.
pub(super) fn snapshot_loss(about: &StepContext<'_>) -> LossBound {
    let newest = about.component().ok().and_then(|component| {
        let (facts, region) = (about.facts, about.facts.region(about.target()));
        let slot = facts.snapshot.fact(&facts.app.id, &component.id, region, What::RecoveryPoints)?;
        match &slot.last.as_ref()?.value {
            Fact::RecoveryPoints(set) => newest_restorable(&set.points),
            _ => None,
        }
    });
    let Some(since) = newest else {
        let line = SafeText::new("No usable snapshot was seen: nothing this console knows bounds the loss.");
        return LossBound { bound: None, since: None, lines: vec![line] };
    };
    let bound = about.now.since(since);
    let line = format!(
        "The newest usable snapshot seen is as of {}: what was written since, at most {}, is not in it.",
        about.facts.clock(since),
        time::short_up(bound)
    );
    LossBound { bound: Some(bound), since: Some(since), lines: vec![SafeText::new(line)] }
}

/// States that an instance or a cluster does not leave by itself (AWS's words; the lists are not closed).
pub(super) fn stuck(status: &str) -> bool {
    status.ends_with("failed")
        || status == "storage-full"
        || status.starts_with("incompatible-")
        || status.starts_with("inaccessible-encryption-credentials")
        || status.ends_with("-error")
}

/// Whether the name is free for this step: nothing of that name, or why nothing is to be sent.
pub(super) fn free(found: Option<&DbInstance>, mark: &Tags, id: &str) -> Option<Prepared> {
    let found = found?;
    let status = found.status.as_str();
    Some(if found.tags.get(MARK) != mark.get(MARK) {
        Prepared::NotNow(SafeText::new(format!(
            "{id} exists already ({status}) and was not made by this step: it is not taken for what this step makes"
        )))
    } else if status == "available" {
        Prepared::AlreadyDone(SafeText::new(format!("{id} was made by this step and is available")))
    } else if stuck(status) {
        let text = format!("{id} was made by this step and is {status}: it must be deleted before another is made");
        Prepared::NotNow(SafeText::new(text))
    } else {
        Prepared::Busy(SafeText::new(format!("{id} was made by this step and is {status}")))
    })
}

/// Whether the instance that the call asked for stands: of that name, with the call's mark, `available`.
pub(super) async fn observe_made(reader: &Reader, sent: &CallDescription, name: &str) -> Observed {
    let (Some(id), Some(mark)) = (param(sent, name), param(sent, "Tags")) else {
        return Observed::Unclear(SafeText::new("the record of the call names no instance"));
    };
    match instance(reader, &sent.region, id).await {
        Err(why) => Observed::Unclear(why),
        Ok(None) => Observed::NotDone(SafeText::new(format!("{} lists no {id}", sent.region))),
        Ok(Some(found)) => judge_made(&found, mark),
    }
}

fn judge_made(found: &DbInstance, mark: &str) -> Observed {
    let (id, status) = (&found.id, found.status.as_str());
    if found.tags.get(MARK).is_none_or(|own| format!("{MARK}={own}") != mark) {
        Observed::NotDone(SafeText::new(format!("{id} ({status}) was made by another hand")))
    } else if stuck(status) {
        Observed::Failed(SafeText::new(format!("{id} is {status}: it does not become available by itself")))
    } else if status != "available" {
        Observed::InProgress(SafeText::new(format!("{id} is {status}")))
    } else {
        Observed::Done(SafeText::new(format!("{id} is available")))
    }
}

/// Whether a snapshot of that name is there and whole.
pub(super) async fn observe_snapshot(reader: &Reader, sent: &CallDescription, name: &str) -> Observed {
    let Some(id) = param(sent, name) else {
        return Observed::Unclear(SafeText::new("the record of the call names no snapshot"));
    };
    let snapshots = match snapshots(reader, &sent.region).await {
        Ok(snapshots) => snapshots,
        Err(why) => return Observed::Unclear(why),
    };
    let Some(found) = snapshots.iter().find(|snapshot| snapshot.id.as_str() == id) else {
        return Observed::NotDone(SafeText::new(format!("{} lists no snapshot {id}", sent.region)));
    };
    let as_of = found.created.map_or_else(String::new, |at| format!(", data as of {}", at.rfc3339()));
    match (found.status.as_str(), param(sent, "Tags")) {
        (_, Some(mark)) if found.tags.get(MARK).is_none_or(|own| format!("{MARK}={own}") != mark) => {
            Observed::NotDone(SafeText::new(format!("{id} was made by another hand{as_of}")))
        }
        ("available", _) => Observed::Done(SafeText::new(format!("{id} is available{as_of}"))),
        ("failed", _) => Observed::Failed(SafeText::new(format!("snapshot {id} is failed"))),
        (status, _) => {
            Observed::InProgress(SafeText::new(format!("{id} is {status}, {} %", found.percent.unwrap_or(0))))
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    pub fn made(id: &str, status: &str, mark: Option<&str>) -> DbInstance {
        DbInstance {
            id: SafeText::new(id),
            arn: format!("arn:aws:rds:ap-south-2:111122223333:db:{id}"),
            status: SafeText::new(status),
            engine: SafeText::new("postgres"),
            multi_az: false,
            latest_restorable: None,
            backup_retention_days: 0,
            replica_of: None,
            replicas: Vec::new(),
            replication: None,
            cluster: None,
            created: None,
            encrypted: true,
            protected: false,
            tags: mark.map(|mark| (MARK.to_owned(), mark.to_owned())).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::made, *};
    use crate::domain::Timestamp;

    #[test]
    fn an_instance_of_the_right_name_that_another_hand_made_is_never_taken_for_ours() {
        let mark = Tags::from([(MARK.to_owned(), "core/restore@9".to_owned())]);
        let judged = |instance: &DbInstance| free(Some(instance), &mark, "core-dr");
        assert!(free(None, &mark, "core-dr").is_none());
        for stranger in [made("core-dr", "available", None), made("core-dr", "creating", Some("core/restore@8"))] {
            assert!(matches!(judged(&stranger), Some(Prepared::NotNow(_))));
            assert!(matches!(judge_made(&stranger, "pointsman=core/restore@9"), Observed::NotDone(_)));
        }
        let ours = |status| made("core-dr", status, Some("core/restore@9"));
        assert!(matches!(judged(&ours("available")), Some(Prepared::AlreadyDone(_))));
        assert!(matches!(judged(&ours("creating")), Some(Prepared::Busy(_))));
        assert!(matches!(judge_made(&ours("available"), "pointsman=core/restore@9"), Observed::Done(_)));
        assert!(matches!(judge_made(&ours("backing-up"), "pointsman=core/restore@9"), Observed::InProgress(_)));
        assert!(matches!(judge_made(&ours("incompatible-restore"), "pointsman=core/restore@9"), Observed::Unclear(_)));
    }

    #[test]
    fn the_newest_usable_snapshot_is_judged_by_its_data_and_must_be_whole() {
        let snapshot = |id: &str, source: &str, status: &str, at: i64| DbSnapshot {
            id: SafeText::new(id),
            arn: String::new(),
            source: SafeText::new(source),
            status: SafeText::new(status),
            created: Some(Timestamp::from_secs(at)),
            percent: None,
            size_bytes: 0,
            copied_from: None,
            encrypted: true,
            tags: Tags::new(),
        };
        let list = vec![
            snapshot("a", "core", "available", 100),
            snapshot("b", "core", "available", 200),
            snapshot("c", "core", "creating", 300),
            snapshot("d", "other", "available", 400),
        ];
        assert_eq!(newest_usable(list, "core").map(|s| s.id.to_string()).as_deref(), Some("b"));
        assert!(newest_usable(Vec::new(), "core").is_none());
    }
}
