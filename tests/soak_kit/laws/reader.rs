//! One run's record, read line by line against what the world saw of it.
//!
//! Where to look next: [`super`] (what is held against all runs together).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use pointsman::{
    domain::{Hazard, StepId},
    runbook::{
        build::Frozen,
        event::{Event, Failure, Outcome},
        guards,
        plan::PlanHash,
        run::{Answer, Ask, Ruling, WaveMark},
    },
};

use super::{
    super::{
        estate::{Ending, Estate, Ground, Role, left},
        journal::{Journal, Line, Log},
        world::{Call, Landing, World},
    },
    fold_of,
};

/// No word of a person for longer than this, and a run begins nothing (the product's limit and a breath).
const SILENCE_MAX: u64 = 15 * 60_000 + 1_000;
/// Between reading the guards and writing the intent.
const FACTS_AGE_MAX: u64 = 2_000;

type Found = Result<(), (&'static str, String)>;

fn hold(so: bool, law: &'static str, text: impl FnOnce() -> String) -> Found {
    if so { Ok(()) } else { Err((law, text())) }
}

#[derive(Default)]
struct OfStep {
    attempt: u32,
    ended: bool,
    /// Given and not yet used by anything that was sent.
    confirmed: Option<bool>,
    loss: Option<Duration>,
    overrides: BTreeSet<usize>,
    intended: Option<(String, u64)>,
    sent: Option<(usize, u64, String)>,
    sends: u32,
    unknown_at: Option<u64>,
    ask: Option<Ask>,
    surveyed: Option<usize>,
    /// A person said that it is to be tried again.
    again: bool,
}

/// Reads one run's record line by line.
pub struct Reader<'a> {
    estate: &'a Estate,
    journal: &'a Journal,
    world: &'a World,
    log: &'a Log,
    run: usize,
    pub line: usize,
    plan: Arc<Frozen>,
    steps: BTreeMap<StepId, OfStep>,
    epoch: u64,
    armed: bool,
    held: bool,
    parked: bool,
    /// The wave's list, until another plan than the one on it is chosen.
    list: Option<&'a WaveMark>,
    last_word: u64,
    words: Vec<&'a Answer>,
    said: usize,
    calls: Vec<&'a Call>,
    matched: BTreeSet<usize>,
}

impl<'a> Reader<'a> {
    pub fn new(estate: &'a Estate, journal: &'a Journal, world: &'a World, run: usize) -> Self {
        let log = &journal.runs[run];
        let plan = Arc::clone(&estate.apps[log.app].plan);
        Self {
            estate,
            journal,
            world,
            log,
            run,
            line: 0,
            steps: blank(&plan),
            plan,
            epoch: 1,
            armed: false,
            held: false,
            parked: false,
            list: log.wave.as_ref(),
            last_word: 0,
            words: world.words.iter().filter(|word| word.run == run).map(|word| &word.answer).collect(),
            said: 0,
            calls: world.calls.iter().filter(|call| call.run == run).collect(),
            matched: BTreeSet::new(),
        }
    }

    fn step(&mut self, id: &StepId) -> Result<&mut OfStep, (&'static str, String)> {
        self.steps.get_mut(id).ok_or_else(|| ("only what is planned is done", format!("no step {id}")))
    }

    fn hazard(&self, id: &StepId) -> Hazard {
        self.plan.plan.step(id).map_or(Hazard::DataLoss, |step| step.hazard)
    }

    pub fn read(&mut self) -> Found {
        let line = &self.log.lines[self.line];
        let at = line.at;
        let driver = if let Event::Driven { epoch, .. } = &line.entry.event { *epoch } else { self.epoch };
        hold(line.epoch == driver, "an old epoch does not write", || {
            format!("epoch {} while driver {driver} has it", line.epoch)
        })?;
        match &line.entry.event {
            Event::Declared { .. } => (self.armed, self.last_word) = (true, at),
            Event::Driven { epoch, declaration, .. } => {
                hold(*epoch > self.epoch, "each driver has a higher epoch", || format!("{epoch}"))?;
                (self.epoch, self.armed, self.last_word) = (*epoch, declaration.is_some(), at);
            }
            Event::Lapsed { .. } => self.armed = false,
            Event::Begun { step, attempt } => self.begun(step, *attempt, at)?,
            Event::Guarded { step, .. } => {
                let run = self.run;
                let seen = self.world.surveys.iter().rposition(|s| s.run == run && s.step == *step && s.at <= at);
                self.step(step)?.surveyed = seen;
            }
            Event::Asked { ask } => {
                if matches!(ask, Ask::Verdict { .. }) {
                    self.armed = false;
                }
                if let Some(step) = ask.step() {
                    self.step(step)?.ask = Some(ask.clone());
                }
            }
            Event::Answered { answer } => self.answered(answer, at)?,
            Event::Voided { step, .. } => {
                let of = self.step(step)?;
                (of.confirmed, of.loss) = (None, None);
                of.overrides.clear();
            }
            Event::Intended { step, plan_hash, request_digest, .. } => {
                self.intended(step, plan_hash, request_digest, at)?;
            }
            Event::Withdrawn { step, .. } => {
                let of = self.step(step)?;
                hold(of.intended.take().is_some(), "only an intent is withdrawn", String::new)?;
            }
            Event::Sent { step, attempt, request_digest } => self.sent(step, *attempt, request_digest, at)?,
            Event::Outcome { step, outcome, .. } => {
                let unknown = matches!(outcome, Outcome::Unknown { .. });
                self.step(step)?.unknown_at = unknown.then_some(at);
            }
            Event::Done { step, .. } => self.done(step, at)?,
            Event::Failed { step, failure: Failure::Unseen, .. } => self.failed(step)?,
            Event::Failed { step, failure: Failure::Told, .. } => self.told(step, at)?,
            Event::Passed { step, .. } => self.step(step)?.ended = true,
            Event::Parked { .. } => (self.armed, self.parked) = (false, true),
            Event::Switched { plan_hash, .. } => self.switched(plan_hash, at)?,
            Event::Measured { .. } => {}
            Event::Completed { .. } => {
                let open = self.steps.iter().find(|(_, of)| !of.ended);
                hold(open.is_none(), "complete is when every step has ended", || format!("{:?}", open.map(|o| o.0)))?;
            }
        }
        Ok(())
    }

    fn begun(&mut self, step: &StepId, attempt: u32, at: u64) -> Found {
        let before = self.plan.plan.step(step).map(|planned| planned.after.clone()).unwrap_or_default();
        for id in before {
            let ended = self.step(&id)?.ended;
            hold(ended, "steps begin after those before them", || format!("{step} before {id}"))?;
        }
        hold(!self.held && !self.parked, "nothing begins while held or parked", || step.to_string())?;
        hold(self.armed, "nothing begins unarmed", || step.to_string())?;
        let silent = at.saturating_sub(self.last_word);
        hold(self.log.wave.is_some() || silent <= SILENCE_MAX, "silence ends arming", || {
            format!("{step} begins after {silent} ms without a word")
        })?;
        if let Some(wave) = &self.log.wave {
            for app in &wave.after {
                let through = self.journal.runs.iter().any(|log| {
                    let last = log.lines.last().filter(|_| log.ended);
                    self.estate.apps[log.app].id == *app && log.wave.is_some() && last.is_some_and(|last| last.at <= at)
                });
                hold(through, "a wave goes in its order", || format!("{step} before {app} is through"))?;
            }
        }
        let of = self.step(step)?;
        hold(attempt == of.attempt + 1 && !of.ended, "attempts are counted", || format!("{step} attempt {attempt}"))?;
        hold(attempt == 1 || of.again, "what is begun again is begun by a person's word", || {
            format!("{step} attempt {attempt}")
        })?;
        let sends = of.sends;
        *of = OfStep { attempt, sends, ..OfStep::default() };
        Ok(())
    }

    /// Every answer on record was said by a person, in that order and once.
    fn answered(&mut self, answer: &Answer, at: u64) -> Found {
        while self.words.get(self.said).is_some_and(|word| *word != answer) {
            self.said += 1; // said, and the driver died before it was written down
        }
        hold(self.said < self.words.len(), "only people answer", || format!("nobody said {answer:?}"))?;
        self.said += 1;
        self.last_word = at;
        match answer {
            Answer::Go { step } | Answer::AcceptLoss { step, .. } => {
                let of = self.step(step)?;
                match of.ask.take() {
                    Some(Ask::Noticed { .. }) => {}
                    Some(Ask::Loss { rounded, phrase, .. }) => {
                        let typed = matches!(answer, Answer::AcceptLoss { typed, .. } if *typed == phrase);
                        hold(typed, "a loss is accepted by its phrase", || format!("{answer:?}"))?;
                        (of.confirmed, of.loss) = (Some(true), Some(rounded));
                    }
                    Some(Ask::Key { .. } | Ask::Chord { .. } | Ask::Confirm { .. }) => of.confirmed = Some(true),
                    other => return Err(("an answer is to a question", format!("{answer:?} to {other:?}"))),
                }
            }
            Answer::Override { step, guard, .. } => {
                let overridable =
                    self.plan.steps.iter().find(|s| s.id == *step).is_some_and(|s| s.guards[*guard].overridable);
                hold(overridable, "overrides are where the runbook allows them", || format!("{step} {guard}"))?;
                self.step(step)?.overrides.insert(*guard);
            }
            Answer::Verdict { step, ruling, .. } => {
                let of = self.step(step)?;
                of.ended = *ruling == Ruling::Applied;
                self.parked |= *ruling == Ruling::NotApplied;
            }
            Answer::Rearm(_) => self.armed = true,
            Answer::Hold => self.held = true,
            Answer::Release => self.held = false,
            Answer::Retry { step } => {
                self.parked = false;
                let of = self.step(step)?;
                *of = OfStep { attempt: of.attempt, sends: of.sends, again: true, ..OfStep::default() };
            }
            Answer::Skip { step, .. } => {
                self.parked = false;
                self.step(step)?.ended = true;
            }
            Answer::Abandon { .. } | Answer::Note { .. } => {}
        }
        Ok(())
    }

    fn intended(&mut self, step: &StepId, hash: &PlanHash, digest: &str, at: u64) -> Found {
        hold(*hash == self.plan.plan.hash, "intents are of the declared plan", || format!("{hash:?}"))?;
        hold(self.armed, "no intent while unarmed", || step.to_string())?;
        let nature = &self.estate.apps[self.log.app].natures[step];
        hold(!matches!(nature.role, Role::Read | Role::Ask), "only what acts intends", || step.to_string())?;
        let survey = self.steps.get(step).and_then(|of| of.surveyed).map(|n| &self.world.surveys[n]);
        let Some(survey) = survey else { return Err(("guards are read before acting", step.to_string())) };
        hold(at - survey.at <= FACTS_AGE_MAX, "guards are read within seconds of the act", || {
            format!("{step}: {} ms", at - survey.at)
        })?;
        let overrides = self.step(step)?.overrides.clone();
        for (n, so) in survey.truth.iter().enumerate() {
            hold(*so || overrides.contains(&n), "nothing passes a false guard", || format!("{step} guard {n}"))?;
        }
        self.step(step)?.intended = Some((digest.to_owned(), at));
        Ok(())
    }

    fn sent(&mut self, step: &StepId, attempt: u32, digest: &str, at: u64) -> Found {
        let (line, list, hazard) = (self.line, self.list, self.hazard(step));
        let of = self.step(step)?;
        let intent = of.intended.take();
        hold(intent.is_some_and(|(intended, _)| intended == digest), "what is sent was intended", || step.to_string())?;
        hold(attempt == of.attempt && of.sent.is_none(), "an attempt sends once", || format!("{step} {attempt}"))?;
        // A wave's list is one confirmation for each step of the plan that was on it, up to the loss that it names.
        let by_list = of.confirmed.is_none() && list.is_some() && of.sends == 0 && attempt == 1;
        let confirmed = of.confirmed.replace(false) == Some(true);
        hold(confirmed || by_list, "each attempt has its own confirmation", || {
            format!("{step} attempt {attempt}, {hazard:?}")
        })?;
        of.sends += 1;
        of.sent = Some((line, at, digest.to_owned()));
        self.calls_of(step, digest)
    }

    /// The world heard this attempt at most once, and only after it was on the disk.
    fn calls_of(&mut self, step: &StepId, digest: &str) -> Found {
        let line = self.line;
        let mine = |call: &&&Call| call.step == *step && call.digest == digest;
        let heard: Vec<usize> = self
            .calls
            .iter()
            .enumerate()
            .filter(|(n, call)| mine(call) && !self.matched.contains(n))
            .map(|(n, _)| n)
            .collect();
        hold(heard.len() <= 1, "an attempt takes effect once", || format!("{step} was called {} times", heard.len()))?;
        let Some(n) = heard.first().copied() else { return Ok(()) };
        self.matched.insert(n);
        let call = self.calls[n];
        hold(call.recorded > line, "nothing goes out before it is on record", || {
            format!("{step}: {} records were durable, `sent` is record {}", call.recorded, line + 1)
        })?;
        if call.two_writers {
            let of = &self.steps[step];
            let nature = &self.estate.apps[self.log.app].natures[step];
            let fence = nature.rests_on.iter().position(|g| *g == Ground::Fenced);
            let fenced = of.surveyed.is_some_and(|s| fence.is_some_and(|f| self.world.surveys[s].truth[f]));
            let accepted = fence.is_some_and(|fence| of.overrides.contains(&fence));
            hold(fenced || accepted, "one writer, unless a person accepted two", || step.to_string())?;
        }
        Ok(())
    }

    fn done(&mut self, step: &StepId, at: u64) -> Found {
        let nature = &self.estate.apps[self.log.app].natures[step];
        match nature.role {
            Role::Read => {}
            Role::Ask => {
                let confirmed = self.steps.get(step).is_some_and(|of| of.confirmed.is_some());
                hold(confirmed, "a checklist is done by a person", || step.to_string())?;
            }
            _ => {
                hold(self.world.whole(self.log.app, step, at), "done is what was seen done", || step.to_string())?;
            }
        }
        self.step(step)?.ended = true;
        Ok(())
    }

    /// The engine itself may say that a call in doubt had no effect; then it had none when the doubt began, or only
    /// such as left nothing.
    fn failed(&mut self, step: &StepId) -> Found {
        let Some(unknown_at) = self.step(step)?.unknown_at else { return Ok(()) };
        let Some((_, _, digest)) = &self.steps[step].sent else { return Ok(()) };
        let landed = self.calls.iter().any(|call| {
            let effect = |landed: &Landing| landed.at <= unknown_at && landed.ending != Ending::Failed;
            call.step == *step && call.digest == *digest && call.landed.as_ref().is_some_and(effect)
        });
        hold(!landed, "nothing that took effect is called undone", || step.to_string())
    }

    /// What is said to have failed was begun, and did: it is not the program's own impatience.
    fn told(&self, step: &StepId, at: u64) -> Found {
        let sent = self.steps.get(step).and_then(|of| of.sent.as_ref());
        let own = |call: &Call| sent.is_some_and(|(_, _, digest)| *digest == call.digest);
        // What stands under the step's own name may be of an attempt that was thought to have come to nothing.
        let failed = |call: &Call| {
            let of = |landing: Landing| landing.failed(at) && (own(call) || landing.ending == Ending::Wrecked);
            call.app == self.log.app && call.step == *step && call.landed.is_some_and(of)
        };
        let so = self.world.calls.iter().any(failed);
        hold(so, "what is called failed has failed", || step.to_string())
    }

    fn switched(&mut self, hash: &PlanHash, at: u64) -> Found {
        let spec = &self.estate.apps[self.log.app];
        let other = [&spec.plan, &spec.longer].into_iter().find(|plan| plan.plan.hash == *hash);
        let Some(other) = other else { return Err(("a switch is to a plan that was shown", format!("{hash:?}"))) };
        let mut steps = blank(other);
        for (id, of) in std::mem::take(&mut self.steps) {
            if of.ended
                && let Some(kept) = steps.get_mut(&id)
            {
                *kept = of;
            }
        }
        self.steps = steps;
        self.plan = Arc::clone(other);
        self.list = None;
        (self.armed, self.parked, self.last_word) = (true, false, at);
        Ok(())
    }

    pub fn rest(&self) -> Found {
        let stray = self.calls.iter().enumerate().find(|(n, _)| !self.matched.contains(n));
        hold(stray.is_none(), "every call is on record", || {
            format!("{:?}", stray.map(|(_, call)| (&call.step, call.at)))
        })?;
        let rung = |loss: Duration| guards::rounded_up(loss) == loss;
        let odd =
            self.steps.values().filter_map(|of| of.loss).find(|loss| !rung(*loss) && *loss < Duration::from_hours(48));
        hold(odd.is_none(), "losses are accepted in rungs", || format!("{odd:?}"))?;
        self.remembered()
    }

    /// Of what was begun and failed something may be there, whatever becomes of the next attempt: a person who takes it
    /// away does not tell the run.
    fn remembered(&self) -> Found {
        let failed = |line: &'a Line| match &line.entry.event {
            Event::Failed { step, failure: Failure::Told, .. } => Some(step),
            _ => None,
        };
        let mut failed = self.log.lines.iter().filter_map(failed).peekable();
        if failed.peek().is_none() {
            return Ok(());
        }
        let law = "what failed stays on the list of what is still there";
        let course = fold_of(self.estate, self.log, self.run).map_err(|why| (law, why))?;
        let forgotten = failed.find(|step| !course.shown.leftovers.contains(&left(self.log.app, step)));
        hold(forgotten.is_none(), law, || format!("{forgotten:?}"))
    }
}

fn blank(plan: &Frozen) -> BTreeMap<StepId, OfStep> {
    plan.steps.iter().map(|step| (step.id.clone(), OfStep::default())).collect()
}
