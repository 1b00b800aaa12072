//! Layers are compressed on every core, with the same bytes on any number of them: blocks of a fixed size, each a gzip member (RFC 1952,
//! 2.2) or a zstd frame (RFC 8878, 3.1) of its own.
//! Does not know what it compresses. Why these compressors and levels: docs/decisions/0005-layer-compression.md.

use std::io::{self, Write};

use libdeflater::{CompressionLvl, Compressor};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// What one member or frame holds. Part of what decides the bytes: changing it changes the digest of every layer.
const BLOCK: usize = 256 * 1024;
const GZIP_LEVEL: i32 = 1;
const ZSTD_LEVEL: i32 = 3;

impl Compression {
    /// Whether it is gzip.
    pub fn is_default(&self) -> bool {
        *self == Compression::default()
    }

    fn block(self, block: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Compression::Gzip => gzip_member(block),
            Compression::Zstd => zstd::bulk::compress(block, ZSTD_LEVEL),
        }
    }
}

/// Compresses what is written to it into `sink`. [`BlockWriter::finish`] must be called at the end.
pub struct BlockWriter<W> {
    sink: W,
    compression: Compression,
    pending: Vec<u8>,
    /// How many bytes are compressed at once: some blocks a core, whatever that is, for it does not show in the bytes.
    batch: usize,
    is_empty: bool,
}

impl<W: Write> BlockWriter<W> {
    /// Writes to `sink`.
    pub fn new(sink: W, compression: Compression) -> BlockWriter<W> {
        let batch = BLOCK * rayon::current_num_threads().max(1) * 4;
        BlockWriter { sink, compression, pending: Vec::with_capacity(batch), batch, is_empty: true }
    }

    /// Writes what is left, and gives the sink back.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.pending.is_empty() || self.is_empty {
            self.write_pending()?;
        }
        Ok(self.sink)
    }

    fn write_pending(&mut self) -> io::Result<()> {
        let blocks: Vec<&[u8]> = match self.pending.is_empty() {
            true => vec![&[]],
            false => self.pending.chunks(BLOCK).collect(),
        };
        let compression = self.compression;
        let blocks: Vec<Vec<u8>> =
            blocks.into_par_iter().map(|block| compression.block(block)).collect::<io::Result<_>>()?;
        self.pending.clear();
        self.is_empty = false;
        blocks.iter().try_for_each(|block| self.sink.write_all(block))
    }
}

impl<W: Write> Write for BlockWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.batch - self.pending.len();
        let taken = bytes.len().min(room);
        self.pending.extend_from_slice(&bytes[..taken]);
        if self.pending.len() == self.batch {
            self.write_pending()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// No name, time 0, operating system unknown.
fn gzip_member(block: &[u8]) -> io::Result<Vec<u8>> {
    let level = CompressionLvl::new(GZIP_LEVEL).map_err(|_| io::Error::other("the compressor has no such level"))?;
    let mut compressor = Compressor::new(level);
    let mut member = vec![0; compressor.gzip_compress_bound(block.len())];
    let size = compressor.gzip_compress(block, &mut member).map_err(io::Error::other)?;
    member.truncate(size);
    Ok(member)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use expect_test::{Expect, expect};
    use forge_plugin::schemas::Digest;

    use super::*;

    /// Something between text and noise, the same everywhere.
    fn sample(size: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        (0..size)
            .map(|at| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                if at % 5 == 0 { state as u8 } else { (at / 7 % 97) as u8 }
            })
            .collect()
    }

    fn check(compression: Compression, size: usize, expect: Expect) {
        let content = sample(size);
        let by_threads = [1, 2, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let packed = pool.install(|| {
                let mut writer = BlockWriter::new(Vec::new(), compression);
                content.chunks(10_007).for_each(|chunk| writer.write_all(chunk).unwrap());
                writer.finish().unwrap()
            });
            let mut plain = Vec::new();
            match compression {
                Compression::Gzip => flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut plain),
                Compression::Zstd => zstd::Decoder::new(&packed[..]).unwrap().read_to_end(&mut plain),
            }
            .unwrap();
            assert!(plain == content, "read back with {threads} threads");
            format!("{} {}", packed.len(), Digest::of(&packed).short())
        });
        assert!(by_threads.iter().all(|it| *it == by_threads[0]), "{by_threads:?}");
        expect.assert_eq(&by_threads[0]);
    }

    #[test]
    fn the_same_bytes_on_any_number_of_threads() {
        check(Compression::Gzip, 0, expect!["23 81da0491c5af"]);
        check(Compression::Gzip, 1, expect!["24 457881f036a8"]);
        check(Compression::Gzip, BLOCK, expect!["140346 7774175fa1c2"]);
        check(Compression::Gzip, 5_000_000, expect!["2677982 3171f7a3d77d"]);
        check(Compression::Zstd, 0, expect!["9 6fb8543883da"]);
        check(Compression::Zstd, 1, expect!["10 c3bc2d78e825"]);
        check(Compression::Zstd, BLOCK, expect!["55159 e123e2d506a8"]);
        check(Compression::Zstd, 5_000_000, expect!["1053187 530886e207d5"]);
    }
}
