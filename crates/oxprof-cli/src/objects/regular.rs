//! Files that profiles name. What is no regular file may have no end, or never give anything.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// Opens a regular file of at most so many bytes. Returns also how many it has.
pub(super) fn open(path: &Path, most: u64) -> io::Result<(File, u64)> {
    // To open a pipe or a device waits, or does something; so it is looked at before, too.
    size(&fs::metadata(path)?, most)?;
    let file = File::open(path)?;
    let size = size(&file.metadata()?, most)?;
    Ok((file, size))
}

/// What is in such a file.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, size) = open(path, most)?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn size(metadata: &Metadata, most: u64) -> io::Result<u64> {
    match metadata.len() {
        _ if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ if !metadata.is_file() => Err(io::Error::other("not a regular file")),
        size if size > most => Err(io::Error::other(format!("larger than {} MiB", most >> 20))),
        size => Ok(size),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::*;

    const MOST: u64 = 1 << 20;

    fn check(path: &Path, expected: &str) {
        let opened = open(path, MOST).map(|(_, size)| size.to_string());
        let read = read(path, MOST).map(|bytes| bytes.len().to_string());
        for got in [opened, read] {
            assert_eq!(got.unwrap_or_else(|e| e.to_string()), expected, "{}", path.display());
        }
    }

    #[test]
    fn regular_files_only() {
        let directory = std::env::temp_dir().join(format!("oxprof-regular-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let file = |name: &str, size: u64| {
            let path = directory.join(name);
            File::create(&path).unwrap().set_len(size).unwrap();
            path
        };
        check(&file("small", 5), "5");
        check(&file("full", MOST), "1048576");
        check(&file("large", MOST + 1), "larger than 1 MiB");
        check(&directory, "is a directory");
        check(Path::new("/dev/zero"), "not a regular file");
        let pipe = directory.join("pipe");
        match Command::new("mkfifo").arg(&pipe).status() {
            Ok(status) if status.success() => check(&pipe, "not a regular file"),
            _ => eprintln!("skipped: mkfifo is not installed"),
        }
        fs::remove_dir_all(&directory).unwrap();
    }
}
