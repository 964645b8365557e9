#!/usr/bin/env python3
"""Put the payments estate into a fresh moto server; print what was put there as one JSON document.

    seed_moto.py --endpoint http://127.0.0.1:PORT

moto has no backup jobs, so there are only vaults and a plan. The metrics and alarms are there
(boto3 can read them back over JSON), but a client that speaks rpc-v2-cbor cannot reach them:
whatever it shows of them is Unknown because it could not read, not because nothing is there.
"""

import argparse
import json
from datetime import datetime, timezone

import payments_estate as estate
from clients import PRIMARY, RECOVERY, Clients

REPLICA = "vendor-db-hyd"


def replica(clients, source_arn):
    """A cross-Region read replica, which ministack cannot make."""
    made = clients("rds", RECOVERY).create_db_instance_read_replica(
        DBInstanceIdentifier=REPLICA, SourceDBInstanceIdentifier=source_arn,
    )["DBInstance"]
    return {
        "region": RECOVERY, "id": REPLICA, "arn": made["DBInstanceArn"],
        "source": made["ReadReplicaSourceDBInstanceIdentifier"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--endpoint", required=True)
    args = parser.parse_args()
    clients = Clients(args.endpoint)

    document = {
        "emulator": "moto", "endpoint": clients.endpoint,
        "seeded_at": estate.rfc3339(datetime.now(timezone.utc)),
        "regions": {"primary": PRIMARY, "recovery": RECOVERY},
    } | estate.identity(clients)
    document["global_cluster"] = estate.global_cluster(clients)
    document["lag"] = estate.lag(clients)
    document["served"] = estate.served(clients)
    document["alarms"] = estate.alarms(clients)
    document["dns"] = estate.dns(clients)
    document["failover_dns"] = estate.failover_dns(clients, document["dns"]["zone_id"])
    document["rds_instance"] = estate.vendor_db(clients)
    # moto answers the time of the question, so there is no value to compare with.
    del document["rds_instance"]["latest_restorable_time"]
    document["replica"] = replica(clients, document["rds_instance"]["arn"])
    document["unplanned_snapshot"] = estate.unplanned_snapshot(clients)
    document["vaults"] = estate.vaults(clients)
    document["plan"] = estate.plan(clients, document["vaults"])
    document["backup_jobs"] = []
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
