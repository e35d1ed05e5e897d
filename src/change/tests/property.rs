//! Chance decides what is, what is asked, and what goes wrong; the ledger holds all the same.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use proptest::{
    array::uniform3,
    bool::weighted as often,
    collection::vec,
    option::{of as maybe, weighted},
    prelude::*,
    sample::select,
};
use tokio::runtime::Builder;

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
    random_tests::check,
};

fn text(of: &'static [&'static str]) -> impl Strategy<Value = Option<Box<str>>> {
    maybe(select(of).prop_map(Into::into))
}

fn ports() -> impl Strategy<Value = Option<Vec<PortMapping>>> {
    let servers = uniform3(maybe(1..=3_u16));
    maybe(servers.prop_map(|servers| {
        let ports = (1..).zip(servers);
        ports.filter_map(|(port, server)| Some(mapping(port, server?))).collect::<Vec<_>>()
    }))
}

prop_compose! {
    fn fields()(
        approval_enabled in any::<Option<bool>>(),
        service_name in text(&["a", "b"]),
        ports in ports(),
        port_id in text(&["p", "q"]),
        tcp_proxy in text(&["close", "open"]),
        description in text(&["", "x"]),
    ) -> ServiceFields {
        let fields = ServiceFields {
            approval_enabled,
            service_name,
            ports,
            port_id,
            tcp_proxy,
            description,
            ip: None,
        };
        match fields == ServiceFields::default() {
            true => ServiceFields { approval_enabled: Some(true), ..fields },
            false => fields,
        }
    }
}

fn put() -> impl Strategy<Value = Put> {
    let unknown = vec![
        error(Reason::Reset, None, ""),
        error(Reason::Timeout, None, ""),
        error(Reason::Http5xx, Some(500), "EndPoint.0001"),
        error(Reason::Http5xx, Some(504), "APIGW.0201"),
        error(Reason::BadJson, Some(200), ""),
    ];
    let refused = vec![
        error(Reason::Http4xx, Some(400), "EndPoint.3044"),
        error(Reason::Auth, Some(401), "APIGW.0301"),
        error(Reason::NotFound, Some(404), "EndPoint.0005"),
        error(Reason::Throttled, Some(429), "APIGW.0308"),
        error(Reason::Redirect, Some(302), ""),
    ];
    let unsent = CloudError { never_sent: true, ..error(Reason::Connect, None, "") };
    let unsent = Put { leaves: false, ..Put::fails(unsent, Acts::NotAtAll) };
    let acts = prop_oneof![
        3 => Just(Acts::Wholly),
        3 => Just(Acts::Partly(&[Field::ServiceName, Field::Ports])),
        2 => Just(Acts::NotAtAll),
    ];
    let acts = acts.boxed();
    let put = prop_oneof![
        2 => acts.clone().prop_map(Put::acts),
        1 => (select(unknown), acts.clone()).prop_map(|(error, acts)| Put::fails(error, acts)),
        1 => select(refused).prop_map(|error| Put::fails(error, Acts::NotAtAll)),
        1 => Just(unsent),
        1 => acts.prop_map(|acts| Put { after: None, ..Put::acts(acts) }),
    ];
    (put, millis(4000), millis(4000)).prop_map(|(put, before, after)| Put {
        before,
        after: put.after.map(|_| after),
        ..put
    })
}

fn millis(most: u64) -> impl Strategy<Value = Duration> {
    (0..most).prop_map(Duration::from_millis)
}

/// The condition of a caller who knows the state, or does not.
#[derive(Clone, Copy, Debug)]
enum Knows {
    Nothing,
    Stale,
    Current,
    Any,
}

/// The status of a connection in a request.
#[derive(Clone, Copy, Debug)]
enum Sees {
    True,
    Pending,
}

/// A request, of which some is filled in when it is made.
#[derive(Clone, Debug)]
enum Plan {
    Service(ServiceFields, Knows),
    /// A decision about those of the connections that are there.
    Connections(Decision, [Option<Sees>; 3]),
}

#[derive(Clone, Debug)]
struct Round {
    plan: Plan,
    dry_run: bool,
    put: Put,
    /// Time for which readings show the old state.
    lag: Duration,
    log_refuses: bool,
    /// The callers hang up after this time.
    gone_after: Option<Duration>,
}

fn plan() -> impl Strategy<Value = Plan> {
    use Knows::{Any, Current, Nothing, Stale};
    let knows = select(vec![Any, Nothing, Current, Stale]);
    let sees = prop_oneof![7 => Just(Sees::True), 1 => Just(Sees::Pending)];
    let action = select(vec![Decision::Accept, Decision::Reject]);
    prop_oneof![
        (fields(), knows).prop_map(|(fields, knows)| Plan::Service(fields, knows)),
        (action, uniform3(weighted(0.67, sees)))
            .prop_map(|(action, seen)| Plan::Connections(action, seen)),
    ]
}

prop_compose! {
    fn round()(
        plan in plan(),
        dry_run in often(0.125),
        put in put(),
        lag in millis(12_000),
        log_refuses in often(0.125),
        gone_after in weighted(0.25, millis(10_000)),
    ) -> Round {
        Round { plan, dry_run, put, lag, log_refuses, gone_after }
    }
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
fn check_report(rig: &Rig, asked: &ChangeRequest, before: &Truth, report: &Report) {
    let truth = Truth::of(rig);
    let wanted = before.clone().with(&asked.wanted);
    let shown = format!("{asked:?} {report:?}");
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

/// The request as it is made now.
fn asked(plan: Plan, dry_run: bool, rig: &Rig) -> ChangeRequest {
    match plan {
        Plan::Service(fields, knows) => {
            let condition = match knows {
                Knows::Nothing => Condition::None,
                Knows::Stale => Condition::Tags(vec!["stale".into()]),
                Knows::Current => Condition::Tags(vec![etag(&rig.fake.state().services[&id()])]),
                Knows::Any => Condition::Any,
            };
            Ask { condition, dry_run, ..request(fields) }.into()
        }
        Plan::Connections(action, seen) => {
            let all = rig.fake.state().connections.clone();
            let seen = all.into_iter().zip(seen).filter_map(|((id, status), seen)| match seen? {
                Sees::True => Some((id, status)),
                Sees::Pending => Some((id, Status::PendingAcceptance)),
            });
            decision(action, &seen.collect::<Vec<_>>(), dry_run)
        }
    }
}

/// The number of changes that were sent to the cloud.
fn sent(rig: &Rig) -> usize {
    let state = rig.fake.state();
    state.puts.len() + state.decisions.len()
}

/// The number of times that each outcome was seen, of changes of a service and of decisions.
type Seen = RefCell<HashMap<(bool, Outcome), usize>>;

async fn run(first: ServiceFields, rounds: Vec<Round>, seen: &Seen) {
    let mut start = service();
    take(&mut start.fields, &first, &Field::ALL);
    let rig = Rig::with(Fake::new([start]), Log::default(), Vec::new());
    // It is going away, so no one can decide about it.
    rig.fake.state().connections.remove("d");
    for Round { plan, dry_run, put, lag, log_refuses, gone_after } in rounds {
        rig.put(put);
        {
            let mut state = rig.fake.state();
            state.lag = lag;
            state.reads = Reads::Answer;
        }
        let refuses = if log_refuses { vec![Kind::Intent] } else { Vec::new() };
        *rig.log.refuses.lock().unwrap() = refuses;
        let asked = asked(plan, dry_run, &rig);
        let before = Truth::of(&rig);
        let sent_before = sent(&rig);
        let (one, two) = (rig.changes.change(asked.clone()), rig.changes.change(asked.clone()));
        if let Some(gone_after) = gone_after {
            // Both hang up.
            let both = async { tokio::join!(one, two) };
            let _ = tokio::time::timeout(gone_after, both).await;
        } else {
            let (one, two) = tokio::join!(one, two);
            for report in [&one, &two].into_iter().flatten() {
                let decides = matches!(asked.wanted, Wanted::Connections { .. });
                *seen.borrow_mut().entry((decides, report.outcome)).or_default() += 1;
                check_report(&rig, &asked, &before, report);
            }
            let reports = [&one, &two].into_iter().filter(|result| result.is_ok()).count();
            let refused = matches!(two, Err(Refusal::InProgress));
            assert!(asked.dry_run || (reports <= 1 && refused), "{one:?} {two:?}");
        }
        // Recovery ends the changes that were left.
        tokio::time::sleep(Duration::from_secs(120)).await;
        let sent = sent(&rig) - sent_before;
        assert!(sent <= 1, "I5: it was sent {sent} times");
        rig.check_ledger();
    }
}

#[test]
fn whatever_goes_wrong_the_ledger_holds_and_no_answer_lies() {
    let seen = Seen::default();
    check(200, &(fields(), vec(round(), 1..=16)), |(first, rounds)| {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(run(first, rounds, &seen));
    });
    let seen = seen.into_inner();
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
