//! Every screen at three sizes in its states: text *and* styles against files that a person can read.
//!
//! `POINTSMAN_BLESS=1 cargo test --test views` writes the files of `tests/snapshots` anew; look at the difference
//! before committing it. A file holds the lines of the screen, then for each line its runs of styles
//! (`a12 b8` = 12 cells of style a, 8 of b), then what each letter stands for.

use std::{collections::BTreeSet, sync::Arc};

use pointsman::{
    domain::{AppId, Mode, SafeText, Timestamp, Verdict},
    keymap::{Context, Key},
    runbook::{
        plan::Holds,
        run::{Answer, Ask, Elsewhere, Phase, RunId, RunState},
    },
    tui::{
        Cmd, KeyPress, Msg, State,
        state::Screen,
        update, view,
        view::{LEAST_COLUMNS, LEAST_ROWS, text_of},
        words,
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

#[path = "views/board.rs"]
mod board;
#[path = "views/dialogs.rs"]
mod dialogs;
#[path = "views/fixture/mod.rs"]
mod fixture;
#[path = "views/golden.rs"]
mod golden;
#[path = "views/plans.rs"]
mod plans;
#[path = "views/waves.rs"]
mod waves;
use fixture::{Outage, mins, now, secs};
use golden::hold;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
const SIM: Mode = Mode::Simulated { speed: 30.0 };

fn draw(state: &State) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, state.size.0, state.size.1));
    view(state, &mut buffer);
    buffer
}

fn shown(state: &State) -> String {
    text_of(&draw(state))
}

/// The world in one of its states, at the moment `now()`.
fn world(state: &str, size: (u16, u16)) -> State {
    let mode = if state == "drill" { Mode::Drill } else { SIM };
    let mut console = fixture::console(mode, size);
    update(&mut console, Msg::Calls(if state == "empty" { Arc::from([]) } else { fixture::calls() }));
    let picture =
        |seen: Timestamp, outage| Msg::Picture(Arc::new(fixture::picture(&fixture::estate(), mode, seen, outage)));
    match state {
        "empty" => {}
        "stale" => drop(update(&mut console, picture(now() - mins(40), Outage::None))),
        "unknown" => drop(update(&mut console, picture(now() - secs(14), Outage::Mumbai))),
        _ => drop(update(&mut console, picture(now() - secs(14), Outage::None))),
    }
    let run = match state {
        "mid-run" => Some(fixture::run(mode, 1, Phase::Running)),
        "waiting" => Some(fixture::run(mode, 1, fixture::loss_ask())),
        "parked" => Some(fixture::run(
            mode,
            1,
            Phase::Parked { step: Some("promote".into()), why: "the answer of FailoverGlobalCluster was lost".into() },
        )),
        "drill" => Some(fixture::run(mode, 5, Phase::Completed { exceptions: 0 })),
        "branches" => Some(fixture::branches(mode)),
        "ended" => Some(fixture::ended(mode)),
        "unattended" => {
            let mut run = fixture::run(mode, 2, Phase::Running);
            run.driven = false;
            Some(run)
        }
        _ => None,
    };
    if let Some(run) = run {
        update(&mut console, Msg::Runs(fixture::runs(run)));
    }
    let outage = if state == "unknown" { Outage::Mumbai } else { Outage::None };
    if state != "empty" {
        update(&mut console, Msg::Planned(Ok(Arc::new(fixture::plan(mode, outage)))));
    }
    update(&mut console, Msg::Tick { now: now(), monotonic: secs(1) });
    console
}

fn waiting() -> State {
    let mut console = world("waiting", (120, 40));
    go(&mut console, Screen::Run(RunId(31)));
    console
}

fn go(state: &mut State, screen: Screen) {
    pointsman::tui::update::open(state, screen);
}

fn keys(state: &mut State, keys: &str) -> Vec<Cmd> {
    let mut sent = Vec::new();
    for key in keys.split_whitespace() {
        let key = Key::parse(key).unwrap_or_else(|e| panic!("{key}: {e}"));
        update(state, Msg::Drawn { at: secs(2) });
        sent.extend(update(state, Msg::Key(KeyPress { key, at: secs(3) })));
    }
    sent
}

fn typed(state: &mut State, text: &str) -> Vec<Cmd> {
    let spelled: Vec<String> =
        text.chars().map(|ch| if ch == ' ' { "space".to_owned() } else { ch.to_string() }).collect();
    let spelled: Vec<String> = spelled.into_iter().map(|k| if k == "-" { "minus".to_owned() } else { k }).collect();
    keys(state, &spelled.join(" "))
}

fn screens() -> Vec<(&'static str, Screen, &'static [&'static str])> {
    let all: &[&str] = &["empty", "fresh", "stale", "unknown", "mid-run", "parked", "drill"];
    vec![
        ("board", Screen::Board, all),
        ("app", Screen::App(AppId::new("payments")), all),
        ("app-breached", Screen::App(AppId::new("vendor-assistance")), &["fresh", "stale"]),
        ("backups", Screen::Backups, all),
        ("replication", Screen::Replication, all),
        ("regions", Screen::Regions, all),
        ("runbooks", Screen::Runbooks, &["empty", "fresh", "mid-run", "parked", "drill"]),
        ("plan", Screen::Plan, &["empty", "fresh", "unknown", "mid-run", "drill"]),
        (
            "run",
            Screen::Run(RunId(31)),
            &["empty", "mid-run", "waiting", "parked", "unattended", "branches", "ended", "drill"],
        ),
        ("calls", Screen::Calls, &["empty", "fresh", "drill"]),
        ("help", Screen::Help(Context::Board), &["fresh", "drill"]),
    ]
}

#[test]
fn every_screen_looks_as_it_did() {
    let mut wrong = Vec::new();
    for (name, screen, states) in screens() {
        for size in SIZES {
            for state in states {
                let mut console = world(state, size);
                go(&mut console, screen.clone());
                hold(&format!("{name}.{state}.{}x{}", size.0, size.1), &draw(&console), &mut wrong);
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_dialog_looks_as_it_did() {
    let mut wrong = Vec::new();
    for size in SIZES {
        let mut dialogs: Vec<(&str, State)> = Vec::new();
        let mut declare = world("unknown", size);
        go(&mut declare, Screen::Plan);
        keys(&mut declare, "D");
        dialogs.push(("declare", declare));
        let mut waiting = world("waiting", size);
        go(&mut waiting, Screen::Run(RunId(31)));
        keys(&mut waiting, "enter");
        dialogs.push(("loss", waiting));
        let mut ready = world("waiting", size);
        go(&mut ready, Screen::Run(RunId(31)));
        keys(&mut ready, "enter");
        typed(&mut ready, "up to 5 m");
        dialogs.push(("loss-exact", ready));
        for (name, phase) in asks() {
            let mut console = world("waiting", size);
            update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 1, phase))));
            go(&mut console, Screen::Run(RunId(31)));
            keys(&mut console, "enter");
            assert!(console.dialog.is_some(), "{name} has a dialog");
            dialogs.push((name, console));
        }
        let mut skip = world("parked", size);
        go(&mut skip, Screen::Run(RunId(31)));
        keys(&mut skip, "g s");
        dialogs.push(("skip", skip));
        let mut abandon = world("parked", size);
        go(&mut abandon, Screen::Run(RunId(31)));
        keys(&mut abandon, "g x");
        dialogs.push(("abandon", abandon));
        let mut resume = world("unattended", size);
        go(&mut resume, Screen::Run(RunId(31)));
        keys(&mut resume, "enter");
        dialogs.push(("resume", resume));
        for (name, console) in dialogs {
            hold(&format!("dialog-{name}.{}x{}", size.0, size.1), &draw(&console), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn asks() -> Vec<(&'static str, Phase)> {
    let step = || "promote".into();
    let reading = fixture::plan(SIM, Outage::Mumbai).steps[1].guards[1].clone();
    vec![
        ("override", Phase::Waiting(Ask::Override { step: step(), guard: 1, reading })),
        (
            "confirm",
            Phase::Waiting(Ask::Confirm {
                step: step(),
                items: vec!["NOC says so".into(), "bridge is informed".into()],
            }),
        ),
        ("verdict", Phase::Waiting(Ask::Verdict { step: step(), question: "Did the failover start?".into() })),
        ("rearm", Phase::Waiting(Ask::Rearm)),
        (
            "noticed",
            Phase::Waiting(Ask::Noticed {
                step: step(),
                lines: vec!["payments-hyd became writer at 14:20, and no run of ours did it".into()],
            }),
        ),
    ]
}

#[test]
fn the_mode_and_the_arming_are_on_every_screen_at_every_size() {
    for (_, screen, states) in screens() {
        for size in [(60, 16), (80, 24), (120, 40), (400, 120), (30, 6), (12, 3)] {
            for state in states {
                let mut console = world(state, size);
                go(&mut console, screen.clone());
                let text = shown(&console);
                let word = console.mode().word();
                let word = if size.0 < 20 { &word[..word.len().min(8)] } else { &word[..] };
                assert!(text.contains(word), "{screen:?} {state} {size:?}:\n{text}");
                let armed = if console.armed().is_some() { "ARMED" } else { "READ-ONLY" };
                assert!(text.contains(armed), "{screen:?} {state} {size:?}:\n{text}");
            }
        }
    }
}

#[test]
fn no_size_from_one_cell_up_panics() {
    for (_, screen, states) in screens() {
        for state in states {
            let mut console = world(state, (80, 24));
            go(&mut console, screen.clone());
            let small = (1..=20).flat_map(|w| (1..=20).map(move |h| (w, h)));
            let edges = [
                (59, 16),
                (60, 15),
                (60, 16),
                (61, 17),
                (70, 16),
                (99, 21),
                (100, 22),
                (400, 120),
                (400, 16),
                (60, 120),
            ];
            for (width, height) in small.chain(edges) {
                update(&mut console, Msg::Resize { width, height });
                draw(&console);
                for key in ["down", "pagedown", "end", "up"] {
                    keys(&mut console, key);
                }
                draw(&console);
            }
        }
    }
    let mut dialog = world("waiting", (80, 24));
    go(&mut dialog, Screen::Run(RunId(31)));
    keys(&mut dialog, "enter");
    for (width, height) in (1..=100).flat_map(|w| [(w, 5), (w, 16), (w, 24)]) {
        update(&mut dialog, Msg::Resize { width, height });
        draw(&dialog);
    }
}

#[test]
fn a_terminal_too_small_says_so_legibly() {
    let console = world("fresh", (59, 16));
    let text = shown(&console);
    assert!(text.contains("too small"), "{text}");
    assert!(text.contains(&format!("{LEAST_COLUMNS}x{LEAST_ROWS}")), "{text}");
}

const HOSTILE: &str = "x\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}evil\u{200b}\u{e0041}\u{7f}\r\n\u{feff}";

#[test]
fn hostile_names_from_aws_never_reach_a_cell() {
    let mut estate = fixture::estate();
    for app in &mut estate.apps {
        app.name = SafeText::new(format!("{} {HOSTILE}", app.name));
    }
    let mut picture = fixture::picture(&estate, SIM, now(), Outage::Mumbai);
    let mut snapshot = fixture::snapshot(SIM, now(), Outage::None);
    for slot in snapshot.jobs.values_mut() {
        for job in &mut slot.last.as_mut().expect("seen").value {
            job.resource_arn = format!("arn:aws:rds:ap-south-1:1:db:{HOSTILE}");
            job.message = Some(SafeText::new(HOSTILE));
        }
    }
    snapshot.endpoint_overrides = vec![(SafeText::new("AWS_ENDPOINT_URL"), SafeText::new(HOSTILE))];
    picture.snapshot = Arc::new(snapshot);
    let mut plan = fixture::plan(SIM, Outage::Mumbai);
    plan.account = HOSTILE.to_owned();
    plan.steps[1].calls[0].operation = HOSTILE.to_owned();
    plan.steps[1].calls[0].params = vec![(HOSTILE.to_owned(), SafeText::new(HOSTILE))];
    let mut run = fixture::run(SIM, 1, fixture::loss_ask());
    run.declaration.who = SafeText::new(HOSTILE);
    for (_, screen, _) in screens() {
        let mut console = fixture::console_of(estate.clone(), SIM, (120, 40));
        update(&mut console, Msg::Picture(Arc::new(picture.clone())));
        update(&mut console, Msg::Runs(fixture::runs(run.clone())));
        update(&mut console, Msg::Planned(Ok(Arc::new(plan.clone()))));
        update(&mut console, Msg::Refused(SafeText::new(HOSTILE)));
        go(&mut console, screen.clone());
        keys(&mut console, "down");
        for buffer in [draw(&console), {
            keys(&mut console, "D");
            draw(&console)
        }] {
            for cell in buffer.content() {
                for ch in cell.symbol().chars() {
                    let bad = ch.is_control()
                        || matches!(ch, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
                    assert!(!bad, "{screen:?}: {ch:?} reached a cell");
                }
            }
        }
    }
}

#[test]
fn leaving_a_run_never_stops_it() {
    let mut console = waiting();
    assert_eq!(keys(&mut console, "q"), []);
    assert_eq!(*console.screen(), Screen::Board);
    assert_eq!(keys(&mut console, "7"), []);
    assert_eq!(*console.screen(), Screen::Run(RunId(31)), "back in the run with one key");
}

#[test]
fn a_disabled_command_says_why_and_help_says_it_too() {
    let mut console = waiting();
    assert_eq!(keys(&mut console, "l"), []);
    assert!(shown(&console).contains("it is not held"), "{}", shown(&console));
    keys(&mut console, "?");
    assert!(shown(&console).contains("not now: it is not held"), "{}", shown(&console));
}

#[test]
fn a_hold_asked_for_while_a_step_waits_is_seen_and_can_be_taken_back() {
    let answered = |answer: Answer| vec![Cmd::Answer { run: RunId(31), answer }];
    for phase in [fixture::loss_ask(), Phase::Running] {
        let mut console = world("waiting", (80, 24));
        update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 1, phase.clone()))));
        go(&mut console, Screen::Run(RunId(31)));
        assert!(!shown(&console).contains("held after this step"));
        assert_eq!(keys(&mut console, "h"), answered(Answer::Hold));
        let mut asked = fixture::run(SIM, 1, phase);
        asked.held_after_step = true;
        update(&mut console, Msg::Runs(fixture::runs(asked)));
        assert!(shown(&console).contains("· held after this step"), "{}", shown(&console));
        assert_eq!(keys(&mut console, "h"), [], "it is asked for once");
        assert_eq!(keys(&mut console, "l"), answered(Answer::Release));
        go(&mut console, Screen::Runbooks);
        update(&mut console, Msg::Resize { width: 200, height: 60 });
        assert!(shown(&console).contains("· held after this step"), "{}", shown(&console));
    }
}

#[test]
fn leaving_a_run_says_what_becomes_of_it() {
    let ended = fixture::ended(SIM);
    let mut undriven = fixture::run(SIM, 2, Phase::Running);
    undriven.driven = false;
    for (run, goes_on, stands) in
        [(fixture::run(SIM, 1, Phase::Running), true, false), (ended, false, false), (undriven, false, true)]
    {
        let mut console = world("waiting", (120, 40));
        update(&mut console, Msg::Runs(fixture::runs(run)));
        go(&mut console, Screen::Run(RunId(31)));
        keys(&mut console, "q");
        let text = shown(&console);
        assert_eq!(text.contains("the run goes on without this screen"), goes_on, "{text}");
        assert_eq!(text.contains("it stands until it is resumed"), stands, "{text}");
    }
}

#[test]
fn the_bar_names_the_key_that_answers_first_and_none_that_an_undriven_run_refuses() {
    let bar = |run: RunState| {
        let mut console = world("waiting", (80, 24));
        update(&mut console, Msg::Runs(fixture::runs(run)));
        go(&mut console, Screen::Run(RunId(31)));
        let said = shown(&console).lines().last().unwrap_or_default().trim_start().to_owned();
        (console, said)
    };
    for (name, phase) in asks() {
        let first = match name {
            "override" => "g o ",
            "verdict" => "g v ",
            _ => "a ",
        };
        let (_, said) = bar(fixture::run(SIM, 1, phase));
        assert!(said.starts_with(first), "{name}: {said}");
    }
    let (_, said) = bar(fixture::run(SIM, 1, Phase::Waiting(Ask::Chord { step: "promote".into() })));
    assert!(said.starts_with("g ! "), "{said}");
    let mut undriven = fixture::run(SIM, 1, fixture::loss_ask());
    undriven.driven = false;
    let (mut console, said) = bar(undriven);
    assert!(said.starts_with("a "), "{said}");
    for refused in ["h", "n", "g s", "g x", "g r"] {
        assert_eq!(keys(&mut console, refused), []);
        assert!(console.dialog.is_none() && shown(&console).contains("nobody drives it"), "{refused}");
    }
}

#[test]
fn enter_where_nothing_is_deeper_says_so() {
    for screen in [Screen::Plan, Screen::Regions, Screen::Calls] {
        let mut console = world("fresh", (120, 40));
        go(&mut console, screen.clone());
        assert_eq!(keys(&mut console, "enter"), []);
        assert!(shown(&console).contains("there is nothing deeper here"), "{screen:?}:\n{}", shown(&console));
    }
}

#[test]
fn a_run_that_has_not_begun_one_at_work_and_one_with_exceptions_have_signs_of_their_own() {
    let phases = [Phase::Armed, Phase::Running, Phase::Completed { exceptions: 0 }, Phase::Completed { exceptions: 1 }];
    let signs: BTreeSet<&str> =
        phases.iter().map(|phase| pointsman::tui::tables::runbooks::phase_look(phase).0).collect();
    assert_eq!(signs.len(), 4, "{signs:?}");
}

#[test]
fn a_store_that_cannot_be_written_is_said_on_every_screen() {
    for (_, screen, _) in screens() {
        let mut console = world("fresh", (120, 40));
        let runs = pointsman::runbook::run::Runs { store_failure: Some("disk full".into()), ..Default::default() };
        update(&mut console, Msg::Runs(Arc::new(runs)));
        go(&mut console, screen.clone());
        assert!(shown(&console).contains("NOTHING CAN ACT"), "{screen:?}");
    }
}

#[test]
fn a_verdict_is_a_word_a_sign_and_a_style_of_its_own_even_without_colour() {
    let theme = pointsman::theme::Theme::bundled("default").expect("bundled").without_colour();
    let styles = pointsman::tui::widgets::Styles::of(&theme);
    let verdicts = [
        Verdict::Met { sampled: false },
        Verdict::Breached { by: secs(1) },
        Verdict::Unknown { why: "x".into(), at_least: None, at_most: None },
    ];
    let mut looks: BTreeSet<String> = BTreeSet::new();
    for verdict in &verdicts {
        let style = styles.get(words::verdict_role(verdict));
        looks.insert(format!("{:?}", style.add_modifier));
    }
    assert_eq!(looks.len(), verdicts.len(), "modifiers alone tell them apart: {looks:?}");
    let words: BTreeSet<&str> = verdicts.iter().map(words::glyph).collect();
    assert_eq!(words.len(), verdicts.len());
}

#[test]
fn a_run_whose_guard_is_overridden_shows_by_whom() {
    let mut run: RunState = fixture::run(SIM, 1, Phase::Running);
    run.steps[1].guards[1].holds = Holds::Unknown;
    run.steps[1].guards[1].overridden =
        Some(pointsman::runbook::plan::Override { reason: "fibre cut".into(), authoriser: "ravi".into(), at: now() });
    let mut console = world("fresh", (120, 40));
    update(&mut console, Msg::Runs(fixture::runs(run)));
    go(&mut console, Screen::Run(RunId(31)));
    keys(&mut console, "down");
    assert!(shown(&console).contains("overridden  by ravi: fibre cut"), "{}", shown(&console));
}

#[test]
fn a_run_that_another_process_drives_is_shown_so_and_answered_there() {
    let mut run = fixture::run(SIM, 1, fixture::loss_ask());
    run.driven = false;
    run.elsewhere = Some(Elsewhere { process: Some(4711) });
    let mut console = world("fresh", (120, 40));
    update(&mut console, Msg::Runs(fixture::runs(run)));
    go(&mut console, Screen::Run(RunId(31)));
    let screen = shown(&console);
    assert!(screen.contains("DRIVEN BY process 4711 of this machine") && !screen.contains("NOBODY"), "{screen}");
    assert!(!screen.contains("1 waiting"), "it waits for nobody here: {screen}");
    for pressed in ["a", "h", "g s", "g !"] {
        assert_eq!(keys(&mut console, pressed), [], "{pressed}");
        assert!(console.dialog.is_none(), "{pressed}");
    }
    assert!(shown(&console).contains("another process drives it"), "{}", shown(&console));
    go(&mut console, Screen::Runbooks);
    assert!(shown(&console).contains("driven by process 4711"), "{}", shown(&console));
}
