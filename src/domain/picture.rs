//! A snapshot together with what follows from it: what the screens draw and `status` prints.

use std::sync::Arc;

use super::{compliance::Assessment, snapshot::Snapshot, time::Timestamp};

#[derive(Clone, Debug)]
pub struct Picture {
    pub snapshot: Arc<Snapshot>,
    /// When it was judged; ages on screen count from here.
    pub judged_at: Timestamp,
    /// One per app of the estate, in the estate's order.
    pub assessments: Vec<Assessment>,
}
