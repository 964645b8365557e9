#!/usr/bin/env python3
"""Write the estate folder that watches what a seeding script put into an emulator.

    estate_from_seed.py SEED.json FOLDER

Same files as estates/demo-bank: estate.toml, apps/*.toml, runbooks/*.toml. Three apps: Payments
(Aurora global database, DNS name, metrics, alarms, health check, customers served), the vendor
database by point-in-time restore, and the same database by AWS Backup.

The runbooks have the steps and guards of the bundled ones. What differs follows from the emulators
(README.md beside this file): no Region is ever down and health checks have no status, so the
failover's `check` asks for a metric and for the writer, and the health-check signals are not there.
"""

import argparse
import json
import pathlib
import sys

import recovery_runbooks

WEB = "payments-requests"  # RequestsTotal of a side stands for "its compute carries the load"


def text(value):
    """A TOML basic string; JSON's escapes are TOML's."""
    return json.dumps(value)


def inline(mapping):
    return "{ " + ", ".join(f"{json.dumps(k)} = {text(v)}" for k, v in mapping.items()) + " }"


def estate(seed):
    regions = seed["regions"]
    return f"""\
# Generated from what was put into {seed['emulator']}; nothing here exists in any AWS account.

[estate]
name = {text('Seeded ' + seed['emulator'])}
time_zone = "Asia/Kolkata"
expects_account = {text(seed['account'])}

[regions]
primary = {{ id = {text(regions['primary'])}, name = "Mumbai" }}
recovery = {{ id = {text(regions['recovery'])}, name = "Hyderabad" }}

[residency]
data = [{text(regions['primary'])}, {text(regions['recovery'])}]
control_planes = ["us-east-1"]
"""


def component(ident, kind, mandatory=True, **params):
    lines = ["[[app.component]]", f"id = {text(ident)}", f"kind = {text(kind)}"]
    if not mandatory:
        lines.append("mandatory = false")
    for key, value in params.items():
        written = value if key in ("at_least", "at_most") else \
            inline(value) if isinstance(value, dict) else text(value)
        lines.append(f"{key} = {written}")
    return "\n".join(lines) + "\n"


def payments(seed):
    cluster, dns = seed["global_cluster"], seed["dns"]
    by_region = {m["region"]: m["cluster"] for m in cluster["members"]}
    sides = {side: by_region[region] for side, region in seed["regions"].items()}
    served = {s["region"]: s for s in seed["served"]}
    any_side = next(iter(served.values()))
    parts = [f"""\
[[app]]
id = "payments"
name = "Payments"
tier = 1
criticality = "mission-critical"
strategy = "active-passive"
rpo = "1s"
rto = "15m"
runbooks = {{ failover = "payments-failover", failback = "payments-failback" }}
served = {{ namespace = {text(any_side['namespace'])}, good = {text(any_side['served_metric'])}, \
total = {text(any_side['total_metric'])}, dimensions = {inline(any_side['dimensions'])} }}
timings = {{ detection = "90s", decision = "5m", dns_ttl = "{dns['ttl']}s", verification = "60s" }}
""",
        component("payments-global", "aurora-global", global_cluster=cluster["id"], clusters=sides),
        component("api-name", "route53-record", zone=dns["zone_id"], name=dns["record"].rstrip("."),
                  type=dns["type"], sides={"primary": "mumbai", "recovery": "hyderabad"}, ttl=f"{dns['ttl']}s"),
        # The emulators keep no status of it, or a constant one: shown, never decisive.
        component("pay-mumbai", "route53-health-check", mandatory=False,
                  health_check=dns["health_check"]["id"], side="primary"),
    ]
    for side, region in seed["regions"].items():
        parts.append(component(
            f"{WEB}-{side}", "metric", role="run", namespace=served[region]["namespace"],
            metric=served[region]["total_metric"], dimensions=served[region]["dimensions"], stat="Sum",
            side=side, at_least=1,
        ))
    side_of = {region: side for side, region in seed["regions"].items()}
    for alarm in seed["alarms"]:
        parts.append(component(alarm["name"], "alarm", mandatory=False, alarm=alarm["name"],
                               side=side_of[alarm["region"]]))
    return "\n".join(parts)


def vendor(seed):
    database = seed["rds_instance"]
    vaults = {side: seed["vaults"][region]["name"] for side, region in seed["regions"].items()}
    replica = {"replica": seed["replica"]["id"]} if "replica" in seed else {}
    head = """\
[[app]]
id = "{id}"
name = "{name}"
tier = 2
criticality = "high-to-medium"
strategy = "backup-restore"
rpo = "{rpo}"
rto = "2h"
{backup}"""
    return "\n".join([
        head.format(id="vendor-restore", name="Vendor assistance, point in time", rpo="2h", backup=""),
        component("vendor-db", "rds-instance", instance=database["id"], **replica),
        head.format(id="vendor-backup", name="Vendor assistance, backups", rpo="2h",
                    backup='backup = { every = "1h", retention = "1d", copy_to = "recovery" }\n'),
        component("vendor-db-backup", "aws-backup", resource=database["arn"], resource_type="RDS", vaults=vaults),
    ])


FAILOVER = """\
# As estates/demo-bank/runbooks/payments-failover.toml, for a side that is asked to fail over while it answers.

[runbook]
id = "payments-failover"
kind = "failover"
title = "Move Payments to Hyderabad"
for = ["payments"]
on_success = {{ offer = "payments-failback" }}

[[step]]
id = "gone"
title = "Is Mumbai really gone?"
kind = "check"
need = 2
signals = [
  {{ unreachable = "primary", from_vantage_points = 2 }},
  {{ metric = "{web}-primary", below = 100000 }},
  {{ writer = "payments-global", in = "primary" }},
]
expect = "5s"
timeout = "2m"

[[step]]
id = "promote"
title = "Promote Hyderabad"
kind = "aurora.failover-global"
component = "payments-global"
target = "recovery"
allow_data_loss = true
guards = [
  {{ lag_at_most = "5s", in_outage = "last-sample", override = "reason-and-authoriser" }},
  {{ fenced = "primary", override = "reason-and-authoriser" }},
  {{ not_since = "30m", override = "reason-and-authoriser" }},
]
timeout = "5m"
expect = "40s"

[[step]]
id = "answers"
title = "Does it answer before traffic comes?"
kind = "wait-for"
signals = [
  {{ writer = "payments-global", in = "recovery" }},
  {{ metric = "{web}-recovery", at_least = 1 }},
]
timeout = "5m"
expect = "5s"

[[step]]
id = "shift"
title = "Point the name at Hyderabad"
kind = "route53.shift"
component = "api-name"
target = "recovery"
guards = [{{ writer = "payments-global", in = "recovery" }}]
timeout = "3m"
expect = "15s"

[[step]]
id = "served"
title = "Are customers served?"
kind = "wait-for"
signals = [{{ served = "payments", at_least = "99%" }}]
timeout = "5m"
expect = "60s"
"""

FAILBACK = """\
# As estates/demo-bank/runbooks/payments-failback.toml.

[runbook]
id = "payments-failback"
kind = "failback"
title = "Bring Payments home to Mumbai"
for = ["payments"]

[[step]]
id = "back"
title = "Is Mumbai back, and does it follow?"
kind = "wait-for"
signals = [
  {{ reachable = "primary" }},
  {{ replicating = "payments-global" }},
]
timeout = "5m"
expect = "1m"

[[step]]
id = "reconciled"
title = "Are the lost writes accounted for?"
kind = "confirm"
items = [
  "the window of lost transactions is reconciled, or somebody owns it by name",
  "the change window is open",
]
expect = "30s"

[[step]]
id = "switch"
title = "Make Mumbai the writer"
kind = "aurora.switchover-global"
component = "payments-global"
target = "primary"
guards = [
  {{ writer = "payments-global", in = "recovery" }},
  {{ replicating = "payments-global" }},
  {{ lag_at_most = "2s" }},
  {{ not_since = "30m", override = "reason-and-authoriser" }},
]
timeout = "5m"
expect = "2m"

[[step]]
id = "answers"
title = "Does Mumbai answer before traffic comes?"
kind = "wait-for"
signals = [
  {{ writer = "payments-global", in = "primary" }},
  {{ metric = "{web}-primary", at_least = 1 }},
]
timeout = "5m"
expect = "5s"

[[step]]
id = "shift"
title = "Point the name at Mumbai"
kind = "route53.shift"
component = "api-name"
target = "primary"
guards = [{{ writer = "payments-global", in = "primary" }}]
timeout = "3m"
expect = "15s"

[[step]]
id = "served"
title = "Are customers served?"
kind = "wait-for"
signals = [{{ served = "payments", at_least = "99%" }}]
timeout = "5m"
expect = "60s"
"""


def write(seed, folder):
    """Write the files; the folder, which must not hold an estate yet."""
    folder = pathlib.Path(folder)
    for part in ("apps", "runbooks"):
        (folder / part).mkdir(parents=True)
    files = {
        "estate.toml": estate(seed),
        "apps/payments.toml": payments(seed),
        "apps/vendor.toml": vendor(seed),
        "runbooks/payments-failover.toml": FAILOVER.format(web=WEB),
        "runbooks/payments-failback.toml": FAILBACK.format(web=WEB),
    } | recovery_runbooks.files(seed)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("seed", type=argparse.FileType("r", encoding="utf-8"))
    parser.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()
    print(write(json.load(args.seed), args.folder))


if __name__ == "__main__":
    sys.exit(main())
