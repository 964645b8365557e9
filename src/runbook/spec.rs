//! A runbook as its file says it: validated, references resolved, not yet held against any fact.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::domain::{
    AppId, Hazard, RunbookId, StepId,
    app::{Param, Strategy},
    kind::{ParamShape, ParamSpec},
    text::SafeText,
    time::Weekday,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunbookKind {
    /// Unplanned, may lose data.
    Failover,
    /// Planned, loses none.
    Switchover,
    /// The way home.
    Failback,
    ReProtect,
    DrillOnly,
}

impl RunbookKind {
    pub const ALL: [Self; 5] = [Self::Failover, Self::Switchover, Self::Failback, Self::ReProtect, Self::DrillOnly];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Switchover => "switchover",
            Self::Failback => "failback",
            Self::ReProtect => "re-protect",
            Self::DrillOnly => "drill-only",
        }
    }
}

#[derive(Clone, Debug)]
pub struct RunbookSpec {
    pub id: RunbookId,
    pub title: SafeText,
    pub kind: RunbookKind,
    /// Apps it is for, by id; empty when it is for strategies.
    pub apps: Vec<AppId>,
    pub strategies: Vec<Strategy>,
    /// What must be known before it can be planned, besides the app.
    pub parameters: Vec<ParameterSpec>,
    /// Offered when this one ends.
    pub offers: Option<RunbookId>,
    pub steps: Vec<StepSpec>,
    /// SHA-256 of the file's text, hex: a proof of RTO lapses when it changes.
    pub digest: String,
    pub place: String,
}

#[derive(Clone, Debug)]
pub struct StepSpec {
    pub id: StepId,
    /// A title that a tired person understands.
    pub title: SafeText,
    /// Id of the kind in the catalogue of `crate::steps`.
    pub kind: &'static str,
    /// The kind's own, so that the pure centre need not ask the catalogue.
    pub mutating: Mutating,
    pub lasting: Lasting,
    pub params: BTreeMap<String, StepParam>,
    pub guards: Vec<GuardSpec>,
    /// Derived from the kind; the file can only raise it.
    pub hazard: Hazard,
    pub timeout: Duration,
    pub expect: Duration,
    pub on_failure: OnFailure,
    /// Steps that must have ended well before; default: the one before it in the file.
    pub after: Vec<StepId>,
    /// How often a step that reads is asked again after it failed.
    pub retries: u32,
    pub retry_every: Duration,
    pub only: Only,
    /// `if = "database"`: left out of the plan where one of these parameters has no value, or is `false`.
    pub conditions: Vec<String>,
    /// Where the file says `"$name"`; [`super::bind`] puts the values there.
    pub holes: Vec<Hole>,
}

/// In which runs a step is planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Only {
    #[default]
    Always,
    /// Cleaning up after a rehearsal.
    Drill,
    /// What a rehearsal must not do.
    Real,
}

impl Only {
    /// What a file may write; silence is [`Self::Always`].
    pub const WORDS: [(&'static str, Self); 2] = [("drill", Self::Drill), ("real", Self::Real)];
}

/// How much of a runbook is planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    #[default]
    Whole,
    /// The readings only: whoever asks or acts is left out.
    CheckOnly,
}

impl Variant {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::CheckOnly => "check-only",
        }
    }
}

/// `[[parameter]]`: a value that differs between the apps of one runbook, or between two runs of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    pub name: String,
    pub kind: ParameterKind,
    pub presence: Presence,
    pub doc: SafeText,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Presence {
    /// Every app that the runbook serves must bind it.
    Required,
    /// Without a value, whatever refers to it is left out.
    Optional,
    Default(Param),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    Text,
    Duration,
    Number,
    Flag,
    Side,
    /// A component of the app, of one of these kinds.
    Component(Vec<&'static str>),
    Choice(Vec<String>),
}

impl ParameterKind {
    /// The word of `type = "…"`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Duration => "duration",
            Self::Number => "number",
            Self::Flag => "flag",
            Self::Side => "side",
            Self::Component(_) => "component",
            Self::Choice(_) => "choice",
        }
    }
}

/// One `"$name"` in a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Hole {
    pub parameter: String,
    pub spot: Spot,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Spot {
    /// A parameter of the step's kind.
    Param {
        name: &'static str,
        shape: ParamShape,
        required: bool,
    },
    /// One text of a list, e.g. an argument of a command.
    Item {
        list: &'static str,
        index: usize,
    },
    Signal {
        list: &'static str,
        index: usize,
        key: &'static str,
    },
    Guard {
        index: usize,
        key: &'static str,
    },
    Timeout,
    Expect,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepParam {
    Value(Param),
    /// `signals = [ {…}, {…} ]`
    Signals(Vec<Signal>),
    /// `items = [ "…" ]`
    Texts(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Stop and ask the person. The default.
    Park,
    /// Record it as an exception and go on: only for steps that read.
    Continue,
}

/// One thing that can be seen to be so, from facts alone. Used by `check`, `wait-for` and guards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// The Region of that side cannot be reached, from at least so many vantage points.
    Unreachable {
        side: crate::domain::Side,
        vantage_points: u32,
    },
    Reachable {
        side: crate::domain::Side,
    },
    /// Newest value of a `metric` component.
    MetricBelow {
        component: String,
        limit: f64,
    },
    MetricAtLeast {
        component: String,
        limit: f64,
    },
    HealthCheck {
        component: String,
        healthy: bool,
    },
    ServedBelow {
        share: f64,
    },
    ServedAtLeast {
        share: f64,
    },
    WriterIn {
        component: String,
        side: crate::domain::Side,
    },
    LagAtMost {
        component: String,
        limit: Duration,
    },
    /// Both members connected and the cluster `available`.
    Replicating {
        component: String,
    },
    /// State of an `alarm` component.
    Alarm {
        component: String,
        ok: bool,
    },
    /// The judgement on the app, or on the component, is one of these words: `met`, `at-risk`, …
    Verdict {
        component: Option<String>,
        is: Vec<String>,
    },
    /// The newest point that can be restored on that side, by its data time.
    RecoveryPoint {
        component: String,
        newer_than: Duration,
        side: crate::domain::Side,
    },
    /// So many of these, so that no single blind spot decides.
    Quorum {
        need: u32,
        of: Vec<Signal>,
    },
}

/// What is the same on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parity {
    /// Image tags.
    Images,
    Configuration,
}

impl Parity {
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Images => "image tags",
            Self::Configuration => "configuration",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardSpec {
    pub guard: Guard,
    /// Only where the runbook says so: reason and named authoriser.
    pub overridable: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// In an outage the last sample before the gap is judged, and said so.
    LagAtMost {
        component: Option<String>,
        limit: Duration,
        in_outage_last_sample: bool,
    },
    /// Compute of that side can carry so many percent of the load.
    ReadyFor {
        percent: u32,
        side: crate::domain::Side,
    },
    /// The other side cannot write any more: proven, traffic cut, unprovable.
    Fenced {
        side: crate::domain::Side,
    },
    /// No run of the app ended less than this ago (anti-flap).
    NotSince {
        minimum: Duration,
    },
    /// Both sides run the same; `component` is a metric that counts differences, or what a checklist attests.
    Parity {
        of: Parity,
        component: String,
        attested: Option<StepId>,
    },
    /// The operator's session on that side lasts so long.
    CredentialsOutlive {
        side: crate::domain::Side,
        limit: Duration,
    },
    TtlAtMost {
        component: String,
        limit: Duration,
    },
    /// No freeze of the estate is in force for the app.
    NoFreeze,
    /// In a maintenance window: `from` past midnight in the estate's zone, weekly or daily.
    InWindow {
        day: Option<Weekday>,
        from: Duration,
        lasts: Duration,
    },
    /// This console does not run in the Region of that side.
    NotInside {
        side: crate::domain::Side,
        attested: Option<StepId>,
    },
    Holds(Signal),
}

impl Guard {
    /// The checklist in which a person may attest it.
    #[must_use]
    pub const fn attested_by(&self) -> Option<&StepId> {
        match self {
            Self::Parity { attested, .. } | Self::NotInside { attested, .. } => attested.as_ref(),
            _ => None,
        }
    }

    /// As [`Self::attested_by`], to give it the name that the checklist has in another runbook.
    pub const fn attested_by_mut(&mut self) -> Option<&mut StepId> {
        match self {
            Self::Parity { attested, .. } | Self::NotInside { attested, .. } => attested.as_mut(),
            _ => None,
        }
    }
}

/// A kind of step, as data; the rows are owned by `crate::steps`.
#[derive(Clone, Copy, Debug)]
pub struct StepKindSpec {
    /// e.g. `aurora.failover-global`
    pub id: &'static str,
    pub title: &'static str,
    pub hazard: Hazard,
    pub params: &'static [StepParamSpec],
    /// `none`, or how: shown in the plan.
    pub undo: &'static str,
    /// Whether it reads, asks a person, or changes something.
    pub mutating: Mutating,
    pub lasting: Lasting,
    pub default_timeout: Duration,
    pub default_expect: Duration,
}

/// The step that `made_by` names.
#[must_use]
pub fn made_by(step: &StepId, params: &BTreeMap<String, StepParam>) -> Option<StepId> {
    match params.get("made_by") {
        Some(StepParam::Value(Param::Text(named))) => Some(beside(step, named)),
        _ => None,
    }
}

/// The steps whose leftovers are gone when `step` is done: by its own call, or by the word of the person it asks.
#[must_use]
pub fn takes_away(step: &StepId, params: &BTreeMap<String, StepParam>) -> Vec<StepId> {
    let listed = match params.get("takes_away") {
        Some(StepParam::Texts(listed)) => listed.iter().map(|named| beside(step, named)).collect(),
        _ => Vec::new(),
    };
    made_by(step, params).into_iter().chain(listed).collect()
}

/// A step of the same runbook: one of a nested runbook names those of it.
fn beside(step: &StepId, named: &str) -> StepId {
    match step.as_str().rsplit_once('/') {
        Some((outer, _)) => StepId::new(format!("{outer}/{named}")),
        None => StepId::new(named),
    }
}

/// What a kind leaves behind or takes away, by the word of its [`super::finding::Leftover`]: known without calling
/// anything, so that a rehearsal without its cleanup is seen when the file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    Nothing,
    Leaves(&'static str),
    Clears(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutating {
    No,
    /// Changes nothing by itself, and waits for a person's word.
    Asks,
    Yes,
}

#[derive(Clone, Copy, Debug)]
pub enum StepParamSpec {
    Value(ParamSpec),
    Signals {
        name: &'static str,
        required: bool,
    },
    Texts {
        name: &'static str,
        required: bool,
    },
    /// The id of a component of the app, of one of these kinds.
    Component {
        name: &'static str,
        kinds: &'static [&'static str],
        required: bool,
    },
}
