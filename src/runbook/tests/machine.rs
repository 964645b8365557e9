//! The machine waits for the task of the present attempt, and for no other.

use super::tape::{Tape, at, declaration, entry, frozen, readings, secs};
use crate::{
    domain::Hazard,
    runbook::{
        event::Event,
        fold::Course,
        machine::{Do, Errand, Machine, Moment, Pace, Report, Rules, Survey, Task, Way},
        plan::{Holds, PlanHash},
        run::Answer,
    },
};

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
