//! Tables of backup rules: how old, how late, and what a point that cannot be restored from is worth.

use proptest::prelude::*;

use super::*;
use crate::domain::{
    compliance::{
        Severity,
        fixtures::{self as fx, minutes},
    },
    fact::Restorable,
    resource::PointStatus,
    text::SafeText,
};

const RESOURCE: &str = "arn:aws:rds:ap-south-1:111122223333:db:vendor-db";

struct Case {
    slot: Slot<Fact>,
    jobs: BTreeMap<(RegionId, JobKind), Slot<Vec<Job>>>,
    target: Option<Duration>,
    policy: BackupPolicy,
}

impl Case {
    /// One usable point of that age in the recovery Region, hourly backups that take 37 min.
    fn aged(age: Duration, target: Option<Duration>) -> Self {
        let set = fx::points(&[fx::now() - age]);
        let policy = fx::hourly();
        Self { slot: fx::seen(Fact::RecoveryPoints(set), fx::now()), jobs: BTreeMap::new(), target, policy }
    }

    fn set(&mut self) -> &mut PointSet {
        match self.slot.last.as_mut().map(|o| &mut o.value) {
            Some(Fact::RecoveryPoints(set)) => set,
            other => panic!("{other:?}"),
        }
    }

    fn add(&mut self, job: Job) {
        let key = (job.region.clone(), job.kind);
        let slot = self.jobs.entry(key).or_insert_with(|| fx::seen(Vec::new(), fx::now()));
        slot.last.as_mut().expect("seen").value.push(job);
    }

    fn judge(&self) -> Judged {
        judge(&Points {
            component: &ComponentId::new("vendor-db"),
            resource: Some(RESOURCE),
            target: self.target,
            policy: Some(&self.policy),
            slot: Some(&self.slot),
            region: &RegionId::new("ap-south-2"),
            city: "Hyderabad",
            jobs: &self.jobs,
            zone: &Zone::utc(),
            now: fx::now(),
        })
    }
}

fn job(kind: JobKind, state: JobState, created: Timestamp, completed: Option<Timestamp>) -> Job {
    Job {
        kind,
        id: SafeText::from(format!("{}-{}", kind.word(), created.millis())),
        region: RegionId::new("ap-south-1"),
        resource_arn: RESOURCE.to_owned(),
        resource_type: "RDS".into(),
        state,
        message: Some("the key is disabled".into()),
        message_category: None,
        created,
        start_by: Some(created + minutes(60)),
        expected_completion: None,
        completed,
        size_bytes: 0,
        percent: None,
        vault: None,
        destination: (kind == JobKind::Copy).then(|| RegionId::new("ap-south-2")),
        recovery_point_arn: Some(format!("point-{}", created.millis())),
        source_point_arn: Some(format!("point-{}", created.millis())),
        created_resource_arn: None,
        parent: false,
    }
}

/// age, target, verdict, design, contract, late (critical?), rule
type Row = (u64, Option<u64>, &'static str, bool, Option<u64>, Option<bool>, &'static str);

#[test]
fn the_table_of_backup_rules() {
    let m = minutes;
    let rows: &[Row] = &[
        (40, Some(240), "met", false, None, None, "the design meets it and so does the point"),
        (20, Some(30), "at-risk", true, None, None, "met now, by luck: hourly cannot meet 30 min"),
        (92, Some(30), "breached", true, Some(62), None, "breached by design"),
        (92, Some(60), "breached", true, Some(32), None, "hourly cannot strictly meet an hour"),
        (97, Some(97), "met", false, None, None, "worst case equal to the target is met"),
        (107, Some(240), "met", false, None, None, "interval + p95 + 10 min exactly is not late"),
        (108, Some(240), "at-risk", false, None, Some(false), "late warns"),
        (168, Some(240), "at-risk", false, None, Some(true), "one interval more is critical"),
        (250, Some(240), "breached", false, Some(10), Some(true), "late until it breaks the contract"),
        (92, None, "no-target", false, None, None, "no RPO: shown, not judged"),
        (108, None, "at-risk", false, None, Some(false), "late is late without a target too"),
    ];
    for (age, target, word, design, contract, late, rule) in rows {
        let judged = Case::aged(m(*age), target.map(m)).judge();
        assert_eq!(judged.exposure.verdict.word(), *word, "{rule}: {judged:?}");
        assert_eq!(judged.flags.design, design.then_some(m(97)), "{rule}");
        assert_eq!(judged.flags.contract, contract.map(m), "{rule}");
        assert_eq!(judged.flags.late.map(|late| late.critical), *late, "{rule}");
        assert_eq!(judged.exposure.exposure, Some(m(*age)), "{rule}");
    }
}

#[test]
fn a_point_that_cannot_be_restored_from_does_not_count() {
    let target = Some(minutes(240));
    for status in [PointStatus::Creating, PointStatus::Partial, PointStatus::Expired, PointStatus::Deleting] {
        let mut case = Case::aged(minutes(5), target);
        case.set().points[0].status = status.clone();
        case.set().points.push(fx::point(fx::now() - minutes(65)));
        assert_eq!(case.judge().exposure.exposure, Some(minutes(65)), "{status:?}");
    }
    let mut expiring = Case::aged(minutes(5), target);
    expiring.set().points[0].delete_at = Some(fx::now() + minutes(20));
    expiring.set().points.push(fx::point(fx::now() - minutes(65)));
    assert_eq!(expiring.judge().exposure.exposure, Some(minutes(65)), "gone before the next is there");
}

#[test]
fn among_many_points_in_any_order_the_newest_counts() {
    let mut case = Case::aged(minutes(65), Some(minutes(240)));
    case.set().points.push(fx::point(fx::now() - minutes(5)));
    case.set().points.push(fx::point(fx::now() - minutes(125)));
    assert_eq!(case.judge().exposure.exposure, Some(minutes(5)));
}

#[test]
fn a_percentile_is_the_nearest_rank() {
    let hundred: Vec<Duration> = (1..=100).map(minutes).collect();
    assert_eq!((percentile(&hundred, 95), percentile(&hundred, 99)), (minutes(95), minutes(99)));
    let ten: Vec<Duration> = (1..=10).map(minutes).collect();
    assert_eq!((percentile(&ten, 95), percentile(&ten, 99)), (minutes(10), minutes(10)));
}

#[test]
fn completion_is_never_data_time() {
    let mut case = Case::aged(minutes(65), Some(minutes(240)));
    case.set().points[0].completed = Some(fx::now() - minutes(1));
    assert_eq!(case.judge().exposure.exposure, Some(minutes(65)));
}

#[test]
fn a_vault_or_key_that_cannot_be_used_is_a_breach_that_pages() {
    let mut case = Case::aged(minutes(5), Some(minutes(240)));
    case.set().usable = false;
    let judged = case.judge();
    assert_eq!(judged.exposure.verdict.severity(), Severity::Breached);
    assert!(judged.flags.late.is_some_and(|late| late.critical));
    assert_eq!(judged.exposure.exposure, None);
}

#[test]
fn an_old_list_gives_an_upper_bound_and_no_value() {
    let mut case = Case::aged(minutes(5), Some(minutes(240)));
    let read = fx::now() - minutes(30);
    case.slot.last.as_mut().expect("seen").observed_at = read;
    case.slot.failure = Some(fx::error());
    let judged = case.judge();
    assert_eq!((judged.exposure.exposure, judged.exposure.at_most), (None, Some(minutes(5))));
    let Verdict::Unknown { why, .. } = judged.exposure.verdict else { panic!("{judged:?}") };
    assert!(why.contains("access denied"), "{why}");
}

#[test]
fn a_cut_list_proves_what_it_bounds_and_nothing_else() {
    let mut met = Case::aged(minutes(40), Some(minutes(240)));
    met.set().truncated = true;
    assert_eq!(met.judge().exposure.verdict, Verdict::Met { sampled: false });
    let mut unsure = Case::aged(minutes(300), Some(minutes(240)));
    unsure.set().truncated = true;
    assert_eq!(unsure.judge().exposure.verdict.severity(), Severity::Unknown);
}

#[test]
fn a_job_inside_its_start_window_is_pending_not_late() {
    let mut case = Case::aged(minutes(120), Some(minutes(240)));
    assert!(case.judge().flags.late.is_some());
    case.add(job(JobKind::Backup, JobState::Created, fx::now() - minutes(10), None));
    assert_eq!(case.judge().flags.late, None);
    let mut missed_before = Case::aged(minutes(230), Some(minutes(400)));
    missed_before.add(job(JobKind::Backup, JobState::Created, fx::now() - minutes(10), None));
    assert!(missed_before.judge().flags.late.is_some(), "one before it was missed");
}

#[test]
fn a_failed_copy_warns_at_once_with_its_message() {
    let mut case = Case::aged(minutes(70), Some(minutes(240)));
    case.add(job(JobKind::Copy, JobState::Failed, fx::now() - minutes(8), Some(fx::now() - minutes(2))));
    let late = case.judge().flags.late.expect("warned");
    assert!(!late.critical && late.why.contains("the key is disabled"), "{late:?}");
}

#[test]
fn copies_slower_than_their_cadence_warn_at_once() {
    let mut case = Case::aged(minutes(70), Some(minutes(240)));
    case.add(job(JobKind::Copy, JobState::Running, fx::now() - minutes(61), None));
    let late = case.judge().flags.late.expect("warned");
    assert!(!late.critical && late.why.contains("longer than"), "{late:?}");
}

#[test]
fn ten_observed_durations_replace_the_declared_one_nine_do_not() {
    let with = |count: u64| {
        let mut case = Case::aged(minutes(20), Some(minutes(80)));
        for n in 0..count {
            let created = fx::now() - minutes(60 * (n + 2));
            case.add(job(JobKind::Backup, JobState::Completed, created, Some(created + minutes(5))));
            case.add(job(JobKind::Copy, JobState::Completed, created, Some(created + minutes(12))));
        }
        case.judge().flags.design
    };
    assert_eq!(with(9), Some(minutes(97)), "declared: 60 + 37");
    assert_eq!(with(10), None, "observed: 60 + 12 is within 80");
}

#[test]
fn an_acceptance_counts_while_it_lasts_and_for_ninety_days_at_most() {
    let until = |days: i64| Acceptance {
        owner: "head of lending".into(),
        until: Timestamp::from_secs(fx::now().secs() + days * 86_400),
        reason: "cost".into(),
    };
    assert!(accepted(Some(&until(73)), fx::now()).is_some());
    assert!(accepted(Some(&until(-1)), fx::now()).is_none());
    assert!(accepted(Some(&until(91)), fx::now()).is_none());
    assert!(accepted(None, fx::now()).is_none());
}

#[test]
fn the_table_of_point_in_time_rules() {
    let id = ComponentId::new("db");
    let at = |latest: Option<u64>| {
        let latest = latest.map(|age| fx::now() - minutes(age));
        fx::seen(Fact::Restorable(Restorable { earliest: None, latest }), fx::now())
    };
    let word = |slot: &Slot<Fact>| point_in_time(&id, Some(slot), fx::now()).verdict.word();
    assert_eq!(word(&at(Some(5))), "met");
    assert_eq!(word(&at(Some(11))), "at-risk");
    assert_eq!(word(&at(None)), "at-risk");
    assert_eq!(word(&Slot::failed(fx::error())), "unknown");
    let mut old = at(Some(5));
    old.last.as_mut().expect("seen").observed_at = fx::now() - minutes(30);
    assert_eq!(word(&old), "unknown");
}

fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Met { .. } | Verdict::NoTarget => 0,
        Verdict::AtRisk { .. } => 1,
        Verdict::Unknown { .. } => 2,
        Verdict::Breached { .. } => 3,
    }
}

proptest! {
    #[test]
    fn an_older_point_is_never_better(age in 0..600_u64, more in 0..600_u64, target in proptest::option::of(1..600_u64)) {
        let target = target.map(minutes);
        let younger = Case::aged(minutes(age), target).judge().exposure.verdict;
        let older = Case::aged(minutes(age + more), target).judge().exposure.verdict;
        prop_assert!(rank(&older) >= rank(&younger), "{younger:?} became {older:?}");
    }

    #[test]
    fn an_older_list_is_never_met(age in 0..600_u64, read in 11..600_u64, target in 1..600_u64) {
        let mut case = Case::aged(minutes(age + read), Some(minutes(target)));
        case.slot.last.as_mut().expect("seen").observed_at = fx::now() - minutes(read);
        prop_assert_eq!(case.judge().exposure.verdict.severity(), Severity::Unknown);
    }
}
