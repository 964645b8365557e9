//! One run from its declaration, or from what a death left of it, to its end; and the person who answers what is asked.
//!
//! Where to look next: [`super::scene`] (what is run).

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use pointsman::{
    engine::{Chain, SqliteStore, Store as _, examine, recover},
    runbook::run::{Answer, Ask, Phase, Ruling, RunId, RunState},
};

use super::{
    bench::{Bench, Console, STUCK},
    rig::{declaration, folder},
    scene::Scene,
    stage::{JOURNAL, Remains, Stage},
};

const TRIES_MAX: u32 = 5;
/// What a person takes over a run that is parked or in doubt.
const PERSON_TAKES: Duration = Duration::from_mins(10);

/// How a run ended.
#[derive(Debug)]
pub struct End {
    /// Phases of the run and of its steps; what a person took on shows in `word` alone.
    pub phases: String,
    pub word: &'static str,
    pub world: String,
    pub effects: BTreeMap<String, usize>,
    pub log: Vec<String>,
    pub asked: Vec<&'static str>,
}

pub struct Performed {
    pub end: End,
    /// What a death would have left, at every place that it came by.
    pub remains: Vec<Remains>,
    pub calls: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    WhatIsLeft,
}

pub async fn perform(bench: &Bench, scene: &Scene, keep: Keep) -> Performed {
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
pub async fn resumed(bench: &Bench, scene: &Scene, remains: Remains) -> End {
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

pub fn answer(
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
