//! Alarms: the estate's own and those that a careful team would have on its metrics (field guide 7.3).
//!
//! A state is read off the metric each time it is asked for, at the moment asked about; so is the moment of its
//! last transition. What is watched is *assumed*: the estate names an alarm, not its rule.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use super::{
    Metrics,
    catalogue::declared_id,
    invalid, list,
    series::{Bucket, MINUTE, Stream},
};
use crate::{
    domain::{
        App, Component, Estate, RegionId, Side, Timestamp,
        resource::{AlarmState, MetricId},
    },
    sim::{
        codec::{Input, Node},
        service::Call,
        surroundings::Surroundings,
        wire::Refusal,
    },
};

/// Three of three one-minute points; without any in five minutes there is not enough data.
const DATAPOINTS: usize = 3;
const LOOK_BACK: i64 = 5;

#[derive(Clone, Debug)]
pub struct Alarm {
    pub name: String,
    pub region: RegionId,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Metric {
        metric: MetricId,
        bound: Bound,
    },
    /// In alarm when any child is. A composite can only name alarms of its own Region (field guide 7.3).
    Composite {
        children: Vec<String>,
    },
    /// Nothing in the estate says what it watches: it is OK.
    Unwatched,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    Below(f64),
    Above(f64),
}

impl Bound {
    const fn stat(self) -> &'static str {
        match self {
            Self::Below(_) => "Minimum",
            Self::Above(_) => "Maximum",
        }
    }

    fn broken(self, value: f64) -> bool {
        match self {
            Self::Below(bound) => value < bound,
            Self::Above(bound) => value > bound,
        }
    }

    const fn threshold(self) -> f64 {
        match self {
            Self::Below(bound) | Self::Above(bound) => bound,
        }
    }

    const fn operator(self) -> &'static str {
        match self {
            Self::Below(_) => "LessThanThreshold",
            Self::Above(_) => "GreaterThanThreshold",
        }
    }
}

/// Minutes already looked at while one call is answered.
struct Look<'a> {
    around: &'a dyn Surroundings,
    /// By the stream's number and the minute.
    seen: RefCell<HashMap<(usize, i64), Option<Bucket>>>,
}

impl Look<'_> {
    fn minute(&self, number: usize, stream: &Stream, minute: i64) -> Option<Bucket> {
        *self.seen.borrow_mut().entry((number, minute)).or_insert_with(|| stream.minute(minute, self.around))
    }
}

/// Every alarm, metric alarms first, by Region and name.
#[must_use]
pub fn alarms(estate: &Estate, streams: &[Stream]) -> Vec<Alarm> {
    let mut alarms: Vec<Alarm> = Vec::new();
    for app in &estate.apps {
        let mut own: Vec<Alarm> = Vec::new();
        for component in &app.components {
            let Some((region, metric, bound)) = watched(estate, app, component) else { continue };
            if streams.iter().any(|stream| stream.region == region && stream.id == metric) {
                let name = format!("{}-{}", app.id, component.id);
                own.push(Alarm { name, region, rule: Rule::Metric { metric, bound } });
            }
        }
        for component in app.components.iter().filter(|component| component.kind == "alarm") {
            let Some(name) = component.params.text("alarm") else { continue };
            let region = &estate.regions.get(component.params.side("side").unwrap_or(Side::Primary)).id;
            let nearest = own.iter().find(|alarm| alarm.region == *region).map(|alarm| alarm.rule.clone());
            let children = || own.iter().filter(|alarm| alarm.region == *region).map(|a| a.name.clone()).collect();
            let rule = if name.contains("composite") {
                Rule::Composite { children: children() }
            } else {
                nearest.unwrap_or(Rule::Unwatched)
            };
            alarms.push(Alarm { name: name.to_owned(), region: region.clone(), rule });
        }
        // The composite lives outside the primary Region, which it may have to tell of.
        let outside = &estate.regions.recovery.id;
        let children: Vec<String> =
            own.iter().filter(|alarm| alarm.region == *outside).map(|alarm| alarm.name.clone()).collect();
        if !children.is_empty() {
            let name = format!("{}-impaired", app.id);
            own.push(Alarm { name, region: outside.clone(), rule: Rule::Composite { children } });
        }
        alarms.extend(own);
    }
    alarms.sort_by(|a, b| a.order().cmp(&b.order()));
    alarms.dedup_by(|a, b| a.name == b.name && a.region == b.region);
    alarms
}

/// What a component's alarm would watch.
fn watched(estate: &Estate, app: &App, component: &Component) -> Option<(RegionId, MetricId, Bound)> {
    let params = &component.params;
    let rds = |name: &str, dimension: &str, value: &str| MetricId {
        namespace: "AWS/RDS".into(),
        name: name.into(),
        dimensions: [(dimension.to_owned(), value.to_owned())].into(),
    };
    let recovery = || estate.regions.recovery.id.clone();
    match component.kind {
        "aurora-global" => {
            let cluster = params.side_text("clusters", Side::Recovery)?;
            Some((recovery(), rds("AuroraGlobalDBRPOLag", "DBClusterIdentifier", cluster), Bound::Above(5_000.0)))
        }
        "rds-instance" => {
            let replica = params.text("replica")?;
            Some((recovery(), rds("ReplicaLag", "DBInstanceIdentifier", replica), Bound::Above(60.0)))
        }
        "metric" => {
            let (region, metric) = declared_id(estate, component)?;
            let rpo = component.rpo.or(app.rpo).map(|rpo| rpo.as_secs_f64());
            let bound = match (params.number("at_least"), params.number("at_most"), params.text("measures")) {
                (Some(least), ..) => Bound::Below(least),
                (_, Some(most), _) => Bound::Above(most),
                (_, _, Some("lag-seconds")) => Bound::Above(rpo?),
                (_, _, Some("lag-millis")) => Bound::Above(1000.0 * rpo?),
                _ => return None,
            };
            Some((region, metric, bound))
        }
        _ => None,
    }
}

impl Alarm {
    const fn composite(&self) -> bool {
        matches!(self.rule, Rule::Composite { .. })
    }

    fn order(&self) -> (bool, &RegionId, &str) {
        (self.composite(), &self.region, &self.name)
    }

    fn arn(&self, account: &str) -> String {
        format!("arn:aws:cloudwatch:{}:{account}:alarm:{}", self.region, self.name)
    }
}

const fn word(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Ok => "OK",
        AlarmState::Alarm => "ALARM",
        AlarmState::InsufficientData => "INSUFFICIENT_DATA",
    }
}

impl Metrics {
    fn state(&self, alarm: &Alarm, at: Timestamp, look: &Look<'_>) -> AlarmState {
        match &alarm.rule {
            Rule::Unwatched => AlarmState::Ok,
            Rule::Composite { children } => {
                let mut children =
                    self.alarms.iter().filter(|a| a.region == alarm.region && children.contains(&a.name));
                let any = children.any(|child| !child.composite() && self.state(child, at, look) == AlarmState::Alarm);
                if any { AlarmState::Alarm } else { AlarmState::Ok }
            }
            Rule::Metric { metric, bound } => {
                let stream = self.streams.iter().position(|s| s.region == alarm.region && s.id == *metric);
                let Some(number) = stream else { return AlarmState::InsufficientData };
                let stream = &self.streams[number];
                let newest = stream.newest_minute(at);
                let points: Vec<f64> = (newest - LOOK_BACK + 1..=newest)
                    .rev()
                    .filter_map(|minute| look.minute(number, stream, minute)?.stat(bound.stat()))
                    .take(DATAPOINTS)
                    .collect();
                match points.as_slice() {
                    [] => AlarmState::InsufficientData,
                    points if points.len() == DATAPOINTS && points.iter().all(|v| bound.broken(*v)) => {
                        AlarmState::Alarm
                    }
                    _ => AlarmState::Ok,
                }
            }
        }
    }

    /// The minute in which the state became what it is; looks back a day. Before that, and before the start:
    /// three days before the start.
    fn since(&self, alarm: &Alarm, state: AlarmState, now: Timestamp, look: &Look<'_>) -> Timestamp {
        let minute = now.millis().div_euclid(MINUTE);
        let first = (self.start.millis().div_euclid(MINUTE) - 60).max(minute - 24 * 60);
        let changed = (first..=minute)
            .rev()
            .find(|before| self.state(alarm, Timestamp::from_millis(before * MINUTE), look) != state);
        changed.map_or(self.start - Duration::from_hours(3 * 24), |before| {
            Timestamp::from_millis((before + 1) * MINUTE).min(now)
        })
    }

    pub(super) fn describe_alarms(
        &self,
        call: &Call<'_>,
        input: &Input,
        around: &dyn Surroundings,
    ) -> Result<Node, Refusal> {
        let names = input.texts("AlarmNames");
        let prefix = input.text("AlarmNamePrefix");
        if names.len() > 100 {
            return Err(invalid("AlarmNames must not have more than 100 items."));
        }
        if !names.is_empty() && prefix.is_some() {
            return Err(Refusal::bad(
                "InvalidParameterCombination",
                "AlarmNames and AlarmNamePrefix must not be given together.",
            ));
        }
        let types = input.texts("AlarmTypes");
        let most = match input.int("MaxRecords") {
            None => 50,
            Some(n) => usize::try_from(n)
                .ok()
                .filter(|n| (1..=100).contains(n))
                .ok_or_else(|| invalid("MaxRecords must be between 1 and 100."))?,
        };
        let from = match input.text("NextToken") {
            None => 0,
            Some(token) => token
                .parse::<usize>()
                .map_err(|_| Refusal::bad("InvalidNextToken", "The next token specified is invalid."))?,
        };
        let look = Look { around, seen: RefCell::default() };
        let (mut metric, mut composite, mut next) = (Vec::new(), Vec::new(), None);
        for (n, alarm) in self.alarms.iter().enumerate().skip(from) {
            // Without AlarmTypes composite alarms are left out (*documented*, field guide 0.1, fact 16).
            let wanted_type = if types.is_empty() {
                !alarm.composite()
            } else {
                types.iter().any(|t| t == if alarm.composite() { "CompositeAlarm" } else { "MetricAlarm" })
            };
            let wanted = alarm.region == *call.region
                && wanted_type
                && (names.is_empty() || names.contains(&alarm.name))
                && prefix.is_none_or(|prefix| alarm.name.starts_with(prefix))
                && input.text("ActionPrefix").is_none_or(|prefix| topic(call).starts_with(prefix))
                && self.related(alarm, input);
            if !wanted {
                continue;
            }
            let state = self.state(alarm, call.now, &look);
            if input.text("StateValue").is_some_and(|wanted| wanted != word(state)) {
                continue;
            }
            if metric.len() + composite.len() == most {
                next = Some(n.to_string());
                break;
            }
            let node = self.describe(alarm, state, call, &look);
            if alarm.composite() { composite.push(node) } else { metric.push(node) }
        }
        Ok(Node::Map(vec![
            ("MetricAlarms", metric.into()),
            ("CompositeAlarms", composite.into()),
            ("NextToken", Node::maybe(next)),
        ]))
    }

    fn related(&self, alarm: &Alarm, input: &Input) -> bool {
        let children_of = |parent: &str| {
            let parent = self.alarms.iter().find(|a| a.name == parent && a.region == alarm.region);
            parent.is_some_and(|a| matches!(&a.rule, Rule::Composite { children } if children.contains(&alarm.name)))
        };
        let parent_of =
            |child: &str| matches!(&alarm.rule, Rule::Composite { children } if children.iter().any(|c| c == child));
        input.text("ChildrenOfAlarmName").is_none_or(children_of)
            && input.text("ParentsOfAlarmName").is_none_or(parent_of)
    }

    fn describe(&self, alarm: &Alarm, state: AlarmState, call: &Call<'_>, look: &Look<'_>) -> Node {
        let since = self.since(alarm, state, call.now, look);
        let reason = match (&alarm.rule, state) {
            (Rule::Composite { .. }, AlarmState::Alarm) => "A child alarm is in ALARM.".to_owned(),
            (Rule::Metric { .. }, AlarmState::InsufficientData) => {
                format!("Insufficient Data: no datapoints in the last {LOOK_BACK} minutes.")
            }
            (Rule::Metric { bound, .. }, AlarmState::Alarm) => format!(
                "Threshold Crossed: {DATAPOINTS} out of the last {DATAPOINTS} datapoints were {} ({}).",
                if matches!(bound, Bound::Below(_)) { "less than the threshold" } else { "greater than the threshold" },
                bound.threshold()
            ),
            _ => "Threshold not crossed.".to_owned(),
        };
        let mut members = vec![
            ("AlarmName", alarm.name.as_str().into()),
            ("AlarmArn", alarm.arn(call.account).into()),
            ("ActionsEnabled", true.into()),
            ("OKActions", Vec::new().into()),
            ("AlarmActions", vec![Node::from(topic(call))].into()),
            ("InsufficientDataActions", Vec::new().into()),
            ("StateValue", word(state).into()),
            ("StateReason", reason.into()),
            ("StateUpdatedTimestamp", since.into()),
            ("StateTransitionedTimestamp", since.into()),
            ("AlarmConfigurationUpdatedTimestamp", (self.start - Duration::from_hours(90 * 24)).into()),
        ];
        match &alarm.rule {
            Rule::Composite { children } => {
                let rule: Vec<String> = children.iter().map(|child| format!("ALARM(\"{child}\")")).collect();
                members.push(("AlarmRule", if rule.is_empty() { "FALSE".into() } else { rule.join(" OR ").into() }));
            }
            Rule::Metric { metric, bound } => members.extend([
                ("Namespace", metric.namespace.as_str().into()),
                ("MetricName", metric.name.as_str().into()),
                ("Dimensions", list::dimensions(metric)),
                ("Statistic", bound.stat().into()),
                ("Period", 60.into()),
                ("EvaluationPeriods", 3.into()),
                ("DatapointsToAlarm", 3.into()),
                ("Threshold", Node::Float(bound.threshold())),
                ("ComparisonOperator", bound.operator().into()),
                ("TreatMissingData", "missing".into()),
            ]),
            Rule::Unwatched => {
                members.extend([("EvaluationPeriods", 3.into()), ("TreatMissingData", "notBreaching".into())]);
            }
        }
        Node::Map(members)
    }
}

/// SNS topics are Regional (field guide 7.4).
fn topic(call: &Call<'_>) -> String {
    format!("arn:aws:sns:{}:{}:dr-alarms", call.region, call.account)
}
