//! The pages of a cluster, from a server that answers whatever bytes a test wants, over one TCP
//! connection.

use std::{
    collections::HashSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;

/// Answers requests by their offset.
#[derive(Default)]
struct Answers {
    bodies: Mutex<Vec<(u32, String)>>,
    tcp_connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Answers {
    fn are(&self, bodies: &[(u32, String)]) {
        *self.bodies.lock().unwrap() = bodies.to_vec();
    }

    async fn talk(self: Arc<Self>, mut stream: TcpStream) {
        let mut request = Vec::new();
        while let Ok(byte) = stream.read_u8().await {
            request.push(byte);
            if !request.ends_with(b"\r\n\r\n") {
                continue;
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
            let line = String::from_utf8(std::mem::take(&mut request)).unwrap();
            let offset = line.split("offset=").nth(1).unwrap();
            let offset: u32 =
                offset.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
            let bodies = self.bodies.lock().unwrap().clone();
            let body = bodies.into_iter().find(|(at, _)| *at == offset).map(|(_, body)| body);
            let (status, body) = match body {
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", "{}".to_owned()),
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

fn page(rows: std::ops::Range<u32>, status: &str, total: u32) -> String {
    let rows = rows.map(|number| json!({ "id": format!("{number:05}"), "status": status }));
    json!({ "connections": rows.collect::<Vec<_>>(), "total_count": total }).to_string()
}

/// A project of the server and one of its clusters.
async fn served() -> (Arc<Answers>, Client, ClusterId, Arc<Stats>) {
    let answers = Arc::new(Answers::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = answers.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            server.tcp_connections.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(server.clone().talk(stream));
        }
    });
    let clock = Clock::system();
    let stats = Arc::new(Stats::default());
    stats.add_project("p");
    let transport = Arc::new(Transport::new(clock, stats.clone()).unwrap());
    let common =
        Common { transport, guard: Arc::default(), metadata: Arc::default(), stats: stats.clone() };
    let url = BaseUrl::parse(&url).unwrap();
    let settings = huawei::Settings {
        name: "p".into(),
        region: RegionId::parse("cn-north-4").unwrap(),
        project_id: Some(ProjectId::parse("6e9dfd51d1124e8d8498dce894923a0d").unwrap()),
        domain_id: None,
        network: Network::default(),
        endpoints: Endpoints { css: url.clone(), vpcep: url.clone(), iam: url.clone(), sts: url },
        credentials: keys(inline("secret")),
        paging: Paging::default(),
    };
    let cluster = ClusterId::parse("5c77b71c-5b35-4f50-8984-76387e42451a").unwrap();
    (answers, Client::new(settings, &common, pacers()), cluster, stats)
}

async fn poll(project: &Client, cluster: &ClusterId) -> (Arc<ConnectionList>, u32) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
    let Traced { result, trace } = project.connections(cluster, budget).await;
    (result.unwrap(), trace.pages)
}

#[tokio::test]
async fn all_pages_are_read_each_time() {
    let (answers, project, cluster, _) = served().await;
    let second = page(1000..1200, "accepted", 1200);
    answers.are(&[(0, page(0..1000, "accepted", 1200)), (1000, second.clone())]);
    let (first, pages) = poll(&project, &cluster).await;
    assert_eq!((first.connections.len(), first.complete, pages), (1200, true, 2));
    assert_eq!(poll(&project, &cluster).await, (first.clone(), 2));
    assert_eq!(answers.requests.load(Ordering::Relaxed), 4);

    // The same rows in other words.
    answers.are(&[(0, page(0..1000, "accepted", 1200).replace(',', ", ")), (1000, second.clone())]);
    assert_eq!(poll(&project, &cluster).await, (first.clone(), 2));

    for (at, bodies) in [
        [(0, page(0..1000, "accepted", 1200)), (1000, page(1000..1200, "rejected", 1200))],
        [(0, page(0..1000, "rejected", 1200)), (1000, second.clone())],
    ]
    .into_iter()
    .enumerate()
    {
        answers.are(&bodies);
        let (changed, pages) = poll(&project, &cluster).await;
        assert_ne!(first, changed);
        assert_eq!((changed.counts()[1], pages), ([200, 1000][at], 2));
    }

    // A page that fails fails the poll, also where the one before it was as before.
    answers.are(&[(0, page(0..1000, "rejected", 1200))]);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
    assert!(project.connections(&cluster, budget).await.result.is_err());

    // The first page alone decides how far a walk goes.
    answers.are(&[(0, page(0..3, "accepted", 3))]);
    let (less, pages) = poll(&project, &cluster).await;
    assert_eq!((less.connections.len(), pages), (3, 1));
}

#[tokio::test]
async fn a_page_that_came_before_is_not_decoded_again() {
    let (answers, project, cluster, _) = served().await;
    let body = page(0..3, "accepted", 3);
    answers.are(&[(0, body.clone())]);
    let (first, _) = poll(&project, &cluster).await;
    let (again, pages) = poll(&project, &cluster).await;
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!((pages, answers.requests.load(Ordering::Relaxed)), (1, 2));

    answers.are(&[(0, body.replace("accepted", "rejected"))]);
    let (changed, _) = poll(&project, &cluster).await;
    assert_eq!(changed.counts()[1], 3);

    // The page before the last is not kept.
    answers.are(&[(0, body)]);
    let (back, _) = poll(&project, &cluster).await;
    assert!(back == first && !Arc::ptr_eq(&back, &first));
    drop((first, again, back));
    assert_eq!(poll(&project, &cluster).await.0.connections.len(), 3);

    project.keep_only(&HashSet::new());
    assert_eq!(poll(&project, &cluster).await.0.connections.len(), 3);
}

#[tokio::test]
async fn an_incomplete_walk_is_made_again_and_oddities_are_counted_each_time() {
    let (answers, project, cluster, stats) = served().await;
    answers.are(&[(0, page(0..5, "accepted", 6)), (5, page(0..0, "accepted", 6))]);
    let (one, pages) = poll(&project, &cluster).await;
    assert!(!one.complete);
    assert_eq!(pages, 4, "a second walk makes sure of it");
    assert_eq!(poll(&project, &cluster).await, (one, 4));

    let odd = |stats: &Stats| {
        let families = stats.gather();
        let family = families.iter().find(|family| family.name().ends_with("api_surprises_total"));
        let samples = family.map_or(&[][..], |family| family.get_metric());
        samples.iter().map(|sample| sample.get_counter().get_value()).sum::<f64>()
    };
    answers.are(&[(0, page(0..5, "frozen", 5))]);
    let before = odd(&stats);
    let (_list, _) = poll(&project, &cluster).await;
    poll(&project, &cluster).await;
    assert_eq!(odd(&stats) - before, 10.0);
}

#[tokio::test]
async fn many_polls_use_one_tcp_connection() {
    let (answers, project, cluster, _) = served().await;
    answers.are(&[(0, page(0..700, "accepted", 700))]);
    for _ in 0..50 {
        poll(&project, &cluster).await;
    }
    assert_eq!(answers.requests.load(Ordering::Relaxed), 50);
    assert_eq!(answers.tcp_connections.load(Ordering::Relaxed), 1);
}
