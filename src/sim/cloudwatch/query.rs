//! `GetMetricData` (field guide 7.1): queries checked as AWS checks them, points paged as AWS pages them.
//!
//! *Not modelled*: metric math, Metrics Insights, high resolution and cross-account queries; they are refused by
//! name rather than answered wrongly.

use std::collections::BTreeSet;

use super::{
    Metrics, invalid, required,
    series::{Bucket, MINUTE, Stream},
};
use crate::{
    domain::{RegionId, Timestamp, resource::MetricId},
    sim::{
        codec::{Input, Node},
        service::Call,
        surroundings::Surroundings,
        wire::Refusal,
    },
};

/// Queries per call, and points per answer (*documented*).
const QUERIES_MAX: usize = 500;
const DATAPOINTS_MAX: usize = 100_800;
const DAY: i64 = 24 * 60 * MINUTE;

struct Query {
    id: String,
    label: String,
    metric: MetricId,
    /// Minutes.
    period: i64,
    stat: String,
    return_data: bool,
}

impl Metrics {
    pub(super) fn get_metric_data(
        &self,
        call: &Call<'_>,
        input: &Input,
        around: &dyn Surroundings,
    ) -> Result<Node, Refusal> {
        let queries = input.maps("MetricDataQueries");
        if queries.is_empty() {
            return Err(required("MetricDataQueries"));
        }
        if queries.len() > QUERIES_MAX {
            return Err(Refusal::bad(
                "ValidationError",
                format!("The collection MetricDataQueries must not have a size greater than {QUERIES_MAX}."),
            ));
        }
        let from = input.time("StartTime").ok_or_else(|| required("StartTime"))?;
        let until = input.time("EndTime").ok_or_else(|| required("EndTime"))?;
        if from >= until {
            return Err(Refusal::bad(
                "ValidationError",
                "The parameter StartTime must be less than the parameter EndTime.",
            ));
        }
        let ascending = match input.text("ScanBy") {
            None | Some("TimestampDescending") => false,
            Some("TimestampAscending") => true,
            Some(other) => return Err(invalid(format!("ScanBy {other} is not known."))),
        };
        let most = match input.int("MaxDatapoints") {
            None => DATAPOINTS_MAX,
            Some(n) => usize::try_from(n)
                .ok()
                .filter(|n| (1..=DATAPOINTS_MAX).contains(n))
                .ok_or_else(|| invalid(format!("MaxDatapoints must be between 1 and {DATAPOINTS_MAX}.")))?,
        };
        let queries = queries.iter().map(query).collect::<Result<Vec<_>, _>>()?;
        let mut ids = BTreeSet::new();
        if let Some(twice) = queries.iter().find(|query| !ids.insert(query.id.as_str())) {
            return Err(Refusal::bad(
                "ValidationError",
                format!("The values for parameter id are not unique: {}.", twice.id),
            ));
        }
        let (at_query, at_point) = match input.text("NextToken") {
            None => (0, 0),
            Some(token) => token
                .split_once('.')
                .and_then(|(query, point)| Some((query.parse::<usize>().ok()?, point.parse::<usize>().ok()?)))
                .filter(|(query, _)| *query < queries.len())
                .ok_or_else(|| Refusal::bad("InvalidNextToken", "The next token specified is invalid."))?,
        };

        let mut results = Vec::new();
        let (mut left, mut next) = (most, None);
        for (n, query) in queries.iter().enumerate().skip(at_query).filter(|(_, query)| query.return_data) {
            if left == 0 {
                next = Some(format!("{n}.0"));
                break;
            }
            let skip = if n == at_query { at_point } else { 0 };
            let mut points = self.points(call.region, query, (from, until), call.now, around);
            if !ascending {
                points.reverse();
            }
            let page: Vec<_> = points.iter().skip(skip).take(left).collect();
            left -= page.len();
            let partial = skip + page.len() < points.len();
            results.push(Node::Map(vec![
                ("Id", query.id.as_str().into()),
                ("Label", query.label.as_str().into()),
                ("Timestamps", page.iter().map(|(at, _)| Node::Time(*at)).collect::<Vec<_>>().into()),
                ("Values", page.iter().map(|(_, value)| Node::Float(*value)).collect::<Vec<_>>().into()),
                ("StatusCode", if partial { "PartialData" } else { "Complete" }.into()),
            ]));
            if partial {
                next = Some(format!("{n}.{}", skip + page.len()));
                break;
            }
        }
        Ok(Node::Map(vec![
            ("MetricDataResults", results.into()),
            ("NextToken", Node::maybe(next)),
            ("Messages", Vec::new().into()),
        ]))
    }

    pub(super) fn stream(&self, region: &RegionId, id: &MetricId) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.region == *region && stream.id == *id)
    }

    /// Points in `from..until` that had arrived by `now`, oldest first. A metric that nobody publishes here has
    /// none, and that is no error (*documented*).
    fn points(
        &self,
        region: &RegionId,
        query: &Query,
        (from, until): (Timestamp, Timestamp),
        now: Timestamp,
        around: &dyn Surroundings,
    ) -> Vec<(Timestamp, f64)> {
        let Some(stream) = self.stream(region, &query.metric) else { return Vec::new() };
        // Kept: 60 s points for 15 days, 300 s for 63, 3600 s for 455 (*documented*).
        let kept = match query.period {
            p if p % 60 == 0 => 455 * DAY,
            p if p % 5 == 0 => 63 * DAY,
            _ => 15 * DAY,
        };
        let period = query.period * MINUTE;
        // StartTime is inclusive, EndTime exclusive; both are brought to the period's grid, downwards for the start
        // (*documented*: AWS rounds the start time down) and by the point's own stamp for the end.
        let first = from.millis().max(now.millis() - kept).div_euclid(period);
        let last = (until.millis() - 1).div_euclid(period).min(now.millis().div_euclid(period));
        let newest = stream.newest_minute(now);
        let mut points = Vec::new();
        for number in first..=last {
            let minutes = number * query.period..(number + 1) * query.period;
            let mut total: Option<Bucket> = None;
            for bucket in
                minutes.take_while(|minute| *minute <= newest).filter_map(|minute| stream.minute(minute, around))
            {
                match &mut total {
                    Some(total) => total.join(bucket),
                    None => total = Some(bucket),
                }
            }
            if let Some(value) = total.and_then(|bucket| bucket.stat(&query.stat)) {
                points.push((Timestamp::from_millis(number * period), value));
            }
        }
        points
    }
}

fn query(input: &Input) -> Result<Query, Refusal> {
    let id = input.text("Id").ok_or_else(|| required("MetricDataQueries.member.Id"))?.to_owned();
    // `^[a-z][a-zA-Z0-9_]*` (*documented*).
    let well_formed = id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.len() <= 255
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !well_formed {
        return Err(Refusal::bad(
            "ValidationError",
            format!("The value {id} for parameter Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."),
        ));
    }
    if let Some(expression) = input.text("Expression") {
        return Err(Refusal::bad(
            "ValidationError",
            format!("The simulator does not model metric math: Id {id}, Expression {expression}."),
        ));
    }
    let stat = input.map("MetricStat").ok_or_else(|| {
        Refusal::bad("ValidationError", format!("Exactly one of MetricStat or Expression is required for Id {id}."))
    })?;
    let metric = stat.map("Metric").ok_or_else(|| required("MetricStat.Metric"))?;
    let period = stat.int("Period").or_else(|| input.int("Period")).ok_or_else(|| required("MetricStat.Period"))?;
    if period < 60 || period % 60 != 0 {
        // High resolution (1, 5, 10, 20, 30 s) is not modelled: no metric of the estate has it.
        return Err(Refusal::bad("ValidationError", format!("Period {period} must be a multiple of 60 seconds.")));
    }
    let name = stat.text("Stat").ok_or_else(|| required("MetricStat.Stat"))?.to_owned();
    let known = Bucket { count: 1, sum: 0.0, min: 0.0, max: 0.0 }.stat(&name).is_some();
    if !known {
        return Err(Refusal::bad("ValidationError", format!("The value {name} for parameter Stat is not supported.")));
    }
    let metric = metric_id(&metric)?;
    Ok(Query {
        label: input.text("Label").unwrap_or(&metric.name).to_owned(),
        id,
        metric,
        period: period / 60,
        stat: name,
        return_data: input.flag("ReturnData").unwrap_or(true),
    })
}

fn metric_id(metric: &Input) -> Result<MetricId, Refusal> {
    let text = |name: &str| metric.text(name).map(str::to_owned).ok_or_else(|| required(name));
    let dimensions = metric.maps("Dimensions");
    let dimensions =
        dimensions.iter().filter_map(|d| Some((d.text("Name")?.to_owned(), d.text("Value")?.to_owned()))).collect();
    Ok(MetricId { namespace: text("Namespace")?, name: text("MetricName")?, dimensions })
}
