//! `scenarios/*.toml`: a timeline of faults for the simulator.
//!
//! Held against the estate (its Regions, its title) and against the simulator's fault words, so that a rehearsal
//! does not stop in its tenth minute over a slip of the pen.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use super::{Source, files, values};
use crate::domain::{
    Diagnostic, Estate, SafeText, Side,
    diagnostic::{SourceFile, nearest},
    document::{self, Table},
    region::GLOBAL_CONTROL_PLANE,
    scenario::{FaultParam, FaultShape, FaultSpec, FaultValue, FaultWords, Inject, Scenario, Shown},
};

/// The fastest that a scenario may ask for, as on the command line.
pub(super) const SPEED_MAX: f64 = 10_000.0;

/// The scenarios of an estate, and everything that is wrong in their files.
#[must_use]
pub fn load(source: &Source, estate: &Estate, faults: &[FaultSpec]) -> (Vec<Scenario>, Vec<Diagnostic>) {
    let mut read = files::read(source);
    let mut found = Vec::new();
    // What ails the other files is said by whoever loads those.
    let mut diagnostics = std::mem::take(&mut read.scenario_diagnostics);
    for file in &read.scenarios {
        let (scenario, mut wrong) = parse(file, estate, faults);
        found.extend(scenario);
        diagnostics.append(&mut wrong);
    }
    (found, diagnostics)
}

/// One scenario; `None` when anything is wrong in it.
#[must_use]
pub fn parse(file: &Arc<SourceFile>, estate: &Estate, faults: &[FaultSpec]) -> (Option<Scenario>, Vec<Diagnostic>) {
    let (document, report) = document::parse(file);
    let Some(document) = document else { return (None, report.take()) };
    let root = document.root();
    let title = values::said(&root, "title", root.need_text("title"));
    let speed = speed(&root);
    let say = values::said(&root, "say", root.text("say"));
    let tables = root.tables("inject");
    if tables.is_empty() {
        report.error("no-inject", 0..0, "nothing happens in this scenario", Some("add an [[inject]]".into()));
    }
    let count = tables.len();
    let mut injects: Vec<Inject> = tables.into_iter().filter_map(|table| inject(table, estate, faults)).collect();
    root.done();
    injects.sort_by_key(|inject| inject.at); // stable: what comes at once stays as written
    let id = Path::new(&file.name).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let whole = injects.len() == count;
    let scenario = title.zip(speed).map(|((title, _), speed)| Scenario {
        id,
        title: SafeText::new(title),
        speed,
        say: say.map(|(text, _)| SafeText::new(text)),
        injects,
        place: file.name.clone(),
    });
    let diagnostics = report.take();
    (scenario.filter(|_| whole && diagnostics.is_empty()), diagnostics)
}

fn speed(root: &Table<'_, '_>) -> Option<f64> {
    if root.get("speed").is_none() {
        return Some(1.0);
    }
    let (speed, span) = values::finite(root, "speed")?;
    if speed > 0.0 && speed <= SPEED_MAX {
        return Some(speed);
    }
    let help = Some(format!("more than 0, at most {SPEED_MAX}"));
    root.report().error("bad-number", span, format!("`speed = {speed}` is not a speed"), help);
    None
}

fn inject(mut table: Table<'_, '_>, estate: &Estate, faults: &[FaultSpec]) -> Option<Inject> {
    table.call_it("the inject");
    let title = values::said(&table, "title", table.need_text("title"));
    if let Some((title, _)) = &title {
        table.call_it(format!("inject \"{title}\""));
    }
    let at = table.need("at").and_then(|_| table.duration("at")).map(|(at, _)| at);
    let lasts = lasts(&table);
    let say = values::said(&table, "say", table.text("say")).map(|(text, _)| SafeText::new(text));
    let look_for = values::said(&table, "look_for", table.text("look_for")).map(|(text, _)| SafeText::new(text));
    let hidden = table.flag("hidden").is_some_and(|(hidden, _)| hidden);
    let fault = table.need_table("fault").and_then(|inner| fault(inner, estate, faults));
    table.done();
    Some(Inject {
        at: at?,
        lasts: lasts?,
        title: SafeText::new(title?.0),
        say,
        look_for,
        shown: if hidden { Shown::ToTheFacilitator } else { Shown::ToEverybody },
        fault: fault?,
    })
}

/// `None` when it is wrong; `Some(None)` when the file does not say.
#[expect(clippy::option_option, reason = "wrong, silent and said are three answers")]
fn lasts(table: &Table<'_, '_>) -> Option<Option<Duration>> {
    if table.get("lasts").is_none() {
        return Some(None);
    }
    let (lasts, span) = table.duration("lasts")?;
    if lasts.is_zero() {
        table.report().error("bad-duration", span, "`lasts` is zero".to_owned(), None);
        return None;
    }
    Some(Some(lasts))
}

fn fault(mut table: Table<'_, '_>, estate: &Estate, faults: &[FaultSpec]) -> Option<FaultWords> {
    table.call_it("the fault");
    let known: Vec<(&str, &FaultSpec)> = faults.iter().map(|spec| (spec.word, spec)).collect();
    let Some((spec, _)) = table.need_word("kind", &known) else {
        let _ = table.entries(); // which keys are known depends on the kind
        return None;
    };
    table.call_it(format!("fault \"{}\"", spec.word));
    let mut values = BTreeMap::new();
    let mut whole = true;
    for param in spec.params {
        let present = if param.required { table.need(param.name) } else { table.get(param.name) }.is_some();
        match present.then(|| value(&table, param, estate)).flatten() {
            Some(value) => {
                values.insert(param.name, value);
            }
            None => whole &= !present && !param.required,
        }
    }
    table.done();
    whole.then_some(FaultWords { fault: spec.word, values })
}

fn value(table: &Table<'_, '_>, param: &FaultParam, estate: &Estate) -> Option<FaultValue> {
    let key = param.name;
    match param.shape {
        FaultShape::Region => {
            let (text, span) = table.text(key)?;
            let known: Vec<&str> = Side::BOTH
                .iter()
                .map(|side| estate.regions.get(*side).id.as_str())
                .chain(std::iter::once(GLOBAL_CONTROL_PLANE))
                .collect();
            if known.contains(&text.as_str()) {
                return Some(FaultValue::Text(text));
            }
            let help = nearest(&text, known.iter().copied())
                .map_or_else(|| format!("one of: {}", known.join(", ")), |near| format!("did you mean \"{near}\"?"));
            let message = format!("`{key} = {text:?}` is not a Region of this estate");
            table.report().error("bad-region", span, message, Some(help));
            None
        }
        FaultShape::Text => values::said(table, key, table.text(key)).map(|(text, _)| FaultValue::Text(text)),
        FaultShape::Word(words) => {
            let known: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
            table.word(key, &known).map(|(word, _)| FaultValue::Text(word.to_owned()))
        }
        FaultShape::Count => {
            let (count, span) = table.integer(key)?;
            if let Ok(count @ 1..=1_000_000) = u64::try_from(count) {
                return Some(FaultValue::Count(count));
            }
            table.report().error("bad-number", span, format!("`{key} = {count}` is not a count"), None);
            None
        }
        FaultShape::UpTo(most) => {
            let (number, span) = values::finite(table, key)?;
            if (0.0..=most).contains(&number) {
                return Some(FaultValue::Number(number));
            }
            let message = format!("`{key} = {number}` is out of bounds");
            table.report().error("bad-number", span, message, Some(format!("from 0 to {most}")));
            None
        }
    }
}
