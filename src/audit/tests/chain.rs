//! Records, and the checks of a chain that was tampered with.

use proptest::{array::uniform8, collection::vec, prelude::*, sample::select};

use super::*;
use crate::random_tests::check;

fn odd_text() -> impl Strategy<Value = String> {
    const ODD: [&str; 20] = [
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
        "\u{202e}",
        "\u{2066}",
        "\"",
        "\\",
        "\\u2028",
        "é",
        "\u{10ffff}",
        "\",\"hash\":\"",
        "}",
        "\u{feff}",
    ];
    vec(select(ODD.to_vec()), 0..6).prop_map(|pieces| pieces.concat())
}

/// Any text in any field is one line, and comes back as it was.
#[test]
fn any_text_is_one_line_and_reads_back_equal() {
    check(20, &vec(uniform8(odd_text()), 1..200), |chain| {
        let (mut head, mut lines) = (Head::START, Vec::new());
        let mut all = Vec::new();
        for (number, texts) in (1..).zip(chain) {
            let [actor, remote, project, key, value, request, from, outcome] = texts;
            let kind = if number == 1 { Kind::Opened } else { Kind::Denied };
            let content = Content {
                actor: Some(actor.into()),
                remote: Some(remote.into()),
                project: Some(project.into()),
                before: Some(json!({ key: [value, 1, null] })),
                request: Some(json!(request)),
                diff: Some(json!([{ "from": from }])),
                cloud: None,
                outcome: Some(outcome.into()),
                ..Content::empty(kind)
            };
            let (record, line) = Record::seal(number, clock().now(), content, head.hash).unwrap();
            head = Head { seq: number, hash: record.hash };
            let text = str::from_utf8(&line).unwrap();
            let odd = |c: char| !crate::text::may_be_shown(c);
            assert_eq!(text.find(odd), Some(text.len() - 1), "{text:?}");
            assert_eq!(Record::parse(&line[..line.len() - 1]).unwrap(), record);
            lines.extend(line);
            all.push(record);
        }
        let mut found = Vec::new();
        let reading = read(&*lines, Some(Head::START), |record, _| found.push(record)).unwrap();
        assert_eq!((reading.head, found == all), (head, true));
    });
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
    assert_eq!(refused, Err(AuditError::TooLong { bytes }));
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    assert!(matches!(seal(deep), Err(AuditError::Unreadable(_))));
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
    assert_eq!(error.to_string(), "line 2, seq 2: seq 3 was found instead");

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
