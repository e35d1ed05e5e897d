//! A report as JSON.

use serde::Serialize;

use super::{
    Effect, Report,
    json::{ChangeView, ConnectionsView, ServiceChangeView},
};

/// The effect of a change as JSON.
#[derive(Serialize)]
#[serde(untagged)]
pub enum EffectView {
    /// On an endpoint service.
    Service(Box<ServiceChangeView>),
    /// On connections.
    Connections(ConnectionsView),
}

impl From<&Effect> for EffectView {
    fn from(effect: &Effect) -> Self {
        match effect {
            Effect::Service(effect) => Self::Service(Box::new(ServiceChangeView {
                before: (&effect.before).into(),
                after: effect.after.as_ref().map(Into::into),
                diff: effect.diff.clone(),
            })),
            Effect::Connections(all) => {
                Self::Connections(ConnectionsView { connections: all.clone() })
            }
        }
    }
}

/// A report as JSON.
pub fn view(report: &Report) -> ChangeView<EffectView> {
    ChangeView {
        change_id: report.change_id.clone(),
        outcome: report.outcome,
        sent: report.sent,
        safe_to_retry: report.safe_to_retry,
        effect: (&report.effect).into(),
        cloud: report.cloud.clone(),
        warnings: report.warnings.clone(),
    }
}
