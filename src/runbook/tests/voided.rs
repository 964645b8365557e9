//! When a reading is worse than the one that was confirmed: laws over all readings.

use std::time::Duration;

use proptest::prelude::*;

use super::world::{lag, secs};
use crate::{
    domain::Side,
    runbook::{
        guards::{rounded_up, worse},
        plan::{GuardReading, Holds},
        spec::{Guard, Signal},
    },
};

fn any_guard() -> impl Strategy<Value = Guard> {
    prop_oneof![
        Just(lag(secs(5))),
        Just(Guard::ReadyFor { percent: 100, side: Side::Recovery }),
        Just(Guard::Fenced { side: Side::Primary }),
        Just(Guard::TtlAtMost { component: "n".into(), limit: secs(60) }),
        Just(Guard::Holds(Signal::Quorum { need: 2, of: Vec::new() })),
        Just(Guard::NoFreeze),
    ]
}

/// Whether more of the guard's figure is worse; none: the figure says nothing.
const fn more_is_worse(guard: &Guard) -> Option<bool> {
    match guard {
        Guard::LagAtMost { .. } | Guard::TtlAtMost { .. } => Some(true),
        Guard::ReadyFor { .. } | Guard::Holds(_) => Some(false),
        _ => None,
    }
}

fn any_reading() -> impl Strategy<Value = GuardReading> {
    let holds = prop_oneof![Just(Holds::Yes), Just(Holds::No), Just(Holds::Unknown)];
    (holds, 0_u64..200_000).prop_map(|(holds, figure)| GuardReading {
        text: "".into(),
        present: "".into(),
        data_time: None,
        holds,
        overridable: true,
        overridden: None,
        made_true_by: None,
        figure: Some(figure),
    })
}

const fn badness(holds: Holds) -> u8 {
    match holds {
        Holds::Yes => 0,
        Holds::Unknown => 1,
        Holds::No => 2,
    }
}

proptest! {
    #[test]
    fn what_is_worse_stays_worse_when_it_gets_worse_still(
        guard in any_guard(),
        confirmed in any_reading(),
        then in any_reading(),
        later in any_reading(),
    ) {
        let figures = match more_is_worse(&guard) {
            Some(true) => later.figure >= then.figure,
            Some(false) => later.figure <= then.figure,
            None => true,
        };
        prop_assume!(badness(later.holds) >= badness(then.holds) && figures);
        prop_assert!(!worse(&guard, &confirmed, &then) || worse(&guard, &confirmed, &later));
    }

    #[test]
    fn what_holds_is_never_worse_and_nothing_is_worse_than_itself(guard in any_guard(), a in any_reading(), b in any_reading()) {
        prop_assert!(!worse(&guard, &a, &a));
        prop_assert!(b.holds != Holds::Yes || !worse(&guard, &a, &b));
    }

    #[test]
    fn a_rung_is_never_below_its_bound_and_never_falls_as_the_bound_grows(a in 0_u64..1_000_000, b in 0_u64..1_000_000) {
        prop_assert!(rounded_up(secs(a)) >= secs(a));
        prop_assert!(a > b || rounded_up(secs(a)) <= rounded_up(secs(b)));
    }

    #[test]
    fn a_confirmation_given_for_any_lag_is_void_once_the_lag_leaves_its_rung(confirmed in 5_001_u64..100_000_000, now in 5_001_u64..100_000_000) {
        let reading = |figure| GuardReading {
            text: "".into(),
            present: "".into(),
            data_time: None,
            holds: Holds::No,
            overridable: true,
            overridden: None,
            made_true_by: None,
            figure: Some(figure),
        };
        let (was, is) = (Duration::from_millis(confirmed), Duration::from_millis(now));
        prop_assert_eq!(worse(&lag(secs(5)), &reading(confirmed), &reading(now)), is > rounded_up(was));
    }
}

#[test]
fn a_figure_that_was_accepted_and_is_gone_voids_what_was_said() {
    let reading = |holds, figure| GuardReading {
        text: "".into(),
        present: "".into(),
        data_time: None,
        holds,
        overridable: true,
        overridden: None,
        made_true_by: None,
        figure,
    };
    assert!(worse(&lag(secs(5)), &reading(Holds::No, Some(6_000)), &reading(Holds::Unknown, None)));
}
