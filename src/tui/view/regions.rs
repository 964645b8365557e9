//! The Region pair, layer by layer: can it be reached and from where, who am I there, alarms, vaults.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Line, board, line, put_lines, put_title};
use crate::{
    domain::{
        RegionId, Side,
        observation::{At, ProbeError},
        region::GLOBAL_CONTROL_PLANE,
        resource::AlarmState,
        time::short,
    },
    theme::Role,
    tui::{
        state::State,
        widgets::paint::{boxed, wrap},
        words,
    },
};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect) {
    put_title(buffer, state, area, "REGIONS", &vec![("is it the Region, or my own network?".to_owned(), Role::Dim)]);
    let columns = lines(state);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let third = body.width / 3;
    let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
    let room = usize::from(body.height.saturating_sub(2));
    let top = state.place().selected.min(longest.saturating_sub(room));
    for (n, lines) in columns.iter().enumerate() {
        let x = body.x + third * n as u16;
        let width = if n == 2 { body.right() - x } else { third };
        let title = match n {
            0 => region_title(state, Side::Primary),
            1 => region_title(state, Side::Recovery),
            _ => format!("{GLOBAL_CONTROL_PLANE} · global control planes"),
        };
        let inner = boxed(buffer, &state.styles, Rect { x, width, ..body }, &title, Role::Border);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner };
        let mut wrapped: Vec<Line> = Vec::new();
        for one in lines {
            wrapped.extend(fold(one, inner.width));
        }
        put_lines(buffer, &state.styles, inner, &wrapped, top.min(wrapped.len().saturating_sub(room)));
    }
}

/// A line of one piece is broken when it is too long; others are cut.
fn fold(one: &Line, columns: u16) -> Vec<Line> {
    match one.as_slice() {
        [(text, role)] => {
            let parts = wrap(text, columns);
            if parts.is_empty() { vec![Vec::new()] } else { parts.into_iter().map(|part| line(part, *role)).collect() }
        }
        _ => vec![one.clone()],
    }
}

fn region_title(state: &State, side: Side) -> String {
    let region = state.estate.regions.get(side);
    format!("{} {} · {}", region.name.to_uppercase(), region.id, side.word())
}

/// Left: primary; middle: recovery; right: the global control planes.
#[must_use]
pub fn lines(state: &State) -> [Vec<Line>; 3] {
    let global = RegionId::new(GLOBAL_CONTROL_PLANE);
    let regions = [&state.estate.regions.primary.id, &state.estate.regions.recovery.id, &global];
    regions.map(|region| of_region(state, region))
}

fn of_region(state: &State, region: &RegionId) -> Vec<Line> {
    let snapshot = &state.picture.snapshot;
    let now = state.now;
    let mut lines: Vec<Line> = Vec::new();
    match snapshot.regions.get(region) {
        None => lines.push(line("? not tried yet", Role::VerdictUnknown)),
        Some(health) => {
            let (glyph, role) = board::reach_look(health.reach);
            lines.push(line(format!("{glyph} {}", health.reach.words()), role));
            lines.push(line(format!("since {}", state.estate.zone.clock(health.since)), Role::Age));
            if health.cycles_unreachable >= 3 {
                let said = format!("{} cycles without an answer: one question at a time", health.cycles_unreachable);
                lines.push(line(said, Role::Dim));
            }
            lines.push(line("seen from here", Role::Header));
            for vantage in &health.vantages {
                match &vantage.outcome {
                    None => lines.push(line(format!("? {}", vantage.name), Role::VerdictUnknown)),
                    Some(outcome) => match &outcome.result {
                        Ok(took) => lines.push(line(
                            format!(
                                "● {}  {} ms, {} ago",
                                vantage.name,
                                took.as_millis(),
                                short(now.since(outcome.at))
                            ),
                            Role::Ok,
                        )),
                        Err(error) => {
                            let said = format!(
                                "✖ {}  {}, {} ago",
                                vantage.name,
                                error.failure.word(),
                                short(now.since(outcome.at))
                            );
                            lines.push(line(said, Role::Error));
                        }
                    },
                }
            }
        }
    }
    identity(state, region, &mut lines);
    alarms(state, region, &mut lines);
    vaults(state, region, &mut lines);
    failures(state, region, &mut lines);
    lines
}

fn identity(state: &State, region: &RegionId, lines: &mut Vec<Line>) {
    let Some(slot) = state.picture.snapshot.identities.get(region) else { return };
    lines.push(line("who am I", Role::Header));
    match slot.at(state.picture.judged_at) {
        At::Fresh(seen) | At::Stale { last: seen, .. } => {
            let account = &seen.value.account;
            let expected = account.as_str() == state.estate.expects_account.as_str();
            let role = if expected { Role::Text } else { Role::Error };
            let remark = if expected { "" } else { "  NOT the estate's account" };
            lines.push(line(format!("{}{remark}", words::account(account)), role));
            lines.push(line(words::principal(&seen.value.arn), Role::Dim));
            if let Some(skew) = seen.value.skew_seconds {
                let role = if skew.abs() > 30 { Role::Error } else { Role::Dim };
                lines.push(line(format!("own clock {skew:+} s against AWS"), role));
            }
        }
        At::Unknown { cause } => lines.push(failure(cause)),
    }
}

fn alarms(state: &State, region: &RegionId, lines: &mut Vec<Line>) {
    let Some(slot) = state.picture.snapshot.alarms.get(region) else { return };
    lines.push(line("alarms", Role::Header));
    let list = match slot.at(state.picture.judged_at) {
        At::Fresh(seen) => &seen.value,
        At::Stale { last, age, .. } => {
            lines.push(line(format!("read {} ago", short(age)), Role::Stale));
            &last.value
        }
        At::Unknown { cause } => return lines.push(failure(cause)),
    };
    let ringing: Vec<_> = list.iter().filter(|alarm| alarm.state == AlarmState::Alarm).collect();
    for alarm in &ringing {
        let since =
            alarm.since.map_or_else(String::new, |at| format!(" since {}", state.estate.zone.clock_minutes(at)));
        lines.push(line(format!("✖ {}{since}", alarm.name), Role::Error));
    }
    let silent = list.iter().filter(|alarm| alarm.silent).count();
    let quiet = list.len() - ringing.len();
    lines.push(line(format!("{quiet} not ringing, {silent} silent (never tell anybody)"), Role::Dim));
}

fn vaults(state: &State, region: &RegionId, lines: &mut Vec<Line>) {
    let Some(slot) = state.picture.snapshot.vaults.get(region) else { return };
    lines.push(line("vaults", Role::Header));
    match slot.at(state.picture.judged_at) {
        At::Fresh(seen) | At::Stale { last: seen, .. } => {
            for vault in &seen.value {
                let locked = if vault.locked { ", locked" } else { "" };
                let bad = vault.state.as_ref().filter(|s| s.as_str() != "AVAILABLE");
                let (said, role) = bad.map_or_else(
                    || (format!("● {}  {} points{locked}", vault.name, vault.points), Role::Text),
                    |state| (format!("✖ {}  {state}", vault.name), Role::Error),
                );
                lines.push(line(said, role));
            }
        }
        At::Unknown { cause } => lines.push(failure(cause)),
    }
}

/// Every kind of failure that stands in the Region, once each, with what to do.
fn failures(state: &State, region: &RegionId, lines: &mut Vec<Line>) {
    let mut counted: std::collections::BTreeMap<_, (usize, &ProbeError)> = std::collections::BTreeMap::new();
    for error in state.picture.snapshot.failures() {
        if error.region == *region {
            counted.entry(error.failure).or_insert((0, error)).0 += 1;
        }
    }
    if counted.is_empty() {
        return;
    }
    lines.push(line("cannot be read", Role::Header));
    for (kind, (count, error)) in counted {
        lines.push(line(format!("{count} × {}: {} {}", kind.word(), error.call, error.message), Role::Error));
        lines.push(line(format!("→ {}", kind.next_step()), Role::Text));
    }
}

fn failure(cause: Option<&ProbeError>) -> Line {
    let said = cause.map_or_else(|| "not read yet".to_owned(), |c| format!("{}: {}", c.failure.word(), c.message));
    line(format!("? {said}"), Role::VerdictUnknown)
}
