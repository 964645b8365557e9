//! The keymap file: rows `{ on, run, desc }` per context.

use std::sync::Arc;

use super::Keymap;
use crate::domain::diagnostic::{Diagnostic, SourceFile};

/// Reads a keymap; `None` when anything is an error. All errors come at once.
#[must_use]
pub fn parse(_file: &Arc<SourceFile>) -> (Option<Keymap>, Vec<Diagnostic>) {
    unimplemented!("next commit")
}
