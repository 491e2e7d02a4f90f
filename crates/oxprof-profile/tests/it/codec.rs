//! Decoding and encoding through the public interface.

use std::io::{Read, Write};

use crate::support::{conformance, files};
use oxprof_profile::{
    Compression, DecodeError, DecodeOptions, decode, decode_with, encode, encode_gzip,
};

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

#[test]
fn what_go_wrote_comes_back_byte_for_byte() {
    let Some(dir) = conformance() else { return };
    for (name, gz) in files(&dir.join("inputs"), ".pb.gz") {
        let plain = gunzip(&gz);
        let profile = decode(&gz).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(encode(&profile) == plain, "{name} changed");
        for level in [Compression::Fast, Compression::Balanced, Compression::Small] {
            assert!(
                gunzip(&encode_gzip(&profile, level)) == plain,
                "{name} changed under {level:?}"
            );
        }
    }
}

/// A message of `profile.proto` written by hand: fields of bytes and of numbers.
fn message(fields: &[(u8, Field<'_>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, field) in fields {
        match field {
            Bytes(bytes) => {
                out.extend([number << 3 | 2, u8::try_from(bytes.len()).unwrap()]);
                out.extend_from_slice(bytes);
            }
            Number(n) => out.extend([number << 3, *n]),
        }
    }
    out
}

enum Field<'a> {
    Bytes(&'a [u8]),
    Number(u8),
}
use Field::{Bytes, Number};

/// Sample type, one location with one line, one sample; `extra` fields follow.
fn small(sample: &[u8], extra: &[(u8, Field<'_>)]) -> Vec<u8> {
    let mut bytes = message(&[
        (1, Bytes(&[8, 1, 16, 1])),
        (2, Bytes(sample)),
        (4, Bytes(&[8, 7, 34, 4, 8, 9, 16, 5])),
        (5, Bytes(&[8, 9, 16, 1])),
        (6, Bytes(b"")),
        (6, Bytes(b"main")),
    ]);
    bytes.extend(message(extra));
    bytes
}

/// A sample of location 7 with value 3.
const SAMPLE: &[u8] = &[8, 7, 16, 3];

#[test]
fn packed_and_unpacked_numbers_read_alike() {
    let unpacked = decode(&small(&[8, 7, 8, 7, 8, 7, 16, 3], &[])).unwrap();
    let packed = decode(&small(&[10, 3, 7, 7, 7, 18, 1, 3], &[])).unwrap();
    assert_eq!(unpacked.samples.get(0), packed.samples.get(0));
    assert_eq!(packed.samples.stack(0).len(), 3);
    assert_eq!(packed.str(packed.functions[0].name), "main");
}

#[track_caller]
fn check_error(bytes: &[u8], message: &str) {
    let error = decode(bytes).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn errors_say_what_and_where() {
    check_error(b"", "empty input file");
    check_error(&encode_empty_gzip(), "empty input file");
    check_error(&small(&[8, 9, 16, 3], &[]), "sample 0 has location 9, which does not exist");
    check_error(&small(&[8, 7], &[]), "sample 0 has 0 values vs. 1 types");
    check_error(&small(SAMPLE, &[(4, Bytes(&[8, 7]))]), "multiple locations with same id: 7");
    check_error(&small(SAMPLE, &[(3, Bytes(&[]))]), "found mapping with reserved id 0");
    check_error(&small(SAMPLE, &[(7, Number(9))]), "string 9 is mentioned, but the table holds 2");
    check_error(
        &small(SAMPLE, &[(4, Bytes(&[8, 8, 34, 0]))]),
        "location 8 has a line in function 0",
    );
    check_error(&small(SAMPLE, &[(1, Number(1))]), "a message or string was expected (at byte 36)");
    check_error(&small(SAMPLE, &[(9, Number(1)), (9, Number(1))]), "concatenated profiles");
}

#[test]
fn other_files_are_named() {
    check_error(b"<html><body>404</body></html>", "looks like an HTML or XML page");
    check_error(b"{\"error\": 1}", "looks like JSON");
    check_error(b"profile not found", "looks like text");
    check_error(b"\xff\xff\xff\xff", "in the middle of a field");
}

#[test]
fn two_files_in_one_are_recognised() {
    let one = small(SAMPLE, &[]);
    check_error(&[one.clone(), one].concat(), "concatenated profiles");
    let Some(dir) = conformance() else { return };
    let gz = std::fs::read(dir.join("inputs/cpu.pb.gz")).unwrap();
    check_error(&[gz.clone(), gz].concat(), "concatenated profiles");
}

#[test]
fn decompression_is_limited() {
    let gz = encode_gzip(&decode(&small(SAMPLE, &[])).unwrap(), Compression::Balanced);
    let size = gunzip(&gz).len() as u64;
    let limited = |max_bytes| decode_with(&gz, &limit(max_bytes));
    assert!(limited(size).is_ok());
    let error = limited(size - 1).unwrap_err();
    assert_eq!(error, DecodeError::TooLarge { max_bytes: size - 1 });
    for cut in [gz.len() - 1, gz.len() - 9, 12] {
        check_error(&gz[..cut], "cut short");
    }
}

fn limit(max_bytes: u64) -> DecodeOptions {
    DecodeOptions { max_bytes, ..DecodeOptions::default() }
}

/// Two threads read what one does, and fail as it does.
#[track_caller]
fn check_threads(gz: &[u8], max_bytes: u64) {
    let [one, two] = [false, true].map(|two_threads| {
        let options = DecodeOptions { max_bytes, two_threads };
        decode_with(gz, &options).map(|profile| encode(&profile)).map_err(|e| e.to_string())
    });
    assert!(one == two, "{:?} and {:?}", one.map(|p| p.len()), two.map(|p| p.len()));
}

#[test]
fn two_threads_read_what_one_does() {
    let mut plain = small(SAMPLE, &[]);
    plain.extend(message(&[(2, Bytes(SAMPLE))]).repeat(50_000));
    // Longer than what is repeated, than a part, than several parts.
    for len in [40_000, 300_000, 600_000, 50_u32] {
        plain.extend([50, len as u8 | 0x80, (len >> 7) as u8 | 0x80, (len >> 14) as u8]);
        plain.extend((0..len).map(|i| (u64::from(i).pow(2) >> 9) as u8));
    }
    assert!(decode(&plain).is_ok());
    for file in [&plain[..], &plain[..plain.len() - 1]] {
        let gz = gzip(file);
        check_threads(&gz, u64::MAX);
        for max_bytes in [100, 300_000, plain.len() as u64 - 1, plain.len() as u64] {
            check_threads(&gz, max_bytes);
        }
        for at in (0..gz.len()).step_by(gz.len() / 6).chain([gz.len() - 1]) {
            check_threads(&gz[..at], u64::MAX);
            let mut damaged = gz.clone();
            damaged[at] ^= 0x10;
            check_threads(&damaged, u64::MAX);
        }
    }
    let (one, two) = plain.split_at(plain.len() / 3);
    check_threads(&[gzip(one), gzip(two), vec![0; 9]].concat(), u64::MAX);
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(data).unwrap();
    gzip.finish().unwrap()
}

fn encode_empty_gzip() -> Vec<u8> {
    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default()).finish().unwrap()
}

/// A zstd frame of one block that is stored as it is.
fn zstd(data: &[u8]) -> Vec<u8> {
    const SINGLE_SEGMENT: u8 = 0x20;
    let size = u8::try_from(data.len()).unwrap();
    let block = (u32::from(size) << 3 | 1).to_le_bytes();
    [&[0x28, 0xb5, 0x2f, 0xfd, SINGLE_SEGMENT, size][..], &block[..3], data].concat()
}

#[test]
fn zstd_and_double_compression_are_undone() {
    let plain = small(SAMPLE, &[]);
    let expected = decode(&plain).unwrap();
    let gz = encode_gzip(&expected, Compression::Fast);
    for file in [zstd(&plain), zstd(&gz), [zstd(&plain[..9]), zstd(&plain[9..])].concat()] {
        assert_eq!(encode(&decode(&file).unwrap()), encode(&expected));
    }
    check_error(&zstd(&plain)[..20], "decompressing zstd profile");
    let limited = decode_with(&zstd(&plain), &limit(20));
    assert_eq!(limited.unwrap_err(), DecodeError::TooLarge { max_bytes: 20 });
}
