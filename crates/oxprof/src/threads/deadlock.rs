//! Threads that seem to wait for each other for ever.
//!
//! Locks of Rust do not say who holds them. But who holds one has a guard somewhere, most often on his stack, which
//! points to the lock. So if a thread that waits for a lock without a limit has on its stack the address of another lock
//! that somebody waits for, it probably holds that; a circle of such threads is probably a deadlock. A reference to
//! a lock that is not held is a false hint, and a guard in the heap one that is missed: so all is said as
//! probable, and only of waits that have lasted for a while.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use super::dump::{PinnedMemory, Seen, Wait};
use super::name::Name;
use super::wait::Kind;

/// How long threads have been waiting at least.
const LASTING: Duration = Duration::from_secs(2);
/// Most words of a stack that are looked at: 1 MiB, in a fraction of a millisecond.
const MOST_WORDS: usize = 1 << 17;
/// Most locks that a thread is taken to hold.
const MOST_HELD: usize = 16;

/// A thread that waits for a lock that another one in the circle probably holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    tid: i32,
    waits_for: u64,
    /// Who probably holds it: the next in the circle.
    holder: i32,
}

/// What to say about circles among these threads; empty if there are none.
pub(super) fn text(all: &[Seen]) -> String {
    let stuck: Vec<(&Seen, &Wait)> = all
        .iter()
        .filter_map(|seen| Some((seen, seen.place.wait.as_ref()?)))
        .filter(|(_, wait)| is_stuck(wait))
        .collect();
    let wanted: HashSet<u64> = stuck.iter().map(|(_, wait)| wait.address).collect();
    let threads: Vec<Stuck> = stuck
        .iter()
        .map(|(seen, wait)| Stuck {
            tid: seen.tid,
            waits_for: wait.address,
            holds: held(wait, &wanted),
        })
        .collect();
    let names: HashMap<i32, Name> = all.iter().map(|seen| (seen.tid, seen.name)).collect();
    let mut out = String::new();
    for circle in circles(&threads) {
        out.push_str("# probable deadlock:\n");
        for Link { tid, waits_for, holder } in circle {
            let name = |tid: i32| names.get(&tid).copied().unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                "#\tgoroutine {tid} {:?} waits for the lock at {waits_for:#x}, probably held by goroutine {holder} {:?}",
                name(tid).text(),
                name(holder).text()
            );
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn is_stuck(wait: &Wait) -> bool {
    let is_lock = matches!(wait.kind, Kind::Futex | Kind::Mutex);
    is_lock && wait.timeout.is_none() && u128::from(wait.lasting) >= LASTING.as_nanos()
}

/// A thread that may be in a circle.
struct Stuck {
    tid: i32,
    waits_for: u64,
    /// Locks that others wait for whose addresses are on its stack.
    holds: Vec<u64>,
}

/// Which of the locks that are wanted have their addresses on the stack of a thread, but for the one it waits for itself.
fn held(wait: &Wait, wanted: &HashSet<u64>) -> Vec<u64> {
    let mut found = [0; MOST_HELD];
    let mut count = 0;
    wait.again(|registers, bounds| {
        let memory = PinnedMemory::new(registers.sp(), bounds);
        for word in memory.words().take(MOST_WORDS) {
            let is_new = !found[..count].contains(&word);
            if is_new && word != wait.address && wanted.contains(&word) && count < MOST_HELD {
                found[count] = word;
                count += 1;
            }
        }
    });
    found[..count].to_vec()
}

/// The circles among threads, each once.
fn circles(threads: &[Stuck]) -> Vec<Vec<Link>> {
    let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
    for (i, thread) in threads.iter().enumerate() {
        thread.holds.iter().for_each(|lock| holders.entry(*lock).or_default().push(i));
    }
    let mut state = vec![Visit::New; threads.len()];
    let mut circles = Vec::new();
    for start in 0..threads.len() {
        visit(start, threads, &holders, &mut state, &mut circles);
    }
    circles
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    /// On the path that is being followed.
    Open,
    Done,
}

/// Follows who waits for whom from `start`, without recursion: circles may be long.
fn visit(
    start: usize,
    threads: &[Stuck],
    holders: &HashMap<u64, Vec<usize>>,
    state: &mut [Visit],
    circles: &mut Vec<Vec<Link>>,
) {
    let holders_for = |i: usize| holders.get(&threads[i].waits_for).map_or(&[][..], Vec::as_slice);
    // Threads on the path, and how many of those that each may wait for were followed.
    let mut path: Vec<(usize, usize)> = Vec::new();
    if state[start] == Visit::New {
        state[start] = Visit::Open;
        path.push((start, 0));
    }
    while let Some((at, followed)) = path.last_mut() {
        let Some(&next) = holders_for(*at).get(*followed) else {
            state[*at] = Visit::Done;
            path.pop();
            continue;
        };
        *followed += 1;
        match state[next] {
            Visit::New => {
                state[next] = Visit::Open;
                path.push((next, 0));
            }
            Visit::Open => circles.extend(circle(&path, next, threads)),
            Visit::Done => {}
        }
    }
}

/// The end of a path that leads back to `first`, which is on it.
fn circle(path: &[(usize, usize)], first: usize, threads: &[Stuck]) -> Option<Vec<Link>> {
    let from = path.iter().position(|(i, _)| *i == first)?;
    let members: Vec<usize> = path[from..].iter().map(|(i, _)| *i).collect();
    // A thread that seems to wait for itself has the lock's address twice, no more.
    let holders = members.iter().cycle().skip(1);
    let link = |(&i, &holder): (&usize, &usize)| Link {
        tid: threads[i].tid,
        waits_for: threads[i].waits_for,
        holder: threads[holder].tid,
    };
    (members.len() > 1).then(|| members.iter().zip(holders).map(link).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads by what they wait for and what they hold; and circles by their threads.
    fn check(threads: &[(u64, &[u64])], expected: &[&[i32]]) {
        let stuck = |(tid, (waits_for, holds)): (i32, &(u64, &[u64]))| Stuck {
            tid,
            waits_for: *waits_for,
            holds: holds.to_vec(),
        };
        let threads: Vec<Stuck> = (0..).zip(threads).map(stuck).collect();
        let circles = circles(&threads);
        let tids: Vec<Vec<i32>> =
            circles.iter().map(|c| c.iter().map(|link| link.tid).collect()).collect();
        assert_eq!(tids, expected);
        for circle in circles {
            for (link, next) in circle.iter().zip(circle.iter().cycle().skip(1)) {
                assert_eq!(link.holder, next.tid);
            }
        }
    }

    #[test]
    fn who_waits_for_whom() {
        check(&[], &[]);
        check(&[(1, &[2]), (2, &[1])], &[&[0, 1]]);
        check(&[(1, &[2]), (2, &[3]), (3, &[1])], &[&[0, 2, 1]]);
        check(&[(1, &[2]), (2, &[])], &[]);
        check(&[(1, &[1])], &[]);
        // A victim waits for one of the circle, and is not in it.
        check(&[(2, &[]), (1, &[2]), (2, &[1])], &[&[1, 2]]);
        check(&[(1, &[2]), (2, &[1]), (3, &[4]), (4, &[3])], &[&[0, 1], &[2, 3]]);
    }
}
