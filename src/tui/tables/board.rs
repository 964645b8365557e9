//! The board's rows: one per app, worst first.

use std::time::Duration;

use super::{List, Row, Target};
use crate::{
    domain::{
        Estate, Picture,
        app::App,
        compliance::{Assessment, Exposure, RtoEstimate, app_of, order},
        observation::At,
    },
    theme::Role,
    tui::{
        widgets::table::{CellText, Column},
        words,
    },
};

pub const COLUMNS: [Column; 10] = [
    Column::left("", 1, 1, 0),
    Column::left("APP", 19, 24, 0),
    Column::left("TIER", 4, 4, 5),
    Column::right("SERVED", 8, 8, 6),
    Column::left("LOSE / TARGET", 22, 24, 0),
    Column::left("WORST", 14, 20, 7),
    Column::left("BACK TO", 14, 21, 4),
    Column::left("RTO EST / TARGET", 16, 18, 3),
    Column::left("RTO BASIS", 10, 16, 8),
    Column::left("VERDICT", 26, 160, 0),
];

#[must_use]
pub fn rows(estate: &Estate, picture: &Picture) -> List {
    let judged = order(estate, &picture.assessments).into_iter().filter_map(|n| {
        let assessment = &picture.assessments[n];
        Some(row(estate, picture, app_of(estate, n, assessment)?, assessment))
    });
    List::new(judged.collect())
}

/// Whether the fact behind an exposure is only kept from before.
#[must_use]
pub fn kept(estate: &Estate, picture: &Picture, app: &App, exposure: &Exposure) -> bool {
    let Some(component) = exposure.component.as_ref().and_then(|id| app.component(id)) else { return false };
    let Some((side, what)) = component.region_lost else { return false };
    picture
        .snapshot
        .fact(&app.id, &component.id, &estate.regions.get(side).id, what)
        .is_some_and(|slot| matches!(slot.at(picture.judged_at), At::Stale { .. }))
}

fn row(estate: &Estate, picture: &Picture, app: &App, assessment: &Assessment) -> Row {
    let zone = &estate.zone;
    let role = words::verdict_role(&assessment.verdict);
    let lose_role = if kept(estate, picture, app, &assessment.region_lost) { Role::Stale } else { Role::Text };
    let severity = f64::from(assessment.verdict.severity() as u8);
    let lost = &assessment.region_lost;
    let cells = vec![
        CellText::new(words::glyph(&assessment.verdict), role).sorted_by(severity),
        CellText::text(app.name.as_str()),
        CellText::dim(app.tier.to_string()).sorted_by(f64::from(app.tier)),
        CellText::text(words::share(assessment.served.success)).sorted_by(assessment.served.success.unwrap_or(-1.0)),
        CellText::new(words::exposure_against_target(lost), lose_role).sorted_by_duration(lost.exposure),
        CellText::dim(lost.component.as_ref().map_or("-", |c| c.as_str())),
        CellText::text(words::back_to(&assessment.corrupted, picture.judged_at, zone))
            .sorted_by(assessment.corrupted.data_time.map_or(f64::MIN, |at| at.millis() as f64)),
        CellText::text(words::rto(&assessment.rto))
            .sorted_by_duration(assessment.rto.estimated.as_ref().map(RtoEstimate::total)),
        CellText::dim(words::rto_basis(&assessment.rto, picture.judged_at)),
        CellText::new(words::app_verdict(app, assessment, zone), role).sorted_by(severity),
    ];
    let also = format!("{} tier:{} verdict:{} {}", app.id, app.tier, assessment.verdict.word(), app.strategy.word());
    Row::new(Target::App(app.id.clone()), cells, &also)
}

/// How long an observation may be unread before its age is drawn as old, where no slot says it.
pub const AGE_BUDGET: Duration = Duration::from_mins(5);
