//! All that the console knows, in one value. Changed by [`super::update()`] only; drawing never changes it.
//!
//! It holds shared pictures (`Arc`), never clients, channels or clocks: the time is whatever the last message said.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{
    dialog::Dialog,
    filter::Filter,
    summary::Summary,
    tables::{self, List, Target},
    wave::WavePane,
    widgets::{Styles, table::Direction},
};
use crate::{
    domain::{
        AppId, Estate, Mode, Picture, RunbookId, SafeText, Snapshot, Timestamp, app::App, call::CallRecord,
        compliance::Assessment,
    },
    keymap::{Context, Key, Keymap, Row},
    runbook::{
        bind::Occasion,
        plan::Plan,
        run::{RunId, RunState, Runs},
        spec::RunbookSpec,
        switching::Switching,
    },
    theme::Theme,
};

/// What the console starts with, before anything was read.
#[derive(Debug)]
pub struct Opening {
    pub estate: Arc<Estate>,
    pub runbooks: Arc<[RunbookSpec]>,
    pub keymap: Arc<Keymap>,
    /// Already reduced to what the terminal can show ([`Theme::at_depth`], [`Theme::without_colour`]); the first
    /// one is in use, `next-theme` goes through the others. Never empty.
    pub themes: Vec<Arc<Theme>>,
    pub mode: Mode,
    /// Whether runs that are declared here are rehearsals.
    pub occasion: Occasion,
    pub now: Timestamp,
    /// Columns and rows; the runtime corrects it before the first frame.
    pub size: (u16, u16),
    /// Something to say on the first screen: an estate that was not named, a run that was found.
    pub notice: Option<SafeText>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    Board,
    App(AppId),
    Backups,
    Replication,
    Regions,
    Runbooks,
    Plan,
    Run(RunId),
    /// What another runbook would change in that run.
    Switch(RunId),
    /// A wave that is put together.
    Wave,
    /// The runs of the wave of that id.
    WaveRuns(String),
    Calls,
    /// The keys of the screen from which it was asked for.
    Help(Context),
}

impl Screen {
    #[must_use]
    pub const fn context(&self) -> Context {
        match self {
            Self::Board => Context::Board,
            Self::App(_) => Context::App,
            Self::Backups => Context::Backups,
            Self::Replication => Context::Replication,
            Self::Regions => Context::Regions,
            Self::Runbooks => Context::Runbooks,
            Self::Plan => Context::Plan,
            Self::Run(_) => Context::Run,
            Self::Switch(_) => Context::Switch,
            Self::Wave => Context::Wave,
            Self::WaveRuns(_) => Context::WaveRuns,
            Self::Calls => Context::Calls,
            Self::Help(_) => Context::Help,
        }
    }
}

/// Where the person stands on one screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    pub selected: usize,
    /// What the person put the cursor on: it stays with that, wherever the row goes. `None`: nothing was chosen yet,
    /// and it stays at the top, with the worst.
    pub on: Option<Target>,
    /// Columns scrolled to the right.
    pub shift: u16,
    pub filter: Filter,
    pub sort: Option<(usize, Direction)>,
}

#[derive(Clone, Debug, Default)]
pub enum PlanPane {
    #[default]
    Nothing,
    Asked(String),
    Ready(Arc<Plan>),
    Failed(SafeText),
}

/// What another runbook would change, as far as it is known.
#[derive(Clone, Debug)]
pub enum Looked {
    Asked,
    Ready(Arc<Switching>),
    Failed(SafeText),
}

/// The preview of a switch.
#[derive(Clone, Debug)]
pub struct SwitchPane {
    pub run: RunId,
    /// Runbooks to choose from; empty for a drill that is turned real.
    pub choices: Vec<RunbookId>,
    pub at: usize,
    pub looked: Looked,
}

impl SwitchPane {
    #[must_use]
    pub const fn ready(&self) -> Option<&Arc<Switching>> {
        match &self.looked {
            Looked::Ready(change) => Some(change),
            Looked::Asked | Looked::Failed(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Said,
    Refused,
}

#[derive(Clone, Debug)]
pub struct Notice {
    pub text: SafeText,
    pub tone: Tone,
    /// Monotonic; it goes away by itself.
    pub until: Duration,
}

/// How an app's exposure went, as this console saw it; one point per picture with a new reading.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub points: Vec<(Timestamp, f64)>,
}

/// Points kept per app: 6 h at one a minute.
const HISTORY_POINTS: usize = 360;

#[derive(Debug)]
pub struct State {
    pub estate: Arc<Estate>,
    pub runbooks: Arc<[RunbookSpec]>,
    pub keymap: Arc<Keymap>,
    pub themes: Vec<Arc<Theme>>,
    pub theme_at: usize,
    pub styles: Styles,
    pub size: (u16, u16),
    /// Estate time, as of the last tick or key.
    pub now: Timestamp,
    pub monotonic: Duration,

    /// What is on screen; while frozen, not the newest.
    pub picture: Arc<Picture>,
    /// Set while frozen: the newest picture that is held back.
    pub held_back: Option<Arc<Picture>>,
    pub runs: Arc<Runs>,
    pub calls: Arc<[CallRecord]>,
    pub plan: PlanPane,
    pub switching: Option<SwitchPane>,
    pub wave: Option<WavePane>,
    pub occasion: Occasion,
    pub history: BTreeMap<AppId, History>,
    /// Of `picture`.
    pub summary: Summary,
    /// Where each app stands in the estate.
    app_places: HashMap<AppId, usize>,

    /// Never empty; the last one is shown.
    pub screens: Vec<Screen>,
    pub places: BTreeMap<Context, Place>,
    /// The app that was meant last, on whatever screen.
    pub last_app: Option<AppId>,
    /// Rows of the screen shown, if it is a list.
    pub list: List,

    pub dialog: Option<Dialog>,
    /// The filter line is open for typing.
    pub typing_filter: bool,
    pub pending: Vec<Key>,
    /// What the begun chord can become.
    pub pending_rows: Vec<Row>,
    pub notice: Option<Notice>,
}

impl State {
    #[must_use]
    pub fn new(opening: Opening) -> Self {
        let Opening { estate, runbooks, keymap, themes, mode, occasion, now, size, notice } = opening;
        let styles = Styles::of(themes.first().expect("an opening has at least one theme"));
        let picture = Arc::new(Picture {
            snapshot: Arc::new(Snapshot::empty(mode, now)),
            judged_at: now,
            assessments: Vec::new(),
        });
        let summary = Summary::of(&estate, &picture);
        let app_places = estate.apps.iter().enumerate().map(|(n, app)| (app.id.clone(), n)).collect();
        let mut state = Self {
            estate,
            runbooks,
            keymap,
            themes,
            theme_at: 0,
            styles,
            size,
            now,
            monotonic: Duration::ZERO,
            picture,
            held_back: None,
            runs: Arc::new(Runs::default()),
            calls: Arc::from([]),
            plan: PlanPane::Nothing,
            switching: None,
            wave: None,
            occasion,
            history: BTreeMap::new(),
            summary,
            app_places,
            screens: vec![Screen::Board],
            places: BTreeMap::new(),
            last_app: None,
            list: List::default(),
            dialog: None,
            typing_filter: false,
            pending: Vec::new(),
            pending_rows: Vec::new(),
            notice: None,
        };
        if let Some(text) = notice {
            state.say(text, Tone::Said);
        }
        state.refresh_list();
        state
    }

    #[must_use]
    pub fn screen(&self) -> &Screen {
        self.screens.last().unwrap_or(&Screen::Board)
    }

    /// Where keys go now.
    #[must_use]
    pub fn context(&self) -> Context {
        if self.dialog.is_some() {
            Context::Dialog
        } else if self.typing_filter {
            Context::Filter
        } else {
            self.screen().context()
        }
    }

    #[must_use]
    pub fn place(&self) -> Place {
        self.places.get(&self.screen().context()).cloned().unwrap_or_default()
    }

    pub fn place_mut(&mut self) -> &mut Place {
        let context = self.screen().context();
        self.places.entry(context).or_default()
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        self.picture.snapshot.mode
    }

    /// The mode as every banner, dialog and list says it: a rehearsal on the simulator is called one too.
    #[must_use]
    pub fn mode_word(&self) -> String {
        self.occasion.label(self.mode())
    }

    #[must_use]
    pub fn assessment(&self, id: &AppId) -> Option<&Assessment> {
        self.summary.place(id).and_then(|at| self.picture.assessments.get(at))
    }

    #[must_use]
    pub fn run(&self, id: RunId) -> Option<&Arc<RunState>> {
        self.runs.list.iter().find(|run| run.id == id)
    }

    /// The run on screen.
    #[must_use]
    pub fn run_shown(&self) -> Option<&Arc<RunState>> {
        match self.screen() {
            Screen::Run(id) => self.run(*id),
            _ => None,
        }
    }

    /// The run that a command is about: the one shown, or the one selected among those of a wave.
    #[must_use]
    pub fn run_meant(&self) -> Option<&Arc<RunState>> {
        self.run_of(self.screen())
    }

    #[must_use]
    pub fn run_of(&self, screen: &Screen) -> Option<&Arc<RunState>> {
        match (screen, self.selected_on(screen)) {
            (Screen::Run(id) | Screen::Switch(id), _) | (Screen::WaveRuns(_), Some(Target::Run(id))) => self.run(*id),
            _ => None,
        }
    }

    /// The wave that a command is about.
    #[must_use]
    pub fn wave_meant(&self) -> Option<String> {
        match (self.screen(), self.selected()) {
            (Screen::WaveRuns(id), _) | (_, Some(Target::Wave(id))) => Some(id.clone()),
            _ => None,
        }
    }

    #[must_use]
    pub fn plan_shown(&self) -> Option<&Arc<Plan>> {
        match &self.plan {
            PlanPane::Ready(plan) => Some(plan),
            _ => None,
        }
    }

    /// The run that is armed through this console, if any: what the banner says.
    #[must_use]
    pub fn armed(&self) -> Option<&Arc<RunState>> {
        self.runs.list.iter().find(|run| run.driven && !run.phase.ended())
    }

    /// What the selected row stands for.
    #[must_use]
    pub fn selected(&self) -> Option<&Target> {
        self.list.get(self.place().selected).map(|row| &row.target)
    }

    /// The same of another screen of the stack: what it was left on.
    #[must_use]
    pub fn selected_on(&self, screen: &Screen) -> Option<&Target> {
        if screen == self.screen() { self.selected() } else { self.places.get(&screen.context())?.on.as_ref() }
    }

    /// Holds the cursor of the screen shown to the row that it is on.
    pub(super) fn choose(&mut self) {
        let on = self.selected().filter(|target| **target != Target::Nothing).cloned();
        self.place_mut().on = on;
    }

    /// The app that a command about "the app" means here.
    #[must_use]
    pub fn app_meant(&self) -> Option<&App> {
        self.app_meant_on(self.screen())
    }

    /// The app to show where none is meant: the one that was meant last, else the estate's first.
    #[must_use]
    pub fn app_to_show(&self) -> Option<&App> {
        let last = || self.last_app.as_ref().and_then(|id| self.app(id));
        self.app_meant().or_else(last).or_else(|| self.estate.apps.first())
    }

    #[must_use]
    pub fn app_meant_on(&self, screen: &Screen) -> Option<&App> {
        let id = match (screen, self.selected_on(screen)) {
            (Screen::App(id), _) | (_, Some(Target::App(id) | Target::Component(id, _) | Target::Runbook(_, id))) => {
                id.clone()
            }
            (Screen::Run(run) | Screen::Switch(run), _) | (_, Some(Target::Run(run))) => {
                self.run(*run)?.plan.app.clone()
            }
            (Screen::Plan, _) => self.plan_shown()?.app.clone(),
            _ => return None,
        };
        self.app(&id)
    }

    /// As [`Estate::app`], without going through all of them.
    #[must_use]
    pub fn app(&self, id: &AppId) -> Option<&App> {
        self.app_places.get(id).and_then(|at| self.estate.apps.get(*at))
    }

    /// Shows another picture.
    pub(super) fn show(&mut self, picture: Arc<Picture>) {
        self.summary = Summary::of(&self.estate, &picture);
        self.picture = picture;
    }

    /// Rows of the screen shown: what `down` can reach.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self.screen() {
            Screen::Plan => self.plan_shown().map_or(0, |plan| plan.steps.len()),
            Screen::Run(id) => self.run(*id).map_or(0, |run| run.steps.len()),
            Screen::Switch(_) => super::view::switch::rows(self),
            Screen::Regions => super::view::regions::lines(self).iter().map(Vec::len).max().unwrap_or(0),
            Screen::Help(context) => super::view::help::lines(self, *context).len(),
            _ => self.list.len(),
        }
    }

    pub fn say(&mut self, text: SafeText, tone: Tone) {
        let stays = match tone {
            Tone::Said => Duration::from_secs(8),
            Tone::Refused => Duration::from_secs(30),
        };
        self.notice = Some(Notice { text, tone, until: self.monotonic + stays });
    }

    /// Makes the rows of the screen shown again; the cursor stays with what it was put on.
    pub fn refresh_list(&mut self) {
        let screen = self.screen().clone();
        let (estate, picture) = (&*self.estate, &*self.picture);
        self.list = match &screen {
            Screen::Board => tables::board::rows(estate, picture),
            Screen::App(id) => match estate.app(id) {
                Some(app) => tables::components::rows(estate, picture, app, self.assessment(id)),
                None => List::default(),
            },
            Screen::Backups => tables::backups::rows(estate, picture),
            Screen::Replication => tables::replication::rows(estate, picture),
            Screen::Runbooks => tables::runbooks::rows(estate, &self.runbooks, &self.runs),
            Screen::Wave => self.wave.as_ref().map_or_else(List::default, |pane| tables::wave::rows(estate, pane)),
            Screen::WaveRuns(wave) => tables::wave_runs::rows(&self.runs, wave, self.now),
            Screen::Calls => tables::calls::rows(estate, &self.calls),
            Screen::Regions | Screen::Plan | Screen::Run(_) | Screen::Switch(_) | Screen::Help(_) => List::default(),
        };
        self.arrange();
        // Of a wave only what one does to the selected row matters.
        if matches!(screen, Screen::Wave | Screen::WaveRuns(_)) && self.place().on.is_none() {
            self.choose();
        }
    }

    /// Filters and sorts again; nothing is formatted.
    pub fn arrange(&mut self) {
        let place = self.place();
        self.list.arrange(&place.filter, place.sort);
        if let Some(at) = place.on.and_then(|target| self.list.nearest(&target, place.selected)) {
            self.place_mut().selected = at;
        }
        self.clamp();
    }

    pub(super) fn clamp(&mut self) {
        let last = self.rows().saturating_sub(1);
        let place = self.place_mut();
        place.selected = place.selected.min(last);
    }

    /// Adds the picture's readings to the histories.
    pub(super) fn remember(&mut self, picture: &Picture) {
        for assessment in &picture.assessments {
            let (Some(figure), Some(at)) = (assessment.region_lost.exposure, assessment.region_lost.observed_at) else {
                continue;
            };
            let history = self.history.entry(assessment.app.clone()).or_default();
            if history.points.last().is_some_and(|(last, _)| at.since(*last) < Duration::from_secs(30)) {
                continue;
            }
            if history.points.len() == HISTORY_POINTS {
                history.points.remove(0);
            }
            history.points.push((at, figure.as_secs_f64()));
        }
    }
}
