//! The program itself against what it meets outside AWS's answers: certificates of an address that a step probes, and
//! credentials that end, or cannot be had, behind the profiles and roles of the estate.
//!
//! AWS is the simulator on a port. Where the run must be a live one it does not name itself.

use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use pointsman::{
    clock::SystemClock,
    domain::Clock,
    estate::{self, Source},
    probes,
    sim::{
        Options, Reply, Sim,
        fault::{Down, Fault, FaultKind},
    },
    steps,
};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    process::Command,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

/// No wait here takes longer on the wall; a test that does is stuck.
const STUCK: Duration = Duration::from_secs(120);

const BLOCKED: Option<i32> = Some(2);

#[derive(Clone, Copy, PartialEq)]
enum Named {
    Simulator,
    /// As AWS would answer: nothing says that it is a simulation.
    Nothing,
}

/// The simulator of an estate on a port, its time that of the wall.
struct Aws {
    sim: Arc<Sim>,
    url: String,
}

impl Aws {
    async fn start(source: &Source, named: Named) -> Self {
        let loaded = estate::load(source, probes::CATALOGUE, steps::CATALOGUE);
        let errors: Vec<String> = loaded.errors().map(ToString::to_string).collect();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let sim = Arc::new(Sim::new(Options {
            estate: loaded.estate.unwrap_or_else(|| panic!("{errors:?}")),
            seed: 7,
            speed: 1.0,
            start: clock.wall(),
            clock,
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        match named {
            Named::Simulator => {
                tokio::spawn(pointsman::sim::server::serve(Arc::clone(&sim), listener, std::future::pending()));
            }
            Named::Nothing => {
                tokio::spawn(serve_unnamed(Arc::clone(&sim), listener));
            }
        }
        Self { sim, url }
    }

    fn effects(&self) -> usize {
        self.sim.calls().into_iter().filter(|call| call.effect).count()
    }
}

async fn serve_unnamed(sim: Arc<Sim>, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let sim = Arc::clone(&sim);
        let service = service_fn(move |request| unnamed(Arc::clone(&sim), request));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn unnamed(sim: Arc<Sim>, request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut response = http::Response::new(Bytes::new());
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    if !parts.uri.path().starts_with("/_sim")
        && let Reply::Answer { response: answer, .. } = sim.handle(http::Request::from_parts(parts, body))
    {
        response = answer;
    }
    response.headers_mut().remove("x-pointsman-sim");
    Ok(response.map(Full::new))
}

/// The program with an empty environment, and no metadata service of a machine that happens to be in a cloud.
fn pointsman(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).env("POINTSMAN_STATE", home.join("state")).env("AWS_EC2_METADATA_DISABLED", "true");
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A root that the machine of the test trusts, and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What an address shows of itself.
type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).expect("a name")
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn secret(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).expect("a key")
}

impl Authority {
    fn new() -> Self {
        let mut params = params("root.bank.example");
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key()).expect("a root"))
    }

    fn signs(&self, params: &CertificateParams) -> Identity {
        let key = key();
        (params.signed_by(&key, &self.0).expect("signed").der().clone(), secret(&key))
    }
}

fn self_signed(params: &CertificateParams) -> Identity {
    let key = key();
    (params.self_signed(&key).expect("signed").der().clone(), secret(&key))
}

/// Answers every caller that takes its certificate; the address to probe.
async fn address(identity: Identity) -> String {
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![identity.0], identity.1)
        .expect("a certificate and its key");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}/health", listener.local_addr().expect("bound"));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(acceptor.clone(), stream));
        }
    });
    url
}

/// Whoever refuses the certificate goes away in the handshake.
async fn answer(acceptor: TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
    let service = service_fn(|_: http::Request<Incoming>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from_static(b"ready to serve"))))
    });
    let stream = TokioIo::new(acceptor.accept(stream).await?);
    hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await.map_err(std::io::Error::other)
}

/// A rehearsal whose only step probes the address, run to its end or to the end of the input; it trusts that root only.
async fn probed(url: &str, root: &Authority) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let bank = home.join("estate");
    fs::create_dir_all(bank.join("runbooks")).expect("writable");
    fs::write(bank.join("estate.toml"), include_str!("estates/databases/estate.toml")).expect("writable");
    let runbook = format!(
        "[runbook]\nid = \"ask\"\nkind = \"drill-only\"\ntitle = \"Ask\"\nfor = [\"core\"]\n\n[[step]]\nid = \
         \"answers\"\ntitle = \"Does it answer?\"\nkind = \"http.probe\"\nurl = \"{url}\"\ncontains = \"ready\"\ntimeout = \"5s\"\n"
    );
    fs::write(bank.join("runbooks/ask.toml"), runbook).expect("writable");
    let roots = home.join("roots.pem");
    fs::write(&roots, root.0.pem()).expect("writable");
    let aws = Aws::start(&Source::Folder(bank.clone()), Named::Nothing).await;
    let arguments = ["run", "ask", "--app", "core", "--drill", "--single-operator", "--allow-endpoint-override"];
    let mut command = pointsman(home, &arguments);
    command.env("POINTSMAN_ESTATE", &bank).env("AWS_ENDPOINT_URL", &aws.url).env("SSL_CERT_FILE", &roots);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(b"asha\nINC-4471\ncore\nap-south-2\n").await.expect("it reads");
    drop(input);
    let output = tokio::time::timeout(STUCK, child.wait_with_output()).await.expect("within the bound").expect("ends");
    assert!(text(&output).contains("DRILL"), "not a simulation: {}", text(&output));
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_whose_root_this_machine_trusts_is_probed_over_tls() {
    let root = Authority::new();
    let url = address(root.signs(&params("127.0.0.1"))).await;
    let output = probed(&url, &root).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains(&format!("{url} answers 200 in ")), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_to_be_trusted_is_refused_in_words() {
    let root = Authority::new();
    let mut ended = params("127.0.0.1");
    ended.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let mut early = params("127.0.0.1");
    early.not_before = rcgen::date_time_ymd(4000, 1, 1);
    let mut made_with_openssl = params("127.0.0.1");
    made_with_openssl.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let table = [
        (self_signed(&params("127.0.0.1")), "is from nobody whom this machine trusts"),
        // Another root of the same name.
        (Authority::new().signs(&params("127.0.0.1")), "is from nobody whom this machine trusts"),
        (self_signed(&made_with_openssl), "is one that it issued itself"),
        (root.signs(&params("other.bank.example")), "is for another name"),
        (root.signs(&ended), "has expired"),
        (root.signs(&early), "is not valid yet, by this machine's clock"),
    ];
    let looks = table.map(|(identity, words)| {
        let root = &root;
        async move {
            let url = address(identity).await;
            let output = probed(&url, root).await;
            assert_eq!(output.status.code(), Some(4), "parked: {}", text(&output));
            let said = format!("{url}: its certificate {words}");
            assert!(text(&output).contains(&said), "{said}\n{}", text(&output));
        }
    });
    futures_util::future::join_all(looks).await;
}

/// A console of the bundled estate, whose Regions are reached by a profile and a role each.
struct Signed {
    home: tempfile::TempDir,
    aws: Aws,
    /// What the config file says of the profiles of Mumbai and of Hyderabad.
    profiles: [String; 2],
}

impl Signed {
    /// In for so long from now: a program gives keys with a token that ends then.
    async fn lasting(lasts: Duration) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let ends = SystemClock::default().wall() + lasts;
        let keys = serde_json::json!({
            "Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "none", "SessionToken": "none",
            "Expiration": ends.rfc3339(),
        });
        let file = home.path().join("keys.json");
        fs::write(&file, keys.to_string()).expect("writable");
        let process = format!("credential_process = /bin/cat {}", file.display());
        let aws = Aws::start(&Source::Bundled, Named::Simulator).await;
        Self { home, aws, profiles: [process.clone(), process] }
    }

    /// For each service an address of its own: one for all would be taken for a stand-in that needs no credentials.
    async fn says(&self, arguments: &[&str]) -> Output {
        let config = self.home.path().join("config");
        let [mumbai, hyderabad] = &self.profiles;
        fs::write(&config, format!("[profile bank-mumbai]\n{mumbai}\n[profile bank-hyderabad]\n{hyderabad}\n"))
            .expect("writable");
        let mut command = pointsman(self.home.path(), arguments);
        command.env("AWS_CONFIG_FILE", config);
        for service in ["RDS", "CLOUDWATCH", "BACKUP", "ROUTE_53", "STS"] {
            command.env(format!("AWS_ENDPOINT_URL_{service}"), &self.aws.url);
        }
        let ended = tokio::time::timeout(STUCK, command.output()).await;
        ended.expect("it ends within the bound").expect("it starts")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_before_the_run_would_is_named_by_plan_and_run_and_nothing_begins() {
    let signed = Signed::lasting(Duration::from_mins(3)).await;
    for command in ["plan", "run"] {
        let output = signed.says(&[command, "payments-switchover", "--app", "payments"]).await;
        let said = text(&output);
        assert_eq!(output.status.code(), BLOCKED, "{command}: {said}");
        for region in ["ap-south-1", "ap-south-2", "us-east-1"] {
            let blocker = format!("{region}: the session ends in ");
            let line = said.lines().find(|line| line.contains(&blocker));
            let line = line.unwrap_or_else(|| panic!("{command}: no {blocker} in {said}"));
            assert!(line.contains("the run is expected to take ") && line.ends_with(": sign in anew first"), "{line}");
        }
    }
    assert_eq!(signed.aws.effects(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_outlives_the_run_holds_nothing_back() {
    let signed = Signed::lasting(Duration::from_hours(1)).await;
    let plan = signed.says(&["plan", "payments-switchover", "--app", "payments"]).await;
    assert_eq!(plan.status.code(), Some(0), "{}", text(&plan));
    assert!(!text(&plan).contains("session"), "{}", text(&plan));
    let run = signed.says(&["run", "payments-switchover", "--app", "payments"]).await;
    assert!(text(&run).contains("the input ended before the declaration"), "{}", text(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_does_not_forbid_the_way_out_of_an_outage() {
    let signed = Signed::lasting(Duration::from_mins(1)).await;
    let down = FaultKind::RegionDown { region: "ap-south-1".into(), how: Down::Refuse };
    signed.aws.sim.inject(Fault { id: 0, kind: down, from: None, until: None }).expect("a fault the simulator knows");
    for (runbook, held) in [("payments-switchover", true), ("payments-failover", false)] {
        let plan = text(&signed.says(&["plan", runbook, "--app", "payments"]).await);
        assert!(plan.contains(&format!("PLAN {runbook}")), "{plan}");
        assert_eq!(plan.contains("the session ends in "), held, "{plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_cannot_be_had_behind_a_role_are_not_taken_for_a_region_that_is_gone() {
    let table = [
        ("", "caller unknown, no credentials"),
        ("credential_process = /bin/false", "caller unknown, no credentials"),
        ("credential_process = echo the sign-in has expired >&2; false", "caller unknown, credentials expired"),
    ];
    for (process, words) in table {
        let profiles = [process.to_owned(), process.to_owned()];
        let signed = Signed { profiles, ..Signed::lasting(Duration::ZERO).await };
        let plan = signed.says(&["plan", "payments-switchover", "--app", "payments"]).await;
        assert_eq!(plan.status.code(), BLOCKED, "{}", text(&plan));
        assert!(text(&plan).contains(words), "{process}: {}", text(&plan));
        assert!(!text(&plan).contains("nothing answers"), "{process}: {}", text(&plan));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_fails_for_mumbai_alone_does_not_make_mumbai_dark() {
    let mut signed = Signed::lasting(Duration::from_hours(1)).await;
    signed.profiles[0] = "credential_process = /bin/false".to_owned();
    let status = text(&signed.says(&["status"]).await);
    let head = status.lines().next().unwrap_or_default();
    assert!(head.contains("Mumbai ap-south-1 no credentials"), "{status}");
    assert!(head.contains("Hyderabad ap-south-2 reachable"), "{status}");
}
