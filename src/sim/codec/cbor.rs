//! CBOR as rpc-v2-cbor wants it: text keys, definite lengths, timestamps under tag 1.
//!
//! Smithy's timestamps are tag 1 with an integer or a float of seconds (RFC 8949 3.4.2); the SDK cuts a float to
//! milliseconds. Both ways are read, whole seconds are written as integers.

use ciborium::Value;

use super::{Input, Node};

const TAG_EPOCH_SECONDS: u64 = 1;

/// The bytes of the answer.
#[must_use]
pub fn write(node: &Node) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a Vec cannot fail, and `Node` holds nothing that CBOR cannot say.
    let _ = ciborium::into_writer(&value(node), &mut bytes);
    bytes
}

fn value(node: &Node) -> Value {
    match node {
        Node::Map(members) => {
            Value::Map(Node::present(members).map(|(key, node)| (Value::Text((*key).into()), value(node))).collect())
        }
        Node::List(items) => Value::Array(items.iter().map(value).collect()),
        Node::Text(text) => Value::Text(text.clone()),
        Node::Int(number) => Value::Integer((*number).into()),
        Node::Float(number) => Value::Float(*number),
        Node::Bool(flag) => Value::Bool(*flag),
        Node::Time(at) => {
            let seconds = if at.millis() % 1000 == 0 {
                Value::Integer(at.secs().into())
            } else {
                Value::Float(at.millis() as f64 / 1000.0)
            };
            Value::Tag(TAG_EPOCH_SECONDS, Box::new(seconds))
        }
        Node::Absent => Value::Null,
    }
}

/// A request body; an empty one is an empty map. `None` when it is not CBOR.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Input> {
    if bytes.is_empty() {
        return Some(Input::empty());
    }
    ciborium::from_reader::<Value, _>(bytes).ok().map(|value| Input::new(json(&value)))
}

/// Tags are dropped: a timestamp becomes its number of seconds, as in JSON.
fn json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Integer(number) => i64::try_from(*number).map_or(Json::Null, Json::from),
        Value::Float(number) => Json::from(*number),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Bool(flag) => Json::from(*flag),
        Value::Tag(_, inner) => json(inner),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Map(members) => Json::Object(
            members.iter().filter_map(|(key, value)| Some((key.as_text()?.to_owned(), json(value)))).collect(),
        ),
        _ => Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    #[test]
    fn a_timestamp_is_tag_one_and_absent_members_are_left_out() {
        let node = Node::Map(vec![("T", Timestamp::from_secs(1_000).into()), ("Gone", Node::Absent)]);
        // A1 map(1), 61 "T", C1 tag 1, 19 03E8 = 1000: RFC 8949 appendix A style.
        assert_eq!(write(&node), [0xA1, 0x61, b'T', 0xC1, 0x19, 0x03, 0xE8]);
        assert_eq!(write(&Node::Map(vec![])), [0xA0]);
    }

    #[test]
    fn a_request_in_cbor_reads_as_the_same_request_in_json() {
        let node = Node::Map(vec![
            ("StartTime", Timestamp::from_millis(1_500).into()),
            ("Names", vec!["a".into(), "b".into()].into()),
            ("Max", 7.into()),
        ]);
        let from_cbor = read(&write(&node)).expect("CBOR of our own");
        let from_json = Input::from_json(br#"{"StartTime":1.5,"Names":["a","b"],"Max":7}"#).expect("JSON");
        assert_eq!(from_cbor.time("StartTime"), Some(Timestamp::from_millis(1_500)));
        assert_eq!(from_cbor.texts("Names"), from_json.texts("Names"));
        assert_eq!(from_cbor.int("Max"), Some(7));
        assert!(read(b"\xFFnot cbor").is_none());
    }
}
