//! Deliberately broken engines. Each is the real machine with one thing wrong between it and the world: what a
//! mistake in the machine or its rim would look like from outside.

use std::time::Duration;

use pointsman::runbook::machine::Rules;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plant {
    /// The engine as it is.
    Honest,
    /// An intent is taken as written and never reaches the journal.
    DropsIntents,
    /// `sent` is not flushed to the disk before the call.
    SentIsNotDurable,
    /// An answer that did not come is answered by calling again.
    SendsAgainOnUnknown,
    /// A driver that was taken over goes on writing.
    IgnoresEpochs,
    /// Guards are reported to hold whatever is so.
    GuardsAlwaysHold,
    /// What a person should say is said by the program.
    AnswersForThePerson,
    /// Steps begin without those before them.
    ForgetsOrder,
    /// One look at something that is not there yet is enough to say that nothing happened.
    BelievesOneLook,
    /// The facts of a survey never grow old.
    ActsOnOldFacts,
    /// A confirmation that was voided is used all the same.
    KeepsVoidConfirmations,
    /// A write that failed is taken as done.
    DrivesOnWithoutJournal,
    /// A step that failed is tried again by the program.
    RetriesByItself,
    /// What cannot be read is taken as not done.
    UnclearIsNotDone,
    /// After a take-over another plan is run than the declared one.
    ResumesAnotherPlan,
    /// A member of a wave does not wait for its turn.
    WaveHasNoOrder,
    /// Done is what was accepted; nobody looks.
    DoneWithoutLooking,
    /// Arming never runs out.
    NeverLapses,
    /// Another call goes out than the one on record.
    SendsAnotherCall,
    /// A second run of an app that has one.
    TwoRunsPerApp,
    /// A confirmed step is confirmed for all its attempts.
    ConfirmsOnceForAll,
    /// What was begun and failed is taken for done: it has come to its end.
    TakesFailedForDone,
    /// What was begun and failed is sent once more under the same intent.
    SendsAgainWhatFailed,
    /// What was begun and failed is waited for, as if it could still succeed.
    WaitsForWhatFailed,
    /// What cannot be read is told to have failed.
    UnclearIsFailed,
}

impl Plant {
    pub const BROKEN: [Self; 24] = [
        Self::DropsIntents,
        Self::SentIsNotDurable,
        Self::SendsAgainOnUnknown,
        Self::IgnoresEpochs,
        Self::GuardsAlwaysHold,
        Self::AnswersForThePerson,
        Self::ForgetsOrder,
        Self::BelievesOneLook,
        Self::ActsOnOldFacts,
        Self::KeepsVoidConfirmations,
        Self::DrivesOnWithoutJournal,
        Self::RetriesByItself,
        Self::UnclearIsNotDone,
        Self::ResumesAnotherPlan,
        Self::WaveHasNoOrder,
        Self::DoneWithoutLooking,
        Self::NeverLapses,
        Self::SendsAnotherCall,
        Self::TwoRunsPerApp,
        Self::ConfirmsOnceForAll,
        Self::TakesFailedForDone,
        Self::SendsAgainWhatFailed,
        Self::WaitsForWhatFailed,
        Self::UnclearIsFailed,
    ];

    pub fn rules(self) -> Rules {
        let rules = Rules::default();
        match self {
            Self::BelievesOneLook => Rules { settle_reads: 1, settle: Duration::ZERO, ..rules },
            Self::ActsOnOldFacts => Rules { facts_age_max: Duration::MAX, ..rules },
            Self::NeverLapses => Rules { silence_max: Duration::MAX, start_within: Duration::MAX, ..rules },
            _ => rules,
        }
    }
}
