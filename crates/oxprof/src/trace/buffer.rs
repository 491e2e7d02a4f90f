//! Records on their way from the threads that note them to the one that writes the trace.
//!
//! Each thread fills blocks of its own, which it takes from a pool; the reader empties them and gives them back. So
//! threads share nothing but the pool, and that once in some three hundred records.
//!
//! # Protocol
//! A block is free, or a thread's. Blocks of a thread form a chain, of which the reader knows the first and the thread
//! the last.
//!
//! 1. Only the chain's thread writes records, `length`, `next` and `closed`. It releases `length` after the record,
//!    `next` after the new block is empty, `closed` after its last record.
//! 2. A thread's first block is told to the reader through the stack of `news`, which threads only push to and the
//!    reader only takes as a whole.
//! 3. The reader gives a block back when it has read all of it and the chain has gone on to another, or is closed,
//!    which it looks at before it reads. The thread never looks at a block that it has left.
//! 4. A block once mapped stays, so whatever is late touches a block, not something else.
//!
//! Without a free block, records are counted and dropped.

use std::ops::ControlFlow;

use crate::code::sync::{AtomicU64, Ordering};
use crate::stacks::words::Words;

/// Words of a record: its time and three more.
pub(super) const RECORD: usize = 4;
/// Records of a block.
#[cfg(not(all(test, oxprof_loom)))]
const CAPACITY: usize = 318;
#[cfg(all(test, oxprof_loom))]
const CAPACITY: usize = 2;
/// Words of a block: 10 KiB.
const BLOCK: usize = HEADER + CAPACITY * RECORD;

/// Words before the records.
const HEADER: usize = 5;
/// Number of records.
const LENGTH: usize = 0;
/// The next block of the chain, or of the free ones; 0 if there is none.
const NEXT: usize = 1;
/// Whether no more records come.
const CLOSED: usize = 2;
/// Whose block it is.
const OWNER: usize = 3;
/// The next of the news; 0 if there is none.
const NEWS: usize = 4;

/// Blocks that are mapped at once.
#[cfg(not(all(test, oxprof_loom)))]
const CHUNK: usize = 64;
#[cfg(all(test, oxprof_loom))]
const CHUNK: usize = 4;
const CHUNKS: usize = MOST.div_ceil(CHUNK);
/// Most blocks: 64 MiB.
#[cfg(not(all(test, oxprof_loom)))]
const MOST: usize = 6400;
#[cfg(all(test, oxprof_loom))]
const MOST: usize = 2;

/// The number of a block plus one, so that 0 is none.
type Id = u32;

/// Blocks, free and taken.
pub(super) struct Pool {
    memory: [Words; CHUNKS],
    /// Blocks that were ever taken.
    used: AtomicU64,
    /// The free blocks, a stack: how often it changed in the upper half, the topmost in the lower. The count tells a
    /// block that stayed from one that went and came again.
    free: AtomicU64,
    /// The first blocks of chains that the reader does not know yet, a stack.
    news: AtomicU64,
}

/// A thread's end of its chain.
#[derive(Clone, Copy, Default)]
pub(super) struct Writer {
    last: Id,
}

impl Writer {
    /// One whose chain has yet to begin.
    pub(super) const fn new() -> Self {
        Self { last: 0 }
    }
}

/// The reader's end of a chain.
pub(super) struct Chain {
    /// Whose it is.
    pub(super) owner: u64,
    first: Id,
    read: usize,
}

impl Pool {
    #[cfg(not(all(test, oxprof_loom)))]
    pub(super) const fn new() -> Self {
        Self {
            memory: [const { Words::new(CHUNK * BLOCK) }; CHUNKS],
            used: AtomicU64::new(0),
            free: AtomicU64::new(0),
            news: AtomicU64::new(0),
        }
    }

    #[cfg(all(test, oxprof_loom))]
    pub(super) fn new() -> Self {
        Self {
            memory: [const { Words::new(CHUNK * BLOCK) }; CHUNKS],
            used: AtomicU64::new(0),
            free: AtomicU64::new(0),
            news: AtomicU64::new(0),
        }
    }

    /// An empty block that nobody else has.
    fn take(&self, owner: u64) -> Option<Id> {
        let id = self.pop().or_else(|| self.take_new())?;
        let block = self.block(id)?;
        for word in [LENGTH, NEXT, CLOSED] {
            block[word].store(0, Ordering::Relaxed);
        }
        block[OWNER].store(owner, Ordering::Relaxed);
        Some(id)
    }

    fn pop(&self) -> Option<Id> {
        let mut top = self.free.load(Ordering::Acquire);
        loop {
            let id = top as Id;
            if id == 0 {
                return None;
            }
            // If another takes the block meanwhile, this is nonsense, and the exchange fails.
            let next = self.block(id)?[NEXT].load(Ordering::Relaxed);
            let new = changed(top, next as Id);
            match self.free.compare_exchange(top, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(id),
                Err(now) => top = now,
            }
        }
    }

    fn take_new(&self) -> Option<Id> {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            if used as usize == MOST {
                return None;
            }
            let order = Ordering::Relaxed;
            match self.used.compare_exchange(used, used + 1, order, order) {
                Ok(_) => break,
                Err(now) => used = now,
            }
        }
        // A block whose memory the kernel refuses is lost.
        self.memory[used as usize / CHUNK].map()?;
        Some(used as Id + 1)
    }

    fn give(&self, id: Id) {
        let Some(block) = self.block(id) else { return };
        let mut top = self.free.load(Ordering::Relaxed);
        loop {
            block[NEXT].store(top & u64::from(Id::MAX), Ordering::Relaxed);
            let new = changed(top, id);
            match self.free.compare_exchange(top, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    fn block(&self, id: Id) -> Option<&[AtomicU64]> {
        let index = (id as usize).checked_sub(1)?;
        let start = index % CHUNK * BLOCK;
        self.memory.get(index / CHUNK)?.get()?.get(start..start + BLOCK)
    }

    /// Adds a record to a thread's chain, beginning one if there is none. Whether there was room. For hooks.
    #[inline]
    pub(super) fn write(&self, writer: &mut Writer, owner: u64, record: [u64; RECORD]) -> bool {
        let Some(block) = self.room(writer, owner) else { return false };
        let length = block[LENGTH].load(Ordering::Relaxed) as usize;
        let at = HEADER + length * RECORD;
        for (word, value) in block[at..at + RECORD].iter().zip(record) {
            word.store(value, Ordering::Relaxed);
        }
        block[LENGTH].store(length as u64 + 1, Ordering::Release);
        true
    }

    /// The last block of a chain, which is not full.
    #[inline]
    fn room(&self, writer: &mut Writer, owner: u64) -> Option<&[AtomicU64]> {
        let last = self.block(writer.last);
        if let Some(block) = last
            && (block[LENGTH].load(Ordering::Relaxed) as usize) < CAPACITY
        {
            return Some(block);
        }
        let id = self.take(owner)?;
        writer.last = id;
        match last {
            Some(full) => full[NEXT].store(id.into(), Ordering::Release),
            None => self.announce(id),
        }
        self.block(id)
    }

    /// Tells the reader of a chain.
    fn announce(&self, id: Id) {
        let Some(block) = self.block(id) else { return };
        let mut top = self.news.load(Ordering::Relaxed);
        loop {
            block[NEWS].store(top, Ordering::Relaxed);
            let (won, lost) = (Ordering::Release, Ordering::Relaxed);
            match self.news.compare_exchange(top, id.into(), won, lost) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// Ends a chain. For hooks.
    pub(super) fn close(&self, writer: &mut Writer) {
        if let Some(block) = self.block(writer.last) {
            block[CLOSED].store(1, Ordering::Release);
        }
        *writer = Writer::new();
    }

    /// Chains that began since the last call. For the reader.
    pub(super) fn news(&self) -> Vec<Chain> {
        let mut id = self.news.swap(0, Ordering::Acquire) as Id;
        let mut chains = Vec::new();
        while let Some(block) = self.block(id) {
            let owner = block[OWNER].load(Ordering::Relaxed);
            chains.push(Chain { owner, first: id, read: 0 });
            id = block[NEWS].load(Ordering::Relaxed) as Id;
        }
        chains
    }

    /// Calls `each` with the new records of a chain until that is enough, as the thread may write faster than they are
    /// read. Whether more may come: if not, the chain is gone. For the reader.
    pub(super) fn read(
        &self,
        chain: &mut Chain,
        mut each: impl FnMut([u64; RECORD]) -> ControlFlow<()>,
    ) -> bool {
        loop {
            let Some(block) = self.block(chain.first) else { return false };
            let is_closed = block[CLOSED].load(Ordering::Acquire) != 0;
            let next = block[NEXT].load(Ordering::Acquire) as Id;
            let length = block[LENGTH].load(Ordering::Acquire) as usize;
            for record in block[HEADER..].chunks_exact(RECORD).take(length).skip(chain.read) {
                chain.read += 1;
                if each([0, 1, 2, 3].map(|i| record[i].load(Ordering::Relaxed))).is_break() {
                    return true;
                }
            }
            if next != 0 {
                self.give(chain.first);
                (chain.first, chain.read) = (next, 0);
            } else {
                if is_closed {
                    self.drop_chain(chain);
                }
                return !is_closed;
            }
        }
    }

    /// Gives back what is left of a chain whose thread is gone without a word.
    pub(super) fn drop_chain(&self, chain: &Chain) {
        self.give(chain.first);
    }
}

fn changed(top: u64, id: Id) -> u64 {
    ((top >> 32).wrapping_add(1) << 32) | u64::from(id)
}

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use super::*;

    fn all(pool: &Pool, chains: &mut Vec<Chain>) -> Vec<(u64, u64)> {
        chains.extend(pool.news());
        let mut seen = Vec::new();
        chains.retain_mut(|chain| {
            let owner = chain.owner;
            pool.read(chain, |record| {
                seen.push((owner, record[0]));
                ControlFlow::Continue(())
            })
        });
        seen
    }

    /// Also if it stops at the end of a block, and the chain has ended.
    #[test]
    fn a_reader_goes_on_where_it_stopped() {
        static POOL: Pool = Pool::new();
        let mut writer = Writer::new();
        (0..1000).for_each(|i| assert!(POOL.write(&mut writer, 1, [i; 4])));
        POOL.close(&mut writer);
        let mut chains = POOL.news();
        let (mut seen, mut goes_on) = (Vec::new(), true);
        while goes_on {
            goes_on = POOL.read(&mut chains[0], |record| {
                seen.push(record[0]);
                ControlFlow::Break(())
            });
        }
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_written_is_read_once_and_in_order() {
        static POOL: Pool = Pool::new();
        let (mut one, mut two, mut chains) = (Writer::new(), Writer::new(), Vec::new());
        let mut expected = Vec::new();
        for i in 0..1000 {
            assert!(POOL.write(&mut one, 1, [i; 4]));
            expected.push((1, i));
        }
        assert!(POOL.write(&mut two, 2, [7; 4]));
        expected.push((2, 7));
        let mut seen = all(&POOL, &mut chains);
        seen.sort_unstable();
        assert_eq!(seen, expected);
        assert_eq!(all(&POOL, &mut chains), []);
        POOL.write(&mut one, 1, [9; 4]);
        POOL.close(&mut one);
        assert_eq!(all(&POOL, &mut chains), [(1, 9)]);
        assert_eq!(chains.len(), 1);
    }

    #[test]
    fn memory_is_bounded_and_comes_back() {
        static POOL: Pool = Pool::new();
        let (mut writer, mut chains, mut written) = (Writer::new(), Vec::new(), 0);
        while POOL.write(&mut writer, 1, [written; 4]) {
            written += 1;
        }
        assert_eq!(written as usize, MOST * CAPACITY);
        assert_eq!(all(&POOL, &mut chains).len() as u64, written);
        assert!(POOL.write(&mut writer, 1, [0; 4]));
        assert_eq!(all(&POOL, &mut chains), [(1, 0)]);
    }
}

#[cfg(all(test, oxprof_loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::code::sync::check;

    /// One thread writes more than a block holds, the other reads meanwhile: nothing is lost but what had no room,
    /// and nothing comes twice or out of order.
    #[test]
    fn a_chain_is_read_while_it_grows() {
        check(|| {
            let pool = Arc::new(Pool::new());
            let other = Arc::clone(&pool);
            let thread = thread::spawn(move || {
                let mut writer = Writer::new();
                let written = (0..5).filter(|&i| other.write(&mut writer, 1, [i; 4])).collect();
                other.close(&mut writer);
                written
            });
            let (mut chains, mut seen) = (Vec::new(), Vec::new());
            let mut look = |pool: &Pool| {
                chains.extend(pool.news());
                chains.retain_mut(|chain: &mut Chain| {
                    pool.read(chain, |record| {
                        assert_eq!(record, [record[0]; 4]);
                        seen.push(record[0]);
                        ControlFlow::Continue(())
                    })
                });
            };
            look(&pool);
            let written: Vec<u64> = thread.join().unwrap();
            look(&pool);
            assert_eq!(seen, written);
        });
    }

    /// Two threads take and give blocks: no block is two threads'.
    #[test]
    fn a_block_is_one_threads() {
        check(|| {
            let pool = Arc::new(Pool::new());
            // The checker does not see that memory is there before it is used.
            pool.memory[0].map();
            let work = |pool: &Pool, owner: u64| {
                if let Some(id) = pool.take(owner) {
                    let block = pool.block(id).unwrap();
                    assert_eq!(block[OWNER].load(Ordering::Relaxed), owner);
                    pool.give(id);
                }
            };
            let other = Arc::clone(&pool);
            let thread = thread::spawn(move || {
                work(&other, 1);
                work(&other, 1);
            });
            work(&pool, 2);
            work(&pool, 2);
            thread.join().unwrap();
        });
    }
}
