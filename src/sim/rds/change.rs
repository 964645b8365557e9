//! What makes, promotes and deletes DB instances and their snapshots, and what AWS refuses of it.
//!
//! The target's identifier is the only idempotency token: a second call of the same name is refused with
//! `…AlreadyExists` (field guide 2.3).

use super::{
    Rds,
    answer::{Answered, Effect, envelope, needed, tags},
    describe::View,
    history::Snapshot,
    instance::{Filled, Instance, Place, Promotion},
    snapshots::{COPIES_AT_ONCE, ManualSnapshot, copying, snapshot_arn, taking},
    topology::need_key,
};
use crate::{
    domain::{RegionId, Timestamp},
    sim::{
        gate::Faults,
        service::Call,
        wire::{Form, Refusal},
    },
};

/// Documented: days of automated backups, 0 = off.
const RETENTION_MAX: u32 = 35;

impl Rds {
    fn known(&self, id: &str, call: &Call, faults: &Faults) -> Result<&Instance, Refusal> {
        self.instance(call.region, id, call.now, faults).ok_or_else(|| no_instance(id))
    }

    pub(super) fn free_name(&self, id: &str, call: &Call, faults: &Faults) -> Result<(), Refusal> {
        if self.instance(call.region, id, call.now, faults).is_some() {
            return Err(Refusal::bad("DBInstanceAlreadyExists", "DB instance already exists"));
        }
        valid(id)
    }

    pub(super) fn tell_instance(&self, operation: &str, id: &str, call: &Call, faults: &Faults) -> String {
        let view = self.view(call, faults);
        envelope(operation, call, |xml| {
            xml.open("DBInstance");
            if let Some(instance) = self.instance(call.region, id, call.now, faults) {
                view.instance(xml, instance);
            }
            xml.close();
        })
    }

    fn tell_snapshot(&self, operation: &str, id: &str, call: &Call, faults: &Faults) -> String {
        let made = self.instance_snapshots(call.region, call.now, faults);
        envelope(operation, call, |xml| {
            xml.open("DBSnapshot");
            if let Some(snapshot) = made.iter().find(|snapshot| snapshot.id == id) {
                View::instance_snapshot(xml, call.region, call.account, snapshot);
            }
            xml.close();
        })
    }

    /// Documented: refused while `backing-up`, one-way, the instance reboots (field guide 2.5).
    pub(super) fn promote(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let id = needed(form, "DBInstanceIdentifier")?;
        let replica = self.known(id, call, faults)?;
        let status = self.instance_status(replica, call.now, faults);
        if !replica.replicates(call.now, faults) {
            return Err(wrong_state(format!("DB Instance {id} is not a read replica")));
        }
        if status != "available" {
            return Err(wrong_state(format!("DB Instance {id} is {status}")));
        }
        let retention_days = retention(form)?.unwrap_or(1);
        let id = replica.id.clone();
        let promoted = self.instances.iter_mut().rfind(|known| known.id == id && known.region == *call.region);
        if let Some(promoted) = promoted {
            promoted.promoted = Some(Promotion { requested: call.now, retention_days });
        }
        Ok((self.tell_instance("PromoteReadReplica", &id, call, faults), Effect::Changed))
    }

    pub(super) fn create_snapshot(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let (id, of) = (needed(form, "DBSnapshotIdentifier")?, needed(form, "DBInstanceIdentifier")?);
        let source = self.known(of, call, faults)?;
        self.free_snapshot(id, call, faults)?;
        let status = self.instance_status(source, call.now, faults);
        if status != "available" || matches!(source.place, Place::InCluster { .. }) {
            return Err(wrong_state(format!("DB Instance {of} is {status}, or of a cluster")));
        }
        let made = ManualSnapshot {
            id: id.to_owned(),
            region: call.region.clone(),
            source: source.id.clone(),
            storage_gib: source.storage_gib,
            requested: call.now,
            takes: taking(self.seed, id, source.storage_gib),
            original: call.now,
            copied_from: None,
            tags: tags(form),
            deleted: None,
        };
        self.manual.push(made);
        Ok((self.tell_snapshot("CreateDBSnapshot", id, call, faults), Effect::Changed))
    }

    /// Documented: manual snapshots only, and only `available` ones.
    pub(super) fn delete_snapshot(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let id = needed(form, "DBSnapshotIdentifier")?;
        find(self.instance_snapshots(call.region, call.now, faults), id)?;
        let body = self.tell_snapshot("DeleteDBSnapshot", id, call, faults);
        let made =
            self.manual.iter_mut().find(|made| made.id == id && made.region == *call.region && made.exists(call.now));
        let Some(made) = made else {
            return Err(Refusal::bad("InvalidDBSnapshotState", format!("{id} is not a manual snapshot")));
        };
        made.deleted = Some(call.now);
        Ok((body, Effect::Changed))
    }

    fn free_snapshot(&self, id: &str, call: &Call, faults: &Faults) -> Result<(), Refusal> {
        valid(id)?;
        if self.instance_snapshots(call.region, call.now, faults).iter().any(|snapshot| snapshot.id == id) {
            let message =
                format!("Cannot create the snapshot because a snapshot with the identifier {id} already exists.");
            return Err(Refusal::bad("DBSnapshotAlreadyExists", message));
        }
        Ok(())
    }

    /// Called in the destination Region with the source's ARN; at most twenty at a time (field guide 2.3).
    pub(super) fn copy_snapshot(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let (named, id) = (needed(form, "SourceDBSnapshotIdentifier")?, needed(form, "TargetDBSnapshotIdentifier")?);
        self.free_snapshot(id, call, faults)?;
        let (from, name) = match named.splitn(7, ':').collect::<Vec<_>>()[..] {
            ["arn", _, "rds", region, _, "snapshot", name] => (RegionId::new(region), name),
            _ => (call.region.clone(), named),
        };
        // *Assumed*: what cannot be read on the other side is refused, not waited for.
        if faults.region_down(&from, call.now) {
            let message = format!("The snapshot {named} cannot be read in {from}");
            return Err(Refusal::bad("InvalidDBSnapshotState", message));
        }
        let source = find(self.instance_snapshots(&from, call.now, faults), name)?;
        if from != *call.region {
            need_key(form, call.region)?;
        }
        let running = self.manual.iter().filter(|copy| copy.region == *call.region && copy.copied_from.is_some());
        if running.filter(|copy| copy.percent(call.now, faults) < 100).count() >= COPIES_AT_ONCE {
            let message = format!("{COPIES_AT_ONCE} snapshot copies to {} are in progress", call.region);
            return Err(Refusal::bad("SnapshotQuotaExceeded", message));
        }
        let arn = snapshot_arn(&from, call.account, &source.id);
        let copy = ManualSnapshot {
            id: id.to_owned(),
            region: call.region.clone(),
            source: source.source,
            storage_gib: source.storage_gib,
            requested: call.now,
            takes: copying(self.seed, id, source.storage_gib),
            original: source.original,
            copied_from: Some((arn, from)),
            tags: tags(form),
            deleted: None,
        };
        self.manual.push(copy);
        Ok((self.tell_snapshot("CopyDBSnapshot", id, call, faults), Effect::Changed))
    }

    pub(super) fn restore_snapshot(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let (id, from) = (needed(form, "DBInstanceIdentifier")?, needed(form, "DBSnapshotIdentifier")?);
        self.free_name(id, call, faults)?;
        let name = from.splitn(7, ':').nth(6).unwrap_or(from);
        let snapshot = find(self.instance_snapshots(call.region, call.now, faults), name)?;
        self.make(id, Filled::Snapshot, snapshot.storage_gib, Some(snapshot.original), call, form);
        Ok((self.tell_instance("RestoreDBInstanceFromDBSnapshot", id, call, faults), Effect::Changed))
    }

    /// Documented: to `UseLatestRestorableTime` or to `RestoreTime`, of a source that has automated backups.
    pub(super) fn restore_point_in_time(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let id = needed(form, "TargetDBInstanceIdentifier")?;
        let from = needed(form, "SourceDBInstanceIdentifier")?;
        let source = self.known(from, call, faults)?;
        self.free_name(id, call, faults)?;
        let latest = self.restorable_until(source, call.now, faults).ok_or_else(|| {
            Refusal::bad("PointInTimeRestoreNotEnabled", format!("Point in time restore is not enabled for {from}"))
        })?;
        let asked = form.get("RestoreTime").map(|text| Timestamp::parse(text).ok_or(text));
        let data_time = match (form.flag("UseLatestRestorableTime"), asked) {
            (Some(true), None) => latest,
            (None | Some(false), Some(Ok(time))) if time <= latest => time,
            (None | Some(false), Some(Ok(time))) => {
                let message = format!("{} is after the latest restorable time {}", time.rfc3339(), latest.rfc3339());
                return Err(Refusal::bad("InvalidParameterValue", message));
            }
            (_, Some(Err(text))) => {
                return Err(Refusal::bad("InvalidParameterValue", format!("RestoreTime: {text} is not a time")));
            }
            _ => {
                let message = "Give one of UseLatestRestorableTime and RestoreTime";
                return Err(Refusal::bad("InvalidParameterCombination", message));
            }
        };
        let gib = source.storage_gib;
        self.make(id, Filled::PointInTime, gib, Some(data_time), call, form);
        Ok((self.tell_instance("RestoreDBInstanceToPointInTime", id, call, faults), Effect::Changed))
    }

    fn make(&mut self, id: &str, filled: Filled, gib: u64, data_time: Option<Timestamp>, call: &Call, form: &Form) {
        let mut made = Instance::seeded(id, call.region, call.account, Place::Alone, call.now, self.seed);
        made.creating = Some(filled.takes(self.seed, id, gib));
        (made.storage_gib, made.data_time, made.protected) = (gib, data_time, false);
        if let Some(class) = form.get("DBInstanceClass") {
            class.clone_into(&mut made.class);
        }
        made.tags = tags(form);
        self.instances.push(made);
    }

    /// Called in the replica's Region with the source's ARN; the source must have automated backups (documented).
    pub(super) fn create_replica(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let (id, arn) = (needed(form, "DBInstanceIdentifier")?, needed(form, "SourceDBInstanceIdentifier")?);
        self.free_name(id, call, faults)?;
        let source_region = match arn.splitn(7, ':').collect::<Vec<_>>()[..] {
            ["arn", _, "rds", region, _, "db", _] => RegionId::new(region),
            _ => call.region.clone(),
        };
        // *Assumed*: as with the copy of a snapshot.
        if faults.region_down(&source_region, call.now) {
            return Err(wrong_state(format!("{arn} cannot be reached in {source_region}")));
        }
        let source = self.instance(&source_region, arn, call.now, faults).ok_or_else(|| no_instance(arn))?;
        let status = self.instance_status(source, call.now, faults);
        if source.retention(call.now, faults) == 0 || !["available", "backing-up"].contains(&status) {
            return Err(wrong_state(format!("{arn} is {status}, or has no automated backups")));
        }
        let kms_key =
            if source_region == *call.region { source.kms_key.clone() } else { Some(need_key(form, call.region)?) };
        let (source_arn, gib) = (source.arn(), source.storage_gib);
        let place = Place::Replica { source_arn, source_region };
        let mut made = Instance::seeded(id, call.region, call.account, place, call.now, self.seed);
        made.creating = Some(Filled::Replication.takes(self.seed, id, gib));
        (made.storage_gib, made.kms_key, made.protected, made.tags) = (gib, kms_key, false, tags(form));
        if let Some(class) = form.get("DBInstanceClass") {
            class.clone_into(&mut made.class);
        }
        self.instances.push(made);
        Ok((self.tell_instance("CreateDBInstanceReadReplica", id, call, faults), Effect::Changed))
    }

    /// Documented: with a final snapshot unless it is said otherwise; a protected instance is not deleted.
    pub(super) fn delete_instance(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let id = needed(form, "DBInstanceIdentifier")?;
        let instance = self.known(id, call, faults)?;
        let status = self.instance_status(instance, call.now, faults);
        if status == "deleting" {
            return Err(wrong_state(format!("DB Instance {id} is already being deleted")));
        }
        if instance.protected {
            let message = "Cannot delete protected DB Instance, please disable deletion protection and try again.";
            return Err(Refusal::bad("InvalidParameterCombination", message));
        }
        let skip = form.flag("SkipFinalSnapshot").unwrap_or(false);
        match (skip, form.get("FinalDBSnapshotIdentifier")) {
            (true, None) => {}
            (false, Some(last)) => {
                self.free_snapshot(last, call, faults)?;
                if status == "creating" || instance.replicates(call.now, faults) {
                    return Err(wrong_state(format!("DB Instance {id} is {status}: no final snapshot can be taken")));
                }
                let last = ManualSnapshot {
                    id: last.to_owned(),
                    region: call.region.clone(),
                    source: instance.id.clone(),
                    storage_gib: instance.storage_gib,
                    requested: call.now,
                    takes: taking(self.seed, last, instance.storage_gib),
                    original: call.now,
                    copied_from: None,
                    tags: Vec::new(),
                    deleted: None,
                };
                self.manual.push(last);
            }
            _ => {
                let message = "Give FinalDBSnapshotIdentifier unless SkipFinalSnapshot is true, and not both";
                return Err(Refusal::bad("InvalidParameterCombination", message));
            }
        }
        let gone = self.instances.iter_mut().rfind(|known| known.id == id && known.region == *call.region);
        if let Some(gone) = gone {
            gone.deleted = Some(call.now);
        }
        Ok((self.tell_instance("DeleteDBInstance", id, call, faults), Effect::Changed))
    }
}

fn no_instance(id: &str) -> Refusal {
    Refusal::missing("DBInstanceNotFound", format!("DBInstance {id} not found."))
}

fn wrong_state(message: String) -> Refusal {
    Refusal::bad("InvalidDBInstanceState", message)
}

fn find(snapshots: Vec<Snapshot>, name: &str) -> Result<Snapshot, Refusal> {
    match snapshots.into_iter().find(|snapshot| snapshot.id == name) {
        None => Err(Refusal::missing("DBSnapshotNotFound", format!("DBSnapshot {name} not found."))),
        Some(snapshot) if snapshot.percent < 100 => {
            Err(Refusal::bad("InvalidDBSnapshotState", format!("DBSnapshot {name} is not available")))
        }
        Some(snapshot) => Ok(snapshot),
    }
}

fn retention(form: &Form) -> Result<Option<u32>, Refusal> {
    let Some(text) = form.get("BackupRetentionPeriod") else { return Ok(None) };
    let days = text.parse().ok().filter(|days| *days <= RETENTION_MAX);
    days.map(Some).ok_or_else(|| {
        Refusal::bad("InvalidParameterValue", format!("Invalid backup retention period: {text}. Must be 0 to 35"))
    })
}

/// Known: letters, digits and single hyphens, first a letter, last no hyphen.
fn valid(id: &str) -> Result<(), Refusal> {
    let letters = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let shape = id.starts_with(|c: char| c.is_ascii_alphabetic()) && !id.ends_with('-') && !id.contains("--");
    if letters && shape && id.len() <= 255 {
        return Ok(());
    }
    Err(Refusal::bad("InvalidParameterValue", format!("{id} is not a valid identifier")))
}
