//! Databases that another service made out of a recovery point.

use super::{Instance, Place, Rds};
use crate::domain::{RegionId, Timestamp};

impl Rds {
    /// A restored DB instance exists from now on, alone and writable: who made it has waited for it. ARNs of anything
    /// else are not of this service.
    pub fn restored(&mut self, arn: &str, now: Timestamp, data_time: Option<Timestamp>, size_bytes: u64) {
        let parts: Vec<&str> = arn.splitn(7, ':').collect();
        if let ["arn", _, "rds", region, account, "db", id] = parts[..] {
            let mut made = Instance::seeded(id, &RegionId::new(region), account, Place::Alone, now, self.seed);
            made.storage_gib = size_bytes >> 30;
            made.data_time = data_time;
            made.protected = false;
            self.instances.push(made);
        }
    }
}
