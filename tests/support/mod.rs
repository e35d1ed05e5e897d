//! What the tests of the whole program share: a cloud, the daemon, the binary, and a reader of pages.

pub(crate) mod certificates;
pub(crate) mod cloud;
pub(crate) mod daemon;
pub(crate) mod page;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod serve;

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use reqwest::{Method, header::HeaderMap};
use serde_json::Value;
use tokio::time::{Instant, sleep};

/// Whatever a test waits for happens within this time, on a machine that is busy with other things.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The path of something in this repository.
pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Asks again and again until there is an answer; fails with the last reason why there was none.
pub(crate) async fn eventually<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(why) if Instant::now() > deadline => {
                panic!("{what}: not within {DEADLINE:?}: {why}")
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

/// One client for all tests. Each test has a runtime of its own, and a connection does not outlive
/// the runtime it was made in, so none is kept.
pub(crate) static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    client
        .redirect(reqwest::redirect::Policy::none())
        .timeout(DEADLINE)
        .build()
        .expect("a plain client can be built")
});

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    /// The value of a header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header is text"))
    }
}

/// Sends a request with some headers and reads the answer.
pub(crate) async fn ask(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Result<Answer, String> {
    let mut request = HTTP.request(method, url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let failed = |error| format!("{url}: {error:?}");
    let answer = request.send().await.map_err(failed)?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Ok(Answer { status, headers, text: answer.text().await.map_err(failed)? })
}
