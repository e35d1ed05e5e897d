//! The configuration as it is shown.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    reference::{known_keys, paths},
    *,
};

fn effective(name: &str) -> String {
    load(&here(&format!("tests/data/config/{name}.good.yml")), &variables(&[])).unwrap().effective
}

#[test]
fn it_has_every_default_and_reads_back_as_yaml() {
    let text = effective("minimal");
    let yaml: Value = serde_saphyr::from_str(&text).unwrap();
    let values = [
        ("/poll/interval", "1m".into()),
        ("/poll/timeout", "30s".into()),
        ("/poll/concurrency", 8.into()),
        ("/poll/stale_after", "15m".into()),
        ("/poll/per_connection", true.into()),
        ("/poll/per_connection_limit", 1000.into()),
        ("/state_file", Value::Null),
        ("/shard/index", 0.into()),
        ("/shard/count", 1.into()),
        ("/projects/0/name", "prod".into()),
        ("/projects/0/credentials", "chain".into()),
        ("/projects/0/api_endpoints/css", "https://css.cn-north-4.myhuaweicloud.com".into()),
        ("/projects/0/api_endpoints/iam", "https://iam.cn-north-4.myhuaweicloud.com".into()),
        ("/projects/0/api_endpoints/sts", "https://sts.cn-north-4.myhuaweicloud.com".into()),
        ("/projects/0/proxy_url", Value::Null),
        ("/projects/0/proxy_from_environment", false.into()),
        ("/projects/0/rate_limit/css/burst", 10.into()),
        ("/projects/0/rate_limit/vpcep/requests_per_second", 0.5.into()),
        ("/projects/0/paging/parameter", "offset".into()),
        ("/projects/0/clusters/0/name", "5c77b71c-5b35-4f50-8984-76387e42451a".into()),
        ("/projects/0/clusters/0/interval", "1m".into()),
        ("/admin", Value::Null),
    ];
    for (path, value) in values {
        assert_eq!(yaml.pointer(path), Some(&value), "{path}\n{text}");
    }
}

#[test]
fn what_is_not_written_follows_from_the_intervals() {
    let cases = [
        ("{}", "{}", "30s", "15m"),
        ("{ interval: 30s }", "{}", "15s", "15m"),
        ("{ interval: 1s }", "{}", "500ms", "15m"),
        ("{ interval: 10m }", "{}", "30s", "30m"),
        ("{ interval: 1day }", "{}", "30s", "3days"),
        ("{ interval: 30s, timeout: 30s }", "{}", "30s", "15m"),
        ("{ interval: 10m, stale_after: 1h }", "{}", "30s", "1h"),
        // Intervals of single clusters count as well.
        ("{ interval: 10m }", "{ interval: 10s }", "5s", "30m"),
        ("{}", "{ interval: 20m }", "30s", "1h"),
        ("{ timeout: null, stale_after: null }", "{ interval: 20s }", "10s", "15m"),
    ];
    for (poll, cluster, timeout, stale_after) in cases {
        let more = cluster.trim_matches(['{', '}', ' ']);
        let text = format!(
            "poll: {poll}\nprojects: [{{ name: a, region: cn-north-4, clusters: [\
             {{ id: 5c77b71c-5b35-4f50-8984-76387e42451a }}, \
             {{ id: 0b6d1c52-9f0e-4d7a-8c3b-2a1f0e9d8c7b, {more} }}] }}]"
        );
        let variables = variables(&[]);
        let lookup = |name: &str| variables.get(name).cloned();
        let config = config::parse(&text, Path::new("c.yml"), &lookup);
        let effective = config.unwrap_or_else(|error| panic!("{text}: {error}")).effective;
        let yaml: Value = serde_saphyr::from_str(&effective).unwrap();
        let shown = (&yaml["poll"]["timeout"], &yaml["poll"]["stale_after"]);
        assert_eq!(shown, (&timeout.into(), &stale_after.into()), "{text}");
    }
}

#[test]
fn a_project_with_its_own_way_to_a_proxy_has_no_default_of_the_other_way() {
    const ONE: &str = "proxy_url: 'http://one.example.com'";
    const TWO: &str = "proxy_url: 'http://two.example.com', no_proxy: example.org";
    const ENVIRONMENT: &str = "proxy_from_environment: true";
    const NONE: &str = "proxy_from_environment: false";
    let one = || json!(["http://one.example.com", null, false]);
    let two = || json!(["http://two.example.com", "example.org", false]);
    let environment = || json!([null, null, true]);
    let parse = |defaults: &str, project: &str| {
        let text = format!(
            "defaults: {{ {defaults} }}\nprojects: [{{ name: a, region: cn-north-4, {project} }}]"
        );
        let variables = variables(&[("HTTPS_PROXY", "three.example.com")]);
        config::parse(&text, Path::new("c.yml"), &|name| variables.get(name).cloned())
    };
    for (defaults, project, expected, unused) in [
        (ONE, ENVIRONMENT, environment(), 1),
        (TWO, ENVIRONMENT, environment(), 2),
        (ENVIRONMENT, ONE, one(), 1),
        (ENVIRONMENT, TWO, two(), 1),
        (ENVIRONMENT, "", environment(), 0),
        (ENVIRONMENT, NONE, json!([null, null, false]), 1),
        (TWO, "", two(), 0),
        (TWO, NONE, two(), 0),
        (TWO, ONE, json!(["http://one.example.com", "example.org", false]), 1),
    ] {
        let config = parse(defaults, project);
        let config = config.unwrap_or_else(|error| panic!("{defaults} / {project}: {error}"));
        let yaml: Value = serde_saphyr::from_str(&config.effective).unwrap();
        let keys = ["proxy_url", "no_proxy", "proxy_from_environment"];
        let shown = json!(keys.map(|key| &yaml["projects"][0][key]));
        assert_eq!(shown, expected, "{defaults} / {project}");
        let warned = config.warnings.iter().filter(|one| one.contains("no project takes"));
        assert_eq!(warned.count(), unused, "{defaults} / {project}: {:?}", config.warnings);
    }
    let both = format!("{ONE}, {ENVIRONMENT}");
    for (defaults, project, section) in [(&*both, "", "defaults"), ("", &*both, "projects[0]")] {
        let mistakes = parse(defaults, project).unwrap_err().mistakes;
        let [mistake] = &mistakes[..] else { panic!("{mistakes:?}") };
        let expected = "found it with proxy_url, expected only one of them";
        let expected = format!("{section}.proxy_from_environment: {expected}");
        assert!(mistake.contains(&expected), "{mistake}");
    }
}

#[test]
fn no_secret_is_in_it() {
    let text = effective("everything");
    for secret in [CANARY, "CANARY", "9f86d081", "80a00f0b"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    let yaml: Value = serde_saphyr::from_str(&text).unwrap();
    let values = [
        ("/projects/0/credentials/static/access_key", "<access key>"),
        ("/projects/0/credentials/static/secret_key", "<secret>"),
        ("/projects/0/credentials/static/security_token", "<secret>"),
        ("/projects/1/credentials/password/password", "<secret>"),
        ("/projects/1/credentials/password/user", "u"),
        ("/projects/1/proxy_url", "http://<secret>@proxy.example.com:3128"),
        ("/admin/listen", "127.0.0.1:10068"),
        ("/admin/tokens/0/name", "oncall"),
        ("/admin/tokens/0/sha256", "<digest>"),
        ("/admin/tokens/0/role", "editor"),
        ("/admin/tokens/0/services/0", "prod/*"),
    ];
    for (path, value) in values {
        assert_eq!(yaml.pointer(path), Some(&value.into()), "{path}\n{text}");
    }
    assert!(yaml["admin"]["audit_log"].as_str().unwrap().ends_with("config/audit.jsonl"));
}

#[test]
fn it_shows_every_key_and_the_files_that_hold_secrets() {
    let folder = Folder::new("effective-files");
    let secret = folder.write("secret", CANARY);
    let profile = folder.write("profile", "[x]\nak = canary\nsk = canary\n");
    let mut shown = BTreeSet::new();
    for name in ["everything", "environment"] {
        paths("", &serde_saphyr::from_str(&effective(name)).unwrap(), &mut shown);
    }
    let cases = [
        (
            "{ static: { access_key: AK, secret_key_file: secret, security_token_file: secret } }",
            "static/secret_key_file",
        ),
        ("{ password: { domain: d, user: u, password_file: secret } }", "password/password_file"),
        ("{ token: { file: secret } }", "token/file"),
        ("{ profile: { file: profile, section: x } }", "profile/file"),
        (
            "{ identity_provider: { idp_id: i, id_token_file: secret } }",
            "identity_provider/id_token_file",
        ),
        ("{ oidc: { provider_urn: p, agency_urn: a, token_file: secret } }", "oidc/token_file"),
    ];
    let others = [
        "{ metadata: {}, assume: { agency_urn: a } }",
        "{ chain: {}, assume: { agency_name: a, domain_name: d, duration: 2h } }",
        "{ pod_identity: {} }",
    ];
    for (credentials, place) in cases {
        let text = format!(
            "projects: [{{ name: a, region: cn-north-4, credentials: {credentials}, \
             clusters: [] }}]"
        );
        let path = folder.write("config.yml", text);
        let effective = load(&path, &variables(&[])).unwrap().effective;
        let yaml: Value = serde_saphyr::from_str(&effective).unwrap();
        let expected = if place == "profile/file" { &profile } else { &secret };
        let found = yaml.pointer(&format!("/projects/0/credentials/{place}"));
        assert_eq!(found, Some(&expected.to_str().unwrap().into()), "{effective}");
        assert!(!effective.contains(CANARY), "{effective}");
        paths("", &yaml, &mut shown);
    }
    for credentials in others {
        let text = format!(
            "projects: [{{ name: a, region: cn-north-4, credentials: {credentials}, \
             clusters: [] }}]"
        );
        let path = folder.write("config.yml", text);
        let pod = [
            ("HC_CONTAINER_CREDENTIALS_FULL_URI", "http://agent.example.com"),
            ("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", secret.to_str().unwrap()),
        ];
        let effective = load(&path, &variables(&pod)).unwrap().effective;
        paths("", &serde_saphyr::from_str(&effective).unwrap(), &mut shown);
    }
    // What the index was found from is shown as the index.
    let missing: Vec<_> = known_keys().difference(&shown).cloned().collect();
    assert_eq!(missing, ["shard.from"]);
}

#[test]
fn a_shard_shows_its_part_of_the_rate_limits() {
    let text = effective("everything");
    assert!(text.starts_with("# Rate limits are the part of shard 1 of 2.\n"), "{text}");
    let yaml: Value = serde_saphyr::from_str(&text).unwrap();
    let limits = &yaml["projects"][0]["rate_limit"];
    assert_eq!(limits["css"], json!({ "requests_per_second": 2.0, "burst": 4 }));
    assert_eq!(limits["vpcep"], json!({ "requests_per_second": 0.25, "burst": 1 }));
}
