//! What a frame costs as the estate grows: cells built, compared with the last frame, turned into bytes.
//!
//! The promise: p99 of 1 ms or less at 200x50 with 10,000 rows, and flat from 100 to 100,000. After criterion's own
//! figures the percentiles are printed for each size.

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::Criterion;
use pointsman::{
    clock::SystemClock,
    domain::{AppId, Clock, Mode, Picture},
    keymap::Key,
    tui::{KeyPress, Msg, State, screen::Screen, update},
};

#[path = "../tests/views/fixture/mod.rs"]
mod fixture;

const ROWS: [usize; 3] = [100, 10_000, 100_000];
const FRAMES: usize = 2_000;

/// The fixture's apps over and over, under names of their own.
fn console(rows: usize) -> State {
    let mut estate = fixture::estate();
    let apps = std::mem::take(&mut estate.apps);
    estate.apps = (0..rows)
        .map(|n| {
            let mut app = apps[n % apps.len()].clone();
            app.id = AppId::new(format!("{}-{n}", app.id));
            app.name = format!("{} {n}", app.name).into();
            app
        })
        .collect();
    let mode = Mode::Simulated { speed: 30.0 };
    let small = fixture::estate();
    let template = fixture::picture(&small, mode, fixture::now(), fixture::Outage::None);
    let assessments = (0..rows)
        .map(|n| {
            let mut one = template.assessments[n % small.apps.len()].clone();
            one.app = estate.apps[n].id.clone();
            one
        })
        .collect();
    let picture = Picture { snapshot: Arc::clone(&template.snapshot), judged_at: template.judged_at, assessments };
    let mut state = fixture::console_of(estate, mode, (200, 50));
    update(&mut state, Msg::Picture(Arc::new(picture)));
    state
}

/// One frame in which everything moves: the selection, and with it the window of rows; and the clock.
fn frame(state: &mut State, screen: &mut Screen, n: usize) -> usize {
    let now = fixture::now() + Duration::from_secs(n as u64);
    update(state, Msg::Tick { now, monotonic: Duration::from_millis(n as u64) });
    let key = Key::parse(if n % 40 < 39 { "down" } else { "pageup" }).expect("a key");
    update(state, Msg::Key(KeyPress { key, at: Duration::from_millis(n as u64) }));
    screen.frame(state).expect("bytes go to memory").len()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(60);
    let clock = SystemClock::default();
    for rows in ROWS {
        let mut state = console(rows);
        let mut screen = Screen::default();
        let mut n = 0;
        criterion.bench_function(&format!("frame 200x50, {rows} rows"), |bench| {
            bench.iter(|| {
                n += 1;
                black_box(frame(&mut state, &mut screen, n))
            });
        });
        let mut took: Vec<Duration> = (0..FRAMES)
            .map(|n| {
                let from = clock.monotonic();
                black_box(frame(&mut state, &mut screen, n));
                clock.monotonic().saturating_sub(from)
            })
            .collect();
        took.sort_unstable();
        println!(
            "{rows:>7} rows: p50 {:?}  p99 {:?}  max {:?}",
            took[FRAMES / 2],
            took[FRAMES * 99 / 100],
            took[FRAMES - 1]
        );
    }
    criterion.final_summary();
}
