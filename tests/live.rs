//! The engine on a bank that does not name itself a simulation: what LIVE asks for, rehearsals, and the rehearsal that
//! is needed in earnest.

mod rig;

use pointsman::{
    domain::StepId,
    engine::{Permissions, Store as _},
    runbook::{
        plan::Plan,
        run::{Answer, Ask, Phase, RunId, StepPhase},
    },
    sim::fault::Down,
};
use rig::{Console, Death, HYDERABAD, MUMBAI, Rig, declaration};

const ALONE: Permissions = Permissions { single_operator: true, drill: false, endpoint_override: false };
const REHEARSAL: Permissions = Permissions { drill: true, ..ALONE };

async fn begun(console: &Console, runbook: &str) -> RunId {
    let plan = console.plan(runbook).await;
    assert!(plan.interlocks.is_empty(), "{:?}", plan.interlocks);
    let typed = declaration("payments", plan.target_region.as_str());
    console.engine.declare(&plan, typed).await.expect("declared")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_nothing_begins_before_somebody_said_that_nobody_else_acts() {
    let rig = Rig::new();
    let console = rig.live_console(Permissions::default()).await;
    let plan = console.plan("payments-switchover").await;
    assert_eq!(plan.mode_word, "LIVE");
    let codes: Vec<&str> = plan.interlocks.iter().map(|interlock| interlock.code.as_str()).collect();
    assert_eq!(codes, ["single-operator"]);
    assert!(plan.interlocks[0].text.contains("another machine is not fenced"), "{}", plan.interlocks[0].text);
    let refused = console.engine.declare(&plan, declaration("payments", HYDERABAD)).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(rig.mutating_calls(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rehearsal_on_the_real_bank_acts_and_is_a_drill_in_plan_run_and_list() {
    let rig = Rig::new();
    let console = rig.live_console(REHEARSAL).await;
    let run = begun(&console, "payments-switchover").await;
    let state = console.carry(run).await.expect("it ends");
    assert!(matches!(state.phase, Phase::Completed { .. }), "{:#?}", state.log);
    assert_eq!(state.plan.mode_word, "DRILL");
    assert_eq!(rig.effects().get("SwitchoverGlobalCluster"), Some(&1), "a rehearsal acts");
    assert_eq!(state.plan.request().runbook.as_str(), "payments-switchover");
    drop(console);
    // The next console reads it as what it was, and so does a list without the engine.
    let listed = pointsman::engine::history::list(&rig.store()).expect("readable");
    assert_eq!(listed.ended.iter().map(|ended| ended.mode_word.as_str()).collect::<Vec<_>>(), ["DRILL"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_that_is_needed_in_earnest_goes_on_with_its_clocks_and_is_confirmed_anew() {
    let rig = Rig::new();
    let console = rig.live_console(REHEARSAL).await;
    let run = begun(&console, "payments-switchover").await;
    let window = StepId::new("window");
    let asked = |state: &pointsman::runbook::run::RunState| matches!(&state.phase, Phase::Waiting(Ask::Confirm { step, .. }) if *step == window);
    let before = console.until(run, "asked for the window", asked).await;
    let change = console.engine.turning_real(run).await.expect("a drill can be turned real");
    assert_eq!(change.plan.mode_word, "LIVE");
    assert_eq!(change.kept, [StepId::new("well")], "what is done stays done");
    let wrong = console.engine.turn_real(run, declaration("payments", MUMBAI)).await;
    assert!(wrong.is_err(), "the Region is typed as it stands: {wrong:?}");
    assert_eq!(console.state(run).plan.mode_word, "DRILL");

    console.engine.turn_real(run, declaration("payments", HYDERABAD)).await.expect("turned real");
    let real =
        console.until(run, "asked again, in earnest", |state| state.plan.mode_word == "LIVE" && asked(state)).await;
    assert_eq!(real.declared_at, before.declared_at, "the clock from the declaration goes on");
    assert_eq!(real.waited_at(real.declared_at), before.waited_at(before.declared_at));
    assert_eq!(real.steps.iter().filter(|step| step.phase == StepPhase::Done).count(), 1);
    let state = console.carry(run).await.expect("it ends");
    assert!(matches!(state.phase, Phase::Completed { .. }), "{:#?}", state.log);
    assert_eq!(rig.effects().get("SwitchoverGlobalCluster"), Some(&1));
    assert!(console.engine.turning_real(run).await.is_err(), "what ended is not turned");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_in_earnest_is_never_turned_and_a_drill_of_a_failover_is_stopped_while_both_regions_answer() {
    let rig = Rig::new();
    let console = rig.live_console(REHEARSAL).await;
    let run = begun(&console, "payments-failover").await;
    let parked = |state: &pointsman::runbook::run::RunState| matches!(state.phase, Phase::Parked { .. });
    console.until(run, "Mumbai answers: parked", parked).await;
    assert_eq!(rig.mutating_calls(), 0);
    let reason = "the drill is over".to_owned();
    console.engine.answer(run, Answer::Abandon { reason }).await.expect("abandoned");
    drop(console);

    rig.mumbai_down(Down::Refuse);
    rig.hand.advance(std::time::Duration::from_secs(300));
    let console = rig.live_console(ALONE).await;
    let run = begun(&console, "payments-failover").await;
    assert!(console.engine.turning_real(run).await.is_err(), "it is real already");
    let state = console.carry(run).await.expect("it ends");
    assert_eq!((state.plan.mode_word.as_str(), rig.effects().get("FailoverGlobalCluster")), ("LIVE", Some(&1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_a_simulation_and_of_aws_in_one_journal_forbid_delay_and_touch_nothing_of_each_other() {
    let rig = Rig::new();
    let simulation = rig.console(Death::Never).await;
    let rehearsed = begun(&simulation, "payments-switchover").await;
    assert!(simulation.state(rehearsed).plan.mode_word.starts_with("SIMULATED"));

    let live = rig.live_console(ALONE).await;
    let run = begun(&live, "payments-switchover").await; // nothing forbids it, though the other has not ended
    assert_eq!(live.state(run).plan.mode_word, "LIVE");
    let abandon = || Answer::Abandon { reason: "a rehearsal of two worlds".into() };
    live.engine.answer(run, abandon()).await.expect("abandoned");
    live.until(run, "ended", |state| state.phase.ended()).await;

    let flapping = |plan: &Plan| {
        let guards = plan.steps.iter().flat_map(|step| &step.guards);
        guards
            .filter(|guard| guard.text.contains("no run in the last"))
            .map(|guard| guard.present.to_string())
            .collect()
    };
    let seen: Vec<String> = flapping(&*simulation.plan("payments-switchover").await);
    assert_eq!(seen, ["no run on record"], "what ended live delays no rehearsal");
    let seen: Vec<String> = flapping(&*live.plan("payments-switchover").await);
    assert!(seen.iter().all(|seen| seen.starts_with("last run ended")) && seen.len() == 1, "{seen:?}");

    // A run goes on where it was declared, and nowhere else.
    let crossed = live.engine.resume(rehearsed, declaration("payments", HYDERABAD)).await.expect_err("not here");
    assert!(crossed.to_string().contains("the run is of a simulation"), "{crossed}");
    let records = rig.store().load_run(rehearsed).expect("readable").records;
    assert!(records.iter().all(|record| record.written.kind != "driven"), "nobody else took it");
    simulation.engine.answer(rehearsed, abandon()).await.expect("it is still driven where it belongs");
}
