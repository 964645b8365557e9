//! A run: its clocks, its steps, what it asks of the person.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Line, counted, plan::guard_words, put_lines};
use crate::{
    domain::time::short,
    keymap::{Command, Context},
    runbook::{
        clocks,
        finding::Leftover,
        plan::Plan,
        run::{Ask, Phase, RunId, RunState, StepPhase, StepState},
    },
    theme::Role,
    tui::{
        state::State,
        tables::{calls::hazard_role, runbooks::phase_look},
        waiting,
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
    let head = head(state, run, area);
    let asks = asking(state, run, Context::Run, area.width.saturating_sub(4));
    let asks = counted(asks, usize::from(area.height / 3));
    let below = asks.len() as u16;
    put_lines(buffer, &state.styles, area, &head, 0);
    let top_rows = head.len() as u16;
    let body = Rect { y: area.y + top_rows, height: area.height.saturating_sub(top_rows + below), ..area };
    steps(buffer, state, body, run);
    let foot = Rect { y: body.bottom(), height: below, ..area };
    put_lines(buffer, &state.styles, foot, &asks, 0);
}

fn head(state: &State, run: &RunState, area: Rect) -> Vec<Line> {
    let zone = &state.estate.zone;
    let plan = &run.plan;
    let (glyph, role) = phase_look(&run.phase);
    let mut first: Line = vec![
        (format!(" RUN {}  {}   ", run.id, words::bound_for(plan)), Role::Title),
        (plan.mode_word.clone(), mode_role_of(&plan.mode_word)),
    ];
    let stands = vec![
        (format!("   {glyph} {}{}   ", run.phase.word(), waiting::hold(run)), role),
        (format!("{}   ", plan.runbook), Role::Text),
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
    ];
    let columns = |line: &Line| line.iter().map(|(text, _)| width(text)).sum::<u16>();
    let mut lines: Vec<Line> = if columns(&first) + columns(&stands) <= area.width {
        first.extend(stands);
        vec![first]
    } else {
        vec![first, stands]
    };
    let most = usize::from(area.height / 6).max(1);
    lines.extend(first_few(exceptions(run), most));
    lines.extend(first_few(in_doubt(run), most));
    lines.extend(clock_lines(state, run, area.width));
    if let Some(elsewhere) = run.elsewhere {
        let said = format!("   DRIVEN BY {elsewhere}: it is answered there, this screen follows it");
        lines.push(vec![(said, Role::Warning)]);
    }
    if run.unattended() {
        lines.push(vec![(
            "   NOBODY DRIVES THIS RUN: nothing goes on until it is resumed".to_owned(),
            Role::StepParked,
        )]);
    }
    if let Some(others) = waiting::others(run, &state.runs) {
        lines.push(vec![(format!("   one of a wave: waits {others}"), Role::Dim)]);
    }
    if let Some(since) = run.unprotected_since {
        let home = state.app(&plan.app).map_or_else(String::new, |app| {
            let ways = ["re-protect", "failback"].iter().filter_map(|role| app.runbooks.get(*role));
            let ways: Vec<&str> = ways.map(crate::domain::RunbookId::as_str).collect();
            if ways.is_empty() { String::new() } else { format!("; the way home: {}", ways.join(", ")) }
        });
        let said = format!("   {} is UNPROTECTED since {}{home}", plan.app_name, zone.clock(since));
        lines.push(vec![(said, Role::Error)]);
    }
    let left = run.leftovers.iter().map(|left| {
        let word = Leftover::word(&run.plan.mode_word);
        (format!("   {word} until taken away: {} {} in {}", left.kind, left.id, left.region), Role::Warning)
    });
    lines.extend(first_few(left.collect(), most));
    lines.push(vec![(
        "   interlocks hold on this machine only: another console cannot be seen from here".to_owned(),
        Role::Dim,
    )]);
    lines
}

/// A list that must not push the steps off the screen: what is left out is counted.
fn first_few(all: Vec<(String, Role)>, most: usize) -> Vec<Line> {
    let total = all.len();
    let mut lines: Vec<Line> = all.into_iter().take(most).map(|one| vec![one]).collect();
    if total > most
        && let Some(last) = lines.last_mut()
    {
        last.push((format!("   and {} more", total - most), Role::Warning));
    }
    lines
}

/// Overridden guards and skipped steps: first in every report, and first here.
fn exceptions(run: &RunState) -> Vec<(String, Role)> {
    let mut found = Vec::new();
    for (n, step) in run.steps.iter().enumerate() {
        for guard in &step.guards {
            if let Some(given) = &guard.overridden {
                let said = format!(
                    "   ✖ OVERRIDDEN step {}: \"{}\", {}, by {}",
                    n + 1,
                    guard.text,
                    given.reason,
                    given.authoriser
                );
                found.push((said, Role::StepSkipped));
            }
        }
        if let StepPhase::Skipped { reason } = &step.phase {
            found.push((format!("   ✖ SKIPPED step {}: {reason}", n + 1), Role::StepSkipped));
        }
    }
    found
}

/// Calls of which it is not known whether they took effect.
fn in_doubt(run: &RunState) -> Vec<(String, Role)> {
    let sent_now = |step: &StepState| !run.unattended() && step.phase == StepPhase::Sent;
    let doubtful = run
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| matches!(step.phase, StepPhase::InDoubt | StepPhase::Sent) && !sent_now(step));
    doubtful
        .map(|(n, step)| {
            let said = if step.detail.is_empty() { "sent, no answer on record" } else { step.detail.as_str() };
            (format!("   ? IN DOUBT step {}: {said}", n + 1), Role::StepParked)
        })
        .collect()
}

/// The clocks of now, or what was achieved and what may be lost when it has ended.
fn clock_lines(state: &State, run: &RunState, columns: u16) -> Vec<Line> {
    let zone = &state.estate.zone;
    let clocks = clocks::clocks(run, &run.timeline, state.now);
    let target = run.plan.rto_target;
    let mut since: Line = vec![("   ".to_owned(), Role::Text)];
    if let Some(outage) = clocks.from_outage {
        since.push((format!("since outage {}   ", mmss(outage)), Role::Text));
    }
    let declared = mmss(clocks.from_declaration);
    let of = target.map_or_else(String::new, |target| format!(" / {}", mmss(target)));
    since.push((format!("since declaration {declared}{of}   "), Role::Text));
    since
        .push((format!("machine {} · waiting for a person {}", mmss(clocks.machine), mmss(clocks.waiting)), Role::Dim));
    let mut then: Line = vec![("   ".to_owned(), Role::Text)];
    if run.phase.ended() {
        if let Some((achieved, loss)) = &run.measured {
            let outage =
                achieved.from_outage.map_or_else(String::new, |took| format!("{} from the outage, ", mmss(took)));
            then.push((
                format!("achieved {outage}{} from declaration   ", mmss(achieved.from_declaration)),
                Role::Title,
            ));
            then.push(match (loss.from, loss.lossless()) {
                (_, true) => (format!("nothing was lost ({})", loss.basis), Role::Ok),
                (Some(from), false) => (
                    format!(
                        "to reconcile {}-{} ({}): {}",
                        zone.clock(from),
                        zone.clock(loss.to),
                        loss.length().map_or_else(String::new, short),
                        loss.basis
                    ),
                    Role::HazardDataLoss,
                ),
                (None, false) => (
                    format!("to reconcile up to {}, from when on is not known: {}", zone.clock(loss.to), loss.basis),
                    Role::Error,
                ),
            });
        }
    } else {
        then.push((format!("projected end {}   ", zone.clock(clocks.projected_finish)), Role::Text));
        if let (Some(last), None) = (clocks.last_moment, clocks.missed_by) {
            then.push((format!("last moment to decide {}   ", zone.clock(last)), Role::Warning));
        }
    }
    if let Some(by) = clocks.missed_by {
        let word = if run.phase.ended() { "target was missed by" } else { "target missed by" };
        then.push((format!("   ✖ {word} {}", short(by)), Role::VerdictBreached));
    } else if run.phase.ended() && target.is_some() && matches!(run.phase, Phase::Completed { .. }) {
        then.push(("   ● within the target".to_owned(), Role::VerdictMet));
    }
    // What is long goes on below: a loss window must not be cut on a narrow screen.
    let text: String = then.iter().map(|(text, _)| text.as_str()).collect();
    if then.len() == 1 {
        return vec![since];
    }
    if width(&text) <= columns {
        return vec![since, then];
    }
    let mut lines = vec![since];
    for (text, role) in then {
        let parts = wrap(text.trim(), columns.saturating_sub(4));
        lines.extend(parts.into_iter().map(|part| vec![(format!("   {part}"), role)]));
    }
    lines
}

/// `04:02`, or `1:04:02`: a clock that people read aloud.
pub(super) fn mmss(d: Duration) -> String {
    let secs = d.as_secs();
    if secs >= 3_600 {
        format!("{}:{:02}:{:02}", secs / 3_600, secs / 60 % 60, secs % 60)
    } else {
        format!("{:02}:{:02}", secs / 60, secs % 60)
    }
}

/// How the mode that a plan was made under is drawn: by its word, as banners are.
#[must_use]
pub fn mode_role_of(mode_word: &str) -> Role {
    match words::mode_short(mode_word) {
        "LIVE" => Role::BannerLive,
        "sim" => Role::BannerSimulated,
        _ => Role::BannerDrill,
    }
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

/// Whether some other step may be under way at the same time: neither comes after the other.
fn beside(plan: &Plan, n: usize) -> bool {
    (0..plan.steps.len()).any(|other| other != n && !leads_to(plan, other, n) && !leads_to(plan, n, other))
}

/// Whether `from` must have ended before `to` begins; a step's predecessors stand before it.
fn leads_to(plan: &Plan, from: usize, to: usize) -> bool {
    let mut reached = vec![to];
    while let Some(at) = reached.pop() {
        for (n, step) in plan.steps.iter().enumerate().take(at) {
            if plan.steps[at].after.contains(&step.id) {
                if n == from {
                    return true;
                }
                reached.push(n);
            }
        }
    }
    false
}

/// `after 3 and 4`, where it is not simply the step above.
fn waits_for(run: &RunState, n: usize) -> Option<String> {
    let after = &run.plan.steps[n].after;
    let above = n.checked_sub(1).map(|above| &run.plan.steps[above].id);
    if after.iter().eq(above) {
        return None;
    }
    let open = run.steps.iter().enumerate().filter(|(_, step)| after.contains(&step.id) && !step.phase.ended());
    let numbers: Vec<String> = open.map(|(at, _)| (at + 1).to_string()).collect();
    (!numbers.is_empty()).then(|| format!("after {}  ", numbers.join(" and ")))
}

fn step_line(state: &State, run: &RunState, n: usize, step: &StepState, columns: u16) -> Line {
    let (glyph, role) = step_look(&step.phase);
    let planned = run.plan.step(&step.id);
    let beside = beside(&run.plan, n);
    let room = match columns {
        0..110 => 32,
        110..160 => 40,
        _ => 60,
    };
    let title = planned.map_or_else(|| step.id.to_string(), |p| p.title.to_string());
    let title = cut(&title, room).into_owned();
    let pad = " ".repeat(usize::from(room.saturating_sub(width(&title))));
    let mut line = vec![
        (format!("  {glyph} {:<2}{} ", n + 1, if beside { "∥" } else { " " }), role),
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
    if step.phase == StepPhase::Pending
        && let Some(waits) = waits_for(run, n)
    {
        line.push((waits, Role::Dim));
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
pub(super) fn asking(state: &State, run: &RunState, context: Context, columns: u16) -> Vec<Line> {
    let keys = |command: Command| state.keymap.keys_of(context, command).unwrap_or_else(|| "(no key)".to_owned());
    // On the screen of a wave the same key looks deeper.
    let opens = if context == Context::Run { Command::Open } else { Command::Confirm };
    let mut lines: Vec<Line> = Vec::new();
    let title =
        |ask: &Ask| ask.step().and_then(|id| run.plan.step(id)).map_or_else(String::new, |step| step.title.to_string());
    let mut say = |text: String, role: Role| {
        for part in wrap(&text, columns) {
            lines.push(vec![("  ▌ ".to_owned(), role), (part, role)]);
        }
    };
    let asked = match &run.phase {
        Phase::Waiting(ask) if run.driven => ask.step(),
        _ => None,
    };
    match &run.phase {
        phase if !phase.ended() && run.elsewhere.is_some() => {}
        _ if run.unattended() => {
            say(format!("resume it: {} opens the declaration", keys(Command::Confirm)), Role::Warning);
        }
        Phase::Waiting(ask) => match ask {
            Ask::Key { .. } => say(format!("{}: press {}", title(ask), keys(Command::Confirm)), Role::Accent),
            Ask::Chord { .. } => {
                say(format!("{}: disruptive, chord {}", title(ask), keys(Command::Send)), Role::HazardDisruptive);
            }
            Ask::Loss { phrase, .. } => say(
                format!("{}: data may be lost ({phrase}). {} opens the dialog", title(ask), keys(opens)),
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
                format!("{}: {} things to confirm. {} opens the list", title(ask), items.len(), keys(opens)),
                Role::Accent,
            ),
            Ask::Noticed { lines, .. } => say(
                format!(
                    "{}: somebody else's hand, {} changes. {} opens the list",
                    title(ask),
                    lines.len(),
                    keys(opens)
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
    if !waiting::hold(run).is_empty() {
        let said = format!("it will be held after this step; {} takes that back", keys(Command::Release));
        lines.push(vec![("  ▌ ".to_owned(), Role::Warning), (said, Role::Warning)]);
    }
    for call in asked.and_then(|id| run.plan.step(id)).into_iter().flat_map(|step| &step.calls) {
        let params: Vec<String> = call.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for part in wrap(&format!("sends {}", words::sent_to(call, &run.plan)), columns) {
            lines.push(vec![("  ▌ ".to_owned(), hazard_role(call.hazard)), (part, hazard_role(call.hazard))]);
        }
        lines.push(vec![("  ▌ ".to_owned(), hazard_role(call.hazard)), (params.join("  "), Role::Dim)]);
    }
    if let Some((at, note)) = run.notes.last() {
        lines.push(vec![(format!("    note {}  {note}", state.estate.zone.clock(*at)), Role::Dim)]);
    }
    lines
}
