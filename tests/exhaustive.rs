//! Every kind of step x everything that can become of its call x every place at which the program can die: before and
//! after each append to the journal and each call with side effects. The whole product, each time.
//!
//! One run of each kind and outcome goes undisturbed; at each place that it comes by, what a death there would leave is
//! kept: the world and the journal's files. On each of these the next program finds the run, resumes it and ends it as
//! the undisturbed one ends, each effect having happened once. A person answers what is asked: takes ten minutes over a
//! parked run, tries again, and rules on a call in doubt by what the simulator's own log says. The cases come from the
//! catalogue of kinds: a new kind without a case fails the test. The runbooks of Payments, whose steps are several and
//! ask for all that a run can ask for, are treated likewise.
//!
//! `POINTSMAN_EXHAUSTIVE_ONLY=KIND` runs one row.

#![allow(clippy::disallowed_methods, reason = "how long a cell took is told on the wall")]
#![allow(clippy::type_complexity, clippy::format_collect, clippy::single_match_else, reason = "a table of a test")]

#[path = "exhaustive/bench.rs"]
mod bench;
#[path = "exhaustive/cases.rs"]
mod cases;
mod rig;

use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bench::{Bench, Console, JOURNAL, Outcome, READS_TROUBLED, Remains, STUCK, Stage, TABLE, Trouble};
use cases::{CASES, Case, Does, runbook_id};
use pointsman::{
    aws::{SendOutcome, WriteOp, rds, route53},
    domain::{AppId, RegionId, Side, resource::Routing},
    engine::{Chain, Facts as _, SqliteStore, Store, StoreError, examine, recover},
    runbook::{
        build::FrozenStep,
        run::{Answer, Ask, Phase, Ruling, RunId, RunState},
        signal::Facts,
        spec::RunbookKind,
    },
    sim::fault::{Down, Fault, FaultKind},
    steps::{
        self,
        kind::{Conduct, Eyes, Prepared, StepContext},
    },
};
use rig::{Around, BANK, Death, Direct, HYDERABAD, MUMBAI, declaration, folder};

const TRIES_MAX: u32 = 5;
/// What a person takes over a run that is parked or in doubt.
const PERSON_TAKES: Duration = Duration::from_mins(10);
/// At once: most of a run is computing, some of it is waiting for a thread of the journal's.
const THREADS_PER_CORE: usize = 2;

/// A runbook, and the world as it is when that is asked for.
struct Scene {
    name: String,
    runbook: String,
    app: &'static str,
    ready: Arc<Stage>,
    does: Does,
    outcome: Outcome,
}

impl Scene {
    async fn of(bench: &Bench, case: &Case, outcome: Outcome) -> Self {
        Self {
            name: format!("{} / {}", case.kind, outcome.word()),
            runbook: runbook_id(case),
            app: case.app,
            ready: prepared(bench, case).await,
            does: case.does,
            outcome,
        }
    }

    fn undisturbed(&self) -> Self {
        let Self { name, runbook, app, ready, does, .. } = self;
        let (name, runbook, ready) = (name.clone(), runbook.clone(), Arc::clone(ready));
        Self { name, runbook, app, ready, does: *does, outcome: Outcome::Ok }
    }

    fn trouble(&self, stage: &Stage) {
        match self.does {
            Does::Calls(operation) => stage.trouble(Trouble::Call(operation, self.outcome)),
            Does::Runs => stage.trouble(Trouble::Call("Run", self.outcome)),
            Does::Reads | Does::Looks if self.outcome != Outcome::Ok => {
                stage.trouble(Trouble::Reads(self.outcome, stage.sim.now() + READS_TROUBLED));
            }
            Does::Reads | Does::Looks | Does::Nothing | Does::Much => {}
        }
    }
}

fn dark(stage: &Stage) -> u64 {
    let kind = FaultKind::RegionDown { region: RegionId::new(MUMBAI), how: Down::Refuse };
    stage.sim.inject(Fault { id: 0, kind, from: None, until: None }).expect("a fault the simulator knows")
}

/// Carries out what the case needs, without the engine.
async fn prepared(bench: &Bench, case: &Case) -> Arc<Stage> {
    let stage = bench.stage();
    let facts = bench.facts();
    let mut fault = None;
    for id in case.before {
        match *id {
            "dark" => {
                fault = Some(dark(&stage));
                stage.hand.advance(Duration::from_mins(2));
            }
            "light" => {
                stage.sim.clear(fault.expect("it was dark")).expect("a fault");
                stage.hand.advance(Duration::from_hours(3));
            }
            id => {
                // Between two of the schedule's own, and long enough to be there before the schedule has copied it.
                stage.hand.advance(Duration::from_mins(5));
                carry_out(bench, &stage, &facts, case.app, id).await;
                stage.hand.advance(Duration::from_mins(8));
            }
        }
    }
    stage
}

async fn carry_out(bench: &Bench, stage: &Stage, facts: &Direct, app: &str, id: &str) {
    let (estate, runbooks) = bench.files;
    let app = estate.app(&AppId::new(app)).expect("an app");
    let spec = runbooks
        .iter()
        .filter(|runbook| runbook.id.as_str().starts_with("before-"))
        .flat_map(|runbook| &runbook.steps)
        .find(|step| step.id.as_str() == id)
        .expect("a step");
    let snapshot = facts.fresh(&app.id).await;
    let known = Facts { estate, app, snapshot: &snapshot, last_run_ended: None, attested: &[] };
    let step = FrozenStep::of(spec);
    let about = StepContext {
        facts: &known,
        step: &step,
        kind: RunbookKind::Failover,
        target: Side::Recovery,
        begun_at: Some(stage.sim.now()),
        maker_began: None,
        token: Some("before"),
        now: stage.sim.now(),
    };
    let kind = steps::find(spec.kind).expect("a kind");
    let Conduct::Acts(acting) = kind.conduct() else { panic!("{id} acts") };
    let planned = kind.outline(&about).calls.expect("resolved");
    let outside = bench.outside();
    let eyes = Eyes { reader: bench.reader(), outside: &outside };
    match acting.prepare(&about, &planned, &eyes).await {
        Prepared::Send(op) => sent(bench, &*op).await,
        other => panic!("{id}: {other:?}"),
    }
}

async fn sent(bench: &Bench, op: &dyn WriteOp) {
    let sent = bench.writer().send_once(op).await;
    assert!(matches!(sent, SendOutcome::Accepted { .. }), "{}: {sent:?}", op.describe());
}

/// How a run ended.
#[derive(Debug)]
struct End {
    /// Phases of the run and of its steps; what a person took on shows in `word` alone.
    phases: String,
    word: &'static str,
    world: String,
    effects: BTreeMap<String, usize>,
    log: Vec<String>,
    asked: Vec<&'static str>,
}

struct Performed {
    end: End,
    /// What a death would have left, at every place that it came by.
    remains: Vec<Remains>,
    calls: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Nothing,
    WhatIsLeft,
}

async fn perform(bench: &Bench, scene: &Scene, keep: Keep) -> Performed {
    let stage = scene.ready.fork();
    bench.put_on(&stage);
    let folder = folder();
    let journal = folder.path().join(JOURNAL);
    let console = bench.console(&journal, Arc::clone(&stage));
    let plan = console.plan(&scene.runbook, scene.app).await;
    scene.trouble(&stage);
    if keep == Keep::WhatIsLeft {
        stage.keep_what_is_left(&journal);
    }
    let mut asked = Vec::new();
    let declared = declaration(scene.app, plan.target_region.as_str());
    let run = console.0.declare(&plan, declared).await.expect("declared");
    let state = carried(&console, &stage, run, &scene.ready.effects(), &mut asked).await;
    let (remains, appends, calls) = stage.remains();
    assert!(keep == Keep::Nothing || remains.len() == 2 * (appends + calls), "{}: a place was missed", scene.name);
    Performed { end: ended(scene, &stage, &journal, &state, asked), remains, calls }
}

/// The next start: what is unfinished is resumed; where nothing was declared yet, it is declared.
async fn resumed(bench: &Bench, scene: &Scene, remains: Remains) -> End {
    let folder = folder();
    let journal = remains.lay_down(folder.path());
    let stage = remains.stage;
    bench.put_on(&stage);
    let console = bench.console(&journal, Arc::clone(&stage));
    let runs = console.0.watch().borrow().clone();
    assert!(runs.list.iter().all(|state| !state.driven), "nobody drives at a start");
    let mut asked = Vec::new();
    let state = match (runs.list.first(), runs.ended.first()) {
        (Some(state), _) if state.phase.ended() => Arc::clone(state),
        // Its last record was written: the record is what there is of it.
        (None, Some(summary)) => {
            let store = SqliteStore::open(&journal).expect("the journal opens");
            Arc::new(recover(&store.load_run(summary.id).expect("readable")).expect("whole").shown)
        }
        (known, _) => {
            let run = match known {
                Some(state) => {
                    let declared = declaration(scene.app, state.plan.target_region.as_str());
                    console.0.resume(state.id, declared).await.expect("resumed")
                }
                None => {
                    let plan = console.plan(&scene.runbook, scene.app).await;
                    let declared = declaration(scene.app, plan.target_region.as_str());
                    console.0.declare(&plan, declared).await.expect("declared")
                }
            };
            carried(&console, &stage, run, &scene.ready.effects(), &mut asked).await
        }
    };
    ended(scene, &stage, &journal, &state, asked)
}

/// Compared when the world has come to rest: some of it is rebuilt after the run has ended.
fn ended(scene: &Scene, stage: &Stage, journal: &Path, state: &RunState, asked: Vec<&'static str>) -> End {
    stage.hand.advance(Duration::from_hours(6));
    let phases: Vec<String> = state.steps.iter().map(|step| format!("{} {:?}", step.id, step.phase)).collect();
    let word = if matches!(state.phase, Phase::Completed { .. }) { "completed" } else { state.phase.word() };
    let mut effects = stage.effects();
    for (operation, count) in scene.ready.effects() {
        *effects.get_mut(&operation).expect("effects are never forgotten") -= count;
    }
    effects.retain(|_, count| *count > 0);
    let store = SqliteStore::open(journal).expect("the journal opens");
    let chain = examine(&store.load().expect("readable"), store.anchored().expect("readable")).chain();
    assert!(matches!(chain, Chain::Whole { .. }), "{chain:?}");
    End {
        phases: format!("{word} [{}]", phases.join(", ")),
        word: state.phase.word(),
        world: stage.world(),
        effects,
        log: state.log.iter().map(|(_, line)| line.to_string()).collect(),
        asked,
    }
}

/// Answers whatever is asked until the run ends.
async fn carried(
    console: &Console,
    stage: &Stage,
    run: RunId,
    before: &BTreeMap<String, usize>,
    asked: &mut Vec<&'static str>,
) -> Arc<RunState> {
    let mut watch = console.0.watch();
    let mut retries = 0;
    let deadline = tokio::time::Instant::now() + STUCK;
    loop {
        let runs = watch.borrow_and_update().clone();
        assert!(runs.store_failure.is_none(), "{:?}", runs.store_failure);
        let state = runs.list.iter().find(|state| state.id == run).cloned().expect("it is listed");
        if state.phase.ended() {
            return state;
        }
        if let Some(answer) = answer(&state, stage, before, &mut retries, asked) {
            let _ = console.0.answer(run, answer).await; // refused: the run moved on, and the next state says so
            continue;
        }
        tokio::select! {
            changed = watch.changed() => changed.expect("the engine lives"),
            () = tokio::time::sleep_until(deadline) => panic!("stuck: {:#?}\n{:#?}", state.phase, state.log),
        }
    }
}

fn answer(
    state: &RunState,
    stage: &Stage,
    before: &BTreeMap<String, usize>,
    retries: &mut u32,
    asked: &mut Vec<&'static str>,
) -> Option<Answer> {
    match &state.phase {
        Phase::Waiting(ask) => Some(match ask {
            Ask::Key { step } | Ask::Chord { step } | Ask::Confirm { step, .. } | Ask::Noticed { step, .. } => {
                Answer::Go { step: step.clone() }
            }
            Ask::Loss { step, phrase, .. } => Answer::AcceptLoss { step: step.clone(), typed: phrase.clone() },
            Ask::Override { step, guard, .. } => Answer::Override {
                step: step.clone(),
                guard: *guard,
                reason: "fibre cut confirmed by NOC".into(),
                authoriser: "head of operations".into(),
            },
            Ask::Rearm => Answer::Rearm(declaration(state.plan.app.as_str(), state.plan.target_region.as_str())),
            Ask::Verdict { step, .. } => {
                asked.push("verdict");
                stage.hand.advance(PERSON_TAKES);
                let applied = stage.effects() != *before;
                let ruling = if applied { Ruling::Applied } else { Ruling::NotApplied };
                Answer::Verdict { step: step.clone(), ruling, evidence: "the log of calls".into() }
            }
        }),
        Phase::Parked { step: Some(step), why } => {
            asked.push("retry");
            *retries += 1;
            assert!(*retries <= TRIES_MAX, "parked again and again: {why}\n{:#?}", state.log);
            stage.hand.advance(PERSON_TAKES);
            Some(Answer::Retry { step: step.clone() })
        }
        Phase::Parked { step: None, why } => panic!("parked for good: {why}\n{:#?}", state.log),
        _ => None,
    }
}

/// One kind and outcome at all places; what is counted, and what went wrong.
#[derive(Default)]
struct Tally {
    places: usize,
    doubts: usize,
    verdicts: usize,
    retries: usize,
    wrong: Vec<String>,
}

async fn every_place(bench: &Bench, scene: &Scene, tally: &mut Tally) {
    let whole = perform(bench, &scene.undisturbed(), Keep::Nothing).await;
    let undisturbed = perform(bench, scene, Keep::WhatIsLeft).await;
    if matches!(scene.does, Does::Calls(_) | Does::Runs | Does::Much) {
        assert!(whole.end.effects.values().all(|count| *count == 1), "{:?}", whole.end);
        assert!(
            whole.calls > 0 && undisturbed.calls > 0,
            "{}: the call was never made: {:#?}",
            scene.name,
            undisturbed.end.log
        );
    } else {
        assert!(whole.end.effects.is_empty() && whole.calls == 0, "{:?}", whole.end);
    }
    judge(scene, Death::Never, &undisturbed.end, &undisturbed.end, &whole.end, tally);
    for remains in undisturbed.remains {
        let place = remains.place;
        let end = resumed(bench, scene, remains).await;
        judge(scene, place, &end, &undisturbed.end, &whole.end, tally);
    }
}

fn judge(scene: &Scene, place: Death, end: &End, undisturbed: &End, whole: &End, tally: &mut Tally) {
    let doubt = end.log.iter().any(|line| line.contains("in doubt"));
    tally.places += 1;
    tally.doubts += usize::from(doubt);
    tally.verdicts += end.asked.iter().filter(|what| **what == "verdict").count();
    tally.retries += end.asked.iter().filter(|what| **what == "retry").count();
    let mut wrong = |what: &str| {
        tally.wrong.push(format!("{} / {place:?}: {what}\n  {end:?}\n  undisturbed {undisturbed:?}", scene.name));
    };
    if end.effects != whole.effects {
        wrong("an effect was lost or happened twice");
    }
    if end.phases != undisturbed.phases || end.phases != whole.phases {
        wrong("the run ended otherwise");
    }
    if end.asked.is_empty() && undisturbed.asked.is_empty() && end.word != undisturbed.word {
        wrong("the run is summed up otherwise");
    }
    if end.world != undisturbed.world {
        wrong("the world is another");
    }
    let unanswered = matches!(scene.outcome, Outcome::TimeoutApplied | Outcome::TimeoutNotApplied | Outcome::LandsLate)
        && matches!(scene.does, Does::Calls(_) | Does::Runs);
    if !doubt && (unanswered || matches!(place, Death::BeforeCall(_) | Death::AfterCall(_))) {
        wrong("nobody was told of the doubt");
    }
    if scene.does == Does::Much && end.asked.contains(&"verdict") {
        wrong("a doubt that observing settles was asked of a person");
    }
}

/// Several cells at once, each with clients of its own.
fn on_all_cores<T: Send>(
    files: &'static bench::Files,
    work: Vec<T>,
    name: impl Fn(&T) -> String + Sync,
    cell: impl AsyncFn(&Bench, &T, &mut Tally) + Sync,
) -> BTreeMap<String, (Tally, Duration)> {
    let work: Mutex<VecDeque<T>> = Mutex::new(work.into());
    let tallies: Mutex<BTreeMap<String, (Tally, Duration)>> = Mutex::default();
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores * THREADS_PER_CORE {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let bench = runtime.block_on(Bench::new(files));
                loop {
                    let Some(one) = work.lock().expect("not poisoned").pop_front() else { break };
                    let began = std::time::Instant::now();
                    let mut tally = Tally::default();
                    let whole = cell(&bench, &one, &mut tally);
                    let whole = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(whole)));
                    if let Err(panic) = whole {
                        let text = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "panicked".to_owned());
                        tally.wrong.push(format!("{}: {text}", name(&one)));
                    }
                    tallies.lock().expect("not poisoned").insert(name(&one), (tally, began.elapsed()));
                }
            });
        }
    });
    tallies.into_inner().expect("not poisoned")
}

fn cases() -> impl Iterator<Item = &'static Case> {
    let only = std::env::var("POINTSMAN_EXHAUSTIVE_ONLY").ok();
    let named = only.as_deref().is_none_or(|only| CASES.iter().any(|case| case.kind == only));
    assert!(named, "POINTSMAN_EXHAUSTIVE_ONLY names no kind: {only:?}");
    CASES.iter().filter(move |case| only.as_deref().is_none_or(|only| case.kind == only))
}

fn nothing_is_wrong(tallies: &BTreeMap<String, (Tally, Duration)>) {
    let wrong: Vec<&str> = tallies.values().flat_map(|(tally, _)| &tally.wrong).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} wrong, the first of them:\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}

#[test]
fn every_kind_ends_the_same_whatever_becomes_of_its_call_and_wherever_the_program_dies() {
    let named: Vec<&str> = CASES.iter().map(|case| case.kind).collect();
    let known: Vec<&str> = steps::KINDS.iter().map(|kind| kind.spec().id).collect();
    assert_eq!(named, known, "every kind of the catalogue has its case, in the same order");

    let cells = cases().flat_map(|case| case.does.outcomes().into_iter().map(move |outcome| (case, outcome)));
    let name = |(case, outcome): &(&Case, Outcome)| format!("{} / {}", case.kind, outcome.word());
    let tallies = on_all_cores(&TABLE, cells.collect(), name, async |bench, (case, outcome), tally| {
        let scene = Scene::of(bench, case, *outcome).await;
        every_place(bench, &scene, tally).await;
    });

    let head: String = Outcome::ALL.iter().map(|outcome| format!("{:>23}", outcome.word())).collect();
    println!("{:<32}{head}    (places at which it died; - where the outcome does not exist)", "kind");
    for case in cases() {
        let cell = |outcome: &Outcome| match tallies.get(&name(&(case, *outcome))) {
            Some((tally, took)) => format!("{:>15} {:>6.1}s", tally.places, took.as_secs_f64()),
            None => format!("{:>23}", "-"),
        };
        println!("{:<32}{}", case.kind, Outcome::ALL.iter().map(cell).collect::<String>());
    }
    let all = |count: fn(&Tally) -> usize| tallies.values().map(|(tally, _)| count(tally)).sum::<usize>();
    println!(
        "{} runs in {} cells: {} of them in doubt, {} verdicts, {} retries by a person",
        all(|tally| tally.places),
        tallies.len(),
        all(|tally| tally.doubts),
        all(|tally| tally.verdicts),
        all(|tally| tally.retries)
    );
    nothing_is_wrong(&tallies);
}

/// Writes nothing from its `nth` record on.
struct Refuses {
    nth: usize,
    stage: Arc<Stage>,
    tried: AtomicUsize,
    calls_until_then: AtomicUsize,
}

impl Around for Arc<Refuses> {
    fn around<T>(&self, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.tried.fetch_add(1, Ordering::SeqCst) + 1 < self.nth {
            return write();
        }
        self.calls_until_then.store(self.stage.calls(), Ordering::SeqCst);
        Err(StoreError::Failed("no space left on device".to_owned()))
    }
}

#[test]
fn a_journal_that_refuses_a_record_stops_every_kind_and_nothing_goes_out_after_it() {
    let tallies = on_all_cores(
        &TABLE,
        cases().collect(),
        |case| case.kind.to_owned(),
        async |bench, case, tally| {
            let scene = Scene::of(bench, case, Outcome::Ok).await;
            while refused_at(bench, &scene, tally.places + 1).await == Went::Stopped {
                tally.places += 1;
            }
            assert!(tally.places > 4, "a run has its records: {}", tally.places);
        },
    );
    nothing_is_wrong(&tallies);
}

#[derive(Debug, PartialEq, Eq)]
enum Went {
    Stopped,
    /// It has fewer records.
    Ended,
}

async fn refused_at(bench: &Bench, scene: &Scene, nth: usize) -> Went {
    let stage = scene.ready.fork();
    bench.put_on(&stage);
    let folder = folder();
    let (tried, calls_until_then) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let refuses = Arc::new(Refuses { nth, stage: Arc::clone(&stage), tried, calls_until_then });
    let console = bench.console(&folder.path().join(JOURNAL), Arc::clone(&refuses));
    let plan = console.plan(&scene.runbook, scene.app).await;
    let declared = console.0.declare(&plan, declaration(scene.app, plan.target_region.as_str())).await;
    assert_eq!(declared.is_err(), nth == 1, "{declared:?}");
    let mut watch = console.0.watch();
    loop {
        let runs = watch.borrow_and_update().clone();
        let state = runs.list.first();
        if runs.store_failure.is_some() && state.is_none_or(|state| !state.driven) {
            break;
        }
        let state = state.expect("declared");
        if state.phase.ended() {
            return Went::Ended;
        }
        match answer(state, &stage, &scene.ready.effects(), &mut 0, &mut Vec::new()) {
            Some(answer) if runs.store_failure.is_none() => {
                let _ = console.0.answer(state.id, answer).await; // refused: the next state says why
            }
            _ => tokio::time::timeout(STUCK, watch.changed()).await.expect("it goes on").expect("the engine lives"),
        }
    }
    assert_eq!(refuses.tried.load(Ordering::SeqCst), nth, "{}: a failed write is not tried again", scene.name);
    let calls = refuses.calls_until_then.load(Ordering::SeqCst);
    assert_eq!(stage.calls(), calls, "{}: record {nth} was not written, and it acted", scene.name);
    Went::Stopped
}

/// The runbooks of Payments in the bundled estate, and the situation that each is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payments {
    Failover,
    Switchover,
    Failback,
}

impl Payments {
    const fn runbook(self) -> &'static str {
        match self {
            Self::Failover => "payments-failover",
            Self::Switchover => "payments-switchover",
            Self::Failback => "payments-failback",
        }
    }

    async fn stage(self, bench: &Bench) -> Arc<Stage> {
        let stage = bench.stage();
        match self {
            Self::Failover => {
                dark(&stage);
                stage.hand.advance(Duration::from_mins(5));
            }
            Self::Switchover => {}
            Self::Failback => after_a_failover(bench, &stage).await,
        }
        stage
    }
}

/// Hyderabad writes and has the traffic; Mumbai was gone and is back.
async fn after_a_failover(bench: &Bench, stage: &Stage) {
    let fault = dark(stage);
    stage.hand.advance(Duration::from_mins(5));
    let region = RegionId::new(HYDERABAD);
    let id = Some("payments-global".to_owned());
    let clusters = rds::DescribeGlobalClusters { region: region.clone(), id };
    let clusters = bench.reader().read(&clusters).await.expect("readable").value;
    let target_arn = clusters[0].member_in(&region).expect("a member").cluster_arn.clone();
    let global_cluster = "payments-global".into();
    sent(bench, &rds::FailoverGlobalCluster { region, global_cluster, target_arn }).await;
    let zone = || "Z0PAYBANKEXAMPLE01".to_owned();
    let name = Some("origin.pay.bank.example".to_owned());
    let list = route53::ListResourceRecordSets { zone: zone(), name, kind: Some("A".into()) };
    let sets = bench.reader().read(&list).await.expect("readable").value;
    let changes = sets.into_iter().map(|mut set| {
        let weight = if set.set_identifier.as_deref() == Some("hyderabad") { 100 } else { 0 };
        set.routing = Routing::Weighted { weight };
        route53::RecordChange { action: route53::RecordAction::Upsert, set }
    });
    let comment = "what must have happened before".into();
    sent(bench, &route53::ChangeRecordSets { zone: zone(), comment, changes: changes.collect() }).await;
    stage.hand.advance(Duration::from_mins(20));
    stage.sim.clear(fault).expect("the fault was there");
    stage.hand.advance(Duration::from_hours(6));
}

#[test]
fn the_runbooks_of_payments_end_the_same_wherever_the_program_dies() {
    let runbooks = vec![Payments::Failback, Payments::Failover, Payments::Switchover];
    let name = |payments: &Payments| payments.runbook().to_owned();
    let tallies = on_all_cores(&BANK, runbooks, name, async |bench, payments, tally| {
        let ready = payments.stage(bench).await;
        let name = payments.runbook().to_owned();
        let runbook = name.clone();
        let scene = Scene { name, runbook, app: "payments", ready, does: Does::Much, outcome: Outcome::Ok };
        every_place(bench, &scene, tally).await;
    });
    for (name, (tally, took)) in &tallies {
        println!("{name:<32}{:>15} {:>6.1}s", tally.places, took.as_secs_f64());
    }
    nothing_is_wrong(&tallies);
}
