//! The files of an estate -> validated types. Strict: what is not understood is an error with file, line, column
//! and what to do, all errors of all files at once; nothing is silently defaulted or dropped.
//!
//! Kinds of components and of steps come in as catalogues; this module names neither probes nor steps. It never
//! talks to AWS and never asks what time it is. Where to look next: [`lint`] (contradictions of policy),
//! [`defaults`] (what holds when a file is silent), `estates/demo-bank` (an example that says everything).
//!
//! # The files
//!
//! | file | holds |
//! |---|---|
//! | `estate.toml` | `[estate]`, `[regions]`, `[residency]`, `[access.*]`, `[[freeze]]`, and `[[app]]` |
//! | `apps/*.toml` | more `[[app]]`, in the order of the file names |
//! | `runbooks/*.toml` | one `[runbook]` and its `[[step]]` each |
//! | `scenarios/*.toml` | a timeline of faults for the simulator: [`scenarios`] |
//!
//! Durations are text with a unit (`"30m"`, `"1h30m"`, `"0.5s"`), sizes too (`"10TB"`), shares too (`"50%"`), times
//! carry their zone (`2026-11-08T10:00:00+05:30`), accounts are twelve digits in quotes.
//!
//! # `estate.toml`
//!
//! ```toml
//! [estate]
//! name = "Demo bank"
//! time_zone = "Asia/Kolkata"           # IANA name: in which people on the bridge speak
//! expects_account = "111122223333"     # acting in any other account is refused
//!
//! [regions]                            # home roles; who writes now is observed
//! primary  = { id = "ap-south-1", name = "Mumbai" }
//! recovery = { id = "ap-south-2", name = "Hyderabad" }
//!
//! [residency]
//! data = ["ap-south-1", "ap-south-2"]          # data lives only here
//! control_planes = ["us-east-1", "us-west-2"]  # metadata of global services may (default: none)
//!
//! [access.primary]                     # optional, as is each key; default: the SDK's own chain
//! profile = "bank-mumbai"
//! role = "arn:aws:iam::111122223333:role/pointsman"
//! account = "111122223333"             # where it is not the estate's
//! ```
//!
//! # `[[app]]`
//!
//! Required: `id`, `name`, `tier` (1 to 5), `criticality` (the bank's own word), `strategy` (`backup-restore`,
//! `pilot-light`, `warm-standby`, `active-passive`, `active-active`, `snapshot-copy`), one `[[app.component]]`.
//! Optional: `rpo`, `rto` (none: a warning, and `NoTarget`), `depends_on`, `note`, and
//!
//! ```toml
//! backup = { every = "1h", retention = "1d", start_window = "60m", duration_p99 = "37m", copy_to = "recovery" }
//! # start_window: default and minimum 60m · duration_p99: default 30m · copy_to: default none
//! runbooks = { failover = "…", switchover = "…", failback = "…", re-protect = "…" }
//! served = { namespace = "Bank/Edge", good = "RequestsServed", total = "RequestsTotal", dimensions = { App = "…" } }
//! timings = { detection = "3m", decision = "5m", dns_ttl = "60s", verification = "60s" }   # these are the defaults
//! # execution = "1h40m" beside them: how long the recovery takes, as long as no failover runbook tells it (default none)
//! accepted = { owner = "…", since = 2026-11-02T10:00:00+05:30, until = 2027-01-31T10:00:00+05:30, reason = "…" }
//!
//! [[app.drill]]
//! name = "drill 14"
//! at = 2026-11-08T10:00:00+05:30
//! rto = "52s"                          # measured, from declaration; rpo likewise; both optional
//! runbook = "payments-switchover"      # optional: the proof lapses when that file changes
//! findings_open = 0                    # default 0
//! next_due = 2027-05-08T10:00:00+05:30
//!
//! [[app.component]]
//! id = "vendor-db"
//! kind = "aws-backup"                  # a row of the catalogue in src/probes
//! mandatory = true                     # default
//! role = "data"                        # data, run, edge, link; default: the kind's
//! rpo = "30m"                          # default: the app's
//! resource = "arn:aws:rds:…"           # the kind's own parameters
//! ```
//!
//! # `runbooks/*.toml`
//!
//! ```toml
//! [runbook]
//! id = "payments-failover"             # the file is called so
//! kind = "failover"                    # failover, switchover, failback, re-protect, drill-only
//! title = "Move Payments to Hyderabad"
//! for = ["payments"]                   # and/or strategies = ["active-passive"]; [] for a part that others nest
//! on_success = { offer = "payments-failback" }
//!
//! [[parameter]]                        # a step says "$database"; text that begins with $ is written $$
//! name = "database"
//! type = "component"                   # text, duration, number, flag, side, component, choice
//! kinds = ["rds-instance"]             # of a component; a choice says of = ["a", "b"]
//! required = true                      # every app that it is for says it; or default = …, or neither: may be missing
//! doc = "Whose data it is."
//!
//! [[step]]
//! id = "promote"
//! title = "Promote Hyderabad"
//! kind = "aurora.failover-global"      # a row of the catalogue in src/steps, with its parameters
//! guards = [ … ]
//! hazard = "data-loss"                 # default: the kind's; can only be raised
//! timeout = "10m"                      # default: the kind's; expect likewise
//! expect = "40s"
//! on_failure = "park"                  # default; "continue" only for steps that read
//! retries = 3                          # 1 to 20, only for steps that read; every = "10s" between them
//! after = ["gone"]                     # default: the step before it in the file; [] = none
//! only = "drill"                       # or "real"; default: always
//! if = "database"                      # only where that parameter has a value, or that flag is true
//!
//! [[step]]                             # branches beside each other, each in order; `after` waits for all of them
//! id = "both"
//! kind = "parallel"
//! title = "Data and compute"
//! branches = [["restore", "answers"], ["scale"]]
//!
//! [[step]]                             # another file's steps in this place, as `prepare/<its step>`; one level
//! id = "prepare"
//! kind = "runbook"
//! title = "Prepare Hyderabad"
//! runbook = "prepare-hyderabad"
//! with = { database = "$database" }
//! ```
//!
//! What a parameter is, by who says it first: `--set name=value`, the app's `[app.parameters.<runbook>]`, its default.
//! As a drill, a step that leaves something behind (an instance, a snapshot) needs a later step that takes it away:
//! without one a drill does not start.
//!
//! # `[[freeze]]`, in `estate.toml`
//!
//! ```toml
//! [[freeze]]                           # holds back planned moves, never a failover
//! name = "Quarter end"
//! from = 2026-12-28T00:00:00+05:30     # or weekly = { day = "friday", from = "22:00", to = "06:00" }
//! to = 2027-01-02T00:00:00+05:30
//! apps = ["core-banking"]              # or all = true
//! kinds = ["switchover"]               # default: every kind but failover
//! ```
//!
//! Signals, in `signals = [ … ]` and as guards:
//! `{ unreachable = "primary", from_vantage_points = 2 }` (default 2) · `{ reachable = "primary" }` ·
//! `{ metric = "<component>", below = 1 }` or `at_least` · `{ health_check = "<component>", is = "unhealthy" }` ·
//! `{ served = "<app>", below = "50%" }` or `at_least` · `{ writer = "<component>", in = "recovery" }` ·
//! `{ replicating = "<component>" }` · `{ lag_at_most = "5s", component = "<component>" }` ·
//! `{ verdict = ["met", "at-risk"] }` (of the app, or of `component`) ·
//! `{ recovery_point_newer_than = "2h", component = "<component>", region = "recovery" }` (by data time) ·
//! `{ quorum = 2, of = [ { … }, { … } ] }`.
//!
//! Guards only: `{ lag_at_most = "5s", in_outage = "last-sample" }` (of `component`, else of the step's own) ·
//! `{ ready_for = "100%", region = "recovery" }` · `{ fenced = "primary" }` · `{ not_since = "30m" }` ·
//! `{ images_equal = "<component>" }` and `{ configuration_equal = "<component>" }` (a metric that counts differences, or
//! `attested = "<checklist step before it>"`) · `{ not_inside = "primary", attested = "<step>" }` ·
//! `{ credentials_outlive = "1h", region = "recovery" }` · `{ ttl_at_most = "60s", component = "<record>" }` ·
//! `{ freeze = "none" }` · `{ window = "saturday", opens = "22:00", lasts = "4h" }` (or `"daily"`).
//! Any guard may add `override = "reason-and-authoriser"`; without it nobody can override it.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use crate::domain::{
    App, Diagnostic, Estate, Level, SafeText,
    diagnostic::SourceFile,
    document::{self, Report},
    freeze::Freeze,
    kind::KindSpec,
};
use crate::runbook::spec::{RunbookSpec, StepKindSpec};

mod apps;
pub mod defaults;
mod files;
mod freezes;
mod head;
pub mod lint;
mod resolve;
mod runbooks;
pub mod scenarios;
pub mod schema;
mod signals;
mod values;

pub use files::Source;
pub use lint::dated_warnings;

/// What came of reading an estate.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// `None` when there is any error: half an estate is never shown as a whole one.
    pub estate: Option<Arc<Estate>>,
    /// Empty when there is any error.
    pub runbooks: Vec<Arc<RunbookSpec>>,
    /// Everything found, by file and then by place; warnings too.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.level == Level::Error)
    }
}

/// Reads an estate and its runbooks.
#[must_use]
pub fn load(source: &Source, kinds: &[&'static KindSpec], step_kinds: &[&'static StepKindSpec]) -> Loaded {
    let mut files = files::read(source);
    let diagnostics = std::mem::take(&mut files.diagnostics);
    interpret(&source.name(), &files, diagnostics, kinds, step_kinds)
}

/// Reads an estate that is one text, e.g. in a test: `estate.toml` and any number of runbooks.
#[must_use]
pub fn load_text(
    estate: &str,
    runbooks: &[&str],
    kinds: &[&'static KindSpec],
    step_kinds: &[&'static StepKindSpec],
) -> Loaded {
    let file = |name: String, text: &str| Arc::new(SourceFile { name, text: text.to_owned() });
    let files = files::Files {
        estate: Some(file("estate.toml".to_owned(), estate)),
        runbooks: runbooks.iter().enumerate().map(|(n, text)| file(format!("runbooks/{n}.toml"), text)).collect(),
        ..files::Files::default()
    };
    interpret("text", &files, Vec::new(), kinds, step_kinds)
}

fn interpret(
    origin: &str,
    files: &files::Files,
    mut diagnostics: Vec<Diagnostic>,
    kinds: &[&'static KindSpec],
    step_kinds: &[&'static StepKindSpec],
) -> Loaded {
    let mut reports: Vec<Report> = Vec::new();
    let policy = lint::Policy::default();

    let mut head = head::Head::default();
    let mut ground = values::Ground::default();
    let mut app_drafts: Vec<apps::Draft> = Vec::new();
    let mut parsed = true;
    let (mut freezes, mut frozen_apps) = (Vec::new(), Vec::new());
    if let Some(file) = &files.estate {
        let (document, report) = document::parse(file);
        reports.push(report);
        parsed = document.is_some();
        if let Some(document) = document {
            let root = document.root();
            head = head::read(&root);
            ground = head.ground();
            (freezes, frozen_apps) = freezes::read(&root);
            app_drafts.extend(root.tables("app").into_iter().map(|t| apps::read(t, kinds, &ground, &policy)));
            root.done();
        }
    }
    for file in &files.apps {
        let (document, report) = document::parse(file);
        reports.push(report);
        let Some(document) = document else {
            parsed = false;
            continue;
        };
        let root = document.root();
        app_drafts.extend(root.tables("app").into_iter().map(|t| apps::read(t, kinds, &ground, &policy)));
        root.done();
    }
    resolve::duplicates("app", app_drafts.iter().filter_map(|draft| draft.named.as_ref()));
    let app_ids: Vec<String> = app_drafts.iter().filter_map(|d| d.named.as_ref()).map(|n| n.id.clone()).collect();
    let mut apps: Vec<App> = app_drafts.iter().filter_map(|draft| draft.app.clone()).collect();

    let parsed_runbooks: Vec<_> = files.runbooks.iter().map(|file| (file, document::parse(file))).collect();
    reports.extend(parsed_runbooks.iter().map(|(_, (_, report))| report.clone()));
    let component_kinds: Vec<&'static str> = kinds.iter().map(|kind| kind.id).collect();
    let heads: Vec<runbooks::Head<'_, '_>> = parsed_runbooks
        .iter()
        .filter_map(|(_, (document, report))| Some(runbooks::head(document.as_ref()?, report, &component_kinds)))
        .collect();
    runbooks::bind_apps(&heads, &app_drafts, &mut apps);
    let around = runbooks::Surroundings { apps: &apps, app_ids: &app_ids, kinds: step_kinds, ground: &ground };
    let mut runbook_drafts: Vec<runbooks::Draft> = Vec::new();
    for head in &heads {
        if let Some(named) = &head.named {
            file_name(named, named.report.file());
        }
        runbook_drafts.push(runbooks::read(head, &heads, &app_drafts, &around));
    }
    resolve::duplicates("runbook", runbook_drafts.iter().filter_map(|draft| draft.named.as_ref()));
    freezes::resolve(&frozen_apps, &app_ids);
    resolve::apps(&app_drafts, &runbook_drafts);
    resolve::offers(&runbook_drafts);
    if let (true, true, Some(estate)) = (parsed, app_drafts.is_empty(), reports.first()) {
        estate.error("no-app", 0..0, "the estate has no app", Some("add an [[app]]".into()));
    }

    diagnostics.extend(reports.iter().flat_map(|report| once_each(report.take())));
    let broken = diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error);
    let estate = if broken { None } else { assemble(origin, head, freezes, apps, policy) };
    let runbooks = if estate.is_some() {
        runbook_drafts.into_iter().filter_map(|draft| draft.runbook).map(Arc::new).collect()
    } else {
        Vec::new()
    };
    Loaded { estate: estate.map(Arc::new), runbooks, diagnostics }
}

/// A file that is nested in several others is read once for each: what is wrong in it is said once.
fn once_each(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut seen = BTreeSet::new();
    let first = |d: &Diagnostic| seen.insert((d.span.start, d.span.end, d.code, d.message.clone()));
    let mut found = found;
    found.retain(first);
    found
}

/// A runbook is found by its file name on the bridge: it has to be its id. Texts without a folder are exempt.
fn file_name(named: &apps::Named, file: &SourceFile) {
    let stem = Path::new(&file.name).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if stem != named.id && stem.parse::<usize>().is_err() {
        let help = Some(format!("name the file {}.toml", named.id));
        let message = format!("the id `{}` is not the name of its file", named.id);
        named.report.error("file-name", named.span.clone(), message, help);
    }
}

/// Everything required was read, or reported: with no error all parts are there.
fn assemble(
    origin: &str,
    head: head::Head,
    freezes: Vec<Freeze>,
    apps: Vec<App>,
    policy: lint::Policy,
) -> Option<Estate> {
    Some(Estate {
        name: head.name?,
        origin: SafeText::new(origin),
        zone: head.zone?,
        expects_account: head.expects_account?,
        regions: head.regions?,
        residency: head.residency?,
        access: head.access,
        freezes,
        apps,
        warnings: policy.take(),
    })
}
