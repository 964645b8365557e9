//! A plan before anything happens: nothing that decides is cut away without a word.

use std::sync::Arc;

use pointsman::{
    runbook::plan::{Holds, Plan},
    tui::{Msg, State, state::Screen, update},
};

use super::{SIM, fixture, go, keys, shown, world};
use fixture::{Outage, mins, now, secs};

fn planned(plan: Plan, size: (u16, u16)) -> State {
    let mut console = world("fresh", size);
    update(&mut console, Msg::Planned(Ok(Arc::new(plan))));
    go(&mut console, Screen::Plan);
    console
}

/// Step 2 with so many guards that a low screen does not hold them; the last of them blocks.
fn of_many_guards() -> Plan {
    let mut plan = fixture::plan(SIM, Outage::None);
    let one = plan.steps[1].guards[0].clone();
    let guards = (1..=20).map(|n| {
        let mut guard = one.clone();
        guard.text = format!("guard number {n}").as_str().into();
        guard.holds = if n == 20 { Holds::No } else { Holds::Yes };
        guard
    });
    plan.steps[1].guards = guards.collect();
    plan
}

#[test]
fn the_guard_that_blocks_comes_first_and_what_does_not_fit_is_counted_and_scrolled_to() {
    let mut console = planned(of_many_guards(), (80, 24));
    keys(&mut console, "down");
    let text = shown(&console);
    assert!(text.contains("guard number 20"), "the one that blocks is in sight:\n{text}");
    assert!(!text.contains("guard number 19") && text.contains("more lines: pagedown"), "{text}");
    for _ in 0..12 {
        keys(&mut console, "pagedown");
    }
    let text = shown(&console);
    assert!(text.contains("guard number 19") && text.contains("undo: none"), "the end can be read:\n{text}");
    assert!(text.contains("earlier lines: pageup") && !text.contains("more lines"), "{text}");
    assert!(text.contains("Promote Hyderabad"), "of which step they are stays in sight:\n{text}");
    keys(&mut console, "up down");
    assert!(!shown(&console).contains("earlier lines"), "another step begins at its top");
}

#[test]
fn every_line_of_the_details_can_be_reached_at_every_size() {
    for size in [(60, 16), (80, 20), (80, 24), (120, 40), (200, 60)] {
        let mut console = planned(of_many_guards(), size);
        keys(&mut console, "down");
        let mut seen = shown(&console);
        for _ in 0..100 {
            if seen.contains("undo: none") {
                break;
            }
            keys(&mut console, "pagedown");
            seen.push_str(&shown(&console));
        }
        for n in 1..=20 {
            assert!(seen.contains(&format!("guard number {n} ")), "{n} at {size:?}:\n{seen}");
        }
    }
}

#[test]
fn the_verdict_on_the_recovery_time_is_never_cut() {
    for (target, verdict) in [(mins(1), "✖ would miss by 1 m 18 s"), (mins(10), "target 10 m  ●")] {
        for width in [60, 80, 100, 120, 200] {
            let mut plan = fixture::plan(SIM, Outage::Mumbai);
            plan.rto_target = Some(target);
            let text = shown(&planned(plan, (width, 24)));
            assert!(text.contains(verdict) && text.contains("declaration (declared)"), "{width}:\n{text}");
        }
    }
}

#[test]
fn an_outage_that_lasts_counts_against_the_target_while_the_plan_is_read() {
    let mut plan = fixture::plan(SIM, Outage::Mumbai);
    plan.rto_target = Some(mins(60));
    plan.outage_since = Some(now() - mins(40));
    let mut console = planned(plan, (120, 40));
    assert!(shown(&console).contains("target 1 h  ●"), "{}", shown(&console));
    assert!(shown(&console).contains("40 m ago"), "{}", shown(&console));
    update(&mut console, Msg::Tick { now: now() + mins(30), monotonic: secs(1800) });
    assert!(shown(&console).contains("✖ would miss by"), "{}", shown(&console));
}

#[test]
fn runbooks_whose_names_begin_alike_are_told_apart_on_every_list() {
    for size in [(80, 24), (120, 40), (200, 60)] {
        let mut console = world("fresh", size);
        go(&mut console, Screen::Runbooks);
        let text = shown(&console);
        assert!(text.contains("failover ") && text.contains("failback "), "{text}");
    }
}
