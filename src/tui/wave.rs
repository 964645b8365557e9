//! A wave while it is put together: role, marks, how many at a time, and the list that the engine made of it.
//!
//! Must never: let a list be declared that was planned for other marks than those on screen.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    domain::{AppId, Estate, SafeText},
    runbook::{
        spec::Variant,
        wave::{PARALLEL_DEFAULT, Wave, WaveRequest},
    },
};

/// Roles that come first, in the order in which a night goes.
const FIRST: [&str; 3] = ["failover", "switchover", "failback"];

#[derive(Clone, Debug)]
pub struct WavePane {
    pub role: String,
    pub marked: BTreeSet<AppId>,
    /// A person chose the marks; until then the engine leaves out who is where the wave goes.
    pub chosen: bool,
    pub parallel_max: u32,
    /// Being planned; its answer is the only one that counts.
    pub asked: Option<WaveRequest>,
    pub planned: Option<Result<Arc<Wave>, SafeText>>,
}

/// Every role that some app of the estate has a runbook for.
#[must_use]
pub fn roles(estate: &Estate) -> Vec<String> {
    let known: BTreeSet<&str> = estate.apps.iter().flat_map(|app| app.runbooks.keys()).map(AsRef::as_ref).collect();
    let first = FIRST.iter().copied().filter(|role| known.contains(role));
    let others = known.iter().copied().filter(|role| !FIRST.contains(role));
    first.chain(others).map(str::to_owned).collect()
}

/// The apps that have a runbook of that role, in the estate's order.
pub fn candidates<'e>(estate: &'e Estate, role: &str) -> Vec<&'e AppId> {
    estate.apps.iter().filter(|app| app.runbooks.contains_key(role)).map(|app| &app.id).collect()
}

impl WavePane {
    /// Everything that can go, goes.
    #[must_use]
    pub fn new(estate: &Estate) -> Self {
        let role = roles(estate).into_iter().next().unwrap_or_else(|| FIRST[0].to_owned());
        Self::of_role(estate, role, PARALLEL_DEFAULT)
    }

    fn of_role(estate: &Estate, role: String, parallel_max: u32) -> Self {
        let marked = candidates(estate, &role).into_iter().cloned().collect();
        Self { role, marked, chosen: false, parallel_max, asked: None, planned: None }
    }

    pub fn next_role(&mut self, estate: &Estate) {
        let roles = roles(estate);
        let at = roles.iter().position(|role| *role == self.role).map_or(0, |at| at + 1);
        if let Some(role) = roles.get(at % roles.len().max(1)) {
            *self = Self::of_role(estate, role.clone(), self.parallel_max);
        }
    }

    pub fn mark(&mut self, app: &AppId) {
        self.chosen = true;
        if !self.marked.remove(app) {
            self.marked.insert(app.clone());
        }
    }

    /// All, or none when all are marked.
    pub fn mark_all(&mut self, estate: &Estate) {
        self.chosen = true;
        let all: BTreeSet<AppId> = candidates(estate, &self.role).into_iter().cloned().collect();
        self.marked = if self.marked == all { BTreeSet::new() } else { all };
    }

    /// What is to be planned now; `None` while no app is marked. No list of apps: all that are not where it goes.
    pub fn ask(&mut self, estate: &Estate) -> Option<WaveRequest> {
        let candidates = candidates(estate, &self.role);
        if !self.chosen {
            self.marked = candidates.iter().copied().cloned().collect();
        }
        let mut apps: Vec<AppId> = candidates.into_iter().filter(|app| self.marked.contains(*app)).cloned().collect();
        if apps.is_empty() {
            (self.asked, self.planned) = (None, None);
            return None;
        }
        if !self.chosen {
            apps.clear();
        }
        let (role, parallel_max) = (self.role.clone(), self.parallel_max);
        let request = WaveRequest { role, apps, parallel_max, variant: Variant::Whole };
        self.asked = Some(request.clone());
        Some(request)
    }

    /// An answer to an earlier question says nothing.
    pub fn answered(&mut self, request: &WaveRequest, wave: Result<Arc<Wave>, SafeText>) {
        if self.asked.as_ref() == Some(request) {
            self.asked = None;
            if let (false, Ok(wave)) = (self.chosen, &wave) {
                self.marked.retain(|app| wave.there.iter().all(|(there, _)| there != app));
            }
            self.planned = Some(wave);
        }
    }

    /// The list as it was planned for what is on screen.
    #[must_use]
    pub fn ready(&self) -> Option<&Arc<Wave>> {
        match (&self.asked, &self.planned) {
            (None, Some(Ok(wave))) => Some(wave),
            _ => None,
        }
    }

    /// The newest list, also while another is made.
    #[must_use]
    pub fn shown(&self) -> Option<&Arc<Wave>> {
        self.planned.as_ref().and_then(|planned| planned.as_ref().ok())
    }
}
