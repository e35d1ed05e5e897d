//! Fifteen hundred clusters of which some are renamed, deleted and made again all the time, while they are
//! polled, and a scraper that looks for gaps.

use css_vpcep_exporter::exposition::{Format, Settings, Sources, Store, text};

use super::*;
use crate::support::page::Page;

const CLUSTERS: u32 = 1500;
const MINUTES: u32 = 15;
const SCRAPES_A_MINUTE: u32 = 3;
/// A list is asked for once in an interval, and is there a moment later.
const SEEN_WITHIN: Duration = LIST_INTERVAL.saturating_add(Duration::from_secs(5));

/// What is true of a cluster, and since when.
struct Truth {
    name: String,
    named: Instant,
    made: Instant,
    deleted: Option<Instant>,
}

struct World {
    cloud: Fake,
    truth: BTreeMap<u32, Truth>,
    random: fastrand::Rng,
    next: u32,
}

impl World {
    fn make(&mut self, name: &str) {
        let (number, now) = (self.next, Instant::now());
        self.next += 1;
        self.cloud.add(number, name);
        let truth = Truth { name: name.to_owned(), named: now, made: now, deleted: None };
        self.truth.insert(number, truth);
    }

    fn some(&mut self, count: usize) -> Vec<u32> {
        let living = self.truth.iter().filter(|(_, truth)| truth.deleted.is_none());
        let living: Vec<u32> = living.map(|(number, _)| *number).collect();
        (0..count).map(|_| living[self.random.usize(..living.len())]).collect()
    }

    /// Renames some, deletes some, and makes some of these again: with their names, but with ids of their own.
    fn churn(&mut self, round: u32) {
        let now = Instant::now();
        for number in self.some(20) {
            let name = format!("renamed-{number}-{round}");
            self.cloud.add(number, &name);
            let truth = self.truth.get_mut(&number).unwrap();
            (truth.name, truth.named) = (name, now);
        }
        for number in self.some(10) {
            self.cloud.remove(number);
            let truth = self.truth.get_mut(&number).unwrap();
            if truth.deleted.replace(now).is_none() {
                let name = truth.name.clone();
                self.make(&name);
            }
        }
    }

    /// Compares a page with the truth.
    fn judge(&self, page: &str) {
        let now = Instant::now();
        let shown = shown(page);
        for (number, truth) in &self.truth {
            let Truth { name, named, made, deleted } = truth;
            let found = shown.get(&id(*number));
            match deleted {
                None if now - *made > SEEN_WITHIN => {
                    assert!(found.is_some(), "{number} is missing")
                }
                // Two lists are a whole interval apart.
                Some(at) if now - *at < LIST_INTERVAL && *at - *made > SEEN_WITHIN => {
                    assert!(found.is_some(), "{number} went too soon");
                }
                Some(at) if now - *at > LIST_INTERVAL + SEEN_WITHIN => {
                    assert!(found.is_none(), "{number} never went");
                }
                _ => {}
            }
            if let Some(found) = found.filter(|_| deleted.is_none() && now - *named > SEEN_WITHIN) {
                assert_eq!(found, name, "{number} has an old name");
            }
        }
        let known = |number: u32| self.truth.contains_key(&number);
        assert!(shown.keys().all(|id| u32::from_str_radix(&id.as_str()[..8], 16).is_ok_and(known)));
    }
}

/// The clusters with data, and their names; none stands there twice.
fn shown(page: &str) -> BTreeMap<ClusterId, String> {
    let mut shown = BTreeMap::new();
    let rows =
        page.lines().filter(|line| line.starts_with("huaweicloud_css_vpcep_service_enabled{"));
    for row in rows {
        let label = |name: &str| {
            let value = row.split(&format!("{name}=\"")).nth(1).unwrap();
            value.split('"').next().unwrap().to_owned()
        };
        let id = ClusterId::parse(&label("cluster_id")).unwrap();
        assert!(shown.insert(id, label("cluster_name")).is_none(), "twice: {row}");
    }
    shown
}

#[tokio::test(start_paused = true)]
async fn fifteen_hundred_clusters_that_come_and_go_leave_no_gap_in_the_others() {
    let mut world = World {
        cloud: Fake::of([]),
        truth: BTreeMap::new(),
        random: fastrand::Rng::with_seed(7),
        next: 0,
    };
    (0..CLUSTERS).for_each(|number| world.make(&format!("c{number}")));
    let running = run(vec![project("p", &world.cloud)], Vec::new(), &[]);
    let (store, clock) = (Store::default(), Clock::tokio_from(START));
    let settings =
        Settings { stale_after: MINUTE * 15, per_connection: true, per_connection_limit: 1000 };
    let page = || {
        let page = store.page(&running.board, &settings, clock.now());
        text(page, &Sources::own(running.stats.clone()), Format::Text004)
    };
    sleep(MINUTE).await;
    for round in 0..MINUTES {
        world.churn(round);
        for _ in 0..SCRAPES_A_MINUTE {
            // Not always at the same place in the minute.
            sleep(MINUTE / SCRAPES_A_MINUTE + Duration::from_millis(137)).await;
            world.judge(&page());
        }
    }
    Page::parse(&page()).unwrap();
    running.stop().await;
}
