//! The engine and the real audit log: on a real disk, in real time.

use super::{fake::Fake, mapping, rig::Rig, service};
use crate::{
    audit::{self, Audit, Kind},
    change::Outcome,
    clock::Clock,
    model::ServiceFields,
};

/// A whole list of the longest mappings, to be replaced by another one, and texts that take as many
/// bytes as they may.
fn largest(from: u16, character: char) -> ServiceFields {
    ServiceFields {
        approval_enabled: Some(true),
        service_name: Some("n".repeat(16).into()),
        ports: Some((0..200).map(|number| mapping(from + number, from + number)).collect()),
        port_id: Some("a".repeat(64).into()),
        tcp_proxy: Some("proxy_open".into()),
        description: Some(character.to_string().repeat(512).into()),
        ip: None,
    }
}

#[tokio::test]
async fn the_largest_change_has_room_in_the_log() {
    let folder = std::env::temp_dir().join(format!("change-real-log-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("audit.jsonl");
    let clock = Clock::system();
    let (audit, writer, recovered) = Audit::open(&path, clock).unwrap();
    assert!(recovered.unresolved.is_empty());
    let mut before = service();
    before.fields = largest(50_000, '😀');
    let rig = Rig::with(Fake::new([before]), Some(audit.clone()), Vec::new());
    let report = rig.ask(largest(60_000, '\\')).await.unwrap();
    assert_eq!(report.outcome, Outcome::Applied);
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    let change = audit.recent(1).pop().unwrap();
    assert_eq!(change.id.as_str(), report.change_id);
    let outcome = change.outcome.clone().unwrap().content;
    assert_eq!(outcome.outcome.as_deref(), Some("applied"));
    drop(rig);
    writer.close().await.unwrap();

    let file = std::fs::File::open(&path).unwrap();
    let mut kinds = Vec::new();
    let read = audit::read(std::io::BufReader::new(file), None, |record, _| {
        kinds.push(record.content.kind);
    });
    read.unwrap();
    kinds.retain(|kind| *kind != Kind::Opened);
    assert_eq!(kinds, [Kind::Intent, Kind::Outcome]);
    std::fs::remove_dir_all(&folder).unwrap();
}
