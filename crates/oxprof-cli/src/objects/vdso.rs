//! The code that the kernel maps into every process: an object file that is in no file system.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Whether a profile's mapping is of that.
pub(super) fn is_vdso(file: &str) -> bool {
    file == "[vdso]" || file.rsplit('/').next().is_some_and(|name| name.starts_with("linux-vdso"))
}

/// That of the running kernel, as this process has it.
///
/// # Errors
/// When this process has none, or the system does not show it.
pub(super) fn read() -> io::Result<Vec<u8>> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let (start, end) = maps.lines().find_map(range).ok_or(io::ErrorKind::NotFound)?;
    let mut memory = File::open("/proc/self/mem")?;
    memory.seek(SeekFrom::Start(start))?;
    let mut image = Vec::new();
    memory.take(end.saturating_sub(start)).read_to_end(&mut image)?;
    Ok(image)
}

/// `7ffd1b5fe000-7ffd1b600000 r-xp 00000000 00:00 0    [vdso]`
fn range(line: &str) -> Option<(u64, u64)> {
    let range = line.strip_suffix("[vdso]")?.split(' ').next()?;
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(start)?, number(end)?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use oxprof_symbols::{Avma, FileOffset, MappedRange, Object};

    use super::*;

    #[test]
    fn its_functions_have_names() {
        let Ok(image) = read() else {
            eprintln!("skipped: this kernel has no vdso");
            return;
        };
        let object = Object::parse(&image).unwrap();
        let start = Avma(0x7ff0_0000_0000);
        let limit = Avma(start.0 + image.len() as u64);
        let mapping = MappedRange { start, limit, offset: FileOffset(0) };
        let clock = object.symbols().find(|symbol| symbol.name.contains("clock_gettime")).unwrap();
        let address = Avma(start.0 + clock.start.0 + 1);
        let found = object.symbol(object.svma(address, &mapping).unwrap()).unwrap();
        assert!(found.name.contains("clock_gettime"), "{found:?}");
    }
}
