//! Asks a running simulator's control API (`/_sim/...`) for `sim inject` and `sim calls`. Plain HTTP on loopback.
//!
//! Must never be used for anything but a simulator: it speaks no TLS and signs nothing.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

/// Longest wait for an answer; the control API answers at once or not at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// `GET` or `POST` of `path` (e.g. `/_sim/calls`); gives status and body.
///
/// # Errors
/// In words: what was tried, on what, and what to do next.
pub async fn ask(base: &str, path: &str, body: Option<String>) -> Result<(u16, String), String> {
    let authority = base
        .strip_prefix("http://")
        .ok_or_else(|| format!("{base} is not an http:// address; a simulator speaks plain HTTP"))?
        .trim_end_matches('/')
        .to_owned();
    let method = if body.is_some() { http::Method::POST } else { http::Method::GET };
    let tried = format!("{method} http://{authority}{path}");
    let exchange = async {
        let stream = tokio::net::TcpStream::connect(&authority)
            .await
            .map_err(|e| format!("{tried}: {e}; is `pointsman sim serve` running there?"))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| format!("{tried}: {e}"))?;
        let driver = tokio::spawn(connection);
        let request = http::Request::builder()
            .method(method.clone())
            .uri(path)
            .header(http::header::HOST, &authority)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.clone().unwrap_or_default())))
            .map_err(|e| format!("{tried}: {e}"))?;
        let answer = sender.send_request(request).await.map_err(|e| format!("{tried}: {e}"))?;
        let status = answer.status().as_u16();
        let text = answer.into_body().collect().await.map_err(|e| format!("{tried}: {e}"))?.to_bytes();
        driver.abort();
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    };
    tokio::time::timeout(ANSWER_WITHIN, exchange)
        .await
        .unwrap_or_else(|_| Err(format!("{tried}: no answer in {} s", ANSWER_WITHIN.as_secs())))
}
