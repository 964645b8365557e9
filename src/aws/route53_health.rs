//! Overriding a Route 53 health check (field guide 5.2). Control plane in us-east-1: not for the night on which
//! us-east-1 itself is in trouble.
//!
//! `HealthCheckVersion` makes the change a compare-and-set: it is always sent.

use async_trait::async_trait;

use super::{
    connection::ServiceClients,
    error::CallError,
    operation::{Accepted, Answered, ReadOp, Site, WriteOp},
    write::WritingClients,
};
use crate::domain::{CallDescription, Hazard, RegionId, region::GLOBAL_CONTROL_PLANE, text::SafeText};

fn global() -> RegionId {
    RegionId::new(GLOBAL_CONTROL_PLANE)
}

/// How a check is overridden, and which version of it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthCheckSwitches {
    pub inverted: bool,
    /// A disabled check counts as healthy; inverted as well, as unhealthy.
    pub disabled: bool,
    pub version: i64,
}

#[derive(Clone, Debug)]
pub struct GetHealthCheckSwitches {
    pub id: String,
}

impl ReadOp for GetHealthCheckSwitches {
    type Output = HealthCheckSwitches;

    fn describe(&self) -> CallDescription {
        Site::reading("route53", "GetHealthCheck", &global())
            .describe(vec![("HealthCheckId", Some(self.id.clone()))], &[])
    }

    async fn send(&self, clients: &ServiceClients) -> Result<Answered<HealthCheckSwitches>, CallError> {
        let request = clients.region(&global())?.route53.get_health_check().health_check_id(&self.id);
        let site = Site::reading("route53", "GetHealthCheck", &global());
        let (output, request_id) = clients.call(&site, 0, request.send()).await?;
        let check = output.health_check().ok_or_else(|| CallError::bad_answer("GetHealthCheck without HealthCheck"))?;
        let config = check.health_check_config();
        let value = HealthCheckSwitches {
            inverted: config.and_then(aws_sdk_route53::types::HealthCheckConfig::inverted).unwrap_or(false),
            disabled: config.and_then(aws_sdk_route53::types::HealthCheckConfig::disabled).unwrap_or(false),
            version: check.health_check_version(),
        };
        Ok(Answered { value, request_id, truncated: false })
    }
}

/// Sets both switches of one check, if it is still the version that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateHealthCheck {
    pub id: String,
    pub inverted: bool,
    pub disabled: bool,
    /// `None` in a plan: it is read right before the act.
    pub version: Option<i64>,
}

impl UpdateHealthCheck {
    fn site() -> Site {
        Site::writing("route53", "UpdateHealthCheck", &global(), Hazard::Disruptive)
    }
}

#[async_trait]
impl WriteOp for UpdateHealthCheck {
    fn describe(&self) -> CallDescription {
        let version = self.version.map_or_else(|| "*".to_owned(), |version| version.to_string());
        let params = vec![
            ("HealthCheckId", Some(self.id.clone())),
            ("Inverted", Some(self.inverted.to_string())),
            ("Disabled", Some(self.disabled.to_string())),
            ("HealthCheckVersion", Some(version)),
        ];
        Self::site().describe(params, &[])
    }

    async fn send(&self, clients: &WritingClients) -> Result<Accepted, CallError> {
        let Some(version) = self.version else {
            return Err(CallError::not_sent("the version of the health check was not read"));
        };
        let request = clients.region(&global())?.route53.update_health_check();
        let request = request
            .health_check_id(&self.id)
            .health_check_version(version)
            .inverted(self.inverted)
            .disabled(self.disabled);
        let (output, request_id) =
            clients.call(&Self::site(), |mark| request.customize().interceptor(mark).send()).await?;
        let version = output.health_check().map(aws_sdk_route53::types::HealthCheck::health_check_version);
        Ok(Accepted { request_id, detail: version.map_or_else(SafeText::default, |v| SafeText::new(v.to_string())) })
    }
}
