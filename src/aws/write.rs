//! The writing client: constructed in one function, which only `crate::compose` calls.
//!
//! Every mutating call is one attempt (`max_attempts = 1`): no second one is ever sent without a recorded human
//! decision (DESIGN section 2). A failure after the request left is *unknown*, never *failed*: reading decides.

use std::{error::Error as StdError, fmt, future::Future};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::{error::metadata::ProvideErrorMetadata, retry::RetryConfig};
use aws_types::request_id::RequestId;

use super::{
    connection::{Connection, RegionClients, ServiceClients},
    error::{CallError, Stage},
    operation::{Site, WriteOp},
    telemetry::SentMark,
};
use crate::domain::{RegionId, text::SafeText};

/// Makes the one client of the program that can change anything.
#[must_use]
pub fn writer(connection: &Connection) -> Writer {
    Writer { clients: WritingClients(ServiceClients::build(connection, &RetryConfig::disabled())) }
}

/// Not `Clone`: there is one, and who holds it is the engine.
pub struct Writer {
    clients: WritingClients,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

/// What is known after one attempt of a mutating call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// AWS took it on.
    Accepted { request_id: Option<SafeText>, detail: SafeText },
    /// Nothing was changed: AWS said no (code of AWS), or the request never left ([`NOT_SENT`]).
    Refused { code: SafeText, message: SafeText, request_id: Option<SafeText> },
    /// It may or may not have taken effect.
    Unknown { why: SafeText },
}

/// Code of a [`SendOutcome::Refused`] whose request never left.
pub const NOT_SENT: &str = "NotSent";

impl Writer {
    /// One call, one attempt, explicit time-outs.
    pub async fn send_once(&self, op: &dyn WriteOp) -> SendOutcome {
        match op.send(&self.clients).await {
            Ok(accepted) => SendOutcome::Accepted { request_id: accepted.request_id, detail: accepted.detail },
            Err(error) => judge(error),
        }
    }
}

fn judge(error: CallError) -> SendOutcome {
    match (error.stage, error.code) {
        (Stage::NotSent, code) => SendOutcome::Refused {
            code: SafeText::new(NOT_SENT),
            message: code.map_or(error.message.clone(), |code| SafeText::new(format!("{code}: {}", error.message))),
            request_id: None,
        },
        // 408 is AWS giving up on waiting for us: it does not say what was done.
        (Stage::Answered(status), Some(code)) if (400..500).contains(&status) && status != 408 => {
            SendOutcome::Refused { code, message: error.message, request_id: error.request_id }
        }
        (Stage::Answered(_) | Stage::InDoubt, _) => SendOutcome::Unknown { why: error.message },
    }
}

/// Clients without retries, for [`WriteOp`]s only.
pub struct WritingClients(ServiceClients);

impl fmt::Debug for WritingClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WritingClients")
    }
}

impl WritingClients {
    pub(super) fn region(&self, region: &RegionId) -> Result<&RegionClients, CallError> {
        self.0.region(region)
    }

    /// `send` gets a mark to put on the request: it tells a request that never left (no credentials) from one
    /// whose answer was lost.
    pub(super) async fn call<T, E, F>(
        &self,
        site: &Site,
        send: impl FnOnce(SentMark) -> F + Send,
    ) -> Result<(T, Option<SafeText>), CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        T: RequestId,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let mark = SentMark::default();
        let outcome = self.0.call(site, 0, send(mark.clone())).await;
        outcome.map_err(|mut error| {
            if !mark.sent() {
                error.stage = Stage::NotSent;
            } else if error.stage == Stage::NotSent {
                error.stage = Stage::InDoubt;
            }
            error
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ProbeFailure;

    #[test]
    fn only_a_clear_no_of_aws_counts_as_not_done() {
        let error = |stage, code: Option<&str>| CallError {
            failure: ProbeFailure::Refused,
            code: code.map(SafeText::new),
            message: SafeText::new("m"),
            request_id: None,
            stage,
        };
        let refused = |outcome: SendOutcome| match outcome {
            SendOutcome::Refused { code, .. } => Some(code.to_string()),
            _ => None,
        };
        assert_eq!(refused(judge(error(Stage::Answered(400), Some("Throttling")))).as_deref(), Some("Throttling"));
        assert_eq!(refused(judge(error(Stage::NotSent, None))).as_deref(), Some(NOT_SENT));
        for doubt in [
            error(Stage::Answered(500), Some("InternalFailure")),
            error(Stage::Answered(503), None),
            error(Stage::Answered(404), None),
            error(Stage::Answered(408), Some("RequestTimeout")),
            error(Stage::InDoubt, None),
        ] {
            assert!(matches!(judge(doubt.clone()), SendOutcome::Unknown { .. }), "{doubt:?}");
        }
    }
}
