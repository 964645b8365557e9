//! The call log: every AWS call made, by whom it was answered, how long it took and what it cost.
//!
//! A ring: old records fall out, the totals stay. It holds no parameters and no secrets.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::domain::{
    call::{CallOutcome, CallRecord},
    snapshot::CallTotals,
};

/// Records kept.
pub const RECORDS_MAX: usize = 2_000;

/// GetMetricData costs 0.01 USD per 1,000 metrics requested (field guide 7.2); the other calls we make are free.
pub const USD_PER_METRIC: f64 = 0.000_01;

#[derive(Debug, Default)]
pub struct CallLog {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    records: VecDeque<CallRecord>,
    last_seq: u64,
    totals: CallTotals,
}

impl CallLog {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records newer than `seq`, oldest first; `since(0)` = all that are kept.
    #[must_use]
    pub fn since(&self, seq: u64) -> Vec<CallRecord> {
        let inner = self.lock();
        let newer = inner.records.iter().rev().take_while(|record| record.seq > seq).count();
        inner.records.iter().skip(inner.records.len() - newer).cloned().collect()
    }

    #[must_use]
    pub fn totals(&self) -> CallTotals {
        self.lock().totals
    }

    /// Numbers the record and keeps it. `metrics`: how many were requested in it.
    pub(super) fn push(&self, mut record: CallRecord, metrics: u64) {
        let mut inner = self.lock();
        inner.last_seq += 1;
        record.seq = inner.last_seq;
        inner.totals.calls += 1;
        inner.totals.metrics_requested += metrics;
        inner.totals.usd += record.usd;
        if matches!(record.outcome, CallOutcome::Failed { .. }) {
            inner.totals.failed += 1;
        }
        if inner.records.len() == RECORDS_MAX {
            inner.records.pop_front();
        }
        inner.records.push_back(record);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{Hazard, RegionId, Timestamp};

    #[test]
    fn the_log_forgets_old_calls_but_not_what_they_cost() {
        let log = CallLog::default();
        for _ in 0..RECORDS_MAX + 5 {
            let record = CallRecord {
                seq: 0,
                at: Timestamp::from_secs(1),
                service: "cloudwatch",
                operation: "GetMetricData",
                region: RegionId::new("ap-south-1"),
                hazard: Hazard::None,
                took: Duration::from_millis(3),
                outcome: CallOutcome::Ok,
                request_id: None,
                usd: USD_PER_METRIC,
            };
            log.push(record, 1);
        }
        assert_eq!(log.since(0).len(), RECORDS_MAX);
        let last = RECORDS_MAX as u64 + 5;
        assert_eq!(log.since(last - 2).iter().map(|r| r.seq).collect::<Vec<_>>(), [last - 1, last]);
        assert_eq!(log.totals().metrics_requested, last);
        assert!((log.totals().usd - 0.020_05).abs() < 1e-9);
    }
}
