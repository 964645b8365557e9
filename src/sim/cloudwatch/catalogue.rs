//! Which metrics the estate publishes, in which Region, and how each behaves.
//!
//! Namespaces, names, dimensions and Regions are those of the field guide's master table (section 11). The kinds'
//! own metrics come first; a `metric` component gets the model that its name calls for, or one that keeps it
//! inside the bounds the estate declares.

use std::collections::BTreeMap;

use super::series::{Model, Stream};
use crate::{
    domain::{App, Component, Estate, RegionId, Side, region::GLOBAL_CONTROL_PLANE, resource::MetricId},
    sim::noise,
};

/// Every metric once, by Region, namespace, name and dimensions.
#[must_use]
pub fn streams(estate: &Estate, seed: u64) -> Vec<Stream> {
    let mut build = Build { estate, seed, streams: Vec::new() };
    for app in &estate.apps {
        for component in &app.components {
            match component.kind {
                "aurora-global" => build.aurora(component),
                "rds-instance" => build.rds(component),
                "route53-health-check" => build.health_check(component),
                _ => {}
            }
        }
        build.served(app);
    }
    // After the kinds: a `metric` component that names the same series changes nothing about it.
    for component in estate.apps.iter().flat_map(|app| &app.components).filter(|c| c.kind == "metric") {
        build.declared(component);
    }
    build.streams
}

/// The series that a `metric` component names, if its Region is known.
#[must_use]
pub fn declared_id(estate: &Estate, component: &Component) -> Option<(RegionId, MetricId)> {
    let params = &component.params;
    let region = params
        .text("region")
        .map(RegionId::new)
        .or_else(|| params.side("side").map(|side| estate.regions.get(side).id.clone()))?;
    let id = MetricId {
        namespace: params.text("namespace")?.to_owned(),
        name: params.text("metric")?.to_owned(),
        dimensions: params.map("dimensions").cloned().unwrap_or_default(),
    };
    Some((region, id))
}

struct Build<'a> {
    estate: &'a Estate,
    seed: u64,
    streams: Vec<Stream>,
}

fn dimension(name: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value.to_owned())])
}

impl Build<'_> {
    fn region(&self, side: Side) -> RegionId {
        self.estate.regions.get(side).id.clone()
    }

    fn add(
        &mut self,
        region: &RegionId,
        namespace: &str,
        name: &str,
        dimensions: BTreeMap<String, String>,
        model: Model,
    ) {
        let id = MetricId { namespace: namespace.to_owned(), name: name.to_owned(), dimensions };
        self.push(region.clone(), id, model, (None, None));
    }

    fn push(&mut self, region: RegionId, id: MetricId, model: Model, healthy: (Option<f64>, Option<f64>)) {
        let mut names = vec![region.as_str(), id.namespace.as_str()];
        names.extend(id.dimensions.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
        let seed = noise::hash(self.seed, &names, 0);
        self.put(Stream { region, id, model, seed, healthy });
    }

    /// The first to name a series says how it behaves.
    fn put(&mut self, new: Stream) {
        if !self.streams.iter().any(|stream| stream.region == new.region && stream.id == new.id) {
            self.streams.push(new);
        }
    }

    /// Both clusters of a global database; the lag exists in the one that does not write (fact 9).
    fn aurora(&mut self, component: &Component) {
        let Some(global) = component.params.text("global_cluster") else { return };
        for side in Side::BOTH {
            let Some(cluster) = component.params.side_text("clusters", side) else { continue };
            let region = self.region(side);
            let here = || dimension("DBClusterIdentifier", cluster);
            let targets = vec![cluster.to_owned(), global.to_owned()];
            for (name, from, to) in [
                ("AuroraGlobalDBRPOLag", 300.0, 850.0),
                ("AuroraGlobalDBProgressLag", 320.0, 900.0),
                ("AuroraGlobalDBReplicationLag", 150.0, 600.0),
            ] {
                let model = Model::GlobalLag { from, to, global: global.to_owned(), targets: targets.clone() };
                self.add(&region, "AWS/RDS", name, here(), model);
            }
            for (name, per_minute) in
                [("AuroraGlobalDBDataTransferBytes", 9e7), ("AuroraGlobalDBReplicatedWriteIO", 24_000.0)]
            {
                self.add(
                    &region,
                    "AWS/RDS",
                    name,
                    here(),
                    Model::ReplicaCounter { per_minute, global: global.to_owned() },
                );
            }
            let writes = component.params.text("writes_metric");
            for name in ["VolumeWriteIOPs", "CommitThroughput"].into_iter().chain(writes) {
                let model = Model::WriterCounter { per_minute: 24_000.0, global: global.to_owned() };
                self.add(&region, "AWS/RDS", name, here(), model);
            }
            self.add(&region, "AWS/RDS", "CPUUtilization", here(), Model::Gauge { around: 34.0, spread: 0.4 });
            self.add(&region, "AWS/RDS", "DatabaseConnections", here(), Model::Gauge { around: 180.0, spread: 0.2 });
        }
    }

    /// An instance, and its replica with `ReplicaLag` in seconds at the replica (field guide 2.5).
    fn rds(&mut self, component: &Component) {
        let home = component.params.side("side").unwrap_or(Side::Primary);
        let region = self.region(home);
        let Some(instance) = component.params.text("instance") else { return };
        let gauges = [
            ("CPUUtilization", 28.0, 0.5),
            ("DatabaseConnections", 90.0, 0.3),
            ("FreeStorageSpace", 4e12, 0.01),
            ("WriteIOPS", 700.0, 0.4),
        ];
        for (name, around, spread) in gauges {
            let here = dimension("DBInstanceIdentifier", instance);
            self.add(&region, "AWS/RDS", name, here, Model::Gauge { around, spread });
        }
        let Some(replica) = component.params.text("replica") else { return };
        let there = self.region(home.other());
        let lag = Model::Lag {
            from: 0.2,
            to: 3.0,
            units_per_second: 1.0,
            targets: vec![replica.to_owned(), instance.to_owned()],
            source: Some(region.clone()),
            replica: Some(replica.to_owned()),
        };
        self.add(&there, "AWS/RDS", "ReplicaLag", dimension("DBInstanceIdentifier", replica), lag);
        for (name, around, spread) in &gauges[..2] {
            let here = dimension("DBInstanceIdentifier", replica);
            self.add(&there, "AWS/RDS", name, here, Model::Gauge { around: *around, spread: *spread });
        }
        // Field guide 11: bytes that the source must keep for its replica.
        let here = dimension("DBInstanceIdentifier", instance);
        self.add(&region, "AWS/RDS", "OldestReplicationSlotLag", here, Model::Gauge { around: 4e6, spread: 0.8 });
    }

    /// Route 53 publishes in us-east-1 only (fact 15).
    fn health_check(&mut self, component: &Component) {
        let Some(id) = component.params.text("health_check") else { return };
        let watched = self.region(component.params.side("side").unwrap_or(Side::Primary));
        let global = RegionId::new(GLOBAL_CONTROL_PLANE);
        for (name, percent) in [("HealthCheckStatus", false), ("HealthCheckPercentageHealthy", true)] {
            let model = Model::Checkers { watched: watched.clone(), percent };
            self.add(&global, "AWS/Route53", name, dimension("HealthCheckId", id), model);
        }
    }

    /// The two counters of customers served, in both Regions.
    fn served(&mut self, app: &App) {
        let Some(served) = &app.served else { return };
        let mut globals = app.components.iter().filter(|component| component.kind == "aurora-global");
        let writes_to = globals.next().and_then(|component| component.params.text("global_cluster")).map(str::to_owned);
        for side in Side::BOTH {
            let region = self.region(side);
            for (name, good) in [(&served.good, true), (&served.total, false)] {
                let model = Model::Requests { app: app.id.clone(), good, writes_to: writes_to.clone() };
                let id = MetricId {
                    namespace: served.namespace.clone(),
                    name: name.clone(),
                    dimensions: served.dimensions.clone(),
                };
                // One seed for both counters and both Regions: nobody is served who did not ask.
                let seed = noise::hash(self.seed, &["served", app.id.as_str()], 0);
                self.put(Stream { region: region.clone(), id, model, seed, healthy: (None, None) });
            }
        }
    }

    fn declared(&mut self, component: &Component) {
        let Some((region, id)) = declared_id(self.estate, component) else { return };
        let least = component.params.number("at_least");
        let most = component.params.number("at_most");
        let measures = component.params.text("measures").unwrap_or("gauge");
        let model = self.model(&region, &id, measures, (least, most));
        self.push(region, id, model, (least, most));
    }

    fn model(&self, region: &RegionId, id: &MetricId, measures: &str, healthy: (Option<f64>, Option<f64>)) -> Model {
        let watched = || self.region(Side::Primary);
        match id.name.as_str() {
            "HealthCheckStatus" => return Model::Checkers { watched: watched(), percent: false },
            "HealthCheckPercentageHealthy" => return Model::Checkers { watched: watched(), percent: true },
            // States: 1 is up (field guide 11).
            "ConnectionState" | "VirtualInterfaceBgpStatus" => return Model::Steady(1.0),
            "UnHealthyHostCount"
            | "ConnectionErrorCount"
            | "OperationsFailedReplication"
            | "cluster_failed_node_count" => {
                return Model::Steady(0.0);
            }
            "HealthyHostCount" | "cluster_node_count" | "RunningTaskCount" | "GroupInServiceInstances" => {
                return Model::Steady(healthy.0.map_or(5.0, |least| least.max(5.0)));
            }
            "RequestCount" | "Requests" if healthy == (None, None) => return Model::Counter { per_minute: 2_400.0 },
            _ => {}
        }
        let lag = match (id.namespace.as_str(), id.name.as_str(), measures) {
            // Latency of change data capture while the source writes all day.
            ("AWS/DMS", name, _) if name.starts_with("CDCLatency") => Some((20.0, 40.0, 1.0)),
            ("AWS/DynamoDB", "ReplicationLatency", _) => Some((600.0, 900.0, 1000.0)),
            ("AWS/S3", "ReplicationLatency", _) => Some((6.0, 12.0, 1.0)),
            (_, "ReplicaLag", _) => Some((0.2, 3.0, 1.0)),
            (_, _, "lag-millis") => Some((300.0, 850.0, 1000.0)),
            (_, _, "lag-seconds") => Some((0.5, 4.0, 1.0)),
            _ => None,
        };
        if let Some((from, to, units_per_second)) = lag {
            let to: f64 = healthy.1.map_or(to, |most: f64| f64::min(to, 0.8 * most));
            return Model::Lag {
                from: f64::min(from, 0.5 * to),
                to,
                units_per_second,
                targets: id.dimensions.values().cloned().collect(),
                source: self.source(region),
                replica: None,
            };
        }
        let level = 10.0 + (noise::hash(self.seed, &["level", &id.namespace, &id.name], 0) % 90) as f64;
        match (id.name.as_str(), healthy) {
            ("BytesPendingReplication", (_, None)) => Model::Gauge { around: 6e6, spread: 0.9 },
            ("OperationsPendingReplication", (_, None)) => Model::Gauge { around: 14.0, spread: 0.9 },
            ("CPUUtilization", (None, None)) => Model::Gauge { around: 38.0, spread: 0.4 },
            ("TargetResponseTime", (None, None)) => Model::Gauge { around: 0.08, spread: 0.5 },
            // Anything else that the estate declares is healthy while nothing is wrong.
            (_, (Some(least), Some(most))) => Model::Gauge { around: f64::midpoint(least, most), spread: 0.1 },
            (_, (Some(least), None)) => Model::Gauge { around: 1.3 * least + 0.5, spread: 0.1 },
            (_, (None, Some(most))) => Model::Gauge { around: 0.3 * most, spread: 0.5 },
            (_, (None, None)) => Model::Gauge { around: level, spread: 0.3 },
        }
    }

    /// The Region at the other end of a replication stream, whose loss ends it (fact 14). For DMS the source is a
    /// data centre: the estate's primary side stands for it.
    fn source(&self, region: &RegionId) -> Option<RegionId> {
        self.estate.regions.side_of(region).map(|side| self.region(side.other()))
    }
}
