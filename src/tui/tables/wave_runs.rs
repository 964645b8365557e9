//! The runs of one wave, in its order: state, what is being done, clocks, and what each waits for.

use std::time::Duration;

use super::{List, Row, Target, runbooks::phase_look};
use crate::{
    domain::{
        Timestamp,
        time::{short, short_up},
    },
    runbook::{
        clocks,
        run::{RunState, Runs},
        summary::{Ending, RunSummary},
    },
    theme::Role,
    tui::{
        waiting,
        widgets::table::{CellText, Column},
        words,
    },
};

/// An open run's clock never looks stale: it is told from its declaration.
const ALWAYS: Duration = Duration::MAX;

pub const COLUMNS: [Column; 9] = [
    Column::left("", 1, 1, 0),
    Column::right("#", 3, 4, 0),
    Column::left("APP", 12, 22, 0),
    Column::left("RUN", 7, 8, 2),
    Column::left("MODE", 9, 9, 0),
    Column::right("CLOCK", 8, 9, 0),
    Column::left("TARGET", 14, 18, 1),
    Column::left("STEPS", 12, 40, 3),
    Column::left("WAITS FOR", 18, 120, 0),
];

#[must_use]
pub fn rows(runs: &Runs, wave: &str, now: Timestamp) -> List {
    let mark = |run: &RunState| run.declaration.wave.clone().filter(|mark| mark.id == wave);
    let mut found: Vec<(u32, Row)> = runs
        .list
        .iter()
        .filter_map(|run| mark(run).map(|mark| (mark.ordinal, row(run, mark.ordinal, runs, now))))
        .collect();
    let ended = runs.ended.iter().filter(|run| run.wave.as_deref() == Some(wave));
    found.extend(ended.map(|run| (u32::MAX, ended_row(run))));
    found.sort_by_key(|(ordinal, _)| *ordinal);
    List::new(found.into_iter().map(|(_, row)| row).collect())
}

/// Against the target: met so far, or missed by how much as it goes now.
#[must_use]
pub fn against_target(run: &RunState, now: Timestamp) -> (String, Role) {
    let clocks = clocks::clocks(run, &run.timeline, now);
    match (clocks.missed_by, clocks.deadline) {
        (Some(by), _) => (format!("✖ missed {}", short_up(by)), Role::VerdictBreached),
        (None, Some(deadline)) if run.phase.ended() => {
            (format!("● {} left", short(deadline.since(clocks.projected_finish))), Role::VerdictMet)
        }
        (None, Some(deadline)) => (format!("{} left", short(deadline.since(clocks.projected_finish))), Role::Text),
        (None, None) => ("no target".to_owned(), Role::VerdictNoTarget),
    }
}

fn row(run: &RunState, ordinal: u32, runs: &Runs, now: Timestamp) -> Row {
    let (glyph, role) = phase_look(&run.phase);
    let clock = run.ended_at.map_or_else(
        || CellText::ago(Some(run.declared_at), ALWAYS),
        |end| CellText::dim(short_up(end.since(run.declared_at))),
    );
    let (target, target_role) = against_target(run, now);
    let (waits, waits_role) = match (waiting::asks(run), waiting::others(run, runs)) {
        (Some(asks), _) => (format!("{asks}{}", waiting::hold(run)), Role::Warning),
        (None, Some(others)) => (format!("waits {others}"), Role::Dim),
        (None, None) => (format!("{}{}", run.phase.word(), waiting::hold(run)), role),
    };
    let cells = vec![
        CellText::new(glyph, role),
        CellText::text(ordinal.to_string()).sorted_by(f64::from(ordinal)),
        CellText::text(run.plan.app_name.as_str()),
        CellText::dim(format!("run {}", run.id)).sorted_by(run.id.0 as f64),
        mode_cell(&run.plan.mode_word),
        clock,
        CellText::new(target, target_role),
        CellText::text(waiting::progress(run, now)),
        CellText::new(waits, waits_role),
    ];
    Row::new(Target::Run(run.id), cells, run.phase.word())
}

fn ended_row(run: &RunSummary) -> Row {
    let (glyph, role) = match (&run.ending, run.exceptions) {
        (Ending::Completed, 0) => ("✔", Role::StepDone),
        (Ending::Completed, _) => ("!", Role::StepSkipped),
        (Ending::Abandoned { .. }, _) => ("✖", Role::StepSkipped),
    };
    let cells = vec![
        CellText::new(glyph, role),
        CellText::dim("-").sorted_by(f64::MAX),
        CellText::text(run.app_name.as_str()),
        CellText::dim(format!("run {}", run.id)).sorted_by(run.id.0 as f64),
        mode_cell(&run.mode_word),
        CellText::dim(short_up(run.achieved().1)),
        CellText::dim("-"),
        CellText::dim("-"),
        CellText::new(run.word.clone(), role),
    ];
    Row::new(Target::Run(run.id), cells, &run.word)
}

/// A rehearsal and the real thing never look alike in a list.
#[must_use]
pub fn mode_cell(mode_word: &str) -> CellText {
    let short = words::mode_short(mode_word);
    let role = match short {
        "LIVE" => Role::BannerLive,
        "sim" => Role::Dim,
        _ => Role::BannerDrill,
    };
    CellText::new(short, role)
}
