//! Fifty projects in twelve regions, some of them broken.

use super::*;

const PROJECTS: u32 = 50;
const CLUSTERS: u32 = 8;
const HOURS: u32 = 2;

fn numbers(project: u32) -> std::ops::Range<u32> {
    project * 100..project * 100 + CLUSTERS
}

/// Projects 0, 12, 24, 36 and 48 are in the region that is dead.
fn target(number: u32) -> (Target<Fake>, bool) {
    let cloud = Fake::of(numbers(number));
    let mut target = project(&format!("p{number}"), &cloud);
    target.region = RegionId::parse(&format!("r{}", number % 12)).unwrap();
    let is_broken = match number {
        _ if number.is_multiple_of(12) => {
            cloud.with(|state| (state.list, state.polls) = (Answer::Hangs, Answer::Hangs));
            true
        }
        // Its polls may be one in 50 seconds.
        1 => {
            target.pacer = Pacer::new(RateLimit { requests_per_second: 0.02, burst: 1 });
            true
        }
        2 => {
            let expired = Answer::Fails(Reason::Auth);
            cloud.with(|state| (state.list, state.polls) = (expired, expired));
            true
        }
        _ => false,
    };
    (target, is_broken)
}

#[tokio::test(start_paused = true)]
async fn a_dead_region_a_throttled_project_and_expired_credentials_change_nothing_for_the_others() {
    let (targets, broken): (Vec<_>, Vec<_>) = (0..PROJECTS).map(target).unzip();
    let clouds: Vec<_> = targets.iter().map(|target| target.cloud.clone()).collect();
    let running = run(targets, Vec::new(), &[]);
    sleep(MINUTE * 2).await;
    // The list of project 3 fails from now on: its clusters are polled as before.
    clouds[3].with(|state| state.list = Answer::Fails(Reason::Forbidden));
    sleep(MINUTE * 60 * HOURS).await;
    let polls = 60 * HOURS as usize;
    for (project, cloud) in clouds.iter().enumerate().filter(|(project, _)| !broken[*project]) {
        for number in numbers(project as u32) {
            let calls = cloud.calls(number);
            assert!(calls.len() >= polls, "project {project}: {} polls", calls.len());
            let longest = calls.windows(2).map(|two| two[1] - two[0]).max().unwrap();
            assert!(longest <= MINUTE * 3 / 2, "project {project}: {longest:?} without a poll");
        }
        let lists = cloud.with(|state| state.lists);
        assert!(lists >= polls, "project {project}: {lists} lists");
    }
    let asked = |project: u32| {
        numbers(project).map(|n| clouds[project as usize].calls(n).len()).sum::<usize>()
    };
    assert_eq!((asked(0), asked(2)), (0, 0), "of these no list was ever read");
    let throttled = asked(1);
    assert!((100..=150).contains(&throttled), "{throttled} polls at one in 50 s");
    running.stop().await;
}
