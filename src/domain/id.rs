//! Names of things, as types: an app is never passed where a Region is meant.
//!
//! All are cheap to clone (shared text) and order as text.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            #[must_use]
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id! {
    /// An app of the estate, e.g. `payments`.
    AppId
}
id! {
    /// A component of one app, unique inside that app, e.g. `payments-global`.
    ComponentId
}
id! {
    /// An AWS Region, e.g. `ap-south-2`; `us-east-1` stands for the global control planes.
    RegionId
}
id! {
    /// A runbook file of the estate, e.g. `payments-failover`.
    RunbookId
}
id! {
    /// A step of one runbook, e.g. `promote`.
    StepId
}
