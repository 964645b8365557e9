//! What each thing that can happen does. Pure: state and a message in, commands out.

use std::sync::Arc;

use super::{
    availability::available,
    dialog::{Dialog, primary_of},
    filter::Filter,
    message::{Cmd, KeyPress, Msg},
    orders,
    state::{PlanPane, Screen, State, Tone},
    tables::{self, Target},
    widgets::{Styles, table::Direction},
};
use crate::{
    domain::{AppId, Picture, SafeText},
    keymap::{Command, Context, Fed, Key, KeyCode},
    runbook::run::RunId,
};

/// The one place where state changes.
pub fn update(state: &mut State, msg: Msg) -> Vec<Cmd> {
    match msg {
        Msg::Key(press) => return key(state, press),
        Msg::Paste(text) => paste(state, &text),
        Msg::Resize { width, height } => state.size = (width, height),
        Msg::Picture(picture) => take_picture(state, picture),
        Msg::Runs(runs) => {
            state.runs = runs;
            if let Some(mut dialog) = state.dialog.take() {
                dialog.check(&state.runs);
                state.dialog = Some(dialog);
            }
            if matches!(state.screen(), Screen::Runbooks | Screen::WaveRuns(_)) {
                state.refresh_list();
            }
            state.clamp();
        }
        Msg::Calls(calls) => {
            state.calls = calls;
            if *state.screen() == Screen::Calls {
                state.refresh_list();
            }
        }
        Msg::Planned(Ok(plan)) => {
            state.plan = PlanPane::Ready(plan);
            state.clamp();
        }
        Msg::Planned(Err(why)) => state.plan = PlanPane::Failed(why),
        Msg::Declared(run) => {
            if let Some(Screen::Plan) = state.screens.last() {
                state.screens.pop();
            }
            open(state, Screen::Run(run));
        }
        Msg::Switching(looked) => {
            orders::looked_at(state, looked);
            state.clamp();
        }
        Msg::Switched(run) => {
            state.switching = None;
            state.screens.retain(|screen| !matches!(screen, Screen::Switch(_)));
            open(state, Screen::Run(run));
            state.say("the run goes on by the other plan".into(), Tone::Said);
        }
        Msg::WavePlanned { request, wave } => {
            if let Some(pane) = &mut state.wave {
                pane.answered(&request, wave);
            }
            if *state.screen() == Screen::Wave {
                state.refresh_list();
            }
        }
        Msg::WaveDeclared(wave) => {
            state.wave = None;
            state.screens.truncate(1);
            open(state, Screen::WaveRuns(wave));
        }
        Msg::Refused(why) => state.say(why, Tone::Refused),
        Msg::Said(text) => state.say(text, Tone::Said),
        Msg::Tick { now, monotonic } => {
            state.now = now;
            state.monotonic = monotonic;
            if state.notice.as_ref().is_some_and(|notice| notice.until <= monotonic) {
                state.notice = None;
            }
            if matches!(state.screen(), Screen::WaveRuns(_)) {
                state.refresh_list(); // its clocks
            }
        }
        Msg::Drawn { at } => {
            if let Some(dialog) = &mut state.dialog {
                dialog.first_drawn.get_or_insert(at);
            }
        }
        Msg::Resumed => return vec![Cmd::Redraw, Cmd::Distrust],
    }
    Vec::new()
}

fn take_picture(state: &mut State, picture: Arc<Picture>) {
    state.remember(&picture);
    if state.held_back.is_some() {
        state.held_back = Some(picture);
        return;
    }
    state.show(picture);
    if matches!(state.screen(), Screen::Board | Screen::App(_) | Screen::Backups | Screen::Replication) {
        state.refresh_list();
    }
}

fn paste(state: &mut State, text: &str) {
    if let Some(dialog) = &mut state.dialog {
        dialog.note = Some("pasted text is ignored here: type it");
    } else if state.typing_filter {
        let whole = format!("{}{}", state.place().filter.text, SafeText::new(text));
        set_filter(state, &whole);
    }
}

fn key(state: &mut State, press: KeyPress) -> Vec<Cmd> {
    let key = press.key.normal();
    let context = state.context();
    let begun = !state.pending.is_empty();
    if let Some(dialog) = &state.dialog {
        if dialog.first_drawn.is_none_or(|drawn| press.at < drawn) {
            return Vec::new(); // typed before the person could have seen what it would answer
        }
        if let (KeyCode::Char(ch), true) = (key.code, key.types_text()) {
            let chord_goes_on = begun && dialog.complete();
            if !chord_goes_on && !dialog.reads_chord(ch) {
                state.pending.clear();
                state.pending_rows.clear();
                type_into_dialog(state, ch);
                return Vec::new();
            }
        }
    } else if state.typing_filter
        && !begun
        && let (KeyCode::Char(ch), true) = (key.code, key.types_text())
    {
        let whole = format!("{}{}", state.place().filter.text, SafeText::new(ch.to_string()));
        set_filter(state, &whole);
        return Vec::new();
    }
    let mut pending = std::mem::take(&mut state.pending);
    let keymap = Arc::clone(&state.keymap);
    let fed = keymap.feed(context, &mut pending, key);
    state.pending = pending;
    state.pending_rows.clear();
    match fed {
        Fed::Command(command) => {
            let wanted = available(state, command);
            match wanted {
                Ok(()) => {
                    let (screen, on) = (state.screen().clone(), state.selected().cloned());
                    if let Some(app) = state.app_meant() {
                        state.last_app = Some(app.id.clone());
                    }
                    let cmds = run_command(state, command);
                    left(state, &screen, on);
                    cmds
                }
                Err(why) => {
                    state.say(SafeText::new(format!("{}: not now, {why}", command.describe())), Tone::Refused);
                    Vec::new()
                }
            }
        }
        Fed::Pending(rows) => {
            state.pending_rows = rows;
            Vec::new()
        }
        Fed::Nothing => {
            if key == Key::plain(KeyCode::Backspace) && !begun {
                backspace(state);
            }
            Vec::new()
        }
    }
}

/// A screen that was left is come back to with the cursor on the same row, wherever that row is by then.
fn left(state: &mut State, screen: &Screen, on: Option<Target>) {
    let context = screen.context();
    if context != state.screen().context()
        && let Some(on) = on.filter(|target| *target != Target::Nothing)
    {
        state.places.entry(context).or_default().on = Some(on);
    }
}

fn type_into_dialog(state: &mut State, ch: char) {
    let Some(dialog) = &mut state.dialog else { return };
    dialog.note = None;
    let focus = dialog.focus;
    if let Some(field) = dialog.fields.get_mut(focus) {
        field.take(ch);
    }
}

fn backspace(state: &mut State) {
    if let Some(dialog) = &mut state.dialog {
        let focus = dialog.focus;
        if let Some(field) = dialog.fields.get_mut(focus) {
            field.value.pop();
        }
    } else if state.typing_filter {
        let mut text = state.place().filter.text;
        text.pop();
        set_filter(state, &text);
    }
}

fn set_filter(state: &mut State, text: &str) {
    state.choose();
    state.place_mut().filter = Filter::parse(text);
    state.arrange();
}

/// Puts a screen on top; an equal one below it is gone back to instead.
pub fn open(state: &mut State, screen: Screen) {
    if let Some(at) = state.screens.iter().position(|one| *one == screen) {
        state.screens.truncate(at + 1);
    } else {
        if matches!(
            screen,
            Screen::App(_) | Screen::Plan | Screen::Run(_) | Screen::Switch(_) | Screen::WaveRuns(_) | Screen::Help(_)
        ) {
            state.places.remove(&screen.context());
        }
        state.screens.push(screen);
    }
    if let Screen::App(app) = state.screen() {
        state.last_app = Some(app.clone());
    }
    entered(state);
}

fn go(state: &mut State, screen: Screen) {
    state.screens.truncate(1);
    open(state, screen);
}

fn entered(state: &mut State) {
    state.pending.clear();
    state.pending_rows.clear();
    state.typing_filter = false;
    state.refresh_list();
}

fn run_command(state: &mut State, command: Command) -> Vec<Cmd> {
    match command {
        Command::Quit => return vec![Cmd::Quit],
        Command::Suspend => return vec![Cmd::Suspend],
        Command::Redraw => return vec![Cmd::Redraw],
        Command::Help => {
            let context = state.screen().context();
            if context != Context::Help {
                open(state, Screen::Help(context));
            }
        }
        Command::Back => back(state),
        Command::Open => return look_deeper(state),
        Command::Up => step(state, -1),
        Command::Down => step(state, 1),
        Command::PageUp | Command::PageDown if *state.screen() == Screen::Plan => scroll_plan(state, command),
        Command::PageUp => step(state, -page(state)),
        Command::PageDown => step(state, page(state)),
        // Back to the top, and to the worst, whichever that is from now on.
        Command::Top => {
            let place = state.place_mut();
            (place.selected, place.on) = (0, None);
        }
        Command::Bottom => {
            let last = state.rows().saturating_sub(1);
            state.place_mut().selected = last;
            state.choose();
        }
        Command::Left => {
            let place = state.place_mut();
            place.shift = place.shift.saturating_sub(8);
        }
        Command::Right => {
            let place = state.place_mut();
            place.shift = place.shift.saturating_add(8).min(400);
        }
        Command::NextColumnSort => next_sort(state),
        Command::ReverseSort => {
            let place = state.place_mut();
            place.sort = place.sort.map(|(column, direction)| {
                (column, if direction == Direction::Up { Direction::Down } else { Direction::Up })
            });
            state.arrange();
        }
        Command::Filter => state.typing_filter = true,
        Command::ClearFilter => set_filter(state, ""),
        Command::GotoBoard => go(state, Screen::Board),
        Command::GotoBackups => go(state, Screen::Backups),
        Command::GotoReplication => go(state, Screen::Replication),
        Command::GotoRegions => go(state, Screen::Regions),
        Command::GotoRunbooks => go(state, Screen::Runbooks),
        Command::GotoCalls => go(state, Screen::Calls),
        Command::GotoRuns => orders::goto_runs(state),
        Command::GotoWave => return orders::goto_wave(state),
        Command::NextWaiting => orders::next_waiting(state),
        Command::GotoApp | Command::Decide => {
            let id = state.app_to_show().map(|app| app.id.clone());
            if let Some(id) = id
                && !matches!(state.screen(), Screen::App(shown) if *shown == id)
            {
                open(state, Screen::App(id));
            }
        }
        Command::Refresh => {
            state.say("reading everything again".into(), Tone::Said);
            let mut cmds = vec![Cmd::Refresh];
            if *state.screen() == Screen::Wave {
                cmds.extend(orders::plan_wave(state));
            }
            return cmds;
        }
        Command::Freeze => freeze(state),
        Command::NextTheme => {
            state.theme_at = (state.theme_at + 1) % state.themes.len();
            state.styles = Styles::of(&state.themes[state.theme_at]);
            let name = format!("theme {}", state.themes[state.theme_at].name);
            state.say(name.into(), Tone::Said);
        }
        Command::Copy => {
            state.say("copied as text, if the terminal allows it".into(), Tone::Said);
            return vec![Cmd::Copy(super::view::as_text(state))];
        }
        Command::PlanFailover => {
            let wanted =
                state.app_meant().and_then(|app| Some((app.runbooks.get("failover")?.clone(), app.id.clone())));
            if let Some((runbook, app)) = wanted {
                return ask_plan(state, runbook, app);
            }
        }
        Command::Declare => orders::declare(state),
        Command::ResumeWave => orders::resume_wave(state),
        Command::NextChoice => return orders::next_choice(state),
        Command::Mark | Command::MarkAll | Command::MoreParallel | Command::FewerParallel => {
            return orders::change_wave(state, command);
        }
        Command::Submit | Command::NextField => {
            if let Some(dialog) = &mut state.dialog {
                dialog.next();
            } else {
                state.typing_filter = false;
            }
        }
        Command::PreviousField => {
            if let Some(dialog) = &mut state.dialog {
                dialog.previous();
            }
        }
        Command::ClearInput => clear_input(state),
        Command::Send if state.dialog.is_some() => return send_dialog(state),
        Command::Detach => {
            let said = match state.run_meant() {
                Some(run) if run.phase.ended() => None,
                Some(run) if run.unattended() => Some("nobody drives that run: it stands until it is resumed"),
                _ => Some("the run goes on without this screen"),
            };
            back(state);
            if let Some(said) = said {
                state.say(said.into(), Tone::Said);
            }
        }
        Command::Confirm
        | Command::Send
        | Command::Hold
        | Command::Release
        | Command::Skip
        | Command::Retry
        | Command::Abandon
        | Command::Override
        | Command::Verdict
        | Command::Switch
        | Command::TurnReal
        | Command::Note => return orders::on_run(state, command),
    }
    Vec::new()
}

fn clear_input(state: &mut State) {
    if let Some(dialog) = &mut state.dialog {
        let focus = dialog.focus;
        if let Some(field) = dialog.fields.get_mut(focus) {
            field.value.clear();
        }
    } else {
        set_filter(state, "");
    }
}

fn back(state: &mut State) {
    if state.dialog.take().is_some() {
        state.pending.clear();
    } else if state.typing_filter {
        state.typing_filter = false;
        set_filter(state, "");
    } else if state.screens.len() > 1 {
        state.screens.pop();
        entered(state);
    } else if !state.place().filter.is_empty() {
        set_filter(state, "");
    }
    state.pending_rows.clear();
}

fn step(state: &mut State, rows: isize) {
    let last = state.rows().saturating_sub(1);
    let place = state.place_mut();
    place.selected = place.selected.saturating_add_signed(rows).min(last);
    if *state.screen() == Screen::Plan {
        state.place_mut().shift = 0;
    }
    state.choose();
}

/// Through the details of the selected step, where they do not fit; else by steps, as on every other screen.
fn scroll_plan(state: &mut State, command: Command) {
    const LINES: u16 = 3; // no more than the lowest screen shows of them
    let last = super::view::plan::scrolls(state);
    let down = command == Command::PageDown;
    if last == 0 {
        let rows = page(state);
        return step(state, if down { rows } else { -rows });
    }
    let place = state.place_mut();
    let shift = place.shift.min(last);
    place.shift = if down { (shift + LINES).min(last) } else { shift.saturating_sub(LINES) };
}

fn page(state: &State) -> isize {
    isize::try_from(state.size.1.saturating_sub(8).max(1)).unwrap_or(1)
}

fn next_sort(state: &mut State) {
    let columns = tables::columns(state.screen().context());
    let place = state.place_mut();
    // Unsorted (worst first), then each named column, then unsorted again.
    let next = place.sort.map_or(0, |(column, _)| column) + 1;
    place.sort = (next < columns.len()).then_some((next, Direction::Up));
    state.arrange();
}

fn freeze(state: &mut State) {
    if let Some(newest) = state.held_back.take() {
        state.show(newest);
        state.refresh_list();
    } else {
        state.held_back = Some(Arc::clone(&state.picture));
    }
}

pub(super) fn open_dialog(state: &mut State, dialog: Dialog) {
    state.pending.clear();
    state.pending_rows.clear();
    state.dialog = Some(dialog);
}

fn send_dialog(state: &mut State) -> Vec<Cmd> {
    let Some(cmd) = state.dialog.as_ref().and_then(Dialog::send) else { return Vec::new() };
    state.dialog = None;
    vec![cmd]
}

fn ask_plan(state: &mut State, runbook: crate::domain::RunbookId, app: AppId) -> Vec<Cmd> {
    state.plan = PlanPane::Asked(format!("{runbook} for {app}"));
    open(state, Screen::Plan);
    vec![Cmd::Plan { runbook, app }]
}

/// Enter: never acts. On a run it opens the dialog of what the run asks, which sends nothing by itself.
fn look_deeper(state: &mut State) -> Vec<Cmd> {
    match state.screen() {
        Screen::Run(_) => {
            if let Some(run) = state.run_shown().cloned() {
                if orders::needs_declaration(&run) {
                    let dialog = Dialog::declare_again(&run, &state.picture, primary_of(&state.estate));
                    open_dialog(state, dialog);
                } else if let Some(dialog) = Dialog::answering(&run) {
                    open_dialog(state, dialog);
                }
            }
        }
        Screen::Wave => {
            // The plan of that app as the list has it.
            let Some(Target::App(app)) = state.selected().cloned() else { return Vec::new() };
            let shown = state.wave.as_ref().and_then(super::wave::WavePane::shown);
            let item = shown.and_then(|wave| wave.items.iter().find(|item| item.plan.app == app));
            if let Some(plan) = item.map(|item| Arc::clone(&item.plan)) {
                state.plan = PlanPane::Ready(plan);
                open(state, Screen::Plan);
            }
        }
        Screen::Board | Screen::Backups | Screen::Replication | Screen::Runbooks | Screen::WaveRuns(_) => {
            match state.selected().cloned() {
                Some(Target::App(app) | Target::Component(app, _)) => open(state, Screen::App(app)),
                Some(Target::Run(run)) => {
                    open(state, Screen::Run(run));
                    if state.run(run).is_none() {
                        return vec![Cmd::ReadRun(run)];
                    }
                }
                Some(Target::Wave(wave)) => open(state, Screen::WaveRuns(wave)),
                Some(Target::Runbook(runbook, app)) => return ask_plan(state, runbook, app),
                Some(Target::Nothing) | None => {}
            }
        }
        Screen::App(_) | Screen::Regions | Screen::Plan | Screen::Switch(_) | Screen::Calls | Screen::Help(_) => {}
    }
    Vec::new()
}

/// Opens the screen of a run: for a start that found one.
pub fn show_run(state: &mut State, run: RunId) {
    open(state, Screen::Run(run));
}
