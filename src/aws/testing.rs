//! Wires that answer from a script, and a clock of a given speed.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{
    Connection, ConnectionSettings, Transport, Wire, WireFailure, connection::TimeBudget, overrides::Environment,
};
use crate::domain::{Clock, RegionId, Timestamp, app::Access};

/// What the other side does with one request.
pub(crate) enum Reaction {
    Answer(http::Response<Bytes>),
    Fail(WireFailure),
    BlackHole,
}

type Script = Box<dyn Fn(&Asked) -> Reaction + Send + Sync>;

/// A request as the script sees it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub host: String,
    pub method: String,
    pub path: String,
    pub body: String,
}

impl Asked {
    pub fn region(&self) -> &str {
        self.host.split('.').find(|part| part.matches('-').count() == 2).unwrap_or("us-east-1")
    }

    pub fn service(&self) -> &str {
        self.host.split('.').next().unwrap_or_default()
    }

    /// The `Action` of an awsQuery request, or the last part of an rpc path.
    pub fn operation(&self) -> String {
        let action = self.body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        action.map_or_else(|| self.path.rsplit('/').next().unwrap_or_default().to_owned(), str::to_owned)
    }
}

pub(crate) struct ScriptedWire {
    script: Script,
    pub asked: Mutex<Vec<Asked>>,
}

impl fmt::Debug for ScriptedWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedWire")
    }
}

impl ScriptedWire {
    pub fn new(script: impl Fn(&Asked) -> Reaction + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { script: Box::new(script), asked: Mutex::default() })
    }

    pub fn count(&self, wanted: impl Fn(&Asked) -> bool) -> usize {
        self.asked.lock().expect("test lock").iter().filter(|asked| wanted(asked)).count()
    }
}

impl Wire for ScriptedWire {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>> {
        let asked = Asked {
            host: request.uri().host().unwrap_or_default().to_owned(),
            method: request.method().to_string(),
            path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
            body: String::from_utf8_lossy(request.body()).into_owned(),
        };
        let reaction = (self.script)(&asked);
        self.asked.lock().expect("test lock").push(asked);
        Box::pin(async move {
            match reaction {
                Reaction::Answer(response) => Ok(response),
                Reaction::Fail(failure) => Err(failure),
                Reaction::BlackHole => std::future::pending().await,
            }
        })
    }
}

pub(crate) fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Reaction {
    let mut response = http::Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("x-amzn-requestid", "req-1")
        .body(body.into())
        .expect("a response");
    if content_type == "application/cbor" {
        response.headers_mut().insert("smithy-protocol", http::HeaderValue::from_static("rpc-v2-cbor"));
    }
    Reaction::Answer(response)
}

/// `{"a": 1}` as CBOR. RFC 3339 text under a key that ends in `Timestamps` or `Timestamp` becomes a tagged time.
pub(crate) fn cbor(value: &serde_json::Value) -> Bytes {
    fn convert(key: &str, value: &serde_json::Value) -> ciborium::Value {
        use serde_json::Value as Json;
        match value {
            Json::Null => ciborium::Value::Null,
            Json::Bool(b) => ciborium::Value::Bool(*b),
            Json::Number(n) => ciborium::Value::Float(n.as_f64().expect("a number")),
            Json::String(text) if key.ends_with("Timestamp") || key.ends_with("Timestamps") => {
                let at = Timestamp::parse(text).expect("RFC 3339");
                ciborium::Value::Tag(1, Box::new(ciborium::Value::Float(at.millis() as f64 / 1_000.0)))
            }
            Json::String(text) => ciborium::Value::Text(text.clone()),
            Json::Array(items) => ciborium::Value::Array(items.iter().map(|item| convert(key, item)).collect()),
            Json::Object(map) => ciborium::Value::Map(
                map.iter().map(|(k, v)| (ciborium::Value::Text(k.clone()), convert(k, v))).collect(),
            ),
        }
    }
    let mut bytes = Vec::new();
    ciborium::into_writer(&convert("", value), &mut bytes).expect("CBOR");
    bytes.into()
}

/// The right empty answer of each service: nothing exists, and the caller is account 111122223333.
pub(crate) fn empty_answer(asked: &Asked) -> Reaction {
    let operation = asked.operation();
    match asked.service() {
        "sts" => answer(
            200,
            "text/xml",
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::111122223333:user/x</Arn><UserId>x</UserId><Account>111122223333</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>",
        ),
        "rds" => answer(
            200,
            "text/xml",
            format!("<{operation}Response><{operation}Result></{operation}Result></{operation}Response>"),
        ),
        "monitoring" => answer(200, "application/cbor", cbor(&serde_json::json!({}))),
        "backup" => answer(200, "application/json", "{}"),
        other => panic!("nobody answers for {other}: {asked:?}"),
    }
}

/// Estate time is a fixed start plus real time at some speed.
#[derive(Debug)]
pub(crate) struct TestClock {
    started: std::time::Instant,
    pub speed: f64,
}

impl TestClock {
    #[expect(clippy::disallowed_methods, reason = "a test's clock")]
    pub fn new(speed: f64) -> Self {
        Self { started: std::time::Instant::now(), speed }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_780_000_000) + self.monotonic().mul_f64(self.speed)
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_secs(1_780_000_000) + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn speed(&self) -> f64 {
        self.speed
    }
}

/// Tests do not wait for the real time-outs.
pub(crate) const QUICK: TimeBudget = TimeBudget {
    connect: Duration::from_millis(100),
    attempt: Duration::from_millis(200),
    operation: Duration::from_secs(2),
};

pub(crate) const MUMBAI: &str = "ap-south-1";
pub(crate) const HYDERABAD: &str = "ap-south-2";

pub(crate) fn settings(wire: Arc<ScriptedWire>, clock: Arc<dyn Clock>) -> ConnectionSettings {
    ConnectionSettings {
        regions: [MUMBAI, HYDERABAD].map(|region| (RegionId::new(region), Access::default())).into(),
        global_through: RegionId::new(HYDERABAD),
        transport: Transport::Wire(wire),
        environment: Environment::new(),
        clock,
        on_simulator: Arc::new(|_| {}),
        budget: QUICK,
    }
}

/// A connection to the script, on a clock of speed 1.
pub(crate) async fn connect(wire: &Arc<ScriptedWire>) -> Connection {
    Connection::open(settings(Arc::clone(wire), Arc::new(TestClock::new(1.0)))).await
}
