//! The board and what it says of each app: never healthier than what was read, the same number everywhere.

use std::sync::Arc;

use pointsman::{
    domain::{compliance::Assessment, time::short},
    tui::{
        Cmd, Msg,
        state::{Screen, State},
        tables::Target,
        update, words,
    },
};

use super::{SIM, fixture, go, keys, screens, shown, typed, world};
use fixture::{Outage, mins, now, secs};

#[test]
fn nothing_read_is_never_drawn_as_healthy() {
    for (name, screen, _) in screens() {
        let mut console = world("empty", (120, 40));
        go(&mut console, screen);
        if name == "help" {
            continue; // its legend explains the signs
        }
        let text = shown(&console);
        assert!(!text.contains("● met"), "{name}:\n{text}");
        assert!(text.contains("nothing read yet"), "{name}:\n{text}");
    }
}

#[test]
fn a_picture_that_is_not_renewed_stops_looking_fresh() {
    let mut console = world("fresh", (120, 40));
    assert!(shown(&console).contains("oldest data 15 s"));
    update(&mut console, Msg::Tick { now: now() + mins(60), monotonic: secs(120) });
    assert!(shown(&console).contains("NOT RENEWED"), "{}", shown(&console));
}

#[test]
fn frozen_says_so_and_goes_on_with_the_newest_picture() {
    let mut console = world("fresh", (120, 40));
    keys(&mut console, "z");
    assert!(shown(&console).contains("FROZEN"));
    let later = fixture::picture(&fixture::estate(), SIM, now() - secs(2), Outage::Mumbai);
    update(&mut console, Msg::Picture(Arc::new(later)));
    assert!(!shown(&console).contains("unreachable"), "the frozen picture stays");
    keys(&mut console, "z");
    assert!(shown(&console).contains("unreachable"), "{}", shown(&console));
}

#[test]
fn the_board_and_the_app_screen_say_the_same_of_exposure_estimate_and_verdict() {
    let estate = fixture::estate();
    for app in &estate.apps {
        let mut console = world("fresh", (200, 60));
        let board = shown(&console);
        let assessment: Assessment = console.assessment(&app.id).expect("judged").clone();
        let row = board
            .lines()
            .find(|line| !line.starts_with('│') && line.contains(app.name.as_str()) && line.contains('/'))
            .expect("on the board");
        go(&mut console, Screen::App(app.id.clone()));
        let screen = shown(&console);
        for said in [
            words::exposure_against_target(&assessment.region_lost),
            words::rto(&assessment.rto),
            words::back_to(&assessment.corrupted, now(), &estate.zone),
        ] {
            assert!(row.contains(&said), "board of {}: {said:?} not in {row:?}", app.id);
            assert!(screen.contains(&said), "app {}: {said:?} not in\n{screen}", app.id);
        }
    }
}

#[test]
fn the_estimate_on_the_plan_is_the_one_of_the_same_function_as_on_the_board() {
    let mut console = world("fresh", (200, 60));
    let plan = fixture::plan(SIM, Outage::None);
    let mut picture = fixture::picture(&fixture::estate(), SIM, now(), Outage::None);
    let payments = picture.assessments.iter_mut().find(|a| a.app.as_str() == "payments").expect("judged");
    payments.rto.estimated = Some(plan.estimate.clone());
    update(&mut console, Msg::Picture(Arc::new(picture)));
    let total = short(plan.estimate.total());
    assert!(shown(&console).lines().any(|l| l.contains("Payments") && l.contains(&format!("{total} / 1 m"))));
    go(&mut console, Screen::Plan);
    assert!(shown(&console).contains(&format!("estimated {total} from the outage")), "{}", shown(&console));
}

#[test]
fn worst_comes_first_and_enter_looks_deeper() {
    let mut console = world("fresh", (120, 40));
    assert_eq!(console.list.get(0).map(|r| &r.target), Some(&Target::App("vendor-assistance".into())));
    assert_eq!(keys(&mut console, "enter"), []);
    assert_eq!(*console.screen(), Screen::App("vendor-assistance".into()));
    keys(&mut console, "esc");
    assert_eq!(*console.screen(), Screen::Board);
}

#[test]
fn the_selection_stays_on_its_app_when_a_new_picture_changes_the_order() {
    let mut console = world("fresh", (120, 40));
    keys(&mut console, "end");
    let before = console.selected().cloned();
    let worse = fixture::picture(&fixture::estate(), SIM, now(), Outage::Mumbai);
    update(&mut console, Msg::Picture(Arc::new(worse)));
    assert_eq!(console.selected().cloned(), before);
}

/// Puts the board's cursor on an app, one key at a time.
fn put_on(console: &mut State, app: &str) {
    keys(console, "home");
    while console.selected() != Some(&Target::App(app.into())) {
        let at = console.place().selected;
        keys(console, "down");
        assert!(console.place().selected > at, "{app} is on the board");
    }
}

#[test]
fn a_key_means_the_app_that_the_cursor_was_left_on_however_the_board_was_sorted_meanwhile() {
    for away in ["?", "5", "3", "enter"] {
        let mut console = world("fresh", (120, 40));
        put_on(&mut console, "payments");
        let was = console.place().selected;
        keys(&mut console, away);
        let worse = fixture::picture(&fixture::estate(), SIM, now(), Outage::Mumbai);
        update(&mut console, Msg::Picture(Arc::new(worse)));
        keys(&mut console, "esc");
        assert_eq!(*console.screen(), Screen::Board);
        assert_ne!(console.place().selected, was, "the row has moved");
        let sent = keys(&mut console, "p");
        assert!(matches!(&sent[..], [Cmd::Plan { app, .. }] if app.as_str() == "payments"), "{away}: {sent:?}");
    }
}

#[test]
fn the_way_to_an_app_leads_to_the_one_that_was_selected_elsewhere_else_to_the_one_last_looked_at() {
    let mut console = world("fresh", (120, 40));
    put_on(&mut console, "payments");
    keys(&mut console, "5 2");
    assert_eq!(*console.screen(), Screen::App("payments".into()));
    keys(&mut console, "1");
    put_on(&mut console, "webank");
    keys(&mut console, "enter 5 2");
    assert_eq!(*console.screen(), Screen::App("webank".into()));
}

#[test]
fn help_says_of_the_board_what_its_cursor_allows() {
    let mut console = world("fresh", (120, 40));
    put_on(&mut console, "payments");
    keys(&mut console, "?");
    let text = shown(&console);
    let row = text.lines().find(|line| line.contains("Plan the failover")).expect("a key of the board");
    assert!(!row.contains("not now"), "{row}");
    keys(&mut console, "esc");
    put_on(&mut console, "webank");
    keys(&mut console, "?");
    assert!(shown(&console).contains("not now: the app has no failover runbook"), "{}", shown(&console));
}

#[test]
fn a_cursor_at_the_top_that_nobody_put_there_stays_with_the_worst() {
    let mut console = world("fresh", (120, 40));
    put_on(&mut console, "payments");
    keys(&mut console, "home");
    let worse = fixture::picture(&fixture::estate(), SIM, now(), Outage::Mumbai);
    update(&mut console, Msg::Picture(Arc::new(worse)));
    assert_eq!(console.place().selected, 0);
}

#[test]
fn a_filter_narrows_the_board_and_escape_brings_everything_back() {
    let mut console = world("fresh", (120, 40));
    keys(&mut console, "/");
    typed(&mut console, "verdict:breached !cross");
    let text = shown(&console);
    assert!(text.contains("Vendor assistance") && !text.contains("Core banking"), "{text}");
    assert!(text.contains("5 rows left out"), "{text}");
    keys(&mut console, "esc");
    assert_eq!(console.list.len(), 6);
}

#[test]
fn sorting_goes_through_the_columns_and_back_to_worst_first() {
    let mut console = world("fresh", (120, 40));
    keys(&mut console, "s");
    assert_eq!(console.list.get(0).map(|r| r.search.contains("core banking")), Some(true));
    keys(&mut console, "S");
    assert_eq!(console.list.get(0).map(|r| r.search.contains("webank")), Some(true));
    for _ in 0..9 {
        keys(&mut console, "s");
    }
    assert_eq!(console.place().sort, None);
}
