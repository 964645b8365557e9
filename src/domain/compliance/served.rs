//! Customers served: success share and rate, against the same minute last week. DESIGN section 5.
//!
//! Replication can be perfect while nobody is served. Counters are summed over both Regions, for the newest minute
//! that every Region with traffic has. What cannot be read makes the sum unknown, unless its Region is down: then
//! nobody is served there, and the rest is the truth.

use std::time::Duration;

use super::{Question, ServedStanding};
use crate::domain::{
    fact::{Fact, SERVED, Series, What},
    id::{ComponentId, RegionId},
    observation::At,
    region::Side,
    snapshot::Reach,
    time::Timestamp,
};

const WEEK: Duration = Duration::from_hours(168);
/// Counters older than this speak about another time; CloudWatch is up to three minutes late.
const AGE_MAX: Duration = Duration::from_mins(6);

const UNKNOWN: ServedStanding =
    ServedStanding { success: None, per_second: None, against_last_week: None, data_time: None };

#[must_use]
pub fn standing(question: &Question<'_>) -> ServedStanding {
    if question.app.served.is_none() {
        return UNKNOWN;
    }
    let (Some(total), Some(good)) = (counters(question, What::ServedTotal), counters(question, What::ServedGood))
    else {
        return UNKNOWN;
    };
    let recent = |series: &&Series| series.newest().is_some_and(|p| question.now.since(p.at) <= AGE_MAX);
    let newest = |counters: &[&Series]| {
        let points = counters.iter().copied().filter(recent).filter_map(Series::newest);
        points.map(|point| point.at).min()
    };
    let Some(minute) = newest(&total) else { return UNKNOWN };
    // Each series is late in its own way: a share needs a minute that both have.
    let minute = newest(&good).map_or(minute, |answered| answered.min(minute));
    let Some(asked) = sum_at(&total, minute) else { return UNKNOWN };
    let answered = sum_at(&good, minute);
    let period = total.iter().map(|series| series.period).max().unwrap_or(Duration::from_mins(1));
    let last_week = sum_at(&total, minute - WEEK).filter(|before| *before > 0.0);
    ServedStanding {
        // Nobody asked: there is no share of nothing.
        success: answered.filter(|_| asked > 0.0).map(|answered| (answered / asked).clamp(0.0, 1.0)),
        per_second: Some(asked / period.as_secs_f64()),
        against_last_week: last_week.map(|before| asked / before),
        data_time: Some(minute),
    }
}

/// The series of every Region that has one; `None` when one of them cannot be read and its Region is not down.
fn counters<'a>(question: &Question<'a>, what: What) -> Option<Vec<&'a Series>> {
    let served = ComponentId::new(SERVED);
    let mut found = Vec::new();
    for side in Side::BOTH {
        let region = &question.estate.regions.get(side).id;
        let Some(slot) = question.snapshot.fact(&question.app.id, &served, region, what) else { continue };
        match slot.at(question.now) {
            At::Fresh(observation) => match &observation.value {
                Fact::ServedGood(series) | Fact::ServedTotal(series) => found.push(series),
                _ => return None,
            },
            _ if down(question, region) => {}
            _ => return None,
        }
    }
    (!found.is_empty()).then_some(found)
}

fn down(question: &Question<'_>, region: &RegionId) -> bool {
    question.snapshot.regions.get(region).is_some_and(|health| health.reach == Reach::RegionDown)
}

/// Sum over the series that have a point at `minute`; `None` when none has.
fn sum_at(series: &[&Series], minute: Timestamp) -> Option<f64> {
    let values: Vec<f64> = series
        .iter()
        .filter_map(|one| one.points.iter().rfind(|p| p.at == minute))
        .map(|point| point.value)
        .filter(|value| value.is_finite() && *value >= 0.0)
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        app::ServedMetrics,
        compliance::fixtures::{self as fx, World},
        fact::Point,
        observation::Slot,
    };

    fn world() -> World {
        let mut world = World::new("payments");
        world.app.served = Some(ServedMetrics {
            namespace: "Bank".into(),
            good: "Good".into(),
            total: "Total".into(),
            dimensions: std::collections::BTreeMap::new(),
        });
        world
    }

    fn counted(world: &mut World, side: Side, good: f64, total: f64) {
        let at = fx::now() - Duration::from_mins(1);
        world.put(SERVED, side, What::ServedGood, Fact::ServedGood(fx::series(&[good; 3], at)));
        world.put(SERVED, side, What::ServedTotal, Fact::ServedTotal(fx::series(&[total; 3], at)));
    }

    #[test]
    fn both_regions_count() {
        let mut world = world();
        counted(&mut world, Side::Primary, 540.0, 600.0);
        counted(&mut world, Side::Recovery, 600.0, 600.0);
        let served = standing(&world.question());
        assert_eq!(served.success, Some(0.95));
        assert_eq!(served.per_second, Some(20.0));
        assert_eq!(served.against_last_week, None, "no history is not a hundred percent");
    }

    #[test]
    fn the_same_minute_last_week_is_the_yardstick() {
        let mut world = world();
        let at = fx::now() - Duration::from_mins(1);
        let mut series = fx::series(&[300.0], at);
        series.points.insert(0, Point { at: at - WEEK, value: 600.0 });
        world.put(SERVED, Side::Primary, What::ServedTotal, Fact::ServedTotal(series.clone()));
        world.put(SERVED, Side::Primary, What::ServedGood, Fact::ServedGood(series));
        assert_eq!(standing(&world.question()).against_last_week, Some(0.5));
    }

    #[test]
    fn a_region_that_cannot_be_read_makes_the_sum_unknown_unless_it_is_down() {
        let mut world = world();
        counted(&mut world, Side::Recovery, 300.0, 300.0);
        for what in [What::ServedGood, What::ServedTotal] {
            world.put_slot(SERVED, Side::Primary, what, Slot::failed(fx::error()));
        }
        assert_eq!(standing(&world.question()), UNKNOWN);
        world.region_down(Side::Primary, Duration::from_mins(2));
        assert_eq!(standing(&world.question()).success, Some(1.0));
    }

    #[test]
    fn the_share_is_of_the_newest_minute_that_both_counters_have() {
        let mut world = world();
        let at = fx::now() - Duration::from_mins(2);
        let later = fx::now() - Duration::from_mins(1);
        let total = Fact::ServedTotal(fx::series(&[600.0, 900.0], later));
        world.put(SERVED, Side::Primary, What::ServedTotal, total);
        world.put(SERVED, Side::Primary, What::ServedGood, Fact::ServedGood(fx::series(&[594.0], at)));
        let served = standing(&world.question());
        assert_eq!((served.success, served.per_second, served.data_time), (Some(0.99), Some(10.0), Some(at)));
    }

    #[test]
    fn old_counters_and_no_requests_claim_nothing() {
        let mut world = world();
        counted(&mut world, Side::Primary, 0.0, 0.0);
        assert_eq!(standing(&world.question()).success, None);
        world.now = world.now + Duration::from_mins(10);
        assert_eq!(standing(&world.question()), UNKNOWN);
    }
}
