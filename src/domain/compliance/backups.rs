//! Recovery points and point-in-time windows: how old is what one can restore from. DESIGN section 5, "Backups".
//!
//! `E` is now minus the data time of the newest point *usable* in the Region asked about; the data time survives the
//! copy (field guide 0.1, fact 4), completion time is never data time. Three flags, kept apart: *design* (the schedule
//! cannot meet the target on its worst day), *contract* (E is above the target now), *late* (E is above what the
//! schedule promises). Must never: make a value of an old list; it gives an upper bound, no more.

use std::{collections::BTreeMap, time::Duration};

use super::{BackupFlags, Exposure, Late, Verdict, words};
use crate::domain::{
    app::{Acceptance, BackupPolicy},
    fact::{Fact, PointSet},
    id::{ComponentId, RegionId},
    observation::{At, Slot},
    resource::{Job, JobKind, JobState, RecoveryPoint},
    text::SafeText,
    time::{Timestamp, Zone, short, short_up},
};

/// Grace beyond interval + p95 before a point is called late.
const LATE_GRACE: Duration = Duration::from_mins(10);
/// Observed durations replace the declared one from this many on.
const OBSERVED_MIN: usize = 10;
/// The longest that a risk may be accepted for.
const ACCEPTANCE_MAX: Duration = Duration::from_hours(2160);
/// Transaction logs go up every five minutes; more than ten is worth a warning (field guide 2.2).
const PITR_WARN: Duration = Duration::from_mins(10);

/// Everything the points of one resource in one Region are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    pub component: &'a ComponentId,
    /// ARN of the protected resource, where the component names it: finds its jobs.
    pub resource: Option<&'a str>,
    pub target: Option<Duration>,
    pub policy: Option<&'a BackupPolicy>,
    pub slot: Option<&'a Slot<Fact>>,
    /// The Region asked about, and its city.
    pub region: &'a RegionId,
    pub city: &'a str,
    pub jobs: &'a BTreeMap<(RegionId, JobKind), Slot<Vec<Job>>>,
    pub zone: &'a Zone,
    pub now: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub exposure: Exposure,
    pub flags: BackupFlags,
    pub state: SafeText,
}

#[must_use]
pub fn judge(points: &Points<'_>) -> Judged {
    let now = points.now;
    let Some(slot) = points.slot else { return unknown(points, "not read yet".into()) };
    let (observation, stale) = match slot.at(now) {
        At::Unknown { cause } => return unknown(points, words::cause(cause)),
        At::Fresh(observation) => (observation, None),
        At::Stale { last, age, cause } => (last, Some(words::stale(age, cause))),
    };
    let Fact::RecoveryPoints(set) = &observation.value else {
        return unknown(points, "the answer is not a list of recovery points".into());
    };
    let durations = Durations::of(points);
    let design = design(points, &durations);
    let mut exposure = Exposure {
        target: points.target,
        exposure: None,
        at_least: None,
        at_most: None,
        component: Some(points.component.clone()),
        data_time: None,
        observed_at: Some(observation.observed_at),
        locked: None,
        verdict: Verdict::NoTarget,
    };
    let Some(newest) = newest_usable(set, points.policy, durations.p99, now) else {
        return nothing_usable(points, set, exposure, design, stale);
    };

    let age = now.since(newest.created);
    exposure.data_time = Some(newest.created);
    exposure.at_most = Some(age);
    exposure.locked = newest.locked;
    let from = format!("newest usable in {} from {}", points.city, points.zone.clock_minutes(newest.created));
    let bound_only = stale.or_else(|| set.truncated.then(|| "the list was cut: newer points may exist".to_owned()));
    if let Some(doubt) = bound_only {
        // A cut list is fresh: what it bounds is proven. An old list is not: the point may be gone since.
        let proven = set.truncated && slot_is_fresh(slot, now) && points.target.is_some_and(|target| age <= target);
        exposure.verdict = if proven {
            Verdict::Met { sampled: false }
        } else {
            Verdict::Unknown { why: doubt.clone().into(), at_least: None, at_most: Some(age) }
        };
        let flags = BackupFlags { design, ..BackupFlags::default() };
        return Judged { exposure, flags, state: format!("{from}, {doubt}").into() };
    }
    exposure.exposure = Some(age);
    let late = late(points, &durations, age, newest.created);
    let contract = points.target.and_then(|target| age.checked_sub(target)).filter(|by| !by.is_zero());
    let when = points.target.map(|target| newest.created + target);
    exposure.verdict = match (points.target, contract, &late, design) {
        (_, Some(by), _, _) => Verdict::Breached { by },
        (_, None, Some(late), _) => Verdict::AtRisk { why: late.why.clone(), when },
        (Some(target), None, None, Some(worst)) => {
            let why = format!("by design: worst {} against {}", short_up(worst), short(target));
            Verdict::AtRisk { why: why.into(), when }
        }
        (Some(_), None, None, None) => Verdict::Met { sampled: false },
        (None, None, None, _) => Verdict::NoTarget,
    };
    let state = late.as_ref().map_or_else(|| from.clone(), |late| format!("{}; {from}", late.why));
    Judged { exposure, flags: BackupFlags { design, contract, late }, state: state.into() }
}

fn slot_is_fresh(slot: &Slot<Fact>, now: Timestamp) -> bool {
    matches!(slot.at(now), At::Fresh(_))
}

fn unknown(points: &Points<'_>, why: String) -> Judged {
    let why = SafeText::from(why);
    let mut exposure = Exposure::unknown(points.target, why.clone());
    exposure.component = Some(points.component.clone());
    let flags = BackupFlags { design: design(points, &Durations::of(points)), ..BackupFlags::default() };
    Judged { exposure, flags, state: why }
}

/// A list in which nothing can be restored from: all of the data would be lost, as far as it shows.
fn nothing_usable(
    points: &Points<'_>,
    set: &PointSet,
    mut exposure: Exposure,
    design: Option<Duration>,
    stale: Option<String>,
) -> Judged {
    let mut state = if set.usable {
        format!("no usable recovery point in {}", points.city)
    } else {
        format!("vault {} in {} or its key cannot be used", SafeText::new(&set.vault), points.city)
    };
    let flags = BackupFlags { design, ..BackupFlags::default() };
    if stale.is_some() || set.truncated {
        let doubt = stale.unwrap_or_else(|| "the list was cut".to_owned());
        state = format!("{state}, {doubt}");
        exposure.verdict = Verdict::Unknown { why: state.clone().into(), at_least: None, at_most: None };
        return Judged { exposure, flags, state: state.into() };
    }
    // The oldest listed point shows how far back there was data at least.
    let oldest = set.points.iter().map(|point| point.created).min();
    let at_least = oldest.map(|oldest| points.now.since(oldest));
    exposure.at_least = at_least;
    let by = at_least.unwrap_or_default().saturating_sub(points.target.unwrap_or_default());
    exposure.verdict = match points.target {
        Some(_) => Verdict::Breached { by },
        None => Verdict::AtRisk { why: state.clone().into(), when: None },
    };
    let flags = BackupFlags {
        contract: points.target.map(|_| by),
        // Not what any schedule looks like: critical whatever the design.
        late: Some(Late { critical: true, why: state.clone().into() }),
        ..flags
    };
    Judged { exposure, flags, state: state.into() }
}

/// The newest point that one could restore from, and still can when the next one is due.
#[must_use]
pub fn newest_usable<'a>(
    set: &'a PointSet,
    policy: Option<&BackupPolicy>,
    p99: Duration,
    now: Timestamp,
) -> Option<&'a RecoveryPoint> {
    if !set.usable {
        return None;
    }
    set.points
        .iter()
        .filter(|point| point.status.restorable())
        .filter(|point| {
            let next = policy.map_or(now, |policy| point.created + policy.every + p99);
            point.delete_at.is_none_or(|gone| gone > next.max(now))
        })
        .max_by_key(|point| point.created)
}

fn design(points: &Points<'_>, durations: &Durations) -> Option<Duration> {
    let worst = points.policy?.every + durations.p99;
    points.target.filter(|target| worst > *target).map(|_| worst)
}

/// Start delay + backup + copy, from the jobs seen or as declared.
struct Durations {
    p95: Duration,
    p99: Duration,
}

impl Durations {
    fn of(points: &Points<'_>) -> Self {
        let mut seen = points.resource.map(|resource| end_to_end(points, resource)).unwrap_or_default();
        seen.sort_unstable();
        if seen.len() < OBSERVED_MIN {
            let declared = points.policy.map(|policy| policy.declared_duration_p99).unwrap_or_default();
            return Self { p95: declared, p99: declared };
        }
        Self { p95: percentile(&seen, 95), p99: percentile(&seen, 99) }
    }
}

/// Nearest rank, of a sorted list that is not empty.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len());
    sorted[rank - 1]
}

fn jobs_of<'a>(points: &Points<'a>, kind: JobKind, resource: &str) -> Vec<&'a Job> {
    let lists = points.jobs.iter().filter(|((_, k), _)| *k == kind).filter_map(|(_, slot)| slot.last.as_ref());
    let mut jobs: Vec<&Job> = lists.flat_map(|o| &o.value).filter(|job| job.resource_arn == resource).collect();
    jobs.sort_by(|a, b| a.id.cmp(&b.id));
    jobs.dedup_by(|a, b| a.id == b.id);
    jobs
}

/// From the backup job's creation until its point was usable in the Region asked about.
fn end_to_end(points: &Points<'_>, resource: &str) -> Vec<Duration> {
    let backups = jobs_of(points, JobKind::Backup, resource);
    let done = |job: &Job| if job.state == JobState::Completed { job.completed } else { None };
    if made_in(resource, points.region) {
        return backups.iter().filter_map(|job| Some(done(job)?.since(job.created))).collect();
    }
    jobs_of(points, JobKind::Copy, resource)
        .iter()
        .filter(|copy| copy.destination.as_ref() == Some(points.region))
        .filter_map(|copy| {
            let source = copy.source_point_arn.as_deref()?;
            let backup = backups.iter().find(|job| job.recovery_point_arn.as_deref() == Some(source))?;
            Some(done(copy)?.since(backup.created))
        })
        .collect()
}

/// Whether the resource lives in `region`: its points need no copy to get there. Fourth field of the ARN.
fn made_in(resource: &str, region: &RegionId) -> bool {
    resource.split(':').nth(3) == Some(region.as_str())
}

/// What the schedule promised and did not keep.
fn late(points: &Points<'_>, durations: &Durations, age: Duration, newest: Timestamp) -> Option<Late> {
    let policy = points.policy?;
    let warn = policy.every + durations.p95 + LATE_GRACE;
    let resource = points.resource.unwrap_or_default();
    let backups = jobs_of(points, JobKind::Backup, resource);
    let copies: Vec<&Job> = jobs_of(points, JobKind::Copy, resource)
        .into_iter()
        .filter(|copy| copy.destination.as_ref() == Some(points.region))
        .collect();
    let pending = backups.iter().any(|job| {
        matches!(job.state, JobState::Created | JobState::Pending) && job.start_by.is_some_and(|by| by > points.now)
    });
    let direct = made_in(resource, points.region);
    let failed = backups
        .iter()
        .chain(copies.iter().filter(|_| !direct))
        .filter(|job| job.state.bad() && job.created > newest)
        .max_by_key(|job| job.created)
        .map(|job| {
            let message = job.message.as_ref().map(|m| format!(": {}", m.trim_end_matches('.'))).unwrap_or_default();
            let at = points.zone.clock_minutes(job.created);
            format!("{} of {at} {}{message}", job.kind.word(), job.state.word().to_lowercase())
        });
    // A job inside its start window is pending, not "not seen"; one that was missed before it still is.
    let warn_at = if pending { warn + policy.start_window } else { warn };
    if age > warn_at {
        let due = points.zone.clock_minutes(newest + policy.every);
        let cause = failed.map(|failed| format!("; {failed}")).unwrap_or_default();
        let why = format!("late: the backup of {due} is not in {} yet{cause}", points.city);
        return Some(Late { critical: age > warn_at + policy.every, why: why.into() });
    }
    if let Some(failed) = failed {
        return Some(Late { critical: false, why: failed.into() });
    }
    let slow = copies
        .iter()
        .filter(|job| job.state.running() || job.state == JobState::Completed)
        .max_by_key(|job| job.created)
        .map(|job| job.completed.unwrap_or(points.now).since(job.created))
        .filter(|took| *took > policy.every)?;
    let why = format!("copies take {}, longer than the {} between them", short(slow), short(policy.every));
    Some(Late { critical: false, why: why.into() })
}

/// Whether a named owner accepts the design now: in force, and for no longer than 90 days ahead.
#[must_use]
pub fn accepted(acceptance: Option<&Acceptance>, now: Timestamp) -> Option<&Acceptance> {
    acceptance.filter(|a| a.until > now && a.until.since(now) <= ACCEPTANCE_MAX)
}

/// How far back one can go after a corruption, from one source; judged by the freshness that source is known for,
/// because a target for lost Regions says nothing about corrupted data.
#[must_use]
pub fn point_in_time(component: &ComponentId, slot: Option<&Slot<Fact>>, now: Timestamp) -> Exposure {
    let Some(slot) = slot else { return Exposure::unknown(None, "not read yet".into()) };
    let (observation, stale) = match slot.at(now) {
        At::Unknown { cause } => return Exposure::unknown(None, words::cause(cause).into()),
        At::Fresh(observation) => (observation, None),
        At::Stale { last, age, cause } => (last, Some(words::stale(age, cause))),
    };
    if observation.value == Fact::NotMade && stale.is_none() {
        let unknown = Exposure::unknown(None, words::NOT_MADE.into());
        return Exposure { verdict: Verdict::NoTarget, observed_at: Some(observation.observed_at), ..unknown };
    }
    let Fact::Restorable(window) = &observation.value else {
        return Exposure::unknown(None, "the answer is not a restore window".into());
    };
    let age = window.latest.map(|latest| now.since(latest));
    let verdict = match (age, stale) {
        (_, Some(why)) => Verdict::Unknown { why: why.into(), at_least: None, at_most: age },
        (None, None) => Verdict::AtRisk { why: "point-in-time restore is off".into(), when: None },
        (Some(age), None) if age > PITR_WARN => {
            let why = format!("restore window ends {} ago", short(age));
            Verdict::AtRisk { why: why.into(), when: None }
        }
        (Some(_), None) => Verdict::Met { sampled: false },
    };
    let known = !matches!(verdict, Verdict::Unknown { .. });
    Exposure {
        target: None,
        exposure: age.filter(|_| known),
        at_least: None,
        at_most: age,
        component: Some(component.clone()),
        data_time: window.latest,
        observed_at: Some(observation.observed_at),
        locked: None,
        verdict,
    }
}

#[cfg(test)]
mod tests;
