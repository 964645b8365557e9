//! What may follow what in a journal, and what it comes to.

use super::tape::{Tape, call, declaration, frozen, readings, secs};
use crate::{
    domain::{Hazard, Side},
    runbook::{
        build::Frozen,
        decide::{self, Judged, Next},
        event::{Entry, Event, Failure, Outcome},
        finding::{Leftover, Traces},
        fold,
        plan::{Holds, PlanHash},
        run::{Answer, Ask, Declaration, Phase, RunId, StepPhase},
    },
};

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

fn a_database() -> Leftover {
    Leftover { kind: "rds-instance".into(), region: "ap-south-2".into(), id: "drill-db".into() }
}

/// The attempt sends what makes a database.
fn makes(tape: &mut Tape, attempt: u32) -> &mut Tape {
    tape.confirmed().put(Event::Intended {
        step: "promote".into(),
        attempt,
        plan_hash: PlanHash("7c41e2".into()),
        call: call(),
        request_digest: "r".into(),
        guards: readings(Holds::Yes),
        traces: Traces { leaves: Some(a_database()), clears: None },
    })
}

fn throttled() -> Outcome {
    Outcome::Refused { code: "Throttling".into(), message: "later".into(), request_id: None }
}

#[test]
fn what_a_call_made_is_left_over_until_another_call_took_it_away() {
    let mut tape = Tape::at_promote(Hazard::Reversible);
    makes(&mut tape, 1);
    assert!(tape.course.shown.leftovers.is_empty(), "nothing went out yet");
    tape.sent();
    assert_eq!(tape.course.shown.leftovers, [a_database()], "from here on it may be there");
    let mut refused = Tape { course: tape.course.clone(), entries: tape.entries.clone(), now: tape.now };
    refused.outcome(throttled());
    assert!(refused.course.shown.leftovers.is_empty(), "nothing was made");
    tape.outcome(Outcome::Unknown { why: "no answer".into() });
    assert_eq!(tape.course.shown.leftovers, [a_database()], "in doubt it counts as there");
}

#[test]
fn what_an_attempt_left_that_failed_is_not_gone_because_the_next_one_was_refused() {
    let step = || "promote".into();
    let mut tape = Tape::at_promote(Hazard::Reversible);
    makes(&mut tape, 1).sent().outcome(Outcome::Succeeded { request_id: None, detail: "".into() });
    let failed = Event::Failed { step: step(), detail: "incompatible-restore".into(), failure: Failure::Told };
    tape.put(failed).answer(Answer::Retry { step: step() }).put(Event::Begun { step: step(), attempt: 2 });
    makes(&mut tape, 2).put(Event::Sent { step: step(), attempt: 2, request_digest: "r".into() });
    tape.put(Event::Outcome { step: step(), attempt: 2, outcome: throttled() });
    assert_eq!(tape.course.shown.leftovers, [a_database()], "that of the first attempt");
}
