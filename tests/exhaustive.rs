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
#[path = "exhaustive/perform.rs"]
mod perform;
mod rig;
#[path = "exhaustive/scene.rs"]
mod scene;
#[path = "exhaustive/stage.rs"]
mod stage;

use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bench::{Bench, STUCK, TABLE};
use cases::{CASES, Case, Does};
use perform::{End, Keep, answer, perform, resumed};
use pointsman::{engine::StoreError, steps};
use rig::{Around, BANK, Death, declaration, folder};
use scene::{Payments, Scene};
use stage::{JOURNAL, Outcome, Stage};

/// At once: most of a run is computing, some of it is waiting for a thread of the journal's.
const THREADS_PER_CORE: usize = 2;

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
