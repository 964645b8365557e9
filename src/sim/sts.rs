//! STS, awsQuery version 2011-06-15: who is asking, and worthless credentials for a role.

use std::time::Duration;

use super::{
    draw, rds,
    service::{Answer, Call},
    wire::{Form, Protocol, Refusal, Xml, respond},
};
use crate::domain::{Estate, Side, Timestamp};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// Documented: the default duration of a role session.
const SESSION: Duration = Duration::from_hours(1);

/// `wall` is real time: the SDK compares the expiry of credentials with its own clock, not with the estate's.
pub fn answer(estate: &Estate, call: &Call, wall: Timestamp) -> Answer {
    let form = Form::of(call.request);
    let answered = match form.get("Action").unwrap_or_default() {
        "GetCallerIdentity" => Ok(caller(estate, call)),
        "AssumeRole" => assume(&form, call, wall),
        other => Err(Refusal::bad("InvalidAction", format!("Could not find operation {other} for version 2011-06-15"))),
    };
    match answered {
        Ok(xml) => respond(http::StatusCode::OK, "text/xml", xml.finish()),
        Err(refusal) => refusal.answer(Protocol::Query, call.request_id),
    }
}

fn caller(estate: &Estate, call: &Call) -> Xml {
    let side = estate.regions.side_of(call.region).unwrap_or(Side::Primary);
    let account = rds::account(estate, side);
    let role = estate.access.get(&side).and_then(|access| access.role.as_deref());
    let role = role.and_then(|arn| arn.rsplit('/').next()).unwrap_or("simulated-operator");
    let mut xml = Xml::new();
    xml.open_root("GetCallerIdentityResponse", NAMESPACE).open("GetCallerIdentityResult");
    xml.text("Arn", format!("arn:aws:sts::{account}:assumed-role/{role}/pointsman"))
        .text("UserId", format!("AROASIMULATED{}:pointsman", draw::token(call.seed, role, 8)))
        .text("Account", account)
        .close();
    finish(xml, call)
}

fn assume(form: &Form, call: &Call, wall: Timestamp) -> Result<Xml, Refusal> {
    let role = form.get("RoleArn").filter(|arn| arn.starts_with("arn:aws:iam::") && arn.contains(":role/"));
    let session = form.get("RoleSessionName");
    let (Some(role), Some(session)) = (role, session) else {
        return Err(Refusal::bad("ValidationError", "RoleArn must be the ARN of a role, with a RoleSessionName"));
    };
    let seconds = form.get("DurationSeconds").and_then(|text| text.parse().ok()).map_or(SESSION, Duration::from_secs);
    let arn = role.replacen(":iam:", ":sts:", 1).replacen(":role/", ":assumed-role/", 1);
    let token = |what: &str, letters| draw::token(call.seed, &format!("{what} {}", call.seq), letters);
    let mut xml = Xml::new();
    xml.open_root("AssumeRoleResponse", NAMESPACE).open("AssumeRoleResult").open("AssumedRoleUser");
    xml.text("AssumedRoleId", format!("AROASIMULATED{}:{session}", token("role", 8)))
        .text("Arn", format!("{arn}/{session}"))
        .close()
        .open("Credentials");
    xml.text("AccessKeyId", format!("ASIASIM{}", token("key", 13)))
        .text("SecretAccessKey", "simulated-and-worthless")
        .text("SessionToken", format!("simulated-{}", token("session", 24)))
        .text("Expiration", (wall + seconds).rfc3339())
        .close()
        .close();
    Ok(finish(xml, call))
}

fn finish(mut xml: Xml, call: &Call) -> Xml {
    xml.open("ResponseMetadata").text("RequestId", call.request_id).close().close();
    xml
}
