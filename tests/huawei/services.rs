//! Endpoint services: read in few requests, changed by one request that is never sent again.

use css_vpcep_exporter::model::{EndpointService, PortMapping};

use super::*;

struct Vpcep {
    world: World,
    project: Client,
    ids: Vec<ServiceId>,
}

async fn vpcep(clusters: usize) -> Vpcep {
    let world = world(clusters, 3).await;
    let project = world.project(keys(inline(&world.cloud.secret_key)));
    let truth = world.control("GET", "services", json!({})).await;
    let rows = truth["services"].as_array().unwrap();
    let id = |row: &Value| ServiceId::parse(row["id"].as_str().unwrap()).unwrap();
    Vpcep { ids: rows.iter().map(id).collect(), project, world }
}

fn budget(seconds: u64) -> Budget {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds);
    Budget { deadline, first_token: None, priority: Priority::Admin }
}

fn described(text: &str) -> ServiceFields {
    ServiceFields { description: Some(text.into()), ..ServiceFields::default() }
}

impl Vpcep {
    async fn read(&self) -> EndpointService {
        self.project.service(&self.ids[0], budget(20)).await.result.unwrap()
    }

    /// Sends a change, and says what is known of it.
    async fn change(&self, fields: &ServiceFields, seconds: u64) -> Result<(), (Fate, Reason)> {
        let Traced { result, trace } =
            self.project.update_service(&self.ids[0], fields, budget(seconds)).await;
        result.map_err(|error| (error.fate_of_write(&trace), error.reason))
    }
}

#[tokio::test]
async fn what_was_changed_is_read_back_and_the_echo_is_not_looked_at() {
    let vpcep = vpcep(2).await;
    let before = vpcep.read().await;
    let example = include_str!("../data/vpcep-update-example-request.json");
    let example: Value = serde_json::from_str(example).unwrap();
    let mapping =
        |client_port, server_port| PortMapping { client_port, server_port, protocol: "TCP".into() };
    let fields = ServiceFields {
        approval_enabled: Some(true),
        service_name: Some("test".into()),
        ports: Some(vec![mapping(8081, 22), mapping(8082, 23)]),
        ..ServiceFields::default()
    };
    let written: Value = serde_json::from_str(&huawei::wire::update(&fields)).unwrap();
    assert_eq!(written, example, "the document's example is what is sent");
    assert_eq!(vpcep.change(&fields, 20).await, Ok(()));
    let after = vpcep.read().await;
    let expected = ServiceFields {
        approval_enabled: fields.approval_enabled,
        service_name: fields.service_name,
        ports: fields.ports,
        ..before.fields
    };
    assert_eq!(after.fields, expected);
    assert_eq!(vpcep.world.ledger().await, (1, 1));
}

#[tokio::test]
async fn several_services_cost_one_request_and_say_how_many_are_connected() {
    let vpcep = vpcep(30).await;
    let wanted = [vpcep.ids[3].clone(), vpcep.ids[27].clone(), vpcep.ids[11].clone()];
    let Traced { result, trace } = vpcep.project.services(&wanted, budget(20)).await;
    let found = result.unwrap().into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(found.iter().map(|service| service.id.clone()).collect::<Vec<_>>(), wanted);
    assert!(found.iter().all(|service| service.connections.is_some()));
    assert_eq!((trace.pages, vpcep.world.sent("vpcep_services").await), (1, 1));
    let unknown = ServiceId::parse("00000000-0000-4000-8000-000000000000").unwrap();
    for wanted in [vec![unknown.clone()], vec![unknown, vpcep.ids[0].clone()]] {
        let found = vpcep.project.services(&wanted, budget(20)).await.result.unwrap();
        let reasons: Vec<_> =
            found.iter().map(|one| one.as_ref().err().map(|e| e.reason)).collect();
        assert_eq!(reasons, [Some(Reason::NotFound), None][..wanted.len()]);
    }
}

/// The runbook for unreadable services queries the requests of this operation.
#[tokio::test]
async fn a_reading_is_counted_under_the_operation_of_the_runbook() {
    let runbook = include_str!("../../deploy/runbooks/service-unreadable.md");
    let (_, rest) = runbook.split_once("operation=\"").unwrap();
    let (operation, _) = rest.split_once('"').unwrap();
    let vpcep = vpcep(1).await;
    vpcep.project.services(&vpcep.ids, budget(20)).await.result.unwrap();
    let families = vpcep.world.common.stats.gather();
    let mut families = families.iter();
    let requests = families.find(|family| family.name() == "css_vpcep_exporter_api_requests_total");
    let series = requests.unwrap().get_metric().iter().flat_map(|series| series.get_label());
    let counted = series.filter(|label| label.name() == "operation").map(|label| label.value());
    let counted: Vec<_> = counted.collect();
    assert!(counted.contains(&operation), "{operation} is none of {counted:?}");
}

#[tokio::test]
async fn a_change_of_unknown_fate_is_never_sent_again() {
    let vpcep = vpcep(1).await;
    let cases = [
        ("applied-then-hang", Reason::Timeout, 1),
        ("applied-then-reset", Reason::Reset, 1),
        ("applied-then-500", Reason::Http5xx, 1),
        ("not-applied-then-hang", Reason::Timeout, 0),
        ("not-applied-then-reset", Reason::Reset, 0),
        ("not-applied-then-500", Reason::Http5xx, 0),
    ];
    let (mut seen, mut applied) = (0, 0);
    // A first success, so that the credentials are judged and a read would be tried again.
    vpcep.read().await;
    for (mode, reason, does) in cases {
        vpcep.world.mode("vpcep_update", mode).await;
        assert_eq!(vpcep.change(&described(mode), 1).await, Err((Fate::Unknown, reason)), "{mode}");
        (seen, applied) = (seen + 1, applied + does);
        assert_eq!(vpcep.world.ledger().await, (seen, applied), "{mode}");
        vpcep.world.control("PUT", "faults", json!({"faults": []})).await;
    }
}

#[tokio::test]
async fn a_refused_change_did_nothing_and_is_not_sent_again() {
    let vpcep = vpcep(1).await;
    vpcep.read().await;
    let cases = [
        ("forbidden-state", Reason::Http4xx),
        ("throttled-400", Reason::Throttled),
        ("not-allowed", Reason::Forbidden),
        ("not-there", Reason::NotFound),
        ("service-unauthorized", Reason::Auth),
    ];
    for (number, (mode, reason)) in (1..).zip(cases) {
        vpcep.world.mode("vpcep_update", mode).await;
        let refused = vpcep.change(&described(mode), 20).await;
        assert_eq!(refused, Err((Fate::Refused, reason)), "{mode}");
        assert_eq!(vpcep.world.ledger().await, (number, 0), "{mode}");
    }
}

#[tokio::test]
async fn a_gateway_that_refuses_the_credentials_has_not_let_the_change_through() {
    let world = world(1, 3).await;
    let project = world.project(password("sim-Password-1"));
    let truth = world.control("GET", "services", json!({})).await;
    let id = ServiceId::parse(truth["services"][0]["id"].as_str().unwrap()).unwrap();
    let vpcep = Vpcep { ids: vec![id], project, world };
    vpcep.read().await;
    // Every token that was given ends now.
    vpcep.world.control("PUT", "credentials", json!({ "end_tokens": true })).await;
    assert_eq!(vpcep.change(&described("after"), 20).await, Ok(()));
    assert_eq!(vpcep.read().await.fields.description.as_deref(), Some("after"));
    assert_eq!(vpcep.world.ledger().await, (2, 1), "one was stopped by the gateway");
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let world = world(1, 1).await;
    let mut settings = world.settings("p", keys(inline(&world.cloud.secret_key)));
    settings.project_id = ProjectId::parse("0123456789abcdef0123456789abcdef").ok();
    settings.endpoints.vpcep = BaseUrl::parse("http://127.0.0.1:9").unwrap();
    let project = Client::new(settings, &world.common, pacers());
    let id = ServiceId::parse("4189d3c2-8882-4871-a3c2-d380272eed88").unwrap();
    let Traced { result, trace } = project.update_service(&id, &described("x"), budget(20)).await;
    let error = result.unwrap_err();
    assert_eq!((error.fate_of_write(&trace), error.reason), (Fate::NotSent, Reason::Connect));
    assert_eq!(trace.requests, 1);
}

/// An endpoint service in the list, with these ports.
fn row(id: &ServiceId, ports: Value) -> Value {
    json!({ "id": id.as_str(), "service_name": "s", "status": "available", "ports": ports })
}

#[tokio::test]
async fn a_service_that_may_be_there_is_not_reported_as_absent() {
    let world = world(1, 1).await;
    let [wanted, other] =
        ["4189d3c2-8882-4871-a3c2-d380272eed88", "00000000-0000-4000-8000-000000000000"]
            .map(|id| ServiceId::parse(id).unwrap());
    let bad_ports = json!([{ "client_port": "no port", "server_port": 1, "protocol": "TCP" }]);
    let others = || (0..3).map(|_| row(&other, json!([])));
    let list =
        |rows: Vec<Value>, total: Value| json!({ "endpoint_services": rows, "total_count": total });
    let cases = [
        (list(others().collect(), json!(3)), Reason::NotFound, "has no such"),
        (list(vec![row(&wanted, bad_ports)], json!(1)), Reason::BadShape, "row"),
        (list(vec![json!({ "id": 7 })], json!(1)), Reason::BadShape, "without a readable id"),
        (list(others().collect(), json!(1000)), Reason::BadShape, "only the first 10 pages"),
        (list(vec![], json!(7)), Reason::BadShape, "0 of 7 rows"),
        (list(vec![], json!(null)), Reason::NotFound, "has no such"),
    ];
    for (body, reason, message) in cases {
        let mut settings = world.settings("p", keys(inline("any")));
        settings.project_id = ProjectId::parse("0123456789abcdef0123456789abcdef").ok();
        settings.endpoints.vpcep = BaseUrl::parse(&always(body.to_string()).await).unwrap();
        let project = Client::new(settings, &world.common, pacers());
        let asked = [wanted.clone(), other.clone()];
        let listed = project.services(&asked, budget(20)).await.result.unwrap();
        let error = listed[0].as_ref().unwrap_err();
        assert_eq!(error.reason, reason, "{body}: {error}");
        assert!(error.message.contains(message), "{body}: {error}");
        assert_eq!(listed[1].is_ok(), body.to_string().contains(other.as_str()), "{body}");
    }
}

/// A server that gives the same answer to every request, and its URL.
async fn always(body: String) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all((head + &body).as_bytes()).await.unwrap();
        }
    });
    url
}
