#!/usr/bin/env python3
"""Read the simulator with boto3 and compare what it says with `pointsman status --format json`.

    pointsman sim serve --listen 127.0.0.1:PORT --speed 0 &
    pointsman status --format json ... > status.json
    read_simulator.py --endpoint http://127.0.0.1:PORT --status status.json --estate DIR

What is expected is computed from the AWS API alone: `Reader` never sees the status. Every
comparison prints what was expected and what was got. Exit status 1 on any difference, on any
read that is empty where the simulator must have something, and if nothing was compared.
"""

import argparse
import json
import pathlib
import sys
import tomllib
from datetime import datetime, timedelta, timezone

from botocore.exceptions import BotoCoreError, ClientError

from clients import GLOBAL, PRIMARY, RECOVERY, Clients

REGIONS = (PRIMARY, RECOVERY)
USABLE = ("COMPLETED", "AVAILABLE")
SIM_HEADER = "x-pointsman-sim"
LAG_METRIC = "AuroraGlobalDBRPOLag"
LAG_WINDOW = timedelta(minutes=30)
SMALL_PAGE = 20  # small enough that a day of hourly points needs several pages
TIME_TOLERANCE = 0.001  # seconds: timestamps have milliseconds on the wire
CLOCK_TOLERANCE = 1.0  # seconds: the estate stands still at speed 0, rounding does not


def parse_time(text):
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return moment.astimezone(timezone.utc)


def show(value):
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


class Report:
    """Prints every comparison; counts them, and what went wrong."""

    def __init__(self):
        self.compared = self.failed = 0

    def check(self, what, expected, got, same):
        self.compared += 1
        self.failed += not same
        print(f"{'same' if same else 'DIFFERENT':9}  {what}: "
              f"expected {show(expected)}, got {show(got)}")

    def equal(self, what, expected, got):
        self.check(what, expected, got, expected == got)

    def moment(self, what, expected, got, tolerance=TIME_TOLERANCE):
        got = None if got is None else parse_time(got)
        same = None not in (expected, got) and \
            abs((expected - got).total_seconds()) <= tolerance
        self.check(what, expected, got, same)

    def seconds(self, what, expected, got, tolerance):
        same = None not in (expected, got) and abs(expected - got) <= tolerance
        self.check(what, expected, got, same)

    def read(self, what, count, must):
        """A read is no comparison, but an empty one can be a failure."""
        wrong = must and not count
        self.failed += wrong
        print(f"{'EMPTY' if wrong else 'read':9}  {what}: {count}")

    def error(self, what):
        self.failed += 1
        print(f"{'ERROR':9}  {what}")

    def note(self, what):
        print(f"{'note':9}  {what}")


class Reader:
    """The simulator through boto3: plain reads, and the figures that follow from them."""

    def __init__(self, clients):
        self.clients = clients
        answer = clients("sts", RECOVERY).get_caller_identity()
        self.account = answer["Account"]
        header = answer["ResponseMetadata"]["HTTPHeaders"].get(SIM_HEADER)
        if header is None:
            raise SystemExit(f"no {SIM_HEADER} in the answer: this is not the simulator")
        moment, _, self.speed = header.partition(";")
        self.now = parse_time(moment.strip())
        self._points = {}

    def pages(self, service, region, operation, key, page_size=None, **params):
        paginator = self.clients(service, region).get_paginator(operation)
        config = {"PageSize": page_size} if page_size else {}
        return [item for page in paginator.paginate(PaginationConfig=config, **params)
                for item in page.get(key, [])]

    def recovery_points(self, region, vault):
        """All points of a vault, read in small pages; once."""
        if (region, vault) not in self._points:
            self._points[region, vault] = self.pages(
                "backup", region, "list_recovery_points_by_backup_vault", "RecoveryPoints",
                page_size=SMALL_PAGE, BackupVaultName=vault,
            )
        return self._points[region, vault]

    def recovery_points_in_one_page(self, region, vault):
        return self.pages(
            "backup", region, "list_recovery_points_by_backup_vault", "RecoveryPoints",
            page_size=1000, BackupVaultName=vault,
        )

    def newest_usable_point(self, region, vault, resource):
        """The data time of the newest point one could restore `resource` from."""
        return max(
            (p["CreationDate"].astimezone(timezone.utc)
             for p in self.recovery_points(region, vault)
             if p["ResourceArn"] == resource and p["Status"] in USABLE),
            default=None,
        )

    def global_clusters(self, region):
        return self.pages("rds", region, "describe_global_clusters", "GlobalClusters")

    def metric_values(self, region, metric, stat, window=LAG_WINDOW):
        """[(time, value)], newest first, of one metric up to the simulator's present."""
        results = self.pages(
            "cloudwatch", region, "get_metric_data", "MetricDataResults",
            MetricDataQueries=[{
                "Id": "m",
                "MetricStat": {
                    "Metric": {k: metric[k] for k in ("Namespace", "MetricName", "Dimensions")},
                    "Period": 60, "Stat": stat,
                },
            }],
            StartTime=self.now - window, EndTime=self.now, ScanBy="TimestampDescending",
        )
        points = [pair for r in results for pair in zip(r["Timestamps"], r["Values"])]
        return sorted(points, key=lambda p: p[0], reverse=True)

    def newest_lag(self, global_cluster):
        """(seconds, time, cluster) of the newest replication lag of its secondary."""
        secondaries = [m["DBClusterArn"] for m in global_cluster["GlobalClusterMembers"]
                       if not m["IsWriter"]]
        if len(secondaries) != 1:
            raise SystemExit(f"{global_cluster['GlobalClusterIdentifier']} has "
                             f"{len(secondaries)} secondaries; this script knows one")
        region, name = secondaries[0].split(":")[3], secondaries[0].split(":")[6]
        dimensions = [{"Name": "DBClusterIdentifier", "Value": name}]
        listed = self.pages(
            "cloudwatch", region, "list_metrics", "Metrics",
            Namespace="AWS/RDS", MetricName=LAG_METRIC, Dimensions=dimensions,
        )
        if not any(m["Dimensions"] == dimensions for m in listed):
            return None, None, name
        points = self.metric_values(
            region, {"Namespace": "AWS/RDS", "MetricName": LAG_METRIC, "Dimensions": dimensions},
            "Maximum",
        )
        if not points:
            return None, None, name
        return points[0][1] / 1000, points[0][0].astimezone(timezone.utc), name


def load_estate(folder):
    """({app id: {component id: component}}, the account the estate expects) from its files."""
    apps, account = {}, None
    for path in sorted(pathlib.Path(folder).rglob("*.toml")):
        with open(path, "rb") as f:
            document = tomllib.load(f)
        account = document.get("estate", {}).get("expects_account", account)
        for app in document.get("app", []):
            components = app.get("component", [])
            apps[app["id"]] = {c["id"]: c for c in components}
    if not apps:
        raise SystemExit(f"no [[app]] in any file under {folder}")
    return apps, account


def strings(value):
    """Every string inside a table: whichever key names the cluster, it is one of these."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def read_everything(reader, report, vaults):
    """Each operation in both Regions: does it answer, and is it empty where it must not be?"""
    for region in REGIONS:
        home = region == PRIMARY
        identity = reader.clients("sts", region).get_caller_identity()
        report.equal(f"account answered in {region}", reader.account, identity["Account"])

        jobs = reader.pages("backup", region, "list_backup_jobs", "BackupJobs")
        report.read(f"backup jobs in {region}", len(jobs), must=home)
        copies = reader.pages("backup", region, "list_copy_jobs", "CopyJobs")
        report.read(f"copy jobs in {region}", len(copies), must=home)

        vault = vaults[region]
        points = reader.recovery_points(region, vault)
        report.read(f"recovery points in {vault} ({region})", len(points), must=True)
        arns = [p["RecoveryPointArn"] for p in points]
        report.equal(f"recovery points of {vault} named once over all pages",
                     len(arns), len(set(arns)))
        in_one_page = {p["RecoveryPointArn"]
                       for p in reader.recovery_points_in_one_page(region, vault)}
        report.equal(f"recovery points of {vault} only in one big page or only in small ones",
                     [], sorted(in_one_page.symmetric_difference(arns)))

        report.read(f"global clusters from {region}", len(reader.global_clusters(region)),
                    must=True)
        instances = reader.pages("rds", region, "describe_db_instances", "DBInstances")
        report.read(f"DB instances in {region}", len(instances), must=home)

        metrics = reader.pages("cloudwatch", region, "list_metrics", "Metrics")
        report.read(f"metrics in {region}", len(metrics), must=True)
        values = sum(
            len(reader.metric_values(region, m, "Maximum", timedelta(hours=3)))
            for m in metrics[:5]
        )
        report.read(f"values of the first {min(5, len(metrics))} metrics in {region}", values,
                    must=True)

    alarms = {r: reader.pages("cloudwatch", r, "describe_alarms", "MetricAlarms")
              for r in REGIONS}
    for region, found in alarms.items():
        report.read(f"alarms in {region}", len(found), must=not any(alarms.values()))

    zones = reader.pages("route53", GLOBAL, "list_hosted_zones", "HostedZones")
    report.read("hosted zones", len(zones), must=True)
    for zone in zones:
        records = reader.pages("route53", GLOBAL, "list_resource_record_sets",
                               "ResourceRecordSets", HostedZoneId=zone["Id"])
        report.read(f"record sets of {zone['Name']}", len(records), must=True)
        report.equal(f"record sets of {zone['Name']} as the zone counts them",
                     zone["ResourceRecordSetCount"], len(records))
    checks = reader.pages("route53", GLOBAL, "list_health_checks", "HealthChecks")
    report.read("health checks", len(checks), must=True)


def compare_backup(reader, report, app, component, vaults, now):
    """Data time and exposure of an app whose worst component is restored from a backup."""
    lost = app["rpo"]["region_lost"]
    vault = component.get("vaults", {}).get("recovery", vaults[RECOVERY])
    newest = reader.newest_usable_point(RECOVERY, vault, component["resource"])
    name = f"{app['id']} ({component['id']} in {vault})"
    report.moment(f"{name}: data time", newest, lost["data_time"])
    if newest is not None:
        report.seconds(f"{name}: exposure in s", (now - newest).total_seconds(),
                       lost["exposure"], CLOCK_TOLERANCE)


def compare_aurora(reader, report, app, component):
    """Exposure of an app whose worst component is an Aurora global database."""
    lost = app["rpo"]["region_lost"]
    named = set(strings(component))
    clusters = [g for g in reader.global_clusters(RECOVERY)
                if named & {g["GlobalClusterIdentifier"], g["GlobalClusterArn"]}]
    if len(clusters) != 1:
        report.error(f"{app['id']}: component {component['id']} names {len(clusters)} of the "
                     "global clusters that boto3 sees")
        return
    lag, at, cluster = reader.newest_lag(clusters[0])
    report.seconds(f"{app['id']} ({component['id']}): exposure in s, newest {LAG_METRIC} of "
                   f"{cluster} at {show(at)}", lag, lost["exposure"], TIME_TOLERANCE)


def compare_status(reader, report, status, apps, vaults):
    backed_up = streaming = 0
    for app in status["apps"]:
        lost = app["rpo"]["region_lost"]
        component_id = lost["component"]
        if component_id is None:
            report.note(f"{app['id']}: no dominating component ({app['verdict']})")
            continue
        component = apps.get(app["id"], {}).get(component_id)
        if component is None:
            report.error(f"{app['id']}: the estate has no component {component_id!r}")
            continue
        kind = component["kind"]
        if "backup" in kind and "resource" in component:
            if lost["data_time"] is None:
                report.note(f"{app['id']}: {component_id} has no data time ({app['verdict']})")
                continue
            compare_backup(reader, report, app, component, vaults, reader.now)
            backed_up += 1
        elif "aurora" in kind:
            compare_aurora(reader, report, app, component)
            streaming += 1
        else:
            report.note(f"{app['id']}: nothing to compare {component_id} ({kind}) with")
    for what, count in (("restored from a backup", backed_up),
                        ("on an Aurora global database", streaming)):
        if not count:
            report.error(f"no app {what} was compared")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--endpoint", required=True, help="the simulator, on loopback")
    parser.add_argument("--status", required=True, help="output of `status --format json`")
    parser.add_argument("--estate", required=True, help="the estate's folder")
    parser.add_argument("--primary-vault", default="bank-mum")
    parser.add_argument("--recovery-vault", default="bank-hyd")
    args = parser.parse_args()

    apps, expected_account = load_estate(args.estate)
    with open(args.status, encoding="utf-8") as f:
        status = json.load(f)
    vaults = {PRIMARY: args.primary_vault, RECOVERY: args.recovery_vault}
    report = Report()
    try:
        reader = Reader(Clients(args.endpoint))
        read_everything(reader, report, vaults)
        if expected_account is not None:
            report.equal("account that the estate expects", expected_account, reader.account)
        report.moment("estate time", reader.now, status["now"], CLOCK_TOLERANCE)
        compare_status(reader, report, status, apps, vaults)
    except (BotoCoreError, ClientError) as error:
        report.error(error)

    if not report.compared:
        report.error("nothing was compared")
    print(f"{report.compared} compared, {report.failed} wrong")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
