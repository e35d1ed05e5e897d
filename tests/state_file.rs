//! A process that is killed while it writes its state starts again with data that were true.
//!
//! The test starts itself as the process that is killed: it writes state 1, 2, 3 … as fast as it
//! can and says so after each. Which state comes after which is a pure function, so the parent
//! knows what every state must look like.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdout, Stdio},
    thread,
    time::Duration,
};

use crate::support::process::{Folder, this_test};
use css_vpcep_exporter::{
    board::{Attempt, Board, ClusterMeta, ClusterState, state_file::StateFile},
    cloud::{CloudError, Reason, Trace, Traced},
    model::{
        ClusterId, Connection, ConnectionFields, ConnectionList, RegionId, ServiceName, Status,
    },
};
use jiff::Timestamp;

const TEST: &str =
    "state_file::a_process_killed_while_it_writes_starts_again_with_data_that_were_true";
/// Where it is set, this process is the one that is killed, and this is the path of its state file.
const ROLE: &str = "STATE_FILE_OF_THE_PROCESS_THAT_IS_KILLED";
const KILLS: u32 = 200;
const LONGEST_LIFE: Duration = Duration::from_millis(30);
/// Enough that a state takes several writes, so that a kill can come between them.
const KILLED: Size = Size { clusters: 8, connections: 10 };

#[derive(Clone, Copy)]
struct Size {
    clusters: usize,
    connections: usize,
}

#[test]
fn a_process_killed_while_it_writes_starts_again_with_data_that_were_true() {
    match env::var_os(ROLE) {
        Some(path) => write_until_killed(Path::new(&path)),
        None => kill_again_and_again(),
    }
}

/// The process that is killed: goes on from what it finds.
fn write_until_killed(path: &Path) {
    let (mut file, board) = open(path, KILLED);
    let mut out = std::io::stdout();
    for number in number(&board) + 1.. {
        advance(&board, KILLED, number);
        file.write(&board.snapshot()).unwrap();
        // The test runner may not have ended its line.
        out.write_all(format!("\n{number}\n").as_bytes()).unwrap();
    }
}

fn kill_again_and_again() {
    let folder = Folder::new("state-file-kills");
    let path = folder.file("state");
    let expected = new_board(KILLED);
    let (mut written, mut cut_short, mut seed) = (0, 0, 5_u64);
    for kill in 0..KILLS {
        let mut process = start(&path);
        let mut said = BufReader::new(process.stdout.take().unwrap());
        // Half of them are killed at any time after their start, half when they surely write.
        let first = kill.is_multiple_of(2).then(|| wait_for_a_number(&mut said));
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(LONGEST_LIFE.mul_f64((seed >> 40) as f64 / (1 << 24) as f64));
        process.kill().unwrap();
        let status = process.wait().unwrap();
        assert_eq!(status.code(), None, "kill {kill}: it ended by itself");
        let acknowledged = last_number(said).or(first).unwrap_or(written);

        cut_short += u32::from(path.with_extension("tmp").exists());
        let (_, board) = open(&path, KILLED);
        let found = number(&board);
        // The kill may have come between the write and its report.
        assert!(
            found == acknowledged || found == acknowledged + 1,
            "kill {kill}: state {acknowledged} was written, state {found} was found"
        );
        (written + 1..=found).for_each(|number| advance(&expected, KILLED, number));
        written = found;
        assert_eq!(standing(&board), standing(&expected), "kill {kill}: state {found} is not true");
    }
    assert!(written >= u64::from(KILLS / 2), "too little was written: {written} states");
    assert!(cut_short >= KILLS / 10, "too few writes were cut short: {cut_short}");
}

fn start(path: &Path) -> Child {
    this_test(TEST).env(ROLE, path).stdout(Stdio::piped()).spawn().unwrap()
}

/// Waits until it has written a state.
fn wait_for_a_number(said: &mut BufReader<ChildStdout>) -> u64 {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended before it wrote anything");
        if let Ok(number) = line.trim().parse() {
            return number;
        }
    }
}

/// The last number that it said, if it said one.
fn last_number(mut said: BufReader<ChildStdout>) -> Option<u64> {
    let mut text = String::new();
    said.read_to_string(&mut text).unwrap();
    text.lines().rev().find_map(|line| line.parse().ok())
}

/// The board as a start finds it.
fn open(path: &Path, size: Size) -> (StateFile, Board) {
    let (file, restored) = StateFile::open(path, time(0)).unwrap();
    if let Some(damaged) = &restored.damaged {
        panic!("{damaged}");
    }
    let board = new_board(size);
    board.restore(restored);
    (file, board)
}

fn new_board(size: Size) -> Board {
    Board::new((0..size.clusters).map(|cluster| ClusterMeta {
        region: RegionId::parse("cn-north-4").unwrap(),
        project: "prod".into(),
        id: cluster_id(cluster),
        name: format!("c{cluster}").into(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    }))
}

fn cluster_id(cluster: usize) -> ClusterId {
    ClusterId::parse(&format!("{cluster:08x}-5b35-4f50-8984-76387e42451a")).unwrap()
}

fn time(second: u64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + i64::try_from(second).unwrap()).unwrap()
}

/// Which state the board is in: every step polls every cluster once.
fn number(board: &Board) -> u64 {
    let snapshot = board.snapshot();
    let last = snapshot.clusters()[0].last_poll();
    last.map_or(0, |poll| (poll.at.as_second() - 1_700_000_000).try_into().unwrap())
}

/// From state `number - 1` to state `number`.
fn advance(board: &Board, size: Size, number: u64) {
    for cluster in 0..size.clusters {
        let result = match (number as usize + cluster) % 7 {
            0 => Err(CloudError::new(Reason::Http5xx, format!("failure {number}"))),
            _ => Ok(found(cluster, size.connections, number).into()),
        };
        let trace = Trace {
            pages: 1,
            requests: 2,
            retries: 1,
            request_ids: vec![format!("request-{number}")],
        };
        let attempt = Attempt {
            at: time(number),
            duration: Duration::from_micros(number),
            outcome: Traced { result, trace },
        };
        board.record(&cluster_id(cluster), attempt, time(number + 60));
    }
}

fn found(cluster: usize, connections: usize, number: u64) -> ConnectionList {
    let connection = |index: usize| {
        Connection::from(ConnectionFields {
            endpoint_id: &format!("{index:08x}-6b36-4f50-8984-76387e42451a"),
            // Now and then one of them changes.
            status: Status::ALL[(number as usize + 13 * index + cluster) / 40 % 7],
            max_sessions: Some(number),
            created: Some(time(index as u64)),
            updated: index.is_multiple_of(2).then(|| time(number)),
            specification_name: "default",
            domain_id: "0123456789abcdef0123456789abcdef",
            ip: &format!("10.0.{cluster}.{index}"),
            ipv6: "",
            dns_name: &format!("e{index}.example.com"),
        })
    };
    ConnectionList {
        service_enabled: true,
        complete: true,
        reported: Some(connections as u64),
        update_switch: Some(number.is_multiple_of(2)),
        permissions: None,
        service_name: Some(ServiceName::new("cn-north-4.cf072729-b076-49db-83d3-020dc9f589bd")),
        connections: (0..connections).map(connection).collect(),
    }
}

/// All that a restart brings back.
fn standing(board: &Board) -> Vec<ClusterState> {
    let snapshot = board.snapshot();
    let clusters = snapshot.clusters().iter();
    clusters.map(|state| ClusterState { next_poll: None, ..ClusterState::clone(state) }).collect()
}
