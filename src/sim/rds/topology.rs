//! Clusters of Aurora beyond the move of a writer: out of a global database, into a new one, and back in.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Rds,
    answer::{Answered, Effect, envelope, needed, tags},
    describe::View,
    global::{Global, Joined, Member},
    instance::{Filled, Instance, Place},
};
use crate::{
    domain::{RegionId, Timestamp},
    sim::{
        gate::Faults,
        service::Call,
        wire::{Form, Refusal},
    },
};

impl Rds {
    /// Clusters that the Region's API knows, by identifier, each with the global database it belongs to or left last.
    #[must_use]
    pub fn clusters_in(&self, region: &RegionId, at: Timestamp) -> Vec<(&Global, usize)> {
        let mut found: BTreeMap<&str, (&Global, usize)> = BTreeMap::new();
        for global in self.globals.values() {
            for (index, member) in global.members.iter().enumerate() {
                if member.region != *region || member.since().is_some_and(|since| since > at) {
                    continue;
                }
                let newer = |(other, n): &(&Global, usize)| {
                    other.members[*n].since().unwrap_or_default() <= member.since().unwrap_or_default()
                };
                if found.get(member.cluster.as_str()).is_none_or(newer) {
                    found.insert(&member.cluster, (global, index));
                }
            }
        }
        found.into_values().collect()
    }

    fn cluster(&self, region: &RegionId, name: &str, at: Timestamp) -> Option<(&Global, usize)> {
        let named = |global: &Global, n: usize| global.members[n].cluster == name || global.members[n].arn() == name;
        self.clusters_in(region, at).into_iter().find(|(global, n)| named(global, *n))
    }

    /// The Region where an application of that global database writes. After a detach it follows the cluster that
    /// was promoted (*assumed*: that is why somebody promoted it), into its new global database too.
    #[must_use]
    pub fn writing(&self, id: &str, at: Timestamp, faults: &Faults) -> Option<RegionId> {
        let global = self.globals.get(id)?;
        let freed = (0..global.members.len()).filter_map(|n| Some((global.freed(n, at)?, n))).max();
        let Some((_, n)) = freed else { return global.writer(at, faults) };
        let member = &global.members[n];
        let now = self.cluster(&member.region, &member.cluster, at).filter(|(now, n)| now.is_member(*n, at));
        match now {
            Some((now, _)) if now.id != id => now.writer(at, faults),
            _ => Some(member.region.clone()),
        }
    }

    /// Whether a cluster has an instance that can take over: one without is "headless" (field guide 2.6).
    fn headed(&self, region: &RegionId, cluster: &str, at: Timestamp, faults: &Faults) -> bool {
        self.instances_in(region, at, faults).any(|instance| {
            matches!(&instance.place, Place::InCluster { cluster: of } if of == cluster) && instance.created(at, faults)
        })
    }

    /// Documented: neither operation takes a headless target; the code is *assumed*.
    pub(super) fn need_head(&self, id: &str, target_arn: &str, call: &Call, faults: &Faults) -> Result<(), Refusal> {
        let target = self.globals.get(id).and_then(|global| global.members.iter().find(|m| m.arn() == target_arn));
        match target {
            Some(member) if !self.headed(&member.region, &member.cluster, call.now, faults) => {
                let message = format!("{target_arn} has no DB instance that could become the writer");
                Err(Refusal::bad("InvalidDBClusterStateFault", message))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn remove_from_global(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let (id, arn) = (needed(form, "GlobalClusterIdentifier")?, needed(form, "DbClusterIdentifier")?);
        let seed = self.seed;
        let global = self.globals.get_mut(id).filter(|global| global.current(call.now).next().is_some());
        global.ok_or_else(|| no_global(id))?.detach(arn, call.now, seed, faults)?;
        Ok((self.tell_global("RemoveFromGlobalCluster", id, call, faults), Effect::Changed))
    }

    /// Around a cluster that stands for itself (known: engine and version are taken from it).
    pub(super) fn create_global(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let id = needed(form, "GlobalClusterIdentifier")?;
        let source = needed(form, "SourceDBClusterIdentifier")?;
        if self.globals.contains_key(id) {
            let message = format!("Global cluster {id} already exists");
            return Err(Refusal::bad("GlobalClusterAlreadyExistsFault", message));
        }
        let Some((from, n)) = self.cluster(call.region, source, call.now) else {
            return Err(Refusal::missing("DBClusterNotFoundFault", format!("DBCluster {source} not found.")));
        };
        let status = from.cluster_status(n, call.now, faults);
        if from.is_member(n, call.now) || status != "available" {
            let message = format!("{source} is {status}, of global cluster {}", from.id);
            return Err(Refusal::bad("InvalidDBClusterStateFault", message));
        }
        let joined = Joined { at: call.now, creating: Duration::ZERO, seeding: Duration::ZERO };
        let first = Member { joined: Some(joined), left: None, ..from.members[n].clone() };
        let account = call.account.to_owned();
        let global = Global { id: id.to_owned(), account, members: vec![first], moves: Vec::new() };
        self.globals.insert(id.to_owned(), global);
        Ok((self.tell_global("CreateGlobalCluster", id, call, faults), Effect::Changed))
    }

    /// A secondary without instances. The simulator makes clusters of global databases only.
    pub(super) fn create_cluster(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let id = needed(form, "DBClusterIdentifier")?;
        let (of, _) = (needed(form, "GlobalClusterIdentifier")?, needed(form, "Engine")?);
        if self.cluster(call.region, id, call.now).is_some() {
            let message = "DB Cluster already exists";
            return Err(Refusal::bad("DBClusterAlreadyExistsFault", message));
        }
        let exists = |global: &&Global| global.current(call.now).next().is_some();
        let global = self.globals.get(of).filter(exists).ok_or_else(|| no_global(of))?;
        if let Some(running) = global.running(call.now, faults) {
            let message = format!("Global cluster {of} is {}", running.status);
            return Err(Refusal::bad("InvalidGlobalClusterStateFault", message));
        }
        if global.current(call.now).any(|n| global.members[n].region == *call.region) {
            let message = format!("Global cluster {of} has a cluster in {} already", call.region);
            return Err(Refusal::bad("InvalidGlobalClusterStateFault", message));
        }
        let writer = &global.members[global.writer_index(call.now, faults)].region;
        if faults.region_down(writer, call.now) {
            let message = format!("The primary cluster of {of} is not available");
            return Err(Refusal::bad("InvalidGlobalClusterStateFault", message));
        }
        need_key(form, call.region)?;
        let mut made = Member::secondary(id, call.region, call.account, call.now, self.seed);
        made.tags = tags(form);
        if let Some(global) = self.globals.get_mut(of) {
            global.members.push(made);
        }
        let made = self.cluster(call.region, id, call.now);
        let view = self.view(call, faults);
        let body = envelope("CreateDBCluster", call, |xml| {
            xml.open("DBCluster");
            if let Some((global, n)) = made {
                view.cluster(xml, global, n);
            }
            xml.close();
        });
        Ok((body, Effect::Changed))
    }

    pub(super) fn create_cluster_instance(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let (id, class) = (needed(form, "DBInstanceIdentifier")?, needed(form, "DBInstanceClass")?);
        let (cluster, _) = (needed(form, "DBClusterIdentifier")?, needed(form, "Engine")?);
        self.free_name(id, call, faults)?;
        let Some((global, n)) = self.cluster(call.region, cluster, call.now) else {
            return Err(Refusal::missing("DBClusterNotFoundFault", format!("DBCluster {cluster} not found.")));
        };
        let status = global.cluster_status(n, call.now, faults);
        if status != "available" {
            let message = format!("DBCluster {cluster} is {status}");
            return Err(Refusal::bad("InvalidDBClusterStateFault", message));
        }
        let place = Place::InCluster { cluster: global.members[n].cluster.clone() };
        let mut made = Instance::seeded(id, call.region, call.account, place, call.now, self.seed);
        made.creating = Some(Filled::Cluster.takes(self.seed, id, 0));
        (made.class, made.protected, made.tags) = (class.to_owned(), false, tags(form));
        self.instances.push(made);
        Ok((self.tell_instance("CreateDBInstance", id, call, faults), Effect::Changed))
    }

    pub(super) fn tell_global(&self, operation: &str, id: &str, call: &Call, faults: &Faults) -> String {
        let view: View = self.view(call, faults);
        envelope(operation, call, |xml| {
            xml.open("GlobalCluster");
            if let Some(global) = self.globals.get(id) {
                view.global(xml, global);
            }
            xml.close();
        })
    }
}

pub(super) fn no_global(id: &str) -> Refusal {
    Refusal::missing("GlobalClusterNotFoundFault", format!("Global cluster {id} not found"))
}

/// What is encrypted needs a key of the Region it goes to (field guide 2.3, 2.5): all databases of the simulated bank
/// are. Codes *assumed* where the key is missing, known where it is of another Region.
pub(super) fn need_key(form: &Form, region: &RegionId) -> Result<String, Refusal> {
    let Some(key) = form.get("KmsKeyId") else {
        let message = "KmsKeyId must be given: the source is encrypted with a key of another Region";
        return Err(Refusal::bad("InvalidParameterCombination", message));
    };
    match key.split(':').nth(3).filter(|_| key.starts_with("arn:")) {
        Some(of) if of != region.as_str() => {
            Err(Refusal::bad("KMSKeyNotAccessibleFault", format!("The KMS key {key} is not accessible in {region}")))
        }
        _ => Ok(key.to_owned()),
    }
}
