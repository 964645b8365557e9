//! When a step that only looks is given up.

use std::time::Duration;

use super::*;
use crate::{
    domain::{Hazard, Timestamp},
    runbook::{
        finding::Finding,
        run::{Declaration, RunId},
        signal::TRIES_WALL,
        tests::frozen,
    },
};

const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

/// That long after the resume, on the wall, with the estate's clock at that speed.
fn moment(wall: u64, speed: u32) -> Moment {
    let wall = Duration::from_secs(wall);
    Moment { estate: T0 + wall * speed, monotonic: wall, pace: Pace::Runs(speed.into()) }
}

/// Killed after `gone` had begun, with a time-out of ten minutes, and taken up by a new process.
fn resumed(speed: u32) -> Machine {
    let said = Declaration {
        who: "asha".into(),
        incident: "INC-4471".into(),
        app: "payments".into(),
        region: "Hyderabad".into(),
        outage_at: None,
        wave: None,
    };
    let entry = |event| Entry { at: T0, actor: "asha".into(), event };
    let frozen = frozen(Hazard::Reversible);
    let hash = frozen.plan.hash.clone();
    let declared = Event::Declared { plan_hash: hash, declaration: said.clone(), principal: "asha".into() };
    let mut course = fold::begin(RunId(1), frozen, &entry(declared)).expect("declared");
    for event in [
        Event::Begun { step: "gone".into(), attempt: 1 },
        Event::Driven { epoch: 2, principal: "asha".into(), declaration: Some(said) },
    ] {
        course = fold::apply(course, &entry(event)).expect("legal");
    }
    let way = |kind: &str| if kind == "check" { Way::Reads } else { Way::Acts };
    Machine::new(course, way, Rules::default(), &moment(0, speed))
}

/// Mumbai was not tried yet, whenever it is asked about: when it is given up, in seconds on the wall.
fn given_up_after(mut machine: Machine, speed: u32) -> Option<u64> {
    for wall in 0..3600 {
        match machine.next(&moment(wall, speed)) {
            Do::Start(task) => {
                let unread = Finding::NotYet("Mumbai was not tried yet".into());
                machine.report(&task, Report::Found(Ok(unread)));
            }
            Do::Append(event) => {
                assert!(matches!(*event, Event::Failed { .. }), "{event:?}");
                return Some(wall);
            }
            _ => {}
        }
    }
    None
}

#[test]
fn however_fast_the_estate_s_clock_a_resumed_run_gives_a_region_the_time_to_be_tried_anew() {
    let gave_up = given_up_after(resumed(60), 60).expect("not for ever");
    assert!(gave_up >= TRIES_WALL.as_secs(), "after {gave_up} s: a try alone may take 10");
    let live = given_up_after(resumed(1), 1).expect("not for ever");
    assert!((600..620).contains(&live), "by the runbook's own time-out, not {live} s");
}
