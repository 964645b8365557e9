//! A record, and where a run stands, in words for a person.
//!
//! Must never: be parsed, or be what a decision rests on. Where to look next: `report` for whole runs.

use std::time::Duration;

use crate::{
    domain::{StepId, text::SafeText, time},
    runbook::{
        event::{Entry, Event, Outcome},
        run::{Answer, Ask, Ruling, RunState, StepPhase},
    },
};

/// The entry in words; `None` for what says nothing to a person.
#[must_use]
pub fn line(entry: &Entry) -> Option<SafeText> {
    let actor = &entry.actor;
    Some(SafeText::new(match &entry.event {
        Event::Declared { .. } | Event::Guarded { .. } => return None,
        Event::Driven { epoch, .. } => format!("taken over by {actor} (driver {epoch})"),
        Event::Lapsed { why } => format!("no longer armed: {why}"),
        Event::Begun { step, attempt: 1 } => format!("{step} begins"),
        Event::Begun { step, attempt } => format!("{step} begins, attempt {attempt}"),
        Event::Asked { ask } => match ask {
            Ask::Loss { step, phrase, .. } => format!("{step} asks to accept a loss of {phrase}"),
            Ask::Override { step, reading, .. } => format!("{step} is blocked: {} {}", reading.text, reading.present),
            Ask::Verdict { step, question } => format!("{step} is in doubt: {question}"),
            Ask::Noticed { step, lines } => format!("{step}: somebody else's hand: {}", listed(lines)),
            Ask::Rearm => "asks to be declared again".to_owned(),
            other => format!("{} waits for a person", other.step().map_or("it", StepId::as_str)),
        },
        Event::Answered { answer } => match answer {
            Answer::Go { step } => format!("{step} confirmed by {actor}"),
            Answer::AcceptLoss { step, typed } => format!("{step}: {typed} accepted by {actor}"),
            Answer::Override { step, reason, authoriser, .. } => {
                format!("{step}: guard overridden by {actor}, authorised by {authoriser}: {reason}")
            }
            Answer::Verdict { step, ruling, evidence } => {
                let word = if *ruling == Ruling::Applied { "applied" } else { "not applied" };
                format!("{step} ruled {word} by {actor}: {evidence}")
            }
            Answer::Rearm(declaration) => format!("declared again by {}", declaration.who),
            Answer::Hold => format!("held by {actor}"),
            Answer::Release => format!("released by {actor}"),
            Answer::Retry { step } => format!("{step} to be tried again, says {actor}"),
            Answer::Skip { step, reason } => format!("{step} skipped by {actor}: {reason}"),
            Answer::Abandon { reason } => format!("abandoned by {actor}: {reason}"),
            Answer::Note { text } => format!("{actor}: {text}"),
        },
        Event::Voided { step, why } => format!("{step}: confirmation void: {why}"),
        Event::Intended { step, call, .. } => format!("{step} will call {call}"),
        Event::Withdrawn { step, why } => format!("{step}: nothing was sent: {why}"),
        Event::Sent { step, .. } => format!("{step} sent"),
        Event::Outcome { step, outcome, .. } => match outcome {
            Outcome::Succeeded { request_id, .. } => {
                format!("{step} accepted, request {}", request_id.as_deref().unwrap_or("without id"))
            }
            Outcome::Refused { code, message, .. } => format!("{step} refused: {code}: {message}"),
            Outcome::Unknown { why } => format!("{step} in doubt: {why}"),
        },
        Event::Done { step, detail } => format!("{step} done: {detail}"),
        Event::Failed { step, detail, .. } => format!("{step} failed: {detail}"),
        Event::Passed { step, reason } => format!("{step} passed over: {reason}"),
        Event::Parked { why, .. } => format!("parked: {why}"),
        Event::Switched { plan_hash, declaration, .. } => {
            format!("another plan, {}: declared by {}", plan_hash.short(), declaration.who)
        }
        Event::Measured { achieved, loss } => format!(
            "took {} from the declaration, {} of it machine time; to reconcile: {}",
            time::short_up(achieved.from_declaration),
            time::short_up(achieved.machine),
            loss.basis
        ),
        Event::Completed { exceptions: 0 } => "completed".to_owned(),
        Event::Completed { exceptions } => format!("completed with exceptions: {exceptions}"),
    }))
}

fn listed(lines: &[SafeText]) -> String {
    lines.iter().map(SafeText::as_str).collect::<Vec<_>>().join("; ")
}

/// One line on where an unfinished run stands, for the next start.
#[must_use]
pub fn standing(run: &RunState) -> SafeText {
    let step = run.steps.iter().find(|step| !step.phase.ended() && step.phase != StepPhase::Pending);
    let at = step.map_or_else(String::new, |step| {
        let since = step.started_at.map_or(Duration::ZERO, |at| at.since(run.declared_at));
        format!(", step {} {}, begun {} after the declaration", step.id, step.phase.word(), time::short(since))
    });
    SafeText::new(format!("run {} {}{at}", run.id, run.phase.word()))
}
