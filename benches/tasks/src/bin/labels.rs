//! A scope of labels, beside a bare thread-local word and a span of tracing with its registry.

use std::cell::Cell;
use std::hint::black_box;

use oxprof::labels::{self, Labels};
use oxprof_bench_tasks::{compare, subject};
use tracing_subscriber::Registry;

thread_local! {
    static WORD: Cell<u64> = const { Cell::new(0) };
}

const STATIC: Labels = Labels::from_static(&[("tenant", "acme"), ("route", "/checkout")]);

fn main() {
    tracing::subscriber::set_global_default(Registry::default()).expect("no other is set");
    let shared = || Labels::new([("tenant", "acme"), ("route", "/checkout")]);
    let (to_run, to_enter) = (shared(), shared());
    let span = tracing::info_span!("request", tenant = "acme", route = "/checkout");
    let mut subjects = [
        subject("nothing", || _ = black_box(1)),
        subject("thread-local word, swapped and restored", || {
            let before = WORD.replace(black_box(7));
            black_box(());
            WORD.set(before);
        }),
        subject("labels: static, closure", || STATIC.run(|| _ = black_box(1))),
        subject("labels: static, guard", || _ = black_box(STATIC.enter())),
        subject("labels: prepared, closure", move || to_run.run(|| _ = black_box(1))),
        subject("labels: prepared, guard", move || _ = black_box(to_enter.enter())),
        subject("labels: two made anew", || {
            let values = black_box(["acme", "/checkout"]);
            labels::with([("tenant", values[0]), ("route", values[1])], || _ = black_box(1));
        }),
        subject("tracing: prepared span", move || _ = black_box(span.enter())),
        subject("tracing: span made anew", || {
            let values = black_box(["acme", "/checkout"]);
            let span = tracing::info_span!("request", tenant = values[0], route = values[1]);
            _ = black_box(span.enter());
        }),
    ];
    compare(60, 100_000, &mut subjects);
}
