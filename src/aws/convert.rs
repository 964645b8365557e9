//! SDK types into the domain's: times, text, ARNs.

use aws_smithy_types::DateTime;

use crate::domain::{RegionId, Timestamp, text::SafeText};

/// `None` for a time beyond what milliseconds in an `i64` hold.
pub(super) fn time(at: &DateTime) -> Option<Timestamp> {
    at.to_millis().ok().map(Timestamp::from_millis)
}

pub(super) fn opt_time(at: Option<&DateTime>) -> Option<Timestamp> {
    at.and_then(time)
}

pub(super) fn date_time(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.millis())
}

pub(super) fn safe(text: Option<&str>) -> SafeText {
    SafeText::new(text.unwrap_or_default())
}

/// Region of an ARN: its fourth field (field guide 2.6).
pub(super) fn arn_region(arn: &str) -> RegionId {
    RegionId::new(arn.split(':').nth(3).unwrap_or_default())
}

/// Name at the end of an ARN: after the last `:` or `/`.
pub(super) fn arn_name(arn: &str) -> &str {
    arn.rsplit([':', '/']).next().unwrap_or(arn)
}

pub(super) fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_tells_its_region_and_its_name() {
        let vault = "arn:aws:backup:ap-south-2:111122223333:backup-vault:bank-hyd";
        assert_eq!(arn_region(vault).as_str(), "ap-south-2");
        assert_eq!(arn_name(vault), "bank-hyd");
        assert_eq!(arn_region("not an arn").as_str(), "");
    }
}
