//! Moments and durations: how they are stored, read from files and shown to people.
//!
//! The only file of the crate that names `jiff` (pre-1.0), so that a change of it stays here.
//! It never asks what time it is: that is [`super::clock::Clock`].

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, to the millisecond (AWS timestamps carry no more), UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Time passed since `earlier`; zero when `earlier` lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `None` for text that is not RFC 3339.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        jiff::Timestamp::from_str(text).ok().map(|t| Self(t.as_millisecond()))
    }

    /// RFC 3339 in UTC, milliseconds only where there are any: `2026-11-20T09:02:07Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let precision = if self.0.rem_euclid(1000) == 0 { 0 } else { 3 };
        format!("{:.precision$}", self.to_jiff())
    }

    /// As an HTTP `Date` header: `Fri, 20 Nov 2026 09:02:07 GMT`.
    #[must_use]
    pub fn http_date(self) -> String {
        self.to_jiff().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    fn to_jiff(self) -> jiff::Timestamp {
        let clamped =
            self.0.clamp(jiff::Timestamp::MIN.as_millisecond() + 1, jiff::Timestamp::MAX.as_millisecond() - 1);
        jiff::Timestamp::from_millisecond(clamped).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("not an RFC 3339 time: {text}")))
    }
}

/// The estate's time zone, in which people on the bridge speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// `None` for a name that the IANA database does not hold.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        jiff::tz::TimeZone::get(name).ok().map(Self)
    }

    #[must_use]
    pub fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }

    /// As the IANA database names it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    fn format(&self, at: Timestamp, format: &str) -> String {
        at.to_jiff().to_zoned(self.0.clone()).strftime(format).to_string()
    }

    /// `14:32:07`
    #[must_use]
    pub fn clock(&self, at: Timestamp) -> String {
        self.format(at, "%H:%M:%S")
    }

    /// `14:32`
    #[must_use]
    pub fn clock_minutes(&self, at: Timestamp) -> String {
        self.format(at, "%H:%M")
    }

    /// `Fri 20 Nov 14:32:07 IST`
    #[must_use]
    pub fn banner(&self, at: Timestamp) -> String {
        self.format(at, "%a %d %b %H:%M:%S %Z")
    }

    /// `20 Nov`
    #[must_use]
    pub fn day(&self, at: Timestamp) -> String {
        self.format(at, "%-d %b")
    }

    /// `20 Nov 14:32`
    #[must_use]
    pub fn day_clock(&self, at: Timestamp) -> String {
        self.format(at, "%-d %b %H:%M")
    }
}

impl Zone {
    /// The latest moment, not after `now`, that is `from` past midnight of that day of the week here.
    #[must_use]
    pub fn last_weekly(&self, now: Timestamp, day: Weekday, from: Duration) -> Option<Timestamp> {
        let today = now.to_jiff().to_zoned(self.0.clone()).date();
        let back = (i64::from(today.weekday().to_monday_zero_offset()) - day as i64).rem_euclid(7);
        let moment = |days_back: i64| {
            let date = today.checked_sub(jiff::Span::new().days(days_back)).ok()?;
            let midnight = date.at(0, 0, 0, 0);
            let local = midnight.checked_add(jiff::Span::new().seconds(i64::try_from(from.as_secs()).ok()?)).ok()?;
            Some(Timestamp(self.0.to_ambiguous_timestamp(local).compatible().ok()?.as_millisecond()))
        };
        [back, back + 7].into_iter().filter_map(moment).find(|begun| *begun <= now)
    }
}

/// A day of the week, Monday first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize].0
    }

    pub const WORDS: [(&'static str, Self); 7] = [
        ("monday", Self::Monday),
        ("tuesday", Self::Tuesday),
        ("wednesday", Self::Wednesday),
        ("thursday", Self::Thursday),
        ("friday", Self::Friday),
        ("saturday", Self::Saturday),
        ("sunday", Self::Sunday),
    ];
}

/// Why a duration in a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("a duration is a number with a unit, like \"30m\", \"2h\" or \"1h30m\"")]
    Shape,
    #[error("`{0}` is not a unit of time; use ms, s, m, h or d")]
    Unit(String),
    #[error("longer than ten years")]
    TooLong,
}

/// `"90s"`, `"1h30m"`, `"0.5s"`, `"12h"`, `"90d"`, `"250ms"`.
///
/// # Errors
/// Anything else, zero included only as `"0s"`.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Shape);
    }
    let mut seconds = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(DurationError::Shape)?;
        let number: f64 = rest[..digits].parse().map_err(|_| DurationError::Shape)?;
        rest = rest[digits..].trim_start();
        let unit_end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..unit_end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            other => return Err(DurationError::Unit(other.to_owned())),
        };
        seconds += number * unit;
        rest = rest[unit_end..].trim_start();
    }
    if seconds > 10.0 * 366.0 * 86_400.0 {
        return Err(DurationError::TooLong);
    }
    Ok(Duration::from_millis((seconds * 1000.0).round() as u64))
}

/// As a file would say it, exactly: `1h30m`, `90s` is `1m30s`, `250ms`, `0s`.
#[must_use]
pub fn written(d: Duration) -> String {
    let (secs, millis) = (d.as_secs(), d.subsec_millis());
    let parts = [
        (secs / 86_400, "d"),
        (secs / 3_600 % 24, "h"),
        (secs / 60 % 60, "m"),
        (secs % 60, "s"),
        (u64::from(millis), "ms"),
    ];
    let text = parts.iter().filter(|(n, _)| *n > 0).fold(String::new(), |text, (n, unit)| text + &format!("{n}{unit}"));
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// For people: `0.8 s`, `58 s`, `4 m`, `1 m 38 s`, `1 h 32 m`, `12 d`. At most two units, rounded down, so that
/// an age is never shown older than it is; use [`short_up`] where rounding down would hide a loss.
#[must_use]
pub fn short(d: Duration) -> String {
    let secs = d.as_secs();
    if secs < 10 && d.subsec_millis() >= 50 {
        let tenths = d.as_millis() / 100;
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 if secs.is_multiple_of(60) || secs >= 600 => format!("{} m", secs / 60),
        60..3_600 => format!("{} m {:02} s", secs / 60, secs % 60),
        3_600..172_800 if secs % 3_600 < 60 => format!("{} h", secs / 3_600),
        3_600..172_800 => format!("{} h {:02} m", secs / 3_600, secs % 3_600 / 60),
        _ => format!("{} d", secs / 86_400),
    }
}

/// As [`short`], but never less than the true duration: for bounds on a loss.
#[must_use]
pub fn short_up(d: Duration) -> String {
    let secs = d.as_secs();
    let step = match secs {
        0..10 => Duration::from_millis(100),
        10..600 => Duration::from_secs(1),
        600..172_800 => Duration::from_secs(60),
        _ => Duration::from_secs(86_400),
    };
    let steps = d.as_millis().div_ceil(step.as_millis());
    short(step * u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_files_are_read_and_nonsense_is_refused() {
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse_duration("0.5s"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("12"), Err(DurationError::Shape));
        assert_eq!(parse_duration("h"), Err(DurationError::Shape));
        assert_eq!(parse_duration("3 fortnights"), Err(DurationError::Unit("fortnights".into())));
        assert_eq!(parse_duration("99999999999999999999d"), Err(DurationError::TooLong));
    }

    #[test]
    fn ages_read_as_a_person_would_say_them() {
        let cases = [
            (0, "0 s"),
            (58, "58 s"),
            (98, "1 m 38 s"),
            (240, "4 m"),
            (5_520, "1 h 32 m"),
            (7_200, "2 h"),
            (1_036_800, "12 d"),
        ];
        for (secs, said) in cases {
            assert_eq!(short(Duration::from_secs(secs)), said);
        }
        assert_eq!(short(Duration::from_millis(840)), "0.8 s");
    }

    #[test]
    fn a_bound_on_a_loss_is_never_rounded_down() {
        assert_eq!(short_up(Duration::from_millis(810)), "0.9 s");
        assert_eq!(short_up(Duration::from_millis(91_001)), "1 m 32 s");
        assert_eq!(short_up(Duration::from_secs(3_601)), "1 h 01 m");
    }

    #[test]
    fn moments_survive_a_round_trip_and_show_in_the_estates_zone() {
        let t = Timestamp::parse("2026-11-20T09:02:07Z").expect("valid");
        assert_eq!(t.rfc3339(), "2026-11-20T09:02:07Z");
        assert_eq!(t.http_date(), "Fri, 20 Nov 2026 09:02:07 GMT");
        let ist = Zone::named("Asia/Kolkata").expect("bundled zone");
        assert_eq!(ist.banner(t), "Fri 20 Nov 14:32:07 IST");
        assert_eq!(Zone::named("Asia/Bombay-ish"), None);
    }
}
