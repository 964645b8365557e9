//! What a signal says now, from facts alone: a figure, its age, and yes, no or unknown.
//!
//! Unknown never counts as yes, and a missing value is not a low one. Used by guards, `check` and `wait-for`.

use std::time::Duration;

use super::{guards_estate, plan::Holds, signal_data, spec::Signal};
use crate::domain::{
    App, ComponentId, Estate, Fact, ProbeFailure, RegionId, Side, Snapshot, StepId, Timestamp, What,
    fact::{Point, SERVED, Series},
    observation::{At, Observation},
    resource::{AlarmState, GlobalCluster, RecordSet},
    snapshot::{Mode, Reach, RegionHealth},
    text::SafeText,
    time,
};

/// How old a CloudWatch point may be and still speak for now: points come one to three minutes late, one minute
/// wide (DESIGN section 5).
pub const SERIES_AGE_MAX: Duration = Duration::from_mins(5);

/// How old the newest try of a vantage point may be and still speak for now.
const VANTAGE_AGE_MAX: Duration = Duration::from_mins(2);

/// A try of a dead Region ends by its time-out of 10 s on the *wall*, and its age counts from its start. When the
/// estate's clock runs faster than the wall, two such tries in a row are that much older.
pub(super) const TRIES_WALL: Duration = Duration::from_secs(25);

/// What a plan or a step is held against.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub estate: &'a Estate,
    pub app: &'a App,
    pub snapshot: &'a Snapshot,
    /// When the last run of the app ended, for `not since`.
    pub last_run_ended: Option<Timestamp>,
    /// Checklists of this run that a person has confirmed; see [`super::guards_estate::attested`].
    pub attested: &'a [StepId],
}

/// A signal with what is so now.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub holds: Holds,
    pub present: SafeText,
    pub data_time: Option<Timestamp>,
    /// Milliseconds or percent.
    pub figure: Option<u64>,
}

impl Reading {
    pub fn unknown(why: impl AsRef<str>) -> Self {
        Self { holds: Holds::Unknown, present: SafeText::new(why), data_time: None, figure: None }
    }

    pub(super) fn known(holds: bool, present: impl AsRef<str>, data_time: Timestamp) -> Self {
        Self {
            holds: if holds { Holds::Yes } else { Holds::No },
            present: SafeText::new(present),
            data_time: Some(data_time),
            figure: None,
        }
    }

    pub(super) fn figure(mut self, figure: u64) -> Self {
        self.figure = Some(figure);
        self
    }
}

/// The newest point of a lag series with the place it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct LagSample {
    pub point: Point,
    pub observed_at: Timestamp,
}

impl<'a> Facts<'a> {
    pub fn region(&self, side: Side) -> &'a RegionId {
        &self.estate.regions.get(side).id
    }

    pub fn city(&self, side: Side) -> &'a str {
        &self.estate.regions.get(side).name
    }

    /// `02:57:30` in the estate's zone.
    pub fn clock(&self, at: Timestamp) -> String {
        self.estate.zone.clock(at)
    }

    pub(super) fn health(&self, side: Side) -> Option<&'a RegionHealth> {
        self.snapshot.regions.get(self.region(side))
    }

    /// Everything seen of one shape of one component, whatever the Region it was read in.
    fn seen(&self, component: &ComponentId, what: What) -> impl Iterator<Item = &'a Observation<Fact>> + use<'a> {
        let component = component.clone();
        self.snapshot
            .of_app(&self.app.id)
            .filter(move |(id, _)| id.what == what && id.component == component)
            .filter_map(|(_, slot)| slot.last.as_ref())
    }

    /// The newest view of who writes where, from whichever Region still answers.
    pub fn topology(&self, component: &ComponentId) -> Option<(&'a GlobalCluster, &'a Observation<Fact>)> {
        let newest = self.seen(component, What::Topology).max_by_key(|seen| seen.observed_at)?;
        match &newest.value {
            Fact::Topology(cluster) => Some((cluster, newest)),
            _ => None,
        }
    }

    /// As [`Self::topology`], only while it is within its freshness budget.
    pub fn fresh_topology(&self, component: &ComponentId, now: Timestamp) -> Option<(&'a GlobalCluster, Timestamp)> {
        let (cluster, seen) = self.topology(component)?;
        (now.since(seen.observed_at) <= seen.budget).then_some((cluster, seen.observed_at))
    }

    /// The record sets of a component while they are fresh.
    pub fn records(&self, component: &ComponentId, now: Timestamp) -> Option<(&'a [RecordSet], Timestamp)> {
        let newest = self.seen(component, What::Record).max_by_key(|seen| seen.observed_at)?;
        match &newest.value {
            Fact::Record(sets) if now.since(newest.observed_at) <= newest.budget => Some((sets, newest.observed_at)),
            _ => None,
        }
    }

    /// The record sets as they were last seen, however long ago: enough to plan by, for what is sent is read anew.
    pub fn last_records(&self, component: &ComponentId) -> Option<(&'a [RecordSet], Timestamp)> {
        let newest = self.seen(component, What::Record).max_by_key(|seen| seen.observed_at)?;
        match &newest.value {
            Fact::Record(sets) => Some((sets, newest.observed_at)),
            _ => None,
        }
    }

    /// The newest lag sample: the series of a secondary, for the writer's own Region has none.
    pub(super) fn lag(&self, component: &ComponentId) -> Option<LagSample> {
        let writer = self.topology(component).and_then(|(cluster, _)| cluster.writer()).map(|member| &member.region);
        self.seen(component, What::Lag)
            .filter(|seen| Some(&seen.region) != writer)
            .filter_map(|seen| match &seen.value {
                Fact::Lag(series) => series.newest().map(|point| LagSample { point, observed_at: seen.observed_at }),
                _ => None,
            })
            .max_by_key(|sample| sample.point.at)
    }

    /// The newest value of a gauge, while it speaks for now.
    pub(super) fn gauge(&self, component: &ComponentId, now: Timestamp) -> Result<(f64, Timestamp), String> {
        let newest = self.seen(component, What::Gauge).max_by_key(|seen| seen.observed_at);
        let Some(Fact::Gauge(series)) = newest.map(|seen| &seen.value) else {
            return Err(format!("{component} was never read"));
        };
        current(series, now).map_or_else(
            || {
                Err(series.newest().map_or_else(
                    || format!("{component} has no data"),
                    |point| format!("{component} last seen {} ago", time::short(now.since(point.at))),
                ))
            },
            |point| Ok((point.value, point.at)),
        )
    }
}

/// The newest point, if it is young enough to speak for now.
fn current(series: &Series, now: Timestamp) -> Option<Point> {
    series.newest().filter(|point| now.since(point.at + series.period) <= SERIES_AGE_MAX)
}

/// The signal in words, for the plan: `Mumbai unreachable from at least 2 vantage points`.
#[must_use]
pub fn words(signal: &Signal, estate: &Estate) -> String {
    let city = |side: Side| estate.regions.get(side).name.clone();
    match signal {
        Signal::Unreachable { side, vantage_points } => {
            format!("{} unreachable from at least {vantage_points} vantage points", city(*side))
        }
        Signal::Reachable { side } => format!("{} reachable", city(*side)),
        Signal::MetricBelow { component, limit } => format!("{component} below {limit}"),
        Signal::MetricAtLeast { component, limit } => format!("{component} at least {limit}"),
        Signal::HealthCheck { component, healthy: true } => format!("{component} healthy"),
        Signal::HealthCheck { component, healthy: false } => format!("{component} unhealthy"),
        Signal::ServedBelow { share } => format!("customers served below {} %", percent(*share)),
        Signal::ServedAtLeast { share } => format!("customers served at least {} %", percent(*share)),
        Signal::WriterIn { component, side } => format!("writer of {component} in {}", city(*side)),
        Signal::LagAtMost { component, limit } => format!("lag of {component} at most {}", time::short(*limit)),
        Signal::Replicating { component } => format!("{component} replicating"),
        Signal::Alarm { component, ok: true } => format!("alarm {component} ok"),
        Signal::Alarm { component, ok: false } => format!("alarm {component} in alarm"),
        Signal::Verdict { component, is } => {
            let of = component.as_ref().map_or_else(String::new, |component| format!(" of {component}"));
            format!("verdict{of} is {}", is.join(" or "))
        }
        Signal::RecoveryPoint { component, newer_than, side } => {
            format!("{component} restorable in {} from data at most {} old", city(*side), time::short(*newer_than))
        }
        Signal::Quorum { need, of } => {
            let each: Vec<String> = of.iter().map(|signal| words(signal, estate)).collect();
            format!("{need} of {}: {}", of.len(), each.join("; "))
        }
    }
}

/// `99.9`, `50`
fn percent(share: f64) -> String {
    format!("{}", (share * 1000.0).round() / 10.0)
}

/// What the signal says now.
#[must_use]
pub fn read(signal: &Signal, facts: &Facts<'_>, now: Timestamp) -> Reading {
    match signal {
        Signal::Unreachable { side, vantage_points } => unreachable(facts, *side, *vantage_points, now),
        Signal::Reachable { side } => reachable(facts, *side, now),
        Signal::MetricBelow { component, limit } => gauge(facts, component, now, |value| value < *limit),
        Signal::MetricAtLeast { component, limit } => gauge(facts, component, now, |value| value >= *limit),
        Signal::HealthCheck { component, healthy } => health_check(facts, component, *healthy, now),
        Signal::ServedBelow { share } => served(facts, now, |seen| seen < *share),
        Signal::ServedAtLeast { share } => served(facts, now, |seen| seen >= *share),
        Signal::WriterIn { component, side } => writer_in(facts, component, *side, now),
        Signal::LagAtMost { component, limit } => lag_at_most(facts, component, *limit, now),
        Signal::Replicating { component } => replicating(facts, component, now),
        Signal::Alarm { component, ok } => {
            alarm(facts, component, if *ok { AlarmState::Ok } else { AlarmState::Alarm }, now)
        }
        Signal::Verdict { component, is } => signal_data::verdict(facts, component.as_deref(), is, now),
        Signal::RecoveryPoint { component, newer_than, side } => {
            signal_data::recovery_point(facts, component, *side, *newer_than, now)
        }
        Signal::Quorum { need, of } => {
            let readings: Vec<Reading> = of.iter().map(|signal| read(signal, facts, now)).collect();
            guards_estate::quorum(*need, &readings)
        }
    }
}

/// When the Region itself was last tried, if that is recent; that another Region answers says nothing of it.
fn tried(facts: &Facts<'_>, health: &RegionHealth, region: &RegionId, now: Timestamp) -> Option<Timestamp> {
    let speed = match facts.snapshot.mode {
        Mode::Simulated { speed } => speed.max(1.0),
        Mode::Live | Mode::Drill => 1.0,
    };
    let age_max = VANTAGE_AGE_MAX + TRIES_WALL.mul_f64(speed - 1.0);
    let own = health.vantages.iter().filter(|vantage| vantage.region == *region);
    let newest = own.filter_map(|vantage| vantage.outcome.as_ref()).map(|outcome| outcome.at).max();
    newest.filter(|at| now.since(*at) <= age_max)
}

fn unreachable(facts: &Facts<'_>, side: Side, needed: u32, now: Timestamp) -> Reading {
    let city = facts.city(side);
    let Some((health, at)) =
        facts.health(side).and_then(|health| Some((health, tried(facts, health, facts.region(side), now)?)))
    else {
        return Reading::unknown(format!("{city} was not tried lately"));
    };
    let region = facts.region(side);
    let failing = health
        .vantages
        .iter()
        .filter(|vantage| vantage.region == *region)
        .filter_map(|vantage| vantage.outcome.as_ref()?.result.as_ref().err())
        .filter(|error| matches!(error.failure, ProbeFailure::Unreachable | ProbeFailure::ServerError))
        .count() as u64;
    match health.reach {
        Reach::Unknown => Reading::unknown(format!("{city} was not tried yet")),
        Reach::OwnNetwork => Reading::unknown("nothing answers anywhere: my own network?"),
        Reach::Reachable | Reach::Partial => {
            Reading::known(false, format!("{city} {}", health.reach.words()), at).figure(failing)
        }
        Reach::RegionDown => {
            let others = if failing == 1 { "vantage point" } else { "vantage points" };
            Reading::known(
                failing >= u64::from(needed),
                format!("{failing} {others} get no answer, elsewhere answers"),
                at,
            )
            .figure(failing)
        }
    }
}

fn reachable(facts: &Facts<'_>, side: Side, now: Timestamp) -> Reading {
    let city = facts.city(side);
    match facts.health(side).and_then(|health| Some((health, tried(facts, health, facts.region(side), now)?))) {
        None => Reading::unknown(format!("{city} was not tried lately")),
        Some((health, _)) if health.reach == Reach::Unknown => Reading::unknown(format!("{city} was not tried yet")),
        Some((health, at)) => {
            Reading::known(health.reach == Reach::Reachable, format!("{city} {}", health.reach.words()), at)
        }
    }
}

fn gauge(facts: &Facts<'_>, component: &str, now: Timestamp, judge: impl Fn(f64) -> bool) -> Reading {
    match facts.gauge(&ComponentId::new(component), now) {
        Err(why) => Reading::unknown(why),
        Ok((value, at)) => Reading::known(judge(value), format!("{value}, {} old", time::short(now.since(at))), at),
    }
}

fn health_check(facts: &Facts<'_>, component: &str, wanted: bool, now: Timestamp) -> Reading {
    let id = ComponentId::new(component);
    let newest = facts
        .snapshot
        .of_app(&facts.app.id)
        .filter(|(key, _)| key.what == What::HealthCheck && key.component == id)
        .map(|(_, slot)| slot.at(now))
        .next();
    let seen = match newest {
        Some(At::Fresh(seen)) => seen,
        Some(At::Stale { age, .. }) => return Reading::unknown(format!("last read {} ago", time::short(age))),
        Some(At::Unknown { cause }) => {
            return Reading::unknown(cause.map_or("not read yet", |error| error.failure.word()));
        }
        None => return Reading::unknown("not read yet"),
    };
    let Fact::HealthCheck(check) = &seen.value else { return Reading::unknown("not a health check") };
    match check.healthy() {
        None => Reading::unknown("no checker reported"),
        Some(healthy) => {
            let share = check.healthy_percent.map_or_else(String::new, |p| format!(", {p} % of checkers see it well"));
            let word = if healthy { "healthy" } else { "unhealthy" };
            let reading = Reading::known(healthy == wanted, format!("{word}{share}"), seen.data_time);
            check.healthy_percent.map_or(reading.clone(), |p| reading.figure(u64::from(p)))
        }
    }
}

/// `INSUFFICIENT_DATA` is neither, and an alarm that tells nobody is named as such (field guide 7.3).
fn alarm(facts: &Facts<'_>, component: &str, wanted: AlarmState, now: Timestamp) -> Reading {
    let newest = facts.seen(&ComponentId::new(component), What::Alarm).max_by_key(|seen| seen.observed_at);
    let Some(Fact::Alarm(alarm)) = newest.map(|seen| &seen.value) else {
        return Reading::unknown(format!("{component} was never read"));
    };
    let (age, budget) = newest.map_or_else(Default::default, |seen| (now.since(seen.observed_at), seen.budget));
    if age > budget {
        return Reading::unknown(format!("last read {} ago", time::short(age)));
    }
    let since = alarm.since.map_or_else(String::new, |at| format!(" since {}", facts.clock(at)));
    let silent = if alarm.silent { ", its actions are off" } else { "" };
    let word = match alarm.state {
        AlarmState::Ok => "OK",
        AlarmState::Alarm => "ALARM",
        AlarmState::InsufficientData => return Reading::unknown(format!("INSUFFICIENT_DATA{since}{silent}")),
    };
    Reading::known(alarm.state == wanted, format!("{word}{since}{silent}"), now - age)
}

/// Good answers over all answers in the newest common minute of each Region that can be read. A Region that
/// cannot be read is named; it does not make the rest unknown, or an outage would forbid its own recovery.
fn served(facts: &Facts<'_>, now: Timestamp, judge: impl Fn(f64) -> bool) -> Reading {
    let component = ComponentId::new(SERVED);
    let series = |region: &RegionId, what| {
        let seen = facts.snapshot.fact(&facts.app.id, &component, region, what)?.last.as_ref()?;
        match &seen.value {
            Fact::ServedGood(series) | Fact::ServedTotal(series) => Some(series),
            _ => None,
        }
    };
    let (mut good, mut total, mut newest, mut missing) = (0.0, 0.0, None, Vec::new());
    for side in Side::BOTH {
        let region = facts.region(side);
        let pair = series(region, What::ServedTotal).and_then(|all| {
            let point = current(all, now)?;
            let answered = series(region, What::ServedGood)?.points.iter().find(|p| p.at == point.at)?;
            Some((answered.value, point))
        });
        match pair {
            Some((answered, point)) => {
                good += answered;
                total += point.value;
                newest = newest.max(Some(point.at));
            }
            None => missing.push(facts.city(side)),
        }
    }
    let aside = if missing.is_empty() { String::new() } else { format!(", {} not seen", missing.join(" and ")) };
    match newest {
        None => Reading::unknown("no counts of customers served"),
        Some(_) if total <= 0.0 => Reading::unknown(format!("no customer asked in the newest minute{aside}")),
        Some(at) => {
            let share = good / total;
            Reading::known(judge(share), format!("{} %{aside}", percent(share)), at).figure((share * 100.0) as u64)
        }
    }
}

fn writer_in(facts: &Facts<'_>, component: &str, side: Side, now: Timestamp) -> Reading {
    let Some((cluster, at)) = facts.fresh_topology(&ComponentId::new(component), now) else {
        return Reading::unknown("topology not read lately");
    };
    match cluster.writer() {
        None => Reading::unknown("no member is the writer"),
        Some(writer) => Reading::known(
            writer.region == *facts.region(side),
            format!("writer {}, status {}", writer.region, cluster.status),
            at,
        ),
    }
}

fn lag_at_most(facts: &Facts<'_>, component: &str, limit: Duration, now: Timestamp) -> Reading {
    match facts.lag(&ComponentId::new(component)) {
        None => Reading::unknown("no lag was ever seen"),
        Some(sample) if now.since(sample.point.at) > SERIES_AGE_MAX => Reading::unknown(format!(
            "last lag {} is {} old",
            seconds(sample.point.value),
            time::short(now.since(sample.point.at))
        )),
        Some(sample) => lag_reading(sample, limit, now),
    }
}

/// The sample as it is; `-1` says that nothing replicates (field guide 0.1, fact 7).
pub(super) fn lag_reading(sample: LagSample, limit: Duration, now: Timestamp) -> Reading {
    let LagSample { point, .. } = sample;
    if point.value < 0.0 {
        return Reading::known(false, "not replicating (-1)", point.at);
    }
    let lag = Duration::from_secs_f64(point.value);
    Reading::known(
        lag <= limit,
        format!("{}, sampled {} ago", time::short_up(lag), time::short(now.since(point.at))),
        point.at,
    )
    .figure(lag.as_millis() as u64)
}

pub(super) fn seconds(value: f64) -> String {
    if value < 0.0 { "-1 (not replicating)".to_owned() } else { time::short_up(Duration::from_secs_f64(value)) }
}

fn replicating(facts: &Facts<'_>, component: &str, now: Timestamp) -> Reading {
    let Some((cluster, at)) = facts.fresh_topology(&ComponentId::new(component), now) else {
        return Reading::unknown("topology not read lately");
    };
    if cluster.status.as_str() != "available" || cluster.failover.is_some() {
        return Reading::known(false, format!("status {}", cluster.status), at);
    }
    if cluster.writer().is_none() {
        return Reading::known(false, "no member is the writer", at);
    }
    let mut secondaries = cluster.members.iter().filter(|member| !member.writer).peekable();
    if secondaries.peek().is_none() {
        return Reading::known(false, "no secondary", at);
    }
    for member in secondaries {
        match member.synchronization.as_deref() {
            Some("connected") => {}
            Some(word) => return Reading::known(false, format!("{} {word}", member.region), at),
            None => return Reading::unknown(format!("{} does not say whether it is connected", member.region)),
        }
    }
    Reading::known(true, "all members connected", at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            ProbeError, Snapshot,
            snapshot::{Vantage, VantageOutcome},
        },
        estate, probes, steps,
    };

    /// Mumbai dark for two vantage points, last tried that long ago.
    fn dark(mode: Mode, tried_ago: Duration, now: Timestamp) -> Snapshot {
        let mut snapshot = Snapshot::empty(mode, now);
        let region = RegionId::new("ap-south-1");
        let vantage = |service: &str| Vantage {
            name: SafeText::new(format!("{service} in ap-south-1")),
            region: region.clone(),
            outcome: Some(VantageOutcome {
                at: now - tried_ago,
                result: Err(ProbeError {
                    failure: ProbeFailure::Unreachable,
                    region: region.clone(),
                    call: service.into(),
                    message: "timed out".into(),
                    at: now - tried_ago,
                }),
            }),
        };
        let health = RegionHealth {
            reach: Reach::RegionDown,
            vantages: vec![vantage("rds"), vantage("sts")],
            since: now - tried_ago,
            cycles_unreachable: 3,
        };
        snapshot.regions.insert(region.clone(), health);
        snapshot
    }

    #[test]
    fn a_try_that_took_its_whole_time_out_on_a_fast_simulator_still_speaks_for_now_and_a_live_one_that_old_does_not() {
        let now = Timestamp::from_secs(1_800_000_000);
        let loaded = estate::load(&estate::Source::Bundled, probes::CATALOGUE, steps::CATALOGUE);
        let estate = loaded.estate.expect("the bundled estate is whole");
        let app = estate.app(&"payments".into()).expect("payments");
        let said = |mode, ago| {
            let snapshot = dark(mode, Duration::from_secs(ago), now);
            let facts = Facts { estate: &estate, app, snapshot: &snapshot, last_run_ended: None, attested: &[] };
            read(&Signal::Unreachable { side: Side::Primary, vantage_points: 2 }, &facts, now).holds
        };
        // 10 s on the wall and as long again until the next answer, at sixty times the speed.
        assert_eq!(said(Mode::Simulated { speed: 60.0 }, 1_260), Holds::Yes);
        assert_eq!(said(Mode::Live, 100), Holds::Yes);
        assert_eq!(said(Mode::Live, 1_260), Holds::Unknown);
        assert_eq!(said(Mode::Simulated { speed: 1.0 }, 1_260), Holds::Unknown);
    }
}
