//! The top line of every screen: estate, live or simulated or drill, read-only or armed, age of the oldest data,
//! account and principal, clock. On a narrow screen the mode and the arming stay longest.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    Pen,
    paint::{cut, width},
};
use crate::{
    domain::Mode,
    runbook::bind::Occasion,
    theme::Role,
    tui::{state::State, words},
};

/// How old a picture may be (estate time, at speed 1) before the banner says that it is not renewed.
const PICTURE_BUDGET_SECONDS: f64 = 60.0;
/// From here on the age of the oldest data is shown in steps of 5 s.
const STEPS_FROM: Duration = Duration::from_secs(10);

#[must_use]
pub const fn mode_role(mode: Mode) -> Role {
    match mode {
        Mode::Live => Role::BannerLive,
        Mode::Drill => Role::BannerDrill,
        Mode::Simulated { .. } => Role::BannerSimulated,
    }
}

/// `READ-ONLY`, or what is armed.
#[must_use]
pub fn arming(state: &State) -> (String, Role) {
    let armed: Vec<_> = state.runs.list.iter().filter(|run| run.driven && !run.phase.ended()).collect();
    match armed.as_slice() {
        [] => ("READ-ONLY".to_owned(), Role::ReadOnly),
        [run] => (format!("ARMED run {}", run.id), Role::Armed),
        many => (format!("ARMED {} runs", many.len()), Role::Armed),
    }
}

/// Age of the oldest data, or that there is none; never a fresh look on an old picture.
#[must_use]
pub fn age(state: &State) -> (String, Role) {
    if state.held_back.is_some() {
        let age = state.now.since(state.picture.judged_at);
        return (format!("FROZEN {} ago", words::age(age)), Role::Warning);
    }
    let Some(oldest) = state.summary.oldest else { return ("nothing read yet".to_owned(), Role::VerdictUnknown) };
    let speed = match state.mode() {
        Mode::Simulated { speed } => speed.max(1.0),
        Mode::Live | Mode::Drill => 1.0,
    };
    let picture_age = state.now.since(state.picture.judged_at);
    if picture_age.as_secs_f64() > PICTURE_BUDGET_SECONDS * speed {
        return (format!("NOT RENEWED for {}", words::age(picture_age)), Role::Error);
    }
    // Every fifth second beyond ten: the clock beside it ticks, and an idle screen shall write little. Rounded up:
    // old is never drawn as fresher than it is.
    let age = state.now.since(oldest);
    let shown = if age > STEPS_FROM { Duration::from_secs(age.as_secs().div_ceil(5) * 5) } else { age };
    (format!("oldest data {}", words::age(shown)), Role::Age)
}

/// Warnings that every screen carries under the banner.
#[must_use]
pub fn alerts(state: &State) -> Vec<(String, Role)> {
    let mut alerts = Vec::new();
    if let Some(failure) = &state.runs.store_failure {
        alerts.push((format!("NOTHING CAN ACT: the journal cannot be written: {failure}"), Role::Error));
    }
    let earnest = |run: &&std::sync::Arc<crate::runbook::run::RunState>| {
        !run.phase.ended() && run.plan.mode_word == Mode::Live.word()
    };
    if state.occasion == Occasion::Drill {
        for run in state.runs.list.iter().filter(earnest) {
            let said = format!("run {} of {} is LIVE, not a drill: what it does is real", run.id, run.plan.app_name);
            alerts.push((said, Role::Error));
        }
    }
    let overrides = &state.picture.snapshot.endpoint_overrides;
    if !overrides.is_empty() {
        let named: Vec<String> = overrides.iter().map(|(name, url)| format!("{name}={url}")).collect();
        alerts.push((format!("endpoint override: {}", named.join("  ")), Role::Warning));
    }
    alerts
}

/// Draws the banner and its alerts; returns the rows taken.
pub fn draw(buffer: &mut Buffer, state: &State, area: Rect) -> u16 {
    let styles = &state.styles;
    let mode = state.mode();
    let (armed, armed_role) = arming(state);
    let (age, age_role) = age(state);
    let who = state
        .picture
        .snapshot
        .identities
        .values()
        .find_map(|slot| slot.last.as_ref())
        .map(|o| format!("{} {}", words::account(&o.value.account), words::principal(&o.value.arn)));
    let clock =
        if area.width >= 100 { state.estate.zone.banner(state.now) } else { state.estate.zone.clock(state.now) };
    let help = state
        .keymap
        .keys_of(state.screen().context(), crate::keymap::Command::Help)
        .map_or_else(String::new, |keys| format!(" │ {keys} help"));
    let right = width(&clock) + if area.width >= 100 { width(&help) } else { 0 };

    // Parts in the order shown, with the order in which they are given up: highest first.
    let mode_word = state.mode_word();
    let name = cut(&state.estate.name, 24).into_owned();
    let mut parts: Vec<(u8, String, Role)> = vec![
        (6, "pointsman".to_owned(), Role::Title),
        (4, name, Role::Crumb),
        (0, format!(" {mode_word} "), mode_role(mode)),
        (1, format!(" {armed} "), armed_role),
        (2, age, age_role),
    ];
    let waiting = crate::tui::waiting::all(&state.runs).len();
    if waiting > 0 {
        let context = state.screen().context();
        let keys = state.keymap.keys_of(context, crate::keymap::Command::NextWaiting).unwrap_or_default();
        parts.push((3, format!("◐ {waiting} waiting: {keys}"), Role::Warning));
    }
    if let Some(who) = who {
        parts.push((5, who, Role::Dim));
    }
    let taken =
        |parts: &[(u8, String, Role)]| -> u16 { 1 + parts.iter().map(|(_, text, _)| width(text) + 3).sum::<u16>() };
    let mut clock_shown = true;
    while taken(&parts) + if clock_shown { right } else { 0 } > area.width {
        if clock_shown && parts.iter().all(|(rank, ..)| *rank <= 2) {
            clock_shown = false;
        } else if parts.len() > 1 {
            let worst = parts.iter().map(|(rank, ..)| *rank).max();
            parts.retain(|(rank, ..)| Some(*rank) != worst);
        } else {
            break;
        }
    }
    let mut pen = Pen::new(buffer, styles, area, 0);
    pen.gap(u16::from(parts.len() > 1));
    for (n, (_, text, role)) in parts.iter().enumerate() {
        if n > 0 {
            pen.put(" │ ", Role::Border);
        }
        pen.put(text, *role);
    }
    if clock_shown {
        if area.width >= 100 {
            pen.put_right(&format!("{clock}{help}"), Role::Dim);
        } else {
            pen.put_right(&clock, Role::Dim);
        }
    }
    let mut rows = 1;
    for (text, role) in alerts(state) {
        Pen::new(buffer, styles, area, rows).gap(1).put(&text, role);
        rows += 1;
    }
    rows.min(area.height)
}
