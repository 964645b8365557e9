//! Whether a move would take an app where it is already.
//!
//! Pure. Must never: guess. It is said only where every record and every writer of the app was read within its freshness
//! budget, and it keeps an app off a list that nobody wrote; one that a person names is planned as ever.
//! Where to look next: `crate::engine::wave`.

use super::{guards::traffic_cut, signal::Facts, spec::RunbookKind};
use crate::domain::{Side, Timestamp, text::SafeText, time};

/// Where runs of that kind take an app; none for what moves nothing.
#[must_use]
pub const fn target(kind: RunbookKind) -> Option<Side> {
    match kind {
        RunbookKind::Failover | RunbookKind::Switchover => Some(Side::Recovery),
        RunbookKind::Failback => Some(Side::Primary),
        RunbookKind::ReProtect | RunbookKind::DrillOnly => None,
    }
}

/// `already in Hyderabad (DNS 12 s ago)`: its names send customers there, and it writes there. None: they are not, or it is not known.
#[must_use]
pub fn there(facts: &Facts<'_>, side: Side, now: Timestamp) -> Option<SafeText> {
    let Some((true, read)) = traffic_cut(facts, side.other(), now) else { return None };
    let written_there = facts.app.components.iter().all(|component| {
        let known = facts.topology(&component.id).is_some();
        let fresh = facts.fresh_topology(&component.id, now);
        let writes = fresh.and_then(|(cluster, _)| cluster.writer()).is_some_and(|at| at.region == *facts.region(side));
        !known || writes
    });
    written_there.then(|| {
        let ago = time::short(now.since(read));
        SafeText::new(format!("already in {} (DNS {ago} ago)", facts.city(side)))
    })
}
