//! Everything a screen may say with style: a closed list, so that a theme is complete or refused.
//!
//! Views name roles, never colours. A new role is one row here and one in `themes/default.toml`; every other
//! bundled theme inherits or is refused by its test.

macro_rules! roles {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// What a piece of the screen means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role {
            $($(#[$doc])* $variant,)+
        }

        impl Role {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word of the theme file: kebab-case.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

roles! {
    Text = "text",
    /// Secondary text: units, separators, what says nothing.
    Dim = "dim",
    Title = "title",
    /// Head of a table column.
    Header = "header",
    Border = "border",
    BorderFocus = "border-focus",
    /// Breadcrumbs and the name of the estate.
    Crumb = "crumb",
    BannerLive = "banner-live",
    BannerDrill = "banner-drill",
    BannerSimulated = "banner-simulated",
    ReadOnly = "read-only",
    Armed = "armed",
    VerdictMet = "verdict-met",
    VerdictAtRisk = "verdict-at-risk",
    VerdictBreached = "verdict-breached",
    VerdictUnknown = "verdict-unknown",
    VerdictNoTarget = "verdict-no-target",
    /// A value kept from before: never looks like a fresh one.
    Stale = "stale",
    Age = "age",
    Selection = "selection",
    /// The row one acted on last, or that others look at; weaker than the selection.
    Highlight = "highlight",
    Key = "key",
    KeyDesc = "key-desc",
    /// A key that does nothing now; shown with the reason.
    KeyDisabled = "key-disabled",
    HazardNone = "hazard-none",
    HazardReversible = "hazard-reversible",
    HazardDisruptive = "hazard-disruptive",
    HazardDataLoss = "hazard-data-loss",
    StepDone = "step-done",
    StepRunning = "step-running",
    StepPending = "step-pending",
    StepParked = "step-parked",
    StepSkipped = "step-skipped",
    Accent = "accent",
    Ok = "ok",
    Warning = "warning",
    Error = "error",
    Sparkline = "sparkline",
    /// The line of the target in a chart.
    TargetLine = "target-line",
    Filter = "filter",
    FilterMatch = "filter-match",
    Input = "input",
    DialogBorder = "dialog-border",
    DialogDanger = "dialog-danger",
}

impl Role {
    /// The role of that word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.word() == word)
    }
}
