//! The program from the shell: exit codes, errors that say what to do next, and a failover stepped through by
//! prompts against `sim serve`, killed on the way.
//!
//! Every wait is for a line or an exit, with a bound; nothing sleeps for its own sake.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;

const BOUND: Duration = Duration::from_secs(60);

fn pointsman(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", state).env("POINTSMAN_STATE", state.join("state"));
    command
}

fn run(state: &Path, args: &[&str]) -> Output {
    pointsman(state).args(args).stdin(Stdio::null()).output().expect("the program starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A child whose standard output is read line by line, with a bound on every wait.
struct Talk {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Talk {
    fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let (sender, lines) = mpsc::channel();
        let out = child.stdout.take().expect("piped");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { stdin: child.stdin.take(), child, lines, seen: Vec::new() }
    }

    /// The next line that starts with `head`.
    fn wait(&mut self, head: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(BOUND) else {
                let mut errors = String::new();
                let _ = self.child.kill();
                if let Some(mut stderr) = self.child.stderr.take() {
                    let _ = stderr.read_to_string(&mut errors);
                }
                panic!("no line starting with {head:?}; seen:\n{}\nstderr:\n{errors}", self.seen.join("\n"));
            };
            self.seen.push(line.clone());
            if line.starts_with(head) {
                return line;
            }
        }
    }

    fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("open");
        writeln!(stdin, "{line}").expect("the program reads");
    }

    fn declare(&mut self, region: &str) {
        for (prompt, answer) in
            [("who> ", "asha"), ("incident> ", "INC-4471"), ("app> ", "payments"), ("region> ", region)]
        {
            self.wait(prompt);
            self.say(answer);
        }
    }

    fn end(mut self) -> i32 {
        drop(self.stdin.take());
        while let Ok(line) = self.lines.recv_timeout(BOUND) {
            self.seen.push(line);
        }
        self.child.wait().expect("ends").code().expect("an exit code")
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A served simulator, and commands pointed at it.
struct Served {
    talk: Talk,
    url: String,
}

impl Served {
    fn start(state: &Path, speed: &str) -> Self {
        let mut command = pointsman(state);
        command.args(["sim", "serve", "--listen", "127.0.0.1:0", "--speed", speed]);
        let mut talk = Talk::start(command);
        let line = talk.wait("listening on ");
        let url = line.trim_start_matches("listening on ").to_owned();
        Self { talk, url }
    }

    fn client(&self, state: &Path) -> Command {
        let mut command = pointsman(state);
        command.env("AWS_ENDPOINT_URL", &self.url).env("AWS_ACCESS_KEY_ID", "sim").env("AWS_SECRET_ACCESS_KEY", "sim");
        command
    }

    fn inject(&self, state: &Path, fault: &str) {
        let output = run(state, &["sim", "inject", fault, "--at", &self.url]);
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    }

    /// Operations that had an effect, in order.
    fn effects(&self, state: &Path) -> Vec<String> {
        let output = run(state, &["sim", "calls", "--at", &self.url]);
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let calls = json["calls"].as_array().or_else(|| json.as_array()).expect("a list of calls");
        calls
            .iter()
            .filter(|c| c["effect"] == Value::Bool(true) || c["effect"].is_string() && c["effect"] != "none")
            .map(|c| c["operation"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

#[test]
fn an_estate_that_is_named_and_not_there_is_an_error_and_never_a_simulation() {
    let state = tempfile::tempdir().expect("a folder");
    for args in [&["status", "--estate", "/nowhere/at/all"][..], &["--estate", "/nowhere/at/all"][..]] {
        let output = run(state.path(), args);
        assert_eq!(code(&output), 64);
        assert!(text(&output.stderr).contains("/nowhere/at/all"), "{}", text(&output.stderr));
        assert!(!text(&output.stdout).contains("SIMULATED"));
    }
}

#[test]
fn check_finds_every_mistake_of_a_broken_estate_and_exits_1() {
    let state = tempfile::tempdir().expect("a folder");
    let folder = state.path().join("estate");
    std::fs::create_dir(&folder).expect("made");
    std::fs::write(folder.join("estate.toml"), "[estate]\nnmae = \"Typo bank\"\n").expect("written");
    let output = run(state.path(), &["check", "--short", "--estate", folder.to_str().expect("utf-8")]);
    let said = text(&output.stdout);
    assert_eq!(code(&output), 1, "{said}");
    assert!(said.contains("estate.toml:2:1") && said.contains("did you mean `name`?"), "{said}");
}

#[test]
fn check_prints_the_contradictions_of_the_bundled_estate_and_exits_0() {
    let state = tempfile::tempdir().expect("a folder");
    let output = run(state.path(), &["check", "--short"]);
    let said = text(&output.stdout);
    assert_eq!(code(&output), 0, "{said}");
    assert!(said.contains("warning") && said.contains("Vendor assistance"), "{said}");
}

#[test]
fn a_wrong_option_exits_64_and_help_exits_0() {
    let state = tempfile::tempdir().expect("a folder");
    assert_eq!(code(&run(state.path(), &["status", "--fromat", "json"])), 64);
    assert_eq!(code(&run(state.path(), &["--help"])), 0);
    assert_eq!(code(&run(state.path(), &["--version"])), 0);
}

#[test]
fn an_unknown_runbook_or_app_is_named_with_the_nearest_known_one() {
    let state = tempfile::tempdir().expect("a folder");
    let output = run(state.path(), &["plan", "payments-failovr", "--app", "payments", "--sim"]);
    assert_eq!(code(&output), 64);
    assert!(text(&output.stderr).contains("payments-failover"), "{}", text(&output.stderr));
    let slips: [(&[&str], &str); 5] = [
        (&["status", "--app", "payment"], "did you mean payments?"),
        (&["run", "--wave", "failovr"], "did you mean failover?"),
        (&["run", "--wave", "failover", "--app", "payment"], "did you mean payments?"),
        (&["runs", "--app", "payment"], "did you mean payments?"),
        (&["runs", "--app", "nope"], "known: "),
    ];
    for (args, hint) in slips {
        let output = pointsman(state.path()).args(args).arg("--sim").stdin(Stdio::null()).output().expect("starts");
        assert_eq!(code(&output), 64, "{args:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(hint), "{args:?}: {}", text(&output.stderr));
    }
    let none = run(state.path(), &["runs", "--app", "payments", "--sim"]);
    assert_eq!((code(&none), text(&none.stdout).starts_with("no runs of payments in ")), (0, true), "{none:?}");
}

#[test]
fn every_fault_that_the_simulator_knows_is_named_by_its_help() {
    let state = tempfile::tempdir().expect("a folder");
    let help = text(&run(state.path(), &["sim", "inject", "--help"]).stdout);
    for fault in pointsman::sim::fault::CATALOGUE {
        assert!(help.contains(fault.word), "{} is not in\n{help}", fault.word);
    }
}

#[test]
fn ctrl_c_at_a_prompt_says_what_waits_and_the_run_is_listed_at_the_time_of_its_own_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path();
    let mut command = pointsman(state);
    command.args(["run", "payments-switchover", "--app", "payments", "--sim"]);
    command.args(["--sim-start", "2025-05-01T10:00:00Z", "--speed", "20"]);
    let mut talk = Talk::start(command);
    talk.declare("ap-south-2");
    assert!(step_through(&mut talk, Some("confirm window")), "asked:\n{}", talk.seen.join("\n"));
    let child = rustix::process::Pid::from_child(&talk.child);
    rustix::process::kill_process(child, rustix::process::Signal::INT).expect("it lives");
    let said = talk.wait("interrupted: run 1 waits");
    assert!(said.contains("`pointsman resume 1`"), "{said}");
    assert_eq!(talk.child.wait().expect("it ends, though nobody typed anything").code(), Some(130));

    let whole = text(&run(state, &["runs", "1", "--sim"]).stdout);
    assert!(whole.contains("  as of ") && whole.contains("the time of its simulation is not known here"), "{whole}");
    // By the wall clock of this machine it would be years.
    assert!(whole.contains("  since declaration 00:"), "{whole}");
    let listed = text(&run(state, &["runs", "--sim"]).stdout);
    assert!(listed.contains("step window asks, begun"), "in words: {listed}");
}

#[test]
fn the_simulated_status_says_simulated_in_every_format_and_exits_by_the_convention() {
    let state = tempfile::tempdir().expect("a folder");
    for format in ["table", "markdown", "json"] {
        let output = run(state.path(), &["status", "--sim", "--format", format]);
        assert!(text(&output.stdout).contains("SIMULATED"), "{format}: {}", text(&output.stdout));
        // Webank's Velero is declared and not observed: unknown; nothing pages.
        assert_eq!(code(&output), 3, "{format}:\n{}", text(&output.stdout));
    }
}

#[test]
fn a_plan_with_both_regions_well_is_blocked_and_says_by_what() {
    let state = tempfile::tempdir().expect("a folder");
    let output = run(state.path(), &["plan", "payments-failover", "--app", "payments", "--sim"]);
    let said = text(&output.stdout);
    assert_eq!(code(&output), 2, "{said}");
    for wanted in ["FailoverGlobalCluster", "AllowDataLoss=true", "BLOCKED", "ChangeResourceRecordSets", "us-east-1"] {
        assert!(said.contains(wanted), "{wanted} not in:\n{said}");
    }
}

/// Answers whatever the run asks until it ends; `stop_after` a prompt leaves it there.
fn step_through(talk: &mut Talk, stop_before: Option<&str>) -> bool {
    loop {
        let Ok(line) = talk.lines.recv_timeout(BOUND) else { return false };
        talk.seen.push(line.clone());
        if let Some(stop) = stop_before
            && line.starts_with(stop)
        {
            return true;
        }
        let Some(prompt) = line.strip_suffix("> ") else { continue };
        let answer = if let Some(step) = prompt.strip_prefix("chord ") {
            format!("go {step}")
        } else if prompt.starts_with("key ") {
            "go".to_owned()
        } else if prompt.starts_with("confirm ") {
            "done".to_owned()
        } else if prompt.starts_with("loss ") {
            prompt.split('"').nth(1).expect("a phrase in quotes").to_owned()
        } else if prompt.ends_with(" reason") {
            "fibre cut confirmed by NOC".to_owned()
        } else if prompt.ends_with(" authoriser") {
            "ravi, head of operations".to_owned()
        } else {
            panic!("an unexpected prompt {prompt:?} after:\n{}", talk.seen.join("\n"));
        };
        talk.say(&answer);
    }
}

#[test]
fn payments_fails_over_with_mumbai_black_holed_and_a_killed_run_goes_on_without_sending_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path();
    let served = Served::start(state, "20");
    served.inject(state, r#"{"fault":"region-down","region":"ap-south-1","how":"blackhole"}"#);

    // First driver: promoted, then killed before the name is moved.
    let mut command = served.client(state);
    command.args(["run", "payments-failover", "--app", "payments"]);
    let mut talk = Talk::start(command);
    talk.declare("ap-south-2");
    assert!(step_through(&mut talk, Some("chord shift")), "the run reached the shift:\n{}", talk.seen.join("\n"));
    talk.child.kill().expect("killed with SIGKILL");
    talk.child.wait().expect("gone");

    let listed = served.client(state).arg("runs").output().expect("lists");
    assert!(text(&listed.stdout).contains("payments-failover"), "the run is found: {}", text(&listed.stdout));

    // Second driver goes on.
    let mut command = served.client(state);
    command.args(["resume", "1"]);
    let mut talk = Talk::start(command);
    talk.declare("ap-south-2");
    step_through(&mut talk, None);
    let seen = talk.seen.join("\n");
    assert_eq!(talk.end(), 0, "completed:\n{seen}");
    assert_eq!(served.effects(state), ["FailoverGlobalCluster", "ChangeResourceRecordSets"], "each effect once");
    assert!(seen.contains("unprotected since"), "{seen}");
    drop(served.talk);
}

/// Declares a wave by prompts; answers the phrase that the prompt names.
fn declare_wave(talk: &mut Talk) -> String {
    for (prompt, answer) in [("who> ", "asha"), ("incident> ", "INC-4471")] {
        talk.wait(prompt);
        talk.say(answer);
    }
    let line = talk.wait("wave \"");
    let phrase = line.split('"').nth(1).expect("a phrase in quotes").to_owned();
    talk.say(&phrase);
    phrase
}

#[test]
fn a_wave_is_declared_by_its_phrase_killed_and_resumed_as_one_without_sending_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path();
    let served = Served::start(state, "20");
    served.inject(state, r#"{"fault":"region-down","region":"ap-south-1","how":"blackhole"}"#);

    let mut command = served.client(state);
    command.args(["run", "--wave", "failover", "--app", "payments", "--parallel", "2"]);
    let mut talk = Talk::start(command);
    let phrase = declare_wave(&mut talk);
    assert!(phrase.starts_with("1 app to Hyderabad, up to "), "the loss is in the phrase: {phrase}");
    let begun = talk.wait("wave ");
    let id = begun.trim_start_matches("wave ").split(':').next().expect("an id").to_owned();
    assert!(step_through(&mut talk, Some("override promote")), "it asks:\n{}", talk.seen.join("\n"));
    talk.child.kill().expect("killed with SIGKILL");
    talk.child.wait().expect("gone");

    // By another wave's id nothing is resumed, by no declaration neither.
    let wrong = served.client(state).args(["resume", "--wave", "ffffffffffff"]).output().expect("runs");
    assert_eq!(code(&wrong), 64, "{}", text(&wrong.stderr));
    let mut command = served.client(state);
    command.args(["resume", "--wave", &id]);
    let mut talk = Talk::start(command);
    assert_eq!(declare_wave(&mut talk), "resume 1 app to Hyderabad");
    step_through(&mut talk, None);
    let seen = talk.seen.join("\n");
    assert_eq!(talk.end(), 0, "completed:\n{seen}");
    assert_eq!(served.effects(state), ["FailoverGlobalCluster", "ChangeResourceRecordSets"], "each effect once");
    drop(served.talk);
}

#[test]
fn a_wave_whose_phrase_is_not_typed_as_it_stands_starts_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = pointsman(folder.path());
    command.args(["run", "--wave", "switchover", "--app", "payments", "--sim"]);
    let mut talk = Talk::start(command);
    for (prompt, answer) in [("who> ", "asha"), ("incident> ", "INC-1"), ("wave \"", "all apps to Hyderabad")] {
        talk.wait(prompt);
        talk.say(answer);
    }
    assert_eq!(talk.end(), 2, "refused");
    let listed = run(folder.path(), &["runs", "--sim"]);
    assert!(text(&listed.stdout).contains("no runs"), "{}", text(&listed.stdout));
}

#[test]
fn a_run_is_held_noted_and_switched_by_prompts_after_what_changes_was_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path();
    let served = Served::start(state, "20");
    let mut command = served.client(state);
    command.args(["--drill", "run", "payments-switchover", "--app", "payments"]);
    let mut talk = Talk::start(command);
    talk.declare("ap-south-2");
    // Whatever is asked first is where the person changes their mind.
    let asked = loop {
        let line = talk.lines.recv_timeout(BOUND).expect("a prompt");
        talk.seen.push(line.clone());
        if line.ends_with("> ") {
            break line;
        }
    };
    talk.say("note the network team says it is worse than it looks");
    talk.wait(&asked);
    served.inject(state, r#"{"fault":"region-down","region":"ap-south-1","how":"blackhole"}"#);
    talk.say("switch payments-failover");
    let head = talk.wait("SWITCH run 1");
    assert!(head.contains("payments-switchover") && head.contains("payments-failover"), "{head}");
    assert!(head.contains("DRILL"), "a rehearsal on the simulator is called one: {head}");
    talk.wait("  comes ");
    // A Region that is not typed as it stands leaves the run as it was.
    talk.declare("ap-south-1");
    talk.wait("refused: ");
    talk.wait(&asked);
    talk.say("switch payments-failover");
    talk.declare("ap-south-2");
    talk.wait("run 1 goes on by payments-failover");
    talk.say("hold");
    talk.say("abandon the drill is over");
    let seen = talk.seen.join("\n");
    assert_eq!(talk.end(), 4, "abandoned:\n{seen}");
    drop(served.talk);
}

#[test]
fn confirmations_on_standard_input_end_with_the_input_and_nothing_is_assumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(folder.path(), &["run", "payments-switchover", "--app", "payments", "--sim"]);
    assert_eq!(code(&output), 4, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("nothing was started"));
}

#[test]
fn a_reader_that_goes_away_ends_a_command_without_a_word() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .args(["schema", "runbook"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(141), "{ended:?}");
    assert!(ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn output_that_cannot_be_written_ends_every_command_with_a_code_and_no_panic() {
    let state = tempfile::tempdir().expect("a folder");
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
    let commands: [&[&str]; 8] = [
        &["status", "--sim"],
        &["plan", "payments-failover", "--app", "payments", "--sim"],
        &["run", "payments-switchover", "--app", "payments", "--sim"],
        &["runs"],
        &["check"],
        &["schema", "estate"],
        &["sim", "serve", "--listen", "127.0.0.1:0"],
        &["--help"],
    ];
    for args in commands {
        let ended = pointsman(state.path()).args(args).stdin(Stdio::null()).stdout(full()).output().expect("it starts");
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(74), "{args:?}: {said}");
        assert!(said.starts_with("pointsman: standard output: No space left on device"), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 2, "{args:?}: {said}");
        let both = pointsman(state.path()).args(args).stdin(Stdio::null()).stdout(full()).stderr(full()).status();
        assert_eq!(both.expect("it starts").code(), Some(74), "{args:?}");
    }
    // An error that nobody reads is an error all the same.
    let mut child = pointsman(state.path());
    child.args(["--estate", "/nowhere", "status"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("it starts");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(64));
}

#[test]
fn a_plan_that_only_checks_does_not_call_the_whole_runbook_ready() {
    let state = tempfile::tempdir().expect("a folder");
    for format in ["text", "markdown"] {
        let args = ["plan", "payments-switchover", "--app", "payments", "--check-only", "--sim", "--format", format];
        let said = text(&run(state.path(), &args).stdout).to_lowercase();
        assert!(said.contains("left out, and so are their guards"), "{said}");
        assert!(said.contains("nothing blocks reading") && !said.contains("ready: nothing blocks it"), "{said}");
        assert!(!said.contains("**ready:**"), "{said}");
    }
}
