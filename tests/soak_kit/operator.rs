//! The people of the soak: they confirm, mistype, override, hold, skip, give up, rule rightly and wrongly, stay away.
//! When the storm is over they answer what is asked, as well as they can.
//!
//! Must never: see anything but what a console shows them.

use pointsman::{
    domain::StepId,
    runbook::{
        event::Event,
        fold::Course,
        plan::PlanHash,
        run::{Answer, Ask, Phase, StepPhase},
    },
};

use super::{Weather, estate::declaration, rim::Soak, world::IN_THE_WAY};

/// After so many words about one run a person gives it up.
const TRIES_MAX: u32 = 150;
/// After so many attempts they do it by hand.
const ATTEMPTS_MAX: u32 = 8;

pub fn says(soak: &mut Soak, d: usize) -> Vec<Answer> {
    let run = soak.drivers[d].run;
    soak.tries[run] += 1;
    let storm = soak.weather == Weather::Storm;
    let dice = if storm { soak.dice().u8(0..100) } else { 99 };
    let course = soak.drivers[d].machine.course.clone();
    if soak.tries[run] > TRIES_MAX {
        return vec![Answer::Abandon { reason: "enough".to_owned() }];
    }
    if let Some(answer) = unprompted(soak, &course, dice) {
        return vec![answer];
    }
    match course.shown.phase.clone() {
        Phase::Waiting(ask) => vec![answers(soak, &course, &ask, dice)],
        Phase::Parked { step, why } => {
            // Half of them try again without it, and are told so again.
            if let Some(step) = step.as_ref().filter(|_| dice >= 50 && why.contains(IN_THE_WAY)) {
                let app = soak.journal.runs[run].app;
                soak.world.clears_away(app, step);
            }
            parked(&course, step.as_ref(), dice)
        }
        Phase::Held if dice >= 40 => vec![Answer::Release],
        _ => Vec::new(),
    }
}

fn unprompted(soak: &mut Soak, course: &Course, dice: u8) -> Option<Answer> {
    Some(match dice {
        0 => Answer::Abandon { reason: "it is over".to_owned() },
        1..4 => Answer::Hold,
        4..6 => Answer::Release,
        6 => Answer::Note { text: "seen".to_owned() },
        7 => Answer::Rearm(declaration(&course.frozen.plan.app, None)),
        8..12 => {
            let n = soak.dice().usize(0..course.shown.steps.len());
            let step = course.shown.steps[n].id.clone();
            if soak.dice().bool() {
                Answer::Skip { step, reason: "not tonight".to_owned() }
            } else {
                Answer::Retry { step }
            }
        }
        _ => return None,
    })
}

fn answers(soak: &mut Soak, course: &Course, ask: &Ask, dice: u8) -> Answer {
    let wrong = (12..22).contains(&dice);
    match ask.clone() {
        Ask::Key { step } | Ask::Chord { step } if wrong => Answer::AcceptLoss { step, typed: "yes".to_owned() },
        Ask::Key { step } | Ask::Chord { step } | Ask::Noticed { step, .. } | Ask::Confirm { step, .. } => {
            Answer::Go { step }
        }
        Ask::Loss { step, .. } if wrong => Answer::AcceptLoss { step, typed: "up to 1 s".to_owned() },
        Ask::Loss { step, phrase, .. } => Answer::AcceptLoss { step, typed: phrase },
        Ask::Override { step, .. } if wrong => Answer::Skip { step, reason: "it does not hold".to_owned() },
        Ask::Override { step, guard, .. } => {
            let authoriser = if (22..26).contains(&dice) { "" } else { "head of operations" };
            Answer::Override { step, guard, reason: "seen by the NOC".to_owned(), authoriser: authoriser.to_owned() }
        }
        Ask::Verdict { step, .. } => {
            let app = soak.journal.runs[course.shown.id.0 as usize - 1].app;
            let ruling = soak.world.ruling(app, &step);
            Answer::Verdict { step, ruling, evidence: "the console of AWS".to_owned() }
        }
        Ask::Rearm => Answer::Rearm(declaration(&course.frozen.plan.app, None)),
    }
}

fn parked(course: &Course, step: Option<&StepId>, dice: u8) -> Vec<Answer> {
    let abandon = || vec![Answer::Abandon { reason: "nothing goes on".to_owned() }];
    let Some(step) = step else { return abandon() };
    let Some(n) = course.index(step) else { return abandon() };
    let state = &course.shown.steps[n];
    let stands = matches!(state.phase, StepPhase::Failed | StepPhase::Refused | StepPhase::Checking);
    if !stands || (12..14).contains(&dice) {
        return abandon();
    }
    if state.attempts >= ATTEMPTS_MAX || (14..24).contains(&dice) {
        return vec![Answer::Skip { step: step.clone(), reason: "done by hand".to_owned() }];
    }
    vec![Answer::Retry { step: step.clone() }]
}

/// Now and then: the same runbook longer or shorter, as a switch to ungraceful would be.
pub fn another_plan(soak: &mut Soak, d: usize) -> Option<Event> {
    if soak.weather != Weather::Storm || soak.dice().u8(0..60) != 0 || soak.sending(d) {
        return None;
    }
    let spec = &soak.estate.apps[soak.journal.runs[soak.drivers[d].run].app];
    let present: &PlanHash = &soak.drivers[d].machine.course.frozen.plan.hash;
    let other = if *present == spec.plan.plan.hash { &spec.longer } else { &spec.plan };
    let frozen = serde_json::to_string(&**other).ok()?;
    Some(Event::Switched { plan_hash: other.plan.hash.clone(), frozen, declaration: declaration(&spec.id, None) })
}
