//! The theme file: `inherits`, `[palette]`, `[roles]`.

use std::sync::Arc;

use super::Theme;
use crate::domain::diagnostic::{Diagnostic, SourceFile};

/// Reads a theme. `resolve` finds the file that `inherits` names.
///
/// The theme is `None` when anything is an error; all errors come at once, those of inherited files included.
#[must_use]
pub fn parse(
    _file: &Arc<SourceFile>,
    _resolve: &dyn Fn(&str) -> Option<Arc<SourceFile>>,
) -> (Option<Theme>, Vec<Diagnostic>) {
    unimplemented!("next commit")
}
