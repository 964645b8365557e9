#!/usr/bin/env python3
"""The program against ministack: status says what was put there, and failover and failback run to their ends.

    against_ministack.py --binary target/debug/pointsman

A tap on the wire (wire_tap.py) stands between the two, so that "sent once" is counted on the wire. The failover is
killed (SIGKILL) after the emulator promoted Hyderabad and before the program heard of it, and resumed; the failback
runs without trouble. Run it with the interpreter of ministack's environment.
"""

import argparse
import signal
import sys

import drive_run
import estate_from_seed
import reading
import recovery_kinds
import running
from checks import Checks
from clients import GLOBAL, PRIMARY, RECOVERY, Clients
from wire_tap import Tap

KILLED = -signal.SIGKILL
ACT = ("--allow-endpoint-override", "--single-operator", "--drill")
WHO = {"who": "asha", "incident": "INC-4471", "app": "payments"}
OVERRIDE = {"override_reason": "drill against an emulator: nothing can be fenced", "authoriser": "ravi, duty manager"}


def metrics(checks, status, seed):
    """CloudWatch, over CBOR."""
    lag = seed["lag"]
    got = reading.fact(status, "payments", "payments-global", "lag", lag["region"])
    checks.equal("lag: fact", "fresh", got["state"])
    checks.near("lag: newest, s", lag["exposure"], reading.value(got, "newest"), 1e-6)
    payments = reading.app(status, "payments")
    lost = payments["rpo"]["region_lost"]
    checks.near("Payments: exposure, s", lag["exposure"], lost["exposure"], 0.001)
    checks.equal("Payments: by component", "payments-global", lost["component"])
    checks.equal("Payments: region lost", "met", lost["verdict"])
    checks.equal("Payments: judged from samples", True, lost["sampled"])

    home = next(s for s in seed["served"] if s["region"] == PRIMARY)
    everywhere = {key: sum(s[key] for s in seed["served"]) for key in ("served_per_minute", "total_per_minute")}
    served = payments["served"]
    shares = [home["share"], everywhere["served_per_minute"] / everywhere["total_per_minute"]]
    checks.between("Payments: customers served", min(shares) - 1e-6, max(shares) + 1e-6, served["success"])
    checks.between("Payments: requests a second", home["total_per_minute"] / 60 - 1e-6,
                   everywhere["total_per_minute"] / 60 + 1e-6, served["per_second"])
    checks.between("Payments: against the same minute last week", home["rate_against_last_week"] - 1e-6,
                   home["rate_against_last_week"] + 0.005, served["against_last_week"])
    for side, region in seed["regions"].items():
        name = f"{estate_from_seed.WEB}-{side}"
        there = next(s for s in seed["served"] if s["region"] == region)
        gauge = reading.fact(status, "payments", name, "gauge", region)
        checks.equal(f"{name}: fact", "fresh", gauge["state"])
        checks.near(f"{name}: newest", there["total_per_minute"], reading.value(gauge, "newest"), 1e-6)
    for alarm in seed["alarms"]:
        got = reading.fact(status, "payments", alarm["name"], "alarm", alarm["region"])
        checks.equal(f"alarm {alarm['name']}: fact", "fresh", got["state"])
        checks.equal(f"alarm {alarm['name']}: state", alarm["state"], reading.value(got, "state"))


def backups(checks, status, seed):
    jobs = seed["backup_jobs"]
    row = reading.jobs(status, PRIMARY, "backup")
    checks.equal("backup jobs of Mumbai", "fresh", row["state"])
    expected = {}
    for job in jobs:
        expected[job["state"]] = expected.get(job["state"], 0) + 1
    got = {r["state"]: r["count"] for r in row["by_state"] or []}
    checks.equal("backup jobs of Mumbai by state", expected, got)
    checks.moment("newest backup job of Mumbai", reading.latest(j["created"] for j in jobs), row["newest_created"], 0.001)
    for region, kind in ((RECOVERY, "backup"), (PRIMARY, "copy"), (RECOVERY, "copy"), (PRIMARY, "restore"),
                         (RECOVERY, "restore")):
        row = reading.jobs(status, region, kind)
        checks.equal(f"{kind} jobs of {region}", ("fresh", []), (row["state"], row["by_state"]))
    # ministack keeps no recovery points: the program must not invent one from the completed jobs.
    for region in (PRIMARY, RECOVERY):
        points = reading.fact(status, "vendor-backup", "vendor-db-backup", "recovery-points", region)
        checks.equal(f"recovery points in {region}", ("fresh", 0), (points["state"], reading.value(points, "points")))
    lost = reading.app(status, "vendor-backup")["rpo"]["region_lost"]
    checks.equal("vendor by backups: no data time", None, lost["data_time"])
    checks.that("vendor by backups: not met", lost["verdict"] in ("breached", "unknown"), "breached or unknown",
                lost["verdict"])


def restore_window(checks, status, seed):
    database = seed["rds_instance"]
    window = reading.fact(status, "vendor-restore", "vendor-db", "restorable", database["region"])
    checks.moment("vendor-db: latest restorable time", database["latest_restorable_time"],
                  reading.value(window, "latest"), 0.001)
    corrupted = reading.app(status, "vendor-restore")["rpo"]["corrupted"]
    checks.moment("vendor-db: corrupted, back to", database["latest_restorable_time"], corrupted["data_time"], 0.001)


def unserved(checks, status):
    """What ministack refuses is Unknown with its reason, and decides nothing."""
    health = reading.fact(status, "payments", "pay-mumbai", "health-check")
    checks.equal("health check without a status: fact", "unknown", health["state"])
    checks.contains("health check: why", ["route53"], health["why"])


def weights(clients, seed):
    sets = clients("route53", GLOBAL).list_resource_record_sets(HostedZoneId=seed["dns"]["zone_id"])["ResourceRecordSets"]
    return {s["SetIdentifier"]: s["Weight"] for s in sets if s["Name"] == seed["dns"]["record"] and "Weight" in s}


def records(clients, seed):
    """Everything of the two records but their weights."""
    sets = clients("route53", GLOBAL).list_resource_record_sets(HostedZoneId=seed["dns"]["zone_id"])["ResourceRecordSets"]
    return [{k: v for k, v in s.items() if k != "Weight"} for s in sets]


def writers(clients, seed):
    """The Regions whose member writes, as boto3 reads it."""
    cluster = clients("rds", RECOVERY).describe_global_clusters(
        GlobalClusterIdentifier=seed["global_cluster"]["id"])["GlobalClusters"][0]
    return [m["DBClusterArn"].split(":")[3] for m in cluster["GlobalClusterMembers"] if m["IsWriter"]]


def moved(checks, what, clients, seed, region, expected_weights, before):
    checks.equal(f"{what}: the writer, read by boto3", [region], writers(clients, seed))
    checks.equal(f"{what}: the weights, read by boto3", expected_weights, weights(clients, seed))
    checks.equal(f"{what}: nothing else of the records changed", before, records(clients, seed))


def sent(checks, what, tap, expected):
    """Exactly these writing calls passed, in this order."""
    got = [str(call) for call in tap.writes()]
    checks.equal(f"{what}: writing calls on the wire", expected, got)
    refused = [f"{call} {call.status}" for call in tap.writes() if call.status >= 300]
    checks.equal(f"{what}: writing calls that were refused", [], refused)


def run(checks, what, binary, env, arguments, region, on_start=None):
    policy = drive_run.Policy(region=region, **WHO, **OVERRIDE)
    print(f"-----   {what}: pointsman {' '.join(arguments)}", flush=True)
    try:
        return drive_run.drive([str(binary), *ACT, *arguments], env=env, policy=policy, on_start=on_start,
                               echo=lambda text: (sys.stdout.write(text), sys.stdout.flush()))
    except drive_run.DriveError as error:
        checks.error(f"{what}: {error}")
        return None


def refused_without_permission(checks, binary, env, tap):
    """Acting through somebody's endpoint is refused unless it is allowed, and nothing is sent."""
    policy = drive_run.Policy(region=RECOVERY, **WHO, **OVERRIDE)
    try:
        done = drive_run.drive([str(binary), "--single-operator", "--drill", "run", "payments-failover", "--app", "payments"],
                               env=env, policy=policy)
        checks.that("run without --allow-endpoint-override is refused", done.status not in (0, None), "not 0", done.status)
    except drive_run.DriveError as error:
        checks.error(f"run without --allow-endpoint-override: {error}")
    checks.equal("and sends nothing", [], [str(call) for call in tap.writes()])


def failover(checks, binary, env, tap, clients, seed):
    """Killed between the effect and the answer, resumed by observing."""
    before = records(clients, seed)
    child = []
    tap.before_answer("FailoverGlobalCluster", lambda: (child[0].kill(), child[0].wait()))
    first = run(checks, "failover", binary, env, ["run", "payments-failover", "--app", "payments"], RECOVERY, child.append)
    if first is None:
        return
    checks.equal("failover: ended by SIGKILL while the call was out", KILLED, first.status)
    checks.equal("failover: the loss was typed for", ["promote"], first.asked("loss"))
    checks.equal("failover: sent before it was killed", [f"rds FailoverGlobalCluster {RECOVERY}"],
                 [str(call) for call in tap.writes()])
    checks.equal("failover: the writer has moved, read by boto3", [RECOVERY], writers(clients, seed))
    number = running.newest_run(binary, env)
    checks.note(f"run {number} as the next start finds it:\n{running.command(binary, env, 'runs', number)}")

    second = run(checks, "resumed failover", binary, env, ["resume", number], RECOVERY)
    if second is None:
        return
    checks.equal("resumed failover: exit status", 0, second.status)
    checks.equal("resumed failover: no loss is typed again", [], second.asked("loss"))
    sent(checks, "failover, both starts", tap,
         [f"rds FailoverGlobalCluster {RECOVERY}", f"route53 ChangeResourceRecordSets {GLOBAL}"])
    moved(checks, "failover", clients, seed, RECOVERY, {"mumbai": 0, "hyderabad": 100}, before)
    checks.contains("failover: `runs` says", ["payments-failover", "completed"], running.command(binary, env, "runs"))


def failback(checks, binary, env, tap, clients, seed):
    before = records(clients, seed)
    running.seed("ministack", seed["endpoint"], "--lag-of", PRIMARY)
    tap.forget()
    done = run(checks, "failback", binary, env, ["run", "payments-failback", "--app", "payments"], PRIMARY)
    if done is None:
        return
    checks.equal("failback: exit status", 0, done.status)
    checks.equal("failback: chords", ["switch", "shift"], done.asked("chord"))
    sent(checks, "failback", tap,
         [f"rds SwitchoverGlobalCluster {RECOVERY}", f"route53 ChangeResourceRecordSets {GLOBAL}"])
    moved(checks, "failback", clients, seed, PRIMARY, {"mumbai": 100, "hyderabad": 0}, before)
    lines = running.command(binary, env, "runs").splitlines()
    checks.equal("runs in the journal", 2, len(lines))
    checks.contains("failback: `runs` says first", ["payments-failback", "completed"], lines[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    running.binary_argument(parser)
    binary = running.checked_binary(parser.parse_args())
    checks = Checks()
    try:
        with running.scratch_folder("ministack") as scratch, running.emulator("ministack") as endpoint:
            seed = running.seed("ministack", endpoint)
            folder = estate_from_seed.write(seed, scratch / "estate")
            clients = Clients(endpoint)
            with Tap(endpoint) as tap:
                env = running.environment(scratch, tap.endpoint, folder)
                running.command(binary, env, "check")
                status = running.status(binary, env)
                checks.contains("mode", ["live"], status["mode"])
                checks.equal("overridden endpoint is shown", [tap.endpoint],
                             [o["url"] for o in status["endpoint_overrides"]])
                reading.identities(checks, status, seed)
                reading.topology(checks, status, seed, synchronization="connected")
                reading.record_sets(checks, status, seed)
                reading.instance(checks, status, seed)
                metrics(checks, status, seed)
                backups(checks, status, seed)
                restore_window(checks, status, seed)
                unserved(checks, status)
                checks.equal("reading writes nothing", [], [str(call) for call in tap.writes()])

                refused_without_permission(checks, binary, env, tap)
                failover(checks, binary, env, tap, clients, seed)
                after = running.status(binary, env)
                reading.topology(checks, after, seed, RECOVERY, synchronization="connected")
                reading.record_sets(checks, after, seed, {"mumbai": 0, "hyderabad": 100})
                failback(checks, binary, env, tap, clients, seed)
                home = running.status(binary, env)
                reading.topology(checks, home, seed, synchronization="connected")
                reading.record_sets(checks, home, seed)
                recovery_kinds.with_ministack(checks, binary, env, tap, clients, seed)
    except running.Failure as failure:
        checks.error(str(failure))
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
