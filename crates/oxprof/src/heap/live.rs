//! The sampled blocks that are not freed yet, by address.
//!
//! ```text
//! level 0   512 lines ┐   a line: 8 addresses │ 8 sites │ 8 sizes │ 8 rates
//! level 1  4096 lines ├   an address may be in either of two lines of any level
//! …                   ┘   an address of 0 marks a free place
//! ```
//!
//! # Protocol
//! 1. A block has one owner at a time: who got its address from the allocator and did not give it back. Only the owner
//!    inserts and removes it. The allocator orders an owner's actions before the next one's.
//! 2. Inserting takes a free place by compare-exchange of the address, then writes the rest; removing reads
//!    the rest, then frees the place by storing 0. Others never look at more than the address. So nobody ever reads
//!    what another writes, by rule 1.
//! 3. An address that was inserted is found: places are not moved, and levels do not go away.
//! 4. Nobody waits.

use crate::code::sync::{AtomicU64, Ordering};
use crate::stacks::words::Words;

/// Places of a line: their addresses share a cache line.
const PLACES: usize = 8;
/// Words per place: address, site, size, rate.
const LINE_WORDS: usize = 4 * PLACES;

/// The table. Later levels are made when the ones before have no place.
pub(super) struct Live<const LEVELS: usize> {
    levels: [Words; LEVELS],
}

/// What is remembered of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Number of whom to tell when it is freed.
    pub(super) site: u32,
    /// Its size in bytes.
    pub(super) size: usize,
    /// The rate at which it was sampled.
    pub(super) rate: u64,
}

impl<const LEVELS: usize> Live<LEVELS> {
    /// An empty table whose level `i` has `lines[i]` lines, each a power of two.
    pub(super) const fn new(lines: [usize; LEVELS]) -> Self {
        let mut levels = [const { Words::new(0) }; LEVELS];
        let mut i = 0;
        while i < LEVELS {
            assert!(lines[i].is_power_of_two());
            levels[i] = Words::new(lines[i] * LINE_WORDS);
            i += 1;
        }
        Self { levels }
    }

    /// Remembers a block. Returns whether there was room.
    ///
    /// The caller owns the block, and it is not in the table.
    pub(super) fn insert(&self, address: usize, block: Block) -> bool {
        self.levels.iter().map_while(Words::map).any(|level| {
            lines(level, address).into_iter().any(|line| {
                let Some(place) = take(line, address) else { return false };
                line[PLACES + place].store(u64::from(block.site), Ordering::Relaxed);
                line[2 * PLACES + place].store(block.size as u64, Ordering::Relaxed);
                line[3 * PLACES + place].store(block.rate, Ordering::Relaxed);
                true
            })
        })
    }

    /// Forgets a block and returns what was remembered; `None` if it is not in the table.
    ///
    /// The caller owns the block.
    pub(super) fn remove(&self, address: usize) -> Option<Block> {
        self.levels.iter().map_while(Words::get).find_map(|level| {
            lines(level, address).into_iter().find_map(|line| {
                let holds = |word: &AtomicU64| word.load(Ordering::Relaxed) == address as u64;
                let place = line[..PLACES].iter().position(holds)?;
                let block = Block {
                    site: line[PLACES + place].load(Ordering::Relaxed) as u32,
                    size: line[2 * PLACES + place].load(Ordering::Relaxed) as usize,
                    rate: line[3 * PLACES + place].load(Ordering::Relaxed),
                };
                // Releases what was read to who takes the place next, lest his writes overtake our reads.
                line[place].store(0, Ordering::Release);
                Some(block)
            })
        })
    }
}

/// The two lines of a level that may hold an address.
fn lines(level: &[AtomicU64], address: usize) -> [&[AtomicU64]; 2] {
    let mask = level.len() / LINE_WORDS - 1;
    // Blocks are 16-aligned as a rule, so the low bits say nothing.
    let hash = (address as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [hash >> 40, hash >> 24].map(|hash| {
        let start = (hash as usize & mask) * LINE_WORDS;
        &level[start..start + LINE_WORDS]
    })
}

fn take(line: &[AtomicU64], address: usize) -> Option<usize> {
    line[..PLACES].iter().position(|word| {
        word.load(Ordering::Relaxed) == 0
            && word
                .compare_exchange(0, address as u64, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    })
}

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use super::*;

    fn block(address: usize) -> Block {
        Block { site: address as u32 ^ 7, size: address * 3, rate: address as u64 + 1 }
    }

    #[test]
    fn what_was_inserted_is_found_once() {
        let live = Live::new([4, 8]);
        let addresses: Vec<usize> = (1..40).map(|i| i * 48).collect();
        for &address in &addresses {
            assert_eq!(live.remove(address), None);
            assert!(live.insert(address, block(address)));
        }
        for &address in addresses.iter().rev() {
            assert_eq!(live.remove(address), Some(block(address)));
            assert_eq!(live.remove(address), None);
        }
    }

    #[test]
    fn a_full_table_refuses_and_keeps_what_it_has() {
        let live = Live::new([2, 2]);
        let (kept, refused): (Vec<usize>, Vec<usize>) =
            (1..100).map(|i| i * 16).partition(|&address| live.insert(address, block(address)));
        assert_eq!(kept.len(), 32, "every place is taken");
        assert!(kept.iter().all(|&address| live.remove(address) == Some(block(address))));
        assert!(refused.iter().all(|&address| live.remove(address).is_none()));
    }

    #[test]
    fn levels_fill_well_before_the_next_is_made() {
        let live = Live::new([1 << 9, 1 << 12]);
        let room = 8 << 9;
        let first = |share: f64| (room as f64 * share) as usize;
        for i in 1..=first(0.8) {
            assert!(live.insert(i * 0x9000 + 64, block(i)));
        }
        let in_second = live.levels[1].get().map_or(0, |level| {
            let is_taken = |line: &[AtomicU64]| {
                line[..PLACES].iter().filter(|w| w.load(Ordering::Relaxed) != 0).count()
            };
            level.chunks(LINE_WORDS).map(is_taken).sum::<usize>()
        });
        assert!(in_second < room / 50, "{in_second} of {room} overflowed at 80 %");
    }

    #[test]
    fn threads_do_not_lose_blocks() {
        let live = Live::new([16, 1 << 10]);
        std::thread::scope(|scope| {
            for thread in 0..4usize {
                let live = &live;
                scope.spawn(move || {
                    for round in 0..200 {
                        let mine = (0..50).map(|i| ((i * 4 + thread) * 200 + round + 1) * 16);
                        let mine: Vec<usize> = mine.collect();
                        assert!(mine.iter().all(|&a| live.insert(a, block(a))));
                        assert!(mine.iter().all(|&a| live.remove(a) == Some(block(a))));
                    }
                });
            }
        });
    }
}

#[cfg(all(test, oxprof_loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::code::sync::check;

    #[test]
    fn owners_find_their_blocks_whoever_else_comes_and_goes() {
        check(|| {
            // One line, so that all meet.
            let live = Arc::new(Live::new([1]));
            // The checker does not see the memory being made, so that comes first.
            live.levels[0].map();
            let owners: Vec<_> = (1..=2)
                .map(|address| {
                    let live = Arc::clone(&live);
                    thread::spawn(move || {
                        let block = Block { site: address as u32, size: address, rate: 7 };
                        assert!(live.insert(address, block));
                        assert_eq!(live.remove(address), Some(block));
                    })
                })
                .collect();
            owners.into_iter().for_each(|o| o.join().unwrap());
            assert!((1..=2).all(|address| live.remove(address).is_none()));
        });
    }

    /// Blocks change hands by whatever orders the threads that have them.
    #[test]
    fn a_block_that_another_frees_is_found() {
        check(|| {
            let live = Arc::new(Live::new([1]));
            // The checker does not see the memory being made, so that comes first.
            live.levels[0].map();
            let block = Block { site: 1, size: 2, rate: 3 };
            let (theirs, handed_over) = (Arc::clone(&live), Arc::new(AtomicU64::new(0)));
            let handing_over = Arc::clone(&handed_over);
            let first = thread::spawn(move || {
                assert!(theirs.insert(16, block));
                handing_over.store(1, Ordering::Release);
            });
            if handed_over.load(Ordering::Acquire) == 1 {
                assert_eq!(live.remove(16), Some(block));
                assert!(live.insert(16, Block { site: 9, ..block }));
                assert_eq!(live.remove(16).map(|b| b.site), Some(9));
            }
            first.join().unwrap();
        });
    }
}
