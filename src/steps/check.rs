//! A question answered from facts alone: at least `need` of the signals hold, else the step fails at once.

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
        signal::{self, Reading},
        spec::{Lasting, Mutating, Signal, StepKindSpec, StepParam, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "check",
    title: "check",
    hazard: Hazard::None,
    params: &[
        StepParamSpec::Value(ParamSpec {
            name: "need",
            shape: ParamShape::Number,
            required: false,
            doc: "How many of the signals must hold; default all.",
        }),
        StepParamSpec::Signals { name: "signals", required: true },
    ],
    undo: "nothing to undo: it reads only",
    mutating: Mutating::No,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(1),
    default_expect: Duration::from_secs(5),
};

pub struct Check;

impl StepKind for Check {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let (need, all) = (need(about), signals(about).len());
        Outline {
            calls: Ok(Vec::new()),
            summary: SafeText::new(format!("reads only: need {need} of {all} signals: {}", listed(about))),
            done_when: SafeText::new(format!("{need} of {all} signals hold")),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Reads(self)
    }
}

impl ReadingStep for Check {
    /// Fails at once when even the unknown signals could not make it; waits for those otherwise.
    fn read(&self, about: &StepContext<'_>) -> Finding {
        let need = need(about);
        let readings = read_all(about);
        let (yes, unknown) = (count(&readings, Holds::Yes), count(&readings, Holds::Unknown));
        let text = tell(&readings);
        if yes >= need {
            Finding::Done(text)
        } else if yes + unknown >= need {
            Finding::NotYet(text)
        } else {
            Finding::Failed(text)
        }
    }
}

fn need(about: &StepContext<'_>) -> usize {
    match about.step.value("need") {
        Some(Param::Number(need)) => need.max(1.0) as usize,
        _ => signals(about).len(),
    }
}

pub(super) fn signals<'a>(about: &StepContext<'a>) -> &'a [Signal] {
    match about.step.params.get("signals") {
        Some(StepParam::Signals(signals)) => signals,
        _ => &[],
    }
}

pub(super) fn listed(about: &StepContext<'_>) -> String {
    signals(about).iter().map(|s| signal::words(s, about.facts.estate)).collect::<Vec<_>>().join("; ")
}

pub(super) fn read_all(about: &StepContext<'_>) -> Vec<(String, Reading)> {
    let read = |s: &Signal| (signal::words(s, about.facts.estate), signal::read(s, about.facts, about.now));
    signals(about).iter().map(read).collect()
}

pub(super) fn count(readings: &[(String, Reading)], holds: Holds) -> usize {
    readings.iter().filter(|(_, reading)| reading.holds == holds).count()
}

/// `3/4 signals; Mumbai unreachable …: yes, …; …`
pub(super) fn tell(readings: &[(String, Reading)]) -> SafeText {
    let one = |(words, reading): &(String, Reading)| {
        let word = match reading.holds {
            Holds::Yes => "yes",
            Holds::No => "no",
            Holds::Unknown => "unknown",
        };
        format!("{words}: {word}, {}", reading.present)
    };
    let lines: Vec<String> = readings.iter().map(one).collect();
    SafeText::new(format!("{}/{} signals; {}", count(readings, Holds::Yes), readings.len(), lines.join("; ")))
}
