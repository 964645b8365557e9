//! Joins the real parts: the only place that knows all of them, and the only one that makes the writing client.
//!
//! Must never: turn a missing or wrong estate into a simulation; give a view or a probe anything that can write;
//! let a slow start of AWS or of the simulator delay the first frame.
//! Where to look next: [`Core`] (everything behind the screen or the command line), [`console`] (the screen in
//! front of it).

mod console;
mod files;
mod world;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::watch;

pub use console::console;
pub use files::{Backing, Checked, Files, check, journal, load_estate, load_keymap, load_theme};
use files::{journal_name, state_folder};
pub use world::simulator;
use world::{SimWire, World};

use crate::{
    aws,
    cli::{Common, exit::Failure},
    clock::SystemClock,
    collect::{self, Collector, CollectorHandle},
    domain::{
        self, AppId, Clock, Estate, Mode, Picture, Snapshot, Timestamp,
        compliance::{self, Execution, Question},
    },
    engine::{self, Engine},
    outside::{Chosen, Machine},
    runbook::{
        plan::{Plan, PlanRequest},
        spec::RunbookSpec,
    },
    sim::Sim,
};

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
type Executions = std::collections::BTreeMap<domain::World, std::collections::BTreeMap<AppId, Execution>>;

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
        executions: Arc::new(
            [domain::World::Aws, domain::World::Simulation].map(|world| (world, engine.executions(world))).into(),
        ),
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
            let execution = executions.get(&snapshot.mode.world()).and_then(|of| of.get(&app.id));
            let achieved = achieved.get(&app.id);
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
