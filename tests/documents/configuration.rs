//! The references of the configuration files, their defaults and their examples.

use std::{collections::BTreeSet, path::Path, process::Command};

use css_vpcep_exporter::config::{self, ConfigError};
use serde_json::{Value, json};

use super::{MANUAL, cells, code_blocks};
use crate::support::{
    certificates::{self, Authority},
    process::Folder,
};

#[test]
fn the_configuration_reference_has_every_key_once() {
    let mut accepted = BTreeSet::new();
    discover("", &|inner| inner.to_owned(), &accepted_keys, &mut accepted);
    assert!(accepted.len() > 20 && accepted.contains("projects[].rate_limit.css.burst"));
    expect_reference("## Configuration reference", &accepted);
}

#[test]
fn the_web_configuration_reference_has_every_key_once() {
    let mut accepted = BTreeSet::new();
    discover("", &|inner| inner.to_owned(), &accepted_web_keys, &mut accepted);
    assert!(accepted.contains("http_server_config.headers.X-Frame-Options"));
    expect_reference("### Web configuration reference", &accepted);
}

fn expect_reference(heading: &str, accepted: &BTreeSet<String>) {
    let written: Vec<_> = reference(heading).into_iter().map(|(key, _)| key).collect();
    let unique: BTreeSet<_> = written.iter().cloned().collect();
    assert_eq!(written.len(), unique.len(), "a key stands in the reference once");
    let missing: Vec<_> = accepted.difference(&unique).collect();
    assert!(missing.is_empty(), "the reference lacks {missing:?}");
    assert_eq!(unique, *accepted);
}

/// With certificates in the place of those that it names.
#[test]
fn the_example_of_a_web_configuration_is_accepted() {
    let folder = secrets();
    let authority = Authority::new("documents");
    let issued = authority.issue(&["exporter.example.com"]);
    certificates::place(&folder.file("server.crt"), &issued.certificate);
    certificates::place(&folder.file("server.key"), &issued.key);
    certificates::place(&folder.file("clients.crt"), &authority.certificate());
    let mut examples = code_blocks()
        .filter(|(language, text)| *language == "yaml" && text.starts_with("tls_server_config:"));
    let (_, text) = examples.next().expect("there is an example");
    let web = config::parse_web(&text, &folder.file("web.yml"), false)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(web.warnings, [""; 0]);
}

/// A default that is written out means the same as no key at all; a key that is said to be required
/// cannot be left out, and every other one can.
#[test]
fn the_configuration_reference_has_the_defaults() {
    let folder = secrets();
    let effective = |value: &Value| {
        config::parse(&value.to_string(), &folder.file("c.yml"), &fake_keys)
            .map(|config| config.effective)
    };
    let least: Vec<_> = least()
        .into_iter()
        .map(|value| (effective(&value).expect("it has what is required"), value))
        .collect();
    for (key, default) in reference("## Configuration reference") {
        let mut was_looked_at = false;
        for (meaning, value) in &least {
            let mut without = value.clone();
            let is_there = remove(&mut without, &key);
            if default.starts_with("required") {
                was_looked_at |= is_there;
                assert!(!is_there || effective(&without).is_err(), "{key} is not required");
            } else if let Some(default) = default.strip_prefix('`') {
                let default = default.trim_end_matches('`');
                let default = serde_saphyr::from_str(default).expect("a default is YAML");
                if !is_there && set(&mut without, &key, default) {
                    was_looked_at = true;
                    assert_eq!(effective(&without).as_ref(), Ok(meaning), "{key}");
                }
            } else {
                was_looked_at = true;
                assert!(!is_there || key.contains(".credentials.") || effective(&without).is_ok());
            }
        }
        assert!(was_looked_at, "{key}: no configuration of this test has its section");
    }
}

/// Configurations with what is required and, of what is not, only what holds something required.
fn least() -> Vec<Value> {
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let service = "4189d3c2-8882-4871-a3c2-d380272eed88";
    let cluster = "5c77b71c-5b35-4f50-8984-76387e42451a";
    let file = "secrets/secret_key";
    let plain = json!({
        "projects": [{
            "name": "p",
            "region": "cn-north-4",
            "clusters": [{ "id": cluster }],
            "endpoint_services": [{ "id": service }],
        }],
    });
    let with = |key: &str, value: Value| {
        let mut changed = plain.clone();
        assert!(set(&mut changed, key, value));
        changed
    };
    let mut bare = plain.clone();
    remove(&mut bare, "projects[].clusters");
    remove(&mut bare, "projects[].endpoint_services");
    let credentials = |kind: Value| with("projects[].credentials", kind);
    let token = json!({ "name": "t", "sha256": digest, "role": "viewer" });
    vec![
        bare,
        plain.clone(),
        with("shard", json!({ "index": 0 })),
        with("projects[].discovery", json!({})),
        with("admin", json!({ "listen": "127.0.0.1:10068", "tokens": [token] })),
        credentials(json!({ "static": { "access_key": "A", "secret_key_file": file } })),
        credentials(json!({ "profile": { "file": "secrets/profile" } })),
        credentials(json!({ "password": { "domain": "d", "user": "u", "password_file": file } })),
        credentials(json!({ "token": { "file": file } })),
        credentials(json!({ "identity_provider": { "idp_id": "i", "id_token_file": file } })),
        credentials(json!({
            "oidc": { "provider_urn": "p", "agency_urn": "a", "token_file": file },
        })),
        credentials(json!({ "chain": {}, "assume": { "agency_urn": "a" } })),
    ]
}

/// The object that a key is in, and the key's last name; a list has one entry.
fn place<'a, 'k>(value: &'a mut Value, key: &'k str) -> Option<(&'a mut Value, &'k str)> {
    let Some((first, rest)) = key.split_once('.') else { return Some((value, key)) };
    let inner = match first.strip_suffix("[]") {
        Some(list) => value.get_mut(list)?.get_mut(0)?,
        // A section of sections is only a default away.
        None if ["poll", "paging", "rate_limit", "css", "vpcep"].contains(&first) => {
            value.as_object_mut()?.entry(first).or_insert_with(|| json!({}))
        }
        None => value.get_mut(first)?,
    };
    place(inner, rest)
}

fn remove(value: &mut Value, key: &str) -> bool {
    let mut whole = value.clone();
    let removed = place(&mut whole, key)
        .and_then(|(inside, last)| inside.as_object_mut()?.remove(last))
        .is_some();
    if removed {
        *value = whole;
    }
    removed
}

/// False where the section that the key is in is not there.
fn set(value: &mut Value, key: &str, new: Value) -> bool {
    let Some((inside, last)) = place(value, key) else { return false };
    let Some(object) = inside.as_object_mut() else { return false };
    object.insert(last.to_owned(), new);
    true
}

/// Key and default of each row of a reference.
fn reference(heading: &str) -> Vec<(String, String)> {
    let rows = section(heading).map(cells);
    rows.map(|row| (row[0].trim_matches('`').to_owned(), row[2].clone())).collect()
}

/// The rows of the tables below a heading.
pub(super) fn section(heading: &str) -> impl Iterator<Item = &'static str> {
    let mut lines = MANUAL.lines().skip_while(move |line| *line != heading);
    assert!(lines.next().is_some(), "there is a reference");
    let section = lines.take_while(|line| !line.starts_with('#'));
    section.filter(|line| line.starts_with("| `"))
}

#[test]
fn examples_of_configurations_are_accepted() {
    let folder = secrets();
    let plain = "projects: [{ name: p, region: cn-north-4 }]\n";
    let mut accepted = 0;
    for (_, text) in code_blocks().filter(|(language, _)| *language == "yaml") {
        let texts: Vec<_> = if text.contains("projects:") {
            vec![text]
        } else if ["credentials:", "paging:"].iter().any(|key| text.starts_with(key)) {
            let project = plain.trim_end_matches(" }]\n");
            // Alternatives are commented out, as in the reference file.
            let lines = text.lines().map(|line| line.trim_start_matches('#'));
            lines.map(|line| format!("{project}, {line} }}]\n")).collect()
        } else if text.starts_with("shard:") {
            vec![format!("{plain}{text}")]
        } else {
            continue;
        };
        for text in texts {
            let here = folder.file("secrets");
            let home = here.join("home");
            let text = text.replace("/run/secrets", here.to_str().unwrap());
            let lookup = |name: &str| match name {
                "HOME" => Some(home.to_str()?.to_owned()),
                "HOSTNAME" => Some("exporter-3".to_owned()),
                "HC_CONTAINER_CREDENTIALS_FULL_URI" => Some("http://agent.example.com".to_owned()),
                "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE" => {
                    Some(here.join("token").to_str()?.to_owned())
                }
                other => fake_keys(other),
            };
            if let Err(error) = config::parse(&text, &folder.file("c.yml"), &lookup) {
                panic!("an example is not accepted:\n{error}\n{text}");
            }
            accepted += 1;
        }
    }
    assert!(accepted >= 10, "{accepted}");
}

#[test]
fn what_check_config_says_of_the_example_is_shown() {
    let folder = secrets();
    let (_, example) = code_blocks()
        .find(|(language, text)| *language == "yaml" && text.contains("state_file"))
        .expect("there is an example");
    folder.write("css-vpcep-exporter.yml", example);
    let output = Command::new(env!("CARGO_BIN_EXE_css-vpcep-exporter"))
        .arg("check-config")
        .current_dir(&folder.path)
        .env_clear()
        .envs([("HUAWEICLOUD_SDK_AK", "fake"), ("HUAWEICLOUD_SDK_SK", "fake")])
        .output()
        .expect("the program can be run");
    let said = String::from_utf8(output.stdout).expect("it is text");
    assert!(output.status.success(), "{said}");
    let shown = format!("\n```console\n$ css-vpcep-exporter check-config\n{said}```\n");
    assert!(MANUAL.contains(&shown), "the manual should show:\n{said}");
}

#[test]
fn code_blocks_of_data_can_be_read() {
    for (language, text) in code_blocks() {
        let problem = match language {
            "json" => serde_json::from_str::<Value>(&text).err().map(|error| error.to_string()),
            "yaml" => serde_saphyr::from_str::<Value>(&text).err().map(|error| error.to_string()),
            _ => None,
        };
        assert_eq!(problem, None, "{text}");
    }
}

fn fake_keys(name: &str) -> Option<String> {
    let keys = ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"];
    keys.contains(&name).then(|| "fake".to_owned())
}

/// A folder with the secret files that the examples name.
fn secrets() -> Folder {
    let folder = Folder::new("documents");
    let profile = "[basic]\nak = fake\nsk = fake\n";
    for name in ["secret_key", "security_token", "password", "token", "id_token"] {
        folder.write(&format!("secrets/{name}"), "fake\n");
    }
    folder.write("secrets/profile", profile);
    folder.write("secrets/home/.huaweicloud/credentials", profile);
    folder
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Finds all keys by asking: a key that cannot be makes the parser say which can.
fn discover(
    path: &str,
    wrap: &dyn Fn(&str) -> String,
    accepted: &dyn Fn(&str) -> Vec<String>,
    keys: &mut BTreeSet<String>,
) {
    let places = [(path.to_owned(), ["", ""]), (format!("{path}[]"), ["[", "]"])];
    for (path, [open, close]) in places {
        // The keys of `defaults` are keys of a project.
        if path.starts_with("defaults") {
            continue;
        }
        for key in accepted(&wrap(&format!("{open}{{ zzz: 1 }}{close}"))) {
            let path = joined(&path, &key);
            let deeper = |inner: &str| wrap(&format!("{open}{{ {key}: {inner} }}{close}"));
            discover(&path, &deeper, accepted, keys);
            keys.insert(path);
        }
    }
}

fn accepted_keys(text: &str) -> Vec<String> {
    let parsed = config::parse(text, Path::new("c.yml"), &fake_keys);
    in_place_of_zzz(&parsed.expect_err("zzz is no key"))
}

fn accepted_web_keys(text: &str) -> Vec<String> {
    let parsed = config::parse_web(text, Path::new("web.yml"), false);
    in_place_of_zzz(&parsed.expect_err("zzz is no key"))
}

/// The keys that are accepted in the place of `zzz`.
fn in_place_of_zzz(error: &ConfigError) -> Vec<String> {
    let Some((_, rest)) = error.mistakes[0].split_once("unknown field `zzz`, expected ") else {
        return Vec::new();
    };
    let list = rest.split(" at line").next().unwrap_or_default().trim_start_matches("one of ");
    list.split([',', ' ', '`'])
        .filter(|word| !["", "or"].contains(word))
        .map(str::to_owned)
        .collect()
}
