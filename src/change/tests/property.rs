//! Chance decides what is, what is asked, and what goes wrong; the ledger holds all the same.

use std::{collections::HashMap, time::Duration};

use fastrand::Rng;

use super::{
    fake::{Acts, Fake, Put, Reads, error, id, take},
    log::Log,
    mapping,
    rig::{Ask, Rig, request},
    service,
};
use crate::{
    audit::Kind,
    change::{Condition, Outcome, Refusal, Report, etag},
    cloud::{CloudError, Reason},
    model::{Field, PortMapping, ServiceFields},
};

const SEEDS: u64 = 300;

fn text(random: &mut Rng, of: &[&str]) -> Option<Box<str>> {
    (random.bool()).then(|| of[random.usize(..of.len())].into())
}

fn ports(random: &mut Rng) -> Option<Vec<PortMapping>> {
    let ports = (1..4).filter(|_| random.bool()).collect::<Vec<_>>();
    let ports = ports.into_iter().map(|port| mapping(port, 1 + random.usize(..3) as u16));
    let ports: Vec<_> = ports.collect();
    (random.bool()).then_some(ports)
}

fn fields(random: &mut Rng) -> ServiceFields {
    let fields = ServiceFields {
        approval_enabled: (random.bool()).then(|| random.bool()),
        service_name: text(random, &["a", "b"]),
        ports: ports(random),
        port_id: text(random, &["p", "q"]),
        tcp_proxy: text(random, &["close", "open"]),
        description: text(random, &["", "x"]),
        ip: None,
    };
    match fields == ServiceFields::default() {
        true => ServiceFields { approval_enabled: Some(true), ..fields },
        false => fields,
    }
}

fn put(random: &mut Rng) -> Put {
    let seconds = |random: &mut Rng| Duration::from_millis(random.usize(..4000) as u64);
    let unknown = [
        error(Reason::Reset, None, ""),
        error(Reason::Timeout, None, ""),
        error(Reason::Http5xx, Some(500), "EndPoint.0001"),
        error(Reason::Http5xx, Some(504), "APIGW.0201"),
        error(Reason::BadJson, Some(200), ""),
    ];
    let refused = [
        error(Reason::Http4xx, Some(400), "EndPoint.3044"),
        error(Reason::Auth, Some(401), "APIGW.0301"),
        error(Reason::NotFound, Some(404), "EndPoint.0005"),
        error(Reason::Throttled, Some(429), "APIGW.0308"),
        error(Reason::Redirect, Some(302), ""),
    ];
    let unsent = CloudError { never_sent: true, ..error(Reason::Connect, None, "") };
    let acts = match random.usize(..4) {
        0 => Acts::NotAtAll,
        1 => Acts::Partly(&[Field::ServiceName, Field::Ports]),
        _ => Acts::Wholly,
    };
    let put = match random.usize(..6) {
        0 | 1 => Put::acts(acts),
        2 => Put::fails(unknown[random.usize(..unknown.len())].clone(), acts),
        3 => Put::fails(refused[random.usize(..refused.len())].clone(), Acts::NotAtAll),
        4 => Put { leaves: false, ..Put::fails(unsent, Acts::NotAtAll) },
        _ => Put { after: None, ..Put::acts(acts) },
    };
    let after = put.after.map(|_| seconds(random));
    Put { before: seconds(random), after, ..put }
}

/// I4: the answer to the caller is what happened.
fn check(rig: &Rig, asked: &ServiceFields, before: &ServiceFields, report: &Report, seed: u64) {
    let truth = rig.fake.truth();
    let mut wanted = before.clone();
    take(&mut wanted, asked, &Field::ALL);
    let empty = |fields: &mut ServiceFields| {
        fields.description = fields.description.take().filter(|text| !text.is_empty());
        fields.ports = fields.ports.take().filter(|ports| !ports.is_empty());
    };
    let [mut truth, mut wanted, mut before] = [truth, wanted, before.clone()];
    [&mut truth, &mut wanted, &mut before].into_iter().for_each(empty);
    let shown = format!("seed {seed}: {asked:?} {report:?}");
    match report.outcome {
        Outcome::Applied => assert_eq!(truth, wanted, "{shown}"),
        Outcome::Unchanged => assert!(truth == before && wanted == before, "{shown}"),
        Outcome::Planned | Outcome::NotSent | Outcome::Rejected | Outcome::NotApplied => {
            assert_eq!(truth, before, "{shown}");
        }
        Outcome::Partial => assert!(truth != before && truth != wanted, "{shown}"),
        Outcome::Unknown => assert!(report.sent && !report.safe_to_retry, "{shown}"),
    }
    if report.safe_to_retry {
        assert_eq!(truth, before, "{shown}");
    }
    if !report.sent {
        assert_eq!(truth, before, "{shown}");
    }
}

async fn run(seed: u64, seen: &mut HashMap<Outcome, usize>) {
    let mut random = Rng::with_seed(seed);
    let mut start = service();
    take(&mut start.fields, &fields(&mut random), &Field::ALL);
    let rig = Rig::with(Fake::new([start]), Log::default(), Vec::new());
    for _ in 0..4 {
        let put = put(&mut random);
        rig.put(put);
        {
            let mut state = rig.fake.state();
            state.lag = Duration::from_millis(random.usize(..12_000) as u64);
            state.reads = Reads::Answer;
        }
        let refuses = match random.usize(..8) {
            0 => vec![Kind::Intent],
            _ => Vec::new(),
        };
        *rig.log.refuses.lock().unwrap() = refuses;
        let condition = match random.usize(..4) {
            0 => Condition::None,
            1 => Condition::Tags(vec!["stale".into()]),
            2 => {
                let tag = etag(&rig.fake.state().services[&id()]);
                Condition::Tags(vec![tag])
            }
            _ => Condition::Any,
        };
        let asked =
            Ask { condition, dry_run: random.usize(..8) == 0, ..request(fields(&mut random)) };
        let before = rig.fake.truth();
        let sent_before = rig.fake.state().puts.len();
        let (one, two) =
            (rig.changes.change(asked.clone().into()), rig.changes.change(asked.clone().into()));
        let gone_after = Duration::from_millis(random.usize(..10_000) as u64);
        if random.usize(..4) == 0 {
            // Both hang up.
            let both = async { tokio::join!(one, two) };
            let _ = tokio::time::timeout(gone_after, both).await;
        } else {
            let (one, two) = tokio::join!(one, two);
            for report in [&one, &two].into_iter().flatten() {
                *seen.entry(report.outcome).or_default() += 1;
                check(&rig, &asked.update, &before, report, seed);
            }
            let reports = [&one, &two].into_iter().filter(|result| result.is_ok()).count();
            let refused = matches!(two, Err(Refusal::InProgress));
            assert!(asked.dry_run || (reports <= 1 && refused), "seed {seed}: {one:?} {two:?}");
        }
        // Recovery ends the changes that were left.
        tokio::time::sleep(Duration::from_secs(120)).await;
        let sent = rig.fake.state().puts.len() - sent_before;
        assert!(sent <= 1, "I5: seed {seed}: it was sent {sent} times");
        rig.check_ledger();
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_the_ledger_holds_and_no_answer_lies() {
    let mut seen = HashMap::new();
    for seed in 0..SEEDS {
        run(seed, &mut seen).await;
    }
    for outcome in Outcome::ALL {
        let count = seen.get(&outcome).copied().unwrap_or_default();
        // A reading that shows an old state in part is the only way there, and rare.
        let rare = outcome == Outcome::Unknown;
        assert!(rare || count > 10, "{} was seen {count} times", outcome.as_str());
    }
}
