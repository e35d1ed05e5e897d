//! The providers of temporary keys, against the simulated cloud: keys from the platform, from identity
//! providers and of agencies; their end, their renewal, and what fails.

use css_vpcep_exporter::huawei::credentials::{Agency, AgencyName};

use super::*;

const ID_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzaW0ifQ.c2ltLWlkLXRva2Vu";
const AGENCY_URN: &str = "iam::d03a1a7edc1004d0b9c0ffee051a1e50:agency:sim-agency";
const PROVIDER_URN: &str = "iam::d03a1a7edc1004d0b9c0ffee051a1e50:oidc-provider:sim-idp";

fn environment(variables: &[(&str, String)]) -> Environment {
    Environment::capture(&|name| {
        variables.iter().find(|(one, _)| *one == name).map(|(_, value)| value.clone())
    })
}

fn pod(world: &World, folder: &Folder, token: &str) -> Environment {
    environment(&[
        (
            "HC_CONTAINER_CREDENTIALS_FULL_URI",
            format!("{}/pod-identity/credentials", world.cloud.url),
        ),
        (
            "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            folder.write("pod-token", token).display().to_string(),
        ),
    ])
}

fn identity_provider(folder: &Folder) -> Source {
    let id_token_file = folder.write("id-token", ID_TOKEN);
    Source::IdentityProvider { idp_id: "sim-idp".into(), id_token_file }
}

fn assumed(base: Source, name: AgencyName) -> Source {
    let agency = Agency { name, duration: Duration::from_secs(2 * 3_600) };
    Source::Assumed { base: Box::new(base), agency }
}

fn by_urn() -> AgencyName {
    AgencyName::Urn(AGENCY_URN.into())
}

fn by_name() -> AgencyName {
    AgencyName::OfDomain { agency: "sim-agency".into(), domain: "sim-domain".into() }
}

#[tokio::test]
async fn every_provider_gives_keys_that_the_cloud_takes() {
    let folder = Folder::new("every-provider");
    let one = world(1, 3).await;
    let token_file = folder.write("oidc-token", ID_TOKEN);
    let oidc = Source::Oidc {
        provider_urn: PROVIDER_URN.into(),
        agency_urn: AGENCY_URN.into(),
        token_file,
    };
    let own = || keys(inline(&one.cloud.secret_key));
    let sources = [
        (Source::Metadata, "metadata_keys"),
        (Source::PodIdentity(pod(&one, &folder, "sim-pod-token")), "pod_identity"),
        (identity_provider(&folder), "iam_security_tokens"),
        (oidc, "sts_assume_with_oidc"),
        (assumed(own(), by_urn()), "sts_assume"),
        (assumed(own(), by_name()), "iam_security_tokens"),
        (assumed(password("sim-Password-1"), by_name()), "iam_security_tokens"),
        (assumed(identity_provider(&folder), by_urn()), "sts_assume"),
        (Source::Chain(Environment::default()), "metadata_keys"),
    ];
    for (source, operation) in sources {
        let world = World { cloud: SimulatedCloud::start(1, 3).await, ..world(1, 3).await };
        let source = at(source, &world, &folder);
        let metadata = Arc::new(huawei::Metadata::at(&*world.cloud.url));
        let common = Common { metadata, ..world.common.clone() };
        let project = Client::new(world.settings("p", source), &common, pacers());
        for _ in 0..2 {
            assert_eq!(reason(world.poll(&project).await), Ok(3), "{operation}");
        }
        assert_eq!(world.sent(operation).await, 1, "{operation}: the keys are kept");
        assert!(expiry(&world).is_some_and(|expiry| expiry > 1e9), "{operation}");
    }
}

/// The same source in another world.
fn at(source: Source, world: &World, folder: &Folder) -> Source {
    match source {
        Source::PodIdentity(_) => Source::PodIdentity(pod(world, folder, "sim-pod-token")),
        other => other,
    }
}

fn gauge(world: &World, name: &str) -> Option<f64> {
    let families = world.common.stats.gather();
    let family = families.iter().find(|family| family.name().ends_with(name))?;
    let metric = family.get_metric().first()?;
    Some(metric.get_gauge().get_value() + metric.get_counter().get_value())
}

fn expiry(world: &World) -> Option<f64> {
    gauge(world, "_credentials_expiry_timestamp_seconds")
}

fn failures(world: &World) -> Option<f64> {
    gauge(world, "_credential_refresh_failures_total")
}

async fn change(world: &World, credentials: Value) {
    world.control("PUT", "credentials", credentials).await;
}

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(58 * 60)
}

#[tokio::test]
async fn keys_are_renewed_before_they_end_and_serve_while_that_fails() {
    let (folder, world) = (Folder::new("renewal"), world(1, 3).await);
    let project = world.project(identity_provider(&folder));
    assert_eq!(reason(world.poll(&project).await), Ok(3));
    let first = expiry(&world).unwrap();
    project.renew_if_due(tokio::time::Instant::now() + Duration::from_secs(40 * 60)).await;
    assert_eq!(world.sent("iam_id_token").await, 1, "a third of their life is left");

    change(&world, json!({ "id_token": "another" })).await;
    project.renew_if_due(soon()).await;
    assert_eq!((world.sent("iam_id_token").await, failures(&world)), (2, Some(1.0)));
    assert_eq!(reason(world.poll(&project).await), Ok(3), "the old keys serve");
    assert_eq!(expiry(&world), Some(first));

    folder.write("id-token", "another");
    change(&world, json!({ "key_seconds": 7_200 })).await;
    project.renew_if_due(soon()).await;
    assert_eq!((world.sent("iam_id_token").await, failures(&world)), (3, Some(1.0)));
    assert!(expiry(&world).unwrap() > first + 3_000.0);
    assert_eq!(reason(world.poll(&project).await), Ok(3));
    assert_eq!(world.sent("iam_id_token").await, 3);
}

#[tokio::test]
async fn keys_that_end_are_exchanged_before_they_are_refused() {
    let (folder, world) = (Folder::new("end-of-keys"), world(1, 3).await);
    change(&world, json!({ "key_seconds": 2 })).await;
    let project = world.project(identity_provider(&folder));
    let exchanges = async || world.sent("iam_id_token").await;
    while exchanges().await < 3 {
        assert_eq!(reason(world.poll(&project).await), Ok(3));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn polls_in_flight_share_one_exchange_when_keys_are_refused() {
    let (folder, world) = (Folder::new("shared-exchange"), world(1, 3).await);
    let project = world.project(identity_provider(&folder));
    assert_eq!(reason(world.poll(&project).await), Ok(3));
    change(&world, json!({ "end_keys": true })).await;
    let mut polls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (project, cluster) = (project.clone(), world.clusters[0].clone());
        polls.spawn(async move {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
            let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
            reason(project.connections(&cluster, budget).await)
        });
    }
    assert_eq!(polls.join_all().await, [Ok(3); 8]);
    assert_eq!(world.sent("iam_id_token").await, 2);
}

#[tokio::test]
async fn a_host_that_refuses_fresh_keys_gets_no_more_of_them_for_a_while() {
    let (folder, world) = (Folder::new("fresh-refused"), world(1, 3).await);
    let project = with_id(&world, identity_provider(&folder), &world.common, pacers());
    assert_eq!(reason(world.poll(&project).await), Ok(3));
    let fault = json!({ "name": "unauthorized", "operation": "css_connections" });
    world.control("PUT", "faults", json!({ "faults": [fault] })).await;
    for _ in 0..5 {
        assert_eq!(reason(world.poll(&project).await), Err(Reason::Auth));
    }
    assert_eq!(world.sent("iam_id_token").await, 2);
    assert_eq!(world.sent("css_connections").await, 3);
}

#[tokio::test]
async fn the_metadata_service_is_asked_once_a_minute_even_after_a_401() {
    let world = world(1, 3).await;
    let source = || Source::Chain(Environment::default());
    let projects = [(); 3].map(|()| world.project(source()));
    for project in &projects {
        assert_eq!(reason(world.poll(project).await), Ok(3));
    }
    change(&world, json!({ "end_keys": true })).await;
    for project in projects.iter().cycle().take(6) {
        assert_eq!(reason(world.poll(project).await), Err(Reason::Auth));
        project.renew_if_due(soon()).await;
    }
    assert_eq!(world.sent("metadata_keys").await, 1, "one for all projects");
    let requests = world.control("GET", "requests", json!({})).await;
    assert_eq!(requests["bad_signatures"], 1, "the key is not burned");
}

#[tokio::test]
async fn a_server_without_an_agency_is_remembered_and_the_pod_is_asked() {
    let (folder, world) = (Folder::new("no-agency"), world(1, 3).await);
    change(&world, json!({ "has_agency": false })).await;
    let source = Source::Chain(pod(&world, &folder, "sim-pod-token"));
    let project = world.project(source);
    assert_eq!(reason(world.poll(&project).await), Ok(3));
    change(&world, json!({ "end_keys": true, "pod_token": "rotated" })).await;
    folder.write("pod-token", "rotated");
    assert_eq!(reason(world.poll(&project).await), Ok(3), "the token is read anew");
    assert_eq!(world.sent("metadata_keys").await, 1);
    assert_eq!(world.sent("pod_identity").await, 2);
}

#[tokio::test]
async fn nothing_that_listens_is_no_metadata_service() {
    let world = world(1, 3).await;
    let metadata = Arc::new(huawei::Metadata::at("http://127.0.0.1:1"));
    let common = Common { metadata, ..world.common.clone() };
    let settings = world.settings("p", Source::Chain(Environment::default()));
    let error = world.poll(&Client::new(settings, &common, pacers())).await.result.unwrap_err();
    assert!(error.message.contains("no ECS metadata service at http://127.0.0.1:1"), "{error}");
    assert_eq!(error.reason, Reason::Auth);
}

#[tokio::test]
async fn polls_that_wait_for_an_exchange_share_its_failure() {
    let (folder, world) = (Folder::new("shared-failure"), world(1, 3).await);
    let project = with_id(&world, identity_provider(&folder), &world.common, pacers());
    let fault = json!({ "name": "unavailable", "operation": "iam_id_token" });
    world.control("PUT", "faults", json!({ "faults": [fault] })).await;
    let mut polls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (project, cluster) = (project.clone(), world.clusters[0].clone());
        polls.spawn(async move {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
            let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
            reason(project.connections(&cluster, budget).await)
        });
    }
    assert_eq!(polls.join_all().await, [Err(Reason::Http5xx); 8]);
    assert_eq!(world.sent("iam_id_token").await, 3, "the tries of one exchange");
    assert_eq!(failures(&world), Some(1.0));
}
