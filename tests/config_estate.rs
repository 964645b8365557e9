//! The estate loader against files: the corpus in `tests/config`, the bundled estate, and arbitrary text.
//!
//! `tests/config/valid/estate/<name>/` loads without an error. `tests/config/invalid/estate/<name>/` does not: its
//! diagnostics, one line each, are in `<name>.expected` beside it. `POINTSMAN_BLESS=1` writes them anew.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use pointsman::{
    domain::{
        Diagnostic, Estate, Side, Timestamp,
        app::{Param, Strategy},
        fact::What,
    },
    estate::{self, Loaded, Source},
    probes,
    runbook::spec::{
        Guard, GuardSpec, Mutating, OnFailure, Only, RunbookKind, RunbookSpec, Signal, StepParam, StepSpec,
    },
    steps,
};
use proptest::prelude::*;

fn load(source: &Source) -> Loaded {
    estate::load(source, probes::CATALOGUE, steps::CATALOGUE)
}

fn lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().fold(String::new(), |mut text, diagnostic| {
        text.push_str(&diagnostic.to_string());
        text.push('\n');
        text
    })
}

fn folders(under: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(under)
        .expect("the corpus is part of the package")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{under} is empty");
    found
}

/// Loads an estate of the corpus and compares what is said of it with the file beside it.
fn compare(folder: &Path, wrong: &mut Vec<String>) -> Loaded {
    let loaded = load(&Source::Folder(folder.to_owned()));
    let got = lines(&loaded.diagnostics);
    let expected_at = folder.with_extension("expected");
    if std::env::var_os("POINTSMAN_BLESS").is_some() {
        fs::write(&expected_at, &got).expect("writable");
    }
    let expected = fs::read_to_string(&expected_at).unwrap_or_default();
    if got != expected {
        wrong.push(format!("{}\n--- expected\n{expected}--- got\n{got}", folder.display()));
    }
    loaded
}

#[test]
fn every_invalid_estate_is_refused_with_exactly_the_diagnostics_beside_it() {
    let mut wrong = Vec::new();
    for folder in folders("tests/config/invalid/estate") {
        let loaded = compare(&folder, &mut wrong);
        assert!(loaded.errors().next().is_some(), "{} has no error", folder.display());
        assert!(loaded.estate.is_none() && loaded.runbooks.is_empty(), "{}: half an estate", folder.display());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_valid_estate_loads_with_exactly_the_warnings_beside_it() {
    let mut wrong = Vec::new();
    for folder in folders("tests/config/valid/estate") {
        let loaded = compare(&folder, &mut wrong);
        let estate = loaded.estate.unwrap_or_else(|| panic!("{} does not load", folder.display()));
        let warned: Vec<String> = estate.warnings.iter().map(|warning| warning.place.clone()).collect();
        let mut printed: Vec<String> = loaded.diagnostics.iter().map(Diagnostic::place).collect();
        printed.sort();
        let mut shown = warned.clone();
        shown.sort();
        assert_eq!(shown, printed, "{}: the board and `check` must say the same", folder.display());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_expectation_belongs_to_an_estate() {
    for entry in ["tests/config/invalid/estate", "tests/config/valid/estate"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).expect("the corpus is part of the package"))
    {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "expected") {
            assert!(path.with_extension("").is_dir(), "{} expects nothing", path.display());
        }
    }
}

#[test]
fn every_code_of_the_loader_is_in_the_corpus() {
    let codes = codes_in(Path::new("src/estate"));
    let mut seen = String::new();
    for folder in folders("tests/config/invalid/estate").into_iter().chain(folders("tests/config/valid/estate")) {
        seen.push_str(
            &fs::read_to_string(folder.with_extension("expected")).expect("every folder has its expectation"),
        );
    }
    for entry in fs::read_dir("tests/config/invalid/scenario").expect("part of the package") {
        seen.push_str(&fs::read_to_string(entry.expect("readable").path()).expect("text"));
    }
    seen.push_str(&lines(&load(&Source::Bundled).diagnostics));
    let missing: Vec<&String> = codes.iter().filter(|code| !seen.contains(&format!("[{code}]"))).collect();
    assert!(codes.len() > 30, "the codes were not found: {codes:?}");
    assert!(missing.is_empty(), "no file of the corpus shows {missing:?}");
}

/// Words in quotes that stand where `error(` or `warn(` takes its code.
fn codes_in(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.append(&mut codes_in(&path));
            continue;
        }
        let text = fs::read_to_string(path).expect("text");
        // The rules of today are not loading: `dated_warnings` has its own test.
        let text = text.split("pub fn dated_warnings").next().unwrap_or_default();
        for call in ["error(", "warn(", "warning("] {
            for (at, _) in text.match_indices(call) {
                let rest = text[at + call.len()..].trim_start();
                let Some(code) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
                found.push(code.to_owned());
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

fn bundled() -> (Arc<Estate>, Vec<Arc<RunbookSpec>>) {
    let loaded = load(&Source::Bundled);
    let errors: Vec<String> = loaded.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    (loaded.estate.expect("without errors there is an estate"), loaded.runbooks)
}

fn app<'e>(estate: &'e Estate, id: &str) -> &'e pointsman::domain::App {
    estate.apps.iter().find(|app| app.id.as_str() == id).unwrap_or_else(|| panic!("no app {id}"))
}

fn runbook<'r>(runbooks: &'r [Arc<RunbookSpec>], id: &str) -> &'r RunbookSpec {
    runbooks.iter().find(|runbook| runbook.id.as_str() == id).unwrap_or_else(|| panic!("no runbook {id}"))
}

const FIVE: [&str; 5] = ["cross-sell", "inventory", "agent-payment", "customer-assistance", "vendor-assistance"];

#[test]
fn the_bundled_estate_surfaces_exactly_the_contradictions_of_its_sources() {
    let (estate, _) = bundled();
    let mut by_code: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for warning in &estate.warnings {
        by_code.entry(warning.code).or_default().push(warning.app.as_ref().expect("of an app").as_str());
    }
    let everybody_without = |those: &[&str]| -> Option<Vec<&str>> {
        Some(estate.apps.iter().map(|app| app.id.as_str()).filter(|id| !those.contains(id)).collect())
    };
    assert_eq!(by_code.remove("backup-interval-exceeds-rpo"), Some(vec!["vendor-assistance", "backup-lab"]));
    assert_eq!(by_code.remove("backup-worst-case-exceeds-rpo"), Some(vec!["cross-sell", "inventory", "agent-payment"]));
    assert_eq!(by_code.remove("retention-not-expressible"), Some(FIVE.to_vec()));
    assert_eq!(by_code.remove("no-rpo-target"), Some(vec!["customer-assistance", "webank"]));
    assert_eq!(by_code.remove("no-rto-target"), Some(vec!["webank"]));
    assert_eq!(by_code.remove("never-drilled"), everybody_without(&["payments", "core-banking"]));
    assert!(by_code.is_empty(), "{by_code:?}");
}

#[test]
fn the_bundled_estate_holds_the_figures_of_its_sources() {
    let (estate, _) = bundled();
    assert_eq!(estate.apps.len(), 10, "nine, and one for the option of copied snapshots");
    let sizes: Vec<(u64, &str)> = FIVE
        .iter()
        .flat_map(|id| &app(&estate, id).components)
        .filter(|component| component.kind == "aws-backup")
        .map(|component| {
            (component.params.bytes("size").expect("sized"), component.params.text("resource_type").expect("typed"))
        })
        .collect();
    assert_eq!(sizes.iter().map(|(bytes, _)| bytes).sum::<u64>(), 32_000_000_000_000);
    assert_eq!(sizes.iter().filter(|size| **size == (10_000_000_000_000, "RDS")).count(), 3);
    assert_eq!(sizes.iter().filter(|(_, kind)| *kind == "EC2").count(), 5);
    for id in FIVE {
        let backup = app(&estate, id).backup.as_ref().expect("backed up");
        assert_eq!((backup.every.as_secs(), backup.retention.as_secs()), (3_600, 43_200), "{id}");
        assert_eq!(backup.copy_to, Some(Side::Recovery), "{id}");
        assert_eq!(app(&estate, id).rto.map(|d| d.as_secs()), Some(7_200), "{id}");
    }
    assert_eq!(app(&estate, "vendor-assistance").rpo.map(|d| d.as_secs()), Some(1_800));
    assert_eq!(app(&estate, "customer-assistance").rpo, None);

    let payments = app(&estate, "payments");
    assert_eq!(payments.strategy, Strategy::ActivePassive);
    assert_eq!(payments.drills.last().and_then(|d| d.rto_achieved).map(|d| d.as_secs()), Some(52));
    assert_eq!(payments.drills.last().map(|d| d.at), Timestamp::parse("2026-11-08T10:00:00+05:30"));
    let global = payments.component(&"payments-global".into()).expect("declared");
    assert_eq!(global.region_lost, Some((Side::Recovery, What::Lag)));
    let sessions = payments.component(&"sessions".into()).expect("declared");
    assert_eq!(sessions.region_lost, Some((Side::Primary, What::Lag)), "DynamoDB's lag is published at the source");
    let web = payments.component(&"payments-web-hyd".into()).expect("declared");
    assert_eq!(web.region_lost, None, "a gauge says nothing of the RPO");

    let core = app(&estate, "core-banking");
    assert_eq!(core.drills.last().and_then(|d| d.rto_achieved).map(|d| d.as_secs()), Some(540));
    let standby = core.component(&"core-standby-db".into()).expect("declared");
    assert_eq!(standby.corrupted, vec![(Side::Recovery, What::Restorable)]);
}

#[test]
fn only_webank_has_a_mandatory_component_that_nobody_reads() {
    let (estate, _) = bundled();
    let blind: Vec<&str> = estate
        .apps
        .iter()
        .filter(|app| app.components.iter().any(|component| component.mandatory && !component.observed))
        .map(|app| app.id.as_str())
        .collect();
    assert_eq!(blind, ["webank"]);
}

#[test]
fn the_failover_asks_nothing_of_the_region_that_is_gone() {
    let (_, runbooks) = bundled();
    let failover = runbook(&runbooks, "payments-failover");
    assert_eq!(failover.kind, RunbookKind::Failover);
    for step in &failover.steps {
        for guard in step.guards.iter().filter(|guard| !guard.overridable) {
            let outside = match &guard.guard {
                Guard::ReadyFor { side, .. } | Guard::Holds(Signal::WriterIn { side, .. }) => *side == Side::Recovery,
                _ => false,
            };
            assert!(outside, "step {}: {:?} may be what the outage made unknowable", step.id, guard.guard);
        }
        let to_recovery = StepParam::Value(Param::Side(Side::Recovery));
        let target = step.params.get("target");
        assert!(target.is_none_or(|target| *target == to_recovery), "step {} acts in Mumbai", step.id);
        assert_ne!(step.kind, "aurora.keep-unplanned-snapshot", "the snapshot is in the Region that is dark");
    }
}

/// A quorum that counts on what Mumbai itself reports could never be reached while Mumbai is dark.
#[test]
fn enough_signs_that_mumbai_is_gone_can_be_seen_from_outside() {
    let (_, runbooks) = bundled();
    let params = &runbook(&runbooks, "payments-failover").steps[0].params;
    let Some(StepParam::Value(Param::Number(need))) = params.get("need") else { panic!("a quorum") };
    let Some(StepParam::Signals(signals)) = params.get("signals") else { panic!("signals") };
    let outside =
        |signal: &&Signal| matches!(signal, Signal::Unreachable { .. } | Signal::HealthCheck { healthy: false, .. });
    let seen = signals.iter().filter(outside).count();
    assert!(seen as f64 >= *need, "{seen} of {need}");
    let own = signals.iter().filter(|signal| matches!(signal, Signal::Unreachable { .. })).count();
    assert!((own as f64) < *need, "this console alone must not be able to say that a Region is gone");
}

#[test]
fn nobody_is_sent_to_a_side_before_it_writes_and_answers() {
    let (_, runbooks) = bundled();
    for id in ["payments-failover", "payments-switchover", "payments-failback"] {
        let runbook = runbook(&runbooks, id);
        let at = |kind: &str| runbook.steps.iter().position(|step| step.kind == kind);
        let shift = at("route53.shift").expect("traffic moves");
        let moves = at("aurora.failover-global").or_else(|| at("aurora.switchover-global")).expect("the writer moves");
        assert!(moves < shift, "{id}");
        let to = runbook.steps[shift].params.get("target").cloned();
        let Some(StepParam::Value(Param::Side(to))) = to else { panic!("{id}: the shift has a target") };
        let writes = |guard: &GuardSpec| {
            !guard.overridable && matches!(guard.guard, Guard::Holds(Signal::WriterIn { side, .. }) if side == to)
        };
        assert!(runbook.steps[shift].guards.iter().any(writes), "{id}: traffic could reach a side that cannot write");
        let asks = |step: &StepSpec, wanted: fn(&Signal) -> bool| matches!(step.params.get("signals"), Some(StepParam::Signals(signals)) if signals.iter().any(wanted));
        let answers: fn(&Signal) -> bool = |signal| matches!(signal, Signal::HealthCheck { healthy: true, .. });
        assert!(runbook.steps[moves..shift].iter().any(|step| asks(step, answers)), "{id}");
        let served: fn(&Signal) -> bool = |signal| matches!(signal, Signal::ServedAtLeast { .. });
        let in_earnest = runbook.steps.iter().rfind(|step| step.only != Only::Drill);
        assert!(in_earnest.is_some_and(|step| asks(step, served)), "{id}");
        for pair in runbook.steps.windows(2) {
            assert_eq!(pair[1].after, vec![pair[0].id.clone()], "{id}: each step waits for the one before it");
        }
        assert!(runbook.steps.iter().all(|step| step.on_failure == OnFailure::Park), "{id}");
    }
}

#[test]
fn what_mumbai_had_is_kept_before_the_writer_goes_home() {
    let (_, runbooks) = bundled();
    let failback = runbook(&runbooks, "payments-failback");
    let at = |kind: &str| failback.steps.iter().position(|step| step.kind == kind).expect("there");
    assert!(at("aurora.keep-unplanned-snapshot") < at("aurora.switchover-global"));
    let mutating = |id: &str| steps::CATALOGUE.iter().any(|kind| kind.id == id && kind.mutating == Mutating::Yes);
    assert!(failback.steps.iter().filter(|step| mutating(step.kind)).all(|step| !step.guards.is_empty()));
}

#[test]
fn overdue_drills_and_lapsed_acceptances_are_said_on_the_day_they_are() {
    let (estate, _) = bundled();
    let codes = |day: &str| -> Vec<(&str, String)> {
        let now = Timestamp::parse(day).expect("a time");
        let found = estate::dated_warnings(&estate, now);
        found.into_iter().map(|w| (w.code, w.app.expect("of an app").as_str().to_owned())).collect()
    };
    assert_eq!(codes("2026-11-20T09:00:00Z"), []);
    assert_eq!(codes("2026-11-30T09:00:00Z"), [("drill-overdue", "core-banking".to_owned())]);
    assert_eq!(
        codes("2027-02-02T09:00:00Z"),
        [("acceptance-lapsed", "cross-sell".to_owned()), ("drill-overdue", "core-banking".to_owned())]
    );
}

#[test]
fn the_bundled_estate_and_its_folder_are_the_same() {
    let inside = load(&Source::Bundled);
    let outside = load(&Source::Folder(PathBuf::from("estates/demo-bank")));
    assert_eq!(lines(&inside.diagnostics), lines(&outside.diagnostics));
    let digests = |loaded: &Loaded| -> Vec<String> { loaded.runbooks.iter().map(|r| r.digest.clone()).collect() };
    assert_eq!(digests(&inside), digests(&outside));
    assert_eq!(digests(&inside).len(), 20);
}

#[test]
fn a_file_that_is_no_text_is_an_error_and_never_another_estate() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("estate.toml"), [0xff, 0xfe, 0x00]).expect("writable");
    for (path, code) in [(folder.path().to_owned(), "unreadable"), (folder.path().join("nowhere"), "no-estate")] {
        let loaded = load(&Source::Folder(path));
        assert!(loaded.estate.is_none());
        assert_eq!(loaded.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), [code]);
    }
}

#[test]
fn a_hostile_name_reaches_the_terminal_harmless() {
    let text = "[estate]\nname = \"x\"\ntime_zone = \"\\u001b]0;owned\\u0007\"\n\"\\u001b[2J\" = 1\n";
    let loaded = estate::load_text(text, &[], probes::CATALOGUE, steps::CATALOGUE);
    let said = lines(&loaded.diagnostics);
    assert!(said.contains("bad-time-zone") && said.contains("unknown-key"), "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains('\u{7}'), "{said:?}");
    for diagnostic in &loaded.diagnostics {
        assert!(!pointsman::domain::diagnostic::render(diagnostic).contains('\u{1b}'));
    }
}

/// The texts of the bundled estate, to be damaged.
fn good_texts() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["estates/demo-bank", "estates/demo-bank/apps", "estates/demo-bank/runbooks"] {
        for entry in fs::read_dir(folder).expect("the estate is part of the package") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                found.push(fs::read_to_string(path).expect("text"));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_texts_that_are_damaged_are_good_as_they_are() {
    let (runbooks, estate): (Vec<String>, Vec<String>) =
        good_texts().into_iter().partition(|text| text.contains("[[step]]"));
    let runbooks: Vec<&str> = runbooks.iter().map(String::as_str).collect();
    let loaded = estate::load_text(&estate.join("\n"), &runbooks, probes::CATALOGUE, steps::CATALOGUE);
    assert!(loaded.estate.is_some(), "{}", lines(&loaded.diagnostics));
}

fn survives(estate: &str, runbooks: &[&str]) {
    let loaded = estate::load_text(estate, runbooks, probes::CATALOGUE, steps::CATALOGUE);
    assert_eq!(loaded.estate.is_none(), loaded.errors().next().is_some(), "an estate is either whole or explained");
    for diagnostic in &loaded.diagnostics {
        let _ = (diagnostic.to_string(), pointsman::domain::diagnostic::render(diagnostic));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_loader_survives_any_text(estate in any::<String>(), runbook in "(\\PC|\n){0,200}") {
        survives(&estate, &[&runbook]);
    }

    #[test]
    fn the_loader_survives_a_good_file_with_a_piece_replaced(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        length in 0usize..40,
        piece in prop_oneof![
            Just(String::new()),
            "[\\[\\]{}=\",.\n a-z0-9é]{0,12}",
            Just("nan".to_owned()),
            Just("99999999999999999999".to_owned()),
            Just("\"\"".to_owned()),
            Just("[]".to_owned()),
            Just("[[step]]\n".to_owned()),
        ],
    ) {
        let texts = good_texts();
        let chosen = which.get(&texts);
        let mut start = at.index(chosen.len());
        let mut end = (start + length).min(chosen.len());
        while !chosen.is_char_boundary(start) { start -= 1; }
        while !chosen.is_char_boundary(end) { end += 1; }
        let damaged = format!("{}{piece}{}", &chosen[..start], &chosen[end..]);
        // The whole estate with one of its files damaged: some of these are still good.
        let with = |text: &String| if text == chosen { damaged.clone() } else { text.clone() };
        let (runbooks, estate): (Vec<&String>, Vec<&String>) = texts.iter().partition(|text| text.contains("[[step]]"));
        let estate: Vec<String> = estate.into_iter().map(with).collect();
        let runbooks: Vec<String> = runbooks.into_iter().map(with).collect();
        survives(&estate.join("\n"), &runbooks.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
