use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use jiff::Timestamp;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Duration, sleep},
};

use super::{
    super::{
        format,
        tests::{Folder, open},
    },
    *,
};
use crate::{
    board::{Attempt, ClusterMeta},
    cloud::{Trace, Traced},
    model::{ClusterId, Connection, ConnectionList, RegionId, Status},
};

const CLUSTER: &str = "5c77b71c-5b35-4f50-8984-76387e42451a";

fn new_board() -> Board {
    Board::new([ClusterMeta {
        region: RegionId::parse("cn-north-4").unwrap(),
        project: "prod".into(),
        id: ClusterId::parse(CLUSTER).unwrap(),
        name: "logs".into(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    }])
}

fn poll(board: &Board, second: i64, status: Status) {
    let connection = Connection::bare("e", status);
    let list =
        ConnectionList { connections: vec![connection], ..ConnectionList::service_not_enabled() };
    let at = Timestamp::from_second(second).unwrap();
    let outcome = Traced { result: Ok(list.into()), trace: Trace::default() };
    let attempt = Attempt { at, duration: Duration::ZERO, outcome };
    board.record(&ClusterId::parse(CLUSTER).unwrap(), attempt, at);
}

/// The second of the last poll that the file knows; none without a file.
fn saved(path: &Path) -> Option<i64> {
    let state = format::read(path).ok()?.ok()?.into_iter().next()?;
    Some(state.last_poll().unwrap().at.as_second())
}

struct Running {
    folder: Folder,
    path: PathBuf,
    board: Board,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

fn start() -> Running {
    let folder = Folder::new();
    let path = folder.file();
    let (file, _) = open(&path);
    let board = new_board();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let task = tokio::spawn(keep(file, board.clone(), shutdown));
    Running { folder, path, board, stop, task }
}

#[tokio::test(start_paused = true)]
async fn polls_are_saved_within_half_a_minute_and_not_one_by_one() {
    let Running { path, board, stop, task, folder: _folder } = start();
    sleep(Duration::from_millis(100)).await;
    for second in 0..29 {
        poll(&board, second, Status::Accepted);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(saved(&path), None, "{second}");
    }
    sleep(Duration::from_secs(2)).await;
    assert_eq!(saved(&path), Some(28));
    poll(&board, 31, Status::Accepted);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(saved(&path), Some(28));
    sleep(Duration::from_secs(11)).await;
    assert_eq!(saved(&path), Some(31));

    fs::remove_file(&path).unwrap();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(saved(&path), None, "nothing has changed");
    stop.send(()).unwrap();
    task.await.unwrap();
    assert_eq!(saved(&path), None, "nothing has changed");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_was_seen_is_saved_at_once() {
    let Running { path, board, stop: _stop, folder: _folder, .. } = start();
    poll(&board, 0, Status::Creating);
    sleep(Duration::from_secs(31)).await;
    assert_eq!(saved(&path), Some(0));
    for (second, status) in [(31, Status::Accepted), (35, Status::Rejected)] {
        poll(&board, second, status);
        sleep(Duration::from_millis(2100)).await;
        assert_eq!(saved(&path), Some(second));
    }
    poll(&board, 40, Status::Rejected);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(saved(&path), Some(35), "no change of status");
}

#[tokio::test(start_paused = true)]
async fn the_end_saves_what_is_not_saved_yet() {
    let Running { path, board, stop, task, folder: _folder } = start();
    poll(&board, 7, Status::Creating);
    stop.send(()).unwrap();
    task.await.unwrap();
    assert_eq!(saved(&path), Some(7));
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_disk_is_logged_once_and_tried_again() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let _default = tracing::subscriber::set_default(subscriber);
    let count = |what: &str| {
        String::from_utf8(log.0.lock().unwrap().clone()).unwrap().matches(what).count()
    };
    let Running { path, board, stop: _stop, folder: _folder, .. } = start();
    let in_the_way = path.with_extension("tmp");
    for round in 1..=2 {
        fs::create_dir(&in_the_way).unwrap();
        poll(&board, 1, Status::Creating);
        sleep(Duration::from_secs(31)).await;
        // A change that was seen does not make a broken disk busier.
        poll(&board, 2, Status::Accepted);
        sleep(Duration::from_secs(200)).await;
        assert_eq!(count("the state cannot be written"), round);
        assert_eq!(count("the state is written again"), round - 1);

        fs::remove_dir(&in_the_way).unwrap();
        sleep(Duration::from_secs(31)).await;
        assert_eq!(saved(&path), Some(2), "without another poll");
        assert_eq!(count("the state cannot be written"), round);
        assert_eq!(count("the state is written again"), round);
    }
}
