//! The real program, killed again and again while it moves an app there and back: each effect happens once, the record
//! is whole after every death, and the next start says what was going on.
//!
//! `POINTSMAN_KILLS` raises the number of kills (`.ci/run` asks for hundreds), `POINTSMAN_KILL_SEED` repeats a sequence.
//! The moments are drawn from the seed that is printed: a number of records in the journal, of lines on the screen, or
//! of milliseconds.

#![allow(clippy::disallowed_methods, reason = "a test of a program that runs on the wall")]

mod shell;

use std::time::{Duration, Instant};

use pointsman::{
    engine::{SqliteStore, Store as _},
    runbook::run::{Elsewhere, RunId},
};
use shell::{BACK, OVER, Shell, Talk, Went, text};

const HYDERABAD: &str = "ap-south-2";
const MUMBAI: &str = "ap-south-1";
const SPEED: &str = "60";
/// Where nothing depends on what is under way at a moment: most of a move is waiting for Aurora.
const FAST: &str = "200";

#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So many records more than there were.
    Records(u64),
    Lines(usize),
    Millis(u64),
    /// As often as this run is killed at most: the last one goes through.
    Never,
}

fn drawn(random: &mut fastrand::Rng) -> Moment {
    match random.u8(0..10) {
        0..6 => Moment::Records(random.u64(1..=12)),
        6..9 => Moment::Lines(random.usize(1..=45)),
        _ => Moment::Millis(random.u64(1..=1_500)),
    }
}

/// `None`: it was killed.
fn until(shell: &Shell, talk: &mut Talk, region: &str, moment: Moment) -> Option<i32> {
    let (before, began) = (shell.records(), Instant::now());
    let went = talk.go_on(region, |seen| match moment {
        Moment::Records(more) => shell.records() >= before + more,
        Moment::Lines(lines) => seen.len() >= lines,
        Moment::Millis(millis) => began.elapsed() >= Duration::from_millis(millis),
        Moment::Never => false,
    });
    match went {
        Went::Ended(code) => Some(code),
        Went::Stopped => None,
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

#[test]
fn killed_at_any_moment_each_effect_happens_once_and_the_record_is_whole() {
    let kills_wanted = number("POINTSMAN_KILLS").unwrap_or(24);
    let seed = number("POINTSMAN_KILL_SEED").unwrap_or_else(|| fastrand::u64(0..1_000_000));
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let shell = Shell::start(FAST);
    let (mut kills, mut moves) = (0, 0);
    let mut expected: Vec<&str> = Vec::new();
    while kills < kills_wanted {
        let (runbook, region) = if moves % 2 == 0 { (OVER, HYDERABAD) } else { (BACK, MUMBAI) };
        let mut kills_left = random.u32(2..=6);
        loop {
            let moment = if kills_left == 0 { Moment::Never } else { drawn(&mut random) };
            kills_left = kills_left.saturating_sub(1);
            let open = shell.open_run();
            let mut talk = match open {
                Some(run) => shell.talk(&["resume", &run.to_string()]),
                None => shell.talk(&["run", runbook, "--app", "core"]),
            };
            let ended = until(&shell, &mut talk, region, moment);
            let context = format!("seed {seed}, move {moves}, kill {kills}, {moment:?}");
            if let Some(code) = ended {
                assert_eq!(code, 0, "{context}:\n{}\n{}", talk.seen.join("\n"), talk.errors());
                break;
            }
            talk.kill();
            kills += 1;
            shell.is_whole();
            let known = shell.runs();
            if shell.open_run().is_none() && known > moves {
                break; // its last record was written before it died
            }
        }
        moves += 1;
        assert_eq!((shell.runs(), shell.open_run()), (moves, None), "seed {seed}: a run of its own for each move");
        expected.extend(["SwitchoverGlobalCluster", "ChangeResourceRecordSets"]);
        assert_eq!(shell.effects(), expected, "seed {seed}, move {moves}: each effect once");
        shell.is_whole();
    }
    println!("{kills} kills in {moves} moves, each effect once");
}

/// A run that waits for the chord of its first step.
fn waiting(shell: &Shell) -> Talk {
    let mut talk = shell.talk(&["run", OVER, "--app", "core"]);
    let went = talk.go_on(HYDERABAD, |seen| seen.last().is_some_and(|line| line.starts_with("chord move")));
    assert_eq!(went, Went::Stopped, "{}\n{}", talk.seen.join("\n"), talk.errors());
    talk
}

#[test]
fn of_two_programs_that_resume_one_run_exactly_one_drives_it() {
    let shell = Shell::start(SPEED);
    let first = waiting(&shell);

    let mut second = shell.talk(&["resume", "1"]);
    assert_eq!(second.go_on(HYDERABAD, |_| false), Went::Ended(2), "{}", second.seen.join("\n"));
    let errors = second.errors();
    let who =
        format!("run 1 is driven by another process on this machine, number {}: asha last declared it", first.id());
    assert!(errors.contains(&who), "{who}: {errors}");
    let store = SqliteStore::open_to_read(&shell.journal()).expect("a journal");
    let elsewhere = || store.elsewhere(RunId(1));
    assert_eq!(elsewhere(), Some(Elsewhere { process: Some(first.id()) }), "who looks is told who drives it");
    first.kill();
    assert_eq!(elsewhere(), None, "nobody, once that process is dead");

    let mut both = [shell.talk(&["resume", "1"]), shell.talk(&["resume", "1"])];
    for talk in &mut both {
        talk.wait("who"); // both are up before either is answered
    }
    for talk in &mut both {
        talk.say("asha");
    }
    let ends = std::thread::scope(|scope| {
        let ends = both.each_mut().map(|talk| scope.spawn(|| talk.go_on(HYDERABAD, |_| false)));
        ends.map(|end| end.join().expect("it ends"))
    });
    let mut sorted = ends;
    sorted.sort_by_key(|end| format!("{end:?}"));
    assert_eq!(
        sorted,
        [Went::Ended(0), Went::Ended(2)],
        "{}\n---\n{}",
        both[0].seen.join("\n"),
        both[1].seen.join("\n")
    );
    let loser = usize::from(ends[1] == Went::Ended(2));
    let errors = both[loser].errors();
    assert!(errors.contains("run 1"), "it says which: {errors}");
    assert_eq!(shell.effects(), ["SwitchoverGlobalCluster", "ChangeResourceRecordSets"], "each effect once");
    shell.is_whole();
}

#[test]
fn after_ctrl_c_a_hang_up_or_a_termination_the_next_start_says_what_was_going_on() {
    for signal in ["INT", "HUP", "TERM"] {
        let shell = Shell::start(SPEED);
        let mut talk = waiting(&shell);
        talk.say("go move");
        // Killed with the call out, or just accepted: its outcome is what the next start must look for.
        let records = shell.records();
        assert_eq!(
            talk.go_on(HYDERABAD, |_| shell.records() >= records + 3),
            Went::Stopped,
            "{}",
            talk.seen.join("\n")
        );
        let status = talk.signal(signal);
        assert!(!status.success(), "{signal}: a run that was cut off is no success: {status:?}");

        let listed = text(&shell.ask(&["runs"]).stdout);
        assert!(listed.contains("core-over") && listed.contains('1'), "{signal}: {listed}");
        let mut talk = shell.talk(&["resume", "1"]);
        talk.wait("resuming run 1: what is in doubt is observed, never sent again");
        let told = talk.seen.join("\n");
        // Under way, or in doubt where the end came between the call and its answer and could still be written down.
        let step = told.lines().find(|line| line.contains("1  Move the writer")).map(str::trim_start);
        let named = step.is_some_and(|line| line.starts_with('▶') || line.starts_with('?'));
        assert!(named, "{signal}: the step that was under way is named: {told}");
        assert_eq!(talk.go_on(HYDERABAD, |_| false), Went::Ended(0), "{signal}: {}", talk.seen.join("\n"));
        assert_eq!(shell.effects(), ["SwitchoverGlobalCluster", "ChangeResourceRecordSets"], "{signal}: each once");
        shell.is_whole();
    }
}
