//! A plan before anything happens: exact calls, guards with their present value, all blockers at once.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Line, line, put_line, put_lines};
use crate::{
    domain::time::short,
    keymap::{Command, Context},
    runbook::plan::{GuardReading, Holds, Plan, PlannedStep},
    theme::Role,
    tui::{
        state::{PlanPane, State},
        tables::calls::hazard_role,
        widgets::{
            Pen,
            paint::{tint, width, wrap},
            table::window,
        },
        words,
    },
};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect) {
    match &state.plan {
        PlanPane::Nothing => {
            Pen::new(buffer, &state.styles, area, 0).gap(1).put("no plan: choose a runbook", Role::Dim);
        }
        PlanPane::Asked(what) => {
            let said = format!("planning {what}: reading facts again");
            Pen::new(buffer, &state.styles, area, 0).gap(1).put(&said, Role::Accent);
        }
        PlanPane::Failed(why) => {
            Pen::new(buffer, &state.styles, area, 0).gap(1).put("no plan could be made", Role::Error);
            for (row, part) in wrap(why, area.width.saturating_sub(4)).iter().enumerate() {
                Pen::new(buffer, &state.styles, area, row as u16 + 1).gap(3).put(part, Role::Text);
            }
        }
        PlanPane::Ready(plan) => ready(buffer, state, area, plan),
    }
}

fn ready(buffer: &mut Buffer, state: &State, area: Rect, plan: &Plan) {
    let mut pen = Pen::new(buffer, &state.styles, area, 0);
    pen.gap(1).put("PLAN  ", Role::Title).put(plan.runbook.as_str(), Role::Title);
    pen.put(
        &format!("  →  {} to {} {}", plan.app_name, plan.target_name.to_uppercase(), plan.target_region),
        Role::Text,
    );
    let facts = plan
        .facts_at
        .map_or_else(|| "no facts".to_owned(), |at| format!("facts {} old", words::age(state.now.since(at))));
    pen.gap(2).put_right(&format!("plan {}  {facts} ", plan.hash.short()), Role::Dim);

    let blockers = plan.blockers();
    let most = usize::from(area.height / 3).max(1);
    let below = 2 + blockers.len().min(most) as u16;
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + below), ..area };
    let selected = state.place().selected;
    let wide = area.width >= 110;
    let mut lines: Vec<Line> = Vec::new();
    let mut at_line = 0;
    for (n, step) in plan.steps.iter().enumerate() {
        if n == selected {
            at_line = lines.len();
        }
        lines.push(step_line(n, step, n == selected, area.width, wide));
        if n == selected {
            lines.extend(details(state, step, area.width));
        }
    }
    // The selected step's details stay in sight as far as they fit.
    let top = window(at_line + usize::from(body.height) / 3, usize::from(body.height), lines.len());
    let top = top.min(at_line);
    put_lines(buffer, &state.styles, body, &lines, top);
    if at_line >= top && at_line - top < usize::from(body.height) {
        let row = Rect { y: body.y + (at_line - top) as u16, height: 1, ..body };
        tint(buffer, &state.styles, row, Role::Selection);
    }
    foot(buffer, state, Rect { y: body.bottom(), height: below, ..area }, plan, &blockers, most);
}

fn step_line(n: usize, step: &PlannedStep, selected: bool, columns: u16, wide: bool) -> Line {
    let mark = if selected { "▸" } else { " " };
    let blocked = step.guards.iter().filter(|g| g.blocks_plan()).count();
    let title_room = if wide { 42 } else { 34 };
    let title = super::super::widgets::paint::cut(&step.title, title_room).into_owned();
    let pad = usize::from(title_room.saturating_sub(width(&title)));
    let mut line = vec![
        (format!("{mark}{:>3}  ", n + 1), Role::Dim),
        (format!("{title}{}  ", " ".repeat(pad)), Role::Text),
        (format!("{:<10}  ", step.hazard.word()), hazard_role(step.hazard)),
        (format!("{:>8}", short(step.expected)), Role::Text),
    ];
    if wide {
        line.push((format!("  {:<12}", step.expected_basis), Role::Dim));
    }
    if blocked > 0 {
        line.push((format!("  ✖ {blocked} blocked"), Role::Error));
    }
    if columns >= 90 {
        line.push((format!("  {}", step.summary), Role::Dim));
    }
    line
}

fn details(state: &State, step: &PlannedStep, columns: u16) -> Vec<Line> {
    let room = columns.saturating_sub(10);
    let mut lines = Vec::new();
    let mut push = |text: String, role: Role| {
        for part in wrap(&text, room) {
            lines.push(vec![("     │  ".to_owned(), Role::Border), (part, role)]);
        }
    };
    if step.calls.is_empty() {
        push(step.summary.to_string(), Role::Dim);
    }
    for call in &step.calls {
        push(call.to_string(), hazard_role(call.hazard));
        let params: Vec<String> = call.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        push(params.join("  "), Role::Text);
        if !call.iam_actions.is_empty() {
            push(format!("needs {}", call.iam_actions.join(", ")), Role::Dim);
        }
    }
    for guard in &step.guards {
        let (text, role) = guard_words(state, guard);
        push(text, role);
    }
    if !step.done_when.is_empty() {
        push(format!("done when  {}", step.done_when), Role::Dim);
    }
    push(format!("undo: {}   time-out {}", step.undo, short(step.timeout)), Role::Dim);
    lines
}

/// `guard  lag at most 5 s   0.8 s, 94 s old  ✔`
#[must_use]
pub fn guard_words(state: &State, guard: &GuardReading) -> (String, Role) {
    let age = guard.data_time.map_or_else(String::new, |at| format!(", {} old", words::age(state.now.since(at))));
    let (sign, role) = match (guard.holds, &guard.overridden) {
        (Holds::Yes, _) => ("✔", Role::Ok),
        (_, Some(_)) => ("◐ overridden", Role::Warning),
        (Holds::No, None) if guard.made_true_by.is_some() => ("·", Role::Dim),
        (Holds::No, None) => ("✖", Role::Error),
        (Holds::Unknown, None) => ("? unknown blocks", Role::VerdictUnknown),
    };
    let how = match &guard.overridden {
        Some(over) => format!("  by {}: {}", over.authoriser, over.reason),
        None if guard.made_true_by.is_some() => {
            format!("  step {} makes it so", guard.made_true_by.as_ref().map_or("", |step| step.as_str()))
        }
        None if guard.blocks() && guard.overridable => "  can be overridden: reason and authoriser".to_owned(),
        None => String::new(),
    };
    (format!("guard  {}   {}{age}  {sign}{how}", guard.text, guard.present), role)
}

fn foot(
    buffer: &mut Buffer,
    state: &State,
    area: Rect,
    plan: &Plan,
    blockers: &[crate::domain::SafeText],
    most: usize,
) {
    let zone = &state.estate.zone;
    let from_declaration = plan.estimate.from_declaration();
    let total = plan.estimate.total();
    let mut pen = Pen::new(buffer, &state.styles, area, 0);
    pen.gap(1).put(
        &format!(
            "estimated {} from the outage, {} from declaration ({})",
            short(total),
            short(from_declaration),
            plan.estimate.basis
        ),
        Role::Text,
    );
    match plan.rto_target {
        None => pen.gap(2).put("no RTO target", Role::VerdictNoTarget),
        Some(target) if total > target => pen.gap(2).put(
            &format!("target {}  ✖ would miss by {}", short(target), short(total.saturating_sub(target))),
            Role::VerdictBreached,
        ),
        Some(target) => pen.gap(2).put(&format!("target {}  ●", short(target)), Role::VerdictMet),
    };
    let made = zone.clock(plan.made_at);
    let mut pen = Pen::new(buffer, &state.styles, area, 1);
    pen.gap(1);
    if blockers.is_empty() {
        pen.put(&format!("READY  no guard blocks, as of {made}"), Role::Ok);
    } else {
        pen.put(&format!("BLOCKED by {} as of {made}", blockers.len()), Role::Error);
    }
    if let Some(keys) = state.keymap.keys_of(Context::Plan, Command::Declare) {
        pen.gap(3).put(&keys, Role::Key).gap(1).put("declare (a dialog; sends nothing)", Role::KeyDesc);
    }
    for (row, blocker) in blockers.iter().take(most).enumerate() {
        let text = if row + 1 == most && blockers.len() > most {
            format!("✖ and {} more", blockers.len() - most + 1)
        } else {
            format!("✖ {blocker}")
        };
        put_line(buffer, &state.styles, area, row as u16 + 2, &line(format!("   {text}"), Role::Error));
    }
}
