//! What AWS Backup protects in the estate, and what became of each scheduled run by a given moment.
//!
//! A run is a function of (estate, seed, faults up to the moment asked about): nothing is stored, so a run that
//! has ended looks the same whenever it is asked for. Marks: *documented* = field guide 1, *assumed* = no source
//! gives a figure and the choice is ours.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    domain::{
        AppId, Estate, RegionId, Side, Timestamp,
        app::{BackupPolicy, Component},
        resource::JobKind,
    },
    sim::{noise, surroundings::Surroundings},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const TERABYTE: f64 = 1e12;

/// How finely the past is searched for the fault that ended a job.
const STEP: Duration = Duration::from_secs(30);

/// One resource under a backup policy.
#[derive(Clone, Debug)]
pub struct Protected {
    pub app: AppId,
    pub arn: String,
    /// As AWS Backup calls it: `RDS`, `EC2`, …
    pub resource_type: String,
    pub name: String,
    /// Region of the resource, its source vault and its jobs.
    pub region: RegionId,
    pub vault: String,
    /// Region and vault of the copies.
    pub copy_to: Option<(RegionId, String)>,
    pub every: Duration,
    pub start_window: Duration,
    /// Whole days, one at least: AWS Backup cannot express less (*documented*, field guide 0.2), so a policy of
    /// 12 h keeps its points for a day.
    pub retention_days: i64,
    pub size: u64,
    declared: Duration,
    /// Minutes past the multiples of `every`, in milliseconds.
    offset: i64,
    /// Number of the first run that history holds.
    first: i64,
    oddities: BTreeMap<i64, Oddity>,
    seed: u64,
}

/// Things that happen to real fleets without any fault: a few in the history, none near its end, and none for
/// the most critical apps. *Assumed.*
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Oddity {
    /// COMPLETED, but the message category is not SUCCESS (field guide 0.1, fact 6).
    WithIssues,
    /// Never started inside its start window.
    Expired,
    CopyFailed,
}

/// One run of the schedule, as far as it had come.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    pub of: &'a Protected,
    pub number: i64,
    pub backup: Job,
    /// End of the start window.
    pub start_by: Timestamp,
    pub copy: Option<Job>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub id: String,
    pub created: Timestamp,
    /// When it went from CREATED to RUNNING. For a backup: creation of the recovery point, the data time.
    pub begun: Option<Timestamp>,
    pub expected: Timestamp,
    pub ended: Option<Timestamp>,
    /// `CREATED`, `RUNNING`, `COMPLETED`, `FAILED`, `EXPIRED`.
    pub state: &'static str,
    pub percent: f64,
    /// `SUCCESS` on jobs without complaint; absent while a job runs (*assumed*).
    pub category: Option<&'static str>,
    pub message: Option<String>,
}

impl Job {
    #[must_use]
    pub fn completed(&self) -> bool {
        self.state == "COMPLETED"
    }
}

/// Every resource of the estate under a policy, once.
#[must_use]
pub fn protected(estate: &Estate, seed: u64, start: Timestamp) -> Vec<Protected> {
    let mut all: Vec<Protected> = Vec::new();
    for app in &estate.apps {
        let Some(policy) = &app.backup else { continue };
        for component in app.components.iter().filter(|component| component.kind == "aws-backup") {
            let found = protect(estate, &app.id, policy, component, seed, start);
            all.extend(found.filter(|new| all.iter().all(|old| old.arn != new.arn)));
        }
    }
    let top = estate.apps.iter().map(|app| app.tier).min().unwrap_or(0);
    let ordinary: Vec<usize> = (0..all.len())
        .filter(|at| estate.app(&all[*at].app).is_some_and(|app| app.tier > top))
        .filter(|at| millis(all[*at].every) <= 6 * HOUR && all[*at].copy_to.is_some())
        .collect();
    for (nth, oddity) in [(0, Oddity::WithIssues), (1, Oddity::Expired), (2, Oddity::CopyFailed)] {
        if ordinary.is_empty() {
            break;
        }
        let pick = noise::hash(seed, &["oddity"], nth) % ordinary.len() as u64;
        let resource = &mut all[ordinary[pick as usize]];
        // Between 10 and 21 hours before the start: an expired job must have outlived its 8 h start window.
        let hours = 10 + 4 * nth + (noise::hash(seed, &["oddity-hour"], nth) % 3).cast_signed();
        let number = resource.number_before(start - Duration::from_secs(3_600 * hours.unsigned_abs()));
        resource.oddities.insert(number.max(resource.first), oddity);
    }
    all
}

fn protect(
    estate: &Estate,
    app: &AppId,
    policy: &BackupPolicy,
    component: &Component,
    seed: u64,
    start: Timestamp,
) -> Option<Protected> {
    let arn = component.params.text("resource")?.to_owned();
    let region = match arn.split(':').nth(3) {
        Some(region) if !region.is_empty() => RegionId::new(region),
        _ => estate.regions.primary.id.clone(), // S3 bucket ARNs name no Region
    };
    let home = estate.regions.side_of(&region)?;
    let vault = component.params.side_text("vaults", home)?.to_owned();
    let copy_to = policy.copy_to.filter(|side| *side != home).and_then(|side: Side| {
        let vault = component.params.side_text("vaults", side)?;
        Some((estate.regions.get(side).id.clone(), vault.to_owned()))
    });
    let every = millis(policy.every).max(MINUTE);
    // Schedules are spread over the hour, the daily ones over two hours after midnight in India (*assumed*).
    let minutes = noise::hash(seed, &["offset", &arn], 0);
    let offset = if every >= DAY {
        18 * HOUR + 30 * MINUTE + (minutes % 120).cast_signed() * MINUTE
    } else {
        (minutes % (every / MINUTE).unsigned_abs()).cast_signed() * MINUTE
    };
    let resource_type = component.params.text("resource_type").map_or_else(|| type_of(&arn).to_owned(), str::to_owned);
    let name = arn.rsplit([':', '/']).next().unwrap_or_default().to_owned();
    let mut resource = Protected {
        app: app.clone(),
        resource_type,
        name,
        region,
        vault,
        copy_to,
        every: Duration::from_millis(every.unsigned_abs()),
        start_window: policy.start_window,
        retention_days: ((millis(policy.retention) + DAY - 1) / DAY).max(1),
        size: component.params.bytes("size").unwrap_or(100_000_000_000),
        declared: policy.declared_duration_p99,
        offset,
        first: 0,
        oddities: BTreeMap::new(),
        seed,
        arn,
    };
    // A day of history, or three runs of a slower schedule.
    resource.first = resource.number_before(start - Duration::from_millis((25 * HOUR).max(3 * every).unsigned_abs()));
    Some(resource)
}

impl Protected {
    /// A resource that no plan protects, e.g. a database that was restored: it has no schedule, and can be backed up
    /// by a call.
    #[must_use]
    pub fn unscheduled(app: &AppId, arn: &str, size: u64, seed: u64) -> Self {
        Self {
            app: app.clone(),
            resource_type: type_of(arn).to_owned(),
            name: arn.rsplit([':', '/']).next().unwrap_or_default().to_owned(),
            region: RegionId::new(arn.split(':').nth(3).unwrap_or_default()),
            vault: String::new(),
            copy_to: None,
            every: Duration::from_hours(24),
            start_window: Duration::from_hours(8),
            retention_days: 1,
            size,
            declared: Duration::ZERO,
            offset: 0,
            first: i64::MAX,
            oddities: BTreeMap::new(),
            seed,
            arn: arn.to_owned(),
        }
    }
}

/// Resource type by ARN (*documented*: field guide 1.5 names the types).
fn type_of(arn: &str) -> &'static str {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, rest) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or_default());
    match service {
        "rds" if rest.starts_with("cluster") => "Aurora",
        "rds" => "RDS",
        "ec2" if rest.starts_with("volume") => "EBS",
        "ec2" => "EC2",
        "dynamodb" => "DynamoDB",
        "elasticfilesystem" => "EFS",
        "s3" => "S3",
        "eks" => "EKS",
        _ => "CloudFormation",
    }
}

fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX / 8)
}

fn ms(n: f64) -> Duration {
    Duration::from_millis(n.max(0.0).round() as u64)
}

impl Protected {
    /// Number of the newest run scheduled at or before that moment.
    #[must_use]
    pub fn number_before(&self, at: Timestamp) -> i64 {
        (at.millis() - self.offset).div_euclid(millis(self.every))
    }

    #[must_use]
    pub fn scheduled(&self, number: i64) -> Timestamp {
        Timestamp::from_millis(number * millis(self.every) + self.offset)
    }

    /// The schedule as AWS Backup writes it, UTC. Cadences that cron cannot say (45 min) are run by a scheduler of
    /// the bank's own; the rule then shows the nearest that it can.
    #[must_use]
    pub fn cron(&self) -> String {
        let (every, minute) = (millis(self.every), self.offset / MINUTE);
        match every {
            e if e >= DAY => format!("cron({} {} ? * * *)", minute % 60, minute / 60 % 24),
            e if e >= 2 * HOUR => format!("cron({} {}/{} ? * * *)", minute % 60, minute / 60, e / HOUR),
            HOUR => format!("cron({} * ? * * *)", minute % 60),
            e => format!("cron({}/{} * ? * * *)", minute % 60, (e / MINUTE).max(1)),
        }
    }

    /// All runs scheduled in `from..=now`, newest first, as they stood at `now`.
    pub fn runs<'a>(
        &'a self,
        from: Option<Timestamp>,
        now: Timestamp,
        around: &'a dyn Surroundings,
    ) -> impl Iterator<Item = Run<'a>> {
        let first = from.map_or(self.first, |from| (self.number_before(from) + 1).max(self.first));
        (first..=self.number_before(now)).rev().filter_map(move |number| self.run(number, now, around))
    }

    /// Durations of one run without faults: start delay, backup, queue of the copy, copy.
    ///
    /// *Assumed*: jobs start 1-4 minutes late; an incremental backup of 10 TB takes 7-9 min and its copy
    /// 21-26 min; nothing takes longer together than the policy's declared p99.
    fn durations(&self, number: i64) -> [f64; 4] {
        let noise = |from: f64, to: f64, what: &str| noise::between(from, to, self.seed, &[what, &self.arn], number);
        let terabytes = self.size as f64 / TERABYTE;
        let minute = MINUTE as f64;
        let base = noise::between(75_000.0, 210_000.0, self.seed, &["delay-base", &self.arn], 0);
        let delay = base + noise(0.0, 20_000.0, "delay");
        let backup = (3.0 + 0.5 * terabytes) * noise(0.9, 1.1, "backup") * minute;
        let queue = noise(20_000.0, 50_000.0, "queue");
        let copy = (4.0 + 2.0 * terabytes) * noise(0.9, 1.1, "copy") * minute;
        let declared = millis(self.declared) as f64;
        let scale = (0.95 * declared / (delay + backup + queue + copy)).min(1.0);
        [delay, backup, queue, copy].map(|part| if declared > 0.0 { part * scale } else { part })
    }

    /// One run as it stood at `now`; `None` before its time, before history, and when the Region was down when it
    /// was due (*assumed*: a missed schedule is not caught up).
    #[must_use]
    pub fn run<'a>(&'a self, number: i64, now: Timestamp, around: &dyn Surroundings) -> Option<Run<'a>> {
        let due = self.scheduled(number);
        if number < self.first || due > now || around.region_down(&self.region, due) {
            return None;
        }
        let [delay, backup, queue, copy] = self.durations(number);
        let oddity = self.oddities.get(&number).copied();
        let begins = due + ms(delay);
        let start_by = due + self.start_window;
        let mut job = Job::new(noise::uuid(self.seed, &["backup", &self.arn], number).to_uppercase(), due);
        if oddity == Some(Oddity::Expired) {
            job.expected = start_by;
            if now >= start_by {
                job.end("EXPIRED", start_by, Some("Backup job expired: it did not start within its start window."));
            }
            return Some(Run { of: self, number, backup: job, start_by, copy: None });
        }
        let trouble = |at| {
            if around.region_down(&self.region, at) {
                return Some("The backup was interrupted: the resource could not be reached.".to_owned());
            }
            if let Some(what) = around.vault_trouble(&self.region, &self.vault, at) {
                return Some(what.told(&self.vault));
            }
            around.job_failure(&self.arn, JobKind::Backup, at)
        };
        job.work(begins, begins + ms(backup), now, trouble);
        if oddity == Some(Oddity::WithIssues) && job.completed() {
            job.category = Some("AccessDenied");
            job.message = Some("The backup completed; tags of the resource could not be read.".to_owned());
        }
        let copy = match (&self.copy_to, job.ended) {
            (Some((destination, _)), Some(ended)) if job.completed() => {
                Some(self.copy_job(number, destination, (ended + ms(queue), ms(copy)), oddity, now, around))
            }
            _ => None,
        };
        Some(Run { of: self, number, backup: job, start_by, copy })
    }

    fn copy_job(
        &self,
        number: i64,
        destination: &RegionId,
        (begins, takes): (Timestamp, Duration),
        oddity: Option<Oddity>,
        now: Timestamp,
        around: &dyn Surroundings,
    ) -> Job {
        let created = begins - Duration::from_secs(15);
        let mut job = Job::new(noise::uuid(self.seed, &["copy", &self.arn], number).to_uppercase(), created);
        let gives_up = begins + takes.mul_f64(0.4);
        job.work(begins, begins + takes, now, |at| {
            if around.region_down(destination, at) || around.region_down(&self.region, at) {
                return Some("Copy job failed: the source or destination Region could not be reached.".to_owned());
            }
            let (to, vault) = self.copy_to.as_ref()?;
            if let Some(what) = around.vault_trouble(to, vault, at) {
                return Some(what.told(vault));
            }
            if oddity == Some(Oddity::CopyFailed) && at >= gives_up {
                return Some("Copy job failed: internal failure while copying the snapshot.".to_owned());
            }
            around.job_failure(&self.arn, JobKind::Copy, at)
        });
        job
    }
}

impl Job {
    pub(super) fn new(id: String, created: Timestamp) -> Self {
        Self {
            id,
            created,
            begun: None,
            expected: created,
            ended: None,
            state: "CREATED",
            percent: 0.0,
            category: None,
            message: None,
        }
    }

    fn end(&mut self, state: &'static str, at: Timestamp, message: Option<&str>) {
        self.state = state;
        self.ended = Some(at);
        self.message = message.map(str::to_owned);
        self.category = Some(if state == "COMPLETED" { "SUCCESS" } else { "ERROR" });
    }

    /// CREATED until `begins`, RUNNING until `ends`, then COMPLETED; or FAILED at the first moment of trouble that
    /// had come by `now`.
    pub(super) fn work(
        &mut self,
        begins: Timestamp,
        ends: Timestamp,
        now: Timestamp,
        trouble: impl Fn(Timestamp) -> Option<String>,
    ) {
        self.expected = ends;
        let mut at = self.created;
        while at <= now && at < ends {
            if let Some(message) = trouble(at) {
                self.begun = (begins <= at).then_some(begins);
                self.end("FAILED", at, Some(&message));
                return;
            }
            at = at + STEP;
        }
        if now < self.created || now < begins {
            return;
        }
        self.begun = Some(begins);
        if now < ends {
            self.state = "RUNNING";
            self.percent = 100.0 * now.since(begins).as_secs_f64() / ends.since(begins).as_secs_f64().max(1.0);
        } else {
            self.percent = 100.0;
            self.end("COMPLETED", ends, None);
        }
    }
}

impl Run<'_> {
    /// Data time of the run: creation of its recovery point.
    #[must_use]
    pub fn data_time(&self) -> Option<Timestamp> {
        self.backup.begun
    }

    /// When its points are deleted.
    #[must_use]
    pub fn delete_at(&self) -> Option<Timestamp> {
        let days = Duration::from_millis((self.of.retention_days * DAY).unsigned_abs());
        self.data_time().map(|created| created + days)
    }

    /// ARN of the run's recovery point, in the source vault or as copied.
    #[must_use]
    pub fn point_arn(&self, account: &str, copied: bool) -> String {
        if copied { self.of.copied_point_arn(account, self.number) } else { self.of.arn_of_point(account, self.number) }
    }
}

impl Protected {
    fn arn_of_point(&self, account: &str, number: i64) -> String {
        self.point_arn(&self.region, "job", account, number)
    }

    /// As in the vault that takes the copies.
    #[must_use]
    pub fn copied_point_arn(&self, account: &str, number: i64) -> String {
        let region = self.copy_to.as_ref().map_or(&self.region, |(region, _)| region);
        self.point_arn(region, "copyjob", account, number)
    }

    /// *Documented shapes* (field guide 0.2, 1.3): an EC2 point is an AMI, a snapshot of RDS carries the job's id.
    fn point_arn(&self, region: &RegionId, job: &str, account: &str, number: i64) -> String {
        self.point_arn_of(region, job, account, &noise::uuid(self.seed, &["point", job, &self.arn], number))
    }

    pub(super) fn point_arn_of(&self, region: &RegionId, job: &str, account: &str, id: &str) -> String {
        let hex: String = id.chars().filter(|c| *c != '-').take(17).collect();
        match self.resource_type.as_str() {
            "RDS" => format!("arn:aws:rds:{region}:{account}:snapshot:awsbackup:{job}-{id}"),
            "Aurora" => format!("arn:aws:rds:{region}:{account}:cluster-snapshot:awsbackup:{job}-{id}"),
            "EC2" => format!("arn:aws:ec2:{region}::image/ami-{hex}"),
            "EBS" => format!("arn:aws:ec2:{region}::snapshot/snap-{hex}"),
            _ => format!("arn:aws:backup:{region}:{account}:recovery-point:{id}"),
        }
    }
}
