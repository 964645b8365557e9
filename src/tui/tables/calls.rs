//! The call log: every AWS call, newest first.

use super::{List, Row, Target};
use crate::{
    domain::{
        Estate, Hazard,
        call::{CallOutcome, CallRecord},
    },
    theme::Role,
    tui::widgets::table::{CellText, Column},
};

pub const COLUMNS: [Column; 9] = [
    Column::left("", 1, 1, 0),
    Column::left("AT", 8, 8, 1),
    Column::left("SERVICE", 10, 12, 2),
    Column::left("OPERATION", 24, 34, 0),
    Column::left("REGION", 10, 12, 0),
    Column::left("HAZARD", 10, 11, 4),
    Column::right("TOOK", 8, 9, 0),
    Column::right("USD", 9, 10, 5),
    Column::left("OUTCOME", 14, 160, 0),
];

#[must_use]
pub const fn hazard_role(hazard: Hazard) -> Role {
    match hazard {
        Hazard::None => Role::HazardNone,
        Hazard::Reversible => Role::HazardReversible,
        Hazard::Disruptive => Role::HazardDisruptive,
        Hazard::DataLoss => Role::HazardDataLoss,
    }
}

#[must_use]
pub fn rows(estate: &Estate, calls: &[CallRecord]) -> List {
    List::new(calls.iter().rev().map(|call| row(estate, call)).collect())
}

fn row(estate: &Estate, call: &CallRecord) -> Row {
    let (glyph, role, outcome) = match &call.outcome {
        CallOutcome::Ok => ("●", Role::Ok, "ok".to_owned()),
        CallOutcome::Failed { failure, message } => ("✖", Role::Error, format!("{}: {message}", failure.word())),
    };
    let took = if call.took.as_millis() < 10_000 {
        format!("{} ms", call.took.as_millis())
    } else {
        format!("{} s", call.took.as_secs())
    };
    let outcome = match &call.request_id {
        Some(id) if call.hazard > Hazard::None => format!("{outcome} · request {id}"),
        _ => outcome,
    };
    let cells = vec![
        CellText::new(glyph, role),
        CellText::dim(estate.zone.clock(call.at)).sorted_by(call.seq as f64),
        CellText::text(call.service),
        CellText::text(call.operation),
        CellText::text(call.region.as_str()),
        CellText::new(call.hazard.word(), hazard_role(call.hazard)).sorted_by(f64::from(call.hazard as u8)),
        CellText::text(took).sorted_by(call.took.as_secs_f64()),
        CellText::dim(if call.usd > 0.0 { format!("{:.6}", call.usd) } else { "-".to_owned() }).sorted_by(call.usd),
        CellText::new(outcome, if role == Role::Ok { Role::Dim } else { role }),
    ];
    Row::new(Target::Nothing, cells, "")
}
