//! The runs of a wave on one screen: who is where, who waits for whom; what they ask is answered here.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Line, counted, put_line, put_table, put_title, run};
use crate::{
    keymap::{Command, Context},
    runbook::run::RunState,
    theme::Role,
    tui::{dialog::undriven_of, state::State, waiting, words},
};

pub fn draw(buffer: &mut Buffer, state: &State, area: Rect, wave: &str) {
    let of = |run: &&std::sync::Arc<RunState>| run.declaration.wave.as_ref().is_some_and(|mark| mark.id == wave);
    let runs: Vec<&RunState> = state.runs.list.iter().filter(of).map(AsRef::as_ref).collect();
    let waiting::Progress { runs: size, through, waits, at_work, .. } = waiting::of_wave(&state.runs, wave);
    let first = runs.first();
    let head = vec![
        (
            first.map_or_else(
                || words::wave(wave),
                |run| format!("{} → {}", words::wave(wave), run.plan.target_name.to_uppercase()),
            ),
            Role::Title,
        ),
        (format!("{through} of {size} through"), Role::Text),
        (format!("{at_work} at work"), Role::StepRunning),
        (format!("{waits} wait for a person"), if waits > 0 { Role::Warning } else { Role::Dim }),
    ];
    put_title(buffer, state, area, "WAVE", &head);
    if let Some(run) = first {
        let since = state.now.since(run.declared_at);
        let mut said: Line = vec![(format!("   {}   ", run.plan.mode_word), run::mode_role_of(&run.plan.mode_word))];
        if let Some(outage) = run.declaration.outage_at {
            said.push((format!("since outage {}   ", run::mmss(state.now.since(outage))), Role::Text));
        }
        said.push((
            format!(
                "since declaration {}   by {}  {}   at most {} at a time",
                run::mmss(since),
                run.declaration.who,
                run.declaration.incident,
                run.declaration.wave.as_ref().map_or(0, |mark| mark.parallel_max)
            ),
            Role::Dim,
        ));
        put_line(buffer, &state.styles, area, 1, &said);
    }
    let undriven = undriven_of(&state.runs, wave).count();
    let asks = state.run_meant().map(|run| run::asking(state, run, Context::WaveRuns, area.width.saturating_sub(4)));
    let mut below: Vec<Line> = asks.unwrap_or_default();
    if undriven > 0 {
        let keys = state.keymap.keys_of(Context::WaveRuns, Command::ResumeWave).unwrap_or_default();
        let said =
            format!("  ▌ NOBODY DRIVES {undriven} of these runs: {keys} resumes all of them with one declaration");
        below.insert(0, vec![(said, Role::StepParked)]);
    }
    let below = counted(below, usize::from(area.height / 3));
    let rows = below.len() as u16;
    let table = Rect { y: area.y + 2, height: area.height.saturating_sub(2 + rows), ..area };
    put_table(buffer, state, table, "this wave has no runs in the journal");
    super::put_lines(buffer, &state.styles, Rect { y: table.bottom(), height: rows, ..area }, &below, 0);
}
