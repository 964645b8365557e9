//! What is done for one step: read, asked, surveyed, prepared, sent, looked at.
//!
//! Must never: send anything but what was prepared from the facts of the survey and covered by the plan, or anything
//! twice. Where to look next: `crate::steps` (what each kind reads, sends and looks at).

use std::sync::Arc;

use crate::{
    aws::{SendOutcome, WriteOp},
    domain::{AppId, CallDescription, Snapshot, StepId, Timestamp, text::SafeText},
    engine::shared::Shared,
    runbook::{
        build::Frozen,
        event::Outcome,
        finding::{Finding, Observed, Traces},
        guards,
        interlock::{self, Circumstances, Stage},
        machine::{Ready, Survey},
        plan::Override,
        signal::Facts,
    },
    steps::{
        self,
        kind::{Conduct, MutatingStep, Prepared, StepContext, covers},
        outside::{CommandLine, Ended},
    },
};

/// What goes out: kept here, the machine knows its description only.
pub(super) enum Act {
    Call(Box<dyn WriteOp>),
    Run(CommandLine),
}

/// A step and all that its errands need.
pub(super) struct Site {
    pub(super) shared: Arc<Shared>,
    pub(super) frozen: Arc<Frozen>,
    pub(super) n: usize,
    pub(super) begun_at: Option<Timestamp>,
    pub(super) maker_began: Option<Timestamp>,
    /// Checklists of this run that a person has confirmed.
    pub(super) attested: Vec<StepId>,
    /// The same for the same attempt, whichever driver prepares it.
    pub(super) token: String,
}

impl Site {
    fn app(&self) -> &AppId {
        &self.frozen.plan.app
    }

    fn about<'a>(&'a self, facts: &'a Facts<'a>) -> StepContext<'a> {
        StepContext {
            facts,
            step: &self.frozen.steps[self.n],
            kind: self.frozen.plan.kind,
            target: self.frozen.plan.target,
            begun_at: self.begun_at,
            maker_began: self.maker_began,
            token: Some(&self.token),
            now: self.shared.clock.now(),
        }
    }

    fn conduct(&self) -> Option<Conduct<'static>> {
        steps::find(&self.frozen.steps[self.n].kind).map(steps::kind::StepKind::conduct)
    }

    pub(super) async fn read(&self) -> Result<Finding, SafeText> {
        let snapshot = self.shared.fresh(self.app()).await;
        let facts = self.shared.facts_for(&self.frozen.plan, &snapshot)?;
        let about = self.about(&facts);
        match self.conduct() {
            Some(Conduct::Reads(reading)) => Ok(reading.read(&about)),
            Some(Conduct::Probes(probing)) => Ok(probing.probe(&about, &self.shared.eyes()).await),
            _ => Err(SafeText::new("the step does not read")),
        }
    }

    pub(super) async fn items(&self) -> Result<Vec<SafeText>, SafeText> {
        let snapshot = self.shared.fresh(self.app()).await;
        let facts = self.shared.facts_for(&self.frozen.plan, &snapshot)?;
        match self.conduct() {
            Some(Conduct::Asks(checklist)) => Ok(checklist.items(&self.about(&facts))),
            _ => Err(SafeText::new("the step asks nothing")),
        }
    }

    fn acting(&self) -> Result<&'static dyn MutatingStep, SafeText> {
        match self.conduct() {
            Some(Conduct::Acts(acting)) => Ok(acting),
            _ => Err(SafeText::new("this version cannot carry it out")),
        }
    }

    pub(super) async fn survey(&self, given: &[(usize, Override)]) -> Result<(Survey, Arc<Snapshot>), SafeText> {
        let acting = self.acting()?;
        let snapshot = self.shared.fresh(self.app()).await;
        let read_at = self.shared.clock.monotonic();
        let survey = {
            let mut facts = self.shared.facts_for(&self.frozen.plan, &snapshot)?;
            facts.attested = &self.attested;
            let about = self.about(&facts);
            let step = &self.frozen.steps[self.n];
            let guards = guards::evaluate_all(&step.guards, step.component().as_ref(), &facts, given, about.now);
            let calls: Vec<&CallDescription> = self.frozen.plan.steps[self.n].calls.iter().collect();
            let interlocks = interlock::interlocks(&Circumstances {
                facts: &facts,
                authority: self.shared.authority(),
                kind: self.frozen.plan.kind,
                stage: Stage::Underway,
                target: about.target,
                calls: &calls,
                busy: None,
                now: about.now,
            });
            let callers = calls.iter().find_map(|call| interlock::caller(&facts, call, about.target, about.now));
            let interlock = interlocks.into_iter().next().or(callers).map(|interlock| interlock.text);
            let foreign = self.shared.foreign_hand(&self.frozen, &facts);
            Survey { guards, interlock, foreign, loss: acting.loss_now(&about, &self.shared.eyes()).await, read_at }
        };
        Ok((survey, snapshot))
    }

    pub(super) async fn prepare(&self, facts: Option<Arc<Snapshot>>) -> (Ready, Option<Act>) {
        match self.prepared(facts).await {
            Err(why) => (Ready::NotNow(why), None),
            Ok(ready) => ready,
        }
    }

    async fn prepared(&self, snapshot: Option<Arc<Snapshot>>) -> Result<(Ready, Option<Act>), SafeText> {
        let acting = self.acting()?;
        let snapshot = snapshot.ok_or_else(|| SafeText::new("no facts were read for it"))?;
        let facts = self.shared.facts_for(&self.frozen.plan, &snapshot)?;
        let planned = &self.frozen.plan.steps[self.n].calls;
        let (call, act) = match acting.prepare(&self.about(&facts), planned, &self.shared.eyes()).await {
            Prepared::AlreadyDone(detail) => return Ok((Ready::AlreadyDone(detail), None)),
            Prepared::PassOver(reason) => return Ok((Ready::PassOver(reason), None)),
            Prepared::Busy(what) => return Ok((Ready::Busy(what), None)),
            Prepared::NotNow(why) => return Err(why),
            Prepared::Run(line) => {
                if self.shared.hands.is_none() {
                    return Err(SafeText::new("this console runs no programs"));
                }
                (line.describe(), Act::Run(line))
            }
            Prepared::Send(op) => {
                if self.shared.writer.is_none() {
                    return Err(SafeText::new("this console cannot act: it has no writing client"));
                }
                (op.describe(), Act::Call(op))
            }
        };
        if !planned.iter().any(|planned| covers(planned, &call)) {
            let why = format!("{call} would not be what was planned and confirmed: make a new plan");
            return Err(SafeText::new(why));
        }
        let traces = Traces { leaves: acting.leaves(&call), clears: acting.clears(&call) };
        Ok((Ready::Send { call: Box::new(call), traces: Box::new(traces) }, Some(act)))
    }

    /// The one place where something goes out.
    pub(super) async fn send(&self, act: Option<Act>) -> Outcome {
        let not_sent = |message: &str| Outcome::Refused {
            code: SafeText::new(crate::aws::write::NOT_SENT),
            message: SafeText::new(message),
            request_id: None,
        };
        match act {
            None => not_sent("nothing was prepared"),
            Some(Act::Call(op)) => match &self.shared.writer {
                None => not_sent("this console has no writing client"),
                Some(writer) => match writer.send_once(&*op).await {
                    SendOutcome::Accepted { request_id, detail } => Outcome::Succeeded { request_id, detail },
                    SendOutcome::Refused { code, message, request_id } => {
                        Outcome::Refused { code, message, request_id }
                    }
                    SendOutcome::Unknown { why } => Outcome::Unknown { why },
                },
            },
            Some(Act::Run(line)) => match &self.shared.hands {
                None => not_sent("this console runs no programs"),
                Some(hands) => match hands.run(&line).await {
                    Ended::Exit { status: 0, last_line } => Outcome::Succeeded { request_id: None, detail: last_line },
                    // What a program did before it failed, it did: only looking says.
                    Ended::Exit { status, last_line } => {
                        Outcome::Unknown { why: SafeText::new(format!("exit status {status}: {last_line}")) }
                    }
                    Ended::NotStarted { why } => not_sent(&why),
                    Ended::Cut { why } => Outcome::Unknown { why },
                },
            },
        }
    }

    pub(super) async fn look(&self, call: Option<CallDescription>, accepted: Option<SafeText>) -> Observed {
        let seen = async {
            let acting = self.acting()?;
            let call = call.ok_or_else(|| SafeText::new("no call is on record"))?;
            let snapshot = self.shared.latest().await; // only names are needed: it reads by itself what it looks for
            let facts = self.shared.facts_for(&self.frozen.plan, &snapshot)?;
            Ok::<_, SafeText>(
                acting.observe(&self.about(&facts), &call, accepted.as_deref(), &self.shared.eyes()).await,
            )
        };
        seen.await.unwrap_or_else(Observed::Unclear)
    }
}
