//! A change of an endpoint service's fields.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Condition, Current, Effect, Outcome, Refusal, ServiceEffect,
    env::{Env, PacedCloud},
    json::{Requested, ServiceView, value},
    plan::{Plan, Verdict, judge, plan},
    subject::{Changeable, Key, Planned, Subject},
};
use crate::{
    audit::Content,
    board::{Attribution, ServiceMeta},
    cloud::{Budget, CloudError, Traced},
    model::{ClusterId, Decision, EndpointId, EndpointService, ServiceFields},
    pacing::Pacer,
};

/// An endpoint service, and the requested change of it.
#[derive(Clone)]
pub(super) struct Service {
    meta: Arc<ServiceMeta>,
    update: ServiceFields,
    condition: Condition,
    /// The fields before the change.
    before: ServiceFields,
}

impl Service {
    pub(super) fn new(meta: Arc<ServiceMeta>, update: ServiceFields, condition: Condition) -> Self {
        Self { meta, update, condition, before: ServiceFields::default() }
    }

    /// It is only read.
    pub(super) fn to_read(meta: Arc<ServiceMeta>) -> Self {
        Self::new(meta, ServiceFields::default(), Condition::None)
    }

    /// The change of an intent; `None` if the record is not of the shape that this program writes.
    pub(super) fn recalled(meta: Arc<ServiceMeta>, intent: &Content) -> Option<Self> {
        let Requested { update, .. } = read_record(&intent.request)?;
        update.present().next()?;
        let before = read_record(&intent.before).map(ServiceView::into).unwrap_or_default();
        Some(Self { meta, update, condition: Condition::None, before })
    }
}

/// A part of a record.
pub(super) fn read_record<T: DeserializeOwned>(part: &Option<Value>) -> Option<T> {
    T::deserialize(part.as_ref()?).ok()
}

impl Subject for Service {
    type State = EndpointService;

    fn key(&self) -> Key {
        Key::Service(self.meta.id.clone())
    }

    fn pacer<C>(cloud: &PacedCloud<C>) -> &Pacer {
        &cloud.vpcep
    }

    fn named(&self, record: Content) -> Content {
        record.of_service(&self.meta.project, &self.meta.id, &self.meta.name)
    }

    fn requested(&self) -> Value {
        value(&Requested::new(&self.condition, &self.update))
    }

    async fn read<C: Changeable>(&self, cloud: &C, budget: Budget) -> Traced<EndpointService> {
        cloud.service(&self.meta.id, budget).await
    }

    async fn send<C: Changeable>(&self, cloud: &C, budget: Budget) -> Traced<()> {
        cloud.update_service(&self.meta.id, &self.update, budget).await
    }

    fn plan(&mut self, current: &EndpointService) -> Planned {
        self.before = current.state();
        let Plan { diff, warnings } = plan(current, &self.update);
        let effect = ServiceEffect { before: current.clone(), after: None, diff };
        Planned { effect: Effect::Service(Box::new(effect)), warnings }
    }

    /// The comparison of tags is strong (RFC 9110, section 13.1.1).
    fn check(&self, current: &EndpointService) -> Result<(), Refusal> {
        let current = Current::of(current.clone());
        match &self.condition {
            Condition::Any => Ok(()),
            Condition::Tags(tags) if tags.contains(&current.etag) => Ok(()),
            Condition::Tags(_) => Err(Refusal::ConditionFailed(Box::new(current))),
            Condition::None => Err(Refusal::ConditionRequired(Box::new(current))),
        }
    }

    fn judge(&self, after: &EndpointService) -> Verdict {
        judge(&self.before, &self.update, after)
    }

    fn conclude(&self, effect: &mut Effect, _: Outcome, after: Option<EndpointService>) {
        if let Effect::Service(effect) = effect {
            effect.after = after;
        }
    }

    fn was_read<R>(
        &self,
        env: &Env<R>,
        read: Result<EndpointService, CloudError>,
        whose: Attribution,
    ) {
        env.services.record(&self.meta, read, env.clock.now(), whose);
    }

    fn begins<R>(&self, env: &Env<R>) {
        env.services.change_begins(&self.meta.id);
    }

    fn ends<R>(&self, env: &Env<R>, may_have_acted: bool) {
        env.services.change_ends(&self.meta.id, may_have_acted.then_some(&self.update));
    }

    fn clusters<R>(&self, env: &Env<R>) -> Vec<ClusterId> {
        let snapshot = env.clusters.snapshot();
        let behind = snapshot.clusters().iter().filter(|state| {
            let name = state.observation.as_ref().and_then(|seen| seen.list.service_name.as_ref());
            name.is_some_and(|name| name.service_id() == self.meta.id.as_str())
        });
        behind.map(|state| state.meta.id.clone()).collect()
    }

    fn decided(&self) -> Option<(Decision, Vec<EndpointId>)> {
        None
    }
}
