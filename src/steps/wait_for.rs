//! Waits until all of the signals hold at once; fails when the time-out passes first.

use std::time::Duration;

use super::{
    check::{count, listed, read_all, signals, tell},
    kind::{Conduct, Finding, ReadingStep, StepContext, StepKind},
};
use crate::{
    domain::{Hazard, text::SafeText},
    runbook::{
        build::Outline,
        plan::Holds,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "wait-for",
    title: "wait for",
    hazard: Hazard::None,
    params: &[StepParamSpec::Signals { name: "signals", required: true }],
    undo: "nothing to undo: it reads only",
    mutating: Mutating::No,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(10),
    default_expect: Duration::from_mins(1),
};

pub struct WaitFor;

impl StepKind for WaitFor {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        Outline {
            calls: Ok(Vec::new()),
            summary: SafeText::new(format!("reads only, until: {}", listed(about))),
            done_when: SafeText::new(format!("all {} signals hold", signals(about).len())),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Reads(self)
    }
}

impl ReadingStep for WaitFor {
    fn read(&self, about: &StepContext<'_>) -> Finding {
        let readings = read_all(about);
        let text = tell(&readings);
        if count(&readings, Holds::Yes) == readings.len() { Finding::Done(text) } else { Finding::NotYet(text) }
    }
}
