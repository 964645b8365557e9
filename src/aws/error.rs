//! What a failed call means. Causes are told apart because what to do next differs (field guide 9.8).
//!
//! Codes are matched as text, not as SDK variants: RDS codes differ from variant names (field guide 2.1) and
//! new ones arrive without a new release of ours. Messages pass `SafeText`; the SDK's own `Debug` is never shown.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

use crate::domain::{ProbeFailure, RegionId, text::SafeText};

/// A call that has no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    pub failure: ProbeFailure,
    /// AWS's error code where it gave one, e.g. `InvalidGlobalClusterStateFault`.
    pub code: Option<SafeText>,
    pub message: SafeText,
    pub request_id: Option<SafeText>,
    pub stage: Stage,
}

/// How far the request came: decides whether a mutating call was refused or is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing went over the wire.
    NotSent,
    /// AWS answered with an error of its own and this HTTP status.
    Answered(u16),
    /// It may have taken effect: no answer, or one that cannot be read.
    InDoubt,
}

impl CallError {
    /// For a call that cannot even be addressed.
    pub(super) fn not_sent(message: impl AsRef<str>) -> Self {
        Self {
            failure: ProbeFailure::Refused,
            code: None,
            message: SafeText::new(message),
            request_id: None,
            stage: Stage::NotSent,
        }
    }

    /// An answer that lacks what it must have.
    pub(super) fn bad_answer(message: impl AsRef<str>) -> Self {
        Self {
            failure: ProbeFailure::BadAnswer,
            code: None,
            message: SafeText::new(message),
            request_id: None,
            stage: Stage::InDoubt,
        }
    }

    pub(super) fn from_sdk<E>(error: &SdkError<E, HttpResponse>, region: &RegionId) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let request_id = error.request_id().map(SafeText::new);
        let (failure, code, message, stage) = match error {
            SdkError::ConstructionFailure(_) => {
                let (failure, message) = before_answer(error, false);
                (failure, None, message, Stage::NotSent)
            }
            SdkError::TimeoutError(_) => {
                (ProbeFailure::Unreachable, None, "no answer in time".to_owned(), Stage::InDoubt)
            }
            SdkError::DispatchFailure(dispatch) => {
                let (failure, message) = before_answer(error, dispatch.is_io() || dispatch.is_timeout());
                let stage = if dispatch.is_user() { Stage::NotSent } else { Stage::InDoubt };
                (failure, None, message, stage)
            }
            SdkError::ResponseError(response) => {
                let status = response.raw().status().as_u16();
                let failure = if status >= 500 { ProbeFailure::ServerError } else { ProbeFailure::BadAnswer };
                (failure, None, format!("HTTP {status}: {}", innermost(error)), Stage::InDoubt)
            }
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let meta = service.err().meta();
                let code = meta.code().map(str::to_owned);
                let failure = classify(code.as_deref(), meta.message().unwrap_or_default(), status, region);
                let message = match (&code, meta.message()) {
                    (Some(code), Some(message)) => format!("{code}: {message}"),
                    (Some(code), None) => code.clone(),
                    (None, Some(message)) => format!("HTTP {status}: {message}"),
                    (None, None) => format!("HTTP {status} without an AWS error code"),
                };
                (failure, code.map(SafeText::from), message, Stage::Answered(status))
            }
            _ => (ProbeFailure::BadAnswer, None, innermost(error), Stage::InDoubt),
        };
        Self { failure, code, message: SafeText::from(message), request_id, stage }
    }
}

/// Regions that need no opt-in: there an unknown token means wrong keys, elsewhere it means that the Region is
/// not enabled or that the token came from the global STS endpoint (field guide 8.4).
const ENABLED_BY_DEFAULT: [&str; 17] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-north-1",
    "sa-east-1",
];

/// What an error code of AWS means to us.
fn classify(code: Option<&str>, message: &str, status: u16, region: &RegionId) -> ProbeFailure {
    let Some(code) = code else {
        return if status >= 500 { ProbeFailure::ServerError } else { ProbeFailure::BadAnswer };
    };
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "BandwidthLimitExceeded"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "EC2ThrottledException"
        | "ProvisionedThroughputExceededException" => ProbeFailure::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "AuthFailure"
        | "AuthorizationError"
        | "NotAuthorized"
        | "SignatureDoesNotMatch" => ProbeFailure::Denied,
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => ProbeFailure::CredentialsExpired,
        "MissingAuthenticationToken" | "MissingAuthenticationTokenException" | "IncompleteSignature" => {
            ProbeFailure::CredentialsMissing
        }
        "OptInRequired" | "SubscriptionRequiredException" | "RegionDisabledException" => ProbeFailure::RegionNotEnabled,
        "InvalidClientTokenId" | "UnrecognizedClientException" => {
            if message.to_ascii_lowercase().contains("expired") {
                ProbeFailure::CredentialsExpired
            } else if ENABLED_BY_DEFAULT.contains(&region.as_str()) {
                ProbeFailure::CredentialsMissing
            } else {
                ProbeFailure::RegionNotEnabled
            }
        }
        "UnknownOperationException" | "UnknownOperation" | "InvalidAction" | "NotImplemented" | "UnknownAction" => {
            ProbeFailure::BadAnswer
        }
        _ if code.contains("NotFound") || code.starts_with("NoSuch") => ProbeFailure::NotFound,
        _ if status >= 500 => ProbeFailure::ServerError,
        _ => ProbeFailure::Refused,
    }
}

/// Trouble before any answer: the network, or credentials that could not be had. The SDK gives a failing
/// credentials provider as a dispatch or construction failure (field guide 9.6).
fn before_answer(error: &(dyn StdError + 'static), network: bool) -> (ProbeFailure, String) {
    // The innermost: behind a role it tells why the call for that role was never made, and what stands around it says
    // "dispatch failure" of a network that was not even tried.
    let causes = std::iter::successors(Some(error), |&cause| cause.source());
    if let Some(credentials) = causes.filter_map(|cause| cause.downcast_ref::<CredentialsError>()).last() {
        return credentials_failure(credentials);
    }
    let text = innermost(error);
    if network || !text.to_ascii_lowercase().contains("credential") {
        (ProbeFailure::Unreachable, format!("no connection: {text}"))
    } else {
        (ProbeFailure::CredentialsMissing, text)
    }
}

fn credentials_failure(error: &CredentialsError) -> (ProbeFailure, String) {
    let text = chain(error);
    let lower = text.to_ascii_lowercase();
    let failure = if lower.contains("expired") {
        ProbeFailure::CredentialsExpired
    } else if lower.contains("accessdenied") || lower.contains("not authorized") {
        ProbeFailure::Denied
    } else if matches!(error, CredentialsError::ProviderTimedOut(_))
        || lower.contains("dispatch failure")
        || lower.contains("timed out")
    {
        ProbeFailure::Unreachable // the endpoint that gives credentials is what cannot be reached
    } else {
        ProbeFailure::CredentialsMissing
    };
    (failure, format!("credentials: {text}"))
}

/// The causes, outermost first, each once: `Display` of the SDK's errors does not repeat its source.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        next = cause.source();
    }
    parts.join(": ")
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_causes_of_a_refused_read_are_told_apart() {
        let mumbai = RegionId::new("ap-south-1");
        let hyderabad = RegionId::new("ap-south-2");
        let table: &[(Option<&str>, &str, u16, &RegionId, ProbeFailure)] = &[
            (Some("Throttling"), "Rate exceeded", 400, &mumbai, ProbeFailure::Throttled),
            (Some("PriorRequestNotComplete"), "", 400, &mumbai, ProbeFailure::Throttled),
            (Some("AccessDenied"), "", 403, &mumbai, ProbeFailure::Denied),
            (Some("AccessDeniedException"), "", 400, &mumbai, ProbeFailure::Denied),
            (Some("ExpiredToken"), "", 403, &mumbai, ProbeFailure::CredentialsExpired),
            (Some("ExpiredTokenException"), "", 403, &mumbai, ProbeFailure::CredentialsExpired),
            (
                Some("InvalidClientTokenId"),
                "The security token is invalid",
                403,
                &hyderabad,
                ProbeFailure::RegionNotEnabled,
            ),
            (Some("UnrecognizedClientException"), "", 403, &hyderabad, ProbeFailure::RegionNotEnabled),
            (
                Some("InvalidClientTokenId"),
                "The security token is invalid",
                403,
                &mumbai,
                ProbeFailure::CredentialsMissing,
            ),
            (Some("OptInRequired"), "", 403, &mumbai, ProbeFailure::RegionNotEnabled),
            (Some("GlobalClusterNotFoundFault"), "", 404, &mumbai, ProbeFailure::NotFound),
            (Some("NoSuchHostedZone"), "", 404, &mumbai, ProbeFailure::NotFound),
            (Some("InvalidGlobalClusterStateFault"), "", 400, &mumbai, ProbeFailure::Refused),
            (Some("InternalFailure"), "", 500, &mumbai, ProbeFailure::ServerError),
            (Some("UnknownOperationException"), "", 404, &mumbai, ProbeFailure::BadAnswer),
            (None, "", 404, &mumbai, ProbeFailure::BadAnswer),
            (None, "", 503, &mumbai, ProbeFailure::ServerError),
        ];
        for (code, message, status, region, expected) in table {
            assert_eq!(classify(*code, message, *status, region), *expected, "{code:?} {status} {region}");
        }
    }

    #[test]
    fn missing_and_expired_credentials_are_told_apart_from_an_unreachable_sts() {
        let missing = CredentialsError::not_loaded("no providers in chain provided credentials");
        assert_eq!(credentials_failure(&missing).0, ProbeFailure::CredentialsMissing);
        let expired = CredentialsError::provider_error("the SSO session has expired");
        assert_eq!(credentials_failure(&expired).0, ProbeFailure::CredentialsExpired);
        let slow = CredentialsError::provider_timed_out(std::time::Duration::from_secs(5));
        assert_eq!(credentials_failure(&slow).0, ProbeFailure::Unreachable);
        let denied = CredentialsError::provider_error("AccessDenied: not allowed to assume the role");
        assert_eq!(credentials_failure(&denied).0, ProbeFailure::Denied);
    }
}
