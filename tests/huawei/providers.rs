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
        let project = Client::new(world.settings("p", source.clone()), &common, pacers());
        for _ in 0..2 {
            assert_eq!(reason(world.poll(&project).await), Ok(3), "{source:?}");
        }
        assert_eq!(world.sent(operation).await, 1, "{source:?}: the keys are kept");
        assert!(expiry(&world).is_some_and(|expiry| expiry > 1e9), "{source:?}");
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
