//! `--drill` on a live run of the bundled estate: which runbooks can be rehearsed, and why each other cannot. A rehearsal
//! must take away whatever it leaves, so every runbook that acts is planned as one against real facts.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use pointsman::{
    aws::{self, Connection, ConnectionSettings, Transport, Wire, WireFailure},
    clock::SystemClock,
    collect::{Collector, CollectorHandle, Settings},
    domain::{AppId, Clock, Estate, Snapshot, Timestamp, app::Param, snapshot::Mode},
    engine::{Engine, EngineParts, Facts, Permissions, SqliteStore},
    estate, probes,
    runbook::{
        plan::{Plan, PlanRequest},
        spec::{Lasting, Only, RunbookSpec, StepParam},
    },
    sim::{Options, Reply, Sim},
    steps::{self, outside::Nowhere},
};

/// No wait here takes longer on the wall; a test that does is stuck.
const STUCK: Duration = Duration::from_secs(120);

static BANK: LazyLock<(Arc<Estate>, Vec<Arc<RunbookSpec>>)> = LazyLock::new(|| {
    let loaded = estate::load(&estate::Source::Bundled, probes::CATALOGUE, steps::CATALOGUE);
    let found: Vec<String> = loaded.errors().map(ToString::to_string).collect();
    (loaded.estate.unwrap_or_else(|| panic!("{found:?}")), loaded.runbooks)
});

#[derive(Debug)]
struct InProcess(Arc<Sim>);

impl Wire for InProcess {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, WireFailure>> {
        let reply = self.0.handle(request);
        Box::pin(async move {
            match reply {
                Reply::Answer { response, .. } => Ok(response),
                Reply::Refused | Reply::BlackHole => Err(WireFailure::Refused),
                Reply::Lost { .. } => Err(WireFailure::Broken),
            }
        })
    }
}

/// Facts of the simulator, taken for those of AWS: only a live run can be a drill of this kind.
struct Live(CollectorHandle);

fn live(snapshot: &Arc<Snapshot>) -> Arc<Snapshot> {
    Arc::new(Snapshot { mode: Mode::Live, ..(**snapshot).clone() })
}

#[async_trait]
impl Facts for Live {
    async fn fresh(&self, app: &AppId) -> Arc<Snapshot> {
        live(&self.0.fresh(app).await)
    }

    async fn latest(&self) -> Arc<Snapshot> {
        live(&self.0.snapshots().borrow().clone())
    }
}

struct Bridge {
    engine: Engine,
    _collector: CollectorHandle,
    _folder: tempfile::TempDir,
}

impl Bridge {
    async fn rehearsing() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let start = Timestamp::parse("2026-11-20T09:00:00Z").expect("a time");
        let options = Options { estate: Arc::clone(&BANK.0), seed: 7, speed: 1.0, start, clock: Arc::clone(&clock) };
        let transport = Transport::Wire(Arc::new(InProcess(Arc::new(Sim::new(options)))));
        let settings = ConnectionSettings::for_estate(&BANK.0, transport, BTreeMap::new(), Arc::clone(&clock));
        let connection = Connection::open(settings).await;
        let collector =
            Collector::start(Arc::clone(&BANK.0), connection.reader(), Arc::clone(&clock), Settings::default());
        let mut snapshots = collector.snapshots();
        let whole = snapshots.wait_for(|snapshot| snapshot.complete);
        tokio::time::timeout(STUCK, whole).await.expect("read within the bound").expect("the collector lives");
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::open(EngineParts {
            store: Arc::new(SqliteStore::open(&folder.path().join("journal.db")).expect("the journal opens")),
            reader: connection.reader(),
            writer: Some(aws::write::writer(&connection)),
            outside: Arc::new(Nowhere),
            hands: None,
            facts: Arc::new(Live(collector.clone())),
            clock,
            estate: Arc::clone(&BANK.0),
            runbooks: BANK.1.clone(),
            permissions: Permissions { drill: true, ..Permissions::default() },
        })
        .expect("the engine opens");
        Self { engine, _collector: collector, _folder: folder }
    }

    async fn plan(&self, runbook: &RunbookSpec, app: &AppId) -> Arc<Plan> {
        let request = PlanRequest::new(runbook.id.clone(), app.clone());
        let plan = tokio::time::timeout(STUCK, self.engine.plan(&request)).await.expect("a plan in time");
        plan.unwrap_or_else(|error| panic!("{} for {app}: {error}", runbook.id))
    }
}

#[tokio::test]
async fn every_runbook_of_the_bundled_estate_can_be_rehearsed_and_takes_away_what_it_leaves() {
    let bridge = Bridge::rehearsing().await;
    let mut rehearsed = 0;
    for runbook in &BANK.1 {
        let steps = || runbook.steps.iter().filter(|step| step.only != Only::Real);
        for app in &runbook.apps {
            let plan = bridge.plan(runbook, app).await;
            assert!(plan.mode_word.contains("DRILL"), "{}: {}", runbook.id, plan.mode_word);
            let refuses: Vec<&str> = plan
                .interlocks
                .iter()
                // Whether today's facts let it begin is another question.
                .filter(|stands| matches!(stands.code.as_str(), "drill-without-cleanup" | "unattestable"))
                .map(|stands| stands.text.as_str())
                .collect();
            assert!(refuses.is_empty(), "{} for {app}: {refuses:#?}", runbook.id);
            // A cleanup that no facts can resolve would stop the drill before it began.
            let cleans = steps().filter(|step| matches!(step.lasting, Lasting::Clears(_)));
            for clean in cleans {
                let planned = plan.steps.iter().find(|planned| planned.id == clean.id);
                let resolved = planned.is_none_or(|planned| !planned.calls.is_empty());
                assert!(resolved, "{} for {app}: {}: {:#?}", runbook.id, clean.id, plan.interlocks);
            }
            for pause in steps().filter(|step| step.kind == "pause") {
                let planned = plan.steps.iter().find(|planned| planned.id == pause.id).expect("planned");
                if let Some(StepParam::Value(Param::Duration(wait))) = pause.params.get("wait") {
                    assert_eq!(planned.expected, *wait, "{}: {}", runbook.id, pause.id);
                }
            }
            rehearsed += 1;
        }
    }
    let apps: usize = BANK.1.iter().map(|runbook| runbook.apps.len()).sum();
    assert_eq!((BANK.1.len(), rehearsed), (20, apps), "every runbook for every app it serves");
}
