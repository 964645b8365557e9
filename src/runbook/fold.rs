//! The one transition function: `(course, entry) -> course`. Live recording and recovery both go through it.
//!
//! Must never: look at a clock, guess, or accept what cannot follow. An illegal event is an error, also when it
//! comes from our own journal.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    build::Frozen,
    clocks::{self, Timeline},
    event::{Entry, Event, Failure, Outcome},
    finding::{Leftover, Traces},
    plan::{GuardReading, Override, Plan, PlanHash, PlannedStep},
    run::{Answer, Ask, Declaration, Phase, Ruling, RunId, RunState, StepPhase, StepState},
    spec::{self, RunbookKind, Variant},
};
use crate::domain::{CallDescription, Hazard, StepId, Timestamp, text::SafeText, time};

/// Lines kept for the screen; the journal keeps all.
const LOG_LINES_MAX: usize = 200;

/// A run with what its driver must remember besides what is shown.
#[derive(Clone, Debug)]
pub struct Course {
    pub shown: RunState,
    pub frozen: Arc<Frozen>,
    pub progress: Vec<Progress>,
    /// Whether new steps may begin and calls be sent.
    pub armed: bool,
    pub held: bool,
    pub parked: Option<(Option<StepId>, SafeText)>,
    pub ask: Option<Ask>,
    /// What somebody else did, as far as it was shown to a person of this run.
    pub noticed: Vec<SafeText>,
}

/// Of one step, parallel to the plan's.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub confirmed: Option<Confirmation>,
    /// Given overrides, each with the reading that it was given for.
    pub overrides: BTreeMap<usize, (Override, GuardReading)>,
    /// The call of the newest attempt.
    pub call: Option<CallDescription>,
    pub traces: Traces,
    pub request_digest: Option<String>,
    /// What the accepted call answered that helps to observe it, e.g. the id of a DNS change.
    pub accepted: Option<SafeText>,
    /// Since when the newest attempt has been observed, or in doubt.
    pub observing_since: Option<Timestamp>,
    /// Whether a person ended it by skipping, or the runbook's policy.
    pub exception: bool,
}

/// What a person confirmed.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirmation {
    pub guards: Vec<GuardReading>,
    /// The accepted bound of a data loss; `None`: no loss was asked about, or an unknown amount was accepted.
    pub loss: Option<Duration>,
}

/// What cannot follow, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Illegal(pub SafeText);

fn illegal(why: impl AsRef<str>) -> Illegal {
    Illegal(SafeText::new(why))
}

impl Course {
    #[must_use]
    pub fn index(&self, step: &StepId) -> Option<usize> {
        self.shown.steps.iter().position(|state| state.id == *step)
    }

    fn at_step(&self, step: &StepId) -> Result<usize, Illegal> {
        self.index(step).ok_or_else(|| illegal(format!("the plan has no step {step}")))
    }

    /// Overrides given, in the shape that guards are evaluated with.
    #[must_use]
    pub fn overrides(&self, n: usize) -> Vec<(usize, Override)> {
        self.progress[n].overrides.iter().map(|(guard, (given, _))| (*guard, given.clone())).collect()
    }

    /// A call of the step may be under way or in doubt.
    #[must_use]
    pub fn in_flight(&self, n: usize) -> bool {
        matches!(
            self.shown.steps[n].phase,
            StepPhase::Intended | StepPhase::Sent | StepPhase::Observing | StepPhase::InDoubt
        )
    }
}

/// A run from the first entry of its journal.
///
/// # Errors
/// When the entry is not a declaration of this plan.
pub fn begin(id: RunId, frozen: Arc<Frozen>, entry: &Entry) -> Result<Course, Illegal> {
    let Event::Declared { plan_hash, declaration, principal } = &entry.event else {
        return Err(illegal("a run begins with its declaration"));
    };
    if *plan_hash != frozen.plan.hash {
        return Err(illegal("declared for another plan"));
    }
    let shown = RunState {
        id,
        plan: Arc::new(frozen.plan.clone()),
        declaration: declaration.clone(),
        principal: principal.clone(),
        declared_at: entry.at,
        ended_at: None,
        phase: Phase::Armed,
        steps: blank(&frozen.plan),
        epoch: 1,
        driven: false,
        waited: Duration::ZERO,
        waiting_since: None,
        notes: Vec::new(),
        log: vec![(entry.at, SafeText::new(format!("declared by {}: {}", declaration.who, declaration.incident)))],
        unprotected_since: None,
        timeline: Timeline::of([entry]),
        measured: None,
        leftovers: Vec::new(),
    };
    let progress = vec![Progress::default(); frozen.plan.steps.len()];
    Ok(Course { shown, frozen, progress, armed: true, held: false, parked: None, ask: None, noticed: Vec::new() })
}

/// A run from its whole journal.
///
/// # Errors
/// At the first entry that cannot follow.
pub fn fold<'a>(
    id: RunId,
    frozen: Arc<Frozen>,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<Course, Illegal> {
    let mut entries = entries.into_iter();
    let first = entries.next().ok_or_else(|| illegal("a run without a single record"))?;
    entries.try_fold(begin(id, frozen, first)?, apply)
}

/// What follows from the entry.
///
/// # Errors
/// When it cannot follow.
pub fn apply(mut course: Course, entry: &Entry) -> Result<Course, Illegal> {
    if course.shown.phase.ended() && !matches!(entry.event, Event::Answered { answer: Answer::Note { .. } }) {
        return Err(illegal(format!("{} after the run ended", entry.event.word())));
    }
    course.shown.timeline.note(entry);
    transition(&mut course, entry)?;
    settle(&mut course, entry);
    Ok(course)
}

fn transition(course: &mut Course, entry: &Entry) -> Result<(), Illegal> {
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
                && (course.shown.declaration.wave.is_none() || *attempt > 1)
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

/// What is done in both plans by the same step stays done. Nothing may be out while the plan changes under it.
fn switched(course: &mut Course, hash: &PlanHash, json: &str, declaration: &Declaration) -> Result<(), Illegal> {
    if (0..course.progress.len()).any(|n| course.in_flight(n)) {
        return Err(illegal("a call is out: what became of it must be known before the plan changes"));
    }
    let frozen: Frozen =
        serde_json::from_str(json).map_err(|error| illegal(format!("the new plan cannot be read: {error}")))?;
    if frozen.plan.hash != *hash {
        return Err(illegal("the new plan is not the one that was looked at"));
    }
    if frozen.plan.app != course.frozen.plan.app || frozen.plan.target != course.frozen.plan.target {
        return Err(illegal("the new plan is of another app or goes elsewhere"));
    }
    typed_as_it_stands(
        declaration,
        &frozen.plan.app_name,
        frozen.plan.app.as_str(),
        &frozen.plan.target_name,
        frozen.plan.target_region.as_str(),
    )?;
    let kept = kept(&course.frozen, &frozen, &course.shown.steps);
    let mut steps = blank(&frozen.plan);
    let mut progress = vec![Progress::default(); steps.len()];
    for id in &kept {
        let (Some(old), Some(new)) = (course.index(id), steps.iter().position(|step| step.id == *id)) else { continue };
        steps[new] = course.shown.steps[old].clone();
        progress[new] = course.progress[old].clone();
    }
    course.shown.plan = Arc::new(frozen.plan.clone());
    course.shown.steps = steps;
    course.shown.declaration.who = declaration.who.clone();
    course.frozen = Arc::new(frozen);
    course.progress = progress;
    (course.ask, course.parked, course.armed) = (None, None, true);
    Ok(())
}

/// Steps that have ended and that the new plan has in the same form: they are not done again.
#[must_use]
pub fn kept(old: &Frozen, new: &Frozen, states: &[StepState]) -> Vec<StepId> {
    let same = |state: &&StepState| {
        let of = |frozen: &Frozen| frozen.steps.iter().find(|step| step.id == state.id).cloned();
        state.phase.ended() && of(old).is_some_and(|step| of(new) == Some(step))
    };
    states.iter().filter(same).map(|state| state.id.clone()).collect()
}

fn blank(plan: &Plan) -> Vec<StepState> {
    let blank = |step: &PlannedStep| StepState {
        id: step.id.clone(),
        phase: StepPhase::Pending,
        attempts: 0,
        started_at: None,
        ended_at: None,
        detail: SafeText::default(),
        request_id: None,
        guards: Vec::new(),
    };
    plan.steps.iter().map(blank).collect()
}

fn expect(course: &Course, n: usize, from: &[StepPhase], what: &str) -> Result<(), Illegal> {
    let state = &course.shown.steps[n];
    if from.contains(&state.phase) {
        Ok(())
    } else {
        Err(illegal(format!("step {} {what} although it is {:?}", state.id, state.phase)))
    }
}

/// The call had no effect: what it would have left is not there. One that was accepted and not seen done is.
fn nothing_left(course: &mut Course, n: usize) {
    let accepted = course.shown.steps[n].phase == StepPhase::Observing;
    if let Some(left) = course.progress[n].traces.leaves.clone().filter(|_| !accepted) {
        course.shown.leftovers.retain(|known| *known != left);
    }
}

fn end(course: &mut Course, n: usize, phase: StepPhase, detail: SafeText, at: Timestamp) {
    if phase == StepPhase::Done {
        let own = &course.frozen.steps[n];
        let makers = spec::takes_away(&own.id, &own.params);
        let left = |maker: &StepId| {
            let maker = course.shown.steps.iter().position(|step| step.id == *maker)?;
            course.progress[maker].traces.leaves.clone()
        };
        let gone: Vec<Leftover> =
            makers.iter().filter_map(left).chain(course.progress[n].traces.clears.clone()).collect();
        course.shown.leftovers.retain(|left| !gone.contains(left));
    }
    let state = &mut course.shown.steps[n];
    state.phase = phase;
    state.detail = detail;
    state.ended_at = Some(at);
}

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

fn answered(course: &mut Course, entry: &Entry, answer: &Answer) -> Result<(), Illegal> {
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
                Some(Ask::Loss { rounded, bound, .. }) => (bound != super::decide::UNBOUNDED).then_some(rounded),
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

/// The phase follows from the rest; time in which a person was waited for is added up; one line for the log.
fn settle(course: &mut Course, entry: &Entry) {
    let started = course.shown.steps.iter().any(|step| step.phase != StepPhase::Pending || step.attempts > 0);
    let busy =
        (0..course.progress.len()).any(|n| course.in_flight(n) || course.shown.steps[n].phase == StepPhase::Checking);
    if !course.shown.phase.ended() {
        course.shown.phase = if let Some(ask) = &course.ask {
            Phase::Waiting(ask.clone())
        } else if let Some((step, why)) = &course.parked {
            Phase::Parked { step: step.clone(), why: why.clone() }
        } else if course.held && !busy {
            Phase::Held
        } else if started {
            Phase::Running
        } else {
            Phase::Armed
        };
    }
    let waiting = matches!(course.shown.phase, Phase::Waiting(_) | Phase::Parked { .. } | Phase::Held);
    match (course.shown.waiting_since, waiting) {
        (None, true) => course.shown.waiting_since = Some(entry.at),
        (Some(since), false) => {
            course.shown.waited += entry.at.since(since);
            course.shown.waiting_since = None;
        }
        _ => {}
    }
    if let Some(line) = line(entry) {
        course.shown.log.push((entry.at, line));
        let surplus = course.shown.log.len().saturating_sub(LOG_LINES_MAX);
        course.shown.log.drain(..surplus);
    }
}

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

/// Steps that did not go as the runbook says.
#[must_use]
pub fn exceptions(course: &Course) -> u32 {
    let skipped = course.progress.iter().filter(|progress| progress.exception).count();
    let overridden = course.progress.iter().map(|progress| progress.overrides.len()).sum::<usize>();
    (skipped + overridden) as u32
}

/// How long each finished step of the run took, people left out, for the estimate of the next one.
pub fn durations(run: &RunState) -> impl Iterator<Item = (StepId, Duration)> + '_ {
    clocks::durations(run, &run.timeline)
}

/// One line on where an unfinished run stands, for the next start.
#[must_use]
pub fn standing(run: &RunState) -> SafeText {
    let step = run.steps.iter().find(|step| !step.phase.ended() && step.phase != StepPhase::Pending);
    let at = step.map_or_else(String::new, |step| {
        let since = step.started_at.map_or(Duration::ZERO, |at| at.since(run.declared_at));
        format!(", step {} {:?}, begun {} after the declaration", step.id, step.phase, time::short(since))
    });
    SafeText::new(format!("run {} {}{at}", run.id, run.phase.word()))
}
