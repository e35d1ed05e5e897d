mod states;

use std::{
    fs::Permissions,
    os::unix::fs::{PermissionsExt, symlink},
    slice,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use proptest::collection::vec;

use super::*;
use crate::{
    board::{ClusterMeta, Observation, PollRecord, Transition},
    cloud::{CloudError, Reason, Trace},
    model::{
        ClusterId, Connection, ConnectionFields, ConnectionList, EndpointId, RegionId, ServiceName,
        Status,
    },
    random_tests::check,
};

/// A folder of its own for each test, gone with it.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("css-vpcep-exporter-state-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("state")
    }

    /// The files in the folder, except locks.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        // The lock stays for the next process.
        names.retain(|name| !name.ends_with(".lock"));
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::set_permissions(&self.0, Permissions::from_mode(0o700));
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn snapshot(clusters: &[ClusterState]) -> Snapshot {
    Snapshot::of(clusters.iter().cloned().map(Arc::new).collect())
}

fn clusters(snapshot: &Snapshot) -> Vec<ClusterState> {
    snapshot.clusters().iter().map(|state| ClusterState::clone(state)).collect()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

pub(super) fn open(path: &Path) -> (StateFile, Restored) {
    StateFile::open(path, now()).unwrap()
}

/// The content of a file with these bytes.
fn parse(bytes: &[u8]) -> Result<Vec<ClusterState>, Damage> {
    format::parse(io::Cursor::new(bytes)).unwrap()
}

/// A file with a right checksum and this body.
fn sealed(body: &str) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("css-vpcep-exporter-state 1 {digest} {:020}\n{body}", body.len()).into_bytes()
}

#[test]
fn whatever_is_written_is_read_back() {
    check(20, &vec(states::cluster(), 0..=50), |states| {
        let folder = Folder::new();
        let (mut file, _) = open(&folder.file());
        let snapshot = snapshot(&states);
        file.write(&snapshot).unwrap();
        assert_eq!(format::read(&folder.file()).unwrap().unwrap(), clusters(&snapshot));
        drop(file);
        let (_, restored) = open(&folder.file());
        assert_eq!(restored.clusters, clusters(&snapshot));
        assert!(restored.damaged.is_none());
        assert_eq!(folder.names(), ["state"]);
    });
}

#[test]
fn a_file_of_tomorrow_yesterday_or_the_far_future_keeps_its_dates() {
    // The clock may have been set back since: nothing but the name of a damaged file asks for it.
    let folder = Folder::new();
    let (mut file, _) = open(&folder.file());
    file.write(&snapshot(&example())).unwrap();
    drop(file);
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let (_, restored) = StateFile::open(&folder.file(), now).unwrap();
        assert_eq!(restored.clusters, example());
    }
}

#[test]
fn every_cut_and_every_changed_byte_is_noticed() {
    let folder = Folder::new();
    let (mut file, _) = open(&folder.file());
    let full = &example()[..1];
    file.write(&snapshot(full)).unwrap();
    let good = fs::read(folder.file()).unwrap();
    assert!((1_000..20_000).contains(&good.len()), "{}", good.len());
    for length in 0..good.len() {
        assert!(parse(&good[..length]).is_err(), "cut at {length}");
    }
    for position in 0..good.len() {
        // A bit, the case of a letter, every bit.
        for mask in [0x01, 0x20, 0xff] {
            let mut bad = good.clone();
            bad[position] ^= mask;
            assert!(parse(&bad).is_err(), "byte {position} changed by {mask:#x}");
        }
    }
    assert_eq!(parse(&[&good[..], b"\n"].concat()), Err(Damage::Length));
    assert_eq!(parse(&good).unwrap(), full, "the loop can tell");
}

#[test]
fn what_is_wrong_with_a_file_is_named() {
    let folder = Folder::new();
    let path = folder.file();
    let good = sealed("");
    assert_eq!(parse(&good), Ok(vec![]));
    let changed = |from: &str, to: &str| {
        String::from_utf8(good.clone()).unwrap().replacen(from, to, 1).into_bytes()
    };
    let damage = |bytes: &[u8]| parse(bytes).unwrap_err();
    assert_eq!(damage(b""), Damage::Foreign);
    assert_eq!(damage(b"{\"clusters\": []}"), Damage::Foreign);
    assert_eq!(damage(&[0; 4096]), Damage::Foreign);
    assert_eq!(damage(&changed(" 1 ", " 2 ")), Damage::Version);
    assert_eq!(damage(&changed(" 1 ", " 11 ")), Damage::Version);
    assert_eq!(damage(b"css-vpcep-exporter-state 1 "), Damage::Length);
    assert_eq!(damage(&changed("e3b0", "E3B0")), Damage::Checksum);
    let Damage::Content(what) = damage(&sealed("{\"transitions\": 1}\n")) else { panic!() };
    assert!(what.starts_with("the cluster in line 2: invalid type"), "{what}");

    let huge = File::create(&path).unwrap();
    huge.set_len(format::MAX_BYTES + 1).unwrap();
    assert_eq!(format::read(&path).unwrap(), Err(Damage::TooLarge));
}

#[test]
fn a_true_checksum_does_not_make_words_and_ids_true() {
    let folder = Folder::new();
    let (mut file, _) = open(&folder.file());
    let full = &example()[0];
    file.write(&snapshot(slice::from_ref(full))).unwrap();
    let whole = fs::read_to_string(folder.file()).unwrap();
    let body = whole.split_once('\n').unwrap().1;
    let status = full.recent_transitions[0].to.as_str();
    let id = full.meta.id.as_str();
    for (from, to, what) in [
        (id, "../../v3/auth/tokens", "expected a UUID"),
        (&format!("\"to\":\"{status}\""), "\"to\":\"gone\"", "no word known here"),
        ("\"at\":\"", "\"at\":\"x", "failed to parse"),
    ] {
        assert!(body.contains(from), "{from}");
        let bytes = sealed(&body.replacen(from, to, 1));
        let Err(Damage::Content(found)) = parse(&bytes) else { panic!("{to}") };
        assert!(found.contains(what), "{found}");
    }
    assert!(parse(&sealed(body)).is_ok());
}

#[test]
fn a_file_of_a_program_that_dated_no_switch_and_no_failure_is_read() {
    let line = r#"{"region":"eu-de","project":"prod","id":"5c77b71c-5b35-4f50-8984-76387e42451a","name":"logs","interval":{"secs":60,"nanos":0},"transitions":[0,0,0,0,0,0,0],"recent_transitions":[],"polls":[],"observation":null}"#;
    let clusters = parse(&sealed(&format!("{line}\n"))).unwrap();
    assert_eq!((clusters[0].service_switched, clusters[0].failing_since), (None, None));
}

/// A cluster with everything, one that was never polled, and one whose polls failed.
fn example() -> Vec<ClusterState> {
    let meta = |number: u32| ClusterMeta {
        region: RegionId::parse("cn-north-4").unwrap(),
        project: "prod".into(),
        id: ClusterId::parse(&format!("{number:08x}-5b35-4f50-8984-76387e42451a")).unwrap(),
        name: format!("logs \"{number}\" é").into(),
        interval: Duration::new(60, 500_000_000),
        labels: Default::default(),
        listed: None,
    };
    let at = |second: u64| now().checked_add(Duration::from_millis(second * 1000 + 250)).unwrap();
    let full = Connection::from(ConnectionFields {
        max_sessions: Some(3000),
        created: Some(now()),
        updated: Some(at(1)),
        specification_name: "default",
        domain_id: "5e11e6b0b0a54eef8b9f2d4e0b2a9c11",
        ip: "10.0.0.1",
        ipv6: "fd00::1",
        dns_name: "e\\1.example.com",
        ..ConnectionFields::bare("705290f3-0d00-41f2-aedc-71f09844e879", Status::PendingAcceptance)
    });
    let list = ConnectionList {
        service_enabled: true,
        complete: false,
        reported: Some(2001),
        update_switch: Some(false),
        permissions: Some(3),
        service_name: Some(ServiceName::new(
            "cn-north-4.logs.cf072729-b076-49db-83d3-020dc9f589bd",
        )),
        connections: vec![full, Connection::bare("e\n2", Status::Unknown)],
    };
    let trace =
        Trace { pages: 2, requests: 3, retries: 1, request_ids: vec!["a1".into(), "b2".into()] };
    let error = CloudError {
        status: Some(429),
        code: Some("APIGW.0308".into()),
        request_id: Some("c3".into()),
        retry_after: Some(Duration::from_secs(7)),
        refusal: None,
        ..CloudError::new(Reason::Throttled, "the throttling threshold \u{202e} has been reached")
    };
    let poll = |second, error| {
        Arc::new(PollRecord {
            at: at(second),
            duration: Duration::from_micros(1_500),
            trace: trace.clone(),
            error,
        })
    };
    let transition = Transition {
        at: at(2),
        endpoint_id: EndpointId::new("705290f3-0d00-41f2-aedc-71f09844e879"),
        from: Status::Creating,
        to: Status::PendingAcceptance,
        change_id: None,
    };
    let bare = CloudError::new(Reason::Http5xx, "no");
    vec![
        ClusterState {
            observation: Some(Arc::new(Observation {
                at: at(3),
                list: list.into(),
                seen_changed: [Some(at(2)), None].into(),
                rejected_here: Arc::default(),
            })),
            service_switched: Some(at(1)),
            failing_since: Some(at(4)),
            transitions: [0, 1, 2, 3, u64::MAX, 5, 6],
            recent_transitions: [transition].into(),
            polls: [poll(3, None), poll(4, Some(error))].into(),
            ..ClusterState::new(meta(1))
        },
        ClusterState::new(meta(2)),
        ClusterState {
            failing_since: Some(at(5)),
            polls: [poll(5, Some(bare))].into(),
            ..ClusterState::new(meta(3))
        },
    ]
}

/// The file was written by version 0.1.0. A later version has to read it, and writes the same.
#[test]
fn the_format_is_that_of_the_first_version() {
    let folder = Folder::new();
    let (mut file, _) = open(&folder.file());
    file.write(&snapshot(&example())).unwrap();
    let written = fs::read_to_string(folder.file()).unwrap();
    let first = include_str!("../../../tests/data/state.golden");
    assert_eq!(written, first);
    assert_eq!(parse(first.as_bytes()).unwrap(), example());
}

#[test]
fn damaged_files_are_set_aside_and_never_replace_each_other() {
    let folder = Folder::new();
    for content in ["first", "second", "third"] {
        fs::write(folder.file(), content).unwrap();
        let (_, restored) = open(&folder.file());
        assert!(restored.clusters.is_empty());
        let report = restored.damaged.unwrap();
        assert_eq!(report.damage, Damage::Foreign);
        assert_eq!(fs::read_to_string(&report.moved_to).unwrap(), content);
        let (from, to) = (folder.file(), report.moved_to.display().to_string());
        let expected = format!(
            "the state file {} is damaged and ignored: it does not begin as a state file does; \
             it is now {to}",
            from.display()
        );
        assert_eq!(report.to_string(), expected);
    }
    let names = ["state.damaged-1700000000", "state.damaged-1700000000-2"];
    assert_eq!(folder.names(), [names[0], names[1], "state.damaged-1700000000-3"]);
    let (_, restored) = open(&folder.file());
    assert!(restored.damaged.is_none(), "what is set aside is out of the way");
}

#[test]
fn a_first_start_has_nothing_to_restore_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let (file, restored) = open(&folder.file());
    assert!(restored.clusters.is_empty() && restored.damaged.is_none());
    assert_eq!(file.path(), folder.file());
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn a_place_where_nothing_can_be_kept_is_an_error_at_the_start() {
    let folder = Folder::new();
    fs::write(folder.file(), sealed("")).unwrap();
    fs::create_dir(folder.0.join("blocked.tmp")).unwrap();
    let read_only = folder.0.join("read-only");
    fs::create_dir(&read_only).unwrap();
    fs::set_permissions(&read_only, Permissions::from_mode(0o500)).unwrap();
    // Root is stopped only by the kernel's own folder.
    let may_all = File::create(read_only.join("try")).is_ok();
    let read_only = if may_all { PathBuf::from("/proc") } else { read_only };
    let cases = [
        (folder.0.join("missing/state"), "cannot use as a state file"),
        (folder.0.join("state/state"), "cannot take the lock"),
        (folder.0.join("blocked"), "cannot write the state to"),
        (read_only.join("state"), "cannot take the lock"),
        (folder.0.clone(), "cannot use as a state file the folder"),
        (folder.0.join(".."), "cannot use as a state file the folder"),
    ];
    for (path, expected) in cases {
        let error = StateFile::open(&path, now()).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(expected), "{}: {text}", path.display());
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(std::error::Error::source(&error).is_some());
    }
    let missing = StateFile::open(&folder.0.join("missing/state"), now()).unwrap_err().to_string();
    assert!(missing.ends_with("missing/state: its folder does not exist"), "{missing}");
    assert!(StateFile::open(&folder.file(), now()).is_ok());
}

#[test]
fn a_file_belongs_to_one_process_which_is_named_to_others() {
    let folder = Folder::new();
    let (file, _) = open(&folder.file());
    let lock = folder.0.join("state.lock");
    assert_eq!(fs::metadata(&lock).unwrap().permissions().mode() & 0o777, 0o600);
    let temporary = folder.0.join("state.tmp");
    fs::write(&temporary, "under way").unwrap();
    let own = format!("{} belongs to process {}", folder.file().display(), std::process::id());
    let refused = || StateFile::open(&folder.file(), now()).unwrap_err().to_string();
    assert!(refused().starts_with(&own), "{}", refused());
    assert_eq!(fs::read_to_string(&temporary).unwrap(), "under way", "nothing is touched");
    // The text in the file is for people; only the lock counts.
    for (text, holder) in
        [("", "another process"), ("a\u{1b}[2J\n\u{202e}b", "a[2Jb"), ("\u{0}", "another process")]
    {
        fs::write(&lock, text).unwrap();
        assert!(refused().ends_with(&format!(" belongs to {holder}")), "{}", refused());
    }
    drop(file);
    open(&folder.file());
    fs::remove_file(&lock).unwrap();
    fs::write(folder.0.join("other"), "precious").unwrap();
    symlink(folder.0.join("other"), &lock).unwrap();
    assert!(refused().starts_with("cannot take the lock"), "{}", refused());
    assert_eq!(fs::read_to_string(folder.0.join("other")).unwrap(), "precious");
}

#[test]
fn what_is_no_file_is_not_opened() {
    let folder = Folder::new();
    symlink("/dev/zero", folder.file()).unwrap();
    let error = StateFile::open(&folder.file(), now()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the state file"), "{error}");
    assert_eq!(folder.names(), ["state"], "and left alone");
}

#[test]
fn a_temporary_file_that_was_left_behind_is_replaced_and_not_followed() {
    let folder = Folder::new();
    let (temporary, other) = (folder.0.join("state.tmp"), folder.0.join("other"));
    fs::write(&other, "precious").unwrap();
    let leave: [&dyn Fn(); 2] = [
        &|| {
            fs::write(&temporary, "half a sta").unwrap();
            fs::set_permissions(&temporary, Permissions::from_mode(0o666)).unwrap();
        },
        &|| symlink(&other, &temporary).unwrap(),
    ];
    for leave in leave {
        leave();
        let (mut file, restored) = open(&folder.file());
        assert!(restored.damaged.is_none());
        leave();
        file.write(&snapshot(&example())).unwrap();
        let metadata = folder.file().symlink_metadata().unwrap();
        assert!(metadata.is_file());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
        assert_eq!(folder.names(), ["other", "state"]);
    }
}

#[test]
fn a_write_that_fails_leaves_the_old_state_and_the_next_one_succeeds() {
    let folder = Folder::new();
    let (mut file, _) = open(&folder.file());
    let all = example();
    let (old, new) = all.split_at(1);
    file.write(&snapshot(old)).unwrap();
    fs::create_dir(folder.0.join("state.tmp")).unwrap();
    assert!(file.write(&snapshot(new)).is_err());
    assert_eq!(format::read(&folder.file()).unwrap().unwrap(), old);
    fs::remove_dir(folder.0.join("state.tmp")).unwrap();
    file.write(&snapshot(new)).unwrap();
    assert_eq!(format::read(&folder.file()).unwrap().unwrap(), new);
}
