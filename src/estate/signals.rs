//! Signals and guards: the small tables in a step's `signals = [ … ]` and `guards = [ … ]`.
//!
//! Each is known by its first key. The components it names are held against every app that the runbook is for.

use std::ops::Range;

use super::{
    defaults,
    runbooks::Candidates,
    values::{self, SIDES},
};
use crate::domain::{
    Component,
    diagnostic::nearest,
    document::{Report, Table, Value},
    fact::What,
};
use crate::runbook::spec::{Guard, GuardSpec, Signal};

/// First keys of a signal.
const SIGNALS: [&str; 9] =
    ["unreachable", "reachable", "metric", "health_check", "alarm", "served", "writer", "replicating", "lag_at_most"];

/// First keys that only a guard has; `lag_at_most` is a guard of its own there.
const GUARDS: [&str; 4] = ["lag_at_most", "ready_for", "fenced", "not_since"];

/// The one word that allows a guard to be overridden: what a person then has to give.
const OVERRIDES: [(&str, ()); 1] = [("reason-and-authoriser", ())];

pub(super) fn signals(table: &Table<'_, '_>, key: &str, candidates: &Candidates<'_>) -> Vec<Signal> {
    let read = |value: Value<'_, '_>| {
        let mut inner = table.as_table(key, value)?;
        inner.call_it("the signal");
        let found = first_key(&inner, &SIGNALS, value.span()).and_then(|first| signal(&inner, first, candidates));
        inner.done();
        found
    };
    table.list(key).into_iter().filter_map(read).collect()
}

pub(super) fn guards(table: &Table<'_, '_>, candidates: &Candidates<'_>) -> Vec<GuardSpec> {
    let known: Vec<&'static str> =
        GUARDS.into_iter().chain(SIGNALS.into_iter().filter(|key| !GUARDS.contains(key))).collect();
    let read = |value: Value<'_, '_>| {
        let mut inner = table.as_table("guards", value)?;
        inner.call_it("the guard");
        let overridable =
            inner.text("override").and_then(|(text, span)| inner.choose("override", &text, span, &OVERRIDES)).is_some();
        let guard = match first_key(&inner, &known, value.span()) {
            Some(first) if GUARDS.contains(&first) => guard(&inner, first, candidates),
            Some(first) => signal(&inner, first, candidates).map(Guard::Holds),
            None => None,
        };
        inner.done();
        Some(GuardSpec { guard: guard?, overridable })
    };
    table.list("guards").into_iter().filter_map(read).collect()
}

/// The key by which the table is known; none or several are an error.
fn first_key(table: &Table<'_, '_>, known: &[&'static str], span: Range<usize>) -> Option<&'static str> {
    let present: Vec<&'static str> = known.iter().copied().filter(|key| table.get(key).is_some()).collect();
    match present.as_slice() {
        [one] => Some(one),
        [] => {
            // Asking for all keys keeps them from being reported one by one as well.
            let near = table.entries().into_iter().find_map(|(key, ..)| nearest(&key, known.iter().copied()));
            let help =
                near.map_or_else(|| format!("one of: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
            table.report().error("unknown-signal", span, "it says nothing that is known".to_owned(), Some(help));
            None
        }
        several => {
            let _ = table.entries(); // which other keys are known depends on what it says
            let message = format!("it says several things at once: {}", several.join(", "));
            table.report().error("several-signals", span, message, Some("one table for each".into()));
            None
        }
    }
}

fn guard(table: &Table<'_, '_>, first: &str, candidates: &Candidates<'_>) -> Option<Guard> {
    match first {
        "lag_at_most" => {
            let limit = table.duration("lag_at_most").map(|(d, _)| d);
            let last_sample = table.word("in_outage", &[("last-sample", ())]).is_some();
            let component = if let Some(named) = table.text("component") {
                Some(candidates.component(table.report(), named, "a component with a lag", has_lag)?)
            } else {
                let message = "no component of the app has a lag that this guard could read";
                let span = table.get("lag_at_most").map_or_else(|| table.span(), |value| value.span());
                candidates.some(table.report(), span, message, has_lag);
                None
            };
            Some(Guard::LagAtMost { component, limit: limit?, in_outage_last_sample: last_sample })
        }
        "ready_for" => {
            let percent = values::share(table, "ready_for");
            let side = table.need_word("region", &SIDES);
            Some(Guard::ReadyFor { percent: (percent?.0 * 100.0).round() as u32, side: side?.0 })
        }
        "fenced" => table.word("fenced", &SIDES).map(|(side, _)| Guard::Fenced { side }),
        _ => table.duration("not_since").map(|(minimum, _)| Guard::NotSince { minimum }),
    }
}

fn signal(table: &Table<'_, '_>, first: &str, candidates: &Candidates<'_>) -> Option<Signal> {
    let report = table.report();
    match first {
        "unreachable" => {
            let side = table.word("unreachable", &SIDES).map(|(side, _)| side);
            let vantage_points = vantage_points(table);
            Some(Signal::Unreachable { side: side?, vantage_points: vantage_points? })
        }
        "reachable" => table.word("reachable", &SIDES).map(|(side, _)| Signal::Reachable { side }),
        "metric" => {
            let component = table
                .text("metric")
                .and_then(|named| candidates.component(report, named, "a `metric`", |c| c.kind == "metric"));
            let (below, at_least) = (values::finite(table, "below"), values::finite(table, "at_least"));
            match exactly_one(table, "below", "at_least")? {
                Bound::Below => Some(Signal::MetricBelow { component: component?, limit: below?.0 }),
                Bound::AtLeast => Some(Signal::MetricAtLeast { component: component?, limit: at_least?.0 }),
            }
        }
        "health_check" => {
            let is_check = |c: &Component| c.kind == "route53-health-check";
            let component = table
                .text("health_check")
                .and_then(|named| candidates.component(report, named, "a `route53-health-check`", is_check));
            let healthy = table.need_word("is", &[("healthy", true), ("unhealthy", false)]);
            Some(Signal::HealthCheck { component: component?, healthy: healthy?.0 })
        }
        "alarm" => {
            let named = table.text("alarm");
            let component =
                named.and_then(|named| candidates.component(report, named, "an `alarm`", |c| c.kind == "alarm"));
            let ok = table.need_word("is", &[("ok", true), ("alarm", false)]);
            Some(Signal::Alarm { component: component?, ok: ok?.0 })
        }
        "served" => {
            let app = table.text("served").map(|named| candidates.served(report, named));
            let (below, at_least) = (values::share(table, "below"), values::share(table, "at_least"));
            let bound = exactly_one(table, "below", "at_least")?;
            app?;
            match bound {
                Bound::Below => Some(Signal::ServedBelow { share: below?.0 }),
                Bound::AtLeast => Some(Signal::ServedAtLeast { share: at_least?.0 }),
            }
        }
        "writer" => {
            let component = table
                .text("writer")
                .and_then(|named| candidates.component(report, named, "an `aurora-global`", has_writer));
            let side = table.need_word("in", &SIDES);
            Some(Signal::WriterIn { component: component?, side: side?.0 })
        }
        "replicating" => {
            let named = table.text("replicating")?;
            let component = candidates.component(report, named, "an `aurora-global`", has_writer)?;
            Some(Signal::Replicating { component })
        }
        _ => {
            let limit = table.duration("lag_at_most").map(|(d, _)| d);
            let named = table.need_text("component");
            let component = candidates.component(report, named?, "a component with a lag", has_lag)?;
            Some(Signal::LagAtMost { component, limit: limit? })
        }
    }
}

fn vantage_points(table: &Table<'_, '_>) -> Option<u32> {
    let Some(value) = table.get("from_vantage_points") else { return Some(defaults::VANTAGE_POINTS) };
    let (count, _) = table.integer("from_vantage_points")?;
    if let Ok(count @ 1..=9) = u32::try_from(count) {
        return Some(count);
    }
    let message = format!("`from_vantage_points = {count}` is not a number of vantage points");
    table.report().error("bad-number", value.span(), message, Some("1 to 9".into()));
    None
}

#[derive(Clone, Copy)]
enum Bound {
    Below,
    AtLeast,
}

fn exactly_one(table: &Table<'_, '_>, below: &str, at_least: &str) -> Option<Bound> {
    match (table.get(below), table.get(at_least)) {
        (Some(_), None) => Some(Bound::Below),
        (None, Some(_)) => Some(Bound::AtLeast),
        (None, None) => {
            let message = format!("it needs `{below}` or `{at_least}`");
            table.report().error("missing-key", table.span(), message, None);
            None
        }
        (Some(_), Some(value)) => {
            let message = format!("`{below}` and `{at_least}` together");
            table.report().error("several-signals", value.span(), message, Some("one table for each".into()));
            None
        }
    }
}

fn has_lag(component: &Component) -> bool {
    matches!(component.region_lost, Some((_, What::Lag)))
}

fn has_writer(component: &Component) -> bool {
    component.kind == "aurora-global"
}

impl Candidates<'_> {
    /// Reports a component that is missing from one of the apps, or is not what is wanted (with its article).
    pub(super) fn component(
        &self,
        report: &Report,
        (id, span): (String, Range<usize>),
        wanted: &str,
        fits: impl Fn(&Component) -> bool,
    ) -> Option<String> {
        for app in &self.apps {
            let Some(component) = app.components.iter().find(|component| component.id.as_str() == id) else {
                let ids = app.components.iter().filter(|c| fits(c)).map(|component| component.id.as_str());
                let help = nearest(&id, ids.clone()).map_or_else(
                    || {
                        let ids: Vec<&str> = ids.collect();
                        if ids.is_empty() {
                            format!("the app has no {}", wanted.split_once(' ').map_or(wanted, |(_, noun)| noun))
                        } else {
                            format!("{wanted}: {}", ids.join(", "))
                        }
                    },
                    |near| format!("did you mean \"{near}\"?"),
                );
                let message = format!("app \"{}\" has no component `{id}`", app.id);
                report.error("missing-reference", span, message, Some(help));
                return None;
            };
            if !fits(component) {
                let message = format!("`{id}` is of kind `{}`, not {wanted}", component.kind);
                report.error("wrong-kind", span, message, None);
                return None;
            }
        }
        Some(id)
    }

    /// Reports an app without any component that fits.
    fn some(&self, report: &Report, span: Range<usize>, message: &str, fits: impl Fn(&Component) -> bool) {
        if let Some(app) = self.apps.iter().find(|app| !app.components.iter().any(&fits)) {
            report.error("missing-reference", span, format!("{message}: \"{}\"", app.id), None);
        }
    }

    /// `served` names an app of the runbook, and that app declares its metrics. `app` stands for whichever it is.
    fn served(&self, report: &Report, (id, span): (String, Range<usize>)) {
        if id != "app" && self.complete && !self.apps.iter().any(|app| app.id.as_str() == id) {
            let help = nearest(&id, self.apps.iter().map(|app| app.id.as_str()))
                .map(|near| format!("did you mean \"{near}\"?"));
            let message = format!("the runbook is not for app `{id}`");
            report.error("missing-reference", span, message, help);
            return;
        }
        if let Some(app) = self.apps.iter().find(|app| app.served.is_none()) {
            let message = format!("app \"{}\" does not say which metrics tell that customers are served", app.id);
            report.error("missing-reference", span, message, Some("add `served` to the app".into()));
        }
    }
}
