//! Dialogs: the friction before something acts. DESIGN section 6.
//!
//! A dialog never sends on Enter or on a letter: its fields must hold exactly what it asks for, and only then is
//! the sending chord of the keymap read. Nothing is preselected, pasted text is ignored, keys read before the
//! dialog was first drawn are ignored, and a figure of loss is frozen when the dialog opens.
//! Where to look next: [`make`] (what each dialog says and asks), [`field`] (what is typed into it).

mod field;
mod make;

use std::{sync::Arc, time::Duration};

pub use field::{Field, Want};
pub use make::primary_of;

use super::{
    message::{Cmd, PlanRef, WaveRef},
    words,
};
use crate::{
    domain::{Hazard, SafeText, StepId, Timestamp, time::short_up},
    runbook::{
        plan::Plan,
        run::{Answer, Ask, Declaration, Phase, Ruling, RunId, RunState, Runs},
        switching::Switching,
        wave::{Wave, WaveDeclaration},
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
    Switch { change: Arc<Switching> },
    DeclareWave { wave: Arc<Wave>, outage_at: Option<Timestamp> },
    ResumeWave { wave: String, runs: usize, outage_at: Option<Timestamp> },
}

#[derive(Clone, Debug)]
pub struct Dialog {
    pub purpose: Purpose,
    pub title: SafeText,
    /// What goes where and in which account; a wave says it in its list.
    pub bound_for: Option<SafeText>,
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
            bound_for: None,
            lines,
            fields,
            focus: 0,
            hazard,
            first_drawn: None,
            void: None,
            note: None,
        }
    }

    /// Said above everything else, and never cut away: which app this is about.
    fn of(mut self, plan: &Plan) -> Self {
        let account = words::account(&plan.account);
        self.bound_for = Some(SafeText::new(format!("{} · account {account}", words::bound_for(plan))));
        self
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
    pub fn check(&mut self, runs: &Runs) {
        let (id, wanted) = match &self.purpose {
            Purpose::Declare { .. } | Purpose::DeclareWave { .. } => return,
            Purpose::ResumeWave { wave, runs: counted, .. } => {
                if undriven_of(runs, wave).count() != *counted {
                    self.void = Some("Other runs of the wave wait now. Esc, then open it again.".into());
                }
                return;
            }
            Purpose::Loss { run, .. }
            | Purpose::Override { run, .. }
            | Purpose::Verdict { run, .. }
            | Purpose::Confirm { run, .. } => (*run, true),
            Purpose::Resume { run, .. }
            | Purpose::Rearm { run, .. }
            | Purpose::Skip { run, .. }
            | Purpose::Abandon { run }
            | Purpose::Note { run } => (*run, false),
            Purpose::Switch { change } => (change.run, false),
        };
        let Some(run) = runs.list.iter().find(|run| run.id == id) else {
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
        let of_wave = |typed: &dyn Fn(usize) -> String, outage_at| WaveDeclaration {
            who: SafeText::new(typed(0)),
            incident: SafeText::new(typed(1)),
            phrase: typed(2),
            outage_at,
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
            Purpose::Switch { change } => {
                Cmd::Switch { run: change.run, hash: change.plan.hash.clone(), declaration: declaration(None) }
            }
            Purpose::DeclareWave { wave, outage_at } => {
                Cmd::DeclareWave { wave: WaveRef(wave), said: of_wave(&typed, outage_at) }
            }
            Purpose::ResumeWave { wave, outage_at, .. } => Cmd::ResumeWave { wave, said: of_wave(&typed, outage_at) },
        })
    }

    /// What stands in the way of sending, for the last line.
    #[must_use]
    pub fn missing(&self) -> Option<SafeText> {
        if let Some(void) = &self.void {
            return Some(void.clone());
        }
        let lacks = self.fields.iter().find_map(Field::lacks)?;
        Some(SafeText::new(format!("missing: {lacks}")))
    }

    /// The text field that `keys` went into, when they were meant to send: told at once, before it is evidence.
    #[must_use]
    pub fn took(&self, keys: &str) -> Option<&Field> {
        let text = |field: &&Field| matches!(field.want, Want::Text { .. });
        self.fields.iter().filter(text).find(|field| !keys.is_empty() && field.value.trim_end().ends_with(keys))
    }
}

/// Runs of a wave that have not ended and that nobody drives.
pub fn undriven_of<'r>(runs: &'r Runs, wave: &'r str) -> impl Iterator<Item = &'r Arc<RunState>> {
    runs.list
        .iter()
        .filter(move |run| run.unattended() && run.declaration.wave.as_ref().is_some_and(|mark| mark.id == wave))
}
