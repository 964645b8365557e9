//! What a person may say of a run as it stands, and what it changes.
//!
//! Must never: admit an answer to a question that is not open, or one without the reason, authoriser or evidence it
//! needs. Where to look next: [`crate::runbook::run::Answer`], and [`crate::runbook::decide`] for what is asked when.

use super::course::{Confirmation, Course, Illegal, Progress, end, illegal};
use crate::{
    domain::text::SafeText,
    runbook::{
        decide,
        event::Entry,
        plan::Override,
        run::{Answer, Ask, Declaration, Phase, Ruling, StepPhase, StepState},
    },
};

/// Whether the answer may be given now. The same test refuses a person's answer before it is written down.
///
/// # Errors
/// In words for the person.
pub fn admit(course: &Course, answer: &Answer) -> Result<(), Illegal> {
    let plan = &course.frozen.plan;
    let asked = course.ask.as_ref();
    if course.shown.phase.ended() && !matches!(answer, Answer::Note { .. }) {
        return Err(illegal("the run has ended"));
    }
    match answer {
        Answer::Go { step } => match asked {
            Some(
                Ask::Key { step: s }
                | Ask::Chord { step: s }
                | Ask::Noticed { step: s, .. }
                | Ask::Confirm { step: s, .. },
            ) if s == step => Ok(()),
            Some(Ask::Loss { .. }) => Err(illegal("a data loss is accepted by typing it")),
            _ => Err(illegal("nothing of that kind is asked")),
        },
        Answer::AcceptLoss { step, typed } => match asked {
            Some(Ask::Loss { step: s, phrase, .. }) if s == step => {
                if typed == phrase {
                    Ok(())
                } else {
                    Err(illegal(format!("not what is asked: type {phrase}")))
                }
            }
            _ => Err(illegal("no loss is asked about")),
        },
        Answer::Override { step, guard, reason, authoriser } => match asked {
            Some(Ask::Override { step: s, guard: g, reading }) if s == step && g == guard => {
                if !reading.overridable {
                    Err(illegal("the runbook lets nobody override this guard"))
                } else if reason.trim().is_empty() || authoriser.trim().is_empty() {
                    Err(illegal("an override needs a reason and a named authoriser"))
                } else {
                    Ok(())
                }
            }
            _ => Err(illegal("no override is asked for: only where the runbook declares one")),
        },
        Answer::Verdict { step, evidence, .. } => match asked {
            Some(Ask::Verdict { step: s, .. }) if s == step => {
                if evidence.trim().is_empty() {
                    Err(illegal("a verdict needs its evidence"))
                } else {
                    Ok(())
                }
            }
            _ => Err(illegal("nothing is in doubt")),
        },
        Answer::Rearm(declaration) => typed_as_it_stands(
            declaration,
            &plan.app_name,
            plan.app.as_str(),
            &plan.target_name,
            plan.target_region.as_str(),
        ),
        Answer::Hold if course.held => Err(illegal("it is held already")),
        Answer::Release if !course.held => Err(illegal("it is not held")),
        Answer::Hold | Answer::Release | Answer::Note { .. } => Ok(()),
        Answer::Retry { step } => {
            let n = course.at_step(step)?;
            let again = matches!(course.shown.steps[n].phase, StepPhase::Failed | StepPhase::Refused)
                || (course.parked.is_some() && course.shown.steps[n].phase == StepPhase::Checking);
            if again { Ok(()) } else { Err(illegal("only a step that failed or was parked is tried again")) }
        }
        Answer::Skip { step, reason } => {
            let n = course.at_step(step)?;
            let state = &course.shown.steps[n];
            if reason.trim().is_empty() {
                Err(illegal("a skip needs a reason"))
            } else if state.phase.ended() {
                Err(illegal("the step has ended"))
            } else if course.in_flight(n) {
                Err(illegal("a call of this step is out: what became of it must be known first"))
            } else if plan.steps[n]
                .after
                .iter()
                .any(|id| course.index(id).is_some_and(|before| !course.shown.steps[before].phase.ended()))
            {
                Err(illegal("its turn has not come"))
            } else {
                Ok(())
            }
        }
        Answer::Abandon { reason } => {
            let out = |step: &StepState| matches!(step.phase, StepPhase::Intended | StepPhase::Sent);
            if reason.trim().is_empty() {
                Err(illegal("abandoning needs a reason"))
            } else if course.shown.driven && course.shown.steps.iter().any(out) {
                Err(illegal("a call is going out at this moment"))
            } else {
                Ok(())
            }
        }
    }
}

/// App and target Region are typed as they stand now: by id, or by name without regard to case.
///
/// # Errors
/// Which of them does not match, or what is missing.
pub fn typed_as_it_stands(
    declaration: &Declaration,
    app_name: &str,
    app_id: &str,
    region_name: &str,
    region_id: &str,
) -> Result<(), Illegal> {
    let same = |typed: &str, id: &str, name: &str| typed == id || typed.to_lowercase() == name.to_lowercase();
    if declaration.who.trim().is_empty() {
        return Err(illegal("who declares?"));
    }
    if declaration.incident.trim().is_empty() {
        return Err(illegal("which incident?"));
    }
    if !same(declaration.app.trim(), app_id, app_name) {
        return Err(illegal(format!("the app is {app_id}, typed was {}", SafeText::new(&declaration.app))));
    }
    if !same(declaration.region.trim(), region_id, region_name) {
        return Err(illegal(format!(
            "the target Region is {region_id}, typed was {}",
            SafeText::new(&declaration.region)
        )));
    }
    Ok(())
}

pub(super) fn answered(course: &mut Course, entry: &Entry, answer: &Answer) -> Result<(), Illegal> {
    admit(course, answer)?;
    let at = entry.at;
    match answer {
        Answer::Go { step } | Answer::AcceptLoss { step, .. } => {
            let n = course.at_step(step)?;
            let loss = match course.ask.take() {
                Some(Ask::Noticed { lines, .. }) => {
                    course.noticed.extend(lines);
                    course.shown.steps[n].phase = StepPhase::Checking;
                    return Ok(());
                }
                Some(Ask::Loss { rounded, bound, .. }) => (bound != decide::UNBOUNDED).then_some(rounded),
                _ => None,
            };
            course.progress[n].confirmed = Some(Confirmation { guards: course.shown.steps[n].guards.clone(), loss });
            course.shown.steps[n].phase = StepPhase::Checking;
        }
        Answer::Override { step, guard, reason, authoriser } => {
            let n = course.at_step(step)?;
            if let Some(Ask::Override { reading, .. }) = course.ask.take() {
                let given = Override { reason: SafeText::new(reason), authoriser: SafeText::new(authoriser), at };
                if let Some(shown) = course.shown.steps[n].guards.get_mut(*guard) {
                    shown.overridden = Some(given.clone());
                }
                course.progress[n].overrides.insert(*guard, (given, reading));
            }
            course.shown.steps[n].phase = StepPhase::Checking;
        }
        Answer::Verdict { step, ruling, evidence } => {
            let n = course.at_step(step)?;
            course.ask = None;
            match ruling {
                Ruling::Applied => {
                    let detail = SafeText::new(format!("ruled applied by {}: {evidence}", entry.actor));
                    end(course, n, StepPhase::Done, detail, at);
                }
                Ruling::NotApplied => {
                    let state = &mut course.shown.steps[n];
                    state.phase = StepPhase::Failed;
                    state.detail = SafeText::new(format!("ruled not applied by {}: {evidence}", entry.actor));
                    course.parked = Some((Some(step.clone()), state.detail.clone()));
                }
            }
        }
        Answer::Rearm(declaration) => {
            if matches!(course.ask, Some(Ask::Rearm)) {
                course.ask = None;
            }
            course.armed = true;
            course.shown.declaration.who = declaration.who.clone();
        }
        Answer::Hold => course.held = true,
        Answer::Release => course.held = false,
        Answer::Retry { step } => {
            let n = course.at_step(step)?;
            course.progress[n] = Progress::default();
            let state = &mut course.shown.steps[n];
            state.phase = StepPhase::Pending;
            state.guards.clear();
            state.detail = SafeText::new("to be tried again");
            course.parked = None;
        }
        Answer::Skip { step, reason } => {
            let n = course.at_step(step)?;
            let reason = SafeText::new(reason);
            course.progress[n].exception = true;
            if course.ask.as_ref().and_then(Ask::step) == Some(step) {
                course.ask = None;
            }
            course.parked = None;
            end(course, n, StepPhase::Skipped { reason: reason.clone() }, reason, at);
        }
        Answer::Abandon { reason } => {
            course.ask = None;
            course.parked = None;
            course.shown.phase = Phase::Abandoned { why: SafeText::new(reason) };
            course.shown.ended_at = Some(at);
        }
        Answer::Note { text } => course.shown.notes.push((at, SafeText::new(text))),
    }
    Ok(())
}
