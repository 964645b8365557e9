//! What the engine costs by itself: a step besides AWS and people, and the plan of a wave.
//!
//! The promises: p50 15 ms and p99 40 ms or less for a step that acts, each of its records durable; 1 s or less to plan
//! a wave of 1,000 apps. The steps run a program that ends at once and the operator answers at once, so what is left
//! is the engine, the journal and the disk under it: `TMPDIR` moves that.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures the wall")]

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use pointsman::{
    aws::{self, Connection, ConnectionSettings, Transport, Wire, WireFailure},
    clock::SystemClock,
    collect::{Collector, Settings},
    domain::{App, AppId, Clock, Estate, RunbookId, SafeText, Snapshot, Timestamp},
    engine::{
        Engine, EngineParts, Facts, Permissions, SqliteStore, Store, StoreError,
        anchor::Anchored,
        store::{History, Lease, NewRun, Record, Stored, Written},
        wave::WaveRequest,
    },
    estate, probes,
    runbook::{
        plan::PlanRequest,
        run::{Answer, Ask, Declaration, Elsewhere, Phase, RunId},
        spec::Variant,
    },
    sim::{Options, Reply, Sim},
    steps::{
        self,
        outside::{CommandLine, Ended, Hands, HttpAnswer, HttpGet, Outside},
    },
};

// An unoptimised build only shows that it runs.
const STEPS: usize = if cfg!(debug_assertions) { 20 } else { 200 };
const APPS: usize = if cfg!(debug_assertions) { 50 } else { 1_000 };

/// Programs and addresses that answer at once.
struct AtOnce;

#[async_trait]
impl Outside for AtOnce {
    async fn get(&self, _: &HttpGet) -> Result<HttpAnswer, SafeText> {
        Ok(HttpAnswer { status: 200, body: SafeText::default(), took: Duration::ZERO })
    }
    async fn look(&self, _: &CommandLine) -> Ended {
        Ended::Exit { status: 0, last_line: SafeText::default() }
    }
}

#[async_trait]
impl Hands for AtOnce {
    async fn run(&self, _: &CommandLine) -> Ended {
        Ended::Exit { status: 0, last_line: SafeText::default() }
    }
}

/// Facts that were read before: nothing is asked of AWS.
struct Read(Arc<Snapshot>);

#[async_trait]
impl Facts for Read {
    async fn fresh(&self, _: &AppId) -> Arc<Snapshot> {
        Arc::clone(&self.0)
    }
    async fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0)
    }
}

/// The estate's clock stands where the facts were read; the wall goes on.
struct Standing(Timestamp, SystemClock);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0
    }
    fn wall(&self) -> Timestamp {
        self.1.wall()
    }
    fn monotonic(&self) -> Duration {
        self.1.monotonic()
    }
    fn speed(&self) -> f64 {
        0.0
    }
}

/// The embedded store, with the moment at which each record was asked for and was on disk.
struct Timed {
    inner: SqliteStore,
    records: Mutex<Vec<(String, String, Instant, Instant)>>,
}

impl Store for Timed {
    fn create(&self, batch: &[NewRun]) -> Result<Vec<(Lease, Record)>, StoreError> {
        self.inner.create(batch)
    }
    fn take(&self, run: RunId) -> Result<Lease, StoreError> {
        self.inner.take(run)
    }
    fn append(&self, lease: &Lease, written: &Written) -> Result<Record, StoreError> {
        let asked = Instant::now();
        let record = self.inner.append(lease, written)?;
        let line = (written.kind.clone(), written.step.clone(), asked, Instant::now());
        self.records.lock().expect("no panic").push(line);
        Ok(record)
    }
    fn load(&self) -> Result<Vec<Stored>, StoreError> {
        self.inner.load()
    }
    fn changes(&self) -> Result<u64, StoreError> {
        self.inner.changes()
    }
    fn elsewhere(&self, run: RunId) -> Option<Elsewhere> {
        self.inner.elsewhere(run)
    }
    fn load_run(&self, run: RunId) -> Result<Stored, StoreError> {
        self.inner.load_run(run)
    }
    fn anchored(&self) -> Result<Anchored, StoreError> {
        self.inner.anchored()
    }
    fn history(&self, known: &dyn Fn(RunId) -> bool) -> Result<History, StoreError> {
        self.inner.history(known)
    }
    fn keep_summaries(&self, summaries: &[(RunId, String)]) -> Result<(), StoreError> {
        self.inner.keep_summaries(summaries)
    }
}

struct InProcess(Arc<Sim>);

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InProcess")
    }
}

impl Wire for InProcess {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>> {
        let reply = self.0.handle(request);
        Box::pin(async move {
            match reply {
                Reply::Answer { response, .. } => Ok(response),
                Reply::Refused | Reply::Lost { .. } => Err(WireFailure::Refused),
                Reply::BlackHole => std::future::pending().await,
            }
        })
    }
}

/// A runbook of programs, one after the other, as somebody would write it.
fn programs() -> String {
    use std::fmt::Write as _;
    let mut text =
        "[runbook]\nid = \"programs\"\nkind = \"switchover\"\ntitle = \"Programs\"\nfor = [\"payments\"]\n".to_owned();
    for n in 0..STEPS {
        let _ = write!(
            text,
            "\n[[step]]\nid = \"s{n}\"\ntitle = \"Step {n}\"\nkind = \"command\"\nrun = [\"/bin/true\", \"{n}\"]\n\
             done_when = [\"/bin/true\"]\n"
        );
    }
    text
}

/// The bundled estate and its facts, read once from the simulator.
async fn read() -> (Arc<Estate>, Vec<Arc<pointsman::runbook::spec::RunbookSpec>>, Connection, Arc<Snapshot>, Timestamp)
{
    let loaded = estate::load(&estate::Source::Bundled, probes::CATALOGUE, steps::CATALOGUE);
    let bank = loaded.estate.expect("the bundled estate loads");
    let clock = Arc::new(SystemClock::default());
    let start = clock.wall();
    let sim =
        Arc::new(Sim::new(Options { estate: Arc::clone(&bank), seed: 7, speed: 1.0, start, clock: clock.clone() }));
    clock.anchor(start, 1.0);
    let transport = Transport::Wire(Arc::new(InProcess(sim)));
    let settings = ConnectionSettings::for_estate(&bank, transport, BTreeMap::new(), clock.clone());
    let connection = Connection::open(settings).await;
    let collector = Collector::start(Arc::clone(&bank), connection.reader(), clock.clone(), Settings::default());
    let mut snapshots = collector.snapshots();
    let snapshot = snapshots.wait_for(|snapshot| snapshot.complete).await.expect("the collector lives").clone();
    (bank, loaded.runbooks, connection, snapshot, clock.now())
}

fn parts(
    store: Arc<dyn Store>,
    connection: &Connection,
    estate: Arc<Estate>,
    runbooks: Vec<Arc<pointsman::runbook::spec::RunbookSpec>>,
    snapshot: Arc<Snapshot>,
    now: Timestamp,
) -> EngineParts {
    EngineParts {
        store,
        reader: connection.reader(),
        writer: Some(aws::write::writer(connection)),
        outside: Arc::new(AtOnce),
        hands: Some(Arc::new(AtOnce)),
        facts: Arc::new(Read(snapshot)),
        clock: Arc::new(Standing(now, SystemClock::default())),
        estate,
        runbooks,
        permissions: Permissions::default(),
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("the bundled estate").flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("copied");
        }
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100).clamp(1, sorted.len()) - 1]
}

fn told(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    println!(
        "{name}: p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms, {} times",
        percentile(&times, 50).as_secs_f64() * 1e3,
        percentile(&times, 99).as_secs_f64() * 1e3,
        times.last().map_or(0.0, |worst| worst.as_secs_f64() * 1e3),
        times.len()
    );
}

async fn steps_of_a_run() {
    let (bank, _, connection, snapshot, now) = read().await;
    let folder = tempfile::tempdir().expect("a folder");
    let written = folder.path().join("estate");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("estates/demo-bank"), &written);
    std::fs::write(written.join("runbooks/programs.toml"), programs()).expect("written");
    let loaded = estate::load(&estate::Source::Folder(written), probes::CATALOGUE, steps::CATALOGUE);
    let wrong: Vec<String> = loaded.errors().map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let store = Arc::new(Timed {
        inner: SqliteStore::open(&folder.path().join("journal.db")).expect("the journal opens"),
        records: Mutex::default(),
    });
    let estate = Arc::clone(&bank);
    let dyn_store: Arc<dyn Store> = store.clone();
    let engine = Engine::open(parts(dyn_store, &connection, estate, loaded.runbooks, snapshot, now)).expect("it opens");
    let request = PlanRequest::new(RunbookId::new("programs"), AppId::new("payments"));
    let plan = engine.plan(&request).await.expect("a plan");
    let declaration = Declaration {
        who: "asha".into(),
        incident: "bench".into(),
        app: "payments".into(),
        region: plan.target_region.to_string(),
        outage_at: None,
        wave: None,
    };
    let run = engine.declare(&plan, declaration).await.expect("declared");
    let mut watch = engine.watch();
    loop {
        let state = watch.borrow_and_update().list.iter().find(|state| state.id == run).cloned().expect("listed");
        match &state.phase {
            Phase::Completed { .. } => break,
            Phase::Waiting(Ask::Chord { step } | Ask::Key { step }) => {
                // Refused when the run moved on meanwhile: the next state says.
                let _ = engine.answer(run, Answer::Go { step: step.clone() }).await;
                continue;
            }
            Phase::Waiting(_) | Phase::Parked { .. } | Phase::Abandoned { .. } => panic!("{:?}", state.phase),
            _ => {}
        }
        watch.changed().await.expect("the engine lives");
    }
    let records = store.records.lock().expect("no panic");
    let mut steps: Vec<Duration> = Vec::new();
    let mut appends: Vec<Duration> = Vec::new();
    let mut begun = BTreeMap::new();
    for (kind, step, asked, done) in records.iter() {
        appends.push(*done - *asked);
        match kind.as_str() {
            "begun" => {
                begun.insert(step.clone(), *asked);
            }
            "done" => steps.push(*done - begun[step]),
            _ => {}
        }
    }
    assert_eq!(steps.len(), STEPS);
    println!("{} records for each step that acts", appends.len() / STEPS);
    told("one durable record with its anchor", appends);
    told("a step besides AWS and people", steps);
}

async fn plan_of_a_wave() {
    let (bank, runbooks, connection, snapshot, now) = read().await;
    let template: &App = bank.app(&AppId::new("payments")).expect("payments");
    let mut estate = (*bank).clone();
    let mut facts = (*snapshot).clone();
    let name = |n: usize| AppId::new(format!("payments-{n}"));
    estate.apps = (0..APPS)
        .map(|n| App {
            id: name(n),
            depends_on: (n % 10 != 0).then(|| name(n - 1)).into_iter().collect(),
            ..template.clone()
        })
        .collect();
    let of_payments: Vec<_> = snapshot.facts.iter().filter(|(id, _)| id.app == template.id).collect();
    facts.facts = (0..APPS)
        .flat_map(|n| {
            of_payments.iter().map(move |(id, slot)| {
                let mut id = (*id).clone();
                id.app = name(n);
                (id, (*slot).clone())
            })
        })
        .collect();
    let runbooks = runbooks
        .iter()
        .map(|spec| {
            let mut spec = (**spec).clone();
            if spec.apps.contains(&template.id) {
                spec.apps = (0..APPS).map(name).collect();
            }
            Arc::new(spec)
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&folder.path().join("journal.db")).expect("the journal opens"));
    let engine =
        Engine::open(parts(store, &connection, Arc::new(estate), runbooks, Arc::new(facts), now)).expect("it opens");
    let request = WaveRequest { role: "switchover".into(), apps: Vec::new(), parallel_max: 8, variant: Variant::Whole };
    let mut times = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        let wave = engine.plan_wave(&request).await.expect("a wave");
        times.push(began.elapsed());
        assert_eq!(wave.items.len(), APPS, "{:?}", wave.left_out.first());
    }
    told(&format!("plan of a wave of {APPS} apps"), times);
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        steps_of_a_run().await;
        plan_of_a_wave().await;
    });
}
