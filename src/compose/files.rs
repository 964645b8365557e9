//! What people write, found and read: the estate, scenarios, themes, keymaps; and where the journal lies.
//!
//! Must never: turn a missing or wrong estate into a simulation, or hide a mistake: all of them are said at once.
//! Where to look next: [`super::Core`], which joins what is read here; `estate`, which reads it.

use std::{path::PathBuf, sync::Arc};

use crate::{
    cli::{Common, exit::Failure},
    clock::SystemClock,
    domain::{
        Clock as _, Diagnostic, Estate,
        app::PolicyWarning,
        diagnostic::{Level, SourceFile, render},
        scenario::Scenario,
    },
    estate,
    keymap::{self, Keymap},
    probes,
    runbook::spec::RunbookSpec,
    sim, steps,
    theme::{self, Theme},
};

/// The estate's files, read and found whole.
#[derive(Clone, Debug)]
pub struct Files {
    pub estate: Arc<Estate>,
    pub runbooks: Vec<Arc<RunbookSpec>>,
    /// Behind the estate: AWS, or the simulator inside this process.
    pub backing: Backing,
    /// What goes wrong in the simulator, where one was named.
    pub scenario: Option<Arc<Scenario>>,
}

impl Files {
    /// A scenario has a speed of its own, unless the person said another than the usual one.
    #[must_use]
    pub fn speed(&self, common: &Common) -> f64 {
        let usual = (common.speed - 1.0).abs() < f64::EPSILON;
        self.scenario.as_ref().filter(|_| usual).map_or(common.speed, |scenario| scenario.speed)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    Aws,
    EmbeddedSimulator,
}

/// What `check` found.
#[derive(Debug)]
pub struct Checked {
    pub what: String,
    pub diagnostics: Vec<Diagnostic>,
    /// What only today's date can tell.
    pub dated: Vec<PolicyWarning>,
}

/// Which estate is meant: named, else in the XDG config folder, else the bundled one on the simulator.
///
/// # Errors
/// A named folder that does not exist.
fn source(common: &Common) -> Result<(estate::Source, Backing), Failure> {
    let backing = if common.sim { Backing::EmbeddedSimulator } else { Backing::Aws };
    if let Some(folder) = &common.estate {
        if folder.as_os_str() == "bundled" {
            return Ok((estate::Source::Bundled, backing));
        }
        if !folder.is_dir() {
            return Err(Failure::usage([
                format!("estate {}: no such folder", folder.display()),
                "name a folder that holds estate.toml, or `--estate bundled`; nothing was simulated instead".to_owned(),
            ]));
        }
        return Ok((estate::Source::Folder(folder.clone()), backing));
    }
    if let Some(folder) = config_folder().map(|f| f.join("estate")).filter(|f| f.is_dir()) {
        return Ok((estate::Source::Folder(folder), backing));
    }
    // Nothing named anywhere. An endpoint in the environment names where to read from: the bundled estate there.
    let endpoint = std::env::vars().any(|(name, value)| name.starts_with("AWS_ENDPOINT_URL") && !value.is_empty());
    let backing = if endpoint && !common.sim { Backing::Aws } else { Backing::EmbeddedSimulator };
    Ok((estate::Source::Bundled, backing))
}

fn config_folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    etcetera::choose_base_strategy().ok().map(|dirs| dirs.config_dir().join("pointsman"))
}

pub(super) fn state_folder(common: &Common) -> Result<PathBuf, Failure> {
    use etcetera::BaseStrategy as _;
    if let Some(folder) = &common.state {
        return Ok(folder.clone());
    }
    let dirs = etcetera::choose_base_strategy().map_err(|e| {
        Failure::usage([format!("no home folder: {e}"), "name a folder for the journal with --state".to_owned()])
    })?;
    Ok(dirs.state_dir().unwrap_or_else(|| dirs.data_dir()).join("pointsman"))
}

/// Reads and validates the estate.
///
/// # Errors
/// Every mistake of every file at once, with file, line and column.
pub fn load_estate(common: &Common) -> Result<Files, Failure> {
    let (source, backing) = source(common)?;
    let loaded = estate::load(&source, probes::CATALOGUE, steps::CATALOGUE);
    let errors: Vec<&Diagnostic> = loaded.diagnostics.iter().filter(|d| d.level == Level::Error).collect();
    match loaded.estate {
        Some(estate) if errors.is_empty() => {
            // What only a date can tell (drills overdue, acceptances lapsed) is found against today.
            let mut dated = (*estate).clone();
            dated.warnings.extend(estate::dated_warnings(&estate, SystemClock::default().wall()));
            let scenario = scenario(common, &source, &dated)?;
            Ok(Files { estate: Arc::new(dated), runbooks: loaded.runbooks, backing, scenario })
        }
        _ => Err(broken("the estate has errors", &errors)),
    }
}

/// The scenario that is named: one of the estate's, else a file.
fn scenario(common: &Common, source: &estate::Source, estate: &Estate) -> Result<Option<Arc<Scenario>>, Failure> {
    let Some(wanted) = &common.scenario else { return Ok(None) };
    let (known, _) = estate::scenarios::load(source, estate, sim::fault::CATALOGUE);
    let ids: Vec<&str> = known.iter().map(|scenario| scenario.id.as_str()).collect();
    if let Some(found) = known.iter().find(|scenario| scenario.id == *wanted) {
        return Ok(Some(Arc::new(found.clone())));
    }
    let file = read_named("scenario", wanted, &ids)?;
    let (found, diagnostics) = estate::scenarios::parse(&file, estate, sim::fault::CATALOGUE);
    let errors: Vec<&Diagnostic> = diagnostics.iter().collect();
    found.map(|scenario| Some(Arc::new(scenario))).ok_or_else(|| broken("the scenario has errors", &errors))
}

fn broken(what: &str, errors: &[&Diagnostic]) -> Failure {
    let mut lines = vec![format!("{what}: {}", errors.len())];
    lines.extend(errors.iter().flat_map(|d| render(d).lines().map(str::to_owned).collect::<Vec<_>>()));
    lines.push("correct the files; `pointsman check` reads them again".to_owned());
    Failure::usage(lines)
}

/// The bundled theme of that name, or a file; `NO_COLOR` and the terminal's depth are applied by the console.
pub fn load_theme(common: &Common) -> Result<Theme, Failure> {
    let wanted = common.theme.as_deref().unwrap_or("default");
    if let Some(theme) = Theme::bundled(wanted) {
        return Ok(theme);
    }
    let file = read_named("theme", wanted, &theme::bundled_names())?;
    let (theme, diagnostics) = theme::parse(&file, &theme::bundled_source);
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|d| d.level == Level::Error).collect();
    theme.filter(|_| errors.is_empty()).ok_or_else(|| broken("the theme has errors", &errors))
}

/// The bundled keymap of that name, or a file.
pub fn load_keymap(common: &Common) -> Result<Keymap, Failure> {
    let wanted = common.keymap.as_deref().unwrap_or("default");
    if let Some(keymap) = keymap::bundled(wanted) {
        return Ok(keymap);
    }
    let file = read_named("keymap", wanted, &keymap::bundled_names())?;
    let (keymap, diagnostics) = keymap::parse(&file);
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|d| d.level == Level::Error).collect();
    keymap.filter(|_| errors.is_empty()).ok_or_else(|| broken("the keymap has errors", &errors))
}

fn read_named(what: &str, wanted: &str, bundled: &[&str]) -> Result<Arc<SourceFile>, Failure> {
    match std::fs::read_to_string(wanted) {
        Ok(text) => Ok(Arc::new(SourceFile { name: wanted.to_owned(), text })),
        Err(error) => Err(Failure::usage([
            format!("--{what} {wanted}: neither a bundled {what} nor a readable file ({error})"),
            format!("bundled: {}", bundled.join(", ")),
        ])),
    }
}

/// Everything that people write, read for `check`.
pub fn check(common: &Common) -> Result<Checked, Failure> {
    let (source, _) = source(common)?;
    let loaded = estate::load(&source, probes::CATALOGUE, steps::CATALOGUE);
    let dated =
        loaded.estate.as_deref().map(|e| estate::dated_warnings(e, SystemClock::default().wall())).unwrap_or_default();
    let mut diagnostics = loaded.diagnostics;
    if let Some(estate) = &loaded.estate {
        diagnostics.extend(estate::scenarios::load(&source, estate, sim::fault::CATALOGUE).1);
    }
    if let Some(wanted) = common.theme.as_deref().filter(|w| Theme::bundled(w).is_none()) {
        let file = read_named("theme", wanted, &theme::bundled_names())?;
        diagnostics.extend(theme::parse(&file, &theme::bundled_source).1);
    }
    if let Some(wanted) = common.keymap.as_deref().filter(|w| keymap::bundled(w).is_none()) {
        let file = read_named("keymap", wanted, &keymap::bundled_names())?;
        diagnostics.extend(keymap::parse(&file).1);
    }
    let what = match &source {
        estate::Source::Bundled => "the bundled estate".to_owned(),
        estate::Source::Folder(folder) => folder.display().to_string(),
    };
    Ok(Checked { what, diagnostics, dated })
}

pub(super) const fn journal_name(backing: Backing) -> &'static str {
    match backing {
        Backing::EmbeddedSimulator => "simulated.db",
        Backing::Aws => "journal.db",
    }
}

/// The journal that a run with these options would be written to. Needs neither AWS nor an estate that can be read.
///
/// # Errors
/// When there is no home folder and none is named.
pub fn journal(common: &Common) -> Result<PathBuf, Failure> {
    let backing = if common.sim { Backing::EmbeddedSimulator } else { Backing::Aws };
    let backing = source(common).map_or(backing, |(_, backing)| backing);
    Ok(state_folder(common)?.join(journal_name(backing)))
}
