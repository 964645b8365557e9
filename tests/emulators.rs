//! The program against AWS emulators, and AWS clients against its simulator, that other people wrote.
//!
//! The comparisons are Python scripts, because boto3 and the AWS CLI are the independent counterparts; this target
//! gives them the program and their interpreters, and fails when either is missing: nothing is skipped. It is built
//! with `--features emulators` only; `.ci/run` makes the interpreters. See `tests/emulators/README.md`.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The interpreter of one virtual environment, from the variable that `.ci/run` sets.
fn interpreter(variable: &str) -> PathBuf {
    let Some(path) = env::var_os(variable).map(PathBuf::from) else {
        panic!("{variable} must name the Python of an emulator's environment; .ci/run makes both");
    };
    assert!(path.is_file(), "{variable}: no file {}", path.display());
    path
}

/// Run a comparison; it must have compared something, and nothing may differ.
fn compare(script: &str, python_variable: &str) {
    let script_path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulators").join(script);
    let mut child = Command::new(interpreter(python_variable))
        .arg(&script_path)
        .arg("--binary")
        .arg(env!("CARGO_BIN_EXE_pointsman"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", script_path.display()));
    let output = child.stdout.take().expect("its output is piped");
    let mut last = String::new();
    for line in BufReader::new(output).lines() {
        let line = line.expect("the script writes UTF-8");
        println!("{line}");
        if !line.trim().is_empty() {
            last = line;
        }
    }
    let status = child.wait().expect("the script was started");
    assert!(status.success(), "{script}: {status}, {last}");
    let passed: u32 = last
        .strip_suffix(" passed, 0 failed")
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("{script} ended with {last:?}, not with its counts"));
    assert!(passed > 0, "{script} compared nothing");
}

#[test]
fn what_moto_holds_is_what_status_says_and_its_missing_cloudwatch_is_unknown() {
    compare("against_moto.py", "POINTSMAN_CI_MOTO_PYTHON");
}

#[test]
fn what_ministack_holds_is_what_status_says_and_its_writer_moves_there_and_back() {
    compare("against_ministack.py", "POINTSMAN_CI_MINISTACK_PYTHON");
}

#[test]
fn boto3_and_the_aws_cli_read_in_the_simulator_what_status_says() {
    compare("against_simulator.py", "POINTSMAN_CI_MOTO_PYTHON");
}
