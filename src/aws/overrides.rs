//! Endpoint overrides: the environment (or a profile) may redirect any service (field guide 9.5).
//!
//! They are honoured, listed for the banner, and known to the engine, which refuses to act through one without
//! an explicit flag unless the other side names itself a simulator.

use std::collections::BTreeMap;

use aws_types::{SdkConfig, service_config::ServiceConfigKey};

use crate::domain::text::SafeText;

/// Variables of a process.
pub type Environment = BTreeMap<String, String>;

const GENERAL: &str = "AWS_ENDPOINT_URL";
const IGNORE: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";

/// The services we call, with the suffix of their variable; credentials come through the last three.
const SERVICES: [(&str, &str); 7] = [
    ("rds", "RDS"),
    ("cloudwatch", "CLOUDWATCH"),
    ("backup", "BACKUP"),
    ("route53", "ROUTE_53"),
    ("sts", "STS"),
    ("sso", "SSO"),
    ("ssooidc", "SSO_OIDC"),
];

/// (variable, URL) of each override in the environment. All are listed, even those that the ignore switch drops
/// for service clients: credential providers do not heed it.
#[must_use]
pub fn listed(environment: &Environment) -> Vec<(SafeText, SafeText)> {
    let specific = SERVICES.iter().map(|(_, suffix)| format!("{GENERAL}_{suffix}"));
    std::iter::once(GENERAL.to_owned())
        .chain(specific)
        .filter_map(|name| {
            let url = environment.get(&name).filter(|url| !url.is_empty())?;
            Some((SafeText::new(name), SafeText::new(without_userinfo(url))))
        })
        .collect()
}

/// The URL that a service's client must use, if the environment names one.
pub(super) fn endpoint(environment: &Environment, suffix: &str) -> Option<String> {
    if environment.get(IGNORE).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return None;
    }
    let specific = environment.get(&format!("{GENERAL}_{suffix}"));
    specific.or_else(|| environment.get(GENERAL)).filter(|url| !url.is_empty()).cloned()
}

/// A plain-HTTP endpoint on this machine for all services is not AWS (a simulator or an emulator): the estate's
/// profiles and roles mean nothing there, and their credentials are not sent to it.
pub(super) fn is_local_stand_in(environment: &Environment) -> bool {
    endpoint(environment, "RDS").is_some_and(|url| {
        let Some(rest) = url.strip_prefix("http://") else { return false };
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        environment.contains_key(GENERAL) && matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    })
}

/// Overrides that the shared config files give, which the SDK applies by itself.
pub(super) fn of_profile(config: &SdkConfig, environment: &Environment) -> Vec<(SafeText, SafeText)> {
    let Some(service_config) = config.service_config() else { return Vec::new() };
    SERVICES
        .iter()
        .filter(|(_, suffix)| endpoint(environment, suffix).is_none())
        .filter_map(|(id, _)| {
            let key = ServiceConfigKey::builder().service_id(id).env(GENERAL).profile("endpoint_url").build().ok()?;
            let url = service_config.load_config(key)?;
            Some((
                SafeText::new(format!("endpoint_url of the profile for {id}")),
                SafeText::new(without_userinfo(&url)),
            ))
        })
        .collect()
}

/// A URL may hold a password; the banner must not.
fn without_userinfo(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((userinfo, _)) => format!("{scheme}://{}", &rest[userinfo.len() + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_redirected_service_is_listed_without_its_password() {
        let env = environment(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_ENDPOINT_URL_ROUTE_53", "https://me:secret@proxy/x"),
            ("AWS_ENDPOINT_URL_RDS", ""),
        ]);
        let listed: Vec<_> = listed(&env).into_iter().map(|(name, url)| format!("{name}={url}")).collect();
        assert_eq!(listed, ["AWS_ENDPOINT_URL=http://127.0.0.1:4566", "AWS_ENDPOINT_URL_ROUTE_53=https://proxy/x"]);
        assert_eq!(endpoint(&env, "STS").as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(endpoint(&env, "ROUTE_53").as_deref(), Some("https://me:secret@proxy/x"));
    }

    #[test]
    fn only_a_plain_endpoint_on_this_machine_for_all_services_is_a_stand_in() {
        assert!(is_local_stand_in(&environment(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")])));
        assert!(is_local_stand_in(&environment(&[("AWS_ENDPOINT_URL", "http://localhost:4566/")])));
        assert!(!is_local_stand_in(&environment(&[("AWS_ENDPOINT_URL", "https://localhost:4566")])));
        assert!(!is_local_stand_in(&environment(&[("AWS_ENDPOINT_URL", "http://10.0.0.1:4566")])));
        assert!(!is_local_stand_in(&environment(&[("AWS_ENDPOINT_URL_RDS", "http://127.0.0.1:4566")])));
        assert!(!is_local_stand_in(&Environment::new()));
    }

    #[test]
    fn the_ignore_switch_is_heeded() {
        let env = environment(&[("AWS_ENDPOINT_URL", "http://x"), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]);
        assert_eq!(endpoint(&env, "RDS"), None);
    }
}
