//! How RDS writes its resources in XML: element names of the service model, only what is known of each.

use super::{
    DAY, Instance, Place, RETENTION_DAYS, Rds,
    global::{Global, MoveKind},
    history::{Event, Snapshot},
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
        for (index, member) in global.members.iter().enumerate() {
            xml.open("GlobalClusterMember");
            xml.text("DBClusterArn", member.arn()).open("Readers");
            for (_, reader) in global.members.iter().enumerate().filter(|(n, _)| index == writer && *n != writer) {
                xml.text("member", reader.arn());
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
        let writer = global.writer_index(at, faults);
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
        xml.open("DBClusterMembers").open("DBClusterMember");
        xml.text("DBInstanceIdentifier", format!("{}-1", member.cluster))
            .show("IsClusterWriter", index == writer)
            .text("DBClusterParameterGroupStatus", "in-sync")
            .show("PromotionTier", 1);
        xml.close().close();
        xml.text("StorageEncrypted", "true")
            .text("DbClusterResourceId", format!("cluster-{:016X}", draw::number(self.rds.seed, &member.arn())))
            .text("DBClusterArn", member.arn())
            .text("ClusterCreateTime", self.rds.created.rfc3339())
            .text("GlobalClusterIdentifier", &global.id)
            .text("DeletionProtection", "true")
            .text("GlobalWriteForwardingRequested", "false");
    }

    pub fn instance(&self, xml: &mut Xml, instance: &Instance) {
        let (at, faults, id) = (self.at, self.faults, instance.id.as_str());
        let alone = matches!(instance.place, Place::Alone { .. });
        let (engine, version) = if matches!(instance.place, Place::InCluster { .. }) { AURORA } else { POSTGRES };
        let status = if alone { self.rds.instance_status(id, &instance.region, at, faults) } else { "available" };
        xml.text("DBInstanceIdentifier", id)
            .text("DBInstanceClass", "db.r6g.2xlarge")
            .text("Engine", engine)
            .text("EngineVersion", version)
            .text("DBInstanceStatus", status);
        xml.open("Endpoint");
        xml.text("Address", format!("{id}.simulated.{}.rds.amazonaws.com", instance.region)).show("Port", 5432).close();
        xml.show("AllocatedStorage", instance.storage_gib.max(1))
            .text("InstanceCreateTime", self.rds.created.rfc3339())
            .show(
                "BackupRetentionPeriod",
                if matches!(instance.place, Place::Replica { .. }) { 0 } else { RETENTION_DAYS },
            )
            .text("AvailabilityZone", format!("{}a", instance.region))
            .show("MultiAZ", alone);
        if alone {
            xml.text("SecondaryAvailabilityZone", format!("{}b", instance.region));
            // Null on a replica without backups, and PITR works on the writer only (field guide 2.2).
            xml.text("LatestRestorableTime", self.rds.latest_restorable(id, &instance.region, at, faults).rfc3339());
        }
        xml.open("ReadReplicaDBInstanceIdentifiers");
        if let Place::Alone { replica: Some(replica) } = &instance.place {
            xml.text("ReadReplicaDBInstanceIdentifier", replica);
        }
        xml.close();
        match &instance.place {
            Place::InCluster { cluster } => {
                xml.text("DBClusterIdentifier", cluster);
            }
            Place::Replica { source_arn, source_region } => {
                xml.text("ReadReplicaSourceDBInstanceIdentifier", source_arn);
                self.replication(xml, source_region);
            }
            Place::Alone { .. } => {}
        }
        xml.text("StorageEncrypted", "true")
            .text("DbiResourceId", format!("db-{:016X}", draw::number(self.rds.seed, &instance.arn())))
            .text("DBInstanceArn", instance.arn())
            .text("DeletionProtection", "true");
    }

    /// Documented words of `StatusInfos` (field guide 2.2). *Assumed*: `error` as long as the source's Region is
    /// dark, `replicating` at once when it is back.
    fn replication(&self, xml: &mut Xml, source_region: &RegionId) {
        let dark = self.faults.region_down(source_region, self.at);
        xml.open("StatusInfos").open("DBInstanceStatusInfo");
        xml.text("StatusType", "read replication")
            .show("Normal", !dark)
            .text("Status", if dark { "error" } else { "replicating" })
            .maybe("Message", dark.then_some("could not connect to the primary server"));
        xml.close().close();
    }

    pub fn cluster_snapshot(xml: &mut Xml, region: &RegionId, account: &str, snapshot: &Snapshot) {
        xml.text("DBClusterSnapshotIdentifier", &snapshot.id)
            .text("DBClusterIdentifier", &snapshot.source)
            .text("DBClusterSnapshotArn", cluster_snapshot_arn(region, account, &snapshot.id));
        Self::snapshot(xml, snapshot, AURORA);
        xml.maybe("SourceDBClusterSnapshotArn", snapshot.copied_from.as_deref());
        xml.text("StorageEncrypted", "true");
    }

    pub fn instance_snapshot(xml: &mut Xml, region: &RegionId, account: &str, snapshot: &Snapshot) {
        xml.text("DBSnapshotIdentifier", &snapshot.id)
            .text("DBInstanceIdentifier", &snapshot.source)
            .text("DBSnapshotArn", format!("arn:aws:rds:{region}:{account}:snapshot:{}", snapshot.id));
        Self::snapshot(xml, snapshot, POSTGRES);
        xml.text("Encrypted", "true");
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
