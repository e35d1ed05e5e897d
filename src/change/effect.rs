//! The effect of a change, by its kind.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{
    ConnectionChange, Difference, Outcome,
    json::{ConnectionsView, ServiceChangeView, value},
    plan::differences,
};
use crate::{label::labels, model::EndpointService};

labels! {
    /// The two kinds of change.
    pub enum Kind {
        /// The fields of an endpoint service.
        Service = "service",
        /// The decision about connections of a cluster.
        Connections = "connections",
    }
}

/// The effect that a change would have, or had. As JSON it is a [`ServiceChangeView`] or a
/// [`ConnectionsView`].
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Effect {
    /// On an endpoint service.
    Service(Box<ServiceEffect>),
    /// On connections, in the order of the request.
    #[serde(serialize_with = "connections")]
    Connections(Vec<ConnectionChange>),
}

fn connections<S: Serializer>(all: &[ConnectionChange], serializer: S) -> Result<S::Ok, S::Error> {
    ConnectionsView { connections: all.to_vec() }.serialize(serializer)
}

/// The effect on an endpoint service.
#[derive(Clone, Debug, Serialize)]
#[serde(into = "ServiceChangeView")]
pub struct ServiceEffect {
    /// The service before.
    pub before: EndpointService,
    /// The service as it was read afterwards, if it was.
    pub after: Option<EndpointService>,
    /// The differences between the state before and the requested one.
    pub diff: Vec<Difference>,
}

impl From<ServiceEffect> for ServiceChangeView {
    fn from(ServiceEffect { before, after, diff }: ServiceEffect) -> Self {
        Self { before: (&before).into(), after: after.as_ref().map(Into::into), diff }
    }
}

impl Effect {
    /// The kind of the change.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Service(_) => Kind::Service,
            Self::Connections(_) => Kind::Connections,
        }
    }

    /// True if everything already matches.
    pub(super) fn is_none(&self) -> bool {
        match self {
            Self::Service(effect) => effect.diff.is_empty(),
            Self::Connections(_) => self.due().next().is_none(),
        }
    }

    /// The connections that have, or had, to change.
    fn due(&self) -> impl Iterator<Item = &ConnectionChange> {
        let all: &[ConnectionChange] = match self {
            Self::Service(_) => &[],
            Self::Connections(all) => all,
        };
        all.iter().filter(|one| one.outcome != Outcome::Unchanged)
    }

    /// Ends every connection so that has no end yet.
    pub(super) fn end_as(&mut self, outcome: Outcome) {
        if let Self::Connections(all) = self {
            let open = all.iter_mut().filter(|one| one.outcome == Outcome::Planned);
            open.for_each(|one| one.outcome = outcome);
        }
    }

    /// The state before, for the record.
    pub(super) fn before(&self) -> Value {
        match self {
            Self::Service(effect) => value(&super::ServiceView::from(&effect.before)),
            Self::Connections(all) => {
                all.iter().map(|one| (one.endpoint_id.as_str(), value(&one.from))).collect()
            }
        }
    }

    /// The requested differences, for the record.
    pub(super) fn diff(&self) -> Value {
        match self {
            Self::Service(effect) => value(&effect.diff),
            Self::Connections(_) => value(&self.due().collect::<Vec<_>>()),
        }
    }

    /// The differences that were found afterwards, requested or not.
    pub(super) fn found(&self) -> Option<Value> {
        match self {
            Self::Service(effect) => {
                let after = effect.after.as_ref()?;
                Some(value(&differences(&effect.before.state(), after)))
            }
            Self::Connections(_) => Some(self.diff()),
        }
    }
}
