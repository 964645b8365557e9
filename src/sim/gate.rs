//! The faults there were and are, and what they do to a request on its way in and out.
//!
//! Faults are never forgotten: what was true of a past moment stays true of it after the fault ended.
//! What a fault does *inside* a service (lag, failing jobs, a workload that is gone) is asked for by the models
//! through [`super::surroundings::Surroundings`].

use std::{collections::BTreeMap, time::Duration};

use http::StatusCode;

use super::{
    draw,
    fault::{Down, Fault, FaultKind, LateAnswer, ProgramEnd},
    route::{Service, Target},
    surroundings::VaultTrouble,
    wire::{Protocol, Refusal},
};
use crate::domain::{RegionId, Timestamp, resource::JobKind};

/// What becomes of a request before its service sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It arrives; the answer comes after this wall time.
    Arrives {
        after: Duration,
    },
    Refused,
    BlackHole,
    /// Something in front of the service answers.
    Turned(Refusal),
}

#[derive(Clone, Debug, Default)]
pub struct Faults {
    list: Vec<Fault>,
    /// Calls that met a fault for a number of calls, by fault.
    spent: BTreeMap<u64, u32>,
}

/// A call whose effect comes after its caller has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// Estate time.
    pub after: Duration,
    pub answer: LateAnswer,
}

/// Whether an operation only reads: by how AWS names its operations.
#[must_use]
pub fn reads(operation: &str) -> bool {
    ["Describe", "List", "Get", "Test"].iter().any(|verb| operation.starts_with(verb))
}

/// *Assumed*: a Region that is merely slow answers within a few seconds, some of them beyond the console's
/// attempt time-out of 4 s, so that both kinds of trouble are seen.
const SLOW: (Duration, Duration) = (Duration::from_millis(1_500), Duration::from_secs(6));

/// *Assumed*: when the cause is gone, a stream replays its backlog at twice the speed at which it was written.
const CATCH_UP: f64 = 1.0;

impl Faults {
    /// # Errors
    /// What is wrong with the fault, naming the field and the words it may hold.
    pub fn inject(&mut self, mut fault: Fault, now: Timestamp, regions: &[RegionId]) -> Result<u64, String> {
        check(&fault, regions)?;
        // A moment in the past is taken as said: a rehearsal may begin with "dark since 02:57".
        let from = fault.from.unwrap_or(now);
        if fault.until.is_some_and(|until| until <= from) {
            return Err("until: must lie after `from`".to_owned());
        }
        fault.from = Some(from);
        fault.id = self.list.len() as u64 + 1;
        let id = fault.id;
        self.list.push(fault);
        Ok(id)
    }

    /// Ends a fault now. Ending one that has ended is no error.
    ///
    /// # Errors
    /// When there never was one of that number.
    pub fn clear(&mut self, id: u64, now: Timestamp) -> Result<(), String> {
        let count = self.list.len();
        let Some(fault) = self.list.iter_mut().find(|fault| fault.id == id) else {
            return Err(format!("id: no fault {id}; there have been {count}"));
        };
        end(fault, now);
        Ok(())
    }

    /// Ends all; says how many were in force.
    pub fn clear_all(&mut self, now: Timestamp) -> usize {
        let standing = self.list.iter().filter(|fault| fault.until.is_none_or(|until| until > now)).count();
        self.list.iter_mut().for_each(|fault| end(fault, now));
        standing
    }

    /// All there ever were, oldest first.
    #[must_use]
    pub fn all(&self) -> &[Fault] {
        &self.list
    }

    fn in_force(&self, at: Timestamp) -> impl DoubleEndedIterator<Item = &Fault> {
        self.list.iter().filter(move |fault| fault.in_force(at))
    }

    fn darkness<'a>(&'a self, region: &'a RegionId) -> impl Iterator<Item = &'a Fault> {
        self.list
            .iter()
            .filter(move |fault| matches!(&fault.kind, FaultKind::RegionDown { region: down, .. } if down == region))
    }

    #[must_use]
    pub fn region_down(&self, region: &RegionId, at: Timestamp) -> bool {
        self.darkness(region).any(|fault| fault.in_force(at))
    }

    /// The last moment up to `at` at which the Region's workload ran.
    #[must_use]
    pub fn last_up(&self, region: &RegionId, at: Timestamp) -> Timestamp {
        let mut moment = at;
        while let Some(fault) = self.darkness(region).find(|fault| fault.in_force(moment)) {
            let Some(from) = fault.from else { break };
            moment = from - Duration::from_millis(1);
        }
        moment
    }

    /// The first moment from `at` on at which the Region's workload runs; `None` while nobody knows.
    #[must_use]
    pub fn first_up(&self, region: &RegionId, at: Timestamp) -> Option<Timestamp> {
        let mut moment = at;
        while let Some(fault) = self.darkness(region).find(|fault| fault.in_force(moment)) {
            moment = fault.until?;
        }
        Some(moment)
    }

    /// The first moment in `from..until` at which the Region is down.
    #[must_use]
    pub fn first_down(&self, region: &RegionId, from: Timestamp, until: Timestamp) -> Option<Timestamp> {
        self.darkness(region)
            .filter_map(|fault| {
                let begins = fault.from?.max(from);
                (begins < until && fault.in_force(begins)).then_some(begins)
            })
            .min()
    }

    /// For how long of `from..until` the Region's workload ran: work of a service inside it goes on only then.
    #[must_use]
    pub fn uptime(&self, region: &RegionId, from: Timestamp, until: Timestamp) -> Duration {
        let (mut up, mut moment) = (Duration::ZERO, from);
        while moment < until {
            let Some(begins) = self.first_up(region, moment).filter(|begins| *begins < until) else { break };
            let ends = self.first_down(region, begins, until).unwrap_or(until);
            up += ends.since(begins);
            moment = ends.max(begins + Duration::from_millis(1));
        }
        up
    }

    /// Lag that faults have put on the stream, at that moment.
    #[must_use]
    pub fn extra_lag(&self, target: &str, at: Timestamp) -> Duration {
        let mut millis = 0.0;
        for fault in &self.list {
            if let FaultKind::LagGrowth { target: stream, millis_per_second } = &fault.kind
                && stream == target
                && let Some(from) = fault.from
                && from <= at
            {
                let ended = fault.until.unwrap_or(at).min(at);
                let peak = ended.since(from).as_secs_f64() * millis_per_second;
                millis += (peak - at.since(ended).as_secs_f64() * 1000.0 * CATCH_UP).max(0.0);
            }
        }
        Duration::from_millis(millis as u64)
    }

    /// Message with which jobs of that kind on the resource fail.
    #[must_use]
    pub fn job_failure(&self, resource: &str, kind: JobKind, at: Timestamp) -> Option<String> {
        self.in_force(at).rev().find_map(|fault| match &fault.kind {
            FaultKind::JobsFail { resource: failing, job, message }
                if failing == resource && job.as_deref().is_none_or(|job| job == kind.word()) =>
            {
                Some(message.clone())
            }
            _ => None,
        })
    }

    /// The state that an instance does not leave, where a fault says so.
    #[must_use]
    pub fn stuck(&self, instance: &str, at: Timestamp) -> Option<&'static str> {
        self.in_force(at).rev().find_map(|fault| match &fault.kind {
            FaultKind::InstanceStuck { instance: stuck, status } if stuck == instance => Some(status.word()),
            _ => None,
        })
    }

    /// How runs of a program end, where a fault says so.
    #[must_use]
    pub fn program_end(&self, program: &str, at: Timestamp) -> Option<ProgramEnd> {
        self.in_force(at).rev().find_map(|fault| match &fault.kind {
            FaultKind::ProgramEnds { program: named, how } if named == program => Some(*how),
            _ => None,
        })
    }

    /// What is wrong with a backup vault.
    #[must_use]
    pub fn vault_trouble(&self, region: &RegionId, vault: &str, at: Timestamp) -> Option<VaultTrouble> {
        self.in_force(at).rev().find_map(|fault| match &fault.kind {
            FaultKind::VaultMissing { region: r, vault: v } if r == region && v == vault => Some(VaultTrouble::Missing),
            FaultKind::KeyUnusable { region: r, vault: v } if r == region && v == vault => {
                Some(VaultTrouble::KeyUnusable)
            }
            _ => None,
        })
    }

    /// What meets the request on its way in. Of several faults the one injected last speaks.
    #[must_use]
    pub fn passage(&self, target: &Target, now: Timestamp, seed: u64, seq: u64) -> Passage {
        for fault in self.in_force(now).rev() {
            let passage = match &fault.kind {
                FaultKind::RegionDown { region, how } if *region == target.region => down(*how, target, seed, seq),
                FaultKind::ServiceDown { region, service, how }
                    if *region == target.region && Service::parse(service) == target.service =>
                {
                    down(*how, target, seed, seq)
                }
                // DNS answers and health checks go on: only the API is hurt (field guide 8.3).
                FaultKind::ControlPlaneImpaired { how } if target.service == Some(Service::Route53) => {
                    down(*how, target, seed, seq)
                }
                FaultKind::CredentialsExpired { region } if *region == target.region => {
                    Passage::Turned(expired(target.protocol))
                }
                FaultKind::Throttling { region, service, share }
                    if *region == target.region
                        && service.as_deref().is_none_or(|word| Service::parse(word) == target.service)
                        && draw::fraction(seed, &format!("throttle {} {seq}", fault.id)) < *share =>
                {
                    Passage::Turned(throttled(target))
                }
                _ => continue,
            };
            return passage;
        }
        Passage::Arrives { after: Duration::ZERO }
    }

    /// Whether the answer to this request is lost; counts it against the fault.
    pub fn loses_reply(&mut self, target: &Target, now: Timestamp) -> bool {
        let lost = self.spend(now, |fault| match fault {
            FaultKind::ReplyLost { service, operation, count }
                if meets(target, service.as_deref(), operation.as_deref()) =>
            {
                Some((*count, ()))
            }
            _ => None,
        });
        lost.is_some()
    }

    /// Whether this call takes effect late; counts it against the fault. A call that only reads never does.
    pub fn delays(&mut self, target: &Target, now: Timestamp) -> Option<Late> {
        if reads(&target.operation) {
            return None;
        }
        self.spend(now, |fault| match fault {
            FaultKind::LateEffect { service, operation, count, after_seconds, answer }
                if meets(target, service.as_deref(), operation.as_deref()) =>
            {
                Some((*count, Late { after: Duration::from_secs(*after_seconds), answer: *answer }))
            }
            _ => None,
        })
    }

    /// How long ago the world was that this read is answered from; the oldest of several faults.
    #[must_use]
    pub fn staleness(&self, target: &Target, now: Timestamp) -> Duration {
        let old = self.in_force(now).filter_map(|fault| match &fault.kind {
            FaultKind::StaleReads { service, region, operation, seconds }
                if reads(&target.operation)
                    && Service::parse(service) == target.service
                    && region.as_ref().is_none_or(|region| *region == target.region)
                    && operation.as_deref().is_none_or(|operation| operation == target.operation) =>
            {
                Some(Duration::from_secs(*seconds))
            }
            _ => None,
        });
        old.max().unwrap_or_default()
    }

    /// The first fault in force that wants this call and has calls left; it ends with its last one.
    fn spend<T>(&mut self, now: Timestamp, wants: impl Fn(&FaultKind) -> Option<(u32, T)>) -> Option<T> {
        for fault in self.list.iter_mut().filter(|fault| fault.in_force(now)) {
            let Some((count, what)) = wants(&fault.kind) else { continue };
            let spent = self.spent.entry(fault.id).or_default();
            if *spent < count {
                *spent += 1;
                if *spent == count {
                    end(fault, now);
                }
                return Some(what);
            }
        }
        None
    }
}

fn meets(target: &Target, service: Option<&str>, operation: Option<&str>) -> bool {
    service.is_none_or(|word| Service::parse(word) == target.service)
        && operation.is_none_or(|operation| operation == target.operation)
}

fn end(fault: &mut Fault, now: Timestamp) {
    fault.until = Some(fault.until.map_or(now, |until| until.min(now)));
}

fn down(how: Down, target: &Target, seed: u64, seq: u64) -> Passage {
    match how {
        Down::Refuse => Passage::Refused,
        Down::Blackhole => Passage::BlackHole,
        Down::Slow => Passage::Arrives { after: draw::between(seed, &format!("slow {seq}"), SLOW.0, SLOW.1) },
        Down::ServerError => Passage::Turned(unavailable(target.protocol)),
    }
}

#[must_use]
pub fn unavailable(protocol: Protocol) -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        if protocol == Protocol::RestJson { "ServiceUnavailableException" } else { "ServiceUnavailable" },
        "The service is unavailable. Please try again shortly.",
    )
}

/// Documented: the code differs by protocol (field guide 9.8).
fn expired(protocol: Protocol) -> Refusal {
    let code = match protocol {
        Protocol::Query | Protocol::RestXml => "ExpiredToken",
        Protocol::RestJson | Protocol::Json | Protocol::Cbor => "ExpiredTokenException",
    };
    Refusal::new(StatusCode::FORBIDDEN, code, "The security token included in the request is expired")
}

/// Documented: `Throttling`, "Rate exceeded" in the XML protocols (field guide 2.1, 5.1); known: the JSON ones
/// say `ThrottlingException`.
fn throttled(target: &Target) -> Refusal {
    let code = match target.protocol {
        Protocol::Query | Protocol::RestXml => "Throttling",
        Protocol::RestJson | Protocol::Json | Protocol::Cbor => "ThrottlingException",
    };
    Refusal::bad(code, "Rate exceeded")
}

fn check(fault: &Fault, regions: &[RegionId]) -> Result<(), String> {
    let known_region = |region: &RegionId| {
        if regions.contains(region) {
            return Ok(());
        }
        let words: Vec<&str> = regions.iter().map(RegionId::as_str).collect();
        Err(format!("region: `{region}` is not one of {}", words.join(", ")))
    };
    let known_service = |word: &str| {
        if Service::parse(word).is_some() {
            return Ok(());
        }
        let words: Vec<&str> = Service::ALL.iter().map(|service| service.word()).collect();
        Err(format!("service: `{word}` is not one of {}", words.join(", ")))
    };
    match &fault.kind {
        FaultKind::RegionDown { region, .. }
        | FaultKind::CredentialsExpired { region }
        | FaultKind::VaultMissing { region, .. }
        | FaultKind::KeyUnusable { region, .. } => known_region(region),
        FaultKind::ServiceDown { region, service, .. } => known_region(region).and_then(|()| known_service(service)),
        FaultKind::Throttling { region, service, share } => {
            known_region(region)?;
            service.as_deref().map_or(Ok(()), known_service)?;
            if (0.0..=1.0).contains(share) { Ok(()) } else { Err("share: must be from 0 to 1".to_owned()) }
        }
        FaultKind::LateEffect { operation: Some(operation), .. } if reads(operation) => {
            Err(format!("operation: {operation} only reads and has no effect that could be late"))
        }
        FaultKind::StaleReads { service, region, operation, seconds } => {
            known_service(service)?;
            region.as_ref().map_or(Ok(()), known_region)?;
            match operation {
                Some(operation) if !reads(operation) => Err(format!("operation: {operation} does not only read")),
                _ if (1..=86_400).contains(seconds) => Ok(()),
                _ => Err("seconds: must be from 1 to 86400".to_owned()),
            }
        }
        FaultKind::ReplyLost { service, count, .. } | FaultKind::LateEffect { service, count, .. } => {
            service.as_deref().map_or(Ok(()), known_service)?;
            if *count > 0 { Ok(()) } else { Err("count: must be 1 or more".to_owned()) }
        }
        FaultKind::LagGrowth { millis_per_second, .. } => {
            if (0.0..=1e6).contains(millis_per_second) {
                Ok(())
            } else {
                Err("millis_per_second: must be from 0 to 1000000".to_owned())
            }
        }
        FaultKind::JobsFail { job: Some(job), .. } if !JobKind::ALL.iter().any(|kind| kind.word() == job) => {
            Err(format!("job: `{job}` is not one of backup, copy, restore"))
        }
        FaultKind::ProgramEnds { program, .. } if !program.starts_with('/') => {
            Err(format!("program: `{program}` is not an absolute path"))
        }
        FaultKind::JobsFail { .. }
        | FaultKind::InstanceStuck { .. }
        | FaultKind::ControlPlaneImpaired { .. }
        | FaultKind::ProgramEnds { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn regions() -> Vec<RegionId> {
        vec!["ap-south-1".into(), "ap-south-2".into(), "us-east-1".into()]
    }

    fn mumbai_dark() -> Fault {
        let kind = FaultKind::RegionDown { region: "ap-south-1".into(), how: Down::Blackhole };
        Fault { id: 0, kind, from: None, until: None }
    }

    #[test]
    fn a_region_that_was_dark_stays_dark_in_history_after_it_came_back() {
        let mut faults = Faults::default();
        let mumbai = RegionId::from("ap-south-1");
        let id = faults.inject(mumbai_dark(), at(100), &regions()).unwrap();
        assert!(faults.region_down(&mumbai, at(150)));
        assert_eq!(faults.first_up(&mumbai, at(150)), None);
        faults.clear(id, at(200)).unwrap();
        assert!(faults.region_down(&mumbai, at(150)));
        assert!(!faults.region_down(&mumbai, at(200)));
        assert_eq!(faults.first_up(&mumbai, at(150)), Some(at(200)));
        assert_eq!(faults.last_up(&mumbai, at(150)), Timestamp::from_millis(99_999));
        assert_eq!(faults.first_down(&mumbai, at(0), at(300)), Some(at(100)));
        assert_eq!(faults.first_down(&mumbai, at(200), at(300)), None);
    }

    #[test]
    fn work_inside_a_region_stands_still_while_it_is_dark() {
        let mut faults = Faults::default();
        let mumbai = RegionId::from("ap-south-1");
        assert_eq!(faults.uptime(&mumbai, at(0), at(100)), Duration::from_secs(100));
        let id = faults.inject(mumbai_dark(), at(40), &regions()).unwrap();
        assert_eq!(faults.uptime(&mumbai, at(0), at(100)), Duration::from_secs(40));
        faults.clear(id, at(70)).unwrap();
        assert_eq!(faults.uptime(&mumbai, at(0), at(100)), Duration::from_secs(70));
        assert_eq!(faults.uptime(&mumbai, at(50), at(60)), Duration::ZERO);
        assert_eq!(faults.uptime(&mumbai, at(60), at(50)), Duration::ZERO);
    }

    #[test]
    fn a_fault_that_names_nothing_known_is_refused_with_the_words_it_may_hold() {
        let kind = FaultKind::RegionDown { region: "eu-west-1".into(), how: Down::Refuse };
        let fault = Fault { id: 0, kind, from: None, until: None };
        let error = Faults::default().inject(fault, at(0), &regions()).unwrap_err();
        assert_eq!(error, "region: `eu-west-1` is not one of ap-south-1, ap-south-2, us-east-1");
        let kind = FaultKind::Throttling { region: "ap-south-1".into(), service: None, share: 2.0 };
        let fault = Fault { id: 0, kind, from: None, until: None };
        assert!(Faults::default().inject(fault, at(0), &regions()).unwrap_err().starts_with("share:"));
    }

    #[test]
    fn lag_grows_while_the_fault_stands_and_falls_back_afterwards() {
        let mut faults = Faults::default();
        let kind = FaultKind::LagGrowth { target: "payments-hyd".into(), millis_per_second: 500.0 };
        let fault = Fault { id: 0, kind, from: Some(at(0)), until: Some(at(60)) };
        faults.inject(fault, at(0), &regions()).unwrap();
        assert_eq!(faults.extra_lag("payments-hyd", at(40)), Duration::from_secs(20));
        assert_eq!(faults.extra_lag("payments-hyd", at(70)), Duration::from_secs(20));
        assert_eq!(faults.extra_lag("payments-hyd", at(100)), Duration::ZERO);
        assert_eq!(faults.extra_lag("other", at(40)), Duration::ZERO);
    }
}
