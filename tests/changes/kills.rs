//! C14: the process is killed, at each step between intent and answer, and at random.

use std::{collections::BTreeSet, time::Duration};

use css_vpcep_exporter::audit::{Content, Kind, Record};
use reqwest::Method;
use serde_json::json;
use tokio::{
    task::{JoinSet, LocalSet},
    time::{Instant, sleep},
};

use super::{
    front::{Puts, Reads},
    ledger::{self, But},
    world::{Place, Running, World, kind, told, wanted},
};
use crate::support::{Answer, eventually};

/// What a start says of a change that was cut short.
const SAID: &str = "a change was under way when the exporter ended";

/// No time for last words.
pub(super) async fn kill(mut running: Running) {
    running.process.signal("KILL").await;
    assert!(!running.process.end().await.success());
}

/// The outcomes of all changes, once each has one.
pub(super) async fn outcomes(place: &Place) -> Vec<String> {
    eventually("every intent has an outcome", async || {
        let records = ledger::records(std::slice::from_ref(&place.log));
        let of = |wanted| {
            let contents = records.iter().map(|record: &Record| &record.content);
            contents.filter(move |content| content.kind == wanted)
        };
        let id = |content: &Content| content.change_id.clone().expect("an id").to_string();
        let intents: BTreeSet<_> = of(Kind::Intent).map(id).collect();
        let ended: BTreeSet<_> = of(Kind::Outcome).map(id).collect();
        match intents.is_subset(&ended) {
            true => {
                let word = |content: &Content| content.outcome.as_deref().unwrap_or("").to_owned();
                Ok(of(Kind::Outcome).map(word).collect())
            }
            false => Err(format!("{} of {}", ended.len(), intents.len())),
        }
    })
    .await
}

/// Waits until a change has come to the step of this name.
pub(super) async fn until_at(place: &Place, step: &str) {
    match step {
        "reading before" => place.front.until_reads_seen(1).await,
        "intent written" => until_in_log(place, "intent").await,
        "sent" => place.front.until_put_seen().await,
        "done" => place.front.until_put_done().await,
        "reading back" => place.front.until_reads_seen(2).await,
        _ => until_in_log(place, "outcome").await,
    }
}

async fn until_in_log(place: &Place, wanted: &str) {
    eventually("the record is written", async || {
        let text = std::fs::read_to_string(&place.log).unwrap_or_default();
        if text.contains(&format!("\"kind\":{wanted:?}")) { Ok(()) } else { Err(text) }
    })
    .await;
}

/// A step at which the process is killed, and what became of the change then.
struct Step {
    name: &'static str,
    puts: Puts,
    reads: Reads,
    /// `None`: there is no record of it at all.
    outcome: Option<&'static str>,
}

fn steps() -> Vec<Step> {
    let step = |name, puts, reads, outcome| Step { name, puts, reads, outcome };
    let (pass, read) = (Puts::PassedOn, Reads::PassedOn);
    vec![
        step("reading before", pass.clone(), Reads::Held, None),
        step("intent written", pass.clone(), read, Some("not_applied")),
        step("sent", Puts::Swallowed, read, Some("not_applied")),
        step("done", Puts::DoneInSilence, read, Some("applied")),
        step("reading back", pass.clone(), Reads::HeldAfterPut, Some("applied")),
        step("outcome written", pass, read, Some("applied")),
    ]
}

#[tokio::test]
async fn fault_c14_killed_at_each_step() {
    let all = async {
        let mut all = JoinSet::new();
        for step in steps() {
            all.spawn_local(killed_at(step));
        }
        all.join_all().await
    };
    LocalSet::new().run_until(all).await;
}

async fn killed_at(step: Step) {
    let Step { name, puts, reads, outcome } = step;
    let mut place = Place::new(&format!("fault_c14_{}", name.replace(' ', "_")), 1).await;
    // Services usually have an empty description.
    place.set(0, &json!({"description": ""})).await;
    let limits = place.configuration["projects"][0]["rate_limit"]["vpcep"].clone();
    if name == "intent written" {
        // Reading the services and reading this one leave no turn for the change.
        let scarce = json!({"requests_per_second": 0.05, "burst": 2});
        place.configuration["projects"][0]["rate_limit"]["vpcep"] = scarce;
    }
    let running = place.serve("first").await;
    eventually("the services are read", async || {
        let requests = place.cloud.requests().await;
        let read = requests["by_operation"]["vpcep_services"].as_u64() > Some(0);
        if read { Ok(()) } else { Err(requests.to_string()) }
    })
    .await;
    place.front.set(puts, reads);
    let update = wanted();
    let asked = place.desk.ask_to_change(&place.services[0], "*", &update);
    let killed = async {
        until_at(&place, name).await;
        kill(running).await;
    };
    let (heard, ()) = tokio::join!(asked, killed);
    let seen = place.puts().await.len();
    place.configuration["projects"][0]["rate_limit"]["vpcep"] = limits;

    // The next start finds out what became of the change, as soon as it can read.
    place.front.set(Puts::PassedOn, Reads::Held);
    let World { place, daemon } = World::of(place).await;
    let was_dangling = !["reading before", "outcome written"].contains(&name);
    if was_dangling {
        // Nobody else may change it meanwhile.
        let answer = place.desk.change(&place.services[0], &json!({"description": "other"})).await;
        told(&answer, 409, "not_sent", false, true);
        assert_eq!(kind(&answer), "in_progress", "{name}");
    }
    place.front.set(Puts::PassedOn, Reads::PassedOn);
    assert_eq!(outcomes(&place).await, Vec::from_iter(outcome), "{name}");
    assert_eq!(place.puts().await.len(), seen, "{name}: nothing is sent again");
    let is_wanted = place.truth(0).await["description"] == "wanted";
    assert_eq!(is_wanted, outcome == Some("applied"), "{name}");
    let unheard = usize::from(outcome.is_some() && heard.is_err());
    place.balance(But { unheard, killed: true, ..But::default() }).await;
    // Whatever was, changes go on, as soon as the outcome is recorded.
    let answer = eventually("the service is free", async || {
        let answer = place.desk.change(&place.services[0], &json!({"description": "next"})).await;
        if answer.status == 409 { Err(answer.text) } else { Ok(answer) }
    })
    .await;
    told(&answer, 200, "applied", true, false);
    place.balance(But { unheard, killed: true, ..But::default() }).await;
    daemon.stop().await;
}

/// The service is still the same one after its project was renamed.
#[tokio::test]
async fn fault_c14_killed_and_the_project_renamed() {
    let mut place = Place::new("fault_c14_renamed", 1).await;
    let running = place.serve("first").await;
    place.front.set(Puts::DoneInSilence, Reads::PassedOn);
    let update = wanted();
    let asked = place.desk.ask_to_change(&place.services[0], "*", &update);
    let killed = async {
        place.front.until_put_done().await;
        kill(running).await;
    };
    let (heard, ()) = tokio::join!(asked, killed);
    assert!(heard.is_err());
    place.front.set(Puts::PassedOn, Reads::PassedOn);
    place.configuration["projects"][0]["name"] = json!("renamed");
    let mut running = place.serve("second").await;
    assert_eq!(outcomes(&place).await, ["applied"]);
    let said = running.process.err();
    let line = said.lines().find(|line| line.contains(SAID)).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("outcome=applied"), "{line}");
    let records = place.balance(But { unheard: 1, killed: true, ..But::default() }).await;
    let outcome = &records.last().expect("it has records").content;
    assert_eq!(
        (outcome.project.as_deref(), outcome.service_name.as_deref()),
        (Some("prod"), Some("s0"))
    );
    running.process.terminate().await;
    assert!(running.process.end().await.success());
}

/// Processes at once, how often each is killed in a round, and rounds at most.
const LANES: usize = 4;
const KILLS: usize = 16;
const ROUNDS: usize = 4;
const LONGEST_SPREAD: Duration = Duration::from_millis(500);

/// What is cut short: a change of an endpoint service, or a decision about a connection.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Change,
    Decision,
}

impl Cut {
    /// A place with enough targets: services, or clusters with a connection that is rejected.
    async fn place(self, lane: usize) -> Place {
        let mut place = Place::new(&format!("fault_c14_random_{self:?}_{lane}"), KILLS).await;
        if let Cut::Decision = self {
            let limit = json!({"requests_per_second": 1000, "burst": 1000});
            place.configuration["projects"][0]["rate_limit"]["css"] = limit;
            for number in 0..KILLS {
                let cluster = place.cloud.id(number);
                let path =
                    format!("clusters/{cluster}/connections/{}", connection(&place, number).await);
                place.cloud.control(Method::POST, &path, &json!({"status": "rejected"})).await;
            }
        }
        place
    }

    /// The id by which the audit log names it.
    fn target(self, place: &Place, number: usize) -> String {
        match self {
            Cut::Change => place.services[number].clone(),
            Cut::Decision => place.cloud.id(number).to_owned(),
        }
    }

    async fn ask(self, place: &Place, number: usize) -> Result<Answer, String> {
        let target = self.target(place, number);
        match self {
            Cut::Change => place.desk.ask_to_change(&target, "*", &wanted()).await,
            Cut::Decision => {
                let id = connection(place, number).await;
                place.desk.ask_to_decide(&target, "accept", &[(&id, "rejected")]).await
            }
        }
    }
}

/// The first connection of a cluster.
async fn connection(place: &Place, cluster: usize) -> String {
    let world = place.cloud.control(Method::GET, "world", &json!({})).await;
    world["clusters"][cluster]["connections"][0]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn fault_c14_killed_at_random() {
    LocalSet::new().run_until(killed_at_random(Cut::Change)).await;
}

#[tokio::test]
async fn fault_c14_killed_at_random_in_a_decision() {
    LocalSet::new().run_until(killed_at_random(Cut::Decision)).await;
}

async fn killed_at_random(cut: Cut) {
    let mut ends = Vec::new();
    // Chance decides on which side of the request a kill strikes, so it gets several rounds to strike on both.
    for round in 0..ROUNDS {
        let mut lanes = JoinSet::new();
        for lane in 0..LANES {
            lanes.spawn_local(killed_often(cut, round * LANES + lane));
        }
        let of_round: Vec<_> = lanes.join_all().await.into_iter().flatten().collect();
        assert!(of_round.len() <= LANES * KILLS, "{of_round:?}");
        ends.extend(of_round);
        // Often enough after the intent, and on both sides. On a busy machine most kills of a round strike before.
        let is_enough = ends.len() >= LANES * KILLS / 8;
        if is_enough
            && ["applied", "not_applied"].iter().all(|word| ends.iter().any(|end| end == word))
        {
            return;
        }
    }
    panic!("too few, or all on one side: {ends:?}");
}

async fn killed_often(cut: Cut, lane: usize) -> Vec<String> {
    let mut place = cut.place(lane).await;
    let mut chance = fastrand::Rng::with_seed(lane as u64);
    let mut heard = 0;
    let mut spread = Duration::from_millis(40);
    for number in 0..KILLS {
        let running = place.serve(&format!("{number}")).await;
        let moment = spread.mul_f64(chance.f64());
        let began = Instant::now();
        let killed = async {
            sleep(moment).await;
            running.process.signal("KILL").await;
        };
        let (answer, ()) = tokio::join!(cut.ask(&place, number), killed);
        // Between too early and too late, however fast this machine is at the moment.
        let log = std::fs::read_to_string(&place.log).unwrap_or_default();
        if answer.is_ok() {
            spread = spread.min(began.elapsed());
            heard += 1;
        } else if !log.contains(&cut.target(&place, number)) {
            spread = spread.mul_f64(1.5).min(LONGEST_SPREAD);
        }
        assert!(!{ running }.process.end().await.success());
    }
    let World { place, daemon } = World::of(place).await;
    let ends = outcomes(&place).await;
    daemon.stop().await;
    let unheard = ends.len() - heard;
    place.balance(But { unheard, killed: true, ..But::default() }).await;
    ends
}
