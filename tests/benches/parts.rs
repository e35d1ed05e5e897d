//! The parts of a poll that take the CPU's time: signing, decoding, comparing.
//!
//! `cargo bench --bench parts`

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot go on fails")]

#[path = "support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use css_vpcep_exporter::{
    huawei::{sign, wire},
    secret::Secret,
};

fn signing(criterion: &mut Criterion) {
    let secret = Secret::new("a-secret-key-of-forty-characters-length!");
    let path = "/v1.0/6e9dfd51d1124e8d8498dce894923a0d/clusters/\
                5c77b71c-5b35-4f50-8984-76387e42451a/vpcepservice/connections";
    let request = sign::Request {
        method: "GET",
        path,
        query: &[("offset", "0"), ("limit", "1000")],
        headers: &[
            ("host", "css.cn-north-4.myhuaweicloud.com"),
            ("x-sdk-date", "20240102T030405Z"),
            ("x-project-id", "6e9dfd51d1124e8d8498dce894923a0d"),
        ],
        body: b"",
    };
    criterion.bench_function("sign", |bencher| {
        bencher.iter(|| {
            sign::sign(black_box(request), "SIMAK0123456789ABCDE", &secret, "20240102T030405Z")
        });
    });
}

fn pages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("page");
    for rows in [100, 1000] {
        let body = support::body(7, rows, 0);
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(format!("decode, {rows} rows"), |bencher| {
            bencher.iter(|| wire::page(black_box(&body)).unwrap());
        });
        let (one, other) = (support::list(7, rows, 0), support::list(7, rows, 0));
        group.bench_function(format!("compare, {rows} rows"), |bencher| {
            bencher.iter(|| assert!(black_box(&one) == black_box(&other)));
        });
    }
    group.finish();
}

criterion_group!(benches, signing, pages);
criterion_main!(benches);
