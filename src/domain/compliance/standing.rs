//! One component: its two exposures, and what its other facts say (states, alarms, records, gauges).
//!
//! Direction follows the writer: once it is in the recovery Region, what is asked is whether the *other* Region holds
//! the data, wherever the estate file's home roles point. Must never: call a component healthy of which a fact is
//! missing, old, or not observed by this version.

use std::time::Duration;

use super::{BackupFlags, ComponentStanding, Exposure, Question, Verdict, backups, streaming, words};
use crate::domain::{
    app::{Component, Role},
    fact::{Fact, FactId, What},
    id::RegionId,
    observation::{At, Slot},
    region::Side,
    resource::{AlarmState, GlobalCluster},
    snapshot::Reach,
    text::SafeText,
    time::Timestamp,
};

/// A component's standing, and what the app needs to know beside it.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub standing: ComponentStanding,
    pub mandatory: bool,
    pub flags: BackupFlags,
    /// The exposure comes from points whose schedule cannot meet the target.
    pub by_design: bool,
}

pub(super) fn judge(question: &Question<'_>, component: &Component, app_writer: Side) -> Judged {
    if !component.observed {
        return not_observed(question, component);
    }
    let topology = topology(question, component);
    let writer = topology.and_then(|cluster| writer_side(question, cluster)).unwrap_or(app_writer);
    let mut flags = BackupFlags::default();
    let mut by_design = false;
    let mut state = None;
    let region_lost = component.region_lost.map(|(side, what)| match what {
        What::RecoveryPoints => {
            // Home roles are written for a writer at home; away from home the same question is asked the other way.
            let asked = if writer == Side::Primary { side } else { side.other() };
            let judged = recovery_points(question, component, asked, target(question, component));
            by_design = judged.flags.design.is_some();
            flags = judged.flags;
            state = Some(judged.state);
            judged.exposure
        }
        What::Restorable => {
            let asked = if writer == Side::Primary { side } else { side.other() };
            restore_window(question, component, asked)
        }
        What::Lag => {
            let judged = stream(question, component, side, writer, topology);
            state = Some(judged.state);
            judged.exposure
        }
        _ => Exposure::unknown(target(question, component), "this kind of fact says nothing about loss".into()),
    });
    let corrupted = corrupted(question, component, writer);
    let (facts_verdict, facts_state, facts_seen) = other_facts(question, component);

    let mut verdict = facts_verdict;
    if let Some(exposure) = &corrupted {
        verdict = worse(counted_corrupted(exposure), verdict);
    }
    if let Some(exposure) = &region_lost {
        verdict = worse(Some(exposure.verdict.clone()), verdict);
    }
    let nothing = || Verdict::Unknown { why: "not read yet".into(), at_least: None, at_most: None };
    let observed_at =
        [region_lost.as_ref(), corrupted.as_ref()].into_iter().flatten().filter_map(|e| e.observed_at).min();
    let states: Vec<&str> = [state.as_deref(), facts_state.as_deref()].into_iter().flatten().collect();
    let verdict = verdict.unwrap_or_else(nothing);
    let state = if states.is_empty() { describe(&verdict) } else { states.join("; ").into() };
    let standing = ComponentStanding {
        component: component.id.clone(),
        region_lost,
        corrupted,
        verdict,
        state,
        observed_at: observed_at.into_iter().chain(facts_seen).min(),
    };
    Judged { standing, mandatory: component.mandatory, flags, by_design }
}

fn describe(verdict: &Verdict) -> SafeText {
    match verdict {
        Verdict::AtRisk { why, .. } | Verdict::Unknown { why, .. } => why.clone(),
        other => other.word().into(),
    }
}

fn not_observed(question: &Question<'_>, component: &Component) -> Judged {
    let why = SafeText::from("not observed by this version");
    let unknown = || {
        let mut exposure = Exposure::unknown(target(question, component), why.clone());
        exposure.component = Some(component.id.clone());
        exposure
    };
    let standing = ComponentStanding {
        component: component.id.clone(),
        region_lost: (component.role == Role::Data).then(unknown),
        corrupted: None,
        verdict: Verdict::Unknown { why: why.clone(), at_least: None, at_most: None },
        state: why,
        observed_at: None,
    };
    Judged { standing, mandatory: component.mandatory, flags: BackupFlags::default(), by_design: false }
}

/// The component's own target, else the app's.
pub(super) fn target(question: &Question<'_>, component: &Component) -> Option<Duration> {
    component.rpo.or(question.app.rpo)
}

/// The newest reading of who writes, from whichever Region still answers.
pub(super) fn topology<'a>(question: &Question<'a>, component: &Component) -> Option<&'a GlobalCluster> {
    let read = Side::BOTH
        .into_iter()
        .filter_map(|side| fact(question, component, side, What::Topology)?.last.as_ref())
        .max_by_key(|observation| observation.observed_at)?;
    if let Fact::Topology(cluster) = &read.value { Some(cluster) } else { None }
}

pub(super) fn writer_side(question: &Question<'_>, cluster: &GlobalCluster) -> Option<Side> {
    question.estate.regions.side_of(&cluster.writer()?.region)
}

fn fact<'a>(question: &Question<'a>, component: &Component, side: Side, what: What) -> Option<&'a Slot<Fact>> {
    let region = &question.estate.regions.get(side).id;
    question.snapshot.fact(&question.app.id, &component.id, region, what)
}

/// Since when the Region is down, if it is: the Region, not my own network.
pub(super) fn down_since(question: &Question<'_>, region: &RegionId) -> Option<Timestamp> {
    question.snapshot.regions.get(region).filter(|health| health.reach == Reach::RegionDown).map(|health| health.since)
}

fn stream(
    question: &Question<'_>,
    component: &Component,
    declared: Side,
    writer: Side,
    topology: Option<&GlobalCluster>,
) -> streaming::Judged {
    let regions = &question.estate.regions;
    // A lag is published where the data arrives (field guide 0.1, fact 9), which moves with the writer; where the
    // source publishes it, it names the receiver.
    let named = named_receiver(question, component);
    let receiver = if topology.is_some() { writer.other() } else { named.unwrap_or(declared) };
    let sender = receiver.other();
    let read_at = if topology.is_some() { receiver } else { declared };
    // Read at home without a topology, the data comes from outside the pair (a data centre): no Region tells of it.
    let sent_from_pair = topology.is_some() || named.is_some() || receiver == Side::Recovery;
    let source_down_since = down_since(question, &regions.get(sender).id).filter(|_| sent_from_pair);
    let stream = streaming::Stream {
        component: &component.id,
        target: target(question, component),
        lag: fact(question, component, read_at, What::Lag),
        writes: fact(question, component, sender, What::SourceWrites),
        source_down_since,
        zone: &question.estate.zone,
        now: question.now,
    };
    if source_down_since.is_none() {
        if let Some(since) = down_since(question, &regions.get(receiver).id) {
            return streaming::unprotected(&stream, Some(since));
        }
        if let Some(cluster) = topology
            && !replicates_to(cluster, &regions.get(receiver).id)
        {
            // What the writer's own Region received last, before it became the writer, is the last common state.
            let since = fact(question, component, sender, What::Lag).and_then(newest_sample);
            return streaming::unprotected(&stream, since);
        }
    }
    streaming::judge(&stream)
}

/// DynamoDB publishes the lag of a replica in the source's Region, with the receiver as a dimension (field guide 3).
fn named_receiver(question: &Question<'_>, component: &Component) -> Option<Side> {
    let receiver = component.params.map("dimensions")?.get("ReceivingRegion")?;
    question.estate.regions.side_of(&RegionId::new(receiver))
}

fn newest_sample(slot: &Slot<Fact>) -> Option<Timestamp> {
    let Fact::Lag(series) = &slot.last.as_ref()?.value else { return None };
    series.points.iter().rfind(|point| point.value >= 0.0).map(|point| point.at)
}

/// A member there, and connected; old engines do not say (field guide 2.6).
fn replicates_to(cluster: &GlobalCluster, region: &RegionId) -> bool {
    cluster.member_in(region).is_some_and(|member| {
        !member.writer && member.synchronization.as_ref().is_none_or(|s| s.eq_ignore_ascii_case("connected"))
    })
}

fn recovery_points(
    question: &Question<'_>,
    component: &Component,
    side: Side,
    target: Option<Duration>,
) -> backups::Judged {
    let region = question.estate.regions.get(side);
    let mut judged = backups::judge(&backups::Points {
        component: &component.id,
        resource: component.params.text("resource"),
        target,
        policy: question.app.backup.as_ref(),
        slot: fact(question, component, side, What::RecoveryPoints),
        region: &region.id,
        city: &region.name,
        jobs: &question.snapshot.jobs,
        zone: &question.estate.zone,
        now: question.now,
    });
    if judged.exposure.locked.is_none() && judged.exposure.data_time.is_some() {
        judged.exposure.locked = vault_locked(question, component, side);
    }
    judged
}

/// Where the point itself does not say, its vault does.
fn vault_locked(question: &Question<'_>, component: &Component, side: Side) -> Option<bool> {
    let slot = fact(question, component, side, What::RecoveryPoints)?;
    let Fact::RecoveryPoints(set) = &slot.last.as_ref()?.value else { return None };
    let vaults = question.snapshot.vaults.get(&question.estate.regions.get(side).id)?;
    vaults.last.as_ref()?.value.iter().find(|vault| vault.name.as_str() == set.vault).map(|vault| vault.locked)
}

fn restore_window(question: &Question<'_>, component: &Component, side: Side) -> Exposure {
    let slot = fact(question, component, side, What::Restorable);
    let mut exposure = backups::point_in_time(&component.id, slot, question.now);
    exposure.target = target(question, component);
    if let (Some(target), Some(age)) = (exposure.target, exposure.exposure) {
        exposure.verdict = match age.checked_sub(target).filter(|by| !by.is_zero()) {
            Some(by) => Verdict::Breached { by },
            None => exposure.verdict,
        };
    } else if exposure.target.is_none() && matches!(exposure.verdict, Verdict::Met { .. }) {
        exposure.verdict = Verdict::NoTarget;
    }
    exposure
}

/// "If the data were corrupted now": the newest point in time, from any of the declared sources. Held against what
/// the source is known for, not against the RPO: replicas copy corruption, and no RPO speaks about that.
fn corrupted(question: &Question<'_>, component: &Component, writer: Side) -> Option<Exposure> {
    if component.corrupted.is_empty() {
        return None;
    }
    let mut best: Option<Exposure> = None;
    for (declared, what) in &component.corrupted {
        let exposure = match what {
            What::Restorable => {
                // The window follows the writer, where the component can tell who writes.
                let follows = topology(question, component).is_some() && *declared != writer;
                let side = if follows { writer } else { *declared };
                in_a_dead_region(question, component, side, |q, c, s| {
                    backups::point_in_time(&c.id, fact(q, c, s, What::Restorable), q.now)
                })
            }
            What::RecoveryPoints => in_a_dead_region(question, component, *declared, |q, c, s| {
                let mut exposure = recovery_points(q, c, s, None).exposure;
                if exposure.verdict == Verdict::NoTarget {
                    exposure.verdict = Verdict::Met { sampled: false };
                }
                exposure
            }),
            _ => continue,
        };
        let better = best.as_ref().is_none_or(|best| {
            let key = |e: &Exposure| (e.exposure.is_some(), e.data_time);
            key(&exposure) > key(best)
        });
        if better {
            best = Some(exposure);
        }
    }
    best.map(|mut exposure| {
        exposure.component = Some(component.id.clone());
        exposure
    })
}

/// What is kept in a Region that is down cannot be used now; that is known, not unknown.
fn in_a_dead_region(
    question: &Question<'_>,
    component: &Component,
    side: Side,
    read: impl Fn(&Question<'_>, &Component, Side) -> Exposure,
) -> Exposure {
    let mut exposure = read(question, component, side);
    let region = question.estate.regions.get(side);
    if down_since(question, &region.id).is_some() {
        exposure.exposure = None;
        exposure.verdict =
            Verdict::AtRisk { why: format!("kept in {}, which is down", region.name).into(), when: None };
    }
    exposure
}

/// What the second question adds to a verdict: a warning or a doubt, never a breach.
pub(super) fn counted_corrupted(exposure: &Exposure) -> Option<Verdict> {
    match &exposure.verdict {
        Verdict::Met { .. } | Verdict::NoTarget => None,
        other => Some(other.clone()),
    }
}

/// The worse of two verdicts, the first when they weigh the same.
pub(super) fn worse(a: Option<Verdict>, b: Option<Verdict>) -> Option<Verdict> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.severity() < a.severity() { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Everything that is not an exposure: the worst verdict, the words of it, and the oldest reading.
fn other_facts(
    question: &Question<'_>,
    component: &Component,
) -> (Option<Verdict>, Option<SafeText>, Option<Timestamp>) {
    let first = FactId {
        app: question.app.id.clone(),
        component: component.id.clone(),
        region: RegionId::new(""),
        what: What::Topology,
    };
    let mine = question
        .snapshot
        .facts
        .range(first..)
        .take_while(|(id, _)| id.app == question.app.id && id.component == component.id);
    let mut verdict: Option<Verdict> = None;
    let mut words: Option<SafeText> = None;
    let mut seen: Option<Timestamp> = None;
    for (id, slot) in mine {
        if matches!(id.what, What::Lag | What::SourceWrites | What::RecoveryPoints | What::Restorable) {
            continue;
        }
        let (one, said) = match slot.at(question.now) {
            At::Fresh(observation) => {
                seen = Some(seen.map_or(observation.observed_at, |s| s.min(observation.observed_at)));
                state_of(question, component, &observation.value)
            }
            At::Stale { .. } | At::Unknown { .. } if down_since(question, &id.region).is_some() => {
                let city = question.estate.regions.name_of(&id.region);
                let why = SafeText::from(format!("{city} is down"));
                (Verdict::AtRisk { why: why.clone(), when: None }, why)
            }
            At::Stale { last, age, cause } => {
                seen = Some(seen.map_or(last.observed_at, |s| s.min(last.observed_at)));
                unknown(words::stale(age, cause))
            }
            At::Unknown { cause } => unknown(words::cause(cause)),
        };
        if id.what == What::Topology && answered_elsewhere(question, component, &one) {
            continue;
        }
        if verdict.as_ref().is_none_or(|worst| one.severity() < worst.severity()) {
            verdict = Some(one);
            words = Some(said);
        }
    }
    (verdict, words, seen)
}

/// Either Region can say who writes; one that cannot be read takes nothing away while the other is fresh.
fn answered_elsewhere(question: &Question<'_>, component: &Component, verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Unknown { .. } | Verdict::AtRisk { .. })
        && Side::BOTH.into_iter().any(|side| {
            fact(question, component, side, What::Topology).is_some_and(|slot| match slot.at(question.now) {
                At::Fresh(o) => state_of(question, component, &o.value).0 == Verdict::Met { sampled: false },
                _ => false,
            })
        })
}

fn unknown(why: String) -> (Verdict, SafeText) {
    let why = SafeText::from(why);
    (Verdict::Unknown { why: why.clone(), at_least: None, at_most: None }, why)
}

fn met(words: impl Into<SafeText>) -> (Verdict, SafeText) {
    (Verdict::Met { sampled: false }, words.into())
}

fn at_risk(why: impl Into<SafeText>) -> (Verdict, SafeText) {
    let why = why.into();
    (Verdict::AtRisk { why: why.clone(), when: None }, why)
}

/// What one fresh fact says of its component.
fn state_of(question: &Question<'_>, component: &Component, fact: &Fact) -> (Verdict, SafeText) {
    match fact {
        Fact::Topology(cluster) => {
            let Some(writer) = cluster.writer() else { return at_risk("nobody writes") };
            let writes = format!("writer {}", writer.region);
            if let Some(failover) = &cluster.failover {
                return at_risk(format!("{}, {writes}", failover.status));
            }
            if cluster.status.eq_ignore_ascii_case("available") {
                met(writes)
            } else {
                at_risk(format!("{}, {writes}", cluster.status))
            }
        }
        Fact::Instance(instance) => {
            if let Some((word, false)) = &instance.replication {
                return at_risk(format!("replication {word}"));
            }
            if instance.status.eq_ignore_ascii_case("available") {
                met(instance.status.clone())
            } else {
                at_risk(instance.status.clone())
            }
        }
        Fact::NotMade => (Verdict::NoTarget, words::NOT_MADE.into()),
        Fact::Record(records) if records.is_empty() => at_risk("no such record in the zone"),
        Fact::Record(records) => {
            let ttl = records.iter().filter_map(|record| record.ttl).max();
            met(ttl.map_or_else(|| "alias".to_owned(), |ttl| format!("TTL {} s", ttl.as_secs())))
        }
        Fact::HealthCheck(check) => match check.healthy() {
            Some(true) => met("healthy"),
            Some(false) => at_risk(check.last_failure.clone().unwrap_or_else(|| "unhealthy".into())),
            None => unknown("no checker has reported".to_owned()),
        },
        Fact::Alarm(alarm) => match alarm.state {
            AlarmState::Alarm => at_risk(alarm.reason.clone().unwrap_or_else(|| "in alarm".into())),
            AlarmState::InsufficientData => unknown(format!("alarm {} has too little data", alarm.name)),
            AlarmState::Ok if alarm.silent => at_risk(format!("alarm {} tells nobody: actions are off", alarm.name)),
            AlarmState::Ok => met("ok"),
        },
        Fact::Gauge(series) => gauge(question, component, series),
        Fact::ServedGood(_)
        | Fact::ServedTotal(_)
        | Fact::Lag(_)
        | Fact::SourceWrites(_)
        | Fact::RecoveryPoints(_)
        | Fact::Restorable(_) => met("read"),
    }
}

/// A metric against the bounds of its component, `at_least` and `at_most`.
fn gauge(question: &Question<'_>, component: &Component, series: &crate::domain::Series) -> (Verdict, SafeText) {
    let newest = series.newest().filter(|point| point.value.is_finite());
    // One to three minutes late is CloudWatch's way; beyond five periods and that, there is no data.
    let limit = series.period * 5 + Duration::from_mins(4);
    let Some(point) = newest.filter(|point| question.now.since(point.at) <= limit) else {
        let last = newest.map(|p| format!(" since {}", question.estate.zone.clock(p.at))).unwrap_or_default();
        return unknown(format!("no data{last}"));
    };
    let value = point.value;
    match (component.params.number("at_least"), component.params.number("at_most")) {
        (Some(low), _) if value < low => at_risk(format!("{value} is below {low}")),
        (_, Some(high)) if value > high => at_risk(format!("{value} is above {high}")),
        _ => met(format!("{value}")),
    }
}
