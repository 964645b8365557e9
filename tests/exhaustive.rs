//! Every kind of step x everything that can become of its call x every place at which the program can die: before and
//! after each append to the journal and each call with side effects.
//!
//! The program that comes after finds the run, resumes it and ends it as an undisturbed one ends, each effect having
//! happened once. A person answers what is asked: takes ten minutes over a parked run, tries again, and rules on a call
//! in doubt by what the simulator's own log says. The cases come from the catalogue of kinds: a new kind without a case
//! fails the test.
//!
//! The whole product takes minutes. `cargo test` runs a declared part of it: of each kind and outcome the undisturbed
//! run, every death around a call, and every eighth of the other places, another eighth in each cell of the table.
//! `POINTSMAN_EXHAUSTIVE=whole` runs all (`.ci/run` does); `POINTSMAN_EXHAUSTIVE_ONLY=KIND` one row.

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
    sync::{Arc, Mutex},
    time::Duration,
};

use bench::{BENCH, Bench, Console, Outcome, READS_TROUBLED, STUCK, Stage, Trouble};
use cases::{CASES, Case, Does, runbook_id};
use pointsman::{
    aws::SendOutcome,
    domain::{AppId, RegionId, Side},
    engine::{Chain, Facts as _, SqliteStore, Store, examine, recover},
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
use rig::{Death, Direct, MUMBAI, declaration, folder};

const TRIES_MAX: u32 = 5;
/// What a person takes over a run that is parked or in doubt.
const PERSON_TAKES: Duration = Duration::from_mins(10);

/// Carries out what the case needs, without the engine.
async fn prepared(bench: &Bench, case: &Case) -> Arc<Stage> {
    let stage = bench.stage();
    let facts = bench.facts();
    let mut dark = None;
    for id in case.before {
        match *id {
            "dark" => {
                let kind = FaultKind::RegionDown { region: RegionId::new(MUMBAI), how: Down::Refuse };
                dark = stage.sim.inject(Fault { id: 0, kind, from: None, until: None }).ok();
                stage.hand.advance(Duration::from_mins(2));
            }
            "light" => {
                stage.sim.clear(dark.expect("it was dark")).expect("a fault");
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
    let (estate, runbooks) = &*BENCH;
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
        Prepared::Send(op) => {
            let sent = bench.writer().send_once(&*op).await;
            assert!(matches!(sent, SendOutcome::Accepted { .. }), "{id}: {sent:?}");
        }
        other => panic!("{id}: {other:?}"),
    }
}

/// How a run ended.
#[derive(Debug)]
struct End {
    /// Phases of the run and of its steps.
    phases: String,
    world: String,
    effects: BTreeMap<String, usize>,
    log: Vec<String>,
    asked: Vec<&'static str>,
}

struct Performed {
    end: End,
    appends: usize,
    calls: usize,
}

async fn perform(bench: &Bench, case: &Case, outcome: Outcome, death: Death, folder: &Path) -> Performed {
    let stage = prepared(bench, case).await;
    let before = stage.effects();
    let journal = folder.join("journal.db");
    let console = bench.console(&stage, &journal, death);
    let plan = console.plan(&runbook_id(case), case.app).await;
    assert!(plan.interlocks.is_empty(), "{:?}", plan.interlocks);
    match case.does {
        Does::Calls(operation) => stage.trouble(Trouble::Call(operation, outcome)),
        Does::Runs => stage.trouble(Trouble::Call("Run", outcome)),
        Does::Reads | Does::Looks if outcome != Outcome::Ok => {
            stage.trouble(Trouble::Reads(outcome, stage.sim.now() + READS_TROUBLED));
        }
        Does::Reads | Does::Looks | Does::Nothing => {}
    }
    let mut asked = Vec::new();
    let declared = console.engine.declare(&plan, declaration(case.app, plan.target_region.as_str())).await;
    let ended = match declared {
        Ok(run) => carried(&console, &stage, run, &before, &mut asked).await,
        Err(refusal) => {
            assert!(matches!(death, Death::BeforeAppend(1) | Death::AfterAppend(1)), "{refusal}");
            None
        }
    };
    let (appends, calls) = console.reaper.counted();
    let (state, _console) = match ended {
        Some(state) => (state, console),
        None => {
            assert_ne!(death, Death::Never, "nobody killed it");
            drop(console);
            resumed(bench, case, &stage, &journal, &before, &mut asked).await
        }
    };
    stage.hand.advance(Duration::from_hours(6));
    let phases: Vec<String> = state.steps.iter().map(|step| format!("{} {:?}", step.id, step.phase)).collect();
    let word = if matches!(state.phase, Phase::Completed { .. }) { "completed" } else { state.phase.word() };
    let mut effects = stage.effects();
    for (operation, count) in before {
        *effects.get_mut(&operation).expect("effects are never forgotten") -= count;
    }
    effects.retain(|_, count| *count > 0);
    let end = End {
        phases: format!("{word} [{}]", phases.join(", ")),
        world: stage.world(),
        effects,
        log: state.log.iter().map(|(_, line)| line.to_string()).collect(),
        asked,
    };
    let store = SqliteStore::open(&journal).expect("the journal opens");
    let chain = examine(&store.load().expect("readable"), store.anchored().expect("readable")).chain();
    assert!(matches!(chain, Chain::Whole { .. }), "{chain:?}");
    Performed { end, appends, calls }
}

/// The next start: what is unfinished is resumed; where nothing was declared yet, it is declared.
async fn resumed(
    bench: &Bench,
    case: &Case,
    stage: &Arc<Stage>,
    journal: &Path,
    before: &BTreeMap<String, usize>,
    asked: &mut Vec<&'static str>,
) -> (Arc<RunState>, Console) {
    let console = bench.console(stage, journal, Death::Never);
    let known = { console.engine.watch().borrow().list.first().cloned() };
    let run = match known {
        Some(state) if state.phase.ended() => return (state, console),
        Some(state) => {
            let mut tries = 0;
            loop {
                // The dead one's lock goes with its last write.
                match console.engine.resume(state.id, declaration(case.app, state.plan.target_region.as_str())).await {
                    Ok(run) => break run,
                    Err(refusal) => {
                        tries += 1;
                        assert!(tries < 100_000, "{refusal}");
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
        None => {
            let ended = { console.engine.watch().borrow().ended.first().map(|summary| summary.id) };
            if let Some(run) = ended {
                // Its last record was written: the record is what there is of it.
                let store = SqliteStore::open(journal).expect("the journal opens");
                let course = recover(&store.load_run(run).expect("readable")).expect("whole");
                return (Arc::new(course.shown), console);
            }
            let plan = console.plan(&runbook_id(case), case.app).await;
            console.engine.declare(&plan, declaration(case.app, plan.target_region.as_str())).await.expect("declared")
        }
    };
    let state = carried(&console, stage, run, before, asked).await.expect("nobody dies twice");
    (state, console)
}

/// Answers whatever is asked until the run ends (`Some`) or the program dies (`None`).
async fn carried(
    console: &Console,
    stage: &Stage,
    run: RunId,
    before: &BTreeMap<String, usize>,
    asked: &mut Vec<&'static str>,
) -> Option<Arc<RunState>> {
    let mut watch = console.engine.watch();
    let mut retries = 0;
    let deadline = tokio::time::Instant::now() + STUCK;
    loop {
        let runs = watch.borrow_and_update().clone();
        if runs.store_failure.is_some() {
            return None;
        }
        let state = runs.list.iter().find(|state| state.id == run).cloned()?;
        if state.phase.ended() {
            return Some(state);
        }
        if let Some(answer) = answer(&state, stage, before, &mut retries, asked) {
            tokio::select! {
                _ = console.engine.answer(run, answer) => {} // refused: the run moved on, and the next state says so
                () = console.reaper.dead.notified() => return None,
            }
            continue;
        }
        tokio::select! {
            changed = watch.changed() => changed.expect("the engine lives"),
            () = console.reaper.dead.notified() => return None,
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
    /// Places that there are.
    of: usize,
    doubts: usize,
    verdicts: usize,
    retries: usize,
    wrong: Vec<String>,
}

/// How much of a cell is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// Every [`STRIDE`]th append, beginning with this one.
    From(usize),
}

const STRIDE: usize = 8;

impl Part {
    fn takes(self, death: Death, place: usize) -> bool {
        match (self, death) {
            (Self::Whole, _) | (_, Death::Never | Death::BeforeCall(_) | Death::AfterCall(_)) => true,
            (Self::From(first), Death::BeforeAppend(_) | Death::AfterAppend(_)) => place % STRIDE == first % STRIDE,
        }
    }
}

async fn every_place(bench: &Bench, case: &Case, outcome: Outcome, part: Part, tally: &mut Tally) {
    let run = async |outcome, death| {
        let folder = folder();
        perform(bench, case, outcome, death, folder.path()).await
    };
    let whole = run(Outcome::Ok, Death::Never).await;
    let undisturbed = run(outcome, Death::Never).await;
    let name = |death| format!("{} / {} / {death:?}", case.kind, outcome.word());
    if matches!(case.does, Does::Calls(_) | Does::Runs) {
        assert!(whole.end.effects.values().all(|count| *count == 1), "{:?}", whole.end);
        assert!(
            whole.calls > 0 && undisturbed.calls > 0,
            "{}: the call was never made: {:#?}",
            case.kind,
            undisturbed.end.log
        );
    } else {
        assert!(whole.end.effects.is_empty() && whole.calls == 0, "{:?}", whole.end);
    }
    let mut places = vec![Death::Never];
    for n in 1..=undisturbed.appends {
        places.extend([Death::BeforeAppend(n), Death::AfterAppend(n)]);
    }
    for n in 1..=undisturbed.calls {
        places.extend([Death::BeforeCall(n), Death::AfterCall(n)]);
    }
    tally.of = places.len();
    for (place, death) in places.into_iter().enumerate() {
        if !part.takes(death, place) {
            continue;
        }
        tally.places += 1;
        let end = run(outcome, death).await.end;
        let doubt = end.log.iter().any(|line| line.contains("in doubt"));
        tally.doubts += usize::from(doubt);
        tally.verdicts += end.asked.iter().filter(|what| **what == "verdict").count();
        tally.retries += end.asked.iter().filter(|what| **what == "retry").count();
        let mut wrong = |what: &str| {
            let text = format!("{}: {what}\n  {end:?}\n  undisturbed {:?}", name(death), undisturbed.end);
            tally.wrong.push(text);
        };
        if end.effects != whole.end.effects {
            wrong("an effect was lost or happened twice");
        }
        if end.phases != undisturbed.end.phases || end.phases != whole.end.phases {
            wrong("the run ended otherwise");
        }
        if end.world != undisturbed.end.world {
            wrong("the world is another");
        }
        let unanswered = matches!(outcome, Outcome::TimeoutApplied | Outcome::TimeoutNotApplied | Outcome::LandsLate)
            && matches!(case.does, Does::Calls(_) | Does::Runs);
        if !doubt && (unanswered || matches!(death, Death::BeforeCall(_) | Death::AfterCall(_))) {
            wrong("nobody was told of the doubt");
        }
    }
}

#[test]
fn every_kind_ends_the_same_whatever_becomes_of_its_call_and_wherever_the_program_dies() {
    let only = std::env::var("POINTSMAN_EXHAUSTIVE_ONLY").ok();
    let named: Vec<&str> = CASES.iter().map(|case| case.kind).collect();
    let known: Vec<&str> = steps::KINDS.iter().map(|kind| kind.spec().id).collect();
    assert_eq!(named, known, "every kind of the catalogue has its case, in the same order");

    let whole = match std::env::var("POINTSMAN_EXHAUSTIVE").as_deref() {
        Err(_) => false,
        Ok("whole") => true,
        Ok(other) => panic!("POINTSMAN_EXHAUSTIVE={other}: only `whole` is known"),
    };
    let work: VecDeque<(&Case, Outcome, Part)> = CASES
        .iter()
        .filter(|case| only.as_deref().is_none_or(|only| case.kind == only))
        .flat_map(|case| case.does.outcomes().into_iter().map(move |outcome| (case, outcome)))
        .enumerate()
        .map(|(cell, (case, outcome))| (case, outcome, if whole { Part::Whole } else { Part::From(cell) }))
        .collect();
    assert!(!work.is_empty(), "POINTSMAN_EXHAUSTIVE_ONLY names no kind: {only:?}");
    let work = Mutex::new(work);
    let tallies: Mutex<BTreeMap<(&str, Outcome), (Tally, Duration)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let bench = runtime.block_on(Bench::new());
                loop {
                    let Some((case, outcome, part)) = work.lock().expect("not poisoned").pop_front() else { break };
                    let began = std::time::Instant::now();
                    let mut tally = Tally::default();
                    let places = every_place(&bench, case, outcome, part, &mut tally);
                    let all = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(places)));
                    if let Err(panic) = all {
                        let text = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "panicked".to_owned());
                        tally.wrong.push(format!("{} / {}: {text}", case.kind, outcome.word()));
                    }
                    tallies.lock().expect("not poisoned").insert((case.kind, outcome), (tally, began.elapsed()));
                }
            });
        }
    });
    let tallies = tallies.into_inner().expect("not poisoned");
    let wrong = table(&tallies);
    assert!(wrong.is_empty(), "{} wrong, the first of them:\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}

/// Prints the product and gives back what was wrong in it.
fn table(tallies: &BTreeMap<(&str, Outcome), (Tally, Duration)>) -> Vec<String> {
    let head: String = Outcome::ALL.iter().map(|outcome| format!("{:>23}", outcome.word())).collect();
    println!("{:<32}{head}    (places at which it died; - where the outcome does not exist)", "kind");
    let (mut sum, mut of, mut cells) = (0, 0, 0);
    for case in CASES {
        let row: String = Outcome::ALL
            .iter()
            .map(|outcome| match tallies.get(&(case.kind, *outcome)) {
                Some((tally, took)) => {
                    sum += tally.places;
                    of += tally.of;
                    cells += 1;
                    format!("{:>8} of {:>3} {:>6.1}s", tally.places, tally.of, took.as_secs_f64())
                }
                None => format!("{:>23}", "-"),
            })
            .collect();
        println!("{:<32}{row}", case.kind);
    }
    let all = |count: fn(&Tally) -> usize| tallies.values().map(|(tally, _)| count(tally)).sum::<usize>();
    println!(
        "{sum} of {of} runs in {cells} cells: {} of them in doubt, {} verdicts, {} retries by a person",
        all(|tally| tally.doubts),
        all(|tally| tally.verdicts),
        all(|tally| tally.retries)
    );
    tallies.values().flat_map(|(tally, _)| tally.wrong.clone()).collect()
}
