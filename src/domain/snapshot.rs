//! All observations *and* all probe errors at one moment; always partial.
//!
//! Published by the collector as `Arc<Snapshot>`; never changed afterwards. A frozen screen is a snapshot that
//! is no longer replaced.

use std::{collections::BTreeMap, time::Duration};

use super::{
    fact::{Fact, FactId, What},
    id::{AppId, ComponentId, RegionId},
    observation::{ProbeError, Slot},
    resource::{Alarm, Identity, Job, JobKind, Vault},
    text::SafeText,
    time::Timestamp,
};

/// Live, drill and simulation cannot be confused: every screen, log line and report says one of these words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    Live,
    /// A live run that is a rehearsal.
    Drill,
    /// Estate seconds per wall second.
    Simulated {
        speed: f64,
    },
}

impl Mode {
    /// `LIVE`, `DRILL`, `SIMULATED ×30`.
    #[must_use]
    pub fn word(self) -> String {
        match self {
            Self::Live => "LIVE".to_owned(),
            Self::Drill => "DRILL".to_owned(),
            Self::Simulated { speed } if speed <= 0.0 => "SIMULATED still".to_owned(),
            Self::Simulated { speed } => format!("SIMULATED ×{speed}"),
        }
    }

    #[must_use]
    pub const fn simulated(self) -> bool {
        matches!(self, Self::Simulated { .. })
    }

    #[must_use]
    pub const fn world(self) -> World {
        if self.simulated() { World::Simulation } else { World::Aws }
    }
}

/// What a run can touch. Runs of the two are listed side by side, and neither forbids, delays, estimates or protects
/// anything of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum World {
    Aws,
    Simulation,
}

impl World {
    /// From the word that a plan was made under, drill or not. In doubt it is the world where harm can be done.
    #[must_use]
    pub fn of_mode_word(word: &str) -> Self {
        if word.starts_with("SIMULATED") { Self::Simulation } else { Self::Aws }
    }

    /// As in "it is of a simulation".
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Simulation => "a simulation",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Grows by one with each publication.
    pub seq: u64,
    pub taken_at: Timestamp,
    pub mode: Mode,
    pub facts: BTreeMap<FactId, Slot<Fact>>,
    /// Jobs of the last 24 h by the Region that listed them.
    pub jobs: BTreeMap<(RegionId, JobKind), Slot<Vec<Job>>>,
    pub vaults: BTreeMap<RegionId, Slot<Vec<Vault>>>,
    pub alarms: BTreeMap<RegionId, Slot<Vec<Alarm>>>,
    pub identities: BTreeMap<RegionId, Slot<Identity>>,
    pub regions: BTreeMap<RegionId, RegionHealth>,
    /// Every Region was asked for everything once since start, resume or clock jump; answered or not.
    pub complete: bool,
    /// Endpoints that the environment redirects: (variable, URL). Empty = AWS's own.
    pub endpoint_overrides: Vec<(SafeText, SafeText)>,
    /// Since start.
    pub calls: CallTotals,
}

impl Snapshot {
    /// The facts of one app. They lie side by side: a wave plans a thousand apps on one snapshot.
    pub fn of_app<'a>(&'a self, app: &AppId) -> impl Iterator<Item = (&'a FactId, &'a Slot<Fact>)> + use<'a> {
        let first = FactId {
            app: app.clone(),
            component: ComponentId::new(""),
            region: RegionId::new(""),
            what: What::Topology,
        };
        let app = app.clone();
        self.facts.range(first..).take_while(move |(id, _)| id.app == app)
    }

    #[must_use]
    pub fn empty(mode: Mode, taken_at: Timestamp) -> Self {
        Self {
            seq: 0,
            taken_at,
            mode,
            facts: BTreeMap::new(),
            jobs: BTreeMap::new(),
            vaults: BTreeMap::new(),
            alarms: BTreeMap::new(),
            identities: BTreeMap::new(),
            regions: BTreeMap::new(),
            complete: false,
            endpoint_overrides: Vec::new(),
            calls: CallTotals::default(),
        }
    }

    #[must_use]
    pub fn fact(&self, app: &AppId, component: &ComponentId, region: &RegionId, what: What) -> Option<&Slot<Fact>> {
        // A BTreeMap of owned keys needs an owned key to look up; ids are shared text, so this copies pointers.
        self.facts.get(&FactId { app: app.clone(), component: component.clone(), region: region.clone(), what })
    }

    /// When the oldest value on screen was observed: the banner's "oldest data". `None` with nothing read.
    #[must_use]
    pub fn oldest_observed(&self) -> Option<Timestamp> {
        self.facts.values().filter_map(|slot| slot.last.as_ref()).map(|o| o.observed_at).min()
    }

    /// Every failure that stands, of facts, jobs, vaults, alarms and identities.
    #[must_use]
    pub fn failures(&self) -> Vec<&ProbeError> {
        let facts = self.facts.values().filter_map(|s| s.failure.as_ref());
        let jobs = self.jobs.values().filter_map(|s| s.failure.as_ref());
        let vaults = self.vaults.values().filter_map(|s| s.failure.as_ref());
        let alarms = self.alarms.values().filter_map(|s| s.failure.as_ref());
        let identities = self.identities.values().filter_map(|s| s.failure.as_ref());
        facts.chain(jobs).chain(vaults).chain(alarms).chain(identities).collect()
    }
}

/// Can this Region be reached, seen from here. One per Region of the pair, one for the global control planes.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionHealth {
    pub reach: Reach,
    /// Two services in the Region and one endpoint elsewhere, at least.
    pub vantages: Vec<Vantage>,
    /// When the reach last changed.
    pub since: Timestamp,
    /// Cycles without any answer; after three the collector asks one cheap question only.
    pub cycles_unreachable: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Nothing tried yet.
    Unknown,
    Reachable,
    /// Some services answer, some do not.
    Partial,
    /// No service of the Region answers, and an endpoint elsewhere does: it is the Region.
    RegionDown,
    /// Nothing answers anywhere: it may be my own network.
    OwnNetwork,
}

impl Reach {
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unknown => "not tried yet",
            Self::Reachable => "reachable",
            Self::Partial => "partly reachable",
            Self::RegionDown => "unreachable, other Regions answer",
            Self::OwnNetwork => "nothing answers: my own network?",
        }
    }
}

/// One place to look from or at, and what it said last.
#[derive(Clone, Debug, PartialEq)]
pub struct Vantage {
    /// `rds in ap-south-1`
    pub name: SafeText,
    pub region: RegionId,
    pub outcome: Option<VantageOutcome>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct VantageOutcome {
    pub at: Timestamp,
    /// Wall time of the answer, or the failure.
    pub result: Result<Duration, ProbeError>,
}

/// Cost and count of calls since start, for the call log and the status line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CallTotals {
    pub calls: u64,
    pub failed: u64,
    pub metrics_requested: u64,
    /// GetMetricData at 0.01 USD per 1,000 metrics (field guide 7.2).
    pub usd: f64,
}
