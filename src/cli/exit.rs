//! Exit codes, each with the meaning that DESIGN section 8 gives it.

use std::{io::Write as _, process::ExitCode};

/// Usage or configuration error (sysexits' `EX_USAGE`).
pub const USAGE: u8 = 64;
/// Ctrl-C, as a shell reports it.
pub const INTERRUPTED: u8 = 128 + 2;
/// Standard output cannot be written (sysexits' `EX_IOERR`).
pub const UNWRITABLE: u8 = 74;
/// A run stopped for a person.
pub const PARKED: u8 = 4;
/// The record was changed.
pub const TAMPERED: u8 = 5;
/// A plan that cannot start.
pub const BLOCKED: u8 = 2;
/// A plan whose facts are not known.
pub const UNKNOWN: u8 = 3;

/// What went wrong, in lines for stderr, and the exit code.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    /// One cause per line; the last says what to do next.
    pub lines: Vec<String>,
}

impl Failure {
    #[must_use]
    pub fn usage(lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { code: USAGE, lines: lines.into_iter().map(Into::into).collect() }
    }

    /// Prints to stderr, and gives its code.
    #[must_use]
    pub fn print(&self) -> ExitCode {
        self.say();
        ExitCode::from(self.code)
    }

    /// To stderr, every line through `SafeText`. Where nobody reads it, the exit code says enough.
    pub fn say(&self) {
        let mut stderr = std::io::stderr().lock();
        for (n, line) in self.lines.iter().flat_map(|l| l.lines()).enumerate() {
            let prefix = if n == 0 { "pointsman: " } else { "  " };
            let _ = writeln!(stderr, "{prefix}{}", crate::domain::SafeText::new(line));
        }
    }
}
