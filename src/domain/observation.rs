//! A value with its source and its age, and what remains when it could not be had.
//!
//! There is no way to take the value without saying at which time one asks: [`Slot::at`] answers `Fresh`,
//! `Stale` or `Unknown`. Age counts from when the request *started*, so a slow answer is an old answer.

use std::time::Duration;

use super::{id::RegionId, text::SafeText, time::Timestamp};

#[derive(Clone, Debug, PartialEq)]
pub struct Observation<T> {
    pub value: T,
    /// The moment the value speaks about (newest point, creation of the recovery point); for a state: when read.
    pub data_time: Timestamp,
    /// When the request started.
    pub observed_at: Timestamp,
    /// `cloudwatch GetMetricData`, for the footnote under the value.
    pub source: SafeText,
    pub region: RegionId,
    /// How old `observed_at` may be before the value is drawn stale.
    pub budget: Duration,
}

/// Why a probe has no answer. The causes are told apart because what to do next differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeFailure {
    /// No connection, time-out, name not resolved: the Region, or my own network.
    Unreachable,
    Throttled,
    CredentialsMissing,
    CredentialsExpired,
    Denied,
    RegionNotEnabled,
    NotFound,
    /// 5xx from the service.
    ServerError,
    /// An answer that could not be read, or an operation the other side does not know.
    BadAnswer,
    /// Refused by AWS for the state the resource is in, or for the request itself.
    Refused,
    /// This version has no probe for the kind.
    NotObserved,
    /// Not tried yet since start, resume or clock jump.
    NotRead,
}

impl ProbeFailure {
    /// Word for the screen.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Throttled => "throttled",
            Self::CredentialsMissing => "no credentials",
            Self::CredentialsExpired => "credentials expired",
            Self::Denied => "access denied",
            Self::RegionNotEnabled => "Region not enabled",
            Self::NotFound => "not found",
            Self::ServerError => "AWS answers 5xx",
            Self::BadAnswer => "answer not understood",
            Self::Refused => "refused",
            Self::NotObserved => "not observed by this version",
            Self::NotRead => "not read yet",
        }
    }

    /// What the person at the keyboard can do.
    #[must_use]
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::Unreachable => "see the Regions screen: is it the Region or your own network?",
            Self::Throttled => "nothing: reading slows down by itself",
            Self::CredentialsMissing => {
                "set a profile for the Region in the estate, or AWS_PROFILE; then `aws sso login`"
            }
            Self::CredentialsExpired => "run `aws sso login` for the profile of this Region",
            Self::Denied => "ask for the IAM action named in the error",
            Self::RegionNotEnabled => "enable the Region for the account, and use a regional STS endpoint",
            Self::NotFound => "compare the id in the estate file with the account",
            Self::ServerError => "wait, or see the Regions screen",
            Self::BadAnswer => "check the endpoint override and the SDK version",
            Self::Refused => "read the message; nothing was changed",
            Self::NotObserved => "attest it by hand; a later version will read it",
            Self::NotRead => "wait for the first answer",
        }
    }
}

/// A failed read: what was tried, on what, and why it failed. Expected trouble is data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeError {
    pub failure: ProbeFailure,
    pub region: RegionId,
    /// `backup ListCopyJobs`
    pub call: SafeText,
    pub message: SafeText,
    /// When the request started.
    pub at: Timestamp,
}

/// The place of one fact: its last value and the failure of the newest try, if it failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot<T> {
    pub last: Option<Observation<T>>,
    pub failure: Option<ProbeError>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { last: None, failure: None }
    }
}

/// A value asked for at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At<'a, T> {
    Fresh(&'a Observation<T>),
    /// Kept from before; `cause` is the newest failure, none when it was just not refreshed.
    Stale {
        last: &'a Observation<T>,
        age: Duration,
        cause: Option<&'a ProbeError>,
    },
    Unknown {
        cause: Option<&'a ProbeError>,
    },
}

impl<T> Slot<T> {
    #[must_use]
    pub const fn seen(observation: Observation<T>) -> Self {
        Self { last: Some(observation), failure: None }
    }

    #[must_use]
    pub const fn failed(error: ProbeError) -> Self {
        Self { last: None, failure: Some(error) }
    }

    /// A failed refresh keeps the last value; it ages by itself. A fresh value from before a failed try stays
    /// Fresh only within its budget.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> At<'_, T> {
        match &self.last {
            None => At::Unknown { cause: self.failure.as_ref() },
            Some(last) => {
                let age = now.since(last.observed_at);
                if age <= last.budget { At::Fresh(last) } else { At::Stale { last, age, cause: self.failure.as_ref() } }
            }
        }
    }

    /// The newest outcome replaces the failure; a value survives a failure.
    pub fn absorb(&mut self, outcome: Result<Observation<T>, ProbeError>) {
        match outcome {
            Ok(observation) => {
                self.last = Some(observation);
                self.failure = None;
            }
            Err(error) => self.failure = Some(error),
        }
    }
}
