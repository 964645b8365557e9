//! What steps reach besides AWS: an address that must answer, a program that must run.
//!
//! Looking ([`Outside`]) and acting ([`Hands`]) are different types, as with [`crate::aws::Reader`] and the writing
//! client: only the engine holds hands. A program is an absolute path and its arguments, never a shell.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{CallDescription, Hazard, SafeText};

pub use crate::domain::region::THIS_MACHINE;

/// A program as it is run: no shell, a cleared environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Absolute.
    pub program: String,
    pub args: Vec<String>,
    /// Names of variables that are handed on; everything else is cleared.
    pub environment: Vec<String>,
    pub timeout: Duration,
    /// The program and arguments by which its outcome will be looked at, if it is looked at so: a simulator, which
    /// runs nothing, knows by this which look a run makes true.
    pub done_when: Vec<String>,
}

impl CommandLine {
    /// What the plan shows and the journal holds.
    #[must_use]
    pub fn describe(&self) -> CallDescription {
        let mut params = vec![("program".to_owned(), SafeText::new(&self.program))];
        params.extend(self.args.iter().enumerate().map(|(n, arg)| (format!("arg{}", n + 1), SafeText::new(arg))));
        CallDescription {
            service: "command".into(),
            operation: "Run".into(),
            region: THIS_MACHINE.into(),
            params,
            hazard: Hazard::Disruptive,
            iam_actions: Vec::new(),
        }
    }
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Exit status and the last line that it printed.
    Exit { status: i32, last_line: SafeText },
    /// Never started: nothing was done.
    NotStarted { why: SafeText },
    /// Killed by the time-out or a signal: it may have done part of its work.
    Cut { why: SafeText },
}

/// `GET`, as a health check does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGet {
    pub url: String,
    pub timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    pub status: u16,
    /// The first 5120 bytes, as Route 53's checkers read.
    pub body: SafeText,
    pub took: Duration,
}

/// Looks outside AWS. Changes nothing.
#[async_trait]
pub trait Outside: Send + Sync {
    /// # Errors
    /// No answer, in words.
    async fn get(&self, get: &HttpGet) -> Result<HttpAnswer, SafeText>;

    /// Runs a program that the runbook declares as only looking.
    async fn look(&self, command: &CommandLine) -> Ended;
}

/// Acts outside AWS. Held by the engine alone.
#[async_trait]
pub trait Hands: Send + Sync {
    /// Runs a program, once.
    async fn run(&self, command: &CommandLine) -> Ended;
}

/// Where there is nothing outside AWS to look at: everything is refused in words.
#[derive(Debug, Default)]
pub struct Nowhere;

#[async_trait]
impl Outside for Nowhere {
    async fn get(&self, get: &HttpGet) -> Result<HttpAnswer, SafeText> {
        Err(SafeText::new(format!("{}: nothing outside AWS can be reached from here", get.url)))
    }

    async fn look(&self, command: &CommandLine) -> Ended {
        Ended::NotStarted { why: SafeText::new(format!("{}: no program can be run from here", command.program)) }
    }
}

#[async_trait]
impl Hands for Nowhere {
    async fn run(&self, command: &CommandLine) -> Ended {
        Ended::NotStarted { why: SafeText::new(format!("{}: no program can be run from here", command.program)) }
    }
}
