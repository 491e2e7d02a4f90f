//! What `pprof -proto` does: `rewrite IN… OUT` decodes, merges if there are several, and writes.
//! `rewrite --decode IN` only decodes.

use std::fs::File;

use oxprof_profile::{Compression, DecodeOptions, Merger, Profile, decode_file, write_gzip};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, input] = &args[..]
        && mode == "--decode"
    {
        println!("{} samples", load(input).samples.len());
        return;
    }
    let (out, inputs) = args.split_last().expect("usage: rewrite IN… OUT");
    let profile = match inputs {
        [one] => load(one),
        several => {
            let mut merger = Merger::default();
            for input in several {
                merger.add(&load(input)).expect("the profiles are compatible");
            }
            merger.finish().expect("there are profiles")
        }
    };
    let mut out = File::create(out).expect("the file can be created");
    write_gzip(&profile, Compression::Fast, &mut out).expect("the file can be written");
}

fn load(path: &str) -> Profile {
    let file = File::open(path).expect("the file can be opened");
    decode_file(file, &DecodeOptions::default()).expect("a profile")
}
