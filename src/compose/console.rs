//! The screen in front of [`super::Core`]: its first frame, what it is told, and who carries out what it asks for.
//!
//! Must never: let the first frame wait for AWS, the journal or the simulator; lose a wish without a word.

use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, oneshot, watch};

use super::{Backing, Core, Files, assemble, load_estate, load_keymap, load_theme, opening_mode, runtime};
use crate::{
    cli::{Common, exit::Failure},
    clock::SystemClock,
    domain::{Clock, Mode, Picture, SafeText, Snapshot, call::CallRecord},
    engine::Engine,
    runbook::{bind::Occasion, plan::PlanRequest, run::Runs},
    theme::{self, Theme},
    tui,
};

/// The console. Its first frame stands before an async runtime, AWS or the simulator exist; they start behind it.
pub fn console(common: &Common) -> Result<u8, Failure> {
    let keymap = Arc::new(load_keymap(common)?);
    let themes = console_themes(common)?;
    let files = load_estate(common)?;
    let clock = Arc::new(SystemClock::default());
    let mode = opening_mode(common, files.backing, files.speed(common));
    let notice = (files.backing == Backing::EmbeddedSimulator && common.estate.is_none() && !common.sim)
        .then(|| SafeText::new("no estate was named: the bundled one, on the embedded simulator"));
    let state = tui::State::new(tui::Opening {
        estate: files.estate.clone(),
        runbooks: files.runbooks.iter().map(|spec| (**spec).clone()).collect(),
        keymap,
        themes,
        mode,
        occasion: if common.drill { Occasion::Drill } else { Occasion::Real },
        now: clock.now(),
        size: (80, 24),
        notice,
    });
    let dyn_clock: Arc<dyn Clock> = clock.clone();
    let console = tui::runtime::Console::open(state, dyn_clock).map_err(|error| Failure {
        code: 1,
        lines: vec![format!("no terminal to draw on: {error}"), "use `pointsman status`".to_owned()],
    })?;
    let runtime = runtime()?;
    let ended = runtime.block_on(behind(console, common.clone(), files, clock));
    // Reads that wait for a dead Region must not hold up the way out.
    runtime.shutdown_background();
    ended
}

/// `NO_COLOR` and the depth of the terminal are applied here, so that the views know styles only.
fn console_themes(common: &Common) -> Result<Vec<Arc<Theme>>, Failure> {
    let depth = colour_depth(|name| std::env::var(name).ok());
    let chosen = load_theme(common)?;
    let others = theme::bundled_names().into_iter().filter(|name| *name != chosen.name).filter_map(Theme::bundled);
    Ok(std::iter::once(chosen.clone()).chain(others).map(|theme| Arc::new(theme.at_depth(depth))).collect())
}

fn colour_depth(variable: impl Fn(&str) -> Option<String>) -> theme::ColourDepth {
    let holds = |name: &str, words: &[&str]| variable(name).is_some_and(|v| words.iter().any(|w| v.contains(w)));
    if variable("NO_COLOR").is_some_and(|v| !v.is_empty()) || holds("TERM", &["dumb"]) {
        theme::ColourDepth::Monochrome
    } else if holds("COLORTERM", &["truecolor", "24bit"]) {
        theme::ColourDepth::True
    } else if holds("TERM", &["256color", "kitty", "alacritty", "ghostty", "wezterm", "foot"]) {
        theme::ColourDepth::Indexed256
    } else {
        theme::ColourDepth::Ansi16
    }
}

/// Starts everything behind the first frame and joins it to the screen.
async fn behind(
    console: tui::runtime::Console,
    common: Common,
    files: Files,
    clock: Arc<SystemClock>,
) -> Result<u8, Failure> {
    let now = clock.now();
    let nothing =
        Picture { snapshot: Arc::new(Snapshot::empty(Mode::Live, now)), judged_at: now, assessments: Vec::new() };
    let (pictures_in, pictures) = watch::channel(Arc::new(nothing));
    let (runs_in, runs) = watch::channel(Arc::new(Runs::default()));
    let (calls_in, calls) = watch::channel(Arc::from(Vec::new()));
    let (commands, commands_out) = mpsc::channel(64);
    let (replies_in, replies) = mpsc::channel(64);
    let orphan = Arc::new(OnceLock::<Arc<Engine>>::new());
    let orphaned = orphan.clone();
    let parts = tui::runtime::ConsoleParts {
        pictures,
        runs,
        calls,
        commands,
        replies,
        orphaned: Arc::new(move || {
            if let Some(engine) = orphaned.get() {
                engine.orphaned();
            }
        }),
    };
    let (failed_in, failed) = oneshot::channel();
    let joined = tokio::spawn(async move {
        let core = match assemble(&common, files, clock, |_| {}).await {
            Ok(core) => core,
            Err(failure) => {
                let _ = failed_in.send(failure);
                return;
            }
        };
        let _ = orphan.set(core.engine.clone());
        if let Some(found) = unfinished(&core) {
            let _ = replies_in.send(tui::Msg::Said(found)).await;
        }
        tokio::join!(
            pump_pictures(&core, &pictures_in),
            pump_runs(&core, &runs_in),
            pump_calls(&core, &calls_in),
            obey(&core, commands_out, &replies_in),
            core.engine.follow(),
        );
    });
    let ended = tokio::select! {
        ended = console.run(parts) => ended,
        Ok(failure) = failed => return Err(failure),
    };
    joined.abort();
    match ended {
        Ok(tui::runtime::Ended::Quit) => Ok(0),
        Ok(tui::runtime::Ended::Signal(number)) => Ok(u8::try_from(128 + number).unwrap_or(1)),
        Err(error) => Err(Failure { code: 1, lines: vec![format!("the terminal failed: {error}")] }),
    }
}

/// Runs that an earlier console left: what was going on, said at once.
fn unfinished(core: &Core) -> Option<SafeText> {
    let runs = core.engine.watch().borrow().clone();
    let open: Vec<String> = runs
        .list
        .iter()
        .filter(|run| run.unattended())
        .map(|run| {
            format!(
                "run {} {} {} since {}",
                run.id,
                run.plan.runbook,
                run.phase.word(),
                core.estate.zone.day_clock(run.declared_at)
            )
        })
        .collect();
    (!open.is_empty()).then(|| SafeText::new(format!("not ended, and nobody drives it: {}; see runs", open.join("; "))))
}

async fn pump_pictures(core: &Core, into: &watch::Sender<Arc<Picture>>) {
    let mut pictures = core.pictures();
    loop {
        into.send_replace(pictures.borrow_and_update().clone());
        if pictures.changed().await.is_err() {
            return;
        }
    }
}

async fn pump_runs(core: &Core, into: &watch::Sender<Arc<Runs>>) {
    let mut runs = core.engine.watch();
    loop {
        into.send_replace(runs.borrow_and_update().clone());
        if runs.changed().await.is_err() {
            return;
        }
    }
}

/// The call log grows with snapshots: no poll of its own.
async fn pump_calls(core: &Core, into: &watch::Sender<Arc<[CallRecord]>>) {
    let mut snapshots = core.collector.snapshots();
    let mut last = 0;
    loop {
        let total = core.calls.totals().calls;
        if total != last {
            last = total;
            into.send_replace(core.calls.since(0).into());
        }
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

/// Carries out what the console asks for. A wish that fails comes back as words, never as silence.
async fn obey(core: &Core, mut commands: mpsc::Receiver<tui::Cmd>, replies: &mpsc::Sender<tui::Msg>) {
    while let Some(command) = commands.recv().await {
        let reply = match command {
            tui::Cmd::Refresh => {
                core.collector.refresh_now();
                None
            }
            tui::Cmd::Distrust => {
                core.collector.forget();
                None
            }
            tui::Cmd::ReadRun(run) => {
                let engine = core.engine.clone();
                let read = tokio::task::spawn_blocking(move || engine.run(run)).await;
                read.ok().and_then(|read| refused(read.map(drop)))
            }
            tui::Cmd::Plan { runbook, app } => {
                let planned = core.engine.plan(&PlanRequest::new(runbook, app)).await;
                Some(tui::Msg::Planned(planned.map_err(|error| SafeText::new(error.to_string()))))
            }
            tui::Cmd::Declare { plan, declaration } => Some(match core.engine.declare(&plan.0, declaration).await {
                Ok(run) => tui::Msg::Declared(run),
                Err(refusal) => tui::Msg::Refused(SafeText::new(refusal.to_string())),
            }),
            tui::Cmd::Answer { run, answer } => refused(core.engine.answer(run, answer).await),
            tui::Cmd::LookAtSwitch { run, runbook } => {
                let looked = core.engine.switching(run, &runbook).await;
                Some(tui::Msg::Switching(looked.map(Arc::new).map_err(|refusal| refusal.0)))
            }
            tui::Cmd::LookAtTurningReal { run } => {
                let looked = core.engine.turning_real(run).await;
                Some(tui::Msg::Switching(looked.map(Arc::new).map_err(|refusal| refusal.0)))
            }
            tui::Cmd::Switch { run, hash, declaration } => {
                Some(match core.engine.switch(run, &hash, declaration).await {
                    Ok(()) => tui::Msg::Switched(run),
                    Err(refusal) => tui::Msg::Refused(refusal.0),
                })
            }
            tui::Cmd::PlanWave(request) => {
                let wave = core.engine.plan_wave(&request).await;
                Some(tui::Msg::WavePlanned { request, wave: wave.map(Arc::new).map_err(|refusal| refusal.0) })
            }
            tui::Cmd::DeclareWave { wave, said } => Some(match core.engine.declare_wave(&wave.0, &said).await {
                Ok(_) => tui::Msg::WaveDeclared(wave.0.id.clone()),
                Err(refusal) => tui::Msg::Refused(refusal.0),
            }),
            tui::Cmd::ResumeWave { wave, said } => Some(match core.engine.resume_wave(&wave, &said).await {
                Ok(_) => tui::Msg::WaveDeclared(wave),
                Err(refusal) => tui::Msg::Refused(refusal.0),
            }),
            tui::Cmd::Resume { run, declaration } => refused(core.engine.resume(run, declaration).await.map(drop)),
            // Done by the console itself.
            tui::Cmd::Quit | tui::Cmd::Suspend | tui::Cmd::Redraw | tui::Cmd::Copy(_) => None,
        };
        if let Some(reply) = reply
            && replies.send(reply).await.is_err()
        {
            return;
        }
    }
}

fn refused<E: std::fmt::Display>(outcome: Result<(), E>) -> Option<tui::Msg> {
    outcome.err().map(|refusal| tui::Msg::Refused(SafeText::new(refusal.to_string())))
}
