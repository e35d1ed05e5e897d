//! `deploy/css-vpcep-exporter.yml` against the code: it loads as it stands, and so does each of its
//! alternatives; it has every key, and its defaults are those of the code.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

const REFERENCE: &str = "deploy/css-vpcep-exporter.yml";

/// What the reference marks as examples, and nothing else: the rest is defaults.
const EXAMPLES: &str = "
projects:
  - name: prod
    region: cn-north-4
    project_id: 6e9dfd51d1124e8d8498dce894923a0d
    clusters:
      - { id: 5c77b71c-5b35-4f50-8984-76387e42451a, name: logs, interval: 30s }
    endpoint_services:
      - { id: 4189d3c2-8882-4871-a3c2-d380272eed88, name: logs-endpoint }
";

/// The admin section with its examples only.
const ADMIN_EXAMPLES: &str = "
admin:
  listen: 127.0.0.1:10068
  audit_log: /var/lib/css-vpcep-exporter/audit.jsonl
  tokens:
    - name: oncall
      sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      role: editor
      services: ['prod/*']
      clusters: ['prod/*']
";

fn parse(text: &str, variables: &Variables) -> Result<Config, ConfigError> {
    config::parse(text, Path::new(REFERENCE), &|name| variables.get(name).cloned())
}

/// The reference, and one text for each alternative in it, put in the place of what it replaces.
fn variants(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut variants = vec![text.to_owned()];
    for (start, line) in lines.iter().enumerate() {
        let Some((indent, first)) = alternative(line) else { continue };
        let rest = lines[start + 1..].iter().map_while(|line| continuation(line, indent));
        let block: Vec<_> = std::iter::once(first).chain(rest).collect();
        let key = first.split_once(':').expect("an alternative begins with a key").0;
        let replaced = format!("{}{key}:", " ".repeat(indent));
        let place = lines[..start].iter().rposition(|line| line.starts_with(&replaced));
        let place = place.unwrap_or_else(|| panic!("{line:?} replaces nothing"));
        let indented = block.iter().map(|line| format!("{}{line}", " ".repeat(indent)));
        let before = lines[..place].iter().map(|line| (*line).to_owned());
        let after = lines[place + 1..].iter().map(|line| (*line).to_owned());
        variants.push(before.chain(indented).chain(after).collect::<Vec<_>>().join("\n"));
    }
    variants
}

/// `#key: …` begins an alternative; prose has a space after the sign.
fn alternative(line: &str) -> Option<(usize, &str)> {
    let trimmed = line.trim_start();
    let text = trimmed.strip_prefix('#')?;
    text.starts_with(|first: char| first.is_ascii_lowercase())
        .then_some((line.len() - trimmed.len(), text))
}

fn continuation(line: &str, indent: usize) -> Option<&str> {
    line.get(indent..)?.strip_prefix('#').filter(|text| text.starts_with("  "))
}

/// The variants, loadable on this machine.
fn loadable(folder: &Folder) -> (Vec<String>, Variables) {
    let text = fs::read_to_string(here(REFERENCE)).unwrap();
    for name in ["secret_key", "security_token", "password", "token", "id_token"] {
        folder.write(name, "example");
    }
    folder.write(".huaweicloud/credentials", "[basic]\nak = AK\nsk = SK\n");
    let home = folder.path.to_str().unwrap();
    let pod_token = folder.path.join("token");
    let pod = ("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", pod_token.to_str().unwrap());
    let agent = ("HC_CONTAINER_CREDENTIALS_FULL_URI", "http://agent.example.com");
    let text = text.replace("/run/secrets", home);
    (variants(&text), variables(&[("HOME", home), ("HOSTNAME", "exporter-3"), pod, agent]))
}

#[test]
fn it_loads_as_it_stands_and_so_does_every_alternative() {
    let folder = Folder::new("reference");
    let (variants, variables) = loadable(&folder);
    assert!(variants.len() >= 12, "{}", variants.len());
    for text in variants {
        let config = parse(&text, &variables).unwrap_or_else(|error| panic!("{error}\n{text}"));
        for warning in config.warnings {
            assert!(warning.contains("written in the configuration"), "{warning}");
        }
    }
}

#[test]
fn its_defaults_are_those_of_the_code() {
    let folder = Folder::new("reference-defaults");
    let (variants, variables) = loadable(&folder);
    let effective = |text: &str| parse(text, &variables).unwrap().effective;
    assert_eq!(effective(&variants[0]), effective(EXAMPLES));
    let with_admin = variants.iter().find(|text| text.contains("\nadmin:\n")).unwrap();
    assert_eq!(effective(with_admin), effective(&format!("{EXAMPLES}{ADMIN_EXAMPLES}")));
}

#[test]
fn it_has_every_key_of_the_code() {
    let folder = Folder::new("reference-keys");
    let mut written = BTreeSet::new();
    for text in loadable(&folder).0 {
        paths("", &serde_saphyr::from_str(&text).unwrap(), &mut written);
    }
    let known = known_keys();
    assert!(known.contains("projects[].credentials.static.secret_key_file"), "{known:?}");
    assert_eq!(written, known);
}

/// The paths of all keys in a document.
pub(super) fn paths(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}.{key}").trim_start_matches('.').to_owned();
                paths(&path, value, found);
                found.insert(path);
            }
        }
        Value::Array(items) => {
            for item in items.iter().filter(|item| item.is_object()) {
                paths(&format!("{path}[]"), item, found);
            }
        }
        _ => {}
    }
}

/// The paths of all keys that the code knows: an unknown one is answered with those it expects.
pub(super) fn known_keys() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    discover(&mut Vec::new(), &mut known);
    known
}

fn discover(place: &mut Vec<String>, found: &mut BTreeSet<String>) {
    // The keys of `defaults` are keys of a project.
    if place.first().is_some_and(|first| first.starts_with("defaults")) {
        return;
    }
    let Some(keys) = expected_at(place) else { return };
    for key in keys {
        found.insert(place.iter().cloned().chain([key.clone()]).collect::<Vec<_>>().join("."));
        for place_below in [key.clone(), format!("{key}[]")] {
            place.push(place_below);
            discover(place, found);
            place.pop();
        }
    }
}

/// The keys that are expected at a place, if it can hold any.
fn expected_at(place: &[String]) -> Option<Vec<String>> {
    let mut text = "{ nonsense: 1 }".to_owned();
    for key in place.iter().rev() {
        text = match key.strip_suffix("[]") {
            Some(key) => format!("{{ {key}: [{text}] }}"),
            None => format!("{{ {key}: {text} }}"),
        };
    }
    let message = parse(&text, &variables(&[])).unwrap_err().to_string();
    let (_, expected) = message.split_once("unknown field `nonsense`, ")?;
    let keys = expected.strip_prefix("expected ").unwrap_or_default();
    let keys = keys.strip_prefix("one of ").unwrap_or(keys).replace(" or ", ", ");
    let keys = keys.split(", ").map(|key| key.trim_matches('`').to_owned());
    Some(keys.filter(|key| !key.is_empty()).collect())
}
