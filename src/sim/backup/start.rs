//! `StartBackupJob`, `StartCopyJob` and `StartRestoreJob`: what is accepted, what is refused, and in which words
//! (field guide 1.4). The token makes a repeated request the same job.

use http::{Method, StatusCode};

use super::{
    Backups, Desk, missing, page::invalid, points::RecoveryPoint, schedule::Protected, shapes::vault_arn,
    started::Started,
};
use crate::{
    domain::{AppId, RegionId, resource::JobKind},
    sim::{
        codec::{Input, Node, json},
        noise,
        rds::answer::Effect,
        service::{Answer, Call},
        surroundings::Surroundings,
        wire::{Protocol, Refusal, respond},
    },
};

/// A restored resource, for the service whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub arn: String,
    pub data_time: Option<crate::domain::Timestamp>,
    pub size: u64,
}

/// What a restore must be told, by resource type. Field guide 1.4 names no keys: *assumed* from what the service
/// calls its parameters.
const NAMES: [(&str, &str); 4] = [
    ("RDS", "DBInstanceIdentifier"),
    ("Aurora", "DBClusterIdentifier"),
    ("DynamoDB", "targetTableName"),
    ("EFS", "CreationToken"),
];

impl Backups {
    /// The answer to a request that is to change something.
    pub fn write(&mut self, call: &Call<'_>, around: &dyn Surroundings) -> (Answer, Effect) {
        match self.start(call, around) {
            Ok((node, effect)) => (respond(StatusCode::OK, "application/json", json::write(&node)), effect),
            Err(refusal) => (refusal.answer(Protocol::RestJson, call.request_id), Effect::None),
        }
    }

    fn start(&mut self, call: &Call<'_>, around: &dyn Surroundings) -> Result<(Node, Effect), Refusal> {
        let path = call.request.uri().path();
        let kind = match (call.request.method(), path.trim_matches('/')) {
            (&Method::PUT, "backup-jobs") => JobKind::Backup,
            (&Method::PUT, "copy-jobs") => JobKind::Copy,
            (&Method::PUT, "restore-jobs") => JobKind::Restore,
            (method, _) => {
                let message = format!("The simulator does not model {method} {path}.");
                return Err(Refusal::bad("InvalidRequestException", message));
            }
        };
        let input = Input::from_json(call.request.body())
            .ok_or_else(|| Refusal::bad("InvalidRequestException", "The body is not JSON."))?;
        let token = input.text("IdempotencyToken");
        let same = |it: &&Started| {
            it.kind == kind && it.region == *call.region && token.is_some() && it.token.as_deref() == token
        };
        if let Some(earlier) = self.started.iter().find(same) {
            // *Assumed*: the token is for ever, and AWS compares the parameters under it.
            return if earlier.asked == input {
                Ok((said(earlier), Effect::None))
            } else {
                let message = "The idempotency token was used with other parameters.";
                Err(Refusal::bad("InvalidParameterValueException", message))
            };
        }
        let role = need(&input, "IamRoleArn")?;
        if !role.starts_with("arn:aws:iam::") {
            return Err(invalid(format!("{role} is not the ARN of a role.")));
        }
        let nth = i64::try_from(self.started.len()).unwrap_or(i64::MAX);
        let id = noise::uuid(call.seed, &["started", kind.word()], nth);
        // RDS and EC2 ids are upper case in AWS Backup's own answers, restore ids too (*assumed*).
        let draft = Draft { id: id.to_uppercase(), raw: id, call, around, input: &input, role };
        let started = match kind {
            JobKind::Backup => draft.backup(self)?,
            JobKind::Copy => draft.copy(self)?,
            JobKind::Restore => draft.restore(self)?,
        };
        if !self.protected.iter().any(|known| known.arn == started.of.arn) {
            self.protected.push(started.of.clone());
        }
        let answer = said(&started);
        self.started.push(started);
        Ok((answer, Effect::Changed))
    }

    /// Restores that have completed by that moment and were not handed over before.
    pub fn hand_over(&mut self, now: crate::domain::Timestamp, around: &dyn Surroundings) -> Vec<Restored> {
        let mut ready = Vec::new();
        for it in self.started.iter_mut().filter(|it| it.kind == JobKind::Restore && !it.handed_over) {
            if it.job(now, around).completed() {
                it.handed_over = true;
                ready.push(Restored { arn: it.arn.clone(), data_time: it.point_created, size: it.of.size });
            }
        }
        ready
    }
}

fn need<'a>(input: &'a Input, name: &str) -> Result<&'a str, Refusal> {
    input
        .text(name)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Refusal::bad("MissingParameterValueException", format!("{name} is required.")))
}

fn said(it: &Started) -> Node {
    let id = match it.kind {
        JobKind::Backup => "BackupJobId",
        JobKind::Copy => "CopyJobId",
        JobKind::Restore => "RestoreJobId",
    };
    let mut members = vec![(id, it.id.as_str().into()), ("CreationDate", it.requested.into())];
    if it.kind == JobKind::Backup {
        members.push(("RecoveryPointArn", it.arn.as_str().into()));
    }
    if it.kind == JobKind::Restore {
        members.pop();
    } else {
        members.push(("IsParent", false.into()));
    }
    Node::Map(members)
}

struct Draft<'a> {
    id: String,
    raw: String,
    call: &'a Call<'a>,
    around: &'a dyn Surroundings,
    input: &'a Input,
    role: &'a str,
}

impl Draft<'_> {
    fn started(&self, kind: JobKind, of: &Protected, vault: (RegionId, String), arn: String) -> Started {
        let (call, seed) = (self.call, self.call.seed);
        Started {
            kind,
            id: self.id.clone(),
            region: call.region.clone(),
            of: of.clone(),
            role: self.role.to_owned(),
            token: self.input.text("IdempotencyToken").map(str::to_owned),
            asked: self.input.clone(),
            requested: call.now,
            begins: call.now + Started::waits(seed, &self.raw),
            takes: Started::takes(kind, of.size, seed, &self.raw),
            vault,
            source_vault: None,
            source_point: None,
            point_created: None,
            arn,
            retention_days: None,
            doomed: None,
            handed_over: false,
        }
    }

    /// Documented: whole days; a locked vault refuses what is shorter or longer than its bounds (field guide 1.4).
    fn retention(&self, locked: bool, inherited: Option<u64>) -> Result<Option<u64>, Refusal> {
        let Some(lifecycle) = self.input.map("Lifecycle") else { return Ok(inherited) };
        let days = match lifecycle.int("DeleteAfterDays") {
            None | Some(-1) => return Ok(inherited),
            Some(days) => u64::try_from(days).ok().filter(|days| *days > 0),
        };
        let days = days.ok_or_else(|| invalid("DeleteAfterDays must be 1 or more."))?;
        if locked && days > 3650 {
            return Err(invalid(format!("The vault is locked: retention of {days} days is more than its maximum.")));
        }
        Ok(Some(days))
    }

    fn backup(&self, backups: &Backups) -> Result<Started, Refusal> {
        let desk = Desk { backups, call: self.call, around: self.around };
        let (vault, arn) = (need(self.input, "BackupVaultName")?, need(self.input, "ResourceArn")?);
        let vault = desk.vault(vault)?;
        let of = self.resource(backups, arn)?;
        let made = of.point_arn_of(self.call.region, "job", self.call.account, &self.raw);
        let mut started = self.started(JobKind::Backup, &of, (self.call.region.clone(), vault.name.clone()), made);
        started.retention_days = self.retention(vault.locked, None)?;
        Ok(started)
    }

    /// A resource of this Region that exists: one the schedule knows, or a database that was made since.
    fn resource(&self, backups: &Backups, arn: &str) -> Result<Protected, Refusal> {
        let parts: Vec<&str> = arn.splitn(7, ':').collect();
        let region = parts.get(3).copied().unwrap_or_default();
        if !arn.starts_with("arn:") || (!region.is_empty() && region != self.call.region.as_str()) {
            return Err(invalid(format!("{arn} is not the ARN of a resource in {}.", self.call.region)));
        }
        if let Some(known) = backups.protected.iter().find(|known| known.arn == arn) {
            return Ok(known.clone());
        }
        let size = match parts[..] {
            [_, _, "rds", _, _, "db", id] => self.around.database(self.call.region, id, self.call.now),
            _ => None,
        };
        let size = size.ok_or_else(|| invalid(format!("Invalid ARN: {arn} was not found.")))?;
        Ok(Protected::unscheduled(&AppId::new("none"), arn, size, self.call.seed))
    }

    /// The completed point of that ARN in this Region.
    fn point<'d>(desk: &Desk<'d>, arn: &str) -> Result<RecoveryPoint<'d>, Refusal> {
        let all = desk.backups.protected.iter().flat_map(|resource| desk.points(resource, None));
        // What has expired is gone from the list, and is not found like what never was.
        let point = all.into_iter().find(|point| point.arn == arn).ok_or_else(|| missing("Recovery point", arn))?;
        if point.status != "COMPLETED" {
            // *Assumed* code: the field guide lists it among the common errors, not for which state.
            let message = format!("Recovery point {arn} is in status {}.", point.status);
            return Err(Refusal::bad("InvalidRequestException", message));
        }
        Ok(point)
    }

    fn copy(&self, backups: &Backups) -> Result<Started, Refusal> {
        let desk = Desk { backups, call: self.call, around: self.around };
        let source = desk.vault(need(self.input, "SourceBackupVaultName")?)?;
        let point = Self::point(&desk, need(self.input, "RecoveryPointArn")?)?;
        if point.vault != source.name {
            return Err(missing("Recovery point", &point.arn));
        }
        let wanted = need(self.input, "DestinationBackupVaultArn")?;
        let destination = backups
            .vaults
            .iter()
            .find(|vault| vault_arn(&vault.region, self.call.account, &vault.name) == wanted)
            .filter(|vault| desk.there(vault))
            .ok_or_else(|| missing("Backup vault", wanted))?;
        let made = point.of.point_arn_of(&destination.region, "copyjob", self.call.account, &self.raw);
        let to = (destination.region.clone(), destination.name.clone());
        let mut started = self.started(JobKind::Copy, point.of, to, made);
        started.source_vault = Some((source.region.clone(), source.name.clone()));
        started.source_point = Some(point.arn.clone());
        started.point_created = Some(point.created);
        // Documented: a copy keeps the source's retention unless told otherwise (field guide 1.3).
        let inherited = point.delete_at.map(|at| at.since(point.created).as_secs().div_ceil(86_400));
        started.retention_days = self.retention(destination.locked, inherited)?;
        Ok(started)
    }

    fn restore(&self, backups: &Backups) -> Result<Started, Refusal> {
        let desk = Desk { backups, call: self.call, around: self.around };
        let point = Self::point(&desk, need(self.input, "RecoveryPointArn")?)?;
        let metadata = self
            .input
            .map("Metadata")
            .ok_or_else(|| Refusal::bad("MissingParameterValueException", "Metadata is required."))?;
        let (of, region, account) = (point.of, self.call.region, self.call.account);
        let kind = of.resource_type.as_str();
        if self.input.text("ResourceType").is_some_and(|named| named != kind) {
            return Err(invalid(format!("The recovery point is of type {kind}.")));
        }
        let key = NAMES.iter().find(|(of, _)| *of == kind).map(|(_, key)| *key);
        let name = key.map(|key| {
            metadata
                .text(key)
                .filter(|name| !name.is_empty())
                .ok_or_else(|| Refusal::bad("InvalidParameterValueException", format!("Metadata must contain {key}.")))
        });
        let name = name.transpose()?.unwrap_or(&self.raw);
        let hex: String = self.raw.chars().filter(|c| *c != '-').take(17).collect();
        let arn = match kind {
            "RDS" => format!("arn:aws:rds:{region}:{account}:db:{name}"),
            "Aurora" => format!("arn:aws:rds:{region}:{account}:cluster:{name}"),
            "DynamoDB" => format!("arn:aws:dynamodb:{region}:{account}:table/{name}"),
            "EFS" => format!("arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-{hex}"),
            "EC2" => format!("arn:aws:ec2:{region}:{account}:instance/i-{hex}"),
            "EBS" => format!("arn:aws:ec2:{region}:{account}:volume/vol-{hex}"),
            other => return Err(invalid(format!("The simulator does not restore {other}."))),
        };
        let mut started = self.started(JobKind::Restore, of, (region.clone(), point.vault.to_owned()), arn.clone());
        started.source_point = Some(point.arn.clone());
        started.point_created = Some(point.created);
        let under_way = backups.started.iter().any(|it| {
            it.kind == JobKind::Restore && it.arn == arn && !it.job(self.call.now, self.around).state.eq("FAILED")
        });
        // *Assumed*: the service of the resource refuses the name, so the job is accepted and fails.
        if (kind == "RDS" && self.around.database(region, name, self.call.now).is_some())
            || (key.is_some() && under_way)
        {
            started.doomed = Some(format!("{name} already exists."));
        }
        Ok(started)
    }
}
