//! [`Reader`]: clients that can only read, by type. Views, probes and guards hold this.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    connection::{ServiceClients, SimulatorNotice},
    log::CallLog,
    operation::ReadOp,
};
use crate::domain::{ProbeError, RegionId, Timestamp, text::SafeText};

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    clients: ServiceClients,
}

/// An answer with what is needed to judge its age.
#[derive(Clone, Debug, PartialEq)]
pub struct Read<T> {
    pub value: T,
    /// Estate time when the (first) request started: ages count from here.
    pub started_at: Timestamp,
    pub request_id: Option<SafeText>,
    /// Wall time it took, all pages and attempts.
    pub took: Duration,
    /// Own clock minus AWS's, in seconds, as of the newest answer of that Region; none against a simulator.
    pub skew_seconds: Option<i64>,
    /// There is more than was read.
    pub truncated: bool,
}

impl Reader {
    pub(super) const fn new(clients: ServiceClients) -> Self {
        Self { clients }
    }

    /// Sends it; takes at most the operation's time budget per page.
    pub async fn read<O: ReadOp>(&self, op: &O) -> Result<Read<O::Output>, ProbeError> {
        let shared = &self.clients.shared;
        let started_at = shared.clock.now();
        let began = shared.clock.monotonic();
        let outcome = op.send(&self.clients).await;
        let took = shared.clock.monotonic().saturating_sub(began);
        match outcome {
            Ok(answer) => Ok(Read {
                value: answer.value,
                started_at,
                request_id: answer.request_id,
                took,
                skew_seconds: shared.telemetry.skew(&op.describe().region),
                truncated: answer.truncated,
            }),
            Err(error) => {
                let call = op.describe();
                Err(ProbeError {
                    failure: error.failure,
                    region: call.region,
                    call: SafeText::new(format!("{} {}", call.service, call.operation)),
                    message: error.message,
                    at: started_at,
                })
            }
        }
    }

    pub fn log(&self) -> Arc<CallLog> {
        Arc::clone(&self.clients.shared.log)
    }

    /// The newest notice, once any answer named itself a simulator's.
    pub fn simulator(&self) -> Option<SimulatorNotice> {
        self.clients.shared.telemetry.simulator()
    }

    /// Regions that can be asked, the global control planes' among them.
    pub fn regions(&self) -> BTreeSet<RegionId> {
        self.clients.regions()
    }
}
