//! The JSON Schema of the configuration, for editors. It is made from the reference in the manual, whose
//! keys, defaults and required keys other tests compare with the code. tests/deploy/packages validates
//! the reference configuration and the files of tests/data/config with it.

use std::fs;

use serde_json::{Value, json};

use super::{cells, configuration::section};
use crate::support::here;

const SCHEMA: &str = "deploy/css-vpcep-exporter.schema.json";

/// The words that a key of the type "word" takes.
const WORDS: [(&str, &[&str]); 3] = [
    ("shard.from", &["hostname-ordinal"]),
    ("projects[].paging.parameter", &["offset", "start"]),
    ("admin.tokens[].role", &["viewer", "editor"]),
];

/// YAML reads some names and ids as numbers; the program takes them as they are written.
const TEXT: [&str; 3] = ["string", "number", "boolean"];

/// The keys of a project that `defaults` does not take; it takes all others.
const NO_DEFAULTS: [&str; 5] = ["name", "region", "project_id", "clusters", "endpoint_services"];

/// `UPDATE_GOLDEN=1 cargo test` writes it anew; look at what changed.
#[test]
fn the_schema_is_that_of_the_configuration_reference() {
    let mut schema = mapping();
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Configuration of css-vpcep-exporter");
    schema["type"] = json!("object");
    for row in section("## Configuration reference").map(cells) {
        let key = row[0].trim_matches('`');
        let (inside, last) = place(&mut schema, key);
        inside["properties"][last] = described(key, &row);
        if row[2] == "required" {
            inside["required"].as_array_mut().expect("a list").push(json!(last));
        }
    }
    let mut defaults = schema["properties"]["projects"]["items"]["properties"].clone();
    let defaults_of = defaults.as_object_mut().expect("a mapping");
    for key in NO_DEFAULTS {
        defaults_of.remove(key).expect("a key of projects");
    }
    schema["properties"]["defaults"]["properties"] = defaults;
    let schema = serde_json::to_string_pretty(&schema).expect("it is JSON") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(here(SCHEMA), &schema).expect("it can be written");
    }
    let written = fs::read_to_string(here(SCHEMA)).unwrap_or_default();
    assert!(
        written == schema,
        "{SCHEMA} is not that of the manual; UPDATE_GOLDEN=1 writes it anew"
    );
}

fn mapping() -> Value {
    json!({
        "type": ["object", "null"],
        "properties": {},
        "required": [],
        "additionalProperties": false,
    })
}

/// The mapping that a key is in, and the key's last name.
fn place<'a, 'k>(mapping: &'a mut Value, key: &'k str) -> (&'a mut Value, &'k str) {
    let Some((first, rest)) = key.split_once('.') else { return (mapping, key) };
    let property = |name: &str| format!("/properties/{name}");
    let path = match first {
        // The word `chain`, or a mapping.
        "credentials" => property("credentials") + "/anyOf/1",
        _ => match first.strip_suffix("[]") {
            Some(list) => property(list) + "/items",
            None => property(first),
        },
    };
    let inner = mapping.pointer_mut(&path);
    place(inner.unwrap_or_else(|| panic!("{first} stands before {rest}")), rest)
}

fn described(key: &str, row: &[String]) -> Value {
    let [_, kind, default, text] = row else { panic!("{key}: a row has four cells") };
    let mut schema = typed(key, kind);
    schema["description"] = json!(plain(text));
    let types = schema.get_mut("type").and_then(Value::as_array_mut);
    if let Some(types) = types.filter(|_| default == "required") {
        types.retain(|name| name != "null");
    }
    let written = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    if let Some(written) = written.filter(|written| *written != "null") {
        schema["default"] = serde_saphyr::from_str(written).expect("a default is YAML");
    }
    schema
}

/// A key without a value is unset, so each takes null too.
fn typed(key: &str, kind: &str) -> Value {
    let of = |name: &str| json!({ "type": [name, "null"] });
    match kind {
        "section" | "kind" => mapping(),
        "list" => {
            let mut items = mapping();
            items["type"] = json!("object");
            json!({ "type": ["array", "null"], "items": items })
        }
        "list of texts" => json!({ "type": ["array", "null"], "items": { "type": TEXT } }),
        "map of texts" => json!({
            "type": ["object", "null"],
            "additionalProperties": { "type": TEXT },
        }),
        "`chain`, or one kind" => {
            let mut kinds = mapping();
            kinds["type"] = json!("object");
            json!({ "anyOf": [{ "enum": ["chain", null] }, kinds] })
        }
        "true or false" | "boolean" => of("boolean"),
        "number" if key.ends_with(".requests_per_second") => of("number"),
        "number" => json!({ "type": ["integer", "null"], "minimum": 0 }),
        "duration" => json!({ "type": ["string", "null"], "pattern": "^[0-9]" }),
        "word" => {
            let (_, words) = WORDS.iter().find(|(known, _)| *known == key).expect("it has words");
            json!({ "enum": words })
        }
        "text" => {
            let mut types = TEXT.to_vec();
            types.push("null");
            json!({ "type": types })
        }
        "path" | "URL" | "secret" | "address and port" => of("string"),
        other => panic!("{key}: the type {other:?} is new; say here what JSON it is"),
    }
}

/// A text of the manual without its marks and its links.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for (at, part) in text.replace('`', "").split("](").enumerate() {
        let part = if at == 0 { part } else { part.split_once(')').expect("a link ends").1 };
        plain.push_str(&part.replace('[', ""));
    }
    plain
}
