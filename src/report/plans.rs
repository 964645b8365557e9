//! A plan for other eyes than a terminal's: JSON for scripts, Markdown for a ticket or a change request.

use std::fmt::Write as _;

use crate::{
    domain::{
        StepId, Zone,
        time::{short, short_up},
    },
    runbook::{
        plan::{Holds, Plan},
        spec::{Only, Variant},
    },
};

/// The plan as it would be frozen, with its hash.
#[must_use]
pub fn json(plan: &Plan) -> String {
    serde_json::to_string_pretty(plan).expect("plain data without maps keyed by anything but text")
}

/// What blocks comes before what would be done.
#[must_use]
pub fn markdown(plan: &Plan, zone: &Zone) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# {}: {}", cell(plan.app_name.as_str()), cell(plan.title.as_str()));
    let _ = writeln!(out);
    let _ = writeln!(
        out,
        "{} · runbook `{}` to {} {} · account {} · plan `{}` made {}{}",
        plan.mode_word,
        plan.runbook,
        cell(plan.target_name.as_str()),
        plan.target_region,
        plan.account,
        plan.hash.0,
        zone.banner(plan.made_at),
        if plan.variant == Variant::CheckOnly {
            " · **check only: the steps that ask or act are left out, and so are their guards**"
        } else {
            ""
        },
    );
    if !plan.parameters.is_empty() {
        let _ = writeln!(out);
        for (name, value) in &plan.parameters {
            let _ = writeln!(out, "- `{name}` = `{}`", code(value.as_str()));
        }
    }
    let blockers = plan.blockers();
    let _ = writeln!(out);
    if blockers.is_empty() {
        out.push_str(match plan.variant {
            Variant::Whole => "**Ready:** nothing blocks it.\n",
            Variant::CheckOnly => "Nothing blocks reading; whether the whole runbook could start is not said here.\n",
        });
    } else {
        let _ = writeln!(out, "**Blocked by {}:**", blockers.len());
        let _ = writeln!(out);
        for blocker in &blockers {
            let _ = writeln!(out, "- {}", cell(blocker.as_str()));
        }
    }
    let _ = writeln!(out);
    let _ = writeln!(out, "| # | step | waits for | hazard | expected | what |");
    let _ = writeln!(out, "|---|---|---|---|---|---|");
    for (n, step) in plan.steps.iter().enumerate() {
        let number = |id: &StepId| plan.steps.iter().position(|other| other.id == *id).map(|at| (at + 1).to_string());
        let after: Vec<String> = step.after.iter().filter_map(number).collect();
        let only = if step.only == Only::Drill { " (drill only)" } else { "" };
        let calls: Vec<String> = step.calls.iter().map(|call| format!("`{}`", code(&call.to_string()))).collect();
        let what = if calls.is_empty() { cell(step.summary.as_str()) } else { calls.join("<br>") };
        let _ = writeln!(
            out,
            "| {} | {}{only} | {} | {} | {} | {what} |",
            n + 1,
            cell(step.title.as_str()),
            after.join(", "),
            step.hazard,
            short(step.expected),
        );
    }
    let guards = || plan.steps.iter().flat_map(|step| step.guards.iter().map(move |guard| (step, guard)));
    if guards().next().is_some() {
        let _ = writeln!(out);
        let _ = writeln!(out, "| guard of | must be so | is it? | now |");
        let _ = writeln!(out, "|---|---|---|---|");
    }
    for (step, guard) in guards() {
        let holds = match guard.holds {
            Holds::Yes => "yes",
            Holds::No => "**no**",
            Holds::Unknown => "**unknown**",
        };
        let (text, present) = (cell(guard.text.as_str()), cell(guard.present.as_str()));
        let _ = writeln!(out, "| {} | {text} | {holds} | {present} |", cell(step.title.as_str()));
    }
    let _ = writeln!(out);
    let target = plan.rto_target.map_or_else(|| "no target".to_owned(), |target| format!("target {}", short(target)));
    let _ = writeln!(
        out,
        "Estimated {} from declaration ({}), {} from the outage; {target}.",
        short_up(plan.estimate.from_declaration()),
        cell(plan.estimate.basis.as_str()),
        short_up(plan.estimate.total()),
    );
    out
}

/// Text that stays in its cell and means nothing to Markdown.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text between backticks.
fn code(text: &str) -> String {
    text.replace('`', "'").replace('|', "\\|")
}
