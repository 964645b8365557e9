//! What a person is asked, what counts as an answer, and what voids it.

use std::sync::Arc;

use super::tape::{Tape, call, declaration, entry, frozen, guard_specs, loss, reading, readings, secs};
use crate::{
    domain::{Hazard, StepId},
    runbook::{
        decide::{self, Judged, Next},
        event::{Event, Outcome},
        finding::Traces,
        fold,
        guards::{LossBound, loss_phrase, rounded_up, worse},
        plan::{Holds, PlanHash},
        run::{Answer, Ask, Declaration, Phase, Ruling, RunId, StepPhase, WaveMark},
    },
};

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
fn a_hold_asked_for_while_a_step_waits_shows_and_is_taken_back() {
    let mut tape = Tape::new(Hazard::Reversible);
    let waits = Ask::Key { step: "promote".into() };
    tape.put(Event::Begun { step: "gone".into(), attempt: 1 });
    tape.put(Event::Done { step: "gone".into(), detail: "4/4".into() });
    tape.put(Event::Begun { step: "promote".into(), attempt: 1 }).put(Event::Asked { ask: waits.clone() });
    tape.answer(Answer::Hold);
    let stands = |tape: &Tape| (tape.course.shown.phase.clone(), tape.course.shown.held_after_step);
    assert_eq!(stands(&tape), (Phase::Waiting(waits.clone()), true));
    tape.answer(Answer::Release);
    assert_eq!(stands(&tape), (Phase::Waiting(waits), false));
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
    tape.put(Event::Failed {
        step: "gone".into(),
        detail: "2/4".into(),
        failure: crate::runbook::event::Failure::Unseen,
    });
    assert_eq!(decide::of_step(&tape.course, 0), Next::Wait, "it parks when the question is answered");
}

/// At `promote`, which is disruptive, as a member of a wave.
fn of_a_wave() -> Tape {
    let mut tape = Tape::at_promote(Hazard::Disruptive);
    tape.course.shown.declaration.wave = Some(WaveMark {
        id: "list".into(),
        ordinal: 1,
        size: 2,
        after: Vec::new(),
        parallel_max: 1,
        accepts: None,
        phrase: "2 apps to Hyderabad".into(),
    });
    tape
}

#[test]
fn the_list_of_a_wave_confirms_the_first_attempt_only() {
    let mut tape = of_a_wave();
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

#[test]
fn the_list_of_a_wave_confirms_nothing_of_another_plan() {
    let mut tape = of_a_wave();
    let other = frozen(Hazard::Disruptive);
    tape.put(Event::Switched {
        plan_hash: other.plan.hash.clone(),
        frozen: serde_json::to_string(&*other).expect("plain data"),
        declaration: declaration(),
    });
    tape.put(Event::Begun { step: "promote".into(), attempt: 1 });
    let asked = decide::judge(&tape.course, 1, &readings(Holds::Yes), None);
    assert_eq!(
        asked,
        Judged::Ask(Ask::Chord { step: "promote".into() }),
        "though it is the first attempt by this plan"
    );
    assert!(tape.refuses(Event::Intended {
        step: "promote".into(),
        attempt: 1,
        plan_hash: other.plan.hash.clone(),
        call: call(),
        request_digest: "d".into(),
        guards: Vec::new(),
        traces: Traces::default(),
    }));
}
