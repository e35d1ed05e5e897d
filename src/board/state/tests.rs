//! The state of a cluster after polls.

use super::*;
use crate::{cloud::Reason, model::ConnectionFields};

const STALE_AFTER: Duration = Duration::from_secs(900);

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn cluster() -> ClusterState {
    ClusterState::new(ClusterMeta {
        region: RegionId::parse("cn-north-4").unwrap(),
        project: "prod".into(),
        id: ClusterId::parse("5c77b71c-5b35-4f50-8984-76387e42451a").unwrap(),
        name: "logs".into(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    })
}

fn attempt(second: i64, result: Result<Vec<Connection>, CloudError>) -> Attempt {
    let list =
        |connections| ConnectionList { connections, ..ConnectionList::service_not_enabled() };
    let result = result.map(|connections| Arc::new(list(connections)));
    let outcome = Traced { result, trace: Trace::default() };
    Attempt { at: time(second), duration: Duration::from_millis(5), outcome }
}

impl ClusterState {
    fn then(&self, attempt: Attempt) -> Self {
        let next_poll = attempt.at;
        self.after(attempt, next_poll)
    }
}

fn failure() -> CloudError {
    CloudError::new(Reason::Http5xx, "no")
}

fn since(state: &ClusterState) -> Vec<(String, Option<i64>)> {
    let observation = state.observation.as_deref().unwrap();
    observation
        .connections()
        .map(|(connection, since)| {
            (connection.endpoint_id().to_string(), since.map(|at| at.as_second() - 1_700_000_000))
        })
        .collect()
}

#[test]
fn changes_are_counted_and_dated_but_appearing_and_vanishing_are_none() {
    let fields = ConnectionFields::bare("c", Status::Accepted);
    let updated: Connection = ConnectionFields { updated: Some(time(-500)), ..fields }.into();
    let state = cluster().then(attempt(
        0,
        Ok(vec![
            Connection::bare("a", Status::Creating),
            Connection::bare("b", Status::Accepted),
            updated.clone(),
        ]),
    ));
    assert_eq!(state.transitions, [0; 7]);
    let expected = [("a".to_owned(), None), ("b".to_owned(), None), ("c".to_owned(), Some(-500))];
    assert_eq!(since(&state), expected);

    let second = vec![Connection::bare("a", Status::Rejected), updated.clone()];
    let state = state.then(attempt(60, Ok(second.clone())));
    assert_eq!(state.transitions[Status::Rejected as usize], 1);
    assert_eq!(since(&state)[0], ("a".to_owned(), Some(60)));
    assert_eq!(state.recent_transitions.len(), 1);

    let state = state.then(attempt(120, Ok(second)));
    assert_eq!(since(&state)[0], ("a".to_owned(), Some(60)), "the date of a change stays");

    let back =
        vec![Connection::bare("a", Status::Rejected), Connection::bare("b", Status::Rejected)];
    let state = state.then(attempt(180, Ok(back)));
    assert_eq!(state.transitions.iter().sum::<u64>(), 1, "b vanished and appeared");
    assert_eq!(since(&state)[1], ("b".to_owned(), None));
}

#[test]
fn a_failure_keeps_the_last_good_data_and_its_age() {
    let good = vec![Connection::bare("a", Status::Accepted)];
    let state = cluster().then(attempt(0, Ok(good)));
    let observation = state.observation.clone();
    let state = state.then(attempt(60, Err(failure())));
    assert_eq!(state.observation, observation);
    assert_eq!(state.up(), Some(false));
    assert_eq!(state.last_poll().and_then(|poll| poll.error.clone()), Some(failure()));
}

#[test]
fn a_run_of_failures_has_the_date_of_its_first() {
    let mut state = cluster();
    let good = || Ok(vec![]);
    let bad = || Err(failure());
    for (second, result, since) in [
        (0, bad(), Some(0)),
        (60, bad(), Some(0)),
        (120, good(), None),
        (180, bad(), Some(180)),
        (240, bad(), Some(180)),
        (300, Err(CloudError::new(Reason::Auth, "another")), Some(180)),
    ] {
        state = state.then(attempt(second, result));
        assert_eq!(state.failing_since, since.map(time), "{second}");
        assert_eq!(state.last_error().is_some(), since.is_some(), "{second}");
    }
    for second in 0..100 {
        state = state.then(attempt(360 + second * 60, bad()));
    }
    assert_eq!(state.failing_since, Some(time(180)), "longer ago than the polls that are kept");
}

#[test]
fn a_service_that_is_switched_off_or_on_has_a_date() {
    let mut state = cluster();
    for (second, enabled, switched) in [
        (0, Some(true), None),
        (60, Some(false), Some(60)),
        (120, None, Some(60)),
        (180, Some(false), Some(60)),
        (240, Some(true), Some(240)),
        (300, Some(true), Some(240)),
    ] {
        let mut poll = attempt(second, enabled.map(|_| vec![]).ok_or_else(failure));
        if let (Ok(list), Some(enabled)) = (&mut poll.outcome.result, enabled) {
            Arc::make_mut(list).service_enabled = enabled;
        }
        state = state.then(poll);
        assert_eq!(state.service_switched, switched.map(time), "{second}");
    }
    let off = cluster().then(attempt(0, Ok(vec![]))).then(attempt(60, Ok(vec![])));
    assert_eq!(off.service_switched, None, "nobody saw when");
}

#[test]
fn freshness_is_one_of_four() {
    let state = cluster();
    assert_eq!(state.freshness(time(0), STALE_AFTER), Freshness::Never);
    assert_eq!(state.up(), None);
    let failed = state.then(attempt(0, Err(failure())));
    assert_eq!(failed.freshness(time(0), STALE_AFTER), Freshness::Never);
    let good = state.then(attempt(0, Ok(vec![])));
    assert_eq!(good.freshness(time(899), STALE_AFTER), Freshness::Fresh);
    assert_eq!(good.freshness(time(900), STALE_AFTER), Freshness::Stale);
    assert!(good.shown(time(900), STALE_AFTER).is_none());
    assert_eq!(good.freshness(time(-3600), STALE_AFTER), Freshness::Fresh, "clock set back");
    let failing = good.then(attempt(60, Err(failure())));
    assert_eq!(failing.freshness(time(899), STALE_AFTER), Freshness::Failing);
    assert_eq!(failing.freshness(time(900), STALE_AFTER), Freshness::Stale);
}

#[test]
fn what_a_wrong_clock_saw_is_forgotten() {
    let state = cluster().then(attempt(0, Ok(vec![]))).then(attempt(600, Ok(vec![])));
    let kept = |latest| {
        let mut state = state.clone();
        state.forget_after(time(latest));
        (state.observation.is_some(), state.polls.len())
    };
    assert_eq!([kept(600), kept(599), kept(-1)], [(true, 2), (false, 1), (false, 0)]);
    let mut state = state.then(attempt(1200, Err(failure())));
    state.forget_after(time(600));
    assert_eq!((state.up(), state.failing_since), (Some(true), None));
}

#[test]
fn history_is_bounded() {
    let mut state = cluster();
    for round in 0..200 {
        let status = if round % 2 == 0 { Status::Accepted } else { Status::Rejected };
        state = state.then(attempt(round, Ok(vec![Connection::bare("a", status)])));
    }
    assert_eq!(state.polls.len(), POLLS_KEPT);
    assert_eq!(state.recent_transitions.len(), TRANSITIONS_KEPT);
    assert_eq!(state.transitions.iter().sum::<u64>(), 199);
}
