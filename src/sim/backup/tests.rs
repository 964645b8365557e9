//! What AWS Backup of the simulated estate promises, asked over its own wire format.

use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::{
    domain::resource::JobKind,
    sim::fixture::{ACCOUNT, SEED, VENDOR_DB, World, call, estate, hyderabad, minutes, mumbai, start},
};

fn backups() -> Backups {
    Backups::new(&estate(), SEED, start())
}

fn ask(backups: &Backups, region: &RegionId, now: Timestamp, path: &str, world: &World) -> (u16, Value) {
    let request = http::Request::get(path).body(Bytes::new()).expect("a request");
    let answer = backups.answer(&call(region, now, &request), world);
    let body = serde_json::from_slice(answer.body()).expect("JSON");
    (answer.status().as_u16(), body)
}

fn rows(backups: &Backups, region: &RegionId, now: Timestamp, path: &str, world: &World) -> Vec<Value> {
    let (status, body) = ask(backups, region, now, path, world);
    assert_eq!(status, 200, "{body}");
    let list = body.as_object().expect("a map").values().find_map(Value::as_array).expect("a list");
    list.clone()
}

fn time(row: &Value, key: &str) -> Option<Timestamp> {
    row.get(key)?.as_f64().map(|seconds| Timestamp::from_millis((seconds * 1000.0).round() as i64))
}

const HYD_POINTS: &str =
    "/backup-vaults/bank-hyd/recovery-points/?resourceArn=arn%3Aaws%3Ards%3Aap-south-1%3A111122223333%3Adb%3Avendor-db";
const MUM_POINTS: &str =
    "/backup-vaults/bank-mum/recovery-points/?resourceArn=arn%3Aaws%3Ards%3Aap-south-1%3A111122223333%3Adb%3Avendor-db";
const COPIES: &str = "/copy-jobs/?resourceArn=arn%3Aaws%3Ards%3Aap-south-1%3A111122223333%3Adb%3Avendor-db";

/// Minutes since the data time of the newest complete copy.
fn exposure(backups: &Backups, now: Timestamp, world: &World) -> u64 {
    let points = rows(backups, &hyderabad(), now, HYD_POINTS, world);
    let newest = points.iter().filter(|p| p["Status"] == "COMPLETED").filter_map(|p| time(p, "CreationDate")).max();
    now.since(newest.expect("a complete copy")).as_secs() / 60
}

#[test]
fn an_hourly_policy_of_ten_terabytes_leaves_between_25_and_100_minutes_exposed() {
    let (backups, world) = (backups(), World::calm());
    let seen: Vec<u64> = (0..360).map(|n| exposure(&backups, start() + minutes(n), &world)).collect();
    let (least, most) = (seen.iter().min().expect("some"), seen.iter().max().expect("some"));
    assert!((25..=45).contains(least), "{least}");
    assert!((75..=98).contains(most), "{most}");
}

#[test]
fn a_copied_point_keeps_the_data_time_of_its_source() {
    let (backups, world) = (backups(), World::calm());
    let copies = rows(&backups, &hyderabad(), start(), HYD_POINTS, &world);
    let sources = rows(&backups, &mumbai(), start(), MUM_POINTS, &world);
    assert!(copies.len() >= 20, "{}", copies.len());
    for copy in copies.iter().filter(|copy| copy["Status"] == "COMPLETED") {
        let created = time(copy, "CreationDate").expect("a date");
        assert!(sources.iter().any(|source| time(source, "CreationDate") == Some(created)));
        assert!(time(copy, "CompletionDate").expect("done").since(created) >= minutes(20));
        assert_eq!(copy["SourceBackupVaultArn"], format!("arn:aws:backup:ap-south-1:{ACCOUNT}:backup-vault:bank-mum"));
    }
}

#[test]
fn a_retention_of_twelve_hours_keeps_points_for_a_whole_day() {
    let points = rows(&backups(), &mumbai(), start(), MUM_POINTS, &World::calm());
    for point in &points {
        let created = time(point, "CreationDate").expect("a date");
        assert_eq!(point["Lifecycle"]["DeleteAfterDays"], 1);
        assert_eq!(time(&point["CalculatedLifecycle"], "DeleteAt"), Some(created + minutes(24 * 60)));
        assert!(start().since(created) < minutes(24 * 60));
    }
    assert!(points.iter().any(|p| start().since(time(p, "CreationDate").expect("a date")) > minutes(23 * 60)));
}

#[test]
fn copy_jobs_are_listed_where_they_were_started_and_nowhere_else() {
    let (backups, world) = (backups(), World::calm());
    assert!(!rows(&backups, &mumbai(), start(), "/copy-jobs/", &world).is_empty());
    assert!(rows(&backups, &hyderabad(), start(), "/copy-jobs/", &world).is_empty());
    assert!(rows(&backups, &hyderabad(), start(), "/backup-jobs/", &world).is_empty());
}

#[test]
fn paging_to_the_end_gives_every_row_once_and_a_bad_token_is_refused() {
    let (backups, world) = (backups(), World::calm());
    let all = rows(&backups, &mumbai(), start(), "/backup-jobs/", &world);
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/backup-jobs/?maxResults=7{token}");
        let (_, body) = ask(&backups, &mumbai(), start(), &path, &world);
        let page = body["BackupJobs"].as_array().expect("a list").clone();
        assert!(page.len() <= 7);
        seen.extend(page);
        match body.get("NextToken").and_then(Value::as_str) {
            Some(next) => token = format!("&nextToken={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
    assert!(all.len() > 60);
    for bad in ["maxResults=0", "maxResults=1001", "nextToken=zz", "createdAfter=soon"] {
        let (status, body) = ask(&backups, &mumbai(), start(), &format!("/backup-jobs/?{bad}"), &world);
        assert_eq!((status, body["Code"].as_str()), (400, Some("InvalidParameterValueException")), "{bad}");
    }
}

#[test]
fn a_job_goes_from_created_through_running_to_completed() {
    let (backups, world) = (backups(), World::calm());
    let resource = backups.protected.iter().find(|r| r.arn == VENDOR_DB).expect("protected");
    let due = resource.scheduled(resource.number_before(start() + minutes(120)));
    let states: Vec<String> = (0..20)
        .map(|n| resource.run(resource.number_before(due), due + minutes(n), &world).expect("due"))
        .map(|run| run.backup.state.to_owned())
        .collect();
    let mut distinct = states.clone();
    distinct.dedup();
    assert_eq!(distinct, ["CREATED", "RUNNING", "COMPLETED"]);
    let running = resource.run(resource.number_before(due), due + minutes(6), &world).expect("due");
    assert_eq!(running.backup.state, "RUNNING");
    let (_, body) = ask(&backups, &mumbai(), due + minutes(6), &format!("/backup-jobs/{}", running.backup.id), &world);
    let percent: f64 = body["PercentDone"].as_str().expect("text").parse().expect("a number");
    assert!(percent > 0.0 && percent < 100.0);
    assert!(body.get("CompletionDate").is_none() && body.get("MessageCategory").is_none());
}

#[test]
fn while_mumbai_is_down_nothing_new_reaches_hyderabad_and_the_past_stays_as_it_was() {
    let backups = backups();
    let (from, until) = (start() + minutes(90), start() + minutes(210));
    let world = World::down(mumbai(), from, until);
    let before = rows(&backups, &hyderabad(), from - minutes(1), HYD_POINTS, &world);
    let calm = rows(&backups, &hyderabad(), from - minutes(1), HYD_POINTS, &World::calm());
    assert_eq!(before, calm, "a fault yet to come changes nothing");
    assert!(exposure(&backups, until, &world) > exposure(&backups, from, &world) + 110);
    let jobs = rows(&backups, &mumbai(), until + minutes(200), "/backup-jobs/", &world);
    let created = |job: &Value| time(job, "CreationDate").expect("a date");
    assert!(jobs.iter().all(|job| created(job) < from || created(job) >= until));
    let broken: Vec<&Value> =
        jobs.iter().filter(|job| time(job, "CompletionDate").is_some_and(|t| t >= from && t < until)).collect();
    assert!(broken.iter().all(|job| job["State"] == "FAILED"), "{broken:?}");
    assert!(exposure(&backups, until + minutes(200), &world) < 98, "the schedule goes on afterwards");
}

#[test]
fn an_injected_failure_fails_the_copies_while_it_lasts_and_hyderabad_grows_old() {
    let backups = backups();
    let (from, until) = (start(), start() + minutes(180));
    let world = World { failures: vec![(VENDOR_DB.into(), JobKind::Copy, from, until)], ..World::calm() };
    let copies = rows(&backups, &mumbai(), until, COPIES, &world);
    let failed: Vec<&Value> = copies.iter().filter(|job| job["StatusMessage"] == "Injected failure").collect();
    assert!(failed.len() >= 2, "{copies:?}");
    assert!(failed.iter().all(|job| job["State"] == "FAILED" && job.get("DestinationRecoveryPointArn").is_none()));
    assert!(exposure(&backups, until, &world) >= 180);
    let backed_up = rows(&backups, &mumbai(), until, MUM_POINTS, &world);
    let newest = backed_up.iter().filter_map(|p| time(p, "CreationDate")).max().expect("some");
    assert!(until.since(newest) < minutes(70), "backups in Mumbai go on");
}

#[test]
fn history_holds_an_issue_an_expiry_and_a_failed_copy_and_its_end_is_clean() {
    let (backups, world) = (backups(), World::calm());
    let jobs = rows(&backups, &mumbai(), start(), "/backup-jobs/", &world);
    let copies = rows(&backups, &mumbai(), start(), "/copy-jobs/", &world);
    let count = |rows: &[Value], key: &str, value: &str| rows.iter().filter(|row| row[key] == value).count();
    assert_eq!(count(&jobs, "State", "EXPIRED"), 1);
    assert_eq!(count(&copies, "State", "FAILED"), 1);
    let issues: Vec<&Value> = jobs.iter().filter(|j| j["MessageCategory"] == "AccessDenied").collect();
    assert_eq!(issues.len(), 1);
    assert_eq!(issues[0]["State"], "COMPLETED");
    let odd = jobs.iter().chain(&copies).filter(|job| job["State"] == "EXPIRED" || job["State"] == "FAILED");
    assert!(odd.into_iter().all(|job| time(job, "CreationDate").expect("a date") < start() - minutes(180)));
    let expired = rows(&backups, &mumbai(), start(), "/backup-jobs/?state=EXPIRED", &world);
    assert_eq!(expired.len(), 1);
    let good = rows(&backups, &mumbai(), start(), "/backup-jobs/?state=COMPLETED&messageCategory=success", &world);
    let all = rows(&backups, &mumbai(), start(), "/backup-jobs/?state=COMPLETED", &world);
    assert_eq!(all.len() - good.len(), 1, "AWS's own way to count jobs completed with issues");
}

#[test]
fn what_is_not_there_is_told_by_aws_own_error_code() {
    let (backups, world) = (backups(), World::calm());
    for path in ["/backup-vaults/bank-goa", "/backup-jobs/none", "/copy-jobs/none", "/restore-jobs/none"] {
        let (status, body) = ask(&backups, &mumbai(), start(), path, &world);
        assert_eq!((status, body["Code"].as_str()), (400, Some("ResourceNotFoundException")), "{path}");
    }
}

#[test]
fn every_listed_thing_can_be_described_and_the_recovery_vault_is_locked() {
    let (backups, world) = (backups(), World::calm());
    let now = start() + minutes(7);
    for (list, id, region) in [
        ("/backup-jobs/", "BackupJobId", mumbai()),
        ("/copy-jobs/", "CopyJobId", mumbai()),
        ("/restore-jobs/", "RestoreJobId", hyderabad()),
        ("/backup-vaults/", "BackupVaultName", hyderabad()),
        ("/resources/", "ResourceArn", mumbai()),
        ("/backup/plans/", "BackupPlanId", mumbai()),
    ] {
        let rows = rows(&backups, &region, now, list, &world);
        let id = rows.first().unwrap_or_else(|| panic!("nothing in {list}"))[id].as_str().expect("an id");
        let encoded = id.replace(':', "%3A").replace('/', "%2F");
        let (status, body) = ask(&backups, &region, now, &format!("{list}{encoded}"), &world);
        assert_eq!(status, 200, "{list}: {body}");
    }
    let (_, vault) = ask(&backups, &hyderabad(), now, "/backup-vaults/bank-hyd", &world);
    assert_eq!((vault["Locked"].as_bool(), vault["MinRetentionDays"].as_i64()), (Some(true), Some(1)));
    let (_, vault) = ask(&backups, &mumbai(), now, "/backup-vaults/bank-mum", &world);
    assert_eq!(vault["Locked"].as_bool(), Some(false));
    let ec2 = "/resources/arn%3Aaws%3Aec2%3Aap-south-1%3A111122223333%3Ainstance%2Fi-0a/recovery-points/";
    let points = rows(&backups, &hyderabad(), now, ec2, &world);
    assert!(points[0]["RecoveryPointArn"].as_str().expect("an ARN").starts_with("arn:aws:ec2:ap-south-2::image/ami-"));
    let arn = points[0]["RecoveryPointArn"].as_str().expect("an ARN").replace('/', "%2F");
    let (status, _) =
        ask(&backups, &hyderabad(), now, &format!("/backup-vaults/bank-hyd/recovery-points/{arn}"), &world);
    assert_eq!(status, 200);
}

#[test]
fn whatever_the_seed_history_has_its_oddities_and_nobody_is_late_at_the_start() {
    let world = World::calm();
    for seed in 0..25 {
        let backups = Backups::new(&estate(), seed, start());
        let age = exposure(&backups, start(), &world);
        assert!((25..98).contains(&age), "seed {seed}: {age} min");
        let states = |path: &str, state: &str| {
            rows(&backups, &mumbai(), start(), path, &world).iter().filter(|job| job["State"] == state).count()
        };
        assert_eq!(states("/backup-jobs/", "EXPIRED"), 1, "seed {seed}");
        assert_eq!(states("/copy-jobs/", "FAILED"), 1, "seed {seed}");
        assert_eq!(states("/backup-jobs/", "FAILED"), 0, "seed {seed}");
    }
}
