//! Whatever the fast way takes, the general way decodes to the same.

use super::{
    super::{Oddity, any_page},
    *,
};

const EXAMPLE: &str = include_str!("../../../../../tests/data/css-connections-example.json");
/// As a machine writes it, with every field.
const COMPACT: &str = r#"{"connections":[{"id":"a","status":"accepted","maxSession":"3000","specificationName":"default","created_at":"2024-06-11T09:36:24Z","update_at":null,"domain_id":"db9b","vpcepIp":"192.168.0.1","vpcepIpv6Address":"","vpcepDnsName":"x.y"},{"id":"b","status":"rejected","maxSession":"3000","specificationName":"default","created_at":"2024-06-11T09:36:25","update_at":"2024-06-11T09:36:25Z","domain_id":"db9b","vpcepIp":"192.168.0.2","vpcepIpv6Address":"","vpcepDnsName":"x.z"},{"id":"c","new":[{"x":"]\""}],"other":1,"status":"accepted"}],"vpcepUpdateSwitch":false,"total_count":3,"newer":{"y":[]},"permissions":[{"id":"p"},2],"vpcServiceName":"cn-north-4.n.cf072729-b076-49db-83d3-020dc9f589bd"}"#;

/// Whether the fast way took it.
fn agrees(body: &[u8]) -> bool {
    let Some(fast) = page(body) else { return false };
    let shown = String::from_utf8_lossy(body);
    let any = any_page(body).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(fast.page, any.page, "{shown}");
    assert_eq!(fast.surprises, any.surprises, "{shown}");
    // If the rows come before the head, the head's surprises are last in one and first in the other.
    let sorted = |mut all: Vec<Oddity>| {
        all.sort_by_key(|odd| format!("{odd:?}"));
        all
    };
    assert_eq!(sorted(fast.oddities), sorted(any.oddities), "{shown}");
    true
}

#[test]
fn usual_pages_go_the_fast_way() {
    assert!(agrees(EXAMPLE.as_bytes()));
    assert!(agrees(COMPACT.as_bytes()));
    assert!(agrees(br#"{"total_count":0,"connections":[]}"#));
    assert!(agrees(br#" { "connections" : null , "total_count" : 0 } "#));
    assert!(agrees(r#"{"connections":[{"id":"ä\u007f"}],"total_count":1}"#.replace("\\u007f", "\u{7f}").as_bytes()));
}

#[test]
fn what_is_unusual_is_left_to_the_general_way() {
    let cases = [
        r#"{"connections":[{"id":"\u0061"}]}"#,
        r#"{"connections":[],"total_count":01}"#,
        r#"{"connections":[],"total_count":1.5}"#,
        r#"{"connections":[],"total_count":-1}"#,
        r#"{"connections":[],"total_count":99999999999999999999}"#,
        r#"{"connections":[],"connections":[]}"#,
        r#"{"connections":[{"id":"a"},]}"#,
        r#"{"connections":[{"id":"a",}]}"#,
        r#"{"connections":[,{"id":"a"}]}"#,
        r#"{,"connections":[]}"#,
        r#"{"connections":[]} x"#,
        r#"{"connections":[{"id":"a" "status":"b"}]}"#,
        r#"{"connections":[{"id":["a"]}]}"#,
        r#"{"connections":["a"]}"#,
        r#"{"connections":[]"#,
        r#"[]"#,
        "",
    ];
    for body in cases {
        assert!(page(body.as_bytes()).is_none(), "{body}");
    }
}

#[test]
fn both_ways_agree_on_pages_with_random_mistakes() {
    let mut chance = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |limit: usize| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        (chance >> 33) as usize % limit
    };
    let pieces: [&[u8]; 32] = [
        b"\"",
        b"\\",
        b",",
        b":",
        b"{",
        b"}",
        b"[",
        b"]",
        b"null",
        b"true",
        b"0",
        b"-",
        b".5",
        b"1e9",
        b" ",
        b"\n",
        b"\x00",
        b"\x1f",
        b"\x7f",
        b"\xff",
        "é".as_bytes(),
        "\u{2028}".as_bytes(),
        b"\"id\":",
        b",\"status\":\"failed\"",
        b"\"connections\":",
        b"\\u0041",
        b"{}",
        b"[]",
        b"\"total_count\":2,",
        b"99999999999999999999",
        b"2024-02-30T25:00:00Z",
        b"\"\"",
    ];
    let (mut fast, mut failed) = (0, 0);
    for round in 0..60_000 {
        let original = if round % 3 == 0 { EXAMPLE } else { COMPACT };
        let mut body = original.as_bytes().to_vec();
        for _ in 0..=below(3) {
            let at = below(body.len());
            let end = (at + below(12)).min(body.len());
            match below(5) {
                0 => drop(body.drain(at..end)),
                1 => body[at] = pieces[below(pieces.len())][0],
                2 => drop(body.splice(at..at, pieces[below(pieces.len())].iter().copied())),
                3 => {
                    let copy = body[at..end].to_vec();
                    let to = below(body.len());
                    drop(body.splice(to..to, copy));
                }
                _ => drop(body.splice(at..end, pieces[below(pieces.len())].iter().copied())),
            }
            if body.is_empty() {
                break;
            }
        }
        fast += u32::from(agrees(&body));
        failed += u32::from(any_page(&body).is_err());
    }
    assert!(fast > 5_000 && failed > 5_000, "{fast} fast, {failed} failed");
}

#[test]
fn plain_texts_end_at_the_first_sign_that_is_none() {
    for length in 0..40 {
        for end in [b'"', b'\\', 0, 0x1f, b'\n'] {
            let mut bytes = vec![b'x'; length];
            bytes.extend([end, b'"', b'\\', 0x1f, b'x', 0x80, 0xff, b' ']);
            bytes.extend([b'x'; 9]);
            assert_eq!(plain_length(&bytes), length, "{end}");
        }
        let all: Vec<u8> =
            (0..length).map(|at| [b' ', 0x7f, 0x80, 0xff, b'#', b'!'][at % 6]).collect();
        assert_eq!(plain_length(&all), length);
    }
}
