//! `pointsman status`: every app's verdict, once. The JSON is an interface: its schema is
//! `status.schema.json` beside this file, held by `tests/status_schema.rs`.
//!
//! Durations are seconds (numbers or null), times RFC 3339 in UTC. A figure that is not known is null and has its
//! reason in `reasons`; it is never zero.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::facts;
use crate::domain::{
    App, Assessment, Estate, Exposure, Picture, ProbeError, ProbeFailure, RegionId, SafeText, Side, Verdict,
    compliance::{NO_RPO, NOT_MANDATORY, RtoStanding},
    observation::At,
    snapshot::Reach,
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
        "reach": reach_words(picture, &region.id),
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

/// The verdict and why, said once: `breached by 35 m, by design, worst 1 h 37 m`, `unknown: not observed by this
/// version`, `met, sampled · RTO missed by 8 m 05 s`. The component whose name stands beside the exposure is not named
/// again; what takes nothing from the verdict is left to the app's own screen.
#[must_use]
pub fn verdict_line(assessment: &Assessment) -> String {
    let words = match &assessment.verdict {
        Verdict::NoTarget => NO_RPO.to_owned(),
        verdict => verdict_words(verdict),
    };
    let counted = |reason: &&SafeText| !reason.ends_with(NOT_MANDATORY);
    let Some(reason) = assessment.reasons.iter().find(counted).map(SafeText::as_str) else { return words };
    let of = assessment.region_lost.component.as_ref();
    let said = of.and_then(|id| reason.strip_prefix(id.as_str())?.strip_prefix(": ")).unwrap_or(reason);
    let (label, cause) = match &assessment.verdict {
        Verdict::AtRisk { why, .. } => ("at risk: ", why.to_string()),
        Verdict::Unknown { why, .. } => ("unknown: ", why.to_string()),
        Verdict::Breached { by } if !said.starts_with("breached") => ("breached: ", short_up(*by)),
        Verdict::Breached { .. } | Verdict::NoTarget => ("", words.clone()),
        Verdict::Met { .. } => return format!("{words} · {reason}"),
    };
    match () {
        () if said.contains(&cause) => format!("{label}{said}"),
        () if reason.contains(&cause) => format!("{label}{reason}"),
        () => format!("{words} · {reason}"),
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

/// `13:28 (1 h 05 m)`: the moment one would be back at.
fn back_to(exposure: &Exposure, estate: &Estate, now: Timestamp) -> String {
    let (Some(age), Some(at)) = (exposure.exposure, exposure.data_time) else { return "unknown".to_owned() };
    let clock = if now.since(at) < DAY { estate.zone.clock_minutes(at) } else { estate.zone.day_clock(at) };
    format!("{clock} ({})", short_up(age))
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

/// Share of customers' requests that were answered, rounded down; `-` where nothing says.
fn served_words(app: Option<&App>, assessment: &Assessment) -> String {
    match (app.and_then(|app| app.served.as_ref()), assessment.served.success) {
        (None, _) => "-".to_owned(),
        (Some(_), None) => "unknown".to_owned(),
        (Some(_), Some(share)) => format!("{:.1} %", (share * 1000.0).floor() / 10.0),
    }
}

fn rows(estate: &Estate, picture: &Picture, order: &[usize]) -> Vec<[String; COLUMNS]> {
    order
        .iter()
        .filter_map(|n| picture.assessments.get(*n))
        .map(|a| {
            let app = estate.app(&a.app);
            [
                format!("{} {}", verdict_glyph(&a.verdict), app.map_or(a.app.as_str(), |s| s.name.as_str())),
                app.map_or_else(String::new, |s| s.tier.to_string()),
                served_words(app, a),
                exposure_words(&a.region_lost),
                a.region_lost.component.as_ref().map_or_else(String::new, ToString::to_string),
                back_to(&a.corrupted, estate, picture.judged_at),
                rto_words(&a.rto),
                proven_words(&a.rto, picture.judged_at),
                verdict_line(a),
            ]
        })
        .collect()
}

const DAY: Duration = Duration::from_hours(24);
const COLUMNS: usize = 9;
const HEADER: [&str; COLUMNS] = [
    "APP",
    "TIER",
    "SERVED",
    "REGION LOST: LOSE / TARGET",
    "WORST IN",
    "CORRUPTED: BACK TO",
    "RTO EST / TARGET",
    "RTO PROVEN",
    "VERDICT",
];

/// Aligned columns, one app a line, under a line that says which estate, which mode and how old.
#[must_use]
pub fn table(estate: &Estate, picture: &Picture, order: &[usize]) -> String {
    let rows = rows(estate, picture, order);
    let mut widths = HEADER.map(UnicodeWidthStr::width);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut out = headline(estate, picture);
    out.push('\n');
    for row in std::iter::once(HEADER.map(str::to_owned)).chain(rows) {
        let mut line = String::new();
        for (n, (cell, width)) in row.iter().zip(widths).enumerate() {
            let pad = if n + 1 == row.len() { 0 } else { width - cell.width() };
            let _ = write!(line, "{cell}{:pad$}  ", "");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push_str(&footnotes(estate, picture));
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
    out.push_str(&footnotes(estate, picture));
    out
}

fn headline(estate: &Estate, picture: &Picture) -> String {
    let oldest = picture.snapshot.oldest_observed().map_or_else(
        || "nothing read yet".to_owned(),
        |at| format!("oldest data {}", short(picture.judged_at.since(at))),
    );
    let regions = Side::BOTH.map(|side| {
        let region = estate.regions.get(side);
        let health = picture.snapshot.regions.get(&region.id);
        let since = health.filter(|h| !matches!(h.reach, Reach::Unknown | Reach::Reachable));
        let since = since.map(|h| format!(", seen since {}", estate.zone.clock(h.since))).unwrap_or_default();
        format!("{} {} {}{since}", region.name, region.id, reach_words(picture, &region.id))
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

/// One line for each Region and cause: a Region that is down fails every call in the same words.
fn footnotes(estate: &Estate, picture: &Picture) -> String {
    let mut groups: BTreeMap<(&RegionId, ProbeFailure), Vec<&ProbeError>> = BTreeMap::new();
    for error in picture.snapshot.failures() {
        let group = groups.entry((&error.region, error.failure)).or_default();
        if !group.iter().any(|known| known.call == error.call) {
            group.push(error);
        }
    }
    let mut out = String::new();
    for ((region, failure), errors) in groups {
        let mut calls: Vec<&str> = errors.iter().take(CALLS_NAMED).map(|error| error.call.as_str()).collect();
        let more = errors.len().saturating_sub(CALLS_NAMED);
        let rest = format!("{more} more");
        if more > 0 {
            calls.push(&rest);
        }
        let city = estate.regions.name_of(region);
        let place = if city.as_str() == region.as_str() { city.to_string() } else { format!("{city} {region}") };
        let message = &errors[0].message;
        let next = next_step(picture, region, failure);
        let _ = writeln!(out, "! {place}: {}: {message} ({}) → {next}", failure.word(), calls.join(", "));
    }
    for (variable, url) in &picture.snapshot.endpoint_overrides {
        let _ = writeln!(out, "! endpoint overridden: {variable} = {url}");
    }
    out
}

/// Calls named in one line of trouble.
const CALLS_NAMED: usize = 3;

/// What to do about it, where the Regions together say more than the failure alone.
fn next_step(picture: &Picture, region: &RegionId, failure: ProbeFailure) -> &'static str {
    match (failure, picture.snapshot.regions.get(region).map(|health| health.reach)) {
        (ProbeFailure::Unreachable | ProbeFailure::ServerError, Some(Reach::RegionDown)) => {
            "it is the Region: others answer"
        }
        (ProbeFailure::Unreachable | ProbeFailure::ServerError, Some(Reach::OwnNetwork)) => {
            "nothing answers anywhere: look at your own network first"
        }
        _ => failure.next_step(),
    }
}

/// How the Region is reached; when no call got that far, why.
fn reach_words(picture: &Picture, region: &RegionId) -> &'static str {
    let health = picture.snapshot.regions.get(region);
    let reach = health.map_or(Reach::Unknown, |health| health.reach);
    let refused = picture.snapshot.identities.get(region).and_then(|slot| slot.failure.as_ref());
    // One service that gives no answer does not make the Region dark, and is no Region that nobody tried.
    let mut looks = health.into_iter().flat_map(|health| &health.vantages).filter(|vantage| vantage.region == *region);
    let silent = looks.find_map(|vantage| vantage.outcome.as_ref()?.result.as_ref().err());
    match (reach, refused.or(silent)) {
        (Reach::Unknown, Some(error)) => error.failure.word(),
        _ => reach.words(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        AppId, ComponentId, Mode, ProbeError, Snapshot,
        compliance::{BackupFlags, ServedStanding},
        snapshot::{RegionHealth, Vantage, VantageOutcome},
    };

    fn assessment(verdict: Verdict, reasons: &[&str]) -> Assessment {
        let mut region_lost = Exposure::unknown(None, "".into());
        region_lost.component = Some(ComponentId::new("vendor-db"));
        Assessment {
            app: AppId::new("vendor"),
            corrupted: region_lost.clone(),
            region_lost,
            flags: BackupFlags::default(),
            rto: RtoStanding { target: None, estimated: None, proven: None, verdict: Verdict::NoTarget },
            served: ServedStanding { success: None, per_second: None, against_last_week: None, data_time: None },
            components: Vec::new(),
            verdict,
            reasons: reasons.iter().map(|reason| SafeText::from(*reason)).collect(),
            pages: false,
            decide: None,
        }
    }

    #[test]
    fn a_region_whose_first_service_gave_no_answer_is_not_called_untried() {
        let (mumbai, at) = (RegionId::new("ap-south-1"), Timestamp::default());
        let seen = |outcomes: Vec<VantageOutcome>| {
            let vantage = |outcome| Vantage { name: "rds".into(), region: mumbai.clone(), outcome: Some(outcome) };
            let vantages = outcomes.into_iter().map(vantage).collect();
            let health = RegionHealth { reach: Reach::Unknown, vantages, since: at, cycles_unreachable: 1 };
            let mut snapshot = Snapshot::empty(Mode::Live, at);
            snapshot.regions.insert(mumbai.clone(), health);
            Picture { snapshot: snapshot.into(), judged_at: at, assessments: Vec::new() }
        };
        let error = ProbeError {
            failure: ProbeFailure::Unreachable,
            region: mumbai.clone(),
            call: "rds DescribeDBClusters".into(),
            message: "no answer in time".into(),
            at,
        };
        let silent = seen(vec![VantageOutcome { at, result: Err(error) }]);
        assert_eq!(reach_words(&silent, &mumbai), ProbeFailure::Unreachable.word());
        assert_eq!(reach_words(&seen(Vec::new()), &mumbai), "not tried yet");
    }

    #[test]
    fn a_verdict_and_its_reason_are_said_once() {
        let by = Duration::from_secs(2_045);
        let at_risk = |why: &str| Verdict::AtRisk { why: why.into(), when: None };
        let unknown = |why: &str| Verdict::Unknown { why: why.into(), at_least: None, at_most: None };
        let met = Verdict::Met { sampled: true };
        let rows = [
            (Verdict::Breached { by }, "vendor-db: breached by 35 m, by design", "breached by 35 m, by design"),
            (Verdict::Breached { by }, "files: breached by 9 m", "breached by 35 m · files: breached by 9 m"),
            (
                Verdict::Breached { by },
                "outage: the RTO is missed by 35 m",
                "breached: outage: the RTO is missed by 35 m",
            ),
            (at_risk("by design"), "vendor-db: by design, until 15:00", "at risk: by design, until 15:00"),
            (at_risk("alb: 5xx"), "alb: 5xx", "at risk: alb: 5xx"),
            (at_risk("frozen"), "Mumbai is down", "at risk: frozen · Mumbai is down"),
            (unknown("not read"), "vendor-db, files: not read", "unknown: vendor-db, files: not read"),
            (Verdict::NoTarget, NO_RPO, "no RPO is set"),
            (met.clone(), "RTO missed by 8 m", "met, sampled · RTO missed by 8 m"),
            (met, "asg: not observed (not mandatory)", "met, sampled"),
        ];
        for (verdict, reason, line) in rows {
            assert_eq!(verdict_line(&assessment(verdict, &[reason])), line);
        }
    }
}
