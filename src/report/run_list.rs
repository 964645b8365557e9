//! The list of runs, as text and as JSON: open ones first, with what is in doubt.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::runs::run_line;
use crate::{
    domain::{SafeText, StepId, Zone, time::short_up},
    runbook::{
        finding::Leftover,
        fold,
        run::{RunState, StepPhase},
        summary::{Ending, RunSummary},
    },
};

/// Steps of which it is not known whether a call took effect, each with what is known of it.
#[must_use]
pub fn doubts(run: &RunState) -> Vec<(&StepId, &SafeText)> {
    let doubtful = |phase: &StepPhase| matches!(phase, StepPhase::Sent | StepPhase::InDoubt);
    run.steps.iter().filter(|step| doubtful(&step.phase)).map(|step| (&step.id, &step.detail)).collect()
}

/// An ended run in one line, as [`run_line`] gives an open one.
#[must_use]
pub fn summary_line(run: &RunSummary, zone: &Zone) -> String {
    let why = match &run.ending {
        Ending::Abandoned { why } => format!(": {why}"),
        Ending::Completed => String::new(),
    };
    let (_, took) = run.achieved();
    format!(
        "{:>4}  {}  {:<20}  {} → {}  {}  by {} {}  {} after {}{why}",
        run.id,
        zone.day_clock(run.declared_at),
        run.runbook,
        run.app_name,
        run.target_name,
        run.mode_word,
        run.who,
        run.incident,
        run.word,
        short_up(took),
    )
}

/// Open runs, then as many of the ended ones as were asked for; what is left out is counted.
#[must_use]
pub fn table(open: &[&RunState], ended: &[&RunSummary], left_out: usize, zone: &Zone) -> String {
    let mut out = String::new();
    for run in open {
        let _ = writeln!(out, "{}", run_line(run, zone));
        for (step, detail) in doubts(run) {
            let said = if detail.is_empty() { "sent, no answer on record" } else { detail };
            let _ = writeln!(out, "      IN DOUBT  {step}: {said}");
        }
        // Who drives it answers for it: nothing is to be resumed.
        let (one, all) = match (run.elsewhere, &run.declaration.wave) {
            (Some(driver), _) => (format!("driven by {driver}"), String::new()),
            (None, None) => (format!("`pointsman resume {}`", run.id), String::new()),
            (None, Some(mark)) => (
                format!("`pointsman resume {}`", run.id),
                format!("; all of them: `pointsman resume --wave {}`", mark.id),
            ),
        };
        let _ = writeln!(out, "      NOT ENDED  {}; {one}", fold::standing(run));
        if let Some(mark) = &run.declaration.wave {
            let _ = writeln!(out, "      WAVE       {} of {}{all}", mark.ordinal, mark.size);
        }
        left_behind(&mut out, &run.leftovers, &run.plan.mode_word);
    }
    for run in ended {
        let _ = writeln!(out, "{}", summary_line(run, zone));
        left_behind(&mut out, &run.leftovers, &run.mode_word);
    }
    if left_out > 0 {
        let _ = writeln!(out, "      and {left_out} older; --all lists them");
    }
    out
}

/// What a run made is named until it is gone.
pub(super) fn left_behind(out: &mut String, leftovers: &[Leftover], mode_word: &str) {
    for left in leftovers {
        let _ = writeln!(out, "      {}  {} {} in {}", Leftover::word(mode_word), left.kind, left.id, left.region);
    }
}

/// Durations in seconds, times RFC 3339 in UTC; what is not known is null. An interface: `runs.schema.json` says what
/// is in it.
#[must_use]
pub fn json(open: &[&RunState], ended: &[&RunSummary]) -> Value {
    let open = open.iter().map(|run| {
        let doubts: Vec<Value> = doubts(run).iter().map(|(step, text)| json!({"step": step, "detail": text})).collect();
        json!({
            "run": run.id, "ended": false, "standing": run.phase.word(), "mode": run.plan.mode_word,
            "runbook": run.plan.runbook, "kind": run.plan.kind.word(), "app": run.plan.app,
            "target_region": run.plan.target_region, "declared_by": run.declaration.who,
            "incident": run.declaration.incident, "outage_at": run.declaration.outage_at,
            "declared_at": run.declared_at, "ended_at": null, "from_outage": null, "from_declaration": null,
            "waiting": null, "exceptions": null, "in_doubt": doubts, "unprotected_since": run.unprotected_since,
            "left_behind": run.leftovers,
            "driven_by": run.elsewhere.map(|driver| json!({ "process": driver.process })),
        })
    });
    let ended = ended.iter().map(|run| {
        let (outage, declaration) = run.achieved();
        json!({
            "run": run.id, "ended": true, "standing": run.word, "mode": run.mode_word,
            "runbook": run.runbook, "kind": run.kind.word(), "app": run.app,
            "target_region": run.target_region, "declared_by": run.who,
            "incident": run.incident, "outage_at": run.outage_at,
            "declared_at": run.declared_at, "ended_at": run.ended_at,
            "from_outage": outage.map(|d| d.as_secs_f64()), "from_declaration": declaration.as_secs_f64(),
            "waiting": run.waited.as_secs_f64(), "exceptions": run.exceptions, "in_doubt": [],
            "unprotected_since": run.unprotected_since, "left_behind": run.leftovers,
            "driven_by": null,
        })
    });
    Value::Array(open.chain(ended).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        domain::Timestamp,
        runbook::{run::RunId, spec::RunbookKind},
    };

    #[test]
    fn what_an_ended_drill_took_is_not_rounded_down_and_what_it_left_behind_is_told_to_scripts_as_to_people() {
        let left = Leftover { kind: "rds-instance".into(), region: "ap-south-2".into(), id: "lab-db-hyd".into() };
        let run = RunSummary {
            id: RunId(7),
            app: "backup-lab".into(),
            app_name: "Lab".into(),
            runbook: "lab-failover".into(),
            runbook_digest: "d".into(),
            kind: RunbookKind::Failover,
            mode_word: "DRILL".into(),
            target_region: "ap-south-2".into(),
            target_name: "Hyderabad".into(),
            who: "asha".into(),
            incident: "INC-4471".into(),
            declared_at: Timestamp::from_secs(0),
            outage_at: None,
            ended_at: Timestamp::from_secs(60),
            ending: Ending::Completed,
            word: "completed".into(),
            exceptions: 0,
            waited: Duration::ZERO,
            took: Vec::new(),
            loss_accepted: None,
            unprotected_since: None,
            wave: None,
            leftovers: vec![left],
            measured: None,
            variant: crate::runbook::spec::Variant::Whole,
            skipped: 0,
        };
        let line = |ended_at| summary_line(&RunSummary { ended_at, ..run.clone() }, &Zone::utc());
        assert!(
            line(Timestamp::from_millis(9_001_000)).contains("after 2 h 31 m"),
            "a second past two hours and a half"
        );
        assert!(line(Timestamp::from_secs(9_000)).contains("after 2 h 30 m"));
        let told = json(&[], &[&run]);
        let expected = json!([{ "kind": "rds-instance", "region": "ap-south-2", "id": "lab-db-hyd" }]);
        assert_eq!(told[0]["left_behind"], expected);
        assert!(table(&[], &[&run], 0, &Zone::utc()).contains("LEFT BEHIND  rds-instance lab-db-hyd in ap-south-2"));
    }
}
