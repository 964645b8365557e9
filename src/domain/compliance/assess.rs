//! Joins the components into the judgement on one app. DESIGN section 5, "App".
//!
//! The app is its worst mandatory component: a breach proven by fresh facts stays one, then whatever is unknown makes
//! the app unknown, with `at_least` from what is known. The RTO has a verdict of its own and is not mixed in, except
//! that in an outage its clock runs: then missing it is a fact.

use std::{cmp::Ordering, time::Duration};

use super::{
    Assessment, BackupFlags, Exposure, Question, Severity, Verdict, backups,
    decide::{self, Clocks},
    ratio, rto, served,
    standing::{self, Judged},
};
use crate::domain::{
    fact::What,
    region::Side,
    text::SafeText,
    time::{Timestamp, short, short_up},
};

/// Own clock against AWS's, in seconds, beyond which no age can be trusted.
const SKEW_MAX_SECONDS: i64 = 30;

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
        region_lost.at_least = known_at_least(&judged);
        if let Verdict::Unknown { at_least, .. } = &mut region_lost.verdict {
            *at_least = region_lost.at_least;
        }
    }
    let rto = rto::standing(app, question.execution, question.now);
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
        SafeText::from(format!("nowhere to go: {} is down since {}", other.name, question.estate.zone.clock(since)))
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

/// The worst mandatory one: by severity, then by ratio, then by age.
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
        by_severity.then(by_ratio).then_with(by_age)
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

/// What would be lost at least, from the mandatory components that are known now.
fn known_at_least(judged: &[Judged]) -> Option<Duration> {
    let exposures = judged.iter().filter(|one| one.mandatory).filter_map(|one| one.standing.region_lost.as_ref());
    exposures
        .filter(|e| e.verdict.severity() != Severity::Unknown)
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
    let why = format!("{city} is down since {}", question.estate.zone.clock(since));
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
    let mut found: Vec<(Severity, String)> = Vec::new();
    match outage {
        Some(Verdict::Breached { by }) => {
            found.push((Severity::Breached, format!("outage: the RTO is missed by {}", short_up(*by))));
        }
        Some(Verdict::AtRisk { why, .. }) => found.push((Severity::Warning, why.to_string())),
        _ => {}
    }
    for one in judged {
        let standing = &one.standing;
        let said = match &standing.verdict {
            Verdict::Met { .. } => continue,
            Verdict::NoTarget => "no RPO is set".to_owned(),
            Verdict::Breached { by } => breach_words(question, one, *by),
            Verdict::AtRisk { why, when } => at_risk_words(question, one, why, *when),
            Verdict::Unknown { why, .. } => why.to_string(),
        };
        let severity = if one.mandatory { standing.verdict.severity() } else { Severity::Met };
        let optional = if one.mandatory { "" } else { " (not mandatory)" };
        found.push((severity, format!("{}: {said}{optional}", standing.component)));
    }
    if let Some(late) = &flags.late {
        let said = late.why.to_string();
        if !found.iter().any(|(_, line)| line.contains(&said)) {
            found.push((if late.critical { Severity::Breached } else { Severity::Warning }, said));
        }
    }
    match &rto.verdict {
        Verdict::Breached { by } => found.push((Severity::Warning, format!("RTO missed by {}", short_up(*by)))),
        Verdict::AtRisk { why, .. } | Verdict::Unknown { why, .. } => {
            found.push((Severity::Warning, format!("RTO {why}")));
        }
        Verdict::NoTarget => found.push((Severity::Warning, "no RTO is set".to_owned())),
        Verdict::Met { .. } => {}
    }
    found.sort_by_key(|(severity, _)| *severity);
    found.into_iter().map(|(_, line)| SafeText::from(line)).collect()
}

fn breach_words(question: &Question<'_>, one: &Judged, by: Duration) -> String {
    let mut said = if by.is_zero() { "breached".to_owned() } else { format!("breached by {}", short(by)) };
    let exposure = one.standing.region_lost.as_ref();
    if one.by_design {
        said.push_str(&design_words(question, one));
    } else if exposure.is_some_and(|e| e.exposure.is_none()) {
        said = format!("{said}, {}", one.standing.state);
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

fn design_words(question: &Question<'_>, one: &Judged) -> String {
    let worst = one.flags.design.map(|worst| format!(", worst {}", short_up(worst))).unwrap_or_default();
    format!(", by design{worst}{}", accepted_words(question))
}

fn accepted_words(question: &Question<'_>) -> String {
    backups::accepted(question.app.accepted.as_ref(), question.now).map_or_else(String::new, |acceptance| {
        format!(", accepted by {} to {}", acceptance.owner, question.estate.zone.day(acceptance.until))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        ComponentId, Fact, Mode, RegionId, Slot, Snapshot,
        app::{Acceptance, DrillRecord, Param, Role},
        compliance::{
            exit_code,
            fixtures::{self as fx, World, minutes},
            order, severity,
        },
        resource::{Alarm, AlarmState, Identity},
    };

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn proven(world: &mut World) {
        world.execution = Some(fx::execution(minutes(9)));
        world.app.drills.push(DrillRecord {
            name: "drill 14".into(),
            at: fx::now() - Duration::from_hours(288),
            rto_achieved: Some(minutes(10)),
            rpo_achieved: None,
            runbook: None,
            findings_open: 0,
            next_due: None,
        });
    }

    fn skewed(world: &mut World, seconds: i64) {
        let identity = Identity { account: "1".into(), arn: "arn".into(), skew_seconds: Some(seconds) };
        world.snapshot.identities.insert(RegionId::new("ap-south-2"), fx::seen(identity, fx::now()));
    }

    fn code(world: &World) -> u8 {
        exit_code(&[assess(&world.question())])
    }

    #[test]
    fn payments_is_met_sampled_when_all_is_well() {
        let mut world = World::payments();
        proven(&mut world);
        let assessment = assess(&world.question());
        assert_eq!(assessment.verdict, Verdict::Met { sampled: true }, "{assessment:#?}");
        assert_eq!(assessment.region_lost.exposure, Some(MS(800)));
        assert_eq!(assessment.region_lost.component, Some(ComponentId::new("payments-global")));
        assert_eq!(assessment.corrupted.exposure, Some(minutes(5)));
        assert_eq!((assessment.decide, assessment.reasons), (None, vec![]));
        assert_eq!(code(&world), 0);
    }

    #[test]
    fn vendor_assistance_cannot_meet_its_rpo_by_design() {
        let world = World::hourly("vendor", Some(minutes(30)), minutes(92));
        let assessment = assess(&world.question());
        assert_eq!(assessment.verdict, Verdict::Breached { by: minutes(62) });
        assert_eq!(assessment.flags.design, Some(minutes(97)));
        assert!(!assessment.pages, "nobody is woken for what the design cannot do");
        assert!(assessment.reasons[0].contains("by design, worst 1 h 37 m"), "{:?}", assessment.reasons);
        assert_eq!(code(&world), 1);
        let lucky = World::hourly("vendor", Some(minutes(30)), minutes(20));
        let assessment = assess(&lucky.question());
        let Verdict::AtRisk { why, when } = &assessment.verdict else { panic!("{assessment:#?}") };
        assert!(why.contains("by design"), "{why}");
        assert_eq!(*when, Some(fx::now() + minutes(10)), "when the point grows older than the target");
    }

    #[test]
    fn an_accepted_design_says_who_accepted_it() {
        let mut world = World::hourly("cross-sell", Some(minutes(60)), minutes(92));
        world.app.accepted = Some(Acceptance {
            owner: "head of lending".into(),
            until: fx::now() + Duration::from_hours(1752),
            reason: "cost".into(),
        });
        let reasons = assess(&world.question()).reasons;
        assert!(reasons[0].contains("accepted by head of lending to 1 Feb"), "{reasons:?}");
    }

    #[test]
    fn customer_assistance_has_no_target() {
        let world = World::hourly("customer", None, minutes(92));
        let assessment = assess(&world.question());
        assert_eq!(assessment.verdict, Verdict::NoTarget);
        assert_eq!(assessment.region_lost.exposure, Some(minutes(92)), "the figure is shown all the same");
        assert_eq!(code(&world), 1);
    }

    #[test]
    fn a_breach_that_the_design_could_have_avoided_pages() {
        let world = World::hourly("inventory", Some(minutes(240)), minutes(250));
        let assessment = assess(&world.question());
        assert!(assessment.pages);
        assert_eq!(code(&world), 2);
        assert_eq!(assessment.flags.contract, Some(minutes(10)));
    }

    #[test]
    fn a_dead_observer_makes_the_app_unknown() {
        let mut world = World::payments();
        for (side, what) in
            [(Side::Recovery, What::Lag), (Side::Primary, What::Topology), (Side::Recovery, What::Topology)]
        {
            world.put_slot("payments-global", side, what, Slot::failed(fx::error()));
        }
        let assessment = assess(&world.question());
        let Verdict::Unknown { why, .. } = &assessment.verdict else { panic!("{assessment:#?}") };
        assert!(why.contains("access denied"), "{why}");
        assert_eq!(code(&world), 3);
    }

    #[test]
    fn what_is_declared_but_not_observed_makes_the_app_unknown_when_it_is_mandatory() {
        let mut world = World::hourly("webank", Some(minutes(240)), minutes(40));
        let mut velero = fx::component("velero", None, &[]);
        velero.observed = false;
        world.app.components.push(velero);
        let assessment = assess(&world.question());
        let Verdict::Unknown { why, at_least, .. } = &assessment.verdict else { panic!("{assessment:#?}") };
        assert!(why.contains("not observed by this version"), "{why}");
        assert_eq!(*at_least, Some(minutes(40)), "from what is known");
        assert_eq!(assessment.region_lost.component, Some(ComponentId::new("velero")));

        world.app.components[1].mandatory = false;
        assert_eq!(assess(&world.question()).verdict, Verdict::Met { sampled: false });
        world.app.components[1].mandatory = true;
        world.app.components[1].role = Role::Run;
        assert_eq!(assess(&world.question()).verdict.severity(), Severity::Unknown, "of any role");
    }

    #[test]
    fn a_proven_breach_stays_one_beside_an_unknown() {
        let mut world = World::hourly("webank", Some(minutes(240)), minutes(250));
        let mut velero = fx::component("velero", None, &[]);
        velero.observed = false;
        world.app.components.push(velero);
        assert_eq!(assess(&world.question()).verdict, Verdict::Breached { by: minutes(10) });
    }

    #[test]
    fn the_worst_ratio_is_named_not_the_largest_figure() {
        let mut world = World::payments();
        world.app.backup = Some(fx::hourly());
        let mut files = fx::component("files", Some((Side::Recovery, What::RecoveryPoints)), &[]);
        files.rpo = Some(minutes(240));
        world.app.components.push(files);
        let points = fx::points(&[fx::now() - minutes(40)]);
        world.put("files", Side::Recovery, What::RecoveryPoints, Fact::RecoveryPoints(points));
        let assessment = assess(&world.question());
        assert_eq!(assessment.region_lost.component, Some(ComponentId::new("payments-global")), "0.8 s of 1 s");
        assert_eq!(assessment.verdict, Verdict::Met { sampled: true });
    }

    #[test]
    fn a_clock_that_is_off_makes_every_verdict_unknown() {
        let mut world = World::hourly("vendor", Some(minutes(30)), minutes(92));
        skewed(&mut world, 30);
        assert_eq!(assess(&world.question()).verdict.severity(), Severity::Breached, "30 s is borne");
        skewed(&mut world, -31);
        let assessment = assess(&world.question());
        assert_eq!(assessment.verdict.severity(), Severity::Unknown);
        assert_eq!((assessment.region_lost.exposure, assessment.region_lost.at_least), (None, None));
        assert!(!assessment.pages);
    }

    #[test]
    fn with_mumbai_down_the_loss_is_frozen_and_the_card_says_until_when_one_can_wait() {
        let mut world = World::payments();
        proven(&mut world);
        world.app.rto = Some(minutes(20));
        world.lag(Side::Recovery, &[0.8; 5], 600);
        world.region_down(Side::Primary, Duration::from_secs(510));
        let assessment = assess(&world.question());
        assert_eq!(assessment.verdict.severity(), Severity::Warning, "{assessment:#?}");
        let card = assessment.decide.expect("in trouble");
        assert_eq!(card.loss_at_most, Some(MS(90_800)));
        assert_eq!(card.back_at, Some(fx::now() + minutes(9) + Duration::from_secs(90)));
        let deadline = fx::now() - Duration::from_secs(510) + minutes(20);
        assert_eq!(card.last_moment, Some(deadline - minutes(9) - Duration::from_secs(90)));
        assert_eq!(
            card.lines.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "declare now: lose at most 1 m 31 s (08:51:59-08:53:30), back 09:12",
                "wait ten minutes: RTO missed",
                "last moment 09:03",
            ]
        );
    }

    #[test]
    fn once_the_rto_can_no_longer_be_met_the_outage_is_a_breach_that_pages() {
        let mut world = World::payments();
        proven(&mut world);
        world.app.rto = Some(minutes(20));
        world.lag(Side::Recovery, &[0.8; 5], 1_300);
        world.region_down(Side::Primary, minutes(20));
        let assessment = assess(&world.question());
        assert_eq!(assessment.verdict.severity(), Severity::Breached, "{assessment:#?}");
        assert!(assessment.pages);
        assert!(assessment.reasons[0].contains("the RTO is missed"), "{:?}", assessment.reasons);
    }

    #[test]
    fn after_a_failover_the_question_turns_round() {
        let mut world = World::payments();
        proven(&mut world);
        world.writer(Side::Recovery);
        world.lag(Side::Recovery, &[0.8; 5], 900);
        world.lag(Side::Primary, &[0.5; 5], 60);
        world.restorable(Side::Primary, 90);
        world.restorable(Side::Recovery, 4);
        let assessment = assess(&world.question());
        assert_eq!(assessment.region_lost.exposure, Some(MS(500)), "read in Mumbai, where the data arrives now");
        assert_eq!(assessment.corrupted.exposure, Some(minutes(4)), "the window of whoever writes");
        assert_eq!(assessment.verdict, Verdict::Met { sampled: true });
    }

    #[test]
    fn with_no_way_back_the_app_is_unprotected_since_the_failover() {
        let mut world = World::payments();
        world.writer(Side::Recovery);
        world.lag(Side::Recovery, &[0.8; 5], 900);
        for side in Side::BOTH {
            let id = crate::domain::FactId {
                app: world.app.id.clone(),
                component: ComponentId::new("payments-global"),
                region: world.region(side),
                what: What::Topology,
            };
            let slot = world.snapshot.facts.get_mut(&id).expect("put");
            let Some(Fact::Topology(cluster)) = slot.last.as_mut().map(|o| &mut o.value) else { panic!("topology") };
            cluster.members.retain(|member| member.writer);
        }
        let assessment = assess(&world.question());
        assert_eq!(assessment.verdict, Verdict::Breached { by: Duration::from_secs(899) });
        assert!(assessment.components[0].state.contains("unprotected since 08:47:00"), "{:?}", assessment.components);
        assert!(assessment.pages);
    }

    #[test]
    fn with_the_other_region_down_the_writer_is_unprotected() {
        let mut world = World::payments();
        world.region_down(Side::Recovery, minutes(4));
        let assessment = assess(&world.question());
        assert_eq!(assessment.verdict, Verdict::Breached { by: Duration::from_secs(239) }, "{assessment:#?}");
        assert_eq!(assessment.decide.and_then(|card| card.last_moment), None, "no outage of the writer: no clock");
    }

    #[test]
    fn with_both_regions_in_doubt_the_card_says_that_there_is_nowhere_to_go() {
        let mut world = World::payments();
        world.writer(Side::Recovery);
        world.region_down(Side::Primary, minutes(4));
        let card = assess(&world.question()).decide.expect("unprotected");
        assert_eq!(card.lines[0].as_str(), "nowhere to go: Mumbai is down since 08:58:00");
        assert_eq!((card.loss_at_most, card.back_at), (None, None));
    }

    #[test]
    fn an_outage_without_an_estimate_breaches_when_the_rto_has_run_out() {
        let mut world = World::payments();
        world.app.rto = Some(minutes(20));
        world.lag(Side::Recovery, &[0.8; 5], 1_300);
        world.region_down(Side::Primary, minutes(19));
        assert_eq!(assess(&world.question()).verdict.severity(), Severity::Warning);
        world.region_down(Side::Primary, minutes(21));
        assert_eq!(assess(&world.question()).verdict, Verdict::Breached { by: minutes(1) });
    }

    #[test]
    fn a_top_tier_app_that_is_unknown_for_fifteen_minutes_is_critical() {
        let mut world = World::payments();
        proven(&mut world);
        world.lag(Side::Recovery, &[0.8; 5], 600);
        assert_eq!(code(&world), 3);
        world.lag(Side::Recovery, &[0.8; 5], 900);
        assert_eq!(code(&world), 2);
        world.app.tier = 2;
        assert_eq!(code(&world), 3);
    }

    #[test]
    fn a_source_outside_aws_is_not_down_because_the_other_region_is() {
        let mut world = World::new("core-banking");
        world.app.rpo = Some(minutes(5));
        world.app.components = vec![fx::component("payments-global", Some((Side::Primary, What::Lag)), &[])];
        world.lag(Side::Primary, &[30.0; 5], 60);
        world.region_down(Side::Recovery, minutes(10));
        let assessment = assess(&world.question());
        assert_eq!(assessment.region_lost.verdict, Verdict::Met { sampled: false }, "{assessment:#?}");
    }

    #[test]
    fn an_alarm_of_a_mandatory_component_puts_the_app_at_risk_by_name() {
        let mut world = World::payments();
        let mut alarm = fx::component("alb-alarm", None, &[]);
        alarm.role = Role::Edge;
        world.app.components.push(alarm);
        let read = |state| {
            Fact::Alarm(Alarm {
                name: "alb".into(),
                composite: false,
                state,
                reason: Some("5xx".into()),
                since: None,
                silent: false,
            })
        };
        world.put("alb-alarm", Side::Primary, What::Alarm, read(AlarmState::Alarm));
        let verdict = assess(&world.question()).verdict;
        assert_eq!(verdict, Verdict::AtRisk { why: "alb-alarm: 5xx".into(), when: None });
        world.put("alb-alarm", Side::Primary, What::Alarm, read(AlarmState::InsufficientData));
        assert_eq!(assess(&world.question()).verdict.severity(), Severity::Unknown);
        world.remove("alb-alarm", Side::Primary, What::Alarm);
        assert_eq!(assess(&world.question()).verdict.severity(), Severity::Unknown, "not read is not healthy");
    }

    #[test]
    fn a_gauge_is_held_against_its_bounds() {
        let mut world = World::payments();
        let mut hosts = fx::component("hosts", None, &[]);
        hosts.params.0.insert("at_least".into(), Param::Number(3.0));
        world.app.components.push(hosts);
        let mut verdict = |values: &[f64], age: u64| {
            let newest = fx::now() - Duration::from_secs(age);
            world.put("hosts", Side::Primary, What::Gauge, Fact::Gauge(fx::series(values, newest)));
            assess(&world.question()).verdict.word()
        };
        assert_eq!(verdict(&[5.0], 60), "met");
        assert_eq!(verdict(&[2.0], 60), "at-risk");
        assert_eq!(verdict(&[], 60), "unknown");
        assert_eq!(verdict(&[5.0], 3_600), "unknown");
    }

    #[test]
    fn an_rto_not_proven_warns_a_monitoring_system_and_leaves_the_rpo_verdict_alone() {
        let mut world = World::payments();
        world.execution = Some(fx::execution(minutes(9)));
        let assessment = assess(&world.question());
        assert_eq!(assessment.verdict, Verdict::Met { sampled: true });
        assert_eq!(severity(&assessment), Severity::Warning);
        assert_eq!(code(&world), 1);
    }

    #[test]
    fn critical_comes_before_unknown_and_unknown_before_warning() {
        let mut ok = World::payments();
        proven(&mut ok);
        let warning = World::hourly("vendor", Some(minutes(30)), minutes(92));
        let critical = World::hourly("inventory", Some(minutes(240)), minutes(250));
        let mut unknown = World::payments();
        unknown.snapshot = Snapshot::empty(Mode::Live, fx::now());
        let [ok, warning, critical, unknown] = [&ok, &warning, &critical, &unknown].map(|w| assess(&w.question()));
        let code = |list: &[&super::Assessment]| exit_code(&list.iter().map(|a| (*a).clone()).collect::<Vec<_>>());
        assert_eq!(code(&[&ok]), 0);
        assert_eq!(code(&[&ok, &warning]), 1);
        assert_eq!(code(&[&ok, &warning, &unknown]), 3);
        assert_eq!(code(&[&unknown, &critical, &warning]), 2);
        assert_eq!(code(&[]), 3, "an estate of nothing is not ok");
    }

    #[test]
    fn worst_first_then_tier_then_ratio() {
        let mut worlds = [
            World::hourly("met", Some(minutes(240)), minutes(40)),
            World::hourly("breach-small", Some(minutes(60)), minutes(70)),
            World::hourly("breach-large", Some(minutes(30)), minutes(92)),
            World::hourly("breach-tier-1", Some(minutes(60)), minutes(65)),
            World::hourly("no-target", None, minutes(92)),
            World::hourly("unknown", Some(minutes(60)), minutes(5)),
        ];
        worlds[3].app.tier = 1;
        worlds[5].snapshot = Snapshot::empty(Mode::Live, fx::now());
        let mut estate = worlds[0].estate.clone();
        estate.apps = worlds.iter().map(|world| world.app.clone()).collect();
        let assessments: Vec<_> = worlds.iter().map(|world| assess(&world.question())).collect();
        let names: Vec<&str> = order(&estate, &assessments).iter().map(|n| assessments[*n].app.as_str()).collect();
        // `met` has no proven RTO: a warning like `no-target`, with the larger ratio.
        assert_eq!(names, ["breach-tier-1", "breach-large", "breach-small", "unknown", "met", "no-target"]);
    }

    proptest! {
        #[test]
        fn missing_facts_are_never_met(
            drop_lag in any::<bool>(), drop_topology in any::<bool>(), drop_window in any::<bool>(), fail in any::<bool>(),
        ) {
            prop_assume!(drop_lag || drop_window);
            let mut world = World::payments();
            let drop = |world: &mut World, side, what| {
                if fail {
                    world.put_slot("payments-global", side, what, Slot::failed(fx::error()));
                } else {
                    world.remove("payments-global", side, what);
                }
            };
            if drop_lag { drop(&mut world, Side::Recovery, What::Lag); }
            if drop_window { drop(&mut world, Side::Primary, What::Restorable); }
            if drop_topology { for side in Side::BOTH { drop(&mut world, side, What::Topology); } }
            prop_assert_eq!(assess(&world.question()).verdict.severity(), Severity::Unknown);
        }

        #[test]
        fn time_that_passes_without_news_never_makes_an_app_met(age in 0..2_000_u64, later in 0..5_000_u64) {
            let mut world = World::hourly("a", Some(minutes(240)), Duration::from_secs(age));
            let before = assess(&world.question()).verdict;
            world.now = world.now + Duration::from_secs(later);
            let after = assess(&world.question()).verdict;
            if later > 120 {
                prop_assert_eq!(after.severity(), Severity::Unknown, "the facts are past their budget");
            }
            prop_assert!(after.severity() <= before.severity());
        }
    }
}
