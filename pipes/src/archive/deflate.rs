//! One deflate stream (RFC 1951) from pieces that are compressed side by side.
//! Does not know what stands around the stream. Why not a member a piece, as layers have it: docs/decisions/0032-archives.md.

use std::io;

use libdeflater::{CompressionLvl, Compressor};

use crate::oci::pieces::Pieces;

/// As small as the best that zlib does, in a fifth of its time.
const LEVEL: i32 = 6;
/// A last block with nothing in it.
const END: [u8; 2] = [0x03, 0x00];
/// A stored block with nothing in it, from the first whole byte on: its length, and that inverted.
const NOTHING: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// A bare deflate stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deflate;

impl Pieces for Deflate {
    const SIZE: usize = 1024 * 1024;

    /// Blocks of which none is the last, up to a whole byte.
    fn pack(&self, piece: &[u8]) -> io::Result<Vec<u8>> {
        let level = CompressionLvl::new(LEVEL).map_err(|_| io::Error::other("the compressor has no such level"))?;
        let mut compressor = Compressor::new(level);
        let mut stream = vec![0; compressor.deflate_compress_bound(piece.len()) + SPARE];
        let size = compressor.deflate_compress(piece, &mut stream).map_err(io::Error::other)?;
        stream.truncate(size + SPARE);
        stream[size..].fill(0);
        let last = last_block(&stream).ok_or_else(|| io::Error::other("the compressor wrote no deflate stream"))?;
        stream[last.begin / 8] &= !(1 << (last.begin % 8));
        // The stored block that makes the bytes whole begins with three bits of 0.
        stream.truncate((last.end + 3).div_ceil(8));
        stream.extend(NOTHING);
        Ok(stream)
    }

    fn end(&mut self) -> Vec<u8> {
        END.to_vec()
    }
}

/// So many bytes may be read behind a stream.
const SPARE: usize = 8;
/// The longest code of a symbol, in bits.
const LONGEST: u32 = 15;

/// Where a block begins and ends, in bits from the beginning of the stream.
struct Block {
    begin: usize,
    end: usize,
}

/// The last block of a stream.
fn last_block(stream: &[u8]) -> Option<Block> {
    let mut bits = Bits { stream, at: 0 };
    loop {
        let begin = bits.at;
        let is_last = bits.take(1) == 1;
        match bits.take(2) {
            0 => bits.pass_stored(),
            1 => bits.pass(&fixed())?,
            2 => {
                let codes = bits.codes()?;
                bits.pass(&codes)?;
            }
            _ => return None,
        }
        if bits.at.div_ceil(8) + SPARE > stream.len() {
            return None;
        }
        if is_last {
            return Some(Block { begin, end: bits.at });
        }
    }
}

/// What the next bits of a stream mean, for every value of so many as the longest code has.
struct Codes {
    letters: Vec<Meaning>,
    distances: Vec<Meaning>,
}

/// What a code means.
#[derive(Clone, Copy, PartialEq)]
struct Meaning {
    /// How long it is, with the bits behind it that belong to it; 0 where it is no code.
    bits: u8,
    what: What,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Literal,
    /// A distance follows.
    Length,
    End,
    /// A distance, or the length of a code, by its number.
    Symbol(u8),
}

struct Bits<'a> {
    stream: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next bits, 56 at least; 0 behind the end.
    fn peek(&self) -> u64 {
        let bytes = self.stream.get(self.at / 8..).and_then(|it| it.first_chunk());
        u64::from_le_bytes(bytes.copied().unwrap_or_default()) >> (self.at % 8)
    }

    fn take(&mut self, count: u32) -> usize {
        let bits = self.peek() & ((1 << count) - 1);
        self.at += count as usize;
        bits as usize
    }

    /// RFC 1951, 3.2.4.
    fn pass_stored(&mut self) {
        self.at = self.at.next_multiple_of(8);
        let length = self.take(16);
        self.at += 16 + length * 8;
    }

    fn pass(&mut self, codes: &Codes) -> Option<()> {
        loop {
            let bits = self.peek();
            let letter = codes.letters[bits as usize & (codes.letters.len() - 1)];
            self.at += usize::from(letter.bits);
            match letter.what {
                _ if letter.bits == 0 => return None,
                What::End => return Some(()),
                What::Length => {
                    let bits = bits >> letter.bits;
                    let distance = codes.distances[bits as usize & (codes.distances.len() - 1)];
                    if distance.bits == 0 {
                        return None;
                    }
                    self.at += usize::from(distance.bits);
                }
                What::Literal | What::Symbol(_) => {}
            }
        }
    }

    /// RFC 1951, 3.2.7.
    fn codes(&mut self) -> Option<Codes> {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let (letters, distances, count) = (self.take(5) + 257, self.take(5) + 1, self.take(4) + 4);
        let mut lengths = [0; 19];
        for at in &ORDER[..count] {
            lengths[*at] = self.take(3) as u8;
        }
        let lengths = table(&lengths, |symbol| (0, What::Symbol(symbol as u8)));
        let mut all: Vec<u8> = Vec::with_capacity(letters + distances);
        while all.len() < letters + distances {
            let next = lengths[self.peek() as usize & (lengths.len() - 1)];
            self.at += usize::from(next.bits);
            let (length, times) = match next.what {
                _ if next.bits == 0 => return None,
                What::Symbol(16) => (*all.last()?, 3 + self.take(2)),
                What::Symbol(17) => (0, 3 + self.take(3)),
                What::Symbol(18) => (0, 11 + self.take(7)),
                What::Symbol(length) => (length, 1),
                _ => return None,
            };
            all.extend(std::iter::repeat_n(length, times));
        }
        Some(Codes { letters: table(all.get(..letters)?, letter), distances: table(all.get(letters..)?, distance) })
    }
}

/// RFC 1951, 3.2.6.
fn fixed() -> Codes {
    let letters = [vec![8; 144], vec![9; 112], vec![7; 24], vec![8; 8]].concat();
    Codes { letters: table(&letters, letter), distances: table(&[5; 30], distance) }
}

/// The bits behind the code of a letter, and what it is: RFC 1951, 3.2.5.
fn letter(symbol: usize) -> (u8, What) {
    match symbol {
        0..256 => (0, What::Literal),
        256 => (0, What::End),
        257..265 | 285 => (0, What::Length),
        _ => (((symbol - 261) / 4) as u8, What::Length),
    }
}

/// The same of a distance.
fn distance(symbol: usize) -> (u8, What) {
    ((symbol / 2).saturating_sub(1) as u8, What::Literal)
}

/// What bits mean, by the length of each symbol's code: RFC 1951, 3.2.2.
fn table(lengths: &[u8], meaning: impl Fn(usize) -> (u8, What)) -> Vec<Meaning> {
    let longest = lengths.iter().copied().max().map_or(0, u32::from).min(LONGEST);
    let mut table = vec![Meaning { bits: 0, what: What::Literal }; 1 << longest];
    let mut code = 0_usize;
    for length in 1..=longest {
        for (symbol, _) in lengths.iter().enumerate().filter(|(_, it)| u32::from(**it) == length) {
            let (behind, what) = meaning(symbol);
            // Codes stand in the stream with their first bit first.
            let first = code.reverse_bits() >> (usize::BITS - length);
            for place in table.iter_mut().skip(first).step_by(1 << length) {
                *place = Meaning { bits: length as u8 + behind, what };
            }
            code += 1;
        }
        code <<= 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::oci::pieces::tests::{pack, sample};

    fn check(plain: &[u8], expect: Expect) {
        let stream = pack(plain, || Deflate);
        let mut read = Vec::new();
        flate2::read::DeflateDecoder::new(&stream[..]).read_to_end(&mut read).unwrap();
        assert!(read == plain, "{} bytes came back of {}", read.len(), plain.len());
        expect.assert_eq(&stream.len().to_string());
    }

    /// What can't be compressed, and so is stored.
    fn noise(size: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let next = |_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..size).map(next).collect()
    }

    #[test]
    fn one_stream_of_many_pieces() {
        check(b"", expect!["12"]);
        check(b"a", expect!["13"]);
        check(&[0; 2_000_000], expect!["2057"]);
        check(&noise(1_200_000), expect!["1200117"]);
        check(&sample(Deflate::SIZE), expect!["554391"]);
        check(&sample(2_500_000), expect!["1322693"]);
        check(&[sample(700_000), noise(700_000), vec![7; 700_000]].concat(), expect!["1071517"]);
    }

    #[test]
    fn what_is_no_stream() {
        let mut stream = Deflate.pack(b"what is this, what is this, what is this?").unwrap();
        assert!(last_block(&stream).is_none(), "it has no last block");
        stream.extend([0xff; 2 * SPARE]);
        assert!(last_block(&stream).is_none(), "there is no such block");
    }
}
