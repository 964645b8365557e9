//! Joins the real parts: the only place that knows all of them, and the only one that makes the writing client.
//!
//! Must never: turn a missing or wrong estate into a simulation; give a view or a probe anything that can write;
//! let a slow start of AWS or of the simulator delay the first frame.
//! Where to look next: [`Core`] (everything behind the screen or the command line), [`console`] (the screen in
//! front of it).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::{
    aws,
    cli::{Common, exit::Failure},
    clock::SystemClock,
    collect::{self, Collector, CollectorHandle},
    domain::{
        AppId, Clock, Diagnostic, Estate, Mode, Picture, Snapshot, Timestamp,
        compliance::{self, Execution, Question},
        diagnostic::{Level, SourceFile, render},
    },
    estate,
    keymap::{self, Keymap},
    probes,
    runbook::spec::RunbookSpec,
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
        Some(estate) if errors.is_empty() => Ok(Files { estate, runbooks: loaded.runbooks, backing }),
        _ => Err(broken("the estate has errors", &errors)),
    }
}

fn broken(what: &str, errors: &[&Diagnostic]) -> Failure {
    let mut lines = vec![format!("{what}: {}", errors.len())];
    lines.extend(errors.iter().flat_map(|d| render(d).lines().map(str::to_owned).collect::<Vec<_>>()));
    lines.push("correct the files; `pointsman check` reads them again".to_owned());
    Failure::usage(lines)
}

/// The bundled theme of that name, or a file; NO_COLOR and the terminal's depth are applied by the console.
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
    let mut diagnostics = loaded.diagnostics;
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
    Ok(Checked { what, diagnostics })
}

/// The simulator of an estate, starting now on the wall.
#[must_use]
pub fn simulator(common: &Common, files: &Files, clock: &Arc<SystemClock>) -> Arc<Sim> {
    let clock: Arc<dyn Clock> = clock.clone();
    Arc::new(Sim::new(sim::Options {
        estate: files.estate.clone(),
        seed: common.seed,
        speed: common.speed,
        start: common.sim_start.unwrap_or_else(|| clock.wall()),
        clock,
    }))
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

fn executions(estate: &Estate, runbooks: &[Arc<RunbookSpec>]) -> Executions {
    estate
        .apps
        .iter()
        .filter_map(|app| {
            let wanted = app.runbooks.get("failover")?;
            let spec = runbooks.iter().find(|spec| spec.id == *wanted)?;
            Some((
                app.id.clone(),
                crate::runbook::estimate::execution(spec, app, &crate::runbook::estimate::Past::new()),
            ))
        })
        .collect()
}

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
    let Files { estate, runbooks, backing } = files.clone();
    let simulator = match backing {
        Backing::Aws => None,
        Backing::EmbeddedSimulator => {
            let sim = simulator(common, &files, &clock);
            prepare(&sim);
            clock.anchor(sim.now(), common.speed);
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
            mode: mode_before_any_answer(common, backing),
            endpoint_overrides: connection.endpoint_overrides().to_vec(),
            ..collect::Settings::default()
        },
    );
    let folder = state_folder(common)?;
    let journal = folder.join(if simulator.is_some() { "simulated.db" } else { "journal.db" });
    Ok(Core {
        executions: Arc::new(executions(&estate, &runbooks)),
        estate,
        runbooks,
        clock,
        collector,
        calls: connection.log(),
        journal,
        simulator,
    })
}

/// What the banner says until an answer says more: an embedded simulator that does not answer is no live AWS.
fn mode_before_any_answer(common: &Common, backing: Backing) -> Mode {
    match backing {
        Backing::EmbeddedSimulator => Mode::Simulated { speed: common.speed },
        Backing::Aws if common.drill => Mode::Drill,
        Backing::Aws => Mode::Live,
    }
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
        judge(&self.estate, &self.executions, snapshot, self.clock.now())
    }

    /// Waits until every Region was asked once, or gave up, and judges what came of it.
    pub async fn first_full_picture(&self) -> Picture {
        let mut snapshots = self.collector.snapshots();
        // The collector's own time-outs end this: an operation takes 10 s at most.
        let _ = snapshots.wait_for(|snapshot| snapshot.complete).await;
        let snapshot = snapshots.borrow().clone();
        self.judge(snapshot)
    }

    /// A judged picture whenever a snapshot comes, and once a second because ages grow.
    #[must_use]
    pub fn pictures(&self) -> watch::Receiver<Arc<Picture>> {
        let mut snapshots = self.collector.snapshots();
        let first = Arc::new(self.judge(snapshots.borrow_and_update().clone()));
        let (sender, receiver) = watch::channel(first);
        let (estate, executions, clock) = (self.estate.clone(), self.executions.clone(), self.clock.clone());
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
                let picture = judge(&estate, &executions, snapshot, clock.now());
                if sender.send(Arc::new(picture)).is_err() {
                    return;
                }
            }
        });
        receiver
    }
}

fn judge(estate: &Estate, executions: &Executions, snapshot: Arc<Snapshot>, now: Timestamp) -> Picture {
    let assessments = estate
        .apps
        .iter()
        .map(|app| {
            let question = Question { estate, app, snapshot: &snapshot, execution: executions.get(&app.id), now };
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
