//! Recovery time: target, estimated and proven, never mixed. DESIGN section 5, "RTO".
//!
//! Lapse rule of a proof: older than 183 days (drills are half-yearly: RBI direction of 7 November 2023, para 29), or
//! made with another runbook than the app's failover runbook of today. A run carries the digest of its runbook's text
//! and lapses with the first change of it; a drill written into the estate by hand carries only the runbook's name.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Execution, Question, RtoEstimate, RtoProof, RtoStanding, Verdict};
use crate::domain::{
    app::{App, Timings},
    id::RunbookId,
    snapshot::Mode,
    text::SafeText,
    time::{Timestamp, short_up},
};

/// Two drills a year.
pub const PROOF_MAX_AGE: Duration = Duration::from_hours(4392);

/// What a run achieved, as far as it can prove an RTO.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AchievedRecord {
    /// `run 12`
    pub name: SafeText,
    /// When it ended.
    pub at: Timestamp,
    pub runbook: RunbookId,
    /// SHA-256 of the runbook's text that was run.
    pub runbook_digest: String,
    pub origin: Origin,
    pub from_outage: Option<Duration>,
    pub from_declaration: Duration,
    /// Steps left out: with any, another runbook was proven than the one in the file.
    pub skipped: u32,
}

impl AchievedRecord {
    /// The longer clock where it is known: customers count from the outage.
    #[must_use]
    pub fn achieved(&self) -> Duration {
        self.from_outage.unwrap_or(self.from_declaration)
    }

    fn source(&self) -> SafeText {
        let origin = match self.origin {
            Origin::Live => "",
            Origin::Drill => ", drill",
            Origin::Simulated => ", simulated",
        };
        let clock = if self.from_outage.is_some() { "outage" } else { "declaration" };
        SafeText::new(format!("{}{origin}, from {clock}", self.name))
    }
}

/// Where a run was real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    Live,
    Drill,
    Simulated,
}

impl Origin {
    /// From the word that a plan was made under; a word of another version proves nothing but a simulation.
    #[must_use]
    pub fn of_mode_word(word: &str) -> Self {
        if word == Mode::Live.word() {
            Self::Live
        } else if word == Mode::Drill.word() {
            Self::Drill
        } else {
            Self::Simulated
        }
    }
}

/// The one estimate: board and plan both call this, so that they cannot disagree.
///
/// Verification of the runbook's own steps replaces the declared one; a runbook without such steps keeps it.
#[must_use]
pub fn estimate(timings: &Timings, execution: &Execution) -> RtoEstimate {
    let verification = if execution.verification.is_zero() { timings.verification } else { execution.verification };
    RtoEstimate {
        detection: timings.detection,
        decision: timings.decision,
        execution: execution.critical_path,
        dns_ttl: execution.dns_ttl,
        verification,
        basis: execution.basis.clone(),
    }
}

/// What the owner of an app without a failover runbook says its recovery takes. A runbook knows better: with one the
/// figure is not used, even when the runbook could not be read.
#[must_use]
pub fn declared(app: &App) -> Option<Execution> {
    let critical_path = app.timings.execution.filter(|_| !app.runbooks.contains_key("failover"))?;
    Some(Execution {
        critical_path,
        basis: "declared".into(),
        dns_ttl: app.timings.dns_ttl,
        verification: Duration::ZERO,
        runbook_digest: String::new(),
    })
}

/// How an app stands against its RTO.
#[must_use]
pub fn standing(question: &Question<'_>) -> RtoStanding {
    let Question { app, execution, now, .. } = *question;
    let declared = declared(app);
    let estimated = execution.or(declared.as_ref()).map(|execution| estimate(&app.timings, execution));
    let by_hand = drilled(app, now);
    let by_run = ran(app, question.achieved, execution, question.snapshot.mode, now);
    // The newest word counts, even when it has lapsed: an older one was given on an older runbook.
    let proven = by_hand.into_iter().chain(by_run).max_by_key(|proof| proof.at);
    let verdict = verdict(app.rto, estimated.as_ref(), proven.as_ref());
    RtoStanding { target: app.rto, estimated, proven, verdict }
}

/// The newest drill of the estate file that was measured.
fn drilled(app: &App, now: Timestamp) -> Option<RtoProof> {
    let measured = app.drills.iter().filter_map(|drill| Some((drill, drill.rto_achieved?)));
    let (drill, achieved) = measured.filter(|(drill, _)| drill.at <= now).max_by_key(|(drill, _)| drill.at)?;
    let other_runbook = match (&drill.runbook, app.runbooks.get("failover")) {
        (Some(drilled), Some(today)) => drilled != today,
        _ => false,
    };
    let lapsed = now.since(drill.at) > PROOF_MAX_AGE || other_runbook;
    Some(RtoProof { achieved, at: drill.at, source: drill.name.clone(), lapsed })
}

/// The newest whole run of the app's failover runbook. What ran on a simulator proves something of a simulated estate
/// only, and what ran on AWS nothing of one. A runbook whose text of today is not known has perhaps changed: its runs have lapsed.
fn ran(
    app: &App,
    achieved: &[AchievedRecord],
    execution: Option<&Execution>,
    mode: Mode,
    now: Timestamp,
) -> Option<RtoProof> {
    let today = app.runbooks.get("failover")?;
    let counts = |run: &&AchievedRecord| {
        run.runbook == *today
            && run.at <= now
            && run.skipped == 0
            && (run.origin == Origin::Simulated) == mode.simulated()
    };
    let run = achieved.iter().filter(counts).max_by_key(|run| run.at)?;
    let same_text = execution.is_some_and(|execution| execution.runbook_digest == run.runbook_digest);
    let lapsed = now.since(run.at) > PROOF_MAX_AGE || !same_text;
    Some(RtoProof { achieved: run.achieved(), at: run.at, source: run.source(), lapsed })
}

fn verdict(target: Option<Duration>, estimated: Option<&RtoEstimate>, proven: Option<&RtoProof>) -> Verdict {
    let Some(target) = target else { return Verdict::NoTarget };
    let at_risk = |why: String| Verdict::AtRisk { why: why.into(), when: None };
    let valid = proven.filter(|proof| !proof.lapsed);
    let missed = |took: Duration| took.checked_sub(target).filter(|by| !by.is_zero());
    if let Some(by) = valid.and_then(|proof| missed(proof.achieved)) {
        return Verdict::Breached { by };
    }
    if let Some(by) = estimated.and_then(|estimate| missed(estimate.total())) {
        return Verdict::Breached { by };
    }
    match (estimated, proven) {
        (_, Some(proof)) if !proof.lapsed => Verdict::Met { sampled: false },
        (_, Some(proof)) => at_risk(format!("proof lapsed: {} in {}", short_up(proof.achieved), proof.source)),
        (Some(estimate), None) => {
            at_risk(format!("not proven: {} {}, never drilled", short_up(estimate.total()), estimate.basis))
        }
        (None, None) => Verdict::Unknown {
            why: "not known: no failover runbook, no declared execution, never drilled".into(),
            at_least: None,
            at_most: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        RunbookId,
        app::DrillRecord,
        compliance::fixtures::{self as fx, minutes},
    };

    fn drill(days_ago: u64, achieved: Duration, runbook: &str) -> DrillRecord {
        DrillRecord {
            name: "drill 14".into(),
            at: fx::now() - Duration::from_secs(days_ago * 86_400),
            rto_achieved: Some(achieved),
            rpo_achieved: None,
            runbook: Some(RunbookId::new(runbook)),
            findings_open: 0,
            next_due: None,
        }
    }

    fn standing_of(app: &App, execution: Option<&Execution>, achieved: &[AchievedRecord], mode: Mode) -> RtoStanding {
        let mut world = fx::World::new("payments");
        world.app = app.clone();
        world.snapshot.mode = mode;
        standing(&Question { execution, achieved, ..world.question() })
    }

    fn standing_without_runs(app: &App, execution: Option<&Execution>) -> RtoStanding {
        standing_of(app, execution, &[], Mode::Live)
    }

    /// target in minutes, execution, last drill, verdict, rule
    type Row<'a> = (Option<u64>, Option<&'a Execution>, Option<DrillRecord>, &'a str, &'a str);

    #[test]
    fn the_table_of_rto_rules() {
        let fast = fx::execution(minutes(5));
        let slow = fx::execution(minutes(50));
        let rows: &[Row<'_>] = &[
            (None, Some(&fast), None, "no-target", "no RTO is set"),
            (Some(30), None, None, "unknown", "nothing to estimate from"),
            (Some(30), Some(&fast), None, "at-risk", "estimated, never proven"),
            (Some(30), Some(&fast), Some(drill(12, minutes(9), "failover")), "met", "proven 12 days ago"),
            (Some(30), Some(&fast), Some(drill(184, minutes(9), "failover")), "at-risk", "proof lapsed with age"),
            (Some(30), Some(&fast), Some(drill(12, minutes(9), "old")), "at-risk", "proof of another runbook"),
            (Some(30), Some(&slow), Some(drill(12, minutes(9), "failover")), "breached", "the estimate misses"),
            (Some(30), Some(&fast), Some(drill(12, minutes(40), "failover")), "breached", "the drill missed"),
            (
                Some(30),
                Some(&fast),
                Some(drill(184, minutes(40), "failover")),
                "at-risk",
                "a lapsed miss proves nothing",
            ),
            (Some(30), None, Some(drill(12, minutes(9), "failover")), "met", "proven, no estimate"),
        ];
        for (target, execution, record, word, rule) in rows {
            let mut app = fx::app("payments");
            app.rto = target.map(minutes);
            app.runbooks.insert("failover".to_owned(), RunbookId::new("failover"));
            app.drills = record.iter().cloned().collect();
            let standing = standing_without_runs(&app, *execution);
            assert_eq!(standing.verdict.word(), *word, "{rule}: {standing:?}");
        }
    }

    #[test]
    fn a_declared_execution_stands_in_for_a_missing_failover_runbook_only() {
        let mut app = fx::app("vendor");
        app.rto = Some(minutes(120));
        assert_eq!(standing_without_runs(&app, None).estimated, None, "nothing declared, nothing estimated");
        app.timings.execution = Some(minutes(100));
        let estimated = standing_without_runs(&app, None).estimated.expect("declared");
        let rest = app.timings.detection + app.timings.decision + app.timings.dns_ttl + app.timings.verification;
        assert_eq!((estimated.total(), estimated.basis.as_str()), (minutes(100) + rest, "declared"));
        assert_eq!(standing_without_runs(&app, None).verdict.word(), "at-risk", "declared is not proven");

        app.runbooks.insert("failover".to_owned(), RunbookId::new("failover"));
        assert_eq!(standing_without_runs(&app, None).estimated, None, "the runbook would know; it was not read");
        let by_runbook = standing_without_runs(&app, Some(&fx::execution(minutes(5)))).estimated;
        assert_eq!(by_runbook.map(|estimate| estimate.execution), Some(minutes(5)));
    }

    #[test]
    fn the_estimate_is_the_sum_of_its_parts_on_both_clocks() {
        let app = fx::app("payments");
        let estimate = estimate(&app.timings, &fx::execution(minutes(5)));
        let declared = app.timings.detection + app.timings.decision;
        assert_eq!(estimate.from_declaration(), minutes(5) + estimate.dns_ttl + estimate.verification);
        assert_eq!(estimate.total(), declared + estimate.from_declaration());
    }

    fn ran(days_ago: u64, achieved: Duration) -> AchievedRecord {
        AchievedRecord {
            name: "run 12".into(),
            at: fx::now() - Duration::from_secs(days_ago * 86_400),
            runbook: RunbookId::new("failover"),
            runbook_digest: fx::execution(minutes(5)).runbook_digest,
            origin: Origin::Live,
            from_outage: None,
            from_declaration: achieved,
            skipped: 0,
        }
    }

    #[test]
    fn a_whole_run_of_todays_failover_runbook_proves_and_lapses_with_its_text_and_with_age() {
        let simulated = Mode::Simulated { speed: 30.0 };
        let rows: Vec<(AchievedRecord, Mode, &str, &str)> = vec![
            (ran(3, minutes(9)), Mode::Live, "met", "a run three days ago"),
            (ran(3, minutes(40)), Mode::Live, "breached", "a run that missed"),
            (
                AchievedRecord { from_outage: Some(minutes(41)), ..ran(3, minutes(9)) },
                Mode::Live,
                "breached",
                "met from the declaration, missed from the outage",
            ),
            (
                AchievedRecord { runbook_digest: "other".into(), ..ran(3, minutes(9)) },
                Mode::Live,
                "at-risk",
                "the text changed since",
            ),
            (ran(184, minutes(9)), Mode::Live, "at-risk", "too old"),
            (AchievedRecord { skipped: 1, ..ran(3, minutes(9)) }, Mode::Live, "at-risk", "a step was left out"),
            (
                AchievedRecord { runbook: RunbookId::new("failback"), ..ran(3, minutes(40)) },
                Mode::Live,
                "at-risk",
                "the way home proves nothing",
            ),
            (AchievedRecord { origin: Origin::Drill, ..ran(3, minutes(9)) }, Mode::Live, "met", "a live drill"),
            (
                AchievedRecord { origin: Origin::Simulated, ..ran(3, minutes(9)) },
                Mode::Live,
                "at-risk",
                "a simulation proves nothing of a live estate",
            ),
            (
                AchievedRecord { origin: Origin::Simulated, ..ran(3, minutes(9)) },
                simulated,
                "met",
                "a simulation of a simulated estate",
            ),
            (ran(3, minutes(40)), simulated, "at-risk", "a live run proves nothing of a simulated estate"),
        ];
        for (record, mode, word, rule) in rows {
            let mut app = fx::app("payments");
            app.rto = Some(minutes(30));
            app.runbooks.insert("failover".to_owned(), RunbookId::new("failover"));
            app.drills.clear();
            let execution = fx::execution(minutes(5));
            let standing = standing_of(&app, Some(&execution), &[record], mode);
            assert_eq!(standing.verdict.word(), word, "{rule}: {standing:?}");
        }
    }

    #[test]
    fn the_newest_of_drill_and_run_counts_and_an_unknown_text_of_today_lets_a_run_lapse() {
        let mut app = fx::app("payments");
        app.rto = Some(minutes(30));
        app.runbooks.insert("failover".to_owned(), RunbookId::new("failover"));
        app.drills = vec![drill(12, minutes(9), "failover")];
        let execution = fx::execution(minutes(5));
        let proven = |run, execution| standing_of(&app, execution, &[run], Mode::Live).proven.expect("a proof");
        assert_eq!(proven(ran(3, minutes(7)), Some(&execution)).achieved, minutes(7));
        assert_eq!(proven(ran(30, minutes(7)), Some(&execution)).achieved, minutes(9));
        assert!(proven(ran(3, minutes(7)), None).lapsed, "nobody knows today's text");
    }
}
