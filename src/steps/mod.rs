//! One file per kind of runbook step: what the file may say of it, what it calls, how its outcome is seen.
//!
//! A new kind is one file with a `SPEC` and one line in [`CATALOGUE`]; the runbook parser, the docs and the plan
//! pick it up from there. What a kind must say of itself is in [`kind`].

use crate::runbook::spec::StepKindSpec;

pub mod alarm_check;
mod aurora;
pub mod aurora_add_instance;
pub mod aurora_create_global;
pub mod aurora_delete_snapshot;
pub mod aurora_detach;
pub mod aurora_failover_global;
pub mod aurora_keep_unplanned_snapshot;
pub mod aurora_rejoin;
pub mod aurora_switchover_global;
mod backup;
pub mod backup_copy;
pub mod backup_restore;
pub mod backup_start;
pub mod check;
pub mod command;
pub mod confirm;
pub mod http_probe;
pub mod kind;
pub mod outside;
pub mod pause;
mod rds;
pub mod rds_copy_snapshot;
pub mod rds_create_replica;
pub mod rds_delete_instance;
pub mod rds_delete_snapshot;
pub mod rds_promote_replica;
pub mod rds_restore_from_snapshot;
pub mod rds_restore_to_point_in_time;
pub mod rds_snapshot;
pub mod route53_health_override;
pub mod route53_shift;
pub mod wait_for;

/// Every kind that a runbook may name: those that read first.
pub const CATALOGUE: &[&StepKindSpec] = &[
    &check::SPEC,
    &wait_for::SPEC,
    &alarm_check::SPEC,
    &http_probe::SPEC,
    &pause::SPEC,
    &confirm::SPEC,
    &aurora_failover_global::SPEC,
    &aurora_switchover_global::SPEC,
    &aurora_keep_unplanned_snapshot::SPEC,
    &aurora_delete_snapshot::SPEC,
    &aurora_detach::SPEC,
    &aurora_create_global::SPEC,
    &aurora_rejoin::SPEC,
    &aurora_add_instance::SPEC,
    &rds_promote_replica::SPEC,
    &rds_snapshot::SPEC,
    &rds_copy_snapshot::SPEC,
    &rds_restore_from_snapshot::SPEC,
    &rds_restore_to_point_in_time::SPEC,
    &rds_create_replica::SPEC,
    &rds_delete_instance::SPEC,
    &rds_delete_snapshot::SPEC,
    &route53_shift::SPEC,
    &route53_health_override::SPEC,
    &backup_start::SPEC,
    &backup_copy::SPEC,
    &backup_restore::SPEC,
    &command::SPEC,
];

/// The kinds themselves, in the order of [`CATALOGUE`].
pub static KINDS: &[&dyn kind::StepKind] = &[
    &check::Check,
    &wait_for::WaitFor,
    &alarm_check::AlarmCheck,
    &http_probe::HttpProbe,
    &pause::Pause,
    &confirm::Confirm,
    &aurora_failover_global::FailoverGlobal,
    &aurora_switchover_global::SwitchoverGlobal,
    &aurora_keep_unplanned_snapshot::KeepUnplannedSnapshot,
    &aurora_delete_snapshot::DeleteSnapshot,
    &aurora_detach::Detach,
    &aurora_create_global::CreateGlobal,
    &aurora_rejoin::Rejoin,
    &aurora_add_instance::AddInstance,
    &rds_promote_replica::PromoteReplica,
    &rds_snapshot::Snapshot,
    &rds_copy_snapshot::CopySnapshot,
    &rds_restore_from_snapshot::RestoreFromSnapshot,
    &rds_restore_to_point_in_time::RestoreToPointInTime,
    &rds_create_replica::CreateReplica,
    &rds_delete_instance::DeleteInstance,
    &rds_delete_snapshot::DeleteSnapshot,
    &route53_shift::Shift,
    &route53_health_override::HealthOverride,
    &backup_start::StartBackup,
    &backup_copy::Copy,
    &backup_restore::Restore,
    &command::Command,
];

/// The kind with that id.
#[must_use]
pub fn find(id: &str) -> Option<&'static dyn kind::StepKind> {
    KINDS.iter().find(|kind| kind.spec().id == id).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CATALOGUE, KINDS, kind::Conduct};
    use crate::{domain::Hazard, runbook::spec::Mutating};

    #[test]
    fn every_kind_that_a_runbook_may_name_can_be_carried_out() {
        let named: Vec<_> = CATALOGUE.iter().map(|spec| spec.id).collect();
        let known: Vec<_> = KINDS.iter().map(|kind| kind.spec().id).collect();
        assert_eq!(named, known);
        assert_eq!(named.iter().collect::<BTreeSet<_>>().len(), named.len());
    }

    #[test]
    fn a_kind_acts_exactly_when_it_says_so_and_then_it_has_a_hazard_and_can_observe() {
        for kind in KINDS {
            let spec = kind.spec();
            let acts = matches!(kind.conduct(), Conduct::Acts(_));
            assert_eq!(acts, spec.mutating == Mutating::Yes, "{}", spec.id);
            let asks = matches!(kind.conduct(), Conduct::Asks(_));
            assert_eq!(asks, spec.mutating == Mutating::Asks, "{}", spec.id);
            assert_eq!(acts, spec.hazard != Hazard::None, "{}", spec.id);
        }
    }
}
