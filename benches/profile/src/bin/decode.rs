//! `decode IN` decompresses and decodes a profile, as every job of the tool begins.

use std::fs::File;

use oxprof_profile::{DecodeOptions, decode_file};

fn main() {
    let path = std::env::args().nth(1).expect("usage: decode IN");
    let file = File::open(path).expect("the file can be opened");
    let profile = decode_file(file, &DecodeOptions::default()).expect("a profile");
    println!("{} samples", profile.samples.len());
}
