//! What may be started, what is refused, and what becomes of it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::sim::{
    fixture::{ACCOUNT, SEED, VENDOR_DB, World, call, estate, hyderabad, minutes, mumbai, start},
    rds::answer::Effect,
};

const ROLE: &str = "arn:aws:iam::111122223333:role/service-role/AWSBackupDefaultServiceRole";

fn backups() -> Backups {
    Backups::new(&estate(), SEED, start())
}

fn put(
    backups: &mut Backups,
    region: &RegionId,
    now: Timestamp,
    path: &str,
    body: &Value,
    world: &World,
) -> (u16, Value, Effect) {
    let request = http::Request::put(path).body(Bytes::from(body.to_string())).expect("a request");
    let (answer, effect) = backups.write(&call(region, now, &request), world);
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).expect("JSON"), effect)
}

fn get(backups: &Backups, region: &RegionId, now: Timestamp, path: &str, world: &World) -> Value {
    let request = http::Request::get(path).body(Bytes::new()).expect("a request");
    serde_json::from_slice(backups.answer(&call(region, now, &request), world).body()).expect("JSON")
}

fn newest_in(backups: &Backups, region: &RegionId, vault: &str, now: Timestamp) -> Value {
    let arn = VENDOR_DB.replace(':', "%3A");
    let path = format!("/backup-vaults/{vault}/recovery-points/?resourceArn={arn}");
    let points = get(backups, region, now, &path, &World::calm())["RecoveryPoints"].clone();
    let points = points.as_array().expect("a list").clone();
    points.into_iter().find(|point| point["Status"] == "COMPLETED").expect("a completed point")
}

fn restore_body(backups: &Backups, now: Timestamp, token: &str) -> Value {
    let point = newest_in(backups, &hyderabad(), "bank-hyd", now)["RecoveryPointArn"].clone();
    json!({
        "RecoveryPointArn": point, "IamRoleArn": ROLE, "IdempotencyToken": token, "ResourceType": "RDS",
        "Metadata": { "DBInstanceIdentifier": "vendor-db-restored", "Engine": "postgres" },
    })
}

#[test]
fn a_restore_waits_runs_and_leaves_a_database_which_is_handed_over_once() {
    let (mut backups, world) = (backups(), World::calm());
    let body = restore_body(&backups, start(), "t-1");
    let (status, said, effect) = put(&mut backups, &hyderabad(), start(), "/restore-jobs", &body, &world);
    assert_eq!((status, effect), (200, Effect::Changed), "{said}");
    let path = format!("/restore-jobs/{}", said["RestoreJobId"].as_str().expect("an id"));
    let mut states: Vec<String> = (0..60)
        .map(|n| get(&backups, &hyderabad(), start() + minutes(n), &path, &world)["Status"].to_string())
        .collect();
    states.dedup();
    assert_eq!(states, ["\"PENDING\"", "\"RUNNING\"", "\"COMPLETED\""]);
    let done = get(&backups, &hyderabad(), start() + minutes(60), &path, &world);
    let made = format!("arn:aws:rds:ap-south-2:{ACCOUNT}:db:vendor-db-restored");
    assert_eq!(done["CreatedResourceArn"], made);
    assert!(backups.hand_over(start() + minutes(2), &world).is_empty(), "not before it is complete");
    let handed = backups.hand_over(start() + minutes(60), &world);
    assert_eq!(handed.iter().map(|it| it.arn.as_str()).collect::<Vec<_>>(), [made.as_str()]);
    assert!(backups.hand_over(start() + minutes(61), &world).is_empty());
}

#[test]
fn the_same_token_is_the_same_job_and_with_other_parameters_it_is_refused() {
    let (mut backups, world) = (backups(), World::calm());
    let body = restore_body(&backups, start(), "t-1");
    let (_, first, _) = put(&mut backups, &hyderabad(), start(), "/restore-jobs", &body, &world);
    let (status, again, effect) = put(&mut backups, &hyderabad(), start() + minutes(1), "/restore-jobs", &body, &world);
    assert_eq!((status, effect), (200, Effect::None));
    assert_eq!(first["RestoreJobId"], again["RestoreJobId"]);
    let mut other = body;
    other["Metadata"]["DBInstanceIdentifier"] = json!("another");
    let (status, said, effect) = put(&mut backups, &hyderabad(), start(), "/restore-jobs", &other, &world);
    assert_eq!((status, said["Code"].as_str(), effect), (400, Some("InvalidParameterValueException"), Effect::None));
}

#[test]
fn a_copy_keeps_the_data_time_of_its_source_and_is_listed_where_it_was_started() {
    let (mut backups, world) = (backups(), World::calm());
    let vault =
        json!({ "BackupVaultName": "bank-mum", "ResourceArn": VENDOR_DB, "IamRoleArn": ROLE, "IdempotencyToken": "b" });
    let (status, said, _) = put(&mut backups, &mumbai(), start(), "/backup-jobs", &vault, &world);
    assert_eq!(status, 200, "{said}");
    let point = said["RecoveryPointArn"].clone();
    let copy = json!({
        "RecoveryPointArn": point, "SourceBackupVaultName": "bank-mum", "IamRoleArn": ROLE, "IdempotencyToken": "c",
        "DestinationBackupVaultArn": format!("arn:aws:backup:ap-south-2:{ACCOUNT}:backup-vault:bank-hyd"),
    });
    let (status, early, _) = put(&mut backups, &mumbai(), start() + minutes(2), "/copy-jobs", &copy, &world);
    assert_eq!((status, early["Code"].as_str()), (400, Some("InvalidRequestException")), "the point is CREATING");
    let (status, said, effect) = put(&mut backups, &mumbai(), start() + minutes(15), "/copy-jobs", &copy, &world);
    assert_eq!((status, effect), (200, Effect::Changed), "{said}");
    let job = |now| {
        let path = format!("/copy-jobs/{}", said["CopyJobId"].as_str().expect("an id"));
        get(&backups, &mumbai(), now, &path, &world)["CopyJob"].clone()
    };
    assert_eq!(job(start() + minutes(16))["State"], "RUNNING");
    let done = job(start() + minutes(50));
    assert_eq!(done["State"], "COMPLETED");
    let points = get(&backups, &hyderabad(), start() + minutes(50), "/backup-vaults/bank-hyd/recovery-points/", &world);
    let points = points["RecoveryPoints"].as_array().expect("a list");
    let copied = points.iter().find(|p| p["RecoveryPointArn"] == done["DestinationRecoveryPointArn"]).expect("there");
    let created = copied["CreationDate"].as_f64().expect("a time");
    assert!(created < (start() + minutes(1)).secs() as f64, "the backup began within the first minute");
    assert!(get(&backups, &hyderabad(), start() + minutes(50), "/copy-jobs/", &world)["CopyJobs"][0].is_null());
}

#[test]
fn what_cannot_be_started_is_refused_by_aws_own_code() {
    let (mut backups, world) = (backups(), World::calm());
    let body = restore_body(&backups, start(), "t");
    let without = |key: &str| {
        let mut less = body.clone();
        less.as_object_mut().expect("a map").remove(key);
        less
    };
    let mut unknown = body.clone();
    unknown["RecoveryPointArn"] = json!("arn:aws:rds:ap-south-2:111122223333:snapshot:awsbackup:copyjob-none");
    let mut nameless = body.clone();
    nameless["Metadata"] = json!({ "Engine": "postgres" });
    for (path, body, code) in [
        ("/restore-jobs", without("Metadata"), "MissingParameterValueException"),
        ("/restore-jobs", without("IamRoleArn"), "MissingParameterValueException"),
        ("/restore-jobs", unknown, "ResourceNotFoundException"),
        ("/restore-jobs", nameless, "InvalidParameterValueException"),
        (
            "/backup-jobs",
            json!({ "BackupVaultName": "bank-goa", "ResourceArn": VENDOR_DB, "IamRoleArn": ROLE }),
            "ResourceNotFoundException",
        ),
        (
            "/backup-jobs",
            json!({ "BackupVaultName": "bank-hyd", "ResourceArn": VENDOR_DB, "IamRoleArn": ROLE }),
            "InvalidParameterValueException",
        ),
    ] {
        let (status, said, effect) = put(&mut backups, &hyderabad(), start(), path, &body, &world);
        assert_eq!((status, said["Code"].as_str(), effect), (400, Some(code), Effect::None), "{path} {body}");
    }
    // A point that has outlived its retention is gone.
    let (status, said, _) = put(&mut backups, &hyderabad(), start() + minutes(60 * 30), "/restore-jobs", &body, &world);
    assert_eq!((status, said["Code"].as_str()), (400, Some("ResourceNotFoundException")));
}

#[test]
fn a_name_that_is_taken_and_an_unusable_key_fail_the_job_and_a_missing_vault_is_not_found() {
    let mut backups = backups();
    let body = restore_body(&backups, start(), "t");
    let taken = World { databases: vec![(hyderabad(), "vendor-db-restored".into())], ..World::calm() };
    let (_, said, _) = put(&mut backups, &hyderabad(), start(), "/restore-jobs", &body, &taken);
    let path = format!("/restore-jobs/{}", said["RestoreJobId"].as_str().expect("an id"));
    let job = get(&backups, &hyderabad(), start() + minutes(5), &path, &taken);
    assert_eq!(
        (job["Status"].as_str(), job["StatusMessage"].as_str()),
        (Some("FAILED"), Some("vendor-db-restored already exists."))
    );
    let trouble = |what| World { vaults: vec![(hyderabad(), "bank-hyd".into(), start(), what)], ..World::calm() };
    let mut body = body;
    body["IdempotencyToken"] = json!("t-2");
    let key = trouble(VaultTrouble::KeyUnusable);
    let (_, said, _) = put(&mut backups, &hyderabad(), start(), "/restore-jobs", &body, &key);
    let path = format!("/restore-jobs/{}", said["RestoreJobId"].as_str().expect("an id"));
    let job = get(&backups, &hyderabad(), start() + minutes(5), &path, &key);
    assert_eq!(job["Status"], "FAILED");
    assert!(job["StatusMessage"].as_str().expect("why").contains("KMS key"));
    let gone = trouble(VaultTrouble::Missing);
    body["IdempotencyToken"] = json!("t-3");
    let (status, said, _) = put(&mut backups, &hyderabad(), start(), "/restore-jobs", &body, &gone);
    assert_eq!((status, said["Code"].as_str()), (400, Some("ResourceNotFoundException")));
    assert_eq!(
        get(&backups, &hyderabad(), start(), "/backup-vaults/bank-hyd", &gone)["Code"],
        "ResourceNotFoundException"
    );
}
