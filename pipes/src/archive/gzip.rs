//! gzip (RFC 1952): one member, whatever its size. Some programs that update themselves stop after the first one.
//! Does not know what is in it.

use std::io;

use libdeflater::Crc;

use super::deflate::Deflate;
use crate::oci::pieces::Pieces;

/// No name, time 0, the slowest algorithm, operating system unknown.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff];

/// A gzip member.
#[derive(Default)]
pub struct Gzip {
    deflate: Deflate,
    crc: Crc,
    size: u64,
}

impl Pieces for Gzip {
    const SIZE: usize = Deflate::SIZE;

    fn begin(&mut self) -> Vec<u8> {
        HEADER.to_vec()
    }

    fn pack(&self, piece: &[u8]) -> io::Result<Vec<u8>> {
        self.deflate.pack(piece)
    }

    fn join(&mut self, piece: &[u8], packed: Vec<u8>) -> io::Result<Vec<u8>> {
        self.crc.update(piece);
        self.size += piece.len() as u64;
        Ok(packed)
    }

    fn end(&mut self) -> Vec<u8> {
        // As the format has it, the size is that modulo 2^32.
        [self.deflate.end(), self.crc.sum().to_le_bytes().to_vec(), (self.size as u32).to_le_bytes().to_vec()].concat()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use expect_test::{Expect, expect};
    use forge_plugin::schemas::Digest;

    use super::*;
    use crate::oci::pieces::tests::{pack, sample};

    fn check(size: usize, expect: Expect) {
        let plain = sample(size);
        let packed = pack(&plain, Gzip::default);
        let mut read = Vec::new();
        // It reads one member, and no more.
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut read).unwrap();
        assert!(read == plain, "{} bytes came back of {}", read.len(), plain.len());
        expect.assert_eq(&format!("{} {}", packed.len(), Digest::of(&packed).short()));
    }

    #[test]
    fn one_member() {
        check(0, expect!["30 3bbf7c9666b8"]);
        check(1, expect!["31 4835132da11a"]);
        check(5_000_000, expect!["2644504 2239a7c405e7"]);
    }
}
