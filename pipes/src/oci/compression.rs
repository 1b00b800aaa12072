//! Layers are blocks of a fixed size, each a gzip member (RFC 1952, 2.2) or a zstd frame (RFC 8878, 3.1) of its own.
//! Does not know what it compresses. Why these compressors and levels: docs/decisions/0005-layer-compression.md.

use std::cell::RefCell;
use std::io;

use libdeflater::{CompressionLvl, Compressor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::oci::pieces::Pieces;

/// How layers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// What everything can read.
    #[default]
    Gzip,
    /// Smaller, and several times faster to unpack. Docker before 23 and Kubernetes nodes with containerd before 1.5 can't read it.
    Zstd,
}

const GZIP_LEVEL: i32 = 1;
const ZSTD_LEVEL: i32 = 3;

impl Compression {
    /// Whether it is gzip.
    pub fn is_default(&self) -> bool {
        *self == Compression::default()
    }
}

/// Changing the size changes the digest of every layer.
impl Pieces for Compression {
    const SIZE: usize = 256 * 1024;
    const A_CORE: usize = 4;

    fn pack(&self, block: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Compression::Gzip => gzip_member(block),
            Compression::Zstd => zstd::bulk::compress(block, ZSTD_LEVEL),
        }
    }
}

/// What makes gzip members, one after the other.
struct Gzip {
    compressor: Compressor,
    /// Room for the longest member so far.
    room: Vec<u8>,
}

thread_local! {
    /// A thread has one for all blocks: to make it takes more memory than a block, which the system would have to clear each time.
    static GZIP: RefCell<Option<Gzip>> = const { RefCell::new(None) };
}

/// No name, time 0, operating system unknown.
fn gzip_member(block: &[u8]) -> io::Result<Vec<u8>> {
    let level = CompressionLvl::new(GZIP_LEVEL).map_err(|_| io::Error::other("the compressor has no such level"))?;
    GZIP.with_borrow_mut(|gzip| {
        let Gzip { compressor, room } =
            gzip.get_or_insert_with(|| Gzip { compressor: Compressor::new(level), room: Vec::new() });
        let longest = compressor.gzip_compress_bound(block.len());
        if room.len() < longest {
            room.resize(longest, 0);
        }
        let size = compressor.gzip_compress(block, room).map_err(io::Error::other)?;
        Ok(room[..size].to_vec())
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use expect_test::{Expect, expect};
    use forge_plugin::schemas::Digest;

    use super::*;
    use crate::oci::pieces::tests::{pack, sample};

    fn check(compression: Compression, size: usize, expect: Expect) {
        let content = sample(size);
        let packed = pack(&content, || compression);
        let mut plain = Vec::new();
        match compression {
            Compression::Gzip => flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut plain),
            Compression::Zstd => zstd::Decoder::new(&packed[..]).unwrap().read_to_end(&mut plain),
        }
        .unwrap();
        assert!(plain == content, "not what was packed");
        expect.assert_eq(&format!("{} {}", packed.len(), Digest::of(&packed).short()));
    }

    #[test]
    fn the_same_bytes_on_any_number_of_threads() {
        check(Compression::Gzip, 0, expect!["23 81da0491c5af"]);
        check(Compression::Gzip, 1, expect!["24 457881f036a8"]);
        check(Compression::Gzip, Compression::SIZE, expect!["140346 7774175fa1c2"]);
        check(Compression::Gzip, 5_000_000, expect!["2677982 3171f7a3d77d"]);
        check(Compression::Zstd, 0, expect!["9 6fb8543883da"]);
        check(Compression::Zstd, 1, expect!["10 c3bc2d78e825"]);
        check(Compression::Zstd, Compression::SIZE, expect!["55159 e123e2d506a8"]);
        check(Compression::Zstd, 5_000_000, expect!["1053187 530886e207d5"]);
    }
}
