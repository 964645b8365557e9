#!/usr/bin/env python3
"""boto3 carries the recovery calls out on the simulator, waits with its own waiters, and reads what came of them.

    pointsman sim serve --listen 127.0.0.1:PORT --speed 3000 &
    write_simulator.py --endpoint http://127.0.0.1:PORT --aws PATH_OF_THE_AWS_CLI

Nothing of the program takes part: the calls are built, signed and parsed by somebody else's client, and the AWS CLI
reads the results once more. Refusals are compared as well: AWS says them with these codes (field guide 2 and 5.2).
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

from botocore.exceptions import ClientError, WaiterError

from checks import Checks
from clients import GLOBAL, PRIMARY, RECOVERY, Clients

SOURCE = "vendor-db"
VAULTS = {PRIMARY: "bank-mum", RECOVERY: "bank-hyd"}
# Each wait is of boto3's own waiter, at the speed of the simulator.
WAIT = {"Delay": 1, "MaxAttempts": 60}
SECONDS_MAX = 60
TAGS = [{"Key": "made-by", "Value": "write_simulator.py"}]


class Writer:
    def __init__(self, checks, clients, aws):
        self.checks, self.clients, self.aws = checks, clients, aws
        self.home, self.there = clients("rds", PRIMARY), clients("rds", RECOVERY)

    def waited(self, rds, waiter, **of):
        try:
            rds.get_waiter(waiter).wait(WaiterConfig=WAIT, **of)
        except WaiterError as error:
            self.checks.error(f"{waiter} {of}: {error}")

    def refused(self, what, code, call):
        try:
            call()
            got = "accepted"
        except ClientError as error:
            got = error.response["Error"]["Code"]
        self.checks.equal(f"{what}: refused", code, got)

    def cli(self, region, *arguments):
        """One reading command of the AWS CLI."""
        done = subprocess.run(
            [str(self.aws), "--endpoint-url", self.clients.endpoint, "--region", region, "--output", "json", *arguments],
            env={"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret",
                 "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_PAGER": "",
                 "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=SECONDS_MAX, check=False)
        if done.returncode:
            self.checks.error(f"aws {' '.join(arguments)}: exit status {done.returncode}")
            return {}
        return json.loads(done.stdout)

    def instance(self, region, name):
        found = self.cli(region, "rds", "describe-db-instances", "--db-instance-identifier", name)
        return found.get("DBInstances", [{}])[0]

    def key(self):
        """Any key of the other Region: an encrypted copy must name one."""
        points = self.clients("backup", RECOVERY).list_recovery_points_by_backup_vault(BackupVaultName=VAULTS[RECOVERY])
        return next(p["EncryptionKeyArn"] for p in points["RecoveryPoints"] if p.get("EncryptionKeyArn"))

    def snapshots(self):
        made = self.home.create_db_snapshot(DBSnapshotIdentifier="hand-made", DBInstanceIdentifier=SOURCE, Tags=TAGS)
        self.checks.equal("a new snapshot is", "creating", made["DBSnapshot"]["Status"])
        self.waited(self.home, "db_snapshot_available", DBSnapshotIdentifier="hand-made")
        arn = made["DBSnapshot"]["DBSnapshotArn"]
        self.there.copy_db_snapshot(SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier="hand-copied",
                                    SourceRegion=PRIMARY, KmsKeyId=self.key(), Tags=TAGS)
        self.waited(self.there, "db_snapshot_available", DBSnapshotIdentifier="hand-copied")
        found = self.cli(RECOVERY, "rds", "describe-db-snapshots", "--db-snapshot-identifier", "hand-copied")
        copied = found.get("DBSnapshots", [{}])[0]
        self.checks.equal("the copy, read by the AWS CLI", ("available", SOURCE, arn, TAGS),
                          tuple(copied.get(k) for k in ("Status", "DBInstanceIdentifier", "SourceDBSnapshotIdentifier",
                                                        "TagList")))
        self.refused("a snapshot of a name that is taken", "DBSnapshotAlreadyExists", lambda: self.home.create_db_snapshot(
            DBSnapshotIdentifier="hand-made", DBInstanceIdentifier=SOURCE))

    def restores(self):
        self.there.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier="hand-restored", DBSnapshotIdentifier="hand-copied", Tags=TAGS)
        self.refused("the same restore again", "DBInstanceAlreadyExists",
                     lambda: self.there.restore_db_instance_from_db_snapshot(
                         DBInstanceIdentifier="hand-restored", DBSnapshotIdentifier="hand-copied"))
        self.home.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=SOURCE, TargetDBInstanceIdentifier="hand-beside", UseLatestRestorableTime=True,
            Tags=TAGS)
        for region, name in ((RECOVERY, "hand-restored"), (PRIMARY, "hand-beside")):
            self.waited(self.clients("rds", region), "db_instance_available", DBInstanceIdentifier=name)
            found = self.instance(region, name)
            self.checks.equal(f"{name}, read by the AWS CLI", ("available", TAGS),
                              (found.get("DBInstanceStatus"), found.get("TagList")))
        self.refused("a snapshot of the other Region", "DBSnapshotNotFound",
                     lambda: self.there.restore_db_instance_from_db_snapshot(
                         DBInstanceIdentifier="hand-nothing", DBSnapshotIdentifier="hand-made"))

    def replica(self):
        source = self.instance(PRIMARY, SOURCE)["DBInstanceArn"]
        self.there.create_db_instance_read_replica(
            DBInstanceIdentifier="hand-replica", SourceDBInstanceIdentifier=source, SourceRegion=PRIMARY,
            KmsKeyId=self.key(), Tags=TAGS)
        self.waited(self.there, "db_instance_available", DBInstanceIdentifier="hand-replica")
        self.checks.equal("the replica follows, read by the AWS CLI", source,
                          self.instance(RECOVERY, "hand-replica").get("ReadReplicaSourceDBInstanceIdentifier"))
        self.there.promote_read_replica(DBInstanceIdentifier="hand-replica", BackupRetentionPeriod=7)
        self.waited(self.there, "db_instance_available", DBInstanceIdentifier="hand-replica")
        promoted = self.instance(RECOVERY, "hand-replica")
        self.checks.equal("promoted, it follows nobody and has backups", (None, 7),
                          (promoted.get("ReadReplicaSourceDBInstanceIdentifier"), promoted.get("BackupRetentionPeriod")))
        self.refused("a second promotion", "InvalidDBInstanceState",
                     lambda: self.there.promote_read_replica(DBInstanceIdentifier="hand-replica"))

    def deletions(self):
        self.there.delete_db_instance(DBInstanceIdentifier="hand-restored", SkipFinalSnapshot=True)
        self.waited(self.there, "db_instance_deleted", DBInstanceIdentifier="hand-restored")
        self.home.delete_db_snapshot(DBSnapshotIdentifier="hand-made")
        left = [s["DBSnapshotIdentifier"] for s in self.home.describe_db_snapshots()["DBSnapshots"]]
        self.checks.equal("deleted snapshots that are listed", 0, left.count("hand-made"))

    def ended(self, what, describe):
        """The state in which a job of AWS Backup ends; boto3 has no waiter for jobs."""
        end = time.monotonic() + SECONDS_MAX
        while (state := describe()) in ("CREATED", "PENDING", "RUNNING"):
            if time.monotonic() > end:
                break
        self.checks.equal(f"{what} ends as", "COMPLETED", state)

    def backups(self):
        here, there = self.clients("backup", PRIMARY), self.clients("backup", RECOVERY)
        source = self.instance(PRIMARY, SOURCE)["DBInstanceArn"]
        account = source.split(":")[4]
        role = f"arn:aws:iam::{account}:role/service-role/AWSBackupDefaultServiceRole"
        start = {"BackupVaultName": VAULTS[PRIMARY], "ResourceArn": source, "IamRoleArn": role, "IdempotencyToken": "once"}
        first, second = (here.start_backup_job(**start) for _ in range(2))
        self.checks.equal("one token, one backup job", first["BackupJobId"], second["BackupJobId"])
        self.ended("the backup job", lambda: here.describe_backup_job(BackupJobId=first["BackupJobId"])["State"])
        point = self.cli(PRIMARY, "backup", "describe-backup-job", "--backup-job-id", first["BackupJobId"])
        point = point.get("RecoveryPointArn")
        copy = here.start_copy_job(
            RecoveryPointArn=point, SourceBackupVaultName=VAULTS[PRIMARY], IamRoleArn=role,
            DestinationBackupVaultArn=f"arn:aws:backup:{RECOVERY}:{account}:backup-vault:{VAULTS[RECOVERY]}")
        self.ended("the copy job", lambda: here.describe_copy_job(CopyJobId=copy["CopyJobId"])["CopyJob"]["State"])
        copied = here.describe_copy_job(CopyJobId=copy["CopyJobId"])["CopyJob"]["DestinationRecoveryPointArn"]
        of_point = {"BackupVaultName": VAULTS[RECOVERY], "RecoveryPointArn": copied}
        metadata = there.get_recovery_point_restore_metadata(**of_point)["RestoreMetadata"]
        metadata = {k: v for k, v in metadata.items() if k not in ("DBSubnetGroupName", "VpcSecurityGroupIds",
                                                                   "AvailabilityZone")}
        restore = there.start_restore_job(
            RecoveryPointArn=copied, IamRoleArn=role, ResourceType="RDS", IdempotencyToken="once",
            Metadata=metadata | {"DBInstanceIdentifier": "hand-from-backup"})
        self.ended("the restore job", lambda: there.describe_restore_job(RestoreJobId=restore["RestoreJobId"])["Status"])
        self.checks.equal("restored by AWS Backup, read by the AWS CLI", "available",
                          self.instance(RECOVERY, "hand-from-backup").get("DBInstanceStatus"))

    def health_check(self):
        route53 = self.clients("route53", GLOBAL)
        check = route53.list_health_checks()["HealthChecks"][0]
        update = {"HealthCheckId": check["Id"], "HealthCheckVersion": check["HealthCheckVersion"]}
        route53.update_health_check(**update, Inverted=True, Disabled=True)
        config = self.cli(GLOBAL, "route53", "get-health-check", "--health-check-id", check["Id"])
        config = config.get("HealthCheck", {}).get("HealthCheckConfig", {})
        self.checks.equal("overridden, read by the AWS CLI", (True, True), (config.get("Inverted"), config.get("Disabled")))
        self.refused("an update of a version that has passed", "HealthCheckVersionMismatch",
                     lambda: route53.update_health_check(**update, Inverted=False))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--endpoint", required=True, help="the simulator, on loopback")
    parser.add_argument("--aws", required=True, type=pathlib.Path, help="the AWS CLI")
    args = parser.parse_args()
    checks = Checks()
    writer = Writer(checks, Clients(args.endpoint), args.aws)
    for part in (writer.snapshots, writer.restores, writer.replica, writer.deletions, writer.backups,
                 writer.health_check):
        try:
            part()
        except ClientError as error:
            checks.error(f"{part.__name__}: {error}")
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
