//! What a look at the world says: the words in which the rim reports to the pure engine.

use serde::{Deserialize, Serialize};

use crate::domain::{RegionId, text::SafeText};

/// The answer of a step that reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Done(SafeText),
    /// Not so, or not known, and may become so.
    NotYet(SafeText),
    /// Not so, and waiting does not help.
    Failed(SafeText),
}

/// What one look at the outcome of a call says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    Done(SafeText),
    InProgress(SafeText),
    NotDone(SafeText),
    /// What the call began has failed, in AWS's words: waiting does not help.
    Failed(SafeText),
    /// It cannot be read now.
    Unclear(SafeText),
}

/// Something that a call made and that stays until another call takes it away, e.g. a restored database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Leftover {
    /// `rds-instance`, `rds-snapshot`, `dynamodb-table`.
    pub kind: String,
    pub region: RegionId,
    pub id: SafeText,
}

/// What a call leaves behind and what it takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaves: Option<Leftover>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clears: Option<Leftover>,
}

impl Traces {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.leaves.is_none() && self.clears.is_none()
    }
}
