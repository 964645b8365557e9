//! Each operation through the real SDK against canned answers in the service's own protocol.

mod backup;
mod cloudwatch;
mod failing;
mod listing;
mod rds;
mod route53;
mod sending;

use std::sync::Arc;

use super::{
    operation::ReadOp,
    testing::{Asked, HYDERABAD, MUMBAI, Reaction, ScriptedWire, connect},
};
use crate::domain::RegionId;

fn mumbai() -> RegionId {
    RegionId::new(MUMBAI)
}

fn hyderabad() -> RegionId {
    RegionId::new(HYDERABAD)
}

fn wire(script: impl Fn(&Asked) -> Reaction + Send + Sync + 'static) -> Arc<ScriptedWire> {
    ScriptedWire::new(script)
}

async fn read<O: ReadOp>(wire: &Arc<ScriptedWire>, op: O) -> Result<super::Read<O::Output>, crate::domain::ProbeError> {
    connect(wire).await.reader().read(&op).await
}
