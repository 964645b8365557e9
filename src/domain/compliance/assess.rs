//! Joins the components into the judgement on one app. DESIGN section 5, "App".
//!
//! The app is its worst mandatory component: a breach proven by fresh facts stays one, then whatever is unknown makes
//! the app unknown, with `at_least` from what is known. The RTO has a verdict of its own and is not mixed in, except
//! that in an outage its clock runs: then missing it is a fact.

use std::{cmp::Ordering, fmt::Write as _, time::Duration};

use super::{
    Assessment, BackupFlags, Exposure, Question, Severity, Verdict, backups,
    decide::{self, Clocks},
    ratio, rto, served,
    standing::{self, Judged},
};
use crate::domain::{
    fact::What,
    id::ComponentId,
    region::Side,
    text::SafeText,
    time::{Timestamp, short_up},
};

/// Own clock against AWS's, in seconds, beyond which no age can be trusted.
pub const SKEW_MAX_SECONDS: i64 = 30;

/// How long a top-tier app may be unknown before that is critical.
const UNKNOWN_MAX: Duration = Duration::from_mins(15);
const TOP_TIER: u8 = 1;

/// The judgement on one app.
#[must_use]
pub fn assess(question: &Question<'_>) -> Assessment {
    let app = question.app;
    let writer = app_writer(question);
    let mut judged: Vec<Judged> =
        app.components.iter().map(|component| standing::judge(question, component, writer)).collect();
    let skew = clock_skew(question);
    if let Some(skew) = skew {
        let why = SafeText::from(format!("own clock is {skew} s off AWS's: no age can be trusted"));
        for one in &mut judged {
            distrust(one, &why);
        }
    }

    let mut region_lost = worst_exposure(&judged, app.rpo, |one| one.standing.region_lost.as_ref());
    let corrupted = worst_exposure(&judged, None, |one| one.standing.corrupted.as_ref());
    let keeps_history = judged.iter().any(|one| one.mandatory && one.standing.corrupted.is_some());
    if skew.is_none() && region_lost.verdict.severity() == Severity::Unknown {
        region_lost.at_least = known_at_least(&judged, region_lost.target);
        if let Verdict::Unknown { at_least, .. } = &mut region_lost.verdict {
            *at_least = region_lost.at_least;
        }
    }
    let rto = rto::standing(question);
    let outage_since = standing::down_since(question, &question.estate.regions.get(writer).id);
    let clocks = Clocks::of(question, &rto, outage_since);
    let outage = outage_verdict(question, writer, &clocks);

    // Most telling first: among verdicts of one weight the first is the app's.
    let mut verdict = Some(region_lost.verdict.clone());
    verdict = standing::worse(verdict, outage.clone());
    for one in judged.iter().filter(|one| one.mandatory) {
        verdict = standing::worse(verdict, Some(named(one, region_lost.at_least)));
    }
    if keeps_history {
        verdict = standing::worse(verdict, standing::counted_corrupted(&corrupted));
    }
    let verdict = verdict.unwrap_or_else(|| region_lost.verdict.clone());

    let flags = flags(&judged);
    let outage_breach = matches!(outage, Some(Verdict::Breached { .. }));
    let breach_could_have_been_met = judged.iter().filter(|one| one.mandatory).any(|one| {
        let breached = one.standing.region_lost.as_ref().is_some_and(|e| matches!(e.verdict, Verdict::Breached { .. }));
        breached && !one.by_design
    });
    let pages = skew.is_none()
        && ((matches!(verdict, Verdict::Breached { .. }) && (breach_could_have_been_met || outage_breach))
            || flags.late.as_ref().is_some_and(|late| late.critical)
            || unknown_for_too_long(question, &verdict, &judged));
    let reasons = reasons(question, &judged, outage.as_ref(), &rto, &flags);
    let other = question.estate.regions.get(writer.other());
    let nowhere = standing::down_since(question, &other.id).map(|since| {
        SafeText::from(format!(
            "nowhere to go: {} is down, seen since {}",
            other.name,
            question.estate.zone.clock(since)
        ))
    });
    let decide = decide::card(question, &verdict, &region_lost, &clocks, nowhere);
    Assessment {
        app: app.id.clone(),
        region_lost,
        corrupted,
        flags,
        rto,
        served: served::standing(question),
        components: judged.into_iter().map(|one| one.standing).collect(),
        verdict,
        reasons,
        pages,
        decide,
    }
}

/// Unknown on a top-tier app for 15 minutes counts as critical. How long is told by what was seen last; an observer
/// that never saw anything cannot tell, and stays Unknown.
fn unknown_for_too_long(question: &Question<'_>, verdict: &Verdict, judged: &[Judged]) -> bool {
    if question.app.tier > TOP_TIER || verdict.severity() != Severity::Unknown {
        return false;
    }
    judged.iter().zip(&question.app.components).filter(|(one, _)| one.mandatory).any(|(one, component)| {
        let Some(exposure) = one.standing.region_lost.as_ref() else { return false };
        let streams = matches!(component.region_lost, Some((_, What::Lag)));
        let read = exposure.observed_at.is_some_and(|at| question.now.since(at) >= UNKNOWN_MAX);
        let sampled = streams && exposure.at_most.is_some_and(|at_most| at_most >= UNKNOWN_MAX);
        exposure.verdict.severity() == Severity::Unknown && (read || sampled)
    })
}

/// Where the app writes: what a topology says, else at home.
fn app_writer(question: &Question<'_>) -> Side {
    question
        .app
        .components
        .iter()
        .filter(|component| component.mandatory && component.observed)
        .find_map(|component| standing::writer_side(question, standing::topology(question, component)?))
        .unwrap_or(Side::Primary)
}

/// The largest skew that any Region measured, when it is too large.
fn clock_skew(question: &Question<'_>) -> Option<i64> {
    let seen = question.snapshot.identities.values().filter_map(|slot| slot.last.as_ref()?.value.skew_seconds);
    seen.max_by_key(|skew| skew.saturating_abs()).filter(|skew| skew.saturating_abs() > SKEW_MAX_SECONDS)
}

fn distrust(one: &mut Judged, why: &SafeText) {
    let unknown = || Verdict::Unknown { why: why.clone(), at_least: None, at_most: None };
    for exposure in [&mut one.standing.region_lost, &mut one.standing.corrupted].into_iter().flatten() {
        let component = exposure.component.take();
        *exposure = Exposure { component, ..Exposure::unknown(exposure.target, why.clone()) };
    }
    one.standing.verdict = unknown();
    one.standing.state = why.clone();
    one.flags = BackupFlags { design: one.flags.design, ..BackupFlags::default() };
}

/// The worst mandatory one: by severity, then by ratio, then by age, then by how strict its target is.
fn worst_exposure<'a>(
    judged: &'a [Judged],
    target: Option<Duration>,
    pick: impl Fn(&'a Judged) -> Option<&'a Exposure>,
) -> Exposure {
    let counted = || judged.iter().filter(|one| one.mandatory).filter_map(&pick);
    let worst = counted().max_by(|a, b| {
        let by_severity = b.verdict.severity().cmp(&a.verdict.severity());
        let by_ratio = ratio(a).partial_cmp(&ratio(b)).unwrap_or(Ordering::Equal);
        let by_age = || b.data_time.cmp(&a.data_time);
        by_severity.then(by_ratio).then_with(by_age).then_with(|| strictness(b.target).cmp(&strictness(a.target)))
    });
    let Some(worst) = worst else { return Exposure::unknown(target, "no observed component answers this".into()) };
    let mut worst = worst.clone();
    if let Verdict::Met { sampled } = &mut worst.verdict {
        // Proven only when every part is.
        *sampled = counted().any(|e| matches!(e.verdict, Verdict::Met { sampled: true }));
    }
    if worst.verdict.severity() == Severity::Unknown {
        worst.exposure = None;
    }
    worst
}

/// Shorter is stricter; no target asks for nothing.
fn strictness(target: Option<Duration>) -> Duration {
    target.unwrap_or(Duration::MAX)
}

/// What would be lost at least, from the mandatory components that are known now. Only from those held to `target` or
/// a stricter one: the figure stands beside that target, and a slower stream is allowed more.
fn known_at_least(judged: &[Judged], target: Option<Duration>) -> Option<Duration> {
    let exposures = judged.iter().filter(|one| one.mandatory).filter_map(|one| one.standing.region_lost.as_ref());
    exposures
        .filter(|e| e.verdict.severity() != Severity::Unknown && strictness(e.target) <= strictness(target))
        .filter_map(|e| e.exposure.or(e.at_least))
        .max()
        .filter(|known| !known.is_zero())
}

/// A component's verdict as the app's: with its name, and with what is known of the loss. A breach of a component is
/// already in the exposures; of itself a state warns.
fn named(one: &Judged, known: Option<Duration>) -> Verdict {
    let name = &one.standing.component;
    match &one.standing.verdict {
        Verdict::Unknown { why, at_most, .. } => {
            Verdict::Unknown { why: format!("{name}: {why}").into(), at_least: known, at_most: *at_most }
        }
        Verdict::AtRisk { why, when } => Verdict::AtRisk { why: format!("{name}: {why}").into(), when: *when },
        other => other.clone(),
    }
}

/// The Region that writes is down: at risk, and breached once the RTO can no longer be met.
fn outage_verdict(question: &Question<'_>, writer: Side, clocks: &Clocks) -> Option<Verdict> {
    let since = clocks.outage_since?;
    if let Some(by) = clocks.missed_by() {
        return Some(Verdict::Breached { by });
    }
    let city = &question.estate.regions.get(writer).name;
    let why = format!("{city} is down, seen since {}", question.estate.zone.clock(since));
    Some(Verdict::AtRisk { why: why.into(), when: clocks.last_moment })
}

/// The worst of each flag over the mandatory components.
fn flags(judged: &[Judged]) -> BackupFlags {
    let counted = || judged.iter().filter(|one| one.mandatory).map(|one| &one.flags);
    BackupFlags {
        design: counted().filter_map(|flags| flags.design).max(),
        contract: counted().filter_map(|flags| flags.contract).max(),
        late: counted().filter_map(|flags| flags.late.clone()).max_by_key(|late| late.critical),
    }
}

fn reasons(
    question: &Question<'_>,
    judged: &[Judged],
    outage: Option<&Verdict>,
    rto: &super::RtoStanding,
    flags: &BackupFlags,
) -> Vec<SafeText> {
    let mut lines = Lines::default();
    match outage {
        Some(Verdict::Breached { by }) => {
            lines.say(Severity::Breached, format!("outage: the RTO is missed by {}", short_up(*by)));
        }
        Some(Verdict::AtRisk { why, .. }) => lines.say(Severity::Warning, why.to_string()),
        _ => {}
    }
    for one in judged {
        let standing = &one.standing;
        let said = match &standing.verdict {
            Verdict::Met { .. } => continue,
            Verdict::NoTarget => {
                lines.say(Severity::Warning, NO_RPO.to_owned());
                continue;
            }
            Verdict::Breached { by } => breach_words(question, one, *by),
            Verdict::AtRisk { why, when } => at_risk_words(question, one, why, *when),
            Verdict::Unknown { why, .. } => why.to_string(),
        };
        if one.mandatory {
            lines.say_of(standing.verdict.severity(), &standing.component, said);
        } else {
            lines.say_of(Severity::Met, &standing.component, format!("{said}{NOT_MANDATORY}"));
        }
    }
    if let Some(late) = &flags.late
        && !lines.0.iter().any(|line| line.said.contains(late.why.as_str()))
    {
        lines.say(if late.critical { Severity::Breached } else { Severity::Warning }, late.why.to_string());
    }
    match &rto.verdict {
        Verdict::Breached { by } => lines.say(Severity::Warning, format!("RTO missed by {}", short_up(*by))),
        Verdict::AtRisk { why, .. } | Verdict::Unknown { why, .. } => {
            lines.say(Severity::Warning, format!("RTO {why}"));
        }
        Verdict::NoTarget => lines.say(Severity::Warning, "no RTO is set".to_owned()),
        Verdict::Met { .. } => {}
    }
    lines.in_order()
}

/// The reason of an app whose loss nobody has bounded.
pub const NO_RPO: &str = "no RPO is set";
/// Ends a reason that takes nothing from the app's verdict.
pub const NOT_MANDATORY: &str = " (not mandatory)";

/// Reasons as they are found. What is said of several components is one line with all their names.
#[derive(Default)]
struct Lines(Vec<Line>);

struct Line {
    severity: Severity,
    of: Vec<ComponentId>,
    said: String,
}

impl Lines {
    fn say(&mut self, severity: Severity, said: String) {
        if !self.0.iter().any(|line| line.said == said) {
            self.0.push(Line { severity, of: Vec::new(), said });
        }
    }

    fn say_of(&mut self, severity: Severity, component: &ComponentId, said: String) {
        let same = |line: &&mut Line| line.severity == severity && !line.of.is_empty() && line.said == said;
        match self.0.iter_mut().find(same) {
            Some(line) => line.of.push(component.clone()),
            None => self.0.push(Line { severity, of: vec![component.clone()], said }),
        }
    }

    /// Most important first.
    fn in_order(mut self) -> Vec<SafeText> {
        self.0.sort_by_key(|line| line.severity);
        let text = |line: Line| {
            let names: Vec<&str> = line.of.iter().map(ComponentId::as_str).collect();
            if names.is_empty() { line.said.into() } else { format!("{}: {}", names.join(", "), line.said).into() }
        };
        self.0.into_iter().map(text).collect()
    }
}

fn breach_words(question: &Question<'_>, one: &Judged, by: Duration) -> String {
    let mut said = if by.is_zero() { "breached".to_owned() } else { format!("breached by {}", short_up(by)) };
    let exposure = one.standing.region_lost.as_ref();
    if let Some(worst) = one.flags.design.filter(|_| one.by_design) {
        if exposure.and_then(|e| e.exposure).is_some_and(|lost| lost > worst) {
            let _ = write!(said, ", more than the {} that its design explains", short_up(worst));
        } else {
            let _ = write!(said, ", by design, worst {}{}", short_up(worst), accepted_words(question));
        }
    } else if exposure.is_some_and(|e| e.exposure.is_none()) {
        said = format!("{said}, {}", one.standing.state);
    }
    if let Some(late) = &one.flags.late {
        let _ = write!(said, "; {}", late.why);
    }
    said
}

fn at_risk_words(question: &Question<'_>, one: &Judged, why: &SafeText, when: Option<Timestamp>) -> String {
    let mut said = why.to_string();
    if let Some(when) = when.filter(|when| *when > question.now) {
        let at = question.estate.zone.clock_minutes(when);
        said = format!("{said}, breached at {at} if nothing new arrives");
    }
    if one.by_design && one.flags.late.is_none() {
        said.push_str(&accepted_words(question));
    }
    said
}

fn accepted_words(question: &Question<'_>) -> String {
    backups::accepted(question.app.accepted.as_ref(), question.now).map_or_else(String::new, |acceptance| {
        format!(", accepted by {} to {}", acceptance.owner, question.estate.zone.day(acceptance.until))
    })
}
