//! Whether a run of a wave may begin: its place in the list, and what the others of the list stand at.
//!
//! Pure. Must never: let in more than were agreed, whoever drives them and if nobody does, or let a later one pass an earlier
//! one that could go. Where to look next: `crate::engine::wave`, which asks it for each run that has not begun.

use std::collections::BTreeMap;

use super::{machine::Gate, run::WaveMark};
use crate::domain::AppId;

/// Another run of the same list.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    pub app: &'a AppId,
    /// From 1.
    pub ordinal: u32,
    /// Apps of the list that it waits for.
    pub after: &'a [AppId],
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not begun, and driven: it asks for its turn as this one does.
    Queued,
    /// Not begun, and held, or driven by nobody here: it takes nobody's turn.
    Aside,
    /// Let in, or begun and not ended, whoever drives it.
    UnderWay,
    Through,
    /// Ended otherwise.
    Fallen,
}

/// For a run that has not begun and was not let in.
#[must_use]
pub fn turn(own: &WaveMark, others: &[Member<'_>]) -> Gate {
    let standings: BTreeMap<&AppId, Standing> = others.iter().map(|other| (other.app, other.standing)).collect();
    let all_through = |after: &[AppId]| after.iter().all(|app| standings.get(app) == Some(&Standing::Through));
    if own.after.iter().any(|app| standings.get(app) == Some(&Standing::Fallen)) {
        return Gate::Barred;
    }
    let takes_a_place = |other: &&Member<'_>| match other.standing {
        Standing::UnderWay => true,
        Standing::Queued => other.ordinal < own.ordinal && all_through(other.after),
        Standing::Aside | Standing::Through | Standing::Fallen => false,
    };
    let room = others.iter().filter(takes_a_place).nth((own.parallel_max as usize).saturating_sub(1)).is_none();
    if room && all_through(&own.after) { Gate::Open } else { Gate::Closed }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPS: [&str; 4] = ["core", "cards", "loans", "web"];

    fn mark(ordinal: u32, after: &[&str], parallel_max: u32) -> WaveMark {
        WaveMark {
            id: "list".into(),
            ordinal,
            size: 4,
            after: after.iter().map(AppId::new).collect(),
            parallel_max,
            accepts: None,
            phrase: "4 apps to Hyderabad".into(),
        }
    }

    /// Of a list of four in that order, none of which waits for another, asked for the last one.
    fn last(standings: [Standing; 3], parallel_max: u32) -> Gate {
        let apps = APPS.map(AppId::new);
        let member = |n: usize| Member { app: &apps[n], ordinal: n as u32 + 1, after: &[], standing: standings[n] };
        turn(&mark(4, &[], parallel_max), &[member(0), member(1), member(2)])
    }

    #[test]
    fn never_more_than_were_agreed_are_under_way_whoever_drives_them() {
        use Standing::{Aside, Fallen, Through, UnderWay};
        assert_eq!(last([UnderWay, UnderWay, Aside], 2), Gate::Closed);
        assert_eq!(last([UnderWay, Through, Aside], 2), Gate::Open);
        assert_eq!(last([UnderWay, Fallen, Through], 2), Gate::Open);
        assert_eq!(last([UnderWay, Aside, Aside], 1), Gate::Closed);
    }

    #[test]
    fn an_earlier_one_that_could_go_goes_first_whichever_asks_first() {
        use Standing::{Aside, Queued, Through, UnderWay};
        assert_eq!(last([Queued, Queued, Queued], 3), Gate::Closed);
        assert_eq!(last([Queued, Queued, Queued], 4), Gate::Open);
        assert_eq!(last([Queued, UnderWay, Through], 2), Gate::Closed);
        assert_eq!(last([Aside, UnderWay, Through], 2), Gate::Open, "one that is held holds nobody up");
        let apps = APPS.map(AppId::new);
        let waits = Member { app: &apps[0], ordinal: 1, after: &apps[1..2], standing: Queued };
        let under_way = Member { app: &apps[1], ordinal: 2, after: &[], standing: UnderWay };
        assert_eq!(turn(&mark(3, &[], 2), &[waits, under_way]), Gate::Open, "it waits for another itself");
    }

    #[test]
    fn who_waits_for_an_app_begins_when_that_is_through_and_never_when_it_fell() {
        let apps = APPS.map(AppId::new);
        let gate = |standing| {
            let core = Member { app: &apps[0], ordinal: 1, after: &[], standing };
            turn(&mark(2, &["core"], 4), &[core])
        };
        assert_eq!(gate(Standing::UnderWay), Gate::Closed);
        assert_eq!(gate(Standing::Through), Gate::Open);
        assert_eq!(gate(Standing::Fallen), Gate::Barred);
        assert_eq!(turn(&mark(2, &["core"], 4), &[]), Gate::Closed, "one that cannot be read is not through");
    }
}
