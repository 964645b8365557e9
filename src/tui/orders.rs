//! What keys do to runs and waves: answers, dialogs and previews. Pure, as [`super::update()`] is.
//!
//! Everything that acts goes through a dialog or a chord; what opens here only reads.

use std::sync::Arc;

use super::{
    availability::open_step,
    dialog::{Dialog, primary_of},
    message::Cmd,
    state::{Looked, Screen, State, SwitchPane, Tone},
    tables::Target,
    update::{open, open_dialog},
    waiting,
    wave::WavePane,
};
use crate::{
    domain::{RunbookId, SafeText},
    keymap::Command,
    runbook::{
        run::{Answer, Ask, Phase, RunId, RunState},
        spec::RunbookKind,
        switching::Switching,
    },
};

pub fn needs_declaration(run: &RunState) -> bool {
    run.unattended() || run.driven && matches!(run.phase, Phase::Waiting(Ask::Rearm))
}

/// A command about the run that is shown, or selected among those of a wave.
pub fn on_run(state: &mut State, command: Command) -> Vec<Cmd> {
    let Some(run) = state.run_meant().cloned() else { return Vec::new() };
    let answer = |answer: Answer| vec![Cmd::Answer { run: run.id, answer }];
    match (command, &run.phase) {
        (Command::Confirm | Command::Send, _) if needs_declaration(&run) => {
            let dialog = Dialog::declare_again(&run, &state.picture, primary_of(&state.estate));
            open_dialog(state, dialog);
        }
        (Command::Confirm, Phase::Waiting(Ask::Key { step }))
        | (Command::Send, Phase::Waiting(Ask::Chord { step })) => {
            return answer(Answer::Go { step: step.clone() });
        }
        (Command::Confirm | Command::Send | Command::Override | Command::Verdict, Phase::Waiting(_)) => {
            if let Some(dialog) = Dialog::answering(&run) {
                open_dialog(state, dialog);
            }
        }
        (Command::Hold, _) => return answer(Answer::Hold),
        (Command::Release, _) => return answer(Answer::Release),
        (Command::Retry, _) => {
            if let Some(step) = open_step(&run) {
                return answer(Answer::Retry { step });
            }
        }
        (Command::Skip, _) => {
            if let Some(step) = open_step(&run) {
                open_dialog(state, Dialog::skip(&run, &step));
            }
        }
        (Command::Abandon, _) => open_dialog(state, Dialog::abandon(&run)),
        (Command::Note, _) => open_dialog(state, Dialog::note(&run)),
        (Command::Switch, _) => return look_at_switch(state, &run),
        (Command::TurnReal, _) => {
            let at = SwitchPane { run: run.id, choices: Vec::new(), at: 0, looked: Looked::Asked };
            return preview(state, at, Cmd::LookAtTurningReal { run: run.id });
        }
        _ => {}
    }
    Vec::new()
}

/// The runbooks that a run can be switched to: those of its app for the other way of the same journey.
#[must_use]
pub fn ways(state: &State, run: &RunState) -> Vec<RunbookId> {
    let away = [RunbookKind::Failover, RunbookKind::Switchover];
    let same_journey = |kind: RunbookKind| {
        if away.contains(&run.plan.kind) { away.contains(&kind) } else { kind == run.plan.kind }
    };
    let Some(app) = state.app(&run.plan.app) else { return Vec::new() };
    let of_app = state.runbooks.iter().filter(|spec| {
        spec.apps.contains(&app.id) || (spec.apps.is_empty() && spec.strategies.contains(&app.strategy))
    });
    of_app.filter(|spec| spec.id != run.plan.runbook && same_journey(spec.kind)).map(|spec| spec.id.clone()).collect()
}

fn look_at_switch(state: &mut State, run: &Arc<RunState>) -> Vec<Cmd> {
    let choices = ways(state, run);
    let Some(runbook) = choices.first().cloned() else { return Vec::new() };
    let pane = SwitchPane { run: run.id, choices, at: 0, looked: Looked::Asked };
    preview(state, pane, Cmd::LookAtSwitch { run: run.id, runbook })
}

fn preview(state: &mut State, pane: SwitchPane, cmd: Cmd) -> Vec<Cmd> {
    let run = pane.run;
    state.switching = Some(pane);
    open(state, Screen::Switch(run));
    vec![cmd]
}

/// What the engine says of a switch that was asked about; an answer about another run says nothing.
pub fn looked_at(state: &mut State, looked: Result<Arc<Switching>, SafeText>) {
    let Some(pane) = &mut state.switching else { return };
    match looked {
        Ok(change) if change.run == pane.run => {
            let same = pane.choices.get(pane.at).is_none_or(|wanted| *wanted == change.plan.runbook);
            if same {
                pane.looked = Looked::Ready(change);
            }
        }
        Ok(_) => {}
        Err(why) => pane.looked = Looked::Failed(why),
    }
}

/// The next role of a wave, or the next runbook to switch to.
pub fn next_choice(state: &mut State) -> Vec<Cmd> {
    match state.screen() {
        Screen::Wave => {
            let estate = Arc::clone(&state.estate);
            wave_pane(state).next_role(&estate);
            let place = state.place_mut();
            (place.selected, place.on) = (0, None);
            plan_wave(state)
        }
        Screen::Switch(run) => {
            let run = *run;
            let Some(pane) = &mut state.switching else { return Vec::new() };
            if pane.choices.len() < 2 {
                return Vec::new();
            }
            pane.at = (pane.at + 1) % pane.choices.len();
            pane.looked = Looked::Asked;
            let runbook = pane.choices[pane.at].clone();
            vec![Cmd::LookAtSwitch { run, runbook }]
        }
        _ => Vec::new(),
    }
}

fn wave_pane(state: &mut State) -> &mut WavePane {
    let estate = Arc::clone(&state.estate);
    state.wave.get_or_insert_with(|| WavePane::new(&estate))
}

/// Opens the wave and plans it against what was read last.
pub fn goto_wave(state: &mut State) -> Vec<Cmd> {
    wave_pane(state);
    state.screens.truncate(1);
    open(state, Screen::Wave);
    plan_wave(state)
}

/// The list again, for the marks on screen.
pub fn plan_wave(state: &mut State) -> Vec<Cmd> {
    let estate = Arc::clone(&state.estate);
    let asked = wave_pane(state).ask(&estate);
    state.refresh_list();
    asked.map(Cmd::PlanWave).into_iter().collect()
}

pub fn change_wave(state: &mut State, command: Command) -> Vec<Cmd> {
    let target = state.selected().cloned();
    let estate = Arc::clone(&state.estate);
    let pane = wave_pane(state);
    match (command, &target) {
        (Command::Mark, Some(Target::App(app))) => pane.mark(app),
        (Command::MarkAll, _) => pane.mark_all(&estate),
        (Command::MoreParallel, _) => pane.parallel_max = (pane.parallel_max + 1).min(64),
        (Command::FewerParallel, _) => pane.parallel_max = pane.parallel_max.saturating_sub(1).max(1),
        _ => return Vec::new(),
    }
    plan_wave(state)
}

/// Opens the dialog that declares what is on screen: a plan, a switch, or a wave.
pub fn declare(state: &mut State) {
    let primary = primary_of(&state.estate);
    let dialog = match state.screen() {
        Screen::Wave => {
            let ready = state.wave.as_ref().and_then(WavePane::ready);
            ready.map(|wave| Dialog::declare_wave(wave, &state.picture, primary))
        }
        Screen::Switch(run) => {
            let change = state.switching.as_ref().and_then(SwitchPane::ready);
            change.zip(state.run(*run)).map(|(change, run)| Dialog::switch(change, run))
        }
        _ => state.plan_shown().map(|plan| Dialog::declare(plan, &state.picture, primary)),
    };
    if let Some(dialog) = dialog {
        open_dialog(state, dialog);
    }
}

pub fn resume_wave(state: &mut State) {
    let Some(wave) = state.wave_meant() else { return };
    let dialog = Dialog::resume_wave(&wave, &state.runs, &state.picture, primary_of(&state.estate));
    if let Some(dialog) = dialog {
        open_dialog(state, dialog);
    }
}

/// To the next run that cannot go on without a person.
pub fn next_waiting(state: &mut State) {
    let shown = match state.screen() {
        Screen::Run(run) | Screen::Switch(run) => Some(*run),
        _ => None,
    };
    let Some(run) = waiting::next(&state.runs, shown) else { return };
    if shown == Some(run) {
        state.say("it is the only one that waits".into(), Tone::Said);
        return;
    }
    while matches!(state.screen(), Screen::Run(_) | Screen::Switch(_)) && state.screens.len() > 1 {
        state.screens.pop();
    }
    open(state, Screen::Run(run));
}

/// Back in the run within two keys after a dropped connection: the one that waits, else the newest that is open.
pub fn goto_runs(state: &mut State) {
    let newest = || state.runs.list.iter().find(|run| !run.phase.ended()).map(|run| run.id);
    let wanted: Option<RunId> = waiting::next(&state.runs, None).or_else(newest);
    state.screens.truncate(1);
    open(state, Screen::Runbooks);
    if let Some(run) = wanted {
        open(state, Screen::Run(run));
        return;
    }
    let place = state.place_mut();
    (place.selected, place.on) = (0, None);
}
