//! What stands in the way of a run as a whole, besides the guards of its steps. All of it at once.
//!
//! With the embedded store interlocks hold on this machine only; acting live therefore asks the person to say
//! that nobody else acts (DESIGN section 2, promise 7).

use std::collections::BTreeSet;

use super::{plan::Interlock, signal::Facts};
use crate::domain::{
    CallDescription, RegionId, Side, Timestamp, observation::At, region::GLOBAL_CONTROL_PLANE, snapshot::Reach,
    text::SafeText,
};

/// What the person said on the command line about acting here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority {
    pub operators: Operators,
    pub redirected: Redirected,
}

/// `--single-operator`: nobody else acts on this estate from another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operators {
    Single,
    NotStated,
}

/// `--allow-endpoint-override`: act although an endpoint is not AWS's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirected {
    Allowed,
    Refused,
}

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    pub facts: &'a Facts<'a>,
    pub authority: Authority,
    pub target: Side,
    pub calls: &'a [&'a CallDescription],
    /// Another run that stands in the way, in words.
    pub busy: Option<&'a SafeText>,
    pub now: Timestamp,
}

/// Everything that forbids starting, or going on.
#[must_use]
pub fn interlocks(about: &Circumstances<'_>) -> Vec<Interlock> {
    let facts = about.facts;
    let mode = facts.snapshot.mode;
    let mut found = Vec::new();
    let mut add = |code: &str, text: String| {
        found.push(Interlock { code: code.to_owned(), text: SafeText::new(text) });
    };

    for region in acting_regions(about) {
        if let Err((code, text)) = identity(facts, &region, about.now) {
            add(code, text);
        }
    }
    if !mode.simulated() {
        if about.authority.redirected == Redirected::Refused {
            for (variable, url) in &facts.snapshot.endpoint_overrides {
                add(
                    "endpoint-overridden",
                    format!("{variable} redirects calls to {url}: unset it, or pass --allow-endpoint-override"),
                );
            }
        }
        if about.authority.operators == Operators::NotStated {
            add(
                "single-operator",
                "live: the record is on this machine only; pass --single-operator if nobody else acts".to_owned(),
            );
        }
    }
    if let Some(text) = about.busy {
        add("another-run", text.to_string());
    }
    for call in about.calls {
        let residency = &facts.estate.residency;
        if !residency.data.contains(&call.region) && !residency.control_planes.contains(&call.region) {
            add("residency", format!("{call}: {} is outside the residency rule", call.region));
        }
    }
    let target = facts.region(about.target);
    match facts.health(about.target).map(|health| health.reach) {
        Some(Reach::RegionDown) => {
            add("target-down", format!("{} {target} does not answer: nobody is sent there", facts.city(about.target)));
        }
        Some(Reach::OwnNetwork) => {
            add("own-network", "nothing answers anywhere: first find out whether it is my own network".to_owned());
        }
        _ => {}
    }
    found
}

/// Whether the caller is who it must be in the Region that a call goes to. Checked again before each call.
#[must_use]
pub fn caller(facts: &Facts<'_>, call: &CallDescription, target: Side, now: Timestamp) -> Option<Interlock> {
    let region = identity_region(facts, &call.region, target);
    let (code, text) = identity(facts, &region, now).err()?;
    Some(Interlock { code: code.to_owned(), text: SafeText::new(text) })
}

/// Where calls go. The Region being left may be gone: a call planned there waits for it and is checked when its
/// turn comes, it must not forbid the others.
fn acting_regions(about: &Circumstances<'_>) -> BTreeSet<RegionId> {
    let facts = about.facts;
    let mut regions: BTreeSet<RegionId> =
        about.calls.iter().map(|call| identity_region(facts, &call.region, about.target)).collect();
    regions.insert(facts.region(about.target).clone());
    let left = facts.region(about.target.other());
    if facts.health(about.target.other()).is_some_and(|health| health.reach == Reach::RegionDown) {
        regions.remove(left);
    }
    regions
}

/// The global control planes are called with the target side's credentials unless they were asked themselves.
fn identity_region(facts: &Facts<'_>, region: &RegionId, target: Side) -> RegionId {
    let global = region.as_str() == GLOBAL_CONTROL_PLANE && !facts.snapshot.identities.contains_key(region);
    if global { facts.region(target).clone() } else { region.clone() }
}

fn identity(facts: &Facts<'_>, region: &RegionId, now: Timestamp) -> Result<(), (&'static str, String)> {
    let side = facts.estate.regions.side_of(region);
    let expected = side
        .and_then(|side| facts.estate.access.get(&side)?.account.clone())
        .unwrap_or_else(|| facts.estate.expects_account.clone());
    match facts.snapshot.identities.get(region).map(|slot| slot.at(now)) {
        Some(At::Fresh(seen) | At::Stale { last: seen, cause: None, .. }) => {
            let account = &seen.value.account;
            if account.as_str() == expected {
                Ok(())
            } else {
                Err(("account-mismatch", format!("{region}: account {account}, the estate expects {expected}")))
            }
        }
        Some(At::Stale { cause: Some(cause), .. } | At::Unknown { cause: Some(cause) }) => {
            let why = cause.failure;
            Err(("identity-unknown", format!("{region}: caller unknown, {}: {}", why.word(), why.next_step())))
        }
        Some(At::Unknown { cause: None }) | None => {
            Err(("identity-unknown", format!("{region}: the caller's account was not read yet")))
        }
    }
}
