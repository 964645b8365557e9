//! Recovery points and vaults: what the runs of the schedule have left behind at a moment.
//!
//! A copy carries the creation date of its source point (*documented*, field guide 0.1, fact 4); what is listed
//! in a Region is in a vault of that Region.

use crate::{
    domain::{Estate, RegionId, Side, Timestamp},
    sim::{
        backup::{
            schedule::{Protected, Run},
            started::Started,
        },
        surroundings::Surroundings,
    },
};

/// Who asked for a recovery point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    Plan,
    Call,
}

/// A recovery point in one vault.
#[derive(Clone, Debug)]
pub struct RecoveryPoint<'a> {
    pub of: &'a Protected,
    pub asked_by: AskedBy,
    /// Region and vault of the point that this one is a copy of.
    pub copied_from: Option<(&'a RegionId, &'a str)>,
    pub arn: String,
    pub vault: &'a str,
    /// `CREATING` or `COMPLETED`.
    pub status: &'static str,
    /// The data time.
    pub created: Timestamp,
    pub initiated: Timestamp,
    pub completed: Option<Timestamp>,
    /// `None`: kept until somebody deletes it.
    pub delete_at: Option<Timestamp>,
}

/// The points that calls made in the vaults of a Region.
pub fn started<'a>(
    all: &'a [Started],
    region: &'a RegionId,
    now: Timestamp,
    around: &'a dyn Surroundings,
) -> impl Iterator<Item = RecoveryPoint<'a>> {
    all.iter().filter(move |it| it.vault.0 == *region).filter_map(move |it| {
        let job = it.job(now, around);
        let status = match job.state {
            "RUNNING" => "CREATING",
            "COMPLETED" => "COMPLETED",
            _ => return None,
        };
        let created = it.data_time(job.begun)?;
        let delete_at = it.retention_days.map(|days| created + std::time::Duration::from_hours(24 * days));
        (it.makes_point() && delete_at.is_none_or(|at| now < at)).then(|| RecoveryPoint {
            of: &it.of,
            asked_by: AskedBy::Call,
            copied_from: it.source_vault.as_ref().map(|(region, vault)| (region, vault.as_str())),
            arn: it.arn.clone(),
            vault: &it.vault.1,
            status,
            created,
            initiated: job.created,
            completed: job.ended,
            delete_at,
        })
    })
}

/// The points of one resource in the vaults of a Region, newest first.
pub fn of<'a>(
    resource: &'a Protected,
    region: &'a RegionId,
    account: &'a str,
    from: Option<Timestamp>,
    now: Timestamp,
    around: &'a dyn Surroundings,
) -> impl Iterator<Item = RecoveryPoint<'a>> {
    let sides = [
        (resource.region == *region).then_some((false, resource.vault.as_str())),
        resource.copy_to.as_ref().filter(|(to, _)| to == region).map(|(_, vault)| (true, vault.as_str())),
    ];
    // A point is created within a start window of its run's schedule, so earlier runs cannot hold a newer point;
    // and what is older than the retention is gone.
    let kept = now - std::time::Duration::from_secs((86_400 * resource.retention_days).unsigned_abs());
    let earliest = from.map_or(kept, |from| from.max(kept)) - resource.start_window;
    let there = sides.into_iter().flatten().next();
    resource
        .runs(Some(earliest), now, around)
        .filter_map(move |run| there.and_then(|(copied, vault)| point(&run, copied, vault, account, now)))
}

fn point<'a>(run: &Run<'a>, copied: bool, vault: &'a str, account: &str, now: Timestamp) -> Option<RecoveryPoint<'a>> {
    let job = if copied { run.copy.as_ref()? } else { &run.backup };
    // The point of a job that failed is removed; while it runs it is there as CREATING (*assumed* for copies).
    let status = match job.state {
        "RUNNING" => "CREATING",
        "COMPLETED" => "COMPLETED",
        _ => return None,
    };
    let (initiated, completed) = (job.created, job.ended);
    let (created, delete_at) = (run.data_time()?, run.delete_at()?);
    (now < delete_at).then(|| RecoveryPoint {
        of: run.of,
        asked_by: AskedBy::Plan,
        copied_from: copied.then_some((&run.of.region, run.of.vault.as_str())),
        arn: run.point_arn(account, copied),
        vault,
        status,
        created,
        initiated,
        completed,
        delete_at: Some(delete_at),
    })
}

/// A vault of one Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    pub region: RegionId,
    pub name: String,
    /// Vault lock in compliance mode: nobody can shorten the retention of its points.
    pub locked: bool,
}

/// All vaults that components name. *Assumed*: the bank locks the vaults of the recovery side that take copies
/// (in the bundled estate: `bank-hyd`), and no other.
#[must_use]
pub fn vaults(estate: &Estate, protected: &[Protected]) -> Vec<Vault> {
    let mut vaults: Vec<Vault> = Vec::new();
    for component in estate.apps.iter().flat_map(|app| &app.components).filter(|c| c.kind == "aws-backup") {
        for side in Side::BOTH {
            let Some(name) = component.params.side_text("vaults", side) else { continue };
            let region = &estate.regions.get(side).id;
            let takes_copies =
                protected.iter().any(|p| p.copy_to.as_ref().is_some_and(|(to, vault)| to == region && vault == name));
            let vault =
                Vault { region: region.clone(), name: name.to_owned(), locked: side == Side::Recovery && takes_copies };
            if !vaults.contains(&vault) {
                vaults.push(vault);
            }
        }
    }
    vaults.sort_by(|a, b| (&a.region, &a.name).cmp(&(&b.region, &b.name)));
    vaults
}
