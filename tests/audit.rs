//! The audit log from outside: its bytes, its two commands, and a process that is killed while it
//! writes.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use crate::support::process::{Folder, this_test};
use css_vpcep_exporter::{
    audit::{Audit, ChangeId, Content, Kind, Unresolved, read},
    clock::Clock,
    model::ServiceId,
};
use serde_json::json;

const GOLDEN: &str = include_str!("data/audit.golden.jsonl");
/// The same log as an older version wrote it: without `service_name`.
const OLDER: &str = include_str!("data/audit.without-names.jsonl");
const KILLED: &str = "audit::a_process_killed_while_it_writes_loses_nothing_that_was_acknowledged";
/// Where it is set, this process is the one that is killed, and this is the path of its log.
const ROLE: &str = "AUDIT_LOG_OF_THE_PROCESS_THAT_IS_KILLED";
const KILLS: u32 = 100;
const LONGEST_LIFE: Duration = Duration::from_millis(20);

fn change_id(number: u64) -> ChangeId {
    ChangeId::parse(&format!("019b7c2e-0000-7000-8000-{number:012x}")).unwrap()
}

fn intent(number: u64, from: &str, to: &str) -> Content {
    Content {
        change_id: Some(change_id(number)),
        actor: Some("oncall".into()),
        remote: Some("10.0.0.7".into()),
        project: Some("prod".into()),
        service_id: ServiceId::parse("4189d3c2-8882-4871-a3c2-d380272eed88").ok(),
        service_name: Some("logs".into()),
        before: Some(json!({ "service_name": from })),
        request: Some(json!({ "service_name": to })),
        diff: Some(json!([{ "field": "service_name", "from": from, "to": to }])),
        ..Content::empty(Kind::Intent)
    }
}

fn outcome(number: u64, outcome: &str) -> Content {
    intent(number, "", "").ended(outcome)
}

/// The golden log was not made by this program, but from the documented rule.
#[tokio::test]
async fn the_bytes_are_those_of_the_golden_log() {
    let folder = Folder::new("audit-golden");
    let path = folder.file("audit.jsonl");
    let at = |second: &str| format!("2026-01-02T03:04:{second}Z").parse().unwrap();
    let clock = Clock::manual(at("05"));
    let (audit, writer, _) = Audit::open(&path, clock.clone()).unwrap();
    clock.set(at("06"));
    audit.intent(intent(1, "a", "b")).await.unwrap();
    clock.set(at("07.250999"));
    let cloud = Some(json!({ "status": 200, "request_id": "r-1" }));
    audit.outcome(Content { cloud, ..outcome(1, "applied") }).await.unwrap();
    clock.set(at("08"));
    let request = Some(json!({ "service_name": "b" }));
    audit.outcome(Content { request, ..outcome(2, "unchanged") }).await.unwrap();
    clock.set(at("09.999"));
    audit.intent(intent(3, "b", "é\u{2028}\u{85}\u{1b}[2J")).await.unwrap();
    clock.set(at("10"));
    audit.deny(Content::denied("token", "10.0.0.9"));
    writer.close().await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), GOLDEN);
}

/// A log of an older version is valid, can be read, and is continued.
#[tokio::test]
async fn a_log_without_names_goes_on() {
    let folder = Folder::new("audit-older");
    let path = folder.file("log");
    folder.write("log", OLDER);
    let before = audit(&["verify", "log"], &folder);
    assert_eq!(before.status.code(), Some(0), "{}", text(&before));
    let (log, writer, recovered) = Audit::open(&path, Clock::system()).unwrap();
    assert_eq!((recovered.records, recovered.unresolved.len()), (6, 1));
    let content = &recovered.unresolved[0].content;
    assert_eq!((content.project.as_deref(), &content.service_name), (Some("prod"), &None));
    assert_eq!(log.recent(1)[0].id, change_id(3));
    log.outcome(outcome(3, "applied")).await.unwrap();
    writer.close().await.unwrap();
    let after = audit(&["verify", "log"], &folder);
    assert_eq!(after.status.code(), Some(0), "{}", text(&after));
    let written = fs::read_to_string(&path).unwrap();
    assert!(written.starts_with(OLDER));
    let last = written.lines().last().unwrap();
    let id = "4189d3c2-8882-4871-a3c2-d380272eed88";
    assert!(last.contains(&format!(r#""service_id":"{id}","service_name":"logs","before":"#)));
}

fn audit(arguments: &[&str], folder: &Folder) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_css-vpcep-exporter"));
    command.env_clear().arg("audit").args(arguments).current_dir(&folder.path);
    command.output().unwrap()
}

fn text(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn verify_says_what_the_log_has_and_where_it_breaks() {
    let folder = Folder::new("audit-verify");
    let lines: Vec<&str> = GOLDEN.split_inclusive('\n').collect();
    fs::write(folder.file("log"), GOLDEN).unwrap();
    let head = &GOLDEN[GOLDEN.len() - 67..GOLDEN.len() - 3];
    let fine = audit(&["verify", "log"], &folder);
    let expected = format!(
        "log: 6 records, seq 1 to 6, 2026-01-02T03:04:05.000Z to 2026-01-02T03:04:10.000Z, head {head}\n\
         intent without outcome: seq 5, oncall from 10.0.0.7, \
         prod/logs (4189d3c2-8882-4871-a3c2-d380272eed88), change 019b7c2e-0000-7000-8000-000000000003\n"
    );
    assert_eq!((fine.status.code(), text(&fine)), (Some(0), &*expected));

    let cases: [(String, &str); 6] = [
        (GOLDEN.replace("\"b\"", "\"c\""), "line 2, seq 2: its hash does not fit"),
        (GOLDEN.replace(lines[2], ""), "line 3, seq 3: seq 4 was found instead"),
        (lines[1..].concat(), "line 1: a file begins with a record of kind opened"),
        (format!("{}{}", lines[0], lines[0]), "line 2, seq 2: seq 1 was found instead"),
        (format!("{}junk\n", lines[0]), "line 2, seq 2: it is not a record"),
        (GOLDEN[..GOLDEN.len() - 9].to_owned(), "line 6, seq 6: it was not written to its end"),
    ];
    for (log, expected) in cases {
        fs::write(folder.file("log"), log).unwrap();
        let broken = audit(&["verify", "log"], &folder);
        let said = text(&broken);
        assert!(broken.status.code() == Some(1) && said.contains(expected), "{expected}: {said}");
    }
    // An emptied log does not count as a log.
    fs::write(folder.file("log"), "").unwrap();
    let empty = audit(&["verify", "log"], &folder);
    assert!(empty.status.code() == Some(1) && text(&empty).contains("log: no records"));
    // A log that was cut off between records is valid by itself, but lacks the record noted elsewhere.
    let cut = lines[..4].concat();
    let last_of = |log: &str| log[log.len() - 67..log.len() - 3].to_owned();
    let cases = [
        (GOLDEN, "6", last_of(GOLDEN), 0),
        (GOLDEN, "4", last_of(&cut), 0),
        (&cut, "6", last_of(GOLDEN), 1),
        (&cut, "3", last_of(&cut), 1),
        (GOLDEN, "7", last_of(GOLDEN), 1),
    ];
    for (log, seq, head, code) in cases {
        fs::write(folder.file("log"), log).unwrap();
        let both = ["verify", "log", "--expect-sequence", seq, "--expect-head", &head];
        let verified = audit(&both, &folder);
        assert_eq!(verified.status.code(), Some(code), "{seq} {head}: {}", text(&verified));
        assert_eq!(text(&verified).contains("there is no record with seq"), code == 1);
    }
    let wrong = audit(&["verify", "log", "--expect-head", "ABC"], &folder);
    assert_eq!(wrong.status.code(), Some(64));
    let absent = audit(&["verify", "absent"], &folder);
    assert!(absent.status.code() == Some(1) && text(&absent).contains("absent: cannot be read"));
    assert_eq!(audit(&["verify"], &folder).status.code(), Some(64));
}

#[tokio::test]
async fn verify_reads_the_pieces_of_a_log_in_their_order_and_misses_one() {
    let folder = Folder::new("audit-pieces");
    let path = folder.file("log");
    let (log, writer, _) = Audit::open(&path, Clock::system()).unwrap();
    for number in 1..4 {
        log.intent(intent(number, "a", "b")).await.unwrap();
        log.outcome(outcome(number, "applied")).await.unwrap();
        if number < 3 {
            fs::rename(&path, folder.file(&format!("log.{}", 3 - number))).unwrap();
            log.reopen();
            while !path.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    writer.close().await.unwrap();
    let whole = audit(&["verify", "log", "log.1", "log.2"], &folder);
    let said = text(&whole);
    let starts: Vec<_> = said.lines().map(|line| line.split(" to").next().unwrap()).collect();
    let expected = ["log.2: 3 records, seq 1", "log.1: 3 records, seq 4", "log: 3 records, seq 7"];
    assert_eq!((whole.status.code(), &*starts), (Some(0), &expected[..]), "{said}");
    let gap = audit(&["verify", "log", "log.2"], &folder);
    let said = text(&gap);
    assert_eq!(gap.status.code(), Some(1), "{said}");
    assert!(said.contains("log: line 1, seq 4: seq 7 was found instead"), "{said}");
    assert!(said.contains("log.2 before it ends at seq 3"), "{said}");
}

#[test]
fn show_is_readable_and_harmless() {
    let folder = Folder::new("audit-show");
    fs::write(folder.file("log"), GOLDEN).unwrap();
    let whole = audit(&["show", "log"], &folder);
    let expected = r#"2026-01-02T03:04:05.000Z  opened (created)
2026-01-02T03:04:07.250Z  applied, oncall from 10.0.0.7, prod/logs (4189d3c2-8882-4871-a3c2-d380272eed88), change 019b7c2e-0000-7000-8000-000000000001
    service_name: "a" -> "b"
    cloud: {"request_id":"r-1","status":200}
2026-01-02T03:04:08.000Z  unchanged, oncall from 10.0.0.7, prod/logs (4189d3c2-8882-4871-a3c2-d380272eed88), change 019b7c2e-0000-7000-8000-000000000002
2026-01-02T03:04:10.000Z  denied (token), 1 times, an unknown caller from 10.0.0.9
2026-01-02T03:04:09.999Z  no outcome, oncall from 10.0.0.7, prod/logs (4189d3c2-8882-4871-a3c2-d380272eed88), change 019b7c2e-0000-7000-8000-000000000003
    service_name: "b" -> "é\u{2028}\u{85}\u001b[2J"
"#;
    assert_eq!((whole.status.code(), text(&whole)), (Some(0), expected));

    let lines: Vec<&str> = GOLDEN.split_inclusive('\n').collect();
    let first = "019b7c2e-0000-7000-8000-000000000001";
    let service = "prod/4189d3c2-8882-4871-a3c2-d380272eed88";
    let cases: [(&[&str], &[&str]); 13] = [
        (&["--change", first], &lines[1..3]),
        (&["--service", "logs"], &lines[1..5]),
        (&["--service", "prod/logs"], &lines[1..5]),
        (&["--service", "test/logs"], &[]),
        (&["--actor", "oncall"], &lines[1..5]),
        (&["--actor", "anna"], &[]),
        (&["--outcome", "applied"], &lines[2..3]),
        (&["--since", "2026-01-02", "--outcome", "token"], &lines[5..]),
        (&["--until", "2026-01-01"], &[]),
        (&["--until", "2026-01-02T03:04:06Z", "--since", "2026-01-02T03:04:06"], &lines[1..2]),
        (&["--since", "2026-01-02T03:04:08Z"], &lines[3..]),
        (&["--service", service], &lines[1..5]),
        (&["--since", "1s"], &[]),
    ];
    for (filter, expected) in cases {
        let shown = audit(&[&["show", "log", "--json"], filter].concat(), &folder);
        assert_eq!(
            (shown.status.code(), text(&shown)),
            (Some(0), &*expected.concat()),
            "{filter:?}"
        );
    }
    // The diff of a change is in its intent, which has no outcome.
    let applied = audit(&["show", "log", "--outcome", "applied"], &folder);
    assert_eq!(text(&applied).lines().count(), 3, "{}", text(&applied));
    // A change is shown by its end: the times of its intent hide neither the end nor the diff.
    let at = |flag: &str, time: &str| {
        let shown = audit(&["show", "log", flag, time, "--change", first], &folder);
        assert_eq!(shown.status.code(), Some(0), "{flag} {time}");
        text(&shown).to_owned()
    };
    assert_eq!(at("--until", "2026-01-02T03:04:06.5Z"), "");
    let applied: String = expected.split_inclusive('\n').skip(1).take(3).collect();
    assert_eq!(at("--since", "2026-01-02T03:04:07Z"), applied);
    assert_eq!(at("--until", "2026-01-02T03:04:08Z"), applied);
    assert_eq!(at("--since", "2026-01-02T03:04:08Z"), "");
    assert_eq!(audit(&["show", "log", "--since", "then"], &folder).status.code(), Some(64));
    fs::write(folder.file("log"), format!("{GOLDEN}junk\u{1b}\n")).unwrap();
    let broken = audit(&["show", "log"], &folder);
    assert!(
        broken.status.code() == Some(1) && text(&broken).contains("line 7: it is not a record")
    );
}

#[test]
fn a_process_killed_while_it_writes_loses_nothing_that_was_acknowledged() {
    match env::var_os(ROLE) {
        Some(path) => write_until_killed(Path::new(&path)),
        None => kill_again_and_again(),
    }
}

/// The process that is killed: closes what it finds open, then makes changes and says the number of
/// each record that is on the disk.
fn write_until_killed(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (audit, _writer, recovered) = Audit::open(path, Clock::system()).unwrap();
        let say = |seq: u64| {
            // The test runner may not have ended its line.
            std::io::stdout().write_all(format!("\n{seq}\n").as_bytes()).unwrap();
        };
        let number = |id: &ChangeId| u64::from_str_radix(&id.as_str()[24..], 16).unwrap();
        for intent in recovered.unresolved {
            let number = number(intent.content.change_id.as_ref().unwrap());
            say(audit.outcome(outcome(number, "unknown")).await.unwrap().seq);
        }
        let newest = audit.recent(1);
        let first = newest.first().map_or(0, |change| number(&change.id)) + 1;
        for number in first.. {
            say(audit.intent(intent(number, "a", "b")).await.unwrap().seq);
            say(audit.outcome(outcome(number, "applied")).await.unwrap().seq);
        }
    });
}

fn kill_again_and_again() {
    let folder = Folder::new("audit-kills");
    let path = folder.file("log");
    let (mut acknowledged, mut seed) = (0, 7_u64);
    for kill in 0..KILLS {
        let mut process = start(&path);
        let mut said = BufReader::new(process.stdout.take().unwrap());
        // Half of them are killed at any time after their start, half when they surely write.
        if kill.is_multiple_of(2) {
            let mut line = String::new();
            while line.trim().parse::<u64>().is_err() {
                line.clear();
                assert!(
                    said.read_line(&mut line).unwrap() > 0,
                    "it ended before it wrote anything"
                );
            }
            if kill == 0 {
                let second = Audit::open(&path, Clock::system()).err().unwrap().to_string();
                assert!(second.contains("another process writes it"), "{second}");
            }
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(LONGEST_LIFE.mul_f64((seed >> 40) as f64 / (1 << 24) as f64));
        process.kill().unwrap();
        let status = process.wait().unwrap();
        assert_eq!(status.code(), None, "kill {kill}: it ended by itself");
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        let last = rest.lines().rev().find_map(|line| line.parse().ok());
        acknowledged = last.unwrap_or(acknowledged);
        if !path.exists() {
            continue;
        }
        let mut unresolved = Unresolved::default();
        let file = BufReader::new(fs::File::open(&path).unwrap());
        let reading = read(file, None, |record, _| unresolved.take(&record)).unwrap();
        let found = reading.head.seq;
        assert!(found >= acknowledged, "kill {kill}: {acknowledged} was written, {found} is there");
        assert!(unresolved.intents().len() <= 1, "kill {kill}");
    }
    assert!(acknowledged >= u64::from(KILLS), "too little was written: {acknowledged} records");
}

fn start(path: &Path) -> Child {
    this_test(KILLED).env(ROLE, path).stdout(Stdio::piped()).spawn().unwrap()
}
