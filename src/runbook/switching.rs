//! What another plan would change in a run that is under way: looked at before it is said.
//!
//! Pure. The engine makes it (`crate::engine::switch`); [`super::fold::kept`] says what stays done.

use std::sync::Arc;

use super::{plan::Plan, run::RunId};
use crate::domain::StepId;

/// What would change, looked at before it is said.
#[derive(Clone, Debug)]
pub struct Switching {
    pub run: RunId,
    pub why: Reason,
    pub plan: Arc<Plan>,
    /// Done already, and not done again.
    pub kept: Vec<StepId>,
    /// Of the present plan, and not of the new one.
    pub dropped: Vec<StepId>,
    /// To be done by the new plan.
    pub coming: Vec<StepId>,
}

/// Why a run goes on by another plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Graceful to ungraceful, or back.
    AnotherWay,
    /// The rehearsal is needed in earnest: the clocks go on.
    TurnedReal,
}
