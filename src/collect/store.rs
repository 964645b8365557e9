//! What is known now: answers, slots, reach. Everything of one epoch; a jump of the clock begins a new one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{catalogue::Catalogue, reach::Vantages, schedule::CYCLES_UNTIL_PROBE};
use crate::{
    domain::{
        Estate, Fact, FactId, Mode, Observation, ProbeError, RegionId, Slot, Snapshot, Timestamp, What,
        resource::{Alarm, Identity, Job, JobKind, Vault},
        snapshot::{CallTotals, Reach, RegionHealth},
        text::SafeText,
    },
    probes::{
        Answers, Need,
        need::{Payload, Reading},
    },
};

#[derive(Debug)]
pub(super) struct Store {
    epoch: u64,
    /// Grows when everything is to be read at once, whatever the schedule says.
    forced: u64,
    seq: u64,
    answers: Answers,
    facts: BTreeMap<FactId, Slot<Fact>>,
    jobs: BTreeMap<(RegionId, JobKind), Slot<Vec<Job>>>,
    vaults: BTreeMap<RegionId, Slot<Vec<Vault>>>,
    alarms: BTreeMap<RegionId, Slot<Vec<Alarm>>>,
    identities: BTreeMap<RegionId, Slot<Identity>>,
    vantages: Vantages,
    regions: BTreeMap<RegionId, Standing>,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    reach: Reach,
    since: Timestamp,
    /// It answered at some time in this epoch: then it is known when it ceased to.
    seen_well: bool,
    cycles_unreachable: u32,
    /// Rounds of reads that ended in this epoch.
    rounds: u64,
}

/// One outcome on its way in.
pub(super) struct Absorbed<'a> {
    pub need: &'a Need,
    pub outcome: Result<Reading<Payload>, ProbeError>,
    /// Wall time.
    pub took: Duration,
    pub budget: Duration,
    pub now: Timestamp,
}

impl Store {
    pub fn new(regions: &BTreeSet<RegionId>, now: Timestamp) -> Self {
        let standing =
            Standing { reach: Reach::Unknown, since: now, seen_well: false, cycles_unreachable: 0, rounds: 0 };
        Self {
            epoch: 0,
            forced: 0,
            seq: 0,
            answers: Answers::default(),
            facts: BTreeMap::new(),
            jobs: BTreeMap::new(),
            vaults: BTreeMap::new(),
            alarms: BTreeMap::new(),
            identities: BTreeMap::new(),
            vantages: Vantages::default(),
            regions: regions.iter().map(|region| (region.clone(), standing)).collect(),
        }
    }

    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub const fn forced(&self) -> u64 {
        self.forced
    }

    pub const fn force_all(&mut self) {
        self.forced += 1;
    }

    pub fn forget(&mut self, now: Timestamp) {
        self.epoch += 1;
        self.forced += 1;
        self.answers.clear();
        self.facts.clear();
        self.jobs.clear();
        self.vaults.clear();
        self.alarms.clear();
        self.identities.clear();
        self.vantages.clear();
        for standing in self.regions.values_mut() {
            *standing =
                Standing { reach: Reach::Unknown, since: now, seen_well: false, cycles_unreachable: 0, rounds: 0 };
        }
    }

    /// Ignores what belongs to an earlier epoch, and what is older than what is there.
    pub fn absorb(&mut self, epoch: u64, seen: Absorbed<'_>, estate: &Estate, catalogue: &Catalogue) {
        if epoch != self.epoch {
            return;
        }
        let Absorbed { need, outcome, took, budget, now } = seen;
        let region = need.region();
        let (service, _) = need.call();
        let (at, failure) = match &outcome {
            Ok(reading) => (reading.started_at, None),
            Err(error) => (error.at, Some(error)),
        };
        self.vantages.saw(&region, service, at, took, failure, now);
        self.judge_reach(now);
        if !self.answers.put(need.clone(), outcome, budget) {
            return;
        }
        self.fill_general(need, budget);
        for (id, fact) in catalogue.observe(need, estate, &self.answers, now) {
            let slot = self.facts.entry(id).or_default();
            slot.absorb(fact.map(|seen| remembering(seen, slot.last.as_ref())));
        }
    }

    /// Lists that the snapshot holds as such, beside the facts.
    fn fill_general(&mut self, need: &Need, budget: Duration) {
        let Some(outcome) = self.answers.outcome(need) else { return };
        match need {
            Need::Jobs { region, kind } => {
                let value = general(need, outcome, budget, |payload| match payload {
                    Payload::Jobs(jobs) => Some(jobs.clone()),
                    _ => None,
                });
                self.jobs.entry((region.clone(), *kind)).or_default().absorb(value);
            }
            Need::Vaults { region } => {
                let value = general(need, outcome, budget, |payload| match payload {
                    Payload::Vaults(vaults) => Some(vaults.clone()),
                    _ => None,
                });
                self.vaults.entry(region.clone()).or_default().absorb(value);
            }
            Need::Alarms { region } => {
                let value = general(need, outcome, budget, |payload| match payload {
                    Payload::Alarms(alarms) => Some(alarms.clone()),
                    _ => None,
                });
                self.alarms.entry(region.clone()).or_default().absorb(value);
            }
            Need::Identity { region } => {
                let value = general(need, outcome, budget, |payload| match payload {
                    Payload::Identity(identity) => Some(identity.clone()),
                    _ => None,
                });
                self.identities.entry(region.clone()).or_default().absorb(value);
            }
            _ => {}
        }
    }

    fn judge_reach(&mut self, now: Timestamp) {
        for (region, standing) in &mut self.regions {
            let reach = self.vantages.judge(region);
            standing.seen_well |= reach == Reach::Reachable;
            if reach != standing.reach {
                standing.reach = reach;
                standing.since = now;
            }
        }
    }

    /// A round of reads in the Region ended: did any of them get an answer?
    pub fn end_round(&mut self, region: &RegionId, answered: bool) {
        if let Some(standing) = self.regions.get_mut(region) {
            standing.cycles_unreachable = if answered { 0 } else { standing.cycles_unreachable.saturating_add(1) };
        }
    }

    /// Nothing is in flight any more: everything that was due was asked for, answered or not.
    pub fn round_over(&mut self, region: &RegionId) {
        if let Some(standing) = self.regions.get_mut(region) {
            standing.rounds += 1;
        }
    }

    /// Only the cheap question is asked of it.
    pub fn only_probed(&self, region: &RegionId) -> bool {
        self.regions.get(region).is_some_and(|standing| standing.cycles_unreachable >= CYCLES_UNTIL_PROBE)
    }

    /// A good answer to it is there.
    pub fn knows(&self, need: &Need) -> bool {
        matches!(self.answers.outcome(need), Some(Ok(_)))
    }

    /// Worth waiting for.
    pub fn answers_now(&self, region: &RegionId) -> bool {
        self.vantages.answers(region)
    }

    /// A Region that was down when it was first asked went down before that. What the other side last received from it was
    /// its last sign of life: an outage is never taken for younger than that.
    fn gone_since(&self, region: &RegionId, standing: &Standing) -> Timestamp {
        if standing.seen_well || standing.reach != Reach::RegionDown {
            return standing.since;
        }
        let elsewhere = self.facts.iter().filter(|(id, _)| id.what == What::Lag && id.region != *region);
        let signs = elsewhere.filter_map(|(_, slot)| match &slot.last.as_ref()?.value {
            Fact::Lag(series) => series.newest().map(|point| point.at + series.period),
            _ => None,
        });
        signs.max().map_or(standing.since, |sign| sign.min(standing.since))
    }

    pub fn snapshot(
        &mut self,
        mode: Mode,
        now: Timestamp,
        calls: CallTotals,
        endpoint_overrides: &[(SafeText, SafeText)],
    ) -> Snapshot {
        self.seq += 1;
        let health = |(region, standing): (&RegionId, &Standing)| {
            let health = RegionHealth {
                reach: standing.reach,
                vantages: self.vantages.list(region),
                since: self.gone_since(region, standing),
                cycles_unreachable: standing.cycles_unreachable,
            };
            (region.clone(), health)
        };
        Snapshot {
            seq: self.seq,
            taken_at: now,
            mode,
            facts: self.facts.clone(),
            jobs: self.jobs.clone(),
            vaults: self.vaults.clone(),
            alarms: self.alarms.clone(),
            identities: self.identities.clone(),
            regions: self.regions.iter().map(health).collect(),
            complete: self.regions.values().all(|standing| standing.rounds > 0),
            endpoint_overrides: endpoint_overrides.to_vec(),
            calls,
        }
    }
}

/// The last sample of a lag before it stopped bounds what is lost when its Region is gone, however late somebody
/// decides: it outlives the hour that is asked for (field guide 2.6: when the primary Region dies the
/// series stops).
fn remembering(mut seen: Observation<Fact>, before: Option<&Observation<Fact>>) -> Observation<Fact> {
    if let (Fact::Lag(now), Some(Fact::Lag(old))) = (&mut seen.value, before.map(|before| &before.value))
        && now.points.is_empty()
        && let Some(last) = old.newest()
    {
        now.points.push(last);
        seen.data_time = last.at;
    }
    seen
}

fn general<T>(
    need: &Need,
    outcome: &Result<Reading<Payload>, ProbeError>,
    budget: Duration,
    take: impl FnOnce(&Payload) -> Option<T>,
) -> Result<Observation<T>, ProbeError> {
    let reading = outcome.as_ref().map_err(Clone::clone)?;
    let value = take(&reading.value).ok_or_else(|| ProbeError {
        failure: crate::domain::ProbeFailure::BadAnswer,
        region: need.region(),
        call: need.source(),
        message: SafeText::new("an answer to another question"),
        at: reading.started_at,
    })?;
    Ok(Observation {
        value,
        data_time: reading.started_at,
        observed_at: reading.started_at,
        source: need.source(),
        region: need.region(),
        budget,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::{Point, Series};

    fn lag(points: &[(i64, f64)], read_at: i64) -> Observation<Fact> {
        let points = points.iter().map(|(at, value)| Point { at: Timestamp::from_secs(*at), value: *value }).collect();
        Observation {
            value: Fact::Lag(Series { period: Duration::from_mins(1), points }),
            data_time: Timestamp::from_secs(read_at - 3_600),
            observed_at: Timestamp::from_secs(read_at),
            source: "cloudwatch GetMetricData".into(),
            region: RegionId::new("ap-south-2"),
            budget: Duration::from_secs(90),
        }
    }

    #[test]
    fn an_outage_that_was_there_at_the_first_look_began_with_the_last_sign_of_life() {
        let (mumbai, hyderabad) = (RegionId::new("ap-south-1"), RegionId::new("ap-south-2"));
        let now = Timestamp::from_secs(20_000);
        let mut store = Store::new(&BTreeSet::from([mumbai.clone(), hyderabad.clone()]), now);
        let since = |store: &mut Store| {
            let snapshot = store.snapshot(Mode::Live, now, CallTotals::default(), &[]);
            snapshot.regions[&mumbai].since.secs()
        };
        let down = |store: &mut Store, seen_well: bool| {
            let standing = store.regions.get_mut(&mumbai).expect("asked");
            (standing.reach, standing.since, standing.seen_well) = (Reach::RegionDown, now, seen_well);
        };
        down(&mut store, false);
        assert_eq!(since(&mut store), 20_000, "nothing says since when");
        let mut heard = |component: &str, region: &RegionId, at: i64| {
            let (app, component) = ("payments".into(), component.into());
            let id = FactId { app, component, region: region.clone(), what: What::Lag };
            store.facts.entry(id).or_default().absorb(Ok(lag(&[(at - 60, 0.7), (at, 0.8)], 19_990)));
        };
        heard("long-stopped", &hyderabad, 1_200);
        heard("payments-global", &hyderabad, 3_600);
        heard("the-way-home", &mumbai, 19_000);
        assert_eq!(since(&mut store), 3_660, "the newest sample that came from there, to the end of its minute");
        down(&mut store, true);
        assert_eq!(since(&mut store), 20_000, "it was seen to go");
    }

    #[test]
    fn the_last_lag_before_a_gap_is_known_after_the_hour_that_is_asked_for() {
        let before = lag(&[(540, 0.7), (600, 0.8)], 700);
        let seen = remembering(lag(&[], 9_000), Some(&before));
        let Fact::Lag(series) = &seen.value else { panic!("{seen:?}") };
        assert_eq!(series.newest().map(|point| (point.at.secs(), point.value)), Some((600, 0.8)));
        assert_eq!((seen.data_time.secs(), seen.observed_at.secs()), (600, 9_000), "old data, read now");
        let again = remembering(lag(&[], 9_100), Some(&seen));
        assert_eq!(again.data_time.secs(), 600, "and it stays known");
        let anew = remembering(lag(&[(9_180, 0.3)], 9_200), Some(&again));
        assert!(matches!(&anew.value, Fact::Lag(series) if series.points.len() == 1), "until there is a newer one");
        let never = remembering(lag(&[], 9_000), None);
        assert!(matches!(&never.value, Fact::Lag(series) if series.points.is_empty()), "none is made up");
    }
}
