//! Every odd server there may be, as a function from offset and limit to a page.

use std::collections::HashSet;

use proptest::{collection::vec, prelude::*};
use tokio::runtime::Builder;

use super::*;
use crate::{huawei::codes::SERVICE_NOT_ENABLED, model::Status, random_tests::check};

fn row(number: u32) -> Connection {
    Connection::bare(&format!("ep-{number:05}"), Status::Accepted)
}

fn page_of(numbers: impl IntoIterator<Item = u32>, total: Option<u64>) -> Page {
    let rows: Vec<_> = numbers.into_iter().map(row).collect();
    Page { received: rows.len() as u32, rows, total, ..Page::default() }
}

fn slice(count: u32, offset: u32, limit: u32) -> Page {
    page_of(offset.min(count)..(offset + limit).min(count), Some(u64::from(count)))
}

fn refused(code: &str) -> CloudError {
    CloudError {
        status: Some(400),
        code: Some(code.into()),
        ..CloudError::new(Reason::Http4xx, "limit out of range")
    }
}

struct Run {
    result: Result<Walked, CloudError>,
    large_limit: LargeLimit,
    calls: Vec<(u32, u32)>,
}

impl Run {
    /// Distinct connections read, what the cloud reported, and whether the two agree for certain.
    fn verdict(&self) -> (usize, Option<u64>, bool) {
        let list = &self.result.as_ref().expect("the walk succeeds").list;
        (list.connections.len(), list.reported, list.complete)
    }
}

struct Server<'a, F> {
    answer: F,
    calls: &'a mut Vec<(u32, u32)>,
}

impl<F> Pages for Server<'_, F>
where
    F: Fn(usize, u32, u32) -> Result<Page, CloudError> + Send + Sync,
{
    async fn page(&mut self, offset: u32, limit: u32) -> Result<Page, CloudError> {
        self.calls.push((offset, limit));
        (self.answer)(self.calls.len(), offset, limit)
    }
}

/// Walks over a server that is a function of the call's number, the offset and the limit.
async fn run<F>(paging: Paging, answer: F) -> Run
where
    F: Fn(usize, u32, u32) -> Result<Page, CloudError> + Send + Sync,
{
    run_after(LargeLimit::Usual, paging, answer).await
}

/// The same, given what earlier walks have learnt.
async fn run_after<F>(mut large_limit: LargeLimit, paging: Paging, answer: F) -> Run
where
    F: Fn(usize, u32, u32) -> Result<Page, CloudError> + Send + Sync,
{
    let mut calls = Vec::new();
    let server = Server { answer, calls: &mut calls };
    let result = walk(&paging, &mut large_limit, server).await;
    Run { result, large_limit, calls }
}

#[tokio::test]
async fn true_servers_are_read_in_one_request_per_thousand() {
    let cases = [
        (0, vec![(0, 1000)]),
        (1, vec![(0, 1000)]),
        (999, vec![(0, 1000)]),
        (1000, vec![(0, 1000)]),
        (1001, vec![(0, 1000), (1000, 1000)]),
        (1999, vec![(0, 1000), (1000, 1000)]),
        (2000, vec![(0, 1000), (1000, 1000)]),
    ];
    for (count, calls) in cases {
        let run = run(Paging::default(), |_, offset, limit| Ok(slice(count, offset, limit))).await;
        assert_eq!(run.verdict(), (count as usize, Some(count.into()), true), "{count}");
        assert_eq!(run.calls, calls, "{count}");
    }
}

#[tokio::test]
async fn past_two_thousand_no_offset_beyond_the_document_is_sent_and_the_walk_says_incomplete() {
    for count in [2001, 50_000] {
        let run = run(Paging::default(), |_, offset, limit| Ok(slice(count, offset, limit))).await;
        assert_eq!(run.verdict(), (2000, Some(count.into()), false));
        assert_eq!(run.calls, [(0, 1000), (1000, 1000), (0, 1000), (1000, 1000)]);
    }
}

#[tokio::test]
async fn a_server_that_caps_the_limit_is_read_by_rows_received() {
    let run =
        run(Paging::default(), |_, offset, limit| Ok(slice(250, offset, limit.min(100)))).await;
    assert_eq!(run.verdict(), (250, Some(250), true));
    assert_eq!(run.calls, [(0, 1000), (100, 1000), (200, 1000)]);
}

#[tokio::test]
async fn capped_pages_of_many_rows_end_at_the_largest_offset() {
    let run =
        run(Paging::default(), |_, offset, limit| Ok(slice(2000, offset, limit.min(600)))).await;
    assert_eq!(run.verdict(), (1600, Some(2000), false), "1000 is the last offset");
    assert_eq!(run.calls[..3], [(0, 1000), (600, 1000), (1000, 1000)]);
}

#[tokio::test]
async fn a_refused_limit_is_lowered_once_and_remembered() {
    for code in ["CSS.0001", "CSS.5038", "css.5038"] {
        let strict = |_: usize, offset: u32, limit: u32| {
            if limit > 100 { Err(refused(code)) } else { Ok(slice(250, offset, limit)) }
        };
        let first = run(Paging::default(), strict).await;
        assert_eq!(first.verdict(), (250, Some(250), true));
        assert_eq!(first.calls, [(0, 1000), (0, 100), (100, 100), (200, 100)]);
        assert_eq!(first.large_limit, LargeLimit::Refused);
        let next = run_after(first.large_limit, Paging::default(), strict).await;
        assert_eq!(next.verdict(), (250, Some(250), true));
        assert_eq!(next.calls, [(0, 100), (100, 100), (200, 100)]);
    }
}

#[tokio::test]
async fn a_parameter_that_is_refused_with_any_limit_costs_a_second_request_once() {
    let never = |_: usize, _: u32, limit: u32| {
        Err(refused(["CSS.0001", "CSS.5038"][usize::from(limit > 100)]))
    };
    let first = run(Paging::default(), never).await;
    assert_eq!(first.result, Err(refused("CSS.5038")), "what the larger limit got");
    assert_eq!(first.calls, [(0, 1000), (0, 100)]);
    assert_eq!(first.large_limit, LargeLimit::NotTheCause);
    let next = run_after(first.large_limit, Paging::default(), never).await;
    assert_eq!(next.result, Err(refused("CSS.5038")));
    assert_eq!(next.calls, [(0, 1000)]);
    assert_eq!(next.large_limit, LargeLimit::NotTheCause);
}

#[tokio::test]
async fn a_smaller_limit_that_fails_otherwise_fails_the_walk_with_that() {
    let answered = |status| CloudError { status: Some(status), ..refused("APIGW.0301") };
    let cases = [
        (CloudError::new(Reason::Reset, "gone"), LargeLimit::Usual),
        (answered(401), LargeLimit::Usual),
        (answered(403), LargeLimit::Usual),
        (answered(429), LargeLimit::Usual),
        (answered(503), LargeLimit::Usual),
        // A state of the cluster: the smaller limit was taken.
        (refused(SERVICE_NOT_ENABLED), LargeLimit::Refused),
    ];
    for (second, learnt) in cases {
        let run = run(Paging::default(), |call, _, _| match call {
            1 => Err(refused("CSS.5038")),
            _ => Err(second.clone()),
        })
        .await;
        assert_eq!((run.calls.len(), run.large_limit), (2, learnt), "{second:?}");
        assert_eq!(run.result, Err(second));
    }
}

#[tokio::test]
async fn other_refusals_are_not_taken_for_a_refused_limit() {
    let other = |code: &str, status| CloudError { status: Some(status), ..refused(code) };
    let cases = [
        other(SERVICE_NOT_ENABLED, 400),
        other("CSS.0036", 400),
        other("CSS.0021", 400),
        other("CSS.5038", 403),
        other("CSS.0001", 200),
        CloudError { code: None, ..refused("") },
    ];
    for error in cases {
        let run = run(Paging::default(), |_, _, _| Err(error.clone())).await;
        assert_eq!((run.calls.len(), run.large_limit), (1, LargeLimit::Usual), "{error:?}");
        assert_eq!(run.result, Err(error));
    }
}

#[tokio::test]
async fn a_small_limit_of_the_configuration_is_not_lowered() {
    let paging = Paging { limit: 100, ..Paging::default() };
    let run = run(paging, |_, _, _| Err(refused("CSS.5038"))).await;
    assert_eq!((run.calls, run.large_limit), (vec![(0, 100)], LargeLimit::Usual));
}

#[tokio::test]
async fn an_ignored_offset_ends_at_the_page_without_a_new_id() {
    let run =
        run(Paging::default(), |_, _, limit| Ok(Page { total: Some(50), ..slice(10, 0, limit) }))
            .await;
    assert_eq!(run.verdict(), (10, Some(50), false));
    assert_eq!(run.calls, [(0, 1000), (10, 1000), (0, 1000), (10, 1000)]);
}

#[tokio::test]
async fn a_one_based_server_repeats_a_row_and_loses_none() {
    let server = |_: usize, offset: u32, limit: u32| {
        Ok(slice(150, offset.saturating_sub(1), limit.min(100)))
    };
    let run = run(Paging::default(), server).await;
    assert_eq!(run.verdict(), (150, Some(150), true));
    assert_eq!(run.result.unwrap().duplicates, 1);
}

#[tokio::test]
async fn a_region_with_start_and_base_one_is_read_as_configured() {
    let paging = Paging { parameter: Parameter::Start, first: 1, limit: 100 };
    let run = run(paging, |_, start, limit| Ok(slice(250, start - 1, limit))).await;
    assert_eq!(run.verdict(), (250, Some(250), true));
    assert_eq!(run.calls, [(1, 100), (101, 100), (201, 100)]);
}

#[tokio::test]
async fn a_total_that_moves_between_pages_causes_a_second_walk() {
    // Row 5 vanishes after the first page: later rows move up, so the first walk misses one row
    // and holds one too many. The counts agree; only the moved total gives it away.
    let server = |call: usize, offset: u32, limit: u32| {
        if call == 1 {
            return Ok(slice(1500, offset, limit));
        }
        let left: Vec<u32> = (0..1500).filter(|&number| number != 5).collect();
        let rows = left.into_iter().skip(offset as usize).take(limit as usize);
        Ok(page_of(rows, Some(1499)))
    };
    let run = run(Paging::default(), server).await;
    assert_eq!(run.verdict(), (1499, Some(1499), true));
    assert_eq!(run.calls.len(), 4);
    let list = run.result.unwrap().list;
    assert!(list.connections.iter().all(|connection| connection.endpoint_id() != "ep-00005"));
}

#[tokio::test]
async fn a_total_that_moves_in_both_walks_is_incomplete() {
    let server =
        |call: usize, offset: u32, limit: u32| Ok(slice(1500 + call as u32, offset, limit));
    let run = run(Paging::default(), server).await;
    assert_eq!(run.verdict(), (1504, Some(1504), false));
}

#[tokio::test]
async fn rows_that_come_twice_are_counted_once_and_the_later_state_wins() {
    let server = |_: usize, _: u32, _: u32| {
        let mut page = page_of([1, 2, 2, 3], Some(3));
        page.rows[2].status = Status::Rejected;
        Ok(page)
    };
    let run = run(Paging::default(), server).await;
    assert_eq!(run.verdict(), (3, Some(3), false), "a contradiction is not complete");
    let walked = run.result.unwrap();
    assert_eq!(walked.duplicates, 2, "one in each walk");
    assert_eq!(walked.list.connections[1].status, Status::Rejected);
}

#[tokio::test]
async fn wrong_totals_are_published_as_incomplete() {
    for (rows, total) in [(5, 2), (2, 5), (5, 0)] {
        let server = |_: usize, offset: u32, limit: u32| {
            Ok(Page { total: Some(total), ..slice(rows, offset, limit) })
        };
        let run = run(Paging::default(), server).await;
        assert_eq!(run.verdict(), (rows as usize, Some(total), false), "{rows} of {total}");
    }
}

#[tokio::test]
async fn without_a_total_the_walk_goes_to_an_empty_page() {
    let server =
        |_: usize, offset: u32, limit: u32| Ok(Page { total: None, ..slice(250, offset, limit) });
    let run_ = run(Paging { limit: 100, ..Paging::default() }, server).await;
    assert_eq!(run_.verdict(), (250, None, true));
    assert_eq!(run_.calls, [(0, 100), (100, 100), (200, 100), (250, 100)]);

    let ignored = |_: usize, _: u32, limit: u32| Ok(Page { total: None, ..slice(10, 0, limit) });
    assert_eq!(run(Paging::default(), ignored).await.verdict(), (10, None, false));
}

#[tokio::test]
async fn endless_new_ids_and_tiny_pages_have_an_end() {
    let endless = |call: usize, _: u32, limit: u32| {
        let from = call as u32 * 1000;
        Ok(page_of(from..from + limit, Some(1_000_000)))
    };
    let run_ = run(Paging::default(), endless).await;
    assert_eq!(run_.verdict(), (2000, Some(1_000_000), false));
    assert_eq!(run_.calls.len(), 4);

    let tiny = |_: usize, offset: u32, _: u32| Ok(slice(5000, offset, 1));
    assert_eq!(run(Paging::default(), tiny).await.calls.len(), 2 * MAX_PAGES as usize);

    let flood = |_: usize, _: u32, _: u32| Ok(page_of(0..20_001, Some(20_001)));
    assert_eq!(run(Paging::default(), flood).await.result.unwrap_err().reason, Reason::TooLarge);
}

#[tokio::test]
async fn a_row_without_an_id_leaves_the_walk_incomplete() {
    let server = |_: usize, offset: u32, limit: u32| {
        let mut page = slice(5, offset, limit);
        if let Some(last) = page.received.checked_sub(1) {
            page.rows.truncate(last as usize);
        }
        Ok(page)
    };
    assert_eq!(run(Paging::default(), server).await.verdict(), (4, Some(5), false));
}

#[tokio::test]
async fn any_page_that_fails_fails_the_walk() {
    for failing in 1..=4 {
        let server = |call: usize, offset: u32, limit: u32| {
            if call == failing {
                return Err(CloudError::new(Reason::Http5xx, "no"));
            }
            Ok(Page { total: Some(1600), ..slice(1500, offset, limit) })
        };
        let run = run(Paging::default(), server).await;
        assert_eq!(run.result.unwrap_err().reason, Reason::Http5xx, "page {failing}");
    }
}

#[tokio::test]
async fn the_order_of_the_rows_makes_no_difference() {
    let backwards = |_: usize, offset: u32, limit: u32| {
        let mut page = slice(5, offset, limit);
        page.rows.reverse();
        Ok(page)
    };
    let forwards = |_: usize, offset: u32, limit: u32| Ok(slice(5, offset, limit));
    let one = run(Paging::default(), backwards).await.result.unwrap();
    assert_eq!(one, run(Paging::default(), forwards).await.result.unwrap());
}

/// Rows vanish between requests, on pages of any size. A list that is said to be whole lacks none that was
/// there all the time; if none vanishes, a list that was read to its end is said to be whole.
#[test]
fn a_list_that_is_said_to_be_whole_has_every_row_that_stayed() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let lost = vec((0..2_500_u32, 1..8_usize), 0..4);
    let page_rows = prop_oneof![1..=1000_u32, Just(10)];
    check(60, &(0..2_500_u32, page_rows, any::<bool>(), lost), |(count, most, told, mut lost)| {
        // Without a total, nothing shows that rows move up.
        if !told {
            lost.clear();
        }
        let lost = &lost;
        let rows_at = |call: usize| {
            let is_lost = move |row: &u32| lost.iter().any(|(id, from)| id == row && *from <= call);
            (0..count).filter(move |row| !is_lost(row))
        };
        let server = |call: usize, offset: u32, limit: u32| {
            let total = told.then(|| rows_at(call).count() as u64);
            let rows = rows_at(call).skip(offset as usize).take(limit.min(most) as usize);
            Ok(page_of(rows, total))
        };
        let run = runtime.block_on(run(Paging::default(), server));
        let list = &run.result.as_ref().unwrap().list;
        let read: HashSet<_> = list.connections.iter().map(Connection::endpoint_id).collect();
        let has = |number| read.contains(row(number).endpoint_id());
        assert!(!list.complete || rows_at(usize::MAX).all(has));
        let is_still = told && lost.is_empty();
        assert!(!is_still || list.complete == (read.len() == count as usize));
        assert!(run.calls.iter().all(|(offset, _)| *offset <= LARGEST_OFFSET));
        assert!(run.calls.len() <= 2 * MAX_PAGES as usize);
    });
}
