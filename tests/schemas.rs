//! `pointsman schema` held against the files that the parsers take and those that they refuse: bundled files, the
//! corpus in `tests/config`, and the keys that the parsers themselves say they know.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use pointsman::{
    cli::schema::{What, of},
    estate, probes, steps,
};
use serde_json::{Map, Value, json};

/// The part of JSON Schema that is used; anything else is an error, so that the check cannot rot.
const KEYWORDS: [&str; 18] = [
    "$schema",
    "$defs",
    "$ref",
    "title",
    "description",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "items",
    "minItems",
    "enum",
    "const",
    "pattern",
    "oneOf",
    "anyOf",
    "maximum",
];

/// Patterns are few and asked often.
fn matches(pattern: &str, text: &str) -> bool {
    thread_local!(static SEEN: RefCell<HashMap<String, regex::Regex>> = RefCell::default());
    SEEN.with_borrow_mut(|seen| {
        let known = seen.entry(pattern.to_owned());
        known.or_insert_with(|| regex::Regex::new(pattern).expect("a pattern")).is_match(text)
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_u64() || n.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn violations(schema: &Value, root: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if *schema == json!(true) {
        return;
    }
    let schema = schema.as_object().expect("a schema is an object");
    for key in schema.keys() {
        let known = KEYWORDS.contains(&key.as_str()) || ["minimum", "exclusiveMinimum"].contains(&key.as_str());
        assert!(known, "schema: `{key}` is not checked here");
    }
    let clean = |schema: &Value| {
        let mut inner = Vec::new();
        violations(schema, root, value, at, &mut inner);
        inner.is_empty()
    };
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#'));
        violations(target.unwrap_or_else(|| panic!("{reference} leads nowhere")), root, value, at, found);
    }
    let alternatives = |word: &str| schema.get(word).and_then(Value::as_array);
    if let Some(any) = alternatives("anyOf")
        && !any.iter().any(clean)
    {
        found.push(format!("{at}: {value} fits none"));
    }
    if let Some(one) = alternatives("oneOf") {
        let fit = one.iter().filter(|schema| clean(schema)).count();
        if fit != 1 {
            found.push(format!("{at}: {value} fits {fit}, not one"));
        }
    }
    if alternatives("enum").is_some_and(|allowed| !allowed.contains(value))
        || schema.get("const").is_some_and(|only| only != value)
    {
        found.push(format!("{at}: {value} is not one of the words"));
    }
    let is = kind(value);
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let fits = types.contains(&is) || (is == "integer" && types.contains(&"number"));
    if !types.is_empty() && !fits {
        found.push(format!("{at}: is {is}, not {types:?}"));
        return;
    }
    if let (Some(pattern), Some(text)) = (schema.get("pattern").and_then(Value::as_str), value.as_str())
        && !matches(pattern, text)
    {
        found.push(format!("{at}: {text:?} is not {pattern}"));
    }
    if let Some(number) = value.as_f64() {
        let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
        let low = bound("minimum").is_some_and(|least| number < least);
        let at_edge = bound("exclusiveMinimum").is_some_and(|least| number <= least);
        if low || at_edge || bound("maximum").is_some_and(|most| number > most) {
            found.push(format!("{at}: {number} is out of bounds"));
        }
    }
    if let Some(object) = value.as_object() {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                found.push(format!("{at}: `{name}` is missing"));
            }
        }
        if schema.get("minProperties").and_then(Value::as_u64).is_some_and(|least| (object.len() as u64) < least) {
            found.push(format!("{at}: too few keys"));
        }
        for (name, inner) in object {
            let at = format!("{at}.{name}");
            match (properties.get(name), schema.get("additionalProperties")) {
                (None, Some(Value::Bool(false))) => found.push(format!("{at}: is not in the schema")),
                (Some(schema), _) | (None, Some(schema)) => violations(schema, root, inner, &at, found),
                (None, None) => {}
            }
        }
    }
    if let Some(array) = value.as_array() {
        if schema.get("minItems").and_then(Value::as_u64).is_some_and(|least| (array.len() as u64) < least) {
            found.push(format!("{at}: too few"));
        }
        for (n, inner) in array.iter().enumerate() {
            if let Some(items) = schema.get("items") {
                violations(items, root, inner, &format!("{at}[{n}]"), found);
            }
        }
    }
}

fn json_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(n) => json!(n),
        toml::Value::Float(n) => json!(n), // nan is null, which is no number
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(at) => Value::String(at.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json_of).collect(),
        toml::Value::Table(table) => Value::Object(table.into_iter().map(|(k, v)| (k, json_of(v))).collect()),
    }
}

fn check(what: What, path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("text");
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return vec![error.to_string()],
    };
    let schema = of(what);
    let mut found = Vec::new();
    violations(&schema, &schema, &json_of(toml::Value::Table(table)), &path.display().to_string(), &mut found);
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the corpus is part of the package") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
}

/// The files under a folder, each with the schema that it should keep to.
fn files(folder: &str) -> Vec<(What, PathBuf)> {
    let mut paths = Vec::new();
    walk(Path::new(folder), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "{folder} is empty");
    let what = |path: &Path| {
        let named = |part: &str| path.components().any(|component| component.as_os_str() == part);
        match () {
            () if named("runbooks") => What::Runbook,
            () if named("scenarios") || named("scenario") => What::Scenario,
            () if named("themes") || named("theme") => What::Theme,
            () if named("keymaps") || named("keymap") => What::Keymap,
            () => What::Estate,
        }
    };
    paths.into_iter().map(|path| (what(&path), path)).collect()
}

#[test]
fn every_bundled_file_and_every_valid_one_keeps_to_its_schema() {
    let mut wrong = Vec::new();
    for folder in ["estates/demo-bank", "themes", "keymaps", "tests/config/valid"] {
        for (what, path) in files(folder) {
            wrong.extend(check(what, &path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a file by itself. A schema cannot know references, residency, circles or what is behind a name.
const OF_SHAPE: [&str; 13] = [
    "bad-account",
    "bad-id",
    "bad-percent",
    "bad-size",
    "missing-key",
    "retried-mutation",
    "syntax",
    "unknown-command",
    "unknown-key",
    "unknown-kind",
    "unknown-role",
    "unknown-step-kind",
    "wrong-type",
];

/// Places where the parser asks more than a schema can say: which keys go together.
const BEYOND: [&str; 2] = ["tests/config/invalid/estate/no-estate", "it needs `below` or `at_least`"];

#[test]
fn what_the_parsers_refuse_for_its_shape_the_schemas_refuse_too() {
    let mut expected = String::new();
    for folder in ["estate", "keymap", "theme", "scenario"] {
        for entry in fs::read_dir(Path::new("tests/config/invalid").join(folder)).expect("there") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|extension| extension == "expected") {
                expected.push_str(&fs::read_to_string(path).expect("text"));
            }
        }
    }
    let mut held = 0;
    let mut accepted = Vec::new();
    for (what, path) in files("tests/config/invalid") {
        let name = path.display().to_string();
        let of_shape = |line: &&str| {
            line.starts_with(&format!("{name}:"))
                && OF_SHAPE.iter().any(|code| line.contains(&format!("error[{code}]")))
                && !BEYOND.iter().any(|beyond| line.contains(beyond))
        };
        let Some(line) = expected.lines().find(of_shape) else { continue };
        held += 1;
        if check(what, &path).is_empty() {
            accepted.push(line.to_owned());
        }
    }
    assert!(held >= 15, "only {held} files of the corpus were held against a schema");
    assert!(accepted.is_empty(), "{}", accepted.join("\n"));
}

/// The keys that a parser knows, out of its own mouth: every table gets one that nobody knows.
fn known_keys(estate: &str, runbook: &str) -> Vec<(String, BTreeSet<String>)> {
    let loaded = estate::load_text(estate, &[runbook], probes::CATALOGUE, steps::CATALOGUE);
    let mut found = Vec::new();
    for diagnostic in loaded.diagnostics.iter().filter(|d| d.code == "unknown-key") {
        let known =
            diagnostic.help.as_deref().and_then(|help| help.strip_prefix("known here: ")).expect("nothing near");
        found.push((diagnostic.message.clone(), known.split(", ").map(str::to_owned).collect()));
    }
    found
}

fn properties(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().expect("an object").keys().cloned().collect()
}

const ESTATE: &str =
    "zzzzzzzzzzzzzz = 1\n[estate]\nzzzzzzzzzzzzzz = 1\n[[freeze]]\nzzzzzzzzzzzzzz = 1\n[[app]]\nzzzzzzzzzzzzzz = 1\n";

#[test]
fn the_keys_of_the_schema_are_the_keys_of_the_parser() {
    let estate = of(What::Estate);
    let told = known_keys(ESTATE, "");
    let of_table = |start: &str| {
        let found = told.iter().find(|(message, _)| message.starts_with(start));
        found.unwrap_or_else(|| panic!("{start}: {told:#?}")).1.clone()
    };
    assert_eq!(of_table("the file"), properties(&estate));
    assert_eq!(of_table("[estate]"), properties(&estate["properties"]["estate"]));
    assert_eq!(of_table("the freeze"), properties(&estate["properties"]["freeze"]["items"]));
    assert_eq!(of_table("the app"), properties(&estate["$defs"]["app"]));

    for (n, kind) in probes::CATALOGUE.iter().enumerate() {
        let text = format!("[[app]]\n[[app.component]]\nkind = \"{}\"\nzzzzzzzzzzzzzz = 1\n", kind.id);
        let (message, known) = known_keys(&text, "").remove(0);
        assert_eq!(known, properties(&estate["$defs"]["component"]["oneOf"][n]), "{}: {message}", kind.id);
    }

    let runbook = of(What::Runbook);
    let steps = runbook["$defs"]["step"]["oneOf"].as_array().expect("a list");
    for schema in steps {
        let kind = schema["properties"]["kind"]["const"].as_str().expect("a word");
        let text = format!("[[step]]\nkind = \"{kind}\"\nzzzzzzzzzzzzzz = 1\n[runbook]\nzzzzzzzzzzzzzz = 1\n");
        let told = known_keys("", &text);
        let (_, mut known) = told.iter().find(|(message, _)| message.starts_with("the step")).expect("told").clone();
        if !properties(schema).contains("retries") {
            known.remove("retries"); // known, and refused by name with its reason
            known.remove("every");
        }
        assert_eq!(known, properties(schema), "{kind}");
        let (_, head) = told.iter().find(|(message, _)| message.starts_with("[runbook]")).expect("told");
        assert_eq!(*head, properties(&runbook["properties"]["runbook"]));
    }
}
