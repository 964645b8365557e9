//! Asks an address as a health check does, until it answers as it should or the time-out passes.
//!
//! It asks from this machine: what customers get, through DNS as they see it, is for `served` and the health checks
//! to say.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    kind::{Conduct, Eyes, Finding, ProbingStep, StepContext, StepKind},
    outside::HttpGet,
};
use crate::{
    domain::{
        Hazard,
        app::Param,
        kind::{ParamShape, ParamSpec},
        text::SafeText,
        time,
    },
    runbook::{
        build::Outline,
        spec::{Lasting, Mutating, StepKindSpec, StepParamSpec},
    },
};

pub const SPEC: StepKindSpec = StepKindSpec {
    id: "http.probe",
    title: "probe over HTTP",
    hazard: Hazard::None,
    params: &[
        StepParamSpec::Value(ParamSpec {
            name: "url",
            shape: ParamShape::Text,
            required: true,
            doc: "http:// or https://, of the side itself rather than the name that customers use.",
        }),
        StepParamSpec::Value(ParamSpec {
            name: "status",
            shape: ParamShape::Number,
            required: false,
            doc: "Status that is expected; default 200. Redirects are not followed.",
        }),
        StepParamSpec::Value(ParamSpec {
            name: "contains",
            shape: ParamShape::Text,
            required: false,
            doc: "Text that the first 5120 bytes of the body must hold.",
        }),
        StepParamSpec::Value(ParamSpec {
            name: "answer_within",
            shape: ParamShape::Duration,
            required: false,
            doc: "How long one try may take; default 4 s.",
        }),
    ],
    undo: "nothing to undo: it reads only",
    mutating: Mutating::No,
    lasting: Lasting::Nothing,
    default_timeout: Duration::from_mins(5),
    default_expect: Duration::from_secs(5),
};

/// As long as Route 53's checkers wait for a connection.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

pub struct HttpProbe;

struct Wanted<'a> {
    get: HttpGet,
    status: u16,
    contains: Option<&'a str>,
}

fn text<'a>(about: &StepContext<'a>, name: &str) -> Option<&'a str> {
    match about.step.value(name) {
        Some(Param::Text(text)) => Some(text),
        _ => None,
    }
}

fn wanted<'a>(about: &StepContext<'a>) -> Result<Wanted<'a>, SafeText> {
    let url = text(about, "url").unwrap_or_default();
    let uri: Option<http::Uri> = url.parse().ok();
    let whole = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    if whole.is_none() {
        return Err(SafeText::new(format!("{url}: not an http:// or https:// address")));
    }
    let status = match about.step.value("status") {
        None => 200,
        Some(Param::Number(status)) if (100.0..=599.0).contains(status) && status.fract() == 0.0 => *status as u16,
        Some(_) => return Err(SafeText::new("status is not a status of HTTP")),
    };
    let timeout = match about.step.value("answer_within") {
        Some(Param::Duration(within)) => *within,
        _ => ANSWER_WITHIN,
    };
    Ok(Wanted { get: HttpGet { url: url.to_owned(), timeout }, status, contains: text(about, "contains") })
}

impl StepKind for HttpProbe {
    fn spec(&self) -> &'static StepKindSpec {
        &SPEC
    }

    fn outline(&self, about: &StepContext<'_>) -> Outline {
        let wanted = wanted(about);
        let done_when = wanted.as_ref().map_or_else(ToString::to_string, |wanted| {
            let body = wanted.contains.map_or_else(String::new, |text| format!(" with \"{text}\""));
            format!("{} answers {}{body}", wanted.get.url, wanted.status)
        });
        Outline {
            calls: wanted.map(|_| Vec::new()),
            summary: SafeText::new(format!("reads only: GET until {done_when}")),
            done_when: SafeText::new(done_when),
            undo: SafeText::new(SPEC.undo),
        }
    }

    fn conduct(&self) -> Conduct<'_> {
        Conduct::Probes(self)
    }
}

#[async_trait]
impl ProbingStep for HttpProbe {
    /// One try: the engine asks again until the step's time-out.
    async fn probe(&self, about: &StepContext<'_>, eyes: &Eyes<'_>) -> Finding {
        let wanted = match wanted(about) {
            Ok(wanted) => wanted,
            Err(why) => return Finding::Failed(why),
        };
        match eyes.outside.get(&wanted.get).await {
            Err(why) => Finding::NotYet(why),
            Ok(answer) if answer.status != wanted.status => {
                Finding::NotYet(SafeText::new(format!("{} answers {}", wanted.get.url, answer.status)))
            }
            Ok(answer) => match wanted.contains {
                Some(text) if !answer.body.contains(text) => Finding::NotYet(SafeText::new(format!(
                    "{} answers {} without \"{text}\"",
                    wanted.get.url, answer.status
                ))),
                _ => Finding::Done(SafeText::new(format!(
                    "{} answers {} in {}",
                    wanted.get.url,
                    answer.status,
                    time::short_up(answer.took)
                ))),
            },
        }
    }
}
