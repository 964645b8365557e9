//! Backup, copy and restore jobs with what was expected and not seen; the success rate against its target.

use std::collections::BTreeMap;

use super::{List, Row, Target};
use crate::{
    domain::{
        AppId, Estate, Picture, SafeText, Zone,
        app::Param,
        observation::At,
        resource::{Job, JobKind, JobState},
        time::short,
    },
    theme::Role,
    tui::{
        widgets::table::{CellText, Column},
        words,
    },
};

pub const COLUMNS: [Column; 9] = [
    Column::left("", 1, 1, 0),
    Column::left("STATE", 12, 12, 0),
    Column::left("JOB", 7, 7, 2),
    Column::left("RESOURCE", 18, 26, 0),
    Column::left("APP", 12, 20, 6),
    Column::left("DATA FROM", 9, 13, 1),
    Column::right("TOOK", 8, 9, 3),
    Column::right("SIZE", 8, 9, 4),
    Column::left("MESSAGE", 16, 160, 0),
];

/// Share of jobs that must complete: the target of the lab (estate facts, D).
pub const SUCCESS_TARGET: f64 = 0.999;

/// What the head of the screen says. A list that cannot be read is a gap, not zero jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    pub completed: usize,
    pub ended: usize,
    pub by_kind: [usize; 3],
    /// Lists that are old or missing, with their reason.
    pub gaps: Vec<(String, Role)>,
    pub late: usize,
}

impl Totals {
    /// Of the jobs that ended; `None` when none did.
    #[must_use]
    pub fn success(&self) -> Option<f64> {
        (self.ended > 0).then(|| self.completed as f64 / self.ended as f64)
    }
}

#[must_use]
pub fn totals(estate: &Estate, picture: &Picture) -> Totals {
    let mut totals = Totals::default();
    for ((region, kind), slot) in &picture.snapshot.jobs {
        let place = || format!("{} {} jobs", estate.regions.name_of(region), kind.word());
        let jobs = match slot.at(picture.judged_at) {
            At::Fresh(seen) => &seen.value,
            At::Stale { last, age, cause } => {
                let why = cause.map_or("not read again", |c| c.failure.word());
                totals.gaps.push((format!("{}: {why}, last read {} ago", place(), short(age)), Role::Stale));
                &last.value
            }
            At::Unknown { cause } => {
                let why = cause.map_or("not read yet", |c| c.failure.word());
                totals.gaps.push((format!("{}: {why}", place()), Role::VerdictUnknown));
                continue;
            }
        };
        for job in jobs {
            totals.by_kind[*kind as usize] += 1;
            if job.state == JobState::Completed && !job.completed_with_issues() {
                totals.completed += 1;
                totals.ended += 1;
            } else if job.state.bad() || job.completed_with_issues() {
                totals.ended += 1;
            }
        }
    }
    totals.late = picture.assessments.iter().filter(|a| a.flags.late.is_some()).count();
    totals
}

#[must_use]
pub fn rows(estate: &Estate, picture: &Picture) -> List {
    let owners = owners(estate);
    let mut rows: Vec<(u8, i64, Row)> = Vec::new();
    for assessment in &picture.assessments {
        let (Some(late), Some(app)) = (&assessment.flags.late, estate.app(&assessment.app)) else { continue };
        let role = if late.critical { Role::Error } else { Role::Warning };
        let newest = words::back_to(&assessment.corrupted, picture.judged_at, &estate.zone);
        let cells = vec![
            CellText::new("✖", role),
            CellText::new("LATE", role),
            CellText::text("backup"),
            CellText::text(app.name.as_str()),
            CellText::text(app.name.as_str()),
            CellText::dim("not seen"),
            CellText::dim("-"),
            CellText::dim("-"),
            CellText::new(format!("{} · newest point {newest}", late.why), role),
        ];
        let place = u8::from(!late.critical);
        rows.push((place, i64::MIN, Row::new(Target::App(app.id.clone()), cells, "state:late")));
    }
    for slot in picture.snapshot.jobs.values() {
        let Some(last) = &slot.last else { continue };
        let kept = picture.judged_at.since(last.observed_at) > last.budget;
        for job in &last.value {
            let owner = owners.get(job.resource_arn.as_str());
            rows.push((rank(job), -job.created.millis(), row(estate, picture, job, owner, kept)));
        }
    }
    rows.sort_by_key(|(rank, created, _)| (*rank, *created));
    List::new(rows.into_iter().map(|(_, _, row)| row).collect())
}

const fn rank(job: &Job) -> u8 {
    if job.state.bad() {
        2
    } else if matches!(job.state, JobState::Completed) {
        5
    } else {
        4
    }
}

/// Which app a resource belongs to, by the ARNs that its components name.
fn owners(estate: &Estate) -> BTreeMap<&str, (&AppId, &SafeText)> {
    let mut owners = BTreeMap::new();
    for app in &estate.apps {
        for param in app.components.iter().flat_map(|c| c.params.0.values()) {
            let named: [Option<&str>; 2] = match param {
                Param::Text(text) => [Some(text.as_str()), None],
                Param::Sides { primary, recovery } => [primary.as_deref(), recovery.as_deref()],
                _ => [None, None],
            };
            for arn in named.into_iter().flatten().filter(|text| text.starts_with("arn:")) {
                owners.insert(arn, (&app.id, &app.name));
            }
        }
    }
    owners
}

fn row(estate: &Estate, picture: &Picture, job: &Job, owner: Option<&(&AppId, &SafeText)>, kept: bool) -> Row {
    let (glyph, word, role) = if job.completed_with_issues() {
        ("◐", "WITH ISSUES", Role::Warning)
    } else if job.state.bad() {
        ("✖", job.state.word(), Role::Error)
    } else if job.state.running() {
        ("▶", job.state.word(), Role::StepRunning)
    } else if job.state == JobState::Completed {
        ("●", job.state.word(), Role::Ok)
    } else {
        ("?", job.state.word(), Role::VerdictUnknown)
    };
    let role = if kept { Role::Stale } else { role };
    let text = if kept { Role::Stale } else { Role::Text };
    let now = picture.judged_at;
    let took = match (job.completed, job.percent) {
        (Some(done), _) => format!("+{}", short(done.since(job.created))),
        (None, Some(percent)) if job.state.running() => format!("{percent:.0} %"),
        _ => format!("{} …", short(now.since(job.created))),
    };
    let cells = vec![
        CellText::new(glyph, role),
        CellText::new(word, role),
        CellText::new(job.kind.word(), text),
        CellText::new(words::resource_name(&job.resource_arn).as_str(), text),
        CellText::new(owner.map_or("-", |(_, name)| name.as_str()), Role::Dim),
        CellText::new(words::moment(job.created, now, &estate.zone), text).sorted_by(job.created.millis() as f64),
        CellText::new(took, text).sorted_by(job.completed.map_or(f64::MAX, |d| d.since(job.created).as_secs_f64())),
        CellText::new(words::size(job.size_bytes), text).sorted_by(job.size_bytes as f64),
        CellText::new(message(estate, job, &estate.zone), if job.state.bad() { role } else { text }),
    ];
    let target = owner.map_or(Target::Nothing, |(id, _)| Target::App((*id).clone()));
    Row::new(target, cells, &format!("state:{} region:{} {}", job.state.word(), job.region, job.id))
}

fn message(estate: &Estate, job: &Job, zone: &Zone) -> String {
    let from = estate.regions.name_of(&job.region);
    let mut said = match (&job.destination, job.kind) {
        (Some(to), JobKind::Copy) => format!("{from} → {}", estate.regions.name_of(to)),
        _ => format!("in {from}"),
    };
    if let (true, Some(at)) = (job.state.running(), job.expected_completion) {
        said = format!("{said} · done about {}", zone.clock_minutes(at));
    }
    if let Some(message) = &job.message {
        said = format!("{message} · {said}");
    }
    said
}
