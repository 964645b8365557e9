//! A whole random estate for one seed: apps, what each of their steps does in the world, and who runs when.
//!
//! Plans are made frozen, as the store would hand them back: the soak is about running them, not about making them.
//! Where to look next: [`super::world`] (what the steps meet).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastrand::Rng;
use pointsman::{
    domain::{AppId, CallDescription, Hazard, SafeText, Side, StepId, Timestamp, compliance::RtoEstimate},
    runbook::{
        build::{Frozen, FrozenStep},
        finding::Leftover,
        foreign::Stood,
        plan::{Plan, PlanHash, PlannedStep},
        run::{Declaration, WaveMark},
        spec::{Guard, GuardSpec, OnFailure, Only, RunbookKind, Variant},
    },
};

use super::Weather;

pub const T0: i64 = 1_800_000_000_000;

pub fn stamp(now: u64) -> Timestamp {
    Timestamp::from_millis(T0.saturating_add_unsigned(now))
}

#[derive(Clone, Debug)]
pub struct Estate {
    pub apps: Vec<AppSpec>,
    /// Runs as they are declared: app and moment. Members of a wave share a moment.
    pub declared: Vec<(usize, u64, Option<WaveMark>)>,
}

#[derive(Clone, Debug)]
pub struct AppSpec {
    pub id: AppId,
    pub depends_on: Vec<usize>,
    pub plan: Arc<Frozen>,
    /// The same runbook one step longer: what a switch goes to.
    pub longer: Arc<Frozen>,
    pub natures: BTreeMap<StepId, Nature>,
    pub flags: usize,
}

#[derive(Clone, Debug)]
pub struct Nature {
    pub role: Role,
    /// Milliseconds that the world takes once it has begun, or until a reading becomes so.
    pub takes: u64,
    /// What each guard of the step rests on.
    pub rests_on: Vec<Ground>,
    /// What becomes of the first that is begun; tried again, it succeeds.
    pub first_ends: Ending,
}

/// How something that a call began comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Whole,
    /// As a job does: another may be started at once. Who did not hear its id cannot tell it from somebody else's.
    Failed,
    /// As a database does that cannot be restored: it stands there under its name, and in the way of another.
    Wrecked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Read,
    Ask,
    /// The old side can write no more.
    Fence,
    /// The new side writes.
    Promote,
    Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    Fenced,
    Flag(usize),
}

impl Estate {
    pub fn random(rng: &mut Rng, weather: Weather) -> Self {
        let most = if rng.u8(0..4) == 0 { 12 } else { 5 };
        let size = rng.usize(2..=most);
        let apps: Vec<AppSpec> = (0..size).map(|n| AppSpec::random(rng, n, weather)).collect();
        let declared = declared(rng, &apps, weather);
        Self { apps, declared }
    }
}

fn declared(rng: &mut Rng, apps: &[AppSpec], weather: Weather) -> Vec<(usize, u64, Option<WaveMark>)> {
    let mut runs = Vec::new();
    let in_wave = if rng.bool() { rng.usize(0..=apps.len()) } else { 0 };
    let parallel_max = rng.u32(1..=3);
    let accepts = rng.bool().then(|| Duration::from_secs(300));
    for (n, app) in apps.iter().enumerate() {
        if n < in_wave {
            let after = app.depends_on.iter().map(|d| apps[*d].id.clone()).collect();
            let mark = WaveMark {
                id: "wave".to_owned(),
                ordinal: n as u32 + 1,
                size: in_wave as u32,
                after,
                parallel_max,
                accepts,
                phrase: SafeText::default(),
            };
            runs.push((n, 0, Some(mark)));
        } else {
            runs.push((n, rng.u64(0..60_000), None));
        }
    }
    if weather == Weather::Storm {
        // Refused while the first one is under way: one run per app.
        for _ in 0..rng.usize(0..3) {
            runs.push((rng.usize(0..apps.len()), rng.u64(1_000..900_000), None));
        }
    }
    runs
}

impl AppSpec {
    fn random(rng: &mut Rng, n: usize, weather: Weather) -> Self {
        let id = AppId::new(format!("app{n}"));
        let depends_on = (0..n).filter(|_| rng.u8(0..5) == 0).take(2).collect();
        let flags = rng.usize(1..=3);
        let mut roles: Vec<Role> = (0..rng.usize(1..=6))
            .map(|_| match rng.u8(0..8) {
                0..3 => Role::Read,
                3 => Role::Ask,
                _ => Role::Change,
            })
            .collect();
        if rng.u8(0..4) != 0 {
            let at = rng.usize(0..=roles.len());
            roles.insert(at, Role::Fence);
            let at = rng.usize(at + 1..=roles.len());
            roles.insert(at, Role::Promote);
        }
        let scale = if weather == Weather::Storm { 1 } else { 8 };
        let mut steps: Vec<(PlannedStep, FrozenStep)> = Vec::new();
        let mut natures = BTreeMap::new();
        for (k, role) in roles.iter().enumerate() {
            let name = StepId::new(format!("s{k}"));
            let mut after: Vec<StepId> = Vec::new();
            if k > 0 && rng.u8(0..5) != 0 {
                after.push(steps[rng.usize(0..k)].0.id.clone());
                if rng.bool() {
                    after.push(steps[k - 1].0.id.clone());
                }
            }
            let fence = roles.iter().position(|role| *role == Role::Fence);
            if let (Role::Promote, Some(fence)) = (role, fence) {
                after.push(steps[fence].0.id.clone());
            }
            after.sort();
            after.dedup();
            // Some waits are longer than a console stays armed.
            let long = *role == Role::Read && rng.u8(0..16) == 0;
            let takes = if long { 17 * 60_000 } else { rng.u64(2..=30) * 1_000 * scale };
            let (guards, rests_on) = guards(rng, *role, flags, weather);
            let first_ends = match (role, rng.u8(0..16)) {
                (Role::Read | Role::Ask, _) => Ending::Whole,
                (_, 0) => Ending::Failed,
                (_, 1) => Ending::Wrecked,
                _ => Ending::Whole,
            };
            natures.insert(name.clone(), Nature { role: *role, takes, rests_on, first_ends });
            steps.push(step(rng, &name, *role, after, takes, guards));
        }
        let short = steps.len();
        let last = steps[short - 1].0.id.clone();
        let name = StepId::new(format!("s{short}"));
        let first_ends = Ending::Whole;
        natures.insert(name.clone(), Nature { role: Role::Change, takes: 5_000, rests_on: Vec::new(), first_ends });
        steps.push(step(rng, &name, Role::Change, vec![last], 5_000, Vec::new()));
        let longer = frozen(&id, "longer", steps.clone());
        // A switch may also make the plan shorter.
        steps.truncate(short);
        let plan = frozen(&id, "plan", steps);
        let (plan, longer) = if rng.bool() { (plan, longer) } else { (longer, plan) };
        Self { id, depends_on, plan: Arc::new(plan), longer: Arc::new(longer), natures, flags }
    }
}

fn guards(rng: &mut Rng, role: Role, flags: usize, weather: Weather) -> (Vec<GuardSpec>, Vec<Ground>) {
    let mut guards = Vec::new();
    let mut grounds = Vec::new();
    if role == Role::Promote {
        guards.push(GuardSpec { guard: Guard::Fenced { side: Side::Primary }, overridable: weather == Weather::Storm });
        grounds.push(Ground::Fenced);
    }
    if matches!(role, Role::Promote | Role::Change | Role::Fence) {
        for _ in 0..rng.usize(0..=2) {
            let flag = rng.usize(0..flags);
            let guard = Guard::ReadyFor { percent: 100, side: Side::Recovery };
            guards.push(GuardSpec { guard, overridable: rng.bool() });
            grounds.push(Ground::Flag(flag));
        }
    }
    (guards, grounds)
}

fn step(
    rng: &mut Rng,
    id: &StepId,
    role: Role,
    after: Vec<StepId>,
    takes: u64,
    guards: Vec<GuardSpec>,
) -> (PlannedStep, FrozenStep) {
    let (kind, hazard) = match role {
        Role::Read => ("read", Hazard::None),
        Role::Ask => ("ask", Hazard::None),
        Role::Fence => ("act", Hazard::Disruptive),
        Role::Promote => ("act", if rng.bool() { Hazard::DataLoss } else { Hazard::Disruptive }),
        Role::Change => ("act", if rng.u8(0..3) == 0 { Hazard::Disruptive } else { Hazard::Reversible }),
    };
    let acts = kind == "act";
    let planned = PlannedStep {
        id: id.clone(),
        title: id.as_str().into(),
        kind: kind.to_owned(),
        calls: if acts { vec![call(id, "*", hazard)] } else { Vec::new() },
        summary: SafeText::default(),
        hazard,
        expected: Duration::from_millis(takes),
        expected_basis: "declared".into(),
        timeout: Duration::from_millis(takes * 3 + 90_000),
        guards: Vec::new(),
        done_when: SafeText::default(),
        undo: SafeText::default(),
        on_failure: if !acts && rng.u8(0..3) == 0 { OnFailure::Continue } else { OnFailure::Park },
        after,
        retries: rng.u32(0..3),
        retry_every: Duration::from_secs(5),
        only: Only::Always,
        loss: None,
    };
    let frozen = FrozenStep { id: id.clone(), kind: kind.to_owned(), params: BTreeMap::new(), guards };
    (planned, frozen)
}

pub fn call(step: &StepId, token: &str, hazard: Hazard) -> CallDescription {
    CallDescription {
        service: "world".to_owned(),
        operation: "Change".to_owned(),
        region: "ap-south-2".into(),
        params: vec![("Step".to_owned(), step.as_str().into()), ("Token".to_owned(), token.into())],
        hazard,
        iam_actions: Vec::new(),
    }
}

/// What a step may leave, under the one name that it has.
pub fn left(app: usize, step: &StepId) -> Leftover {
    Leftover { kind: "thing".to_owned(), region: "ap-south-2".into(), id: SafeText::new(format!("app{app}-{step}")) }
}

fn frozen(app: &AppId, word: &str, steps: Vec<(PlannedStep, FrozenStep)>) -> Frozen {
    let (planned, steps): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
    let zero = Duration::ZERO;
    let plan = Plan {
        hash: PlanHash(format!("{app}-{word}")),
        runbook: "failover".into(),
        title: "Move".into(),
        kind: RunbookKind::Failover,
        variant: Variant::Whole,
        parameters: BTreeMap::new(),
        app: app.clone(),
        app_name: app.as_str().into(),
        target: Side::Recovery,
        target_region: "ap-south-2".into(),
        target_name: "Hyderabad".into(),
        account: "111122223333".to_owned(),
        mode_word: "SIMULATED".to_owned(),
        made_at: stamp(0),
        facts_at: None,
        steps: planned,
        interlocks: Vec::new(),
        estimate: RtoEstimate {
            detection: zero,
            decision: zero,
            execution: zero,
            dns_ttl: zero,
            verification: zero,
            basis: SafeText::default(),
        },
        rto_target: None,
        outage_since: None,
    };
    Frozen {
        plan,
        runbook_digest: "digest".to_owned(),
        steps,
        components: BTreeMap::new(),
        stood: Stood::default(),
        zone: "UTC".to_owned(),
    }
}

pub fn declaration(app: &AppId, wave: Option<WaveMark>) -> Declaration {
    Declaration {
        who: "asha".into(),
        incident: "INC-1".into(),
        app: app.as_str().to_owned(),
        region: "ap-south-2".to_owned(),
        outage_at: None,
        wave,
    }
}
