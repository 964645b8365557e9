//! What another runbook would change in a run that is under way: what stays done, what is dropped, what comes. Reads
//! only; declaring it is a dialog.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Line, line, put_lines};
use crate::{
    domain::{StepId, time::short},
    keymap::{Command, Context},
    runbook::{
        plan::Plan,
        run::{RunId, RunState, StepPhase},
        switching::{Reason, Switching},
    },
    theme::Role,
    tui::{
        state::{Looked, State},
        tables::calls::hazard_role,
        widgets::{
            Pen,
            paint::{cut, tint, width, wrap},
            table::window,
        },
        words,
    },
};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect, run: RunId) {
    let Some(pane) = state.switching.as_ref().filter(|pane| pane.run == run) else {
        Pen::new(buffer, &state.styles, area, 0).gap(1).put("nothing to switch to", Role::Dim);
        return;
    };
    let choice = pane.choices.get(pane.at).map_or_else(|| "the drill in earnest".to_owned(), ToString::to_string);
    match &pane.looked {
        Looked::Asked => {
            let said = format!("run {run}: planning {choice}, reading facts again");
            Pen::new(buffer, &state.styles, area, 0).gap(1).put(&said, Role::Accent);
        }
        Looked::Failed(why) => {
            let said = format!("run {run} cannot go on by {choice}");
            Pen::new(buffer, &state.styles, area, 0).gap(1).put(&said, Role::Error);
            let lines: Vec<Line> = wrap(why, area.width.saturating_sub(4))
                .into_iter()
                .map(|part| line(format!("   {part}"), Role::Text))
                .collect();
            put_lines(
                buffer,
                &state.styles,
                Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area },
                &lines,
                0,
            );
        }
        Looked::Ready(change) => ready(buffer, state, area, change),
    }
}

/// Rows that can be gone through.
#[must_use]
pub fn rows(state: &State) -> usize {
    let change = state.switching.as_ref().and_then(super::super::state::SwitchPane::ready);
    change.map_or(0, |change| change.plan.steps.len() + change.dropped.len())
}

fn ready(buffer: &mut Buffer, state: &State, area: Rect, change: &Switching) {
    let plan = &change.plan;
    let head = match change.why {
        Reason::AnotherWay => format!(" SWITCH  run {} → {}", change.run, plan.runbook),
        Reason::TurnedReal => format!(" TURN REAL  run {} → {}", change.run, plan.runbook),
    };
    let present = state.run(change.run).map(|run| &run.plan);
    let was = present.map_or_else(String::new, |plan| format!("   now {} {}", plan.runbook, plan.mode_word));
    let mut lines: Vec<Line> = vec![vec![(format!("{head}  {}", words::bound_for(plan)), Role::Title)]];
    lines.push(vec![(format!("   {} · plan {}", plan.mode_word, plan.hash.short()), Role::Warning), (was, Role::Dim)]);
    let behind = behind(state, change);
    let mut counts = vec![(format!("   {} stay done", change.kept.len()), Role::StepDone)];
    if !behind.is_empty() {
        counts.push((format!("   {} done before, not in it", behind.len()), Role::StepDone));
    }
    counts.extend([
        (format!("   {} dropped", change.dropped.len() - behind.len()), Role::StepSkipped),
        (format!("   {} come", change.coming.len()), Role::StepPending),
        ("   the run's clocks go on; confirmations given so far are gone".to_owned(), Role::Dim),
    ]);
    lines.push(counts);
    let top = lines.len() as u16;
    put_lines(buffer, &state.styles, area, &lines, 0);

    let foot = foot(state, plan, area.width);
    let below = (foot.len() as u16).min(area.height / 3);
    let body = Rect { y: area.y + top, height: area.height.saturating_sub(top + below), ..area };
    let mut lines: Vec<Line> = Vec::new();
    for (n, step) in plan.steps.iter().enumerate() {
        let stays = change.kept.contains(&step.id);
        let (sign, word, role) =
            if stays { ("✔", "stays done", Role::StepDone) } else { ("·", "comes", Role::StepPending) };
        let mut one = step_line(sign, word, role, n + 1, step.title.as_str(), area.width);
        if !stays {
            one.push((format!("{:<10}  ", step.hazard.word()), hazard_role(step.hazard)));
            one.push((format!("{:>6}  ", short(step.expected)), Role::Dim));
            let blocked = step.guards.iter().filter(|guard| guard.blocks_plan()).count();
            if blocked > 0 {
                one.push((format!("✖ {blocked} blocked  "), Role::Error));
            }
            one.push((step.summary.to_string(), Role::Dim));
        }
        lines.push(one);
    }
    for id in &change.dropped {
        let title = present.and_then(|plan| title(plan, id)).unwrap_or_else(|| id.to_string());
        let (sign, word, role) = if behind.contains(&id) {
            ("✔", "was done", Role::StepDone)
        } else {
            ("○", "dropped", Role::StepSkipped)
        };
        lines.push(step_line(sign, word, role, 0, &title, area.width));
    }
    let selected = state.place().selected;
    let from = window(selected, usize::from(body.height), lines.len());
    put_lines(buffer, &state.styles, body, &lines, from);
    if selected >= from && selected - from < usize::from(body.height) && selected < lines.len() {
        tint(buffer, &state.styles, Rect { y: body.y + (selected - from) as u16, height: 1, ..body }, Role::Selection);
    }
    put_lines(buffer, &state.styles, Rect { y: body.bottom(), height: below, ..area }, &foot, 0);
}

/// Steps of the present plan that are done and that the other one does not know: what they did stays done.
#[must_use]
pub fn behind<'c>(state: &State, change: &'c Switching) -> Vec<&'c StepId> {
    state.run(change.run).map_or_else(Vec::new, |run| done_before(run, change))
}

/// As [`behind`], of the run itself.
#[must_use]
pub fn done_before<'c>(run: &RunState, change: &'c Switching) -> Vec<&'c StepId> {
    let done = |id: &&StepId| run.steps.iter().any(|step| step.id == **id && step.phase == StepPhase::Done);
    change.dropped.iter().filter(done).collect()
}

fn title(plan: &Plan, id: &StepId) -> Option<String> {
    plan.step(id).map(|step| step.title.to_string())
}

fn step_line(sign: &str, word: &str, role: Role, n: usize, title: &str, columns: u16) -> Line {
    let room = if columns >= 110 { 40 } else { 28 };
    let title = cut(title, room).into_owned();
    let pad = " ".repeat(usize::from(room.saturating_sub(width(&title))));
    let number = if n == 0 { "-".to_owned() } else { n.to_string() };
    vec![
        (format!("  {sign} {number:<2} "), role),
        (format!("{title}{pad}  "), if role == Role::StepPending { Role::Text } else { role }),
        (format!("{word:<10}  "), role),
    ]
}

fn foot(state: &State, plan: &Plan, columns: u16) -> Vec<Line> {
    let mut lines = vec![Vec::new()];
    let estimate = plan.estimate.from_declaration();
    let mut said = vec![(format!(" the whole of it is estimated at {}", short(estimate)), Role::Text)];
    if let Some(keys) = state.keymap.keys_of(Context::Switch, Command::Declare) {
        said.push((format!("   {keys} "), Role::Key));
        said.push(("declares it (a dialog; sends nothing)".to_owned(), Role::KeyDesc));
    }
    lines.push(said);
    // That its own run is open does not stand in the way of a run.
    let forbids = plan.interlocks.iter().filter(|interlock| interlock.code != "another-run");
    for interlock in forbids {
        for part in wrap(&interlock.text, columns.saturating_sub(6)) {
            lines.push(line(format!("   ✖ {part}"), Role::Error));
        }
    }
    lines
}
