//! Freeze windows: when the bank wants no planned changes. As the estate's file says them; whether one forbids a run
//! is decided by the interlocks.

use std::time::Duration;

use super::{
    id::AppId,
    text::SafeText,
    time::{Timestamp, Weekday, Zone},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    pub name: SafeText,
    pub when: When,
    pub scope: Scope,
    /// Kind words of the runbooks that it holds back, e.g. `switchover`.
    pub kinds: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// From the first moment until before the second.
    Once { from: Timestamp, to: Timestamp },
    /// Every week, in the estate's zone.
    Weekly { day: Weekday, from: Duration, lasts: Duration },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Apps(Vec<AppId>),
}

impl Freeze {
    /// Whether it speaks of such runs of that app at all.
    #[must_use]
    pub fn covers(&self, app: &AppId, kind: &str) -> bool {
        let apps = match &self.scope {
            Scope::All => true,
            Scope::Apps(apps) => apps.contains(app),
        };
        apps && self.kinds.iter().any(|known| known == kind)
    }

    /// When it ends, if it is in force at `now`.
    #[must_use]
    pub fn ends(&self, now: Timestamp, zone: &Zone) -> Option<Timestamp> {
        match &self.when {
            When::Once { from, to } => (*from <= now && now < *to).then_some(*to),
            When::Weekly { day, from, lasts } => {
                let begun = zone.last_weekly(now, *day, *from)?;
                let end = begun + *lasts;
                (now < end).then_some(end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn friday_night() -> Freeze {
        Freeze {
            name: "settlement".into(),
            when: When::Weekly {
                day: Weekday::Friday,
                from: Duration::from_secs(22 * 3_600),
                lasts: Duration::from_secs(4 * 3_600),
            },
            scope: Scope::Apps(vec![AppId::new("core")]),
            kinds: vec!["switchover".to_owned()],
        }
    }

    #[test]
    fn a_weekly_freeze_is_in_the_banks_own_zone_and_may_run_past_midnight() {
        let zone = Zone::named("Asia/Kolkata").expect("known");
        let (freeze, end) = (friday_night(), at("2026-11-21T02:00:00+05:30"));
        assert_eq!(freeze.ends(at("2026-11-20T21:59:59+05:30"), &zone), None);
        assert_eq!(freeze.ends(at("2026-11-20T22:00:00+05:30"), &zone), Some(end));
        assert_eq!(freeze.ends(at("2026-11-21T01:59:59+05:30"), &zone), Some(end));
        assert_eq!(freeze.ends(end, &zone), None);
        assert_eq!(freeze.ends(at("2026-11-19T23:00:00+05:30"), &zone), None);
    }

    #[test]
    fn a_freeze_holds_back_only_what_it_names() {
        let freeze = friday_night();
        assert!(freeze.covers(&AppId::new("core"), "switchover"));
        assert!(!freeze.covers(&AppId::new("core"), "failover"));
        assert!(!freeze.covers(&AppId::new("cards"), "switchover"));
    }

    #[test]
    fn a_freeze_with_dates_ends_at_its_last_moment() {
        let freeze = Freeze {
            when: When::Once { from: at("2026-11-30T18:00:00Z"), to: at("2026-12-01T09:00:00Z") },
            ..friday_night()
        };
        assert_eq!(freeze.ends(at("2026-12-01T08:59:59Z"), &Zone::utc()), Some(at("2026-12-01T09:00:00Z")));
        assert_eq!(freeze.ends(at("2026-12-01T09:00:00Z"), &Zone::utc()), None);
        assert_eq!(freeze.ends(at("2026-11-30T17:59:59Z"), &Zone::utc()), None);
    }
}
