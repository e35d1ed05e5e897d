//! `serve` as a process that reads its configuration again, and a scraper that never looks away.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use css_vpcep_exporter::clock::Clock;
use reqwest::Method;
use serde_json::Value;
use tokio::{
    process::Command,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    Answer, ask, eventually,
    page::Page,
    process::{Folder, Process, exporter, resident_kib},
};

/// What the daemon logs at the end of a reload.
const RELOADED: &str = "configuration reloaded";

/// A daemon with its folder and its configuration file.
pub(crate) struct Serve {
    pub(crate) process: Process,
    pub(crate) public: String,
    pub(crate) file: PathBuf,
}

impl Serve {
    /// Starts it and waits until it listens. `name` is for the files with its words.
    pub(crate) async fn start(
        folder: &Folder,
        name: &str,
        configuration: &Value,
        arguments: &[&str],
    ) -> Serve {
        let file = folder.write("config.yml", configuration.to_string());
        let mut serve = exporter(&["serve", "--web.listen-address", "127.0.0.1:0"]);
        serve.args(arguments).arg("--config.file").arg(&file);
        let mut process = Process::start(folder, name, serve);
        let public = process.address("public").await;
        Serve { process, public, file }
    }

    /// Replaces the file in one step, as an editor does; the daemon has not read it yet.
    pub(crate) fn write(&self, text: &str) {
        let folder = self.file.parent().expect("a file is in a folder");
        let new = folder.join("config.new");
        fs::write(&new, text).expect("the folder can be written");
        fs::rename(&new, &self.file).expect("the folder can be written");
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.public);
        ask(method, &url, &[], String::new()).await.expect("the daemon answers")
    }

    /// A scrape; every one must be well formed.
    pub(crate) async fn metrics(&self) -> Page {
        Page::parse(&self.get("/metrics").await.text).unwrap_or_else(|mistake| panic!("{mistake}"))
    }

    /// What the API says of a cluster.
    pub(crate) async fn cluster(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/clusters/{id}")).await.json()
    }

    /// Waits for a page of which this is true.
    pub(crate) async fn page_where(&self, what: &str, holds: impl Fn(&Page) -> bool) -> Page {
        eventually(what, async || {
            let page = self.metrics().await;
            if holds(&page) { Ok(page) } else { Err(format!("{page:?}")) }
        })
        .await
    }

    /// Reloads over HTTP.
    pub(crate) async fn reload(&self) -> Answer {
        self.ask(Method::POST, "/-/reload").await
    }

    /// Reloads by the signal and waits for the end of it.
    pub(crate) async fn hang_up(&self) {
        let before = self.reloads();
        self.signal("HUP", 1).await;
        eventually("the reload is logged", async || {
            if self.reloads() > before { Ok(()) } else { Err(self.process.err()) }
        })
        .await;
    }

    /// How often the configuration was taken over.
    pub(crate) fn reloads(&self) -> usize {
        self.process.err().matches(RELOADED).count()
    }

    /// Sends a signal so many times, as fast as a shell can.
    pub(crate) async fn signal(&self, signal: &str, times: u32) {
        let script = format!(
            "i=0; while [ $i -lt {times} ]; do kill -{signal} {}; i=$((i+1)); done",
            self.process.id()
        );
        let status = Command::new("sh").args(["-c", &script]).status().await;
        assert!(status.expect("sh starts").success());
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        resident_kib(self.process.id())
    }
}

/// The date in seconds, as metrics have it.
pub(crate) fn unix_now() -> f64 {
    Clock::system().now().as_duration().as_secs_f64()
}

/// When a page was asked for and when it was there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scraped {
    pub(crate) asked: Instant,
    pub(crate) done: f64,
}

/// Scrapes again and again, and gives every page to a judge. A verdict against a page ends it.
pub(crate) struct Scraper {
    verdict: Arc<Mutex<Option<String>>>,
    pages: Arc<Mutex<usize>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Scraper {
    pub(crate) fn start(
        address: &str,
        mut judge: impl FnMut(Scraped, &Page, &str) -> Result<(), String> + Send + 'static,
    ) -> Scraper {
        let url = format!("http://{address}/metrics");
        let (stop, stopped) = watch::channel(false);
        let (verdict, pages) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(0)));
        let (said, counted) = (verdict.clone(), pages.clone());
        let task = tokio::spawn(async move {
            while !*stopped.borrow() {
                let asked = Instant::now();
                let judged = match ask(Method::GET, &url, &[], String::new()).await {
                    Ok(answer) if answer.status == 200 => Page::parse(&answer.text)
                        .and_then(|page| {
                            let scraped = Scraped { asked, done: unix_now() };
                            judge(scraped, &page, &answer.text)
                        })
                        .map_err(|why| format!("{why}\n{}", answer.text)),
                    Ok(answer) => Err(format!("{answer:?}")),
                    Err(error) => Err(error),
                };
                *counted.lock().expect("not poisoned") += 1;
                if let Err(why) = judged {
                    *said.lock().expect("not poisoned") = Some(why);
                    return;
                }
                // Leaves the two processes some of the machine.
                sleep(Duration::from_millis(2)).await;
            }
        });
        Scraper { verdict, pages, stop, task }
    }

    /// Fails with the verdict against a page, if there was one.
    pub(crate) fn check(&self) {
        if let Some(why) = &*self.verdict.lock().expect("not poisoned") {
            panic!("after {} pages: {why}", self.pages());
        }
    }

    pub(crate) fn pages(&self) -> usize {
        *self.pages.lock().expect("not poisoned")
    }

    /// Ends it; how many pages were good.
    pub(crate) async fn stop(self) -> usize {
        self.stop.send_replace(true);
        let Scraper { verdict, pages, task, .. } = self;
        task.await.expect("the judge does not panic");
        let pages = *pages.lock().expect("not poisoned");
        if let Some(why) = &*verdict.lock().expect("not poisoned") {
            panic!("after {pages} pages: {why}");
        }
        pages
    }
}
