//! Customers served: two counters per Region, declared by the app, and the same minutes of last week.
//!
//! Not a component: an app has at most one. Last week's points stand in the same series, before the gap, so that
//! whoever has the series can compare without another question.

use super::{
    Observed,
    answers::Answers,
    metric_need,
    need::{Need, Window},
};
use crate::domain::{
    App, ComponentId, Estate, Fact, FactId, RegionId, Series, Side, What, app::ServedMetrics, fact::SERVED,
};

fn counters<'a>(app: &'a App, estate: &Estate) -> Vec<(RegionId, &'a ServedMetrics)> {
    let Some(served) = &app.served else { return Vec::new() };
    Side::BOTH.into_iter().map(|side| (estate.regions.get(side).id.clone(), served)).collect()
}

fn need(region: &RegionId, served: &ServedMetrics, name: &str, window: Window) -> super::need::MetricNeed {
    metric_need(region, &served.namespace, name, served.dimensions.clone(), "Sum", window)
}

#[must_use]
pub fn needs(app: &App, estate: &Estate) -> Vec<Need> {
    counters(app, estate)
        .into_iter()
        .flat_map(|(region, served)| {
            [
                Need::Metric(need(&region, served, &served.good, Window::Recent)),
                Need::Metric(need(&region, served, &served.total, Window::Recent)),
                Need::Metric(need(&region, served, &served.total, Window::WeekAgo)),
            ]
        })
        .collect()
}

#[must_use]
pub fn observe(app: &App, estate: &Estate, answers: &Answers) -> Vec<Observed> {
    let mut facts = Vec::new();
    for (region, served) in counters(app, estate) {
        let id =
            |what| FactId { app: app.id.clone(), component: ComponentId::new(SERVED), region: region.clone(), what };
        if let Some(outcome) = answers.series(&need(&region, served, &served.good, Window::Recent)) {
            let fact = outcome.map(|seen| seen.metric(seen.value.clone(), Fact::ServedGood)).map_err(Clone::clone);
            facts.push((id(What::ServedGood), fact));
        }
        if let Some(outcome) = answers.series(&need(&region, served, &served.total, Window::Recent)) {
            let week_ago = match answers.series(&need(&region, served, &served.total, Window::WeekAgo)) {
                Some(Ok(seen)) => Some(seen.value),
                Some(Err(_)) | None => None,
            };
            let fact = outcome
                .map(|seen| seen.metric(seen.value.clone(), |recent| Fact::ServedTotal(joined(week_ago, recent))))
                .map_err(Clone::clone);
            facts.push((id(What::ServedTotal), fact));
        }
    }
    facts
}

/// Last week's points, then this hour's.
fn joined(week_ago: Option<&Series>, recent: Series) -> Series {
    let Some(old) = week_ago else { return recent };
    let mut points = old.points.clone();
    points.extend(recent.points);
    points.sort_by_key(|point| point.at);
    points.dedup_by_key(|point| point.at);
    Series { period: recent.period, points }
}
