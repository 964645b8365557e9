//! CloudWatch (field guide section 7): metrics in batches, alarms of both types.
//!
//! The Rust SDK speaks rpc-v2-cbor to it. No data is not zero: an empty series stays empty.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_cloudwatch::types::{
    AlarmType, Dimension, Metric, MetricDataQuery, MetricStat, ScanBy, StateValue, StatusCode,
};

use super::{
    connection::ServiceClients,
    convert::{date_time, opt_time, safe, time},
    error::CallError,
    operation::{Answered, PAGES_MAX, ReadOp, Site, pages},
};
use crate::domain::{
    CallDescription, ProbeFailure, RegionId, Timestamp,
    fact::{Point, Series},
    resource::{Alarm, AlarmState, MetricId},
    text::SafeText,
};

/// Queries in one GetMetricData call at most (field guide 7.1).
pub const QUERIES_MAX: usize = 500;

/// One metric asked for. No unit is ever sent: a wrong one silently returns nothing (field guide 7.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricQuery {
    pub metric: MetricId,
    /// `Maximum`, `Sum`, `p99` …
    pub stat: String,
    /// A multiple of 60 s.
    pub period: Duration,
}

/// The answer to one query of the batch; a metric that failed does not spoil its neighbours.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricAnswer {
    pub query: MetricQuery,
    pub series: Result<Series, MetricFailure>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricFailure {
    pub failure: ProbeFailure,
    pub message: SafeText,
}

/// Up to [`QUERIES_MAX`] metrics of one Region in one call; answers in the order of the queries.
#[derive(Clone, Debug)]
pub struct GetMetricData {
    pub region: RegionId,
    pub queries: Vec<MetricQuery>,
    /// Inclusive.
    pub start: Timestamp,
    /// Exclusive.
    pub end: Timestamp,
}

impl GetMetricData {
    fn site(&self) -> Site {
        Site::reading("cloudwatch", "GetMetricData", &self.region)
    }

    fn wire_queries(&self) -> Vec<MetricDataQuery> {
        let query = |(n, query): (usize, &MetricQuery)| {
            let dimensions = query.metric.dimensions.iter();
            let metric = Metric::builder()
                .namespace(&query.metric.namespace)
                .metric_name(&query.metric.name)
                .set_dimensions(Some(
                    dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build()).collect(),
                ))
                .build();
            let stat = MetricStat::builder()
                .metric(metric)
                .period(i32::try_from(query.period.as_secs()).unwrap_or(60))
                .stat(&query.stat)
                .build();
            MetricDataQuery::builder().id(format!("m{n}")).metric_stat(stat).build()
        };
        self.queries.iter().enumerate().map(query).collect()
    }
}

/// What the pages told of one query so far.
#[derive(Default)]
struct Gathered {
    points: Vec<Point>,
    failure: Option<MetricFailure>,
    seen: bool,
}

impl ReadOp for GetMetricData {
    type Output = Vec<MetricAnswer>;

    fn describe(&self) -> CallDescription {
        let params = vec![
            ("MetricDataQueries", Some(format!("{} queries", self.queries.len()))),
            ("StartTime", Some(self.start.rfc3339())),
            ("EndTime", Some(self.end.rfc3339())),
        ];
        self.site().describe(params, &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<MetricAnswer>>, CallError> {
        let cloudwatch = &clients.region(&self.region)?.cloudwatch;
        let mut gathered: Vec<Gathered> = self.queries.iter().map(|_| Gathered::default()).collect();
        let (mut token, mut request_id, mut truncated) = (None, None, true);
        for page in 0..PAGES_MAX {
            let request = cloudwatch
                .get_metric_data()
                .set_metric_data_queries(Some(self.wire_queries()))
                .start_time(date_time(self.start))
                .end_time(date_time(self.end))
                .scan_by(ScanBy::TimestampDescending)
                .set_next_token(token.clone());
            // AWS bills the metrics of a request once, not again for each page of its answer.
            let billed = if page == 0 { self.queries.len() } else { 0 };
            let (output, id) = clients.call(&self.site(), billed, request.send()).await?;
            request_id = id.or(request_id);
            for result in output.metric_data_results() {
                // Joined on the id, never on label or position (field guide 7.1).
                let index = result.id().and_then(|id| id.strip_prefix('m')).and_then(|n| n.parse::<usize>().ok());
                let Some(slot) = index.and_then(|n| gathered.get_mut(n)) else { continue };
                slot.seen = true;
                let pairs = result.timestamps().iter().zip(result.values());
                slot.points.extend(pairs.filter_map(|(at, value)| Some(Point { at: time(at)?, value: *value })));
                slot.failure = failure_of(result.status_code(), result.messages());
            }
            let next = output.next_token.filter(|next| !next.is_empty());
            if next.is_none() || next == token {
                truncated = next.is_some();
                break;
            }
            token = next;
        }
        let answers = self.queries.iter().zip(gathered).map(|(query, slot)| MetricAnswer {
            query: query.clone(),
            series: match slot {
                Gathered { failure: Some(failure), .. } => Err(failure),
                Gathered { seen: false, .. } => Err(MetricFailure {
                    failure: ProbeFailure::BadAnswer,
                    message: SafeText::new("the answer does not mention this metric"),
                }),
                Gathered { mut points, .. } => {
                    points.sort_by_key(|point| point.at);
                    points.dedup_by_key(|point| point.at);
                    Ok(Series { period: query.period, points })
                }
            },
        });
        Ok(Answered { value: answers.collect(), request_id, truncated })
    }
}

/// `PartialData` is not a failure: the next page goes on with it.
fn failure_of(
    status: Option<&StatusCode>,
    messages: &[aws_sdk_cloudwatch::types::MessageData],
) -> Option<MetricFailure> {
    let failure = match status? {
        StatusCode::Complete | StatusCode::PartialData => return None,
        StatusCode::Forbidden => ProbeFailure::Denied,
        StatusCode::InternalError => ProbeFailure::ServerError,
        _ => ProbeFailure::BadAnswer,
    };
    let text = messages.iter().filter_map(|message| message.value()).collect::<Vec<_>>().join("; ");
    let message = if text.is_empty() { SafeText::new(failure.word()) } else { SafeText::new(text) };
    Some(MetricFailure { failure, message })
}

/// Metrics with data in the last two weeks; an empty list for a metric means that its dimensions are wrong.
#[derive(Clone, Debug)]
pub struct ListMetrics {
    pub region: RegionId,
    pub namespace: Option<String>,
    pub name: Option<String>,
}

impl ListMetrics {
    fn site(&self) -> Site {
        Site::reading("cloudwatch", "ListMetrics", &self.region)
    }
}

impl ReadOp for ListMetrics {
    type Output = Vec<MetricId>;

    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("Namespace", self.namespace.clone()), ("MetricName", self.name.clone())], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<MetricId>>, CallError> {
        let cloudwatch = &clients.region(&self.region)?.cloudwatch;
        let request =
            cloudwatch.list_metrics().set_namespace(self.namespace.clone()).set_metric_name(self.name.clone());
        let ask = |token| request.clone().set_next_token(token).send();
        pages(clients, &self.site(), ask, |page| {
            let items = page.metrics().iter().map(metric_id).collect();
            (items, page.next_token)
        })
        .await
    }
}

fn metric_id(raw: &Metric) -> MetricId {
    let dimension =
        |raw: &Dimension| (raw.name().unwrap_or_default().to_owned(), raw.value().unwrap_or_default().to_owned());
    MetricId {
        namespace: raw.namespace().unwrap_or_default().to_owned(),
        name: raw.metric_name().unwrap_or_default().to_owned(),
        dimensions: raw.dimensions().iter().map(dimension).collect::<BTreeMap<_, _>>(),
    }
}

/// All alarms of the Region. Both types are named: without that AWS leaves composite ones out (fact 16).
#[derive(Clone, Debug)]
pub struct DescribeAlarms {
    pub region: RegionId,
}

impl DescribeAlarms {
    fn site(&self) -> Site {
        Site::reading("cloudwatch", "DescribeAlarms", &self.region)
    }
}

impl ReadOp for DescribeAlarms {
    type Output = Vec<Alarm>;

    fn describe(&self) -> CallDescription {
        self.site().describe(vec![("AlarmTypes", Some("MetricAlarm, CompositeAlarm".to_owned()))], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Vec<Alarm>>, CallError> {
        let cloudwatch = &clients.region(&self.region)?.cloudwatch;
        let request = cloudwatch
            .describe_alarms()
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .max_records(100);
        let ask = |token| request.clone().set_next_token(token).send();
        pages(clients, &self.site(), ask, |page| {
            let metric = page.metric_alarms().iter().map(|raw| Alarm {
                name: safe(raw.alarm_name()),
                composite: false,
                state: alarm_state(raw.state_value()),
                reason: raw.state_reason().map(SafeText::new),
                since: opt_time(raw.state_transitioned_timestamp().or(raw.state_updated_timestamp())),
                silent: raw.actions_enabled() == Some(false),
            });
            let composite = page.composite_alarms().iter().map(|raw| Alarm {
                name: safe(raw.alarm_name()),
                composite: true,
                state: alarm_state(raw.state_value()),
                reason: raw.state_reason().map(SafeText::new),
                since: opt_time(raw.state_transitioned_timestamp().or(raw.state_updated_timestamp())),
                silent: raw.actions_enabled() == Some(false),
            });
            let items = metric.chain(composite).collect();
            (items, page.next_token)
        })
        .await
    }
}

/// A state that this version does not know is not `Ok`.
const fn alarm_state(state: Option<&StateValue>) -> AlarmState {
    match state {
        Some(StateValue::Ok) => AlarmState::Ok,
        Some(StateValue::Alarm) => AlarmState::Alarm,
        _ => AlarmState::InsufficientData,
    }
}
