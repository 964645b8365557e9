//! Waits a declared time of the estate's clock, for a declared reason, e.g. the TTL that resolvers hold.

use std::time::Duration;

use super::kind::{Conduct, Finding, ReadingStep, StepContext, StepKind};
use crate::{
    domain::{
        Hazard,
        app::Param,
        kind::{ParamShape, ParamSpec},
        text::SafeText,
        time,
    },
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "pause",
    title: "pause",
    hazard: Hazard::None,
    params: &[
        StepParamSpec::Value(ParamSpec {
            name: "wait",
            shape: ParamShape::Duration,
            required: true,
            doc: "How long, from the moment the step begins.",
        }),
        StepParamSpec::Value(ParamSpec {
            name: "reason",
            shape: ParamShape::Text,
            required: true,
            doc: "What is waited for, as a tired person should read it.",
        }),
    ],
    undo: "nothing to undo: it only waits",
    mutating: Mutating::No,
    lasting: Lasting::Nothing,
    // Longer than any wait a runbook should hold; the wait itself ends the step.
    default_timeout: Duration::from_hours(24),
    default_expect: Duration::from_mins(1),
};

pub struct Pause;

fn wait(about: &StepContext<'_>) -> Duration {
    match about.step.value("wait") {
        Some(Param::Duration(wait)) => *wait,
        _ => Duration::ZERO,
    }
}

fn reason<'a>(about: &StepContext<'a>) -> &'a str {
    match about.step.value("reason") {
        Some(Param::Text(reason)) => reason,
        _ => "",
    }
}

impl StepKind for Pause {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let wait = time::short_up(wait(about));
        Outline {
            calls: Ok(Vec::new()),
            summary: SafeText::new(format!("waits {wait}: {}", reason(about))),
            done_when: SafeText::new(format!("{wait} have passed")),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Reads(self)
    }
}

impl ReadingStep for Pause {
    fn read(&self, about: &StepContext<'_>) -> Finding {
        let wait = wait(about);
        let gone = about.begun_at.map_or(Duration::ZERO, |begun| about.now.since(begun));
        if gone >= wait {
            return Finding::Done(SafeText::new(format!("waited {}: {}", time::short_up(wait), reason(about))));
        }
        let left = time::short_up(wait.saturating_sub(gone));
        Finding::NotYet(SafeText::new(format!("{left} to go: {}", reason(about))))
    }
}
