//! A request's parameters, however they were sent: JSON, CBOR or the flat form of awsQuery.
//!
//! Numbers and times may have come as text (awsQuery, query strings); the getters read either.

use serde_json::Value;

use crate::domain::Timestamp;

/// A map of parameters. Getters give `None` for what is missing or of another shape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input(Value);

impl Input {
    #[must_use]
    pub const fn new(value: Value) -> Self {
        Self(value)
    }

    #[must_use]
    pub fn empty() -> Self {
        Self(Value::Object(serde_json::Map::new()))
    }

    /// `None` when the bytes are not JSON; an empty body is an empty map.
    #[must_use]
    pub fn from_json(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() { Some(Self::empty()) } else { serde_json::from_slice(bytes).ok().map(Self) }
    }

    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| !value.is_null())
    }

    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    #[must_use]
    pub fn int(&self, key: &str) -> Option<i64> {
        match self.0.get(key)? {
            Value::String(text) => text.parse().ok(),
            number => number.as_i64().or_else(|| number.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as i64)),
        }
    }

    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.0.get(key)? {
            Value::String(text) => text.parse().ok(),
            flag => flag.as_bool(),
        }
    }

    /// Seconds since the epoch as a number, or RFC 3339 text.
    #[must_use]
    pub fn time(&self, key: &str) -> Option<Timestamp> {
        match self.0.get(key)? {
            Value::String(text) => moment(text),
            number => number.as_f64().map(|seconds| Timestamp::from_millis((seconds * 1000.0).round() as i64)),
        }
    }

    #[must_use]
    pub fn map(&self, key: &str) -> Option<Self> {
        self.0.get(key).filter(|value| value.is_object()).cloned().map(Self)
    }

    /// A list of maps; missing = empty.
    #[must_use]
    pub fn maps(&self, key: &str) -> Vec<Self> {
        self.0
            .get(key)
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |items| items.iter().cloned().map(Self).collect())
    }

    /// A list of text; missing = empty.
    #[must_use]
    pub fn texts(&self, key: &str) -> Vec<String> {
        let items = self.0.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }
}

/// A time in a query string or form: RFC 3339, with or without zone (botocore sends `Z`), or seconds.
#[must_use]
pub fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text)
        .or_else(|| Timestamp::parse(&format!("{text}Z")))
        .or_else(|| text.parse::<f64>().ok().map(|seconds| Timestamp::from_millis((seconds * 1000.0).round() as i64)))
}
