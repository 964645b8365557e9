//! The board: in five seconds, which apps are breached, how much would be lost, is it the app, the Region or my own
//! network.
//!
//! ```text
//! Region pair, side by side
//! apps, worst first
//! the selected app: why; contradictions of policy
//! ```

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Line, put_line, put_table};
use crate::{
    domain::{Fact, Region, Side, Verdict, snapshot::Reach},
    theme::Role,
    tui::{
        state::State,
        tables::Target,
        widgets::paint::{boxed, wrap},
        words,
    },
};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect) {
    let roomy = area.width >= 100 && area.height >= 22;
    let pair = if roomy { 4 } else { 2 };
    draw_pair(buffer, state, Rect { height: pair, ..area }, roomy);
    let most = if area.height >= 30 { 4 } else { 2 };
    let notes = notes(state, area.width.saturating_sub(2), most);
    let below = notes.len().min(most) as u16;
    let table = Rect { y: area.y + pair, height: area.height.saturating_sub(pair + below), ..area };
    let empty = if state.picture.assessments.is_empty() {
        "nothing judged yet: the first answers are on their way"
    } else {
        ""
    };
    put_table(buffer, state, table, empty);
    let foot = Rect { y: table.bottom(), height: below, x: area.x + 1, width: area.width - 1 };
    for (row, note) in notes.iter().take(most).enumerate() {
        put_line(buffer, &state.styles, foot, row as u16, note);
    }
}

fn draw_pair(buffer: &mut Buffer, state: &State, area: Rect, roomy: bool) {
    let half = area.width / 2;
    for (n, side) in Side::BOTH.into_iter().enumerate() {
        let lines = side_lines(state, side);
        if roomy {
            let place = Rect {
                x: area.x + if n == 0 { 0 } else { half },
                width: if n == 0 { half } else { area.width - half },
                ..area
            };
            let inner = boxed(buffer, &state.styles, place, &title(state, side), Role::Border);
            for (row, line) in lines.iter().enumerate() {
                let mut padded: Line = vec![(" ".to_owned(), Role::Text)];
                padded.extend(line.iter().cloned());
                put_line(buffer, &state.styles, inner, row as u16, &padded);
            }
        } else {
            let mut line: Line = vec![(format!(" {}  ", title(state, side)), Role::Title)];
            line.extend(lines.first().cloned().unwrap_or_default());
            put_line(buffer, &state.styles, area, n as u16, &line);
        }
    }
}

fn title(state: &State, side: Side) -> String {
    let region: &Region = state.estate.regions.get(side);
    format!("{} {} · {}", region.name.to_uppercase(), region.id, side.word())
}

fn side_lines(state: &State, side: Side) -> [Line; 2] {
    let mut first = reach(state, side);
    first.push((format!("   writers {}", writers(state, side)), Role::Text));
    let second = match side {
        Side::Primary => served_line(state),
        Side::Recovery => ready_line(state),
    };
    [first, second]
}

/// `● reachable from 3 of 3`
#[must_use]
pub fn reach(state: &State, side: Side) -> Line {
    let region = &state.estate.regions.get(side).id;
    let Some(health) = state.picture.snapshot.regions.get(region) else {
        return vec![("? not tried yet".to_owned(), Role::VerdictUnknown)];
    };
    let tried: Vec<bool> =
        health.vantages.iter().filter_map(|v| v.outcome.as_ref().map(|o| o.result.is_ok())).collect();
    let good = tried.iter().filter(|ok| **ok).count();
    let (glyph, role) = reach_look(health.reach);
    let since = match health.reach {
        Reach::RegionDown | Reach::OwnNetwork | Reach::Partial => {
            format!(" since {}", state.estate.zone.clock(health.since))
        }
        Reach::Reachable | Reach::Unknown => String::new(),
    };
    let seen = if tried.is_empty() { String::new() } else { format!(", {good} of {} answer", tried.len()) };
    vec![(format!("{glyph} {}{seen}{since}", health.reach.words()), role)]
}

#[must_use]
pub const fn reach_look(reach: Reach) -> (&'static str, Role) {
    match reach {
        Reach::Reachable => ("●", Role::VerdictMet),
        Reach::Partial => ("◐", Role::VerdictAtRisk),
        Reach::RegionDown => ("✖", Role::VerdictBreached),
        Reach::OwnNetwork | Reach::Unknown => ("?", Role::VerdictUnknown),
    }
}

/// Databases whose writer was last seen on that side; what is not known is said.
fn writers(state: &State, side: Side) -> String {
    let here = &state.estate.regions.get(side).id;
    let mut clusters = std::collections::BTreeMap::new();
    for (id, slot) in &state.picture.snapshot.facts {
        if let Some(seen) = &slot.last
            && let Fact::Topology(cluster) = &seen.value
        {
            // Both Regions tell of the same cluster: the newest word counts.
            let newest = clusters.entry((&id.app, &id.component)).or_insert((seen.observed_at, cluster));
            if newest.0 < seen.observed_at {
                *newest = (seen.observed_at, cluster);
            }
        }
    }
    if clusters.is_empty() {
        return "?".to_owned();
    }
    clusters.values().filter(|(_, c)| c.writer().is_some_and(|w| w.region == *here)).count().to_string()
}

/// Customers served, over all apps that count them.
fn served_line(state: &State) -> Line {
    let (mut rate, mut good, mut known) = (0.0, 0.0, 0);
    let (mut before, mut against) = (0.0, 0.0);
    for served in state.picture.assessments.iter().map(|a| &a.served) {
        if let (Some(success), Some(per_second)) = (served.success, served.per_second) {
            rate += per_second;
            good += success * per_second;
            known += 1;
            if let Some(share) = served.against_last_week.filter(|share| *share > 0.0) {
                before += per_second / share;
                against += per_second;
            }
        }
    }
    if known == 0 {
        return vec![("customers served: unknown".to_owned(), Role::VerdictUnknown)];
    }
    let share = if rate > 0.0 { Some(good / rate) } else { None };
    let mut said = format!("customers served {}   {}", words::share(share), words::per_second(rate));
    if before > 0.0 {
        said.push_str(&format!("   {:.0} % of last week", against / before * 100.0));
    }
    vec![(said, Role::Text)]
}

/// How many apps could be recovered within their RPO, and the first that could not.
fn ready_line(state: &State) -> Line {
    let judged = &state.picture.assessments;
    let good =
        judged.iter().filter(|a| matches!(a.region_lost.verdict, Verdict::Met { .. } | Verdict::AtRisk { .. })).count();
    if judged.is_empty() {
        return vec![("nothing judged yet".to_owned(), Role::VerdictUnknown)];
    }
    let mut line = vec![(format!("within RPO for {good} of {} apps", judged.len()), Role::Text)];
    let first = state.list.rows.first().and_then(|row| match &row.target {
        Target::App(id) => state.estate.app(id).zip(state.assessment(id)),
        _ => None,
    });
    if let Some((app, assessment)) = first.filter(|(_, a)| !matches!(a.verdict, Verdict::Met { .. })) {
        let said = format!("   first: {} {}", app.name, words::exposure_against_target(&assessment.region_lost));
        line.push((said, words::verdict_role(&assessment.verdict)));
    }
    line
}

/// Under the table: why the selected app stands where it stands, and contradictions of policy.
fn notes(state: &State, columns: u16, most: usize) -> Vec<Line> {
    let mut notes: Vec<Line> = Vec::new();
    let Some(Target::App(id)) = state.selected() else { return notes };
    if let (Some(app), Some(assessment)) = (state.estate.app(id), state.assessment(id)) {
        let why: Vec<&str> = assessment.reasons.iter().map(|reason| reason.as_str()).collect();
        if !matches!(assessment.verdict, Verdict::Met { .. }) || !why.is_empty() {
            let verdict = words::app_verdict(app, assessment, &state.estate.zone);
            let said = std::iter::once(verdict.as_str()).chain(why).collect::<Vec<_>>().join("; ");
            for said in wrap(&format!("{}: {said}", app.name), columns).into_iter().take(3) {
                notes.push(vec![(said, Role::Text)]);
            }
        }
    }
    let warnings = &state.estate.warnings;
    let own: Vec<_> = warnings.iter().filter(|w| w.app.as_ref() == Some(id)).collect();
    if !warnings.is_empty() {
        let mut said = format!("⚠ {} policy warnings", warnings.len());
        if let Some(first) = own.first() {
            said.push_str(&format!("; here: {}", first.text));
            if own.len() > 1 {
                said.push_str(&format!(" (+{})", own.len() - 1));
            }
        }
        // The reason first, cut where the screen is low; the policy under it, and never in the middle of it.
        notes.truncate(most.saturating_sub(1));
        notes.push(vec![(said, Role::Warning)]);
    }
    notes
}
