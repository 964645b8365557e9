#!/usr/bin/env python3
"""The program against moto: RDS, Route 53 and STS say what was put there, CloudWatch and the job lists are Unknown.

    against_moto.py --binary target/debug/pointsman

Then the program carries the recovery kinds out on it (recovery_kinds.py).

moto answers CloudWatch's CBOR protocol and the lists of AWS Backup with 404 and HTML: whatever depends on them
must be Unknown with that reason, and nothing else may suffer. Run it with the interpreter of moto's environment.
"""

import argparse
import sys

import estate_from_seed
import reading
import recovery_kinds
import running
from checks import Checks
from clients import GLOBAL, Clients
from wire_tap import Tap


def no_metrics(checks, status, seed):
    """What CloudWatch would say is Unknown, and says why."""
    region = seed["lag"]["region"]
    lag = reading.fact(status, "payments", "payments-global", "lag", region)
    checks.equal("lag: fact", "unknown", lag["state"])
    checks.equal("lag: no value is made up", None, lag["value"])
    checks.contains("lag: why", ["cloudwatch", "404"], lag["why"])
    for side, side_region in seed["regions"].items():
        name = f"{estate_from_seed.WEB}-{side}"
        gauge = reading.fact(status, "payments", name, "gauge", side_region)
        checks.equal(f"{name}: fact", "unknown", gauge["state"])
        checks.equal(f"{name}: no value is made up", None, gauge["value"])
    for alarm in seed["alarms"]:
        got = reading.fact(status, "payments", alarm["name"], "alarm", alarm["region"])
        checks.equal(f"alarm {alarm['name']}: fact", "unknown", got["state"])

    payments = reading.app(status, "payments")
    lost = payments["rpo"]["region_lost"]
    checks.equal("Payments: region lost", "unknown", lost["verdict"])
    checks.equal("Payments: no exposure is made up", None, lost["exposure"])
    checks.equal("Payments: verdict", "unknown", payments["verdict"])
    checks.equal("Payments: customers served", None, payments["served"]["success"])
    checks.that("Payments: a reason is given", bool(payments["reasons"]), "at least one", payments["reasons"])
    reasons = [e["message"] for e in status["errors"] if "cloudwatch" in e["call"].lower()]
    checks.that("CloudWatch is among the errors", bool(reasons), "at least one", reasons)


def no_job_lists(checks, status, seed):
    for region in seed["regions"].values():
        for kind in ("backup", "copy", "restore"):
            row = reading.jobs(status, region, kind)
            checks.equal(f"{kind} jobs of {region}", "unknown", row["state"])
            checks.contains(f"{kind} jobs of {region}: why", ["backup", "404"], row["why"])
    backup = reading.app(status, "vendor-backup")
    checks.equal("vendor by backups: verdict", "unknown", backup["verdict"])


def live(checks, status, seed):
    """RDS, Route 53 and STS, as if nothing were wrong elsewhere."""
    reading.identities(checks, status, seed)
    reading.topology(checks, status, seed)  # moto says nothing of synchronization
    reading.record_sets(checks, status, seed)
    reading.instance(checks, status, seed)
    window = reading.fact(status, "vendor-restore", "vendor-db", "restorable", seed["rds_instance"]["region"])
    checks.equal("vendor-db: restore window", "fresh", window["state"])
    # moto answers the time of the question, to the second.
    checks.moment("vendor-db: latest restorable time, that of the question", window.get("observed_at"),
                  reading.value(window, "latest"), tolerance_seconds=2.0)
    corrupted = reading.app(status, "vendor-restore")["rpo"]["corrupted"]
    checks.between("vendor-db: corrupted, back to, s ago", 0, 60, corrupted["exposure"])
    replica = reading.fact(status, "vendor-restore", "vendor-db", "instance", seed["replica"]["region"])
    checks.equal("replica: fact", "fresh", replica["state"])
    checks.equal("replica: of", seed["rds_instance"]["arn"], reading.value(replica, "replica_of"))
    health = reading.fact(status, "payments", "pay-mumbai", "health-check")
    checks.equal("health check: fact", "fresh", health["state"])
    checks.equal("health check: healthy", True, reading.value(health, "healthy"))
    checks.equal("health check: type", seed["dns"]["health_check"]["type"], reading.value(health, "type"))
    wrong = [e for e in status["errors"] if e["call"].split()[0] in ("rds", "route53", "sts")]
    checks.equal(f"errors of RDS, Route 53 ({GLOBAL}) and STS", [], wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    running.binary_argument(parser)
    binary = running.checked_binary(parser.parse_args())
    checks = Checks()
    try:
        with running.scratch_folder("moto") as scratch, running.emulator("moto") as endpoint:
            seed = running.seed("moto", endpoint)
            folder = estate_from_seed.write(seed, scratch / "estate")
            env = running.environment(scratch, endpoint, folder)
            running.command(binary, env, "check")
            status = running.status(binary, env)
            checks.contains("mode", ["live"], status["mode"])
            checks.equal("simulated", False, status["simulated"])
            checks.equal("overridden endpoint is shown", [endpoint], [o["url"] for o in status["endpoint_overrides"]])
            for region in status["regions"]:
                checks.note(f"{region['id']}: {region['reach']}")
            live(checks, status, seed)
            no_metrics(checks, status, seed)
            no_job_lists(checks, status, seed)
            with Tap(endpoint) as tap:
                acting = running.environment(scratch, tap.endpoint, folder)
                recovery_kinds.with_moto(checks, binary, acting, tap, Clients(endpoint), seed)
    except running.Failure as failure:
        checks.error(str(failure))
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
