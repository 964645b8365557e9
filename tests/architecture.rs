//! Who may name whom (DESIGN section 4), held by reading the code itself.
//!
//! Production code only: modules under `#[cfg(test)]` may join what they test. Macros' insides are read too,
//! as tokens.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::visit::Visit;

/// The table. `*` = everything. A module may always name itself.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("runbook", &["domain"]),
    ("keymap", &["domain"]),
    ("theme", &["domain"]),
    ("estate", &["domain", "runbook"]),
    ("aws", &["domain"]),
    ("probes", &["domain", "aws"]),
    ("steps", &["domain", "runbook", "aws", "probes"]),
    ("collect", &["domain", "aws", "probes"]),
    ("engine", &["domain", "runbook", "aws", "probes", "steps"]),
    ("outside", &["domain", "steps"]),
    ("sim", &["domain", "estate"]),
    ("report", &["domain", "runbook"]),
    ("tui", &["domain", "runbook", "estate", "report", "keymap", "theme"]),
    ("clock", &["domain"]),
    ("cli", &["*except", "tui"]),
    ("compose", &["*"]),
    ("main", &["*"]),
    ("lib", &["*"]),
];

/// Crates that one module alone may name, or the two at the ends of a wire: `(crate prefix, modules)`.
const OWNED_CRATES: &[(&str, &[&str])] = &[
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("aws_config", &["aws"]),
    ("aws_sdk_", &["aws"]),
    ("aws_smithy_", &["aws"]),
    ("aws_types", &["aws"]),
    ("aws_credential_types", &["aws"]),
    ("rusqlite", &["engine"]),
    // The simulator serves HTTP, the outside asks over it.
    ("hyper", &["sim", "outside"]),
    ("tokio_rustls", &["outside"]),
    ("rustls_native_certs", &["outside"]),
    ("jiff", &["domain"]),
    ("clap", &["cli"]),
];

struct Names {
    roots: BTreeSet<String>,
    pairs: BTreeSet<(String, String)>,
}

impl Names {
    fn add(&mut self, segments: &[String]) {
        if let Some(first) = segments.first() {
            self.roots.insert(first.clone());
            if let Some(second) = segments.get(1) {
                self.pairs.insert((first.clone(), second.clone()));
            }
        }
    }

    fn tree(&mut self, prefix: &[String], tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                let mut next = prefix.to_vec();
                next.push(path.ident.to_string());
                self.add(&next);
                self.tree(&next, &path.tree);
            }
            syn::UseTree::Name(name) => {
                let mut next = prefix.to_vec();
                next.push(name.ident.to_string());
                self.add(&next);
            }
            syn::UseTree::Rename(name) => {
                let mut next = prefix.to_vec();
                next.push(name.ident.to_string());
                self.add(&next);
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(prefix, item)),
            syn::UseTree::Glob(_) => {}
        }
    }
}

fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && quote_tokens(&a.meta).contains("test"))
}

fn quote_tokens(meta: &syn::Meta) -> String {
    match meta {
        syn::Meta::List(list) => list.tokens.to_string(),
        _ => String::new(),
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(i) => &i.attrs,
            syn::Item::Fn(i) => &i.attrs,
            syn::Item::Use(i) => &i.attrs,
            syn::Item::Impl(i) => &i.attrs,
            _ => return syn::visit::visit_item(self, item),
        };
        if !is_test_only(attributes) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 {
            self.add(&segments);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, found: &'ast syn::Macro) {
        // The inside of a macro is tokens: `a :: b` is enough to see who is named.
        let text = found.tokens.to_string();
        let words: Vec<&str> = text.split_whitespace().collect();
        for three in words.windows(3) {
            if three[1] == "::" {
                self.add(&[three[0].to_owned(), three[2].to_owned()]);
            }
        }
        syn::visit::visit_macro(self, found);
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src is readable").map(|e| e.expect("entry").path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            found.push(entry);
        }
    }
}

fn names_by_file() -> BTreeMap<PathBuf, Names> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("readable");
            let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            let mut names = Names { roots: BTreeSet::new(), pairs: BTreeSet::new() };
            names.visit_file(&parsed);
            (file.strip_prefix(&src).expect("under src").to_path_buf(), names)
        })
        .collect()
}

fn module_of(file: &Path) -> String {
    let first = file.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn is_test_file(file: &Path) -> bool {
    let in_tests = file.components().any(|folder| folder.as_os_str() == "tests");
    in_tests || file.file_stem().is_some_and(|stem| stem == "tests" || stem.to_string_lossy().ends_with("_tests"))
}

#[test]
fn every_module_names_only_those_it_may() {
    let modules: BTreeSet<&str> = MAY_NAME.iter().map(|(m, _)| *m).collect();
    let mut wrong = Vec::new();
    for (file, names) in names_by_file() {
        if is_test_file(&file) {
            continue;
        }
        let module = module_of(&file);
        let Some((_, allowed)) = MAY_NAME.iter().find(|(m, _)| *m == module) else {
            wrong.push(format!("{}: module `{module}` is not in the table", file.display()));
            continue;
        };
        for (root, named) in &names.pairs {
            let whose = root == "crate" || root == "pointsman";
            if !whose || *named == module || !modules.contains(named.as_str()) {
                continue;
            }
            let fine = match allowed {
                ["*"] => true,
                ["*except", not @ ..] => !not.contains(&named.as_str()),
                listed => listed.contains(&named.as_str()),
            };
            if !fine {
                wrong.push(format!("{} names `{named}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "who may name whom:\n  {}", wrong.join("\n  "));
}

#[test]
fn every_module_of_the_crate_is_in_the_table() {
    let in_table: BTreeSet<String> = MAY_NAME.iter().map(|(m, _)| (*m).to_owned()).collect();
    let in_tree: BTreeSet<String> = names_by_file().keys().map(|f| module_of(f)).collect();
    let missing: Vec<_> = in_tree.difference(&in_table).collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}

#[test]
fn foreign_crates_stay_behind_the_module_that_owns_them() {
    let mut wrong = Vec::new();
    for (file, names) in names_by_file() {
        let module = module_of(&file);
        for root in &names.roots {
            for (prefix, owners) in OWNED_CRATES {
                let hit = if prefix.ends_with('_') {
                    root.starts_with(prefix)
                } else {
                    root == prefix || root.starts_with(&format!("{prefix}_"))
                };
                // The thin binary reads its arguments.
                let binary = module == "main" && owners.contains(&"cli");
                if hit && !owners.contains(&module.as_str()) && !binary {
                    wrong.push(format!("{} names `{root}`, which belongs to {owners:?}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_centre_is_neither_async_nor_does_it_any_io() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for module in ["domain", "runbook", "keymap", "theme", "report"] {
        let mut files = Vec::new();
        sources(&src.join(module), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).expect("readable");
            let production = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in ["async fn", ".await", "std::fs", "std::net", "std::env", "std::process", "tokio"] {
                if production.contains(word) {
                    wrong.push(format!("{}: `{word}`", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_compose_makes_the_writing_client() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let makers: Vec<String> = names_by_file()
        .keys()
        .filter(|file| {
            let text = fs::read_to_string(src.join(file)).expect("readable");
            let production = text.split("#[cfg(test)]").next().unwrap_or_default();
            production.contains("write::writer(") || production.contains("aws::writer(")
        })
        .map(|file| file.display().to_string())
        .collect();
    assert_eq!(makers, ["compose.rs"], "the writing client is constructed in one place");
}

#[test]
fn only_the_machine_of_the_outside_starts_a_program() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in names_by_file().keys().filter(|file| !is_test_file(file)) {
        let text = fs::read_to_string(src.join(file)).expect("readable");
        let production = text.split("#[cfg(test)]").next().unwrap_or_default();
        let starts = production.contains("process::Command") || production.contains("Command::new");
        if starts && *file != Path::new("outside/machine.rs") {
            wrong.push(format!("{} starts a program", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let bare: Vec<String> = names_by_file()
        .keys()
        .filter(|file| !fs::read_to_string(src.join(file)).expect("readable").starts_with("//!"))
        .map(|file| file.display().to_string())
        .collect();
    assert!(bare.is_empty(), "without `//!`: {bare:?}");
}
