#!/usr/bin/env python3
"""Put the payments estate into a fresh ministack; print what was put there as one JSON document.

    seed_ministack.py --endpoint http://127.0.0.1:PORT
    seed_ministack.py --endpoint http://127.0.0.1:PORT --lag-of {ap-south-1|ap-south-2}

The second form only publishes the replication lag of the secondary in that Region: after a
failover the lag is that of Mumbai, and a failback waits for it.
"""

import argparse
import json
from datetime import datetime, timezone

import payments_estate as estate
from clients import PRIMARY, RECOVERY, Clients


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--lag-of", choices=(PRIMARY, RECOVERY))
    args = parser.parse_args()
    clients = Clients(args.endpoint)

    document = {
        "emulator": "ministack", "endpoint": clients.endpoint,
        "seeded_at": estate.rfc3339(datetime.now(timezone.utc)),
        "regions": {"primary": PRIMARY, "recovery": RECOVERY},
    }
    if args.lag_of:
        document["lag"] = estate.lag(clients, args.lag_of)
    else:
        document |= estate.identity(clients)
        document["global_cluster"] = estate.global_cluster(clients)
        document["lag"] = estate.lag(clients)
        document["served"] = estate.served(clients)
        document["alarms"] = estate.alarms(clients)
        document["dns"] = estate.dns(clients)
        document["failover_dns"] = estate.failover_dns(clients, document["dns"]["zone_id"])
        document["rds_instance"] = estate.vendor_db(clients)
        document["vaults"] = estate.vaults(clients)
        document["plan"] = estate.plan(clients, document["vaults"])
        document["backup_jobs"] = estate.backup_jobs(
            clients, document["account"], document["rds_instance"]["arn"],
        )
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
