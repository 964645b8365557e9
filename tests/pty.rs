//! The console in a real pseudo-terminal: it starts, answers keys, survives resizing and suspending, and whatever
//! ends it, the terminal is as it was before.
//!
//! No sleeps: every wait is for something to be seen, with a bound.

#![cfg(unix)]

use std::{
    io::{Read, Write},
    sync::{Arc, Condvar, Mutex, mpsc},
    thread,
    time::Duration,
};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

const BIN: &str = env!("CARGO_BIN_EXE_pointsman");
/// Generous: a loaded machine is slow; a passing test waits for none of it.
const BOUND: Duration = Duration::from_secs(20);
/// What hang-up may take, with a margin for the machine the tests run on.
const HANG_UP_BOUND: Duration = Duration::from_secs(2);

struct Terminal {
    seen: Arc<(Mutex<vt100::Parser>, Condvar)>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    pid: i32,
    ended: mpsc::Receiver<ExitStatus>,
    /// Local modes of the terminal before the program ran.
    before: String,
}

fn pty(columns: u16, rows: u16) -> portable_pty::PtyPair {
    let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
    native_pty_system().openpty(size).expect("a pseudo-terminal")
}

fn console() -> CommandBuilder {
    let mut command = CommandBuilder::new(BIN);
    command.arg("--sim");
    plain(&mut command);
    command
}

/// The same surroundings on every machine.
fn plain(command: &mut CommandBuilder) {
    let home = std::env::temp_dir().join(format!("pointsman-pty-{}", std::process::id()));
    std::fs::create_dir_all(&home).expect("a folder for state");
    command.env("TERM", "xterm-256color");
    command.env("COLORTERM", "truecolor");
    command.env_remove("NO_COLOR");
    for name in ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
        command.env(name, &home);
    }
    command.cwd(home);
}

fn modes(master: &dyn MasterPty) -> String {
    let termios = master.get_termios().expect("a terminal has modes");
    format!("{:?} {:?} {:?}", termios.local_flags, termios.input_flags, termios.output_flags)
}

impl Terminal {
    fn start(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let pair = pty(columns, rows);
        let before = modes(&*pair.master);
        let mut child: Box<dyn Child + Send + Sync> = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let pid = i32::try_from(child.process_id().expect("a running child")).expect("a pid");
        let seen = Arc::new((Mutex::new(vt100::Parser::new(rows, columns, 0)), Condvar::new()));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let screen = Arc::clone(&seen);
        thread::spawn(move || {
            let mut bytes = [0_u8; 8_192];
            while let Ok(n) = reader.read(&mut bytes) {
                if n == 0 {
                    break;
                }
                screen.0.lock().expect("the parser").process(&bytes[..n]);
                screen.1.notify_all();
            }
        });
        let (tx, ended) = mpsc::channel();
        thread::spawn(move || {
            if let Ok(status) = child.wait() {
                let _ = tx.send(status);
            }
        });
        let keys = pair.master.take_writer().expect("a writer");
        Self { seen, master: pair.master, keys, pid, ended, before }
    }

    fn wait_for(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let parser = self.seen.0.lock().expect("the parser");
        let (parser, waited) =
            self.seen.1.wait_timeout_while(parser, BOUND, |parser| !holds(parser.screen())).expect("the parser");
        assert!(!waited.timed_out(), "never saw {what}; the screen was:\n{}", parser.screen().contents());
    }

    fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |screen| screen.contents().contains(text));
    }

    fn press(&mut self, bytes: &str) {
        self.keys.write_all(bytes.as_bytes()).expect("keys are taken");
        self.keys.flush().expect("keys are taken");
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("the process is there");
    }

    fn wait_for_end(&self) -> u32 {
        self.ended.recv_timeout(BOUND).expect("the program ends").exit_code()
    }

    /// The terminal as a shell expects it.
    fn assert_restored(&self) {
        self.wait_for("the ordinary screen", |screen| !screen.alternate_screen());
        self.wait_for("the cursor", |screen| !screen.hide_cursor());
        self.wait_for("bracketed paste off", |screen| !screen.bracketed_paste());
        assert_eq!(modes(&*self.master), self.before, "termios is as before");
    }
}

#[test]
fn the_board_comes_up_with_the_mode_on_it_and_q_gives_the_terminal_back() {
    let mut terminal = Terminal::start(console(), 80, 24);
    terminal.wait_for_text("SIMULATED");
    terminal.wait_for("the alternate screen", vt100::Screen::alternate_screen);
    assert_ne!(modes(&*terminal.master), terminal.before, "keys come raw");
    terminal.press("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

#[test]
fn keys_lead_through_the_screens_and_back() {
    let mut terminal = Terminal::start(console(), 120, 40);
    terminal.wait_for_text("VERDICT");
    for (key, shown) in
        [("3", "BACKUPS"), ("4", "REPLICATION"), ("5", "REGIONS"), ("6", "RUNBOOKS"), ("!", "CALLS"), ("?", "HELP")]
    {
        terminal.press(key);
        terminal.wait_for_text(shown);
        terminal.wait_for_text("SIMULATED");
    }
    terminal.press("\x1b");
    terminal.wait_for_text("CALLS");
    terminal.press("1");
    terminal.wait_for_text("VERDICT");
    terminal.press("\x1b[B");
    terminal.press("q");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn the_screen_follows_the_size_of_the_terminal() {
    let mut terminal = Terminal::start(console(), 80, 24);
    terminal.wait_for_text("VERDICT");
    for (columns, rows, shown) in [(40, 10, "too small"), (160, 50, "╭"), (60, 16, "VERDICT")] {
        terminal.seen.0.lock().expect("the parser").screen_mut().set_size(rows, columns);
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        terminal.master.resize(size).expect("resized");
        terminal.wait_for_text(shown);
    }
    terminal.press("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

#[test]
fn each_signal_ends_it_in_order_and_says_which() {
    use rustix::process::Signal;
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1), (Signal::QUIT, 3)] {
        let terminal = Terminal::start(console(), 80, 24);
        terminal.wait_for_text("VERDICT");
        terminal.signal(signal);
        assert_eq!(terminal.wait_for_end(), 128 + number, "{signal:?}");
        terminal.assert_restored();
    }
}

#[test]
fn a_signal_in_the_first_frame_is_not_lost() {
    let terminal = Terminal::start(console(), 80, 24);
    terminal.wait_for_text("SIMULATED");
    terminal.signal(rustix::process::Signal::TERM);
    terminal.wait_for_end();
}

#[test]
fn suspend_gives_the_shell_its_terminal_and_resume_draws_everything_again() {
    let mut shell = CommandBuilder::new("/bin/sh");
    shell.args(["-c", "set -m; \"$0\" --sim; echo STOPPED; read go; fg; echo ENDED $?", BIN]);
    plain(&mut shell);
    let mut terminal = Terminal::start(shell, 80, 24);
    terminal.wait_for_text("VERDICT");
    terminal.press("\x1a");
    terminal.wait_for("the shell", |screen| screen.contents().contains("STOPPED") && !screen.alternate_screen());
    assert_eq!(modes(&*terminal.master), terminal.before, "the shell has its own modes");
    terminal.wait_for("the cursor", |screen| !screen.hide_cursor());
    terminal.press("\n");
    terminal.wait_for("the board", |screen| screen.alternate_screen() && screen.contents().contains("VERDICT"));
    terminal.wait_for_text("SIMULATED");
    terminal.press("3");
    terminal.wait_for_text("BACKUPS");
    terminal.press("q");
    terminal.wait_for_text("ENDED 0");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn when_the_terminal_hangs_up_the_process_is_gone_within_a_second() {
    let pair = pty(80, 24);
    let mut child = pair.slave.spawn_command(console()).expect("the program starts");
    drop(pair.slave);
    // The reader must be let go for the terminal to hang up: it ends by itself once the board is seen.
    let mut reader = pair.master.try_clone_reader().expect("a reader");
    let (tx, rx) = mpsc::channel();
    thread::spawn(move || {
        let mut parser = vt100::Parser::new(24, 80, 0);
        let mut bytes = [0_u8; 8_192];
        while let Ok(n) = reader.read(&mut bytes) {
            parser.process(&bytes[..n]);
            if n == 0 || parser.screen().contents().contains("VERDICT") {
                break;
            }
        }
        drop(reader);
        let _ = tx.send(parser.screen().contents());
    });
    let seen = rx.recv_timeout(BOUND).expect("the board");
    assert!(seen.contains("VERDICT"), "{seen}");
    drop(pair.master);
    let (tx, ended) = mpsc::channel();
    thread::spawn(move || tx.send(child.wait()));
    let status = ended.recv_timeout(HANG_UP_BOUND).expect("gone in time").expect("waited for");
    assert_ne!(status.exit_code(), 0);
}

#[test]
fn without_colour_the_selection_is_still_seen() {
    let mut command = console();
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command, 80, 24);
    terminal.wait_for("a selected row", |screen| cells(screen).any(|cell| cell.contents() == "▸" && cell.inverse()));
    terminal.wait_for("no colour", |screen| {
        cells(screen).all(|c| c.fgcolor() == vt100::Color::Default && c.bgcolor() == vt100::Color::Default)
    });
    terminal.wait_for("bold", |screen| cells(screen).any(vt100::Cell::bold));
    terminal.press("q");
    assert_eq!(terminal.wait_for_end(), 0);
}

fn cells(screen: &vt100::Screen) -> impl Iterator<Item = &vt100::Cell> {
    let (rows, columns) = screen.size();
    (0..rows).flat_map(move |row| (0..columns).filter_map(move |column| screen.cell(row, column)))
}

/// Runs itself in a terminal: the child takes the terminal and panics while it has it.
#[test]
fn a_panic_gives_the_terminal_back_before_it_is_told() {
    const CHILD: &str = "POINTSMAN_PTY_PANICS";
    if std::env::var_os(CHILD).is_some() {
        let _session = pointsman::tui::terminal::Session::enter().expect("a terminal");
        panic!("the points are stuck");
    }
    let mut command = CommandBuilder::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "a_panic_gives_the_terminal_back_before_it_is_told", "--nocapture", "--test-threads=1"]);
    plain(&mut command);
    command.env(CHILD, "1");
    let terminal = Terminal::start(command, 120, 40);
    terminal.wait_for("the message on the ordinary screen", |screen| {
        !screen.alternate_screen() && screen.contents().contains("the points are stuck")
    });
    assert_ne!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}
