//! A step from its intent on: sent once, observed, and resolved when nobody heard the answer.
//!
//! Must never: send again, or believe "nothing happened" before several looks agree. Where to look next:
//! [`super::attempt`] for what precedes the intent.

use std::time::Duration;

use super::{Do, Errand, Machine, Moment, Report, Stage, Task, Turn};
use crate::{
    domain::{text::SafeText, time},
    runbook::{
        event::{Event, Outcome},
        finding::Observed,
        run::Ask,
        signal::TRIES_WALL,
    },
};

impl Machine {
    /// The intent is on record: by this driver a moment ago, or by one that died.
    pub(super) fn send_or_withdraw(&mut self, n: usize) -> Turn {
        let step = self.id(n);
        let cleared = matches!(self.slots[n].stage, Stage::Cleared);
        let why = match (cleared, self.course.armed) {
            (true, true) => {
                let request_digest = self.course.progress[n].request_digest.clone().unwrap_or_default();
                let attempt = self.course.shown.steps[n].attempts;
                // The lease is checked by the append itself: an old epoch cannot write `sent`, so it cannot send.
                return Turn::append(Event::Sent { step, attempt, request_digest });
            }
            (true, false) => "arming ended before it was sent",
            (false, _) => "the driver ended between intent and sending",
        };
        Turn::append(Event::Withdrawn { step, why: SafeText::new(why) })
    }

    pub(super) fn sent(&mut self, n: usize) -> Turn {
        let attempt = self.course.shown.steps[n].attempts;
        let outcome = match self.take(n) {
            Stage::ToSend => {
                let ticket = self.ticket();
                self.slots[n].stage = Stage::Out(ticket);
                return Turn::Do(Do::Start(Task { step: n, ticket, what: Errand::Send }));
            }
            Stage::Out(ticket) => {
                self.slots[n].stage = Stage::Out(ticket);
                return Turn::Nothing;
            }
            Stage::Back(Report::Sent(outcome)) => outcome,
            _ => Outcome::Unknown { why: SafeText::new("the driver ended after sending, nobody heard the answer") },
        };
        Turn::append(Event::Outcome { step: self.id(n), attempt, outcome })
    }

    pub(super) fn observe(&mut self, n: usize, now: &Moment) -> Turn {
        match self.take(n) {
            Stage::Back(Report::Looked(Observed::Done(detail))) => {
                let id = self.course.shown.steps[n].request_id.as_ref().map(|id| format!("; request {id}"));
                let detail = SafeText::new(format!("{detail}{}", id.unwrap_or_default()));
                Turn::append(Event::Done { step: self.id(n), detail })
            }
            Stage::Back(Report::Looked(Observed::Failed(why))) => self.told(n, why),
            Stage::Back(Report::Looked(
                Observed::InProgress(detail) | Observed::NotDone(detail) | Observed::Unclear(detail),
            )) => self.later_or_fail(n, "accepted, but not seen done within", &detail, now),
            stage => self.start_or_wait(n, stage, Errand::Look, now),
        }
    }

    pub(super) fn resolve(&mut self, n: usize, now: &Moment) -> Turn {
        let seen = match self.take(n) {
            Stage::Back(Report::Looked(seen)) => seen,
            stage => return self.start_or_wait(n, stage, Errand::Look, now),
        };
        match seen {
            Observed::Done(detail) => {
                let detail = SafeText::new(format!("{detail}; the answer was lost, this was observed"));
                Turn::append(Event::Done { step: self.id(n), detail })
            }
            Observed::InProgress(detail) => {
                self.slots[n].agreed = None;
                self.doubt(n, self.planned(n).timeout, &detail, now)
            }
            Observed::NotDone(detail) => {
                let (reads, first) = self.slots[n].agreed.map_or((1, *now), |(reads, first)| (reads + 1, first));
                self.slots[n].agreed = Some((reads, first));
                let over = now.since(&first);
                if reads >= self.rules.settle_reads && over >= self.rules.settle {
                    let text = format!("no effect: {reads} reads over {} agree: {detail}", time::short(over));
                    return self.fail(n, SafeText::new(text));
                }
                self.show(n, &detail);
                self.later(n, self.rules.poll, now)
            }
            Observed::Failed(why) => self.told(n, why),
            Observed::Unclear(detail) => {
                self.slots[n].agreed = None;
                self.doubt(n, self.rules.doubt_max, &detail, now)
            }
        }
    }

    /// Looks on while `patience` lasts, then asks a person.
    pub(super) fn doubt(&mut self, n: usize, patience: Duration, detail: &SafeText, now: &Moment) -> Turn {
        self.show(n, detail);
        let looked_long = self.looked(n, now) >= patience.min(TRIES_WALL);
        if self.elapsed(n, now) <= patience || !looked_long || self.course.ask.is_some() {
            return self.later(n, self.rules.poll, now);
        }
        let call = self.course.progress[n].call.as_ref().map_or_else(|| "the call".to_owned(), ToString::to_string);
        let question = SafeText::new(format!("did {call} take effect? It cannot be told from here: {detail}"));
        Turn::append(Event::Asked { ask: Ask::Verdict { step: self.id(n), question } })
    }
}
