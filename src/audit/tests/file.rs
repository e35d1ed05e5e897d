//! The path and the file: refused, renamed, deleted, replaced.

use super::*;

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
