//! Guards on what surrounds an app rather than on its data: parity of the two sides, DNS time-to-live, the operator's
//! session, freezes and windows, and where this console stands. Pure.
//!
//! Must never: take for so what nothing observes. What this version has no probe for is Unknown until a metric that the
//! estate declares says it, or a person attests it in a checklist of the same run.

use std::time::Duration;

use super::{
    plan::{Holds, Plan},
    run::{StepPhase, StepState},
    signal::{Facts, Reading},
    spec::Parity,
};
use crate::domain::{
    ComponentId, RegionId, Side, StepId, Timestamp,
    observation::At,
    resource::Session,
    text::SafeText,
    time::{self, Weekday},
};

/// The kind of step in which a person attests what no probe sees.
pub const CHECKLIST: &str = "confirm";

/// Checklists of the run that a person has confirmed; one that was skipped attests nothing.
#[must_use]
pub fn attested(plan: &Plan, steps: &[StepState]) -> Vec<StepId> {
    let confirmed = |step: &&StepState| {
        step.phase == StepPhase::Done && plan.step(&step.id).is_some_and(|planned| planned.kind == CHECKLIST)
    };
    steps.iter().filter(confirmed).map(|step| step.id.clone()).collect()
}

fn attestation(facts: &Facts<'_>, by: Option<&StepId>, now: Timestamp) -> Option<Reading> {
    let by = by.filter(|by| facts.attested.contains(by))?;
    Some(Reading::known(true, format!("attested in the checklist {by}, not observed"), now))
}

fn not_observed(what: &str, by: Option<&StepId>) -> Reading {
    let how = by.map_or_else(
        || "no probe of this version sees it".to_owned(),
        |by| format!("to be attested in the checklist {by}"),
    );
    Reading::unknown(format!("{what} not observed: {how}"))
}

/// A metric of the estate counts what differs: zero is equal. Anything else needs somebody to look.
pub(super) fn parity(facts: &Facts<'_>, of: Parity, component: &str, by: Option<&StepId>, now: Timestamp) -> Reading {
    let id = ComponentId::new(component);
    let measured = facts.app.component(&id).is_some_and(|component| component.kind == "metric");
    if measured {
        return match facts.gauge(&id, now) {
            Err(why) => attestation(facts, by, now).unwrap_or_else(|| Reading::unknown(why)),
            // A person's word never stands against a figure that was read.
            Ok((differ, at)) => {
                let words = if differ == 0.0 { "none differs".to_owned() } else { format!("{differ} differ") };
                Reading::known(differ == 0.0, words, at).figure(differ.abs().ceil() as u64)
            }
        };
    }
    attestation(facts, by, now).unwrap_or_else(|| not_observed(of.words(), by))
}

/// The session that the calls of that side are signed with lasts at least so long.
pub(super) fn credentials_outlive(facts: &Facts<'_>, side: Side, limit: Duration, now: Timestamp) -> Reading {
    let region = facts.region(side);
    match facts.snapshot.identities.get(region).map(|slot| slot.at(now)) {
        Some(At::Fresh(seen) | At::Stale { last: seen, cause: None, .. }) => match seen.value.session {
            Session::Unlimited => Reading::known(true, "keys that do not expire", seen.observed_at),
            Session::Unknown => Reading::unknown("the session does not say when it ends"),
            Session::Until(end) => {
                let left = end.since(now);
                Reading::known(
                    left >= limit,
                    format!("session ends at {}, in {}", facts.clock(end), time::short(left)),
                    seen.observed_at,
                )
            }
        },
        _ => Reading::unknown(format!("the caller in {region} was not read lately")),
    }
}

pub(super) fn ttl_at_most(facts: &Facts<'_>, component: &str, limit: Duration, now: Timestamp) -> Reading {
    let Some((sets, at)) = facts.records(&ComponentId::new(component), now) else {
        return Reading::unknown(format!("the records of {component} were not read lately"));
    };
    // An alias has the time-to-live of its target: 60 s for a load balancer (field guide 5.1).
    let ttl = |set: &crate::domain::resource::RecordSet| match set.alias {
        Some(_) => Some(Duration::from_mins(1)),
        None => set.ttl,
    };
    let longest = sets.iter().map(ttl).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
    match longest {
        None => Reading::unknown("no record with a time-to-live was found"),
        Some(longest) => Reading::known(longest <= limit, format!("TTL {}", time::short_up(longest)), at)
            .figure(longest.as_millis() as u64),
    }
}

/// No freeze of the estate speaks of this app now, whatever kind of run it holds back.
pub(super) fn no_freeze(facts: &Facts<'_>, now: Timestamp) -> Reading {
    let all = facts.estate.freezes.iter();
    let of_app = all.filter(|freeze| freeze.kinds.iter().any(|kind| freeze.covers(&facts.app.id, kind)));
    let in_force = of_app.filter_map(|freeze| Some((freeze, freeze.ends(now, &facts.estate.zone)?)));
    match in_force.max_by_key(|(_, end)| *end) {
        None => Reading::known(true, "no freeze in force", now),
        Some((freeze, end)) => {
            Reading::known(false, format!("{} until {}", freeze.name, facts.estate.zone.day_clock(end)), now)
        }
    }
}

/// Inside the window that opens at `from` past midnight on that day of the week, or on every day.
pub(super) fn in_window(
    facts: &Facts<'_>,
    day: Option<Weekday>,
    from: Duration,
    lasts: Duration,
    now: Timestamp,
) -> Reading {
    let days = Weekday::WORDS.into_iter().map(|(_, known)| known).filter(|known| day.is_none_or(|day| day == *known));
    let opened = days.filter_map(|day| facts.estate.zone.last_weekly(now, day, from)).max();
    match opened.map(|opened| opened + lasts) {
        Some(end) if now < end => Reading::known(true, format!("open until {}", facts.clock(end)), now),
        Some(end) => Reading::known(false, format!("closed since {}", facts.estate.zone.day_clock(end)), now),
        None => Reading::unknown("the window cannot be told in the estate's zone"),
    }
}

/// Nothing tells a program beyond doubt where it runs: an environment variable names the Region it talks to. So this
/// holds by a person's word only.
pub(super) fn not_inside(facts: &Facts<'_>, side: Side, by: Option<&StepId>, now: Timestamp) -> Reading {
    attestation(facts, by, now)
        .unwrap_or_else(|| not_observed(&format!("whether this console runs in {}", facts.city(side)), by))
}

/// A database of the component's kind that AWS itself says is stopped cannot write.
pub(super) fn stopped(
    facts: &Facts<'_>,
    component: &ComponentId,
    region: &RegionId,
    now: Timestamp,
) -> Option<Reading> {
    let slot = facts.snapshot.fact(&facts.app.id, component, region, crate::domain::What::Instance)?;
    let At::Fresh(seen) = slot.at(now) else { return None };
    let crate::domain::Fact::Instance(instance) = &seen.value else { return None };
    (instance.status.as_str() == "stopped")
        .then(|| Reading::known(true, format!("proven: {} is stopped", instance.id), seen.observed_at))
}

/// The guard's own words, with how it may come to be known.
pub(super) fn with_attestation(words: &str, by: Option<&StepId>) -> String {
    by.map_or_else(|| words.to_owned(), |by| format!("{words} (checklist {by})"))
}

/// What stands in a reading whose guard could not be asked about: kept apart from No.
pub(super) fn quorum(need: u32, of: &[Reading]) -> Reading {
    let count = |holds| of.iter().filter(|reading| reading.holds == holds).count() as u32;
    let (yes, unknown) = (count(Holds::Yes), count(Holds::Unknown));
    let holds = if yes >= need {
        Holds::Yes
    } else if yes + unknown < need {
        Holds::No
    } else {
        Holds::Unknown
    };
    let aside = if unknown == 0 { String::new() } else { format!(", {unknown} unknown") };
    Reading {
        holds,
        present: SafeText::new(format!("{yes} of {}{aside}", of.len())),
        data_time: of
            .iter()
            .filter(|reading| reading.holds == Holds::Yes)
            .filter_map(|reading| reading.data_time)
            .min(),
        figure: Some(u64::from(yes)),
    }
}
