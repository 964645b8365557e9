//! The estate loader against files: the corpus in `tests/config`, the bundled estate, and arbitrary text.
//!
//! `tests/config/valid/estate/<name>/` loads without an error. `tests/config/invalid/estate/<name>/` does not: its
//! diagnostics, one line each, are in `<name>.expected` beside it. `POINTSMAN_BLESS=1` writes them anew.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use pointsman::{
    domain::{
        Diagnostic, Estate, Level, Side, Timestamp,
        app::{Param, Strategy},
        fact::What,
    },
    estate::{self, Loaded, Source},
    probes,
    runbook::spec::{Guard, Mutating, OnFailure, RunbookKind, RunbookSpec, Signal, StepParam},
    steps,
};
use proptest::prelude::*;

fn load(source: &Source) -> Loaded {
    estate::load(source, probes::CATALOGUE, steps::CATALOGUE)
}

fn lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
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

#[test]
fn every_invalid_estate_is_refused_with_exactly_the_diagnostics_beside_it() {
    let mut wrong = Vec::new();
    for folder in folders("tests/config/invalid/estate") {
        let loaded = load(&Source::Folder(folder.clone()));
        let got = lines(&loaded.diagnostics);
        let expected_at = folder.with_extension("expected");
        if std::env::var_os("POINTSMAN_BLESS").is_some() {
            fs::write(&expected_at, &got).expect("writable");
        }
        let expected = fs::read_to_string(&expected_at).unwrap_or_default();
        if got != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- got\n{got}", folder.display()));
        }
        assert!(loaded.errors().next().is_some(), "{} loads", folder.display());
        assert!(loaded.estate.is_none() && loaded.runbooks.is_empty(), "{}: half an estate", folder.display());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_expectation_belongs_to_an_estate() {
    for entry in fs::read_dir("tests/config/invalid/estate").expect("the corpus is part of the package") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "expected") {
            assert!(path.with_extension("").is_dir(), "{} expects nothing", path.display());
        }
    }
}

#[test]
fn every_valid_estate_loads_without_an_error() {
    for folder in folders("tests/config/valid/estate") {
        let loaded = load(&Source::Folder(folder.clone()));
        let errors: Vec<String> = loaded.errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{}: {}", folder.display(), errors.join("\n"));
        assert!(loaded.estate.is_some(), "{}", folder.display());
    }
}

#[test]
fn every_code_of_the_loader_is_in_the_corpus() {
    let codes = codes_in(Path::new("src/estate"));
    let mut seen = String::new();
    for folder in folders("tests/config/invalid/estate") {
        seen.push_str(
            &fs::read_to_string(folder.with_extension("expected")).expect("every folder has its expectation"),
        );
    }
    seen.push_str(&lines(&load(&Source::Bundled).diagnostics));
    // The binary without its estate, and a file that cannot be read, cannot be made with files of a repository.
    let unreachable = ["unreadable"];
    let missing: Vec<&String> = codes
        .iter()
        .filter(|code| !seen.contains(&format!("[{code}]")) && !unreachable.contains(&code.as_str()))
        .collect();
    assert!(codes.len() > 30, "the codes were not found: {codes:?}");
    assert!(missing.is_empty(), "no file of the corpus shows {missing:?}");
}

/// Words in quotes that stand where `error(` or `warn(` takes its code.
fn codes_in(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let text = fs::read_to_string(entry.expect("readable").path()).expect("text");
        // The rules of today are not loading: `dated_warnings` has its own test.
        let text = text.split("pub fn dated_warnings").next().unwrap_or_default();
        for call in ["error(", "warn("] {
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

fn bundled() -> (std::sync::Arc<Estate>, Vec<std::sync::Arc<RunbookSpec>>, Vec<Diagnostic>) {
    let loaded = load(&Source::Bundled);
    let errors: Vec<String> = loaded.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    (loaded.estate.expect("without errors there is an estate"), loaded.runbooks, loaded.diagnostics)
}

#[test]
fn print_bundled() {
    println!("{}", lines(&load(&Source::Bundled).diagnostics));
}
