//! Everything that is simulated, joined: each service's model, and what they may know of each other.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    backup::Backups,
    cloudwatch::Metrics,
    gate::Faults,
    outside::{self, Asked, Programs, Said},
    rds::{self, Rds, answer::Effect},
    route::{Service, Target},
    route53::Dns,
    service::{Answer, Call},
    sts,
    surroundings::{Surroundings, VaultTrouble},
    wire::Refusal,
};
use crate::domain::{AppId, Estate, RegionId, Side, Timestamp, region::GLOBAL_CONTROL_PLANE, resource::JobKind};

#[derive(Clone, Debug)]
pub struct World {
    pub estate: Arc<Estate>,
    pub faults: Faults,
    pub rds: Rds,
    pub dns: Dns,
}

impl World {
    #[must_use]
    pub fn new(estate: Arc<Estate>, seed: u64, start: Timestamp) -> Self {
        let (rds, dns) = (Rds::new(&estate, seed, start), Dns::new(&estate, seed));
        Self { estate, faults: Faults::default(), rds, dns }
    }

    /// Regions that a fault may name.
    #[must_use]
    pub fn regions(&self) -> Vec<RegionId> {
        let pair = Side::BOTH.map(|side| self.estate.regions.get(side).id.clone());
        pair.into_iter().chain([GLOBAL_CONTROL_PLANE.into()]).collect()
    }

    #[must_use]
    pub fn account(&self, region: &RegionId) -> String {
        self.estate
            .regions
            .side_of(region)
            .map_or_else(|| self.estate.expects_account.clone(), |side| rds::account(&self.estate, side))
    }

    /// Region of the app's writer or primary: where customers go when no record of the app says otherwise. While
    /// the writer moves they still go where it was.
    fn home(&self, app: &AppId, at: Timestamp) -> Option<RegionId> {
        let app = self.estate.app(app)?;
        let global = app.components.iter().find_map(|component| {
            component.params.text("global_cluster").filter(|_| component.kind == "aurora-global")
        });
        let Some(global) = global.and_then(|id| self.rds.globals.get(id)) else {
            return Some(self.estate.regions.primary.id.clone());
        };
        let member = &global.members[global.writer_index(at, &self.faults)];
        let writing = self.rds.writing(&global.id, at, &self.faults);
        Some(writing.unwrap_or_else(|| member.region.clone()))
    }
}

impl Surroundings for World {
    fn region_down(&self, region: &RegionId, at: Timestamp) -> bool {
        self.faults.region_down(region, at)
    }

    fn extra_lag(&self, target: &str, at: Timestamp) -> Duration {
        self.faults.extra_lag(target, at)
    }

    fn writer(&self, global_cluster: &str, at: Timestamp) -> Option<RegionId> {
        self.rds.writing(global_cluster, at, &self.faults)
    }

    fn replicating(&self, region: &RegionId, replica: &str, at: Timestamp) -> bool {
        self.rds.replicating(region, replica, at, &self.faults)
    }

    fn traffic_share(&self, app: &AppId, region: &RegionId, at: Timestamp) -> f64 {
        let by_dns = self.estate.regions.side_of(region).and_then(|side| self.dns.share(app, side, at, &self.faults));
        by_dns.unwrap_or_else(|| if self.home(app, at).as_ref() == Some(region) { 1.0 } else { 0.0 })
    }

    fn job_failure(&self, resource: &str, kind: JobKind, at: Timestamp) -> Option<String> {
        self.faults.job_failure(resource, kind, at)
    }

    fn vault_trouble(&self, region: &RegionId, vault: &str, at: Timestamp) -> Option<VaultTrouble> {
        self.faults.vault_trouble(region, vault, at)
    }

    fn database(&self, region: &RegionId, id: &str, at: Timestamp) -> Option<u64> {
        self.rds.instance(region, id, at, &self.faults).map(|instance| instance.storage_gib << 30)
    }
}

/// The world and the models that look at it from outside.
#[derive(Clone, Debug)]
pub struct Services {
    pub world: World,
    metrics: Metrics,
    backups: Backups,
    programs: Programs,
}

impl Services {
    #[must_use]
    pub fn new(estate: &Arc<Estate>, seed: u64, start: Timestamp) -> Self {
        Self {
            world: World::new(Arc::clone(estate), seed, start),
            metrics: Metrics::new(estate, seed, start),
            backups: Backups::new(estate, seed, start),
            programs: Programs::new(estate),
        }
    }

    /// What lies outside AWS.
    pub fn outside(&mut self, asked: &Asked, now: Timestamp, seed: u64, seq: u64) -> (Said, Effect) {
        self.settle(now);
        match asked {
            Asked::Run(line) => self.programs.run(line, now, &self.world, seed, seq),
            Asked::Look(line) => (self.programs.look(line, now), Effect::None),
            Asked::Get(get) => (outside::get(&self.world, &get.url, now), Effect::None),
        }
    }

    /// Answers a request that arrived. `wall` is real time, for the expiry of credentials.
    pub fn answer(&mut self, target: &Target, call: &Call, wall: Timestamp) -> (Answer, Effect) {
        self.settle(call.now);
        let world = &mut self.world;
        match target.service {
            Some(Service::Rds) => world.rds.answer(call, &world.faults),
            Some(Service::Route53) => world.dns.answer(call, &world.faults),
            Some(Service::Sts) => (sts::answer(&world.estate, call, wall), Effect::None),
            // A function of time and of the world around it: nothing that is asked of it changes it.
            Some(Service::Monitoring) => (self.metrics.answer(call, world), Effect::None),
            Some(Service::Backup) if call.request.method() == http::Method::GET => {
                (self.backups.answer(call, world), Effect::None)
            }
            Some(Service::Backup) => self.backups.write(call, world),
            None => (not_simulated(target, call), Effect::None),
        }
    }

    /// What restores have made by now belongs to its own service from now on.
    pub fn settle(&mut self, now: Timestamp) {
        for made in self.backups.hand_over(now, &self.world) {
            self.world.rds.restored(&made.arn, now, made.data_time, made.size);
        }
    }
}

impl Services {
    /// Backup and copy jobs that the Regions of the pair list now, counted by state:
    /// `{"ap-south-1": {"backup": {"COMPLETED": 228}, "copy": {…}}}`. Read through the service's own door, so that
    /// it says what a client would count.
    #[must_use]
    pub fn jobs(&self, now: Timestamp, seed: u64) -> Value {
        let mut regions = serde_json::Map::new();
        for side in Side::BOTH {
            let region = &self.world.estate.regions.get(side).id;
            let mut kinds = serde_json::Map::new();
            for (kind, path, list) in [("backup", "/backup-jobs/", "BackupJobs"), ("copy", "/copy-jobs/", "CopyJobs")] {
                kinds.insert(kind.to_owned(), json!(self.states(region, path, list, now, seed)));
            }
            regions.insert(region.to_string(), Value::Object(kinds));
        }
        Value::Object(regions)
    }

    fn states(&self, region: &RegionId, path: &str, list: &str, now: Timestamp, seed: u64) -> BTreeMap<String, u64> {
        const PAGES_MAX: usize = 50;
        let (mut states, mut uri) = (BTreeMap::new(), format!("{path}?maxResults=1000"));
        let account = self.world.account(region);
        for _ in 0..PAGES_MAX {
            let Ok(request) = http::Request::get(&uri).body(Bytes::new()) else { break };
            let (request, request_id) = (&request, "state");
            let call = Call { region, now, request, seed, seq: 0, account: &account, request_id };
            let answer = self.backups.answer(&call, &self.world);
            let page: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            for job in page[list].as_array().into_iter().flatten() {
                *states.entry(job["State"].as_str().unwrap_or("-").to_owned()).or_default() += 1;
            }
            let Some(next) = page["NextToken"].as_str() else { break };
            let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
            uri = format!("{path}?maxResults=1000&nextToken={next}");
        }
        states
    }
}

fn not_simulated(target: &Target, call: &Call) -> Answer {
    let message = format!("The simulator does not know {} {}", target.service_word, target.operation);
    Refusal::new(http::StatusCode::NOT_FOUND, "UnknownOperationException", message)
        .answer(target.protocol, call.request_id)
}
