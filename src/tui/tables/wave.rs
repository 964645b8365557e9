//! The apps of a wave before anything happens: those that go in the order in which they begin, those that cannot with
//! why, those that were not marked.

use super::{List, Row, Target};
use crate::{
    domain::{Estate, SafeText, time::short},
    runbook::wave::{Item, Loss},
    theme::Role,
    tui::{
        wave::{WavePane, candidates},
        widgets::table::{CellText, Column},
    },
};

pub const COLUMNS: [Column; 8] = [
    Column::left("GO", 3, 3, 0),
    Column::right("#", 3, 4, 0),
    Column::left("APP", 14, 24, 0),
    Column::right("TIER", 4, 4, 3),
    Column::left("RUNBOOK", 14, 26, 2).keeping_ends(),
    Column::right("MAY LOSE", 12, 14, 0),
    Column::right("BACK IN / TARGET", 16, 18, 1),
    Column::left("WAITS FOR", 16, 120, 0),
];

#[must_use]
pub fn rows(estate: &Estate, pane: &WavePane) -> List {
    let mut rows = Vec::new();
    let mut listed = Vec::new();
    if let Some(wave) = pane.shown() {
        for (n, item) in wave.items.iter().enumerate().filter(|(_, item)| pane.marked.contains(&item.plan.app)) {
            rows.push(item_row(estate, n + 1, item, wave.apart(item)));
            listed.push(item.plan.app.clone());
        }
        for (app, why) in wave.left_out.iter().filter(|(app, _)| pane.marked.contains(app)) {
            rows.push(out_row(estate, pane, app, why));
            listed.push(app.clone());
        }
    }
    let rest: Vec<_> = candidates(estate, &pane.role).into_iter().filter(|app| !listed.contains(app)).collect();
    for app in rest {
        let there = pane.shown().and_then(|wave| wave.there.iter().find(|(there, _)| there == app));
        let said = match there {
            _ if pane.marked.contains(app) => "not planned yet",
            Some((_, known)) => known.as_str(),
            None => "does not go",
        };
        rows.push(plain_row(estate, pane, app, said));
    }
    List::new(rows)
}

#[must_use]
pub fn loss_cell(loss: Loss) -> CellText {
    match loss {
        Loss::Nothing => CellText::dim("not asked").sorted_by(0.0),
        Loss::UpTo(rung) => {
            CellText::new(format!("up to {}", short(rung)), Role::HazardDataLoss).sorted_by_duration(Some(rung))
        }
        Loss::Unbounded => CellText::new("not bounded", Role::Error).sorted_by_duration(None),
    }
}

/// `to`: where it goes, where not all go to the same Region.
fn item_row(estate: &Estate, n: usize, item: &Item, to: Option<&str>) -> Row {
    let plan = &item.plan;
    let estimate = item.back;
    let misses = plan.missed_by(item.back).is_some();
    let target = plan.rto_target.map_or_else(|| "none".to_owned(), short);
    let back = format!("{} / {target}{}", short(estimate), if misses { " ✖" } else { "" });
    let blockers = plan.blockers();
    let after: Vec<&str> = item.after.iter().map(crate::domain::AppId::as_str).collect();
    let mut said = if after.is_empty() { "nothing".to_owned() } else { after.join(", ") };
    let mut role = Role::Dim;
    if let Some(name) = to {
        said = format!("{said} · goes to {name}");
        role = Role::Text;
    }
    if let Some(first) = blockers.first() {
        said = format!("{said} · {} do not hold now: {first}", blockers.len());
        role = Role::Warning;
    }
    let cells = vec![
        CellText::new("[x]", Role::Accent),
        CellText::text(n.to_string()).sorted_by(n as f64),
        CellText::text(plan.app_name.as_str()),
        tier(estate, &plan.app),
        CellText::dim(plan.runbook.as_str()),
        loss_cell(item.loss),
        CellText::new(back, if misses { Role::VerdictBreached } else { Role::Text }).sorted_by_duration(Some(estimate)),
        CellText::new(said, role),
    ];
    Row::new(Target::App(plan.app.clone()), cells, plan.app.as_str())
}

fn out_row(estate: &Estate, pane: &WavePane, app: &crate::domain::AppId, why: &SafeText) -> Row {
    let mut row = plain_row(estate, pane, app, &format!("LEFT OUT: {why}"));
    for cell in &mut row.cells {
        cell.role = Role::Warning;
    }
    row.cells[0] = CellText::new("[✖]", Role::Error);
    row
}

fn plain_row(estate: &Estate, pane: &WavePane, app: &crate::domain::AppId, said: &str) -> Row {
    let found = estate.app(app);
    let runbook = found.and_then(|app| app.runbooks.get(pane.role.as_str()));
    let cells = vec![
        CellText::dim(if pane.marked.contains(app) { "[x]" } else { "[ ]" }),
        CellText::dim("-").sorted_by(f64::MAX),
        CellText::dim(found.map_or(app.as_str(), |app| app.name.as_str())),
        tier(estate, app),
        CellText::dim(runbook.map_or("-", |runbook| runbook.as_str())),
        CellText::dim("-"),
        CellText::dim("-"),
        CellText::dim(said),
    ];
    Row::new(Target::App(app.clone()), cells, app.as_str())
}

fn tier(estate: &Estate, app: &crate::domain::AppId) -> CellText {
    estate.app(app).map_or_else(|| CellText::dim("-"), |app| CellText::dim(app.tier.to_string()))
}
