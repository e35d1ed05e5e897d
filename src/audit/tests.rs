use std::{
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, atomic::AtomicUsize},
};

use serde_json::json;

use super::*;

/// A folder of its own for a test; it stays if the test fails.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("audit-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn clock() -> Clock {
    Clock::manual("2026-01-02T03:04:05.678901Z".parse().unwrap())
}

fn subject(number: u64) -> Subject {
    Subject {
        change_id: ChangeId::parse(&format!("019b7c2e-0000-7000-8000-{number:012x}")).unwrap(),
        actor: "oncall".into(),
        remote: "10.0.0.7".into(),
        project: "prod".into(),
        service_id: ServiceId::parse("4189d3c2-8882-4871-a3c2-d380272eed88").unwrap(),
    }
}

fn intent(number: u64) -> Intent {
    Intent {
        subject: subject(number),
        before: json!({ "service_name": "a" }),
        request: json!({ "service_name": "b" }),
        diff: json!([{ "field": "service_name", "from": "a", "to": "b" }]),
    }
}

fn outcome(number: u64) -> Outcome {
    Outcome {
        subject: subject(number),
        before: None,
        request: None,
        diff: None,
        cloud: Some(json!({ "status": 200 })),
        outcome: "applied".into(),
    }
}

/// The records of a file that must be whole.
fn records(path: &Path) -> Vec<Record> {
    let mut records = Vec::new();
    let file = BufReader::new(File::open(path).unwrap());
    let reading = read(file, None, |record, _| records.push(record)).unwrap();
    assert_eq!(reading.torn, b"");
    records
}

fn words(records: &[Record]) -> Vec<String> {
    let word = |record: &Record| {
        let outcome = record.content.outcome.as_deref().unwrap_or("");
        format!("{} {outcome}", record.content.kind.as_str()).trim_end().to_owned()
    };
    records.iter().map(word).collect()
}

async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn intent_and_outcome_are_chained_over_a_restart_and_known_again() {
    let folder = Folder::new("restart");
    let path = folder.log();
    let (audit, writer, recovered) = Audit::open(&path, clock()).unwrap();
    assert!(recovered.unresolved.is_empty() && recovered.records == 0);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(audit.intent(intent(1)).await.unwrap().seq, 2);
    let receipt = audit.outcome(outcome(1)).await.unwrap();
    assert_eq!(audit.intent(intent(2)).await.unwrap().seq, 4);
    writer.close().await.unwrap();
    assert_eq!(audit.intent(intent(3)).await, Err(AuditError::Closed));
    assert_eq!(records(&path)[2].hash, receipt.hash);

    let (audit, writer, recovered) = Audit::open(&path, clock()).unwrap();
    assert_eq!(recovered.records, 4);
    let open: Vec<_> = recovered.unresolved.iter().map(|record| &record.content).collect();
    assert_eq!(open[0].request, Some(json!({ "service_name": "b" })));
    assert_eq!(open[0].change_id, Some(subject(2).change_id));
    assert_eq!(open.len(), 1);
    let changes = audit.recent(10);
    assert_eq!(
        changes.iter().map(|change| &change.id).collect::<Vec<_>>(),
        [&subject(2).change_id, &subject(1).change_id]
    );
    assert!(changes[0].outcome.is_none() && changes[1].outcome.is_some());
    audit.outcome(outcome(2)).await.unwrap();
    assert!(audit.change(&subject(2).change_id).unwrap().outcome.is_some());
    assert_eq!(audit.stats().records(), [0, 1, 0, 1]);
    assert_eq!(audit.stats().last_sequence(), 6);
    writer.close().await.unwrap();
    let expected = [
        "opened created",
        "intent",
        "outcome applied",
        "intent",
        "opened started",
        "outcome applied",
    ];
    assert_eq!(words(&records(&path)), expected);
}

/// Any text in any field is one line, and comes back as it was.
#[test]
fn any_text_is_one_line_and_reads_back_equal() {
    const ODD: [&str; 18] = [
        "\0",
        "\n",
        "\r\n",
        "\u{1b}[2J",
        "\u{7f}",
        "\u{80}",
        "\u{85}",
        "\u{9f}",
        "\u{2028}",
        "\u{2029}",
        "\"",
        "\\",
        "\\u2028",
        "é",
        "\u{10ffff}",
        "\",\"hash\":\"",
        "}",
        "\u{feff}",
    ];
    let mut seed = 11_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let (mut head, mut lines) = (Head::START, Vec::new());
    let mut all = Vec::new();
    for number in 1..=2_000_u64 {
        let mut text = || -> Box<str> { (0..next(6)).map(|_| ODD[next(ODD.len())]).collect() };
        let kind = if number == 1 { Kind::Opened } else { Kind::Denied };
        let content = Content {
            actor: Some(text()),
            remote: Some(text()),
            project: Some(text()),
            before: Some(json!({ &*text(): [&*text(), 1, null] })),
            request: Some(json!(&*text())),
            diff: Some(json!([{ "from": &*text() }])),
            cloud: None,
            outcome: Some(text()),
            ..Content::empty(kind)
        };
        let (record, line) = Record::seal(number, clock().now(), content, head.hash).unwrap();
        head = Head { seq: number, hash: record.hash };
        let text = str::from_utf8(&line).unwrap();
        let breaks = |c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}';
        assert_eq!(text.find(breaks), Some(text.len() - 1), "{text:?}");
        assert_eq!(Record::parse(&line[..line.len() - 1]).unwrap(), record);
        lines.extend(line);
        all.push(record);
    }
    let mut found = Vec::new();
    let reading = read(&*lines, Some(Head::START), |record, _| found.push(record)).unwrap();
    assert_eq!((reading.head, found == all), (head, true));
}

#[test]
fn a_record_that_does_not_fit_is_refused() {
    let seal = |request: Value| {
        let content = Content { request: Some(request), ..Content::empty(Kind::Denied) };
        Record::seal(1, clock().now(), content, Hash::ZERO).map(|(_, line)| line.len())
    };
    let overhead = seal(json!("")).unwrap();
    assert_eq!(seal(json!("a".repeat(MAX_LINE_BYTES - overhead))), Ok(MAX_LINE_BYTES));
    let bytes = MAX_LINE_BYTES + 1;
    let refused = seal(json!("a".repeat(bytes - overhead)));
    assert_eq!(refused, Err(record::Unfit::TooLong { bytes }));
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    assert!(matches!(seal(deep), Err(record::Unfit::Unreadable(_))));
}

/// Five records of a log, as lines.
async fn small_log(path: &Path) -> Vec<Vec<u8>> {
    let (audit, writer, _) = Audit::open(path, clock()).unwrap();
    for number in 1..3 {
        audit.intent(intent(number)).await.unwrap();
        audit.outcome(outcome(number)).await.unwrap();
    }
    writer.close().await.unwrap();
    let text = fs::read(path).unwrap();
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[tokio::test]
async fn every_changed_byte_is_found_and_so_is_every_line_that_is_not_in_its_place() {
    let folder = Folder::new("tampering");
    let lines = small_log(&folder.log()).await;
    let check = |lines: &[Vec<u8>]| read(&*lines.concat(), None, |_, _| ());
    assert_eq!(check(&lines).unwrap().records, 5);
    let whole = lines.concat();
    for at in 0..whole.len() {
        for flip in [1, 0x20, 0x80] {
            let mut changed = whole.clone();
            changed[at] ^= flip;
            let found = read(&*changed, None, |_, _| ());
            let is_torn_end =
                at == whole.len() - 1 && found.as_ref().is_ok_and(|r| !r.torn.is_empty());
            assert!(found.is_err() || is_torn_end, "byte {at} ^ {flip}");
        }
    }
    for at in 0..lines.len() {
        let without = [&lines[..at], &lines[at + 1..]].concat();
        assert_eq!(check(&without).is_ok(), at == lines.len() - 1, "without line {at}");
        let twice = [&lines[..=at], &lines[at..]].concat();
        assert!(check(&twice).is_err(), "line {at} twice");
        if at > 0 {
            let mut swapped = lines.clone();
            swapped.swap(at - 1, at);
            assert!(check(&swapped).is_err(), "lines {at} and the one before swapped");
        }
    }
    let error = check(&[&lines[..1], &lines[2..]].concat()).unwrap_err();
    assert_eq!(error.to_string(), "line 2, seq 2: seq 3 is there instead");

    // A line that was forged with a hash of its own does not carry those after it.
    let forged = Content { actor: Some("x".into()), ..Content::empty(Kind::Intent) };
    let second = Record::parse(lines[1].strip_suffix(b"\n").unwrap()).unwrap();
    let (_, line) = Record::seal(2, clock().now(), forged, second.prev).unwrap();
    let mut changed = lines.clone();
    changed[1] = line;
    let error = check(&changed).unwrap_err();
    assert_eq!((error.line, matches!(error.fault, Fault::Prev)), (3, true));

    fs::write(folder.log(), changed.concat()).unwrap();
    let error = Audit::open(&folder.log(), clock()).err().unwrap().to_string();
    assert!(error.contains("line 3, seq 3"), "{error}");
    assert_eq!(fs::read(folder.log()).unwrap(), changed.concat(), "it is not touched");
}

#[tokio::test]
async fn a_last_line_torn_at_any_byte_is_moved_aside_and_the_chain_goes_on() {
    let folder = Folder::new("torn");
    let path = folder.log();
    let lines = small_log(&path).await;
    let whole = lines[..4].concat();
    for length in 1..lines[4].len() {
        let torn = &lines[4][..length];
        fs::write(&path, [&whole, torn].concat()).unwrap();
        let (_, writer, recovered) = Audit::open(&path, clock()).unwrap();
        let aside = recovered.torn.unwrap();
        assert_eq!(fs::read(&aside).unwrap(), [torn, b"\n"].concat());
        assert_eq!(recovered.unresolved.len(), 1, "the outcome is not there");
        writer.close().await.unwrap();
        assert_eq!(words(&records(&path))[3..], ["intent", "opened started"]);
        fs::remove_file(aside).unwrap();
    }
}

#[tokio::test]
async fn what_is_no_file_of_ours_alone_is_refused() {
    let folder = Folder::new("refused");
    let path = folder.log();
    let refused = |path: &Path| Audit::open(path, clock()).err().expect("refused").to_string();

    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(refused(&path).contains("chmod 600"));
    fs::remove_file(&path).unwrap();
    symlink(folder.0.join("elsewhere"), &path).unwrap();
    assert!(refused(&path).contains("symbolic link"));
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&path).status();
    assert!(made.unwrap().success());
    assert!(refused(&path).contains("regular file"));
    assert!(refused(Path::new("/dev/full")).contains("regular file"));
    assert!(refused(&folder.0).contains("cannot open it"));
    assert!(refused(&folder.0.join("no/folder")).contains("cannot open it"));

    let path = folder.0.join("locked");
    let (_, writer, _) = Audit::open(&path, clock()).unwrap();
    assert!(refused(&path).contains("another process writes it"));
    writer.close().await.unwrap();
    Audit::open(&path, clock()).unwrap().1.close().await.unwrap();
}

#[tokio::test]
async fn a_renamed_log_goes_on_in_a_new_file_with_what_is_unresolved() {
    let folder = Folder::new("rotation");
    let (path, old) = (folder.log(), folder.0.join("audit.jsonl.1"));
    let (audit, writer, _) = Audit::open(&path, clock()).unwrap();
    audit.reopen();
    audit.intent(intent(1)).await.unwrap();
    fs::rename(&path, &old).unwrap();
    assert!(matches!(audit.intent(intent(2)).await, Err(AuditError::Unavailable(_))));
    assert!(!audit.stats().is_healthy() && !path.exists());
    // An outcome is kept until it can be written.
    let kept = audit.outcome(outcome(1)).await;
    assert!(
        matches!(&kept, Err(AuditError::Unavailable(why)) if why.contains("SIGHUP")),
        "{kept:?}"
    );
    audit.reopen();
    eventually("it goes on", || audit.stats().is_healthy()).await;
    audit.intent(intent(3)).await.unwrap();
    writer.close().await.unwrap();

    let (before, after) = (records(&old), records(&path));
    assert_eq!(words(&before), ["opened created", "intent"]);
    assert_eq!(words(&after), ["opened rotated", "intent", "outcome applied", "intent"]);
    assert_eq!((after[0].seq, after[0].prev), (3, before[1].hash));
    assert_eq!(after[1].content, before[1].content);
    let head = Head { seq: before[1].seq, hash: before[1].hash };
    let file = BufReader::new(File::open(&path).unwrap());
    assert_eq!(read(file, Some(head), |_, _| ()).unwrap().records, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_under_load_loses_nothing() {
    let folder = Folder::new("load");
    let path = folder.log();
    let (audit, writer, _) = Audit::open(&path, clock()).unwrap();
    let load = {
        let audit = audit.clone();
        tokio::spawn(async move {
            let mut written = Vec::new();
            for number in 0..400 {
                if let Ok(receipt) = audit.intent(intent(number)).await {
                    written.push(receipt.seq);
                    let _ = audit.outcome(outcome(number)).await;
                }
            }
            written
        })
    };
    for file in 0..5 {
        let seen = audit.stats().last_sequence();
        eventually("records come", || audit.stats().last_sequence() > seen || load.is_finished())
            .await;
        fs::rename(&path, folder.0.join(format!("audit.jsonl.{file}"))).unwrap();
        audit.reopen();
        eventually("a new file", || path.exists() && audit.stats().is_healthy()).await;
    }
    let written = load.await.unwrap();
    writer.close().await.unwrap();
    let (mut head, mut found, mut open) = (Head::START, Vec::new(), Unresolved::default());
    let files =
        (0..5).map(|file| folder.0.join(format!("audit.jsonl.{file}"))).chain([path.clone()]);
    for file in files {
        let file = BufReader::new(File::open(file).unwrap());
        let reading = read(file, Some(head), |record, _| {
            open.take(&record);
            found.push(record.seq);
        });
        head = reading.unwrap().head;
    }
    assert!(written.iter().all(|seq| found.contains(seq)) && !written.is_empty());
    assert!(open.intents().is_empty());
}

type Damage = fn(&Path);

#[tokio::test]
async fn a_file_that_is_not_as_it_was_left_stops_changes_until_a_new_one_is_begun() {
    let cases: [(&str, Damage, &str); 6] = [
        ("deleted", |path| fs::remove_file(path).unwrap(), "opened replaced"),
        (
            "truncated",
            |path| {
                let file = fs::OpenOptions::new().write(true).open(path).unwrap();
                file.set_len(10).unwrap();
            },
            "opened replaced",
        ),
        (
            "appended to",
            |path| {
                let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
                io::Write::write_all(&mut file, b"{}\n").unwrap();
            },
            "opened replaced",
        ),
        (
            "FIFO",
            |path| {
                fs::rename(path, path.with_extension("1")).unwrap();
                let made = std::process::Command::new("mkfifo").arg(path).status();
                assert!(made.unwrap().success());
            },
            "opened rotated",
        ),
        (
            "link",
            |path| {
                fs::rename(path, path.with_extension("1")).unwrap();
                symlink(path.with_extension("1"), path).unwrap();
            },
            "opened rotated",
        ),
        (
            "another file",
            |path| {
                fs::rename(path, path.with_extension("1")).unwrap();
                fs::write(path, "other\n").unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
            },
            "opened rotated",
        ),
    ];
    for (name, damage, expected) in cases {
        let folder = Folder::new(&format!("damage-{}", name.replace(' ', "-")));
        let path = folder.log();
        let (audit, writer, _) = Audit::open(&path, clock()).unwrap();
        audit.intent(intent(1)).await.unwrap();
        damage(&path);
        let refused = audit.intent(intent(2)).await;
        assert!(matches!(refused, Err(AuditError::Unavailable(_))), "{name}: {refused:?}");
        assert!(!audit.stats().is_healthy(), "{name}");
        // A signal alone does not help against what stands in the way.
        audit.reopen();
        if name != "deleted" {
            assert!(audit.intent(intent(3)).await.is_err(), "{name}");
            assert!(audit.trouble().is_some(), "{name}");
            fs::rename(&path, path.with_extension("away")).unwrap();
            audit.reopen();
        }
        eventually(name, || audit.stats().is_healthy()).await;
        audit.outcome(outcome(1)).await.unwrap();
        assert_eq!(audit.trouble(), None);
        writer.close().await.unwrap();
        let after = records(&path);
        assert_eq!(words(&after), [expected, "intent", "outcome applied"], "{name}");
        assert_eq!(after[0].seq, 3, "{name}");
    }
}

/// A disk on which one call fails, or all from some call on, or that stands still.
struct BadDisk(Arc<Plan>);

#[derive(Default)]
struct Plan {
    calls: AtomicUsize,
    /// Which calls fail.
    failing: Mutex<std::ops::Range<usize>>,
    /// Whether a failing write leaves half a record.
    half: bool,
    stuck: Mutex<bool>,
    moved: Condvar,
}

impl Plan {
    fn call(&self) -> io::Result<()> {
        let mut stuck = self.stuck.lock().unwrap();
        while *stuck {
            stuck = self.moved.wait(stuck).unwrap();
        }
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if self.failing.lock().unwrap().contains(&call) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn stick(&self, stuck: bool) {
        *self.stuck.lock().unwrap() = stuck;
        self.moved.notify_all();
    }
}

impl Disk for BadDisk {
    fn write(&mut self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        match self.0.call() {
            Err(_) if self.0.half => RealDisk.write(file, &bytes[..bytes.len() / 2]),
            Err(error) => Err(error),
            Ok(()) => RealDisk.write(file, bytes),
        }
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        self.0.call().and_then(|()| RealDisk.sync(file))
    }

    fn set_len(&mut self, file: &File, length: u64) -> io::Result<()> {
        self.0.call().and_then(|()| RealDisk.set_len(file, length))
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        self.0.call().and_then(|()| RealDisk.sync_folder(folder))
    }
}

/// One call after the other fails, alone and with the two that follow; what was acknowledged is in
/// the file, what was not is not, and the chain holds.
#[tokio::test]
async fn whatever_call_fails_what_was_acknowledged_is_there_and_the_chain_holds() {
    for half in [false, true] {
        for failures in [1, 3] {
            for first in 0.. {
                let folder = Folder::new("nth");
                let plan = Plan { half, ..Plan::default() };
                *plan.failing.lock().unwrap() = first..first + failures;
                let plan = Arc::new(plan);
                let opened =
                    Audit::open_on(&folder.log(), clock(), Box::new(BadDisk(plan.clone())));
                let Ok((audit, writer, _)) = opened else { continue };
                let mut intents = Vec::new();
                for number in 1..4 {
                    if audit.intent(intent(number)).await.is_ok() {
                        intents.push(subject(number).change_id);
                        let _ = audit.outcome(outcome(number)).await;
                    }
                }
                eventually("it recovers", || {
                    // It would look by itself, a second later.
                    audit.reopen();
                    audit.stats().is_healthy()
                })
                .await;
                writer.close().await.unwrap();
                let mut open = Unresolved::default();
                let written = records(&folder.log());
                written.iter().for_each(|record| open.take(record));
                assert!(open.intents().is_empty(), "call {first}: {written:?}");
                let is_intent = |record: &&Record| record.content.kind == Kind::Intent;
                let found: Vec<_> = written.iter().filter(is_intent).collect();
                let found: Vec<_> =
                    found.iter().filter_map(|record| record.content.change_id.clone()).collect();
                assert_eq!(found, intents, "call {first}");
                if first >= plan.calls.load(Ordering::SeqCst) {
                    assert_eq!(intents.len(), 3);
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn an_intent_whose_caller_gave_up_is_not_written_or_is_closed_as_not_sent() {
    let folder = Folder::new("stuck");
    let plan = Arc::new(Plan::default());
    let (audit, writer, _) =
        Audit::open_on(&folder.log(), clock(), Box::new(BadDisk(plan.clone()))).unwrap();
    audit.intent(intent(1)).await.unwrap();
    plan.stick(true);
    // One is begun and does not end; the other waits behind it, with an outcome.
    let (begun, waiting, kept) =
        tokio::join!(audit.intent(intent(2)), audit.intent(intent(3)), audit.outcome(outcome(1)));
    assert!(matches!(begun, Err(AuditError::Unavailable(_))), "{begun:?}");
    assert!(matches!(waiting, Err(AuditError::Unavailable(_))), "{waiting:?}");
    assert!(matches!(kept, Err(AuditError::Unavailable(_))), "{kept:?}");
    plan.stick(false);
    writer.close().await.unwrap();
    let records = records(&folder.log());
    let expected = ["opened created", "intent", "intent", "outcome not_sent", "outcome applied"];
    assert_eq!(words(&records), expected);
    assert_eq!(records[3].content.change_id, Some(subject(2).change_id));
}

#[tokio::test]
async fn no_more_than_so_many_intents_wait() {
    let folder = Folder::new("queue");
    let plan = Arc::new(Plan::default());
    let (audit, writer, _) =
        Audit::open_on(&folder.log(), clock(), Box::new(BadDisk(plan.clone()))).unwrap();
    plan.stick(true);
    let mut all = tokio::task::JoinSet::new();
    for number in 0..40 {
        let audit = audit.clone();
        all.spawn(async move { audit.intent(intent(number)).await.unwrap_err() });
    }
    let errors = all.join_all().await;
    let full = errors.iter().filter(|error| error.to_string().contains("too many")).count();
    assert!((40 - inbox::MAX_WAITING_INTENTS - 1..=24).contains(&full), "{full}");
    plan.stick(false);
    writer.close().await.unwrap();
}

#[tokio::test]
async fn an_intent_whose_caller_was_dropped_is_closed() {
    let folder = Folder::new("dropped");
    let plan = Arc::new(Plan::default());
    let (audit, writer, _) =
        Audit::open_on(&folder.log(), clock(), Box::new(BadDisk(plan.clone()))).unwrap();
    plan.stick(true);
    let waiting = tokio::time::timeout(Duration::from_millis(20), audit.intent(intent(1))).await;
    assert!(waiting.is_err());
    plan.stick(false);
    writer.close().await.unwrap();
    let words = words(&records(&folder.log()));
    let closed = ["opened created", "intent", "outcome not_sent"];
    assert!(words == closed || words == closed[..1], "{words:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_denials_stays_small_and_delays_no_intent() {
    let folder = Folder::new("flood");
    let clock = clock();
    let (audit, writer, _) = Audit::open(&folder.log(), clock.clone()).unwrap();
    let flood = {
        let (audit, clock) = (audit.clone(), clock.clone());
        thread::spawn(move || {
            for number in 0..1_000_000_u64 {
                // A hundred stay, the others come once.
                let remote = if number % 2 == 0 { number } else { number % 100 };
                let remote = format!("2001:db8::{remote:x}");
                let reason = if number % 3 == 0 { "token" } else { "host" };
                let (actor, project, service_id) = (None, None, None);
                audit.deny(&Denial { reason, remote: &remote, actor, project, service_id });
                if number % 100_000 == 0 {
                    let later = clock.now() + Duration::from_secs(61);
                    clock.set(later);
                }
            }
        })
    };
    for number in 0..50 {
        audit.intent(intent(number)).await.unwrap();
        audit.outcome(outcome(number)).await.unwrap();
    }
    flood.join().unwrap();
    writer.close().await.unwrap();
    assert!(fs::metadata(folder.log()).unwrap().len() < 1_000_000);
    let records = records(&folder.log());
    let counts = records.iter().filter(|record| record.content.kind == Kind::Denied);
    let counts = counts.map(|record| {
        record.content.request.as_ref().and_then(|request| request["count"].as_u64()).unwrap()
    });
    assert_eq!(counts.sum::<u64>(), 1_000_000);
    let is_first = |record: &&Record| {
        let Content { outcome, remote, .. } = &record.content;
        outcome.as_deref() == Some("token") && remote.as_deref() == Some("2001:db8::0")
    };
    assert!(records.iter().any(|record| is_first(&record)));
}
