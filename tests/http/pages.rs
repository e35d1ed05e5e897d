//! The pages and the JSON, for clusters in every kind of trouble.

use std::{collections::BTreeMap, time::Duration};

use css_vpcep_exporter::{
    board::{Attempt, Board, ClusterMeta},
    clock::Clock,
    cloud::{CloudError, Reason, Trace, Traced},
    model::{ClusterId, Connection, ConnectionFields, ConnectionList, RegionId, Status},
    web::Limits,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Server;

/// 2023-11-14 22:13:20 UTC; the ages of the data are relative to this moment.
const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

/// The clusters, in the order in which the status page must show them.
const ORDER: [&str; 10] = [
    "switched-off",
    "rejected",
    "stale",
    "refused",
    "failing",
    "failed",
    "incomplete",
    "pending",
    "untried",
    "never-enabled",
];

fn id(name: &str) -> ClusterId {
    // The order of the ids differs from the order of the page.
    let number = ORDER.iter().position(|one| *one == name).unwrap() * 3 % ORDER.len();
    ClusterId::parse(&format!("00000000-0000-4000-8000-{number:012}")).unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    NOW - SignedDuration::from_secs(seconds)
}

fn with(statuses: &[Status]) -> ConnectionList {
    let connection = |(place, &status): (usize, &Status)| {
        Connection::from(ConnectionFields {
            endpoint_id: &format!("{place:08x}-31a1-40d0-862b-ac85b83ab2da"),
            status,
            max_sessions: None,
            created: None,
            updated: None,
            specification_name: "",
            domain_id: "",
            ip: "",
            ipv6: "",
            dns_name: "",
        })
    };
    ConnectionList {
        service_enabled: true,
        reported: Some(statuses.len() as u64),
        connections: statuses.iter().enumerate().map(connection).collect(),
        ..ConnectionList::service_not_enabled()
    }
}

fn off() -> ConnectionList {
    ConnectionList::service_not_enabled()
}

fn refused() -> CloudError {
    CloudError {
        status: Some(401),
        code: Some("APIGW.0301".into()),
        request_id: Some("request-1".into()),
        retry_at: Some(NOW + SignedDuration::from_secs(180)),
        ..CloudError::new(Reason::Auth, "verify <aksk> signature fail")
    }
}

fn broken() -> CloudError {
    CloudError::new(Reason::Http5xx, "internal error")
}

/// Polls of every cluster, each with its age in seconds.
fn board() -> Board {
    use Status::{Accepted, Creating, Deleting, Failed, PendingAcceptance, Rejected};
    type Polls = Vec<(i64, Result<ConnectionList, CloudError>)>;
    let incomplete = || ConnectionList { complete: false, reported: Some(3), ..with(&[Accepted]) };
    let polls: Vec<(&str, Polls)> = vec![
        ("switched-off", vec![(600, Ok(with(&[Accepted]))), (200, Ok(off())), (30, Ok(off()))]),
        ("rejected", vec![(90, Ok(with(&[Accepted; 7]))), (40, Ok(with(&[Rejected; 7])))]),
        ("stale", vec![(1000, Ok(with(&[Accepted]))), (50, Err(broken()))]),
        ("refused", vec![(700, Err(refused())), (400, Err(refused())), (10, Err(refused()))]),
        ("failing", vec![(90, Ok(with(&[Accepted]))), (60, Err(broken())), (20, Err(broken()))]),
        ("failed", vec![(10, Ok(with(&[Failed, Creating, Deleting, Deleting])))]),
        ("incomplete", vec![(10, Ok(incomplete()))]),
        ("pending", vec![(10, Ok(with(&[PendingAcceptance])))]),
        ("untried", vec![]),
        ("never-enabled", vec![(70, Ok(off())), (10, Ok(off()))]),
    ];
    let board = Board::new(ORDER.map(|name| ClusterMeta {
        id: id(name),
        name: name.into(),
        project: "prod".into(),
        region: RegionId::parse("eu-west-101").unwrap(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    }));
    for (name, polls) in polls {
        for (age, result) in polls {
            let outcome = Traced { result: result.map(Into::into), trace: Trace::default() };
            let attempt = Attempt { at: ago(age), duration: Duration::from_millis(5), outcome };
            // The credentials may be used before that poll; nobody does.
            let next_poll = if name == "refused" { 600 } else { 7 };
            board.record(&id(name), attempt, NOW + SignedDuration::from_secs(next_poll));
        }
    }
    board
}

async fn server() -> Server {
    Server::showing(board(), Clock::manual(NOW), Limits::PUBLIC).await
}

/// The rows of the table of clusters, by name, in their order.
fn rows(page: &str) -> Vec<(&str, &str)> {
    let table = page.split("</table>").next().unwrap();
    let rows = table.split("<tr ").filter(|row| row.contains("/clusters/"));
    let name = |row: &str| ORDER.into_iter().find(|name| row.contains(&format!(">{name}</a>")));
    rows.map(|row| (name(row).unwrap(), row)).collect()
}

#[tokio::test]
async fn the_status_page_shows_what_needs_somebody_first_and_since_when() {
    let page = server().await.get("/").await;
    let rows = rows(&page);
    assert_eq!(rows.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ORDER);
    assert!(page.contains("8 need attention"), "{page}");
    let row: BTreeMap<_, _> = rows.into_iter().collect();
    let expected: [(&str, &[&str]); 9] = [
        (
            "switched-off",
            &[
                "<span class=\"b bad\">off</span> </td>",
                "b bad\">service switched off",
                ">3m 20s ago<",
                "CSS.5182",
            ],
        ),
        ("rejected", &["<span class=\"b bad\">rejected</span> </td>", "b bad\">7</span>"]),
        ("stale", &["b bad\">stale", "no data", "internal error"]),
        (
            "refused",
            &[
                "b bad\">never",
                "auth</span>",
                "verify &lt;aksk&gt; signature fail (HTTP 401, APIGW.0301)",
                ">for 11m 40s<",
                "tried again <time data-form=\"in\" datetime=\"2023-11-14T22:23:20Z\" title=\"2023-11-14T22:23:20Z\">in 10m<",
            ],
        ),
        ("failing", &["b warn\">failing", ">for 1m<", ">1m 30s ago<"]),
        ("failed", &["b warn\">1</span>", "1 creating, 2 deleting"]),
        ("incomplete", &["b warn\">incomplete"]),
        ("pending", &["b warn\">1</span>", "eu-west-101", ">in 7s<"]),
        ("never-enabled", &["quiet", "no VPC endpoint service (CSS.5182)"]),
    ];
    for (name, texts) in expected {
        for text in texts {
            assert!(row[name].contains(text), "{name}: {text}: {}", row[name]);
        }
    }
    let changes = page.split("What changed recently").nth(1).unwrap();
    assert!(
        changes.contains("the endpoint service</td><td data-label=\"Change\" class=\"\">on → off"),
        "{changes}"
    );
}

#[tokio::test]
async fn the_page_of_a_cluster_says_first_why_it_needs_somebody() {
    let server = server().await;
    let expected: [(&str, &[&str]); 8] = [
        (
            "switched-off",
            &["was switched off", "CSS.5182", "2023-11-14 22:10:00 UTC", "3m 20s ago", "cut off"],
        ),
        (
            "rejected",
            &[
                "7 connections are rejected",
                "00000000-31a1-40d0-862b-ac85b83ab2da",
                "since <span class=\"whole\">2023-11-14 22:12:40 UTC",
                "and 2 more",
            ],
        ),
        ("stale", &["cannot be read", "internal error", "2023-11-14 21:56:40 UTC", "too old"]),
        (
            "refused",
            &[
                "cannot be read</b> since <span class=\"whole\">2023-11-14 22:01:40 UTC",
                "auth</span>",
                "verify &lt;aksk&gt; signature fail (HTTP 401, APIGW.0301)",
                "request id <code>request-1</code>",
                "credentials are tried again <time data-form=\"in\" datetime=\"2023-11-14T22:23:20Z\" title=\"2023-11-14T22:23:20Z\">in 10m<",
                "never read",
            ],
        ),
        (
            "failing",
            &[
                "2023-11-14 22:12:20 UTC (<time",
                "The data shown are from",
                "2023-11-14 22:11:50 UTC",
            ],
        ),
        ("failed", &["1 connection is in status failed"]),
        ("incomplete", &["Not all connections could be read</b>: 1 of 3"]),
        ("pending", &["1 connection is waiting to be accepted"]),
    ];
    for (name, texts) in expected {
        let page = server.get(&format!("/clusters/{}", id(name))).await;
        let (top, below) =
            page.split_once("</section>").unwrap_or_else(|| panic!("{name}: {page}"));
        for text in texts {
            assert!(top.contains(text), "{name}: {text}: {top}");
        }
        let place = |heading: &str| below.find(&format!("<h2>{heading}</h2>")).unwrap();
        assert!(place("Connections") < place("Changes"), "{name}");
        assert!(place("Changes") < place("Last polls"), "{name}");
    }
    for name in ["untried", "never-enabled"] {
        let page = server.get(&format!("/clusters/{}", id(name))).await;
        assert!(page.contains("<h2>Connections</h2>"), "{page}");
        assert!(!page.contains("needs attention"), "{name}: {page}");
    }
}

#[tokio::test]
async fn the_json_has_the_state_and_the_error_with_its_dates() {
    let server = server().await;
    let json_of = async |path: &str| -> Value {
        let answer = server.get(path).await;
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let all = json_of("/api/v1/clusters").await;
    let of = |name: &str| {
        let all = all["clusters"].as_array().unwrap();
        all.iter().find(|one| one["cluster_name"] == name).unwrap()
    };
    for (name, state) in [
        ("switched-off", "fresh"),
        ("rejected", "fresh"),
        ("stale", "stale"),
        ("refused", "never"),
        ("failing", "failing"),
        ("untried", "never"),
    ] {
        assert_eq!(of(name)["state"], state, "{name}");
        assert_eq!(of(name)["fresh"], state == "fresh", "{name}");
        assert_eq!(of(name)["last_error"].is_null(), of(name)["up"] == true || name == "untried");
    }
    let refused = json!({
        "reason": "auth",
        "code": "APIGW.0301",
        "message": "verify <aksk> signature fail",
        "request_id": "request-1",
        "since": "2023-11-14T22:01:40Z",
        "retry_at": "2023-11-14T22:16:20Z",
    });
    assert_eq!(of("refused")["last_error"], refused);
    assert_eq!(of("failing")["last_error"]["since"], "2023-11-14T22:12:20Z");
    assert_eq!(of("failing")["last_error"]["retry_at"], Value::Null);
    let one = json_of(&format!("/api/v1/clusters/{}", id("refused"))).await;
    assert_eq!(one["last_error"], refused);
    let keys: Vec<_> = one["polls"][0]["error"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "message", "reason", "request_id"]);
}
