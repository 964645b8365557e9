//! A runbook for one app and one occasion: every `"$name"` becomes a value of its type, steps that are not for this
//! occasion are left out, and whatever waited for them waits for what they waited for.
//!
//! Values come from the request (`--set`), else from the app (`[app.parameters.<runbook>]`), else from the
//! parameter's default. The plan is built from the outcome; nothing downstream sees a `$`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    plan::PlanRequest,
    spec::{
        self, Guard, Hole, Lasting, Mutating, Only, ParameterKind, ParameterSpec, Presence, RunbookSpec, Signal, Spot,
        StepParam, StepSpec, Variant,
    },
};
use crate::domain::{
    App, Estate, Side, StepId,
    app::Param,
    diagnostic::nearest,
    kind::ParamShape,
    snapshot::Mode,
    text::SafeText,
    time::{parse_duration, written},
};

/// For what a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    Real,
    /// A rehearsal: what cleans up is planned, what must not be rehearsed is not.
    Drill,
}

impl Occasion {
    /// The mode as it is said everywhere: a rehearsal on the simulator is called one too.
    #[must_use]
    pub fn label(self, mode: Mode) -> String {
        match (self, mode) {
            (Self::Drill, Mode::Simulated { .. }) => format!("{} {}", mode.word(), Mode::Drill.word()),
            _ => mode.word(),
        }
    }
}

/// A runbook whose steps hold nothing but values.
#[derive(Clone, Debug)]
pub struct Bound {
    pub runbook: RunbookSpec,
    /// Every parameter that has a value, as text.
    pub parameters: BTreeMap<String, SafeText>,
}

/// Everything that is wrong with the values, at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(SafeText::as_str).collect::<Vec<_>>().join("; "))]
pub struct Unbindable(pub Vec<SafeText>);

pub fn bind(
    runbook: &RunbookSpec,
    estate: &Estate,
    app: &App,
    request: &PlanRequest,
    occasion: Occasion,
) -> Result<Bound, Unbindable> {
    let mut wrong = Vec::new();
    let values = values(runbook, app, &request.parameters, &mut wrong);
    let planned = |step: &StepSpec| {
        let wanted = step.conditions.iter().all(|name| is_set(values.get(name)));
        let occasion = match step.only {
            Only::Always => true,
            Only::Drill => occasion == Occasion::Drill,
            Only::Real => occasion == Occasion::Real,
        };
        wanted && occasion && (request.variant == Variant::Whole || step.mutating == Mutating::No)
    };
    let mut steps: Vec<StepSpec> = rewire(&runbook.steps, planned);
    for step in &mut steps {
        for hole in std::mem::take(&mut step.holes) {
            let filled = match values.get(&hole.parameter) {
                Some(value) => may_be_used(&hole, value, estate).and_then(|()| fill(step, &hole, value)),
                None => drop_optional(step, &hole),
            };
            if let Err(why) = filled {
                wrong.push(SafeText::new(format!("step {}: ${}: {why}", step.id, hole.parameter)));
            }
        }
    }
    if steps.is_empty() {
        wrong.push(SafeText::new(format!("{} has no step left to plan", runbook.id)));
    }
    if !wrong.is_empty() {
        return Err(Unbindable(wrong));
    }
    let parameters = values.iter().map(|(name, value)| (name.clone(), SafeText::new(words(value)))).collect();
    Ok(Bound { runbook: RunbookSpec { steps, ..runbook.clone() }, parameters })
}

/// A step with `if` is planned where its parameter has a value that is not `false`.
#[must_use]
pub fn is_set(value: Option<&Param>) -> bool {
    !matches!(value, None | Some(Param::Flag(false)))
}

fn values(
    runbook: &RunbookSpec,
    app: &App,
    set: &BTreeMap<String, String>,
    wrong: &mut Vec<SafeText>,
) -> BTreeMap<String, Param> {
    let own = app.parameters.get(&runbook.id);
    let mut found = BTreeMap::new();
    for spec in &runbook.parameters {
        let value = match set.get(&spec.name) {
            Some(text) => match parse(&spec.kind, text, app) {
                Ok(value) => Some(value),
                Err(why) => {
                    wrong.push(SafeText::new(format!("{} = {text:?}: {why}", spec.name)));
                    continue;
                }
            },
            None => own.and_then(|own| own.get(&spec.name)).cloned().or_else(|| by_itself(spec)),
        };
        match value {
            Some(value) => {
                found.insert(spec.name.clone(), value);
            }
            None if spec.presence == Presence::Required => {
                wrong.push(SafeText::new(format!("{} has no value: give it with --set {0}=…", spec.name)));
            }
            None => {}
        }
    }
    for name in set.keys().filter(|name| runbook.parameters.iter().all(|spec| spec.name != **name)) {
        let known = runbook.parameters.iter().map(|spec| spec.name.as_str());
        let near = nearest(name, known).map_or_else(String::new, |near| format!("; did you mean {near}?"));
        wrong.push(SafeText::new(format!("{} has no parameter {name}{near}", runbook.id)));
    }
    found
}

/// What holds when nobody says anything.
#[must_use]
pub fn by_itself(spec: &ParameterSpec) -> Option<Param> {
    match &spec.presence {
        Presence::Default(value) => Some(value.clone()),
        Presence::Required | Presence::Optional => None,
    }
}

/// Reads a value that a person wrote on the command line.
pub fn parse(kind: &ParameterKind, text: &str, app: &App) -> Result<Param, String> {
    match kind {
        ParameterKind::Text if text.trim().is_empty() => Err("it is empty".to_owned()),
        ParameterKind::Text => Ok(Param::Text(text.to_owned())),
        ParameterKind::Duration => parse_duration(text).map(Param::Duration).map_err(|error| error.to_string()),
        ParameterKind::Number => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Param::Number(number)),
            _ => Err("not a number".to_owned()),
        },
        ParameterKind::Flag => match text {
            "true" => Ok(Param::Flag(true)),
            "false" => Ok(Param::Flag(false)),
            _ => Err("true or false".to_owned()),
        },
        ParameterKind::Side => Side::BOTH
            .into_iter()
            .find(|side| side.word() == text)
            .map(Param::Side)
            .ok_or_else(|| "primary or recovery".to_owned()),
        ParameterKind::Component(_) | ParameterKind::Choice(_) => {
            fits(kind, text, app).map(|()| Param::Text(text.to_owned()))
        }
    }
}

/// Whether text is a value of a kind that names one of several things.
pub fn fits(kind: &ParameterKind, text: &str, app: &App) -> Result<(), String> {
    match kind {
        ParameterKind::Component(kinds) => {
            let right = |kind: &str| kinds.is_empty() || kinds.contains(&kind);
            match app.components.iter().find(|component| component.id.as_str() == text) {
                Some(component) if right(component.kind) => Ok(()),
                Some(component) => {
                    Err(format!("`{text}` is of kind `{}`, not `{}`", component.kind, kinds.join("` or `")))
                }
                None => {
                    let known = app.components.iter().filter(|c| right(c.kind)).map(|c| c.id.as_str());
                    let near =
                        nearest(text, known).map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
                    Err(format!("app \"{}\" has no component `{text}`{near}", app.id))
                }
            }
        }
        ParameterKind::Choice(of) if !of.iter().any(|word| word == text) => Err(format!("one of: {}", of.join(", "))),
        _ => Ok(()),
    }
}

/// As a person would write it.
#[must_use]
pub fn words(value: &Param) -> String {
    match value {
        Param::Text(text) => text.clone(),
        Param::Duration(duration) => written(*duration),
        Param::Number(number) => number.to_string(),
        Param::Flag(flag) => flag.to_string(),
        Param::Side(side) => side.word().to_owned(),
        Param::Size(_) | Param::Sides { .. } | Param::Map(_) => String::new(), // no parameter has these types
    }
}

/// The steps of a rehearsal that leave something which no later step of it takes away, and what that is.
pub(crate) fn left_behind(steps: &[StepSpec]) -> Vec<(&StepSpec, &'static str)> {
    let rehearsed: Vec<&StepSpec> = steps.iter().filter(|step| step.only != Only::Real).collect();
    let stays = |(n, step): (usize, &&'_ StepSpec)| match step.lasting {
        Lasting::Leaves(what) => {
            // Who says whose work it takes away takes away that and no other; the rest goes by the word.
            let cleared = rehearsed[n + 1..].iter().any(|later| {
                let named = spec::takes_away(&later.id, &later.params);
                named.contains(&step.id) || named.is_empty() && later.lasting == Lasting::Clears(what)
            });
            (!cleared).then_some((n, what))
        }
        Lasting::Nothing | Lasting::Clears(_) => None,
    };
    rehearsed.iter().enumerate().filter_map(stays).map(|(n, what)| (rehearsed[n], what)).collect()
}

/// Leaves out the steps that are not planned.
pub(crate) fn rewire(steps: &[StepSpec], planned: impl Fn(&StepSpec) -> bool) -> Vec<StepSpec> {
    let left_out: BTreeMap<&StepId, &StepSpec> =
        steps.iter().filter(|step| !planned(step)).map(|step| (&step.id, step)).collect();
    let mut kept = Vec::with_capacity(steps.len() - left_out.len());
    for step in steps.iter().filter(|step| !left_out.contains_key(&step.id)) {
        let mut step = step.clone();
        if step.after.iter().any(|id| left_out.contains_key(id)) {
            let mut after: Vec<StepId> = Vec::new();
            let mut seen: BTreeSet<StepId> = BTreeSet::new();
            let mut open: Vec<StepId> = step.after.iter().rev().cloned().collect();
            while let Some(id) = open.pop() {
                if !seen.insert(id.clone()) {
                    continue;
                }
                match left_out.get(&id) {
                    Some(gone) => open.extend(gone.after.iter().rev().cloned()),
                    None => after.push(id),
                }
            }
            step.after = after;
        }
        kept.push(step);
    }
    kept
}

pub(crate) fn fill(step: &mut StepSpec, hole: &Hole, value: &Param) -> Result<(), String> {
    let mismatch = || format!("{} does not fit here", words(value));
    match &hole.spot {
        Spot::Param { name, .. } => {
            step.params.insert((*name).to_owned(), StepParam::Value(value.clone()));
            Ok(())
        }
        Spot::Item { list, index } => match step.params.get_mut(*list) {
            Some(StepParam::Texts(texts)) if *index < texts.len() => {
                texts[*index] = words(value);
                Ok(())
            }
            _ => Err(mismatch()),
        },
        Spot::Signal { list, index, key } => match step.params.get_mut(*list) {
            Some(StepParam::Signals(signals)) if *index < signals.len() => {
                fill_signal(&mut signals[*index], key, value).ok_or_else(mismatch)
            }
            _ => Err(mismatch()),
        },
        Spot::Guard { index, key } => {
            let guard = step.guards.get_mut(*index).ok_or_else(mismatch)?;
            fill_guard(&mut guard.guard, key, value).ok_or_else(mismatch)
        }
        Spot::Timeout | Spot::Expect => match value {
            Param::Duration(duration) if !duration.is_zero() => {
                if hole.spot == Spot::Timeout {
                    step.timeout = *duration;
                } else {
                    step.expect = *duration;
                }
                // Whichever of the two is given later, the step may take the longer one.
                step.timeout = step.timeout.max(step.expect);
                Ok(())
            }
            _ => Err(mismatch()),
        },
    }
}

/// An optional value of a step whose parameter says nothing is left out; the loader allows no other hole here.
pub(crate) fn drop_optional(step: &mut StepSpec, hole: &Hole) -> Result<(), String> {
    match &hole.spot {
        Spot::Param { name, required: false, .. } => {
            step.params.remove(*name);
            Ok(())
        }
        _ => Err("it has no value".to_owned()),
    }
}

/// The keys of a signal or guard that name a component.
const COMPONENT_KEYS: [&str; 7] =
    ["metric", "health_check", "writer", "replicating", "component", "images_equal", "configuration_equal"];

fn fill_signal(signal: &mut Signal, key: &str, value: &Param) -> Option<()> {
    match (signal, value) {
        (
            Signal::MetricBelow { component, .. }
            | Signal::MetricAtLeast { component, .. }
            | Signal::HealthCheck { component, .. }
            | Signal::WriterIn { component, .. }
            | Signal::LagAtMost { component, .. }
            | Signal::RecoveryPoint { component, .. }
            | Signal::Replicating { component }
            | Signal::RecoveryPoint { component, .. },
            Param::Text(text),
        ) if COMPONENT_KEYS.contains(&key) => component.clone_from(text),
        (Signal::MetricBelow { limit, .. }, Param::Number(number)) if key == "below" => *limit = *number,
        (Signal::MetricAtLeast { limit, .. }, Param::Number(number)) if key == "at_least" => *limit = *number,
        (Signal::Verdict { component, .. }, Param::Text(text)) if COMPONENT_KEYS.contains(&key) => {
            *component = Some(text.clone());
        }
        (
            Signal::LagAtMost { limit, .. } | Signal::RecoveryPoint { newer_than: limit, .. },
            Param::Duration(duration),
        ) => *limit = *duration,
        (
            Signal::Unreachable { side, .. }
            | Signal::Reachable { side }
            | Signal::WriterIn { side, .. }
            | Signal::RecoveryPoint { side, .. },
            Param::Side(to),
        ) => *side = *to,
        _ => return None,
    }
    Some(())
}

fn fill_guard(guard: &mut Guard, key: &str, value: &Param) -> Option<()> {
    match (guard, value) {
        (Guard::Holds(signal), _) => return fill_signal(signal, key, value),
        (Guard::LagAtMost { component, .. }, Param::Text(text)) if COMPONENT_KEYS.contains(&key) => {
            *component = Some(text.clone());
        }
        (
            Guard::LagAtMost { limit, .. } | Guard::CredentialsOutlive { limit, .. } | Guard::TtlAtMost { limit, .. },
            Param::Duration(duration),
        ) => *limit = *duration,
        (Guard::TtlAtMost { component, .. } | Guard::Parity { component, .. }, Param::Text(text)) => {
            component.clone_from(text);
        }
        (Guard::NotSince { minimum }, Param::Duration(duration)) => *minimum = *duration,
        (
            Guard::ReadyFor { side, .. }
            | Guard::Fenced { side }
            | Guard::CredentialsOutlive { side, .. }
            | Guard::NotInside { side, .. },
            Param::Side(to),
        ) => *side = *to,
        _ => return None,
    }
    Some(())
}

/// An ARN given at the last minute is held against the residency rule and the accounts, as one in a file is.
fn may_be_used(hole: &Hole, value: &Param, estate: &Estate) -> Result<(), String> {
    let (Spot::Param { shape: ParamShape::Arn, .. }, Param::Text(arn)) = (&hole.spot, value) else { return Ok(()) };
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, service, region, account, resource] = parts.as_slice() else {
        return Err("not an ARN".to_owned());
    };
    if !partition.starts_with("aws") || service.is_empty() || resource.is_empty() {
        return Err("not an ARN".to_owned());
    }
    let inside = region.is_empty() || estate.residency.data.iter().any(|known| known.as_str() == *region);
    if !inside {
        return Err(format!("{region} is outside the residency rule"));
    }
    let own = account.is_empty()
        || *account == estate.expects_account
        || estate.access.values().any(|access| access.account.as_deref() == Some(*account));
    if own { Ok(()) } else { Err(format!("account {account} is not one of this estate")) }
}
