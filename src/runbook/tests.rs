//! Laws of the pure half of a run: what may follow what, what is asked, what voids a confirmation.

use std::{sync::Arc, time::Duration};

use super::{
    build::{Frozen, FrozenStep},
    decide::{self, Judged, Next},
    event::{Entry, Event, Outcome},
    finding::Traces,
    fold::{self, Course},
    guards::{LossBound, loss_phrase, rounded_up, worse},
    machine::{Do, Errand, Machine, Moment, Pace, Report, Rules, Survey, Task, Way},
    plan::{GuardReading, Holds, Plan, PlanHash, PlannedStep},
    run::{Answer, Ask, Declaration, Phase, Ruling, RunId, StepPhase, WaveMark},
    spec::{Guard, GuardSpec, OnFailure, Only, RunbookKind, Variant},
};
use crate::domain::{CallDescription, Hazard, SafeText, Side, StepId, Timestamp, compliance::RtoEstimate};

const T0: i64 = 1_800_000_000;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(T0 + secs)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn call() -> CallDescription {
    CallDescription {
        service: "rds".into(),
        operation: "FailoverGlobalCluster".into(),
        region: "ap-south-2".into(),
        params: vec![("AllowDataLoss".into(), "true".into())],
        hazard: Hazard::DataLoss,
        iam_actions: vec!["rds:FailoverGlobalCluster".into()],
    }
}

fn guard_specs() -> Vec<GuardSpec> {
    vec![
        GuardSpec {
            guard: Guard::LagAtMost { component: None, limit: secs(5), in_outage_last_sample: true },
            overridable: false,
        },
        GuardSpec { guard: Guard::Fenced { side: Side::Primary }, overridable: true },
    ]
}

fn reading(text: &str, holds: Holds, figure: Option<u64>, overridable: bool) -> GuardReading {
    GuardReading {
        made_true_by: None,
        text: text.into(),
        present: "as it is".into(),
        data_time: None,
        holds,
        overridable,
        overridden: None,
        figure,
    }
}

fn readings(fence: Holds) -> Vec<GuardReading> {
    vec![reading("lag at most 5 s", Holds::Yes, Some(800), false), reading("Mumbai cannot write", fence, None, true)]
}

pub(super) fn frozen(hazard: Hazard) -> Arc<Frozen> {
    let planned = |id: &str, kind: &str, hazard, after: Vec<StepId>| PlannedStep {
        id: id.into(),
        title: id.into(),
        kind: kind.into(),
        calls: if hazard == Hazard::None { Vec::new() } else { vec![call()] },
        summary: "".into(),
        hazard,
        expected: secs(10),
        expected_basis: "declared".into(),
        timeout: secs(600),
        guards: Vec::new(),
        done_when: "".into(),
        undo: "none".into(),
        on_failure: OnFailure::Park,
        after,
        retries: 0,
        retry_every: Duration::ZERO,
        only: Only::Always,
        loss: None,
    };
    let step = |id: &str, kind: &str, guards| FrozenStep {
        id: id.into(),
        kind: kind.into(),
        params: std::collections::BTreeMap::new(),
        guards,
    };
    let plan = Plan {
        hash: PlanHash("7c41e2".into()),
        runbook: "payments-failover".into(),
        title: "Move Payments".into(),
        kind: RunbookKind::Failover,
        variant: Variant::Whole,
        parameters: std::collections::BTreeMap::new(),
        app: "payments".into(),
        app_name: "Payments".into(),
        target: Side::Recovery,
        target_region: "ap-south-2".into(),
        target_name: "Hyderabad".into(),
        account: "111122223333".into(),
        mode_word: "SIMULATED ×30".into(),
        made_at: at(0),
        facts_at: None,
        steps: vec![
            planned("gone", "check", Hazard::None, Vec::new()),
            planned("promote", "aurora.failover-global", hazard, vec!["gone".into()]),
        ],
        interlocks: Vec::new(),
        estimate: RtoEstimate {
            detection: secs(0),
            decision: secs(0),
            execution: secs(20),
            dns_ttl: secs(0),
            verification: secs(0),
            basis: "declared".into(),
        },
        rto_target: None,
    };
    Arc::new(Frozen {
        plan,
        runbook_digest: "d".into(),
        steps: vec![step("gone", "check", Vec::new()), step("promote", "aurora.failover-global", guard_specs())],
        components: std::collections::BTreeMap::new(),
        stood: super::foreign::Stood::default(),
    })
}

fn declaration() -> Declaration {
    Declaration {
        who: "asha".into(),
        incident: "INC-4471".into(),
        app: "payments".into(),
        region: "hyderabad".into(),
        outage_at: None,
        wave: None,
    }
}

fn entry(secs: i64, event: Event) -> Entry {
    Entry { at: at(secs), actor: SafeText::new("asha (arn)"), event }
}

fn begin(hazard: Hazard) -> (Course, Vec<Entry>) {
    let declared = entry(
        0,
        Event::Declared { plan_hash: PlanHash("7c41e2".into()), declaration: declaration(), principal: "arn".into() },
    );
    (fold::begin(RunId(1), frozen(hazard), &declared).expect("a run"), vec![declared])
}

struct Tape {
    course: Course,
    entries: Vec<Entry>,
    now: i64,
}

impl Tape {
    fn new(hazard: Hazard) -> Self {
        let (course, entries) = begin(hazard);
        Self { course, entries, now: 0 }
    }

    fn put(&mut self, event: Event) -> &mut Self {
        self.now += 1;
        let entry = entry(self.now, event);
        self.course = fold::apply(self.course.clone(), &entry).expect("legal");
        self.entries.push(entry);
        self
    }

    fn refuses(&self, event: Event) -> bool {
        fold::apply(self.course.clone(), &entry(self.now + 1, event)).is_err()
    }

    fn answer(&mut self, answer: Answer) -> &mut Self {
        self.put(Event::Answered { answer })
    }

    /// The check is done, `promote` is being checked.
    fn at_promote(hazard: Hazard) -> Self {
        let mut tape = Self::new(hazard);
        tape.put(Event::Begun { step: "gone".into(), attempt: 1 })
            .put(Event::Done { step: "gone".into(), detail: "4/4".into() })
            .put(Event::Begun { step: "promote".into(), attempt: 1 });
        tape
    }

    fn confirmed(&mut self) -> &mut Self {
        self.put(Event::Asked { ask: Ask::Key { step: "promote".into() } })
            .answer(Answer::Go { step: "promote".into() })
    }

    fn intended(&mut self) -> &mut Self {
        self.put(Event::Intended {
            step: "promote".into(),
            attempt: 1,
            plan_hash: PlanHash("7c41e2".into()),
            call: call(),
            request_digest: "r".into(),
            guards: readings(Holds::Yes),
            traces: Traces::default(),
        })
    }

    fn sent(&mut self) -> &mut Self {
        self.put(Event::Sent { step: "promote".into(), attempt: 1, request_digest: "r".into() })
    }

    fn outcome(&mut self, outcome: Outcome) -> &mut Self {
        self.put(Event::Outcome { step: "promote".into(), attempt: 1, outcome })
    }
}

fn loss(secs_lost: u64) -> LossBound {
    LossBound { bound: Some(secs(secs_lost)), since: None, lines: Vec::new() }
}

#[test]
fn a_journal_folds_to_the_state_that_was_lived_at_every_point() {
    let mut tape = Tape::at_promote(Hazard::Reversible);
    tape.put(Event::Guarded { step: "promote".into(), guards: readings(Holds::Yes) })
        .put(Event::Asked { ask: Ask::Key { step: "promote".into() } })
        .answer(Answer::Go { step: "promote".into() })
        .intended()
        .sent()
        .outcome(Outcome::Succeeded { request_id: Some("8d1f".into()), detail: "".into() })
        .put(Event::Done { step: "promote".into(), detail: "writer is ap-south-2".into() })
        .put(Event::Completed { exceptions: 0 });
    for end in 1..=tape.entries.len() {
        let written: Vec<String> =
            tape.entries[..end].iter().map(|entry| serde_json::to_string(entry).expect("plain data")).collect();
        let read: Vec<Entry> = written.iter().map(|line| serde_json::from_str(line).expect("own words")).collect();
        assert_eq!(read, tape.entries[..end]);
        let folded = fold::fold(RunId(1), frozen(Hazard::Reversible), &read).expect("legal");
        if end == tape.entries.len() {
            assert_eq!(folded.shown.phase, tape.course.shown.phase);
            assert_eq!(folded.shown.steps, tape.course.shown.steps);
            assert_eq!(folded.shown.waited, secs(1));
        }
    }
    assert_eq!(tape.course.shown.unprotected_since, tape.course.shown.ended_at);
}

#[test]
fn nothing_is_sent_without_an_intent_and_nothing_but_what_was_intended() {
    let mut tape = Tape::at_promote(Hazard::Reversible);
    let sent = |digest: &str| Event::Sent { step: "promote".into(), attempt: 1, request_digest: digest.into() };
    assert!(tape.refuses(sent("r")));
    tape.confirmed().intended();
    assert!(tape.refuses(sent("another")));
    tape.sent();
    assert!(tape.refuses(sent("r")), "once");
}

#[test]
fn an_intent_needs_arming_this_plan_and_guards_that_hold() {
    let intent = |hash: &str, fence| Event::Intended {
        step: "promote".into(),
        attempt: 1,
        plan_hash: PlanHash(hash.into()),
        call: call(),
        request_digest: "r".into(),
        guards: readings(fence),
        traces: Traces::default(),
    };
    let mut tape = Tape::at_promote(Hazard::Reversible);
    assert!(tape.refuses(intent("7c41e2", Holds::Yes)), "nobody confirmed it");
    tape.confirmed();
    assert!(tape.refuses(intent("another", Holds::Yes)));
    assert!(tape.refuses(intent("7c41e2", Holds::Unknown)), "unknown blocks like no does");
    tape.put(Event::Lapsed { why: "no key for 15 m".into() });
    assert!(tape.refuses(intent("7c41e2", Holds::Yes)));
    assert_eq!(decide::next(&tape.course), Next::Ask(Ask::Rearm));
}

#[test]
fn after_the_end_only_notes_are_taken() {
    let mut tape = Tape::new(Hazard::Reversible);
    tape.answer(Answer::Abandon { reason: "Mumbai is back".into() });
    assert_eq!(tape.course.shown.phase, Phase::Abandoned { why: "Mumbai is back".into() });
    assert!(tape.refuses(Event::Begun { step: "gone".into(), attempt: 1 }));
    assert!(tape.refuses(Event::Answered { answer: Answer::Hold }));
    tape.answer(Answer::Note { text: "NOC told".into() });
    assert_eq!(decide::next(&tape.course), Next::Ended);
}

#[test]
fn friction_grows_with_hazard() {
    let asked = |hazard| decide::judge(&Tape::at_promote(hazard).course, 1, &readings(Holds::Yes), Some(&loss(101)));
    assert_eq!(asked(Hazard::Reversible), Judged::Ask(Ask::Key { step: "promote".into() }));
    assert_eq!(asked(Hazard::Disruptive), Judged::Ask(Ask::Chord { step: "promote".into() }));
    match asked(Hazard::DataLoss) {
        Judged::Ask(Ask::Loss { phrase, bound, rounded, .. }) => {
            assert_eq!((phrase.as_str(), bound, rounded), ("up to 5 m", secs(101), secs(300)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_loss_is_accepted_by_its_own_phrase_only() {
    let mut tape = Tape::at_promote(Hazard::DataLoss);
    let Judged::Ask(ask) = decide::judge(&tape.course, 1, &readings(Holds::Yes), Some(&loss(101))) else {
        panic!("asked")
    };
    tape.put(Event::Asked { ask });
    let step = StepId::new("promote");
    let accept = |typed: &str| Answer::AcceptLoss { step: step.clone(), typed: typed.into() };
    for wrong in ["y", "up to 5m", "up to 1 m", "up to 5 m "] {
        assert!(fold::admit(&tape.course, &accept(wrong)).is_err(), "{wrong}");
    }
    assert!(fold::admit(&tape.course, &Answer::Go { step: step.clone() }).is_err());
    tape.answer(accept("up to 5 m"));
    // Frozen: growing within the rung voids nothing, beyond it does.
    assert_eq!(decide::judge(&tape.course, 1, &readings(Holds::Yes), Some(&loss(299))), Judged::Go);
    for grown in [loss(301), LossBound { bound: None, since: None, lines: Vec::new() }] {
        assert!(matches!(decide::judge(&tape.course, 1, &readings(Holds::Yes), Some(&grown)), Judged::Void(_)));
    }
}

#[test]
fn an_unbounded_loss_is_named_as_such() {
    let tape = Tape::at_promote(Hazard::DataLoss);
    let unbounded = LossBound { bound: None, since: None, lines: Vec::new() };
    match decide::judge(&tape.course, 1, &readings(Holds::Yes), Some(&unbounded)) {
        Judged::Ask(Ask::Loss { phrase, .. }) => assert_eq!(phrase, "an unknown amount"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bounds_are_rounded_up_to_what_a_person_can_mean() {
    let table = [(0, 10), (10, 10), (11, 60), (101, 300), (300, 300), (901, 3_600), (172_801, 259_200)];
    for (bound, rung) in table {
        assert_eq!(rounded_up(secs(bound)), secs(rung), "{bound}");
    }
    assert_eq!(loss_phrase(Some(secs(3_600))), "up to 1 h");
}

#[test]
fn a_guard_is_overridden_only_where_declared_and_with_reason_and_authoriser() {
    let mut tape = Tape::at_promote(Hazard::Reversible);
    let mut blocked = readings(Holds::Yes);
    blocked[0].holds = Holds::No;
    assert!(matches!(decide::judge(&tape.course, 1, &blocked, None), Judged::Park(_)), "nobody may override the lag");

    let Judged::Ask(ask) = decide::judge(&tape.course, 1, &readings(Holds::Unknown), None) else { panic!("asked") };
    assert!(matches!(&ask, Ask::Override { guard: 1, .. }));
    let given = |guard, reason: &str, authoriser: &str| Answer::Override {
        step: "promote".into(),
        guard,
        reason: reason.into(),
        authoriser: authoriser.into(),
    };
    assert!(fold::admit(&tape.course, &given(1, "NOC", "head")).is_err(), "not before it is asked");
    tape.put(Event::Guarded { step: "promote".into(), guards: readings(Holds::Unknown) }).put(Event::Asked { ask });
    for wrong in [given(0, "NOC", "head"), given(1, " ", "head"), given(1, "NOC", "")] {
        assert!(fold::admit(&tape.course, &wrong).is_err(), "{wrong:?}");
    }
    tape.answer(given(1, "fibre cut confirmed by NOC", "head of operations"));
    assert_eq!(tape.course.overrides(1).len(), 1);
    assert_eq!(fold::exceptions(&tape.course), 1);
}

#[test]
fn facts_that_get_worse_than_what_was_overridden_void_it() {
    let mut tape = Tape::at_promote(Hazard::Reversible);
    let Judged::Ask(ask) = decide::judge(&tape.course, 1, &readings(Holds::Unknown), None) else { panic!("asked") };
    tape.put(Event::Asked { ask }).answer(Answer::Override {
        step: "promote".into(),
        guard: 1,
        reason: "NOC".into(),
        authoriser: "head".into(),
    });
    assert!(matches!(decide::judge(&tape.course, 1, &readings(Holds::No), None), Judged::Void(_)), "it can write");
    tape.put(Event::Voided { step: "promote".into(), why: "it answers again".into() });
    assert!(tape.course.overrides(1).is_empty());
}

#[test]
fn a_confirmation_is_void_when_a_guard_that_held_holds_no_more_but_not_when_a_figure_moves() {
    let mut tape = Tape::at_promote(Hazard::Disruptive);
    tape.put(Event::Guarded { step: "promote".into(), guards: readings(Holds::Yes) })
        .put(Event::Asked { ask: Ask::Chord { step: "promote".into() } })
        .answer(Answer::Go { step: "promote".into() });
    let mut moved = readings(Holds::Yes);
    moved[0].figure = Some(4_900);
    assert_eq!(decide::judge(&tape.course, 1, &moved, None), Judged::Go);
    let guard = &guard_specs()[0].guard;
    let failing = |figure| reading("lag", Holds::No, Some(figure), true);
    assert!(worse(guard, &readings(Holds::Yes)[0], &failing(6_000)));
    assert!(!worse(guard, &failing(6_000), &failing(9_000)), "the same rung");
    assert!(worse(guard, &failing(6_000), &failing(11_000)));
}

#[test]
fn a_call_in_doubt_is_looked_at_and_a_verdict_needs_evidence() {
    let mut tape = Tape::at_promote(Hazard::Reversible);
    tape.confirmed().intended();
    assert_eq!(decide::next(&tape.course), Next::Withdraw(1), "an intent alone is safe");
    tape.sent();
    assert_eq!(decide::next(&tape.course), Next::Doubt(1), "sent and nobody heard");
    tape.outcome(Outcome::Unknown { why: "no answer in time".into() });
    assert_eq!(decide::next(&tape.course), Next::Resolve(1));
    let step = StepId::new("promote");
    assert!(fold::admit(&tape.course, &Answer::Retry { step: step.clone() }).is_err(), "never again while in doubt");
    assert!(fold::admit(&tape.course, &Answer::Skip { step: step.clone(), reason: "x".into() }).is_err());

    tape.put(Event::Asked { ask: Ask::Verdict { step: step.clone(), question: "did it?".into() } });
    assert!(!tape.course.armed, "in doubt is parked");
    let verdict =
        |evidence: &str| Answer::Verdict { step: step.clone(), ruling: Ruling::NotApplied, evidence: evidence.into() };
    assert!(fold::admit(&tape.course, &verdict("")).is_err());
    tape.answer(verdict("console shows the writer in Mumbai"));
    assert_eq!(tape.course.shown.steps[1].phase, StepPhase::Failed);
    tape.answer(Answer::Retry { step });
    assert_eq!(decide::next(&tape.course), Next::Ask(Ask::Rearm), "a new attempt, declared and confirmed anew");
    assert!(tape.course.progress[1].confirmed.is_none());
}

#[test]
fn a_hold_stops_after_the_current_step_and_a_release_goes_on() {
    let mut tape = Tape::new(Hazard::Reversible);
    tape.put(Event::Begun { step: "gone".into(), attempt: 1 }).answer(Answer::Hold);
    assert_eq!(decide::next(&tape.course), Next::Check(0), "the step in hand is finished");
    tape.put(Event::Done { step: "gone".into(), detail: "4/4".into() });
    assert_eq!((decide::next(&tape.course), tape.course.shown.phase.clone()), (Next::Wait, Phase::Held));
    tape.answer(Answer::Release);
    assert_eq!(decide::next(&tape.course), Next::Begin(1));
}

#[test]
fn a_skip_needs_a_reason_and_its_turn_and_is_never_hidden() {
    let mut tape = Tape::new(Hazard::Reversible);
    let skip = |step: &str, reason: &str| Answer::Skip { step: step.into(), reason: reason.into() };
    assert!(fold::admit(&tape.course, &skip("promote", "later")).is_err(), "its turn has not come");
    assert!(fold::admit(&tape.course, &skip("gone", " ")).is_err());
    tape.answer(skip("gone", "seen with my own eyes"));
    assert_eq!(fold::exceptions(&tape.course), 1);
    assert_eq!(decide::next(&tape.course), Next::Begin(1));
}

#[test]
fn app_and_region_are_typed_as_they_stand() {
    let mut typed = declaration();
    let check = |d: &Declaration| fold::typed_as_it_stands(d, "Payments", "payments", "Hyderabad", "ap-south-2");
    assert!(check(&typed).is_ok());
    typed.region = "ap-south-2".into();
    assert!(check(&typed).is_ok());
    typed.region = "Mumbai".into();
    assert!(check(&typed).is_err());
    typed = Declaration { app: "payment".into(), ..declaration() };
    assert!(check(&typed).is_err());
    typed = Declaration { incident: " ".into(), ..declaration() };
    assert!(check(&typed).is_err());
}

#[test]
fn a_resume_is_a_new_driver_and_keeps_what_was_confirmed() {
    let mut tape = Tape::at_promote(Hazard::Reversible);
    tape.put(Event::Asked { ask: Ask::Key { step: "promote".into() } }).answer(Answer::Go { step: "promote".into() });
    let driven = |epoch| Event::Driven { epoch, principal: "arn".into(), declaration: Some(declaration()) };
    assert!(tape.refuses(driven(1)), "an old epoch");
    tape.put(driven(2));
    assert_eq!(decide::judge(&tape.course, 1, &readings(Holds::Yes), None), Judged::Go);
    assert_eq!(tape.course.shown.epoch, 2);
    let ravi = Declaration { who: "ravi".into(), ..declaration() };
    tape.put(Event::Driven { epoch: 3, principal: "arn".into(), declaration: Some(ravi) });
    assert_eq!(tape.course.shown.declaration.who.as_str(), "ravi", "what is said from here on is said by him");
}

#[test]
fn another_plan_keeps_what_is_done_alike_and_asks_for_the_rest_anew() {
    let mut tape = Tape::at_promote(Hazard::Reversible);
    tape.confirmed();
    let mut ungraceful = (*frozen(Hazard::Disruptive)).clone();
    ungraceful.plan.hash = PlanHash("ungraceful".into());
    let switched = |frozen: &Frozen, hash: &str| Event::Switched {
        plan_hash: PlanHash(hash.into()),
        frozen: serde_json::to_string(frozen).expect("plain data"),
        declaration: declaration(),
    };
    assert!(tape.refuses(switched(&ungraceful, "another")), "not the plan that was looked at");
    let mut elsewhere = ungraceful.clone();
    elsewhere.plan.target = Side::Primary;
    assert!(tape.refuses(switched(&elsewhere, "ungraceful")), "a run does not turn round");

    tape.put(switched(&ungraceful, "ungraceful"));
    assert_eq!(tape.course.shown.steps[0].phase, StepPhase::Done, "the check is the same in both");
    assert_eq!(tape.course.shown.steps[1].phase, StepPhase::Pending);
    assert!(tape.course.progress[1].confirmed.is_none(), "what was confirmed was for the other plan");
    assert_eq!(tape.course.frozen.plan.hash.0, "ungraceful");
    let read = fold::fold(RunId(1), frozen(Hazard::Reversible), &tape.entries).expect("recovery reads it too");
    assert_eq!(read.shown.steps, tape.course.shown.steps);
}

#[test]
fn the_plan_does_not_change_under_a_call_that_is_out() {
    let mut tape = Tape::at_promote(Hazard::Reversible);
    tape.confirmed().intended().sent();
    let event = Event::Switched {
        plan_hash: PlanHash("7c41e2".into()),
        frozen: serde_json::to_string(&*frozen(Hazard::Reversible)).expect("plain data"),
        declaration: declaration(),
    };
    assert!(tape.refuses(event));
}

#[test]
fn steps_that_do_not_wait_for_each_other_are_under_way_together_and_one_question_is_asked_at_a_time() {
    let mut side_by_side = (*frozen(Hazard::Reversible)).clone();
    side_by_side.plan.steps[1].after = Vec::new();
    let declared = entry(
        0,
        Event::Declared { plan_hash: PlanHash("7c41e2".into()), declaration: declaration(), principal: "arn".into() },
    );
    let course = fold::begin(RunId(1), Arc::new(side_by_side), &declared).expect("a run");
    let mut tape = Tape { course, entries: vec![declared], now: 0 };
    assert_eq!(decide::of_step(&tape.course, 0), Next::Begin(0));
    assert_eq!(decide::of_step(&tape.course, 1), Next::Begin(1));
    tape.put(Event::Begun { step: "gone".into(), attempt: 1 }).put(Event::Begun { step: "promote".into(), attempt: 1 });
    tape.put(Event::Asked { ask: Ask::Key { step: "promote".into() } });
    assert_eq!(decide::of_step(&tape.course, 0), Next::Check(0), "the other branch goes on");
    assert!(tape.refuses(Event::Asked { ask: Ask::Key { step: "gone".into() } }), "one question at a time");
    tape.put(Event::Failed { step: "gone".into(), detail: "2/4".into(), failure: super::event::Failure::Unseen });
    assert_eq!(decide::of_step(&tape.course, 0), Next::Wait, "it parks when the question is answered");
}

#[test]
fn what_a_call_made_is_left_over_until_another_call_took_it_away() {
    use super::finding::{Leftover, Traces};
    let made = Leftover { kind: "rds-instance".into(), region: "ap-south-2".into(), id: "drill-db".into() };
    let mut tape = Tape::at_promote(Hazard::Reversible);
    tape.confirmed().put(Event::Intended {
        step: "promote".into(),
        attempt: 1,
        plan_hash: PlanHash("7c41e2".into()),
        call: call(),
        request_digest: "r".into(),
        guards: readings(Holds::Yes),
        traces: Traces { leaves: Some(made.clone()), clears: None },
    });
    assert!(tape.course.shown.leftovers.is_empty(), "nothing went out yet");
    tape.sent();
    assert_eq!(tape.course.shown.leftovers, std::slice::from_ref(&made), "from here on it may be there");
    let mut refused = Tape { course: tape.course.clone(), entries: tape.entries.clone(), now: tape.now };
    let no = Outcome::Refused { code: "Throttling".into(), message: "later".into(), request_id: None };
    refused.outcome(no);
    assert!(refused.course.shown.leftovers.is_empty(), "nothing was made");
    tape.outcome(Outcome::Unknown { why: "no answer".into() });
    assert_eq!(tape.course.shown.leftovers, [made], "in doubt it counts as there");
}

#[test]
fn the_list_of_a_wave_confirms_the_first_attempt_only() {
    let mut tape = Tape::at_promote(Hazard::Disruptive);
    tape.course.shown.declaration.wave =
        Some(WaveMark { id: "list".into(), ordinal: 1, size: 2, after: Vec::new(), parallel_max: 1, accepts: None });
    assert_eq!(decide::judge(&tape.course, 1, &readings(Holds::Yes), None), Judged::Go);
    tape.intended().sent().outcome(Outcome::Refused { code: "x".into(), message: "y".into(), request_id: None });
    tape.put(Event::Parked { step: Some("promote".into()), why: "refused".into() })
        .answer(Answer::Retry { step: "promote".into() })
        .answer(Answer::Rearm(declaration()))
        .put(Event::Begun { step: "promote".into(), attempt: 2 });
    let again = decide::judge(&tape.course, 1, &readings(Holds::Yes), None);
    assert_eq!(again, Judged::Ask(Ask::Chord { step: "promote".into() }));
    assert!(tape.refuses(Event::Intended {
        step: "promote".into(),
        attempt: 2,
        plan_hash: PlanHash("7c41e2".into()),
        call: call(),
        request_digest: "d".into(),
        guards: Vec::new(),
        traces: Traces::default(),
    }));
}

fn machine(course: Course) -> Machine {
    let way = |kind: &str| if kind == "check" { Way::Reads } else { Way::Acts };
    Machine::new(course, way, Rules::default(), &moment(0))
}

fn moment(after: u32) -> Moment {
    Moment { estate: at(after.into()), monotonic: secs(after.into()), pace: Pace::Runs(1.0) }
}

fn started(machine: &mut Machine) -> Task {
    match machine.next(&moment(1)) {
        Do::Start(task) => task,
        other => panic!("a task is due, not {other:?}"),
    }
}

fn record(machine: &mut Machine, event: Event) {
    let entry = entry(1, event);
    let next = machine.with(&entry).expect("legal");
    machine.written(next, &entry.event, &moment(1));
}

#[test]
fn a_report_of_a_step_that_the_new_plan_does_not_have_is_dropped() {
    let mut machine = machine(Tape::at_promote(Hazard::Reversible).course);
    let survey = started(&mut machine);
    let mut shorter = (*frozen(Hazard::Reversible)).clone();
    shorter.plan.hash = PlanHash("shorter".into());
    shorter.plan.steps.truncate(1);
    shorter.steps.truncate(1);
    record(
        &mut machine,
        Event::Switched {
            plan_hash: shorter.plan.hash.clone(),
            frozen: serde_json::to_string(&shorter).expect("plain data"),
            declaration: declaration(),
        },
    );
    machine.replanned(|_| Way::Reads);
    assert!(!machine.waits_for(&survey));
    machine.report(&survey, Report::Surveyed(Err("too late".into())));
    assert!(matches!(machine.next(&moment(2)), Do::Append(event) if matches!(*event, Event::Measured { .. })));
}

#[test]
fn what_was_prepared_for_an_attempt_that_is_over_is_not_waited_for() {
    let mut tape = Tape::at_promote(Hazard::Reversible);
    tape.confirmed();
    let mut machine = machine(tape.course);
    let survey =
        Survey { guards: readings(Holds::Yes), interlock: None, foreign: Vec::new(), loss: None, read_at: secs(1) };
    let first = started(&mut machine);
    machine.report(&first, Report::Surveyed(Ok(survey)));
    let Do::Append(guarded) = machine.next(&moment(1)) else { panic!("what was read is written down") };
    record(&mut machine, *guarded);
    let prepare = started(&mut machine);
    assert!(prepare.what == Errand::Prepare && machine.waits_for(&prepare));
    // Another branch parks the run, and the person has this step begun anew before its call is ready.
    record(&mut machine, Event::Parked { step: Some("gone".into()), why: "refused".into() });
    record(&mut machine, Event::Answered { answer: Answer::Retry { step: "promote".into() } });
    assert!(!machine.waits_for(&prepare));
}
