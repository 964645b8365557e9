//! References between files: apps that depend on apps, apps that name runbooks, runbooks that offer runbooks.
//! Resolved when everything was read; also ids that two files claim.

use super::{
    apps::{self, Named},
    runbooks,
};
use crate::domain::{App, diagnostic::nearest};
use crate::runbook::spec::RunbookSpec;

/// Reports the second of two equal ids, with the place of the first.
pub(super) fn duplicates<'n>(what: &str, named: impl IntoIterator<Item = &'n Named>) {
    let mut seen: Vec<&Named> = Vec::new();
    for one in named {
        match seen.iter().find(|first| first.id == one.id) {
            Some(first) => {
                let line = first.report.file().text[..first.span.start].matches('\n').count() + 1;
                let help = Some(format!("first in {}:{line}", first.report.file().name));
                one.report.error("duplicate-id", one.span.clone(), format!("a second {what} `{}`", one.id), help);
            }
            None => seen.push(one),
        }
    }
}

pub(super) fn apps(drafts: &[apps::Draft], runbooks: &[runbooks::Draft]) {
    let ids: Vec<&str> = drafts.iter().filter_map(|draft| draft.named.as_ref()).map(|n| n.id.as_str()).collect();
    for draft in drafts {
        for reference in &draft.depends_on {
            let own = draft.named.as_ref().is_some_and(|named| named.id == reference.id);
            if own {
                let message = format!("app `{}` depends on itself", reference.id);
                reference.report.error("cycle", reference.span.clone(), message, None);
            } else if !ids.contains(&reference.id.as_str()) {
                missing(reference, "app", &ids);
            }
        }
        for (word, reference) in &draft.runbooks {
            runbook(draft, *word, reference, runbooks);
        }
    }
    cycle(drafts);
}

fn missing(reference: &apps::Reference, what: &str, known: &[&str]) {
    let help = nearest(&reference.id, known.iter().copied()).map(|near| format!("did you mean \"{near}\"?"));
    let message = format!("there is no {what} `{}`", reference.id);
    reference.report.error("missing-reference", reference.span.clone(), message, help);
}

/// A runbook that an app names must be there, be of that kind, and be for that app.
fn runbook(draft: &apps::Draft, word: Option<&'static str>, reference: &apps::Reference, runbooks: &[runbooks::Draft]) {
    let ids: Vec<&str> = runbooks.iter().filter_map(|r| r.named.as_ref()).map(|named| named.id.as_str()).collect();
    let found = runbooks.iter().find(|r| r.named.as_ref().is_some_and(|named| named.id == reference.id));
    let Some(found) = found else { return missing(reference, "runbook", &ids) };
    let (Some(spec), Some(word), Some(app)) = (&found.runbook, word, &draft.app) else { return };
    if spec.kind.word() != word {
        let message = format!("`{}` is a {}, not a {word}", reference.id, spec.kind.word());
        reference.report.error("wrong-kind", reference.span.clone(), message, None);
    }
    if !is_for(spec, app) {
        let message = format!("`{}` is not for app `{}`", reference.id, app.id);
        let help = Some(format!("add \"{}\" to `for` in {}", app.id, spec.place));
        reference.report.error("wrong-runbook", reference.span.clone(), message, help);
    }
}

fn is_for(spec: &RunbookSpec, app: &App) -> bool {
    spec.apps.contains(&app.id) || spec.strategies.contains(&app.strategy)
}

/// Apps that wait for each other could never be recovered in order.
fn cycle(drafts: &[apps::Draft]) {
    let needs = |id: &str| {
        let draft = drafts.iter().find(|draft| draft.named.as_ref().is_some_and(|named| named.id == id));
        draft.map(|draft| draft.depends_on.iter().map(|r| r.id.as_str()).collect::<Vec<_>>()).unwrap_or_default()
    };
    for draft in drafts {
        let Some(named) = &draft.named else { continue };
        let mut reached: Vec<&str> =
            draft.depends_on.iter().map(|r| r.id.as_str()).filter(|id| *id != named.id).collect();
        let mut seen = 0;
        while let Some(id) = reached.get(seen).copied() {
            seen += 1;
            for next in needs(id) {
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
        }
        if reached.contains(&named.id.as_str())
            && let Some(first) = draft.depends_on.iter().find(|reference| reference.id != named.id)
        {
            let message = format!("app `{}` depends on itself, through others", named.id);
            first.report.error("cycle", first.span.clone(), message, Some("recovery has an order".into()));
        }
    }
}

pub(super) fn offers(drafts: &[runbooks::Draft]) {
    let ids: Vec<&str> = drafts.iter().filter_map(|draft| draft.named.as_ref()).map(|n| n.id.as_str()).collect();
    for reference in drafts.iter().filter_map(|draft| draft.offers.as_ref()) {
        if !ids.contains(&reference.id.as_str()) {
            missing(reference, "runbook", &ids);
        }
    }
}
