//! Laws of the clocks: whose time is whose, what is left, and what was lost.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::domain::{Hazard, SafeText, Side, StepId, Timestamp, compliance::RtoEstimate};
use crate::runbook::{
    clocks::{self, Timeline, achieved, clocks, loss_window},
    decide,
    event::{Entry, Event, Outcome},
    plan::{Plan, PlanHash, PlannedStep},
    run::{Answer, Ask, Declaration, Phase, RunId, RunState, StepPhase, StepState},
    spec::{OnFailure, Only, RunbookKind, Variant},
};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

struct Step {
    id: &'static str,
    kind: &'static str,
    hazard: Hazard,
    expected: u64,
    after: &'static [&'static str],
    ran: Option<(i64, Option<i64>)>,
}

fn step(id: &'static str, after: &'static [&'static str], ran: Option<(i64, Option<i64>)>) -> Step {
    Step { id, kind: "check", hazard: Hazard::None, expected: 10, after, ran }
}

fn promote(ran: Option<(i64, Option<i64>)>) -> Step {
    Step { kind: "aurora.failover-global", hazard: Hazard::DataLoss, expected: 40, ..step("promote", &["gone"], ran) }
}

fn shift(ran: Option<(i64, Option<i64>)>) -> Step {
    Step { kind: "route53.shift", hazard: Hazard::Disruptive, expected: 15, ..step("shift", &["promote"], ran) }
}

fn state(steps: &[Step], outage_at: Option<Timestamp>) -> RunState {
    let planned = |step: &Step| PlannedStep {
        id: step.id.into(),
        title: step.id.into(),
        kind: step.kind.into(),
        calls: Vec::new(),
        summary: "".into(),
        hazard: step.hazard,
        expected: secs(step.expected),
        expected_basis: "declared".into(),
        timeout: secs(600),
        guards: Vec::new(),
        done_when: "".into(),
        undo: "".into(),
        on_failure: OnFailure::Park,
        after: step.after.iter().map(StepId::new).collect(),
        retries: 0,
        retry_every: Duration::ZERO,
        only: Only::Always,
        loss: None,
    };
    let lived = |step: &Step| StepState {
        id: step.id.into(),
        phase: match step.ran {
            None => StepPhase::Pending,
            Some((_, None)) => StepPhase::Checking,
            Some((_, Some(_))) => StepPhase::Done,
        },
        attempts: u32::from(step.ran.is_some()),
        started_at: step.ran.map(|(from, _)| at(from)),
        ended_at: step.ran.and_then(|(_, to)| to).map(at),
        detail: "".into(),
        request_id: None,
        guards: Vec::new(),
    };
    let whole = steps.iter().all(|step| matches!(step.ran, Some((_, Some(_)))));
    let ended_at = steps.iter().filter_map(|step| step.ran?.1).max().filter(|_| whole).map(at);
    let plan = Plan {
        hash: PlanHash("7c41".into()),
        runbook: "payments-failover".into(),
        title: "".into(),
        kind: RunbookKind::Failover,
        variant: Variant::Whole,
        parameters: BTreeMap::new(),
        app: "payments".into(),
        app_name: "Payments".into(),
        target: Side::Recovery,
        target_region: "ap-south-2".into(),
        target_name: "Hyderabad".into(),
        account: "111122223333".into(),
        mode_word: "LIVE".into(),
        made_at: at(0),
        facts_at: None,
        steps: steps.iter().map(planned).collect(),
        interlocks: Vec::new(),
        estimate: RtoEstimate {
            detection: secs(0),
            decision: secs(0),
            execution: secs(65),
            dns_ttl: secs(30),
            verification: secs(60),
            basis: "declared".into(),
        },
        rto_target: Some(secs(300)),
        outage_since: None,
    };
    RunState {
        plan: Arc::new(plan),
        declaration: Declaration {
            who: "asha".into(),
            incident: "INC-4471".into(),
            app: "payments".into(),
            region: "hyderabad".into(),
            outage_at,
            wave: None,
        },
        steps: steps.iter().map(lived).collect(),
        ended_at,
        phase: if whole { Phase::Completed { exceptions: 0 } } else { Phase::Running },
        ..empty()
    }
}

fn empty() -> RunState {
    RunState {
        id: RunId(1),
        plan: Arc::new(
            serde_json::from_value(serde_json::json!({
                "hash": "", "runbook": "r", "title": "", "kind": "failover", "app": "a", "app_name": "A",
                "target": "recovery", "target_region": "ap-south-2", "target_name": "H", "account": "1",
                "mode_word": "LIVE", "made_at": at(0), "facts_at": null, "steps": [], "interlocks": [],
                "estimate": RtoEstimate { detection: secs(0), decision: secs(0), execution: secs(0), dns_ttl: secs(0),
                    verification: secs(0), basis: "".into() },
                "rto_target": null,
            }))
            .expect("a plan"),
        ),
        declaration: Declaration {
            who: "".into(),
            incident: "".into(),
            app: String::new(),
            region: String::new(),
            outage_at: None,
            wave: None,
        },
        principal: "arn".into(),
        declared_at: at(0),
        ended_at: None,
        held_after_step: false,
        phase: Phase::Running,
        steps: Vec::new(),
        epoch: 1,
        driven: true,
        elsewhere: None,
        waited: Duration::ZERO,
        waiting_since: None,
        notes: Vec::new(),
        log: Vec::new(),
        unprotected_since: None,
        timeline: Timeline::default(),
        measured: None,
        leftovers: Vec::new(),
    }
}

fn entries(events: Vec<(i64, Event)>) -> Timeline {
    let entries: Vec<Entry> =
        events.into_iter().map(|(secs, event)| Entry { at: at(secs), actor: SafeText::new("asha"), event }).collect();
    Timeline::of(&entries)
}

fn begun(step: &str) -> Event {
    Event::Begun { step: step.into(), attempt: 1 }
}

fn done(step: &str) -> Event {
    Event::Done { step: step.into(), detail: "".into() }
}

fn asked_loss(bound: u64, rounded: u64) -> Event {
    Event::Asked {
        ask: Ask::Loss {
            step: "promote".into(),
            bound: secs(bound),
            rounded: secs(rounded),
            phrase: String::new(),
            lines: Vec::new(),
        },
    }
}

fn accepted() -> Event {
    Event::Answered { answer: Answer::AcceptLoss { step: "promote".into(), typed: String::new() } }
}

fn sent() -> Event {
    Event::Sent { step: "promote".into(), attempt: 1, request_digest: "r".into() }
}

fn refused() -> Event {
    let outcome = Outcome::Refused { code: "x".into(), message: "y".into(), request_id: None };
    Event::Outcome { step: "promote".into(), attempt: 1, outcome }
}

#[test]
fn the_time_in_which_a_person_was_waited_for_is_not_the_machines() {
    let steps = [step("gone", &[], Some((0, Some(5)))), promote(Some((5, Some(105))))];
    let run = state(&steps, Some(at(-600)));
    let timeline = entries(vec![
        (0, begun("gone")),
        (5, done("gone")),
        (5, begun("promote")),
        (6, asked_loss(101, 300)),
        (66, accepted()),
        (66, sent()),
        (105, done("promote")),
    ]);
    let took = achieved(&run, &timeline, at(105));
    assert_eq!((took.makespan, took.waiting, took.machine), (secs(105), secs(60), secs(45)));
    assert_eq!((took.critical_path, took.overhead()), (secs(45), Some(1.0)));
    assert_eq!((took.from_outage, took.from_declaration), (Some(secs(705)), secs(105)));
    let per_step: Vec<Duration> = clocks::durations(&run, &timeline).map(|(_, took)| took).collect();
    assert_eq!(per_step, [secs(5), secs(40)], "what the next estimate learns from");
}

#[test]
fn what_a_person_takes_while_another_step_works_is_not_waited_for() {
    // a and b side by side; a waits 50 s for a person, b works 80 s all the while.
    let steps = [
        step("a", &[], Some((0, Some(60)))),
        step("b", &[], Some((0, Some(80)))),
        step("c", &["a", "b"], Some((80, Some(90)))),
    ];
    let run = state(&steps, None);
    let ask = Event::Asked { ask: Ask::Key { step: "a".into() } };
    let go = Event::Answered { answer: Answer::Go { step: "a".into() } };
    let timeline =
        entries(vec![(0, begun("a")), (0, begun("b")), (5, ask), (55, go), (60, done("a")), (80, done("b"))]);
    let took = achieved(&run, &timeline, at(90));
    assert_eq!((took.waiting, took.machine, took.critical_path), (secs(0), secs(90), secs(90)));
}

#[test]
fn parallel_steps_count_once_on_the_critical_path_and_an_idle_engine_shows() {
    let steps = [
        step("a", &[], Some((0, Some(10)))),
        step("b", &["a"], Some((10, Some(50)))),
        step("c", &["a"], Some((10, Some(30)))),
        step("d", &["b", "c"], Some((60, Some(70)))),
    ];
    let took = achieved(&state(&steps, None), &Timeline::default(), at(70));
    assert_eq!((took.critical_path, took.machine), (secs(60), secs(70)));
    assert!(took.overhead().expect("a path") > 1.02, "ten seconds in which nobody did anything");
}

#[test]
fn a_driver_that_died_is_waited_for_until_the_next_one_whatever_aws_does_meanwhile() {
    let steps = [step("gone", &[], Some((0, Some(100))))];
    let run = state(&steps, None);
    let driven = |at| (at, Event::Driven { epoch: 2, principal: "arn".into(), declaration: None });
    let timeline = entries(vec![(0, begun("gone")), driven(90), (100, done("gone"))]);
    assert_eq!(achieved(&run, &timeline, at(100)).waiting, secs(90), "a step that only reads stands still");

    let steps = [step("gone", &[], Some((0, Some(5)))), promote(Some((5, Some(105))))];
    let intended = Event::Intended {
        step: "promote".into(),
        attempt: 1,
        plan_hash: PlanHash("7c41".into()),
        call: crate::domain::CallDescription {
            service: "rds".into(),
            operation: "FailoverGlobalCluster".into(),
            region: "ap-south-2".into(),
            params: Vec::new(),
            hazard: Hazard::DataLoss,
            iam_actions: Vec::new(),
        },
        request_digest: "r".into(),
        guards: Vec::new(),
        traces: crate::runbook::finding::Traces::default(),
    };
    let timeline = entries(vec![
        (0, begun("gone")),
        (5, done("gone")),
        (5, begun("promote")),
        (6, intended),
        (6, sent()),
        driven(95),
        (105, done("promote")),
    ]);
    let run = state(&steps, None);
    let took = achieved(&run, &timeline, at(105));
    assert_eq!((took.waiting, took.machine), (secs(89), secs(16)), "nobody drove, though the promotion went on");
    let per_step: Vec<Duration> = clocks::durations(&run, &timeline).map(|(_, took)| took).collect();
    assert_eq!(per_step, [secs(5), secs(100)], "the next estimate learns what the promotion took");
}

#[test]
fn the_time_since_the_last_word_of_a_driver_that_is_gone_is_not_the_machines() {
    let steps = [step("gone", &[], Some((0, Some(5)))), promote(Some((5, None)))];
    let run = state(&steps, None);
    let timeline = || entries(vec![(0, begun("gone")), (5, done("gone")), (5, begun("promote")), (6, sent())]);
    let spent = |run: &RunState| {
        let clocks = clocks::clocks(run, &timeline(), at(606));
        (clocks.machine, clocks.waiting)
    };
    assert_eq!(spent(&run), (secs(606), secs(0)), "driven");
    assert_eq!(spent(&RunState { driven: false, ..run }), (secs(6), secs(600)));
}

#[test]
fn a_run_of_a_wave_that_waits_its_turn_takes_no_machine_time() {
    let run = state(&[step("gone", &[], Some((3_180, Some(3_185))))], None);
    let mut declaration = run.declaration.clone();
    declaration.wave = serde_json::from_value(serde_json::json!({
        "id": "w", "ordinal": 2, "size": 2, "parallel_max": 1, "accepts": null, "after": [],
    }))
    .expect("a mark");
    let timeline = |declaration: Declaration| {
        let declared = Event::Declared { plan_hash: PlanHash("7c41".into()), declaration, principal: "arn".into() };
        entries(vec![(0, declared), (3_180, begun("gone")), (3_185, done("gone"))])
    };
    let took = achieved(&run, &timeline(declaration), at(3_185));
    assert_eq!((took.machine, took.waiting, took.from_declaration), (secs(5), secs(3_180), secs(3_185)));
    let alone = achieved(&run, &timeline(run.declaration.clone()), at(3_185));
    assert_eq!(alone.machine, secs(3_185), "outside a wave nobody else is waited for: the machine was slow");
}

#[test]
fn what_is_left_is_the_open_path_then_the_time_to_live_then_what_verifies() {
    let verify = || step("served", &["shift"], None);
    let run =
        state(&[step("gone", &[], Some((0, Some(5)))), promote(Some((5, None))), shift(None), verify()], Some(at(-60)));
    let timeline = entries(vec![(0, begun("gone")), (5, done("gone")), (5, begun("promote"))]);
    let clocks = clocks(&run, &timeline, at(25));
    // 40 - 20 of the promotion, 15 of the shift, 30 of the time-to-live, 10 that verify.
    assert_eq!(clocks.remaining, secs(75));
    assert_eq!(clocks.projected_finish, at(100));
    assert_eq!(clocks.deadline, Some(at(240)), "300 s from the outage, which began a minute earlier");
    assert_eq!((clocks.last_moment, clocks.missed_by), (Some(at(165)), None));
}

#[test]
fn a_time_to_live_runs_from_the_change_and_a_target_that_cannot_be_met_says_by_how_much() {
    let steps = [
        step("gone", &[], Some((0, Some(5)))),
        promote(Some((5, Some(45)))),
        shift(Some((45, Some(330)))),
        step("served", &["shift"], None),
    ];
    let run = state(&steps, None);
    let clocks = clocks(&run, &Timeline::default(), at(340));
    assert_eq!(clocks.remaining, secs(30), "20 of 30 s of the time-to-live, 10 that verify");
    assert_eq!(clocks.missed_by, Some(secs(70)), "300 s from the declaration: nobody said when the outage began");
}

#[test]
fn the_window_to_reconcile_reaches_from_the_last_lag_to_the_new_writer() {
    let steps = [step("gone", &[], Some((0, Some(5)))), promote(Some((5, Some(105))))];
    let timeline = entries(vec![
        (5, begun("promote")),
        (6, asked_loss(101, 300)),
        (66, accepted()),
        (66, sent()),
        (105, done("promote")),
    ]);
    let window = loss_window(&state(&steps, Some(at(-80))), &timeline, at(105));
    assert_eq!((window.from, window.to), (Some(at(6 - 101)), at(105)), "nobody's word on the outage narrows it");
    assert!(window.basis.contains("up to 5 m"), "{}", window.basis);
}

#[test]
fn a_loss_that_nothing_bounded_stays_unbounded_and_a_run_without_one_lost_nothing() {
    let steps = [step("gone", &[], Some((0, Some(5)))), promote(Some((5, Some(105))))];
    let unbounded = decide::UNBOUNDED.as_secs();
    let timeline =
        entries(vec![(6, asked_loss(unbounded, unbounded)), (66, accepted()), (66, sent()), (105, done("promote"))]);
    let window = loss_window(&state(&steps, None), &timeline, at(105));
    assert_eq!((window.from, window.length()), (None, None));

    let harmless = [step("gone", &[], Some((0, Some(5)))), shift(Some((5, Some(20))))];
    assert!(loss_window(&state(&harmless, None), &Timeline::default(), at(20)).lossless());
}

#[test]
fn what_was_refused_lost_nothing_and_what_is_in_doubt_may_have() {
    let steps = [step("gone", &[], Some((0, Some(5)))), promote(Some((5, None)))];
    let before = || vec![(6, asked_loss(101, 300)), (66, accepted()), (66, sent())];
    assert!(!loss_window(&state(&steps, None), &entries(before()), at(90)).lossless(), "sent, and no answer");
    let mut after = before();
    after.push((67, refused()));
    assert!(loss_window(&state(&steps, None), &entries(after), at(90)).lossless());
}

#[test]
fn what_was_done_before_the_run_acted_is_not_called_lossless() {
    let steps = [step("gone", &[], Some((0, Some(5)))), promote(Some((5, Some(6))))];
    let window = loss_window(&state(&steps, None), &entries(vec![(6, done("promote"))]), at(6));
    assert_eq!(window.from, None, "{}", window.basis);
}

#[test]
fn a_run_without_a_loss_whose_keeping_step_a_person_left_out_is_not_called_lossless() {
    let mut run = state(&[step("keep", &[], Some((0, Some(10))))], None);
    let mut plan = (*run.plan).clone();
    plan.steps[0].kind = "aurora.keep-unplanned-snapshot".into();
    plan.steps[0].title = "Keep what Mumbai had".into();
    run.plan = Arc::new(plan);
    run.steps[0].phase = StepPhase::Skipped { reason: "no time".into() };
    let skip = Event::Answered { answer: Answer::Skip { step: "keep".into(), reason: "no time".into() } };
    let by_a_person = loss_window(&run, &entries(vec![(0, begun("keep")), (10, skip)]), at(10));
    assert!(!by_a_person.lossless() && by_a_person.length().is_none(), "{by_a_person:?}");
    assert!(by_a_person.basis.contains("Keep what Mumbai had was left out"), "{}", by_a_person.basis);
    let passed = Event::Passed { step: "keep".into(), reason: "there is none".into() };
    let nothing_to_keep = loss_window(&run, &entries(vec![(0, begun("keep")), (10, passed)]), at(10));
    assert!(nothing_to_keep.lossless(), "{nothing_to_keep:?}");
}

#[test]
fn what_is_measured_reads_back_as_it_was_written() {
    let run = state(&[step("gone", &[], Some((0, Some(5))))], Some(at(-60)));
    let took = achieved(&run, &Timeline::default(), at(5));
    let window = loss_window(&run, &Timeline::default(), at(5));
    let json = serde_json::to_string(&(&took, &window)).expect("plain data");
    assert_eq!(
        serde_json::from_str::<(clocks::Achieved, clocks::LossWindow)>(&json).expect("own words"),
        (took, window)
    );
}
