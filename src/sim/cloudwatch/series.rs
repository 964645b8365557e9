//! The value of a metric at any moment, as a function of (seed, name, time, surroundings).
//!
//! A minute is four samples, fifteen seconds apart; statistics are taken over them. A sample that could not be
//! made (a Region was down) is missing for ever, also when it is asked for much later. Levels and shapes are
//! *assumed* unless a comment names a source; which series stop with what is documented (field guide 0.1, facts 9
//! and 14; 11).

use std::time::Duration;

use crate::{
    domain::{AppId, RegionId, Timestamp, resource::MetricId},
    sim::{noise, surroundings::Surroundings},
};

pub const MINUTE: i64 = 60_000;
/// Samples per minute.
const SAMPLES: i64 = 4;

/// One metric of one Region.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Region whose CloudWatch holds it.
    pub region: RegionId,
    pub id: MetricId,
    pub model: Model,
    /// Noise of its own.
    pub seed: u64,
    /// The bounds between which the estate calls it healthy: calm values stay inside.
    pub healthy: (Option<f64>, Option<f64>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Wanders around a level by that share of it.
    Gauge { around: f64, spread: f64 },
    /// Stays where it is.
    Steady(f64),
    /// Something counted per minute, by the hour of the day in India.
    Counter { per_minute: f64 },
    /// Replication lag between two values; faults add to it by the names in `targets`. Stops when `source` is down, and
    /// when `replica` follows nobody any more.
    Lag {
        from: f64,
        to: f64,
        units_per_second: f64,
        targets: Vec<String>,
        source: Option<RegionId>,
        replica: Option<String>,
    },
    /// As `Lag`, in the Region that does *not* write: it moves when the writer does (fact 9).
    GlobalLag { from: f64, to: f64, global: String, targets: Vec<String> },
    /// Counted where the writer is, and nowhere else.
    WriterCounter { per_minute: f64, global: String },
    /// What a secondary receives, counted where the writer is not.
    ReplicaCounter { per_minute: f64, global: String },
    /// Route 53's checkers looking at an endpoint of that Region: percent healthy, or 1 and 0.
    Checkers { watched: RegionId, percent: bool },
    /// Requests of the app's customers that DNS sends to the Region: all, or those that got an answer.
    Requests { app: AppId, good: bool, writes_to: Option<String> },
}

/// The samples of one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    pub count: u32,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
}

impl Bucket {
    const EMPTY: Self = Self { count: 0, sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };

    fn take(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    pub fn join(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// `None` for a statistic that CloudWatch does not know. Percentiles lie on a line from minimum to maximum
    /// (*assumed*: the distribution inside a minute is not modelled).
    #[must_use]
    pub fn stat(&self, stat: &str) -> Option<f64> {
        match stat {
            "Average" => Some(self.sum / f64::from(self.count)),
            "Maximum" => Some(self.max),
            "Minimum" => Some(self.min),
            "Sum" => Some(self.sum),
            "SampleCount" => Some(f64::from(self.count)),
            _ => {
                let percent: f64 = stat.strip_prefix('p')?.parse().ok()?;
                (0.0..=100.0).contains(&percent).then(|| self.min + (self.max - self.min) * percent / 100.0)
            }
        }
    }
}

impl Stream {
    /// Points arrive this long after the end of their minute: 60-120 s, so one to three minutes after they were
    /// measured (*documented*, field guide 7.1: "most AWS metrics arrive 1-3 min late").
    #[must_use]
    pub fn delay(&self) -> Duration {
        Duration::from_secs(60 + noise::hash(self.seed, &["delay", &self.id.name], 0) % 61)
    }

    /// The newest minute (its start) that had arrived by `now`.
    #[must_use]
    pub fn newest_minute(&self, now: Timestamp) -> i64 {
        (now.millis() - i64::try_from(self.delay().as_millis()).unwrap_or(0)).div_euclid(MINUTE) - 1
    }

    /// The samples of the minute that begins `minute` minutes after the epoch; `None` when there were none.
    #[must_use]
    pub fn minute(&self, minute: i64, around: &dyn Surroundings) -> Option<Bucket> {
        let mut bucket = Bucket::EMPTY;
        for n in 0..SAMPLES {
            let at = Timestamp::from_millis(minute * MINUTE + n * MINUTE / SAMPLES);
            if let Some(value) = self.sample(at, around) {
                bucket.take(value);
            }
        }
        (bucket.count > 0).then_some(bucket)
    }

    fn sample(&self, at: Timestamp, around: &dyn Surroundings) -> Option<f64> {
        // The edge that counts requests stands outside the Region and hands its counters in afterwards (*assumed*).
        let from_outside = matches!(self.model, Model::Requests { .. });
        if !from_outside && around.region_down(&self.region, at) {
            return None;
        }
        match &self.model {
            Model::Steady(value) => Some(*value),
            Model::Gauge { around: level, spread } => {
                let value = level * (1.0 + spread * (2.0 * self.wander(at) - 1.0));
                let value = if self.whole() { value.round() } else { value };
                let value = self.healthy.0.map_or(value, |least| value.max(least));
                Some(self.healthy.1.map_or(value, |most| value.min(most)))
            }
            Model::Counter { per_minute } => Some(self.counted(*per_minute, at)),
            Model::Lag { from, to, units_per_second, targets, source, replica } => {
                if source.as_ref().is_some_and(|source| around.region_down(source, at)) {
                    return None;
                }
                if replica.as_ref().is_some_and(|replica| !around.replicating(&self.region, replica, at)) {
                    return None;
                }
                Some(from + (to - from) * self.wander(at) + units_per_second * extra(targets, at, around))
            }
            Model::GlobalLag { from, to, global, targets } => {
                self.foreign_writer(global, at, around)?;
                Some(from + (to - from) * self.wander(at) + 1000.0 * extra(targets, at, around))
            }
            Model::WriterCounter { per_minute, global } => {
                (around.writer(global, at)? == self.region).then(|| self.counted(*per_minute, at))
            }
            Model::ReplicaCounter { per_minute, global } => {
                self.foreign_writer(global, at, around)?;
                Some(self.counted(*per_minute, at))
            }
            Model::Checkers { watched, percent } => {
                // Three results in a row, 10 s apart, before a checker changes its mind (field guide 5.2; the same
                // interval as the Route 53 model's): between 20 and 30 s some have and some have not.
                let seen_down = |ago: u64| around.region_down(watched, at - Duration::from_secs(ago));
                let share = match (seen_down(20), seen_down(30)) {
                    (true, true) => 0.0,
                    (false, false) => 100.0,
                    _ => 50.0,
                };
                // Healthy when more than 18 % of the checkers say so (*documented*, field guide 5.2).
                Some(if *percent { share } else { f64::from(share > 18.0) })
            }
            Model::Requests { app, good, writes_to } => {
                let rate = 400.0 + (noise::hash(self.seed, &["rate", app.as_str()], 0) % 5_600) as f64;
                let share = around.traffic_share(app, &self.region, at);
                // The same noise for both counters: nobody is served who did not ask.
                let jitter = noise::between(0.97, 1.03, self.seed, &["requests", app.as_str()], at.millis());
                let total = (rate * share * by_hour(at) * jitter / SAMPLES as f64).round();
                if !good {
                    return Some(total);
                }
                let written = writes_to.as_ref().is_none_or(|global| {
                    around.writer(global, at).is_some_and(|writer| !around.region_down(&writer, at))
                });
                if around.region_down(&self.region, at) || !written {
                    return Some(0.0);
                }
                let lost = noise::between(0.0003, 0.0015, self.seed, &["errors", app.as_str()], at.millis());
                // To the nearest: at night a whole request of thirty would be three percent.
                Some((total * (1.0 - lost)).round())
            }
        }
    }

    /// The other Region, when it writes and is up.
    fn foreign_writer(&self, global: &str, at: Timestamp, around: &dyn Surroundings) -> Option<RegionId> {
        around.writer(global, at).filter(|writer| *writer != self.region && !around.region_down(writer, at))
    }

    fn counted(&self, per_minute: f64, at: Timestamp) -> f64 {
        (per_minute * by_hour(at) * (0.9 + 0.2 * self.wander(at)) / SAMPLES as f64).round()
    }

    /// Connections, hosts and bytes come in ones.
    fn whole(&self) -> bool {
        let name = self.id.name.as_str();
        ["Count", "Connections", "Bytes", "Operations", "Space"].iter().any(|part| name.contains(part))
    }

    /// A number `0..1` that moves slowly, with a quick part on top.
    fn wander(&self, at: Timestamp) -> f64 {
        const SLOW: i64 = 7 * MINUTE;
        let name = self.id.name.as_str();
        let (step, into) = (at.millis().div_euclid(SLOW), at.millis().rem_euclid(SLOW) as f64 / SLOW as f64);
        let slow = |n| noise::unit(self.seed, &["slow", name], n);
        let slow = slow(step) * (1.0 - into) + slow(step + 1) * into;
        0.6 * slow + 0.4 * noise::unit(self.seed, &["quick", name], at.millis())
    }
}

/// Seconds that faults add to a stream: the worst of its names.
fn extra(targets: &[String], at: Timestamp, around: &dyn Surroundings) -> f64 {
    targets.iter().map(|target| around.extra_lag(target, at).as_secs_f64()).fold(0.0, f64::max)
}

/// Share of the busiest minute by the hour of the day in India: quiet at night, busiest in the early afternoon.
fn by_hour(at: Timestamp) -> f64 {
    const IST: i64 = 330 * MINUTE; // UTC+05:30, no daylight saving
    let hour = (at.millis() + IST).rem_euclid(24 * 60 * MINUTE) as f64 / (60 * MINUTE) as f64;
    0.35 + 0.65
        * (std::f64::consts::PI * (hour - 6.0) / 16.0).sin().max(0.0)
        * f64::from(u8::from((6.0..22.0).contains(&hour)))
}
