//! RDS and Aurora: what exists is seeded from the estate; what state it is in is a function of time, of the
//! moves that were asked for, and of the faults there were.
//!
//! [`global`] is the state machine of a global cluster; [`answer`] speaks awsQuery; [`history`] is what the past
//! left behind (events, snapshots).

use std::{collections::BTreeMap, time::Duration};

use super::{draw, gate::Faults};
use crate::domain::{Component, Estate, RegionId, Side, Timestamp};

pub mod answer;
mod describe;
pub mod global;
pub mod history;
mod restored;

use global::{Global, Member};

/// Documented: transaction logs go to S3 every five minutes (field guide 2.2).
const LOG_SHIPPING: Duration = Duration::from_mins(5);
/// Chosen: what the bank keeps.
pub const RETENTION_DAYS: u32 = 7;
pub const DAY: Duration = Duration::from_hours(24);

/// A DB instance, of Aurora or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub id: String,
    pub region: RegionId,
    pub account: String,
    pub place: Place,
    /// GiB; zero for Aurora, whose storage belongs to the cluster.
    pub storage_gib: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Alone {
        /// ARN of its cross-Region replica.
        replica: Option<String>,
    },
    Replica {
        source_arn: String,
        source_region: RegionId,
    },
    InCluster {
        cluster: String,
    },
}

impl Instance {
    #[must_use]
    pub fn arn(&self) -> String {
        instance_arn(&self.region, &self.account, &self.id)
    }
}

fn instance_arn(region: &RegionId, account: &str, id: &str) -> String {
    format!("arn:aws:rds:{region}:{account}:db:{id}")
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
}

#[derive(Clone, Debug)]
pub struct Rds {
    pub seed: u64,
    /// When the bank created all this: long before the day that is simulated.
    pub created: Timestamp,
    /// By identifier.
    pub globals: BTreeMap<String, Global>,
    /// By Region and identifier.
    pub instances: BTreeMap<(RegionId, String), Instance>,
    pub copies: Vec<SnapshotCopy>,
}

impl Rds {
    #[must_use]
    pub fn new(estate: &Estate, seed: u64, start: Timestamp) -> Self {
        let created = start - DAY * 400;
        let mut rds = Self { seed, created, globals: BTreeMap::new(), instances: BTreeMap::new(), copies: Vec::new() };
        for component in estate.apps.iter().flat_map(|app| &app.components) {
            match component.kind {
                "aurora-global" => rds.seed_global(estate, component),
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
                let cluster = component.params.side_text("clusters", side)?.to_owned();
                Some(Member { cluster, region: estate.regions.get(side).id.clone(), account: account(estate, side) })
            })
            .collect();
        for member in &members {
            self.add(Instance {
                id: format!("{}-1", member.cluster),
                region: member.region.clone(),
                account: member.account.clone(),
                place: Place::InCluster { cluster: member.cluster.clone() },
                storage_gib: 0,
            });
        }
        let global = Global { id: id.to_owned(), account: estate.expects_account.clone(), members, moves: Vec::new() };
        self.globals.entry(id.to_owned()).or_insert(global);
    }

    fn seed_instance(&mut self, estate: &Estate, component: &Component) {
        let Some(id) = component.params.text("instance") else { return };
        let side = component.params.side("side").unwrap_or(Side::Primary);
        let region = estate.regions.get(side).id.clone();
        let account_here = account(estate, side);
        let there = estate.regions.recovery.id.clone();
        let replica = component.params.text("replica").filter(|_| there != region);
        let replica_arn = replica.map(|replica| instance_arn(&there, &account(estate, Side::Recovery), replica));
        if let Some(replica) = replica {
            self.add(Instance {
                id: replica.to_owned(),
                region: there,
                account: account(estate, Side::Recovery),
                place: Place::Replica {
                    source_arn: instance_arn(&region, &account_here, id),
                    source_region: region.clone(),
                },
                storage_gib: 500,
            });
        }
        let place = Place::Alone { replica: replica_arn };
        self.add(Instance { id: id.to_owned(), region, account: account_here, place, storage_gib: 500 });
    }

    /// A database that AWS Backup protects exists in RDS too.
    fn seed_protected(&mut self, estate: &Estate, component: &Component) {
        let Some(arn) = component.params.text("resource") else { return };
        let parts: Vec<&str> = arn.splitn(7, ':').collect();
        if let ["arn", _, "rds", region, account, "db", id] = parts[..] {
            let region = RegionId::new(region);
            if estate.regions.side_of(&region).is_some() && !self.instances.contains_key(&(region.clone(), id.into())) {
                let storage_gib = component.params.bytes("size").map_or(500, |bytes| bytes / (1 << 30));
                let place = Place::Alone { replica: None };
                self.add(Instance { id: id.to_owned(), region, account: account.to_owned(), place, storage_gib });
            }
        }
    }

    fn add(&mut self, instance: Instance) {
        self.instances.insert((instance.region.clone(), instance.id.clone()), instance);
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

/// The account on a side.
#[must_use]
pub fn account(estate: &Estate, side: Side) -> String {
    estate.access.get(&side).and_then(|access| access.account.clone()).unwrap_or_else(|| estate.expects_account.clone())
}
