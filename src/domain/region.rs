//! The Region pair. "Primary" and "recovery" are the *home* roles that the estate file gives; who writes now
//! is an observation ([`crate::domain::fact::Topology`]), never an assumption.

use serde::{Deserialize, Serialize};

use super::{id::RegionId, text::SafeText};

/// Region column of a call that goes to no Region: the machine this runs on.
pub const THIS_MACHINE: &str = "local";

/// The Region in which the global control planes of Route 53 live (field guide 5.1).
pub const GLOBAL_CONTROL_PLANE: &str = "us-east-1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    Primary,
    Recovery,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Primary, Self::Recovery];

    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Primary => Self::Recovery,
            Self::Recovery => Self::Primary,
        }
    }

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Recovery => "recovery",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub id: RegionId,
    /// City, e.g. `Mumbai`.
    pub name: SafeText,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionPair {
    pub primary: Region,
    pub recovery: Region,
}

impl RegionPair {
    #[must_use]
    pub const fn get(&self, side: Side) -> &Region {
        match side {
            Side::Primary => &self.primary,
            Side::Recovery => &self.recovery,
        }
    }

    #[must_use]
    pub fn side_of(&self, region: &RegionId) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| self.get(*side).id == *region)
    }

    /// City of a Region of the pair, else the Region's own id.
    #[must_use]
    pub fn name_of(&self, region: &RegionId) -> SafeText {
        self.side_of(region).map_or_else(|| SafeText::new(region.as_str()), |side| self.get(side).name.clone())
    }
}
