//! The log of received calls: what arrived, what came of it, and whether it changed anything.
//!
//! Tests count effects here ("exactly one failover was sent"), so a call with an effect is never forgotten; of
//! the reads the newest are kept.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::Serialize;

use super::{
    route::Target,
    wire::{Element, Form, Protocol},
};
use crate::domain::{RegionId, Timestamp};

/// Ten minutes of a busy console; a few MiB.
const READS_MAX: usize = 8_000;
const PARAMS_MAX: usize = 400;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Received {
    /// From 1, without gaps.
    pub seq: u64,
    /// Estate time.
    pub at: Timestamp,
    pub service: String,
    pub operation: String,
    pub region: RegionId,
    /// Summary, e.g. `GlobalClusterIdentifier=payments-global, AllowDataLoss=true`.
    pub params: String,
    /// `200`, `400 Throttling`, `refused`, `black-hole`, `200, reply lost`, `late until TIME`, `200, late at TIME`.
    pub outcome: String,
    /// Whether the call changed the simulated world.
    pub effect: bool,
    /// Its effect is still to come: not to be forgotten either.
    #[serde(skip)]
    pub awaited: bool,
}

#[derive(Clone, Debug, Default)]
pub struct CallLog {
    calls: VecDeque<Received>,
    pub dropped: u64,
}

impl CallLog {
    pub fn push(&mut self, received: Received) {
        self.calls.push_back(received);
        if self.calls.len() > READS_MAX
            && let Some(oldest) = self.calls.iter().position(|call| !call.effect && !call.awaited)
        {
            self.calls.remove(oldest);
            self.dropped += 1;
        }
    }

    /// The effect of that call is still to come.
    pub fn await_effect(&mut self, seq: u64) {
        if let Some(call) = self.calls.iter_mut().rev().find(|call| call.seq == seq) {
            call.awaited = true;
        }
    }

    /// What came of a call whose effect was awaited: its one line in the log says so from now on.
    pub fn settle(&mut self, seq: u64, outcome: String, effect: bool) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.seq == seq) {
            (call.outcome, call.effect, call.awaited) = (outcome, effect, false);
        }
    }

    /// Oldest first, those after `seq`.
    pub fn after(&self, seq: u64) -> impl Iterator<Item = &Received> {
        self.calls.iter().filter(move |call| call.seq > seq)
    }
}

/// What the request said, short enough for one line of a log. The body of a signed request holds no secret.
#[must_use]
pub fn summary(target: &Target, request: &http::Request<Bytes>) -> String {
    let uri = request.uri();
    let path = || uri.path_and_query().map_or_else(String::new, |path| path.as_str().to_owned());
    let text = match target.protocol {
        Protocol::Query => {
            let form = Form::of(request);
            let pairs = form.0.iter().filter(|(name, _)| name != "Action" && name != "Version");
            pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
        }
        Protocol::RestXml => match changes(request.body()) {
            Some(changes) => format!("{} {changes}", uri.path()),
            None if request.body().is_empty() => path(),
            None => format!("{} {}", uri.path(), String::from_utf8_lossy(request.body())),
        },
        Protocol::RestJson if request.body().is_empty() => path(),
        Protocol::RestJson => format!("{} {}", uri.path(), String::from_utf8_lossy(request.body())),
        Protocol::Json => String::from_utf8_lossy(request.body()).into_owned(),
        Protocol::Cbor => {
            members(request.body()).unwrap_or_else(|| format!("{} bytes that are not CBOR", request.body().len()))
        }
    };
    let mut short: String = text.chars().take(PARAMS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// `StartTime=1763629200, MetricDataQueries[412]`: of a list its length, which is what a call costs.
fn members(body: &[u8]) -> Option<String> {
    use ciborium::Value;
    let Value::Map(members) = ciborium::from_reader::<Value, _>(body).ok()? else { return None };
    let scalar = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => "…".to_owned(),
    };
    let one = |(name, value): &(Value, Value)| {
        let name = name.as_text().unwrap_or("-");
        match value {
            Value::Array(list) => format!("{name}[{}]", list.len()),
            Value::Tag(_, inner) => format!("{name}={}", scalar(inner)),
            other => format!("{name}={}", scalar(other)),
        }
    };
    Some(members.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// `UPSERT api.bank.example. A mumbai Weight=0; …`
fn changes(body: &[u8]) -> Option<String> {
    let root = Element::parse(body)?;
    let changes = root.child("ChangeBatch")?.child("Changes")?;
    let one = |change: &Element| {
        let record = change.child("ResourceRecordSet");
        let field = |name: &str| record.and_then(|record| record.value(name)).unwrap_or("-").to_owned();
        let action = change.value("Action").unwrap_or("-");
        format!("{action} {} {} {} Weight={}", field("Name"), field("Type"), field("SetIdentifier"), field("Weight"))
    };
    Some(changes.children.iter().map(one).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use ciborium::Value;

    use super::members;

    #[test]
    fn a_cbor_call_is_logged_with_how_many_metrics_it_asked_for() {
        let text = |text: &str| Value::Text(text.to_owned());
        let body = Value::Map(vec![
            (text("StartTime"), Value::Tag(1, Box::new(Value::Integer(1_763_629_200_i64.into())))),
            (text("MetricDataQueries"), Value::Array(vec![Value::Null; 412])),
            (text("ScanBy"), text("TimestampDescending")),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&body, &mut bytes).expect("memory takes it");
        assert_eq!(
            members(&bytes).as_deref(),
            Some("StartTime=1763629200, MetricDataQueries[412], ScanBy=TimestampDescending")
        );
        assert_eq!(members(b"\xff\xff not CBOR"), None);
    }
}
