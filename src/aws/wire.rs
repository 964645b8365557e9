//! Where requests go: the network, or something in this process that speaks HTTP (the simulator).
//!
//! The seam is the SDK's HTTP connector (field guide 9.10), so signing, retries, time-outs, paging and parsing
//! are always the real ones. Plain `http` types go through it: the other side knows no AWS crate.

use std::{fmt, sync::Arc};

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures_util::future::BoxFuture;

/// How requests leave.
#[derive(Clone, Debug, Default)]
pub enum Transport {
    /// HTTPS to AWS, or to an overridden endpoint.
    #[default]
    Network,
    /// Answered in this process. Credentials are fixed and worthless, endpoint overrides do not apply.
    Wire(Arc<dyn Wire>),
}

/// Something that answers HTTP requests without a port.
pub trait Wire: Send + Sync + fmt::Debug {
    /// A future that never completes is a black hole: the caller's time-outs end it.
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>>;
}

/// Why no answer came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireFailure {
    #[error("connection refused")]
    Refused,
    /// The request may have taken effect.
    #[error("the connection broke before the answer")]
    Broken,
    #[error("the connection timed out")]
    TimedOut,
}

impl From<WireFailure> for ConnectorError {
    fn from(failure: WireFailure) -> Self {
        match failure {
            WireFailure::Refused => Self::io(failure.into()).never_connected(),
            WireFailure::Broken => Self::io(failure.into()),
            WireFailure::TimedOut => Self::timeout(failure.into()),
        }
    }
}

/// A [`Wire`] as the SDK wants it. It needs no per-client settings: connect time-outs have no meaning here.
#[derive(Clone, Debug)]
pub(super) struct WireClient(pub Arc<dyn Wire>);

impl HttpConnector for WireClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        // Every body we send is in memory: we have no streaming operation.
        let request = request.map(|body: SdkBody| body.bytes().map(Bytes::copy_from_slice).unwrap_or_default());
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let response = answer.await?.map(SdkBody::from);
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl HttpClient for WireClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
