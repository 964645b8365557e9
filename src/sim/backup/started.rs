//! Jobs that calls started: what was asked for is kept, what became of it is a function of time and of the faults.

use std::time::Duration;

use super::schedule::{Job, Protected};
use crate::{
    domain::{RegionId, Timestamp, resource::JobKind},
    sim::{codec::Input, noise, surroundings::Surroundings},
};

/// *Assumed*: a job asked for by a call waits this long, in seconds.
const WAITS: (f64, f64) = (15.0, 45.0);
const TERABYTE: f64 = 1e12;

/// One accepted start.
#[derive(Clone, Debug)]
pub struct Started {
    pub kind: JobKind,
    pub id: String,
    /// Where it was started, and is listed.
    pub region: RegionId,
    pub of: Protected,
    pub role: String,
    pub token: Option<String>,
    /// The request, to tell a repeated one from another under the same token.
    pub asked: Input,
    pub requested: Timestamp,
    pub begins: Timestamp,
    pub takes: Duration,
    /// Vault of what it makes; of a restore, the vault of its point.
    pub vault: (RegionId, String),
    /// Of a copy.
    pub source_vault: Option<(RegionId, String)>,
    /// Of a copy and of a restore.
    pub source_point: Option<String>,
    /// Data time of that point.
    pub point_created: Option<Timestamp>,
    /// ARN of the point or resource that it makes.
    pub arn: String,
    pub retention_days: Option<u64>,
    /// Why it cannot succeed, known from the start.
    pub doomed: Option<String>,
    /// Of a restore: whether the resource was handed to its own service.
    pub handed_over: bool,
}

impl Started {
    /// *Assumed*, as for the runs of the schedule: an on-demand backup of 10 TB takes 8 min, a copy 24 min, a
    /// restore 35 min.
    pub fn takes(kind: JobKind, size: u64, seed: u64, id: &str) -> Duration {
        let terabytes = size as f64 / TERABYTE;
        let minutes = match kind {
            JobKind::Backup => 3.0 + 0.5 * terabytes,
            JobKind::Copy => 4.0 + 2.0 * terabytes,
            JobKind::Restore => 20.0 + 1.5 * terabytes,
        };
        Duration::from_secs_f64(60.0 * minutes * noise::between(0.9, 1.1, seed, &["started", id], 0))
    }

    pub fn waits(seed: u64, id: &str) -> Duration {
        Duration::from_secs_f64(noise::between(WAITS.0, WAITS.1, seed, &["started-waits", id], 0))
    }

    pub const fn makes_point(&self) -> bool {
        matches!(self.kind, JobKind::Backup | JobKind::Copy)
    }

    /// Data time of the point that it makes: a copy keeps that of its source (*documented*, field guide 0.1, fact 4).
    pub fn data_time(&self, begun: Option<Timestamp>) -> Option<Timestamp> {
        if self.kind == JobKind::Copy { self.point_created } else { begun }
    }

    /// The job as it stood at `now`.
    pub fn job(&self, now: Timestamp, around: &dyn Surroundings) -> Job {
        let mut job = Job::new(self.id.clone(), self.requested);
        job.work(self.begins, self.begins + self.takes, now, |at| self.trouble(at, around));
        job
    }

    fn trouble(&self, at: Timestamp, around: &dyn Surroundings) -> Option<String> {
        let vaults = std::iter::once(&self.vault).chain(&self.source_vault);
        for (region, vault) in vaults {
            if around.region_down(region, at) {
                return Some(format!("The job was interrupted: {region} could not be reached."));
            }
            if let Some(what) = around.vault_trouble(region, vault, at) {
                return Some(what.told(vault));
            }
        }
        if let Some(why) = self.doomed.as_ref().filter(|_| at >= self.begins) {
            return Some(why.clone());
        }
        around.job_failure(&self.of.arn, self.kind, at)
    }
}
