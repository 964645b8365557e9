//! Scenario files against the corpus in `tests/config`, and the bundled ones against the simulator.
//!
//! `POINTSMAN_BLESS=1` writes the expectations of the invalid ones anew.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use pointsman::{
    domain::{Estate, diagnostic::SourceFile, scenario::Scenario, scenario::Shown},
    estate::{self, Source, scenarios},
    probes,
    sim::{self, Options, Sim},
    steps,
};

fn bank() -> Arc<Estate> {
    estate::load(&Source::Bundled, probes::CATALOGUE, steps::CATALOGUE).estate.expect("whole")
}

fn files(under: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(under)
        .expect("the corpus is part of the package")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{under} is empty");
    found
}

fn read(path: &PathBuf) -> (Option<Scenario>, String) {
    let text = fs::read_to_string(path).expect("text");
    let file = Arc::new(SourceFile { name: path.display().to_string(), text });
    let (scenario, diagnostics) = scenarios::parse(&file, &bank(), sim::fault::CATALOGUE);
    (scenario, diagnostics.iter().fold(String::new(), |all, one| all + &format!("{one}\n")))
}

fn simulator() -> Sim {
    let clock = Arc::new(pointsman::clock::SystemClock::default());
    let start = pointsman::domain::Timestamp::parse("2026-11-20T14:00:00+05:30").expect("a time");
    Sim::new(Options { estate: bank(), seed: 1, speed: 0.0, start, clock })
}

#[test]
fn every_wrong_scenario_is_refused_with_exactly_the_diagnostics_beside_it() {
    let mut wrong = Vec::new();
    for path in files("tests/config/invalid/scenario") {
        let (scenario, got) = read(&path);
        let expected_at = path.with_extension("expected");
        if std::env::var_os("POINTSMAN_BLESS").is_some() {
            fs::write(&expected_at, &got).expect("writable");
        }
        let expected = fs::read_to_string(&expected_at).unwrap_or_default();
        if scenario.is_some() || got != expected || got.is_empty() {
            wrong.push(format!("{}\n--- expected\n{expected}--- got\n{got}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_valid_and_the_bundled_scenarios_can_be_played() {
    let mut all = files("tests/config/valid/scenario");
    all.extend(files("estates/demo-bank/scenarios"));
    for path in all {
        let (scenario, said) = read(&path);
        let scenario = scenario.unwrap_or_else(|| panic!("{said}"));
        simulator().play(&scenario).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn injects_come_in_the_order_of_their_time_and_hide_what_is_hidden() {
    let (scenario, said) = read(&PathBuf::from("tests/config/valid/scenario/everything.toml"));
    let scenario = scenario.expect(&said);
    let told: Vec<(&str, u64, Option<Duration>, Shown)> = scenario
        .injects
        .iter()
        .map(|inject| (inject.title.as_str(), inject.at.as_secs(), inject.lasts, inject.shown))
        .collect();
    assert_eq!(
        told,
        [
            ("First", 0, Some(Duration::from_secs(5_400)), Shown::ToTheFacilitator),
            ("Jobs", 300, None, Shown::ToEverybody),
            ("Second, written first", 1_200, None, Shown::ToEverybody),
        ]
    );
    assert!((scenario.speed - 30.0).abs() < f64::EPSILON);
}

#[test]
fn the_bundled_scenarios_are_in_the_binary_too() {
    let (inside, wrong) = scenarios::load(&Source::Bundled, &bank(), sim::fault::CATALOGUE);
    assert!(wrong.is_empty(), "{wrong:?}");
    let folder = Source::Folder(PathBuf::from("estates/demo-bank"));
    let (outside, _) = scenarios::load(&folder, &bank(), sim::fault::CATALOGUE);
    assert_eq!(inside, outside);
    let ids: Vec<&str> = inside.iter().map(|scenario| scenario.id.as_str()).collect();
    assert_eq!(ids, ["lag-before-loss", "mumbai-goes-quiet", "us-east-1-impaired"]);
}

#[test]
fn a_scenario_with_one_wrong_inject_begins_none_of_them() {
    let (scenario, _) = read(&PathBuf::from("tests/config/valid/scenario/everything.toml"));
    let mut scenario = scenario.expect("good");
    let last = scenario.injects.last_mut().expect("three");
    last.lasts = Some(Duration::ZERO);
    let sim = simulator();
    let why = sim.play(&scenario).expect_err("it ends before it begins");
    assert!(why.contains("Second, written first"), "{why}");
    assert_eq!(sim.clear_all(), 0);
}
