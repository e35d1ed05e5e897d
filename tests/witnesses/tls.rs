//! TLS and basic auth, as curl (with OpenSSL) and Prometheus (with Go) see them.

use super::{
    binary::{Simulator, serving},
    parts::part,
    prometheus::Prometheus,
    support::{
        certificates::{Authority, Issued},
        process::{Folder, run},
        serve::Serve,
    },
};

/// Everything that the web configuration has for keeping strangers out, at once.
const WEB: &str = "\
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [prometheus.example]
basic_auth_users:
  prometheus: HASH
";

struct Guarded {
    folder: Folder,
    cloud: Simulator,
    exporter: Serve,
}

impl Guarded {
    async fn start(test: &str) -> Guarded {
        let folder = Folder::new(test);
        let authority = Authority::new("witnesses");
        let put = |name: &str, Issued { certificate, key }: Issued| {
            folder.write(&format!("{name}.crt"), &certificate);
            folder.write(&format!("{name}.key"), &key);
        };
        put("server", authority.issue(&["exporter.example", "127.0.0.1"]));
        put("client", authority.issue(&["prometheus.example"]));
        put("unnamed", authority.issue(&["other.example"]));
        put("foreign", Authority::new("strangers").issue(&["prometheus.example"]));
        folder.write("ca.crt", authority.certificate());
        folder.write("strangers.crt", Authority::new("strangers").certificate());
        let hash = bcrypt::hash("pass:word", 6).expect("a hash");
        let web = folder.write("web.yml", WEB.replace("HASH", &hash));
        let cloud = Simulator::start(&folder, 2, 5).await;
        let web = web.to_str().expect("a path is text");
        let exporter = serving(&folder, &cloud, &["--web.config.file", web]).await;
        Guarded { folder, cloud, exporter }
    }

    /// The exit code and the status that curl reports with these arguments.
    async fn curl(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut curl = part("WITNESS_CURL");
        curl.current_dir(&self.folder.path);
        curl.args(["--silent", "--noproxy", "*", "--max-time", "30", "--output", "page"]);
        curl.args(["--write-out", "%{http_code} %{http_version} %{ssl_verify_result}"]);
        let url = format!("https://{}/metrics", self.exporter.public);
        let ended = run({
            curl.args(arguments).arg(url);
            curl
        })
        .await;
        (ended.code, ended.out)
    }
}

#[tokio::test]
async fn curl_is_served_and_refused_as_it_should_be() {
    let guarded = Guarded::start("curl_is_served").await;
    let ca = ["--cacert", "ca.crt"];
    let client = ["--cert", "client.crt", "--key", "client.key"];
    let user = ["--user", "prometheus:pass:word"];
    let all: Vec<_> = [&ca[..], &client, &user].concat();
    let served = (Some(0), "200 1.1 0".to_owned());
    assert_eq!(guarded.curl(&all).await, served);
    for version in ["1.2", "1.3"] {
        let only = [format!("--tlsv{version}"), "--tls-max".to_owned(), version.to_owned()];
        let arguments: Vec<_> = only.iter().map(String::as_str).chain(all.clone()).collect();
        assert_eq!(guarded.curl(&arguments).await, served, "TLS {version}");
    }
    let refused = (Some(0), "401 1.1 0".to_owned());
    assert_eq!(guarded.curl(&[&ca[..], &client].concat()).await, refused);
    let wrong = ["--user", "prometheus:password"];
    assert_eq!(guarded.curl(&[&ca[..], &client, &wrong].concat()).await, refused);

    // 60: the server's certificate is not believed.
    let strangers = ["--cacert", "strangers.crt"];
    assert_eq!(guarded.curl(&[&strangers[..], &client, &user].concat()).await.0, Some(60));
    // 35 and 56: TLS came to nothing, at once or (1.3) with the first bytes.
    for own in [&[][..], &["unnamed"], &["foreign"]] {
        let files: Vec<_> =
            own.iter().flat_map(|name| [format!("{name}.crt"), format!("{name}.key")]).collect();
        let own: Vec<_> = ["--cert", "--key"]
            .into_iter()
            .zip(&files)
            .flat_map(|(flag, file)| [flag, file])
            .collect();
        let (code, said) = guarded.curl(&[&ca[..], &own, &user].concat()).await;
        assert!(matches!(code, Some(35 | 56)), "{files:?}: {code:?} {said}");
        assert!(said.starts_with("000 "), "{said}");
    }
    let old = ["--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"];
    let (code, said) = guarded.curl(&[&all[..], &old].concat()).await;
    assert!(code != Some(0) && said.starts_with("000 "), "{code:?} {said}");
}

#[tokio::test]
async fn prometheus_scrapes_over_tls_with_a_password() {
    let guarded = Guarded::start("prometheus_scrapes_over_tls").await;
    let file = |name: &str| guarded.folder.path.join(name).display().to_string();
    let more = format!(
        "scheme: https\n  \
         basic_auth: {{ username: prometheus, password: \"pass:word\" }}\n  \
         tls_config: {{ ca_file: {:?}, cert_file: {:?}, key_file: {:?}, server_name: exporter.example }}\n",
        file("ca.crt"),
        file("client.crt"),
        file("client.key"),
    );
    let address = &guarded.exporter.public;
    let prometheus = Prometheus::scraping_with(&guarded.folder, address, &more).await;
    prometheus.assert_comes_to_hold(&guarded.cloud.world().await).await;
}
