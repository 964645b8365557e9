//! What each dialog says and asks: one function each. Which of them a key opens is in `super::super::update`.

use std::sync::Arc;

use super::{Dialog, Field, Purpose, Want};
use crate::{
    domain::{
        Hazard, Picture, RegionId, SafeText, Side, StepId, Timestamp,
        snapshot::Reach,
        time::{short, short_up},
    },
    report::run_list,
    runbook::{
        plan::{GuardReading, Plan, PlannedStep},
        run::{Ask, Phase, RunState, Runs},
        switching::{Reason, Switching},
        wave::{Bound, Loss, Wave, bound, resume_phrase},
    },
    tui::words,
};

impl Dialog {
    /// Who, why and where to, typed as they stand now.
    #[must_use]
    pub fn declare(plan: &Arc<Plan>, picture: &Picture, primary: &RegionId) -> Self {
        let outage_at = outage_since(picture, primary);
        let mut lines = vec![
            SafeText::new(format!("{} · {} plan {}", plan.title, plan.mode_word, plan.hash.short())),
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
            worst_of(&plan.steps),
        )
        .of(plan)
    }

    /// Declared again: for a run whose arming lapsed, or that nobody drives.
    #[must_use]
    pub fn declare_again(run: &RunState, picture: &Picture, primary: &RegionId) -> Self {
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
            SafeText::new(format!("{} · {} plan {}", run.plan.title, run.plan.mode_word, run.plan.hash.short())),
            line.into(),
        ];
        let open = run.steps.iter().filter(|step| !step.phase.ended()).filter_map(|step| run.plan.step(&step.id));
        Self::new(purpose, title, lines, declaration_fields(&run.plan), worst_of(open)).of(&run.plan)
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
        let opened = match ask {
            Ask::Loss { step, bound, rounded, phrase, lines } => {
                let mut lines = [calls(run, step), lines.clone()].concat();
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
                Some(Self::overriding(run, step, *guard, reading, &step_title(step)))
            }
            Ask::Noticed { step, lines } => Some(Self::new(
                Purpose::Confirm { run: id, step: step.clone() },
                format!("{} · somebody else's hand", step_title(step)),
                [
                    calls(run, step),
                    vec![
                        "This was changed, and no run of ours did it. Mark what you know of with x or the space bar."
                            .into(),
                    ],
                ]
                .concat(),
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
                [
                    calls(run, step),
                    vec![question.clone(), "Nothing is sent again: say what you found, and how you know.".into()],
                ]
                .concat(),
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
        };
        opened.map(|dialog| dialog.of(&run.plan))
    }

    fn overriding(run: &RunState, step: &StepId, guard: usize, reading: &GuardReading, title: &str) -> Self {
        let lines = vec![
            SafeText::new(format!("Does not hold: {}", reading.text)),
            SafeText::new(format!("Now: {}", reading.present)),
            "Recorded, and shown first in every report.".into(),
        ];
        Self::new(
            Purpose::Override { run: run.id, step: step.clone(), guard },
            format!("{title} · override"),
            [calls(run, step), lines].concat(),
            vec![
                Field::new("Reason", "why it is safe enough", Want::Text { least: 4 }),
                Field::new("Authorised by", "name of the person", Want::Text { least: 2 }),
            ],
            Hazard::DataLoss,
        )
    }

    #[must_use]
    pub fn skip(run: &RunState, step: &StepId) -> Self {
        let planned = run.plan.step(step);
        let ends = "The run will end with an exception that every report shows first.".into();
        Self::new(
            Purpose::Skip { run: run.id, step: step.clone() },
            format!("SKIP · {} · run {}", planned.map_or("", |s| s.title.as_str()), run.id),
            [calls(run, step), vec![ends]].concat(),
            vec![Field::new("Reason", "why it may be left out", Want::Text { least: 4 })],
            planned.map_or(Hazard::Disruptive, |planned| planned.hazard),
        )
        .of(&run.plan)
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
        .of(&run.plan)
    }

    /// Another plan for a run under way, after its preview.
    #[must_use]
    pub fn switch(change: &Arc<Switching>, run: &RunState) -> Self {
        let plan = &change.plan;
        let from = format!("run {} · {} now, plan {}", run.id, run.plan.runbook, run.plan.hash.short());
        let behind = crate::tui::view::switch::done_before(run, change).len();
        let were = if behind > 0 { format!("{behind} done before are not in it, ") } else { String::new() };
        let counts = format!(
            "{} steps stay done, {were}{} are dropped, {} come",
            change.kept.len(),
            change.dropped.len() - behind,
            change.coming.len()
        );
        let mut lines = vec![
            SafeText::new(from),
            SafeText::new(format!("then {} · {} plan {}: {counts}", plan.runbook, plan.mode_word, plan.hash.short())),
        ];
        let (title, hazard) = match change.why {
            Reason::AnotherWay => (format!("SWITCH · run {} to {}", run.id, plan.runbook), Hazard::Disruptive),
            Reason::TurnedReal => {
                let was = format!(
                    "It was {}; from here on it acts {}. Its clocks go on.",
                    run.plan.mode_word, plan.mode_word
                );
                lines.push(SafeText::new(was));
                (format!("TURN REAL · run {}", run.id), Hazard::DataLoss)
            }
        };
        lines.push("Confirmations given so far are gone; each step that comes asks for its own.".into());
        let purpose = Purpose::Switch { change: Arc::clone(change) };
        Self::new(purpose, title, lines, declaration_fields(plan), hazard).of(plan)
    }

    /// One list, one phrase.
    #[must_use]
    pub fn declare_wave(wave: &Arc<Wave>, picture: &Picture, primary: &RegionId) -> Self {
        let first = wave.items.first().map(|item| &item.plan);
        let mut lines = vec![SafeText::new(format!(
            "wave {} · {} to {}, at most {} at a time",
            words::wave(&wave.id),
            apps(wave.items.len()),
            wave.regions(),
            wave.parallel_max
        ))];
        if let Some(plan) = first {
            lines.push(SafeText::new(format!("{} · {}", plan.mode_word, accounts(&wave.bound))));
        }
        for item in &wave.items {
            if let Some(name) = wave.apart(item) {
                lines.push(SafeText::new(format!("{} goes to {name}", item.plan.app_name)));
            }
        }
        let of = |wanted: &dyn Fn(&Loss) -> bool| -> Vec<&str> {
            wave.items.iter().filter(|item| wanted(&item.loss)).map(|item| item.plan.app_name.as_str()).collect()
        };
        let (none, unbounded) = (of(&|loss| *loss == Loss::Nothing), of(&|loss| *loss == Loss::Unbounded));
        for item in &wave.items {
            if let Loss::UpTo(rung) = item.loss {
                lines.push(SafeText::new(format!("{}: may lose up to {}", item.plan.app_name, short(rung))));
            }
        }
        if !none.is_empty() {
            lines.push(SafeText::new(format!("no step of theirs asks for a loss: {}", none.join(", "))));
        }
        if !unbounded.is_empty() {
            lines.push(SafeText::new(format!("not bounded, asked when its turn comes: {}", unbounded.join(", "))));
        }
        if !wave.left_out.is_empty() {
            let out: Vec<&str> = wave.left_out.iter().map(|(app, _)| app.as_str()).collect();
            lines.push(SafeText::new(format!("LEFT OUT, does not go: {}", out.join(", "))));
        }
        let blocked = wave.items.iter().filter(|item| !item.plan.blockers().is_empty()).count();
        if blocked > 0 {
            lines.push(SafeText::new(format!("with guards that do not hold now: {blocked}; each is read again.")));
        }
        lines.push("The phrase confirms every step of this list up to the loss it names.".into());
        let hazard = if wave.items.iter().all(|item| item.loss == Loss::Nothing) {
            Hazard::Disruptive
        } else {
            Hazard::DataLoss
        };
        Self::new(
            Purpose::DeclareWave { wave: Arc::clone(wave), outage_at: outage_since(picture, primary) },
            format!("DECLARE WAVE · {} to {}", apps(wave.items.len()), names(&wave.bound)),
            lines,
            wave_fields(wave.phrase()),
            hazard,
        )
    }

    /// All unfinished runs of a wave that nobody drives, as one declaration. `None`: there is none.
    #[must_use]
    pub fn resume_wave(wave: &str, runs: &Runs, picture: &Picture, primary: &RegionId) -> Option<Self> {
        let mut open: Vec<_> = super::undriven_of(runs, wave).collect();
        open.sort_by_key(|run| run.declaration.wave.as_ref().map(|mark| mark.ordinal));
        let first = open.first()?;
        let apps: Vec<&str> = open.iter().map(|run| run.plan.app_name.as_str()).collect();
        let bound = bound(open.iter().map(|run| &run.plan));
        let doubt: usize = open.iter().map(|run| run_list::doubts(run).len()).sum();
        let mut lines = vec![
            SafeText::new(format!("wave {}: {}", words::wave(wave), apps.join(", "))),
            SafeText::new(format!("{} · {}", first.plan.mode_word, accounts(&bound))),
            "Nobody drives these runs. They go on by observing; nothing is sent again by itself.".into(),
        ];
        if doubt > 0 {
            lines.push(SafeText::new(format!("in doubt: {doubt} calls, looked at before anything else")));
        }
        let outage_at = first.declaration.outage_at.or_else(|| outage_since(picture, primary));
        Some(Self::new(
            Purpose::ResumeWave { wave: wave.to_owned(), runs: open.len(), outage_at },
            format!("RESUME WAVE · {} runs", open.len()),
            lines,
            wave_fields(resume_phrase(&bound)),
            Hazard::Disruptive,
        ))
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
        .of(&run.plan)
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

/// The calls with side effects of a step, each with the Region and the account that gets it.
fn calls(run: &RunState, step: &StepId) -> Vec<SafeText> {
    let calls = run.plan.step(step).map_or(&[][..], |planned| &planned.calls);
    calls.iter().map(|call| SafeText::new(format!("call: {}", words::sent_to(call, &run.plan)))).collect()
}

/// The worst that is to come.
fn worst_of<'s>(steps: impl IntoIterator<Item = &'s PlannedStep>) -> Hazard {
    steps.into_iter().map(|step| step.hazard).max().unwrap_or(Hazard::None)
}

fn names(bound: &[Bound]) -> String {
    bound.iter().map(|bound| bound.name.as_str()).collect::<Vec<_>>().join(" and ")
}

/// `account 1111-2222-3333`, and of which Region where there are several.
fn accounts(bound: &[Bound]) -> String {
    let one = |bound: &Bound| words::account(&bound.account);
    match bound {
        [only] => format!("account {}", one(only)),
        several => {
            let each: Vec<String> =
                several.iter().map(|bound| format!("account {} in {}", one(bound), bound.name)).collect();
            each.join(", ")
        }
    }
}

fn apps(count: usize) -> String {
    format!("{count} {}", if count == 1 { "app" } else { "apps" })
}

fn wave_fields(phrase: String) -> Vec<Field> {
    vec![
        Field::new("Who are you", "your name", Want::Text { least: 2 }),
        Field::new("Incident", "its number", Want::Text { least: 2 }),
        Field::new("Type what you declare", phrase.clone(), Want::Phrase(phrase)),
    ]
}

/// Since when the primary Region has not answered, where that is what was seen.
fn outage_since(picture: &Picture, primary: &RegionId) -> Option<Timestamp> {
    picture.snapshot.regions.get(primary).filter(|health| health.reach == Reach::RegionDown).map(|health| health.since)
}

/// The home primary Region of an estate: where an outage is looked for.
#[must_use]
pub fn primary_of(estate: &crate::domain::Estate) -> &RegionId {
    &estate.regions.get(Side::Primary).id
}
