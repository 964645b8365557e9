//! AWS Backup of the simulated estate: jobs, copies, restores, recovery points, vaults and plans, over restJson.
//!
//! Everything is computed from (estate, seed, time, faults): asking about the past again gives the same answer.
//! What calls started is kept, and what became of it is computed as well. Shapes and filters are those of the service model (field
//! guide 1.1, 1.2). Look next at [`schedule`] (what a run becomes), [`start`] (what may be asked for), [`points`] and [`shapes`].

use http::{Method, StatusCode};

use crate::{
    domain::{Estate, RegionId, Timestamp, app::BackupPolicy, resource::JobKind},
    sim::{
        codec::{Node, json},
        service::{Answer, Call},
        surroundings::{Surroundings, VaultTrouble},
        wire::{Form, Protocol, Refusal, decode, respond},
    },
};

mod page;
mod points;
mod schedule;
mod shapes;
mod start;
#[cfg(test)]
mod start_tests;
mod started;
#[cfg(test)]
mod tests;

use page::{Ask, Row, invalid};
use points::{RecoveryPoint, Vault};
use schedule::Protected;
use shapes::Restore;
use started::Started;

/// The service in both Regions.
#[derive(Clone, Debug)]
pub struct Backups {
    protected: Vec<Protected>,
    vaults: Vec<Vault>,
    plans: Vec<Plan>,
    restores: Vec<Restore>,
    /// Oldest first.
    started: Vec<Started>,
    start: Timestamp,
}

/// One app's plan, in the Region of the resources that it protects.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub id: String,
    pub name: String,
    pub region: RegionId,
    pub policy: BackupPolicy,
    /// A resource of it: schedule, vault and copy of the rule.
    pub example: Protected,
}

impl Backups {
    /// `start`: estate time at which the simulator begins; history reaches back a day, or three runs of a slower
    /// schedule.
    #[must_use]
    pub fn new(estate: &Estate, seed: u64, start: Timestamp) -> Self {
        let protected = schedule::protected(estate, seed, start);
        let vaults = points::vaults(estate, &protected);
        let plans = estate
            .apps
            .iter()
            .filter_map(|app| {
                let example = protected.iter().find(|resource| resource.app == app.id)?.clone();
                Some(Plan {
                    id: crate::sim::noise::uuid(seed, &["plan", app.id.as_str()], 0),
                    name: format!("{}-plan", app.id),
                    region: example.region.clone(),
                    policy: app.backup.clone()?,
                    example,
                })
            })
            .collect();
        let restores = shapes::restores(estate, &protected, seed);
        Self { protected, vaults, plans, restores, started: Vec::new(), start }
    }

    /// The answer to one read; errors are answers too. What is to change something goes to [`Self::write`].
    #[must_use]
    pub fn answer(&self, call: &Call<'_>, around: &dyn Surroundings) -> Answer {
        match self.read(call, around) {
            Ok(node) => respond(StatusCode::OK, "application/json", json::write(&node)),
            Err(refusal) => refusal.answer(Protocol::RestJson, call.request_id),
        }
    }

    fn read(&self, call: &Call<'_>, around: &dyn Surroundings) -> Result<Node, Refusal> {
        let path = call.request.uri().path();
        // Each label is encoded on its own, so an ARN with slashes is one part (restJson1).
        let parts: Vec<String> =
            path.split('/').filter(|part| !part.is_empty()).map(|part| decode(&part.replace('+', "%2B"))).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let form = Form::query(call.request);
        let ask = Ask::new(&form);
        let desk = Desk { backups: self, call, around };
        if call.request.method() != Method::GET {
            return Err(Refusal::bad(
                "InvalidRequestException",
                format!("The simulator does not model {} {path}.", call.request.method()),
            ));
        }
        match parts.as_slice() {
            ["backup-jobs"] => desk.backup_jobs(&ask),
            ["backup-jobs", id] => desk.backup_job(id),
            ["copy-jobs"] => desk.copy_jobs(&ask),
            ["copy-jobs", id] => desk.copy_job(id),
            ["restore-jobs"] => desk.restore_jobs(&ask),
            ["restore-jobs", id] => desk.restore_job(id),
            ["backup-vaults"] => desk.vaults(&ask),
            ["backup-vaults", name] => Ok(desk.describe_vault(desk.vault(name)?)),
            ["backup-vaults", name, "recovery-points"] => desk.points_by_vault(name, &ask),
            ["backup-vaults", name, "recovery-points", arn] => desk.point(name, arn),
            ["backup-vaults", name, "recovery-points", arn, "restore-metadata"] => desk.restore_metadata(name, arn),
            ["resources"] => desk.protected_resources(&ask),
            ["resources", arn] => desk.protected_resource(arn),
            ["resources", arn, "recovery-points"] => desk.points_by_resource(arn, &ask),
            ["backup", "plans"] => desk.plans(&ask),
            ["backup", "plans", id] => desk.plan(id, &ask),
            _ => Err(Refusal::bad("InvalidRequestException", format!("The simulator does not model GET {path}."))),
        }
    }
}

/// One call being answered.
struct Desk<'a> {
    backups: &'a Backups,
    call: &'a Call<'a>,
    around: &'a dyn Surroundings,
}

fn missing(what: &str, id: &str) -> Refusal {
    // HTTP 400: the service model gives ResourceNotFoundException no status of its own.
    Refusal::bad("ResourceNotFoundException", format!("{what} {id} was not found."))
}

impl<'a> Desk<'a> {
    /// Resources whose jobs this Region lists: those that live in it (field guide 1.1).
    fn here(&self) -> impl Iterator<Item = &'a Protected> + use<'a> {
        let region = self.call.region;
        self.backups.protected.iter().filter(move |resource| resource.region == *region)
    }

    fn points(
        &self,
        resource: &'a Protected,
        from: Option<Timestamp>,
    ) -> impl Iterator<Item = RecoveryPoint<'a>> + use<'a> {
        let (backups, call, around) = (self.backups, self.call, self.around);
        let started = points::started(&backups.started, call.region, call.now, around);
        points::of(resource, call.region, call.account, from, call.now, around)
            .chain(started.filter(move |point| point.of.arn == resource.arn))
            .filter(move |point| {
                around.vault_trouble(call.region, point.vault, call.now) != Some(VaultTrouble::Missing)
            })
    }

    /// Jobs of one kind that calls started here, each with how it stands.
    fn started(&self, kind: JobKind) -> impl Iterator<Item = (&'a Started, schedule::Job)> + use<'a> {
        let (call, around) = (self.call, self.around);
        self.backups
            .started
            .iter()
            .filter(move |it| it.kind == kind && it.region == *call.region)
            .map(move |it| (it, it.job(call.now, around)))
    }

    fn started_row(&self, it: &Started, job: &schedule::Job) -> Row {
        Row {
            created: job.created,
            completed: job.ended,
            id: it.id.clone(),
            node: shapes::started_job(it, job, self.call),
        }
    }

    fn there(&self, vault: &Vault) -> bool {
        self.around.vault_trouble(&vault.region, &vault.name, self.call.now) != Some(VaultTrouble::Missing)
    }

    /// `ListBackupJobs` covers the last 30 days only (*documented*).
    fn from(&self, ask: &Ask<'_>, window: std::time::Duration) -> Result<Option<Timestamp>, Refusal> {
        let month = self.call.now - std::time::Duration::from_hours(30 * 24);
        // Runs are found by schedule; a job may be created up to a start window later.
        Ok(Some(ask.time("createdAfter")?.map_or(month, |at| at.max(month)) - window))
    }

    fn asked_for(ask: &Ask<'_>, resource: &Protected) -> bool {
        ask.is("resourceArn", &resource.arn) && ask.is("resourceType", &resource.resource_type)
    }

    fn backup_jobs(&self, ask: &Ask<'_>) -> Result<Node, Refusal> {
        let mut rows = Vec::new();
        for resource in self.here().filter(|resource| Self::asked_for(ask, resource)) {
            if !ask.is("backupVaultName", &resource.vault) || !self.own_account(ask) || ask.get("parentJobId").is_some()
            {
                continue;
            }
            for run in resource.runs(self.from(ask, resource.start_window)?, self.call.now, self.around) {
                let job = &run.backup;
                if ask.is("state", job.state) && ask.is_like("messageCategory", job.category.unwrap_or_default()) {
                    let node = shapes::backup_job(&run, self.call, self.backups);
                    rows.push(Row { created: job.created, completed: job.ended, id: job.id.clone(), node });
                }
            }
        }
        let by_calls = self.started(JobKind::Backup).filter(|(it, job)| {
            Self::asked_for(ask, &it.of)
                && ask.is("backupVaultName", &it.vault.1)
                && self.own_account(ask)
                && ask.get("parentJobId").is_none()
                && ask.is("state", job.state)
                && ask.is_like("messageCategory", job.category.unwrap_or_default())
        });
        rows.extend(by_calls.map(|(it, job)| self.started_row(it, &job)));
        ask.page("BackupJobs", rows)
    }

    fn backup_job(&self, id: &str) -> Result<Node, Refusal> {
        if let Some((it, job)) = self.started(JobKind::Backup).find(|(it, _)| it.id.eq_ignore_ascii_case(id)) {
            return Ok(shapes::started_job(it, &job, self.call));
        }
        self.here()
            .flat_map(|resource| resource.runs(None, self.call.now, self.around))
            .find(|run| run.backup.id == id)
            .map(|run| shapes::backup_job(&run, self.call, self.backups))
            .ok_or_else(|| missing("Backup job", id))
    }

    fn copy_jobs(&self, ask: &Ask<'_>) -> Result<Node, Refusal> {
        let mut rows = Vec::new();
        for resource in self.here().filter(|resource| Self::asked_for(ask, resource)) {
            if !self.own_account(ask) || ask.get("parentJobId").is_some() {
                continue;
            }
            let Some((region, vault)) = &resource.copy_to else { continue };
            if !ask.is("destinationVaultArn", &shapes::vault_arn(region, self.call.account, vault)) {
                continue;
            }
            // A copy begins after its backup: look back a day further than for backups.
            let window = resource.start_window + std::time::Duration::from_hours(24);
            for run in resource.runs(self.from(ask, window)?, self.call.now, self.around) {
                let Some(job) = run.copy.as_ref().filter(|job| job.created <= self.call.now) else { continue };
                let source = run.point_arn(self.call.account, false);
                if ask.is("state", job.state)
                    && ask.is_like("messageCategory", job.category.unwrap_or_default())
                    && ask.is("sourceRecoveryPointArn", &source)
                {
                    let node = shapes::copy_job(&run, job, self.call, self.backups);
                    rows.push(Row { created: job.created, completed: job.ended, id: job.id.clone(), node });
                }
            }
        }
        let by_calls = self.started(JobKind::Copy).filter(|(it, job)| {
            Self::asked_for(ask, &it.of)
                && self.own_account(ask)
                && ask.get("parentJobId").is_none()
                && ask.is("destinationVaultArn", &shapes::vault_arn(&it.vault.0, self.call.account, &it.vault.1))
                && ask.is("state", job.state)
                && ask.is_like("messageCategory", job.category.unwrap_or_default())
                && ask.is("sourceRecoveryPointArn", it.source_point.as_deref().unwrap_or_default())
        });
        rows.extend(by_calls.map(|(it, job)| self.started_row(it, &job)));
        ask.page("CopyJobs", rows)
    }

    fn copy_job(&self, id: &str) -> Result<Node, Refusal> {
        if let Some((it, job)) = self.started(JobKind::Copy).find(|(it, _)| it.id.eq_ignore_ascii_case(id)) {
            return Ok(Node::Map(vec![("CopyJob", shapes::started_job(it, &job, self.call))]));
        }
        self.here()
            .flat_map(|resource| resource.runs(None, self.call.now, self.around))
            .find_map(|run| {
                let job = run.copy.clone().filter(|job| job.id == id && job.created <= self.call.now)?;
                Some(Node::Map(vec![("CopyJob", shapes::copy_job(&run, &job, self.call, self.backups))]))
            })
            .ok_or_else(|| missing("Copy job", id))
    }

    fn restores(&self) -> impl Iterator<Item = &'a Restore> + use<'a> {
        let (region, now) = (self.call.region, self.call.now);
        self.backups.restores.iter().filter(move |restore| restore.region == *region && restore.created <= now)
    }

    fn restore_jobs(&self, ask: &Ask<'_>) -> Result<Node, Refusal> {
        let mut rows: Vec<Row> = self
            .restores()
            .filter(|restore| ask.is("resourceType", &restore.of.resource_type) && self.own_account(ask))
            .filter(|restore| ask.is("status", restore.status(self.call.now)))
            .filter(|_| ask.get("restoreTestingPlanArn").is_none() && ask.get("parentJobId").is_none())
            .map(|restore| Row {
                created: restore.created,
                completed: restore.completed(self.call.now),
                id: restore.id.clone(),
                node: shapes::restore_job(restore, self.call),
            })
            .collect();
        let by_calls = self.started(JobKind::Restore).filter(|(it, job)| {
            ask.is("resourceType", &it.of.resource_type)
                && self.own_account(ask)
                && ask.is("status", if job.state == "CREATED" { "PENDING" } else { job.state })
                && ask.get("restoreTestingPlanArn").is_none()
                && ask.get("parentJobId").is_none()
        });
        rows.extend(by_calls.map(|(it, job)| self.started_row(it, &job)));
        ask.page("RestoreJobs", rows)
    }

    fn restore_job(&self, id: &str) -> Result<Node, Refusal> {
        if let Some((it, job)) = self.started(JobKind::Restore).find(|(it, _)| it.id.eq_ignore_ascii_case(id)) {
            return Ok(shapes::started_job(it, &job, self.call));
        }
        self.restores()
            .find(|restore| restore.id.eq_ignore_ascii_case(id))
            .map(|restore| shapes::restore_job(restore, self.call))
            .ok_or_else(|| missing("Restore job", id))
    }

    fn own_account(&self, ask: &Ask<'_>) -> bool {
        ask.get("accountId").is_none_or(|account| account == "*" || account == self.call.account)
    }

    fn vault(&self, name: &str) -> Result<&'a Vault, Refusal> {
        let region = self.call.region;
        self.backups
            .vaults
            .iter()
            .find(|vault| vault.region == *region && vault.name == name && self.there(vault))
            .ok_or_else(|| missing("Backup vault", name))
    }

    fn points_in(&self, vault: &'a str, from: Option<Timestamp>) -> impl Iterator<Item = RecoveryPoint<'a>> {
        let resources = self.backups.protected.iter();
        resources.flat_map(move |resource| self.points(resource, from)).filter(move |point| point.vault == vault)
    }

    fn describe_vault(&self, vault: &'a Vault) -> Node {
        let held = self.points_in(&vault.name, None).count();
        shapes::vault(vault, held, self.call, self.backups.start)
    }

    fn vaults(&self, ask: &Ask<'_>) -> Result<Node, Refusal> {
        let region = self.call.region;
        let here = self.backups.vaults.iter().filter(|vault| vault.region == *region && self.there(vault));
        let rows = here.map(|vault| Row {
            created: self.backups.start,
            completed: None,
            id: vault.name.clone(),
            node: self.describe_vault(vault),
        });
        let rows = rows.filter(|_| ask.is("vaultType", "BACKUP_VAULT") && ask.get("shared") != Some("true")).collect();
        ask.page("BackupVaultList", rows)
    }

    fn points_by_vault(&self, name: &str, ask: &Ask<'_>) -> Result<Node, Refusal> {
        let vault = self.vault(name)?;
        if ask.get("backupVaultAccountId").is_some_and(|account| account != self.call.account) {
            return Err(missing("Backup vault", name));
        }
        let from = ask.time("createdAfter")?;
        let mut rows = Vec::new();
        for resource in self.backups.protected.iter().filter(|resource| Self::asked_for(ask, resource)) {
            let plan = self.backups.plan_of(resource);
            if !ask.is("backupPlanId", plan.map_or("", |plan| &plan.id)) || ask.get("parentRecoveryPointArn").is_some()
            {
                continue;
            }
            rows.extend(self.points(resource, from).filter(|point| point.vault == vault.name).map(|point| Row {
                created: point.created,
                completed: point.completed,
                id: point.arn.clone(),
                node: shapes::point(&point, self.call, self.backups),
            }));
        }
        ask.page("RecoveryPoints", rows)
    }

    fn point(&self, name: &str, arn: &str) -> Result<Node, Refusal> {
        let vault = self.vault(name)?;
        self.points_in(&vault.name, None)
            .find(|point| point.arn == arn)
            .map(|point| shapes::point(&point, self.call, self.backups))
            .ok_or_else(|| missing("Recovery point", arn))
    }

    /// *Assumed* keys, named as RDS and the others name their own parameters; the service model leaves them open.
    fn restore_metadata(&self, name: &str, arn: &str) -> Result<Node, Refusal> {
        let vault = self.vault(name)?;
        let point = self.points_in(&vault.name, None).find(|point| point.arn == arn);
        let point = point.ok_or_else(|| missing("Recovery point", arn))?;
        Ok(shapes::restore_metadata(&point, self.call))
    }

    fn points_by_resource(&self, arn: &str, ask: &Ask<'_>) -> Result<Node, Refusal> {
        if !arn.starts_with("arn:") {
            return Err(invalid(format!("{arn} is not an ARN.")));
        }
        // In the recovery Region the copies are found under the source resource's ARN (*assumed*).
        let resource = self.backups.protected.iter().find(|resource| resource.arn == arn);
        let resource = resource.ok_or_else(|| missing("Resource", arn))?;
        let rows = self.points(resource, None).map(|point| Row {
            created: point.created,
            completed: point.completed,
            id: point.arn.clone(),
            node: shapes::short_point(&point, self.call),
        });
        ask.page("RecoveryPoints", rows.collect())
    }

    /// Newest complete point of the resource in this Region.
    fn newest(&self, resource: &'a Protected) -> Option<RecoveryPoint<'a>> {
        self.points(resource, None).filter(|point| point.status == "COMPLETED").max_by_key(|point| point.created)
    }

    fn protected_resources(&self, ask: &Ask<'_>) -> Result<Node, Refusal> {
        let all = self.backups.protected.iter();
        let rows = all.filter_map(|resource| {
            let point = self.newest(resource)?;
            Some(Row {
                created: point.created,
                completed: None,
                id: resource.arn.clone(),
                node: Node::Map(shapes::protected(&point, self.call)),
            })
        });
        ask.page("Results", rows.collect())
    }

    fn protected_resource(&self, arn: &str) -> Result<Node, Refusal> {
        let resource = self.backups.protected.iter().find(|resource| resource.arn == arn);
        let point = resource.and_then(|resource| self.newest(resource)).ok_or_else(|| missing("Resource", arn))?;
        let mut members = shapes::protected(&point, self.call);
        let restore = self.restores().filter(|restore| restore.of.arn == arn).max_by_key(|restore| restore.created);
        if let Some(restore) = restore.filter(|restore| restore.completed(self.call.now).is_some()) {
            members.extend(shapes::latest_restore(restore));
        }
        Ok(Node::Map(members))
    }

    fn plans(&self, ask: &Ask<'_>) -> Result<Node, Refusal> {
        let region = self.call.region;
        let rows = self.backups.plans.iter().filter(|plan| plan.region == *region).map(|plan| Row {
            created: self.backups.start,
            completed: None,
            id: plan.id.clone(),
            node: shapes::plan_row(plan, self.call, self.backups.start),
        });
        ask.page("BackupPlansList", rows.collect())
    }

    fn plan(&self, id: &str, ask: &Ask<'_>) -> Result<Node, Refusal> {
        let region = self.call.region;
        let plan = self.backups.plans.iter().find(|plan| plan.region == *region && plan.id == id);
        let plan = plan.ok_or_else(|| missing("Backup plan", id))?;
        let preview = match ask.get("MaxScheduledRunsPreview").map(str::parse::<u8>) {
            None => 0,
            Some(Ok(n)) if n <= 10 => n,
            Some(_) => return Err(invalid("MaxScheduledRunsPreview must be between 0 and 10.")),
        };
        Ok(shapes::plan(plan, preview, self.call, self.backups.start))
    }
}

impl Backups {
    pub(crate) fn plan_of(&self, resource: &Protected) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.example.app == resource.app)
    }
}
