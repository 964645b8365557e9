//! What the past left behind in RDS: events and snapshots, as functions of time.

use std::time::Duration;

use super::{
    DAY, Place, RETENTION_DAYS, Rds,
    global::{Ending, MoveKind},
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
const TO_THE_MINUTE: usize = 16;
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
    /// 0..=100; `creating` below 100.
    pub percent: u32,
    pub copied_from: Option<String>,
    pub storage_gib: u64,
}

/// One nightly backup.
struct Night {
    begins: Timestamp,
    ends: Timestamp,
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

    /// `backing-up` during the nightly backup, else `available` (documented words of `DBInstanceStatus`).
    #[must_use]
    pub fn instance_status(&self, id: &str, region: &RegionId, at: Timestamp, faults: &Faults) -> &'static str {
        let busy = self.nights(id, region, at - DAY, at, faults).iter().any(|night| at < night.ends);
        if busy { "backing-up" } else { "available" }
    }

    /// Events of one Region from `from` (inclusive) to `until` (exclusive), oldest first.
    #[must_use]
    pub fn events(&self, region: &RegionId, from: Timestamp, until: Timestamp, faults: &Faults) -> Vec<Event> {
        let mut events = Vec::new();
        for instance in self.instances.values().filter(|instance| instance.region == *region) {
            if !matches!(instance.place, Place::Alone { .. }) {
                continue;
            }
            let event = |at, message: &str| Event {
                at,
                source: instance.id.clone(),
                source_type: "db-instance",
                arn: instance.arn(),
                category: "backup",
                message: message.to_owned(),
            };
            for night in self.nights(&instance.id, region, from - DAY, until, faults) {
                events.push(event(night.begins, "Backing up DB instance"));
                events.push(event(night.ends, "Finished DB Instance backup"));
            }
        }
        for global in self.globals.values() {
            for member in global.members.iter().filter(|member| member.region == *region) {
                for night in self.nights(&member.cluster, region, from - DAY, until, faults) {
                    for (at, message) in [
                        (night.begins, "Creating automated cluster snapshot"),
                        (night.ends, "Automated cluster snapshot created"),
                    ] {
                        events.push(cluster_event(
                            at,
                            member.cluster.clone(),
                            member.arn(),
                            "backup",
                            message.to_owned(),
                        ));
                    }
                }
            }
            Self::move_events(global, region, faults, &mut events);
        }
        events.retain(|event| event.at >= from && event.at < until);
        events.sort_by(|a, b| (a.at, &a.source, &a.message).cmp(&(b.at, &b.source, &b.message)));
        events
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

    /// Snapshots of DB instances in the Region that exist at that moment, by identifier.
    #[must_use]
    pub fn instance_snapshots(&self, region: &RegionId, at: Timestamp, faults: &Faults) -> Vec<Snapshot> {
        let alone = |instance: &&super::Instance| matches!(instance.place, Place::Alone { .. });
        let here = self.instances.values().filter(|instance| instance.region == *region).filter(alone);
        let mut snapshots: Vec<Snapshot> =
            here.flat_map(|instance| self.nightly(&instance.id, region, instance.storage_gib, at, faults)).collect();
        snapshots.sort_by(|a, b| a.id.cmp(&b.id));
        snapshots
    }

    /// Snapshots of DB clusters in the Region that exist at that moment, by identifier.
    #[must_use]
    pub fn cluster_snapshots(&self, region: &RegionId, at: Timestamp, faults: &Faults) -> Vec<Snapshot> {
        let mut snapshots = Vec::new();
        for global in self.globals.values() {
            for member in global.members.iter().filter(|member| member.region == *region) {
                snapshots.extend(self.nightly(&member.cluster, region, 500, at, faults));
            }
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
                        percent: progress(at.since(created), SNAPSHOT_TAKES),
                        copied_from: None,
                        storage_gib: 500,
                    });
                }
            }
        }
        for copy in self.copies.iter().filter(|copy| copy.region == *region && copy.requested <= at) {
            snapshots.push(Snapshot {
                id: copy.id.clone(),
                source: copy.cluster.clone(),
                kind: "manual",
                created: copy.requested,
                percent: progress(at.since(copy.requested), copy.takes),
                copied_from: Some(copy.source_arn.clone()),
                storage_gib: 500,
            });
        }
        snapshots.sort_by(|a, b| a.id.cmp(&b.id));
        snapshots
    }

    fn nightly(&self, id: &str, region: &RegionId, gib: u64, at: Timestamp, faults: &Faults) -> Vec<Snapshot> {
        let nights = self.nights(id, region, at - DAY * RETENTION_DAYS, at, faults);
        let snapshot = |night: &Night| Snapshot {
            id: format!("rds:{id}-{}", stamp_to(night.begins, TO_THE_MINUTE)),
            source: id.to_owned(),
            kind: "automated",
            created: night.begins,
            percent: progress(at.since(night.begins), night.ends.since(night.begins)),
            copied_from: None,
            storage_gib: gib,
        };
        nights.iter().map(snapshot).collect()
    }
}

fn cluster_event(at: Timestamp, source: String, arn: String, category: &'static str, message: String) -> Event {
    Event { at, source, source_type: "db-cluster", arn, category, message }
}

fn progress(elapsed: Duration, takes: Duration) -> u32 {
    (elapsed.as_secs_f64() / takes.as_secs_f64().max(1.0) * 100.0).clamp(0.0, 100.0) as u32
}

/// The first characters of `2026-11-20-09-02-07`.
fn stamp_to(at: Timestamp, characters: usize) -> String {
    let text = at.rfc3339();
    text[..characters].replace(['T', ':'], "-")
}
