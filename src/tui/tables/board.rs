//! The board's rows: one per app, worst first.

use std::{cmp::Ordering, time::Duration};

use super::{List, Row, Target};
use crate::{
    domain::{
        Estate, Picture,
        app::App,
        compliance::{Assessment, Exposure, RtoEstimate},
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
    let mut judged: Vec<(&App, &Assessment)> = picture
        .assessments
        .iter()
        .enumerate()
        .filter_map(|(n, assessment)| {
            // One per app, in the estate's order: looked up only when that does not hold.
            let app = estate.apps.get(n).filter(|app| app.id == assessment.app).or_else(|| estate.app(&assessment.app));
            app.map(|app| (app, assessment))
        })
        .collect();
    judged.sort_by(|a, b| worst_first(a.0, a.1, b.0, b.1));
    List::new(judged.into_iter().map(|(app, assessment)| row(estate, picture, app, assessment)).collect())
}

/// Severity, then tier, then the ratio of exposure to target, then the name.
fn worst_first(app_a: &App, a: &Assessment, app_b: &App, b: &Assessment) -> Ordering {
    let ratio = |exposure: &Exposure| match (exposure.exposure.or(exposure.at_least), exposure.target) {
        (Some(figure), Some(target)) if !target.is_zero() => figure.as_secs_f64() / target.as_secs_f64(),
        _ => 0.0,
    };
    (a.verdict.severity(), app_a.tier)
        .cmp(&(b.verdict.severity(), app_b.tier))
        .then_with(|| ratio(&b.region_lost).total_cmp(&ratio(&a.region_lost)))
        .then_with(|| app_a.name.cmp(&app_b.name))
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
