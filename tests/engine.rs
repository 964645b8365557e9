//! The engine against the simulator through the real SDK: doubt, a failing journal, refusals, a black-holed Region.

mod rig;

use std::time::Duration;

use pointsman::{
    domain::StepId,
    engine::{Store, store},
    runbook::run::{Answer, Ask, Phase, Ruling, RunId, StepPhase},
    sim::fault::{Down, FaultKind},
};
use rig::{Console, Death, HYDERABAD, Rig, declaration};

fn mumbai_gone(how: Down) -> Rig {
    let rig = Rig::new();
    rig.mumbai_down(how);
    rig.hand.advance(Duration::from_secs(300));
    rig
}

async fn declared(console: &Console, runbook: &str) -> RunId {
    let plan = console.plan(runbook).await;
    assert!(plan.interlocks.is_empty(), "{:?}", plan.interlocks);
    let region = plan.target_region.clone();
    console.engine.declare(&plan, declaration("payments", region.as_str())).await.expect("declared")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_goes_through_while_mumbai_is_black_holed_and_moves_the_writer() {
    let rig = mumbai_gone(Down::Blackhole);
    let console = rig.console(Death::Never).await;
    let run = declared(&console, "payments-failover").await;
    let state = console.carry(run).await.expect("it ends");
    assert!(matches!(state.phase, Phase::Completed { .. }), "{:#?}", state.log);
    assert_eq!(rig.effects().get("FailoverGlobalCluster"), Some(&1));
    assert_eq!(rig.effects().get("ChangeResourceRecordSets"), Some(&1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_that_looks_on_sees_how_the_run_of_another_one_ends() {
    let rig = mumbai_gone(Down::Refuse);
    let console = rig.console(Death::Never).await;
    let run = declared(&console, "payments-failover").await;
    let other = rig.console(Death::Never).await;
    assert!(!other.state(run).phase.ended());
    let carried = async {
        console.carry(run).await.expect("it ends");
        other.until(run, "ended", |state| state.phase.ended()).await
    };
    let seen = tokio::select! {
        () = other.engine.follow() => panic!("it follows until the process ends"),
        seen = carried => seen,
    };
    assert!(matches!(seen.phase, Phase::Completed { .. }), "{:#?}", seen.log);
    assert!(seen.unprotected_since.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_resolved_by_looking_and_never_by_sending_again() {
    let rig = mumbai_gone(Down::Refuse);
    rig.inject(FaultKind::ReplyLost {
        service: Some("rds".into()),
        operation: Some("FailoverGlobalCluster".into()),
        count: 1,
    });
    let console = rig.console(Death::Never).await;
    let run = declared(&console, "payments-failover").await;
    let state = console.carry(run).await.expect("it ends");
    assert!(matches!(state.phase, Phase::Completed { .. }), "{:#?}", state.log);
    assert!(state.log.iter().any(|(_, line)| line.contains("in doubt")), "{:#?}", state.log);
    let promote = state.steps.iter().find(|step| step.id.as_str() == "promote").expect("a step");
    assert_eq!((promote.attempts, &promote.phase), (1, &StepPhase::Done));
    assert!(promote.detail.contains("the answer was lost"), "{}", promote.detail);
    assert_eq!(rig.mutating_calls(), 2, "one failover, one change of records");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_outcome_cannot_be_read_parks_for_a_verdict_with_evidence() {
    let rig = mumbai_gone(Down::Refuse);
    // Hyderabad's RDS stops answering the moment the failover was sent.
    rig.inject(FaultKind::ReplyLost {
        service: Some("rds".into()),
        operation: Some("FailoverGlobalCluster".into()),
        count: 1,
    });
    let console = rig.console(Death::AfterCall(1)).await;
    let run = declared(&console, "payments-failover").await;
    assert!(console.carry(run).await.is_none(), "the console dies with the call in flight");
    drop(console);
    rig.inject(FaultKind::ServiceDown { region: HYDERABAD.into(), service: "rds".into(), how: Down::Refuse });
    let console = rig.console(Death::Never).await;
    assert!(matches!(console.state(run).steps[1].phase, StepPhase::Sent), "found as it was left");
    resume(&console, run).await;
    let state =
        console.until(run, "asked for a verdict", |state| matches!(&state.phase, Phase::Waiting(Ask::Verdict { .. })));
    let step = state.await.phase_step();
    let without = Answer::Verdict { step: step.clone(), ruling: Ruling::Applied, evidence: String::new() };
    assert!(console.engine.answer(run, without).await.is_err(), "a verdict needs its evidence");
    let again = Answer::Retry { step: step.clone() };
    assert!(console.engine.answer(run, again).await.is_err(), "nobody sends while in doubt");
    let verdict = Answer::Verdict { step, ruling: Ruling::Applied, evidence: "AWS support case 8812".into() };
    console.engine.answer(run, verdict).await.expect("taken");
    let state =
        console.until(run, "asked to be declared again", |state| matches!(&state.phase, Phase::Waiting(Ask::Rearm)));
    assert_eq!(state.await.steps[1].phase, StepPhase::Done);
    assert_eq!(rig.effects().get("FailoverGlobalCluster"), Some(&1));
}

trait PhaseStep {
    fn phase_step(&self) -> StepId;
}

impl PhaseStep for pointsman::runbook::run::RunState {
    fn phase_step(&self) -> StepId {
        match &self.phase {
            Phase::Waiting(ask) => ask.step().cloned().expect("asked about a step"),
            other => panic!("{other:?}"),
        }
    }
}

/// The dead console's lock goes with its last task.
async fn resume(console: &Console, run: RunId) {
    for _ in 0..10_000 {
        if console.engine.resume(run, declaration("payments", HYDERABAD)).await.is_ok() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never resumed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_cannot_be_written_stops_the_engine_before_the_call() {
    // Find the append that writes `sent`, then let exactly that one fail.
    let rig = mumbai_gone(Down::Refuse);
    let console = rig.console(Death::BeforeCall(1)).await;
    let run = declared(&console, "payments-failover").await;
    assert!(console.carry(run).await.is_none());
    let sent = console.reaper.counted().0;

    // Failed before or after the record came to lie on the disk: to the engine it is the same.
    for failure in [Death::BeforeAppend(sent), Death::AfterAppend(sent)] {
        let rig = mumbai_gone(Down::Refuse);
        let console = rig.console(failure).await;
        let run = declared(&console, "payments-failover").await;
        assert!(console.carry(run).await.is_none(), "the engine stopped");
        let mut watch = console.engine.watch();
        let says_so = watch.wait_for(|runs| runs.store_failure.is_some());
        tokio::time::timeout(Duration::from_secs(60), says_so).await.expect("it says so").expect("the engine lives");
        assert_eq!(rig.mutating_calls(), 0, "{failure:?}: nothing was sent");
        assert_eq!(console.reaper.counted().0, sent, "{failure:?}: and the write was not tried again");
        let plan = console.plan("payments-failover").await;
        assert!(
            console.engine.declare(&plan, declaration("payments", HYDERABAD)).await.is_err(),
            "{failure:?}: nor anything else begun"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_ends_in_unprotected_until_the_way_back_is_built() {
    let rig = mumbai_gone(Down::Refuse);
    let console = rig.console(Death::Never).await;
    let run = declared(&console, "payments-failover").await;
    let state = console.carry(run).await.expect("it ends");
    assert!(matches!(state.phase, Phase::Completed { exceptions } if exceptions > 0), "an override is an exception");
    assert_eq!(state.unprotected_since, state.ended_at);
    assert!(state.waited < state.ended_at.expect("ended").since(state.declared_at));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_starts_only_when_app_and_region_are_typed_as_they_stand_and_no_other_run_is_open() {
    let rig = mumbai_gone(Down::Refuse);
    let console = rig.console(Death::Never).await;
    let plan = console.plan("payments-failover").await;
    for (app, region) in [("payment", HYDERABAD), ("payments", "Mumbai"), ("", "")] {
        assert!(console.engine.declare(&plan, declaration(app, region)).await.is_err(), "{app} {region}");
    }
    let run = console.engine.declare(&plan, declaration("Payments", "hyderabad")).await.expect("declared");
    let second = console.engine.declare(&plan, declaration("payments", HYDERABAD)).await.expect_err("one at a time");
    assert!(second.to_string().contains("has not ended"), "{second}");
    assert!(console.engine.resume(run, declaration("payments", HYDERABAD)).await.is_err(), "it is driven");
    let abandon = Answer::Abandon { reason: "a rehearsal of the refusal".into() };
    console.engine.answer(run, abandon).await.expect("abandoned");
    console.until(run, "ended", |state| state.phase.ended()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_shows_exact_calls_every_blocker_at_once_and_keeps_its_hash_while_ages_change() {
    let rig = mumbai_gone(Down::Refuse);
    let console = rig.console(Death::Never).await;
    let plan = console.plan("payments-failover").await;
    let promote = plan.step(&StepId::new("promote")).expect("a step");
    assert_eq!(promote.calls[0].to_string(), "rds FailoverGlobalCluster ap-south-2");
    let target = &promote.calls[0].params[1];
    assert_eq!(target.0, "TargetDbClusterIdentifier");
    assert!(target.1.starts_with("arn:aws:rds:ap-south-2:"), "{target:?}");
    let lag = &promote.guards[0];
    assert!(lag.present.contains("last sample before the gap"), "{lag:?}");
    assert!(plan.blockers().iter().any(|line| line.contains("cannot write")), "{:?}", plan.blockers());
    rig.hand.advance(Duration::from_secs(20));
    assert_eq!(console.plan("payments-failover").await.hash, plan.hash);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_up_records_what_is_in_flight_as_unknown_and_nothing_else() {
    let rig = mumbai_gone(Down::Refuse);
    let console = rig.console(Death::BeforeCall(1)).await;
    let run = declared(&console, "payments-failover").await;
    assert!(console.carry(run).await.is_none(), "the call is out and no answer comes");
    let before = rig.store().load_run(run).expect("readable").records.len();
    tokio::task::block_in_place(|| console.engine.orphaned());
    let stored = rig.store().load_run(run).expect("readable");
    let written: Vec<&store::Record> = stored.records.iter().skip(before).collect();
    assert_eq!(written.len(), 1, "{written:?}");
    assert_eq!((written[0].written.kind.as_str(), written[0].epoch), ("outcome", 2), "in an epoch of its own");
    assert!(written[0].written.body.contains("unknown"), "{}", written[0].written.body);
    tokio::task::block_in_place(|| console.engine.orphaned());
    assert_eq!(rig.store().load_run(run).expect("readable").records.len(), before + 1, "once");
    drop(console);
    let next = rig.console(Death::Never).await;
    assert_eq!(next.state(run).steps[1].phase, StepPhase::InDoubt);
    assert_eq!(rig.mutating_calls(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_up_with_nothing_in_flight_adds_nothing_to_the_record() {
    let rig = mumbai_gone(Down::Refuse);
    let console = rig.console(Death::Never).await;
    let run = declared(&console, "payments-failover").await;
    console.until(run, "waits", |state| matches!(state.phase, Phase::Waiting(_))).await;
    let before = rig.store().load_run(run).expect("readable").records.len();
    tokio::task::block_in_place(|| console.engine.orphaned());
    assert_eq!(rig.store().load_run(run).expect("readable").records.len(), before);
}
