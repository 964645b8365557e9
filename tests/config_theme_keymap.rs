//! The corpus of theme and keymap files: `config/valid/**` loads without a remark, each file of `config/invalid/**`
//! fails with exactly the lines of its `.expected` sibling. `UPDATE_EXPECTED=1` writes them anew, for review.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use pointsman::{
    domain::diagnostic::{Diagnostic, Level, SourceFile, render},
    keymap, theme,
};

fn corpus(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()))
        .map(|entry| entry.expect("readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} holds no file");
    files
}

fn source(path: &Path) -> Arc<SourceFile> {
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    Arc::new(SourceFile { name, text: fs::read_to_string(path).expect("UTF-8") })
}

/// Reads a file of that kind: whether it loaded, and what was said.
fn read(kind: &str, path: &Path) -> (bool, Vec<Diagnostic>) {
    let file = source(path);
    if kind == "keymap" {
        let (keymap, found) = keymap::parse(&file);
        return (keymap.is_some(), found);
    }
    // A neighbour of the file first, then the bundled ones: how the program resolves `inherits` too.
    let resolve = |name: &str| {
        let neighbour = path.with_file_name(format!("{name}.toml"));
        if neighbour.exists() { Some(source(&neighbour)) } else { theme::bundled_source(name) }
    };
    let (theme, found) = theme::parse(&file, &resolve);
    (theme.is_some(), found)
}

fn valid_files_load(kind: &str) {
    for path in corpus(&format!("valid/{kind}")) {
        let (loaded, found) = read(kind, &path);
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(loaded && said.is_empty(), "{}: {said:#?}", path.display());
    }
}

fn invalid_files_fail_as_expected(kind: &str) {
    let mut wrong = Vec::new();
    for path in corpus(&format!("invalid/{kind}")) {
        let (loaded, found) = read(kind, &path);
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        let said = lines.join("\n") + "\n";
        let expected = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected, &said).expect("writable");
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert!(!wanted.is_empty(), "{} expects nothing", expected.display());
        assert!(!loaded, "{} loaded", path.display());
        assert!(found.iter().any(|d| d.level == Level::Error), "{} has no error", path.display());
        for diagnostic in &found {
            assert!(render(diagnostic).contains(&diagnostic.message), "the long form says the same");
        }
        if said != wanted {
            wrong.push(format!("{}\n--- expected\n{wanted}--- got\n{said}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn valid_themes_load_without_a_remark() {
    valid_files_load("theme");
}

#[test]
fn valid_keymaps_load_without_a_remark() {
    valid_files_load("keymap");
}

#[test]
fn invalid_themes_fail_with_exactly_the_expected_lines() {
    invalid_files_fail_as_expected("theme");
}

#[test]
fn invalid_keymaps_fail_with_exactly_the_expected_lines() {
    invalid_files_fail_as_expected("keymap");
}

#[test]
fn the_bundled_files_are_the_files_of_the_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, bundled) in [("themes", theme::bundled_names()), ("keymaps", keymap::bundled_names())] {
        let mut there: Vec<String> = fs::read_dir(root.join(folder))
            .expect("there")
            .map(|entry| entry.expect("readable").path())
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        there.sort();
        let mut bundled: Vec<String> = bundled.iter().map(ToString::to_string).collect();
        bundled.sort();
        assert_eq!(there, bundled, "a file in {folder}/ that nobody can load by name");
    }
}
