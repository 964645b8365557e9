//! The shape of an AWS call as a value.
//!
//! From a value come the plan's preview, the call log, the cost, the IAM policy and the request itself, so that
//! what is shown is what is sent. One struct per operation, in the file of its service.

use std::{error::Error as StdError, fmt, future::Future};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

use super::{connection::ServiceClients, error::CallError, write::WritingClients};
use crate::domain::{CallDescription, Hazard, RegionId, text::SafeText};

/// Pages read of one listing at most; what lies beyond is cut, and the answer says so (field guide 9.9).
pub const PAGES_MAX: usize = 50;

/// A call that changes nothing.
pub trait ReadOp: Send + Sync {
    type Output: Send;

    fn describe(&self) -> CallDescription;

    /// All pages, up to [`PAGES_MAX`].
    fn send(&self, clients: &ServiceClients) -> impl Future<Output = Result<Answered<Self::Output>, CallError>> + Send;
}

/// A call that changes something. Sent at most once per recorded decision; see [`super::write`].
#[async_trait]
pub trait WriteOp: Send + Sync + fmt::Debug {
    fn describe(&self) -> CallDescription;

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError>;
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered<T> {
    pub value: T,
    pub request_id: Option<SafeText>,
    /// Paging stopped at the bound: there is more than this.
    pub truncated: bool,
}

/// AWS took the change on; whether it happened is for a later read to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    pub request_id: Option<SafeText>,
    /// What is needed to observe the effect, e.g. the id of a DNS change; may be empty.
    pub detail: SafeText,
}

/// Service, operation and endpoint of a call; what all descriptions and log lines share.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub service: &'static str,
    pub operation: &'static str,
    pub region: RegionId,
    pub hazard: Hazard,
}

impl Site {
    pub fn reading(service: &'static str, operation: &'static str, region: &RegionId) -> Self {
        Self { service, operation, region: region.clone(), hazard: Hazard::None }
    }

    pub fn writing(service: &'static str, operation: &'static str, region: &RegionId, hazard: Hazard) -> Self {
        Self { service, operation, region: region.clone(), hazard }
    }

    /// `params` are those that are set; the IAM action is the operation's own unless `iam` names others.
    pub fn describe(&self, params: Vec<(&'static str, Option<String>)>, iam: &[&str]) -> CallDescription {
        let own = format!("{}:{}", self.service, self.operation);
        CallDescription {
            service: self.service.to_owned(),
            operation: self.operation.to_owned(),
            region: self.region.clone(),
            params: params
                .into_iter()
                .filter_map(|(name, value)| value.map(|value| (name.to_owned(), SafeText::new(value))))
                .collect(),
            hazard: self.hazard,
            iam_actions: if iam.is_empty() { vec![own] } else { iam.iter().map(|&action| action.to_owned()).collect() },
        }
    }
}

/// Reads a listing to its end: `ask` makes the request for the page after a token, `take` draws from its answer the items
/// and the token of the next. One call, and one line of the call log, for each page.
///
/// It ends when there is no next token, the token repeats, or the bound is reached; an empty page is not an end (field
/// guide 9.9).
pub(super) async fn pages<T, O, E, F>(
    clients: &ServiceClients,
    site: &Site,
    mut ask: impl FnMut(Option<String>) -> F + Send,
    mut take: impl FnMut(O) -> (Vec<T>, Option<String>) + Send,
) -> Result<Answered<Vec<T>>, CallError>
where
    F: Future<Output = Result<O, SdkError<E, HttpResponse>>> + Send,
    O: RequestId + Send,
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    T: Send,
{
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    let mut request_id = None;
    for _ in 0..PAGES_MAX {
        let (page, id) = clients.call(site, 0, ask(token.clone())).await?;
        let (items, next) = take(page);
        all.extend(items);
        request_id = id.or(request_id);
        match next.filter(|next| !next.is_empty()) {
            None => return Ok(Answered { value: all, request_id, truncated: false }),
            Some(next) if Some(&next) == token.as_ref() => break,
            Some(next) => token = Some(next),
        }
    }
    Ok(Answered { value: all, request_id, truncated: true })
}
