//! What discovery promises, sentence by sentence.

use super::*;

#[tokio::test(start_paused = true)]
async fn new_clusters_are_polled_at_once_and_the_others_do_not_notice() {
    let cloud = Fake::of(0..50);
    let running = run(vec![project("p", &cloud)], Vec::new(), &[]);
    assert_eq!(Arc::strong_count(&running.first_lists), 2, "the first list is not there yet");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(Arc::strong_count(&running.first_lists), 1);
    assert!((0..50).all(|number| cloud.calls(number).len() == 1));
    sleep(MINUTE * 5).await;
    for round in 0..20 {
        cloud.add(100 + round, "new");
        sleep(LIST_INTERVAL).await;
    }
    for number in 0..50 {
        let calls = cloud.calls(number);
        for pair in calls[1..].windows(2) {
            let gap = (pair[1] - pair[0]).as_millis();
            assert!((59_990..=60_010).contains(&gap), "cluster {number}: {gap} ms");
        }
    }
    let lists = cloud.with(|state| state.lists);
    assert!((25..=27).contains(&lists), "one list in each interval: {lists}");
    assert_eq!(running.ids(), ids((0..50).chain(100..120)));
    let first: Vec<_> = (100..120).map(|number| cloud.calls(number)[0]).collect();
    let spread = first.windows(2).all(|two| (two[1] - two[0]).as_secs().abs_diff(60) <= 1);
    assert!(spread, "each is polled as soon as its list is there: {first:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_is_late_or_empty_takes_nothing_away() {
    for bad in [Answer::Fails(Reason::Forbidden), Answer::Hangs, Answer::After(Duration::ZERO)] {
        let cloud = Fake::of(0..10);
        let running = run(vec![project("p", &cloud)], Vec::new(), &[]);
        sleep(MINUTE).await;
        cloud.with(|state| {
            state.list = bad;
            if bad == Answer::After(Duration::ZERO) {
                state.listed.clear();
            }
        });
        sleep(MINUTE * 60).await;
        assert_eq!(running.ids(), ids(0..10), "{bad:?}");
        assert!((60..=63).contains(&cloud.calls(3).len()), "and all are polled");
        let families = running.stats.gather();
        let value = |name: &str| {
            let family = families.iter().find(|family| family.name().ends_with(name)).unwrap();
            let value = |metric: &prometheus::proto::Metric| {
                metric.get_counter().get_value() + metric.get_gauge().get_value()
            };
            family.get_metric().iter().map(value).sum::<f64>()
        };
        // One that hangs is given up after half a minute.
        assert!(value("discovery_failures_total") >= 29.0);
        assert_eq!(value("discovery_clusters"), 10.0);
        let last = value("discovery_last_success_timestamp_seconds") - START.as_second() as f64;
        assert!(last < 61.0, "{last}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_list_that_fails_is_read_again_soon_whatever_the_interval() {
    let cloud = Fake::of(0..10);
    cloud.with(|state| state.list = Answer::Fails(Reason::Http5xx));
    let mut slow = project("p", &cloud);
    slow.discovery = Some(Arc::new(DiscoverySettings { interval: MINUTE * 60 * 24, ..settings() }));
    let running = run(vec![slow], Vec::new(), &[]);
    sleep(MINUTE).await;
    assert_eq!(Arc::strong_count(&running.first_lists), 1, "readiness does not wait for it");
    cloud.with(|state| state.list = Answer::After(Duration::ZERO));
    sleep(MINUTE * 5).await;
    assert_eq!(running.ids(), ids(0..10));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_list_under_way_when_the_configuration_changes_is_thrown_away() {
    let cloud = Fake::of(0..3);
    cloud.with(|state| state.list = Answer::After(Duration::from_secs(20)));
    let running = run(vec![project("p", &cloud)], Vec::new(), &[]);
    sleep(Duration::from_secs(10)).await;
    // The list that is under way has cluster 2, the next one has not.
    cloud.remove(2);
    running.replace(vec![project("p", &cloud)], vec![configured("p", 9, "nine")]).await;
    assert_eq!(running.ids(), ids([9]));
    sleep(Duration::from_secs(15)).await;
    assert_eq!(running.ids(), ids([9]), "the first list would be there now");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(running.ids(), ids([0, 1, 9]));
    assert_eq!(cloud.with(|state| state.lists), 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_configuration_wins_and_a_cluster_is_polled_once() {
    let (one, two) = (Fake::of(0..4), Fake::of(2..6));
    let plain = Target { discovery: None, ..project("plain", &one) };
    let projects = vec![project("a", &one), project("b", &two), plain];
    let clusters = vec![configured("a", 0, "mine"), configured("plain", 5, "plain")];
    let running = run(projects, clusters, &[]);
    sleep(MINUTE).await;
    let board = running.board.snapshot();
    let meta = |number| board.cluster(&id(number)).unwrap().meta.clone();
    let told: Vec<_> = (0..6)
        .map(|number| (meta(number).project.to_string(), meta(number).name.to_string()))
        .collect();
    let expected =
        [("a", "mine"), ("a", "c1"), ("a", "c2"), ("a", "c3"), ("b", "c4"), ("plain", "plain")];
    assert_eq!(told, expected.map(|(project, name)| (project.to_owned(), name.to_owned())));
    assert_eq!((meta(0).interval, meta(1).interval), (MINUTE * 2, MINUTE));
    let labels =
        |number| meta(number).labels.pairs().map(|(_, value)| value.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        (labels(0), labels(1)),
        (vec!["own".to_owned()], vec!["platform".into(), "search".into()])
    );
    assert!(meta(0).listed.is_some() && meta(5).listed.is_none());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_polls_what_was_discovered_before_without_a_list() {
    let cloud = Fake::of(0..5);
    let before = run(vec![project("p", &cloud)], Vec::new(), &[]);
    sleep(MINUTE).await;
    let metas: Vec<_> =
        before.board.snapshot().clusters().iter().map(|state| (*state.meta).clone()).collect();
    before.stop().await;
    cloud.with(|state| state.list = Answer::Hangs);
    let after = run(vec![project("p", &cloud)], Vec::new(), &metas);
    assert_eq!(after.ids(), ids(0..5));
    let narrow = DiscoverySettings { include: vec!["c1".into(), "c2".into()], ..settings() };
    let narrow = Target { discovery: Some(Arc::new(narrow)), ..project("p", &cloud) };
    after.replace(vec![narrow], Vec::new()).await;
    assert_eq!(after.ids(), ids([1, 2]), "and a reload with other filters ends the others at once");
    after.replace(vec![Target { discovery: None, ..project("p", &cloud) }], Vec::new()).await;
    assert_eq!(after.ids(), ids([]));
    after.stop().await;
    let elsewhere = run(vec![project("q", &cloud)], Vec::new(), &metas);
    assert_eq!(elsewhere.ids(), ids([]), "they are those of another project");
    elsewhere.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_cluster_has_one_shard() {
    let cloud = Fake::of(0..60);
    let mut all = BTreeSet::new();
    for index in 0..3 {
        let shard = DiscoverySettings { shard: Shard { index, count: 3 }, ..settings() };
        let target = Target { discovery: Some(Arc::new(shard)), ..project("p", &cloud) };
        let running = run(vec![target], Vec::new(), &[]);
        sleep(MINUTE).await;
        let own = running.ids();
        assert!(own.len() > 5 && own.is_disjoint(&all));
        all.extend(own);
        running.stop().await;
    }
    assert_eq!(all, ids(0..60));
}
