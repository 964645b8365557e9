//! Contradictions of policy: what the bank wants against what its own plan can give. Warnings, never errors:
//! `check` prints them and exits 0, the board shows them.
//!
//! What can be said from the files alone is said while loading; what depends on today is [`dated_warnings`].

use std::{cell::RefCell, ops::Range, time::Duration};

use crate::domain::{
    App, Diagnostic, Estate, Level, Timestamp,
    app::PolicyWarning,
    document::Report,
    fact::What,
    text::SafeText,
    time::{short, short_up},
};

/// Warnings found so far, with the app they speak of.
#[derive(Default)]
pub(super) struct Policy {
    found: RefCell<Vec<PolicyWarning>>,
}

impl Policy {
    fn warn(&self, app: &App, report: &Report, code: &'static str, span: Range<usize>, message: String, help: &str) {
        let place = Diagnostic {
            level: Level::Warning,
            code,
            file: report.file().clone(),
            span: span.clone(),
            message: String::new(),
            help: None,
        }
        .place();
        self.found.borrow_mut().push(PolicyWarning {
            code,
            app: Some(app.id.clone()),
            text: SafeText::new(&message),
            place,
        });
        report.warning(code, span, message, Some(help.to_owned()));
    }

    pub(super) fn take(self) -> Vec<PolicyWarning> {
        self.found.into_inner()
    }
}

/// Where in the file the parts of an app stand that a warning can point at.
#[derive(Default)]
pub(super) struct AppPlaces {
    pub head: Range<usize>,
    pub rpo: Option<Range<usize>>,
    pub backup_every: Option<Range<usize>>,
    pub backup_retention: Option<Range<usize>>,
    /// `until` of an acceptance that is longer than may be, and how long it is.
    pub accepted_too_long: Option<(Range<usize>, Duration)>,
}

/// Every rule that needs nothing but the app itself.
pub(super) fn app(app: &App, places: &AppPlaces, report: &Report, policy: &Policy) {
    let head = head_line(&places.head, report);
    let warn = |code, span: Range<usize>, message: String, help: &str| {
        policy.warn(app, report, code, span, message, help);
    };
    if app.rpo.is_none() {
        let message = format!("{} has no RPO: nobody can say when it is breached", app.name);
        warn("no-rpo-target", head.clone(), message, "ask its owner; until then it is shown without a target");
    }
    if app.rto.is_none() {
        warn("no-rto-target", head.clone(), format!("{} has no RTO", app.name), "ask its owner");
    }
    if !app.runbooks.contains_key("failover") {
        let message = format!("{} has no failover runbook: its recovery is in nobody's hands", app.name);
        warn("no-runbook", head.clone(), message, "write one, and name it under `runbooks`");
    }
    if app.drills.is_empty() {
        let message = format!("{} was never drilled: its RTO is a guess", app.name);
        warn("never-drilled", head, message, "drill it, and keep the record as [[app.drill]]");
    }
    backups(app, places, &warn);
    if let Some((span, length)) = &places.accepted_too_long {
        let message = format!("{}: a risk is accepted for {}, and 90 d is the most", app.name, short_up(*length));
        warn("acceptance-exceeds-90-days", span.clone(), message, "accept it again, by name, when 90 days have passed");
    }
}

fn backups(app: &App, places: &AppPlaces, warn: &impl Fn(&'static str, Range<usize>, String, &str)) {
    let Some(backup) = &app.backup else { return };
    // The strictest target that a copy in the recovery Region has to meet.
    let targets = app.components.iter().filter(|component| component.mandatory);
    let target = targets
        .filter(|component| matches!(component.region_lost, Some((_, What::RecoveryPoints))))
        .filter_map(|component| component.rpo.or(app.rpo))
        .min();
    if let Some(target) = target {
        let span = places.backup_every.clone().or_else(|| places.rpo.clone()).unwrap_or_default();
        let worst = backup.every + backup.declared_duration_p99;
        let (every, rpo) = (short(backup.every), short(target));
        if backup.every > target {
            let message = format!("{}: a backup every {every} can never meet an RPO of {rpo}", app.name);
            let help = "back up more often than the RPO, replicate, or use point-in-time restore";
            warn("backup-interval-exceeds-rpo", span, message, help);
        } else if worst > target {
            let message = format!(
                "{}: a backup every {every} that takes {} to be usable is up to {} old; the RPO is {rpo}",
                app.name,
                short_up(backup.declared_duration_p99),
                short_up(worst),
            );
            let help = "interval, backup and copy together must stay within the RPO";
            warn("backup-worst-case-exceeds-rpo", span, message, help);
        }
    }
    if !backup.retention.as_secs().is_multiple_of(86_400) || backup.retention.subsec_nanos() != 0 {
        let message = format!(
            "{}: a retention of {} cannot be set: AWS Backup keeps whole days",
            app.name,
            short(backup.retention)
        );
        let span = places.backup_retention.clone().unwrap_or_default();
        warn("retention-not-expressible", span, message, "\"1d\" is the shortest (field guide 0.2)");
    }
}

/// The first line of a table.
fn head_line(span: &Range<usize>, report: &Report) -> Range<usize> {
    let text = &report.file().text;
    let start = span.start.min(text.len());
    let end = text[start..].find('\n').map_or(text.len(), |n| start + n);
    start..end
}

/// What is overdue *today*: a drill whose date has passed, an acceptance that has run out. Not part of loading,
/// because a file is right or wrong on any day; the board asks with its own now.
#[must_use]
pub fn dated_warnings(estate: &Estate, now: Timestamp) -> Vec<PolicyWarning> {
    let mut found = Vec::new();
    for app in &estate.apps {
        let mut warn = |code, text: String| {
            found.push(PolicyWarning {
                code,
                app: Some(app.id.clone()),
                text: SafeText::new(text),
                place: String::new(),
            });
        };
        if let Some(due) = app.drills.last().and_then(|drill| drill.next_due)
            && due < now
        {
            warn("drill-overdue", format!("{}: a drill was due {}", app.name, estate.zone.day(due)));
        }
        if let Some(accepted) = &app.accepted
            && accepted.until < now
        {
            let day = estate.zone.day(accepted.until);
            warn("acceptance-lapsed", format!("{}: accepted by {} until {day}", app.name, accepted.owner));
        }
    }
    found
}
