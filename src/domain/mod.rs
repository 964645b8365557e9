//! The pure centre: what an app is, what was observed, and what follows from it.
//!
//! Nothing here does I/O, is async, reads a clock or an environment variable, or names another module of
//! this crate. Time comes in as an argument; AWS comes in as [`fact::Fact`]s and [`resource`] values.
//!
//! Where to look next: [`app`] (what the estate file says), [`fact`] and [`observation`] (what was seen),
//! [`snapshot`] (all of it at one moment), [`compliance`] (what it means), [`call`] (an AWS call as a value).

pub mod app;
pub mod call;
pub mod clock;
pub mod compliance;
pub mod diagnostic;
pub mod document;
pub mod fact;
pub mod freeze;
pub mod id;
pub mod kind;
pub mod observation;
pub mod picture;
pub mod region;
pub mod resource;
pub mod scenario;
pub mod snapshot;
pub mod text;
pub mod time;

pub use app::{App, Component, Estate};
pub use call::{CallDescription, Hazard};
pub use clock::Clock;
pub use compliance::{Assessment, Exposure, Verdict};
pub use diagnostic::{Diagnostic, Level};
pub use fact::{Fact, FactId, Series, What};
pub use id::{AppId, ComponentId, RegionId, RunbookId, StepId};
pub use observation::{Observation, ProbeError, ProbeFailure, Slot};
pub use picture::Picture;
pub use region::{Region, RegionPair, Side};
pub use snapshot::{Mode, Snapshot, World};
pub use text::SafeText;
pub use time::{Timestamp, Zone};
