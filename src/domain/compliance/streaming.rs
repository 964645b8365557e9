//! Replication as a stream: lag samples against a target. DESIGN section 5, "Streaming".
//!
//! `L` is the lag of the newest sample, `D` its age (from the *start* of its minute: points are one minute wide and
//! one to three minutes late, field guide 7.2), `T` the target. What would be lost now is at most `L + D`, because at
//! the sample's moment the other side held everything up to `L` before it.
//! Must never: take `-1` for a lag, a missing point for a zero, or an old series for a healthy one.

use std::time::Duration;

use super::{Exposure, Verdict, words};
use crate::domain::{
    fact::{Fact, Point, Series},
    id::ComponentId,
    observation::{At, Slot},
    text::SafeText,
    time::{Timestamp, Zone, short, short_up},
};

/// How late CloudWatch may bring a point (field guide 7.2).
const DELIVERY_MAX: Duration = Duration::from_mins(3);
/// Assumed poll interval, where the observation's budget does not say more.
const POLL: Duration = Duration::from_mins(1);
/// Beyond this age of the newest sample nothing is said any more.
const STALE_MAX: Duration = Duration::from_mins(5);
/// `-1` for this long: not replicating.
const NEGATIVE_MAX: Duration = Duration::from_mins(3);
/// Writes but no lag point for this long: stalled.
const STALLED_AFTER: Duration = Duration::from_mins(5);
/// How many points are judged, and how many of them make a breach.
const JUDGED: usize = 5;
const BREACH_OF_JUDGED: usize = 3;

/// Everything a stream is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    pub component: &'a ComponentId,
    pub target: Option<Duration>,
    /// Lag, read on the receiving side.
    pub lag: Option<&'a Slot<Fact>>,
    /// Writes, read on the sending side, where the component has them.
    pub writes: Option<&'a Slot<Fact>>,
    /// Since when the sending Region is down, seen from several vantage points.
    pub source_down_since: Option<Timestamp>,
    pub zone: &'a Zone,
    pub now: Timestamp,
}

/// A judged stream: the exposure, and its state in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub exposure: Exposure,
    pub state: SafeText,
}

#[must_use]
pub fn judge(stream: &Stream<'_>) -> Judged {
    let Some(slot) = stream.lag else { return unknown(stream, "not read yet".into()) };
    let (series, observed_at, budget, stale) = match slot.at(stream.now) {
        At::Unknown { .. } if stream.source_down_since.is_some() => {
            return unknown(stream, "no lag sample from before the gap was read".into());
        }
        At::Unknown { cause } => return unknown(stream, words::cause(cause)),
        At::Fresh(o) => (lag_series(&o.value), o.observed_at, o.budget, None),
        At::Stale { last, age, cause } => {
            (lag_series(&last.value), last.observed_at, last.budget, Some(words::stale(age, cause)))
        }
    };
    let Some(series) = series else { return unknown(stream, "the answer is not a lag".into()) };
    let mut judged = judge_series(stream, series, budget, stale);
    judged.exposure.observed_at = Some(observed_at);
    judged
}

fn lag_series(fact: &Fact) -> Option<&Series> {
    if let Fact::Lag(series) = fact { Some(series) } else { None }
}

fn judge_series(stream: &Stream<'_>, series: &Series, budget: Duration, stale: Option<String>) -> Judged {
    let samples: Vec<(Timestamp, Duration)> = series.points.iter().filter_map(sample).collect();
    let newest = samples.last().copied();

    if let Some(since) = stream.source_down_since {
        return match samples.iter().rev().find(|(at, _)| *at <= since).copied().or(newest) {
            Some((at, lag)) => frozen(stream, at, lag, since, series.period),
            None => unknown(stream, "no lag sample from before the gap".into()),
        };
    }
    let negative = trailing_negative(series);
    if negative >= NEGATIVE_MAX && stale.is_none() {
        return broken(stream, "not replicating", newest, negative);
    }
    if stale.is_none() {
        match source(stream, series.period, newest) {
            Source::Idle => return idle(stream, newest),
            Source::Writes if newest.is_none_or(|(at, _)| stream.now.since(at) >= STALLED_AFTER) => {
                return broken(stream, "stalled", newest, STALLED_AFTER);
            }
            Source::Writes | Source::NotKnown => {}
        }
    }
    let Some((at, lag)) = newest else {
        let why = stale.unwrap_or_else(|| "no lag points in CloudWatch".to_owned());
        return unknown(stream, why);
    };

    let age = stream.now.since(at);
    let at_most = lag + age;
    let mut exposure = Exposure {
        target: stream.target,
        exposure: Some(lag),
        at_least: None,
        at_most: Some(at_most),
        component: Some(stream.component.clone()),
        data_time: Some(at - lag),
        observed_at: None,
        locked: None,
        verdict: Verdict::NoTarget,
    };
    let lag_words = format!("lag {}", short_up(lag));
    let limit = (series.period + DELIVERY_MAX + POLL).max(budget);
    let (verdict, state) = if stream.target.is_some_and(|target| at_most <= target) {
        (Verdict::Met { sampled: false }, lag_words)
    } else if age > limit.max(STALE_MAX) || (age > STALE_MAX && stale.is_some()) {
        let last = stream.zone.clock(at);
        let cause = stale.map(|cause| format!(": {cause}")).unwrap_or_default();
        let why = format!("no lag sample since {last}{cause}");
        exposure.exposure = None;
        (Verdict::Unknown { why: why.clone().into(), at_least: None, at_most: Some(at_most) }, why)
    } else {
        let judged = &samples[samples.len().saturating_sub(JUDGED)..];
        let verdict = samples_against(judged, lag, stream.target);
        let doubt = if age > limit || stale.is_some() {
            Some(format!("stale: {}", stale.unwrap_or_else(|| format!("newest sample {} old", short(age)))))
        } else if !negative.is_zero() {
            Some(format!("lag reads -1 for {}", short(negative)))
        } else {
            None
        };
        match doubt {
            None => (verdict, lag_words),
            Some(doubt) => (doubted(verdict, &doubt), format!("{lag_words}, {doubt}")),
        }
    };
    exposure.verdict = verdict;
    Judged { exposure, state: state.into() }
}

/// The last five samples: three above the target, or one far above it, breach; one or two put at risk.
fn samples_against(judged: &[(Timestamp, Duration)], lag: Duration, target: Option<Duration>) -> Verdict {
    let Some(target) = target else { return Verdict::NoTarget };
    let above: Vec<Duration> = judged.iter().map(|(_, lag)| *lag).filter(|lag| *lag > target).collect();
    let far = (target * 10).max(Duration::from_mins(1));
    let worst = above.iter().max().copied().unwrap_or_default();
    if above.len() >= BREACH_OF_JUDGED || above.iter().any(|lag| *lag >= far) {
        // By the newest sample where that one is above, else by the worst that made the breach.
        let lag = if lag > target { lag } else { worst };
        Verdict::Breached { by: lag.saturating_sub(target) }
    } else if above.is_empty() {
        Verdict::Met { sampled: true }
    } else {
        let why =
            format!("{} of {} samples above {}, worst {}", above.len(), judged.len(), short(target), short_up(worst));
        Verdict::AtRisk { why: why.into(), when: None }
    }
}

/// A verdict from before keeps its weight and says that it is old; what was Met is not Met any more.
fn doubted(verdict: Verdict, doubt: &str) -> Verdict {
    match verdict {
        Verdict::Met { .. } => Verdict::AtRisk { why: format!("met when last seen, {doubt}").into(), when: None },
        Verdict::NoTarget => Verdict::AtRisk { why: doubt.into(), when: None },
        Verdict::AtRisk { why, when } => Verdict::AtRisk { why: format!("{why}, {doubt}").into(), when },
        other => other,
    }
}

enum Source {
    Idle,
    Writes,
    NotKnown,
}

/// What the writes at the source say about a lag that is silent or old. Only fresh writes say anything.
fn source(stream: &Stream<'_>, period: Duration, newest: Option<(Timestamp, Duration)>) -> Source {
    let Some(At::Fresh(observation)) = stream.writes.map(|slot| slot.at(stream.now)) else { return Source::NotKnown };
    let Fact::SourceWrites(writes) = &observation.value else { return Source::NotKnown };
    let Some(last) = writes.newest() else { return Source::NotKnown };
    if stream.now.since(last.at) > writes.period + DELIVERY_MAX + POLL {
        return Source::NotKnown;
    }
    let zeros: Vec<&Point> = writes.points.iter().rev().take_while(|point| point.value == 0.0).collect();
    let Some(first_zero) = zeros.last() else {
        // A point of writes newer than the last lag: there was something to replicate.
        let later = newest.is_none_or(|(at, _)| last.at > at);
        return if later && last.value > 0.0 { Source::Writes } else { Source::NotKnown };
    };
    let quiet = match newest {
        None => stream.now.since(first_zero.at) >= STALLED_AFTER,
        // Nothing was written since the moment up to which the other side held everything; or the samples ended
        // with the writes, small as they were.
        Some((at, lag)) => {
            first_zero.at <= at - lag
                || (lag <= stream.target.unwrap_or(period).max(period) && first_zero.at <= at + period * 2)
        }
    };
    let silent = newest.is_none_or(|(at, _)| stream.now.since(at) > period + DELIVERY_MAX);
    let nothing_since_the_lag = newest.is_some_and(|(at, lag)| first_zero.at <= at - lag);
    if quiet && (silent || nothing_since_the_lag) { Source::Idle } else { Source::NotKnown }
}

fn idle(stream: &Stream<'_>, newest: Option<(Timestamp, Duration)>) -> Judged {
    let exposure = Exposure {
        target: stream.target,
        exposure: Some(Duration::ZERO),
        at_least: None,
        at_most: None,
        component: Some(stream.component.clone()),
        data_time: newest.map(|(at, lag)| at - lag),
        observed_at: None,
        locked: None,
        verdict: if stream.target.is_some() { Verdict::Met { sampled: true } } else { Verdict::NoTarget },
    };
    Judged { exposure, state: "idle".into() }
}

/// Replication that does not run: everything since the last good sample would be lost.
fn broken(stream: &Stream<'_>, state: &str, newest: Option<(Timestamp, Duration)>, at_least: Duration) -> Judged {
    let at_least = newest.map_or(at_least, |(at, lag)| stream.now.since(at) + lag).max(at_least);
    let exposure = Exposure {
        target: stream.target,
        exposure: None,
        at_least: Some(at_least),
        at_most: None,
        component: Some(stream.component.clone()),
        data_time: newest.map(|(at, lag)| at - lag),
        observed_at: None,
        locked: None,
        verdict: breached_or_untargeted(stream.target, at_least, state),
    };
    Judged { exposure, state: state.into() }
}

/// Nothing flows to the other side at all: after a failover until the way back is built, or with that side down.
#[must_use]
pub fn unprotected(stream: &Stream<'_>, since: Option<Timestamp>) -> Judged {
    let at_least = since.map(|since| stream.now.since(since));
    let state =
        since.map_or_else(|| "unprotected".to_owned(), |s| format!("unprotected since {}", stream.zone.clock(s)));
    let verdict = breached_or_untargeted(stream.target, at_least.unwrap_or_default(), &state);
    let exposure = Exposure {
        target: stream.target,
        exposure: None,
        at_least,
        at_most: None,
        component: Some(stream.component.clone()),
        data_time: since,
        observed_at: stream.lag.and_then(|slot| slot.last.as_ref()).map(|o| o.observed_at),
        locked: None,
        verdict,
    };
    Judged { exposure, state: state.into() }
}

fn breached_or_untargeted(target: Option<Duration>, at_least: Duration, state: &str) -> Verdict {
    match target {
        Some(target) => Verdict::Breached { by: at_least.saturating_sub(target) },
        None => Verdict::AtRisk { why: format!("{state}, and no RPO is set").into(), when: None },
    }
}

/// The source has stopped: the loss is the last lag before the gap, and does not grow. Never Met: the sample is not
/// the moment of the stop, which lies between the sample and when the Region was seen to be down.
fn frozen(stream: &Stream<'_>, at: Timestamp, lag: Duration, since: Timestamp, period: Duration) -> Judged {
    let at_most = since.max(at + period).since(at - lag);
    let words = format!("loss frozen: lag {} before the gap, from {}", short_up(lag), stream.zone.clock(at));
    let verdict = match stream.target {
        Some(target) if lag > target => Verdict::Breached { by: lag.saturating_sub(target) },
        _ => Verdict::AtRisk { why: words.clone().into(), when: None },
    };
    let exposure = Exposure {
        target: stream.target,
        exposure: Some(lag),
        at_least: None,
        at_most: Some(at_most),
        component: Some(stream.component.clone()),
        data_time: Some(at - lag),
        observed_at: None,
        locked: None,
        verdict,
    };
    Judged { exposure, state: words.into() }
}

fn unknown(stream: &Stream<'_>, why: String) -> Judged {
    let why = SafeText::from(why);
    let mut exposure = Exposure::unknown(stream.target, why.clone());
    exposure.component = Some(stream.component.clone());
    Judged { exposure, state: why }
}

/// A point that is a lag: finite and not negative.
fn sample(point: &Point) -> Option<(Timestamp, Duration)> {
    (point.value >= 0.0).then(|| Duration::try_from_secs_f64(point.value).ok()).flatten().map(|lag| (point.at, lag))
}

/// How long the newest points have been negative.
fn trailing_negative(series: &Series) -> Duration {
    let count = series.points.iter().rev().take_while(|point| point.value < 0.0).count();
    series.period * u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::compliance::{Severity, fixtures as fx};

    const S: Duration = Duration::from_secs(1);

    fn now() -> Timestamp {
        fx::now()
    }

    /// A lag series whose newest point is `age` old, one per minute, oldest first.
    fn lag(values: &[f64], age: u64) -> Slot<Fact> {
        fx::seen(Fact::Lag(fx::series(values, now() - Duration::from_secs(age))), now())
    }

    fn writes(values: &[f64], age: u64) -> Slot<Fact> {
        fx::seen(Fact::SourceWrites(fx::series(values, now() - Duration::from_secs(age))), now())
    }

    fn judged(lag: Option<&Slot<Fact>>, writes: Option<&Slot<Fact>>, target: Option<Duration>) -> Judged {
        let zone = Zone::utc();
        let component = ComponentId::new("db");
        judge(&Stream { component: &component, target, lag, writes, source_down_since: None, zone: &zone, now: now() })
    }

    #[test]
    fn the_table_of_streaming_rules() {
        let two_minutes = Duration::from_mins(2);
        // values (oldest first), age of the newest, target, verdict, what the rule is
        let rows: &[(&[f64], u64, Duration, &str, &str)] = &[
            (&[0.8; 5], 58, S, "met", "sampled: within the budget and no sample above"),
            (&[0.8, 1.2, 0.8, 0.8, 0.8], 58, S, "at-risk", "one of five above"),
            (&[1.2, 1.2, 0.8, 0.8, 0.8], 58, S, "at-risk", "two of five above"),
            (&[1.2, 1.2, 0.8, 0.8, 1.2], 58, S, "breached", "three of five above"),
            (&[0.8, 0.8, 60.0, 0.8, 0.8], 58, S, "breached", "one reaches 60 s, more than ten times the target"),
            (&[0.8, 0.8, 59.0, 0.8, 0.8], 58, S, "at-risk", "one above, below 60 s"),
            (&[10.0, 10.0, 90.0, 10.0, 10.0], 58, 20 * S, "at-risk", "90 s is less than ten times 20 s"),
            (&[10.0, 10.0, 200.0, 10.0, 10.0], 58, 20 * S, "breached", "ten times the target"),
            (&[9.0, 9.0, 9.0, 0.8, 0.8, 0.8, 0.8, 0.8], 58, S, "met", "older than the last five points"),
            (&[1.0; 5], 58, S, "met", "the target itself is met"),
            (&[2.0; 5], 600, 620 * S, "met", "proven by at_most even when old"),
            (&[2.0; 5], 100, two_minutes, "met", "proven"),
            (&[0.8; 5], 301, S, "unknown", "beyond the budget and 300 s"),
            (&[5.0; 5], 301, S, "unknown", "old points do not prove a breach of now"),
            (&[], 0, S, "unknown", "no points are not zero lag"),
            (&[0.8, 0.8, -1.0, -1.0, -1.0], 58, S, "breached", "-1 for three minutes: not replicating"),
            (&[0.8, 0.8, 0.8, 0.8, -1.0], 58, S, "at-risk", "-1 for a minute is no lag and no health"),
            (&[f64::NAN; 5], 58, S, "unknown", "not a number is not a lag"),
        ];
        for (values, age, target, word, rule) in rows {
            let verdict = judged(Some(&lag(values, *age)), None, Some(*target)).exposure.verdict;
            assert_eq!(verdict.word(), *word, "{rule}: {values:?} {age} s old gave {verdict:?}");
        }
    }

    #[test]
    fn sampled_and_proven_are_told_apart() {
        let sampled = judged(Some(&lag(&[0.8; 5], 58)), None, Some(S)).exposure;
        assert_eq!(sampled.verdict, Verdict::Met { sampled: true });
        assert_eq!(sampled.exposure, Some(Duration::from_millis(800)));
        assert_eq!(sampled.at_most, Some(Duration::from_millis(58_800)));
        let proven = judged(Some(&lag(&[0.8; 5], 58)), None, Some(300 * S)).exposure;
        assert_eq!(proven.verdict, Verdict::Met { sampled: false });
    }

    #[test]
    fn no_writes_make_a_silent_lag_idle_not_unknown() {
        let quiet = writes(&[0.0; 10], 60);
        for silent in [lag(&[], 0), lag(&[0.8; 5], 540)] {
            let judged = judged(Some(&silent), Some(&quiet), Some(S));
            assert_eq!(judged.state.as_str(), "idle");
            assert_eq!(judged.exposure.verdict, Verdict::Met { sampled: true });
        }
    }

    #[test]
    fn writes_without_lag_points_for_five_minutes_are_a_stalled_stream() {
        let busy = writes(&[40.0; 10], 60);
        let judged = judged(Some(&lag(&[0.8; 5], 360)), Some(&busy), Some(S));
        assert_eq!(judged.state.as_str(), "stalled");
        assert_eq!(judged.exposure.at_least, Some(Duration::from_millis(360_800)));
        assert_eq!(judged.exposure.verdict, Verdict::Breached { by: Duration::from_millis(359_800) });
    }

    #[test]
    fn a_backlog_is_not_idle_because_writes_have_just_stopped() {
        let judged = judged(Some(&lag(&[600.0; 5], 58)), Some(&writes(&[50.0, 50.0, 0.0, 0.0], 60)), Some(5 * S));
        assert_eq!(judged.exposure.verdict.severity(), Severity::Breached, "{judged:?}");
    }

    #[test]
    fn writes_that_cannot_be_read_excuse_nothing() {
        let dead = Slot::failed(fx::error());
        let judged = judged(Some(&lag(&[], 0)), Some(&dead), Some(S));
        assert_eq!(judged.exposure.verdict.severity(), Severity::Unknown);
    }

    #[test]
    fn an_observer_that_fails_makes_the_last_verdict_stale_and_then_unknown() {
        let observed = |age: u64| {
            let at = now() - Duration::from_secs(age);
            let mut slot = fx::seen(Fact::Lag(fx::series(&[0.8; 5], at - 58 * S)), at);
            slot.failure = Some(fx::error());
            slot
        };
        let stale = judged(Some(&observed(200)), None, Some(S)).exposure.verdict;
        let Verdict::AtRisk { why, .. } = stale else { panic!("{stale:?}") };
        assert!(why.contains("stale") && why.contains("access denied"), "{why}");
        let gone = judged(Some(&observed(400)), None, Some(S)).exposure.verdict;
        let Verdict::Unknown { why, at_most, .. } = gone else { panic!("{gone:?}") };
        assert!(why.contains("access denied"), "{why}");
        assert_eq!(at_most, Some(Duration::from_millis(458_800)));
    }

    #[test]
    fn a_dead_observer_is_unknown_in_the_words_of_its_cause() {
        let judged = judged(Some(&Slot::failed(fx::error())), None, Some(S));
        let Verdict::Unknown { why, .. } = judged.exposure.verdict else { panic!("{judged:?}") };
        assert!(why.contains("access denied"), "{why}");
    }

    #[test]
    fn once_the_source_has_stopped_the_loss_is_frozen() {
        let zone = Zone::utc();
        let component = ComponentId::new("db");
        let slot = lag(&[0.8; 5], 600);
        let mut at_different_times = Vec::new();
        for later in [0, 600] {
            let stream = Stream {
                component: &component,
                target: Some(S),
                lag: Some(&slot),
                writes: None,
                source_down_since: Some(now() - Duration::from_secs(510)),
                zone: &zone,
                now: now() + Duration::from_secs(later),
            };
            let judged = judge(&stream);
            assert_eq!(judged.exposure.verdict.severity(), Severity::Warning, "not Met: nobody saw the moment itself");
            assert_eq!(judged.exposure.at_most, Some(Duration::from_millis(90_800)));
            assert!(judged.state.contains("from "), "{}", judged.state);
            at_different_times.push(judged.exposure.exposure);
        }
        assert_eq!(at_different_times, vec![Some(Duration::from_millis(800)); 2]);
    }

    #[test]
    fn without_a_target_the_lag_is_shown_and_nothing_is_claimed() {
        let exposure = judged(Some(&lag(&[0.8; 5], 58)), None, None).exposure;
        assert_eq!((exposure.exposure, exposure.verdict), (Some(Duration::from_millis(800)), Verdict::NoTarget));
    }

    fn rank(verdict: &Verdict) -> u8 {
        match verdict {
            Verdict::Met { .. } => 0,
            Verdict::AtRisk { .. } => 1,
            Verdict::Unknown { .. } => 2,
            _ => 3,
        }
    }

    proptest! {
        #[test]
        fn a_longer_lag_is_never_better(
            values in proptest::collection::vec(0.0..500.0_f64, 1..8), more in 0.0..500.0_f64,
            age in 0..900_u64, target in 1..300_u64,
        ) {
            let target = Some(Duration::from_secs(target));
            let before = judged(Some(&lag(&values, age)), None, target).exposure.verdict;
            let worse: Vec<f64> = values.iter().map(|v| v + more).collect();
            let after = judged(Some(&lag(&worse, age)), None, target).exposure.verdict;
            prop_assert!(rank(&after) >= rank(&before), "{before:?} became {after:?}");
        }

        #[test]
        fn older_samples_are_never_met_where_younger_ones_were_not(
            values in proptest::collection::vec(-1.0..200.0_f64, 0..8),
            age in 0..900_u64, more in 0..900_u64, target in 1..300_u64,
        ) {
            let target = Some(Duration::from_secs(target));
            let younger = judged(Some(&lag(&values, age)), None, target).exposure.verdict;
            let older = judged(Some(&lag(&values, age + more)), None, target).exposure.verdict;
            if !matches!(younger, Verdict::Met { .. }) {
                prop_assert!(!matches!(older, Verdict::Met { .. }), "{younger:?} became {older:?}");
            }
        }

        #[test]
        fn past_300_s_nothing_is_met_but_what_is_proven(values in proptest::collection::vec(-1.0..200.0_f64, 0..8),
            age in 301..9_000_u64, target in 1..300_u64) {
            let verdict = judged(Some(&lag(&values, age)), None, Some(Duration::from_secs(target))).exposure.verdict;
            prop_assert!(!matches!(verdict, Verdict::Met { .. }), "{verdict:?}");
        }
    }
}
