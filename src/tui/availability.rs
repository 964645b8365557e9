//! Whether a command does something here and now, and if not, why not: a disabled command is shown with its
//! reason, never hidden (console notes).
//!
//! This is courtesy, not safety: the engine decides for itself, on facts it reads itself.

use super::{
    dialog::Dialog,
    state::{PlanPane, Screen, State},
};
use crate::{
    domain::StepId,
    keymap::Command,
    runbook::run::{Ask, Phase, RunState, StepPhase},
};

/// `Err` is the reason, in words that end the sentence "not now: …".
pub fn available(state: &State, command: Command) -> Result<(), &'static str> {
    available_on(state, state.screen(), command)
}

/// What only the process that drives a run can be told.
const fn orders_a_run(command: Command) -> bool {
    matches!(
        command,
        Command::Confirm
            | Command::Send
            | Command::Hold
            | Command::Release
            | Command::Retry
            | Command::Skip
            | Command::Abandon
            | Command::Override
            | Command::Verdict
            | Command::Note
            | Command::Switch
            | Command::TurnReal
    )
}

/// The same, asked of another screen of the stack: help tells of the one it was called from.
pub fn available_on(state: &State, screen: &Screen, command: Command) -> Result<(), &'static str> {
    let run = || match screen {
        Screen::Run(_) | Screen::Switch(_) => state.run_of(screen).ok_or("the run is not in the journal"),
        Screen::WaveRuns(_) => state.run_of(screen).ok_or("no run is selected"),
        _ => Err("no run on this screen"),
    };
    if let (Some(run), true) = (state.run_of(screen), orders_a_run(command))
        && run.elsewhere.is_some()
        && state.dialog.is_none()
    {
        return Err("another process drives it: it is answered there");
    }
    if let Some(run) = state.run_of(screen)
        && orders_a_run(command)
        && run.unattended()
        && command != Command::Confirm
        && state.dialog.is_none()
    {
        return Err("nobody drives it: resume it first");
    }
    match command {
        Command::Open => match screen {
            Screen::App(_) | Screen::Regions | Screen::Plan | Screen::Switch(_) | Screen::Calls | Screen::Help(_) => {
                Err("there is nothing deeper here")
            }
            Screen::Run(_) => match run()? {
                run if super::orders::needs_declaration(run) || Dialog::answering(run).is_some() => Ok(()),
                run if run.phase.ended() => Err("the run has ended"),
                _ => Err("the run asks nothing that needs a dialog"),
            },
            _ => Ok(()),
        },
        Command::Confirm | Command::Send if state.dialog.is_none() => {
            let run = run()?;
            if run.phase.ended() {
                return Err("the run has ended");
            }
            if !run.driven {
                // Taking it over is declared first, in a dialog that Confirm opens.
                return if command == Command::Confirm { Ok(()) } else { Err("nobody drives it: resume it first") };
            }
            match (&run.phase, command) {
                (Phase::Waiting(Ask::Chord { .. }), Command::Confirm) => Err("this step needs the sending chord"),
                (Phase::Waiting(Ask::Key { .. }), Command::Send) => Err("this step asks for one key only"),
                (Phase::Waiting(_), _) => Ok(()),
                _ => Err("the run asks nothing now"),
            }
        }
        Command::Hold => match run()? {
            run if run.phase.ended() => Err("the run has ended"),
            run if held(run) => Err("it is held already"),
            _ => Ok(()),
        },
        Command::Release => {
            if held(run()?) {
                Ok(())
            } else {
                Err("it is not held")
            }
        }
        Command::Retry => match run()? {
            run if matches!(run.phase, Phase::Parked { .. }) => Ok(()),
            _ => Err("only a parked step is tried again"),
        },
        Command::Skip => open_step(run()?).map(|_| ()).ok_or("no step is waiting or parked"),
        Command::Abandon => {
            if run()?.phase.ended() {
                Err("the run has ended")
            } else {
                Ok(())
            }
        }
        Command::Override if matches!(screen, Screen::Plan) => Err("a guard is overridden in the run"),
        Command::Override => match &run()?.phase {
            Phase::Waiting(Ask::Override { .. }) => Ok(()),
            _ => Err("no guard blocks"),
        },
        Command::Verdict => match &run()?.phase {
            Phase::Waiting(Ask::Verdict { .. }) => Ok(()),
            _ => Err("nothing is in doubt"),
        },
        Command::Note => run().map(|_| ()),
        Command::Switch => {
            let run = run()?;
            match (run.phase.ended(), run.driven) {
                (true, _) => Err("the run has ended"),
                (false, false) => Err("nobody drives it: resume it first"),
                _ if super::orders::ways(state, run).is_empty() => Err("the app has no other runbook for this way"),
                _ => Ok(()),
            }
        }
        Command::TurnReal => {
            let run = run()?;
            match (run.phase.ended(), run.driven) {
                (true, _) => Err("the run has ended"),
                _ if !run.plan.mode_word.ends_with("DRILL") => Err("it is no drill"),
                (false, false) => Err("nobody drives it: resume it first"),
                _ => Ok(()),
            }
        }
        Command::NextWaiting => super::waiting::next(&state.runs, None).map(|_| ()).ok_or("no run waits for a person"),
        Command::ResumeWave => {
            let wave = state.wave_meant().ok_or("no wave is selected")?;
            let open = super::dialog::undriven_of(&state.runs, &wave).count();
            if open > 0 { Ok(()) } else { Err("every run of it is driven or has ended") }
        }
        Command::GotoWave => {
            if super::wave::roles(&state.estate).is_empty() {
                Err("no app has a runbook")
            } else {
                Ok(())
            }
        }
        Command::NextChoice => match (screen, &state.switching) {
            (Screen::Wave, _) => Ok(()),
            (Screen::Switch(_), Some(pane)) if pane.choices.len() > 1 => Ok(()),
            _ => Err("there is no other choice"),
        },
        Command::Declare if state.runs.store_failure.is_some() => Err("the journal cannot be written"),
        Command::Declare if *screen == Screen::Wave => match &state.wave {
            Some(pane) if pane.marked.is_empty() => Err("no app is marked"),
            Some(pane) if pane.asked.is_some() => Err("the list is being planned"),
            Some(pane) if pane.ready().is_some() => Ok(()),
            _ => Err("there is no list that can go"),
        },
        Command::Declare if matches!(screen, Screen::Switch(_)) => {
            let change = state.switching.as_ref().and_then(super::state::SwitchPane::ready);
            let change = change.ok_or("there is no plan yet")?;
            let forbids = change.plan.interlocks.iter().any(|interlock| interlock.code != "another-run");
            if forbids { Err("an interlock stands in the way") } else { Ok(()) }
        }
        Command::Declare => match (&state.plan, &state.runs.store_failure) {
            (_, Some(_)) => Err("the journal cannot be written"),
            (PlanPane::Ready(plan), None) if plan.interlocks.is_empty() => Ok(()),
            (PlanPane::Ready(_), None) => Err("an interlock stands in the way"),
            _ => Err("there is no plan yet"),
        },
        Command::PlanFailover => match state.app_meant_on(screen) {
            None => Err("no app is selected"),
            Some(app) if app.runbooks.contains_key("failover") => Ok(()),
            Some(_) => Err("the app has no failover runbook"),
        },
        Command::Decide | Command::GotoApp => state.app_to_show().map(|_| ()).ok_or("the estate has no app"),
        Command::Filter | Command::NextColumnSort | Command::ReverseSort => {
            if super::tables::columns(screen.context()).is_empty() { Err("this screen is not a list") } else { Ok(()) }
        }
        Command::ClearFilter => {
            if state.place().filter.is_empty() {
                Err("nothing is filtered")
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

/// The command that answers what the run on screen asks now: the first that the bar names.
#[must_use]
pub fn asked_for(state: &State) -> Option<Command> {
    let run = state.run_meant()?;
    if run.elsewhere.is_some() || run.phase.ended() {
        return None;
    }
    if run.unattended() {
        return Some(Command::Confirm);
    }
    match &run.phase {
        Phase::Waiting(Ask::Chord { .. }) => Some(Command::Send),
        Phase::Waiting(Ask::Override { .. }) => Some(Command::Override),
        Phase::Waiting(Ask::Verdict { .. }) => Some(Command::Verdict),
        Phase::Waiting(_) => Some(Command::Confirm),
        Phase::Parked { .. } => Some(Command::Retry),
        Phase::Held => Some(Command::Release),
        _ => None,
    }
}

/// Held, or going to be after the step that is under way or waits.
fn held(run: &RunState) -> bool {
    run.held_after_step || run.phase == Phase::Held
}

/// The step that a person can act on: the one asked about, parked, or failed.
#[must_use]
pub fn open_step(run: &RunState) -> Option<StepId> {
    if run.phase.ended() {
        return None;
    }
    match &run.phase {
        Phase::Waiting(ask) => ask.step().cloned(),
        Phase::Parked { step, .. } => step.clone().or_else(|| {
            run.steps
                .iter()
                .find(|s| matches!(s.phase, StepPhase::Failed | StepPhase::Refused | StepPhase::InDoubt))
                .map(|s| s.id.clone())
        }),
        _ => None,
    }
}
