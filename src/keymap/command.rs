//! Everything a key can ask for, and where: two closed lists. A new command is one row here.

macro_rules! closed {
    ($(#[$top:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal, $desc:literal;)+ }) => {
        $(#[$top])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word of the keymap file: kebab-case.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// One line for people.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self {
                    $(Self::$variant => $desc,)+
                }
            }

            #[must_use]
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}

closed! {
    /// Where a key is pressed: a screen, or a place that takes text.
    Context {
        Global = "global", "everywhere, except where text is typed";
        Board = "board", "the board";
        App = "app", "one app";
        Backups = "backups", "backup, copy and restore jobs";
        Replication = "replication", "replication streams";
        Regions = "regions", "the Region pair";
        Runbooks = "runbooks", "runbooks and runs";
        Plan = "plan", "a plan, before anything happens";
        Run = "run", "a run";
        Switch = "switch", "another runbook for a run, before it is said";
        Wave = "wave", "a wave of apps, before anything happens";
        WaveRuns = "wave-runs", "the runs of a wave";
        Calls = "calls", "the call log";
        Help = "help", "help";
        /// Text is typed here: rows of `global` do not apply.
        Dialog = "dialog", "a dialog";
        /// Text is typed here: rows of `global` do not apply.
        Filter = "filter", "the filter line";
    }
}

closed! {
    /// What a key asks for.
    Command {
        Quit = "quit", "Leave the console; a run goes on";
        Suspend = "suspend", "Suspend to the shell";
        Redraw = "redraw", "Draw the whole screen again";
        Help = "help", "Keys that work here";
        /// Closes a dialog, a filter, a screen; never sends anything.
        Back = "back", "Go back";
        /// Looks deeper; never acts.
        Open = "open", "Look deeper";
        Up = "up", "One row up";
        Down = "down", "One row down";
        Left = "left", "Scroll left";
        Right = "right", "Scroll right";
        PageUp = "page-up", "One page up";
        PageDown = "page-down", "One page down";
        Top = "top", "First row";
        Bottom = "bottom", "Last row";
        NextColumnSort = "sort-next", "Sort by the next column";
        ReverseSort = "sort-reverse", "Reverse the order";
        Filter = "filter", "Filter rows";
        ClearFilter = "clear-filter", "Show all rows";
        GotoBoard = "goto-board", "Board";
        GotoApp = "goto-app", "App";
        GotoBackups = "goto-backups", "Backups";
        GotoReplication = "goto-replication", "Replication";
        GotoRegions = "goto-regions", "Regions";
        GotoRunbooks = "goto-runbooks", "Runbooks";
        GotoRuns = "goto-runs", "Runs";
        GotoWave = "goto-wave", "Wave: many apps, one list, one phrase";
        GotoCalls = "goto-calls", "Call log";
        /// From anywhere to a run that cannot go on without a person, and from that to the next one.
        NextWaiting = "next-waiting", "Next run that waits for a person";
        Decide = "decide", "Decide: what declaring now costs";
        Refresh = "refresh", "Read again now";
        Freeze = "freeze", "Freeze the picture, or let it go on";
        NextTheme = "next-theme", "Next theme";
        Copy = "copy", "Copy as text";
        /// Opens the plan of the app's failover; reads only.
        PlanFailover = "plan-failover", "Plan the failover; reads only";
        /// Opens the dialog in which one declares who, why and where to; sends nothing.
        Declare = "declare", "Declare: opens a dialog, arms this plan";
        /// Does the next step when it is harmless or reversible. The engine refuses it for anything worse.
        Confirm = "confirm", "Answer (a key, or a dialog)";
        /// The deliberate chord that sends a disruptive or data-losing step, or the filled dialog.
        Send = "send", "Send it";
        Hold = "hold", "Hold after the current step";
        Release = "release", "Let a held run go on";
        Skip = "skip", "Skip the step, with a reason";
        Retry = "retry", "Try the step again: a new attempt";
        Abandon = "abandon", "Abandon the run, with a reason";
        Override = "override", "Override a guard: reason and authoriser";
        Verdict = "verdict", "Say how a parked step ended";
        Note = "note", "Write a note into the record";
        Detach = "detach", "Leave the run; it goes on";
        /// Opens the preview of another runbook; reads only.
        Switch = "switch", "Switch the run to another runbook: preview";
        /// Opens the preview of the drill in earnest; reads only.
        TurnReal = "turn-real", "Turn the drill real: preview";
        /// Opens the dialog in which the unfinished runs of a wave are declared again; sends nothing.
        ResumeWave = "resume-wave", "Resume the whole wave: opens a dialog";
        /// Of a wave: whether the app goes. Only plans.
        Mark = "mark", "The app goes, or not";
        MarkAll = "mark-all", "All apps go, or none";
        /// The next role of a wave, the next runbook to switch to. Only plans.
        NextChoice = "next-choice", "Next choice";
        MoreParallel = "more-parallel", "One more at a time";
        FewerParallel = "fewer-parallel", "One fewer at a time";
        /// Of a dialog or filter: takes the line or goes to the next field. Never sends.
        Submit = "submit", "Take the line";
        NextField = "next-field", "Next field";
        PreviousField = "previous-field", "Previous field";
        ClearInput = "clear-input", "Empty the line";
    }
}

impl Context {
    /// Whether rows of `global` work here too.
    #[must_use]
    pub const fn takes_global(self) -> bool {
        !matches!(self, Self::Dialog | Self::Filter)
    }
}

impl Command {
    /// Needs a deliberate chord: two different keys, the last neither Enter nor `y` (DESIGN section 6; console notes:
    /// a destructive key next to a harmless one, Enter-Enter as muscle memory).
    #[must_use]
    pub const fn guarded(self) -> bool {
        matches!(self, Self::Send | Self::Skip | Self::Retry | Self::Abandon | Self::Override | Self::Verdict)
    }

    /// May let a call with side effects go: never on Enter or `y`, in any keymap.
    #[must_use]
    pub const fn acts(self) -> bool {
        self.guarded() || matches!(self, Self::Confirm | Self::Release)
    }
}
