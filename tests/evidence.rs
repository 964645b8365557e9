//! `pointsman evidence` and `runs` over a journal that the engine wrote: no AWS and no estate are asked.

mod rig;
mod schema;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use pointsman::{
    domain::StepId,
    engine::wave::{WaveDeclaration, WaveRequest},
    runbook::{
        run::{Answer, Ask, Phase, RunId},
        spec::Variant,
    },
    sim::fault::Down,
};
use rig::{Console, Death, HYDERABAD, Rig, declaration};
use serde_json::Value;

const SCHEMA: &str = include_str!("../src/report/evidence.schema.json");

async fn declared(rig: &Rig) -> (Console, RunId) {
    let console = rig.console(Death::Never).await;
    let plan = console.plan("payments-failover").await;
    let run = console.engine.declare(&plan, declaration("payments", HYDERABAD)).await.expect("declared");
    (console, run)
}

fn mumbai_gone() -> Rig {
    let rig = Rig::new();
    rig.mumbai_down(Down::Refuse);
    rig.hand.advance(Duration::from_secs(300));
    rig
}

fn pointsman(rig: &Rig, arguments: &[&str]) -> Output {
    let state = rig.journal().parent().expect("a folder").to_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    // A proxy that nobody listens on: whoever asks AWS fails.
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("POINTSMAN_ESTATE", "/nowhere");
    command.args(arguments).arg("--state").arg(state).output().expect("the program")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn exported(rig: &Rig) -> Value {
    let json: Value = serde_json::from_str(&stdout(&pointsman(rig, &["evidence", "export", "1", "--format", "json"])))
        .expect("it is JSON");
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut found = Vec::new();
    schema::violations(&schema, &schema, &json, "evidence", &mut found);
    assert_eq!(found, Vec::<String>::new());
    json
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_evidence_of_a_failover_keeps_to_its_schema_and_holds_calls_facts_answers_and_loss() {
    let rig = mumbai_gone();
    let (console, run) = declared(&rig).await;
    let state = console.carry(run).await.expect("it ends");
    let json = exported(&rig);
    assert_eq!(json["standing"], state.phase.word());
    assert_eq!(json["declaration"]["who"], "asha");
    assert_eq!(json["chain"]["anchor"], "covers every record");
    assert_eq!(json["plan"]["hash"], state.plan.hash.0);
    let promote = &json["steps"][1];
    let call = &promote["calls"][0];
    assert_eq!(call["operation"], "FailoverGlobalCluster", "{promote:#}");
    assert!(call["guards"].as_array().is_some_and(|guards| !guards.is_empty()), "on what facts");
    assert_eq!(call["outcome"]["request_id"], state.steps[1].request_id.as_ref().expect("an id").as_str());
    assert!(!json["loss"]["accepted"].as_array().expect("a list").is_empty(), "{:#}", json["loss"]);
    // Overrides were given on the way and come before anything else.
    let overrides = json["exceptions"]["overrides"].as_array().expect("a list");
    assert_eq!(overrides[0]["authoriser"], "head of operations");
    let markdown = stdout(&pointsman(&rig, &["evidence", "show", "1"]));
    // Words stand as they were read, here with clock times of India, and the head says so.
    assert_eq!(json["zone_of_words"], "Asia/Kolkata");
    assert!(markdown.contains("it is in Asia/Kolkata."), "{markdown}");
    let took = state.ended_at.expect("ended").since(state.declared_at);
    let said = format!("| from the declaration | {} |", pointsman::domain::time::short_up(took));
    assert!(markdown.contains(&said), "{said} is not in\n{markdown}");
    let place = |text: &str| markdown.find(text).unwrap_or_else(|| panic!("{text} is not in\n{markdown}"));
    assert!(place("**Override**") < place("## Declaration") && place("## Declaration") < place("## Steps"));
    let mode = json["mode"].as_str().expect("a word").to_owned();
    for heading in markdown.lines().filter(|line| line.starts_with('#')) {
        assert!(heading.ends_with(&mode), "{heading}");
    }
    let sections = ["exceptions", "declaration", "plan", "clocks", "loss", "leftovers", "words", "chain"];
    assert!(sections.iter().all(|section| json[section]["mode"] == *mode));
    assert!(json["steps"].as_array().expect("a list").iter().all(|step| step["mode"] == *mode));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_evidence_of_a_run_of_a_wave_says_what_was_typed_and_what_the_list_accepted_for_it() {
    let rig = mumbai_gone();
    let console = rig.console(Death::Never).await;
    console.plan("payments-failover").await; // a wave is planned by what was read last
    let request = WaveRequest {
        role: "failover".into(),
        apps: vec!["payments".into()],
        parallel_max: 1,
        variant: Variant::Whole,
    };
    let wave = console.engine.plan_wave(&request).await.expect("a wave");
    let phrase = wave.phrase();
    assert!(phrase.contains("1 app to Hyderabad, up to"), "{phrase}");
    let said =
        WaveDeclaration { who: "asha".into(), incident: "INC-4471".into(), phrase: phrase.clone(), outage_at: None };
    console.engine.declare_wave(&wave, &said).await.expect("declared");
    let json = exported(&rig);
    let declared = &json["declaration"];
    assert_eq!((&declared["app_typed"], &declared["region_typed"]), (&Value::Null, &Value::Null), "nobody typed them");
    assert_eq!(declared["wave"]["phrase"], phrase);
    assert!(declared["wave"]["accepts"].as_f64().is_some_and(|seconds| seconds > 0.0), "{declared:#}");
    let markdown = stdout(&pointsman(&rig, &["evidence", "show", "1"]));
    assert!(markdown.contains(&format!("typed: \"{phrase}\"")), "{markdown}");
    assert!(markdown.contains("was accepted for this app with the list of its wave"), "{markdown}");
    assert!(!markdown.contains("No loss of data was asked about") && !markdown.contains("Typed: app"), "{markdown}");
}

/// `runs --format json` is an interface: what it prints is held against its schema.
fn runs_as_json(rig: &Rig) -> Value {
    let json: Value = serde_json::from_str(&stdout(&pointsman(rig, &["runs", "--format", "json"]))).expect("JSON");
    let schema: Value =
        serde_json::from_str(include_str!("../src/report/runs.schema.json")).expect("the schema is JSON");
    let mut found = Vec::new();
    schema::violations(&schema, &schema, &json, "runs", &mut found);
    assert_eq!(found, Vec::<String>::new());
    json
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_nobody_drives_any_more_is_listed_to_be_resumed() {
    let rig = mumbai_gone();
    let (console, run) = declared(&rig).await;
    console.until(run, "waits", |state| matches!(state.phase, Phase::Waiting(_))).await;
    console.engine.orphaned();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
    let mut show = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    show.args(["evidence", "show", "1", "--estate", "/nowhere", "--state"])
        .arg(rig.journal().parent().expect("a folder"));
    assert_eq!(show.stdout(full).status().expect("the program").code(), Some(74), "as every command");
    let listed = stdout(&pointsman(&rig, &["runs"]));
    assert!(listed.contains("NOT ENDED") && listed.contains("`pointsman resume 1`"), "{listed}");
    assert_eq!(runs_as_json(&rig)[0]["driven_by"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_under_way_can_be_proven_and_listed_as_open_while_another_process_drives_it() {
    let rig = mumbai_gone();
    let (console, run) = declared(&rig).await;
    console.until(run, "waits", |state| matches!(state.phase, Phase::Waiting(_))).await;
    let json = exported(&rig);
    assert_eq!((&json["standing"], &json["clocks"]["ended_at"]), (&Value::from("waiting for a person"), &Value::Null));
    let listed = stdout(&pointsman(&rig, &["runs"]));
    let driver = std::process::id();
    assert!(listed.contains(&format!("driven by process {driver} of this machine")), "{listed}");
    assert!(listed.contains("NOT ENDED") && !listed.contains("pointsman resume"), "who drives it goes on: {listed}");
    assert_eq!(runs_as_json(&rig)[0]["driven_by"]["process"], driver);
    assert_eq!(stdout(&pointsman(&rig, &["runs", "--app", "cards"])).lines().count(), 1, "none of another app");
    let step = StepId::new("promote");
    let waiting = console.until(run, "asks", |state| matches!(state.phase, Phase::Waiting(_))).await;
    assert!(!matches!(&waiting.phase, Phase::Waiting(Ask::Verdict { step: s, .. }) if *s == step));
    console.engine.answer(run, Answer::Abandon { reason: "a | rehearsal".into() }).await.expect("abandoned");
    console.until(run, "ended", |state| state.phase.ended()).await;
    drop(console);
    // The next console keeps a summary; the list then needs no record of an ended run.
    let console = rig.console(Death::Never).await;
    let runs = console.engine.watch().borrow().clone();
    assert!(runs.list.is_empty(), "an ended run is not folded at the opening");
    assert_eq!((runs.ended.len(), runs.ended[0].word.as_str()), (1, "abandoned"));
    assert_eq!(console.engine.run(RunId(1)).expect("on demand").phase.word(), "abandoned");
    assert_eq!(console.engine.watch().borrow().list.len(), 1, "listed whole from then on, and once");
    assert!(console.engine.watch().borrow().ended.is_empty());
    assert!(console.engine.run(RunId(2)).is_err());
    let json = runs_as_json(&rig);
    assert_eq!((&json[0]["run"], &json[0]["ended"]), (&Value::from(1), &Value::from(true)));
    assert_eq!(json[0]["standing"], "abandoned");
    assert_eq!(json[0]["left_behind"], Value::Array(Vec::new()));
    let markdown = stdout(&pointsman(&rig, &["evidence", "show", "1"]));
    assert!(markdown.contains("a \\| rehearsal"), "what people write is no markup");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_private_and_never_replaces_a_file_without_force() {
    let rig = mumbai_gone();
    let (console, run) = declared(&rig).await;
    console.engine.answer(run, Answer::Abandon { reason: "a rehearsal".into() }).await.expect("abandoned");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("evidence.md");
    let name = file.to_str().expect("UTF-8");
    let export = |more: &[&str]| {
        pointsman(&rig, &[&["evidence", "export", "1", "--format", "markdown", "--output", name], more].concat())
    };
    assert_eq!(export(&[]).status.code(), Some(0));
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    fs::write(&file, "somebody's").expect("written");
    assert_eq!(export(&[]).status.code(), Some(64));
    assert_eq!(fs::read_to_string(&file).expect("there"), "somebody's");
    assert_eq!(export(&["--force"]).status.code(), Some(0));
    assert!(fs::read_to_string(&file).expect("there").starts_with("# Run 1"));
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1, "nothing else is left there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_record_is_named_exported_by_nobody_and_acted_on_by_nobody() {
    let rig = mumbai_gone();
    let (console, run) = declared(&rig).await;
    console.until(run, "waits", |state| matches!(state.phase, Phase::Waiting(_))).await;
    drop(console);
    let tamper = |path: &Path, sql: &str| {
        rusqlite::Connection::open(path).expect("opens").execute_batch(sql).expect("tampered");
    };
    tamper(&rig.journal(), "DROP TRIGGER records_stand; UPDATE journal SET actor = 'mallory' WHERE seq = 2");
    for arguments in [&["evidence", "verify"][..], &["evidence", "verify", "1"], &["evidence", "show", "1"], &["runs"]]
    {
        let output = pointsman(&rig, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(5), "{arguments:?}: {said}");
        assert!(said.contains("run 1, record 2: the record was changed"), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let console = rig.console(Death::Never).await;
    let failure = console.engine.watch().borrow().store_failure.clone().expect("it says so");
    assert!(failure.contains("record 2"), "{failure}");
    let plan = console.plan("payments-failover").await;
    assert!(console.engine.declare(&plan, declaration("payments", HYDERABAD)).await.is_err());
    assert!(console.engine.resume(run, declaration("payments", HYDERABAD)).await.is_err());
}

#[test]
fn a_journal_that_is_not_there_or_is_none_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let verify = |file: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        command.args(["evidence", "verify", "--journal"]).arg(file).output().expect("the program")
    };
    assert_eq!(verify(&folder.path().join("none.db")).status.code(), Some(64));
    let file = folder.path().join("text.db");
    fs::write(&file, "this is no database, but it is long enough to be looked at as one. ".repeat(20))
        .expect("written");
    let output = verify(&file);
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
}
