//! Every file of `tests/data/web`, the web configuration files: the same remarks at their tops as in
//! `tests/data/config`. The certificates that they name are made for the test.

use super::{fixtures::remarks, *};
use crate::support::certificates::{Authority, Issued, place};
use css_vpcep_exporter::config::{WebConfig, load_web, parse_web};

/// A folder with all the files that the fixtures name.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    let authority = Authority::new("the authority of the test");
    let put = |name: &str, text: &str| place(&folder.file(name), text);
    let pair = |name: &str, issued: &Issued| {
        put(&format!("{name}.crt"), &issued.certificate);
        put(&format!("{name}.key"), &issued.key);
    };
    let server = authority.issue(&["localhost", "127.0.0.1"]);
    pair("server", &server);
    pair("other", &authority.issue(&["localhost"]));
    pair("expired", &authority.issue_expired(&["localhost"]));
    pair("rsa", &authority.issue_rsa(&["localhost"]));
    put("ca.crt", &authority.certificate());
    put("chain.crt", &(server.certificate.clone() + &authority.certificate()));
    put("empty", "");
    put("broken.crt", "-----BEGIN CERTIFICATE-----\ncanary\n");
    put("nonsense.crt", "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n");
    put("nonsense.key", "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n");
    folder.write_for(0o644, "open.key", &server.key);
    for entry in fs::read_dir(here("tests/data/web")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path.join(path.file_name().unwrap())).unwrap();
    }
    folder
}

/// All fixtures with this ending, path and text.
fn fixtures(folder: &Folder, ending: &str) -> Vec<(PathBuf, String)> {
    let paths = fs::read_dir(&folder.path).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn good_files_load_with_the_warnings_they_expect() {
    let folder = folder("web-good");
    let fixtures = fixtures(&folder, ".good.yml");
    assert!(fixtures.len() >= 15);
    for (path, text) in fixtures {
        let WebConfig { settings, warnings } =
            load_web(&path, false).unwrap_or_else(|error| panic!("{error}"));
        let expected = remarks(&text, "warns");
        assert_eq!(warnings.len(), expected.len(), "{path:?}: {warnings:?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert!(warning.starts_with(path.to_str().unwrap()), "{warning}");
            assert!(warning.contains(expected), "{path:?}: {warning}");
        }
        assert_eq!(settings.tls.is_some(), text.contains("cert_file"), "{path:?}");
    }
}

#[test]
fn bad_files_fail_for_the_reason_they_expect_and_no_other() {
    let folder = folder("web-bad");
    let fixtures = fixtures(&folder, ".bad.yml");
    assert!(fixtures.len() >= 50);
    let complaints: Vec<_> = fixtures.iter().flat_map(complaints).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn complaints((path, text): &(PathBuf, String)) -> Vec<String> {
    match load_web(path, false) {
        Ok(_) => vec![format!("{path:?} is taken")],
        Err(error) => fixtures::unexpected(path, text, &error.mistakes),
    }
}

#[test]
fn certificates_and_keys_can_be_in_the_file() {
    let authority = Authority::new("inline");
    let Issued { certificate, key } = authority.issue(&["localhost"]);
    let text = serde_json::json!({ "tls_server_config": {
        "cert": certificate,
        "key": key,
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca": authority.certificate(),
    }});
    let WebConfig { settings, warnings } =
        parse_web(&text.to_string(), Path::new("web.yml"), false).unwrap();
    let warning = ": tls_server_config.key: written in the configuration, better in a file";
    assert!(warnings.len() == 1 && warnings[0].contains(warning), "{warnings:?}");
    assert!(warnings[0].starts_with("web.yml:1:"), "{warnings:?}");
    let shown = format!("{settings:?}");
    assert!(shown.contains("clients: Some(ClientAuth { mandatory: true, ca: Some("), "{shown}");
    assert!(!shown.contains("PRIVATE") && !shown.contains(&key[40..80]), "{shown}");
}

#[test]
fn what_is_no_file_is_named() {
    let folder = Folder::new("web-files");
    let web = |name: &str| load_web(&folder.file(name), false).unwrap_err().mistakes.join("\n");
    assert!(web("missing.yml").contains("missing.yml: cannot be read: No such file"));
    assert!(web("").contains("a directory, a file is expected"));
    folder.write_for(0o666, "web.yml", "rate_limit: {}");
    assert!(web("web.yml").contains("every user of the machine can change it (mode 666)"));
}

const ADMIN: &str = "\
projects: [{ name: a, region: cn-north-4 }]
admin:
  listen: \"LISTEN\"
  web_config_file: WEB
  tokens:
    - { name: a, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, role: viewer }
";

/// The mistakes of an admin section that listens there with this web configuration.
fn admin(folder: &Folder, listen: &str, web: &str) -> Vec<String> {
    let text = ADMIN.replace("LISTEN", listen).replace("WEB", web);
    let path = folder.write("config.yml", text);
    match load(&path, &variables(&[])) {
        Ok(config) => {
            let shown = config.effective;
            let name = shown.lines().find(|line| line.contains("web_config_file")).unwrap();
            assert!(name.ends_with(web), "{name}");
            Vec::new()
        }
        Err(error) => error.mistakes,
    }
}

#[test]
fn the_admin_listener_leaves_loopback_only_with_tls() {
    let folder = folder("web-admin");
    let everywhere = "0.0.0.0:10068";
    assert_eq!(admin(&folder, everywhere, "verify-if-given.good.yml"), [""; 0]);
    assert_eq!(admin(&folder, "127.0.0.1:10068", "minimal.good.yml"), [""; 0]);
    assert_eq!(admin(&folder, "127.0.0.1:10068", "empty.good.yml"), [""; 0]);
    for (listen, web, expected) in [
        (
            everywhere,
            "null",
            "admin.listen: found \"0.0.0.0:10068\", expected a loopback address, or TLS",
        ),
        (everywhere, "empty.good.yml", "admin.listen: found \"0.0.0.0:10068\""),
        (everywhere, "missing.yml", "missing.yml: cannot be read"),
        (everywhere, "key-of-another.bad.yml", "tls_server_config.key_file: found the key of"),
        (
            "127.0.0.1:10068",
            "everything.good.yml",
            "admin.web_config_file: found basic_auth_users in ",
        ),
    ] {
        let mistakes = admin(&folder, listen, web);
        assert!(mistakes.len() == 1 && mistakes[0].contains(expected), "{expected}: {mistakes:?}");
        let key = expected.split(": ").next().filter(|key| key.starts_with("admin."));
        let key = format!(": {}: ", key.unwrap_or("admin.web_config_file"));
        let (place, _) = mistakes[0].split_once(&key).unwrap_or_else(|| panic!("{mistakes:?}"));
        let line = if key.contains("listen") { "config.yml:3:3" } else { "config.yml:4:3" };
        assert!(place.ends_with(line), "{mistakes:?}");
    }
}

#[test]
fn check_config_checks_both_files() {
    let folder = folder("web-check");
    let path = folder.write("config.yml", "projects: [{ name: a, region: cn-north-4 }]");
    let check = |web: &str, by_flag: bool| {
        let mut command = program();
        command.args(["check-config", "--config.file"]).arg(&path);
        let web = folder.file(web);
        if by_flag {
            command.arg("--web.config.file").arg(web);
        } else {
            command.env("CSS_VPCEP_EXPORTER_WEB_CONFIG_FILE", web);
        }
        output(&mut command)
    };
    for by_flag in [true, false] {
        let (code, _, stderr) = check("key-of-another.bad.yml", by_flag);
        assert_eq!(code, Some(64), "{stderr}");
        assert!(
            stderr.contains("tls_server_config.key_file: found the key of another"),
            "{stderr}"
        );
        let (code, stdout, stderr) = check("expired.good.yml", by_flag);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.contains("the certificate expired at 2001-02-03"), "{stdout}");
    }
    let broken = here("tests/data/config/interval-zero.bad.yml");
    let mut command = program();
    command.args(["check-config", "--config.file"]).arg(broken);
    let (_, _, stderr) =
        output(command.arg("--web.config.file").arg(folder.file("no-key.bad.yml")));
    assert!(
        stderr.contains("poll.interval") && stderr.contains("tls_server_config.key"),
        "{stderr}"
    );
    // What a template leaves empty is as good as absent.
    let mut command = program();
    command.args(["check-config", "--config.file"]).arg(&path);
    let (code, _, stderr) = output(command.env("CSS_VPCEP_EXPORTER_WEB_CONFIG_FILE", ""));
    assert_eq!(code, Some(0), "{stderr}");
}
