//! Nobody sits at the terminal any more: start nothing, and write down what is in flight as Unknown.
//!
//! Runs on the thread that noticed the hang-up, in the last moments of the process. It must never wait for AWS,
//! and never write what a driver may have written meanwhile: it takes each run over first, so that the driver of
//! the old epoch cannot append any more, and reads the record again before it adds to it.

use std::{thread, time::Duration};

use super::{Engine, record, recover};
use crate::{
    domain::SafeText,
    runbook::{
        event::{Entry, Event, Outcome},
        run::{RunId, StepPhase, StepState},
    },
};

/// A driver that was told to end lets go of its run within a poll of the runtime.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(10);

impl Engine {
    /// Ends all drivers and records what was sent and not heard of. Safe to call twice and from any thread.
    pub fn orphaned(&self) {
        let drivers = std::mem::take(&mut self.shared.lock().drivers);
        for handle in drivers.values() {
            handle.task.abort();
        }
        for run in drivers.into_keys() {
            if let Err(why) = self.write_down(run) {
                tracing::warn!(%run, why, "what is in flight stays as it is on record: the resume observes it");
            }
        }
    }

    fn write_down(&self, run: RunId) -> Result<(), String> {
        let store = &self.shared.store;
        let lease = (0..TRIES)
            .find_map(|_| {
                store.take(run).ok().or_else(|| {
                    thread::sleep(BETWEEN);
                    None
                })
            })
            .ok_or("its driver did not let go")?;
        let stored = store.load_run(run).map_err(|error| error.to_string())?;
        let course = recover(&stored).map_err(|why| why.to_string())?;
        let out = |step: &&StepState| step.phase == StepPhase::Sent;
        let in_flight: Vec<StepState> = course.shown.steps.iter().filter(out).cloned().collect();
        for step in in_flight {
            let outcome = Outcome::Unknown { why: SafeText::new("the program was ended before the answer came") };
            let entry = Entry {
                at: self.shared.clock.now(),
                actor: SafeText::new("engine"),
                event: Event::Outcome { step: step.id.clone(), attempt: step.attempts, outcome },
            };
            let written = record::written(&entry, &course, self.shared.clock.wall(), self.shared.clock.monotonic());
            store.append(&lease, &written).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
