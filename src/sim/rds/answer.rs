//! awsQuery of RDS, version 2014-10-31: which operations there are and what they answer.

use std::time::Duration;

use super::{
    Global, Rds, SnapshotCopy,
    describe::{View, cluster_snapshot_arn},
    global::MoveKind,
    history::{EVENTS_KEPT, Event, Snapshot},
    instance::Place,
    topology::no_global,
};
use crate::{
    domain::Timestamp,
    sim::{
        draw,
        gate::Faults,
        service::{Answer, Call},
        wire::{Form, Protocol, Refusal, Xml, respond},
    },
};

const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

/// What a request left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    None,
    Changed,
}

pub(super) type Answered = Result<(String, Effect), Refusal>;

impl Rds {
    pub fn answer(&mut self, call: &Call, faults: &Faults) -> (Answer, Effect) {
        let form = Form::of(call.request);
        let answered = match form.get("Action").unwrap_or_default() {
            "DescribeGlobalClusters" => self.describe_globals(call, &form, faults),
            "DescribeDBClusters" => self.describe_clusters(call, &form, faults),
            "DescribeDBInstances" => self.describe_instances(call, &form, faults),
            "DescribeDBSnapshots" => self.describe_instance_snapshots(call, &form, faults),
            "DescribeDBClusterSnapshots" => self.describe_cluster_snapshots(call, &form, faults),
            "DescribeEvents" => self.describe_events(call, &form, faults),
            "CopyDBClusterSnapshot" => self.copy_cluster_snapshot(call, &form, faults),
            "DeleteDBClusterSnapshot" => self.delete_cluster_snapshot(call, &form, faults),
            "SwitchoverGlobalCluster" => self.move_global(call, &form, MoveKind::Switchover, faults),
            "FailoverGlobalCluster" => {
                failover_kind(&form).and_then(|kind| self.move_global(call, &form, kind, faults))
            }
            "RemoveFromGlobalCluster" => self.remove_from_global(call, &form, faults),
            "CreateGlobalCluster" => self.create_global(call, &form, faults),
            "CreateDBCluster" => self.create_cluster(call, &form, faults),
            "CreateDBInstance" => self.create_cluster_instance(call, &form, faults),
            "PromoteReadReplica" => self.promote(call, &form, faults),
            "CreateDBSnapshot" => self.create_snapshot(call, &form, faults),
            "DeleteDBSnapshot" => self.delete_snapshot(call, &form, faults),
            "CopyDBSnapshot" => self.copy_snapshot(call, &form, faults),
            "RestoreDBInstanceFromDBSnapshot" => self.restore_snapshot(call, &form, faults),
            "RestoreDBInstanceToPointInTime" => self.restore_point_in_time(call, &form, faults),
            "CreateDBInstanceReadReplica" => self.create_replica(call, &form, faults),
            "DeleteDBInstance" => self.delete_instance(call, &form, faults),
            other => {
                Err(Refusal::bad("InvalidAction", format!("The action {other} is not valid for this web service.")))
            }
        };
        match answered {
            Ok((body, effect)) => (respond(http::StatusCode::OK, "text/xml", body), effect),
            Err(refusal) => (refusal.answer(Protocol::Query, call.request_id), Effect::None),
        }
    }

    pub(super) fn view<'a>(&'a self, call: &Call, faults: &'a Faults) -> View<'a> {
        View { rds: self, faults, at: call.now }
    }

    fn describe_globals(&self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let wanted = form.get("GlobalClusterIdentifier");
        // Known: the object is visible from the Regions of its members (field guide 2.6).
        let here = |global: &&Global| global.current(call.now).any(|n| global.members[n].region == *call.region);
        let of_cluster = filter(form, &["db-cluster-id"])?;
        let found: Vec<&Global> = self
            .globals
            .values()
            .filter(here)
            .filter(|global| wanted.is_none_or(|wanted| wanted == global.id || wanted == global.arn()))
            .filter(|global| {
                let members = || global.current(call.now).map(|n| &global.members[n]);
                let named = |value: &str| members().any(|m| m.cluster == value || m.arn() == value);
                of_cluster.as_ref().is_none_or(|(_, values)| values.iter().any(|value| named(value)))
            })
            .collect();
        if let (Some(wanted), true) = (wanted, found.is_empty()) {
            return Err(no_global(wanted));
        }
        let page = Page::of(form, found, |global| global.id.clone())?;
        let view = self.view(call, faults);
        Ok((
            page.write("DescribeGlobalClusters", "GlobalClusters", "GlobalClusterMember", call, |xml, global| {
                view.global(xml, global);
            }),
            Effect::None,
        ))
    }

    fn describe_clusters(&self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let wanted = form.get("DBClusterIdentifier");
        let filtered = filter(form, &["db-cluster-id"])?;
        let all = self.clusters_in(call.region, call.now).into_iter();
        let mut found: Vec<(&Global, usize)> = all
            .filter(|(global, index)| {
                let member = &global.members[*index];
                let named = |value: &str| member.cluster == value || member.arn() == value;
                wanted.is_none_or(named)
                    && filtered.as_ref().is_none_or(|(_, values)| values.iter().any(|value| named(value)))
            })
            .collect();
        if let (Some(wanted), true) = (wanted, found.is_empty()) {
            return Err(Refusal::missing("DBClusterNotFoundFault", format!("DBCluster {wanted} not found.")));
        }
        found.sort_by(|a, b| a.0.members[a.1].cluster.cmp(&b.0.members[b.1].cluster));
        let page = Page::of(form, found, |(global, index)| global.members[*index].cluster.clone())?;
        let view = self.view(call, faults);
        Ok((
            page.write("DescribeDBClusters", "DBClusters", "DBCluster", call, |xml, (global, index)| {
                view.cluster(xml, global, *index);
            }),
            Effect::None,
        ))
    }

    fn describe_instances(&self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let wanted = form.get("DBInstanceIdentifier");
        let filtered = filter(form, &["db-instance-id", "db-cluster-id"])?;
        let found: Vec<_> = self
            .instances_in(call.region, call.now, faults)
            .filter(|instance| wanted.is_none_or(|wanted| wanted == instance.id || wanted == instance.arn()))
            .filter(|instance| match &filtered {
                Some(("db-instance-id", ids)) => ids.iter().any(|id| *id == instance.id || *id == instance.arn()),
                Some((_, ids)) => {
                    matches!(&instance.place, Place::InCluster { cluster } if ids.contains(&cluster.as_str()))
                }
                None => true,
            })
            .collect();
        if let (Some(wanted), true) = (wanted, found.is_empty()) {
            return Err(Refusal::missing("DBInstanceNotFound", format!("DBInstance {wanted} not found.")));
        }
        let page = Page::of(form, found, |instance| instance.id.clone())?;
        let view = self.view(call, faults);
        Ok((
            page.write("DescribeDBInstances", "DBInstances", "DBInstance", call, |xml, instance| {
                view.instance(xml, instance);
            }),
            Effect::None,
        ))
    }

    fn describe_instance_snapshots(&self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let found = self.instance_snapshots(call.region, call.now, faults);
        let found = choose(form, found, "DBInstanceIdentifier", "DBSnapshotIdentifier", "DBSnapshotNotFound")?;
        let page = Page::of(form, found, |snapshot| snapshot.id.clone())?;
        Ok((
            page.write("DescribeDBSnapshots", "DBSnapshots", "DBSnapshot", call, |xml, snapshot| {
                View::instance_snapshot(xml, call.region, call.account, snapshot);
            }),
            Effect::None,
        ))
    }

    fn describe_cluster_snapshots(&self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let found = self.cluster_snapshots(call.region, call.now, faults);
        let missing = "DBClusterSnapshotNotFoundFault";
        let found = choose(form, found, "DBClusterIdentifier", "DBClusterSnapshotIdentifier", missing)?;
        let page = Page::of(form, found, |snapshot| snapshot.id.clone())?;
        let name = ("DBClusterSnapshots", "DBClusterSnapshot");
        Ok((
            page.write("DescribeDBClusterSnapshots", name.0, name.1, call, |xml, snapshot| {
                View::cluster_snapshot(xml, call.region, call.account, snapshot);
            }),
            Effect::None,
        ))
    }

    fn describe_events(&self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let moment = |name: &str| match form.get(name) {
            None => Ok(None),
            Some(text) => Timestamp::parse(text)
                .map(Some)
                .ok_or_else(|| Refusal::bad("InvalidParameterValue", format!("{name}: {text} is not a time"))),
        };
        // Documented: without StartTime the last `Duration` minutes, 60 by default; kept for 14 days.
        let minutes: u64 = form.get("Duration").and_then(|text| text.parse().ok()).unwrap_or(60);
        let until = moment("EndTime")?.unwrap_or(call.now).min(call.now) + Duration::from_millis(1);
        let from = moment("StartTime")?.unwrap_or(until - Duration::from_secs(minutes.saturating_mul(60)));
        let source_type = form.get("SourceType");
        let source = form.get("SourceIdentifier");
        let categories = form.list("EventCategories.EventCategory");
        let mut found = self.events(call.region, from.max(call.now - EVENTS_KEPT), until, faults);
        found.retain(|event: &Event| {
            source_type.is_none_or(|wanted| wanted == event.source_type)
                && source.is_none_or(|wanted| wanted == event.source)
                && (categories.is_empty() || categories.contains(&event.category))
        });
        let page =
            Page::of(form, found, |event| format!("{:016}|{}|{}", event.at.millis(), event.source, event.message))?;
        Ok((page.write("DescribeEvents", "Events", "Event", call, View::event), Effect::None))
    }

    fn copy_cluster_snapshot(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let source = needed(form, "SourceDBClusterSnapshotIdentifier")?;
        let id = needed(form, "TargetDBClusterSnapshotIdentifier")?;
        let here = self.cluster_snapshots(call.region, call.now, faults);
        if here.iter().any(|snapshot| snapshot.id == id) {
            let message = format!("Cannot create the snapshot because {id} already exists.");
            return Err(Refusal::bad("DBClusterSnapshotAlreadyExistsFault", message));
        }
        if id.starts_with("rds:") || id.contains(':') {
            return Err(Refusal::bad("InvalidParameterValue", format!("{id} is not a valid snapshot identifier")));
        }
        let arn = |id: &str| cluster_snapshot_arn(call.region, call.account, id);
        let Some(original) = here.iter().find(|snapshot| snapshot.id == source || arn(&snapshot.id) == source) else {
            return Err(Refusal::missing("DBClusterSnapshotNotFoundFault", format!("{source} not found.")));
        };
        if original.percent < 100 {
            let message = format!("{source} is not available");
            return Err(Refusal::bad("InvalidDBClusterSnapshotStateFault", message));
        }
        // *Assumed*: a copy inside the Region takes some minutes.
        let span = (Duration::from_mins(2), Duration::from_mins(5));
        let copy = SnapshotCopy {
            id: id.to_owned(),
            region: call.region.clone(),
            cluster: original.source.clone(),
            source_arn: arn(&original.id),
            requested: call.now,
            takes: draw::between(self.seed, &format!("copy {id}"), span.0, span.1),
            tags: tags(form),
            deleted: None,
        };
        self.copies.push(copy);
        Ok((self.tell_cluster_snapshot("CopyDBClusterSnapshot", id, call, faults), Effect::Changed))
    }

    /// Documented: manual snapshots only, and only `available` ones.
    fn delete_cluster_snapshot(&mut self, call: &Call, form: &Form, faults: &Faults) -> Answered {
        let id = needed(form, "DBClusterSnapshotIdentifier")?;
        let here = self.cluster_snapshots(call.region, call.now, faults);
        let Some(found) = here.iter().find(|snapshot| snapshot.id == id) else {
            return Err(Refusal::missing("DBClusterSnapshotNotFoundFault", format!("{id} not found.")));
        };
        let body = self.tell_cluster_snapshot("DeleteDBClusterSnapshot", id, call, faults);
        let mut copies = self.copies.iter_mut().filter(|copy| copy.region == *call.region && copy.exists(call.now));
        let Some(copy) = copies.find(|copy| copy.id == id).filter(|_| found.percent >= 100) else {
            let message = format!("{id} is not a manual snapshot, or not available");
            return Err(Refusal::bad("InvalidDBClusterSnapshotStateFault", message));
        };
        copy.deleted = Some(call.now);
        Ok((body, Effect::Changed))
    }

    fn tell_cluster_snapshot(&self, operation: &str, id: &str, call: &Call, faults: &Faults) -> String {
        let known = self.cluster_snapshots(call.region, call.now, faults);
        envelope(operation, call, |xml| {
            xml.open("DBClusterSnapshot");
            if let Some(snapshot) = known.iter().find(|snapshot| snapshot.id == id) {
                View::cluster_snapshot(xml, call.region, call.account, snapshot);
            }
            xml.close();
        })
    }

    fn move_global(&mut self, call: &Call, form: &Form, kind: MoveKind, faults: &Faults) -> Answered {
        let id = needed(form, "GlobalClusterIdentifier")?;
        let target = needed(form, "TargetDbClusterIdentifier")?;
        self.need_head(id, target, call, faults)?;
        let seed = self.seed;
        let global = self.globals.get_mut(id).filter(|global| global.current(call.now).next().is_some());
        global.ok_or_else(|| no_global(id))?.begin(kind, target, call.region, call.now, seed, faults)?;
        Ok((self.tell_global(form.get("Action").unwrap_or_default(), id, call, faults), Effect::Changed))
    }
}

/// `AllowDataLoss` and `Switchover` exclude each other; with neither it is a switchover (field guide 0.1, fact 10).
fn failover_kind(form: &Form) -> Result<MoveKind, Refusal> {
    match (form.flag("AllowDataLoss"), form.flag("Switchover")) {
        (Some(_), Some(_)) => {
            Err(Refusal::bad("InvalidParameterCombination", "AllowDataLoss and Switchover cannot both be specified"))
        }
        (Some(true), None) => Ok(MoveKind::Failover),
        _ => Ok(MoveKind::Switchover),
    }
}

pub(super) fn needed<'a>(form: &'a Form, name: &str) -> Result<&'a str, Refusal> {
    form.get(name)
        .ok_or_else(|| Refusal::bad("MissingParameter", format!("The request must contain the parameter {name}")))
}

/// `Tags.Tag.1.Key` with its `Value`.
pub(super) fn tags(form: &Form) -> Vec<(String, String)> {
    let tag = |n| {
        let value = form.get(&format!("Tags.Tag.{n}.Value")).unwrap_or_default();
        Some((form.get(&format!("Tags.Tag.{n}.Key"))?.to_owned(), value.to_owned()))
    };
    (1..=50).map_while(tag).collect()
}

type Filter<'a> = Option<(&'a str, Vec<&'a str>)>;

/// The one filter of a request. Filters of other names are refused rather than silently ignored.
fn filter<'a>(form: &'a Form, known: &[&str]) -> Result<Filter<'a>, Refusal> {
    let mut filters = form.filters();
    if let Some((name, _)) = filters.iter().find(|(name, _)| !known.contains(name)) {
        return Err(Refusal::bad("InvalidParameterValue", format!("Unrecognized filter name: {name}")));
    }
    if filters.len() > 1 {
        return Err(Refusal::bad("InvalidParameterCombination", "The simulator knows one filter at a time"));
    }
    Ok(filters.pop())
}

/// Snapshots by source, identifier and type, the way both snapshot operations choose.
fn choose(
    form: &Form,
    mut found: Vec<Snapshot>,
    source_param: &str,
    id_param: &str,
    missing: &str,
) -> Result<Vec<Snapshot>, Refusal> {
    if let Some(kind) = form.get("SnapshotType") {
        found.retain(|snapshot| snapshot.kind == kind);
    }
    let tail = |text: &str| text.rsplit(':').next().unwrap_or(text).to_owned();
    if let Some(source) = form.get(source_param) {
        found.retain(|snapshot| snapshot.source == source || snapshot.source == tail(source));
    }
    if let Some(id) = form.get(id_param) {
        found.retain(|snapshot| snapshot.id == id || id.ends_with(&format!("snapshot:{}", snapshot.id)));
        if found.is_empty() {
            return Err(Refusal::missing(missing, format!("{id} not found.")));
        }
    }
    Ok(found)
}

pub(super) fn envelope(operation: &str, call: &Call, result: impl FnOnce(&mut Xml)) -> String {
    let mut xml = Xml::new();
    xml.open_root(&format!("{operation}Response"), NAMESPACE).open(&format!("{operation}Result"));
    result(&mut xml);
    xml.close().open("ResponseMetadata").text("RequestId", call.request_id).close().close();
    xml.finish()
}

/// One page of a list. Documented: `MaxRecords` 20 to 100, default 100; the marker is the last key given out, so
/// that what is added in between neither repeats nor hides anything.
struct Page<T> {
    items: Vec<T>,
    marker: Option<String>,
}

impl<T> Page<T> {
    fn of(form: &Form, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Result<Self, Refusal> {
        let records = match form.get("MaxRecords") {
            None => 100,
            Some(text) => text.parse::<usize>().ok().filter(|n| (20..=100).contains(n)).ok_or_else(|| {
                Refusal::bad(
                    "InvalidParameterValue",
                    format!("Invalid value {text} for MaxRecords. Must be between 20 and 100"),
                )
            })?,
        };
        items.sort_by_cached_key(|item| key(item));
        if let Some(marker) = form.get("Marker") {
            items.retain(|item| key(item).as_str() > marker);
        }
        let more = items.len() > records;
        items.truncate(records);
        let marker = items.last().filter(|_| more).map(key);
        Ok(Self { items, marker })
    }

    fn write(&self, operation: &str, list: &str, item: &str, call: &Call, each: impl Fn(&mut Xml, &T)) -> String {
        envelope(operation, call, |xml| {
            xml.maybe("Marker", self.marker.as_deref()).open(list);
            for one in &self.items {
                xml.open(item);
                each(xml, one);
                xml.close();
            }
            xml.close();
        })
    }
}
