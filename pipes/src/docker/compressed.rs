//! Compressed files: what by, told by their first bytes as Docker has it, and what they hold.
//! Does not know what that is.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

/// How much of a file says what it is.
const MAGIC: usize = 8;
const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];
const BZIP2: &[u8] = b"BZh";
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// A zstd frame that is skipped begins so, but for the lowest four bits.
const SKIPPED: u32 = 0x184d_2a50;
const BUFFER: usize = 1 << 16;
/// The most memory that xz may ask for, in KiB, and zstd, as a power of two: more than any of their levels does.
const XZ_MEMORY: u32 = 2 << 20;
const ZSTD_WINDOW: u32 = 29;

/// What a file is compressed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

/// What a file is compressed by, if it is.
pub fn format(path: &Path) -> io::Result<Option<Format>> {
    let mut start = Vec::new();
    File::open(path)?.take(MAGIC as u64).read_to_end(&mut start)?;
    let number = start.first_chunk().map(|it| u32::from_le_bytes(*it));
    let is_skipped = start.len() == MAGIC && number.is_some_and(|it| it & !0xf == SKIPPED);
    Ok(match () {
        () if start.starts_with(GZIP) => Some(Format::Gzip),
        () if start.starts_with(BZIP2) => Some(Format::Bzip2),
        () if start.starts_with(XZ) => Some(Format::Xz),
        () if start.starts_with(ZSTD) || is_skipped => Some(Format::Zstd),
        () => None,
    })
}

/// What a file holds, all parts of it one after the other.
pub fn open(path: &Path, format: Format) -> io::Result<Box<dyn Read>> {
    let file = BufReader::with_capacity(BUFFER, File::open(path)?);
    Ok(match format {
        Format::Gzip => Box::new(MultiGzDecoder::new(file)),
        Format::Bzip2 => Box::new(MultiBzDecoder::new(file)),
        Format::Xz => Box::new(XzReader::new_mem_limit(file, true, XZ_MEMORY)),
        Format::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(file)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            Box::new(decoder)
        }
    })
}
