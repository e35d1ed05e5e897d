//! The commands as a person sees them: on a terminal.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    process::Stdio,
    sync::{Arc, Mutex},
};

use reqwest::Method;
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::support::{
    DEADLINE, ask,
    cloud::Cloud,
    daemon::configuration,
    eventually,
    process::{Folder, exporter, run},
};

/// A command with a terminal of its own for its input and output.
struct OnTerminal {
    child: Child,
    master: File,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl OnTerminal {
    fn start(folder: &Folder, mut command: Command) -> OnTerminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        let size = Winsize { ws_row: 40, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("a terminal has a size");
        let name = ptsname(&master, Vec::new()).expect("it has a name");
        let name = name.into_string().expect("a plain path");
        let slave = File::options().read(true).write(true).open(name).expect("its other end");
        let end = || Stdio::from(OwnedFd::from(slave.try_clone().expect("a descriptor")));
        command.stdin(end()).stdout(end()).stderr(end());
        command.current_dir(&folder.path).env("TMPDIR", &folder.path);
        let child = command.spawn().expect("the binary starts");
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut from, to) = (File::from(master), screen.clone());
        let master = from.try_clone().expect("a descriptor");
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // An error means that the other end is closed.
            while let Ok(length @ 1..) = from.read(&mut bytes) {
                to.lock().expect("no panic").extend(&bytes[..length]);
            }
        });
        OnTerminal { child, master, screen }
    }

    fn screen(&self) -> String {
        let screen = self.screen.lock().expect("no panic");
        String::from_utf8_lossy(&screen).replace("\r\n", "\n")
    }

    /// Waits until this text is on the screen.
    async fn shows(&self, text: &str) {
        eventually(text, async || {
            let screen = self.screen();
            if screen.contains(text) { Ok(()) } else { Err(screen) }
        })
        .await;
    }

    fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("the terminal takes it");
    }

    /// The exit code, and the screen at the end.
    async fn end(mut self, last_words: &str) -> (Option<i32>, String) {
        let ended = timeout(DEADLINE, self.child.wait()).await;
        let status = ended.expect("it ends").expect("a child can be waited for");
        self.shows(last_words).await;
        (status.code(), self.screen())
    }
}

/// Every line is a log line or begins with one of these words.
fn assert_plain(screen: &str, results: &[&str]) {
    for line in screen.lines() {
        let is_log = line.starts_with("ts=") && line.contains(" target=css_vpcep_exporter");
        let is_result = results.iter().any(|word| line.starts_with(word));
        assert!((is_log || is_result) && !line.contains('\u{1b}'), "{line:?} in:\n{screen}");
    }
}

async fn interrupted(terminal: OnTerminal) -> (Option<i32>, String) {
    let id = terminal.child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().await;
    assert!(sent.expect("kill starts").success());
    terminal.end("shutting down").await
}

#[tokio::test]
async fn the_demo_says_where_things_are() {
    let folder = Folder::new("the_demo_says_where_things_are");
    let demo = OnTerminal::start(&folder, exporter(&["demo"]));
    demo.shows("\ncloud http://127.0.0.1:").await;
    demo.shows("msg=listening").await;
    let (code, screen) = interrupted(demo).await;
    assert_eq!(code, Some(0), "{screen}");
    assert_plain(&screen, &["metrics ", "status ", "admin ", "token ", "cloud "]);
}

/// As in a container, whose ports are reached from outside; what can change anything stays on loopback.
#[tokio::test]
async fn the_demo_is_served_where_the_flag_says() {
    let folder = Folder::new("the_demo_is_served_where_the_flag_says");
    let demo = OnTerminal::start(&folder, exporter(&["demo", "--web.listen-address", "0.0.0.0:0"]));
    demo.shows("\nadmin http://127.0.0.1:").await;
    demo.shows("\ncloud http://127.0.0.1:").await;
    let screen = demo.screen();
    let metrics = screen.lines().find_map(|line| line.strip_prefix("metrics "));
    let metrics = metrics.unwrap_or_else(|| panic!("{screen}"));
    assert!(metrics.starts_with("http://localhost:"), "{screen}");
    let answer = ask(Method::GET, metrics, &[], String::new()).await.expect("it is reached");
    assert_eq!(answer.status, 200);
    let (code, screen) = interrupted(demo).await;
    assert_eq!(code, Some(0), "{screen}");
}

#[tokio::test]
async fn serving_begins_with_a_line_of_ours() {
    let folder = Folder::new("serving_begins_with_a_line_of_ours");
    let cloud = Cloud::start(1, 2).await;
    folder.write("css-vpcep-exporter.yml", configuration(&cloud).to_string());
    for format in ["logfmt", "json"] {
        let flags = ["serve", "--web.listen-address", "127.0.0.1:0", "--log.format", format];
        let serve = OnTerminal::start(&folder, exporter(&flags));
        serve.shows("listening").await;
        let (code, screen) = interrupted(serve).await;
        assert_eq!(code, Some(0), "{screen}");
        match format {
            "json" => assert!(screen.lines().all(|line| line.starts_with("{\"ts\":")), "{screen}"),
            _ => assert_plain(&screen, &[]),
        }
    }
    cloud.stop().await;
}

#[tokio::test]
async fn collecting_shows_a_bar_and_then_the_metrics() {
    let folder = Folder::new("collecting_shows_a_bar_and_then_the_metrics");
    let cloud = Cloud::start(3, 2).await;
    cloud.break_clusters(&[(cloud.id(0), "forbidden")]).await;
    folder.write("css-vpcep-exporter.yml", configuration(&cloud).to_string());
    let collect = OnTerminal::start(&folder, exporter(&["collect"]));
    let (code, screen) = collect.end("process_start_time_seconds ").await;
    assert_eq!(code, Some(1), "{screen}");
    // The bar is drawn and wiped by escape sequences; the log is written above it, whole.
    let bar = "/3 clusters, ";
    assert!(screen.contains(bar), "{screen}");
    let wiped = screen.split(['\n', '\r']).map(|line| line.trim_start_matches("\u{1b}[2K"));
    let logged: Vec<_> = wiped.filter(|line| line.contains("level=")).collect();
    assert!(logged.iter().all(|line| line.starts_with("ts=")), "{screen}");
    assert!(logged.iter().all(|line| !line.contains(bar)), "{screen}");
    assert!(logged.iter().any(|line| line.contains("cannot be read")), "{screen}");
    assert!(!screen.contains("panicked") && !screen.contains("tracing-subscriber"), "{screen}");
    cloud.stop().await;
}

#[tokio::test]
async fn checking_a_configuration_says_what_it_costs() {
    let folder = Folder::new("checking_a_configuration_says_what_it_costs");
    let cloud = Cloud::start(1, 2).await;
    folder.write("css-vpcep-exporter.yml", configuration(&cloud).to_string());
    let check = OnTerminal::start(&folder, exporter(&["check-config"]));
    let (code, screen) = check.end("bytes per scrape").await;
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains('\u{1b}') && !screen.contains("ansi"), "{screen}");
    cloud.stop().await;
}

/// The question names what is changed, and where; the answer decides; a warning is shown once.
#[tokio::test]
async fn applying_a_change_asks_by_name() {
    let folder = Folder::new("applying_a_change_asks_by_name");
    let demo = OnTerminal::start(&folder, exporter(&["demo"]));
    demo.shows("\ncloud http://127.0.0.1:").await;
    let screen = demo.screen();
    let value = |word: &str| {
        let found = screen.lines().find_map(|line| line.strip_prefix(word));
        found.unwrap_or_else(|| panic!("no {word} in {screen}")).to_owned()
    };
    let (admin, token) = (value("admin "), value("token "));
    let url = admin.trim_end_matches('/');
    let plain = |arguments: &[&str]| {
        let mut command = exporter(&[&["service"], arguments, &["--admin.url", url]].concat());
        command.env("CSS_VPCEP_EXPORTER_ADMIN_TOKEN", &token);
        command
    };
    let shown = run(plain(&["show", "demo/logs-01", "--json"])).await;
    let service: Value = serde_json::from_str(&shown.out).expect("JSON");
    let kept = service["service"]["ports"][0].clone();
    let update = folder.write("update.json", json!({ "ports": [kept] }).to_string());
    let apply = ["apply", "demo/logs-01", "-f", update.to_str().expect("a plain path")];
    let question = format!(
        "Apply this to the endpoint service logs-01 ({}) of project demo in region sim-region-1, through \
         {admin}? Type yes to go on; anything else cancels.",
        service["service_id"].as_str().expect("an id")
    );
    let fault = json!({"name": "forbidden", "operation": "vpcep_update", "times": 1});
    let faults = json!({ "faults": [fault] }).to_string();
    let broken = ask(Method::PUT, &format!("{}/__sim/faults", value("cloud ")), &[], faults).await;
    assert_eq!(broken.expect("the simulator answers").status, 200);
    for (answer, code, meaning, last_words) in [
        ("y\n", 1, "", "nothing was changed"),
        ("yes\n", 1, "The cloud refused it, and nothing changed.", "Change: "),
        ("yes\n", 0, "Reading back shows what was wanted.", "Change: "),
    ] {
        let mut asking = OnTerminal::start(&folder, plain(&apply));
        // This terminal does not wrap lines: that is up to whatever displays them.
        asking.shows(&question).await;
        asking.types(answer);
        let (ended, screen) = asking.end(last_words).await;
        assert!(ended == Some(code) && screen.contains(meaning), "{screen}");
        assert_eq!(screen.matches("these mappings vanish").count(), 1, "{screen}");
    }
    // No environment variable confirms a change, or names what is changed.
    let mut again = plain(&["apply", "demo/logs-01"]);
    again.env("CSS_VPCEP_EXPORTER_YES", "1").env("CSS_VPCEP_EXPORTER_FILE", &update);
    assert_eq!(run(again).await.code, Some(64));
    let mut again = plain(&apply);
    again.env("CSS_VPCEP_EXPORTER_YES", "1");
    let refused = run(again).await;
    assert!(refused.code == Some(64) && refused.err.contains("--yes"), "{refused:?}");
    let (code, screen) = interrupted(demo).await;
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("msg=\"a change of an endpoint service has ended\""), "{screen}");
}
