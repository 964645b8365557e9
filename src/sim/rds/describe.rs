//! How RDS writes its resources in XML: element names of the service model, only what is known of each.

use super::{
    DAY, RETENTION_DAYS, Rds,
    global::{Global, MoveKind},
    history::{Event, Snapshot},
    instance::{Instance, Place},
    snapshots::snapshot_arn,
};
use crate::{
    domain::{RegionId, Timestamp},
    sim::{draw, gate::Faults, wire::Xml},
};

const AURORA: (&str, &str) = ("aurora-postgresql", "16.11");
const POSTGRES: (&str, &str) = ("postgres", "16.11");

/// What a description is made from.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub rds: &'a Rds,
    pub faults: &'a Faults,
    pub at: Timestamp,
}

impl View<'_> {
    pub fn global(&self, xml: &mut Xml, global: &Global) {
        let (at, faults) = (self.at, self.faults);
        xml.text("GlobalClusterIdentifier", &global.id)
            .text("GlobalClusterResourceId", format!("cluster-{:016x}", draw::number(self.rds.seed, &global.id)))
            .text("GlobalClusterArn", global.arn())
            .text("Status", global.status(at, faults))
            .text("Engine", AURORA.0)
            .text("EngineVersion", AURORA.1)
            .text("EngineLifecycleSupport", "open-source-rds-extended-support-disabled")
            .text("StorageEncrypted", "true")
            .text("StorageEncryptionType", "sse-kms")
            .text("DeletionProtection", "true")
            .text("Endpoint", format!("{}.global-simulated.global.rds.amazonaws.com", global.id));
        xml.open("GlobalClusterMembers");
        let writer = global.writer_index(at, faults);
        for index in global.current(at) {
            let member = &global.members[index];
            xml.open("GlobalClusterMember");
            xml.text("DBClusterArn", member.arn()).open("Readers");
            for reader in global.current(at).filter(|n| index == writer && *n != writer) {
                xml.text("member", global.members[reader].arn());
            }
            xml.close().show("IsWriter", index == writer);
            xml.text("GlobalWriteForwardingStatus", "disabled");
            let synchronization = if global.connected(index, at, faults) { "connected" } else { "pending-resync" };
            xml.text("SynchronizationStatus", synchronization).close();
        }
        xml.close();
        // Documented: empty unless an operation is pending or running (field guide 2.6).
        if let Some(running) = global.running(at, faults) {
            xml.open("FailoverState");
            xml.text("Status", running.status)
                .text("FromDbClusterArn", global.members[running.it.from].arn())
                .text("ToDbClusterArn", global.members[running.it.to].arn())
                .show("IsDataLossAllowed", running.it.kind == MoveKind::Failover);
            xml.close();
        }
        xml.open("TagList").close();
    }

    pub fn cluster(&self, xml: &mut Xml, global: &Global, index: usize) {
        let (at, faults) = (self.at, self.faults);
        let member = &global.members[index];
        // Out of its global database a cluster stands for itself.
        let alone = !global.is_member(index, at);
        let writer = if alone { index } else { global.writer_index(at, faults) };
        let zone = |letter: char| format!("{}{letter}", member.region);
        xml.show("AllocatedStorage", 1).open("AvailabilityZones");
        for letter in ['a', 'b', 'c'] {
            xml.text("AvailabilityZone", zone(letter));
        }
        xml.close();
        let endpoint =
            |kind: &str| format!("{}.cluster-{kind}simulated.{}.rds.amazonaws.com", member.cluster, member.region);
        xml.show("BackupRetentionPeriod", RETENTION_DAYS)
            .text("DBClusterIdentifier", &member.cluster)
            .text("DBClusterParameterGroup", "payments-aurora-16")
            .text("Status", global.cluster_status(index, at, faults));
        let latest = self.rds.latest_restorable(&member.cluster, &member.region, at, faults);
        xml.text("EarliestRestorableTime", (at - DAY * RETENTION_DAYS).rfc3339())
            .text("LatestRestorableTime", latest.rfc3339())
            .text("Endpoint", endpoint(""))
            .text("ReaderEndpoint", endpoint("ro-"))
            .text("MultiAZ", "false")
            .text("Engine", AURORA.0)
            .text("EngineVersion", AURORA.1)
            .show("Port", 5432)
            .text("EngineMode", "provisioned");
        if index != writer {
            xml.text("ReplicationSourceIdentifier", global.members[writer].arn());
        }
        xml.open("DBClusterMembers");
        let inside = |place: &Place| matches!(place, Place::InCluster { cluster } if *cluster == member.cluster);
        let instances = self.rds.instances_in(&member.region, at, faults).filter(|known| inside(&known.place));
        for (n, instance) in instances.enumerate() {
            xml.open("DBClusterMember");
            xml.text("DBInstanceIdentifier", &instance.id)
                .show("IsClusterWriter", index == writer && n == 0)
                .text("DBClusterParameterGroupStatus", "in-sync")
                .show("PromotionTier", 1)
                .close();
        }
        xml.close();
        xml.text("StorageEncrypted", "true")
            .text("DbClusterResourceId", format!("cluster-{:016X}", draw::number(self.rds.seed, &member.arn())))
            .text("DBClusterArn", member.arn())
            .text("ClusterCreateTime", member.born.unwrap_or(self.rds.created).rfc3339())
            .maybe("GlobalClusterIdentifier", (!alone).then_some(&global.id))
            .text("DeletionProtection", "true")
            .text("GlobalWriteForwardingRequested", "false");
        tag_list(xml, &member.tags);
    }

    pub fn instance(&self, xml: &mut Xml, instance: &Instance) {
        let (at, faults, id) = (self.at, self.faults, instance.id.as_str());
        let alone = instance.stands_alone(at, faults);
        let (engine, version) = if matches!(instance.place, Place::InCluster { .. }) { AURORA } else { POSTGRES };
        xml.text("DBInstanceIdentifier", id)
            .text("DBInstanceClass", &instance.class)
            .text("Engine", engine)
            .text("EngineVersion", version)
            .text("DBInstanceStatus", self.rds.instance_status(instance, at, faults));
        // Known: while it is being created an instance has neither an endpoint nor a time of creation.
        if instance.created(at, faults) {
            let address = format!("{id}.simulated.{}.rds.amazonaws.com", instance.region);
            xml.open("Endpoint");
            xml.text("Address", address).show("Port", 5432).close();
            let created = instance.born + instance.creating.unwrap_or_default();
            xml.text("InstanceCreateTime", created.rfc3339());
        }
        xml.show("AllocatedStorage", instance.storage_gib.max(1))
            .show("BackupRetentionPeriod", instance.retention(at, faults))
            .text("AvailabilityZone", format!("{}a", instance.region))
            .show("MultiAZ", alone && instance.creating.is_none());
        if alone {
            xml.text("SecondaryAvailabilityZone", format!("{}b", instance.region));
        }
        let latest = self.rds.restorable_until(instance, at, faults);
        xml.maybe("LatestRestorableTime", latest.map(Timestamp::rfc3339)).open("ReadReplicaDBInstanceIdentifiers");
        let arn = instance.arn();
        for known in &self.rds.instances {
            let follows = matches!(&known.place, Place::Replica { source_arn, .. } if *source_arn == arn);
            if follows && known.exists(at, faults) && known.replicates(at, faults) {
                // Documented: one in another Region by its ARN.
                xml.text(
                    "ReadReplicaDBInstanceIdentifier",
                    if known.region == instance.region { known.id.clone() } else { known.arn() },
                );
            }
        }
        xml.close();
        match &instance.place {
            Place::InCluster { cluster } => {
                xml.text("DBClusterIdentifier", cluster);
            }
            Place::Replica { source_arn, .. } if instance.replicates(at, faults) => {
                xml.text("ReadReplicaSourceDBInstanceIdentifier", source_arn);
                self.replication(xml, instance);
            }
            Place::Replica { .. } | Place::Alone => {}
        }
        xml.show("StorageEncrypted", instance.kms_key.is_some())
            .maybe("KmsKeyId", instance.kms_key.as_deref())
            .text("DbiResourceId", format!("db-{:016X}", draw::number(self.rds.seed, &arn)))
            .text("DBInstanceArn", arn)
            .show("DeletionProtection", instance.protected);
        tag_list(xml, &instance.tags);
    }

    /// Documented words of `StatusInfos` (field guide 2.2). *Assumed*: `error` as long as the source's Region is
    /// dark, `replicating` at once when it is back, `terminated` when the source is deleted.
    fn replication(&self, xml: &mut Xml, replica: &Instance) {
        let Place::Replica { source_arn, source_region } = &replica.place else { return };
        if !replica.created(self.at, self.faults) {
            return;
        }
        let (status, why) = if self.faults.region_down(source_region, self.at) {
            ("error", Some("could not connect to the primary server"))
        } else if self.rds.instance(source_region, source_arn, self.at, self.faults).is_none() {
            ("terminated", Some("the source DB instance was deleted"))
        } else {
            ("replicating", None)
        };
        xml.open("StatusInfos").open("DBInstanceStatusInfo");
        xml.text("StatusType", "read replication")
            .show("Normal", why.is_none())
            .text("Status", status)
            .maybe("Message", why);
        xml.close().close();
    }

    pub fn cluster_snapshot(xml: &mut Xml, region: &RegionId, account: &str, snapshot: &Snapshot) {
        xml.text("DBClusterSnapshotIdentifier", &snapshot.id)
            .text("DBClusterIdentifier", &snapshot.source)
            .text("DBClusterSnapshotArn", cluster_snapshot_arn(region, account, &snapshot.id));
        Self::snapshot(xml, snapshot, AURORA);
        xml.maybe("SourceDBClusterSnapshotArn", snapshot.copied_from.as_deref());
        xml.text("StorageEncrypted", "true");
        tag_list(xml, &snapshot.tags);
    }

    pub fn instance_snapshot(xml: &mut Xml, region: &RegionId, account: &str, snapshot: &Snapshot) {
        xml.text("DBSnapshotIdentifier", &snapshot.id)
            .text("DBInstanceIdentifier", &snapshot.source)
            .text("DBSnapshotArn", snapshot_arn(region, account, &snapshot.id));
        Self::snapshot(xml, snapshot, POSTGRES);
        xml.text("OriginalSnapshotCreateTime", snapshot.original.rfc3339())
            .maybe("SourceDBSnapshotIdentifier", snapshot.copied_from.as_deref())
            .text("Encrypted", "true");
        tag_list(xml, &snapshot.tags);
    }

    fn snapshot(xml: &mut Xml, snapshot: &Snapshot, engine: (&str, &str)) {
        xml.text("SnapshotCreateTime", snapshot.created.rfc3339())
            .text("Status", if snapshot.percent < 100 { "creating" } else { "available" })
            .show("PercentProgress", snapshot.percent)
            .text("SnapshotType", snapshot.kind)
            .text("Engine", engine.0)
            .text("EngineVersion", engine.1)
            .show("AllocatedStorage", snapshot.storage_gib.max(1));
    }

    pub fn event(xml: &mut Xml, event: &Event) {
        xml.text("SourceIdentifier", &event.source)
            .text("SourceType", event.source_type)
            .text("Message", &event.message)
            .open("EventCategories");
        xml.text("EventCategory", event.category).close();
        xml.text("Date", event.at.rfc3339()).text("SourceArn", &event.arn);
    }
}

pub fn cluster_snapshot_arn(region: &RegionId, account: &str, id: &str) -> String {
    format!("arn:aws:rds:{region}:{account}:cluster-snapshot:{id}")
}

fn tag_list(xml: &mut Xml, tags: &[(String, String)]) {
    xml.open("TagList");
    for (key, value) in tags {
        xml.open("Tag");
        xml.text("Key", key).text("Value", value).close();
    }
    xml.close();
}
