//! xz (.xz file format, 1.2.1): one stream of blocks that are compressed side by side.
//! Does not know how a block is compressed: each comes from the library as a stream of its own, and is cut out of that.

use std::io::{self, Write as _};

use libdeflater::crc32;
use lzma_rust2::{XzOptions, XzWriter};

use crate::oci::pieces::Pieces;

const PRESET: u32 = 6;
/// Of the header of a stream, and of its footer.
const EDGE: usize = 12;
/// Magic, and the check that the library adds to each block, CRC64; then the CRC32 of the latter.
const HEADER: [u8; EDGE] = [0xfd, b'7', b'z', b'X', b'Z', 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46];
const END: [u8; 4] = [0, 4, b'Y', b'Z'];

/// An xz stream.
#[derive(Debug, Default)]
pub struct Xz {
    /// Of every block: the size without its padding, and that of what is in it.
    blocks: Vec<(u64, u64)>,
}

impl Pieces for Xz {
    /// That of the dictionary: what is further away is not seen anyway.
    const SIZE: usize = 8 * 1024 * 1024;

    fn begin(&mut self) -> Vec<u8> {
        HEADER.to_vec()
    }

    fn pack(&self, piece: &[u8]) -> io::Result<Vec<u8>> {
        let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(PRESET))?;
        writer.write_all(piece)?;
        writer.finish()
    }

    fn join(&mut self, piece: &[u8], mut packed: Vec<u8>) -> io::Result<Vec<u8>> {
        let (blocks, sizes) = block(&packed).ok_or_else(|| io::Error::other("the compressor wrote no xz stream"))?;
        // A piece of nothing has no block.
        self.blocks.extend(sizes.map(|size| (size, piece.len() as u64)));
        packed.truncate(blocks.end);
        Ok(packed.split_off(blocks.start))
    }

    /// The index (4.) and the footer (2.1.2).
    fn end(&mut self) -> Vec<u8> {
        let mut index = vec![0];
        write_number(&mut index, self.blocks.len() as u64);
        for (size, plain) in &self.blocks {
            write_number(&mut index, *size);
            write_number(&mut index, *plain);
        }
        index.resize(index.len().next_multiple_of(4), 0);
        index.extend(crc32(&index).to_le_bytes());
        let words = (index.len() / 4 - 1) as u32;
        let footer = [&words.to_le_bytes()[..], &END[..2]].concat();
        [index, crc32(&footer).to_le_bytes().to_vec(), footer, END[2..].to_vec()].concat()
    }
}

/// Where the block of a stream that has one at most lies in it, and its size without padding, as its index says.
fn block(stream: &[u8]) -> Option<(std::ops::Range<usize>, Option<u64>)> {
    let footer = stream.get(stream.len().checked_sub(EDGE)?..)?;
    let words = u32::from_le_bytes(*footer.get(4..)?.first_chunk()?);
    let end = stream.len().checked_sub(EDGE + (words as usize + 1) * 4)?;
    let mut index = stream.get(end..)?;
    if stream.get(..EDGE)? != HEADER || read_number(&mut index)? != 0 {
        return None;
    }
    match read_number(&mut index)? {
        0 => Some((EDGE..end, None)),
        1 => Some((EDGE..end, Some(read_number(&mut index)?))),
        _ => None,
    }
}

/// 1.2: seven bits a byte, the lowest first.
fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use expect_test::{Expect, expect};
    use forge_plugin::schemas::Digest;
    use lzma_rust2::XzReader;

    use super::*;
    use crate::oci::pieces::tests::{pack, sample};

    fn check(plain: &[u8], expect: Expect) {
        let packed = pack(plain, Xz::default);
        let mut read = Vec::new();
        // Not several streams, one behind the other.
        XzReader::new(&packed[..], false).read_to_end(&mut read).unwrap();
        assert!(read == plain, "{} bytes came back of {}", read.len(), plain.len());
        expect.assert_eq(&format!("{} {}", packed.len(), Digest::of(&packed).short()));
    }

    #[test]
    fn one_stream() {
        check(b"", expect!["32 0040f94d11d0"]);
        check(b"a", expect!["60 51f11c46f45d"]);
        check(&sample(100_000), expect!["27756 14069abb2b96"]);
        check(&vec![5; Xz::SIZE + 1], expect!["1388 58983df8c36a"]);
    }
}
