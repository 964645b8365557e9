//! Evidence for people: Markdown, what did not go by the book first, the mode word in every heading.

use std::fmt::Write as _;

use super::evidence::{CallPart, Evidence, GuardPart, Seconds, StepPart};
use crate::{
    domain::{
        SafeText, Timestamp,
        time::{short, short_up},
    },
    runbook::{plan::Holds, run::Ruling},
};

/// The whole report. Its times are UTC; words stand as they were read, in the zone they were read in.
#[must_use]
pub fn markdown(evidence: &Evidence) -> String {
    let mut out = String::new();
    let plan = &evidence.plan;
    let _ = writeln!(out, "# Run {} · {} · {}\n", evidence.run, plan.runbook, evidence.mode);
    let _ = writeln!(
        out,
        "**{}** · {}{} · {} ({}) to {} ({}) · account {}\n",
        evidence.mode,
        evidence.standing,
        evidence.why.as_ref().map_or_else(String::new, |why| format!(": {}", cell(why))),
        cell(&plan.app_name),
        plan.app,
        cell(&plan.target_name),
        plan.target_region,
        plan.account,
    );
    let quoted = evidence.zone_of_words.as_deref().unwrap_or("the estate's zone, which this record does not name");
    let _ = writeln!(
        out,
        "Times are UTC, of the estate's clock, and bear a Z. A time without one stands inside words as people read them: \
         it is in {quoted}.\n"
    );
    exceptions(&mut out, evidence);
    declaration(&mut out, evidence);
    clocks(&mut out, evidence);
    loss(&mut out, evidence);
    leftovers(&mut out, evidence);
    heading(&mut out, "Steps", &evidence.mode);
    for (n, part) in evidence.steps.iter().enumerate() {
        step(&mut out, n + 1, part);
    }
    heading(&mut out, "What people were asked and said", &evidence.mode);
    out.push_str("| record | at | kind | words | by |\n|---:|---|---|---|---|\n");
    for said in &evidence.words.entries {
        let (text, by) = (cell(&said.text), cell(&said.by));
        let _ = writeln!(out, "| {} | {} | {} | {text} | {by} |", said.seq, time(said.at), said.kind);
    }
    chain(&mut out, evidence);
    out
}

fn heading(out: &mut String, title: &str, mode: &str) {
    let _ = writeln!(out, "\n## {title} · {mode}\n");
}

fn exceptions(out: &mut String, evidence: &Evidence) {
    let found = &evidence.exceptions;
    heading(out, "Overrides, skips and verdicts", &found.mode);
    if found.overrides.is_empty() && found.skips.is_empty() && found.verdicts.is_empty() {
        out.push_str("None: no guard was overridden, no step skipped, no outcome ruled by a person.\n");
    }
    for given in &found.overrides {
        let _ = writeln!(
            out,
            "- **Override** at `{}`: {}, which was {}. Reason: {}. Authorised by {}. Given by {}, {} (record {}).",
            given.step,
            cell(&given.guard),
            cell(&given.present),
            cell(&given.reason),
            cell(&given.authoriser),
            cell(&given.by),
            time(given.at),
            given.seq,
        );
    }
    for skip in &found.skips {
        let (reason, by) = (cell(&skip.reason), cell(&skip.by));
        let _ =
            writeln!(out, "- **Skip** of `{}`: {reason}. By {by}, {} (record {}).", skip.step, time(skip.at), skip.seq);
    }
    for verdict in &found.verdicts {
        let word = if verdict.ruling == Ruling::Applied { "applied" } else { "not applied" };
        let (text, by) = (cell(&verdict.evidence), cell(&verdict.by));
        let _ = writeln!(
            out,
            "- **Verdict** on `{}`: {word}. Evidence: {text}. By {by}, {} (record {}).",
            verdict.step,
            time(verdict.at),
            verdict.seq,
        );
    }
}

fn declaration(out: &mut String, evidence: &Evidence) {
    let declared = &evidence.declaration;
    heading(out, "Declaration and plan", &declared.mode);
    let _ = writeln!(
        out,
        "- Declared {} by {} as {}: {}",
        time(declared.at),
        cell(&declared.who),
        cell(&declared.principal),
        cell(&declared.incident),
    );
    if let (Some(app), Some(region)) = (&declared.app_typed, &declared.region_typed) {
        let _ = writeln!(out, "- Typed: app {}, Region {}", cell(app), cell(region));
    }
    if let Some(wave) = &declared.wave {
        let phrase = cell(&wave.phrase);
        let of = format!("number {} of {} apps in wave `{}`", wave.ordinal, wave.size, wave.id);
        let _ = writeln!(out, "- Declared with the list, {of}; typed: \"{phrase}\"");
    }
    for later in &declared.later {
        let (what, by) = (cell(&later.what), cell(&later.by));
        let _ = writeln!(out, "- {}: {what}, by {by} (record {})", time(later.at), later.seq);
    }
    let plan = &evidence.plan;
    let facts = plan.oldest_fact_at.map_or_else(|| "no facts".to_owned(), |at| format!("oldest fact {}", time(at)));
    let _ = writeln!(
        out,
        "- {} ({}), plan `{}`, made {}, {facts}\n- Text of the runbook: SHA-256 `{}`",
        cell(&plan.title),
        plan.kind,
        plan.hash,
        time(plan.made_at),
        plan.runbook_sha256,
    );
}

fn clocks(out: &mut String, evidence: &Evidence) {
    let clocks = &evidence.clocks;
    heading(out, "Clocks", &clocks.mode);
    let none = || "not said".to_owned();
    // Never shorter than it was: what missed its target by a second must not look as if it met it.
    let span = |Seconds(d): Seconds| short_up(d);
    let end = if clocks.ended_at.is_some() { "ended" } else { "has not ended; last record" };
    let _ = writeln!(
        out,
        "| | |\n|---|---|\n| outage began | {} |\n| declared | {} |\n| {end} | {} |\n| from the outage | {} |\n\
         | from the declaration | {} |\n| of that, machine | {} |\n| of that, waiting (for a person, a driver or its turn) | {} |\n\
         | critical path | {} |\n| RTO target | {} |",
        clocks.outage_at.map_or_else(none, time),
        time(clocks.declared_at),
        time(clocks.until),
        clocks.from_outage.map_or_else(none, span),
        span(clocks.from_declaration),
        span(clocks.machine),
        span(clocks.waiting),
        span(clocks.critical_path),
        clocks.target.map_or_else(|| "none".to_owned(), |Seconds(d)| short(d)),
    );
}

fn loss(out: &mut String, evidence: &Evidence) {
    heading(out, "Loss of data to reconcile", &evidence.loss.mode);
    let window = &evidence.loss.window;
    let said = match window.from {
        Some(from) if from == window.to => "Nothing can have been lost".to_owned(),
        Some(from) => format!("Writes from {} to {} must be accounted for", time(from), time(window.to)),
        None => format!("Writes up to {} must be accounted for; nothing says from when on", time(window.to)),
    };
    let _ = writeln!(out, "{said}: {}.", cell(&window.basis));
    let listed = evidence.declaration.wave.as_ref().map(|wave| wave.accepts);
    match listed {
        Some(Some(Seconds(rung))) => {
            let _ = writeln!(out, "Up to {} was accepted for this app with the list of its wave.", short(rung));
        }
        _ if evidence.loss.accepted.is_empty() => out.push_str("No loss of data was asked about.\n"),
        _ => {}
    }
    for loss in &evidence.loss.accepted {
        let bound =
            loss.bound.map_or_else(|| "no bound known".to_owned(), |Seconds(d)| format!("at most {}", short_up(d)));
        let _ = writeln!(
            out,
            "- `{}`: {bound}; typed \"{}\" by {}, {} (record {})",
            loss.step,
            cell(&loss.phrase),
            cell(&loss.by),
            time(loss.at),
            loss.seq,
        );
        for line in &loss.lines {
            let _ = writeln!(out, "  - {}", cell(line));
        }
    }
}

fn leftovers(out: &mut String, evidence: &Evidence) {
    heading(out, "Made and still there", &evidence.leftovers.mode);
    if evidence.leftovers.left.is_empty() {
        out.push_str("No call of this run made anything that stays.\n");
    }
    for behind in &evidence.leftovers.left {
        let sure = if behind.certain { "" } else { " (if the call took effect, which is not known)" };
        let what = &behind.what;
        let _ = writeln!(out, "- {} `{}` in {}, by `{}`{sure}", what.kind, code(&what.id), what.region, behind.step);
    }
}

fn step(out: &mut String, n: usize, part: &StepPart) {
    let _ = writeln!(out, "### {n}. {} · {}\n", cell(&part.title), part.mode);
    let span = match (part.started_at, part.ended_at) {
        (Some(from), Some(to)) => format!(", {} to {} ({})", time(from), time(to), short(to.since(from))),
        (Some(from), None) => format!(", begun {}", time(from)),
        _ => String::new(),
    };
    let attempts = if part.attempts > 1 { format!(", {} attempts", part.attempts) } else { String::new() };
    let detail = if part.detail.is_empty() { String::new() } else { format!(": {}", cell(&part.detail)) };
    let _ = writeln!(
        out,
        "`{}` {} · {} · **{}**{attempts}{span}{detail}\n",
        part.id, part.kind, part.hazard, part.standing
    );
    guards(out, "", &part.guards);
    for made in &part.calls {
        call(out, made);
    }
}

fn call(out: &mut String, call: &CallPart) {
    let _ = writeln!(out, "- Attempt {}: `{} {} {}`", call.attempt, call.service, call.operation, call.region);
    for param in &call.params {
        let _ = writeln!(out, "  - `{}` = `{}`", param.name, code(&param.value));
    }
    let _ = writeln!(out, "  - intended {} (record {})", time(call.intended.at), call.intended.seq);
    match &call.sent {
        Some(sent) => {
            let _ = writeln!(out, "  - sent {} (record {})", time(sent.at), sent.seq);
        }
        None => out.push_str("  - **nothing was sent**\n"),
    }
    match (&call.outcome, &call.sent) {
        (Some(answer), _) => {
            let id = answer
                .request_id
                .as_ref()
                .map_or_else(|| "without request id".to_owned(), |id| format!("request `{}`", code(id)));
            let text = if answer.text.is_empty() { String::new() } else { format!(": {}", cell(&answer.text)) };
            let _ = writeln!(out, "  - {}, {id}, {} (record {}){text}", answer.result, time(answer.at), answer.seq);
        }
        (None, Some(_)) => out.push_str("  - **no answer is on record**\n"),
        (None, None) => {}
    }
    guards(out, "  ", &call.guards);
}

fn guards(out: &mut String, indent: &str, guards: &[GuardPart]) {
    for guard in guards {
        let word = match guard.holds {
            Holds::Yes => "holds",
            Holds::No => "does not hold",
            Holds::Unknown => "is not known",
        };
        let given = if guard.overridden { ", **overridden**" } else { "" };
        let data = guard.data_at.map_or_else(String::new, |at| format!(", data of {}", time(at)));
        let _ = writeln!(out, "{indent}- guard {word}{given}: {}: {}{data}", cell(&guard.guard), cell(&guard.present));
    }
}

fn chain(out: &mut String, evidence: &Evidence) {
    let chain = &evidence.chain;
    heading(out, "Record", &chain.mode);
    let _ = writeln!(
        out,
        "Each record's SHA-256 covers the record before; the first follows the stored plan, SHA-256 `{}`. The head anchor: {}.\n",
        chain.plan_sha256, chain.anchor
    );
    out.push_str("| record | at | kind | by | words | SHA-256 |\n|---:|---|---|---|---|---|\n");
    for record in &chain.records {
        let (text, by) = (cell(&record.text), cell(&record.by));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {by} | {text} | `{}` |",
            record.seq,
            time(record.at),
            record.kind,
            record.sha256
        );
    }
}

fn time(at: Timestamp) -> String {
    at.rfc3339()
}

/// What others wrote must not become markup: a reason like `| ~~skipped~~` stays text.
fn cell(text: &SafeText) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '|' | '`' | '*' | '_' | '~' | '<' | '>' | '[' | ']' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Inside backticks nothing is markup but a backtick.
fn code(text: &SafeText) -> String {
    text.replace('`', "'")
}
