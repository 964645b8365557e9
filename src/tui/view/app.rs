//! One app: what would be lost and until when one can wait, exposure over time, components on both sides.

use std::fmt::Write as _;

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Line, put_line, put_table};
use crate::{
    domain::{
        AppId, Fact, Timestamp, What,
        app::App,
        compliance::{Assessment, DecideCard},
        time::{short, short_up},
    },
    theme::Role,
    tui::{
        state::State,
        widgets::{
            Pen,
            chart::{self, Trace},
            paint::{boxed, width, wrap},
        },
        words,
    },
};

/// How far back the chart looks.
const CHART_SPAN: Duration = Duration::from_hours(6);
/// Columns for the figures left of a chart.
const SCALE: u16 = 9;
/// Values of a chart before it is narrowed to the screen.
const CHART_VALUES: usize = 360;

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect, id: &AppId) {
    let Some(app) = state.estate.app(id) else {
        Pen::new(buffer, &state.styles, area, 0).gap(1).put("this app is not in the estate any more", Role::Error);
        return;
    };
    let assessment = state.assessment(id);
    head(buffer, state, area, app, assessment);
    let wide = area.width >= 100;
    let tall = area.height >= 26;
    let cards = if area.height < 16 {
        0
    } else if tall {
        9
    } else {
        7
    };
    let place = Rect { y: area.y + 1, height: cards, ..area };
    if wide {
        let half = area.width / 2;
        draw_chart(buffer, state, Rect { width: half, ..place }, app, assessment);
        draw_card(buffer, state, Rect { x: area.x + half, width: area.width - half, ..place }, app, assessment);
    } else {
        draw_card(buffer, state, place, app, assessment);
    }
    let notes = notes(state, app, area.width.saturating_sub(2));
    let below = (notes.len() as u16).min(if tall { 4 } else { 1 });
    let table = Rect { y: area.y + 1 + cards, height: area.height.saturating_sub(1 + cards + below), ..area };
    put_table(buffer, state, table, "this app has no component in the estate file");
    let foot = Rect { x: area.x + 1, width: area.width - 1, y: table.bottom(), height: below };
    super::put_lines(buffer, &state.styles, foot, &notes, 0);
}

fn head(buffer: &mut Buffer, state: &State, area: Rect, app: &App, assessment: Option<&Assessment>) {
    let mut pen = Pen::new(buffer, &state.styles, area, 0);
    pen.gap(1).put(&app.name, Role::Title);
    let (said, role) = assessment.map_or_else(
        || ("? not judged yet".to_owned(), Role::VerdictUnknown),
        |a| {
            let said = format!("{} {}", words::glyph(&a.verdict), words::app_verdict(app, a, &state.estate.zone));
            (said, words::verdict_role(&a.verdict))
        },
    );
    let mut about = format!(" · {} · tier {} · {}", app.strategy.word(), app.tier, app.criticality);
    if let Some(a) = assessment {
        let _ = write!(about, " · {}", words::served(&a.served));
    }
    // The verdict stays when there is no room for both.
    let room = pen.left().saturating_sub(width(&said) + 3);
    if width(&about) <= room {
        pen.put(&about, Role::Dim);
        pen.gap(2).put_right(&format!("{said} "), role);
    } else {
        pen.put(&format!(" · tier {}", app.tier), Role::Dim).gap(2).put(&said, role);
    }
}

fn draw_card(buffer: &mut Buffer, state: &State, area: Rect, app: &App, assessment: Option<&Assessment>) {
    let inner = boxed(buffer, &state.styles, area, "decide", Role::Border);
    let room = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner };
    let lines = assessment.map_or_else(Vec::new, |a| card(state, app, a, room.width));
    super::put_lines(buffer, &state.styles, room, &lines, 0);
}

/// The two questions, the RTO, then what deciding now means.
fn card(state: &State, app: &App, a: &Assessment, columns: u16) -> Vec<Line> {
    let zone = &state.estate.zone;
    let primary = &state.estate.regions.primary.name;
    let seen = a.region_lost.observed_at.map_or_else(
        || "never seen".to_owned(),
        |at| format!("seen {} ago", words::age(state.picture.judged_at.since(at))),
    );
    let at_most = match (&a.region_lost.exposure, a.region_lost.at_most) {
        (Some(figure), Some(at_most)) if at_most > *figure => format!("; at most {}", short_up(at_most)),
        _ => String::new(),
    };
    let label = |text: &str| (format!("{text:<13} "), Role::Dim);
    let mut lines: Vec<Line> = vec![
        vec![
            label(&format!("{primary} lost")),
            (
                format!("lose {}", words::exposure_against_target(&a.region_lost)),
                words::verdict_role(&a.region_lost.verdict),
            ),
            (format!("  ({seen}{at_most})"), Role::Age),
        ],
        vec![
            label("corrupted"),
            (
                format!("back to {}", words::back_to(&a.corrupted, state.picture.judged_at, zone)),
                words::verdict_role(&a.corrupted.verdict),
            ),
            (locked(a.corrupted.locked).to_owned(), Role::Dim),
        ],
        vec![
            label("RTO"),
            (words::rto(&a.rto), words::verdict_role(&a.rto.verdict)),
            (format!("  {}", words::rto_basis(&a.rto, state.picture.judged_at)), Role::Dim),
        ],
    ];
    match &a.decide {
        Some(decide) => {
            let mut said: Vec<String> = decide.lines.iter().map(ToString::to_string).collect();
            if said.is_empty() {
                said.push(decide_words(state, decide));
            }
            for text in said {
                for part in wrap(&text, columns) {
                    lines.push(vec![(part, Role::Text)]);
                }
            }
        }
        None if a.reasons.is_empty() => lines.push(vec![("nothing urgent".to_owned(), Role::Dim)]),
        None => {
            for reason in &a.reasons {
                for part in wrap(reason, columns) {
                    lines.push(vec![(part, Role::Text)]);
                }
            }
        }
    }
    let _ = app;
    lines
}

const fn locked(locked: Option<bool>) -> &'static str {
    match locked {
        Some(true) => "  locked against deletion",
        Some(false) => "  not locked",
        None => "",
    }
}

/// `declare now: lose at most 91 s (02:55:59-02:57:30), back 03:14; last moment 03:02`
fn decide_words(state: &State, card: &DecideCard) -> String {
    let zone = &state.estate.zone;
    let mut said = "declare now: ".to_owned();
    said.push_str(
        &card
            .loss_at_most
            .map_or_else(|| "loss not bounded".to_owned(), |loss| format!("lose at most {}", short_up(loss))),
    );
    if let (Some(from), Some(to)) = (card.loss_from, card.loss_to) {
        let _ = write!(said, " ({}-{})", zone.clock(from), zone.clock(to));
    }
    if let Some(back) = card.back_at {
        let _ = write!(said, ", back {}", zone.clock_minutes(back));
    }
    if let Some(last) = card.last_moment {
        let _ = write!(said, "; last moment {}", zone.clock_minutes(last));
    }
    said
}

fn draw_chart(buffer: &mut Buffer, state: &State, area: Rect, app: &App, assessment: Option<&Assessment>) {
    let title = format!("region-lost exposure, last {}", short(CHART_SPAN));
    let inner = boxed(buffer, &state.styles, area, &title, Role::Border);
    let Some(assessment) = assessment else { return };
    let trace = trace(state, app, assessment);
    if trace.values.iter().flatten().next().is_none() {
        Pen::new(buffer, &state.styles, inner, 0).gap(1).put("no reading yet", Role::Dim);
        return;
    }
    if inner.width <= SCALE + 4 || inner.height == 0 {
        return;
    }
    let mut label = |row: u16, text: &str, role: Role| {
        put_line(buffer, &state.styles, inner, row, &vec![(format!("{text:>8}"), role)]);
    };
    label(0, &short(Duration::from_secs_f64(trace.top())), Role::Dim);
    label(inner.height - 1, "0 s", Role::Dim);
    if let (Some(row), Some(target)) = (chart::target_row(&trace, inner.height), trace.target) {
        label(row, &short(Duration::from_secs_f64(target)), Role::TargetLine);
    }
    chart::draw(buffer, &state.styles, Rect { x: inner.x + SCALE, width: inner.width - SCALE, ..inner }, &trace);
}

/// Exposure over the chart's span: from recovery points a saw-tooth, from a lag its samples, before those what this
/// console remembers.
#[must_use]
pub fn trace(state: &State, app: &App, assessment: &Assessment) -> Trace {
    let now = state.picture.judged_at;
    let step = CHART_SPAN.as_secs_f64() / CHART_VALUES as f64;
    let at = |n: usize| now - Duration::from_secs_f64(step * (CHART_VALUES - 1 - n) as f64);
    let bucket = |t: Timestamp| {
        let back = now.since(t).as_secs_f64() / step;
        (t <= now && back < CHART_VALUES as f64).then(|| CHART_VALUES - 1 - back as usize)
    };
    let mut values: Vec<Option<f64>> = vec![None; CHART_VALUES];
    if let Some(history) = state.history.get(&app.id) {
        for (t, seconds) in &history.points {
            if let Some(n) = bucket(*t) {
                values[n] = Some(*seconds);
            }
        }
    }
    let fact = assessment
        .region_lost
        .component
        .as_ref()
        .and_then(|id| app.component(id))
        .and_then(|component| {
            let (side, what) = component.region_lost?;
            debug_assert!(what != What::ServedGood);
            state.picture.snapshot.fact(&app.id, &component.id, &state.estate.regions.get(side).id, what)
        })
        .and_then(|slot| slot.last.as_ref());
    match fact.map(|seen| (&seen.value, seen.observed_at)) {
        Some((Fact::Lag(series), _)) => {
            for point in series.points.iter().filter(|p| p.value >= 0.0) {
                if let Some(n) = bucket(point.at) {
                    values[n] = Some(point.value);
                }
            }
        }
        Some((Fact::RecoveryPoints(set), observed_at)) => {
            let mut points: Vec<(Timestamp, Timestamp)> = set
                .points
                .iter()
                .filter(|p| p.status.restorable())
                .map(|p| (p.completed.unwrap_or(p.created), p.created))
                .collect();
            points.sort_unstable();
            let (mut newest, mut next) = (None::<Timestamp>, 0);
            for (n, value) in values.iter_mut().enumerate() {
                let t = at(n);
                while next < points.len() && points[next].0 <= t {
                    newest = newest.max(Some(points[next].1));
                    next += 1;
                }
                if t <= observed_at + Duration::from_mins(1) {
                    *value = newest.map(|created| t.since(created).as_secs_f64());
                }
            }
        }
        _ => {}
    }
    Trace { values, target: assessment.region_lost.target.map(|t| t.as_secs_f64()) }
}

fn notes(state: &State, app: &App, columns: u16) -> Vec<Line> {
    let zone = &state.estate.zone;
    let mut notes: Vec<Line> = Vec::new();
    for warning in state.estate.warnings.iter().filter(|w| w.app.as_ref() == Some(&app.id)) {
        for part in wrap(&format!("⚠ {} ({})", warning.text, warning.place), columns) {
            notes.push(vec![(part, Role::Warning)]);
        }
    }
    if let Some(accepted) = &app.accepted {
        let said = format!("accepted by {} until {}: {}", accepted.owner, zone.day(accepted.until), accepted.reason);
        notes.push(vec![(said, Role::Dim)]);
    }
    if let Some(drill) = app.drills.last() {
        let mut said = format!("last drill: {} {}", drill.name, zone.day(drill.at));
        if let Some(rto) = drill.rto_achieved {
            let _ = write!(said, ", back in {}", short(rto));
        }
        if drill.findings_open > 0 {
            let _ = write!(said, ", {} findings open", drill.findings_open);
        }
        if let Some(due) = drill.next_due {
            let _ = write!(said, " · next due {}", zone.day(due));
        }
        notes.push(vec![(said, Role::Dim)]);
    }
    if let Some(note) = &app.note {
        for part in wrap(note, columns) {
            notes.push(vec![(part, Role::Dim)]);
        }
    }
    notes
}
