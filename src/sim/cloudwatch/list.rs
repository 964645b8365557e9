//! `ListMetrics`: which metrics had data lately, 500 to a page (field guide 7.2).

use super::{Metrics, invalid, series::Stream};
use crate::{
    domain::resource::MetricId,
    sim::{
        codec::{Input, Node},
        service::Call,
        surroundings::Surroundings,
        wire::Refusal,
    },
};

/// *Documented.*
const PAGE: usize = 500;

impl Metrics {
    pub(super) fn list_metrics(
        &self,
        call: &Call<'_>,
        input: &Input,
        around: &dyn Surroundings,
    ) -> Result<Node, Refusal> {
        let wanted = input.maps("Dimensions");
        let recent = match input.text("RecentlyActive") {
            None => false,
            Some("PT3H") => true,
            Some(other) => return Err(invalid(format!("RecentlyActive {other} is not PT3H."))),
        };
        let asked = |stream: &&Stream| {
            stream.region == *call.region
                && input.text("Namespace").is_none_or(|namespace| namespace == stream.id.namespace)
                && input.text("MetricName").is_none_or(|name| name == stream.id.name)
                && wanted.iter().all(|filter| {
                    let value = filter.text("Name").and_then(|name| stream.id.dimensions.get(name));
                    value.is_some_and(|value| filter.text("Value").is_none_or(|wanted| wanted == value))
                })
                && self.active(stream, call, recent, around)
        };
        let mut metrics: Vec<&Stream> = self.streams.iter().filter(asked).collect();
        metrics.sort_by(|a, b| a.id.cmp(&b.id));
        let from = match input.text("NextToken") {
            None => 0,
            Some(token) => token
                .parse::<usize>()
                .ok()
                .filter(|from| *from <= metrics.len())
                .ok_or_else(|| Refusal::bad("InvalidParameterValue", "The next token is not valid."))?,
        };
        let more = metrics.len() > from + PAGE;
        let page: Vec<Node> = metrics.iter().skip(from).take(PAGE).map(|stream| metric(&stream.id)).collect();
        let token = more.then(|| (from + PAGE).to_string());
        Ok(Node::Map(vec![("Metrics", page.into()), ("NextToken", Node::maybe(token))]))
    }

    /// Data within the last two weeks, or three hours (*documented*), looked for every twenty minutes of estate
    /// time: the lag of an Aurora cluster that has always been the writer was never published.
    fn active(&self, stream: &Stream, call: &Call<'_>, recent: bool, around: &dyn Surroundings) -> bool {
        let newest = stream.newest_minute(call.now);
        let window = if recent { 180 } else { 14 * 24 * 60 };
        // Before the start nothing changes, so one look there stands for all.
        let start = self.start.millis().div_euclid(super::series::MINUTE) - 20;
        let oldest = (newest - window).max(start.min(newest));
        (oldest..=newest).rev().step_by(20).any(|minute| stream.minute(minute, around).is_some())
    }
}

pub(super) fn metric(id: &MetricId) -> Node {
    Node::Map(vec![
        ("Namespace", id.namespace.as_str().into()),
        ("MetricName", id.name.as_str().into()),
        ("Dimensions", dimensions(id)),
    ])
}

pub(super) fn dimensions(id: &MetricId) -> Node {
    let pairs = id.dimensions.iter();
    pairs
        .map(|(name, value)| Node::Map(vec![("Name", name.as_str().into()), ("Value", value.as_str().into())]))
        .collect::<Vec<_>>()
        .into()
}
