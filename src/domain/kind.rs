//! Kinds of component, as data: what the estate file may say of one and which facts speak for it.
//!
//! The rows are owned by the probes (one file per kind) and come to the estate parser as a catalogue, so that
//! a new kind is one file and one line, and the parser, the docs and the detail views pick it up.

use super::{
    app::{Component, Role},
    fact::What,
    region::Side,
};

/// The shape of one parameter in `[[app.component]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamShape {
    Text,
    /// An ARN; its Region is held against the residency rule.
    Arn,
    /// A duration such as `"5m"`.
    Duration,
    Number,
    Flag,
    /// A size such as `"10TB"`.
    Size,
    /// A Region id; held against the residency rule.
    Region,
    /// `{ primary = "…", recovery = "…" }`, one or both.
    Sides,
    /// A table of text, e.g. metric dimensions.
    Map,
    /// `"primary"` or `"recovery"`.
    Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamSpec {
    pub name: &'static str,
    pub shape: ParamShape,
    pub required: bool,
    pub doc: &'static str,
}

/// One kind of component.
#[derive(Clone, Copy, Debug)]
pub struct KindSpec {
    /// As written in the file, e.g. `aurora-global`.
    pub id: &'static str,
    /// As shown, e.g. `aurora global`.
    pub title: &'static str,
    /// Whether this version has a probe for it. What is declared but not observed is Unknown.
    pub observed: bool,
    pub role: Role,
    pub params: &'static [ParamSpec],
    /// Which fact in the recovery Region answers "if the primary Region were lost now", if any.
    /// May look at the component's parameters (a `metric` is a lag only when it says so).
    pub region_lost: fn(&Component) -> Option<(Side, What)>,
    /// Which facts answer "if the data were corrupted now".
    pub corrupted: fn(&Component) -> Vec<(Side, What)>,
}
