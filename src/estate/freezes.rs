//! `[[freeze]]`: when the bank wants no planned changes. Read with the head of the estate; the apps it names are
//! held against the estate when all of them were read.

use std::{ops::Range, time::Duration};

use super::{apps::Reference, defaults, values};
use crate::domain::{
    AppId, SafeText,
    diagnostic::nearest,
    document::{Report, Table},
    freeze::{Freeze, Scope, When},
    time::Weekday,
};
use crate::runbook::spec::RunbookKind;

const DAY: Duration = Duration::from_secs(86_400);

/// The freezes that could be read, and every app that one of them names.
pub(super) fn read(root: &Table<'_, '_>) -> (Vec<Freeze>, Vec<Reference>) {
    let mut named: Vec<Reference> = Vec::new();
    let read = |table: Table<'_, '_>| freeze(table, &mut named);
    let found = root.tables("freeze").into_iter().filter_map(read).collect();
    (found, named)
}

fn freeze(mut table: Table<'_, '_>, named: &mut Vec<Reference>) -> Option<Freeze> {
    table.call_it("the freeze");
    let report = table.report().clone();
    let name = values::said(&table, "name", table.need_text("name"));
    if let Some((name, _)) = &name {
        table.call_it(format!("freeze \"{name}\""));
    }
    let when = when(&table);
    let all = table.flag("all");
    let apps = values::list_of_text(&table, "apps");
    let kinds = kinds(&table);
    let span = table.span();
    table.done();

    let scope = match (all, apps) {
        (Some((true, span)), Some(_)) => {
            let message = "`all` and `apps` together".to_owned();
            report.error("bad-freeze", span, message, Some("one of the two".into()));
            None
        }
        (Some((true, _)), None) => Some(Scope::All),
        (_, Some(apps)) if !apps.is_empty() => {
            let ids = apps.iter().map(|(id, _)| AppId::new(id)).collect();
            named.extend(apps.into_iter().map(|(id, span)| Reference { id, span, report: report.clone() }));
            Some(Scope::Apps(ids))
        }
        _ => {
            let help = Some("apps = [\"core-banking\"], or all = true".into());
            report.error("bad-freeze", first_line(&span, &report), "the freeze is for no app".to_owned(), help);
            None
        }
    };
    Some(Freeze { name: SafeText::new(name?.0), when: when?, scope: scope?, kinds: kinds? })
}

fn first_line(span: &Range<usize>, report: &Report) -> Range<usize> {
    let text = &report.file().text;
    let end = text[span.start..].find('\n').map_or(text.len(), |n| span.start + n);
    span.start..end
}

fn when(table: &Table<'_, '_>) -> Option<When> {
    let report = table.report();
    let Some(mut weekly) = table.table("weekly") else {
        let from = table.need("from").and_then(|_| table.timestamp("from"));
        let to = table.need("to").and_then(|_| table.timestamp("to"));
        let ((from, _), (to, span)) = (from?, to?);
        if to <= from {
            report.error("bad-freeze", span, "`to` is not after `from`".to_owned(), None);
            return None;
        }
        return Some(When::Once { from, to });
    };
    for key in ["from", "to"] {
        if let Some(value) = table.get(key) {
            let message = format!("`weekly` and a `{key}` of its own");
            report.error("bad-freeze", value.span(), message, Some("once or weekly, not both".into()));
        }
    }
    weekly.call_it("`weekly`");
    let day = weekly.need_word("day", &Weekday::WORDS);
    let (from, to) = (time_of_day(&weekly, "from"), time_of_day(&weekly, "to"));
    weekly.done();
    let ((day, _), from, to) = (day?, from?, to?);
    // Not after `from` = on the next day; the same time on both is a whole day.
    let lasts = if to > from { to.saturating_sub(from) } else { (to + DAY).saturating_sub(from) };
    Some(When::Weekly { day, from, lasts })
}

/// `"22:00"`: the time past midnight.
fn time_of_day(table: &Table<'_, '_>, key: &str) -> Option<Duration> {
    let (text, span) = table.need_text(key)?;
    let two = |part: &str| (part.len() == 2).then(|| part.parse::<u64>().ok()).flatten();
    let parsed = text.split_once(':').and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)));
    if let Some((hour @ 0..=23, minute @ 0..=59)) = parsed {
        Some(Duration::from_secs(hour * 3_600 + minute * 60))
    } else {
        let message = format!("`{key} = {text:?}` is not a time of day");
        table.report().error("bad-time", span, message, Some("like \"22:00\", in the estate's time zone".into()));
        None
    }
}

fn kinds(table: &Table<'_, '_>) -> Option<Vec<String>> {
    let Some(value) = table.get("kinds") else {
        return Some(defaults::FROZEN_KINDS.map(|kind| kind.word().to_owned()).to_vec());
    };
    let known = RunbookKind::ALL.map(|kind| (kind.word(), kind));
    let written = values::list_of_text(table, "kinds")?;
    if written.is_empty() {
        table.report().error("empty-list", value.span(), "`kinds` is empty".to_owned(), None);
        return None;
    }
    let count = written.len();
    let found: Vec<String> = written
        .into_iter()
        .filter_map(|(text, span)| table.choose("kinds", &text, span, &known))
        .map(|(kind, _)| kind.word().to_owned())
        .collect();
    (found.len() == count).then_some(found)
}

/// Reports apps that are not there.
pub(super) fn resolve(named: &[Reference], app_ids: &[String]) {
    for reference in named.iter().filter(|reference| !app_ids.contains(&reference.id)) {
        let help =
            nearest(&reference.id, app_ids.iter().map(String::as_str)).map(|near| format!("did you mean \"{near}\"?"));
        let message = format!("there is no app `{}`", reference.id);
        reference.report.error("missing-reference", reference.span.clone(), message, help);
    }
}
