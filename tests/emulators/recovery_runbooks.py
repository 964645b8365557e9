"""The apps and runbooks of the recovery kinds, for what an emulator serves of their calls (README.md, the table).

Two runbooks are rehearsals: whatever they make they take away again. The others are for one kind each, where the
emulator has no call that takes the result away, or takes the call and does nothing.
"""

import json

DATABASE = "vendor-db"  # of app vendor-restore
REHEARSAL = "rehearsal-"  # what the rehearsals make begins so
FAILOVER_RECORD = "portal"  # a name of failover records in the zone of the seed
IN_VAIN = "8s"  # how long a step waits for what the emulator never shows
NEW_GLOBAL = "payments-anew"
NEW_CLUSTER = "payments-mum-2"


def text(value):
    return json.dumps(value)


def value_of(value):
    """A TOML value; JSON's texts, numbers, truth values and lists of texts are TOML's."""
    return json.dumps(value)


def step(ident, kind, title, **params):
    lines = ["", "[[step]]", f"id = {text(ident)}", f"title = {text(title)}", f"kind = {text(kind)}"]
    params = {"timeout": "1m", "expect": "5s"} | params
    lines += [f"{key} = {value_of(value)}" for key, value in params.items()]
    return "\n".join(lines) + "\n"


def runbook(ident, kind, title, app, steps):
    """Name of the file, which is that of the runbook, and its text."""
    head = f"[runbook]\nid = {text(ident)}\nkind = {text(kind)}\ntitle = {text(title)}\nfor = [{text(app)}]\n"
    return f"runbooks/{ident}.toml", head + "".join(steps)


def database(ident, kind, title, target, **params):
    return step(ident, kind, title, component=DATABASE, target=target, **params)


def away(of, target):
    return database(f"{of}-away", "rds.delete-instance", f"Take {of} away", target, instance=REHEARSAL + of,
                    prefix=REHEARSAL, final_snapshot=False)


def snapshot_away(of, target):
    return database(f"{of}-away", "rds.delete-snapshot", f"Take what {of} made away", target, made_by=of)


KEEP = database("keep", "rds.snapshot", "Keep what stands", "primary")


def rehearsal_of_all():
    """Everything that moto serves of one database, and all of it taken away."""
    return runbook("vendor-rehearsal", "drill-only", "Rehearse every way back of the vendor database", "vendor-restore", [
        KEEP,
        database("copy", "rds.copy-snapshot", "Copy it to Hyderabad", "recovery"),
        database("restored", "rds.restore-from-snapshot", "Restore the copy", "recovery",
                 instance=REHEARSAL + "restored"),
        database("beside", "rds.restore-to-point-in-time", "Restore to a point in time", "primary",
                 instance=REHEARSAL + "beside"),
        # moto says nothing of a replica's replication: the step must not call it made.
        database("follower", "rds.create-replica", "Make a replica", "recovery", instance=REHEARSAL + "follower",
                 timeout=IN_VAIN),
        away("follower", "recovery"), away("beside", "primary"), away("restored", "recovery"),
        snapshot_away("copy", "recovery"), snapshot_away("keep", "primary"),
    ])


def rehearsal_at_home():
    """What ministack serves of it: nothing that crosses Regions."""
    return runbook("vendor-rehearsal", "drill-only", "Rehearse the way back at home", "vendor-restore", [
        KEEP,
        # ministack keeps no tag of a restore: the step must not take the instance for its own.
        database("restored", "rds.restore-from-snapshot", "Restore it beside", "primary",
                 instance=REHEARSAL + "restored", timeout=IN_VAIN),
        away("restored", "primary"), snapshot_away("keep", "primary"),
    ])


def promotion():
    """moto answers and promotes nothing."""
    return runbook("vendor-promotion", "drill-only", "Promote the vendor database's replica", "vendor-restore", [
        database("promote", "rds.promote-replica", "Promote it", "recovery", timeout=IN_VAIN),
    ])


def health_check():
    def override(ident, title, inverted, disabled):
        return step(ident, "route53.health-check-override", title, component="pay-mumbai", inverted=inverted,
                    disabled=disabled)

    return runbook("payments-blind", "drill-only", "Override the health check, and put it back", "payments", [
        override("down", "Count Mumbai as unhealthy", True, True),
        override("sees", "Let its checkers speak again", False, False),
    ])


def failover_records(ident, title, target):
    return runbook(ident, "drill-only", title, "portal", [
        step("shift", "route53.shift", title, component=FAILOVER_RECORD, target=target),
    ])


THERE = failover_records("portal-there", "Hyderabad becomes the primary record", "recovery")
HOME = failover_records("portal-home", "Mumbai becomes the primary record again", "primary")


def kept_snapshot():
    return runbook("payments-keep", "failback", "Keep what the lost side had", "payments", [
        step("keep", "aurora.keep-unplanned-snapshot", "Keep the unplanned-failover snapshot",
             component="payments-global"),
    ])


def rebuilt_topology():
    """Detach and promote, and the topology anew around what was promoted."""
    def aurora(ident, kind, title, target, **params):
        return step(ident, kind, title, component="payments-global", target=target, **params)

    return runbook("payments-rebuild", "drill-only", "Detach Hyderabad, and build the topology anew", "payments", [
        aurora("detach", "aurora.detach", "Detach and promote", "recovery", allow_data_loss=True),
        aurora("anew", "aurora.create-global", "A new global database", "recovery", global_cluster=NEW_GLOBAL),
        aurora("join", "aurora.rejoin", "Mumbai joins it", "primary", cluster=NEW_CLUSTER, global_cluster=NEW_GLOBAL),
        aurora("instance", "aurora.add-instance", "and has an instance", "primary", cluster=NEW_CLUSTER,
               instance=f"{NEW_CLUSTER}-1", instance_class="db.r6g.large"),
    ])


def other_database(seed):
    return seed["rds_instance"]["arn"].replace(seed["rds_instance"]["id"], "payments-mum-1")


def backup_now(seed):
    """Of another database than the seed's jobs: one that was backed up a moment ago is not backed up again."""
    return runbook("vendor-backup-now", "drill-only", "Back the vendor database up now", "vendor-backup", [
        step("now", "backup.start-backup", "Back up now", component="vendor-db-backup", keep_days=2,
             resource=other_database(seed)),
    ])


def portal(seed):
    """An app of one name with failover records."""
    dns = seed["failover_dns"]
    return f"""\
[[app]]
id = "portal"
name = "Portal"
tier = 3
criticality = "medium"
strategy = "active-passive"

[[app.component]]
id = {text(FAILOVER_RECORD)}
kind = "route53-record"
zone = {text(dns['zone_id'])}
name = {text(dns['record'].rstrip('.'))}
type = "A"
sides = {{ primary = "mumbai", recovery = "hyderabad" }}
ttl = "30s"
"""


def files(seed):
    """By name in the estate folder."""
    runbooks = {
        "moto": [rehearsal_of_all(), promotion(), health_check(), kept_snapshot()],
        "ministack": [rehearsal_at_home(), rebuilt_topology(), backup_now(seed), THERE, HOME],
    }[seed["emulator"]]
    return dict(runbooks) | {"apps/portal.toml": portal(seed)}
