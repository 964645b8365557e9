//! JSON Schema (draft 2020-12) of estate, runbook and scenario files, for editors.
//!
//! Made from the tables that the parser reads by: kinds of components and steps with their parameters, fault words,
//! and the closed words. What a schema cannot say (references, residency, orders of time) only `check` finds; a
//! test holds the keys here against the keys that the parser knows.

use serde_json::{Map, Value, json};

use super::{
    runbooks::{
        flow,
        parameters::TYPES,
        step::{ON_FAILURE, RETRIES_MAX},
    },
    scenarios::SPEED_MAX,
    signals::{GUARDS, SIGNALS},
};
use crate::domain::{
    Hazard,
    app::{Role, Strategy},
    kind::{KindSpec, ParamShape, ParamSpec},
    scenario::{FaultShape, FaultSpec},
    time::Weekday,
};
use crate::runbook::spec::{Mutating, Only, RunbookKind, StepKindSpec, StepParamSpec};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A properties map with what is required of it; nothing else may stand in the object.
struct Object {
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl Object {
    fn new() -> Self {
        Self { properties: Map::new(), required: Vec::new() }
    }

    fn may(mut self, name: &str, schema: Value) -> Self {
        self.properties.insert(name.to_owned(), schema);
        self
    }

    fn need(mut self, name: &str, schema: Value) -> Self {
        self.required.push(name.to_owned());
        self.may(name, schema)
    }

    fn schema(self) -> Value {
        json!({
            "type": "object",
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        })
    }
}

fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Value {
    json!({ "enum": words.into_iter().collect::<Vec<_>>() })
}

fn text() -> Value {
    of("text")
}

/// The shapes that every file shares.
fn shapes() -> Map<String, Value> {
    let pattern = |pattern: &str, example: &str| json!({ "type": "string", "pattern": pattern, "description": format!("like {example}") });
    let all = json!({
        "text": { "type": "string", "pattern": "\\S" },
        "id": pattern("^[A-Za-z0-9_.-]{1,64}$", "payments-failover"),
        "duration": pattern("^\\s*([0-9.]+(ms|s|m|min|h|d)\\s*)+$", "30m, 1h30m, 0.5s"),
        "share": pattern("^[0-9.]+\\s*%$", "50%"),
        "size": pattern("^[0-9.]+\\s*(B|[KMGTP]B|[KMGT]iB)$", "10TB"),
        "region": pattern("^[a-z]{2}(-[a-z]+)+-[0-9]$", "ap-south-1"),
        "account": pattern("^[0-9]{12}$", "111122223333"),
        "arn": pattern("^arn:aws[^:]*:[^:]+:[^:]*:[^:]*:.+$", "arn:aws:rds:ap-south-1:111122223333:db:x"),
        "role": pattern("^arn:aws[^:]*:iam::[0-9]{12}:role/.+$", "arn:aws:iam::111122223333:role/pointsman"),
        "time": pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].*(Z|[+-][0-9]{2}:[0-9]{2})$", "2026-11-08T10:00:00+05:30"),
        "time-of-day": pattern("^([01][0-9]|2[0-3]):[0-5][0-9]$", "22:00"),
        "side": { "enum": ["primary", "recovery"] },
        "sides": {
            "type": "object",
            "properties": { "primary": { "$ref": "#/$defs/text" }, "recovery": { "$ref": "#/$defs/text" } },
            "additionalProperties": false,
            "minProperties": 1,
        },
        "map": { "type": "object", "additionalProperties": { "type": "string" } },
        "reference": pattern("^\\$[^$]", "$database"),
    });
    match all {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn document(title: &str, root: Object, more: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let mut defs = shapes();
    defs.extend(more.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    let mut schema = json!({ "$schema": DRAFT, "title": title });
    if let (Value::Object(all), Value::Object(root)) = (&mut schema, root.schema()) {
        all.extend(root);
        all.insert("$defs".to_owned(), Value::Object(defs));
    }
    schema
}

fn shape(shape: ParamShape) -> Value {
    match shape {
        ParamShape::Text => text(),
        ParamShape::Arn => of("arn"),
        ParamShape::Duration => of("duration"),
        ParamShape::Number => json!({ "type": "number" }),
        ParamShape::Flag => json!({ "type": "boolean" }),
        ParamShape::Size => of("size"),
        ParamShape::Region => of("region"),
        ParamShape::Sides => of("sides"),
        ParamShape::Map => of("map"),
        ParamShape::Side => of("side"),
    }
}

fn documented(mut schema: Value, doc: &str) -> Value {
    if let (Value::Object(map), false) = (&mut schema, doc.is_empty()) {
        map.insert("description".to_owned(), Value::String(doc.to_owned()));
    }
    schema
}

/// `estate.toml`, and `apps/*.toml`, which hold `[[app]]` alone.
#[must_use]
pub fn estate(kinds: &[&'static KindSpec]) -> Value {
    let region = Object::new().need("id", of("region")).need("name", text()).schema();
    let head = Object::new().need("name", text()).need("time_zone", text()).need("expects_account", of("account"));
    let access = || Object::new().may("profile", text()).may("role", of("role")).may("account", of("account")).schema();
    let weekly = Object::new()
        .need("day", words(Weekday::WORDS.map(|(word, _)| word)))
        .need("from", of("time-of-day"))
        .need("to", of("time-of-day"));
    let freeze = Object::new()
        .need("name", text())
        .may("from", of("time"))
        .may("to", of("time"))
        .may("weekly", weekly.schema())
        .may("all", json!({ "type": "boolean" }))
        .may("apps", list(&of("id")))
        .may("kinds", list(&words(RunbookKind::ALL.map(RunbookKind::word))));
    let root = Object::new()
        .may("estate", head.schema())
        .may("regions", Object::new().need("primary", region.clone()).need("recovery", region).schema())
        .may(
            "residency",
            Object::new().need("data", list(&of("region"))).may("control_planes", list(&of("region"))).schema(),
        )
        .may("access", Object::new().may("primary", access()).may("recovery", access()).schema())
        .may("freeze", list(&freeze.schema()))
        .may("app", list(&of("app")));
    let components = kinds.iter().map(|kind| component(kind)).collect::<Vec<_>>();
    document("An estate of pointsman", root, [("app", app()), ("component", json!({ "oneOf": components }))])
}

fn app() -> Value {
    let backup = Object::new()
        .need("every", of("duration"))
        .need("retention", of("duration"))
        .may("start_window", of("duration"))
        .may("duration_p99", of("duration"))
        .may("copy_to", of("side"));
    let served =
        Object::new().need("namespace", text()).need("good", text()).need("total", text()).may("dimensions", of("map"));
    let accepted =
        Object::new().need("owner", text()).need("reason", text()).need("since", of("time")).need("until", of("time"));
    let timings = ["detection", "decision", "dns_ttl", "verification", "execution"]
        .into_iter()
        .fold(Object::new(), |object, key| object.may(key, of("duration")));
    let runbooks = super::apps::RUNBOOK_KEYS.into_iter().fold(Object::new(), |object, key| object.may(key, of("id")));
    let drill = Object::new()
        .need("name", text())
        .need("at", of("time"))
        .may("rto", of("duration"))
        .may("rpo", of("duration"))
        .may("runbook", of("id"))
        .may("findings_open", json!({ "type": "integer", "minimum": 0 }))
        .may("next_due", of("time"));
    let value = json!({ "type": ["string", "number", "boolean"] });
    Object::new()
        .need("id", of("id"))
        .need("name", text())
        .need("tier", json!({ "type": "integer", "minimum": 1, "maximum": 5 }))
        .need("criticality", text())
        .need("strategy", words(Strategy::ALL.map(Strategy::word)))
        .may("rpo", of("duration"))
        .may("rto", of("duration"))
        .may("not_again_within", of("duration"))
        .may("depends_on", list(&of("id")))
        .may("note", text())
        .may("backup", backup.schema())
        .may("runbooks", runbooks.schema())
        .may("served", served.schema())
        .may("timings", timings.schema())
        .may("accepted", accepted.schema())
        .may(
            "parameters",
            json!({
                "type": "object",
                "description": "by runbook, then by parameter",
                "additionalProperties": { "type": "object", "additionalProperties": value },
            }),
        )
        .may("drill", list(&drill.schema()))
        .need("component", list(&of("component")))
        .schema()
}

fn component(kind: &KindSpec) -> Value {
    let own = |object: Object, spec: &ParamSpec| {
        let schema = documented(shape(spec.shape), spec.doc);
        if spec.required { object.need(spec.name, schema) } else { object.may(spec.name, schema) }
    };
    let common = Object::new()
        .need("id", of("id"))
        .need("kind", documented(json!({ "const": kind.id }), kind.title))
        .may("mandatory", json!({ "type": "boolean" }))
        .may("role", words(Role::ALL.map(Role::word)))
        .may("rpo", of("duration"));
    kind.params.iter().fold(common, own).schema()
}

/// `runbooks/*.toml`.
#[must_use]
pub fn runbook(kinds: &[&'static KindSpec], step_kinds: &[&'static StepKindSpec]) -> Value {
    let head = Object::new()
        .need("id", of("id"))
        .need("title", text())
        .need("kind", words(RunbookKind::ALL.map(RunbookKind::word)))
        .may("for", list(&of("id")))
        .may("strategies", list(&words(Strategy::ALL.map(Strategy::word))))
        .may("on_success", Object::new().need("offer", of("id")).schema());
    let parameter = Object::new()
        .need("name", of("id"))
        .need("type", words(TYPES))
        .may("kinds", list(&words(kinds.iter().map(|kind| kind.id))))
        .may("of", list(&json!({ "type": "string" })))
        .may("required", json!({ "type": "boolean" }))
        .may("default", json!({ "type": ["string", "number", "boolean"] }))
        .may("doc", text());
    let root = Object::new()
        .need("runbook", head.schema())
        .may("parameter", list(&parameter.schema()))
        .need("step", list(&of("step")));
    let mut steps: Vec<Value> = step_kinds.iter().map(|kind| step(kind)).collect();
    steps.push(group());
    steps.push(nested());
    let known = GUARDS.iter().chain(SIGNALS.iter().filter(|key| !GUARDS.contains(key))).copied().collect::<Vec<_>>();
    document(
        "A runbook of pointsman",
        root,
        [
            ("step", json!({ "oneOf": steps })),
            ("signal", small(&SIGNALS, &[])),
            ("guard", small(&known, &["override"])),
        ],
    )
}

/// A signal or a guard: known by one first key; which others go with it `check` tells.
fn small(first: &[&str], also: &[&str]) -> Value {
    let properties: Map<String, Value> =
        first.iter().chain(&super::signals::MORE).chain(also).map(|key| ((*key).to_owned(), json!(true))).collect();
    let one: Vec<Value> = first.iter().map(|key| json!({ "type": "object", "required": [key] })).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false, "oneOf": one })
}

fn placed() -> Object {
    Object::new().need("id", of("id")).need("title", text()).may("after", list(&of("id")))
}

fn planned(object: Object) -> Object {
    object.may("if", of("id")).may("only", words(Only::WORDS.map(|(word, _)| word)))
}

fn group() -> Value {
    let branch = json!({ "type": "array", "items": { "$ref": "#/$defs/id" }, "minItems": 1 });
    placed()
        .need("kind", documented(json!({ "const": flow::PARALLEL }), "branches of steps beside each other"))
        .need("branches", json!({ "type": "array", "items": branch, "minItems": 2 }))
        .schema()
}

fn nested() -> Value {
    planned(placed())
        .need("kind", documented(json!({ "const": flow::NESTED }), "another runbook's steps in this place"))
        .need("runbook", of("id"))
        .may("with", json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } }))
        .schema()
}

fn step(kind: &StepKindSpec) -> Value {
    let duration = || json!({ "anyOf": [of("duration"), of("reference")] });
    let reads = kind.mutating == Mutating::No;
    let failure = ON_FAILURE.map(|(word, _)| word);
    let mut object = planned(placed())
        .need("kind", documented(json!({ "const": kind.id }), kind.title))
        .may("guards", list(&of("guard")))
        .may("hazard", words(Hazard::ALL.into_iter().filter(|hazard| *hazard >= kind.hazard).map(Hazard::word)))
        .may("timeout", duration())
        .may("expect", duration())
        // A step that acts cannot be passed over by itself.
        .may("on_failure", if kind.mutating == Mutating::Yes { words(["park"]) } else { words(failure) });
    if reads {
        object = object
            .may("retries", json!({ "type": "integer", "minimum": 1, "maximum": RETRIES_MAX }))
            .may("every", of("duration"));
    }
    for param in kind.params {
        object = match param {
            StepParamSpec::Value(spec) => {
                let schema = match spec.shape {
                    ParamShape::Size | ParamShape::Region | ParamShape::Sides | ParamShape::Map => shape(spec.shape),
                    other => json!({ "anyOf": [shape(other), of("reference")] }),
                };
                let schema = documented(schema, spec.doc);
                if spec.required { object.need(spec.name, schema) } else { object.may(spec.name, schema) }
            }
            StepParamSpec::Signals { name, required } => put(object, name, *required, &of("signal")),
            StepParamSpec::Texts { name, required } => put(object, name, *required, &json!({ "type": "string" })),
            StepParamSpec::Component { name, kinds, required } => {
                let schema = documented(text(), &format!("a component of kind {}", kinds.join(" or ")));
                if *required { object.need(name, schema) } else { object.may(name, schema) }
            }
        };
    }
    object.schema()
}

fn put(object: Object, name: &str, required: bool, items: &Value) -> Object {
    let schema = json!({ "type": "array", "items": items, "minItems": 1 });
    if required { object.need(name, schema) } else { object.may(name, schema) }
}

/// `scenarios/*.toml`.
#[must_use]
pub fn scenario(faults: &[FaultSpec]) -> Value {
    let fault = |spec: &FaultSpec| {
        let kind = documented(json!({ "const": spec.word }), spec.doc);
        spec.params
            .iter()
            .fold(Object::new().need("kind", kind), |object, param| {
                let schema = match param.shape {
                    FaultShape::Region => of("region"),
                    FaultShape::Text => text(),
                    FaultShape::Word(known) => words(known.iter().copied()),
                    FaultShape::Count => json!({ "type": "integer", "minimum": 1 }),
                    FaultShape::UpTo(most) => json!({ "type": "number", "minimum": 0, "maximum": most }),
                };
                if param.required { object.need(param.name, schema) } else { object.may(param.name, schema) }
            })
            .schema()
    };
    let inject = Object::new()
        .need("at", of("duration"))
        .need("title", text())
        .need("fault", json!({ "oneOf": faults.iter().map(fault).collect::<Vec<_>>() }))
        .may("lasts", of("duration"))
        .may("say", text())
        .may("look_for", text())
        .may("hidden", json!({ "type": "boolean" }));
    let root = Object::new()
        .need("title", text())
        .may("speed", json!({ "type": "number", "exclusiveMinimum": 0, "maximum": SPEED_MAX }))
        .may("say", text())
        .need("inject", json!({ "type": "array", "items": inject.schema(), "minItems": 1 }));
    document("A scenario of pointsman", root, [])
}
