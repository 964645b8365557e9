//! Overriding a health check, and what it counts as.

use super::{CHECKERS, Check, Dns, Override};
use crate::{
    domain::Timestamp,
    sim::{
        gate::Faults,
        service::Call,
        wire::{Element, Refusal},
    },
};

/// Documented: healthy when more than 18 % of the checkers say so (field guide 5.2).
const HEALTHY_SHARE: f64 = 0.18;

impl Check {
    /// One more with each update; a check begins at 1.
    #[must_use]
    pub fn version(&self) -> usize {
        1 + self.overrides.len()
    }

    /// Inverted and disabled, as they stood at that moment. *Assumed*: an update takes effect at once.
    #[must_use]
    pub fn switches(&self, at: Timestamp) -> (bool, bool) {
        let newest = self.overrides.iter().rev().find(|it| it.at <= at);
        newest.map_or((false, false), |it| (it.inverted, it.disabled))
    }
}

impl Dns {
    /// What DNS takes the check for: a disabled one is always healthy, and inverting turns either round (field
    /// guide 5.2).
    #[must_use]
    pub fn counts_as_healthy(&self, check: &Check, at: Timestamp, faults: &Faults) -> bool {
        let (inverted, disabled) = check.switches(at);
        let of = CHECKERS.len() * 2;
        let seen = disabled || {
            let healthy = (0..of).filter(|n| self.seen_healthy(check, *n, at, faults).0).count();
            healthy as f64 / of as f64 > HEALTHY_SHARE
        };
        seen != inverted
    }

    /// Documented: `HealthCheckVersion` is a compare-and-set (field guide 5.2); what is not named stays as it is.
    pub(super) fn update_check(&mut self, id: &str, call: &Call) -> Result<&Check, Refusal> {
        let missing = || Refusal::missing("NoSuchHealthCheck", format!("A health check with id {id} does not exist."));
        let check = self.checks.get_mut(id).ok_or_else(missing)?;
        let malformed = || Refusal::bad("MalformedXML", "The XML you provided was not well-formed");
        let root = Element::parse(call.request.body()).ok_or_else(malformed)?;
        if root.name != "UpdateHealthCheckRequest" {
            return Err(malformed());
        }
        if let Some(version) = root.value("HealthCheckVersion")
            && version.parse() != Ok(check.version())
        {
            let message = format!("The version of health check {id} is {}, not {version}.", check.version());
            return Err(Refusal::new(http::StatusCode::CONFLICT, "HealthCheckVersionMismatch", message));
        }
        let flag = |name: &str, now: bool| match root.value(name).map(str::trim) {
            None => Ok(now),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(Refusal::bad("InvalidInput", format!("{name} must be true or false"))),
        };
        let (inverted, disabled) = check.switches(call.now);
        let next =
            Override { at: call.now, inverted: flag("Inverted", inverted)?, disabled: flag("Disabled", disabled)? };
        check.overrides.push(next);
        Ok(check)
    }
}
