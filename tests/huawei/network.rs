//! The way to the cloud: proxies and authorities.

use css_vpcep_exporter::huawei::network::{Past, Proxies, ProxyUrl, authorities};

use super::*;
use crate::support::{
    certificates::Authority,
    proxy::{Proxy, with_tls},
};

fn through(proxy: &Proxy, past: Option<&str>) -> Network {
    let url = ProxyUrl::parse(&format!("http://user:word@{}", proxy.address)).unwrap();
    let proxies = Proxies::both(url, past.map(Past::parse));
    Network { proxies, ..Network::default() }
}

async fn polled(world: &World, settings: huawei::Settings) -> Result<usize, Reason> {
    reason(world.poll(&Client::new(settings, &world.common, pacers())).await)
}

#[tokio::test]
async fn requests_go_through_the_proxy_but_for_those_to_the_platform() {
    let (world, proxy) = (world(1, 3).await, Proxy::start().await);
    let network = through(&proxy, None);
    let settings = huawei::Settings { network, ..world.settings("p", Source::Metadata) };
    assert_eq!(polled(&world, settings).await, Ok(3));
    let heads = proxy.heads();
    let [head] = &heads[..] else { panic!("one connection is kept: {heads:?}") };
    assert!(head.starts_with(&format!("GET {}/v", world.cloud.url)), "{head}");
    // `user:word`, RFC 7617.
    assert!(
        head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjp3b3jk"),
        "{head}"
    );
    assert_eq!(world.sent("metadata_keys").await, 1);
}

#[tokio::test]
async fn what_no_proxy_names_goes_past_the_proxy() {
    let (world, proxy) = (world(1, 3).await, Proxy::start().await);
    let network = through(&proxy, Some("example.com"));
    let source = keys(inline(&world.cloud.secret_key));
    let settings = huawei::Settings { network, ..world.settings("p", source) };
    assert_eq!(polled(&world, settings).await, Ok(3), "loopback goes past it as in Go");
    assert_eq!(proxy.heads(), Vec::<String>::new());
}

#[tokio::test]
async fn an_authority_of_the_configuration_is_trusted_inside_a_tunnel() {
    let (world, proxy) = (world(1, 3).await, Proxy::start().await);
    let authority = Authority::new("of the test");
    let front = with_tls(&authority.issue(&["localhost"]), &world.cloud.url).await;
    let base = BaseUrl::parse(&front).unwrap();
    let source = || keys(inline(&world.cloud.secret_key));
    let endpoints =
        Endpoints { css: base.clone(), vpcep: base.clone(), iam: base.clone(), sts: base };
    let settings = |network| huawei::Settings {
        endpoints: endpoints.clone(),
        network,
        ..world.settings("p", source())
    };
    let network = through(&proxy, None);
    assert_eq!(polled(&world, settings(network.clone())).await, Err(Reason::Tls));
    let authorities = authorities(authority.certificate().as_bytes()).unwrap();
    let trusting = Network { authorities, ..network };
    assert_eq!(polled(&world, settings(trusting)).await, Ok(3));
    let host = front.trim_start_matches("https://");
    let heads = proxy.heads();
    assert!(heads.iter().all(|head| head.starts_with(&format!("CONNECT {host} "))), "{heads:?}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_apart_from_the_api() {
    let world = world(1, 3).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let router = axum::Router::new()
            .fallback(async || axum::http::StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        axum::serve(listener, router).await
    });
    let url = ProxyUrl::parse(&format!("http://user:canary@{address}")).unwrap();
    let network = Network { proxies: Proxies::both(url, None), ..Network::default() };
    let base = BaseUrl::parse("https://css.example.com").unwrap();
    let endpoints =
        Endpoints { css: base.clone(), vpcep: base.clone(), iam: base.clone(), sts: base };
    let source = keys(inline(&world.cloud.secret_key));
    let settings = huawei::Settings { endpoints, network, ..world.settings("p", source) };
    let polled = world.poll(&Client::new(settings, &world.common, pacers())).await;
    let error = polled.result.unwrap_err();
    let text = "the proxy makes no tunnel to the API: proxy authorization required";
    assert_eq!((error.reason, &*error.message), (Reason::Connect, text));
}
