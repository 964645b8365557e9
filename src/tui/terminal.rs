//! How the terminal survives: one restore routine of our own, called from the guard, the panic hook, the signal
//! path and the hang-up watcher.
//!
//! `ratatui::restore` undoes raw mode and the alternate screen only, and the second is skipped if the first fails
//! (console notes). Ours puts back the saved termios and writes fixed bytes; every error is ignored, because there
//! is nobody left to tell. No OSC 11 query is sent: its answer comes late over SSH.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::ThreadId,
};

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

/// Alternate screen, cursor off, bracketed paste on.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[?25l\x1b[?2004h";

/// Synchronized output off, kitty flags popped, mouse, focus and paste reporting off, attributes off, alternate
/// screen off, cursor on.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[<u\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\
\x1b[0m\x1b[?1049l\x1b[?25h";

struct Saved {
    tty: OwnedFd,
    termios: Termios,
}

static SAVED: OnceLock<Saved> = OnceLock::new();
static ACTIVE: AtomicBool = AtomicBool::new(false);
static CONSOLE_THREAD: OnceLock<ThreadId> = OnceLock::new();
/// What threads behind the console said when they panicked; shown as a notice.
static BACKGROUND_PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// While it lives, the terminal is ours.
#[derive(Debug)]
pub struct Session(());

impl Session {
    /// Takes the terminal. Standard output must be one.
    pub fn enter() -> io::Result<Self> {
        if !isatty(rustix::stdio::stdout()) {
            return Err(io::Error::other("standard output is not a terminal: `pointsman status` prints without one"));
        }
        let saved = if let Some(saved) = SAVED.get() {
            saved
        } else {
            let tty = tty()?;
            let termios = tcgetattr(&tty)?;
            SAVED.get_or_init(|| Saved { tty, termios })
        };
        let _ = CONSOLE_THREAD.set(std::thread::current().id());
        install_panic_hook();
        take(saved)?;
        Ok(Self(()))
    }

    /// After a suspend.
    pub fn enter_again(&self) -> io::Result<()> {
        SAVED.get().map_or(Ok(()), take)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        restore();
    }
}

fn take(saved: &Saved) -> io::Result<()> {
    let mut raw = saved.termios.clone();
    raw.make_raw();
    tcsetattr(&saved.tty, OptionalActions::Now, &raw)?;
    ACTIVE.store(true, Ordering::SeqCst);
    write_all(ENTER)
}

/// The terminal that keys come from: standard input, or the controlling one.
fn tty() -> io::Result<OwnedFd> {
    let stdin = rustix::stdio::stdin();
    if isatty(stdin) {
        return Ok(rustix::io::dup(stdin)?);
    }
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    Ok(rustix::fs::open("/dev/tty", flags, rustix::fs::Mode::empty())?)
}

/// A descriptor of the terminal, for the hang-up watcher.
#[must_use]
pub fn descriptor() -> Option<&'static OwnedFd> {
    SAVED.get().map(|saved| &saved.tty)
}

/// Gives the terminal back. May be called from anywhere, any number of times; only the first call after
/// [`Session::enter`] does something.
pub fn restore() {
    if !ACTIVE.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = write_all(LEAVE);
    if let Some(saved) = SAVED.get() {
        let _ = tcsetattr(&saved.tty, OptionalActions::Now, &saved.termios);
    }
}

/// All bytes to standard output, past Rust's own buffer and lock: a panic may hold that.
pub fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    use rustix::io::Errno;
    let out = rustix::stdio::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(out, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut ready = [rustix::event::PollFd::new(&out, rustix::event::PollFlags::OUT)];
                rustix::event::poll(&mut ready, None)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// A panic of the console's own thread gives the terminal back before anything is printed. One of another thread
/// must not print over the screen: it is kept for a notice, and that thread's part of the picture goes stale.
fn install_panic_hook() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let own = CONSOLE_THREAD.get() == Some(&std::thread::current().id());
            if own || !ACTIVE.load(Ordering::SeqCst) {
                restore();
                before(info);
                return;
            }
            tracing::error!(panic = %info, "a part of the program failed behind the console");
            if let Ok(mut said) = BACKGROUND_PANICS.lock() {
                said.push(info.to_string());
            }
        }));
    });
}

/// What panicked behind the console since it was asked last.
#[must_use]
pub fn background_panics() -> Vec<String> {
    BACKGROUND_PANICS.lock().map(|mut said| std::mem::take(&mut *said)).unwrap_or_default()
}

/// Columns and rows; 80x24 when the terminal does not say.
#[must_use]
pub fn size() -> (u16, u16) {
    let asked = rustix::termios::tcgetwinsize(rustix::stdio::stdout().as_fd());
    match asked {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}
