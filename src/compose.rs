//! Joins the real parts: the only place that knows all of them, and the only one that makes the writing client.
//!
//! Must never: turn a missing or wrong estate into a simulation; give a view or a probe anything that can write;
//! let a slow start of AWS or of the simulator delay the first frame.
//! Where to look next: [`Core`] (everything behind the screen or the command line), [`console`] (the screen in
//! front of it).

mod console;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

pub use console::console;

use crate::{
    aws,
    cli::{Common, exit::Failure},
    clock::SystemClock,
    collect::{self, Collector, CollectorHandle},
    domain::{
        AppId, Clock, Diagnostic, Estate, Mode, Picture, SafeText, Snapshot, Timestamp,
        app::PolicyWarning,
        compliance::{self, Execution, Question},
        diagnostic::{Level, SourceFile, render},
        scenario::Scenario,
    },
    engine::{self, Engine},
    estate,
    keymap::{self, Keymap},
    outside::{Chosen, Machine, Simulated, Standing, WhichWorld, simulated::Control},
    probes,
    runbook::{
        plan::{Plan, PlanRequest},
        spec::RunbookSpec,
    },
    sim::{self, Sim},
    steps,
    theme::{self, Theme},
};

/// The estate's files, read and found whole.
#[derive(Clone, Debug)]
pub struct Files {
    pub estate: Arc<Estate>,
    pub runbooks: Vec<Arc<RunbookSpec>>,
    /// Behind the estate: AWS, or the simulator inside this process.
    pub backing: Backing,
    /// What goes wrong in the simulator, where one was named.
    pub scenario: Option<Arc<Scenario>>,
}

impl Files {
    /// A scenario has a speed of its own, unless the person said another than the usual one.
    #[must_use]
    pub fn speed(&self, common: &Common) -> f64 {
        let usual = (common.speed - 1.0).abs() < f64::EPSILON;
        self.scenario.as_ref().filter(|_| usual).map_or(common.speed, |scenario| scenario.speed)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    Aws,
    EmbeddedSimulator,
}

/// What `check` found.
#[derive(Debug)]
pub struct Checked {
    pub what: String,
    pub diagnostics: Vec<Diagnostic>,
    /// What only today's date can tell.
    pub dated: Vec<PolicyWarning>,
}

/// Which estate is meant: named, else in the XDG config folder, else the bundled one on the simulator.
///
/// # Errors
/// A named folder that does not exist.
fn source(common: &Common) -> Result<(estate::Source, Backing), Failure> {
    let backing = if common.sim { Backing::EmbeddedSimulator } else { Backing::Aws };
    if let Some(folder) = &common.estate {
        if folder.as_os_str() == "bundled" {
            return Ok((estate::Source::Bundled, backing));
        }
        if !folder.is_dir() {
            return Err(Failure::usage([
                format!("estate {}: no such folder", folder.display()),
                "name a folder that holds estate.toml, or `--estate bundled`; nothing was simulated instead".to_owned(),
            ]));
        }
        return Ok((estate::Source::Folder(folder.clone()), backing));
    }
    if let Some(folder) = config_folder().map(|f| f.join("estate")).filter(|f| f.is_dir()) {
        return Ok((estate::Source::Folder(folder), backing));
    }
    // Nothing named anywhere. An endpoint in the environment names where to read from: the bundled estate there.
    let endpoint = std::env::vars().any(|(name, value)| name.starts_with("AWS_ENDPOINT_URL") && !value.is_empty());
    let backing = if endpoint && !common.sim { Backing::Aws } else { Backing::EmbeddedSimulator };
    Ok((estate::Source::Bundled, backing))
}

fn config_folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    etcetera::choose_base_strategy().ok().map(|dirs| dirs.config_dir().join("pointsman"))
}

fn state_folder(common: &Common) -> Result<PathBuf, Failure> {
    use etcetera::BaseStrategy as _;
    if let Some(folder) = &common.state {
        return Ok(folder.clone());
    }
    let dirs = etcetera::choose_base_strategy().map_err(|e| {
        Failure::usage([format!("no home folder: {e}"), "name a folder for the journal with --state".to_owned()])
    })?;
    Ok(dirs.state_dir().unwrap_or_else(|| dirs.data_dir()).join("pointsman"))
}

/// Reads and validates the estate.
///
/// # Errors
/// Every mistake of every file at once, with file, line and column.
pub fn load_estate(common: &Common) -> Result<Files, Failure> {
    let (source, backing) = source(common)?;
    let loaded = estate::load(&source, probes::CATALOGUE, steps::CATALOGUE);
    let errors: Vec<&Diagnostic> = loaded.diagnostics.iter().filter(|d| d.level == Level::Error).collect();
    match loaded.estate {
        Some(estate) if errors.is_empty() => {
            // What only a date can tell (drills overdue, acceptances lapsed) is found against today.
            let mut dated = (*estate).clone();
            dated.warnings.extend(estate::dated_warnings(&estate, SystemClock::default().wall()));
            let scenario = scenario(common, &source, &dated)?;
            Ok(Files { estate: Arc::new(dated), runbooks: loaded.runbooks, backing, scenario })
        }
        _ => Err(broken("the estate has errors", &errors)),
    }
}

/// The scenario that is named: one of the estate's, else a file.
fn scenario(common: &Common, source: &estate::Source, estate: &Estate) -> Result<Option<Arc<Scenario>>, Failure> {
    let Some(wanted) = &common.scenario else { return Ok(None) };
    let (known, _) = estate::scenarios::load(source, estate, sim::fault::CATALOGUE);
    let ids: Vec<&str> = known.iter().map(|scenario| scenario.id.as_str()).collect();
    if let Some(found) = known.iter().find(|scenario| scenario.id == *wanted) {
        return Ok(Some(Arc::new(found.clone())));
    }
    let file = read_named("scenario", wanted, &ids)?;
    let (found, diagnostics) = estate::scenarios::parse(&file, estate, sim::fault::CATALOGUE);
    let errors: Vec<&Diagnostic> = diagnostics.iter().collect();
    found.map(|scenario| Some(Arc::new(scenario))).ok_or_else(|| broken("the scenario has errors", &errors))
}

fn broken(what: &str, errors: &[&Diagnostic]) -> Failure {
    let mut lines = vec![format!("{what}: {}", errors.len())];
    lines.extend(errors.iter().flat_map(|d| render(d).lines().map(str::to_owned).collect::<Vec<_>>()));
    lines.push("correct the files; `pointsman check` reads them again".to_owned());
    Failure::usage(lines)
}

/// The bundled theme of that name, or a file; `NO_COLOR` and the terminal's depth are applied by the console.
pub fn load_theme(common: &Common) -> Result<Theme, Failure> {
    let wanted = common.theme.as_deref().unwrap_or("default");
    if let Some(theme) = Theme::bundled(wanted) {
        return Ok(theme);
    }
    let file = read_named("theme", wanted, &theme::bundled_names())?;
    let (theme, diagnostics) = theme::parse(&file, &theme::bundled_source);
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|d| d.level == Level::Error).collect();
    theme.filter(|_| errors.is_empty()).ok_or_else(|| broken("the theme has errors", &errors))
}

/// The bundled keymap of that name, or a file.
pub fn load_keymap(common: &Common) -> Result<Keymap, Failure> {
    let wanted = common.keymap.as_deref().unwrap_or("default");
    if let Some(keymap) = keymap::bundled(wanted) {
        return Ok(keymap);
    }
    let file = read_named("keymap", wanted, &keymap::bundled_names())?;
    let (keymap, diagnostics) = keymap::parse(&file);
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|d| d.level == Level::Error).collect();
    keymap.filter(|_| errors.is_empty()).ok_or_else(|| broken("the keymap has errors", &errors))
}

fn read_named(what: &str, wanted: &str, bundled: &[&str]) -> Result<Arc<SourceFile>, Failure> {
    match std::fs::read_to_string(wanted) {
        Ok(text) => Ok(Arc::new(SourceFile { name: wanted.to_owned(), text })),
        Err(error) => Err(Failure::usage([
            format!("--{what} {wanted}: neither a bundled {what} nor a readable file ({error})"),
            format!("bundled: {}", bundled.join(", ")),
        ])),
    }
}

/// Everything that people write, read for `check`.
pub fn check(common: &Common) -> Result<Checked, Failure> {
    let (source, _) = source(common)?;
    let loaded = estate::load(&source, probes::CATALOGUE, steps::CATALOGUE);
    let dated =
        loaded.estate.as_deref().map(|e| estate::dated_warnings(e, SystemClock::default().wall())).unwrap_or_default();
    let mut diagnostics = loaded.diagnostics;
    if let Some(estate) = &loaded.estate {
        diagnostics.extend(estate::scenarios::load(&source, estate, sim::fault::CATALOGUE).1);
    }
    if let Some(wanted) = common.theme.as_deref().filter(|w| Theme::bundled(w).is_none()) {
        let file = read_named("theme", wanted, &theme::bundled_names())?;
        diagnostics.extend(theme::parse(&file, &theme::bundled_source).1);
    }
    if let Some(wanted) = common.keymap.as_deref().filter(|w| keymap::bundled(w).is_none()) {
        let file = read_named("keymap", wanted, &keymap::bundled_names())?;
        diagnostics.extend(keymap::parse(&file).1);
    }
    let what = match &source {
        estate::Source::Bundled => "the bundled estate".to_owned(),
        estate::Source::Folder(folder) => folder.display().to_string(),
    };
    Ok(Checked { what, diagnostics, dated })
}

/// The simulator of an estate, starting now on the wall, with its scenario.
///
/// # Errors
/// A scenario that the simulator does not take.
pub fn simulator(common: &Common, files: &Files, clock: &Arc<SystemClock>) -> Result<Arc<Sim>, Failure> {
    let clock: Arc<dyn Clock> = clock.clone();
    let sim = Arc::new(Sim::new(sim::Options {
        estate: files.estate.clone(),
        seed: common.seed,
        speed: files.speed(common),
        start: common.sim_start.unwrap_or_else(|| clock.wall()),
        clock,
    }));
    if let Some(scenario) = &files.scenario {
        sim.play(scenario).map_err(|why| Failure::usage([why, "correct the scenario".to_owned()]))?;
    }
    Ok(sim)
}

/// The simulator behind the SDK's own connector: signing, retries, time-outs and parsing stay the real ones.
#[derive(Debug)]
struct SimWire(Arc<Sim>);

impl aws::Wire for SimWire {
    fn call(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, aws::WireFailure>> {
        let reply = self.0.handle(request);
        Box::pin(async move {
            match reply {
                sim::Reply::Answer { after, response } => {
                    pause(after).await;
                    Ok(response)
                }
                sim::Reply::Refused => Err(aws::WireFailure::Refused),
                sim::Reply::BlackHole => std::future::pending().await,
                sim::Reply::Lost { after } => {
                    pause(after).await;
                    Err(aws::WireFailure::Broken)
                }
            }
        })
    }
}

/// The control API of the simulator in this process.
struct SimControl(Arc<Sim>);

#[async_trait::async_trait]
impl Control for SimControl {
    async fn post(&self, path: &str, body: String) -> Result<(u16, String), String> {
        let request = http::Request::post(path).body(Bytes::from(body)).map_err(|error| error.to_string())?;
        match self.0.handle(request) {
            sim::Reply::Answer { response, .. } => {
                Ok((response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned()))
            }
            other => Err(format!("the simulator's control API: {other:?}")),
        }
    }
}

/// The control API of a simulator that another process serves.
struct ServedControl(String);

#[async_trait::async_trait]
impl Control for ServedControl {
    async fn post(&self, path: &str, body: String) -> Result<(u16, String), String> {
        sim::client::ask(&self.0, path, Some(body)).await
    }
}

/// Whether programs and addresses are the real ones: never inside a simulation, and never while that is in doubt.
struct World {
    embedded: Option<Arc<Sim>>,
    reader: aws::Reader,
    /// Where endpoints are redirected to, if they are.
    redirected: Vec<String>,
}

#[async_trait::async_trait]
impl WhichWorld for World {
    async fn standing(&self) -> Standing {
        if let Some(sim) = &self.embedded {
            return Standing::Simulated(Simulated(Arc::new(SimControl(Arc::clone(sim)))));
        }
        let unclear = |why: &str| Standing::Unclear(SafeText::new(why));
        let simulated = self.reader.simulator().is_some();
        let [base] = self.redirected.as_slice() else {
            return match (simulated, self.redirected.is_empty()) {
                (false, true) => Standing::Live,
                (true, true) => unclear("a simulator answers, and it is not known where it is"),
                (_, false) => unclear("endpoints are redirected to several places: is this real?"),
            };
        };
        match sim::client::ask(base, "/_sim/clock", None).await {
            Ok((200, text))
                if serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|c| c["speed"].is_number()) =>
            {
                Standing::Simulated(Simulated(Arc::new(ServedControl(base.clone()))))
            }
            Ok(_) if !simulated => Standing::Live, // an emulator: what the engine asks a permission for
            Ok(_) | Err(_) if simulated => unclear("the simulator that answers for AWS does not answer here"),
            Ok(_) | Err(_) => unclear("endpoints are redirected, and whether to a simulator cannot be told"),
        }
    }
}

async fn pause(wall: Duration) {
    if !wall.is_zero() {
        tokio::time::sleep(wall).await;
    }
}

/// Ends when the process is told to end.
pub async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut wait = Vec::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()] {
        if let Ok(mut stream) = signal(kind) {
            wait.push(Box::pin(async move { stream.recv().await }));
        }
    }
    futures_util::future::select_all(wait).await;
}

/// Everything behind the screen or the command line. Dropping it stops collecting; runs stay in the journal.
pub struct Core {
    pub estate: Arc<Estate>,
    pub runbooks: Vec<Arc<RunbookSpec>>,
    pub clock: Arc<SystemClock>,
    pub collector: CollectorHandle,
    pub engine: Arc<Engine>,
    pub calls: Arc<aws::CallLog>,
    /// The journal's file.
    pub journal: PathBuf,
    /// The embedded simulator, when there is one.
    pub simulator: Option<Arc<Sim>>,
    executions: Arc<Executions>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("estate", &self.estate.name)
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}

/// Critical path of each app's failover runbook: one source for the board and the plan.
type Executions = std::collections::BTreeMap<AppId, Execution>;

/// Starts everything behind the screen, for the command line.
pub async fn start(common: &Common) -> Result<Core, Failure> {
    start_with(common, |_| {}).await
}

/// As [`start`]; `prepare` sees the embedded simulator before anything reads from it.
pub async fn start_with(common: &Common, prepare: impl FnOnce(&Sim) + Send) -> Result<Core, Failure> {
    let files = load_estate(common)?;
    let clock = Arc::new(SystemClock::default());
    assemble(common, files, clock, prepare).await
}

async fn assemble(
    common: &Common,
    files: Files,
    clock: Arc<SystemClock>,
    prepare: impl FnOnce(&Sim) + Send,
) -> Result<Core, Failure> {
    let speed = files.speed(common);
    let Files { estate, runbooks, backing, scenario } = files.clone();
    if let (Backing::Aws, Some(scenario)) = (backing, &scenario) {
        return Err(Failure::usage([
            format!("--scenario {}: a scenario is played in the simulator only", scenario.id),
            "add --sim, or give it to `pointsman sim serve`".to_owned(),
        ]));
    }
    let simulator = match backing {
        Backing::Aws => None,
        Backing::EmbeddedSimulator => {
            let sim = simulator(common, &files, &clock)?;
            prepare(&sim);
            clock.anchor(sim.now(), speed);
            Some(sim)
        }
    };
    let transport =
        simulator.as_ref().map_or(aws::Transport::Network, |sim| aws::Transport::Wire(Arc::new(SimWire(sim.clone()))));
    let dyn_clock: Arc<dyn Clock> = clock.clone();
    let mut settings =
        aws::ConnectionSettings::for_estate(&estate, transport, std::env::vars().collect(), dyn_clock.clone());
    let anchored = clock.clone();
    settings.on_simulator = Arc::new(move |notice| anchored.anchor(notice.estate, notice.speed));
    let connection = aws::Connection::open(settings).await;
    let reader = connection.reader();
    let collector = Collector::start(
        estate.clone(),
        reader.clone(),
        dyn_clock.clone(),
        collect::Settings {
            mode: opening_mode(common, backing, speed),
            endpoint_overrides: connection.endpoint_overrides().to_vec(),
            ..collect::Settings::default()
        },
    );
    let journal = state_folder(common)?.join(journal_name(backing));
    let store = engine::SqliteStore::open(&journal).map_err(|error| journal_failure(&journal, &error))?;
    let redirected: std::collections::BTreeSet<String> =
        connection.endpoint_overrides().iter().map(|(_, url)| url.to_string()).collect();
    let outside = Arc::new(Chosen::new(
        Machine::new(dyn_clock.clone()),
        Arc::new(World {
            embedded: simulator.clone(),
            reader: reader.clone(),
            redirected: redirected.into_iter().collect(),
        }),
    ));
    let engine = Engine::open(engine::EngineParts {
        store: Arc::new(store),
        reader,
        writer: Some(aws::write::writer(&connection)),
        outside: outside.clone(),
        hands: Some(outside),
        facts: Arc::new(Fresh(collector.clone())),
        clock: dyn_clock,
        estate: estate.clone(),
        runbooks: runbooks.clone(),
        permissions: permissions(common),
    })
    .map_err(|error| journal_failure(&journal, &error))?;
    Ok(Core {
        executions: Arc::new(engine.executions()),
        estate,
        runbooks,
        clock,
        collector,
        engine: Arc::new(engine),
        calls: connection.log(),
        journal,
        simulator,
    })
}

/// The collector as what a run is held against.
struct Fresh(CollectorHandle);

#[async_trait::async_trait]
impl engine::Facts for Fresh {
    async fn fresh(&self, app: &AppId) -> Arc<Snapshot> {
        self.0.fresh(app).await
    }

    async fn latest(&self) -> Arc<Snapshot> {
        self.0.snapshots().borrow().clone()
    }
}

/// What this process knows of itself before anything answered: the embedded simulator is never called LIVE.
fn opening_mode(common: &Common, backing: Backing, speed: f64) -> Mode {
    match backing {
        Backing::EmbeddedSimulator => Mode::Simulated { speed },
        Backing::Aws if common.drill => Mode::Drill,
        Backing::Aws => Mode::Live,
    }
}

fn permissions(common: &Common) -> engine::Permissions {
    engine::Permissions {
        single_operator: common.single_operator,
        drill: common.drill,
        endpoint_override: common.allow_endpoint_override,
    }
}

const fn journal_name(backing: Backing) -> &'static str {
    match backing {
        Backing::EmbeddedSimulator => "simulated.db",
        Backing::Aws => "journal.db",
    }
}

/// The journal that a run with these options would be written to. Needs neither AWS nor an estate that can be read.
///
/// # Errors
/// When there is no home folder and none is named.
pub fn journal(common: &Common) -> Result<PathBuf, Failure> {
    let backing = if common.sim { Backing::EmbeddedSimulator } else { Backing::Aws };
    let backing = source(common).map_or(backing, |(_, backing)| backing);
    Ok(state_folder(common)?.join(journal_name(backing)))
}

fn journal_failure(journal: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure {
        code: 1,
        lines: vec![
            format!("journal {}: {error}", journal.display()),
            "nothing acts without it; name another folder with --state, or repair this one".to_owned(),
        ],
    }
}

impl Core {
    /// What the newest snapshot says: live until an answer named itself a simulator's.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.collector.snapshots().borrow().mode
    }

    /// The snapshot judged now.
    #[must_use]
    pub fn judge(&self, snapshot: Arc<Snapshot>) -> Picture {
        judge(&self.estate, &self.executions, &self.engine, snapshot, self.clock.now())
    }

    /// Waits until every Region was asked once, or gave up, and judges what came of it.
    pub async fn first_full_picture(&self) -> Picture {
        let mut snapshots = self.collector.snapshots();
        // The collector's own time-outs end this: an operation takes 10 s at most.
        let _ = snapshots.wait_for(|snapshot| snapshot.complete).await;
        let snapshot = snapshots.borrow().clone();
        self.judge(snapshot)
    }

    /// The plan of a runbook for an app, against facts read now.
    ///
    /// # Errors
    /// An unknown runbook or app (with the nearest known one), or a runbook that is not for this app.
    pub async fn plan(&self, request: &PlanRequest) -> Result<Arc<Plan>, Failure> {
        let failed = |error| Failure::usage([format!("plan {} --app {}: {error}", request.runbook, request.app)]);
        self.engine.plan(request).await.map_err(failed)
    }

    /// A judged picture whenever a snapshot comes, and once a second because ages grow.
    #[must_use]
    pub fn pictures(&self) -> watch::Receiver<Arc<Picture>> {
        let mut snapshots = self.collector.snapshots();
        let first = Arc::new(self.judge(snapshots.borrow_and_update().clone()));
        let (sender, receiver) = watch::channel(first);
        let (estate, executions, clock) = (self.estate.clone(), self.executions.clone(), self.clock.clone());
        // Not a share of the engine: its end is the end of its drivers, and waits for nobody who only looks.
        let engine = Arc::downgrade(&self.engine);
        tokio::spawn(async move {
            let mut second = tokio::time::interval(Duration::from_secs(1));
            second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    changed = snapshots.changed() => if changed.is_err() { return },
                    _ = second.tick() => {}
                    () = sender.closed() => return,
                }
                let snapshot = snapshots.borrow_and_update().clone();
                let Some(engine) = engine.upgrade() else { return };
                let picture = judge(&estate, &executions, &engine, snapshot, clock.now());
                if sender.send(Arc::new(picture)).is_err() {
                    return;
                }
            }
        });
        receiver
    }
}

fn judge(
    estate: &Estate,
    executions: &Executions,
    engine: &Engine,
    snapshot: Arc<Snapshot>,
    now: Timestamp,
) -> Picture {
    let achieved = engine.achieved();
    let assessments = estate
        .apps
        .iter()
        .map(|app| {
            let (execution, achieved) = (executions.get(&app.id), achieved.get(&app.id));
            let achieved = achieved.map_or(&[][..], Vec::as_slice);
            let question = Question { estate, app, snapshot: &snapshot, execution, achieved, now };
            compliance::assess(&question)
        })
        .collect();
    Picture { snapshot, judged_at: now, assessments }
}

/// Runs a subcommand on a runtime of two threads: the work is waiting, not computing.
pub fn block_on(future: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    runtime()?.block_on(future)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure { code: 1, lines: vec![format!("cannot start the runtime: {error}")] })
}

/// A log file when one is asked for; never standard output, which belongs to the console. Errors of panics and
/// reports go through color-eyre.
pub fn logging(common: &Common) -> Result<(), Failure> {
    let _ = color_eyre::config::HookBuilder::default().display_env_section(false).install();
    let Some(path) = &common.log else { return Ok(()) };
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| Failure::usage([format!("--log {}: {error}", path.display())]))?;
    let filter = tracing_subscriber::EnvFilter::try_from_env("POINTSMAN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("pointsman=debug,warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::sync::Mutex::new(file)).init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn world(redirected: &[&str]) -> World {
        let loaded = estate::load(&estate::Source::Bundled, probes::CATALOGUE, steps::CATALOGUE);
        let estate = loaded.estate.expect("the bundled estate is whole");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let sim = bench(&clock);
        let settings = aws::ConnectionSettings::for_estate(
            &estate,
            aws::Transport::Wire(Arc::new(SimWire(sim))),
            std::collections::BTreeMap::new(),
            clock,
        );
        let reader = aws::Connection::open(settings).await.reader();
        World { embedded: None, reader, redirected: redirected.iter().map(|url| (*url).to_owned()).collect() }
    }

    fn bench(clock: &Arc<dyn Clock>) -> Arc<Sim> {
        let loaded = estate::load(&estate::Source::Bundled, probes::CATALOGUE, steps::CATALOGUE);
        let estate = loaded.estate.expect("the bundled estate is whole");
        let (seed, speed, start) = (7, 1.0, clock.wall());
        Arc::new(Sim::new(sim::Options { estate, seed, speed, start, clock: Arc::clone(clock) }))
    }

    #[tokio::test]
    async fn programs_of_this_machine_are_for_aws_alone_and_in_doubt_for_nobody() {
        assert!(matches!(world(&[]).await.standing().await, Standing::Live));
        let embedded = World { embedded: Some(bench(&(Arc::new(SystemClock::default()) as _))), ..world(&[]).await };
        assert!(matches!(embedded.standing().await, Standing::Simulated(_)));

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let served = format!("http://{}", listener.local_addr().expect("bound"));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        tokio::spawn(sim::server::serve(bench(&clock), listener, std::future::pending()));
        assert!(matches!(world(&[&served]).await.standing().await, Standing::Simulated(_)));
        assert!(matches!(world(&[&served, "http://127.0.0.1:2"]).await.standing().await, Standing::Unclear(_)));

        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let nobody = format!("http://{}", gone.local_addr().expect("bound"));
        drop(gone);
        assert!(matches!(world(&[&nobody]).await.standing().await, Standing::Unclear(_)));

        // A simulator has answered for AWS, and nobody said where it is: never the machine.
        let known = world(&[]).await;
        let op = aws::sts::GetCallerIdentity { region: "ap-south-1".into() };
        known.reader.read(&op).await.expect("an identity");
        assert!(matches!(known.standing().await, Standing::Unclear(_)));
    }
}
