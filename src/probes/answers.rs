//! The newest outcome of every need, as probes see it.
//!
//! It keeps outcomes, not history: a failed read replaces the good one here, while the snapshot's slot keeps the
//! last value beside the failure.

use std::{collections::BTreeMap, time::Duration};

use super::need::{MetricNeed, Need, Payload, Reading};
use crate::domain::{
    Fact, Observation, ProbeError, ProbeFailure, Series, Timestamp, resource::RecoveryPoint, text::SafeText,
};

#[derive(Clone, Debug, Default)]
pub struct Answers {
    outcomes: BTreeMap<Need, Stored>,
}

#[derive(Clone, Debug)]
struct Stored {
    outcome: Result<Reading<Payload>, ProbeError>,
    budget: Duration,
}

/// A good answer with its need's source and freshness budget; makes observations.
#[derive(Debug)]
pub struct Seen<'a, T: ?Sized> {
    pub value: &'a T,
    pub started_at: Timestamp,
    pub truncated: bool,
    budget: Duration,
    need: &'a Need,
}

impl<T: ?Sized> Clone for Seen<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Seen<'_, T> {}

/// `None`: not asked yet.
pub type Outcome<'a, T> = Option<Result<Seen<'a, T>, &'a ProbeError>>;

impl Answers {
    /// Keeps the outcome unless a newer one (by start of its request) is there. False: it was dropped.
    pub fn put(&mut self, need: Need, outcome: Result<Reading<Payload>, ProbeError>, budget: Duration) -> bool {
        if self.started_at(&need).is_some_and(|kept| kept > started(&outcome)) {
            return false;
        }
        self.outcomes.insert(need, Stored { outcome, budget });
        true
    }

    /// When the request of the newest outcome started.
    #[must_use]
    pub fn started_at(&self, need: &Need) -> Option<Timestamp> {
        self.outcomes.get(need).map(|stored| started(&stored.outcome))
    }

    #[must_use]
    pub fn outcome(&self, need: &Need) -> Option<&Result<Reading<Payload>, ProbeError>> {
        self.outcomes.get(need).map(|stored| &stored.outcome)
    }

    pub fn clear(&mut self) {
        self.outcomes.clear();
    }

    /// The payload that `take` finds in the answer to `need`. Another payload cannot come to a need.
    pub fn get<'a, T: ?Sized>(
        &'a self,
        need: &Need,
        take: impl FnOnce(&'a Payload) -> Option<&'a T>,
    ) -> Outcome<'a, T> {
        let (need, stored) = self.outcomes.get_key_value(need)?;
        match &stored.outcome {
            Err(error) => Some(Err(error)),
            Ok(reading) => take(&reading.value).map(|value| {
                Ok(Seen {
                    value,
                    started_at: reading.started_at,
                    truncated: reading.truncated,
                    budget: stored.budget,
                    need,
                })
            }),
        }
    }

    pub fn series(&self, need: &MetricNeed) -> Outcome<'_, Series> {
        self.get(&Need::Metric(need.clone()), |payload| match payload {
            Payload::Series(series) => Some(series),
            _ => None,
        })
    }

    /// A lag in seconds, of which `per_second` units of the metric make one. Where the last hour has no point, the last
    /// one of the day before stands: it bounds what is lost, whenever the console was started.
    #[must_use]
    pub fn lag(&self, need: &MetricNeed, per_second: f64) -> Option<Result<Observation<Fact>, ProbeError>> {
        let seen = match self.series(need)? {
            Ok(seen) => seen,
            Err(error) => return Some(Err(error.clone())),
        };
        let mut series = in_seconds(seen.value, per_second);
        if series.points.is_empty()
            && let Some(Ok(before)) = self.series(&need.day_before())
        {
            series.points.extend(in_seconds(before.value, per_second).newest());
        }
        Some(Ok(seen.metric(series, Fact::Lag)))
    }
}

/// What [`Answers::lag`] looks at.
#[must_use]
pub fn lag_needs(need: MetricNeed) -> [Need; 2] {
    [Need::Metric(need.day_before()), Need::Metric(need)]
}

fn started(outcome: &Result<Reading<Payload>, ProbeError>) -> Timestamp {
    match outcome {
        Ok(reading) => reading.started_at,
        Err(error) => error.at,
    }
}

impl<T: ?Sized> Seen<'_, T> {
    /// A fact from this answer. A state speaks about the moment it was read.
    #[must_use]
    pub fn state(&self, fact: Fact) -> Observation<Fact> {
        self.observation(fact, self.started_at)
    }

    #[must_use]
    pub fn observation(&self, fact: Fact, data_time: Timestamp) -> Observation<Fact> {
        Observation {
            value: fact,
            data_time,
            observed_at: self.started_at,
            source: self.need.source(),
            region: self.need.region(),
            budget: self.budget,
        }
    }

    /// What was asked for is not in the answer.
    #[must_use]
    pub fn missing(&self, what: &str) -> ProbeError {
        let hint = if self.truncated { ", and the list was cut" } else { "" };
        ProbeError {
            failure: ProbeFailure::NotFound,
            region: self.need.region(),
            call: self.need.source(),
            message: SafeText::new(format!("{what} is not there{hint}")),
            at: self.started_at,
        }
    }
}

impl Seen<'_, Series> {
    /// A metric's fact. With no point at all it speaks about the start of what was asked: nothing is known since.
    #[must_use]
    pub fn metric(&self, series: Series, fact: impl FnOnce(Series) -> Fact) -> Observation<Fact> {
        let data_time = series.newest().map_or_else(
            || match self.need {
                Need::Metric(need) => need.window.bounds(self.started_at).0,
                _ => self.started_at,
            },
            |point| point.at,
        );
        self.observation(fact(series), data_time)
    }
}

/// Data time of a set of points: that of the newest restorable one; none = nothing to go back to.
#[must_use]
pub fn newest_restorable(points: &[RecoveryPoint]) -> Option<Timestamp> {
    points.iter().filter(|point| point.status.restorable()).map(|point| point.created).max()
}

/// A series in the unit of [`Fact::Lag`]: seconds. Negative values are signs, not durations, and stay as they are
/// (field guide 0.1, fact 7).
#[must_use]
fn in_seconds(series: &Series, per_second: f64) -> Series {
    let mut series = series.clone();
    for point in &mut series.points {
        if point.value >= 0.0 {
            point.value /= per_second;
        }
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RegionId, fact::Point};

    fn alarms(at: i64) -> Reading<Payload> {
        Reading {
            value: Payload::Alarms(Vec::new()),
            started_at: Timestamp::from_secs(at),
            truncated: false,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn an_answer_whose_request_started_earlier_does_not_replace_a_newer_one() {
        let need = Need::Alarms { region: RegionId::new("ap-south-1") };
        let mut answers = Answers::default();
        assert!(answers.put(need.clone(), Ok(alarms(100)), Duration::ZERO));
        assert!(!answers.put(need.clone(), Ok(alarms(40)), Duration::ZERO));
        assert!(answers.put(need.clone(), Ok(alarms(160)), Duration::ZERO));
        assert_eq!(answers.started_at(&need), Some(Timestamp::from_secs(160)));
    }

    #[test]
    fn a_lag_of_minus_one_is_kept_as_the_sign_it_is() {
        let points = vec![
            Point { at: Timestamp::from_secs(0), value: 800.0 },
            Point { at: Timestamp::from_secs(60), value: -1.0 },
        ];
        let series = in_seconds(&Series { period: Duration::from_mins(1), points }, 1_000.0);
        assert_eq!(series.points.iter().map(|p| p.value).collect::<Vec<_>>(), [0.8, -1.0]);
    }
}
