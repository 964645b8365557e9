//! Reads the estate all the time and publishes snapshots.
//!
//! One bulkhead per Region and one for the global control planes, each with its own clients, concurrency bound
//! and schedule: a dead Mumbai never delays Hyderabad. A snapshot holds observations *and* failures.
//!
//! Must never: write, block a key, draw a conclusion from the facts, or let an answer from before a suspend or a
//! clock jump pass for fresh. Where to look next: [`schedule`] (when), [`bulkhead`] (how), [`reach`] (is it the
//! Region or my own network), `store` (what is known).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, watch},
    task::JoinSet,
};

use crate::{
    aws::Reader,
    domain::{
        AppId, Clock, Estate, Mode, ProbeError, RegionId, Snapshot, Timestamp, region::GLOBAL_CONTROL_PLANE,
        text::SafeText,
    },
    probes::{
        Need,
        need::{Cadence, Payload, Reading},
    },
};

mod bulkhead;
mod catalogue;
pub mod reach;
pub mod schedule;
mod store;

use bulkhead::Lane;
use catalogue::Catalogue;
use store::Store;

/// How to collect. The defaults are for AWS itself; a simulator's speed is taken from the clock.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Live or drill; an answer that names itself a simulator's overrides it.
    pub mode: Mode,
    /// Shown in the banner.
    pub endpoint_overrides: Vec<(SafeText, SafeText)>,
    /// However fast estate time runs, nothing is read more often than this on the wall.
    pub wall_floor: Duration,
    /// Calls of one Region at the same time.
    pub concurrency: usize,
    /// How long [`CollectorHandle::fresh`] waits for Regions that answered before, wall time.
    pub fresh_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            endpoint_overrides: Vec::new(),
            wall_floor: Duration::from_secs(1),
            concurrency: 8,
            fresh_wait: Duration::from_secs(2),
        }
    }
}

/// Starts collecting; see [`Collector::start`].
#[derive(Clone, Copy, Debug)]
pub struct Collector;

impl Collector {
    /// Spawns one task per bulkhead and one that publishes. Needs a tokio runtime; returns at once.
    #[must_use]
    pub fn start(estate: Arc<Estate>, reader: Reader, clock: Arc<dyn Clock>, settings: Settings) -> CollectorHandle {
        let catalogue = Catalogue::of(&estate);
        let global = RegionId::new(GLOBAL_CONTROL_PLANE);
        let mut regions: BTreeSet<RegionId> = catalogue.regions();
        regions.insert(estate.regions.primary.id.clone());
        regions.insert(estate.regions.recovery.id.clone());
        regions.insert(global);
        let wakes = regions.iter().map(|region| (region.clone(), Arc::new(Notify::new()))).collect();
        let limits = regions
            .iter()
            .flat_map(|region| {
                let guards = schedule::SERVICES.map(Lane::Guards);
                std::iter::once(Lane::Schedule).chain(guards).map(|lane| (region.clone(), lane))
            })
            .map(|place| (place, Arc::new(Semaphore::new(settings.concurrency.max(1)))))
            .collect();
        let store = Store::new(&regions, clock.now());
        let (publish, _) = watch::channel(Arc::new(Snapshot::empty(settings.mode, clock.now())));
        let inner = Arc::new(Inner {
            estate,
            reader,
            clock,
            settings,
            catalogue,
            store: Mutex::new(store),
            publish,
            changed: Notify::new(),
            wakes,
            limits,
        });
        inner.publish_now(); // nothing read yet, but every Region is on it
        let mut tasks = JoinSet::new();
        for region in regions {
            tasks.spawn(bulkhead::run(Arc::clone(&inner), region));
        }
        tasks.spawn(publisher(Arc::clone(&inner)));
        tasks.spawn(watch_for_jumps(Arc::clone(&inner)));
        CollectorHandle { inner, tasks: Arc::new(Mutex::new(tasks)) }
    }
}

/// What the tasks share.
pub(crate) struct Inner {
    estate: Arc<Estate>,
    reader: Reader,
    clock: Arc<dyn Clock>,
    settings: Settings,
    catalogue: Catalogue,
    store: Mutex<Store>,
    publish: watch::Sender<Arc<Snapshot>>,
    changed: Notify,
    wakes: BTreeMap<RegionId, Arc<Notify>>,
    /// Bound on calls in flight, by Region; reads for guards have a bound of their own.
    limits: BTreeMap<(RegionId, Lane), Arc<Semaphore>>,
}

impl Inner {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many more reads the guards' lane of the job's service takes now.
    fn free(&self, region: &RegionId, job: &schedule::Job) -> usize {
        let lane = Lane::Guards(job.service());
        self.limits.get(&(region.clone(), lane)).map_or(0, |limit| limit.available_permits())
    }

    fn mode(&self) -> Mode {
        self.reader.simulator().map_or(self.settings.mode, |notice| Mode::Simulated { speed: notice.speed })
    }

    /// Estate and monotonic time of one moment: read again where the process was held up between the two.
    fn moment(&self) -> (Timestamp, Duration) {
        const AT_ONCE: Duration = Duration::from_millis(50);
        const TRIES: usize = 8;
        let mut before = self.clock.monotonic();
        for _ in 0..TRIES {
            let now = self.clock.now();
            let after = self.clock.monotonic();
            if after.saturating_sub(before) <= AT_ONCE {
                return (now, after);
            }
            before = after;
        }
        (self.clock.now(), before)
    }

    /// Takes an outcome in. A read during which the clock did not go on as it ought to (suspend, a set clock, the first
    /// word of a simulator) is worth nothing, and so is all that was known before it.
    fn absorb(
        &self,
        epoch: u64,
        need: &Need,
        outcome: Result<Reading<Payload>, ProbeError>,
        began: (Timestamp, Duration),
    ) {
        let (now, monotonic) = self.moment();
        let took = monotonic.saturating_sub(began.1);
        let speed = self.clock.speed().max(0.0);
        let ought = began.0 + took.mul_f64(speed);
        let apart = now.since(ought).max(ought.since(now));
        if apart > Duration::from_secs(3).mul_f64(speed.max(1.0)) {
            tracing::info!(?apart, "the clock jumped during a read: everything is read again");
            self.forget(Some(epoch));
            return;
        }
        let budget = schedule::freshness_budget(need.cadence().interval(), speed);
        let seen = store::Absorbed { need, outcome, took, budget, now };
        self.store().absorb(epoch, seen, &self.estate, &self.catalogue);
        self.changed.notify_one();
    }

    /// Everything is Unknown until re-read. With `only_epoch`, no more than once for one jump.
    fn forget(&self, only_epoch: Option<u64>) {
        {
            let mut store = self.store();
            if only_epoch.is_some_and(|epoch| epoch != store.epoch()) {
                return;
            }
            store.forget(self.clock.now());
        }
        self.publish_now();
        self.wake_all();
    }

    fn wake_all(&self) {
        for wake in self.wakes.values() {
            wake.notify_one();
        }
    }

    fn publish_now(&self) -> Arc<Snapshot> {
        let (mode, totals, now) = (self.mode(), self.reader.log().totals(), self.clock.now());
        let mut store = self.store();
        let snapshot = Arc::new(store.snapshot(mode, now, totals, &self.settings.endpoint_overrides));
        // Sent under the lock: snapshots arrive in the order of their numbers.
        self.publish.send_replace(Arc::clone(&snapshot));
        snapshot
    }
}

/// Publishes what changed; a burst of answers is one snapshot.
async fn publisher(inner: Arc<Inner>) {
    loop {
        inner.changed.notified().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        inner.publish_now();
    }
}

/// Suspend and a set clock show as wall time running away from monotonic time.
async fn watch_for_jumps(inner: Arc<Inner>) {
    const EVERY: Duration = Duration::from_secs(5);
    const JUMP: Duration = Duration::from_secs(30);
    let mut last = (inner.clock.wall(), inner.clock.monotonic());
    loop {
        tokio::time::sleep(EVERY).await;
        let now = (inner.clock.wall(), inner.clock.monotonic());
        let ought = last.0 + now.1.saturating_sub(last.1);
        if now.0.since(ought).max(ought.since(now.0)) > JUMP {
            tracing::warn!("wall time jumped: everything is read again");
            inner.forget(None);
        }
        last = now;
    }
}

/// The running collector; it stops when the last clone is dropped.
#[derive(Clone)]
pub struct CollectorHandle {
    inner: Arc<Inner>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl fmt::Debug for CollectorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CollectorHandle")
    }
}

impl CollectorHandle {
    /// The newest snapshot, and each that follows.
    #[must_use]
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.inner.publish.subscribe()
    }

    /// Reads everything again now, also in a Region that is only probed because it does not answer.
    pub fn refresh_now(&self) {
        self.inner.store().force_all();
        self.inner.wake_all();
    }

    /// After suspend, hang-up or a clock jump: everything is Unknown until re-read, which begins at once.
    pub fn forget(&self) {
        self.inner.forget(None);
    }

    /// Re-reads all facts of one app now and returns a snapshot with them, for guards. Regions that answered last
    /// time are waited for (up to `Settings::fresh_wait`); a Region that did not is asked too, but not waited for:
    /// its facts keep their age, and it must not delay the recovery from its own outage.
    pub async fn fresh(&self, app: &AppId) -> Arc<Snapshot> {
        let inner = &self.inner;
        let mut reads = JoinSet::new();
        let epoch = inner.store().epoch();
        for (region, mut needs) in inner.catalogue.needs_of(app) {
            // The past does not change: it is read by its schedule.
            needs.retain(|need| need.cadence() != Cadence::Hour || !inner.store().knows(need));
            let waited_for = inner.store().answers_now(&region);
            for job in schedule::jobs(&needs) {
                // A service that hangs is not asked again and again: what is on its way will come, or time out.
                let needed = if waited_for { 1 } else { inner.settings.concurrency.max(1) };
                if inner.free(&region, &job) < needed {
                    continue;
                }
                let lane = Lane::Guards(job.service());
                let read = bulkhead::perform(Arc::clone(inner), region.clone(), job, epoch, lane);
                if waited_for {
                    reads.spawn(read);
                } else {
                    tokio::spawn(read);
                }
            }
        }
        let all = async { while reads.join_next().await.is_some() {} };
        if tokio::time::timeout(inner.settings.fresh_wait, all).await.is_err() {
            reads.detach_all(); // they end by their own time-outs, and what they bring is still taken in
        }
        inner.publish_now()
    }

    /// Stops reading. The last snapshot stays.
    pub fn stop(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

#[cfg(test)]
mod tests;
