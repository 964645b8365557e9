//! From a run and its checked record to its [`Evidence`]: each section is read off the entries, nothing is guessed.

use std::time::Duration;

use super::evidence::{
    AcceptedLoss, Answered, CallPart, ChainPart, Checked, Clocks, Declared, Evidence, Exceptions, GuardPart, Later,
    Leaves, LeftBehind, Leftovers, Loss, Moment, OfWave, Overridden, Param, PlanPart, RecordPart, Recorded, SCHEMA,
    Said, Seconds, Skipped, StepPart, Verdict, Window, Words,
};
use crate::{
    domain::{SafeText, StepId},
    runbook::{
        clocks, decide,
        event::{Entry, Event, Outcome},
        finding::Leftover,
        fold::{self, Course},
        plan::GuardReading,
        run::{Answer, Ask, Declaration, Phase, StepPhase},
    },
};

/// Everything that the record of a run proves.
#[must_use]
pub fn of(course: &Course, records: &[Recorded], checked: &Checked, kinds: &dyn Leaves) -> Evidence {
    let (run, plan) = (&course.shown, &course.frozen.plan);
    let mode = || plan.mode_word.clone();
    let until = run.ended_at.or_else(|| records.last().map(|last| last.entry.at)).unwrap_or(run.declared_at);
    let measured = run.measured.clone().unwrap_or_else(|| {
        (clocks::achieved(run, &run.timeline, until), clocks::loss_window(run, &run.timeline, until))
    });
    let (achieved, window) = measured;
    let steps = steps(course, records);
    let why = match &run.phase {
        Phase::Parked { why, .. } | Phase::Abandoned { why } => Some(why.clone()),
        _ => None,
    };
    Evidence {
        schema: SCHEMA,
        zone_of_words: Some(course.frozen.zone.clone()).filter(|zone| !zone.is_empty()),
        mode: mode(),
        run: run.id.0,
        standing: run.phase.word().to_owned(),
        why,
        exceptions: exceptions(records, mode()),
        declaration: declared(course, records, mode()),
        plan: PlanPart {
            mode: mode(),
            hash: plan.hash.0.clone(),
            runbook: plan.runbook.as_str().to_owned(),
            runbook_sha256: course.frozen.runbook_digest.clone(),
            title: plan.title.clone(),
            kind: plan.kind.word().to_owned(),
            app: plan.app.as_str().to_owned(),
            app_name: plan.app_name.clone(),
            target_region: plan.target_region.as_str().to_owned(),
            target_name: plan.target_name.clone(),
            account: plan.account.clone(),
            made_at: plan.made_at,
            oldest_fact_at: plan.facts_at,
        },
        clocks: Clocks {
            mode: mode(),
            outage_at: run.declaration.outage_at,
            declared_at: run.declared_at,
            ended_at: run.ended_at,
            until,
            from_outage: run.declaration.outage_at.map(|at| Seconds(until.since(at))),
            from_declaration: Seconds(until.since(run.declared_at)),
            machine: Seconds(achieved.machine),
            waiting: Seconds(achieved.waiting),
            critical_path: Seconds(achieved.critical_path),
            target: plan.rto_target.map(Seconds),
        },
        loss: Loss {
            mode: mode(),
            window: Window { from: window.from, to: window.to, basis: window.basis },
            accepted: accepted(records),
        },
        leftovers: Leftovers { mode: mode(), left: left(course, &steps, kinds) },
        steps,
        words: Words { mode: mode(), entries: words(records) },
        chain: ChainPart {
            mode: mode(),
            plan_sha256: checked.plan_sha256.clone(),
            records: records.iter().map(record).collect(),
            anchor: match (checked.anchor, checked.uncovered) {
                (false, _) => "none: the journal is older than anchors",
                (true, 0) => "covers every record",
                (true, _) => "does not cover the newest record yet",
            },
        },
    }
}

fn exceptions(records: &[Recorded], mode: String) -> Exceptions {
    let mut found = Exceptions { mode, overrides: Vec::new(), skips: Vec::new(), verdicts: Vec::new() };
    let mut asked: Option<&GuardReading> = None;
    for Recorded { seq, entry, .. } in records {
        let (seq, at, by) = (*seq, entry.at, entry.actor.clone());
        match &entry.event {
            Event::Asked { ask: Ask::Override { reading, .. } } => asked = Some(reading),
            Event::Answered { answer: Answer::Override { step, reason, authoriser, .. } } => {
                found.overrides.push(Overridden {
                    seq,
                    at,
                    step: step.clone(),
                    guard: asked.map(|reading| reading.text.clone()).unwrap_or_default(),
                    present: asked.map(|reading| reading.present.clone()).unwrap_or_default(),
                    reason: SafeText::new(reason),
                    authoriser: SafeText::new(authoriser),
                    by,
                });
            }
            Event::Answered { answer: Answer::Skip { step, reason } } => {
                found.skips.push(Skipped { seq, at, step: step.clone(), reason: SafeText::new(reason), by });
            }
            Event::Passed { step, reason } => {
                found.skips.push(Skipped { seq, at, step: step.clone(), reason: reason.clone(), by });
            }
            Event::Answered { answer: Answer::Verdict { step, ruling, evidence } } => {
                let (step, evidence) = (step.clone(), SafeText::new(evidence));
                found.verdicts.push(Verdict { seq, at, step, ruling: *ruling, evidence, by });
            }
            _ => {}
        }
    }
    found
}

fn declared(course: &Course, records: &[Recorded], mode: String) -> Declared {
    let first = records.first().and_then(|record| match &record.entry.event {
        Event::Declared { declaration, principal, .. } => Some((declaration, principal)),
        _ => None,
    });
    let run = &course.shown;
    let (declaration, principal) = first.unwrap_or((&run.declaration, &run.principal));
    let later = records.iter().filter_map(|Recorded { seq, entry, .. }| {
        let again = |declaration: &Declaration| format!("declared again: {}", declaration.incident);
        let what = match &entry.event {
            Event::Driven { epoch, declaration, .. } => {
                let words = declaration.as_ref().map_or_else(|| "to look only".to_owned(), again);
                format!("driver {epoch} took over, {words}")
            }
            Event::Answered { answer: Answer::Rearm(declaration) } => again(declaration),
            _ => return None,
        };
        Some(Later { seq: *seq, at: entry.at, what: SafeText::new(what), by: entry.actor.clone() })
    });
    Declared {
        mode,
        at: run.declared_at,
        who: declaration.who.clone(),
        principal: principal.clone(),
        incident: declaration.incident.clone(),
        app_typed: declaration.wave.is_none().then(|| SafeText::new(&declaration.app)),
        region_typed: declaration.wave.is_none().then(|| SafeText::new(&declaration.region)),
        wave: declaration.wave.as_ref().map(|mark| OfWave {
            id: mark.id.clone(),
            ordinal: mark.ordinal,
            size: mark.size,
            phrase: mark.phrase.clone(),
            accepts: mark.accepts.map(Seconds),
        }),
        later: later.collect(),
    }
}

fn accepted(records: &[Recorded]) -> Vec<AcceptedLoss> {
    let mut asked: Option<(Duration, &Vec<SafeText>)> = None;
    let mut accepted = Vec::new();
    for Recorded { seq, entry, .. } in records {
        match &entry.event {
            Event::Asked { ask: Ask::Loss { bound, lines, .. } } => asked = Some((*bound, lines)),
            Event::Answered { answer: Answer::AcceptLoss { step, typed } } => accepted.push(AcceptedLoss {
                seq: *seq,
                at: entry.at,
                step: step.clone(),
                phrase: SafeText::new(typed),
                bound: asked.filter(|(bound, _)| *bound != decide::UNBOUNDED).map(|(b, _)| Seconds(b)),
                lines: asked.map(|(_, lines)| lines.clone()).unwrap_or_default(),
                by: entry.actor.clone(),
            }),
            _ => {}
        }
    }
    accepted
}

fn guard(reading: &GuardReading) -> GuardPart {
    GuardPart {
        guard: reading.text.clone(),
        present: reading.present.clone(),
        data_at: reading.data_time,
        holds: reading.holds,
        overridden: reading.overridden.is_some(),
    }
}

fn steps(course: &Course, records: &[Recorded]) -> Vec<StepPart> {
    let parts = course.shown.steps.iter().zip(&course.frozen.plan.steps).map(|(step, planned)| StepPart {
        mode: course.frozen.plan.mode_word.clone(),
        id: step.id.clone(),
        title: planned.title.clone(),
        kind: planned.kind.clone(),
        hazard: planned.hazard.to_string(),
        standing: standing(&step.phase).to_owned(),
        detail: step.detail.clone(),
        attempts: step.attempts,
        started_at: step.started_at,
        ended_at: step.ended_at,
        guards: if planned.calls.is_empty() { step.guards.iter().map(guard).collect() } else { Vec::new() },
        calls: calls(&step.id, records),
    });
    parts.collect()
}

fn standing(phase: &StepPhase) -> &'static str {
    match phase {
        StepPhase::Pending => "not begun",
        StepPhase::Checking => "checking",
        StepPhase::WaitingForPerson => "waiting for a person",
        StepPhase::Intended => "intended, nothing sent",
        StepPhase::Sent => "sent, no answer on record",
        StepPhase::Observing => "accepted, not seen done",
        StepPhase::InDoubt => "in doubt",
        StepPhase::Done => "done",
        StepPhase::Refused => "refused",
        StepPhase::Failed => "failed",
        StepPhase::Skipped { .. } => "skipped",
    }
}

fn calls(of: &StepId, records: &[Recorded]) -> Vec<CallPart> {
    let mut calls: Vec<CallPart> = Vec::new();
    for Recorded { seq, entry, .. } in records.iter().filter(|record| record.entry.event.step() == Some(of)) {
        let moment = Moment { seq: *seq, at: entry.at };
        match (&entry.event, calls.last_mut()) {
            (Event::Intended { attempt, call, request_digest, guards, .. }, _) => calls.push(CallPart {
                attempt: *attempt,
                service: call.service.clone(),
                operation: call.operation.clone(),
                region: call.region.as_str().to_owned(),
                params: call
                    .params
                    .iter()
                    .map(|(name, value)| Param { name: name.clone(), value: value.clone() })
                    .collect(),
                request_sha256: request_digest.clone(),
                guards: guards.iter().map(guard).collect(),
                intended: moment,
                sent: None,
                outcome: None,
                call: call.clone(),
            }),
            (Event::Sent { .. }, Some(call)) => call.sent = Some(moment),
            (Event::Outcome { outcome, .. }, Some(call)) => {
                let (result, request_id, text) = match outcome {
                    Outcome::Succeeded { request_id, detail } => ("accepted", request_id.clone(), detail.clone()),
                    Outcome::Refused { code, message, request_id } => {
                        ("refused", request_id.clone(), SafeText::new(format!("{code}: {message}")))
                    }
                    Outcome::Unknown { why } => ("unknown", None, why.clone()),
                };
                call.outcome = Some(Answered { seq: *seq, at: entry.at, result, request_id, text });
            }
            _ => {}
        }
    }
    calls
}

/// What the run itself counts as still there, with the call that made it, in the order of the calls.
fn left(course: &Course, steps: &[StepPart], kinds: &dyn Leaves) -> Vec<LeftBehind> {
    let mut sent: Vec<(&StepPart, &CallPart, Moment)> = Vec::new();
    for step in steps {
        sent.extend(step.calls.iter().filter_map(|call| Some((step, call, call.sent?))));
    }
    sent.sort_by_key(|(_, _, moment)| moment.seq);
    let mut left: Vec<LeftBehind> = Vec::new();
    for (step, call, _) in sent {
        let result = call.outcome.as_ref().map(|outcome| outcome.result);
        if result == Some("refused") {
            continue;
        }
        let certain = result == Some("accepted") || step.standing == "done";
        let still = |what: &Leftover| course.shown.leftovers.contains(what);
        if let Some(what) = kinds.leaves(&step.kind, &call.call).filter(still) {
            left.push(LeftBehind { step: step.id.clone(), certain, what });
        }
    }
    left
}

fn text(entry: &Entry) -> SafeText {
    fold::line(entry).unwrap_or_else(|| {
        SafeText::new(match &entry.event {
            Event::Declared { declaration, .. } => format!("declared by {}: {}", declaration.who, declaration.incident),
            Event::Guarded { step, guards } => {
                let held = guards.iter().filter(|guard| !guard.blocks()).count();
                format!("{step}: {held} of {} guards hold or are overridden", guards.len())
            }
            other => other.word().to_owned(),
        })
    })
}

fn words(records: &[Recorded]) -> Vec<Said> {
    let spoken = records.iter().filter(|record| {
        matches!(record.entry.event, Event::Asked { .. } | Event::Answered { .. } | Event::Declared { .. })
    });
    let said = |record: &Recorded| Said {
        seq: record.seq,
        at: record.entry.at,
        kind: record.entry.event.word(),
        step: record.entry.event.step().cloned(),
        text: text(&record.entry),
        by: record.entry.actor.clone(),
    };
    spoken.map(said).collect()
}

fn record(record: &Recorded) -> RecordPart {
    RecordPart {
        seq: record.seq,
        at: record.entry.at,
        wall: record.wall,
        kind: record.entry.event.word(),
        step: record.entry.event.step().cloned(),
        by: record.entry.actor.clone(),
        text: text(&record.entry),
        sha256: record.hash.clone(),
    }
}
