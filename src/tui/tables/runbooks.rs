//! Runs that are open or were looked at, then ended ones, each newest first, then every runbook with each app that it is for.

use std::{collections::BTreeSet, time::Duration};

use super::{List, Row, Target, wave_runs::mode_cell};
use crate::{
    domain::{Estate, SafeText, app::App, time::short_up},
    runbook::{
        finding::Leftover,
        run::{Phase, RunState, Runs},
        spec::RunbookSpec,
        summary::{Ending, RunSummary},
    },
    theme::Role,
    tui::{
        waiting,
        widgets::table::{CellText, Column},
        words,
    },
};

pub const COLUMNS: [Column; 8] = [
    Column::left("", 1, 1, 0),
    Column::left("WHAT", 8, 10, 0),
    Column::left("RUNBOOK", 17, 30, 0).keeping_ends(),
    Column::left("APP", 12, 24, 0),
    Column::left("KIND", 10, 12, 3),
    Column::left("MODE", 9, 9, 0),
    Column::right("CLOCK", 7, 9, 1),
    Column::left("STANDS", 20, 160, 0),
];

/// An open run's clock never looks stale: it is told from its declaration.
const ALWAYS: Duration = Duration::MAX;

#[must_use]
pub const fn phase_look(phase: &Phase) -> (&'static str, Role) {
    match phase {
        Phase::Armed => ("▷", Role::StepPending),
        Phase::Running => ("▶", Role::StepRunning),
        Phase::Waiting(_) | Phase::Held => ("◐", Role::Warning),
        Phase::Parked { .. } => ("?", Role::StepParked),
        Phase::Completed { exceptions: 0 } => ("✔", Role::StepDone),
        Phase::Completed { .. } => ("!", Role::StepSkipped),
        Phase::Abandoned { .. } => ("✖", Role::StepSkipped),
    }
}

#[must_use]
pub fn rows(estate: &Estate, specs: &[RunbookSpec], runs: &Runs) -> List {
    let ended = runs.ended.iter().map(|run| ended_row(estate, run));
    // Those that wait for a person first, then the other open ones, then those that were looked at.
    let rank = |run: &RunState| (run.phase.ended(), !waiting::for_a_person(run));
    let mut listed: Vec<_> = runs.list.iter().collect();
    listed.sort_by_key(|run| rank(run));
    let open_waves: BTreeSet<&str> =
        runs.list.iter().filter(|run| !run.phase.ended()).filter_map(|run| wave_id(run)).collect();
    let waves = open_waves.into_iter().map(|wave| wave_row(wave, runs));
    let runs = waves.chain(listed.into_iter().map(|run| run_row(estate, run))).chain(ended);
    let specs = specs.iter().flat_map(|spec| apps(estate, spec).into_iter().map(move |app| (spec, app)));
    List::new(runs.chain(specs.map(|(spec, app)| spec_row(spec, app))).collect())
}

fn wave_id(run: &RunState) -> Option<&str> {
    run.declaration.wave.as_ref().map(|mark| mark.id.as_str())
}

/// `7c41…e2  5 apps  2 wait for a person · 2 ended · 3 open`
fn wave_row(wave: &str, runs: &Runs) -> Row {
    let first = runs.list.iter().find(|run| wave_id(run) == Some(wave));
    let waiting::Progress { runs: of, ended, waits, .. } = waiting::of_wave(runs, wave);
    let size = first.and_then(|run| run.declaration.wave.as_ref()).map_or(0, |mark| mark.size);
    let (glyph, role) = if waits > 0 { ("◐", Role::Warning) } else { ("▶", Role::StepRunning) };
    let cells = vec![
        CellText::new(glyph, role),
        CellText::new("wave", role),
        CellText::text(words::wave(wave)),
        CellText::text(format!("{size} apps")),
        CellText::dim(first.map_or("", |run| run.plan.kind.word())),
        mode_cell(first.map_or("", |run| run.plan.mode_word.as_str())),
        CellText::ago(first.map(|run| run.declared_at), ALWAYS),
        CellText::new(format!("{waits} wait for a person · {ended} ended · {} open", of - ended), role),
    ];
    Row::new(Target::Wave(wave.to_owned()), cells, "wave")
}

/// The apps a runbook is for: by id, or by strategy.
#[must_use]
pub fn apps<'e>(estate: &'e Estate, spec: &RunbookSpec) -> Vec<&'e App> {
    if spec.apps.is_empty() {
        return estate.apps.iter().filter(|app| spec.strategies.contains(&app.strategy)).collect();
    }
    spec.apps.iter().filter_map(|id| estate.app(id)).collect()
}

/// `waits: accept a loss up to 5 m: Promote Hyderabad · 3 of 6 steps · declared 02:59:10 by asha`
#[must_use]
pub fn standing(estate: &Estate, run: &RunState) -> String {
    let done = run.steps.iter().filter(|step| step.phase.ended()).count();
    let mut said = match (waiting::asks(run), &run.phase) {
        (Some(asks), _) if !run.unattended() => format!("waits: {asks}"),
        (_, Phase::Abandoned { why }) => format!("{}: {why}", run.phase.word()),
        _ => run.phase.word().to_owned(),
    };
    said.push_str(waiting::hold(run));
    said = format!(
        "{said} · {done} of {} steps · declared {} by {}",
        run.steps.len(),
        estate.zone.day_clock(run.declared_at),
        run.declaration.who
    );
    if run.unattended() {
        said = format!("NOBODY DRIVES IT · {said}");
    }
    if let Some(elsewhere) = run.elsewhere {
        said = format!("driven by {elsewhere} · {said}");
    }
    if let Some(since) = run.unprotected_since {
        said = format!("{said} · unprotected since {}", estate.zone.clock_minutes(since));
    }
    format!("{said}{}", left_behind(&run.leftovers, &run.plan.mode_word))
}

/// Until it is gone it is named.
fn left_behind(leftovers: &[Leftover], mode_word: &str) -> String {
    if leftovers.is_empty() {
        return String::new();
    }
    let named: Vec<String> = leftovers.iter().map(|left| format!("{} {}", left.kind, left.id)).collect();
    format!(" · {}: {}", Leftover::word(mode_word), named.join(", "))
}

fn run_row(estate: &Estate, run: &RunState) -> Row {
    let (glyph, role) = phase_look(&run.phase);
    let cells = vec![
        CellText::new(glyph, role),
        CellText::new(format!("run {}", run.id), role).sorted_by(run.id.0 as f64),
        CellText::text(run.plan.runbook.as_str()),
        CellText::text(run.plan.app_name.as_str()),
        CellText::dim(run.plan.kind.word()),
        mode_cell(&run.plan.mode_word),
        run.ended_at.map_or_else(
            || CellText::ago(Some(run.declared_at), ALWAYS),
            |end| CellText::dim(short_up(end.since(run.declared_at))),
        ),
        CellText::new(standing(estate, run), role),
    ];
    Row::new(Target::Run(run.id), cells, run.phase.word())
}

fn ended_row(estate: &Estate, run: &RunSummary) -> Row {
    let (glyph, role) = match (&run.ending, run.exceptions) {
        (Ending::Completed, 0) => ("✔", Role::StepDone),
        (Ending::Completed, _) => ("!", Role::StepSkipped),
        (Ending::Abandoned { .. }, _) => ("✖", Role::StepSkipped),
    };
    let mut said = run.word.clone();
    if let Ending::Abandoned { why } = &run.ending {
        said = format!("{said}: {why}");
    }
    said = format!("{said} · declared {} by {}", estate.zone.day_clock(run.declared_at), run.who);
    if let Some(since) = run.unprotected_since {
        said = format!("{said} · unprotected since {}", estate.zone.clock_minutes(since));
    }
    said.push_str(&left_behind(&run.leftovers, &run.mode_word));
    let cells = vec![
        CellText::new(glyph, role),
        CellText::new(format!("run {}", run.id), role).sorted_by(run.id.0 as f64),
        CellText::text(run.runbook.as_str()),
        CellText::text(run.app_name.as_str()),
        CellText::dim(run.kind.word()),
        mode_cell(&run.mode_word),
        CellText::dim(short_up(run.achieved().1)),
        CellText::new(said, role),
    ];
    Row::new(Target::Run(run.id), cells, &run.word)
}

fn spec_row(spec: &RunbookSpec, app: &App) -> Row {
    let title: &SafeText = &spec.title;
    let cells = vec![
        CellText::dim("·"),
        CellText::dim("runbook"),
        CellText::text(spec.id.as_str()),
        CellText::text(app.name.as_str()),
        CellText::dim(spec.kind.word()),
        CellText::dim("-"),
        CellText::dim("-"),
        CellText::text(format!("{title} · {} steps", spec.steps.len())),
    ];
    Row::new(Target::Runbook(spec.id.clone(), app.id.clone()), cells, app.id.as_str())
}
