//! STS: who we are. The cheapest call there is, and free of any IAM permission.

use super::{
    connection::ServiceClients,
    convert::safe,
    error::CallError,
    operation::{Answered, ReadOp, Site},
};
use crate::domain::{CallDescription, RegionId, resource::Identity};

/// `sts GetCallerIdentity` at the *regional* endpoint (field guide 8.4).
#[derive(Clone, Debug)]
pub struct GetCallerIdentity {
    pub region: RegionId,
}

impl GetCallerIdentity {
    fn site(&self) -> Site {
        Site::reading("sts", "GetCallerIdentity", &self.region)
    }
}

impl ReadOp for GetCallerIdentity {
    type Output = Identity;

    fn describe(&self) -> CallDescription {
        self.site().describe(Vec::new(), &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<Identity>, CallError> {
        let sts = &clients.region(&self.region)?.sts;
        let (output, request_id) = clients.call(&self.site(), 0, sts.get_caller_identity().send()).await?;
        let identity = Identity {
            account: safe(output.account()),
            arn: safe(output.arn()),
            skew_seconds: clients.shared.telemetry.skew(&self.region),
            session: clients.session(&self.region),
        };
        Ok(Answered { value: identity, request_id, truncated: false })
    }
}
