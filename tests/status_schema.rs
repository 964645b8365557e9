//! `status --format json` is an interface: what it prints is held against `src/report/status.schema.json`.

mod schema;

use pointsman::{
    cli::Common,
    compose,
    domain::{RegionId, compliance},
    report::status,
    sim::fault::{Down, Fault, FaultKind},
};
use serde_json::Value;

const SCHEMA: &str = include_str!("../src/report/status.schema.json");

fn check(json: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut found = Vec::new();
    schema::violations(&schema, &schema, json, "status", &mut found);
    found
}

fn still(folder: &tempfile::TempDir) -> Common {
    Common {
        sim: true,
        speed: 0.0,
        seed: 1,
        state: Some(folder.path().to_path_buf()),
        estate: Some("bundled".into()),
        ..Common::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_the_bundled_estate_keeps_to_the_schema_when_all_is_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let core = compose::start(&still(&folder)).await.expect("starts");
    let picture = core.first_full_picture().await;
    let order = compliance::order(&core.estate, &picture.assessments);
    let json = status::json(&core.estate, &picture, &order);
    assert_eq!(check(&json), Vec::<String>::new());
    assert_eq!(json["apps"].as_array().map(Vec::len), Some(core.estate.apps.len()), "every app is in it");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_keeps_to_the_schema_with_mumbai_refusing_every_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let common = still(&folder);
    let core = compose::start_with(&common, |sim| {
        let kind = FaultKind::RegionDown { region: RegionId::new("ap-south-1"), how: Down::Refuse };
        sim.inject(Fault { id: 0, kind, from: None, until: None }).expect("a known fault");
    })
    .await
    .expect("starts");
    let picture = core.first_full_picture().await;
    let order = compliance::order(&core.estate, &picture.assessments);
    let json = status::json(&core.estate, &picture, &order);
    assert_eq!(check(&json), Vec::<String>::new());
    assert!(!json["errors"].as_array().expect("a list").is_empty(), "what could not be read is said");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_simulator_is_never_called_live_not_even_before_its_first_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let core = compose::start_with(&still(&folder), |sim| {
        for region in ["ap-south-1", "ap-south-2", "us-east-1"] {
            let kind = FaultKind::RegionDown { region: RegionId::new(region), how: Down::Blackhole };
            sim.inject(Fault { id: 0, kind, from: None, until: None }).expect("a known fault");
        }
    })
    .await
    .expect("starts");
    assert_eq!(core.mode().word(), "SIMULATED still");
}

#[test]
fn the_check_itself_finds_a_wrong_type_a_missing_and_an_unknown_key() {
    let wrong = serde_json::json!({"estate": 7, "surprise": true});
    let found = check(&wrong).join("\n");
    for expected in ["status.estate: is integer", "`mode` is missing", "`surprise` is not in the schema"] {
        assert!(found.contains(expected), "{expected} not in:\n{found}");
    }
}
