//! A run: its clocks, its steps, what it asks of the person.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Line, plan::guard_words, put_lines};
use crate::{
    domain::{Timestamp, time::short},
    keymap::{Command, Context},
    runbook::run::{Ask, Phase, RunId, RunState, StepPhase, StepState},
    theme::Role,
    tui::{
        state::State,
        tables::{calls::hazard_role, runbooks::phase_look},
        widgets::{
            Pen,
            paint::{cut, tint, width, wrap},
            table::window,
        },
        words,
    },
};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect, id: RunId) {
    let Some(run) = state.run(id) else {
        let (said, role) = if state.runs.ended.iter().any(|run| run.id == id) {
            (format!("run {id} has ended; its record is being read"), Role::Dim)
        } else {
            (format!("run {id} is not in the journal"), Role::Error)
        };
        Pen::new(buffer, &state.styles, area, 0).gap(1).put(&said, role);
        return;
    };
    let head = head(state, run, area.width);
    let asks = asking(state, run, area.width.saturating_sub(4));
    let below = (asks.len() as u16).min(area.height / 3);
    put_lines(buffer, &state.styles, area, &head, 0);
    let top_rows = head.len() as u16;
    let body = Rect { y: area.y + top_rows, height: area.height.saturating_sub(top_rows + below), ..area };
    steps(buffer, state, body, run);
    let foot = Rect { y: body.bottom(), height: below, ..area };
    put_lines(buffer, &state.styles, foot, &asks, 0);
}

fn head(state: &State, run: &RunState, columns: u16) -> Vec<Line> {
    let zone = &state.estate.zone;
    let plan = &run.plan;
    let (glyph, role) = phase_look(&run.phase);
    let exceptions = run.steps.iter().filter(|s| matches!(s.phase, StepPhase::Skipped { .. })).count();
    let mut lines: Vec<Line> = vec![vec![
        (format!(" RUN {}  ", run.id), Role::Title),
        (format!("{} → {}   ", plan.runbook, plan.target_name.to_uppercase()), Role::Title),
        (format!("{glyph} {}   ", run.phase.word()), role),
        (
            format!(
                "declared {} by {} ({})  {}",
                zone.clock(run.declared_at),
                run.declaration.who,
                words::principal(&run.principal),
                run.declaration.incident
            ),
            Role::Dim,
        ),
    ]];
    let end = run.ended_at.unwrap_or(state.now);
    let since_declared = end.since(run.declared_at);
    let mut clocks: Line = vec![("   ".to_owned(), Role::Text)];
    if let Some(outage) = run.declaration.outage_at {
        clocks.push((format!("since outage {}   ", mmss(end.since(outage))), Role::Text));
    }
    match plan.rto_target {
        Some(target) if since_declared > target => {
            let said = format!(
                "since declaration {} / {} ✖ +{}   ",
                mmss(since_declared),
                mmss(target),
                short(since_declared.saturating_sub(target))
            );
            clocks.push((said, Role::VerdictBreached));
        }
        Some(target) => {
            clocks.push((format!("since declaration {} / {}   ", mmss(since_declared), mmss(target)), Role::Text));
        }
        None => clocks.push((format!("since declaration {}   ", mmss(since_declared)), Role::Text)),
    }
    let waited = run.waited_at(end);
    let machine = since_declared.saturating_sub(waited);
    clocks.push((format!("machine {} · waiting for a person {}   ", mmss(machine), mmss(waited)), Role::Dim));
    if !run.phase.ended() && columns >= 100 {
        clocks.push((format!("projected end {}", zone.clock(projected_end(run, state.now))), Role::Dim));
    }
    lines.push(clocks);
    if exceptions > 0 {
        lines.insert(1, vec![(format!("   ✖ {exceptions} skipped, shown first in every report"), Role::StepSkipped)]);
    }
    if !run.driven && !run.phase.ended() {
        lines.push(vec![(
            "   NOBODY DRIVES THIS RUN: nothing goes on until it is resumed".to_owned(),
            Role::StepParked,
        )]);
    }
    if let Some(since) = run.unprotected_since {
        let said = format!("   {} is UNPROTECTED since {}", plan.app_name, zone.clock(since));
        lines.push(vec![(said, Role::Error)]);
    }
    lines.push(vec![(
        "   interlocks hold on this machine only: another console cannot be seen from here".to_owned(),
        Role::Dim,
    )]);
    lines
}

/// `04:02`, or `1:04:02`: a clock that people read aloud.
fn mmss(d: Duration) -> String {
    let secs = d.as_secs();
    if secs >= 3_600 {
        format!("{}:{:02}:{:02}", secs / 3_600, secs / 60 % 60, secs % 60)
    } else {
        format!("{:02}:{:02}", secs / 60, secs % 60)
    }
}

/// Now plus what the steps that have not ended are expected to take, in order.
fn projected_end(run: &RunState, now: Timestamp) -> Timestamp {
    let left: Duration = run
        .steps
        .iter()
        .zip(&run.plan.steps)
        .filter(|(step, _)| !step.phase.ended())
        .map(|(step, planned)| {
            let spent = step.started_at.map_or(Duration::ZERO, |at| now.since(at));
            planned.expected.saturating_sub(spent)
        })
        .sum();
    now + left
}

fn steps(buffer: &mut Buffer, state: &State, area: Rect, run: &RunState) {
    let selected = state.place().selected;
    let mut lines: Vec<Line> = Vec::new();
    let mut at_line = 0;
    for (n, step) in run.steps.iter().enumerate() {
        if n == selected {
            at_line = lines.len();
        }
        lines.push(step_line(state, run, n, step, area.width));
        if n == selected {
            for guard in &step.guards {
                let (text, role) = guard_words(state, guard);
                for part in wrap(&text, area.width.saturating_sub(10)) {
                    lines.push(vec![("     │  ".to_owned(), Role::Border), (part, role)]);
                }
            }
        }
    }
    let free = usize::from(area.height).saturating_sub(lines.len() + 1);
    if free > 0 {
        let log: Vec<Line> = run
            .log
            .iter()
            .rev()
            .take(free)
            .rev()
            .map(|(at, text)| {
                vec![(format!("   {}  ", state.estate.zone.clock(*at)), Role::Age), (text.to_string(), Role::Dim)]
            })
            .collect();
        if !log.is_empty() {
            lines.push(Vec::new());
            lines.extend(log);
        }
    }
    let top = window(at_line, usize::from(area.height), lines.len());
    put_lines(buffer, &state.styles, area, &lines, top);
    if !run.steps.is_empty() && at_line - top < usize::from(area.height) {
        tint(buffer, &state.styles, Rect { y: area.y + (at_line - top) as u16, height: 1, ..area }, Role::Selection);
    }
}

const fn step_look(phase: &StepPhase) -> (&'static str, Role) {
    match phase {
        StepPhase::Done => ("✔", Role::StepDone),
        StepPhase::Pending => ("·", Role::StepPending),
        StepPhase::Checking | StepPhase::Intended | StepPhase::Sent | StepPhase::Observing => ("▶", Role::StepRunning),
        StepPhase::WaitingForPerson => ("◐", Role::Warning),
        StepPhase::InDoubt => ("?", Role::StepParked),
        StepPhase::Refused | StepPhase::Failed => ("✖", Role::Error),
        StepPhase::Skipped { .. } => ("○", Role::StepSkipped),
    }
}

fn step_line(state: &State, run: &RunState, n: usize, step: &StepState, columns: u16) -> Line {
    let (glyph, role) = step_look(&step.phase);
    let planned = run.plan.step(&step.id);
    let room = if columns >= 110 { 40 } else { 32 };
    let title = planned.map_or_else(|| step.id.to_string(), |p| p.title.to_string());
    let title = cut(&title, room).into_owned();
    let pad = " ".repeat(usize::from(room.saturating_sub(width(&title))));
    let mut line = vec![
        (format!("  {glyph} {:<2} ", n + 1), role),
        (format!("{title}{pad}  "), if role == Role::StepPending { Role::StepPending } else { Role::Text }),
    ];
    match (step.started_at, step.ended_at) {
        (Some(from), Some(to)) => {
            line.push((format!("{:>8}  {}  ", short(to.since(from)), state.estate.zone.clock(to)), Role::Dim));
        }
        (Some(from), None) => {
            line.push((format!("{:>8}            ", short(state.now.since(from))), role));
        }
        _ => {
            let hazard = planned.map_or(crate::domain::Hazard::None, |p| p.hazard);
            line.push((format!("{:<10}          ", hazard.word()), hazard_role(hazard)));
        }
    }
    if step.attempts > 1 {
        line.push((format!("attempt {}  ", step.attempts), Role::Warning));
    }
    if let StepPhase::Skipped { reason } = &step.phase {
        line.push((format!("skipped: {reason}"), Role::StepSkipped));
    } else if !step.detail.is_empty() {
        line.push((
            step.detail.to_string(),
            if matches!(step.phase, StepPhase::Failed | StepPhase::Refused) { Role::Error } else { Role::Text },
        ));
    }
    line
}

/// What the run wants of the person now, and with which keys.
fn asking(state: &State, run: &RunState, columns: u16) -> Vec<Line> {
    let keys = |command: Command| state.keymap.keys_of(Context::Run, command).unwrap_or_else(|| "(no key)".to_owned());
    let mut lines: Vec<Line> = Vec::new();
    let title =
        |ask: &Ask| ask.step().and_then(|id| run.plan.step(id)).map_or_else(String::new, |step| step.title.to_string());
    let mut say = |text: String, role: Role| {
        for part in wrap(&text, columns) {
            lines.push(vec![("  ▌ ".to_owned(), role), (part, role)]);
        }
    };
    match &run.phase {
        phase if !run.driven && !phase.ended() => {
            say(format!("resume it: {} opens the declaration", keys(Command::Confirm)), Role::Warning);
        }
        Phase::Waiting(ask) => match ask {
            Ask::Key { .. } => say(format!("{}: press {}", title(ask), keys(Command::Confirm)), Role::Accent),
            Ask::Chord { .. } => {
                say(format!("{}: disruptive, chord {}", title(ask), keys(Command::Send)), Role::HazardDisruptive);
            }
            Ask::Loss { phrase, .. } => say(
                format!("{}: data may be lost ({phrase}). {} opens the dialog", title(ask), keys(Command::Open)),
                Role::HazardDataLoss,
            ),
            Ask::Override { reading, .. } => say(
                format!(
                    "guard does not hold: {} ({}). {} opens the override",
                    reading.text,
                    reading.present,
                    keys(Command::Override)
                ),
                Role::Error,
            ),
            Ask::Confirm { items, .. } => say(
                format!("{}: {} things to confirm. {} opens the list", title(ask), items.len(), keys(Command::Open)),
                Role::Accent,
            ),
            Ask::Noticed { lines, .. } => say(
                format!(
                    "{}: somebody else's hand, {} changes. {} opens the list",
                    title(ask),
                    lines.len(),
                    keys(Command::Open)
                ),
                Role::Error,
            ),
            Ask::Verdict { question, .. } => {
                say(format!("{question} {} opens the verdict", keys(Command::Verdict)), Role::StepParked);
            }
            Ask::Rearm => say(format!("arming lapsed: {} declares again", keys(Command::Confirm)), Role::Warning),
        },
        Phase::Parked { why, .. } => {
            let said = format!(
                "parked: {why}   {} try again   {} skip   {} say how it ended",
                keys(Command::Retry),
                keys(Command::Skip),
                keys(Command::Verdict)
            );
            say(said, Role::StepParked);
        }
        Phase::Held => say(format!("held: {} lets it go on", keys(Command::Release)), Role::Warning),
        Phase::Abandoned { why } => say(format!("abandoned: {why}"), Role::StepSkipped),
        Phase::Armed | Phase::Running | Phase::Completed { .. } => {}
    }
    if let Some((at, note)) = run.notes.last() {
        lines.push(vec![(format!("    note {}  {note}", state.estate.zone.clock(*at)), Role::Dim)]);
    }
    lines
}
