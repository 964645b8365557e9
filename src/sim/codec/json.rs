//! JSON as restJson1 and awsJson answer it: `PascalCase` members, timestamps as numbers of seconds.

use serde_json::{Number, Value};

use super::Node;

/// The bytes of the answer.
#[must_use]
pub fn write(node: &Node) -> Vec<u8> {
    value(node).to_string().into_bytes()
}

/// Times are seconds since the epoch, with a fraction where there are milliseconds (the default timestamp
/// format of both protocols).
#[must_use]
pub fn value(node: &Node) -> Value {
    match node {
        Node::Map(members) => {
            Value::Object(Node::present(members).map(|(key, node)| ((*key).to_owned(), value(node))).collect())
        }
        Node::List(items) => items.iter().map(value).collect(),
        Node::Text(text) => Value::from(text.as_str()),
        Node::Int(number) => Value::from(*number),
        Node::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        Node::Bool(flag) => Value::from(*flag),
        Node::Time(at) if at.millis() % 1000 == 0 => Value::from(at.secs()),
        Node::Time(at) => Value::from(at.millis() as f64 / 1000.0),
        Node::Absent => Value::Null,
    }
}
