//! Facts about one app, read by the probes of its own components when somebody asks for them, and by nobody else: the
//! collector's loop reads a whole estate, which a test of one run does not need and pays for a thousand times.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use pointsman::{
    aws::Reader,
    collect::reach::Vantages,
    domain::{
        AppId, Clock, Estate, Mode, ProbeError, RegionId, Slot, Snapshot, Timestamp, observation::Observation,
        region::GLOBAL_CONTROL_PLANE, snapshot::RegionHealth,
    },
    engine::Facts,
    probes::{
        self, Answers, ComponentCtx, Need,
        need::{Cadence, MetricNeed, Payload, Reading, Window, read_metrics},
    },
};

type Seen = (Need, Result<Reading<Payload>, ProbeError>);

pub struct Direct {
    estate: Arc<Estate>,
    reader: Reader,
    clock: Arc<dyn Clock>,
    /// Grows with everything that may change an answer besides time: where neither moved, nothing is read again.
    version: Box<dyn Fn() -> u64 + Send + Sync>,
    known: Mutex<Known>,
}

struct Known {
    answers: Answers,
    vantages: Vantages,
    newest: Arc<Snapshot>,
    /// When Regions were last asked who is calling, or, where nothing answers, asked at all.
    asked: BTreeMap<RegionId, Timestamp>,
    /// The moment and the version of the world that the newest snapshot is of.
    of: Option<(Timestamp, u64)>,
}

/// Of a Region that does not answer, in estate time: each such question costs the SDK's pause before it tries again.
const ASKED_AGAIN: Duration = Duration::from_mins(1);
/// As the collector does.
const CALLER_EVERY: Duration = Duration::from_mins(5);

impl Direct {
    pub fn new(
        estate: Arc<Estate>,
        reader: Reader,
        clock: Arc<dyn Clock>,
        version: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        let newest = Arc::new(Snapshot::empty(Mode::Simulated { speed: 1.0 }, clock.now()));
        let known = Known {
            answers: Answers::default(),
            vantages: Vantages::default(),
            newest,
            asked: BTreeMap::new(),
            of: None,
        };
        Self { estate, reader, clock, version: Box::new(version), known: Mutex::new(known) }
    }

    /// Everything that the app's probes want, by Region. A Region that did not answer is asked the cheap question only.
    fn needs(&self, app: &AppId, now: Timestamp) -> BTreeMap<RegionId, Vec<Need>> {
        let app = self.estate.app(app).expect("an app of the estate");
        let regions = &self.estate.regions;
        let mut needs: Vec<Need> = app
            .components
            .iter()
            .filter_map(|component| {
                Some(probes::probe(component.kind)?.needs(&ComponentCtx { estate: &self.estate, app, component }))
            })
            .flatten()
            .chain(
                [regions.primary.id.clone(), regions.recovery.id.clone(), RegionId::new(GLOBAL_CONTROL_PLANE)]
                    .map(|region| Need::Identity { region }),
            )
            .chain(probes::served::needs(app, &self.estate))
            .collect();
        needs.sort();
        needs.dedup();
        let mut known = self.known.lock().expect("not poisoned");
        let mut by_region: BTreeMap<RegionId, Vec<Need>> = BTreeMap::new();
        for need in needs {
            // The past does not change: as the collector, not at each question.
            let read = matches!(known.answers.outcome(&need), Some(Ok(_))).then(|| known.answers.started_at(&need));
            let cadence = need.cadence();
            if cadence == Cadence::Hour && read.flatten().is_some_and(|at| now.since(at) < cadence.interval()) {
                continue;
            }
            let region = need.region();
            let answers = known.vantages.answers(&region);
            let every = if answers { CALLER_EVERY } else { ASKED_AGAIN };
            let long_ago = known.asked.get(&region).is_none_or(|asked| now.since(*asked) >= every);
            let wanted = if matches!(need, Need::Identity { .. }) { long_ago } else { answers };
            if wanted {
                by_region.entry(region).or_default().push(need);
            }
        }
        for (region, needs) in &by_region {
            if needs.iter().any(|need| matches!(need, Need::Identity { .. })) {
                known.asked.insert(region.clone(), now);
            }
        }
        by_region
    }

    async fn read(&self, needs: Vec<Need>, now: Timestamp) -> Vec<Seen> {
        let mut metrics: BTreeMap<(RegionId, Window), Vec<MetricNeed>> = BTreeMap::new();
        let mut alone = Vec::new();
        for need in needs {
            match need {
                Need::Metric(need) => {
                    metrics.entry((need.region.clone(), need.window)).or_default().push(need);
                }
                other => alone.push(other),
            }
        }
        let metrics = metrics.into_iter().map(|((region, _), needs)| async move {
            let answers = read_metrics(&self.reader, &region, &needs, now).await;
            answers.into_iter().map(|(need, answer)| (Need::Metric(need), answer)).collect::<Vec<Seen>>()
        });
        let alone = alone.into_iter().map(|need| async move {
            let answer = need.read(&self.reader, now).await;
            (need, answer)
        });
        let (metrics, mut seen) =
            futures_util::join!(futures_util::future::join_all(metrics), futures_util::future::join_all(alone));
        seen.extend(metrics.into_iter().flatten());
        seen
    }
}

#[async_trait]
impl Facts for Direct {
    async fn fresh(&self, app: &AppId) -> Arc<Snapshot> {
        let now = self.clock.now();
        let of = (now, (self.version)());
        {
            let known = self.known.lock().expect("not poisoned");
            if known.of == Some(of) {
                return Arc::clone(&known.newest);
            }
        }
        let reads = self.needs(app, now).into_values().map(|needs| self.read(needs, now));
        let seen = futures_util::future::join_all(reads).await;
        let mut known = self.known.lock().expect("not poisoned");
        let mut next = (*known.newest).clone();
        for (need, outcome) in seen.into_iter().flatten() {
            let budget = need.cadence().interval() * 3;
            let (service, _) = need.call();
            let (at, took) = match &outcome {
                Ok(reading) => (reading.started_at, reading.took),
                Err(error) => (error.at, Duration::ZERO),
            };
            known.vantages.saw(&need.region(), service, at, took, outcome.as_ref().err(), now);
            general(&mut next, &need, &outcome, budget);
            known.answers.put(need, outcome, budget);
        }
        for region in [&self.estate.regions.primary.id, &self.estate.regions.recovery.id, &GLOBAL_CONTROL_PLANE.into()]
        {
            let (reach, vantages) = (known.vantages.judge(region), known.vantages.list(region));
            let since =
                next.regions.get(region).filter(|health| health.reach == reach).map_or(now, |health| health.since);
            let health = RegionHealth { reach, vantages, since, cycles_unreachable: 0 };
            next.regions.insert(region.clone(), health);
        }
        let app = self.estate.app(app).expect("an app of the estate");
        for component in &app.components {
            let Some(probe) = probes::probe(component.kind) else { continue };
            let ctx = ComponentCtx { estate: &self.estate, app, component };
            for (id, seen) in probe.observe(&ctx, &known.answers, now) {
                next.facts.entry(id).or_default().absorb(seen);
            }
        }
        for (id, seen) in probes::served::observe(app, &self.estate, &known.answers) {
            next.facts.entry(id).or_default().absorb(seen);
        }
        next.seq += 1;
        next.taken_at = self.clock.now();
        next.complete = true;
        known.of = Some(of);
        known.newest = Arc::new(next);
        Arc::clone(&known.newest)
    }

    async fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.known.lock().expect("not poisoned").newest)
    }
}

/// Lists that a snapshot holds as such, beside the facts.
fn general(snapshot: &mut Snapshot, need: &Need, outcome: &Result<Reading<Payload>, ProbeError>, budget: Duration) {
    fn absorb<T: Clone>(
        slot: &mut Slot<T>,
        need: &Need,
        outcome: Result<(T, Timestamp), ProbeError>,
        budget: Duration,
    ) {
        slot.absorb(outcome.map(|(value, at)| Observation {
            value,
            data_time: at,
            observed_at: at,
            source: need.source(),
            region: need.region(),
            budget,
        }));
    }
    macro_rules! taken {
        ($variant:ident) => {
            outcome.clone().map(|reading| match reading.value {
                Payload::$variant(value) => (value, reading.started_at),
                other => panic!("{other:?} answers {need:?}"),
            })
        };
    }
    match need {
        Need::Jobs { region, kind } => {
            absorb(snapshot.jobs.entry((region.clone(), *kind)).or_default(), need, taken!(Jobs), budget);
        }
        Need::Vaults { region } => {
            absorb(snapshot.vaults.entry(region.clone()).or_default(), need, taken!(Vaults), budget);
        }
        Need::Alarms { region } => {
            absorb(snapshot.alarms.entry(region.clone()).or_default(), need, taken!(Alarms), budget);
        }
        Need::Identity { region } => {
            absorb(snapshot.identities.entry(region.clone()).or_default(), need, taken!(Identity), budget);
        }
        _ => {}
    }
}
