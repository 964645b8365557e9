//! Several runs at once, waves, and switching: how they look and what their keys send.

use std::sync::Arc;

use pointsman::{
    domain::{AppId, Mode, SafeText},
    keymap::{self, Command, Context},
    runbook::{
        bind::Occasion,
        run::{Answer, Phase, RunId, Runs},
        switching::Reason,
        wave::WaveRequest,
    },
    tui::{
        Cmd, Msg, State,
        message::WaveRef,
        state::{Looked, Screen, SwitchPane},
        tables::Target,
        update,
    },
};

use super::{SIM, SIZES, draw, fixture, go, hold, keys, shown, typed, world};
use fixture::{Outage, now, secs};

/// The wave screen as it was opened by its key, with the list planned.
fn planned(size: (u16, u16)) -> State {
    let mut console = asked(size);
    let request = asked_for(&console);
    let wave = Arc::new(fixture::wave_of_three(SIM));
    update(&mut console, Msg::WavePlanned { request, wave: Ok(wave) });
    console
}

fn asked(size: (u16, u16)) -> State {
    let mut console = fixture::console_of(fixture::estate_of_waves(), SIM, size);
    let picture = fixture::picture(&console.estate, SIM, now() - secs(14), Outage::Mumbai);
    update(&mut console, Msg::Picture(Arc::new(picture)));
    update(&mut console, Msg::Tick { now: now(), monotonic: secs(1) });
    let sent = keys(&mut console, "8");
    assert!(matches!(&sent[..], [Cmd::PlanWave(request)] if request.role == "failover"), "{sent:?}");
    console
}

fn asked_for(console: &State) -> WaveRequest {
    console.wave.as_ref().and_then(|pane| pane.asked.clone()).expect("a list is being planned")
}

fn under_way(size: (u16, u16), driven: bool) -> State {
    let mut console = fixture::console_of(fixture::estate_of_waves(), SIM, size);
    update(&mut console, Msg::Runs(fixture::wave_runs(SIM, driven)));
    update(&mut console, Msg::Tick { now: now(), monotonic: secs(1) });
    update(&mut console, Msg::WaveDeclared(fixture::wave_of_three(SIM).id));
    console
}

fn preview(size: (u16, u16), mode: Mode, why: Reason) -> State {
    let mut console = world(if mode == Mode::Drill { "drill" } else { "mid-run" }, size);
    update(&mut console, Msg::Runs(fixture::runs(fixture::run(mode, 1, Phase::Running))));
    go(&mut console, Screen::Run(RunId(31)));
    let sent = keys(&mut console, if why == Reason::AnotherWay { "g w" } else { "g L" });
    assert_eq!(sent.len(), 1, "{}", shown(&console));
    let to = if why == Reason::TurnedReal { Mode::Live } else { mode };
    update(&mut console, Msg::Switching(Ok(Arc::new(fixture::switching(to, why)))));
    console
}

#[test]
fn waves_and_switches_look_as_they_did() {
    let mut wrong = Vec::new();
    for size in SIZES {
        let mut dialog = planned(size);
        keys(&mut dialog, "D");
        let mut exact = planned(size);
        keys(&mut exact, "D");
        fill(&mut exact, "3 apps to Hyderabad, up to 5 m");
        let mut resume = under_way(size, false);
        keys(&mut resume, "R");
        let mut switch = preview(size, SIM, Reason::AnotherWay);
        keys(&mut switch, "D");
        let mut real = preview(size, Mode::Drill, Reason::TurnedReal);
        keys(&mut real, "D");
        let mut list = under_way(size, true);
        keys(&mut list, "6");
        let looks = [
            ("wave.asked", asked(size)),
            ("wave.planned", planned(size)),
            ("wave-runs.under-way", under_way(size, true)),
            ("wave-runs.unattended", under_way(size, false)),
            ("runbooks.wave", list),
            ("switch.another-way", preview(size, SIM, Reason::AnotherWay)),
            ("switch.turned-real", preview(size, Mode::Drill, Reason::TurnedReal)),
            ("dialog-wave", dialog),
            ("dialog-wave-exact", exact),
            ("dialog-wave-resume", resume),
            ("dialog-switch", switch),
            ("dialog-turn-real", real),
        ];
        for (name, console) in looks {
            hold(&format!("{name}.{}x{}", size.0, size.1), &draw(&console), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn fill(console: &mut State, phrase: &str) {
    typed(console, "asha");
    keys(console, "enter");
    typed(console, "INC-4471");
    keys(console, "enter");
    typed(console, phrase.split(',').next().unwrap_or_default());
    if let Some((_, rest)) = phrase.split_once(',') {
        keys(console, ",");
        typed(console, rest);
    }
}

#[test]
fn a_declaration_that_is_too_long_for_the_screen_keeps_its_mode_and_says_that_lines_are_cut() {
    let cut = |size| {
        let mut console = planned(size);
        keys(&mut console, "D");
        format!("{:?}", draw(&console))
    };
    let low = cut((80, 16));
    assert!(low.contains("lines are cut here") && low.contains("data-loss"), "{low}");
    assert!(!cut((120, 40)).contains("lines are cut here"));
}

#[test]
fn a_wave_is_declared_by_its_whole_phrase_and_the_chord_only() {
    let mut console = planned((120, 40));
    assert_eq!(keys(&mut console, "D"), []);
    fill(&mut console, "3 apps to Hyderabad");
    assert_eq!(keys(&mut console, "g !"), [], "the loss is part of the phrase");
    keys(&mut console, "ctrl-u");
    update(&mut console, Msg::Paste("3 apps to Hyderabad, up to 5 m".into()));
    assert_eq!(keys(&mut console, "g !"), [], "pasted text is ignored");
    keys(&mut console, "ctrl-u");
    typed(&mut console, "3 apps to Hyderabad");
    keys(&mut console, ",");
    typed(&mut console, " up to 5 m");
    assert_eq!(keys(&mut console, "enter y"), [], "Enter and y never send");
    let sent = keys(&mut console, "g !");
    let [Cmd::DeclareWave { wave, said }] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(*wave, WaveRef(Arc::new(fixture::wave_of_three(SIM))));
    assert_eq!((said.who.as_str(), said.phrase.as_str()), ("asha", "3 apps to Hyderabad, up to 5 m"));
}

#[test]
fn what_is_left_out_of_a_wave_and_why_is_on_the_list_and_in_the_dialog() {
    let mut console = planned((120, 40));
    assert!(shown(&console).contains("LEFT OUT: run 12 of webank"), "{}", shown(&console));
    keys(&mut console, "D");
    assert!(shown(&console).contains("LEFT OUT, does not go: webank"), "{}", shown(&console));
}

#[test]
fn who_is_where_the_wave_goes_is_not_marked_until_a_person_marks_it() {
    let mut console = asked((120, 40));
    let request = asked_for(&console);
    assert!(request.apps.is_empty(), "nobody chose: {request:?}");
    let known = "already in Hyderabad (DNS 12 s ago)";
    let mut wave = fixture::wave_of_three(SIM);
    wave.left_out.clear();
    wave.there.push((AppId::new("webank"), SafeText::new(known)));
    update(&mut console, Msg::WavePlanned { request, wave: Ok(Arc::new(wave)) });
    assert!(shown(&console).contains(known), "{}", shown(&console));
    assert!(shown(&console).contains("5 of 6 apps"), "{}", shown(&console));
    keys(&mut console, "D");
    assert!(console.dialog.is_some(), "the list is that of the marks on screen");
    keys(&mut console, "esc");
    let sent = keys(&mut console, "end space");
    let [Cmd::PlanWave(request)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(request.apps.len(), 6, "named, it is taken along: {request:?}");
}

#[test]
fn a_list_planned_for_other_marks_cannot_be_declared() {
    let mut console = planned((120, 40));
    let first = console.selected().cloned();
    let sent = keys(&mut console, "space");
    assert!(
        matches!(&sent[..], [Cmd::PlanWave(request)] if !request.apps.contains(&AppId::new("payments"))),
        "{sent:?}"
    );
    assert_eq!(console.selected().cloned(), first, "the selection stays on the app");
    assert_eq!(keys(&mut console, "D"), []);
    assert!(console.dialog.is_none() && shown(&console).contains("the list is being planned"));
    // The answer to the first question comes late: it is not what is on screen.
    let mut late = asked_for(&console);
    late.apps.push(AppId::new("payments"));
    update(&mut console, Msg::WavePlanned { request: late, wave: Ok(Arc::new(fixture::wave_of_three(SIM))) });
    keys(&mut console, "D");
    assert!(console.dialog.is_none());
    let request = asked_for(&console);
    update(&mut console, Msg::WavePlanned { request, wave: Err(SafeText::new("nothing can go")) });
    assert!(shown(&console).contains("nothing can go"));
}

#[test]
fn with_no_app_marked_nothing_is_planned_and_never_everything() {
    let mut console = planned((120, 40));
    keys(&mut console, "*");
    let marked = console.wave.as_ref().map(|pane| pane.marked.len());
    let sent = if marked == Some(0) { Vec::new() } else { keys(&mut console, "*") };
    assert_eq!(sent, []);
    assert!(shown(&console).contains("no app is marked"), "{}", shown(&console));
}

#[test]
fn the_asks_of_a_wave_are_answered_on_its_screen() {
    let mut console = under_way((120, 40), true);
    assert_eq!(console.selected(), Some(&Target::Run(RunId(41))));
    assert_eq!(keys(&mut console, "a"), [], "a loss opens its dialog");
    typed(&mut console, "up to 5 m");
    let sent = keys(&mut console, "g !");
    let answer = Answer::AcceptLoss { step: "promote".into(), typed: "up to 5 m".into() };
    assert_eq!(sent, [Cmd::Answer { run: RunId(41), answer }]);
    assert_eq!(keys(&mut console, "down h"), [Cmd::Answer { run: RunId(42), answer: Answer::Hold }]);
    keys(&mut console, "enter");
    assert_eq!(*console.screen(), Screen::Run(RunId(42)), "Enter looks deeper");
}

#[test]
fn a_wave_that_nobody_drives_is_resumed_with_one_declaration() {
    let mut console = under_way((120, 40), false);
    assert!(shown(&console).contains("NOBODY DRIVES 3 of these runs"), "{}", shown(&console));
    keys(&mut console, "R");
    fill(&mut console, "resume 3 apps to Hyderabad");
    let sent = keys(&mut console, "g !");
    let [Cmd::ResumeWave { wave, said }] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((wave.as_str(), said.phrase.as_str()), ("5f1e0c7a99", "resume 3 apps to Hyderabad"));
}

#[test]
fn from_anywhere_one_key_leads_to_the_run_that_waits_and_on_to_the_next() {
    let mut console = world("fresh", (120, 40));
    let run = |id: u64, phase: Phase| {
        let mut one = fixture::run(SIM, 1, phase);
        one.id = RunId(id);
        Arc::new(one)
    };
    let parked = || Phase::Parked { step: None, why: "no step can go on".into() };
    let list = vec![
        run(9, fixture::loss_ask()),
        run(8, Phase::Running),
        run(7, parked()),
        run(3, Phase::Completed { exceptions: 0 }),
    ];
    update(&mut console, Msg::Runs(Arc::new(Runs { list, ..Runs::default() })));
    assert!(shown(&console).contains("2 waiting: w"), "{}", shown(&console));
    for screen in [Screen::Board, Screen::Backups, Screen::Calls, Screen::Run(RunId(8))] {
        go(&mut console, screen.clone());
        keys(&mut console, "w");
        let wanted = if screen == Screen::Run(RunId(8)) { 9 } else { 7 };
        assert_eq!(*console.screen(), Screen::Run(RunId(wanted)), "from {screen:?}");
        keys(&mut console, "w");
        assert_eq!(*console.screen(), Screen::Run(RunId(16 - wanted)), "the other one, around the end");
    }
    assert!(shown(&console).contains("ARMED 3 runs"));
}

#[test]
fn what_is_done_already_is_never_called_dropped_by_a_switch() {
    let mut console = preview((120, 40), SIM, Reason::AnotherWay);
    let row = |console: &State| {
        let text = shown(console);
        text.lines().find(|line| line.contains("Promote Hyderabad")).expect("a step of the present plan").to_owned()
    };
    assert!(row(&console).contains("dropped"), "{}", row(&console));
    update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 2, Phase::Running))));
    assert!(row(&console).contains("✔") && row(&console).contains("was done"), "{}", row(&console));
    let text = shown(&console);
    assert!(text.contains("1 done before, not in it") && text.contains("0 dropped"), "{text}");
    assert!(!text.contains("▶"), "what is to come does not run yet:\n{text}");
    keys(&mut console, "D");
    assert!(shown(&console).contains("1 done before"), "{}", shown(&console));
}

#[test]
fn switching_is_looked_at_before_it_is_declared() {
    let mut console = world("mid-run", (120, 40));
    go(&mut console, Screen::Run(RunId(31)));
    let sent = keys(&mut console, "g w");
    assert_eq!(sent, [Cmd::LookAtSwitch { run: RunId(31), runbook: "payments-switchover".into() }]);
    assert_eq!(keys(&mut console, "D"), [], "there is nothing to declare yet");
    assert!(console.dialog.is_none());
    // Another run's preview says nothing of this one.
    let mut other = fixture::switching(SIM, Reason::AnotherWay);
    other.run = RunId(30);
    update(&mut console, Msg::Switching(Ok(Arc::new(other))));
    assert!(matches!(console.switching, Some(SwitchPane { looked: Looked::Asked, .. })));
    update(&mut console, Msg::Switching(Ok(Arc::new(fixture::switching(SIM, Reason::AnotherWay)))));
    let text = shown(&console);
    assert!(text.contains("stays done") && text.contains("dropped") && text.contains("comes"), "{text}");
    keys(&mut console, "D");
    typed(&mut console, "asha");
    keys(&mut console, "enter");
    typed(&mut console, "INC-4471");
    keys(&mut console, "enter");
    typed(&mut console, "payments");
    keys(&mut console, "enter");
    typed(&mut console, "Hyderabad");
    keys(&mut console, "enter");
    let sent = keys(&mut console, "g !");
    let wanted = fixture::switching(SIM, Reason::AnotherWay).plan.hash.clone();
    assert!(matches!(&sent[..], [Cmd::Switch { run: RunId(31), hash, .. }] if *hash == wanted), "{sent:?}");
}

#[test]
fn only_a_drill_is_turned_real_and_the_dialog_says_what_it_becomes() {
    let mut console = world("mid-run", (120, 40));
    go(&mut console, Screen::Run(RunId(31)));
    assert_eq!(keys(&mut console, "g L"), []);
    assert!(shown(&console).contains("it is no drill"), "{}", shown(&console));
    let mut drill = preview((120, 40), Mode::Drill, Reason::TurnedReal);
    keys(&mut drill, "D");
    assert!(shown(&drill).contains("It was DRILL; from here on it acts LIVE"), "{}", shown(&drill));
}

#[test]
fn a_rehearsal_on_the_simulator_is_called_one_on_every_screen_and_in_every_dialog() {
    let mut console = planned((120, 40));
    console.occasion = Occasion::Drill;
    assert!(shown(&console).contains("SIMULATED ×30 DRILL"), "{}", shown(&console));
    keys(&mut console, "D");
    assert_eq!(shown(&console).matches("SIMULATED ×30 DRILL").count(), 2, "banner and dialog");
}

#[test]
fn what_was_turned_real_is_never_taken_for_a_drill() {
    let mut console = world("drill", (120, 40));
    console.occasion = Occasion::Drill;
    update(&mut console, Msg::Runs(fixture::runs(fixture::run(Mode::Live, 1, Phase::Running))));
    assert!(shown(&console).contains("run 31 of Payments is LIVE, not a drill"), "{}", shown(&console));
}

#[test]
fn the_keys_of_a_run_work_on_the_screen_of_a_wave_too_in_every_bundled_keymap() {
    let also = [
        Command::Confirm,
        Command::Send,
        Command::Hold,
        Command::Release,
        Command::Skip,
        Command::Retry,
        Command::Override,
        Command::Verdict,
        Command::Abandon,
        Command::Switch,
        Command::TurnReal,
        Command::Note,
    ];
    for name in keymap::bundled_names() {
        let keymap = keymap::bundled(name).expect("a bundled keymap is valid");
        for command in also {
            let (run, wave) = (keymap.keys_of(Context::Run, command), keymap.keys_of(Context::WaveRuns, command));
            assert!(run.is_some() && run == wave, "{name}: {command:?} is {run:?} in a run, {wave:?} in a wave");
        }
    }
}
