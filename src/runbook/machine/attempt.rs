//! A step before its intent: reading, asking, and one attempt to act up to the record that it will be sent.
//!
//! Must never: begin anything while a question is open that it would interrupt, or let facts grow old between reading
//! and acting. Where to look next: [`super::outcome`] for what follows the intent.

use super::{Do, Errand, Machine, Moment, Noted, Ready, Report, Stage, Survey, Task, Turn, Way};
use crate::{
    domain::text::SafeText,
    runbook::{
        build::digest_of,
        decide::{self, Judged},
        event::Event,
        finding::Finding,
        run::Ask,
    },
};

impl Machine {
    pub(super) fn check(&mut self, n: usize, now: &Moment) -> Turn {
        match self.ways[n] {
            Way::Reads => self.read(n, now),
            Way::Asks => self.ask(n, now),
            Way::Acts => self.act(n, now),
            Way::Unknown => {
                let kind = &self.course.frozen.steps[n].kind;
                self.park(n, SafeText::new(format!("this version knows no step of kind {kind}")), now)
            }
        }
    }

    pub(super) fn read(&mut self, n: usize, now: &Moment) -> Turn {
        match self.take(n) {
            Stage::Back(Report::Found(found)) => match found {
                Err(why) => self.park(n, why, now),
                Ok(Finding::Done(detail)) => Turn::append(Event::Done { step: self.id(n), detail }),
                Ok(Finding::Failed(detail)) => self.failed_reading(n, detail, now),
                Ok(Finding::NotYet(detail)) => self.later_or_fail(n, "not so within", &detail, now),
            },
            stage => self.start_or_wait(n, stage, Errand::Read, now),
        }
    }

    /// Reading again does no harm: as often as the runbook says, then it has failed.
    pub(super) fn failed_reading(&mut self, n: usize, detail: SafeText, now: &Moment) -> Turn {
        let planned = self.planned(n);
        let (retries, every) = (planned.retries, planned.retry_every);
        if self.slots[n].retries < retries {
            self.slots[n].retries += 1;
            let told = format!("{detail}; reading again, {} of {retries}", self.slots[n].retries);
            self.show(n, &SafeText::new(told));
            return self.later(n, every, now);
        }
        self.fail(n, detail)
    }

    pub(super) fn ask(&mut self, n: usize, now: &Moment) -> Turn {
        if self.course.progress[n].confirmed.is_some() {
            let by = format!("confirmed by {} ({})", self.course.shown.declaration.who, self.course.shown.principal);
            return Turn::append(Event::Done { step: self.id(n), detail: SafeText::new(by) });
        }
        if self.course.ask.is_some() {
            return Turn::Nothing; // one question at a time
        }
        match self.take(n) {
            Stage::Back(Report::Items(Err(why))) => self.park(n, why, now),
            Stage::Back(Report::Items(Ok(items))) => {
                Turn::append(Event::Asked { ask: Ask::Confirm { step: self.id(n), items } })
            }
            stage => self.start_or_wait(n, stage, Errand::Items, now),
        }
    }

    /// One attempt, as DESIGN section 6 numbers it, up to the intent.
    pub(super) fn act(&mut self, n: usize, now: &Moment) -> Turn {
        match self.take(n) {
            Stage::Back(Report::Surveyed(Err(why))) => self.park(n, why, now),
            Stage::Back(Report::Surveyed(Ok(survey))) | Stage::Surveyed(survey, Noted::No) => {
                let guards = survey.guards.clone();
                self.slots[n].stage = Stage::Surveyed(survey, Noted::No);
                Turn::append(Event::Guarded { step: self.id(n), guards })
            }
            Stage::Surveyed(survey, Noted::Yes) => self.judge(n, survey, now),
            Stage::Prepared(survey, ready) => self.prepared(n, &survey, ready, now),
            stage => self.start_or_wait(n, stage, Errand::Survey, now),
        }
    }

    pub(super) fn judge(&mut self, n: usize, survey: Survey, now: &Moment) -> Turn {
        let ask = match decide::judge(&self.course, n, &survey.guards, survey.loss.as_ref()) {
            Judged::Go => self.noticed(n, &survey),
            Judged::Ask(ask) => Some(ask),
            Judged::Park(why) => return self.park(n, why, now),
            Judged::Void(why) => return Turn::append(Event::Voided { step: self.id(n), why }),
        };
        match ask {
            // One question at a time; the guards are read again for it.
            Some(_) if self.course.ask.is_some() => self.later(n, self.rules.poll, now),
            Some(ask) => Turn::append(Event::Asked { ask }),
            None => {
                let ticket = self.ticket();
                self.slots[n].stage = Stage::Preparing(ticket, survey);
                Turn::Do(Do::Start(Task { step: n, ticket, what: Errand::Prepare }))
            }
        }
    }

    /// Somebody else's hand is shown before acting, once for each thing seen.
    pub(super) fn noticed(&self, n: usize, survey: &Survey) -> Option<Ask> {
        let known = &self.course.noticed;
        let lines: Vec<SafeText> = survey.foreign.iter().filter(|line| !known.contains(line)).cloned().collect();
        (!lines.is_empty()).then(|| Ask::Noticed { step: self.id(n), lines })
    }

    pub(super) fn prepared(&mut self, n: usize, survey: &Survey, ready: Ready, now: &Moment) -> Turn {
        let step = self.id(n);
        let (call, traces) = match ready {
            Ready::AlreadyDone(detail) => {
                let detail = SafeText::new(format!("{detail}; nothing was sent"));
                return Turn::append(Event::Done { step, detail });
            }
            Ready::PassOver(reason) => return Turn::append(Event::Passed { step, reason }),
            Ready::Busy(what) => {
                let why = format!("an operation that this run did not begin is under way: {what}");
                return self.park(n, SafeText::new(why), now);
            }
            Ready::NotNow(why) => return self.park(n, why, now),
            Ready::Send { call, traces } => (*call, *traces),
        };
        if let Some(why) = &survey.interlock {
            return self.park(n, why.clone(), now);
        }
        if now.monotonic.saturating_sub(survey.read_at) > self.rules.facts_age_max {
            self.slots[n].rereads += 1;
            if self.slots[n].rereads > self.rules.rereads_max {
                return self.park(n, SafeText::new("facts cannot be read within 2 s of the act"), now);
            }
            return self.check(n, now);
        }
        self.slots[n].stage = Stage::Cleared;
        let request_digest = digest_of(&call);
        Turn::append(Event::Intended {
            step,
            attempt: self.course.shown.steps[n].attempts,
            plan_hash: self.course.frozen.plan.hash.clone(),
            call,
            request_digest,
            guards: survey.guards.clone(),
            traces,
        })
    }
}
