//! Waits of all kinds: each is there as long as it was, under its category, and charged to who ended it.

use crate::{HELD, block, contend, named, sample_all, sums};

#[test]
fn a_contended_mutex() {
    sample_all();
    let waited = contend();
    let (count, delay) = sums(&block(false), "contention::waits_for", "lock");
    assert!(count >= 1 && delay >= HELD && waited >= HELD, "{count} {delay:?} {waited:?}");
    let (count, delay) = sums(&named("mutex"), "contention::unlocks", "lock");
    assert!(count >= 1 && delay >= HELD, "{count} {delay:?}");
}
