//! What the console says of a value, in one place, so that two screens cannot say it differently.
//!
//! Every verdict is word + glyph + colour. Nothing here decides anything: the domain did.

use std::{fmt::Write as _, time::Duration};

use crate::{
    domain::{
        Estate, SafeText, Slot, Timestamp, Verdict, Zone,
        app::App,
        call::CallDescription,
        compliance::{Assessment, Exposure, RtoStanding, ServedStanding},
        fact::Fact,
        observation::At,
        resource::{AlarmState, Routing},
        time::{short, short_up},
    },
    runbook::plan::Plan,
    theme::Role,
};

/// How long ago, in whole seconds: tenths of an age say nothing and would redraw for nothing.
#[must_use]
pub fn age(age: std::time::Duration) -> String {
    short(std::time::Duration::from_secs(age.as_secs()))
}

#[must_use]
pub const fn glyph(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Met { .. } => "●",
        Verdict::AtRisk { .. } => "◐",
        Verdict::Breached { .. } => "✖",
        Verdict::Unknown { .. } => "?",
        Verdict::NoTarget => "○",
    }
}

#[must_use]
pub const fn verdict_role(verdict: &Verdict) -> Role {
    match verdict {
        Verdict::Met { .. } => Role::VerdictMet,
        Verdict::AtRisk { .. } => Role::VerdictAtRisk,
        Verdict::Breached { .. } => Role::VerdictBreached,
        Verdict::Unknown { .. } => Role::VerdictUnknown,
        Verdict::NoTarget => Role::VerdictNoTarget,
    }
}

/// `met, sampled`, `breached by 1 h 02 m`, `unknown: velero not seen for 3 h`.
#[must_use]
pub fn verdict(verdict: &Verdict, zone: &Zone) -> String {
    match verdict {
        Verdict::Met { sampled: false } => "met".to_owned(),
        Verdict::Met { sampled: true } => "met, sampled".to_owned(),
        Verdict::AtRisk { why, when: None } => format!("at risk: {why}"),
        Verdict::AtRisk { why, when: Some(when) } => format!("at risk by {}: {why}", zone.clock_minutes(*when)),
        Verdict::Breached { by } => format!("breached by {}", short_up(*by)),
        Verdict::Unknown { why, .. } => format!("unknown: {why}"),
        Verdict::NoTarget => "no RPO set".to_owned(),
    }
}

/// The verdict of an app with what qualifies it: by design, accepted, late.
#[must_use]
pub fn app_verdict(app: &App, assessment: &Assessment, zone: &Zone) -> String {
    let mut text = verdict(&assessment.verdict, zone);
    if let Some(worst) = assessment.flags.design {
        match &app.accepted {
            Some(accepted) => {
                let _ = write!(text, " · by design, accepted to {}", zone.day(accepted.until));
            }
            None => {
                let _ = write!(text, " · by design, worst {}", short_up(worst));
            }
        }
    }
    if let Some(late) = &assessment.flags.late {
        text.push_str(if late.critical { " · LATE: " } else { " · late: " });
        text.push_str(&late.why);
    }
    text
}

/// The figure of an exposure without its target: `1 h 32 m`, `unknown, ≥ 4 m`.
#[must_use]
pub fn exposure(exposure: &Exposure) -> String {
    match (&exposure.verdict, exposure.exposure) {
        (Verdict::Unknown { .. }, _) => match (exposure.at_least, exposure.at_most) {
            (Some(at_least), _) => format!("unknown, ≥ {}", short(at_least)),
            (None, Some(at_most)) => format!("unknown, ≤ {}", short_up(at_most)),
            (None, None) => "unknown".to_owned(),
        },
        // Up, as compliance, `status` and the plan round it: a loss never looks smaller than it is.
        (_, Some(figure)) => short_up(figure),
        (_, None) => exposure.at_most.map_or_else(|| "-".to_owned(), |at_most| format!("≤ {}", short_up(at_most))),
    }
}

/// `1 h 32 m / 30 m`, `0.8 s / none`.
#[must_use]
pub fn exposure_against_target(one: &Exposure) -> String {
    format!("{} / {}", exposure(one), one.target.map_or_else(|| "none".to_owned(), short))
}

/// `14:00 (32 m)`; with the day when it is not within the last 24 h.
#[must_use]
pub fn back_to(corrupted: &Exposure, now: Timestamp, zone: &Zone) -> String {
    let Some(at) = corrupted.data_time else {
        return match corrupted.verdict {
            Verdict::Unknown { .. } => "unknown".to_owned(),
            _ => "-".to_owned(),
        };
    };
    // In minutes: the moment beside it says the rest, and an idle board writes less over a slow link.
    let ago = now.since(at).as_secs();
    let said = if ago < 60 { "<1 m".to_owned() } else { short(Duration::from_secs(ago / 60 * 60)) };
    format!("{} ({said})", moment(at, now, zone))
}

/// `14:00`, or `18 Nov 14:00` when that is more than 20 h away.
#[must_use]
pub fn moment(at: Timestamp, now: Timestamp, zone: &Zone) -> String {
    let away = now.since(at).max(at.since(now));
    if away.as_secs() < 20 * 3_600 { zone.clock_minutes(at) } else { zone.day_clock(at) }
}

/// `1 h 52 m / 2 h`: the estimate from the outage on, against the target.
#[must_use]
pub fn rto(standing: &RtoStanding) -> String {
    let estimated = standing.estimated.as_ref().map_or_else(|| "unknown".to_owned(), |e| short_up(e.total()));
    format!("{estimated} / {}", standing.target.map_or_else(|| "none".to_owned(), short))
}

/// `proven 40 d`, `lapsed 400 d`, else the basis of the estimate: `declared`.
#[must_use]
pub fn rto_basis(standing: &RtoStanding, now: Timestamp) -> String {
    match (&standing.proven, &standing.estimated) {
        (Some(proof), _) => {
            let days = now.since(proof.at).as_secs() / 86_400;
            format!("{} {days} d", if proof.lapsed { "lapsed" } else { "proven" })
        }
        (None, Some(estimate)) => estimate.basis.to_string(),
        (None, None) => "-".to_owned(),
    }
}

#[must_use]
pub fn share(success: Option<f64>) -> String {
    success.map_or_else(|| "?".to_owned(), |share| format!("{:.1} %", floor_tenth(share * 100.0)))
}

/// 99.96 % is not 100 %: percentages of success are rounded down.
fn floor_tenth(percent: f64) -> f64 {
    (percent * 10.0 + 1e-6).floor() / 10.0
}

/// `99.9 %  410/s  98 % of last week`
#[must_use]
pub fn served(standing: &ServedStanding) -> String {
    let Some(success) = standing.success else { return "customers served unknown".to_owned() };
    let mut text = format!("served {}", share(Some(success)));
    if let Some(rate) = standing.per_second {
        let _ = write!(text, "  {}", per_second(rate));
    }
    if let Some(against) = standing.against_last_week {
        let _ = write!(text, "  {:.0} % of last week", against * 100.0);
    }
    text
}

#[must_use]
pub fn per_second(rate: f64) -> String {
    if rate >= 10_000.0 {
        format!("{:.0}k/s", rate / 1_000.0)
    } else if rate >= 10.0 {
        format!("{rate:.0}/s")
    } else {
        format!("{rate:.1}/s")
    }
}

/// `10.0 TB`
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// `1111…2222`: enough to recognise an account on a shared screen.
#[must_use]
pub fn account(id: &str) -> String {
    match (id.get(..4), id.len().checked_sub(4).and_then(|n| id.get(n..))) {
        (Some(head), Some(tail)) if id.len() > 8 => format!("{head}…{tail}"),
        _ => id.to_owned(),
    }
}

/// `Payments → HYDERABAD ap-south-2`: what goes where. A runbook's name alone does not say it, several apps share one.
#[must_use]
pub fn bound_for(plan: &Plan) -> String {
    format!("{} → {} {}", plan.app_name, plan.target_name.to_uppercase(), plan.target_region)
}

/// `rds FailoverGlobalCluster in ap-south-2, account 1111…2222`
#[must_use]
pub fn sent_to(call: &CallDescription, plan: &Plan) -> String {
    format!("{} {} in {}, account {}", call.service, call.operation, call.region, account(&plan.account))
}

/// `oncall` of `arn:aws:sts::1111:assumed-role/oncall/asha`.
#[must_use]
pub fn principal(arn: &str) -> String {
    let resource = arn.rsplit(':').next().unwrap_or(arn);
    let mut parts = resource.split('/').skip(1);
    parts.next().map_or_else(|| resource.to_owned(), str::to_owned)
}

/// `7c41…e2`: enough to tell waves apart.
#[must_use]
pub fn wave(id: &str) -> String {
    crate::runbook::plan::PlanHash(id.to_owned()).short()
}

/// A mode in a narrow column: `LIVE`, `DRILL`, `sim`, `sim DRILL`.
#[must_use]
pub fn mode_short(mode_word: &str) -> &'static str {
    match (mode_word.contains("SIMULATED"), mode_word.ends_with("DRILL")) {
        (true, true) => "sim DRILL",
        (true, false) => "sim",
        (false, true) => "DRILL",
        (false, false) => "LIVE",
    }
}

/// Last segment of an ARN, or the text itself.
#[must_use]
pub fn resource_name(arn: &str) -> SafeText {
    SafeText::new(arn.rsplit([':', '/']).next().filter(|last| !last.is_empty()).unwrap_or(arn))
}

/// One fact in a few words, and how it is drawn: a kept value never looks like a fresh one.
#[must_use]
pub fn fact(slot: &Slot<Fact>, estate: &Estate, now: Timestamp) -> (String, Role) {
    match slot.at(now) {
        At::Fresh(seen) => (fact_value(&seen.value, &seen.region, estate, now), Role::Text),
        At::Stale { last, age, .. } => {
            (format!("{} ({} old)", fact_value(&last.value, &last.region, estate, now), short(age)), Role::Stale)
        }
        At::Unknown { cause } => (cause.map_or("not read yet", |c| c.failure.word()).to_owned(), Role::VerdictUnknown),
    }
}

fn fact_value(fact: &Fact, region: &crate::domain::RegionId, estate: &Estate, now: Timestamp) -> String {
    let newest = |series: &crate::domain::Series| series.newest().map(|p| p.value);
    match fact {
        Fact::Topology(cluster) => {
            let role = match cluster.member_in(region) {
                Some(member) if member.writer => "writer",
                Some(_) => "reader",
                None => "no member",
            };
            match &cluster.failover {
                Some(failover) => format!("{role}, {}", failover.status),
                None if cluster.status.as_str() == "available" => role.to_owned(),
                None => format!("{role}, {}", cluster.status),
            }
        }
        Fact::Lag(series) => match newest(series) {
            Some(lag) if lag < 0.0 => "not replicating".to_owned(),
            Some(lag) => format!("lag {}", short_up(std::time::Duration::from_secs_f64(lag))),
            None => "no lag data".to_owned(),
        },
        Fact::SourceWrites(series) => match newest(series) {
            Some(writes) => format!("writes {writes:.0}"),
            None => "no write data".to_owned(),
        },
        Fact::RecoveryPoints(set) => {
            let newest = set.points.iter().filter(|p| p.status.restorable()).map(|p| p.created).max();
            let unusable = if set.usable { "" } else { ", vault unusable" };
            match newest {
                Some(at) => {
                    format!("{} points, {}{unusable}", set.points.len(), moment(at, now, &estate.zone))
                }
                None => format!("no usable point{unusable}"),
            }
        }
        Fact::Restorable(window) => match window.latest {
            Some(at) => format!("PITR to {}", moment(at, now, &estate.zone)),
            None => "PITR off".to_owned(),
        },
        Fact::Instance(instance) => instance.status.to_string(),
        Fact::NotMade => "not made".to_owned(),
        Fact::Record(sets) => {
            let words: Vec<String> = sets
                .iter()
                .map(|set| match &set.routing {
                    Routing::Simple => set.values.first().cloned().unwrap_or_else(|| "alias".to_owned()),
                    Routing::Weighted { weight } => {
                        format!("{} {weight}", set.set_identifier.as_deref().unwrap_or("weight"))
                    }
                    Routing::Failover { primary } => {
                        let role = if *primary { "primary" } else { "secondary" };
                        format!("{role} {}", set.set_identifier.as_deref().unwrap_or(""))
                    }
                    Routing::Other(word) => word.to_string(),
                })
                .collect();
            if words.is_empty() { "no record".to_owned() } else { words.join(", ") }
        }
        Fact::HealthCheck(check) => match check.healthy() {
            Some(true) => "healthy".to_owned(),
            Some(false) => "unhealthy".to_owned(),
            None => "no checker reported".to_owned(),
        },
        Fact::Gauge(series) | Fact::ServedGood(series) | Fact::ServedTotal(series) => match newest(series) {
            Some(value) if value.fract().abs() < 1e-9 => format!("{value:.0}"),
            Some(value) => format!("{value:.1}"),
            None => "no data".to_owned(),
        },
        Fact::Alarm(alarm) => match (alarm.state, alarm.silent) {
            (AlarmState::Ok, false) => "OK".to_owned(),
            (AlarmState::Ok, true) => "OK, silent".to_owned(),
            (AlarmState::Alarm, _) => "ALARM".to_owned(),
            (AlarmState::InsufficientData, _) => "insufficient data".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_share_is_never_rounded_up_to_perfection() {
        assert_eq!(share(Some(0.9996)), "99.9 %");
        assert_eq!(share(Some(1.0)), "100.0 %");
        assert_eq!(share(None), "?");
    }

    #[test]
    fn a_loss_reads_the_same_on_the_board_as_compliance_words_it_and_never_smaller() {
        let mut one = Exposure::unknown(Some(Duration::from_mins(5)), "".into());
        one.exposure = Some(Duration::from_millis(30_400));
        one.verdict = Verdict::Met { sampled: false };
        assert_eq!(exposure(&one), "31 s");
        assert_eq!(exposure(&one), short_up(Duration::from_millis(30_400)));
    }

    #[test]
    fn an_account_and_a_role_are_recognisable_but_short() {
        assert_eq!(account("111122223333"), "1111…3333");
        assert_eq!(principal("arn:aws:sts::111122223333:assumed-role/oncall/asha"), "oncall");
        assert_eq!(resource_name("arn:aws:rds:ap-south-1:1:db:vendor-assistance-db").as_str(), "vendor-assistance-db");
    }

    #[test]
    fn sizes_keep_their_unit() {
        assert_eq!(size(10_000_000_000_000), "10.0 TB");
        assert_eq!(size(12), "12 B");
    }
}
