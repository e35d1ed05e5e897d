use proptest::{
    collection::{hash_map, vec},
    option::of as maybe,
    prelude::*,
    sample::select,
};
use serde_json::Value;

use super::*;
use crate::{huawei::wire::lenient::LONGEST_TEXT, model::Connection, random_tests::check};

fn decoded(body: &str) -> (Page, Surprises) {
    page(body.as_bytes()).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn surprised(body: &str) -> Vec<(&'static str, u64)> {
    decoded(body).1.counts().map(|(kind, times)| (kind.as_str(), times)).collect()
}

/// A page with one connection whose fields are `fields`.
fn one_row(fields: &str) -> String {
    format!(r#"{{"connections":[{{"id":"e1","status":"accepted"{fields}}}],"total_count":1}}"#)
}

fn first_row(fields: &str) -> Connection {
    decoded(&one_row(fields)).0.rows.remove(0)
}

#[test]
fn the_example_of_the_document_is_understood_to_the_letter() {
    let body = include_str!("../../../../tests/data/css-connections-example.json");
    let (page, surprises) = decoded(body);
    assert_eq!(surprises, Surprises::default());
    assert_eq!((page.received, page.total), (2, Some(2)));
    assert_eq!(page.update_switch, Some(false));
    assert_eq!(page.permissions, Some(1));
    let name = page.service_name.unwrap();
    assert_eq!(name.as_str(), "cn-north-4.css-op-no-delete.cf072729-b076-49db-83d3-020dc9f589bd");
    assert_eq!(name.service_id(), "cf072729-b076-49db-83d3-020dc9f589bd");
    let expected = Connection::from(ConnectionFields {
        endpoint_id: "54b7f739-31a1-40d0-862b-ac85b83ab2da",
        status: Status::Accepted,
        max_sessions: Some(3000),
        created: Some("2024-06-11T09:36:24Z".parse().unwrap()),
        updated: None,
        specification_name: "default",
        domain_id: "db9b76a0d9ae431f8e85e89da2ca867c",
        ip: "192.168.0.122",
        ipv6: "",
        dns_name: "",
    });
    assert_eq!(page.rows[0], expected);
    assert_eq!(page.rows[1].endpoint_id(), "e88ad0bc-c2c7-419c-bd9b-a961111f0a42");
}

#[test]
fn numbers_come_as_numbers_or_as_text_and_nonsense_is_absent() {
    let cases = [
        (r#","maxSession":"3000""#, Some(3000), vec![]),
        (r#","maxSession":3000"#, Some(3000), vec![("coerced_type", 1)]),
        (r#","maxSession":null"#, None, vec![]),
        ("", None, vec![]),
        (r#","maxSession":"lots""#, None, vec![("unparsable_value", 1)]),
        (r#","maxSession":"""#, None, vec![("unparsable_value", 1)]),
        (r#","maxSession":"-1""#, None, vec![("unparsable_value", 1)]),
        (r#","maxSession":-1"#, None, vec![("unparsable_value", 1)]),
        (r#","maxSession":3.5"#, None, vec![("unparsable_value", 1)]),
        (r#","maxSession":"18446744073709551616""#, None, vec![("unparsable_value", 1)]),
        (r#","maxSession":[3000]"#, None, vec![("unparsable_value", 1)]),
        (r#","maxSession":{"a":1}"#, None, vec![("unparsable_value", 1)]),
        (r#","maxSession":true"#, None, vec![("unparsable_value", 1)]),
    ];
    for (field, expected, surprises) in cases {
        assert_eq!(first_row(field).max_sessions, expected, "{field}");
        assert_eq!(surprised(&one_row(field)), surprises, "{field}");
    }
}

#[test]
fn the_total_is_a_number_and_every_other_form_is_counted() {
    let cases = [
        ("2", Some(2), None),
        (r#""2""#, Some(2), Some("coerced_type")),
        ("-1", None, Some("unparsable_value")),
        ("9223372036854775808", Some(1 << 63), None),
        ("18446744073709551616", None, Some("unparsable_value")),
        ("2.0", None, Some("unparsable_value")),
        ("null", None, None),
    ];
    for (value, expected, surprise) in cases {
        let body = format!(r#"{{"connections":[],"total_count":{value}}}"#);
        assert_eq!(decoded(&body).0.total, expected, "{value}");
        let kinds: Vec<_> = surprised(&body).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, surprise.into_iter().collect::<Vec<_>>(), "{value}");
    }
}

#[test]
fn the_switch_may_be_a_text() {
    let cases = [
        ("true", Some(true), None),
        ("false", Some(false), None),
        (r#""false""#, Some(false), Some("coerced_type")),
        (r#""true""#, Some(true), Some("coerced_type")),
        ("null", None, None),
        (r#""off""#, None, Some("unparsable_value")),
        ("1", None, Some("unparsable_value")),
    ];
    for (value, expected, surprise) in cases {
        let body = format!(r#"{{"connections":[],"total_count":0,"vpcepUpdateSwitch":{value}}}"#);
        assert_eq!(decoded(&body).0.update_switch, expected, "{value}");
        let kinds: Vec<_> = surprised(&body).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, surprise.into_iter().collect::<Vec<_>>(), "{value}");
    }
}

#[test]
fn times_come_with_and_without_a_zone() {
    let cases = [
        (r#""2024-06-11T09:36:24Z""#, Some("2024-06-11T09:36:24Z")),
        (r#""2024-06-11T09:36:24""#, Some("2024-06-11T09:36:24Z")),
        (r#""2024-06-11T09:36:24.123""#, Some("2024-06-11T09:36:24.123Z")),
        (r#""2024-06-11T17:36:24+08:00""#, Some("2024-06-11T09:36:24Z")),
        (r#""9999-12-30T00:00:00Z""#, Some("9999-12-30T00:00:00Z")),
        ("null", None),
        (r#""yesterday""#, None),
        (r#""""#, None),
        ("1718098584", None),
    ];
    for (value, expected) in cases {
        let field = format!(r#","update_at":{value}"#);
        let expected = expected.map(|time| time.parse().unwrap());
        assert_eq!(first_row(&field).updated(), expected, "{value}");
        let is_odd = expected.is_none() && value != "null";
        let odd = is_odd.then_some(("unparsable_value", 1));
        assert_eq!(surprised(&one_row(&field)), odd.into_iter().collect::<Vec<_>>(), "{value}");
    }
}

#[test]
fn unknown_statuses_and_fields_are_counted_not_fatal() {
    let body = r#"{"connections":[{"id":"a","status":"frozen","new":{"deep":[1]}},{"id":"b"}],
                   "total_count":2,"newer":null}"#;
    let (page, _) = decoded(body);
    assert!(page.rows.iter().all(|row| row.status == Status::Unknown));
    assert_eq!(surprised(body), [("unknown_field", 2), ("unknown_status", 2)]);
}

#[test]
fn a_row_without_an_id_is_received_but_not_shown() {
    for id in ["", r#""id":null,"#, r#""id":"","#, r#""id":7,"#] {
        let body = format!(r#"{{"connections":[{{{id}"status":"accepted"}}],"total_count":1}}"#);
        let (page, _) = decoded(&body);
        assert_eq!((page.received, page.rows.len()), (1, 0), "{id}");
        assert_eq!(surprised(&body), [("unparsable_value", 1)], "{id}");
    }
}

#[test]
fn a_missing_list_is_empty_only_where_the_total_says_so() {
    for body in [r#"{"connections":null,"total_count":0}"#, r#"{"total_count":0}"#] {
        assert_eq!(decoded(body).0.received, 0);
    }
    for body in ["{}", r#"{"connections":null,"total_count":3}"#, r#"{"errCode":"CSS.0011"}"#] {
        assert_eq!(page(body.as_bytes()).unwrap_err().reason, Reason::BadShape, "{body}");
    }
}

#[test]
fn what_is_not_the_documented_object_is_refused_without_quoting_it() {
    let canary = "CANARY";
    let cases = [
        (format!("<html>{canary}</html>"), Reason::BadJson),
        (String::new(), Reason::BadJson),
        (r#"{"connections":["#.to_owned(), Reason::BadJson),
        (format!(r#"{{"connections":[]}} {canary}"#), Reason::BadJson),
        ("\u{feff}{}".to_owned(), Reason::BadJson),
        (r#"{"connections":[{"id":"\ud800"}]}"#.to_owned(), Reason::BadJson),
        (format!(r#"["{canary}"]"#), Reason::BadShape),
        (format!(r#""{canary}""#), Reason::BadShape),
        ("null".to_owned(), Reason::BadShape),
        (format!(r#"{{"connections":"{canary}"}}"#), Reason::BadShape),
        (format!(r#"{{"connections":{{"{canary}":1}}}}"#), Reason::BadShape),
        (format!(r#"{{"connections":["{canary}"]}}"#), Reason::BadShape),
        (r#"{"connections":[["a","accepted"]]}"#.to_owned(), Reason::BadShape),
    ];
    for (body, reason) in cases {
        let error = page(body.as_bytes()).unwrap_err();
        assert_eq!(error.reason, reason, "{body}");
        assert!(!error.to_string().contains(canary), "{error}");
    }
}

#[test]
fn deep_nesting_in_an_unknown_field_is_read_past() {
    let body = format!(
        r#"{{"x":{}{},"connections":[],"total_count":0}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(surprised(&body), [("unknown_field", 1)]);
}

#[test]
fn texts_are_capped_and_ids_stay_distinct() {
    let long = "i".repeat(4000);
    let body = format!(
        r#"{{"connections":[{{"id":"{long}1","vpcepDnsName":"{long}"}},{{"id":"{long}2"}},
            {{"id":"new\nline"}}],"total_count":3}}"#
    );
    let rows = decoded(&body).0.rows;
    assert_eq!(rows[0].dns_name().len(), LONGEST_TEXT);
    let ids: Vec<_> = rows.iter().map(|row| row.endpoint_id()).collect();
    assert!(ids.iter().all(|id| id.len() <= LONGEST_ID && !id.contains('\n')), "{ids:?}");
    assert!(ids[0] != ids[1] && ids[2].starts_with("new\u{FFFD}line-"), "{ids:?}");
}

#[test]
fn a_surprise_is_told_with_its_field_and_value_once() {
    let body = r#"{"connections":[
        {"id":"a","status":"frozen\u001b[2J","maxSession":3000,"new":{"x":1}},
        {"id":"b","status":"frozen\u001b[2J","maxSession":3001,"new":7,"created_at":"soon"},
        {"id":7,"status":"accepted"}],
        "total_count":-1.5,"newer":"text"}"#;
    let told: Vec<_> = decoded(body)
        .1
        .oddities
        .into_iter()
        .map(|odd| (odd.kind.as_str(), odd.field, odd.value))
        .collect();
    let expected = [
        ("unknown_field", "new", "an array or an object"),
        ("unknown_status", "status", "\"frozen\u{1b}[2J\""),
        ("coerced_type", "maxSession", "3000"),
        ("unparsable_value", "created_at", "\"soon\""),
        ("unparsable_value", "id", "7"),
        ("unknown_field", "newer", "\"text\""),
        ("unparsable_value", "total_count", "-1.5"),
    ];
    let expected = expected.map(|(kind, field, value)| (kind, field.to_owned(), value.to_owned()));
    assert_eq!(told, expected);
    let many = (0..1000).map(|n| format!(r#"{{"id":"a{n}","status":"s{n}"}}"#));
    let many = many.collect::<Vec<_>>().join(",");
    let many = format!(r#"{{"connections":[{many}],"new":1}}"#);
    let (_, surprises) = decoded(&many);
    assert_eq!(surprised(&many), [("unknown_field", 1), ("unknown_status", 1000)]);
    assert_eq!(surprises.oddities.len(), 32 + 1);
    assert_eq!(surprises.oddities[32].field, "new", "one kind does not hide another");
}

#[test]
fn unknown_fields_are_all_counted_and_few_are_kept() {
    let names = (0..100_000).map(|number| match number {
        0..10 => r#""again":0"#.to_owned(),
        _ => format!(r#""{number}":0"#),
    });
    let body = format!(r#"{{"total_count":0,{}}}"#, names.collect::<Vec<_>>().join(","));
    let (_, surprises) = decoded(&body);
    assert_eq!(surprised(&body), [("unknown_field", 100_000)]);
    let names: Vec<_> = surprises.oddities.iter().map(|odd| &*odd.field).collect();
    assert_eq!(names, ["again", "10", "11", "12", "13", "14", "15", "16"]);
}

#[test]
fn permissions_are_a_list_or_absent() {
    for (value, expected) in [("[]", Some(0)), (r#"[{"id":1},2]"#, Some(2)), ("null", None)] {
        let body = format!(r#"{{"connections":[],"permissions":{value}}}"#);
        assert_eq!(decoded(&body).0.permissions, expected, "{value}");
    }
    for value in ["2", r#""CANARY""#, "{}", "true"] {
        let body = format!(r#"{{"connections":[],"permissions":{value}}}"#);
        let error = page(body.as_bytes()).unwrap_err();
        assert_eq!(error.reason, Reason::BadShape, "{value}");
        assert!(!error.to_string().contains("CANARY"), "{error}");
    }
}

/// A member of an object. They come in any order, and one is not documented; of several with the same name
/// the last one counts.
type Member = (&'static str, Value);

fn members(names: &[&'static str], most: usize) -> impl Strategy<Value = Vec<Member>> {
    let names: Vec<_> = names.iter().copied().chain(["new"]).collect();
    vec((select(names), value()), 0..=most)
}

/// A row that has an id, unless a later member takes its place.
fn row() -> impl Strategy<Value = Vec<Member>> {
    ("[a-z]{1,3}", members(&ROW, 12)).prop_map(|(id, mut members)| {
        members.insert(0, ("id", id.into()));
        members
    })
}

/// A value as documented, of another type, or without meaning.
fn value() -> impl Strategy<Value = Value> {
    let words = vec!["", "true", "false", "accepted", "12", " 7 ", "-1", "1e3"];
    let flat = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => (-1e20..1e20).prop_map(Value::from),
        2 => select(words).prop_map(Value::from),
        2 => "[a-z\"\\\\/\n\u{202e}é]{0,8}".prop_map(Value::from),
    ];
    flat.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            hash_map("[a-z]{0,3}", inner, 0..3)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

fn written(members: &[Member]) -> String {
    let members = members.iter().map(|(name, value)| format!("\"{name}\":{value}"));
    members.collect::<Vec<_>>().join(",")
}

/// The last of the members with this name.
fn member<'a>(members: &'a [Member], name: &str) -> &'a Value {
    members.iter().rfind(|(known, _)| *known == name).map_or(&Value::Null, |(_, value)| value)
}

fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn label(value: &Value) -> String {
    let number = || value.as_u64().map(|number| number.to_string());
    let text = value.as_str().map(|text| shown(text, LONGEST_TEXT));
    text.or_else(number).unwrap_or_default()
}

/// The decoder borrows, skips and coerces; a second opinion reads the same from plain values.
#[test]
fn any_page_is_read_as_its_plain_values_say() {
    check(500, &(members(&PAGE, 4), maybe(vec(row(), 0..4))), |(head, rows)| {
        let mut body = written(&head);
        if let Some(rows) = &rows {
            let rows = rows.iter().map(|row| format!("{{{}}}", written(row)));
            let comma = if head.is_empty() { "" } else { "," };
            body += &format!("{comma}\"connections\":[{}]", rows.collect::<Vec<_>>().join(","));
        }
        let body = format!("{{{body}}}");
        let total = whole_number(member(&head, "total_count"));
        let permissions = member(&head, "permissions");
        let is_documented = (rows.is_some() || total == Some(0))
            && (permissions.is_array() || permissions.is_null());
        let (page, surprises) = match page(body.as_bytes()) {
            Ok(read) if is_documented => read,
            Err(error) if !is_documented => return assert_eq!(error.reason, Reason::BadShape),
            other => panic!("{body}: {other:?}"),
        };
        let rows = rows.unwrap_or_default();
        assert_eq!((page.received, page.total), (rows.len() as u32, total), "{body}");
        assert_eq!(page.permissions, permissions.as_array().map(|all| all.len() as u64), "{body}");
        let switch = member(&head, "vpcepUpdateSwitch");
        let switch = switch.as_bool().or_else(|| switch.as_str()?.parse().ok());
        assert_eq!(page.update_switch, switch, "{body}");
        let name = member(&head, "vpcServiceName");
        let has_name = name.is_string() || name.is_u64();
        let name = has_name.then(|| ServiceName::new(&label(name)));
        assert_eq!(page.service_name, name, "{body}");

        let id = |row| member(row, "id").as_str().filter(|id| !id.is_empty());
        let with_id: Vec<_> = rows.iter().filter_map(|row| Some((id(row)?, row))).collect();
        assert_eq!(page.rows.len(), with_id.len(), "{body}");
        for (read, (id, row)) in page.rows.iter().zip(with_id) {
            let status = member(row, "status").as_str().and_then(Status::from_word);
            assert_eq!(read.endpoint_id(), shown_id(id), "{body}");
            assert_eq!(read.status, status.unwrap_or(Status::Unknown), "{body}");
            assert_eq!(read.max_sessions, whole_number(member(row, "maxSession")), "{body}");
            for (name, text) in [
                ("specificationName", read.specification_name()),
                ("domain_id", read.domain_id()),
                ("vpcepIp", read.ip()),
                ("vpcepIpv6Address", read.ipv6()),
                ("vpcepDnsName", read.dns_name()),
            ] {
                assert_eq!(text, label(member(row, name)), "{name}: {body}");
            }
        }
        let all = rows.iter().chain([&head]).flatten();
        let unknown = all.filter(|(name, _)| *name == "new").count() as u64;
        let counted = surprises.counts().find(|(kind, _)| *kind == Surprise::UnknownField);
        assert_eq!(counted.map_or(0, |(_, times)| times), unknown, "{body}");
    });
}
