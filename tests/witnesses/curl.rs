//! Pages as curl reads them.

use super::{
    binary::{Simulator, serving, wait_until_whole},
    parts::part,
    support::{eventually, process::Folder},
};

/// What curl makes of a page.
async fn page(url: &str, arguments: &[&str]) -> Vec<u8> {
    let mut curl = part("WITNESS_CURL");
    curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "30"]);
    curl.args(arguments).arg(url);
    let ended = curl.output().await.expect("curl starts");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    ended.stdout
}

/// The lines, but for the exporter's own, which move by themselves.
fn lines(page: Vec<u8>) -> String {
    let page = String::from_utf8(page).expect("a page is UTF-8");
    let is_of_data = |line: &&str| !line.starts_with("process_") && !line.contains("exporter_");
    page.split_inclusive('\n').filter(is_of_data).collect()
}

#[tokio::test]
async fn curl_inflates_the_whole_page() {
    let folder = Folder::new("curl_inflates_the_whole_page");
    // Many blocks, and in a block several pieces.
    let cloud = Simulator::start(&folder, 3, 600).await;
    let exporter = serving(&folder, &cloud, &[]).await;
    wait_until_whole(&exporter.public).await;
    let url = format!("http://{}/metrics", exporter.public);
    for accept in ["text/plain", "application/openmetrics-text;version=1.0.0"] {
        let accept = format!("Accept: {accept}");
        let accept = ["--header", &accept];
        let compressed = [&accept[..], &["--header", "Accept-Encoding: gzip"]].concat();
        let inflated = [&accept[..], &["--compressed"]].concat();
        // A poll between two of the pages changes dates.
        eventually("three pages of the same data", async || {
            let (compressed, inflated, identity) =
                tokio::join!(page(&url, &compressed), page(&url, &inflated), page(&url, &accept));
            assert!(compressed.starts_with(&[0x1f, 0x8b]), "it is compressed indeed");
            assert!(identity.len() > 5 * compressed.len(), "{}", identity.len());
            let (inflated, identity) = (lines(inflated), lines(identity));
            assert!(identity.lines().count() > 3 * 600 * 4, "{} lines", identity.lines().count());
            if inflated == identity { Ok(()) } else { Err(inflated) }
        })
        .await;
    }
}
