//! The events of the whole program, as a browser reads them.

use css_vpcep_exporter::clock::Clock;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{
    HTTP,
    cloud::Cloud,
    daemon::{Daemon, configuration},
};

/// A reader of events, and the text that it has not looked at yet.
struct Reader {
    response: Response,
    text: String,
}

/// An event: its id, its kind and its data.
type Event = (String, String, Value);

impl Reader {
    async fn after(daemon: &Daemon, last: Option<&str>) -> Reader {
        let url = format!("http://{}/api/v1/events", daemon.public);
        let mut request = HTTP.get(url);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Reader { response, text: String::new() }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let value = event.lines().find_map(|line| line.strip_prefix(name));
                    value.map(str::to_owned)
                };
                let event = (field("id: "), field("event: "), field("data: "));
                self.text = rest.to_owned();
                if let (Some(id), Some(kind), Some(data)) = event {
                    return Some((id, kind, serde_json::from_str(&data).unwrap()));
                }
                continue;
            }
            let piece = self.response.chunk().await.unwrap()?;
            self.text += std::str::from_utf8(&piece).unwrap();
        }
    }

    async fn transition(&mut self) -> Event {
        loop {
            let event = self.next().await.expect("a transition");
            if event.1 == "transition" {
                return event;
            }
        }
    }
}

#[tokio::test]
async fn a_reader_sees_what_moves_and_goes_on_where_it_was() {
    let cloud = Cloud::start(1, 1).await;
    let becomes = async |status: &str| {
        let list = json!({"connections": [{"id": "e", "status": status}]});
        cloud.control(Method::PUT, &format!("clusters/{}", cloud.id(0)), &list).await;
    };
    becomes("accepted").await;
    let daemon = Daemon::start(&configuration(&cloud), &Clock::system()).await;
    let mut reader = Reader::after(&daemon, None).await;
    becomes("rejected").await;
    daemon.poll(cloud.id(0)).await;
    let (first, _, data) = reader.transition().await;
    assert_eq!((&data["endpoint_id"], &data["to"]), (&json!("e"), &json!("rejected")));
    let (_, kind, data) = reader.next().await.unwrap();
    assert_eq!((&*kind, &data["connections"]["rejected"]), ("cluster", &json!(1)));

    drop(reader);
    becomes("accepted").await;
    daemon.poll(cloud.id(0)).await;
    let mut reader = Reader::after(&daemon, Some(&first)).await;
    assert_eq!(reader.next().await.unwrap().1, "cluster", "the one after the transition");
    assert_eq!(reader.transition().await.2["to"], "accepted");

    let mut lost = Reader::after(&daemon, Some("1")).await;
    assert_eq!(lost.next().await.unwrap().1, "reset");

    // Readers do not hold up the end.
    let (_, ()) = tokio::join!(async { while reader.next().await.is_some() {} }, daemon.stop(),);
    while lost.next().await.is_some() {}
}
