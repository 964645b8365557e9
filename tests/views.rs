//! Every screen at three sizes in its states: text *and* styles against files that a person can read.
//!
//! `POINTSMAN_BLESS=1 cargo test --test views` writes the files of `tests/snapshots` anew; look at the difference
//! before committing it. A file holds the lines of the screen, then for each line its runs of styles
//! (`a12 b8` = 12 cells of style a, 8 of b), then what each letter stands for.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf, sync::Arc, time::Duration};

use pointsman::{
    domain::{AppId, Mode, SafeText, Timestamp, Verdict, compliance::Assessment, time::short},
    keymap::{Context, Key},
    runbook::{
        plan::Holds,
        run::{Answer, Ask, Phase, RunId, RunState},
    },
    tui::{
        Cmd, KeyPress, Msg, State,
        state::Screen,
        update, view,
        view::{LEAST_COLUMNS, LEAST_ROWS, text_of},
        words,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier},
};

#[path = "views/fixture.rs"]
mod fixture;
#[path = "views/waves.rs"]
mod waves;
use fixture::{Outage, mins, now, secs};

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

/// Text, then styles in run lengths, then the legend.
fn golden(buffer: &Buffer) -> String {
    let mut out = text_of(buffer);
    let mut legend: Vec<String> = Vec::new();
    out.push_str("--- styles\n");
    for row in buffer.content().chunks(usize::from(buffer.area.width)) {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for cell in row {
            let style = style_words(cell.fg, cell.bg, cell.modifier);
            let at = legend.iter().position(|known| *known == style).unwrap_or_else(|| {
                legend.push(style);
                legend.len() - 1
            });
            match runs.last_mut() {
                Some((last, count)) if *last == at => *count += 1,
                _ => runs.push((at, 1)),
            }
        }
        let line: Vec<String> = runs.iter().map(|(at, count)| format!("{}{count}", letter(*at))).collect();
        out.push_str(&line.join(" "));
        out.push('\n');
    }
    out.push_str("--- legend\n");
    for (at, style) in legend.iter().enumerate() {
        let _ = writeln!(out, "{} {style}", letter(at));
    }
    out
}

fn letter(at: usize) -> String {
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    letters.chars().nth(at).map_or_else(|| format!("<{at}>"), |ch| ch.to_string())
}

fn style_words(fg: Color, bg: Color, modifier: Modifier) -> String {
    let mut words = format!("{fg} on {bg}");
    for (bit, name) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::ITALIC, "italic"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
    ] {
        if modifier.contains(bit) {
            words.push(' ');
            words.push_str(name);
        }
    }
    words
}

fn hold(name: &str, buffer: &Buffer, wrong: &mut Vec<String>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(format!("{name}.txt"));
    let got = golden(buffer);
    let text = got.split("--- styles").next().unwrap_or_default();
    assert!(text.chars().filter(|c| c.is_alphanumeric()).count() > 40, "{name}: a snapshot must not hold only blanks");
    if std::env::var_os("POINTSMAN_BLESS").is_some() {
        fs::write(&path, got).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected != got {
        let at = expected.lines().zip(got.lines()).position(|(a, b)| a != b);
        let at = at.unwrap_or_else(|| expected.lines().count().min(got.lines().count()));
        wrong.push(format!(
            "{name}: line {}\n  expected {:?}\n  got      {:?}",
            at + 1,
            expected.lines().nth(at),
            got.lines().nth(at)
        ));
    }
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
    assert_eq!(
        console.list.get(0).map(|r| &r.target),
        Some(&pointsman::tui::tables::Target::App("vendor-assistance".into()))
    );
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

fn waiting() -> State {
    let mut console = world("waiting", (120, 40));
    go(&mut console, Screen::Run(RunId(31)));
    console
}

#[test]
fn a_loss_is_accepted_by_the_exact_phrase_and_the_chord_only() {
    let mut console = waiting();
    assert_eq!(keys(&mut console, "enter"), [], "Enter opens, and sends nothing");
    assert_eq!(keys(&mut console, "enter y enter ctrl-u"), [], "Enter and y never send");
    assert_eq!(typed(&mut console, "up to 6 m"), []);
    assert_eq!(keys(&mut console, "g !"), [], "not the phrase: the chord is typed into the field");
    keys(&mut console, "ctrl-u");
    typed(&mut console, "up to 5 m");
    assert_eq!(keys(&mut console, "enter y"), [], "Enter and y never send");
    let sent = keys(&mut console, "g !");
    let answer = Answer::AcceptLoss { step: "promote".into(), typed: "up to 5 m".into() };
    assert_eq!(sent, [Cmd::Answer { run: RunId(31), answer }]);
    assert!(console.dialog.is_none());
}

#[test]
fn pasted_text_does_not_fill_a_dialog() {
    let mut console = waiting();
    keys(&mut console, "enter");
    update(&mut console, Msg::Paste("up to 5 m".into()));
    assert_eq!(console.dialog.as_ref().map(|d| d.fields[0].value.as_str()), Some(""));
    assert!(shown(&console).contains("pasted text is ignored"));
    assert_eq!(keys(&mut console, "g !"), []);
}

#[test]
fn keys_read_before_the_dialog_was_drawn_are_ignored() {
    let mut console = waiting();
    let press = |key: &str, at: Duration| Msg::Key(KeyPress { key: Key::parse(key).expect("a key"), at });
    update(&mut console, press("enter", secs(10)));
    assert!(console.dialog.is_some());
    update(&mut console, press("u", secs(10)));
    update(&mut console, Msg::Drawn { at: secs(11) });
    update(&mut console, press("u", Duration::from_millis(10_999)));
    assert_eq!(console.dialog.as_ref().map(|d| d.fields[0].value.as_str()), Some(""));
    // Bunched keys from a slow link were read after it was drawn: they count.
    for key in ["u", "p"] {
        update(&mut console, press(key, secs(12)));
    }
    assert_eq!(console.dialog.as_ref().map(|d| d.fields[0].value.as_str()), Some("up"));
}

#[test]
fn only_a_reading_worse_than_the_frozen_figure_voids_the_dialog() {
    let ask = |bound: u64| match fixture::loss_ask() {
        Phase::Waiting(Ask::Loss { step, rounded, phrase, lines, .. }) => {
            Phase::Waiting(Ask::Loss { step, bound: secs(bound), rounded, phrase, lines })
        }
        other => other,
    };
    let mut console = waiting();
    keys(&mut console, "enter");
    typed(&mut console, "up to 5 m");
    update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 1, ask(299)))));
    assert!(shown(&console).contains("1 m 41 s"), "the figure stays frozen");
    assert!(console.dialog.as_ref().is_some_and(|d| d.void.is_none()));
    update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 1, ask(301)))));
    assert!(shown(&console).contains("A newer reading is worse"), "{}", shown(&console));
    assert_eq!(keys(&mut console, "g !"), []);
}

#[test]
fn declaring_takes_who_why_and_where_typed_as_they_stand() {
    let mut console = world("fresh", (120, 40));
    go(&mut console, Screen::Plan);
    assert_eq!(keys(&mut console, "D"), []);
    let dialog = console.dialog.as_ref().expect("a dialog");
    assert!(dialog.fields.iter().all(|f| f.value.is_empty()), "nothing is filled in beforehand");
    typed(&mut console, "asha");
    keys(&mut console, "enter");
    typed(&mut console, "INC-4471");
    keys(&mut console, "enter");
    typed(&mut console, "webank");
    keys(&mut console, "enter");
    typed(&mut console, "Hyderabad");
    assert_eq!(keys(&mut console, "g !"), [], "another app than the plan's");
    keys(&mut console, "ctrl-u");
    typed(&mut console, "Hyderabad");
    keys(&mut console, "shift-tab ctrl-u");
    typed(&mut console, "payments");
    keys(&mut console, "enter enter enter");
    let sent = keys(&mut console, "g !");
    let [Cmd::Declare { plan, declaration }] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(plan.0.hash, fixture::plan(SIM, Outage::None).hash);
    assert_eq!(
        (declaration.who.as_str(), declaration.app.as_str(), declaration.region.as_str()),
        ("asha", "payments", "Hyderabad")
    );
}

#[test]
fn friction_grows_with_hazard() {
    let step = || "promote".into();
    let on = |phase: Phase| {
        let mut console = world("waiting", (120, 40));
        update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 1, phase))));
        go(&mut console, Screen::Run(RunId(31)));
        console
    };
    let go_on = || vec![Cmd::Answer { run: RunId(31), answer: Answer::Go { step: step() } }];
    let mut one_key = on(Phase::Waiting(Ask::Key { step: step() }));
    assert_eq!(keys(&mut one_key, "enter"), [], "Enter never acts");
    assert_eq!(keys(&mut one_key, "a"), go_on());
    let mut chord = on(Phase::Waiting(Ask::Chord { step: step() }));
    assert_eq!(keys(&mut chord, "a"), [], "one key is not enough for a disruptive step");
    assert_eq!(keys(&mut chord, "g !"), go_on());
    let mut loss = on(fixture::loss_ask());
    assert_eq!(keys(&mut loss, "g !"), [], "data loss needs the phrase: the chord opens the dialog");
    assert!(loss.dialog.is_some());
}

#[test]
fn an_override_needs_a_reason_and_a_name() {
    let mut console = world("waiting", (120, 40));
    let (_, phase) = asks().remove(0);
    update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 1, phase))));
    go(&mut console, Screen::Run(RunId(31)));
    keys(&mut console, "g o");
    typed(&mut console, "fibre cut confirmed");
    assert_eq!(keys(&mut console, "enter enter g !"), []);
    keys(&mut console, "ctrl-u");
    typed(&mut console, "ravi");
    keys(&mut console, "enter");
    let sent = keys(&mut console, "g !");
    let [Cmd::Answer { answer: Answer::Override { reason, authoriser, guard: 1, .. }, .. }] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!((reason.as_str(), authoriser.as_str()), ("fibre cut confirmed", "ravi"));
}

#[test]
fn a_checklist_is_marked_line_by_line_before_the_chord_counts() {
    let mut console = world("waiting", (120, 40));
    let (_, phase) = asks().remove(1);
    update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 1, phase))));
    go(&mut console, Screen::Run(RunId(31)));
    keys(&mut console, "enter");
    assert_eq!(keys(&mut console, "enter enter g !"), []);
    keys(&mut console, "shift-tab shift-tab x enter x enter");
    assert_eq!(
        keys(&mut console, "g !"),
        [Cmd::Answer { run: RunId(31), answer: Answer::Go { step: "promote".into() } }]
    );
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
