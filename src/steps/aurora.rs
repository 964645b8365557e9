//! What the Aurora kinds share: reading a global cluster, and whether a member has become its writer.

use super::kind::{Observed, StepContext, param, why};
use crate::{
    aws::{
        Reader,
        rds::{DescribeDbClusterSnapshots, DescribeDbClusters, DescribeGlobalClusters},
    },
    domain::{
        CallDescription, ProbeFailure, RegionId, Side,
        resource::{DbCluster, DbSnapshot, GlobalCluster},
        text::SafeText,
    },
};

/// Id of the global cluster and ARN of its member on the side, the ARN as observed: AWS wants it whole, and one
/// built from parts could name a cluster of another partition or account.
pub(super) fn member<'a>(about: &StepContext<'a>, side: Side) -> Result<(String, String, &'a GlobalCluster), SafeText> {
    let component = about.component()?;
    let id = component.params.text("global_cluster").ok_or_else(|| SafeText::new("no global_cluster"))?;
    let (cluster, _) = about
        .facts
        .topology(&component.id)
        .ok_or_else(|| SafeText::new(format!("the topology of {id} was never read")))?;
    let region = about.facts.region(side);
    let member = cluster.member_in(region).ok_or_else(|| SafeText::new(format!("{id} has no member in {region}")))?;
    Ok((id.to_owned(), member.cluster_arn.clone(), cluster))
}

/// The global cluster as one Region tells it.
pub(super) async fn read(reader: &Reader, region: &RegionId, id: &str) -> Result<GlobalCluster, SafeText> {
    let op = DescribeGlobalClusters { region: region.clone(), id: Some(id.to_owned()) };
    let answer = reader.read(&op).await.map_err(|error| why(&error))?;
    answer
        .value
        .into_iter()
        .find(|cluster| cluster.id.as_str() == id)
        .ok_or_else(|| SafeText::new(format!("{region} knows no global cluster {id}")))
}

/// As [`read`], where a global cluster that the Region does not know is an answer too: it is listed only where it has
/// members (field guide 2.6).
pub(super) async fn look(reader: &Reader, region: &RegionId, id: &str) -> Result<Option<GlobalCluster>, SafeText> {
    let op = DescribeGlobalClusters { region: region.clone(), id: Some(id.to_owned()) };
    match reader.read(&op).await {
        Ok(answer) => Ok(answer.value.into_iter().find(|cluster| cluster.id.as_str() == id)),
        Err(error) if error.failure == ProbeFailure::NotFound => Ok(None),
        Err(error) => Err(why(&error)),
    }
}

/// Snapshots of all clusters of the Region.
pub(super) async fn snapshots(reader: &Reader, region: &RegionId) -> Result<Vec<DbSnapshot>, SafeText> {
    let op = DescribeDbClusterSnapshots { region: region.clone(), cluster: None };
    let answer = reader.read(&op).await.map_err(|error| why(&error))?;
    super::rds::whole(answer.value, answer.truncated, region)
}

/// A cluster of the Region, if there is one of that name.
pub(super) async fn cluster(reader: &Reader, region: &RegionId, id: &str) -> Result<Option<DbCluster>, SafeText> {
    let op = DescribeDbClusters { region: region.clone(), id: Some(id.to_owned()) };
    match reader.read(&op).await {
        Ok(answer) => Ok(answer.value.into_iter().find(|cluster| cluster.id.as_str() == id)),
        Err(error) if error.failure == ProbeFailure::NotFound => Ok(None),
        Err(error) => Err(why(&error)),
    }
}

/// The cluster that the step names, else the component's on that side.
pub(super) fn cluster_id(about: &StepContext<'_>, name: &str, side: Side) -> Result<String, SafeText> {
    let component = about.component()?;
    let known = || component.params.side_text("clusters", side).map(str::to_owned);
    super::rds::said(about, name)
        .or_else(known)
        .ok_or_else(|| SafeText::new(format!("{} names no cluster on the {} side", component.id, side.word())))
}

/// What stands before a call that moves the writer.
pub(super) enum Standing {
    /// The target is the writer already.
    Moved(SafeText),
    /// An operation runs on the global cluster.
    Busy(SafeText),
    /// As planned: this Region's member is the writer.
    Still(RegionId),
    Odd(SafeText),
}

pub(super) fn standing(cluster: &GlobalCluster, target_arn: &str) -> Standing {
    if let Some(failover) = &cluster.failover {
        return Standing::Busy(SafeText::new(format!(
            "{} is {} to {}",
            cluster.id,
            failover.status,
            failover.to.as_deref().unwrap_or("?")
        )));
    }
    let Some(target) = cluster.members.iter().find(|member| member.cluster_arn == target_arn) else {
        return Standing::Odd(SafeText::new(format!("{target_arn} is no member of {} any more", cluster.id)));
    };
    match cluster.writer() {
        _ if target.writer => Standing::Moved(SafeText::new(format!("the writer is {} already", target.region))),
        Some(writer) => Standing::Still(writer.region.clone()),
        None => Standing::Odd(SafeText::new(format!("{} has no writer", cluster.id))),
    }
}

/// Done when the target is the writer, nothing runs on the global cluster, and the target cluster is available.
pub(super) async fn observe_move(reader: &Reader, sent: &CallDescription, ask: &RegionId) -> Observed {
    let (Some(id), Some(target)) = (param(sent, "GlobalClusterIdentifier"), param(sent, "TargetDbClusterIdentifier"))
    else {
        return Observed::Unclear(SafeText::new("the record of the call names no cluster"));
    };
    let cluster = match read(reader, ask, id).await {
        Ok(cluster) => cluster,
        Err(why) => return Observed::Unclear(why),
    };
    if let Some(failover) = &cluster.failover {
        return Observed::InProgress(SafeText::new(format!("{} {}", cluster.id, failover.status)));
    }
    let Some(member) = cluster.members.iter().find(|member| member.cluster_arn == target) else {
        return Observed::NotDone(SafeText::new(format!("{target} is no member")));
    };
    if !member.writer {
        let writer = cluster.writer().map_or("nobody", |writer| writer.region.as_str());
        let text = SafeText::new(format!("the writer is {writer}, status {}", cluster.status));
        // Between states: neither moving nor at rest.
        return if cluster.status.as_str() == "available" {
            Observed::NotDone(text)
        } else {
            Observed::InProgress(text)
        };
    }
    let op = DescribeDbClusters { region: member.region.clone(), id: Some(tail(target).to_owned()) };
    match reader.read(&op).await {
        Err(error) => Observed::Unclear(why(&error)),
        Ok(answer) => match answer.value.iter().find(|cluster| cluster.arn == target) {
            Some(found) if found.status.as_str() == "available" && cluster.status.as_str() == "available" => {
                Observed::Done(SafeText::new(format!("writer is {}, status available", member.region)))
            }
            Some(found) => Observed::InProgress(SafeText::new(format!(
                "writer is {}, cluster {}, global cluster {}",
                member.region, found.status, cluster.status
            ))),
            None => Observed::Unclear(SafeText::new(format!("{} does not list {target}", member.region))),
        },
    }
}

/// The identifier in an ARN of a cluster.
pub(super) fn tail(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// Fourth field of an ARN.
pub(super) fn region_of(arn: &str) -> Option<RegionId> {
    arn.split(':').nth(3).filter(|region| !region.is_empty()).map(RegionId::new)
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::domain::resource::{GlobalMember, Tags};

    /// Mumbai writes; the other member is a connected secondary.
    pub fn global(secondary: Option<&str>) -> GlobalCluster {
        let member = |arn: &str, writer: bool| GlobalMember {
            cluster_arn: arn.to_owned(),
            region: region_of(arn).expect("an ARN"),
            writer,
            synchronization: Some(SafeText::new("connected")),
        };
        let mumbai = member("arn:aws:rds:ap-south-1:111122223333:cluster:payments-mum", true);
        GlobalCluster {
            id: SafeText::new("payments-global"),
            arn: SafeText::new("arn"),
            status: SafeText::new("available"),
            engine: SafeText::new("aurora-postgresql"),
            engine_version: SafeText::new("16.11"),
            members: std::iter::once(mumbai).chain(secondary.map(|arn| member(arn, false))).collect(),
            failover: None,
        }
    }

    pub fn cluster(arn: &str, status: &str, follows: Option<&str>) -> DbCluster {
        DbCluster {
            id: SafeText::new(tail(arn)),
            arn: arn.to_owned(),
            status: SafeText::new(status),
            engine: SafeText::new("aurora-postgresql"),
            engine_version: SafeText::new("16.11"),
            members: Vec::new(),
            latest_restorable: None,
            global_cluster: None,
            replicates_from: follows.map(str::to_owned),
            tags: Tags::new(),
        }
    }
}
