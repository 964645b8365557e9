//! What each record changes. The legal order of records is the order in which this accepts them.
//!
//! Must never: let an intent pass that is not armed, not confirmed, or past a guard that blocks; nor anything be sent
//! that was not intended. Where to look next: [`super::answers`] for what people say.

use super::{
    answers::answered,
    course::{Course, Illegal, end, expect, illegal, nothing_left},
    switched::switched,
};
use crate::{
    domain::{Hazard, text::SafeText},
    runbook::{
        event::{Entry, Event, Failure, Outcome},
        plan::GuardReading,
        run::{Ask, Phase, StepPhase},
        spec::{RunbookKind, Variant},
    },
};

pub(super) fn transition(course: &mut Course, entry: &Entry) -> Result<(), Illegal> {
    let at = entry.at;
    match &entry.event {
        Event::Declared { .. } => return Err(illegal("a run is declared once")),
        Event::Driven { epoch, principal, declaration } => {
            if *epoch <= course.shown.epoch {
                return Err(illegal(format!("epoch {epoch} after epoch {}", course.shown.epoch)));
            }
            course.shown.epoch = *epoch;
            course.shown.principal = principal.clone();
            course.armed = declaration.is_some();
            // From here on it is this person's word; who declared the run stays in its first record.
            if let Some(declaration) = declaration {
                course.shown.declaration.who = declaration.who.clone();
            }
            if declaration.is_some() && matches!(course.ask, Some(Ask::Rearm)) {
                course.ask = None;
            }
        }
        Event::Lapsed { .. } => course.armed = false,
        Event::Begun { step, attempt } => {
            let n = course.at_step(step)?;
            expect(course, n, &[StepPhase::Pending], "begins")?;
            let state = &mut course.shown.steps[n];
            state.phase = StepPhase::Checking;
            state.attempts = *attempt;
            state.started_at = state.started_at.or(Some(at));
        }
        Event::Guarded { step, guards } => {
            let n = course.at_step(step)?;
            expect(course, n, &[StepPhase::Checking], "guards are read")?;
            course.shown.steps[n].guards.clone_from(guards);
        }
        Event::Asked { ask } => {
            if course.ask.is_some() {
                return Err(illegal("a second question while one is open"));
            }
            if let Some(step) = ask.step() {
                let n = course.at_step(step)?;
                let from: &[StepPhase] = match ask {
                    Ask::Verdict { .. } => &[StepPhase::InDoubt],
                    _ => &[StepPhase::Checking],
                };
                expect(course, n, from, "a person is asked")?;
                if !matches!(ask, Ask::Verdict { .. }) {
                    course.shown.steps[n].phase = StepPhase::WaitingForPerson;
                }
            }
            if matches!(ask, Ask::Verdict { .. }) {
                course.armed = false; // in doubt is parked: going on needs a new declaration
            }
            course.ask = Some(ask.clone());
        }
        Event::Answered { answer } => answered(course, entry, answer)?,
        Event::Voided { step, .. } => {
            let n = course.at_step(step)?;
            expect(course, n, &[StepPhase::Checking], "a confirmation is voided")?;
            course.progress[n].confirmed = None;
            course.progress[n].overrides.clear();
        }
        Event::Intended { step, attempt, plan_hash, call, request_digest, guards, traces } => {
            let n = course.at_step(step)?;
            expect(course, n, &[StepPhase::Checking], "an intent is written")?;
            if *plan_hash != course.frozen.plan.hash {
                return Err(illegal("an intent for another plan"));
            }
            if !course.armed {
                return Err(illegal("an intent while not armed"));
            }
            if course.frozen.plan.steps[n].hazard != Hazard::None
                && course.progress[n].confirmed.is_none()
                && course.listed(n).is_none()
            {
                return Err(illegal("an intent that nobody confirmed"));
            }
            if guards.iter().any(GuardReading::blocks) {
                return Err(illegal("an intent past a guard that blocks"));
            }
            let state = &mut course.shown.steps[n];
            if state.attempts != *attempt {
                return Err(illegal("an intent of another attempt"));
            }
            state.phase = StepPhase::Intended;
            state.guards.clone_from(guards);
            let progress = &mut course.progress[n];
            progress.call = Some(call.clone());
            progress.traces = traces.clone();
            progress.request_digest = Some(request_digest.clone());
            progress.accepted = None;
            progress.observing_since = None;
        }
        Event::Withdrawn { step, .. } => {
            let n = course.at_step(step)?;
            expect(course, n, &[StepPhase::Intended], "an intent is withdrawn")?;
            course.shown.steps[n].phase = StepPhase::Checking;
        }
        Event::Sent { step, request_digest, .. } => {
            let n = course.at_step(step)?;
            expect(course, n, &[StepPhase::Intended], "a call is sent")?;
            if course.progress[n].request_digest.as_ref() != Some(request_digest) {
                return Err(illegal("what is sent is not what was intended"));
            }
            course.shown.steps[n].phase = StepPhase::Sent;
            // From here on it may exist, whatever is heard.
            if let Some(left) = &course.progress[n].traces.leaves
                && !course.shown.leftovers.contains(left)
            {
                course.shown.leftovers.push(left.clone());
                course.progress[n].listed = true;
            }
        }
        Event::Outcome { step, outcome, .. } => {
            let n = course.at_step(step)?;
            expect(course, n, &[StepPhase::Sent], "an outcome is recorded")?;
            if matches!(outcome, Outcome::Refused { .. }) {
                nothing_left(course, n);
            }
            let (state, progress) = (&mut course.shown.steps[n], &mut course.progress[n]);
            match outcome {
                Outcome::Succeeded { request_id, detail } => {
                    state.phase = StepPhase::Observing;
                    state.request_id.clone_from(request_id);
                    let id = request_id.as_ref().map_or("accepted", |id| id.as_str());
                    state.detail = SafeText::new(format!("request {id}"));
                    progress.accepted = Some(detail.clone());
                    progress.observing_since = Some(at);
                }
                Outcome::Refused { code, message, request_id } => {
                    state.phase = StepPhase::Refused;
                    state.request_id.clone_from(request_id);
                    state.detail = SafeText::new(format!("refused: {code}: {message}"));
                }
                Outcome::Unknown { why } => {
                    state.phase = StepPhase::InDoubt;
                    state.detail = SafeText::new(format!("in doubt: {why}"));
                    progress.observing_since = Some(at);
                }
            }
        }
        Event::Done { step, detail } => {
            let n = course.at_step(step)?;
            let from = [StepPhase::Checking, StepPhase::Observing, StepPhase::InDoubt];
            expect(course, n, &from, "is done")?;
            end(course, n, StepPhase::Done, detail.clone(), at);
        }
        Event::Failed { step, detail, failure } => {
            let n = course.at_step(step)?;
            let from = [StepPhase::Checking, StepPhase::Observing, StepPhase::InDoubt];
            expect(course, n, &from, "fails")?;
            if *failure == Failure::Unseen {
                nothing_left(course, n);
            }
            let state = &mut course.shown.steps[n];
            state.phase = StepPhase::Failed;
            state.detail = detail.clone();
        }
        Event::Passed { step, reason } => {
            let n = course.at_step(step)?;
            expect(course, n, &[StepPhase::Checking, StepPhase::Failed], "is passed over")?;
            course.progress[n].exception = true;
            end(course, n, StepPhase::Skipped { reason: reason.clone() }, reason.clone(), at);
        }
        Event::Parked { step, why } => {
            course.parked = Some((step.clone(), why.clone()));
            course.armed = false;
        }
        Event::Switched { plan_hash, frozen, declaration } => switched(course, plan_hash, frozen, declaration)?,
        Event::Measured { achieved, loss } => {
            if course.shown.steps.iter().any(|step| !step.phase.ended()) {
                return Err(illegal("measured with steps still open"));
            }
            course.shown.measured = Some((achieved.clone(), loss.clone()));
        }
        Event::Completed { exceptions } => {
            if course.shown.steps.iter().any(|step| !step.phase.ended()) {
                return Err(illegal("completed with steps still open"));
            }
            course.shown.phase = Phase::Completed { exceptions: *exceptions };
            course.shown.ended_at = Some(at);
            let plan = &course.frozen.plan;
            if plan.kind == RunbookKind::Failover && plan.variant == Variant::Whole {
                course.shown.unprotected_since = Some(at);
            }
        }
    }
    Ok(())
}
