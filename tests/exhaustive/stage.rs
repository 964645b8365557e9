//! One simulated estate, what becomes of the call under test, and what a death at each place would leave.
//!
//! Where to look next: [`super::bench`] (the engine and the clients that work on it).

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use pointsman::{
    aws::WireFailure,
    domain::{RegionId, Timestamp},
    sim::{
        Reply, Sim,
        fault::{Fault, FaultKind, LateAnswer, ProgramEnd},
        gate, route,
        wire::{Protocol, Refusal},
    },
};

use super::rig::{Death, HYDERABAD, Hand, MUMBAI, Watching};

/// What becomes of the call under test, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Ok,
    Refused,
    Throttled,
    TimeoutApplied,
    TimeoutNotApplied,
    LandsLate,
    ExpiredCredentials,
    StaleRead,
}

impl Outcome {
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Refused,
        Self::Throttled,
        Self::TimeoutApplied,
        Self::TimeoutNotApplied,
        Self::LandsLate,
        Self::ExpiredCredentials,
        Self::StaleRead,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::TimeoutApplied => "time-out, applied",
            Self::TimeoutNotApplied => "time-out, not applied",
            Self::LandsLate => "lands late",
            Self::ExpiredCredentials => "credentials expired",
            Self::StaleRead => "stale read",
        }
    }
}

/// Later than the reads that must agree before "nothing happened" is believed.
const LATE_SECONDS: u64 = 120;
const STALE_SECONDS: u64 = 60;
/// Trouble with reading lasts so long, estate time.
pub const READS_TROUBLED: Duration = Duration::from_secs(45);

/// One simulated estate, and what happens to the call under test.
pub struct Stage {
    pub sim: Sim,
    pub hand: Arc<Hand>,
    trouble: Mutex<Option<Trouble>>,
    /// Grows with each call with side effects and each trouble.
    pub version: AtomicU64,
    pub seen: Mutex<Seen>,
}

/// What a run came by.
#[derive(Default)]
pub struct Seen {
    pub appends: usize,
    pub calls: usize,
    /// The journal, when what would be left at each place is to be kept.
    journal: Option<PathBuf>,
    kept: Vec<Remains>,
}

/// What is left when the program dies at a place: the world, and the journal's files as they lie on the disk. Its locks
/// go with it, and what it knew.
pub struct Remains {
    pub place: Death,
    pub stage: Arc<Stage>,
    files: Vec<(OsString, Vec<u8>)>,
}

impl Remains {
    /// The journal, in a folder of its own.
    pub fn lay_down(&self, folder: &Path) -> PathBuf {
        for (name, bytes) in &self.files {
            let mut options = std::fs::OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(folder.join(name));
            file.and_then(|mut file| file.write_all(bytes)).expect("written");
        }
        folder.join(JOURNAL)
    }
}

pub const JOURNAL: &str = "journal.db";

#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// Of the next call of this operation.
    Call(&'static str, Outcome),
    /// Of everything that is read, until this moment.
    Reads(Outcome, Timestamp),
}

impl Stage {
    pub fn new(sim: Sim, hand: Arc<Hand>) -> Self {
        Self { sim, hand, trouble: Mutex::default(), version: AtomicU64::new(0), seen: Mutex::default() }
    }

    /// Another one that stands where this one stands.
    pub fn fork(&self) -> Arc<Self> {
        let hand = Arc::new(self.hand.fork());
        let sim = self.sim.fork(Arc::new(Watching(Arc::clone(&hand))));
        let fork = Self::new(sim, hand);
        *lock(&fork.trouble) = *lock(&self.trouble);
        Arc::new(fork)
    }

    /// From now on what would be left is kept before and after each append to this journal and each call.
    pub fn keep_what_is_left(&self, journal: &Path) {
        lock(&self.seen).journal = Some(journal.to_owned());
    }

    pub fn pass(&self, place: Death) {
        let mut seen = lock(&self.seen);
        let Some(journal) = &seen.journal else { return };
        let beside = |end: &str| {
            let mut name = OsString::from(JOURNAL);
            name.push(end);
            let bytes = std::fs::read(journal.with_file_name(&name)).ok()?;
            Some((name, bytes))
        };
        // Without the shared memory of the write-ahead log, which is made anew from the log.
        let files = ["", "-wal", ".head"].into_iter().filter_map(beside).collect();
        seen.kept.push(Remains { place, stage: self.fork(), files });
    }

    /// What was kept; and how many appends and calls there were.
    pub fn remains(&self) -> (Vec<Remains>, usize, usize) {
        let mut seen = lock(&self.seen);
        (std::mem::take(&mut seen.kept), seen.appends, seen.calls)
    }

    pub fn calls(&self) -> usize {
        lock(&self.seen).calls
    }

    pub fn trouble(&self, trouble: Trouble) {
        *lock(&self.trouble) = Some(trouble);
        self.version.fetch_add(1, Ordering::SeqCst);
        if let Trouble::Reads(Outcome::StaleRead, until) = trouble {
            for service in ["rds", "route53", "monitoring", "backup"] {
                let kind =
                    FaultKind::StaleReads { service: service.into(), region: None, operation: None, seconds: 30 };
                self.inject(kind, Some(until));
            }
        }
    }

    /// The trouble of this call, which it has once.
    fn spend(&self, operation: &str) -> Option<Outcome> {
        let mut trouble = lock(&self.trouble);
        match *trouble {
            Some(Trouble::Call(of, outcome)) if of == operation => {
                *trouble = None;
                Some(outcome)
            }
            _ => None,
        }
    }

    fn reads_troubled(&self) -> Option<Outcome> {
        match *lock(&self.trouble) {
            Some(Trouble::Reads(outcome, until)) if self.sim.now() < until => Some(outcome),
            _ => None,
        }
    }

    fn inject(&self, kind: FaultKind, until: Option<Timestamp>) -> u64 {
        self.sim.inject(Fault { id: 0, kind, from: None, until }).expect("a fault the simulator knows")
    }

    /// The request while the faults stand; they end with it.
    fn under(&self, kinds: Vec<FaultKind>, request: http::Request<Bytes>) -> Reply {
        let faults: Vec<u64> = kinds.into_iter().map(|kind| self.inject(kind, None)).collect();
        let reply = self.sim.handle(request);
        for fault in faults {
            self.sim.clear(fault).expect("it was there");
        }
        reply
    }

    fn meet(&self, outcome: Outcome, request: http::Request<Bytes>) -> Result<Reply, WireFailure> {
        let target = route::target(&request);
        let regions = || Self::sim_regions().into_iter();
        Ok(match outcome {
            Outcome::Ok => self.sim.handle(request),
            Outcome::Refused => {
                let refusal =
                    Refusal::new(http::StatusCode::FORBIDDEN, denied(target.protocol), "not authorized to perform");
                Reply::Answer { after: Duration::ZERO, response: refusal.answer(target.protocol, "req-refused") }
            }
            Outcome::Throttled => {
                let kind = |region| FaultKind::Throttling { region, service: None, share: 1.0 };
                self.under(regions().map(kind).collect(), request)
            }
            Outcome::ExpiredCredentials => {
                let kind = |region| FaultKind::CredentialsExpired { region };
                self.under(regions().map(kind).collect(), request)
            }
            Outcome::TimeoutApplied => {
                self.sim.handle(request);
                return Err(WireFailure::TimedOut);
            }
            Outcome::TimeoutNotApplied => return Err(WireFailure::TimedOut),
            Outcome::LandsLate => {
                let kind = FaultKind::LateEffect {
                    service: Some(target.service_word.clone()),
                    operation: Some(target.operation.clone()),
                    count: 1,
                    after_seconds: LATE_SECONDS,
                    answer: LateAnswer::Lost,
                };
                self.inject(kind, None);
                self.sim.handle(request)
            }
            Outcome::StaleRead => {
                let kind = FaultKind::StaleReads {
                    service: target.service_word.clone(),
                    region: None,
                    operation: None,
                    seconds: STALE_SECONDS,
                };
                self.inject(kind, Some(self.sim.now() + Duration::from_mins(30)));
                self.sim.handle(request)
            }
        })
    }

    fn sim_regions() -> Vec<RegionId> {
        [MUMBAI, HYDERABAD, "us-east-1"].map(RegionId::new).into()
    }

    pub fn call(&self, request: http::Request<Bytes>) -> Result<Reply, WireFailure> {
        let target = route::target(&request);
        if gate::reads(&target.operation) {
            return match self.reads_troubled().filter(|_| target.service_word != "sts") {
                None | Some(Outcome::StaleRead) => Ok(self.sim.handle(request)),
                Some(outcome) => self.meet(outcome, request),
            };
        }
        self.act(|| match self.spend(&target.operation) {
            None => Ok(self.sim.handle(request)),
            Some(outcome) => self.meet(outcome, request),
        })
    }

    /// A call with side effects may be the last thing that the program does.
    fn act(&self, call: impl FnOnce() -> Result<Reply, WireFailure>) -> Result<Reply, WireFailure> {
        let n = {
            let mut seen = lock(&self.seen);
            seen.calls += 1;
            seen.calls
        };
        self.pass(Death::BeforeCall(n));
        let reply = call();
        self.version.fetch_add(1, Ordering::SeqCst);
        self.pass(Death::AfterCall(n));
        reply
    }

    pub fn program(&self, path: &str, body: String) -> Result<Reply, WireFailure> {
        let post = |body: String| {
            let request = http::Request::post(path).body(Bytes::from(body)).expect("a request");
            Ok(self.sim.handle(request))
        };
        if !body.starts_with("{\"run\"") {
            return match self.reads_troubled() {
                None | Some(Outcome::StaleRead) => post(body),
                Some(_) => Err(WireFailure::Refused),
            };
        }
        self.act(|| {
            let how = match self.spend("Run") {
                None | Some(Outcome::Ok) => return post(body),
                Some(Outcome::Refused) => ProgramEnd::Fails,
                Some(Outcome::TimeoutApplied) => ProgramEnd::CutAfter,
                Some(Outcome::TimeoutNotApplied) => ProgramEnd::CutBefore,
                Some(other) => panic!("{other:?} is nothing that a program can meet"),
            };
            let fault = self.inject(FaultKind::ProgramEnds { program: "/opt/bank/velero".into(), how }, None);
            let reply = post(body);
            self.sim.clear(fault).expect("it was there");
            reply
        })
    }

    /// Effects by operation and by what was asked for, without what differs from run to run by time alone.
    pub fn effects(&self) -> BTreeMap<String, usize> {
        let mut effects = BTreeMap::new();
        for call in self.sim.calls().into_iter().filter(|call| call.effect) {
            *effects.entry(call.operation).or_default() += 1;
        }
        effects
    }

    /// Who writes, what there is and where DNS points, as the simulator itself says it.
    pub fn world(&self) -> String {
        let state = self.sim.standing();
        let parts = ["global_clusters", "db_instances", "records", "health_checks"].map(|part| {
            assert!(!state[part].is_null(), "{part}: {state:#}");
            strip_times(&state[part].to_string())
        });
        parts.join(" | ").replace("\"backing-up\"", "\"available\"")
    }
}

/// Moments differ between two runs; what is so does not.
fn strip_times(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("2026-") {
        out.push_str(&rest[..at]);
        out.push_str("<time>");
        let tail = &rest[at..];
        let end = tail.find(['"', ',', '}']).unwrap_or(tail.len());
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

fn denied(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Query | Protocol::RestXml => "AccessDenied",
        Protocol::RestJson | Protocol::Json | Protocol::Cbor => "AccessDeniedException",
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("not poisoned")
}
