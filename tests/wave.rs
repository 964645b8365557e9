//! The whole bundled estate as one wave, with Mumbai down: its order, its bound, and that every app is through at the end.

mod rig;
mod ways;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use pointsman::{
    domain::{AppId, snapshot::Reach},
    engine::wave::{WaveDeclaration, WaveRequest},
    runbook::{
        run::{Answer, Phase, RunState},
        spec::Variant,
    },
    sim::fault::Down,
};
use rig::MUMBAI;
use ways::{BANK, Bridge, Look, STUCK, answer, lost};

const AT_A_TIME: u32 = 3;
/// A run that parks more often than that is not unlucky.
const RETRIES: u32 = 20;

fn begun(run: &RunState) -> bool {
    run.steps.iter().any(|step| step.attempts > 0)
}

fn completed(run: &RunState) -> bool {
    matches!(run.phase, Phase::Completed { .. })
}

/// What holds in each picture of the wave, however often it is looked at.
fn in_order_and_bounded(runs: &[Arc<RunState>]) {
    let under_way: Vec<&str> =
        runs.iter().filter(|run| begun(run) && !run.phase.ended()).map(|run| run.plan.app.as_str()).collect();
    assert!(under_way.len() <= AT_A_TIME as usize, "{under_way:?}");
    let through: BTreeSet<&AppId> = runs.iter().filter(|run| completed(run)).map(|run| &run.plan.app).collect();
    for run in runs.iter().filter(|run| begun(run)) {
        let mark = run.declaration.wave.as_ref().expect("of the wave");
        let early: Vec<_> = mark.after.iter().filter(|app| !through.contains(app)).collect();
        assert!(early.is_empty(), "{} began before {early:?}", run.plan.app);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_apps_go_to_hyderabad_in_dependency_order_and_never_more_at_a_time_than_was_agreed() {
    let bridge = Bridge::open(&BANK.0, Look::WhenAsked).await;
    bridge.happens(lost(MUMBAI, Down::Refuse));
    bridge.hand.advance(Duration::from_mins(5));
    for app in &BANK.0.apps {
        let book = BANK.1.iter().find(|book| book.id == app.runbooks["failover"]).expect("the estate was read whole");
        bridge.plan(book, &app.id).await; // a wave is planned by what was read last
    }
    let request =
        WaveRequest { role: "failover".into(), apps: Vec::new(), parallel_max: AT_A_TIME, variant: Variant::Whole };
    let wave = bridge.engine.plan_wave(&request).await.expect("a wave");
    assert!(wave.left_out.is_empty(), "{:?}", wave.left_out);
    let phrase = wave.phrase();
    let said = WaveDeclaration { who: "asha".into(), incident: "INC-4471".into(), phrase, outage_at: None };
    let declared = bridge.engine.declare_wave(&wave, &said).await.expect("typed as it stands");
    assert_eq!(declared.len(), BANK.0.apps.len());
    assert!(wave.items.iter().any(|item| !item.after.is_empty()), "some app waits for another");

    through(&bridge, declared.len()).await;
    // Every app is there now: a second wave takes none along that nobody named.
    for app in &BANK.0.apps {
        let book = BANK.1.iter().find(|book| book.id == app.runbooks["failover"]).expect("the estate was read whole");
        bridge.plan(book, &app.id).await;
    }
    let again = bridge.engine.plan_wave(&request).await.expect_err("all are there").to_string();
    assert!(again.contains("all 10 apps") && again.contains("already in Hyderabad (DNS"), "{again}");
    let named = WaveRequest { apps: vec![AppId::new("payments")], ..request };
    let wave = bridge.engine.plan_wave(&named).await.expect("who is named is planned");
    assert_eq!(wave.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_there_already_stays_and_nobody_waits_for_it() {
    let bridge = Bridge::open(&BANK.0, Look::WhenAsked).await;
    bridge.happens(lost(MUMBAI, Down::Refuse));
    bridge.hand.advance(Duration::from_mins(5));
    let failover = |app: &AppId| {
        let id = &BANK.0.app(app).expect("of the estate").runbooks["failover"];
        BANK.1.iter().find(|book| book.id == *id).expect("the estate was read whole")
    };
    let first = BANK.0.apps.iter().find_map(|app| app.depends_on.first()).expect("some app waits for another");
    let plan = bridge.plan_when(failover(first), first, |[mumbai, _]| mumbai == Reach::RegionDown).await;
    bridge.carry(&plan).await;
    for app in &BANK.0.apps {
        bridge.plan(failover(&app.id), &app.id).await;
    }
    let request =
        WaveRequest { role: "failover".into(), apps: Vec::new(), parallel_max: AT_A_TIME, variant: Variant::Whole };
    let wave = bridge.engine.plan_wave(&request).await.expect("a wave");
    let there: Vec<&AppId> = wave.there.iter().map(|(app, _)| app).collect();
    assert_eq!(there, [first]);
    assert_eq!((wave.items.len(), wave.left_out.len()), (BANK.0.apps.len() - 1, 0), "{:?}", wave.left_out);
    assert!(wave.items.iter().all(|item| !item.after.contains(first)));
}

/// Until all of them have ended well.
async fn through(bridge: &Bridge, declared: usize) {
    let mut watch = bridge.engine.watch();
    let mut retried = BTreeMap::new();
    loop {
        let runs = watch.borrow_and_update().clone();
        in_order_and_bounded(&runs.list);
        if runs.list.iter().all(|run| run.phase.ended()) {
            assert!(runs.list.iter().all(|run| completed(run)), "all through");
            assert_eq!(runs.list.len(), declared);
            return;
        }
        let mut answered = false;
        for run in &runs.list {
            let told = || format!("{}: {:#?}\n{:#?}", run.plan.app, run.phase, run.log);
            match &run.phase {
                Phase::Waiting(ask) => {
                    // A refusal means that the run moved on; the next picture says where.
                    let _ = bridge.engine.answer(run.id, answer(ask, &run.declaration)).await;
                    answered = true;
                }
                // Ten drivers move one clock: what one of them has read may be old before it is judged. It is read anew.
                Phase::Parked { step: Some(step), .. } => {
                    let tried = retried.entry(run.id).or_insert(0_u32);
                    *tried += 1;
                    assert!(*tried <= RETRIES, "{}", told());
                    let _ = bridge.engine.answer(run.id, Answer::Retry { step: step.clone() }).await;
                    answered = true;
                }
                Phase::Parked { step: None, .. } => panic!("{}", told()),
                _ => {}
            }
        }
        if !answered {
            let changed = tokio::time::timeout(STUCK, watch.changed()).await;
            changed.unwrap_or_else(|_| panic!("stuck: {:#?}", runs.list)).expect("the engine lives");
        }
    }
}
