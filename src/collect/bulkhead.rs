//! One Region's reading: its own task, its own schedule, its own bound on calls in flight.
//!
//! A slow service holds up neither the other services of its Region (each read is rescheduled by itself) nor any
//! other Region. When the Region stops answering, the others are asked at once whether it is the network.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};

use super::{
    Inner,
    schedule::{self, Job, Key, PROBE_EVERY, Past},
};
use crate::{
    domain::{ProbeFailure, RegionId},
    probes::{Need, need::read_metrics},
};

/// The longest sleep: the clock's speed may change meanwhile.
const NAP_MAX: Duration = Duration::from_secs(5);

/// How one job ended: its worst failure; `None` = answered in full.
pub(super) type Ended = Option<ProbeFailure>;

/// In whose queue a read stands. A hung service may fill the schedule's: a guard's read must not wait behind it,
/// nor behind guards' reads of another service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Schedule,
    Guards(&'static str),
}

/// Makes one call (with its pages) and takes in what it brings.
pub(super) async fn perform(inner: Arc<Inner>, region: RegionId, job: Job, epoch: u64, lane: Lane) -> Ended {
    let limit = inner.limits.get(&(region.clone(), lane)).map(Arc::clone)?;
    let Ok(_permit) = limit.acquire_owned().await else { return None };
    let began = inner.moment();
    let now = began.0;
    match job {
        Job::Metrics(needs) => {
            let mut worst = None;
            for (need, outcome) in read_metrics(&inner.reader, &region, &needs, now).await {
                // One refused metric must not slow its whole batch: only the call's own failure counts.
                let failure = outcome.as_ref().err().map(|error| error.failure);
                worst = match failure {
                    Some(ProbeFailure::BadAnswer | ProbeFailure::NotFound) if needs.len() > 1 => worst,
                    other => worst.or(other),
                };
                inner.absorb(epoch, &Need::Metric(need), outcome, began);
            }
            worst
        }
        Job::One(need) => {
            let outcome = need.read(&inner.reader, now).await;
            let failure = outcome.as_ref().err().map(|error| error.failure);
            inner.absorb(epoch, &need, outcome, began);
            failure
        }
    }
}

const fn no_answer(failure: ProbeFailure) -> bool {
    matches!(failure, ProbeFailure::Unreachable | ProbeFailure::ServerError)
}

/// When a key is next due.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// Monotonic start of the last try.
    began: Option<Duration>,
    past: Past,
    /// Drawn once per try: the pause must not jitter while it is waited for.
    chance: f64,
}

struct Bulkhead {
    inner: Arc<Inner>,
    region: RegionId,
    keys: BTreeMap<Key, Vec<Need>>,
    turns: BTreeMap<Key, Turn>,
    in_flight: BTreeSet<Key>,
    /// Of the present round: was anything tried, and did anything answer?
    tried: bool,
    answered: bool,
    /// Something failed and nothing answered yet: no new starts until the round is over, or rounds would overlap
    /// for ever where a black hole lasts longer than the pause (a fast simulator).
    failing: bool,
    forced: u64,
}

pub(super) async fn run(inner: Arc<Inner>, region: RegionId) {
    let mut keys: BTreeMap<Key, Vec<Need>> = BTreeMap::new();
    for need in inner.catalogue.needs_in(&region) {
        keys.entry(Key::of(need)).or_default().push(need.clone());
    }
    let wake = inner.wakes.get(&region).map(Arc::clone).unwrap_or_default();
    let mut bulkhead = Bulkhead {
        inner,
        region,
        turns: keys.keys().map(|key| (key.clone(), Turn { began: None, past: Past::default(), chance: 0.5 })).collect(),
        keys,
        in_flight: BTreeSet::new(),
        tried: false,
        answered: false,
        failing: false,
        forced: 0,
    };
    let mut reads: FuturesUnordered<BoxFuture<'static, (Key, Ended)>> = FuturesUnordered::new();
    loop {
        let epoch = bulkhead.take_force();
        for key in bulkhead.due() {
            reads.push(bulkhead.start(&key, epoch));
        }
        let nap = bulkhead.nap();
        tokio::select! {
            Some((key, ended)) = reads.next(), if !reads.is_empty() => bulkhead.end(&key, ended),
            () = wake.notified() => {}
            () = tokio::time::sleep(nap) => {}
        }
    }
}

impl Bulkhead {
    /// Everything is due when somebody asked for it. Returns the epoch that reads started now belong to.
    fn take_force(&mut self) -> u64 {
        let (epoch, forced) = {
            let store = self.inner.store();
            (store.epoch(), store.forced())
        };
        if forced != self.forced {
            self.forced = forced;
            for turn in self.turns.values_mut() {
                turn.began = None;
            }
        }
        epoch
    }

    fn due(&self) -> Vec<Key> {
        if self.failing {
            return Vec::new();
        }
        let now = self.inner.clock.monotonic();
        let ready = |key: &&Key| !self.in_flight.contains(*key) && self.due_in(key, now).is_zero();
        self.watched().filter(ready).cloned().collect()
    }

    /// All keys; while the Region does not answer, only the cheap question, unless somebody asked for all.
    fn watched(&self) -> impl Iterator<Item = &Key> {
        let only_probe = self.inner.store().only_probed(&self.region);
        self.turns
            .iter()
            .filter(move |(key, turn)| {
                !only_probe || turn.began.is_none() || matches!(key, Key::One(Need::Identity { .. }))
            })
            .map(|(key, _)| key)
    }

    fn due_in(&self, key: &Key, now: Duration) -> Duration {
        let Some(turn) = self.turns.get(key) else { return NAP_MAX };
        let Some(began) = turn.began else { return Duration::ZERO };
        let pause = if self.inner.store().only_probed(&self.region) {
            PROBE_EVERY
        } else {
            schedule::pause(key.interval(), turn.past)
        };
        let wall = self.inner.clock.wall_duration(pause);
        let wall = schedule::on_the_wall(wall, self.inner.settings.wall_floor, turn.chance);
        (began + wall).saturating_sub(now)
    }

    fn nap(&self) -> Duration {
        if self.failing {
            return NAP_MAX; // the end of a read wakes it
        }
        let now = self.inner.clock.monotonic();
        let waiting = self.watched().filter(|key| !self.in_flight.contains(*key));
        let next = waiting.map(|key| self.due_in(key, now)).min().unwrap_or(NAP_MAX);
        next.clamp(Duration::from_millis(1), NAP_MAX)
    }

    fn start(&mut self, key: &Key, epoch: u64) -> BoxFuture<'static, (Key, Ended)> {
        self.in_flight.insert(key.clone());
        self.tried = true;
        if let Some(turn) = self.turns.get_mut(key) {
            turn.began = Some(self.inner.clock.monotonic());
            turn.chance = fastrand::f64();
        }
        let (inner, region, key) = (Arc::clone(&self.inner), self.region.clone(), key.clone());
        let jobs = schedule::jobs(self.keys.get(&key).map_or(&[], Vec::as_slice));
        async move {
            let reads =
                jobs.into_iter().map(|job| perform(Arc::clone(&inner), region.clone(), job, epoch, Lane::Schedule));
            let ends = futures_util::future::join_all(reads).await;
            (key, ends.into_iter().flatten().next())
        }
        .boxed()
    }

    fn end(&mut self, key: &Key, ended: Ended) {
        self.in_flight.remove(key);
        if let Some(turn) = self.turns.get_mut(key) {
            turn.past = match ended {
                None => Past::default(),
                Some(failure) => Past { failures: turn.past.failures.saturating_add(1), last: Some(failure) },
            };
        }
        if ended.is_some_and(no_answer) {
            self.failing = !self.answered;
        } else {
            self.answered = true;
            self.failing = false;
            let was_given_up = {
                let mut store = self.inner.store();
                let was = store.only_probed(&self.region);
                store.end_round(&self.region, true);
                was
            };
            if was_given_up {
                for turn in self.turns.values_mut() {
                    turn.began = None; // it is back: everything now
                }
            }
        }
        if self.in_flight.is_empty() && self.tried {
            if !self.answered {
                self.inner.store().end_round(&self.region, false);
                self.ask_elsewhere();
            }
            self.inner.store().round_over(&self.region);
            self.tried = false;
            self.answered = false;
            self.failing = false;
            self.inner.changed.notify_one();
        }
    }

    /// Nothing here answered: the cheap question to the other Regions tells whether it is this Region.
    fn ask_elsewhere(&self) {
        let epoch = self.inner.store().epoch();
        for region in self.inner.wakes.keys().filter(|region| **region != self.region) {
            let job = Job::One(Need::Identity { region: region.clone() });
            if self.inner.free(region, &job) > 0 {
                let lane = Lane::Guards(job.service());
                tokio::spawn(perform(Arc::clone(&self.inner), region.clone(), job, epoch, lane));
            }
        }
    }
}
