//! One tree of values, written as CBOR, JSON or awsQuery XML: for the services that speak several protocols.
//!
//! A model builds a [`Node`] and never sees bytes; a request becomes an [`Input`] whatever it was sent in.
//! Nothing here knows an AWS operation. Errors and headers are [`super::wire`]'s; look next at
//! [`super::cloudwatch`] and [`super::backup`].

use crate::domain::Timestamp;

pub mod cbor;
pub mod input;
pub mod json;
pub mod query;

pub use input::Input;

/// An answer before it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Map(Vec<(&'static str, Node)>),
    List(Vec<Node>),
    Text(String),
    Int(i64),
    /// Written as a floating-point number even when whole.
    Float(f64),
    Bool(bool),
    /// CBOR: tag 1, seconds; JSON: a number of seconds; XML: RFC 3339.
    Time(Timestamp),
    /// Left out of the map that holds it: AWS omits members without a value.
    Absent,
}

impl Node {
    /// Text, or nothing at all.
    pub fn maybe(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Absent, |text| Self::Text(text.into()))
    }

    /// A time, or nothing at all.
    #[must_use]
    pub fn when(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Absent, Self::Time)
    }

    /// The members of a map that have a value.
    fn present<'a>(members: &'a [(&'static str, Self)]) -> impl Iterator<Item = &'a (&'static str, Self)> {
        members.iter().filter(|(_, node)| *node != Self::Absent)
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Timestamp> for Node {
    fn from(at: Timestamp) -> Self {
        Self::Time(at)
    }
}

impl From<bool> for Node {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Node {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Vec<Node>> for Node {
    fn from(items: Vec<Node>) -> Self {
        Self::List(items)
    }
}
