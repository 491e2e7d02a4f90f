//! Against zlib-rs: the same bytes from what is valid, and an error for what is not.

use std::io::Write;

use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, FlushCompress};

use super::*;

/// Decompresses through a window of `size` bytes.
fn inflate(stream: impl Read, size: usize) -> io::Result<Vec<u8>> {
    let mut inflater = Inflater::new(stream);
    inflater.start();
    let (mut window, mut at, mut out) = (vec![0; size], 0, Vec::new());
    while !inflater.is_done() {
        if window.len() - at < ROOM {
            let gone = at.saturating_sub(WINDOW);
            window.copy_within(gone..at, 0);
            at -= gone;
        }
        let end = inflater.fill(&mut window, 0, at)?;
        out.extend_from_slice(&window[at..end]);
        at = end;
    }
    Ok(out)
}

fn peer(stream: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    DeflateDecoder::new(stream).read_to_end(&mut out).map(|_| out)
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }

    /// Bytes of an alphabet, skewed to its start, some of them repeated.
    fn data(&mut self, len: usize, alphabet: u64) -> Vec<u8> {
        let mut data = Vec::new();
        while data.len() < len {
            if self.next().is_multiple_of(16) && !data.is_empty() {
                let distance = 1 + self.next() as usize % data.len().min(40_000);
                let from = data.len() - distance;
                (0..self.next() % 300).for_each(|i| data.push(data[from + i as usize]));
            } else {
                data.push((self.next() % alphabet).min(self.next() % alphabet) as u8);
            }
        }
        data.truncate(len);
        data
    }
}

fn deflate(data: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[track_caller]
fn check(stream: &[u8], expected: &[u8]) {
    for size in [WINDOW + ROOM, 100_000, 1 << 20] {
        assert!(inflate(stream, size).unwrap() == expected, "{} bytes", expected.len());
    }
    assert!(inflate(Slow(stream), 1 << 18).unwrap() == expected, "byte by byte");
}

/// Gives one byte at a time.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let now = out.len().min(1);
        self.0.read(&mut out[..now])
    }
}

#[test]
fn all_that_zlib_writes_is_read() {
    let mut random = Random(1);
    for len in [0, 1, 2, 10, 300, 5_000, 70_000, 300_000] {
        for alphabet in [1, 2, 20, 256] {
            let data = random.data(len, alphabet);
            for level in [0, 1, 6, 9] {
                check(&deflate(&data, level), &data);
            }
        }
    }
}

#[test]
fn long_codes_are_read() {
    // Twice as often each, so that codes get as long as the format allows.
    let data: Vec<u8> = (0..17_u32).flat_map(|n| vec![n as u8; 1 << n]).collect();
    check(&deflate(&data, 9), &data);
    let mut shuffled = data;
    let mut random = Random(2);
    for i in (1..shuffled.len()).rev() {
        shuffled.swap(i, random.next() as usize % (i + 1));
    }
    check(&deflate(&shuffled, 1), &shuffled);
}

#[test]
fn empty_blocks_between_are_fine() {
    let mut compress = flate2::Compress::new(Compression::default(), false);
    let mut stream = Vec::with_capacity(1000);
    for flush in [FlushCompress::Sync, FlushCompress::Partial, FlushCompress::Full] {
        compress.compress_vec(b"some text", &mut stream, flush).unwrap();
    }
    compress.compress_vec(b"", &mut stream, FlushCompress::Finish).unwrap();
    check(&stream, b"some textsome textsome text");
}

/// Input is read in pieces, and some bits of one are still ahead when the next is there.
#[test]
fn streams_stop_and_end_anywhere_in_the_input() {
    let data = Random(5).data(1500, 256);
    for level in [0, 6] {
        let stream = deflate(&data, level);
        let zeros = (64 << 10) - stream.len();
        for zeros in zeros - 60..zeros + 600 {
            check_after_zeros(zeros, &stream, &data);
        }
    }
}

#[track_caller]
fn check_after_zeros(zeros: usize, stream: &[u8], expected: &[u8]) {
    let file = [&vec![0; zeros], stream, &[7]].concat();
    let mut inflater = Inflater::new(&file[..]);
    assert!(!inflater.skip_zeros().unwrap());
    inflater.start();
    let (mut window, mut at) = (vec![0; expected.len() + ROOM], 0);
    while !inflater.is_done() {
        at = inflater.fill(&mut window[..at + ROOM], 0, at).unwrap();
    }
    assert!(&window[..at] == expected, "after {zeros}");
    assert_eq!(inflater.byte().unwrap(), 7, "after {zeros}");
}

#[track_caller]
fn check_error(stream: &[u8], what: &str) {
    let error = inflate(stream, 1 << 16).unwrap_err();
    assert!(error.to_string().contains(what), "{error}");
    assert!(peer(stream).is_err());
}

#[test]
fn errors_say_what() {
    check_error(&[0b111], "no known kind");
    check_error(&[1, 5, 0, 0, 0], "two lengths differ");
    check_error(&[0b101, 0xff, 0xff, 0xff, 0xff], "too many codes");
    // Of the format's own code, a repetition at the very start.
    check_error(&[0b011, 0b10, 0, 0], "reaches back too far");
    check_error(b"", "unexpected end of file");
    check_error(&[1, 5, 0, 0xfa, 0xff, 1, 2], "unexpected end of file");
}

#[test]
fn cut_streams_are_told_from_damaged_ones() {
    let mut random = Random(3);
    let stream = deflate(&random.data(20_000, 100), 6);
    for len in (0..stream.len()).step_by(7) {
        let error = inflate(&stream[..len], 1 << 16).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{len} of {}", stream.len());
    }
}

#[test]
fn damage_is_seen_where_zlib_sees_it() {
    let mut random = Random(4);
    for round in 0..3000 {
        let level = [0, 1, 6, 9][round % 4];
        let len = 1 + random.next() as usize % 3000;
        let mut stream = deflate(&random.data(len, 1 + round as u64 % 256), level);
        for _ in 0..1 + random.next() % 3 {
            // The headers of blocks are where most can go wrong.
            let near = if random.next().is_multiple_of(2) { 80 } else { usize::MAX };
            let at = random.next() as usize % stream.len().min(near);
            stream[at] ^= 1 << (random.next() % 8);
        }
        match (inflate(&stream[..], 1 << 16), peer(&stream)) {
            (Ok(ours), Ok(theirs)) => assert!(ours == theirs, "round {round}"),
            (Err(_), Err(_)) => {}
            (ours, theirs) => panic!("round {round}: {:?} but {:?}", ours.err(), theirs.err()),
        }
    }
}
