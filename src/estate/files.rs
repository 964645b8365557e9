//! Where the files of an estate come from: a folder, or the one inside the binary. Reading only; nothing here
//! knows what the files mean.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use include_dir::{Dir, include_dir};

use crate::domain::{Diagnostic, Level, diagnostic::SourceFile};

static BUNDLED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/estates/demo-bank");

/// How the files of the bundled estate are named in messages.
const BUNDLED_NAME: &str = "estates/demo-bank";

/// The most bytes of one file: an estate is written by people.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Folders of an estate that hold TOML files.
const FOLDERS: [&str; 3] = ["apps", "runbooks", "scenarios"];

/// Where an estate is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The demo bank inside the binary.
    Bundled,
    /// A folder with `estate.toml` in it.
    Folder(PathBuf),
}

impl Source {
    /// For the banner: `bundled`, or the folder.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Bundled => "bundled".to_owned(),
            Self::Folder(path) => path.display().to_string(),
        }
    }
}

/// The files of one estate, each list in the order of their names.
#[derive(Default)]
pub(super) struct Files {
    pub estate: Option<Arc<SourceFile>>,
    pub apps: Vec<Arc<SourceFile>>,
    pub runbooks: Vec<Arc<SourceFile>>,
    pub scenarios: Vec<Arc<SourceFile>>,
    /// What could not be read, or should not be there.
    pub diagnostics: Vec<Diagnostic>,
    /// The same of the scenarios: an estate is whole without them.
    pub scenario_diagnostics: Vec<Diagnostic>,
}

pub(super) fn read(source: &Source) -> Files {
    match source {
        Source::Bundled => bundled(),
        Source::Folder(path) => folder(path),
    }
}

fn bundled() -> Files {
    let mut files = Files::default();
    let list = |name: &str| {
        let mut found: Vec<Arc<SourceFile>> = BUNDLED
            .get_dir(name)
            .into_iter()
            .flat_map(Dir::files)
            .filter(|file| file.path().extension().is_some_and(|e| e == "toml"))
            .filter_map(|file| {
                Some(source_file(format!("{BUNDLED_NAME}/{}", file.path().display()), file.contents_utf8()?))
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    };
    files.estate = BUNDLED
        .get_file("estate.toml")
        .and_then(include_dir::File::contents_utf8)
        .map(|text| source_file(format!("{BUNDLED_NAME}/estate.toml"), text));
    files.apps = list("apps");
    files.runbooks = list("runbooks");
    files.scenarios = list("scenarios");
    if files.estate.is_none() {
        files.diagnostics.push(trouble(
            BUNDLED_NAME.to_owned(),
            "no-estate",
            "the binary holds no estate".into(),
            None,
        ));
    }
    files
}

fn source_file(name: String, text: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile { name, text: text.to_owned() })
}

fn trouble(name: String, code: &'static str, message: String, help: Option<String>) -> Diagnostic {
    let file = Arc::new(SourceFile { name, text: String::new() });
    Diagnostic { level: Level::Error, code, file, span: 0..0, message, help }
}

fn folder(root: &Path) -> Files {
    let mut files = Files::default();
    let estate = root.join("estate.toml");
    if !estate.is_file() {
        // A wrong estate is never replaced by another one, least of all by a simulation (DESIGN section 2, 8).
        let help = Some("name the folder that holds estate.toml".into());
        let message = "there is no estate here: no file `estate.toml`".to_owned();
        files.diagnostics.push(trouble(root.display().to_string(), "no-estate", message, help));
        return files;
    }
    files.estate = text(&estate, &mut files.diagnostics);
    for path in toml_files(root, &mut files.diagnostics) {
        if path != estate {
            let help = Some(format!("estate.toml, {}/*.toml", FOLDERS.join("/*.toml, ")));
            let message = "nobody reads this file".to_owned();
            files.diagnostics.push(trouble(path.display().to_string(), "unexpected-file", message, help));
        }
    }
    let read = |name: &str, trouble: &mut Vec<Diagnostic>| -> Vec<Arc<SourceFile>> {
        let path = root.join(name);
        if !path.is_dir() {
            return Vec::new();
        }
        let paths = toml_files(&path, trouble);
        paths.iter().filter_map(|path| text(path, trouble)).collect()
    };
    files.apps = read("apps", &mut files.diagnostics);
    files.runbooks = read("runbooks", &mut files.diagnostics);
    files.scenarios = read("scenarios", &mut files.scenario_diagnostics);
    files
}

/// The `*.toml` files directly in a folder, by name.
fn toml_files(folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            // Editors leave `.#estate.toml` and the like.
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if !hidden && path.extension().is_some_and(|e| e == "toml") {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    };
    list().unwrap_or_else(|error| {
        diagnostics.push(trouble(folder.display().to_string(), "unreadable", error.to_string(), None));
        Vec::new()
    })
}

fn text(path: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<Arc<SourceFile>> {
    let name = path.display().to_string();
    let read = || -> Result<String, String> {
        let bytes = fs::metadata(path).map_err(|error| error.to_string())?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(format!("{bytes} bytes: larger than any file that a person writes"));
        }
        fs::read_to_string(path).map_err(|error| error.to_string())
    };
    match read() {
        Ok(text) => Some(source_file(name, &text)),
        Err(message) => {
            diagnostics.push(trouble(name, "unreadable", message, None));
            None
        }
    }
}
