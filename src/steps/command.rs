//! Runs a program, once: terraform, velero, argocd, a script of the bank's own. No shell, a cleared environment.
//!
//! How its outcome is observed is part of the step: a program that only looks (`done_when`), or signals. A program that
//! nothing can observe does not load.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, MutatingStep, Observed, Prepared, StepContext, StepKind},
    outside::{CommandLine, Ended},
};
use crate::{
    domain::{
        CallDescription, Hazard,
        app::Param,
        kind::{ParamShape, ParamSpec},
        text::SafeText,
    },
    runbook::{
        build::Outline,
        plan::Holds,
        signal,
        spec::{Lasting, Mutating, Signal, StepKindSpec, StepParam, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "command",
    title: "run a program",
    hazard: Hazard::Disruptive,
    params: &[
        StepParamSpec::Texts { name: "run", required: true },
        StepParamSpec::Texts { name: "done_when", required: false },
        StepParamSpec::Signals { name: "signals", required: false },
        StepParamSpec::Texts { name: "environment", required: false },
        StepParamSpec::Value(ParamSpec {
            name: "stop_after",
            shape: ParamShape::Duration,
            required: false,
            doc: "After this the program is killed, on the wall's clock; default 10 m.",
        }),
    ],
    undo: "irreversible by this console: what undoes it is the program's own affair",
    mutating: Mutating::Yes,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(15),
    default_expect: Duration::from_mins(1),
};

const STOP_AFTER: Duration = Duration::from_mins(10);
/// A program that only looks.
const LOOK_STOPS_AFTER: Duration = Duration::from_secs(30);

pub struct Command;

fn texts<'a>(about: &StepContext<'a>, name: &str) -> &'a [String] {
    match about.step.params.get(name) {
        Some(StepParam::Texts(texts)) => texts,
        _ => &[],
    }
}

fn signals<'a>(about: &StepContext<'a>) -> &'a [Signal] {
    match about.step.params.get("signals") {
        Some(StepParam::Signals(signals)) => signals,
        _ => &[],
    }
}

fn line(about: &StepContext<'_>, name: &str, timeout: Duration) -> Result<CommandLine, SafeText> {
    let Some((program, args)) = texts(about, name).split_first() else {
        return Err(SafeText::new(format!("`{name}` names no program")));
    };
    if !program.starts_with('/') {
        return Err(SafeText::new(format!("{program}: not an absolute path, so what would run is not known")));
    }
    Ok(CommandLine {
        program: program.clone(),
        args: args.to_vec(),
        environment: texts(about, "environment").to_vec(),
        timeout,
        done_when: texts(about, "done_when").to_vec(),
    })
}

fn run(about: &StepContext<'_>) -> Result<CommandLine, SafeText> {
    let stop_after = match about.step.value("stop_after") {
        Some(Param::Duration(stop_after)) => *stop_after,
        _ => STOP_AFTER,
    };
    if texts(about, "done_when").is_empty() && signals(about).is_empty() {
        return Err(SafeText::new("neither `done_when` nor `signals`: nothing could tell what became of it"));
    }
    line(about, "run", stop_after)
}

/// Exit 0 is done, exit 1 is not; anything else says nothing.
async fn outcome(about: &StepContext<'_>, eyes: &Eyes<'_>) -> Observed {
    if !texts(about, "done_when").is_empty() {
        let look = match line(about, "done_when", LOOK_STOPS_AFTER) {
            Ok(look) => look,
            Err(why) => return Observed::Unclear(why),
        };
        return match eyes.outside.look(&look).await {
            Ended::Exit { status: 0, last_line } => {
                Observed::Done(SafeText::new(format!("{} says done: {last_line}", look.program)))
            }
            Ended::Exit { status: 1, last_line } => {
                Observed::NotDone(SafeText::new(format!("{} says not done: {last_line}", look.program)))
            }
            Ended::Exit { status, last_line } => {
                Observed::Unclear(SafeText::new(format!("{} ends with {status}: {last_line}", look.program)))
            }
            Ended::NotStarted { why } | Ended::Cut { why } => {
                Observed::Unclear(SafeText::new(format!("{}: {why}", look.program)))
            }
        };
    }
    let mut told = Vec::new();
    let mut all = Holds::Yes;
    for wanted in signals(about) {
        let reading = signal::read(wanted, about.facts, about.now);
        told.push(format!("{}: {}", signal::words(wanted, about.facts.estate), reading.present));
        all = match (all, reading.holds) {
            (Holds::No, _) | (_, Holds::No) => Holds::No,
            (Holds::Unknown, _) | (_, Holds::Unknown) => Holds::Unknown,
            _ => Holds::Yes,
        };
    }
    let told = SafeText::new(told.join("; "));
    match all {
        Holds::Yes => Observed::Done(told),
        Holds::No => Observed::NotDone(told),
        Holds::Unknown => Observed::Unclear(told),
    }
}

fn done_when(about: &StepContext<'_>) -> String {
    let look = texts(about, "done_when");
    if !look.is_empty() {
        return format!("{} ends with 0", look.join(" "));
    }
    let words: Vec<String> = signals(about).iter().map(|s| signal::words(s, about.facts.estate)).collect();
    words.join(" and ")
}

impl StepKind for Command {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        Outline {
            calls: run(about).map(|line| vec![line.describe()]),
            summary: SafeText::new(format!("runs {}", texts(about, "run").join(" "))),
            done_when: SafeText::new(done_when(about)),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for Command {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let line = match run(about) {
            Ok(line) => line,
            Err(why) => return Prepared::NotNow(why),
        };
        match outcome(about, eyes).await {
            Observed::Done(detail) => Prepared::AlreadyDone(detail),
            Observed::InProgress(detail) => Prepared::Busy(detail),
            Observed::NotDone(_) => Prepared::Run(line),
            // What cannot be told before cannot be told after: then a time-out would leave nothing but doubt.
            Observed::Failed(why) | Observed::Unclear(why) => Prepared::NotNow(why),
        }
    }

    async fn observe(
        &self,
        about: &StepContext<'_>,
        _sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        outcome(about, eyes).await
    }
}
