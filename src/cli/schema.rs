//! `pointsman schema WHAT`: JSON Schema of the files that people write, for their editors. Made from the tables that
//! the parsers read by.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::{
    estate::schema,
    keymap::{Command, Context},
    probes, sim, steps,
    theme::Role,
};

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which kind of file
    #[arg(value_enum)]
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// estate.toml and apps/*.toml
    Estate,
    /// runbooks/*.toml
    Runbook,
    /// scenarios/*.toml
    Scenario,
    Theme,
    Keymap,
}

pub fn run(args: &SchemaArgs) {
    println!("{:#}", of(args.what));
}

#[must_use]
pub fn of(what: What) -> Value {
    match what {
        What::Estate => schema::estate(probes::CATALOGUE),
        What::Runbook => schema::runbook(probes::CATALOGUE, steps::CATALOGUE),
        What::Scenario => schema::scenario(sim::fault::CATALOGUE),
        What::Theme => theme(),
        What::Keymap => keymap(),
    }
}

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

fn theme() -> Value {
    let flag = json!({ "type": "boolean" });
    let style = json!({
        "type": "object",
        "properties": {
            "fg": { "type": "string" },
            "bg": { "type": "string" },
            "bold": flag,
            "dim": flag,
            "italic": flag,
            "underline": flag,
            "reverse": flag,
        },
        "additionalProperties": false,
    });
    let roles: Map<String, Value> =
        Role::ALL.iter().map(|role| (role.word().to_owned(), json!({ "$ref": "#/$defs/style" }))).collect();
    json!({
        "$schema": DRAFT,
        "title": "A theme of pointsman",
        "type": "object",
        "properties": {
            "inherits": { "type": "string" },
            "palette": { "type": "object", "additionalProperties": { "type": "string" } },
            "roles": { "type": "object", "properties": roles, "additionalProperties": false },
        },
        "additionalProperties": false,
        "$defs": { "style": style },
    })
}

fn keymap() -> Value {
    let commands: Vec<&str> = Command::ALL.iter().map(|command| command.word()).collect();
    let row = json!({
        "type": "object",
        "properties": {
            "on": {
                "anyOf": [
                    { "type": "string" },
                    { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                ],
            },
            "run": { "enum": commands },
            "desc": { "type": "string" },
        },
        "required": ["on", "run", "desc"],
        "additionalProperties": false,
    });
    let context = json!({
        "type": "object",
        "properties": { "keys": { "type": "array", "items": { "$ref": "#/$defs/row" } } },
        "additionalProperties": false,
    });
    let mut properties: Map<String, Value> =
        Context::ALL.iter().map(|one| (one.word().to_owned(), json!({ "$ref": "#/$defs/context" }))).collect();
    properties.insert("inherits".to_owned(), json!({ "type": "string" }));
    json!({
        "$schema": DRAFT,
        "title": "A keymap of pointsman",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "$defs": { "row": row, "context": context },
    })
}
