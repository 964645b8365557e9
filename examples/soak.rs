//! Thousands of random estates, faults, people and crashes over the pure engine.
//!
//! `cargo run --release --example soak -- --seeds 5000`, and for one that failed: `-- --seed 4711 --trace`.
//! `--broken NAME` lives a seed with an engine that is broken on purpose. What must hold is in `tests/soak_kit`.

#[path = "../tests/soak_kit/mod.rs"]
mod soak_kit;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Instant,
};

use clap::Parser;
use soak_kit::{Breach, Failure, Tally, Weather, broken::Plant, lived, soak, trace};

#[derive(Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 5_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This one only.
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed: print the record of every run.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Whole estates for each seed, each with a seed of its own made from it.
    #[arg(long, default_value_t = 1)]
    estates: u64,
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// An engine broken on purpose, by its name in `broken.rs`.
    #[arg(long)]
    broken: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(plant) = plant(arguments.broken.as_deref()) else {
        eprintln!("no such broken engine; there are {:?}", Plant::BROKEN);
        return ExitCode::from(2);
    };
    if let Some(seed) = arguments.seed {
        if arguments.trace {
            told(seed, plant);
        }
        return match soak(seed, plant) {
            Ok(tally) => {
                println!("seed {seed}: every law holds: {tally:?}");
                ExitCode::SUCCESS
            }
            Err(failure) => {
                println!("{failure}");
                ExitCode::FAILURE
            }
        };
    }
    many(&arguments, plant)
}

fn plant(name: Option<&str>) -> Option<Plant> {
    let Some(name) = name else { return Some(Plant::Honest) };
    Plant::BROKEN.into_iter().find(|plant| format!("{plant:?}").eq_ignore_ascii_case(name))
}

fn told(seed: u64, plant: Plant) {
    let weathers: &[Weather] = if seed % 4 == 3 { &[Weather::Calm, Weather::Crashes] } else { &[Weather::Storm] };
    for weather in weathers {
        let (soak, _) = lived(seed, plant, *weather);
        for (run, log) in soak.journal.runs.iter().enumerate() {
            println!("{weather:?}, run {}:", run + 1);
            print!("{}", trace(&soak, &Breach { law: "", run, line: log.lines.len(), text: String::new() }));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long the soak took is measured on the wall")]
fn many(arguments: &Arguments, plant: Plant) -> ExitCode {
    let began = Instant::now();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let total = arguments.seeds * arguments.estates;
    let worker = || {
        let mut sum = Tally::default();
        while !stop.load(Ordering::Relaxed) {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= total {
                break;
            }
            // Estates beyond the first have seeds that no other seed's first one has.
            let seed = arguments.from + n / arguments.estates + (n % arguments.estates) * 1_000_000_007;
            match soak(seed, plant) {
                Ok(tally) => sum.add(&tally),
                Err(failure) => {
                    stop.store(true, Ordering::Relaxed);
                    return (sum, Some(failure));
                }
            }
        }
        (sum, None::<Box<Failure>>)
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.threads.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker ends with its result")).collect()
    });
    let mut sum = Tally::default();
    for (tally, _) in &results {
        sum.add(tally);
    }
    for failure in results.iter().filter_map(|(_, failure)| failure.as_ref()) {
        println!("{failure}");
    }
    let took = began.elapsed();
    let Tally { runs, completed, records, calls, drivers } = sum;
    println!(
        "{} estates in {:.1} s: {runs} runs ({completed} completed), {records} records, {calls} calls, {} take-overs",
        next.load(Ordering::Relaxed).min(total),
        took.as_secs_f64(),
        drivers.saturating_sub(runs),
    );
    if results.iter().any(|(_, failure)| failure.is_some()) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
