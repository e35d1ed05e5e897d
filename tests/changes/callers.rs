//! P20 and P21, and a hundred changes at once: what callers do does not decide what happens.

use std::{sync::Arc, time::Duration};

use css_vpcep_exporter::change::Timings;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, sync::Barrier, task::JoinSet};

use super::{
    front::{Puts, Reads},
    ledger::But,
    world::{Desk, Place, World, kind, page, told, wanted},
};
use crate::support::{Answer, eventually};

/// A caller who does not stay.
struct Caller(TcpStream);

impl Caller {
    async fn says(world: &World, text: &str) -> Self {
        let mut stream = TcpStream::connect(world.place.desk.address()).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        Self(stream)
    }

    /// Resets the connection, so that the daemon learns of it at once.
    fn hangs_up(self) {
        self.0.set_zero_linger().unwrap();
    }
}

/// The change is found by its id, as it ended.
async fn found(world: &World) -> Value {
    eventually("the change has ended", async || {
        let changes = world.place.desk.changes().await;
        let ended = changes.iter().find(|change| change["outcome"].is_object());
        let id = ended.ok_or_else(|| format!("{changes:?}"))?["change_id"].as_str().unwrap();
        Ok(world.place.desk.get(&format!("/api/v1/changes/{id}")).await.json())
    })
    .await
}

#[tokio::test]
async fn fault_p20_a_caller_who_leaves_before_the_body_changes_nothing() {
    let world = World::new("fault_p20_early", 1).await;
    let request = world.place.desk.request(&world.place.services[0], &wanted());
    let before = world.place.truth(0).await;
    for length in [20, request.find("\r\n\r\n").unwrap() + 4, request.len() - 1] {
        Caller::says(&world, &request[..length]).await.hangs_up();
    }
    // Whoever comes after them is not held up by them, and sees nothing of a change.
    let update = json!({"description": "later"});
    let answer = world.place.desk.change(&world.place.services[0], &update).await;
    assert_eq!(answer.json()["before"]["description"], before["description"]);
    assert_eq!(world.place.puts().await.len(), 1);
    world.place.balance(But::default()).await;
}

#[tokio::test]
async fn fault_p20_a_caller_who_leaves_later_stops_nothing() {
    let moments = ["sent", "reading", "put", "done"];
    for moment in moments {
        let world = World::new(&format!("fault_p20_{moment}"), 1).await;
        let front = &world.place.front;
        let request = world.place.desk.request(&world.place.services[0], &wanted());
        let (puts, reads) = match moment {
            "done" => (Puts::PassedOn, Reads::Late),
            "put" => (Puts::Late, Reads::PassedOn),
            _ => (Puts::PassedOn, Reads::Late),
        };
        front.set(puts, reads);
        let caller = Caller::says(&world, &request).await;
        match moment {
            "reading" => front.until_reads_seen(1).await,
            "put" => front.until_put_seen().await,
            "done" => front.until_put_done().await,
            _ => {}
        }
        caller.hangs_up();
        let change = found(&world).await;
        assert_eq!(change["outcome"]["outcome"], "applied", "{moment}: {change}");
        assert_eq!(change["intent"]["actor"], "test");
        for names in [&change, &change["intent"], &change["outcome"]] {
            assert_eq!(names["service_name"], "s0");
        }
        assert_eq!(world.place.truth(0).await["description"], "wanted", "{moment}");
        world.place.balance(But { unheard: 1, ..But::default() }).await;
        assert_eq!(world.counted("applied").await, 1.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_p21_of_a_hundred_callers_one_is_served_and_the_others_are_told_at_once() {
    const CALLERS: usize = 100;
    const ROUNDS: usize = 3;
    let world = Arc::new(World::new("fault_p21", 1).await);
    for round in 0..ROUNDS {
        world.place.front.set(Puts::Held, Reads::PassedOn);
        let together = Arc::new(Barrier::new(CALLERS));
        let mut callers = JoinSet::new();
        for number in 0..CALLERS {
            let (world, together) = (world.clone(), together.clone());
            callers.spawn(async move {
                together.wait().await;
                let update = json!({"description": format!("{round} {number}")});
                (number, heard(&world.place.desk, &world.place.services[0], &update).await)
            });
        }
        // The one PUT is held until all the others have their answer: none of them waits for it.
        for _ in 1..CALLERS {
            let (_, answer) = callers.join_next().await.unwrap().unwrap();
            told(&answer, 409, "not_sent", false, true);
            assert_eq!((&*kind(&answer), answer.header("retry-after")), ("in_progress", "5"));
        }
        world.place.front.let_go();
        let (winner, answer) = callers.join_next().await.unwrap().unwrap();
        told(&answer, 200, "applied", true, false);
        assert_eq!(world.place.truth(0).await["description"], format!("{round} {winner}"));
        assert_eq!(world.place.puts().await.len(), round + 1);
    }
    world.place.balance(But::default()).await;
    assert_eq!(world.counted("applied").await, ROUNDS as f64);
}

/// Asks again if the listener has cut the connection: of 16 places it gives those away on which no request
/// came for half a second, which a busy machine may need to send one. A request that was read is never cut:
/// the ledger would show it.
async fn heard(desk: &Desk, service: &str, update: &Value) -> Answer {
    const CUT: [&str; 3] = ["ConnectionReset", "BrokenPipe", "IncompleteMessage"];
    for _ in 0..5 {
        match desk.ask_to_change(service, "*", update).await {
            Err(why) if CUT.iter().any(|cut| why.contains(cut)) => {}
            answer => return answer.unwrap_or_else(|why| panic!("{service}: {why}")),
        }
    }
    panic!("{service}: the connection was cut five times");
}

/// A hundred services, a hundred callers, and somebody who scrapes all the while.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn metrics_are_served_while_a_hundred_changes_run() {
    const CHANGES: usize = 100;
    // The usual limits: a PUT is held for as long as several scrapes take on a busy machine.
    let place = Place::new("hundred_changes", CHANGES).await;
    let world = Arc::new(World::with(place, Timings::DEFAULT).await);
    let front = &world.place.front;
    front.set(Puts::Held, Reads::PassedOn);
    let mut callers = JoinSet::new();
    for service in world.place.services.clone() {
        let world = world.clone();
        callers.spawn(async move { insist(&world, &service).await });
    }
    eventually("many changes are under way", async || {
        let held = front.held_now();
        if held >= 8 { Ok(()) } else { Err(format!("{held} at once")) }
    })
    .await;
    for _ in 0..5 {
        assert_eq!(world.counted("applied").await, 0.0);
    }
    front.let_go();
    let mut asked = 0;
    for done in 1..=CHANGES {
        asked += callers.join_next().await.unwrap().unwrap();
        if done % 20 == 0 {
            assert!(world.counted("applied").await >= done as f64);
        }
    }
    assert!(asked >= CHANGES);
    assert_eq!(world.counted("applied").await, CHANGES as f64);
    assert_eq!(world.place.puts().await.len(), CHANGES);
    world.place.balance(But::default()).await;
    let page = page(world.daemon.public).await;
    assert_eq!(page.value("css_vpcep_exporter_audit_healthy", &[]), Some(1.0));
}

/// Asks until there is room; says how often.
async fn insist(world: &World, service: &str) -> usize {
    for asked in 1.. {
        let answer = heard(&world.place.desk, service, &wanted()).await;
        if answer.status == 503 {
            assert_eq!(kind(&answer), "too_many_changes");
            assert_eq!(answer.header("retry-after"), "5");
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        }
        told(&answer, 200, "applied", true, false);
        return asked;
    }
    unreachable!("it asks for ever")
}
