//! A cloud with endpoint services, in memory.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::ID;
use crate::{
    cloud::{Budget, Cloud, CloudError, Decisions, Listed, Reason, Services, Trace, Traced},
    model::{
        ClusterId, Connection, ConnectionList, Decision, EndpointId, EndpointService, Field,
        ServiceFields, ServiceId, ServiceName, Status,
    },
    pacing::Priority,
};

/// The cloud's reaction to a change.
#[derive(Clone, Debug)]
pub(super) struct Put {
    /// Before it acts.
    pub(super) before: Duration,
    pub(super) acts: Acts,
    /// After it acted; `None`: it never answers.
    pub(super) after: Option<Duration>,
    pub(super) answer: Result<(), CloudError>,
    /// The request left the machine.
    pub(super) leaves: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Acts {
    Wholly,
    NotAtAll,
    /// Takes these fields only.
    Partly(&'static [Field]),
    /// And someone else does this right after.
    ThenAnother(ServiceFields),
    /// And the first connection vanishes right after.
    ThenGone,
    Panics,
}

impl Put {
    pub(super) fn ok() -> Self {
        let at_once = Duration::ZERO;
        Self {
            before: at_once,
            acts: Acts::Wholly,
            after: Some(at_once),
            answer: Ok(()),
            leaves: true,
        }
    }

    pub(super) fn acts(acts: Acts) -> Self {
        Self { acts, ..Self::ok() }
    }

    pub(super) fn fails(error: CloudError, acts: Acts) -> Self {
        Self { answer: Err(error), acts, ..Self::ok() }
    }
}

pub(super) fn error(reason: Reason, status: Option<u16>, code: &str) -> CloudError {
    CloudError {
        status,
        code: (!code.is_empty()).then(|| code.to_owned()),
        request_id: status.map(|_| "request-of-the-failure".to_owned()),
        ..CloudError::new(reason, "as told")
    }
}

/// The cloud's reaction to a reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reads {
    Answer,
    Hang,
    Fail,
    /// They fail once a change was sent.
    FailAfterPut,
}

pub(super) struct State {
    pub(super) services: HashMap<ServiceId, EndpointService>,
    pub(super) put: Put,
    pub(super) reads: Reads,
    /// Time for which a reading still shows the state before a change.
    pub(super) lag: Duration,
    /// The changes, and if each did something.
    pub(super) puts: Vec<(Instant, ServiceFields, bool)>,
    /// The connections of the one cluster.
    pub(super) connections: BTreeMap<&'static str, Status>,
    /// The decisions about them.
    pub(super) decisions: Vec<(Instant, Value)>,
    old_list: Option<(Instant, Arc<ConnectionList>)>,
    /// The number of readings.
    pub(super) read: usize,
    /// With which priority the last one was.
    pub(super) priority: Option<Priority>,
    in_flight: usize,
    old: Option<(Instant, EndpointService)>,
}

/// A cloud in memory. Clones are the same one.
#[derive(Clone)]
pub(super) struct Fake(Arc<Mutex<State>>);

impl Fake {
    pub(super) fn new(services: impl IntoIterator<Item = EndpointService>) -> Self {
        let services = services.into_iter().map(|service| (service.id.clone(), service));
        Self(Arc::new(Mutex::new(State {
            services: services.collect(),
            put: Put::ok(),
            reads: Reads::Answer,
            lag: Duration::ZERO,
            puts: Vec::new(),
            connections: BTreeMap::from([
                ("a", Status::Rejected),
                ("b", Status::Rejected),
                ("c", Status::Accepted),
                ("d", Status::Deleting),
            ]),
            decisions: Vec::new(),
            old_list: None,
            read: 0,
            priority: None,
            in_flight: 0,
            old: None,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The result of a poll of the cluster.
    pub(super) fn list(&self) -> Arc<ConnectionList> {
        let name = ServiceName::new(&format!("cn-north-4.logs.{ID}"));
        let connections = self.state().connections.clone();
        Arc::new(ConnectionList {
            service_enabled: true,
            service_name: Some(name),
            connections: connections
                .iter()
                .map(|(id, status)| Connection::bare(id, *status))
                .collect(),
            ..ConnectionList::service_not_enabled()
        })
    }

    /// The result of this reading, which it counts.
    fn reading(&self, budget: &Budget) -> Reads {
        let mut state = self.state();
        state.read += 1;
        state.priority = Some(budget.priority);
        let was_changed = !state.puts.is_empty() || !state.decisions.is_empty();
        match state.reads {
            Reads::FailAfterPut if was_changed => Reads::Fail,
            Reads::FailAfterPut => Reads::Answer,
            reads => reads,
        }
    }

    pub(super) fn truth(&self) -> ServiceFields {
        self.state().services[&id()].fields.clone()
    }
}

/// Takes the fields of an update that are named.
pub(super) fn take(fields: &mut ServiceFields, update: &ServiceFields, names: &[Field]) {
    macro_rules! take {
        ($($name:ident: $field:ident),*) => {
            $(if names.contains(&Field::$field) && update.$name.is_some() {
                fields.$name = update.$name.clone();
            })*
        };
    }
    take!(
        approval_enabled: ApprovalEnabled,
        service_name: ServiceName,
        ports: Ports,
        port_id: PortId,
        tcp_proxy: TcpProxy,
        description: Description,
        ip: Ip
    );
}

impl Services for Fake {
    async fn service(&self, id: &ServiceId, budget: Budget) -> Traced<EndpointService> {
        let reads = self.reading(&budget);
        if reads == Reads::Hang {
            tokio::time::sleep_until(budget.deadline).await;
        }
        let state = self.state();
        let result = match reads {
            Reads::Answer => {
                let old = state.old.as_ref().filter(|(until, _)| *until > Instant::now());
                let found = old.map(|(_, old)| old).or_else(|| state.services.get(id));
                found.cloned().ok_or_else(|| CloudError::new(Reason::NotFound, "none"))
            }
            _ => Err(error(Reason::Timeout, None, "")),
        };
        Traced { result, trace: Trace { requests: 1, ..Trace::default() } }
    }

    async fn services(&self, _: &[ServiceId], _: Budget) -> Traced<Listed> {
        unreachable!("changes read one service")
    }

    async fn update_service(
        &self,
        id: &ServiceId,
        update: &ServiceFields,
        budget: Budget,
    ) -> Traced<()> {
        assert!(budget.first_token.is_some(), "a change has paid for its request");
        let put = self.state().put.clone();
        if !put.leaves {
            return Traced { result: put.answer, trace: Trace::default() };
        }
        let index = {
            let mut state = self.state();
            state.in_flight += 1;
            assert_eq!(state.in_flight, 1, "I6: two changes of a service at once");
            state.puts.push((Instant::now(), update.clone(), false));
            state.puts.len() - 1
        };
        let _landed = Landed(self.clone());
        tokio::time::sleep(put.before).await;
        {
            let mut state = self.state();
            let before = state.services[id].clone();
            let fields = &mut state.services.get_mut(id).unwrap().fields;
            match &put.acts {
                Acts::Wholly | Acts::ThenGone => take(fields, update, &Field::ALL),
                Acts::NotAtAll => {}
                Acts::Partly(names) => take(fields, update, names),
                Acts::ThenAnother(other) => {
                    take(fields, update, &Field::ALL);
                    take(fields, other, &Field::ALL);
                }
                Acts::Panics => {
                    take(fields, update, &Field::ALL);
                    drop(state);
                    panic!("a fault");
                }
            }
            let acted = state.services[id].fields != before.fields;
            state.puts[index].2 = acted;
            let until = Instant::now() + state.lag;
            state.old = Some((until, before));
        }
        match put.after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
        let request_ids = vec!["request-of-the-put".to_owned()];
        Traced { result: put.answer, trace: Trace { requests: 1, request_ids, ..Trace::default() } }
    }
}

impl Cloud for Fake {
    async fn connections(&self, _: &ClusterId, budget: Budget) -> Traced<Arc<ConnectionList>> {
        let reads = self.reading(&budget);
        if reads == Reads::Hang {
            tokio::time::sleep_until(budget.deadline).await;
        }
        let old = self.state().old_list.clone().filter(|(until, _)| *until > Instant::now());
        let result = match reads {
            Reads::Answer => Ok(old.map_or_else(|| self.list(), |(_, old)| old)),
            _ => Err(error(Reason::Timeout, None, "")),
        };
        Traced { result, trace: Trace { requests: 1, ..Trace::default() } }
    }
}

impl Decisions for Fake {
    async fn decide(
        &self,
        _: &ClusterId,
        decision: Decision,
        ids: &[EndpointId],
        budget: Budget,
    ) -> Traced<()> {
        assert!(budget.first_token.is_some(), "a change has paid for its request");
        let put = self.state().put.clone();
        if !put.leaves {
            return Traced { result: put.answer, trace: Trace::default() };
        }
        let landed = {
            let mut state = self.state();
            state.in_flight += 1;
            assert_eq!(state.in_flight, 1, "I6: two decisions about a cluster at once");
            let body = json!({ "action": decision, "ids": ids });
            state.decisions.push((Instant::now(), body));
            Landed(self.clone())
        };
        tokio::time::sleep(put.before).await;
        let (before, count) = match &put.acts {
            Acts::NotAtAll => (self.list(), 0),
            Acts::Partly(_) => (self.list(), 1),
            _ => (self.list(), ids.len()),
        };
        {
            let mut state = self.state();
            for id in ids.iter().take(count) {
                let status = state.connections.get_mut(id.as_str()).expect("it is there");
                *status = decision.status();
            }
            if let Acts::ThenGone = put.acts {
                state.connections.remove(ids[0].as_str());
            }
            let until = Instant::now() + state.lag;
            state.old_list = Some((until, before));
        }
        assert_ne!(put.acts, Acts::Panics, "a fault");
        match put.after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
        drop(landed);
        let request_ids = vec!["request-of-the-post".to_owned()];
        Traced { result: put.answer, trace: Trace { requests: 1, request_ids, ..Trace::default() } }
    }
}

struct Landed(Fake);

impl Drop for Landed {
    fn drop(&mut self) {
        if let Ok(mut state) = self.0.0.lock() {
            state.in_flight -= 1;
        }
    }
}

pub(super) fn id() -> ServiceId {
    ServiceId::parse(ID).unwrap()
}
