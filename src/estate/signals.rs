//! Signals and guards: the small tables in a step's `signals = [ … ]` and `guards = [ … ]`.
//!
//! Each is known by its first key. The components it names are held against every app that the runbook is for.

use std::{ops::Range, time::Duration};

use super::{
    defaults,
    runbooks::{
        Candidate, Candidates,
        parameters::{Refers, Scope, Wanted, reference},
    },
    values::{self, SIDES},
};
use crate::domain::{
    Component, Side, StepId,
    app::Param,
    diagnostic::nearest,
    document::{Report, Table, Value},
    fact::What,
    time::Weekday,
};
use crate::runbook::bind;
use crate::runbook::spec::{Guard, GuardSpec, Parity, Signal, Spot};

/// First keys of a signal.
pub(super) const SIGNALS: [&str; 12] = [
    "unreachable",
    "reachable",
    "metric",
    "health_check",
    "alarm",
    "served",
    "writer",
    "replicating",
    "lag_at_most",
    "verdict",
    "recovery_point_newer_than",
    "quorum",
];

/// First keys that only a guard has; `lag_at_most` is a guard of its own there.
pub(super) const GUARDS: [&str; 11] = [
    "lag_at_most",
    "ready_for",
    "fenced",
    "not_since",
    "images_equal",
    "configuration_equal",
    "credentials_outlive",
    "ttl_at_most",
    "freeze",
    "window",
    "not_inside",
];

/// `verdict = [ … ]`.
const VERDICTS: [&str; 5] = ["met", "at-risk", "breached", "unknown", "no-target"];

/// Keys that go with one of those.
pub(super) const MORE: [&str; 12] = [
    "from_vantage_points",
    "below",
    "at_least",
    "is",
    "in",
    "component",
    "in_outage",
    "region",
    "attested",
    "opens",
    "lasts",
    "of",
];

/// The one word that allows a guard to be overridden: what a person then has to give.
const OVERRIDES: [(&str, ()); 1] = [("reason-and-authoriser", ())];

/// One small table: its keys, and where a `"$name"` in it goes.
struct Small<'t, 'd, 'a, 's, 'e> {
    table: &'t Table<'d, 'a>,
    scope: &'t Scope<'s, 'e>,
    spot: &'t dyn Fn(&'static str) -> Spot,
}

impl Small<'_, '_, '_, '_, '_> {
    fn refers(&self, key: &'static str, wanted: Wanted<'_>) -> Refers {
        self.scope.refers(self.table, key, wanted, || (self.spot)(key))
    }

    /// Until it is bound a reference stands for either side, for no time, for nothing.
    fn side(&self, key: &'static str) -> Option<Side> {
        match self.refers(key, Wanted::Side) {
            Refers::Not => self.table.word(key, &SIDES).map(|(side, _)| side),
            Refers::Yes => Some(Side::Primary),
            Refers::Wrong => None,
        }
    }

    fn need_side(&self, key: &'static str) -> Option<Side> {
        self.table.need(key)?;
        self.side(key)
    }

    fn duration(&self, key: &'static str) -> Option<Duration> {
        match self.refers(key, Wanted::Duration) {
            Refers::Not => self.table.duration(key).map(|(d, _)| d),
            Refers::Yes => Some(Duration::ZERO),
            Refers::Wrong => None,
        }
    }

    fn number(&self, key: &'static str) -> Option<f64> {
        match self.refers(key, Wanted::Number) {
            Refers::Not => values::finite(self.table, key).map(|(n, _)| n),
            Refers::Yes => Some(0.0),
            Refers::Wrong => None,
        }
    }

    fn component(&self, key: &'static str, wanted: &str, fits: impl Fn(&Component) -> bool) -> Option<String> {
        let named = self.table.text(key)?;
        if self.refers(key, Wanted::Component(&[])) == Refers::Wrong {
            return None;
        }
        self.scope.component(self.table.report(), named, wanted, fits)
    }
}

pub(super) fn signals(table: &Table<'_, '_>, key: &'static str, scope: &Scope<'_, '_>) -> Vec<Signal> {
    let read = |(index, value): (usize, Value<'_, '_>)| {
        let mut inner = table.as_table(key, value)?;
        inner.call_it("the signal");
        let small = Small { table: &inner, scope, spot: &move |field| Spot::Signal { list: key, index, key: field } };
        let found = first_key(&inner, &SIGNALS, value.span()).and_then(|first| signal(&small, first));
        inner.done();
        found
    };
    table.list(key).into_iter().enumerate().filter_map(read).collect()
}

/// The guards, and whether all of them could be read.
pub(super) fn guards(table: &Table<'_, '_>, scope: &Scope<'_, '_>) -> (Vec<GuardSpec>, bool) {
    let known: Vec<&'static str> =
        GUARDS.into_iter().chain(SIGNALS.into_iter().filter(|key| !GUARDS.contains(key))).collect();
    let read = |(index, value): (usize, Value<'_, '_>)| {
        let mut inner = table.as_table("guards", value)?;
        inner.call_it("the guard");
        let overridable =
            inner.text("override").and_then(|(text, span)| inner.choose("override", &text, span, &OVERRIDES)).is_some();
        let small = Small { table: &inner, scope, spot: &move |key| Spot::Guard { index, key } };
        let guard = match first_key(&inner, &known, value.span()) {
            Some(first) if GUARDS.contains(&first) => guard(&small, first),
            Some(first) => signal(&small, first).map(Guard::Holds),
            None => None,
        };
        inner.done();
        Some(GuardSpec { guard: guard?, overridable })
    };
    let written = table.list("guards");
    let count = written.len();
    let found: Vec<GuardSpec> = written.into_iter().enumerate().filter_map(read).collect();
    let whole = found.len() == count;
    (found, whole)
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

fn guard(small: &Small<'_, '_, '_, '_, '_>, first: &str) -> Option<Guard> {
    let table = small.table;
    match first {
        "lag_at_most" => {
            let limit = small.duration("lag_at_most");
            let last_sample = table.word("in_outage", &[("last-sample", ())]).is_some();
            let component = if table.get("component").is_some() {
                Some(small.component("component", "a component with a lag", has_lag)?)
            } else {
                let message = "no component of the app has a lag that this guard could read";
                let span = table.get("lag_at_most").map_or_else(|| table.span(), |value| value.span());
                small.scope.some(table.report(), span, message, has_lag);
                None
            };
            Some(Guard::LagAtMost { component, limit: limit?, in_outage_last_sample: last_sample })
        }
        "ready_for" => {
            let percent = values::share(table, "ready_for");
            let side = small.need_side("region");
            Some(Guard::ReadyFor { percent: (percent?.0 * 100.0).round() as u32, side: side? })
        }
        "fenced" => small.side("fenced").map(|side| Guard::Fenced { side }),
        "images_equal" => parity(small, "images_equal", Parity::Images),
        "configuration_equal" => parity(small, "configuration_equal", Parity::Configuration),
        "credentials_outlive" => {
            let limit = small.duration("credentials_outlive");
            let side = small.need_side("region");
            Some(Guard::CredentialsOutlive { side: side?, limit: limit? })
        }
        "ttl_at_most" => {
            let limit = small.duration("ttl_at_most");
            table.need("component")?;
            let component = small.component("component", "a `route53-record`", |c| c.kind == "route53-record")?;
            Some(Guard::TtlAtMost { component, limit: limit? })
        }
        "freeze" => table.word(first, &[("none", ())]).map(|_| Guard::NoFreeze),
        "window" => {
            let days = Weekday::WORDS.map(|(word, day)| (word, Some(day)));
            let every: Vec<(&str, Option<Weekday>)> = days.into_iter().chain([("daily", None)]).collect();
            let day = table.word(first, &every);
            let opens = table.need_text("opens").and_then(|(text, span)| past_midnight(table, &text, span));
            let lasts = table.get("lasts").is_some().then(|| table.duration("lasts")).flatten();
            if table.get("lasts").is_none() {
                let help = Some("lasts = \"4h\"".into());
                table.report().error("missing-key", table.span(), "the window does not say how long".to_owned(), help);
            }
            Some(Guard::InWindow { day: day?.0, from: opens?, lasts: lasts?.0 })
        }
        "not_inside" => {
            let side = small.side("not_inside");
            let attested = table.text("attested").map(|(id, _)| StepId::new(&id));
            Some(Guard::NotInside { side: side?, attested })
        }
        _ => small.duration("not_since").map(|minimum| Guard::NotSince { minimum }),
    }
}

/// Parity names a metric that counts what differs, or a component that a checklist attests.
fn parity(small: &Small<'_, '_, '_, '_, '_>, first: &'static str, of: Parity) -> Option<Guard> {
    let component = small.component(first, "a component", |_| true)?;
    let attested = small.table.text("attested").map(|(id, _)| StepId::new(&id));
    Some(Guard::Parity { of, component, attested })
}

/// `22:00`
fn past_midnight(table: &Table<'_, '_>, text: &str, span: Range<usize>) -> Option<Duration> {
    let read = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then(|| Duration::from_secs(hours * 3_600 + minutes * 60))
    };
    let found = read(text);
    if found.is_none() {
        let message = format!("`{text}` is not a time of day");
        table.report().error("bad-time", span, message, Some("\"22:00\"".into()));
    }
    found
}

fn signal(small: &Small<'_, '_, '_, '_, '_>, first: &str) -> Option<Signal> {
    let table = small.table;
    match first {
        "unreachable" => {
            let side = small.side("unreachable");
            let vantage_points = vantage_points(table);
            Some(Signal::Unreachable { side: side?, vantage_points: vantage_points? })
        }
        "reachable" => small.side("reachable").map(|side| Signal::Reachable { side }),
        "metric" => {
            let component = small.component("metric", "a `metric`", |c| c.kind == "metric");
            let (below, at_least) = (small.number("below"), small.number("at_least"));
            match exactly_one(table, "below", "at_least")? {
                Bound::Below => Some(Signal::MetricBelow { component: component?, limit: below? }),
                Bound::AtLeast => Some(Signal::MetricAtLeast { component: component?, limit: at_least? }),
            }
        }
        "health_check" => {
            let is_check = |c: &Component| c.kind == "route53-health-check";
            let component = small.component("health_check", "a `route53-health-check`", is_check);
            let healthy = table.need_word("is", &[("healthy", true), ("unhealthy", false)]);
            Some(Signal::HealthCheck { component: component?, healthy: healthy?.0 })
        }
        "alarm" => {
            let is_alarm = |c: &Component| c.kind == "alarm";
            let component = table
                .text("alarm")
                .and_then(|named| small.scope.component(table.report(), named, "an `alarm`", is_alarm));
            let ok = table.need_word("is", &[("ok", true), ("alarm", false)]);
            Some(Signal::Alarm { component: component?, ok: ok?.0 })
        }
        "served" => {
            let app = table.text("served").map(|named| small.scope.served(table.report(), named));
            let (below, at_least) = (values::share(table, "below"), values::share(table, "at_least"));
            let bound = exactly_one(table, "below", "at_least")?;
            app?;
            match bound {
                Bound::Below => Some(Signal::ServedBelow { share: below?.0 }),
                Bound::AtLeast => Some(Signal::ServedAtLeast { share: at_least?.0 }),
            }
        }
        "writer" => {
            let component = small.component("writer", "an `aurora-global`", has_writer);
            let side = small.need_side("in");
            Some(Signal::WriterIn { component: component?, side: side? })
        }
        "replicating" => {
            let component = small.component("replicating", "an `aurora-global`", has_writer)?;
            Some(Signal::Replicating { component })
        }
        "verdict" => {
            let component = match table.get("component") {
                Some(_) => Some(small.component("component", "a component", |_| true)?),
                None => None,
            };
            let mut is = Vec::new();
            for (text, span) in table.texts(first) {
                let words = VERDICTS.map(|word| (word, word));
                is.push(table.choose(first, &text, span, &words)?.0.to_owned());
            }
            if is.is_empty() {
                let help = Some("verdict = [\"met\"]".into());
                table.report().error("empty-list", table.span(), "no verdict is named".to_owned(), help);
                return None;
            }
            Some(Signal::Verdict { component, is })
        }
        "recovery_point_newer_than" => {
            let newer_than = small.duration("recovery_point_newer_than");
            let side = small.need_side("region");
            table.need("component")?;
            let component = small.component("component", "a component with recovery points", has_points);
            Some(Signal::RecoveryPoint { component: component?, newer_than: newer_than?, side: side? })
        }
        "quorum" => {
            let need = table.integer(first).map(|(need, _)| need);
            // One level: a quorum of quorums is read by nobody at three in the morning.
            let known: Vec<&'static str> = SIGNALS.into_iter().filter(|key| *key != "quorum").collect();
            let each = |value: Value<'_, '_>| {
                let mut inner = table.as_table("of", value)?;
                inner.call_it("the signal");
                // A place in a quorum has no name of its own to be filled by.
                if let Some((key, span, _)) = inner
                    .entries()
                    .into_iter()
                    .find(|(_, _, value)| value.raw().as_str().is_some_and(|text| reference(text).is_some()))
                {
                    let message = format!("`{key}` refers to a parameter inside a quorum");
                    table.report().error("parameter-type", span, message, None);
                    return None;
                }
                let nested = Small { table: &inner, scope: small.scope, spot: small.spot };
                let found = first_key(&inner, &known, value.span()).and_then(|first| signal(&nested, first));
                inner.done();
                found
            };
            let of: Vec<Signal> = table.list("of").into_iter().filter_map(each).collect();
            let need = need?;
            match u32::try_from(need) {
                Ok(count) if count >= 1 && count as usize <= of.len() => Some(Signal::Quorum { need: count, of }),
                _ => {
                    let message = format!("`quorum = {need}` of {} signals", of.len());
                    let help = Some(format!("a whole number from 1 to {}", of.len()));
                    table.report().error("bad-quorum", table.span(), message, help);
                    None
                }
            }
        }
        _ => {
            let limit = small.duration("lag_at_most");
            table.need("component")?;
            let component = small.component("component", "a component with a lag", has_lag)?;
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

fn has_points(component: &Component) -> bool {
    let pointlike = |what: What| matches!(what, What::RecoveryPoints | What::Restorable);
    component.region_lost.is_some_and(|(_, what)| pointlike(what))
        || component.corrupted.iter().any(|(_, what)| pointlike(*what))
}

fn has_writer(component: &Component) -> bool {
    component.kind == "aurora-global"
}

impl Scope<'_, '_> {
    /// The apps for which the step is planned at all.
    fn apps(&self) -> impl Iterator<Item = &Candidate<'_>> {
        self.candidates.apps.iter().filter(|one| self.conditions.iter().all(|name| bind::is_set(one.values.get(name))))
    }

    /// Reports a component that is missing from one of the apps, or is not what is wanted (with its article).
    pub(super) fn component(
        &self,
        report: &Report,
        (written, span): (String, Range<usize>),
        wanted: &str,
        fits: impl Fn(&Component) -> bool,
    ) -> Option<String> {
        for Candidate { app, values, .. } in self.apps() {
            let (id, bound) = match reference(&written).map(|name| values.get(name)) {
                None => (&written, String::new()),
                Some(Some(Param::Text(id))) => (id, format!("app \"{}\" binds it to this: ", app.id)),
                Some(_) => continue, // unbound or unreadable: reported at the app
            };
            let Some(component) = app.components.iter().find(|component| component.id.as_str() == id) else {
                let ids = app.components.iter().filter(|c| fits(c)).map(|component| component.id.as_str());
                let help = nearest(id, ids.clone()).map_or_else(
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
                let message = format!("{bound}`{id}` is of kind `{}`, not {wanted}", component.kind);
                report.error("wrong-kind", span, message, None);
                return None;
            }
        }
        Some(written)
    }

    /// Reports an app without any component that fits.
    fn some(&self, report: &Report, span: Range<usize>, message: &str, fits: impl Fn(&Component) -> bool) {
        if let Some(one) = self.apps().find(|one| !one.app.components.iter().any(&fits)) {
            report.error("missing-reference", span, format!("{message}: \"{}\"", one.app.id), None);
        }
    }

    /// `served` names an app of the runbook, and that app declares its metrics. `app` stands for whichever it is.
    fn served(&self, report: &Report, (id, span): (String, Range<usize>)) {
        let all: &Candidates<'_> = self.candidates;
        if id != "app" && all.complete && !all.apps.iter().any(|one| one.app.id.as_str() == id) {
            let help = nearest(&id, all.apps.iter().map(|one| one.app.id.as_str()))
                .map(|near| format!("did you mean \"{near}\"?"));
            let message = format!("the runbook is not for app `{id}`");
            report.error("missing-reference", span, message, help);
            return;
        }
        if let Some(one) = self.apps().find(|one| one.app.served.is_none()) {
            let message = format!("app \"{}\" does not say which metrics tell that customers are served", one.app.id);
            report.error("missing-reference", span, message, Some("add `served` to the app".into()));
        }
    }
}
