//! Clients and their configuration (field guide 9.4): one set per Region, nothing shared between Regions.
//!
//! Everything that an environment variable could change for the worse is set here by program: retry mode
//! (a bad `AWS_RETRY_MODE` panics inside the SDK otherwise), time-outs, FIPS, dual stack. STS is regional.
//! Must never: hand out a raw client, or hold a credential where `Debug` shows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error as StdError,
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::{AppName, BehaviorVersion, Region as SdkRegion, SdkConfig, sts::AssumeRoleProvider};
use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, SharedCredentialsProvider},
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::{error::metadata::ProvideErrorMetadata, retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::request_id::RequestId;

use super::{
    error::CallError,
    log::CallLog,
    operation::Site,
    overrides::{self, Environment},
    read::Reader,
    telemetry::{Listener, NoticeHook, Telemetry},
    wire::{Transport, WireClient},
};
use crate::domain::{
    Clock, Estate, RegionId, Side, Timestamp,
    app::Access,
    call::{CallOutcome, CallRecord},
    region::GLOBAL_CONTROL_PLANE,
    resource::Session,
    text::SafeText,
};

/// An answer named itself a simulator's: its time and speed when it answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatorNotice {
    pub estate: Timestamp,
    /// Estate seconds per wall second; 0 = it stands still.
    pub speed: f64,
}

/// Time-outs of one call, in wall time. Without them a black-holed Region hangs a task for minutes
/// (field guide 9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeBudget {
    pub connect: Duration,
    pub attempt: Duration,
    pub operation: Duration,
}

impl Default for TimeBudget {
    fn default() -> Self {
        Self { connect: Duration::from_secs(1), attempt: Duration::from_secs(4), operation: Duration::from_secs(10) }
    }
}

/// What a [`Connection`] is made from. `Debug` shows no values of the environment.
#[derive(Clone)]
pub struct ConnectionSettings {
    /// Regions with the way to reach each; the global control planes are added by [`Connection::open`].
    pub regions: BTreeMap<RegionId, Access>,
    /// Region whose access (profile, role, STS endpoint) serves the global control planes: the recovery Region,
    /// because it must work when the primary is gone (field guide 8.4).
    pub global_through: RegionId,
    pub transport: Transport,
    /// The process's variables, given by the caller; only `AWS_ENDPOINT_URL…` and keys for a local stand-in are
    /// looked at.
    pub environment: Environment,
    pub clock: Arc<dyn Clock>,
    pub on_simulator: NoticeHook,
    pub budget: TimeBudget,
}

impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSettings")
            .field("regions", &self.regions.keys())
            .field("transport", &self.transport)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl ConnectionSettings {
    /// For an estate's Region pair.
    pub fn for_estate(estate: &Estate, transport: Transport, environment: Environment, clock: Arc<dyn Clock>) -> Self {
        let mut regions: BTreeMap<RegionId, Access> = Side::BOTH
            .into_iter()
            .map(|side| {
                let access = estate.access.get(&side).cloned().unwrap_or_default();
                (estate.regions.get(side).id.clone(), access)
            })
            .collect();
        // Metadata of global services is read there, e.g. metrics of Route 53 in us-east-1.
        let through_recovery = estate.access.get(&Side::Recovery).cloned().unwrap_or_default();
        for region in &estate.residency.control_planes {
            regions.entry(region.clone()).or_insert_with(|| through_recovery.clone());
        }
        Self {
            regions,
            global_through: estate.regions.recovery.id.clone(),
            transport,
            environment,
            clock,
            on_simulator: Arc::new(|_| {}),
            budget: TimeBudget::default(),
        }
    }
}

/// The configuration of all Regions, from which readers and the one writer are made.
pub struct Connection {
    pub(super) configs: BTreeMap<RegionId, SdkConfig>,
    pub(super) shared: Arc<Shared>,
    environment: Environment,
    overrides: Vec<(SafeText, SafeText)>,
    sessions: BTreeMap<RegionId, SessionSeen>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("regions", &self.configs.keys())
            .field("overrides", &self.overrides)
            .finish_non_exhaustive()
    }
}

/// What all clients of one connection share. The log is the only thing they write.
pub(super) struct Shared {
    pub clock: Arc<dyn Clock>,
    pub log: Arc<CallLog>,
    pub telemetry: Arc<Telemetry>,
}

impl Connection {
    /// Reads the shared config files (network only); makes no call. Credentials are fetched by the first call.
    pub async fn open(settings: ConnectionSettings) -> Self {
        let telemetry = Arc::new(Telemetry::new(Arc::clone(&settings.clock), Arc::clone(&settings.on_simulator)));
        let shared = Shared { clock: Arc::clone(&settings.clock), log: Arc::default(), telemetry };
        let global = RegionId::new(GLOBAL_CONTROL_PLANE);
        let mut places = settings.regions.clone();
        if !places.contains_key(&global) {
            let access = settings.regions.get(&settings.global_through).cloned().unwrap_or_default();
            places.insert(global.clone(), access);
        }
        let (mut configs, mut sessions) = (BTreeMap::new(), BTreeMap::new());
        let mut overrides = match settings.transport {
            Transport::Network => overrides::listed(&settings.environment),
            Transport::Wire(_) => Vec::new(),
        };
        for (region, access) in places {
            let sts_region = if region == global { &settings.global_through } else { &region };
            let session = SessionSeen::default();
            let config = sdk_config(&settings, &region, sts_region, &access, &session).await;
            overrides.extend(overrides::of_profile(&config, &settings.environment));
            sessions.insert(region.clone(), session);
            configs.insert(region, config);
        }
        overrides.sort();
        overrides.dedup();
        let environment = match settings.transport {
            Transport::Network => settings.environment,
            Transport::Wire(_) => Environment::new(),
        };
        Self { configs, shared: Arc::new(shared), environment, overrides, sessions }
    }

    /// A client set that can only be used through [`super::operation::ReadOp`]s.
    pub fn reader(&self) -> Reader {
        Reader::new(ServiceClients::build(self, &retry_of_reads()))
    }

    pub fn log(&self) -> Arc<CallLog> {
        Arc::clone(&self.shared.log)
    }

    /// (variable, URL) of every endpoint that is not AWS's own.
    pub fn endpoint_overrides(&self) -> &[(SafeText, SafeText)] {
        &self.overrides
    }
}

/// Two attempts inside the operation's budget; the next cycle is the third. Jitter is the SDK's.
fn retry_of_reads() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(2)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(Duration::from_secs(1))
}

async fn sdk_config(
    settings: &ConnectionSettings,
    region: &RegionId,
    sts_region: &RegionId,
    access: &Access,
    session: &SessionSeen,
) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.budget.connect)
        .operation_attempt_timeout(settings.budget.attempt)
        .operation_timeout(settings.budget.operation)
        .build();
    let sdk_region = SdkRegion::new(region.as_str().to_owned());
    let version = BehaviorVersion::v2026_01_12();
    let worthless = || Credentials::new("POINTSMANSIM", "worthless", None, None, "pointsman");
    if let Transport::Wire(wire) = &settings.transport {
        return SdkConfig::builder()
            .behavior_version(version)
            .region(sdk_region)
            .retry_config(retry_of_reads())
            .timeout_config(timeouts)
            .use_fips(false)
            .use_dual_stack(false)
            .http_client(WireClient(Arc::clone(wire)))
            .credentials_provider(session.watch(SharedCredentialsProvider::new(worthless())))
            .build();
    }
    let mut loader = aws_config::defaults(version)
        .region(sdk_region)
        .retry_config(retry_of_reads())
        .timeout_config(timeouts)
        .use_fips(false)
        .use_dual_stack(false);
    if let Ok(name) = AppName::new("pointsman") {
        loader = loader.app_name(name);
    }
    if overrides::is_local_stand_in(&settings.environment) {
        let variable = |name: &str| settings.environment.get(name).cloned();
        let credentials = match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "pointsman"),
            _ => worthless(),
        };
        return loader.credentials_provider(session.watch(SharedCredentialsProvider::new(credentials))).load().await;
    }
    if let Some(profile) = &access.profile {
        loader = loader.profile_name(profile);
    }
    let mut base = loader.load().await;
    if let Some(provider) = base.credentials_provider() {
        base = base.into_builder().credentials_provider(session.watch(provider)).build();
    }
    let Some(role) = &access.role else { return base };
    let provider = AssumeRoleProvider::builder(role)
        .region(SdkRegion::new(sts_region.as_str().to_owned()))
        .session_name("pointsman")
        .configure(&base)
        .build()
        .await;
    base.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

/// What the credentials said of their own end when they were last handed out; never the credentials.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionSeen(Arc<Mutex<Option<Session>>>);

impl SessionSeen {
    fn watch(&self, inner: SharedCredentialsProvider) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Watched { inner, seen: self.clone() })
    }

    fn note(&self, credentials: &Credentials) {
        let since_epoch = |end: std::time::SystemTime| end.duration_since(std::time::UNIX_EPOCH).ok();
        let session = match (credentials.expiry(), credentials.session_token()) {
            (Some(end), _) => since_epoch(end)
                .and_then(|end| i64::try_from(end.as_millis()).ok())
                .map_or(Session::Unknown, |millis| Session::Until(Timestamp::from_millis(millis))),
            // A token that came through the environment ends at some time that nobody said.
            (None, Some(_)) => Session::Unknown,
            (None, None) => Session::Unlimited,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    fn now(&self) -> Session {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(Session::Unknown)
    }
}

#[derive(Debug)]
struct Watched {
    inner: SharedCredentialsProvider,
    seen: SessionSeen,
}

impl ProvideCredentials for Watched {
    fn provide_credentials<'a>(&'a self) -> provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        provider::future::ProvideCredentials::new(async move {
            let credentials = self.inner.provide_credentials().await?;
            self.seen.note(&credentials);
            Ok(credentials)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.inner.fallback_on_interrupt()
    }
}

/// The SDK's clients of every Region. Opaque outside this module: only operations can use them.
#[derive(Clone)]
pub struct ServiceClients {
    regions: Arc<BTreeMap<RegionId, RegionClients>>,
    sessions: Arc<BTreeMap<RegionId, SessionSeen>>,
    pub(super) shared: Arc<Shared>,
}

impl fmt::Debug for ServiceClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServiceClients").field(&self.regions.keys()).finish()
    }
}

pub(super) struct RegionClients {
    pub rds: aws_sdk_rds::Client,
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    pub backup: aws_sdk_backup::Client,
    pub route53: aws_sdk_route53::Client,
    pub sts: aws_sdk_sts::Client,
}

impl ServiceClients {
    pub(super) fn build(connection: &Connection, retry: &RetryConfig) -> Self {
        let regions = connection
            .configs
            .iter()
            .map(|(region, config)| {
                let listener =
                    || Listener { region: region.clone(), telemetry: Arc::clone(&connection.shared.telemetry) };
                macro_rules! client {
                    ($service:ident, $suffix:literal) => {{
                        let mut builder =
                            $service::config::Builder::from(config).retry_config(retry.clone()).interceptor(listener());
                        builder.set_endpoint_url(overrides::endpoint(&connection.environment, $suffix));
                        $service::Client::from_conf(builder.build())
                    }};
                }
                let clients = RegionClients {
                    rds: client!(aws_sdk_rds, "RDS"),
                    cloudwatch: client!(aws_sdk_cloudwatch, "CLOUDWATCH"),
                    backup: client!(aws_sdk_backup, "BACKUP"),
                    route53: client!(aws_sdk_route53, "ROUTE_53"),
                    sts: client!(aws_sdk_sts, "STS"),
                };
                (region.clone(), clients)
            })
            .collect();
        Self {
            regions: Arc::new(regions),
            sessions: Arc::new(connection.sessions.clone()),
            shared: Arc::clone(&connection.shared),
        }
    }

    pub(super) fn region(&self, region: &RegionId) -> Result<&RegionClients, CallError> {
        self.regions.get(region).ok_or_else(|| CallError::not_sent(format!("{region} is not a Region of the estate")))
    }

    /// As the credentials of the newest call of that Region said it.
    pub(super) fn session(&self, region: &RegionId) -> Session {
        self.sessions.get(region).map_or(Session::Unknown, SessionSeen::now)
    }

    pub(super) fn regions(&self) -> BTreeSet<RegionId> {
        self.regions.keys().cloned().collect()
    }

    /// Makes one call: times it, logs it, says what its failure means. `metrics` is what CloudWatch bills.
    pub(super) async fn call<T, E, F>(
        &self,
        site: &Site,
        metrics: usize,
        send: F,
    ) -> Result<(T, Option<SafeText>), CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        T: RequestId,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let at = self.shared.clock.now();
        let began = self.shared.clock.monotonic();
        let outcome = send.await;
        let took = self.shared.clock.monotonic().saturating_sub(began);
        let outcome = match outcome {
            Ok(output) => {
                let request_id = output.request_id().map(SafeText::new);
                Ok((output, request_id))
            }
            Err(error) => Err(CallError::from_sdk(&error, &site.region)),
        };
        let metrics = metrics as u64;
        let record = CallRecord {
            seq: 0,
            at,
            service: site.service,
            operation: site.operation,
            region: site.region.clone(),
            hazard: site.hazard,
            took,
            outcome: match &outcome {
                Ok(_) => CallOutcome::Ok,
                Err(error) => CallOutcome::Failed { failure: error.failure, message: error.message.clone() },
            },
            request_id: match &outcome {
                Ok((_, id)) => id.clone(),
                Err(error) => error.request_id.clone(),
            },
            usd: metrics as f64 * super::log::USD_PER_METRIC,
        };
        self.shared.log.push(record, metrics);
        outcome
    }
}
