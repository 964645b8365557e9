//! The loop: wait, take everything that has happened, update, draw once.
//!
//! A key is drawn at once, whatever the frame cap says; pictures that come in bursts share a frame. When nothing
//! happens, nothing runs but one tick a second, and nothing is written unless a cell changed.

use std::{io, sync::Arc, thread, time::Duration};

use crossterm::event::{Event, KeyCode as TermCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::{mpsc, watch};

use super::{
    message::{Cmd, KeyPress, Msg},
    screen::{Screen, copy_sequence},
    signals::{self, Orphaned, Signal},
    state::State,
    terminal::{self, Session},
    update::update,
};
use crate::{
    domain::{Clock, Picture, SafeText, call::CallRecord},
    keymap::{Key, KeyCode},
    runbook::run::Runs,
};

/// Frames that no key asked for are at least this far apart.
const FRAME: Duration = Duration::from_millis(33);
/// Keys that may wait between the reader and the loop: more than a person or a paste of a screen gives.
const QUEUE: usize = 1024;
/// After a suspend that nobody can undo (an orphaned process group), the console goes on.
const SUSPEND_GRACE: Duration = Duration::from_millis(300);

/// What joins the console to the rest: three views of the world, a way out, a way back.
pub struct ConsoleParts {
    pub pictures: watch::Receiver<Arc<Picture>>,
    pub runs: watch::Receiver<Arc<Runs>>,
    pub calls: watch::Receiver<Arc<[CallRecord]>>,
    /// Where commands go: [`Cmd::Refresh`], `Distrust`, `Plan`, `Declare`, `Answer`, `Resume`.
    pub commands: mpsc::Sender<Cmd>,
    /// What comes back: [`Msg::Planned`], `Declared`, `Refused`, `Said`.
    pub replies: mpsc::Receiver<Msg>,
    pub orphaned: Orphaned,
}

/// How the console ended; the terminal is restored in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The person left.
    Quit,
    /// By this signal: the process should exit with 128 + its number.
    Signal(i32),
}

/// A console whose first frame is on the terminal.
pub struct Console {
    state: State,
    screen: Screen,
    clock: Arc<dyn Clock>,
    session: Session,
    signals: mpsc::UnboundedReceiver<Signal>,
}

/// Opens the console and runs it: [`Console::open`], then [`Console::run`].
pub async fn run(state: State, clock: Arc<dyn Clock>, parts: ConsoleParts) -> io::Result<Ended> {
    Console::open(state, clock)?.run(parts).await
}

impl Console {
    /// Takes the terminal and draws the first complete frame, with the mode word on it. Does nothing else, so that
    /// it can be the first thing a process does; needs no async runtime. Call it on the thread that polls
    /// [`Console::run`] (the panic hook knows the console's thread by that).
    pub fn open(mut state: State, clock: Arc<dyn Clock>) -> io::Result<Self> {
        // crossterm reads NO_COLOR by itself and then breaks modifiers too (console notes); our themes handle it.
        crossterm::style::force_color_output(true);
        let session = Session::enter()?;
        let (signal_tx, signals) = mpsc::unbounded_channel();
        signals::watch(signal_tx)?;
        state.size = terminal::size();
        let mut console = Self { state, screen: Screen::default(), clock, session, signals };
        console.tell_time();
        console.draw()?;
        Ok(console)
    }

    /// Runs until the person leaves or a signal ends it. The terminal is restored when it returns.
    pub async fn run(mut self, mut parts: ConsoleParts) -> io::Result<Ended> {
        signals::when_orphaned(Arc::clone(&parts.orphaned));
        let mut keys = read_terminal(Arc::clone(&self.clock))?;
        let ended = self.turn(&mut parts, &mut keys).await;
        signals::loop_ended();
        terminal::restore();
        ended
    }

    async fn turn(&mut self, parts: &mut ConsoleParts, keys: &mut mpsc::Receiver<Msg>) -> io::Result<Ended> {
        let mut drawn_at = self.clock.monotonic();
        let mut dirty = false;
        let mut open = Open { pictures: true, runs: true, calls: true, replies: true, keys: true };
        // What was published before we listened counts as news.
        parts.pictures.mark_changed();
        parts.runs.mark_changed();
        parts.calls.mark_changed();
        loop {
            let to_frame = FRAME.saturating_sub(self.clock.monotonic().saturating_sub(drawn_at));
            let mut urgent = false;
            let mut batch: Vec<Msg> = Vec::new();
            tokio::select! {
                biased;
                signal = self.signals.recv() => match signal {
                    Some(Signal::Stop(number)) => return Ok(Ended::Signal(number)),
                    Some(Signal::Continued) => self.resume(&mut batch)?,
                    Some(Signal::Resized) => {
                        urgent = true;
                        let (width, height) = terminal::size();
                        batch.push(Msg::Resize { width, height });
                    }
                    None => {}
                },
                msg = keys.recv(), if open.keys => match msg {
                    Some(msg) => { urgent = true; batch.push(msg); }
                    None => open.keys = false,
                },
                () = tokio::time::sleep(to_frame), if dirty => {}
                msg = parts.replies.recv(), if open.replies => match msg {
                    Some(msg) => { urgent = true; batch.push(msg); }
                    None => open.replies = false,
                },
                changed = parts.runs.changed(), if open.runs => match changed {
                    Ok(()) => batch.push(Msg::Runs(parts.runs.borrow_and_update().clone())),
                    Err(_) => open.runs = false,
                },
                changed = parts.pictures.changed(), if open.pictures => match changed {
                    Ok(()) => batch.push(Msg::Picture(parts.pictures.borrow_and_update().clone())),
                    Err(_) => open.pictures = false,
                },
                changed = parts.calls.changed(), if open.calls => match changed {
                    Ok(()) => batch.push(Msg::Calls(parts.calls.borrow_and_update().clone())),
                    Err(_) => open.calls = false,
                },
                () = tokio::time::sleep(to_next_second(&*self.clock)) => {}
            }
            while let Ok(msg) = keys.try_recv() {
                urgent = true;
                batch.push(msg);
            }
            while let Ok(msg) = parts.replies.try_recv() {
                batch.push(msg);
            }
            self.fit();
            self.tell_time();
            for panic in terminal::background_panics() {
                let said = format!("a part of the program failed; what it watched goes stale: {panic}");
                batch.push(Msg::Refused(SafeText::new(said)));
            }
            for msg in batch {
                for cmd in update(&mut self.state, msg) {
                    if let Some(ended) = self.execute(cmd, parts).await? {
                        return Ok(ended);
                    }
                }
            }
            let now = self.clock.monotonic();
            if urgent || now.saturating_sub(drawn_at) >= FRAME {
                self.draw()?;
                drawn_at = self.clock.monotonic();
                dirty = false;
            } else {
                dirty = true;
            }
        }
    }

    async fn execute(&mut self, cmd: Cmd, parts: &ConsoleParts) -> io::Result<Option<Ended>> {
        match cmd {
            Cmd::Quit => return Ok(Some(Ended::Quit)),
            Cmd::Redraw => self.screen.forget(),
            Cmd::Copy(text) => terminal::write_all(&copy_sequence(&text))?,
            Cmd::Suspend => {
                terminal::restore();
                // The whole job, as a shell expects; the default action stops us, SIGCONT wakes us.
                rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
                let woken = tokio::time::timeout(SUSPEND_GRACE, self.signals.recv()).await;
                if let Ok(Some(Signal::Stop(number))) = woken {
                    return Ok(Some(Ended::Signal(number)));
                }
                let mut batch = Vec::new();
                self.resume(&mut batch)?;
                for msg in batch {
                    for cmd in update(&mut self.state, msg) {
                        self.send(cmd, parts);
                    }
                }
            }
            other => self.send(other, parts),
        }
        Ok(None)
    }

    /// Hands a command to whoever carries it out. A full or closed queue is said, never waited for.
    fn send(&mut self, cmd: Cmd, parts: &ConsoleParts) {
        if cmd == Cmd::Redraw {
            self.screen.forget();
            return;
        }
        if let Err(error) = parts.commands.try_send(cmd) {
            let why = match error {
                mpsc::error::TrySendError::Full(_) => "not sent: the program is still busy with earlier commands",
                mpsc::error::TrySendError::Closed(_) => "not sent: what carries out commands has ended",
            };
            update(&mut self.state, Msg::Refused(why.into()));
        }
    }

    /// Takes the terminal again after a stop. What is on screen is old: it is distrusted.
    fn resume(&mut self, batch: &mut Vec<Msg>) -> io::Result<()> {
        self.session.enter_again()?;
        self.screen.forget();
        let (width, height) = terminal::size();
        batch.push(Msg::Resize { width, height });
        batch.push(Msg::Resumed);
        Ok(())
    }

    /// The terminal's own word on its size. Of two resizes in quick succession the older report may be read last.
    fn fit(&mut self) {
        let (width, height) = terminal::size();
        if self.state.size != (width, height) {
            update(&mut self.state, Msg::Resize { width, height });
        }
    }

    fn tell_time(&mut self) {
        update(&mut self.state, Msg::Tick { now: self.clock.now(), monotonic: self.clock.monotonic() });
    }

    fn draw(&mut self) -> io::Result<()> {
        let bytes = self.screen.frame(&self.state)?;
        if !bytes.is_empty() {
            terminal::write_all(bytes)?;
        }
        update(&mut self.state, Msg::Drawn { at: self.clock.monotonic() });
        Ok(())
    }
}

/// Which sources can still say something: a closed one is not asked again, or the loop would spin.
#[expect(clippy::struct_excessive_bools, reason = "five independent channels, each open or not")]
struct Open {
    pictures: bool,
    runs: bool,
    calls: bool,
    replies: bool,
    keys: bool,
}

/// Ticks fall on whole seconds, so that the clock on screen never skips one.
fn to_next_second(clock: &dyn Clock) -> Duration {
    let into = clock.wall().millis().rem_euclid(1000);
    Duration::from_millis(1000 - into as u64)
}

/// Keys, pastes and sizes, stamped when they were read. On a thread of its own: reading never waits for drawing.
fn read_terminal(clock: Arc<dyn Clock>) -> io::Result<mpsc::Receiver<Msg>> {
    let (tx, rx) = mpsc::channel(QUEUE);
    thread::Builder::new().name("keys".into()).spawn(move || {
        while let Ok(event) = crossterm::event::read() {
            let at = clock.monotonic();
            if let Some(msg) = message(event, at)
                && tx.blocking_send(msg).is_err()
            {
                return;
            }
        }
    })?;
    Ok(rx)
}

fn message(event: Event, at: Duration) -> Option<Msg> {
    match event {
        Event::Key(event) => key(event).map(|key| Msg::Key(KeyPress { key, at })),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(width, height) => Some(Msg::Resize { width, height }),
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) => None,
    }
}

/// Presses only: some terminals report releases too, and an action would happen twice.
fn key(event: KeyEvent) -> Option<Key> {
    if event.kind != KeyEventKind::Press {
        return None;
    }
    let mut shift = event.modifiers.contains(KeyModifiers::SHIFT);
    let code = match event.code {
        TermCode::Char(ch) => KeyCode::Char(ch),
        TermCode::Enter => KeyCode::Enter,
        TermCode::Esc => KeyCode::Esc,
        TermCode::Tab => KeyCode::Tab,
        TermCode::BackTab => {
            shift = true;
            KeyCode::Tab
        }
        TermCode::Backspace => KeyCode::Backspace,
        TermCode::Delete => KeyCode::Delete,
        TermCode::Insert => KeyCode::Insert,
        TermCode::Left => KeyCode::Left,
        TermCode::Right => KeyCode::Right,
        TermCode::Up => KeyCode::Up,
        TermCode::Down => KeyCode::Down,
        TermCode::Home => KeyCode::Home,
        TermCode::End => KeyCode::End,
        TermCode::PageUp => KeyCode::PageUp,
        TermCode::PageDown => KeyCode::PageDown,
        TermCode::F(n) => KeyCode::F(n),
        _ => return None,
    };
    let key = Key {
        code,
        ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
        alt: event.modifiers.contains(KeyModifiers::ALT),
        shift,
    };
    Some(key.normal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_release_does_nothing() {
        let mut event = KeyEvent::new(TermCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(key(event), Some(Key::char('q')));
        event.kind = KeyEventKind::Release;
        assert_eq!(key(event), None);
    }

    #[test]
    fn back_tab_and_shifted_letters_take_their_normal_form() {
        let back = KeyEvent::new(TermCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(key(back).map(|k| k.to_string()), Some("shift-tab".to_owned()));
        let shifted = KeyEvent::new(TermCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(key(shifted), Some(Key::char('G')));
    }
}
