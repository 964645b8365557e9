//! AWS, as this program uses it: the only module that names an `aws_*` crate.
//!
//! Every call is a value ([`operation::ReadOp`], [`operation::WriteOp`]) with its output in the domain's words,
//! its IAM action, its hazard and its wire call in one file per service. Raw SDK clients never leave this
//! module; a [`read::Reader`] can be given to anybody, a [`write::Writer`] is made in one function that only
//! `crate::compose` calls.
//!
//! Must never: decide anything, retry a mutating call, or let text from AWS out that is not `SafeText`.
//! Where to look next: [`operation`] (the shape of a call), [`connection`] (configuration), [`error`] (what
//! failures mean), [`wire`] (how the simulator answers the real SDK).

pub mod backup;
pub mod backup_jobs;
pub mod cloudwatch;
pub mod connection;
mod convert;
pub mod error;
pub mod log;
pub mod operation;
pub mod overrides;
pub mod rds;
pub mod read;
pub mod route53;
pub mod route53_health;
pub mod sts;
mod telemetry;
pub mod wire;
pub mod write;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use connection::{Connection, ConnectionSettings, ServiceClients, SimulatorNotice};
pub use error::CallError;
pub use log::CallLog;
pub use operation::{Accepted, Answered, ReadOp, WriteOp};
pub use read::{Read, Reader};
pub use wire::{Transport, Wire, WireFailure};
pub use write::{SendOutcome, Writer};
