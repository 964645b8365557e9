//! The real program as a child: a served simulator, commands pointed at it, and somebody who answers its prompts.
//! Every wait is for a line, a record or an exit, with a bound.

#![allow(clippy::disallowed_methods, reason = "a test of a program that runs on the wall")]
#![allow(dead_code, reason = "each test crate that includes it uses its own part")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::{
        Once,
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

pub const BOUND: Duration = Duration::from_secs(60);

/// Two moves there and back: what a run does over and over.
const ESTATE: &str = include_str!("../estates/moves/estate.toml");

const RUNBOOKS: [(&str, &str); 2] =
    [(OVER, include_str!("../estates/moves/core-over.toml")), (BACK, include_str!("../estates/moves/core-back.toml"))];

pub const OVER: &str = "core-over";
pub const BACK: &str = "core-back";

/// A state folder, an estate and a simulator that serves it.
pub struct Shell {
    folder: tempfile::TempDir,
    url: String,
    _served: Talk,
}

impl Shell {
    pub fn start(speed: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a folder");
        let estate = folder.path().join("estate");
        std::fs::create_dir_all(estate.join("runbooks")).expect("made");
        std::fs::write(estate.join("estate.toml"), ESTATE).expect("written");
        for (id, runbook) in RUNBOOKS {
            std::fs::write(estate.join(format!("runbooks/{id}.toml")), runbook).expect("written");
        }
        let mut command = bare(folder.path());
        command.args(["sim", "serve", "--listen", "127.0.0.1:0", "--speed", speed]);
        let mut served = Talk::start(command);
        let url = served.wait("listening on ").trim_start_matches("listening on ").to_owned();
        Self { folder, url, _served: served }
    }

    pub fn client(&self) -> Command {
        let mut command = bare(self.folder.path());
        command.env("AWS_ENDPOINT_URL", &self.url).env("AWS_ACCESS_KEY_ID", "sim").env("AWS_SECRET_ACCESS_KEY", "sim");
        command
    }

    pub fn ask(&self, args: &[&str]) -> Output {
        self.client().args(args).stdin(Stdio::null()).output().expect("the program starts")
    }

    /// Starts it and declares, as far as it asks.
    pub fn talk(&self, args: &[&str]) -> Talk {
        let mut command = self.client();
        command.args(args);
        Talk::start(command)
    }

    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("state/journal.db")
    }

    /// Records in the journal; none while there is no journal yet.
    pub fn records(&self) -> u64 {
        self.query("SELECT count(*) FROM journal").unwrap_or(0)
    }

    /// The run that has not ended, if there is one.
    pub fn open_run(&self) -> Option<u64> {
        self.query("SELECT run FROM lease WHERE ended = 0")
    }

    pub fn runs(&self) -> u64 {
        self.query("SELECT count(*) FROM runs").unwrap_or(0)
    }

    fn query(&self, sql: &str) -> Option<u64> {
        let connection = Connection::open_with_flags(self.journal(), OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        connection.busy_timeout(BOUND).ok()?;
        connection.query_row(sql, [], |row| row.get(0)).ok()
    }

    /// Operations that had an effect, in order.
    pub fn effects(&self) -> Vec<String> {
        let output = self.ask(&["sim", "calls", "--at", &self.url]);
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let calls = json["calls"].as_array().or_else(|| json.as_array()).expect("a list of calls");
        let effects = calls.iter().filter(|call| call["effect"] == Value::Bool(true));
        effects.map(|call| call["operation"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub fn is_whole(&self) {
        let output = self.ask(&["evidence", "verify"]);
        assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    }
}

fn bare(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", folder).env("POINTSMAN_STATE", folder.join("state"));
    command.env("POINTSMAN_ESTATE", folder.join("estate"));
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Children that die of these. What a script starts in its background, or `nohup`, ignores some of them, and so would every
/// child: a handler here gives the child the default back (signal(7): what is caught is reset by exec).
fn heeded_by_children() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        let _inside = runtime.enter();
        for kind in [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()] {
            if ignored & (1 << (kind.as_raw_value() - 1)) != 0 {
                drop(signal(kind).expect("a handler, which stays"));
            }
        }
    });
}

/// A child whose standard output is read line by line.
pub struct Talk {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    pub seen: Vec<String>,
}

/// How a talk went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    Ended(i32),
    Stopped,
}

impl Talk {
    pub fn start(mut command: Command) -> Self {
        heeded_by_children();
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
    pub fn wait(&mut self, head: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(BOUND) else {
                panic!("no line starting with {head:?}; seen:\n{}\n{}", self.seen.join("\n"), self.errors());
            };
            self.seen.push(line.clone());
            if line.starts_with(head) {
                return line;
            }
        }
    }

    pub fn say(&mut self, line: &str) {
        // Who was killed a moment ago reads no more; the next look at it says so.
        let _ = writeln!(self.stdin.as_mut().expect("open"), "{line}");
    }

    /// Answers everything until it ends, or until `stop` says so: asked after each line and every few milliseconds.
    pub fn go_on(&mut self, region: &str, mut stop: impl FnMut(&[String]) -> bool) -> Went {
        let began = Instant::now();
        loop {
            if stop(&self.seen) {
                return Went::Stopped;
            }
            match self.lines.recv_timeout(Duration::from_millis(3)) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if let Some(prompt) = line.strip_suffix("> ").or_else(|| line.strip_suffix('>')) {
                        let answer = answer(prompt, region)
                            .unwrap_or_else(|| panic!("unexpected {prompt:?} after:\n{}", self.seen.join("\n")));
                        if stop(&self.seen) {
                            return Went::Stopped;
                        }
                        self.say(&answer);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    assert!(began.elapsed() < BOUND, "stuck:\n{}", self.seen.join("\n"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Went::Ended(self.child.wait().expect("ends").code().expect("an exit code"));
                }
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(mut self) -> Vec<String> {
        let _ = self.child.kill(); // it may have ended by itself a moment ago
        self.child.wait().expect("gone");
        std::mem::take(&mut self.seen)
    }

    /// Sends the signal and waits for the end.
    pub fn signal(mut self, name: &str) -> std::process::ExitStatus {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(began.elapsed() < BOUND, "{name} does not end it:\n{}", self.seen.join("\n"));
            let _ = self.lines.recv_timeout(Duration::from_millis(10));
        }
    }

    pub fn errors(&mut self) -> String {
        let mut errors = String::new();
        let _ = self.child.kill();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut errors);
        }
        errors
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(prompt: &str, region: &str) -> Option<String> {
    let fixed = match prompt {
        "who" => "asha",
        "incident" => "INC-4471",
        "app" => "core",
        "region" => region,
        _ => "",
    };
    Some(if !fixed.is_empty() {
        fixed.to_owned()
    } else if let Some(step) = prompt.strip_prefix("chord ") {
        format!("go {step}")
    } else if prompt.starts_with("key ") {
        "go".to_owned()
    } else if prompt.starts_with("confirm ") {
        "done".to_owned()
    } else if prompt.starts_with("parked ") {
        "retry".to_owned()
    } else {
        return None;
    })
}
