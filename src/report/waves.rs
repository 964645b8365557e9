//! A wave before anything happens, and what a switch would change, as plain text for the shell.

use std::fmt::Write as _;

use crate::{
    domain::{
        StepId,
        time::{short, short_up},
    },
    runbook::{
        run::RunState,
        switching::{Reason, Switching},
        wave::{Loss, Wave},
    },
};

/// The list in the order in which it begins; what is left out is never hidden.
#[must_use]
pub fn wave(wave: &Wave, role: &str) -> String {
    let mut out = String::new();
    let mode = wave.items.first().map_or("", |item| item.plan.mode_word.as_str());
    let _ = writeln!(
        out,
        "WAVE {role} → {} │ {mode} │ {} apps, at most {} at a time │ wave {}",
        wave.regions(),
        wave.items.len(),
        wave.parallel_max,
        wave.id,
    );
    for (app, why) in &wave.left_out {
        let _ = writeln!(out, "  LEFT OUT  {app}: {why}");
    }
    for (app, why) in &wave.there {
        let _ = writeln!(out, "  STAYS     {app}: {why}; --app {app} takes it along");
    }
    for (n, item) in wave.items.iter().enumerate() {
        let plan = &item.plan;
        let after: Vec<&str> = item.after.iter().map(crate::domain::AppId::as_str).collect();
        let to = wave.apart(item).map_or_else(String::new, |name| format!(" → {name}"));
        let waits = if after.is_empty() { String::new() } else { format!(", after {}", after.join(" and ")) };
        let loss = match item.loss {
            Loss::Nothing => "asks for no loss".to_owned(),
            Loss::UpTo(rung) => format!("may lose up to {}", short(rung)),
            Loss::Unbounded => "loss not bounded: asked when its turn comes".to_owned(),
        };
        let target = plan.rto_target.map_or_else(|| "no target".to_owned(), |t| format!("target {}", short(t)));
        let target = match plan.missed_by(item.back) {
            Some(by) => format!("{target}: ✖ would miss by {}", short_up(by)),
            None => target,
        };
        let _ = writeln!(
            out,
            "{:>3}  {:<24} {:<28} {loss} │ {} ({target}){to}{waits}",
            n + 1,
            plan.app,
            plan.runbook,
            short_up(item.back),
        );
        for blocker in plan.blockers() {
            let _ = writeln!(out, "       ✖ {blocker}");
        }
    }
    out
}

/// What stays done, what is dropped, what comes.
#[must_use]
pub fn switching(change: &Switching, run: &RunState) -> String {
    let (now, then) = (&run.plan, &change.plan);
    let word = match change.why {
        Reason::AnotherWay => "SWITCH",
        Reason::TurnedReal => "TURN REAL",
    };
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{word} run {}  {} {} → {} {} │ plan {}",
        change.run,
        now.runbook,
        now.mode_word,
        then.runbook,
        then.mode_word,
        then.hash.short(),
    );
    for interlock in then.interlocks.iter().filter(|interlock| interlock.code != "another-run") {
        let _ = writeln!(out, "  ✖ {}", interlock.text);
    }
    let old = |id: &StepId| now.step(id).map_or_else(|| id.to_string(), |step| step.title.to_string());
    for id in &change.kept {
        let _ = writeln!(out, "  stays done  {id}: {}", old(id));
    }
    for id in &change.dropped {
        let _ = writeln!(out, "  dropped     {id}: {}", old(id));
    }
    for step in change.coming.iter().filter_map(|id| then.step(id)) {
        let _ = writeln!(
            out,
            "  comes       {}: {} [{}], expected {}",
            step.id,
            step.title,
            step.hazard,
            short(step.expected)
        );
    }
    out
}
