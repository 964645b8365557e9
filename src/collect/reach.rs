//! Is it the Region, or my own network? Judged from several vantage points (DESIGN section 6). Pure.
//!
//! In the Region: the services we call there. Elsewhere: the other Regions. An answer elsewhere counts only when
//! its request started after the Region began to fail; otherwise a cut cable would look like a dead Region until
//! the next cycle of the others.

use std::{collections::BTreeMap, time::Duration};

use crate::domain::{
    ProbeError, ProbeFailure, RegionId, Timestamp,
    snapshot::{Reach, Vantage, VantageOutcome},
    text::SafeText,
};

/// Services in a Region that must fail before it is called down.
const SERVICES_MIN: usize = 2;

/// The newest outcome by Region and service.
#[derive(Clone, Debug, Default)]
pub struct Vantages {
    seen: BTreeMap<(RegionId, &'static str), Sight>,
}

#[derive(Clone, Debug)]
struct Sight {
    outcome: VantageOutcome,
    /// When the first of the failures in a row was noticed.
    down_since: Option<Timestamp>,
}

/// What a failure says about reachability.
const fn is_down(failure: ProbeFailure) -> bool {
    matches!(failure, ProbeFailure::Unreachable | ProbeFailure::ServerError)
}

/// Never sent: it says nothing about the other side.
const fn never_left(failure: ProbeFailure) -> bool {
    matches!(
        failure,
        ProbeFailure::CredentialsMissing
            | ProbeFailure::CredentialsExpired
            | ProbeFailure::NotObserved
            | ProbeFailure::NotRead
    )
}

impl Vantages {
    /// `at`: start of the request. A refusal is an answer: the service was reached.
    pub fn saw(
        &mut self,
        region: &RegionId,
        service: &'static str,
        at: Timestamp,
        took: Duration,
        failure: Option<&ProbeError>,
        now: Timestamp,
    ) {
        let result = match failure {
            Some(error) if is_down(error.failure) => Err(error.clone()),
            Some(error) if never_left(error.failure) => return,
            Some(_) | None => Ok(took),
        };
        let key = (region.clone(), service);
        let before = self.seen.get(&key);
        if before.is_some_and(|before| before.outcome.at > at) {
            return;
        }
        let down_since = match &result {
            Ok(_) => None,
            Err(_) => Some(before.and_then(|before| before.down_since).unwrap_or(now)),
        };
        self.seen.insert(key, Sight { outcome: VantageOutcome { at, result }, down_since });
    }

    pub fn clear(&mut self) {
        self.seen.clear();
    }

    fn of<'a>(&'a self, region: &'a RegionId) -> impl Iterator<Item = &'a Sight> {
        self.seen.iter().filter(move |((seen, _), _)| seen == region).map(|(_, sight)| sight)
    }

    /// Some service of the Region answered last time, or none was asked yet.
    #[must_use]
    pub fn answers(&self, region: &RegionId) -> bool {
        let mut asked = false;
        for sight in self.of(region) {
            asked = true;
            if sight.down_since.is_none() {
                return true;
            }
        }
        !asked
    }

    #[must_use]
    pub fn judge(&self, region: &RegionId) -> Reach {
        let up = self.of(region).filter(|sight| sight.down_since.is_none()).count();
        let down = self.of(region).filter(|sight| sight.down_since.is_some()).count();
        match (up, down) {
            (0, 0) => Reach::Unknown,
            (_, 0) => Reach::Reachable,
            (0, down) if down < SERVICES_MIN => Reach::Unknown,
            (0, _) => {
                let onset = self.of(region).filter_map(|sight| sight.down_since).min().unwrap_or_default();
                let mut elsewhere = self.seen.iter().filter(|((seen, _), _)| seen != region).map(|(_, sight)| sight);
                if elsewhere.any(|sight| sight.down_since.is_none() && sight.outcome.at >= onset) {
                    Reach::RegionDown
                } else {
                    Reach::OwnNetwork
                }
            }
            _ => Reach::Partial,
        }
    }

    /// The services asked in the Region, then the newest look elsewhere: one per other Region.
    #[must_use]
    pub fn list(&self, region: &RegionId) -> Vec<Vantage> {
        let vantage = |(region, service): &(RegionId, &'static str), sight: &Sight| Vantage {
            name: SafeText::new(format!("{service} in {region}")),
            region: region.clone(),
            outcome: Some(sight.outcome.clone()),
        };
        let mut list: Vec<Vantage> =
            self.seen.iter().filter(|((seen, _), _)| seen == region).map(|(key, sight)| vantage(key, sight)).collect();
        let mut newest: BTreeMap<&RegionId, (&(RegionId, &'static str), &Sight)> = BTreeMap::new();
        for (key, sight) in self.seen.iter().filter(|((seen, _), _)| seen != region) {
            let kept = newest.entry(&key.0).or_insert((key, sight));
            if sight.outcome.at > kept.1.outcome.at {
                *kept = (key, sight);
            }
        }
        list.extend(newest.into_values().map(|(key, sight)| vantage(key, sight)));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(region: &RegionId, failure: ProbeFailure) -> ProbeError {
        ProbeError {
            failure,
            region: region.clone(),
            call: SafeText::new("rds DescribeDBInstances"),
            message: SafeText::new("m"),
            at: Timestamp::default(),
        }
    }

    struct Scene {
        vantages: Vantages,
        mumbai: RegionId,
        hyderabad: RegionId,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                vantages: Vantages::default(),
                mumbai: RegionId::new("ap-south-1"),
                hyderabad: RegionId::new("ap-south-2"),
            }
        }

        fn saw(&mut self, hyderabad: bool, service: &'static str, at: i64, failure: Option<ProbeFailure>) {
            let region = if hyderabad { self.hyderabad.clone() } else { self.mumbai.clone() };
            let at = Timestamp::from_secs(at);
            let error = failure.map(|failure| fails(&region, failure));
            self.vantages.saw(&region, service, at, Duration::from_millis(20), error.as_ref(), at);
        }

        fn mumbai(&self) -> Reach {
            self.vantages.judge(&self.mumbai)
        }
    }

    #[test]
    fn a_region_is_down_when_two_services_fail_and_another_region_answers_afterwards() {
        let mut scene = Scene::new();
        assert_eq!(scene.mumbai(), Reach::Unknown);
        scene.saw(false, "rds", 10, Some(ProbeFailure::Unreachable));
        assert_eq!(scene.mumbai(), Reach::Unknown, "one service is not a Region");
        scene.saw(false, "cloudwatch", 10, Some(ProbeFailure::Unreachable));
        assert_eq!(scene.mumbai(), Reach::OwnNetwork, "nobody else was heard yet");
        scene.saw(true, "sts", 11, None);
        assert_eq!(scene.mumbai(), Reach::RegionDown);
    }

    #[test]
    fn an_old_answer_from_elsewhere_does_not_blame_the_region() {
        let mut scene = Scene::new();
        scene.saw(true, "sts", 5, None);
        scene.saw(false, "rds", 10, Some(ProbeFailure::Unreachable));
        scene.saw(false, "cloudwatch", 10, Some(ProbeFailure::Unreachable));
        assert_eq!(scene.mumbai(), Reach::OwnNetwork);
        scene.saw(true, "sts", 12, Some(ProbeFailure::Unreachable));
        scene.saw(true, "rds", 12, Some(ProbeFailure::Unreachable));
        assert_eq!(scene.mumbai(), Reach::OwnNetwork);
    }

    #[test]
    fn a_refusal_is_an_answer_and_missing_credentials_are_none() {
        let mut scene = Scene::new();
        scene.saw(false, "rds", 10, Some(ProbeFailure::CredentialsMissing));
        assert_eq!(scene.mumbai(), Reach::Unknown);
        scene.saw(false, "rds", 11, Some(ProbeFailure::Denied));
        assert_eq!(scene.mumbai(), Reach::Reachable);
        scene.saw(false, "backup", 11, Some(ProbeFailure::ServerError));
        assert_eq!(scene.mumbai(), Reach::Partial);
    }

    #[test]
    fn there_are_three_vantage_points_at_least_once_all_were_asked() {
        let mut scene = Scene::new();
        for service in ["rds", "cloudwatch", "sts"] {
            scene.saw(false, service, 1, None);
            scene.saw(true, service, 1, None);
        }
        let list = scene.vantages.list(&scene.mumbai);
        assert_eq!(list.iter().filter(|v| v.region == scene.mumbai).count(), 3);
        assert_eq!(list.iter().filter(|v| v.region == scene.hyderabad).count(), 1);
    }
}
