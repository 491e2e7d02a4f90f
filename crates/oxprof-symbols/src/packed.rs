//! Files that are compressed as a whole: kernel modules of most distributions, and the symbol table that a binary may
//! have for functions that it does not export (MiniDebugInfo).

use std::io::{self, Read};

use crate::Error;
use crate::data::Data;
use crate::sections::MAX_INFLATION;

/// No longer file is unpacked, which is in memory for that: it may be anything that a profile names.
const MAX_PACKED: u64 = 128 << 20;

/// Nothing longer comes out.
const MAX_SIZE: u64 = 1 << 30;

/// What a decoder of xz may have for what it looks back at: as much as `xz -9` asks for, twice.
const MAX_XZ_KIB: u32 = 128 << 10;

/// What is in a file that is compressed with gzip, xz or zstd; `None` if it is not.
///
/// # Errors
/// When the file is damaged, or longer than kernels and modules are: 128 MiB, and unpacked 1 GiB or 128 times its size.
pub fn unpack(data: Data<'_>) -> Option<Result<Vec<u8>, Error>> {
    let magic = data.get(0..6)?;
    let unpacked = match magic {
        [0x1f, 0x8b, 8, ..] => {
            whole(data).and_then(|all| read(flate2::read::GzDecoder::new(all), all))
        }
        b"\xfd7zXZ\0" => whole(data).and_then(unpack_xz),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => whole(data).and_then(|all| {
            let zstd = ruzstd::decoding::StreamingDecoder::new(all).map_err(io::Error::other)?;
            read(zstd, all)
        }),
        _ => return None,
    };
    Some(unpacked.map_err(|e| Error::Malformed { reason: format!("it does not decompress: {e}") }))
}

/// The same for what can only be xz.
pub(crate) fn unpack_xz(data: &[u8]) -> io::Result<Vec<u8>> {
    read(lzma_rust2::XzReader::new_mem_limit(data, false, MAX_XZ_KIB), data)
}

fn whole(data: Data<'_>) -> io::Result<&[u8]> {
    if data.size() > MAX_PACKED {
        return Err(io::Error::other(format!("it has more than {MAX_PACKED} bytes")));
    }
    data.all().ok_or_else(|| io::Error::other("it cannot be read"))
}

fn read(decoder: impl Read, packed: &[u8]) -> io::Result<Vec<u8>> {
    let most = (packed.len() as u64).saturating_mul(MAX_INFLATION).min(MAX_SIZE);
    let mut bytes = Vec::new();
    decoder.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("more than {most} bytes come out")));
    }
    Ok(bytes)
}
