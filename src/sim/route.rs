//! Which service, operation and Region a request is meant for.
//!
//! Region and service come from the signature scope (`Credential=AKID/20261120/ap-south-2/rds/aws4_request`), so
//! that one port can stand for every endpoint; an unsigned request falls back to its host name (field guide 8.2).
//! The signature itself is not checked: the simulator has no secrets.

use bytes::Bytes;

use super::wire::{Form, Protocol};
use crate::domain::RegionId;

/// Service by its signing name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Rds,
    Route53,
    Sts,
    Monitoring,
    Backup,
}

impl Service {
    pub const ALL: [Self; 5] = [Self::Rds, Self::Route53, Self::Sts, Self::Monitoring, Self::Backup];

    /// Signing name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rds => "rds",
            Self::Route53 => "route53",
            Self::Sts => "sts",
            Self::Monitoring => "monitoring",
            Self::Backup => "backup",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "cloudwatch" => Some(Self::Monitoring),
            _ => Self::ALL.into_iter().find(|service| service.word() == word),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `None`: a service that is not simulated, named in `service_word`.
    pub service: Option<Service>,
    pub service_word: String,
    pub region: RegionId,
    /// Operation, e.g. `DescribeGlobalClusters`; method and path where it has no name here.
    pub operation: String,
    pub protocol: Protocol,
}

/// Where the request goes.
#[must_use]
pub fn target(request: &http::Request<Bytes>) -> Target {
    let (region, word) =
        scope(request).or_else(|| host(request)).unwrap_or_else(|| ("us-east-1".into(), "unknown".into()));
    let service = Service::parse(&word);
    let protocol = protocol(service, request);
    Target {
        service,
        service_word: service.map_or(word, |service| service.word().to_owned()),
        // Route 53 is signed for us-east-1 whatever the client's Region is (field guide 5.1).
        region: if service == Some(Service::Route53) { "us-east-1".into() } else { RegionId::new(&region) },
        operation: operation(protocol, request),
        protocol,
    }
}

fn scope(request: &http::Request<Bytes>) -> Option<(String, String)> {
    let header = request.headers().get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (_, after) = header.split_once("Credential=")?;
    let mut parts = after.split([',', ' ']).next()?.split('/').skip(2);
    let (region, service) = (parts.next()?, parts.next()?);
    (parts.next()? == "aws4_request").then(|| (region.to_owned(), service.to_owned()))
}

/// `rds.ap-south-2.amazonaws.com`, `route53.amazonaws.com`.
fn host(request: &http::Request<Bytes>) -> Option<(String, String)> {
    let named = request.uri().host().filter(|host| host.contains(".amazonaws.com"));
    let host = match named {
        Some(host) => host,
        None => request.headers().get(http::header::HOST)?.to_str().ok()?,
    };
    let name = host.split(':').next()?.strip_suffix(".amazonaws.com")?;
    let (service, region) = name.split_once('.').unwrap_or((name, "us-east-1"));
    Some((region.to_owned(), service.to_owned()))
}

fn protocol(service: Option<Service>, request: &http::Request<Bytes>) -> Protocol {
    match service {
        Some(Service::Route53) => Protocol::RestXml,
        Some(Service::Backup) => Protocol::RestJson,
        Some(Service::Monitoring) | None => {
            if request.headers().contains_key("smithy-protocol") || request.uri().path().starts_with("/service/") {
                Protocol::Cbor
            } else if request.headers().contains_key("x-amz-target") {
                Protocol::Json
            } else {
                Protocol::Query
            }
        }
        Some(Service::Rds | Service::Sts) => Protocol::Query,
    }
}

fn operation(protocol: Protocol, request: &http::Request<Bytes>) -> String {
    let path = request.uri().path();
    let named = match protocol {
        Protocol::Query => Form::of(request).get("Action").map(str::to_owned),
        Protocol::Cbor => path.rsplit('/').next().filter(|_| path.contains("/operation/")).map(str::to_owned),
        Protocol::Json => {
            let header = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
            header.and_then(|target| target.rsplit('.').next()).map(str::to_owned)
        }
        Protocol::RestXml | Protocol::RestJson => rest(request.method(), path).map(str::to_owned),
    };
    named.unwrap_or_else(|| format!("{} {path}", request.method()))
}

/// Names of the REST operations (service models of Route 53 and AWS Backup), for the call log and for faults.
fn rest(method: &http::Method, path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    Some(match (method.as_str(), parts.as_slice()) {
        ("GET", ["2013-04-01", "hostedzone"]) => "ListHostedZones",
        ("GET", ["2013-04-01", "hostedzonesbyname"]) => "ListHostedZonesByName",
        ("GET", ["2013-04-01", "hostedzone", _]) => "GetHostedZone",
        ("GET", ["2013-04-01", "hostedzone", _, "rrset"]) => "ListResourceRecordSets",
        ("POST", ["2013-04-01", "hostedzone", _, "rrset"]) => "ChangeResourceRecordSets",
        ("GET", ["2013-04-01", "change", ..]) => "GetChange",
        ("GET", ["2013-04-01", "healthcheck"]) => "ListHealthChecks",
        ("GET", ["2013-04-01", "healthcheck", _]) => "GetHealthCheck",
        ("POST", ["2013-04-01", "healthcheck", _]) => "UpdateHealthCheck",
        ("GET", ["2013-04-01", "healthcheck", _, "status"]) => "GetHealthCheckStatus",
        ("GET", ["backup-jobs"]) => "ListBackupJobs",
        ("GET", ["backup-jobs", _]) => "DescribeBackupJob",
        ("PUT", ["backup-jobs"]) => "StartBackupJob",
        ("GET", ["copy-jobs"]) => "ListCopyJobs",
        ("GET", ["copy-jobs", _]) => "DescribeCopyJob",
        ("PUT", ["copy-jobs"]) => "StartCopyJob",
        ("GET", ["restore-jobs"]) => "ListRestoreJobs",
        ("GET", ["restore-jobs", _]) => "DescribeRestoreJob",
        ("PUT", ["restore-jobs"]) => "StartRestoreJob",
        ("GET", ["backup-vaults"]) => "ListBackupVaults",
        ("GET", ["backup-vaults", _]) => "DescribeBackupVault",
        ("GET", ["backup-vaults", _, "recovery-points"]) => "ListRecoveryPointsByBackupVault",
        ("GET", ["backup-vaults", _, "recovery-points", _]) => "DescribeRecoveryPoint",
        ("GET", ["backup-vaults", _, "recovery-points", _, "restore-metadata"]) => "GetRecoveryPointRestoreMetadata",
        ("GET", ["resources"]) => "ListProtectedResources",
        ("GET", ["resources", _, "recovery-points"]) => "ListRecoveryPointsByResource",
        ("GET", ["resources", _]) => "DescribeProtectedResource",
        ("GET", ["backup", "plans"]) => "ListBackupPlans",
        ("GET", ["backup", "plans", _]) => "GetBackupPlan",
        ("GET", ["backup", "plans", _, "selections"]) => "ListBackupSelections",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(scope: &str, path: &str, body: &'static str) -> http::Request<Bytes> {
        let header =
            format!("AWS4-HMAC-SHA256 Credential=AKID/20261120/{scope}/aws4_request, SignedHeaders=host, Signature=0");
        http::Request::post(path).header("authorization", header).body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    #[test]
    fn the_signature_scope_says_region_and_service_on_one_port() {
        let target = target(&signed("ap-south-2/rds", "/", "Action=DescribeGlobalClusters"));
        assert_eq!((target.service, target.region.as_str()), (Some(Service::Rds), "ap-south-2"));
        assert_eq!((target.operation.as_str(), target.protocol), ("DescribeGlobalClusters", Protocol::Query));
    }

    #[test]
    fn an_unsigned_request_falls_back_to_its_host_and_an_unknown_service_is_named() {
        let request =
            http::Request::get("https://sts.ap-south-1.amazonaws.com/?Action=GetCallerIdentity").body(Bytes::new());
        let at = target(&request.unwrap());
        assert_eq!((at.service, at.region.as_str()), (Some(Service::Sts), "ap-south-1"));
        let other = target(&signed("ap-south-1/dynamodb", "/", ""));
        assert_eq!((other.service, other.service_word.as_str()), (None, "dynamodb"));
    }
}
