//! Many addresses of one object at once.

use std::ops::Range;

use oxprof_profile::LocationIdx;

use super::resolve::Answer;
use crate::dwarf::Walker;
use crate::{Object, Svma};

/// Below so many bytes of debug information another thread costs more than it gains.
const MIN_SHARE: usize = 256 << 10;

/// What an address costs beside the unit that it is in, in bytes of debug information.
const ADDRESS_COST: usize = 512;

/// An address, and the part of the debug information that it is in.
struct Question {
    part: Option<usize>,
    svma: Svma,
    location: LocationIdx,
    cost: usize,
}

/// Looks up each of `wanted`, on at most so many threads.
pub(super) fn frames<'d>(
    object: &Object<'d>,
    wanted: &[(Svma, LocationIdx)],
    threads: usize,
) -> Vec<Answer<'d>> {
    std::thread::scope(|scope| {
        if threads > 1 {
            scope.spawn(|| object.warm());
        }
        let questions = questions(object, wanted);
        let work = |range: Range<usize>| -> Vec<Answer<'d>> {
            let questions = &questions[range];
            let mut wanted: Vec<u64> = questions.iter().map(|q| q.svma.0).collect();
            wanted.sort_unstable();
            let mut walker = Walker::of(wanted);
            let mut answer = |q: &Question| (q.location, object.frames_with(&mut walker, q.svma));
            questions.iter().map(&mut answer).collect()
        };
        let mut shares = shares(&questions, threads).into_iter();
        let first = shares.next().unwrap_or_default();
        // Scoped threads end before what they borrow does.
        std::thread::scope(|scope| {
            let running: Vec<_> = shares.map(|share| scope.spawn(|| work(share))).collect();
            let mut answers = work(first);
            for thread in running {
                answers.extend(thread.join().expect("look-ups do not panic"));
            }
            answers
        })
    })
}

/// By part, so that each is read once, and by address.
fn questions(object: &Object<'_>, wanted: &[(Svma, LocationIdx)]) -> Vec<Question> {
    let question = |&(svma, location): &(Svma, LocationIdx)| {
        let (part, cost) = object.part_of(svma).unzip();
        Question { part, svma, location, cost: cost.unwrap_or(0) }
    };
    let mut questions: Vec<_> = wanted.iter().map(question).collect();
    questions.sort_by_key(|q| (q.part, q.svma));
    for i in (1..questions.len()).rev() {
        if questions[i].part == questions[i - 1].part {
            questions[i].cost = 0;
        }
    }
    questions
}

/// Cuts the questions into shares of equal cost, between parts.
fn shares(questions: &[Question], threads: usize) -> Vec<Range<usize>> {
    let total: usize = questions.iter().map(|q| q.cost + ADDRESS_COST).sum();
    let share = total.div_ceil(threads.max(1)).max(MIN_SHARE);
    let (mut shares, mut start, mut cost) = (Vec::new(), 0, 0);
    for (i, question) in questions.iter().enumerate() {
        if cost >= share && questions[i - 1].part != question.part {
            shares.push(start..i);
            (start, cost) = (i, 0);
        }
        cost += question.cost + ADDRESS_COST;
    }
    shares.push(start..questions.len());
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_end_between_parts() {
        let check = |parts: &[(usize, usize)], threads, expected: &str| {
            let question = |&(part, cost): &(usize, usize)| Question {
                part: Some(part),
                svma: Svma(0),
                location: LocationIdx::from_index(0),
                cost,
            };
            let questions: Vec<_> = parts.iter().map(question).collect();
            let shares = shares(&questions, threads);
            let ends: Vec<_> = shares.iter().map(|s| format!("{}-{}", s.start, s.end)).collect();
            assert_eq!(ends.join(" "), expected);
        };
        const MIB: usize = 1 << 20;
        check(&[], 2, "0-0");
        check(&[(0, 9), (1, 9)], 2, "0-2");
        check(&[(0, MIB), (1, MIB), (2, MIB), (3, MIB)], 2, "0-2 2-4");
        check(&[(0, MIB), (0, 0), (0, 0), (1, MIB)], 2, "0-3 3-4");
        check(&[(0, MIB), (1, MIB)], 1, "0-2");
    }
}
