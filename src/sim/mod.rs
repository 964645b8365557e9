//! An AWS estate in memory that answers the real wire protocols. DESIGN section 9.
//!
//! It knows `http` types only: the adapter to the SDK's connector is in `crate::aws`, joined in `crate::compose`.

use std::time::Duration;

use bytes::Bytes;

pub mod backup;
pub mod codec;
pub mod fault;
#[cfg(test)]
pub(crate) mod fixture;
pub mod noise;
pub mod route;
pub mod service;
pub mod surroundings;
pub mod wire;

/// What comes back over the (simulated) wire.
#[derive(Debug)]
pub enum Reply {
    /// The answer, not before `after` (wall time).
    Answer { after: Duration, response: http::Response<Bytes> },
    /// Connection refused.
    Refused,
    /// Nothing, ever: the caller's time-out ends it.
    BlackHole,
    /// The request took effect (or not), and the connection broke before the answer.
    Lost { after: Duration },
}
