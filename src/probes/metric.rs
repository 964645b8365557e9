//! Any CloudWatch metric as a component, so that everything with a metric can be watched.
//!
//! A metric speaks for the RPO only when it says that it measures a lag; otherwise it is a gauge to be shown.

use super::{
    Answers, ComponentCtx, Need, Observed, Probe,
    answers::{Seen, lag_needs},
    metric_need,
    need::{MetricNeed, Window},
};
use crate::domain::{
    Fact, ProbeError, RegionId, Series, Timestamp,
    app::{Component, Role},
    fact::What,
    kind::{KindSpec, ParamShape, ParamSpec},
    region::Side,
};

pub const SPEC: KindSpec = KindSpec {
    id: "metric",
    title: "metric",
    observed: true,
    role: Role::Link,
    params: &[
        ParamSpec {
            name: "namespace",
            shape: ParamShape::Text,
            required: true,
            doc: "CloudWatch namespace, e.g. AWS/DMS.",
        },
        ParamSpec { name: "metric", shape: ParamShape::Text, required: true, doc: "Metric name." },
        ParamSpec {
            name: "dimensions",
            shape: ParamShape::Map,
            required: false,
            doc: "Dimensions, exactly as published.",
        },
        ParamSpec { name: "stat", shape: ParamShape::Text, required: false, doc: "Statistic; default Maximum." },
        ParamSpec { name: "period", shape: ParamShape::Duration, required: false, doc: "Period; default 60s." },
        ParamSpec {
            name: "side",
            shape: ParamShape::Side,
            required: false,
            doc: "Side in whose Region it is read. Either this or `region`.",
        },
        ParamSpec {
            name: "region",
            shape: ParamShape::Region,
            required: false,
            doc: "Region outside the pair in which it is read, e.g. us-east-1 for Route 53.",
        },
        ParamSpec {
            name: "measures",
            shape: ParamShape::Text,
            required: false,
            doc: "gauge (default), lag-seconds or lag-millis.",
        },
        ParamSpec { name: "at_least", shape: ParamShape::Number, required: false, doc: "Healthy from here up." },
        ParamSpec { name: "at_most", shape: ParamShape::Number, required: false, doc: "Healthy up to here." },
    ],
    region_lost: lag,
    corrupted: |_| Vec::new(),
};

/// What the value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measures {
    /// Shown, and held against `at_least` / `at_most`.
    Gauge,
    LagSeconds,
    LagMillis,
}

impl Measures {
    /// The words of the file.
    pub const WORDS: [(&'static str, Self); 3] =
        [("gauge", Self::Gauge), ("lag-seconds", Self::LagSeconds), ("lag-millis", Self::LagMillis)];

    /// What a `metric` component says that it measures; a gauge when it says nothing.
    #[must_use]
    pub fn of(component: &Component) -> Self {
        let word = component.params.text("measures").unwrap_or("gauge");
        Self::WORDS.iter().find(|(known, _)| *known == word).map_or(Self::Gauge, |(_, measures)| *measures)
    }
}

fn lag(component: &Component) -> Option<(Side, What)> {
    match Measures::of(component) {
        Measures::Gauge => None,
        Measures::LagSeconds | Measures::LagMillis => component.params.side("side").map(|side| (side, What::Lag)),
    }
}

#[derive(Debug)]
pub struct AnyMetric;

fn need(ctx: &ComponentCtx<'_>) -> Option<MetricNeed> {
    let region = match ctx.component.params.side("side") {
        Some(side) => ctx.region(side),
        None => RegionId::new(ctx.text("region")?),
    };
    let dimensions = ctx.component.params.map("dimensions").cloned().unwrap_or_default();
    let stat = ctx.text("stat").unwrap_or("Maximum");
    let mut need = metric_need(&region, ctx.text("namespace")?, ctx.text("metric")?, dimensions, stat, Window::Recent);
    if let Some(period) = ctx.component.params.duration("period") {
        need.query.period = period;
    }
    Some(need)
}

impl Probe for AnyMetric {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }

    fn needs(&self, ctx: &ComponentCtx<'_>) -> Vec<Need> {
        let Some(need) = need(ctx) else { return Vec::new() };
        match Measures::of(ctx.component) {
            Measures::Gauge => vec![Need::Metric(need)],
            Measures::LagSeconds | Measures::LagMillis => lag_needs(need).into(),
        }
    }

    fn observe(&self, ctx: &ComponentCtx<'_>, answers: &Answers, _now: Timestamp) -> Vec<Observed> {
        let Some(need) = need(ctx) else { return Vec::new() };
        let gauge = |outcome: Result<Seen<'_, Series>, &ProbeError>| {
            outcome.map(|seen| seen.metric(seen.value.clone(), Fact::Gauge)).map_err(Clone::clone)
        };
        let (what, fact) = match Measures::of(ctx.component) {
            Measures::Gauge => (What::Gauge, answers.series(&need).map(gauge)),
            Measures::LagSeconds => (What::Lag, answers.lag(&need, 1.0)),
            Measures::LagMillis => (What::Lag, answers.lag(&need, 1_000.0)),
        };
        fact.map(|fact| (ctx.fact(&need.region, what), fact)).into_iter().collect()
    }
}
