//! One DB instance from its making to its end, as a function of time: `creating`, `modifying`, `backing-up`,
//! `available`, a promotion with its reboot, `deleting`.
//!
//! AWS says "minutes, longer by size" for most of this (field guide 2.2 to 2.6); the figures here are *assumed* and
//! chosen so that a 10 TiB restore takes longer than the thirty minutes at which AWS's own waiter gives up. Work
//! stands still while the Region is dark (*assumed*).

use std::time::Duration;

use super::{RETENTION_DAYS, SnapshotSchedule};
use crate::{
    domain::{RegionId, Timestamp},
    sim::{draw, gate::Faults},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
/// *Assumed*: parameter group, security groups and password after the storage is there.
const MODIFYING: Duration = Duration::from_secs(50);
/// *Assumed*: until the instance is gone from the lists.
const DELETING: (Duration, Duration) = (Duration::from_mins(2), Duration::from_mins(4));
/// *Assumed*: a promotion first stops the replication, then reboots (documented that it does).
const STOPPING_REPLICATION: Duration = Duration::from_secs(25);
const REBOOT: (Duration, Duration) = (Duration::from_secs(50), Duration::from_secs(95));

/// A DB instance, of Aurora or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub id: String,
    pub region: RegionId,
    pub account: String,
    /// As it was made; a replica that was promoted stays one here, see [`Instance::replicates`].
    pub place: Place,
    /// GiB; zero for Aurora, whose storage belongs to the cluster.
    pub storage_gib: u64,
    pub class: String,
    /// Days; zero: automated backups are off. A promotion says its own.
    pub retention_days: u32,
    pub kms_key: Option<String>,
    pub protected: bool,
    pub tags: Vec<(String, String)>,
    pub born: Timestamp,
    /// How long `creating` took; `None` for what is older than the simulation.
    pub creating: Option<Duration>,
    /// What the data is as of, where it came from a backup.
    pub data_time: Option<Timestamp>,
    pub promoted: Option<Promotion>,
    pub deleted: Option<Timestamp>,
    pub schedule: Option<SnapshotSchedule>,
    pub seed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Alone,
    Replica { source_arn: String, source_region: RegionId },
    InCluster { cluster: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promotion {
    pub requested: Timestamp,
    pub retention_days: u32,
}

/// What a new instance's storage is filled from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    Snapshot,
    PointInTime,
    Replication,
    /// An instance of Aurora: the storage is the cluster's.
    Cluster,
}

impl Filled {
    /// How long `creating` takes for so many GiB. *Assumed*, see above.
    #[must_use]
    pub fn takes(self, seed: u64, what: &str, gib: u64) -> Duration {
        let (low, high, per_tib) = match self {
            Self::Snapshot => (MINUTE * 6, MINUTE * 9, MINUTE * 3),
            Self::PointInTime => (MINUTE * 8, MINUTE * 14, MINUTE * 4),
            Self::Replication => (MINUTE * 9, MINUTE * 15, MINUTE * 6),
            Self::Cluster => (MINUTE * 4, MINUTE * 6, Duration::ZERO),
        };
        draw::between(seed, &format!("creating {what}"), low, high) + by_size(per_tib, gib)
    }
}

/// So long per TiB.
#[must_use]
pub fn by_size(per_tib: Duration, gib: u64) -> Duration {
    per_tib.mul_f64(gib as f64 / 1024.0)
}

impl Instance {
    #[must_use]
    pub fn arn(&self) -> String {
        super::instance_arn(&self.region, &self.account, &self.id)
    }

    fn worked(&self, since: Timestamp, at: Timestamp, faults: &Faults) -> Duration {
        faults.uptime(&self.region, since, at)
    }

    /// Whether the API knew it at that moment.
    #[must_use]
    pub fn exists(&self, at: Timestamp, faults: &Faults) -> bool {
        let gone = |deleted: Timestamp| {
            let takes = draw::between(self.seed, &format!("deleting {}", self.id), DELETING.0, DELETING.1);
            deleted <= at && self.worked(deleted, at, faults) >= takes
        };
        self.born <= at && !self.deleted.is_some_and(gone)
    }

    fn first_backup(&self) -> Duration {
        MINUTE * 2 + by_size(MINUTE, self.storage_gib)
    }

    fn reboot(&self) -> Duration {
        draw::between(self.seed, &format!("reboot {}", self.id), REBOOT.0, REBOOT.1)
            + by_size(SECOND * 10, self.storage_gib)
    }

    /// Whether it exists and its making is over.
    #[must_use]
    pub fn created(&self, at: Timestamp, faults: &Faults) -> bool {
        self.exists(at, faults) && self.creating.is_none_or(|takes| self.worked(self.born, at, faults) >= takes)
    }

    /// Whether it follows a source: a replica until its promotion has rebooted it.
    #[must_use]
    pub fn replicates(&self, at: Timestamp, faults: &Faults) -> bool {
        matches!(self.place, Place::Replica { .. }) && !self.stands_alone(at, faults)
    }

    /// Whether it takes writes of its own and can be restored to a point in time.
    #[must_use]
    pub fn stands_alone(&self, at: Timestamp, faults: &Faults) -> bool {
        match &self.place {
            Place::Alone => true,
            Place::InCluster { .. } => false,
            Place::Replica { .. } => self.promotion(at).is_some_and(|promotion| {
                self.worked(promotion.requested, at, faults) >= STOPPING_REPLICATION + self.reboot()
            }),
        }
    }

    fn promotion(&self, at: Timestamp) -> Option<Promotion> {
        self.promoted.filter(|promotion| promotion.requested <= at)
    }

    #[must_use]
    pub fn retention(&self, at: Timestamp, faults: &Faults) -> u32 {
        match (&self.place, self.promotion(at)) {
            (Place::Replica { .. }, Some(promotion)) if self.stands_alone(at, faults) => promotion.retention_days,
            (Place::Replica { .. }, _) => 0,
            _ => self.retention_days,
        }
    }

    /// From when on backups of it are taken; `None`: not yet, or never.
    #[must_use]
    pub fn backed_up_since(&self, at: Timestamp, faults: &Faults) -> Option<Timestamp> {
        if self.retention(at, faults) == 0 {
            return None;
        }
        let (since, work) = match (self.promotion(at), self.creating) {
            (Some(promotion), _) => (promotion.requested, STOPPING_REPLICATION + self.reboot() + self.first_backup()),
            (None, Some(creating)) => (self.born, creating + MODIFYING + self.first_backup()),
            (None, None) => return Some(self.born),
        };
        (self.worked(since, at, faults) >= work).then(|| since + work)
    }

    /// `DBInstanceStatus` as far as the instance itself says; backups on top of it are the caller's to add.
    #[must_use]
    pub fn own_status(&self, at: Timestamp, faults: &Faults) -> &'static str {
        if self.deleted.is_some_and(|deleted| deleted <= at) {
            return "deleting";
        }
        if let Some(stuck) = faults.stuck(&self.id, at) {
            return stuck;
        }
        if let Some(promotion) = self.promotion(at) {
            let worked = self.worked(promotion.requested, at, faults);
            let (stopped, rebooted) = (STOPPING_REPLICATION, STOPPING_REPLICATION + self.reboot());
            return match promotion.retention_days {
                _ if worked < stopped => "modifying",
                _ if worked < rebooted => "rebooting",
                days if days > 0 && worked < rebooted + self.first_backup() => "backing-up",
                _ => "available",
            };
        }
        let Some(creating) = self.creating else { return "available" };
        let worked = self.worked(self.born, at, faults);
        if worked < creating {
            return "creating";
        }
        match self.place {
            Place::Alone if worked < creating + MODIFYING => "modifying",
            Place::Alone if self.retention_days > 0 && worked < creating + MODIFYING + self.first_backup() => {
                "backing-up"
            }
            _ => "available",
        }
    }

    /// One that was there before the simulation began.
    #[must_use]
    pub fn seeded(id: &str, region: &RegionId, account: &str, place: Place, born: Timestamp, seed: u64) -> Self {
        Self {
            id: id.to_owned(),
            region: region.clone(),
            account: account.to_owned(),
            storage_gib: if matches!(place, Place::InCluster { .. }) { 0 } else { 500 },
            retention_days: if matches!(place, Place::Replica { .. }) { 0 } else { RETENTION_DAYS },
            place,
            class: "db.r6g.2xlarge".to_owned(),
            kms_key: Some(format!("arn:aws:kms:{region}:{account}:key/{:016x}", draw::number(seed, region.as_str()))),
            protected: true,
            tags: Vec::new(),
            born,
            creating: None,
            data_time: None,
            promoted: None,
            deleted: None,
            schedule: None,
            seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fault::{Down, Fault, FaultKind};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn restored(gib: u64) -> Instance {
        let mut made = Instance::seeded("drill-core", &"ap-south-2".into(), "111122223333", Place::Alone, at(1_000), 7);
        made.storage_gib = gib;
        made.creating = Some(Filled::Snapshot.takes(7, &made.id, gib));
        made
    }

    #[test]
    fn a_restored_database_is_created_modified_and_backed_up_before_it_is_available() {
        let (made, faults) = (restored(500), Faults::default());
        let mut seen: Vec<&str> = (0..3_600).step_by(5).map(|s| made.own_status(at(1_000 + s), &faults)).collect();
        seen.dedup();
        assert_eq!(seen, ["creating", "modifying", "backing-up", "available"]);
        assert!(!made.exists(at(999), &faults), "history stays as it was");
        assert!(restored(10_240).creating > Some(MINUTE * 30), "longer than the waiter of AWS waits");
    }

    #[test]
    fn a_promotion_reboots_backs_up_and_only_then_is_the_instance_its_own() {
        let source_arn = "arn:aws:rds:ap-south-1:111122223333:db:core".to_owned();
        let place = Place::Replica { source_arn, source_region: "ap-south-1".into() };
        let mut replica = Instance::seeded("core-hyd", &"ap-south-2".into(), "111122223333", place, at(0), 7);
        let faults = Faults::default();
        assert_eq!((replica.retention(at(900), &faults), replica.replicates(at(900), &faults)), (0, true));
        replica.promoted = Some(Promotion { requested: at(1_000), retention_days: 7 });
        let mut seen: Vec<&str> = (0..3_600).step_by(5).map(|s| replica.own_status(at(1_000 + s), &faults)).collect();
        seen.dedup();
        assert_eq!(seen, ["modifying", "rebooting", "backing-up", "available"]);
        assert!(replica.replicates(at(1_010), &faults) && !replica.replicates(at(4_000), &faults));
        assert_eq!((replica.retention(at(4_000), &faults), replica.retention(at(900), &faults)), (7, 0));
    }

    #[test]
    fn work_waits_for_a_dark_region_and_what_is_deleted_goes_after_a_while() {
        let (mut made, mut faults) = (restored(500), Faults::default());
        let kind = FaultKind::RegionDown { region: "ap-south-2".into(), how: Down::Blackhole };
        let fault = Fault { id: 0, kind, from: Some(at(1_010)), until: Some(at(90_000)) };
        faults.inject(fault, at(1_010), &["ap-south-2".into()]).unwrap();
        assert_eq!(made.own_status(at(90_000), &faults), "creating");
        assert_eq!(made.own_status(at(93_600), &faults), "available");
        made.deleted = Some(at(94_000));
        assert_eq!((made.own_status(at(94_001), &faults), made.exists(at(94_001), &faults)), ("deleting", true));
        assert!(!made.exists(at(94_300), &faults));
    }
}
