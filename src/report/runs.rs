//! Plans and runs as plain text, for `plan`, `run`, `runs` and pasting into a chat.
//!
//! What blocks comes before what would be done; overrides and skips come first in a run, never hidden.

use std::{fmt::Write as _, time::Duration};

use super::run_list::left_behind;
use crate::{
    domain::{
        StepId, Zone,
        time::{Timestamp, short, short_up},
    },
    runbook::{
        clocks,
        plan::{Holds, Plan, PlannedStep},
        run::{Phase, RunState, StepPhase},
        spec::{Only, Variant},
    },
};

/// A plan, before anything happens.
#[must_use]
pub fn plan(plan: &Plan, zone: &Zone, now: Timestamp) -> String {
    let mut out = String::new();
    let facts = plan.facts_at.map_or_else(|| "no facts".to_owned(), |at| format!("facts {} old", short(now.since(at))));
    let _ = writeln!(
        out,
        "PLAN {} → {} to {} {} │ {} │ account {} │ plan {} │ {facts}",
        plan.runbook,
        plan.app_name,
        plan.target_name,
        plan.target_region,
        plan.mode_word,
        plan.account,
        plan.hash.short(),
    );
    if plan.variant == Variant::CheckOnly {
        out.push_str("CHECK ONLY: the steps that ask or act are left out, and so are their guards\n");
    }
    if !plan.parameters.is_empty() {
        let values: Vec<String> = plan.parameters.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let _ = writeln!(out, "with {}", values.join(" │ "));
    }
    let blockers = plan.blockers();
    if blockers.is_empty() {
        out.push_str(match plan.variant {
            Variant::Whole => "ready: nothing blocks it\n",
            Variant::CheckOnly => "nothing blocks reading; whether the whole runbook could start is not said here\n",
        });
    } else {
        let _ = writeln!(out, "BLOCKED by {}:", blockers.len());
        for blocker in &blockers {
            let _ = writeln!(out, "  ✖ {blocker}");
        }
    }
    for (n, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(
            out,
            "{:>3}  {}  [{}]  expected {} ({}), time-out {}{}{}{}",
            n + 1,
            step.title,
            step.hazard,
            short(step.expected),
            step.expected_basis,
            short(step.timeout),
            tries(step),
            if step.only == Only::Drill { ", drill only" } else { "" },
            waits_for(plan, n),
        );
        let _ = writeln!(out, "       {}: {}", step.kind, step.summary);
        for call in &step.calls {
            let _ = writeln!(out, "       call   {call}");
            for (name, value) in &call.params {
                let _ = writeln!(out, "              {name}={value}");
            }
        }
        for guard in &step.guards {
            let mark = match guard.holds {
                Holds::Yes => "✔",
                Holds::No if guard.made_true_by.is_some() => "·",
                Holds::No => "✖",
                Holds::Unknown => "?",
            };
            let way = match &guard.made_true_by {
                Some(step) => format!("  step {step} makes it so"),
                None if guard.blocks() && guard.overridable => "  override: reason and authoriser".to_owned(),
                None => String::new(),
            };
            let data = guard.data_time.map_or_else(String::new, |at| format!("  data from {}", zone.clock(at)));
            let _ = writeln!(out, "       guard  {mark} {}: {}{data}{way}", guard.text, guard.present);
        }
        if !step.calls.is_empty() {
            let _ = writeln!(out, "       done when {}; undo: {}", step.done_when, step.undo);
        }
    }
    let estimate = plan.estimate.from_declaration();
    let target = plan.rto_target.map_or_else(
        || "no target".to_owned(),
        |t| match plan.missed_by(estimate) {
            None => format!("target {}: meets it", short(t)),
            Some(by) => format!("target {}: ✖ would miss by {}", short(t), short_up(by)),
        },
    );
    let began = plan.outage_since.map_or_else(String::new, |since| format!(", which began {}", zone.clock(since)));
    let _ = writeln!(
        out,
        "estimated {} from declaration ({}), {} from the outage{began} │ {target}",
        short_up(estimate),
        plan.estimate.basis,
        short_up(plan.before_declaration() + estimate),
    );
    out
}

fn tries(step: &PlannedStep) -> String {
    match step.retries {
        0 => String::new(),
        retries => format!(", {} tries {} apart", retries + 1, short(step.retry_every)),
    }
}

/// Said only where it is not the step above.
fn waits_for(plan: &Plan, n: usize) -> String {
    let above = n.checked_sub(1).map(|above| &plan.steps[above].id);
    let after = &plan.steps[n].after;
    if after.iter().eq(above) {
        return String::new();
    }
    let number = |id: &StepId| plan.steps.iter().position(|step| step.id == *id).map(|at| (at + 1).to_string());
    let numbers: Vec<String> = after.iter().filter_map(number).collect();
    if numbers.is_empty() { ", at once".to_owned() } else { format!(", after {}", numbers.join(" and ")) }
}

/// One line of `runs`.
#[must_use]
pub fn run_line(run: &RunState, zone: &Zone) -> String {
    let waits = match &run.phase {
        Phase::Parked { why, .. } | Phase::Abandoned { why } => format!(": {why}"),
        Phase::Waiting(ask) => ask.step().map_or_else(|| ": to be declared again".to_owned(), |s| format!(" at {s}")),
        _ => String::new(),
    };
    format!(
        "{:>4}  {}  {:<20}  {} → {}  {}  by {} {}  {}{waits}",
        run.id,
        zone.day_clock(run.declared_at),
        run.plan.runbook,
        run.plan.app_name,
        run.plan.target_name,
        run.plan.mode_word,
        run.declaration.who,
        run.declaration.incident,
        run.phase.word(),
    )
}

/// A run as it stands, exceptions first.
#[must_use]
pub fn run(run: &RunState, zone: &Zone, now: Timestamp) -> String {
    let mut out = String::new();
    let clocks = clocks::clocks(run, &run.timeline, now);
    let _ = writeln!(
        out,
        "RUN {}  {} → {} {}  {}  declared {} by {} ({})  {}",
        run.id,
        run.plan.runbook,
        run.plan.target_name,
        run.plan.target_region,
        run.plan.mode_word,
        zone.clock(run.declared_at),
        run.declaration.who,
        run.principal,
        run.declaration.incident,
    );
    let outage = clocks.from_outage.map_or_else(String::new, |took| format!("since outage {}  ", clock(took)));
    let _ = writeln!(
        out,
        "  {outage}since declaration {}  machine {}  waiting {}  {}",
        clock(clocks.from_declaration),
        clock(clocks.machine),
        clock(clocks.waiting),
        run.phase.word(),
    );
    if !run.phase.ended() {
        let _ = write!(out, "  projected end {}", zone.clock(clocks.projected_finish));
        match (clocks.missed_by, clocks.last_moment) {
            (Some(by), _) => drop(writeln!(out, "  ✖ target missed by {}", short_up(by))),
            (None, Some(last)) => drop(writeln!(out, "  last moment to decide {}", zone.clock(last))),
            (None, None) => out.push('\n'),
        }
    }
    if let Some((took, loss)) = &run.measured {
        let outage = took.from_outage.map_or_else(String::new, |took| format!("{} from the outage, ", clock(took)));
        let missed = clocks.missed_by.map_or_else(String::new, |by| format!("  ✖ target missed by {}", short_up(by)));
        let _ = writeln!(out, "  achieved {outage}{} from declaration{missed}", clock(took.from_declaration));
        let _ = match (loss.from, loss.lossless()) {
            (_, true) => writeln!(out, "  nothing was lost: {}", loss.basis),
            (Some(from), false) => {
                writeln!(out, "  to reconcile {} to {}: {}", zone.clock(from), zone.clock(loss.to), loss.basis)
            }
            (None, false) => {
                writeln!(out, "  to reconcile up to {}, from when on is not known: {}", zone.clock(loss.to), loss.basis)
            }
        };
    }
    for step in &run.steps {
        for guard in step.guards.iter().filter_map(|g| g.overridden.as_ref().map(|o| (g, o))) {
            let _ = writeln!(
                out,
                "  OVERRIDDEN  {}: {}: \"{}\" by {}",
                step.id, guard.0.text, guard.1.reason, guard.1.authoriser
            );
        }
        if let StepPhase::Skipped { reason } = &step.phase {
            let _ = writeln!(out, "  SKIPPED     {}: {reason}", step.id);
        }
    }
    for (n, (step, planned)) in run.steps.iter().zip(&run.plan.steps).enumerate() {
        let mark = match step.phase {
            StepPhase::Done => "✔",
            StepPhase::Pending => "·",
            StepPhase::Skipped { .. } => "⇥",
            StepPhase::Refused | StepPhase::Failed => "✖",
            StepPhase::InDoubt => "?",
            _ => "▶",
        };
        let took = match (step.started_at, step.ended_at) {
            (Some(from), Some(to)) => short(to.since(from)),
            (Some(from), None) => format!("{} so far", short(now.since(from))),
            _ => String::new(),
        };
        let _ = writeln!(out, "  {mark} {:>2}  {:<36} {}  {took}", n + 1, planned.title, step.detail);
    }
    if let Some(since) = run.unprotected_since {
        let _ = writeln!(out, "  unprotected since {}: no way back is built yet", zone.clock(since));
    }
    left_behind(&mut out, &run.leftovers, &run.plan.mode_word);
    out
}

/// Whole seconds, rounded up: a time that was taken is never shown shorter than it was.
fn clock(d: Duration) -> String {
    let s = d.as_secs() + u64::from(d.subsec_nanos() > 0);
    if s >= 3_600 {
        format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
    } else {
        format!("{:02}:{:02}", s / 60, s % 60)
    }
}
