//! Signals on what one could go back to: verdicts of compliance, and the age of recovery points. Pure.
//!
//! Must never: take a point's completion for its data time (field guide 0.1, fact 4), or a point that cannot be
//! restored in the Region asked about for one.

use std::time::Duration;

use super::{
    plan::Holds,
    signal::{Facts, Reading},
};
use crate::domain::{
    Component, ComponentId, Fact, RegionId, Side, Timestamp, What,
    compliance::{self, Question, Verdict, backups},
    observation::At,
    text::SafeText,
    time,
};

/// The judgement on the app, or on one component of it, is one of these words.
pub(super) fn verdict(facts: &Facts<'_>, component: Option<&str>, is: &[String], now: Timestamp) -> Reading {
    let Facts { estate, app, snapshot, .. } = *facts;
    // Neither an estimate nor proofs: a guard asks what the data says, not how long the way there takes.
    let assessment = compliance::assess(&Question { estate, app, snapshot, execution: None, achieved: &[], now });
    let (verdict, state) = match component {
        None => (&assessment.verdict, assessment.reasons.first().cloned()),
        Some(id) => match assessment.components.iter().find(|standing| standing.component.as_str() == id) {
            Some(standing) => (&standing.verdict, Some(standing.state.clone())),
            None => return Reading::unknown(format!("nothing is judged of {id}")),
        },
    };
    let word = verdict.word();
    let listed = is.iter().any(|wanted| wanted == word);
    let why = state.filter(|state| !state.is_empty()).map_or_else(String::new, |state| format!(": {state}"));
    // What is not known is neither: only a runbook that names `unknown` means it.
    let holds = match (listed, verdict) {
        (true, _) => Holds::Yes,
        (false, Verdict::Unknown { .. }) => Holds::Unknown,
        (false, _) => Holds::No,
    };
    Reading { holds, present: SafeText::new(format!("{word}{why}")), data_time: Some(now), figure: None }
}

/// The newest point that could be restored on that side is not older than `limit`, by its data time.
pub(super) fn recovery_point(
    facts: &Facts<'_>,
    component: &str,
    side: Side,
    limit: Duration,
    now: Timestamp,
) -> Reading {
    let region = facts.region(side);
    let Some(component) = facts.app.component(&ComponentId::new(component)) else {
        return Reading::unknown(format!("the app has no component {component}"));
    };
    let points = newest(facts, component, region, What::RecoveryPoints, now);
    let pitr = newest(facts, component, region, What::Restorable, now);
    match (points, pitr) {
        (Found::At(at, _), Found::At(other, fresh)) if other > at => age(facts, other, fresh, limit, now),
        (Found::At(at, fresh), _) | (_, Found::At(at, fresh)) => age(facts, at, fresh, limit, now),
        (Found::Unknown(why), Found::Nothing | Found::Unknown(_)) | (Found::Nothing, Found::Unknown(why)) => {
            Reading::unknown(why)
        }
        (Found::Nothing, Found::Nothing) => {
            Reading::known(false, format!("nothing usable in {}", facts.city(side)), now)
        }
    }
}

enum Found {
    At(Timestamp, Fresh),
    /// Read now, and there is none.
    Nothing,
    Unknown(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fresh {
    Yes,
    No,
}

fn newest(facts: &Facts<'_>, component: &Component, region: &RegionId, what: What, now: Timestamp) -> Found {
    let city = || facts.estate.regions.side_of(region).map_or(region.as_str(), |side| facts.city(side));
    let Some(slot) = facts.snapshot.fact(&facts.app.id, &component.id, region, what) else {
        // Nobody lists points in time for this kind there: that is not the same as a list without any.
        return if what == What::Restorable {
            Found::Nothing
        } else {
            Found::Unknown(format!("recovery points in {} were not read", city()))
        };
    };
    let (seen, fresh) = match slot.at(now) {
        At::Fresh(seen) => (seen, Fresh::Yes),
        // An old list still shows points that were there; that there are no newer ones it cannot say.
        At::Stale { last, .. } => (last, Fresh::No),
        At::Unknown { cause } => {
            return Found::Unknown(cause.map_or("not read yet".to_owned(), |error| error.failure.word().to_owned()));
        }
    };
    let at = match &seen.value {
        Fact::RecoveryPoints(set) if !set.usable => {
            return Found::Unknown(format!("the vault or its key in {} cannot be used", city()));
        }
        Fact::RecoveryPoints(set) => backups::newest_usable(set, None, Duration::ZERO, now).map(|point| point.created),
        Fact::Restorable(window) => window.latest,
        _ => None,
    };
    match at {
        Some(at) => Found::At(at, fresh),
        None if fresh == Fresh::Yes => Found::Nothing,
        None => Found::Unknown(format!("points in {} were last listed at {}", city(), facts.clock(seen.observed_at))),
    }
}

fn age(facts: &Facts<'_>, at: Timestamp, fresh: Fresh, limit: Duration, now: Timestamp) -> Reading {
    let age = now.since(at);
    let present = format!("data of {}, {} old", facts.clock(at), time::short_up(age));
    if age > limit && fresh == Fresh::No {
        return Reading::unknown(format!("at most {present}: the list is old"));
    }
    Reading::known(age <= limit, present, at).figure(age.as_millis() as u64)
}
