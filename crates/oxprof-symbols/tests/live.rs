//! From an address of this very process to the function there.
#![cfg(target_os = "linux")]

use oxprof_symbols::{Avma, Demangle, Error, FileOffset, MappedRange, Object};

#[inline(never)]
fn landmark() -> u32 {
    std::hint::black_box(line!())
}

/// The mapping that holds `address`, and the path of its file.
fn mapping_of(address: u64) -> (MappedRange, String) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let hex = |s: &str| u64::from_str_radix(s, 16).unwrap();
    maps.lines()
        .find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (start, limit) = words[0].split_once('-').unwrap();
            let range = MappedRange {
                start: Avma(hex(start)),
                limit: Avma(hex(limit)),
                offset: FileOffset(hex(words[2])),
            };
            let inside = (range.start.0..range.limit.0).contains(&address);
            inside.then(|| (range, words.get(5).copied().unwrap_or_default().to_owned()))
        })
        .unwrap()
}

#[test]
fn a_function_pointer_finds_its_own_name() {
    let line = landmark();
    let address = landmark as fn() -> u32 as usize as u64;
    let (range, path) = mapping_of(address);
    let bytes = std::fs::read(path).unwrap();
    let object = Object::parse(&bytes).unwrap();
    let svma = object.svma(Avma(address), &range).unwrap();
    let frames = object.frames(svma);
    let outermost = frames.last().unwrap();
    assert_eq!(outermost.name(Demangle::Default), "live::landmark");
    assert!(!outermost.inlined);
    if cfg!(feature = "lines") {
        assert!(outermost.file.as_deref().unwrap().ends_with("tests/live.rs"), "{frames:?}");
        assert_eq!(outermost.start_line, line - 1);
    }
}

#[test]
fn an_address_outside_of_the_file_is_an_error() {
    let (range, path) = mapping_of(landmark as fn() -> u32 as usize as u64);
    let bytes = std::fs::read(path).unwrap();
    let address = Avma(range.start.0 + (1 << 40));
    let answer = Object::parse(&bytes).unwrap().svma(address, &range);
    assert_eq!(answer, Err(Error::AddressNotInFile { address }));
}
