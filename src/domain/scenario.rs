//! A scenario: what goes wrong in the simulated estate and when, with what the facilitator should say and look for.
//!
//! Fault words are rows that the simulator owns; they come to the parser as a catalogue, as kinds of components do.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::text::SafeText;

#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Name of its file, without the ending.
    pub id: String,
    pub title: SafeText,
    /// Estate seconds per wall second, unless the person says otherwise.
    pub speed: f64,
    /// To be read out before it begins.
    pub say: Option<SafeText>,
    /// In the order of their time.
    pub injects: Vec<Inject>,
    pub place: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Inject {
    /// Estate time since the scenario began.
    pub at: Duration,
    /// `None`: until somebody clears it.
    pub lasts: Option<Duration>,
    pub title: SafeText,
    pub say: Option<SafeText>,
    /// What a good team does about it.
    pub look_for: Option<SafeText>,
    pub shown: Shown,
    pub fault: FaultWords,
}

/// Whether the people who drill may read of it beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    ToEverybody,
    ToTheFacilitator,
}

/// A fault as the simulator's API takes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultWords {
    pub fault: &'static str,
    #[serde(flatten)]
    pub values: BTreeMap<&'static str, FaultValue>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FaultValue {
    Text(String),
    Count(u64),
    Number(f64),
}

/// A kind of fault, as data.
#[derive(Clone, Copy, Debug)]
pub struct FaultSpec {
    /// `region-down`
    pub word: &'static str,
    pub params: &'static [FaultParam],
    pub doc: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub struct FaultParam {
    pub name: &'static str,
    pub shape: FaultShape,
    pub required: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultShape {
    /// One of the pair, or `us-east-1`.
    Region,
    Text,
    Word(&'static [&'static str]),
    /// 1 or more.
    Count,
    /// From 0 to this.
    UpTo(f64),
}
