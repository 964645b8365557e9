//! A runbook as its file says it: validated, references resolved, not yet held against any fact.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::domain::{
    AppId, Hazard, RunbookId, StepId,
    app::{Param, Strategy},
    kind::ParamSpec,
    text::SafeText,
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
    pub params: BTreeMap<String, StepParam>,
    pub guards: Vec<GuardSpec>,
    /// Derived from the kind; the file can only raise it.
    pub hazard: Hazard,
    pub timeout: Duration,
    pub expect: Duration,
    pub on_failure: OnFailure,
    /// Steps that must have ended well before; default: the one before it in the file.
    pub after: Vec<StepId>,
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
    Holds(Signal),
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
    /// `reads only`, or what is called.
    pub mutating: Mutating,
    pub default_timeout: Duration,
    pub default_expect: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutating {
    No,
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
