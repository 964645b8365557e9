//! Overrides a Route 53 health check, so that failover records move without a change of records, and puts it back.
//!
//! Inverted turns a healthy check unhealthy; disabled counts as healthy, disabled and inverted as unhealthy (field
//! guide 5.2). A check left overridden is blind: the way home puts it back with both switches off. Goes through
//! us-east-1.

use std::time::Duration;

use async_trait::async_trait;

use super::kind::{Conduct, Eyes, MutatingStep, Observed, Prepared, StepContext, StepKind, param, why};
use crate::{
    aws::{
        WriteOp,
        route53_health::{GetHealthCheckSwitches, HealthCheckSwitches, UpdateHealthCheck},
    },
    domain::{
        CallDescription, Hazard,
        kind::{ParamShape, ParamSpec},
        text::SafeText,
    },
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "route53.health-check-override",
    title: "override a health check",
    hazard: Hazard::Disruptive,
    params: &[
        StepParamSpec::Component { name: "component", kinds: &["route53-health-check"], required: true },
        StepParamSpec::Value(ParamSpec {
            name: "inverted",
            shape: ParamShape::Flag,
            required: true,
            doc: "Healthy counts as unhealthy and the other way round.",
        }),
        StepParamSpec::Value(ParamSpec {
            name: "disabled",
            shape: ParamShape::Flag,
            required: true,
            doc: "Counts as healthy, or with `inverted` as unhealthy, whatever the checkers see.",
        }),
    ],
    undo: "the same step with both switches as they were: off",
    mutating: Mutating::Yes,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(5),
    default_expect: Duration::from_secs(10),
};

pub struct HealthOverride;

fn call(about: &StepContext<'_>) -> Result<UpdateHealthCheck, SafeText> {
    let component = about.component()?;
    let id = component.params.text("health_check").ok_or_else(|| SafeText::new("no health_check"))?;
    Ok(UpdateHealthCheck {
        id: id.to_owned(),
        inverted: about.step.flag("inverted"),
        disabled: about.step.flag("disabled"),
        version: None,
    })
}

async fn read(id: &str, eyes: &Eyes<'_>) -> Result<HealthCheckSwitches, SafeText> {
    let op = GetHealthCheckSwitches { id: id.to_owned() };
    eyes.reader.read(&op).await.map(|answer| answer.value).map_err(|error| why(&error))
}

const fn counts(inverted: bool, disabled: bool) -> &'static str {
    match (inverted, disabled) {
        (false, false) => "what its checkers see",
        (true, false) => "the opposite of what its checkers see",
        (false, true) => "healthy, always",
        (true, true) => "unhealthy, always",
    }
}

impl StepKind for HealthOverride {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let counts = counts(about.step.flag("inverted"), about.step.flag("disabled"));
        let id = about.step.component().map_or_else(String::new, |id| id.to_string());
        Outline {
            calls: call(about).map(|call| vec![call.describe()]),
            summary: SafeText::new(format!(
                "route53 UpdateHealthCheck: {id} counts as {counts} (us-east-1, control plane)"
            )),
            done_when: SafeText::new("both switches read back as sent"),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Acts(self)
    }
}

#[async_trait]
impl MutatingStep for HealthOverride {
    async fn prepare(&self, about: &StepContext<'_>, _planned: &[CallDescription], eyes: &Eyes<'_>) -> Prepared {
        let mut op = match call(about) {
            Ok(op) => op,
            Err(why) => return Prepared::NotNow(why),
        };
        match read(&op.id, eyes).await {
            Err(why) => Prepared::NotNow(why),
            Ok(now) if (now.inverted, now.disabled) == (op.inverted, op.disabled) => Prepared::AlreadyDone(
                SafeText::new(format!("{} counts as {} already", op.id, counts(now.inverted, now.disabled))),
            ),
            Ok(now) => {
                op.version = Some(now.version);
                Prepared::Send(Box::new(op))
            }
        }
    }

    async fn observe(
        &self,
        about: &StepContext<'_>,
        sent: &CallDescription,
        _accepted: Option<&str>,
        eyes: &Eyes<'_>,
    ) -> Observed {
        let (wanted, from) = (call(about), param(sent, "HealthCheckVersion").and_then(|text| text.parse().ok()));
        let (Ok(wanted), Some(from)) = (wanted, from) else {
            return Observed::Unclear(SafeText::new("the record of the call names no version"));
        };
        match read(&wanted.id, eyes).await {
            Err(why) => Observed::Unclear(why),
            Ok(now) => judge(&wanted, from, now),
        }
    }
}

/// AWS counts every update: whether it was ours shows in the version.
fn judge(wanted: &UpdateHealthCheck, from: i64, now: HealthCheckSwitches) -> Observed {
    let so = (now.inverted, now.disabled) == (wanted.inverted, wanted.disabled);
    let text = |rest: &str| {
        SafeText::new(format!(
            "{} version {}: counts as {}{rest}",
            wanted.id,
            now.version,
            counts(now.inverted, now.disabled)
        ))
    };
    match (so, now.version - from) {
        (true, 1) => Observed::Done(text("")),
        (true, _) => Observed::Done(text("; somebody else changed it as well")),
        (false, 0) => Observed::NotDone(text("")),
        (false, _) => Observed::Unclear(text("; somebody changed it since")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_tells_our_change_from_somebody_elses() {
        let wanted = UpdateHealthCheck { id: "hc".into(), inverted: true, disabled: true, version: None };
        let now = |inverted, disabled, version| HealthCheckSwitches { inverted, disabled, version };
        assert!(matches!(judge(&wanted, 4, now(true, true, 5)), Observed::Done(_)));
        assert!(matches!(judge(&wanted, 4, now(false, false, 4)), Observed::NotDone(_)));
        assert!(matches!(judge(&wanted, 4, now(false, false, 6)), Observed::Unclear(_)));
        let Observed::Done(text) = judge(&wanted, 4, now(true, true, 7)) else { panic!("it is so") };
        assert!(text.contains("somebody else"), "{text}");
    }
}
