//! A plan before anything happens: exact calls, guards with their present value, all blockers at once.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Line, line, put_lines};
use crate::{
    domain::time::{short, short_up},
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

    let foot = foot(state, plan, area);
    let body = body(area, &foot);
    let selected = state.place().selected;
    let height = usize::from(body.height);
    let steps = plan.steps.iter().enumerate();
    let mut lines: Vec<Line> = steps.map(|(n, step)| step_line(n, step, n == selected, area.width)).collect();
    let details = details(state, plan, selected, area.width);
    let at_line;
    if details.len() < height {
        // The whole of the selected step, with what surrounds it.
        let shown_to = selected + 1 + details.len();
        let below = lines.split_off((selected + 1).min(lines.len()));
        lines.extend(details);
        lines.extend(below);
        let from = window(selected + height / 3, height, lines.len());
        let top = from.max(shown_to.saturating_sub(height)).min(selected);
        lines.drain(..top.min(lines.len()));
        at_line = selected - top;
    } else {
        // More than a screen of it: a part, with how much there is before and after it.
        lines = lines.into_iter().skip(selected).take(1).collect();
        let shift = usize::from(state.place().shift).min(last_shift(details.len(), height));
        if shift > 0 {
            lines.push(more(state, Command::PageUp, shift, "earlier"));
        }
        let room = height.saturating_sub(lines.len());
        let rest = &details[shift..];
        if rest.len() <= room {
            lines.extend_from_slice(rest);
        } else {
            let shown = room.saturating_sub(1);
            lines.extend_from_slice(&rest[..shown]);
            lines.push(more(state, Command::PageDown, rest.len() - shown, "more"));
        }
        at_line = 0;
    }
    put_lines(buffer, &state.styles, body, &lines, 0);
    if !plan.steps.is_empty() && at_line < height {
        tint(buffer, &state.styles, Rect { y: body.y + at_line as u16, height: 1, ..body }, Role::Selection);
    }
    let below = Rect { y: body.bottom(), height: area.bottom().saturating_sub(body.bottom()), ..area };
    put_lines(buffer, &state.styles, below, &foot, 0);
}

/// What is between the title and the foot.
fn body(area: Rect, foot: &[Line]) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(1 + foot.len() as u16), ..area }
}

/// How many lines of `details` can be left out above, so that the rest fits below the step and the line that says so.
const fn last_shift(details: usize, height: usize) -> usize {
    details.saturating_sub(height.saturating_sub(2))
}

fn more(state: &State, command: Command, lines: usize, word: &str) -> Line {
    let keys = state.keymap.keys_of(Context::Plan, command).unwrap_or_else(|| "(no key)".to_owned());
    line(format!("     … {lines} {word} lines: {keys}"), Role::Warning)
}

/// How far the details of the selected step can be scrolled; zero where all of them are in sight.
#[must_use]
pub fn scrolls(state: &State) -> u16 {
    let Some(plan) = state.plan_shown() else { return 0 };
    let area = super::body(state);
    let height = usize::from(body(area, &foot(state, plan, area)).height);
    let details = details(state, plan, state.place().selected, area.width).len();
    if details < height { 0 } else { last_shift(details, height) as u16 }
}

fn step_line(n: usize, step: &PlannedStep, selected: bool, columns: u16) -> Line {
    let wide = columns >= 110;
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

/// Of the selected step: its calls, then its guards, those that stand in the way first.
fn details(state: &State, plan: &Plan, selected: usize, columns: u16) -> Vec<Line> {
    let Some(step) = plan.steps.get(selected) else { return Vec::new() };
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
    let (blocking, holding): (Vec<_>, Vec<_>) = step.guards.iter().partition(|guard| guard.blocks_plan());
    for guard in blocking.into_iter().chain(holding) {
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

/// The verdict on the recovery time before the figures behind it: on a narrow screen it is never what is cut.
fn estimated(state: &State, plan: &Plan) -> Line {
    let from_declaration = plan.estimate.from_declaration();
    // An outage that lasts has used up its part already, and goes on doing so while the plan is read.
    let before = plan.outage_since.map_or_else(|| plan.before_declaration(), |since| state.now.since(since));
    let total = before + from_declaration;
    let verdict = match plan.rto_target {
        None => (" no RTO target".to_owned(), Role::VerdictNoTarget),
        Some(target) if total > target => (
            format!(" target {}  ✖ would miss by {}", short(target), short_up(total.saturating_sub(target))),
            Role::VerdictBreached,
        ),
        Some(target) => (format!(" target {}  ●", short(target)), Role::VerdictMet),
    };
    let began = plan.outage_since.map_or_else(String::new, |since| {
        format!(" (began {}, {} ago)", state.estate.zone.clock(since), words::age(state.now.since(since)))
    });
    let figures = format!(
        "   estimated {} from the outage{began}, {} from declaration ({})",
        short(total),
        short(from_declaration),
        plan.estimate.basis
    );
    vec![verdict, (figures, Role::Text)]
}

fn foot(state: &State, plan: &Plan, area: Rect) -> Vec<Line> {
    let mut lines = Vec::new();
    let first = estimated(state, plan);
    if first.iter().map(|(text, _)| width(text)).sum::<u16>() <= area.width {
        lines.push(first);
    } else {
        let mut parts = first.into_iter();
        lines.extend(parts.next().map(|verdict| vec![verdict]));
        for (text, role) in parts {
            let broken = wrap(text.trim(), area.width.saturating_sub(4));
            lines.extend(broken.into_iter().map(|part| line(format!("   {part}"), role)));
        }
    }
    let blockers = plan.blockers();
    let made = state.estate.zone.clock(plan.made_at);
    let mut stands = if blockers.is_empty() {
        line(format!(" READY  no guard blocks, as of {made}"), Role::Ok)
    } else {
        line(format!(" BLOCKED by {} as of {made}", blockers.len()), Role::Error)
    };
    if let Some(keys) = state.keymap.keys_of(Context::Plan, Command::Declare) {
        stands.push((format!("   {keys} "), Role::Key));
        stands.push(("declare (a dialog; sends nothing)".to_owned(), Role::KeyDesc));
    }
    lines.push(stands);
    let mut listed = Vec::new();
    for blocker in &blockers {
        let parts = wrap(blocker, area.width.saturating_sub(6)).into_iter().enumerate();
        listed
            .extend(parts.map(|(n, part)| line(format!("   {} {part}", if n == 0 { "✖" } else { " " }), Role::Error)));
    }
    lines.extend(super::counted(listed, usize::from(area.height / 3).max(1)));
    lines
}
