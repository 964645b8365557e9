//! What the past left behind in RDS: events, and the snapshots of clusters, as functions of time.

use std::time::Duration;

use super::{
    DAY, RETENTION_DAYS, Rds,
    global::{Ending, MoveKind},
    instance::{Instance, Place},
};
use crate::{
    domain::{RegionId, Timestamp},
    sim::{draw, gate::Faults},
};

/// Documented: events are kept for fourteen days.
pub const EVENTS_KEPT: Duration = Duration::from_hours(336);
/// *Assumed*: how long after the old Region is back the snapshot of its lost transactions appears, and takes.
const SNAPSHOT_AFTER: Duration = Duration::from_secs(30);
const SNAPSHOT_TAKES: Duration = Duration::from_mins(3);
/// Characters of a stamp in the names of snapshots.
pub const TO_THE_MINUTE: usize = 16;
const TO_THE_SECOND: usize = 19;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub at: Timestamp,
    pub source: String,
    /// `db-instance`, `db-cluster`.
    pub source_type: &'static str,
    pub arn: String,
    pub category: &'static str,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub id: String,
    /// Identifier of the instance or cluster.
    pub source: String,
    /// `automated` or `manual`.
    pub kind: &'static str,
    pub created: Timestamp,
    /// `OriginalSnapshotCreateTime`: survives the copy, `created` does not (field guide 1.3).
    pub original: Timestamp,
    /// 0..=100; `creating` below 100.
    pub percent: u32,
    /// ARN.
    pub copied_from: Option<String>,
    pub storage_gib: u64,
    pub tags: Vec<(String, String)>,
}

/// One nightly backup.
pub struct Night {
    pub begins: Timestamp,
    pub ends: Timestamp,
}

impl Rds {
    /// Nightly backups that began in `from..=until`. Documented: one a day in the backup window (field guide
    /// 0.2). A night on which the Region was dark has none. Length *assumed*.
    fn nights(&self, id: &str, region: &RegionId, from: Timestamp, until: Timestamp, faults: &Faults) -> Vec<Night> {
        let day = DAY.as_millis() as i64;
        let window = draw::between(self.seed, &format!("backup window {id}"), Duration::ZERO, DAY);
        let takes =
            draw::between(self.seed, &format!("backup takes {id}"), Duration::from_mins(4), Duration::from_mins(12));
        let first = (from.millis() - window.as_millis() as i64).div_euclid(day);
        let last = (until.millis() - window.as_millis() as i64).div_euclid(day);
        (first..=last)
            .map(|n| Timestamp::from_millis(n * day) + window)
            .filter(|begins| *begins >= from && *begins <= until)
            .map(|begins| Night { begins, ends: begins + takes })
            .filter(|night| faults.first_down(region, night.begins, night.ends).is_none())
            .collect()
    }

    /// Nightly backups of an instance: from its first backup on, none of a replica.
    pub fn nights_of(&self, instance: &Instance, from: Timestamp, until: Timestamp, faults: &Faults) -> Vec<Night> {
        match instance.backed_up_since(until, faults).filter(|_| instance.stands_alone(until, faults)) {
            Some(since) => self.nights(&instance.id, &instance.region, from.max(since), until, faults),
            None => Vec::new(),
        }
    }

    /// Events of one Region from `from` (inclusive) to `until` (exclusive), oldest first.
    #[must_use]
    pub fn events(&self, region: &RegionId, from: Timestamp, until: Timestamp, faults: &Faults) -> Vec<Event> {
        let mut events = Vec::new();
        for instance in self.instances.iter().filter(|instance| instance.region == *region) {
            self.instance_events(instance, from, until, faults, &mut events);
        }
        for (global, index) in self.clusters_in(region, until) {
            let member = &global.members[index];
            for night in self.nights(&member.cluster, region, from - DAY, until, faults) {
                for (at, message) in [
                    (night.begins, "Creating automated cluster snapshot"),
                    (night.ends, "Automated cluster snapshot created"),
                ] {
                    events.push(cluster_event(at, member.cluster.clone(), member.arn(), "backup", message.to_owned()));
                }
            }
        }
        for global in self.globals.values() {
            for member in global.members.iter().filter(|member| member.region == *region) {
                // *Assumed* text: the field guide names none for a detach.
                if let Some(left) = member.left {
                    let message = format!("DB cluster {} was removed from {}", member.cluster, global.id);
                    let gone = left.requested + left.takes;
                    events.push(cluster_event(gone, member.cluster.clone(), member.arn(), "global-failover", message));
                }
            }
            Self::move_events(global, region, faults, &mut events);
        }
        events.retain(|event| event.at >= from && event.at < until);
        events.sort_by(|a, b| (a.at, &a.source, &a.message).cmp(&(b.at, &b.source, &b.message)));
        events
    }

    /// Known texts; the one of a promotion is *assumed*.
    fn instance_events(
        &self,
        instance: &Instance,
        from: Timestamp,
        until: Timestamp,
        faults: &Faults,
        events: &mut Vec<Event>,
    ) {
        let mut tell = |at: Timestamp, category: &'static str, message: &str| {
            events.push(Event {
                at,
                source: instance.id.clone(),
                source_type: "db-instance",
                arn: instance.arn(),
                category,
                message: message.to_owned(),
            });
        };
        for night in self.nights_of(instance, from - DAY, until, faults) {
            tell(night.begins, "backup", "Backing up DB instance");
            tell(night.ends, "backup", "Finished DB Instance backup");
        }
        if let Some(creating) = instance.creating {
            let done = instance.born + creating;
            match &instance.place {
                Place::Alone => tell(done, "creation", "DB instance restored"),
                Place::Replica { .. } | Place::InCluster { .. } => tell(done, "creation", "DB instance created"),
            }
        }
        if let Some(promotion) = instance.promoted {
            tell(promotion.requested, "read replica", "Replication was stopped: the read replica is being promoted");
            tell(promotion.requested + Duration::from_secs(60), "availability", "DB instance restarted");
        }
        if let Some(deleted) = instance.deleted {
            tell(deleted + Duration::from_secs(60), "deletion", "DB instance deleted");
        }
    }

    /// Documented texts (RDS-EVENT-0181 … 0241), recorded on the target and, where it was reachable, on the old
    /// primary; fencing is reported as success or time-out (field guide 2.6). Moments *assumed*.
    fn move_events(global: &super::Global, region: &RegionId, faults: &Faults, events: &mut Vec<Event>) {
        for it in &global.moves {
            let (old, new) = (&global.members[it.from], &global.members[it.to]);
            let word = match it.kind {
                MoveKind::Switchover => "switchover",
                MoveKind::Failover => "failover",
            };
            let there = |name: &super::Member| format!("DB cluster {} in Region {}", name.cluster, name.region);
            let mut tell = |at: Timestamp, message: String| {
                let reachable = !faults.region_down(region, at);
                for member in [new, old].into_iter().filter(|member| member.region == *region && reachable) {
                    let category = if it.kind == MoveKind::Failover { "failover" } else { "global-failover" };
                    events.push(cluster_event(at, member.cluster.clone(), member.arn(), category, message.clone()));
                }
            };
            tell(it.requested, format!("Global {word} to {} started.", there(new)));
            match global.ending(it, faults) {
                Ending::Cancelled { ended, .. } => {
                    tell(ended, format!("Global {word} to {} is cancelled.", there(new)));
                }
                Ending::Done(done) => {
                    let fence = done - Duration::from_secs(5);
                    if it.kind == MoveKind::Switchover {
                        tell(fence, format!("Old primary {} successfully shut down.", there(old)));
                    } else if faults.region_down(&old.region, fence) {
                        tell(fence, format!("Fencing of writes on {} timed out.", there(old)));
                    } else {
                        tell(fence, format!("Writes on {} were fenced.", there(old)));
                    }
                    tell(done, format!("New primary {} was successfully promoted.", there(new)));
                    let finished = if it.kind == MoveKind::Switchover { "finished" } else { "completed" };
                    tell(done + Duration::from_secs(1), format!("Global {word} to {} {finished}.", there(new)));
                    if let Some(rejoined) = global.rejoined(it, done, faults) {
                        let begins = rejoined - it.resync;
                        tell(begins, format!("Started resynchronizing members of {} post global {word}.", there(old)));
                        tell(
                            rejoined,
                            format!("Finished resynchronizing members of {} post global {word}.", there(old)),
                        );
                    }
                }
            }
        }
    }

    /// Snapshots of DB clusters in the Region that exist at that moment, by identifier.
    #[must_use]
    pub fn cluster_snapshots(&self, region: &RegionId, at: Timestamp, faults: &Faults) -> Vec<Snapshot> {
        let clusters = self.clusters_in(region, at).into_iter();
        let mut snapshots: Vec<Snapshot> =
            clusters.flat_map(|(global, n)| self.nightly(&global.members[n].cluster, region, at, faults)).collect();
        for global in self.globals.values() {
            for (it, done) in global.done(at, faults) {
                let old = &global.members[it.from];
                if it.kind == MoveKind::Switchover || old.region != *region {
                    continue;
                }
                // Documented: left in the old Region, of the old volume, subject to its retention (field guide
                // 2.6). *Assumed*: it begins when that Region is back. The stamp's form is assumed too.
                let Some(back) = faults.first_up(region, done) else { continue };
                let created = back + SNAPSHOT_AFTER;
                if created <= at && at < created + DAY * RETENTION_DAYS {
                    snapshots.push(Snapshot {
                        id: format!("rds:unplanned-global-failover-{}-{}", old.cluster, stamp_to(done, TO_THE_SECOND)),
                        source: old.cluster.clone(),
                        kind: "automated",
                        created,
                        original: created,
                        tags: Vec::new(),
                        percent: progress(at.since(created), SNAPSHOT_TAKES),
                        copied_from: None,
                        storage_gib: 500,
                    });
                }
            }
        }
        for copy in self.copies.iter().filter(|copy| copy.region == *region && copy.exists(at)) {
            snapshots.push(Snapshot {
                id: copy.id.clone(),
                source: copy.cluster.clone(),
                kind: "manual",
                created: copy.requested,
                original: copy.requested,
                tags: copy.tags.clone(),
                percent: progress(at.since(copy.requested), copy.takes),
                copied_from: Some(copy.source_arn.clone()),
                storage_gib: 500,
            });
        }
        snapshots.sort_by(|a, b| a.id.cmp(&b.id));
        snapshots
    }

    fn nightly(&self, cluster: &str, region: &RegionId, at: Timestamp, faults: &Faults) -> Vec<Snapshot> {
        let nights = self.nights(cluster, region, at - DAY * RETENTION_DAYS, at, faults);
        nights.iter().map(|night| automated(cluster, night, 500, at)).collect()
    }
}

/// The snapshot of one night, named as AWS names it.
pub fn automated(id: &str, night: &Night, gib: u64, at: Timestamp) -> Snapshot {
    Snapshot {
        id: format!("rds:{id}-{}", stamp_to(night.begins, TO_THE_MINUTE)),
        source: id.to_owned(),
        kind: "automated",
        created: night.begins,
        original: night.begins,
        percent: progress(at.since(night.begins), night.ends.since(night.begins)),
        copied_from: None,
        storage_gib: gib,
        tags: Vec::new(),
    }
}

fn cluster_event(at: Timestamp, source: String, arn: String, category: &'static str, message: String) -> Event {
    Event { at, source, source_type: "db-cluster", arn, category, message }
}

pub fn progress(elapsed: Duration, takes: Duration) -> u32 {
    (elapsed.as_secs_f64() / takes.as_secs_f64().max(1.0) * 100.0).clamp(0.0, 100.0) as u32
}

/// The first characters of `2026-11-20-09-02-07`.
pub fn stamp_to(at: Timestamp, characters: usize) -> String {
    let text = at.rfc3339();
    text[..characters].replace(['T', ':'], "-")
}
