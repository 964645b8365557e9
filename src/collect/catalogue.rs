//! Everything the estate wants read, found once at start: needs by Region, and who wants each.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{AppId, Estate, RegionId, Side, Timestamp, region::GLOBAL_CONTROL_PLANE, resource::JobKind},
    probes::{self, Answers, ComponentCtx, Need, Observed},
};

/// Somebody who turns answers into facts; by index into the estate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Component { app: usize, component: usize },
    Served { app: usize },
}

#[derive(Debug, Default)]
pub(super) struct Catalogue {
    by_region: BTreeMap<RegionId, BTreeSet<Need>>,
    wanted_by: BTreeMap<Need, Vec<Subject>>,
    by_app: BTreeMap<AppId, BTreeSet<Need>>,
}

impl Catalogue {
    pub fn of(estate: &Estate) -> Self {
        let mut catalogue = Self::default();
        for (app_index, app) in estate.apps.iter().enumerate() {
            for (index, component) in app.components.iter().enumerate() {
                let Some(probe) = probes::probe(component.kind) else { continue };
                let subject = Subject::Component { app: app_index, component: index };
                for need in probe.needs(&ComponentCtx { estate, app, component }) {
                    catalogue.add(&app.id, need, subject);
                }
            }
            for need in probes::served::needs(app, estate) {
                catalogue.add(&app.id, need, Subject::Served { app: app_index });
            }
        }
        for region in Side::BOTH.map(|side| estate.regions.get(side).id.clone()) {
            for kind in JobKind::ALL {
                catalogue.add_general(Need::Jobs { region: region.clone(), kind });
            }
            catalogue.add_general(Need::Vaults { region: region.clone() });
            catalogue.add_general(Need::Alarms { region: region.clone() });
            // Asked of every Region, so that two services speak for its reach even where no app lives.
            catalogue.add_general(Need::DbInstances { region: region.clone() });
            catalogue.add_general(Need::Identity { region });
        }
        catalogue.add_general(Need::Identity { region: RegionId::new(GLOBAL_CONTROL_PLANE) });
        catalogue
    }

    fn add(&mut self, app: &AppId, need: Need, subject: Subject) {
        let subjects = self.wanted_by.entry(need.clone()).or_default();
        if subjects.last() != Some(&subject) && !subjects.contains(&subject) {
            subjects.push(subject);
        }
        self.by_app.entry(app.clone()).or_default().insert(need.clone());
        self.add_general(need);
    }

    fn add_general(&mut self, need: Need) {
        self.by_region.entry(need.region()).or_default().insert(need);
    }

    pub fn regions(&self) -> BTreeSet<RegionId> {
        self.by_region.keys().cloned().collect()
    }

    pub fn needs_in(&self, region: &RegionId) -> impl Iterator<Item = &Need> {
        self.by_region.get(region).into_iter().flatten()
    }

    /// Needs of one app by Region.
    pub fn needs_of(&self, app: &AppId) -> BTreeMap<RegionId, Vec<Need>> {
        let mut by_region: BTreeMap<RegionId, Vec<Need>> = BTreeMap::new();
        for need in self.by_app.get(app).into_iter().flatten() {
            by_region.entry(need.region()).or_default().push(need.clone());
        }
        by_region
    }

    /// Facts of everybody who wants this need.
    pub fn observe(&self, need: &Need, estate: &Estate, answers: &Answers, now: Timestamp) -> Vec<Observed> {
        let mut facts = Vec::new();
        for subject in self.wanted_by.get(need).into_iter().flatten() {
            match *subject {
                Subject::Component { app, component } => {
                    let app = &estate.apps[app];
                    let component = &app.components[component];
                    if let Some(probe) = probes::probe(component.kind) {
                        facts.extend(probe.observe(&ComponentCtx { estate, app, component }, answers, now));
                    }
                }
                Subject::Served { app } => facts.extend(probes::served::observe(&estate.apps[app], estate, answers)),
            }
        }
        facts
    }
}
