//! Everything that can happen to the console, and everything it can ask for: two closed lists.
//!
//! All of it arrives on one bounded queue, so that there is one order of events; a [`Cmd`] is a value, so that
//! nothing acts while state changes.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{AppId, Picture, RunbookId, SafeText, Timestamp, call::CallRecord},
    keymap::Key,
    runbook::{
        plan::{Plan, PlanHash},
        run::{Answer, Declaration, RunId, Runs},
        switching::Switching,
        wave::{Wave, WaveDeclaration, WaveRequest},
    },
};

/// A key with the moment it was *read* from the terminal: a key read before a dialog was first drawn was not
/// meant for it, however late it is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPress {
    pub key: Key,
    /// Monotonic time of [`crate::domain::Clock`].
    pub at: Duration,
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Msg {
    Key(KeyPress),
    /// Bracketed paste: never taken as typing where something could act on it.
    Paste(String),
    Resize {
        width: u16,
        height: u16,
    },
    Picture(Arc<Picture>),
    Runs(Arc<Runs>),
    /// Oldest first, as the log holds them.
    Calls(Arc<[CallRecord]>),
    /// Answer to [`Cmd::Plan`].
    Planned(Result<Arc<Plan>, SafeText>),
    /// Answer to [`Cmd::Declare`]: the run is on disk and armed.
    Declared(RunId),
    /// Answer to [`Cmd::LookAtSwitch`] and [`Cmd::LookAtTurningReal`].
    Switching(Result<Arc<Switching>, SafeText>),
    /// Answer to [`Cmd::Switch`]: the run goes on by the other plan.
    Switched(RunId),
    /// Answer to [`Cmd::PlanWave`], with what was asked.
    WavePlanned {
        request: WaveRequest,
        wave: Result<Arc<Wave>, SafeText>,
    },
    /// Answer to [`Cmd::DeclareWave`] and [`Cmd::ResumeWave`]: the id of the wave whose runs are on disk and armed.
    WaveDeclared(String),
    /// A command was refused; the reason, for the status line.
    Refused(SafeText),
    /// Something worth a line that is not a refusal.
    Said(SafeText),
    /// Once a second: the clocks.
    Tick {
        now: Timestamp,
        monotonic: Duration,
    },
    /// A frame with everything so far on it reached the terminal at this moment.
    Drawn {
        at: Duration,
    },
    /// The process was stopped and goes on: nothing on screen can be believed until it is read again.
    Resumed,
}

/// Something to do. `Quit`, `Suspend`, `Redraw` and `Copy` are done by [`super::runtime`]; the others are sent to
/// whoever joined the console to the engine and the collector.
#[derive(Clone, Debug, PartialEq)]
pub enum Cmd {
    Quit,
    Suspend,
    Redraw,
    /// As text to the terminal's clipboard (OSC 52).
    Copy(String),
    /// Read everything again now.
    Refresh,
    /// After a suspend: forget freshness of every observation, then read again.
    Distrust,
    /// Read an ended run whole: it is listed then.
    ReadRun(RunId),
    /// Answered by [`Msg::Planned`].
    Plan {
        runbook: RunbookId,
        app: AppId,
    },
    /// Arms this plan: its hash, this declaration. Answered by [`Msg::Declared`] or [`Msg::Refused`].
    Declare {
        plan: PlanRef,
        declaration: Declaration,
    },
    Answer {
        run: RunId,
        answer: Answer,
    },
    /// What another runbook would change in a run; reads only. Answered by [`Msg::Switching`].
    LookAtSwitch {
        run: RunId,
        runbook: RunbookId,
    },
    /// What a drill would become in earnest; reads only. Answered by [`Msg::Switching`].
    LookAtTurningReal {
        run: RunId,
    },
    /// Goes on by the plan that was looked at. Answered by [`Msg::Switched`] or [`Msg::Refused`].
    Switch {
        run: RunId,
        hash: PlanHash,
        declaration: Declaration,
    },
    /// Answered by [`Msg::WavePlanned`].
    PlanWave(WaveRequest),
    /// Arms all runs of this list, or none. Answered by [`Msg::WaveDeclared`] or [`Msg::Refused`].
    DeclareWave {
        wave: WaveRef,
        said: WaveDeclaration,
    },
    /// Drives the unfinished runs of a wave on. Answered as `DeclareWave` is.
    ResumeWave {
        wave: String,
        said: WaveDeclaration,
    },
    /// Drive a run that no engine drives (found at start, or its driver went away).
    Resume {
        run: RunId,
        declaration: Declaration,
    },
}

/// A plan by identity: equal when the frozen text is the same.
#[derive(Clone, Debug)]
pub struct PlanRef(pub Arc<Plan>);

impl PartialEq for PlanRef {
    fn eq(&self, other: &Self) -> bool {
        self.0.hash == other.0.hash
    }
}

/// A wave by identity: its id is the digest of its plans.
#[derive(Clone, Debug)]
pub struct WaveRef(pub Arc<Wave>);

impl PartialEq for WaveRef {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}
