//! Universal binaries of macOS: several object files for different processors in one.

use ::object::read::macho::{FatArch, MachOFatFile32, MachOFatFile64};
use ::object::{Architecture, FileKind};

use crate::Data;

/// The object file for this machine's processor in a universal binary, or else the first; `data` itself
/// if it is no universal binary.
pub(crate) fn thin(data: Data<'_>) -> ::object::Result<Data<'_>> {
    match FileKind::parse(data) {
        Ok(FileKind::MachOFat32) => choose(MachOFatFile32::parse(data)?.arches(), data),
        Ok(FileKind::MachOFat64) => choose(MachOFatFile64::parse(data)?.arches(), data),
        _ => Ok(data),
    }
}

fn choose<'d, F: FatArch>(files: &[F], data: Data<'d>) -> ::object::Result<Data<'d>> {
    let here =
        if cfg!(target_arch = "aarch64") { Architecture::Aarch64 } else { Architecture::X86_64 };
    let ours = files.iter().find(|f| f.architecture() == here);
    ours.or_else(|| files.first()).map_or(Ok(data), |f| f.data(data).map(Data::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(data: &[u8]) -> &[u8] {
        thin(Data::from(data)).unwrap().all().unwrap()
    }

    #[test]
    fn the_first_file_where_none_is_for_this_machine() {
        const POWER_PC: u32 = 18;
        let mut fat = Vec::new();
        for word in [0xcafe_babe, 1, POWER_PC, 0, 28, 4, 0] {
            fat.extend(u32::to_be_bytes(word));
        }
        fat.extend(b"thin");
        assert_eq!(bytes(&fat), b"thin");
        assert!(thin(Data::from(&fat[..30])).is_err());
    }

    #[test]
    fn other_files_are_what_they_are() {
        assert_eq!(bytes(b"\x7fELF"), b"\x7fELF");
        assert_eq!(bytes(b""), b"");
    }
}
