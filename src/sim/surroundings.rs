//! What the models of metrics and backups need to know of the rest of the simulated world, at any past moment.
//!
//! The models are functions of time; they keep no state that this view could contradict. Implemented by the
//! world; tests use a small one of their own.

use std::time::Duration;

use crate::domain::{AppId, RegionId, Timestamp, resource::JobKind};

/// What is wrong with a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultTrouble {
    /// It does not exist.
    Missing,
    /// Its KMS key is disabled or out of reach: nothing can be written to it or restored from it.
    KeyUnusable,
}

impl VaultTrouble {
    /// As the message of a job that fails of it (*assumed* wording).
    #[must_use]
    pub fn told(self, vault: &str) -> String {
        match self {
            Self::Missing => format!("Backup vault {vault} does not exist any more."),
            Self::KeyUnusable => format!("The KMS key of backup vault {vault} is disabled or cannot be accessed."),
        }
    }
}

pub trait Surroundings {
    /// Whether the workload of the Region was down at that moment.
    fn region_down(&self, region: &RegionId, at: Timestamp) -> bool;
    /// Lag added by faults to the stream named by cluster, instance, table, bucket or task id.
    fn extra_lag(&self, target: &str, at: Timestamp) -> Duration;
    /// Region of the writer of a global cluster at that moment; `None` while it moves or when unknown.
    fn writer(&self, global_cluster: &str, at: Timestamp) -> Option<RegionId>;
    /// Whether that read replica follows its source at that moment.
    fn replicating(&self, _region: &RegionId, _replica: &str, _at: Timestamp) -> bool {
        true
    }
    /// Share (0..=1) of the app's customers whom DNS sends to the Region.
    fn traffic_share(&self, app: &AppId, region: &RegionId, at: Timestamp) -> f64;
    /// Message with which jobs of that kind on that resource fail, if they do.
    fn job_failure(&self, resource: &str, kind: JobKind, at: Timestamp) -> Option<String>;
    /// What is wrong with the vault at that moment, if anything is.
    fn vault_trouble(&self, region: &RegionId, vault: &str, at: Timestamp) -> Option<VaultTrouble>;
    /// Bytes of the DB instance of that name, if there is one in the Region.
    fn database(&self, region: &RegionId, id: &str, at: Timestamp) -> Option<u64>;
}
