//! The words between the machine and the rim: what to do next, and what came back.
//!
//! Must never: carry a client, a handle or anything else that could act by itself. Where to look next:
//! `crate::engine::driver`, which does these things.

use std::time::Duration;

use crate::{
    domain::{CallDescription, text::SafeText},
    runbook::{
        event::{Event, Outcome},
        finding::{Finding, Observed, Traces},
        guards::LossBound,
        plan::GuardReading,
    },
};

/// What a kind of step does when its turn comes, as far as the machine must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Reads,
    Asks,
    Acts,
    /// This version knows no such kind.
    Unknown,
}

/// The next thing for the rim.
#[derive(Debug)]
pub enum Do {
    /// Write it down, then tell [`Machine::written`]. Nothing else is asked for before that.
    Append(Box<Event>),
    /// Begin it; its report goes to [`Machine::report`].
    Start(Task),
    /// Nothing, until this much wall time passed, something came back or a person spoke.
    Wait(Duration),
    /// Nothing is due: only what comes back or a person moves it, and arming may end meanwhile.
    Rest,
    End,
}

/// Something that the rim does for a step. A step has one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    pub step: usize,
    /// Reports under another ticket are of a task that nobody waits for any more.
    pub ticket: u64,
    pub what: Errand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Facts, or a look of the step's own.
    Read,
    /// The lines of a checklist.
    Items,
    /// Guards, interlocks and the loss, on facts read now.
    Survey,
    /// What would be sent, on the facts of the survey.
    Prepare,
    /// The call, once.
    Send,
    /// Whether the call has taken effect.
    Look,
}

/// What came back.
#[derive(Debug)]
pub enum Report {
    /// An error parks the run.
    Found(Result<Finding, SafeText>),
    Items(Result<Vec<SafeText>, SafeText>),
    Surveyed(Result<Survey, SafeText>),
    Prepared(Ready),
    Sent(Outcome),
    Looked(Observed),
}

/// Facts read for the purpose of acting.
#[derive(Clone, Debug)]
pub struct Survey {
    pub guards: Vec<GuardReading>,
    /// Why the run as a whole may not act now.
    pub interlock: Option<SafeText>,
    /// Changes that no run of ours made.
    pub foreign: Vec<SafeText>,
    pub loss: Option<LossBound>,
    /// Monotonic: when the facts were there.
    pub read_at: Duration,
}

/// What is to be sent, or why nothing is.
#[derive(Clone, Debug, PartialEq)]
pub enum Ready {
    Send { call: Box<CallDescription>, traces: Box<Traces> },
    AlreadyDone(SafeText),
    Busy(SafeText),
    PassOver(SafeText),
    NotNow(SafeText),
}

/// Whether a run that waits for others (a wave) may begin steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    Closed,
    /// One that it waits for was abandoned: its turn never comes.
    Barred,
}
