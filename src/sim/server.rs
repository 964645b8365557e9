//! The simulator over HTTP/1.1, for other programs: `pointsman sim serve`, boto3, the AWS CLI.
//!
//! One port cannot refuse some callers and take others, so what would be refused is dropped after it was read.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, task::JoinSet};

use super::{Reply, Sim};

/// Greater than any request of the services that are simulated.
const BODY_MAX: usize = 4 << 20;
/// A black hole lets go after this: longer than any client's patience, and no leak.
const BLACK_HOLE: Duration = Duration::from_mins(5);
const CONNECTIONS_MAX: usize = 512;

/// The connection is to be dropped without an answer.
#[derive(Debug, thiserror::Error)]
enum Dropped {
    #[error("the fault drops this connection")]
    Fault,
    #[error("the request could not be read")]
    Unreadable,
}

/// Serves until `shutdown` is ready; connections still open then are closed.
///
/// # Errors
/// When the listener itself fails.
pub async fn serve(sim: Arc<Sim>, listener: TcpListener, shutdown: impl Future<Output = ()>) -> std::io::Result<()> {
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            // A client that went away between knocking and entering is not the listener's failure.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true).ok();
        let sim = Arc::clone(&sim);
        connections.spawn(async move {
            let service = service_fn(move |request| exchange(Arc::clone(&sim), request));
            let mut http = hyper::server::conn::http1::Builder::new();
            // An error here is a connection that ended early: often exactly what a fault asked for.
            http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
    Ok(())
}

async fn exchange(sim: Arc<Sim>, request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_MAX).collect().await.map_err(|_| Dropped::Unreadable)?.to_bytes();
    match sim.handle(http::Request::from_parts(parts, body)) {
        Reply::Answer { after, response } => {
            pause(after).await;
            Ok(response.map(Full::new))
        }
        Reply::Refused => Err(Dropped::Fault),
        Reply::BlackHole => {
            // hyper drops this future when the client goes.
            pause(BLACK_HOLE).await;
            Err(Dropped::Fault)
        }
        Reply::Lost { after } => {
            pause(after).await;
            Err(Dropped::Fault)
        }
    }
}

async fn pause(span: Duration) {
    if !span.is_zero() {
        tokio::time::sleep(span).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::oneshot,
        time::timeout,
    };

    use super::*;
    use crate::sim::{
        fault::{Down, Fault, FaultKind},
        tests::bench_sim,
    };

    const PATIENCE: Duration = Duration::from_secs(10);

    /// What comes back on a fresh connection until it is closed; empty when nothing does.
    async fn ask(address: std::net::SocketAddr, region: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let body = "Action=DescribeGlobalClusters";
        let request = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\nauthorization: \
             AWS4-HMAC-SHA256 Credential=A/20261120/{region}/rds/aws4_request, Signature=0\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed in time").ok();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn one_port_serves_both_regions_drops_what_is_refused_and_stops_when_told() {
        let sim = Arc::new(bench_sim());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(serve(Arc::clone(&sim), listener, async move {
            stopped.await.ok();
        }));
        let answer = ask(address, "ap-south-1").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("x-pointsman-sim: "), "{answer}");
        let kind = FaultKind::RegionDown { region: "ap-south-1".into(), how: Down::Refuse };
        sim.inject(Fault { id: 0, kind, from: None, until: None }).unwrap();
        assert_eq!(ask(address, "ap-south-1").await, "");
        assert!(ask(address, "ap-south-2").await.contains("payments-global"));
        stop.send(()).unwrap();
        timeout(PATIENCE, serving).await.expect("stops in time").unwrap().unwrap();
    }
}
