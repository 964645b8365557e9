//! A resource protected by AWS Backup: its recovery points in the vaults of both Regions.
//!
//! A copy keeps the creation date of its source point: that is the data time (field guide 0.1, fact 4).

use std::time::Duration;

use super::{Answers, ComponentCtx, Need, Observed, Probe, answers::newest_restorable, need::Payload};
use crate::domain::{
    Estate, Fact, RegionId, Timestamp,
    app::Role,
    fact::{PointSet, What},
    kind::{KindSpec, ParamShape, ParamSpec},
    region::Side,
    resource::Vault,
};

pub const SPEC: KindSpec = KindSpec {
    id: "aws-backup",
    title: "aws backup",
    observed: true,
    role: Role::Data,
    params: &[
        ParamSpec { name: "resource", shape: ParamShape::Arn, required: true, doc: "ARN of the protected resource." },
        ParamSpec {
            name: "vaults",
            shape: ParamShape::Sides,
            required: true,
            doc: "Backup vault names, one per side.",
        },
        ParamSpec {
            name: "size",
            shape: ParamShape::Size,
            required: false,
            doc: "Size of the data, for estimates of copies and restores.",
        },
        ParamSpec {
            name: "resource_type",
            shape: ParamShape::Text,
            required: false,
            doc: "Type as AWS Backup calls it: RDS, EC2, EBS, DynamoDB, EFS, ...",
        },
    ],
    region_lost: |_| Some((Side::Recovery, What::RecoveryPoints)),
    corrupted: |_| vec![(Side::Primary, What::RecoveryPoints), (Side::Recovery, What::RecoveryPoints)],
};

#[derive(Debug)]
pub struct AwsBackup;

const DAY: Duration = Duration::from_hours(24);

/// Points kept of one resource in one vault, newest first.
const POINTS_MAX: usize = 200;

/// How far back points are listed, the same for all vaults so that the list is read once: the longest retention,
/// at least two days, at most 35.
fn days_back(estate: &Estate) -> u32 {
    let policies = estate.apps.iter().filter_map(|app| app.backup.as_ref());
    let longest = policies.map(|policy| policy.retention.max(policy.every * 3)).max().unwrap_or(DAY * 35);
    u32::try_from(longest.as_secs().div_ceil(DAY.as_secs())).unwrap_or(u32::MAX).clamp(2, 35)
}

fn points_need(ctx: &ComponentCtx<'_>, region: &RegionId, vault: &str) -> Need {
    Need::Points { region: region.clone(), vault: vault.to_owned(), days: days_back(ctx.estate) }
}

impl Probe for AwsBackup {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }

    fn needs(&self, ctx: &ComponentCtx<'_>) -> Vec<Need> {
        let vaults = ctx.sides("vaults");
        vaults
            .iter()
            .flat_map(|(region, vault)| [points_need(ctx, region, vault), Need::Vaults { region: region.clone() }])
            .collect()
    }

    fn observe(&self, ctx: &ComponentCtx<'_>, answers: &Answers, _now: Timestamp) -> Vec<Observed> {
        let Some(resource) = ctx.text("resource") else { return Vec::new() };
        let mut facts = Vec::new();
        for (region, vault_name) in ctx.sides("vaults") {
            let listed = answers.get(&points_need(ctx, &region, vault_name), |payload| match payload {
                Payload::Points(points) => Some(points.as_slice()),
                _ => None,
            });
            let Some(outcome) = listed else { continue };
            let vault = vault(answers, &region, vault_name);
            let fact = outcome.map_err(Clone::clone).map(|seen| {
                let mut points: Vec<_> =
                    seen.value.iter().filter(|point| point.resource_arn == resource).cloned().collect();
                // What is older than the newest few hundred cannot change any answer, and is copied with each snapshot.
                points.sort_by_key(|point| std::cmp::Reverse(point.created));
                points.truncate(POINTS_MAX);
                for point in &mut points {
                    point.locked = vault.map(|vault| vault.locked);
                }
                // Whether the vault's key can be used is not read by this version; its state is.
                let usable = vault.and_then(|vault| vault.state.as_ref()).is_none_or(|state| &**state == "AVAILABLE");
                // With nothing to go back to, the set speaks about the moment it was read.
                let data_time = newest_restorable(&points).unwrap_or(seen.started_at);
                let set = PointSet { vault: vault_name.to_owned(), points, usable, truncated: seen.truncated };
                seen.observation(Fact::RecoveryPoints(set), data_time)
            });
            facts.push((ctx.fact(&region, What::RecoveryPoints), fact));
        }
        facts
    }
}

fn vault<'a>(answers: &'a Answers, region: &RegionId, name: &str) -> Option<&'a Vault> {
    let vaults = answers.get(&Need::Vaults { region: region.clone() }, |payload| match payload {
        Payload::Vaults(vaults) => Some(vaults.as_slice()),
        _ => None,
    });
    vaults?.ok()?.value.iter().find(|vault| vault.name.as_str() == name)
}
