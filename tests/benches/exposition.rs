//! Pages: how long it takes to take over a change, and to join a page for a scrape.
//!
//! `cargo bench --bench exposition`

#[path = "support/mod.rs"]
mod support;

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use css_vpcep_exporter::exposition::{Encoding, Format, PageBytes};

use self::support::{World, list, resident_bytes};

/// Memory of the typed data and the blocks; printed, not timed.
fn memory(_: &mut Criterion) {
    let before = resident_bytes();
    let world = World::of_series(1000, 1_000_000);
    let typed = resident_bytes() - before;
    world.page();
    let all = resident_bytes() - before;
    let size = world.page().sum(Format::OpenMetrics100);
    #[expect(clippy::print_stdout, reason = "criterion has no figure that is not a time")]
    {
        println!(
            "memory: {:.1} bytes a series, {:.1} of them typed data; {size:?}",
            all as f64 / size.samples as f64,
            typed as f64 / size.samples as f64,
        );
    }
}

/// From the new state of the clusters to a whole page.
fn publish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish");
    for (name, clusters, some) in [("one of 2,000 clusters", 2000, 1), ("1 % of 1,000", 1000, 10)] {
        for changed in [true, false] {
            let world = World::of_series(clusters, 1_000_000);
            world.page();
            let what = if changed { "changed" } else { "polled, the same" };
            group.bench_function(format!("{name}, 1M series, {what}"), |bencher| {
                let step = clusters / some;
                let mut start = 0;
                bencher.iter_batched(
                    || {
                        start += 1;
                        let concerned = (start % step..).step_by(step).take(some);
                        world.poll(concerned, changed);
                    },
                    |()| world.page(),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

/// All pieces of a page that is ready, as a socket would take them.
fn scrape(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scrape");
    for (name, clusters, series) in [
        ("10k series", 100, 10_000),
        ("100k series", 100, 100_000),
        ("1M series", 1000, 1_000_000),
        ("1M series of 10,000 clusters", 10_000, 1_000_000),
    ] {
        let world = World::of_series(clusters, series);
        world.page();
        for (encoding, said) in [(Encoding::Identity, "identity"), (Encoding::Gzip, "gzip")] {
            group.bench_function(format!("{name}, {said}"), |bencher| {
                bencher.iter(|| {
                    let sources = &world.sources;
                    PageBytes::new(world.page(), sources, Format::OpenMetrics100, encoding)
                        .map(|part| black_box(part).len())
                        .sum::<usize>()
                });
            });
        }
    }
    group.finish();
}

fn board(criterion: &mut Criterion) {
    let world = World::of_series(1000, 1_000_000);
    let connections = world.board.snapshot().clusters()[0]
        .observation
        .as_ref()
        .map(|found| found.list.connections.len());
    criterion.bench_function("record a poll that found the same (167 connections)", |bencher| {
        bencher.iter_batched(
            || list(7, connections.unwrap_or_default(), 0),
            |list| world.record(7, list),
            BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = memory, publish, scrape, board
}
criterion_main!(benches);
