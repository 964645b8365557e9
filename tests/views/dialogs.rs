//! Dialogs: what a person must type, mark or hold before a key counts.

use std::time::Duration;

use pointsman::{
    domain::Hazard,
    keymap::Key,
    runbook::run::{Answer, Ask, Phase, RunId},
    tui::{
        Cmd, KeyPress, Msg,
        state::{Screen, State},
        update,
    },
};

use super::{SIM, asks, fixture, go, keys, shown, typed, waiting, world};
use fixture::{Outage, secs};

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

/// The sentence of `dialog` as it is read, whatever the width broke.
fn read(console: &State) -> String {
    let inside = |line: &str| line.split('│').nth(1).unwrap_or(line).trim().to_owned();
    shown(console).lines().map(inside).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_dialog_about_a_run_names_the_app_where_it_goes_and_the_account() {
    let parked = Phase::Parked { step: Some("promote".into()), why: "the answer was lost".into() };
    let mut cases: Vec<(&str, Phase, &str)> =
        asks().into_iter().map(|(name, phase)| (name, phase, if name == "rearm" { "a" } else { "enter" })).collect();
    cases.extend([("loss", fixture::loss_ask(), "enter"), ("skip", parked.clone(), "g s")]);
    cases.extend([("abandon", parked.clone(), "g x"), ("note", parked, "n")]);
    for (name, phase, opens) in cases {
        let mut console = world("waiting", (80, 24));
        update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 1, phase))));
        go(&mut console, Screen::Run(RunId(31)));
        keys(&mut console, opens);
        assert!(console.dialog.is_some(), "{name}");
        let text = read(&console);
        assert!(text.contains("Payments → HYDERABAD ap-south-2 · account 1111…3333"), "{name}:\n{text}");
        let call = "rds FailoverGlobalCluster in ap-south-2, account 1111…3333";
        let of_a_step = !matches!(name, "rearm" | "abandon" | "note");
        assert_eq!(text.contains(call), of_a_step, "{name}:\n{text}");
    }
}

#[test]
fn a_dialog_that_is_cut_on_a_low_screen_still_names_the_app() {
    let mut console = world("unknown", (60, 16));
    go(&mut console, Screen::Plan);
    keys(&mut console, "D");
    let text = read(&console);
    assert!(text.contains("lines are cut here"), "{text}");
    assert!(text.contains("Payments → HYDERABAD ap-south-2"), "{text}");
}

#[test]
fn a_run_says_what_goes_where_and_the_call_that_the_chord_would_send() {
    let mut console = world("waiting", (80, 24));
    for ask in [Ask::Chord { step: "promote".into() }, Ask::Key { step: "promote".into() }] {
        update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 1, Phase::Waiting(ask)))));
        go(&mut console, Screen::Run(RunId(31)));
        let text = shown(&console);
        assert!(text.contains("RUN 31  Payments → HYDERABAD ap-south-2"), "{text}");
        assert!(text.contains("sends rds FailoverGlobalCluster in ap-south-2, account 1111…3333"), "{text}");
        assert!(text.contains("GlobalClusterIdentifier=payments-global"), "{text}");
    }
    let asks_nothing = fixture::run(SIM, 1, Phase::Running);
    update(&mut console, Msg::Runs(fixture::runs(asks_nothing)));
    assert!(!shown(&console).contains("sends rds"), "{}", shown(&console));
}

#[test]
fn a_declaration_is_labelled_with_the_worst_step_to_come_and_a_skip_with_its_own() {
    let mut console = world("unknown", (80, 24));
    go(&mut console, Screen::Plan);
    keys(&mut console, "D");
    assert_eq!(console.dialog.as_ref().map(|dialog| dialog.hazard), Some(Hazard::DataLoss));
    let hazard_of = |done: usize, opens: &str, phase: Phase| {
        let mut console = world("waiting", (80, 24));
        update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, done, phase))));
        go(&mut console, Screen::Run(RunId(31)));
        keys(&mut console, opens);
        console.dialog.map(|dialog| dialog.hazard)
    };
    assert_eq!(hazard_of(1, "a", Phase::Waiting(Ask::Rearm)), Some(Hazard::DataLoss));
    assert_eq!(hazard_of(2, "a", Phase::Waiting(Ask::Rearm)), Some(Hazard::Disruptive), "the promotion is over");
    let parked = |step: &str| Phase::Parked { step: Some(step.into()), why: "it did not answer".into() };
    assert_eq!(hazard_of(2, "g s", parked("answers")), Some(Hazard::None));
    assert_eq!(hazard_of(1, "g s", parked("promote")), Some(Hazard::DataLoss));
}

#[test]
fn what_a_field_lacks_is_said_with_its_length_or_with_what_it_takes() {
    let mut console = world("waiting", (80, 24));
    update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 1, asks().remove(0).1))));
    go(&mut console, Screen::Run(RunId(31)));
    keys(&mut console, "enter");
    typed(&mut console, "NOC");
    assert!(read(&console).contains("missing: Reason, at least 4 characters (3 typed)"), "{}", read(&console));
    let mut console = world("fresh", (80, 24));
    go(&mut console, Screen::Plan);
    keys(&mut console, "D");
    typed(&mut console, "asha");
    keys(&mut console, "enter");
    typed(&mut console, "INC-4471");
    keys(&mut console, "enter");
    typed(&mut console, "webank");
    assert!(read(&console).contains("\"webank\" is not it, type payments or Payments"), "{}", read(&console));
}

#[test]
fn a_chord_that_went_into_a_text_field_is_told_until_it_is_taken_out() {
    let mut console = world("waiting", (80, 24));
    update(&mut console, Msg::Runs(fixture::runs(fixture::run(SIM, 1, asks().remove(0).1))));
    go(&mut console, Screen::Run(RunId(31)));
    keys(&mut console, "enter");
    typed(&mut console, "fibre cut");
    keys(&mut console, "enter");
    typed(&mut console, "ravi");
    assert_eq!(keys(&mut console, "g !"), [], "the line is open: it types");
    let told = "g ! went into \"Authorised by\"";
    assert!(read(&console).contains(told), "{}", read(&console));
    keys(&mut console, "enter");
    assert!(read(&console).contains(told), "still told where Enter was pressed: {}", read(&console));
    keys(&mut console, "shift-tab backspace backspace");
    assert!(!read(&console).contains(told), "{}", read(&console));
    keys(&mut console, "enter");
    assert_eq!(keys(&mut console, "g !").len(), 1);
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
