//! `runbooks/*.toml`: a runbook as its file says it. Step kinds come as a catalogue; what is mutating and how
//! dangerous it is comes from there, and the file can only make it stricter.
//!
//! Read twice: first the heads and what they declare, so that apps can be held against it; then the steps, held
//! against every app that the runbook may be run for. Where to look next: [`step`] (one step), [`flow`] (their
//! order, parallel groups), [`nested`], [`sound`] (what must be so of all of them), [`parameters`].

use std::{collections::BTreeMap, fmt::Write as _, ops::Range};

use sha2::{Digest, Sha256};

use super::{
    apps::{self, Named, Reference},
    values::{self, Ground},
};
use crate::domain::{
    App, AppId, RunbookId, SafeText,
    app::{Param, Strategy},
    diagnostic::nearest,
    document::{Document, Report, Table},
};
use crate::runbook::spec::{ParameterSpec, Presence, RunbookKind, RunbookSpec, StepKindSpec};

pub(super) mod flow;
mod nested;
pub(super) mod parameters;
mod sound;
pub(super) mod step;

/// Text with its place in the file.
pub(super) type Placed = (String, Range<usize>);

/// An app that a runbook may be run for, with the values that its parameters then have.
pub(super) struct Candidate<'e> {
    pub app: &'e App,
    pub values: BTreeMap<String, Param>,
}

/// The apps that a runbook may be run for.
pub(super) struct Candidates<'e> {
    pub apps: Vec<Candidate<'e>>,
    /// False when an app of the runbook could not be read: then nothing is said of what it lacks.
    pub complete: bool,
    pub declared: &'e [ParameterSpec],
    /// Names of parameters that could not be read.
    pub undeclared: &'e [String],
}

/// A runbook file whose head was read.
pub(super) struct Head<'d, 'a> {
    document: &'d Document<'a>,
    report: Report,
    pub named: Option<Named>,
    title: Option<SafeText>,
    kind: Option<RunbookKind>,
    apps: Vec<Placed>,
    strategies: Vec<Strategy>,
    /// The runbook it offers at its end.
    offers: Option<Reference>,
    declared: parameters::Declared,
    /// The place of the first step that is a runbook itself.
    nests: Option<Range<usize>>,
    readable: bool,
}

pub(super) struct Draft {
    pub named: Option<Named>,
    pub runbook: Option<RunbookSpec>,
    /// The runbook it offers at its end.
    pub offers: Option<Reference>,
}

/// What a runbook may refer to.
pub(super) struct Surroundings<'e> {
    pub apps: &'e [App],
    /// Every app id written anywhere, also of apps that could not be read.
    pub app_ids: &'e [String],
    pub kinds: &'e [&'static StepKindSpec],
    pub ground: &'e Ground,
}

/// Reads the head, and reports keys that no runbook file has.
pub(super) fn head<'d, 'a>(
    document: &'d Document<'a>,
    report: &Report,
    component_kinds: &[&'static str],
) -> Head<'d, 'a> {
    let root = document.root();
    let steps = root.tables("step");
    let declared = parameters::declared(&root, component_kinds);
    let nests = steps.iter().find_map(|step| {
        let kind = step.get("kind")?;
        (kind.raw().as_str() == Some(flow::NESTED)).then(|| kind.span())
    });
    let mut head = Head {
        document,
        report: report.clone(),
        named: None,
        title: None,
        kind: None,
        apps: Vec::new(),
        strategies: Vec::new(),
        offers: None,
        declared,
        nests,
        readable: false,
    };
    if let Some(mut table) = root.need_table("runbook") {
        table.call_it("[runbook]");
        head.readable = true;
        head.named = values::need_id(&table, "id").map(|(id, span)| Named { id, span, report: report.clone() });
        head.title = values::said(&table, "title", table.need_text("title")).map(|(text, _)| SafeText::new(text));
        head.kind = table.need_word("kind", &RunbookKind::ALL.map(|kind| (kind.word(), kind))).map(|(kind, _)| kind);
        head.apps = table.texts("for");
        head.strategies = table
            .texts("strategies")
            .into_iter()
            .filter_map(|(text, span)| table.choose("strategies", &text, span, &Strategy::ALL.map(|s| (s.word(), s))))
            .map(|(strategy, _)| strategy)
            .collect();
        if table.get("for").is_none() && table.get("strategies").is_none() {
            let help = Some("for = [\"<app>\"], or strategies = [\"active-passive\"]; for = [] for a part".into());
            report.error("missing-key", table.span(), "the runbook is for no app".to_owned(), help);
        }
        head.offers = offers(&table);
        table.done();
    }
    root.done();
    head
}

/// Puts the apps' own values where they belong, each checked against what the runbook declares.
pub(super) fn bind_apps(heads: &[Head<'_, '_>], drafts: &[apps::Draft], bound: &mut [App]) {
    let ids: Vec<&str> = heads.iter().filter_map(|head| head.named.as_ref()).map(|named| named.id.as_str()).collect();
    for draft in drafts {
        let Some(app) = draft.app.as_ref().and_then(|app| bound.iter_mut().find(|other| other.id == app.id)) else {
            continue;
        };
        for (reference, written) in &draft.parameters {
            let found = heads.iter().find(|head| head.named.as_ref().is_some_and(|named| named.id == reference.id));
            let Some(head) = found else {
                let help = nearest(&reference.id, ids.iter().copied()).map(|near| format!("did you mean \"{near}\"?"));
                let message = format!("there is no runbook `{}`", reference.id);
                reference.report.error("missing-reference", reference.span.clone(), message, help);
                continue;
            };
            let mut values = BTreeMap::new();
            for one in written {
                let (name, span) = &one.name;
                let Some(spec) = head.declared.parameters.iter().find(|spec| spec.name == *name) else {
                    if !head.declared.unreadable.contains(name) {
                        let known = head.declared.parameters.iter().map(|spec| spec.name.as_str());
                        let help = nearest(name, known).map(|near| format!("did you mean `{near}`?"));
                        let message = format!("runbook `{}` has no parameter `{name}`", reference.id);
                        one.report.error("unknown-parameter", span.clone(), message, help);
                    }
                    continue;
                };
                if let Some(value) = one.typed(&spec.kind, Some(app)) {
                    values.insert(name.clone(), value);
                }
            }
            app.parameters.insert(RunbookId::new(&reference.id), values);
        }
    }
}

/// Reads the steps, and holds them against every app.
pub(super) fn read(
    head: &Head<'_, '_>,
    library: &[Head<'_, '_>],
    drafts: &[apps::Draft],
    around: &Surroundings<'_>,
) -> Draft {
    if !head.readable {
        return Draft { named: None, runbook: None, offers: None };
    }
    let candidates = head.candidates(around, drafts);
    let flow = flow::read(head, library, &candidates, around);
    let runbook = (|| {
        Some(RunbookSpec {
            id: RunbookId::new(&head.named.as_ref()?.id),
            title: head.title.clone()?,
            kind: head.kind?,
            apps: head.apps.iter().map(|(id, _)| AppId::new(id)).collect(),
            strategies: head.strategies.clone(),
            parameters: head.declared.parameters.clone(),
            offers: head.offers.as_ref().map(|offer| RunbookId::new(&offer.id)),
            steps: flow.steps,
            digest: digest(std::iter::once(head).chain(flow.nested).map(|head| head.report.file().text.as_str())),
            place: head.report.file().name.clone(),
        })
    })();
    Draft { named: head.named.clone(), runbook, offers: head.offers.clone() }
}

impl Head<'_, '_> {
    fn is_for(&self, app: &App) -> bool {
        self.apps.iter().any(|(id, _)| app.id.as_str() == id) || self.strategies.contains(&app.strategy)
    }

    fn candidates<'e>(&'e self, around: &Surroundings<'e>, drafts: &[apps::Draft]) -> Candidates<'e> {
        let mut complete = true;
        for (id, span) in &self.apps {
            if !around.app_ids.contains(id) {
                let help = nearest(id, around.app_ids.iter().map(String::as_str))
                    .map(|near| format!("did you mean \"{near}\"?"));
                self.report.error("missing-reference", span.clone(), format!("there is no app `{id}`"), help);
            }
            complete &= around.apps.iter().any(|app| app.id.as_str() == id);
        }
        let declared = &self.declared.parameters;
        let candidate = |app: &'e App| {
            let own = self.named.as_ref().and_then(|named| app.parameters.get(named.id.as_str()));
            Candidate { app, values: parameters::values_of(declared, own) }
        };
        let apps: Vec<Candidate<'e>> = around.apps.iter().filter(|app| self.is_for(app)).map(candidate).collect();
        for one in &apps {
            self.missing(one, drafts);
        }
        Candidates { apps, complete, declared, undeclared: &self.declared.unreadable }
    }

    /// Reports, at the app, what the runbook needs of it.
    fn missing(&self, one: &Candidate<'_>, drafts: &[apps::Draft]) {
        let Some(named) = &self.named else { return };
        let draft = drafts.iter().find(|draft| draft.named.as_ref().is_some_and(|n| n.id == one.app.id.as_str()));
        let Some(draft) = draft else { return };
        let written = |name: &str| {
            draft.parameters.iter().any(|(runbook, written)| {
                runbook.id == named.id && written.iter().any(|one| one.name.0 == name) // and reported
            })
        };
        for spec in &self.declared.parameters {
            let lacks = spec.presence == Presence::Required && !one.values.contains_key(&spec.name);
            if let (true, false, Some(app)) = (lacks, written(&spec.name), &draft.named) {
                let message =
                    format!("app \"{}\" does not say `{}`, which runbook `{}` needs", app.id, spec.name, named.id);
                let help = format!("[app.parameters.{}]  {} = …", named.id, spec.name);
                app.report.error("unbound-parameter", app.span.clone(), message, Some(help));
            }
            // A default names a component of each app that does not say otherwise.
            let own = one.app.parameters.get(named.id.as_str()).is_some_and(|own| own.contains_key(&spec.name));
            if let (false, Presence::Default(Param::Text(text)), Some(app)) = (own, &spec.presence, &draft.named)
                && let Err(why) = crate::runbook::bind::fits(&spec.kind, text, one.app)
            {
                let message = format!("the default of `{}` in runbook `{}`: {why}", spec.name, named.id);
                let help = format!("[app.parameters.{}]  {} = …", named.id, spec.name);
                app.report.error("unbound-parameter", app.span.clone(), message, Some(help));
            }
        }
    }
}

fn offers(head: &Table<'_, '_>) -> Option<Reference> {
    let mut inner = head.table("on_success")?;
    inner.call_it("`on_success`");
    let offer = inner.need_text("offer");
    let report = inner.report().clone();
    inner.done();
    offer.map(|(id, span)| Reference { id, span, report })
}

/// SHA-256 of the texts, one after the other, hex: a proof lapses too when a nested runbook changes.
fn digest<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let whole = texts.fold(Sha256::new(), sha2::Digest::chain_update);
    whole.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
