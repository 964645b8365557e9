//! What a kind of step must say of itself, split by type: whoever acts must also be able to look at the outcome.
//!
//! Nothing here sends a mutating call: [`MutatingStep::prepare`] makes the call as a value, and the engine sends it
//! once, after its intent is on disk.

use async_trait::async_trait;

use super::outside::{CommandLine, Outside};
pub use crate::runbook::finding::{Finding, Observed};
use crate::{
    aws::{Reader, WriteOp},
    domain::{CallDescription, Component, ProbeError, Side, Timestamp, text::SafeText},
    runbook::{
        build::{FrozenStep, Outline},
        guards::LossBound,
        signal::Facts,
        spec::{RunbookKind, StepKindSpec},
    },
};

/// What a step knows when it is asked.
#[derive(Clone, Copy, Debug)]
pub struct StepContext<'a> {
    pub facts: &'a Facts<'a>,
    pub step: &'a FrozenStep,
    /// Of the whole runbook.
    pub kind: RunbookKind,
    /// Where the runbook takes the app.
    pub target: Side,
    /// When the step first began; `None` while it is only planned.
    pub begun_at: Option<Timestamp>,
    /// When the step that this one's `made_by` names first began in this run; `None` when it did not, and in a plan.
    pub maker_began: Option<Timestamp>,
    /// Digest of run, step and attempt: what a call with an idempotency token sends as that. The same attempt
    /// always has the same one; `None` where there is no attempt, as in a plan.
    pub token: Option<&'a str>,
    pub now: Timestamp,
}

/// What a step may look through: nothing here can change anything.
#[derive(Clone, Copy)]
pub struct Eyes<'a> {
    pub reader: &'a Reader,
    pub outside: &'a dyn Outside,
}

impl std::fmt::Debug for Eyes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Eyes")
    }
}

impl<'a> StepContext<'a> {
    /// The component that the step names.
    ///
    /// # Errors
    /// When the app has none of that name any more.
    pub fn component(&self) -> Result<&'a Component, SafeText> {
        let id = self.step.component().ok_or_else(|| SafeText::new("the step names no component"))?;
        self.facts
            .app
            .component(&id)
            .ok_or_else(|| SafeText::new(format!("{} has no component {id}", self.facts.app.id)))
    }

    /// The step's own target, else the runbook's.
    #[must_use]
    pub fn target(&self) -> Side {
        self.step.side("target").unwrap_or(self.target)
    }
}

/// One kind of step.
pub trait StepKind: Sync {
    fn spec(&self) -> &'static StepKindSpec;

    /// What the plan shows.
    fn outline(&self, about: &StepContext<'_>) -> Outline;

    fn conduct(&self) -> Conduct<'_>;
}

/// What a kind does when its turn comes.
pub enum Conduct<'a> {
    /// Answers from facts alone.
    Reads(&'a dyn ReadingStep),
    /// Looks for itself: at AWS, or over HTTP.
    Probes(&'a dyn ProbingStep),
    /// Puts a checklist before a person.
    Asks(&'a dyn ChecklistStep),
    Acts(&'a dyn MutatingStep),
}

pub trait ReadingStep: Sync {
    fn read(&self, about: &StepContext<'_>) -> Finding;
}

#[async_trait]
pub trait ProbingStep: Sync {
    async fn probe(&self, about: &StepContext<'_>, eyes: &Eyes<'_>) -> Finding;
}

pub trait ChecklistStep: Sync {
    fn items(&self, about: &StepContext<'_>) -> Vec<SafeText>;
}

/// A kind that calls something with side effects.
#[async_trait]
pub trait MutatingStep: Sync {
    /// Reads what stands now and makes the call as a value.
    async fn prepare(&self, about: &StepContext<'_>, planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared;

    /// Whether what `sent` asks for is so. `accepted` is what the call's answer gave to observe it by.
    async fn observe(
        &self,
        about: &StepContext<'_>,
        sent: &CallDescription,
        accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed;

    /// What data may be lost by acting now; `None`: none by this kind's nature.
    fn loss(&self, _about: &StepContext<'_>) -> Option<LossBound> {
        None
    }

    /// As [`Self::loss`], when its turn has come: a kind may look at what no fact tells.
    async fn loss_now(&self, about: &StepContext<'_>, _eyes: &Eyes<'_>) -> Option<LossBound> {
        self.loss(about)
    }

    /// What a call of this kind makes that stays until somebody takes it away: a drill must clean it up.
    fn leaves(&self, _sent: &CallDescription) -> Option<Leftover> {
        None
    }

    /// What a call of this kind takes away.
    fn clears(&self, _sent: &CallDescription) -> Option<Leftover> {
        None
    }
}

pub use crate::runbook::finding::Leftover;

/// What is to be sent, or why nothing is.
#[derive(Debug)]
pub enum Prepared {
    Send(Box<dyn WriteOp>),
    /// A program to run, once; [`CommandLine::describe`] is what the plan shows.
    Run(CommandLine),
    /// So before this run acted: nothing is sent.
    AlreadyDone(SafeText),
    /// Somebody's operation is under way on the same thing.
    Busy(SafeText),
    /// The runbook says that the step is passed over in this case.
    PassOver(SafeText),
    /// The situation is not the planned one, or cannot be read.
    NotNow(SafeText),
}

/// A failed read in words.
#[must_use]
pub fn why(error: &ProbeError) -> SafeText {
    SafeText::new(format!("{} in {}: {}: {}", error.call, error.region, error.failure.word(), error.message))
}

/// Whether `actual` is what the plan showed. A planned value may end in `*` where only its beginning can be known
/// beforehand, e.g. the name of a snapshot that AWS will make.
#[must_use]
pub fn covers(planned: &CallDescription, actual: &CallDescription) -> bool {
    let same = |planned: &str, actual: &str| match planned.strip_suffix('*') {
        Some(beginning) => actual.starts_with(beginning),
        None => planned == actual,
    };
    planned.service == actual.service
        && planned.operation == actual.operation
        && planned.region == actual.region
        && planned.params.len() == actual.params.len()
        && planned.params.iter().zip(&actual.params).all(|(p, a)| p.0 == a.0 && same(&p.1, &a.1))
}

/// A parameter of a call, by name.
pub(super) fn param<'a>(call: &'a CallDescription, name: &str) -> Option<&'a str> {
    call.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Hazard;

    fn call(params: &[(&str, &str)]) -> CallDescription {
        CallDescription {
            service: "rds".into(),
            operation: "CopyDBClusterSnapshot".into(),
            region: "ap-south-1".into(),
            params: params.iter().map(|(k, v)| ((*k).to_owned(), SafeText::new(v))).collect(),
            hazard: Hazard::Reversible,
            iam_actions: Vec::new(),
        }
    }

    #[test]
    fn what_is_sent_must_be_what_was_shown_up_to_a_name_that_aws_makes() {
        let planned = call(&[("Source", "rds:unplanned-*"), ("Target", "kept")]);
        assert!(covers(&planned, &call(&[("Source", "rds:unplanned-2026"), ("Target", "kept")])));
        assert!(!covers(&planned, &call(&[("Source", "rds:other"), ("Target", "kept")])));
        assert!(!covers(&planned, &call(&[("Source", "rds:unplanned-1"), ("Target", "kept-2")])));
        assert!(!covers(&planned, &call(&[("Source", "rds:unplanned-1")])));
    }
}
