//! Runbook + facts -> a frozen, hashed [`Plan`], together with everything its run needs later.
//!
//! The hash covers what a confirmation relies on: the runbook's text, parameters, exact calls, account, target
//! and guards; not ages and not present values, which a run re-reads.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    bind::{self, Occasion},
    estimate::{self, Past},
    foreign::{self, Stood},
    guards, guards_estate,
    interlock::{self, Authority, Circumstances, Stage},
    plan::{GuardReading, Interlock, Plan, PlanHash, PlannedStep},
    signal::Facts,
    spec::{self, Guard, GuardSpec, Only, RunbookKind, RunbookSpec, Signal, StepParam, StepSpec, Variant},
};
use crate::domain::{
    CallDescription, ComponentId, Side, StepId, Timestamp,
    app::{Param, Params},
    compliance::rto,
    snapshot::{Mode, Reach},
    text::SafeText,
};

/// A plan with all that its run needs, so that a resume needs neither the runbook file nor the facts of then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Frozen {
    pub plan: Plan,
    pub runbook_digest: String,
    /// Parallel to the plan's steps.
    pub steps: Vec<FrozenStep>,
    /// Parameters of the components that the steps name, as they were: an estate that changed since is refused.
    pub components: BTreeMap<ComponentId, Params>,
    /// What stood on the app when the plan was made: what differs later, and no run of ours asked for, somebody else did.
    #[serde(default)]
    pub stood: Stood,
    /// The zone of clock times inside the words of the record, by its IANA name. Empty: an older plan did not say.
    #[serde(default)]
    pub zone: String,
}

/// What a step was told to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrozenStep {
    pub id: StepId,
    pub kind: String,
    pub params: BTreeMap<String, StepParam>,
    pub guards: Vec<GuardSpec>,
}

impl FrozenStep {
    #[must_use]
    pub fn of(step: &StepSpec) -> Self {
        Self {
            id: step.id.clone(),
            kind: step.kind.to_owned(),
            params: step.params.clone(),
            guards: step.guards.clone(),
        }
    }

    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Param> {
        match self.params.get(name) {
            Some(StepParam::Value(value)) => Some(value),
            _ => None,
        }
    }

    /// The component that the step is about, if its kind has one.
    #[must_use]
    pub fn component(&self) -> Option<ComponentId> {
        match self.value("component") {
            Some(Param::Text(id)) => Some(ComponentId::new(id)),
            _ => None,
        }
    }

    /// The step whose work it takes away again; one of a nested runbook means one of the same.
    #[must_use]
    pub fn made_by(&self) -> Option<StepId> {
        spec::made_by(&self.id, &self.params)
    }

    #[must_use]
    pub fn side(&self, name: &str) -> Option<Side> {
        match self.value(name) {
            Some(Param::Side(side)) => Some(*side),
            _ => None,
        }
    }

    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Param::Flag(true)))
    }
}

/// What the kind of a step says about it in the plan.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Exactly, or why they cannot be told yet.
    pub calls: Result<Vec<CallDescription>, SafeText>,
    pub summary: SafeText,
    pub done_when: SafeText,
    pub undo: SafeText,
}

/// What a plan is made of.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    pub runbook: &'a RunbookSpec,
    pub facts: &'a Facts<'a>,
    /// Parallel to the runbook's steps.
    pub outlines: &'a [Outline],
    pub authority: Authority,
    pub past: &'a Past,
    pub variant: Variant,
    pub occasion: Occasion,
    /// Of the runbook, as text, for the plan to show and to hash.
    pub parameters: &'a BTreeMap<String, SafeText>,
    /// Another run that stands in the way.
    pub busy: Option<&'a SafeText>,
    pub now: Timestamp,
}

/// The side a runbook moves its app to: what its steps say, else what its kind means.
#[must_use]
pub fn target(runbook: &RunbookSpec) -> Side {
    let mut targets = runbook.steps.iter().filter_map(|step| side(step, "target"));
    // A way home may first keep or copy what the other side has.
    if runbook.kind == RunbookKind::Failback && targets.clone().any(|target| target == Side::Primary) {
        return Side::Primary;
    }
    targets.next().unwrap_or(match runbook.kind {
        RunbookKind::Failback | RunbookKind::ReProtect => Side::Primary,
        _ => Side::Recovery,
    })
}

fn side(step: &StepSpec, name: &str) -> Option<Side> {
    match step.params.get(name) {
        Some(StepParam::Value(Param::Side(side))) => Some(*side),
        _ => None,
    }
}

/// Freezes the runbook against the facts.
#[must_use]
pub fn plan(draft: &Draft<'_>) -> Frozen {
    let Draft { runbook, facts, outlines, now, .. } = *draft;
    let target = target(runbook);
    let steps: Vec<FrozenStep> = runbook.steps.iter().map(FrozenStep::of).collect();
    let mut unresolved = Vec::new();
    let mut planned = Vec::new();
    for (n, (spec, outline)) in runbook.steps.iter().zip(outlines).enumerate() {
        let component = steps[n].component();
        let calls = outline.calls.clone().unwrap_or_else(|why| {
            unresolved.push(Interlock {
                code: "calls-unresolved".to_owned(),
                text: SafeText::new(format!("step {} {}: the call cannot be told yet: {why}", n + 1, spec.title)),
            });
            Vec::new()
        });
        let (expected, expected_basis) = estimate::expected(spec, draft.past);
        planned.push(PlannedStep {
            id: spec.id.clone(),
            title: spec.title.clone(),
            kind: spec.kind.to_owned(),
            calls,
            summary: outline.summary.clone(),
            hazard: spec.hazard,
            expected,
            expected_basis,
            timeout: spec.timeout,
            guards: readings(runbook, n, component.as_ref(), facts, now),
            done_when: outline.done_when.clone(),
            undo: outline.undo.clone(),
            on_failure: spec.on_failure,
            after: spec.after.clone(),
            retries: spec.retries,
            retry_every: spec.retry_every,
            only: spec.only,
            loss: None,
        });
    }
    let calls: Vec<&CallDescription> = planned.iter().flat_map(|step| &step.calls).collect();
    let execution = estimate::execution(runbook, facts.app, draft.past);
    // The board's own function: the two cannot disagree.
    let estimate = rto::estimate(&facts.app.timings, &execution);
    let circumstances = Circumstances {
        facts,
        authority: draft.authority,
        kind: runbook.kind,
        target,
        calls: &calls,
        stage: Stage::Start { takes: estimate.from_declaration() },
        busy: draft.busy,
        now,
    };
    let mut interlocks = interlock::interlocks(&circumstances);
    interlocks.append(&mut unresolved);
    interlocks.extend(unattestable(runbook));
    if facts.snapshot.mode == Mode::Drill {
        interlocks.extend(bind::left_behind(&runbook.steps).into_iter().map(|(step, what)| Interlock {
            code: "drill-without-cleanup".to_owned(),
            text: SafeText::new(format!("drill: step {} leaves a {what} that no later step takes away", step.id)),
        }));
    }
    let account = facts
        .estate
        .access
        .get(&target)
        .and_then(|access| access.account.clone())
        .unwrap_or_else(|| facts.estate.expects_account.clone());
    let components = steps
        .iter()
        .filter_map(FrozenStep::component)
        .filter_map(|id| Some((id.clone(), facts.app.component(&id)?.params.clone())))
        .collect();
    let mut plan = Plan {
        hash: PlanHash(String::new()),
        runbook: runbook.id.clone(),
        title: runbook.title.clone(),
        kind: runbook.kind,
        variant: draft.variant,
        parameters: draft.parameters.clone(),
        app: facts.app.id.clone(),
        app_name: facts.app.name.clone(),
        target,
        target_region: facts.region(target).clone(),
        target_name: facts.estate.regions.get(target).name.clone(),
        account,
        mode_word: draft.occasion.label(facts.snapshot.mode),
        made_at: now,
        facts_at: facts
            .snapshot
            .of_app(&facts.app.id)
            .filter_map(|(_, slot)| slot.last.as_ref())
            .map(|seen| seen.observed_at)
            .min(),
        steps: planned,
        interlocks,
        estimate,
        // The clock of the RTO runs for the unplanned; a planned move or the way home has none.
        rto_target: facts.app.rto.filter(|_| runbook.kind == RunbookKind::Failover),
        outage_since: facts
            .health(target.other())
            .filter(|health| runbook.kind == RunbookKind::Failover && health.reach == Reach::RegionDown)
            .map(|health| health.since),
    };
    plan.hash = PlanHash(hash(&plan, &steps, &runbook.digest, facts.snapshot.mode, draft.occasion));
    Frozen {
        plan,
        runbook_digest: runbook.digest.clone(),
        steps,
        components,
        stood: foreign::stood(facts, now),
        zone: facts.estate.zone.name().to_owned(),
    }
}

/// The guards of a step with what is so now, and which of them an earlier step is there to make true.
fn readings(
    runbook: &RunbookSpec,
    n: usize,
    component: Option<&ComponentId>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Vec<GuardReading> {
    let specs = &runbook.steps[n].guards;
    let mut readings = guards::evaluate_all(specs, component, facts, &[], now);
    for (reading, spec) in readings.iter_mut().zip(specs).filter(|(reading, _)| reading.blocks()) {
        let maker = runbook.steps[..n].iter().find(|earlier| makes_true(earlier, &spec.guard));
        reading.made_true_by = maker.map(|step| step.id.clone());
    }
    readings
}

/// Guards that name a checklist that is not one, or comes later: they could never hold.
fn unattestable(runbook: &RunbookSpec) -> Vec<Interlock> {
    let mut found = Vec::new();
    for (n, step) in runbook.steps.iter().enumerate() {
        for by in step.guards.iter().filter_map(|spec| spec.guard.attested_by()) {
            let before = runbook.steps[..n].iter().find(|earlier| earlier.id == *by);
            if before.is_none_or(|earlier| earlier.kind != guards_estate::CHECKLIST) {
                let text = format!("step {} {}: {by} is no checklist before it", n + 1, step.title);
                found.push(Interlock { code: "unattestable".to_owned(), text: SafeText::new(text) });
            }
        }
    }
    found
}

/// A step that moves the writer makes "the writer is there" true; a checklist, what it attests.
fn makes_true(step: &StepSpec, guard: &Guard) -> bool {
    if let Some(by) = guard.attested_by() {
        return step.id == *by && step.kind == guards_estate::CHECKLIST;
    }
    let Guard::Holds(Signal::WriterIn { component, side }) = guard else { return false };
    matches!(step.kind, "aurora.failover-global" | "aurora.switchover-global")
        && self::side(step, "target") == Some(*side)
        && matches!(step.params.get("component"), Some(StepParam::Value(Param::Text(moved))) if moved == component)
}

/// The form that is hashed: JSON with the fields in this order.
#[derive(Serialize)]
struct Canonical<'a> {
    version: u8,
    runbook: &'a str,
    digest: &'a str,
    app: &'a str,
    target: Side,
    region: &'a str,
    account: &'a str,
    mode: &'a str,
    variant: &'a str,
    parameters: &'a BTreeMap<String, SafeText>,
    steps: Vec<CanonicalStep<'a>>,
}

#[derive(Serialize)]
struct CanonicalStep<'a> {
    step: &'a FrozenStep,
    calls: &'a [CallDescription],
    hazard: &'a str,
    timeout_millis: u64,
    after: &'a [StepId],
    retries: u32,
    retry_every_millis: u64,
    only: Only,
    guards: Vec<&'a str>,
}

fn hash(plan: &Plan, steps: &[FrozenStep], digest: &str, mode: Mode, occasion: Occasion) -> String {
    let canonical = Canonical {
        version: 2,
        runbook: plan.runbook.as_str(),
        digest,
        app: plan.app.as_str(),
        target: plan.target,
        region: plan.target_region.as_str(),
        account: &plan.account,
        // Not the speed: it may change while a plan is looked at, and changes nothing that would be done.
        mode: match (mode, occasion) {
            (Mode::Live, _) => "live",
            (Mode::Drill, _) => "drill",
            (Mode::Simulated { .. }, Occasion::Real) => "simulated",
            (Mode::Simulated { .. }, Occasion::Drill) => "simulated-drill",
        },
        variant: plan.variant.word(),
        parameters: &plan.parameters,
        steps: plan
            .steps
            .iter()
            .zip(steps)
            .map(|(planned, step)| CanonicalStep {
                step,
                calls: &planned.calls,
                hazard: planned.hazard.word(),
                timeout_millis: planned.timeout.as_millis() as u64,
                after: &planned.after,
                retries: planned.retries,
                retry_every_millis: planned.retry_every.as_millis() as u64,
                only: planned.only,
                guards: planned.guards.iter().map(|guard| guard.text.as_str()).collect(),
            })
            .collect(),
    };
    digest_of(&canonical)
}

/// SHA-256 of a value's JSON, hex. Struct fields keep their order and maps are ordered, so equal values give
/// equal bytes.
pub fn digest_of(value: &impl Serialize) -> String {
    let bytes = serde_json::to_vec(value).expect("plain data without maps keyed by anything but text");
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}
