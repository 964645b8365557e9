//! Holds JSON against the schemas that this project prints, with the part of JSON Schema that they use.

use serde_json::Value;

/// What in `value` is not as `schema` says. The part of JSON Schema that the files use; anything else in it is an error, so that the check cannot rot.
pub fn violations(schema: &Value, root: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = reference.trim_start_matches('#');
        let target = root.pointer(pointer).unwrap_or_else(|| panic!("schema: {reference} leads nowhere"));
        return violations(target, root, value, at, found);
    }
    for key in schema.as_object().expect("a schema is an object").keys() {
        assert!(
            [
                "$schema",
                "$defs",
                "title",
                "description",
                "type",
                "additionalProperties",
                "required",
                "properties",
                "items",
                "enum",
                "format"
            ]
            .contains(&key.as_str()),
            "schema: `{key}` is not checked here"
        );
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        found.push(format!("{at}: {value} is none of {allowed:?}"));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_u64() || n.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let fits = types.is_empty() || types.contains(&kind) || (kind == "integer" && types.contains(&"number"));
    if !fits {
        found.push(format!("{at}: is {kind}, not {types:?}"));
    }
    if let (Some("date-time"), Some(text)) = (schema.get("format").and_then(Value::as_str), value.as_str())
        && pointsman::domain::Timestamp::parse(text).is_none()
    {
        found.push(format!("{at}: {text} is not RFC 3339"));
    }
    if let Some(object) = value.as_object() {
        let properties = schema.get("properties").and_then(Value::as_object).expect("objects list their properties");
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                found.push(format!("{at}: `{name}` is missing"));
            }
        }
        for (name, inner) in object {
            match properties.get(name) {
                Some(schema) => violations(schema, root, inner, &format!("{at}.{name}"), found),
                None => found.push(format!("{at}: `{name}` is not in the schema")),
            }
        }
    }
    if let (Some(array), Some(items)) = (value.as_array(), schema.get("items")) {
        for (n, inner) in array.iter().enumerate() {
            violations(items, root, inner, &format!("{at}[{n}]"), found);
        }
    }
}
