//! Universal binaries of macOS: several object files for different processors in one.

use ::object::read::macho::{FatArch, MachOFatFile32, MachOFatFile64};
use ::object::{Architecture, FileKind};

/// The object file for this machine's processor in a universal binary, or else the first; `data` itself
/// if it is no universal binary.
pub(crate) fn thin(data: &[u8]) -> ::object::Result<&[u8]> {
    match FileKind::parse(data) {
        Ok(FileKind::MachOFat32) => choose(MachOFatFile32::parse(data)?.arches(), data),
        Ok(FileKind::MachOFat64) => choose(MachOFatFile64::parse(data)?.arches(), data),
        _ => Ok(data),
    }
}

fn choose<'d, F: FatArch>(files: &[F], data: &'d [u8]) -> ::object::Result<&'d [u8]> {
    let here =
        if cfg!(target_arch = "aarch64") { Architecture::Aarch64 } else { Architecture::X86_64 };
    let ours = files.iter().find(|f| f.architecture() == here);
    ours.or_else(|| files.first()).map_or(Ok(data), |f| f.data(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_where_none_is_for_this_machine() {
        const POWER_PC: u32 = 18;
        let mut fat = Vec::new();
        for word in [0xcafe_babe, 1, POWER_PC, 0, 28, 4, 0] {
            fat.extend(u32::to_be_bytes(word));
        }
        fat.extend(b"thin");
        assert_eq!(thin(&fat).unwrap(), b"thin");
        assert!(thin(&fat[..30]).is_err());
    }

    #[test]
    fn other_files_are_what_they_are() {
        assert_eq!(thin(b"\x7fELF").unwrap(), b"\x7fELF");
        assert_eq!(thin(b"").unwrap(), b"");
    }
}
