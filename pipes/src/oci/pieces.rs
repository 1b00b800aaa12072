//! A stream is cut into pieces of a fixed size, which every core compresses side by side, and which make one again: the same bytes on any
//! number of cores.
//! Does not know how a piece is compressed, nor how pieces are joined.

use std::io::{self, Write};

use rayon::prelude::*;

/// A format whose streams can be made in pieces.
pub trait Pieces: Sync {
    /// How many bytes a piece has before it is compressed; the last one may have fewer. Part of what decides the bytes.
    const SIZE: usize;
    /// How many pieces a core is given at once; it does not show in the bytes.
    const A_CORE: usize = 1;

    /// What stands before the first piece.
    fn begin(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// A piece, compressed. Any of them may be the last; a stream of nothing has one of nothing.
    fn pack(&self, piece: &[u8]) -> io::Result<Vec<u8>>;

    /// What of a compressed piece stands in the stream. Called in the order of the stream.
    fn join(&mut self, _piece: &[u8], packed: Vec<u8>) -> io::Result<Vec<u8>> {
        Ok(packed)
    }

    /// What stands behind the last piece.
    fn end(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// Compresses what is written to it into `sink`. [`PieceWriter::finish`] must be called at the end.
pub struct PieceWriter<W, P> {
    sink: W,
    pieces: P,
    pending: Vec<u8>,
    /// How many bytes are compressed at once.
    batch: usize,
    is_begun: bool,
}

impl<W: Write, P: Pieces> PieceWriter<W, P> {
    /// Writes to `sink`.
    pub fn new(sink: W, pieces: P) -> PieceWriter<W, P> {
        let batch = P::SIZE * P::A_CORE * rayon::current_num_threads().max(1);
        PieceWriter { sink, pieces, pending: Vec::new(), batch, is_begun: false }
    }

    /// Writes what is left, and gives the sink back.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.pending.is_empty() || !self.is_begun {
            self.write_pending()?;
        }
        self.sink.write_all(&self.pieces.end())?;
        Ok(self.sink)
    }

    fn write_pending(&mut self) -> io::Result<()> {
        let plain: Vec<&[u8]> = match self.pending.is_empty() {
            true => vec![&[]],
            false => self.pending.chunks(P::SIZE).collect(),
        };
        let pieces = &self.pieces;
        let packed: Vec<Vec<u8>> = plain.par_iter().map(|piece| pieces.pack(piece)).collect::<io::Result<_>>()?;
        if !self.is_begun {
            self.sink.write_all(&self.pieces.begin())?;
            self.is_begun = true;
        }
        for (plain, packed) in plain.into_iter().zip(packed) {
            self.sink.write_all(&self.pieces.join(plain, packed)?)?;
        }
        self.pending.clear();
        Ok(())
    }
}

impl<W: Write, P: Pieces> Write for PieceWriter<W, P> {
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Something between text and noise, the same everywhere.
    pub fn sample(size: usize) -> Vec<u8> {
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

    /// `content` as a stream, by one thread, by two and by five, which must all write the same.
    pub fn pack<P: Pieces + Send>(content: &[u8], pieces: impl Fn() -> P + Sync) -> Vec<u8> {
        let by_threads = [1, 2, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut writer = PieceWriter::new(Vec::new(), pieces());
                content.chunks(10_007).for_each(|chunk| writer.write_all(chunk).unwrap());
                writer.finish().unwrap()
            })
        });
        let [one, two, five] = by_threads;
        assert!(
            one == two && one == five,
            "{} bytes by one thread, {} by two, {} by five",
            one.len(),
            two.len(),
            five.len()
        );
        one
    }
}
