use super::*;

const UUID: &str = "54b7f739-31a1-40d0-862b-ac85b83ab2da";
const ID: &str = "db9b76a0d9ae431f8e85e89da2ca867c";
const NEW_UUID: &str = "00000000-0000-4000-9000-000000000001";
const NEW_ID: &str = "00000000000000000000000000000001";

fn fresh() -> Replacements {
    Replacements::new(&[RegionId::parse("cn-north-4").unwrap()])
}

#[test]
fn each_text_becomes_one_of_the_same_form() {
    for (text, expected) in [
        (UUID, NEW_UUID),
        ("54B7F739-31A1-40D0-862B-AC85B83AB2DA", NEW_UUID),
        (ID, NEW_ID),
        ("192.168.0.122", "192.0.2.1"),
        ("fd00:1::2", "2001:db8::0:1"),
        ("vpcep-1.cn-north-4.huaweicloud.com", "host-1.example.com"),
        (&format!("cn-north-4.css-op.{UUID}"), &format!("cn-north-4.text-1.{NEW_UUID}")),
        (&format!("cn-north-4.{UUID}"), &format!("cn-north-4.{NEW_UUID}")),
        (&format!("cn-north-9.a.b.{UUID}"), &format!("text-1.text-2.text-3.{NEW_UUID}")),
        (&format!("iam:domain::{ID}"), &format!("iam:domain::{NEW_ID}")),
        ("iam:domain::*", "iam:domain::text-1"),
        (
            &format!("https://iam.example.org:443/v3/projects/{ID}"),
            &format!("https://host-1.example.com:443/v3/projects/{NEW_ID}"),
        ),
        ("http://10.0.0.1/v3", "http://192.0.2.1/v3"),
        ("Büro: Suche", "text-1:text-2"),
        ("logs", "text-1"),
        ("cn-north-9", "text-1"),
        ("10.0.0.0/8", "192.0.2.1/8"),
        ("a@example.org", "text-1"),
        ("1234567890", "text-1"),
        ("1234-5678-9012-3456", "text-1"),
        ("<secret>", "text-1"),
        // Of these no one can be told.
        ("cn-north-4", "cn-north-4"),
        ("", ""),
        ("3000", "3000"),
        ("false", "false"),
        ("2024-06-11T09:36:24Z", "2024-06-11T09:36:24Z"),
        ("2024-06-11T09:36:24.123+08:00", "2024-06-11T09:36:24.123+08:00"),
        ("2024-06-11 09:36:24", "2024-06-11 09:36:24"),
    ] {
        assert_eq!(fresh().text(text), expected, "{text}");
    }
}

#[test]
fn the_same_text_is_always_replaced_by_the_same_and_another_one_by_another() {
    let mut all = fresh();
    assert_eq!(all.text("logs"), "text-1");
    assert_eq!(all.text("metrics"), "text-2");
    assert_eq!(all.text("logs"), "text-1");
    let addresses = |all: &mut Replacements, format: fn(u32) -> String| {
        let new = (0..2_000).map(|number| all.text(&format(number)));
        new.collect::<std::collections::HashSet<_>>()
    };
    let v4 = addresses(&mut all, |number| format!("10.0.{}.{}", number >> 8, number & 0xff));
    assert_eq!(v4.len(), 2_000);
    assert!(v4.iter().all(|text| text.parse::<std::net::Ipv4Addr>().is_ok()));
    assert!(
        v4.contains("198.51.100.0") && v4.contains("203.0.113.255") && v4.contains("198.18.3.0")
    );
    let v6 = addresses(&mut all, |number| format!("fd00::{number:x}"));
    assert!(v6.len() == 2_000 && v6.iter().all(|text| text.parse::<std::net::Ipv6Addr>().is_ok()));
}

#[test]
fn requests_keep_their_words() {
    let mut all = fresh();
    let path = format!("/v1.0/{ID}/clusters/{UUID}/vpcepservice/connections");
    let new = format!("/v1.0/{NEW_ID}/clusters/{NEW_UUID}/vpcepservice/connections");
    assert_eq!(all.path(&path), new);
    assert_eq!(all.path("/v3/projects"), "/v3/projects");
    for (value, expected) in [
        ("1000", "1000"),
        ("cn-north-4", "cn-north-4"),
        ("elasticsearch", "elasticsearch"),
        (UUID, NEW_UUID),
        ("prod", "text-1"),
    ] {
        assert_eq!(all.word(value), expected);
    }
}

#[test]
fn a_body_keeps_what_the_api_chose_and_the_words_of_its_messages() {
    for (body, expected) in [
        (
            r#"{"status":"frozen","maxSession":"3000"}"#,
            r#"{"status":"frozen","maxSession":"3000"}"#,
        ),
        (r#"{"name":"frozen","total":3000}"#, r#"{"name":"text-1","total":3000}"#),
        (
            &*format!(r#"{{"status":"{ID}","type":"10.0.0.1","version":"7.10.2"}}"#),
            &*format!(r#"{{"status":"{NEW_ID}","type":"192.0.2.1","version":"7.10.2"}}"#),
        ),
        (r#"{"status":"of Büro"}"#, r#"{"status":"text-1"}"#),
        (
            &format!(
                r#"{{"errCode":"CSS.0015","externalMessage":"CSS.0015 : The cluster {UUID} of prod does not exist."}}"#
            ),
            &format!(
                r#"{{"errCode":"CSS.0015","externalMessage":"CSS.0015 : The cluster {NEW_UUID} of text-1 does not exist."}}"#
            ),
        ),
        (
            r#"{"error_msg":"signature expired, signature time:20211217T064303Z,server time:20211217T065804Z"}"#,
            r#"{"error_msg":"signature expired, signature time:20211217T064303Z,server time:20211217T065804Z"}"#,
        ),
        (
            &format!(
                r#"{{"error":{{"message":"Policy ({ID}) of 'alice' denies css:VPCEndpoint:listConnection"}}}}"#
            ),
            &format!(
                r#"{{"error":{{"message":"Policy ({NEW_ID}) of 'text-1' text-2 css:VPCEndpoint:listConnection"}}}}"#
            ),
        ),
        (
            &format!(
                r#"{{"message":"canonicalRequest:GET|/v1.0/{ID}/clusters/|host:css.example.org|"}}"#
            ),
            &format!(
                r#"{{"message":"canonicalRequest:GET|/v1.0/{NEW_ID}/clusters/|host:host-1.example.com|"}}"#
            ),
        ),
    ] {
        assert_eq!(fresh().json(body).as_deref(), Some(expected), "{body}");
    }
    assert_eq!(fresh().json("<h1>prod</h1>"), None);
}
