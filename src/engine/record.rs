//! An entry as the columns of the journal.
//!
//! Must never: leave out what an auditor asks for without opening the body. Where to look next: [`super::store`].

use std::time::Duration;

use super::store::Written;
use crate::{
    domain::{Timestamp, text::SafeText},
    runbook::{
        build::digest_of,
        event::{Entry, Event},
        fold::Course,
        run::Answer,
    },
};

pub(super) fn written(entry: &Entry, course: &Course, wall: Timestamp, monotonic: Duration) -> Written {
    let plan = &course.frozen.plan;
    columns(entry, plan.target_region.as_str(), wall, monotonic)
}

pub(super) fn columns(entry: &Entry, target: &str, wall: Timestamp, monotonic: Duration) -> Written {
    let event = &entry.event;
    let evidence = match event {
        Event::Guarded { guards, .. } | Event::Intended { guards, .. } => digest_of(guards),
        Event::Answered { answer: Answer::Verdict { evidence, .. } } => digest_of(evidence),
        Event::Done { detail, .. } | Event::Failed { detail, .. } => digest_of(detail),
        _ => String::new(),
    };
    let target = match event {
        Event::Intended { call, .. } => call.region.as_str(),
        _ => target,
    };
    Written {
        kind: event.word().to_owned(),
        step: event.step().map_or_else(String::new, |step| SafeText::new(step.as_str()).to_string()),
        attempt: event.attempt().unwrap_or(0),
        actor: entry.actor.to_string(),
        wall,
        boot_millis: monotonic.as_millis() as u64,
        target: target.to_owned(),
        request_digest: event.request_digest().unwrap_or_default().to_owned(),
        token: match event {
            Event::Intended { call, .. } => {
                let token = call.params.iter().find(|(name, _)| name == "IdempotencyToken");
                token.map_or_else(String::new, |(_, token)| token.to_string())
            }
            _ => String::new(),
        },
        evidence_digest: evidence,
        body: serde_json::to_string(entry).expect("an entry is plain data with text keys"),
        last: matches!(event, Event::Completed { .. } | Event::Answered { answer: Answer::Abandon { .. } }),
    }
}
