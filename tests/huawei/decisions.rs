//! Connections are accepted and rejected by one request that is never sent again.

use css_vpcep_exporter::{
    cloud::Decisions as _,
    model::{Decision, EndpointId, Status},
};

use super::*;

struct Css {
    world: World,
    project: Client,
    ids: Vec<EndpointId>,
}

async fn css(connections: usize) -> Css {
    let world = world(1, connections).await;
    let project = world.project(keys(inline(&world.cloud.secret_key)));
    let read = world.poll(&project).await.result.unwrap();
    let ids = read.connections.iter().map(|one| EndpointId::new(one.endpoint_id())).collect();
    let css = Css { ids, project, world };
    for id in &css.ids {
        let path = format!("clusters/{}/connections/{id}", css.world.clusters[0]);
        css.world.control("POST", &path, json!({"status": "accepted"})).await;
    }
    css
}

impl Css {
    async fn decide(
        &self,
        decision: Decision,
        ids: &[EndpointId],
        seconds: u64,
    ) -> Result<(), (Fate, Reason)> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds);
        let budget = Budget { deadline, first_token: None, priority: Priority::Change };
        let Traced { result, trace } =
            self.project.decide(&self.world.clusters[0], decision, ids, budget).await;
        result.map_err(|error| (error.fate_of_write(&trace), error.reason))
    }

    async fn statuses(&self) -> Vec<Status> {
        let list = self.world.poll(&self.project).await.result.unwrap();
        list.connections.iter().map(|one| one.status).collect()
    }
}

#[tokio::test]
async fn a_decision_about_several_connections_is_one_request_and_shows_at_once() {
    use Status::{Accepted, Rejected};
    let css = css(3).await;
    assert_eq!(css.decide(Decision::Reject, &css.ids[1..], 20).await, Ok(()));
    assert_eq!(css.statuses().await, [Accepted, Rejected, Rejected]);
    assert_eq!(css.decide(Decision::Accept, &css.ids[2..], 20).await, Ok(()));
    assert_eq!(css.statuses().await, [Accepted, Rejected, Accepted]);
    assert_eq!(css.world.ledger().await, (2, 2));
    assert_eq!(css.world.sent("css_update_connections").await, 2);
}

#[tokio::test]
async fn a_decision_of_unknown_fate_is_never_sent_again() {
    let css = css(1).await;
    let cases = [
        ("applied-then-hang", Reason::Timeout, 1),
        ("applied-then-reset", Reason::Reset, 1),
        ("applied-then-500", Reason::Http5xx, 1),
        ("not-applied-then-hang", Reason::Timeout, 0),
        ("not-applied-then-reset", Reason::Reset, 0),
        ("not-applied-then-500", Reason::Http5xx, 0),
        ("server-error", Reason::Http5xx, 0),
    ];
    let (mut seen, mut applied) = (0, 0);
    for (mode, reason, does) in cases {
        css.world.mode("css_update_connections", mode).await;
        let ended = css.decide(Decision::Reject, &css.ids, 1).await;
        assert_eq!(ended, Err((Fate::Unknown, reason)), "{mode}");
        (seen, applied) = (seen + 1, applied + does);
        assert_eq!(css.world.ledger().await, (seen, applied), "{mode}");
    }
}

#[tokio::test]
async fn a_refused_decision_did_nothing_and_is_not_sent_again() {
    let css = css(1).await;
    let unknown = [css.ids[0].clone(), EndpointId::new("00000000-0000-4000-8000-000000000000")];
    let cases = [
        ("throttled", &css.ids[..], Reason::Throttled),
        ("forbidden", &css.ids[..], Reason::NotFound),
        ("not-enabled", &css.ids[..], Reason::Http4xx),
        ("partial", &unknown[..], Reason::Http4xx),
    ];
    for (number, (mode, ids, reason)) in (1..).zip(cases) {
        css.world.mode("css_update_connections", mode).await;
        let refused = css.decide(Decision::Reject, ids, 20).await;
        assert_eq!(refused, Err((Fate::Refused, reason)), "{mode}");
        assert_eq!(css.world.ledger().await, (number, 0), "{mode}");
    }
    assert_eq!(css.statuses().await, [Status::Accepted]);
}
