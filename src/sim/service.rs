//! What every simulated service is given of a request, and what it gives back.
//!
//! A service answers in AWS's own wire protocol and keeps to its own Region. It never looks at faults that stop
//! the request from arriving or the answer from returning: `super` has dealt with those before.

use bytes::Bytes;

use crate::domain::{RegionId, Timestamp};

/// One request that reached its service.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Region of the endpoint: from the signature scope, `us-east-1` for Route 53.
    pub region: &'a RegionId,
    /// Estate time at which it takes effect.
    pub now: Timestamp,
    /// Method, path, query, headers and body as they came over the wire.
    pub request: &'a http::Request<Bytes>,
    pub seed: u64,
    /// Number of this request since the simulator started, from 1.
    pub seq: u64,
    /// Twelve digits: the account whose resources these are.
    pub account: &'a str,
    /// `x-amzn-requestid` of the answer; error bodies repeat it.
    pub request_id: &'a str,
}

pub type Answer = http::Response<Bytes>;
