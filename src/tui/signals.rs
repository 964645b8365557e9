//! Signals and hang-up: the console ends in order, and if it cannot, the process ends anyway within a second.
//!
//! Two threads. One waits for signals and puts them on the loop's queue. The other waits for the terminal to hang
//! up: crossterm spins on a dead terminal and never returns (console notes), so the watcher does not rely on it.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::{
    consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH},
    iterator::Signals,
    low_level,
};
use tokio::sync::mpsc::UnboundedSender;

use super::terminal;

/// What a signal asks of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End: SIGTERM, SIGINT, SIGHUP, SIGQUIT.
    Stop(i32),
    /// The process was stopped and goes on.
    Continued,
    /// The terminal has another size. crossterm tells of it too, but only from its first read on.
    Resized,
}

/// Called when nobody sits at the terminal any more: start nothing more, write down what is in flight as Unknown.
/// May be called more than once, from any thread; what it takes longer than [`GRACE`] is not waited for.
pub type Orphaned = Arc<dyn Fn() + Send + Sync>;

/// How long the loop, and then the orphan's last words, may take.
pub const GRACE: Duration = Duration::from_millis(700);

static LOOP_ENDED: AtomicBool = AtomicBool::new(false);
/// Unset until something runs that could have to be written down.
static ORPHANED: OnceLock<Orphaned> = OnceLock::new();

/// From now on there is something to say when nobody sits at the terminal any more.
pub fn when_orphaned(orphaned: Orphaned) {
    let _ = ORPHANED.set(orphaned);
}

/// The loop left in order: the caller's own clean-up is under way.
pub fn loop_ended() {
    LOOP_ENDED.store(true, Ordering::SeqCst);
}

/// Starts both threads. Before the first frame: a signal that comes with it must not find the default action, which
/// would leave the terminal raw.
pub fn watch(queue: UnboundedSender<Signal>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCONT, SIGWINCH])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in &mut signals {
            let harmless = match signal {
                SIGCONT => Some(Signal::Continued),
                SIGWINCH => Some(Signal::Resized),
                _ => None,
            };
            if let Some(harmless) = harmless {
                let _ = queue.send(harmless);
                continue;
            }
            let _ = queue.send(Signal::Stop(signal));
            // The loop may be stuck (a terminal that does not read, a bug): the process still ends.
            let _ = thread::Builder::new().name("signal grace".into()).spawn(move || {
                thread::sleep(GRACE);
                if !LOOP_ENDED.load(Ordering::SeqCst) {
                    end(128 + signal);
                }
            });
        }
    })?;
    thread::Builder::new().name("hang-up".into()).spawn(move || {
        if hung_up() {
            end(128 + SIGHUP);
        }
    })?;
    Ok(())
}

/// Blocks until the terminal is gone; false when that cannot be watched.
fn hung_up() -> bool {
    let Some(tty) = terminal::descriptor() else { return false };
    loop {
        // No event is asked for: POLLHUP and POLLERR are reported all the same.
        let mut watched = [PollFd::new(tty, PollFlags::empty())];
        match poll(&mut watched, None) {
            Ok(_) => {
                let seen = watched[0].revents();
                if seen.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
                    return true;
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// Last words, at most [`GRACE`] long, then out without running anything else.
fn end(status: i32) -> ! {
    if let Some(last_words) = ORPHANED.get() {
        let (said, heard) = mpsc::channel();
        let last_words = Arc::clone(last_words);
        let speaker = thread::Builder::new().name("orphaned".into()).spawn(move || {
            last_words();
            let _ = said.send(());
        });
        if speaker.is_ok() {
            let _ = heard.recv_timeout(GRACE);
        }
    }
    terminal::restore();
    low_level::exit(status)
}
