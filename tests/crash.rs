//! The program dies before and after each journal append and each call of the three payments runbooks; a new one
//! finds the run, goes on by observing, and ends where an undisturbed one ends, each effect having happened once.

mod rig;

use pointsman::{
    engine::{Chain, Store, examine, recover},
    runbook::run::{Phase, RunId, RunState, StepPhase},
    sim::fault::Down,
};
use rig::{Death, Rig, declaration};

/// One of the three, with the situation it is for.
#[derive(Clone, Copy, Debug)]
enum Case {
    Failover,
    Switchover,
    Failback,
}

impl Case {
    const fn runbook(self) -> &'static str {
        match self {
            Self::Failover => "payments-failover",
            Self::Switchover => "payments-switchover",
            Self::Failback => "payments-failback",
        }
    }

    async fn rig(self) -> Rig {
        let rig = Rig::new();
        match self {
            Self::Failover => {
                rig.mumbai_down(Down::Refuse);
                rig.hand.advance(std::time::Duration::from_secs(300));
            }
            Self::Switchover => {}
            Self::Failback => rig.after_a_failover().await,
        }
        rig
    }
}

/// What must come out the same however often the program died on the way.
///
/// Aurora goes on rebuilding the other side after the run has ended; a run with a death in it takes another while,
/// so the worlds are compared when they have come to rest.
fn outcome(rig: &Rig, state: &RunState) -> String {
    rig.hand.advance(std::time::Duration::from_hours(6));
    let steps: Vec<String> = state
        .steps
        .iter()
        .map(|step| match &step.phase {
            StepPhase::Done => format!("{} done", step.id),
            other => format!("{} {other:?}", step.id),
        })
        .collect();
    format!("{} [{}] {}", state.phase.word(), steps.join(", "), rig.world())
}

/// Runs it with one death on the way; `None` when that place is never reached.
async fn died_at(case: Case, death: Death) -> (String, Rig, (usize, usize)) {
    let rig = case.rig().await;
    let console = rig.direct_console(death).await;
    let plan = console.plan(case.runbook()).await;
    assert!(plan.interlocks.is_empty(), "{:?}", plan.interlocks);
    let declared = console.engine.declare(&plan, declaration("payments", plan.target_region.as_str())).await;
    let ended = match declared {
        Ok(run) => console.carry(run).await,
        Err(refusal) => {
            assert!(matches!(death, Death::BeforeAppend(1) | Death::AfterAppend(1)), "{refusal}");
            None
        }
    };
    let counted = console.reaper.counted();
    let Some(state) = ended else {
        drop(console);
        let state = resumed(&rig, case).await;
        return (outcome(&rig, &state), rig, counted);
    };
    (outcome(&rig, &state), rig, counted)
}

/// The next start: what is unfinished is listed and resumed; where nothing was declared yet, it is declared.
async fn resumed(rig: &Rig, case: Case) -> std::sync::Arc<RunState> {
    let console = rig.direct_console(Death::Never).await;
    let open: Vec<RunId> = {
        let runs = console.engine.watch().borrow().clone();
        assert!(runs.list.iter().all(|state| !state.driven), "nobody drives at a start");
        runs.list.iter().filter(|state| !state.phase.ended()).map(|state| state.id).collect()
    };
    let ended = { console.engine.watch().borrow().list.first().cloned() };
    let run = match (open.first(), ended) {
        (Some(run), _) => {
            let region = console.state(*run).plan.target_region.clone();
            // The dead one's lock goes with its last task.
            let mut tries = 0;
            loop {
                match console.engine.resume(*run, declaration("Payments", region.as_str())).await {
                    Ok(run) => break run,
                    Err(refusal) => {
                        tries += 1;
                        assert!(tries < 10_000, "{refusal}");
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
        (None, Some(state)) => return state,
        // Its last record was written: it has ended, and the record is what there is of it.
        (None, None) if !console.engine.watch().borrow().ended.is_empty() => {
            let ended = console.engine.watch().borrow().ended[0].id;
            let stored = rig.store().load_run(ended).expect("readable");
            return std::sync::Arc::new(recover(&stored).expect("whole").shown);
        }
        (None, None) => {
            let plan = console.plan(case.runbook()).await;
            let region = plan.target_region.clone();
            console.engine.declare(&plan, declaration("payments", region.as_str())).await.expect("declared")
        }
    };
    console.carry(run).await.expect("nobody dies twice")
}

async fn every_death(case: Case) {
    let (undisturbed, rig, (appends, calls)) = died_at(case, Death::Never).await;
    let effects = rig.effects();
    assert!(undisturbed.starts_with("completed"), "{undisturbed}");
    assert!(appends > 10 && calls >= 2, "{appends} appends, {calls} calls");
    assert!(effects.values().all(|count| *count == 1), "{effects:?}");

    let mut places = Vec::new();
    for n in 1..=appends {
        places.extend([Death::BeforeAppend(n), Death::AfterAppend(n)]);
    }
    for n in 1..=calls {
        places.extend([Death::BeforeCall(n), Death::AfterCall(n)]);
    }
    for death in places {
        let (outcome, rig, _) = died_at(case, death).await;
        assert_eq!(outcome, undisturbed, "{case:?} {death:?}");
        assert_eq!(rig.effects(), effects, "{case:?} {death:?}: an effect was lost or happened twice");
        let store = rig.store();
        let chain = examine(&store.load().expect("readable"), store.anchored().expect("readable")).chain();
        assert!(matches!(chain, Chain::Whole { .. }), "{case:?} {death:?}: {chain:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_ends_the_same_wherever_the_program_dies() {
    every_death(Case::Failover).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switchover_ends_the_same_wherever_the_program_dies() {
    every_death(Case::Switchover).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failback_ends_the_same_wherever_the_program_dies() {
    every_death(Case::Failback).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_ends_in_unprotected_until_the_way_back_is_built() {
    let rig = Case::Failover.rig().await;
    let console = rig.console(Death::Never).await;
    let plan = console.plan("payments-failover").await;
    let run = console.engine.declare(&plan, declaration("payments", "Hyderabad")).await.expect("declared");
    let state = console.carry(run).await.expect("it ends");
    assert!(matches!(state.phase, Phase::Completed { exceptions } if exceptions > 0), "an override is an exception");
    assert_eq!(state.unprotected_since, state.ended_at);
    assert!(state.waited < state.ended_at.expect("ended").since(state.declared_at));
}
