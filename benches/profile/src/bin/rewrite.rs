//! What `pprof -proto` does: `rewrite IN… OUT` decodes, merges if there are several, and writes.
//! `rewrite --decode IN` only decodes.

use oxprof_profile::{Compression, Profile, decode, encode_gzip, merge};

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
            let profiles: Vec<_> = several.iter().map(|input| load(input)).collect();
            merge(&profiles).expect("the profiles are compatible")
        }
    };
    std::fs::write(out, encode_gzip(&profile, Compression::Fast)).expect("the file can be written");
}

fn load(path: &str) -> Profile {
    decode(&std::fs::read(path).expect("the file can be read")).expect("a profile")
}
