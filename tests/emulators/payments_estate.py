"""A small payments estate, written through the AWS API into a fresh emulator.

Each function creates one part and returns what a reader must find there. Times are RFC 3339,
durations are seconds, ids are as the API answers them unless a comment says otherwise.
"""

from datetime import datetime, timedelta, timezone

from clients import GLOBAL, PRIMARY, RECOVERY

GLOBAL_CLUSTER = "payments-global"
MEMBERS = {PRIMARY: "payments-mum", RECOVERY: "payments-hyd"}  # the first one writes
ENGINE = {"Engine": "aurora-postgresql", "EngineVersion": "16.11"}

LAG_MS = 420.0
LAG_MINUTES_BEHIND = 15
# CloudWatch accepts points up to two hours ahead. A reader never asks beyond its own present,
# so the series stays fresh for as long as a test runs, whenever it reads.
MINUTES_AHEAD = 60
SETTLED_MINUTES = 6  # from here on the lag is LAG_MS: the last five points say the same

APP = {"App": "payments"}
# Requests in one minute: (served, total) now, and in the same minute last week.
SERVED = {
    PRIMARY: {"now": (5988.0, 6000.0), "last_week": (6240.0, 6250.0)},
    RECOVERY: {"now": (60.0, 60.0), "last_week": (60.0, 60.0)},
}

ZONE = "pay.bank.example"
RECORD = "api.pay.bank.example"
TTL = 30
TARGETS = {  # addresses of the documentation range
    "mumbai": {"weight": 100, "address": "192.0.2.10"},
    "hyderabad": {"weight": 0, "address": "192.0.2.20"},
}

VAULTS = {PRIMARY: "bank-mum", RECOVERY: "bank-hyd"}
VENDOR_DB = "vendor-db"
ROLE = "arn:aws:iam::{account}:role/backup"


def rfc3339(moment):
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def this_minute():
    return datetime.now(timezone.utc).replace(second=0, microsecond=0)


def dimensions(mapping):
    return [{"Name": k, "Value": v} for k, v in mapping.items()]


def bare(route53_id):
    """Without the /hostedzone/ or /change/ prefix, as the Rust SDK shows it."""
    return route53_id.rpartition("/")[2]


def identity(clients):
    """The account; both Regions must answer the same one."""
    answers = {r: clients("sts", r).get_caller_identity() for r in (PRIMARY, RECOVERY)}
    accounts = {a["Account"] for a in answers.values()}
    if len(accounts) != 1:
        raise SystemExit(f"the Regions answer different accounts: {sorted(accounts)}")
    return {"account": accounts.pop(), "principal": answers[RECOVERY]["Arn"]}


def global_cluster(clients):
    created = clients("rds", PRIMARY).create_global_cluster(
        GlobalClusterIdentifier=GLOBAL_CLUSTER, **ENGINE,
    )["GlobalCluster"]
    members = []
    for region, name in MEMBERS.items():
        rds = clients("rds", region)
        login = {"MasterUsername": "payments", "MasterUserPassword": "not-a-secret"}
        cluster = rds.create_db_cluster(
            DBClusterIdentifier=name, GlobalClusterIdentifier=GLOBAL_CLUSTER, **ENGINE,
            **(login if region == PRIMARY else {}),
        )["DBCluster"]
        instance = rds.create_db_instance(  # a cluster without one could not be promoted
            DBInstanceIdentifier=f"{name}-1", DBClusterIdentifier=name,
            DBInstanceClass="db.r6g.large", Engine=ENGINE["Engine"],
        )["DBInstance"]
        members.append({
            "region": region, "cluster": name, "arn": cluster["DBClusterArn"],
            "writer": region == PRIMARY, "instance": instance["DBInstanceIdentifier"],
        })
    return {
        "id": GLOBAL_CLUSTER, "arn": created["GlobalClusterArn"],
        "resource_id": created["GlobalClusterResourceId"], **ENGINE, "members": members,
    }


def lag(clients, secondary_region=RECOVERY):
    """AuroraGlobalDBRPOLag of the secondary, in the secondary's Region."""
    start = this_minute()
    dims = {"DBClusterIdentifier": MEMBERS[secondary_region]}
    points = []
    for minute in range(-LAG_MINUTES_BEHIND, MINUTES_AHEAD + 1):
        wave = 0.0 if minute >= -SETTLED_MINUTES else 10.0 * (minute % 5)
        points.append((start + timedelta(minutes=minute), LAG_MS - wave))
    clients("cloudwatch", secondary_region).put_metric_data(
        Namespace="AWS/RDS",
        MetricData=[
            {"MetricName": "AuroraGlobalDBRPOLag", "Dimensions": dimensions(dims),
             "Timestamp": at, "Value": value, "Unit": "Milliseconds"}
            for at, value in points
        ],
    )
    return {
        "region": secondary_region, "namespace": "AWS/RDS", "metric": "AuroraGlobalDBRPOLag",
        "dimensions": dims, "unit": "Milliseconds", "period": 60, "statistic": "Maximum",
        "newest_value": LAG_MS, "exposure": LAG_MS / 1000,
        "first_point": rfc3339(points[0][0]), "last_point": rfc3339(points[-1][0]),
    }


def served(clients):
    """What the application says of itself, per Region, now and a week ago."""
    start = this_minute()
    out = []
    for region, rates in SERVED.items():
        data = []
        for week, (ok, total) in rates.items():
            origin = start - timedelta(days=7) if week == "last_week" else start
            for minute in range(-LAG_MINUTES_BEHIND, MINUTES_AHEAD + 1):
                for name, value in (("RequestsServed", ok), ("RequestsTotal", total)):
                    data.append({
                        "MetricName": name, "Dimensions": dimensions(APP), "Unit": "Count",
                        "Timestamp": origin + timedelta(minutes=minute), "Value": value,
                    })
        clients("cloudwatch", region).put_metric_data(Namespace="Bank/Edge", MetricData=data)
        ok, total = rates["now"]
        week_ok, week_total = rates["last_week"]
        out.append({
            "region": region, "namespace": "Bank/Edge", "dimensions": APP, "period": 60,
            "statistic": "Sum", "served_metric": "RequestsServed", "total_metric": "RequestsTotal",
            "served_per_minute": ok, "total_per_minute": total, "share": ok / total,
            "last_week": {"served_per_minute": week_ok, "total_per_minute": week_total},
            "rate_against_last_week": total / week_total,
        })
    return out


def alarms(clients):
    """One that has data and is quiet, one that never had data."""
    quiet = {
        "AlarmName": "payments-rpo-lag-high", "Namespace": "AWS/RDS",
        "MetricName": "AuroraGlobalDBRPOLag", "Statistic": "Maximum", "Threshold": 1000.0,
        "Dimensions": dimensions({"DBClusterIdentifier": MEMBERS[RECOVERY]}),
        "ComparisonOperator": "GreaterThanThreshold",
    }
    silent = {
        "AlarmName": "payments-unhealthy-hosts", "Namespace": "AWS/ApplicationELB",
        "MetricName": "UnHealthyHostCount", "Statistic": "Maximum", "Threshold": 0.0,
        "Dimensions": dimensions({"LoadBalancer": "app/payments/0"}),
        "ComparisonOperator": "GreaterThanThreshold",
    }
    out = []
    for region, alarm in ((RECOVERY, quiet), (PRIMARY, silent)):
        cloudwatch = clients("cloudwatch", region)
        cloudwatch.put_metric_alarm(Period=60, EvaluationPeriods=3, **alarm)
        found = cloudwatch.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"][0]
        out.append({
            "region": region, "name": found["AlarmName"], "arn": found["AlarmArn"],
            "state": found["StateValue"],
        })
    return out


def dns(clients):
    """A zone, a health check, and two weighted records that name the health check."""
    route53 = clients("route53", GLOBAL)
    zone = route53.create_hosted_zone(Name=ZONE, CallerReference="payments-zone")["HostedZone"]
    # No boolean member (MeasureLatency, Inverted, ...): ministack answers it as `True`, which
    # is not an XML boolean, and a strict client then refuses the whole list.
    check = route53.create_health_check(
        CallerReference="payments-mumbai",
        HealthCheckConfig={
            "Type": "HTTPS", "FullyQualifiedDomainName": "mumbai.pay.bank.example", "Port": 443,
            "ResourcePath": "/healthz", "RequestInterval": 10, "FailureThreshold": 3,
        },
    )["HealthCheck"]
    change = route53.change_resource_record_sets(
        HostedZoneId=zone["Id"],
        ChangeBatch={"Changes": [
            {"Action": "CREATE", "ResourceRecordSet": {
                "Name": RECORD, "Type": "A", "SetIdentifier": name, "Weight": target["weight"],
                "TTL": TTL, "ResourceRecords": [{"Value": target["address"]}],
                **({"HealthCheckId": check["Id"]} if name == "mumbai" else {}),
            }}
            for name, target in TARGETS.items()
        ]},
    )["ChangeInfo"]
    return {
        "zone_id": bare(zone["Id"]), "zone": f"{ZONE}.", "record": f"{RECORD}.", "type": "A",
        "ttl": TTL, "targets": TARGETS, "change_id": bare(change["Id"]),
        "health_check": {"id": check["Id"], "type": "HTTPS", "set_identifier": "mumbai"},
    }


def failover_dns(clients, zone_id):
    """A name whose two records are PRIMARY and SECONDARY. Without a health check: DNS answers the primary one."""
    name = f"portal.{ZONE}"
    clients("route53", GLOBAL).change_resource_record_sets(
        HostedZoneId=zone_id,
        ChangeBatch={"Changes": [
            {"Action": "CREATE", "ResourceRecordSet": {
                "Name": name, "Type": "A", "SetIdentifier": side, "Failover": role, "TTL": TTL,
                "ResourceRecords": [{"Value": TARGETS[side]["address"]}],
            }}
            for side, role in (("mumbai", "PRIMARY"), ("hyderabad", "SECONDARY"))
        ]},
    )
    return {"zone_id": zone_id, "record": f"{name}."}


def unplanned_snapshot(clients):
    """What Aurora leaves of the old volume after an unplanned failover, by the name that AWS gives it."""
    snapshot = f"rds:unplanned-global-failover-{MEMBERS[PRIMARY]}-2026-11-20-09-00"
    made = clients("rds", PRIMARY).create_db_cluster_snapshot(
        DBClusterSnapshotIdentifier=snapshot, DBClusterIdentifier=MEMBERS[PRIMARY],
    )["DBClusterSnapshot"]
    return {"region": PRIMARY, "id": made["DBClusterSnapshotIdentifier"]}


def vendor_db(clients):
    made = clients("rds", PRIMARY).create_db_instance(
        DBInstanceIdentifier=VENDOR_DB, Engine="postgres", DBInstanceClass="db.m6g.large",
        AllocatedStorage=100, MultiAZ=True, BackupRetentionPeriod=7,
        MasterUsername="vendor", MasterUserPassword="not-a-secret",
    )["DBInstance"]
    return {
        "region": PRIMARY, "id": VENDOR_DB, "arn": made["DBInstanceArn"],
        "status": made["DBInstanceStatus"],
        "latest_restorable_time": rfc3339(made["LatestRestorableTime"]),
    }


def vaults(clients):
    out = {}
    for region, name in VAULTS.items():
        made = clients("backup", region).create_backup_vault(BackupVaultName=name)
        out[region] = {"name": name, "arn": made["BackupVaultArn"]}
    return out


def plan(clients, vault_arns):
    made = clients("backup", PRIMARY).create_backup_plan(BackupPlan={
        "BackupPlanName": "hourly",
        "Rules": [{
            "RuleName": "hourly", "TargetBackupVaultName": VAULTS[PRIMARY],
            "ScheduleExpression": "cron(0 * * * ? *)", "Lifecycle": {"DeleteAfterDays": 1},
            "CopyActions": [{"DestinationBackupVaultArn": vault_arns[RECOVERY]["arn"]}],
        }],
    })
    return {"region": PRIMARY, "name": "hourly", "id": made["BackupPlanId"],
            "arn": made["BackupPlanArn"]}


def backup_jobs(clients, account, resource_arn, count=3):
    backup = clients("backup", PRIMARY)
    ids = [
        backup.start_backup_job(
            BackupVaultName=VAULTS[PRIMARY], ResourceArn=resource_arn,
            IamRoleArn=ROLE.format(account=account),
        )["BackupJobId"]
        for _ in range(count)
    ]
    out = []
    for job_id in ids:
        job = backup.describe_backup_job(BackupJobId=job_id)
        out.append({
            "region": PRIMARY, "id": job_id, "resource": job["ResourceArn"],
            "vault": job["BackupVaultName"], "state": job["State"],
            "created": rfc3339(job["CreationDate"]), "completed": rfc3339(job["CompletionDate"]),
            "recovery_point": job["RecoveryPointArn"],
        })
    return out
