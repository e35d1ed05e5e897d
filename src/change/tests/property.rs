//! Chance decides what is, what is asked, and what goes wrong; the ledger holds all the same.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use fastrand::Rng;

use super::{
    fake::{Acts, Fake, Put, Reads, error, id, take},
    log::Log,
    mapping,
    rig::{Ask, Rig, decision, request},
    service,
};
use crate::{
    audit::Kind,
    change::{ChangeRequest, Condition, DecisionRequest, Outcome, Refusal, Report, Wanted, etag},
    cloud::{CloudError, Reason},
    model::{Decision, Field, PortMapping, ServiceFields, Status},
};

const SEEDS: u64 = 200;

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

/// Everything that changes are about.
#[derive(Clone, Debug, PartialEq)]
struct Truth {
    fields: ServiceFields,
    connections: BTreeMap<Box<str>, Status>,
}

impl Truth {
    fn of(rig: &Rig) -> Self {
        let connections = rig.fake.state().connections.clone();
        let connections = connections.into_iter().map(|(id, status)| (id.into(), status));
        Self { fields: rig.fake.truth(), connections: connections.collect() }.without_nothing()
    }

    /// Once this is done.
    fn with(mut self, wanted: &Wanted) -> Self {
        match wanted {
            Wanted::Service { update, .. } => take(&mut self.fields, update, &Field::ALL),
            Wanted::Connections { decision: DecisionRequest { action, connections }, .. } => {
                let decided = connections.iter().map(|seen| seen.endpoint_id.as_str().into());
                self.connections.extend(decided.map(|id| (id, action.status())));
            }
        }
        self.without_nothing()
    }

    /// An empty text or list is the same as none.
    fn without_nothing(mut self) -> Self {
        let fields = &mut self.fields;
        fields.description = fields.description.take().filter(|text| !text.is_empty());
        fields.ports = fields.ports.take().filter(|ports| !ports.is_empty());
        self
    }
}

/// I4: the answer to the caller is what happened.
fn check(rig: &Rig, asked: &ChangeRequest, before: &Truth, report: &Report, seed: u64) {
    let truth = Truth::of(rig);
    let wanted = before.clone().with(&asked.wanted);
    let shown = format!("seed {seed}: {asked:?} {report:?}");
    match report.outcome {
        Outcome::Applied => assert_eq!(truth, wanted, "{shown}"),
        Outcome::Unchanged => assert!(truth == *before && wanted == *before, "{shown}"),
        Outcome::Planned | Outcome::NotSent | Outcome::Rejected | Outcome::NotApplied => {
            assert_eq!(truth, *before, "{shown}");
        }
        Outcome::Partial => assert!(truth != *before && truth != wanted, "{shown}"),
        Outcome::Unknown => assert!(report.sent && !report.safe_to_retry, "{shown}"),
    }
    if report.safe_to_retry || !report.sent {
        assert_eq!(truth, *before, "{shown}");
    }
}

fn condition(random: &mut Rng, rig: &Rig) -> Condition {
    match random.usize(..4) {
        0 => Condition::None,
        1 => Condition::Tags(vec!["stale".into()]),
        2 => Condition::Tags(vec![etag(&rig.fake.state().services[&id()])]),
        _ => Condition::Any,
    }
}

/// A change of the service, or a decision about some connections, whose statuses the caller mostly knows.
fn asked(random: &mut Rng, rig: &Rig) -> ChangeRequest {
    let dry_run = random.usize(..8) == 0;
    if random.bool() {
        let condition = condition(random, rig);
        return Ask { condition, dry_run, ..request(fields(random)) }.into();
    }
    let all = rig.fake.state().connections.clone();
    let some = all.into_iter().filter(|_| random.usize(..3) > 0).collect::<Vec<_>>();
    let seen = some.into_iter().map(|(id, status)| match random.usize(..8) {
        0 => (id, Status::PendingAcceptance),
        _ => (id, status),
    });
    let seen: Vec<_> = seen.collect();
    let action = if random.bool() { Decision::Accept } else { Decision::Reject };
    decision(action, &seen, dry_run)
}

/// The number of changes that were sent to the cloud.
fn sent(rig: &Rig) -> usize {
    let state = rig.fake.state();
    state.puts.len() + state.decisions.len()
}

async fn run(seed: u64, seen: &mut HashMap<(bool, Outcome), usize>) {
    let mut random = Rng::with_seed(seed);
    let mut start = service();
    take(&mut start.fields, &fields(&mut random), &Field::ALL);
    let rig = Rig::with(Fake::new([start]), Log::default(), Vec::new());
    // It is going away, so no one can decide about it.
    rig.fake.state().connections.remove("d");
    for _ in 0..8 {
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
        let asked = asked(&mut random, &rig);
        let before = Truth::of(&rig);
        let sent_before = sent(&rig);
        let (one, two) = (rig.changes.change(asked.clone()), rig.changes.change(asked.clone()));
        let gone_after = Duration::from_millis(random.usize(..10_000) as u64);
        if random.usize(..4) == 0 {
            // Both hang up.
            let both = async { tokio::join!(one, two) };
            let _ = tokio::time::timeout(gone_after, both).await;
        } else {
            let (one, two) = tokio::join!(one, two);
            for report in [&one, &two].into_iter().flatten() {
                let decides = matches!(asked.wanted, Wanted::Connections { .. });
                *seen.entry((decides, report.outcome)).or_default() += 1;
                check(&rig, &asked, &before, report, seed);
            }
            let reports = [&one, &two].into_iter().filter(|result| result.is_ok()).count();
            let refused = matches!(two, Err(Refusal::InProgress));
            assert!(asked.dry_run || (reports <= 1 && refused), "seed {seed}: {one:?} {two:?}");
        }
        // Recovery ends the changes that were left.
        tokio::time::sleep(Duration::from_secs(120)).await;
        let sent = sent(&rig) - sent_before;
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
    for (decides, outcome) in
        [false, true].into_iter().flat_map(|kind| Outcome::ALL.map(|one| (kind, one)))
    {
        let count = seen.get(&(decides, outcome)).copied().unwrap_or_default();
        // A reading that shows an old state in part is the only way there, and rare.
        let rare = outcome == Outcome::Unknown;
        assert!(
            rare || count > 10,
            "{} was seen {count} times, decides: {decides}",
            outcome.as_str()
        );
    }
}
