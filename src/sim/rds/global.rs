//! One Aurora global database: who writes when, and what an operation does to it on its way.
//!
//! Everything follows from the moves that were accepted, the faults, and the moment asked about, so the writer of
//! any past moment can be asked for and stays what it was. Sources: field guide 2.6 unless marked.

use std::time::Duration;

use super::super::{draw, gate::Faults, wire::Refusal};
use crate::domain::{RegionId, Timestamp};

/// *Assumed*: AWS says "minutes" and the bank's own drills less; these give runbooks something to wait for.
const PENDING: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(6));
const SWITCHOVER: (Duration, Duration) = (Duration::from_secs(50), Duration::from_secs(95));
const FAILOVER: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(1));
/// *Assumed*: after a switchover the old writer has all data and only turns its replication round.
const TURN_ROUND: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(50));
/// Documented as "minutes to hours" for the rebuild after an unplanned failover; *assumed* at the short end.
const REBUILD: (Duration, Duration) = (Duration::from_mins(6), Duration::from_mins(12));
/// *Assumed*: giving up on an operation whose member is gone.
const CANCELLING: Duration = Duration::from_secs(30);
/// *Assumed*: a secondary whose Region comes back is `connected` again after this.
const RECONNECT: Duration = Duration::from_mins(1);

/// *Assumed*: from the request to detach a cluster until it is out, and from then until it writes.
const LEAVING: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(12));
const PROMOTING: (Duration, Duration) = (Duration::from_secs(25), Duration::from_mins(1));
/// *Assumed*: a new secondary is created, and then has everything; the field guide says minutes to hours.
const CREATING: (Duration, Duration) = (Duration::from_mins(3), Duration::from_mins(5));
const SEEDING: (Duration, Duration) = (Duration::from_mins(8), Duration::from_mins(15));

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub cluster: String,
    pub region: RegionId,
    pub account: String,
    /// When the cluster itself was made, if during the simulation.
    pub born: Option<Timestamp>,
    pub joined: Option<Joined>,
    pub left: Option<Left>,
    pub tags: Vec<(String, String)>,
}

/// How a cluster came into the global database: at once as its first member, or made as a secondary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    pub at: Timestamp,
    pub creating: Duration,
    /// After the creation, until it is `connected`.
    pub seeding: Duration,
}

/// `RemoveFromGlobalCluster`: one-way (field guide 0.1, fact 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub requested: Timestamp,
    pub takes: Duration,
    /// After it is out, until it stands and writes for itself.
    pub promoting: Duration,
}

impl Member {
    #[must_use]
    pub fn seeded(cluster: &str, region: &RegionId, account: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            region: region.clone(),
            account: account.to_owned(),
            born: None,
            joined: None,
            left: None,
            tags: Vec::new(),
        }
    }

    /// A secondary that is made now.
    #[must_use]
    pub fn secondary(cluster: &str, region: &RegionId, account: &str, now: Timestamp, seed: u64) -> Self {
        let span = |what: &str, (low, high)| draw::between(seed, &format!("{what} {cluster}"), low, high);
        let joined = Joined { at: now, creating: span("creating", CREATING), seeding: span("seeding", SEEDING) };
        Self { born: Some(now), joined: Some(joined), ..Self::seeded(cluster, region, account) }
    }

    /// When it was there for the first time in this global database.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        self.joined.map(|joined| joined.at)
    }

    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:rds:{}:{}:cluster:{}", self.region, self.account, self.cluster)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveKind {
    /// Planned: waits for the target to have everything.
    Switchover,
    /// `AllowDataLoss`: takes what has arrived.
    Failover,
}

impl MoveKind {
    /// `FailoverState.Status` while it runs; `switching-over` is not in the model's enum (field guide 0.1, fact 11).
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Switchover => "switching-over",
            Self::Failover => "failing-over",
        }
    }
}

/// An operation that was accepted. Indices are those of `Global::members`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub kind: MoveKind,
    pub requested: Timestamp,
    pub from: usize,
    pub to: usize,
    /// Durations after `requested`.
    pub pending: Duration,
    pub takes: Duration,
    /// After the move, until the old writer is a whole secondary again.
    pub resync: Duration,
}

/// How an operation ended or will end, as far as the faults known now say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Done(Timestamp),
    Cancelled { broke: Timestamp, ended: Timestamp },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Global {
    pub id: String,
    pub account: String,
    pub members: Vec<Member>,
    /// Oldest first; each was requested after the one before had ended.
    pub moves: Vec<Move>,
}

/// What the API says of a running operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running<'a> {
    pub it: &'a Move,
    /// `pending`, `switching-over`, `failing-over`, `cancelling`.
    pub status: &'static str,
}

impl Global {
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:rds::{}:global-cluster:{}", self.account, self.id)
    }

    #[must_use]
    pub fn ending(&self, it: &Move, faults: &Faults) -> Ending {
        let done = it.requested + it.takes;
        // A switchover needs every member; a failover needs its target only.
        let needed = self.current(it.requested).filter(|n| it.kind == MoveKind::Switchover || *n == it.to);
        let members = needed.map(|n| &self.members[n]);
        let broke = members.filter_map(|member| faults.first_down(&member.region, it.requested, done)).min();
        broke.map_or(Ending::Done(done), |broke| Ending::Cancelled { broke, ended: broke + CANCELLING })
    }

    /// Whether it belongs to the global database at that moment.
    #[must_use]
    pub fn is_member(&self, index: usize, at: Timestamp) -> bool {
        let member = &self.members[index];
        member.joined.is_none_or(|joined| joined.at <= at)
            && member.left.is_none_or(|left| at < left.requested + left.takes)
    }

    /// Indices of those that belong to it at that moment.
    pub fn current(&self, at: Timestamp) -> impl Iterator<Item = usize> {
        (0..self.members.len()).filter(move |index| self.is_member(*index, at))
    }

    /// When a cluster that left took its first write of its own; `None` while it has not.
    #[must_use]
    pub fn freed(&self, index: usize, at: Timestamp) -> Option<Timestamp> {
        let left = self.members[index].left?;
        let freed = left.requested + left.takes + left.promoting;
        (freed <= at).then_some(freed)
    }

    /// Moves that have moved the writer by then, with the moment.
    pub fn done<'a>(&'a self, at: Timestamp, faults: &'a Faults) -> impl Iterator<Item = (&'a Move, Timestamp)> {
        self.moves.iter().filter_map(move |it| match self.ending(it, faults) {
            Ending::Done(done) if done <= at => Some((it, done)),
            _ => None,
        })
    }

    /// Index of the member that the API calls the writer.
    #[must_use]
    pub fn writer_index(&self, at: Timestamp, faults: &Faults) -> usize {
        self.done(at, faults).last().map_or(0, |(it, _)| it.to)
    }

    #[must_use]
    pub fn running(&self, at: Timestamp, faults: &Faults) -> Option<Running<'_>> {
        let it = self.moves.iter().rev().find(|it| it.requested <= at)?;
        let status = match self.ending(it, faults) {
            Ending::Done(done) if at >= done => return None,
            Ending::Cancelled { ended, .. } if at >= ended => return None,
            Ending::Cancelled { broke, .. } if at >= broke => "cancelling",
            _ if at < it.requested + it.pending => "pending",
            _ => it.kind.word(),
        };
        Some(Running { it, status })
    }

    /// Region that takes writes; `None` while the writer moves.
    #[must_use]
    pub fn writer(&self, at: Timestamp, faults: &Faults) -> Option<RegionId> {
        let moving = self.running(at, faults).is_some_and(|running| running.status == running.it.kind.word());
        if moving { None } else { self.members.get(self.writer_index(at, faults)).map(|m| m.region.clone()) }
    }

    /// When the old writer of this move is a whole secondary again; `None` while its Region is not back.
    #[must_use]
    pub fn rejoined(&self, it: &Move, done: Timestamp, faults: &Faults) -> Option<Timestamp> {
        let region = &self.members[it.from].region;
        let mut back = faults.first_up(region, done)?;
        // Each time its Region goes away during the rebuild, the rebuild starts again (*assumed*).
        while let Some(gone) = faults.first_down(region, back, back + it.resync) {
            back = faults.first_up(region, gone)?;
        }
        Some(back + it.resync)
    }

    /// `SynchronizationStatus`: `connected` or `pending-resync`.
    #[must_use]
    pub fn connected(&self, index: usize, at: Timestamp, faults: &Faults) -> bool {
        let region = &self.members[index].region;
        if !self.is_member(index, at) {
            return false;
        }
        if index == self.writer_index(at, faults) {
            return true;
        }
        if self.members[index].joined.is_some_and(|joined| at < joined.at + joined.creating + joined.seeding) {
            return false;
        }
        if let Some((it, done)) = self.done(at, faults).last()
            && it.from == index
            && self.rejoined(it, done, faults).is_none_or(|rejoined| at < rejoined)
        {
            return false;
        }
        faults.first_down(region, at - RECONNECT, at + Duration::from_millis(1)).is_none()
    }

    /// Status of the global cluster. *Assumed*: the API's words for it are not enumerated.
    #[must_use]
    pub fn status(&self, at: Timestamp, faults: &Faults) -> &'static str {
        self.running(at, faults).map_or("available", |running| running.it.kind.word())
    }

    /// Status of one member cluster. *Assumed*: `modifying` while it takes part or is rebuilt, `promoting` while it
    /// leaves; the words themselves are AWS's.
    #[must_use]
    pub fn cluster_status(&self, index: usize, at: Timestamp, faults: &Faults) -> &'static str {
        let member = &self.members[index];
        if member.left.is_some_and(|left| left.requested <= at) {
            return if self.freed(index, at).is_some() { "available" } else { "promoting" };
        }
        if member.joined.is_some_and(|joined| at < joined.at + joined.creating) {
            return "creating";
        }
        let part = self.running(at, faults).is_some_and(|running| running.it.from == index || running.it.to == index);
        let rebuilt = self.done(at, faults).last().is_some_and(|(it, done)| {
            it.from == index && self.rejoined(it, done, faults).is_none_or(|rejoined| at < rejoined)
        });
        if part || rebuilt { "modifying" } else { "available" }
    }

    /// Accepts an operation, or says in AWS's words why not (field guide 2.1, 2.6).
    ///
    /// `here` is the Region that got the call.
    pub fn begin(
        &mut self,
        kind: MoveKind,
        target_arn: &str,
        here: &RegionId,
        now: Timestamp,
        seed: u64,
        faults: &Faults,
    ) -> Result<(), Refusal> {
        // Documented: the target is an ARN (field guide 2.6); the code for anything else is *assumed*.
        if !target_arn.starts_with("arn:") {
            return Err(Refusal::bad(
                "InvalidParameterValue",
                "TargetDbClusterIdentifier must be the ARN of a DB cluster",
            ));
        }
        let Some(to) = self.current(now).find(|n| self.members[*n].arn() == target_arn) else {
            return Err(Refusal::missing(
                "DBClusterNotFoundFault",
                format!("{target_arn} is not a member of global cluster {}", self.id),
            ));
        };
        if let Some(running) = self.running(now, faults) {
            let message = format!("Global cluster {} is {}", self.id, running.status);
            return Err(Refusal::bad("InvalidGlobalClusterStateFault", message));
        }
        let from = self.writer_index(now, faults);
        if from == to {
            let message = format!("{target_arn} is already the primary cluster of {}", self.id);
            return Err(Refusal::bad("InvalidDBClusterStateFault", message));
        }
        // Documented where to call; the code of the refusal is *assumed*.
        let proper = &self.members[match kind {
            MoveKind::Switchover => from,
            MoveKind::Failover => to,
        }]
        .region;
        if proper != here {
            let message = format!("This operation on {} must be requested in {proper}", self.id);
            return Err(Refusal::bad("InvalidGlobalClusterStateFault", message));
        }
        if !self.connected(to, now, faults) {
            let message = format!("{target_arn} is not synchronized with the primary cluster");
            return Err(Refusal::bad("InvalidDBClusterStateFault", message));
        }
        if kind == MoveKind::Switchover
            && let Some(down) =
                self.current(now).map(|n| &self.members[n]).find(|member| faults.region_down(&member.region, now))
        {
            let message = format!("{} is not available", down.arn());
            return Err(Refusal::bad("InvalidGlobalClusterStateFault", message));
        }
        if self.members[to].left.is_some() {
            let message = format!("{target_arn} is being removed from {}", self.id);
            return Err(Refusal::bad("InvalidDBClusterStateFault", message));
        }
        let name = format!("move {} {}", self.id, self.moves.len());
        let span = |what: &str, (low, high)| draw::between(seed, &format!("{name} {what}"), low, high);
        let (takes, resync) = match kind {
            // Documented: a switchover waits for the target to catch up, so it grows with the lag.
            MoveKind::Switchover => {
                let lag = faults.extra_lag(&self.members[to].cluster, now);
                (span("takes", SWITCHOVER) + lag, span("resync", TURN_ROUND))
            }
            MoveKind::Failover => (span("takes", FAILOVER), span("resync", REBUILD)),
        };
        self.moves.push(Move { kind, requested: now, from, to, pending: span("pending", PENDING), takes, resync });
        Ok(())
    }
}

impl Global {
    /// Takes a member out, or says in AWS's words why not (field guide 2.6; the codes of the refusals are *assumed*).
    ///
    /// Works from any Region that is up: on the secondary's side it is the way out when the primary is gone.
    pub fn detach(&mut self, arn: &str, now: Timestamp, seed: u64, faults: &Faults) -> Result<(), Refusal> {
        let Some(index) = self.current(now).find(|n| self.members[*n].arn() == arn) else {
            let message = format!("{arn} is not a member of global cluster {}", self.id);
            return Err(Refusal::missing("DBClusterNotFoundFault", message));
        };
        if let Some(running) = self.running(now, faults) {
            let message = format!("Global cluster {} is {}", self.id, running.status);
            return Err(Refusal::bad("InvalidGlobalClusterStateFault", message));
        }
        if self.members[index].left.is_some() || self.cluster_status(index, now, faults) == "creating" {
            let message = format!("{arn} is {}", self.cluster_status(index, now, faults));
            return Err(Refusal::bad("InvalidDBClusterStateFault", message));
        }
        if index == self.writer_index(now, faults) && self.current(now).count() > 1 {
            let message = format!("{arn} is the primary cluster of {} and has secondaries", self.id);
            return Err(Refusal::bad("InvalidGlobalClusterStateFault", message));
        }
        let span = |what: &str, (low, high)| draw::between(seed, &format!("{what} {arn}"), low, high);
        let (takes, promoting) = (span("leaving", LEAVING), span("promoting", PROMOTING));
        self.members[index].left = Some(Left { requested: now, takes, promoting });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
