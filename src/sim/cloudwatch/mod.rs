//! CloudWatch of the simulated estate: `GetMetricData`, `ListMetrics` and `DescribeAlarms` in three wire protocols.
//!
//! rpc-v2-cbor (Rust SDK, current botocore), awsJson 1.0 and awsQuery (older clients) carry the same answers
//! (field guide 7, 9.2). A Region's answer holds what is published in that Region only; that a request reaches a
//! Region at all is not decided here. Look next at [`catalogue`] (which metrics), [`series`] (their values),
//! [`query`] (`GetMetricData`) and [`alarms`].

use http::{HeaderValue, StatusCode};

use crate::{
    domain::{Estate, Timestamp},
    sim::{
        codec::{Input, Node, cbor, json, query as form},
        route,
        service::{Answer, Call},
        surroundings::Surroundings,
        wire::{Protocol, Refusal, respond},
    },
};

mod alarms;
mod catalogue;
mod list;
mod query;
mod series;
#[cfg(test)]
mod tests;

use alarms::Alarm;
use series::Stream;

const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

/// The service in every Region.
#[derive(Clone, Debug)]
pub struct Metrics {
    streams: Vec<Stream>,
    alarms: Vec<Alarm>,
    start: Timestamp,
}

impl Metrics {
    /// `start`: estate time at which the simulator begins. Metrics reach back before it as far as CloudWatch keeps
    /// them.
    #[must_use]
    pub fn new(estate: &Estate, seed: u64, start: Timestamp) -> Self {
        let streams = catalogue::streams(estate, seed);
        let alarms = alarms::alarms(estate, &streams);
        Self { streams, alarms, start }
    }

    /// The answer to one request in the protocol it came in; errors are answers too.
    #[must_use]
    pub fn answer(&self, call: &Call<'_>, around: &dyn Surroundings) -> Answer {
        let target = route::target(call.request);
        let (protocol, operation) = (target.protocol, target.operation.as_str());
        let result = read(call, protocol).and_then(|input| match operation {
            "GetMetricData" => self.get_metric_data(call, &input, around),
            "ListMetrics" => self.list_metrics(call, &input, around),
            "DescribeAlarms" => self.describe_alarms(call, &input, around),
            other => Err(Refusal::bad("InvalidAction", format!("The simulator does not model CloudWatch {other}."))),
        });
        match result {
            Ok(node) => write(protocol, operation, call.request_id, &node),
            Err(refusal) => refusal.answer(protocol, call.request_id),
        }
    }
}

fn read(call: &Call<'_>, protocol: Protocol) -> Result<Input, Refusal> {
    let body = call.request.body();
    let input = match protocol {
        Protocol::Cbor => cbor::read(body),
        Protocol::Json | Protocol::RestJson => Input::from_json(body),
        Protocol::Query | Protocol::RestXml => form::read(body),
    };
    input.ok_or_else(|| Refusal::bad("SerializationException", "The request body could not be read."))
}

fn write(protocol: Protocol, operation: &str, request_id: &str, node: &Node) -> Answer {
    match protocol {
        Protocol::Cbor => {
            let mut answer = respond(StatusCode::OK, "application/cbor", cbor::write(node));
            answer.headers_mut().insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
            answer
        }
        Protocol::Json | Protocol::RestJson => respond(StatusCode::OK, "application/x-amz-json-1.0", json::write(node)),
        Protocol::Query | Protocol::RestXml => {
            respond(StatusCode::OK, "text/xml", form::write(operation, NAMESPACE, request_id, node))
        }
    }
}

/// A parameter that cannot be, as CloudWatch words it.
fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad("InvalidParameterValue", message)
}

fn required(name: &str) -> Refusal {
    Refusal::bad("MissingParameter", format!("The parameter {name} is required."))
}
