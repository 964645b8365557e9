//! The keymap file: rows `{ on, run, desc }` per context, and what makes a keymap safe to sit in front of.
//!
//! `inherits = "default"` takes a bundled keymap; a row of the file then replaces every inherited row that it
//! collides with in its context. Refused at load: two meanings for one key, a key that hides a longer chord, a screen
//! that one cannot leave or ask for help on, and a guarded command on anything but a deliberate chord.

use std::{ops::Range, sync::Arc};

use toml::de::DeValue;

use super::{Binding, Command, Context, Key, KeyCode, Keymap, bundled, bundled_names, key::KeyError, shown};
use crate::domain::{
    diagnostic::{Diagnostic, Level, SourceFile, nearest},
    document::{self, Report, Table, Value},
    text::SafeText,
};

/// Longer chords are not remembered by anybody.
const CHORD_KEYS_MAX: usize = 4;

/// Reads a keymap; its name is the file's stem. `None` when anything is an error; all errors come at once.
#[must_use]
pub fn parse(file: &Arc<SourceFile>) -> (Option<Keymap>, Vec<Diagnostic>) {
    let (document, report) = document::parse(file);
    let Some(document) = document else { return (None, report.take()) };
    let root = document.root();
    let names_a_base = root.get("inherits").is_some();
    let inherited = inherited(&root, &report);
    let whole = inherited.is_some() || !names_a_base;
    let own = own_rows(&root, &report);
    root.done();

    conflicts(&own, &report);
    let mut bindings: Vec<Binding> = own.iter().map(|row| row.binding.clone()).collect();
    for binding in inherited.map(|keymap| keymap.bindings).unwrap_or_default() {
        let replaced = |row: &Row| row.binding.context == binding.context && collide(&row.binding.on, &binding.on);
        if !own.iter().any(replaced) {
            bindings.push(binding);
        }
    }
    let keymap = Keymap { name: stem(&file.name), bindings };
    hidden_by_global(&own, &keymap, &report);
    // With a base that could not be had, everything would be missing: said once, at `inherits`.
    if whole {
        reachable(&keymap, &report);
    }

    let found = report.take();
    let sound = found.iter().all(|d| d.level != Level::Error);
    (sound.then_some(keymap), found)
}

/// A row of this file, with its place.
struct Row {
    binding: Binding,
    span: Range<usize>,
}

fn inherited(root: &Table<'_, '_>, report: &Report) -> Option<Keymap> {
    let (name, span) = root.text("inherits")?;
    let keymap = bundled(&name);
    if keymap.is_none() {
        let help = nearest(&name, bundled_names()).map_or_else(
            || format!("bundled: {}", bundled_names().join(", ")),
            |near| format!("did you mean \"{near}\"?"),
        );
        report.error("unknown-keymap", span, format!("there is no bundled keymap \"{name}\""), Some(help));
    }
    keymap
}

fn own_rows(root: &Table<'_, '_>, report: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    for (word, key_span, value) in root.entries() {
        if word == "inherits" {
            continue;
        }
        let Some(context) = Context::named(&word) else {
            let help = nearest(&word, Context::ALL.iter().map(|context| context.word())).map_or_else(
                || format!("one of: {}", Context::ALL.iter().map(|c| c.word()).collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean [{near}]?"),
            );
            report.error("unknown-context", key_span, format!("there is no context `{word}`"), Some(help));
            continue;
        };
        let Some(mut table) = root.as_table(&word, value) else { continue };
        table.call_it(format!("[{word}]"));
        for item in table.list("keys") {
            let Some(mut row) = table.as_table("keys", item) else { continue };
            row.call_it(format!("a row of [{word}]"));
            rows.extend(one_row(context, &row, report));
            row.done();
        }
        table.done();
    }
    rows
}

fn one_row(context: Context, row: &Table<'_, '_>, report: &Report) -> Option<Row> {
    let on = row.need("on").and_then(|value| chord(row, value, report));
    let commands: Vec<(&str, Command)> = Command::ALL.iter().map(|command| (command.word(), *command)).collect();
    let run = row.need_text("run").and_then(|(word, span)| {
        let known = commands.iter().find(|(name, _)| *name == word).map(|(_, command)| *command);
        if known.is_none() {
            let help = nearest(&word, commands.iter().map(|(name, _)| *name)).map_or_else(
                || "`pointsman keys` lists every command".to_owned(),
                |near| format!("did you mean \"{near}\"?"),
            );
            report.error("unknown-command", span, format!("there is no command \"{word}\""), Some(help));
        }
        known
    });
    let desc = row.need_text("desc").map(|(text, _)| SafeText::new(text));
    let (on, run, desc) = (on?, run?, desc?);
    let row = Row { binding: Binding { context, on: on.0, run, desc }, span: on.1 };
    friction(&row, report);
    Some(row)
}

/// `"g"` or `["g", "t"]`.
fn chord(row: &Table<'_, '_>, value: Value<'_, '_>, report: &Report) -> Option<(Vec<Key>, Range<usize>)> {
    let written: Vec<(String, Range<usize>)> = match value.raw() {
        DeValue::String(text) => vec![(text.to_string(), value.span())],
        DeValue::Array(_) => row.texts("on"),
        _ => return row.wrong("on", value, "a key or a list of keys"),
    };
    let mut keys = Vec::new();
    for (text, span) in &written {
        match Key::parse(text) {
            Ok(key) => keys.push(key),
            Err(error) => {
                let help = match &error {
                    KeyError::SameAs(name) => format!("it is the same as \"{name}\": bind that"),
                    other => other.to_string(),
                };
                report.error("bad-key", span.clone(), format!("`{text}` is not a key a terminal can tell"), Some(help));
            }
        }
    }
    if keys.len() != written.len() {
        return None;
    }
    if keys.is_empty() || keys.len() > CHORD_KEYS_MAX {
        let message = format!("a chord has 1 to {CHORD_KEYS_MAX} keys, not {}", keys.len());
        report.error("bad-chord", value.span(), message, None);
        return None;
    }
    if keys.len() > 1 && keys.contains(&Key::plain(KeyCode::Esc)) {
        let help = "esc drops a begun chord; bind it alone".to_owned();
        report.error("bad-chord", value.span(), "`esc` cannot be part of a chord", Some(help));
        return None;
    }
    Some((keys, value.span()))
}

/// What one row alone may not do.
fn friction(row: &Row, report: &Report) {
    let Binding { context, on, run, .. } = &row.binding;
    let error =
        |code, message: String, help: &str| report.error(code, row.span.clone(), message, Some(help.to_owned()));
    let reflex = |key: &Key| matches!(key.code, KeyCode::Enter | KeyCode::Char('y' | 'Y' | ' '));
    let word = run.word();
    if run.guarded() && on.iter().all(|key| *key == on[0]) {
        let message = format!("`{word}` needs a deliberate chord, not `{}`", shown(on));
        error("unguarded", message, "two or more different keys, like [\"g\", \"!\"]");
    } else if run.acts() && on.last().is_some_and(reflex) {
        let last = shown(&on[on.len() - 1..]);
        let message = format!("`{word}` may not end on `{last}`: enter, space and y are pressed by reflex");
        error("reflex-key", message, "choose another key");
    }
    if !context.takes_global() && on[0].types_text() && !(run.guarded() && on.len() > 1) {
        let message = format!("`{}` types text in [{}]", shown(on), context.word());
        error("types-text", message, "use a key that types nothing, like \"tab\" or \"ctrl-u\"");
    }
}

fn collide(a: &[Key], b: &[Key]) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

/// Two rows of one context with the same keys, or where one hides the other.
fn conflicts(own: &[Row], report: &Report) {
    for (n, row) in own.iter().enumerate() {
        let context = row.binding.context;
        for earlier in own[..n].iter().filter(|r| r.binding.context == context) {
            let (a, b) = (&earlier.binding.on, &row.binding.on);
            let first = place(report, &earlier.span);
            if a == b {
                let message = format!("`{}` is bound twice in [{}]", shown(b), context.word());
                report.error("key-conflict", row.span.clone(), message, Some(format!("first at {first}")));
            } else if collide(a, b) {
                let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
                let message = format!("`{}` hides `{}` in [{}]", shown(short), shown(long), context.word());
                report.error("prefix-conflict", row.span.clone(), message, Some(format!("the other is at {first}")));
            }
        }
    }
}

/// A row of a context against the rows of `global` that work there too; the same keys are meant to shadow.
fn hidden_by_global(own: &[Row], keymap: &Keymap, report: &Report) {
    let here = |binding: &Binding| own.iter().find(|row| row.binding == *binding);
    for local in keymap.bindings.iter().filter(|b| b.context != Context::Global && b.context.takes_global()) {
        for global in keymap.bindings.iter().filter(|b| b.context == Context::Global) {
            let shadowed = keymap.bindings.iter().any(|b| b.context == local.context && b.on == global.on);
            if local.on == global.on || shadowed || !collide(&local.on, &global.on) {
                continue;
            }
            let Some(row) = here(local).or_else(|| here(global)) else { continue };
            let (short, long) =
                if local.on.len() < global.on.len() { (&local.on, &global.on) } else { (&global.on, &local.on) };
            let message = format!(
                "`{}` hides `{}` in [{}], where the rows of [global] work too",
                shown(short),
                shown(long),
                local.context.word()
            );
            report.error("prefix-conflict", row.span.clone(), message, Some("give one of them other keys".to_owned()));
        }
    }
}

/// What must have a key, where.
const NEEDED: &[(Context, &[Command])] = &[
    (Context::Dialog, &[Command::Back, Command::Submit, Command::Send]),
    (Context::Filter, &[Command::Back, Command::Submit]),
    (Context::Run, &[Command::Hold, Command::Send, Command::Confirm, Command::Detach]),
    (Context::Plan, &[Command::Declare]),
];

fn reachable(keymap: &Keymap, report: &Report) {
    for context in Context::ALL {
        let everywhere: &[Command] =
            if context.takes_global() { &[Command::Quit, Command::Help, Command::Back] } else { &[] };
        let here = NEEDED.iter().find(|(c, _)| c == context).map_or(&[] as &[Command], |(_, commands)| commands);
        for command in everywhere.iter().chain(here) {
            if keymap.keys_of(*context, *command).is_some() {
                continue;
            }
            // A row missing in [global] is missing everywhere: said once.
            if *context != Context::Global
                && everywhere.contains(command)
                && keymap.keys_of(Context::Global, *command).is_none()
            {
                continue;
            }
            let message = format!("no key gives `{}` in [{}]", command.word(), context.word());
            let help = "add a row, or start the file with inherits = \"default\"".to_owned();
            report.error("unreachable", 0..0, message, Some(help));
        }
    }
}

fn place(report: &Report, span: &Range<usize>) -> String {
    let line = report.file().text.get(..span.start).map_or(0, |before| before.matches('\n').count()) + 1;
    format!("line {line}")
}

fn stem(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.strip_suffix(".toml").unwrap_or(file).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keymap::{Fed, bundled_source};

    fn read(text: &str) -> (Option<Keymap>, Vec<String>) {
        let file = Arc::new(SourceFile { name: "mine.toml".to_owned(), text: text.to_owned() });
        let (keymap, found) = parse(&file);
        (keymap, found.iter().map(ToString::to_string).collect())
    }

    fn codes(rows: &str) -> Vec<&'static str> {
        let text = format!("inherits = \"default\"\n{rows}");
        let file = Arc::new(SourceFile { name: "mine.toml".to_owned(), text });
        parse(&file).1.iter().map(|d| d.code).collect()
    }

    fn press(keymap: &Keymap, context: Context, keys: &str) -> Fed {
        let mut pending = Vec::new();
        let mut fed = Fed::Nothing;
        for key in keys.split(' ') {
            fed = keymap.feed(context, &mut pending, Key::parse(key).expect("a key"));
        }
        fed
    }

    #[test]
    fn every_bundled_keymap_is_sound_and_without_a_remark() {
        for name in bundled_names() {
            let (keymap, found) = parse(&bundled_source(name).expect("bundled"));
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
            assert_eq!(keymap.expect("sound").name, name);
        }
    }

    #[test]
    fn every_command_has_a_key_somewhere_in_every_bundled_keymap() {
        for name in bundled_names() {
            let keymap = bundled(name).expect("sound");
            for command in Command::ALL {
                let has = Context::ALL.iter().any(|context| keymap.keys_of(*context, *command).is_some());
                assert!(has, "{name}: {}", command.word());
            }
        }
    }

    #[test]
    fn rows_shown_are_keys_that_work() {
        for name in bundled_names() {
            let keymap = bundled(name).expect("sound");
            for context in Context::ALL {
                for row in keymap.rows(*context) {
                    assert_eq!(press(&keymap, *context, &row.keys), Fed::Command(row.command), "{name} {row:?}");
                }
            }
        }
    }

    #[test]
    fn a_row_of_a_context_shadows_the_one_of_global() {
        let keymap = bundled("default").expect("sound");
        assert_eq!(press(&keymap, Context::Board, "q"), Fed::Command(Command::Quit));
        assert_eq!(press(&keymap, Context::Run, "q"), Fed::Command(Command::Detach));
        assert_eq!(press(&keymap, Context::Run, "ctrl-c"), Fed::Command(Command::Quit));
    }

    #[test]
    fn a_begun_chord_shows_its_ends_and_esc_drops_it() {
        let keymap = bundled("default").expect("sound");
        let mut pending = Vec::new();
        let Fed::Pending(rows) = keymap.feed(Context::Run, &mut pending, Key::char('g')) else { panic!("no chord") };
        assert!(rows.iter().any(|row| row.keys == "!" && row.command == Command::Send), "{rows:?}");
        assert_eq!(keymap.feed(Context::Run, &mut pending, Key::plain(KeyCode::Esc)), Fed::Nothing);
        assert_eq!(pending, Vec::new());
    }

    #[test]
    fn a_wrong_second_key_does_nothing_at_all() {
        let keymap = bundled("default").expect("sound");
        assert_eq!(press(&keymap, Context::Run, "g h"), Fed::Nothing, "h alone holds the run");
    }

    #[test]
    fn enter_and_y_never_act_in_any_bundled_keymap() {
        for name in bundled_names() {
            let keymap = bundled(name).expect("sound");
            for context in Context::ALL {
                for key in ["enter", "y", "Y", "space"] {
                    if let Fed::Command(command) = press(&keymap, *context, key) {
                        assert!(!command.acts(), "{name}: {key} is {} in {}", command.word(), context.word());
                    }
                }
            }
        }
    }

    #[test]
    fn a_vim_habit_never_lets_a_held_run_go_on() {
        let keymap = bundled("vim").expect("sound");
        for key in ["h", "j", "k", "l", "g g", "G", "ctrl-d"] {
            let Fed::Command(command) = press(&keymap, Context::Run, key) else { panic!("{key} moves") };
            assert!(!command.acts(), "{key} is {}", command.word());
        }
    }

    #[test]
    fn global_keys_do_not_work_where_text_is_typed() {
        let keymap = bundled("default").expect("sound");
        for context in [Context::Dialog, Context::Filter] {
            assert_eq!(press(&keymap, context, "q"), Fed::Nothing);
            assert_eq!(press(&keymap, context, "esc"), Fed::Command(Command::Back));
        }
    }

    #[test]
    fn each_rule_refuses_what_it_is_for() {
        let row = |context: &str, on: &str, run: &str| {
            codes(&format!("[{context}]\nkeys = [ {{ on = {on}, run = \"{run}\", desc = \"x\" }} ]\n"))
        };
        let none: Vec<&str> = vec![];
        assert_eq!(row("run", "[\"x\", \"!\"]", "send"), none);
        assert_eq!(row("run", "\"x\"", "send"), ["unguarded"]);
        assert_eq!(row("run", "\"ctrl-k\"", "abandon"), ["unguarded"], "tmux and vim users press it by habit");
        assert_eq!(row("run", "[\"x\", \"x\"]", "send"), ["unguarded"], "a key that repeats is one key");
        assert_eq!(row("run", "[\"x\", \"enter\"]", "send"), ["reflex-key"]);
        assert_eq!(row("run", "\"y\"", "confirm"), ["reflex-key"]);
        assert_eq!(row("filter", "\"x\"", "back"), ["types-text"]);
        assert_eq!(row("board", "[\"q\", \"q\"]", "refresh"), ["prefix-conflict"], "global q quits at the first");
        assert_eq!(row("board", "\"ctrl-m\"", "refresh"), ["bad-key"]);
        assert_eq!(row("board", "[]", "refresh"), ["bad-chord"]);
        assert_eq!(row("board", "[\"esc\", \"x\"]", "refresh"), ["bad-chord"]);
        assert_eq!(row("board", "\"?\"", "refresh"), ["unreachable"], "help has no other key there");
        assert_eq!(row("bord", "\"x\"", "refresh"), ["unknown-context"]);
        assert_eq!(row("board", "\"x\"", "refersh"), ["unknown-command"]);
    }

    #[test]
    fn a_file_of_ones_own_that_forgets_the_way_out_is_refused_once_per_way() {
        let (keymap, said) = read("[board]\nkeys = [ { on = \"x\", run = \"refresh\", desc = \"Read\" } ]\n");
        assert_eq!(keymap, None);
        let about_quit = said.iter().filter(|line| line.contains("`quit`")).count();
        assert_eq!(about_quit, 1, "{said:#?}");
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".{0,200}") {
            let _ = read(&text);
        }

        #[test]
        fn near_misses_never_panic_and_a_sound_keymap_keeps_its_promises(
            context in "(global|board|run|dialog|filter|x)",
            on in "(\"[a-z!?-]{0,6}\"|\\[(\"[a-z!?]\",){0,5}\\]|7)",
            run in "(send|quit|confirm|skip|help|open|[a-z]{1,5})",
        ) {
            let row = format!("{{ on = {on}, run = \"{run}\", desc = \"d\" }}");
            let (keymap, said) = read(&format!("inherits = \"default\"\n[{context}]\nkeys = [ {row} ]\n"));
            match keymap {
                None => prop_assert!(!said.is_empty()),
                Some(keymap) => {
                    for context in Context::ALL {
                        for row in keymap.rows(*context) {
                            prop_assert!(!row.command.guarded() || row.keys.contains(' '), "{row:?}");
                            prop_assert_eq!(press(&keymap, *context, &row.keys), Fed::Command(row.command));
                        }
                        if context.takes_global() {
                            prop_assert!(keymap.keys_of(*context, Command::Quit).is_some());
                            prop_assert!(keymap.keys_of(*context, Command::Help).is_some());
                        }
                    }
                }
            }
        }

        #[test]
        fn any_sequence_of_keys_can_be_fed(keys in proptest::collection::vec("[a-zA-Z0-9!?/]|esc|enter|tab|ctrl-c", 0..30)) {
            let keymap = bundled("vim").expect("sound");
            let mut pending = Vec::new();
            for key in keys {
                let fed = keymap.feed(Context::Run, &mut pending, Key::parse(&key).expect("a key"));
                prop_assert_eq!(pending.is_empty(), !matches!(fed, Fed::Pending(_)));
            }
        }
    }
}
