//! What git cannot hold: missing, unreadable and broken files, and permissions.

use super::*;

const MINIMAL: &str = "projects: [{ name: a, region: cn-north-4, clusters: [] }]\n";

/// Files that are no configuration, each with what is said of it.
fn broken(folder: &Folder) -> Vec<(PathBuf, &'static str)> {
    let path = |name: &str| folder.file(name);
    fs::create_dir_all(path("directory")).unwrap();
    let _ = std::os::unix::fs::symlink("loop", path("loop"));
    let _ = std::os::unix::net::UnixListener::bind(path("socket"));
    let large = fs::File::create(path("large")).unwrap();
    large.set_len(1 << 30).unwrap();
    vec![
        (path("missing"), "missing: cannot be read: No such file"),
        (path("missing/missing"), "missing: cannot be read: No such file"),
        (path("directory"), "directory: a directory, a file is expected"),
        (path("loop"), "loop: cannot be read: "),
        (path("socket"), "socket: not a regular file; a regular file is expected"),
        (path("large"), "large: larger than 16 MiB"),
        (folder.write_for(0o644, "empty", ""), "empty: empty, projects are expected"),
        (folder.write_for(0o644, "blank", "\n  \n"), "blank: empty, projects are expected"),
        (folder.write_for(0o644, "latin-1", b"# \n# caf\xe9\n"), "latin-1:2:6: not UTF-8"),
        (folder.write_for(0o644, "binary", b"\0\0\0"), "binary:1:1: "),
        (folder.write_for(0o644, "half", "projects: [{ name: a,"), "half:1:12: unclosed bracket"),
        (
            folder.write_for(0o666, "writable", MINIMAL),
            "writable: every user of the machine can change it (mode 666)",
        ),
    ]
}

#[test]
fn what_is_no_configuration_is_named_in_one_line() {
    let folder = Folder::new("broken");
    for (path, expected) in broken(&folder) {
        let Err(ConfigError { mistakes }) = load(&path, &variables(&[])) else {
            panic!("{path:?} is taken")
        };
        let [mistake] = &mistakes[..] else { panic!("{mistakes:?}") };
        assert!(mistake.contains(expected), "{expected:?} is not in {mistake:?}");
        assert!(!mistake.contains('\n'), "{mistake:?}");
    }
}

#[test]
fn every_command_ends_with_64_and_the_mistake() {
    let folder = Folder::new("exit-codes");
    for (path, expected) in broken(&folder) {
        let (code, stdout, stderr) =
            output(program().args(["check-config", "--config.file"]).arg(&path));
        assert_eq!((code, stdout.as_str()), (Some(64), ""), "{path:?}");
        assert!(stderr.contains(expected), "{expected:?} is not in {stderr:?}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let bad = here("tests/data/config/interval-zero.bad.yml");
    for command in [&["serve"][..], &["collect"], &["check-config", "--online"], &[]] {
        let (code, stdout, stderr) = output(program().args(command).arg("--config.file").arg(&bad));
        assert_eq!((code, stdout.as_str()), (Some(64), ""), "{command:?}");
        assert!(stderr.contains("poll.interval: found 0s"), "{command:?}: {stderr}");
    }
}

#[test]
fn secret_files_that_everybody_can_use_are_refused() {
    let folder = Folder::new("modes");
    let config = |kind: &str| {
        let credentials = match kind {
            "static" => "{ static: { access_key: AK, secret_key_file: secret } }",
            "password" => "{ password: { domain: d, user: u, password_file: secret } }",
            "profile" => "{ profile: { file: secret } }",
            _ => "{ token: { file: secret } }",
        };
        let text = format!(
            "projects: [{{ name: a, region: cn-north-4, credentials: {credentials}, \
             clusters: [{{ id: 5c77b71c-5b35-4f50-8984-76387e42451a }}] }}]"
        );
        folder.write("config.yml", text)
    };
    for kind in ["static", "password", "profile", "token"] {
        let path = config(kind);
        let text = if kind == "profile" { "[basic]\nak = AK\nsk = canary\n" } else { "canary\n" };
        // What the group and what everybody else may do: read and write, each alone and both.
        for mode in (0..0o100).filter(|mode| mode & 0o11 == 0).map(|mode| mode | 0o600) {
            folder.write_for(mode, "secret", text);
            let result = load(&path, &variables(&[]));
            let expected = mode & 0o007 == 0;
            assert_eq!(result.is_ok(), expected, "{kind} {mode:o}: {result:?}");
            if let Err(error) = result {
                let error = error.to_string();
                let says = format!("every user of the machine can use it (mode {mode:03o})");
                assert!(error.contains(&says) && !error.contains(CANARY), "{error}");
            }
        }
    }
}

#[test]
fn secret_files_hold_one_line() {
    let folder = Folder::new("secret-texts");
    let text = "projects: [{ name: a, region: cn-north-4, credentials: { token: { file: secret } }, \
                clusters: [{ id: 5c77b71c-5b35-4f50-8984-76387e42451a }] }]";
    let path = folder.write("config.yml", text);
    let large = "canary".repeat(20_000);
    let cases = [
        ("canary", true),
        ("canary\r\n", true),
        ("", false),
        ("\n", false),
        ("canary\ncanary\n", false),
        (&large, false),
    ];
    for (secret, is_good) in cases {
        folder.write("secret", secret);
        let result = load(&path, &variables(&[]));
        assert_eq!(result.is_ok(), is_good, "{:?}", secret.len());
        assert!(!format!("{result:?}").contains(CANARY), "{result:?}");
    }
}

#[test]
fn paths_are_relative_to_the_file_or_to_home() {
    let folder = Folder::new("paths");
    folder.write("home/sk", CANARY);
    folder.write("etc/sk", CANARY);
    let variables = variables(&[("HOME", folder.file("home").to_str().unwrap())]);
    let config = |state: &str, sk: &str| {
        let text = format!(
            "state_file: {state}\nprojects: [{{ name: a, region: cn-north-4, credentials: \
             {{ static: {{ access_key: AK, secret_key_file: {sk} }} }}, \
             clusters: [{{ id: 5c77b71c-5b35-4f50-8984-76387e42451a }}] }}]"
        );
        load(&folder.write("etc/config.yml", text), &variables).unwrap()
    };
    assert_eq!(config("state", "sk").state_file, Some(folder.file("etc/state")));
    assert_eq!(config("~/state", "~/sk").state_file, Some(folder.file("home/state")));
    let absolute = folder.file("etc/sk");
    assert_eq!(
        config("/var/lib/state", absolute.to_str().unwrap()).state_file,
        Some("/var/lib/state".into())
    );
}
