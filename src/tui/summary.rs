//! What the board says of the whole estate, counted once per picture: a frame must not cost more as the estate grows.

use std::collections::{BTreeMap, HashMap};

use super::tables::backups::{self, Totals};
use crate::domain::{AppId, Estate, Fact, Picture, Side, Slot, Timestamp, Verdict, compliance::Exposure};

#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// When the oldest value was observed: facts and lists of jobs alike.
    pub oldest: Option<Timestamp>,
    /// Databases whose writer was last seen on that side; `None` when nothing is known of any.
    writers: Option<[usize; 2]>,
    /// Apps whose loss of the Region stays within the target.
    pub within_rpo: usize,
    pub judged: usize,
    pub served: Option<Served>,
    pub backups: Totals,
    /// Where the app stands in the estate, and its assessment in the picture.
    places: HashMap<AppId, usize>,
}

/// Over all apps that count their customers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Served {
    pub share: Option<f64>,
    pub per_second: f64,
    pub against_last_week: Option<f64>,
}

impl Summary {
    #[must_use]
    pub fn of(estate: &Estate, picture: &Picture) -> Self {
        let snapshot = &picture.snapshot;
        let jobs = snapshot.jobs.values().filter_map(|slot| slot.last.as_ref().map(|o| o.observed_at));
        let judged = &picture.assessments;
        Self {
            oldest: snapshot.oldest_observed().into_iter().chain(jobs).min(),
            writers: writers(estate, picture),
            within_rpo: judged.iter().filter(|a| within(&a.region_lost)).count(),
            judged: judged.len(),
            served: served(picture),
            backups: backups::totals(estate, picture),
            places: judged.iter().enumerate().map(|(n, a)| (a.app.clone(), n)).collect(),
        }
    }

    #[must_use]
    pub fn writers(&self, side: Side) -> Option<usize> {
        self.writers.map(|counts| counts[side as usize])
    }

    /// The app's place among the assessments.
    #[must_use]
    pub fn place(&self, app: &AppId) -> Option<usize> {
        self.places.get(app).copied()
    }
}

/// Proven or sampled, or at risk of leaving it and not out of it yet. Without a target nothing is within it.
fn within(exposure: &Exposure) -> bool {
    match exposure.verdict {
        Verdict::Met { .. } => exposure.target.is_some(),
        Verdict::AtRisk { .. } => {
            exposure.exposure.zip(exposure.target).is_some_and(|(figure, target)| figure <= target)
        }
        _ => false,
    }
}

fn writers(estate: &Estate, picture: &Picture) -> Option<[usize; 2]> {
    // Both Regions tell of the same cluster: the newest word counts.
    let mut newest: BTreeMap<_, (Timestamp, Option<Side>)> = BTreeMap::new();
    for (id, slot) in &picture.snapshot.facts {
        let Slot { last: Some(seen), .. } = slot else { continue };
        let Fact::Topology(cluster) = &seen.value else { continue };
        let side = cluster.writer().and_then(|writer| estate.regions.side_of(&writer.region));
        let entry = newest.entry((&id.app, &id.component)).or_insert((seen.observed_at, side));
        if entry.0 < seen.observed_at {
            *entry = (seen.observed_at, side);
        }
    }
    let count = |side: Side| newest.values().filter(|(_, at)| *at == Some(side)).count();
    (!newest.is_empty()).then(|| [count(Side::Primary), count(Side::Recovery)])
}

fn served(picture: &Picture) -> Option<Served> {
    let (mut rate, mut good, mut known) = (0.0, 0.0, 0_usize);
    let (mut before, mut compared) = (0.0, 0.0);
    for served in picture.assessments.iter().map(|a| &a.served) {
        let (Some(success), Some(per_second)) = (served.success, served.per_second) else { continue };
        rate += per_second;
        good += success * per_second;
        known += 1;
        if let Some(share) = served.against_last_week.filter(|share| *share > 0.0) {
            before += per_second / share;
            compared += per_second;
        }
    }
    (known > 0).then(|| Served {
        share: (rate > 0.0).then(|| good / rate),
        per_second: rate,
        against_last_week: (before > 0.0).then(|| compared / before),
    })
}
