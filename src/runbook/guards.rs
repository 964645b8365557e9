//! Guards: conditions that must hold on fresh facts before a step acts. Pure; unknown blocks like no does.
//!
//! Facts are read within seconds of the act; the age of the *data* is judged here, separately. No guard may make
//! the recovery from an outage impossible because of that outage: in one, `lag_at_most` takes the last sample
//! before the gap and says so, and a fence that cannot be proven asks for an override instead of an answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    guards_estate,
    plan::{GuardReading, Holds, Override},
    signal::{self, Facts, Reading},
    spec::{Guard, GuardSpec, Signal},
};
use crate::domain::{
    Component, ComponentId, Side, Timestamp, resource::Routing, snapshot::Reach, text::SafeText, time, time::Weekday,
};

/// The guard with what is so now. `component` is the step's own, which a guard means when it names none.
#[must_use]
pub fn evaluate(spec: &GuardSpec, component: Option<&ComponentId>, facts: &Facts<'_>, now: Timestamp) -> GuardReading {
    let reading = match &spec.guard {
        Guard::LagAtMost { component: named, limit, in_outage_last_sample } => {
            let id = named.as_deref().map(ComponentId::new).or_else(|| component.cloned());
            let outage = if *in_outage_last_sample { InOutage::LastSample } else { InOutage::Unknown };
            id.map_or_else(|| Reading::unknown("no component named"), |id| lag(facts, &id, *limit, outage, now))
        }
        Guard::ReadyFor { percent, side } => ready(facts, *percent, *side, now),
        Guard::Fenced { side } => fenced(facts, component, *side, now),
        Guard::NotSince { minimum } => not_since(facts, *minimum, now),
        Guard::Parity { of, component, attested } => {
            guards_estate::parity(facts, *of, component, attested.as_ref(), now)
        }
        Guard::CredentialsOutlive { side, limit } => guards_estate::credentials_outlive(facts, *side, *limit, now),
        Guard::TtlAtMost { component, limit } => guards_estate::ttl_at_most(facts, component, *limit, now),
        Guard::NoFreeze => guards_estate::no_freeze(facts, now),
        Guard::InWindow { day, from, lasts } => guards_estate::in_window(facts, *day, *from, *lasts, now),
        Guard::NotInside { side, attested } => guards_estate::not_inside(facts, *side, attested.as_ref(), now),
        Guard::Holds(signal) => signal::read(signal, facts, now),
    };
    GuardReading {
        made_true_by: None,
        text: words(&spec.guard, facts),
        present: reading.present,
        data_time: reading.data_time,
        holds: reading.holds,
        overridable: spec.overridable,
        overridden: None,
        figure: reading.figure,
    }
}

/// Readings of all guards, with the overrides that were given before and still stand.
#[must_use]
pub fn evaluate_all(
    specs: &[GuardSpec],
    component: Option<&ComponentId>,
    facts: &Facts<'_>,
    given: &[(usize, Override)],
    now: Timestamp,
) -> Vec<GuardReading> {
    let with_override = |(n, spec)| {
        let mut reading = evaluate(spec, component, facts, now);
        if spec.overridable && reading.holds != Holds::Yes {
            reading.overridden = given.iter().rev().find(|(index, _)| *index == n).map(|(_, given)| given.clone());
        }
        reading
    };
    specs.iter().enumerate().map(with_override).collect()
}

/// The guard in words: `lag at most 5 s`.
#[must_use]
pub fn words(guard: &Guard, facts: &Facts<'_>) -> SafeText {
    SafeText::new(match guard {
        Guard::LagAtMost { limit, .. } => format!("lag at most {}", time::short(*limit)),
        Guard::ReadyFor { percent, side } => format!("{} ready ≥ {percent} %", facts.city(*side)),
        Guard::Fenced { side } => format!("{} cannot write", facts.city(*side)),
        Guard::NotSince { minimum } => format!("no run in the last {}", time::short(*minimum)),
        Guard::Parity { of, component, attested } => guards_estate::with_attestation(
            &format!("{} the same on both sides ({component})", of.words()),
            attested.as_ref(),
        ),
        Guard::CredentialsOutlive { side, limit } => {
            format!("session for {} lasts {} more", facts.city(*side), time::short_up(*limit))
        }
        Guard::TtlAtMost { component, limit } => format!("TTL of {component} at most {}", time::short(*limit)),
        Guard::NoFreeze => "no freeze in force".to_owned(),
        Guard::InWindow { day, from, lasts } => format!(
            "in the window of {} that opens {:02}:{:02} {}",
            time::short(*lasts),
            from.as_secs() / 3_600,
            from.as_secs() / 60 % 60,
            day.map_or("every day", Weekday::word)
        ),
        Guard::NotInside { side, attested } => guards_estate::with_attestation(
            &format!("this console does not run in {}", facts.city(*side)),
            attested.as_ref(),
        ),
        Guard::Holds(signal) => signal::words(signal, facts.estate),
    })
}

/// Whether what a person was shown has become worse since. A guard that held and still holds has not.
#[must_use]
pub fn worse(guard: &Guard, confirmed: &GuardReading, now: &GuardReading) -> bool {
    const fn rank(holds: Holds) -> u8 {
        match holds {
            Holds::Yes => 0,
            Holds::Unknown => 1,
            Holds::No => 2,
        }
    }
    if now.holds == Holds::Yes {
        return false;
    }
    if rank(now.holds) > rank(confirmed.holds) {
        return true;
    }
    match (bad(guard), confirmed.figure, now.figure) {
        (Bad::Growing, Some(was), Some(is)) => {
            rounded_up(Duration::from_millis(is)) > rounded_up(Duration::from_millis(was))
        }
        (Bad::More, Some(was), Some(is)) => is > was,
        (Bad::Less, Some(was), Some(is)) => is < was,
        // A figure was accepted, and now there is none to hold against it.
        (Bad::Growing | Bad::More | Bad::Less, Some(_), None) => true,
        _ => false,
    }
}

/// In which direction the figure of a guard is worse.
enum Bad {
    /// It moves all the time; a person accepted its order of magnitude.
    Growing,
    More,
    Less,
    Figureless,
}

const fn bad(guard: &Guard) -> Bad {
    match guard {
        Guard::LagAtMost { .. } | Guard::Holds(Signal::LagAtMost { .. } | Signal::RecoveryPoint { .. }) => Bad::Growing,
        Guard::TtlAtMost { .. } | Guard::Parity { .. } => Bad::More,
        Guard::ReadyFor { .. } | Guard::Holds(Signal::Quorum { .. }) => Bad::Less,
        _ => Bad::Figureless,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum InOutage {
    LastSample,
    Unknown,
}

/// Whether the source of the stream is out of reach, as far as one can see from here.
fn source_lost(facts: &Facts<'_>, component: &ComponentId) -> bool {
    let writer = facts.topology(component).and_then(|(cluster, _)| cluster.writer());
    let side = writer.and_then(|member| facts.estate.regions.side_of(&member.region)).unwrap_or(Side::Primary);
    facts.health(side).is_some_and(|health| health.reach == Reach::RegionDown)
}

fn lag(facts: &Facts<'_>, component: &ComponentId, limit: Duration, outage: InOutage, now: Timestamp) -> Reading {
    let Some(sample) = facts.lag(component) else { return Reading::unknown("no lag was ever seen") };
    let age = now.since(sample.point.at);
    let lost = source_lost(facts, component);
    if lost && outage == InOutage::LastSample {
        let mut reading = signal::lag_reading(sample, limit, now);
        reading.present = SafeText::new(format!(
            "{}, last sample before the gap, {}, {} old",
            signal::seconds(sample.point.value),
            facts.clock(sample.point.at),
            time::short(age)
        ));
        return reading;
    }
    if lost || age > signal::SERIES_AGE_MAX {
        return Reading::unknown(format!(
            "unknown and growing: last {} at {}, {} old",
            signal::seconds(sample.point.value),
            facts.clock(sample.point.at),
            time::short(age)
        ));
    }
    signal::lag_reading(sample, limit, now)
}

/// Metrics declared on that side with an `at_least`: each must carry its share.
fn ready(facts: &Facts<'_>, percent: u32, side: Side, now: Timestamp) -> Reading {
    let measures = |component: &&Component| {
        component.kind == "metric"
            && component.params.side("side") == Some(side)
            && component.params.number("at_least").is_some_and(|at_least| at_least > 0.0)
    };
    let (mut lowest, mut oldest, mut texts) = (None::<u64>, None::<Timestamp>, Vec::new());
    for component in facts.app.components.iter().filter(measures) {
        let full = component.params.number("at_least").unwrap_or(f64::MAX);
        match facts.gauge(&component.id, now) {
            Err(why) => return Reading::unknown(why),
            Ok((value, at)) => {
                let share = (value / full * 100.0).clamp(0.0, 1000.0) as u64;
                lowest = Some(lowest.map_or(share, |low| low.min(share)));
                oldest = Some(oldest.map_or(at, |old| old.min(at)));
                texts.push(format!("{} {value}/{full}", component.id));
            }
        }
    }
    match (lowest, oldest) {
        (Some(share), Some(at)) => {
            texts.push(format!("data {} old", time::short(now.since(at))));
            Reading::known(share >= u64::from(percent), texts.join(", "), at).figure(share)
        }
        _ => Reading::unknown(format!("nothing declared measures the capacity of {}", facts.city(side))),
    }
}

/// Three grades: *proven*, *traffic cut*, *unprovable*. Only the last needs somebody to take it on.
fn fenced(facts: &Facts<'_>, component: Option<&ComponentId>, side: Side, now: Timestamp) -> Reading {
    let region = facts.region(side);
    let cut = traffic_cut(facts, side, now);
    let topology = component.and_then(|component| facts.fresh_topology(component, now));
    if let Some((cluster, at)) = topology {
        let other_writes = cluster.writer().is_some_and(|writer| writer.region != *region);
        let follows = cluster
            .member_in(region)
            .is_some_and(|member| !member.writer && member.synchronization.as_deref() == Some("connected"));
        if other_writes && follows && cluster.failover.is_none() {
            return Reading::known(true, format!("proven: {region} is a connected reader"), at);
        }
    }
    if let Some(stopped) = component.and_then(|component| guards_estate::stopped(facts, component, region, now)) {
        return stopped;
    }
    match (cut, topology) {
        (Some((true, at)), _) => Reading::known(true, "traffic cut: DNS sends nobody there", at),
        (_, Some((cluster, at)))
            if cluster.writer().is_some_and(|writer| writer.region == *region)
                && facts.health(side).is_some_and(|health| health.reach == Reach::Reachable) =>
        {
            Reading::known(false, format!("{region} is the writer and answers"), at)
        }
        (cut, _) => {
            let word = match cut {
                Some(_) => "no",
                None => "unknown",
            };
            Reading::unknown(format!("unprovable (traffic cut: {word})"))
        }
    }
}

/// Whether every DNS record of the app that is weighted sends that side nothing and the other side something:
/// weight 0 on all records means that all are answered (field guide 5.1).
pub(super) fn traffic_cut(facts: &Facts<'_>, side: Side, now: Timestamp) -> Option<(bool, Timestamp)> {
    let mut oldest = None::<Timestamp>;
    for component in facts.app.components.iter().filter(|component| component.kind == "route53-record") {
        let (sets, at) = facts.records(&component.id, now)?;
        let weight = |of: Side| {
            let id = component.params.side_text("sides", of)?;
            match sets.iter().find(|set| set.set_identifier.as_deref() == Some(id))?.routing {
                Routing::Weighted { weight } => Some(weight),
                _ => None,
            }
        };
        if weight(side)? != 0 || weight(side.other())? == 0 {
            return Some((false, at));
        }
        oldest = Some(oldest.map_or(at, |old| old.min(at)));
    }
    oldest.map(|at| (true, at))
}

fn not_since(facts: &Facts<'_>, minimum: Duration, now: Timestamp) -> Reading {
    match facts.last_run_ended {
        None => Reading::known(true, "no run on record", now),
        Some(ended) => {
            let age = now.since(ended);
            Reading::known(age >= minimum, format!("last run ended {} ago", time::short(age)), ended)
                .figure(age.as_millis() as u64)
        }
    }
}

/// What a failover now could lose, as a bound. `None`: no sample says anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossBound {
    pub bound: Option<Duration>,
    /// Writes since then may be lost.
    pub since: Option<Timestamp>,
    pub lines: Vec<SafeText>,
}

/// Everything written up to the newest sample less its lag has arrived; what came later may be lost.
#[must_use]
pub fn loss_bound(facts: &Facts<'_>, component: &ComponentId, now: Timestamp) -> LossBound {
    let sample = facts.lag(component).filter(|sample| sample.point.value >= 0.0);
    let Some(sample) = sample else {
        let line = SafeText::new("No lag was ever seen: the loss is not bounded by anything this console knows.");
        return LossBound { bound: None, since: None, lines: vec![line] };
    };
    let lag = Duration::from_secs_f64(sample.point.value);
    let since = sample.point.at - lag;
    let bound = now.since(since);
    let lines = vec![
        SafeText::new(format!(
            "Last lag {} ({}), read {} ago.",
            time::short_up(lag),
            facts.clock(sample.point.at),
            time::short(now.since(sample.observed_at))
        )),
        SafeText::new(format!(
            "Writes since {} may be lost: at most {}, rounded up to {}.",
            facts.clock(since),
            time::short_up(bound),
            time::short(rounded_up(bound))
        )),
    ];
    LossBound { bound: Some(bound), since: Some(since), lines }
}

/// The rungs a person accepts a loss in: a figure to the second would say more than is known.
const RUNGS_SECONDS: [u64; 9] = [10, 60, 300, 900, 3_600, 4 * 3_600, 12 * 3_600, 24 * 3_600, 48 * 3_600];

/// Up to the next rung: 10 s, 1 m, 5 m, 15 m, 1 h, …, then whole days.
#[must_use]
pub fn rounded_up(bound: Duration) -> Duration {
    let rung = RUNGS_SECONDS.iter().map(|secs| Duration::from_secs(*secs)).find(|rung| bound <= *rung);
    rung.unwrap_or_else(|| {
        let days = bound.as_secs().div_ceil(86_400).max(1);
        Duration::from_secs(days.saturating_mul(86_400))
    })
}

/// What is typed to accept a loss: `up to 5 m`.
#[must_use]
pub fn loss_phrase(rounded: Option<Duration>) -> String {
    rounded.map_or_else(|| "an unknown amount".to_owned(), |rounded| format!("up to {}", time::short(rounded)))
}
