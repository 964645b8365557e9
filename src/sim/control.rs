//! The simulator's own API, plain JSON under `/_sim`. Faults never touch it, and it is not in the call log.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /_sim/clock` | | `{"now": RFC 3339, "speed": number, "started": RFC 3339}` |
//! | `GET /_sim/calls[?after=SEQ]` | | `{"calls": [{"seq", "at", "service", "operation", "region", "params", "outcome", "effect"}], "dropped": number}` oldest first |
//! | `GET /_sim/state` | | `{"now", "speed", "seed", "estate", "global_clusters", "db_instances", "records", "changes", "health_checks", "traffic", "faults", "jobs"}` |
//! | `POST /_sim/inject` | a fault | `{"id": number}` |
//! | `POST /_sim/clear` | `{"id": number}` or `{"all": true}` | `{"cleared": number}` |
//! | `POST /_sim/outside` | `{"run"\|"look": {"program", "args", "done_when"}}` or `{"get": {"url"}}` | `{"exit": {"status", "last_line"}}`, `{"cut": {"why"}}`, `{"answer": {"status", "body"}}` or `{"no-answer": {"why"}}` |
//! | `POST /_sim/speed` | `{"speed": number}` | `{"now", "speed", "started"}` |
//!
//! A fault is `{"fault": WORD, …}` with, for each word (`how` is `refuse`, `blackhole`, `slow` or `5xx`):
//! `region-down` region, how · `service-down` region, service, how · `throttling` region, share, \[service\] ·
//! `reply-lost` count, \[service\], \[operation\] · `late-effect` count, `after_seconds`, answer (`blackhole`, `lost`
//! or `5xx`), \[service\], \[operation\] · `stale-reads` service, seconds, \[region\], \[operation\] · `lag-growth` target, `millis_per_second` ·
//! `jobs-fail` resource, message, \[job\] · `instance-stuck` instance, status · `vault-missing` region, vault · `key-unusable` region, vault ·
//! `program-ends` program, how (`fails`, `cut-before`, `cut-after`) · `control-plane-impaired` how · `credentials-expired` region;
//! and for all of them \[from\] and \[until\] in estate time.
//!
//! Errors are `{"error": "field: what is wrong and which words it may hold"}` with status 400, 404 or 405.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Sim,
    fault::Fault,
    outside::Asked,
    route53::CHECKERS,
    service::Answer,
    surroundings::Surroundings,
    wire::{Form, respond},
    world::World,
};
use crate::domain::{Side, Timestamp};

pub const PREFIX: &str = "/_sim";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clear {
    id: Option<u64>,
    all: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Speed {
    speed: f64,
}

pub(super) fn answer(sim: &Sim, request: &http::Request<Bytes>) -> Answer {
    let path = request.uri().path().trim_end_matches('/');
    let body = request.body();
    let said: Result<Value, (StatusCode, String)> = match (path.strip_prefix(PREFIX).unwrap_or(path), request.method())
    {
        ("/clock", &Method::GET) => Ok(sim.clock()),
        ("/calls", &Method::GET) => {
            let after = Form::query(request).get("after").and_then(|text| text.parse().ok()).unwrap_or(0);
            let (calls, dropped) = sim.calls_after(after);
            Ok(json!({ "calls": calls, "dropped": dropped }))
        }
        ("/state", &Method::GET) => Ok(sim.state()),
        ("/inject", &Method::POST) => {
            let injected = parse::<Fault>(body).and_then(|fault| sim.inject(fault).map_err(bad));
            injected.map(|id| json!({ "id": id }))
        }
        ("/clear", &Method::POST) => parse::<Clear>(body).and_then(|clear| match (clear.id, clear.all) {
            (Some(id), None) => sim.clear(id).map(|()| json!({ "cleared": 1 })).map_err(bad),
            (None, Some(true)) => Ok(json!({ "cleared": sim.clear_all() })),
            _ => Err(bad("id, all: give one of {\"id\": NUMBER} and {\"all\": true}".to_owned())),
        }),
        ("/outside", &Method::POST) => parse::<Asked>(body).map(|asked| sim.outside(&asked)),
        ("/speed", &Method::POST) => {
            let set = parse::<Speed>(body).and_then(|speed| sim.set_speed(speed.speed).map_err(bad));
            set.map(|()| sim.clock())
        }
        ("/clock" | "/calls" | "/state", _) => Err((StatusCode::METHOD_NOT_ALLOWED, "use GET".to_owned())),
        ("/inject" | "/clear" | "/outside" | "/speed", _) => {
            Err((StatusCode::METHOD_NOT_ALLOWED, "use POST".to_owned()))
        }
        _ => {
            let known = "clock, calls, state, inject, clear, outside, speed";
            Err((StatusCode::NOT_FOUND, format!("{path}: not one of /_sim/ {known}")))
        }
    };
    match said {
        Ok(value) => respond(StatusCode::OK, "application/json", value.to_string()),
        Err((status, error)) => respond(status, "application/json", json!({ "error": error }).to_string()),
    }
}

fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, (StatusCode, String)> {
    serde_json::from_slice(body).map_err(|error| bad(error.to_string()))
}

fn bad(error: String) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, error)
}

/// The state of the world at that moment, for people and tests; not what a console could know.
pub(super) fn state(world: &World, now: Timestamp) -> Value {
    let faults = &world.faults;
    let globals: serde_json::Map<String, Value> = world
        .rds
        .globals
        .values()
        .map(|global| {
            let writer = global.writer_index(now, faults);
            let members = global.members.iter().enumerate().map(|(index, member)| {
                json!({
                    "cluster": member.cluster,
                    "region": member.region,
                    "member": global.is_member(index, now),
                    "writer": index == writer,
                    "connected": global.connected(index, now, faults),
                    "status": global.cluster_status(index, now, faults),
                })
            });
            let value = json!({
                "writer": global.writer(now, faults),
                "status": global.status(now, faults),
                "operation": global.running(now, faults).map(|running| running.status),
                "moves": global.moves.len(),
                "members": members.collect::<Vec<_>>(),
            });
            (global.id.clone(), value)
        })
        .collect();
    let instances = world.rds.instances.iter().filter(|instance| instance.exists(now, faults)).map(|instance| {
        json!({
            "id": instance.id,
            "region": instance.region,
            "status": world.rds.instance_status(instance, now, faults),
            "replicates": instance.replicates(now, faults),
            "data_time": instance.data_time,
        })
    });
    let zones = || world.dns.zones.values();
    let records = zones().flat_map(|zone| {
        zone.records().iter().map(move |record| {
            let (name, kind, set) = record.key();
            json!({ "zone": zone.id, "name": name, "type": kind, "set": set, "weight": record.weight() })
        })
    });
    let changes = zones().flat_map(|zone| {
        zone.changes.iter().map(move |change| {
            json!({
                "zone": zone.id,
                "id": change.id,
                "submitted": change.submitted,
                "status": if now >= change.in_sync { "INSYNC" } else { "PENDING" },
            })
        })
    });
    let checks: serde_json::Map<String, Value> = world
        .dns
        .checks
        .values()
        .map(|check| {
            let of = CHECKERS.len() * 2;
            let healthy = (0..of).filter(|n| world.dns.seen_healthy(check, *n, now, faults).0).count();
            (check.id.clone(), {
                let counts = world.dns.counts_as_healthy(check, now, faults);
                json!({ "healthy": healthy, "checkers": of, "counts_as_healthy": counts, "version": check.version() })
            })
        })
        .collect();
    let regions = &world.estate.regions;
    let traffic: serde_json::Map<String, Value> = world
        .estate
        .apps
        .iter()
        .map(|app| {
            let shares: serde_json::Map<String, Value> = Side::BOTH
                .iter()
                .map(|side| &regions.get(*side).id)
                .map(|region| (region.to_string(), json!(world.traffic_share(&app.id, region, now))))
                .collect();
            (app.id.to_string(), Value::Object(shares))
        })
        .collect();
    let listed = faults.all().iter().map(|fault| {
        let mut value = serde_json::to_value(fault).unwrap_or_default();
        value["in_force"] = json!(fault.in_force(now));
        value
    });
    json!({
        "now": now,
        "estate": world.estate.name.as_ref() as &str,
        "global_clusters": globals,
        "db_instances": instances.collect::<Vec<_>>(),
        "records": records.collect::<Vec<_>>(),
        "changes": changes.collect::<Vec<_>>(),
        "health_checks": checks,
        "traffic": traffic,
        "faults": listed.collect::<Vec<_>>(),
    })
}
