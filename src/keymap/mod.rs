//! Keymaps: which keys mean which [`Command`] in which [`Context`]. Parsed, validated, pure; no terminal library.
//!
//! Help, footer and the popup of a begun chord are drawn from the same rows that [`Keymap::feed`] reads, so they
//! cannot drift apart. A keymap never decides whether a command is allowed now; the engine does.
//! Files: [`command`] (the closed lists), [`key`] (one key as text), [`mod@file`] (the TOML and its checks).

pub mod command;
pub mod file;
pub mod key;

use std::sync::Arc;

pub use command::{Command, Context};
pub use file::parse;
pub use key::{Key, KeyCode, KeyError};

use crate::domain::{diagnostic::SourceFile, text::SafeText};

/// A validated keymap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    pub name: String,
    /// In the order of the file.
    bindings: Vec<Binding>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Binding {
    context: Context,
    on: Vec<Key>,
    run: Command,
    desc: SafeText,
}

/// One line of help, footer or the popup of a begun chord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `g t`, `ctrl-c`: the keys in order, parted by a space.
    pub keys: String,
    pub command: Command,
    pub desc: String,
}

/// What a key came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    Command(Command),
    /// A chord has begun: the keys that are still to come, with what they would do.
    Pending(Vec<Row>),
    /// Nothing is bound; a begun chord is dropped, and its last key is not taken for the first of another.
    Nothing,
}

impl Keymap {
    /// Feeds one key. `pending` holds the begun chord and belongs to the caller; clear it when the context changes.
    ///
    /// Where text is typed (`dialog`, `filter`) the caller types keys with [`Key::types_text`] itself while `pending`
    /// is empty, and feeds them only when the typed phrase is exact, which is what enables the sending chord.
    pub fn feed(&self, context: Context, pending: &mut Vec<Key>, key: Key) -> Fed {
        let key = key.normal();
        if !pending.is_empty() && key == Key::plain(KeyCode::Esc) {
            pending.clear();
            return Fed::Nothing;
        }
        pending.push(key);
        let mut continuations = Vec::new();
        for binding in self.effective(context) {
            if binding.on == *pending {
                pending.clear();
                return Fed::Command(binding.run);
            }
            if let Some(rest) = binding.on.strip_prefix(pending.as_slice()) {
                continuations.push(binding.row(rest));
            }
        }
        if continuations.is_empty() {
            pending.clear();
            return Fed::Nothing;
        }
        Fed::Pending(continuations)
    }

    /// Everything that works in `context`, its own rows first.
    #[must_use]
    pub fn rows(&self, context: Context) -> Vec<Row> {
        self.effective(context).map(|binding| binding.row(&binding.on)).collect()
    }

    /// The first keys that give `command` in `context`, as shown: what a dialog names.
    #[must_use]
    pub fn keys_of(&self, context: Context, command: Command) -> Option<String> {
        self.effective(context).find(|binding| binding.run == command).map(|binding| shown(&binding.on))
    }

    /// Rows of the context, then those of `global` that no row of the context shadows.
    fn effective(&self, context: Context) -> impl Iterator<Item = &Binding> {
        let own = move |binding: &&Binding| binding.context == context;
        let global = self.bindings.iter().filter(move |binding| {
            context != Context::Global
                && context.takes_global()
                && binding.context == Context::Global
                && !self.bindings.iter().filter(own).any(|one| one.on == binding.on)
        });
        self.bindings.iter().filter(own).chain(global)
    }
}

impl Binding {
    fn row(&self, keys: &[Key]) -> Row {
        Row { keys: shown(keys), command: self.run, desc: self.desc.to_string() }
    }
}

fn shown(keys: &[Key]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

const BUNDLED: &[(&str, &str)] =
    &[("default", include_str!("../../keymaps/default.toml")), ("vim", include_str!("../../keymaps/vim.toml"))];

/// Names of the keymaps inside the binary, the default first.
#[must_use]
pub fn bundled_names() -> Vec<&'static str> {
    BUNDLED.iter().map(|(name, _)| *name).collect()
}

/// The file of a bundled keymap.
#[must_use]
pub fn bundled_source(name: &str) -> Option<Arc<SourceFile>> {
    BUNDLED
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(name, text)| Arc::new(SourceFile { name: format!("keymaps/{name}.toml"), text: (*text).to_owned() }))
}

/// A keymap inside the binary; `None` for a name that is not one of [`bundled_names`].
#[must_use]
pub fn bundled(name: &str) -> Option<Keymap> {
    parse(&bundled_source(name)?).0
}
