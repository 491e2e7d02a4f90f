//! What allocators say of themselves, against what the program does. Not in the library, which the programs without oxprof
//! share.

use std::hint::black_box;

/// Checks that what the allocator says of itself, as the text of the heap profile has it, follows what the program does: what
/// it holds, and what of that is in use, if it says so.
pub fn check(name: &str, says_in_use: bool) {
    const BLOCKS: usize = 64 << 10;
    const SIZE: usize = 1000;
    const BYTES: f64 = (BLOCKS * SIZE) as f64;
    let before = Totals::now();
    let blocks: Vec<Vec<u8>> = (0..BLOCKS).map(|_| black_box(vec![1; SIZE])).collect();
    let full = Totals::now();
    drop(blocks);
    let after = Totals::now();
    println!("totals   {name}: {before:?}, with {BYTES} bytes more {full:?}, without {after:?}");
    assert!(full.held - before.held > 0.9 * BYTES && full.held < full.resident + 1.5 * BYTES);
    assert_eq!(full.in_use.is_some(), says_in_use);
    let grown = |totals: &Totals| totals.in_use.zip(before.in_use).map(|(now, then)| now - then);
    // Blocks are of classes of sizes.
    assert!(grown(&full).is_none_or(|grown| (1.0..1.3).contains(&(grown / BYTES))));
    assert!(grown(&after).is_none_or(|grown| grown < 0.1 * BYTES));
}

/// Bytes.
#[derive(Debug)]
struct Totals {
    held: f64,
    in_use: Option<f64>,
    resident: f64,
}

impl Totals {
    fn now() -> Self {
        let text = oxprof::lookup("heap").expect("the allocator is ours").text();
        let value = |name: &str| {
            let start = format!("# {name} = ");
            let line = text.lines().find_map(|line| line.strip_prefix(start.as_str()));
            line.and_then(|value| value.parse().ok())
        };
        let held = value("HeapSys").expect("the allocator says what it holds");
        let resident = value("RSS").expect("the kernel says what is resident");
        Self { held, in_use: value("HeapInuse"), resident }
    }
}
