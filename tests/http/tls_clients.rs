//! Certificates of clients: whose are taken, and with which names.

use std::time::Duration;

use css_vpcep_exporter::web::Limits;
use tokio::time::{Instant, sleep};

use super::{
    LONG, Server,
    tls::{Client, Pair, connect, get},
};
use crate::support::certificates::{Authority, Issued, place};

struct Parties {
    authority: Authority,
    folder: Pair,
}

impl Parties {
    fn new(name: &str) -> Parties {
        let authority = Authority::new("ours");
        let folder = Pair::new(name, &authority.issue(&["localhost"]));
        place(&folder.file("ca.crt"), &authority.certificate());
        Parties { authority, folder }
    }

    async fn serve(&self, lines: &[&str]) -> Server {
        self.folder.serve(lines, Limits::PUBLIC).await
    }

    /// Whether a client with this certificate gets an answer.
    async fn served(&self, server: &Server, own: Option<&Issued>) -> bool {
        let connector = Client::of(&self.authority).connector(own);
        match connect(&connector, server).await {
            Ok(mut stream) => get(&mut stream).await.is_ok(),
            Err(_) => false,
        }
    }
}

#[tokio::test]
async fn the_five_words_mean_what_they_mean_in_go() {
    let parties = Parties::new("words");
    let ours = parties.authority.issue(&["client.example"]);
    let expired = parties.authority.issue_expired(&["client.example"]);
    let foreign = Authority::new("theirs").issue(&["client.example"]);
    let namesake = Authority::new("ours").issue(&["client.example"]);
    let ca = "client_ca_file: ca.crt";
    // Without one, ours, expired, of somebody else, of somebody else with our name.
    for (lines, expected) in [
        (&["client_auth_type: NoClientCert"][..], [true; 5]),
        (&["client_auth_type: RequestClientCert"], [true; 5]),
        (&["client_auth_type: RequireAnyClientCert"], [false, true, true, true, true]),
        (&["client_auth_type: VerifyClientCertIfGiven", ca], [true, true, false, false, false]),
        (&["client_auth_type: RequireAndVerifyClientCert", ca], [false, true, false, false, false]),
    ] {
        let server = parties.serve(lines).await;
        let clients = [None, Some(&ours), Some(&expired), Some(&foreign), Some(&namesake)];
        for (number, (own, expected)) in clients.into_iter().zip(expected).enumerate() {
            assert_eq!(parties.served(&server, own).await, expected, "{lines:?}: {number}");
        }
    }
}

/// Its certificate is public: having it is not being it.
#[tokio::test]
async fn a_certificate_without_its_key_is_worth_nothing() {
    let parties = Parties::new("without-key");
    let ours = parties.authority.issue_rsa(&["client.example"]);
    let thief = Issued {
        certificate: ours.certificate.clone(),
        key: parties.authority.issue_rsa(&["client.example"]).key,
    };
    for word in ["RequireAnyClientCert", "RequireAndVerifyClientCert"] {
        let word = format!("client_auth_type: {word}");
        let server = parties.serve(&[&word, "client_ca_file: ca.crt"]).await;
        assert!(parties.served(&server, Some(&ours)).await);
        assert!(!parties.served(&server, Some(&thief)).await, "{word}");
    }
}

#[tokio::test]
async fn only_names_on_the_list_are_taken() {
    let parties = Parties::new("names");
    let server = parties
        .serve(&[
            "client_auth_type: RequireAndVerifyClientCert",
            "client_ca_file: ca.crt",
            "client_allowed_sans: [prometheus.example, ops@example.org, 10.1.2.3, \"2001:db8::1\", \
             \"spiffe://example/prometheus\"]",
        ])
        .await;
    for (names, expected) in [
        (&["prometheus.example"][..], true),
        (&["other.example", "prometheus.example"], true),
        (&["ops@example.org"], true),
        (&["10.1.2.3"], true),
        (&["2001:db8:0:0::1"], true),
        (&["spiffe://example/prometheus"], true),
        (&[], false),
        (&["other.example"], false),
        (&["a.prometheus.example"], false),
        (&["*.example"], false),
        (&["PROMETHEUS.example"], false),
        (&["ops@example.com"], false),
        (&["10.1.2.4"], false),
        (&["spiffe://example/prometheus/2"], false),
    ] {
        let own = parties.authority.issue(names);
        assert_eq!(parties.served(&server, Some(&own)).await, expected, "{names:?}");
    }
    let namesake = Authority::new("ours").issue(&["prometheus.example"]);
    assert!(!parties.served(&server, Some(&namesake)).await);
    assert!(!parties.served(&server, None).await);
}

#[tokio::test]
async fn a_new_client_authority_is_taken_over() {
    let parties = Parties::new("new-authority");
    let server = parties
        .serve(&["client_auth_type: RequireAndVerifyClientCert", "client_ca_file: ca.crt"])
        .await;
    let ours = parties.authority.issue(&["client.example"]);
    let new = Authority::new("new");
    let theirs = new.issue(&["client.example"]);
    assert!(parties.served(&server, Some(&ours)).await);
    assert!(!parties.served(&server, Some(&theirs)).await);
    place(&parties.folder.file("ca.crt"), &new.certificate());
    let deadline = Instant::now() + LONG;
    while !parties.served(&server, Some(&theirs)).await {
        assert!(Instant::now() < deadline, "the new authority is not seen");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(!parties.served(&server, Some(&ours)).await, "the old one has no say any more");
}
