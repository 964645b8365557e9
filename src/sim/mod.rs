//! An AWS estate in memory that answers the real wire protocols. DESIGN section 9.
//!
//! [`Sim::handle`] takes a request as it comes over the wire and says what comes back, and when. It never sleeps,
//! never opens a port and never asks the operating system for anything: the same seed, requests and times give
//! the same bytes. It knows `http` types only: the adapter to the SDK's connector is in `crate::aws`, joined in
//! `crate::compose`; the HTTP server is [`server`].
//!
//! Where to look next: [`route`] (which service and Region), [`gate`] (faults on the way in and out), [`world`]
//! (all models), [`rds`], [`route53`], [`sts`] (one service each), [`control`] (the simulator's own API).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::{Value, json};

pub mod backup;
pub mod calls;
pub mod client;
pub mod cloudwatch;
pub mod codec;
pub mod control;
pub mod draw;
pub mod fault;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gate;
pub mod noise;
pub mod outside;
pub mod rds;
pub mod route;
pub mod route53;
pub mod server;
pub mod service;
pub mod sts;
pub mod surroundings;
pub mod wire;
pub mod world;

use self::{
    calls::{CallLog, Received},
    fault::{Fault, LateAnswer},
    gate::Passage,
    rds::answer::Effect,
    route::Target,
    service::{Answer, Call},
    wire::ErrorCode,
    world::Services,
};
use crate::domain::{Clock, Estate, Timestamp, scenario::Scenario};

/// Header on every answer: `<estate time, RFC 3339>;<speed>`.
pub const SIM_HEADER: &str = "x-pointsman-sim";

/// What comes back over the (simulated) wire.
#[derive(Debug)]
pub enum Reply {
    /// The answer, not before `after` (wall time).
    Answer { after: Duration, response: http::Response<Bytes> },
    /// Connection refused.
    Refused,
    /// Nothing, ever: the caller's time-out ends it.
    BlackHole,
    /// The request took effect (or not), and the connection broke before the answer.
    Lost { after: Duration },
}

#[derive(Clone)]
pub struct Options {
    pub estate: Arc<Estate>,
    pub seed: u64,
    /// Estate seconds per second; 0 stands still. Negative or not a number counts as 0.
    pub speed: f64,
    /// Estate time at the start; a day of history lies before it.
    pub start: Timestamp,
    /// `monotonic()` drives estate time. `wall()` is only written into `Date` headers, by which the SDK corrects
    /// its signing clock, and into the expiry of credentials, which the SDK holds against its own clock.
    pub clock: Arc<dyn Clock>,
}

/// The simulated estate, safe to share between threads.
pub struct Sim {
    clock: Arc<dyn Clock>,
    seed: u64,
    start: Timestamp,
    inner: Mutex<Inner>,
}

#[derive(Clone)]
struct Inner {
    /// Monotonic time and estate time when the speed was last set.
    anchor: (Duration, Timestamp),
    speed: f64,
    services: Services,
    log: CallLog,
    seq: u64,
    /// Calls whose effect is still to come.
    late: Vec<Late>,
}

/// A call that was sent, not answered, and takes effect at `due`.
#[derive(Clone)]
struct Late {
    due: Timestamp,
    seq: u64,
    request_id: String,
    target: Target,
    request: http::Request<Bytes>,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("seed", &self.seed).field("start", &self.start).finish_non_exhaustive()
    }
}

const SPEED_MAX: f64 = 10_000.0;

impl Sim {
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options { estate, seed, speed, start, clock } = options;
        let inner = Inner {
            anchor: (clock.monotonic(), start),
            speed: if speed > 0.0 { speed.min(SPEED_MAX) } else { 0.0 },
            services: Services::new(&estate, seed, start),
            log: CallLog::default(),
            seq: 0,
            late: Vec::new(),
        };
        Self { clock, seed, start, inner: Mutex::new(inner) }
    }

    /// Another estate that stands where this one stands and goes on by itself: what is left of the world when a
    /// program dies. Its clock must show what this one's shows.
    #[must_use]
    pub fn fork(&self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, seed: self.seed, start: self.start, inner: Mutex::new(self.lock().clone()) }
    }

    /// Answers one request as it comes over the wire, at the estate's present.
    pub fn handle(&self, request: http::Request<Bytes>) -> Reply {
        let wall = self.clock.wall();
        if request.uri().path().starts_with(control::PREFIX) {
            let response = control::answer(self, &request);
            let inner = self.lock();
            let now = self.now_of(&inner);
            return Reply::Answer {
                after: Duration::ZERO,
                response: stamped(response, now, inner.speed, wall, "control"),
            };
        }
        let target = route::target(&request);
        let mut inner = self.lock();
        let now = self.now_of(&inner);
        inner.settle(now, wall, self.seed);
        inner.seq += 1;
        let seq = inner.seq;
        let request_id = noise::uuid(self.seed, &["request"], seq.cast_signed());
        let passage = inner.services.world.faults.passage(&target, now, self.seed, seq);
        let (after, (answer, effect), lost) = match passage {
            Passage::Refused => {
                inner.record(&target, &request, now, "refused".to_owned(), Effect::None);
                return Reply::Refused;
            }
            Passage::BlackHole => {
                inner.record(&target, &request, now, "black-hole".to_owned(), Effect::None);
                return Reply::BlackHole;
            }
            Passage::Turned(refusal) => {
                (Duration::ZERO, (refusal.answer(target.protocol, &request_id), Effect::None), false)
            }
            Passage::Arrives { after } => {
                if let Some(late) = inner.services.world.faults.delays(&target, now) {
                    let due = now + late.after;
                    inner.record(&target, &request, now, format!("late until {}", due.rfc3339()), Effect::None);
                    inner.log.await_effect(seq);
                    let protocol = target.protocol;
                    inner.late.push(Late { due, seq, request_id: request_id.clone(), target, request });
                    return match late.answer {
                        LateAnswer::Blackhole => Reply::BlackHole,
                        LateAnswer::Lost => Reply::Lost { after },
                        LateAnswer::ServerError => {
                            let answer = gate::unavailable(protocol).answer(protocol, &request_id);
                            Reply::Answer { after, response: stamped(answer, now, inner.speed, wall, &request_id) }
                        }
                    };
                }
                let account = inner.services.world.account(&target.region);
                let call = Call {
                    region: &target.region,
                    now: now - inner.services.world.faults.staleness(&target, now),
                    request: &request,
                    seed: self.seed,
                    seq,
                    account: &account,
                    request_id: &request_id,
                };
                let answered = inner.services.answer(&target, &call, wall);
                (after, answered, inner.services.world.faults.loses_reply(&target, now))
            }
        };
        let outcome = outcome(&answer) + if lost { ", reply lost" } else { "" };
        inner.record(&target, &request, now, outcome, effect);
        if lost {
            return Reply::Lost { after };
        }
        Reply::Answer { after, response: stamped(answer, now, inner.speed, wall, &request_id) }
    }

    /// Estate time now.
    pub fn now(&self) -> Timestamp {
        self.now_of(&self.lock())
    }

    pub fn speed(&self) -> f64 {
        self.lock().speed
    }

    /// From now on so many estate seconds pass per second; what has passed stays.
    ///
    /// # Errors
    /// For a speed that is not from 0 to 10000.
    pub fn set_speed(&self, speed: f64) -> Result<(), String> {
        if !(0.0..=SPEED_MAX).contains(&speed) {
            return Err(format!("speed: must be from 0 (still) to {SPEED_MAX}"));
        }
        let mut inner = self.lock();
        inner.anchor = (self.clock.monotonic(), self.now_of(&inner));
        inner.speed = speed;
        Ok(())
    }

    /// Brings a fault into force; the number with which it is cleared.
    ///
    /// # Errors
    /// What is wrong, naming the field and the words it may hold.
    pub fn inject(&self, fault: Fault) -> Result<u64, String> {
        let mut inner = self.lock();
        let now = self.now_of(&inner);
        let regions = inner.services.world.regions();
        inner.services.world.faults.inject(fault, now, &regions)
    }

    /// Begins a scenario now: every inject at its time, all of them checked before the first.
    ///
    /// # Errors
    /// What is wrong with an inject, naming it.
    pub fn play(&self, scenario: &Scenario) -> Result<(), String> {
        let mut inner = self.lock();
        let now = self.now_of(&inner);
        let regions = inner.services.world.regions();
        let mut faults = inner.services.world.faults.clone();
        for inject in &scenario.injects {
            let from = now + inject.at;
            let kind = fault::of_words(&inject.fault);
            let fault =
                kind.map(|kind| Fault { id: 0, kind, from: Some(from), until: inject.lasts.map(|lasts| from + lasts) });
            fault
                .and_then(|fault| faults.inject(fault, now, &regions))
                .map_err(|why| format!("{}: inject \"{}\": {why}", scenario.id, inject.title))?;
        }
        inner.services.world.faults = faults;
        Ok(())
    }

    /// Ends a fault now.
    ///
    /// # Errors
    /// When there never was one of that number.
    pub fn clear(&self, id: u64) -> Result<(), String> {
        let mut inner = self.lock();
        let now = self.now_of(&inner);
        inner.services.world.faults.clear(id, now)
    }

    /// Ends all faults; how many were in force.
    pub fn clear_all(&self) -> usize {
        let mut inner = self.lock();
        let now = self.now_of(&inner);
        inner.services.world.faults.clear_all(now)
    }

    /// Stands in for what lies outside AWS: runs a program, looks through one, or answers an address. Never
    /// touches the machine. Recorded like a call of AWS.
    #[must_use]
    pub fn outside(&self, asked: &outside::Asked) -> Value {
        let mut inner = self.lock();
        let now = self.now_of(&inner);
        inner.seq += 1;
        let seq = inner.seq;
        let (said, effect) = inner.services.outside(asked, now, self.seed, seq);
        let region = asked.region(&inner.services.world, now);
        let (service, operation) = asked.name();
        inner.log.push(Received {
            seq,
            at: now,
            service: service.to_owned(),
            operation: operation.to_owned(),
            region,
            params: asked.summary(),
            outcome: said.word(),
            effect: effect == Effect::Changed,
            awaited: false,
        });
        json!(said)
    }

    /// Received calls, oldest first.
    pub fn calls(&self) -> Vec<Received> {
        self.calls_after(0).0
    }

    /// Calls with a greater number than `seq`, and how many reads are no longer held.
    pub fn calls_after(&self, seq: u64) -> (Vec<Received>, u64) {
        let inner = self.settled();
        (inner.log.after(seq).cloned().collect(), inner.log.dropped)
    }

    /// As `GET /_sim/state` says it, without the jobs, of which there may be thousands.
    pub fn standing(&self) -> Value {
        let inner = self.settled();
        control::state(&inner.services.world, self.now_of(&inner))
    }

    /// As `GET /_sim/state` says it.
    pub fn state(&self) -> Value {
        let inner = self.settled();
        let now = self.now_of(&inner);
        let mut state = control::state(&inner.services.world, now);
        state["jobs"] = inner.services.jobs(now, self.seed);
        state["speed"] = json!(inner.speed);
        state["seed"] = json!(self.seed);
        state
    }

    /// As `GET /_sim/clock` says it.
    pub fn clock(&self) -> Value {
        let inner = self.lock();
        json!({ "now": self.now_of(&inner), "speed": inner.speed, "started": self.start })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With everything done that was due by now.
    fn settled(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        let now = self.now_of(&inner);
        inner.settle(now, self.clock.wall(), self.seed);
        inner
    }

    fn now_of(&self, inner: &Inner) -> Timestamp {
        let (at, estate) = inner.anchor;
        estate + self.clock.monotonic().saturating_sub(at).mul_f64(inner.speed)
    }
}

impl Inner {
    /// Late calls that are due take effect, in order and at their own moment, before anything newer is looked at.
    fn settle(&mut self, now: Timestamp, wall: Timestamp, seed: u64) {
        self.late.sort_by_key(|late| (late.due, late.seq));
        while self.late.first().is_some_and(|late| late.due <= now) {
            let Late { due, seq, request_id, target, request } = self.late.remove(0);
            let account = self.services.world.account(&target.region);
            let call = Call {
                region: &target.region,
                now: due,
                request: &request,
                seed,
                seq,
                account: &account,
                request_id: &request_id,
            };
            let (answer, effect) = self.services.answer(&target, &call, wall);
            let outcome = format!("{}, late at {}", outcome(&answer), due.rfc3339());
            self.log.settle(seq, outcome, effect == Effect::Changed);
        }
    }

    fn record(
        &mut self,
        target: &Target,
        request: &http::Request<Bytes>,
        at: Timestamp,
        outcome: String,
        effect: Effect,
    ) {
        self.log.push(Received {
            seq: self.seq,
            at,
            service: target.service_word.clone(),
            operation: target.operation.clone(),
            region: target.region.clone(),
            params: calls::summary(target, request),
            outcome,
            effect: effect == Effect::Changed,
            awaited: false,
        });
    }
}

fn outcome(answer: &Answer) -> String {
    let status = answer.status().as_u16();
    match answer.extensions().get::<ErrorCode>() {
        Some(ErrorCode(code)) => format!("{status} {code}"),
        None => status.to_string(),
    }
}

fn stamped(mut answer: Answer, now: Timestamp, speed: f64, wall: Timestamp, request_id: &str) -> Answer {
    let text = |value: &str| HeaderValue::from_str(value).expect("digits, letters and punctuation only");
    let headers = answer.headers_mut();
    headers.insert(SIM_HEADER, text(&format!("{};{speed}", now.rfc3339())));
    headers.insert("x-amzn-requestid", text(request_id));
    headers.insert(header::DATE, text(&wall.http_date()));
    answer
}

#[cfg(test)]
mod tests;
