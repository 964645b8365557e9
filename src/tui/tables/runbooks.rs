//! Runs that are open or were looked at, then ended ones, each newest first, then every runbook with each app that it is for.

use super::{List, Row, Target};
use crate::{
    domain::{Estate, SafeText, app::App},
    runbook::{
        run::{Phase, RunState, Runs},
        spec::RunbookSpec,
        summary::{Ending, RunSummary},
    },
    theme::Role,
    tui::widgets::table::{CellText, Column},
};

pub const COLUMNS: [Column; 6] = [
    Column::left("", 1, 1, 0),
    Column::left("WHAT", 8, 10, 0),
    Column::left("RUNBOOK", 20, 30, 0),
    Column::left("APP", 14, 24, 0),
    Column::left("KIND", 10, 12, 2),
    Column::left("STANDS", 20, 160, 0),
];

#[must_use]
pub const fn phase_look(phase: &Phase) -> (&'static str, Role) {
    match phase {
        Phase::Armed | Phase::Running => ("▶", Role::StepRunning),
        Phase::Waiting(_) | Phase::Held => ("◐", Role::Warning),
        Phase::Parked { .. } => ("?", Role::StepParked),
        Phase::Completed { exceptions: 0 } => ("✔", Role::StepDone),
        Phase::Completed { .. } => ("✔", Role::StepSkipped),
        Phase::Abandoned { .. } => ("✖", Role::StepSkipped),
    }
}

#[must_use]
pub fn rows(estate: &Estate, specs: &[RunbookSpec], runs: &Runs) -> List {
    let ended = runs.ended.iter().map(|run| ended_row(estate, run));
    let runs = runs.list.iter().map(|run| run_row(estate, run)).chain(ended);
    let specs = specs.iter().flat_map(|spec| apps(estate, spec).into_iter().map(move |app| (spec, app)));
    List::new(runs.chain(specs.map(|(spec, app)| spec_row(spec, app))).collect())
}

/// The apps a runbook is for: by id, or by strategy.
#[must_use]
pub fn apps<'e>(estate: &'e Estate, spec: &RunbookSpec) -> Vec<&'e App> {
    if spec.apps.is_empty() {
        return estate.apps.iter().filter(|app| spec.strategies.contains(&app.strategy)).collect();
    }
    spec.apps.iter().filter_map(|id| estate.app(id)).collect()
}

/// `waiting for a person · 3 of 6 steps · declared 02:59:10 by asha`
#[must_use]
pub fn standing(estate: &Estate, run: &RunState) -> String {
    let done = run.steps.iter().filter(|step| step.phase.ended()).count();
    let mut said = run.phase.word().to_owned();
    if let Phase::Parked { why, .. } | Phase::Abandoned { why } = &run.phase {
        said = format!("{said}: {why}");
    }
    said = format!(
        "{said} · {done} of {} steps · declared {} by {}",
        run.steps.len(),
        estate.zone.day_clock(run.declared_at),
        run.declaration.who
    );
    if !run.driven && !run.phase.ended() {
        said = format!("NOBODY DRIVES IT · {said}");
    }
    if let Some(since) = run.unprotected_since {
        said = format!("{said} · unprotected since {}", estate.zone.clock_minutes(since));
    }
    said
}

fn run_row(estate: &Estate, run: &RunState) -> Row {
    let (glyph, role) = phase_look(&run.phase);
    let cells = vec![
        CellText::new(glyph, role),
        CellText::new(format!("run {}", run.id), role).sorted_by(run.id.0 as f64),
        CellText::text(run.plan.runbook.as_str()),
        CellText::text(run.plan.app_name.as_str()),
        CellText::dim(run.plan.kind.word()),
        CellText::new(standing(estate, run), role),
    ];
    Row::new(Target::Run(run.id), cells, run.phase.word())
}

fn ended_row(estate: &Estate, run: &RunSummary) -> Row {
    let (glyph, role) = match (&run.ending, run.exceptions) {
        (Ending::Completed, 0) => ("✔", Role::StepDone),
        (Ending::Completed, _) => ("✔", Role::StepSkipped),
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
    let cells = vec![
        CellText::new(glyph, role),
        CellText::new(format!("run {}", run.id), role).sorted_by(run.id.0 as f64),
        CellText::text(run.runbook.as_str()),
        CellText::text(run.app_name.as_str()),
        CellText::dim(run.kind.word()),
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
        CellText::text(format!("{title} · {} steps", spec.steps.len())),
    ];
    Row::new(Target::Runbook(spec.id.clone(), app.id.clone()), cells, app.id.as_str())
}
