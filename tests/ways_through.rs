//! No guard may make the recovery from an outage impossible because of that outage, and none may let one begin that
//! is none: every failover runbook of the bundled estate, for every app it serves, against every kind of loss.
//!
//! Runbooks are taken from the estate as they are found: a new one is held to this table by being written.

mod rig;
mod ways;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use pointsman::{
    domain::{AppId, RegionId, snapshot::Reach},
    runbook::{
        plan::Plan,
        run::{Answer, Ask, Phase},
        spec::{RunbookKind, RunbookSpec},
    },
    sim::fault::{Down, FaultKind},
};
use rig::{HYDERABAD, MUMBAI};
use ways::{BANK, Bridge, Look, STUCK, declaration, lost};

/// Every failover with every app it serves.
fn failovers() -> Vec<(Arc<RunbookSpec>, AppId)> {
    let serves = |runbook: &RunbookSpec, app: &pointsman::domain::App| {
        runbook.apps.contains(&app.id) || runbook.strategies.contains(&app.strategy)
    };
    let found: Vec<_> = BANK
        .1
        .iter()
        .filter(|runbook| runbook.kind == RunbookKind::Failover)
        .flat_map(|runbook| {
            let apps = BANK.0.apps.iter().filter(|app| serves(runbook, app));
            apps.map(|app| (Arc::clone(runbook), app.id.clone())).collect::<Vec<_>>()
        })
        .collect();
    assert!(!found.is_empty(), "the bundled estate has a failover");
    found
}

/// As the product looks: the table is about what it knows in an outage too.
async fn open() -> Bridge {
    Bridge::open(&BANK.0, Look::AllTheTime).await
}

fn service(region: &str, service: &str) -> FaultKind {
    FaultKind::ServiceDown { region: RegionId::new(region), service: service.into(), how: Down::ServerError }
}

/// How Mumbai and Hyderabad are seen.
type Seen = fn([Reach; 2]) -> bool;

fn mumbai_is_not_well([mumbai, _]: [Reach; 2]) -> bool {
    !matches!(mumbai, Reach::Reachable | Reach::Unknown)
}

fn at_once(_: [Reach; 2]) -> bool {
    true
}

fn losses() -> Vec<(&'static str, Vec<FaultKind>, Seen)> {
    let link = |target: &str| FaultKind::LagGrowth { target: target.into(), millis_per_second: 1_000.0 };
    vec![
        ("refused", vec![lost(MUMBAI, Down::Refuse)], mumbai_is_not_well),
        ("black-holed", vec![lost(MUMBAI, Down::Blackhole)], mumbai_is_not_well),
        ("slow", vec![lost(MUMBAI, Down::Slow)], at_once),
        ("5xx", vec![lost(MUMBAI, Down::ServerError)], mumbai_is_not_well),
        ("rds down", vec![service(MUMBAI, "rds")], at_once),
        ("cloudwatch dark", vec![service(MUMBAI, "cloudwatch")], at_once),
        ("backup down", vec![service(MUMBAI, "backup")], at_once),
        (
            "gone, and the Route 53 control plane with it",
            vec![lost(MUMBAI, Down::Refuse), FaultKind::ControlPlaneImpaired { how: Down::ServerError }],
            mumbai_is_not_well,
        ),
        ("link lost", vec![link("payments-hyd"), link("payments-global")], at_once),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_loss_leaves_a_way_through_every_failover() {
    let mut closed = Vec::new();
    for (name, faults, seen) in losses() {
        let bridge = open().await;
        for fault in &faults {
            bridge.happens(fault.clone());
        }
        for (runbook, app) in failovers() {
            bridge.plan_when(&runbook, &app, seen).await;
            // A decision takes its time: what was read before the outage is old by then.
            bridge.hand.advance(Duration::from_mins(20));
            let plan = bridge.plan_when(&runbook, &app, seen).await;
            let place = format!("{name}: {} for {app}", runbook.id);
            closed.extend(plan.interlocks.iter().map(|lock| format!("{place}: {}: {}", lock.code, lock.text)));
            for step in &plan.steps {
                let shut = step.guards.iter().filter(|guard| guard.blocks_plan() && !guard.overridable);
                closed.extend(shut.map(|guard| format!("{place}: {}: {}: {}", step.id, guard.text, guard.present)));
            }
        }
    }
    assert!(closed.is_empty(), "no way through:\n{}", closed.join("\n"));
}

/// Whether something stops it before its first effect although a person confirms whatever is confirmed without
/// looking: a guard or an interlock of the plan, else a check of the run.
async fn is_stopped(bridge: &Bridge, plan: &Plan) -> bool {
    if !plan.blockers().is_empty() {
        return true;
    }
    let declaration = declaration(plan, plan.target_region.as_str());
    let Ok(run) = bridge.engine.declare(plan, declaration).await else { return true };
    let mut watch = bridge.engine.watch();
    loop {
        let runs = watch.borrow_and_update().clone();
        let state = runs.list.iter().find(|state| state.id == run).cloned().expect("listed");
        match &state.phase {
            Phase::Parked { .. } | Phase::Waiting(Ask::Override { .. }) => return true,
            Phase::Waiting(Ask::Confirm { step, .. }) => {
                // A refusal means that the run moved on; the next state says where.
                let _ = bridge.engine.answer(run, Answer::Go { step: step.clone() }).await;
            }
            Phase::Waiting(_) | Phase::Completed { .. } | Phase::Abandoned { .. } => return false,
            _ => {}
        }
        tokio::time::timeout(STUCK, watch.changed()).await.expect("it goes on").expect("the engine lives");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_both_regions_well_no_failover_gets_to_its_first_call() {
    for (runbook, app) in failovers() {
        let bridge = open().await;
        let plan = bridge.plan_when(&runbook, &app, |seen| seen == [Reach::Reachable; 2]).await;
        assert!(is_stopped(&bridge, &plan).await, "{} for {app} goes ahead although all is well", runbook.id);
        assert!(!bridge.sim.calls().iter().any(|call| call.effect), "{} for {app}", runbook.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_network_of_ones_own_is_not_an_outage() {
    let bridge = open().await;
    bridge.cut.store(true, Ordering::SeqCst);
    for (runbook, app) in failovers() {
        let plan = bridge.plan_when(&runbook, &app, |[_, hyderabad]| hyderabad == Reach::OwnNetwork).await;
        let codes: Vec<&str> = plan.interlocks.iter().map(|lock| lock.code.as_str()).collect();
        assert!(codes.contains(&"own-network"), "{} for {app}: {codes:?}", runbook.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_sent_to_a_region_that_is_not_there() {
    for how in [Down::Refuse, Down::ServerError] {
        let bridge = open().await;
        bridge.happens(lost(HYDERABAD, how));
        for (runbook, app) in failovers() {
            let plan = bridge.plan_when(&runbook, &app, |[_, hyderabad]| hyderabad == Reach::RegionDown).await;
            let codes: Vec<&str> = plan.interlocks.iter().map(|lock| lock.code.as_str()).collect();
            assert!(codes.contains(&"target-down"), "{how:?}: {} for {app}: {codes:?}", runbook.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_account_and_another_region_than_the_call_s_are_refused() {
    let bridge = Bridge::expecting(&BANK.0, Look::AllTheTime, "999988887777").await;
    bridge.happens(lost(MUMBAI, Down::Refuse));
    for (runbook, app) in failovers() {
        let plan = bridge.plan_when(&runbook, &app, mumbai_is_not_well).await;
        let codes: Vec<&str> = plan.interlocks.iter().map(|lock| lock.code.as_str()).collect();
        assert!(codes.contains(&"account-mismatch"), "{} for {app}: {codes:?}", runbook.id);
    }
    let bridge = open().await;
    bridge.happens(lost(MUMBAI, Down::Refuse));
    for (runbook, app) in failovers() {
        let plan = bridge.plan_when(&runbook, &app, mumbai_is_not_well).await;
        let typed = declaration(&plan, MUMBAI);
        assert!(bridge.engine.declare(&plan, typed).await.is_err(), "{} for {app}: Mumbai was typed", runbook.id);
    }
}

/// Who is called at five in the morning starts the console then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_that_is_started_hours_into_the_outage_still_bounds_the_loss() {
    let bridge = Bridge::open(&BANK.0, Look::WhenAsked).await;
    let began = bridge.sim.now();
    bridge.happens(lost(MUMBAI, Down::Refuse));
    bridge.hand.advance(Duration::from_mins(150));
    let (runbook, app) = failovers().into_iter().find(|(_, app)| app.as_str() == "payments").expect("of the estate");
    let plan = bridge.plan_when(&runbook, &app, |[mumbai, _]| mumbai == Reach::RegionDown).await;
    let loss = plan.steps.iter().find_map(|step| step.loss.as_ref()).expect("the failover may lose data");
    let (bound, since) = (loss.bound.expect("bounded by the last sample"), loss.since.expect("from then on"));
    let early = Duration::from_mins(10); // the period of the older points, and their delay
    assert!(since <= began && since >= began - early, "{since:?} of an outage at {began:?}: {loss:?}");
    assert!(bound >= Duration::from_mins(150) && bound <= Duration::from_mins(190), "{loss:?}");
}
