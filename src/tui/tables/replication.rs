//! Every replication stream: lag now, its trend, writes at the source, state.

use super::{List, Row, Target, board::AGE_BUDGET};
use crate::{
    domain::{
        Estate, Fact, Picture, Series, What,
        app::{App, Component},
        compliance::{ComponentStanding, Verdict},
        observation::At,
    },
    theme::Role,
    tui::{
        widgets::{
            chart::sparkline,
            table::{CellText, Column},
        },
        words,
    },
};

pub const COLUMNS: [Column; 9] = [
    Column::left("", 1, 1, 0),
    Column::left("STREAM", 16, 24, 0),
    Column::left("APP", 12, 20, 3),
    Column::left("KIND", 12, 18, 6),
    Column::left("LAG / TARGET", 16, 20, 0),
    Column::left("TREND", 12, 15, 2),
    Column::left("SOURCE", 10, 14, 5),
    Column::right("SEEN", 7, 9, 1),
    Column::left("STATE", 18, 120, 0),
];

const TREND_POINTS: usize = 15;

#[must_use]
pub fn rows(estate: &Estate, picture: &Picture) -> List {
    let mut rows: Vec<(u8, u8, Row)> = Vec::new();
    for (n, assessment) in picture.assessments.iter().enumerate() {
        let Some(app) = estate.apps.get(n).filter(|a| a.id == assessment.app).or_else(|| estate.app(&assessment.app))
        else {
            continue;
        };
        for component in &app.components {
            if !streams(component) {
                continue;
            }
            let standing = assessment.components.iter().find(|c| c.component == component.id);
            let severity = standing.map_or(1, |s| s.verdict.severity() as u8);
            rows.push((severity, app.tier, row(estate, picture, app, component, standing)));
        }
    }
    rows.sort_by_key(|(severity, tier, _)| (*severity, *tier));
    List::new(rows.into_iter().map(|(_, _, row)| row).collect())
}

/// Whether a component's loss is answered by a lag.
#[must_use]
pub fn streams(component: &Component) -> bool {
    matches!(component.region_lost, Some((_, What::Lag)))
}

fn row(
    estate: &Estate,
    picture: &Picture,
    app: &App,
    component: &Component,
    standing: Option<&ComponentStanding>,
) -> Row {
    let slot = component
        .region_lost
        .and_then(|(side, what)| picture.snapshot.fact(&app.id, &component.id, &estate.regions.get(side).id, what));
    let (series, fresh) = match slot.map(|slot| slot.at(picture.judged_at)) {
        Some(At::Fresh(seen)) => (as_series(&seen.value), true),
        Some(At::Stale { last, .. }) => (as_series(&last.value), false),
        _ => (None, true),
    };
    let trend = series.map_or_else(String::new, |series| {
        let from = series.points.len().saturating_sub(TREND_POINTS);
        let values: Vec<Option<f64>> = series.points[from..].iter().map(|p| Some(p.value)).collect();
        let top = values.iter().flatten().copied().fold(0.0, f64::max);
        sparkline(&values, top)
    });
    let writes = crate::domain::Side::BOTH.into_iter().find_map(|side| {
        let slot = picture.snapshot.fact(&app.id, &component.id, &estate.regions.get(side).id, What::SourceWrites)?;
        Some(words::fact(slot, estate, picture.judged_at))
    });
    let kept = if fresh { Role::Text } else { Role::Stale };
    let verdict = standing
        .map_or(Verdict::Unknown { why: "not judged".into(), at_least: None, at_most: None }, |s| s.verdict.clone());
    let role = words::verdict_role(&verdict);
    let exposure = standing.and_then(|s| s.region_lost.as_ref());
    let said = words::verdict(&verdict, &estate.zone);
    let state = match standing.map(|s| s.state.as_str()) {
        Some(state) if !state.is_empty() && !said.contains(state) => format!("{said} · {state}"),
        _ => said,
    };
    let (writes, writes_role) = writes.unwrap_or_else(|| ("-".to_owned(), Role::Dim));
    let cells = vec![
        CellText::new(words::glyph(&verdict), role),
        CellText::text(component.id.as_str()),
        CellText::text(app.name.as_str()),
        CellText::dim(component.kind_title),
        CellText::new(exposure.map_or_else(|| "unknown".to_owned(), words::exposure_against_target), kept)
            .sorted_by_duration(exposure.and_then(|e| e.exposure)),
        CellText::new(trend, if fresh { Role::Sparkline } else { Role::Stale }),
        CellText::new(writes, writes_role),
        CellText::ago(standing.and_then(|s| s.observed_at), AGE_BUDGET),
        CellText::new(state, role),
    ];
    let also = format!("verdict:{}", verdict.word());
    Row::new(Target::App(app.id.clone()), cells, &also)
}

fn as_series(fact: &Fact) -> Option<&Series> {
    match fact {
        Fact::Lag(series) => Some(series),
        _ => None,
    }
}
