//! Databases that another service made out of a recovery point.

use super::{Instance, Place, Rds};
use crate::domain::RegionId;

impl Rds {
    /// A restored DB instance exists from now on, alone and writable. ARNs of anything else are not of this service.
    pub fn restored(&mut self, arn: &str, _source_arn: &str, size_bytes: u64) {
        let parts: Vec<&str> = arn.splitn(7, ':').collect();
        if let ["arn", _, "rds", region, account, "db", id] = parts[..] {
            self.add(Instance {
                id: id.to_owned(),
                region: RegionId::new(region),
                account: account.to_owned(),
                place: Place::Alone { replica: None },
                storage_gib: size_bytes >> 30,
            });
        }
    }
}
