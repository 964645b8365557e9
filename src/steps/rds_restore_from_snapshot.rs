//! Restores a database from a snapshot in the Region of the step's target: the newest usable one, or the one named.
//!
//! It makes a new instance and harms nothing; what is lost is what was written after the snapshot, and it is lost when
//! customers are sent there. The outcome says what the data is as of. A restore ends at `available`, which is not yet
//! acceptable latency (DESIGN section 5). AWS's own waiter gives up after 30 minutes, which a 10 TB restore exceeds.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, Leftover, MutatingStep, Observed, Prepared, StepContext, StepKind, param},
    rds::{self, optional, required, said},
};
use crate::{
    aws::{WriteOp, rds::RestoreDbInstanceFromDbSnapshot},
    domain::{CallDescription, Hazard, kind::ParamShape, text::SafeText},
    runbook::{
        build::Outline,
        guards::LossBound,
        spec::{Lasting, Mutating, StepKindSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "rds.restore-from-snapshot",
    title: "restore from a snapshot",
    hazard: Hazard::Reversible,
    params: &[
        rds::COMPONENT,
        required("target", ParamShape::Side, "The side that is restored to; the snapshot lies there too."),
        optional(
            "instance",
            ParamShape::Text,
            "Identifier of the new instance; default the component's `recovery_instance`.",
        ),
        optional(
            "snapshot",
            ParamShape::Text,
            "Identifier of the snapshot; default the newest usable one of the component's `instance`.",
        ),
        rds::INSTANCE_CLASS,
        rds::SUBNET_GROUP,
    ],
    undo: "rds.delete-instance of what it made",
    mutating: Mutating::Yes,
    lasting: Lasting::Leaves("rds-instance"),
    default_timeout: Duration::from_hours(4),
    default_expect: Duration::from_mins(20),
};

pub struct RestoreFromSnapshot;

fn call(about: &StepContext<'_>, snapshot: String) -> Result<RestoreDbInstanceFromDbSnapshot, SafeText> {
    let component = about.component()?;
    Ok(RestoreDbInstanceFromDbSnapshot {
        region: about.facts.region(about.target()).clone(),
        instance: rds::said_or(about, "instance", component, "recovery_instance")?,
        snapshot,
        class: rds::class(about, component),
        subnet_group: rds::of_side(about, component, "subnet_group", "subnet_groups"),
        tags: rds::mark(about),
    })
}

impl StepKind for RestoreFromSnapshot {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let of = about.component().ok().and_then(|component| component.params.text("instance")).unwrap_or("?");
        let named = said(about, "snapshot");
        let which = named.clone().unwrap_or_else(|| format!("the newest usable snapshot of {of}"));
        let city = about.facts.city(about.target());
        Outline {
            // Which one is the newest is known only when the step runs.
            calls: call(about, named.unwrap_or_else(|| "*".to_owned())).map(|call| vec![call.describe()]),
            summary: SafeText::new(format!("rds RestoreDBInstanceFromDBSnapshot in {city} of {which}")),
            done_when: SafeText::new("the new instance is available"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for RestoreFromSnapshot {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let region = about.facts.region(about.target());
        let of = match about.component() {
            Ok(component) => component.params.text("instance").unwrap_or_default(),
            Err(why) => return Prepared::NotNow(why),
        };
        let snapshots = match rds::snapshots(eyes.reader, region).await {
            Ok(snapshots) => snapshots,
            Err(why) => return Prepared::NotNow(why),
        };
        let snapshot = match said(about, "snapshot") {
            Some(named) => snapshots.into_iter().find(|snapshot| snapshot.id.as_str() == named),
            None => rds::newest_usable(snapshots, of),
        };
        let Some(snapshot) = snapshot else {
            return Prepared::NotNow(SafeText::new(format!("{region} lists no usable snapshot of {of}")));
        };
        if snapshot.status.as_str() != "available" {
            return Prepared::Busy(SafeText::new(format!("{} is {}", snapshot.id, snapshot.status)));
        }
        let call = match call(about, snapshot.id.to_string()) {
            Ok(call) => call,
            Err(why) => return Prepared::NotNow(why),
        };
        match rds::instance(eyes.reader, region, &call.instance).await {
            Err(why) => Prepared::NotNow(why),
            Ok(found) => {
                rds::free(found.as_ref(), &call.tags, &call.instance).unwrap_or_else(|| Prepared::Send(Box::new(call)))
            }
        }
    }

    async fn observe(
        &self,
        _about: &StepContext<'_>,
        sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        let seen = rds::observe_made(eyes.reader, sent, "DBInstanceIdentifier").await;
        let (Observed::Done(text), Some(snapshot)) = (&seen, param(sent, "DBSnapshotIdentifier")) else { return seen };
        let listed = rds::snapshots(eyes.reader, &sent.region).await.unwrap_or_default();
        let data = listed.iter().find(|known| known.id.as_str() == snapshot).and_then(|known| known.created);
        let as_of = data.map_or_else(|| "not listed any more".to_owned(), |at| format!("data as of {}", at.rfc3339()));
        Observed::Done(SafeText::new(format!("{text}, from {snapshot}, {as_of}")))
    }

    /// Asked for where a runbook raises the hazard to data loss, e.g. because it sends customers there next.
    fn loss(&self, about: &StepContext<'_>) -> Option<LossBound> {
        Some(rds::snapshot_loss(about))
    }

    fn leaves(&self, sent: &CallDescription) -> Option<Leftover> {
        let id = SafeText::new(param(sent, "DBInstanceIdentifier")?);
        Some(Leftover { kind: "rds-instance".to_owned(), region: sent.region.clone(), id })
    }
}
