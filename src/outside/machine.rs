//! This machine: programs as processes of their own, and HTTP as a health check speaks it.
//!
//! A program gets an absolute path, its arguments, the variables that the runbook names and nothing else: no shell, no
//! standard input, `/` as its folder, a process group of its own so that a time-out ends its children too.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::Stdio,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::TcpStream,
    process::Command,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, CertificateError, ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
};

use crate::{
    domain::{Clock, SafeText, time},
    steps::outside::{CommandLine, Ended, Hands, HttpAnswer, HttpGet, Outside},
};

/// As Route 53's checkers read (field guide 5.2).
const BODY_MAX: usize = 5_120;
/// Kept of each stream of a program; the rest is read and dropped, or the program would stop in its writing.
const OUTPUT_MAX: usize = 16 << 10;
/// Shown of the last line.
const LINE_MAX: usize = 400;
/// A program that has ended may have left its output open to a child: this long it is read on.
const OUTPUT_AFTER: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub struct Machine {
    clock: Arc<dyn Clock>,
    /// Made with the first `https` address.
    tls: Arc<OnceLock<Result<Arc<ClientConfig>, String>>>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Machine")
    }
}

impl Machine {
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, tls: Arc::default() }
    }

    /// Trusts what the system trusts, as the connection to AWS does.
    fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        let made = self.tls.get_or_init(|| {
            let found = rustls_native_certs::load_native_certs();
            let mut roots = RootCertStore::empty();
            let (added, _) = roots.add_parsable_certificates(found.certs);
            if added == 0 {
                return Err("this machine has no root certificates".to_owned());
            }
            let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok(Arc::new(config))
        });
        made.clone()
    }

    async fn exchange(&self, uri: &http::Uri) -> Result<(u16, Vec<u8>), String> {
        let host = uri.host().ok_or("no host")?.to_owned();
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("neither http:// nor https://".to_owned()),
        };
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let stream = TcpStream::connect((bare.as_str(), port)).await.map_err(|error| error.to_string())?;
        if !secure {
            return get(stream, uri, &host).await;
        }
        let name = ServerName::try_from(bare).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(self.tls()?);
        let stream = connector.connect(name, stream).await.map_err(|error| no_handshake(&error))?;
        get(stream, uri, &host).await
    }
}

/// A certificate that is refused, in words for whoever has to mend it.
fn no_handshake(error: &std::io::Error) -> String {
    let tls = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(bad)) = tls else { return error.to_string() };
    match bad {
        // The second: an issuer that bears the name of one that is trusted.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is from nobody whom this machine trusts".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet, by this machine's clock".to_owned()
        }
        // What `openssl req -x509` makes; rustls knows it by this word only.
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is one that it issued itself".to_owned()
        }
        other => format!("its certificate is not valid: {other}"),
    }
}

/// One `GET` on a fresh connection; redirects are an answer like any other.
async fn get(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    uri: &http::Uri,
    host: &str,
) -> Result<(u16, Vec<u8>), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| said(&error))?;
    // Ends with this exchange, whatever its end.
    let driver = Driver(tokio::spawn(async move {
        connection.await.ok();
    }));
    let authority = uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let request = http::Request::get(uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str))
        .header(http::header::HOST, authority)
        .header(http::header::USER_AGENT, concat!("pointsman/", env!("CARGO_PKG_VERSION")))
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| said(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| said(&error))?;
    let status = answer.status().as_u16();
    let (mut body, mut read) = (answer.into_body(), Vec::new());
    while read.len() < BODY_MAX {
        let Some(frame) = body.frame().await else { break };
        if let Ok(data) = frame.map_err(|error| said(&error))?.into_data() {
            read.extend_from_slice(&data);
        }
    }
    read.truncate(BODY_MAX);
    drop(driver);
    Ok((status, read))
}

struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The newest bytes of a stream, read to its end.
async fn tail(stream: Option<impl AsyncRead + Unpin>, into: Arc<std::sync::Mutex<Vec<u8>>>) {
    let Some(mut stream) = stream else { return };
    let mut piece = [0; 4_096];
    while let Ok(read) = stream.read(&mut piece).await {
        if read == 0 {
            break;
        }
        let mut kept = into.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.extend_from_slice(&piece[..read]);
        let over = kept.len().saturating_sub(OUTPUT_MAX);
        kept.drain(..over);
    }
}

fn last_line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(LINE_MAX).collect())
}

async fn run(line: &CommandLine) -> Ended {
    let not_started = |why: String| Ended::NotStarted { why: SafeText::new(why) };
    if !line.program.starts_with('/') {
        return not_started(format!("{}: not an absolute path", line.program));
    }
    let handed = line.environment.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let spawned = Command::new(&line.program)
        .args(&line.args)
        .env_clear()
        .envs(handed)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return not_started(format!("{}: {error}", line.program)),
    };
    let group = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    let (out, err) = (Arc::default(), Arc::default());
    let reading = tokio::spawn({
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (out, err) = (Arc::clone(&out), Arc::clone(&err));
        async move { tokio::join!(tail(stdout, out), tail(stderr, err)) }
    });
    let ended = tokio::time::timeout(line.timeout, child.wait()).await;
    let Ok(ended) = ended else {
        // The group, not the child alone: what it started must not go on unseen.
        if let Some(group) = group {
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
        }
        child.wait().await.ok();
        reading.abort();
        return Ended::Cut { why: SafeText::new(format!("killed after {}", time::short(line.timeout))) };
    };
    let reader = reading.abort_handle();
    if tokio::time::timeout(OUTPUT_AFTER, reading).await.is_err() {
        reader.abort();
    }
    let kept =
        |bytes: &std::sync::Mutex<Vec<u8>>| last_line(&bytes.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let said = kept(&out).or_else(|| kept(&err)).unwrap_or_default();
    match ended {
        Err(error) => Ended::Cut { why: SafeText::new(format!("its end was not seen: {error}")) },
        Ok(status) => match (status.code(), status.signal()) {
            (Some(status), _) => Ended::Exit { status, last_line: SafeText::new(said) },
            (None, signal) => {
                Ended::Cut { why: SafeText::new(format!("ended by signal {}", signal.unwrap_or_default())) }
            }
        },
    }
}

#[async_trait]
impl Outside for Machine {
    async fn get(&self, get: &HttpGet) -> Result<HttpAnswer, SafeText> {
        let said = |why: String| SafeText::new(format!("{}: {why}", get.url));
        let uri: http::Uri = get.url.parse().map_err(|error| said(format!("{error}")))?;
        let began = self.clock.monotonic();
        match tokio::time::timeout(get.timeout, self.exchange(&uri)).await {
            Err(_) => Err(said(format!("no answer in {}", time::short(get.timeout)))),
            Ok(Err(why)) => Err(said(why)),
            Ok(Ok((status, body))) => Ok(HttpAnswer {
                status,
                body: SafeText::new(String::from_utf8_lossy(&body)),
                took: self.clock.monotonic().saturating_sub(began),
            }),
        }
    }

    async fn look(&self, command: &CommandLine) -> Ended {
        run(command).await
    }
}

#[async_trait]
impl Hands for Machine {
    async fn run(&self, command: &CommandLine) -> Ended {
        run(command).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    use super::*;

    fn line(program: &str, args: &[&str], timeout: Duration) -> CommandLine {
        CommandLine {
            program: program.into(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            environment: Vec::new(),
            timeout,
            done_when: Vec::new(),
        }
    }

    fn machine() -> Machine {
        Machine::new(Arc::new(crate::clock::SystemClock::default()))
    }

    const AMPLE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_program_gets_its_arguments_as_they_are_no_environment_and_the_root_folder() {
        let ended = run(&line("/bin/echo", &["$HOME; rm -rf x", "*"], AMPLE)).await;
        assert_eq!(ended, Ended::Exit { status: 0, last_line: SafeText::new("$HOME; rm -rf x *") });
        assert_eq!(
            run(&line("/usr/bin/env", &[], AMPLE)).await,
            Ended::Exit { status: 0, last_line: SafeText::default() }
        );
        let mut named = line("/usr/bin/env", &[], AMPLE);
        named.environment = vec!["PATH".into(), "NO_SUCH_VARIABLE".into()];
        let Ended::Exit { last_line, .. } = run(&named).await else { panic!("it ends") };
        assert!(last_line.starts_with("PATH="), "{last_line}");
        let Ended::Exit { last_line, .. } = run(&line("/bin/pwd", &[], AMPLE)).await else { panic!("it ends") };
        assert_eq!(last_line.as_str(), "/");
    }

    #[tokio::test]
    async fn how_a_program_ended_is_told_apart() {
        assert!(matches!(run(&line("/bin/false", &[], AMPLE)).await, Ended::Exit { status: 1, .. }));
        assert!(matches!(run(&line("/no/such/program", &[], AMPLE)).await, Ended::NotStarted { .. }));
        assert!(matches!(run(&line("true", &[], AMPLE)).await, Ended::NotStarted { .. }));
        let killed = run(&line("/bin/sh", &["-c", "kill -9 $$"], AMPLE)).await;
        assert_eq!(killed, Ended::Cut { why: SafeText::new("ended by signal 9") });
    }

    #[tokio::test]
    async fn a_time_out_ends_the_children_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let mark = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", mark.display());
        let ended = run(&line("/bin/sh", &["-c", &script], Duration::from_millis(400))).await;
        assert!(matches!(ended, Ended::Cut { .. }), "{ended:?}");
        let pid: i32 = std::fs::read_to_string(&mark).expect("it was started").trim().parse().expect("a number");
        let pid = rustix::process::Pid::from_raw(pid).expect("a process");
        // Whoever inherits the dead child reaps it a moment later.
        let gone = async {
            while rustix::process::test_kill_process(pid).is_ok() && !is_zombie(pid) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(AMPLE, gone).await.expect("the child is gone");
    }

    fn is_zombie(pid: rustix::process::Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
    }

    #[tokio::test]
    async fn a_program_that_says_more_than_anybody_reads_ends_all_the_same() {
        let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done";
        let ended = run(&line("/bin/sh", &["-c", script], AMPLE)).await;
        assert_eq!(ended, Ended::Exit { status: 0, last_line: SafeText::new("line 19999") });
    }

    async fn serve(answer: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/health", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let mut asked = [0; 1_024];
            let _ = stream.read(&mut asked).await.expect("a request");
            stream.write_all(answer.as_bytes()).await.expect("taken");
            stream.shutdown().await.ok();
        });
        url
    }

    #[tokio::test]
    async fn an_answer_is_its_status_and_the_first_5120_bytes_and_a_redirect_is_not_followed() {
        let body = format!("ready {}", "x".repeat(6_000));
        let answer = format!(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let get = HttpGet { url: serve(answer).await, timeout: AMPLE };
        let answer = machine().get(&get).await.expect("an answer");
        assert_eq!(answer.status, 302);
        assert!(answer.body.starts_with("ready x") && answer.body.len() <= BODY_MAX);
    }

    #[tokio::test]
    async fn who_does_not_answer_is_named_in_words() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        let mute = HttpGet { url, timeout: Duration::from_millis(50) };
        assert!(machine().get(&mute).await.expect_err("silence").contains("no answer in"));
        drop(listener);
        let gone = HttpGet { timeout: AMPLE, ..mute };
        assert!(machine().get(&gone).await.is_err());
    }
}
