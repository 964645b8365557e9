//! What stands in the way of a run as a whole, besides the guards of its steps. All of it at once.
//!
//! With the embedded store interlocks hold on this machine only; acting live therefore asks the person to say
//! that nobody else acts (DESIGN section 2, promise 7).
//!
//! An interlock cannot be overridden, so none may forbid the way out of an outage because of that outage (promise 12):
//! what only a planned move can wait for (a freeze, the soak time after the last run, a longer session) holds back
//! planned moves and leaves a failover to its guards, which can be overridden in writing.

use std::{collections::BTreeSet, time::Duration};

use super::{plan::Interlock, signal::Facts, spec::RunbookKind};
use crate::domain::{
    AppId, CallDescription, Estate, RegionId, Side, Timestamp,
    compliance::SKEW_MAX_SECONDS,
    observation::At,
    region::{GLOBAL_CONTROL_PLANE, THIS_MACHINE},
    resource::Session,
    snapshot::Reach,
    text::SafeText,
    time,
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

/// A run that is under way is brought to its end whatever begins meanwhile: half a move helps nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Start {
        /// What the run is expected to take from its declaration on.
        takes: Duration,
    },
    Underway,
}

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    pub facts: &'a Facts<'a>,
    pub authority: Authority,
    pub kind: RunbookKind,
    pub target: Side,
    pub calls: &'a [&'a CallDescription],
    pub stage: Stage,
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
                "live: the record is on this machine only, and another machine is not fenced by it; pass \
                 --single-operator if nobody acts on this estate from anywhere else"
                    .to_owned(),
            );
        }
    }
    if let Some(text) = about.busy {
        add("another-run", text.to_string());
    }
    for call in about.calls.iter().filter(|call| !here(call)) {
        if let Some(text) = outside(facts.estate, call) {
            add("residency", text);
        }
    }
    if let Some(skew) = skew(facts, about.now) {
        add("clock-skew", skew);
    }
    if let Stage::Start { takes } = about.stage
        && planned(about.kind)
    {
        for (code, text) in can_wait(about, takes) {
            add(code, text);
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

/// Whether the caller is who it must be in the Region that a call goes to, and the Region one that may be called.
/// Checked again before each call.
#[must_use]
pub fn caller(facts: &Facts<'_>, call: &CallDescription, target: Side, now: Timestamp) -> Option<Interlock> {
    let lock = |code: &str, text: String| Interlock { code: code.to_owned(), text: SafeText::new(text) };
    if here(call) {
        return None;
    }
    if let Some(text) = outside(facts.estate, call) {
        return Some(lock("residency", text));
    }
    let region = identity_region(facts, &call.region, target);
    let (code, text) = identity(facts, &region, now).err()?;
    Some(lock(code, text))
}

/// Apps that must not move while that app does: itself, what it depends on (directly or through others: its ground
/// would move under it), and what depends on it (it would be the ground that moves).
#[must_use]
pub fn crossing(estate: &Estate, app: &AppId) -> BTreeSet<AppId> {
    let mut found = BTreeSet::from([app.clone()]);
    let mut open = vec![app.clone()];
    while let Some(next) = open.pop() {
        for below in estate.app(&next).into_iter().flat_map(|app| &app.depends_on) {
            if found.insert(below.clone()) {
                open.push(below.clone());
            }
        }
    }
    let mut open = vec![app.clone()];
    while let Some(next) = open.pop() {
        for above in estate.apps.iter().filter(|above| above.depends_on.contains(&next)) {
            if found.insert(above.id.clone()) {
                open.push(above.id.clone());
            }
        }
    }
    found
}

/// Everything but a failover can be put off.
const fn planned(kind: RunbookKind) -> bool {
    !matches!(kind, RunbookKind::Failover)
}

/// A program runs on this machine and has no caller in AWS that could be read; where it sends data is its own affair,
/// and for whoever reviews the runbook.
fn here(call: &CallDescription) -> bool {
    call.region.as_str() == THIS_MACHINE
}

fn outside(estate: &Estate, call: &CallDescription) -> Option<String> {
    let residency = &estate.residency;
    let inside = residency.data.contains(&call.region) || residency.control_planes.contains(&call.region);
    (!inside).then(|| format!("{call}: {} is outside the residency rule", call.region))
}

/// AWS refuses requests signed more than five minutes off, and ages judged by a clock that is off are worth nothing:
/// beyond 30 s verdicts are Unknown (DESIGN section 5).
fn skew(facts: &Facts<'_>, now: Timestamp) -> Option<String> {
    let seen = facts.snapshot.identities.iter();
    // Of a Region that went dark the last answer stays, with the skew of then.
    let measured = seen.filter_map(|(region, slot)| match slot.at(now) {
        At::Fresh(seen) | At::Stale { last: seen, cause: None, .. } => Some((region, seen.value.skew_seconds?)),
        At::Stale { .. } | At::Unknown { .. } => None,
    });
    let (region, skew) = measured.max_by_key(|(_, skew)| skew.saturating_abs())?;
    (skew.saturating_abs() > SKEW_MAX_SECONDS)
        .then(|| format!("own clock is {skew:+} s off, as {region} answers: set it right, every age is judged by it"))
}

/// What holds back a move that can be put off.
fn can_wait(about: &Circumstances<'_>, takes: Duration) -> Vec<(&'static str, String)> {
    let (facts, now, mut found) = (about.facts, about.now, Vec::new());
    for freeze in facts.estate.freezes.iter().filter(|freeze| freeze.covers(&facts.app.id, about.kind.word())) {
        if let Some(end) = freeze.ends(now, &facts.estate.zone) {
            found.push(("freeze", format!("{}: no {} until {}", freeze.name, about.kind.word(), facts.clock(end))));
        }
    }
    if let (Some(least), Some(ended)) = (facts.app.not_again_within, facts.last_run_ended) {
        let ago = now.since(ended);
        if ago < least {
            found.push((
                "not-again",
                format!(
                    "the last run of {} ended {} ago, at least {} are to pass",
                    facts.app.id,
                    time::short(ago),
                    time::short(least)
                ),
            ));
        }
    }
    for region in acting_regions(about) {
        let session =
            facts.snapshot.identities.get(&region).and_then(|slot| slot.last.as_ref()).map(|seen| seen.value.session);
        if let Some(Session::Until(end)) = session {
            let left = end.since(now);
            if left < takes {
                found.push((
                    "session-ends",
                    format!(
                        "{region}: the session ends in {}, the run is expected to take {}: sign in anew first",
                        time::short(left),
                        time::short_up(takes)
                    ),
                ));
            }
        }
    }
    found
}

/// Where calls go. The Region being left may be gone: a call planned there waits for it and is checked when its
/// turn comes, it must not forbid the others.
fn acting_regions(about: &Circumstances<'_>) -> BTreeSet<RegionId> {
    let facts = about.facts;
    let to_aws = about.calls.iter().filter(|call| !here(call));
    let mut regions: BTreeSet<RegionId> =
        to_aws.map(|call| identity_region(facts, &call.region, about.target)).collect();
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
