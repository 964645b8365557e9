//! Dialogs: the friction before something acts. DESIGN section 6.
//!
//! A dialog never sends on Enter or on a letter: its fields must hold exactly what it asks for, and only then is
//! the sending chord of the keymap read. Nothing is preselected, pasted text is ignored, keys read before the
//! dialog was first drawn are ignored, and a figure of loss is frozen when the dialog opens.

use std::{sync::Arc, time::Duration};

use super::message::{Cmd, PlanRef};
use crate::{
    domain::{Hazard, Picture, SafeText, Side, StepId, Timestamp, snapshot::Reach, time::short_up},
    runbook::{
        plan::{GuardReading, Plan},
        run::{Answer, Ask, Declaration, Phase, Ruling, RunId, RunState},
    },
};

#[derive(Clone, Debug)]
pub enum Purpose {
    Declare { plan: Arc<Plan>, outage_at: Option<Timestamp> },
    Resume { run: RunId, outage_at: Option<Timestamp> },
    Rearm { run: RunId, outage_at: Option<Timestamp> },
    Loss { run: RunId, step: StepId, rounded: Duration },
    Override { run: RunId, step: StepId, guard: usize },
    Verdict { run: RunId, step: StepId },
    Confirm { run: RunId, step: StepId },
    Skip { run: RunId, step: StepId },
    Abandon { run: RunId },
    Note { run: RunId },
}

/// What a field takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// Anything of at least so many characters.
    Text { least: usize },
    /// One of these, whatever the case.
    OneOf(Vec<String>),
    /// Exactly this.
    Phrase(String),
    /// To be marked with `x` or the space bar.
    Mark,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub label: SafeText,
    pub hint: SafeText,
    pub want: Want,
    pub value: String,
}

/// The most characters a field takes: what an auditor reads on one line.
const FIELD_CHARS: usize = 200;

impl Field {
    fn new(label: impl AsRef<str>, hint: impl AsRef<str>, want: Want) -> Self {
        Self { label: SafeText::new(label), hint: SafeText::new(hint), want, value: String::new() }
    }

    #[must_use]
    pub fn satisfied(&self) -> bool {
        let typed = self.value.trim();
        match &self.want {
            Want::Text { least } => typed.chars().count() >= *least,
            Want::OneOf(words) => words.iter().any(|word| word.eq_ignore_ascii_case(typed)),
            Want::Phrase(phrase) => typed == phrase,
            Want::Mark => self.value == "x",
        }
    }

    /// Whether typing is over once the field is satisfied: then a letter begins the sending chord.
    #[must_use]
    const fn exact(&self) -> bool {
        matches!(self.want, Want::OneOf(_) | Want::Phrase(_))
    }

    /// Whether one more character could still lead to something it takes.
    fn could_become(&self, ch: char) -> bool {
        let longer = format!("{}{ch}", self.value.trim_start()).to_lowercase();
        match &self.want {
            Want::OneOf(words) => words.iter().any(|word| word.to_lowercase().starts_with(&longer)),
            Want::Phrase(phrase) => phrase.to_lowercase().starts_with(&longer),
            Want::Text { .. } | Want::Mark => false,
        }
    }

    pub(super) fn take(&mut self, ch: char) {
        if self.want == Want::Mark {
            if matches!(ch, 'x' | ' ') {
                self.value = if self.value.is_empty() { "x".to_owned() } else { String::new() };
            }
        } else if self.value.chars().count() < FIELD_CHARS {
            self.value.push_str(SafeText::new(ch.encode_utf8(&mut [0; 4])).as_str());
        }
    }
}

#[derive(Clone, Debug)]
pub struct Dialog {
    pub purpose: Purpose,
    pub title: SafeText,
    pub lines: Vec<SafeText>,
    pub fields: Vec<Field>,
    /// Up to `fields.len()`, which stands for "everything is filled in".
    pub focus: usize,
    pub hazard: Hazard,
    /// When the person first saw it; keys read before are ignored.
    pub first_drawn: Option<Duration>,
    /// Set when what it asks is not what is so any more: it cannot send.
    pub void: Option<SafeText>,
    pub note: Option<&'static str>,
}

impl Dialog {
    fn new(purpose: Purpose, title: impl AsRef<str>, lines: Vec<SafeText>, fields: Vec<Field>, hazard: Hazard) -> Self {
        Self {
            purpose,
            title: SafeText::new(title),
            lines,
            fields,
            focus: 0,
            hazard,
            first_drawn: None,
            void: None,
            note: None,
        }
    }

    /// Who, why and where to, typed as they stand now.
    #[must_use]
    pub fn declare(plan: &Arc<Plan>, picture: &Picture, primary: &crate::domain::RegionId) -> Self {
        let outage_at = outage_since(picture, primary);
        let mut lines = vec![
            SafeText::new(format!("{} · plan {}", plan.title, plan.hash.short())),
            SafeText::new(format!("{} · account {}", plan.mode_word, super::words::account(&plan.account))),
            SafeText::new(format!("{} goes to {} {}", plan.app_name, plan.target_name, plan.target_region)),
            "Arms this plan: 120 s to start, then until it parks or 15 min without a key.".into(),
        ];
        let blockers = plan.blockers().len();
        if blockers > 0 {
            lines.push(SafeText::new(format!(
                "does not hold now: {blockers}; each guard is read again before it counts."
            )));
        }
        let fields = declaration_fields(plan);
        Self::new(
            Purpose::Declare { plan: Arc::clone(plan), outage_at },
            format!("DECLARE · {}", plan.runbook),
            lines,
            fields,
            Hazard::Disruptive,
        )
    }

    /// Declared again: for a run whose arming lapsed, or that nobody drives.
    #[must_use]
    pub fn declare_again(run: &RunState, picture: &Picture, primary: &crate::domain::RegionId) -> Self {
        let outage_at = run.declaration.outage_at.or_else(|| outage_since(picture, primary));
        let (purpose, title, line) = if run.driven {
            (
                Purpose::Rearm { run: run.id, outage_at },
                format!("DECLARE AGAIN · run {}", run.id),
                "Arming lapsed or the driver changed. Confirmed steps are not asked again.",
            )
        } else {
            (
                Purpose::Resume { run: run.id, outage_at },
                format!("RESUME · run {}", run.id),
                "Nobody drives this run. It goes on by observing; nothing is sent again by itself.",
            )
        };
        let lines = vec![
            SafeText::new(format!("{} · plan {}", run.plan.title, run.plan.hash.short())),
            SafeText::new(format!("{} · account {}", run.plan.mode_word, super::words::account(&run.plan.account))),
            line.into(),
        ];
        Self::new(purpose, title, lines, declaration_fields(&run.plan), Hazard::Disruptive)
    }

    /// What the run asks now, if that needs a dialog.
    #[must_use]
    pub fn answering(run: &RunState) -> Option<Self> {
        let Phase::Waiting(ask) = &run.phase else { return None };
        let id = run.id;
        let step_title = |step: &StepId| {
            let at = run.plan.steps.iter().position(|s| s.id == *step).map_or(0, |n| n + 1);
            let title = run.plan.step(step).map_or("", |s| s.title.as_str());
            format!("step {at} of {} · {title}", run.plan.steps.len())
        };
        match ask {
            Ask::Loss { step, bound, rounded, phrase, lines } => {
                let mut lines = lines.clone();
                lines.push(SafeText::new(format!(
                    "May be lost: at most {}, rounded up to {}. Frozen while this is open.",
                    short_up(*bound),
                    short_up(*rounded)
                )));
                Some(Self::new(
                    Purpose::Loss { run: id, step: step.clone(), rounded: *rounded },
                    format!("{} · cannot be undone", step_title(step)),
                    lines,
                    vec![Field::new("Type what you accept", phrase, Want::Phrase(phrase.clone()))],
                    Hazard::DataLoss,
                ))
            }
            Ask::Override { step, guard, reading } => {
                Some(Self::overriding(id, step, *guard, reading, &step_title(step)))
            }
            Ask::Noticed { step, lines } => Some(Self::new(
                Purpose::Confirm { run: id, step: step.clone() },
                format!("{} · somebody else's hand", step_title(step)),
                vec![
                    "This was changed, and no run of ours did it. Mark what you know of with x or the space bar."
                        .into(),
                ],
                lines.iter().map(|line| Field::new(line.as_str(), "", Want::Mark)).collect(),
                Hazard::Disruptive,
            )),
            Ask::Confirm { step, items } => Some(Self::new(
                Purpose::Confirm { run: id, step: step.clone() },
                step_title(step),
                vec!["Mark each line with x or the space bar when it is so.".into()],
                items.iter().map(|item| Field::new(item.as_str(), "", Want::Mark)).collect(),
                Hazard::None,
            )),
            Ask::Verdict { step, question } => Some(Self::new(
                Purpose::Verdict { run: id, step: step.clone() },
                format!("{} · what happened?", step_title(step)),
                vec![question.clone(), "Nothing is sent again: say what you found, and how you know.".into()],
                vec![
                    Field::new(
                        "Did it take effect",
                        "applied / not applied",
                        Want::OneOf(vec!["applied".into(), "not applied".into()]),
                    ),
                    Field::new("Evidence", "where you saw it", Want::Text { least: 4 }),
                ],
                Hazard::Disruptive,
            )),
            Ask::Key { .. } | Ask::Chord { .. } | Ask::Rearm => None,
        }
    }

    fn overriding(run: RunId, step: &StepId, guard: usize, reading: &GuardReading, title: &str) -> Self {
        Self::new(
            Purpose::Override { run, step: step.clone(), guard },
            format!("{title} · override"),
            vec![
                SafeText::new(format!("Does not hold: {}", reading.text)),
                SafeText::new(format!("Now: {}", reading.present)),
                "Recorded, and shown first in every report.".into(),
            ],
            vec![
                Field::new("Reason", "why it is safe enough", Want::Text { least: 4 }),
                Field::new("Authorised by", "name of the person", Want::Text { least: 2 }),
            ],
            Hazard::DataLoss,
        )
    }

    #[must_use]
    pub fn skip(run: &RunState, step: &StepId) -> Self {
        let title = run.plan.step(step).map_or("", |s| s.title.as_str());
        Self::new(
            Purpose::Skip { run: run.id, step: step.clone() },
            format!("SKIP · {title}"),
            vec!["The run will end with an exception that every report shows first.".into()],
            vec![Field::new("Reason", "why it may be left out", Want::Text { least: 4 })],
            Hazard::Disruptive,
        )
    }

    #[must_use]
    pub fn abandon(run: &RunState) -> Self {
        Self::new(
            Purpose::Abandon { run: run.id },
            format!("ABANDON · run {}", run.id),
            vec!["What was sent stays as it is; nothing is put back.".into()],
            vec![Field::new("Reason", "why it ends here", Want::Text { least: 4 })],
            Hazard::Disruptive,
        )
    }

    #[must_use]
    pub fn note(run: &RunState) -> Self {
        Self::new(
            Purpose::Note { run: run.id },
            format!("NOTE · run {}", run.id),
            Vec::new(),
            vec![Field::new("Note", "for the record", Want::Text { least: 1 })],
            Hazard::None,
        )
    }

    /// Everything is as the dialog asks, so that its chord counts.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.void.is_none() && self.fields.iter().all(Field::satisfied)
    }

    /// Whether a typed letter belongs to the sending chord rather than to the field.
    #[must_use]
    pub fn reads_chord(&self, ch: char) -> bool {
        if !self.complete() {
            return false;
        }
        match self.fields.get(self.focus) {
            None => true,
            Some(field) => field.exact() && !field.could_become(ch),
        }
    }

    /// Enter and Tab: the next field; past the last one only when everything is filled in.
    pub fn next(&mut self) {
        let last = if self.complete() { self.fields.len() } else { self.fields.len().saturating_sub(1) };
        self.focus = (self.focus + 1).min(last);
        self.note = None;
    }

    pub fn previous(&mut self) {
        self.focus = self.focus.saturating_sub(1);
        self.note = None;
    }

    /// Holds an open dialog against the run as it stands now: a figure that got worse, or a run that moved on,
    /// voids it.
    pub fn check(&mut self, run: Option<&RunState>) {
        let (id, wanted) = match &self.purpose {
            Purpose::Declare { .. } => return,
            Purpose::Loss { run, .. }
            | Purpose::Override { run, .. }
            | Purpose::Verdict { run, .. }
            | Purpose::Confirm { run, .. } => (*run, true),
            Purpose::Resume { run, .. }
            | Purpose::Rearm { run, .. }
            | Purpose::Skip { run, .. }
            | Purpose::Abandon { run }
            | Purpose::Note { run } => (*run, false),
        };
        let Some(run) = run.filter(|run| run.id == id) else {
            self.void = Some("The run is not there any more. Esc closes this.".into());
            return;
        };
        if !wanted {
            if run.phase.ended() && !matches!(self.purpose, Purpose::Note { .. }) {
                self.void = Some("The run has ended. Esc closes this.".into());
            }
            return;
        }
        let same = match (&run.phase, &self.purpose) {
            (Phase::Waiting(Ask::Loss { step, bound, .. }), Purpose::Loss { step: mine, rounded, .. }) => {
                if step == mine && bound > rounded {
                    self.void = Some(SafeText::new(format!(
                        "A newer reading is worse: at most {} now. Esc, then open it again.",
                        short_up(*bound)
                    )));
                    return;
                }
                step == mine
            }
            (Phase::Waiting(Ask::Override { step, guard, .. }), Purpose::Override { step: mine, guard: at, .. }) => {
                step == mine && guard == at
            }
            (Phase::Waiting(Ask::Verdict { step, .. }), Purpose::Verdict { step: mine, .. })
            | (
                Phase::Waiting(Ask::Confirm { step, .. } | Ask::Noticed { step, .. }),
                Purpose::Confirm { step: mine, .. },
            ) => step == mine,
            _ => false,
        };
        if !same {
            self.void = Some("The run does not ask this any more. Esc closes this.".into());
        }
    }

    /// What the filled dialog sends; `None` while anything is missing.
    #[must_use]
    pub fn send(&self) -> Option<Cmd> {
        if !self.complete() {
            return None;
        }
        let typed = |n: usize| self.fields.get(n).map_or("", |field| field.value.trim()).to_owned();
        let declaration = |outage_at: Option<Timestamp>| Declaration {
            who: SafeText::new(typed(0)),
            incident: SafeText::new(typed(1)),
            app: typed(2),
            region: typed(3),
            outage_at,
            wave: None,
        };
        Some(match self.purpose.clone() {
            Purpose::Declare { plan, outage_at } => {
                Cmd::Declare { plan: PlanRef(plan), declaration: declaration(outage_at) }
            }
            Purpose::Resume { run, outage_at } => Cmd::Resume { run, declaration: declaration(outage_at) },
            Purpose::Rearm { run, outage_at } => Cmd::Answer { run, answer: Answer::Rearm(declaration(outage_at)) },
            Purpose::Loss { run, step, .. } => {
                Cmd::Answer { run, answer: Answer::AcceptLoss { step, typed: typed(0) } }
            }
            Purpose::Override { run, step, guard } => {
                Cmd::Answer { run, answer: Answer::Override { step, guard, reason: typed(0), authoriser: typed(1) } }
            }
            Purpose::Verdict { run, step } => {
                let ruling =
                    if typed(0).eq_ignore_ascii_case("applied") { Ruling::Applied } else { Ruling::NotApplied };
                Cmd::Answer { run, answer: Answer::Verdict { step, ruling, evidence: typed(1) } }
            }
            Purpose::Confirm { run, step } => Cmd::Answer { run, answer: Answer::Go { step } },
            Purpose::Skip { run, step } => Cmd::Answer { run, answer: Answer::Skip { step, reason: typed(0) } },
            Purpose::Abandon { run } => Cmd::Answer { run, answer: Answer::Abandon { reason: typed(0) } },
            Purpose::Note { run } => Cmd::Answer { run, answer: Answer::Note { text: typed(0) } },
        })
    }

    /// What stands in the way of sending, for the last line.
    #[must_use]
    pub fn missing(&self) -> Option<SafeText> {
        if let Some(void) = &self.void {
            return Some(void.clone());
        }
        self.fields
            .iter()
            .find(|field| !field.satisfied())
            .map(|field| SafeText::new(format!("missing: {}", field.label)))
    }
}

fn declaration_fields(plan: &Plan) -> Vec<Field> {
    vec![
        Field::new("Who are you", "your name", Want::Text { least: 2 }),
        Field::new("Incident", "its number", Want::Text { least: 2 }),
        Field::new(
            format!("App, as it stands: {}", plan.app_name),
            plan.app.as_str(),
            Want::OneOf(vec![plan.app.to_string(), plan.app_name.to_string()]),
        ),
        Field::new(
            format!("Target Region: {}", plan.target_region),
            plan.target_region.as_str(),
            Want::OneOf(vec![plan.target_region.to_string(), plan.target_name.to_string()]),
        ),
    ]
}

/// Since when the primary Region has not answered, where that is what was seen.
fn outage_since(picture: &Picture, primary: &crate::domain::RegionId) -> Option<Timestamp> {
    picture.snapshot.regions.get(primary).filter(|health| health.reach == Reach::RegionDown).map(|health| health.since)
}

/// The home primary Region of an estate: where an outage is looked for.
#[must_use]
pub fn primary_of(estate: &crate::domain::Estate) -> &crate::domain::RegionId {
    &estate.regions.get(Side::Primary).id
}
