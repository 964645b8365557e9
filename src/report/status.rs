//! `pointsman status`: every app's verdict, once. The JSON is an interface: its schema is in `docs/status.md`-style
//! text of the README and held by `tests/status_schema.rs`.
//!
//! Durations are seconds (numbers or null), times RFC 3339 in UTC. A figure that is not known is null and has its
//! reason in `reasons`; it is never zero.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Map, Value, json};

use super::facts;
use crate::domain::{
    Assessment, Estate, Exposure, Picture, Side, Verdict,
    compliance::RtoStanding,
    observation::At,
    time::{Timestamp, short, short_up},
};

/// Which apps, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    Markdown,
}

/// The whole status as JSON.
#[must_use]
pub fn json(estate: &Estate, picture: &Picture, order: &[usize]) -> Value {
    let now = picture.judged_at;
    json!({
        "estate": estate.name,
        "mode": picture.snapshot.mode.word(),
        "simulated": picture.snapshot.mode.simulated(),
        "now": now,
        "oldest_data": picture.snapshot.oldest_observed(),
        "endpoint_overrides": picture.snapshot.endpoint_overrides.iter().map(|(name, url)| json!({"variable": name, "url": url})).collect::<Vec<_>>(),
        "regions": Side::BOTH.iter().map(|side| region(estate, picture, *side)).collect::<Vec<_>>(),
        "errors": errors(picture),
        "jobs": facts::jobs(picture),
        "warnings": estate.warnings.iter().map(|w| json!({"code": w.code, "app": w.app, "text": w.text, "place": w.place})).collect::<Vec<_>>(),
        "apps": order.iter().filter_map(|n| picture.assessments.get(*n)).map(|a| app(estate, picture, a)).collect::<Vec<_>>(),
    })
}

fn errors(picture: &Picture) -> Vec<Value> {
    picture
        .snapshot
        .failures()
        .iter()
        .map(|e| json!({"region": e.region, "call": e.call, "failure": e.failure.word(), "message": e.message, "at": e.at, "next": e.failure.next_step()}))
        .fold(Vec::new(), |mut unique, error| {
            // One failed call speaks for every fact it would have given.
            if !unique.contains(&error) {
                unique.push(error);
            }
            unique
        })
}

fn region(estate: &Estate, picture: &Picture, side: Side) -> Value {
    let region = estate.regions.get(side);
    let health = picture.snapshot.regions.get(&region.id);
    let identity = picture.snapshot.identities.get(&region.id).and_then(|slot| match slot.at(picture.judged_at) {
        At::Fresh(seen) | At::Stale { last: seen, .. } => Some(&seen.value),
        At::Unknown { .. } => None,
    });
    json!({
        "id": region.id,
        "name": region.name,
        "role": side.word(),
        "reach": health.map_or("not tried yet", |h| h.reach.words()),
        "since": health.map(|h| h.since),
        "account": identity.map(|i| &i.account),
        "principal": identity.map(|i| &i.arn),
    })
}

fn app(estate: &Estate, picture: &Picture, assessment: &Assessment) -> Value {
    let spec = estate.app(&assessment.app);
    let mut out = Map::new();
    out.insert("id".into(), json!(assessment.app));
    out.insert("name".into(), json!(spec.map(|s| &s.name)));
    out.insert("tier".into(), json!(spec.map(|s| s.tier)));
    out.insert("strategy".into(), json!(spec.map(|s| s.strategy.word())));
    out.insert(
        "rpo".into(),
        json!({
            "target": spec.and_then(|s| s.rpo).map(seconds),
            "region_lost": exposure(&assessment.region_lost),
            "corrupted": exposure(&assessment.corrupted),
            "flags": {
                "design": assessment.flags.design.map(seconds),
                "contract": assessment.flags.contract.map(seconds),
                "late": assessment.flags.late.as_ref().map(|late| json!({"critical": late.critical, "why": late.why})),
            },
            "verdict": assessment.region_lost.verdict.word(),
        }),
    );
    out.insert("rto".into(), rto(&assessment.rto));
    out.insert(
        "served".into(),
        json!({
            "success": assessment.served.success,
            "per_second": assessment.served.per_second,
            "against_last_week": assessment.served.against_last_week,
            "data_time": assessment.served.data_time,
        }),
    );
    out.insert("verdict".into(), json!(assessment.verdict.word()));
    out.insert("pages".into(), json!(assessment.pages));
    out.insert("reasons".into(), json!(assessment.reasons));
    out.insert("components".into(), json!(facts::components(estate, picture, assessment)));
    Value::Object(out)
}

fn exposure(exposure: &Exposure) -> Value {
    json!({
        "exposure": exposure.exposure.map(seconds),
        "at_least": exposure.at_least.map(seconds),
        "at_most": exposure.at_most.map(seconds),
        "component": exposure.component,
        "data_time": exposure.data_time,
        "observed_at": exposure.observed_at,
        "locked": exposure.locked,
        "verdict": exposure.verdict.word(),
        "sampled": matches!(exposure.verdict, Verdict::Met { sampled: true }),
    })
}

fn rto(rto: &RtoStanding) -> Value {
    json!({
        "target": rto.target.map(seconds),
        "estimated": rto.estimated.as_ref().map(|e| seconds(e.total())),
        "estimated_from_declaration": rto.estimated.as_ref().map(|e| seconds(e.from_declaration())),
        "basis": rto.estimated.as_ref().map(|e| &e.basis),
        "proven": rto.proven.as_ref().filter(|p| !p.lapsed).map(|p| seconds(p.achieved)),
        "proven_at": rto.proven.as_ref().map(|p| p.at),
        "proof_lapsed": rto.proven.as_ref().map(|p| p.lapsed),
        "verdict": rto.verdict.word(),
    })
}

/// Seconds with milliseconds, without a trailing `.0` for whole ones.
fn seconds(d: Duration) -> Value {
    if d.subsec_millis() == 0 { json!(d.as_secs()) } else { json!(d.as_millis() as f64 / 1000.0) }
}

/// The verdict in words: `breached by 1 h 02 m`, `met, sampled`, `unknown: not observed by this version`.
#[must_use]
pub fn verdict_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Met { sampled: false } => "met".to_owned(),
        Verdict::Met { sampled: true } => "met, sampled".to_owned(),
        Verdict::AtRisk { why, .. } => format!("at risk: {why}"),
        Verdict::Breached { by } => format!("breached by {}", short_up(*by)),
        Verdict::Unknown { why, .. } => format!("unknown: {why}"),
        Verdict::NoTarget => "no target set".to_owned(),
    }
}

/// The glyph that goes with a verdict; never alone.
#[must_use]
pub const fn verdict_glyph(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Met { .. } => "●",
        Verdict::AtRisk { .. } => "◐",
        Verdict::Breached { .. } => "✖",
        Verdict::Unknown { .. } => "?",
        Verdict::NoTarget => "○",
    }
}

/// `1 h 32 m / 30 m`; `unknown, ≥ 4 m / 30 m`; `0.8 s / 1 s`.
#[must_use]
pub fn exposure_words(exposure: &Exposure) -> String {
    let target = exposure.target.map_or_else(|| "none".to_owned(), short);
    let figure = match (exposure.exposure, exposure.at_least, exposure.at_most) {
        (Some(value), _, _) => short_up(value),
        (None, Some(low), Some(high)) => format!("unknown, {} to {}", short(low), short_up(high)),
        (None, Some(low), None) => format!("unknown, ≥ {}", short(low)),
        (None, None, Some(high)) => format!("unknown, ≤ {}", short_up(high)),
        (None, None, None) => "unknown".to_owned(),
    };
    format!("{figure} / {target}")
}

fn rto_words(rto: &RtoStanding) -> String {
    let target = rto.target.map_or_else(|| "none".to_owned(), short);
    let estimate = rto.estimated.as_ref().map_or_else(|| "unknown".to_owned(), |e| short_up(e.total()));
    format!("{estimate} / {target}")
}

fn proven_words(rto: &RtoStanding, now: Timestamp) -> String {
    match &rto.proven {
        Some(proof) if proof.lapsed => {
            format!("{} lapsed ({} ago)", short_up(proof.achieved), short(now.since(proof.at)))
        }
        Some(proof) => format!("{} ({} ago)", short_up(proof.achieved), short(now.since(proof.at))),
        None => "not proven".to_owned(),
    }
}

fn rows(estate: &Estate, picture: &Picture, order: &[usize]) -> Vec<[String; 6]> {
    order
        .iter()
        .filter_map(|n| picture.assessments.get(*n))
        .map(|a| {
            let app = estate.app(&a.app);
            let why = a.reasons.first().map_or_else(String::new, |r| format!(" · {r}"));
            [
                format!("{} {}", verdict_glyph(&a.verdict), app.map_or(a.app.as_str(), |s| s.name.as_str())),
                app.map_or_else(String::new, |s| s.tier.to_string()),
                exposure_words(&a.region_lost),
                rto_words(&a.rto),
                proven_words(&a.rto, picture.judged_at),
                format!("{}{why}", verdict_words(&a.verdict)),
            ]
        })
        .collect()
}

const HEADER: [&str; 6] = ["APP", "TIER", "REGION LOST: LOSE / TARGET", "RTO EST / TARGET", "RTO PROVEN", "VERDICT"];

/// Aligned columns, one app a line, under a line that says which estate, which mode and how old.
#[must_use]
pub fn table(estate: &Estate, picture: &Picture, order: &[usize]) -> String {
    let rows = rows(estate, picture, order);
    let mut widths = HEADER.map(|h| h.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = headline(estate, picture);
    out.push('\n');
    for row in std::iter::once(HEADER.map(str::to_owned)).chain(rows) {
        let mut line = String::new();
        for (n, (cell, width)) in row.iter().zip(widths).enumerate() {
            let pad = if n + 1 == row.len() { 0 } else { width };
            let _ = write!(line, "{cell:pad$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push_str(&footnotes(picture));
    out
}

/// The same as Markdown, pasteable into a chat or a ticket.
#[must_use]
pub fn markdown(estate: &Estate, picture: &Picture, order: &[usize]) -> String {
    let mut out = format!("**{}**\n\n", headline(estate, picture));
    let _ = writeln!(out, "| {} |", HEADER.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(HEADER.len()));
    for row in rows(estate, picture, order) {
        let _ = writeln!(out, "| {} |", row.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    out.push('\n');
    out.push_str(&footnotes(picture));
    out
}

fn headline(estate: &Estate, picture: &Picture) -> String {
    let oldest = picture.snapshot.oldest_observed().map_or_else(
        || "nothing read yet".to_owned(),
        |at| format!("oldest data {}", short(picture.judged_at.since(at))),
    );
    let regions = Side::BOTH.map(|side| {
        let region = estate.regions.get(side);
        let reach = picture.snapshot.regions.get(&region.id).map_or("not tried yet", |h| h.reach.words());
        format!("{} {} {reach}", region.name, region.id)
    });
    format!(
        "{} │ {} │ {} │ {} │ {}",
        estate.name,
        picture.snapshot.mode.word(),
        oldest,
        regions.join(" │ "),
        estate.zone.banner(picture.judged_at)
    )
}

fn footnotes(picture: &Picture) -> String {
    let mut out = String::new();
    for error in errors(picture) {
        let word = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let _ = writeln!(
            out,
            "! {} in {}: {}: {} → {}",
            word("call"),
            word("region"),
            word("failure"),
            word("message"),
            word("next")
        );
    }
    for (variable, url) in &picture.snapshot.endpoint_overrides {
        let _ = writeln!(out, "! endpoint overridden: {variable} = {url}");
    }
    out
}
