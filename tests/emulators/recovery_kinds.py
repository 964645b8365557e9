"""The program carries the recovery kinds out against an emulator: restore, copy, promote, replicate, back up, override.

Each writing call is counted on the wire (wire_tap.py), each effect is read with boto3. Where an emulator takes a call
and does nothing, or does it and does not show it, the step must say so and wait for a person: never done, never sent
again.
"""

import json
import re
import signal
import sys

import drive_run
import recovery_runbooks as runbooks
import running
from clients import GLOBAL, PRIMARY, RECOVERY

REHEARSAL = runbooks.REHEARSAL
KILLED = -signal.SIGKILL
PARKED = 4
LIVE = ("--allow-endpoint-override", "--single-operator")
MARK = "pointsman"  # the tag on what a step makes


class Looking(drive_run.Policy):
    """Reads with boto3 when a step is asked about, before the answer is given."""

    looks = {}

    def answer(self, name, match):
        look = self.looks.pop(match.groupdict().get("step"), None)
        if look:
            look()
        return super().answer(name, match)


class Recovery:
    """One emulator, its tap, and what is to be compared."""

    def __init__(self, checks, binary, env, tap, clients, seed):
        self.checks, self.binary, self.env, self.tap, self.clients, self.seed = checks, binary, env, tap, clients, seed

    def carry_out(self, runbook, app, region, expected, live=False, kill_at=None, ends=0, looks=None, unclear=(),
                  **policy):
        """Run it to its end; `expected` are the writing calls, in order, each once. None is answered with an error,
        but those of `unclear`."""
        self.tap.forget()
        answers = Looking(app=app, region=region, incident="INC-4471", **policy)
        answers.looks = dict(looks or {})
        mode = LIVE if live else (*LIVE, "--drill")
        first = self.drive(runbook, [*mode, "run", runbook, "--app", app], answers, live, kill_at)
        if kill_at:
            self.checks.equal(f"{runbook}: ended by SIGKILL while {kill_at} was out", KILLED, first and first.status)
            number = running.newest_run(self.binary, self.env)
            first = self.drive(f"{runbook}, resumed", [*mode, "resume", number], answers, live)
        self.checks.equal(f"{runbook}: exit status", ends, first and first.status)
        self.checks.equal(f"{runbook}: writing calls on the wire, each once", expected,
                          [str(call) for call in self.tap.writes()])
        self.checks.equal(f"{runbook}: answered with an error", [f"{call} 500" for call in unclear],
                          [f"{call} {call.status}" for call in self.tap.writes() if call.status >= 300])
        self.checks.equal(f"{runbook}: nothing left to look at", [], sorted(answers.looks))
        return first

    def drive(self, what, arguments, policy, live, kill_at=None):
        print(f"-----   {what}: pointsman {' '.join(arguments)}", flush=True)
        child = []
        if kill_at:
            self.tap.before_answer(kill_at, lambda: (child[0].kill(), child[0].wait()))
        try:
            return drive_run.drive([str(self.binary), *arguments], env=self.env, policy=policy, terminal=live,
                                   on_start=child.append,
                                   echo=lambda text: (sys.stdout.write(text), sys.stdout.flush()))
        except drive_run.DriveError as error:
            self.checks.error(f"{what}: {error}")
            return None

    # What boto3 reads.

    def instances(self, region, beginning=REHEARSAL):
        found = self.clients("rds", region).describe_db_instances()["DBInstances"]
        return {i["DBInstanceIdentifier"]: i for i in found if i["DBInstanceIdentifier"].startswith(beginning)}

    def marked_snapshots(self, region):
        """Snapshots of the steps of this program, by the step."""
        out = {}
        for found in self.clients("rds", region).describe_db_snapshots()["DBSnapshots"]:
            for tag in found.get("TagList", []):
                if tag["Key"] == MARK:
                    out[tag["Value"].split("@")[0]] = found
        return out

    def failover_roles(self):
        dns = self.seed["failover_dns"]
        sets = self.clients("route53", GLOBAL).list_resource_record_sets(HostedZoneId=dns["zone_id"])
        return {s["SetIdentifier"]: s["Failover"] for s in sets["ResourceRecordSets"] if s["Name"] == dns["record"]}

    def switches(self):
        check = self.clients("route53", GLOBAL).get_health_check(HealthCheckId=self.seed["dns"]["health_check"]["id"])
        config = check["HealthCheck"]["HealthCheckConfig"]
        return {key: config[key] for key in ("Inverted", "Disabled")}

    # What is compared with either emulator.

    def failover_records(self):
        equal, change = self.checks.equal, f"route53 ChangeResourceRecordSets {GLOBAL}"
        self.carry_out("portal-there", "portal", RECOVERY, [change])
        equal("roles of the failover records", {"mumbai": "SECONDARY", "hyderabad": "PRIMARY"}, self.failover_roles())
        self.carry_out("portal-home", "portal", PRIMARY, [change])
        equal("roles after the way home", {"mumbai": "PRIMARY", "hyderabad": "SECONDARY"}, self.failover_roles())

    def evidence(self, runs, left=()):
        said = running.command(self.binary, self.env, "evidence", "verify")
        self.checks.note(said.strip())
        listed = json.loads(running.command(self.binary, self.env, "runs", "--format", "json"))
        self.checks.equal("runs in the journal", runs, len(listed))
        shown = re.findall(r"(?:LEFT BEHIND|STILL THERE)  (\S+) (\S+) in", running.command(self.binary, self.env, "runs"))
        # A snapshot of lost writes is kept on purpose.
        self.checks.equal("what the runs left behind", sorted(left),
                          sorted(one for one in shown if not one[1].startswith("kept-")))

    # moto

    def rehearsal_of_all(self):
        equal, source = self.checks.equal, self.seed["rds_instance"]["arn"]

        def made():
            home, there = self.instances(PRIMARY), self.instances(RECOVERY)
            equal("restored beside the source, read by boto3", [REHEARSAL + "beside"], sorted(home))
            equal("made in Hyderabad, read by boto3", [REHEARSAL + "follower", REHEARSAL + "restored"], sorted(there))
            follower = there.get(REHEARSAL + "follower", {})
            equal("the replica follows", source, follower.get("ReadReplicaSourceDBInstanceIdentifier"))
            kept = self.marked_snapshots(PRIMARY).get("vendor-restore/keep", {})
            copied = self.marked_snapshots(RECOVERY).get("vendor-restore/copy", {})
            equal("the copy's data is as of", kept.get("OriginalSnapshotCreateTime", "none"),
                  copied.get("OriginalSnapshotCreateTime"))

        done = self.carry_out(
            "vendor-rehearsal", "vendor-restore", PRIMARY, kill_at="RestoreDBInstanceFromDBSnapshot",
            looks={"follower-away": made}, parked="skip the emulator says nothing of its replication",
            unclear=[f"rds DeleteDBInstance {RECOVERY}"],  # it deletes a replica and then fails
            expected=[
                f"rds CreateDBSnapshot {PRIMARY}", f"rds CopyDBSnapshot {RECOVERY}",
                f"rds RestoreDBInstanceFromDBSnapshot {RECOVERY}", f"rds RestoreDBInstanceToPointInTime {PRIMARY}",
                f"rds CreateDBInstanceReadReplica {RECOVERY}", f"rds DeleteDBInstance {RECOVERY}",
                f"rds DeleteDBInstance {PRIMARY}", f"rds DeleteDBInstance {RECOVERY}",
                f"rds DeleteDBSnapshot {RECOVERY}", f"rds DeleteDBSnapshot {PRIMARY}",
            ])
        equal("a replica of which nothing is said is not called made", ["follower"], done and done.asked("parked"))
        equal("instances left", [], sorted(self.instances(PRIMARY)) + sorted(self.instances(RECOVERY)))
        equal("snapshots left", [], sorted(self.marked_snapshots(PRIMARY)) + sorted(self.marked_snapshots(RECOVERY)))

    def promotion(self):
        replica = self.seed["replica"]["id"]
        done = self.carry_out("vendor-promotion", "vendor-restore", RECOVERY, [f"rds PromoteReadReplica {RECOVERY}"],
                              ends=PARKED, parked="abandon it was not promoted")
        self.checks.equal("a promotion that did nothing is parked", ["promote"], done and done.asked("parked"))
        self.checks.equal("and the replica follows still", self.seed["replica"]["source"],
                          self.instances(RECOVERY, replica)[replica].get("ReadReplicaSourceDBInstanceIdentifier"))

    def health_check(self):
        equal, seen = self.checks.equal, []
        self.carry_out("payments-blind", "payments", RECOVERY, [f"route53 UpdateHealthCheck {GLOBAL}"] * 2,
                       looks={"sees": lambda: seen.append(self.switches())})
        equal("overridden, read by boto3", [{"Inverted": True, "Disabled": True}], seen)
        equal("put back, read by boto3", {"Inverted": False, "Disabled": False}, self.switches())

    def kept_snapshot(self):
        self.carry_out("payments-keep", "payments", PRIMARY, [f"rds CopyDBClusterSnapshot {PRIMARY}"], live=True)
        found = self.clients("rds", PRIMARY).describe_db_cluster_snapshots()["DBClusterSnapshots"]
        kept = "kept-" + self.seed["unplanned_snapshot"]["id"].removeprefix("rds:")
        self.checks.equal("kept, read by boto3", 1, [s["DBClusterSnapshotIdentifier"] for s in found].count(kept))

    # ministack

    def rehearsal_at_home(self):
        done = self.carry_out(
            "vendor-rehearsal", "vendor-restore", PRIMARY, parked="skip its tags are not kept",
            looks={"restored-away": lambda: self.checks.equal(
                "restored, read by boto3", [REHEARSAL + "restored"], sorted(self.instances(PRIMARY)))},
            expected=[f"rds {call} {PRIMARY}" for call in
                      ("CreateDBSnapshot", "RestoreDBInstanceFromDBSnapshot", "DeleteDBInstance", "DeleteDBSnapshot")])
        self.checks.equal("an instance without the step's mark is not taken for its own", ["restored"],
                          done and done.asked("parked"))
        self.checks.equal("instances and snapshots left", [],
                          sorted(self.instances(PRIMARY)) + sorted(self.marked_snapshots(PRIMARY)))

    def rebuilt_topology(self):
        """Detach and promote, killed on the way; then the topology anew around what was promoted."""
        self.carry_out(
            "payments-rebuild", "payments", RECOVERY, live=True, kill_at="CreateDBCluster",
            expected=[f"rds RemoveFromGlobalCluster {RECOVERY}", f"rds CreateGlobalCluster {RECOVERY}",
                      f"rds CreateDBCluster {PRIMARY}", f"rds CreateDBInstance {PRIMARY}"])
        rds = self.clients("rds", RECOVERY)
        clusters = {c["GlobalClusterIdentifier"]: c["GlobalClusterMembers"] for c in
                    rds.describe_global_clusters()["GlobalClusters"]}
        members = [(m["DBClusterArn"].rpartition(":")[2], m["IsWriter"]) for m in clusters[runbooks.NEW_GLOBAL]]
        old = [m["DBClusterArn"].split(":")[3] for m in clusters[self.seed["global_cluster"]["id"]]]
        self.checks.equal("the new topology, read by boto3", [("payments-hyd", True), (runbooks.NEW_CLUSTER, False)],
                          sorted(members))
        self.checks.equal("what is left of the old one", [PRIMARY], old)
        self.checks.equal("the new cluster's instance", [f"{runbooks.NEW_CLUSTER}-1"],
                          sorted(self.instances(PRIMARY, runbooks.NEW_CLUSTER)))

    def backup_now(self):
        backup = self.clients("backup", PRIMARY)
        before = {j["BackupJobId"] for j in backup.list_backup_jobs()["BackupJobs"]}
        self.carry_out("vendor-backup-now", "vendor-backup", RECOVERY, [f"backup StartBackupJob {PRIMARY}"],
                       kill_at="StartBackupJob")
        jobs = [j for j in backup.list_backup_jobs()["BackupJobs"] if j["BackupJobId"] not in before]
        self.checks.equal("new backup jobs, read by boto3",
                          [(runbooks.other_database(self.seed), self.seed["vaults"][PRIMARY]["name"], "COMPLETED")],
                          [(j["ResourceArn"], j["BackupVaultName"], j["State"]) for j in jobs])


def with_moto(*around):
    recovery = Recovery(*around)
    recovery.rehearsal_of_all()
    recovery.promotion()
    recovery.health_check()
    recovery.kept_snapshot()
    recovery.evidence(runs=4)


def with_ministack(*around):
    recovery = Recovery(*around)
    recovery.rehearsal_at_home()
    recovery.backup_now()
    recovery.failover_records()
    recovery.rebuilt_topology()
    new = runbooks.NEW_CLUSTER
    # The failover and failback before them too. Nothing was taken away of the topology.
    recovery.evidence(runs=7, left=[("rds-global-cluster", runbooks.NEW_GLOBAL), ("rds-cluster", new),
                                    ("rds-instance", f"{new}-1")])
