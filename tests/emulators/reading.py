"""What `status --format json` says, against what a seed put there: the comparisons both emulators share."""

from checks import parse_time


def app(status, ident):
    return next(a for a in status["apps"] if a["id"] == ident)


def component(status, app_id, ident):
    return next(c for c in app(status, app_id)["components"] if c["id"] == ident)


def fact(status, app_id, component_id, what, region=None):
    """The one fact of that shape; an empty one when there is none."""
    found = [f for f in component(status, app_id, component_id)["facts"]
             if f["what"] == what and region in (None, f["region"])]
    return found[0] if len(found) == 1 else {"state": f"{len(found)} facts", "why": None, "value": None}


def value(a_fact, key):
    return (a_fact["value"] or {}).get(key)


def identities(checks, status, seed):
    by_id = {r["id"]: r for r in status["regions"]}
    for side, region in seed["regions"].items():
        checks.equal(f"{region}: role", side, by_id[region]["role"])
        checks.equal(f"{region}: account by STS", seed["account"], by_id[region]["account"])
        checks.equal(f"{region}: principal by STS", seed["principal"], by_id[region]["principal"])


def topology(checks, status, seed, writer_region=None, synchronization=None):
    """Members, writer and status of the global cluster."""
    cluster = seed["global_cluster"]
    writer_region = writer_region or seed["regions"]["primary"]
    got = fact(status, "payments", "payments-global", "topology", seed["regions"]["recovery"])
    checks.equal("global cluster: fact", "fresh", got["state"])
    checks.equal("global cluster: id", cluster["id"], value(got, "id"))
    checks.equal("global cluster: status", "available", value(got, "status"))
    checks.equal("global cluster: engine", cluster["Engine"], value(got, "engine"))
    checks.equal("global cluster: version", cluster["EngineVersion"], value(got, "engine_version"))
    checks.equal("global cluster: writer", writer_region, value(got, "writer"))
    members = {m["region"]: m for m in value(got, "members") or []}
    for member in cluster["members"]:
        region = member["region"]
        seen = members.get(region, {})
        checks.equal(f"global cluster: member in {region}", member["arn"], seen.get("cluster"))
        checks.equal(f"global cluster: {region} writes", region == writer_region, seen.get("writer"))
        checks.equal(f"global cluster: {region} synchronization", synchronization, seen.get("synchronization"))


def record_sets(checks, status, seed, weights=None):
    """Both weighted records, as the seed or a shift left them."""
    dns = seed["dns"]
    got = fact(status, "payments", "api-name", "record")
    checks.equal("DNS name: fact", "fresh", got["state"])
    sets = {s["set_identifier"]: s for s in value(got, "sets") or []}
    checks.equal("DNS name: set identifiers", sorted(dns["targets"]), sorted(sets))
    for name, target in dns["targets"].items():
        seen = sets.get(name, {})
        weight = target["weight"] if weights is None else weights[name]
        checks.equal(f"DNS name, {name}: name", dns["record"].rstrip("."), seen.get("name"))
        checks.equal(f"DNS name, {name}: type", dns["type"], seen.get("type"))
        checks.equal(f"DNS name, {name}: weight", weight, seen.get("weight"))
        checks.equal(f"DNS name, {name}: TTL in s", dns["ttl"], seen.get("ttl"))
        checks.equal(f"DNS name, {name}: values", [target["address"]], seen.get("values"))
        named = dns["health_check"]["id"] if name == dns["health_check"]["set_identifier"] else None
        checks.equal(f"DNS name, {name}: health check", named, seen.get("health_check"))


def instance(checks, status, seed):
    database = seed["rds_instance"]
    got = fact(status, "vendor-restore", "vendor-db", "instance", database["region"])
    checks.equal("vendor-db: fact", "fresh", got["state"])
    checks.equal("vendor-db: status", database["status"], value(got, "status"))
    checks.equal("vendor-db: engine", "postgres", value(got, "engine"))


def jobs(status, region, kind):
    return next((j for j in status["jobs"] if (j["region"], j["kind"]) == (region, kind)),
                {"state": "no row", "why": None, "by_state": None, "newest_created": None})


def latest(moments):
    return max(moments, key=parse_time)
