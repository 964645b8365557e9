//! When to read what. Pure: times come in as arguments.
//!
//! Intervals are estate time (field guide 12) with a floor on the wall; all metrics of one window of a Region are
//! due together, so that GetMetricData is called ceil(metrics / 500) times per refresh and not more.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    aws::cloudwatch::QUERIES_MAX,
    domain::ProbeFailure,
    probes::{
        Need,
        need::{Cadence, MetricNeed, Window},
    },
};

/// Cycles without any answer after which a Region is asked one cheap question only.
pub const CYCLES_UNTIL_PROBE: u32 = 3;
/// How often that question is asked, estate time.
pub const PROBE_EVERY: Duration = Duration::from_secs(30);
/// First pause after an unreachable try, estate time; it doubles up to the interval.
const RETRY_FIRST: Duration = Duration::from_secs(10);

/// What is scheduled as one: all metrics of a window, or one other need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Metrics(Window),
    One(Need),
}

impl Key {
    #[must_use]
    pub fn of(need: &Need) -> Self {
        match need {
            Need::Metric(metric) => Self::Metrics(metric.window),
            other => Self::One(other.clone()),
        }
    }

    #[must_use]
    pub fn interval(&self) -> Duration {
        match self {
            Self::Metrics(Window::Recent) => Cadence::Minute.interval(),
            Self::Metrics(Window::DayBefore | Window::WeekAgo) => Cadence::Hour.interval(),
            Self::One(need) => need.cadence().interval(),
        }
    }
}

/// One call (or one listing with its pages).
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    Metrics(Vec<MetricNeed>),
    One(Need),
}

/// The services that needs are read from.
pub const SERVICES: [&str; 5] = ["backup", "cloudwatch", "rds", "route53", "sts"];

impl Job {
    /// One of [`SERVICES`].
    #[must_use]
    pub const fn service(&self) -> &'static str {
        match self {
            Self::Metrics(_) => "cloudwatch",
            Self::One(need) => need.call().0,
        }
    }
}

/// The calls that these needs of one Region take.
#[must_use]
pub fn jobs(needs: &[Need]) -> Vec<Job> {
    let mut by_window: BTreeMap<Window, Vec<MetricNeed>> = BTreeMap::new();
    let mut jobs = Vec::new();
    for need in needs {
        match need {
            Need::Metric(metric) => by_window.entry(metric.window).or_default().push(metric.clone()),
            other => jobs.push(Job::One(other.clone())),
        }
    }
    for metrics in by_window.values() {
        jobs.extend(metrics.chunks(QUERIES_MAX).map(|chunk| Job::Metrics(chunk.to_vec())));
    }
    jobs
}

/// How the last try of a key ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Tries in a row that failed.
    pub failures: u32,
    pub last: Option<ProbeFailure>,
}

/// Pause between the start of one try and the start of the next, estate time.
#[must_use]
pub fn pause(interval: Duration, past: Past) -> Duration {
    let Some(failure) = past.last else { return interval };
    let doubled = |first: Duration, max: u32| first * 2_u32.pow(past.failures.saturating_sub(1).min(max));
    match failure {
        ProbeFailure::Unreachable | ProbeFailure::ServerError => doubled(RETRY_FIRST, 5).min(interval),
        // A person is putting it right somewhere else: look often, it costs nothing.
        ProbeFailure::CredentialsMissing | ProbeFailure::CredentialsExpired => interval.min(Cadence::Minute.interval()),
        ProbeFailure::Throttled => doubled(interval.min(Cadence::FiveMinutes.interval()), 3),
        _ => doubled(interval.min(Cadence::FiveMinutes.interval()), 2),
    }
}

/// A pause on the wall: not under the floor, and ±10 % so that several consoles do not ask in step.
/// `chance` is in 0..1.
#[must_use]
pub fn on_the_wall(wall: Duration, floor: Duration, chance: f64) -> Duration {
    wall.max(floor).mul_f64(0.9 + 0.2 * chance)
}

/// How old a value may be before it is drawn stale: one missed refresh, and the time that answers take on the
/// wall, which is long in estate time when that runs fast.
#[must_use]
pub fn freshness_budget(interval: Duration, speed: f64) -> Duration {
    interval * 2 + Duration::from_secs(30) + Duration::from_secs(2).mul_f64(speed.max(0.0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        aws::cloudwatch::MetricQuery,
        domain::{RegionId, resource::MetricId},
    };

    fn metric(n: usize, window: Window) -> Need {
        Need::Metric(MetricNeed {
            region: RegionId::new("ap-south-1"),
            query: MetricQuery {
                metric: MetricId { namespace: "AWS/RDS".into(), name: format!("M{n}"), dimensions: BTreeMap::new() },
                stat: "Maximum".into(),
                period: Duration::from_mins(1),
            },
            window,
        })
    }

    #[test]
    fn metrics_are_asked_for_in_as_few_calls_as_aws_allows() {
        for (metrics, calls) in [(1, 1), (500, 1), (501, 2), (1_250, 3)] {
            let needs: Vec<Need> = (0..metrics).map(|n| metric(n, Window::Recent)).collect();
            let jobs = jobs(&needs);
            assert_eq!(jobs.len(), calls, "{metrics} metrics");
            let asked: usize = jobs
                .iter()
                .map(|job| match job {
                    Job::Metrics(metrics) => metrics.len(),
                    Job::One(_) => 0,
                })
                .sum();
            assert_eq!(asked, metrics);
        }
    }

    #[test]
    fn windows_do_not_share_a_call_because_a_call_has_one_time_range() {
        assert_eq!(jobs(&[metric(1, Window::Recent), metric(1, Window::WeekAgo)]).len(), 2);
    }

    #[test]
    fn a_region_that_does_not_answer_is_tried_again_soon_and_a_refusal_later() {
        let minute = Duration::from_mins(1);
        let past = |failures, last| Past { failures, last: Some(last) };
        assert_eq!(pause(minute, Past::default()), minute);
        assert_eq!(pause(minute, past(1, ProbeFailure::Unreachable)), Duration::from_secs(10));
        assert_eq!(pause(minute, past(2, ProbeFailure::Unreachable)), Duration::from_secs(20));
        assert_eq!(pause(minute, past(9, ProbeFailure::Unreachable)), minute);
        assert_eq!(pause(minute, past(1, ProbeFailure::Denied)), minute);
        assert_eq!(pause(minute, past(9, ProbeFailure::Denied)), minute * 4);
        assert_eq!(pause(minute, past(9, ProbeFailure::CredentialsExpired)), minute);
        assert_eq!(pause(minute * 60, past(1, ProbeFailure::Denied)), minute * 5);
    }

    #[test]
    fn jitter_stays_within_ten_percent_and_the_floor_holds() {
        let floor = Duration::from_secs(1);
        assert_eq!(on_the_wall(Duration::from_millis(10), floor, 0.5), floor);
        assert!(on_the_wall(Duration::from_mins(1), floor, 0.0) >= Duration::from_secs(54));
        assert!(on_the_wall(Duration::from_mins(1), floor, 0.999) <= Duration::from_secs(66));
    }
}
