//! A checklist that a person goes through; nothing is read and nothing is called.

use std::time::Duration;

use super::kind::{ChecklistStep, Conduct, StepContext, StepKind};
use crate::{
    domain::{Hazard, text::SafeText},
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec, StepParam, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "confirm",
    title: "confirm",
    hazard: Hazard::None,
    params: &[
        StepParamSpec::Texts { name: "items", required: true },
        // Ids of earlier steps: what they left is gone by the word of whoever confirms, where no kind can look.
        StepParamSpec::Texts { name: "takes_away", required: false },
    ],
    undo: "nothing to undo: a person says so",
    mutating: Mutating::Asks,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(15),
    default_expect: Duration::from_secs(30),
};

pub struct Confirm;

impl StepKind for Confirm {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        Outline {
            calls: Ok(Vec::new()),
            summary: SafeText::new(format!("a person confirms {} items", self.items(about).len())),
            done_when: SafeText::new("every item is confirmed"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Asks(self)
    }
}

impl ChecklistStep for Confirm {
    fn items(&self, about: &StepContext<'_>) -> Vec<SafeText> {
        match about.step.params.get("items") {
            Some(StepParam::Texts(items)) => items.iter().map(SafeText::new).collect(),
            _ => Vec::new(),
        }
    }
}
