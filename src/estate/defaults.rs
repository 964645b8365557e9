//! What holds when a file does not say: all of it, in one place. The grammar in [`super`] names each.

use std::time::Duration;

use crate::domain::app::Timings;
use crate::runbook::spec::{OnFailure, RunbookKind};

const MINUTE: u64 = 60;

/// `backup.start_window`: the shortest that AWS Backup takes (field guide 1.2).
pub const START_WINDOW: Duration = Duration::from_secs(60 * MINUTE);

/// `backup.duration_p99`: start delay, backup and copy together, until observed jobs say better.
pub const BACKUP_DURATION_P99: Duration = Duration::from_secs(30 * MINUTE);

/// `timings`: a health check of 10 s × 3 and a person who looks (field guide 5.2), the time to declare, the TTL
/// that Route 53 gives an alias to a load balancer, and one quiet minute.
pub const TIMINGS: Timings = Timings {
    detection: Duration::from_secs(3 * MINUTE),
    decision: Duration::from_secs(5 * MINUTE),
    dns_ttl: Duration::from_secs(MINUTE),
    verification: Duration::from_secs(MINUTE),
    execution: None,
};

/// `component.mandatory`: an app is never better than its worst component, unless the file says otherwise.
pub const MANDATORY: bool = true;

/// `step.on_failure`.
pub const ON_FAILURE: OnFailure = OnFailure::Park;

/// `step.every`: between two tries of a step that reads.
pub const RETRY_EVERY: Duration = Duration::from_secs(10);

/// `from_vantage_points` of `unreachable`: so that one broken path is not a dead Region.
pub const VANTAGE_POINTS: u32 = 2;

/// The longest that a named owner can accept a design that cannot meet its target (DESIGN section 5).
pub const ACCEPTANCE_MAX: Duration = Duration::from_secs(90 * 24 * 60 * MINUTE);

/// `freeze.kinds`: everything that could wait. A failover cannot.
pub const FROZEN_KINDS: [RunbookKind; 4] =
    [RunbookKind::Switchover, RunbookKind::Failback, RunbookKind::ReProtect, RunbookKind::DrillOnly];
