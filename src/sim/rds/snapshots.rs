//! Snapshots of DB instances: the nightly ones, those of the bank's own scheduler, and those that somebody's call made.

use std::time::Duration;

use super::{
    DAY, RETENTION_DAYS, Rds, SnapshotSchedule,
    history::{Snapshot, TO_THE_MINUTE, automated, progress, stamp_to},
    instance::{Instance, by_size},
};
use crate::{
    domain::{RegionId, Timestamp},
    sim::{draw, gate::Faults},
};

const MINUTE: Duration = Duration::from_mins(1);
/// Chosen: what the bank's scheduler keeps. A day of quarters of an hour stays under the hundred manual snapshots that
/// an account may hold by default (known).
const SCHEDULED_KEPT: Duration = DAY;
/// *Assumed*: snapshots and copies are incremental; what they take grows with the size all the same.
const TAKING: (Duration, Duration) = (Duration::from_secs(80), Duration::from_mins(3));
const COPYING: (Duration, Duration) = (Duration::from_mins(4), Duration::from_mins(9));
const COPYING_PER_TIB: Duration = MINUTE;
/// Documented: copies in progress to one Region (field guide 2.3).
pub const COPIES_AT_ONCE: usize = 20;

/// A snapshot or copy that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualSnapshot {
    pub id: String,
    pub region: RegionId,
    /// Identifier of the instance.
    pub source: String,
    pub storage_gib: u64,
    pub requested: Timestamp,
    pub takes: Duration,
    /// What the data is as of.
    pub original: Timestamp,
    /// ARN and Region of the snapshot that it is a copy of.
    pub copied_from: Option<(String, RegionId)>,
    pub tags: Vec<(String, String)>,
    /// Gone from that moment on (*assumed*: at once).
    pub deleted: Option<Timestamp>,
}

impl ManualSnapshot {
    #[must_use]
    pub fn exists(&self, at: Timestamp) -> bool {
        self.requested <= at && self.deleted.is_none_or(|deleted| at < deleted)
    }

    /// It goes on while its Region is up, a copy while the source's is up too (*assumed*).
    #[must_use]
    pub fn percent(&self, at: Timestamp, faults: &Faults) -> u32 {
        let here = faults.uptime(&self.region, self.requested, at);
        let there = self.copied_from.as_ref().map(|(_, region)| faults.uptime(region, self.requested, at));
        progress(there.map_or(here, |there| here.min(there)), self.takes)
    }
}

/// How long a snapshot or a copy takes.
#[must_use]
pub fn taking(seed: u64, id: &str, gib: u64) -> Duration {
    draw::between(seed, &format!("snapshot {id}"), TAKING.0, TAKING.1) + by_size(MINUTE / 2, gib)
}

#[must_use]
pub fn copying(seed: u64, id: &str, gib: u64) -> Duration {
    draw::between(seed, &format!("copy {id}"), COPYING.0, COPYING.1) + by_size(COPYING_PER_TIB, gib)
}

#[must_use]
pub fn snapshot_arn(region: &RegionId, account: &str, id: &str) -> String {
    format!("arn:aws:rds:{region}:{account}:snapshot:{id}")
}

impl Rds {
    /// Snapshots of DB instances in the Region that exist at that moment, by identifier.
    #[must_use]
    pub fn instance_snapshots(&self, region: &RegionId, at: Timestamp, faults: &Faults) -> Vec<Snapshot> {
        // Automated backups go with their instance unless it is deleted otherwise (documented).
        let here = self.instances_in(region, at, faults);
        let mut snapshots: Vec<Snapshot> = here
            .flat_map(|instance| {
                let nights = self.nights_of(instance, at - DAY * RETENTION_DAYS, at, faults);
                nights.iter().map(|night| automated(&instance.id, night, instance.storage_gib, at)).collect::<Vec<_>>()
            })
            .collect();
        for instance in &self.instances {
            if let Some(schedule) = &instance.schedule {
                snapshots.extend(self.scheduled(instance, schedule, region, at, faults));
            }
        }
        let made = self.manual.iter().filter(|made| made.region == *region && made.exists(at));
        snapshots.extend(made.map(|made| Snapshot {
            id: made.id.clone(),
            source: made.source.clone(),
            kind: "manual",
            created: made.requested,
            original: made.original,
            percent: made.percent(at, faults),
            copied_from: made.copied_from.as_ref().map(|(arn, _)| arn.clone()),
            storage_gib: made.storage_gib,
            tags: made.tags.clone(),
        }));
        snapshots.sort_by(|a, b| a.id.cmp(&b.id));
        snapshots
    }

    /// What the bank's scheduler left in that Region: the snapshots where the instance lives, the copies where they
    /// go. One whose Region was dark on the way does not exist.
    fn scheduled(
        &self,
        instance: &Instance,
        schedule: &SnapshotSchedule,
        region: &RegionId,
        at: Timestamp,
        faults: &Faults,
    ) -> Vec<Snapshot> {
        let (home, copies) = (instance.region == *region, schedule.copied_to.as_ref() == Some(region));
        if !home && !copies || schedule.every.is_zero() {
            return Vec::new();
        }
        let every = schedule.every.as_millis() as i64;
        let phase = draw::between(self.seed, &format!("schedule {}", instance.id), Duration::ZERO, MINUTE);
        let begins = |n: i64| Timestamp::from_millis(n * every) + phase;
        let first = (at - SCHEDULED_KEPT).millis().div_euclid(every);
        let last = (at - phase).millis().div_euclid(every);
        let mut found = Vec::new();
        for begun in (first..=last).map(begins).filter(|begun| *begun >= instance.born) {
            let id = format!("{}-every-{}", instance.id, stamp_to(begun, TO_THE_MINUTE));
            let taken = begun + taking(self.seed, &id, instance.storage_gib);
            if faults.first_down(&instance.region, begun, taken).is_some() {
                continue;
            }
            let mut snapshot = Snapshot {
                id: id.clone(),
                source: instance.id.clone(),
                kind: "manual",
                created: begun,
                original: begun,
                percent: progress(at.since(begun), taken.since(begun)),
                copied_from: None,
                storage_gib: instance.storage_gib,
                tags: Vec::new(),
            };
            if home {
                found.push(snapshot);
                continue;
            }
            let copied = taken + copying(self.seed, &id, instance.storage_gib);
            let broken = |region| faults.first_down(region, taken, copied).is_some();
            if taken <= at && !broken(&instance.region) && !broken(region) {
                snapshot.copied_from = Some(snapshot_arn(&instance.region, &instance.account, &id));
                snapshot.created = taken;
                snapshot.percent = progress(at.since(taken), copied.since(taken));
                found.push(snapshot);
            }
        }
        found
    }
}
