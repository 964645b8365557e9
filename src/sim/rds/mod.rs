//! RDS and Aurora: what exists is seeded from the estate; what state it is in is a function of time, of the
//! moves that were asked for, and of the faults there were.
//!
//! [`global`] is the state machine of a global cluster, [`instance`] that of an instance; [`answer`] speaks awsQuery
//! and holds the reads, [`change`] and [`topology`] what changes something; [`history`] is what the past left behind
//! (events), [`snapshots`] what can be restored from.

use std::{collections::BTreeMap, time::Duration};

use super::{draw, gate::Faults};
use crate::domain::{Component, Estate, RegionId, Side, Timestamp};

pub mod answer;
mod change;
mod describe;
pub mod global;
pub mod history;
pub mod instance;
mod restored;
pub mod snapshots;
mod topology;

use global::{Global, Member};
use instance::{Instance, Place};
use snapshots::ManualSnapshot;

/// Documented: transaction logs go to S3 every five minutes (field guide 2.2).
const LOG_SHIPPING: Duration = Duration::from_mins(5);
/// Chosen: what the bank keeps.
pub const RETENTION_DAYS: u32 = 7;
pub const DAY: Duration = Duration::from_hours(24);

fn instance_arn(region: &RegionId, account: &str, id: &str) -> String {
    format!("arn:aws:rds:{region}:{account}:db:{id}")
}

/// Snapshots that a scheduler of the bank's own takes, and where it copies them (estate facts B: "every 15 minutes").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotSchedule {
    pub every: Duration,
    pub copied_to: Option<RegionId>,
}

/// A manual copy of a cluster snapshot that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotCopy {
    pub id: String,
    pub region: RegionId,
    pub cluster: String,
    pub source_arn: String,
    pub requested: Timestamp,
    pub takes: Duration,
    pub tags: Vec<(String, String)>,
    /// Gone from that moment on (*assumed*: at once).
    pub deleted: Option<Timestamp>,
}

impl SnapshotCopy {
    #[must_use]
    pub fn exists(&self, at: Timestamp) -> bool {
        self.requested <= at && self.deleted.is_none_or(|deleted| at < deleted)
    }
}

#[derive(Clone, Debug)]
pub struct Rds {
    pub seed: u64,
    /// When the bank created all this: long before the day that is simulated.
    pub created: Timestamp,
    /// By identifier.
    pub globals: BTreeMap<String, Global>,
    /// All there ever were, oldest first.
    pub instances: Vec<Instance>,
    /// Of clusters.
    pub copies: Vec<SnapshotCopy>,
    /// Of instances, made by somebody's call.
    pub manual: Vec<ManualSnapshot>,
}

impl Rds {
    #[must_use]
    pub fn new(estate: &Estate, seed: u64, start: Timestamp) -> Self {
        let created = start - DAY * 400;
        let mut rds = Self {
            seed,
            created,
            globals: BTreeMap::new(),
            instances: Vec::new(),
            copies: Vec::new(),
            manual: Vec::new(),
        };
        // The first component to name a database says what it is; those at home in the primary Region speak first, so
        // that what the way home calls an instance is still the replica that it is today.
        let mut components: Vec<&Component> = estate.apps.iter().flat_map(|app| &app.components).collect();
        components.sort_by_key(|component| component.params.side("side").unwrap_or(Side::Primary));
        for component in components {
            match component.kind {
                "aurora-global" => rds.seed_global(estate, component),
                "rds-instance" if made_by_a_runbook(estate, component) => {}
                "rds-instance" => rds.seed_instance(estate, component),
                "aws-backup" => rds.seed_protected(estate, component),
                _ => {}
            }
        }
        rds
    }

    fn seed_global(&mut self, estate: &Estate, component: &Component) {
        let Some(id) = component.params.text("global_cluster") else { return };
        let members: Vec<Member> = Side::BOTH
            .into_iter()
            .filter_map(|side| {
                let cluster = component.params.side_text("clusters", side)?;
                Some(Member::seeded(cluster, &estate.regions.get(side).id, &account(estate, side)))
            })
            .collect();
        for member in &members {
            let place = Place::InCluster { cluster: member.cluster.clone() };
            self.seeded(&format!("{}-1", member.cluster), &member.region, &member.account, place);
        }
        let global = Global { id: id.to_owned(), account: estate.expects_account.clone(), members, moves: Vec::new() };
        self.globals.entry(id.to_owned()).or_insert(global);
    }

    /// A replica lives in the other Region. That of an instance at home in the recovery Region is not there yet: it is
    /// what a way home makes.
    fn seed_instance(&mut self, estate: &Estate, component: &Component) {
        let params = &component.params;
        let Some(id) = params.text("instance") else { return };
        let side = params.side("side").unwrap_or(Side::Primary);
        let region = estate.regions.get(side).id.clone();
        let there = estate.regions.get(side.other()).id.clone();
        let account_here = account(estate, side);
        let gib = params.bytes("size").map(|bytes| bytes / (1 << 30));
        let schedule = params.duration("snapshot_every").map(|every| SnapshotSchedule {
            every,
            copied_to: params.flag("snapshot_copied").unwrap_or(false).then(|| there.clone()),
        });
        if let Some(replica) = params.text("replica").filter(|_| side == Side::Primary) {
            let source_arn = instance_arn(&region, &account_here, id);
            let place = Place::Replica { source_arn, source_region: region.clone() };
            if let Some(made) = self.seeded(replica, &there, &account(estate, side.other()), place) {
                made.storage_gib = gib.unwrap_or(made.storage_gib);
            }
        }
        if let Some(made) = self.seeded(id, &region, &account_here, Place::Alone) {
            made.storage_gib = gib.unwrap_or(made.storage_gib);
            made.schedule = schedule;
        }
    }

    /// A database that AWS Backup protects exists in RDS too.
    fn seed_protected(&mut self, estate: &Estate, component: &Component) {
        let Some(arn) = component.params.text("resource") else { return };
        let parts: Vec<&str> = arn.splitn(7, ':').collect();
        if let ["arn", _, "rds", region, account, "db", id] = parts[..] {
            let region = RegionId::new(region);
            let gib = component.params.bytes("size").map(|bytes| bytes / (1 << 30));
            if estate.regions.side_of(&region).is_some()
                && let Some(made) = self.seeded(id, &region, account, Place::Alone)
            {
                made.storage_gib = gib.unwrap_or(made.storage_gib);
            }
        }
    }

    /// Adds an instance that has always been there, unless it is known.
    fn seeded(&mut self, id: &str, region: &RegionId, account: &str, place: Place) -> Option<&mut Instance> {
        if self.instances.iter().any(|known| known.id == id && known.region == *region) {
            return None;
        }
        self.instances.push(Instance::seeded(id, region, account, place, self.created, self.seed));
        self.instances.last_mut()
    }

    /// Instances that the Region's API knows at that moment.
    pub fn instances_in<'a>(
        &'a self,
        region: &'a RegionId,
        at: Timestamp,
        faults: &'a Faults,
    ) -> impl Iterator<Item = &'a Instance> {
        self.instances.iter().filter(move |known| known.region == *region && known.exists(at, faults))
    }

    /// By identifier or ARN.
    #[must_use]
    pub fn instance(&self, region: &RegionId, name: &str, at: Timestamp, faults: &Faults) -> Option<&Instance> {
        let named = |known: &&Instance| known.id == name || known.arn() == name;
        self.instances.iter().filter(|known| known.region == *region && known.exists(at, faults)).find(named)
    }

    /// `DBInstanceStatus`: the instance's own, and `backing-up` while a backup of it is taken (documented words).
    #[must_use]
    pub fn instance_status(&self, instance: &Instance, at: Timestamp, faults: &Faults) -> &'static str {
        let own = instance.own_status(at, faults);
        if own != "available" {
            return own;
        }
        let nightly = || self.nights_of(instance, at - DAY, at, faults).iter().any(|night| at < night.ends);
        let by_hand = || {
            let mut taken = self.manual.iter().filter(|s| s.copied_from.is_none() && s.exists(at));
            taken.any(|s| s.source == instance.id && s.region == instance.region && s.percent(at, faults) < 100)
        };
        if nightly() || by_hand() { "backing-up" } else { own }
    }

    /// As [`Self::latest_restorable`], for an instance: none while its backups are off or its first is not done, and
    /// none on a replica (field guide 2.2).
    #[must_use]
    pub fn restorable_until(&self, instance: &Instance, at: Timestamp, faults: &Faults) -> Option<Timestamp> {
        let since = instance.backed_up_since(at, faults).filter(|_| instance.stands_alone(at, faults))?;
        let latest = self.latest_restorable(&instance.id, &instance.region, at, faults);
        (latest >= since).then_some(latest)
    }

    /// Whether replication into that instance runs: it follows a source that is there, and both Regions are up.
    #[must_use]
    pub fn replicating(&self, region: &RegionId, id: &str, at: Timestamp, faults: &Faults) -> bool {
        let Some(replica) = self.instance(region, id, at, faults) else { return false };
        let Place::Replica { source_arn, source_region } = &replica.place else { return false };
        replica.replicates(at, faults)
            && replica.created(at, faults)
            && !faults.region_down(source_region, at)
            && self.instance(source_region, source_arn, at, faults).is_some()
    }

    /// Newest moment one can restore to: the last log that was shipped, zero to five minutes ago, and no later
    /// than the Region's last sign of life. Documented (field guide 2.2); the phase is *assumed* per database.
    #[must_use]
    pub fn latest_restorable(&self, id: &str, region: &RegionId, at: Timestamp, faults: &Faults) -> Timestamp {
        let phase = draw::between(self.seed, &format!("log shipping {id}"), Duration::ZERO, LOG_SHIPPING);
        let alive = faults.last_up(region, at);
        let step = LOG_SHIPPING.as_millis() as i64;
        let phase = phase.as_millis() as i64;
        Timestamp::from_millis((alive.millis() - phase).div_euclid(step) * step + phase)
    }
}

/// Whether another component says that a restore makes it: then it is not there yet.
fn made_by_a_runbook(estate: &Estate, component: &Component) -> bool {
    let mut components = estate.apps.iter().flat_map(|app| &app.components);
    let own = component.params.text("instance");
    components.any(|other| other.id != component.id && other.params.text("recovery_instance") == own)
}

/// The account on a side.
#[must_use]
pub fn account(estate: &Estate, side: Side) -> String {
    estate.access.get(&side).and_then(|access| access.account.clone()).unwrap_or_else(|| estate.expects_account.clone())
}
