//! Packs the files of the page: each is compressed once, here, and served as it lies in the program.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let assets = root.join("assets");
    println!("cargo::rerun-if-changed={}", assets.display());
    let mut files = Vec::new();
    collect(&assets, &mut files);
    files.sort();
    let mut table = String::from("&[\n");
    for (i, file) in files.iter().enumerate() {
        let content = fs::read(file).expect("assets can be read");
        let packed = out.join(format!("{i}.gz"));
        fs::write(&packed, compress(&content)).expect("OUT_DIR can be written to");
        let name = file.strip_prefix(&assets).expect("it lies there").to_string_lossy();
        let name = name.replace('\\', "/");
        let tag = hash(&content);
        writeln!(
            table,
            "    Asset {{ name: {name:?}, tag: \"\\\"{tag:016x}\\\"\", gzip: include_bytes!({packed:?}) }},"
        )
        .expect("strings take everything");
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table).expect("OUT_DIR can be written to");
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("assets can be listed") {
        let path = entry.expect("assets can be listed").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn compress(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory takes everything")
}

fn hash(content: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    content.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
