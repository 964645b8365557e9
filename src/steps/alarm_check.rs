//! An alarm must be in a state, from facts alone. `INSUFFICIENT_DATA` is neither OK nor ALARM: it is waited out.

use std::time::Duration;

use super::kind::{Conduct, Finding, ReadingStep, StepContext, StepKind};
use crate::{
    domain::{
        Hazard,
        app::Param,
        kind::{ParamShape, ParamSpec},
        text::SafeText,
    },
    runbook::{
        build::Outline,
        plan::Holds,
        signal,
        spec::{Lasting, Mutating, Signal, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "alarm.check",
    title: "check an alarm",
    hazard: Hazard::None,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["alarm"], required: true },
        StepParamSpec::Value(ParamSpec {
            name: "is",
            shape: ParamShape::Text,
            required: true,
            doc: "`ok` or `alarm`.",
        }),
    ],
    undo: "nothing to undo: it reads only",
    mutating: Mutating::No,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(5),
    default_expect: Duration::from_secs(5),
};

pub struct AlarmCheck;

fn wanted(about: &StepContext<'_>) -> Option<Signal> {
    let component = about.step.component()?.to_string();
    match about.step.value("is")? {
        Param::Text(word) if word == "ok" => Some(Signal::Alarm { component, ok: true }),
        Param::Text(word) if word == "alarm" => Some(Signal::Alarm { component, ok: false }),
        _ => None,
    }
}

impl StepKind for AlarmCheck {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let wanted = wanted(about);
        let words = wanted.as_ref().map_or_else(|| "?".to_owned(), |signal| signal::words(signal, about.facts.estate));
        Outline {
            calls: wanted.map(|_| Vec::new()).ok_or_else(|| SafeText::new("`is` is neither `ok` nor `alarm`")),
            summary: SafeText::new(format!("reads only: {words}")),
            done_when: SafeText::new(words),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Reads(self)
    }
}

impl ReadingStep for AlarmCheck {
    fn read(&self, about: &StepContext<'_>) -> Finding {
        let Some(wanted) = wanted(about) else {
            return Finding::Failed(SafeText::new("`is` is neither `ok` nor `alarm`"));
        };
        let reading = signal::read(&wanted, about.facts, about.now);
        let text = SafeText::new(format!("{}: {}", signal::words(&wanted, about.facts.estate), reading.present));
        // An alarm changes its mind after its own periods: what is not so yet may become so within the time-out.
        if reading.holds == Holds::Yes { Finding::Done(text) } else { Finding::NotYet(text) }
    }
}
